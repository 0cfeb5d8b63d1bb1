#include "tmpfiles.h"

void ash_tmpfiles_done(AshTmpfiles *t) { ash_array_done(&t->items); }

/* ---- words ---- */
static bool digits(AshSlice s, size_t at, size_t n, int base, uint32_t *ret) {
        uint64_t v;
        if (at + n > s.len || ash_slice_to_u64(ash_slice(s.ptr + at, n), base, &v) < 0 || v > 0xff)
                return false;
        *ret = (uint32_t) v;
        return true;
}

/* The escape behind a backslash at *at - 1; moves *at behind it. */
static bool escape(AshSlice s, size_t *at, AshStr *out) {
        static const char names[] = "abfnrtv\\\"'s", values[] = "\a\b\f\n\r\t\v\\\"' ";
        if (*at >= s.len)
                return false;
        const char *known = s.ptr[*at] ? strchr(names, s.ptr[*at]) : NULL;
        uint32_t v;
        if (known) {
                ash_str_append_char(out, values[known - names]);
                ++*at;
        } else if (s.ptr[*at] == 'x' && digits(s, *at + 1, 2, 16, &v) && v) {
                ash_str_append_char(out, (char) v);
                *at += 3;
        } else if (digits(s, *at, 3, 8, &v) && v) {
                ash_str_append_char(out, (char) v);
                *at += 3;
        } else
                return false;
        return true;
}

bool ash_tmpfiles_word(AshSlice *rest, AshArena *arena, AshSlice *ret, bool *ret_bad) {
        AshSlice s = ash_slice_trim_left(*rest);
        _str_ AshStr out = {};
        char quote = 0;
        size_t i = 0;
        *ret_bad = false;
        while (i < s.len && (quote || !strchr(" \t\r", s.ptr[i]))) {
                char c = s.ptr[i++];
                if (!quote && (c == '"' || c == '\''))
                        quote = c;
                else if (quote && c == quote)
                        quote = 0;
                else if (c != '\\')
                        ash_str_append_char(&out, c);
                else if (!escape(s, &i, &out))
                        *ret_bad = true;
        }
        *ret_bad |= quote != 0;
        *rest = ash_slice_trim_left(ash_slice_from(s, i));
        *ret = ash_arena_slice(arena, ash_str_slice(&out));
        return s.len && !*ret_bad;
}

AshSlice ash_tmpfiles_unescape(AshSlice s, AshArena *arena) {
        _str_ AshStr out = {};
        for (size_t i = 0; i < s.len;) {
                char c = s.ptr[i++];
                if (c != '\\')
                        ash_str_append_char(&out, c);
                else if (!escape(s, &i, &out))
                        return ASH_NOSLICE;
        }
        return ash_arena_slice(arena, ash_str_slice(&out));
}

/* RFC 4648; white space is passed over. ptr NULL: none. */
static AshSlice from_base64(AshSlice s, AshArena *arena) {
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        _str_ AshStr out = {};
        uint32_t bits = 0, n = 0, padding = 0;
        for (size_t i = 0; i < s.len; i++) {
                const char *p = s.ptr[i] && s.ptr[i] != '=' ? strchr(letters, s.ptr[i]) : NULL;
                if (strchr(" \t\r", s.ptr[i]))
                        continue;
                if ((!p && s.ptr[i] != '=') || (p && padding))
                        return ASH_NOSLICE;
                padding += !p;
                bits = bits << 6 | (p ? (uint32_t) (p - letters) : 0);
                if (++n % 4)
                        continue;
                for (int k = 2; k >= (int) ASH_MIN(padding, 2u); k--)
                        ash_str_append_char(&out, (char) (bits >> 8 * k));
        }
        return n % 4 || padding > 2 ? ASH_NOSLICE : ash_arena_slice(arena, ash_str_slice(&out));
}

/* ---- specifiers ---- */
enum { EXPANDED, FOR_A_HOST, UNKNOWN };
static int expand(AshSlice text, const AshSlice *specifiers, AshArena *arena, AshSlice *ret) {
        _str_ AshStr out = {};
        for (size_t i = 0; i < text.len; i++) {
                if (text.ptr[i] != '%' || i + 1 == text.len) {
                        ash_str_append_char(&out, text.ptr[i]);
                        continue;
                }
                unsigned char c = (unsigned char) text.ptr[++i];
                if (c == '%')
                        ash_str_append_char(&out, '%');
                else if (c >= 128 || !strchr("aAbBCgGhHlLmMosStTuUvVwW", c))
                        return UNKNOWN;
                else if (!specifiers[c].ptr)
                        return FOR_A_HOST;
                else
                        ash_str_append(&out, specifiers[c]);
        }
        *ret = ash_arena_slice(arena, ash_str_slice(&out));
        return EXPANDED;
}

/* ---- lines ---- */
static const char *parse_type(AshSlice type, AshTmpfile *t, bool *ret_base64) {
        t->type = type.ptr[0];
        for (size_t i = 1; i < type.len; i++) {
                if (ash_slice_find_char(ash_slice_from(type, i + 1), type.ptr[i]) >= 0)
                        return "a doubled modifier";
                switch (type.ptr[i]) {
                case '+': t->force = true; break;
                case '!': t->boot = true; break;
                case '=': t->replace = true; break;
                case '~': *ret_base64 = true; break;
                case '^': t->credential = true; break;
                case '?': t->if_target = true; break;
                case '-': case '$': break; /* a failure is none; goes with --purge */
                default: return "an unknown modifier";
                }
        }
        if (t->type == 'F') {
                t->type = 'f';
                t->force = true;
        } else if (t->type == 'm')
                t->type = 'z';
        return strchr("dDevqQfwpLcbCxXrRzZtThHaA", t->type) ? NULL : "an unknown type";
}

static const char *parse_mode(AshSlice s, AshTmpfile *t) {
        uint64_t mode;
        if (!s.len || ash_slice_eqs(s, "-")) {
                t->mode = strchr("dDvqQ", t->type) ? 0755 : 0644;
                return NULL;
        }
        for (; s.len && strchr("~:", s.ptr[0]); s = ash_slice_from(s, 1))
                *(s.ptr[0] == '~' ? &t->mode_masked : &t->mode_new) = true;
        if (ash_slice_to_u64(s, 8, &mode) < 0 || mode > 07777)
                return "a bad mode";
        t->mode = (uint32_t) mode;
        t->has_mode = true;
        return NULL;
}

static AshSlice parse_owner(AshSlice s, bool *ret_new) {
        if (ash_slice_eqs(s, "-"))
                return ASH_S("");
        *ret_new = s.len && s.ptr[0] == ':';
        return *ret_new ? ash_slice_from(s, 1) : s;
}

/* NULL: good, or *ret_skip. */
static const char *parse_argument(AshSlice rest, const AshSlice *specifiers, bool base64, AshArena *arena, AshTmpfile *t, bool *ret_skip) {
        int x = EXPANDED;
        if (!rest.len || ash_slice_eqs(rest, "-"))
                return strchr("wcbtTaAhH", t->type) ? "no argument" : NULL;
        if (base64 && !t->credential) {
                t->argument = from_base64(rest, arena);
                return t->argument.ptr ? NULL : "an argument that is not Base64";
        }
        if (t->credential)
                return NULL;
        x = expand(rest, specifiers, arena, &t->argument);
        *ret_skip |= x == FOR_A_HOST;
        return x == UNKNOWN ? "an unknown specifier" : NULL;
}

static const char *parse_line(AshSlice line, const AshSlice *specifiers, AshArena *arena, AshTmpfile *t, bool *ret_skip) {
        AshSlice f[6] = {};
        bool bad = false, base64 = false;
        size_t n = 0;
        while (n < ASH_N(f) && ash_tmpfiles_word(&line, arena, &f[n], &bad))
                n++;
        if (bad)
                return "an open quote or a bad escape";
        if (n < 2 || !f[0].len)
                return "no path";
        const char *why = parse_type(f[0], t, &base64);
        if (why)
                return why;
        int x = expand(f[1], specifiers, arena, &t->path);
        if (x != EXPANDED) {
                *ret_skip = x == FOR_A_HOST;
                return x == UNKNOWN ? "an unknown specifier" : NULL;
        }
        if (!t->path.len || t->path.ptr[0] != '/')
                return "a path that is not absolute";
        _free_ char *path = ash_path_normalize(t->path);
        if (ash_slice_find(t->path, ASH_S("/..")) >= 0)
                return "a path with '..'";
        t->path = ash_arena_slice(arena, ash_slice_str(path));
        t->user = parse_owner(f[3], &t->user_new);
        t->group = parse_owner(f[4], &t->group_new);
        why = parse_mode(f[2], t);
        return why ? why : parse_argument(line, specifiers, base64, arena, t, ret_skip);
}

void ash_tmpfiles_parse(AshSource *source, const AshSlice *specifiers, AshArena *arena, AshTmpfiles *ret, AshDiags *diags) {
        AshSlice rest = source->text, line;
        while (ash_slice_next_line(&rest, &line)) {
                AshSlice trimmed = ash_slice_trim(line);
                if (!trimmed.len || strchr("#;", trimmed.ptr[0]))
                        continue;
                AshTmpfile t = { .at = { source, (uint32_t) (trimmed.ptr - source->text.ptr), (uint32_t) trimmed.len } };
                bool skip = false;
                const char *why = parse_line(trimmed, specifiers, arena, &t, &skip);
                if (why)
                        ash_warn(diags, t.at, "a line of tmpfiles.d with %s; left out", why);
                else if (!skip)
                        ash_array_push(&ret->items, t);
        }
}

uint32_t ash_tmpfiles_mask(uint32_t wanted, uint32_t old_mode, bool directory) {
        uint32_t m = wanted;
        for (uint32_t bit = 0111; bit <= 0444; bit <<= 1)
                if (!(old_mode & bit))
                        m &= ~bit;
        return directory ? m : m & 0777;
}
