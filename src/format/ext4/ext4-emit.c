/* A laid out file system as bytes. Offsets in superblock, descriptors and inodes are those of the kernel's ext4 documentation. */
#include <sys/stat.h>
#include "ext4-private.h"

enum { EXTRA = 32 /* bytes of an inode behind the first 128: i_extra_isize */ };

static uint64_t place(const AshExt4 *e, uint64_t block) { return e->at + block * BLOCK; }
static uint8_t *room(const AshExt4 *e, uint64_t block, size_t blocks) { return ash_sparse_room(e->out, place(e, block), blocks * BLOCK); }

/* ---- inodes ---- */
static void put_time(uint8_t *i, size_t low, size_t extra, int64_t t) {
        ash_le32(i + low, (uint32_t) t);
        ash_le32(i + extra, (uint32_t) ((uint64_t) (t - (int32_t) t) >> 32) & 3); /* the two bits that reach to the year 2446; no nanoseconds */
}

static void put_extents(uint8_t *at, uint32_t max, uint32_t depth, const Ext4Run *runs, uint32_t n) {
        ash_le16(at, 0xF30A);
        ash_le16(at + 2, n);
        ash_le16(at + 4, max);
        ash_le16(at + 6, depth);
        for (uint32_t k = 0; k < n; k++) {
                uint8_t *x = at + 12 + 12 * k;
                ash_le32(x, runs[k].logical);
                if (depth) {
                        ash_le32(x + 4, (uint32_t) runs[k].block);
                        ash_le16(x + 8, (uint32_t) (runs[k].block >> 32));
                        continue;
                }
                ash_le16(x + 4, runs[k].n);
                ash_le16(x + 6, (uint32_t) (runs[k].block >> 32));
                ash_le32(x + 8, (uint32_t) runs[k].block);
        }
}

static void put_leaves(AshExt4 *e, const Ext4Inode *i, uint8_t *raw) {
        Ext4Run leaves[EXTENTS_IN_INODE];
        for (uint32_t k = 0; k < i->n_leaves; k++) {
                const Ext4Run *runs = e->runs.items + i->first_run + (size_t) k * EXTENTS_IN_BLOCK;
                uint8_t *b = room(e, i->leaves[k], 1);
                leaves[k] = (Ext4Run){ i->leaves[k], runs->logical, 0 };
                put_extents(b, EXTENTS_IN_BLOCK, 0, runs, ASH_MIN(i->n_runs - k * EXTENTS_IN_BLOCK, (uint32_t) EXTENTS_IN_BLOCK));
                ash_le32(b + BLOCK - 4, ash_crc32c_raw(ash_ext4_inode_seed(e, i->ino), b, BLOCK - 4));
        }
        put_extents(raw + 40, EXTENTS_IN_INODE, 1, leaves, i->n_leaves);
}

static uint64_t blocks_of(const AshExt4 *e, const Ext4Inode *i) {
        uint64_t n = i->n_leaves + (i->xattr != 0);
        for (uint32_t k = 0; k < i->n_runs; k++)
                n += e->runs.items[i->first_run + k].n;
        return n;
}

static void put_device(uint8_t *at, uint32_t major, uint32_t minor) {
        if (major < 256 && minor < 256)
                ash_le32(at, major << 8 | minor);
        else
                ash_le32(at + 4, (minor & 0xff) | major << 8 | (minor & ~0xffU) << 12);
}

static void put_inode(AshExt4 *e, const Ext4Inode *i, uint8_t *raw) {
        static const AshExt4Node none = {};
        const AshExt4Node *n = i->node == UINT32_MAX ? &none : &e->nodes[i->node];
        int64_t mtime = i->node == UINT32_MAX ? e->o.time : n->mtime;
        uint64_t sectors = blocks_of(e, i) * (BLOCK / 512), xattr = i->xattr ? e->xattr_blocks.items[i->xattr - 1].block : 0;
        ash_le16(raw, i->mode);
        ash_le16(raw + 2, n->uid);
        ash_le16(raw + 24, n->gid);
        ash_le16(raw + 120, n->uid >> 16);
        ash_le16(raw + 122, n->gid >> 16);
        ash_le32(raw + 4, (uint32_t) i->size);
        ash_le32(raw + 108, (uint32_t) (i->size >> 32));
        ash_le16(raw + 128, EXTRA);
        put_time(raw, 8, 140, mtime);
        put_time(raw, 12, 132, e->o.time);
        put_time(raw, 16, 136, mtime);
        put_time(raw, 144, 148, e->o.time);
        ash_le16(raw + 26, i->links);
        ash_le32(raw + 28, (uint32_t) sectors);
        ash_le16(raw + 116, (uint32_t) (sectors >> 32));
        ash_le32(raw + 104, (uint32_t) xattr);
        ash_le16(raw + 118, (uint32_t) (xattr >> 32));
        ash_le32(raw + 32, i->flags | (i->blocks ? FLAG_EXTENTS : 0));
        if (i->n_leaves)
                put_leaves(e, i, raw);
        else if (i->blocks)
                put_extents(raw + 40, EXTENTS_IN_INODE, 0, e->runs.items + i->first_run, i->n_runs);
        else if (S_ISLNK(i->mode))
                memcpy(raw + 40, i->bytes.ptr, i->bytes.len);
        else if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
                put_device(raw + 40, n->major, n->minor);
        if (i->inside.len)
                memcpy(raw + 160, i->inside.ptr, i->inside.len);
}

static void seal_inode(const AshExt4 *e, uint32_t ino, uint8_t *raw) {
        ash_le16(raw + 124, 0);
        ash_le16(raw + 130, 0);
        uint32_t c = ash_crc32c_raw(ash_ext4_inode_seed(e, ino), raw, INODE);
        ash_le16(raw + 124, c);
        ash_le16(raw + 130, c >> 16);
}

/* ---- what the files hold ---- */
static void put_content(AshExt4 *e, const Ext4Inode *i) {
        for (uint32_t k = 0; k < i->n_runs; k++) {
                const Ext4Run *r = &e->runs.items[i->first_run + k];
                ash_sparse_put(e->out, place(e, r->block), ash_slice_sub(i->bytes, (size_t) r->logical * BLOCK, (size_t) r->n * BLOCK));
        }
}

/* An empty journal: only its superblock (jbd2, version 2; big endian). */
static void put_journal(AshExt4 *e, const Ext4Inode *i) {
        uint8_t *b = room(e, e->runs.items[i->first_run].block, 1);
        ash_be32(b, 0xC03B3998);
        ash_be32(b + 4, 4);
        ash_be32(b + 12, BLOCK);
        ash_be32(b + 16, e->shape.journal_blocks);
        ash_be32(b + 20, 1); /* first block of the log */
        ash_be32(b + 24, 1); /* sequence */
        ash_be32(b + 64, 1); /* users */
}

/* The blocks that are kept for descriptors of groups to come, as a file: its double indirect block names them, and each of them names its copies. */
static void put_resize(AshExt4 *e, uint8_t *raw) {
        const Ext4Shape *s = &e->shape;
        uint8_t *index = room(e, e->resize_block, 1);
        uint64_t blocks = 1, size = (1024ULL * 1024 + 1024 + 12) * BLOCK; /* all that direct, indirect and double indirect blocks reach */
        for (uint32_t i = 0; i < s->reserved_blocks; i++) {
                uint32_t slot = s->descriptor_blocks + i, own = 1 + slot, copies = 0;
                uint8_t *b = NULL;
                ash_le32(index + 4ULL * (slot % 1024), own);
                for (uint32_t g = 1; g < s->groups; g++) {
                        if (!ash_ext4_has_super(g))
                                continue;
                        b = b ? b : room(e, own, 1);
                        ash_le32(b + 4ULL * copies++, g * GROUP_BLOCKS + own);
                }
                blocks += 1 + copies;
        }
        ash_le32(raw + 40 + 4 * 13, (uint32_t) e->resize_block);
        ash_le32(raw + 28, (uint32_t) blocks * (BLOCK / 512));
        ash_le32(raw + 4, (uint32_t) size);
        ash_le32(raw + 108, (uint32_t) (size >> 32));
}

/* ---- groups ---- */
typedef struct Counts {
        uint32_t used_inodes, last_inode /* from 1; of the group */, directories, free_blocks;
} Counts;

static void put_inodes(AshExt4 *e, Counts *groups) {
        const Ext4Shape *s = &e->shape;
        uint8_t **tables = ash_arena_new_items(e->out->arena, uint8_t *, s->groups);
        uint32_t last = e->last_ino;
        for (uint32_t g = 0; g < s->groups && g * s->inodes_per_group < last; g++) {
                uint32_t n = ASH_MIN(s->inodes_per_group, last - g * s->inodes_per_group);
                tables[g] = room(e, s->tables[g], (n + INODES_PER_BLOCK - 1) / INODES_PER_BLOCK);
                groups[g].used_inodes = groups[g].last_inode = n;
        }
        for (uint32_t ino = 1; ino < INO_FIRST; ino++) { /* the reserved ones are in use, as empty ones */
                ash_le16(tables[0] + (ino - 1ULL) * INODE + 128, EXTRA);
                seal_inode(e, ino, tables[0] + (ino - 1ULL) * INODE);
        }
        ash_array_foreach(&e->inodes, i) {
                uint32_t g = (i->ino - 1) / s->inodes_per_group;
                uint8_t *raw = tables[g] + (uint64_t) ((i->ino - 1) % s->inodes_per_group) * INODE;
                if ((i->ino == INO_JOURNAL && !s->journal_blocks) || (i->ino == INO_RESIZE && !s->reserved_blocks))
                        continue;
                put_inode(e, i, raw);
                if (i->ino == INO_RESIZE)
                        put_resize(e, raw);
                seal_inode(e, i->ino, raw);
                groups[g].directories += S_ISDIR(i->mode);
                if (i->ino == INO_JOURNAL) {
                        memcpy(e->journal_map, raw + 40, sizeof e->journal_map);
                        put_journal(e, i);
                } else if (i->blocks)
                        put_content(e, i);
        }
}

static void set_bits(uint8_t *map, uint64_t from, uint64_t to) {
        for (; from < to && from % 8; from++)
                map[from / 8] |= (uint8_t) (1 << from % 8);
        for (; from + 8 <= to; from += 8)
                map[from / 8] = 0xff;
        for (; from < to; from++)
                map[from / 8] |= (uint8_t) (1 << from % 8);
}

/* Everything before the cursor is in use, and what is fixed behind it. */
static uint32_t put_block_bitmap(AshExt4 *e, uint32_t g, uint8_t *map) {
        const Ext4Shape *s = &e->shape;
        uint64_t start = (uint64_t) g * GROUP_BLOCKS, end = ASH_MIN(start + GROUP_BLOCKS, s->blocks);
        uint32_t free_blocks = 0;
        if (e->cursor > start)
                set_bits(map, 0, ASH_MIN(e->cursor, end) - start);
        ash_array_foreach(&s->fixed, f)
                if (f->end > start && f->start < end)
                        set_bits(map, ASH_MAX(f->start, start) - start, ASH_MIN(f->end, end) - start);
        set_bits(map, end - start, GROUP_BLOCKS);
        for (size_t i = 0; i < BLOCK; i++)
                free_blocks += 8 - (uint32_t) __builtin_popcount(map[i]);
        return free_blocks;
}

static void put_descriptor(const AshExt4 *e, uint32_t g, const Counts *c, const uint8_t *block_map, const uint8_t *inode_map, uint8_t *d) {
        enum { INODE_UNINIT = 1, ZEROED = 4 };
        const Ext4Shape *s = &e->shape;
        uint32_t free_inodes = s->inodes_per_group - c->used_inodes, unused = s->inodes_per_group - c->last_inode, group = 0;
        uint32_t block_sum = ash_crc32c_raw(e->seed, block_map, BLOCK), inode_sum = ash_crc32c_raw(e->seed, inode_map, s->inodes_per_group / 8);
        const struct { uint64_t value; size_t low, high; bool wide; } rows[] = {
                { s->block_bitmaps[g], 0, 32, true }, { s->inode_bitmaps[g], 4, 36, true }, { s->tables[g], 8, 40, true },
                { c->free_blocks, 12, 44, false },    { free_inodes, 14, 46, false },       { c->directories, 16, 48, false },
                { unused, 28, 50, false },            { block_sum, 24, 56, false },         { inode_sum, 26, 58, false },
        };
        for (size_t i = 0; i < ASH_N(rows); i++) {
                if (rows[i].wide) {
                        ash_le32(d + rows[i].low, (uint32_t) rows[i].value);
                        ash_le32(d + rows[i].high, (uint32_t) (rows[i].value >> 32));
                        continue;
                }
                ash_le16(d + rows[i].low, (uint32_t) rows[i].value);
                ash_le16(d + rows[i].high, (uint32_t) rows[i].value >> 16);
        }
        ash_le16(d + 18, ZEROED | (c->used_inodes ? 0 : INODE_UNINIT));
        ash_le32(&group, g);
        ash_le16(d + 30, ash_crc32c_raw(ash_crc32c_raw(e->seed, &group, 4), d, DESCRIPTOR));
}

static uint8_t *put_groups(AshExt4 *e, Counts *counts, AshExt4Usage *u) {
        const Ext4Shape *s = &e->shape;
        uint8_t *table = ash_arena_zalloc(e->out->arena, (size_t) s->descriptor_blocks * BLOCK);
        for (uint32_t g = 0; g < s->groups; g++) {
                uint8_t *block_map = room(e, s->block_bitmaps[g], 1), *inode_map = room(e, s->inode_bitmaps[g], 1);
                counts[g].free_blocks = put_block_bitmap(e, g, block_map);
                set_bits(inode_map, 0, counts[g].used_inodes);
                set_bits(inode_map, s->inodes_per_group, 8ULL * BLOCK);
                put_descriptor(e, g, &counts[g], block_map, inode_map, table + (size_t) g * DESCRIPTOR);
                u->free_blocks += counts[g].free_blocks;
                u->free_inodes += s->inodes_per_group - counts[g].used_inodes;
        }
        u->blocks = s->blocks;
        u->inodes = (uint64_t) s->inodes_per_group * s->groups;
        return table;
}

/* ---- superblocks ---- */
static void put_features(const AshExt4 *e, uint8_t *b) {
        enum { HAS_JOURNAL = 4, EXT_ATTR = 8, RESIZE_INODE = 0x10, DIR_INDEX = 0x20,
               FILETYPE = 2, EXTENTS = 0x40, BITS_64 = 0x80, FLEX_BG = 0x200,
               SPARSE_SUPER = 1, LARGE_FILE = 2, HUGE_FILE = 8, DIR_NLINK = 0x20, EXTRA_ISIZE = 0x40, METADATA_CSUM = 0x400 };
        ash_le32(b + 92, EXT_ATTR | DIR_INDEX | (e->shape.journal_blocks ? HAS_JOURNAL : 0) | (e->shape.reserved_blocks ? RESIZE_INODE : 0));
        ash_le32(b + 96, FILETYPE | EXTENTS | BITS_64 | FLEX_BG);
        ash_le32(b + 100, SPARSE_SUPER | LARGE_FILE | HUGE_FILE | DIR_NLINK | EXTRA_ISIZE | METADATA_CSUM);
}

/* The journal inode's map and size once more, for a time when its inode is damaged. */
static void put_journal_backup(const AshExt4 *e, uint8_t *b) {
        const Ext4Inode *j = &e->inodes.items[AT_JOURNAL];
        if (!e->shape.journal_blocks)
                return;
        ash_le32(b + 224, INO_JOURNAL);
        b[253] = 1;
        memcpy(b + 268, e->journal_map, sizeof e->journal_map);
        ash_le32(b + 268 + 60, (uint32_t) (j->size >> 32));
        ash_le32(b + 268 + 64, (uint32_t) j->size);
}

static void make_super(const AshExt4 *e, const AshExt4Usage *u, uint8_t b[static 1024]) {
        const Ext4Shape *s = &e->shape;
        uint64_t kept = s->blocks / 100; /* for root: a percent */
        uint32_t time = (uint32_t) e->o.time;
        const struct { size_t at; uint32_t value; } words[] = {
                { 0, (uint32_t) u->inodes }, { 4, (uint32_t) s->blocks }, { 8, (uint32_t) kept }, { 12, (uint32_t) u->free_blocks }, { 16, (uint32_t) u->free_inodes }, { 24, 2 }, { 28, 2 },
                { 32, GROUP_BLOCKS }, { 36, GROUP_BLOCKS }, { 40, s->inodes_per_group }, { 48, time }, { 64, time }, { 76, 1 }, { 84, INO_FIRST }, { 256, 0x0C /* user_xattr, acl */ }, { 264, time },
                { 336, (uint32_t) (s->blocks >> 32) }, { 340, (uint32_t) (kept >> 32) }, { 344, (uint32_t) (u->free_blocks >> 32) }, { 352, 1 /* signed hash */ },
        };
        const struct { size_t at; uint16_t value; } halves[] = {
                { 54, 0xffff }, { 56, 0xEF53 }, { 58, 1 /* clean */ }, { 60, 1 /* errors: go on */ }, { 88, INODE }, { 206, (uint16_t) s->reserved_blocks }, { 254, DESCRIPTOR }, { 348, EXTRA }, { 350, EXTRA },
        };
        for (size_t i = 0; i < ASH_N(words); i++)
                ash_le32(b + words[i].at, words[i].value);
        for (size_t i = 0; i < ASH_N(halves); i++)
                ash_le16(b + halves[i].at, halves[i].value);
        memcpy(b + 104, e->o.uuid, 16);
        if (e->o.label)
                memcpy(b + 120, e->o.label, strnlen(e->o.label, 16));
        if (e->o.mounted)
                memcpy(b + 136, e->o.mounted, strnlen(e->o.mounted, 63));
        memcpy(b + 236, e->o.hash_seed, 16);
        b[252] = 1; /* half MD4 */
        b[372] = (uint8_t) s->flex_log;
        b[373] = 1; /* crc32c */
        put_features(e, b);
        put_journal_backup(e, b);
}

static void put_supers(AshExt4 *e, const AshExt4Usage *u, const uint8_t *table) {
        const Ext4Shape *s = &e->shape;
        uint8_t super[1024] = {};
        make_super(e, u, super);
        for (uint32_t g = 0; g < s->groups; g++) {
                if (!ash_ext4_has_super(g))
                        continue;
                uint8_t *b = room(e, (uint64_t) g * GROUP_BLOCKS, 1 + s->descriptor_blocks), *at = g ? b : b + 1024;
                memcpy(at, super, sizeof super);
                ash_le16(at + 90, g);
                ash_le32(at + 1020, ash_crc32c_raw(~0U, at, 1020));
                memcpy(b + BLOCK, table, (size_t) s->descriptor_blocks * BLOCK);
        }
}

void ash_ext4_emit(AshExt4 *e, AshExt4Usage *ret) {
        _free_ Counts *counts = ash_calloc(e->shape.groups, sizeof *counts);
        AshExt4Usage u = {};
        put_inodes(e, counts);
        ash_array_foreach(&e->xattr_blocks, b)
                ash_ext4_xattr_block(e, b, room(e, b->block, 1));
        const uint8_t *table = put_groups(e, counts, &u);
        put_supers(e, &u, table);
        if (ret)
                *ret = u;
}
