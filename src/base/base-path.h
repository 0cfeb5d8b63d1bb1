/* Paths as text; nothing here touches a file system. */
#pragma once
#include "base-slice.h"
#include "base-arena.h"

/* Removes "." parts and doubled slashes, resolves ".." lexically. "a/../.." stays "..". Empty gives ".". malloc'ed. */
char *ash_path_normalize(AshSlice path);
char *ash_path_join(const char *dir, const char *path);          /* path alone when it is absolute; malloc'ed, not normalized */
AshSlice ash_path_dir(AshSlice path);                            /* "a/b" -> "a", "b" -> ".", "/b" -> "/" */
AshSlice ash_path_base(AshSlice path);                           /* the part after the last slash */
AshSlice ash_path_ext(AshSlice path);                            /* ".gz" of "a.tar.gz", or empty */
/* True for a relative path that stays below where it starts: not absolute, no "..", not empty, no NUL. */
bool ash_path_is_confined(AshSlice path);
/* The path that leads from directory "from" to "to" (both absolute and normalized, or both relative to one place). malloc'ed. */
char *ash_path_relative(AshSlice from, AshSlice to);
/* Shell glob with '*', '?', '[a-z]', '[!a]', '{a,b}', '\\' and "**" (any number of whole path parts, also none), as in Go's
 * doublestar. '*' and '?' never match '/'; a slash and "**" at the end also match nothing. The work is bounded: a pattern that would need more than about a million
 * steps does not match. */
bool ash_glob_match(AshSlice pattern, AshSlice path);
/* False for an unclosed bracket or brace. */
bool ash_glob_valid(AshSlice pattern);
bool ash_glob_has_meta(AshSlice pattern);
/* Cuts a pattern at its first brace: before, what is inside of it, after. False when it has none. */
bool ash_glob_find_brace(AshSlice pattern, AshSlice *ret_before, AshSlice *ret_inside, AshSlice *ret_after);
/* Takes the next alternative off the inside of a brace. False when none is left. */
bool ash_glob_next_alternative(AshSlice *rest, AshSlice *ret);
