#include <stdio.h>
#include "base.h"

static void *no_memory(void) {
        static const char text[] = "ashlar: out of memory\n";
        fwrite(text, 1, sizeof text - 1, stderr);
        abort();
}

void *ash_malloc(size_t size) {
        void *p = malloc(size ? size : 1);
        return p ? p : no_memory();
}

void *ash_calloc(size_t n, size_t size) {
        void *p = calloc(n ? n : 1, size ? size : 1);
        return p ? p : no_memory();
}

void *ash_realloc(void *p, size_t n, size_t size) {
        size_t bytes;
        if (__builtin_mul_overflow(n, size, &bytes))
                return no_memory();
        p = realloc(p, bytes ? bytes : 1);
        return p ? p : no_memory();
}

char *ash_strndup(const char *s, size_t n) {
        char *p = ash_malloc(n + 1);
        if (n)
                memcpy(p, s, n);
        p[n] = 0;
        return p;
}

char *ash_strdup(const char *s) { return s ? ash_strndup(s, strlen(s)) : NULL; }

char *ash_asprintf(const char *format, ...) {
        AshStr s = {};
        va_list ap;
        va_start(ap, format);
        ash_str_appendv(&s, format, ap);
        va_end(ap);
        return ash_str_take(&s);
}

void ash_array_grow(void **items, size_t *cap, size_t want, size_t item_size) {
        size_t n = *cap ? *cap : 8;
        while (n < want)
                n = n < SIZE_MAX / 2 ? n * 2 : want;
        *items = ash_realloc(*items, n, item_size);
        *cap = n;
}

/* ---- growing string ---- */
void ash_str_done(AshStr *s) {
        free(s->ptr);
        *s = (AshStr){};
}

void ash_str_clear(AshStr *s) {
        s->len = 0;
        if (s->ptr)
                s->ptr[0] = 0;
}

void ash_str_reserve(AshStr *s, size_t more) {
        size_t want = s->len + more + 1;
        if (want < s->len)
                no_memory();
        if (want <= s->cap)
                return;
        size_t cap = s->cap ? s->cap : 64;
        while (cap < want)
                cap = cap < SIZE_MAX / 2 ? cap * 2 : want;
        s->ptr = ash_realloc(s->ptr, cap, 1);
        s->cap = cap;
}

void ash_str_append(AshStr *s, AshSlice t) {
        uintptr_t inside = (uintptr_t) t.ptr - (uintptr_t) s->ptr;
        ash_str_reserve(s, t.len);
        if (t.ptr && inside < s->len) /* a part of the string itself, which may have moved */
                t.ptr = s->ptr + inside;
        if (t.len)
                memcpy(s->ptr + s->len, t.ptr, t.len);
        s->len += t.len;
        s->ptr[s->len] = 0;
}

void ash_str_append_str(AshStr *s, const char *t) { ash_str_append(s, ash_slice_str(t)); }
void ash_str_append_char(AshStr *s, char c) { ash_str_append(s, ash_slice(&c, 1)); }

void ash_str_append_fill(AshStr *s, char c, size_t n) {
        ash_str_reserve(s, n);
        memset(s->ptr + s->len, c, n);
        s->len += n;
        s->ptr[s->len] = 0;
}

void ash_str_appendv(AshStr *s, const char *format, va_list ap) {
        va_list again;
        va_copy(again, ap);
        ash_str_reserve(s, 1);
        int n = vsnprintf(s->ptr + s->len, s->cap - s->len, format, ap);
        if (n > 0 && (size_t) n >= s->cap - s->len) {
                ash_str_reserve(s, (size_t) n);
                vsnprintf(s->ptr + s->len, s->cap - s->len, format, again);
        }
        va_end(again);
        if (n > 0)
                s->len += (size_t) n;
}

void ash_str_appendf(AshStr *s, const char *format, ...) {
        va_list ap;
        va_start(ap, format);
        ash_str_appendv(s, format, ap);
        va_end(ap);
}

char *ash_str_take(AshStr *s) {
        ash_str_reserve(s, 0);
        s->ptr[s->len] = 0;
        char *p = s->ptr;
        *s = (AshStr){};
        return p;
}
