/* One component: rendered, its sources verified, what it requires solved over the snapshots that the lock pins, built in a clean root, its packages in the store (docs/building.md). */
#pragma once
#include "build.h"
#include "flow-built.h"
#include "flow-lock.h"
#include "flow-sets.h"
#include "model-built.h"
#include "render.h"

/* How components are built: [build] or one of its stages, with everything filled in. */
typedef struct AshFlowBase {
        AshSlice stage;              /* "default", or its name */
        const AshTexts *packages;    /* in every buildroot */
        AshTexts upstreams, repos;   /* names, as configured; none: the chosen upstream */
        AshTexts base_upstreams;     /* of upstreams: where packages come from first; none: those that are not of type "components" */
} AshFlowBase;
/* stage unset: the default one. -ASH_ERR_CONFIG: there is none of that name. In the arena. */
int ash_flow_build_base(AshFlow *flow, AshText stage, AshArena *arena, AshFlowBase *ret);
/* What a lock has to pin for all stages: sets of kind "build" that ask for nothing, so that the states of their upstreams are in the lock. */
void ash_flow_build_sets(AshFlow *flow, AshArena *arena, AshFlowSets *ret);

/* ---- a buildroot: what is in it, and where it is ---- */
typedef struct AshFlowRootPackage {
        AshSlice nevra, sha256, upstream;
} AshFlowRootPackage;
typedef struct AshFlowRoot {
        AshArena *arena;
        AshFlowRootPackage *packages; /* sorted by NEVRA */
        size_t n_packages;
        char key[65];                /* of what is in it: equal keys are equal roots */
        AshBuildRoot *root;          /* for ash_build_run(); NULL when only_packages was asked for */
} AshFlowRoot;
void ash_flow_root_free(AshFlowRoot *r);
ASH_DEFINE_CLEANUP(AshFlowRoot *, ash_flow_root_free)

typedef struct AshFlowBuilder AshFlowBuilder;
/* Everything that several builds share: the lock, the states that it pins, the base of each stage. Not thread-safe. */
int ash_flow_builder_new(AshFlow *flow, const char *lock_path, AshSlice arch, AshFlowBuilder **ret);
void ash_flow_builder_free(AshFlowBuilder *b);
ASH_DEFINE_CLEANUP(AshFlowBuilder *, ash_flow_builder_free)
AshFlow *ash_flow_builder_flow(AshFlowBuilder *b);
/* What was built here is looked up anew; roots that are made from now on do not have what this component itself gave. */
void ash_flow_builder_for(AshFlowBuilder *b, AshSlice component);
AshSlice ash_flow_builder_arch(const AshFlowBuilder *b);
/* A stage's packages, and what else is required ("name >= version"; at: where it is asked for, may be nowhere). -ASH_ERR_UNSOLVABLE: who asks for what nobody provides, and what is near.
 * only_packages: nothing is composed or written. */
int ash_flow_builder_root(AshFlowBuilder *b, AshText stage, const AshRequest *more, size_t n_more, bool only_packages, AshFlowRoot **ret);
/* Digest of everything that a component's buildroot follows from beside what it requires: packages of the stage, states that the lock pins, what was built here of other components, the engine. Nothing is opened for it.
 * -ENOTSUP: an upstream's state cannot be told so. */
int ash_flow_builder_state(AshFlowBuilder *b, AshText stage, AshSlice component, const AshFlowBuiltState *built, AshId *ret);
/* The same without what was built here; *ret_has_built: whether that stage takes from it. */
int ash_flow_builder_stage_state(AshFlowBuilder *b, AshText stage, AshId *ret, bool *ret_has_built);
/* What roots were solved for since ash_flow_builder_for(): requests as they were put, and names of which it counted whether something has them. In the arena. */
AshSlice *ash_flow_builder_asked(const AshFlowBuilder *b, AshArena *arena, size_t *ret_n);
/* Digest of what of all that was built here can matter for such texts: while it, the texts and the stage's state stay the same, so do roots solved for them. without (may be empty): as if nothing of that component had
 * been built. -ENODATA, -ENOTSUP: that cannot be told. */
int ash_flow_builder_reach(AshFlowBuilder *b, AshText stage, AshSlice without, const AshSlice *texts, size_t n, AshId *ret);
/* What every buildroot of a stage has from other upstreams than what was built here (NEVRAs and digests), whether or not everything that the stage names can be had. NULL: what was built here goes first there as well. */
int ash_flow_builder_imported(AshFlowBuilder *b, AshText stage, AshFlowRoot **ret);
/* Everything that a stage could take from upstreams other than what was built here (ret may be NULL), and what of their states the answer depends on. */
int ash_flow_builder_imports(AshFlowBuilder *b, AshText stage, AshId *ret_state, AshUniverse **ret);

/* ---- a build ---- */
typedef struct AshFlowBuildOptions {
        const char *lock_path;
        AshRenderOptions render;     /* where specs and sources come from */
        const char *log_path;        /* NULL: NAME.log in project.log-dir, else in "logs" of the output directory */
        const char *output_dir;      /* project.output-dir */
        const char *const *with, *const *without, *const *defines; /* NULL-terminated, or NULL: further options of rpmbuild, part of the key */
        bool no_check;               /* leaves %check out */
        bool force;                  /* builds again what is known already */
        bool replace;                /* other packages that this gives take the place of the first build's */
        bool shell;                  /* opens a failed build on the caller's terminal ... */
        void (*before_shell)(void *context); /* ... when this has shown why it failed; may be NULL */
        void *context;
        bool keep;                   /* copies the build directory out */
        bool only_requires;          /* ends when it is known what the build requires */
        bool only_key;               /* ends when the key is known: nothing is built, and what is known is not looked for */
        /* of a build that is compared with another */
        bool aside;                  /* the result is recorded nowhere */
        unsigned vary;               /* what is otherwise in it: a set of AshBuildVary */
} AshFlowBuildOptions;

typedef struct AshFlowBuild {
        AshArena *arena;
        AshBuiltComponent built;     /* as ashlar.built has it: key, log, provenance, packages. Its packages are in the store */
        bool cached;                 /* it was known already: nothing ran */
        size_t root_packages;
        uint64_t ns;                 /* that it took */
        uint64_t memory;             /* bytes that all its processes and files took together at the worst time; 0: not known, it was too quick */
        const char *log_path;        /* of this build, or of the one that was cached (a path in the store) */
        const char *kept;            /* where the build directory was copied to; or NULL */
        /* It had been built with this key before: "built" is the build that counts (the first, unless other packages were to replace it, or something of it is not in the store any more), and this the other one. NULL: it had not. */
        const AshBuiltComponent *other;
        bool same, replaced;         /* both gave the same packages; this build counts now */
        AshSlice *unverified;        /* signatures, or the keys for them, that could not be had: allow-missing-signatures */
        size_t n_unverified;
        AshSlice *requires;          /* "name op version", "!..." for what must not be there: first what the spec says, then what it asked for (built.asked) */
        size_t n_requires;
        AshSlice record;             /* only_key: what the provenance record would say, JSON; ptr NULL: nothing has changed since the last build */
        struct AshFlowBuildReach *reach; /* private: what ash_flow_build_note() keeps; NULL: nothing */
        bool unmet;                  /* only_requires: nobody provides all of that now, as a diagnostic says. There may be more to ask for then */
} AshFlowBuild;
void ash_flow_build_free(AshFlowBuild *b);
ASH_DEFINE_CLEANUP(AshFlowBuild *, ash_flow_build_free)
/* -ASH_ERR_SYNTAX: the spec cannot be parsed; -ASH_ERR_UNSOLVABLE; -ASH_ERR_VERIFY: a source is another one; -ETIMEDOUT, -ASH_ERR_LIMIT; other failures of the build are -EIO. */
int ash_flow_build(AshFlowBuilder *b, AshSlice component, const AshFlowBuildOptions *options, AshFlowBuild **ret);
/* Once it is in ashlar.built: keeps what a later run needs to know that nothing has changed which can matter for it, whatever else is built. Roots that are made from now on are nobody's. */
void ash_flow_build_note(AshFlowBuilder *b, const AshFlowBuild *build);
/* Is it known that nothing has changed which the component would be built from, rendered as it is now (its fingerprint and by how much its release was raised)? Then ashlar.built's entry, else NULL. Nothing is
 * solved for it, and where anything at all has changed that was built here, what can matter is gone through once for all components; NULL means only that it takes a build to know. */
const AshBuiltComponent *ash_flow_build_known(AshFlowBuilder *b, const AshComponent *component, const char *fingerprint, uint64_t bumps, const AshFlowBuildOptions *options, const AshFlowBuiltState *built);
/* Notes for that what a build would have noted: the key of ashlar.built's entry, and how many packages its root had. texts: what its root was solved for; the builder is nobody's. */
void ash_flow_build_remember(AshFlowBuilder *b, const AshComponent *component, const char *fingerprint, uint64_t bumps, const AshFlowBuildOptions *options, const AshFlowBuiltState *built, const char *key, size_t n_root,
                             const AshSlice *texts, size_t n_texts);

/* ---- built again: flow-build-again.c ---- */
/* A build of a key that does not count: what it gave is in the store for as long as ashlar.built names the key. */
typedef struct AshFlowOther {
        AshSlice record, log;        /* hex */
        AshSlice *packages;          /* hex, sorted by NEVRA */
        size_t n_packages;
} AshFlowOther;
size_t ash_flow_build_others(AshFlow *flow, AshSlice key, AshArena *arena, AshFlowOther **ret);
bool ash_flow_other_is_same(const AshFlowOther *o, const AshBuiltComponent *c); /* the same packages? */

/* ---- why it would be built again: flow-build-why.c ---- */
typedef struct AshFlowBuildWhy {
        AshArena *arena;
        AshBuilt *built;
        const AshBuiltComponent *component; /* its last build; NULL: it was never built, and nothing else is told */
        bool same;                   /* it would have the same key now: it is known */
        bool checked;                /* %check was not left out */
        bool whole;                  /* its record is in the store still */
        AshSlice key;                /* that it would have now */
        ASH_ARRAY(char *) reasons;   /* one sentence each: what differs */
        AshFlowOther *others;        /* further builds of its key */
        size_t n_others;
        AshSlice *unverified;        /* as of a build */
        size_t n_unverified;
} AshFlowBuildWhy;
void ash_flow_build_why_free(AshFlowBuildWhy *w);
ASH_DEFINE_CLEANUP(AshFlowBuildWhy *, ash_flow_build_why_free)
int ash_flow_build_why(AshFlowBuilder *b, AshSlice component, const AshFlowBuildOptions *options, AshFlowBuildWhy **ret);

/* ---- twice: flow-build-verify.c ---- */
typedef struct AshFlowVerify {
        unsigned vary;               /* what is otherwise in the second build: a set of AshBuildVary */
        size_t n_path;               /* packages in which nothing differs but what rpm writes of the build directory: ash_build_compare() */
        /* when the packages are not the same: */
        AshStr differences;          /* a line each */
        char *first, *second;        /* directories: the packages that differ, and the log of each build as first.log, second.log beside them */
} AshFlowVerify;
void ash_flow_verify_done(AshFlowVerify *v);
/* Builds once more, and compares. 0: equal, byte for byte; 1: v says what is not. */
int ash_flow_build_verify(AshFlowBuilder *b, AshSlice component, const AshFlowBuildOptions *options, AshFlowVerify *v, AshFlowBuild **ret);
/* Builds what may be known already. 0: it was not, or gave the same packages; 1: others than the first build did, as v says. */
int ash_flow_build_again(AshFlowBuilder *b, AshSlice component, const AshFlowBuildOptions *options, AshFlowVerify *v, AshFlowBuild **ret);
/* Fills in the needs of its binary packages: who in the buildroot met what they require by generated names. In the arena. */
int ash_flow_build_needs(AshFlow *flow, const AshFlowRoot *root, AshBuiltComponent *component, AshArena *arena);
