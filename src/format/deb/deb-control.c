/* deb822(5): fields, continuation lines, stanzas. */
#include "deb.h"

static AshSlice take_line(AshSlice *rest) {
        const char *nl = memchr(rest->ptr, '\n', rest->len);
        size_t n = nl ? (size_t) (nl - rest->ptr) : rest->len;
        AshSlice line = ash_slice(rest->ptr, n);
        size_t step = nl ? n + 1 : n;
        rest->ptr += step;
        rest->len -= step;
        return line;
}

static inline bool blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static bool line_is_empty(AshSlice line) {
        for (size_t i = 0; i < line.len; i++)
                if (!blank(line.ptr[i]))
                        return false;
        return true;
}

static inline AshSlice strip(const char *start, const char *end) {
        while (start < end && (blank(*start) || *start == '\n'))
                start++;
        while (end > start && (blank(end[-1]) || end[-1] == '\n'))
                end--;
        return ash_slice(start, (size_t) (end - start));
}

/* Takes the continuation lines (and comments between them) off rest; returns where the value ends. */
static const char *take_continuations(AshSlice *rest, const char *end) {
        while (rest->len > 0 && (blank(rest->ptr[0]) || rest->ptr[0] == '#')) {
                AshSlice before = *rest;
                AshSlice line = take_line(rest);
                if (line.len > 0 && line.ptr[0] == '#')
                        continue;
                if (line_is_empty(line)) {
                        *rest = before; /* a line of blanks ends the stanza */
                        break;
                }
                end = line.ptr + line.len;
        }
        return end;
}

static bool name_char(char c) { return c > 32 && c < 127 && c != ':'; }

int ash_deb822_next(AshDeb822 *in, AshDebField *ret) {
        while (in->rest.len > 0) {
                AshSlice before = in->rest;
                AshSlice line = take_line(&in->rest);
                if (line.len > 0 && line.ptr[0] == '#')
                        continue;
                if (line_is_empty(line)) {
                        if (!in->inside)
                                continue;
                        in->inside = false;
                        return ASH_DEB822_STANZA_END;
                }
                const char *colon = memchr(line.ptr, ':', line.len);
                size_t n = colon ? (size_t) (colon - line.ptr) : 0;
                bool good = n > 0 && line.ptr[0] != '-';
                for (size_t i = 0; good && i < n; i++)
                        good = name_char(line.ptr[i]);
                if (!good) {
                        in->rest = before;
                        return -ASH_ERR_SYNTAX;
                }
                in->inside = true;
                const char *end = take_continuations(&in->rest, line.ptr + line.len);
                *ret = (AshDebField){ ash_slice(line.ptr, n), strip(colon + 1, end) };
                return ASH_DEB822_FIELD;
        }
        if (!in->inside)
                return ASH_DEB822_END;
        in->inside = false;
        return ASH_DEB822_STANZA_END;
}

AshSlice ash_deb822_get(AshSlice text, const char *name) {
        AshDeb822 in = ash_deb822(text);
        AshSlice wanted = ash_slice_str(name);
        AshDebField f;
        while (ash_deb822_next(&in, &f) == ASH_DEB822_FIELD)
                if (ash_slice_eq_nocase(f.name, wanted))
                        return f.value;
        return ASH_NOSLICE;
}

void ash_deb822_unfold(AshSlice value, AshStr *out) {
        AshSlice line;
        bool first = true;
        while (ash_slice_next_line(&value, &line)) {
                if (line.len > 0 && line.ptr[0] == '#' && !first)
                        continue;
                if (!first)
                        ash_str_append_char(out, '\n');
                if (!first && line.len > 0 && blank(line.ptr[0]))
                        line = ash_slice_from(line, 1);
                line = ash_slice_trim_right(line);
                if (!ash_slice_eqs(line, "."))
                        ash_str_append(out, line);
                first = false;
        }
}

AshSlice ash_deb_clearsigned_text(AshSlice text) {
        if (!ash_slice_starts(text, ASH_S("-----BEGIN PGP SIGNED MESSAGE-----")))
                return text;
        ptrdiff_t blank_line = ash_slice_find(text, ASH_S("\n\n"));
        if (blank_line < 0)
                return ASH_S("");
        text = ash_slice_from(text, (size_t) blank_line + 2);
        ptrdiff_t end = ash_slice_find(text, ASH_S("\n-----BEGIN PGP SIGNATURE-----"));
        return end < 0 ? ASH_S("") : ash_slice_sub(text, 0, (size_t) end + 1);
}
