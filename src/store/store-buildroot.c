/* Buildroots: directories that builds have below a layer of their own. Whoever makes them knows what belongs in; here is what keeps them few and whole. */
#include <dirent.h>
#include <stdio.h>
#include <time.h>
#include "store-private.h"

#define PLACE ASH_STORE_BUILDROOTS

/* ---- what one is: KEY.state, a line "whole|over BOOT BYTES SUM" (older ones end after BOOT) ---- */
static void state_path(const char *key, char ret[static 96]) { snprintf(ret, 96, PLACE "/%.64s.state", key); }

int ash_store_buildroot_read(AshStore *s, const char *key, AshBuildroot *ret) {
        _bytes_ AshBytes bytes = {};
        char path[96];
        AshSlice rest, word;
        struct stat st;
        state_path(key, path);
        int r = fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : ash_file_read(s->fd, path, 4096, &bytes);
        if (r < 0)
                return r;
        *ret = (AshBuildroot){ .used = st.st_mtime };
        rest = ash_slice_trim(ash_bytes_slice(&bytes));
        if (!ash_slice_next_word(&rest, &word))
                return -ENOENT;
        ret->over = ash_slice_eqs(word, "over");
        if (!ash_slice_next_word(&rest, &word) || word.len >= sizeof ret->boot)
                return -ENOENT;
        memcpy(ret->boot, word.ptr, word.len);
        if (ash_slice_next_word(&rest, &word) && ash_slice_to_u64(word, 10, &ret->bytes) >= 0 && ash_slice_next_word(&rest, &word))
                ret->summed = ash_id_parse(word, &ret->sum) >= 0;
        return 0;
}

int ash_store_buildroot_write(AshStore *s, const char *key, const AshBuildroot *b) {
        char path[96], hex[ASH_ID_HEX];
        state_path(key, path);
        ash_id_hex(&b->sum, hex);
        _free_ char *text = ash_asprintf("%s %s %llu %s\n", b->over ? "over" : "whole", b->boot, (unsigned long long) b->bytes, hex);
        return ash_file_write_atomic(s->fd, path, ash_slice_str(text), 0644, false);
}

void ash_store_buildroot_touch(AshStore *s, const char *key) {
        char path[96];
        state_path(key, path);
        (void) utimensat(s->fd, path, NULL, 0);
}

/* The state goes first: what is half removed is none. */
int ash_store_buildroot_forget(AshStore *s, const char *key) {
        char path[96];
        state_path(key, path);
        if (unlinkat(s->fd, path, 0) < 0 && errno != ENOENT)
                return -errno;
        path[strlen(path) - strlen(".state")] = 0;
        return ash_remove_all(s->fd, path);
}

/* ---- all of them ---- */
static int by_use(const void *a, const void *b) {
        const AshStoredRoot *x = a, *y = b;
        return x->used != y->used ? (x->used < y->used ? -1 : 1) : strcmp(x->key, y->key);
}

int ash_store_list_buildroots(AshStore *s, bool measure, AshStoredRoots *ret) {
        _dirlist_ AshDirList list = {};
        int r = ash_dir_list(s->fd, PLACE, &list);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        ash_array_foreach(&list.entries, e) {
                AshBuildroot b;
                AshId id;
                if (e->type != DT_DIR || ash_id_parse(ash_slice_str(e->name), &id) < 0)
                        continue;
                AshStoredRoot *to = ash_array_add(&ret->items);
                *to = (AshStoredRoot){ .complete = ash_store_buildroot_read(s, e->name, &b) >= 0 };
                snprintf(to->key, sizeof to->key, "%s", e->name);
                if (to->complete) {
                        to->used = b.used;
                        to->bytes = b.bytes;
                        to->sized = b.summed;
                }
                if (!to->sized && measure)
                        to->bytes = ash_store_bytes_below(s, PLACE, to->key);
        }
        if (ret->items.n)
                qsort(ret->items.items, ret->items.n, sizeof *ret->items.items, by_use);
        return 0;
}

uint64_t ash_store_bytes_below(AshStore *s, const char *place, const char *name) {
        _free_ char *pattern = ash_asprintf("%s/%s/**", place, name);
        _paths_ AshPaths paths = {};
        uint64_t bytes = 0;
        if (ash_glob_files(s->fd, pattern, false, &paths) < 0)
                return 0;
        ash_array_foreach(&paths.paths, p) {
                struct stat st;
                if (fstatat(s->fd, *p, &st, AT_SYMLINK_NOFOLLOW) == 0)
                        bytes += (uint64_t) st.st_blocks * 512 / ASH_MAX((uint64_t) st.st_nlink, (uint64_t) 1);
        }
        return bytes;
}

int ash_store_hold_buildroot(AshStore *s, const char *key, AshLockFile **ret) {
        _free_ char *lock = ash_asprintf(PLACE "/%s.lock", key);
        return ash_lock_acquire(s->fd, lock, true, 0, ret);
}

/* Unless somebody uses it, or has used it since it was looked at. */
static bool remove_unused(AshStore *s, const AshStoredRoot *root) {
        _cleanup_(ash_lock_free_p) AshLockFile *alone = NULL;
        AshBuildroot now;
        if (ash_store_hold_buildroot(s, root->key, &alone) < 0)
                return false;
        bool complete = ash_store_buildroot_read(s, root->key, &now) >= 0;
        return complete == root->complete && (!complete || now.used == root->used) && ash_store_buildroot_forget(s, root->key) >= 0;
}

void ash_store_trim_buildroots(AshStore *s, uint64_t keep, uint64_t max_age_s) {
        AshStoredRoots all = {};
        uint64_t total = 0;
        time_t now = time(NULL);
        if (ash_store_list_buildroots(s, false, &all) >= 0)
                ash_array_foreach(&all.items, root)
                        total += root->bytes;
        ash_array_foreach(&all.items, root) {
                bool old = !root->complete || !root->sized || (now > root->used && (uint64_t) (now - root->used) >= max_age_s);
                if ((old || total > keep) && remove_unused(s, root))
                        total -= root->bytes;
        }
        ash_array_done(&all.items);
}

/* ---- what is in one ---- */
void ash_store_tree_add(AshId *sum, const AshStoreTreeNode *n) {
        _str_ AshStr text = {};
        uint32_t mode = S_ISLNK(n->mode) ? S_IFLNK : n->mode & (S_IFMT | (S_ISDIR(n->mode) ? 01777 : 0777));
        ash_str_appendf(&text, "%o %lld %zu:%.*s %zu:%.*s ", mode, (long long) n->mtime, n->path.len, ASH_F(n->path), n->link.len, ASH_F(n->link));
        if (n->sha256)
                ash_str_append(&text, ash_slice((const char *) n->sha256, 32));
        AshId one = ash_id_of(ash_str_slice(&text));
        for (size_t i = 0; i < sizeof one.sha256; i++)
                sum->sha256[i] ^= one.sha256[i];
}

static int sum_below(int dirfd, AshStr *path, AshId *sum);

static int sum_node(int dirfd, const char *name, AshStr *path, AshId *sum) {
        struct stat st;
        uint8_t digest[32];
        char link[4096];
        uint64_t size;
        int r = 0;
        if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        AshStoreTreeNode n = { .path = ash_str_slice(path), .mode = st.st_mode, .mtime = st.st_mtime };
        if (S_ISREG(st.st_mode) && st.st_size) {
                r = ash_digest_file(ASH_SHA256, dirfd, name, digest, &size);
                n.sha256 = digest;
        } else if (S_ISLNK(st.st_mode)) {
                ssize_t k = readlinkat(dirfd, name, link, sizeof link);
                r = k < 0 ? -errno : 0;
                n.link = ash_slice(link, k < 0 ? 0 : (size_t) k);
        }
        if (r < 0)
                return r;
        ash_store_tree_add(sum, &n);
        if (!S_ISDIR(st.st_mode))
                return 0;
        _close_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : sum_below(fd, path, sum);
}

static int sum_below(int dirfd, AshStr *path, AshId *sum) {
        _dirlist_ AshDirList list = {};
        size_t len = path->len;
        int r = ash_dir_list(dirfd, ".", &list);
        ash_array_foreach(&list.entries, e) {
                if (len)
                        ash_str_append_char(path, '/');
                ash_str_append_str(path, e->name);
                r = r < 0 ? r : sum_node(dirfd, e->name, path, sum);
                path->len = len;
        }
        return r;
}

/* What cannot be read (files of another user) is not known to be damaged. */
bool ash_store_buildroot_is_damaged(AshStore *s, const char *key) {
        _str_ AshStr path = {};
        AshBuildroot b;
        AshId sum = {};
        if (ash_store_buildroot_read(s, key, &b) < 0 || !b.summed)
                return false;
        _free_ char *dir = ash_asprintf(PLACE "/%s", key);
        _close_ int fd = openat(s->fd, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r = fd < 0 ? -errno : sum_below(fd, &path, &sum);
        return r < 0 ? r != -EACCES && r != -EPERM : !ash_id_eq(&sum, &b.sum);
}
