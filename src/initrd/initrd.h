/* initrd: the file system from which a kernel starts, made of what is in a tree: systemd, udev, the modules that reach the root file system, the libraries of all that. Sees a tree only, a composed one or
 * a view of the running system (host/initrd); docs/boot.md says what goes in and why. */
#pragma once
#include "io.h"
#include "model-tree.h"

/* Machines whose disks it has to reach. It has the drivers of all that the kernel knows; without those of the ones named here it is an error. */
typedef enum AshInitrdMachines { ASH_INITRD_VIRTIO = 1 << 0, ASH_INITRD_HYPERV = 1 << 1, ASH_INITRD_NVME = 1 << 2, ASH_INITRD_SCSI = 1 << 3 } AshInitrdMachines;

typedef struct AshInitrdInput {
        const AshTree *tree;
        AshSlice kernel;             /* its version, the name of its directory below /usr/lib/modules */
        AshSlice root_filesystem;    /* "ext4" */
        const AshSlice *modules;     /* further ones: each has to be there */
        size_t n_modules;
        unsigned machines;           /* of AshInitrdMachines */
        int64_t time;                /* of what is made here: SOURCE_DATE_EPOCH */
} AshInitrdInput;

/* The initrd as a tree: contents are borrowed from the input's tree, which has to live as long. -ENOENT: something that it cannot do without is not in the tree; the diagnostics name all of it. */
int ash_initrd_plan(const AshInitrdInput *in, AshTree **ret, AshDiags *diags);
/* A digest of all that the bytes follow from, the version of this code included: the key of a cache. */
void ash_initrd_key(AshTree *initrd, uint8_t ret[static 32]);
/* cpio (newc) in one zstd frame, as the kernel reads it; kernel modules are unpacked first, for the frame packs them better and the machine starts faster. Changes the tree's modules: the key comes first. */
int ash_initrd_pack(AshTree *initrd, unsigned threads, AshStr *out, AshDiags *diags);

/* By the UAPI group's Version Format Specification, as systemd-boot sorts its menu: <0, 0, >0. */
int ash_initrd_compare_versions(AshSlice a, AshSlice b);
/* Versions of kernels with modules in the tree, newest first; borrowed from the tree, the list in the arena. */
size_t ash_initrd_kernels(const AshTree *tree, AshArena *arena, AshSlice **ret);

/* ---- a directory as the tree to make one from ---- */
typedef struct AshInitrdView AshInitrdView;
/* What lies below the directory, as far as an initrd for this kernel may take from it. */
int ash_initrd_view_open(const char *root, const char *kernel, AshInitrdView **ret, AshDiags *diags);
void ash_initrd_view_free(AshInitrdView *v);
ASH_DEFINE_CLEANUP(AshInitrdView *, ash_initrd_view_free)
const AshTree *ash_initrd_view_tree(const AshInitrdView *v);
