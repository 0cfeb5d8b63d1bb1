/* TOML text from values. */
#include <math.h>
#include "json.h"
#include "toml-edit.h"
#include "toml-private.h"

#define LINE_WIDTH 100 /* an array that does not fit gets a line for each item */

/* ---- strings ---- */

static bool is_bare_key(AshSlice s) {
        for (size_t i = 0; i < s.len; i++)
                if (!toml_is_bare(s.ptr[i]))
                        return false;
        return s.len > 0;
}

typedef struct Traits {
        bool control;      /* other than tab and line feed */
        bool tab, newline, single, triple_single, specials /* " or \ */;
        bool valid;
} Traits;

static Traits traits(AshSlice s) {
        Traits t = { .valid = ash_utf8_valid(s, NULL) };
        for (size_t i = 0; i < s.len; i++) {
                uint8_t c = (uint8_t) s.ptr[i];
                t.tab |= c == '\t';
                t.newline |= c == '\n';
                t.control |= (c < 0x20 && c != '\t' && c != '\n') || c == 0x7f;
                t.specials |= c == '"' || c == '\\';
                t.single |= c == '\'';
                t.triple_single |= c == '\'' && i >= 2 && s.ptr[i - 1] == '\'' && s.ptr[i - 2] == '\'';
        }
        return t;
}

static void escaped(AshStr *out, AshSlice s, bool multiline) {
        static const char letters[32] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };
        unsigned quotes = 0;
        for (size_t i = 0; i < s.len; i++) {
                uint8_t c = (uint8_t) s.ptr[i];
                quotes = c == '"' ? quotes + 1 : 0;
                if (c == '\\' || (c == '"' && (!multiline || quotes % 3 == 0 || i + 1 == s.len)))
                        ash_str_appendf(out, "\\%c", c);
                else if (multiline && (c == '\n' || c == '\t'))
                        ash_str_append_char(out, (char) c);
                else if (c < 0x20 && letters[c])
                        ash_str_appendf(out, "\\%c", letters[c]);
                else if (c < 0x20 || c == 0x7f)
                        ash_str_appendf(out, "\\u%04X", c);
                else
                        ash_str_append_char(out, (char) c);
        }
}

static void emit_string(AshStr *out, AshSlice s, bool multiline_allowed) {
        Traits t = traits(s);
        if (!t.valid) {
                size_t bad;
                AshStr clean = {};
                for (; !ash_utf8_valid(s, &bad); s = ash_slice_from(s, bad + 1)) {
                        ash_str_append(&clean, ash_slice_sub(s, 0, bad));
                        ash_str_append(&clean, ASH_S("\xef\xbf\xbd"));
                }
                ash_str_append(&clean, s);
                emit_string(out, ash_str_slice(&clean), multiline_allowed);
                ash_str_done(&clean);
                return;
        }
        bool multiline = multiline_allowed && t.newline;
        bool literal = t.specials && !t.control && (multiline ? !t.triple_single && s.ptr[s.len - 1] != '\'' : !t.single && !t.newline && !t.tab);
        const char *quotes = multiline ? (literal ? "'''" : "\"\"\"") : literal ? "'" : "\"";
        ash_str_append_str(out, quotes);
        if (multiline)
                ash_str_append_char(out, '\n');
        if (literal)
                ash_str_append(out, s);
        else
                escaped(out, s, multiline);
        ash_str_append_str(out, quotes);
}

void ash_toml_emit_key(AshStr *out, AshSlice key) {
        if (is_bare_key(key))
                ash_str_append(out, key);
        else
                emit_string(out, key, false);
}

void ash_toml_path_add(AshStr *path, AshSlice key) {
        if (path->len)
                ash_str_append_char(path, '.');
        ash_toml_emit_key(path, key);
}

/* ---- values ---- */

static void emit_float(AshStr *out, double d) {
        char text[32];
        ash_json_format_double(d, text);
        ash_str_append_str(out, text);
        if (isfinite(d) && !strpbrk(text, ".e"))
                ash_str_append_str(out, ".0");
}

static void emit_scalar(AshStr *out, const AshTomlValue *v, bool multiline_allowed) {
        switch (v->type) {
        case ASH_TOML_STRING:
                emit_string(out, v->string, multiline_allowed);
                return;
        case ASH_TOML_INTEGER:
                ash_str_appendf(out, "%lld", (long long) v->integer);
                return;
        case ASH_TOML_FLOAT:
                emit_float(out, v->floating);
                return;
        case ASH_TOML_BOOL:
                ash_str_append_str(out, v->boolean ? "true" : "false");
                return;
        default:
                ash_str_append(out, v->string);
        }
}

void ash_toml_emit_value(AshStr *out, const AshTomlValue *v) {
        if (v->type == ASH_TOML_ARRAY) {
                ash_str_append_char(out, '[');
                for (size_t i = 0; i < v->array.n; i++) {
                        ash_str_append_str(out, i ? ", " : "");
                        ash_toml_emit_value(out, v->array.items[i]);
                }
                ash_str_append_char(out, ']');
        } else if (v->type == ASH_TOML_TABLE) {
                ash_str_append_str(out, "{");
                for (size_t i = 0; i < v->table.n; i++) {
                        ash_str_append_str(out, i ? ", " : " ");
                        ash_toml_emit_key(out, v->table.members[i].key);
                        ash_str_append_str(out, " = ");
                        ash_toml_emit_value(out, v->table.members[i].value);
                }
                ash_str_append_str(out, v->table.n ? " }" : "}");
        } else
                emit_scalar(out, v, false);
}

/* ---- documents ---- */

void toml_emit_wide(AshStr *out, const AshTomlValue *v, size_t column, AshSlice indent, const char *line_break) {
        if (v->type != ASH_TOML_ARRAY) {
                if (v->type == ASH_TOML_TABLE)
                        ash_toml_emit_value(out, v);
                else
                        emit_scalar(out, v, true);
                return;
        }
        size_t start = out->len;
        ash_toml_emit_value(out, v);
        if (column + out->len - start <= LINE_WIDTH || v->array.n < 2)
                return;
        out->ptr[out->len = start] = 0;
        ash_str_appendf(out, "[%s", line_break);
        for (size_t i = 0; i < v->array.n; i++) {
                ash_str_appendf(out, "%.*s  ", ASH_F(indent));
                ash_toml_emit_value(out, v->array.items[i]);
                ash_str_appendf(out, ",%s", line_break);
        }
        ash_str_appendf(out, "%.*s]", ASH_F(indent));
}

static bool is_table_array(const AshTomlValue *v) {
        if (v->type != ASH_TOML_ARRAY || !v->array.n)
                return false;
        for (size_t i = 0; i < v->array.n; i++)
                if (v->array.items[i]->type != ASH_TOML_TABLE || v->array.items[i]->inline_table)
                        return false;
        return true;
}

static bool has_header(const AshTomlValue *v) { return (v->type == ASH_TOML_TABLE && !v->inline_table) || is_table_array(v); }

static void emit_header(AshStr *out, AshSlice path, bool item) {
        if (out->len)
                ash_str_append_char(out, '\n');
        ash_str_appendf(out, item ? "[[%.*s]]\n" : "[%.*s]\n", ASH_F(path));
}

static void emit_table(AshStr *out, const AshTomlValue *t, AshStr *path, bool item, bool root) {
        size_t pairs = 0, base = path->len;
        for (size_t i = 0; i < t->table.n; i++)
                pairs += !has_header(t->table.members[i].value);
        if (!root && (item || pairs || !t->table.n))
                emit_header(out, ash_str_slice(path), item);
        for (size_t i = 0; i < t->table.n; i++) {
                const AshTomlMember *m = &t->table.members[i];
                if (has_header(m->value))
                        continue;
                size_t start = out->len;
                ash_toml_emit_key(out, m->key);
                ash_str_append_str(out, " = ");
                toml_emit_wide(out, m->value, out->len - start, ASH_S(""), "\n");
                ash_str_append_char(out, '\n');
        }
        for (size_t i = 0; i < t->table.n; i++) {
                const AshTomlMember *m = &t->table.members[i];
                if (!has_header(m->value))
                        continue;
                ash_toml_path_add(path, m->key);
                if (m->value->type == ASH_TOML_TABLE)
                        emit_table(out, m->value, path, false, false);
                else
                        for (size_t k = 0; k < m->value->array.n; k++)
                                emit_table(out, m->value->array.items[k], path, true, false);
                path->ptr[path->len = base] = 0;
        }
}

void ash_toml_emit_document(AshStr *out, const AshTomlValue *root) {
        _str_ AshStr path = {};
        emit_table(out, root, &path, false, true);
}
