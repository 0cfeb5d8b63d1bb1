/* Slices one after the other as one input of librnp. Private to this module. */
#pragma once
#include "base.h"

typedef struct AshSignFeed {
        const AshSlice *data;
        size_t n;
        size_t at, offset; /* where reading is: 0, 0 at first */
} AshSignFeed;
/* An rnp_input_reader_t; context is an AshSignFeed. */
bool ash_sign_feed_read(void *context, void *buffer, size_t len, size_t *ret_read);
