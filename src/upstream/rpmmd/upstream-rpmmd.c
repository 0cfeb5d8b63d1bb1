/* Finding a mirror that can be trusted, then metadata into the store, each file verified before a parser sees it. */
#include <stdatomic.h>
#include <stdio.h>
#include "upstream-rpmmd-private.h"

enum { REPOMD_MAX = 16 << 20, LIST_MAX = 8 << 20, SIGNATURE_MAX = 64 << 10 };

/* ---- URLs ---- */
static bool has(AshSlice s, const char *what) { return ash_slice_starts(s, ash_slice_str(what)); }

/* Replaces $arch, $basearch, $releasever and $snapshot. NULL with a diagnostic when one has no value. */
static const char *expand_url(const AshRpmmdSource *source, const char *url, AshArena *arena, AshDiags *diags) {
        const struct { const char *name, *value; } variables[] = {
                { "$arch", source->arch }, { "$basearch", source->arch }, { "$releasever", source->releasever }, { "$snapshot", source->snapshot },
        };
        _str_ AshStr out = {};
        AshSlice rest = ash_slice_str(url);
        while (rest.len) {
                size_t i = 0;
                while (i < ASH_N(variables) && !has(rest, variables[i].name))
                        i++;
                if (i == ASH_N(variables)) {
                        ash_str_append_char(&out, rest.ptr[0]);
                        rest = ash_slice_from(rest, 1);
                        continue;
                }
                if (!variables[i].value) {
                        ash_fail(diags, -ASH_ERR_CONFIG, source->at, "'%s' has %s, but upstream '%s' sets no value for it", url, variables[i].name, source->name);
                        return NULL;
                }
                ash_str_append_str(&out, variables[i].value);
                rest = ash_slice_from(rest, strlen(variables[i].name));
        }
        return ash_arena_strndup(arena, out.ptr ? out.ptr : "", out.len);
}

static int check_scheme(const AshRpmmdSource *source, const char *url, AshDiags *diags) {
        AshSlice s = ash_slice_str(url);
        if (has(s, "https://") || has(s, "http://") || (has(s, "file:///") && source->allow_file))
                return 0;
        return ash_fail(diags, -ASH_ERR_CONFIG, source->at, "'%s' is no URL that can be used: http, https%s", url, source->allow_file ? " or file" : "");
}

/* ---- small files without a digest ---- */
static atomic_uint serial;

static int fetch_small(AshRpmmdRepo *r, const char *url, uint64_t limit, AshBytes *ret, AshDiags *diags) {
        char path[64];
        const char *const urls[] = { url, NULL };
        snprintf(path, sizeof(path), "tmp/md-%d-%u", getpid(), atomic_fetch_add(&serial, 1));
        AshFetch item = { .urls = urls, .dirfd = ash_store_fd(r->store), .path = path, .size = UINT64_MAX, .limit = limit, .at = r->source.at };
        int k = ash_fetch(&item, 1, &r->source.fetch, NULL, diags);
        if (k >= 0)
                k = ash_file_read(ash_store_fd(r->store), path, limit, ret);
        static const char *const leftovers[] = { "", ".part", ".part.tag" };
        for (size_t i = 0; i < ASH_N(leftovers); i++) { /* nothing here is resumed: the next try must see the server's newest */
                _free_ char *name = ash_asprintf("%s%s", path, leftovers[i]);
                unlinkat(ash_store_fd(r->store), name, 0);
        }
        return k;
}

/* ---- mirrors ---- */
static void add_mirror(AshRpmmdRepo *r, const char *url) {
        size_t n = strlen(url);
        ash_array_push(&r->mirrors, n && url[n - 1] == '/' ? ash_arena_strdup(r->arena, url) : ash_arena_printf(r->arena, "%s/", url));
}

static int read_mirrorlist(AshRpmmdRepo *r, AshDiags *diags) {
        _bytes_ AshBytes text = {};
        const char **urls = NULL, *url = expand_url(&r->source, r->source.mirrorlist, r->arena, diags);
        size_t n = 0;
        int k = url ? check_scheme(&r->source, url, diags) : -ASH_ERR_CONFIG;
        if (k >= 0)
                k = fetch_small(r, url, LIST_MAX, &text, diags);
        if (k >= 0)
                k = ash_mirrorlist_parse(ash_bytes_slice(&text), url, r->source.allow_file, r->arena, &urls, &n, diags);
        for (size_t i = 0; i < n; i++)
                add_mirror(r, urls[i]);
        return k;
}

static int read_metalink(AshRpmmdRepo *r, AshDiags *diags) {
        _bytes_ AshBytes text = {};
        const char *url = expand_url(&r->source, r->source.metalink, r->arena, diags);
        int k = url ? check_scheme(&r->source, url, diags) : -ASH_ERR_CONFIG;
        if (k >= 0)
                k = fetch_small(r, url, LIST_MAX, &text, diags);
        if (k >= 0)
                k = ash_metalink_parse(ash_bytes_slice(&text), url, r->arena, &r->metalink, diags);
        for (size_t i = 0; k >= 0 && i < r->metalink.n_urls; i++)
                if (r->source.allow_file || !has(ash_slice_str(r->metalink.urls[i]), "file:"))
                        add_mirror(r, r->metalink.urls[i]);
        r->has_metalink = k >= 0;
        return k;
}

static int find_mirrors(AshRpmmdRepo *r, AshDiags *diags) {
        int k = 0;
        for (size_t i = 0; r->source.base_urls && r->source.base_urls[i]; i++) {
                const char *url = expand_url(&r->source, r->source.base_urls[i], r->arena, diags);
                if (!url || check_scheme(&r->source, url, diags) < 0)
                        return -ASH_ERR_CONFIG;
                add_mirror(r, url);
        }
        if (r->source.metalink)
                k = read_metalink(r, diags);
        if (k >= 0 && r->source.mirrorlist)
                k = read_mirrorlist(r, diags);
        if (k < 0)
                return k;
        if (r->mirrors.n == 0)
                return ash_fail(diags, -ASH_ERR_CONFIG, r->source.at, "upstream '%s' has no base URL, mirror list or metalink", r->source.name);
        return 0;
}

/* ---- is this repomd.xml the one that we want ---- */
static bool strong(AshDigestKind kind) { return kind == ASH_SHA256 || kind == ASH_SHA384 || kind == ASH_SHA512; }

static bool metalink_lists(const AshMetalink *m, AshSlice xml) {
        for (size_t i = 0; i < m->n_versions; i++) {
                const AshMetalinkVersion *v = &m->versions[i];
                bool any = false, all = v->size == UINT64_MAX || v->size == xml.len;
                for (size_t k = 0; k < v->n && all; k++) {
                        uint8_t got[ASH_DIGEST_SIZE_MAX];
                        if (!strong(v->checksums[k].kind))
                                continue;
                        ash_digest_of(v->checksums[k].kind, xml, got);
                        any = true;
                        all = memcmp(got, v->checksums[k].digest, ash_digest_size(v->checksums[k].kind)) == 0;
                }
                if (any && all)
                        return true;
        }
        return false;
}

static int check_signature(AshRpmmdRepo *r, const char *url, AshSlice xml, AshDiags *diags) {
        _free_ char *asc = ash_asprintf("%s.asc", url);
        _bytes_ AshBytes signature = {};
        int k = fetch_small(r, asc, SIGNATURE_MAX, &signature, diags);
        if (k == -ENOENT)
                return ash_fail(diags, -ASH_ERR_VERIFY, r->source.at, "%s is not signed: there is no %s", url, asc);
        if (k >= 0)
                k = ash_verify_detached(r->source.keyring, ash_bytes_slice(&signature), &xml, 1, NULL, &r->signature, diags);
        if (k < 0)
                return k;
        if (r->signature.status != ASH_SIG_GOOD) {
                k = ash_fail(diags, -ASH_ERR_VERIFY, r->source.at, "the signature of %s cannot be accepted: %s (key %s)", url, ash_sig_status_name(r->signature.status),
                             r->signature.key_id[0] ? r->signature.key_id : "not named");
                if (r->signature.status == ASH_SIG_UNKNOWN_KEY)
                        ash_hint(diags, "'gpg-key' of upstream '%s' must name a file with the public key of whoever signs it", r->source.name);
                return k;
        }
        r->is_signed = true;
        return 0;
}

/* What was seen last of this upstream: a mirror that lags, or one that is made to, must not take us back. */
static AshId seen_key(const AshRpmmdRepo *r) {
        _str_ AshStr text = {};
        ash_str_appendf(&text, "rpmmd-seen-1\n%s\n%s\n%s\n", r->source.name, r->source.metalink ? r->source.metalink : "", r->source.mirrorlist ? r->source.mirrorlist : "");
        for (size_t i = 0; r->source.base_urls && r->source.base_urls[i]; i++)
                ash_str_appendf(&text, "%s\n", r->source.base_urls[i]);
        ash_str_appendf(&text, "%s %s %s", r->source.arch ? r->source.arch : "", r->source.releasever ? r->source.releasever : "", r->source.snapshot ? r->source.snapshot : "");
        return ash_id_of(ash_str_slice(&text));
}

static void last_seen(const AshRpmmdRepo *r, uint64_t *ret_timestamp, uint64_t *ret_revision) {
        _bytes_ AshBytes text = {};
        AshId key = seen_key(r);
        AshSlice rest, timestamp, revision;
        *ret_timestamp = *ret_revision = 0;
        if (ash_store_cache_get(r->store, "rpmmd-seen", &key, &text) < 0)
                return;
        rest = ash_bytes_slice(&text);
        if (ash_slice_next_word(&rest, &timestamp))
                ash_slice_to_u64(timestamp, 10, ret_timestamp);
        if (ash_slice_next_word(&rest, &revision))
                ash_slice_to_u64(revision, 10, ret_revision);
}

static uint64_t revision_number(const AshRepomd *md) {
        uint64_t n = 0;
        return ash_slice_to_u64(md->revision, 10, &n) >= 0 ? n : 0;
}

static int check_age(AshRpmmdRepo *r, const char *url, AshDiags *diags) {
        uint64_t timestamp, revision, now = revision_number(&r->md);
        last_seen(r, &timestamp, &revision);
        if (r->md.timestamp >= timestamp && (now == 0 || now >= revision))
                return 0;
        return ash_fail(diags, -ASH_ERR_VERIFY, r->source.at, "%s is older than what was seen before (revision %.*s, time %llu; seen: revision %llu, time %llu)", url, ASH_F(r->md.revision),
                        (unsigned long long) r->md.timestamp, (unsigned long long) revision, (unsigned long long) timestamp);
}

static void remember(AshRpmmdRepo *r) {
        AshId key = seen_key(r);
        _free_ char *text = ash_asprintf("%llu %llu\n", (unsigned long long) r->md.timestamp, (unsigned long long) revision_number(&r->md));
        ash_store_cache_put(r->store, "rpmmd-seen", &key, ash_slice_str(text)); /* a cache that cannot be written is no reason to fail */
}

static int accept_repomd(AshRpmmdRepo *r, const char *url, AshSlice xml, AshDiags *diags) {
        AshId id = ash_id_of(xml);
        int k = 0;
        if (r->source.repomd_id && !ash_id_eq(&id, r->source.repomd_id)) {
                char want[ASH_ID_HEX], got[ASH_ID_HEX];
                ash_id_hex(r->source.repomd_id, want);
                ash_id_hex(&id, got);
                return ash_fail(diags, -ASH_ERR_VERIFY, r->source.at, "%s is not the locked one: SHA-256 %s, locked %s", url, got, want);
        }
        if (r->has_metalink && !r->source.repomd_id && !metalink_lists(&r->metalink, xml))
                return ash_fail(diags, -ASH_ERR_VERIFY, r->source.at, "%s is not one that the metalink lists: this mirror is out of step, or lies", url);
        if (r->source.keyring)
                k = check_signature(r, url, xml, diags);
        if (k >= 0)
                k = ash_repomd_parse(xml, url, r->arena, &r->md, diags);
        if (k >= 0 && !r->source.repomd_id)
                k = check_age(r, url, diags);
        if (k >= 0)
                k = ash_store_put_blob(r->store, xml, NULL, &r->repomd_id, diags);
        return k;
}

static int try_mirror(AshRpmmdRepo *r, size_t m, const char *const *want, AshProgress *progress, AshDiags *diags) {
        _free_ char *url = ash_asprintf("%srepodata/repomd.xml", r->mirrors.items[m]);
        _bytes_ AshBytes xml = {};
        r->is_signed = false;
        r->first_mirror = m;
        int k = fetch_small(r, url, REPOMD_MAX, &xml, diags);
        if (k >= 0)
                k = accept_repomd(r, url, ash_bytes_slice(&xml), diags);
        if (k >= 0)
                k = ash_rpmmd_fetch_metadata(r, want, progress, diags);
        return k;
}

/* From the store alone: what the lock names is there. Its signature was checked when it was locked. */
static int try_store(AshRpmmdRepo *r, const char *const *want, AshProgress *progress, AshDiags *diags) {
        _bytes_ AshBytes xml = {};
        int k = ash_store_map_blob(r->store, r->source.repomd_id, true, &xml, diags);
        if (k < 0)
                return k;
        k = ash_repomd_parse(ash_bytes_slice(&xml), "repomd.xml", r->arena, &r->md, diags);
        r->repomd_id = *r->source.repomd_id;
        if (k >= 0 && !ash_rpmmd_have_metadata(r, want))
                k = -ENOENT;
        return k < 0 ? k : ash_rpmmd_fetch_metadata(r, want, progress, diags);
}

/* What failed at one place is only worth a warning when there is another one. */
static void soften(AshDiags *from, AshDiags *to) {
        for (size_t i = 0; i < ash_diags_n(from); i++) {
                const AshDiag *d = ash_diags_at(from, i);
                if (d->severity == ASH_INFO)
                        continue;
                ash_warn(to, ASH_NOWHERE, "%s%s%s", d->file ? d->file : "", d->file ? ": " : "", d->text);
        }
}

static bool worth_another_mirror(int k) { return k == -ASH_ERR_VERIFY || k == -ASH_ERR_AGAIN || k == -ENOENT || k == -ASH_ERR_SYNTAX || k == -ASH_ERR_LIMIT; }

static int try_mirrors(AshRpmmdRepo *r, const char *const *want, AshProgress *progress, AshDiags *diags) {
        _cleanup_(ash_diags_free_p) AshDiags *tries = ash_diags_new();
        int k = -ENOENT;
        /* With one mirror once more: it may have been publishing while we read. */
        size_t n = r->mirrors.n == 1 && !has(ash_slice_str(r->mirrors.items[0]), "file:") ? 2 : r->mirrors.n;
        for (size_t i = 0; i < n; i++) {
                _cleanup_(ash_diags_free_p) AshDiags *one = ash_diags_new();
                k = try_mirror(r, i % r->mirrors.n, want, progress, one);
                if (k < 0 && i >= r->mirrors.n) /* the same again: said once */
                        ash_diags_clear(tries);
                ash_diags_merge(tries, one);
                if (k >= 0 || !worth_another_mirror(k))
                        break;
        }
        if (k >= 0)
                soften(tries, diags);
        else
                ash_diags_merge(diags, tries);
        return k;
}

static int check_proof(const AshRpmmdRepo *r, AshDiags *diags) {
        if (r->source.keyring || r->source.metalink || r->source.repomd_id)
                return 0;
        if (!r->source.allow_unsigned) {
                ash_fail(diags, -ASH_ERR_VERIFY, r->source.at, "nothing proves the metadata of upstream '%s': no key, no metalink, no lock", r->source.name);
                ash_hint(diags, "name its key, use its metalink, or lock it");
                return -ASH_ERR_VERIFY;
        }
        ash_warn(diags, r->source.at, "the metadata of upstream '%s' is used unsigned", r->source.name);
        return 0;
}

int ash_rpmmd_open(AshStore *store, const AshRpmmdSource *source, const char *const *want, AshProgress *progress, AshRpmmdRepo **ret, AshDiags *diags) {
        _cleanup_(ash_rpmmd_free_p) AshRpmmdRepo *r = ash_calloc(1, sizeof(*r));
        r->arena = ash_arena_new();
        r->store = store;
        r->source = *source;
        r->source.fetch.allow_file = source->allow_file;

        int k = check_proof(r, diags);
        if (k < 0)
                return k;
        k = -ENOENT;
        if (source->repomd_id) {
                _cleanup_(ash_diags_free_p) AshDiags *tries = ash_diags_new();
                k = try_store(r, want, progress, tries);
                soften(tries, diags);
        }
        if (k == -ENOENT || k == -ASH_ERR_AGAIN) {
                k = find_mirrors(r, diags);
                if (k >= 0)
                        k = try_mirrors(r, want, progress, diags);
        }
        if (k < 0) {
                ash_note(diags, source->at, "while reading upstream '%s'", source->name);
                return k;
        }
        if (!source->repomd_id)
                remember(r);
        *ret = ASH_TAKE(r);
        return 0;
}

/* Mirrors are needed after all: a package, after a start from the store alone. */
int ash_rpmmd_need_mirrors(AshRpmmdRepo *r, AshDiags *diags) { return r->mirrors.n ? 0 : find_mirrors(r, diags); }

int ash_rpmmd_fetch_known(AshStore *store, const AshRpmmdSource *source, const AshRpmmdKnown *packages, size_t n, AshProgress *progress, AshDiags *diags) {
        _cleanup_(ash_rpmmd_free_p) AshRpmmdRepo *r = ash_calloc(1, sizeof(*r));
        r->arena = ash_arena_new();
        r->store = store;
        r->source = *source;
        r->source.fetch.allow_file = source->allow_file;
        AshStoreWant *wants = ash_arena_new_items(r->arena, AshStoreWant, n);
        int k = find_mirrors(r, diags);
        for (size_t i = 0; k >= 0 && i < n; i++) {
                if (!ash_path_is_confined(packages[i].href))
                        return ash_fail(diags, -ASH_ERR_VERIFY, source->at, "'%.*s' is no path below a repository", ASH_F(packages[i].href));
                wants[i] = (AshStoreWant){ .urls = ash_rpmmd_urls(r, packages[i].href), .id = &packages[i].id, .size = packages[i].size, .label = packages[i].label };
        }
        return k < 0 ? k : ash_store_fetch(store, wants, n, &r->source.fetch, progress, diags);
}

void ash_rpmmd_free(AshRpmmdRepo *r) {
        if (!r)
                return;
        ash_array_done(&r->mirrors);
        ash_array_done(&r->files);
        ash_map_done(&r->by_nevra);
        ash_bytes_done(&r->rows);
        ash_arena_free(r->arena);
        free(r);
}

const AshId *ash_rpmmd_repomd_id(const AshRpmmdRepo *r) { return &r->repomd_id; }
const AshRepomd *ash_rpmmd_repomd(const AshRpmmdRepo *r) { return &r->md; }
const AshSigResult *ash_rpmmd_signature(const AshRpmmdRepo *r) { return r->is_signed ? &r->signature : NULL; }
