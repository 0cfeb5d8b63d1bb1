/* Streams: laid out, then written in chunks at fixed places. */
#include "image.h"
#include "store.h"

enum { CHUNK = 4 << 20, BATCH = 12 /* chunks in memory at once: bounds memory, not the result */, ZEROS = 1 << 16 };
static const char zeros[ZEROS];

AshLayout *ash_layout_new(void) {
        AshLayout *l = ash_calloc(1, sizeof *l);
        l->arena = ash_arena_new();
        return l;
}

void ash_layout_free(AshLayout *l) {
        if (!l)
                return;
        ash_array_done(&l->parts);
        ash_arena_free(l->arena);
        free(l);
}

void ash_layout_add(AshLayout *l, AshSlice bytes) {
        if (!bytes.len)
                return;
        ash_array_push(&l->parts, bytes);
        l->size += bytes.len;
}

void ash_layout_copy(AshLayout *l, AshSlice bytes) {
        if (bytes.len)
                ash_layout_add(l, ash_arena_slice(l->arena, bytes));
}

void ash_layout_zeros(AshLayout *l, uint64_t n) {
        for (; n; n -= ASH_MIN(n, (uint64_t) ZEROS))
                ash_layout_add(l, ash_slice(zeros, (size_t) ASH_MIN(n, (uint64_t) ZEROS)));
}

AshSlice ash_image_bytes(const AshTree *t, AshNode n) {
        const AshTreeNode *node = ash_tree_node(t, n);
        if (node->hardlink != ASH_NO_NODE)
                node = ash_tree_node(t, node->hardlink);
        if (node->content.kind == ASH_CONTENT_INLINE)
                return ash_slice(node->content.data, node->content.length);
        return node->content.kind == ASH_CONTENT_PACK ? ash_pack_at(t->sources.items[node->content.source].pack, node->content.offset, node->content.length) : ASH_S("");
}

/* ---- writing ---- */
typedef struct Chunk {
        size_t part, skip;           /* where it begins */
        uint64_t size;
        AshStr out;                  /* compressed */
} Chunk;
typedef struct Job {
        const AshLayout *l;
        Chunk *chunks;
        size_t n, first, batch, done; /* chunks [first, first + batch) are compressed, [done, first) written */
        AshDigest *plain, *packed;
        AshCompression compression;
        int level, fd;
} Job;

static Chunk *cut(const AshLayout *l, size_t *ret_n) {
        size_t n = (size_t) ((l->size + CHUNK - 1) / CHUNK), part = 0, skip = 0;
        n = n ? n : 1;
        Chunk *chunks = ash_calloc(n, sizeof *chunks);
        for (size_t i = 0; i < n; i++) {
                chunks[i] = (Chunk){ .part = part, .skip = skip, .size = ASH_MIN((uint64_t) CHUNK, l->size - (uint64_t) i * CHUNK) };
                for (uint64_t left = chunks[i].size; left;) {
                        uint64_t here = ASH_MIN(left, (uint64_t) (l->parts.items[part].len - skip));
                        left -= here;
                        skip += (size_t) here;
                        if (skip == l->parts.items[part].len) {
                                part++;
                                skip = 0;
                        }
                }
        }
        *ret_n = n;
        return chunks;
}

static int each_part(const AshLayout *l, const Chunk *c, int (*fn)(void *, AshSlice), void *context) {
        size_t part = c->part, skip = c->skip;
        for (uint64_t left = c->size; left; part++, skip = 0) {
                AshSlice s = ash_slice_from(l->parts.items[part], skip);
                s.len = (size_t) ASH_MIN((uint64_t) s.len, left);
                left -= s.len;
                int r = fn(context, s);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int digest_part(void *context, AshSlice s) {
        ash_digest_update(context, s.ptr, s.len);
        return 0;
}
static int write_part(void *context, AshSlice s) { return ash_write_all(*(int *) context, s.ptr, s.len); }
static int compress_part(void *context, AshSlice s) {
        ash_writer_slice(context, s);
        return 0;
}

static int compress(const Job *j, Chunk *c) {
        _cleanup_(ash_writer_free_p) AshWriter *memory = ash_writer_new_memory(&c->out);
        _cleanup_(ash_writer_free_p) AshWriter *w = ash_writer_new_compress(memory, j->compression, j->level);
        each_part(j->l, c, compress_part, w);
        int r = ash_writer_finish(w);
        return r < 0 ? r : ash_writer_finish(memory);
}

/* What the batch before made goes out, in order. */
static int drain(Job *j) {
        for (; j->done < j->first; j->done++) {
                Chunk *c = &j->chunks[j->done];
                if (j->packed)
                        ash_digest_update(j->packed, c->out.ptr, c->out.len);
                int r = ash_write_all(j->fd, c->out.ptr, c->out.len);
                ash_str_done(&c->out);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Job 0 digests the stream, job 1 writes what is ready, the others compress. */
static int work(void *context, size_t i) {
        Job *j = context;
        if (i == 1)
                return drain(j);
        if (i > 1)
                return compress(j, &j->chunks[j->first + i - 2]);
        for (size_t k = 0; j->plain && k < j->batch; k++)
                each_part(j->l, &j->chunks[j->first + k], digest_part, j->plain);
        return 0;
}

static int write_packed(Job *j, unsigned threads, AshProgress *progress) {
        int r = 0;
        for (j->first = 0; r >= 0 && j->first < j->n; j->first += j->batch) {
                uint64_t bytes = 0;
                j->batch = ASH_MIN((size_t) BATCH, j->n - j->first);
                r = ash_parallel_for(j->batch + 2, threads, false, work, j);
                for (size_t k = 0; k < j->batch; k++)
                        bytes += j->chunks[j->first + k].size;
                ash_progress_advance(progress, bytes);
        }
        return r < 0 ? r : drain(j);
}

/* Uncompressed: digest and write are the two jobs. */
static int plain_work(void *context, size_t i) {
        Job *j = context;
        int r = 0;
        for (size_t k = 0; r >= 0 && k < j->batch; k++)
                r = i == 0 ? (j->plain ? each_part(j->l, &j->chunks[j->first + k], digest_part, j->plain) : 0) : each_part(j->l, &j->chunks[j->first + k], write_part, &j->fd);
        return r;
}

static int write_plain(Job *j, unsigned threads, AshProgress *progress) {
        int r = 0;
        for (j->first = 0; r >= 0 && j->first < j->n; j->first += j->batch) {
                j->batch = ASH_MIN((size_t) BATCH, j->n - j->first);
                r = ash_parallel_for(2, threads, false, plain_work, j);
                ash_progress_advance(progress, (uint64_t) j->batch * CHUNK);
        }
        return r;
}

int ash_layout_write(const AshLayout *l, int fd, AshCompression compression, int level, bool digest, unsigned threads, AshProgress *progress, AshWritten *ret, AshDiags *diags) {
        _cleanup_(ash_digest_free_p) AshDigest *plain = ash_digest_new(ASH_SHA256), *packed = ash_digest_new(ASH_SHA256);
        Job j = { .l = l, .fd = fd, .compression = compression, .level = level, .plain = digest || compression == ASH_COMP_NONE ? plain : NULL, .packed = packed };
        off_t start = lseek(fd, 0, SEEK_CUR);
        j.chunks = cut(l, &j.n);
        int r = compression == ASH_COMP_NONE ? write_plain(&j, threads, progress) : write_packed(&j, threads, progress);
        for (size_t i = 0; i < j.n; i++)
                ash_str_done(&j.chunks[i].out);
        free(j.chunks);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "cannot write the image: %s", ash_strerror(r));
        *ret = (AshWritten){ .size = l->size, .compressed_size = start < 0 ? l->size : (uint64_t) (lseek(fd, 0, SEEK_CUR) - start) };
        ash_digest_final(plain, ret->sha256);
        ash_digest_final(packed, ret->compressed_sha256);
        if (compression == ASH_COMP_NONE)
                memcpy(ret->compressed_sha256, ret->sha256, 32);
        return 0;
}

int ash_layout_digest(const AshLayout *l, uint8_t ret[static 32]) {
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        ash_array_foreach(&l->parts, p)
                ash_digest_update(d, p->ptr, p->len);
        ash_digest_final(d, ret);
        return 0;
}
