/* Dependency solving: libsolv, which is named in this module only. Versions compare and names match as rpm does it. */
#pragma once
#include "model-package.h"

/* All the packages that may be chosen, from one or more repositories, for one architecture. */
typedef struct AshUniverse AshUniverse;
AshUniverse *ash_universe_new(const char *arch);                 /* "x86_64", "aarch64"; noarch always fits */
void ash_universe_free(AshUniverse *u);
ASH_DEFINE_CLEANUP(AshUniverse *, ash_universe_free)

/* Begins a repository; packages and metadata that are added next belong to it. A higher priority wins over a newer version. Returns its index. */
int ash_universe_add_repo(AshUniverse *u, const char *name, int priority);
/* Copies what it needs. Returns its index. A package of architecture "src" requires what its build needs, and provides nothing. */
uint32_t ash_universe_add_package(AshUniverse *u, const AshPackage *package);
/* rpm-md XML, uncompressed or compressed, already verified; filelists and updateinfo may be NULL. Paths are absolute or relative to the process. */
int ash_universe_add_rpmmd(AshUniverse *u, const char *primary, const char *filelists, const char *updateinfo, AshDiags *diags);
/* The current repository as a .solv file, which loads more than ten times faster than what it was made from. The caller keys it by the digests of
 * its inputs and by ash_solv_version(). */
int ash_universe_write_solv(AshUniverse *u, int fd, AshDiags *diags);
int ash_universe_add_solv(AshUniverse *u, AshSlice bytes, AshDiags *diags);
const char *ash_solv_version(void);                              /* part of the key of any kept .solv file */
size_t ash_universe_n(const AshUniverse *u);                     /* packages */

typedef struct AshRequest {
        AshSlice what;         /* NAME, NAME.ARCH, NEVRA, a dependency ("openssl >= 3", "/usr/bin/x", "pkgconfig(zlib)"), with * and ? a glob of names */
        enum { ASH_REQUEST_INSTALL, ASH_REQUEST_EXCLUDE, ASH_REQUEST_KEEP, ASH_REQUEST_PREFER } job;
                               /* EXCLUDE: never; KEEP: prefer exactly this NEVRA if anything needs it (the lock's); PREFER: exactly this NEVRA, unless what is to be installed stands against it */
        AshReasonKind reason;  /* USER or GROUP */
        bool optional;         /* INSTALL: if there is any such package */
        bool ahead;            /* INSTALL: where a repository of a higher priority has it, PREFER does not count for those of lower ones */
        AshSlice origin;       /* PREFER: only of the repository called so */
        AshSpan at;            /* where it is asked for */
} AshRequest;

typedef struct AshSolveOptions {
        bool weak;             /* follow Recommends too */
        bool best;             /* refuse when the newest candidate of what was asked for cannot be had */
} AshSolveOptions;

/* Solves for an empty system. -ASH_ERR_UNSOLVABLE with a diagnostic for each problem: what asked for it, what stands against it, what is near. */
int ash_solve(AshUniverse *u, const AshRequest *requests, size_t n, const AshSolveOptions *options, AshPkgSet **ret, AshDiags *diags);

/* ---- the index: a whole universe in a form that is mapped, and of which a solve touches only what its requests can reach ----
 * For one architecture, all repositories with their names and priorities in one. The caller keys it by all of that and by ash_solv_version(). Native byte order: it stays on this machine. */
typedef struct AshIndex AshIndex;
int ash_universe_write_index(AshUniverse *u, AshStr *out);
/* bytes must be aligned as a map or malloc gives them, and live as long. -ASH_ERR_SYNTAX: it is none of this version. */
int ash_index_open(AshSlice bytes, AshIndex **ret);
void ash_index_free(AshIndex *x);
ASH_DEFINE_CLEANUP(AshIndex *, ash_index_free)
/* Has any package of it this name, or provides it, in whatever version? */
bool ash_index_provides(const AshIndex *x, AshSlice name);
/* The paths that it speaks of: keys are borrowed from it. */
void ash_index_paths(const AshIndex *x, AshMap *ret);

/* Packages that are not in the index, because they change more often, with who provides what of them: what was built here. They are borrowed, and stay in their order. Of their files those have to be there that
 * may be required without being named in advance, that one of them requires, and that the index speaks of. */
typedef struct AshOwn AshOwn;
AshOwn *ash_own_new(const AshPackage *packages, size_t n);
void ash_own_free(AshOwn *own);
ASH_DEFINE_CLEANUP(AshOwn *, ash_own_free)
const AshPackage *ash_own_packages(const AshOwn *own, size_t *ret_n);
bool ash_own_provides(const AshOwn *own, AshSlice name); /* as ash_index_provides() */
/* As a further repository. */
typedef struct AshIndexOwn {
        const char *name;
        int priority;
        const AshOwn *own;
} AshIndexOwn;
/* A universe of only those packages that can matter for any of the requests: ash_solve() gives the same answer over it as over the whole, when there is one. (When there is none the whole universe explains better.)
 * It borrows the index. own: may be NULL. -ENODATA: a request can only be answered by the whole universe (a path that only a list of all files has, a name that nothing has). */
int ash_index_part(const AshIndex *x, const char *arch, const AshRequest *requests, size_t n, const AshIndexOwn *own, AshUniverse **ret);

/* ---- reach: what of the packages beside an index can matter for requests ----
 * Equal digests for the same texts (as requests have them, in the same order) over an equal index: whatever else stands beside it, the solver's answer is the same. All packages are gone through once, however many
 * questions there are. It borrows both. */
typedef struct AshReach AshReach;
AshReach *ash_reach_new(const AshIndex *x, const AshOwn *own);
void ash_reach_free(AshReach *r);
ASH_DEFINE_CLEANUP(AshReach *, ash_reach_free)
/* -ENODATA: that can only be told of the whole universe. */
int ash_reach_digest(AshReach *r, const AshSlice *texts, size_t n, uint8_t ret[static 32]);
size_t ash_reach_work(const AshReach *r); /* steps taken so far, for tests */

/* ---- queries: each gives indices into the universe, sorted by name and EVR ---- */
typedef struct AshPkgIds {
        ASH_ARRAY(uint32_t) ids;
} AshPkgIds;
/* The package as data, in the arena. */
const AshPackage *ash_universe_package(AshUniverse *u, uint32_t id, AshArena *arena);
AshSlice ash_universe_origin(AshUniverse *u, uint32_t id);
int ash_universe_what_provides(AshUniverse *u, AshSlice dep, AshPkgIds *ret);
int ash_universe_what_requires(AshUniverse *u, AshSlice dep, AshPkgIds *ret);
int ash_universe_by_name(AshUniverse *u, AshSlice glob, AshPkgIds *ret);
void ash_pkgids_done(AshPkgIds *ids);

/* Paths of a package's files, as far as its metadata lists them; in the arena. Returns how many. */
size_t ash_universe_files(AshUniverse *u, uint32_t id, AshArena *arena, AshSlice **ret);

/* ---- needs: by what each requirement of a package can be met. For graphs, which want the answers and not a solution. ----
 * Rich dependencies come in parts: of "a and b" both, of "a or b" the first that can be met, of "a if b else c" each with its condition. */
#define ASH_NEED_CONDITIONS 4
typedef struct AshNeed {
        uint32_t dep;          /* for ash_universe_need_text(); equal dependencies have equal ones */
        const int *by;         /* indices of packages in no order, ended by 0; good until the callback returns. Empty: nothing here provides it */
        struct {
                const int *by; /* true when one of these is there ... */
                bool unless;   /* ... or none */
        } conditions[ASH_NEED_CONDITIONS];
        unsigned n_conditions; /* all must hold */
} AshNeed;
typedef void (*AshNeedFn)(void *context, const AshNeed *need);
void ash_universe_needs(AshUniverse *u, uint32_t id, AshNeedFn fn, void *context);
AshSlice ash_universe_need_text(AshUniverse *u, uint32_t dep, AshArena *arena);

/* Each dependency of a package that nothing in the universe satisfies; calls back for each. Returns how many. */
typedef void (*AshMissing)(void *context, uint32_t package, AshSlice dep);
size_t ash_universe_closure(AshUniverse *u, AshMissing callback, void *context);

/* rpm's order of [epoch:]version[-release]: <0, 0, >0. A missing release matches every release. */
int ash_evr_compare(AshUniverse *u, AshSlice a, AshSlice b);
