/* Kernel modules: what a .ko file says about itself, and what depmod(8) makes of a directory of them (modules.dep and its companions: modules.dep(5), depmod.d(5); the binary
 * form is described in kmod-index.c). Foreign bytes: every offset is checked. */
#pragma once
#include "base.h"
#include "io.h"

typedef struct AshKmodInfo {
        AshSlice key, value;         /* "alias", "pci:v00008086d*"; also "license", "depends", "firmware", "softdep", "weakdep", "parm", ... */
} AshKmodInfo;
typedef struct AshKmod {
        AshKmodInfo *info;           /* of .modinfo, in its order */
        size_t n_info;
        AshSlice *exports;           /* symbols for other modules */
        size_t n_exports;
        AshSlice *imports;           /* symbols that it needs of the kernel and of others; may repeat */
        size_t n_imports;
} AshKmod;

/* Of an ELF file. Strings are borrowed from bytes, arrays live in the arena. -ENOENT: not ELF; -ASH_ERR_SYNTAX: its tables point outside the file. */
int ash_kmod_read_elf(AshSlice bytes, AshArena *arena, AshKmod *ret);
/* Of a module file as it lies on a disk, compressed or not (by its first bytes); all lives in the arena. Also -ASH_ERR_LIMIT: larger than 1 GiB. */
int ash_kmod_read(AshSlice bytes, AshArena *arena, AshKmod *ret);
/* The next value of a key; *at is where to go on and starts at 0. False: no more. */
bool ash_kmod_next(const AshKmod *m, const char *key, size_t *at, AshSlice *ret);

/* ".ko", ".ko.gz", ".ko.xz", ".ko.zst". */
bool ash_kmod_is_file(AshSlice path);
/* "kernel/fs/nls/nls_iso8859-1.ko.xz" -> "nls_iso8859_1", as lsmod shows it; in the arena. */
AshSlice ash_kmod_name(AshSlice path, AshArena *arena);
/* The path without the suffix of compression: as modules.order and modules.builtin have it. */
AshSlice ash_kmod_plain_path(AshSlice path);

/* ---- depmod ---- */
typedef struct AshKmodFile {
        AshSlice path;               /* below the kernel's directory: "kernel/fs/ext4/ext4.ko.xz" */
        AshSlice bytes;
} AshKmodFile;
typedef struct AshKmodDir {
        const AshKmodFile *files;    /* those that are no modules (ash_kmod_is_file) are passed over */
        size_t n_files;
        AshSlice order, builtin, builtin_modinfo; /* modules.order, modules.builtin, modules.builtin.modinfo; ptr NULL: there is none */
        AshSlice version;            /* "6.12.57+deb13-amd64": for overrides of depmod.d */
        const AshSlice *configs;     /* texts of depmod.d files, in their order */
        size_t n_configs;
        unsigned kmod;               /* version of the kmod that will read them: from 33 on there is modules.weakdep, from 34 on indices have parents first; 0: an old one */
} AshKmodDir;
typedef struct AshKmodOutput {
        const char *name;            /* "modules.dep.bin" */
        AshStr bytes;
} AshKmodOutput;
typedef struct AshKmodOutputs {
        ASH_ARRAY(AshKmodOutput) items;
} AshKmodOutputs;
/* Modules are read on all processors; the result depends on nothing but the input. A module that cannot be read is a warning and has no dependencies, as with depmod. */
int ash_kmod_depmod(const AshKmodDir *dir, AshKmodOutputs *ret, AshDiags *diags);
void ash_kmod_outputs_done(AshKmodOutputs *outputs);
