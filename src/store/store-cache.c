/* Derived objects: content, then a trailer.
 *
 * The trailer has a checksum, not a digest: these files are made by us, under names that are keys and not digests of them, so whoever can write one could write a fitting digest, too. What has to be found is a
 * power cut or a bad disk, and a checksum finds those at the speed of memory. (What comes from outside is a blob, under its SHA-256.) Large ones are mapped: who needs a part of one reads only that. */
#include <stdio.h>
#include "store-private.h"

enum { KIND_MAX = 32, MAP_FROM = 256 << 10 };

typedef struct Trailer {
        char zeros[8];          /* content may be read as text that ends here */
        uint64_t len, sum;      /* of the content */
        char magic[8];
} Trailer;
static const char magic[8] = "ASHKEPT";

static bool good_kind(const char *kind) {
        size_t n = strlen(kind);
        return n > 0 && n <= KIND_MAX && strspn(kind, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static char *cache_path(const char *kind, const AshId *key) {
        char hex[ASH_ID_HEX];
        ash_id_hex(key, hex);
        return ash_asprintf("cache/%s/%.2s/%s", kind, hex, hex);
}

/* Written before there was a checksum: content, its SHA-256, "ASHCACH". */
static bool old_content(const AshBytes *bytes, size_t *ret_len) {
        uint8_t got[32];
        if (bytes->len < 40 || memcmp(bytes->ptr + bytes->len - 8, "ASHCACH", 8) != 0)
                return false;
        ash_digest_of(ASH_SHA256, ash_slice(bytes->ptr, bytes->len - 40), got);
        *ret_len = bytes->len - 40;
        return memcmp(got, bytes->ptr + bytes->len - 40, sizeof got) == 0;
}

static bool content(const AshBytes *bytes, size_t *ret_len) {
        Trailer t;
        if (bytes->len < sizeof t)
                return false;
        memcpy(&t, bytes->ptr + bytes->len - sizeof t, sizeof t);
        if (memcmp(t.magic, magic, sizeof magic) != 0 || t.len != bytes->len - sizeof t || t.sum != ash_checksum(ash_slice(bytes->ptr, t.len)))
                return false;
        *ret_len = t.len;
        return true;
}

static int read_file(AshStore *s, const char *path, AshBytes *ret) {
        struct stat st;
        if (fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        return st.st_size >= MAP_FROM ? ash_file_map(s->fd, path, ret) : ash_file_read(s->fd, path, MAP_FROM, ret);
}

int ash_store_cache_get(AshStore *s, const char *kind, const AshId *key, AshBytes *ret) {
        _bytes_ AshBytes bytes = {};
        size_t len = 0;
        if (!good_kind(kind))
                return -EINVAL;
        _free_ char *path = cache_path(kind, key);
        int r = read_file(s, path, &bytes);
        if (r < 0)
                return r;
        if (!content(&bytes, &len) && !old_content(&bytes, &len)) {
                unlinkat(s->fd, path, 0);
                return -ENOENT;
        }
        ash_store_touch(s, path);
        bytes.len = len;
        if (!bytes.mapped)
                bytes.ptr[len] = 0;
        *ret = bytes;
        bytes = (AshBytes){};
        return 0;
}

int ash_store_cache_put(AshStore *s, const char *kind, const AshId *key, AshSlice data) {
        _cleanup_(ash_atomic_free_p) AshAtomic *a = NULL;
        Trailer t = { .len = data.len, .sum = ash_checksum(data) };
        if (!good_kind(kind))
                return -EINVAL;
        _free_ char *path = cache_path(kind, key);
        memcpy(t.magic, magic, sizeof magic);
        int r = ash_store_make_parent(s, path);
        if (r >= 0) /* no sync: what a power cut damages is found by its checksum and made again */
                r = ash_atomic_open(s->fd, path, 0444, false, &a);
        if (r >= 0)
                r = ash_write_all(ash_atomic_fd(a), data.ptr, data.len);
        if (r >= 0)
                r = ash_write_all(ash_atomic_fd(a), &t, sizeof t);
        return r < 0 ? r : ash_atomic_commit(a);
}
