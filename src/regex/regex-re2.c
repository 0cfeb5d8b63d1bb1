/* RE2's syntax (github.com/google/re2/wiki/Syntax) with the flags of Go's regexp.Compile, rewritten as a PCRE2 pattern that means the same.
 * Every construct is read here and written anew, so nothing that RE2 does not know can slip through to PCRE2. Groups become non-capturing. */
#include "regex-private.h"

#define REPEAT_MAX 1000 /* RE2's limit, also for the product of nested ones */
#define DEPTH_MAX 1000

enum { FLAG_FOLD = 1, FLAG_MULTI = 2, FLAG_DOT_NL = 4, FLAG_SWAP = 8 };

typedef struct Re2 {
        AshSlice p;
        size_t i;      /* next byte of the pattern */
        unsigned flags;
        size_t depth;
        AshStr *out;
        size_t bad;
        char *why;
} Re2;

static int fail(Re2 *r, size_t at, const char *format, ...) _printf_(3, 4);
static int fail(Re2 *r, size_t at, const char *format, ...) {
        va_list ap;
        _str_ AshStr text = {};
        va_start(ap, format);
        ash_str_appendv(&text, format, ap);
        va_end(ap);
        r->bad = at;
        free(r->why);
        r->why = ash_str_take(&text);
        return -EINVAL;
}

static bool at_end(const Re2 *r) { return r->i >= r->p.len; }
static char peek(const Re2 *r, size_t ahead) { return r->i + ahead < r->p.len ? r->p.ptr[r->i + ahead] : 0; }
static bool looking_at(const Re2 *r, const char *s) { return ash_slice_starts(ash_slice_from(r->p, r->i), ash_slice_str(s)); }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_alnum(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static int hex_value(char c) {
        if (is_digit(c))
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The code point at s (valid UTF-8) and its length. */
static uint32_t code_point(const char *s, size_t *ret_len) {
        const uint8_t *p = (const uint8_t *) s;
        size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
        uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
        for (size_t i = 1; i < n; i++)
                c = c << 6 | (p[i] & 0x3f);
        *ret_len = n;
        return c;
}

static void emit_char(Re2 *r, uint32_t c) {
        if (c < 0x80 && is_alnum((char) c))
                ash_str_append_char(r->out, (char) c);
        else
                ash_str_appendf(r->out, "\\x{%x}", c);
}

/* ---- escapes ---- */

static int octal(Re2 *r, uint32_t *ret) {
        uint32_t c = 0;
        for (int k = 0; k < 3 && peek(r, 0) >= '0' && peek(r, 0) <= '7'; k++)
                c = c * 8 + (uint32_t) (r->p.ptr[r->i++] - '0');
        *ret = c;
        return 0;
}

static int hexadecimal(Re2 *r, size_t start, uint32_t *ret) {
        uint32_t c = 0;
        if (peek(r, 0) != '{') {
                int high = at_end(r) ? -1 : hex_value(peek(r, 0)), low = hex_value(peek(r, 1));
                if (high < 0 || low < 0)
                        return fail(r, start, "'\\x' needs two hexadecimal digits, or some in braces");
                r->i += 2;
                *ret = (uint32_t) (high * 16 + low);
                return 0;
        }
        size_t digits = 0;
        for (r->i++; hex_value(peek(r, 0)) >= 0 && c <= 0x10ffff; r->i++, digits++)
                c = c * 16 + (uint32_t) hex_value(peek(r, 0));
        if (!digits || peek(r, 0) != '}' || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
                return fail(r, start, "'\\x{...}' is no code point");
        r->i++;
        *ret = c;
        return 0;
}

/* An escape that stands for one character; r->i is at the backslash. */
static int escaped_char(Re2 *r, uint32_t *ret) {
        static const char names[] = "afnrtv", values[] = "\a\f\n\r\t\v";
        size_t start = r->i;
        char c = peek(r, 1);
        if (start + 1 >= r->p.len)
                return fail(r, start, "the pattern ends in a backslash");
        const char *named = c ? strchr(names, c) : NULL;
        r->i += 2;
        if (named) {
                *ret = (uint8_t) values[named - names];
                return 0;
        }
        if (c == 'x')
                return hexadecimal(r, start, ret);
        if (c == '0' || (c > '0' && c <= '7' && peek(r, 0) >= '0' && peek(r, 0) <= '7')) {
                r->i--;
                return octal(r, ret);
        }
        if ((uint8_t) c < 0x80 && !is_alnum(c)) {
                *ret = (uint8_t) c;
                return 0;
        }
        if (c >= '1' && c <= '9')
                return fail(r, start, "backreference '\\%c': RE2 has none", c);
        if (c && strchr("ZGKRXhHVNkgE", c))
                return fail(r, start, "'\\%c' is Perl's: RE2 does not have it", c);
        return c == 'C' ? fail(r, start, "'\\C' (one byte) is not supported") : fail(r, start, "unknown escape '\\%c'", c);
}

/* \pN, \p{Greek}, \PN, \p{^Greek}: r->i is at the backslash. */
static int unicode_class(Re2 *r) {
        static const char *const categories[] = { "Any", "C", "Cc", "Cf", "Co", "Cs", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd", "Nl", "No",
                "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp", "Zs" };
        size_t start = r->i;
        bool negate = peek(r, 1) == 'P';
        AshSlice name = ash_slice_sub(r->p, start + 2, 1);
        r->i += 3;
        if (ash_slice_eqs(name, "{")) {
                ptrdiff_t close = ash_slice_find_char(ash_slice_from(r->p, r->i), '}');
                if (close < 0)
                        return fail(r, start, "'\\p{' is not closed");
                name = ash_slice_sub(r->p, r->i, (size_t) close);
                r->i += (size_t) close + 1;
                if (ash_slice_starts(name, ASH_S("^"))) {
                        negate = !negate;
                        name = ash_slice_from(name, 1);
                }
        }
        bool word = name.len > 0;
        for (size_t k = 0; k < name.len; k++)
                word &= (is_alnum(name.ptr[k]) || name.ptr[k] == '_') && (k || (name.ptr[0] >= 'A' && name.ptr[0] <= 'Z'));
        if (!word)
                return fail(r, start, "unknown character class");
        bool category = false;
        for (size_t k = 0; k < ASH_N(categories); k++)
                category |= ash_slice_eqs(name, categories[k]);
        ash_str_appendf(r->out, "\\%c{%s%.*s}", negate ? 'P' : 'p', category ? "" : "sc:", ASH_F(name));
        return 0;
}

/* \d \D \s \S \w \W: what PCRE2 takes for them. RE2's \s has no vertical tab. */
static const char *perl_class(char c, bool inside) {
        switch (c) {
        case 'd': return "\\d";
        case 'D': return "\\D";
        case 'w': return "\\w";
        case 'W': return "\\W";
        case 's': return inside ? "\\t\\n\\f\\r\\x20" : "[\\t\\n\\f\\r\\x20]";
        case 'S': return inside ? "\\S\\x0b" : "[^\\t\\n\\f\\r\\x20]";
        default: return NULL;
        }
}

/* ---- classes ---- */

static int class_char(Re2 *r, size_t class_start, uint32_t *ret) {
        if (at_end(r))
                return fail(r, class_start, "']' is missing");
        if (peek(r, 0) == '\\')
                return escaped_char(r, ret);
        size_t len;
        *ret = code_point(r->p.ptr + r->i, &len);
        r->i += len;
        return 0;
}

/* "[:alpha:]" within a class: 1 when it was one. */
static int posix_class(Re2 *r) {
        static const char *const names[] = { "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word", "xdigit" };
        AshSlice rest = ash_slice_from(r->p, r->i);
        ptrdiff_t close = ash_slice_find(rest, ASH_S(":]"));
        if (!ash_slice_starts(rest, ASH_S("[:")) || close < 2)
                return 0;
        AshSlice name = ash_slice_sub(rest, 2, (size_t) close - 2), plain = name;
        if (ash_slice_starts(plain, ASH_S("^")))
                plain = ash_slice_from(plain, 1);
        for (size_t k = 0; k < ASH_N(names); k++)
                if (ash_slice_eqs(plain, names[k])) {
                        /* Spelled out where case folding would matter: PCRE2 does not fold its own names. */
                        const char *range = ash_slice_eqs(name, "alpha") ? "A-Za-z" : ash_slice_eqs(name, "lower") ? "a-z" : ash_slice_eqs(name, "upper") ? "A-Z" :
                                            ash_slice_eqs(name, "alnum") ? "0-9A-Za-z" : NULL;
                        if (range)
                                ash_str_append_str(r->out, range);
                        else
                                ash_str_appendf(r->out, "[:%.*s:]", ASH_F(name));
                        r->i += (size_t) close + 2;
                        return 1;
                }
        return fail(r, r->i, "unknown character class '[:%.*s:]'", ASH_F(name));
}

static int class_item(Re2 *r, size_t start) {
        if (peek(r, 0) == '[' && peek(r, 1) == ':') {
                int n = posix_class(r);
                if (n)
                        return n;
        }
        if (peek(r, 0) == '\\') {
                const char *perl = perl_class(peek(r, 1), true);
                if (peek(r, 1) == 'p' || peek(r, 1) == 'P')
                        return unicode_class(r);
                if (perl) {
                        ash_str_append_str(r->out, perl);
                        r->i += 2;
                        return 0;
                }
        }
        uint32_t low, high;
        size_t at = r->i;
        int n = class_char(r, start, &low);
        if (n < 0)
                return n;
        high = low;
        if (peek(r, 0) == '-' && r->i + 1 < r->p.len && peek(r, 1) != ']') {
                r->i++;
                n = class_char(r, start, &high);
                if (n < 0)
                        return n;
                if (high < low)
                        return fail(r, at, "the range runs backwards");
        }
        emit_char(r, low);
        if (high != low) {
                ash_str_append_char(r->out, '-');
                emit_char(r, high);
        }
        return 0;
}

static int class(Re2 *r) {
        size_t start = r->i++;
        ash_str_append_char(r->out, '[');
        if (peek(r, 0) == '^') {
                ash_str_append_char(r->out, '^');
                r->i++;
        }
        for (bool first = true; first || peek(r, 0) != ']'; first = false) {
                if (at_end(r))
                        return fail(r, start, "']' is missing");
                int n = class_item(r, start);
                if (n < 0)
                        return n;
        }
        r->i++;
        ash_str_append_char(r->out, ']');
        return 0;
}

/* ---- repetition ---- */

/* "{n}", "{n,}" or "{n,m}" at r->i: 1 and the numbers (max SIZE_MAX: open), 0 when it is just text. */
static int counts(Re2 *r, size_t *ret_min, size_t *ret_max, size_t *ret_len) {
        size_t i = 1, value[2] = { 0, 0 };
        bool open = false, comma = false;
        for (int k = 0; k < 2; k++) {
                size_t digits = i;
                while (is_digit(peek(r, i))) {
                        value[k] = ASH_MIN(value[k] * 10 + (size_t) (peek(r, i) - '0'), (size_t) 100000);
                        i++;
                }
                if (i > digits + 1 && peek(r, digits) == '0')
                        return 0;
                if (i == digits) {
                        if (!k)
                                return 0;
                        open = comma;
                }
                if (k == 0 && peek(r, i) == ',') {
                        comma = true;
                        i++;
                } else
                        break;
        }
        if (peek(r, i) != '}')
                return 0;
        *ret_min = value[0];
        *ret_max = !comma ? value[0] : open ? SIZE_MAX : value[1];
        *ret_len = i + 1;
        if (*ret_min > REPEAT_MAX || (*ret_max != SIZE_MAX && (*ret_max > REPEAT_MAX || *ret_max < *ret_min)))
                return fail(r, r->i, "the count is larger than %d, or runs backwards", REPEAT_MAX);
        return 1;
}

typedef struct Atom {
        bool there;     /* something that can be repeated stands before */
        bool repeated;  /* and it is repeated already */
        bool zero;      /* an assertion: needs a group around it before it may be repeated */
        size_t out;     /* where it starts in the output */
        size_t end;     /* and where it ends; flags such as (?i) may follow, which a repetition looks through */
        size_t product; /* of the counts within */
} Atom;

static int repeat(Re2 *r, Atom *atom, size_t *product) {
        size_t start = r->i, min = 0, max = SIZE_MAX, len = 1;
        char c = peek(r, 0);
        if (c == '{') {
                int n = counts(r, &min, &max, &len);
                if (n <= 0)
                        return n;
        }
        if (!atom->there)
                return fail(r, start, "nothing stands before '%.*s' that could be repeated", (int) len, r->p.ptr + start);
        if (atom->repeated)
                return fail(r, start, "a repetition is repeated ('%c' after another one): RE2 has no possessive or stacked repetition", c);
        _free_ char *flags = ash_strndup(r->out->ptr + atom->end, r->out->len - atom->end);
        r->out->len = atom->end;
        if (atom->zero || *flags) {
                _free_ char *text = ash_strndup(r->out->ptr + atom->out, atom->end - atom->out);
                r->out->len = atom->out;
                ash_str_appendf(r->out, "(?:%s)", text);
        }
        r->i += len;
        if (c == '{') {
                size_t most = max == SIZE_MAX ? min : max;
                if (most >= 2)
                        atom->product *= most;
                if (atom->product > REPEAT_MAX)
                        return fail(r, start, "nested counts multiply to more than %d", REPEAT_MAX);
        }
        ash_str_append(r->out, ash_slice_sub(r->p, start, len));
        bool lazy = peek(r, 0) == '?';
        r->i += lazy;
        if (lazy != !!(r->flags & FLAG_SWAP))
                ash_str_append_char(r->out, '?');
        atom->end = r->out->len;
        atom->repeated = true;
        ash_str_append_str(r->out, flags);
        *product = ASH_MAX(*product, atom->product);
        return 1;
}

/* ---- groups ---- */

static int alternation(Re2 *r, size_t *ret_product);

static int refused_group(Re2 *r, size_t start) {
        static const struct { const char *text, *what; } groups[] = {
                { "(?=", "lookahead" }, { "(?!", "negative lookahead" }, { "(?<=", "lookbehind" }, { "(?<!", "negative lookbehind" },
                { "(?>", "an atomic group" }, { "(?|", "a branch reset group" }, { "(?#", "a comment" }, { "(?(", "a conditional group" },
                { "(?R", "recursion" }, { "(?&", "a subroutine call" }, { "(?P=", "a backreference" }, { "(?P>", "a subroutine call" }, { "(?C", "a callout" },
        };
        for (size_t k = 0; k < ASH_N(groups); k++)
                if (ash_slice_starts(ash_slice_from(r->p, start), ash_slice_str(groups[k].text)))
                        return fail(r, start, "'%s' is %s: RE2 has none", groups[k].text, groups[k].what);
        return fail(r, start, "'(?' is followed by nothing that RE2 knows");
}

/* "(?P<name>" or "(?<name>": r->i is at '('. */
static int group_name(Re2 *r, size_t prefix) {
        size_t start = r->i, i = start + prefix;
        while (i < r->p.len && (is_alnum(r->p.ptr[i]) || r->p.ptr[i] == '_'))
                i++;
        if (i == start + prefix || i >= r->p.len || r->p.ptr[i] != '>')
                return fail(r, start, "the group's name is not a word in angle brackets");
        r->i = i + 1;
        return 0;
}

/* "(?ims-U)" or "(?ims-U:": 1 when a group was opened, 0 when the flags hold from here on. */
static int flag_group(Re2 *r) {
        static const char letters[] = "imsU";
        size_t start = r->i;
        unsigned flags = r->flags;
        bool negative = false, any = false;
        for (r->i += 2;; r->i++) {
                char c = peek(r, 0);
                const char *l = c ? strchr(letters, c) : NULL;
                if (l) {
                        unsigned bit = 1u << (l - letters);
                        flags = negative ? flags & ~bit : flags | bit;
                        any = true;
                } else if (c == '-' && !negative) {
                        negative = true;
                        any = false;
                } else if ((c == ':' || c == ')') && !(negative && !any)) {
                        r->i++;
                        bool fold = (flags ^ r->flags) & FLAG_FOLD;
                        r->flags = flags;
                        const char *change = !fold ? "" : flags & FLAG_FOLD ? "i" : "-i";
                        if (c == ':' || fold)
                                ash_str_appendf(r->out, "(?%s%c", change, c);
                        return c == ':';
                } else
                        return refused_group(r, start);
        }
}

static int group(Re2 *r, Atom *atom, const Atom *before) {
        size_t start = r->i;
        unsigned outer = r->flags;
        int n = 1;
        if (looking_at(r, "(?P<") || (looking_at(r, "(?<") && peek(r, 3) != '=' && peek(r, 3) != '!')) {
                n = group_name(r, looking_at(r, "(?P<") ? 4 : 3);
                ash_str_append_str(r->out, "(?:");
        } else if (looking_at(r, "(?")) {
                n = flag_group(r);
                if (n == 0) {
                        *atom = *before;
                        atom->repeated = false;
                        return 0;
                }
        } else if (looking_at(r, "(*")) {
                return fail(r, start, "nothing stands before '*' that could be repeated");
        } else {
                r->i++;
                ash_str_append_str(r->out, "(?:");
        }
        if (n < 0)
                return n;
        if (++r->depth > DEPTH_MAX)
                return fail(r, start, "groups are nested deeper than %d", DEPTH_MAX);
        n = alternation(r, &atom->product);
        if (n < 0)
                return n;
        if (at_end(r))
                return fail(r, start, "')' is missing");
        r->depth--;
        r->i++;
        r->flags = outer;
        ash_str_append_char(r->out, ')');
        return 0;
}

/* ---- atoms ---- */

/* \Q...\E: every character is itself; a repetition after it repeats the last one. */
static void quoted(Re2 *r, Atom *atom) {
        AshSlice rest = ash_slice_from(r->p, r->i + 2);
        ptrdiff_t end = ash_slice_find(rest, ASH_S("\\E"));
        AshSlice text = end < 0 ? rest : ash_slice_sub(rest, 0, (size_t) end);
        r->i = end < 0 ? r->p.len : r->i + 2 + (size_t) end + 2;
        if (!text.len) {
                atom->there = false;
                return;
        }
        for (size_t k = 0, len; k < text.len; k += len) {
                atom->out = r->out->len;
                emit_char(r, code_point(text.ptr + k, &len));
        }
}

static int backslash(Re2 *r, Atom *atom) {
        char c = peek(r, 1);
        const char *perl = perl_class(c, false);
        if (c == 'Q') {
                quoted(r, atom);
                return 0;
        }
        if (c == 'p' || c == 'P')
                return unicode_class(r);
        if (c == 'A' || c == 'z' || c == 'b' || c == 'B') {
                atom->zero = true;
                ash_str_appendf(r->out, "\\%c", c);
                r->i += 2;
                return 0;
        }
        if (perl) {
                ash_str_append_str(r->out, perl);
                r->i += 2;
                return 0;
        }
        uint32_t value;
        int n = escaped_char(r, &value);
        if (n < 0)
                return n;
        emit_char(r, value);
        return 0;
}

static int one_atom(Re2 *r, Atom *atom) {
        Atom before = *atom;
        *atom = (Atom){ .there = true, .out = r->out->len, .product = 1 };
        bool multi = r->flags & FLAG_MULTI;
        size_t len = 1;
        switch (peek(r, 0)) {
        case '(': return group(r, atom, &before);
        case '[': return class(r);
        case '\\': return backslash(r, atom);
        case '.':
                ash_str_append_str(r->out, r->flags & FLAG_DOT_NL ? "(?s:.)" : "[^\\n]");
                break;
        case '^':
                atom->zero = true;
                ash_str_append_str(r->out, multi ? "(?m:^)" : "\\A");
                break;
        case '$':
                atom->zero = true;
                ash_str_append_str(r->out, multi ? "(?m:$)" : "\\z");
                break;
        default:
                emit_char(r, code_point(r->p.ptr + r->i, &len));
        }
        r->i += len;
        return 0;
}

static int alternation(Re2 *r, size_t *ret_product) {
        Atom atom = {};
        size_t product = 1;
        for (char c; !at_end(r) && (c = peek(r, 0)) != ')';) {
                int n = 0;
                if (c == '|') {
                        ash_str_append_char(r->out, '|');
                        atom = (Atom){};
                        r->i++;
                        continue;
                }
                if (c == '*' || c == '+' || c == '?' || c == '{')
                        n = repeat(r, &atom, &product);
                if (n < 0)
                        return n;
                if (n > 0)
                        continue;
                size_t flags_only = atom.out;
                n = one_atom(r, &atom);
                if (n < 0)
                        return n;
                if (!atom.there || atom.out != flags_only || !atom.end)
                        atom.end = r->out->len;
                product = ASH_MAX(product, atom.product);
        }
        *ret_product = product;
        return 0;
}

int ash_regex_translate(AshSlice pattern, unsigned flags, AshStr *out, size_t *ret_bad, char **ret_why) {
        Re2 r = { .p = pattern, .out = out, .flags = flags & ASH_REGEX_MULTILINE ? FLAG_MULTI : 0 };
        size_t product;
        int n = ash_utf8_valid(pattern, &r.bad) ? 0 : fail(&r, r.bad, "the pattern is not valid UTF-8");
        if (n >= 0)
                n = alternation(&r, &product);
        if (n >= 0 && !at_end(&r))
                n = fail(&r, r.i, "')' closes nothing");
        if (n < 0) {
                *ret_bad = r.bad;
                *ret_why = r.why;
        }
        return n;
}
