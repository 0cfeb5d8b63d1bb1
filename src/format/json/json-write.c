#include <math.h>
#include "json.h"

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
                if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
                        continue;
                ash_str_append(out, ash_slice_sub(s, done, i - done));
                done = i + 1;
                char letter = c == '"' || c == '\\' ? (char) c : c < 0x20 ? escapes[c] : 0;
                if (letter) {
                        ash_str_append_char(out, '\\');
                        ash_str_append_char(out, letter);
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

static void new_line(AshJson *j) {
        if (j->compact)
                return;
        ash_str_append_char(j->out, '\n');
        ash_str_append_fill(j->out, ' ', (size_t) j->depth * 2);
}

/* What comes before a value, with its key. */
static void before(AshJson *j, const char *key) {
        if (key)
                ash_json_key(j, ash_slice_str(key));
        else if (!j->keyed) {
                if (j->comma)
                        ash_str_append_str(j->out, j->compact ? ", " : ",");
                if (j->depth)
                        new_line(j);
        }
        j->keyed = false;
        j->comma = true;
}

void ash_json_key(AshJson *j, AshSlice key) {
        before(j, NULL);
        quoted(j->out, key);
        ash_str_append_str(j->out, ": ");
        j->keyed = true;
}

void ash_json_begin(AshJson *j, const char *key, char bracket) {
        before(j, key);
        ash_str_append_char(j->out, bracket);
        j->depth++;
        j->comma = false;
}

void ash_json_end(AshJson *j, char bracket) {
        j->depth--;
        if (j->comma)
                new_line(j);
        ash_str_append_char(j->out, bracket);
        j->comma = true;
}

void ash_json_raw(AshJson *j, const char *key, AshSlice value) {
        before(j, key);
        ash_str_append(j->out, value);
}

void ash_json_text(AshJson *j, const char *key, AshSlice value) {
        before(j, key);
        if (value.ptr)
                quoted(j->out, value);
        else
                ash_str_append_str(j->out, "null");
}

void ash_json_int(AshJson *j, const char *key, int64_t value) {
        before(j, key);
        ash_str_appendf(j->out, "%lld", (long long) value);
}

void ash_json_uint(AshJson *j, const char *key, uint64_t value) {
        before(j, key);
        ash_str_appendf(j->out, "%llu", (unsigned long long) value);
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

void ash_json_double(AshJson *j, const char *key, double value) {
        char text[32];
        ash_json_format_double(value, text);
        ash_json_raw(j, key, isfinite(value) ? ash_slice_str(text) : ASH_S("null"));
}

void ash_json_str(AshJson *j, const char *key, const char *value) { ash_json_text(j, key, ash_slice_str(value)); }
void ash_json_bool(AshJson *j, const char *key, bool value) { ash_json_raw(j, key, value ? ASH_S("true") : ASH_S("false")); }
void ash_json_null(AshJson *j, const char *key) { ash_json_raw(j, key, ASH_S("null")); }
