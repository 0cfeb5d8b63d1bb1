/* Shared by the files of this module only. */
#pragma once
#include "spec.h"
#include "specinfo.h"

#define ASH_SPECINFO_DYNAMIC "%generate_buildrequires"

const AshSpecFileOf *ash_specinfo_spec(const AshSpecInfoInput *in);
/* A path that %files names as it stands, without its attributes; empty: a pattern, a directory with all that is in it, nothing that others ask for. */
AshSlice ash_specinfo_path(AshSlice line);
