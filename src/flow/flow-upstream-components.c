/* What the project's own components gave. */
#include "flow-built.h"
#include "flow-upstream-private.h"

static void done_built(AshFlowUpstream *u) { ash_flow_built_free(u->built); }

static int open_built(AshFlowUpstream *u, const AshLockUpstream *pinned _unused_) { /* there is one state only: what is built now */
        _free_ char *path = ash_flow_built_path(u->flow->config);
        int r = ash_flow_built_open(path, u->arch, &u->built, u->flow->diags);
        if (r >= 0 && u->flow->for_build)
                ash_flow_built_for_build(u->built, u->flow->store, u->flow->building, u->flow->diags);
        return r;
}

static const AshId *state_built(const AshFlowUpstream *u) { return &u->built->state; }

static int add_built(AshFlowUpstream *u, const char *label, AshUniverse *universe) {
        int r = ash_flow_built_load(u->built, u->flow->store, u->flow->diags);
        ash_universe_add_repo(universe, label, ash_flow_upstream_priority(u));
        if (r >= 0)
                ash_flow_built_files(u->built, NULL);
        for (size_t i = 0; r >= 0 && i < u->built->items.n; i++)
                ash_universe_add_package(universe, &u->built->packages[i]);
        return r;
}

static int own_built(AshFlowUpstream *u, const AshMap *paths, AshIndexOwn *ret) { return ash_flow_built_own(u->built, u->flow->store, paths, &ret->own, u->flow->diags); }

static bool has_built(AshFlowUpstream *u, const AshPackage *package) { return ash_flow_built_at(u->built, package->location) != NULL; }

static int realize_built(AshFlowUpstream *u, const AshPackage *const *packages, size_t n, AshArena *arena, AshLockPackage *ret) {
        for (size_t i = 0; i < n; i++) {
                const AshFlowBuiltPackage *item = ash_flow_built_at(u->built, packages[i]->location);
                AshId id;
                if (!item || ash_id_parse(item->built->sha256, &id) < 0 || !ash_store_has_blob(u->flow->store, &id))
                        return ash_flow_built_gone(item ? item->component->name : ash_flow_built_component(packages[i]->location), ash_package_nevra(packages[i], arena), u->flow->diags);
                ret[i] = (AshLockPackage){ .nevra = ash_arena_slice(arena, item->built->nevra), .upstream = u->name, .origin = ash_flow_built_origin(item->component, arena), .sha256 = ash_arena_slice(arena, item->built->sha256),
                                           .size = item->built->size };
        }
        return 0;
}

static void lock_built(const AshFlowUpstream *u, AshArena *arena, AshLockUpstream *ret) {
        char hex[ASH_ID_HEX];
        ash_id_hex(&u->built->state, hex);
        ret->snapshot = ash_arena_slice(arena, ash_slice_str(hex));
}

static int count_built(AshFlowUpstream *u, size_t *ret) {
        *ret = u->built->items.n;
        return ash_flow_built_load(u->built, u->flow->store, u->flow->diags);
}

static void package_built(AshFlowUpstream *u, size_t i, AshArena *arena _unused_, AshPackage *ret) { *ret = u->built->packages[i]; }

/* Nobody but a build has them. */
static int rescue_built(AshFlowUpstream *u, const AshLockPackage *const *packages, size_t n) {
        int r = 0;
        for (size_t i = 0; i < n; i++) {
                AshId id;
                if (ash_id_parse(packages[i]->sha256, &id) >= 0 && !ash_store_has_blob(u->flow->store, &id))
                        r = ash_flow_built_gone(ash_flow_built_component(packages[i]->origin), packages[i]->nevra, u->flow->diags);
        }
        return r;
}

static int prove_built(AshFlowUpstream *u, const AshLockPackage *locked, AshDiags *diags) {
        size_t n;
        const AshBuiltComponent *c = ash_built_arches(u->built->built, ash_flow_built_component(locked->origin), &n);
        for (; n > 0; c++, n--)
                for (size_t i = 0; i < c->n_packages; i++)
                        if (ash_slice_eq(c->packages[i].nevra, locked->nevra)) {
                                int r = ash_flow_prove_text(u, locked, "SHA-256", c->packages[i].sha256, locked->sha256, diags);
                                return r < 0 ? r : ASH_PROOF_GOOD;
                        }
        return ASH_PROOF_NONE;
}

/* What the project builds itself stands before what it takes from others, unless it says otherwise. */
const AshFlowUpstreamOps ash_flow_upstream_components = {
        .type = "components", .rank = 49, .open = open_built, .done = done_built, .state = state_built, .add = add_built, .has = has_built, .realize = realize_built, .lock = lock_built, .rescue = rescue_built,
        .prove = prove_built, .count = count_built, .package = package_built, .own = own_built,
};
