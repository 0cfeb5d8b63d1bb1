#include <stdarg.h>
#include "io.h"

#define BUFFER_SIZE (64u << 10)

/* ---- readers ---- */
ssize_t ash_reader_read(AshReader *r, void *data, size_t n) {
        size_t done = 0;
        while (done < n && !r->error) {
                ssize_t k = r->ops->read(r, (char *) data + done, n - done);
                if (k < 0)
                        r->error = (int) k;
                if (k <= 0)
                        break;
                done += (size_t) k;
                r->offset += (uint64_t) k;
        }
        return r->error && !done ? r->error : (ssize_t) done;
}

int ash_reader_read_exact(AshReader *r, void *data, size_t n) {
        ssize_t k = ash_reader_read(r, data, n);
        if (!r->error && (size_t) k < n)
                r->error = -ASH_ERR_SYNTAX;
        return r->error;
}

int ash_reader_skip(AshReader *r, uint64_t n) {
        char buffer[16384];
        while (n > 0 && !r->error) {
                size_t part = (size_t) ASH_MIN(n, (uint64_t) sizeof buffer);
                ash_reader_read_exact(r, buffer, part);
                n -= part;
        }
        return r->error;
}

int ash_reader_read_all(AshReader *r, size_t limit, AshStr *out) {
        size_t step = 4096, total = 0;
        if (!limit)
                limit = UINT32_MAX;
        for (;;) {
                ash_str_reserve(out, step);
                size_t room = out->cap - out->len - 1;
                ssize_t k = ash_reader_read(r, out->ptr + out->len, room);
                if (k > 0) {
                        out->len += (size_t) k;
                        total += (size_t) k;
                }
                out->ptr[out->len] = 0;
                if (!r->error && total > limit)
                        r->error = -ASH_ERR_LIMIT;
                if (r->error || (size_t) k < room)
                        return r->error;
                step = ASH_MIN(step * 4, (size_t) 4 << 20);
        }
}

void ash_reader_free(AshReader *r) {
        if (r)
                r->ops->free(r);
}

typedef struct MemoryReader {
        AshReader base;
        AshSlice rest;
} MemoryReader;

static ssize_t memory_read(AshReader *r, void *data, size_t n) {
        MemoryReader *m = (MemoryReader *) r;
        n = ASH_MIN(n, m->rest.len);
        if (n)
                memcpy(data, m->rest.ptr, n);
        m->rest = ash_slice_from(m->rest, n);
        return (ssize_t) n;
}

static void memory_reader_free(AshReader *r) { free(r); }
static const AshReaderOps memory_reader_ops = { memory_read, memory_reader_free };

AshReader *ash_reader_new_memory(AshSlice data) {
        MemoryReader *m = ash_calloc(1, sizeof *m);
        m->base.ops = &memory_reader_ops;
        m->rest = data;
        return &m->base;
}

typedef struct FdReader {
        AshReader base;
        int fd;
        bool own;
        size_t at, len; /* of what is buffered */
        char buffer[BUFFER_SIZE];
} FdReader;

static ssize_t fd_read(AshReader *r, void *data, size_t n) {
        FdReader *f = (FdReader *) r;
        while (f->at == f->len) {
                bool direct = n >= BUFFER_SIZE;
                ssize_t k = read(f->fd, direct ? data : f->buffer, direct ? n : BUFFER_SIZE);
                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0 || direct)
                        return k < 0 ? -errno : k;
                f->at = 0;
                f->len = (size_t) k;
        }
        n = ASH_MIN(n, f->len - f->at);
        memcpy(data, f->buffer + f->at, n);
        f->at += n;
        return (ssize_t) n;
}

static void fd_reader_free(AshReader *r) {
        FdReader *f = (FdReader *) r;
        if (f->own)
                close(f->fd);
        free(f);
}

static const AshReaderOps fd_reader_ops = { fd_read, fd_reader_free };

AshReader *ash_reader_new_fd(int fd, bool own) {
        FdReader *f = ash_malloc(sizeof *f);
        f->base = (AshReader){ .ops = &fd_reader_ops };
        f->fd = fd;
        f->own = own;
        f->at = f->len = 0;
        return &f->base;
}

/* ---- writers ---- */
void ash_writer_write(AshWriter *w, const void *data, size_t n) {
        if (w->error || !n)
                return;
        int r = w->finished ? -EPIPE : w->ops->write(w, data, n);
        if (r < 0)
                w->error = r;
        else
                w->offset += n;
}

void ash_writer_printf(AshWriter *w, const char *format, ...) {
        _str_ AshStr s = {};
        va_list ap;
        if (w->error)
                return;
        va_start(ap, format);
        ash_str_appendv(&s, format, ap);
        va_end(ap);
        ash_writer_slice(w, ash_str_slice(&s));
}

void ash_writer_zeros(AshWriter *w, uint64_t n) {
        static const char zeros[16384];
        while (n > 0 && !w->error) {
                size_t part = (size_t) ASH_MIN(n, (uint64_t) sizeof zeros);
                ash_writer_write(w, zeros, part);
                n -= part;
        }
}

int ash_writer_finish(AshWriter *w) {
        if (!w->error && !w->finished && w->ops->finish) {
                int r = w->ops->finish(w);
                w->error = ASH_MIN(r, 0);
        }
        w->finished = true;
        return w->error;
}

void ash_writer_free(AshWriter *w) {
        if (w)
                w->ops->free(w);
}

typedef struct MemoryWriter {
        AshWriter base;
        AshStr *out;
} MemoryWriter;

static int memory_write(AshWriter *w, const void *data, size_t n) {
        ash_str_append(((MemoryWriter *) w)->out, ash_slice(data, n));
        return 0;
}

static void memory_writer_free(AshWriter *w) { free(w); }
static const AshWriterOps memory_writer_ops = { memory_write, NULL, memory_writer_free };

AshWriter *ash_writer_new_memory(AshStr *out) {
        MemoryWriter *m = ash_calloc(1, sizeof *m);
        m->base.ops = &memory_writer_ops;
        m->out = out;
        return &m->base;
}

typedef struct FdWriter {
        AshWriter base;
        int fd;
        bool own;
        size_t len;
        char buffer[BUFFER_SIZE];
} FdWriter;

static int fd_flush(FdWriter *f) {
        int r = ash_write_all(f->fd, f->buffer, f->len);
        f->len = 0;
        return r;
}

static int fd_write(AshWriter *w, const void *data, size_t n) {
        FdWriter *f = (FdWriter *) w;
        if (n > BUFFER_SIZE - f->len) {
                int r = fd_flush(f);
                if (r < 0)
                        return r;
        }
        if (n >= BUFFER_SIZE)
                return ash_write_all(f->fd, data, n);
        memcpy(f->buffer + f->len, data, n);
        f->len += n;
        return 0;
}

static int fd_finish(AshWriter *w) {
        FdWriter *f = (FdWriter *) w;
        int r = fd_flush(f);
        if (f->own && f->fd >= 0) {
                int fd = ASH_TAKE_FD(f->fd);
                if (close(fd) < 0 && errno != EINTR && r >= 0)
                        r = -errno;
        }
        return r;
}

static void fd_writer_free(AshWriter *w) {
        FdWriter *f = (FdWriter *) w;
        if (f->own)
                ash_close_p(&f->fd);
        free(f);
}

static const AshWriterOps fd_writer_ops = { fd_write, fd_finish, fd_writer_free };

AshWriter *ash_writer_new_fd(int fd, bool own) {
        FdWriter *f = ash_malloc(sizeof *f);
        f->base = (AshWriter){ .ops = &fd_writer_ops };
        f->fd = fd;
        f->own = own;
        f->len = 0;
        return &f->base;
}

typedef struct DigestWriter {
        AshWriter base;
        AshWriter *next;
        AshDigest *digest;
} DigestWriter;

static int digest_write(AshWriter *w, const void *data, size_t n) {
        DigestWriter *d = (DigestWriter *) w;
        ash_digest_update(d->digest, data, n);
        ash_writer_write(d->next, data, n);
        return d->next->error;
}

static void digest_writer_free(AshWriter *w) { free(w); }
static const AshWriterOps digest_writer_ops = { digest_write, NULL, digest_writer_free };

AshWriter *ash_writer_new_digest(AshWriter *next, AshDigest *digest) {
        DigestWriter *d = ash_calloc(1, sizeof *d);
        d->base.ops = &digest_writer_ops;
        d->next = next;
        d->digest = digest;
        return &d->base;
}
