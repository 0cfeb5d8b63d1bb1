/* JSON as results, diagnostics and events are printed: RFC 8259, two spaces a level. */
#include "cli.h"

static void quoted(AshStr *out, AshSlice s) {
        ash_str_append_char(out, '"');
        size_t bad;
        while (s.len) {
                size_t good = ash_utf8_valid(s, &bad) ? s.len : bad;
                for (size_t i = 0; i < good; i++) {
                        uint8_t c = (uint8_t) s.ptr[i];
                        if (c == '"' || c == '\\')
                                ash_str_appendf(out, "\\%c", c);
                        else if (c == '\n')
                                ash_str_append_str(out, "\\n");
                        else if (c == '\t')
                                ash_str_append_str(out, "\\t");
                        else if (c < 0x20 || c == 0x7f)
                                ash_str_appendf(out, "\\u%04x", c);
                        else
                                ash_str_append_char(out, (char) c);
                }
                if (good < s.len) {
                        ash_str_append_str(out, "\\ufffd");
                        good++;
                }
                s = ash_slice_from(s, good);
        }
        ash_str_append_char(out, '"');
}

static void newline(AshJson *j) {
        if (j->compact)
                return;
        ash_str_append_char(j->out, '\n');
        ash_str_append_fill(j->out, ' ', 2 * j->depth);
}

static void before(AshJson *j, const char *key) {
        if (j->comma)
                ash_str_append_str(j->out, j->compact ? ", " : ",");
        if (j->depth)
                newline(j);
        if (key) {
                quoted(j->out, ash_slice_str(key));
                ash_str_append_str(j->out, ": ");
        }
        j->comma = true;
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
                newline(j);
        ash_str_append_char(j->out, bracket);
        j->comma = true;
}

void ash_json_text(AshJson *j, const char *key, AshSlice value) {
        before(j, key);
        if (value.ptr)
                quoted(j->out, value);
        else
                ash_str_append_str(j->out, "null");
}

void ash_json_str(AshJson *j, const char *key, const char *value) { ash_json_text(j, key, ash_slice_str(value)); }

void ash_json_int(AshJson *j, const char *key, int64_t value) {
        before(j, key);
        ash_str_appendf(j->out, "%lld", (long long) value);
}

void ash_json_bool(AshJson *j, const char *key, bool value) {
        before(j, key);
        ash_str_append_str(j->out, value ? "true" : "false");
}

void ash_json_raw(AshJson *j, const char *key, AshSlice value) {
        before(j, key);
        ash_str_append(j->out, value);
}

AshJson ash_cli_json(AshCli *cli) { return (AshJson){ .out = &cli->out }; }
