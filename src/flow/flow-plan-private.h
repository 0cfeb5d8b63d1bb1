/* Private to flow-plan*.c: what a plan is made of. */
#pragma once
#include <pthread.h>
#include "build.h"
#include "flow-build.h"
#include "flow-built.h"
#include "flow-plan.h"

/* One component's spec. */
typedef struct Fact {
        const AshComponent *component;
        AshId digest;
        char fingerprint[ASH_FINGERPRINT_MAX];
        uint64_t bumps;
        AshSlice text;               /* in the cache, or in "own"; empty: nothing that is to be kept */
        AshStr own;
        AshDiags *diags;             /* what was said of it */
        int result;
        bool fresh, missing;         /* missing: it has to be read */
        bool unasked;                /* its distribution could not be reached for others before */
} Fact;

/* The rpmspec of a stage's buildroot. */
typedef struct Reader {
        AshFlowRoot *buildroot;      /* NULL: it cannot be made: the one of "instead" reads */
        size_t instead;
        AshSpecInfoRoot *root;       /* once a spec has to be read */
} Reader;

/* A spec without some of its overlays, read to find which one is to blame. */
typedef struct Tried {
        AshId digest;
        AshStr text;
} Tried;

/* A distribution whose dist-git could not be reached. */
typedef struct Lost {
        AshSlice name;
        unsigned in_a_row;           /* components that could not be had since the last one that could */
        size_t first, n;             /* of the facts: the first of them; how many in all */
} Lost;

struct AshFlowPlanFacts {
        AshFlow *flow, flow_for_root;
        const AshFlowPlanOptions *options;
        AshFlowBuilder *builder;
        Reader *readers;             /* of each base: NULL: the plain reader for all */
        size_t n_readers;
        const AshFlowPlan *plan;
        bool reading;                /* the second round: what is not known is read */
        Fact *items;
        size_t n;
        AshBytes cache;
        AshMap known;                /* digest -> AshSlice */
        AshFlowBuilt *built;
        AshArena *arena;
        pthread_mutex_t mutex;       /* of what follows */
        ASH_ARRAY(Lost) lost;
        ASH_ARRAY(Tried) tried;
};

/* flow-plan-specs.c: renders all components, and reads the specs that were not read before. A spec that cannot be read is a diagnostic, and a result of its fact. */
int ash_flow_plan_collect(AshFlow *flow, const AshFlowPlanOptions *options, AshFlowPlan *p);
void ash_flow_plan_facts_free(struct AshFlowPlanFacts *f);
uint32_t ash_flow_plan_base_of(const AshFlowPlan *p, const AshComponent *component); /* index of its stage */

/* flow-plan-imports.c: what packages will provide that were not built yet, as far as imported ones of the same name tell; and what every buildroot has from elsewhere */
void ash_flow_plan_add_imports(struct AshFlowPlanFacts *f, AshFlowPlan *p);
void ash_flow_plan_add_base_imports(struct AshFlowPlanFacts *f, AshFlowPlan *p);

/* flow-plan-cost.c: times and memory of each, those of its last build or a guess */
void ash_flow_plan_estimate(AshFlow *flow, AshFlowPlan *p, AshSlice arch);
