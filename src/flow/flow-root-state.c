/* All that a component's buildroot follows from, told without making it; and what could be in it. */
#include "flow-root-private.h"

static void tell_texts(AshStr *out, const AshTexts *texts) {
        for (size_t i = 0; i < texts->n; i++)
                ash_str_appendf(out, "%zu:%.*s ", texts->items[i].s.len, ASH_F(texts->items[i].s));
        ash_str_append_char(out, '\n');
}

static void tell_slices(AshStr *out, const AshSlice *items, size_t n) {
        for (size_t i = 0; i < n; i++)
                ash_str_appendf(out, "%.*s ", ASH_F(items[i]));
        ash_str_append_char(out, '\n');
}

static void tell_pinned(AshFlowBuilder *b, const AshUpstream *part, AshStr *out) {
        for (size_t i = 0; i < b->lock->n_upstreams; i++) {
                const AshLockUpstream *u = &b->lock->upstreams[i];
                if (!ash_slice_eq(u->name, part->repo.name.s) || !ash_slice_eq(u->arch, b->arch))
                        continue;
                ash_str_appendf(out, "pinned %.*s %.*s %.*s %.*s\n", ASH_F(u->type), ASH_F(u->snapshot), ASH_F(u->key), ASH_F(u->importer));
                tell_slices(out, u->indices, u->n_indices);
                tell_slices(out, u->contents, u->n_contents);
        }
}

static int tell_part(AshFlowBuilder *b, const AshUpstream *part, Told *told, AshStr *out) {
        char importer[65];
        AshSlice type = part->repo.type.s;
        ash_str_appendf(out, "upstream %.*s %.*s %lld\n", ASH_F(part->repo.name.s), ASH_F(type), part->repo.priority.set ? (long long) part->repo.priority.value : -1LL);
        if (ash_slice_eqs(type, "components")) {
                told->has_built = true;
                return 0;
        }
        if (!ash_slice_eqs(type, "apt") && !ash_slice_eqs(type, "rpm-md"))
                return -ENOTSUP;
        tell_pinned(b, part, out);
        int r = ash_flow_importer_id(&b->flow, part, importer);
        ash_str_appendf(out, "importer %s\n", importer);
        return r;
}

static int tell_stage(AshFlowBuilder *b, AshText stage, Told *told) {
        AshFlowBase base;
        _str_ AshStr text = {};
        size_t n;
        int r = ash_flow_build_base(&b->flow, stage, b->arena, &base);
        if (r < 0)
                return r;
        const AshUpstream **parts = ash_flow_root_parts(b, &base, &n);
        AshBuildRootInput nothing = ash_flow_root_input(b, NULL, NULL, 0);
        AshId engine = ash_build_root_key(&nothing);
        ash_str_appendf(&text, "roots %d %d %s %s %.*s %.*s ", ASH_BUILD_ENGINE, ASH_FLOW_ASKING, ASHLAR_VERSION, ash_solv_version(), ASH_F(b->arch), ASH_F(base.stage));
        ash_str_append(&text, ash_slice((const char *) engine.sha256, sizeof engine.sha256));
        tell_texts(&text, base.packages);
        tell_texts(&text, &base.upstreams);
        tell_texts(&text, &base.repos);
        tell_texts(&text, &base.base_upstreams);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = tell_part(b, parts[i], told, &text);
        told->id = ash_id_of(ash_str_slice(&text));
        return r;
}

static const Told *told_of(AshFlowBuilder *b, AshText stage) {
        ash_array_foreach(&b->told, t)
                if (ash_slice_eq(t->stage, stage.s))
                        return t;
        Told told = { .stage = ash_arena_slice(b->arena, stage.s) };
        told.result = tell_stage(b, stage, &told);
        ash_array_push(&b->told, told);
        return ash_array_last(&b->told);
}

int ash_flow_builder_state(AshFlowBuilder *b, AshText stage, AshSlice component, const AshFlowBuiltState *built, AshId *ret) {
        const Told *told = told_of(b, stage);
        AshId both[2] = { told->id };
        if (told->result < 0)
                return told->result;
        if (told->has_built)
                both[1] = ash_flow_built_state_without(built, component);
        *ret = ash_id_of(ash_slice((const char *) both, sizeof both));
        return 0;
}

/* ---- what a stage could take that was not built here ---- */
int ash_flow_builder_imports(AshFlowBuilder *b, AshText stage, AshId *ret_state, AshUniverse **ret) {
        Stage *s;
        _str_ AshStr text = {};
        _cleanup_(ash_universe_free_p) AshUniverse *u = NULL;
        int r = ash_flow_root_open_stage(b, stage, &s);
        if (r >= 0 && ret) {
                _free_ char *arch = ash_slice_dup(b->arch);
                u = ash_universe_new(arch);
        }
        for (size_t i = 0; r >= 0 && i < s->sources.n; i++) {
                AshFlowUpstream *source = s->sources.items[i].upstream;
                const AshUpstream *said = ash_config_upstream(b->flow.config, ash_flow_upstream_name(source));
                if (said && ash_slice_eqs(said->repo.type.s, "components"))
                        continue;
                AshId state = ash_flow_upstream_solver_key(source);
                ash_str_append(&text, ash_slice((const char *) state.sha256, sizeof state.sha256));
                if (u)
                        r = ash_flow_upstream_add(source, s->sources.items[i].label, u);
        }
        if (r < 0)
                return r;
        *ret_state = ash_id_of(ash_str_slice(&text));
        if (ret)
                *ret = ASH_TAKE(u);
        return 0;
}

/* ---- what of what was built here matters ---- */
AshSlice *ash_flow_builder_asked(const AshFlowBuilder *b, AshArena *arena, size_t *ret_n) {
        AshSlice *texts = ash_arena_new_items(arena, AshSlice, b->asked.live + 1);
        *ret_n = 0;
        ash_map_foreach(&b->asked, e)
                texts[(*ret_n)++] = ash_arena_slice(arena, e->key);
        return texts;
}

int ash_flow_builder_stage_state(AshFlowBuilder *b, AshText stage, AshId *ret, bool *ret_has_built) {
        const Told *told = told_of(b, stage);
        *ret = told->id;
        *ret_has_built = told->has_built;
        return told->result;
}

int ash_flow_builder_reach(AshFlowBuilder *b, AshText stage_name, AshSlice without, const AshSlice *texts, size_t n, AshId *ret) {
        Stage *stage = NULL;
        int r = ash_flow_root_open_stage(b, stage_name, &stage);
        if (r >= 0 && !stage->choice)
                r = ash_flow_choice_new(&b->flow, b->arch, ash_flow_root_labelled(stage, b->arena), stage->sources.n, NULL, 0, &stage->choice);
        return r < 0 ? r : ash_flow_choice_reach(stage->choice, without, texts, n, ret);
}
