/* Growing arrays, typed by macro:  ASH_ARRAY(int) ids = {};  *ash_array_add(&ids) = 7;  ash_array_done(&ids); */
#pragma once
#include "base-macro.h"

#define ASH_ARRAY(type)      \
        struct {             \
                type *items; \
                size_t n;    \
                size_t cap;  \
        }

void ash_array_grow(void **items, size_t *cap, size_t want, size_t item_size);

/* Room for "more" further items without another allocation. */
#define ash_array_reserve(a, more)                                                                         \
        ({                                                                                                 \
                typeof(a) _ar = (a);                                                                       \
                if (_ar->n + (more) > _ar->cap)                                                            \
                        ash_array_grow((void **) &_ar->items, &_ar->cap, _ar->n + (more), sizeof(*_ar->items)); \
        })
/* Adds one zeroed item and gives its address (valid until the next add). */
#define ash_array_add(a)                                                              \
        ({                                                                            \
                typeof(a) _aa = (a);                                                  \
                ash_array_reserve(_aa, 1);                                            \
                memset(&_aa->items[_aa->n], 0, sizeof(*_aa->items));                  \
                &_aa->items[_aa->n++];                                                \
        })
#define ash_array_push(a, value) (*ash_array_add(a) = (value))
#define ash_array_last(a) (&(a)->items[(a)->n - 1])
#define ash_array_foreach(a, it) for (typeof((a)->items + 0) it = (a)->items, _end_##it = it ? it + (a)->n : it; it < _end_##it; it++)
/* Frees the storage, not what the items point at. */
#define ash_array_done(a)                 \
        ({                                \
                typeof(a) _ad = (a);      \
                free(_ad->items);         \
                _ad->items = NULL;        \
                _ad->n = _ad->cap = 0;    \
        })
