/* Rich dependencies, each name in them written anew. */
#pragma once
#include "base.h"

/* Appends what shall stand for the atom ("python3dist(a) >= 1"). sure: it is wanted in any case, and not one of several or under a condition. */
typedef int (*AshRichAtom)(void *data, AshSlice atom, bool sure, AshStr *out);
/* -EINVAL: no rich dependency; otherwise what "atom" returned, or 0. */
int ash_rich_rewrite(AshSlice text, AshRichAtom atom, void *data, AshStr *out);
