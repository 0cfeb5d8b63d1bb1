/* Where lines of a rendered spec come from, and which overlay made it one that rpm cannot parse. */
#pragma once
#include "flow-upstream.h"
#include "render.h"

/* ---- places: a rendered spec has lines of its own file, of overlays and of ours, and need not be on disk ---- */
typedef struct AshFlowPlaces AshFlowPlaces;
/* rendered_spec: the text under the name that it has on disk. NULL: nothing can be told. */
AshFlowPlaces *ash_flow_places_new(AshFlow *flow, const AshRendered *rendered, const AshRenderOptions *options, AshSource *rendered_spec);
void ash_flow_places_free(AshFlowPlaces *p);
ASH_DEFINE_CLEANUP(AshFlowPlaces *, ash_flow_places_free)
/* Where somebody would change what stands there: in the file of a spec of the project's own, or the overlay that wrote the line (*ret_overlay, may be NULL); of upstream's specs, and of lines that rendering adds, in the
 * rendered one. Lives as long as the places. */
AshSpan ash_flow_places_find(const AshFlowPlaces *p, AshSpan rendered, const AshOverlay **ret_overlay);

/* ---- what rpm says of a spec ---- */
/* Does rpm parse a spec of this text, beside the component's other files? */
typedef bool (*AshFlowParses)(void *context, AshSlice spec);
/* rpm cannot parse it: what it says, at the line's place (0: it names none). With the overlays that changed that line; where none did, the first overlay with which rpm does not parse the spec any more; and when it
 * never did, that the fault is upstream's. -ASH_ERR_SYNTAX. */
int ash_flow_spec_error(AshFlow *flow, const AshRendered *rendered, const AshRenderOptions *options, AshSource *rendered_spec, uint32_t line, const char *text, AshFlowParses parses, void *context, AshDiags *diags);
