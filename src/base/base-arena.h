/* Arena: memory that dies together (a document, a universe, a tree, a plan). Not thread-safe. */
#pragma once
#include "base-slice.h"

typedef struct AshArena AshArena;

AshArena *ash_arena_new(void);
void ash_arena_free(AshArena *arena);
ASH_DEFINE_CLEANUP(AshArena *, ash_arena_free)
void ash_arena_clear(AshArena *arena);                           /* all that was handed out is gone; one block is kept for what comes next */

void *ash_arena_alloc(AshArena *arena, size_t size);             /* 16-byte aligned, not zeroed */
void *ash_arena_zalloc(AshArena *arena, size_t size);            /* zeroed */
#define ash_arena_new_item(arena, type) ((type *) ash_arena_zalloc(arena, sizeof(type)))
/* Zeroed array of n items; n * size is checked. */
void *ash_arena_calloc(AshArena *arena, size_t n, size_t size);
#define ash_arena_new_items(arena, type, n) ((type *) ash_arena_calloc(arena, n, sizeof(type)))
char *ash_arena_strdup(AshArena *arena, const char *s);          /* NULL gives NULL */
char *ash_arena_strndup(AshArena *arena, const char *s, size_t n);
AshSlice ash_arena_slice(AshArena *arena, AshSlice s);           /* a copy that lives in the arena, NUL-terminated behind its end */
char *ash_arena_printf(AshArena *arena, const char *format, ...) _printf_(2, 3);
size_t ash_arena_used(const AshArena *arena);                    /* bytes handed out */
