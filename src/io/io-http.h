/* Downloads by libcurl: several at once, resume, retries, mirrors, proxies (from the environment), file:// too.
 *
 * A partial download is PATH.part; PATH.part.tag beside it says what it is a part of (the URL and its ETag or Last-Modified). It is resumed when the
 * server confirms that its file is still that one (If-Range), or when a digest is known, which then decides. A part that fails its digest is
 * fetched once more from the start before it counts. PATH.part is kept only where going on later can help (-ASH_ERR_AGAIN). */
#pragma once
#include "base.h"
#include "io-digest.h"

typedef struct AshFetch {
        const char *const *urls;     /* NULL-terminated: tried in turn */
        int dirfd;                   /* where to write ... */
        const char *path;            /* ... atomically; a partial download is kept as PATH.part and resumed when the server allows it */
        AshDigestKind digest_kind;   /* checked before the file gets its name ... */
        const uint8_t *digest;       /* ... NULL: no digest is known */
        uint64_t size;               /* expected bytes; UINT64_MAX: not known */
        uint64_t limit;              /* refuses more bytes than this; 0: 4 GiB */
        AshSpan at;                  /* where the request comes from, for diagnostics */
        /* results */
        int result;                  /* 0, or: -ENOENT (404 everywhere), -ASH_ERR_VERIFY (digest, size, TLS), -ASH_ERR_AGAIN (time-outs, 5xx), -ASH_ERR_LIMIT, -errno */
        uint64_t bytes;              /* downloaded now */
        const char *url;             /* which of urls gave it */
} AshFetch;

typedef struct AshFetchOptions {
        unsigned parallel;           /* 0: 8 */
        unsigned retries;            /* per URL, after the first try; with growing pauses; 0: 3, UINT_MAX: none */
        unsigned connect_timeout_ms; /* 0: 10,000 */
        unsigned stall_timeout_ms;   /* no byte for that long: 0: 30,000 */
        const char *user_agent;      /* NULL: "ashlar/VERSION" */
        unsigned retry_pause_ms;     /* before the first retry; doubles each time; 0: 500. A server's Retry-After counts, too, up to a minute */
        bool allow_file;             /* file:// URLs */
        bool offline;                /* nothing else: what has to come over the network is -ASH_ERR_AGAIN */
} AshFetchOptions;

/* All of them; each item's own result says how it went, with a diagnostic for each failure. Returns the first failure, or 0. */
int ash_fetch(AshFetch *items, size_t n, const AshFetchOptions *options, AshProgress *progress, AshDiags *diags);
