#include <stdio.h>
#include "vmdk.h"

enum { SECTOR = 512, GRAIN = 65536, TABLE_ENTRIES = 512, TABLE = TABLE_ENTRIES * 4, DESCRIPTOR_SECTORS = 20, HEADS = 255, TRACK = 63 };

static void put_descriptor(char *to, const AshSparse *disk, const char *name, uint32_t id) {
        uint64_t sectors = disk->size / SECTOR;
        snprintf(to, DESCRIPTOR_SECTORS * SECTOR,
                 "# Disk DescriptorFile\nversion=1\nCID=%08x\nparentCID=ffffffff\ncreateType=\"monolithicSparse\"\n\n# Extent description\nRW %llu SPARSE \"%s\"\n\n# The Disk Data Base\n#DDB\n\n"
                 "ddb.virtualHWVersion = \"4\"\nddb.geometry.cylinders = \"%llu\"\nddb.geometry.heads = \"%d\"\nddb.geometry.sectors = \"%d\"\nddb.adapterType = \"lsilogic\"\n",
                 id, (unsigned long long) sectors, name, (unsigned long long) (sectors / (HEADS * TRACK)), HEADS, TRACK);
}

static void put_header(uint8_t *h, uint64_t sectors, uint64_t copy, uint64_t directory, uint64_t overhead) {
        memcpy(h, "KDMV", 4);
        ash_le32(h + 4, 1);
        ash_le32(h + 8, 3); /* lines end as below; there is a copy of the grain tables */
        ash_le64(h + 12, sectors);
        ash_le64(h + 20, GRAIN / SECTOR);
        ash_le64(h + 28, 1); /* the descriptor */
        ash_le64(h + 36, DESCRIPTOR_SECTORS);
        ash_le32(h + 44, TABLE_ENTRIES);
        ash_le64(h + 48, copy);
        ash_le64(h + 56, directory);
        ash_le64(h + 64, overhead);
        memcpy(h + 73, "\n \r\n", 4);
}

/* A directory and its tables behind it, all of them there; the tables' bytes are returned. */
static uint8_t *put_directory(AshSparse *out, uint64_t at, uint64_t directory_sectors, uint64_t tables) {
        uint8_t *directory = ash_sparse_room(out, at * SECTOR, (size_t) directory_sectors * SECTOR);
        for (uint64_t i = 0; i < tables; i++)
                ash_le32(directory + 4 * i, (uint32_t) (at + directory_sectors + i * (TABLE / SECTOR)));
        return ash_sparse_room(out, (at + directory_sectors) * SECTOR, (size_t) tables * TABLE);
}

int ash_vmdk(const AshSparse *disk, const char *name, uint32_t id, AshSparse *out) {
        uint64_t grains = disk->size / GRAIN, tables = (grains + TABLE_ENTRIES - 1) / TABLE_ENTRIES, directory_sectors = (tables * 4 + SECTOR - 1) / SECTOR;
        uint64_t each = directory_sectors + tables * (TABLE / SECTOR), copy = 1 + DESCRIPTOR_SECTORS, directory = copy + each;
        uint64_t at = ash_align_up((directory + each) * SECTOR, GRAIN);
        size_t next = 0;
        if (!disk->size || disk->size % (1 << 20) || disk->size > UINT64_C(1) << 41 /* tables have sectors of 32 bits */ || strlen(name) > 256 || strchr(name, '"'))
                return -EINVAL;
        put_header(ash_sparse_room(out, 0, SECTOR), disk->size / SECTOR, copy, directory, at / SECTOR);
        put_descriptor(ash_sparse_room(out, SECTOR, DESCRIPTOR_SECTORS * SECTOR), disk, name, id);
        uint8_t *spare = put_directory(out, copy, directory_sectors, tables), *table = put_directory(out, directory, directory_sectors, tables);
        for (uint64_t i = 0; i < grains; i++) {
                AshSparseRange range = { i * GRAIN, (i + 1) * GRAIN };
                if (!ash_sparse_any(disk, &next, range))
                        continue;
                ash_le32(table + 4 * i, (uint32_t) (at / SECTOR));
                ash_sparse_copy(disk, next, range, at, out);
                at += GRAIN;
        }
        memcpy(spare, table, (size_t) tables * TABLE);
        out->size = at;
        return ash_sparse_sort(out);
}
