/* Compression: one small table of functions for each format. Where the formats come from: RFC 1952 (gzip), RFC 8878 (zstd), tukaani.org's xz-file-format. */
#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>
#include "io.h"

#define BUFFER_SIZE (64u << 10)
#define MEMORY_LIMIT (256u << 20) /* of a decoder's window */

/* ---- names ---- */
static const struct {
        const char *name, *suffix;
} kinds[ASH_COMP_MAX_] = {
        [ASH_COMP_NONE] = { "none", "" },    [ASH_COMP_GZIP] = { "gzip", ".gz" },   [ASH_COMP_BZIP2] = { "bzip2", ".bz2" },
        [ASH_COMP_XZ] = { "xz", ".xz" },     [ASH_COMP_LZMA] = { "lzma", ".lzma" }, [ASH_COMP_ZSTD] = { "zstd", ".zst" },
};

const char *ash_compression_name(AshCompression c) { return (unsigned) c < ASH_COMP_MAX_ ? kinds[c].name : NULL; }
const char *ash_compression_suffix(AshCompression c) { return (unsigned) c < ASH_COMP_MAX_ ? kinds[c].suffix : NULL; }

const char *ash_compression_version(AshCompression c) {
        switch (c) {
        case ASH_COMP_GZIP: return zlibVersion();
        case ASH_COMP_BZIP2: return BZ2_bzlibVersion();
        case ASH_COMP_XZ: case ASH_COMP_LZMA: return lzma_version_string();
        case ASH_COMP_ZSTD: return ZSTD_versionString();
        default: return "";
        }
}

AshCompression ash_compression_from_name(AshSlice name) {
        for (size_t i = 0; i < ASH_N(kinds); i++)
                if (ash_slice_eq_nocase(name, ash_slice_str(kinds[i].name)) || (i && ash_slice_eq_nocase(name, ash_slice_str(kinds[i].suffix + 1))))
                        return (AshCompression) i;
        return name.len ? ASH_COMP_INVALID_ : ASH_COMP_NONE;
}

/* The .lzma format has no magic: properties 0x5d, a dictionary of 2^n or 2^n + 2^(n-1) bytes, and a size that is unknown or sane. */
static bool looks_like_lzma(AshSlice s) {
        if (s.len < 13 || (uint8_t) s.ptr[0] != 0x5d)
                return false;
        uint32_t dictionary = 0;
        uint64_t size = 0;
        for (int i = 3; i >= 0; i--)
                dictionary = dictionary << 8 | (uint8_t) s.ptr[1 + i];
        for (int i = 7; i >= 0; i--)
                size = size << 8 | (uint8_t) s.ptr[5 + i];
        uint32_t low = dictionary & -dictionary, rest = dictionary - low;
        return dictionary >= 4096 && (!rest || rest == low << 1) && (size == UINT64_MAX || size < UINT64_C(1) << 38);
}

AshCompression ash_compression_detect(AshSlice s) {
        if (ash_slice_starts(s, ASH_S("\x1f\x8b")))
                return ASH_COMP_GZIP;
        if (ash_slice_starts(s, ASH_S("\xfd" "7zXZ\0")))
                return ASH_COMP_XZ;
        if (ash_slice_starts(s, ASH_S("\x28\xb5\x2f\xfd")))
                return ASH_COMP_ZSTD;
        if (s.len >= 4 && ((uint8_t) s.ptr[0] & 0xf0) == 0x50 && ash_slice_starts(ash_slice_from(s, 1), ASH_S("\x2a\x4d\x18"))) /* a skippable frame first */
                return ASH_COMP_ZSTD;
        if (s.len >= 4 && ash_slice_starts(s, ASH_S("BZh")) && s.ptr[3] >= '1' && s.ptr[3] <= '9')
                return ASH_COMP_BZIP2;
        return looks_like_lzma(s) ? ASH_COMP_LZMA : ASH_COMP_NONE;
}

/* ---- decompression ---- */
typedef struct Decoder Decoder;
typedef struct DecoderOps {
        int (*begin)(Decoder *d); /* before the first member */
        /* Takes from d->in, gives to out (*n: room, then what was given). 1 at the end of a member, 0 to go on. */
        int (*step)(Decoder *d, void *out, size_t *n);
        int (*again)(Decoder *d); /* between members; NULL: there is only one */
        void (*end)(Decoder *d);
} DecoderOps;

struct Decoder {
        AshReader base;
        const DecoderOps *ops;
        AshReader *next;
        bool own, begun, between, in_end, done;
        uint64_t limit;
        const uint8_t *in;
        size_t in_len;
        union {
                z_stream zlib;
                bz_stream bzip2;
                lzma_stream lzma;
                ZSTD_DCtx *zstd;
        };
        uint8_t buffer[BUFFER_SIZE];
};

static int none_step(Decoder *d, void *out, size_t *n) {
        *n = ASH_MIN(*n, d->in_len);
        if (*n)
                memcpy(out, d->in, *n);
        d->in += *n;
        d->in_len -= *n;
        return d->in_end && !d->in_len;
}

static int gzip_begin(Decoder *d) { return inflateInit2(&d->zlib, 15 + 16) == Z_OK ? 0 : -ENOMEM; }
static int gzip_again(Decoder *d) { return inflateReset(&d->zlib) == Z_OK ? 0 : -ENOMEM; }
static void gzip_end(Decoder *d) { inflateEnd(&d->zlib); }

static int gzip_step(Decoder *d, void *out, size_t *n) {
        size_t room = ASH_MIN(*n, (size_t) 1 << 30);
        d->zlib.next_in = (Bytef *) d->in;
        d->zlib.avail_in = (uInt) d->in_len;
        d->zlib.next_out = out;
        d->zlib.avail_out = (uInt) room;
        int k = inflate(&d->zlib, Z_NO_FLUSH);
        d->in = d->zlib.next_in;
        d->in_len = d->zlib.avail_in;
        *n = room - d->zlib.avail_out;
        return k == Z_STREAM_END ? 1 : k == Z_OK || k == Z_BUF_ERROR ? 0 : k == Z_MEM_ERROR ? -ENOMEM : -ASH_ERR_SYNTAX;
}

static int bzip2_begin(Decoder *d) { return BZ2_bzDecompressInit(&d->bzip2, 0, 0) == BZ_OK ? 0 : -ENOMEM; }
static void bzip2_end(Decoder *d) { BZ2_bzDecompressEnd(&d->bzip2); }

static int bzip2_again(Decoder *d) {
        BZ2_bzDecompressEnd(&d->bzip2);
        d->bzip2 = (bz_stream){};
        return bzip2_begin(d);
}

static int bzip2_step(Decoder *d, void *out, size_t *n) {
        size_t room = ASH_MIN(*n, (size_t) 1 << 30);
        d->bzip2.next_in = (char *) d->in;
        d->bzip2.avail_in = (unsigned) d->in_len;
        d->bzip2.next_out = out;
        d->bzip2.avail_out = (unsigned) room;
        int k = BZ2_bzDecompress(&d->bzip2);
        d->in = (const uint8_t *) d->bzip2.next_in;
        d->in_len = d->bzip2.avail_in;
        *n = room - d->bzip2.avail_out;
        return k == BZ_STREAM_END ? 1 : k == BZ_OK ? 0 : k == BZ_MEM_ERROR ? -ENOMEM : -ASH_ERR_SYNTAX;
}

/* liblzma reads on over concatenated streams and their padding by itself. */
static int xz_begin(Decoder *d) { return lzma_stream_decoder(&d->lzma, MEMORY_LIMIT, LZMA_CONCATENATED) == LZMA_OK ? 0 : -ENOMEM; }
static int lzma_begin(Decoder *d) { return lzma_alone_decoder(&d->lzma, MEMORY_LIMIT) == LZMA_OK ? 0 : -ENOMEM; }
static void xz_end(Decoder *d) { lzma_end(&d->lzma); }

static int xz_step(Decoder *d, void *out, size_t *n) {
        d->lzma.next_in = d->in;
        d->lzma.avail_in = d->in_len;
        d->lzma.next_out = out;
        d->lzma.avail_out = *n;
        lzma_ret k = lzma_code(&d->lzma, d->in_end ? LZMA_FINISH : LZMA_RUN);
        d->in = d->lzma.next_in;
        d->in_len = d->lzma.avail_in;
        *n -= d->lzma.avail_out;
        switch (k) {
        case LZMA_STREAM_END: return 1;
        case LZMA_OK: case LZMA_BUF_ERROR: return 0;
        case LZMA_MEM_ERROR: return -ENOMEM;
        case LZMA_MEMLIMIT_ERROR: return -ASH_ERR_LIMIT;
        default: return -ASH_ERR_SYNTAX;
        }
}

static int zstd_begin(Decoder *d) { return (d->zstd = ZSTD_createDCtx()) ? 0 : -ENOMEM; }
static int zstd_again(Decoder *d) { (void) d; return 0; }
static void zstd_end(Decoder *d) { ZSTD_freeDCtx(d->zstd); }

static int zstd_step(Decoder *d, void *out, size_t *n) {
        ZSTD_inBuffer in = { d->in, d->in_len, 0 };
        ZSTD_outBuffer to = { out, *n, 0 };
        size_t k = ZSTD_decompressStream(d->zstd, &to, &in);
        d->in += in.pos;
        d->in_len -= in.pos;
        *n = to.pos;
        return ZSTD_isError(k) ? -ASH_ERR_SYNTAX : k == 0;
}

static const DecoderOps decoders[ASH_COMP_MAX_] = {
        [ASH_COMP_NONE] = { NULL, none_step, NULL, NULL },
        [ASH_COMP_GZIP] = { gzip_begin, gzip_step, gzip_again, gzip_end },
        [ASH_COMP_BZIP2] = { bzip2_begin, bzip2_step, bzip2_again, bzip2_end },
        [ASH_COMP_XZ] = { xz_begin, xz_step, NULL, xz_end },
        [ASH_COMP_LZMA] = { lzma_begin, xz_step, NULL, xz_end },
        [ASH_COMP_ZSTD] = { zstd_begin, zstd_step, zstd_again, zstd_end },
};

static int refill(Decoder *d) {
        if (d->in_len || d->in_end)
                return 0;
        ssize_t k = ash_reader_read(d->next, d->buffer, sizeof d->buffer);
        if (d->next->error)
                return d->next->error;
        d->in = d->buffer;
        d->in_len = (size_t) k;
        d->in_end = k == 0;
        return 0;
}

/* Behind a member: another one, padding of zeros, or the end. */
static int next_member(Decoder *d) {
        if (d->in_len && d->in[0] && d->ops->again) {
                d->between = false;
                return d->ops->again(d);
        }
        while (!d->in_end) {
                for (size_t i = 0; i < d->in_len; i++)
                        if (d->in[i])
                                return -ASH_ERR_SYNTAX;
                d->in_len = 0;
                int r = refill(d);
                if (r < 0)
                        return r;
        }
        d->done = true;
        return 0;
}

static ssize_t decoder_read(AshReader *r, void *data, size_t n) {
        Decoder *d = (Decoder *) r;
        while (!d->done) {
                int k = refill(d);
                if (k >= 0 && d->between) {
                        k = next_member(d);
                        if (k >= 0)
                                continue;
                }
                if (k < 0)
                        return k;
                size_t given = n, before = d->in_len;
                k = d->ops->step(d, data, &given);
                if (k < 0)
                        return k;
                d->between = k == 1;
                if (d->limit && given > d->limit - ASH_MIN(r->offset, d->limit))
                        return -ASH_ERR_LIMIT;
                if (given)
                        return (ssize_t) given;
                if (k == 0 && d->in_end && before == d->in_len)
                        return -ASH_ERR_SYNTAX; /* it ends within a member */
        }
        return 0;
}

static void decoder_free(AshReader *r) {
        Decoder *d = (Decoder *) r;
        if (d->begun && d->ops->end)
                d->ops->end(d);
        if (d->own)
                ash_reader_free(d->next);
        free(d);
}

static const AshReaderOps decoder_ops = { decoder_read, decoder_free };

AshReader *ash_reader_new_decompress(AshReader *next, bool own, AshCompression c, uint64_t limit) {
        Decoder *d = ash_calloc(1, sizeof *d);
        bool known = (unsigned) c < ASH_COMP_MAX_;
        d->base.ops = &decoder_ops;
        d->ops = &decoders[known ? c : ASH_COMP_NONE];
        d->next = next;
        d->own = own;
        d->limit = limit;
        d->base.error = !known ? -EINVAL : d->ops->begin ? d->ops->begin(d) : 0;
        d->begun = !d->base.error;
        return &d->base;
}

/* ---- compression ---- */
typedef struct Encoder Encoder;
typedef struct EncoderOps {
        int default_level, level_min, level_max;
        int (*begin)(Encoder *e, int level);
        /* Takes from e->in, gives to e->buffer (*n: what was given); finish: no more will come. 1 when all is out. */
        int (*step)(Encoder *e, bool finish, size_t *n);
        void (*end)(Encoder *e);
} EncoderOps;

struct Encoder {
        AshWriter base;
        const EncoderOps *ops;
        AshWriter *next;
        bool begun;
        const uint8_t *in;
        size_t in_len;
        union {
                z_stream zlib;
                bz_stream bzip2;
                lzma_stream lzma;
                ZSTD_CCtx *zstd;
        };
        uint8_t buffer[BUFFER_SIZE];
};

static int none_write(Encoder *e, bool finish, size_t *n) {
        *n = ASH_MIN(e->in_len, sizeof e->buffer);
        if (*n)
                memcpy(e->buffer, e->in, *n);
        e->in += *n;
        e->in_len -= *n;
        return finish && !e->in_len;
}

/* No header is set: no name, time 0. */
static int gzip_start(Encoder *e, int level) { return deflateInit2(&e->zlib, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK ? 0 : -ENOMEM; }
static void gzip_stop(Encoder *e) { deflateEnd(&e->zlib); }

static int gzip_write(Encoder *e, bool finish, size_t *n) {
        size_t part = ASH_MIN(e->in_len, (size_t) 1 << 30);
        e->zlib.next_in = (Bytef *) e->in;
        e->zlib.avail_in = (uInt) part;
        e->zlib.next_out = e->buffer;
        e->zlib.avail_out = sizeof e->buffer;
        int k = deflate(&e->zlib, finish && part == e->in_len ? Z_FINISH : Z_NO_FLUSH);
        e->in += part - e->zlib.avail_in;
        e->in_len -= part - e->zlib.avail_in;
        *n = sizeof e->buffer - e->zlib.avail_out;
        return k == Z_STREAM_END ? 1 : k == Z_OK || k == Z_BUF_ERROR ? 0 : -EIO;
}

static int bzip2_start(Encoder *e, int level) { return BZ2_bzCompressInit(&e->bzip2, level, 0, 0) == BZ_OK ? 0 : -ENOMEM; }
static void bzip2_stop(Encoder *e) { BZ2_bzCompressEnd(&e->bzip2); }

static int bzip2_write(Encoder *e, bool finish, size_t *n) {
        size_t part = ASH_MIN(e->in_len, (size_t) 1 << 30);
        bool last = finish && part == e->in_len;
        e->bzip2.next_in = (char *) e->in;
        e->bzip2.avail_in = (unsigned) part;
        e->bzip2.next_out = (char *) e->buffer;
        e->bzip2.avail_out = sizeof e->buffer;
        *n = 0;
        if (!part && !last)
                return 0;
        int k = BZ2_bzCompress(&e->bzip2, last ? BZ_FINISH : BZ_RUN);
        e->in += part - e->bzip2.avail_in;
        e->in_len -= part - e->bzip2.avail_in;
        *n = sizeof e->buffer - e->bzip2.avail_out;
        return k == BZ_STREAM_END ? 1 : k == BZ_RUN_OK || k == BZ_FINISH_OK ? 0 : -EIO;
}

static int xz_start(Encoder *e, int level) { return lzma_easy_encoder(&e->lzma, (uint32_t) level, LZMA_CHECK_CRC64) == LZMA_OK ? 0 : -ENOMEM; }
static void xz_stop(Encoder *e) { lzma_end(&e->lzma); }

static int lzma_start(Encoder *e, int level) {
        lzma_options_lzma options;
        return !lzma_lzma_preset(&options, (uint32_t) level) && lzma_alone_encoder(&e->lzma, &options) == LZMA_OK ? 0 : -ENOMEM;
}

static int xz_write(Encoder *e, bool finish, size_t *n) {
        e->lzma.next_in = e->in;
        e->lzma.avail_in = e->in_len;
        e->lzma.next_out = e->buffer;
        e->lzma.avail_out = sizeof e->buffer;
        lzma_ret k = lzma_code(&e->lzma, finish ? LZMA_FINISH : LZMA_RUN);
        e->in = e->lzma.next_in;
        e->in_len = e->lzma.avail_in;
        *n = sizeof e->buffer - e->lzma.avail_out;
        return k == LZMA_STREAM_END ? 1 : k == LZMA_OK || k == LZMA_BUF_ERROR ? 0 : k == LZMA_MEM_ERROR ? -ENOMEM : -EIO;
}

static int zstd_start(Encoder *e, int level) {
        e->zstd = ZSTD_createCCtx();
        if (!e->zstd)
                return -ENOMEM;
        ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, level);
        ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_checksumFlag, 1);
        return 0;
}
static void zstd_stop(Encoder *e) { ZSTD_freeCCtx(e->zstd); }

static int zstd_write(Encoder *e, bool finish, size_t *n) {
        ZSTD_inBuffer in = { e->in, e->in_len, 0 };
        ZSTD_outBuffer to = { e->buffer, sizeof e->buffer, 0 };
        size_t k = ZSTD_compressStream2(e->zstd, &to, &in, finish ? ZSTD_e_end : ZSTD_e_continue);
        e->in += in.pos;
        e->in_len -= in.pos;
        *n = to.pos;
        return ZSTD_isError(k) ? -EIO : finish && k == 0;
}

static const EncoderOps encoders[ASH_COMP_MAX_] = {
        [ASH_COMP_NONE] = { 0, 0, 100, NULL, none_write, NULL },
        [ASH_COMP_GZIP] = { 6, 1, 9, gzip_start, gzip_write, gzip_stop },
        [ASH_COMP_BZIP2] = { 9, 1, 9, bzip2_start, bzip2_write, bzip2_stop },
        [ASH_COMP_XZ] = { 6, 1, 9, xz_start, xz_write, xz_stop },
        [ASH_COMP_LZMA] = { 6, 1, 9, lzma_start, xz_write, xz_stop },
        [ASH_COMP_ZSTD] = { 3, -50, 22, zstd_start, zstd_write, zstd_stop },
};

static int encode(Encoder *e, bool finish) {
        for (;;) {
                size_t n = 0;
                int k = e->ops->step(e, finish, &n);
                if (k < 0)
                        return k;
                ash_writer_write(e->next, e->buffer, n);
                if (e->next->error)
                        return e->next->error;
                if (finish ? k == 1 : !e->in_len && n < sizeof e->buffer)
                        return 0;
        }
}

static int encoder_write(AshWriter *w, const void *data, size_t n) {
        Encoder *e = (Encoder *) w;
        e->in = data;
        e->in_len = n;
        return encode(e, false);
}

static int encoder_finish(AshWriter *w) {
        Encoder *e = (Encoder *) w;
        e->in = (const uint8_t *) "";
        e->in_len = 0;
        return encode(e, true);
}

static void encoder_free(AshWriter *w) {
        Encoder *e = (Encoder *) w;
        if (e->begun && e->ops->end)
                e->ops->end(e);
        free(e);
}

static const AshWriterOps encoder_ops = { encoder_write, encoder_finish, encoder_free };

AshWriter *ash_writer_new_compress(AshWriter *next, AshCompression c, int level) {
        Encoder *e = ash_calloc(1, sizeof *e);
        bool known = (unsigned) c < ASH_COMP_MAX_;
        e->base.ops = &encoder_ops;
        e->ops = &encoders[known ? c : ASH_COMP_NONE];
        e->next = next;
        level = level ? level : e->ops->default_level;
        if (!known || level < e->ops->level_min || level > e->ops->level_max)
                e->base.error = -EINVAL;
        else if (e->ops->begin)
                e->base.error = e->ops->begin(e, level);
        e->begun = !e->base.error;
        return &e->base;
}

/* ---- whole buffers ---- */
int ash_decompress(AshSlice data, AshCompression c, size_t limit, AshStr *out) {
        _cleanup_(ash_reader_free_p) AshReader *memory = ash_reader_new_memory(data);
        _cleanup_(ash_reader_free_p) AshReader *r = ash_reader_new_decompress(memory, false, c, limit);
        return ash_reader_read_all(r, limit, out);
}

AshWriter *ash_writer_new_compress_sized(AshWriter *next, AshCompression c, int level, uint64_t size) {
        AshWriter *w = ash_writer_new_compress(next, c, level);
        if (c == ASH_COMP_ZSTD && !w->error)
                ZSTD_CCtx_setPledgedSrcSize(((Encoder *) w)->zstd, size);
        return w;
}

int ash_compress(AshSlice data, AshCompression c, int level, AshStr *out) {
        _cleanup_(ash_writer_free_p) AshWriter *memory = ash_writer_new_memory(out);
        _cleanup_(ash_writer_free_p) AshWriter *w = ash_writer_new_compress_sized(memory, c, level, data.len);
        ash_writer_slice(w, data);
        return ash_writer_finish(w);
}

/* ---- many buffers ---- */
struct AshPacker {
        AshCompression kind;
        int level;
        ZSTD_CCtx *zstd;
};

AshPacker *ash_packer_new(AshCompression c, int level, bool checksum) {
        AshPacker *p = ash_calloc(1, sizeof *p);
        *p = (AshPacker){ .kind = c, .level = level ? level : (unsigned) c < ASH_COMP_MAX_ ? encoders[c].default_level : 0 };
        if (c == ASH_COMP_ZSTD && (p->zstd = ZSTD_createCCtx())) {
                ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, p->level);
                ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_checksumFlag, checksum);
        }
        return p;
}

void ash_packer_free(AshPacker *p) {
        if (!p)
                return;
        ZSTD_freeCCtx(p->zstd);
        free(p);
}

int ash_packer_run(AshPacker *p, AshSlice data, AshStr *out) {
        ash_str_clear(out);
        if (p->kind != ASH_COMP_ZSTD)
                return ash_compress(data, p->kind, p->level, out);
        if (!p->zstd)
                return -ENOMEM;
        ash_str_reserve(out, ZSTD_compressBound(data.len));
        size_t n = ZSTD_compress2(p->zstd, out->ptr, out->cap - 1, data.ptr, data.len);
        if (ZSTD_isError(n))
                return -EIO;
        out->len = n;
        out->ptr[n] = 0;
        return 0;
}
