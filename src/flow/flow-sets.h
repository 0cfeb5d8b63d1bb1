/* What a project asks the solver for: one set of requests for each image and channel and each of its architectures. */
#pragma once
#include "flow-upstream.h"

typedef struct AshFlowSet {
        const char *kind;          /* "image", "channel"; "build": asks for nothing, and pins the upstreams of a build stage */
        AshSlice name, arch;
        AshSpan at;
        bool weak, essential;      /* essential: what its upstreams call so is installed, too */
        const AshTexts *upstreams, *repos; /* where its packages come from: names, as configured; NULL or none: the chosen upstream, no further repository */
        ASH_ARRAY(AshRequest) requests;
} AshFlowSet;
typedef struct AshFlowSets {
        ASH_ARRAY(AshFlowSet) items;
        AshArena *arena;           /* of what is not the configuration's */
} AshFlowSets;
/* upstream: the chosen one, or NULL. */
int ash_flow_sets_collect(AshFlow *flow, const AshUpstream *upstream, AshFlowSets *ret);
void ash_flow_sets_done(AshFlowSets *sets);
/* The repositories that it is solved against, each once, as ash_flow_upstream_parts() gives them. chosen may be NULL when the set names its own. In the arena. */
const AshUpstream **ash_flow_set_parts(AshFlow *flow, const AshFlowSet *set, const AshUpstream *chosen, AshArena *arena, size_t *ret_n);
/* The distinct architectures, in order of appearance; at most max. */
size_t ash_flow_sets_arches(const AshFlowSets *sets, AshSlice *ret, size_t max);
/* The requests as the lock keeps them: sorted, "-x" for an exclusion, "+weak" for weak dependencies, "+essential" for essential packages, "@x" for an upstream or repository that it names; what only keeps locked packages is left out. */
AshSlice *ash_flow_set_requests(const AshFlowSet *set, AshArena *arena, size_t *ret_n);

/* Gives every user and group that the locked packages declare (sysusers.d(5)) a number: fixed ones first, then those that the lock has already, then from 999 downwards in the order of names. */
int ash_flow_allocate_ids(AshFlow *flow, AshLock *lock);
