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
                return ash_slice_dup(to);
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
/* Length of the bracket expression at p[0] == '[', or 0 when it is not closed. */
static size_t bracket_len(AshSlice p) {
        size_t i = 1;
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

/* The end of the brace at p[0] == '{' (offset of its '}'), or 0. */
static size_t brace_end(AshSlice p) {
        size_t depth = 0;
        for (size_t i = 0; i < p.len; i++) {
                if (p.ptr[i] == '\\')
                        i++;
                else if (p.ptr[i] == '[') {
                        size_t n = bracket_len(ash_slice_from(p, i));
                        i += n ? n - 1 : 0;
                } else if (p.ptr[i] == '{')
                        depth++;
                else if (p.ptr[i] == '}' && --depth == 0)
                        return i;
        }
        return 0;
}

/* "budget" bounds the steps over all, so that a hostile pattern costs at most that many. */
static bool glob(AshSlice p, AshSlice s, bool part_start, size_t *budget) {
        AshSlice star_p = ASH_NOSLICE, star_s = ASH_NOSLICE;
        for (;;) {
                if (*budget == 0)
                        return false;
                --*budget;
                if (part_start && p.len >= 2 && p.ptr[0] == '*' && p.ptr[1] == '*' && (p.len == 2 || p.ptr[2] == '/')) {
                        if (p.len == 2)
                                return true;
                        AshSlice tail = ash_slice_from(p, 3);
                        for (AshSlice t = s;;) {
                                if (glob(tail, t, true, budget))
                                        return true;
                                ptrdiff_t slash = ash_slice_find_char(t, '/');
                                if (slash < 0 || !*budget)
                                        return false;
                                t = ash_slice_from(t, (size_t) slash + 1);
                        }
                }
                if (!p.len) {
                        if (!s.len)
                                return true;
                        goto back;
                }
                char c = p.ptr[0];
                if (c == '*') {
                        star_p = p = ash_slice_from(p, 1);
                        star_s = s;
                        part_start = false;
                        continue;
                }
                if (c == '{') {
                        size_t end = brace_end(p);
                        if (end) {
                                AshSlice tail = ash_slice_from(p, end + 1);
                                size_t start = 1, depth = 0;
                                for (size_t i = 1; i <= end; i++) {
                                        char b = p.ptr[i];
                                        if (b == '\\')
                                                i++;
                                        else if (b == '{')
                                                depth++;
                                        else if (b == '}' && depth)
                                                depth--;
                                        else if ((b == ',' && !depth) || i == end) {
                                                _str_ AshStr one = {};
                                                ash_str_append(&one, ash_slice_sub(p, start, i - start));
                                                ash_str_append(&one, tail);
                                                if (glob(ash_str_slice(&one), s, part_start, budget))
                                                        return true;
                                                start = i + 1;
                                        }
                                }
                                goto back;
                        }
                }
                if (!s.len)
                        goto back;
                size_t used = 1;
                bool ok;
                if (c == '?')
                        ok = s.ptr[0] != '/';
                else if (c == '[' && (used = bracket_len(p)) > 0)
                        ok = s.ptr[0] != '/' && bracket_match(ash_slice(p.ptr, used), s.ptr[0]);
                else {
                        used = 1;
                        if (c == '\\' && p.len > 1) {
                                c = p.ptr[1];
                                used = 2;
                        }
                        ok = c == s.ptr[0];
                }
                if (ok) {
                        part_start = s.ptr[0] == '/';
                        p = ash_slice_from(p, used);
                        s = ash_slice_from(s, 1);
                        continue;
                }
        back:
                if (!star_p.ptr || !star_s.len || star_s.ptr[0] == '/')
                        return false;
                star_s = ash_slice_from(star_s, 1);
                p = star_p;
                s = star_s;
                part_start = false;
        }
}

bool ash_glob_match(AshSlice pattern, AshSlice path) {
        size_t budget = 1u << 20;
        /* "a/" + "**" also matches "a" itself, as in doublestar. */
        if (ash_slice_ends(pattern, ASH_S("/**")) && glob(ash_slice(pattern.ptr, pattern.len - 3), path, true, &budget))
                return true;
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
