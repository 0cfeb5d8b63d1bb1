/* The cache: git mirrors, and files by their digest. */
#include "specsource-private.h"

static char *default_dir(void) {
        const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
        if (xdg && *xdg == '/')
                return ash_path_join(xdg, "ashlar");
        return home && *home == '/' ? ash_path_join(home, ".cache/ashlar") : NULL;
}

int ash_spec_cache_dir(const AshSpecOptions *options, char **ret, AshDiags *diags) {
        _free_ char *dir = options->cache_dir ? ash_strdup(options->cache_dir) : default_dir();
        if (!dir) {
                ash_fail(diags, -ENOENT, ASH_NOWHERE, "there is no place for the cache: neither XDG_CACHE_HOME nor HOME is set");
                return -ENOENT;
        }
        int r = ash_mkdir_all(AT_FDCWD, dir, 0755);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "cannot make the cache directory %s: %s", dir, ash_strerror(r));
        char *real = realpath(dir, NULL);
        if (!real)
                return ash_fail(diags, -errno, ASH_NOWHERE, "%s: %s", dir, ash_strerror(-errno));
        *ret = real;
        return 0;
}

int ash_spec_blob_path(const AshSpecOptions *options, AshDigestKind kind, const char *hex, char **ret, AshDiags *diags) {
        _free_ char *cache = NULL;
        int r = ash_spec_cache_dir(options, &cache, diags);
        if (r < 0)
                return r;
        _free_ char *dir = ash_asprintf("%s/blobs/%s/%.2s", cache, ash_digest_name(kind), hex);
        r = ash_mkdir_all(AT_FDCWD, dir, 0755);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "cannot make the directory %s: %s", dir, ash_strerror(r));
        *ret = ash_asprintf("%s/%s", dir, hex);
        return 0;
}

int ash_spec_blob_check(const char *path, AshDigestKind kind, const char *hex) {
        uint8_t digest[ASH_DIGEST_SIZE_MAX];
        char have[ASH_HEX_MAX];
        uint64_t size;
        int r = ash_digest_file(kind, AT_FDCWD, path, digest, &size);
        if (r < 0)
                return r;
        ash_hex(digest, ash_digest_size(kind), have);
        return strcmp(have, hex) == 0;
}
