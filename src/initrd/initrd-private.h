/* Between the parts of the initrd. */
#pragma once
#include "initrd.h"

typedef struct Plan {
        const AshInitrdInput *in;
        const AshTree *src;
        AshTree *out;
        AshArena *arena;             /* of the planning; dies with it */
        uint32_t copied, made;       /* origins of the result */
        AshMap seen;                 /* paths that have been asked for -> AshNode of the source + 1; 0: it is not there */
        ASH_ARRAY(AshNode) programs; /* regular files of the source that were taken and may need libraries */
        size_t missing;              /* things that it cannot do without */
        AshDiags *diags;
} Plan;

/* Takes what is at the path into the initrd, with the links on the way and the libraries that it needs later. The node in the source, ASH_NO_NODE when it is not there. Directories are taken empty. */
AshNode plan_take(Plan *p, AshSlice path);
/* What is at the path is not taken, only looked up, links followed. */
AshNode plan_find(const Plan *p, AshSlice path);
AshSlice plan_bytes(const Plan *p, AshNode n);
void plan_put(Plan *p, const char *path, AshSlice text);
void plan_link(Plan *p, const char *path, const char *target);
int plan_policy(Plan *p);
int plan_libraries(Plan *p);
int plan_modules(Plan *p);
int initrd_unpack_modules(AshTree *t, unsigned threads, AshDiags *diags);
