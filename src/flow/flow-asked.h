/* What specs require, in the names that upstreams have it by. Specs call packages as Fedora does; an archive has other names, spreads one of Fedora's packages over several of its own, and no index says what generators
 * of rpm would find in their files. */
#pragma once
#include "flow-build.h"
#include "flow-choice.h"

typedef ASH_ARRAY(AshRequest) AshFlowRequests;

/* A capability in some version that packages were taken for whose lists of files say nothing of versions. */
typedef struct AshFlowPromise {
        AshSlice asked;              /* "pkgconfig(zlib) >= 1.3" */
        AshSlice *packages;          /* names */
        size_t n;
        AshSpan at;
} AshFlowPromise;
typedef ASH_ARRAY(AshFlowPromise) AshFlowPromises;

typedef ASH_ARRAY(AshSlice) AshFlowNames;

/* Rewrites each request that nothing provides as it stands to what would have it, and adds what belongs to it. has_built: one of the sources is what was built here. looked_up gets every name of which it
 * counted whether something has it. Texts are in the arena. */
int ash_flow_asked(AshFlow *flow, AshSlice arch, const AshFlowLabelled *sources, size_t n, bool has_built, AshFlowRequests *requests, AshFlowPromises *promises, AshFlowNames *looked_up, AshArena *arena);
/* Does what was chosen, and is in the store now, have the versions? -ASH_ERR_UNSOLVABLE: not, and it was said. */
int ash_flow_promised(AshFlow *flow, AshSlice arch, const AshFlowPromises *promises, const AshFlowRootPackage *packages, size_t n);
