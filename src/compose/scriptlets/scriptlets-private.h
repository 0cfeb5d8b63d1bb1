/* Between the parts of scriptlets. */
#pragma once
#include "sandbox.h"
#include "scriptlets.h"

/* ---- decisions ---- */
typedef struct AshKnownHook {
        const char *digest;          /* SHA-256, hex, of ash_hook_text() */
        AshHookWay way;
        const char *handlers, *reason;
} AshKnownHook;
/* What the table's digests are of: kind, interpreter, flags, and the body without white space at the ends of lines and empty lines around it. */
void ash_hook_text(const AshHook *h, AshStr *out);
void ash_hook_decide(AshHook *h, const AshHandler *handlers);

/* ---- order ---- */
typedef struct AshHookRun {
        const AshHook *hook;
        uint32_t time;               /* how many packages (of the order) have their files by then */
        int args[2];
        unsigned n_args;
        AshSlice input;              /* of a file trigger: paths, one a line */
} AshHookRun;
typedef struct AshHookOrder {
        uint32_t *packages;          /* in the order of installation */
        uint32_t *place;             /* of a package in it */
        ASH_ARRAY(AshHookRun) runs;
} AshHookOrder;
/* rpm's order of all hooks that an installation of these packages runs, whatever was decided about them. */
int ash_hooks_order(const AshHookPackage *packages, size_t n, const AshHooks *hooks, AshArena *arena, AshHookOrder *ret, AshDiags *diags);

/* ---- the tree as a file system ---- */
typedef struct AshMirror AshMirror;
AshMirror *ash_mirror_new(AshTree *t, AshSandboxRoom *room);
void ash_mirror_free(AshMirror *m);
ASH_DEFINE_CLEANUP(AshMirror *, ash_mirror_free)
/* Makes the room's base what the tree is at a time: nodes whose since[] is at most that. Writes only what is not there yet. */
int ash_mirror_sync(AshMirror *m, const uint32_t *since, uint32_t time, AshDiags *diags);

/* ---- back into the tree ---- */
typedef struct AshTake {
        AshHandlerContext *c;
        uint32_t **since;            /* by node, n_since places: since when it is there */
        size_t *n_since;
        uint32_t time, origin;
} AshTake;
int ash_take_changes(AshTake *t, AshSlice changes);
void ash_since_grow(uint32_t **since, size_t *n, const AshTree *t, uint32_t time);
