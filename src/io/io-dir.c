/* Directories: make, remove, list, and search by glob. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include "io.h"

#define DEPTH_MAX 64          /* directories held open at once by ash_remove_all */
#define BRACE_MAX 4096        /* patterns that one glob's braces may stand for */

static bool is_dir(int dirfd, const char *path) {
        struct stat st;
        return fstatat(dirfd, path, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

int ash_mkdir_all(int dirfd, const char *path, mode_t mode) {
        if (mkdirat(dirfd, path, mode) == 0)
                return 0;
        if (errno == EEXIST)
                return is_dir(dirfd, path) ? 0 : -ENOTDIR;
        if (errno != ENOENT || !path[0])
                return -errno;
        _free_ char *part = ash_strdup(path);
        for (char *p = part + (part[0] == '/'); *p; p++) {
                if (*p != '/')
                        continue;
                *p = 0;
                if (mkdirat(dirfd, part, mode) < 0 && errno != EEXIST)
                        return -errno;
                *p = '/';
        }
        if (mkdirat(dirfd, path, mode) < 0 && errno != EEXIST)
                return -errno;
        return is_dir(dirfd, path) ? 0 : -ENOTDIR;
}

/* ---- list ---- */
static int by_name(const void *a, const void *b) { return strcmp(((const AshDirEntry *) a)->name, ((const AshDirEntry *) b)->name); }

static int entry_type(int dirfd, const struct dirent *e, unsigned char *ret) {
        struct stat st;
        if (e->d_type != DT_UNKNOWN) {
                *ret = e->d_type;
                return 0;
        }
        if (fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        *ret = (unsigned char) IFTODT(st.st_mode);
        return 0;
}

static void closedir_p(DIR **d) {
        if (*d)
                closedir(*d);
}

/* Takes the descriptor over. */
static int list_fd(int fd, AshDirList *ret) {
        _dirlist_ AshDirList list = {};
        _cleanup_(closedir_p) DIR *dir = fdopendir(fd);
        if (!dir) {
                int e = errno;
                close(fd);
                return -e;
        }
        for (;;) {
                errno = 0;
                struct dirent *e = readdir(dir);
                if (!e && errno)
                        return -errno;
                if (!e)
                        break;
                if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                        continue;
                unsigned char type = DT_UNKNOWN;
                int r = entry_type(fd, e, &type);
                if (r == -ENOENT) /* removed meanwhile */
                        continue;
                if (r < 0)
                        return r;
                AshDirEntry *entry = ash_array_add(&list.entries);
                entry->name = ash_strdup(e->d_name);
                entry->type = type;
        }
        if (list.entries.n)
                qsort(list.entries.items, list.entries.n, sizeof(AshDirEntry), by_name);
        *ret = list;
        list = (AshDirList){};
        return 0;
}

int ash_dir_list(int dirfd, const char *path, AshDirList *ret) {
        int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : list_fd(fd, ret);
}

void ash_dir_list_done(AshDirList *list) {
        ash_array_foreach(&list->entries, e)
                free(e->name);
        ash_array_done(&list->entries);
}

/* ---- remove ---- */
typedef struct Removal {
        int top;           /* directory that everything hangs under: what is too deep is moved here first */
        unsigned n_moved;
} Removal;

static int remove_entry(Removal *rm, int dirfd, const char *name, unsigned depth);

static int open_to_remove(int dirfd, const char *name) {
        int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        /* A directory that its owner closed, as some build tools leave them. */
        if (fd < 0 && errno == EACCES && fchmodat(dirfd, name, 0700, 0) == 0)
                fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int remove_contents(Removal *rm, int fd, unsigned depth) {
        _dirlist_ AshDirList list = {};
        int r = ash_dir_list(fd, ".", &list);
        if (r < 0)
                return r;
        ash_array_foreach(&list.entries, e) {
                r = remove_entry(rm, fd, e->name, depth + 1);
                if (r < 0)
                        return r;
        }
        return (int) ASH_MIN(list.entries.n, (size_t) INT_MAX);
}

static int unlink_entry(int dirfd, const char *name, int flags) {
        if (unlinkat(dirfd, name, flags) == 0)
                return 0;
        int e = errno;
        if (e == EACCES && fchmod(dirfd, 0700) == 0 && unlinkat(dirfd, name, flags) == 0)
                return 0;
        return e == ENOENT ? 0 : -e;
}

static int remove_dir(Removal *rm, int dirfd, const char *name, unsigned depth) {
        if (depth > DEPTH_MAX) {
                char moved[32];
                snprintf(moved, sizeof moved, ".deep-%u-%d", rm->n_moved++, getpid());
                if (renameat(dirfd, name, rm->top, moved) == 0)
                        return 0;
        }
        _close_ int fd = open_to_remove(dirfd, name);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        Removal own = { .top = fd };
        if (!rm)
                rm = &own;
        for (;;) {
                int r = remove_contents(rm, fd, depth);
                if (r < 0)
                        return r;
                int k = unlink_entry(dirfd, name, AT_REMOVEDIR);
                if (k != -ENOTEMPTY && k != -EEXIST)
                        return k;
                if (r == 0) /* it is empty to us, and still not to the kernel */
                        return k;
        }
}

static int remove_entry(Removal *rm, int dirfd, const char *name, unsigned depth) {
        int r = unlink_entry(dirfd, name, 0);
        if (r != -EISDIR && r != -EPERM)
                return r;
        struct stat st;
        if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        return S_ISDIR(st.st_mode) ? remove_dir(rm, dirfd, name, depth) : r;
}

int ash_remove_all(int dirfd, const char *path) {
        AshSlice p = ash_slice_str(path);
        while (p.len > 1 && p.ptr[p.len - 1] == '/') /* "link/" would follow the link */
                p.len--;
        _free_ char *clean = ash_slice_dup(p);
        int r = remove_entry(NULL, dirfd, clean, 0);
        return r == -ENOTDIR ? 0 : r; /* a part of the path is a file: there is nothing */
}

/* ---- temporary directories ---- */
int ash_tempdir_new(const char *parent, AshTempDir **ret) {
        if (!parent)
                parent = getenv("TMPDIR");
        if (!parent || !parent[0])
                parent = "/tmp";
        _free_ char *real = realpath(parent, NULL); /* so that it is still found after a chdir */
        if (!real)
                return -errno;
        _free_ char *path = ash_asprintf("%s/ashlar-XXXXXX", strcmp(real, "/") == 0 ? "" : real);
        if (!mkdtemp(path))
                return -errno;
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
                int e = errno;
                rmdir(path);
                return -e;
        }
        AshTempDir *dir = ash_calloc(1, sizeof *dir);
        *dir = (AshTempDir){ .path = ASH_TAKE(path), .fd = fd };
        *ret = dir;
        return 0;
}

void ash_tempdir_free(AshTempDir *dir) {
        if (!dir)
                return;
        close(dir->fd);
        ash_remove_all(AT_FDCWD, dir->path);
        free(dir->path);
        free(dir);
}

/* ---- glob ----
 * A pattern is a list of parts; its braces are written out first, so that no part holds a '/'. A walk carries the set of places (pattern, part)
 * at which it stands; where none of them needs a listing (all next parts are plain names) the names are looked up directly. */
typedef struct Pattern {
        ASH_ARRAY(char *) parts; /* "**", a glob, or a plain name */
} Pattern;

typedef struct Place {
        uint32_t pattern, part;
} Place;
typedef ASH_ARRAY(Place) Places;

typedef struct Trail { /* directories above, against loops of links */
        const struct Trail *up;
        dev_t dev;
        ino_t ino;
} Trail;

typedef struct Search {
        int dirfd;
        bool follow;
        ASH_ARRAY(Pattern) patterns;
        AshPaths found;
} Search;

static void search_done(Search *s) {
        ash_array_foreach(&s->patterns, p) {
                ash_array_foreach(&p->parts, part)
                        free(*part);
                ash_array_done(&p->parts);
        }
        ash_array_done(&s->patterns);
        ash_paths_done(&s->found);
}

void ash_paths_done(AshPaths *paths) {
        ash_array_foreach(&paths->paths, p)
                free(*p);
        ash_array_done(&paths->paths);
}

static void add_pattern(Search *s, AshSlice text) {
        Pattern *p = ash_array_add(&s->patterns);
        AshSlice rest = text, part;
        while (ash_slice_split(&rest, '/', &part))
                if (part.len && !ash_slice_eqs(part, "."))
                        ash_array_push(&p->parts, ash_slice_dup(part));
}

static int write_out_braces(Search *s, AshSlice p) {
        AshSlice before, inside, after, alternative;
        if (!ash_glob_find_brace(p, &before, &inside, &after)) {
                if (s->patterns.n >= BRACE_MAX)
                        return -ASH_ERR_LIMIT;
                add_pattern(s, p);
                return 0;
        }
        while (ash_glob_next_alternative(&inside, &alternative)) {
                _str_ AshStr one = {};
                ash_str_append(&one, before);
                ash_str_append(&one, alternative);
                ash_str_append(&one, after);
                int r = write_out_braces(s, ash_str_slice(&one));
                if (r < 0)
                        return r;
        }
        return 0;
}

static const char *part_of(const Search *s, Place p) {
        const Pattern *pattern = &s->patterns.items[p.pattern];
        return p.part < pattern->parts.n ? pattern->parts.items[p.part] : NULL;
}

static bool is_any(const char *part) { return part && strcmp(part, "**") == 0; }

/* Adds a place, and with one at "**" the place behind it ("**" may stand for nothing). */
static void add_place(const Search *s, Places *to, Place p) {
        for (;; p.part++) {
                bool there = false;
                ash_array_foreach(to, q)
                        there |= q->pattern == p.pattern && q->part == p.part;
                if (there)
                        return;
                ash_array_push(to, p);
                if (!is_any(part_of(s, p)))
                        return;
        }
}

static void step(const Search *s, const Places *at, const char *name, Places *ret) {
        ash_array_foreach(at, p) {
                const char *part = part_of(s, *p);
                if (!part)
                        continue;
                if (is_any(part))
                        add_place(s, ret, *p);
                else if (ash_glob_has_meta(ash_slice_str(part)) ? ash_glob_match(ash_slice_str(part), ash_slice_str(name)) : strcmp(part, name) == 0)
                        add_place(s, ret, (Place){ p->pattern, p->part + 1 });
        }
}

static int search_dir(Search *s, const char *path, const Places *at, const Trail *up);

/* type: DT_UNKNOWN where the name was not listed but is looked up. */
static int search_entry(Search *s, const char *dir, const char *name, unsigned char type, const Places *at, const Trail *up) {
        Places next = {};
        step(s, at, name, &next);
        bool ends = false, goes_on = false;
        ash_array_foreach(&next, p)
                *(part_of(s, *p) ? &goes_on : &ends) = true;
        int r = 0;
        if (ends || goes_on) {
                _free_ char *path = ash_path_join(dir, name);
                struct stat st;
                if (type == DT_UNKNOWN || (type == DT_LNK && s->follow)) {
                        if (fstatat(s->dirfd, path, &st, s->follow ? 0 : AT_SYMLINK_NOFOLLOW) == 0)
                                type = (unsigned char) IFTODT(st.st_mode);
                        else {
                                r = errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
                                type = DT_UNKNOWN;
                        }
                }
                if (type == DT_REG && ends)
                        ash_array_push(&s->found.paths, ASH_TAKE(path));
                else if (type == DT_DIR && goes_on)
                        r = search_dir(s, path, &next, up);
        }
        ash_array_done(&next);
        return r;
}

static bool in_loop(const Trail *here) {
        for (const Trail *t = here->up; t; t = t->up)
                if (t->dev == here->dev && t->ino == here->ino)
                        return true;
        return false;
}

static int search_listed(Search *s, const char *path, const Places *at, const Trail *up) {
        _dirlist_ AshDirList list = {};
        Trail here = { .up = up };
        struct stat st;
        if (s->follow) { /* only links can loop */
                if (fstatat(s->dirfd, path, &st, 0) < 0)
                        return -errno;
                here.dev = st.st_dev;
                here.ino = st.st_ino;
                if (in_loop(&here))
                        return 0;
        }
        int r = ash_dir_list(s->dirfd, path, &list);
        if (r < 0)
                return r == -ENOENT || r == -ENOTDIR ? 0 : r;
        ash_array_foreach(&list.entries, e) {
                r = search_entry(s, path, e->name, e->type, at, &here);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int search_dir(Search *s, const char *path, const Places *at, const Trail *up) {
        bool list = false;
        ash_array_foreach(at, p) {
                const char *part = part_of(s, *p);
                list |= part && ash_glob_has_meta(ash_slice_str(part));
        }
        if (list) {
                /* ".." is in no listing; a pattern that needs it beside one that needs a listing gets both. */
                int r = search_listed(s, path, at, up);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < at->n; i++) {
                const char *part = part_of(s, at->items[i]);
                bool again = false;
                if (!part || (list && strcmp(part, "..") != 0))
                        continue;
                for (size_t j = 0; j < i; j++) {
                        const char *other = part_of(s, at->items[j]);
                        again |= other && strcmp(other, part) == 0;
                }
                int r = again ? 0 : search_entry(s, path, part, DT_UNKNOWN, at, up);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *) a, *(char *const *) b); }

int ash_glob_files(int dirfd, const char *pattern, bool follow_links, AshPaths *ret) {
        _cleanup_(search_done) Search s = { .dirfd = dirfd, .follow = follow_links };
        AshSlice text = ash_slice_str(pattern);
        if (!ash_glob_valid(text))
                return -EINVAL;
        int r = write_out_braces(&s, text);
        if (r < 0)
                return r;
        Places start = {};
        for (uint32_t i = 0; i < s.patterns.n; i++)
                add_place(&s, &start, (Place){ i, 0 });
        r = search_dir(&s, pattern[0] == '/' ? "/" : ".", &start, NULL);
        ash_array_done(&start);
        if (r < 0)
                return r;
        if (s.found.paths.n)
                qsort(s.found.paths.items, s.found.paths.n, sizeof(char *), by_text);
        *ret = s.found;
        s.found = (AshPaths){};
        return 0;
}
