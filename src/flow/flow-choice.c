#include "flow-built.h"
#include "flow-choice.h"

struct AshFlowChoice {
        AshFlow *flow;
        char *arch;
        ASH_ARRAY(AshFlowLabelled) sources;
        AshBytes bytes;              /* what the index is mapped from */
        AshIndex *index;
        AshMap paths;                /* that it speaks of */
        AshUniverse *part, *whole;   /* either is there when it was needed */
        AshReach *reach;             /* likewise */
};

void ash_flow_choice_free(AshFlowChoice *c) {
        if (!c)
                return;
        ash_universe_free(c->part);
        ash_universe_free(c->whole);
        ash_reach_free(c->reach);
        ash_map_done(&c->paths);
        ash_index_free(c->index);
        ash_bytes_done(&c->bytes);
        ash_array_done(&c->sources);
        free(c->arch);
        free(c);
}

/* Everything that the index depends on: states, in their order, with labels and priorities. What was built here is beside it: it changes with each build. */
static AshId index_key(const AshFlowChoice *c) {
        _str_ AshStr text = {};
        ash_str_appendf(&text, "universe %s %s", c->arch, ash_solv_version());
        ash_array_foreach(&c->sources, s) {
                if (ash_flow_upstream_built(s->upstream, NULL, NULL))
                        continue;
                AshId state = ash_flow_upstream_solver_key(s->upstream);
                ash_str_appendf(&text, "\n%s\n%d ", s->label, ash_flow_upstream_priority(s->upstream));
                ash_str_append(&text, ash_slice((const char *) state.sha256, sizeof state.sha256));
        }
        return ash_id_of(ash_str_slice(&text));
}

static bool has_built(const AshFlowChoice *c) {
        ash_array_foreach(&c->sources, s)
                if (ash_flow_upstream_built(s->upstream, NULL, NULL))
                        return true;
        return false;
}

static int need_whole(AshFlowChoice *c) {
        if (c->whole)
                return 0;
        _cleanup_(ash_universe_free_p) AshUniverse *whole = ash_universe_new(c->arch);
        ash_array_foreach(&c->sources, s) {
                int r = ash_flow_upstream_add(s->upstream, s->label, whole);
                if (r < 0)
                        return r;
        }
        c->whole = ASH_TAKE(whole);
        return 0;
}

static int make_index(AshFlowChoice *c, const AshId *key) {
        _cleanup_(ash_universe_free_p) AshUniverse *indexed = ash_universe_new(c->arch);
        _str_ AshStr out = {};
        int r = 0;
        ash_array_foreach(&c->sources, s)
                if (r >= 0 && !ash_flow_upstream_built(s->upstream, NULL, NULL))
                        r = ash_flow_upstream_add(s->upstream, s->label, indexed);
        if (r >= 0 && ash_universe_write_index(indexed, &out) >= 0)
                ash_store_cache_put(c->flow->store, "universe", key, ash_str_slice(&out)); /* only a cache: a failure costs time */
        if (r >= 0 && !has_built(c))
                c->whole = ASH_TAKE(indexed);
        return r;
}

/* The one source beside the index; own->name is NULL where there is none. -ENOTSUP: of two only the whole knows. */
static int find_own(AshFlowChoice *c, AshIndexOwn *own) {
        *own = (AshIndexOwn){};
        ash_array_foreach(&c->sources, s) {
                if (!ash_flow_upstream_built(s->upstream, NULL, NULL))
                        continue;
                if (own->name)
                        return -ENOTSUP;
                int r = ash_flow_upstream_built(s->upstream, &c->paths, own);
                if (r < 0)
                        return r;
                own->name = s->label;
                own->priority = ash_flow_upstream_priority(s->upstream);
        }
        return 0;
}

/* What it cannot answer is asked of the whole. */
static int make_part(AshFlowChoice *c, const AshRequest *requests, size_t n) {
        AshIndexOwn own;
        int r = find_own(c, &own);
        if (r >= 0)
                (void) ash_index_part(c->index, c->arch, requests, n, own.name ? &own : NULL, &c->part);
        return r == -ENOTSUP ? 0 : r;
}

static int open_index(AshFlowChoice *c, const AshId *key) {
        ash_bytes_done(&c->bytes);
        int r = ash_store_cache_get(c->flow->store, "universe", key, &c->bytes);
        if (r >= 0)
                r = ash_index_open(ash_bytes_slice(&c->bytes), &c->index);
        if (r >= 0)
                ash_index_paths(c->index, &c->paths);
        return r;
}

int ash_flow_choice_new(AshFlow *flow, AshSlice arch, const AshFlowLabelled *sources, size_t n, const AshRequest *requests, size_t n_requests, AshFlowChoice **ret) {
        _cleanup_(ash_flow_choice_free_p) AshFlowChoice *c = ash_calloc(1, sizeof *c);
        int r = 0;
        c->flow = flow;
        c->arch = ash_slice_dup(arch);
        for (size_t i = 0; i < n; i++)
                ash_array_push(&c->sources, sources[i]);
        AshId key = index_key(c);
        if (open_index(c, &key) < 0) {
                r = make_index(c, &key);
                if (r >= 0)
                        (void) open_index(c, &key); /* without it all is asked of the whole */
        }
        if (r >= 0 && c->index)
                r = make_part(c, requests, n_requests);
        if (r >= 0)
                *ret = ASH_TAKE(c);
        return r;
}

int ash_flow_choice_again(AshFlowChoice *c, const AshRequest *requests, size_t n) {
        ash_universe_free(ASH_TAKE(c->part));
        return c->index ? make_part(c, requests, n) : 0;
}

static int built_has(AshFlowChoice *c, AshSlice name, bool *ret) {
        ash_array_foreach(&c->sources, s) {
                AshIndexOwn own = {};
                int r = ash_flow_upstream_built(s->upstream, &c->paths, &own);
                if (r < 0)
                        return r;
                *ret |= r > 0 && ash_own_provides(own.own, name);
        }
        return 0;
}

int ash_flow_choice_has(AshFlowChoice *c, AshSlice name, bool *ret) {
        AshPkgIds ids = {};
        *ret = c->index && ash_index_provides(c->index, name);
        if (*ret)
                return 0;
        if (c->index)
                return built_has(c, name, ret);
        int r = need_whole(c);
        if (r >= 0)
                r = ash_universe_what_provides(c->whole, name, &ids);
        *ret = ids.ids.n > 0;
        ash_pkgids_done(&ids);
        return r;
}

/* What is asked for by the name of a component that was not built yet. */
static void hint_components(AshFlowChoice *c, const AshRequest *requests, size_t n) {
        for (size_t i = 0; i < n; i++) {
                bool there = true;
                if (requests[i].job == ASH_REQUEST_INSTALL && ash_config_find_component(c->flow->config, requests[i].what) && ash_flow_choice_has(c, requests[i].what, &there) >= 0 && !there)
                        ash_hint(c->flow->diags, "'%.*s' is a component of this project that was not built yet: ashlar component build %.*s", ASH_F(requests[i].what), ASH_F(requests[i].what));
        }
}

int ash_flow_choice_solve(AshFlowChoice *c, const AshRequest *requests, size_t n, const AshSolveOptions *options, AshPkgSet **ret) {
        if (c->part && ash_solve(c->part, requests, n, options, ret, NULL) >= 0)
                return 0;
        int r = need_whole(c);
        if (r >= 0)
                r = ash_solve(c->whole, requests, n, options, ret, c->flow->diags);
        if (r == -ASH_ERR_UNSOLVABLE)
                hint_components(c, requests, n);
        return r;
}

/* ---- what can matter ---- */
static bool is_of(const AshPackage *p, AshSlice component) { return ash_slice_eq(ash_path_dir(ash_path_dir(p->location)), component); }

/* As if nothing of the component had been built. */
static int reach_without(AshFlowChoice *c, const AshOwn *own, AshSlice without, const AshSlice *texts, size_t n, AshId *ret) {
        size_t n_all, kept = 0;
        const AshPackage *all = ash_own_packages(own, &n_all);
        _free_ AshPackage *others = ash_calloc(n_all + 1, sizeof *others);
        for (size_t i = 0; i < n_all; i++)
                if (!is_of(&all[i], without))
                        others[kept++] = all[i];
        _cleanup_(ash_own_free_p) AshOwn *less = ash_own_new(others, kept);
        _cleanup_(ash_reach_free_p) AshReach *reach = ash_reach_new(c->index, less);
        return ash_reach_digest(reach, texts, n, ret->sha256);
}

int ash_flow_choice_reach(AshFlowChoice *c, AshSlice without, const AshSlice *texts, size_t n, AshId *ret) {
        AshIndexOwn own = {};
        int r = c->index ? find_own(c, &own) : -ENODATA;
        if (r >= 0 && !own.name)
                r = -ENODATA;
        if (r < 0)
                return r;
        if (without.len)
                return reach_without(c, own.own, without, texts, n, ret);
        if (!c->reach)
                c->reach = ash_reach_new(c->index, own.own);
        return ash_reach_digest(c->reach, texts, n, ret->sha256);
}
