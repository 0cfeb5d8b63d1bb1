/* Directories: one block as a list, more as a hashed tree (dir_index). "Directory Entries" and "Hash Tree Directories" of the kernel's ext4 documentation. */
#include <sys/stat.h>
#include "ext4-private.h"

enum { TAIL = 12, ROOM = BLOCK - TAIL, LEAF_FILL = ROOM * 3 / 4 /* the rest is for names to come */, HALF_MD4 = 1, ROOT_ENTRIES = (BLOCK - 32 - 8) / 8, NODE_ENTRIES = (BLOCK - 8 - 8) / 8, LOST_BLOCKS = 4, LINKS_LIMIT = 65000 };

static uint8_t type_of(uint32_t mode) {
        switch (mode & S_IFMT) {
        case S_IFREG: return 1;
        case S_IFDIR: return 2;
        case S_IFCHR: return 3;
        case S_IFBLK: return 4;
        case S_IFIFO: return 5;
        case S_IFSOCK: return 6;
        default: return 7;
        }
}

static size_t entry_size(size_t name) { return 8 + ash_align_up(name, 4); }

static void put_entry(uint8_t *at, uint32_t ino, size_t length, AshSlice name, uint8_t type) {
        ash_le32(at, ino);
        ash_le16(at + 4, (uint32_t) length);
        at[6] = (uint8_t) name.len;
        at[7] = type;
        memcpy(at + 8, name.ptr, name.len);
}

/* ---- the hash of names: half of MD4's rounds over 32 bytes at a time ---- */
typedef struct Md4 {
        uint32_t a, b, c, d;
} Md4;
static uint32_t rotate(uint32_t v, int by) { return v << by | v >> (32 - by); }

static void md4_round(Md4 *m, int round, const uint32_t in[static 8]) {
        static const uint32_t constants[] = { 0, 0x5a827999, 0x6ed9eba1 };
        static const uint8_t order[3][8] = { { 0, 1, 2, 3, 4, 5, 6, 7 }, { 1, 3, 5, 7, 0, 2, 4, 6 }, { 3, 7, 2, 6, 1, 5, 0, 4 } }, shift[3][4] = { { 3, 7, 11, 19 }, { 3, 5, 9, 13 }, { 3, 9, 11, 15 } };
        for (int i = 0; i < 8; i++) {
                uint32_t mixed = round == 0 ? (m->d ^ (m->b & (m->c ^ m->d))) : round == 1 ? (m->b & m->c) + ((m->b ^ m->c) & m->d) : m->b ^ m->c ^ m->d;
                uint32_t sum = rotate(m->a + mixed + in[order[round][i]] + constants[round], shift[round][i % 4]);
                *m = (Md4){ m->d, sum, m->b, m->c };
        }
}

/* Up to 32 bytes as words, high byte first and signed as on x86; what is missing is filled with the length. */
static void words_of(AshSlice s, uint32_t ret[static 8]) {
        uint32_t pad = (uint32_t) s.len | (uint32_t) s.len << 8, value;
        pad |= pad << 16;
        for (size_t w = 0; w < 8; w++) {
                value = pad;
                for (size_t i = 4 * w; i < 4 * w + 4 && i < s.len; i++)
                        value = (uint32_t) (int8_t) s.ptr[i] + (value << 8);
                ret[w] = value;
        }
}

uint32_t ash_ext4_hash(const uint32_t seed[static 4], AshSlice name, uint32_t *ret_minor) {
        enum { END_OF_TREE = 0x7fffffff };
        Md4 all = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
        uint32_t words[8];
        if (seed[0] | seed[1] | seed[2] | seed[3])
                all = (Md4){ seed[0], seed[1], seed[2], seed[3] };
        for (AshSlice rest = name; rest.len; rest = ash_slice_from(rest, 32)) {
                Md4 m = all;
                words_of(rest, words);
                for (int round = 0; round < 3; round++)
                        md4_round(&m, round, words);
                all = (Md4){ all.a + m.a, all.b + m.b, all.c + m.c, all.d + m.d };
        }
        *ret_minor = all.c;
        uint32_t hash = all.b & ~1U;
        return hash == (uint32_t) END_OF_TREE << 1 ? (uint32_t) (END_OF_TREE - 1) << 1 : hash;
}

/* ---- one directory ---- */
typedef struct Name {
        AshSlice name;
        uint32_t ino, hash, minor;
        uint8_t type;
} Name;
typedef struct Directory {
        AshExt4 *e;
        Ext4Inode *inode;
        uint32_t parent_ino, seed;
        const Name *names;
        size_t n;
        uint8_t *blocks;
        size_t n_blocks, used;       /* used: of the last block */
} Directory;


static void finish_block(const Directory *d, uint8_t *b) {
        uint8_t *tail = b + ROOM;
        ash_le32(tail, 0);
        ash_le16(tail + 4, TAIL);
        tail[7] = 0xDE;
        ash_le32(tail + 8, ash_crc32c_raw(d->seed, b, ROOM));
}

static void add_name(Directory *d, uint8_t *block, size_t *used, size_t *last, const Name *n) {
        put_entry(block + *used, n->ino, entry_size(n->name.len), n->name, n->type);
        *last = *used;
        *used += entry_size(n->name.len);
        (void) d;
}

/* The last entry reaches up to the tail. */
static void stretch(uint8_t *block, size_t last) { ash_le16(block + last + 4, (uint32_t) (ROOM - last)); }

static void as_list(Directory *d) {
        size_t used = 0, last = 0;
        d->blocks = ash_arena_zalloc(d->e->arena, BLOCK);
        d->n_blocks = 1;
        add_name(d, d->blocks, &used, &last, &(Name){ .name = ASH_S("."), .ino = d->inode->ino, .type = 2 });
        add_name(d, d->blocks, &used, &last, &(Name){ .name = ASH_S(".."), .ino = d->parent_ino, .type = 2 });
        for (size_t i = 0; i < d->n; i++)
                add_name(d, d->blocks, &used, &last, &d->names[i]);
        stretch(d->blocks, last);
        finish_block(d, d->blocks);
}

/* Entries of the tree: the lowest hash below each block; the first has none, its place holds limit and count. */
static void put_index(const Directory *d, uint8_t *block, size_t at, uint32_t limit, const uint32_t *hashes, uint32_t first_child, uint32_t count) {
        uint8_t *tail = block + at + 8ULL * limit;
        ash_le16(block + at, limit);
        ash_le16(block + at + 2, count);
        ash_le32(block + at + 4, first_child);
        for (uint32_t i = 1; i < count; i++) {
                ash_le32(block + at + 8ULL * i, hashes[i]);
                ash_le32(block + at + 8ULL * i + 4, first_child + i);
        }
        uint32_t c = ash_crc32c_raw(d->seed, block, at + 8ULL * count);
        ash_le32(tail + 4, ash_crc32c_raw(c, "\0\0\0\0\0\0\0\0", 8)); /* the tail itself, its checksum as zero */
}

static int by_hash(const void *a, const void *b) {
        const Name *x = a, *y = b;
        if (x->hash != y->hash)
                return x->hash < y->hash ? -1 : 1;
        return x->minor < y->minor ? -1 : x->minor > y->minor ? 1 : ash_slice_cmp(x->name, y->name);
}

/* How many of the names from i on go into the next leaf. */
static size_t leaf_names(const Directory *d, size_t i) {
        size_t k = i, used = 0;
        for (; k < d->n && used + entry_size(d->names[k].name.len) <= LEAF_FILL; k++)
                used += entry_size(d->names[k].name.len);
        return k - i;
}

static void put_root(Directory *d, uint8_t levels) {
        uint8_t *b = d->blocks;
        put_entry(b, d->inode->ino, 12, ASH_S("."), 2);
        put_entry(b + 12, d->parent_ino, BLOCK - 12, ASH_S(".."), 2);
        b[28] = HALF_MD4;
        b[29] = 8; /* of this record */
        b[30] = levels;
}

static void as_tree(Directory *d, Name *names) {
        size_t leaves = 0, leaf = 0;
        for (size_t i = 0; i < d->n; i++)
                names[i].hash = ash_ext4_hash(d->e->hash_seed, names[i].name, &names[i].minor);
        qsort(names, d->n, sizeof *names, by_hash);
        for (size_t i = 0; i < d->n; i += leaf_names(d, i))
                leaves++;
        size_t nodes = leaves > ROOT_ENTRIES ? (leaves + NODE_ENTRIES - 1) / NODE_ENTRIES : 0;
        _free_ uint32_t *hashes = ash_calloc(leaves, sizeof *hashes), *upper = ash_calloc(nodes + 1, sizeof *upper);
        d->n_blocks = 1 + nodes + leaves;
        d->blocks = ash_arena_zalloc(d->e->arena, d->n_blocks * BLOCK);
        put_root(d, nodes ? 1 : 0);
        for (size_t i = 0, end; i < d->n; i = end, leaf++) {
                uint8_t *b = d->blocks + (1 + nodes + leaf) * BLOCK;
                size_t used = 0, last = 0;
                end = i + leaf_names(d, i);
                /* The lowest bit says that names with this hash are in the block before, too. */
                hashes[leaf] = names[i].hash | (i && names[i - 1].hash == names[i].hash);
                for (size_t k = i; k < end; k++)
                        add_name(d, b, &used, &last, &names[k]);
                stretch(b, last);
                finish_block(d, b);
        }
        for (size_t k = 0; k < nodes; k++) {
                uint8_t *b = d->blocks + (1 + k) * BLOCK;
                uint32_t count = (uint32_t) ASH_MIN(leaves - k * NODE_ENTRIES, (size_t) NODE_ENTRIES);
                upper[k] = hashes[k * NODE_ENTRIES];
                ash_le16(b + 4, BLOCK); /* an empty entry over all of it, for those who read lists only */
                put_index(d, b, 8, NODE_ENTRIES, hashes + k * NODE_ENTRIES, (uint32_t) (1 + nodes + k * NODE_ENTRIES), count);
        }
        put_index(d, d->blocks, 32, ROOT_ENTRIES, nodes ? upper : hashes, 1, (uint32_t) (nodes ? nodes : leaves));
        d->inode->flags |= FLAG_INDEX;
}

/* Empty blocks, for what e2fsck finds. */
static void as_lost(Directory *d) {
        d->n_blocks = LOST_BLOCKS;
        d->blocks = ash_arena_zalloc(d->e->arena, d->n_blocks * BLOCK);
        put_entry(d->blocks, d->inode->ino, 12, ASH_S("."), 2);
        put_entry(d->blocks + 12, d->parent_ino, ROOM - 12, ASH_S(".."), 2);
        for (size_t i = 0; i < d->n_blocks; i++) {
                if (i)
                        ash_le16(d->blocks + i * BLOCK + 4, ROOM);
                finish_block(d, d->blocks + i * BLOCK);
        }
}

static int make_directory(AshExt4 *e, Ext4Inode *i, uint32_t parent_ino, Name *names, size_t n, AshDiags *diags) {
        Directory d = { .e = e, .inode = i, .parent_ino = parent_ino, .seed = ash_ext4_inode_seed(e, i->ino), .names = names, .n = n };
        size_t bytes = 24, subdirs = 0;
        for (size_t k = 0; k < n; k++) {
                bytes += entry_size(names[k].name.len);
                subdirs += names[k].type == 2;
        }
        if (i->ino == INO_FIRST && !n)
                as_lost(&d);
        else if (bytes <= ROOM)
                as_list(&d);
        else
                as_tree(&d, names);
        if (d.n_blocks > 1ULL + (uint64_t) ROOT_ENTRIES * (1 + NODE_ENTRIES))
                return ash_fail(diags, -E2BIG, ASH_NOWHERE, "ext4: a directory has too many names (%zu)", n);
        i->bytes = ash_slice((char *) d.blocks, d.n_blocks * BLOCK);
        i->size = i->bytes.len;
        i->blocks = true;
        i->links = 2 + subdirs >= LINKS_LIMIT ? 1 : (uint32_t) (2 + subdirs); /* dir_nlink: 1 says "many" */
        return 0;
}

static int no_duplicates(const AshExt4 *e, const Name *names, size_t n, AshDiags *diags) {
        for (size_t i = 1; i < n; i++)
                if (ash_slice_eq(names[i - 1].name, names[i].name))
                        return ash_fail(diags, -EEXIST, ASH_NOWHERE, "ext4: the name '%.*s' is there twice", ASH_F(names[i].name));
        (void) e;
        return 0;
}

static int by_name(const void *a, const void *b) { return ash_slice_cmp(((const Name *) a)->name, ((const Name *) b)->name); }

int ash_ext4_directories(AshExt4 *e, AshDiags *diags) {
        /* Names sorted into their directories: how many each has, where its first is, then one pass that fills them in. */
        _free_ uint32_t *start = ash_calloc(e->n_nodes + 2, sizeof *start);
        _free_ Name *names = ash_calloc(e->n_nodes + 1, sizeof *names);
        bool own_lost = e->inodes.items[AT_LOST].node == UINT32_MAX;
        for (size_t k = 1; k < e->n_nodes; k++)
                start[e->nodes[k].parent + 2]++;
        start[2] += own_lost;
        for (size_t k = 2; k < e->n_nodes + 2; k++)
                start[k] += start[k - 1];
        if (own_lost)
                names[start[1]++] = (Name){ .name = ASH_S("lost+found"), .ino = INO_FIRST, .type = 2 };
        for (size_t k = 1; k < e->n_nodes; k++) {
                const Ext4Inode *i = &e->inodes.items[e->inode_of[k]];
                names[start[e->nodes[k].parent + 1]++] = (Name){ .name = e->nodes[k].name, .ino = i->ino, .type = type_of(i->mode) };
        }
        int r = 0;
        for (size_t k = 0; r >= 0 && k < e->n_nodes; k++) {
                if (e->nodes[k].same != UINT32_MAX || !S_ISDIR(e->nodes[k].mode))
                        continue;
                Name *first = names + start[k];
                size_t n = start[k + 1] - start[k];
                if (n)
                        qsort(first, n, sizeof *first, by_name);
                r = no_duplicates(e, first, n, diags);
                if (r >= 0)
                        r = make_directory(e, &e->inodes.items[e->inode_of[k]], e->inodes.items[e->inode_of[e->nodes[k].parent]].ino, first, n, diags);
        }
        return r < 0 || !own_lost ? r : make_directory(e, &e->inodes.items[AT_LOST], INO_ROOT, names, 0, diags);
}
