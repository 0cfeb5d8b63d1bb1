#include "qcow2.h"

enum { BITS = 16, CLUSTER = 1 << BITS, L2_ENTRIES = CLUSTER / 8, REFCOUNTS = CLUSTER / 2 /* of 16 bits each */, HEADER = 104 };
#define COPIED (UINT64_C(1) << 63) /* its reference count is one: it may be written in place */

/* Numbers of clusters, in the order in which they lie: header, reference table, reference blocks, L1 table, L2 tables, data. */
typedef struct Shape {
        uint64_t guests, data, l1_entries, l1, l2, blocks, table;
} Shape;

static Shape shape_of(const AshSparse *disk) {
        Shape s = { .guests = (disk->size + CLUSTER - 1) / CLUSTER };
        size_t next = 0;
        s.l1_entries = (s.guests + L2_ENTRIES - 1) / L2_ENTRIES;
        s.l1 = (s.l1_entries * 8 + CLUSTER - 1) / CLUSTER;
        for (uint64_t i = 0, last = UINT64_MAX; i < s.guests; i++) {
                if (!ash_sparse_any(disk, &next, (AshSparseRange){ i * CLUSTER, (i + 1) * CLUSTER }))
                        continue;
                s.data++;
                s.l2 += i / L2_ENTRIES != last;
                last = i / L2_ENTRIES;
        }
        /* Reference blocks count themselves, too. */
        for (uint64_t before = UINT64_MAX; before != s.blocks + s.table;) {
                before = s.blocks + s.table;
                s.blocks = (1 + s.table + s.blocks + s.l1 + s.l2 + s.data + REFCOUNTS - 1) / REFCOUNTS;
                s.table = (s.blocks * 8 + CLUSTER - 1) / CLUSTER;
        }
        return s;
}

static void put_header(uint8_t *h, const AshSparse *disk, const Shape *s) {
        memcpy(h, "QFI\xfb", 4);
        ash_be32(h + 4, 3);
        ash_be32(h + 20, BITS);
        ash_be64(h + 24, disk->size);
        ash_be32(h + 36, (uint32_t) s->l1_entries);
        ash_be64(h + 40, (1 + s->table + s->blocks) * CLUSTER);
        ash_be64(h + 48, CLUSTER); /* the reference table */
        ash_be32(h + 56, (uint32_t) s->table);
        ash_be32(h + 96, 4);       /* 16 bits for each reference count */
        ash_be32(h + 100, HEADER);
}

static void put_references(AshSparse *out, const Shape *s, uint64_t clusters) {
        uint8_t *table = ash_sparse_room(out, CLUSTER, (size_t) s->table * CLUSTER), *counts = ash_sparse_room(out, (1 + s->table) * CLUSTER, (size_t) s->blocks * CLUSTER);
        for (uint64_t i = 0; i < s->blocks; i++)
                ash_be64(table + 8 * i, (1 + s->table + i) * CLUSTER);
        for (uint64_t i = 0; i < clusters; i++)
                ash_be16(counts + 2 * i, 1);
}

int ash_qcow2(const AshSparse *disk, AshSparse *out) {
        if (!disk->size || disk->size % 512 || disk->size > UINT64_C(1) << 50)
                return -EINVAL;
        Shape s = shape_of(disk);
        uint64_t l1_at = 1 + s.table + s.blocks, l2_at = l1_at + s.l1, at = l2_at + s.l2, clusters = at + s.data;
        put_header(ash_sparse_room(out, 0, HEADER + 8 /* no extensions */), disk, &s);
        put_references(out, &s, clusters);
        uint8_t *l1 = ash_sparse_room(out, l1_at * CLUSTER, (size_t) s.l1 * CLUSTER), *l2 = NULL;
        size_t next = 0;
        for (uint64_t i = 0, last = UINT64_MAX; i < s.guests; i++) {
                AshSparseRange range = { i * CLUSTER, (i + 1) * CLUSTER };
                if (!ash_sparse_any(disk, &next, range))
                        continue;
                if (i / L2_ENTRIES != last) {
                        last = i / L2_ENTRIES;
                        ash_be64(l1 + 8 * last, l2_at * CLUSTER | COPIED);
                        l2 = ash_sparse_room(out, l2_at++ * CLUSTER, CLUSTER);
                }
                ash_be64(l2 + 8 * (i % L2_ENTRIES), at * CLUSTER | COPIED);
                ash_sparse_copy(disk, next, range, at++ * CLUSTER, out);
        }
        out->size = clusters * CLUSTER;
        return ash_sparse_sort(out);
}
