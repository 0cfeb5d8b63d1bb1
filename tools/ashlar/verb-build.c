/* build: plan, impact. */
#include <sys/utsname.h>
#include "cli-flow.h"
#include "component.h"
#include "flow-plan.h"

typedef struct View {
        AshCli *cli;
        AshFlowPlan *plan;
        AshArena *arena;
        bool *wanted;                /* of each component */
        uint32_t *order;             /* in which builds would start */
        size_t n_order;
        unsigned jobs;
        uint64_t ms, critical_ms;    /* of all, with so many at once; of the longest chain */
        uint32_t *critical;
        size_t n_critical;
} View;

static void view_done(View *v) {
        free(v->wanted);
        free(v->order);
        ash_flow_plan_free(v->plan);
        ash_arena_free(v->arena);
}

static int make_plan(AshCli *cli, View *v) {
        struct utsname machine;
        uname(&machine);
        const char *arch = ash_cli_option(cli, "arch");
        AshFlow flow = ash_cli_flow(cli);
        AshFlowPlanOptions options = { .render = ash_cli_render_options(cli), .arch = ash_slice_str(arch ? arch : machine.machine) };
        v->cli = cli;
        v->arena = ash_arena_new();
        v->jobs = cli->jobs ? cli->jobs : ash_cpu_count();
        _free_ char *lock = ash_cli_lock_path(cli);
        options.lock_path = ash_cli_flag(cli, "plain") ? NULL : lock;
        int r = ash_cli_know_built(cli, &options.render);
        if (r >= 0)
                r = ash_flow_plan_new(&flow, &options, &v->plan);
        return r < 0 ? ash_cli_upstream_failed(cli, r) : 0;
}

static int find_named(View *v, uint32_t *ret) {
        AshFlow flow = ash_cli_flow(v->cli);
        int r = 0;
        for (size_t i = 0; i < v->cli->n_args && r >= 0; i++)
                r = ash_flow_plan_find(v->plan, &flow, ash_slice_str(v->cli->args[i]), &ret[i]);
        return r;
}

static void put_in_order(View *v) {
        const AshGraph *g = v->plan->graph;
        v->order = ash_calloc(v->plan->input.n_components + 1, sizeof *v->order);
        v->ms = ash_graph_simulate(g, v->wanted, v->jobs, v->order, &v->n_order);
        v->critical_ms = ash_graph_critical(g, v->wanted, v->arena, &v->critical, &v->n_critical);
        for (; v->n_critical && v->plan->items[v->critical[0]].state == ASH_PLAN_UNKNOWN; v->critical++) /* it needs nothing and takes no time: what begins is what comes behind it */
                v->n_critical--;
}

static AshSlice name_of(const View *v, uint32_t component) { return v->plan->input.components[component].name; }
static AshSlice stage_of(const View *v, uint32_t component) { return v->plan->input.bases[v->plan->input.components[component].base].stage; }

static AshSlice cell_number(View *v, uint64_t n) { return ash_slice_str(ash_arena_printf(v->arena, "%llu", (unsigned long long) n)); }
static AshSlice cell_time(View *v, uint64_t ms, bool measured) {
        _str_ AshStr text = {};
        if (!measured)
                ash_str_append_char(&text, '~');
        ash_text_duration(&text, ms * 1000000);
        return ash_arena_slice(v->arena, ash_str_slice(&text));
}

/* ---- text ---- */
static void print_components(View *v, const uint32_t *wave) {
        static const AshCliColumn columns[] = { { "LEVEL", .number = true }, { "COMPONENT" }, { "STAGE", .optional = true }, { "STATE" }, { "NEEDS", .number = true }, { "TIME" } };
        static const AshCliColumn wave_columns[] = { { "WAVE", .number = true }, { "COMPONENT" }, { "STAGE", .optional = true }, { "STATE" }, { "NEEDS", .number = true }, { "TIME" } };
        _cleanup_(ash_cli_list_free_p) AshCliList *list = ash_cli_list_new(v->cli, wave ? wave_columns : columns, ASH_N(columns));
        for (size_t i = 0; i < v->n_order; i++) {
                uint32_t c = v->order[i], *direct;
                const AshFlowPlanItem *item = &v->plan->items[c];
                size_t n = ash_graph_direct(v->plan->graph, c, v->arena, &direct);
                ash_cli_list_row(list, (const AshSlice[]){ cell_number(v, wave ? wave[c] - 1 : ash_graph_level(v->plan->graph, c)), name_of(v, c), v->plan->input.components[c].base ? stage_of(v, c) : ASH_NOSLICE,
                        ash_slice_str(ash_flow_plan_state_name(item->state)), cell_number(v, n), cell_time(v, item->ms, item->measured) });
        }
        ash_cli_list_print(list);
}

static void print_some(View *v, const uint32_t *components, size_t n) {
        enum { SOME = 12 };
        for (size_t i = 0; i < n && i < SOME; i++)
                ash_cli_printf(v->cli, "%s%.*s", i ? " " : "", ASH_F(name_of(v, components[i])));
        if (n > SOME)
                ash_cli_printf(v->cli, " and %zu more", n - SOME);
}

/* "a needs pkgconfig(b): b-devel of b"; that a package needs its component goes without saying. */
static void format_step(const View *v, const AshGraphStep *s, AshStr *out) {
        const AshGraph *g = v->plan->graph;
        AshSlice from = ash_graph_name(g, s->from), to = ash_graph_name(g, s->to);
        if (ash_graph_kind(g, s->from) == ASH_GRAPH_BASE)
                ash_str_appendf(out, "every buildroot of stage '%.*s' has %.*s", ASH_F(from), ASH_F(to));
        else if (ash_graph_kind(g, s->to) == ASH_GRAPH_BASE)
                ash_str_appendf(out, "%.*s is built in stage '%.*s'", ASH_F(from), ASH_F(to));
        else if (ash_graph_kind(g, s->to) == ASH_GRAPH_COMPONENT)
                ash_str_appendf(out, "%.*s comes from %.*s", ASH_F(from), ASH_F(to));
        else if (ash_slice_eq(s->dep, to))
                ash_str_appendf(out, "%.*s %s %.*s", ASH_F(from), ash_graph_kind(g, s->from) == ASH_GRAPH_COMPONENT ? "needs for its build" : "requires", ASH_F(to));
        else
                ash_str_appendf(out, "%.*s %s %.*s: %.*s", ASH_F(from), ash_graph_kind(g, s->from) == ASH_GRAPH_COMPONENT ? "needs for its build" : "requires", ASH_F(s->dep), ASH_F(to));
}

/* As a steward would write it. */
static void print_remedy(View *v, uint32_t component) {
        const AshGraphInput *in = &v->plan->input;
        const AshTexts *upstreams = &ash_config_project(v->cli->config)->build.base.upstreams;
        AshSlice stage = ASH_S("bootstrap");
        size_t i = 0, n = 0;
        while (i < in->n_bases && in->bases[i].built)
                i++;
        if (i < in->n_bases)
                stage = in->bases[i].stage;
        ash_cli_print(v->cli, "  as in:\n");
        for (size_t k = 0; i == in->n_bases && k < upstreams->n; k++) {
                const AshUpstream *u = ash_config_upstream(v->cli->config, upstreams->items[k].s);
                if (u && !ash_slice_eqs(u->repo.type.s, "components"))
                        ash_cli_printf(v->cli, "%s\"%.*s\"", n++ ? ", " : "    [build.stages.bootstrap]\n    upstreams = [", ASH_F(upstreams->items[k].s));
        }
        ash_cli_printf(v->cli, "%s    [components.%.*s]\n    build.stage = \"%.*s\"\n", n ? "]\n" : "", ASH_F(name_of(v, component)), ASH_F(stage));
}

static void print_cycle(View *v, const AshGraphCycle *c) {
        AshCli *cli = v->cli;
        ash_cli_printf(cli, "cycle of %zu component%s%s: ", c->n, c->n == 1 ? "" : "s", c->broken ? "" : ", which no stage breaks");
        print_some(v, c->members, c->n);
        ash_cli_print(cli, "\n");
        if (c->broken) {
                ash_cli_print(cli, "  broken by stages that take nothing from components: ");
                for (size_t i = 0; i < c->n_by && i < 12; i++)
                        ash_cli_printf(cli, "%s%.*s (%.*s)", i ? ", " : "", ASH_F(name_of(v, c->by[i])), ASH_F(stage_of(v, c->by[i])));
                ash_cli_printf(cli, c->n_by > 12 ? " and %zu more\n" : "\n", c->n_by - 12);
                return;
        }
        for (size_t i = 0; i < c->n_loop; i++) {
                _str_ AshStr text = {};
                format_step(v, &c->loop[i], &text);
                ash_cli_printf(cli, "  %.*s%s\n", ASH_F(ash_str_slice(&text)), i == c->best ? "   <- best broken here" : "");
        }
        ash_cli_print(cli, "  a stage would break it, declared for: ");
        print_some(v, c->by, c->n_by);
        ash_cli_print(cli, "\n");
        print_remedy(v, c->by[0]);
}

static void print_sums(View *v) {
        AshCli *cli = v->cli;
        ash_cli_printf(cli, "critical path: %.*s:", ASH_F(cell_time(v, v->critical_ms, true)));
        for (size_t i = 0; i < v->n_critical; i++)
                ash_cli_printf(cli, "%s %.*s", i ? " ->" : "", ASH_F(name_of(v, v->critical[i])));
        ash_cli_printf(cli, "\n%zu component%s, %.*s with %u at once\n", v->n_order, v->n_order == 1 ? "" : "s", ASH_F(cell_time(v, v->ms, true)), v->jobs);
        const char *because = v->plan->plain_because;
        if (v->plan->plain)
                ash_cli_printf(cli, "specs were read without running rpm%s%s%s: what only its macros know is left out\n", because ? " (" : "", because ? because : "", because ? ")" : "");
        else if (because)
                ash_cli_printf(cli, "not every stage's buildroot can be made yet (%s): specs of those were read in another stage's\n", because);
}

static bool is_unread(const AshFlowPlanItem *item) { return item->state == ASH_PLAN_UNKNOWN; }
static bool is_unasked(const AshFlowPlanItem *item) { return item->dynamic && !item->asked_known; }

/* Those shown of which something holds. */
static size_t those(View *v, bool (*is)(const AshFlowPlanItem *item), uint32_t **ret) {
        size_t n = 0;
        *ret = ash_arena_new_items(v->arena, uint32_t, v->n_order + 1);
        for (size_t i = 0; i < v->n_order; i++)
                if (is(&v->plan->items[v->order[i]]))
                        (*ret)[n++] = v->order[i];
        return n;
}

/* What the plan does not know. */
static void print_gaps(View *v) {
        uint32_t *some;
        size_t n = those(v, is_unread, &some);
        if (n) {
                ash_cli_printf(v->cli, "%zu component%s left out, as the spec%s cannot be read: ", n, n == 1 ? " is" : "s are", n == 1 ? "" : "s");
                print_some(v, some, n);
                ash_cli_print(v->cli, "\n");
        }
        n = those(v, is_unasked, &some);
        if (n) {
                ash_cli_printf(v->cli, "%zu component%s for more while %s built, which is not known yet: ", n, n == 1 ? " asks" : "s ask", n == 1 ? "it is" : "they are");
                print_some(v, some, n);
                ash_cli_print(v->cli, "\n");
        }
}

static bool touches(const View *v, const AshGraphCycle *c) {
        for (size_t i = 0; i < c->n; i++)
                if (!v->wanted || v->wanted[c->members[i]])
                        return true;
        return false;
}

static void print_plan(View *v) {
        const AshGraphCycle *cycles;
        size_t n = ash_graph_cycles(v->plan->graph, &cycles);
        print_components(v, NULL);
        ash_cli_print(v->cli, "\n");
        for (size_t i = 0; i < n; i++)
                if (touches(v, &cycles[i]))
                        print_cycle(v, &cycles[i]);
        print_sums(v);
        print_gaps(v);
}

/* ---- JSON ---- */
static void json_names(const View *v, AshJson *j, const char *key, const uint32_t *components, size_t n) {
        ash_json_begin(j, key, '[');
        for (size_t i = 0; i < n; i++)
                ash_json_text(j, NULL, name_of(v, components[i]));
        ash_json_end(j, ']');
}

static double seconds(uint64_t ms) { return (double) ms / 1000; }

static void json_component(View *v, AshJson *j, uint32_t c) {
        const AshGraph *g = v->plan->graph;
        const AshFlowPlanItem *item = &v->plan->items[c];
        uint32_t *direct;
        ash_json_begin(j, NULL, '{');
        ash_json_text(j, "name", name_of(v, c));
        ash_json_uint(j, "level", ash_graph_level(g, c));
        ash_json_text(j, "stage", stage_of(v, c));
        ash_json_bool(j, "staged", ash_graph_is_staged(g, c));
        ash_json_bool(j, "cut", ash_graph_is_cut(g, c));
        ash_json_str(j, "state", ash_flow_plan_state_name(item->state));
        ash_json_double(j, "seconds", seconds(item->ms));
        ash_json_bool(j, "measured", item->measured);
        ash_json_double(j, "rest-seconds", seconds(ash_graph_rest_ms(g, c)));
        size_t n = ash_graph_direct(g, c, v->arena, &direct);
        json_names(v, j, "needs", direct, n);
        if (item->dynamic)
                ash_json_bool(j, "dynamic-known", item->asked_known);
        ash_json_end(j, '}');
}

static void json_cycle(View *v, AshJson *j, const AshGraphCycle *c) {
        const AshGraph *g = v->plan->graph;
        ash_json_begin(j, NULL, '{');
        json_names(v, j, "components", c->members, c->n);
        ash_json_bool(j, "broken", c->broken);
        json_names(v, j, c->broken ? "broken-by" : "would-break", c->by, c->n_by);
        if (!c->broken) {
                ash_json_begin(j, "loop", '[');
                for (size_t i = 0; i < c->n_loop; i++) {
                        static const char *const kinds[] = { "component", "base", "package" };
                        ash_json_begin(j, NULL, '{');
                        ash_json_str(j, "from-kind", kinds[ash_graph_kind(g, c->loop[i].from)]);
                        ash_json_text(j, "from", ash_graph_name(g, c->loop[i].from));
                        ash_json_str(j, "to-kind", kinds[ash_graph_kind(g, c->loop[i].to)]);
                        ash_json_text(j, "to", ash_graph_name(g, c->loop[i].to));
                        ash_json_text(j, "dependency", c->loop[i].dep);
                        ash_json_bool(j, "best", i == c->best);
                        ash_json_end(j, '}');
                }
                ash_json_end(j, ']');
        }
        ash_json_end(j, '}');
}

static void json_sums(View *v, AshJson *j) {
        AshGraphCounts n = ash_graph_counts(v->plan->graph);
        ash_json_begin(j, "critical-path", '{');
        ash_json_double(j, "seconds", seconds(v->critical_ms));
        json_names(v, j, "components", v->critical, v->n_critical);
        ash_json_end(j, '}');
        ash_json_uint(j, "jobs", v->jobs);
        ash_json_double(j, "seconds", seconds(v->ms));
        ash_json_str(j, "reader", v->plan->plain ? "plain" : "rpmspec");
        uint32_t *some;
        size_t unread = those(v, is_unread, &some);
        json_names(v, j, "left-out", some, unread);
        size_t unasked = those(v, is_unasked, &some);
        json_names(v, j, "dynamic-unknown", some, unasked);
        ash_json_begin(j, "counts", '{');
        ash_json_uint(j, "components", n.components);
        ash_json_uint(j, "packages", n.packages);
        ash_json_uint(j, "provides", n.provides);
        ash_json_uint(j, "requirements", n.needs);
        ash_json_uint(j, "met-elsewhere", n.external);
        ash_json_uint(j, "specs-read", v->plan->n_read);
        ash_json_uint(j, "specs-known", v->plan->n_cached);
        ash_json_uint(j, "specs-failed", v->plan->n_failed);
        ash_json_uint(j, "from-built-packages", v->plan->n_from_builds);
        ash_json_uint(j, "dynamic-unknown", unasked);
        ash_json_end(j, '}');
}

static void json_plan(View *v) {
        AshJson j = ash_cli_json(v->cli);
        const AshGraphCycle *cycles;
        size_t n = ash_graph_cycles(v->plan->graph, &cycles);
        ash_json_begin(&j, NULL, '{');
        ash_json_begin(&j, "components", '[');
        for (size_t i = 0; i < v->n_order; i++)
                json_component(v, &j, v->order[i]);
        ash_json_end(&j, ']');
        ash_json_begin(&j, "cycles", '[');
        for (size_t i = 0; i < n; i++)
                if (touches(v, &cycles[i]))
                        json_cycle(v, &j, &cycles[i]);
        ash_json_end(&j, ']');
        json_sums(v, &j);
        ash_json_end(&j, '}');
        ash_cli_print(v->cli, "\n");
}

/* ---- dot ---- */
static void dot_name(AshCli *cli, AshSlice name) {
        _str_ AshStr out = {};
        for (size_t i = 0; i < name.len; i++) {
                if (name.ptr[i] == '"' || name.ptr[i] == '\\')
                        ash_str_append_char(&out, '\\');
                ash_str_append_char(&out, name.ptr[i]);
        }
        ash_cli_printf(cli, "\"%.*s\"", ASH_F(ash_str_slice(&out)));
}

static void dot_plan(View *v) {
        AshCli *cli = v->cli;
        const AshGraph *g = v->plan->graph;
        ash_cli_print(cli, "digraph build {\n        rankdir=RL\n");
        for (size_t i = 0; i < v->n_order; i++) {
                uint32_t c = v->order[i], *direct;
                ash_cli_print(cli, "        ");
                dot_name(cli, name_of(v, c));
                ash_cli_print(cli, ash_graph_is_staged(g, c) ? " [style=dashed]\n" : ash_graph_is_cut(g, c) ? " [color=red]\n" : "\n");
                size_t n = ash_graph_direct(g, c, v->arena, &direct);
                for (size_t k = 0; k < n; k++) {
                        if (v->wanted && !v->wanted[direct[k]])
                                continue;
                        ash_cli_print(cli, "        ");
                        dot_name(cli, name_of(v, c));
                        ash_cli_print(cli, " -> ");
                        dot_name(cli, name_of(v, direct[k]));
                        ash_cli_print(cli, "\n");
                }
        }
        ash_cli_print(cli, "}\n");
}

static int end_of(const View *v) { return v->plan->n_failed ? 1 : 0; }

static int run_plan(AshCli *cli) {
        _cleanup_(view_done) View v = {};
        bool all = ash_cli_flag(cli, "all");
        if (all == (cli->n_args > 0))
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "names of components, or --all");
        int r = make_plan(cli, &v);
        _free_ uint32_t *named = ash_calloc(cli->n_args + 1, sizeof *named);
        if (r >= 0)
                r = find_named(&v, named);
        if (r < 0)
                return r;
        if (!all)
                v.wanted = ash_graph_needed(v.plan->graph, named, cli->n_args);
        put_in_order(&v);
        if (ash_cli_flag(cli, "dot"))
                dot_plan(&v);
        else if (cli->json)
                json_plan(&v);
        else
                print_plan(&v);
        return end_of(&v);
}

/* ---- impact ---- */
static void json_impact(View *v, uint32_t component, const uint32_t *wave) {
        AshJson j = ash_cli_json(v->cli);
        ash_json_begin(&j, NULL, '{');
        ash_json_text(&j, "component", name_of(v, component));
        ash_json_begin(&j, "waves", '[');
        for (uint32_t n = 2, any = 1; any; n++) {
                any = 0;
                for (uint32_t i = 0; i < v->plan->input.n_components; i++)
                        if (wave[i] == n) {
                                if (!any++)
                                        ash_json_begin(&j, NULL, '[');
                                ash_json_text(&j, NULL, name_of(v, i));
                        }
                if (any)
                        ash_json_end(&j, ']');
        }
        ash_json_end(&j, ']');
        json_names(v, &j, "order", v->order, v->n_order);
        json_sums(v, &j);
        ash_json_end(&j, '}');
        ash_cli_print(v->cli, "\n");
}

static void print_impact(View *v, const uint32_t *wave) {
        size_t direct = 0;
        for (uint32_t i = 0; i < v->plan->input.n_components; i++)
                direct += wave[i] == 2;
        print_components(v, wave);
        ash_cli_printf(v->cli, "\n%zu component%s its packages in the buildroot; %zu more follow if what is built from those changes\n", direct, direct == 1 ? " has" : "s have", v->n_order - direct - 1);
        print_sums(v);
}

static int run_impact(AshCli *cli) {
        _cleanup_(view_done) View v = {};
        uint32_t component;
        int r = make_plan(cli, &v);
        if (r >= 0)
                r = find_named(&v, &component);
        if (r < 0)
                return r;
        _free_ uint32_t *wave = ash_graph_impact(v.plan->graph, component);
        v.wanted = ash_calloc(v.plan->input.n_components + 1, 1);
        for (uint32_t i = 0; i < v.plan->input.n_components; i++)
                v.wanted[i] = wave[i] > 0;
        put_in_order(&v);
        if (ash_cli_flag(cli, "dot"))
                dot_plan(&v);
        else if (cli->json)
                json_impact(&v, component, wave);
        else
                print_impact(&v, wave);
        return end_of(&v);
}

#define PLAN_OPTIONS                                                                                                      \
        ASH_UPSTREAM_OPTIONS, ASH_FLOW_OPTIONS,                                                                           \
        { "plain", .doc = "read specs without running rpm, in no buildroot" }, { "arch", "ARCH", "plan for this architecture (default: this machine's)" }, { "dot", .doc = "write the graph as Graphviz takes it: what each component's build requires directly" }

const AshCliVerb ash_verbs_build[] = {
        { "plan", "show in which order components are built",
          .doc = "The order follows from what specs need for their builds, and from what packages provide and require. Shown are the level (everything that a component needs is on lower ones), how many other "
                 "components its BuildRequires mean, and how long its build takes; a time with '~' is an estimate. Below stand cycles, what breaks them, and the longest chain of builds.\n\n"
                 "With names: those components and everything that must be built before them.",
          .args = ASH_ARGS({ "NAME", "a component", ASH_KIND_COMPONENT, ASH_ARG_OPTIONAL | ASH_ARG_MANY }),
          .options = ASH_OPTIONS({ "all", .doc = "all components" }, PLAN_OPTIONS), .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE, .run = run_plan },
        { "impact", "show what a change of a component rebuilds",
          .doc = "Wave 1 are the components whose buildroots have a package of the changed one; wave 2 those that have a package of wave 1, and so on. A later wave is rebuilt only where what was built before it "
                 "came out different.",
          .args = ASH_ARGS({ "NAME", "a component", ASH_KIND_COMPONENT }), .options = ASH_OPTIONS(PLAN_OPTIONS), .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE, .run = run_impact },
        {},
};
