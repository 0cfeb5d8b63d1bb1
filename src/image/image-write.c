/* A laid out stream to a descriptor: cut into chunks, which are compressed side by side; digested and written in order.
 *
 * Three things happen to each chunk: its plain bytes go into the digest of the stream (a lane: one at a time, in order), it is compressed or found in the store (any number at a time), and what comes
 * of that is digested and written (the other lane). A worker takes whatever can be done next, so that no processor waits for a lane, and few chunks are in memory at once. */
#include <pthread.h>
#include "image.h"

enum {
        CHUNK_MAX = 4 << 20, /* bytes */
        CHUNK_MIN = 1 << 20, /* from here on a chunk ends at a member with a suitable name: what was put in before it does not move the ends of those behind it far */
        BIG = 1 << 20,       /* a member of this size has chunks of its own */
        NAME_MASK = 7,       /* one name in eight is suitable */
        WINDOW = 12,         /* chunks that are compressed and not written: bounds memory, not the result */
        AHEAD = 4,           /* chunks that the digest of the stream may be ahead of the compression: their pages are still mapped */
        UNLOAD_MIN = 128 << 10, /* each time costs every processor a flush of its translations */
        CACHE_VERSION = 2,
        ZSTD_LEVEL = 2,      /* the default: a sixth faster than 3, a twentieth larger */
};

typedef struct Chunk {
        size_t part, skip;           /* where it begins */
        uint64_t size;
        AshId key;                   /* digest of what the compressed bytes follow from; only with a store */
        AshStr out;                  /* compressed */
        AshBytes kept;               /* the same, from the store */
        bool packed;                 /* is one of them */
} Chunk;
typedef struct Tools {
        AshPacker *packer;
        AshStr plain;                /* room */
} Tools;
typedef struct Job {
        const AshLayout *l;
        const AshWriteOptions *o;
        int fd, level;
        ASH_ARRAY(Chunk) chunks;
        AshDigest *plain, *written;
        pthread_mutex_t mutex;       /* over what follows */
        pthread_cond_t changed;
        ASH_ARRAY(AshStr) spare;     /* rooms of chunks that are written: their pages are there, new ones would have to be cleared */
        size_t next, digested, out;  /* chunks that were begun; that are in the digest; that are written */
        bool cached;                 /* compressed chunks, and the digest of the stream, are kept in the store */
        bool digesting, writing;     /* a lane is in use */
        int error;
} Job;

/* ---- where chunks end ---- */
static Chunk *begin_chunk(Job *j, size_t part) {
        Chunk *c = ash_array_add(&j->chunks);
        *c = (Chunk){ .part = part };
        return c;
}

/* A member (or what lies before the first) in chunks of its own. */
static void cut_big(Job *j, size_t part, uint64_t size) {
        size_t skip = 0;
        for (uint64_t left = size; left;) {
                Chunk *c = begin_chunk(j, part);
                c->skip = skip;
                c->size = ASH_MIN(left, (uint64_t) CHUNK_MAX);
                left -= c->size;
                for (uint64_t go = c->size; go;) {
                        uint64_t here = ASH_MIN(go, (uint64_t) (j->l->parts.items[part].bytes.len - skip));
                        go -= here;
                        skip += (size_t) here;
                        if (skip == j->l->parts.items[part].bytes.len) {
                                part++;
                                skip = 0;
                        }
                }
        }
}

static void cut(Job *j) {
        const AshLayout *l = j->l;
        Chunk *open = NULL;
        size_t part = 0;
        uint64_t at = 0;
        for (size_t i = 0; i <= l->marks.n; i++) { /* round i is what lies before mark i */
                bool last = i == l->marks.n;
                uint64_t end = last ? l->size : l->marks.items[i].offset, size = end - at;
                bool suitable = i && (l->marks.items[i - 1].hash & NAME_MASK) == 0;
                if (open && (size >= BIG || open->size + size > CHUNK_MAX || (open->size >= CHUNK_MIN && suitable)))
                        open = NULL;
                if (size >= BIG)
                        cut_big(j, part, size);
                else if (size) {
                        open = open ?: begin_chunk(j, part);
                        open->size += size;
                }
                at = end;
                part = last ? part : l->marks.items[i].part;
        }
        if (!j->chunks.n)
                begin_chunk(j, 0); /* of nothing: a compressed stream has a frame */
}

static void each_part(const Job *j, const Chunk *c, void (*fn)(void *, AshSlice, const AshPart *), void *context) {
        size_t part = c->part, skip = c->skip;
        for (uint64_t left = c->size; left; part++, skip = 0) {
                const AshPart *p = &j->l->parts.items[part];
                AshSlice s = ash_slice_from(p->bytes, skip);
                s.len = (size_t) ASH_MIN((uint64_t) s.len, left);
                left -= s.len;
                fn(context, s, p);
        }
}

/* ---- one chunk ---- */
static void digest_part(void *context, AshSlice s, const AshPart *p) {
        (void) p;
        ash_digest_update(context, s.ptr, s.len);
}
static void gather_part(void *context, AshSlice s, const AshPart *p) {
        (void) p;
        ash_str_append(context, s);
}
static void release_part(void *context, AshSlice s, const AshPart *p) {
        (void) context;
        if (p->sha256 && s.len >= UNLOAD_MIN)
                ash_file_unload(s);
}
static void key_part(void *context, AshSlice s, const AshPart *p) {
        uint64_t place[2] = { p->sha256 ? (uint64_t) (s.ptr - p->bytes.ptr) : UINT64_MAX, s.len };
        ash_digest_update(context, place, sizeof place);
        if (p->sha256)
                ash_digest_update(context, p->sha256, 32);
        else
                ash_digest_update(context, s.ptr, s.len);
}

/* What the compressed bytes follow from. */
static AshId key_of(const Job *j, const Chunk *c) {
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        char text[128];
        AshId id;
        int n = snprintf(text, sizeof text, "chunk %d %s %s %d%s", CACHE_VERSION, ash_compression_name(j->o->compression), ash_compression_version(j->o->compression), j->level, j->o->digest ? "" : " checksum");
        ash_digest_update(d, text, (size_t) n + 1);
        each_part(j, c, key_part, d);
        ash_digest_final(d, id.sha256);
        return id;
}

static AshStr take_room(Job *j) {
        AshStr room = {};
        pthread_mutex_lock(&j->mutex);
        if (j->spare.n)
                room = j->spare.items[--j->spare.n];
        pthread_mutex_unlock(&j->mutex);
        return room;
}

static int compress(Job *j, Chunk *c, Tools *t) {
        if (j->cached && ash_store_cache_get(j->o->store, "chunk", &c->key, &c->kept) >= 0)
                return 0;
        AshSlice whole = ash_slice_from(j->l->parts.n ? j->l->parts.items[c->part].bytes : ASH_S(""), c->skip);
        if (whole.len < c->size) {
                ash_str_clear(&t->plain);
                ash_str_reserve(&t->plain, (size_t) c->size);
                each_part(j, c, gather_part, &t->plain);
                whole = ash_str_slice(&t->plain);
        }
        whole.len = (size_t) c->size;
        if (j->o->compression == ASH_COMP_NONE) {
                ash_str_append(&c->out, whole);
                return 0;
        }
        c->out = take_room(j);
        int r = ash_packer_run(t->packer, whole, &c->out);
        if (r < 0)
                return r;
        if (j->cached)
                (void) ash_store_cache_put(j->o->store, "chunk", &c->key, ash_str_slice(&c->out)); /* only a loss of time */
        return 0;
}

static int write_out(Job *j, Chunk *c) {
        AshSlice bytes = c->kept.len ? ash_bytes_slice(&c->kept) : ash_str_slice(&c->out);
        if (j->o->compression != ASH_COMP_NONE)
                ash_digest_update(j->written, bytes.ptr, bytes.len);
        int r = ash_write_all(j->fd, bytes.ptr, bytes.len);
        ash_bytes_done(&c->kept);
        each_part(j, c, release_part, NULL);
        ash_progress_advance(j->o->progress, c->size);
        return r;
}

/* ---- who does what ---- */
typedef enum Step { STEP_DIGEST, STEP_COMPRESS, STEP_WRITE, STEP_WAIT, STEP_END } Step;

/* With the mutex held. The digest of the stream is the longest chain: it comes first. */
static Step choose(const Job *j) {
        size_t n = j->chunks.n;
        if (j->error || j->out == n)
                return STEP_END;
        if (j->plain && !j->digesting && j->digested < n && j->digested < j->next + AHEAD)
                return STEP_DIGEST;
        if (!j->writing && j->chunks.items[j->out].packed && (!j->plain || j->digested > j->out))
                return STEP_WRITE;
        return j->next < n && j->next < j->out + WINDOW ? STEP_COMPRESS : STEP_WAIT;
}

static void digest_next(Job *j) {
        const Chunk *c = &j->chunks.items[j->digested];
        j->digesting = true;
        pthread_mutex_unlock(&j->mutex);
        each_part(j, c, digest_part, j->plain);
        pthread_mutex_lock(&j->mutex);
        j->digesting = false;
        j->digested++;
}

static int compress_next(Job *j, Tools *t) {
        Chunk *c = &j->chunks.items[j->next++];
        pthread_mutex_unlock(&j->mutex);
        int r = compress(j, c, t);
        pthread_mutex_lock(&j->mutex);
        c->packed = true;
        return r;
}

static int write_next(Job *j) {
        Chunk *c = &j->chunks.items[j->out];
        j->writing = true;
        pthread_mutex_unlock(&j->mutex);
        int r = write_out(j, c);
        pthread_mutex_lock(&j->mutex);
        j->writing = false;
        j->out++;
        if (c->out.ptr)
                ash_array_push(&j->spare, c->out);
        c->out = (AshStr){};
        return r;
}

static int work(void *context, size_t i) {
        Job *j = context;
        Tools t = { .packer = ash_packer_new(j->o->compression, j->level, !j->o->digest) }; /* a checksum is a twelfth of the work, and says nothing that a digest does not */
        Step step;
        (void) i;
        pthread_mutex_lock(&j->mutex);
        while ((step = choose(j)) != STEP_END) {
                int r = 0;
                if (step == STEP_WAIT) {
                        pthread_cond_wait(&j->changed, &j->mutex);
                        continue;
                }
                if (step == STEP_DIGEST)
                        digest_next(j);
                else
                        r = step == STEP_COMPRESS ? compress_next(j, &t) : write_next(j);
                if (r < 0 && !j->error)
                        j->error = r;
                pthread_cond_broadcast(&j->changed);
        }
        pthread_mutex_unlock(&j->mutex);
        ash_packer_free(t.packer);
        ash_str_done(&t.plain);
        return 0;
}

/* ---- the digest of the stream, kept ---- */
/* It follows from the chunks' keys: true when it is known from an earlier time. */
static bool recall(Job *j, AshId *key, uint8_t ret[static 32]) {
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        _bytes_ AshBytes kept = {};
        if (!j->cached)
                return false;
        ash_array_foreach(&j->chunks, c) {
                c->key = key_of(j, c);
                ash_digest_update(d, c->key.sha256, 32);
        }
        ash_digest_final(d, key->sha256);
        if (!j->plain || ash_store_cache_get(j->o->store, "stream", key, &kept) < 0 || kept.len != 32)
                return false;
        memcpy(ret, kept.ptr, 32);
        return true;
}

int ash_layout_write(const AshLayout *l, int fd, const AshWriteOptions *o, AshWritten *ret, AshDiags *diags) {
        _cleanup_(ash_digest_free_p) AshDigest *plain = ash_digest_new(ASH_SHA256), *written = ash_digest_new(ASH_SHA256);
        bool packed = o->compression != ASH_COMP_NONE;
        AshId key = {};
        Job j = { .l = l, .o = o, .fd = fd, .level = o->level ? o->level : o->compression == ASH_COMP_ZSTD ? ZSTD_LEVEL : 0, .cached = o->store && packed, .plain = o->digest || !packed ? plain : NULL, .written = written, .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
        off_t start = lseek(fd, 0, SEEK_CUR);
        unsigned threads = o->threads ? o->threads : ash_cpu_count();
        cut(&j);
        bool known = recall(&j, &key, ret->sha256), wanted = j.plain;
        j.plain = known ? NULL : j.plain;
        ash_parallel_for(threads, threads, true, work, &j);
        ash_array_foreach(&j.chunks, c) {
                ash_str_done(&c->out);
                ash_bytes_done(&c->kept);
        }
        ash_array_foreach(&j.spare, room)
                ash_str_done(room);
        ash_array_done(&j.chunks);
        ash_array_done(&j.spare);
        if (j.error < 0)
                return ash_fail(diags, j.error, ASH_NOWHERE, "cannot write the image: %s", ash_strerror(j.error));
        ret->size = l->size;
        ret->compressed_size = start < 0 ? l->size : (uint64_t) (lseek(fd, 0, SEEK_CUR) - start);
        if (!known)
                ash_digest_final(plain, ret->sha256);
        if (j.cached && wanted && !known)
                (void) ash_store_cache_put(o->store, "stream", &key, ash_slice((const char *) ret->sha256, 32));
        ash_digest_final(written, ret->compressed_sha256);
        if (!packed)
                memcpy(ret->compressed_sha256, ret->sha256, 32);
        return 0;
}
