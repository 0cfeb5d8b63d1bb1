/* A tree of which everything was built (tests/lib/builttree.py), for bench_built.py.
 * bench-built prime PROJECT STORE: makes it one in which nothing has changed: true fingerprints in ashlar.built, a lock, and what builds would have noted.
 * bench-built record PROJECT: prints milliseconds that reading ashlar.built takes, and taking one build into it, the best of some. */
#include <stdio.h>
#include "flow-executor.h"

static void write_lock(const char *path, AshDiags *diags) {
        _cleanup_(ash_lock_free_all_p) AshLock *lock = ash_lock_new();
        AshLockUpstream state = { .name = ASH_S("elsewhere"), .arch = ASH_S("x86_64"), .type = ASH_S("rpm-md"), .snapshot = ASH_S("abababababababababababababababababababababababababababababababab"), .date = ASH_S("1700000000") };
        lock->seed = ASH_S("7b9ff2b8-9f3a-4b5e-8b1d-0a6c1a5c6a11");
        lock->upstreams = &state;
        lock->n_upstreams = 1;
        ash_lock_write(path, lock, diags);
}

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

static int prime(const char *project, const char *store_path, AshDiags *diags) {
        _cleanup_(ash_config_free_p) AshConfig *config = NULL;
        _cleanup_(ash_store_free_p) AshStore *store = NULL;
        _cleanup_(ash_flow_plan_free_p) AshFlowPlan *plan = NULL;
        _cleanup_(ash_flow_builder_free_p) AshFlowBuilder *b = NULL;
        _cleanup_(ash_built_free_p) AshBuilt *built = NULL;
        _cleanup_(ash_flow_built_state_done) AshFlowBuiltState state = {};
        _free_ char *lock = ash_path_join(project, ASH_LOCK_NAME), *path = ash_path_join(project, ASH_BUILT_NAME);
        const char *const none[] = { NULL };
        AshFlowBuildOptions options = { .lock_path = lock, .with = none, .without = none, .defines = none };
        int r = ash_config_load(project, 0, &config, diags);
        if (r >= 0)
                r = ash_store_open(store_path, &store, diags);
        AshFlow flow = { .config = config, .store = store, .diags = diags, .threads = ash_cpu_count() };
        if (r >= 0)
                r = ash_flow_plan_new(&flow, &(AshFlowPlanOptions){ .arch = ASH_S("x86_64") }, &plan);
        if (r >= 0)
                r = write_built(plan, path, diags);
        if (r < 0)
                return r;
        write_lock(lock, diags);
        r = ash_flow_builder_new(&flow, lock, ASH_S("x86_64"), &b);
        if (r >= 0)
                r = ash_built_read(path, &built, diags);
        if (r < 0)
                return r;
        ash_flow_built_state_make(&state, built, ASH_S("x86_64"));
        for (size_t i = 0; i < plan->input.n_components; i++) {
                const AshComponent *component = ash_config_find_component(config, plan->input.components[i].name);
                const AshBuiltComponent *c = ash_built_find(built, component->name.s, ASH_S("x86_64"));
                _free_ char *key = ash_slice_dup(c->key);
                ash_flow_build_remember(b, component, plan->items[i].fingerprint, 0, &options, &state, key, 100);
        }
        return 0;
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
