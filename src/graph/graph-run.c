/* A walk over the graph as builds end: what may start next, and what can no longer be built. */
#include "graph-private.h"

typedef enum State { WAITING, READY, RUNNING, DONE, FAILED, SKIPPED } State;

typedef struct Late {
        uint32_t from, to;            /* components */
} Late;

struct AshGraphRun {
        const AshGraph *g;
        bool *wanted;
        uint32_t *waits;              /* of each part: edges to parts that are not done */
        uint8_t *state;               /* of each component */
        ASH_ARRAY(uint32_t) ready;    /* a heap: the first one is next */
        ASH_ARRAY(uint32_t) finished; /* parts whose dependents are to be told */
        ASH_ARRAY(Late) late;         /* what builds said that they need, as long as it is not there */
};

static bool comes_first(const AshGraph *g, uint32_t a, uint32_t b) {
        uint64_t x = ash_graph_rest_ms(g, a), y = ash_graph_rest_ms(g, b);
        return x != y ? x > y : a < b;
}

static void push_ready(AshGraphRun *run, uint32_t component) {
        run->state[component] = READY;
        ash_array_push(&run->ready, component);
        uint32_t *h = run->ready.items;
        for (size_t i = run->ready.n - 1; i && comes_first(run->g, h[i], h[(i - 1) / 2]); i = (i - 1) / 2) {
                uint32_t swap = h[i];
                h[i] = h[(i - 1) / 2];
                h[(i - 1) / 2] = swap;
        }
}

static void take_ready(AshGraphRun *run, size_t at) {
        uint32_t *h = run->ready.items;
        h[at] = h[--run->ready.n];
        for (size_t i = at; i < run->ready.n && i && comes_first(run->g, h[i], h[(i - 1) / 2]); i = (i - 1) / 2) {
                uint32_t swap = h[i];
                h[i] = h[(i - 1) / 2];
                h[(i - 1) / 2] = swap;
        }
        for (size_t i = at;;) {
                size_t best = i;
                for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < run->ready.n; k++)
                        best = comes_first(run->g, h[k], h[best]) ? k : best;
                if (best == i)
                        return;
                uint32_t swap = h[i];
                h[i] = h[best];
                h[best] = swap;
                i = best;
        }
}

/* Does it wait for what it needs? Not what is cut, and not what is there already. */
static bool does_wait(const AshGraphRun *run, uint32_t node) { return !run->g->cut[node] && (node >= run->g->n_components || run->wanted[node]); }

/* A part has one component at most, as cycles are cut. */
static uint32_t component_of(const AshGraph *g, uint32_t part) {
        for (uint32_t k = g->parts.begin[part]; k < g->parts.begin[part + 1]; k++)
                if (g->parts.nodes[k] < g->n_components)
                        return g->parts.nodes[k];
        return UINT32_MAX;
}

static void part_is_free(AshGraphRun *run, uint32_t part) {
        uint32_t component = component_of(run->g, part);
        if (component == UINT32_MAX || !run->wanted[component])
                ash_array_push(&run->finished, part);
        else if (run->state[component] == WAITING)
                push_ready(run, component);
}

static void tell_dependents(AshGraphRun *run) {
        const AshGraph *g = run->g;
        while (run->finished.n) {
                uint32_t part = run->finished.items[--run->finished.n];
                for (uint32_t k = g->parts.begin[part]; k < g->parts.begin[part + 1]; k++)
                        ash_graph_back(g, g->parts.nodes[k], e) {
                                uint32_t from = g->parts.of[e->to];
                                if (from != part && does_wait(run, e->to) && --run->waits[from] == 0)
                                        part_is_free(run, from);
                        }
        }
}

AshGraphRun *ash_graph_run_new(const AshGraph *g, const bool *wanted) {
        AshGraphRun *run = ash_calloc(1, sizeof *run);
        const AshGraphParts *p = &g->parts;
        run->g = g;
        run->wanted = ash_calloc(g->n_components + 1, 1);
        for (uint32_t i = 0; i < g->n_components; i++)
                run->wanted[i] = !wanted || wanted[i];
        run->waits = ash_calloc(p->n + 1, 4);
        run->state = ash_calloc(g->n_components + 1, 1);
        for (uint32_t node = 0; node < g->n_nodes; node++)
                if (does_wait(run, node))
                        ash_graph_out(g, node, e)
                                run->waits[p->of[node]] += p->of[e->to] != p->of[node];
        _free_ bool *start = ash_calloc(p->n + 1, 1);
        for (uint32_t i = 0; i < p->n; i++)
                start[i] = run->waits[i] == 0;
        for (uint32_t i = 0; i < p->n; i++)
                if (start[i])
                        part_is_free(run, i);
        tell_dependents(run);
        return run;
}

void ash_graph_run_free(AshGraphRun *run) {
        if (!run)
                return;
        free(run->wanted);
        free(run->waits);
        free(run->state);
        ash_array_done(&run->ready);
        ash_array_done(&run->finished);
        ash_array_done(&run->late);
        free(run);
}

uint32_t ash_graph_run_peek(const AshGraphRun *run) { return run->ready.n ? run->ready.items[0] : UINT32_MAX; }

void ash_graph_run_start(AshGraphRun *run, uint32_t component) {
        for (size_t i = 0; i < run->ready.n; i++)
                if (run->ready.items[i] == component) {
                        take_ready(run, i);
                        break;
                }
        run->state[component] = RUNNING;
}

/* ---- what builds say that they need ---- */
static bool waits_late(const AshGraphRun *run, uint32_t component) {
        ash_array_foreach(&run->late, l)
                if (l->from == component)
                        return true;
        return false;
}

static void tell_late(AshGraphRun *run, uint32_t done) {
        for (size_t i = 0; i < run->late.n;) {
                Late l = run->late.items[i];
                if (l.to != done) {
                        i++;
                        continue;
                }
                run->late.items[i] = run->late.items[--run->late.n];
                if (run->state[l.from] == WAITING && !waits_late(run, l.from))
                        push_ready(run, l.from);
        }
}

/* Does the build of one come, by whatever way, after that of the other? */
static bool comes_after(const AshGraphRun *run, uint32_t component, uint32_t other) {
        const AshGraph *g = run->g;
        _free_ bool *seen = ash_calloc(g->n_nodes, 1);
        ASH_ARRAY(uint32_t) todo = {};
        bool found = false;
        ash_array_push(&todo, component);
        while (todo.n && !found) {
                uint32_t node = todo.items[--todo.n];
                found = node == other;
                if (seen[node])
                        continue;
                seen[node] = true;
                if (does_wait(run, node))
                        ash_graph_out(g, node, e)
                                ash_array_push(&todo, e->to);
                ash_array_foreach(&run->late, l)
                        if (l->from == node)
                                ash_array_push(&todo, l->to);
        }
        ash_array_done(&todo);
        return found;
}

size_t ash_graph_run_wait(AshGraphRun *run, uint32_t component, const uint32_t *on, size_t n) {
        size_t k = 0;
        for (size_t i = 0; i < n; i++) {
                bool pending = run->wanted[on[i]] && (run->state[on[i]] == WAITING || run->state[on[i]] == READY || run->state[on[i]] == RUNNING);
                if (on[i] == component || !pending || comes_after(run, on[i], component))
                        continue;
                ash_array_push(&run->late, ((Late){ component, on[i] }));
                k++;
        }
        if (k)
                run->state[component] = WAITING;
        return k;
}

uint32_t ash_graph_run_lost(const AshGraphRun *run, const uint32_t *on, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (run->state[on[i]] == FAILED || run->state[on[i]] == SKIPPED)
                        return on[i];
        return UINT32_MAX;
}

void ash_graph_run_again(AshGraphRun *run, uint32_t component) { push_ready(run, component); }

void ash_graph_run_done(AshGraphRun *run, uint32_t component) {
        run->state[component] = DONE;
        ash_array_push(&run->finished, run->g->parts.of[component]);
        tell_dependents(run);
        tell_late(run, component);
}

/* Only what is wanted hands a failure on: what is not wanted stays as it was. */
void ash_graph_run_failed(AshGraphRun *run, uint32_t component, void (*skipped)(void *context, uint32_t component, uint32_t because), void *context) {
        const AshGraph *g = run->g;
        _free_ bool *seen = ash_calloc(g->n_nodes, 1);
        ASH_ARRAY(uint32_t) todo = {};
        run->state[component] = FAILED;
        ash_array_push(&todo, component);
        while (todo.n) {
                uint32_t node = todo.items[--todo.n];
                ash_graph_back(g, node, e)
                        if (!seen[e->to] && does_wait(run, e->to)) {
                                seen[e->to] = true;
                                ash_array_push(&todo, e->to);
                        }
                ash_array_foreach(&run->late, l)
                        if (l->to == node && !seen[l->from]) {
                                seen[l->from] = true;
                                ash_array_push(&todo, l->from);
                        }
        }
        for (uint32_t i = 0; i < g->n_components; i++)
                if (seen[i] && run->state[i] == WAITING) {
                        run->state[i] = SKIPPED;
                        skipped(context, i, component);
                }
        ash_array_done(&todo);
}

/* ---- as it would go ---- */
typedef struct Running {
        uint64_t end;
        uint32_t component;
} Running;

static void end_first(AshGraphRun *run, Running *running, unsigned *n, uint64_t *now) {
        unsigned first = 0;
        for (unsigned i = 1; i < *n; i++)
                if (running[i].end < running[first].end || (running[i].end == running[first].end && running[i].component < running[first].component))
                        first = i;
        *now = running[first].end;
        uint32_t component = running[first].component;
        running[first] = running[--*n];
        ash_graph_run_done(run, component);
}

uint64_t ash_graph_simulate(const AshGraph *g, const bool *wanted, unsigned jobs, uint32_t *ret_order, size_t *ret_n) {
        _cleanup_(ash_graph_run_free_p) AshGraphRun *run = ash_graph_run_new(g, wanted);
        jobs = ASH_MAX(1u, jobs);
        _free_ Running *running = ash_calloc(jobs, sizeof *running);
        unsigned n = 0;
        uint64_t now = 0;
        size_t started = 0;
        for (uint32_t next; (next = ash_graph_run_peek(run)) != UINT32_MAX || n;) {
                if (next == UINT32_MAX || n == jobs) {
                        end_first(run, running, &n, &now);
                        continue;
                }
                ash_graph_run_start(run, next);
                running[n++] = (Running){ now + g->in->components[next].ms, next };
                if (ret_order)
                        ret_order[started] = next;
                started++;
        }
        if (ret_n)
                *ret_n = started;
        return now;
}
