/* Between the parts of disk. */
#pragma once
#include "disk.h"
#include "ext4.h"
#include "fat.h"

/* What of the tree goes into each partition. */
typedef struct DiskSplit {
        const AshTree *tree;
        const AshPartitions *partitions;
        AshNode *roots;              /* by partition: the node at its mount point; ASH_NO_NODE: the tree has none */
        uint8_t *owner;              /* by node: the partition that holds it; a mount point's directory belongs to the one mounted there */
        AshArena *arena;
        AshDiags *diags;
} DiskSplit;
int ash_disk_split(DiskSplit *s);
int ash_disk_ext4_nodes(const DiskSplit *s, size_t part, AshExt4Node **ret, size_t *ret_n);
int ash_disk_fat_nodes(const DiskSplit *s, size_t part, AshFatNode **ret, size_t *ret_n);
void ash_disk_note_weights(const DiskSplit *s, size_t part); /* the packages with most bytes in a partition, as notes of the last diagnostic */
