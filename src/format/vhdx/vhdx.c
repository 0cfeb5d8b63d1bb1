#include "vhdx.h"
#include "io-crc.h"

enum { KIB64 = 64 << 10, MIB = 1 << 20, VHDX_BLOCK = 2 << 20, HEADER = 4096, SECTOR = 512, PHYSICAL = 4096, CHUNK_BLOCKS = (int) ((UINT64_C(1) << 23) * SECTOR / VHDX_BLOCK) /* payload blocks for each sector bitmap */ };
enum { ZERO = 2, PRESENT = 6 /* states of a block */, REQUIRED = 1, ITEM = 64, DISK_ITEM = 2, ITEM_REQUIRED = 4 };

/* GUIDs as they lie on disk: the first three fields little endian. */
static const uint8_t bat_region[16] = { 0x66, 0x77, 0xC2, 0x2D, 0x23, 0xF6, 0x00, 0x42, 0x9D, 0x64, 0x11, 0x5E, 0x9B, 0xFD, 0x4A, 0x08 };      /* 2DC27766-F623-4200-9D64-115E9BFD4A08 */
static const uint8_t metadata_region[16] = { 0x06, 0xA2, 0x7C, 0x8B, 0x90, 0x47, 0x9A, 0x4B, 0xB8, 0xFE, 0x57, 0x5F, 0x05, 0x0F, 0x88, 0x6E }; /* 8B7CA206-4790-4B9A-B8FE-575F050F886E */
static const uint8_t file_parameters[16] = { 0x37, 0x67, 0xA1, 0xCA, 0x36, 0xFA, 0x43, 0x4D, 0xB3, 0xB6, 0x33, 0xF0, 0xAA, 0x44, 0xE7, 0x6B }; /* CAA16737-FA36-4D43-B3B6-33F0AA44E76B */
static const uint8_t disk_size[16] = { 0x24, 0x42, 0xA5, 0x2F, 0x1B, 0xCD, 0x76, 0x48, 0xB2, 0x11, 0x5D, 0xBE, 0xD8, 0x3B, 0xF4, 0xB8 };       /* 2FA54224-CD1B-4876-B211-5DBED83BF4B8 */
static const uint8_t disk_id[16] = { 0xAB, 0x12, 0xCA, 0xBE, 0xE6, 0xB2, 0x23, 0x45, 0x93, 0xEF, 0xC3, 0x09, 0xE0, 0x00, 0xC7, 0x46 };         /* BECA12AB-B2E6-4523-93EF-C309E000C746 */
static const uint8_t logical_sector[16] = { 0x1D, 0xBF, 0x41, 0x81, 0x6F, 0xA9, 0x09, 0x47, 0xBA, 0x47, 0xF2, 0x33, 0xA8, 0xFA, 0xAB, 0x5F };  /* 8141BF1D-A96F-4709-BA47-F233A8FAAB5F */
static const uint8_t physical_sector[16] = { 0xC7, 0x48, 0xA3, 0xCD, 0x5D, 0x44, 0x71, 0x44, 0x9C, 0xC9, 0xE9, 0x88, 0x52, 0x51, 0xC5, 0x56 }; /* CDA348C7-445D-4471-9CC9-E9885251C556 */

static void put_guid(uint8_t *to, const uint8_t u[static 16]) {
        static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
        for (size_t i = 0; i < 16; i++)
                to[i] = u[order[i]];
}

static void put_identifier(uint8_t *to) {
        static const char creator[] = "Ashlar";
        memcpy(to, "vhdxfile", 8);
        for (size_t i = 0; creator[i]; i++)
                ash_le16(to + 8 + 2 * i, (uint8_t) creator[i]);
}

/* The one with the higher number counts. The log is there, and empty: its GUID is zero. */
static void put_header(uint8_t *h, const AshVhdxOptions *o, uint64_t number, uint64_t log) {
        memcpy(h, "head", 4);
        ash_le64(h + 8, number);
        put_guid(h + 16, o->file);
        put_guid(h + 32, o->data);
        ash_le16(h + 66, 1); /* version */
        ash_le32(h + 68, MIB);
        ash_le64(h + 72, log);
        ash_le32(h + 4, ash_crc32c(h, HEADER));
}

static void put_region(uint8_t *e, const uint8_t guid[static 16], uint64_t at, uint64_t size) {
        memcpy(e, guid, 16);
        ash_le64(e + 16, at);
        ash_le32(e + 24, (uint32_t) size);
        ash_le32(e + 28, REQUIRED);
}

static void put_regions(uint8_t *t, uint64_t metadata, uint64_t bat, uint64_t bat_size) {
        memcpy(t, "regi", 4);
        ash_le32(t + 8, 2);
        put_region(t + 16, bat_region, bat, bat_size);
        put_region(t + 48, metadata_region, metadata, MIB);
        ash_le32(t + 4, ash_crc32c(t, KIB64));
}

static void put_metadata(uint8_t *t, const AshSparse *disk, const AshVhdxOptions *o) {
        const struct { const uint8_t *guid; uint32_t size, flags; } items[] = {
                { file_parameters, 8, ITEM_REQUIRED }, { disk_size, 8, ITEM_REQUIRED | DISK_ITEM }, { disk_id, 16, ITEM_REQUIRED | DISK_ITEM },
                { logical_sector, 4, ITEM_REQUIRED | DISK_ITEM }, { physical_sector, 4, ITEM_REQUIRED | DISK_ITEM },
        };
        uint8_t *values = t + KIB64;
        memcpy(t, "metadata", 8);
        ash_le16(t + 10, ASH_N(items));
        for (size_t i = 0; i < ASH_N(items); i++) {
                uint8_t *e = t + 32 + 32 * i;
                memcpy(e, items[i].guid, 16);
                ash_le32(e + 16, (uint32_t) (KIB64 + ITEM * i));
                ash_le32(e + 20, items[i].size);
                ash_le32(e + 24, items[i].flags);
        }
        ash_le32(values, VHDX_BLOCK);
        ash_le64(values + ITEM, disk->size);
        put_guid(values + 2 * ITEM, o->disk);
        ash_le32(values + 3 * ITEM, SECTOR);
        ash_le32(values + 4 * ITEM, PHYSICAL);
}

int ash_vhdx(const AshSparse *disk, const AshVhdxOptions *o, AshSparse *out) {
        uint64_t blocks = (disk->size + VHDX_BLOCK - 1) / VHDX_BLOCK, log = MIB, metadata = 2 * MIB, bat = 3 * MIB;
        size_t next = 0;
        if (!disk->size || disk->size % MIB || disk->size > UINT64_C(64) << 40)
                return -EINVAL;
        uint64_t bat_size = ash_align_up((blocks + (blocks - 1) / CHUNK_BLOCKS) * 8, MIB), at = bat + bat_size;
        put_identifier(ash_sparse_room(out, 0, HEADER));
        put_header(ash_sparse_room(out, KIB64, HEADER), o, 1, log);
        put_header(ash_sparse_room(out, 2 * KIB64, HEADER), o, 2, log);
        put_regions(ash_sparse_room(out, 3 * KIB64, KIB64), metadata, bat, bat_size);
        put_regions(ash_sparse_room(out, 4 * KIB64, KIB64), metadata, bat, bat_size);
        put_metadata(ash_sparse_room(out, metadata, 2 * KIB64), disk, o);
        uint8_t *entries = ash_sparse_room(out, bat, (size_t) bat_size);
        for (uint64_t b = 0; b < blocks; b++) {
                AshSparseRange range = { b * VHDX_BLOCK, (b + 1) * VHDX_BLOCK };
                bool there = ash_sparse_any(disk, &next, range);
                ash_le64(entries + 8 * (b + b / CHUNK_BLOCKS), there ? at | PRESENT : ZERO); /* behind each chunk the place of its sector bitmap, which only disks with a parent have */
                if (!there)
                        continue;
                ash_sparse_copy(disk, next, range, at, out);
                at += VHDX_BLOCK;
        }
        out->size = at;
        return ash_sparse_sort(out);
}
