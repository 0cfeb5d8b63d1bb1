/* The four kinds of strings: toml.io, section "String". */
#include "toml-private.h"

/* What the first pass over a string learnt. */
typedef struct Body {
        const char *from, *to; /* the content, without the quotes and a line break right behind the opening ones */
        bool escaped, crlf;
} Body;

static int unclosed(Parser *p, const char *open, const char *at, const char *closing) {
        int r = TOML_FAIL(p, at, at, "the string is not closed: expected %s, found %s", closing, toml_found(p, at).text);
        ash_note(p->diags, toml_span(p, open, open + 1), "the string begins here");
        if (at < p->end && strlen(closing) == 1)
                ash_hint(p->diags, "a string over several lines stands between %s and %s", *closing == '"' ? "\"\"\"" : "'''", *closing == '"' ? "\"\"\"" : "'''");
        return r;
}

static int bad_control(Parser *p, const char *at, bool basic) {
        int r = TOML_FAIL(p, at, at + 1, "%s may not stand in a string", toml_found(p, at).text);
        if (basic)
                ash_hint(p->diags, "write it as \\u%04X", (uint8_t) *at);
        return r;
}

static int body_single(Parser *p, char quote, Body *b) {
        bool basic = quote == '"';
        const char *open = p->p, *q = open + 1;
        b->from = q;
        for (;;) {
                q = toml_plain(q, p->end, quote, basic ? '\\' : quote);
                if (q >= p->end || *q == '\n' || (*q == '\r' && q + 1 < p->end && q[1] == '\n'))
                        return unclosed(p, open, q, basic ? "\"" : "'");
                if (*q == quote)
                        break;
                if (*q == '\\') {
                        b->escaped = true;
                        if (q + 1 >= p->end || (uint8_t) q[1] < 0x20)
                                q++;
                        else
                                q += 2;
                } else if (*q == '\t')
                        q++;
                else
                        return bad_control(p, q, basic);
        }
        b->to = q;
        p->p = q + 1;
        return 0;
}

static int body_multi(Parser *p, char quote, Body *b) {
        bool basic = quote == '"';
        const char *open = p->p, *q = open + 3;
        if (q < p->end && *q == '\n')
                q++;
        else if (p->end - q >= 2 && q[0] == '\r' && q[1] == '\n')
                q += 2;
        b->from = q;
        for (;;) {
                q = toml_plain(q, p->end, quote, basic ? '\\' : quote);
                if (q >= p->end)
                        return unclosed(p, open, q, basic ? "\"\"\"" : "'''");
                if (*q == quote) {
                        const char *run = q;
                        while (q < p->end && *q == quote && q - run < 6)
                                q++;
                        if (q - run < 3)
                                continue;
                        if (q - run > 5) {
                                int r = TOML_FAIL(p, run, q, "too many quotes: at most two may stand right before the closing three");
                                if (basic)
                                        ash_hint(p->diags, "write a quote as \\\" there");
                                return r;
                        }
                        b->to = q - 3;
                        p->p = q;
                        return 0;
                }
                if (*q == '\\') {
                        b->escaped = true;
                        q += q + 1 < p->end && (uint8_t) q[1] >= 0x20 ? 2 : 1;
                } else if (*q == '\t' || *q == '\n')
                        q++;
                else if (*q == '\r' && q + 1 < p->end && q[1] == '\n') {
                        b->crlf = true;
                        q += 2;
                } else
                        return bad_control(p, q, basic);
        }
}

static char *put_utf8(char *out, uint32_t c) {
        if (c < 0x80)
                *out++ = (char) c;
        else if (c < 0x800) {
                *out++ = (char) (0xc0 | c >> 6);
                *out++ = (char) (0x80 | (c & 0x3f));
        } else if (c < 0x10000) {
                *out++ = (char) (0xe0 | c >> 12);
                *out++ = (char) (0x80 | (c >> 6 & 0x3f));
                *out++ = (char) (0x80 | (c & 0x3f));
        } else {
                *out++ = (char) (0xf0 | c >> 18);
                *out++ = (char) (0x80 | (c >> 12 & 0x3f));
                *out++ = (char) (0x80 | (c >> 6 & 0x3f));
                *out++ = (char) (0x80 | (c & 0x3f));
        }
        return out;
}

static int hex_digit(char c) {
        return toml_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* \xHH, \uHHHH, \UHHHHHHHH: q at the backslash. */
static int escape_hex(Parser *p, const char **q, const char *end, unsigned n, char **out) {
        const char *at = *q;
        uint32_t c = 0;
        for (unsigned i = 0; i < n; i++) {
                int d = end - at > 2 + (ptrdiff_t) i ? hex_digit(at[2 + i]) : -1;
                if (d < 0)
                        return TOML_FAIL(p, at, ASH_MIN(at + 2 + i, end), "the escape \\%c needs %u hexadecimal digits, found %u", at[1], n, i);
                c = c << 4 | (uint32_t) d;
        }
        if ((c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff) {
                int r = TOML_FAIL(p, at, at + 2 + n, "U+%04X is %s, no character", c, c > 0x10ffff ? "beyond U+10FFFF" : "a surrogate");
                if (c <= 0x10ffff)
                        ash_hint(p->diags, "write a character above U+FFFF as \\U and its eight digits, not as two surrogates");
                return r;
        }
        *out = put_utf8(*out, c);
        *q = at + 2 + n;
        return 0;
}

/* A backslash at the end of a line takes the line break and all white space up to the next character. */
static int escape_line(Parser *p, const char **q, const char *end) {
        const char *at = *q, *s = at + 1;
        bool broken = false;
        for (; s < end && (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r'); s++)
                broken |= *s == '\n';
        if (!broken)
                return TOML_FAIL(p, at, at + 1, "a backslash before white space must be the last character of its line");
        *q = s;
        return 0;
}

static int escape(Parser *p, const char **q, const char *end, bool multiline, char **out) {
        static const char names[] = "btnfr\"\\e", values[] = "\b\t\n\f\r\"\\\033";
        const char *at = *q;
        char c = at + 1 < end ? at[1] : 0;
        const char *name = c ? strchr(names, c) : NULL;
        if (name && (c != 'e' || p->version >= ASH_TOML_1_1)) {
                *(*out)++ = values[name - names];
                *q = at + 2;
                return 0;
        }
        if (c == 'u' || c == 'U' || (c == 'x' && p->version >= ASH_TOML_1_1))
                return escape_hex(p, q, end, c == 'u' ? 4 : c == 'U' ? 8 : 2, out);
        if (multiline && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
                return escape_line(p, q, end);
        int r = TOML_FAIL(p, at, ASH_MIN(at + 2, end), "unknown escape: a backslash and %s", toml_found(p, at + 1).text);
        if (c == 'e' || c == 'x')
                ash_hint(p->diags, "\\%c came with TOML 1.1, this file is read as 1.0", c);
        else
                ash_hint(p->diags, "write a backslash as \\\\, or put the text between single quotes, where it has no meaning");
        return r;
}

static int decode(Parser *p, const Body *b, bool basic, bool multiline, AshSlice *ret) {
        /* No escape is shorter than what it stands for. */
        char *text = ash_arena_alloc(p->doc->arena, (size_t) (b->to - b->from) + 1), *out = text;
        for (const char *q = b->from; q < b->to;) {
                const char *stop = toml_plain(q, b->to, basic ? '\\' : '\n', '\n');
                memcpy(out, q, (size_t) (stop - q));
                out += stop - q;
                q = stop;
                if (q >= b->to)
                        break;
                if (basic && *q == '\\') {
                        int r = escape(p, &q, b->to, multiline, &out);
                        if (r < 0)
                                return r;
                } else if (*q == '\r')
                        q++; /* the '\n' behind it stays */
                else
                        *out++ = *q++;
        }
        *out = 0;
        *ret = ash_slice(text, (size_t) (out - text));
        return 0;
}

int toml_scan_string(Parser *p, bool multiline_allowed, AshSlice *ret) {
        const char *open = p->p;
        char quote = *open;
        bool multiline = p->end - open >= 3 && open[1] == quote && open[2] == quote;
        if (multiline && !multiline_allowed)
                return TOML_FAIL(p, open, open + 3, "a key cannot be a multi-line string");
        Body b = {};
        int r = multiline ? body_multi(p, quote, &b) : body_single(p, quote, &b);
        if (r < 0)
                return r;
        if (b.escaped || b.crlf)
                return decode(p, &b, quote == '"', multiline, ret);
        *ret = ash_slice(b.from, (size_t) (b.to - b.from));
        return 0;
}
