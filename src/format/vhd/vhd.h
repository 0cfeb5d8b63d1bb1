/* Virtual hard disks: Microsoft's "Virtual Hard Disk Image Format Specification" 1.0 (2006). Knows bytes only. */
#pragma once
#include "io-sparse.h"

typedef struct AshVhdOptions {
        uint8_t uuid[16];            /* in the order of its text */
        int64_t time;                /* Unix seconds */
} AshVhdOptions;

/* Both take a sorted disk whose size is a multiple of 1 MiB (Azure asks for that) and at most 2040 GiB; -EINVAL. Pieces are borrowed from it. */
int ash_vhd_fixed(const AshSparse *disk, const AshVhdOptions *o, AshSparse *out);
/* Only the blocks of 2 MiB that hold something. */
int ash_vhd_dynamic(const AshSparse *disk, const AshVhdOptions *o, AshSparse *out);
