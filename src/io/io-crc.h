/* Cyclic redundancy checks, as formats on disk have them. Each goes on from the value of the bytes before; the first call gets 0. */
#pragma once
#include "base.h"

uint32_t ash_crc32(uint32_t before, const void *data, size_t n);   /* ISO-HDLC, as of gzip, GPT and Ethernet */
/* Castagnoli (RFC 3720 B.4) without the inversions at start and end: ext4 begins with ~0 and keeps the register; others invert the result. */
uint32_t ash_crc32c_raw(uint32_t before, const void *data, size_t n);
static inline uint32_t ash_crc32c(const void *data, size_t n) { return ~ash_crc32c_raw(~0U, data, n); }
