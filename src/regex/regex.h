/* Regular expressions by PCRE2, with limits, so that no pattern can take for ever.
 *  RE2:  the syntax of RE2 as Go's regexp package accepts it (leftmost-first; \d \w \s \b are ASCII; '$' is the end of the text without (?m)). What RE2 lacks
 *        (backreferences, lookaround, possessive and atomic groups ...) is refused with its place in the pattern. Invalid UTF-8 in the subject counts as
 *        U+FFFD a byte, as in Go.
 *  PERL: PCRE2's own syntax with the same rules for '$' and newlines. */
#pragma once
#include "base.h"

typedef enum AshRegexSyntax { ASH_REGEX_RE2, ASH_REGEX_PERL } AshRegexSyntax;
#define ASH_REGEX_MULTILINE 1u /* (?m) from the start */

typedef struct AshRegex AshRegex;
/* -EINVAL with a diagnostic at "at" (the place of the pattern's text in its file; the exact column where the file holds the pattern without escapes).
 * Used by one thread at a time. */
int ash_regex_new(AshSlice pattern, AshRegexSyntax syntax, unsigned flags, AshSpan at, AshRegex **ret, AshDiags *diags);
void ash_regex_free(AshRegex *regex);
ASH_DEFINE_CLEANUP(AshRegex *, ash_regex_free)
/* Only reports what is wrong with a pattern: 0 or -EINVAL. */
int ash_regex_check(AshSlice pattern, AshRegexSyntax syntax, AshSpan at, AshDiags *diags);

/* Appends subject to out with every match replaced by the literal text; empty matches as Go's ReplaceAllLiteral treats them.
 * Returns the number of replacements, or -ASH_ERR_LIMIT with a diagnostic at the pattern. */
ptrdiff_t ash_regex_replace(const AshRegex *regex, AshSlice subject, AshSlice replacement, AshStr *out, AshDiags *diags);
/* The same rule as a callback for each match; it returns < 0 to stop. */
typedef int (*AshRegexMatch)(void *context, size_t start, size_t end);
ptrdiff_t ash_regex_each(const AshRegex *regex, AshSlice subject, AshRegexMatch match, void *context, AshDiags *diags);
