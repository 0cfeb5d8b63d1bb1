/* The tree as a file system in a room, for programs to run in. The tree is the truth; the file system follows it. What a tree can hold and a room cannot: devices. */
#include <stdio.h>
#include <sys/xattr.h>
#include "scriptlets-private.h"

/* A node as it was last written. Strings are the tree's: where they did not change they are the same bytes in memory. */
typedef struct Shown {
        bool there;
        uint32_t mode, uid, gid;
        AshContent content;
        AshNode hardlink;
        const char *link;
        const AshXattr *xattrs;
        uint32_t n_xattrs;
} Shown;

struct AshMirror {
        AshTree *t;
        AshSandboxRoom *room;
        ASH_ARRAY(Shown) shown;      /* by node */
        const uint32_t *since;
        uint32_t time;
};

AshMirror *ash_mirror_new(AshTree *t, AshSandboxRoom *room) {
        AshMirror *m = ash_calloc(1, sizeof *m);
        m->t = t;
        m->room = room;
        return m;
}

void ash_mirror_free(AshMirror *m) {
        if (!m)
                return;
        ash_array_done(&m->shown);
        free(m);
}

static bool is_visible(const AshMirror *m, AshNode n) { return !(ash_tree_node(m->t, n)->flags & ASH_NODE_REMOVED) && m->since[n] <= m->time; }

static Shown shown_of(const AshMirror *m, AshNode n) {
        const AshTreeNode *node = ash_tree_node(m->t, n);
        return (Shown){ .there = is_visible(m, n), .mode = node->mode, .uid = node->uid, .gid = node->gid, .content = node->content, .hardlink = node->hardlink, .link = node->link.ptr, .xattrs = node->xattrs, .n_xattrs = node->n_xattrs };
}

static bool same_content(const AshContent *a, const AshContent *b) {
        return a->kind == b->kind && a->length == b->length && a->source == b->source && a->offset == b->offset && a->data == b->data;
}
static bool same(const Shown *a, const Shown *b) {
        return a->there == b->there && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid && same_content(&a->content, &b->content) && a->hardlink == b->hardlink && a->link == b->link &&
               a->xattrs == b->xattrs && a->n_xattrs == b->n_xattrs;
}

/* ---- in the room ---- */
static int problem(AshSandboxCall *c, const AshMirror *m, AshNode n, int r) {
        _str_ AshStr path = {};
        ash_tree_path(m->t, n, &path);
        snprintf(c->problem, sizeof c->problem, "%.200s: %s", path.ptr, ash_strerror(r));
        return r;
}

static int set_attributes(int dirfd, const char *name, const AshTreeNode *n) {
        char path[64];
        if (fchownat(dirfd, name, n->uid, n->gid, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        if (S_ISLNK(n->mode))
                return 0;
        if (fchmodat(dirfd, name, n->mode & 07777, 0) < 0)
                return -errno;
        _close_ int fd = n->n_xattrs || S_ISDIR(n->mode) ? openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
        if (fd < 0)
                return 0;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        for (uint32_t i = 0; i < n->n_xattrs; i++) {
                _free_ char *key = ash_slice_dup(n->xattrs[i].name);
                if (setxattr(path, key, n->xattrs[i].value.ptr, n->xattrs[i].value.len, 0) < 0)
                        return -errno;
        }
        return 0;
}

static int write_file(int dirfd, const char *name, AshSlice bytes) {
        _close_ int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        return fd < 0 ? -errno : ash_write_all(fd, bytes.ptr, bytes.len);
}

static int put_new(AshMirror *m, AshSandboxCall *c, int dirfd, const char *name, AshNode n) {
        const AshTreeNode *node = ash_tree_node(m->t, n);
        if (S_ISLNK(node->mode)) {
                _free_ char *target = ash_slice_dup(node->link);
                return symlinkat(target, dirfd, name) < 0 ? -errno : 0;
        }
        if (S_ISFIFO(node->mode))
                return mkfifoat(dirfd, name, 0600) < 0 ? -errno : 0;
        if (node->hardlink != ASH_NO_NODE && is_visible(m, node->hardlink)) {
                _str_ AshStr first = {};
                ash_tree_path(m->t, node->hardlink, &first);
                if (linkat(c->base, first.ptr + 1, dirfd, name, 0) == 0)
                        return 1;
                if (errno != ENOENT) /* its turn comes later: this one carries the bytes, and the other is written again as it was */
                        return -errno;
        }
        return write_file(dirfd, name, ash_compose_bytes(m->t, n));
}

static int put(AshMirror *m, AshSandboxCall *c, int dirfd, const char *name, AshNode n) {
        const AshTreeNode *node = ash_tree_node(m->t, n);
        int r = 0;
        if (S_ISCHR(node->mode) || S_ISBLK(node->mode) || S_ISSOCK(node->mode))
                return 0;
        if (S_ISDIR(node->mode)) {
                struct stat st;
                if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
                        r = ash_remove_all(dirfd, name);
                if (r >= 0 && mkdirat(dirfd, name, 0700) < 0 && errno != EEXIST)
                        r = -errno;
        } else {
                r = ash_remove_all(dirfd, name);
                if (r >= 0)
                        r = put_new(m, c, dirfd, name, n);
                if (r > 0)
                        return 0;
        }
        if (r >= 0)
                r = set_attributes(dirfd, name, node);
        if (r >= 0 && S_ISREG(node->mode)) {
                struct timespec times[2] = { { node->mtime, 0 }, { node->mtime, 0 } };
                (void) utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW);
        }
        return r;
}

static int sync_dir(AshMirror *m, AshSandboxCall *c, int dirfd, AshNode dir) {
        const AshTreeNode *d = ash_tree_node(m->t, dir);
        int r = 0;
        for (uint32_t i = 0; r >= 0 && i < d->n_children; i++) {
                AshNode n = d->children[i];
                Shown now = shown_of(m, n);
                if (!now.there)
                        continue;
                _free_ char *name = ash_slice_dup(ash_tree_node(m->t, n)->name);
                if (n >= m->shown.n || !same(&m->shown.items[n], &now))
                        r = put(m, c, dirfd, name, n);
                if (r < 0)
                        return problem(c, m, n, r);
                if (S_ISDIR(now.mode)) {
                        _close_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                        r = fd < 0 ? problem(c, m, n, -errno) : sync_dir(m, c, fd, n);
                }
        }
        return r;
}

static int sync_all(AshSandboxCall *c, void *data) {
        AshMirror *m = data;
        const AshTreeNode *root = ash_tree_node(m->t, 0);
        int r = 0;
        for (size_t n = m->shown.n; r >= 0 && n-- > 1;) { /* what is deeper has the higher number, mostly; what is gone with its directory is no error */
                if (!m->shown.items[n].there || is_visible(m, (AshNode) n))
                        continue;
                _str_ AshStr path = {};
                ash_tree_path(m->t, (AshNode) n, &path);
                r = ash_remove_all(c->base, path.ptr + 1);
                if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
                        r = 0;
        }
        if (r < 0)
                return r;
        r = set_attributes(c->base, ".", root);
        return r < 0 ? problem(c, m, 0, r) : sync_dir(m, c, c->base, 0);
}

int ash_mirror_sync(AshMirror *m, const uint32_t *since, uint32_t time, AshDiags *diags) {
        char what[256];
        m->since = since;
        m->time = time;
        int r = ash_sandbox_room_call(m->room, sync_all, m, NULL, what);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "cannot lay out the tree for the sandbox: %s", *what ? what : ash_strerror(r));
        while (m->shown.n < m->t->nodes.n)
                (void) ash_array_add(&m->shown);
        for (size_t n = 0; n < m->shown.n; n++)
                m->shown.items[n] = shown_of(m, (AshNode) n);
        return 0;
}
