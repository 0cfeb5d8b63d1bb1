/* The partitions of a disk image, with all that the definition leaves out filled in: what the writer of the disk, the boot loader's entries and /etc/fstab have to agree on. */
#pragma once
#include "gpt.h"
#include "model-project.h"

typedef enum AshFilesystem { ASH_FS_NONE, ASH_FS_EXT4, ASH_FS_VFAT, ASH_FS_SWAP, ASH_FS_MAX_, ASH_FS_INVALID_ = -EINVAL } AshFilesystem;
const char *ash_filesystem_name(AshFilesystem fs); /* "ext4" */

typedef struct AshPartition {
        const AshImagePartition *own;  /* as defined; NULL: a default */
        AshSpan at;
        const char *name;            /* "root": the type by the Discoverable Partitions Specification, or a GUID as text */
        uint8_t type[16];
        uint8_t uuid[16], fs_uuid[16]; /* of the partition (PARTUUID), of its file system (UUID; of vfat the first four bytes are the volume's id) */
        char uuid_text[37];
        const char *label;           /* of the partition and its file system */
        AshFilesystem fs;
        AshSlice mount;              /* absolute; empty: none */
        AshSlice options;            /* of its mount */
        bool grow, read_only;
        uint64_t size;               /* bytes; 0: auto */
        unsigned margin_percent;     /* for auto */
        uint64_t margin;             /* bytes, for auto */
        bool found;                  /* systemd mounts it without an entry in fstab: by its type, in the place and way that it would choose itself */
} AshPartition;

typedef struct AshPartitions {
        AshPartition *items;         /* in the order of the disk */
        size_t n;
        uint8_t disk[16];            /* identifier of the disk */
} AshPartitions;

/* Of an image of kind "disk". seed: of the lock, a UUID. arch: as RPM says it. Everything lives in the arena. -ASH_ERR_CONFIG with diagnostics: types or sizes that make no sense, no root, two of one mount point. */
int ash_partitions(const AshImage *image, AshSlice seed, AshSlice arch, AshArena *arena, AshPartitions *ret, AshDiags *diags);
const AshPartition *ash_partition_find(const AshPartitions *p, const char *name); /* the first of that type; NULL */
/* A UUID that follows from the lock's seed (RFC 4122 version 5: a name within that namespace). */
void ash_uuid_derive(AshSlice seed, AshSlice name, uint8_t ret[static 16]);
/* "64M", "1048576", "20%": *ret_percent tells which. -EINVAL. "auto" gives 0. */
int ash_size_parse(AshSlice text, uint64_t *ret, bool *ret_percent);
