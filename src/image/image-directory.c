/* A plain directory, as whoever runs this may make it. */
#include "image.h"

typedef struct Dirs {
        const AshTree *t;
        int root;
        AshSlice *first;             /* by node with content: the path that was written */
        AshArena *arena;
        AshStr path;
        AshDiags *diags;
} Dirs;

static int failed(Dirs *d, int r) { return ash_fail(d->diags, r, ASH_NOWHERE, "cannot write %.*s: %s", ASH_F(ash_str_slice(&d->path)), ash_strerror(r)); }

static int set_time(int dirfd, const char *name, int64_t mtime) {
        struct timespec times[2] = { { .tv_sec = mtime }, { .tv_sec = mtime } };
        return utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int write_file(Dirs *d, int dirfd, const char *name, AshNode n) {
        const AshTreeNode *node = ash_tree_node(d->t, n);
        AshNode body = node->hardlink == ASH_NO_NODE ? n : node->hardlink;
        if (d->first[body].ptr)
                return linkat(d->root, d->first[body].ptr, dirfd, name, 0) < 0 ? failed(d, -errno) : 0;
        AshSlice bytes = ash_image_bytes(d->t, n);
        if (bytes.len != ash_tree_node(d->t, body)->content.length)
                return ash_fail(d->diags, -EIO, ASH_NOWHERE, "the content of %.*s is not at hand", ASH_F(ash_str_slice(&d->path)));
        _close_ int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return failed(d, -errno);
        int r = ash_write_all(fd, bytes.ptr, bytes.len);
        if (r >= 0 && fchmod(fd, node->mode & 0777) < 0)
                r = -errno;
        if (r >= 0)
                r = set_time(dirfd, name, node->mtime);
        d->first[body] = ash_arena_slice(d->arena, ash_str_slice(&d->path));
        return r < 0 ? failed(d, r) : 0;
}

static int write_below(Dirs *d, int dirfd, AshNode dir);

static int write_node(Dirs *d, int dirfd, AshNode n) {
        const AshTreeNode *node = ash_tree_node(d->t, n);
        _free_ char *name = ash_slice_dup(node->name);
        if (S_ISREG(node->mode))
                return write_file(d, dirfd, name, n);
        if (S_ISLNK(node->mode)) {
                _free_ char *target = ash_slice_dup(node->link);
                if (symlinkat(target, dirfd, name) < 0)
                        return failed(d, -errno);
                return set_time(dirfd, name, node->mtime) < 0 ? failed(d, -errno) : 0;
        }
        if (S_ISFIFO(node->mode))
                return mkfifoat(dirfd, name, node->mode & 0777) < 0 ? failed(d, -errno) : 0;
        if (!S_ISDIR(node->mode))
                return 0; /* devices: only the sidecar has them */
        if (mkdirat(dirfd, name, 0700) < 0)
                return failed(d, -errno);
        _close_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return failed(d, -errno);
        int r = write_below(d, fd, n);
        if (r >= 0 && fchmod(fd, node->mode & 0777) < 0)
                r = failed(d, -errno);
        return r < 0 ? r : set_time(dirfd, name, node->mtime);
}

static int write_below(Dirs *d, int dirfd, AshNode dir) {
        size_t len = d->path.len;
        int r = 0;
        for (uint32_t i = 0; r >= 0 && i < ash_tree_node(d->t, dir)->n_children; i++) {
                AshNode n = ash_tree_node(d->t, dir)->children[i];
                if (len)
                        ash_str_append_char(&d->path, '/');
                ash_str_append(&d->path, ash_tree_node(d->t, n)->name);
                r = write_node(d, dirfd, n);
                d->path.len = len;
        }
        return r;
}

int ash_directory_write(int dirfd, const AshTree *t, AshDiags *diags) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _free_ AshSlice *first = ash_calloc(t->nodes.n, sizeof *first);
        Dirs d = { .t = t, .root = dirfd, .first = first, .arena = arena, .diags = diags };
        int r = write_below(&d, dirfd, 0);
        ash_str_done(&d.path);
        if (r >= 0 && fchmod(dirfd, ash_tree_node(t, 0)->mode & 0777) < 0)
                return -errno;
        return r;
}
