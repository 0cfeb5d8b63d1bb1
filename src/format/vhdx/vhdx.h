/* Hyper-V's VHDX: [MS-VHDX], dynamic. Blocks of 2 MiB, only those that hold something. */
#pragma once
#include "io-sparse.h"

typedef struct AshVhdxOptions {
        uint8_t file[16], data[16], disk[16]; /* what changes with each write of the file, of its data; what the disk identifies itself by. UUIDs in the order of their text */
} AshVhdxOptions;
/* A sorted disk, a multiple of 1 MiB and at most 64 TiB; pieces are borrowed from it. -EINVAL. */
int ash_vhdx(const AshSparse *disk, const AshVhdxOptions *o, AshSparse *out);
