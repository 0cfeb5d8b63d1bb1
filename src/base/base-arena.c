#include "base.h"

/* Blocks double up to BLOCK_MAX; what is larger than a quarter of that gets a block of its own, behind the current one. */
#define BLOCK_MIN (4u << 10)
#define BLOCK_MAX (1u << 20)

typedef struct Block {
        struct Block *next;
        size_t size, used; /* of data */
        _Alignas(16) char data[];
} Block;

struct AshArena {
        Block *current;
        size_t next_size, used;
};

AshArena *ash_arena_new(void) {
        AshArena *a = ash_calloc(1, sizeof *a);
        a->next_size = BLOCK_MIN;
        return a;
}

void ash_arena_free(AshArena *a) {
        if (!a)
                return;
        for (Block *b = a->current, *next; b; b = next) {
                next = b->next;
                free(b);
        }
        free(a);
}

void ash_arena_clear(AshArena *a) {
        Block *keep = a->current;
        a->used = 0;
        if (!keep)
                return;
        for (Block *b = keep->next, *next; b; b = next) {
                next = b->next;
                free(b);
        }
        keep->next = NULL;
        keep->used = 0;
}

static Block *block_new(size_t size) {
        Block *b = ash_malloc(sizeof(Block) + size);
        b->size = size;
        b->used = 0;
        b->next = NULL;
        return b;
}

void *ash_arena_alloc(AshArena *a, size_t size) {
        if (size > PTRDIFF_MAX - 16)
                return ash_malloc(size); /* ends the program */
        size = ash_align_up(size ? size : 1, 16);
        a->used += size;
        Block *b = a->current;
        if (b && b->size - b->used >= size) {
                b->used += size;
                return b->data + b->used - size;
        }
        if (size > BLOCK_MAX / 4) {
                Block *own = block_new(size);
                own->used = size;
                if (b) {
                        own->next = b->next;
                        b->next = own;
                } else
                        a->current = own;
                return own->data;
        }
        while (a->next_size < size)
                a->next_size *= 2;
        Block *fresh = block_new(a->next_size);
        a->next_size = ASH_MIN(a->next_size * 2, (size_t) BLOCK_MAX);
        fresh->next = b;
        a->current = fresh;
        fresh->used = size;
        return fresh->data;
}

void *ash_arena_zalloc(AshArena *a, size_t size) {
        void *p = ash_arena_alloc(a, size);
        return memset(p, 0, size);
}

void *ash_arena_calloc(AshArena *a, size_t n, size_t size) {
        size_t bytes;
        if (__builtin_mul_overflow(n, size, &bytes))
                return ash_calloc(n, size); /* ends the program */
        return ash_arena_zalloc(a, bytes);
}

char *ash_arena_strndup(AshArena *a, const char *s, size_t n) {
        char *p = ash_arena_alloc(a, n + 1);
        if (n)
                memcpy(p, s, n);
        p[n] = 0;
        return p;
}

char *ash_arena_strdup(AshArena *a, const char *s) { return s ? ash_arena_strndup(a, s, strlen(s)) : NULL; }
AshSlice ash_arena_slice(AshArena *a, AshSlice s) { return ash_slice(ash_arena_strndup(a, s.ptr, s.len), s.len); }

char *ash_arena_printf(AshArena *a, const char *format, ...) {
        _str_ AshStr s = {};
        va_list ap;
        va_start(ap, format);
        ash_str_appendv(&s, format, ap);
        va_end(ap);
        return ash_arena_strndup(a, s.ptr, s.len);
}

size_t ash_arena_used(const AshArena *a) { return a->used; }
