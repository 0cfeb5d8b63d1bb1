/* Records: one TOML file a component. Each input is one line, so that git shows changes well. */
#include "fingerprint.h"
#include "toml.h"

/* A TOML basic string. */
static void quoted(AshStr *out, AshSlice s) {
        ash_str_append_char(out, '"');
        for (size_t i = 0; i < s.len; i++) {
                uint8_t c = (uint8_t) s.ptr[i];
                if (c == '"' || c == '\\')
                        ash_str_appendf(out, "\\%c", c);
                else if (c < 0x20 || c == 0x7f)
                        ash_str_appendf(out, "\\u%04X", c);
                else
                        ash_str_append_char(out, (char) c);
        }
        ash_str_append_char(out, '"');
}

static void hex(AshStr *out, AshSlice s) {
        _free_ char *text = ash_malloc(2 * s.len + 1);
        ash_hex(s.ptr, s.len, text);
        ash_str_appendf(out, "\"%s\"", text);
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
                bool text = ash_utf8_valid(in->name, NULL) && ash_utf8_valid(in->value, NULL);
                ash_str_append_str(out, ", ");
                (text ? quoted : hex)(out, in->name);
                ash_str_append_str(out, ", ");
                (text ? quoted : hex)(out, in->value);
                ash_str_append_str(out, text ? "],\n" : ", \"hex\"],\n"); /* bytes that are no UTF-8 cannot stand in TOML */
        }
        ash_str_append_str(out, "]\n");
}

static AshSlice string_of(AshFingerprint *f, const AshTomlValue *v) {
        return v && v->type == ASH_TOML_STRING ? ash_arena_slice(f->arena, v->string) : ASH_NOSLICE;
}

static int unhex(AshFingerprint *f, AshSlice *s) {
        uint8_t *bytes = ash_arena_zalloc(f->arena, s->len / 2 + 1);
        int r = s->len % 2 ? -EINVAL : ash_unhex(*s, bytes, s->len / 2);
        *s = ash_slice((const char *) bytes, s->len / 2);
        return r;
}

static int parse_input(AshFingerprint *f, const AshTomlValue *v, AshDiags *diags) {
        if (v->type != ASH_TOML_ARRAY || v->array.n < 3 || v->array.n > 4)
                return ash_fail(diags, -ASH_ERR_SYNTAX, v->at, "an input is [kind, name, value]");
        AshSlice parts[4];
        for (size_t i = 0; i < v->array.n; i++) {
                parts[i] = string_of(f, v->array.items[i]);
                if (!parts[i].ptr)
                        return ash_fail(diags, -ASH_ERR_SYNTAX, v->array.items[i]->at, "expected a string");
        }
        AshInputKind kind = ash_input_kind(parts[0]);
        if (kind < 0)
                return ash_fail(diags, -ASH_ERR_SYNTAX, v->array.items[0]->at, "unknown kind of input '%.*s'", ASH_F(parts[0]));
        if (v->array.n == 4 && (unhex(f, &parts[1]) < 0 || unhex(f, &parts[2]) < 0))
                return ash_fail(diags, -ASH_ERR_SYNTAX, v->at, "expected hexadecimal digits");
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
        char digits[ASH_HEX_MAX];
        ash_fingerprint_encode(f, &bytes);
        ash_digest_hex_of(ASH_SHA256, ash_str_slice(&bytes), digits);
        if (strcmp(f->text + 2, digits) != 0)
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
