/* Many components: each is handed to the executor as soon as what it needs is there. */
#include "flow-build.h"
#include "flow-executor.h"

#define MEMORY_USUAL (UINT64_C(1) << 30) /* of a build that was never measured and says nothing itself */

/* A component whose build required what nobody provided: something that is built in this run may. */
typedef struct Parked {
        uint32_t component;
        size_t n_built;              /* components that had been built when it was tried */
        AshJobEnd end;               /* of that; of one that only asked it says nothing */
} Parked;

typedef struct Run {
        AshFlow *flow;
        const AshFlowPlan *plan;
        AshExecutor *e;
        AshGraphRun *walk;
        AshFlowBuilds *out;
        const bool *known;
        bool *stale;                 /* of each: something was built in this run that it needs */
        bool *asks;                  /* of each component: what its build requires is not known before it was asked */
        size_t *tried;               /* of each: how many had been built when it was started */
        ASH_ARRAY(Parked) parked;
        size_t n_left, n_running, n_built;
        int result;
        bool ended;
} Run;

void ash_flow_builds_done(AshFlowBuilds *b) {
        ash_array_foreach(&b->items, item)
                free(item->reason);
        ash_array_done(&b->items);
}

static char *first_error(const AshDiags *diags) {
        for (size_t i = 0; i < ash_diags_n(diags); i++)
                if (ash_diags_at(diags, i)->severity == ASH_ERROR)
                        return ash_strdup(ash_diags_at(diags, i)->text);
        return NULL;
}

static AshSlice name_of(const Run *run, uint32_t component) { return run->plan->input.components[component].name; }

static void add_item(Run *run, AshFlowBuildsItem item) {
        run->out->n[item.state]++;
        run->n_left--;
        ash_array_push(&run->out->items, item);
        ash_progress_advance(run->flow->progress, 1);
}

static void skip(void *context, uint32_t component, uint32_t because) { add_item(context, (AshFlowBuildsItem){ .component = component, .state = ASH_JOB_SKIPPED, .because = because }); }

/* Alone, it waits for nobody: then what its build asks for is its own affair. */
static AshJob job_of(const Run *run, uint32_t component) {
        const AshFlowPlanItem *item = &run->plan->items[component];
        const AshGraphComponent *c = &run->plan->input.components[component];
        return (AshJob){ .ask = run->asks[component] && run->n_left > 1, .component = c->name, .stage = run->plan->input.bases[c->base].stage, .arch = ash_slice_str(run->plan->input.arch), .memory = item->memory ? item->memory : MEMORY_USUAL,
                         .ms = item->ms };
}

/* Once it was ended nobody is skipped for another: who comes after was not started. */
static void fail(Run *run, uint32_t component, int code) {
        run->result = run->result ? run->result : code;
        if (run->ended)
                return;
        ash_graph_run_failed(run->walk, component, skip, run);
}

/* Which one it was is the first thing that is said. */
static void hand_on(Run *run, uint32_t component, AshDiags *diags) {
        for (size_t i = 0; i < ash_diags_n(diags); i++) {
                const AshDiag *d = ash_diags_at(diags, i);
                if (d->severity == ASH_ERROR)
                        ash_fail(run->flow->diags, d->code, ASH_NOWHERE, "'%.*s': %s", ASH_F(name_of(run, component)), d->text);
                else
                        ash_warn(run->flow->diags, ASH_NOWHERE, "'%.*s': %s", ASH_F(name_of(run, component)), d->text);
                ash_array_foreach(&d->notes, note)
                        ash_note(run->flow->diags, ASH_NOWHERE, "%s", note->text);
                if (d->hint)
                        ash_hint(run->flow->diags, "%s", d->hint);
        }
}

/* Everything whose buildroot has a package of it. */
static void note_change(Run *run, uint32_t component) {
        _free_ uint32_t *waves = run->known ? ash_graph_impact(run->plan->graph, component) : NULL;
        for (size_t i = 0; waves && i < run->plan->input.n_components; i++)
                run->stale[i] |= waves[i] != 0;
}

static void take_final(Run *run, AshJobEnd *end) {
        if (end->state == ASH_JOB_BUILT)
                note_change(run, end->id);
        add_item(run, (AshFlowBuildsItem){ .component = end->id, .state = end->state, .code = end->code, .ms = end->ms, .packages = end->packages, .reason = end->state == ASH_JOB_FAILED ? first_error(end->diags) : NULL });
        hand_on(run, end->id, end->diags);
        run->n_built += end->state == ASH_JOB_BUILT || end->state == ASH_JOB_CACHED; /* what is cached may be new to ashlar.built */
        if (end->state == ASH_JOB_BUILT || end->state == ASH_JOB_CACHED)
                ash_graph_run_done(run->walk, end->id);
        else
                fail(run, end->id, end->code);
        ash_job_end_done(end);
}

/* ---- what only builds know ---- */
static void park(Run *run, AshJobEnd *end) {
        ash_array_push(&run->parked, ((Parked){ end->id, run->tried[end->id], *end }));
        *end = (AshJobEnd){};
}

/* What it asked for failed before: it is skipped for that. */
typedef struct Because {
        Run *run;
        uint32_t lost;
} Because;

static void skip_for(void *context, uint32_t component, uint32_t because _unused_) {
        const Because *b = context;
        skip(b->run, component, b->lost);
}

static bool is_lost(Run *run, const AshJobEnd *end, const uint32_t *on, size_t n) {
        Because b = { run, ash_graph_run_lost(run->walk, on, n) };
        if (!end->unmet || b.lost == UINT32_MAX)
                return false;
        skip(run, end->id, b.lost);
        ash_graph_run_failed(run->walk, end->id, skip_for, &b);
        return true;
}

static void take_answer(Run *run, AshJobEnd *end) {
        uint32_t component = end->id, *on;
        size_t n = ash_graph_givers(run->plan->graph, component, end->requires, end->n_requires, end->arena, &on);
        if (is_lost(run, end, on, n))
                ;
        else if (!ash_graph_run_wait(run->walk, component, on, n)) {
                if (end->unmet && run->n_left > 1) {
                        park(run, end);
                        return;
                }
                run->asks[component] = false;
                ash_graph_run_again(run->walk, component);
        }
        ash_job_end_done(end);
}

static void take_end(Run *run, AshJobEnd *end) {
        bool may_come = run->n_running > 1 || ash_graph_run_peek(run->walk) != UINT32_MAX || run->n_built > run->tried[end->id] || run->parked.n;
        run->n_running--;
        if (end->state == ASH_JOB_ASKED)
                take_answer(run, end);
        else if (end->state == ASH_JOB_FAILED && end->code == -ASH_ERR_UNSOLVABLE && may_come && !run->ended)
                park(run, end);
        else
                take_final(run, end);
}

/* Those that were tried before something was built that may help, the first of them. */
static bool unpark_one(Run *run) {
        for (size_t i = 0; i < run->parked.n; i++)
                if (run->parked.items[i].n_built < run->n_built) {
                        ash_graph_run_again(run->walk, run->parked.items[i].component);
                        ash_job_end_done(&run->parked.items[i].end);
                        memmove(&run->parked.items[i], &run->parked.items[i + 1], (--run->parked.n - i) * sizeof *run->parked.items);
                        return true;
                }
        return false;
}

/* Nothing runs, and nothing was built since: they fail, those that only asked once they have tried. */
static bool give_up_one(Run *run) {
        if (!run->parked.n)
                return false;
        Parked p = run->parked.items[0];
        memmove(&run->parked.items[0], &run->parked.items[1], --run->parked.n * sizeof p);
        if (p.end.state == ASH_JOB_ASKED && !run->ended) {
                run->asks[p.component] = false;
                ash_graph_run_again(run->walk, p.component);
                ash_job_end_done(&p.end);
        } else {
                p.end.id = p.component;
                if (p.end.state == ASH_JOB_ASKED)
                        p.end.state = ASH_JOB_NOT_STARTED;
                take_final(run, &p.end);
        }
        return true;
}

/* The one with the longest chain behind it goes first; while it finds no room no smaller one overtakes it. */
static void start_some(Run *run) {
        for (uint32_t next; !run->ended;) {
                next = ash_graph_run_peek(run->walk);
                if (next == UINT32_MAX) {
                        if (!unpark_one(run))
                                return;
                        continue;
                }
                if (run->known && run->known[next] && !run->stale[next]) {
                        ash_graph_run_start(run->walk, next);
                        add_item(run, (AshFlowBuildsItem){ .component = next, .state = ASH_JOB_CACHED, .packages = run->plan->items[next].n_built });
                        ash_graph_run_done(run->walk, next);
                        continue;
                }
                AshJob job = job_of(run, next);
                int r = run->e->ops->start(run->e, next, &job, run->flow->diags);
                if (r == 0)
                        return;
                ash_graph_run_start(run->walk, next);
                run->tried[next] = run->n_built;
                run->n_running += r > 0;
                if (r > 0)
                        continue;
                add_item(run, (AshFlowBuildsItem){ .component = next, .state = ASH_JOB_FAILED, .code = r });
                fail(run, next, r);
        }
}

static void end_early(Run *run) {
        run->result = -EINTR;
        run->ended = true;
        run->e->ops->cancel(run->e);
}

static void add_rest(Run *run, const bool *wanted) {
        size_t n = run->plan->input.n_components;
        _free_ bool *there = ash_calloc(n + 1, sizeof *there);
        ash_array_foreach(&run->out->items, item)
                there[item->component] = true;
        for (size_t i = 0; i < n; i++)
                if ((!wanted || wanted[i]) && !there[i])
                        add_item(run, (AshFlowBuildsItem){ .component = (uint32_t) i, .state = ASH_JOB_NOT_STARTED });
}

static void run_done(Run *run) {
        ash_array_foreach(&run->parked, p)
                ash_job_end_done(&p->end);
        ash_array_done(&run->parked);
        ash_graph_run_free(run->walk);
        free(run->stale);
        free(run->asks);
        free(run->tried);
}

/* What a component's build asks for is known when it was built as it is now, and said what that was. */
static void prepare(Run *run, const bool *wanted) {
        const AshFlowPlan *plan = run->plan;
        size_t n = plan->input.n_components;
        run->walk = ash_graph_run_new(plan->graph, wanted);
        run->stale = ash_calloc(n + 1, sizeof *run->stale);
        run->asks = ash_calloc(n + 1, sizeof *run->asks);
        run->tried = ash_calloc(n + 1, sizeof *run->tried);
        for (size_t i = 0; i < n; i++) {
                run->n_left += !wanted || wanted[i];
                run->asks[i] = plan->items[i].dynamic && !(plan->items[i].asked_known && plan->items[i].state == ASH_PLAN_BUILT);
        }
}

bool *ash_flow_builds_known(AshFlow *flow, const AshFlowPlan *plan, const AshFlowBuildOptions *o) {
        _cleanup_(ash_flow_builder_free_p) AshFlowBuilder *b = NULL;
        _cleanup_(ash_flow_built_state_done) AshFlowBuiltState state = {};
        size_t n = plan->input.n_components;
        AshFlow quiet = *flow;
        quiet.diags = NULL;
        if (!o->render.built || ash_flow_builder_new(&quiet, o->lock_path, ash_slice_str(plan->input.arch), &b) < 0)
                return NULL;
        bool *known = ash_calloc(n + 1, sizeof *known);
        ash_flow_built_state_make(&state, o->render.built, ash_slice_str(plan->input.arch));
        for (size_t i = 0; i < n; i++) {
                const AshFlowPlanItem *item = &plan->items[i];
                const AshComponent *component = ash_config_find_component(flow->config, plan->input.components[i].name);
                known[i] = component && item->state == ASH_PLAN_BUILT && ash_flow_build_known(b, component, item->fingerprint, item->bumps, o, &state);
        }
        return known;
}

int ash_flow_builds_run(AshFlow *flow, const AshFlowPlan *plan, const bool *wanted, const bool *known, AshExecutor *e, AshFlowBuilds *ret) {
        Run run __attribute__((__cleanup__(run_done))) = { .flow = flow, .plan = plan, .known = known, .e = e, .out = ret };
        uint64_t began = ash_now_ns();
        *ret = (AshFlowBuilds){};
        prepare(&run, wanted);
        ash_progress_begin(flow->progress, "building", run.n_left, ASH_UNIT_ITEMS);
        for (;;) {
                AshJobEnd end = {};
                start_some(&run);
                int r = e->ops->wait_any(e, &end);
                if (r < 0)
                        end_early(&run);
                else if (r > 0)
                        take_end(&run, &end);
                else if (!give_up_one(&run))
                        break;
        }
        if (run.ended)
                add_rest(&run, wanted);
        ash_progress_end(flow->progress);
        ret->ms = (ash_now_ns() - began) / 1000000;
        return run.result;
}
