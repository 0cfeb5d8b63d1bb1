#pragma once
#include "hwdb.h"

/* The pool of strings. Which of several places a string is found at is part of the format's bytes: a tree over the strings read backwards, each node with the string that made it. */
typedef struct AshPoolNode {
        uint32_t offset, length;
        uint32_t n, cap;
        struct AshPoolChild {
                uint8_t c;
                uint32_t node;
        } *children;                 /* sorted */
} AshPoolNode;
typedef struct AshPool {
        AshStr bytes;
        ASH_ARRAY(AshPoolNode) nodes;
} AshPool;
void ash_pool_init(AshPool *p);
void ash_pool_done(AshPool *p);
uint32_t ash_pool_add(AshPool *p, AshSlice s); /* offset of the string, a NUL behind it */

static inline void ash_put_le(AshStr *out, uint64_t v, unsigned size) {
        for (unsigned i = 0; i < size; i++)
                ash_str_append_char(out, (char) (v >> 8 * i));
}
