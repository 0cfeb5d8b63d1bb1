/* What a plan takes from imported packages. */
#include "flow-package.h"
#include "flow-plan-private.h"

/* ---- what generators of rpm will find, as far as an imported package of the same name tells ---- */
/* Names of packages that were not built yet, one a line. */
static void names_of_new(const AshFlowPlan *p, AshStr *out) {
        for (size_t i = 0; i < p->input.n_components; i++)
                for (size_t k = 0; p->items[i].state == ASH_PLAN_NEW && k < p->input.components[i].n_packages; k++)
                        ash_str_appendf(out, "%.*s\n", ASH_F(p->input.components[i].packages[k].name));
}

/* "NAME DEP" for each thing that packages called so, or providing that, provide beside their names. */
static void ask_imports(AshUniverse *u, AshSlice names, AshStr *out) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshSlice name;
        while (ash_slice_next_line(&names, &name)) {
                AshPkgIds ids = {};
                ash_universe_what_provides(u, name, &ids);
                ash_array_foreach(&ids.ids, id) {
                        const AshPackage *p = ash_universe_package(u, *id, arena);
                        const AshDeps *deps = &p->deps[ASH_DEP_PROVIDES];
                        for (size_t i = 0; i < deps->n; i++) {
                                if (ash_slice_eq(deps->items[i].name, p->name) || ash_slice_eq(deps->items[i].name, name))
                                        continue;
                                ash_str_appendf(out, "%.*s ", ASH_F(name));
                                ash_dep_format(&deps->items[i], out);
                                ash_str_append_char(out, '\n');
                        }
                }
                ash_pkgids_done(&ids);
        }
}

/* From the store when these names were asked before of this state of the upstreams. */
static int read_imports(struct AshFlowPlanFacts *f, AshSlice names, AshBytes *cached, AshStr *fresh, AshSlice *ret) {
        AshId state;
        _cleanup_(ash_universe_free_p) AshUniverse *u = NULL;
        int r = ash_flow_builder_imports(f->builder, (AshText){}, &state, NULL);
        if (r < 0)
                return r;
        _str_ AshStr text = {};
        ash_str_appendf(&text, "imports %s ", ash_solv_version());
        ash_str_append(&text, ash_slice((const char *) state.sha256, sizeof state.sha256));
        ash_str_append(&text, names);
        AshId key = ash_id_of(ash_str_slice(&text));
        if (ash_store_cache_get(f->flow->store, "plan-imports", &key, cached) >= 0) {
                *ret = ash_bytes_slice(cached);
                return 0;
        }
        r = ash_flow_builder_imports(f->builder, (AshText){}, &state, &u);
        if (r < 0)
                return r;
        ask_imports(u, names, fresh);
        *ret = ash_str_slice(fresh);
        ash_store_cache_put(f->flow->store, "plan-imports", &key, *ret); /* only a cache: a failure costs time */
        return 0;
}

static void add_provides(AshFlowPlan *p, AshPackage *package, AshSlice lines) {
        AshDeps *deps = &package->deps[ASH_DEP_PROVIDES];
        size_t n = deps->n;
        AshSlice line, name;
        for (AshSlice rest = lines; ash_slice_next_line(&rest, &line) && ash_slice_next_word(&line, &name) && ash_slice_eq(name, package->name);)
                n++;
        AshDep *items = ash_arena_new_items(p->arena, AshDep, n + 1);
        if (deps->n)
                memcpy(items, deps->items, deps->n * sizeof *items);
        deps->items = items;
        for (AshSlice rest = lines; deps->n < n && ash_slice_next_line(&rest, &line) && ash_slice_next_word(&line, &name);)
                if (ash_dep_parse(ash_slice_trim(line), &deps->items[deps->n]) >= 0)
                        deps->n++;
                else
                        n--;
}

/* A counterpart is no promise: it only makes edges that will be there once the component was built. */
void ash_flow_plan_add_imports(struct AshFlowPlanFacts *f, AshFlowPlan *p) {
        _str_ AshStr names = {}, fresh = {};
        _bytes_ AshBytes cached = {};
        AshSlice all = ASH_NOSLICE, line;
        if (!f->builder)
                return;
        names_of_new(p, &names);
        if (!names.len || read_imports(f, ash_str_slice(&names), &cached, &fresh, &all) < 0)
                return;
        all = ash_arena_slice(p->arena, all);
        AshMap starts __attribute__((__cleanup__(ash_map_done))) = {}; /* of each name's lines */
        for (AshSlice rest = all, before = all, name; ash_slice_next_line(&rest, &line); before = rest)
                if (ash_slice_next_word(&line, &name) && !ash_map_find(&starts, name)) {
                        AshSlice *start = ash_arena_new_item(p->arena, AshSlice);
                        *start = before;
                        ash_map_put(&starts, name, start, NULL);
                }
        for (size_t i = 0; i < p->input.n_components; i++)
                for (size_t k = 0; p->items[i].state == ASH_PLAN_NEW && k < p->input.components[i].n_packages; k++) {
                        AshPackage *package = (AshPackage *) &p->input.components[i].packages[k];
                        const AshSlice *start = ash_map_get(&starts, package->name);
                        if (start)
                                add_provides(p, package, *start);
                }
}

/* ---- what every buildroot has from elsewhere ---- */
/* What others may require of it: what it provides, and paths of programs and of /etc. */
static void tell_package(const AshPackage *p, AshStr *out) {
        ash_str_appendf(out, "P %.*s %u %.*s %.*s %.*s\n", ASH_F(p->name), p->epoch, ASH_F(p->version), ASH_F(p->release), ASH_F(p->arch));
        for (size_t i = 0; i < p->deps[ASH_DEP_PROVIDES].n; i++) {
                ash_str_append_str(out, "p ");
                ash_dep_format(&p->deps[ASH_DEP_PROVIDES].items[i], out);
                ash_str_append_char(out, '\n');
        }
        for (size_t i = 0; i < p->n_files; i++)
                if (ash_path_may_be_required(p->files[i]))
                        ash_str_appendf(out, "f %.*s\n", ASH_F(p->files[i]));
}

static int tell_root(AshFlow *flow, const AshFlowRoot *root, AshStr *out) {
        int r = 0;
        for (size_t i = 0; r >= 0 && i < root->n_packages; i++) {
                _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
                _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
                _bytes_ AshBytes bytes = {};
                AshPackage p;
                AshId id;
                r = ash_id_parse(root->packages[i].sha256, &id);
                if (r >= 0)
                        r = ash_store_map_blob(flow->store, &id, false, &bytes, NULL);
                if (r >= 0)
                        r = ash_rpm_parse(ash_bytes_slice(&bytes), "rpm", &rpm, NULL);
                if (r >= 0)
                        r = ash_flow_package_of_rpm(rpm, arena, &p, NULL);
                if (r >= 0)
                        tell_package(&p, out);
        }
        return r;
}

static int imports_of(struct AshFlowPlanFacts *f, AshText stage, AshFlowPlan *p, AshGraphBase *base) {
        _cleanup_(ash_flow_root_free_p) AshFlowRoot *root = NULL;
        _bytes_ AshBytes cached = {};
        _str_ AshStr fresh = {};
        AshSpecInfo info;
        int r = ash_flow_builder_imported(f->builder, stage, &root);
        if (r < 0 || !root)
                return r;
        _free_ char *name = ash_asprintf("imported 1 %s", root->key);
        AshId key = ash_id_of(ash_slice_str(name));
        bool known = ash_store_cache_get(f->flow->store, "plan-base", &key, &cached) >= 0;
        r = known ? 0 : tell_root(f->flow, root, &fresh);
        if (r < 0)
                return r;
        if (!known)
                ash_store_cache_put(f->flow->store, "plan-base", &key, ash_str_slice(&fresh)); /* only a cache: a failure costs time */
        ash_specinfo_read(ash_arena_slice(p->arena, known ? ash_bytes_slice(&cached) : ash_str_slice(&fresh)), p->arena, &info);
        base->imports = info.packages;
        base->n_imports = info.n_packages;
        base->other = false; /* now it is known */
        return 0;
}

/* Not to know them makes the plan less exact, no more. */
void ash_flow_plan_add_base_imports(struct AshFlowPlanFacts *f, AshFlowPlan *p) {
        if (f->builder)
                ash_flow_builder_flow(f->builder)->diags = NULL;
        for (size_t i = 0; f->builder && i < p->input.n_bases; i++) {
                AshGraphBase *base = (AshGraphBase *) &p->input.bases[i];
                if (base->built)
                        (void) imports_of(f, i ? (AshText){ .s = base->stage } : (AshText){}, p, base);
        }
        if (f->builder)
                ash_flow_builder_flow(f->builder)->diags = f->flow->diags;
}
