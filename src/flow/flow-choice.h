/* What can be chosen from, for one architecture: the packages of some upstreams, solved against as often as wanted. */
#pragma once
#include "flow-upstream.h"

typedef struct AshFlowLabelled {
        AshFlowUpstream *upstream;
        const char *label;       /* what its packages' origin is called */
} AshFlowLabelled;

typedef struct AshFlowChoice AshFlowChoice;
/* requests: all that will be solved for; sources live as long as the choice. An index of all packages is kept in the store for each state of the sources: then only what the requests can reach is given to the solver. */
int ash_flow_choice_new(AshFlow *flow, AshSlice arch, const AshFlowLabelled *sources, size_t n, const AshRequest *requests, size_t n_requests, AshFlowChoice **ret);
void ash_flow_choice_free(AshFlowChoice *c);
ASH_DEFINE_CLEANUP(AshFlowChoice *, ash_flow_choice_free)
/* Further requests will be solved for, in place of those before. */
int ash_flow_choice_again(AshFlowChoice *c, const AshRequest *requests, size_t n);
/* Has any package this name, or provides it, in whatever version? */
int ash_flow_choice_has(AshFlowChoice *c, AshSlice name, bool *ret);
/* As ash_solve(); the answer, and what is said when there is none, are those of the whole. */
int ash_flow_choice_solve(AshFlowChoice *c, const AshRequest *requests, size_t n, const AshSolveOptions *options, AshPkgSet **ret);
/* Digest of what of all that was built here can matter for what is asked for in these texts (ash_reach_digest()). without (may be empty): as if nothing of that component was. -ENODATA, -ENOTSUP: that cannot be told. */
int ash_flow_choice_reach(AshFlowChoice *c, AshSlice without, const AshSlice *texts, size_t n, AshId *ret);
