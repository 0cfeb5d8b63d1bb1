/* Decompression of hostile bytes with a limit; and what we compress we read back. Input: a compressed file. */
#include "io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT (1u << 20)

static void must(bool ok) {
        if (!ok)
                abort();
}

static void check_one(AshSlice in, AshCompression c) {
        _str_ AshStr out = {};
        int r = ash_decompress(in, c, LIMIT, &out);
        must(r <= 0);
        must(r < 0 || out.len <= LIMIT);
        must(r == 0 || r == -ASH_ERR_SYNTAX || r == -ASH_ERR_LIMIT || r == -ENOMEM);
}

static void check_round_trip(AshSlice in, AshCompression c) {
        _str_ AshStr packed = {}, again = {};
        must(ash_compress(in, c, 1, &packed) == 0);
        must(ash_decompress(ash_str_slice(&packed), c, 0, &again) == 0);
        must(ash_slice_eq(in, ash_str_slice(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AshSlice in = ash_slice((const char *) data, ASH_MIN(size, (size_t) 1 << 20));
        AshCompression c = ash_compression_detect(in);
        if (c != ASH_COMP_NONE)
                check_one(in, c);
        else
                for (c = ASH_COMP_GZIP; c < ASH_COMP_MAX_; c++)
                        check_one(in, c);
        check_round_trip(in, (AshCompression) (size % ASH_COMP_MAX_));
        return 0;
}
