#include "base.h"

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char) (c + 32) : c; }

int ash_slice_cmp(AshSlice a, AshSlice b) {
        size_t n = ASH_MIN(a.len, b.len);
        int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
        return c ? c : (a.len > b.len) - (a.len < b.len);
}

bool ash_slice_eq_nocase(AshSlice a, AshSlice b) {
        if (a.len != b.len)
                return false;
        for (size_t i = 0; i < a.len; i++)
                if (lower(a.ptr[i]) != lower(b.ptr[i]))
                        return false;
        return true;
}

bool ash_slice_starts(AshSlice s, AshSlice prefix) { return s.len >= prefix.len && ash_slice_eq(ash_slice(s.ptr, prefix.len), prefix); }
bool ash_slice_ends(AshSlice s, AshSlice suffix) { return s.len >= suffix.len && ash_slice_eq(ash_slice_from(s, s.len - suffix.len), suffix); }

AshSlice ash_slice_trim_left(AshSlice s) {
        while (s.len && is_space(s.ptr[0]))
                s.ptr++, s.len--;
        return s;
}

AshSlice ash_slice_trim_right(AshSlice s) {
        while (s.len && is_space(s.ptr[s.len - 1]))
                s.len--;
        return s;
}

AshSlice ash_slice_trim(AshSlice s) { return ash_slice_trim_left(ash_slice_trim_right(s)); }

ptrdiff_t ash_slice_find(AshSlice s, AshSlice needle) {
        if (!needle.len)
                return 0;
        if (!s.len)
                return -1;
        const char *p = memmem(s.ptr, s.len, needle.ptr, needle.len);
        return p ? p - s.ptr : -1;
}

ptrdiff_t ash_slice_find_char(AshSlice s, char c) {
        const char *p = s.len ? memchr(s.ptr, c, s.len) : NULL;
        return p ? p - s.ptr : -1;
}

ptrdiff_t ash_slice_rfind_char(AshSlice s, char c) {
        const char *p = s.len ? memrchr(s.ptr, c, s.len) : NULL;
        return p ? p - s.ptr : -1;
}

bool ash_slice_next_line(AshSlice *rest, AshSlice *ret_line) {
        if (!rest->len)
                return false;
        ptrdiff_t n = ash_slice_find_char(*rest, '\n');
        *ret_line = ash_slice(rest->ptr, n < 0 ? rest->len : (size_t) n);
        *rest = ash_slice_from(*rest, n < 0 ? rest->len : (size_t) n + 1);
        return true;
}

bool ash_slice_next_word(AshSlice *rest, AshSlice *ret_word) {
        size_t i = 0, j;
        while (i < rest->len && (rest->ptr[i] == ' ' || rest->ptr[i] == '\t'))
                i++;
        for (j = i; j < rest->len && rest->ptr[j] != ' ' && rest->ptr[j] != '\t';)
                j++;
        if (i == j) {
                *rest = ash_slice_from(*rest, rest->len);
                return false;
        }
        *ret_word = ash_slice(rest->ptr + i, j - i);
        *rest = ash_slice_from(*rest, j);
        return true;
}

bool ash_slice_split(AshSlice *rest, char separator, AshSlice *ret_part) {
        if (!rest->ptr)
                return false;
        ptrdiff_t n = ash_slice_find_char(*rest, separator);
        if (n < 0) {
                *ret_part = *rest;
                *rest = ASH_NOSLICE;
        } else {
                *ret_part = ash_slice(rest->ptr, (size_t) n);
                *rest = ash_slice_from(*rest, (size_t) n + 1);
        }
        return true;
}

char *ash_slice_dup(AshSlice s) { return ash_strndup(s.ptr, s.len); }

int ash_slice_to_u64(AshSlice s, int base, uint64_t *ret) {
        uint64_t v = 0;
        if (!s.len)
                return -EINVAL;
        for (size_t i = 0; i < s.len; i++) {
                char c = lower(s.ptr[i]);
                int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
                if (digit >= base)
                        return -EINVAL;
                if (__builtin_mul_overflow(v, (uint64_t) base, &v) || __builtin_add_overflow(v, (uint64_t) digit, &v))
                        return -ERANGE;
        }
        *ret = v;
        return 0;
}

int ash_slice_to_bytes(AshSlice s, uint64_t *ret) {
        static const char units[] = "KMGT";
        const char *unit = s.len && s.ptr[s.len - 1] ? strchr(units, s.ptr[s.len - 1]) : NULL;
        uint64_t n;
        int r = ash_slice_to_u64(ash_slice_sub(s, 0, s.len - (unit != NULL)), 10, &n);
        if (r >= 0 && unit && __builtin_mul_overflow(n, UINT64_C(1) << 10 * (unit - units + 1), &n))
                return -ERANGE;
        if (r >= 0)
                *ret = n;
        return r;
}

/* Multiply-and-fold over 8-byte words, in the manner of wyhash. The keys come from files that the user chose; flooding with collisions costs
 * the attacker's own run only, and the table's probes stay bounded by its size. */
static uint64_t mix(uint64_t a, uint64_t b) {
        unsigned __int128 m = (unsigned __int128) a * b;
        return (uint64_t) m ^ (uint64_t) (m >> 64);
}

uint64_t ash_slice_hash(AshSlice s) {
        uint64_t h = 0x9e3779b97f4a7c15u ^ s.len, w;
        const char *p = s.ptr;
        size_t n = s.len;
        for (; n >= 8; p += 8, n -= 8) {
                memcpy(&w, p, 8);
                h = mix(h ^ w, 0xe7037ed1a0b428dbu);
        }
        w = 0;
        if (n)
                memcpy(&w, p, n);
        return mix(h ^ w, 0x8ebc6af09c88c6e3u);
}

unsigned ash_slice_distance(AshSlice a, AshSlice b, unsigned max) {
        enum { LIMIT = 128 };
        unsigned row[3][LIMIT + 1];
        if (a.len > LIMIT || b.len > LIMIT || (a.len > b.len ? a.len - b.len : b.len - a.len) > max)
                return max + 1;
        for (size_t j = 0; j <= b.len; j++)
                row[0][j] = (unsigned) j;
        for (size_t i = 1; i <= a.len; i++) {
                unsigned *now = row[i % 3], *before = row[(i - 1) % 3], *two = row[(i + 1) % 3], best;
                best = now[0] = (unsigned) i;
                for (size_t j = 1; j <= b.len; j++) {
                        unsigned d = before[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);
                        d = ASH_MIN(d, before[j] + 1);
                        d = ASH_MIN(d, now[j - 1] + 1);
                        if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                                d = ASH_MIN(d, two[j - 2] + 1);
                        now[j] = d;
                        best = ASH_MIN(best, d);
                }
                if (best > max)
                        return max + 1;
        }
        unsigned d = row[a.len % 3][b.len];
        return d > max ? max + 1 : d;
}

ptrdiff_t ash_slice_nearest(AshSlice s, const AshSlice *candidates, size_t n) {
        unsigned best = (unsigned) (s.len / 3) + 1;
        ptrdiff_t found = -1;
        for (size_t i = 0; i < n && best > 0; i++) {
                unsigned d = ash_slice_distance(s, candidates[i], best - 1);
                if (d < best) {
                        best = d;
                        found = (ptrdiff_t) i;
                }
        }
        return found;
}

/* The number of continuation bytes and the bounds of the first of them: table 3-7 of the Unicode Standard. */
bool ash_utf8_valid(AshSlice s, size_t *ret_bad) {
        size_t i = 0;
        while (i < s.len) {
                uint8_t c = (uint8_t) s.ptr[i];
                if (c < 0x80) {
                        uint64_t w;
                        while (i + 8 <= s.len && (memcpy(&w, s.ptr + i, 8), (w & 0x8080808080808080u) == 0))
                                i += 8;
                        while (i < s.len && (uint8_t) s.ptr[i] < 0x80)
                                i++;
                        continue;
                }
                uint8_t low = 0x80, high = 0xbf;
                size_t more;
                if (c >= 0xc2 && c <= 0xdf)
                        more = 1;
                else if (c >= 0xe0 && c <= 0xef) {
                        more = 2;
                        low = c == 0xe0 ? 0xa0 : low;
                        high = c == 0xed ? 0x9f : high;
                } else if (c >= 0xf0 && c <= 0xf4) {
                        more = 3;
                        low = c == 0xf0 ? 0x90 : low;
                        high = c == 0xf4 ? 0x8f : high;
                } else
                        goto bad;
                if (s.len - i <= more || (uint8_t) s.ptr[i + 1] < low || (uint8_t) s.ptr[i + 1] > high)
                        goto bad;
                for (size_t k = 2; k <= more; k++)
                        if (((uint8_t) s.ptr[i + k] & 0xc0) != 0x80)
                                goto bad;
                i += more + 1;
        }
        return true;
bad:
        if (ret_bad)
                *ret_bad = i;
        return false;
}
