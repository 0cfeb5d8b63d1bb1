/* VMware's virtual disks: "Virtual Disk Format 5.0" (2011), hosted sparse extents ("monolithicSparse"). Grains of 64 KiB, only those that hold something. */
#pragma once
#include "io-sparse.h"

/* name: of the file, for its descriptor. id: its content identifier. A sorted disk, a multiple of 1 MiB; pieces are borrowed from it. -EINVAL. */
int ash_vmdk(const AshSparse *disk, const char *name, uint32_t id, AshSparse *out);
