/* Specs that are not parsed in time: a macro of theirs runs a program that does not end. They are not tried again each time. */
#pragma once
#include "flow-upstream.h"

/* How long the spec of a component may take, in ms: build.timeout, at most ASH_SPECINFO_MS. */
int ash_flow_late_limit(AshFlow *flow, const AshComponentConfig *component);
/* What a cache holds of one in place of what it says. */
void ash_flow_late_write(AshStr *out, int limit_ms);
bool ash_flow_late_is(AshSlice text);
/* Is it of a time-out that would come again? Not when there is more time now, or an hour has passed since: the machine may have been busy. */
bool ash_flow_late_known(AshSlice text, int limit_ms);
int ash_flow_late_fail(AshDiags *diags, const char *spec, AshSlice component, int limit_ms, bool known);
