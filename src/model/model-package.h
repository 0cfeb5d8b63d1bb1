/* Binary packages as data: what a solver, a lock and a repository need to know of one. No I/O. */
#pragma once
#include "base.h"

typedef enum AshDepKind {
        ASH_DEP_PROVIDES, ASH_DEP_REQUIRES, ASH_DEP_CONFLICTS, ASH_DEP_OBSOLETES, ASH_DEP_RECOMMENDS, ASH_DEP_SUGGESTS, ASH_DEP_SUPPLEMENTS, ASH_DEP_ENHANCES,
        ASH_DEP_MAX_
} AshDepKind;
const char *ash_dep_kind_name(AshDepKind kind); /* "requires" */

/* Comparison flags with rpm's own values (RPMSENSE_LESS, _GREATER, _EQUAL of rpmds.h). */
enum { ASH_DEP_LT = 2, ASH_DEP_GT = 4, ASH_DEP_EQ = 8, ASH_DEP_COMPARE = 14, ASH_DEP_PRE = 64 };

typedef struct AshDep {
        AshSlice name;  /* a rich dependency stands here whole, in parentheses, with flags 0 */
        AshSlice evr;   /* [epoch:]version[-release]; empty when flags has no comparison */
        uint32_t flags; /* ASH_DEP_*; ASH_DEP_PRE: needed before the package's own scripts run */
} AshDep;
typedef struct AshDeps {
        AshDep *items;
        size_t n;
} AshDeps;

typedef struct AshPackage {
        AshSlice name, version, release, arch;
        uint32_t epoch;
        AshSlice summary, url, license, vendor, source_rpm; /* source_rpm: NAME-VERSION-RELEASE.src.rpm */
        AshDeps deps[ASH_DEP_MAX_];
        AshSlice *files;        /* absolute paths that others may require, or all of them; n_files */
        size_t n_files;
        uint64_t size;          /* bytes of the package file; 0: not known yet */
        uint64_t installed_size;
        uint64_t build_time;
        AshSlice sha256;        /* lower-case hex of the package file, or empty: not known yet */
        AshSlice location;      /* where to get it, relative to the repository's base, or whatever its upstream understands */
} AshPackage;

/* "name-[epoch:]version-release.arch", the epoch only when not 0; in the arena. */
AshSlice ash_package_nevra(const AshPackage *p, AshArena *arena);
/* Is it called so, or does it provide that name, in whatever version? */
bool ash_package_provides(const AshPackage *p, AshSlice name);
/* Takes "name-[epoch:]version-release.arch" apart into borrowed slices; -EINVAL when it does not have that form. */
int ash_nevra_parse(AshSlice nevra, AshPackage *ret);
/* The architectures of packages that a system of that architecture can have, itself first, "noarch" not named: rpm's arch_compat. In the arena, ended by NULL. */
const char **ash_arch_family(AshSlice arch, AshArena *arena);
bool ash_arch_fits(AshSlice package, AshSlice arch); /* one of the family, or "noarch" */
/* Parses "name", "name OP evr" (OP: = < <= > >=) or a rich dependency in parentheses; -EINVAL. Slices are borrowed. */
int ash_dep_parse(AshSlice text, AshDep *ret);
bool ash_path_may_be_required(AshSlice path); /* without being named in advance: programs, and what is in /etc, as createrepo_c takes them for "primary" */
void ash_deps_paths(const AshDeps *deps, AshMap *ret); /* adds each path that they name as a key, which they own; also within rich ones */
void ash_dep_format(const AshDep *dep, AshStr *out); /* "name >= 1:2-3" */

/* One package chosen by the solver, and why. */
typedef enum AshReasonKind { ASH_REASON_USER, ASH_REASON_GROUP, ASH_REASON_DEPENDENCY, ASH_REASON_WEAK, ASH_REASON_MAX_ } AshReasonKind;
const char *ash_reason_kind_name(AshReasonKind kind); /* "user", "group", "dependency", "weak-dependency": dnf's words */
typedef struct AshChosen {
        const AshPackage *package; /* lives in the set's arena */
        AshSlice origin;        /* name of the repository */
        AshReasonKind reason;
        uint32_t because;       /* index in the set of the package that needs it; UINT32_MAX: asked for */
        AshSlice dep;           /* the dependency (or the request) that brought it in */
} AshChosen;
typedef struct AshPkgSet {
        AshArena *arena;
        AshChosen *items;       /* sorted by name, then EVR, then arch */
        size_t n;
} AshPkgSet;
void ash_pkgset_free(AshPkgSet *set);
ASH_DEFINE_CLEANUP(AshPkgSet *, ash_pkgset_free)
