/* Merging, by the schema table: files of one project, layers of inheritance, images that inherit from images. */
#include "config-private.h"

static bool takes(const AshMerge *m, bool was_set, bool set, bool zero) { return set && (!zero || m->strict || !was_set); }

static void append_items(const AshMerge *m, size_t size, AshItems *items, const AshItems *over) {
        if (!items->n) {
                *items = *over;
                return;
        }
        if (!over->n)
                return;
        char *joined = ash_arena_calloc(m->arena, items->n + over->n, size);
        memcpy(joined, items->items, items->n * size);
        memcpy(joined + items->n * size, over->items, over->n * size);
        *items = (AshItems){ joined, items->n + over->n };
}

static void merge_list(const AshMerge *m, const AshField *f, size_t size, AshItems *items, const AshItems *over) {
        if (!over->items)
                return;
        if (m->append && !(f->flags & ASH_FIELD_REPLACE))
                append_items(m, size, items, over);
        else if (takes(m, items->items, true, over->n == 0))
                *items = *over;
}

static void merge_pairs(const AshMerge *m, AshPairs *pairs, const AshPairs *over) {
        if (!over->n || !pairs->n) {
                if (over->items && !pairs->n)
                        *pairs = *over;
                return;
        }
        AshPair *joined = ash_arena_new_items(m->arena, AshPair, pairs->n + over->n);
        size_t n = pairs->n;
        memcpy(joined, pairs->items, n * sizeof *joined);
        _map_ AshMap places = {};
        for (size_t i = 0; i < n; i++)
                ash_map_put(&places, joined[i].key.s, &joined[i], NULL);
        for (size_t i = 0; i < over->n; i++) {
                AshPair *there = ash_map_get(&places, over->items[i].key.s);
                if (there)
                        *there = over->items[i];
                else
                        joined[n++] = over->items[i];
        }
        *pairs = (AshPairs){ joined, n };
}

static void merge_named(const AshMerge *m, const AshField *f, AshItems *items, const AshItems *over) {
        if (!over->items)
                return;
        if (!items->n) {
                *items = *over;
                return;
        }
        size_t size = ash_field_item_size(f), n = items->n;
        char *joined = ash_arena_calloc(m->arena, items->n + over->n, size);
        memcpy(joined, items->items, n * size);
        _map_ AshMap places = {};
        for (size_t i = 0; i < n; i++)
                ash_map_put(&places, ((AshText *) (void *) (joined + i * size))->s, joined + i * size, NULL);
        for (size_t i = 0; i < over->n; i++) {
                const char *item = over->items + i * size;
                char *there = ash_map_get(&places, ((const AshText *) (const void *) item)->s);
                if (!there)
                        memcpy(joined + n++ * size, item, size);
                else if (f->flags & ASH_FIELD_DEEP)
                        ash_merge_record(m, f->record, there + f->data, item + f->data);
                else
                        memcpy(there, item, size);
        }
        *items = (AshItems){ joined, n };
}

static void merge_field(const AshMerge *m, const AshField *f, void *record, const void *over) {
        void *a = ash_field_at(f, record);
        const void *b = ash_field_at(f, over);
        switch (f->kind) {
        case ASH_FIELD_TEXT:
        case ASH_FIELD_PATH:
        case ASH_FIELD_SOURCE: {
                AshText *was = a;
                const AshText *now = b;
                if (takes(m, ash_text_set(*was), ash_text_set(*now), now->s.len == 0))
                        *was = *now;
                return;
        }
        case ASH_FIELD_FLAG: {
                AshFlag *was = a;
                const AshFlag *now = b;
                if (takes(m, was->value != ASH_UNSET, now->value != ASH_UNSET, now->value == ASH_NO))
                        *was = *now;
                return;
        }
        case ASH_FIELD_NUMBER: {
                AshNumber *was = a;
                const AshNumber *now = b;
                if (takes(m, was->set, now->set, now->value == 0))
                        *was = *now;
                return;
        }
        case ASH_FIELD_TEXTS:
        case ASH_FIELD_PATHS:
                merge_list(m, f, sizeof(AshText), a, b);
                return;
        case ASH_FIELD_TABLES:
                merge_list(m, f, f->record->size, a, b);
                return;
        case ASH_FIELD_PAIRS:
                merge_pairs(m, a, b);
                return;
        case ASH_FIELD_TABLE:
                if (f->present)
                        *((bool *) record + f->present - 1) |= *((const bool *) over + f->present - 1);
                ash_merge_record(m, f->record, a, b);
                return;
        case ASH_FIELD_NAMED:
        case ASH_FIELD_BOXED:
                merge_named(m, f, a, b);
                return;
        case ASH_FIELD_MAX_:
                return;
        }
}

void ash_merge_record(const AshMerge *m, const AshRecord *r, void *record, const void *over) {
        for (const AshField *f = r->fields; f->key; f++)
                merge_field(m, f, record, over);
}

static void duplicate(const AshField *f, AshText name, AshText first, AshDiags *diags) {
        static const struct { const char *key, *word; } words[] = {
                { "components", "component" }, { "component-groups", "component group" }, { "images", "image" }, { "test-suites", "test suite" }, { "package-groups", "package group" },
                { "upstreams", "upstream" }, { "channels", "channel" }, { "advisories", "advisory" },
        };
        const char *word = f->key;
        for (size_t i = 0; i < ASH_N(words); i++)
                if (strcmp(words[i].key, f->key) == 0)
                        word = words[i].word;
        ash_fail(diags, -ASH_ERR_CONFIG, name.at, "duplicate %s '%.*s'", word, ASH_F(name.s));
        ash_note(diags, first.at, "it is declared here first");
        ash_hint(diags, "remove one of the two, or join them");
}

/* All entries of one kind in one array, made once: with 200 files, growing it for each would copy it 200 times. */
static void join_named(AshConfig *c, const AshField *f, AshDiags *diags) {
        size_t total = 0, size = ash_field_item_size(f), n = 0;
        ash_array_foreach(&c->order, file)
                total += ((const AshItems *) ash_field_at(f, &(*file)->part))->n;
        if (!total)
                return;
        char *joined = ash_arena_calloc(c->arena, total, size);
        _map_ AshMap places = {};
        ash_map_reserve(&places, total);
        AshMerge m = { c->arena, .append = false, .strict = c->semantics == ASH_SEMANTICS_STRICT };
        ash_array_foreach(&c->order, file) {
                const AshItems *items = ash_field_at(f, &(*file)->part);
                for (size_t i = 0; i < items->n; i++) {
                        const char *item = items->items + i * size;
                        const AshText *name = (const void *) item;
                        bool new;
                        AshMapEntry *e = ash_map_ensure(&places, name->s, &new);
                        if (new) {
                                e->value = memcpy(joined + n++ * size, item, size);
                        } else if (f->flags & ASH_FIELD_UNIQUE)
                                duplicate(f, *name, *(AshText *) e->value, diags);
                        else if (f->flags & ASH_FIELD_DEEP)
                                ash_merge_record(&m, f->record, (char *) e->value + f->data, item + f->data);
                        else
                                memcpy(e->value, item, size);
                }
        }
        *(AshItems *) ash_field_at(f, &c->project) = (AshItems){ joined, n };
}

void ash_merge_files(AshConfig *c, AshDiags *diags) {
        const AshField *project = ash_field_find(&ash_record_project, ASH_S("project"));
        AshMerge replace = { c->arena, .append = false };
        ash_array_foreach(&c->order, file) /* first of all: it says by which semantics the rest is merged */
                merge_field(&replace, project, &c->project, &(*file)->part);
        c->semantics = ash_slice_eqs(c->project.info.overlay_semantics.s, "strict") ? ASH_SEMANTICS_STRICT : ASH_SEMANTICS_AZLDEV;
        for (const AshField *f = ash_record_project.fields; f->key; f++) {
                AshMerge m = { c->arena, .append = f->flags & ASH_FIELD_APPEND, .strict = c->semantics == ASH_SEMANTICS_STRICT };
                if (f->kind == ASH_FIELD_NAMED || f->kind == ASH_FIELD_BOXED)
                        join_named(c, f, diags);
                else if (f != project && strcmp(f->key, "includes") != 0)
                        ash_array_foreach(&c->order, file)
                                merge_field(&m, f, &c->project, &(*file)->part);
        }
}
