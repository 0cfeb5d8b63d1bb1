/* A tree of which everything was built (tests/lib/builttree.py), for bench_built.py.
 * bench-built prime PROJECT STORE: makes it one in which nothing has changed: true fingerprints in ashlar.built, a lock, and what builds would have noted.
 * bench-built record PROJECT: prints milliseconds that reading ashlar.built takes, and taking one build into it, the best of some. */
#include <stdio.h>
#include "flow-executor.h"

static int write_built(const AshFlowPlan *plan, const char *path, AshDiags *diags) {
        _cleanup_(ash_built_free_p) AshBuilt *built = NULL;
        _str_ AshStr text = {};
        int r = ash_built_read(path, &built, diags);
        for (size_t i = 0; r >= 0 && i < plan->input.n_components; i++) {
                size_t n;
                AshBuiltComponent *c = (AshBuiltComponent *) ash_built_arches(built, plan->input.components[i].name, &n);
                if (n && plan->items[i].fingerprint)
                        c->fingerprint = ash_slice_str(strchr(plan->items[i].fingerprint, ':') + 1);
        }
        if (r >= 0)
                ash_built_format(built, &text);
        return r < 0 ? r : ash_file_write_atomic(AT_FDCWD, path, ash_str_slice(&text), 0644, false);
}

typedef struct Tree {
        AshConfig *config;
        AshStore *store;
        AshFlow flow;
        AshFlowPlan *plan;
        AshFlowBuilder *b;
        AshBuilt *built;
        AshFlowRoot *roots[8];       /* of each stage's base */
        char *lock, *path;
} Tree;

static void tree_done(Tree *t) {
        for (size_t i = 0; i < ASH_N(t->roots); i++)
                ash_flow_root_free(t->roots[i]);
        ash_flow_builder_free(t->b);
        ash_flow_plan_free(t->plan);
        ash_built_free(t->built);
        ash_store_free(t->store);
        ash_config_free(t->config);
        free(t->lock);
        free(t->path);
}

static AshText stage_of(const Tree *t, size_t base) { return base ? (AshText){ .s = t->plan->input.bases[base].stage } : (AshText){}; }

static int open_tree(Tree *t, const char *project, const char *store, AshDiags *diags) {
        t->lock = ash_path_join(project, ASH_LOCK_NAME);
        t->path = ash_path_join(project, ASH_BUILT_NAME);
        int r = ash_config_load(project, 0, &t->config, diags);
        if (r >= 0)
                r = ash_store_open(store, &t->store, diags);
        t->flow = (AshFlow){ .config = t->config, .store = t->store, .diags = diags, .threads = ash_cpu_count() };
        return r < 0 ? r : ash_flow_plan_new(&t->flow, &(AshFlowPlanOptions){ .arch = ASH_S("x86_64") }, &t->plan);
}

static int make_lock(Tree *t) {
        AshFlowLockResult locked = {};
        int r = ash_flow_lock(&t->flow, &(AshFlowLockOptions){ .path = t->lock }, &locked);
        ash_flow_lock_result_done(&locked);
        return r;
}

static int open_builder(Tree *t) {
        int r = ash_flow_builder_new(&t->flow, t->lock, ASH_S("x86_64"), &t->b);
        for (size_t i = 0; r >= 0 && i < t->plan->input.n_bases; i++)
                r = ash_flow_builder_root(t->b, stage_of(t, i), NULL, 0, true, &t->roots[i]);
        return r < 0 ? r : ash_built_read(t->path, &t->built, t->flow.diags);
}

static int keep_spec(Tree *t, const AshGraphComponent *c, AshStr *out) {
        _cleanup_(ash_rendered_free_p) AshRendered *rendered = NULL;
        _str_ AshStr info = {}, key = {};
        uint8_t digest[32];
        int r = ash_render(t->config, c->name, &(AshRenderOptions){}, &rendered, t->flow.diags);
        if (r < 0)
                return r;
        _free_ AshSpecFileOf *files = ash_calloc(rendered->files.n + 1, sizeof *files);
        for (size_t k = 0; k < rendered->files.n; k++)
                files[k] = (AshSpecFileOf){ rendered->files.items[k].name, rendered->files.items[k].mode, rendered->files.items[k].data };
        AshSpecInfoInput in = { .files = files, .n_files = rendered->files.n, .spec = rendered->spec, .component = c->name, .arch = ASH_S("x86_64") };
        r = ash_specinfo_plain(&in, &info, t->flow.diags);
        ash_specinfo_digest(&in, digest);
        ash_str_appendf(&key, "%s\n", t->roots[c->base]->key);
        ash_str_append(&key, ash_slice((const char *) digest, sizeof digest));
        AshId id = ash_id_of(ash_str_slice(&key));
        uint64_t n = info.len;
        ash_str_append(out, ash_slice((const char *) &id, sizeof id));
        ash_str_append(out, ash_slice((const char *) &n, sizeof n));
        ash_str_append(out, ash_str_slice(&info));
        return r;
}

/* What rpmspec would say of these specs is what the plain reader says: they have no macros that only rpm knows. Kept as flow-plan-specs.c keeps it: bench_built.py looks that a plan reads none. */
static int keep_specs(Tree *t) {
        _str_ AshStr text = {}, name = {};
        _free_ char *real = realpath(ash_config_dir(t->config), NULL);
        int r = 0;
        ash_str_append_str(&text, "ashlar-specinfo 1\n");
        for (size_t i = 0; r >= 0 && i < t->plan->input.n_components; i++)
                r = keep_spec(t, &t->plan->input.components[i], &text);
        ash_str_appendf(&name, "specs of %s", real);
        AshId key = ash_id_of(ash_str_slice(&name));
        return r < 0 ? r : ash_store_cache_put(t->store, "specinfo", &key, ash_str_slice(&text));
}

/* As if each had been built, and then all the others. */
static void remember(Tree *t) {
        _cleanup_(ash_flow_built_state_done) AshFlowBuiltState state = {};
        const char *const none[] = { NULL };
        AshFlowBuildOptions options = { .lock_path = t->lock, .with = none, .without = none, .defines = none };
        ash_flow_built_state_make(&state, t->built, ASH_S("x86_64"));
        for (size_t i = 0; i < t->plan->input.n_components; i++) {
                _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
                const AshGraphComponent *c = &t->plan->input.components[i];
                const AshDeps *base = &t->plan->input.bases[c->base].packages;
                AshSlice *texts = ash_arena_new_items(arena, AshSlice, base->n + c->needs.n);
                for (size_t k = 0; k < base->n + c->needs.n; k++) {
                        _str_ AshStr text = {};
                        ash_dep_format(k < base->n ? &base->items[k] : &c->needs.items[k - base->n], &text);
                        texts[k] = ash_arena_slice(arena, ash_str_slice(&text));
                }
                _free_ char *key = ash_slice_dup(ash_built_find(t->built, c->name, ASH_S("x86_64"))->key);
                ash_flow_build_remember(t->b, ash_config_find_component(t->config, c->name), t->plan->items[i].fingerprint, 0, &options, &state, key, 100, texts, base->n + c->needs.n);
        }
}

static int prime(const char *project, const char *store, AshDiags *diags) {
        Tree t __attribute__((__cleanup__(tree_done))) = {};
        int r = open_tree(&t, project, store, diags);
        if (r >= 0)
                r = write_built(t.plan, t.path, diags);
        if (r >= 0)
                r = make_lock(&t);
        if (r >= 0)
                r = open_builder(&t);
        if (r >= 0)
                r = keep_specs(&t);
        if (r >= 0)
                remember(&t);
        return r;
}

static int record(const char *project, AshDiags *diags) {
        _free_ char *path = ash_path_join(project, ASH_BUILT_NAME);
        uint64_t best[2] = { UINT64_MAX, UINT64_MAX };
        int r = 0;
        for (uint64_t round = 0; r >= 0 && round < 12; round++) {
                _cleanup_(ash_built_free_p) AshBuilt *built = NULL;
                uint64_t began = ash_now_ns();
                r = ash_built_read(path, &built, diags);
                if (r < 0)
                        return r;
                best[0] = ASH_MIN(best[0], ash_now_ns() - began);
                AshBuiltComponent *c = &built->components.items[built->components.n / 2];
                c->bumps = round % 2;
                began = ash_now_ns();
                r = ash_built_record(path, c, NULL, NULL, diags);
                if (round)
                        best[1] = ASH_MIN(best[1], ash_now_ns() - began);
        }
        printf("%.3f %.3f\n", (double) best[0] / 1e6, (double) best[1] / 1e6);
        return r;
}

int main(int argc, char **argv) {
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        int r = argc == 4 && !strcmp(argv[1], "prime") ? prime(argv[2], argv[3], diags) : argc == 3 && !strcmp(argv[1], "record") ? record(argv[2], diags) : -EINVAL;
        for (size_t i = 0; i < ash_diags_n(diags); i++) {
                _str_ AshStr text = {};
                ash_diag_format(ash_diags_at(diags, i), false, &text);
                fputs(text.ptr, stderr);
        }
        return r < 0;
}
