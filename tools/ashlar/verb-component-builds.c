/* component build with several names or --all: in the order of the build graph, several at once. */
#include <sys/utsname.h>
#include <unistd.h>
#include "cli-flow.h"
#include "component.h"
#include "flow-executor.h"

typedef struct Builds {
        AshCli *cli;
        AshFlow flow;
        AshArena *arena;
        struct utsname machine;
        AshFlowPlan *plan;
        bool *wanted;                /* NULL: all */
        bool *known;
        AshFlowBuilds done;
        ASH_ARRAY(const char *) argv;
} Builds;

static void builds_done(Builds *b) {
        ash_flow_builds_done(&b->done);
        ash_array_done(&b->argv);
        free(b->wanted);
        free(b->known);
        ash_flow_plan_free(b->plan);
        ash_arena_free(b->arena);
}

static AshSlice name_of(const Builds *b, uint32_t component) { return b->plan->input.components[component].name; }

/* Specs that cannot be read are the business of the builds, if they are wanted. */
static int make_plan(Builds *b, AshFlowBuildOptions *build) {
        AshFlowPlanOptions options = { .render = build->render, .arch = ash_slice_str(b->machine.machine), .lock_path = build->lock_path };
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        AshFlow flow = b->flow;
        flow.diags = diags;
        int r = ash_cli_know_built(b->cli, &options.render);
        if (r < 0)
                return r;
        r = ash_flow_plan_new(&flow, &options, &b->plan);
        if (r < 0)
                ash_diags_merge(b->cli->diags, diags);
        build->render.built = options.render.built;
        return r;
}

static int choose(Builds *b) {
        if (!b->cli->n_args)
                return 0;
        int r = 0;
        b->wanted = ash_calloc(b->plan->input.n_components + 1, 1);
        for (size_t i = 0; i < b->cli->n_args && r >= 0; i++) {
                uint32_t component = 0;
                r = ash_flow_plan_find(b->plan, &b->flow, ash_slice_str(b->cli->args[i]), &component);
                if (r >= 0)
                        b->wanted[component] = true;
        }
        return r;
}

static bool is_wanted(const Builds *b, uint32_t component) { return !b->wanted || b->wanted[component]; }

static void warn_of_cycles(Builds *b) {
        const AshGraphCycle *cycles;
        size_t n = ash_graph_cycles(b->plan->graph, &cycles);
        for (size_t i = 0; i < n; i++) {
                bool any = false;
                for (size_t k = 0; k < cycles[i].n_by; k++)
                        any |= !cycles[i].broken && is_wanted(b, cycles[i].by[k]);
                if (!any)
                        continue;
                _str_ AshStr text = {};
                for (size_t k = 0; k < cycles[i].n_by && k < 12; k++)
                        ash_str_appendf(&text, "%s'%.*s'", k ? ", " : "", ASH_F(name_of(b, cycles[i].by[k])));
                ash_warn(b->cli->diags, ASH_NOWHERE, "%zu component%s themselves or each other to be built, and no stage breaks that: %s %s not wait for what is built now, and take%s what there was before", cycles[i].n,
                         cycles[i].n == 1 ? " needs" : "s need", text.ptr, cycles[i].n_by == 1 ? "does" : "do", cycles[i].n_by == 1 ? "s" : "");
                ash_hint(b->cli->diags, "'ashlar build plan' shows the cycle");
        }
}

/* ---- the job as a command of our own program ---- */
static void add_word(Builds *b, const char *word) { ash_array_push(&b->argv, ash_arena_strdup(b->arena, word)); }
static void add_option(Builds *b, const char *name, const char *value) {
        if (value)
                add_word(b, ash_arena_printf(b->arena, "--%s=%s", name, value));
}

static bool is_own(const AshCli *cli, const AshCliOption *option) {
        for (const AshCliOption *o = cli->verb->options; o->name; o++)
                if (o == option)
                        return strcmp(o->name, "all") != 0 && strcmp(o->name, "no-lock") != 0;
        return false;
}

static void make_command(Builds *b) {
        AshCli *cli = b->cli;
        char self[4096];
        ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
        self[n > 0 ? n : 0] = 0;
        add_word(b, n > 0 ? self : "ashlar");
        add_option(b, "dir", cli->dir);
        add_option(b, "store", cli->store_dir);
        add_option(b, "upstream", cli->upstream);
        add_word(b, "--json");
        add_word(b, "component");
        add_word(b, cli->verb->name);
        ash_array_foreach(&cli->given, g)
                if (is_own(cli, g->option) && g->value)
                        add_option(b, g->option->name, g->value);
                else if (is_own(cli, g->option))
                        add_word(b, ash_arena_printf(b->arena, "--%s", g->option->name));
        add_word(b, "--no-lock"); /* it is written once, at the end */
        ash_array_push(&b->argv, NULL);
}

/* ---- the end ---- */
static AshSlice number(Builds *b, size_t n) { return ash_slice_str(ash_arena_printf(b->arena, "%zu", n)); }

static AshSlice why(Builds *b, const AshFlowBuildsItem *item) {
        if (item->state == ASH_JOB_SKIPPED)
                return ash_slice_str(ash_arena_printf(b->arena, "needs %.*s", ASH_F(name_of(b, item->because))));
        return item->state == ASH_JOB_FAILED ? ash_slice_str(item->reason ? item->reason : ash_strerror(item->code)) : ASH_NOSLICE;
}

static void print_items(Builds *b) {
        static const AshCliColumn columns[] = { { "COMPONENT" }, { "STATE" }, { "PACKAGES", .number = true }, { "TIME" }, { "WHY", .optional = true } };
        _cleanup_(ash_cli_list_free_p) AshCliList *list = ash_cli_list_new(b->cli, columns, ASH_N(columns));
        ash_array_foreach(&b->done.items, item) {
                _str_ AshStr took = {};
                bool ran = item->state != ASH_JOB_SKIPPED && item->state != ASH_JOB_NOT_STARTED;
                ash_text_duration(&took, item->ms * 1000000);
                ash_cli_list_row(list, (const AshSlice[]){ name_of(b, item->component), ash_slice_str(ash_job_state_name(item->state)), ran && item->packages ? number(b, item->packages) : ASH_NOSLICE,
                        ran ? ash_str_slice(&took) : ASH_NOSLICE, why(b, item) });
        }
        ash_cli_list_print(list);
}

static void print_sum(Builds *b) {
        _str_ AshStr text = {};
        ash_text_duration(&text, b->done.ms * 1000000);
        ash_str_append_str(&text, ": ");
        for (int state = 0, any = 0; state < ASH_JOB_STATE_MAX_; state++)
                if (b->done.n[state])
                        ash_str_appendf(&text, "%s%zu %s", any++ ? ", " : "", b->done.n[state], ash_job_state_name(state));
        ash_info(b->cli->diags, ASH_NOWHERE, "%s", text.ptr);
        if (b->done.n[ASH_JOB_FAILED] + b->done.n[ASH_JOB_CANCELLED] + b->done.n[ASH_JOB_NOT_STARTED])
                ash_hint(b->cli->diags, "the same command goes on where this one ended: what is built is not built again");
}

static void json_items(Builds *b) {
        AshJson j = ash_cli_json(b->cli);
        ash_json_begin(&j, NULL, '{');
        ash_json_begin(&j, "components", '[');
        ash_array_foreach(&b->done.items, item) {
                ash_json_begin(&j, NULL, '{');
                ash_json_text(&j, "component", name_of(b, item->component));
                ash_json_str(&j, "state", ash_job_state_name(item->state));
                ash_json_uint(&j, "packages", item->packages);
                ash_json_double(&j, "seconds", (double) item->ms / 1000);
                if (item->state == ASH_JOB_SKIPPED)
                        ash_json_text(&j, "needs", name_of(b, item->because));
                if (item->state == ASH_JOB_FAILED)
                        ash_json_text(&j, "reason", why(b, item));
                ash_json_end(&j, '}');
        }
        ash_json_end(&j, ']');
        for (int state = 0; state < ASH_JOB_STATE_MAX_; state++)
                ash_json_uint(&j, ash_job_state_name(state), b->done.n[state]);
        ash_json_double(&j, "seconds", (double) b->done.ms / 1000);
        ash_json_end(&j, '}');
        ash_cli_print(b->cli, "\n");
}

/* What was built is in the lock, whatever became of the rest. */
static int lock_at_end(Builds *b, const char *lock) {
        AshFlowLockResult result = {};
        int r = ash_flow_built_relock(&b->flow, ash_slice_str(b->machine.machine), lock, &result);
        if (r >= 0)
                ash_cli_tell_lock(b->cli, &result);
        ash_flow_lock_result_done(&result);
        return r;
}

int ash_component_builds(AshCli *cli, AshFlowBuildOptions *build) {
        _cleanup_(builds_done) Builds b = { .cli = cli, .flow = ash_cli_flow(cli), .arena = ash_arena_new() };
        _cleanup_(ash_executor_free_p) AshExecutor *e = NULL;
        uname(&b.machine);
        int r = make_plan(&b, build);
        if (r >= 0)
                r = choose(&b);
        if (r < 0)
                return r;
        warn_of_cycles(&b);
        make_command(&b);
        AshLocalExecutorOptions options = { .argv = b.argv.items, .jobs = cli->jobs ? cli->jobs : ash_cpu_count() };
        r = ash_executor_new_local(&options, &e, cli->diags);
        if (r < 0)
                return r;
        if (!build->force && !ash_cli_option(cli, "output"))
                b.known = ash_flow_builds_known(&b.flow, b.plan, build);
        r = ash_flow_builds_run(&b.flow, b.plan, b.wanted, b.known, e, &b.done);
        if (!ash_cli_flag(cli, "no-lock") && b.done.n[ASH_JOB_BUILT] + b.done.n[ASH_JOB_CACHED]) {
                int locked = lock_at_end(&b, build->lock_path);
                r = r < 0 ? r : locked;
        }
        if (cli->json)
                json_items(&b);
        else
                print_items(&b);
        print_sum(&b);
        return r == -EINTR ? ash_fail(cli->diags, r, ASH_NOWHERE, "it was ended before all was built") : r;
}
