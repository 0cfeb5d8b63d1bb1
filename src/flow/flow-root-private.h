/* Private to flow-root*.c: what makes buildroots, and what they follow from. */
#pragma once
#include "build.h"
#include "flow-asked.h"
#include "flow-build.h"
#include "flow-built.h"
#include "flow-choice.h"

#define ASH_FLOW_ASKING 8            /* counts up whenever the same question is put in other words (flow-asked.c), or what is kept of the answer changes */

typedef struct Source {
        AshFlowUpstream *upstream;
        char *label;
} Source;

typedef struct Stage {
        AshFlowBase base;
        ASH_ARRAY(Source) sources;
        AshSlice *essential;
        size_t n_essential;
        AshFlowChoice *choice;       /* kept where what was built here is among the sources: that is read once */
        AshFlowRoot *root;           /* of its packages alone; NULL until something is built in it */
        AshId *ids;
        bool *over;
        bool has_built;              /* it takes from what was built here */
        struct Stage *first;         /* of its packages what these sources have goes before what others have; NULL: no difference is made */
        bool borrowed;               /* it is one of those: the sources are another stage's, and need not have all of its packages */
} Stage;

/* What a stage's buildroots follow from, but for what was built here: it is the same for all components. */
typedef struct Told {
        AshSlice stage;
        int result;
        AshId id;
        bool has_built;
} Told;

struct AshFlowBuilder {
        AshFlow flow;
        AshArena *arena;
        AshSlice arch;
        AshLock *lock;
        ASH_ARRAY(Stage *) stages;   /* opened ones */
        ASH_ARRAY(Told) told;
        AshMap asked;                /* keys: requests and names that roots were solved for since ash_flow_builder_for() */
};

/* flow-root.c */
int ash_flow_root_open_stage(AshFlowBuilder *b, AshText name, Stage **ret);
const AshUpstream **ash_flow_root_parts(AshFlowBuilder *b, const AshFlowBase *base, size_t *ret_n);
const AshFlowLabelled *ash_flow_root_labelled(const Stage *stage, AshArena *arena);
AshBuildRootInput ash_flow_root_input(AshFlowBuilder *b, const AshId *ids, const bool *over, size_t n);
