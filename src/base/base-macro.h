/* Cleanup attributes, ownership transfer and small arithmetic helpers. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define _cleanup_(f) __attribute__((__cleanup__(f)))
#define _printf_(a, b) __attribute__((__format__(printf, a, b)))
#define _unused_ __attribute__((__unused__))
#define _must_check_ __attribute__((__warn_unused_result__))

/* Hands an owned pointer over: evaluates to the value and leaves NULL behind, so that its cleanup does nothing. */
#define ASH_TAKE(p)                        \
        ({                                 \
                typeof(p) *_pp = &(p);     \
                typeof(p) _v = *_pp;       \
                *_pp = NULL;               \
                _v;                        \
        })
/* The same for file descriptors: leaves -1 behind. */
#define ASH_TAKE_FD(fd)            \
        ({                         \
                int *_pf = &(fd);  \
                int _f = *_pf;     \
                *_pf = -1;         \
                _f;                \
        })

/* Defines name_p(), the cleanup function for a variable of type "type" that func() frees (func takes NULL). */
#define ASH_DEFINE_CLEANUP(type, func)            \
        static inline void func##_p(type *p) {    \
                if (*p)                           \
                        func(*p);                 \
        }

static inline void ash_free_p(void *p) { free(*(void **) p); }
#define _free_ _cleanup_(ash_free_p)

/* A number and its plural, for "%zu package%s". */
#define ASH_COUNT(n) (n), (n) == 1 ? "" : "s"
#define ASH_N(array) (sizeof(array) / sizeof((array)[0]))
#define ASH_MIN(a, b) ({ typeof(a) _a = (a); typeof(b) _b = (b); _a < _b ? _a : _b; })
#define ASH_MAX(a, b) ({ typeof(a) _a = (a); typeof(b) _b = (b); _a > _b ? _a : _b; })

/* Rounds n up to a multiple of the power of two "to". */
static inline uint64_t ash_align_up(uint64_t n, uint64_t to) { return (n + to - 1) & ~(to - 1); }

/* Error codes of our own; they are returned negated, like errno values, and start where errno ends. */
enum {
        ASH_ERR_USAGE = 1024,  /* the command line is wrong */
        ASH_ERR_CONFIG,        /* the configuration is invalid */
        ASH_ERR_UNSOLVABLE,    /* the solver found no solution */
        ASH_ERR_VERIFY,        /* a digest or a signature does not match */
        ASH_ERR_AGAIN,         /* a passing fault: try again later */
        ASH_ERR_SYNTAX,        /* foreign bytes do not follow their format */
        ASH_ERR_LIMIT,         /* a size or count from outside exceeds its limit */
};

/* Memory that is gone ends the program; sizes that come from outside are checked against a limit before they get here. */
void *ash_malloc(size_t size) __attribute__((__malloc__, __returns_nonnull__));
void *ash_calloc(size_t n, size_t size) __attribute__((__malloc__, __returns_nonnull__)); /* zeroed; n * size is checked */
void *ash_realloc(void *p, size_t n, size_t size) __attribute__((__returns_nonnull__));   /* n * size is checked */
char *ash_strdup(const char *s);              /* NULL gives NULL */
char *ash_strndup(const char *s, size_t n);   /* NUL-terminated copy of n bytes */
char *ash_asprintf(const char *format, ...) _printf_(1, 2);
