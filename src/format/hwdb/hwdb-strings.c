#include "hwdb-private.h"

void ash_pool_init(AshPool *p) {
        *p = (AshPool){};
        ash_str_append_char(&p->bytes, 0);
        (void) ash_array_add(&p->nodes);
}

void ash_pool_done(AshPool *p) {
        ash_array_foreach(&p->nodes, n)
                free(n->children);
        ash_array_done(&p->nodes);
        ash_str_done(&p->bytes);
}

/* Place of the first child that is not below c. */
static uint32_t lower(const AshPoolNode *n, uint8_t c) {
        uint32_t from = 0, to = n->n;
        while (from < to) {
                uint32_t middle = (from + to) / 2;
                if (n->children[middle].c < c)
                        from = middle + 1;
                else
                        to = middle;
        }
        return from;
}

static void insert(AshPoolNode *n, uint32_t at, uint8_t c, uint32_t node) {
        if (n->n == n->cap) {
                n->cap = n->cap ? n->cap * 2 : 2;
                n->children = ash_realloc(n->children, n->cap, sizeof *n->children);
        }
        memmove(&n->children[at + 1], &n->children[at], (n->n - at) * sizeof *n->children);
        n->children[at] = (struct AshPoolChild){ c, node };
        n->n++;
}

uint32_t ash_pool_add(AshPool *p, AshSlice s) {
        uint32_t node = 0, at = 0, length = (uint32_t) s.len;
        uint8_t c = 0;
        if (!s.len)
                return 0;
        for (uint32_t depth = 0; depth <= length; depth++) {
                const AshPoolNode *n = &p->nodes.items[node];
                if (depth == length || (n->length >= length && !memcmp(p->bytes.ptr + n->offset + n->length - length, s.ptr, length)))
                        return n->offset + n->length - length;
                c = (uint8_t) s.ptr[length - 1 - depth];
                at = lower(n, c);
                if (at == n->n || n->children[at].c != c)
                        break;
                node = n->children[at].node;
        }
        uint32_t offset = (uint32_t) p->bytes.len;
        ash_str_append(&p->bytes, s);
        ash_str_append_char(&p->bytes, 0);
        ash_array_push(&p->nodes, ((AshPoolNode){ .offset = offset, .length = length }));
        insert(&p->nodes.items[node], at, c, (uint32_t) p->nodes.n - 1);
        return offset;
}
