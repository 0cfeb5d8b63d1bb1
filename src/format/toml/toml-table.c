/* Tables while they are built, and look-up in them. */
#include "toml-private.h"
#include "toml-table.h"

#define SMALL 8 /* members up to which a table is searched in turn */

/* Seeded per document: a file cannot choose keys that all fall into one place. */
static uint32_t hash(uint64_t seed, AshSlice s) {
        uint64_t h = seed ^ s.len, w = 0;
        const char *q = s.ptr;
        size_t n = s.len;
        for (;; q += 8, n -= 8) {
                w = 0;
                memcpy(&w, q, ASH_MIN(n, (size_t) 8));
                unsigned __int128 m = (unsigned __int128) (h ^ w) * (seed | 1);
                h = (uint64_t) m ^ (uint64_t) (m >> 64) ^ seed;
                if (n <= 8)
                        break;
        }
        h ^= h >> 29;
        h *= 0x9e3779b97f4a7c15u;
        return (uint32_t) (h >> 32);
}

static void index_put(Index *index, uint32_t place, AshSlice key) {
        uint32_t h = hash(index->seed, key), i = h & (index->size - 1);
        while (index->slots[i].place)
                i = (i + 1) & (index->size - 1);
        index->slots[i] = (Slot){ place + 1, h };
}

/* Makes the index anew, with all members. */
static void index_grow(const AshTomlDoc *doc, Node *t) {
        uint32_t size = t->index ? t->index->size * 2 : 4 * SMALL;
        free(t->index);
        t->index = ash_calloc(1, sizeof *t->index + size * sizeof *t->index->slots);
        t->index->seed = doc->seed;
        t->index->size = size;
        for (size_t i = 0; i < t->v.table.n; i++)
                index_put(t->index, (uint32_t) i, t->v.table.members[i].key);
}

static AshTomlMember *find_indexed(const Node *t, AshSlice key) {
        const Index *index = t->index;
        uint32_t h = hash(index->seed, key);
        for (uint32_t i = h & (index->size - 1); index->slots[i].place; i = (i + 1) & (index->size - 1)) {
                AshTomlMember *m = &t->v.table.members[index->slots[i].place - 1];
                if (index->slots[i].hash == h && ash_slice_eq(m->key, key))
                        return m;
        }
        return NULL;
}

AshTomlMember *toml_table_find(const AshTomlValue *table, AshSlice key) {
        const Node *t = (const Node *) table;
        if (table->indexed && t->index)
                return find_indexed(t, key);
        for (size_t i = 0; i < table->table.n; i++)
                if (ash_slice_eq(table->table.members[i].key, key))
                        return &table->table.members[i];
        return NULL;
}

const AshTomlMember *ash_toml_member(const AshTomlValue *table, AshSlice key) {
        return table && table->type == ASH_TOML_TABLE ? toml_table_find(table, key) : NULL;
}

/* Room for one more: small in the arena, then storage of its own that can grow in place. */
static void *grow(AshTomlDoc *doc, Node *t, void *items, size_t n, size_t size) {
        if (n < t->cap)
                return items;
        if (t->own) {
                t->cap += t->cap / 2;
                return ash_realloc(items, t->cap, size);
        }
        /* Tables that only stand in a path have one member, as a rule. */
        uint32_t cap = t->cap ? t->cap * 2 : t->v.implicit ? 1 : 2;
        void *fresh;
        if (cap <= SMALL)
                fresh = ash_arena_alloc(doc->arena, cap * size);
        else {
                cap = 4 * SMALL;
                fresh = ash_malloc(cap * size);
                t->own = true;
                ash_array_push(&doc->big, t);
        }
        if (n)
                memcpy(fresh, items, n * size);
        t->cap = cap;
        return fresh;
}

AshTomlMember *toml_table_add(AshTomlDoc *doc, Node *t, AshSlice key, AshSpan key_at, AshTomlValue *value) {
        size_t n = t->v.table.n;
        t->v.table.members = grow(doc, t, t->v.table.members, n, sizeof *t->v.table.members);
        t->v.table.members[n] = (AshTomlMember){ key, key_at, value };
        t->v.table.n++;
        if (n + 1 > SMALL && (!t->index || 2 * (n + 1) > t->index->size))
                index_grow(doc, t); /* takes the new one in, too */
        else if (t->index)
                index_put(t->index, (uint32_t) n, key);
        return &t->v.table.members[n];
}

void toml_array_add(AshTomlDoc *doc, Node *a, AshTomlValue *value) {
        size_t n = a->v.array.n;
        a->v.array.items = grow(doc, a, a->v.array.items, n, sizeof *a->v.array.items);
        a->v.array.items[n] = value;
        a->v.array.n++;
}

AshTomlDoc *toml_doc_new(void) {
        AshTomlDoc *doc = ash_calloc(1, sizeof *doc);
        doc->arena = ash_arena_new();
        /* Where the heap lies is not known to who wrote the file; nothing visible depends on it. */
        doc->seed = ((uint64_t) (uintptr_t) doc * 0x9e3779b97f4a7c15u) ^ ((uint64_t) (uintptr_t) doc->arena << 17) ^ 0xa0761d6478bd642fu;
        doc->seed ^= doc->seed >> 31;
        return doc;
}

void ash_toml_free(AshTomlDoc *doc) {
        if (!doc)
                return;
        ash_array_foreach(&doc->big, n) {
                Node *t = *n;
                free(t->index);
                if (t->v.type == ASH_TOML_TABLE)
                        free(t->v.table.members);
                else
                        free(t->v.array.items);
        }
        ash_array_done(&doc->big);
        ash_arena_free(doc->arena);
        free(doc);
}

const AshTomlValue *ash_toml_root(const AshTomlDoc *doc) { return &doc->root->v; }

size_t ash_toml_memory(const AshTomlDoc *doc) {
        size_t n = ash_arena_used(doc->arena) + doc->big.cap * sizeof *doc->big.items;
        for (size_t i = 0; i < doc->big.n; i++) {
                const Node *t = doc->big.items[i];
                n += (t->index ? t->index->size * sizeof *t->index->slots : 0) + t->cap * (t->v.type == ASH_TOML_TABLE ? sizeof *t->v.table.members : sizeof *t->v.array.items);
        }
        return n;
}
