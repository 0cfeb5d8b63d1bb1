/* FAT16 and FAT32 file systems with long names, laid out from nothing: Microsoft's "FAT File System Specification" (2000, 1.03), as UEFI 2.10 section 13.3 asks for. Knows bytes only.
 * FAT32 from 32 MiB on, FAT16 below. Files lie in one piece each, in the order they are given. The same input gives the same bytes. */
#pragma once
#include "io-sparse.h"

/* A name in a directory. Parents come before what is in them; the first is the root and its own parent. */
typedef struct AshFatNode {
        AshSlice name;               /* UTF-8 */
        uint32_t parent;
        bool directory;
        int64_t mtime;               /* Unix seconds; FAT has even seconds from 1980 to 2107, UTC here */
        AshSlice bytes;              /* borrowed by what is laid out */
} AshFatNode;

typedef struct AshFatOptions {
        uint32_t volume_id;
        const char *label;           /* at most 11 characters of ASCII; NULL: none */
        int64_t time;
} AshFatOptions;

typedef struct AshFatUsage {
        unsigned bits;               /* 16 or 32 */
        uint64_t cluster, clusters, free_clusters; /* bytes; numbers */
} AshFatUsage;

typedef struct AshFat AshFat;
/* Fails with a diagnostic: names that FAT cannot have, two that differ in case only, a file of 4 GiB. Nodes are borrowed. */
int ash_fat_new(const AshFatNode *nodes, size_t n, const AshFatOptions *o, AshFat **ret, AshDiags *diags);
void ash_fat_free(AshFat *f);
ASH_DEFINE_CLEANUP(AshFat *, ash_fat_free)
/* The smallest size, a multiple of 1 MiB, with "bytes" free beside the files. */
uint64_t ash_fat_size(const AshFat *f, uint64_t bytes);
/* Lays it out at "at" of out, which is also how far from the start of the disk it lies. -ENOSPC without a diagnostic: it does not fit, or the size is below what FAT16 has (about 2 MiB). */
int ash_fat_put(AshFat *f, uint64_t size, uint64_t at, AshSparse *out, AshFatUsage *ret);
