/* What follows from the size of a file system: groups, tables, copies of the superblock, the journal. */
#include "ext4-private.h"

enum { RESERVED_MAX = 256 /* blocks of descriptors: room to grow to 2 TiB */, GROWTH = 1024, FLEX_LOG_MAX = 4, BYTES_PER_INODE = 16384, SPARE_INODES = 256 };

static bool is_power(uint64_t n, uint64_t of) {
        while (n > of && n % of == 0)
                n /= of;
        return n == of;
}

/* sparse_super: groups 0, 1 and powers of 3, 5 and 7. */
bool ash_ext4_has_super(uint64_t g) { return g <= 1 || is_power(g, 3) || is_power(g, 5) || is_power(g, 7); }

void ash_ext4_shape_done(Ext4Shape *s) {
        ash_array_done(&s->fixed);
        free(s->tables);
        free(s->block_bitmaps);
        free(s->inode_bitmaps);
        *s = (Ext4Shape){};
}

/* As mke2fs chooses it by default. */
static uint32_t journal_blocks(uint64_t blocks) {
        static const struct { uint64_t below; uint32_t journal; } rows[] = {
                { 2048, 0 }, { 32768, 1024 }, { 256 << 10, 4096 }, { 512 << 10, 8192 }, { 4096 << 10, 16384 }, { 8192 << 10, 32768 }, { 16384 << 10, 65536 }, { UINT64_MAX, 131072 },
        };
        size_t i = 0;
        while (blocks >= rows[i].below)
                i++;
        return rows[i].journal;
}

static void fix(Ext4Shape *s, uint64_t start, uint64_t n) {
        if (s->fixed.n && ash_array_last(&s->fixed)->end == start)
                ash_array_last(&s->fixed)->end += n;
        else
                ash_array_push(&s->fixed, ((Ext4Fixed){ start, start + n }));
        s->fixed_blocks += n;
}

/* Blocks at the start of a group: superblock, descriptors, room for more of them. */
static uint64_t head_blocks(const Ext4Shape *s, uint64_t group) { return ash_ext4_has_super(group) ? 1 + s->descriptor_blocks + s->reserved_blocks : 0; }

static int inodes(const AshExt4 *e, Ext4Shape *s) {
        uint64_t want = ASH_MAX(s->blocks * BLOCK / BYTES_PER_INODE, (uint64_t) e->last_ino + e->last_ino / 4 + SPARE_INODES), each = ash_align_up((want + s->groups - 1) / s->groups, INODES_PER_BLOCK);
        if (each > 8 * BLOCK)
                return -ENOSPC;
        s->inodes_per_group = (uint32_t) each;
        s->table_blocks = (uint32_t) each / INODES_PER_BLOCK;
        return 0;
}

/* Bitmaps and tables of flex groups lie together at the front of the first one's group: then little stands between the blocks of large files. */
static int place_tables(Ext4Shape *s) {
        uint32_t flex = 1U << s->flex_log;
        s->tables = ash_calloc(s->groups, sizeof *s->tables);
        s->block_bitmaps = ash_calloc(s->groups, sizeof *s->block_bitmaps);
        s->inode_bitmaps = ash_calloc(s->groups, sizeof *s->inode_bitmaps);
        for (uint32_t g = 0; g < s->groups; g++) {
                uint64_t start = (uint64_t) g * GROUP_BLOCKS, head = head_blocks(s, g);
                if (head)
                        fix(s, start, head);
                if (g % flex)
                        continue;
                uint32_t n = ASH_MIN(flex, s->groups - g);
                uint64_t at = start + head, need = (uint64_t) n * (2 + s->table_blocks);
                if (at + need > ASH_MIN(start + GROUP_BLOCKS, s->blocks))
                        return -ENOSPC;
                for (uint32_t i = 0; i < n; i++) {
                        s->block_bitmaps[g + i] = at + i;
                        s->inode_bitmaps[g + i] = at + n + i;
                        s->tables[g + i] = at + 2 * n + (uint64_t) i * s->table_blocks;
                }
                fix(s, at, need);
        }
        return 0;
}

int ash_ext4_shape(const AshExt4 *e, uint64_t blocks, Ext4Shape *ret) {
        Ext4Shape s = { .blocks = blocks };
        if (blocks < 64 || blocks > UINT32_MAX - 1ULL)
                return -ENOSPC;
        s.groups = (uint32_t) ((blocks + GROUP_BLOCKS - 1) / GROUP_BLOCKS);
        s.descriptor_blocks = (s.groups * DESCRIPTOR + BLOCK - 1) / BLOCK;
        uint64_t grown = ASH_MIN((uint64_t) s.groups * GROWTH, (uint64_t) RESERVED_MAX * BLOCK / DESCRIPTOR) * DESCRIPTOR / BLOCK;
        s.reserved_blocks = grown > s.descriptor_blocks ? (uint32_t) grown - s.descriptor_blocks : 0;
        s.journal_blocks = e->o.no_journal ? 0 : journal_blocks(blocks);
        int r = inodes(e, &s);
        if (r < 0)
                return r;
        /* A last group that could hold little more than its own head is left out. */
        uint64_t rest = blocks % GROUP_BLOCKS;
        if (s.groups > 1 && rest && rest < head_blocks(&s, s.groups - 1) + 2ULL + s.table_blocks + 64)
                return ash_ext4_shape(e, blocks - rest, ret);
        s.flex_log = FLEX_LOG_MAX;
        while (s.flex_log && (2ULL + s.table_blocks) << s.flex_log > GROUP_BLOCKS / 2)
                s.flex_log--;
        r = place_tables(&s);
        if (r < 0) {
                ash_ext4_shape_done(&s);
                return r;
        }
        *ret = s;
        return 0;
}
