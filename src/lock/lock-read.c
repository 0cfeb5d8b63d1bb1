#include "io.h"
#include "lock.h"
#include "lock-state.h"
#include "model-package.h"

typedef struct Reader {
        AshLock *lock;
        AshStateReader state;
} Reader;

static void read_upstreams(Reader *r, const AshTomlValue *root) {
        const AshTomlValue *list = ash_state_tables(&r->state, root, "upstreams");
        AshLock *l = r->lock;
        l->upstreams = ash_arena_new_items(l->arena, AshLockUpstream, list ? list->array.n : 0);
        for (size_t i = 0; list && i < list->array.n; i++) {
                const AshTomlValue *t = list->array.items[i];
                AshLockUpstream *u = &l->upstreams[l->n_upstreams++];
                *u = (AshLockUpstream){ .name = ash_state_text(&r->state, t, "name", true), .arch = ash_state_text(&r->state, t, "arch", true), .type = ash_state_text(&r->state, t, "type", true),
                                        .snapshot = ash_state_digest(&r->state, t, "snapshot", true), .date = ash_state_text(&r->state, t, "date", false), .key = ash_state_text(&r->state, t, "key", false),
                                        .importer = ash_state_digest(&r->state, t, "importer", false) };
                u->indices = ash_state_texts(&r->state, t, "indices", &u->n_indices);
                u->contents = ash_state_texts(&r->state, t, "contents", &u->n_contents);
        }
}

static void read_packages(Reader *r, const AshTomlValue *root) {
        const AshTomlValue *list = ash_state_tables(&r->state, root, "packages");
        AshLock *l = r->lock;
        l->packages = ash_arena_new_items(l->arena, AshLockPackage, list ? list->array.n : 0);
        for (size_t i = 0; list && i < list->array.n; i++) {
                const AshTomlValue *t = list->array.items[i];
                l->packages[l->n_packages++] = (AshLockPackage){ .nevra = ash_state_text(&r->state, t, "nevra", true), .upstream = ash_state_text(&r->state, t, "upstream", true), .sha256 = ash_state_digest(&r->state, t, "sha256", true), .size = ash_state_number(&r->state, t, "size"),
                                                                 .origin = ash_state_text(&r->state, t, "origin", false), .origin_sha256 = ash_state_digest(&r->state, t, "origin-sha256", false), .key = ash_state_text(&r->state, t, "key", false) };
        }
}

static void read_sets(Reader *r, const AshTomlValue *root) {
        const AshTomlValue *list = ash_state_tables(&r->state, root, "sets");
        AshLock *l = r->lock;
        l->sets = ash_arena_new_items(l->arena, AshLockSet, list ? list->array.n : 0);
        for (size_t i = 0; list && i < list->array.n; i++) {
                const AshTomlValue *t = list->array.items[i];
                AshLockSet *s = &l->sets[l->n_sets++];
                *s = (AshLockSet){ .kind = ash_state_text(&r->state, t, "kind", true), .name = ash_state_text(&r->state, t, "name", true), .arch = ash_state_text(&r->state, t, "arch", true) };
                s->requests = ash_state_texts(&r->state, t, "requests", &s->n_requests);
                s->user = ash_state_texts(&r->state, t, "user", &s->n_user);
                s->packages = ash_state_texts(&r->state, t, "packages", &s->n_packages);
        }
}

static AshLockId *read_ids(Reader *r, const AshTomlValue *root, const char *key, size_t *ret_n) {
        const AshTomlValue *t = ash_toml_get(root, key);
        *ret_n = 0;
        if (!t || t->type != ASH_TOML_TABLE)
                return NULL;
        AshLockId *ids = ash_arena_new_items(r->state.arena, AshLockId, t->table.n);
        for (size_t i = 0; i < t->table.n; i++) {
                const AshTomlValue *v = t->table.members[i].value;
                if (v->type == ASH_TOML_INTEGER && v->integer >= 0 && v->integer < UINT32_MAX)
                        ids[(*ret_n)++] = (AshLockId){ ash_arena_slice(r->state.arena, t->table.members[i].key), (uint32_t) v->integer };
                else
                        ash_state_wrong(&r->state, v->at, "expected a numeric id");
        }
        return ids;
}

/* A lock whose parts do not fit together was edited by hand, or merged badly. */
static void check_packages(Reader *r, const AshTomlValue *root) {
        AshLock *l = r->lock;
        const AshTomlValue *list = ash_toml_get(root, "packages");
        _map_ AshMap seen = {};
        for (size_t i = 0; list && i < list->array.n; i++) {
                const AshTomlValue *t = list->array.items[i], *nevra = ash_toml_get(t, "nevra"), *upstream = ash_toml_get(t, "upstream");
                AshPackage parsed;
                bool fresh, known = false;
                if (ash_nevra_parse(nevra->string, &parsed) < 0)
                        ash_state_wrong(&r->state, nevra->at, "expected NAME-VERSION-RELEASE.ARCH");
                ash_map_ensure(&seen, nevra->string, &fresh);
                if (!fresh)
                        ash_state_wrong(&r->state, nevra->at, "this package is listed twice");
                for (size_t k = 0; k < l->n_upstreams; k++)
                        known |= ash_slice_eq(l->upstreams[k].name, upstream->string);
                if (!known)
                        ash_state_wrong(&r->state, upstream->at, "this upstream is not in the lock");
        }
}

/* Every package that a set names is there. */
static void check_sets(Reader *r, const AshTomlValue *root) {
        const AshTomlValue *sets = ash_toml_get(root, "sets");
        for (size_t i = 0; sets && i < sets->array.n; i++) {
                const AshTomlValue *names = ash_toml_get(sets->array.items[i], "packages");
                for (size_t k = 0; names && k < names->array.n; k++)
                        if (!ash_lock_package(r->lock, names->array.items[k]->string))
                                ash_state_wrong(&r->state, names->array.items[k]->at, "the lock does not list this package");
        }
}

/* A UUID: 8-4-4-4-12 hexadecimal digits. */
static void check_seed(Reader *r, const AshTomlValue *root) {
        AshSlice s = r->lock->seed;
        bool good = s.len == 36;
        for (size_t i = 0; good && i < s.len; i++) {
                bool dash = i == 8 || i == 13 || i == 18 || i == 23;
                good = dash ? s.ptr[i] == '-' : (s.ptr[i] >= '0' && s.ptr[i] <= '9') || (s.ptr[i] >= 'a' && s.ptr[i] <= 'f');
        }
        if (!good)
                ash_state_wrong(&r->state, ash_toml_get(root, "seed")->at, "expected a UUID");
}

static void read_all(Reader *r, const AshTomlValue *root) {
        if (ash_state_number(&r->state, root, "version") != ASH_LOCK_VERSION && r->state.result >= 0)
                ash_state_wrong(&r->state, ash_toml_get(root, "version")->at, "a lock of another version of Ashlar");
        if (r->state.result < 0)
                return;
        r->lock->source_date_epoch = ash_state_number(&r->state, root, "source-date-epoch");
        if (r->state.result >= 0 && r->lock->source_date_epoch > UINT32_MAX) /* what file formats can hold, and what SOURCE_DATE_EPOCH may be */
                ash_state_wrong(&r->state, ash_toml_get(root, "source-date-epoch")->at, "expected seconds since 1970, at most 4294967295 (the year 2106)");
        r->lock->seed = ash_state_text(&r->state, root, "seed", true);
        read_upstreams(r, root);
        read_packages(r, root);
        read_sets(r, root);
        r->lock->users = read_ids(r, root, "users", &r->lock->n_users);
        r->lock->groups = read_ids(r, root, "groups", &r->lock->n_groups);
        ash_lock_sort(r->lock);
        if (r->state.result < 0)
                return;
        check_seed(r, root);
        check_packages(r, root);
        check_sets(r, root);
}

int ash_lock_parse(AshSource *source, AshLock **ret, AshDiags *diags) {
        _cleanup_(ash_toml_free_p) AshTomlDoc *doc = NULL;
        if (ash_toml_parse(source, ASH_TOML_1_1, &doc, diags) < 0)
                return -ASH_ERR_CONFIG;
        _cleanup_(ash_lock_free_all_p) AshLock *lock = ash_lock_new();
        Reader reader = { .lock = lock, .state = { .arena = lock->arena, .diags = diags, .hint = "ashlar.lock is made by 'ashlar lock'; make it again, or take it from version control" } };
        read_all(&reader, ash_toml_root(doc));
        if (reader.state.result >= 0)
                *ret = ASH_TAKE(lock);
        return reader.state.result;
}

int ash_lock_read(const char *path, AshLock **ret, AshDiags *diags) {
        _bytes_ AshBytes bytes = {};
        int r = ash_file_read(AT_FDCWD, path, 256 << 20, &bytes);
        if (r == -ENOENT)
                return r;
        if (r < 0)
                return ash_fail_file(diags, r, path, "cannot read the lock: %s", ash_strerror(r));
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new(path, ash_bytes_slice(&bytes));
        return ash_lock_parse(source, ret, diags);
}
