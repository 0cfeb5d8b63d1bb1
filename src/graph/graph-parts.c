/* Strongly connected parts: R. Tarjan, "Depth-first search and linear graph algorithms" (1972), with a stack of our own. */
#include "graph-private.h"

typedef struct Frame {
        uint32_t node, edge;
} Frame;

typedef struct Tarjan {
        const AshGraph *g;
        const uint32_t *inside;
        uint32_t mark;
        uint32_t *index, *low;        /* index 0: not seen yet */
        bool *open;
        uint32_t next;
        ASH_ARRAY(uint32_t) stack;
        ASH_ARRAY(Frame) frames;
        ASH_ARRAY(uint32_t) nodes;
        ASH_ARRAY(uint32_t) begin;
        uint32_t *of;
} Tarjan;

static void enter(Tarjan *t, uint32_t node) {
        t->index[node] = t->low[node] = ++t->next;
        t->open[node] = true;
        ash_array_push(&t->stack, node);
        ash_array_push(&t->frames, ((Frame){ node, t->g->cut[node] ? t->g->out.begin[node + 1] : t->g->out.begin[node] }));
}

static void leave(Tarjan *t, uint32_t node) {
        if (t->low[node] != t->index[node])
                return;
        uint32_t part = (uint32_t) t->begin.n, member;
        ash_array_push(&t->begin, (uint32_t) t->nodes.n);
        do {
                member = t->stack.items[--t->stack.n];
                t->open[member] = false;
                t->of[member] = part;
                ash_array_push(&t->nodes, member);
        } while (member != node);
}

static void visit(Tarjan *t, uint32_t root) {
        enter(t, root);
        while (t->frames.n) {
                Frame *f = ash_array_last(&t->frames);
                uint32_t node = f->node;
                if (f->edge == t->g->out.begin[node + 1]) {
                        leave(t, node);
                        if (--t->frames.n) {
                                uint32_t above = ash_array_last(&t->frames)->node;
                                t->low[above] = ASH_MIN(t->low[above], t->low[node]);
                        }
                        continue;
                }
                uint32_t to = t->g->out.items[f->edge++].to;
                if (t->inside && t->inside[to] != t->mark)
                        continue;
                if (!t->index[to])
                        enter(t, to);
                else if (t->open[to])
                        t->low[node] = ASH_MIN(t->low[node], t->index[to]);
        }
}

void ash_graph_parts_of(const AshGraph *g, const uint32_t *nodes, size_t n, const uint32_t *inside, uint32_t mark, AshGraphParts *ret) {
        Tarjan t = { .g = g, .inside = inside, .mark = mark, .index = ash_calloc(g->n_nodes, 4), .low = ash_calloc(g->n_nodes, 4), .open = ash_calloc(g->n_nodes, 1), .of = ash_calloc(g->n_nodes, 4) };
        for (size_t i = 0; i < n; i++) {
                uint32_t node = nodes ? nodes[i] : (uint32_t) i;
                if (!t.index[node])
                        visit(&t, node);
        }
        *ret = (AshGraphParts){ .of = t.of, .n = (uint32_t) t.begin.n };
        ash_array_push(&t.begin, (uint32_t) t.nodes.n);
        ret->begin = t.begin.items;
        ret->nodes = t.nodes.items;
        free(t.index);
        free(t.low);
        free(t.open);
        ash_array_done(&t.stack);
        ash_array_done(&t.frames);
}

void ash_graph_parts_done(AshGraphParts *p) {
        free(p->of);
        free(p->begin);
        free(p->nodes);
        *p = (AshGraphParts){};
}
