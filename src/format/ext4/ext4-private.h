/* Between the parts of ext4. */
#pragma once
#include "ext4.h"
#include "io-crc.h"

enum {
        BLOCK = ASH_EXT4_BLOCK, INODE = 256, DESCRIPTOR = 64, GROUP_BLOCKS = 32768, INODES_PER_BLOCK = BLOCK / INODE,
        INO_ROOT = 2, INO_RESIZE = 7, INO_JOURNAL = 8, INO_FIRST = 11 /* lost+found */, EXTENT_MAX = 32768, EXTENTS_IN_INODE = 4, EXTENTS_IN_BLOCK = (BLOCK - 12) / 12, XATTR_REFERENCES = 1024,
        FLAG_INDEX = 0x1000, FLAG_EXTENTS = 0x80000,
};

/* Blocks of a file that are not holes. */
typedef struct Ext4Segment {
        uint32_t logical, n;
} Ext4Segment;
/* Where some of them are. */
typedef struct Ext4Run {
        uint64_t block;
        uint32_t logical, n;
} Ext4Run;

typedef struct Ext4Inode {
        uint32_t ino, node;          /* node UINT32_MAX: one of the file system's own */
        uint32_t links, flags;
        uint32_t mode;
        uint64_t size;
        AshSlice bytes;              /* what its blocks hold; a directory's are made by us */
        bool blocks;                 /* the bytes are in blocks; else in the inode, or it has none */
        uint32_t first_segment, n_segments, first_run, n_runs;
        uint32_t xattr;              /* index into xattr blocks + 1; 0: none */
        uint64_t leaves[EXTENTS_IN_INODE]; /* blocks with its extents; none: they fit the inode */
        uint32_t n_leaves;
        AshSlice inside;             /* extended attributes within the inode */
} Ext4Inode;

typedef struct Ext4XattrBlock {
        uint8_t *bytes;
        uint32_t references;
        uint64_t block;
} Ext4XattrBlock;

/* Blocks that are spoken for before any file gets one: of superblocks and descriptors with their copies, of bitmaps and inode tables. */
typedef struct Ext4Fixed {
        uint64_t start, end;
} Ext4Fixed;

/* The shape that follows from a size. */
typedef struct Ext4Shape {
        uint64_t blocks;
        uint32_t groups, inodes_per_group, table_blocks, descriptor_blocks, reserved_blocks /* for descriptors of groups to come */, flex_log, journal_blocks;
        ASH_ARRAY(Ext4Fixed) fixed;  /* in order */
        uint64_t *tables;            /* by group: its inode table; bitmaps follow from the flex group */
        uint64_t *block_bitmaps, *inode_bitmaps;
        uint64_t fixed_blocks;
} Ext4Shape;

struct AshExt4 {
        AshArena *arena;
        const AshExt4Node *nodes;
        size_t n_nodes;
        AshExt4Options o;
        uint32_t seed;               /* of checksums */
        uint32_t hash_seed[4];
        ASH_ARRAY(Ext4Inode) inodes; /* by number from INO_FIRST on, with the root, resize and journal inodes first */
        uint32_t *inode_of;          /* by node: index into inodes */
        ASH_ARRAY(Ext4Segment) segments;
        ASH_ARRAY(Ext4Run) runs;
        ASH_ARRAY(Ext4XattrBlock) xattr_blocks;
        uint64_t wanted;             /* blocks of content, directories and attributes; without the journal and blocks of extents */
        uint32_t last_ino;
        /* of one layout */
        Ext4Shape shape;
        uint64_t cursor, resize_block; /* cursor: everything before it is in use */
        size_t next_fixed;
        uint64_t at;
        uint8_t journal_map[60];     /* i_block of its inode, as written */
        AshSparse *out;
};

enum { AT_ROOT, AT_RESIZE, AT_JOURNAL, AT_LOST }; /* places in inodes */

int ash_ext4_shape(const AshExt4 *e, uint64_t blocks, Ext4Shape *ret);                    /* -ENOSPC */
void ash_ext4_shape_done(Ext4Shape *s);
bool ash_ext4_has_super(uint64_t group);
/* The blocks of all directories, with their checksums; sets bytes, size and links of their inodes. */
int ash_ext4_directories(AshExt4 *e, AshDiags *diags);
/* Attributes into the inode, or into a block that inodes with the same share. */
int ash_ext4_xattrs(AshExt4 *e, Ext4Inode *i, const AshExt4Node *n, AshMap *known, AshDiags *diags);
void ash_ext4_xattr_block(const AshExt4 *e, const Ext4XattrBlock *b, uint8_t *to);        /* with its checksum */
uint32_t ash_ext4_inode_seed(const AshExt4 *e, uint32_t ino);
uint32_t ash_ext4_hash(const uint32_t seed[static 4], AshSlice name, uint32_t *ret_minor); /* half MD4 */
void ash_ext4_emit(AshExt4 *e, AshExt4Usage *ret);
