/* Downloads and generated files, into the cache, checked by their digests before they get a name there. */
#include <ctype.h>
#include <strings.h>
#include <sys/stat.h>
#include "specsource-private.h"

typedef struct Job {
        AshSourceItem *item;
        AshDigestKind kind;          /* what is fetched: of an overlay's archive, what upstream has */
        const char *hex;
        char *path;                  /* in the cache */
        AshStr uris[2];
        const char *list[3];
        uint8_t digest[ASH_DIGEST_SIZE_MAX];
        AshLockFile *lock;
        AshTexts archives;           /* upstreams whose source archives may have it */
        AshStr tried;                /* what was looked at there, a line each */
        bool have;
} Job;

typedef struct Jobs {
        Job *items;
        size_t n;
} Jobs;

static void jobs_done(Jobs *jobs) {
        for (size_t i = 0; i < jobs->n; i++) {
                Job *j = &jobs->items[i];
                ash_lock_free(j->lock);
                free(j->path);
                ash_str_done(&j->uris[0]);
                ash_str_done(&j->uris[1]);
                ash_str_done(&j->tried);
        }
        free(jobs->items);
}

/* ---- what is wanted ---- */
/* Of an edited archive upstream's own is fetched only when somebody is about to edit it. One that upstream does not list is a file of the spec's directory. */
static bool wanted(const AshSourceItem *item, const AshSourceItem *only) {
        return only ? item == only : item->origin != ASH_ORIGIN_OVERLAY && !item->path;
}

/* An archive that was edited before is in the cache under the digest that it must have. */
static int look_for_edited(AshSourceItem *item, const AshSpecOptions *options, AshDiags *diags) {
        _free_ char *path = NULL;
        int r = ash_spec_blob_path(options, item->kind, item->hex, &path, diags);
        if (r < 0)
                return r;
        if (access(path, F_OK) == 0 && ash_spec_blob_check(path, item->kind, item->hex) > 0)
                item->path = ASH_TAKE(path);
        return 0;
}

static int lookaside_uri(const Job *j, AshSlice package, const AshSpecDistro *distro, AshStr *out, AshDiags *diags) {
        const AshPlaceholder values[] = {
                { "pkg", package }, { "filename", j->item->filename }, { "hashtype", ash_slice_str(ash_digest_name(j->kind)) }, { "hash", ash_slice_str(j->hex) },
                { "releasever", distro->releasever.s }, { "basearch", distro->basearch.s },
        };
        return ash_uri_expand(distro->lookaside_uri.s, values, ASH_N(values), distro->lookaside_uri.at, out, diags);
}

static int set_uris(Job *j, AshSlice package, const AshSpecDistro *distro, AshDiags *diags) {
        const AshSourceItem *item = j->item;
        size_t n = 0;
        if (item->origin == ASH_ORIGIN_APT_SOURCE)
                j->archives = (AshTexts){ (AshText *) &item->config->origin_upstream, 1 };
        else if (distro && item->origin != ASH_ORIGIN_CUSTOM)
                j->archives = distro->source_upstreams;
        if (item->origin == ASH_ORIGIN_DOWNLOAD && !(distro && distro->disable_origins)) {
                ash_str_append(&j->uris[n], item->config->origin_uri.s);
                n++;
        }
        if (distro && distro->lookaside_uri.s.len > 0 && item->origin != ASH_ORIGIN_CUSTOM && item->origin != ASH_ORIGIN_APT_SOURCE) {
                int r = lookaside_uri(j, package, distro, &j->uris[n], diags);
                if (r < 0)
                        return r;
                n++;
        }
        for (size_t i = 0; i < n; i++)
                j->list[i] = j->uris[i].ptr;
        if (n > 0 || j->archives.n > 0 || item->origin == ASH_ORIGIN_CUSTOM)
                return 0;
        ash_fail(diags, -EINVAL, item->at, "there is no place to get '%.*s' from", ASH_F(item->filename));
        ash_hint(diags, "put it beside the spec; or say in [distros.NAME] where sources come from: 'lookaside-base-uri', or 'source-upstreams', apt upstreams whose source archive has it");
        return -EINVAL;
}

static int prepare(Job *j, AshSourceItem *item, AshSlice package, const AshSpecDistro *distro, const AshSpecOptions *options, AshDiags *diags) {
        bool before = item->origin == ASH_ORIGIN_OVERLAY;
        j->item = item;
        j->kind = before ? item->upstream_kind : item->kind;
        j->hex = before ? item->upstream_hex : item->hex;
        int r = set_uris(j, package, distro, diags);
        if (r >= 0)
                r = ash_spec_blob_path(options, j->kind, j->hex, &j->path, diags);
        if (r >= 0)
                r = ash_unhex(ash_slice_str(j->hex), j->digest, ash_digest_size(j->kind));
        return r;
}

/* ---- what is there already ---- */
static int look_in_cache(Job *j, AshDiags *diags) {
        if (access(j->path, F_OK) < 0)
                return 0;
        int r = ash_spec_blob_check(j->path, j->kind, j->hex);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "%s: %s", j->path, ash_strerror(r));
        j->have = r > 0;
        if (!j->have) {
                ash_warn(diags, ASH_NOWHERE, "%s is damaged; it is fetched again", j->path);
                if (unlink(j->path) < 0)
                        return ash_fail(diags, -errno, ASH_NOWHERE, "%s: %s", j->path, ash_strerror(-errno));
        }
        return 0;
}

/* Another process may be fetching the same file: one of us does, the other waits and finds it. Locks are taken in one order by all. */
static int lock_job(Job *j, AshDiags *diags) {
        _free_ char *lock = ash_asprintf("%s.lock", j->path);
        int r = ash_lock_acquire(AT_FDCWD, lock, true, 3600 * 1000, &j->lock);
        if (r < 0)
                return ash_fail(diags, r == -EAGAIN ? -ASH_ERR_AGAIN : r, ASH_NOWHERE, "cannot lock %s: %s", lock, ash_strerror(r));
        return look_in_cache(j, diags);
}

static int compare_jobs(const void *a, const void *b) {
        const Job *x = a, *y = b;
        return strcmp(x->path ? x->path : "", y->path ? y->path : "");
}

/* ---- source archives: by digest, whatever the file is called there ---- */
static bool ends_in(AshSlice name, const char *const *ends, AshSlice *ret_rest) {
        for (; *ends; ends++)
                if (ash_slice_ends(name, ash_slice_str(*ends))) {
                        *ret_rest = ash_slice_sub(name, 0, name.len - strlen(*ends));
                        return true;
                }
        return false;
}

/* "lz4-1.tar.gz.sig" of "lz4-1.tar.gz", "libcap-2.tar.sign" of "libcap-2.tar.gz" (kernel.org signs what is inside), "x-1.tar.gz.txt". */
static bool signs(AshSlice signature, AshSlice file) {
        static const char *const ends[] = { ".sig", ".asc", ".sign", ".gpg", ".pgp", NULL }, *const text[] = { ".txt", NULL }, *const packed[] = { ".gz", ".xz", ".bz2", ".zst", ".lz", ".tgz", NULL };
        AshSlice of, inside;
        bool archive = ends_in(file, packed, &inside);
        return (ends_in(signature, ends, &of) && (ash_slice_eq(of, file) || (archive && ash_slice_eq(of, inside)))) || (archive && ends_in(signature, text, &of) && ash_slice_eq(of, file));
}

/* "0xD55D978A8A1420E4", "B1D2BD13...": a key is called by its number or its fingerprint. */
static bool is_key_number(AshSlice name) {
        if (ash_slice_starts(name, ASH_S("0x")))
                name = ash_slice_from(name, 2);
        for (size_t i = 0; i < name.len; i++)
                if (!isxdigit((unsigned char) name.ptr[i]))
                        return false;
        return name.len == 8 || name.len == 16 || name.len == 40;
}

static bool says(AshSlice name, const char *const *words) {
        for (; *words; words++)
                for (size_t i = 0, n = strlen(*words); i + n <= name.len; i++)
                        if (!strncasecmp(name.ptr + i, *words, n))
                                return true;
        return false;
}

/* What signatures are checked with: "nettle-release-keyring.gpg", and beside a signature also "upstream.asc", "core-gpg-key.txt", "Public-Key", a fingerprint. */
static bool is_keyring(AshSlice name, bool with_signature) {
        static const char *const ends[] = { ".gpg", ".asc", ".pgp", ".kbx", ".key", ".pub", NULL }, *const text[] = { ".txt", NULL }, *const key[] = { "key", NULL }, *const words[] = { "key", "gpg", "pgp", NULL };
        AshSlice rest = name;
        if (ends_in(name, ends, &rest))
                return with_signature || says(rest, key);
        bool plain = ends_in(name, text, &rest) || ash_slice_find_char(name, '.') < 0;
        return with_signature && ((plain && says(rest, words)) || is_key_number(rest));
}

static bool has_signature(const AshSources *sources) {
        ash_array_foreach(&sources->items, i)
                ash_array_foreach(&sources->items, j)
                        if (signs(i->filename, j->filename))
                                return true;
        return false;
}

/* What it signs is in "sources", too. */
static bool may_be_absent(const Job *j, const AshSources *sources, const AshSpecDistro *distro) {
        if (!distro || !distro->allow_missing_signatures)
                return false;
        ash_array_foreach(&sources->items, i)
                if (signs(j->item->filename, i->filename))
                        return true;
        return is_keyring(j->item->filename, has_signature(sources));
}

static int leave_out(Job *j, const AshSpecOptions *options, AshDiags *diags) {
        _free_ char *cache = NULL;
        int r = ash_spec_cache_dir(options, &cache, diags);
        if (r < 0)
                return r;
        free(j->path);
        j->path = ash_path_join(cache, "no-signature");
        j->have = j->item->absent = true;
        r = ash_file_update(AT_FDCWD, j->path, ASH_S(ASH_SOURCE_NOTE "\n"), 0644, false);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "cannot write %s: %s", j->path, ash_strerror(r));
        ash_warn(diags, j->item->at, "'%.*s' could not be had, which allow-missing-signatures takes for good: what it signs is checked by its digest alone", ASH_F(j->item->filename));
        return 0;
}

/* Before a signature is given up: nobody wants to hear why the lookaside cache has it not. */
static bool fetch_quietly(Job *j, const AshSpecOptions *options) {
        AshFetch fetch = { .urls = j->list, .dirfd = AT_FDCWD, .path = j->path, .digest_kind = j->kind, .digest = j->digest, .size = UINT64_MAX, .limit = 1 << 20, .at = j->item->at };
        AshFetchOptions o = { .retries = options->retries, .stall_timeout_ms = options->stall_timeout_ms, .allow_file = options->allow_local };
        AshDiags *aside = ash_diags_new();
        j->have = !options->offline && ash_fetch(&fetch, 1, &o, NULL, aside) >= 0;
        ash_diags_free(aside);
        return j->have;
}

static int not_found(const Job *j, AshDiags *diags) {
        _str_ AshStr names = {};
        AshSlice rest = ash_str_slice(&j->tried), line;
        for (size_t i = 0; i < j->archives.n; i++)
                ash_str_appendf(&names, "%s'%.*s'", i ? ", " : "", ASH_F(j->archives.items[i].s));
        ash_fail(diags, -ENOENT, j->item->at, "no source archive (%s) has '%.*s'", names.ptr, ASH_F(j->item->filename));
        ash_note(diags, ASH_NOWHERE, "looked for %s %s", ash_digest_name(j->kind), j->hex);
        while (rest.len && ash_slice_next_line(&rest, &line))
                ash_note(diags, ASH_NOWHERE, "%.*s", ASH_F(line));
        return -ENOENT;
}

static int search_one(Job *j, AshSlice package, const AshSources *sources, const AshSpecDistro *distro, const AshSpecOptions *options, AshDiags *diags) {
        _free_ char *cache = NULL;
        int r = options->finder && !options->offline ? ash_spec_cache_dir(options, &cache, diags) : -ENOENT;
        if (r >= 0)
                r = options->finder->find(options->finder->context, cache, &j->archives, j->item, j->kind, j->hex, package, j->path, &j->tried, diags);
        if (r >= 0)
                j->have = true;
        if (r != -ENOENT)
                return r;
        if (may_be_absent(j, sources, distro))
                return j->list[0] && fetch_quietly(j, options) ? 0 : leave_out(j, options, diags);
        if (j->list[0])
                return 0;
        if (options->offline)
                return ash_fail(diags, -ASH_ERR_AGAIN, j->item->at, "'%.*s' is not in the cache, and this run is offline", ASH_F(j->item->filename));
        return options->finder ? not_found(j, diags) : ash_fail(diags, -EINVAL, j->item->at, "'%.*s' comes from a source archive, which cannot be searched here", ASH_F(j->item->filename));
}

static int search_archives(Jobs *jobs, AshSlice package, const AshSources *sources, const AshSpecDistro *distro, const AshSpecOptions *options, AshDiags *diags) {
        int result = 0;
        for (size_t i = 0; i < jobs->n; i++) {
                Job *j = &jobs->items[i];
                if (j->have || !j->archives.n)
                        continue;
                int r = search_one(j, package, sources, distro, options, diags);
                if (r < 0 && result == 0)
                        result = r;
        }
        return result;
}

/* ---- getting it ---- */
static int download(Jobs *jobs, const AshSpecOptions *options, AshDiags *diags) {
        _free_ AshFetch *fetches = ash_calloc(jobs->n + 1, sizeof(*fetches));
        size_t n = 0;
        for (size_t i = 0; i < jobs->n; i++) {
                Job *j = &jobs->items[i];
                if (j->have || !j->list[0] || j->item->origin == ASH_ORIGIN_CUSTOM)
                        continue;
                fetches[n++] = (AshFetch) { .urls = j->list, .dirfd = AT_FDCWD, .path = j->path, .digest_kind = j->kind, .digest = j->digest, .size = UINT64_MAX,
                                            .limit = (uint64_t) 64 << 30, .at = j->item->at };
        }
        if (n == 0)
                return 0;
        if (options->offline) {
                for (size_t i = 0; i < n; i++)
                        ash_fail(diags, -ASH_ERR_AGAIN, fetches[i].at, "%s is not in the cache, and this run is offline", fetches[i].urls[0]);
                return -ASH_ERR_AGAIN;
        }
        AshFetchOptions o = { .parallel = options->parallel, .retries = options->retries, .stall_timeout_ms = options->stall_timeout_ms, .allow_file = options->allow_local };
        return ash_fetch(fetches, n, &o, options->progress, diags);
}

static int generate(Job *j, const AshSpecOptions *options, AshDiags *diags) {
        _free_ char *cache = NULL;
        int r = ash_spec_cache_dir(options, &cache, diags);
        if (r < 0)
                return r;
        _free_ char *made = ash_asprintf("%s.made", j->path);
        (void) unlink(made);
        r = ash_spec_script_run(j->item, options, cache, made, diags);
        if (r < 0)
                return r;
        uint8_t digest[ASH_DIGEST_SIZE_MAX];
        char have[ASH_HEX_MAX];
        uint64_t size;
        r = ash_digest_file(j->kind, AT_FDCWD, made, digest, &size);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "%s: %s", made, ash_strerror(r));
        ash_hex(digest, ash_digest_size(j->kind), have);
        if (strcmp(have, j->hex) != 0) {
                (void) unlink(made);
                ash_fail(diags, -ASH_ERR_VERIFY, j->item->config->hash.at, "the script of '%.*s' made something else than the hash says", ASH_F(j->item->filename));
                ash_note(diags, ASH_NOWHERE, "it made %s", have);
                return -ASH_ERR_VERIFY;
        }
        if (rename(made, j->path) < 0)
                return ash_fail(diags, -errno, ASH_NOWHERE, "%s: %s", j->path, ash_strerror(-errno));
        return 0;
}

static int get_all(Jobs *jobs, const AshSpecOptions *options, AshDiags *diags) {
        int result = download(jobs, options, diags);
        for (size_t i = 0; i < jobs->n; i++) {
                Job *j = &jobs->items[i];
                bool same = i > 0 && strcmp(jobs->items[i - 1].path, j->path) == 0;
                if (j->have || same || j->item->origin != ASH_ORIGIN_CUSTOM)
                        continue;
                int r = generate(j, options, diags);
                if (r < 0 && result >= 0)
                        result = r;
        }
        return result;
}

static int fetch_items(AshSources *sources, AshSourceItem *only, AshSlice package, const AshSpecDistro *distro, const AshSpecOptions *options, AshDiags *diags) {
        _cleanup_(jobs_done) Jobs jobs = { .items = ash_calloc(sources->items.n + 1, sizeof(Job)) };
        int result = 0;
        ash_array_foreach(&sources->items, item) {
                if (!wanted(item, only))
                        continue;
                int r = prepare(&jobs.items[jobs.n++], item, package, distro, options, diags);
                if (r < 0 && result == 0)
                        result = r;
        }
        if (result < 0)
                return result;
        qsort(jobs.items, jobs.n, sizeof(Job), compare_jobs);
        for (size_t i = 0; i < jobs.n; i++) {
                /* The same content under two names is fetched once. */
                bool same = i > 0 && strcmp(jobs.items[i - 1].path, jobs.items[i].path) == 0;
                int r = same ? 0 : lock_job(&jobs.items[i], diags);
                if (r < 0)
                        return r;
                if (same)
                        jobs.items[i].have = true;
        }
        int r = search_archives(&jobs, package, sources, distro, options, diags);
        int got = get_all(&jobs, options, diags);
        if (r < 0 || got < 0)
                return r < 0 ? r : got;
        for (size_t i = 0; i < jobs.n; i++) {
                free(jobs.items[i].item->path);
                jobs.items[i].item->path = ash_strdup(jobs.items[i].path);
        }
        return 0;
}

/* ---- beside the spec ---- */
static int take_one(AshSourceItem *item, const AshSpecTree *tree, const AshSpecFile *file, const AshSpecOptions *options, AshDiags *diags) {
        char have[ASH_HEX_MAX];
        _free_ char *path = NULL;
        ash_digest_hex_of(item->kind, file->data, have);
        if (strcmp(have, item->hex) != 0) {
                int r = ash_fail(diags, -ASH_ERR_VERIFY, item->at, "'%.*s' is another file than the one beside the spec", ASH_F(item->filename));
                ash_note(diags, ASH_NOWHERE, "'sources' says %s %s", ash_digest_name(item->kind), item->hex);
                ash_note(diags, ASH_NOWHERE, "%s/%s has %s", tree->origin, file->path, have);
                ash_hint(diags, "when the file is the right one its digest belongs into 'sources'; else put the one there that 'sources' means, or none, and it is fetched");
                return r;
        }
        int r = ash_spec_blob_path(options, item->kind, item->hex, &path, diags);
        if (r >= 0 && access(path, F_OK) < 0) {
                r = ash_file_write_atomic(AT_FDCWD, path, file->data, 0644, false);
                if (r < 0)
                        return ash_fail_file(diags, r, path, "cannot be written: %s", ash_strerror(r));
        }
        if (r >= 0)
                item->path = ASH_TAKE(path);
        return r;
}

int ash_sources_take(AshSources *sources, const AshSpecTree *tree, const AshSpecOptions *options, AshDiags *diags) {
        int result = 0;
        ash_array_foreach(&sources->items, item) {
                const AshSpecFile *file = item->origin == ASH_ORIGIN_LOOKASIDE && !item->path ? ash_spec_tree_find(tree, item->filename) : NULL;
                int r = file && !S_ISLNK(file->mode) ? take_one(item, tree, file, options, diags) : 0;
                result = result < 0 ? result : r;
        }
        return result;
}

int ash_sources_fetch(AshSources *sources, AshSlice package, const AshSpecDistro *distro, const AshSpecOptions *options, AshDiags *diags) {
        int r = fetch_items(sources, NULL, package, distro, options, diags);
        ash_array_foreach(&sources->items, item)
                if (r >= 0 && item->origin == ASH_ORIGIN_OVERLAY && !item->path)
                        r = look_for_edited(item, options, diags);
        return r;
}

int ash_sources_fetch_one(AshSources *sources, AshSourceItem *item, AshSlice package, const AshSpecDistro *distro, const AshSpecOptions *options, AshDiags *diags) {
        return fetch_items(sources, item, package, distro, options, diags);
}

int ash_sources_place(const AshSources *sources, int dirfd, AshDiags *diags) {
        ash_array_foreach(&sources->items, item) {
                _free_ char *name = ash_slice_dup(item->filename);
                if (!item->path && item->origin == ASH_ORIGIN_OVERLAY && item->replaced)
                        return ash_fail(diags, -EINVAL, item->at, "the archive '%s' has not been edited: no overlay names it", name);
                if (!item->path)
                        continue;
                int r = ash_copy_file(AT_FDCWD, item->path, dirfd, name, 0644);
                if (r < 0)
                        return ash_fail(diags, r, ASH_NOWHERE, "cannot put %s in place: %s", name, ash_strerror(r));
        }
        return 0;
}
