#include "flow-choice.h"

struct AshFlowChoice {
        AshFlow *flow;
        char *arch;
        ASH_ARRAY(AshFlowLabelled) sources;
        AshBytes bytes;              /* what the index is mapped from */
        AshIndex *index;
        AshUniverse *part, *whole;   /* either is there when it was needed */
};

void ash_flow_choice_free(AshFlowChoice *c) {
        if (!c)
                return;
        ash_universe_free(c->part);
        ash_universe_free(c->whole);
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
                if (ash_flow_upstream_built(s->upstream, NULL))
                        continue;
                AshId state = ash_flow_upstream_solver_key(s->upstream);
                ash_str_appendf(&text, "\n%s\n%d ", s->label, ash_flow_upstream_priority(s->upstream));
                ash_str_append(&text, ash_slice((const char *) state.sha256, sizeof state.sha256));
        }
        return ash_id_of(ash_str_slice(&text));
}

static bool has_built(const AshFlowChoice *c) {
        ash_array_foreach(&c->sources, s)
                if (ash_flow_upstream_built(s->upstream, NULL))
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
                if (r >= 0 && !ash_flow_upstream_built(s->upstream, NULL))
                        r = ash_flow_upstream_add(s->upstream, s->label, indexed);
        if (r >= 0 && ash_universe_write_index(indexed, &out) >= 0)
                ash_store_cache_put(c->flow->store, "universe", key, ash_str_slice(&out)); /* only a cache: a failure costs time */
        if (r >= 0 && !has_built(c))
                c->whole = ASH_TAKE(indexed);
        return r;
}

/* What it cannot answer is asked of the whole. */
static int make_part(AshFlowChoice *c, const AshRequest *requests, size_t n) {
        AshIndexOwn own = {};
        ash_array_foreach(&c->sources, s) {
                if (!ash_flow_upstream_built(s->upstream, NULL))
                        continue;
                if (own.name) /* of two only the whole knows */
                        return 0;
                int r = ash_flow_upstream_built(s->upstream, &own);
                if (r < 0)
                        return r;
                own.name = s->label;
                own.priority = ash_flow_upstream_priority(s->upstream);
        }
        (void) ash_index_part(c->index, c->arch, requests, n, own.name ? &own : NULL, &c->part);
        return 0;
}

int ash_flow_choice_new(AshFlow *flow, AshSlice arch, const AshFlowLabelled *sources, size_t n, const AshRequest *requests, size_t n_requests, AshFlowChoice **ret) {
        _cleanup_(ash_flow_choice_free_p) AshFlowChoice *c = ash_calloc(1, sizeof *c);
        int r = 0;
        c->flow = flow;
        c->arch = ash_slice_dup(arch);
        for (size_t i = 0; i < n; i++)
                ash_array_push(&c->sources, sources[i]);
        AshId key = index_key(c);
        if (ash_store_cache_get(flow->store, "universe", &key, &c->bytes) < 0 || ash_index_open(ash_bytes_slice(&c->bytes), &c->index) < 0)
                r = make_index(c, &key);
        else
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
                int r = ash_flow_upstream_built(s->upstream, &own);
                if (r < 0)
                        return r;
                for (size_t i = 0; r && !*ret && i < own.n; i++)
                        *ret = ash_package_provides(&own.packages[i], name);
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
