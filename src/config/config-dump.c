/* The merged project as one file, in TOML or JSON. */
#include "config-write.h"

typedef struct Dump {
        AshConfig *config;
        AshStr *out;
        AshJson json;
        bool resolved, in_component;
        AshDiags *diags;
        int result;
} Dump;

/* In a resolved dump whatever was inherited stands in the components; what they inherit from is left out. */
static bool left_out(const Dump *d, const AshField *f, const void *record) {
        if (ash_field_empty(f, record))
                return true;
        if (!d->resolved)
                return false;
        return (f->kind == ASH_FIELD_TABLE && f->record == &ash_record_component_config) || (f->flags & ASH_FIELD_OF_COMPONENT) || strcmp(f->key, "inherits") == 0;
}

static const void *item_of(Dump *d, const AshField *f, const void *record, size_t i) {
        int r = 0;
        if (d->resolved && f->kind == ASH_FIELD_BOXED) {
                const AshComponent *component = NULL;
                r = ash_config_component(d->config, ash_field_item_name(f, record, i).s, &component, d->diags);
                if (r >= 0)
                        return component->merged;
        } else if (d->resolved && f->record == &ash_record_image) {
                const AshImage *image = NULL;
                r = ash_config_image(d->config, ash_field_item_name(f, record, i).s, &image, d->diags);
                if (r >= 0)
                        return image;
        }
        if (r < 0)
                d->result = r;
        return ash_field_item(f, record, i);
}

static const void *table_item(const AshField *f, const void *record, size_t i) { return ((const AshItems *) ash_field_at(f, record))->items + i * f->record->size; }

/* ---- TOML ---- */
static bool is_value(const AshField *f) {
        switch (f->kind) {
        case ASH_FIELD_TABLE:
        case ASH_FIELD_NAMED:
        case ASH_FIELD_BOXED:
                return false;
        case ASH_FIELD_TABLES:
                return ash_write_simple(f);
        default:
                return true;
        }
}

static void toml_text(Dump *d, const AshRecord *r, const AshField *f, const void *record, AshSlice text) {
        ash_write_string(d->out, ash_write_text(d->config, f, text, ash_write_base_dir(r, record), d->in_component));
}

static void toml_texts(Dump *d, const AshRecord *r, const AshField *f, const void *record, const AshTexts *texts) {
        size_t width = 0;
        for (size_t i = 0; i < texts->n; i++)
                width += texts->items[i].s.len + 4;
        bool tall = width > 100;
        ash_str_append_char(d->out, '[');
        for (size_t i = 0; i < texts->n; i++) {
                ash_str_append_str(d->out, tall ? "\n    " : i ? ", " : "");
                toml_text(d, r, f, record, texts->items[i].s);
                if (tall)
                        ash_str_append_char(d->out, ',');
        }
        ash_str_append_str(d->out, tall ? "\n]" : "]");
}

static void toml_pairs(Dump *d, const AshPairs *pairs) {
        ash_str_append_char(d->out, '{');
        for (size_t i = 0; i < pairs->n; i++) {
                ash_str_append_str(d->out, i ? ", " : " ");
                ash_write_key(d->out, pairs->items[i].key.s);
                ash_str_append_str(d->out, " = ");
                ash_write_string(d->out, pairs->items[i].value.s);
        }
        ash_str_append_str(d->out, pairs->n ? " }" : "}");
}

static void toml_value(Dump *d, const AshRecord *r, const AshField *f, const void *record);

static void toml_inline_tables(Dump *d, const AshField *f, const void *record) {
        size_t n = ((const AshItems *) ash_field_at(f, record))->n;
        ash_str_append_char(d->out, '[');
        for (size_t i = 0; i < n; i++) {
                const void *item = table_item(f, record, i);
                ash_str_append_str(d->out, n > 1 ? "\n    { " : "{ ");
                bool comma = false;
                for (const AshField *g = f->record->fields; g->key; g++) {
                        if (ash_field_empty(g, item))
                                continue;
                        if (comma)
                                ash_str_append_str(d->out, ", ");
                        comma = true;
                        ash_write_key(d->out, ash_slice_str(g->key));
                        ash_str_append_str(d->out, " = ");
                        toml_value(d, f->record, g, item);
                }
                ash_str_append_str(d->out, n > 1 ? " }," : " }");
        }
        ash_str_append_str(d->out, n > 1 ? "\n]" : "]");
}

static void toml_value(Dump *d, const AshRecord *r, const AshField *f, const void *record) {
        const void *at = ash_field_at(f, record);
        switch (f->kind) {
        case ASH_FIELD_TEXT:
        case ASH_FIELD_PATH:
        case ASH_FIELD_SOURCE:
                toml_text(d, r, f, record, ((const AshText *) at)->s);
                return;
        case ASH_FIELD_TEXTS:
        case ASH_FIELD_PATHS:
                toml_texts(d, r, f, record, at);
                return;
        case ASH_FIELD_FLAG:
                ash_str_append_str(d->out, ((const AshFlag *) at)->value == ASH_YES ? "true" : "false");
                return;
        case ASH_FIELD_NUMBER:
                ash_str_appendf(d->out, "%lld", (long long) ((const AshNumber *) at)->value);
                return;
        case ASH_FIELD_PAIRS:
                toml_pairs(d, at);
                return;
        case ASH_FIELD_TABLES:
                toml_inline_tables(d, f, record);
                return;
        default:
                return;
        }
}

static void toml_header(Dump *d, const AshStr *path, const char *open, const char *close) {
        ash_str_appendf(d->out, "%s%s%.*s%s\n", d->out->len ? "\n" : "", open, (int) path->len, path->ptr, close);
}

static void toml_record(Dump *d, AshStr *path, const AshRecord *r, const void *record, bool needs_header);

static void toml_below(Dump *d, AshStr *path, const AshField *f, const void *record) {
        size_t length = path->len;
        if (length)
                ash_str_append_char(path, '.');
        ash_write_key(path, ash_slice_str(f->key));
        size_t n = f->kind == ASH_FIELD_TABLE ? 0 : ((const AshItems *) ash_field_at(f, record))->n, here = path->len;
        if (f->kind == ASH_FIELD_TABLE)
                toml_record(d, path, f->record, ash_field_at(f, record), f->present);
        else if (!n)
                toml_header(d, path, "[", "]");
        for (size_t i = 0; i < n; i++) {
                if (f->kind == ASH_FIELD_TABLES) {
                        toml_header(d, path, "[[", "]]");
                        toml_record(d, path, f->record, table_item(f, record, i), false);
                        continue;
                }
                d->in_component = f->kind == ASH_FIELD_BOXED || d->in_component;
                ash_str_append_char(path, '.');
                ash_write_key(path, ash_field_item_name(f, record, i).s);
                toml_record(d, path, f->record, item_of(d, f, record, i), true);
                path->len = here;
                if (f->kind == ASH_FIELD_BOXED)
                        d->in_component = false;
        }
        path->len = length;
}

/* Inside [[a]] the header is written already: its keys come first, then its tables. */
static void toml_record(Dump *d, AshStr *path, const AshRecord *r, const void *record, bool needs_header) {
        bool values = false;
        for (const AshField *f = r->fields; f->key; f++)
                values |= is_value(f) && !left_out(d, f, record);
        bool inside_tables = d->out->len >= 3 && memcmp(d->out->ptr + d->out->len - 3, "]]\n", 3) == 0;
        if (path->len && (values || needs_header) && !inside_tables)
                toml_header(d, path, "[", "]");
        for (const AshField *f = r->fields; f->key; f++) {
                if (!is_value(f) || left_out(d, f, record))
                        continue;
                ash_write_key(d->out, ash_slice_str(f->key));
                ash_str_append_str(d->out, " = ");
                toml_value(d, r, f, record);
                ash_str_append_char(d->out, '\n');
        }
        for (const AshField *f = r->fields; f->key; f++)
                if (!is_value(f) && !left_out(d, f, record))
                        toml_below(d, path, f, record);
}

/* ---- JSON ---- */
static void json_record(Dump *d, const char *key, const AshRecord *r, const void *record);

static void json_text(Dump *d, const char *key, const AshRecord *r, const AshField *f, const void *record, AshSlice text) {
        ash_json_text(&d->json, key, ash_write_text(d->config, f, text, ash_write_base_dir(r, record), d->in_component));
}

static void json_items(Dump *d, const AshField *f, const void *record) {
        size_t n = ((const AshItems *) ash_field_at(f, record))->n;
        bool named = f->kind != ASH_FIELD_TABLES;
        ash_json_begin(&d->json, f->key, named ? '{' : '[');
        for (size_t i = 0; i < n; i++) {
                if (named)
                        ash_json_key(&d->json, ash_field_item_name(f, record, i).s);
                bool was = d->in_component;
                d->in_component |= f->kind == ASH_FIELD_BOXED;
                json_record(d, NULL, f->record, named ? item_of(d, f, record, i) : table_item(f, record, i));
                d->in_component = was;
        }
        ash_json_end(&d->json, named ? '}' : ']');
}

static void json_field(Dump *d, const AshRecord *r, const AshField *f, const void *record) {
        const void *at = ash_field_at(f, record);
        switch (f->kind) {
        case ASH_FIELD_TEXT:
        case ASH_FIELD_PATH:
        case ASH_FIELD_SOURCE:
                json_text(d, f->key, r, f, record, ((const AshText *) at)->s);
                return;
        case ASH_FIELD_TEXTS:
        case ASH_FIELD_PATHS:
                ash_json_begin(&d->json, f->key, '[');
                for (size_t i = 0; i < ((const AshTexts *) at)->n; i++)
                        json_text(d, NULL, r, f, record, ((const AshTexts *) at)->items[i].s);
                ash_json_end(&d->json, ']');
                return;
        case ASH_FIELD_FLAG:
                ash_json_bool(&d->json, f->key, ((const AshFlag *) at)->value == ASH_YES);
                return;
        case ASH_FIELD_NUMBER:
                ash_json_int(&d->json, f->key, ((const AshNumber *) at)->value);
                return;
        case ASH_FIELD_PAIRS:
                ash_json_begin(&d->json, f->key, '{');
                for (size_t i = 0; i < ((const AshPairs *) at)->n; i++) {
                        ash_json_key(&d->json, ((const AshPairs *) at)->items[i].key.s);
                        ash_json_text(&d->json, NULL, ((const AshPairs *) at)->items[i].value.s);
                }
                ash_json_end(&d->json, '}');
                return;
        case ASH_FIELD_TABLE:
                json_record(d, f->key, f->record, at);
                return;
        case ASH_FIELD_TABLES:
        case ASH_FIELD_NAMED:
        case ASH_FIELD_BOXED:
                json_items(d, f, record);
                return;
        case ASH_FIELD_MAX_:
                return;
        }
}

static void json_record(Dump *d, const char *key, const AshRecord *r, const void *record) {
        ash_json_begin(&d->json, key, '{');
        for (const AshField *f = r->fields; f->key; f++)
                if (!left_out(d, f, record))
                        json_field(d, r, f, record);
        ash_json_end(&d->json, '}');
}

int ash_config_dump(AshConfig *c, AshConfigFormat format, bool resolved, AshStr *out, AshDiags *diags) {
        Dump d = { .config = c, .out = out, .json = { .out = out }, .resolved = resolved, .diags = diags };
        if (format == ASH_CONFIG_JSON) {
                json_record(&d, NULL, &ash_record_project, &c->project);
                ash_str_append_char(out, '\n');
        } else {
                _str_ AshStr path = {};
                toml_record(&d, &path, &ash_record_project, &c->project, false);
        }
        return d.result;
}

void ash_config_image_text(AshConfig *c, const AshImage *image, AshStr *out) {
        Dump d = { .config = c, .out = out, .json = { .out = out } };
        const AshDistroVersion *version = ash_config_default_distro_version(c, NULL);
        const AshField *versions = ash_field_find(ash_field_find(&ash_record_project, ASH_S("distros"))->record, ASH_S("versions")), *identity = ash_field_find(versions->record, ASH_S("identity"));
        ash_str_appendf(out, "image %.*s ", ASH_F(image->name.s));
        json_record(&d, NULL, &ash_record_image, image);
        if (version) {
                ash_str_appendf(out, "\nrelease %.*s ", ASH_F(version->release_ver.s));
                d.json = (AshJson){ .out = out };
                json_record(&d, NULL, identity->record, ash_field_at(identity, version));
        }
        ash_str_append_char(out, '\n');
}
