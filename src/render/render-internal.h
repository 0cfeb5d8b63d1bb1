#pragma once
#include "render.h"

/* Which of a component's files belong beside its spec: the spec, "sources", the macro file, and what Source, Patch and the like name; macros that cannot be expanded stand for anything. */
typedef struct AshFileFilter AshFileFilter;
AshFileFilter *ash_file_filter_new(AshSlice spec);
void ash_file_filter_free(AshFileFilter *filter);
ASH_DEFINE_CLEANUP(AshFileFilter *, ash_file_filter_free)
bool ash_file_filter_keeps(const AshFileFilter *filter, AshSlice name);
