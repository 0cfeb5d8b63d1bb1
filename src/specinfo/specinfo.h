/* specinfo: what a spec needs to be built and what its packages provide and require, for the build graph (docs/build-graph.md).
 *
 * Two readers give the same text, which is what caches hold:
 *  - rpmspec within a buildroot: what rpm itself says. Parsing a spec runs programs, so it happens in the sandbox, without network, one spec in each run.
 *  - the plain one: no program runs; macros are expanded as far as they are simple. Not exact, for where there is no buildroot.
 * The text, one item a line: "D -" it asks for more while it is built (%generate_buildrequires); "B DEP" needed to build; "P NAME EPOCH VERSION RELEASE ARCH" a package, and of it "p DEP" provides, "r DEP" requires, "f PATH" a file. */
#pragma once
#include "io.h"
#include "model-package.h"
#include "sandbox.h"

#define ASH_SPECINFO_MS 60000   /* that rpmspec may take */
#define ASH_SPECINFO_ENGINE 2   /* counts up when the same spec gives another text: part of every key */

typedef struct AshSpecFileOf {
        const char *name;
        mode_t mode;                 /* S_IFLNK: data is the target */
        AshSlice data;
} AshSpecFileOf;
typedef struct AshSpecInfoInput {
        const AshSpecFileOf *files;  /* as they lie beside each other in a build's SOURCES */
        size_t n_files;
        const char *spec;            /* name of the spec among them */
        const char *label;           /* what messages call it; NULL: its name */
        AshSlice component;          /* for messages */
        AshSlice arch;
        const char *const *options;  /* of rpmspec; NULL-terminated, or NULL */
        int timeout_ms;              /* of rpmspec; 0: ASH_SPECINFO_MS */
} AshSpecInfoInput;
/* Digest of all of that. */
void ash_specinfo_digest(const AshSpecInfoInput *in, uint8_t ret[static 32]);

/* -ASH_ERR_SYNTAX with a diagnostic at its place. */
int ash_specinfo_plain(const AshSpecInfoInput *in, AshStr *out, AshDiags *diags);

typedef struct AshSpecInfoRoot AshSpecInfoRoot;
/* layers: directories of the host, upper ones first, NULL-terminated, which hold rpmspec. Borrowed. Several threads may use one. -ENOTSUP: no sandbox here; -ENOENT: none either, or they hold no rpmspec. */
int ash_specinfo_root_new(const char *const *layers, AshSpecInfoRoot **ret, AshDiags *diags);
void ash_specinfo_root_free(AshSpecInfoRoot *root);
ASH_DEFINE_CLEANUP(AshSpecInfoRoot *, ash_specinfo_root_free)
/* -ASH_ERR_SYNTAX: rpm refuses the spec; the diagnostic has rpm's place. -ASH_ERR_LIMIT: too much memory, too many processes. -ETIMEDOUT, without a diagnostic. */
int ash_specinfo_rpmspec(AshSpecInfoRoot *root, const AshSpecInfoInput *in, AshStr *out, AshDiags *diags);

typedef struct AshSpecInfo {
        AshDeps needs;
        bool dynamic;                /* it needs more, which only its build says */
        AshPackage *packages;
        size_t n_packages;
} AshSpecInfo;
/* Borrows the text; arrays are in the arena. Lines that are none are left out. */
void ash_specinfo_read(AshSlice text, AshArena *arena, AshSpecInfo *ret);
