/* ashlar.built: TOML beside ashlar.lock, made by "ashlar component build": which packages the components gave, by digest. docs/building.md shows the format. */
#pragma once
#include "model-built.h"

#define ASH_BUILT_NAME "ashlar.built"
#define ASH_BUILT_VERSION 1

/* An empty one when there is no file; -ASH_ERR_CONFIG with diagnostics when it is not what it should be. */
int ash_built_read(const char *path, AshBuilt **ret, AshDiags *diags);
int ash_built_parse(AshSource *source, AshBuilt **ret, AshDiags *diags);
void ash_built_format(const AshBuilt *built, AshStr *out);
/* Takes one build into the file, atomically, and beside others that do the same: 1 when that changed it. check (may be NULL) sees what the file says before, and refuses by a negative code. */
typedef int (*AshBuiltCheck)(void *context, const AshBuilt *built, const AshBuiltComponent *component);
int ash_built_record(const char *path, const AshBuiltComponent *component, AshBuiltCheck check, void *context, AshDiags *diags);
