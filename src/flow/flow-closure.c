/* Is a channel closed: does every requirement of its packages find something in the channel, or in those that it requires? */
#include "flow-closure.h"
#include "flow-package.h"

/* Publishing digests each package; here only one that looks wrong is digested, so that damage ends in its being fetched again (-ENOENT) and not in a parser's complaint. */
static int open_package(AshStore *store, const AshLockPackage *locked, const char *label, AshBytes *ret_bytes, AshRpm **ret, AshDiags *diags) {
        AshId id;
        int r = ash_id_parse(locked->sha256, &id);
        if (r >= 0)
                r = ash_store_map_blob(store, &id, false, ret_bytes, diags);
        if (r < 0)
                return r;
        if (ash_bytes_slice(ret_bytes).len == locked->size && ash_rpm_parse(ash_bytes_slice(ret_bytes), label, ret, NULL) >= 0)
                return 0;
        ash_bytes_done(ret_bytes);
        r = ash_store_map_blob(store, &id, true, ret_bytes, diags);
        if (r < 0)
                return r;
        if (ash_bytes_slice(ret_bytes).len != locked->size)
                return ash_fail(diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "%s has %zu bytes, the lock says %llu", label, ash_bytes_slice(ret_bytes).len, (unsigned long long) locked->size);
        return ash_rpm_parse(ash_bytes_slice(ret_bytes), label, ret, diags);
}

static int add_package(AshUniverse *universe, AshStore *store, const AshLockPackage *locked, AshDiags *diags) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
        _free_ char *label = ash_slice_dup(locked->nevra);
        _bytes_ AshBytes bytes = {};
        AshPackage p = {};
        int r = open_package(store, locked, label, &bytes, &rpm, diags);
        if (r >= 0)
                r = ash_flow_package_of_rpm(rpm, arena, &p, diags);
        if (r < 0)
                return r;
        ash_universe_add_package(universe, &p);
        return 0;
}

/* What is found, as text that the store can keep: a line for each missing requirement, "NEVRA TAB REQUIREMENT". */
typedef struct Search {
        AshUniverse *universe;
        AshArena *arena;
        AshStr lines;
} Search;

/* A line break in a name (nobody writes one) must not make two lines of it. */
static void add_line(AshStr *out, AshSlice text, char end) {
        for (size_t i = 0; i < text.len; i++)
                ash_str_append_char(out, (unsigned char) text.ptr[i] < ' ' ? '?' : text.ptr[i]);
        ash_str_append_char(out, end);
}

static void missing(void *context, uint32_t id, AshSlice dep) {
        Search *s = context;
        if (!ash_slice_eqs(ash_universe_origin(s->universe, id), "channel"))
                return;
        AshSlice nevra = ash_package_nevra(ash_universe_package(s->universe, id, s->arena), s->arena);
        add_line(&s->lines, nevra, '\t');
        add_line(&s->lines, dep, '\n');
}

static int search(AshStore *store, const AshFlowClosure *c, AshStr *ret, AshDiags *diags) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _free_ char *arch = ash_slice_dup(c->arch);
        _cleanup_(ash_universe_free_p) AshUniverse *universe = ash_universe_new(arch);
        int r = 0;
        ash_universe_add_repo(universe, "channel", 0);
        for (size_t i = 0; r >= 0 && i < c->n_own; i++)
                r = add_package(universe, store, c->own[i], diags);
        ash_universe_add_repo(universe, "required", 0);
        for (size_t i = 0; r >= 0 && i < c->n_required; i++)
                r = add_package(universe, store, c->required[i], diags);
        if (r < 0)
                return r;
        Search s = { .universe = universe, .arena = arena };
        ash_universe_closure(universe, missing, &s);
        *ret = s.lines;
        return 0;
}

static void add_to_key(AshStr *text, const AshLockPackage *const *packages, size_t n) {
        ash_str_appendf(text, "%zu\n", n);
        for (size_t i = 0; i < n; i++)
                ash_str_appendf(text, "%.*s %.*s %llu\n", ASH_F(packages[i]->sha256), ASH_F(packages[i]->nevra), (unsigned long long) packages[i]->size);
}

/* All that the answer depends on: what the lock says of each package is in it, so a lock that was changed by hand is looked at anew. */
static AshId closure_key(const AshFlowClosure *c) {
        _str_ AshStr text = {};
        ash_str_appendf(&text, "closure 2 %s %.*s\n", ASHLAR_VERSION, ASH_F(c->arch));
        add_to_key(&text, c->own, c->n_own);
        add_to_key(&text, c->required, c->n_required);
        return ash_id_of(ash_str_slice(&text));
}

static size_t report(const AshFlowClosure *c, AshSlice lines, AshDiags *diags) {
        AshSlice line, nevra;
        size_t n = 0;
        while (ash_slice_next_line(&lines, &line)) {
                if (n++ >= ASH_CLOSURE_SHOWN || !ash_slice_split(&line, '\t', &nevra))
                        continue;
                ash_warn(diags, c->at, "channel '%.*s' (%.*s): %.*s requires '%.*s', which nothing here provides", ASH_F(c->channel), ASH_F(c->arch), ASH_F(nevra), ASH_F(line));
        }
        if (n > ASH_CLOSURE_SHOWN)
                ash_hint(diags, "and %zu more", n - ASH_CLOSURE_SHOWN);
        return n;
}

int ash_flow_closure(AshStore *store, const AshFlowClosure *c, size_t *ret_missing, AshDiags *diags) {
        _bytes_ AshBytes known = {};
        _str_ AshStr found = {};
        AshId key = closure_key(c);
        if (ash_store_cache_get(store, "closure", &key, &known) >= 0) {
                *ret_missing = report(c, ash_bytes_slice(&known), diags);
                return 0;
        }
        int r = search(store, c, &found, diags);
        if (r < 0)
                return r;
        ash_store_cache_put(store, "closure", &key, ash_str_slice(&found)); /* only a cache: a failure costs time */
        *ret_missing = report(c, ash_str_slice(&found), diags);
        return 0;
}
