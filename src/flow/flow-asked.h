/* What specs require, in the names that upstreams have it by. Specs call packages as Fedora does; an archive has other names, spreads one of Fedora's packages over several of its own, and no index says what generators
 * of rpm would find in their files. */
#pragma once
#include "flow-choice.h"

typedef ASH_ARRAY(AshRequest) AshFlowRequests;

/* Rewrites each request that nothing provides as it stands to what would have it, and adds what belongs to it. has_built: one of the sources is what was built here. Texts are in the arena. */
int ash_flow_asked(AshFlow *flow, AshSlice arch, const AshFlowLabelled *sources, size_t n, bool has_built, AshFlowRequests *requests, AshArena *arena);
