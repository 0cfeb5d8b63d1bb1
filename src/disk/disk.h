/* A composed tree as a disk: partitions by the definition, a file system in each, everything laid out before a byte is written. Then the formats: the same disk as raw, VHD, qcow2 and so on. */
#pragma once
#include "io-sparse.h"
#include "model-tree.h"
#include "partition.h"

typedef struct AshDiskPart {
        AshPartition p;
        uint64_t offset, size;       /* bytes */
        uint64_t used;               /* bytes that are not free in its file system */
} AshDiskPart;

typedef struct AshDisk {
        AshArena *arena;
        AshSparse *map;              /* all of its bytes; good as long as the tree and its packs */
        AshDiskPart *parts;
        size_t n;
        uint8_t uuid[16];
        int64_t time;
        uint8_t id[16];              /* for formats that identify themselves */
        const char *name;            /* of its files, without a suffix: "server-x86_64" */
        struct DiskFs *fs;           /* by part: what the map borrows from */
} AshDisk;
void ash_disk_free(AshDisk *d);
ASH_DEFINE_CLEANUP(AshDisk *, ash_disk_free)

typedef struct AshDiskInput {
        const AshTree *tree;
        const AshImage *image;       /* of kind "disk" */
        AshSlice seed, arch;
        int64_t time;                /* SOURCE_DATE_EPOCH */
} AshDiskInput;
/* -ASH_ERR_CONFIG: the definition contradicts itself; -ENOSPC: a partition, or the disk, is too small for its files: the diagnostic says by how much and which packages weigh most. */
int ash_disk_new(const AshDiskInput *in, AshDisk **ret, AshDiags *diags);
/* What of the definition a disk follows from beside the tree, as text, and the version of the writers: for the record of a build. */
void ash_disk_key(const AshImage *image, AshSlice seed, AshStr *out);

/* ---- formats ---- */
typedef struct AshDiskFormat {
        const char *name;            /* as in "formats": "raw", "vhd" */
        const char *suffix;          /* ".raw" */
        /* The file as bytes at places; borrows from the disk. NULL: the disk itself. */
        int (*make)(const AshDisk *d, AshSparse *out);
} AshDiskFormat;
extern const AshDiskFormat ash_disk_formats[];                       /* ended by one without a name */
const AshDiskFormat *ash_disk_format(AshSlice name);                 /* NULL */
/* Writes the disk in a format to an empty regular file. Returns the file's size in *ret_size. */
int ash_disk_write(const AshDisk *d, const AshDiskFormat *format, int fd, unsigned threads, AshProgress *progress, uint64_t *ret_size, AshDiags *diags);
