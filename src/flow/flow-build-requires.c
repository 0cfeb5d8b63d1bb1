/* What a build requires: what its spec says, and what it asks for while it is built. */
#include "build.h"
#include "flow-build-private.h"
#include "flow-late.h"

#define CACHE_REQUIRES "build-requires"
#define ROUNDS 10                    /* of dynamic requirements */

/* "!name": must not be there. */
static void require(Job *j, AshSlice dep) {
        bool not = dep.len && dep.ptr[0] == '!';
        dep = ash_slice_from(dep, not);
        ash_array_foreach(&j->requires, r)
                if (ash_slice_eq(r->what, dep) && (r->job == ASH_REQUEST_EXCLUDE) == not)
                        return;
        ash_array_push(&j->requires, ((AshRequest){ .what = ash_arena_slice(j->arena, dep), .job = not ? ASH_REQUEST_EXCLUDE : ASH_REQUEST_INSTALL, .reason = ASH_REASON_USER, .at = ash_flow_job_required_at(j, dep) }));
}

static AshId requires_key(const Job *j, const char *root_key, const char *what) {
        _str_ AshStr text = {};
        ash_str_appendf(&text, "%s %d %s %s %s %s\n", what, ASH_BUILD_ENGINE, ASHLAR_VERSION, j->inputs, root_key, j->options_key);
        return ash_id_of(ash_str_slice(&text));
}

static bool recall_requires(Job *j, const AshId *key) {
        _bytes_ AshBytes bytes = {};
        AshSlice rest, line, word;
        if (ash_store_cache_get(j->flow->store, CACHE_REQUIRES, key, &bytes) < 0)
                return false;
        rest = ash_bytes_slice(&bytes);
        uint64_t epoch;
        if (!ash_slice_next_line(&rest, &line) || !ash_slice_next_word(&line, &word) || ash_slice_to_u64(word, 10, &epoch) < 0)
                return false;
        j->epoch = (int64_t) epoch;
        j->asks |= line.len > 0;
        while (ash_slice_next_line(&rest, &line))
                require(j, line);
        return true;
}

/* Its spec is not parsed in time, now or within the last hour. */
static int late(Job *j, const AshId *key, bool known) {
        _str_ AshStr text = {};
        int limit = ash_flow_late_limit(j->flow, j->config);
        ash_flow_late_write(&text, limit);
        if (!known)
                (void) ash_store_cache_put(j->flow->store, CACHE_REQUIRES, key, ash_str_slice(&text)); /* only a loss of time */
        ash_flow_late_fail(j->flow->diags, j->spec->name, j->component, limit, known);
        if (!known)
                ash_note(j->flow->diags, ASH_NOWHERE, "the whole log: %s", j->log_path);
        return -ETIMEDOUT;
}

static bool was_late(Job *j, const AshId *key) {
        _bytes_ AshBytes bytes = {};
        return !j->o->force && ash_store_cache_get(j->flow->store, CACHE_REQUIRES, key, &bytes) >= 0 && ash_flow_late_known(ash_bytes_slice(&bytes), ash_flow_late_limit(j->flow, j->config));
}

static int read_requires(Job *j, const AshId *key) {
        AshSlice srpm, *deps;
        size_t n;
        int64_t epoch = -1;
        bool asks;
        _str_ AshStr text = {};
        int r = ash_build_srpm(j->build, &srpm, j->flow->diags);
        if (r >= 0)
                r = ash_build_requires(srpm, j->rendered->spec, j->arena, &deps, &n, &epoch, &asks, j->flow->diags);
        if (r < 0)
                return r;
        if (j->epoch < 0 && epoch < 0)
                ash_info(j->flow->diags, ASH_NOWHERE, "the spec of '%.*s' has no %%changelog that rpm can read: its packages are dated 1970-01-01", ASH_F(j->component));
        if (j->epoch < 0)
                j->epoch = epoch >= 0 ? epoch : 0; /* no changelog: the beginning of time, which is the same for everybody */
        ash_flow_job_spec_warnings(j);
        j->asks |= asks;
        ash_str_appendf(&text, "%lld%s\n", (long long) j->epoch, j->asks ? " asks" : "");
        for (size_t i = 0; i < n; i++) {
                require(j, deps[i]);
                ash_str_appendf(&text, "%.*s\n", ASH_F(deps[i]));
        }
        (void) ash_store_cache_put(j->flow->store, CACHE_REQUIRES, key, ash_str_slice(&text)); /* only a loss of time */
        return 0;
}

/* What is wrong is said at the lines that people wrote: looked up only then. */
static int solve_at_places(Job *j, bool only_packages, AshFlowRoot **ret) {
        _cleanup_(ash_flow_places_free_p) AshFlowPlaces *places = ash_flow_job_places(j);
        _free_ AshRequest *requests = ash_calloc(j->requires.n + 1, sizeof *requests);
        for (size_t i = 0; i < j->requires.n; i++) {
                requests[i] = j->requires.items[i];
                requests[i].at = ash_flow_places_find(places, requests[i].at, NULL);
        }
        return ash_flow_builder_root(j->b, j->config->build_stage, requests, j->requires.n, only_packages, ret);
}

static int solve_root(Job *j, bool only_packages) {
        AshFlowRoot *root = NULL;
        AshDiags *diags = j->flow->diags;
        _cleanup_(ash_diags_free_p) AshDiags *first = ash_diags_new();
        j->flow->diags = first;
        int r = ash_flow_builder_root(j->b, j->config->build_stage, j->requires.items, j->requires.n, only_packages, &root);
        j->flow->diags = diags;
        if (r == -ASH_ERR_UNSOLVABLE)
                r = solve_at_places(j, only_packages, &root);
        else
                ash_diags_merge(diags, first);
        if (r < 0) {
                ash_note(j->flow->diags, j->rendered->component->name.at, "needed to build '%.*s' in the stage '%.*s'", ASH_F(j->component), ASH_F(j->config->build_stage.s.len ? j->config->build_stage.s : ASH_S("default")));
                return r;
        }
        ash_flow_root_free(j->root);
        j->root = root;
        return 0;
}

int ash_flow_job_static_requires(Job *j) {
        int r = ash_flow_builder_root(j->b, j->config->build_stage, NULL, 0, true, &j->base);
        if (r < 0)
                return r;
        AshId key = requires_key(j, j->base->key, "said");
        j->epoch = -1;
        if (recall_requires(j, &key)) {
                j->n_static = j->requires.n;
                return solve_root(j, true);
        }
        if (was_late(j, &key))
                return late(j, &key, true);
        r = ash_flow_job_need_root(j, &j->base, NULL, 0);
        if (r >= 0)
                r = ash_flow_job_run(j, j->base, ASH_BUILD_SRPM);
        if (r == -ETIMEDOUT)
                return late(j, &key, false);
        if (r >= 0)
                r = read_requires(j, &key);
        j->n_static = j->requires.n;
        return r < 0 ? r : solve_root(j, true);
}

/* A section of its own, or of the build system that the spec names; macros within it are rpm's to expand. Where a file that the spec includes or a macro has the section, only rpm knows: the source package says so. */
bool ash_flow_job_asks(const Job *j) {
        if (j->asks)
                return true;
        AshSlice rest = j->spec->text, line, tag = ASH_S("BuildSystem:");
        while (ash_slice_next_line(&rest, &line)) {
                line = ash_slice_trim_left(line);
                if (ash_slice_starts(line, ASH_S("%generate_buildrequires")) || ash_slice_eq_nocase(ash_slice_sub(line, 0, tag.len), tag))
                        return true;
        }
        return false;
}

/* Until what is required stays the same: each answer may bring what the next question needs. */
int ash_flow_job_dynamic_requires(Job *j) {
        j->dynamic = ash_flow_job_asks(j);
        if (!j->dynamic)
                return 0;
        for (int round = 0; round < ROUNDS; round++) {
                char before[65];
                memcpy(before, j->root->key, sizeof before);
                AshId key = requires_key(j, j->root->key, "dynamic");
                int r = 0;
                if (!recall_requires(j, &key)) {
                        r = ash_flow_job_need_root(j, &j->root, j->requires.items, j->requires.n);
                        if (r >= 0)
                                r = ash_flow_job_run(j, j->root, ASH_BUILD_REQUIRES);
                        if (r == 0)
                                return 0;
                        if (r > 0)
                                r = read_requires(j, &key);
                }
                if (r >= 0)
                        r = solve_root(j, true);
                if (r < 0 || !strcmp(before, j->root->key))
                        return r;
        }
        return ash_fail(j->flow->diags, -ELOOP, j->rendered->component->name.at, "'%.*s' requires something new each time it is asked: after %d rounds there is no end", ASH_F(j->component), ROUNDS);
}

static int by_text(const void *a, const void *b) { return ash_slice_cmp(*(const AshSlice *) a, *(const AshSlice *) b); }

void ash_flow_job_tell_requires(Job *j) {
        AshFlowBuild *b = j->result;
        AshArena *a = b->arena;
        b->requires = ash_arena_new_items(a, AshSlice, j->requires.n + 1);
        ash_array_foreach(&j->requires, r)
                b->requires[b->n_requires++] = ash_slice_str(ash_arena_printf(a, "%s%.*s", r->job == ASH_REQUEST_EXCLUDE ? "!" : "", ASH_F(r->what)));
        if (!j->dynamic)
                return;
        b->built.asked = ash_arena_new_items(a, AshSlice, j->requires.n + 1);
        for (size_t i = j->n_static; i < b->n_requires; i++)
                b->built.asked[b->built.n_asked++] = b->requires[i];
        if (b->built.n_asked)
                qsort(b->built.asked, b->built.n_asked, sizeof *b->built.asked, by_text);
}
