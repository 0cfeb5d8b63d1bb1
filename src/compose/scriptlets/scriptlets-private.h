/* Between the parts of scriptlets. */
#pragma once
#include "sandbox.h"
#include "scriptlets.h"

/* ---- decisions ---- */
typedef struct AshKnownHook {
        const char *digest;          /* SHA-256, hex, of the form */
        const char *handlers;        /* with comma between them, besides those of its blocks; NULL: none */
        const char *reason;
} AshKnownHook;
extern const AshKnownHook ash_known_hooks[]; /* ended by a row without a digest */
/* The form of a hook that is compared: kind, interpreter, flags, the body without white space at the ends of lines, without empty lines around it, with one line "\1" for each block of a standard
 * macro and for a run of lines of a Lua table of names. ret_form may be NULL. */
void ash_hook_digest(const AshHook *h, char ret[static 65], AshStr *ret_form);
/* Takes a block that a standard macro expands to off *rest. *ret_handlers NULL: no effect. */
bool ash_hook_template(AshHookKind kind, AshSlice *rest, const char **ret_handlers, const char **ret_reason);
size_t ash_hook_template_count(void);
const char *ash_hook_template_handlers(size_t i); /* for tests */
void ash_hook_decide(AshHook *h, const AshHandler *handlers, AshArena *arena);

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
