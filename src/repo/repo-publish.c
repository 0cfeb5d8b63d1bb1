/* Generations of a published repository. A generation is a directory of its own; DIR/NAME is a link to the current one, replaced by one rename. */
#include <stdio.h>
#include "repo-fragment.h"
#include "repo-metadata.h"

#define STATE ".ashlar-state"
#define STAGING ".new"

typedef struct Publisher {
        AshStore *store;
        const AshRepoInput *inputs;
        const AshRepoOptions *o;
        int home;                /* DIR/.generations/NAME */
        int old, fresh;          /* the current generation (-1: none) and the one being made */
        AshRepoState state;      /* of the current one */
        AshRepoEntry *entries;
        AshFragmentMaker **makers; /* of each thread */
        unsigned n_makers;
        char **keys, **locations;
        uint64_t read, written;
        AshProgress *progress;
        AshDiags *diags;
} Publisher;

/* ---- one package: signed, copied, digested and described in one pass ---- */
/* Lead, signature header, header and payload into fd; the digest of all of it in hex. */
static int write_package(int fd, const AshRpm *rpm, AshSlice sig, char ret_sha256[static 65], uint64_t *ret_size) {
        uint8_t digest[32];
        AshSlice rest = ash_slice_from(rpm->bytes, (size_t) rpm->header_start);
        AshSlice parts[] = { ash_slice(rpm->bytes.ptr, 96), sig, rest };
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        *ret_size = 0;
        for (size_t i = 0; i < ASH_N(parts); i++)
                for (size_t at = 0; at < parts[i].len;) {
                        /* In pieces that stay in the processor's cache between the digest and the copy. */
                        AshSlice piece = ash_slice_sub(parts[i], at, 256 << 10);
                        ash_digest_update(d, piece.ptr, piece.len);
                        int r = ash_write_all(fd, piece.ptr, piece.len);
                        if (r < 0)
                                return r;
                        at += piece.len;
                        *ret_size += piece.len;
                }
        ash_digest_final(d, digest);
        ash_hex(digest, sizeof digest, ret_sha256);
        return 0;
}

static char *make_location(const AshRpmNevra *n) {
        char c = n->name.ptr[0];
        if (c >= 'A' && c <= 'Z')
                c = (char) (c + 32);
        return ash_asprintf("Packages/%c/%.*s-%.*s-%.*s.%.*s.rpm", c, ASH_F(n->name), ASH_F(n->version), ASH_F(n->release), ASH_F(n->arch));
}

/* What is published can be read by all, whatever the umask. */
static int make_dirs(Publisher *p, const char *location) {
        _free_ char *path = ash_slice_dup(ash_path_dir(ash_slice_str(location)));
        int r = ash_mkdir_all(p->fresh, path, 0755);
        for (char *end = path + strlen(path); r >= 0; end = strrchr(path, '/')) {
                if (!end)
                        return 0;
                *end = 0;
                r = fchmodat(p->fresh, path, 0755, 0) < 0 ? -errno : 0;
        }
        return r;
}

static uint64_t mtime_of(const struct stat *st) { return (uint64_t) st->st_mtim.tv_sec * 1000000000u + (uint64_t) st->st_mtim.tv_nsec; }

static int add_package(Publisher *p, AshFragmentMaker *maker, size_t i) {
        const AshRepoInput *in = &p->inputs[i];
        AshRepoEntry *e = &p->entries[i];
        _bytes_ AshBytes bytes = {};
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
        _cleanup_(ash_atomic_free_p) AshAtomic *file = NULL;
        _str_ AshStr sig = {};
        struct stat st;
        AshRpmNevra nevra;
        int r = ash_store_map_blob(p->store, &in->id, true, &bytes, p->diags);
        if (r < 0)
                return r;
        r = ash_rpm_parse(ash_bytes_slice(&bytes), in->label, &rpm, p->diags);
        if (r >= 0)
                r = ash_rpm_nevra(rpm, &nevra, p->diags);
        if (r >= 0)
                r = ash_repo_signature_header(rpm, p->o->signers, p->o->n_signers, p->o->time, &sig, p->diags);
        if (r < 0)
                return r;
        _free_ char *is = ash_rpm_nevra_text(&nevra);
        if (in->nevra.len && !ash_slice_eqs(in->nevra, is))
                return ash_fail(p->diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "the digest of %.*s is that of %s", ASH_F(in->nevra), is);
        p->locations[i] = make_location(&nevra);
        e->location = ash_slice_str(p->locations[i]);
        AshFragmentInput fragment = { .rpm = rpm, .location = e->location, .header_start = 96 + sig.len, .changelogs = p->o->changelogs ? p->o->changelogs : 10 };
        fragment.header_end = fragment.header_start + rpm->header_bytes.len;
        uint64_t built = 0;
        ash_rpm_number(&rpm->header, ASH_RPMTAG_BUILDTIME, &built);
        fragment.file_time = built;
        r = make_dirs(p, p->locations[i]);
        if (r >= 0)
                r = ash_atomic_open(p->fresh, p->locations[i], 0644, false, &file);
        if (r >= 0)
                r = write_package(ash_atomic_fd(file), rpm, ash_str_slice(&sig), fragment.sha256, &fragment.size);
        if (r >= 0)
                r = ash_atomic_commit(file);
        if (r >= 0 && fstatat(p->fresh, p->locations[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
                r = -errno;
        if (r < 0)
                return ash_fail_file(p->diags, r, p->locations[i], "cannot write: %s", ash_strerror(r));
        e->mtime = mtime_of(&st);
        AshFragment made = {};
        r = ash_fragment_make(maker, &fragment, &made, p->diags);
        if (r < 0)
                return r;
        memcpy(e->sha256, fragment.sha256, sizeof e->sha256);
        e->size = fragment.size;
        e->primary = made.primary;
        e->filelists = made.filelists;
        e->other = made.other;
        __atomic_add_fetch(&p->read, bytes.len, __ATOMIC_RELAXED);
        __atomic_add_fetch(&p->written, fragment.size, __ATOMIC_RELAXED);
        return 0;
}

/* A hard link from the generation before; both are on one file system. */
static int link_old(Publisher *p, const char *path) {
        int r = make_dirs(p, path);
        if (r < 0)
                return r;
        return linkat(p->old, path, p->fresh, path, 0) < 0 && errno != EEXIST ? -errno : 0;
}

/* A package's file as it was published, by its size and time: whoever writes to it changes one of them. What a disk itself damages only 'repo verify' finds, which digests them all. */
static bool is_in_place(const Publisher *p, const AshRepoEntry *e) {
        _free_ char *path = ash_slice_dup(e->location);
        struct stat st;
        return fstatat(p->old, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && (uint64_t) st.st_size == e->size && mtime_of(&st) == e->mtime;
}

static int publish_one(void *context, unsigned worker, size_t i) {
        Publisher *p = context;
        AshRepoEntry *e = &p->entries[i];
        const AshRepoEntry *known = p->old >= 0 ? ash_map_get(&p->state.by_key, ash_slice_str(p->keys[i])) : NULL;
        ash_progress_advance(p->progress, 1);
        if (known) {
                _free_ char *path = ash_slice_dup(known->location);
                if (is_in_place(p, known) && link_old(p, path) >= 0) {
                        *e = *known;
                        e->reused = true;
                        return 0;
                }
        }
        e->key = ash_slice_str(p->keys[i]);
        return add_package(p, p->makers[worker], i);
}

/* ---- the generation ---- */
static int by_location(const void *a, const void *b) { return ash_slice_cmp((*(const AshRepoEntry *const *) a)->location, (*(const AshRepoEntry *const *) b)->location); }

/* One NEVRA, one content. */
static int check_unique(Publisher *p, size_t n) {
        const AshRepoEntry **order = ash_calloc(n, sizeof *order);
        int r = 0;
        for (size_t i = 0; i < n; i++)
                order[i] = &p->entries[i];
        if (n)
                qsort(order, n, sizeof *order, by_location);
        for (size_t i = 1; i < n; i++)
                if (ash_slice_eq(order[i - 1]->location, order[i]->location) && strcmp(order[i - 1]->sha256, order[i]->sha256) != 0)
                        r = ash_fail(p->diags, -EEXIST, ASH_NOWHERE, "two packages with different content are called %.*s: SHA-256 %s and %s", ASH_F(ash_path_base(order[i]->location)), order[i - 1]->sha256,
                                     order[i]->sha256);
        free(order);
        return r;
}

/* A package that was published keeps its bytes: clients and mirrors have cached them under that name. */
static int check_immutable(Publisher *p, size_t n) {
        _map_ AshMap old = {};
        int r = 0;
        if (p->o->replace)
                return 0;
        ash_array_foreach(&p->state.entries, e)
                ash_map_put(&old, e->location, e, NULL);
        for (size_t i = 0; i < n; i++) {
                const AshRepoEntry *e = &p->entries[i], *was = ash_map_get(&old, e->location);
                AshSlice input = ash_slice(e->key.ptr, ASH_MIN(e->key.len, (size_t) 64));
                if (!was || e->reused || ash_slice_eq(ash_slice(was->key.ptr, ASH_MIN(was->key.len, (size_t) 64)), input))
                        continue; /* the same package, signed anew, is no other content */
                r = ash_fail(p->diags, -EEXIST, ASH_NOWHERE, "%.*s is published already with different content", ASH_F(ash_path_base(e->location)));
                ash_hint(p->diags, "give the rebuilt package a new release; --replace publishes it all the same, and clients that have cached the old one will stumble");
        }
        return r;
}

/* What the generation before named stays where it was, for clients that hold its repomd.xml. */
static int carry_old(Publisher *p) {
        if (p->old < 0)
                return 0;
        for (size_t i = 0; i < p->state.meta.n; i++) {
                _free_ char *path = ash_asprintf("repodata/%.*s", ASH_F(p->state.meta.items[i].name));
                int r = link_old(p, path);
                if (r < 0 && r != -ENOENT)
                        return r;
        }
        ash_array_foreach(&p->state.entries, e) {
                _free_ char *path = ash_slice_dup(e->location);
                if (faccessat(p->fresh, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                        continue;
                int r = link_old(p, path);
                if (r < 0 && r != -ENOENT)
                        return r;
        }
        return 0;
}

static int write_metadata(Publisher *p, size_t n, const char *digest) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshRepoMeta meta[8];
        size_t n_meta = 0;
        char repomd[65];
        _close_ int fd = -1;
        int r = make_dirs(p, "repodata/repomd.xml");
        if (r < 0 || (fd = openat(p->fresh, "repodata", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
                return ash_fail(p->diags, r < 0 ? r : -errno, ASH_NOWHERE, "cannot write repodata: %s", ash_strerror(r < 0 ? r : errno));
        r = ash_repo_metadata_write(fd, p->o, p->entries, n, arena, meta, &n_meta, repomd, &p->written, p->diags);
        if (r < 0)
                return r;
        r = ash_repo_state_write(p->fresh, STATE, ash_slice_str(digest), ash_slice_str(repomd), meta, n_meta, p->entries, n);
        return r < 0 ? ash_fail_file(p->diags, r, STATE, "cannot write: %s", ash_strerror(r)) : 0;
}

/* Numbers of the generations that are there, ascending. */
static void list_generations(int home, unsigned *ret, size_t max, size_t *ret_n) {
        _dirlist_ AshDirList list = {};
        *ret_n = 0;
        if (ash_dir_list(home, ".", &list) < 0)
                return;
        ash_array_foreach(&list.entries, e) {
                uint64_t n;
                if (e->name[0] != '.' && ash_slice_to_u64(ash_slice_str(e->name), 10, &n) == 0 && *ret_n < max)
                        ret[(*ret_n)++] = (unsigned) n;
        }
}

static void prune(int home, unsigned current, unsigned keep) {
        unsigned numbers[4096];
        size_t n, older = 0;
        list_generations(home, numbers, ASH_N(numbers), &n);
        for (size_t i = n; i-- > 0;) {
                if (numbers[i] == current || (numbers[i] < current && ++older < keep))
                        continue;
                if (numbers[i] > current)
                        continue; /* never switched to: cleaned by the next number that takes its place */
                _free_ char *path = ash_asprintf("%06u", numbers[i]);
                ash_remove_all(home, path);
        }
}

typedef struct Place {
        int dir;                 /* DIR */
        const char *name;
        unsigned current;        /* 0: none yet */
} Place;

/* Which generation the link leads to. */
static unsigned read_current(int dir, const char *name) {
        char target[512];
        ssize_t n = readlinkat(dir, name, target, sizeof target - 1);
        uint64_t number = 0;
        if (n <= 0)
                return 0;
        return ash_slice_to_u64(ash_path_base(ash_slice(target, (size_t) n)), 10, &number) == 0 ? (unsigned) number : 0;
}

/* The new generation gets its name, whole and on disk; nobody is led there yet. */
static int seal(const Place *place, int home, unsigned number, AshDiags *diags) {
        _free_ char *generation = ash_asprintf("%06u", number);
        ash_remove_all(home, generation);
        int r = renameat(home, STAGING, home, generation) < 0 ? -errno : 0;
        if (r >= 0 && syncfs(home) < 0)
                r = -errno;
        return r < 0 ? ash_fail_file(diags, r, place->name, "cannot finish the new generation: %s", ash_strerror(r)) : 0;
}

static int switch_to(const Place *place, unsigned number, AshDiags *diags) {
        _free_ char *temporary = ash_asprintf(".%s.link", place->name);
        AshStr target = {};
        for (const char *c = place->name; *c; c++)
                if (*c == '/')
                        ash_str_append_str(&target, "../");
        ash_str_appendf(&target, ".generations/%s/%06u", place->name, number);
        _free_ char *link = ash_str_take(&target);
        for (char *c = temporary; *c; c++)
                if (*c == '/')
                        *c = '_';
        unlinkat(place->dir, temporary, 0);
        int r = symlinkat(link, place->dir, temporary) < 0 || renameat(place->dir, temporary, place->dir, place->name) < 0 ? -errno : 0;
        if (r >= 0 && fsync(place->dir) < 0)
                r = -errno;
        return r < 0 ? ash_fail_file(diags, r, place->name, "cannot switch to the new generation: %s", ash_strerror(r)) : 0;
}

static void make_keys(Publisher *p, size_t n) {
        _str_ AshStr signers = {};
        for (size_t i = 0; i < p->o->n_signers; i++)
                ash_str_appendf(&signers, " %s", ash_signer_key_id(p->o->signers[i]));
        for (size_t i = 0; i < n; i++) {
                char hex[ASH_ID_HEX];
                ash_id_hex(&p->inputs[i].id, hex);
                p->keys[i] = ash_asprintf("%s%s %llu", hex, signers.ptr ? signers.ptr : "", (unsigned long long) (p->o->n_signers ? p->o->time : 0));
        }
}

static bool is_unchanged(const Publisher *p, size_t n, const char *digest) {
        if (p->old < 0 || p->state.entries.n != n || !ash_slice_eqs(p->state.options, digest))
                return false;
        for (size_t i = 0; i < n; i++) {
                const AshRepoEntry *e = ash_map_get(&p->state.by_key, ash_slice_str(p->keys[i]));
                if (!e || !is_in_place(p, e))
                        return false;
        }
        return ash_repo_state_is_intact(&p->state, p->old);
}

static size_t count_removed(const Publisher *p, size_t n) {
        _map_ AshMap now = {};
        size_t removed = 0;
        for (size_t i = 0; i < n; i++)
                ash_map_put(&now, p->entries[i].location, (void *) p, NULL);
        for (size_t i = 0; i < p->state.entries.n; i++)
                removed += !ash_map_find(&now, p->state.entries.items[i].location);
        return removed;
}

static int build_generation(Publisher *p, size_t n, const char *digest, AshRepoResult *ret) {
        ash_remove_all(p->home, STAGING);
        if (mkdirat(p->home, STAGING, 0755) < 0 || (p->fresh = openat(p->home, STAGING, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
                return ash_fail(p->diags, -errno, ASH_NOWHERE, "cannot make a new generation: %s", ash_strerror(errno));
        fchmod(p->fresh, 0755);
        ash_progress_begin(p->progress, "signing and copying packages", n, ASH_UNIT_ITEMS);
        int r = ash_parallel_workers(n, p->o->threads, true, publish_one, p);
        ash_progress_end(p->progress);
        if (r >= 0)
                r = check_unique(p, n);
        if (r >= 0)
                r = check_immutable(p, n);
        if (r >= 0) {
                r = carry_old(p);
                if (r < 0)
                        ash_fail(p->diags, r, ASH_NOWHERE, "cannot carry the old generation over: %s", ash_strerror(r));
        }
        if (r >= 0)
                r = write_metadata(p, n, digest);
        for (size_t i = 0; i < n; i++)
                ret->reused += p->entries[i].reused;
        ret->removed = count_removed(p, n);
        ret->added = n - (p->state.entries.n - ret->removed);
        return r;
}

static void publisher_done(Publisher *p) {
        for (unsigned i = 0; i < p->n_makers; i++)
                ash_fragment_maker_free(p->makers[i]);
        if (p->old >= 0)
                close(p->old);
        if (p->fresh >= 0)
                close(p->fresh);
        if (p->home >= 0)
                close(p->home);
        ash_repo_state_done(&p->state);
}

static int open_home(Publisher *p, Place *place, const char *dir, AshLockFile **ret_lock) {
        _free_ char *path = ash_asprintf(".generations/%s", place->name);
        int r = ash_mkdir_all(AT_FDCWD, dir, 0755);
        if (r < 0 || (place->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
                return ash_fail_file(p->diags, r < 0 ? r : -errno, dir, "cannot publish here: %s", ash_strerror(r < 0 ? r : errno));
        r = ash_mkdir_all(place->dir, path, 0755);
        AshSlice above = ash_path_dir(ash_slice_str(place->name));
        if (r >= 0 && !ash_slice_eqs(above, ".")) {
                _free_ char *parent = ash_slice_dup(above);
                r = ash_mkdir_all(place->dir, parent, 0755);
        }
        if (r < 0 || (p->home = openat(place->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
                return ash_fail_file(p->diags, r < 0 ? r : -errno, dir, "cannot publish here: %s", ash_strerror(r < 0 ? r : errno));
        r = ash_lock_acquire(p->home, ".lock", true, 0, ret_lock);
        if (r == -EAGAIN)
                return ash_fail_file(p->diags, -ASH_ERR_AGAIN, dir, "another process is publishing '%s'", place->name);
        return r < 0 ? ash_fail_file(p->diags, r, dir, "cannot lock: %s", ash_strerror(r)) : 0;
}

/* ---- prepared, then committed ---- */
struct AshRepoPrepared {
        Publisher p;
        Place place;
        AshLockFile *lock;
        AshArena *arena;
        char *name;
        size_t n;
        AshRepoResult result;
        bool sealed, committed;
};

void ash_repo_prepared_free(AshRepoPrepared *q) {
        if (!q)
                return;
        if (q->lock && !q->committed && !q->result.unchanged) {
                _free_ char *generation = ash_asprintf("%06u", q->place.current + 1);
                ash_remove_all(q->p.home, q->sealed ? generation : STAGING);
        }
        for (size_t i = 0; q->arena && i < q->n; i++) {
                free(q->p.keys[i]);
                free(q->p.locations[i]);
        }
        publisher_done(&q->p);
        ash_lock_free(q->lock);
        if (q->place.dir >= 0)
                close(q->place.dir);
        ash_arena_free(q->arena);
        free(q->name);
        free(q);
}

static void open_old(AshRepoPrepared *q) {
        q->place.current = read_current(q->place.dir, q->name);
        if (!q->place.current)
                return;
        _free_ char *current = ash_asprintf("%06u", q->place.current);
        q->p.old = openat(q->p.home, current, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (q->p.old >= 0)
                ash_repo_state_read(q->p.old, STATE, &q->p.state);
}

/* What stands at the link's place is a link, or nothing. */
static int check_way(const AshRepoPrepared *q, AshDiags *diags) {
        struct stat st;
        if (fstatat(q->place.dir, q->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
                return 0;
        return ash_fail_file(diags, -EEXIST, q->name, "a directory is in the way of the published repository; move it away");
}

static int prepare(AshRepoPrepared *q, AshDiags *diags) {
        Publisher *p = &q->p;
        char digest[65];
        q->arena = ash_arena_new();
        p->entries = ash_arena_new_items(q->arena, AshRepoEntry, q->n);
        p->keys = ash_arena_new_items(q->arena, char *, q->n);
        p->locations = ash_arena_new_items(q->arena, char *, q->n);
        make_keys(p, q->n);
        ash_repo_options_digest(p->o, digest);
        q->result.generation = q->place.current;
        q->result.unchanged = is_unchanged(p, q->n, digest);
        if (q->result.unchanged)
                return 0;
        p->n_makers = ash_parallel_threads(q->n, p->o->threads);
        p->makers = ash_arena_new_items(q->arena, AshFragmentMaker *, p->n_makers);
        for (unsigned i = 0; i < p->n_makers; i++)
                p->makers[i] = ash_fragment_maker_new();
        int r = check_way(q, diags);
        if (r >= 0 && p->old >= 0 && !ash_repo_state_load(&p->state, p->old))
                ash_map_clear(&p->state.by_key); /* metadata that cannot be read: nothing of it is used */
        if (r >= 0)
                r = build_generation(p, q->n, digest, &q->result);
        if (r >= 0)
                r = seal(&q->place, p->home, q->place.current + 1, diags);
        q->sealed = r >= 0;
        return r;
}

int ash_repo_prepare(AshStore *store, const char *dir, const char *name, const AshRepoInput *inputs, size_t n, const AshRepoOptions *options, AshRepoPrepared **ret, AshProgress *progress,
                     AshDiags *diags) {
        _cleanup_(ash_repo_prepared_free_p) AshRepoPrepared *q = ash_calloc(1, sizeof *q);
        q->p = (Publisher){ .store = store, .inputs = inputs, .o = options, .home = -1, .old = -1, .fresh = -1, .progress = progress, .diags = diags };
        q->name = ash_strdup(name);
        q->place = (Place){ .dir = -1, .name = q->name };
        q->n = n;
        q->result.packages = n;
        if (!ash_path_is_confined(ash_slice_str(name)) || name[0] == '.')
                return ash_fail(diags, -EINVAL, ASH_NOWHERE, "'%s' is no name for a repository", name);
        int r = open_home(&q->p, &q->place, dir, &q->lock);
        if (r < 0)
                return r;
        ash_remove_all(q->p.home, STAGING); /* of a publisher that was killed, also when there is nothing to do now */
        open_old(q);
        r = prepare(q, diags);
        q->result.bytes_read = q->p.read;
        q->result.bytes_written = q->p.written;
        if (r < 0)
                return r;
        *ret = ASH_TAKE(q);
        return 0;
}

int ash_repo_commit(AshRepoPrepared *q, unsigned keep, AshRepoResult *ret, AshDiags *diags) {
        int r = q->result.unchanged ? 0 : switch_to(&q->place, q->place.current + 1, diags);
        if (r < 0)
                return r;
        q->committed = true;
        if (!q->result.unchanged) {
                q->result.generation = q->place.current + 1;
                prune(q->p.home, q->result.generation, keep ? keep : 3);
        }
        *ret = q->result;
        return 0;
}

int ash_repo_publish(AshStore *store, const char *dir, const char *name, const AshRepoInput *inputs, size_t n, unsigned keep, const AshRepoOptions *options, AshRepoResult *ret,
                     AshProgress *progress, AshDiags *diags) {
        _cleanup_(ash_repo_prepared_free_p) AshRepoPrepared *q = NULL;
        int r = ash_repo_prepare(store, dir, name, inputs, n, options, &q, progress, diags);
        return r < 0 ? r : ash_repo_commit(q, keep, ret, diags);
}
