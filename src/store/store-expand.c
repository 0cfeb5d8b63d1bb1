/* From an rpm blob to a pack: verify, then unpack, each file's digest checked while it is written. */
#include <stdatomic.h>
#include <stdio.h>
#include "store-private.h"

enum { PAGE = 4096, CHUNK = 256 << 10 };
#define PAYLOAD_LIMIT ((uint64_t) 64 << 30)

typedef struct Expand {
        AshStore *store;
        AshId id;
        AshDiags *diags;
        AshArena *arena;
        AshRpm *rpm;
        AshRpmFiles files;
        AshDigest *declared, *sha256; /* declared: in the header's algorithm; NULL when that is SHA-256 itself */
        char *buffer;
        uint64_t *offsets;
        uint8_t (*digests)[32];
        uint64_t data_end;
        AshSlice nevra;
} Expand;

static void expand_done(Expand *e) {
        ash_rpm_free(e->rpm);
        ash_digest_free(e->declared);
        ash_digest_free(e->sha256);
        free(e->buffer);
        ash_arena_free(e->arena);
}

/* The place of each file's bytes; hard links share theirs. */
static int lay_out(Expand *e) {
        const AshRpmFiles *f = &e->files;
        e->offsets = ash_arena_new_items(e->arena, uint64_t, f->n + 1);
        e->digests = ash_arena_calloc(e->arena, f->n + 1, sizeof(*e->digests));
        e->data_end = PAGE;
        for (size_t i = 0; i < f->n; i++) {
                const AshRpmFile *file = &f->items[i];
                if (!ash_pack_has_digest(file->mode, file->flags) || file->size == 0)
                        continue;
                if (file->nlink_group != i) {
                        e->offsets[i] = e->offsets[file->nlink_group];
                        continue;
                }
                e->offsets[i] = e->data_end;
                if (file->size > PAYLOAD_LIMIT || e->data_end + file->size > PAYLOAD_LIMIT)
                        return ash_fail_file(e->diags, -ASH_ERR_LIMIT, e->rpm->name, "the package unpacks to more than 64 GiB");
                e->data_end = ash_align_up(e->data_end + file->size, PAGE);
        }
        return 0;
}

static int check_digest(Expand *e, size_t i, const uint8_t *sha256, const uint8_t *declared) {
        const AshRpmFile *f = &e->files.items[i];
        uint8_t want[ASH_DIGEST_SIZE_MAX];
        size_t size = ash_digest_size(e->files.digest_kind);
        memcpy(e->digests[f->nlink_group], sha256, 32);
        if (ash_unhex(f->digest_hex, want, size) < 0 || memcmp(want, declared, size))
                return ash_fail_file(e->diags, -ASH_ERR_VERIFY, e->rpm->name, "'%.*s%.*s' does not have the digest that the header says", ASH_F(f->dir), ASH_F(f->base));
        return 0;
}

static int write_member(Expand *e, AshRpmPayload *payload, size_t i, uint64_t size, int fd) {
        uint64_t at = e->offsets[i];
        uint8_t sha256[ASH_DIGEST_SIZE_MAX], declared[ASH_DIGEST_SIZE_MAX];
        for (uint64_t left = size; left;) {
                ssize_t n = ash_rpm_payload_read(payload, e->buffer, CHUNK, e->diags);
                if (n <= 0)
                        return n < 0 ? (int) n : -ASH_ERR_SYNTAX;
                ash_digest_update(e->sha256, e->buffer, (size_t) n);
                if (e->declared)
                        ash_digest_update(e->declared, e->buffer, (size_t) n);
                for (ssize_t done = 0; done < n;) {
                        ssize_t k = pwrite(fd, e->buffer + done, (size_t) (n - done), (off_t) at);
                        if (k < 0 && errno == EINTR)
                                continue;
                        if (k <= 0)
                                return ash_fail_file(e->diags, k < 0 ? -errno : -EIO, e->store->path, "cannot write to the store: %s", ash_strerror(-errno));
                        done += k;
                        at += (uint64_t) k;
                }
                left -= (uint64_t) n;
        }
        ash_digest_final(e->sha256, sha256);
        if (e->declared)
                ash_digest_final(e->declared, declared);
        return check_digest(e, i, sha256, e->declared ? declared : sha256);
}

static int unpack(Expand *e, int fd) {
        _cleanup_(ash_rpm_payload_free_p) AshRpmPayload *payload = NULL;
        int r = ash_rpm_payload_open(e->rpm, &e->files, PAYLOAD_LIMIT, &payload, e->diags);
        size_t i = 0;
        uint64_t size = 0;
        while (r >= 0 && (r = ash_rpm_payload_next(payload, &i, &size, e->diags)) > 0) {
                const AshRpmFile *f = &e->files.items[i];
                bool link_without_data = size == 0 && f->size > 0;
                if (!S_ISREG(f->mode) || link_without_data)
                        continue;
                r = write_member(e, payload, i, size, fd);
                if (r < 0)
                        return r;
        }
        return r;
}

static int verify(Expand *e, AshSlice bytes, const char *name) {
        AshRpmDigests digests;
        AshRpmNevra nevra;
        int r = ash_rpm_parse(bytes, name, &e->rpm, e->diags);
        if (r >= 0)
                r = ash_rpm_nevra(e->rpm, &nevra, e->diags);
        if (r < 0)
                return r;
        _free_ char *text = ash_rpm_nevra_text(&nevra);
        e->rpm->name = ash_arena_strdup(e->arena, text); /* says more than the blob's digest */
        e->nevra = ash_slice_str(e->rpm->name);
        if (r >= 0)
                r = ash_rpm_verify_digests_strong(e->rpm, &digests, e->diags);
        if (r >= 0)
                r = ash_rpm_files(e->rpm, e->arena, &e->files, e->diags);
        if (r >= 0)
                r = ash_rpm_files_check(e->rpm, &e->files, e->diags);
        if (r < 0)
                return r;
        if (e->files.digest_kind < 0)
                return ash_fail_file(e->diags, -ENOTSUP, name, "the package's file digests have an algorithm that is not supported");
        e->sha256 = ash_digest_new(ASH_SHA256);
        e->declared = e->files.digest_kind == ASH_SHA256 ? NULL : ash_digest_new(e->files.digest_kind);
        return 0;
}

static int write_pack(Expand *e, const char *temporary) {
        int r = lay_out(e);
        if (r < 0)
                return r;
        _close_ int fd = openat(e->store->fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
        if (fd < 0)
                return ash_fail_file(e->diags, -errno, e->store->path, "cannot write to the store: %s", ash_strerror(-errno));
        e->buffer = ash_malloc(CHUNK);
        r = unpack(e, fd);
        if (r < 0)
                return r;
        const AshPackDraft draft = { .id = e->id, .files = &e->files, .offsets = e->offsets, .digests = (const uint8_t (*)[32]) e->digests, .header = e->rpm->header.blob,
                                     .sig_header = e->rpm->sig.blob, .nevra = e->nevra, .data_end = e->data_end };
        r = ash_pack_write_index(fd, &draft);
        return r < 0 ? ash_fail_file(e->diags, r, e->store->path, "cannot write to the store: %s", ash_strerror(r)) : 0;
}

/* A finished pack under a temporary name, not yet synced. */
static int expand_to(AshStore *s, const AshId *id, const char *temporary, AshDiags *diags) {
        _cleanup_(expand_done) Expand e = { .store = s, .id = *id, .diags = diags, .arena = ash_arena_new() };
        _bytes_ AshBytes blob = {};
        char name[ASH_ID_HEX + 8];

        int r = ash_store_map_blob(s, id, true, &blob, diags);
        if (r < 0)
                return r;
        memcpy(name, "blob ", 5);
        ash_id_hex(id, name + 5);
        r = verify(&e, ash_bytes_slice(&blob), name);
        if (r >= 0)
                r = write_pack(&e, temporary);
        if (r < 0)
                unlinkat(s->fd, temporary, 0);
        return r;
}

/* ---- one or many ---- */
typedef struct Job {
        AshStore *store;
        const AshId *ids;
        AshPack **packs;
        char (*temporary)[64]; /* "": nothing to do */
        uint64_t (*order)[2];  /* size and index: the largest begin first */
        AshProgress *progress;
        AshDiags *diags;
        size_t n;
        int *results;
} Job;

static atomic_uint serial;

/* -ENOENT: must be made. A damaged one is dropped. */
static int open_existing(AshStore *s, const AshId *id, AshPack **ret, AshDiags *diags) {
        char path[ASH_PACK_PATH_MAX];
        ash_store_pack_path(id, path);
        int r = ash_pack_open(s, id, false, ret);
        if (r == -ASH_ERR_VERIFY) {
                unlinkat(s->fd, path, 0);
                ash_warn(diags, ASH_NOWHERE, "%s/%s was damaged and has been dropped: it is made again", s->path, path);
                return -ENOENT;
        }
        if (r >= 0)
                ash_store_touch(s, path);
        return r;
}

static int expand_job(void *context, size_t k) {
        Job *job = context;
        size_t i = (size_t) job->order[k][1];
        int r = open_existing(job->store, &job->ids[i], &job->packs[i], job->diags);
        if (r == -ENOENT) {
                snprintf(job->temporary[i], sizeof(job->temporary[i]), "tmp/pack-%d-%u", getpid(), atomic_fetch_add(&serial, 1));
                r = expand_to(job->store, &job->ids[i], job->temporary[i], job->diags);
                if (r < 0)
                        job->temporary[i][0] = 0;
        }
        job->results[i] = r;
        ash_progress_advance(job->progress, 1);
        return 0;
}

static int cmp_largest_first(const void *a, const void *b) {
        const uint64_t *x = a, *y = b;
        return x[0] != y[0] ? (x[0] > y[0] ? -1 : 1) : x[1] < y[1] ? -1 : 1;
}

static void order_jobs(Job *job) {
        for (size_t i = 0; i < job->n; i++) {
                char path[ASH_BLOB_PATH_MAX];
                struct stat st;
                ash_store_blob_path(&job->ids[i], path);
                job->order[i][0] = fstatat(job->store->fd, path, &st, 0) == 0 ? (uint64_t) st.st_size : 0;
                job->order[i][1] = i;
        }
        qsort(job->order, job->n, sizeof(*job->order), cmp_largest_first);
}

/* Data must be on the disk before the name is: after a power cut a pack with a name would otherwise hold zeros. One syncfs for many; packs can be made again, so
 * their directories need no sync. */
static int sync_packs(Job *job, size_t n_new) {
        if (n_new > 4)
                return syncfs(job->store->fd) < 0 ? -errno : 0;
        for (size_t i = 0; i < job->n; i++) {
                if (!job->temporary[i][0])
                        continue;
                _close_ int fd = openat(job->store->fd, job->temporary[i], O_RDONLY | O_CLOEXEC);
                if (fd < 0 || fdatasync(fd) < 0)
                        return -errno;
        }
        return 0;
}

static int publish(Job *job) {
        size_t n_new = 0;
        for (size_t i = 0; i < job->n; i++)
                n_new += job->temporary[i][0] != 0;
        int r = n_new ? sync_packs(job, n_new) : 0;
        for (size_t i = 0; i < job->n; i++) {
                char path[ASH_PACK_PATH_MAX];
                if (!job->temporary[i][0])
                        continue;
                ash_store_pack_path(&job->ids[i], path);
                if (r >= 0)
                        r = ash_store_make_parent(job->store, path);
                if (r >= 0 && renameat(job->store->fd, job->temporary[i], job->store->fd, path) < 0)
                        r = -errno;
                if (r < 0)
                        unlinkat(job->store->fd, job->temporary[i], 0);
                else
                        job->results[i] = ash_pack_open(job->store, &job->ids[i], false, &job->packs[i]);
        }
        return r < 0 ? ash_fail_file(job->diags, r, job->store->path, "cannot write to the store: %s", ash_strerror(r)) : 0;
}

int ash_store_expand_all(AshStore *s, const AshId *rpms, size_t n, unsigned threads, AshPack **ret, AshProgress *progress, AshDiags *diags) {
        Job job = { .store = s, .ids = rpms, .packs = ret, .progress = progress, .diags = diags, .n = n };
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        job.temporary = ash_arena_calloc(arena, n + 1, sizeof(*job.temporary));
        job.order = ash_arena_calloc(arena, n + 1, sizeof(*job.order));
        job.results = ash_arena_new_items(arena, int, n + 1);
        memset(ret, 0, n * sizeof(*ret));

        order_jobs(&job);
        ash_progress_begin(progress, "expand", n, ASH_UNIT_ITEMS);
        ash_parallel_for(n, threads, true, expand_job, &job);
        ash_progress_end(progress);
        int r = publish(&job);
        for (size_t i = 0; i < n && r >= 0; i++)
                r = job.results[i] < 0 ? job.results[i] : 0;
        return r < 0 ? r : 0;
}

int ash_store_expand(AshStore *s, const AshId *rpm, AshPack **ret, AshDiags *diags) {
        AshPack *pack = NULL;
        int r = ash_store_expand_all(s, rpm, 1, 1, &pack, NULL, diags);
        if (r < 0) {
                ash_pack_free(pack);
                return r;
        }
        *ret = pack;
        return 0;
}
