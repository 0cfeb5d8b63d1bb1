/* graph: in which order components are built, and what follows from a change of one. Pure: knows no files and no specs, only what each component needs and gives (docs/build-graph.md).
 *
 * Nodes are components, bases (what is in every buildroot of a stage) and packages. A component needs the packages that its BuildRequires ask for and its base; a package needs its component to
 * be built, and the packages that it requires. So B is built before A exactly when a path leads from A to B. Everything is numbered and sorted: the answers depend on nothing else. */
#pragma once
#include "model-package.h"
#include "solve.h"

typedef struct AshGraphBase {
        AshSlice stage;
        AshDeps packages;             /* in every buildroot */
        bool built;                   /* takes packages that components gave; else nothing that is built here comes before its builds */
        bool other;                   /* its own packages come from elsewhere, all but those of components whose base takes nothing from components: which of them elsewhere has is not known */
        const AshPackage *imports;    /* what every buildroot has from elsewhere: where one of these meets what the base or a package requires, no component's package is meant. What a component itself asks for is another matter */
        size_t n_imports;
} AshGraphBase;

typedef struct AshGraphComponent {
        AshSlice name;
        uint32_t base;                /* index in bases */
        AshDeps needs;                /* BuildRequires */
        const AshPackage *packages;   /* what it gives */
        size_t n_packages;
        uint64_t ms;                  /* that a build takes */
} AshGraphComponent;

typedef struct AshGraphInput {
        const char *arch;
        const AshGraphBase *bases;
        size_t n_bases;
        const AshGraphComponent *components; /* sorted by name */
        size_t n_components;
} AshGraphInput;

typedef enum AshGraphKind { ASH_GRAPH_COMPONENT, ASH_GRAPH_BASE, ASH_GRAPH_PACKAGE } AshGraphKind;
typedef struct AshGraphStep {
        uint32_t from, to;            /* nodes: from needs to ... */
        AshSlice dep;                 /* ... by this dependency; empty: a package needs its component, a component its base */
} AshGraphStep;

typedef struct AshGraphCycle {
        uint32_t *members;            /* components that need each other, sorted */
        size_t n;
        bool broken;                  /* by declaration: "by" are those members whose stage takes nothing from components */
        uint32_t *by;                 /* not broken: those for which a stage would break it. What is said of order and levels holds as if it were declared for them */
        size_t n_by;
        AshGraphStep *loop;           /* not broken: the shortest way from a component back to it (of large cycles a short one), and of it the step ... */
        size_t n_loop, best;          /* ... that a stage would best break */
} AshGraphCycle;

typedef struct AshGraph AshGraph;
/* Borrows the input. */
AshGraph *ash_graph_new(const AshGraphInput *in);
void ash_graph_free(AshGraph *g);
ASH_DEFINE_CLEANUP(AshGraph *, ash_graph_free)

/* Nodes 0 to n_components - 1 are the components, in their order. */
AshGraphKind ash_graph_kind(const AshGraph *g, uint32_t node);
AshSlice ash_graph_name(const AshGraph *g, uint32_t node);         /* component, stage or package */
typedef struct AshGraphCounts {
        size_t components, packages, provides, needs, edges, external; /* external: requirements that no component's packages meet */
} AshGraphCounts;
AshGraphCounts ash_graph_counts(const AshGraph *g);

/* Components of which this one has a package in its buildroot because of its own BuildRequires (not because of what those or its base require), sorted. In the arena. */
size_t ash_graph_direct(const AshGraph *g, uint32_t component, AshArena *arena, uint32_t **ret);
/* Whether its stage takes nothing from components; whether the order leaves out what it needs, because of a cycle that nothing else breaks. */
bool ash_graph_is_staged(const AshGraph *g, uint32_t component);
bool ash_graph_is_cut(const AshGraph *g, uint32_t component);

size_t ash_graph_cycles(const AshGraph *g, const AshGraphCycle **ret);
uint32_t ash_graph_level(const AshGraph *g, uint32_t component);    /* from 1: everything that it needs is on lower ones */
uint32_t ash_graph_levels(const AshGraph *g);
uint64_t ash_graph_rest_ms(const AshGraph *g, uint32_t component);  /* from its start to the end of the longest chain of builds that wait for it */

/* The components whose packages are meant by these requirements of one ("name >= version"), sorted, without itself. In the arena. */
size_t ash_graph_givers(const AshGraph *g, uint32_t component, const AshSlice *deps, size_t n, AshArena *arena, uint32_t **ret);

/* Everything that must be built before any of these, and they themselves: flags, one for each component; to be freed. */
bool *ash_graph_needed(const AshGraph *g, const uint32_t *components, size_t n);

/* What a change of one component rebuilds. For each component: 0 nothing, 1 itself, 2 its buildroot has a package of it, n + 1 its buildroot has a package of one that has n. To be freed. */
uint32_t *ash_graph_impact(const AshGraph *g, uint32_t component);

/* The longest chain of builds among those wanted (NULL: all), first to last, in the arena. Returns its time. */
uint64_t ash_graph_critical(const AshGraph *g, const bool *wanted, AshArena *arena, uint32_t **ret, size_t *ret_n);

/* ---- a walk: which component may be built next ---- */
typedef struct AshGraphRun AshGraphRun;
/* wanted: flags; NULL: all. What is not wanted is there already. */
AshGraphRun *ash_graph_run_new(const AshGraph *g, const bool *wanted);
void ash_graph_run_free(AshGraphRun *run);
ASH_DEFINE_CLEANUP(AshGraphRun *, ash_graph_run_free)
/* One of those that wait for nothing, the one with the longest chain behind it first; UINT32_MAX: none just now. */
uint32_t ash_graph_run_peek(const AshGraphRun *run);
void ash_graph_run_start(AshGraphRun *run, uint32_t component);
void ash_graph_run_done(AshGraphRun *run, uint32_t component);
/* A started one needs these, too, as its build says: it waits for those of them that are wanted and not built yet, and do not wait for it themselves. Returns how many: 0: for none, it still counts as started. */
size_t ash_graph_run_wait(AshGraphRun *run, uint32_t component, const uint32_t *on, size_t n);
/* The first of these that could not be built; UINT32_MAX: none. */
uint32_t ash_graph_run_lost(const AshGraphRun *run, const uint32_t *on, size_t n);
/* A started one may be started again. */
void ash_graph_run_again(AshGraphRun *run, uint32_t component);
/* Calls back for each wanted component that can now not be built, in their order. */
void ash_graph_run_failed(AshGraphRun *run, uint32_t component, void (*skipped)(void *context, uint32_t component, uint32_t because), void *context);
/* How long builds would take with so many at once, and in which order they would start (may be NULL; room for all components). */
uint64_t ash_graph_simulate(const AshGraph *g, const bool *wanted, unsigned jobs, uint32_t *ret_order, size_t *ret_n);
