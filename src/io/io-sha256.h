/* SHA-256 by the processor's own instructions, one or two texts at once. Private to this module. */
#pragma once
#include "base.h"

bool ash_sha256_is_fast(void);                                    /* does this processor have them; nothing else here may be called where not */
/* lanes: 1 or 2. Each ret gets 32 bytes. */
void ash_sha256_of(const AshSlice *data, size_t lanes, uint8_t *const *ret);
