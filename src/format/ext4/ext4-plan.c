/* From nodes to inodes, and from inodes to blocks. */
#include <sys/stat.h>
#include "ext4-private.h"

enum { HOLE_MIN = 16 /* blocks of zeros that are worth a hole */, SEGMENTS_MAX = EXTENTS_IN_INODE * EXTENTS_IN_BLOCK - 300 /* the rest is for group borders */, NAME_BYTES = 255, LINKS_LIMIT = 65000, FAST_LINK = 60, MIB = 1 << 20 };

void ash_ext4_free(AshExt4 *e) {
        if (!e)
                return;
        ash_ext4_shape_done(&e->shape);
        ash_array_done(&e->inodes);
        ash_array_done(&e->segments);
        ash_array_done(&e->runs);
        ash_array_done(&e->xattr_blocks);
        free(e->inode_of);
        ash_arena_free(e->arena);
        free(e);
}

uint32_t ash_ext4_inode_seed(const AshExt4 *e, uint32_t ino) {
        uint8_t raw[8] = {}; /* number and generation; ours is 0 */
        ash_le32(raw, ino);
        return ash_crc32c_raw(e->seed, raw, sizeof raw);
}

/* ---- what there is ---- */
static bool all_zero(const char *p, size_t n) { return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0); }

static void add_segment(AshExt4 *e, Ext4Inode *i, uint64_t from, uint64_t to) {
        if (to == from)
                return;
        ash_array_push(&e->segments, ((Ext4Segment){ (uint32_t) from, (uint32_t) (to - from) }));
        i->n_segments++;
        e->wanted += to - from;
}

/* Runs of at least "hole" zero blocks become holes. */
static void cut_segments(AshExt4 *e, Ext4Inode *i, uint64_t hole) {
        uint64_t blocks = (i->size + BLOCK - 1) / BLOCK, start = 0, zero = 0;
        i->first_segment = (uint32_t) e->segments.n;
        i->n_segments = 0;
        for (uint64_t b = 0; b < blocks; b++) {
                AshSlice s = ash_slice_sub(i->bytes, (size_t) b * BLOCK, BLOCK);
                if (blocks >= hole && all_zero(s.ptr, s.len)) {
                        zero++;
                        continue;
                }
                if (zero >= hole) {
                        add_segment(e, i, start, b - zero);
                        start = b;
                }
                zero = 0;
        }
        if (zero < hole)
                zero = 0;
        add_segment(e, i, start, blocks - zero);
}

/* A file of very many holes keeps only the larger ones: its extents have to fit the leaves that its inode can name. */
static void find_segments(AshExt4 *e, Ext4Inode *i) {
        uint64_t before = e->wanted;
        for (uint64_t hole = HOLE_MIN;; hole *= 4) {
                cut_segments(e, i, hole);
                if (i->n_segments <= SEGMENTS_MAX)
                        return;
                e->segments.n = i->first_segment;
                e->wanted = before;
        }
}

static int bad(AshDiags *diags, const AshExt4Node *n, const char *why) { return ash_fail(diags, -EINVAL, ASH_NOWHERE, "ext4 cannot hold '%.*s': %s", ASH_F(n->name), why); }

static int check_node(const AshExt4 *e, size_t k, AshDiags *diags) {
        const AshExt4Node *n = &e->nodes[k];
        if (k && (!n->name.len || n->name.len > NAME_BYTES || memchr(n->name.ptr, '/', n->name.len) || memchr(n->name.ptr, 0, n->name.len) || ash_slice_eqs(n->name, ".") || ash_slice_eqs(n->name, "..")))
                return bad(diags, n, "this is no name of 1 to 255 bytes");
        if (k && (n->parent >= k || !S_ISDIR(e->nodes[n->parent].mode) || e->nodes[n->parent].same != UINT32_MAX))
                return bad(diags, n, "it is in no directory");
        if (n->same != UINT32_MAX)
                return n->same >= k || S_ISDIR(e->nodes[n->same].mode) || e->nodes[n->same].same != UINT32_MAX ? bad(diags, n, "it is another name of nothing") : 0;
        if (k == 0 && !S_ISDIR(n->mode))
                return bad(diags, n, "the root is no directory");
        if (S_ISLNK(n->mode) && (!n->bytes.len || n->bytes.len >= BLOCK))
                return bad(diags, n, "the target of a link has 1 to 4095 bytes");
        if (S_ISREG(n->mode) && n->bytes.len / BLOCK >= UINT32_MAX - 1)
                return bad(diags, n, "a file has less than 16 TiB");
        switch (n->mode & S_IFMT) {
        case S_IFREG: case S_IFDIR: case S_IFLNK: case S_IFCHR: case S_IFBLK: case S_IFIFO: case S_IFSOCK: return 0;
        default: return bad(diags, n, "it is of no type that is known");
        }
}

static Ext4Inode *special(AshExt4 *e, uint32_t ino, uint32_t mode, uint32_t links) {
        Ext4Inode *i = ash_array_add(&e->inodes);
        *i = (Ext4Inode){ .ino = ino, .node = UINT32_MAX, .mode = mode, .links = links };
        return i;
}

/* lost+found is the file system's own, unless the tree has it. e2fsck asks for it, with room in it. */
static uint32_t find_lost(const AshExt4 *e) {
        for (size_t k = 1; k < e->n_nodes; k++)
                if (e->nodes[k].parent == 0 && S_ISDIR(e->nodes[k].mode) && e->nodes[k].same == UINT32_MAX && ash_slice_eqs(e->nodes[k].name, "lost+found"))
                        return (uint32_t) k;
        return UINT32_MAX;
}

static int number(AshExt4 *e, AshDiags *diags) {
        uint32_t lost = find_lost(e), next = INO_FIRST + 1;
        e->inode_of = ash_calloc(e->n_nodes, sizeof *e->inode_of);
        special(e, INO_ROOT, S_IFDIR, 2)->node = 0;
        special(e, INO_RESIZE, S_IFREG | 0600, 1);
        special(e, INO_JOURNAL, S_IFREG | 0600, 1)->blocks = true;
        special(e, INO_FIRST, S_IFDIR | 0700, 2)->node = lost;
        for (size_t k = 0; k < e->n_nodes; k++) {
                const AshExt4Node *n = &e->nodes[k];
                int r = check_node(e, k, diags);
                if (r < 0)
                        return r;
                if (n->same != UINT32_MAX) {
                        e->inode_of[k] = e->inode_of[n->same];
                        if (++e->inodes.items[e->inode_of[k]].links >= LINKS_LIMIT)
                                return bad(diags, n, "its file has too many names");
                        continue;
                }
                e->inode_of[k] = k == 0 ? AT_ROOT : k == lost ? AT_LOST : (uint32_t) e->inodes.n;
                Ext4Inode *i = k == 0 || k == lost ? &e->inodes.items[e->inode_of[k]] : special(e, next++, n->mode, S_ISDIR(n->mode) ? 2 : 1);
                i->node = (uint32_t) k;
                i->mode = n->mode;
                i->bytes = S_ISREG(n->mode) || S_ISLNK(n->mode) ? n->bytes : ASH_NOSLICE;
                i->size = i->bytes.len;
                i->blocks = S_ISREG(n->mode) || (S_ISLNK(n->mode) && n->bytes.len >= FAST_LINK);
        }
        e->last_ino = next - 1;
        return 0;
}

static int attributes(AshExt4 *e, AshDiags *diags) {
        _map_ AshMap known = {};
        int r = 0;
        ash_array_foreach(&e->inodes, i)
                if (r >= 0 && i->node != UINT32_MAX && e->nodes[i->node].n_xattrs)
                        r = ash_ext4_xattrs(e, i, &e->nodes[i->node], &known, diags);
        e->wanted += e->xattr_blocks.n;
        return r;
}

int ash_ext4_new(const AshExt4Node *nodes, size_t n, const AshExt4Options *o, AshExt4 **ret, AshDiags *diags) {
        _cleanup_(ash_ext4_free_p) AshExt4 *e = ash_calloc(1, sizeof *e);
        *e = (AshExt4){ .arena = ash_arena_new(), .nodes = nodes, .n_nodes = n, .o = *o, .seed = ash_crc32c_raw(~0U, o->uuid, 16) };
        for (int i = 0; i < 4; i++)
                e->hash_seed[i] = (uint32_t) o->hash_seed[4 * i] | (uint32_t) o->hash_seed[4 * i + 1] << 8 | (uint32_t) o->hash_seed[4 * i + 2] << 16 | (uint32_t) o->hash_seed[4 * i + 3] << 24;
        if (!n || n > UINT32_MAX / 2)
                return ash_fail(diags, -EINVAL, ASH_NOWHERE, "ext4: %zu files are none or too many", n);
        int r = number(e, diags);
        if (r >= 0)
                r = ash_ext4_directories(e, diags);
        if (r >= 0)
                r = attributes(e, diags);
        if (r < 0)
                return r;
        ash_array_foreach(&e->inodes, i)
                if (i->blocks)
                        find_segments(e, i);
        e->inodes.items[AT_JOURNAL].first_segment = (uint32_t) e->segments.n; /* as long as each shape says */
        ash_array_push(&e->segments, ((Ext4Segment){ 0, 0 }));
        *ret = ASH_TAKE(e);
        return 0;
}

/* ---- blocks ---- */
/* Up to n blocks in one piece, behind what was given out before. 0: the end. */
static uint64_t take(AshExt4 *e, uint64_t n, uint64_t *ret) {
        const Ext4Shape *s = &e->shape;
        while (e->next_fixed < s->fixed.n && s->fixed.items[e->next_fixed].start <= e->cursor)
                e->cursor = ASH_MAX(e->cursor, s->fixed.items[e->next_fixed++].end);
        uint64_t limit = e->next_fixed < s->fixed.n ? s->fixed.items[e->next_fixed].start : s->blocks;
        n = ASH_MIN(n, limit - ASH_MIN(limit, e->cursor));
        *ret = e->cursor;
        e->cursor += n;
        return n;
}

static int take_one(AshExt4 *e, uint64_t *ret) { return take(e, 1, ret) == 1 ? 0 : -ENOSPC; }

static int give_blocks(AshExt4 *e, Ext4Inode *i) {
        i->first_run = (uint32_t) e->runs.n;
        i->n_leaves = 0;
        for (uint32_t k = 0; k < i->n_segments; k++) {
                Ext4Segment s = e->segments.items[i->first_segment + k];
                while (s.n) {
                        uint64_t block, n = take(e, ASH_MIN(s.n, (uint32_t) EXTENT_MAX), &block);
                        if (!n)
                                return -ENOSPC;
                        ash_array_push(&e->runs, ((Ext4Run){ block, s.logical, (uint32_t) n }));
                        s.logical += (uint32_t) n;
                        s.n -= (uint32_t) n;
                }
        }
        i->n_runs = (uint32_t) e->runs.n - i->first_run;
        if (i->n_runs <= EXTENTS_IN_INODE)
                return 0;
        i->n_leaves = (i->n_runs + EXTENTS_IN_BLOCK - 1) / EXTENTS_IN_BLOCK;
        if (i->n_leaves > EXTENTS_IN_INODE)
                return -EFBIG;
        int r = 0;
        for (uint32_t k = 0; r >= 0 && k < i->n_leaves; k++)
                r = take_one(e, &i->leaves[k]);
        return r;
}

static int allocate(AshExt4 *e) {
        int r = 0;
        e->cursor = e->next_fixed = 0;
        e->runs.n = 0;
        Ext4Inode *journal = &e->inodes.items[AT_JOURNAL];
        journal->size = (uint64_t) e->shape.journal_blocks * BLOCK;
        e->segments.items[journal->first_segment] = (Ext4Segment){ 0, e->shape.journal_blocks };
        journal->n_segments = e->shape.journal_blocks ? 1 : 0;
        if (e->shape.reserved_blocks)
                r = take_one(e, &e->resize_block);
        ash_array_foreach(&e->inodes, i)
                if (r >= 0 && S_ISDIR(i->mode))
                        r = give_blocks(e, i);
        ash_array_foreach(&e->xattr_blocks, b)
                if (r >= 0)
                        r = take_one(e, &b->block);
        ash_array_foreach(&e->inodes, i)
                if (r >= 0 && !S_ISDIR(i->mode) && i->blocks)
                        r = give_blocks(e, i);
        return r;
}

static int lay_out(AshExt4 *e, uint64_t blocks) {
        ash_ext4_shape_done(&e->shape);
        int r = ash_ext4_shape(e, blocks, &e->shape);
        return r < 0 ? r : allocate(e);
}

/* Does it fit, with that much left? */
static bool fits(AshExt4 *e, uint64_t blocks, uint64_t spare) {
        uint64_t ahead = 0;
        if (lay_out(e, blocks) < 0)
                return false;
        for (size_t i = e->next_fixed; i < e->shape.fixed.n; i++)
                ahead += e->shape.fixed.items[i].end - e->shape.fixed.items[i].start;
        return e->shape.blocks - ASH_MIN(e->shape.blocks, e->cursor + ahead) >= spare;
}

uint64_t ash_ext4_size(AshExt4 *e, unsigned percent, uint64_t bytes) {
        enum { STEP = MIB / BLOCK };
        uint64_t spare = e->wanted * percent / 100 + (bytes + BLOCK - 1) / BLOCK, low = (e->wanted + spare) / STEP, high = low + 8;
        while (!fits(e, high * STEP, spare)) {
                if (high * STEP > UINT32_MAX)
                        return high * MIB; /* more than there can be: laying it out will fail */
                low = high;
                high += ASH_MAX(high / 8, UINT64_C(8));
        }
        while (high - low > 1) { /* low does not fit; near a border of groups this may miss the very smallest by a little */
                uint64_t middle = (low + high) / 2;
                if (fits(e, middle * STEP, spare))
                        high = middle;
                else
                        low = middle;
        }
        return high * MIB;
}

int ash_ext4_put(AshExt4 *e, uint64_t size, uint64_t at, AshSparse *out, AshExt4Usage *ret) {
        int r = lay_out(e, size / BLOCK);
        if (r < 0)
                return r;
        e->at = at;
        e->out = out;
        ash_ext4_emit(e, ret);
        return 0;
}
