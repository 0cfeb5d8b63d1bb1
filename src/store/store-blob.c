/* Blobs: bytes under their SHA-256. */
#include "store-private.h"

bool ash_store_has_blob(AshStore *s, const AshId *id) {
        char path[ASH_BLOB_PATH_MAX];
        struct stat st;
        ash_store_blob_path(id, path);
        if (fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
                return false;
        ash_store_touch(s, path);
        return true;
}

static int check_expected(const AshId *id, const AshId *expect, const char *what, AshDiags *diags) {
        char want[ASH_ID_HEX], got[ASH_ID_HEX];
        if (!expect || ash_id_eq(id, expect))
                return 0;
        ash_id_hex(expect, want);
        ash_id_hex(id, got);
        return ash_fail(diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "%s has SHA-256 %s, expected %s", what, got, want);
}

int ash_store_put_blob(AshStore *s, AshSlice data, const AshId *expect, AshId *ret_id, AshDiags *diags) {
        char path[ASH_BLOB_PATH_MAX];
        AshId id = ash_id_of(data);
        int r = check_expected(&id, expect, "the content", diags);
        if (r < 0)
                return r;
        if (!ash_store_has_blob(s, &id)) {
                ash_store_blob_path(&id, path);
                r = ash_store_make_parent(s, path);
                if (r >= 0)
                        r = ash_file_write_atomic(s->fd, path, data, 0444, true);
                if (r < 0)
                        return ash_fail_file(diags, r, s->path, "cannot write to the store: %s", ash_strerror(r));
        }
        if (ret_id)
                *ret_id = id;
        return 0;
}

/* Copies and digests in one pass, so that what gets the name is what was digested, even when the source changes meanwhile. */
static int copy_in(AshStore *s, int from, AshAtomic *to, AshId *ret_id) {
        _free_ char *buffer = ash_malloc(1 << 20);
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        for (ssize_t n; (n = read(from, buffer, 1 << 20)) != 0;) {
                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                ash_digest_update(d, buffer, (size_t) n);
                int r = ash_write_all(ash_atomic_fd(to), buffer, (size_t) n);
                if (r < 0)
                        return r;
        }
        ash_digest_final(d, ret_id->sha256);
        (void) s;
        return 0;
}

int ash_store_put_file(AshStore *s, int dirfd, const char *path, const AshId *expect, AshId *ret_id, AshDiags *diags) {
        _cleanup_(ash_atomic_free_p) AshAtomic *a = NULL;
        _close_ int from = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        char temporary[64], blob[ASH_BLOB_PATH_MAX];
        struct stat st;
        AshId id;

        if (from < 0 || fstat(from, &st) < 0)
                return ash_fail_file(diags, -errno, path, "cannot read it: %s", ash_strerror(-errno));
        if (!S_ISREG(st.st_mode))
                return ash_fail_file(diags, -EINVAL, path, "not a regular file");
        if (expect && ash_store_has_blob(s, expect)) {
                if (ret_id)
                        *ret_id = *expect;
                return 0;
        }
        snprintf(temporary, sizeof(temporary), "tmp/put-%d-%d", getpid(), from);
        int r = ash_atomic_open(s->fd, temporary, 0444, true, &a);
        if (r >= 0)
                r = copy_in(s, from, a, &id);
        if (r < 0)
                return ash_fail_file(diags, r, path, "cannot copy it into the store: %s", ash_strerror(r));
        r = check_expected(&id, expect, path, diags);
        if (r < 0)
                return r;
        if (!ash_store_has_blob(s, &id)) {
                ash_store_blob_path(&id, blob);
                r = ash_store_make_parent(s, blob);
                if (r >= 0)
                        r = ash_atomic_commit(a);
                if (r >= 0 && renameat(s->fd, temporary, s->fd, blob) < 0)
                        r = -errno;
                if (r < 0)
                        return ash_fail_file(diags, r, s->path, "cannot write to the store: %s", ash_strerror(r));
        }
        if (ret_id)
                *ret_id = id;
        return 0;
}

int ash_store_map_blob(AshStore *s, const AshId *id, bool check, AshBytes *ret, AshDiags *diags) {
        char path[ASH_BLOB_PATH_MAX];
        _bytes_ AshBytes bytes = {};
        ash_store_blob_path(id, path);
        int r = ash_file_map(s->fd, path, &bytes);
        if (r < 0)
                return r == -ENOENT ? r : ash_fail_file(diags, r, path, "cannot read from the store: %s", ash_strerror(r));
        if (check) {
                AshId got = ash_id_of(ash_bytes_slice(&bytes));
                if (!ash_id_eq(&got, id)) {
                        unlinkat(s->fd, path, 0);
                        ash_warn(diags, ASH_NOWHERE, "%s/%s was damaged and has been dropped: it will be fetched again", s->path, path);
                        return -ENOENT;
                }
        }
        ash_store_touch(s, path);
        *ret = bytes;
        bytes = (AshBytes){};
        return 0;
}

int ash_store_fetch(AshStore *s, AshStoreWant *wants, size_t n, const AshFetchOptions *options, AshProgress *progress, AshDiags *diags) {
        _free_ AshFetch *items = ash_calloc(n + 1, sizeof(*items));
        _free_ size_t *of = ash_calloc(n + 1, sizeof(*of));
        _free_ char *paths = ash_calloc(n + 1, ASH_BLOB_PATH_MAX);
        size_t m = 0;
        int first = 0;

        for (size_t i = 0; i < n; i++) {
                char *path = paths + m * ASH_BLOB_PATH_MAX;
                wants[i].result = 0;
                if (ash_store_has_blob(s, wants[i].id))
                        continue;
                ash_store_blob_path(wants[i].id, path);
                int r = ash_store_make_parent(s, path);
                if (r < 0)
                        return ash_fail_file(diags, r, s->path, "cannot write to the store: %s", ash_strerror(r));
                items[m] = (AshFetch){ .urls = wants[i].urls, .dirfd = s->fd, .path = path, .digest_kind = ASH_SHA256, .digest = wants[i].id->sha256, .size = wants[i].size };
                of[m++] = i;
        }
        if (m == 0)
                return 0;
        ash_fetch(items, m, options, progress, diags);
        for (size_t k = 0; k < m; k++) {
                wants[of[k]].result = items[k].result;
                if (items[k].result < 0) {
                        ash_note(diags, ASH_NOWHERE, "while fetching %s", wants[of[k]].label ? wants[of[k]].label : items[k].path);
                        if (first == 0)
                                first = items[k].result;
                }
        }
        return first;
}
