/* The upstream of type "host": packages made of programs that come with Ashlar itself and run on the machines that it builds (docs/boot.md). */
#pragma once
#include "model-package.h"
#include "store.h"

typedef struct AshFlowHost {
        AshArena *arena;
        AshPackage package;          /* with its digest and size */
        AshId id;
        bool there;                  /* false: no program for that architecture */
} AshFlowHost;
/* Makes the package and puts it into the store. */
int ash_flow_host_open(AshStore *store, AshSlice arch, AshFlowHost **ret, AshDiags *diags);
void ash_flow_host_free(AshFlowHost *h);
