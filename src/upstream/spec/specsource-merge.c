/* A component's own source-files put together with upstream's "sources". */
#include "specsource-private.h"

static int missing(AshSpan at, const AshSourceFile *f, const char *what, AshDiags *diags) {
        return ash_fail(diags, -EINVAL, at, "source file '%.*s' has no %s", ASH_F(f->filename.s), what);
}

static int check_hash(const AshSourceFile *f, AshSourceItem *item, AshDiags *diags) {
        if (f->hash.s.len == 0 || f->hash_type.s.len == 0) {
                const char *what = f->hash.s.len == 0 ? "hash" : "hash-type";
                missing(f->at, f, what, diags);
                ash_hint(diags, "hash-type is \"SHA256\" or \"SHA512\"; a wrong hash is answered with the right one");
                return -EINVAL;
        }
        item->kind = ash_digest_kind(f->hash_type.s);
        if (item->kind != ASH_SHA256 && item->kind != ASH_SHA512)
                return ash_fail(diags, -EINVAL, f->hash_type.at, "unknown hash-type '%.*s', expected SHA256 or SHA512", ASH_F(f->hash_type.s));
        uint8_t raw[ASH_DIGEST_SIZE_MAX];
        size_t n = ash_digest_size(item->kind);
        if (ash_unhex(f->hash.s, raw, n) < 0)
                return ash_fail(diags, -EINVAL, f->hash.at, "the hash of '%.*s' is not %zu hexadecimal digits", ASH_F(f->filename.s), 2 * n);
        ash_hex(raw, n, item->hex);
        return 0;
}

static bool uri_ok(AshSlice uri) {
        for (size_t i = 0; i < uri.len; i++)
                if ((unsigned char) uri.ptr[i] <= ' ' || uri.ptr[i] == 0x7f)
                        return false;
        return ash_slice_starts(uri, ASH_S("https://")) || ash_slice_starts(uri, ASH_S("http://")) || ash_slice_starts(uri, ASH_S("file:///"));
}

static int check_origin(const AshSourceFile *f, AshSourceItem *item, AshDiags *diags) {
        if (f->origin_type.s.len == 0)
                return missing(f->at, f, "origin (download, custom, overlay or apt-source)", diags);
        item->origin = ash_source_origin(f->origin_type.s);
        if (item->origin < 0)
                return ash_fail(diags, -EINVAL, f->origin_type.at, "unknown origin '%.*s', expected download, custom, overlay or apt-source", ASH_F(f->origin_type.s));
        if (item->origin == ASH_ORIGIN_DOWNLOAD && f->origin_uri.s.len == 0)
                return missing(f->at, f, "origin.uri", diags);
        if (item->origin == ASH_ORIGIN_DOWNLOAD && !uri_ok(f->origin_uri.s))
                return ash_fail(diags, -EINVAL, f->origin_uri.at, "'%.*s' is no URI to download from: expected https:// or http://", ASH_F(f->origin_uri.s));
        if (item->origin == ASH_ORIGIN_APT_SOURCE && f->origin_upstream.s.len == 0)
                return missing(f->at, f, "origin.upstream", diags);
        if (item->origin == ASH_ORIGIN_CUSTOM && f->origin_script.s.len == 0)
                return missing(f->at, f, "origin.script", diags);
        return 0;
}

static AshSourceItem *find(AshSources *sources, size_t n, AshSlice filename) {
        for (size_t i = 0; i < n; i++)
                if (ash_slice_eq(sources->items.items[i].filename, filename))
                        return &sources->items.items[i];
        return NULL;
}

static int merge_one(AshSources *sources, const AshSourceFile *f, AshDiags *diags) {
        AshSourceItem item = { .config = f, .at = f->at };
        if (f->filename.s.len == 0)
                return ash_fail(diags, -EINVAL, f->at, "a source file has no filename");
        if (!ash_file_name_ok(f->filename.s))
                return ash_fail(diags, -EINVAL, f->filename.at, "'%.*s' is no plain file name", ASH_F(f->filename.s));
        int r = check_origin(f, &item, diags), r2 = check_hash(f, &item, diags);
        if (r < 0 || r2 < 0)
                return r < 0 ? r : r2;
        item.filename = ash_arena_slice(sources->arena, f->filename.s);
        AshSourceItem *old = find(sources, sources->items.n, item.filename);
        if (old && old->config) {
                ash_fail(diags, -EEXIST, f->filename.at, "source file '%.*s' is declared twice", ASH_F(item.filename));
                ash_note(diags, old->config->filename.at, "the other one");
                return -EEXIST;
        }
        bool replace = f->replace_upstream.value == ASH_YES;
        if (old && !replace) {
                ash_fail(diags, -EEXIST, f->filename.at, "upstream's sources have a file '%.*s' too", ASH_F(item.filename));
                ash_hint(diags, "say replace-upstream = true and a replace-reason if this one is meant to take its place");
                return -EEXIST;
        }
        if (!old && replace)
                return ash_fail(diags, -ENOENT, f->replace_upstream.at, "'%.*s' is to replace a file of upstream's sources, but there is none of that name", ASH_F(item.filename));
        if (!old) {
                ash_array_push(&sources->items, item);
                return 0;
        }
        item.replaced = true;
        item.upstream_kind = old->kind;
        memcpy(item.upstream_hex, old->hex, sizeof(item.upstream_hex));
        *old = item;
        return 0;
}

int ash_sources_merge(AshSources *sources, const AshSourceFiles *files, AshDiags *diags) {
        int result = 0;
        if (!sources->arena)
                sources->arena = ash_arena_new();
        for (size_t i = 0; i < files->n; i++) {
                int r = merge_one(sources, &files->items[i], diags);
                if (r < 0 && result == 0)
                        result = r;
        }
        return result;
}
