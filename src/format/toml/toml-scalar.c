/* Booleans, integers, floats, dates and times. */
#include <math.h>
#include "toml-private.h"

static bool is_token(char c) { return toml_is_bare(c) || c == '+' || c == '.' || c == ':'; }

static bool token_is(const char *t, const char *e, const char *word) {
        return ash_slice_eqs(ash_slice(t, (size_t) (e - t)), word);
}

/* ---- integers ---- */

static int bad_number(Parser *p, const char *t, const char *e, const char *what) {
        return TOML_FAIL(p, t, e, "'%.*s' is no number: %s", (int) ASH_MIN(e - t, (ptrdiff_t) 60), t, what);
}

static int too_large(Parser *p, const char *t, const char *e) {
        return TOML_FAIL(p, t, e, "the integer does not fit 64 bits: it must lie between -9223372036854775808 and 9223372036854775807");
}

/* Digits of a base, single underscores between them. Gives what is wrong, or NULL. */
static const char *digits(const char **q, const char *e, unsigned base, uint64_t *value, bool *overflow) {
        const char *s = *q;
        bool after_digit = false;
        uint64_t v = 0;
        for (; s < e; s++) {
                unsigned d = toml_is_digit(*s) ? (unsigned) (*s - '0') : (*s | 32) >= 'a' && (*s | 32) <= 'f' ? (unsigned) ((*s | 32) - 'a') + 10 : 99;
                if (*s == '_') {
                        if (!after_digit)
                                break;
                        after_digit = false;
                        continue;
                }
                if (d >= base)
                        break;
                after_digit = true;
                *overflow |= __builtin_mul_overflow(v, (uint64_t) base, &v);
                *overflow |= __builtin_add_overflow(v, (uint64_t) d, &v);
        }
        const char *from = *q;
        *q = s;
        *value = v;
        if (s < e && *s == '_')
                return "an underscore must stand between two digits";
        if (!after_digit)
                return s > from ? "an underscore must stand between two digits" : "a digit is missing";
        return NULL;
}

static int scan_prefixed(Parser *p, const char *t, const char *e, AshTomlValue *v) {
        unsigned base = t[1] == 'x' ? 16 : t[1] == 'o' ? 8 : 2;
        const char *q = t + 2;
        bool overflow = false;
        uint64_t n;
        const char *wrong = digits(&q, e, base, &n, &overflow);
        if (!wrong && q < e)
                wrong = base == 16 ? "it has something else than hexadecimal digits" : base == 8 ? "it has something else than the digits 0 to 7" : "it has something else than 0 and 1";
        if (wrong)
                return bad_number(p, t, e, wrong);
        if (overflow || n > INT64_MAX)
                return too_large(p, t, e);
        v->type = ASH_TOML_INTEGER;
        v->integer = (int64_t) n;
        return 0;
}

/* ---- floats ---- */

/* inf and nan: 1, or 0 when it is neither. */
static int scan_special(const char *t, const char *e, AshTomlValue *v) {
        bool negative = *t == '-';
        const char *word = *t == '-' || *t == '+' ? t + 1 : t;
        if (token_is(word, e, "inf"))
                v->floating = negative ? -INFINITY : INFINITY;
        else if (token_is(word, e, "nan"))
                v->floating = negative ? -NAN : NAN;
        else
                return 0;
        v->type = ASH_TOML_FLOAT;
        return 1;
}

/* Exact: one correctly rounded operation on two exact values, where both are (Clinger's fast path); else the C library, without its locale. */
static int to_double(Parser *p, const char *t, const char *e, bool negative, double *ret) {
        static const double tens[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
        uint64_t m = 0;
        unsigned n = 0;
        int64_t exponent = 0, written = 0;
        bool fraction = false;
        const char *q = t + (*t == '-' || *t == '+');
        for (; q < e && (*q | 32) != 'e'; q++) {
                if (*q == '_')
                        continue;
                if (*q == '.') {
                        fraction = true;
                        continue;
                }
                if (n < 20)
                        m = m * 10 + (uint64_t) (*q - '0'), n += m != 0;
                exponent -= fraction;
        }
        if (q < e) {
                bool minus = q[1] == '-';
                for (q += 1 + (q[1] == '-' || q[1] == '+'); q < e; q++)
                        if (*q != '_' && written < 100000)
                                written = written * 10 + (*q - '0');
                exponent += minus ? -written : written;
        }
        if (n < 19 && m <= (1ull << 53) && exponent >= -22 && exponent <= 22) {
                double d = exponent < 0 ? (double) m / tens[-exponent] : (double) m * tens[exponent];
                *ret = negative ? -d : d;
                return 0;
        }
        _str_ AshStr plain = {};
        ash_str_reserve(&plain, (size_t) (e - t) + 1);
        for (q = t; q < e; q++)
                if (*q != '_')
                        ash_str_append_char(&plain, *q);
        if (!p->c_locale)
                p->c_locale = newlocale(LC_ALL_MASK, "C", NULL);
        *ret = strtod_l(plain.ptr, NULL, p->c_locale);
        return isinf(*ret) ? -ERANGE : 0;
}

static int scan_decimal(Parser *p, const char *t, const char *e, AshTomlValue *v) {
        bool negative = *t == '-', is_float = false, overflow = false, ignored = false;
        const char *q = t + (*t == '-' || *t == '+'), *first = q;
        uint64_t n, unused;
        const char *wrong = digits(&q, e, 10, &n, &overflow);
        if (wrong)
                return bad_number(p, t, e, q == first && q < e && *q == '.' ? "a digit must stand before the point" : wrong);
        if (*first == '0' && q - first > 1) {
                int r = bad_number(p, t, e, "it begins with a zero");
                ash_hint(p->diags, "octal numbers begin with 0o; a text needs quotes");
                return r;
        }
        if (q < e && *q == '.') {
                is_float = true;
                q++;
                wrong = digits(&q, e, 10, &unused, &ignored);
                if (wrong)
                        return bad_number(p, t, e, q[-1] == '.' ? "a digit must stand behind the point" : wrong);
        }
        if (q < e && (*q | 32) == 'e') {
                is_float = true;
                q++;
                q += q < e && (*q == '-' || *q == '+');
                wrong = digits(&q, e, 10, &unused, &ignored);
                if (wrong)
                        return bad_number(p, t, e, (q[-1] | 32) == 'e' || q[-1] == '-' || q[-1] == '+' ? "the exponent has no digits" : wrong);
        }
        if (q < e) {
                Found f = toml_found(p, q);
                int r = TOML_FAIL(p, q, q + 1, "%s does not belong to a number", f.text);
                ash_hint(p->diags, "a text needs quotes: \"%.*s\"", (int) ASH_MIN(e - t, (ptrdiff_t) 60), t);
                return r;
        }
        if (is_float) {
                v->type = ASH_TOML_FLOAT;
                if (to_double(p, t, e, negative, &v->floating) < 0)
                        return TOML_FAIL(p, t, e, "the float is too large for 64 bits (its largest is about 1.8e308)");
                return 0;
        }
        if (overflow || n > (uint64_t) INT64_MAX + negative)
                return too_large(p, t, e);
        v->type = ASH_TOML_INTEGER;
        v->integer = negative ? (int64_t) (0 - n) : (int64_t) n;
        return 0;
}

/* ---- dates and times: RFC 3339, seconds optional since TOML 1.1 ---- */

/* n digits at *q; -1 when they are not there. */
static int fixed(const char **q, const char *e, unsigned n) {
        int v = 0;
        if (e - *q < (ptrdiff_t) n)
                return -1;
        for (unsigned i = 0; i < n; i++) {
                if (!toml_is_digit((*q)[i]))
                        return -1;
                v = v * 10 + ((*q)[i] - '0');
        }
        *q += n;
        return v;
}

static bool take(const char **q, const char *e, char c) {
        if (*q >= e || **q != c)
                return false;
        (*q)++;
        return true;
}

static unsigned days_in(int year, int month) {
        static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        return days[month - 1] + (month == 2 && leap);
}

/* Each gives what is wrong, or NULL. */
static const char *date(const char **q, const char *e) {
        int year = fixed(q, e, 4), month, day;
        if (year < 0 || !take(q, e, '-') || (month = fixed(q, e, 2)) < 0 || !take(q, e, '-') || (day = fixed(q, e, 2)) < 0)
                return "a date is YYYY-MM-DD";
        if (month < 1 || month > 12)
                return "there is no such month";
        if (day < 1 || day > (int) days_in(year, month))
                return "the month has no such day";
        return NULL;
}

static const char *time_of_day(const Parser *p, const char **q, const char *e, bool *ret_seconds) {
        int hour = fixed(q, e, 2), minute, second = 0;
        if (hour < 0 || !take(q, e, ':') || (minute = fixed(q, e, 2)) < 0)
                return "a time is HH:MM:SS";
        *ret_seconds = take(q, e, ':');
        if (*ret_seconds && (second = fixed(q, e, 2)) < 0)
                return "a time is HH:MM:SS";
        if (!*ret_seconds && p->version < ASH_TOML_1_1)
                return "the seconds are missing (they are optional since TOML 1.1, this file is read as 1.0)";
        if (hour > 23 || minute > 59 || second > 60)
                return "there is no such time";
        if (*ret_seconds && take(q, e, '.')) {
                if (*q >= e || !toml_is_digit(**q))
                        return "a digit must stand behind the point";
                while (*q < e && toml_is_digit(**q))
                        (*q)++;
        }
        return NULL;
}

static const char *offset(const char **q, const char *e) {
        int hour, minute;
        if (take(q, e, 'Z') || take(q, e, 'z'))
                return NULL;
        (*q)++;
        if ((hour = fixed(q, e, 2)) < 0 || !take(q, e, ':') || (minute = fixed(q, e, 2)) < 0)
                return "an offset is Z or +HH:MM or -HH:MM";
        return hour > 23 || minute > 59 ? "there is no such offset" : NULL;
}

static AshSlice normalized(Parser *p, const char *t, const char *e, const char *minute_end, bool seconds) {
        size_t n = (size_t) (e - t);
        bool same = seconds || !minute_end;
        for (size_t i = 0; i < n && same; i++)
                same = t[i] != ' ' && t[i] != 't' && t[i] != 'z';
        if (same)
                return ash_slice(t, n);
        char *text = ash_arena_alloc(p->doc->arena, n + 4), *out = text;
        for (const char *q = t; q <= e; q++) {
                if (q == minute_end && !seconds) {
                        memcpy(out, ":00", 3);
                        out += 3;
                }
                if (q < e)
                        *out++ = *q == ' ' || *q == 't' ? 'T' : *q == 'z' ? 'Z' : *q;
        }
        *out = 0;
        return ash_slice(text, (size_t) (out - text));
}

static int scan_datetime(Parser *p, const char *t, const char *e, AshTomlValue *v) {
        const char *q = t, *wrong = NULL, *minute_end = NULL;
        bool seconds = true, has_date = e - t > 4 && t[4] == '-';
        v->type = has_date ? ASH_TOML_DATE_LOCAL : ASH_TOML_TIME_LOCAL;
        if (has_date)
                wrong = date(&q, e);
        if (!wrong && has_date && q < e && (*q == 'T' || *q == 't' || *q == ' ')) {
                q++;
                v->type = ASH_TOML_DATETIME_LOCAL;
        }
        if (!wrong && v->type != ASH_TOML_DATE_LOCAL) {
                minute_end = q + 5;
                wrong = time_of_day(p, &q, e, &seconds);
        }
        if (!wrong && v->type == ASH_TOML_DATETIME_LOCAL && q < e && (*q == 'Z' || *q == 'z' || *q == '+' || *q == '-')) {
                wrong = offset(&q, e);
                v->type = ASH_TOML_DATETIME;
        }
        if (!wrong && q < e)
                wrong = "something follows it";
        if (wrong)
                return TOML_FAIL(p, t, e, "'%.*s' is no date or time: %s", (int) ASH_MIN(e - t, (ptrdiff_t) 60), t, wrong);
        v->string = normalized(p, t, e, minute_end, seconds);
        return 0;
}

/* ---- what is it? ---- */

static int no_value(Parser *p, const char *t, const char *e) {
        static const struct { const char *word, *hint; } words[] = {
                { "True", "write true" }, { "TRUE", "write true" }, { "yes", "write true" }, { "on", "write true" },
                { "False", "write false" }, { "FALSE", "write false" }, { "no", "write false" }, { "off", "write false" },
                { "null", "TOML has no null: leave the key out" }, { "nil", "TOML has no null: leave the key out" }, { "none", "TOML has no null: leave the key out" },
                { "Inf", "write inf" }, { "NaN", "write nan" }, { "Infinity", "write inf" }, { "infinity", "write inf" },
        };
        if (t == e)
                return TOML_FAIL(p, t, t, "expected a value, found %s", toml_found(p, t).text);
        int r = TOML_FAIL(p, t, e, "expected a value, found '%.*s'", (int) ASH_MIN(e - t, (ptrdiff_t) 60), t);
        for (size_t i = 0; i < ASH_N(words); i++)
                if (token_is(t, e, words[i].word)) {
                        ash_hint(p->diags, "%s", words[i].hint);
                        return r;
                }
        ash_hint(p->diags, "a text needs quotes: \"%.*s\"", (int) ASH_MIN(e - t, (ptrdiff_t) 60), t);
        return r;
}

static int scan(Parser *p, const char *t, const char *e, AshTomlValue *v) {
        if (token_is(t, e, "true") || token_is(t, e, "false")) {
                v->type = ASH_TOML_BOOL;
                v->boolean = *t == 't';
                return 0;
        }
        if (scan_special(t, e, v))
                return 0;
        if (t < e && toml_is_digit(*t) && ((e - t > 4 && t[4] == '-' && toml_is_digit(t[1]) && toml_is_digit(t[2]) && toml_is_digit(t[3])) || (e - t > 2 && t[2] == ':')))
                return scan_datetime(p, t, e, v);
        if (e - t > 1 && *t == '0' && (t[1] == 'x' || t[1] == 'o' || t[1] == 'b'))
                return scan_prefixed(p, t, e, v);
        if (t < e && (toml_is_digit(*t) || (e - t > 1 && (*t == '+' || *t == '-') && (toml_is_digit(t[1]) || t[1] == '.')) || (*t == '.' && e - t > 1 && toml_is_digit(t[1]))))
                return scan_decimal(p, t, e, v);
        return no_value(p, t, e);
}

int toml_scan_scalar(Parser *p, AshTomlValue *v) {
        const char *t = p->p, *e = t;
        while (e < p->end && is_token(*e))
                e++;
        /* A date and a time may have a space between them. */
        if (e - t == 10 && t[4] == '-' && t[7] == '-' && p->end - e >= 3 && *e == ' ' && toml_is_digit(e[1]) && toml_is_digit(e[2]))
                for (e++; e < p->end && is_token(*e);)
                        e++;
        int r = scan(p, t, e, v);
        if (r >= 0)
                p->p = e;
        return r;
}
