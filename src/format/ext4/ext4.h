/* An ext4 file system, laid out from nothing: kernel Documentation/filesystems/ext4 ("Data Structures and Algorithms"). Knows bytes only.
 *
 * Everything that has to be read as metadata lies at the front, directories next, then the journal and the files in the order they are given, each in one piece as far as the groups' own blocks
 * allow. Blocks of 4096 bytes, inodes of 256; the features are those that e2fsprogs 1.43 and Linux 4.4 know (has_journal, resize_inode, dir_index, extent, 64bit, flex_bg, sparse_super, metadata_csum).
 * The same input gives the same bytes. */
#pragma once
#include "io-sparse.h"

#define ASH_EXT4_BLOCK 4096

typedef struct AshExt4Xattr {
        AshSlice name, value;        /* "security.capability", as getxattr(2) gives it */
} AshExt4Xattr;

/* A name in a directory. Parents come before what is in them; the first is the root and its own parent. */
typedef struct AshExt4Node {
        AshSlice name;
        uint32_t parent;
        uint32_t same;               /* UINT32_MAX, or an earlier node whose inode this name is for (a hard link); only name and parent count then */
        uint32_t mode, uid, gid, major, minor;
        int64_t mtime;               /* Unix seconds */
        AshSlice bytes;              /* of a file, or the target of a link; borrowed by what is laid out */
        const AshExt4Xattr *xattrs;
        uint32_t n_xattrs;
} AshExt4Node;

typedef struct AshExt4Options {
        uint8_t uuid[16], hash_seed[16];
        const char *label;           /* at most 16 bytes; NULL: none */
        const char *mounted;         /* where it was "last mounted"; NULL: "/" */
        int64_t time;                /* of making, and of what has none */
        bool no_journal;
} AshExt4Options;

typedef struct AshExt4Usage {
        uint64_t blocks, free_blocks, inodes, free_inodes;
} AshExt4Usage;

typedef struct AshExt4 AshExt4;
/* What there is to write. The nodes are borrowed. Fails with a diagnostic: a name or target too long, more extended attributes than fit, a type that it does not know. */
int ash_ext4_new(const AshExt4Node *nodes, size_t n, const AshExt4Options *o, AshExt4 **ret, AshDiags *diags);
void ash_ext4_free(AshExt4 *e);
ASH_DEFINE_CLEANUP(AshExt4 *, ash_ext4_free)
/* The smallest size, a multiple of 1 MiB, with "percent" of what the files take and "bytes" free beside them. */
uint64_t ash_ext4_size(AshExt4 *e, unsigned percent, uint64_t bytes);
/* Lays it out at "at" of out, "size" bytes (a multiple of the block); out borrows from e, too. -ENOSPC without a diagnostic: it does not fit, and nothing was laid out. */
int ash_ext4_put(AshExt4 *e, uint64_t size, uint64_t at, AshSparse *out, AshExt4Usage *ret);
