#include "vhd.h"

enum { SECTOR = 512, FOOTER = 512, HEADER = 1024, VHD_BLOCK = 2 << 20, BITMAP = VHD_BLOCK / SECTOR / 8 /* one sector */, FIXED = 2, DYNAMIC = 3, EPOCH = 946684800 /* 2000-01-01 */ };
#define SIZE_LIMIT (UINT64_C(2040) << 30)

/* The specification's appendix "CHS Calculation". */
static uint32_t geometry(uint64_t size) {
        uint64_t sectors = ASH_MIN(size / SECTOR, UINT64_C(65535) * 16 * 255), per_track, heads, by_heads;
        if (sectors >= UINT64_C(65535) * 16 * 63) {
                per_track = 255;
                heads = 16;
                by_heads = sectors / per_track;
        } else {
                per_track = 17;
                by_heads = sectors / per_track;
                heads = ASH_MAX((by_heads + 1023) / 1024, UINT64_C(4));
                if (by_heads >= heads * 1024 || heads > 16) {
                        per_track = 31;
                        heads = 16;
                        by_heads = sectors / per_track;
                }
                if (by_heads >= heads * 1024) {
                        per_track = 63;
                        heads = 16;
                        by_heads = sectors / per_track;
                }
        }
        return (uint32_t) (by_heads / heads << 16 | heads << 8 | per_track);
}

static uint32_t checksum(const uint8_t *p, size_t n) {
        uint32_t sum = 0;
        for (size_t i = 0; i < n; i++)
                sum += p[i];
        return ~sum;
}

static int valid(const AshSparse *disk) { return !disk->size || disk->size % (1 << 20) || disk->size > SIZE_LIMIT ? -EINVAL : 0; }

static void put_footer(uint8_t *f, uint64_t size, const AshVhdOptions *o, uint32_t type) {
        memcpy(f, "conectix", 8);
        ash_be32(f + 8, 2); /* features: the reserved bit */
        ash_be32(f + 12, 0x10000);
        ash_be64(f + 16, type == FIXED ? UINT64_MAX : FOOTER);
        ash_be32(f + 24, (uint32_t) (ASH_MAX(o->time, (int64_t) EPOCH) - EPOCH));
        /* Readers that know other creators take the size from the geometry, which is smaller; "win " stands for the size in the footer. */
        memcpy(f + 28, "win ", 4);
        ash_be32(f + 32, 0xA0000);
        memcpy(f + 36, "Wi2k", 4);
        ash_be64(f + 40, size);
        ash_be64(f + 48, size);
        ash_be32(f + 56, geometry(size));
        ash_be32(f + 60, type);
        memcpy(f + 68, o->uuid, 16);
        ash_be32(f + 64, checksum(f, FOOTER));
}

int ash_vhd_fixed(const AshSparse *disk, const AshVhdOptions *o, AshSparse *out) {
        int r = valid(disk);
        if (r < 0)
                return r;
        ash_array_foreach(&disk->pieces, p)
                ash_sparse_put(out, p->offset, p->bytes);
        put_footer(ash_sparse_room(out, disk->size, FOOTER), disk->size, o, FIXED);
        out->size = disk->size + FOOTER;
        return ash_sparse_sort(out);
}

static void put_header(uint8_t *h, uint64_t table, uint32_t blocks) {
        memcpy(h, "cxsparse", 8);
        ash_be64(h + 8, UINT64_MAX);
        ash_be64(h + 16, table);
        ash_be32(h + 24, 0x10000);
        ash_be32(h + 28, blocks);
        ash_be32(h + 32, VHD_BLOCK);
        ash_be32(h + 36, checksum(h, HEADER));
}

int ash_vhd_dynamic(const AshSparse *disk, const AshVhdOptions *o, AshSparse *out) {
        uint64_t blocks = (disk->size + VHD_BLOCK - 1) / VHD_BLOCK, table = FOOTER + HEADER, at;
        int r = valid(disk);
        if (r < 0)
                return r;
        size_t table_size = (size_t) ash_align_up(blocks * 4, SECTOR);
        put_footer(ash_sparse_room(out, 0, FOOTER), disk->size, o, DYNAMIC);
        put_header(ash_sparse_room(out, FOOTER, HEADER), table, (uint32_t) blocks);
        uint8_t *entries = ash_sparse_room(out, table, table_size);
        memset(entries, 0xff, table_size);
        at = table + table_size;
        /* Data begins at a page: then its pieces need not be cut. */
        at = ash_align_up(at + BITMAP, 4096) - BITMAP;
        size_t next = 0;
        for (uint64_t b = 0; b < blocks; b++) {
                AshSparseRange range = { b * VHD_BLOCK, (b + 1) * VHD_BLOCK };
                if (!ash_sparse_any(disk, &next, range))
                        continue;
                ash_be32(entries + 4 * b, (uint32_t) (at / SECTOR));
                memset(ash_sparse_room(out, at, BITMAP), 0xff, BITMAP);
                ash_sparse_copy(disk, next, range, at + BITMAP, out);
                at += BITMAP + VHD_BLOCK;
        }
        put_footer(ash_sparse_room(out, at, FOOTER), disk->size, o, DYNAMIC);
        out->size = at + FOOTER;
        return ash_sparse_sort(out);
}
