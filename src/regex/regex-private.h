#pragma once
#include "regex.h"

/* Translates RE2 syntax to PCRE2's. On failure -EINVAL, *ret_bad is the offset in the pattern and *ret_why (malloc'ed) says what is wrong. */
int ash_regex_translate(AshSlice pattern, unsigned flags, AshStr *out, size_t *ret_bad, char **ret_why);
