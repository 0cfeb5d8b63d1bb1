/* A tree cut at the mount points, and its parts as file systems take them. */
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "disk-private.h"
#include "image.h"

enum { WEIGHTS = 5, NONE = 0xff };

/* ---- cutting ---- */
static void own(DiskSplit *s, AshNode n, uint8_t part) {
        for (size_t i = 0; i < s->partitions->n; i++)
                if (s->roots[i] == n)
                        part = (uint8_t) i;
        s->owner[n] = part;
        const AshTreeNode *node = ash_tree_node(s->tree, n);
        for (uint32_t i = 0; i < node->n_children; i++)
                own(s, node->children[i], part);
}

int ash_disk_split(DiskSplit *s) {
        const AshPartitions *p = s->partitions;
        s->roots = ash_arena_new_items(s->arena, AshNode, p->n);
        s->owner = ash_arena_new_items(s->arena, uint8_t, s->tree->nodes.n);
        for (size_t i = 0; i < p->n; i++) {
                s->roots[i] = p->items[i].mount.len ? ash_tree_lookup(s->tree, p->items[i].mount, false) : ASH_NO_NODE;
                if (s->roots[i] != ASH_NO_NODE && S_ISDIR(ash_tree_node(s->tree, s->roots[i])->mode))
                        continue;
                if (p->items[i].mount.len) /* compose makes mount points; a link or a file of a package is in the way */
                        return ash_fail(s->diags, -ASH_ERR_CONFIG, p->items[i].at, "the mount point '%.*s' is no directory of the image", ASH_F(p->items[i].mount));
        }
        own(s, 0, NONE);
        return 0;
}

static AshNode body_of(const AshTree *t, AshNode n) { return ash_tree_node(t, n)->hardlink == ASH_NO_NODE ? n : ash_tree_node(t, n)->hardlink; }

static int fail_at(const DiskSplit *s, AshNode n, const char *why) {
        _str_ AshStr path = {};
        ash_tree_path(s->tree, n, &path);
        return ash_fail(s->diags, -EINVAL, ASH_NOWHERE, "%.*s: %s", ASH_F(ash_str_slice(&path)), why);
}

/* ---- walking a partition: its nodes, and of partitions that are mounted in it the empty directory ---- */
typedef struct PartWalk {
        const DiskSplit *s;
        size_t part;
        int (*fn)(struct PartWalk *w, AshNode n, uint32_t parent, bool mounted, uint32_t *ret_index);
        uint32_t *index;             /* by node with content: its index in the partition + 1 */
        void *items;
        uint32_t n;
} PartWalk;

static int walk(PartWalk *w, AshNode n, uint32_t parent) {
        bool mounted = w->s->owner[n] != w->part;
        uint32_t own_index;
        int r = w->fn(w, n, parent, mounted, &own_index);
        const AshTreeNode *node = ash_tree_node(w->s->tree, n);
        for (uint32_t i = 0; r >= 0 && !mounted && i < node->n_children; i++)
                r = walk(w, node->children[i], own_index);
        return r;
}

static size_t count_nodes(const DiskSplit *s, size_t part) {
        size_t n = s->partitions->n;
        for (size_t i = 0; i < s->tree->nodes.n; i++)
                n += s->owner[i] == part;
        return n;
}

static int bytes_of(const DiskSplit *s, AshNode n, AshSlice *ret) {
        *ret = ash_image_bytes(s->tree, n);
        return ret->len == ash_tree_node(s->tree, body_of(s->tree, n))->content.length ? 0 : fail_at(s, n, "its content is not at hand");
}

/* A partition without files has its root, as the caller put it there. */
static int walk_part(PartWalk *w) {
        AshNode root = w->s->roots[w->part];
        w->n = root == ASH_NO_NODE;
        return w->n ? 0 : walk(w, root, 0);
}

/* ---- ext4 ---- */
static const AshExt4Xattr *xattrs_of(const DiskSplit *s, const AshTreeNode *node) {
        AshExt4Xattr *x = ash_arena_new_items(s->arena, AshExt4Xattr, node->n_xattrs);
        for (uint32_t i = 0; i < node->n_xattrs; i++)
                x[i] = (AshExt4Xattr){ node->xattrs[i].name, node->xattrs[i].value };
        return x;
}

static int add_ext4(PartWalk *w, AshNode n, uint32_t parent, bool mounted _unused_, uint32_t *ret_index) {
        const AshTreeNode *node = ash_tree_node(w->s->tree, n), *body = ash_tree_node(w->s->tree, body_of(w->s->tree, n));
        AshExt4Node *e = (AshExt4Node *) w->items + w->n;
        uint32_t *known = &w->index[body_of(w->s->tree, n)];
        *ret_index = w->n++;
        *e = (AshExt4Node){ .name = node->name, .parent = parent, .same = UINT32_MAX, .mode = node->mode, .uid = body->uid, .gid = body->gid, .major = major(node->rdev), .minor = minor(node->rdev), .mtime = body->mtime };
        if (!S_ISDIR(node->mode) && *known) {
                e->same = *known - 1;
                return 0;
        }
        *known = *ret_index + 1;
        e->mode = (node->mode & S_IFMT) | (body->mode & 07777);
        e->n_xattrs = body->n_xattrs;
        e->xattrs = body->n_xattrs ? xattrs_of(w->s, body) : NULL;
        if (S_ISLNK(node->mode))
                e->bytes = node->link;
        return S_ISREG(node->mode) ? bytes_of(w->s, n, &e->bytes) : 0;
}

int ash_disk_ext4_nodes(const DiskSplit *s, size_t part, AshExt4Node **ret, size_t *ret_n) {
        _free_ uint32_t *index = ash_calloc(s->tree->nodes.n, sizeof *index);
        PartWalk w = { .s = s, .part = part, .fn = add_ext4, .index = index, .items = ash_arena_new_items(s->arena, AshExt4Node, count_nodes(s, part)) };
        AshExt4Node *root = w.items;
        *root = (AshExt4Node){ .same = UINT32_MAX, .mode = S_IFDIR | 0755 };
        int r = walk_part(&w);
        if (r < 0)
                return r;
        root->name = ASH_NOSLICE;
        *ret = root;
        *ret_n = w.n;
        return 0;
}

/* ---- FAT ---- */
static int add_fat(PartWalk *w, AshNode n, uint32_t parent, bool mounted _unused_, uint32_t *ret_index) {
        const AshTreeNode *node = ash_tree_node(w->s->tree, n);
        AshFatNode *f = (AshFatNode *) w->items + w->n;
        *ret_index = w->n++;
        *f = (AshFatNode){ .name = node->name, .parent = parent, .directory = S_ISDIR(node->mode), .mtime = node->mtime };
        if (!S_ISDIR(node->mode) && !S_ISREG(node->mode))
                return fail_at(w->s, n, S_ISLNK(node->mode) ? "the file system of its partition is vfat, which has no symbolic links" : "the file system of its partition is vfat, which has no special files");
        return f->directory ? 0 : bytes_of(w->s, n, &f->bytes);
}

int ash_disk_fat_nodes(const DiskSplit *s, size_t part, AshFatNode **ret, size_t *ret_n) {
        PartWalk w = { .s = s, .part = part, .fn = add_fat, .items = ash_arena_new_items(s->arena, AshFatNode, count_nodes(s, part)) };
        AshFatNode *root = w.items;
        *root = (AshFatNode){ .directory = true };
        int r = walk_part(&w);
        if (r < 0)
                return r;
        *ret = root;
        *ret_n = w.n;
        return 0;
}

/* ---- what weighs ---- */
typedef struct Weight {
        uint32_t origin;
        uint64_t bytes;
} Weight;

static int by_weight(const void *a, const void *b) {
        const Weight *x = a, *y = b;
        return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : x->origin < y->origin ? -1 : 1;
}

void ash_disk_note_weights(const DiskSplit *s, size_t part) {
        _free_ Weight *w = ash_calloc(s->tree->origins.n + 1, sizeof *w);
        for (size_t i = 0; i < s->tree->origins.n; i++)
                w[i].origin = (uint32_t) i;
        for (size_t i = 0; i < s->tree->nodes.n; i++) {
                const AshTreeNode *n = ash_tree_node(s->tree, (AshNode) i);
                if (s->owner[i] == part && !(n->flags & ASH_NODE_REMOVED) && n->hardlink == ASH_NO_NODE)
                        w[n->origin].bytes += ash_align_up(n->content.length, ASH_EXT4_BLOCK);
        }
        qsort(w, s->tree->origins.n, sizeof *w, by_weight);
        for (size_t i = 0; i < ASH_MIN(s->tree->origins.n, (size_t) WEIGHTS) && w[i].bytes; i++) {
                const AshOrigin *o = &s->tree->origins.items[w[i].origin];
                ash_note(s->diags, ASH_NOWHERE, "%.1f MiB: %s%.*s", (double) w[i].bytes / (1 << 20), o->kind == ASH_ORIGIN_HANDLER ? "handler " : o->kind == ASH_ORIGIN_DEFINITION ? "definition " : "", ASH_F(o->name));
        }
}
