/* What "component build" made of the project's components, as data. Everything lives in the arena. */
#pragma once
#include "base.h"

typedef enum AshBuiltKind { ASH_BUILT_BINARY, ASH_BUILT_DEBUG, ASH_BUILT_SOURCE, ASH_BUILT_MAX_, ASH_BUILT_INVALID_ = -EINVAL } AshBuiltKind;
const char *ash_built_kind_name(AshBuiltKind kind); /* "binary", "debug" (debuginfo, debugsource), "source" */
AshBuiltKind ash_built_kind(AshSlice name);

/* What a package requires by a generated name, and by which package of the buildroot it was met: indices of archives do not say which package has a library. */
typedef struct AshBuiltNeed {
        AshSlice package;            /* "libc6" */
        AshSlice *deps;              /* "libc.so.6()(64bit)", ..., as the RPM has their names; sorted */
        size_t n_deps;
} AshBuiltNeed;

typedef struct AshBuiltPackage {
        AshSlice nevra;
        AshSlice sha256;             /* hex, of the RPM as the store has it: not signed yet */
        uint64_t size;               /* bytes of it */
        AshBuiltKind kind;
        AshBuiltNeed *needs;         /* sorted by package */
        size_t n_needs;
} AshBuiltPackage;

/* The last good build of one component for one architecture. */
typedef struct AshBuiltComponent {
        AshSlice name, arch;
        AshSlice key;                /* hex: everything that the packages follow from */
        AshSlice fingerprint;        /* hex, of the component alone */
        AshSlice base;               /* "VERSION-RELEASE" as the spec has them (without %dist), and by how much the release was raised above that: once for each change on our side */
        uint64_t bumps;
        AshSlice log, provenance;    /* hex SHA-256 of blobs in the store; provenance: JSON */
        AshBuiltPackage *packages;   /* sorted by NEVRA */
        size_t n_packages;
        AshSlice *asked;             /* what its build asked for beyond what its spec says (%generate_buildrequires), sorted; NULL: it does not ask, or was built before that was recorded */
        size_t n_asked;
} AshBuiltComponent;

typedef struct AshBuilt {
        AshArena *arena;
        ASH_ARRAY(AshBuiltComponent) components; /* sorted by name, arch */
} AshBuilt;
AshBuilt *ash_built_new(void);
void ash_built_free(AshBuilt *b);
ASH_DEFINE_CLEANUP(AshBuilt *, ash_built_free)
const AshBuiltComponent *ash_built_find(const AshBuilt *b, AshSlice component, AshSlice arch); /* NULL: never built */
/* All of a component, one for each architecture, together. */
const AshBuiltComponent *ash_built_arches(const AshBuilt *b, AshSlice component, size_t *ret_n);
size_t ash_built_place(const AshBuilt *b, AshSlice component, AshSlice arch, bool *ret_there); /* the index where it stands, or would stand */
/* Copies it in, in place of an earlier one of that name and architecture. */
void ash_built_set(AshBuilt *b, const AshBuiltComponent *component);
bool ash_built_remove(AshBuilt *b, AshSlice component, AshSlice arch);
