/* Slices: borrowed byte ranges, the currency of parsers. A slice owns nothing and need not be NUL-terminated. */
#pragma once
#include "base-macro.h"

typedef struct AshSlice {
        const char *ptr;
        size_t len; /* bytes */
} AshSlice;

#define ASH_S(literal) ((AshSlice){ "" literal, sizeof(literal) - 1 }) /* a string literal as a slice */
#define ASH_NOSLICE ((AshSlice){ NULL, 0 })
#define ASH_F(s) (int) (s).len, (s).ptr /* for "%.*s" */

static inline AshSlice ash_slice(const char *ptr, size_t len) { return (AshSlice){ ptr, len }; }
static inline AshSlice ash_slice_str(const char *s) { return (AshSlice){ s, s ? strlen(s) : 0 }; }
static inline bool ash_slice_eq(AshSlice a, AshSlice b) { return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0); }
static inline bool ash_slice_eqs(AshSlice a, const char *b) { return ash_slice_eq(a, ash_slice_str(b)); }
static inline AshSlice ash_slice_from(AshSlice s, size_t start) { return start < s.len ? (AshSlice){ s.ptr + start, s.len - start } : (AshSlice){ s.len ? s.ptr + s.len : s.ptr, 0 }; }
static inline AshSlice ash_slice_sub(AshSlice s, size_t start, size_t len) {
        s = ash_slice_from(s, start);
        return (AshSlice){ s.ptr, ASH_MIN(len, s.len) };
}

int ash_slice_cmp(AshSlice a, AshSlice b);                     /* byte order, shorter first on a tie; <0, 0, >0 */
bool ash_slice_eq_nocase(AshSlice a, AshSlice b);              /* ASCII case folding only */
bool ash_slice_starts(AshSlice s, AshSlice prefix);
bool ash_slice_ends(AshSlice s, AshSlice suffix);
AshSlice ash_slice_trim(AshSlice s);                           /* strips space, \t, \r, \n, \v, \f at both ends */
AshSlice ash_slice_trim_left(AshSlice s);
AshSlice ash_slice_trim_right(AshSlice s);
ptrdiff_t ash_slice_find(AshSlice s, AshSlice needle);         /* offset of the first occurrence, or -1 */
ptrdiff_t ash_slice_find_char(AshSlice s, char c);             /* offset, or -1 */
ptrdiff_t ash_slice_rfind_char(AshSlice s, char c);            /* offset of the last one, or -1 */

/* Takes the next line off *rest into *ret_line, without its '\n'. Returns false at the end of the text. */
bool ash_slice_next_line(AshSlice *rest, AshSlice *ret_line);
/* Takes the next word (separated by space and tab) off *rest. Returns false when none is left. */
bool ash_slice_next_word(AshSlice *rest, AshSlice *ret_word);
/* Takes the part up to the separator off *rest; the last part has none after it. Returns false when *rest is ended (ptr NULL). */
bool ash_slice_split(AshSlice *rest, char separator, AshSlice *ret_part);

char *ash_slice_dup(AshSlice s);                               /* malloc'ed, NUL-terminated */
/* Whole slice as a number; -EINVAL when it is none, -ERANGE when it does not fit. Base 8, 10 or 16; no sign or prefix. */
int ash_slice_to_u64(AshSlice s, int base, uint64_t *ret);
/* A number of bytes, with K, M, G or T (of 1024) behind it perhaps. As above. */
int ash_slice_to_bytes(AshSlice s, uint64_t *ret);
uint64_t ash_slice_hash(AshSlice s);                           /* not for use across processes or versions */

/* Levenshtein distance with transpositions, bounded: returns max + 1 when the distance is larger. */
unsigned ash_slice_distance(AshSlice a, AshSlice b, unsigned max);
/* Index of the candidate nearest to "s" by that distance (at most about a third of the length), or -1: for "did you mean". */
ptrdiff_t ash_slice_nearest(AshSlice s, const AshSlice *candidates, size_t n);

bool ash_utf8_valid(AshSlice s, size_t *ret_bad_offset);       /* RFC 3629: no overlong forms, no surrogates, at most U+10FFFF */
