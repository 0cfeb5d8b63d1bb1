#include "config-parse.h"
#include "config-rules.h"

AshSlice ash_parse_join(AshArena *arena, const char *dir, AshSlice path) {
        if (!path.len)
                return ash_arena_slice(arena, path);
        _free_ char *relative = ash_slice_dup(path);
        _free_ char *joined = ash_path_join(dir, relative);
        _free_ char *clean = ash_path_normalize(ash_slice_str(joined));
        return ash_arena_slice(arena, ash_slice_str(clean));
}

static bool has_scheme(AshSlice s) { return ash_slice_find(s, ASH_S("://")) > 0; }

/* How a value of this kind is written. */
static const char *form_of(AshFieldKind kind) {
        switch (kind) {
        case ASH_FIELD_TEXTS:
        case ASH_FIELD_PATHS:
                return "write [\"...\", \"...\"]";
        case ASH_FIELD_FLAG:
                return "write true or false";
        case ASH_FIELD_NUMBER:
                return "write digits without quotes";
        case ASH_FIELD_PAIRS:
                return "write { NAME = \"...\" }";
        case ASH_FIELD_TABLE:
                return "write { KEY = ... }, or a header in brackets";
        case ASH_FIELD_TABLES:
                return "write [{ KEY = ... }], or a header in doubled brackets";
        case ASH_FIELD_NAMED:
        case ASH_FIELD_BOXED:
                return "write a header in brackets for each name";
        default:
                return "write \"...\"";
        }
}

static void wrong_type(const AshParse *p, const AshField *f, const AshTomlValue *v, const char *expected) {
        ash_fail(p->diags, -ASH_ERR_CONFIG, v->at, "'%s' must be %s, not %s", f->key, expected, ash_toml_type_name(v->type));
        if (v->type == ASH_TOML_STRING && f->kind == ASH_FIELD_TEXTS)
                ash_hint(p->diags, "put brackets around it: [\"%.*s\"]", ASH_F(v->string));
        else if (v->type == ASH_TOML_STRING && f->kind == ASH_FIELD_FLAG)
                ash_hint(p->diags, "write true or false without quotes");
        else if (expected[2] == 's' && v->type != ASH_TOML_ARRAY && v->type != ASH_TOML_TABLE)
                ash_hint(p->diags, "put quotes around it");
        else
                ash_hint(p->diags, "%s", form_of(f->kind));
}

/* The place of a part of a string value, where the value is written without escapes; else the whole value. */
static AshSpan part_of(AshSpan at, AshSlice part) {
        if (!at.source)
                return at;
        AshSlice text = ash_slice_sub(at.source->text, at.offset, at.len);
        ptrdiff_t found = ash_slice_find(text, part);
        return found < 0 ? at : (AshSpan){ at.source, at.offset + (uint32_t) found, (uint32_t) part.len };
}

/* A value within a message: short, on one line. malloc'ed. */
static char *one_line(AshSlice s) {
        char *line = ash_slice_dup(ash_slice_sub(s, 0, 100));
        for (char *c = line; *c; c++)
                if ((unsigned char) *c < ' ' || *c == 127)
                        *c = '?';
        return line;
}

static bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

static void check_placeholders(const AshParse *p, const AshForm *form, AshText t) {
        AshSlice s = t.s;
        for (ptrdiff_t at; (at = ash_slice_find_char(s, '$')) >= 0;) {
                size_t end = (size_t) at + 1;
                while (end < s.len && is_word(s.ptr[end]))
                        end++;
                AshSlice whole = ash_slice_sub(s, (size_t) at, end - (size_t) at), name = ash_slice_from(whole, 1);
                AshSlice known[8];
                size_t n = 0;
                bool found = false;
                for (; form->placeholders[n] && n < ASH_N(known); n++) {
                        known[n] = ash_slice_str(form->placeholders[n]);
                        found |= ash_slice_eq(known[n], name);
                }
                if (!found) {
                        ash_fail(p->diags, -ASH_ERR_CONFIG, part_of(t.at, whole), "unknown placeholder '%.*s'", ASH_F(whole));
                        ptrdiff_t near = ash_slice_nearest(name, known, n);
                        _str_ AshStr all = {};
                        for (size_t i = 0; i < n; i++)
                                ash_str_appendf(&all, "%s$%s", i ? ", " : "", form->placeholders[i]);
                        if (near >= 0)
                                ash_hint(p->diags, "did you mean '$%s'?", form->placeholders[near]);
                        else if (n)
                                ash_hint(p->diags, "known here: %s", all.ptr);
                }
                s = ash_slice_from(s, end);
        }
}

static void check_words(const AshParse *p, const AshField *f, AshText t) {
        AshSlice known[64];
        size_t n = 0;
        _str_ AshStr all = {};
        for (; f->values[n] && n < ASH_N(known); n++) {
                known[n] = ash_slice_str(f->values[n]);
                if (ash_slice_eq(known[n], t.s))
                        return;
                if (known[n].len)
                        ash_str_appendf(&all, "%s%s", all.len ? ", " : "", f->values[n]);
        }
        _free_ char *shown = one_line(t.s);
        ash_fail(p->diags, -ASH_ERR_CONFIG, t.at, "'%s' is no value of '%s'", shown, f->key);
        ptrdiff_t near = ash_slice_nearest(t.s, known, n);
        if (near >= 0 && known[near].len)
                ash_hint(p->diags, "did you mean '%s'?", f->values[near]);
        else
                ash_hint(p->diags, "known: %s", all.ptr);
}

/* An empty text counts as unset (as it does in azldev), unless the key is required, or it is one of an array of ours and has a form that it has not. */
static bool may_be_empty(const AshField *f) {
        return !(f->flags & ASH_FIELD_REQUIRED) && !(f->kind == ASH_FIELD_TEXTS && (f->flags & ASH_FIELD_ASHLAR) && f->form && f->form->ok && !f->form->ok(ASH_S("")));
}

static void check_text(const AshParse *p, const AshField *f, AshText t) {
        if (memchr(t.s.ptr, 0, t.s.len)) {
                ash_fail(p->diags, -ASH_ERR_CONFIG, t.at, "'%s' holds a NUL character", f->key);
                ash_hint(p->diags, "no text can hold one");
                return;
        }
        if (!t.s.len) {
                if (!may_be_empty(f) && !f->values) {
                        ash_fail(p->diags, -ASH_ERR_CONFIG, t.at, f->kind == ASH_FIELD_TEXTS ? "an entry of '%s' must not be empty" : "'%s' must not be empty", f->key);
                        ash_hint(p->diags, f->form && f->kind == ASH_FIELD_TEXTS ? "expected %s" : "it says: %s", f->form && f->kind == ASH_FIELD_TEXTS ? f->form->expected : f->doc);
                } else if (f->values)
                        check_words(p, f, t);
                return;
        }
        if (f->values)
                check_words(p, f, t);
        if (f->form && f->form->ok && !f->form->ok(t.s)) {
                _free_ char *shown = one_line(t.s);
                ash_fail(p->diags, -ASH_ERR_CONFIG, t.at, "'%s' is no valid '%s'", shown, f->key);
                ash_hint(p->diags, "expected %s", f->form->expected);
        } else if (f->form && f->form->placeholders)
                check_placeholders(p, f->form, t);
}

static AshText make_text(const AshParse *p, const AshField *f, const AshTomlValue *v) {
        AshText raw = { v->string.ptr ? v->string : ASH_S(""), v->at };
        check_text(p, f, raw);
        bool join = f->kind == ASH_FIELD_PATH || f->kind == ASH_FIELD_PATHS;
        if ((f->flags & ASH_FIELD_OF_COMPONENT) && !p->in_component && ash_slice_find(raw.s, ASH_S("{component}")) < 0)
                join = false;
        raw.s = join && !has_scheme(raw.s) ? ash_parse_join(p->arena, p->dir, raw.s) : ash_arena_slice(p->arena, raw.s);
        return raw;
}

static void parse_texts(const AshParse *p, const AshField *f, const AshTomlValue *v, AshTexts *ret) {
        if (v->type != ASH_TOML_ARRAY) {
                wrong_type(p, f, v, "an array of strings");
                return;
        }
        ret->items = ash_arena_new_items(p->arena, AshText, v->array.n + 1); /* never NULL: an empty array is not an unset one */
        for (size_t i = 0; i < v->array.n; i++) {
                if (v->array.items[i]->type != ASH_TOML_STRING)
                        wrong_type(p, f, v->array.items[i], "an array of strings");
                else
                        ret->items[ret->n++] = make_text(p, f, v->array.items[i]);
        }
}

static AshText name_text(const AshParse *p, const AshTomlMember *m) { return (AshText){ ash_arena_slice(p->arena, m->key), m->key_at }; }

static void check_name(const AshParse *p, const AshField *f, AshText name) {
        if (!name.s.len || memchr(name.s.ptr, 0, name.s.len) || memchr(name.s.ptr, '\n', name.s.len)) {
                ash_fail(p->diags, -ASH_ERR_CONFIG, name.at, "a name in '%s' must not be empty or hold control characters", f->key);
                ash_hint(p->diags, "choose another name");
        } else if (f->kind == ASH_FIELD_BOXED && (ash_slice_find_char(name.s, '/') >= 0 || ash_slice_eqs(name.s, ".") || ash_slice_eqs(name.s, ".."))) {
                ash_fail(p->diags, -ASH_ERR_CONFIG, name.at, "the component name '%.*s' cannot be a directory name", ASH_F(name.s));
                ash_hint(p->diags, "its rendered spec gets a directory of this name");
        } else if (f->form && f->form->ok && !f->form->ok(name.s)) {
                ash_fail(p->diags, -ASH_ERR_CONFIG, name.at, "'%.*s' is no valid name in '%s'", ASH_F(name.s), f->key);
                ash_hint(p->diags, "expected %s", f->form->expected);
        }
}

static void parse_pairs(const AshParse *p, const AshField *f, const AshTomlValue *v, AshPairs *ret) {
        if (v->type != ASH_TOML_TABLE) {
                wrong_type(p, f, v, "a table of strings");
                return;
        }
        AshField value = *f;
        value.form = NULL; /* it is the keys' */
        ret->items = ash_arena_new_items(p->arena, AshPair, v->table.n + 1);
        for (size_t i = 0; i < v->table.n; i++) {
                const AshTomlMember *m = &v->table.members[i];
                if (m->value->type != ASH_TOML_STRING)
                        wrong_type(p, f, m->value, "a table of strings");
                else
                        ret->items[ret->n++] = (AshPair){ name_text(p, m), make_text(p, &value, m->value) };
                if (f->form)
                        check_name(p, f, name_text(p, m));
        }
}

static void parse_tables(const AshParse *p, const AshField *f, const AshTomlValue *v, AshItems *ret) {
        bool or_string = f->flags & ASH_FIELD_OR_STRING;
        if (v->type != ASH_TOML_ARRAY) {
                wrong_type(p, f, v, "an array of tables");
                if (v->type == ASH_TOML_TABLE)
                        ash_hint(p->diags, "write [[%s]] with doubled brackets", f->key);
                return;
        }
        ret->items = ash_arena_calloc(p->arena, v->array.n + 1, f->record->size);
        for (size_t i = 0; i < v->array.n; i++) {
                const AshTomlValue *t = v->array.items[i];
                char *item = ret->items + ret->n * f->record->size;
                if (t->type == ASH_TOML_TABLE) {
                        ash_parse_record(p, f->record, t, t->at, item);
                        ret->n++;
                } else if (or_string && t->type == ASH_TOML_STRING) {
                        const AshField *first = f->record->fields;
                        *(AshText *) ash_field_at(first, item) = make_text(p, first, t);
                        if (f->record->at)
                                *(AshSpan *) (void *) (item + f->record->at - 1) = t->at;
                        ret->n++;
                } else
                        wrong_type(p, f, t, "an array of tables");
        }
}

static void parse_boxed(const AshParse *p, const AshField *f, const AshTomlMember *m, AshComponent *c) {
        c->base_dir = p->dir;
        if (m->value->table.n == 0) {
                c->own = &ash_component_config_empty;
                return;
        }
        AshComponentConfig *own = ash_arena_new_item(p->arena, AshComponentConfig);
        AshParse inside = *p;
        inside.in_component = true;
        ash_parse_record(&inside, f->record, m->value, m->value->at, own);
        c->own = own;
}

static void parse_named(const AshParse *p, const AshField *f, const AshTomlValue *v, AshItems *ret) {
        if (v->type != ASH_TOML_TABLE) {
                wrong_type(p, f, v, "a table of tables");
                return;
        }
        size_t size = ash_field_item_size(f);
        ret->items = ash_arena_calloc(p->arena, v->table.n + 1, size);
        for (size_t i = 0; i < v->table.n; i++) {
                const AshTomlMember *m = &v->table.members[i];
                if (m->value->type != ASH_TOML_TABLE) {
                        ash_fail(p->diags, -ASH_ERR_CONFIG, m->value->at, "'%s.%.*s' must be a table, not %s", f->key, ASH_F(m->key), ash_toml_type_name(m->value->type));
                        ash_hint(p->diags, "write a header: [... %s.%.*s]", f->key, ASH_F(m->key));
                        continue;
                }
                char *item = ret->items + ret->n++ * size;
                AshText name = name_text(p, m);
                check_name(p, f, name);
                if (f->kind == ASH_FIELD_BOXED)
                        parse_boxed(p, f, m, (AshComponent *) (void *) item);
                else
                        ash_parse_record(p, f->record, m->value, m->value->at.source ? m->value->at : m->key_at, item + f->data);
                *(AshText *) (void *) item = name; /* after the record: its rows never speak of the name */
        }
}

static void parse_field(const AshParse *p, const AshField *f, const AshTomlMember *m, void *record) {
        const AshTomlValue *v = m->value;
        void *at = ash_field_at(f, record);
        switch (f->kind) {
        case ASH_FIELD_TEXT:
        case ASH_FIELD_PATH:
        case ASH_FIELD_SOURCE:
                if (v->type != ASH_TOML_STRING)
                        wrong_type(p, f, v, "a string");
                else
                        *(AshText *) at = make_text(p, f, v);
                return;
        case ASH_FIELD_FLAG:
                if (v->type != ASH_TOML_BOOL)
                        wrong_type(p, f, v, "a boolean");
                else
                        *(AshFlag *) at = (AshFlag){ v->boolean ? ASH_YES : ASH_NO, v->at };
                return;
        case ASH_FIELD_NUMBER:
                if (v->type != ASH_TOML_INTEGER)
                        wrong_type(p, f, v, "an integer");
                else if (v->integer < 0 || v->integer > UINT32_MAX) {
                        ash_fail(p->diags, -ASH_ERR_CONFIG, v->at, "'%s' must be between 0 and 4294967295", f->key);
                        ash_hint(p->diags, "write a number in this range");
                } else
                        *(AshNumber *) at = (AshNumber){ true, v->integer, v->at };
                return;
        case ASH_FIELD_TEXTS:
        case ASH_FIELD_PATHS:
                parse_texts(p, f, v, at);
                return;
        case ASH_FIELD_PAIRS:
                parse_pairs(p, f, v, at);
                return;
        case ASH_FIELD_TABLES:
                parse_tables(p, f, v, at);
                return;
        case ASH_FIELD_NAMED:
        case ASH_FIELD_BOXED:
                parse_named(p, f, v, at);
                return;
        case ASH_FIELD_TABLE:
                if (v->type != ASH_TOML_TABLE) {
                        wrong_type(p, f, v, "a table");
                        return;
                }
                if (f->present)
                        *((bool *) record + f->present - 1) = true;
                ash_parse_record(p, f->record, v, v->at.source ? v->at : m->key_at, at);
                return;
        case ASH_FIELD_MAX_:
                return;
        }
}

static void unknown_key(const AshParse *p, const AshRecord *r, const AshTomlMember *m) {
        AshSlice known[64];
        size_t n = 0;
        _str_ AshStr all = {};
        for (; r->fields[n].key && n < ASH_N(known); n++) {
                known[n] = ash_slice_str(r->fields[n].key);
                ash_str_appendf(&all, "%s%s", n ? ", " : "", r->fields[n].key);
        }
        _free_ char *shown = one_line(m->key);
        ash_fail(p->diags, -ASH_ERR_CONFIG, m->key_at, "unknown key '%s' in %s", shown, r->name);
        ptrdiff_t near = ash_slice_nearest(m->key, known, n);
        if (near >= 0)
                ash_hint(p->diags, "did you mean '%s'?", r->fields[near].key);
        else
                ash_hint(p->diags, "known here: %s", all.ptr);
}

void ash_parse_record(const AshParse *p, const AshRecord *r, const AshTomlValue *table, AshSpan at, void *record) {
        uint64_t seen = 0;
        for (size_t i = 0; i < table->table.n; i++) {
                const AshTomlMember *m = &table->table.members[i];
                const AshField *f = ash_field_find(r, m->key);
                if (!f) {
                        unknown_key(p, r, m);
                        continue;
                }
                seen |= UINT64_C(1) << (f - r->fields);
                if (p->lint && (f->flags & ASH_FIELD_OLD))
                        ash_warn(p->diags, m->key_at, "'%s' is old: %s", f->key, f->doc);
                parse_field(p, f, m, record);
        }
        if (r->at)
                *(AshSpan *) (void *) ((char *) record + r->at - 1) = at;
        if (r->base_dir)
                *(const char **) (void *) ((char *) record + r->base_dir - 1) = p->dir;
        bool complete = true;
        for (const AshField *f = r->fields; f->key; f++)
                if ((f->flags & ASH_FIELD_REQUIRED) && !(seen & (UINT64_C(1) << (f - r->fields)))) {
                        ash_fail(p->diags, -ASH_ERR_CONFIG, at, "'%s' is missing in %s", f->key, r->name);
                        ash_hint(p->diags, "add %s: %s", f->key, f->doc);
                        complete = false;
                }
        if (r->rule && complete) {
                AshRules rules = { p->diags };
                r->rule(&rules, record, at);
        }
}
