/* Roots, use of space, verification, garbage collection. */
#include <dirent.h>
#include <stdio.h>
#include <time.h>
#include "store-private.h"

/* ---- walking: every object of a kind, two levels of directories ---- */
typedef struct Object {
        const char *path, *name; /* below the store; its last part */
        const struct stat *st;
        bool named;              /* the name is 64 hex digits: id is set */
        AshId id;
} Object;
typedef int (*ObjectVisit)(void *context, const Object *o);

static int walk_one(AshStore *s, const char *dir, ObjectVisit visit, void *context) {
        _dirlist_ AshDirList list = {};
        int r = ash_dir_list(s->fd, dir, &list);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        ash_array_foreach(&list.entries, e) {
                _free_ char *path = ash_path_join(dir, e->name);
                struct stat st;
                if (fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
                        continue;
                Object o = { .path = path, .name = e->name, .st = &st };
                o.named = ash_id_parse(ash_slice_str(e->name), &o.id) >= 0;
                r = visit(context, &o);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Below "dir" stand directories of two letters with the objects in them. */
static int walk(AshStore *s, const char *dir, ObjectVisit visit, void *context) {
        _dirlist_ AshDirList list = {};
        int r = ash_dir_list(s->fd, dir, &list);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        ash_array_foreach(&list.entries, e) {
                if (e->type != DT_DIR)
                        continue;
                _free_ char *path = ash_path_join(dir, e->name);
                r = walk_one(s, path, visit, context);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int walk_cache(AshStore *s, ObjectVisit visit, void *context) {
        _dirlist_ AshDirList kinds = {};
        int r = ash_dir_list(s->fd, "cache", &kinds);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        ash_array_foreach(&kinds.entries, k) {
                _free_ char *path = ash_path_join("cache", k->name);
                r = k->type == DT_DIR ? walk(s, path, visit, context) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- roots ---- */
int ash_store_root_add(AshStore *s, const char *lock_path, AshDiags *diags) {
        char path[80];
        if (lock_path[0] != '/')
                return ash_fail(diags, -EINVAL, ASH_NOWHERE, "a root must be an absolute path: %s", lock_path);
        AshId id = ash_id_of(ash_slice_str(lock_path));
        char hex[ASH_ID_HEX];
        ash_id_hex(&id, hex);
        snprintf(path, sizeof(path), "roots/%s", hex);
        int r = ash_mkdir_all(s->fd, "roots", 0755);
        if (r >= 0) {
                _free_ char *text = ash_asprintf("%s\n", lock_path);
                r = ash_file_update(s->fd, path, ash_slice_str(text), 0644, true);
        }
        return r < 0 ? ash_fail_file(diags, r, s->path, "cannot register '%s' as a root: %s", lock_path, ash_strerror(r)) : 0;
}

static bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/* Every run of exactly 64 hex digits: so no format of a lock file need be known here, and none can be read wrongly. */
static void collect_ids(AshSlice text, AshMap *needed, AshArena *arena) {
        for (size_t i = 0, start; i < text.len;) {
                if (!is_hex(text.ptr[i])) {
                        i++;
                        continue;
                }
                for (start = i; i < text.len && is_hex(text.ptr[i]); i++)
                        ;
                AshId id;
                if (i - start == 64 && ash_id_parse(ash_slice_sub(text, start, 64), &id) >= 0)
                        ash_map_put(needed, ash_arena_slice(arena, ash_slice((const char *) id.sha256, 32)), NULL, NULL);
        }
}

typedef struct Roots {
        AshStore *store;
        AshMap needed; /* ids */
        AshArena *arena;
        uint64_t n;
        bool drop_dead;
        AshDiags *diags;
} Roots;

static int visit_root(void *context, const Object *o) {
        Roots *roots = context;
        _bytes_ AshBytes root = {}, lock = {};
        int r = ash_file_read(roots->store->fd, o->path, 8192, &root);
        if (r < 0)
                return 0;
        _free_ char *path = ash_slice_dup(ash_slice_trim(ash_bytes_slice(&root)));
        r = ash_file_read(AT_FDCWD, path, 256 << 20, &lock);
        if (r == -ENOENT || r == -ENOTDIR) {
                if (roots->drop_dead)
                        unlinkat(roots->store->fd, o->path, 0);
                return 0;
        }
        if (r < 0) /* it is there, and what it needs cannot be known: nothing may be removed */
                return ash_fail_file(roots->diags, r, path, "cannot read this lock file, so nothing is removed: %s", ash_strerror(r));
        roots->n++;
        collect_ids(ash_bytes_slice(&lock), &roots->needed, roots->arena);
        return 0;
}

/* A kind of derived objects that name further ones, which are kept as long as they are: results of builds beside the one that a root names. */
#define NAMING "component-rebuilds"

static bool is_needed(const Roots *roots, const Object *o) { return o->named && ash_map_find(&roots->needed, ash_slice((const char *) o->id.sha256, 32)); }

static int visit_naming(void *context, const Object *o) {
        Roots *roots = context;
        _bytes_ AshBytes bytes = {};
        if (is_needed(roots, o) && ash_store_cache_get(roots->store, NAMING, &o->id, &bytes) >= 0)
                collect_ids(ash_bytes_slice(&bytes), &roots->needed, roots->arena);
        return 0;
}

static int read_roots(AshStore *s, bool drop_dead, Roots *roots, AshDiags *diags) {
        *roots = (Roots){ .store = s, .arena = ash_arena_new(), .drop_dead = drop_dead, .diags = diags };
        int r = walk_one(s, "roots", visit_root, roots);
        return r < 0 ? r : walk(s, "cache/" NAMING, visit_naming, roots);
}

static void roots_done(Roots *roots) {
        ash_map_done(&roots->needed);
        ash_arena_free(roots->arena);
}

/* ---- what upstreams keep for themselves: directories whose inside is theirs ---- */
static const char *const upstream_state[] = { "apt", "git" };

static int walk_upstreams(AshStore *s, int (*fn)(void *context, const Object *o), void *context) {
        int r = 0;
        for (size_t i = 0; r >= 0 && i < ASH_N(upstream_state); i++) {
                _free_ char *pattern = ash_asprintf("%s/**", upstream_state[i]);
                _paths_ AshPaths paths = {};
                r = ash_glob_files(s->fd, pattern, false, &paths);
                r = r == -ENOENT ? 0 : r;
                for (size_t k = 0; r >= 0 && k < paths.paths.n; k++) {
                        struct stat st;
                        Object o = { .path = paths.paths.items[k], .name = ash_path_base(ash_slice_str(paths.paths.items[k])).ptr, .st = &st };
                        if (fstatat(s->fd, o.path, &st, AT_SYMLINK_NOFOLLOW) == 0)
                                r = fn(context, &o);
                }
        }
        return r;
}

/* ---- use of space: what is allocated, not what files pretend ---- */
typedef struct Count {
        uint64_t *n, *bytes;
        AshStoreUsage *usage;
        const Roots *roots;
} Count;

static int count_object(void *context, const Object *o) {
        Count *c = context;
        uint64_t bytes = (uint64_t) o->st->st_blocks * 512;
        ++*c->n;
        *c->bytes += bytes;
        if (is_needed(c->roots, o))
                c->usage->rooted_bytes += bytes;
        return 0;
}

static int count_buildroots(AshStore *s, AshStoreUsage *u) {
        AshStoredRoots all = {};
        int r = ash_store_list_buildroots(s, true, &all);
        u->buildroots = all.items.n;
        ash_array_foreach(&all.items, root)
                u->buildroot_bytes += root->bytes;
        ash_array_done(&all.items);
        return r;
}

int ash_store_du(AshStore *s, AshStoreUsage *ret, AshDiags *diags) {
        AshStoreUsage u = {};
        _cleanup_(roots_done) Roots roots;
        int r = read_roots(s, false, &roots, diags);
        if (r < 0)
                return r;
        u.roots = roots.n;
        r = walk(s, "blobs/sha256", count_object, &(Count){ &u.blobs, &u.blob_bytes, &u, &roots });
        if (r >= 0)
                r = walk(s, "packs", count_object, &(Count){ &u.packs, &u.pack_bytes, &u, &roots });
        if (r >= 0)
                r = walk_cache(s, count_object, &(Count){ &u.cached, &u.cache_bytes, &u, &roots });
        if (r >= 0)
                r = walk_upstreams(s, count_object, &(Count){ &u.upstream, &u.upstream_bytes, &u, &roots });
        if (r >= 0)
                r = count_buildroots(s, &u);
        if (r < 0)
                return ash_fail_file(diags, r, s->path, "cannot read the store: %s", ash_strerror(r));
        *ret = u;
        return 0;
}

/* ---- verification ---- */
typedef enum Kind { BLOB, PACK, CACHED, BUILDROOT } Kind;
typedef struct Check {
        char *path;
        AshId id;
        uint64_t bytes;
        Kind kind;
        bool damaged, in_use;
} Check;
typedef struct Verify {
        AshStore *store;
        AshProgress *progress;
        Kind kind;
        ASH_ARRAY(Check) items;
} Verify;

static int collect_object(void *context, const Object *o) {
        Verify *v = context;
        if (o->named)
                *ash_array_add(&v->items) = (Check){ ash_strdup(o->path), o->id, (uint64_t) o->st->st_size, v->kind, false, false };
        return 0;
}

static bool blob_is_damaged(AshStore *s, const Check *c) {
        AshId got;
        uint64_t size;
        return ash_digest_file(ASH_SHA256, s->fd, c->path, got.sha256, &size) >= 0 && !ash_id_eq(&got, &c->id);
}

static bool pack_is_damaged(AshStore *s, const Check *c) {
        AshPack *pack = NULL;
        int r = ash_pack_open(s, &c->id, true, &pack);
        ash_pack_free(pack);
        return r == -ASH_ERR_VERIFY;
}

static bool cached_is_damaged(AshStore *s, const Check *c) {
        _free_ char *kind = ash_slice_dup(ash_slice_sub(ash_slice_str(c->path), 6, (size_t) ash_slice_find_char(ash_slice_from(ash_slice_str(c->path), 6), '/')));
        _bytes_ AshBytes bytes = {};
        return ash_store_cache_get(s, kind, &c->id, &bytes) == -ENOENT; /* which has dropped it */
}

static bool buildroot_is_damaged(AshStore *s, const Check *c) { return ash_store_buildroot_is_damaged(s, ash_path_base(ash_slice_str(c->path)).ptr); }

static int collect_buildroots(Verify *v) {
        AshStoredRoots all = {};
        int r = ash_store_list_buildroots(v->store, true, &all);
        ash_array_foreach(&all.items, root)
                if (root->complete)
                        *ash_array_add(&v->items) = (Check){ .path = ash_asprintf(ASH_STORE_BUILDROOTS "/%s", root->key), .bytes = root->bytes, .kind = BUILDROOT };
        ash_array_done(&all.items);
        return r;
}

/* A build that runs keeps what it has. */
static void drop(AshStore *s, Check *c) {
        _cleanup_(ash_lock_free_p) AshLockFile *alone = NULL;
        const char *key = ash_path_base(ash_slice_str(c->path)).ptr;
        if (c->kind != BUILDROOT)
                unlinkat(s->fd, c->path, 0);
        else if (ash_store_hold_buildroot(s, key, &alone) < 0)
                c->in_use = true;
        else
                (void) ash_store_buildroot_forget(s, key);
}

static int verify_item(void *context, size_t i) {
        Verify *v = context;
        Check *c = &v->items.items[i];
        bool (*const damaged[])(AshStore *, const Check *) = { [BLOB] = blob_is_damaged, [PACK] = pack_is_damaged, [CACHED] = cached_is_damaged, [BUILDROOT] = buildroot_is_damaged };
        c->damaged = damaged[c->kind](v->store, c);
        if (c->damaged)
                drop(v->store, c);
        ash_progress_advance(v->progress, c->bytes);
        return 0;
}

int ash_store_verify(AshStore *s, AshProgress *progress, AshStoreCare *ret, AshDiags *diags) {
        Verify v = { .store = s, .progress = progress, .kind = BLOB };
        AshStoreCare care = {};
        int r = walk(s, "blobs/sha256", collect_object, &v);
        v.kind = PACK;
        if (r >= 0)
                r = walk(s, "packs", collect_object, &v);
        v.kind = CACHED;
        if (r >= 0)
                r = walk_cache(s, collect_object, &v);
        if (r >= 0)
                r = collect_buildroots(&v);
        ash_array_foreach(&v.items, c) care.checked_bytes += c->bytes;
        ash_progress_begin(progress, "verify", care.checked_bytes, ASH_UNIT_BYTES);
        if (r >= 0)
                ash_parallel_for(v.items.n, 0, true, verify_item, &v);
        ash_progress_end(progress);
        ash_array_foreach(&v.items, c) {
                care.checked++;
                if (c->damaged) {
                        care.damaged++;
                        if (c->in_use)
                                ash_warn(diags, ASH_NOWHERE, "%s/%s is damaged, and a build uses it: it has not been dropped", s->path, c->path);
                        else
                                ash_warn(diags, ASH_NOWHERE, "%s/%s was damaged and has been dropped: it will be %s again when it is needed", s->path, c->path, c->kind == BLOB ? "fetched" : "made");
                }
                free(c->path);
        }
        ash_array_done(&v.items);
        if (r < 0)
                return ash_fail_file(diags, r, s->path, "cannot read the store: %s", ash_strerror(r));
        *ret = care;
        return 0;
}

/* ---- garbage collection ---- */
typedef struct Collect {
        AshStore *store;
        const Roots *roots;
        time_t now;
        uint64_t max_age;
        bool dry_run;
        AshStoreCare care;
} Collect;

static int collect(void *context, const Object *o) {
        Collect *c = context;
        uint64_t age = c->now > o->st->st_mtime ? (uint64_t) (c->now - o->st->st_mtime) : 0;
        bool partial = !o->named && ash_slice_find(ash_slice_str(o->name), ASH_S(".part")) >= 0;
        c->care.checked++;
        c->care.checked_bytes += (uint64_t) o->st->st_blocks * 512;
        /* A partial download may be resumed for a day; any other name is a leftover: nobody is writing now. */
        bool keep = o->named ? is_needed(c->roots, o) || age < c->max_age : partial && age < ASH_MIN(c->max_age, (uint64_t) 86400);
        if (keep)
                return 0;
        if (!c->dry_run && unlinkat(c->store->fd, o->path, 0) < 0)
                return -errno;
        c->care.removed++;
        c->care.removed_bytes += (uint64_t) o->st->st_blocks * 512;
        return 0;
}

/* Only apt's: files that came here longer ago than that; it fetches them again. A git mirror is one whole, and stays. */
static int collect_upstream(void *context, const Object *o) {
        Collect *c = context;
        uint64_t age = c->now > o->st->st_ctime ? (uint64_t) (c->now - o->st->st_ctime) : 0;
        AshSlice name = ash_slice_str(o->name);
        c->care.checked++;
        c->care.checked_bytes += (uint64_t) o->st->st_blocks * 512;
        if (age < c->max_age || !ash_slice_starts(ash_slice_str(o->path), ASH_S("apt/")) || ash_slice_ends(name, ASH_S("lock")))
                return 0;
        if (!c->dry_run && unlinkat(c->store->fd, o->path, 0) < 0)
                return -errno;
        c->care.removed++;
        c->care.removed_bytes += (uint64_t) o->st->st_blocks * 512;
        return 0;
}

/* Locks of buildroots that are gone: nobody has the store open, so nobody waits for one. */
static void collect_locks(Collect *c) {
        _dirlist_ AshDirList list = {};
        if (c->dry_run || ash_dir_list(c->store->fd, ASH_STORE_BUILDROOTS, &list) < 0)
                return;
        ash_array_foreach(&list.entries, e) {
                _free_ char *path = ash_asprintf(ASH_STORE_BUILDROOTS "/%s", e->name);
                size_t n = strlen(path);
                if (e->type != DT_REG || !ash_slice_ends(ash_slice_str(e->name), ASH_S(".lock")))
                        continue;
                path[n - strlen(".lock")] = 0;
                bool gone = faccessat(c->store->fd, path, F_OK, 0) < 0 && errno == ENOENT;
                path[n - strlen(".lock")] = '.';
                if (gone)
                        unlinkat(c->store->fd, path, 0);
        }
}

/* Composed again when they are needed. */
static int collect_buildroots_of(Collect *c, uint64_t keep) {
        AshStoredRoots all = {};
        uint64_t total = 0;
        int r = ash_store_list_buildroots(c->store, true, &all);
        ash_array_foreach(&all.items, root)
                total += root->bytes;
        ash_array_foreach(&all.items, root) {
                uint64_t age = c->now > root->used ? (uint64_t) (c->now - root->used) : 0;
                c->care.checked++;
                c->care.checked_bytes += root->bytes;
                if (r < 0 || (root->complete && age < c->max_age && total <= keep))
                        continue;
                if (!c->dry_run)
                        r = ash_store_buildroot_forget(c->store, root->key);
                total -= root->bytes;
                c->care.removed++;
                c->care.removed_bytes += root->bytes;
        }
        ash_array_done(&all.items);
        collect_locks(c);
        return r;
}

static int collect_all(AshStore *s, const AshStoreGc *how, AshStoreCare *ret, AshDiags *diags) {
        _cleanup_(roots_done) Roots roots;
        int r = read_roots(s, !how->dry_run, &roots, diags);
        if (r < 0)
                return r;
        Collect c = { .store = s, .roots = &roots, .now = time(NULL), .max_age = how->max_age_s, .dry_run = how->dry_run };
        r = walk(s, "blobs/sha256", collect, &c);
        if (r >= 0)
                r = walk(s, "packs", collect, &c);
        if (r >= 0)
                r = walk_cache(s, collect, &c);
        if (r >= 0)
                r = walk_upstreams(s, collect_upstream, &c);
        if (r >= 0)
                r = collect_buildroots_of(&c, how->buildroots);
        if (r < 0)
                return ash_fail_file(diags, r, s->path, "cannot clean the store: %s", ash_strerror(r));
        *ret = c.care;
        return 0;
}

int ash_store_gc(AshStore *s, const AshStoreGc *how, AshStoreCare *ret, AshDiags *diags) {
        AshLockFile *alone = NULL;

        /* Everyone who uses the store holds the lock shared, so ours must go first; between the two another process may come, and we wait for it. */
        ash_lock_free(ASH_TAKE(s->lock));
        int r = ash_lock_acquire(s->fd, "lock", true, how->timeout_ms, &alone);
        if (r == -EAGAIN)
                ash_fail_file(diags, r, s->path, "another process is using the store");
        else if (r < 0)
                ash_fail_file(diags, r, s->path, "cannot lock the store: %s", ash_strerror(r));
        else
                r = collect_all(s, how, ret, diags);
        ash_lock_free(alone);
        int again = ash_lock_acquire(s->fd, "lock", false, -1, &s->lock);
        return r < 0 ? r : again;
}
