/* Channels: signed repositories of what the lock names. */
#pragma once
#include "flow-upstream.h"
#include "repo.h"

typedef struct AshFlowRepoOptions {
        const char *lock_path;
        const char *output;               /* directory; each channel and architecture is DIR/PATH/ARCH */
        const char *const *channels;      /* names; n 0: all */
        size_t n_channels;
        AshRepoOptions repo;              /* time and compression are filled in from lock and channel */
        unsigned keep;                    /* generations; 0: as the channel says */
        bool closed;                      /* refuse to publish a channel with requirements that neither it nor those that it requires meet; else they are warnings */
} AshFlowRepoOptions;

typedef struct AshFlowRepoDone {
        AshSlice channel, arch;
        char *path;
        AshRepoResult result;
} AshFlowRepoDone;
typedef struct AshFlowRepoResult {
        ASH_ARRAY(AshFlowRepoDone) done;
} AshFlowRepoResult;
void ash_flow_repo_result_done(AshFlowRepoResult *r);

/* Publishes every channel. Only packages of the lock are used, each by its digest from the store; one that is not there is fetched by that digest, or the build fails and names it. */
int ash_flow_repo(AshFlow *flow, const AshFlowRepoOptions *options, AshFlowRepoResult *ret);
