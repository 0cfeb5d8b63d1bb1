/* Runs edits of TOML for tests: reads lines of JSON [OP, PATH, VALUE] (op "load": PATH is the text; VALUE "1.0" the version), writes a line for each:
 * {"error": CODE} or {"text": ..., "data": plain JSON}. Op "emit" gives VALUE as a document. */
#include "io.h"
#include "json.h"
#include "toml-edit.h"
#include "toml-json.h"

static AshTomlValue *from_json(AshArena *arena, const AshJsonValue *v) {
        AshTomlValue *out = ash_arena_new_item(arena, AshTomlValue);
        switch (v->type) {
        case ASH_JSON_BOOL: *out = ash_toml_bool(v->boolean); break;
        case ASH_JSON_INT: *out = ash_toml_integer(v->integer); break;
        case ASH_JSON_DOUBLE: *out = ash_toml_float(v->floating); break;
        case ASH_JSON_STRING: *out = ash_toml_string(v->string); break;
        case ASH_JSON_ARRAY:
                *out = ash_toml_array(ash_arena_new_items(arena, AshTomlValue *, v->array.n), v->array.n);
                for (size_t i = 0; i < v->array.n; i++)
                        out->array.items[i] = from_json(arena, v->array.items[i]);
                break;
        case ASH_JSON_OBJECT:
                *out = ash_toml_table(ash_arena_new_items(arena, AshTomlMember, v->object.n), v->object.n);
                for (size_t i = 0; i < v->object.n; i++)
                        out->table.members[i] = (AshTomlMember){ .key = v->object.members[i].key, .value = from_json(arena, v->object.members[i].value) };
                break;
        case ASH_JSON_NULL: break;
        }
        return out;
}

static int run(AshTomlEdit **edit, const char *op, AshSlice path, const AshTomlValue *value, AshDiags *diags) {
        if (strcmp(op, "load") == 0) {
                ash_toml_edit_free(*edit);
                *edit = NULL;
                return ash_toml_edit_new("test.toml", path, value->type == ASH_TOML_STRING && ash_slice_eqs(value->string, "1.0") ? ASH_TOML_1_0 : ASH_TOML_1_1, edit, diags);
        }
        _free_ char *p = ash_slice_dup(path);
        if (strcmp(op, "set") == 0)
                return ash_toml_edit_set(*edit, p, value, diags);
        if (strcmp(op, "append") == 0)
                return ash_toml_edit_append(*edit, p, value, diags);
        if (strcmp(op, "add-table") == 0)
                return ash_toml_edit_add_table(*edit, p, value, diags);
        return ash_toml_edit_remove(*edit, p, diags);
}

static void answer(AshTomlEdit *edit, int r, const AshDiags *diags, AshStr *out) {
        AshJson j = { .out = out, .compact = true };
        ash_json_begin(&j, NULL, '{');
        if (r < 0) {
                ash_json_int(&j, "error", r);
                ash_json_str(&j, "message", ash_diags_n(diags) ? ash_diags_at(diags, 0)->text : NULL);
        }
        if (edit) {
                ash_json_text(&j, "text", ash_toml_edit_text(edit));
                ash_toml_plain(ash_toml_edit_root(edit), &j, "data");
        }
        ash_json_end(&j, '}');
        ash_str_append_char(out, '\n');
}

static void one(AshTomlEdit **edit, AshSlice line, AshStr *out) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("stdin", line);
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        AshJsonValue *v;
        if (ash_json_parse(source, arena, &v, diags) < 0 || v->type != ASH_JSON_ARRAY || v->array.n != 3)
                exit(1);
        AshTomlValue *value = from_json(arena, v->array.items[2]);
        if (ash_slice_eqs(v->array.items[0]->string, "emit")) {
                _str_ AshStr text = {};
                ash_toml_emit_document(&text, value);
                AshJson j = { .out = out, .compact = true };
                ash_json_text(&j, NULL, ash_str_slice(&text));
                ash_str_append_char(out, '\n');
                return;
        }
        int r = run(edit, v->array.items[0]->string.ptr, v->array.items[1]->string, value, diags);
        answer(*edit, r, diags, out);
}

int main(void) {
        _cleanup_(ash_toml_edit_free_p) AshTomlEdit *edit = NULL;
        _bytes_ AshBytes input = {};
        _str_ AshStr out = {};
        if (ash_file_read_fd(STDIN_FILENO, 0, &input) < 0)
                return 1;
        AshSlice rest = ash_bytes_slice(&input), line;
        while (ash_slice_next_line(&rest, &line))
                one(&edit, line, &out);
        return ash_write_all(STDOUT_FILENO, out.ptr ? out.ptr : "", out.len) < 0;
}
