/* Which overlay made a spec one that rpm cannot parse. */
#pragma once
#include "flow-upstream.h"
#include "render.h"

/* Does rpm parse a spec of this text, beside the component's other files? */
typedef bool (*AshFlowParses)(void *context, AshSlice spec);
/* Adds notes to the last diagnostic: the overlays that changed the line of the rendered spec (0: rpm names none). Where none did, the first overlay with which rpm does not parse the spec any more; and when it never did,
 * that the fault is upstream's. */
void ash_flow_blame(AshFlow *flow, const AshRendered *rendered, const AshRenderOptions *options, uint32_t line, AshFlowParses parses, void *context, AshDiags *diags);
