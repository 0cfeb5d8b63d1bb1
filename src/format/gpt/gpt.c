#include "gpt.h"
#include "io.h"
#include "io-crc.h"

enum { SECTOR = ASH_GPT_SECTOR, ENTRY = 128, TABLE = ASH_GPT_ENTRIES * ENTRY, TABLE_SECTORS = TABLE / SECTOR, HEADER = 92, LABEL_UNITS = 36 };

int ash_uuid_parse(AshSlice text, uint8_t ret[static 16]) {
        static const uint8_t dashes[] = { 8, 13, 18, 23 };
        char hex[33];
        size_t n = 0;
        if (text.len != 36)
                return -EINVAL;
        for (size_t i = 0; i < 36; i++) {
                if (memchr(dashes, (int) i, sizeof dashes)) {
                        if (text.ptr[i] != '-')
                                return -EINVAL;
                        continue;
                }
                hex[n++] = text.ptr[i];
        }
        return ash_unhex(ash_slice(hex, 32), ret, 16);
}

void ash_uuid_text(const uint8_t u[static 16], char ret[static 37]) {
        char hex[33];
        ash_hex(u, 16, hex);
        snprintf(ret, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

/* The first three fields are little endian on disk. */
static void put_guid(uint8_t *to, const uint8_t u[static 16]) {
        static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
        for (size_t i = 0; i < 16; i++)
                to[i] = u[order[i]];
}

/* One code point of valid UTF-8. */
static uint32_t next_rune(AshSlice *s) {
        const uint8_t *p = (const uint8_t *) s->ptr;
        size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
        uint32_t c = n == 1 ? p[0] : p[0] & (0x7fU >> n);
        for (size_t i = 1; i < n; i++)
                c = c << 6 | (p[i] & 0x3f);
        *s = ash_slice_from(*s, n);
        return c;
}

static int put_label(uint8_t *to, const char *label) {
        AshSlice s = ash_slice_str(label);
        size_t n = 0;
        if (!ash_utf8_valid(s, NULL))
                return -ASH_ERR_LIMIT;
        while (s.len) {
                uint32_t c = next_rune(&s);
                if (n + (c > 0xffff) >= LABEL_UNITS)
                        return -ASH_ERR_LIMIT;
                if (c > 0xffff) {
                        ash_le16(to + 2 * n++, 0xd800 + ((c - 0x10000) >> 10));
                        c = 0xdc00 + ((c - 0x10000) & 0x3ff);
                }
                ash_le16(to + 2 * n++, c);
        }
        return 0;
}

static int put_entries(const AshGptPartition *p, size_t n, uint64_t size, uint8_t *table) {
        for (size_t i = 0; i < n; i++, table += ENTRY) {
                if (!p[i].size || p[i].offset % SECTOR || p[i].size % SECTOR || p[i].offset < (2 + TABLE_SECTORS) * SECTOR || p[i].offset > size || p[i].size > size - p[i].offset ||
                    size - p[i].offset - p[i].size < (1 + TABLE_SECTORS) * SECTOR)
                        return -EINVAL;
                for (size_t k = 0; k < i; k++)
                        if (p[i].offset < p[k].offset + p[k].size && p[k].offset < p[i].offset + p[i].size)
                                return -EINVAL;
                put_guid(table, p[i].type);
                put_guid(table + 16, p[i].uuid);
                ash_le64(table + 32, p[i].offset / SECTOR);
                ash_le64(table + 40, (p[i].offset + p[i].size) / SECTOR - 1);
                ash_le64(table + 48, p[i].attributes);
                int r = p[i].label ? put_label(table + 56, p[i].label) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static void put_header(uint8_t *h, const uint8_t disk[static 16], uint64_t sectors, uint64_t own, uint64_t other, uint64_t table, uint32_t table_sum) {
        memcpy(h, "EFI PART", 8);
        ash_le32(h + 8, 0x10000); /* revision 1.0 */
        ash_le32(h + 12, HEADER);
        ash_le64(h + 24, own);
        ash_le64(h + 32, other);
        ash_le64(h + 40, 2 + TABLE_SECTORS);
        ash_le64(h + 48, sectors - 2 - TABLE_SECTORS);
        put_guid(h + 56, disk);
        ash_le64(h + 72, table);
        ash_le32(h + 80, ASH_GPT_ENTRIES);
        ash_le32(h + 84, ENTRY);
        ash_le32(h + 88, table_sum);
        ash_le32(h + 16, ash_crc32(0, h, HEADER));
}

/* One partition of type EE over all of the disk, so that tools without GPT leave it alone. */
static void put_mbr(uint8_t *b, uint64_t sectors) {
        static const uint8_t record[] = { 0, 0, 2, 0, 0xEE, 0xff, 0xff, 0xff };
        memcpy(b + 446, record, sizeof record);
        ash_le32(b + 454, 1);
        ash_le32(b + 458, (uint32_t) ASH_MIN(sectors - 1, UINT64_C(0xffffffff)));
        b[510] = 0x55;
        b[511] = 0xAA;
}

int ash_gpt_put(const AshGptPartition *p, size_t n, const uint8_t disk[static 16], uint64_t size, AshSparse *out) {
        uint64_t sectors = size / SECTOR;
        if (n > ASH_GPT_ENTRIES)
                return -ASH_ERR_LIMIT;
        if (size % SECTOR || sectors < 4 + 2 * TABLE_SECTORS)
                return -EINVAL;
        uint8_t *front = ash_arena_zalloc(out->arena, 2 * SECTOR + TABLE), *back = ash_arena_zalloc(out->arena, TABLE + SECTOR), *table = front + 2 * SECTOR;
        int r = put_entries(p, n, size, table);
        if (r < 0)
                return r;
        uint32_t sum = ash_crc32(0, table, TABLE);
        memcpy(back, table, TABLE);
        put_mbr(front, sectors);
        put_header(front + SECTOR, disk, sectors, 1, sectors - 1, 2, sum);
        put_header(back + TABLE, disk, sectors, sectors - 1, 1, sectors - 1 - TABLE_SECTORS, sum);
        ash_sparse_put(out, 0, ash_slice((char *) front, 2 * SECTOR + TABLE));
        ash_sparse_put(out, size - TABLE - SECTOR, ash_slice((char *) back, TABLE + SECTOR));
        return 0;
}
