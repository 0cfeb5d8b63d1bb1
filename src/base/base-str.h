/* A growing string. Always NUL-terminated once something was appended; ptr may be NULL while empty. */
#pragma once
#include <stdarg.h>
#include "base-slice.h"

typedef struct AshStr {
        char *ptr;
        size_t len; /* bytes, without the NUL */
        size_t cap;
} AshStr;

void ash_str_done(AshStr *s);
#define _str_ _cleanup_(ash_str_done) /* _str_ AshStr s = {}; */
void ash_str_clear(AshStr *s);                                   /* length 0, keeps the storage */
void ash_str_reserve(AshStr *s, size_t more);
void ash_str_append(AshStr *s, AshSlice t);
void ash_str_append_str(AshStr *s, const char *t);
void ash_str_append_char(AshStr *s, char c);
void ash_str_append_fill(AshStr *s, char c, size_t n);
void ash_str_appendf(AshStr *s, const char *format, ...) _printf_(2, 3);
void ash_str_appendv(AshStr *s, const char *format, va_list ap) _printf_(2, 0);
char *ash_str_take(AshStr *s);                                   /* the malloc'ed, NUL-terminated text (never NULL); s is empty after */
static inline AshSlice ash_str_slice(const AshStr *s) { return ash_slice(s->ptr ? s->ptr : "", s->len); }
