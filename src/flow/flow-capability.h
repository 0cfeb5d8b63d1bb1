/* What packages of an archive would provide once they are imported ("pkgconfig(zlib)", "perl(POSIX)", "/usr/bin/git"): told from its lists of files, which are fetched when first asked. */
#pragma once
#include "flow-upstream.h"

/* Is this a name that only a generator of rpm, or a path, can have? */
bool ash_flow_is_capability(AshSlice name);
/* Names of the packages that have it, in the arena; none when the upstream has no such lists. The table made of them is kept in the store. */
int ash_flow_capability(AshFlow *flow, AshFlowUpstream *upstream, AshSlice capability, AshArena *arena, AshSlice **ret, size_t *ret_n);
/* The package of the archive that is what is called NAME-devel elsewhere, told from names of .pc files; empty: not known. */
int ash_flow_capability_development(AshFlow *flow, AshFlowUpstream *upstream, AshSlice name, AshArena *arena, AshSlice *ret);
