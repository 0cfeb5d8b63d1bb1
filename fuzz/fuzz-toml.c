/* TOML: what is accepted survives writing and reading again; an edit does what it says and leaves all else as it was. */
#include "base.h"
#include "toml-edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

/* Order of members aside. */
static bool same(const AshTomlValue *a, const AshTomlValue *b) {
        if (a->type != b->type)
                return false;
        switch (a->type) {
        case ASH_TOML_INTEGER: return a->integer == b->integer;
        case ASH_TOML_FLOAT: return a->floating == b->floating || (a->floating != a->floating && b->floating != b->floating);
        case ASH_TOML_BOOL: return a->boolean == b->boolean;
        case ASH_TOML_ARRAY:
                for (size_t i = 0; i < a->array.n && i < b->array.n; i++)
                        if (!same(a->array.items[i], b->array.items[i]))
                                return false;
                return a->array.n == b->array.n;
        case ASH_TOML_TABLE:
                for (size_t i = 0; i < a->table.n; i++) {
                        const AshTomlMember *m = ash_toml_member(b, a->table.members[i].key);
                        if (!m || !same(a->table.members[i].value, m->value))
                                return false;
                }
                return a->table.n == b->table.n;
        default: return ash_slice_eq(a->string, b->string);
        }
}

typedef struct Text {
        AshSource *source;
        AshTomlDoc *doc;
} Text;

static void text_done(Text *t) {
        ash_toml_free(t->doc);
        ash_source_free(t->source);
}

static int parse(AshSlice text, AshTomlVersion version, Text *t) {
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        t->source = ash_source_new("input", text);
        int r = ash_toml_parse(t->source, version, &t->doc, diags);
        must((r < 0) == (ash_diags_n(diags) > 0));
        if (r < 0) {
                const AshDiag *d = ash_diags_at(diags, 0);
                must(r == -ASH_ERR_SYNTAX && d->place.line >= 1 && d->place.column >= 1);
        }
        return r;
}

static void check_emit(const AshTomlValue *root) {
        _str_ AshStr first = {}, second = {};
        _cleanup_(text_done) Text t = {}, old = {};
        ash_toml_emit_document(&first, root);
        must(parse(ash_str_slice(&first), ASH_TOML_1_1, &t) == 0);
        must(parse(ash_str_slice(&first), ASH_TOML_1_0, &old) == 0);
        must(same(root, ash_toml_root(t.doc)));
        ash_toml_emit_document(&second, ash_toml_root(t.doc));
        must(ash_slice_eq(ash_str_slice(&first), ash_str_slice(&second)));
}

/* A path to one of the values, chosen by the bits of "choice". */
static const AshTomlValue *choose(const AshTomlValue *root, uint64_t choice, AshStr *path) {
        const AshTomlValue *v = root;
        for (; choice; choice /= 7) {
                size_t n = v->type == ASH_TOML_TABLE ? v->table.n : v->type == ASH_TOML_ARRAY ? v->array.n : 0, i = n ? choice % n : 0;
                if (!n || (path->len && choice % 5 == 0))
                        break;
                if (v->type == ASH_TOML_TABLE) {
                        if (ash_slice_find_char(v->table.members[i].key, 0) >= 0)
                                break; /* paths are C strings, but a NUL is escaped in them */
                        ash_toml_path_add(path, v->table.members[i].key);
                        v = v->table.members[i].value;
                } else {
                        ash_str_appendf(path, "[%zu]", i);
                        v = v->array.items[i];
                }
        }
        return v;
}

static void check_edit(AshSlice text, AshTomlVersion version, const AshTomlValue *root, uint64_t choice) {
        _str_ AshStr path = {}, fresh = {};
        const AshTomlValue *v = choose(root, choice, &path);
        _cleanup_(ash_toml_edit_free_p) AshTomlEdit *edit = NULL;
        must(ash_toml_edit_new("input", text, version, &edit, NULL) == 0);
        AshTomlValue seven = ash_toml_string(ASH_S("x'\n\"\\"));
        if (path.len) {
                must(same(ash_toml_edit_get(edit, path.ptr), v));
                /* Its own value again changes nothing. */
                if (ash_toml_edit_set(edit, path.ptr, v, NULL) == 0)
                        must(same(ash_toml_edit_root(edit), root));
        }
        if (v->type == ASH_TOML_TABLE) {
                ash_str_append(&fresh, ash_str_slice(&path));
                ash_toml_path_add(&fresh, ASH_S("fresh key"));
                if (!ash_toml_edit_get(edit, fresh.ptr)) {
                        must(ash_toml_edit_set(edit, fresh.ptr, &seven, NULL) == 0);
                        must(same(ash_toml_edit_get(edit, fresh.ptr), &seven));
                        must(ash_toml_edit_remove(edit, fresh.ptr, NULL) == 0);
                        must(same(ash_toml_edit_root(edit), root));
                }
        }
        if (v->type == ASH_TOML_ARRAY && ash_toml_edit_append(edit, path.ptr, v->array.n ? v->array.items[0] : &seven, NULL) == 0) {
                must(ash_toml_edit_get(edit, path.ptr)->array.n == v->array.n + 1);
                ash_str_append(&fresh, ash_str_slice(&path));
                ash_str_append_str(&fresh, "[-1]");
                must(ash_toml_edit_remove(edit, fresh.ptr, NULL) == 0);
                must(same(ash_toml_edit_root(edit), root));
        }
        if (path.len && path.ptr[path.len - 1] != ']') {
                must(ash_toml_edit_remove(edit, path.ptr, NULL) == 0);
                must(!ash_toml_edit_get(edit, path.ptr));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AshSlice text = ash_slice((const char *) data, ASH_MIN(size, (size_t) 1 << 20));
        _cleanup_(text_done) Text old = {}, now = {};
        int r10 = parse(text, ASH_TOML_1_0, &old), r11 = parse(text, ASH_TOML_1_1, &now);
        if (r10 == 0)
                must(r11 == 0 && same(ash_toml_root(old.doc), ash_toml_root(now.doc)));
        if (r11 < 0)
                return 0;
        check_emit(ash_toml_root(now.doc));
        if (text.len < 65536)
                for (uint64_t i = 1; i <= 3; i++)
                        check_edit(text, r10 == 0 && i == 1 ? ASH_TOML_1_0 : ASH_TOML_1_1, ash_toml_root(now.doc), (ash_slice_hash(text) ^ (i * 0x9e3779b97f4a7c15u)) >> 20);
        return 0;
}
