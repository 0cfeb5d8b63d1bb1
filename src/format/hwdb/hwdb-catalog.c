/* The catalog of journal messages (systemd.io, "Journal Message Catalogs"). The database, all numbers little-endian:
 *   head: "RHHHKSLP", two words of flags (none), size of the head, number of items, size of an item
 *   item: id, language (32 bytes), offset of its text behind the items; sorted by id and language
 *   the pool of texts */
#include "hwdb-private.h"

enum { HEAD = 40, ITEM = 56, LANGUAGE = 32, ID = 32 };

typedef struct Entry {
        uint8_t id[16];
        char language[LANGUAGE];
        AshSlice text;
        uint32_t offset;
} Entry;
struct AshCatalog {
        AshArena *arena;
        ASH_ARRAY(Entry) entries;    /* in the order in which they came */
        AshMap places;               /* id and language -> index + 1 */
};

AshCatalog *ash_catalog_new(void) {
        AshCatalog *c = ash_calloc(1, sizeof *c);
        c->arena = ash_arena_new();
        return c;
}

void ash_catalog_free(AshCatalog *c) {
        if (!c)
                return;
        ash_array_done(&c->entries);
        ash_map_done(&c->places);
        ash_arena_free(c->arena);
        free(c);
}

/* Lines up to the first empty one. */
static size_t header_size(AshSlice text) {
        size_t at = 0;
        for (;;) {
                ptrdiff_t end = ash_slice_find_char(ash_slice_from(text, at), '\n');
                if (end <= 0)
                        return at;
                at += (size_t) end + 1;
        }
}

/* Of two texts for one message the later one's headers come first, and its body unless it has none. */
static AshSlice combined(AshCatalog *c, AshSlice one, AshSlice two) {
        size_t a = header_size(one), b = header_size(two);
        AshSlice body = one.len > a ? ash_slice_from(one, a) : ash_slice_from(two, b);
        return ash_slice_str(ash_arena_printf(c->arena, "%.*s%.*s%.*s", (int) a, one.ptr, (int) b, two.ptr, ASH_F(body)));
}

static void add_entry(AshCatalog *c, Entry e, AshSlice text) {
        bool fresh;
        AshSlice key = ash_arena_slice(c->arena, ash_slice((const char *) &e, offsetof(Entry, text)));
        AshMapEntry *place = ash_map_ensure(&c->places, key, &fresh);
        if (!fresh) {
                Entry *old = &c->entries.items[(uintptr_t) place->value - 1];
                old->text = combined(c, text, old->text);
                return;
        }
        e.text = ash_arena_slice(c->arena, text);
        ash_array_push(&c->entries, e);
        place->value = (void *) (uintptr_t) c->entries.n;
}

/* "/usr/lib/systemd/catalog/systemd.pt_BR.catalog" -> "pt_BR" */
static AshSlice language_of(AshSlice path) {
        AshSlice base = ash_path_base(path);
        if (!ash_slice_ends(base, ASH_S(".catalog")))
                return ASH_S("");
        base.len -= strlen(".catalog");
        ptrdiff_t dot = ash_slice_rfind_char(base, '.');
        AshSlice language = dot < 0 ? ASH_S("") : ash_slice_from(base, (size_t) dot + 1);
        return language.len < LANGUAGE - 1 ? language : ASH_S("");
}

/* "-- 0123456789abcdef0123456789abcdef [language]" */
static bool is_start(AshSlice line, uint8_t ret_id[static 16], AshSlice *ret_language) {
        if (line.len < 3 + ID || !ash_slice_starts(line, ASH_S("-- ")) || (line.len > 3 + ID && line.ptr[3 + ID] != ' '))
                return false;
        for (size_t i = 0; i < 16; i++) {
                uint64_t byte;
                if (ash_slice_to_u64(ash_slice(line.ptr + 3 + 2 * i, 2), 16, &byte) < 0)
                        return false;
                ret_id[i] = (uint8_t) byte;
        }
        *ret_language = line.len > 3 + ID ? ash_slice_trim(ash_slice_from(line, 3 + ID)) : ASH_NOSLICE;
        return true;
}

typedef struct Reader {
        const AshSource *source;
        AshDiags *diags;
        ASH_ARRAY(Entry) entries;    /* text: an offset into texts in "offset", its length in text.len */
        AshStr texts;
} Reader;

static int mistake(const Reader *r, AshSlice line, const char *what) {
        return ash_fail(r->diags, -EINVAL, (AshSpan){ (AshSource *) r->source, (uint32_t) (line.ptr - r->source->text.ptr), (uint32_t) line.len }, "%s", what);
}

static int start(Reader *r, AshSlice line, const uint8_t *id, AshSlice language) {
        Entry e = { .offset = (uint32_t) r->texts.len };
        memcpy(e.id, id, sizeof e.id);
        if (r->entries.n && ash_array_last(&r->entries)->offset == r->texts.len)
                return mistake(r, line, "the message in front of this one has no text");
        if (language.ptr && (language.len < 2 || language.len > LANGUAGE - 1))
                return mistake(r, line, "a language with a bad length");
        if (!language.ptr)
                language = language_of(ash_slice_str(r->source->name));
        memcpy(e.language, language.len ? language.ptr : "", language.len);
        ash_array_push(&r->entries, e);
        return 0;
}

static int read_entries(Reader *r) {
        AshSlice rest = r->source->text, line, language;
        bool empty = true;
        uint8_t id[16];
        int x = 0;
        while (x >= 0 && ash_slice_next_line(&rest, &line)) {
                if (line.len && strchr("#;", line.ptr[0]) && line.ptr[0])
                        continue;
                if (line.len && empty && is_start(line, id, &language))
                        x = start(r, line, id, language);
                else if (line.len && !r->entries.n)
                        x = mistake(r, line, "text in front of the first message's id");
                else if (line.len)
                        ash_str_appendf(&r->texts, "%s%.*s\n", empty ? "\n" : "", ASH_F(line));
                empty = !line.len;
        }
        if (x >= 0 && r->entries.n && ash_array_last(&r->entries)->offset == r->texts.len)
                x = mistake(r, ash_slice_from(r->source->text, r->source->text.len), "the last message has no text");
        return x;
}

int ash_catalog_add(AshCatalog *c, const AshSource *source, AshDiags *diags) {
        Reader r = { .source = source, .diags = diags };
        int x = read_entries(&r);
        for (size_t i = 0; x >= 0 && i < r.entries.n; i++) {
                Entry e = r.entries.items[i];
                size_t end = i + 1 < r.entries.n ? r.entries.items[i + 1].offset : r.texts.len, from = e.offset;
                e.offset = 0;
                add_entry(c, e, ash_slice(r.texts.ptr + from, end - from));
        }
        ash_array_done(&r.entries);
        ash_str_done(&r.texts);
        return x;
}

static int cmp_entries(const void *a, const void *b) {
        const Entry *x = a, *y = b;
        int c = memcmp(x->id, y->id, sizeof x->id);
        return c ? c : strcmp(x->language, y->language);
}

void ash_catalog_write(AshCatalog *c, AshStr *out) {
        AshPool pool;
        if (!c->entries.n)
                return;
        ash_pool_init(&pool);
        ash_array_foreach(&c->entries, e)
                e->offset = ash_pool_add(&pool, e->text);
        Entry *sorted = ash_arena_new_items(c->arena, Entry, c->entries.n);
        memcpy(sorted, c->entries.items, c->entries.n * sizeof *sorted);
        qsort(sorted, c->entries.n, sizeof *sorted, cmp_entries);
        ash_str_append_str(out, "RHHHKSLP");
        ash_put_le(out, 0, 8);
        ash_put_le(out, HEAD, 8);
        ash_put_le(out, c->entries.n, 8);
        ash_put_le(out, ITEM, 8);
        for (size_t i = 0; i < c->entries.n; i++) {
                ash_str_append(out, ash_slice((const char *) sorted[i].id, sizeof sorted[i].id));
                ash_str_append(out, ash_slice(sorted[i].language, LANGUAGE));
                ash_put_le(out, sorted[i].offset, 8);
        }
        ash_str_append(out, ash_str_slice(&pool.bytes));
        ash_pool_done(&pool);
}
