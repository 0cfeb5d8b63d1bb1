/* A file as bytes at places, with zeros between: what writers of disk images lay out before anything is written. Pieces are borrowed or in its arena; nothing is copied to lay them out. */
#pragma once
#include "base.h"

typedef struct AshSparsePiece {
        uint64_t offset;
        AshSlice bytes;
} AshSparsePiece;
typedef struct AshSparse {
        AshArena *arena;
        ASH_ARRAY(AshSparsePiece) pieces;
        uint64_t size;               /* of the whole; whoever lays out sets it at the end */
} AshSparse;
AshSparse *ash_sparse_new(void);
void ash_sparse_free(AshSparse *s);
ASH_DEFINE_CLEANUP(AshSparse *, ash_sparse_free)
void ash_sparse_put(AshSparse *s, uint64_t offset, AshSlice bytes);        /* borrowed */
void *ash_sparse_room(AshSparse *s, uint64_t offset, size_t n);            /* n zeroed bytes in the arena, to be filled in before it is written */
/* Brings the pieces into order. -EINVAL: two of them overlap, or one lies behind the end, which is a mistake of whoever laid them out. */
int ash_sparse_sort(AshSparse *s);
/* The bytes of [offset, offset + n), sorted pieces only. */
void ash_sparse_read(const AshSparse *s, uint64_t offset, void *data, size_t n);
/* For formats that hold a disk in blocks. */
typedef struct AshSparseRange {
        uint64_t start, end;
} AshSparseRange;
/* Is there any piece in the range? *next (0 at first, ranges in order) is the first piece that ends behind its start. */
bool ash_sparse_any(const AshSparse *s, size_t *next, AshSparseRange range);
/* Puts what of the pieces from "next" on lies in the range to "at" of another one; borrowed. */
void ash_sparse_copy(const AshSparse *s, size_t next, AshSparseRange range, uint64_t at, AshSparse *to);
uint64_t ash_sparse_bytes(const AshSparse *s);                             /* in pieces */
/* Writes sorted pieces to an empty regular file, on several threads; what no piece covers stays a hole. Each byte is written once. */
int ash_sparse_write(const AshSparse *s, int fd, unsigned threads, AshProgress *progress);

/* Numbers as formats have them. */
static inline void ash_le16(void *at, uint32_t v) { ((uint8_t *) at)[0] = (uint8_t) v, ((uint8_t *) at)[1] = (uint8_t) (v >> 8); }
static inline void ash_le32(void *at, uint32_t v) { ash_le16(at, v), ash_le16((uint8_t *) at + 2, v >> 16); }
static inline void ash_le64(void *at, uint64_t v) { ash_le32(at, (uint32_t) v), ash_le32((uint8_t *) at + 4, (uint32_t) (v >> 32)); }
static inline void ash_be16(void *at, uint32_t v) { ((uint8_t *) at)[0] = (uint8_t) (v >> 8), ((uint8_t *) at)[1] = (uint8_t) v; }
static inline void ash_be32(void *at, uint32_t v) { ash_be16(at, v >> 16), ash_be16((uint8_t *) at + 2, v); }
static inline void ash_be64(void *at, uint64_t v) { ash_be32(at, (uint32_t) (v >> 32)), ash_be32((uint8_t *) at + 4, (uint32_t) v); }
