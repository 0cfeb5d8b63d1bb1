/* Private to built*.c. */
#pragma once
#include "built.h"

typedef ASH_ARRAY(size_t) AshBuiltPlaces; /* where in the text each component begins: offsets of "[[components]]" */

/* NULL: it takes the reader of TOML. places: may be NULL. */
AshBuilt *ash_built_quick(AshSlice text, AshBuiltPlaces *places);
int ash_built_parse_toml(AshSource *source, AshBuilt **ret, AshDiags *diags); /* as ash_built_parse(), by a document of TOML always */
