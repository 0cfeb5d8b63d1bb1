#include "io.h"
#include "lock.h"
#include "model-package.h"
#include "toml.h"

typedef struct Reader {
        AshLock *lock;
        AshDiags *diags;
        int result;
} Reader;

static void wrong(Reader *r, AshSpan at, const char *what) {
        r->result = ash_fail(r->diags, -ASH_ERR_CONFIG, at, "%s", what);
        ash_hint(r->diags, "ashlar.lock is made by 'ashlar lock'; make it again, or take it from version control");
}

static AshSlice text(Reader *r, const AshTomlValue *table, const char *key, bool required) {
        const AshTomlValue *v = ash_toml_get(table, key);
        if (v && v->type == ASH_TOML_STRING)
                return ash_arena_slice(r->lock->arena, v->string);
        if (v || required) {
                _free_ char *what = ash_asprintf("expected a string '%s'", key);
                wrong(r, v ? v->at : table->at, what);
        }
        return ASH_NOSLICE;
}

static uint64_t number(Reader *r, const AshTomlValue *table, const char *key) {
        const AshTomlValue *v = ash_toml_get(table, key);
        if (v && v->type == ASH_TOML_INTEGER && v->integer >= 0)
                return (uint64_t) v->integer;
        _free_ char *what = ash_asprintf("expected a number '%s'", key);
        wrong(r, v ? v->at : table->at, what);
        return 0;
}

static bool is_hex(AshSlice s) {
        uint8_t bytes[32];
        return s.len == 64 && ash_unhex(s, bytes, 32) >= 0;
}

static AshSlice digest(Reader *r, const AshTomlValue *table, const char *key, bool required) {
        AshSlice s = text(r, table, key, required);
        if (s.ptr && !is_hex(s)) {
                _free_ char *what = ash_asprintf("'%s' is no SHA-256 in hex", key);
                wrong(r, ash_toml_get(table, key)->at, what);
        }
        return s;
}

static AshSlice *texts(Reader *r, const AshTomlValue *table, const char *key, size_t *ret_n) {
        const AshTomlValue *v = ash_toml_get(table, key);
        *ret_n = 0;
        if (!v)
                return NULL;
        if (v->type != ASH_TOML_ARRAY) {
                _free_ char *what = ash_asprintf("expected an array '%s'", key);
                wrong(r, v->at, what);
                return NULL;
        }
        AshSlice *items = ash_arena_new_items(r->lock->arena, AshSlice, v->array.n);
        for (size_t i = 0; i < v->array.n; i++) {
                if (v->array.items[i]->type == ASH_TOML_STRING)
                        items[(*ret_n)++] = ash_arena_slice(r->lock->arena, v->array.items[i]->string);
                else
                        wrong(r, v->array.items[i]->at, "expected a string");
        }
        return items;
}

/* The items of an array of tables, or none. */
static const AshTomlValue *tables(Reader *r, const AshTomlValue *root, const char *key) {
        const AshTomlValue *v = ash_toml_get(root, key);
        if (!v)
                return NULL;
        bool good = v->type == ASH_TOML_ARRAY;
        for (size_t i = 0; good && i < v->array.n; i++)
                good = v->array.items[i]->type == ASH_TOML_TABLE;
        if (good)
                return v;
        _free_ char *what = ash_asprintf("expected an array of tables '%s'", key);
        wrong(r, v->at, what);
        return NULL;
}

static void read_upstreams(Reader *r, const AshTomlValue *root) {
        const AshTomlValue *list = tables(r, root, "upstreams");
        AshLock *l = r->lock;
        l->upstreams = ash_arena_new_items(l->arena, AshLockUpstream, list ? list->array.n : 0);
        for (size_t i = 0; list && i < list->array.n; i++) {
                const AshTomlValue *t = list->array.items[i];
                AshLockUpstream *u = &l->upstreams[l->n_upstreams++];
                *u = (AshLockUpstream){ text(r, t, "name", true), text(r, t, "arch", true), text(r, t, "type", true), digest(r, t, "snapshot", true), text(r, t, "date", false), text(r, t, "key", false), NULL, 0, digest(r, t, "importer", false) };
                u->indices = texts(r, t, "indices", &u->n_indices);
        }
}

static void read_packages(Reader *r, const AshTomlValue *root) {
        const AshTomlValue *list = tables(r, root, "packages");
        AshLock *l = r->lock;
        l->packages = ash_arena_new_items(l->arena, AshLockPackage, list ? list->array.n : 0);
        for (size_t i = 0; list && i < list->array.n; i++) {
                const AshTomlValue *t = list->array.items[i];
                l->packages[l->n_packages++] = (AshLockPackage){ .nevra = text(r, t, "nevra", true), .upstream = text(r, t, "upstream", true), .sha256 = digest(r, t, "sha256", true), .size = number(r, t, "size"),
                                                                 .origin = text(r, t, "origin", false), .origin_sha256 = digest(r, t, "origin-sha256", false), .key = text(r, t, "key", false) };
        }
}

static void read_sets(Reader *r, const AshTomlValue *root) {
        const AshTomlValue *list = tables(r, root, "sets");
        AshLock *l = r->lock;
        l->sets = ash_arena_new_items(l->arena, AshLockSet, list ? list->array.n : 0);
        for (size_t i = 0; list && i < list->array.n; i++) {
                const AshTomlValue *t = list->array.items[i];
                AshLockSet *s = &l->sets[l->n_sets++];
                *s = (AshLockSet){ .kind = text(r, t, "kind", true), .name = text(r, t, "name", true), .arch = text(r, t, "arch", true) };
                s->requests = texts(r, t, "requests", &s->n_requests);
                s->user = texts(r, t, "user", &s->n_user);
                s->packages = texts(r, t, "packages", &s->n_packages);
        }
}

static AshLockId *read_ids(Reader *r, const AshTomlValue *root, const char *key, size_t *ret_n) {
        const AshTomlValue *t = ash_toml_get(root, key);
        *ret_n = 0;
        if (!t || t->type != ASH_TOML_TABLE)
                return NULL;
        AshLockId *ids = ash_arena_new_items(r->lock->arena, AshLockId, t->table.n);
        for (size_t i = 0; i < t->table.n; i++) {
                const AshTomlValue *v = t->table.members[i].value;
                if (v->type == ASH_TOML_INTEGER && v->integer >= 0 && v->integer < UINT32_MAX)
                        ids[(*ret_n)++] = (AshLockId){ ash_arena_slice(r->lock->arena, t->table.members[i].key), (uint32_t) v->integer };
                else
                        wrong(r, v->at, "expected a numeric id");
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
                        wrong(r, nevra->at, "expected NAME-VERSION-RELEASE.ARCH");
                ash_map_ensure(&seen, nevra->string, &fresh);
                if (!fresh)
                        wrong(r, nevra->at, "this package is listed twice");
                for (size_t k = 0; k < l->n_upstreams; k++)
                        known |= ash_slice_eq(l->upstreams[k].name, upstream->string);
                if (!known)
                        wrong(r, upstream->at, "this upstream is not in the lock");
        }
}

/* Every package that a set names is there. */
static void check_sets(Reader *r, const AshTomlValue *root) {
        const AshTomlValue *sets = ash_toml_get(root, "sets");
        for (size_t i = 0; sets && i < sets->array.n; i++) {
                const AshTomlValue *names = ash_toml_get(sets->array.items[i], "packages");
                for (size_t k = 0; names && k < names->array.n; k++)
                        if (!ash_lock_package(r->lock, names->array.items[k]->string))
                                wrong(r, names->array.items[k]->at, "the lock does not list this package");
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
                wrong(r, ash_toml_get(root, "seed")->at, "expected a UUID");
}

static void read_all(Reader *r, const AshTomlValue *root) {
        if (number(r, root, "version") != ASH_LOCK_VERSION && r->result >= 0)
                wrong(r, ash_toml_get(root, "version")->at, "a lock of another version of Ashlar");
        if (r->result < 0)
                return;
        r->lock->source_date_epoch = number(r, root, "source-date-epoch");
        r->lock->seed = text(r, root, "seed", true);
        read_upstreams(r, root);
        read_packages(r, root);
        read_sets(r, root);
        r->lock->users = read_ids(r, root, "users", &r->lock->n_users);
        r->lock->groups = read_ids(r, root, "groups", &r->lock->n_groups);
        ash_lock_sort(r->lock);
        if (r->result < 0)
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
        Reader reader = { .lock = lock, .diags = diags };
        read_all(&reader, ash_toml_root(doc));
        if (reader.result >= 0)
                *ret = ASH_TAKE(lock);
        return reader.result;
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
