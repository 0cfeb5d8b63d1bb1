/* Derived objects: content, then its SHA-256, then eight magic bytes. */
#include <stdio.h>
#include "store-private.h"

enum { TRAILER = 40, KIND_MAX = 32 };
static const char magic[8] = "ASHCACH";

static bool good_kind(const char *kind) {
        size_t n = strlen(kind);
        return n > 0 && n <= KIND_MAX && strspn(kind, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static char *cache_path(const char *kind, const AshId *key) {
        char hex[ASH_ID_HEX];
        ash_id_hex(key, hex);
        return ash_asprintf("cache/%s/%.2s/%s", kind, hex, hex);
}

int ash_store_cache_get(AshStore *s, const char *kind, const AshId *key, AshBytes *ret) {
        _bytes_ AshBytes bytes = {};
        uint8_t got[32];
        if (!good_kind(kind))
                return -EINVAL;
        _free_ char *path = cache_path(kind, key);
        int r = ash_file_read(s->fd, path, (size_t) 2 << 30, &bytes);
        if (r < 0)
                return r;
        bool good = bytes.len >= TRAILER && memcmp(bytes.ptr + bytes.len - sizeof(magic), magic, sizeof(magic)) == 0;
        if (good) {
                ash_digest_of(ASH_SHA256, ash_slice(bytes.ptr, bytes.len - TRAILER), got);
                good = memcmp(got, bytes.ptr + bytes.len - TRAILER, 32) == 0;
        }
        if (!good) {
                unlinkat(s->fd, path, 0);
                return -ENOENT;
        }
        ash_store_touch(s, path);
        bytes.len -= TRAILER; /* read, not mapped: the length is only ours to know */
        bytes.ptr[bytes.len] = 0;
        *ret = bytes;
        bytes = (AshBytes){};
        return 0;
}

int ash_store_cache_put(AshStore *s, const char *kind, const AshId *key, AshSlice data) {
        _cleanup_(ash_atomic_free_p) AshAtomic *a = NULL;
        uint8_t trailer[TRAILER];
        if (!good_kind(kind))
                return -EINVAL;
        _free_ char *path = cache_path(kind, key);
        ash_digest_of(ASH_SHA256, data, trailer);
        memcpy(trailer + 32, magic, sizeof(magic));
        int r = ash_store_make_parent(s, path);
        if (r >= 0) /* no sync: what a power cut damages is found by its digest and made again */
                r = ash_atomic_open(s->fd, path, 0444, false, &a);
        if (r >= 0)
                r = ash_write_all(ash_atomic_fd(a), data.ptr, data.len);
        if (r >= 0)
                r = ash_write_all(ash_atomic_fd(a), trailer, sizeof(trailer));
        return r < 0 ? r : ash_atomic_commit(a);
}
