/* One upstream for one architecture, whatever its kind: opened at a snapshot, given to the solver, and its packages brought into the store as RPMs. */
#pragma once
#include "apt.h"
#include "apt-sync.h"
#include "config.h"
#include "lock.h"
#include "upstream-rpmmd.h"
#include "solve.h"
#include "store.h"

typedef struct AshFlow {
        AshConfig *config;
        AshStore *store;
        AshProgress *progress;
        AshDiags *diags;
        const char *apt_mirror;      /* --apt-mirror, or NULL */
        bool offline;                /* what was fetched before has to do */
        unsigned threads;
        bool for_build;              /* what was built here is there without the component "building" and without what the store has lost */
        AshSlice building;
        int (*signing_key)(void *context, AshArena *arena, AshSlice *ret); /* the public key of the project's repositories; asked for when an image holds it */
        void *context;
} AshFlow;

typedef struct AshFlowUpstream AshFlowUpstream;
/* The newest state of the upstream; or, with pinned, exactly that one: its indices come from the store, or the network has still the same, or it is -ASH_ERR_VERIFY naming what is missing. */
int ash_flow_upstream_open(AshFlow *flow, const AshUpstream *upstream, AshSlice arch, const AshLockUpstream *pinned, AshFlowUpstream **ret);
void ash_flow_upstream_free(AshFlowUpstream *u);
ASH_DEFINE_CLEANUP(AshFlowUpstream *, ash_flow_upstream_free)
AshSlice ash_flow_upstream_name(const AshFlowUpstream *u);
uint64_t ash_flow_upstream_date(const AshFlowUpstream *u);                       /* Unix seconds of the snapshot; 0: not known */
/* Digest (hex) of what makes an apt upstream's packages what they are beside the archive itself: the importer's version, names and import overlays. "" for other kinds. */
int ash_flow_importer_id(AshFlow *flow, const AshUpstream *upstream, char ret[static 65]);
void ash_flow_upstream_lock(const AshFlowUpstream *u, AshArena *arena, AshLockUpstream *ret);
/* Adds all its packages as one repository, called label. */
int ash_flow_upstream_add(AshFlowUpstream *u, const char *label, AshUniverse *universe);
/* Digest of everything that what the solver sees of it depends on; and its rank among several (in libsolv's sense: the highest wins). */
AshId ash_flow_upstream_solver_key(const AshFlowUpstream *u);
int ash_flow_upstream_priority(const AshFlowUpstream *u);
/* 1: it is of type "components", and its packages are given, with the files that have such a path (own may be NULL, paths too; name and priority are left alone); 0: of another type. */
int ash_flow_upstream_built(AshFlowUpstream *u, const AshMap *paths, AshIndexOwn *own);
/* Does it have exactly this package (as the solver gave it)? */
bool ash_flow_upstream_has(AshFlowUpstream *u, const AshPackage *package);
/* The repositories of an upstream that names several, or the upstream itself: each is opened, locked and named for itself. arch: those of other architectures are left out; empty: all. In the arena. */
const AshUpstream **ash_flow_upstream_parts(AshFlow *flow, const AshUpstream *upstream, AshSlice arch, AshArena *arena, size_t *ret_n);
/* A repository of resources.rpm-repos as an upstream of its own; NULL: the project has none of that name. In the arena. */
const AshUpstream *ash_flow_upstream_of_repo(AshFlow *flow, AshSlice name, AshArena *arena);
/* Says that the project has no upstream of this name, and which it has: -ASH_ERR_CONFIG. */
int ash_flow_unknown_upstream(const AshConfig *config, AshSlice name, AshDiags *diags);
/* The upstream, the part of one, or the repository that a lock calls so. NULL: the project has none. */
const AshUpstream *ash_flow_upstream_by_name(AshFlow *flow, AshSlice name, AshArena *arena);
/* Names of the packages that every other one may count on without requiring them (Debian's "Essential: yes"); none for other kinds. In the arena. */
int ash_flow_upstream_essential(AshFlowUpstream *u, AshArena *arena, AshSlice **ret, size_t *ret_n);
/* Brings packages (as the solver gave them) into the store; ret has n places. What was brought before is not fetched again. */
int ash_flow_upstream_realize(AshFlowUpstream *u, const AshPackage *const *packages, size_t n, AshArena *arena, AshLockPackage *ret);

/* Lists of files of an apt upstream, each by digest and where it can be had; none for other kinds, and for states that were locked before locks named them. In the arena. */
typedef struct AshFlowContents {
        AshId id;
        const char **urls;           /* NULL-terminated */
        const char *label;
} AshFlowContents;
int ash_flow_upstream_contents(AshFlowUpstream *u, AshArena *arena, AshFlowContents **ret, size_t *ret_n);
AshSlice ash_flow_upstream_lib(const AshFlowUpstream *u); /* the directory of its architecture's libraries, as Debian names it */

/* ---- what an upstream has: its packages in its own order, with what its metadata says (relations only where it costs nothing); texts live as long as the upstream or the arena ---- */
AshSlice ash_flow_upstream_revision(const AshFlowUpstream *u);                   /* rpm-md: as repomd.xml says; else empty */
int ash_flow_upstream_count(AshFlowUpstream *u, size_t *ret);
void ash_flow_upstream_package(AshFlowUpstream *u, size_t i, AshArena *arena, AshPackage *ret); /* after ash_flow_upstream_count() */
typedef struct AshFlowScripts {
        unsigned had, handled;       /* a bit for each AshDebScript: the package had it, and what import-overlays declares accounts for it */
} AshFlowScripts;
/* Of an imported package, by its location; false when it was not imported, or is an RPM already. */
bool ash_flow_upstream_scripts(AshFlowUpstream *u, AshSlice location, AshFlowScripts *ret);
const AshAptTables *ash_flow_upstream_tables(const AshFlowUpstream *u);          /* NULL: it imports nothing */

/* The newest state, kept as the one that ash_flow_upstream_last() opens, for this one's name, address and architecture. */
int ash_flow_upstream_sync(AshFlow *flow, const AshUpstream *upstream, AshSlice arch, AshFlowUpstream **ret);
/* The state of the last sync, or the one called snapshot (64 hex digits; NULL: the last) that some sync saw, without asking the network. -ENOENT: there is none. */
int ash_flow_upstream_last(AshFlow *flow, const AshUpstream *upstream, AshSlice arch, const char *snapshot, AshFlowUpstream **ret);

/* Brings locked packages into the store although their pinned state is nowhere any more: RPMs by their path and digest; of an apt archive those whose deb the newest state has unchanged,
 * if importing them gives the locked digest. What cannot be had is left out. */
int ash_flow_upstream_rescue(AshFlow *flow, const AshUpstream *upstream, AshSlice arch, const AshLockPackage *const *packages, size_t n);

enum { ASH_PROOF_NONE, ASH_PROOF_UNKNOWN, ASH_PROOF_GOOD };
/* Does this state of the upstream say of a package what the lock says? NONE: it has no such package; UNKNOWN: the package was not imported here, so nobody knows its digest;
 * -ASH_ERR_VERIFY with a diagnostic: it says something else. */
int ash_flow_upstream_prove(AshFlowUpstream *u, const AshLockPackage *locked, AshDiags *diags);

/* Packages of the lock that the store does not have are brought back from their pinned upstream, each checked against the lock's digest. */
int ash_flow_ensure_packages(AshFlow *flow, const AshLock *lock, const AshLockPackage *const *wanted, size_t n);
