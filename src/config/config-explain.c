/* Where a value comes from: the layers that may set a key, from the weakest to the strongest, are walked down by the schema; what each of them says is shown. */
#include "config-write.h"

/* A layer, at the record that the walk has reached. */
typedef struct Layer {
        char *step;               /* "component group 'x'"; NULL: a file of the project */
        const void *record;
        const char *replaced_by;  /* a later layer replaces this one as a whole: how to say so */
} Layer;

typedef struct Explain {
        AshConfig *config;
        AshConfigFormat format;
        AshDiags *diags;
        ASH_ARRAY(Layer) layers;
        ASH_ARRAY(AshSlice) parts; /* of the key */
        AshStr storage;            /* of decoded parts */
        AshStr path;               /* the key so far, as TOML writes it */
        bool append, strict, in_component;
        AshComponentConfig side;   /* overlays from files of their own */
        AshStr *out;
        AshJson json;
        size_t shown;
} Explain;

static void explain_done(Explain *e) {
        ash_array_foreach(&e->layers, l)
                free(l->step);
        ash_array_done(&e->layers);
        ash_array_done(&e->parts);
        ash_str_done(&e->storage);
        ash_str_done(&e->path);
}

/* ---- the key ---- */
static int split_key(Explain *e, const char *key) {
        AshSlice rest = ash_slice_str(key);
        while (rest.len) {
                char quote = *rest.ptr == '"' || *rest.ptr == '\'' ? *rest.ptr : 0;
                ptrdiff_t end = quote ? ash_slice_find_char(ash_slice_from(rest, 1), quote) : ash_slice_find_char(rest, '.');
                if (quote && end < 0)
                        return ash_fail(e->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "in the key '%s' a quote is not closed", key);
                AshSlice part = quote ? ash_slice_sub(rest, 1, (size_t) end) : end < 0 ? rest : ash_slice_sub(rest, 0, (size_t) end);
                rest = ash_slice_from(rest, part.len + (quote ? 2 : 0));
                ash_array_push(&e->parts, part);
                if (rest.len && *rest.ptr != '.')
                        return ash_fail(e->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "in the key '%s' a dot is missing before '%.*s'", key, ASH_F(rest));
                if (rest.len == 1)
                        return ash_fail(e->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "the key '%s' ends with a dot", key);
                rest = ash_slice_from(rest, 1);
        }
        if (!e->parts.n)
                return ash_fail(e->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "the key is empty");
        return 0;
}

static size_t path_push(Explain *e, AshSlice part) {
        size_t was = e->path.len;
        if (was)
                ash_str_append_char(&e->path, '.');
        ash_write_key(&e->path, part);
        return was;
}

static void path_cut(Explain *e, size_t to) {
        e->path.len = to;
        if (e->path.ptr)
                e->path.ptr[to] = 0;
}

/* ---- output of one value ---- */
typedef struct Said {
        const Layer *layer;
        AshSpan at;
        AshSlice text;            /* as TOML writes it */
        const char *how;          /* "set", "appended", "overridden", "replaced" */
} Said;
typedef ASH_ARRAY(Said) Saids;

static void say(Explain *e, AshSlice value, const Saids *saids) {
        e->shown++;
        if (e->format == ASH_CONFIG_JSON) {
                ash_json_begin(&e->json, NULL, '{');
                ash_json_text(&e->json, "key", ash_str_slice(&e->path));
                ash_json_text(&e->json, "value", value);
                ash_json_begin(&e->json, "from", '[');
        } else
                ash_str_appendf(e->out, "%s = %.*s\n", e->path.ptr, ASH_F(value));
        ash_array_foreach(saids, s) {
                AshPlace place = ash_span_place(s->at);
                const char *step = s->layer->step ? s->layer->step : s->at.source && s->at.source->name[0] == '<' ? "built in" : "the project";
                if (e->format == ASH_CONFIG_JSON) {
                        ash_json_begin(&e->json, NULL, '{');
                        ash_json_str(&e->json, "how", s->how);
                        ash_json_text(&e->json, "value", s->text);
                        ash_json_str(&e->json, "file", s->at.source ? s->at.source->name : NULL);
                        ash_json_uint(&e->json, "line", place.line);
                        ash_json_uint(&e->json, "column", place.column);
                        ash_json_str(&e->json, "step", step);
                        ash_json_end(&e->json, '}');
                        continue;
                }
                ash_str_appendf(e->out, "    %-10s %.*s  at ", s->how, ASH_F(s->text));
                if (s->at.source)
                        ash_str_appendf(e->out, "%s:%u:%u", s->at.source->name, place.line, place.column);
                else
                        ash_str_append_str(e->out, "no place");
                ash_str_appendf(e->out, "  by %s\n", step);
        }
        if (e->format == ASH_CONFIG_JSON) {
                ash_json_end(&e->json, ']');
                ash_json_end(&e->json, '}');
        }
}

static AshSlice toml_string(Explain *e, const AshField *f, AshText t) {
        _str_ AshStr s = {};
        ash_write_string(&s, ash_write_text(e->config, f, t.s, NULL, e->in_component));
        pthread_mutex_lock(&e->config->mutex);
        AshSlice copy = ash_arena_slice(e->config->arena, ash_str_slice(&s));
        pthread_mutex_unlock(&e->config->mutex);
        return copy;
}

/* ---- values that are overridden: texts, flags, numbers ---- */
static bool scalar(Explain *e, const AshField *f, const void *record, Said *ret, bool *ret_zero) {
        const void *at = ash_field_at(f, record);
        switch (f->kind) {
        case ASH_FIELD_FLAG: {
                const AshFlag *flag = at;
                *ret_zero = flag->value == ASH_NO;
                *ret = (Said){ .at = flag->at, .text = flag->value == ASH_YES ? ASH_S("true") : ASH_S("false") };
                return flag->value != ASH_UNSET;
        }
        case ASH_FIELD_NUMBER: {
                const AshNumber *number = at;
                *ret_zero = number->value == 0;
                pthread_mutex_lock(&e->config->mutex);
                *ret = (Said){ .at = number->at, .text = ash_slice_str(ash_arena_printf(e->config->arena, "%lld", (long long) number->value)) };
                pthread_mutex_unlock(&e->config->mutex);
                return number->set;
        }
        default: {
                const AshText *text = at;
                *ret_zero = text->s.len == 0;
                if (ash_text_set(*text))
                        *ret = (Said){ .at = text->at, .text = toml_string(e, f, *text) };
                return ash_text_set(*text);
        }
        }
}

static void explain_scalar(Explain *e, const AshField *f) {
        Saids saids = {};
        ptrdiff_t winner = -1;
        ash_array_foreach(&e->layers, l) {
                Said s;
                bool zero;
                if (!l->record || !scalar(e, f, l->record, &s, &zero))
                        continue;
                s.layer = l;
                s.how = l->replaced_by ? "replaced" : "overridden";
                bool takes = !l->replaced_by && (!zero || e->strict || winner < 0);
                if (!takes && !l->replaced_by)
                        s.how = "ignored"; /* an explicit false or empty value does not override (azldev) */
                ash_array_push(&saids, s);
                if (takes)
                        winner = (ptrdiff_t) saids.n - 1;
        }
        if (winner >= 0) {
                Said set = saids.items[winner];
                set.how = "set";
                memmove(&saids.items[1], &saids.items[0], (size_t) winner * sizeof set);
                saids.items[0] = set;
                say(e, set.text, &saids);
        }
        ash_array_done(&saids);
}

/* ---- lists ---- */
static void texts_text(AshStr *out, const char *key, const AshTexts *texts) {
        if (!texts->items)
                return;
        ash_str_appendf(out, "%s %s = [", out->len > 1 ? "," : "", key);
        for (size_t i = 0; i < texts->n; i++) {
                ash_str_append_str(out, i ? ", " : "");
                ash_write_string(out, texts->items[i].s);
        }
        ash_str_append_char(out, ']');
}

static AshSlice table_text(Explain *e, const AshField *f, const void *item) {
        _str_ AshStr s = {};
        ash_str_append_str(&s, "{");
        for (const AshField *g = f->record->fields; g->key; g++) {
                if (g->kind == ASH_FIELD_TEXTS) {
                        texts_text(&s, g->key, ash_field_at(g, item));
                        continue;
                }
                if (g->kind != ASH_FIELD_TEXT && g->kind != ASH_FIELD_SOURCE)
                        continue;
                const AshText *t = ash_field_at(g, item);
                if (!ash_text_set(*t))
                        continue;
                ash_str_appendf(&s, "%s %s = ", s.len > 1 ? "," : "", g->key);
                ash_write_string(&s, t->s);
        }
        ash_str_append_str(&s, " }");
        pthread_mutex_lock(&e->config->mutex);
        AshSlice copy = ash_arena_slice(e->config->arena, ash_str_slice(&s));
        pthread_mutex_unlock(&e->config->mutex);
        return copy;
}

static void add_items(Explain *e, const AshField *f, const Layer *l, Saids *saids) {
        const AshItems *items = ash_field_at(f, l->record);
        for (size_t i = 0; i < items->n; i++) {
                Said s = { .layer = l, .how = "appended" };
                if (f->kind == ASH_FIELD_TABLES) {
                        const char *item = items->items + i * f->record->size;
                        s.text = table_text(e, f, item);
                        s.at = f->record->at ? *(const AshSpan *) (const void *) (item + f->record->at - 1) : ((const AshText *) (const void *) item)->at;
                } else {
                        const AshText *t = (const AshText *) (const void *) items->items + i;
                        s.text = toml_string(e, f, *t);
                        s.at = t->at;
                }
                ash_array_push(saids, s);
        }
}

static void explain_list(Explain *e, const AshField *f) {
        Saids saids = {};
        bool replaces = !e->append || (f->flags & ASH_FIELD_REPLACE), any = false;
        size_t live_from = 0;
        ash_array_foreach(&e->layers, l) {
                const AshItems *items = l->record ? ash_field_at(f, l->record) : NULL;
                if (!items || !items->items)
                        continue;
                size_t from = saids.n;
                add_items(e, f, l, &saids);
                any = true;
                if (l->replaced_by || (replaces && !l->replaced_by && (items->n || e->strict)))
                        for (size_t i = l->replaced_by ? from : live_from; i < (l->replaced_by ? saids.n : from); i++)
                                saids.items[i].how = "replaced";
                if (replaces)
                        live_from = from;
        }
        if (any) {
                _str_ AshStr value = {};
                bool first = true;
                ash_str_append_char(&value, '[');
                ash_array_foreach(&saids, s) {
                        if (strcmp(s->how, "replaced") == 0)
                                continue;
                        if (replaces)
                                s->how = "set";
                        ash_str_appendf(&value, "%s%.*s", first ? "" : ", ", ASH_F(s->text));
                        first = false;
                }
                ash_str_append_char(&value, ']');
                say(e, ash_str_slice(&value), &saids);
        }
        ash_array_done(&saids);
}

static void explain_pair(Explain *e, const AshField *f, AshSlice key) {
        Saids saids = {};
        ash_array_foreach(&e->layers, l) {
                const AshPairs *pairs = l->record ? ash_field_at(f, l->record) : NULL;
                for (size_t i = 0; pairs && i < pairs->n; i++)
                        if (ash_slice_eq(pairs->items[i].key.s, key)) {
                                _str_ AshStr s = {};
                                ash_write_string(&s, pairs->items[i].value.s);
                                ash_array_foreach(&saids, before)
                                        before->how = "overridden";
                                pthread_mutex_lock(&e->config->mutex);
                                AshSlice text = ash_arena_slice(e->config->arena, ash_str_slice(&s));
                                pthread_mutex_unlock(&e->config->mutex);
                                ash_array_push(&saids, ((Said){ l, pairs->items[i].value.at, text, l->replaced_by ? "replaced" : "set" }));
                        }
        }
        size_t was = path_push(e, key);
        if (saids.n)
                say(e, ash_array_last(&saids)->text, &saids);
        path_cut(e, was);
        ash_array_done(&saids);
}

static void explain_pairs(Explain *e, const AshField *f) {
        _map_ AshMap seen = {};
        ash_array_foreach(&e->layers, l) {
                const AshPairs *pairs = l->record ? ash_field_at(f, l->record) : NULL;
                for (size_t i = 0; pairs && i < pairs->n; i++) {
                        bool new;
                        ash_map_ensure(&seen, pairs->items[i].key.s, &new);
                        if (new)
                                explain_pair(e, f, pairs->items[i].key.s);
                }
        }
}

/* ---- tables ---- */
static void explain_record(Explain *e, const AshRecord *r);

typedef struct Saved {
        const void **records;
        const char **replaced;
        size_t n;
} Saved;

static Saved save(Explain *e) {
        Saved s = { ash_calloc(e->layers.n + 1, sizeof(void *)), ash_calloc(e->layers.n + 1, sizeof(char *)), e->layers.n };
        for (size_t i = 0; i < s.n; i++) {
                s.records[i] = e->layers.items[i].record;
                s.replaced[i] = e->layers.items[i].replaced_by;
        }
        return s;
}

static void restore(Explain *e, Saved *s) {
        for (size_t i = 0; i < s->n; i++) {
                e->layers.items[i].record = s->records[i];
                e->layers.items[i].replaced_by = s->replaced[i];
        }
        free(s->records);
        free(s->replaced);
}

static void enter_table(Explain *e, const AshField *f) {
        ash_array_foreach(&e->layers, l)
                if (l->record)
                        l->record = ash_field_at(f, l->record);
}

/* Moves every layer to its entry of that name. Returns whether one has it. */
static bool enter_named(Explain *e, const AshField *f, AshSlice name) {
        bool any = false;
        ash_array_foreach(&e->layers, l) {
                const void *found = NULL;
                const AshItems *items = l->record ? ash_field_at(f, l->record) : NULL;
                for (size_t i = 0; items && i < items->n && !found; i++)
                        if (ash_slice_eq(ash_field_item_name(f, l->record, i).s, name))
                                found = ash_field_item(f, l->record, i);
                l->record = found;
                any |= found != NULL;
                if (found && !(f->flags & (ASH_FIELD_DEEP | ASH_FIELD_UNIQUE)))
                        for (Layer *before = e->layers.items; before < l; before++)
                                if (before->record)
                                        before->replaced_by = "a later entry of this name";
        }
        return any;
}

/* Where a name can be in one file only there is nothing to look for: 100,000 components are no reason to compare each with each. */
static void explain_unique(Explain *e, const AshField *f) {
        Saved saved = save(e);
        for (size_t l = 0; l < saved.n; l++) {
                size_t n = saved.records[l] ? ((const AshItems *) ash_field_at(f, saved.records[l]))->n : 0;
                for (size_t i = 0; i < n; i++) {
                        for (size_t k = 0; k < saved.n; k++)
                                e->layers.items[k].record = NULL;
                        e->layers.items[l].record = ash_field_item(f, saved.records[l], i);
                        if (e->layers.items[l].record == &ash_component_config_empty)
                                continue;
                        size_t was = path_push(e, ash_field_item_name(f, saved.records[l], i).s);
                        explain_record(e, f->record);
                        path_cut(e, was);
                }
        }
        restore(e, &saved);
}

static void explain_named(Explain *e, const AshField *f) {
        if (f->flags & ASH_FIELD_UNIQUE) {
                explain_unique(e, f);
                return;
        }
        _map_ AshMap seen = {};
        ASH_ARRAY(AshSlice) names = {};
        ash_array_foreach(&e->layers, l) {
                const AshItems *items = l->record ? ash_field_at(f, l->record) : NULL;
                for (size_t i = 0; items && i < items->n; i++) {
                        bool new;
                        ash_map_ensure(&seen, ash_field_item_name(f, l->record, i).s, &new);
                        if (new)
                                ash_array_push(&names, ash_field_item_name(f, l->record, i).s);
                }
        }
        ash_array_foreach(&names, name) {
                Saved saved = save(e);
                size_t was = path_push(e, *name);
                enter_named(e, f, *name);
                explain_record(e, f->record);
                path_cut(e, was);
                restore(e, &saved);
        }
        ash_array_done(&names);
}

static void explain_field(Explain *e, const AshField *f) {
        switch (f->kind) {
        case ASH_FIELD_TEXTS:
        case ASH_FIELD_PATHS:
        case ASH_FIELD_TABLES:
                explain_list(e, f);
                return;
        case ASH_FIELD_PAIRS:
                explain_pairs(e, f);
                return;
        case ASH_FIELD_TABLE: {
                Saved saved = save(e);
                enter_table(e, f);
                explain_record(e, f->record);
                restore(e, &saved);
                return;
        }
        case ASH_FIELD_NAMED:
        case ASH_FIELD_BOXED:
                explain_named(e, f);
                return;
        default:
                explain_scalar(e, f);
                return;
        }
}

static void explain_record(Explain *e, const AshRecord *r) {
        for (const AshField *f = r->fields; f->key; f++) {
                size_t was = path_push(e, ash_slice_str(f->key));
                bool append = e->append;
                e->append |= f->flags & ASH_FIELD_APPEND;
                explain_field(e, f);
                e->append = append;
                path_cut(e, was);
        }
}

/* ---- layers ---- */
static void clear_layers(Explain *e) {
        ash_array_foreach(&e->layers, l)
                free(l->step);
        e->layers.n = 0;
}

static int component_layers(Explain *e, AshSlice name) {
        const AshComponent *component = NULL;
        int r = ash_config_component(e->config, name, &component, e->diags);
        if (r < 0)
                return r;
        clear_layers(e);
        AshLayers layers = {};
        ash_config_layers(e->config, component, &layers);
        size_t inline_overlays = 0;
        ash_array_foreach(&layers, l) {
                inline_overlays += l->config->overlays.n;
                ash_array_push(&e->layers, ((Layer){ .step = ASH_TAKE(l->step), .record = l->config }));
        }
        ash_layers_done(&layers);
        if (component->merged->overlays.n > inline_overlays) {
                e->side.overlays = (AshOverlays){ component->merged->overlays.items + inline_overlays, component->merged->overlays.n - inline_overlays };
                ash_array_push(&e->layers, ((Layer){ .step = ash_strdup("an overlay file"), .record = &e->side }));
        }
        e->append = true;
        e->in_component = true;
        e->strict = ash_config_semantics(e->config) == ASH_SEMANTICS_STRICT;
        return 0;
}

static int image_layers(Explain *e, AshSlice name) {
        const AshImage *image = NULL;
        int r = ash_config_image(e->config, name, &image, e->diags);
        if (r < 0)
                return r;
        clear_layers(e);
        AshImageList list = {};
        const AshImage *own = ash_config_find_image(e->config, name);
        ash_config_image_layers(e->config, own, &list, NULL);
        ash_array_foreach(&list, l)
                ash_array_push(&e->layers, ((Layer){ .step = *l == own ? ash_strdup("the image") : ash_asprintf("image '%.*s'", ASH_F((*l)->name.s)), .record = *l }));
        ash_array_done(&list);
        e->append = e->strict = true;
        return 0;
}

static int unknown_part(Explain *e, const AshRecord *r, AshSlice part) {
        AshSlice known[64];
        size_t n = 0;
        _str_ AshStr all = {};
        for (; r->fields[n].key && n < ASH_N(known); n++) {
                known[n] = ash_slice_str(r->fields[n].key);
                ash_str_appendf(&all, "%s%s", n ? ", " : "", r->fields[n].key);
        }
        ash_fail(e->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "there is no key '%.*s' in %s", ASH_F(part), r->name);
        ptrdiff_t near = ash_slice_nearest(part, known, n);
        if (near >= 0)
                ash_hint(e->diags, "did you mean '%s'?", r->fields[near].key);
        else
                ash_hint(e->diags, "known here: %s", all.ptr);
        return -ASH_ERR_USAGE;
}

static int enter_name(Explain *e, const AshField *f, AshSlice name) {
        if (f->kind == ASH_FIELD_BOXED)
                return component_layers(e, name);
        if (f->record == &ash_record_image)
                return image_layers(e, name);
        if (enter_named(e, f, name))
                return 0;
        return ash_fail(e->diags, -ENOENT, ASH_NOWHERE, "there is no entry '%.*s' in '%s'", ASH_F(name), e->path.ptr ? e->path.ptr : f->key);
}

static int walk(Explain *e, const AshRecord *r) {
        for (size_t i = 0; i < e->parts.n; i++) {
                const AshField *f = ash_field_find(r, e->parts.items[i]);
                if (!f)
                        return unknown_part(e, r, e->parts.items[i]);
                path_push(e, e->parts.items[i]);
                e->append |= f->flags & ASH_FIELD_APPEND;
                if (i + 1 == e->parts.n) {
                        explain_field(e, f);
                        if (!e->shown && f->standard && e->format == ASH_CONFIG_TOML)
                                ash_str_appendf(e->out, "%s is not set; default: %s\n", e->path.ptr, f->standard);
                        return 0;
                }
                AshSlice next = e->parts.items[i + 1];
                if (f->kind == ASH_FIELD_TABLE)
                        enter_table(e, f);
                else if (f->kind == ASH_FIELD_NAMED || f->kind == ASH_FIELD_BOXED) {
                        int k = enter_name(e, f, next);
                        if (k < 0)
                                return k;
                        path_push(e, next);
                        i++;
                } else if (f->kind == ASH_FIELD_PAIRS && i + 2 == e->parts.n) {
                        explain_pair(e, f, next);
                        return 0;
                } else
                        return ash_fail(e->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "'%s' is %s %s: there is no '%.*s' in it", e->path.ptr, strchr("aeiou", ash_field_kind_name(f->kind)[0]) ? "an" : "a",
                                ash_field_kind_name(f->kind), ASH_F(next));
                r = f->record;
        }
        explain_record(e, r);
        return 0;
}

int ash_config_explain(AshConfig *c, const char *key, AshConfigFormat format, AshStr *out, AshDiags *diags) {
        _cleanup_(explain_done) Explain e = { .config = c, .format = format, .diags = diags, .out = out, .json = { .out = out }, .strict = c->semantics == ASH_SEMANTICS_STRICT };
        ash_array_foreach(&c->order, file)
                ash_array_push(&e.layers, ((Layer){ .record = &(*file)->part }));
        if (format == ASH_CONFIG_JSON)
                ash_json_begin(&e.json, NULL, '[');
        int r = split_key(&e, key);
        if (r >= 0)
                r = walk(&e, &ash_record_project);
        if (format == ASH_CONFIG_JSON) {
                ash_json_end(&e.json, ']');
                ash_str_append_char(out, '\n');
        } else if (r >= 0 && !out->len)
                ash_str_appendf(out, "%s is not set\n", e.path.ptr);
        return r;
}
