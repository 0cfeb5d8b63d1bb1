/* A plan: the specs of all components, what was built of them, and the graph of that. */
#include "flow-plan-private.h"

static const char *const states[ASH_PLAN_STATE_MAX_] = { "new", "changed", "built", "unknown" };
const char *ash_flow_plan_state_name(AshFlowPlanState state) { return states[state]; }

void ash_flow_plan_free(AshFlowPlan *p) {
        if (!p)
                return;
        ash_graph_free(p->graph);
        ash_flow_plan_facts_free(p->facts);
        ash_arena_free(p->arena);
        free(p);
}

/* ---- bases ---- */
/* Those that nothing is said of count as places where components' packages go: so do trees whose builds take from the distribution itself. */
static bool takes_built(const AshFlow *flow, const AshTexts *upstreams) {
        for (size_t i = 0; i < upstreams->n; i++) {
                const AshUpstream *u = ash_config_upstream(flow->config, upstreams->items[i].s);
                if (u && ash_slice_eqs(u->repo.type.s, "components"))
                        return true;
        }
        return upstreams->n == 0;
}

static bool only_built(const AshFlow *flow, const AshTexts *upstreams) {
        for (size_t i = 0; i < upstreams->n; i++) {
                const AshUpstream *u = ash_config_upstream(flow->config, upstreams->items[i].s);
                if (!u || !ash_slice_eqs(u->repo.type.s, "components"))
                        return false;
        }
        return true;
}

static void add_base(AshFlow *flow, AshFlowPlan *p, AshGraphBase *base, AshSlice stage, const AshBuildBase *said, const AshBuildBase *otherwise) {
        const AshTexts *packages = said->packages.items ? &said->packages : &otherwise->packages, *upstreams = said->upstreams.items ? &said->upstreams : &otherwise->upstreams;
        const AshTexts *first = said->upstreams.items || said->base_upstreams.items ? &said->base_upstreams : &otherwise->base_upstreams;
        base->stage = stage;
        base->built = takes_built(flow, upstreams);
        base->other = base->built && (first->n ? !takes_built(flow, first) : !only_built(flow, upstreams));
        base->packages.items = ash_arena_new_items(p->arena, AshDep, packages->n);
        for (size_t i = 0; i < packages->n; i++)
                if (ash_dep_parse(packages->items[i].s, &base->packages.items[base->packages.n]) >= 0)
                        base->packages.n++;
}

static void make_bases(AshFlow *flow, AshFlowPlan *p) {
        const AshBuildConfig *build = &ash_config_project(flow->config)->build;
        AshGraphBase *bases = ash_arena_new_items(p->arena, AshGraphBase, build->stages.n + 1);
        add_base(flow, p, &bases[0], ASH_S("default"), &build->base, &build->base);
        for (size_t i = 0; i < build->stages.n; i++)
                add_base(flow, p, &bases[i + 1], build->stages.items[i].name.s, &build->stages.items[i].base, &build->base);
        /* What stages break is told beside what would be without them: where the base comes from elsewhere anyway, nothing. */
        bool elsewhere = false;
        for (size_t i = 0; i <= build->stages.n; i++)
                elsewhere |= bases[i].other;
        for (size_t i = 0; i <= build->stages.n; i++)
                bases[i].other |= elsewhere && !bases[i].built;
        p->input.bases = bases;
        p->input.n_bases = build->stages.n + 1;
}

/* ---- components ---- */
/* Headers of built packages say more than a spec: what generators found. What the store has lost is left to the spec. */
static void open_built(AshFlow *flow, AshFlowPlan *p, AshSlice arch) {
        _free_ char *path = ash_flow_built_path(flow->config);
        struct AshFlowPlanFacts *f = p->facts;
        if (ash_flow_built_open(path, arch, &f->built, NULL) < 0)
                return;
        if (!f->built->items.n || ash_flow_built_load(f->built, flow->store, NULL) >= 0)
                return;
        ash_flow_built_free(f->built); /* once more, without the components of which something is lost */
        f->built = NULL;
        if (ash_flow_built_open(path, arch, &f->built, NULL) < 0)
                return;
        ash_flow_built_for_build(f->built, flow->store, ASH_S(""), NULL);
        if (ash_flow_built_load(f->built, flow->store, NULL) < 0) {
                ash_flow_built_free(f->built);
                f->built = NULL;
        }
}

/* Files count where something names them. */
static void know_files(AshFlowPlan *p) {
        AshFlowBuilt *built = p->facts->built;
        _map_ AshMap wanted = {};
        if (!built || !built->packages)
                return;
        for (size_t i = 0; i < p->input.n_bases; i++)
                ash_deps_paths(&p->input.bases[i].packages, &wanted);
        for (size_t i = 0; i < p->input.n_components; i++) {
                const AshGraphComponent *c = &p->input.components[i];
                ash_deps_paths(&c->needs, &wanted);
                for (size_t k = 0; k < c->n_packages; k++)
                        ash_deps_paths(&c->packages[k].deps[ASH_DEP_REQUIRES], &wanted);
        }
        for (size_t i = 0; i < built->items.n; i++)
                ash_deps_paths(&built->packages[i].deps[ASH_DEP_REQUIRES], &wanted);
        ash_flow_built_files(built, &wanted);
}

static void take_built(AshFlowPlan *p, size_t i, AshSlice arch) {
        struct AshFlowPlanFacts *f = p->facts;
        AshGraphComponent *c = (AshGraphComponent *) &p->input.components[i];
        const AshBuiltComponent *known = f->built ? ash_built_find(f->built->built, c->name, arch) : NULL;
        if (!known)
                return;
        AshSlice now = ash_slice_str(f->items[i].fingerprint);
        p->items[i].state = ash_slice_ends(now, known->fingerprint) && known->fingerprint.len ? ASH_PLAN_BUILT : ASH_PLAN_CHANGED;
        AshPackage *packages = ash_arena_new_items(p->arena, AshPackage, known->n_packages + c->n_packages);
        size_t n, first;
        ash_flow_built_items(f->built, known, &first, &n);
        if (n)
                memcpy(packages, &f->built->packages[first], n * sizeof *packages);
        size_t built = n;
        for (size_t k = 0; k < c->n_packages; k++) { /* what a changed spec has beside them */
                bool is_there = false;
                for (size_t j = 0; j < built; j++)
                        is_there |= ash_slice_eq(packages[j].name, c->packages[k].name);
                if (!is_there)
                        packages[n++] = c->packages[k];
        }
        c->packages = packages;
        c->n_packages = n;
        p->items[i].n_built = known->n_packages;
        p->n_from_builds++;
}

/* What a build asked for the last time is what it will probably ask for. */
static void take_asked(AshFlowPlan *p, size_t i, AshSlice arch, const AshSpecInfo *info, AshDeps *needs) {
        struct AshFlowPlanFacts *f = p->facts;
        const AshBuiltComponent *known = f->built ? ash_built_find(f->built->built, f->items[i].component->name.s, arch) : NULL;
        p->items[i].dynamic = info->dynamic;
        *needs = info->needs;
        if (!info->dynamic || !known || !known->asked)
                return;
        p->items[i].asked_known = true;
        needs->items = ash_arena_new_items(p->arena, AshDep, info->needs.n + known->n_asked);
        if (info->needs.n)
                memcpy(needs->items, info->needs.items, info->needs.n * sizeof *needs->items);
        for (size_t k = 0; k < known->n_asked; k++)
                if (known->asked[k].len && known->asked[k].ptr[0] != '!' && ash_dep_parse(known->asked[k], &needs->items[needs->n]) >= 0)
                        needs->n++;
}

static void make_components(AshFlow *flow, AshFlowPlan *p, AshSlice arch) {
        struct AshFlowPlanFacts *f = p->facts;
        AshGraphComponent *components = ash_arena_new_items(p->arena, AshGraphComponent, f->n);
        p->items = ash_arena_new_items(p->arena, AshFlowPlanItem, f->n);
        p->input.components = components;
        p->input.n_components = f->n;
        open_built(flow, p, arch);
        for (size_t i = 0; i < f->n; i++) {
                AshSpecInfo info = {};
                if (f->items[i].result >= 0)
                        ash_specinfo_read(f->items[i].text, p->arena, &info);
                components[i] = (AshGraphComponent){ .name = f->items[i].component->name.s, .base = ash_flow_plan_base_of(p, f->items[i].component), .packages = info.packages, .n_packages = info.n_packages };
                take_asked(p, i, arch, &info, &components[i].needs);
        }
        know_files(p);
        for (size_t i = 0; i < f->n; i++) {
                take_built(p, i, arch);
                if (f->items[i].result < 0)
                        p->items[i].state = ASH_PLAN_UNKNOWN;
                else
                        p->items[i].fingerprint = f->items[i].fingerprint;
                p->items[i].bumps = f->items[i].bumps;
                p->n_failed += f->items[i].result < 0;
                p->n_read += f->items[i].result >= 0 && f->items[i].fresh;
                p->n_cached += f->items[i].result >= 0 && !f->items[i].fresh;
        }
}

int ash_flow_plan_new(AshFlow *flow, const AshFlowPlanOptions *options, AshFlowPlan **ret) {
        _cleanup_(ash_flow_plan_free_p) AshFlowPlan *p = ash_calloc(1, sizeof *p);
        p->arena = ash_arena_new();
        make_bases(flow, p);
        int r = ash_flow_plan_collect(flow, options, p);
        if (r < 0)
                return r;
        make_components(flow, p, options->arch);
        ash_flow_plan_add_imports(p->facts, p);
        ash_flow_plan_add_base_imports(p->facts, p);
        ash_flow_plan_estimate(flow, p, options->arch);
        p->input.arch = ash_arena_slice(p->arena, options->arch).ptr;
        ash_progress_begin(flow->progress, "making the graph", 0, ASH_UNIT_ITEMS);
        p->graph = ash_graph_new(&p->input);
        ash_progress_end(flow->progress);
        *ret = ASH_TAKE(p);
        return 0;
}

int ash_flow_plan_find(const AshFlowPlan *p, AshFlow *flow, AshSlice name, uint32_t *ret) {
        for (size_t i = 0; i < p->input.n_components; i++)
                if (ash_slice_eq(p->input.components[i].name, name)) {
                        *ret = (uint32_t) i;
                        return 0;
                }
        const AshComponent *component = NULL; /* says it, and what is near */
        int r = ash_config_component(flow->config, name, &component, flow->diags);
        return r < 0 ? r : -ENOENT;
}
