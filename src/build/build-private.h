/* Between the parts of build. */
#pragma once
#include "build.h"

#define ASH_BUILD_UID 1000           /* mockbuild, user and group, in the room */
#define ASH_BUILD_HEAD (256 << 10)   /* bytes of a run's output that are kept from its beginning ... */
#define ASH_BUILD_TAIL (64 << 10)    /* ... and at its end */

struct AshBuild {
        AshBuildInput in;
        AshArena *arena;
        AshSandboxRoom *room;
        uint64_t disk;               /* bytes that its files may take */
        uint64_t memory, address_space; /* bytes of all of its processes; of each */
        uint64_t most;               /* bytes that it took at the worst time */
        uint64_t end;                /* ash_now_ns() at which the time is over */
        /* the log */
        int log_fd;
        uint64_t logged;
        bool log_full;
        AshStr head, tail;           /* of the run */
        char phase[32];              /* "%build" */
        char line[128];              /* the beginning of the line of output that is not complete yet */
        size_t line_len;
        /* the last run */
        ASH_ARRAY(const char *) layers;
        uint32_t error_line;
        AshSlice error_text;
        AshBytes results[2];         /* what is in RPMS and SRPMS: read when asked for */
        AshBytes log_map;
};

const char *ash_build_step_name(AshBuildStep step); /* "making the source package" */
/* What a run's output says of why it failed: notes and hints behind the last diagnostic. */
void ash_build_explain(AshBuild *b, AshDiags *diags);
