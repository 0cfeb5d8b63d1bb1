#include "base.h"

void ash_map_done(AshMap *m) {
        free(m->entries);
        free(m->index);
        *m = (AshMap){};
}

void ash_map_clear(AshMap *m) {
        m->n = m->live = 0;
        if (m->index)
                memset(m->index, 0, m->index_size * sizeof *m->index);
}

static void index_insert(AshMap *m, uint32_t place) {
        size_t i = m->entries[place].hash & (m->index_size - 1);
        while (m->index[i])
                i = (i + 1) & (m->index_size - 1);
        m->index[i] = place + 1;
}

/* Makes the index fit for "want" entries and squeezes removed ones out. */
static void rebuild(AshMap *m, size_t want) {
        size_t size = 16, n = 0;
        while (size < want * 2)
                size *= 2;
        for (size_t i = 0; i < m->n; i++)
                if (m->entries[i].key.ptr)
                        m->entries[n++] = m->entries[i];
        m->n = n;
        free(m->index);
        m->index = ash_calloc(size, sizeof *m->index);
        m->index_size = size;
        for (size_t i = 0; i < n; i++)
                index_insert(m, (uint32_t) i);
}

void ash_map_reserve(AshMap *m, size_t n) {
        if (n > m->cap) {
                m->entries = ash_realloc(m->entries, n, sizeof *m->entries);
                m->cap = n;
        }
        if (n * 2 > m->index_size)
                rebuild(m, n);
}

static AshMapEntry *find(const AshMap *m, AshSlice key, uint64_t hash) {
        if (!m->index_size)
                return NULL;
        for (size_t i = hash & (m->index_size - 1); m->index[i]; i = (i + 1) & (m->index_size - 1)) {
                AshMapEntry *e = &m->entries[m->index[i] - 1];
                if (e->hash == hash && e->key.ptr && ash_slice_eq(e->key, key))
                        return e;
        }
        return NULL;
}

AshMapEntry *ash_map_find(const AshMap *m, AshSlice key) { return find(m, key, ash_slice_hash(key)); }

void *ash_map_get(const AshMap *m, AshSlice key) {
        AshMapEntry *e = ash_map_find(m, key);
        return e ? e->value : NULL;
}

AshMapEntry *ash_map_ensure(AshMap *m, AshSlice key, bool *ret_new) {
        uint64_t hash = ash_slice_hash(key);
        AshMapEntry *e = find(m, key, hash);
        *ret_new = !e;
        if (e)
                return e;
        if ((m->n + 1) * 2 > m->index_size)
                rebuild(m, m->live * 2 + 8);
        if (m->n == m->cap)
                ash_array_grow((void **) &m->entries, &m->cap, m->n + 1, sizeof *m->entries);
        e = &m->entries[m->n];
        *e = (AshMapEntry){ .key = key.ptr ? key : ash_slice("", 0), .hash = hash };
        index_insert(m, (uint32_t) m->n);
        m->n++;
        m->live++;
        return e;
}

AshMapEntry *ash_map_put(AshMap *m, AshSlice key, void *value, void **ret_old) {
        bool fresh;
        AshMapEntry *e = ash_map_ensure(m, key, &fresh);
        if (ret_old)
                *ret_old = e->value;
        e->value = value;
        return e;
}

bool ash_map_remove(AshMap *m, AshSlice key) {
        AshMapEntry *e = ash_map_find(m, key);
        if (!e)
                return false;
        e->key = ASH_NOSLICE; /* the index keeps pointing here, so that probes pass over it */
        e->value = NULL;
        m->live--;
        return true;
}
