#include <sys/uio.h>
#include "io.h"
#include "io-sparse.h"

enum { CHUNK = 4 << 20, GAP = 4096 /* zeros up to this are written along: a hole would not be smaller than a page */, VECTORS = 512 };
static const char zeros[GAP];

AshSparse *ash_sparse_new(void) {
        AshSparse *s = ash_calloc(1, sizeof *s);
        s->arena = ash_arena_new();
        return s;
}

void ash_sparse_free(AshSparse *s) {
        if (!s)
                return;
        ash_array_done(&s->pieces);
        ash_arena_free(s->arena);
        free(s);
}

void ash_sparse_put(AshSparse *s, uint64_t offset, AshSlice bytes) {
        if (bytes.len)
                ash_array_push(&s->pieces, ((AshSparsePiece){ offset, bytes }));
}

void *ash_sparse_room(AshSparse *s, uint64_t offset, size_t n) {
        char *room = ash_arena_zalloc(s->arena, n);
        ash_sparse_put(s, offset, ash_slice(room, n));
        return room;
}

static int by_offset(const void *a, const void *b) {
        const AshSparsePiece *x = a, *y = b;
        return x->offset < y->offset ? -1 : x->offset > y->offset;
}

int ash_sparse_sort(AshSparse *s) {
        uint64_t end = 0;
        if (s->pieces.n)
                qsort(s->pieces.items, s->pieces.n, sizeof *s->pieces.items, by_offset);
        ash_array_foreach(&s->pieces, p) {
                if (p->offset < end)
                        return -EINVAL;
                end = p->offset + p->bytes.len;
        }
        return end > s->size ? -EINVAL : 0;
}

/* The first piece that ends behind offset. */
static size_t piece_at(const AshSparse *s, uint64_t offset) {
        size_t low = 0, high = s->pieces.n;
        while (low < high) {
                size_t middle = (low + high) / 2;
                if (s->pieces.items[middle].offset + s->pieces.items[middle].bytes.len <= offset)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

void ash_sparse_read(const AshSparse *s, uint64_t offset, void *data, size_t n) {
        uint64_t end = offset + n;
        memset(data, 0, n);
        for (size_t i = piece_at(s, offset); i < s->pieces.n && s->pieces.items[i].offset < end; i++) {
                const AshSparsePiece *p = &s->pieces.items[i];
                uint64_t from = ASH_MAX(offset, p->offset), to = ASH_MIN(end, p->offset + p->bytes.len);
                memcpy((char *) data + (from - offset), p->bytes.ptr + (from - p->offset), (size_t) (to - from));
        }
}

bool ash_sparse_any(const AshSparse *s, size_t *next, AshSparseRange range) {
        while (*next < s->pieces.n && s->pieces.items[*next].offset + s->pieces.items[*next].bytes.len <= range.start)
                ++*next;
        return *next < s->pieces.n && s->pieces.items[*next].offset < range.end;
}

void ash_sparse_copy(const AshSparse *s, size_t next, AshSparseRange range, uint64_t at, AshSparse *to) {
        for (; next < s->pieces.n && s->pieces.items[next].offset < range.end; next++) {
                const AshSparsePiece *p = &s->pieces.items[next];
                uint64_t start = ASH_MAX(range.start, p->offset), end = ASH_MIN(range.end, p->offset + p->bytes.len);
                if (start < end)
                        ash_sparse_put(to, at + (start - range.start), ash_slice_sub(p->bytes, (size_t) (start - p->offset), (size_t) (end - start)));
        }
}

uint64_t ash_sparse_bytes(const AshSparse *s) {
        uint64_t n = 0;
        ash_array_foreach(&s->pieces, p)
                n += p->bytes.len;
        return n;
}

/* ---- writing ---- */
typedef struct Writing {
        const AshSparse *s;
        int fd;
        AshProgress *progress;
} Writing;

/* Pieces that lie close together, as one call. */
typedef struct Run {
        struct iovec vectors[VECTORS];
        int n;
        uint64_t offset, end;
        uint64_t bytes;              /* of pieces, without the zeros between them */
} Run;

static int flush(const Writing *w, Run *run) {
        struct iovec *v = run->vectors;
        ash_progress_advance(w->progress, run->bytes);
        run->bytes = 0;
        while (run->n) {
                ssize_t done = pwritev(w->fd, v, run->n, (off_t) run->offset);
                if (done < 0 && errno == EINTR)
                        continue;
                if (done <= 0)
                        return done < 0 ? -errno : -EIO;
                run->offset += (uint64_t) done;
                for (; run->n && (size_t) done >= v->iov_len; v++, run->n--)
                        done -= (ssize_t) v->iov_len;
                if (run->n) {
                        v->iov_base = (char *) v->iov_base + done;
                        v->iov_len -= (size_t) done;
                }
        }
        return 0;
}

static void add(Run *run, const void *data, size_t n) {
        if (n)
                run->vectors[run->n++] = (struct iovec){ (void *) data, n };
        run->end += n;
}

/* What of the pieces lies in the i-th chunk. */
static int write_chunk(void *context, size_t i) {
        const Writing *w = context;
        uint64_t from = (uint64_t) i * CHUNK, to = from + CHUNK;
        Run run = { .n = 0 };
        int r = 0;
        for (size_t k = piece_at(w->s, from); r >= 0 && k < w->s->pieces.n && w->s->pieces.items[k].offset < to; k++) {
                const AshSparsePiece *p = &w->s->pieces.items[k];
                uint64_t start = ASH_MAX(from, p->offset), end = ASH_MIN(to, p->offset + p->bytes.len);
                if (run.n && (start - run.end > GAP || run.n + 2 > VECTORS))
                        r = flush(w, &run);
                if (run.n)
                        add(&run, zeros, (size_t) (start - run.end));
                else
                        run.offset = run.end = start;
                add(&run, p->bytes.ptr + (start - p->offset), (size_t) (end - start));
                run.bytes += end - start;
        }
        return r < 0 || !run.n ? r : flush(w, &run);
}

int ash_sparse_write(const AshSparse *s, int fd, unsigned threads, AshProgress *progress) {
        Writing w = { s, fd, progress };
        if (ftruncate(fd, (off_t) s->size) < 0)
                return -errno;
        return ash_parallel_for((size_t) ((s->size + CHUNK - 1) / CHUNK), threads, false, write_chunk, &w);
}
