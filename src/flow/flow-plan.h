/* What is built before what: the specs of all components, what they need and give, as a graph (docs/build-graph.md). */
#pragma once
#include "flow-upstream.h"
#include "graph.h"
#include "render.h"
#include "specinfo.h"

typedef struct AshFlowPlanOptions {
        AshRenderOptions render;     /* where specs come from */
        AshSlice arch;
        const char *lock_path;       /* pins the buildroot whose rpmspec reads specs; NULL: the plain reader */
} AshFlowPlanOptions;

typedef enum AshFlowPlanState { ASH_PLAN_NEW, ASH_PLAN_CHANGED, ASH_PLAN_BUILT, ASH_PLAN_UNKNOWN, ASH_PLAN_STATE_MAX_ } AshFlowPlanState;
const char *ash_flow_plan_state_name(AshFlowPlanState state); /* "new", "changed", "built"; "unknown": its spec cannot be read */

typedef struct AshFlowPlanItem {
        AshFlowPlanState state;      /* beside what was built last. What the buildroot had then does not count here */
        bool measured;               /* its time and memory are those of its last build here */
        uint64_t ms, memory;         /* of a build; memory: bytes that it needs at its peak, 0: not known */
        size_t n_built;              /* packages that its last build gave, debug and source ones, too */
        const char *fingerprint;     /* of the component as it is now, and by how much its release is raised; NULL: its spec cannot be read */
        uint64_t bumps;
        bool dynamic;                /* its build asks for more than its spec says (%generate_buildrequires) ... */
        bool asked_known;            /* ... and for what is known from its last build here: that counts among its needs */
} AshFlowPlanItem;

typedef struct AshFlowPlan {
        AshArena *arena;
        AshGraphInput input;         /* components in the order of names */
        AshGraph *graph;
        AshFlowPlanItem *items;      /* of each */
        size_t n_read, n_cached, n_failed, n_from_builds; /* specs read now, known already, that cannot be read; components whose packages were built: their headers were taken */
        bool plain;                  /* specs were read without running rpm ... */
        const char *plain_because;   /* ... because of this; or why another stage's buildroot read some of them; NULL: neither */
        struct AshFlowPlanFacts *facts; /* private: what slices point into */
} AshFlowPlan;
/* A spec that cannot be read is a diagnostic, counts in n_failed, and does not disturb the others. */
int ash_flow_plan_new(AshFlow *flow, const AshFlowPlanOptions *options, AshFlowPlan **ret);
void ash_flow_plan_free(AshFlowPlan *p);
ASH_DEFINE_CLEANUP(AshFlowPlan *, ash_flow_plan_free)
/* Index of a component; -ENOENT with a diagnostic. */
int ash_flow_plan_find(const AshFlowPlan *p, AshFlow *flow, AshSlice name, uint32_t *ret);

/* What builds took on this machine, for those that come after. */
typedef struct AshFlowCost {
        uint64_t ms, memory;         /* bytes that all its processes and files took together at the worst time; 0: not known */
} AshFlowCost;
int ash_flow_cost_get(AshFlow *flow, AshSlice component, AshSlice arch, AshFlowCost *ret);
void ash_flow_cost_put(AshFlow *flow, AshSlice component, AshSlice arch, const AshFlowCost *cost);
