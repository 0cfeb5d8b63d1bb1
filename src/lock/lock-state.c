#include "io.h"
#include "lock-state.h"

void ash_state_wrong(AshStateReader *r, AshSpan at, const char *what) {
        r->result = ash_fail(r->diags, -ASH_ERR_CONFIG, at, "%s", what);
        ash_hint(r->diags, "%s", r->hint);
}

AshSlice ash_state_text(AshStateReader *r, const AshTomlValue *table, const char *key, bool required) {
        const AshTomlValue *v = ash_toml_get(table, key);
        if (v && v->type == ASH_TOML_STRING)
                return ash_arena_slice(r->arena, v->string);
        if (v || required) {
                _free_ char *what = ash_asprintf("expected a string '%s'", key);
                ash_state_wrong(r, v ? v->at : table->at, what);
        }
        return ASH_NOSLICE;
}

uint64_t ash_state_number(AshStateReader *r, const AshTomlValue *table, const char *key) {
        const AshTomlValue *v = ash_toml_get(table, key);
        if (v && v->type == ASH_TOML_INTEGER && v->integer >= 0)
                return (uint64_t) v->integer;
        _free_ char *what = ash_asprintf("expected a number '%s'", key);
        ash_state_wrong(r, v ? v->at : table->at, what);
        return 0;
}

static bool is_hex(AshSlice s) {
        uint8_t bytes[32];
        return s.len == 64 && ash_unhex(s, bytes, 32) >= 0;
}

AshSlice ash_state_digest(AshStateReader *r, const AshTomlValue *table, const char *key, bool required) {
        AshSlice s = ash_state_text(r, table, key, required);
        if (s.ptr && !is_hex(s)) {
                _free_ char *what = ash_asprintf("'%s' is no SHA-256 in hex", key);
                ash_state_wrong(r, ash_toml_get(table, key)->at, what);
        }
        return s;
}

AshSlice *ash_state_texts(AshStateReader *r, const AshTomlValue *table, const char *key, size_t *ret_n) {
        const AshTomlValue *v = ash_toml_get(table, key);
        *ret_n = 0;
        if (!v)
                return NULL;
        if (v->type != ASH_TOML_ARRAY) {
                _free_ char *what = ash_asprintf("expected an array '%s'", key);
                ash_state_wrong(r, v->at, what);
                return NULL;
        }
        AshSlice *items = ash_arena_new_items(r->arena, AshSlice, v->array.n);
        for (size_t i = 0; i < v->array.n; i++) {
                if (v->array.items[i]->type == ASH_TOML_STRING)
                        items[(*ret_n)++] = ash_arena_slice(r->arena, v->array.items[i]->string);
                else
                        ash_state_wrong(r, v->array.items[i]->at, "expected a string");
        }
        return items;
}

const AshTomlValue *ash_state_tables(AshStateReader *r, const AshTomlValue *root, const char *key) {
        const AshTomlValue *v = ash_toml_get(root, key);
        if (!v)
                return NULL;
        bool good = v->type == ASH_TOML_ARRAY;
        for (size_t i = 0; good && i < v->array.n; i++)
                good = v->array.items[i]->type == ASH_TOML_TABLE;
        if (good)
                return v;
        _free_ char *what = ash_asprintf("expected an array of tables '%s'", key);
        ash_state_wrong(r, v->at, what);
        return NULL;
}

/* ---- making ---- */
AshTomlValue *ash_state_put(AshArena *a, AshTomlValue v) {
        AshTomlValue *p = ash_arena_new_item(a, AshTomlValue);
        *p = v;
        return p;
}

AshTomlValue *ash_state_put_texts(AshArena *a, const AshSlice *items, size_t n) {
        AshTomlValue **values = ash_arena_new_items(a, AshTomlValue *, n);
        for (size_t i = 0; i < n; i++)
                values[i] = ash_state_put(a, ash_toml_string(items[i]));
        return ash_state_put(a, ash_toml_array(values, n));
}

void ash_state_member(AshStateTable *t, const char *key, AshTomlValue *value) { t->members[t->n++] = (AshTomlMember){ .key = ash_slice_str(key), .value = value }; }

void ash_state_member_text(AshStateTable *t, const char *key, AshSlice s) {
        if (s.len)
                ash_state_member(t, key, ash_state_put(t->arena, ash_toml_string(s)));
}

AshTomlValue *ash_state_table(AshStateTable *t, bool inline_table) {
        AshTomlMember *members = ash_arena_new_items(t->arena, AshTomlMember, t->n);
        memcpy(members, t->members, t->n * sizeof *members);
        AshTomlValue *v = ash_state_put(t->arena, ash_toml_table(members, t->n));
        v->inline_table = inline_table;
        return v;
}

/* The comment lines on top of a file that is there: they are people's. */
static AshSlice head_of(AshSlice text) {
        AshSlice rest = text, line, before = text;
        while (ash_slice_next_line(&rest, &line)) {
                AshSlice trimmed = ash_slice_trim(line);
                if (trimmed.len && trimmed.ptr[0] != '#')
                        break;
                before = rest;
        }
        return ash_slice(text.ptr, (size_t) (before.ptr - text.ptr));
}

int ash_state_write(const char *path, const char *head, AshSlice text, AshDiags *diags) {
        _str_ AshStr out = {};
        _bytes_ AshBytes old = {};
        if (ash_file_read(AT_FDCWD, path, 256 << 20, &old) >= 0 && old.len)
                ash_str_append(&out, head_of(ash_bytes_slice(&old)));
        else
                ash_str_appendf(&out, "%s\n", head);
        ash_str_append(&out, text);
        return ash_state_update(path, ash_str_slice(&out), diags);
}

int ash_state_update(const char *path, AshSlice whole, AshDiags *diags) {
        int r = ash_file_update(AT_FDCWD, path, whole, 0644, true);
        return r < 0 ? ash_fail_file(diags, r, path, "cannot write it: %s", ash_strerror(r)) : r;
}
