/* The schema as JSON Schema 2020-12 and as the reference page. */
#include "config.h"
#include "config-schema.h"
#include "json.h"

typedef ASH_ARRAY(const AshRecord *) Records;

static void collect(Records *all, const AshRecord *r) {
        for (size_t i = 0; i < all->n; i++)
                if (all->items[i] == r)
                        return;
        ash_array_push(all, r);
        for (const AshField *f = r->fields; f->key; f++)
                if (f->record)
                        collect(all, f->record);
}

static void capital(AshStr *out, const char *text) {
        size_t from = out->len;
        ash_str_append_str(out, text);
        if (out->len > from && out->ptr[from] >= 'a' && out->ptr[from] <= 'z')
                out->ptr[from] = (char) (out->ptr[from] - 'a' + 'A');
}

static void ref_to(AshJson *j, const char *key, const AshRecord *r) {
        _free_ char *ref = ash_asprintf("#/$defs/%s", r->name);
        ash_json_begin(j, key, '{');
        ash_json_str(j, "$ref", ref);
        ash_json_end(j, '}');
}

static void string_rules(AshJson *j, const AshField *f) {
        ash_json_str(j, "type", "string");
        if (f->values) {
                ash_json_begin(j, "enum", '[');
                for (size_t i = 0; f->values[i]; i++)
                        ash_json_str(j, NULL, f->values[i]);
                ash_json_end(j, ']');
        } else if (f->form && f->form->pattern) {
                /* An empty text counts as unset. */
                bool strict = f->flags & ASH_FIELD_REQUIRED || (f->kind == ASH_FIELD_TEXTS && f->flags & ASH_FIELD_ASHLAR); /* an entry of an array is no key that could be unset */
                _free_ char *pattern = strict ? ash_strdup(f->form->pattern) : ash_asprintf("^$|%s", f->form->pattern);
                ash_json_str(j, "pattern", pattern);
        } else if (f->flags & ASH_FIELD_REQUIRED)
                ash_json_uint(j, "minLength", 1);
}

static void string_schema(AshJson *j, const char *key, const AshField *f) {
        ash_json_begin(j, key, '{');
        string_rules(j, f);
        ash_json_end(j, '}');
}

static void names_schema(AshJson *j, const AshField *f) {
        if (!f->form || !f->form->pattern)
                return;
        ash_json_begin(j, "propertyNames", '{');
        ash_json_str(j, "pattern", f->form->pattern);
        ash_json_end(j, '}');
}

static void array_of_tables(AshJson *j, const AshField *f) {
        ash_json_str(j, "type", "array");
        if (!(f->flags & ASH_FIELD_OR_STRING)) {
                ref_to(j, "items", f->record);
                return;
        }
        ash_json_begin(j, "items", '{');
        ash_json_begin(j, "anyOf", '[');
        string_schema(j, NULL, f->record->fields);
        ref_to(j, NULL, f->record);
        ash_json_end(j, ']');
        ash_json_end(j, '}');
}

static void field_schema(AshJson *j, const AshField *f) {
        _str_ AshStr doc = {};
        capital(&doc, f->doc);
        ash_str_append_char(&doc, '.');
        if (f->standard)
                ash_str_appendf(&doc, " Default: %s.", f->standard);
        ash_json_begin(j, f->key, '{');
        ash_json_str(j, "description", doc.ptr);
        if (f->flags & ASH_FIELD_OLD)
                ash_json_bool(j, "deprecated", true);
        switch (f->kind) {
        case ASH_FIELD_TEXT:
        case ASH_FIELD_PATH:
        case ASH_FIELD_SOURCE:
                string_rules(j, f);
                break;
        case ASH_FIELD_TEXTS:
        case ASH_FIELD_PATHS:
                ash_json_str(j, "type", "array");
                string_schema(j, "items", f);
                break;
        case ASH_FIELD_FLAG:
                ash_json_str(j, "type", "boolean");
                break;
        case ASH_FIELD_NUMBER:
                ash_json_str(j, "type", "integer");
                ash_json_uint(j, "minimum", 0);
                ash_json_uint(j, "maximum", UINT32_MAX);
                break;
        case ASH_FIELD_PAIRS:
                ash_json_str(j, "type", "object");
                string_schema(j, "additionalProperties", &(AshField){ .kind = ASH_FIELD_TEXT });
                names_schema(j, f);
                break;
        case ASH_FIELD_TABLES:
                array_of_tables(j, f);
                break;
        case ASH_FIELD_TABLE: {
                _free_ char *ref = ash_asprintf("#/$defs/%s", f->record->name);
                ash_json_str(j, "$ref", ref);
                break;
        }
        case ASH_FIELD_NAMED:
        case ASH_FIELD_BOXED:
                ash_json_str(j, "type", "object");
                ref_to(j, "additionalProperties", f->record);
                names_schema(j, f);
                break;
        case ASH_FIELD_MAX_:
                break;
        }
        ash_json_end(j, '}');
}

static void record_schema(AshJson *j, const AshRecord *r) {
        ash_json_begin(j, r->name, '{');
        ash_json_str(j, "description", r->doc);
        ash_json_str(j, "type", "object");
        ash_json_bool(j, "additionalProperties", false);
        ash_json_begin(j, "properties", '{');
        bool required = false;
        for (const AshField *f = r->fields; f->key; f++) {
                field_schema(j, f);
                required |= f->flags & ASH_FIELD_REQUIRED;
        }
        ash_json_end(j, '}');
        if (required) {
                ash_json_begin(j, "required", '[');
                for (const AshField *f = r->fields; f->key; f++)
                        if (f->flags & ASH_FIELD_REQUIRED)
                                ash_json_str(j, NULL, f->key);
                ash_json_end(j, ']');
        }
        if (r->schema_rules)
                r->schema_rules(j);
        ash_json_end(j, '}');
}

void ash_config_json_schema(AshStr *out) {
        Records all = {};
        collect(&all, &ash_record_project);
        collect(&all, &ash_record_overlay_file);
        AshJson j = { .out = out };
        ash_json_begin(&j, NULL, '{');
        ash_json_str(&j, "$schema", "https://json-schema.org/draft/2020-12/schema");
        ash_json_str(&j, "title", "ashlar.toml");
        ash_json_str(&j, "$comment", "made by: ashlar config schema");
        _free_ char *root = ash_asprintf("#/$defs/%s", ash_record_project.name);
        ash_json_str(&j, "$ref", root);
        ash_json_begin(&j, "$defs", '{');
        ash_array_foreach(&all, r)
                record_schema(&j, *r);
        ash_json_end(&j, '}');
        ash_json_end(&j, '}');
        ash_str_append_char(out, '\n');
        ash_array_done(&all);
}

/* ---- the reference page ---- */
static void cell(AshStr *out, const char *text) {
        for (; *text; text++) {
                if (*text == '|')
                        ash_str_append_char(out, '\\');
                ash_str_append_char(out, *text);
        }
}

static void row_type(AshStr *out, const AshField *f) {
        if (f->record)
                ash_str_appendf(out, "%s%s[%s](#%s)", f->kind == ASH_FIELD_TABLE ? "" : f->kind == ASH_FIELD_TABLES ? "array of " : "named ", f->flags & ASH_FIELD_OR_STRING ? "strings or " : "", f->record->name,
                        f->record->name);
        else
                ash_str_append_str(out, ash_field_kind_name(f->kind));
}

static void row_doc(AshStr *out, const AshField *f) {
        _str_ AshStr doc = {};
        capital(&doc, f->doc);
        cell(out, doc.ptr);
        if (f->values) {
                ash_str_append_str(out, ". One of");
                for (size_t i = 0; f->values[i]; i++)
                        if (*f->values[i])
                                ash_str_appendf(out, "%s `%s`", i ? "," : "", f->values[i]);
        } else if (f->form) {
                ash_str_appendf(out, f->kind == ASH_FIELD_NAMED || f->kind == ASH_FIELD_PAIRS ? ". Each name is " : ". Form: ");
                cell(out, f->form->expected);
                for (size_t i = 0; f->form->placeholders && f->form->placeholders[i]; i++)
                        ash_str_appendf(out, "%s`$%s`", i ? ", " : "; may hold ", f->form->placeholders[i]);
        }
        if (f->ref)
                ash_str_appendf(out, ". Names a %s", ash_ref_name(f->ref));
        if (f->flags & ASH_FIELD_REPLACE)
                ash_str_append_str(out, ". Replaces an inherited list");
        if (f->standard) {
                ash_str_append_str(out, ". Default: ");
                cell(out, f->standard);
        }
        ash_str_append_char(out, '.');
}

static void record_page(AshStr *out, const AshRecord *r) {
        ash_str_appendf(out, "\n### %s\n\n%s.\n\n| key | type | meaning |\n|---|---|---|\n", r->name, r->doc);
        for (const AshField *f = r->fields; f->key; f++) {
                ash_str_appendf(out, "| `%s`%s%s%s | ", f->key, f->flags & ASH_FIELD_REQUIRED ? " (required)" : "", f->flags & ASH_FIELD_ASHLAR ? " ⊕" : "", f->flags & ASH_FIELD_OLD ? " (old)" : "");
                row_type(out, f);
                ash_str_append_str(out, " | ");
                row_doc(out, f);
                ash_str_append_str(out, " |\n");
        }
}

void ash_config_reference(AshStr *out) {
        Records all = {};
        collect(&all, &ash_record_project);
        collect(&all, &ash_record_overlay_file);
        ash_str_append_str(out, "Every key, made from the schema table by `ashlar config schema --reference`. ⊕ marks Ashlar's own keys: azldev does not know them.\n");
        ash_array_foreach(&all, r)
                record_page(out, *r);
        ash_array_done(&all);
}
