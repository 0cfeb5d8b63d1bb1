/* A directory in memory. Entries never change once they are there (loading a content aside), so that a mark is a copy of the list of pointers. */
#include <dirent.h>
#include "overlay-private.h"

typedef struct Entry {
        AshSourceTreeFile file; /* first: handed out as a pointer */
        AshSlice content;
        int dirfd;              /* where to read it from, while it is not loaded */
        const char *path;
        AshSourceTree *owner;   /* in whose memory the content goes */
} Entry;

struct AshSourceTree {
        AshArena *arena;
        ASH_ARRAY(Entry *) entries; /* sorted by name */
        ASH_ARRAY(int) fds;
        ASH_ARRAY(AshBytes) contents;
};

struct AshTreeMark {
        Entry **entries;
        size_t n;
};

AshSourceTree *ash_source_tree_new(void) {
        AshSourceTree *t = ash_calloc(1, sizeof *t);
        t->arena = ash_arena_new();
        return t;
}

void ash_source_tree_free(AshSourceTree *t) {
        if (!t)
                return;
        ash_array_foreach(&t->fds, fd)
                close(*fd);
        ash_array_foreach(&t->contents, b)
                ash_bytes_done(b);
        ash_array_done(&t->fds);
        ash_array_done(&t->contents);
        ash_array_done(&t->entries);
        ash_arena_free(t->arena);
        free(t);
}

/* Where a name stands, or would stand. */
static size_t position(const AshSourceTree *t, const char *name, bool *ret_there) {
        size_t low = 0, high = t->entries.n;
        *ret_there = false;
        while (low < high) {
                size_t middle = (low + high) / 2;
                int c = strcmp(t->entries.items[middle]->file.name, name);
                if (c == 0) {
                        *ret_there = true;
                        return middle;
                }
                if (c < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static Entry *entry_of(const AshSourceTree *t, const char *name) {
        bool there;
        size_t i = position(t, name, &there);
        return there ? t->entries.items[i] : NULL;
}

static Entry *entry_put(AshSourceTree *t, const char *name, mode_t mode) {
        bool there;
        size_t i = position(t, name, &there);
        Entry *e = ash_arena_new_item(t->arena, Entry);
        *e = (Entry){ .file = { .name = ash_arena_strdup(t->arena, name), .mode = mode }, .dirfd = -1, .owner = t };
        if (!there) {
                ash_array_reserve(&t->entries, 1);
                memmove(t->entries.items + i + 1, t->entries.items + i, (t->entries.n - i) * sizeof *t->entries.items);
                t->entries.n++;
        }
        t->entries.items[i] = e;
        return e;
}

static mode_t plain_mode(mode_t mode) { return S_ISLNK(mode) ? S_IFLNK | 0777 : mode & 0111 ? 0755 : 0644; }

static int keep_fd(AshSourceTree *t, int dirfd, const char *path) {
        int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        ash_array_push(&t->fds, fd);
        return fd;
}

static int add_entries(AshSourceTree *t, int root, const char *dir, AshDiags *diags) {
        _dirlist_ AshDirList list = {};
        int r = ash_dir_list(root, dir, &list);
        if (r < 0)
                return ash_fail_file(diags, r, dir, "cannot list the directory: %s", ash_strerror(r));
        ash_array_foreach(&list.entries, d) {
                if (strcmp(d->name, ".git") == 0)
                        continue;
                _free_ char *name = strcmp(dir, ".") == 0 ? ash_strdup(d->name) : ash_asprintf("%s/%s", dir, d->name);
                if (d->type == DT_DIR) {
                        r = add_entries(t, root, name, diags);
                        if (r < 0)
                                return r;
                        continue;
                }
                struct stat st;
                if ((d->type != DT_REG && d->type != DT_LNK) || fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                Entry *e = entry_put(t, name, plain_mode(st.st_mode));
                e->dirfd = root;
                e->path = e->file.name;
        }
        return 0;
}

int ash_source_tree_add_dir(AshSourceTree *t, int dirfd, const char *path, AshDiags *diags) {
        int root = keep_fd(t, dirfd, path);
        if (root < 0)
                return ash_fail_file(diags, root, path, "cannot open the directory: %s", ash_strerror(root));
        return add_entries(t, root, ".", diags);
}

int ash_source_tree_add_file(AshSourceTree *t, const char *name, int dirfd, const char *path, mode_t mode, AshDiags *diags) {
        const char *why = ash_tree_refuses(t, name);
        if (why)
                return ash_fail_file(diags, -EINVAL, name, "refused: %s", why);
        _free_ char *dir = ash_slice_dup(ash_path_dir(ash_slice_str(path)));
        int fd = keep_fd(t, dirfd, dir);
        if (fd < 0)
                return ash_fail_file(diags, fd, dir, "cannot open the directory: %s", ash_strerror(fd));
        Entry *e = entry_put(t, name, plain_mode(mode));
        e->dirfd = fd;
        e->path = ash_arena_slice(t->arena, ash_path_base(ash_slice_str(path))).ptr;
        return 0;
}

const char *ash_tree_refuses(const AshSourceTree *t, const char *name) {
        AshSlice s = ash_slice_str(name);
        if (!ash_path_is_confined(s))
                return "the path leaves the directory";
        _free_ char *normal = ash_path_normalize(s);
        if (strcmp(normal, name) != 0 || strcmp(normal, ".") == 0)
                return "the path is not written in its plain form";
        if (strcmp(name, ".git") == 0 || strncmp(name, ".git/", 5) == 0 || ash_slice_find(s, ASH_S("/.git/")) >= 0)
                return "'.git' is not written to";
        for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
                _free_ char *parent = ash_strndup(name, (size_t) (slash - name));
                const Entry *e = entry_of(t, parent);
                if (e)
                        return S_ISLNK(e->file.mode) ? "a directory on the way is a symbolic link" : "a file stands where the path needs a directory";
        }
        const Entry *e = entry_of(t, name);
        return e && S_ISLNK(e->file.mode) ? "it is a symbolic link" : NULL;
}

int ash_source_tree_put(AshSourceTree *t, const char *name, AshSlice content, mode_t mode) {
        if (ash_tree_refuses(t, name))
                return -EINVAL;
        Entry *e = entry_put(t, name, plain_mode(mode));
        e->content = ash_arena_slice(t->arena, content);
        e->file.loaded = e->file.changed = true;
        return 0;
}

static int load(Entry *e, AshDiags *diags) {
        if (e->file.loaded)
                return 0;
        _close_ int fd = ash_open_beneath(e->dirfd, e->path, O_RDONLY | O_CLOEXEC, 0);
        AshBytes bytes = {};
        int r = fd < 0 ? fd : ash_file_read_fd(fd, 0, &bytes);
        if (r < 0)
                return ash_fail_file(diags, r, e->file.name, "cannot read: %s", ash_strerror(r));
        ash_array_push(&e->owner->contents, bytes);
        e->content = ash_bytes_slice(&bytes);
        e->file.loaded = true;
        return 0;
}

int ash_source_tree_read(AshSourceTree *t, const char *name, AshSlice *ret, AshDiags *diags) {
        Entry *e = entry_of(t, name);
        if (!e)
                return -ENOENT;
        int r = load(e, diags);
        if (r >= 0)
                *ret = e->content;
        return r;
}

bool ash_source_tree_remove(AshSourceTree *t, const char *name) {
        bool there;
        size_t i = position(t, name, &there);
        if (!there)
                return false;
        memmove(t->entries.items + i, t->entries.items + i + 1, (t->entries.n - i - 1) * sizeof *t->entries.items);
        t->entries.n--;
        return true;
}

void ash_tree_rename(AshSourceTree *t, const char *from, const char *to) {
        const Entry *old = entry_of(t, from);
        Entry *e = entry_put(t, to, old->file.mode);
        const char *name = e->file.name;
        *e = *old;
        e->file.name = name;
        e->file.changed = true;
        ash_source_tree_remove(t, from);
}

const AshSourceTreeFile *ash_source_tree_find(const AshSourceTree *t, const char *name) {
        const Entry *e = entry_of(t, name);
        return e ? &e->file : NULL;
}

size_t ash_source_tree_n(const AshSourceTree *t) { return t->entries.n; }
const AshSourceTreeFile *ash_source_tree_at(const AshSourceTree *t, size_t i) { return &t->entries.items[i]->file; }

AshSourceTree *ash_source_tree_clone(const AshSourceTree *t) {
        AshSourceTree *copy = ash_source_tree_new();
        ash_array_reserve(&copy->entries, t->entries.n);
        ash_array_foreach(&t->entries, e)
                ash_array_push(&copy->entries, *e);
        return copy;
}

AshTreeMark *ash_tree_mark(const AshSourceTree *t) {
        AshTreeMark *m = ash_calloc(1, sizeof *m);
        m->n = t->entries.n;
        m->entries = ash_calloc(m->n + 1, sizeof *m->entries);
        if (m->n)
                memcpy(m->entries, t->entries.items, m->n * sizeof *m->entries);
        return m;
}

void ash_tree_rollback(AshSourceTree *t, AshTreeMark *m) {
        t->entries.n = 0;
        for (size_t i = 0; i < m->n; i++)
                ash_array_push(&t->entries, m->entries[i]);
}

void ash_tree_mark_free(AshTreeMark *m) {
        if (!m)
                return;
        free(m->entries);
        free(m);
}
