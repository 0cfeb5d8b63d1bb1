/* Opening, ids, places. */
#include <stdio.h>
#include <time.h>
#include "store-private.h"

void ash_id_hex(const AshId *id, char ret[static ASH_ID_HEX]) { ash_hex(id->sha256, sizeof(id->sha256), ret); }

int ash_id_parse(AshSlice hex, AshId *ret) { return hex.len == 64 ? ash_unhex(hex, ret->sha256, sizeof(ret->sha256)) : -EINVAL; }

AshId ash_id_of(AshSlice data) {
        AshId id;
        ash_digest_of(ASH_SHA256, data, id.sha256);
        return id;
}

void ash_store_blob_path(const AshId *id, char ret[static ASH_BLOB_PATH_MAX]) {
        char hex[ASH_ID_HEX];
        ash_id_hex(id, hex);
        snprintf(ret, ASH_BLOB_PATH_MAX, "blobs/sha256/%.2s/%s", hex, hex);
}

void ash_store_pack_path(const AshId *id, char ret[static ASH_PACK_PATH_MAX]) {
        char hex[ASH_ID_HEX];
        ash_id_hex(id, hex);
        snprintf(ret, ASH_PACK_PATH_MAX, "packs/%.2s/%s", hex, hex);
}

int ash_store_make_parent(AshStore *s, const char *path) {
        _free_ char *dir = ash_slice_dup(ash_path_dir(ash_slice_str(path)));
        struct stat st;
        if (fstatat(s->fd, dir, &st, 0) == 0)
                return 0;
        return ash_mkdir_all(s->fd, dir, 0755);
}

void ash_store_touch(AshStore *s, const char *path) {
        struct stat st;
        if (fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && time(NULL) - st.st_mtime > 3600)
                utimensat(s->fd, path, NULL, 0);
}

static char *default_path(void) {
        const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
        if (base && base[0] == '/')
                return ash_path_join(base, "ashlar");
        return home && home[0] == '/' ? ash_path_join(home, ".cache/ashlar") : NULL;
}

/* What a killed process left in tmp/ goes when nobody else is there. */
static void clean_temporary(AshStore *s) {
        _dirlist_ AshDirList list = {};
        AshLockFile *alone = NULL;
        if (ash_dir_list(s->fd, "tmp", &list) < 0 || list.entries.n == 0)
                return;
        if (ash_lock_acquire(s->fd, "lock", true, 0, &alone) < 0)
                return;
        ash_array_foreach(&list.entries, e) {
                _free_ char *path = ash_path_join("tmp", e->name);
                ash_remove_all(s->fd, path);
        }
        ash_lock_free(alone);
}

static int check_version(AshStore *s, AshDiags *diags) {
        _bytes_ AshBytes text = {};
        int r = ash_file_read(s->fd, "version", 64, &text);
        if (r == -ENOENT)
                return ash_file_write_atomic(s->fd, "version", ash_slice_str("1\n"), 0644, false);
        if (r < 0)
                return r;
        if (!ash_slice_eqs(ash_slice_trim(ash_bytes_slice(&text)), "1"))
                return ash_fail_file(diags, -ENOTSUP, s->path, "this store has version %.*s, this program knows version 1: choose another with --store",
                                     ASH_F(ash_slice_trim(ash_bytes_slice(&text))));
        return 0;
}

static int open_dir(AshStore *s, const char *path, AshDiags *diags) {
        int r = ash_mkdir_all(AT_FDCWD, path, 0755);
        if (r < 0)
                return ash_fail_file(diags, r, path, "cannot make the store: %s", ash_strerror(r));
        s->path = realpath(path, NULL);
        s->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (!s->path || s->fd < 0)
                return ash_fail_file(diags, -errno, path, "cannot open the store: %s", ash_strerror(-errno));
        r = ash_mkdir_all(s->fd, "tmp", 0755);
        if (r < 0)
                return ash_fail_file(diags, r, path, "cannot write to the store: %s", ash_strerror(r));
        return 0;
}

int ash_store_open(const char *path, AshStore **ret, AshDiags *diags) {
        _free_ char *standard = path ? NULL : default_path();
        if (!path && !standard)
                return ash_fail(diags, -ENOENT, ASH_NOWHERE, "neither XDG_CACHE_HOME nor HOME says where the store should be: use --store");
        _cleanup_(ash_store_free_p) AshStore *s = ash_calloc(1, sizeof(*s));
        s->fd = -1;
        int r = open_dir(s, path ? path : standard, diags);
        if (r < 0)
                return r;
        clean_temporary(s);
        r = ash_lock_acquire(s->fd, "lock", false, -1, &s->lock);
        if (r < 0)
                return ash_fail_file(diags, r, s->path, "cannot lock the store: %s", ash_strerror(r));
        r = check_version(s, diags);
        if (r < 0)
                return r == -ENOTSUP ? r : ash_fail_file(diags, r, s->path, "cannot write to the store: %s", ash_strerror(r));
        *ret = ASH_TAKE(s);
        return 0;
}

void ash_store_free(AshStore *s) {
        if (!s)
                return;
        ash_lock_free(s->lock);
        if (s->fd >= 0)
                close(s->fd);
        free(s->path);
        free(s);
}

const char *ash_store_path(const AshStore *s) { return s->path; }
int ash_store_fd(const AshStore *s) { return s->fd; }
