#pragma once
#include "kmod.h"

/* ---- index files ---- */
typedef struct AshKmodKey {
        AshSlice key, value;
        uint32_t priority;
        uint32_t order;              /* of insertion: filled in by the writer */
} AshKmodKey;
typedef struct AshKmodIndex {
        ASH_ARRAY(AshKmodKey) keys;
} AshKmodIndex;
static inline void ash_kmod_index_add(AshKmodIndex *x, AshSlice key, AshSlice value, uint32_t priority) { ash_array_push(&x->keys, ((AshKmodKey){ key, value, priority, (uint32_t) x->keys.n })); }
/* Appends the file; reorders the keys. Keys with bytes that the format cannot have are left out. */
void ash_kmod_index_write(AshKmodIndex *x, bool parents_first, AshStr *out);

/* ---- the order of kmod's own hash tables, which decides the order of lines where nothing else does ---- */
uint32_t ash_kmod_bucket(AshSlice key, uint32_t n_buckets); /* n_buckets: a power of two */
