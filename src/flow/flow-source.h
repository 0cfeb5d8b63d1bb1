/* apt-source: sources found by their digest in the source archives of apt upstreams, verified all the way: apt checks the index, its SHA-256 the file, and the digest that was asked for decides. */
#pragma once
#include "config.h"
#include "specsource.h"

typedef struct AshFlowSources AshFlowSources;
/* All arguments are borrowed; apt_mirror may be NULL. Threads may share it. */
AshFlowSources *ash_flow_sources_new(AshConfig *config, const char *apt_mirror, AshProgress *progress);
void ash_flow_sources_free(AshFlowSources *s);
ASH_DEFINE_CLEANUP(AshFlowSources *, ash_flow_sources_free)
const AshSourceFinder *ash_flow_sources_finder(AshFlowSources *s);
