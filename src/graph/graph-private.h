/* Shared by the files of this module only. */
#pragma once
#include "graph.h"

typedef struct AshGraphEdge {
        uint32_t to;
        uint32_t dep;                 /* of the universe; 0: none */
} AshGraphEdge;

/* Edges by node, those of a node together. */
typedef struct AshGraphEdges {
        uint32_t *begin;              /* n_nodes + 1 */
        AshGraphEdge *items;
} AshGraphEdges;

/* Strongly connected parts, numbered so that what a part needs has lower numbers. */
typedef struct AshGraphParts {
        uint32_t *of;                 /* part of each node */
        uint32_t n;
        uint32_t *begin, *nodes;      /* nodes by part */
} AshGraphParts;

struct AshGraph {
        AshArena *arena;
        const AshGraphInput *in;
        AshUniverse *universe;
        uint32_t first_id;            /* in the universe: of node 0 */
        uint32_t n_components, n_bases, n_packages, n_nodes;
        uint32_t *owner;              /* component of each package */
        const AshPackage **packages;
        AshGraphEdges out, back;
        bool *cut;                    /* of each node: what it needs does not count */
        bool *staged;
        AshGraphParts parts;          /* of what remains */
        uint32_t *level;              /* of each part */
        uint64_t *rest;               /* of each part, ms */
        ASH_ARRAY(AshGraphCycle) cycles;
        AshGraphCounts counts;
};

static inline uint32_t ash_graph_package_node(const AshGraph *g, uint32_t i) { return g->n_components + g->n_bases + i; }
static inline bool ash_graph_is_package(const AshGraph *g, uint32_t node) { return node >= g->n_components + g->n_bases; }
#define ash_graph_out(g, node, e) for (const AshGraphEdge *e = (g)->out.items + (g)->out.begin[node], *_end_##e = (g)->out.items + (g)->out.begin[(node) + 1]; e < _end_##e; e++)
#define ash_graph_back(g, node, e) for (const AshGraphEdge *e = (g)->back.items + (g)->back.begin[node], *_end_##e = (g)->back.items + (g)->back.begin[(node) + 1]; e < _end_##e; e++)

/* Nodes of which inside[node] == mark only (inside NULL: all); edges out of cut nodes are left out. "of" of other nodes is left as it is. */
void ash_graph_parts_of(const AshGraph *g, const uint32_t *nodes, size_t n, const uint32_t *inside, uint32_t mark, AshGraphParts *ret);
void ash_graph_parts_done(AshGraphParts *p);
/* Finds the cycles, declared and not, and cuts those that nothing breaks. */
void ash_graph_find_cycles(AshGraph *g);
