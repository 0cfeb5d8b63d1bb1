#include <math.h>
#include "json.h"

void ash_json_init(AshJson *j, AshStr *out, bool pretty) { *j = (AshJson){ .out = out, .pretty = pretty }; }
void ash_json_done(AshJson *j) { ash_str_append_char(j->out, '\n'); }

static void new_line(AshJson *j) {
        if (!j->pretty)
                return;
        ash_str_append_char(j->out, '\n');
        ash_str_append_fill(j->out, ' ', (size_t) j->depth * 2);
}

/* What comes before a value or a key. */
static void before(AshJson *j) {
        if (j->after_key) {
                j->after_key = false;
                return;
        }
        if (j->comma)
                ash_str_append_char(j->out, ',');
        if (j->depth)
                new_line(j);
        j->comma = true;
}

static void begin(AshJson *j, char bracket) {
        before(j);
        ash_str_append_char(j->out, bracket);
        j->depth++;
        j->comma = false;
}

static void end(AshJson *j, char bracket) {
        j->depth--;
        if (j->comma)
                new_line(j);
        ash_str_append_char(j->out, bracket);
        j->comma = true;
}

void ash_json_begin_object(AshJson *j) { begin(j, '{'); }
void ash_json_end_object(AshJson *j) { end(j, '}'); }
void ash_json_begin_array(AshJson *j) { begin(j, '['); }
void ash_json_end_array(AshJson *j) { end(j, ']'); }

/* Bytes of the longest prefix of s that could still become a valid sequence, at least 1: what one U+FFFD stands for (Unicode Standard, section 3.9). */
static size_t bad_length(AshSlice s) {
        uint8_t c = (uint8_t) s.ptr[0], next = s.len > 1 ? (uint8_t) s.ptr[1] : 0;
        size_t want = c >= 0xf0 && c <= 0xf4 ? 3 : c >= 0xe0 && c <= 0xef ? 2 : 1;
        uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80, high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        if (c < 0xe0 || c > 0xf4 || next < low || next > high)
                return 1;
        size_t n = 2;
        while (n < want && n < s.len && ((uint8_t) s.ptr[n] & 0xc0) == 0x80)
                n++;
        return n;
}

static void quoted_valid(AshStr *out, AshSlice s) {
        static const char escapes[32] = { ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't' };
        size_t done = 0;
        for (size_t i = 0; i < s.len; i++) {
                uint8_t c = (uint8_t) s.ptr[i];
                if (c >= 0x20 && c != '"' && c != '\\')
                        continue;
                ash_str_append(out, ash_slice_sub(s, done, i - done));
                done = i + 1;
                if (c >= 0x20 || escapes[c]) {
                        ash_str_append_char(out, '\\');
                        ash_str_append_char(out, c >= 0x20 ? (char) c : escapes[c]);
                } else
                        ash_str_appendf(out, "\\u%04x", c);
        }
        ash_str_append(out, ash_slice_from(s, done));
}

static void quoted(AshStr *out, AshSlice s) {
        ash_str_append_char(out, '"');
        size_t bad;
        while (!ash_utf8_valid(s, &bad)) {
                quoted_valid(out, ash_slice_sub(s, 0, bad));
                ash_str_append(out, ASH_S("\xef\xbf\xbd"));
                s = ash_slice_from(s, bad);
                s = ash_slice_from(s, bad_length(s));
        }
        quoted_valid(out, s);
        ash_str_append_char(out, '"');
}

void ash_json_key(AshJson *j, AshSlice key) {
        before(j);
        quoted(j->out, key);
        ash_str_append_str(j->out, j->pretty ? ": " : ":");
        j->after_key = true;
}

void ash_json_raw(AshJson *j, AshSlice json) {
        before(j);
        ash_str_append(j->out, json);
}

void ash_json_string(AshJson *j, AshSlice s) {
        before(j);
        quoted(j->out, s);
}

void ash_json_str(AshJson *j, const char *s) {
        if (s)
                ash_json_string(j, ash_slice_str(s));
        else
                ash_json_null(j);
}

void ash_json_int(AshJson *j, int64_t n) {
        before(j);
        ash_str_appendf(j->out, "%lld", (long long) n);
}

void ash_json_uint(AshJson *j, uint64_t n) {
        before(j);
        ash_str_appendf(j->out, "%llu", (unsigned long long) n);
}

void ash_json_format_double(double d, char ret[32]) {
        if (isnan(d) || isinf(d)) {
                snprintf(ret, 32, "%s", isnan(d) ? "nan" : d < 0 ? "-inf" : "inf");
                return;
        }
        for (int digits = 15; digits <= 17; digits++) {
                snprintf(ret, 32, "%.*g", digits, d);
                if (strtod(ret, NULL) == d)
                        break;
        }
        for (char *p = ret; *p; p++)
                if (*p == ',') /* the point of some locales */
                        *p = '.';
}

void ash_json_double(AshJson *j, double d) {
        char text[32];
        ash_json_format_double(d, text);
        ash_json_raw(j, isfinite(d) ? ash_slice_str(text) : ASH_S("null"));
}

void ash_json_bool(AshJson *j, bool b) { ash_json_raw(j, b ? ASH_S("true") : ASH_S("false")); }
void ash_json_null(AshJson *j) { ash_json_raw(j, ASH_S("null")); }

static void key(AshJson *j, const char *k) { ash_json_key(j, ash_slice_str(k)); }
void ash_json_begin_object_in(AshJson *j, const char *k) { key(j, k); ash_json_begin_object(j); }
void ash_json_begin_array_in(AshJson *j, const char *k) { key(j, k); ash_json_begin_array(j); }
void ash_json_add_string(AshJson *j, const char *k, AshSlice s) { key(j, k); ash_json_string(j, s); }
void ash_json_add_str(AshJson *j, const char *k, const char *s) { key(j, k); ash_json_str(j, s); }
void ash_json_add_int(AshJson *j, const char *k, int64_t n) { key(j, k); ash_json_int(j, n); }
void ash_json_add_uint(AshJson *j, const char *k, uint64_t n) { key(j, k); ash_json_uint(j, n); }
void ash_json_add_double(AshJson *j, const char *k, double d) { key(j, k); ash_json_double(j, d); }
void ash_json_add_bool(AshJson *j, const char *k, bool b) { key(j, k); ash_json_bool(j, b); }
void ash_json_add_null(AshJson *j, const char *k) { key(j, k); ash_json_null(j); }

static void place(AshJson *j, const char *file, AshPlace at) {
        if (!file)
                return;
        ash_json_add_str(j, "file", file);
        if (at.line) {
                ash_json_add_uint(j, "line", at.line);
                ash_json_add_uint(j, "column", at.column);
        }
}

void ash_json_diags(AshJson *j, const AshDiags *diags) {
        ash_json_begin_array(j);
        for (size_t i = 0; i < ash_diags_n(diags); i++) {
                const AshDiag *d = ash_diags_at(diags, i);
                ash_json_begin_object(j);
                ash_json_add_str(j, "severity", ash_severity_name(d->severity));
                ash_json_add_int(j, "code", d->code);
                place(j, d->file, d->place);
                ash_json_add_str(j, "text", d->text);
                if (d->hint)
                        ash_json_add_str(j, "hint", d->hint);
                if (d->notes.n) {
                        ash_json_begin_array_in(j, "notes");
                        for (size_t k = 0; k < d->notes.n; k++) {
                                ash_json_begin_object(j);
                                place(j, d->notes.items[k].file, d->notes.items[k].place);
                                ash_json_add_str(j, "text", d->notes.items[k].text);
                                ash_json_end_object(j);
                        }
                        ash_json_end_array(j);
                }
                ash_json_end_object(j);
        }
        ash_json_end_array(j);
}
