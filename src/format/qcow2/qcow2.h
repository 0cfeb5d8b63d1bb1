/* QEMU's qcow2, version 3: docs/interop/qcow2 of QEMU. Clusters of 64 KiB, only those that hold something. */
#pragma once
#include "io-sparse.h"

/* A sorted disk, a multiple of 512 bytes; pieces are borrowed from it. -EINVAL. */
int ash_qcow2(const AshSparse *disk, AshSparse *out);
