#include <sys/stat.h>
#include "model-tree.h"

#define LINKS_MAX 40

AshTree *ash_tree_new(void) {
        AshTree *t = ash_calloc(1, sizeof *t);
        t->arena = ash_arena_new();
        uint32_t origin = ash_tree_add_origin(t, ASH_ORIGIN_IMPLIED, ASH_S(""));
        AshTreeNode *root = ash_array_add(&t->nodes);
        *root = (AshTreeNode){ .name = ASH_S(""), .parent = ASH_NO_NODE, .mode = S_IFDIR | 0755, .user = ASH_S("root"), .group = ASH_S("root"), .hardlink = ASH_NO_NODE, .origin = origin };
        return t;
}

void ash_tree_free(AshTree *t) {
        if (!t)
                return;
        ash_array_foreach(&t->nodes, n)
                free(n->children);
        ash_array_done(&t->nodes);
        ash_array_done(&t->sources);
        ash_array_done(&t->origins);
        ash_arena_free(t->arena);
        free(t);
}

uint32_t ash_tree_add_source(AshTree *t, AshSlice id, const void *pack) {
        ash_array_push(&t->sources, ((AshTreeSource){ ash_arena_slice(t->arena, id), pack }));
        return (uint32_t) t->sources.n - 1;
}

uint32_t ash_tree_add_origin(AshTree *t, AshOriginKind kind, AshSlice name) {
        for (size_t i = t->origins.n; i-- > 0;)
                if (t->origins.items[i].kind == kind && ash_slice_eq(t->origins.items[i].name, name))
                        return (uint32_t) i;
        ash_array_push(&t->origins, ((AshOrigin){ kind, ash_arena_slice(t->arena, name) }));
        return (uint32_t) t->origins.n - 1;
}

/* Place of a name among the children, or where it would stand. */
static uint32_t place_of(const AshTree *t, const AshTreeNode *dir, AshSlice name, bool *ret_found) {
        uint32_t low = 0, high = dir->n_children;
        *ret_found = false;
        /* Packages list their files sorted, so the end is the likely place. */
        if (high && ash_slice_cmp(t->nodes.items[dir->children[high - 1]].name, name) < 0)
                return high;
        while (low < high) {
                uint32_t middle = (low + high) / 2;
                int c = ash_slice_cmp(t->nodes.items[dir->children[middle]].name, name);
                if (c == 0) {
                        *ret_found = true;
                        return middle;
                }
                if (c < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

AshNode ash_tree_child(const AshTree *t, AshNode dir, AshSlice name) {
        bool found;
        const AshTreeNode *d = ash_tree_node(t, dir);
        uint32_t place = place_of(t, d, name, &found);
        return found ? d->children[place] : ASH_NO_NODE;
}

int ash_tree_add(AshTree *t, AshNode dir, AshSlice name, uint32_t mode, uint32_t origin, AshNode *ret) {
        bool found;
        AshTreeNode *d = ash_tree_node(t, dir);
        if (!S_ISDIR(d->mode))
                return -ENOTDIR;
        uint32_t place = place_of(t, d, name, &found);
        if (found)
                return -EEXIST;
        if (d->n_children == d->cap_children) {
                d->cap_children = d->cap_children ? d->cap_children * 2 : 4;
                d->children = ash_realloc(d->children, d->cap_children, sizeof *d->children);
        }
        memmove(d->children + place + 1, d->children + place, (d->n_children - place) * sizeof *d->children);
        d->children[place] = (AshNode) t->nodes.n;
        d->n_children++;
        AshTreeNode *n = ash_array_add(&t->nodes);
        *n = (AshTreeNode){ .name = ash_arena_slice(t->arena, name), .parent = dir, .mode = mode, .user = ASH_S("root"), .group = ASH_S("root"), .hardlink = ASH_NO_NODE, .origin = origin };
        *ret = (AshNode) t->nodes.n - 1;
        return 0;
}

/* The next part of a path, empty and "." ones left out. */
static bool next_part(AshSlice *rest, AshSlice *ret) {
        while (ash_slice_split(rest, '/', ret))
                if (ret->len && !ash_slice_eqs(*ret, "."))
                        return true;
        return false;
}

/* A walk along a path through links. "rest" is what is still to go; a link's target is put in front of it. */
typedef struct Walk {
        const AshTree *t;
        AshNode at;
        _Alignas(16) char *text; /* owned: the path with links replaced */
        AshSlice rest;
        unsigned links;
        bool follow;
} Walk;

/* 1: went on to an existing node; 0: the part *ret does not exist below at; negative: cannot go there. */
static int step(Walk *w, AshSlice part, bool last) {
        const AshTreeNode *n = ash_tree_node(w->t, w->at);
        if (!S_ISDIR(n->mode))
                return -ENOTDIR;
        if (ash_slice_eqs(part, "..")) {
                w->at = w->at ? n->parent : 0;
                return 1;
        }
        AshNode child = ash_tree_child(w->t, w->at, part);
        if (child == ASH_NO_NODE)
                return 0;
        const AshTreeNode *c = ash_tree_node(w->t, child);
        if (!S_ISLNK(c->mode) || (last && !w->follow)) {
                w->at = child;
                return 1;
        }
        if (!w->follow || ++w->links > LINKS_MAX)
                return -ELOOP;
        char *text = ash_asprintf("%.*s/%.*s", ASH_F(c->link), w->rest.ptr ? (int) w->rest.len : 0, w->rest.ptr ? w->rest.ptr : "");
        free(w->text);
        w->text = text;
        w->rest = ash_slice_str(text);
        if (c->link.len && c->link.ptr[0] == '/')
                w->at = 0;
        return 1;
}

static bool is_last(AshSlice rest) {
        AshSlice part;
        return !next_part(&rest, &part);
}

AshNode ash_tree_lookup(const AshTree *t, AshSlice path, bool follow) {
        Walk w = { .t = t, .at = 0, .text = ash_slice_dup(path), .follow = follow };
        AshSlice part;
        int r = 1;
        w.rest = ash_slice_str(w.text);
        while (r > 0 && next_part(&w.rest, &part))
                r = step(&w, part, is_last(w.rest));
        free(w.text);
        return r > 0 ? w.at : ASH_NO_NODE;
}

AshSlice ash_tree_resolve(AshTree *t, AshSlice path) {
        Walk w = { .t = t, .at = 0, .text = ash_slice_dup(path), .follow = true };
        _str_ AshStr tail = {};
        AshSlice part;
        int r = 1;
        w.rest = ash_slice_str(w.text);
        while (r >= 0 && next_part(&w.rest, &part)) {
                if (tail.len) { /* below what does not exist there are no links */
                        ash_str_appendf(&tail, "/%.*s", ASH_F(part));
                        continue;
                }
                r = step(&w, part, is_last(w.rest));
                if (r == 0)
                        ash_str_appendf(&tail, "/%.*s", ASH_F(part));
        }
        free(w.text);
        if (r < 0)
                return ASH_NOSLICE;
        _str_ AshStr out = {};
        if (w.at)
                ash_tree_path(t, w.at, &out);
        ash_str_append(&out, ash_str_slice(&tail));
        if (!out.len)
                ash_str_append_char(&out, '/');
        return ash_arena_slice(t->arena, ash_str_slice(&out));
}

int ash_tree_make_dirs(AshTree *t, AshSlice path, uint32_t origin, AshNode *ret) {
        Walk w = { .t = t, .at = 0, .text = ash_slice_dup(path), .follow = true };
        AshSlice part;
        int r = 1;
        w.rest = ash_slice_str(w.text);
        while (r >= 0 && next_part(&w.rest, &part)) {
                r = step(&w, part, is_last(w.rest));
                if (r == 0)
                        r = ash_tree_add(t, w.at, part, S_IFDIR | 0755, origin, &w.at);
        }
        free(w.text);
        if (r >= 0 && !S_ISDIR(ash_tree_node(t, w.at)->mode))
                r = -ENOTDIR;
        if (r < 0)
                return r;
        *ret = w.at;
        return 0;
}

/* The place for a new thing at path: its directory made, what stands there removed unless keep says that it may stay. */
static int place_for(AshTree *t, AshSlice path, uint32_t origin, uint32_t keep_type, AshNode *ret_dir, AshNode *ret_old, AshSlice *ret_name) {
        while (path.len > 1 && path.ptr[path.len - 1] == '/')
                path.len--;
        *ret_name = ash_path_base(path);
        if (!ret_name->len || ash_slice_eqs(*ret_name, ".") || ash_slice_eqs(*ret_name, ".."))
                return -EINVAL;
        int r = ash_tree_make_dirs(t, ash_path_dir(path), origin, ret_dir);
        if (r < 0)
                return r;
        *ret_old = ash_tree_child(t, *ret_dir, *ret_name);
        if (*ret_old != ASH_NO_NODE && (ash_tree_node(t, *ret_old)->mode & S_IFMT) != keep_type) {
                if (S_ISDIR(ash_tree_node(t, *ret_old)->mode))
                        return -EISDIR;
                ash_tree_remove(t, *ret_old);
                *ret_old = ASH_NO_NODE;
        }
        return 0;
}

static void no_content(AshTreeNode *n) {
        static const uint8_t empty[32] = { 0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
                                           0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55 };
        n->content = (AshContent){ .kind = ASH_CONTENT_NONE };
        memcpy(n->content.sha256, empty, sizeof empty);
}

int ash_tree_put_file(AshTree *t, AshSlice path, AshSlice content, uint32_t mode, uint32_t origin, AshNode *ret) {
        AshNode dir, n;
        AshSlice name;
        int r = place_for(t, path, origin, S_IFREG, &dir, &n, &name);
        if (r >= 0 && n == ASH_NO_NODE)
                r = ash_tree_add(t, dir, name, S_IFREG | (mode & 07777), origin, &n);
        if (r < 0)
                return r;
        AshTreeNode *node = ash_tree_node(t, n);
        node->hardlink = ASH_NO_NODE;
        node->origin = origin;
        no_content(node);
        if (content.len) {
                node->content.kind = ASH_CONTENT_INLINE;
                node->content.length = content.len;
                node->content.data = ash_arena_slice(t->arena, content).ptr;
                memset(node->content.sha256, 0, sizeof node->content.sha256); /* ash_compose_content_digest() fills it in: no libcrypto here */
        }
        if (ret)
                *ret = n;
        return 0;
}

int ash_tree_put_symlink(AshTree *t, AshSlice path, AshSlice target, uint32_t origin, AshNode *ret) {
        AshNode dir, n;
        AshSlice name;
        int r = place_for(t, path, origin, S_IFLNK, &dir, &n, &name);
        if (r >= 0 && n == ASH_NO_NODE)
                r = ash_tree_add(t, dir, name, S_IFLNK | 0777, origin, &n);
        if (r < 0)
                return r;
        ash_tree_node(t, n)->link = ash_arena_slice(t->arena, target);
        ash_tree_node(t, n)->origin = origin;
        if (ret)
                *ret = n;
        return 0;
}

/* Names that share this node's content get a new first among them. */
static void hand_over(AshTree *t, AshNode n) {
        AshNode heir = ASH_NO_NODE;
        for (size_t i = 0; i < t->nodes.n; i++) {
                AshTreeNode *other = &t->nodes.items[i];
                if (other->hardlink != n || other->flags & ASH_NODE_REMOVED)
                        continue;
                if (heir == ASH_NO_NODE) {
                        heir = (AshNode) i;
                        other->hardlink = ASH_NO_NODE;
                        other->content = t->nodes.items[n].content;
                } else
                        other->hardlink = heir;
        }
}

void ash_tree_detach(AshTree *t, AshNode n) {
        AshTreeNode *node = ash_tree_node(t, n);
        if (node->hardlink == ASH_NO_NODE) {
                hand_over(t, n);
                return;
        }
        const AshTreeNode *first = ash_tree_node(t, node->hardlink);
        node->mode = first->mode;
        node->uid = first->uid;
        node->gid = first->gid;
        node->user = first->user;
        node->group = first->group;
        node->mtime = first->mtime;
        node->content = first->content;
        node->xattrs = first->xattrs;
        node->n_xattrs = first->n_xattrs;
        node->hardlink = ASH_NO_NODE;
}

void ash_tree_empty(AshTree *t, AshNode n) { no_content(ash_tree_node(t, n)); }

static void mark_removed(AshTree *t, AshNode n) {
        AshTreeNode *node = ash_tree_node(t, n);
        for (uint32_t i = 0; i < node->n_children; i++)
                mark_removed(t, node->children[i]);
        node = ash_tree_node(t, n);
        node->n_children = 0;
        node->flags |= ASH_NODE_REMOVED;
        if (S_ISREG(node->mode) && node->hardlink == ASH_NO_NODE)
                hand_over(t, n);
}

void ash_tree_remove(AshTree *t, AshNode n) {
        bool found;
        if (!n)
                return;
        AshTreeNode *dir = ash_tree_node(t, ash_tree_node(t, n)->parent);
        uint32_t place = place_of(t, dir, ash_tree_node(t, n)->name, &found);
        if (found) {
                memmove(dir->children + place, dir->children + place + 1, (dir->n_children - place - 1) * sizeof *dir->children);
                dir->n_children--;
        }
        mark_removed(t, n);
}

void ash_tree_set_xattr(AshTree *t, AshNode n, AshSlice name, AshSlice value) {
        AshTreeNode *node = ash_tree_node(t, n);
        AshXattr *fresh = ash_arena_new_items(t->arena, AshXattr, node->n_xattrs + 1);
        uint32_t k = 0;
        bool placed = !value.ptr;
        for (uint32_t i = 0; i < node->n_xattrs; i++) {
                int c = ash_slice_cmp(node->xattrs[i].name, name);
                if (c >= 0 && !placed) {
                        fresh[k++] = (AshXattr){ ash_arena_slice(t->arena, name), ash_arena_slice(t->arena, value) };
                        placed = true;
                }
                if (c != 0)
                        fresh[k++] = node->xattrs[i];
        }
        if (!placed)
                fresh[k++] = (AshXattr){ ash_arena_slice(t->arena, name), ash_arena_slice(t->arena, value) };
        node->xattrs = fresh;
        node->n_xattrs = k;
}

void ash_tree_path(const AshTree *t, AshNode n, AshStr *ret) {
        const AshTreeNode *node = ash_tree_node(t, n);
        if (n && node->parent)
                ash_tree_path(t, node->parent, ret);
        ash_str_append_char(ret, '/');
        ash_str_append(ret, node->name);
}

int ash_tree_walk(const AshTree *t, AshNode from, int (*fn)(void *context, const AshTree *t, AshNode n), void *context) {
        int r = fn(context, t, from);
        for (uint32_t i = 0; r >= 0 && i < ash_tree_node(t, from)->n_children; i++)
                r = ash_tree_walk(t, ash_tree_node(t, from)->children[i], fn, context);
        return r < 0 ? r : 0;
}

static int count_one(void *context, const AshTree *t _unused_, AshNode n _unused_) {
        ++*(size_t *) context;
        return 0;
}

size_t ash_tree_count(const AshTree *t) {
        size_t n = 0;
        ash_tree_walk(t, 0, count_one, &n);
        return n;
}
