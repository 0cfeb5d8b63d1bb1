/* Byte streams with sticky errors: after the first failure reads give 0 bytes and writes do nothing; check once at the end. */
#pragma once
#include "base.h"
#include "io-digest.h"

typedef struct AshReader AshReader;
typedef struct AshReaderOps {
        /* Bytes read (0 at the end), or a negative error. */
        ssize_t (*read)(AshReader *r, void *data, size_t n);
        void (*free)(AshReader *r);
} AshReaderOps;
struct AshReader {
        const AshReaderOps *ops;
        int error;       /* sticky; 0 while all is well */
        uint64_t offset; /* bytes given out so far */
};
ssize_t ash_reader_read(AshReader *r, void *data, size_t n);      /* fills n bytes unless the end or an error comes first */
int ash_reader_read_exact(AshReader *r, void *data, size_t n);    /* -ASH_ERR_SYNTAX when the stream ends early */
int ash_reader_skip(AshReader *r, uint64_t n);
int ash_reader_read_all(AshReader *r, size_t limit, AshStr *out); /* appends; -ASH_ERR_LIMIT past limit bytes (0: 4 GiB - 1) */
void ash_reader_free(AshReader *r);
ASH_DEFINE_CLEANUP(AshReader *, ash_reader_free)
AshReader *ash_reader_new_memory(AshSlice data);                  /* borrowed */
AshReader *ash_reader_new_fd(int fd, bool own);

typedef struct AshWriter AshWriter;
typedef struct AshWriterOps {
        int (*write)(AshWriter *w, const void *data, size_t n);   /* all of it, or an error */
        int (*finish)(AshWriter *w);                              /* flushes; called once, never after an error */
        void (*free)(AshWriter *w);
} AshWriterOps;
struct AshWriter {
        const AshWriterOps *ops;
        int error;       /* sticky; 0 while all is well */
        bool finished;
        uint64_t offset; /* bytes taken in so far */
};
void ash_writer_write(AshWriter *w, const void *data, size_t n);
static inline void ash_writer_slice(AshWriter *w, AshSlice s) { ash_writer_write(w, s.ptr, s.len); }
void ash_writer_printf(AshWriter *w, const char *format, ...) _printf_(2, 3);
void ash_writer_zeros(AshWriter *w, uint64_t n);
int ash_writer_finish(AshWriter *w);                              /* the sticky error, or 0 when all has been written */
void ash_writer_free(AshWriter *w);                               /* does not finish */
ASH_DEFINE_CLEANUP(AshWriter *, ash_writer_free)
AshWriter *ash_writer_new_memory(AshStr *out);                    /* borrowed */
AshWriter *ash_writer_new_fd(int fd, bool own);                   /* buffered; an own descriptor is closed by finish, too, so that its error is seen */
/* Passes through to "next" (borrowed) and digests what passes. */
AshWriter *ash_writer_new_digest(AshWriter *next, AshDigest *digest);

/* ---- compression: the format by magic bytes or by name; frame boundaries never depend on a thread count ---- */
typedef enum AshCompression { ASH_COMP_NONE, ASH_COMP_GZIP, ASH_COMP_BZIP2, ASH_COMP_XZ, ASH_COMP_LZMA, ASH_COMP_ZSTD, ASH_COMP_MAX_, ASH_COMP_INVALID_ = -EINVAL } AshCompression;
const char *ash_compression_name(AshCompression c);               /* "zstd" */
const char *ash_compression_suffix(AshCompression c);             /* ".zst", "" for none */
AshCompression ash_compression_from_name(AshSlice name);          /* "gz", "gzip", "zst", "zstd", "xz", "bz2", "none" ... */
AshCompression ash_compression_detect(AshSlice first_bytes);      /* NONE when no magic matches */
/* Reads decompressed bytes from "next" (owned when own is set). Concatenated members and frames are read on. Fails with -ASH_ERR_SYNTAX on damage or a
 * truncated stream, -ASH_ERR_LIMIT past "limit" decompressed bytes (0: none) or when the stream wants more than 256 MiB of memory. NONE passes through. Zero
 * bytes behind the last member are padding; anything else there is damage. */
AshReader *ash_reader_new_decompress(AshReader *next, bool own, AshCompression c, uint64_t limit);
/* Compresses into "next" (borrowed). level 0: the format's default. Output is the same on every machine for one library version: gzip has no name and no time. */
AshWriter *ash_writer_new_compress(AshWriter *next, AshCompression c, int level);
/* Exactly size bytes will come: zstd writes that into the frame, where readers find it. */
AshWriter *ash_writer_new_compress_sized(AshWriter *next, AshCompression c, int level, uint64_t size);
/* Whole buffers; appended to "out". limit 0: 4 GiB - 1. */
int ash_decompress(AshSlice data, AshCompression c, size_t limit, AshStr *out);
int ash_compress(AshSlice data, AshCompression c, int level, AshStr *out);
/* Many buffers, one after the other, each compressed as a whole: the context is set up once. For one thread at a time. zstd writes the size into the frame; the bytes are those of ash_compress(). */
typedef struct AshPacker AshPacker;
AshPacker *ash_packer_new(AshCompression c, int level, bool checksum); /* checksum: of the content, in each zstd frame */
void ash_packer_free(AshPacker *p);
ASH_DEFINE_CLEANUP(AshPacker *, ash_packer_free)
int ash_packer_run(AshPacker *p, AshSlice data, AshStr *out);     /* replaces out */
const char *ash_compression_version(AshCompression c);            /* of the library: the same data may be compressed otherwise by another */
