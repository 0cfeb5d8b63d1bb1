/* Whether nothing has changed that a build follows from, told without solving anything: where nothing at all has changed, and where nothing has that can matter. */
#include <stdio.h>
#include "flow-build-private.h"
#include "flow-built.h"

#define CACHE_KNOWN "build-known"    /* all that a build follows from, before anything is solved -> its key, and how many packages its root had */
#define CACHE_REACH "build-reach"    /* all that but for what was built here -> the same, and the digest of what of that can matter; then, a line each, the texts that it is the digest for */

struct AshFlowBuildReach {
        AshText stage;
        AshId key, reach;            /* reach: without what it gave itself */
        AshSlice *texts;
        size_t n_texts;
};

/* ---- nothing has changed ---- */
static bool tell_known(Job *j, const AshFlowBuiltState *built, AshId *ret) {
        AshId state;
        _str_ AshStr text = {};
        if (ash_flow_builder_state(j->b, j->config->build_stage, j->component, built, &state) < 0)
                return false;
        ash_str_appendf(&text, "%s %s %s ", CACHE_KNOWN, j->inputs, j->options_key);
        ash_str_append(&text, ash_slice((const char *) state.sha256, sizeof state.sha256));
        *ret = ash_id_of(ash_str_slice(&text));
        return true;
}

/* "KEY COUNT ..." */
static bool take_note(AshSlice *line, const AshBuiltComponent *c, uint64_t *ret_n) {
        AshSlice key, count;
        return ash_slice_next_word(line, &key) && ash_slice_next_word(line, &count) && ash_slice_to_u64(count, 10, ret_n) >= 0 && ash_slice_eq(key, c->key);
}

static bool is_known(Job *j, const AshBuiltComponent *c, uint64_t *ret_n) {
        _bytes_ AshBytes bytes = {};
        j->has_known = tell_known(j, &j->built_state, &j->known);
        if (!j->has_known || j->o->force || !c || ash_store_cache_get(j->flow->store, CACHE_KNOWN, &j->known, &bytes) < 0)
                return false;
        AshSlice line = ash_slice_trim(ash_bytes_slice(&bytes));
        return take_note(&line, c, ret_n) && ash_flow_job_is_whole(j, c);
}

/* ---- nothing has that can matter ---- */
static bool tell_reach_key(const Job *j, AshId *ret) {
        AshId state;
        bool has_built;
        _str_ AshStr text = {};
        if (ash_flow_builder_stage_state(j->b, j->config->build_stage, &state, &has_built) < 0 || !has_built)
                return false;
        ash_str_appendf(&text, "%s %s %s ", CACHE_REACH, j->inputs, j->options_key);
        ash_str_append(&text, ash_slice((const char *) state.sha256, sizeof state.sha256));
        *ret = ash_id_of(ash_str_slice(&text));
        return true;
}

static bool is_reached(Job *j, const AshBuiltComponent *c, uint64_t *ret_n) {
        _bytes_ AshBytes bytes = {};
        AshId key, then, now;
        AshSlice rest, line, hex;
        if (j->o->force || !c || !tell_reach_key(j, &key) || ash_store_cache_get(j->flow->store, CACHE_REACH, &key, &bytes) < 0)
                return false;
        rest = ash_bytes_slice(&bytes);
        if (!ash_slice_next_line(&rest, &line) || !take_note(&line, c, ret_n) || !ash_slice_next_word(&line, &hex) || ash_id_parse(hex, &then) < 0 || !ash_flow_job_is_whole(j, c))
                return false;
        ASH_ARRAY(AshSlice) texts = {};
        while (ash_slice_next_line(&rest, &line))
                ash_array_push(&texts, line);
        bool same = ash_flow_builder_reach(j->b, j->config->build_stage, ASH_NOSLICE, texts.items, texts.n, &now) >= 0 && ash_id_eq(&now, &then);
        ash_array_done(&texts);
        return same;
}

static void put_reach(AshFlowBuilder *b, AshText stage, const AshId *key, const char *build, size_t n_root, const AshSlice *texts, size_t n) {
        AshId reach;
        char hex[ASH_ID_HEX];
        _str_ AshStr text = {};
        if (ash_flow_builder_reach(b, stage, ASH_NOSLICE, texts, n, &reach) < 0)
                return;
        ash_id_hex(&reach, hex);
        ash_str_appendf(&text, "%s %zu %s\n", build, n_root, hex);
        for (size_t i = 0; i < n; i++)
                ash_str_appendf(&text, "%.*s\n", ASH_F(texts[i]));
        (void) ash_store_cache_put(ash_flow_builder_flow(b)->store, CACHE_REACH, key, ash_str_slice(&text)); /* only a loss of time */
}

void ash_flow_job_tell_reach(Job *j) {
        AshArena *a = j->result->arena;
        struct AshFlowBuildReach reach = { .stage = j->config->build_stage };
        if (j->o->aside || !tell_reach_key(j, &reach.key))
                return;
        reach.texts = ash_flow_builder_asked(j->b, a, &reach.n_texts);
        if (ash_flow_builder_reach(j->b, reach.stage, j->component, reach.texts, reach.n_texts, &reach.reach) < 0)
                return;
        j->result->reach = ash_arena_new_item(a, struct AshFlowBuildReach);
        *j->result->reach = reach;
}

/* Not when another build ended meanwhile that gave what can matter: its packages may have been in the root, or not. */
static void note(AshFlowBuilder *b, const AshFlowBuild *build) {
        const struct AshFlowBuildReach *then = build->reach;
        AshId now;
        if (ash_flow_builder_reach(b, then->stage, build->built.name, then->texts, then->n_texts, &now) < 0 || !ash_id_eq(&now, &then->reach))
                return;
        _free_ char *key = ash_slice_dup(build->built.key);
        put_reach(b, then->stage, &then->key, key, build->root_packages, then->texts, then->n_texts);
}

void ash_flow_build_note(AshFlowBuilder *b, const AshFlowBuild *build) {
        AshFlow *flow = ash_flow_builder_flow(b);
        AshDiags *diags = flow->diags;
        if (!build->reach)
                return;
        flow->diags = NULL;
        ash_flow_builder_for(b, ASH_S(""));
        note(b, build);
        flow->diags = diags;
}

/* ---- both ---- */
static const AshBuiltComponent *find_known(Job *j, uint64_t *ret_n) {
        const AshBuiltComponent *c = ash_built_find(j->built_state.built, j->component, j->arch);
        if (j->o->aside || j->o->only_requires)
                return NULL;
        return is_known(j, c, ret_n) || is_reached(j, c, ret_n) ? c : NULL;
}

bool ash_flow_job_recall_known(Job *j) {
        uint64_t n;
        const AshBuiltComponent *c = find_known(j, &n);
        if (!c)
                return false;
        j->result->built = ash_flow_job_copy_built(j, c);
        j->result->log_path = ash_flow_job_blob(j, c->log);
        j->result->root_packages = (size_t) n;
        j->result->cached = true;
        return true;
}

/* With what can be told without rendering. */
static Job quick_job(AshFlowBuilder *b, const AshComponent *component, const char *fingerprint, uint64_t bumps, const AshFlowBuildOptions *o, const AshFlowBuiltState *built) {
        Job j = { .b = b, .flow = ash_flow_builder_flow(b), .o = o, .config = component->merged, .component = component->name.s, .arch = ash_flow_builder_arch(b), .built_state = *built };
        snprintf(j.inputs, sizeof j.inputs, "%s+%llu", fingerprint, (unsigned long long) bumps);
        ash_flow_job_collect_options(&j);
        return j;
}

const AshBuiltComponent *ash_flow_build_known(AshFlowBuilder *b, const AshComponent *component, const char *fingerprint, uint64_t bumps, const AshFlowBuildOptions *o, const AshFlowBuiltState *built) {
        uint64_t n;
        if (!component->merged || !fingerprint)
                return NULL;
        Job j = quick_job(b, component, fingerprint, bumps, o, built);
        const AshBuiltComponent *c = find_known(&j, &n);
        ash_array_done(&j.options);
        return c;
}

static void put_known(AshStore *store, const AshId *known, const char *key, size_t n) {
        _str_ AshStr text = {};
        ash_str_appendf(&text, "%s %zu\n", key, n);
        (void) ash_store_cache_put(store, CACHE_KNOWN, known, ash_str_slice(&text)); /* only a loss of time */
}

void ash_flow_build_remember(AshFlowBuilder *b, const AshComponent *component, const char *fingerprint, uint64_t bumps, const AshFlowBuildOptions *o, const AshFlowBuiltState *built, const char *key, size_t n,
                             const AshSlice *texts, size_t n_texts) {
        Job j = quick_job(b, component, fingerprint, bumps, o, built);
        AshId reach;
        if (tell_known(&j, built, &j.known))
                put_known(j.flow->store, &j.known, key, n);
        if (tell_reach_key(&j, &reach))
                put_reach(b, j.config->build_stage, &reach, key, n, texts, n_texts);
        ash_array_done(&j.options);
}

/* Not when another build ended meanwhile: its packages may be in the root, or not. */
void ash_flow_job_remember_known(Job *j) {
        _cleanup_(ash_built_free_p) AshBuilt *now = NULL;
        _cleanup_(ash_flow_built_state_done) AshFlowBuiltState state = {};
        _free_ char *record = ash_flow_built_path(j->flow->config);
        AshId known;
        if (!j->has_known || ash_built_read(record, &now, NULL) < 0)
                return;
        ash_flow_built_state_make(&state, now, j->arch);
        if (tell_known(j, &state, &known) && ash_id_eq(&known, &j->known))
                put_known(j->flow->store, &j->known, j->key, j->root->n_packages);
}
