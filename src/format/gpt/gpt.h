/* GUID partition tables with a protective MBR: UEFI specification 2.10, section 5. Sectors of 512 bytes; 128 entries. */
#pragma once
#include "io-sparse.h"

#define ASH_GPT_SECTOR 512
#define ASH_GPT_ENTRIES 128

/* UUIDs as RFC 4122 writes them: the bytes in the order of the text. */
typedef struct AshGptPartition {
        uint8_t type[16], uuid[16];
        uint64_t offset, size;       /* bytes, multiples of a sector */
        uint64_t attributes;         /* UEFI's, and those that the type defines (bits 48 to 63) */
        const char *label;           /* UTF-8, at most 36 UTF-16 units; NULL: none */
} AshGptPartition;

/* What the table takes at the front and at the end of a disk, rounded up to 1 MiB each. */
#define ASH_GPT_MARGIN (UINT64_C(1) << 20)

/* Both tables and the MBR of a disk of "size" bytes. -EINVAL: a partition lies outside of what the tables leave, or two overlap; -ASH_ERR_LIMIT: too many, or a label is too long or no UTF-8. */
int ash_gpt_put(const AshGptPartition *partitions, size_t n, const uint8_t disk[static 16], uint64_t size, AshSparse *out);
/* "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", any case. -EINVAL. */
int ash_uuid_parse(AshSlice text, uint8_t ret[static 16]);
void ash_uuid_text(const uint8_t uuid[static 16], char ret[static 37]);
