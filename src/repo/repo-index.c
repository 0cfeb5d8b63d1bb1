/* createrepo's job: metadata for a directory of packages. */
#include <stdio.h>
#include "repo-fragment.h"
#include "repo-metadata.h"

#define STATE ".ashlar-state"
enum { READ_WHOLE = 512 << 10 }; /* stays in the processor's cache */

/* What a thread uses again for each package. */
typedef struct Worker {
        AshStr bytes[2];
        AshFragmentMaker *maker;
} Worker;

typedef struct Indexer {
        int dirfd;
        const char *dir;
        const AshRepoOptions *o;
        const AshPaths *paths;
        AshRepoState old;
        AshRepoEntry *entries;
        Worker *workers;         /* entries borrow what their makers made */
        char **keys;
        uint64_t bytes_read;
        AshProgress *progress;
        AshDiags *diags;
} Indexer;

/* A file that has these in common with what was read before is taken as unchanged, as make and git do it. */
static char *stat_key(const struct stat *st) {
        return ash_asprintf("%lld %lld.%09ld %lld.%09ld %llu", (long long) st->st_size, (long long) st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (long long) st->st_ctim.tv_sec, st->st_ctim.tv_nsec,
                            (unsigned long long) st->st_ino);
}

/* Reading in pieces that stay in the processor's cache is faster than the faults of a map that is passed once. */
static int digest_file(Indexer *x, const char *path, char ret[static 65]) {
        uint8_t digest[32];
        int r = ash_digest_file(ASH_SHA256, x->dirfd, path, digest, NULL);
        if (r >= 0)
                ash_hex(digest, sizeof digest, ret);
        return r;
}

/* A package from being looked up to being described. */
typedef struct Package {
        size_t i;
        struct stat st;
        bool known, small;
        AshSlice bytes;          /* of a small one: all of them, in its worker */
        AshBytes mapped;         /* of another */
        char sha256[65];
} Package;

static int fail_to_read(Indexer *x, const char *path, int r) {
        _free_ char *shown = ash_path_join(x->dir, path);
        return ash_fail_file(x->diags, r, shown, "cannot read: %s", ash_strerror(r));
}

/* Known from the run before, or read. */
static int get_package(Indexer *x, AshStr *room, Package *p) {
        const char *path = x->paths->paths.items[p->i];
        if (fstatat(x->dirfd, path, &p->st, 0) < 0)
                return fail_to_read(x, path, -errno);
        _free_ char *key = stat_key(&p->st);
        free(x->keys[p->i]);
        x->keys[p->i] = ash_asprintf("%s\t%s", key, path);
        AshRepoEntry *e = &x->entries[p->i];
        const AshRepoEntry *known = ash_map_get(&x->old.by_key, ash_slice_str(x->keys[p->i]));
        *e = known ? *known : (AshRepoEntry){ .key = ash_slice_str(x->keys[p->i]), .location = ash_slice_str(path) };
        e->reused = p->known = known;
        if (known)
                return 0;
        /* Small files are read: mapping and unmapping each of thousands costs more than copying them. */
        p->small = p->st.st_size <= READ_WHOLE;
        int r = p->small ? ash_file_read_into(x->dirfd, path, (size_t) p->st.st_size, room) : ash_file_map(x->dirfd, path, &p->mapped);
        if (r >= 0 && !p->small)
                r = digest_file(x, path, p->sha256);
        p->bytes = p->small ? ash_str_slice(room) : ash_bytes_slice(&p->mapped);
        return r < 0 ? fail_to_read(x, path, r) : 0;
}

static int describe_package(Indexer *x, AshFragmentMaker *maker, const Package *p) {
        AshRepoEntry *e = &x->entries[p->i];
        _free_ char *shown = ash_path_join(x->dir, x->paths->paths.items[p->i]);
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
        AshFragment made = {};
        int r = ash_rpm_parse(p->bytes, shown, &rpm, x->diags);
        if (r < 0)
                return r;
        AshFragmentInput in = { .rpm = rpm, .location = e->location, .size = p->bytes.len, .header_start = rpm->header_start, .header_end = rpm->header_start + rpm->header_bytes.len,
                                .file_time = (uint64_t) p->st.st_mtim.tv_sec, .changelogs = x->o->changelogs ? x->o->changelogs : 10 };
        memcpy(in.sha256, p->sha256, sizeof in.sha256);
        r = ash_fragment_make(maker, &in, &made, x->diags);
        if (r < 0)
                return r;
        memcpy(e->sha256, p->sha256, sizeof e->sha256);
        e->size = p->bytes.len;
        e->primary = made.primary;
        e->filelists = made.filelists;
        e->other = made.other;
        __atomic_add_fetch(&x->bytes_read, p->bytes.len, __ATOMIC_RELAXED);
        return 0;
}

/* Of what is small. */
static void digest_pair(Package *p, const int *r) {
        AshSlice data[2];
        uint8_t digests[2][32];
        bool here[2];
        for (size_t k = 0; k < 2; k++) {
                here[k] = r[k] >= 0 && !p[k].known && p[k].small;
                data[k] = here[k] ? p[k].bytes : ASH_S("");
        }
        if (!here[0] && !here[1])
                return;
        ash_digest_two(data, digests);
        for (size_t k = 0; k < 2; k++)
                if (here[k])
                        ash_hex(digests[k], sizeof digests[k], p[k].sha256);
}

/* Two packages at a time, since two are digested in little more than the time of one. */
static int index_pair(void *context, unsigned worker, size_t pair) {
        Indexer *x = context;
        Worker *w = &x->workers[worker];
        Package p[2] = { { .i = 2 * pair }, { .i = 2 * pair + 1 } };
        int r[2] = {};
        size_t n = ASH_MIN(x->paths->paths.n - 2 * pair, (size_t) 2);
        p[1].known = n < 2;
        for (size_t k = 0; k < n; k++)
                r[k] = get_package(x, &w->bytes[k], &p[k]);
        digest_pair(p, r);
        for (size_t k = 0; k < n; k++) {
                if (r[k] >= 0 && !p[k].known)
                        r[k] = describe_package(x, w->maker, &p[k]);
                ash_bytes_done(&p[k].mapped);
        }
        ash_progress_advance(x->progress, n);
        return r[0] < 0 ? r[0] : r[1];
}

static int write_repodata(Indexer *x, size_t n, const char *digest, AshRepoResult *ret) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshRepoMeta meta[8];
        size_t n_meta = 0;
        char repomd[65];
        _close_ int fd = -1;
        ash_remove_all(x->dirfd, ".repodata.new");
        if (mkdirat(x->dirfd, ".repodata.new", 0755) < 0 || (fd = openat(x->dirfd, ".repodata.new", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
                return ash_fail_file(x->diags, -errno, x->dir, "cannot write repodata here: %s", ash_strerror(errno));
        fchmod(fd, 0755);
        int r = ash_repo_metadata_write(fd, x->o, x->entries, n, arena, meta, &n_meta, repomd, &ret->bytes_written, x->diags);
        if (r >= 0) {
                r = ash_repo_state_write(fd, STATE, ash_slice_str(digest), ash_slice_str(repomd), meta, n_meta, x->entries, n);
                if (r >= 0)
                        r = syncfs(fd) < 0 ? -errno : 0;
                if (r >= 0)
                        r = ash_dir_replace(x->dirfd, ".repodata.new", "repodata");
                if (r < 0)
                        ash_fail_file(x->diags, r, x->dir, "cannot write repodata here: %s", ash_strerror(r));
        }
        if (r < 0)
                ash_remove_all(x->dirfd, ".repodata.new");
        return r;
}

static int read_packages(Indexer *x, size_t n) {
        ash_progress_begin(x->progress, "reading packages", n, ASH_UNIT_ITEMS);
        int r = ash_parallel_workers((n + 1) / 2, x->o->threads, true, index_pair, x);
        ash_progress_end(x->progress);
        return r;
}

static size_t count_reused(const Indexer *x, size_t n) {
        size_t reused = 0;
        for (size_t i = 0; i < n; i++)
                reused += x->entries[i].reused;
        return reused;
}

/* What stays as it was is taken out of the old metadata; where these cannot be read all packages are. */
static int take_reused(Indexer *x, size_t n) {
        if (!ash_repo_state_load(&x->old, x->dirfd)) {
                ash_map_clear(&x->old.by_key);
                return read_packages(x, n);
        }
        for (size_t i = 0; i < n; i++)
                if (x->entries[i].reused) {
                        x->entries[i] = *(const AshRepoEntry *) ash_map_get(&x->old.by_key, ash_slice_str(x->keys[i]));
                        x->entries[i].reused = true;
                }
        return 0;
}

static void workers_done(Indexer *x, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                ash_str_done(&x->workers[i].bytes[0]);
                ash_str_done(&x->workers[i].bytes[1]);
                ash_fragment_maker_free(x->workers[i].maker);
        }
        free(x->workers);
}

int ash_repo_index(const char *dir, const AshRepoOptions *options, AshRepoResult *ret, AshProgress *progress, AshDiags *diags) {
        _paths_ AshPaths paths = {};
        _cleanup_(ash_lock_free_p) AshLockFile *lock = NULL;
        _close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char digest[65];
        if (fd < 0)
                return ash_fail_file(diags, -errno, dir, "cannot open: %s", ash_strerror(errno));
        int r = ash_lock_acquire(fd, ".ashlar-repo.lock", true, 0, &lock);
        if (r == -EAGAIN)
                return ash_fail_file(diags, -ASH_ERR_AGAIN, dir, "another process is writing this repository");
        if (r >= 0)
                ash_remove_all(fd, ".repodata.new"); /* of a run that was killed */
        if (r >= 0)
                r = ash_glob_files(fd, "**/*.rpm", false, &paths);
        if (r < 0)
                return ash_fail_file(diags, r, dir, "cannot read: %s", ash_strerror(r));
        size_t n = paths.paths.n;
        Indexer x = { .dirfd = fd, .dir = dir, .o = options, .paths = &paths, .progress = progress, .diags = diags };
        x.entries = ash_calloc(n, sizeof *x.entries);
        x.keys = ash_calloc(n, sizeof *x.keys);
        ash_repo_state_read(fd, "repodata/" STATE, &x.old);
        ash_repo_options_digest(options, digest);
        unsigned threads = ash_parallel_threads((n + 1) / 2, options->threads);
        x.workers = ash_calloc(threads, sizeof *x.workers);
        for (unsigned i = 0; i < threads; i++)
                x.workers[i].maker = ash_fragment_maker_new();
        r = read_packages(&x, n);
        *ret = (AshRepoResult){ .packages = n };
        ret->unchanged = r >= 0 && count_reused(&x, n) == n && n == x.old.entries.n && ash_slice_eqs(x.old.options, digest) && ash_repo_state_is_intact(&x.old, fd);
        if (r >= 0 && !ret->unchanged && count_reused(&x, n))
                r = take_reused(&x, n);
        ret->reused = count_reused(&x, n);
        ret->bytes_read = x.bytes_read;
        if (r >= 0 && !ret->unchanged)
                r = write_repodata(&x, n, digest, ret);
        ash_repo_state_done(&x.old);
        for (size_t i = 0; i < n; i++)
                free(x.keys[i]);
        workers_done(&x, threads);
        free(x.keys);
        free(x.entries);
        return r;
}
