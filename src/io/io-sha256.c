/* SHA-256 (FIPS 180-4) of two texts at once, with the SHA instructions of x86. One text leaves a good part of their unit idle, since each round waits for the one before; two have nothing to do with each
 * other, and their rounds fill each other's gaps. libcrypto has the same instructions, but only one text at a time. */
#include "io-sha256.h"

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

enum { BLOCK = 64 };
#define FAST __attribute__((target("sha,sse4.1,ssse3")))
#define UNROLL(n) _Pragma(#n)
#define EACH_LANE UNROLL(GCC unroll 2) for (size_t l = 0; l < lanes; l++)

static const uint32_t first[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
static const uint32_t constants[64] __attribute__((aligned(16))) = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

bool ash_sha256_is_fast(void) {
        unsigned a, b, c, d;
        return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) && __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("ssse3");
}

/* Four rounds of each lane, the i-th such four; w: their words. */
#define ROUNDS(i, w)                                                                                              \
        EACH_LANE {                                                                                               \
                __m128i k = _mm_add_epi32(w[l], _mm_load_si128((const __m128i *) &constants[4 * (i)]));           \
                cdgh[l] = _mm_sha256rnds2_epu32(cdgh[l], abef[l], k);                                             \
                abef[l] = _mm_sha256rnds2_epu32(abef[l], cdgh[l], _mm_shuffle_epi32(k, 0x0e));                    \
        }
/* a makes room for the words that come sixteen rounds later; they follow from all sixteen that are there. */
#define SCHEDULE(a, b, c, d) \
        EACH_LANE a[l] = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(a[l], b[l]), _mm_alignr_epi8(d[l], c[l], 4)), d[l]);
#define ROUNDS_AND_SCHEDULE(i, a, b, c, d) ROUNDS(i, a) SCHEDULE(a, b, c, d)

/* n blocks of each lane. The instructions want the state as (a, b, e, f) and (c, d, g, h). */
FAST static inline __attribute__((always_inline)) void run(uint32_t (*state)[8], const uint8_t *const *data, size_t n, const size_t lanes) {
        const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll);
        __m128i abef[2], cdgh[2];
        EACH_LANE {
                __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *) state[l]), 0xb1), hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *) (state[l] + 4)), 0x1b);
                abef[l] = _mm_alignr_epi8(badc, hgfe, 8);
                cdgh[l] = _mm_blend_epi16(hgfe, badc, 0xf0);
        }
        for (size_t at = 0; at < n * BLOCK; at += BLOCK) {
                __m128i w0[2], w1[2], w2[2], w3[2], abef_was[2], cdgh_was[2];
                EACH_LANE {
                        const __m128i *words = (const __m128i *) (data[l] + at);
                        abef_was[l] = abef[l];
                        cdgh_was[l] = cdgh[l];
                        w0[l] = _mm_shuffle_epi8(_mm_loadu_si128(words), big_endian);
                        w1[l] = _mm_shuffle_epi8(_mm_loadu_si128(words + 1), big_endian);
                        w2[l] = _mm_shuffle_epi8(_mm_loadu_si128(words + 2), big_endian);
                        w3[l] = _mm_shuffle_epi8(_mm_loadu_si128(words + 3), big_endian);
                }
                UNROLL(GCC unroll 3) for (int i = 0; i < 12; i += 4) {
                        ROUNDS_AND_SCHEDULE(i, w0, w1, w2, w3)
                        ROUNDS_AND_SCHEDULE(i + 1, w1, w2, w3, w0)
                        ROUNDS_AND_SCHEDULE(i + 2, w2, w3, w0, w1)
                        ROUNDS_AND_SCHEDULE(i + 3, w3, w0, w1, w2)
                }
                ROUNDS(12, w0)
                ROUNDS(13, w1)
                ROUNDS(14, w2)
                ROUNDS(15, w3)
                EACH_LANE {
                        abef[l] = _mm_add_epi32(abef[l], abef_was[l]);
                        cdgh[l] = _mm_add_epi32(cdgh[l], cdgh_was[l]);
                }
        }
        EACH_LANE {
                __m128i feba = _mm_shuffle_epi32(abef[l], 0x1b), dchg = _mm_shuffle_epi32(cdgh[l], 0xb1);
                _mm_storeu_si128((__m128i *) state[l], _mm_blend_epi16(feba, dchg, 0xf0));
                _mm_storeu_si128((__m128i *) (state[l] + 4), _mm_alignr_epi8(dchg, feba, 8));
        }
}

FAST static void run_one(uint32_t (*state)[8], const uint8_t *data, size_t n) { run(state, &data, n, 1); }
FAST static void run_two(uint32_t (*state)[8], const uint8_t *const *data, size_t n) { run(state, data, n, 2); }

/* What is left behind "done" blocks, with the padding: a one bit, zeros, the length in bits. */
static void finish(uint32_t (*state)[8], AshSlice data, size_t done, uint8_t *ret) {
        uint8_t tail[2 * BLOCK] = {};
        size_t blocks = data.len / BLOCK - done, rest = data.len % BLOCK, tail_blocks = rest + 9 > BLOCK ? 2 : 1;
        const char *p = data.ptr + done * BLOCK;
        if (blocks)
                run_one(state, (const uint8_t *) p, blocks);
        if (rest)
                memcpy(tail, p + blocks * BLOCK, rest);
        tail[rest] = 0x80;
        for (size_t i = 0; i < 8; i++)
                tail[tail_blocks * BLOCK - 1 - i] = (uint8_t) ((uint64_t) data.len << 3 >> 8 * i);
        run_one(state, tail, tail_blocks);
        for (size_t i = 0; i < 32; i++)
                ret[i] = (uint8_t) ((*state)[i / 4] >> (24 - 8 * (i % 4)));
}

void ash_sha256_of(const AshSlice *data, size_t lanes, uint8_t *const *ret) {
        uint32_t state[2][8];
        size_t both = lanes == 2 ? ASH_MIN(data[0].len, data[1].len) / BLOCK : 0;
        for (size_t l = 0; l < lanes; l++)
                memcpy(state[l], first, sizeof first);
        if (both)
                run_two(state, (const uint8_t *const[]){ (const uint8_t *) data[0].ptr, (const uint8_t *) data[1].ptr }, both);
        for (size_t l = 0; l < lanes; l++)
                finish(&state[l], data[l], both, ret[l]);
}
#else
bool ash_sha256_is_fast(void) { return false; }
void ash_sha256_of(const AshSlice *data, size_t lanes, uint8_t *const *ret) {
        (void) data, (void) lanes, (void) ret;
        abort();
}
#endif
