/* The upstream of type "components": the packages that the project's own components gave (ashlar.built; docs/building.md). */
#pragma once
#include "built.h"
#include "flow-lock.h"

typedef struct AshFlowBuiltPackage {
        const AshBuiltComponent *component;
        const AshBuiltPackage *built;
} AshFlowBuiltPackage;
typedef struct AshFlowBuilt {
        AshArena *arena;
        AshBuilt *built;
        AshId state;                 /* of all packages for the architecture */
        ASH_ARRAY(AshFlowBuiltPackage) items; /* binary packages of that architecture: those that a solver may choose */
        char *place;                 /* the file */
        /* once ash_flow_built_load() was called */
        AshPackage *packages;        /* of the items; without files, until ash_flow_built_files() */
        AshSlice *files;
        bool has_files;
        AshBytes kept;
        AshMap paths;                /* that files were filled in for, by ash_flow_built_own() */
        ASH_ARRAY(AshOwn *) owns;    /* the last one is that of these paths */
} AshFlowBuilt;
/* path: of ashlar.built; a missing one has no packages. arch empty: all. */
int ash_flow_built_open(const char *path, AshSlice arch, AshFlowBuilt **ret, AshDiags *diags);
void ash_flow_built_free(AshFlowBuilt *b);
ASH_DEFINE_CLEANUP(AshFlowBuilt *, ash_flow_built_free)
/* Digests of everything that was built for an architecture, from which that of all but one component comes at once. Lives as long as built. */
typedef struct AshFlowBuiltState {
        const AshBuilt *built;
        AshSlice arch;
        AshId *of;                   /* of each component; those of other architectures are left out */
        uint32_t *sorted;            /* those that are not left out, by bucket, then in their order */
        uint32_t from[257];          /* where in it each bucket begins */
        AshId buckets[256];          /* of those in each */
} AshFlowBuiltState;
void ash_flow_built_state_make(AshFlowBuiltState *s, const AshBuilt *built, AshSlice arch);
void ash_flow_built_state_done(AshFlowBuiltState *s);
AshId ash_flow_built_state_without(const AshFlowBuiltState *s, AshSlice component);

/* For a buildroot: without what the component itself gave (it is built from what others have, so that it does not change with each build), and without components of which the store has lost
 * something: a warning names them. Before load. */
void ash_flow_built_for_build(AshFlowBuilt *b, AshStore *store, AshSlice component, AshDiags *diags);
/* What the packages' headers say, from what is kept of them or from the RPMs. -ASH_ERR_VERIFY: the store does not have one any more; it says how to get it. */
int ash_flow_built_load(AshFlowBuilt *b, AshStore *store, AshDiags *diags);
/* Fills in their files: all (NULL), or only those whose paths are keys of wanted or may be required otherwise: a tree's packages have millions. */
void ash_flow_built_files(AshFlowBuilt *b, const AshMap *wanted);
/* The packages as what stands beside an index that speaks of some paths (NULL: of none), with those files that a solver may ask for; loads them. Lives as long as b. */
int ash_flow_built_own(AshFlowBuilt *b, AshStore *store, const AshMap *paths, const AshOwn **ret, AshDiags *diags);
/* The items of a component of b->built: they stand together. */
void ash_flow_built_items(const AshFlowBuilt *b, const AshBuiltComponent *component, size_t *ret_first, size_t *ret_n);
/* The item at that location (as the loaded packages have it); NULL: none. */
const AshFlowBuiltPackage *ash_flow_built_at(const AshFlowBuilt *b, AshSlice location);

/* Says that the store has lost a package, and how to get it: -ASH_ERR_VERIFY. */
int ash_flow_built_gone(AshSlice component, AshSlice nevra, AshDiags *diags);

/* Where the project's ashlar.built is. malloc'ed. */
char *ash_flow_built_path(const AshConfig *config);
/* Where a built package comes from, as locks say it: "lz4/x86_64", and back to the component. */
AshSlice ash_flow_built_origin(const AshBuiltComponent *component, AshArena *arena);
AshSlice ash_flow_built_component(AshSlice origin);
bool ash_flow_is_built(const AshLock *lock, const AshLockPackage *package);
/* Everything that was built, debug and source packages, too, as a lock has it: packages without an architecture once. In the arena. */
int ash_flow_built_lock(AshFlow *flow, AshSlice upstream, AshArena *arena, AshLockPackage **ret, size_t *ret_n);
/* Takes a build into ashlar.built, and makes the project's lock (its path; NULL: leave it) say what is built now, where there is a lock and the project has an upstream of type "components": nothing
 * else in it moves. ret (ended by ash_flow_lock_result_done()): what changed in the lock. 1: ashlar.built is another one now, 0: it said so already. */
int ash_flow_built_record(AshFlow *flow, const AshBuiltComponent *component, const char *lock, AshFlowLockResult *ret);
/* The lock alone, where it does not say what is built for this architecture now: after a run of builds that left it alone. */
int ash_flow_built_relock(AshFlow *flow, AshSlice arch, const char *lock, AshFlowLockResult *ret);
