/* Whether a channel can be used by itself. */
#pragma once
#include "flow-upstream.h"

#define ASH_CLOSURE_SHOWN 20 /* requirements that are named; the rest is counted */

typedef struct AshFlowClosure {
        AshSlice channel, arch;
        AshSpan at;
        const AshLockPackage *const *own, *const *required; /* packages of the channel, and of the channels that it requires; all in the store */
        size_t n_own, n_required;
} AshFlowClosure;
/* Each requirement of an own package that nothing meets becomes a warning; they are counted. The store keeps the answer: no header is read again for the same packages. */
int ash_flow_closure(AshStore *store, const AshFlowClosure *closure, size_t *ret_missing, AshDiags *diags);
