/* createrepo's job: metadata for a directory of packages. */
#include <stdio.h>
#include "repo-fragment.h"
#include "repo-metadata.h"

#define STATE ".ashlar-state"
enum { READ_WHOLE = 128 << 10 };

typedef struct Indexer {
        int dirfd;
        const char *dir;
        const AshRepoOptions *o;
        const AshPaths *paths;
        AshRepoState old;
        AshRepoEntry *entries;
        AshFragment *fragments;  /* of what is new; entries borrow them */
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

static int read_package(Indexer *x, size_t i, const struct stat *st) {
        const char *path = x->paths->paths.items[i];
        _free_ char *shown = ash_path_join(x->dir, path);
        _bytes_ AshBytes bytes = {};
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
        /* Small files are read: mapping and unmapping each of thousands costs more than copying them. */
        int r = st->st_size <= READ_WHOLE ? ash_file_read(x->dirfd, path, READ_WHOLE, &bytes) : ash_file_map(x->dirfd, path, &bytes);
        if (r < 0)
                return ash_fail_file(x->diags, r, shown, "cannot read: %s", ash_strerror(r));
        r = ash_rpm_parse(ash_bytes_slice(&bytes), shown, &rpm, x->diags);
        if (r < 0)
                return r;
        AshRepoEntry *e = &x->entries[i];
        AshFragmentInput in = { .rpm = rpm, .location = e->location, .size = bytes.len, .header_start = rpm->header_start, .header_end = rpm->header_start + rpm->header_bytes.len,
                                .file_time = (uint64_t) st->st_mtim.tv_sec, .changelogs = x->o->changelogs ? x->o->changelogs : 10 };
        if (bytes.mapped)
                r = digest_file(x, path, in.sha256);
        else
                ash_digest_hex_of(ASH_SHA256, ash_bytes_slice(&bytes), in.sha256);
        if (r < 0)
                return ash_fail_file(x->diags, r, shown, "cannot read: %s", ash_strerror(r));
        r = ash_fragment_make(&in, &x->fragments[i], x->diags);
        if (r < 0)
                return r;
        memcpy(e->sha256, in.sha256, sizeof e->sha256);
        e->size = bytes.len;
        e->primary = ash_str_slice(&x->fragments[i].primary);
        e->filelists = ash_str_slice(&x->fragments[i].filelists);
        e->other = ash_str_slice(&x->fragments[i].other);
        __atomic_add_fetch(&x->bytes_read, bytes.len, __ATOMIC_RELAXED);
        return 0;
}

static int index_one(void *context, size_t i) {
        Indexer *x = context;
        struct stat st;
        const char *path = x->paths->paths.items[i];
        if (fstatat(x->dirfd, path, &st, 0) < 0)
                return ash_fail_file(x->diags, -errno, path, "cannot read: %s", ash_strerror(errno));
        _free_ char *key = stat_key(&st);
        x->keys[i] = ash_asprintf("%s\t%s", key, path);
        AshRepoEntry *e = &x->entries[i];
        const AshRepoEntry *known = ash_map_get(&x->old.by_key, ash_slice_str(x->keys[i]));
        ash_progress_advance(x->progress, 1);
        if (known) {
                *e = *known;
                e->reused = true;
                return 0;
        }
        e->key = ash_slice_str(x->keys[i]);
        e->location = ash_slice_str(path);
        return read_package(x, i, &st);
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
        AshRepoStateWriter state __attribute__((__cleanup__(ash_repo_state_writer_done))) = {};
        int r = ash_repo_state_begin(fd, STATE, &state);
        if (r < 0)
                ash_fail_file(x->diags, r, x->dir, "cannot write repodata here: %s", ash_strerror(r));
        else
                r = ash_repo_metadata_write(fd, x->o, &state, x->entries, n, arena, meta, &n_meta, repomd, &ret->bytes_written, x->diags);
        if (r >= 0) {
                r = ash_repo_state_commit(&state, ash_slice_str(digest), ash_slice_str(repomd), meta, n_meta, x->entries, n);
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
        x.fragments = ash_calloc(n, sizeof *x.fragments);
        x.keys = ash_calloc(n, sizeof *x.keys);
        ash_repo_state_read(fd, "repodata/" STATE, &x.old);
        ash_repo_options_digest(options, digest);
        ash_progress_begin(progress, "reading packages", n, ASH_UNIT_ITEMS);
        r = ash_parallel_for(n, options->threads, true, index_one, &x);
        ash_progress_end(progress);
        *ret = (AshRepoResult){ .packages = n, .bytes_read = x.bytes_read };
        for (size_t i = 0; i < n; i++)
                ret->reused += x.entries[i].reused;
        ret->unchanged = r >= 0 && ret->reused == n && n == x.old.entries.n && ash_slice_eqs(x.old.options, digest) && ash_repo_state_is_intact(&x.old, fd);
        if (r >= 0 && !ret->unchanged)
                r = write_repodata(&x, n, digest, ret);
        ash_repo_state_done(&x.old);
        for (size_t i = 0; i < n; i++) {
                ash_fragment_done(&x.fragments[i]);
                free(x.keys[i]);
        }
        free(x.fragments);
        free(x.keys);
        free(x.entries);
        return r;
}
