/* Images: from the lock to packages, to a tree, to outputs. Planning and building share one path: a plan stops before the first stage that writes. */
#pragma once
#include "compose.h"
#include "flow-upstream.h"
#include "image.h"
#include "scriptlets.h"

/* One output of an image. */
typedef struct AshFlowFormat {
        const char *name;            /* as in "formats" */
        bool per_arch;               /* one for each architecture; else one over all */
        bool directory;
        const char *suffix;          /* of its name, before that of the compression */
        bool compressed;
} AshFlowFormat;

typedef struct AshFlowOutput {
        const AshFlowFormat *format;
        AshSlice arch;               /* empty: all */
        char *path;                  /* below the output directory */
        uint64_t size;               /* bytes, when written or up to date */
        bool written;                /* else it was up to date */
        enum { ASH_OUTPUT_ABSENT, ASH_OUTPUT_CHANGED, ASH_OUTPUT_OLD, ASH_OUTPUT_THERE } state; /* in a plan: not built; not as it was built; of other packages than the lock's; of these packages */
        char digest[65];             /* SHA-256 of the file; of the OCI layout that of index.json */
} AshFlowOutput;

/* One image for one architecture, composed. */
typedef struct AshFlowTree {
        const AshImage *image;
        const AshLockSet *set;
        AshSlice arch;
        AshArena *arena;
        AshPack **packs;
        AshComposePackage *packages;
        size_t n_packages;
        AshTree *tree;
        uint32_t *layers, n_layers;  /* by origin of the tree: the layer of a container; NULL: there is one */
} AshFlowTree;
void ash_flow_tree_free(AshFlowTree *t);
ASH_DEFINE_CLEANUP(AshFlowTree *, ash_flow_tree_free)
/* Fills in the layers, for layers = "origin". */
int ash_flow_layers(AshFlow *flow, const AshLock *lock, AshFlowTree *t);

/* The lock beside the project; with a hint when there is none. */
int ash_flow_read_lock(AshFlow *flow, const char *path, AshLock **ret);
/* The image with what it inherits; -ASH_ERR_USAGE when there is none of that name, -ASH_ERR_CONFIG when it cannot be built. */
int ash_flow_find_image(AshFlow *flow, AshSlice name, const AshImage **ret);
AshSlice ash_flow_image_arch(const AshImage *image, size_t i); /* empty past the last */
const char *ash_flow_image_standard_format(AshSlice kind);     /* what an image without "formats" becomes; NULL: no such kind */
/* Packages from the lock into memory and composed. The lock must live as long. */
int ash_flow_compose(AshFlow *flow, const AshLock *lock, const AshImage *image, AshSlice arch, AshFlowTree **ret);

typedef struct AshFlowImageOptions {
        const char *lock_path, *output; /* output: the directory of all images */
        const char *const *names;
        size_t n_names;              /* 0: all that can be built */
        const char *arch;            /* only this one; NULL: all of the image */
        bool force;                  /* writes what is up to date, too */
} AshFlowImageOptions;
typedef struct AshFlowImageDone {
        AshSlice name;
        size_t packages, entries;    /* of all architectures */
        ASH_ARRAY(AshFlowOutput) outputs;
} AshFlowImageDone;
typedef struct AshFlowImageResult {
        ASH_ARRAY(AshFlowImageDone) done;
} AshFlowImageResult;
void ash_flow_image_result_done(AshFlowImageResult *r);
int ash_flow_image_build(AshFlow *flow, const AshFlowImageOptions *options, AshFlowImageResult *ret);
/* The same up to the first stage that writes: outputs have their paths, and nothing is composed, fetched or written. */
int ash_flow_image_plan(AshFlow *flow, const AshFlowImageOptions *options, AshFlowImageResult *ret);

/* ---- definitions in KIWI's format, as far as they have a counterpart ---- */
typedef struct AshFlowKiwiNote {
        uint32_t line;               /* of the description; 0: of the whole */
        AshSlice text;               /* what is not taken over: "attribute formatoptions=\"force_size\" of <type>" */
} AshFlowKiwiNote;
typedef struct AshFlowKiwi {
        AshArena *arena;
        const char *file;
        AshSlice profile;            /* the chosen one */
        AshSlice reference;          /* of a container: how it is called in a registry */
        AshImage image;              /* the native definition that it amounts to; its texts have no places */
        ASH_ARRAY(AshFlowKiwiNote) notes;
} AshFlowKiwi;
void ash_flow_kiwi_free(AshFlowKiwi *k);
ASH_DEFINE_CLEANUP(AshFlowKiwi *, ash_flow_kiwi_free)
/* -ASH_ERR_SYNTAX, -ASH_ERR_LIMIT: no description; -ASH_ERR_CONFIG: it has no such profile. Writes nothing, runs nothing. */
int ash_flow_kiwi(AshFlow *flow, const AshImage *image, AshSlice arch, AshFlowKiwi **ret);
/* Everything that a build of the image follows from, as text to be digested; negative (without a diagnostic) when it cannot be told: then the image has to be composed. */
int ash_flow_image_inputs(AshFlow *flow, const AshImage *image, const char *lock_path, AshStr *text);

/* ---- why a package is there: from what the packages of a set require of each other ---- */
typedef struct AshFlowWhy {
        AshSlice nevra, name;
        bool user;
        uint32_t because;            /* index of the package that needs it; UINT32_MAX: asked for, or nothing that we see needs it */
        AshSlice dep;                /* what that one requires */
        uint64_t size, installed;    /* bytes of the package, and of its files */
        bool at_hand;                /* in the store */
        bool expanded;               /* and unpacked there */
} AshFlowWhy;
/* In the arena, as many as the set has packages and in its order. Reads the headers of packages that are in the store and writes nothing. */
int ash_flow_why(AshFlow *flow, const AshLock *lock, const AshLockSet *set, AshArena *arena, AshFlowWhy **ret);

/* ---- scriptlets and triggers of a set ---- */
typedef struct AshFlowHooks {
        AshArena *arena;
        AshBytes *blobs;
        size_t n_packages;
        AshHooks hooks;
        size_t unknown;              /* packages that are not in the store: nobody knows theirs */
} AshFlowHooks;
/* Reads headers of packages that are in the store and writes nothing. */
int ash_flow_hooks(AshFlow *flow, const AshLock *lock, const AshLockSet *set, AshFlowHooks *ret);
void ash_flow_hooks_done(AshFlowHooks *h);
