/* Many components: each is handed to the executor as soon as what it needs is there. */
#include "flow-executor.h"

#define MEMORY_USUAL (UINT64_C(1) << 30) /* of a build that was never measured and says nothing itself */

typedef struct Run {
        AshFlow *flow;
        const AshFlowPlan *plan;
        AshExecutor *e;
        AshGraphRun *walk;
        AshFlowBuilds *out;
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
        ash_array_push(&run->out->items, item);
        ash_progress_advance(run->flow->progress, 1);
}

static void skip(void *context, uint32_t component, uint32_t because) { add_item(context, (AshFlowBuildsItem){ .component = component, .state = ASH_JOB_SKIPPED, .because = because }); }

static AshJob job_of(const Run *run, uint32_t component) {
        const AshFlowPlanItem *item = &run->plan->items[component];
        const AshGraphComponent *c = &run->plan->input.components[component];
        return (AshJob){ .component = c->name, .stage = run->plan->input.bases[c->base].stage, .arch = ash_slice_str(run->plan->input.arch), .memory = item->memory ? item->memory : MEMORY_USUAL, .ms = item->ms };
}

static void fail(Run *run, uint32_t component, int code) {
        run->result = run->result ? run->result : code;
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

static void take_end(Run *run, AshJobEnd *end) {
        add_item(run, (AshFlowBuildsItem){ .component = end->id, .state = end->state, .code = end->code, .ms = end->ms, .packages = end->packages, .reason = end->state == ASH_JOB_FAILED ? first_error(end->diags) : NULL });
        hand_on(run, end->id, end->diags);
        if (end->state == ASH_JOB_BUILT || end->state == ASH_JOB_CACHED)
                ash_graph_run_done(run->walk, end->id);
        else
                fail(run, end->id, end->code);
        ash_job_end_done(end);
}

/* The one with the longest chain behind it goes first; while it finds no room no smaller one overtakes it. */
static void start_some(Run *run) {
        for (uint32_t next; !run->ended && (next = ash_graph_run_peek(run->walk)) != UINT32_MAX;) {
                AshJob job = job_of(run, next);
                int r = run->e->ops->start(run->e, next, &job, run->flow->diags);
                if (r == 0)
                        return;
                ash_graph_run_start(run->walk, next);
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

int ash_flow_builds_run(AshFlow *flow, const AshFlowPlan *plan, const bool *wanted, AshExecutor *e, AshFlowBuilds *ret) {
        _cleanup_(ash_graph_run_free_p) AshGraphRun *walk = ash_graph_run_new(plan->graph, wanted);
        Run run = { .flow = flow, .plan = plan, .e = e, .walk = walk, .out = ret };
        uint64_t began = ash_now_ns();
        size_t n = 0;
        for (size_t i = 0; i < plan->input.n_components; i++)
                n += !wanted || wanted[i];
        *ret = (AshFlowBuilds){};
        ash_progress_begin(flow->progress, "building", n, ASH_UNIT_ITEMS);
        for (;;) {
                AshJobEnd end = {};
                start_some(&run);
                int r = e->ops->wait_any(e, &end);
                if (r == 0)
                        break;
                if (r < 0)
                        end_early(&run);
                else
                        take_end(&run, &end);
        }
        ash_progress_end(flow->progress);
        ret->ms = (ash_now_ns() - began) / 1000000;
        return run.result;
}
