/* What a run changed: every node's inode number and time of last change (ctime, which no program can set) before and after. Runs in a room, where all owners can be seen and all files read.
 *
 * A list: for each node its path, NUL, then a Mark. A change: one line "KIND MODE UID GID PATH LINK CONTENT XATTRS" with the lengths of the four, and their bytes. */
#include <dirent.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include "sandbox-private.h"

#define DEPTH_MAX 200
#define NODES_MAX 8000000

typedef struct Mark {
        uint64_t ino;
        int64_t ctime_s;
        uint32_t ctime_ns, type;
} Mark;

typedef struct Out {
        int fd;
        AshStr text;
        int error;
} Out;

static void out_flush(Out *o) {
        if (!o->error && o->text.len)
                o->error = ash_write_all(o->fd, o->text.ptr, o->text.len);
        ash_str_clear(&o->text);
}
static void out_bytes(Out *o, const void *data, size_t n) {
        if (n > 1 << 20) { /* as it is: a copy costs as much memory again */
                out_flush(o);
                if (!o->error)
                        o->error = ash_write_all(o->fd, data, n);
                return;
        }
        ash_str_append(&o->text, ash_slice(data, n));
        if (o->text.len > 1 << 20)
                out_flush(o);
}

/* ---- walking ---- */
typedef struct Walk {
        int (*fn)(struct Walk *w, int dirfd, const char *name, const struct stat *st);
        AshStr path;                 /* of the node that fn is called for, from "/" */
        size_t nodes;
        unsigned depth;
        Out out;
        /* of a comparison */
        AshSlice old;                /* what is left of the older list */
        AshSlice old_path;           /* its next entry; ptr NULL: none is left */
        Mark old_mark;
        uint64_t room;               /* bytes of content that may still come */
        AshMap inodes;               /* of files with several names: inode number -> path of the first */
        AshArena *arena;
} Walk;

static int walk(Walk *w, int dirfd) {
        _dirlist_ AshDirList list = {};
        size_t len = w->path.len;
        int r = ash_dir_list(dirfd, ".", &list);
        if (++w->depth > DEPTH_MAX)
                r = -ELOOP;
        for (size_t i = 0; r >= 0 && i < list.entries.n; i++) {
                const char *name = list.entries.items[i].name;
                struct stat st;
                if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        return -errno;
                if (++w->nodes > NODES_MAX)
                        return -ASH_ERR_LIMIT;
                ash_str_appendf(&w->path, "/%s", name);
                r = w->fn(w, dirfd, name, &st);
                if (r >= 0 && S_ISDIR(st.st_mode)) {
                        _close_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                        r = fd < 0 ? -errno : walk(w, fd);
                }
                w->path.len = len;
                w->path.ptr[len] = 0;
        }
        w->depth--;
        return r;
}

static Mark mark_of(const struct stat *st) {
        return (Mark){ .ino = st->st_ino, .ctime_s = st->st_ctim.tv_sec, .ctime_ns = (uint32_t) st->st_ctim.tv_nsec, .type = st->st_mode & S_IFMT };
}

/* ---- a list ---- */
static int list_node(Walk *w, int dirfd _unused_, const char *name _unused_, const struct stat *st) {
        Mark m = mark_of(st);
        out_bytes(&w->out, w->path.ptr, w->path.len + 1);
        out_bytes(&w->out, &m, sizeof m);
        return 0;
}

static int finish(Walk *w, int r) {
        if (r >= 0) {
                out_flush(&w->out);
                r = w->out.error;
        }
        ash_str_done(&w->path);
        ash_str_done(&w->out.text);
        return r;
}

int ash_sandbox_scan(int base, int out_fd) {
        Walk w = { .fn = list_node, .out = { .fd = out_fd } };
        struct stat st;
        if (fstat(base, &st) < 0)
                return -errno;
        ash_str_append_char(&w.path, '/');
        list_node(&w, base, ".", &st);
        ash_str_clear(&w.path);
        return finish(&w, walk(&w, base));
}

/* ---- a comparison ---- */
static void next_old(Walk *w) {
        const char *end = w->old.len ? memchr(w->old.ptr, 0, w->old.len) : NULL;
        w->old_path = ASH_NOSLICE;
        if (!end || w->old.len - (size_t) (end + 1 - w->old.ptr) < sizeof w->old_mark)
                return;
        w->old_path = ash_slice(w->old.ptr, (size_t) (end - w->old.ptr));
        memcpy(&w->old_mark, end + 1, sizeof w->old_mark);
        w->old = ash_slice_from(w->old, w->old_path.len + 1 + sizeof w->old_mark);
}

static void head(Walk *w, char kind, const struct stat *st, size_t link, uint64_t content, size_t xattrs) {
        char line[160];
        int n = snprintf(line, sizeof line, "%c %u %u %u %zu %zu %llu %zu\n", kind, st ? st->st_mode & 07777 : 0, st ? st->st_uid : 0, st ? st->st_gid : 0, w->path.len, link, (unsigned long long) content, xattrs);
        out_bytes(&w->out, line, (size_t) n);
        out_bytes(&w->out, w->path.ptr, w->path.len);
}

/* What lay below a removed directory goes without saying. */
static void tell_removed(Walk *w) {
        AshSlice gone = w->old_path, seen = ash_str_slice(&w->path);
        _str_ AshStr keep = {};
        ash_str_append(&keep, seen);
        ash_str_clear(&w->path);
        ash_str_append(&w->path, gone);
        head(w, 'R', NULL, 0, 0, 0);
        ash_str_clear(&w->path);
        ash_str_append(&w->path, ash_str_slice(&keep));
        for (next_old(w); w->old_path.ptr && w->old_path.len > gone.len && ash_slice_starts(w->old_path, gone) && w->old_path.ptr[gone.len] == '/';)
                next_old(w);
}

/* The order of the walk: parts between slashes compare as names do, so a slash comes before any other byte. */
static int cmp_paths(AshSlice a, AshSlice b) {
        size_t n = ASH_MIN(a.len, b.len);
        for (size_t i = 0; i < n; i++)
                if (a.ptr[i] != b.ptr[i])
                        return a.ptr[i] == '/' ? -1 : b.ptr[i] == '/' ? 1 : (unsigned char) a.ptr[i] - (unsigned char) b.ptr[i];
        return a.len < b.len ? -1 : a.len > b.len;
}

static void read_xattrs(int dirfd, const char *name, const struct stat *st, AshStr *out) {
        char path[64], names[4096], value[65536];
        _close_ int fd = S_ISLNK(st->st_mode) || S_ISFIFO(st->st_mode) || S_ISSOCK(st->st_mode) ? -1 : openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = listxattr(path, names, sizeof names);
        for (ssize_t at = 0; at < n; at += (ssize_t) strlen(names + at) + 1) {
                ssize_t k = getxattr(path, names + at, value, sizeof value);
                if (k < 0 || !strcmp(names + at, "security.selinux")) /* labels are made for the whole tree */
                        continue;
                ash_str_appendf(out, "%zu %zd\n%s", strlen(names + at), k, names + at);
                ash_str_append(out, ash_slice(value, (size_t) k));
        }
}

static int tell_file(Walk *w, int dirfd, const char *name, const struct stat *st, const AshStr *xattrs) {
        _bytes_ AshBytes content = {};
        _close_ int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        int r = fd < 0 ? -errno : 0;
        if (st->st_nlink > 1) {
                AshSlice ino = ash_arena_slice(w->arena, ash_slice((const char *) &st->st_ino, sizeof st->st_ino));
                const char *first = ash_map_get(&w->inodes, ino);
                if (first) {
                        head(w, 'H', st, strlen(first), 0, 0);
                        out_bytes(&w->out, first, strlen(first));
                        return 0;
                }
                ash_map_put(&w->inodes, ino, ash_arena_strndup(w->arena, w->path.ptr, w->path.len), NULL);
        }
        if (r >= 0)
                r = (uint64_t) st->st_size > w->room ? -EFBIG : ash_file_read_fd(fd, 0, &content);
        w->room -= ASH_MIN(content.len, w->room);
        if (r < 0)
                return r;
        head(w, 'F', st, 0, content.len, xattrs->len);
        out_bytes(&w->out, content.ptr ? content.ptr : "", content.len);
        out_bytes(&w->out, xattrs->ptr ? xattrs->ptr : "", xattrs->len);
        return 0;
}

static int tell_node(Walk *w, int dirfd, const char *name, const struct stat *st) {
        _str_ AshStr xattrs = {};
        char target[4097];
        read_xattrs(dirfd, name, st, &xattrs);
        if (S_ISREG(st->st_mode))
                return tell_file(w, dirfd, name, st, &xattrs);
        if (S_ISLNK(st->st_mode)) {
                ssize_t n = readlinkat(dirfd, name, target, sizeof target - 1);
                if (n < 0)
                        return -errno;
                head(w, 'L', st, (size_t) n, 0, 0);
                out_bytes(&w->out, target, (size_t) n);
        } else if (S_ISDIR(st->st_mode) || S_ISFIFO(st->st_mode)) {
                head(w, S_ISDIR(st->st_mode) ? 'D' : 'P', st, 0, 0, xattrs.len);
                out_bytes(&w->out, xattrs.ptr ? xattrs.ptr : "", xattrs.len);
        }
        return 0; /* sockets go with their programs; devices cannot be made in a room */
}

static int compare_node(Walk *w, int dirfd, const char *name, const struct stat *st) {
        Mark now = mark_of(st);
        AshSlice path = ash_str_slice(&w->path);
        while (w->old_path.ptr && cmp_paths(w->old_path, path) < 0)
                tell_removed(w);
        bool there = w->old_path.ptr && ash_slice_eq(w->old_path, path), same = there && now.ino == w->old_mark.ino && now.ctime_s == w->old_mark.ctime_s && now.ctime_ns == w->old_mark.ctime_ns;
        bool other_type = there && now.type != w->old_mark.type;
        if (other_type)
                tell_removed(w); /* with all below it */
        else if (there)
                next_old(w);
        return same ? 0 : tell_node(w, dirfd, name, st);
}

int ash_sandbox_scan_changes(int base, AshSlice before, uint64_t max, int out_fd) {
        Walk w = { .fn = compare_node, .out = { .fd = out_fd }, .old = before, .room = max, .arena = ash_arena_new() };
        struct stat st;
        if (fstat(base, &st) < 0)
                return -errno;
        next_old(&w);
        ash_str_append_char(&w.path, '/');
        int r = compare_node(&w, base, ".", &st);
        ash_str_clear(&w.path);
        if (r >= 0)
                r = walk(&w, base);
        ash_str_clear(&w.path);
        while (r >= 0 && w.old_path.ptr)
                tell_removed(&w);
        ash_map_done(&w.inodes);
        ash_arena_free(w.arena);
        return finish(&w, r);
}

/* ---- reading changes ---- */
static bool number(AshSlice *line, uint64_t *ret) {
        AshSlice word;
        return ash_slice_next_word(line, &word) && ash_slice_to_u64(word, 10, ret) >= 0;
}

static bool take(AshSlice *rest, uint64_t n, AshSlice *ret) {
        if (n > rest->len)
                return false;
        *ret = ash_slice_sub(*rest, 0, (size_t) n);
        *rest = ash_slice_from(*rest, (size_t) n);
        return true;
}

int ash_sandbox_change_next(AshSlice *rest, AshSandboxChange *ret) {
        AshSlice line, kind;
        uint64_t n[7];
        if (!rest->len)
                return 0;
        if (!ash_slice_next_line(rest, &line) || !ash_slice_next_word(&line, &kind) || kind.len != 1 || !strchr("RDFLPH", kind.ptr[0]))
                return -ASH_ERR_SYNTAX;
        for (size_t i = 0; i < ASH_N(n); i++)
                if (!number(&line, &n[i]))
                        return -ASH_ERR_SYNTAX;
        *ret = (AshSandboxChange){ .kind = kind.ptr[0], .mode = (uint32_t) n[0], .uid = (uint32_t) n[1], .gid = (uint32_t) n[2] };
        if (!take(rest, n[3], &ret->path) || !take(rest, n[4], &ret->link) || !take(rest, n[5], &ret->content) || !take(rest, n[6], &ret->xattrs) || !ret->path.len || ret->path.ptr[0] != '/')
                return -ASH_ERR_SYNTAX;
        return 1;
}

bool ash_sandbox_xattr_next(AshSlice *rest, AshSlice *ret_name, AshSlice *ret_value) {
        AshSlice line;
        uint64_t name, value;
        return rest->len && ash_slice_next_line(rest, &line) && number(&line, &name) && number(&line, &value) && take(rest, name, ret_name) && take(rest, value, ret_value);
}
