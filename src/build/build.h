/* build: one component from rendered files to packages, in a clean root (docs/building.md). Knows no project, no solver and no upstream: it is given packages, files and limits. */
#pragma once
#include "compose.h"
#include "json.h"
#include "model-built.h"
#include "model-package.h"
#include "sandbox.h"

#define ASH_BUILD_ENGINE 3           /* counts up when the same inputs give other packages: part of every key */

/* ---- buildroots: composed trees, kept in the store as directories that builds have below a fresh layer of their own ----
 * A root over another (its base: what all buildroots of a stage have in common) keeps only what differs. Everything in it is root's and nothing is set-id: a build needs no more, and nothing that is kept
 * gives anybody rights. */
typedef struct AshBuildRoot AshBuildRoot;
typedef struct AshBuildRootInput {
        AshSlice arch;
        const AshIdentity *identity; /* what os-release says; may be NULL */
        const AshId *packages;       /* RPMs in the store, in any order */
        const bool *over;            /* by package: built here, and so meant where a file of another one differs; may be NULL */
        size_t n_packages;
        const AshHandler *handlers;
        int (*scriptlets)(AshHandlerContext *c, void *context);
        AshStore *store;
        uint64_t keep;               /* bytes that all buildroots of the store may take together, once this one is made; those in use stay */
        unsigned threads;
        AshProgress *progress;
} AshBuildRootInput;
/* base may be NULL. The directories stay for as long as the root is open. -ENOENT: a package is not in the store. */
int ash_build_root_open(const AshBuildRootInput *in, const AshBuildRootInput *base, AshBuildRoot **ret, AshDiags *diags);
void ash_build_root_free(AshBuildRoot *r);
ASH_DEFINE_CLEANUP(AshBuildRoot *, ash_build_root_free)
/* Of the packages alone. */
AshId ash_build_root_key(const AshBuildRootInput *in);
const char *const *ash_build_root_layers(const AshBuildRoot *r); /* upper ones first, NULL-terminated */

/* ---- a build: a room with the files, in which rpmbuild runs as often as it takes ---- */
#define ASH_BUILD_TOP "/builddir/build"
/* What is otherwise in a build that is compared with another: no package may follow from it. As sets of 1u << value. */
typedef enum AshBuildVary { ASH_VARY_TIME, ASH_VARY_PROCESSORS, ASH_VARY_PATH, ASH_VARY_HOST, ASH_VARY_USER, ASH_VARY_UMASK, ASH_VARY_TIMEZONE, ASH_VARY_MAX_, ASH_VARY_INVALID_ = -EINVAL } AshBuildVary;
#define ASH_VARY_ALL ((1u << ASH_VARY_MAX_) - 1)
const char *ash_build_vary_name(AshBuildVary what); /* "time", "processors", "path", ... */
AshBuildVary ash_build_vary(AshSlice name);
/* "400 days later, with one processor, ..." */
void ash_build_vary_tell(unsigned set, AshStr *out);
typedef struct AshBuildFile {
        const char *name;            /* below SPECS or SOURCES */
        bool spec;
        mode_t mode;                 /* S_IFLNK: data is the target */
        AshSlice data;
        const char *path;            /* not NULL: a file of the host in place of data */
} AshBuildFile;
typedef struct AshBuildInput {
        AshSlice component, arch;
        const AshBuildFile *files;
        size_t n_files;
        const char *spec;            /* name of the spec among them */
        const char *const *options;  /* of rpmbuild: "--with", "x", ...; NULL-terminated */
        int timeout_ms;              /* of all runs together */
        int parse_ms;                /* that the first may take until the spec has been parsed; what the source package's size needs comes to it; 0: no limit of its own */
        uint64_t memory;             /* bytes that all of its processes may take together, and the address space of each; 0: three quarters of the machine's */
        uint64_t disk;               /* bytes that all of its files may take, wherever they are; cut to what the machine has */
        uint64_t log_limit;          /* bytes */
        const char *log_path;        /* written as it comes */
        bool network;
        const char *network_at;      /* for messages: how a component asks for it */
        unsigned vary;               /* a set of AshBuildVary */
        AshProgress *progress;
} AshBuildInput;
typedef struct AshBuild AshBuild;
int ash_build_new(const AshBuildInput *in, AshBuild **ret, AshDiags *diags);
void ash_build_free(AshBuild *b);
ASH_DEFINE_CLEANUP(AshBuild *, ash_build_free)

typedef enum AshBuildStep { ASH_BUILD_SRPM, ASH_BUILD_REQUIRES, ASH_BUILD_PACKAGES, ASH_BUILD_STEP_MAX_ } AshBuildStep;
/* Runs rpmbuild over a root. epoch: SOURCE_DATE_EPOCH; negative: none. Returns its exit status when that is among those that a step may have (0; of REQUIRES also 11: more is required now); else a
 * diagnostic tells the reason: -ASH_ERR_SYNTAX when the spec cannot be parsed: then ash_build_spec_error() has the place; -ETIMEDOUT of SRPM: it was not parsed in time: the caller says both. */
int ash_build_run(AshBuild *b, const AshBuildRoot *root, AshBuildStep step, int64_t epoch, AshDiags *diags);
/* What rpm said of the spec in the run that failed: the line (0: none is named) and the text. */
bool ash_build_spec_error(const AshBuild *b, uint32_t *ret_line, AshSlice *ret_text);
/* A shell over the root of the last run, on the caller's terminal: in the directory of the section that ran last, with its environment. */
int ash_build_shell(AshBuild *b, AshDiags *diags);
/* Copies the build directory to a directory of the host, which must not exist or be one of an earlier copy. */
int ash_build_keep(AshBuild *b, const char *dir, AshDiags *diags);
AshSlice ash_build_log(const AshBuild *b); /* so far; mapped */
/* Of a build that failed in %prep: the source or patch that it used last (borrowed from the log); empty: it failed elsewhere, or used none. */
AshSlice ash_build_prep_source(const AshBuild *b);
uint64_t ash_build_most_memory(const AshBuild *b); /* bytes that all processes and files of it took together at the worst time, as far as that was seen */

/* ---- what came out ---- */
/* The source package that the last step wrote; of REQUIRES the one with what is required now. Borrowed until the next run. */
int ash_build_srpm(AshBuild *b, AshSlice *ret, AshDiags *diags);
/* "name op version" as a solver takes them, in the arena; rpmlib(...) is left out; "!name op version" for what must not be there (BuildConflicts). ret_asks: it says that its build asks for more. */
int ash_build_requires(AshSlice srpm, const char *name, AshArena *arena, AshSlice **ret, size_t *ret_n, int64_t *ret_epoch, bool *ret_asks, AshDiags *diags);
typedef struct AshBuildPackage {
        char *nevra, *file;
        AshSlice bytes;              /* borrowed from the build */
        AshId id;
        AshBuiltKind kind;
} AshBuildPackage;
typedef struct AshBuildPackages {
        ASH_ARRAY(AshBuildPackage) items; /* sorted by NEVRA */
} AshBuildPackages;
void ash_build_packages_done(AshBuildPackages *p);
/* All packages, read as bytes that nobody trusts: each is complete, for this architecture, of this source, and has only what may be unpacked. epoch: what their build time must be. */
int ash_build_packages(AshBuild *b, int64_t epoch, AshBuildPackages *ret, AshDiags *diags);

/* ---- two builds compared ---- */
/* What differs between two packages, one line each ("tag BUILDTIME: 1 / 2", "file /usr/bin/x: content, line 3: 'a' / 'b'"). Returns how many. vary: what was otherwise in the build of the second; with PATH,
 * what rpm itself writes of the build directory is no difference: the tag SPEC of source packages (the spec as it was expanded), and the digest of that package in the others. */
size_t ash_build_compare(AshSlice a, AshSlice b, const char *name, unsigned vary, AshStr *out);
/* Where two files differ: the section of an object file, the line of a text, else the byte. */
void ash_build_compare_content(AshSlice a, AshSlice b, AshStr *out);
