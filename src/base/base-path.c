#include "base.h"

char *ash_path_normalize(AshSlice path) {
        AshStr out = {};
        bool absolute = path.len && path.ptr[0] == '/';
        size_t floor = 0; /* what ".." may not remove: the root, or ".." parts at the start */
        AshSlice rest = path, part;
        if (absolute) {
                ash_str_append_char(&out, '/');
                floor = 1;
        }
        while (ash_slice_split(&rest, '/', &part)) {
                if (!part.len || ash_slice_eqs(part, "."))
                        continue;
                if (ash_slice_eqs(part, "..")) {
                        if (out.len > floor) {
                                ptrdiff_t cut = ash_slice_rfind_char(ash_str_slice(&out), '/');
                                out.len = cut < (ptrdiff_t) floor ? floor : (size_t) cut;
                                out.ptr[out.len] = 0;
                                continue;
                        }
                        if (absolute)
                                continue;
                }
                if (out.len > (absolute ? 1u : 0u))
                        ash_str_append_char(&out, '/');
                ash_str_append(&out, part);
                if (ash_slice_eqs(part, ".."))
                        floor = out.len;
        }
        if (!out.len)
                ash_str_append_char(&out, '.');
        return ash_str_take(&out);
}

char *ash_path_join(const char *dir, const char *path) {
        if (path[0] == '/' || !dir[0] || strcmp(dir, ".") == 0)
                return ash_strdup(path);
        return ash_asprintf("%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", path);
}

AshSlice ash_path_dir(AshSlice path) {
        ptrdiff_t slash = ash_slice_rfind_char(path, '/');
        return slash < 0 ? ASH_S(".") : slash == 0 ? ash_slice(path.ptr, 1) : ash_slice(path.ptr, (size_t) slash);
}

AshSlice ash_path_base(AshSlice path) {
        ptrdiff_t slash = ash_slice_rfind_char(path, '/');
        return slash < 0 ? path : ash_slice_from(path, (size_t) slash + 1);
}

AshSlice ash_path_ext(AshSlice path) {
        AshSlice base = ash_path_base(path);
        ptrdiff_t dot = ash_slice_rfind_char(base, '.');
        return dot <= 0 ? ash_slice_from(base, base.len) : ash_slice_from(base, (size_t) dot);
}

bool ash_path_is_confined(AshSlice path) {
        AshSlice rest = path, part;
        if (!path.len || path.ptr[0] == '/' || ash_slice_find_char(path, 0) >= 0)
                return false;
        while (ash_slice_split(&rest, '/', &part))
                if (ash_slice_eqs(part, ".."))
                        return false;
        return true;
}

char *ash_path_relative(AshSlice from, AshSlice to) {
        AshStr out = {};
        size_t common = 0, i;
        if (ash_slice_eqs(from, "."))
                from = ash_slice_from(from, 1);
        if (ash_slice_eqs(to, "."))
                to = ash_slice_from(to, 1);
        if (!from.len)
                return ash_slice_dup(to.len ? to : ASH_S("."));
        for (i = 0;; i++) {
                bool from_end = i >= from.len, to_end = i >= to.len;
                if ((from_end || from.ptr[i] == '/') && (to_end || to.ptr[i] == '/'))
                        common = i;
                if (from_end || to_end || from.ptr[i] != to.ptr[i])
                        break;
        }
        AshSlice rest = ash_slice_from(from, common), part;
        while (ash_slice_split(&rest, '/', &part))
                if (part.len)
                        ash_str_append_str(&out, out.len ? "/.." : "..");
        rest = ash_slice_from(to, common);
        while (rest.len && rest.ptr[0] == '/')
                rest = ash_slice_from(rest, 1);
        if (rest.len) {
                if (out.len)
                        ash_str_append_char(&out, '/');
                ash_str_append(&out, rest);
        }
        if (!out.len)
                ash_str_append_char(&out, '.');
        return ash_str_take(&out);
}

/* ---- globs ---- */
#define BRACKET_MAX 256 /* bytes; a longer expression counts as not closed, so that looking for its end stays cheap */

/* Length of the bracket expression at p[0] == '[', or 0 when it is not closed. */
static size_t bracket_len(AshSlice p) {
        size_t i = 1;
        p = ash_slice_sub(p, 0, BRACKET_MAX);
        if (i < p.len && (p.ptr[i] == '!' || p.ptr[i] == '^'))
                i++;
        if (i < p.len && p.ptr[i] == ']')
                i++;
        for (; i < p.len; i++) {
                if (p.ptr[i] == '\\')
                        i++;
                else if (p.ptr[i] == ']')
                        return i + 1;
        }
        return 0;
}

static bool bracket_match(AshSlice set, char c) {
        size_t i = 1, end = set.len - 1;
        bool negate = set.ptr[i] == '!' || set.ptr[i] == '^', hit = false;
        if (negate)
                i++;
        while (i < end) {
                uint8_t low, high;
                if (set.ptr[i] == '\\' && i + 1 < end)
                        i++;
                low = high = (uint8_t) set.ptr[i++];
                if (i + 1 < end && set.ptr[i] == '-') {
                        i++;
                        if (set.ptr[i] == '\\' && i + 1 < end)
                                i++;
                        high = (uint8_t) set.ptr[i++];
                }
                hit |= (uint8_t) c >= low && (uint8_t) c <= high;
        }
        return hit != negate;
}

/* Length of what stands at p[0] as one piece: an escape, a bracket expression, or a byte. */
static size_t piece_len(AshSlice p) {
        if (p.ptr[0] == '\\')
                return ASH_MIN(p.len, (size_t) 2);
        size_t n = p.ptr[0] == '[' ? bracket_len(p) : 0;
        return n ? n : 1;
}

/* Offset of the '}' to the brace at p[0] == '{', or 0. */
static size_t brace_end(AshSlice p) {
        size_t depth = 0;
        for (size_t i = 0; i < p.len; i += piece_len(ash_slice_from(p, i))) {
                if (p.ptr[i] == '{')
                        depth++;
                else if (p.ptr[i] == '}' && --depth == 0)
                        return i;
        }
        return 0;
}

bool ash_glob_find_brace(AshSlice p, AshSlice *ret_before, AshSlice *ret_inside, AshSlice *ret_after) {
        for (size_t i = 0; i < p.len; i += piece_len(ash_slice_from(p, i))) {
                size_t end = p.ptr[i] == '{' ? brace_end(ash_slice_from(p, i)) : 0;
                if (!end)
                        continue;
                *ret_before = ash_slice(p.ptr, i);
                *ret_inside = ash_slice_sub(p, i + 1, end - 1);
                *ret_after = ash_slice_from(p, i + end + 1);
                return true;
        }
        return false;
}

bool ash_glob_next_alternative(AshSlice *rest, AshSlice *ret) {
        size_t depth = 0;
        if (!rest->ptr)
                return false;
        for (size_t i = 0; i < rest->len; i += piece_len(ash_slice_from(*rest, i))) {
                char c = rest->ptr[i];
                if (c == '{')
                        depth++;
                else if (c == '}' && depth)
                        depth--;
                else if (c == ',' && !depth) {
                        *ret = ash_slice(rest->ptr, i);
                        *rest = ash_slice_from(*rest, i + 1);
                        return true;
                }
        }
        *ret = *rest;
        *rest = ASH_NOSLICE;
        return true;
}

/* What is left of the work that one match may cost, so that no pattern takes long, however it is made. */
typedef struct Budget {
        size_t left;
} Budget;

static bool spend(Budget *b, size_t n) {
        b->left -= ASH_MIN(b->left, n);
        return b->left > 0;
}

static bool glob(AshSlice p, AshSlice s, bool part_start, Budget *budget);

/* "**" and a '/' before the tail: tries the tail at the start of each part. */
static bool glob_any_parts(AshSlice tail, AshSlice s, Budget *budget) {
        for (;;) {
                if (glob(tail, s, true, budget))
                        return true;
                ptrdiff_t slash = ash_slice_find_char(s, '/');
                if (slash < 0 || !spend(budget, 1))
                        return false;
                s = ash_slice_from(s, (size_t) slash + 1);
        }
}

static bool glob_alternatives(AshSlice inside, AshSlice after, AshSlice s, bool part_start, Budget *budget) {
        _str_ AshStr one = {};
        AshSlice alternative;
        while (ash_glob_next_alternative(&inside, &alternative)) {
                if (!spend(budget, 1 + (alternative.len + after.len) / 8)) /* the copy has its price */
                        return false;
                ash_str_clear(&one);
                ash_str_append(&one, alternative);
                ash_str_append(&one, after);
                if (glob(ash_str_slice(&one), s, part_start, budget))
                        return true;
        }
        return false;
}

/* Bytes of the pattern that match this one byte; 0: they do not. */
static size_t match_byte(AshSlice p, char c) {
        size_t n = piece_len(p);
        if (p.ptr[0] == '?')
                return c != '/';
        if (p.ptr[0] == '[' && n > 1)
                return c != '/' && bracket_match(ash_slice(p.ptr, n), c) ? n : 0;
        return p.ptr[n - 1] == c ? n : 0;
}

static bool is_any_parts(AshSlice p) { return ash_slice_starts(p, ASH_S("**")) && (p.len == 2 || p.ptr[2] == '/'); }

/* At the end of the path: a trailing slash and "**" may stand for nothing, so that "a/" + "**" also matches "a", as in doublestar. */
static bool may_be_nothing(AshSlice p) {
        while (ash_slice_starts(p, ASH_S("/**")))
                p = ash_slice_from(p, 3);
        return !p.len;
}

static bool glob(AshSlice p, AshSlice s, bool part_start, Budget *budget) {
        AshSlice star_p = ASH_NOSLICE, star_s = ASH_NOSLICE; /* behind the last '*', and how far it reaches */
        while (spend(budget, 1)) {
                size_t used = 0, end;
                if (part_start && is_any_parts(p))
                        return p.len == 2 || glob_any_parts(ash_slice_from(p, 3), s, budget);
                if (!s.len && may_be_nothing(p))
                        return true;
                if (p.len && p.ptr[0] == '*') {
                        star_p = p = ash_slice_from(p, 1);
                        star_s = s;
                        part_start = false;
                        continue;
                }
                if (p.len && p.ptr[0] == '{' && spend(budget, p.len / 8) && (end = brace_end(p)) > 0) {
                        if (glob_alternatives(ash_slice_sub(p, 1, end - 1), ash_slice_from(p, end + 1), s, part_start, budget))
                                return true;
                } else if (p.len && s.len && (used = match_byte(p, s.ptr[0])) > 0) {
                        part_start = s.ptr[0] == '/';
                        p = ash_slice_from(p, used);
                        s = ash_slice_from(s, 1);
                        if (used > 8 && !spend(budget, used / 8))
                                return false;
                        continue;
                }
                /* The last '*' takes one byte more. Earlier ones need no second look: what they matched ends at the same place. */
                if (!star_p.ptr || !star_s.len || star_s.ptr[0] == '/')
                        return false;
                star_s = ash_slice_from(star_s, 1);
                p = star_p;
                s = star_s;
                part_start = false;
        }
        return false;
}

bool ash_glob_match(AshSlice pattern, AshSlice path) {
        Budget budget = { 1u << 20 };
        return glob(pattern, path, true, &budget);
}

bool ash_glob_valid(AshSlice p) {
        size_t depth = 0;
        for (size_t i = 0; i < p.len; i++) {
                char c = p.ptr[i];
                if (c == '\\') {
                        if (++i >= p.len)
                                return false;
                } else if (c == '[') {
                        size_t n = bracket_len(ash_slice_from(p, i));
                        if (!n)
                                return false;
                        i += n - 1;
                } else if (c == '{')
                        depth++;
                else if (c == '}' && depth)
                        depth--;
        }
        return depth == 0;
}

bool ash_glob_has_meta(AshSlice p) {
        for (size_t i = 0; i < p.len; i++)
                if (strchr("*?[{\\", p.ptr[i]) && p.ptr[i])
                        return true;
        return false;
}
