/* Scriptlets and triggers of packages (docs/scriptlets.md): what each would do to a fresh image, which of them run in the sandbox, and in which order. */
#pragma once
#include "compose-handler.h"
#include "rpm-read.h"

typedef enum AshHookKind {
        ASH_HOOK_PRETRANS, ASH_HOOK_PRE, ASH_HOOK_POST, ASH_HOOK_POSTTRANS, ASH_HOOK_TRIGGERPREIN, ASH_HOOK_TRIGGERIN, ASH_HOOK_FILETRIGGERIN, ASH_HOOK_TRANSFILETRIGGERIN,
        ASH_HOOK_REMOVAL, /* from here on: never at an installation */
        ASH_HOOK_PREUN = ASH_HOOK_REMOVAL, ASH_HOOK_POSTUN, ASH_HOOK_PREUNTRANS, ASH_HOOK_POSTUNTRANS, ASH_HOOK_VERIFY, ASH_HOOK_TRIGGERUN, ASH_HOOK_TRIGGERPOSTUN, ASH_HOOK_FILETRIGGERUN,
        ASH_HOOK_FILETRIGGERPOSTUN, ASH_HOOK_TRANSFILETRIGGERUN, ASH_HOOK_TRANSFILETRIGGERPOSTUN,
        ASH_HOOK_KIND_MAX_, ASH_HOOK_KIND_INVALID_ = -EINVAL
} AshHookKind;
const char *ash_hook_kind_name(AshHookKind kind);     /* "posttrans" */

typedef enum AshHookWay { ASH_WAY_NO_EFFECT, ASH_WAY_HANDLER, ASH_WAY_SANDBOX, ASH_WAY_MAX_ } AshHookWay;
const char *ash_hook_way_name(AshHookWay way);        /* "no effect" */

enum { ASH_HOOK_EXPAND = 1 << 0, ASH_HOOK_QFORMAT = 1 << 1, ASH_HOOK_CRITICAL = 1 << 2 }; /* as in the header */

typedef struct AshHook {
        AshHookKind kind;
        uint32_t package;            /* index of its package */
        AshSlice nevra;
        AshSlice *program;           /* interpreter and its arguments; "<lua>" */
        uint32_t n_program;
        AshSlice body;
        uint32_t flags;              /* ASH_HOOK_* */
        uint32_t index;              /* of a trigger: which of its package's */
        uint32_t priority;           /* of a file trigger */
        AshRpmDep *targets;          /* of a trigger: packages; of a file trigger: beginnings of paths */
        uint32_t n_targets;
        /* the decision */
        AshHookWay way;
        const char *handlers;        /* names, comma between them; NULL */
        const char *reason;          /* why; never NULL */
        bool executes;               /* in the sandbox: runs a program of the image (not librpm's Lua) */
} AshHook;

typedef struct AshHookPackage {
        AshSlice nevra;
        AshSlice header;             /* main header blob */
        const bool *left_out;        /* by file: not installed, and sets off no file trigger; NULL: all are */
} AshHookPackage;
typedef struct AshHooks {
        AshHook *items;              /* in the order of packages; of one package in that of AshHookKind */
        size_t n;
        size_t count[ASH_WAY_MAX_];  /* hooks that an installation runs */
        size_t removal;              /* those that it never runs */
} AshHooks;
/* handlers: names of the table that the image is made with, NULL-terminated; a hook of a handler that is not in it goes to the sandbox. Everything in the arena; borrows the headers. */
int ash_hooks_collect(const AshHookPackage *packages, size_t n, const AshHandler *handlers, AshArena *arena, AshHooks *ret, AshDiags *diags);

/* Triggers that nothing among these packages sets off have no effect: counted anew. For a plan; a build finds out by itself. */
int ash_hooks_settle(const AshHookPackage *packages, size_t n, AshHooks *hooks, AshArena *arena, AshDiags *diags);

/* Can this machine execute programs of that architecture? */
bool ash_hooks_can_execute(AshSlice arch);

/* Has it what the sandbox needs? A diagnostic says what is missing. */
int ash_hooks_check_sandbox(AshDiags *diags);

/* For AshComposeInput.scriptlets: runs in rpm's order what needs the sandbox and takes what it changed into the tree; nothing when no hook needs it. context: const AshHandler * (the table). */
int ash_scriptlets_run(AshHandlerContext *c, void *context);
