/* Is a channel closed: does every requirement of its packages find something in the channel, or in those that it requires? */
#include "flow-closure.h"

/* rpm's relations and the model's, in the model's order; only these two matter here. */
static const struct { AshRpmRelation rpm; AshDepKind model; } relations[] = { { ASH_RPM_PROVIDES, ASH_DEP_PROVIDES }, { ASH_RPM_REQUIRES, ASH_DEP_REQUIRES } };

static int read_deps(const AshRpm *rpm, AshArena *arena, AshPackage *p, AshDiags *diags) {
        for (size_t i = 0; i < ASH_N(relations); i++) {
                AshRpmDep *deps = NULL;
                AshDeps *to = &p->deps[relations[i].model];
                int r = ash_rpm_deps(rpm, relations[i].rpm, arena, &deps, &to->n, diags);
                if (r < 0)
                        return r;
                to->items = ash_arena_new_items(arena, AshDep, to->n);
                for (size_t k = 0; k < to->n; k++)
                        to->items[k] = (AshDep){ .name = deps[k].name, .evr = deps[k].evr, .flags = deps[k].flags & (ASH_DEP_COMPARE | ASH_DEP_PRE) };
        }
        return 0;
}

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
        AshRpmNevra n;
        AshRpmFiles files = {};
        int r = open_package(store, locked, label, &bytes, &rpm, diags);
        if (r >= 0)
                r = ash_rpm_nevra(rpm, &n, diags);
        if (r >= 0)
                r = ash_rpm_files(rpm, arena, &files, diags);
        if (r >= 0)
                r = read_deps(rpm, arena, &p, diags);
        if (r < 0)
                return r;
        p.name = n.name, p.version = n.version, p.release = n.release, p.arch = n.arch, p.epoch = n.epoch;
        p.files = ash_arena_new_items(arena, AshSlice, files.n);
        for (; p.n_files < files.n; p.n_files++)
                p.files[p.n_files] = ash_slice_str(ash_arena_printf(arena, "%.*s%.*s", ASH_F(files.items[p.n_files].dir), ASH_F(files.items[p.n_files].base)));
        ash_universe_add_package(universe, &p);
        return 0;
}

typedef struct Report {
        AshUniverse *universe;
        const AshFlowClosure *c;
        AshArena *arena;
        AshDiags *diags;
        size_t n;
} Report;

static void missing(void *context, uint32_t id, AshSlice dep) {
        Report *r = context;
        if (!ash_slice_eqs(ash_universe_origin(r->universe, id), "channel") || r->n++ >= ASH_CLOSURE_SHOWN)
                return;
        AshSlice nevra = ash_package_nevra(ash_universe_package(r->universe, id, r->arena), r->arena);
        ash_warn(r->diags, r->c->at, "channel '%.*s' (%.*s): %.*s requires '%.*s', which nothing here provides", ASH_F(r->c->channel), ASH_F(r->c->arch), ASH_F(nevra), ASH_F(dep));
}

int ash_flow_closure(AshStore *store, const AshFlowClosure *c, size_t *ret_missing, AshDiags *diags) {
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
        Report report = { universe, c, arena, diags, 0 };
        ash_universe_closure(universe, missing, &report);
        if (report.n > ASH_CLOSURE_SHOWN)
                ash_hint(diags, "and %zu more", report.n - ASH_CLOSURE_SHOWN);
        *ret_missing = report.n;
        return 0;
}
