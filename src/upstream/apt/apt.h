/* The apt upstream: a Debian archive whose packages are imported as RPMs (docs/apt-import.md). */
#pragma once
#include "apt-sync.h"
#include "deb.h"
#include "model-package.h"
#include "rpm-write.h"

#define ASH_APT_IMPORTER_VERSION 4 /* counts up whenever the bytes of an imported package may change */

/* ---- the tables of distro/: names that other distributions use, and what replaces maintainer scripts ---- */
typedef struct AshAptTables AshAptTables;
/* Both paths may be NULL: an empty table. */
int ash_apt_tables_load(const char *names_path, const char *imports_path, AshAptTables **ret, AshDiags *diags);
void ash_apt_tables_free(AshAptTables *t);
ASH_DEFINE_CLEANUP(AshAptTables *, ash_apt_tables_free)

typedef enum AshAptChangeType {
        ASH_APT_ADD_FILE, ASH_APT_ADD_DIRECTORY, ASH_APT_ADD_SYMLINK, ASH_APT_ADD_GHOST, ASH_APT_REMOVE_FILE, ASH_APT_SET_ATTRIBUTES, ASH_APT_ADD_RELATION, ASH_APT_REMOVE_RELATION,
        ASH_APT_HANDLED, ASH_APT_RAISE_RELEASE, ASH_APT_CHANGE_MAX_, ASH_APT_CHANGE_INVALID_ = -EINVAL
} AshAptChangeType;
const char *ash_apt_change_type_name(AshAptChangeType t); /* "add-file" */
typedef struct AshAptChange {
        AshAptChangeType type;
        AshSpan at;
        AshSlice reason;
        AshSlice path, text, from, target, user, group, caps, script, suffix; /* as the type needs them; ptr NULL: not said. from: a file of the package whose bytes are taken */
        uint32_t mode;         /* permissions; UINT32_MAX: not said */
        bool config;           /* config(noreplace) */
        bool unverified;       /* "verify = false": something else goes on writing it, so rpm -V looks at owner and mode only */
        AshDepKind kind;       /* relations */
        AshDep dep;
} AshAptChange;
typedef struct AshAptChanges {
        const AshAptChange *items;
        size_t n;
        AshSlice digest;       /* hex over all of them; empty: none */
} AshAptChanges;
/* What distro/ declares for an imported package. */
AshAptChanges ash_apt_tables_changes(const AshAptTables *t, AshSlice package);
const char *ash_apt_tables_digest(const AshAptTables *t); /* hex */
/* What the table of imports adds to packages, as an archive's list of files has it: lines "usr/bin/awk x/gawk", in no order. */
void ash_apt_tables_added(const AshAptTables *t, AshStr *out);
/* Hex digest of the table of owners: what an imported package's bytes depend on beside its relations and its own changes. */
const char *ash_apt_tables_owners_digest(const AshAptTables *t);
/* Calls back with each further name of a package. */
void ash_apt_tables_names(const AshAptTables *t, AshSlice package, void (*add)(void *context, AshSlice name, bool pattern), void *context);
/* Packages over which what others call by this one name is spread, in the arena; *ret_n 0: it is not. */
const AshSlice *ash_apt_tables_several(const AshAptTables *t, AshSlice name, AshArena *arena, size_t *ret_n);
/* The package that is known to hold a shared library ("libcrypto.so.3") or an interpreter ("/usr/bin/sh"); empty when the tables do not say. */
AshSlice ash_apt_tables_owner(const AshAptTables *t, AshSlice what);

/* ---- the universe: every package of the archive with its relations as rpm will read them ---- */
typedef struct AshApt AshApt;
enum { ASH_APT_ESSENTIAL = 1 << 0, ASH_APT_PROTECTED = 1 << 1, ASH_APT_REQUIRED = 1 << 2 /* priority */, ASH_APT_IMPORTANT = 1 << 3, ASH_APT_STANDARD = 1 << 4 };
typedef struct AshAptPackage {
        AshSlice name, version;                 /* as Debian writes them */
        AshSlice rpm_version, rpm_release, rpm_arch;
        uint32_t epoch;
        bool has_epoch;
        AshSlice arch, source, source_version;  /* "amd64" or "all"; the source package */
        AshSlice summary, url, section, filename;
        uint8_t sha256[32];
        uint64_t size, installed_size;          /* bytes */
        unsigned flags;
} AshAptPackage;

typedef struct AshAptStats { /* of the translation: atoms, not whole fields */
        uint64_t relations, versioned, rewritten_virtual, rewritten_order, dropped_conflicts, impossible, foreign_arch, names, names_refused;
} AshAptStats;

/* Translates an archive's Packages texts in their closed world. arch: Debian's name ("amd64", "arm64"). label: for diagnostics. */
int ash_apt_build(const AshSlice *packages, size_t n, AshSlice arch, const AshAptTables *tables, const char *label, AshApt **ret, AshDiags *diags);
/* The parsed form as one blob, mapped again by ash_apt_load() in no time. The caller keys it by its inputs; a damaged or older one is -ASH_ERR_SYNTAX. */
AshSlice ash_apt_blob(const AshApt *a);
int ash_apt_load(AshBytes *bytes, AshApt **ret); /* takes the bytes over on success */
void ash_apt_free(AshApt *a);
ASH_DEFINE_CLEANUP(AshApt *, ash_apt_free)

size_t ash_apt_count(const AshApt *a);
void ash_apt_package(const AshApt *a, size_t i, AshAptPackage *ret);
/* Index of the newest package of that name, or -1. */
ptrdiff_t ash_apt_find(const AshApt *a, AshSlice name);
size_t ash_apt_deps_n(const AshApt *a, size_t i, AshDepKind kind);
AshDep ash_apt_dep(const AshApt *a, size_t i, AshDepKind kind, size_t k);
/* The package as the solver's and the lock's data: relations in the arena, texts borrowed from the universe; location is the archive's file name,
 * size the deb's. sha256 stays empty: it is the RPM's, known once it is imported. */
void ash_apt_model(const AshApt *a, size_t i, AshArena *arena, AshPackage *ret);
const AshAptStats *ash_apt_stats(const AshApt *a);
/* The version part of a Debian version as rpm's [epoch:]version-release, appended. */
void ash_apt_evr(const AshDebVersion *v, AshStr *out);

/* ---- one package ---- */
typedef struct AshAptImported {
        unsigned scripts;       /* bit per AshDebScript that the deb carried */
        unsigned handled;       /* of these, the ones that distro/ accounts for */
        size_t files;
        bool license_guessed;   /* the copyright file is not machine-readable */
} AshAptImported;
typedef struct AshAptImport {
        const AshApt *universe;
        size_t package;
        const AshAptTables *tables;
        AshSlice vendor, packager; /* may be empty */
        AshSlice distribution;
        int zstd_level;
        AshDebLimits limits;
} AshAptImport;
/* Turns a deb (verified by the caller against the index's digest) into an RPM. The bytes depend on the deb, the translated relations, the tables and the version of the importer. */
int ash_apt_convert(const AshAptImport *in, AshSlice deb, AshStr *ret_rpm, AshAptImported *ret, AshDiags *diags);
/* Hex digest of all that ash_apt_convert()'s bytes depend on. */
void ash_apt_import_key(const AshAptImport *in, char ret[static 65]);
