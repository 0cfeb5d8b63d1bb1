/* Records: one TOML file a component. Each input is one line, so that git shows changes well. */
#include "fingerprint.h"
#include "toml.h"

/* A TOML basic string. Bytes that are no UTF-8 cannot stand in TOML; they are written as in a URI, with '%' itself so too: values are compared, never used. */
static void quoted(AshStr *out, AshSlice s) {
        bool valid = ash_utf8_valid(s, NULL);
        ash_str_append_char(out, '"');
        for (size_t i = 0; i < s.len; i++) {
                uint8_t c = (uint8_t) s.ptr[i];
                if (c == '"' || c == '\\')
                        ash_str_appendf(out, "\\%c", c);
                else if (c < 0x20 || c == 0x7f)
                        ash_str_appendf(out, "\\u%04X", c);
                else if (c >= 0x80 && !valid)
                        ash_str_appendf(out, "%%%02X", c);
                else
                        ash_str_append_char(out, (char) c);
        }
        ash_str_append_char(out, '"');
}

static void member(AshStr *out, const char *key, AshSlice value) {
        ash_str_appendf(out, "%s = ", key);
        quoted(out, value);
        ash_str_append_char(out, '\n');
}

void ash_fingerprint_format(const AshFingerprint *f, AshStr *out) {
        ash_str_append_str(out, "# What the fingerprint of this component is made of; 'ashlar component why OLD NEW' compares two of these.\n");
        member(out, "component", f->component);
        member(out, "fingerprint", ash_slice_str(f->text));
        if (f->commit.len)
                member(out, "upstream-commit", f->commit);
        ash_str_append_str(out, "inputs = [\n");
        for (size_t i = 0; i < f->inputs.n; i++) {
                const AshInput *in = &f->inputs.items[i];
                ash_str_append_str(out, "    [");
                quoted(out, ash_slice_str(ash_input_kind_name(in->kind)));
                ash_str_append_str(out, ", ");
                quoted(out, in->name);
                ash_str_append_str(out, ", ");
                quoted(out, in->value);
                ash_str_append_str(out, "],\n");
        }
        ash_str_append_str(out, "]\n");
}

static AshSlice string_of(AshFingerprint *f, const AshTomlValue *v) {
        return v && v->type == ASH_TOML_STRING ? ash_arena_slice(f->arena, v->string) : ASH_NOSLICE;
}

static int parse_input(AshFingerprint *f, const AshTomlValue *v, AshDiags *diags) {
        if (v->type != ASH_TOML_ARRAY || v->array.n != 3)
                return ash_fail(diags, -ASH_ERR_SYNTAX, v->at, "an input is [kind, name, value]");
        AshSlice parts[3];
        for (size_t i = 0; i < 3; i++) {
                parts[i] = string_of(f, v->array.items[i]);
                if (!parts[i].ptr)
                        return ash_fail(diags, -ASH_ERR_SYNTAX, v->array.items[i]->at, "expected a string");
        }
        AshInputKind kind = ash_input_kind(parts[0]);
        if (kind < 0)
                return ash_fail(diags, -ASH_ERR_SYNTAX, v->array.items[0]->at, "unknown kind of input '%.*s'", ASH_F(parts[0]));
        ash_array_push(&f->inputs, ((AshInput){ kind, parts[1], parts[2] }));
        return 0;
}

static int parse_record(AshFingerprint *f, const AshTomlValue *root, AshDiags *diags) {
        const AshTomlValue *inputs = ash_toml_get(root, "inputs");
        AshSlice text = string_of(f, ash_toml_get(root, "fingerprint"));
        f->component = string_of(f, ash_toml_get(root, "component"));
        f->commit = string_of(f, ash_toml_get(root, "upstream-commit"));
        if (!f->component.ptr || !text.ptr || !inputs || inputs->type != ASH_TOML_ARRAY)
                return ash_fail(diags, -ASH_ERR_SYNTAX, root->at, "not a record of a fingerprint: component, fingerprint or inputs is missing");
        if (!ash_slice_starts(text, ASH_S("1:")) || text.len >= sizeof f->text)
                return ash_fail(diags, -ASH_ERR_SYNTAX, ash_toml_get(root, "fingerprint")->at, "a fingerprint of a version that this program does not know");
        memcpy(f->text, text.ptr, text.len + 1);
        for (size_t i = 0; i < inputs->array.n; i++) {
                int r = parse_input(f, inputs->array.items[i], diags);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_record(const AshFingerprint *f, const AshTomlValue *root, AshDiags *diags) {
        _str_ AshStr bytes = {};
        char hex[ASH_HEX_MAX];
        for (size_t i = 0; i < f->inputs.n; i++) /* a record with escaped bytes cannot be checked */
                if (ash_slice_find_char(f->inputs.items[i].value, '%') >= 0 || ash_slice_find_char(f->inputs.items[i].name, '%') >= 0)
                        return 0;
        ash_fingerprint_encode(f, &bytes);
        ash_digest_hex_of(ASH_SHA256, ash_str_slice(&bytes), hex);
        if (strcmp(f->text + 2, hex) != 0)
                return ash_fail(diags, -ASH_ERR_VERIFY, ash_toml_get(root, "fingerprint")->at, "the fingerprint does not belong to these inputs: the record was changed by hand");
        return 0;
}

int ash_fingerprint_parse(AshSource *source, AshFingerprint **ret, AshDiags *diags) {
        _cleanup_(ash_toml_free_p) AshTomlDoc *doc = NULL;
        _cleanup_(ash_fingerprint_free_p) AshFingerprint *f = ash_calloc(1, sizeof *f);
        f->arena = ash_arena_new();
        int r = ash_toml_parse(source, ASH_TOML_1_1, &doc, diags);
        if (r >= 0)
                r = parse_record(f, ash_toml_root(doc), diags);
        if (r >= 0)
                r = check_record(f, ash_toml_root(doc), diags);
        if (r < 0)
                return r;
        *ret = ASH_TAKE(f);
        return 0;
}
