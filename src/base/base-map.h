/* Hash map from byte strings to pointers, iterated in insertion order (so that nothing depends on hash values).
 * Keys are borrowed: they must live as long as the map (an arena's, as a rule). */
#pragma once
#include "base-slice.h"

typedef struct AshMapEntry {
        AshSlice key;
        void *value;
        uint64_t hash;
} AshMapEntry;

typedef struct AshMap {
        AshMapEntry *entries; /* in order of insertion; removed ones have key.ptr == NULL */
        size_t n;             /* used places in entries, removed ones included */
        size_t live;          /* entries that are there */
        size_t cap;
        uint32_t *index;      /* open addressing: 0 = empty, else place + 1 */
        size_t index_size;    /* a power of two */
} AshMap;

void ash_map_done(AshMap *map);
#define _map_ _cleanup_(ash_map_done) /* _map_ AshMap m = {}; */
void ash_map_clear(AshMap *map);
void ash_map_reserve(AshMap *map, size_t n);
/* The value, or NULL. Use ash_map_find() where NULL values are stored. */
void *ash_map_get(const AshMap *map, AshSlice key);
AshMapEntry *ash_map_find(const AshMap *map, AshSlice key);
/* Stores value under key. Returns the entry; *ret_old (may be NULL) gets the value that was there, or NULL. An existing key stays as it is. */
AshMapEntry *ash_map_put(AshMap *map, AshSlice key, void *value, void **ret_old);
/* The entry for key, made with value NULL when it was not there; *ret_new says which. */
AshMapEntry *ash_map_ensure(AshMap *map, AshSlice key, bool *ret_new);
bool ash_map_remove(AshMap *map, AshSlice key);
#define ash_map_foreach(map, e) for (AshMapEntry *e = (map)->entries, *_end_##e = e ? e + (map)->n : e; e < _end_##e; e++) if (e->key.ptr)
