/* Importing many packages: look in the cache, fetch what is missing by its digest, convert on all processors. */
#include "apt.h"

extern char **environ;

typedef struct Job {
        size_t index;            /* in the caller's list */
        AshAptImport in;
        char key[65];
        char *deb, *rpm, *note;  /* paths below dir */
        uint64_t size;
        char label[16];
} Job;
typedef struct Work {
        const AshAptConfig *c;
        const AshApt *universe;
        AshAptResult *results;
        int dirfd;
        Job *jobs;
        size_t n;
        AshDiags *diags;
        uint64_t unpacked, rpm_bytes;
} Work;

static void work_done(Work *w) {
        for (size_t i = 0; i < w->n; i++) {
                free(w->jobs[i].deb);
                free(w->jobs[i].rpm);
                free(w->jobs[i].note);
        }
        free(w->jobs);
        if (w->dirfd >= 0)
                close(w->dirfd);
}

void ash_apt_results_done(AshAptResult *results, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(results[i].path);
                results[i].path = NULL;
        }
}

/* The note beside an imported package: "SHA256 SIZE SCRIPTS HANDLED FILES GUESSED". Written last: it says that the package is whole. */
static bool read_note(Work *w, const Job *j, AshAptResult *ret) {
        _bytes_ AshBytes bytes = {};
        if (ash_file_read(w->dirfd, j->note, 4096, &bytes) < 0)
                return false;
        AshSlice text = ash_slice_trim(ash_bytes_slice(&bytes)), word;
        uint64_t v[5];
        if (!ash_slice_next_word(&text, &word) || word.len != 64)
                return false;
        memcpy(ret->sha256, word.ptr, 64);
        ret->sha256[64] = '\0';
        for (size_t i = 0; i < ASH_N(v); i++)
                if (!ash_slice_next_word(&text, &word) || ash_slice_to_u64(word, 10, &v[i]) < 0)
                        return false;
        struct stat st;
        if (fstatat(w->dirfd, j->rpm, &st, 0) < 0 || (uint64_t) st.st_size != v[0])
                return false;
        ret->size = v[0];
        ret->info = (AshAptImported){ (unsigned) v[1], (unsigned) v[2], (size_t) v[3], v[4] != 0 };
        return true;
}

static int write_note(Work *w, const Job *j, const AshAptResult *r) {
        _free_ char *text = ash_asprintf("%s %llu %u %u %zu %d\n", r->sha256, (unsigned long long) r->size, r->info.scripts, r->info.handled, r->info.files, r->info.license_guessed);
        return ash_file_write_atomic(w->dirfd, j->note, ash_slice_str(text), 0644, false);
}

static void plan_job(Work *w, size_t index, size_t package) {
        AshAptPackage p;
        ash_apt_package(w->universe, package, &p);
        char hex[65];
        ash_hex(p.sha256, 32, hex);
        Job *j = &w->jobs[w->n];
        *j = (Job){ .index = index, .size = p.size,
                    .in = { .universe = w->universe, .package = package, .tables = w->c->tables, .vendor = w->c->vendor, .packager = w->c->packager,
                            .distribution = w->c->distribution, .zstd_level = w->c->zstd_level } };
        ash_apt_import_key(&j->in, j->key);
        j->deb = ash_asprintf("debs/%.2s/%s.deb", hex, hex);
        j->rpm = ash_asprintf("rpms/%.2s/%s.rpm", j->key, j->key);
        j->note = ash_asprintf("rpms/%.2s/%s", j->key, j->key);
        w->n++;
        AshAptResult *r = &w->results[index];
        *r = (AshAptResult){ .path = ash_path_join(w->c->dir, j->rpm) };
        r->cached = read_note(w, j, r);
        if (!r->cached)
                return;
        w->n--;
        free(j->deb);
        free(j->rpm);
        free(j->note);
}

static int job_order(const void *a, const void *b) { /* the longest first: the last one to end should be short */
        uint64_t x = ((const Job *) a)->size, y = ((const Job *) b)->size;
        return x > y ? -1 : x < y;
}

static bool plain_scheme(AshSlice uri) {
        return ash_slice_starts(uri, ASH_S("http://")) || ash_slice_starts(uri, ASH_S("https://")) || ash_slice_starts(uri, ASH_S("file:/")) || ash_slice_starts(uri, ASH_S("copy:/"));
}

/* The archive's base addresses that libcurl can read. */
static const char **base_urls(AshArena *arena, AshSlice uris, size_t *ret_n) {
        const char **out = ash_arena_new_items(arena, const char *, 17);
        AshSlice u;
        while (*ret_n < 16 && ash_slice_next_word(&uris, &u)) {
                if (!plain_scheme(u))
                        continue;
                while (ash_slice_ends(u, ASH_S("/")))
                        u = ash_slice_sub(u, 0, u.len - 1);
                bool copy = ash_slice_starts(u, ASH_S("copy:/"));
                if (copy || (ash_slice_starts(u, ASH_S("file:/")) && !ash_slice_starts(u, ASH_S("file://"))))
                        out[(*ret_n)++] = ash_arena_printf(arena, "file://%.*s", ASH_F(ash_slice_from(u, 5)));
                else
                        out[(*ret_n)++] = ash_arena_strndup(arena, u.ptr, u.len);
        }
        return out;
}

/* The slow way to packages, for what only apt can read (cdrom:, mirror+file:). */
static int apt_download(const AshAptConfig *c, const char *const *specs, size_t n, const char *into, AshDiags *diags) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        const char **argv = ash_arena_new_items(arena, const char *, n + 4);
        const char *start[] = { "apt-get", "-q", "download" };
        memcpy(argv, start, sizeof(start));
        memcpy(argv + 3, specs, n * sizeof(*specs));
        size_t count = 0, k = 0;
        while (environ[count])
                count++;
        const char **env = ash_arena_new_items(arena, const char *, count + 2);
        for (size_t i = 0; i < count; i++)
                if (strncmp(environ[i], "APT_CONFIG=", 11) != 0)
                        env[k++] = environ[i];
        env[k] = ash_arena_printf(arena, "APT_CONFIG=%s/%s-%s/apt.conf", c->dir, c->suite, c->arch);
        _process_result_ AshProcessResult result = {};
        return ash_process_check(&(AshProcess){ .argv = argv, .env = env, .cwd = into }, &result, diags);
}

/* By apt itself, then checked like the others. */
static int fetch_by_apt(Work *w, AshFetch *items, const Job **wanted, size_t n, AshDiags *diags) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _cleanup_(ash_tempdir_free_p) AshTempDir *tmp = NULL;
        int r = ash_tempdir_new(w->c->dir, &tmp);
        const char **specs = ash_arena_new_items(arena, const char *, n + 1);
        for (size_t i = 0; i < n; i++) {
                AshAptPackage p;
                ash_apt_package(w->universe, wanted[i]->in.package, &p);
                specs[i] = ash_arena_printf(arena, "%.*s=%.*s", ASH_F(p.name), ASH_F(p.version));
        }
        if (r >= 0)
                r = apt_download(w->c, specs, n, tmp->path, diags);
        _dirlist_ AshDirList list = {};
        if (r >= 0)
                r = ash_dir_list(tmp->fd, ".", &list);
        if (r < 0)
                return r;
        ash_array_foreach(&list.entries, e) {
                uint8_t digest[ASH_DIGEST_SIZE_MAX];
                uint64_t size;
                if (ash_digest_file(ASH_SHA256, tmp->fd, e->name, digest, &size) < 0)
                        continue;
                for (size_t i = 0; i < n; i++)
                        if (size == items[i].size && memcmp(digest, items[i].digest, 32) == 0 && renameat(tmp->fd, e->name, w->dirfd, items[i].path) == 0)
                                items[i].result = 0;
        }
        for (size_t i = 0; i < n; i++)
                if (items[i].result < 0)
                        return ash_fail(diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "apt downloaded another package than the index says for %s", specs[i]);
        return 0;
}

static int fetch_debs(Work *w, AshSlice uris, AshAptImportTotals *totals) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshFetch *items = ash_arena_new_items(arena, AshFetch, w->n + 1);
        const Job **wanted = ash_arena_new_items(arena, const Job *, w->n + 1);
        size_t n = 0, n_bases = 0;
        const char **bases = base_urls(arena, uris, &n_bases);
        for (size_t i = 0; i < w->n; i++) {
                struct stat st;
                Job *j = &w->jobs[i];
                if (fstatat(w->dirfd, j->deb, &st, 0) == 0 && (uint64_t) st.st_size == j->size)
                        continue;
                AshAptPackage *p = ash_arena_new_item(arena, AshAptPackage);
                ash_apt_package(w->universe, j->in.package, p);
                const char **urls = ash_arena_new_items(arena, const char *, n_bases + 1);
                for (size_t k = 0; k < n_bases; k++)
                        urls[k] = ash_arena_printf(arena, "%s/%.*s", bases[k], ASH_F(p->filename));
                char *dir = ash_arena_strndup(arena, j->deb, 7);
                int r = ash_mkdir_all(w->dirfd, dir, 0755);
                if (r < 0)
                        return ash_fail_file(w->diags, r, dir, "cannot make the directory: %s", ash_strerror(r));
                wanted[n] = j;
                items[n++] = (AshFetch){ .urls = urls, .dirfd = w->dirfd, .path = j->deb, .digest_kind = ASH_SHA256, .digest = p->sha256, .size = p->size, .limit = p->size, .result = -EIO };
                totals->fetched_bytes += p->size;
        }
        totals->fetched = n;
        if (n == 0)
                return 0;
        if (n_bases == 0)
                return fetch_by_apt(w, items, wanted, n, w->diags);
        return ash_fetch(items, n, &(AshFetchOptions){ .allow_file = true }, w->c->progress, w->diags);
}

static int convert_job(Work *w, Job *j) {
        AshAptResult *result = &w->results[j->index];
        _bytes_ AshBytes deb = {};
        AshAptPackage p;
        ash_apt_package(w->universe, j->in.package, &p);
        int r = ash_file_map(w->dirfd, j->deb, &deb);
        if (r < 0)
                return ash_fail_file(w->diags, r, j->deb, "cannot read: %s", ash_strerror(r));
        uint8_t digest[ASH_DIGEST_SIZE_MAX];
        ash_digest_of(ASH_SHA256, ash_bytes_slice(&deb), digest); /* verify, then parse: the file may have been in the cache for long */
        if (memcmp(digest, p.sha256, 32) != 0) {
                unlinkat(w->dirfd, j->deb, 0);
                r = ash_fail_file(w->diags, -ASH_ERR_VERIFY, j->deb, "is damaged and has been removed");
                ash_hint(w->diags, "run the same command again: it will be fetched anew");
                return r;
        }
        _str_ AshStr rpm = {};
        r = ash_apt_convert(&j->in, ash_bytes_slice(&deb), &rpm, &result->info, w->diags);
        if (r < 0)
                return r;
        ash_digest_hex_of(ASH_SHA256, ash_str_slice(&rpm), result->sha256);
        result->size = rpm.len;
        _free_ char *dir = ash_strndup(j->rpm, 7);
        r = ash_mkdir_all(w->dirfd, dir, 0755);
        if (r >= 0)
                r = ash_file_write_atomic(w->dirfd, j->rpm, ash_str_slice(&rpm), 0644, false);
        if (r >= 0)
                r = write_note(w, j, result);
        if (r < 0)
                return ash_fail_file(w->diags, r, j->rpm, "cannot write the imported package: %s", ash_strerror(r));
        __atomic_add_fetch(&w->unpacked, p.installed_size, __ATOMIC_RELAXED);
        __atomic_add_fetch(&w->rpm_bytes, rpm.len, __ATOMIC_RELAXED);
        return 0;
}

static int convert_one(void *context, size_t i) {
        Work *w = context;
        Job *j = &w->jobs[i];
        int r = convert_job(w, j);
        w->results[j->index].error = r;
        ash_progress_advance(w->c->progress, j->size);
        return r;
}

static int current_mirror(const AshAptConfig *c, char **ret, AshDiags *diags) {
        _free_ char *keyring = NULL;
        return ash_apt_find_mirror(&(AshAptArchive){ .suite = c->suite, .arch = c->arch, .mirror = c->mirror, .keyring = c->keyring }, "/", ret, &keyring, diags);
}

int ash_apt_import(const AshAptConfig *c, const AshApt *universe, const size_t *packages, size_t n, AshAptResult *ret, AshAptImportTotals *totals, AshDiags *diags) {
        AshAptImportTotals none;
        totals = totals ? totals : &none;
        *totals = (AshAptImportTotals){};
        memset(ret, 0, n * sizeof(*ret));
        _cleanup_(work_done) Work w = { .c = c, .universe = universe, .results = ret, .dirfd = -1, .diags = diags };
        int r = ash_mkdir_all(AT_FDCWD, c->dir, 0755);
        w.dirfd = r < 0 ? -1 : open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (w.dirfd < 0)
                return ash_fail_file(diags, r < 0 ? r : -errno, c->dir, "cannot open the directory");
        w.jobs = ash_calloc(n + 1, sizeof(Job));
        for (size_t i = 0; i < n; i++)
                plan_job(&w, i, packages[i]);
        if (w.n == 0)
                return 0;
        qsort(w.jobs, w.n, sizeof(Job), job_order);
        _free_ char *uris = NULL;
        uint64_t start = ash_now_ns();
        r = current_mirror(c, &uris, diags);
        if (r >= 0)
                r = fetch_debs(&w, ash_slice_str(uris), totals);
        uint64_t fetched = ash_now_ns();
        totals->fetch_ns = fetched - start;
        if (r < 0)
                return r;
        for (size_t i = 0; i < w.n; i++)
                totals->deb_bytes += w.jobs[i].size;
        ash_progress_begin(c->progress, "import", totals->deb_bytes, ASH_UNIT_BYTES);
        r = ash_parallel_for(w.n, c->jobs, true, convert_one, &w);
        ash_progress_end(c->progress);
        totals->convert_ns = ash_now_ns() - fetched;
        totals->converted = w.n;
        totals->unpacked_bytes = w.unpacked;
        totals->rpm_bytes = w.rpm_bytes;
        return r;
}
