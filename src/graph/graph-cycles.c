/* Cycles: which components need each other, what breaks that, and what would. */
#include "graph-private.h"

typedef struct Search {
        AshGraph *g;
        uint32_t *inside;             /* of each node: the number of the part that is looked at */
        uint32_t mark;
        ASH_ARRAY(uint32_t) cuts;     /* made in this cycle */
} Search;


static size_t components_in(const AshGraph *g, const uint32_t *nodes, size_t n) {
        size_t k = 0;
        for (size_t i = 0; i < n; i++)
                k += nodes[i] < g->n_components;
        return k;
}

/* A component alone is none: what it gave is never in its own buildroot. */
static bool is_cycle(const AshGraph *g, const uint32_t *nodes, size_t n) { return components_in(g, nodes, n) > 1; }

static int by_number(const void *a, const void *b) {
        uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
        return (x > y) - (x < y);
}

static uint32_t *sorted_components(const AshGraph *g, const uint32_t *nodes, size_t n, const bool *only, size_t *ret_n) {
        size_t k = 0;
        uint32_t *out = ash_arena_new_items(g->arena, uint32_t, components_in(g, nodes, n) + 1);
        for (size_t i = 0; i < n; i++)
                if (nodes[i] < g->n_components && (!only || only[nodes[i]]))
                        out[k++] = nodes[i];
        if (k)
                qsort(out, k, sizeof *out, by_number);
        *ret_n = k;
        return out;
}

/* ---- which component a stage would best be declared for ---- */
/* How many needs lead through it: those of others that its packages meet, a base counting as often as it is used, times its own. */
static uint64_t score(const Search *s, uint32_t component, const uint32_t *base_users) {
        const AshGraph *g = s->g;
        uint64_t in = 0, out = 0;
        ash_graph_back(g, component, package) {
                if (s->inside[package->to] != s->mark)
                        continue;
                ash_graph_back(g, package->to, e)
                        if (s->inside[e->to] == s->mark)
                                in += ash_graph_kind(g, e->to) == ASH_GRAPH_BASE ? base_users[e->to - g->n_components] : 1;
        }
        ash_graph_out(g, component, e)
                out += s->inside[e->to] == s->mark;
        return in * out;
}

typedef struct Scored {
        uint64_t score;
        uint32_t component;
} Scored;

static int by_score(const void *a, const void *b) {
        const Scored *x = a, *y = b;
        return x->score != y->score ? (x->score < y->score ? 1 : -1) : (x->component > y->component) - (x->component < y->component);
}

/* Of a part as large as those that real trees have when nothing is declared, one in a hundred at once. */
static void cut_best(Search *s, const uint32_t *nodes, size_t n) {
        AshGraph *g = s->g;
        _free_ uint32_t *users = ash_calloc(g->n_bases + 1, 4);
        ASH_ARRAY(Scored) scored = {};
        for (size_t i = 0; i < n; i++)
                if (nodes[i] < g->n_components)
                        users[g->in->components[nodes[i]].base]++;
        for (size_t i = 0; i < n; i++)
                if (nodes[i] < g->n_components)
                        ash_array_push(&scored, ((Scored){ score(s, nodes[i], users), nodes[i] }));
        qsort(scored.items, scored.n, sizeof *scored.items, by_score);
        for (size_t i = 0; i < ASH_MAX((size_t) 1, scored.n / 100); i++) {
                g->cut[scored.items[i].component] = true;
                ash_array_push(&s->cuts, scored.items[i].component);
        }
        ash_array_done(&scored);
}

static void break_part(Search *s, const uint32_t *nodes, size_t n) {
        AshGraph *g = s->g;
        typedef struct Work { uint32_t *nodes; size_t n; } Work;
        ASH_ARRAY(Work) todo = {};
        ash_array_push(&todo, ((Work){ memcpy(ash_calloc(n, 4), nodes, n * 4), n }));
        while (todo.n) {
                Work w = todo.items[--todo.n];
                s->mark++;
                for (size_t i = 0; i < w.n; i++)
                        s->inside[w.nodes[i]] = s->mark;
                cut_best(s, w.nodes, w.n);
                AshGraphParts parts;
                ash_graph_parts_of(g, w.nodes, w.n, s->inside, s->mark, &parts);
                for (uint32_t i = 0; i < parts.n; i++) {
                        size_t k = parts.begin[i + 1] - parts.begin[i];
                        const uint32_t *members = parts.nodes + parts.begin[i];
                        if (is_cycle(g, members, k))
                                ash_array_push(&todo, ((Work){ memcpy(ash_calloc(k, 4), members, k * 4), k }));
                }
                ash_graph_parts_done(&parts);
                free(w.nodes);
        }
        ash_array_done(&todo);
}

static bool is_acyclic(Search *s, const uint32_t *nodes, size_t n) {
        AshGraphParts parts;
        bool good = true;
        s->mark++;
        for (size_t i = 0; i < n; i++)
                s->inside[nodes[i]] = s->mark;
        ash_graph_parts_of(s->g, nodes, n, s->inside, s->mark, &parts);
        for (uint32_t i = 0; i < parts.n && good; i++)
                good = !is_cycle(s->g, parts.nodes + parts.begin[i], parts.begin[i + 1] - parts.begin[i]);
        ash_graph_parts_done(&parts);
        return good;
}

enum { WORK_MAX = 20000000 };

/* A later cut can make an earlier one needless. */
static void drop_needless(Search *s, const uint32_t *nodes, size_t n) {
        AshGraph *g = s->g;
        size_t kept = 0;
        for (size_t i = 0; i < s->cuts.n; i++) {
                uint32_t c = s->cuts.items[i];
                if (s->cuts.n * n < WORK_MAX) {
                        g->cut[c] = false;
                        g->cut[c] = !is_acyclic(s, nodes, n);
                }
                if (g->cut[c])
                        s->cuts.items[kept++] = c;
        }
        s->cuts.n = kept;
}

/* ---- the shortest loop ---- */
typedef struct Trail {
        uint32_t node, from, dep, depth;
        bool beyond;                 /* another component is on the way here */
} Trail;

typedef struct Loop {
        AshGraphStep *steps;
        uint32_t *deps;
        size_t n;
} Loop;

static void trace_back(const Trail *queue, size_t head, uint32_t start, uint32_t dep, Loop *ret) {
        ret->n = queue[head].depth + 1;
        ret->steps[ret->n - 1] = (AshGraphStep){ .from = queue[head].node, .to = start };
        ret->deps[ret->n - 1] = dep;
        for (uint32_t at = (uint32_t) head, k = (uint32_t) ret->n - 1; k-- > 0; at = queue[at].from) {
                ret->steps[k] = (AshGraphStep){ .from = queue[queue[at].from].node, .to = queue[at].node };
                ret->deps[k] = queue[at].dep;
        }
}

/* Breadth first from a component over another one back to it, in less than "limit" steps: its own packages, which are never in its buildroot, lead nowhere before that. seen has two places a node. */
static bool loop_from(const Search *s, uint32_t start, size_t limit, uint32_t *seen, uint32_t stamp, Trail *queue, Loop *ret) {
        const AshGraph *g = s->g;
        size_t head = 0, tail = 0;
        queue[tail++] = (Trail){ .node = start, .from = UINT32_MAX };
        for (; head < tail && queue[head].depth + 1 < limit; head++)
                ash_graph_out(g, queue[head].node, e) {
                        bool beyond = queue[head].beyond || (e->to < g->n_components && e->to != start);
                        if (s->inside[e->to] != s->mark || seen[2 * (size_t) e->to + beyond] == stamp || (!beyond && e->to == start))
                                continue;
                        if (e->to == start) {
                                trace_back(queue, head, start, e->dep, ret);
                                return true;
                        }
                        seen[2 * (size_t) e->to + beyond] = stamp;
                        queue[tail++] = (Trail){ e->to, (uint32_t) head, e->dep, queue[head].depth + 1, beyond };
                }
        return false;
}

static void find_loop(Search *s, AshGraphCycle *cycle, const uint32_t *nodes, size_t n) {
        AshGraph *g = s->g;
        _free_ uint32_t *seen = ash_calloc(2 * (size_t) g->n_nodes, 4), *deps = ash_calloc(2 * n + 1, 4), *best = ash_calloc(2 * n + 1, 4);
        _free_ Trail *queue = ash_calloc(2 * n + 1, sizeof *queue);
        _free_ AshGraphStep *steps = ash_calloc(2 * n + 1, sizeof *steps);
        size_t limit = 2 * n + 1, tries = ASH_MAX((size_t) 64, WORK_MAX / n);
        cycle->loop = ash_arena_new_items(g->arena, AshGraphStep, 2 * n + 1);
        s->mark++;
        for (size_t i = 0; i < n; i++)
                s->inside[nodes[i]] = s->mark;
        for (size_t i = 0; i < cycle->n && i < tries; i++) {
                Loop loop = { .steps = steps, .deps = deps };
                if (!loop_from(s, cycle->members[i], limit, seen, (uint32_t) i + 1, queue, &loop))
                        continue;
                limit = cycle->n_loop = loop.n;
                memcpy(cycle->loop, steps, loop.n * sizeof *steps);
                memcpy(best, deps, loop.n * sizeof *deps);
        }
        for (size_t i = 0; i < cycle->n_loop; i++)
                cycle->loop[i].dep = best[i] ? ash_universe_need_text(g->universe, best[i], g->arena) : ASH_NOSLICE;
}

/* The step out of a component for which a stage is best declared; by their order in "cuts", which starts with the best. */
static void find_best(const AshGraph *g, const Search *s, AshGraphCycle *cycle) {
        ash_array_foreach(&s->cuts, c)
                for (size_t i = 0; i < cycle->n_loop; i++)
                        if (cycle->loop[i].from == *c) {
                                cycle->best = i;
                                return;
                        }
        for (size_t i = 0; i < cycle->n_loop; i++)
                if (cycle->loop[i].from < g->n_components) {
                        cycle->best = i;
                        return;
                }
}

static void add_open_cycle(Search *s, const uint32_t *nodes, size_t n) {
        AshGraph *g = s->g;
        AshGraphCycle cycle = {};
        cycle.members = sorted_components(g, nodes, n, NULL, &cycle.n);
        find_loop(s, &cycle, nodes, n);
        s->cuts.n = 0;
        break_part(s, nodes, n);
        drop_needless(s, nodes, n);
        find_best(g, s, &cycle);
        cycle.by = sorted_components(g, s->cuts.items, s->cuts.n, NULL, &cycle.n_by);
        ash_array_push(&g->cycles, cycle);
}

/* With nothing cut: what declarations break. */
static void declared_cycles(AshGraph *g) {
        AshGraphParts parts;
        ash_graph_parts_of(g, NULL, g->n_nodes, NULL, 0, &parts);
        for (uint32_t i = 0; i < parts.n; i++) {
                const uint32_t *nodes = parts.nodes + parts.begin[i];
                size_t n = parts.begin[i + 1] - parts.begin[i];
                if (!is_cycle(g, nodes, n))
                        continue;
                AshGraphCycle cycle = { .broken = true };
                cycle.by = sorted_components(g, nodes, n, g->staged, &cycle.n_by);
                if (!cycle.n_by)
                        continue;
                cycle.members = sorted_components(g, nodes, n, NULL, &cycle.n);
                ash_array_push(&g->cycles, cycle);
        }
        ash_graph_parts_done(&parts);
}

static int by_first(const void *a, const void *b) {
        const AshGraphCycle *x = a, *y = b;
        if (x->broken != y->broken)
                return x->broken ? -1 : 1;
        return (x->members[0] > y->members[0]) - (x->members[0] < y->members[0]);
}

void ash_graph_find_cycles(AshGraph *g) {
        Search s = { .g = g, .inside = ash_calloc(g->n_nodes + 1, 4) };
        bool any_built = false;
        for (uint32_t i = 0; i < g->n_bases; i++)
                any_built |= g->in->bases[i].built;
        if (any_built)
                declared_cycles(g);
        memcpy(g->cut, g->staged, g->n_components);
        for (uint32_t i = 0; i < g->n_bases; i++)
                g->cut[g->n_components + i] = !g->in->bases[i].built;
        AshGraphParts parts;
        ash_graph_parts_of(g, NULL, g->n_nodes, NULL, 0, &parts);
        for (uint32_t i = 0; i < parts.n; i++)
                if (is_cycle(g, parts.nodes + parts.begin[i], parts.begin[i + 1] - parts.begin[i]))
                        add_open_cycle(&s, parts.nodes + parts.begin[i], parts.begin[i + 1] - parts.begin[i]);
        ash_graph_parts_done(&parts);
        ash_array_done(&s.cuts);
        free(s.inside);
        if (g->cycles.n)
                qsort(g->cycles.items, g->cycles.n, sizeof *g->cycles.items, by_first);
}
