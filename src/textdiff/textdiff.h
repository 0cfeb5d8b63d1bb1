/* Differences between two texts, line by line (E. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986, the linear-space form), and their unified form. */
#pragma once
#include "base.h"

typedef struct AshChange { /* lines a[a, a + n_a) became b[b, b + n_b) */
        size_t a, n_a, b, n_b;
} AshChange;
typedef struct AshHunk { /* some changes with the lines around them */
        size_t a, n_a, b, n_b;
        size_t change, n_changes;
} AshHunk;

typedef struct AshTextDiff {
        ASH_ARRAY(AshSlice) a, b; /* the lines, each with its '\n' (the last one may have none); they borrow the texts */
        ASH_ARRAY(AshChange) changes;
} AshTextDiff;
/* Time is bounded for texts that have little in common: then the result is correct, but not the shortest. */
void ash_textdiff(AshSlice a, AshSlice b, AshTextDiff *ret);
void ash_textdiff_done(AshTextDiff *diff);
#define _textdiff_ _cleanup_(ash_textdiff_done)

typedef struct AshHunks {
        ASH_ARRAY(AshHunk) items;
} AshHunks;
void ash_textdiff_hunks(const AshTextDiff *diff, size_t context, AshHunks *ret);
void ash_hunks_done(AshHunks *hunks);
#define _hunks_ _cleanup_(ash_hunks_done)
/* "@@ -1,3 +1,4 @@" and its lines, with " ", "-", "+" in front. */
void ash_hunk_header(const AshHunk *hunk, AshStr *out);
void ash_hunk_format(const AshTextDiff *diff, const AshHunk *hunk, bool color, AshStr *out);
/* The whole: "--- from", "+++ to" and all hunks; nothing when there is no difference. */
void ash_textdiff_unified(AshSlice a, AshSlice b, const char *from, const char *to, bool color, AshStr *out);
