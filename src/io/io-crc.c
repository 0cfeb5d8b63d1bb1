#include <pthread.h>
#include <zlib.h>
#include "io-crc.h"

uint32_t ash_crc32(uint32_t before, const void *data, size_t n) { return (uint32_t) crc32_z(before, data, n); }

/* Eight bytes a step: table[k] is what a byte does that k further bytes follow. */
static uint32_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_table(void) {
        enum { POLYNOMIAL = 0x82f63b78 /* reflected */ };
        for (uint32_t i = 0; i < 256; i++) {
                uint32_t c = i;
                for (int bit = 0; bit < 8; bit++)
                        c = c & 1 ? c >> 1 ^ POLYNOMIAL : c >> 1;
                table[0][i] = c;
        }
        for (int k = 1; k < 8; k++)
                for (uint32_t i = 0; i < 256; i++)
                        table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
}

static uint32_t by_table(uint32_t c, const uint8_t *p, size_t n) {
        pthread_once(&once, make_table);
        for (; n >= 8; n -= 8, p += 8) {
                c ^= (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
                c = table[7][c & 255] ^ table[6][c >> 8 & 255] ^ table[5][c >> 16 & 255] ^ table[4][c >> 24] ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
        }
        for (; n; n--)
                c = c >> 8 ^ table[0][(c ^ *p++) & 255];
        return c;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t c, const uint8_t *p, size_t n) {
        uint64_t wide = c, word;
        for (; n >= 8; n -= 8, p += 8) {
                memcpy(&word, p, 8);
                wide = __builtin_ia32_crc32di(wide, word);
        }
        for (c = (uint32_t) wide; n; n--)
                c = __builtin_ia32_crc32qi(c, *p++);
        return c;
}
#endif

uint32_t ash_crc32c_raw(uint32_t before, const void *data, size_t n) {
#ifdef __x86_64__
        if (__builtin_cpu_supports("sse4.2"))
                return by_instruction(before, data, n);
#endif
        return by_table(before, data, n);
}
