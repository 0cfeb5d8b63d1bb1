#define CURL_DISABLE_TYPECHECK /* its macros name the functions, which are in a table here */
#include <curl/curl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include "io.h"
#include "io-late.h"

/* libcurl, loaded with the first download. */
#define CURL_FUNCTIONS(X) \
        X(easy_cleanup) X(easy_getinfo) X(easy_init) X(easy_setopt) X(easy_strerror) X(global_init) X(multi_add_handle) X(multi_cleanup) X(multi_info_read) X(multi_init) X(multi_perform) \
        X(multi_poll) X(multi_remove_handle) X(slist_append) X(slist_free_all)
static struct {
#define X(f) __typeof__(curl_##f) *f;
        CURL_FUNCTIONS(X)
#undef X
} curl;

#define LIMIT_DEFAULT (UINT64_C(4) << 30)
#define PAUSE_MAX_MS 60000u
#define PROGRESS_THAT_COUNTS (64u << 10) /* a try that brought so many bytes is not held against the URL */
#define TAG_MAX 8192
#define NS_PER_MS UINT64_C(1000000)

typedef enum State { WAITING, ACTIVE, DONE } State;

typedef struct Transfer {
        AshFetch *item;
        struct Job *job;
        State state;
        uint64_t not_before;  /* WAITING: ash_now_ns() at which to begin */
        size_t url;           /* index into item->urls */
        unsigned tries;       /* of this URL that failed */
        int worst;            /* over the URLs tried; see rank() */
        AshStr reasons;       /* a line for each URL that failed */
        bool whole;           /* begin at 0: what is there proved bad */
        bool restarted;       /* that has happened for this URL */
        uint64_t most;        /* bytes there ever were */
        char *if_range;       /* what this try sent */

        CURL *easy;
        struct curl_slist *headers;
        char message[CURL_ERROR_SIZE];
        int problem;          /* set by a callback that stopped the transfer */
        uint64_t last_byte;   /* ash_now_ns() */
        bool answered, body;  /* a header came; the body began */
        AshStr validator, range; /* of the answer: ETag or Last-Modified; Content-Range */

        int fd;               /* PATH.part */
        char *part, *tag;     /* their paths; tag NULL: a private part, which nobody resumes */
        uint64_t size;        /* bytes in it */
        uint64_t begun_at;    /* its size when this try began */
        AshDigest *digest;    /* over these bytes */
} Transfer;

typedef struct Job {
        CURLM *multi;
        AshFetchOptions options;
        AshProgress *progress;
        AshDiags *diags;
        Transfer *transfers;
        size_t n, n_active, n_done;
} Job;

/* ---- small helpers ---- */
static const char *url_of(const Transfer *t) { return t->item->urls[t->url]; }
static bool is_file_url(const char *url) { return strncasecmp(url, "file:", 5) == 0; }

/* Without user and password. */
static char *url_shown(const char *url) {
        AshSlice s = ash_slice_str(url);
        ptrdiff_t scheme = ash_slice_find(s, ASH_S("://"));
        if (scheme < 0)
                return ash_strdup(url);
        size_t host = (size_t) scheme + 3;
        AshSlice rest = ash_slice_from(s, host);
        size_t authority = strcspn(rest.ptr, "/?#");
        ptrdiff_t at = ash_slice_rfind_char(ash_slice(rest.ptr, authority), '@');
        return ash_asprintf("%.*s%s", (int) host, url, rest.ptr + (at < 0 ? 0 : at + 1));
}

/* Which of several failures is told: the one that the user has to know of first. */
static int rank(int code) {
        static const int order[] = { -ENOENT, -EACCES, -EIO, -ASH_ERR_AGAIN, -ASH_ERR_LIMIT, -ASH_ERR_VERIFY };
        for (size_t i = 0; i < ASH_N(order); i++)
                if (order[i] == code)
                        return (int) i + 1;
        return code ? 3 : 0;
}

/* ---- the partial file ---- */
static int part_truncate(Transfer *t) {
        if (ftruncate(t->fd, 0) < 0 || lseek(t->fd, 0, SEEK_SET) < 0)
                return -errno;
        t->size = 0;
        if (t->digest) { /* a new run */
                ash_digest_free(t->digest);
                t->digest = ash_digest_new(t->item->digest_kind);
        }
        if (t->tag)
                unlinkat(t->item->dirfd, t->tag, 0);
        return 0;
}

static void part_close(Transfer *t, bool remove) {
        if (t->fd >= 0) {
                if (remove || !t->tag || !t->size)
                        unlinkat(t->item->dirfd, t->part, 0);
                if (t->tag && (remove || !t->size))
                        unlinkat(t->item->dirfd, t->tag, 0);
        }
        ash_close_p(&t->fd);
        t->fd = -1;
}

/* Opens PATH.part and takes it for us: another process (or item) at the same file gets a part of its own. */
static int part_open(Transfer *t) {
        for (int tries = 0; tries < 10; tries++) {
                struct stat ours, named;
                _close_ int fd = openat(t->item->dirfd, t->part, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
                if (fd < 0)
                        return -errno;
                if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                        if (errno != EWOULDBLOCK)
                                return -errno;
                        free(t->part);
                        free(t->tag);
                        t->tag = NULL;
                        t->part = ash_asprintf("%s.%d-%zu-%d.part", t->item->path, getpid(), (size_t) (t - t->job->transfers), tries);
                        continue;
                }
                if (fstat(fd, &ours) < 0 || !S_ISREG(ours.st_mode))
                        return -EINVAL;
                /* Its owner may have finished between our open and our lock: then the name is gone, and the file is no part any more. */
                if (fstatat(t->item->dirfd, t->part, &named, AT_SYMLINK_NOFOLLOW) < 0 || named.st_ino != ours.st_ino || named.st_dev != ours.st_dev)
                        continue;
                t->fd = ASH_TAKE_FD(fd);
                t->size = (uint64_t) ours.st_size;
                return 0;
        }
        return -EBUSY;
}

static int part_digest(Transfer *t) {
        _free_ char *buffer = ash_malloc(65536);
        for (uint64_t at = 0; at < t->size;) {
                size_t n = (size_t) ASH_MIN(t->size - at, UINT64_C(65536));
                int r = ash_pread_all(t->fd, buffer, n, at);
                if (r < 0)
                        return r;
                ash_digest_update(t->digest, buffer, n);
                at += n;
        }
        return lseek(t->fd, 0, SEEK_END) < 0 ? -errno : 0;
}

static int part_prepare(Transfer *t) {
        uint64_t limit = ASH_MIN(t->item->limit ? t->item->limit : LIMIT_DEFAULT, t->item->size);
        t->part = ash_asprintf("%s.part", t->item->path);
        t->tag = ash_asprintf("%s.part.tag", t->item->path);
        int r = part_open(t);
        if (r < 0)
                return r;
        if (t->item->digest)
                t->digest = ash_digest_new(t->item->digest_kind);
        if (t->size > limit)
                return part_truncate(t);
        return t->digest ? part_digest(t) : lseek(t->fd, 0, SEEK_END) < 0 ? -errno : 0;
}

/* What PATH.part.tag says: the validator for this URL, or nothing. */
static char *tag_read(const Transfer *t) {
        _bytes_ AshBytes text = {};
        AshSlice rest, line;
        if (!t->tag || ash_file_read(t->item->dirfd, t->tag, TAG_MAX, &text) < 0)
                return NULL;
        rest = ash_bytes_slice(&text);
        if (!ash_slice_next_line(&rest, &line) || !ash_slice_eqs(line, url_of(t)) || !ash_slice_next_line(&rest, &line) || !line.len)
                return NULL;
        return ash_slice_dup(line);
}

static void tag_write(Transfer *t) {
        _str_ AshStr text = {};
        if (!t->tag || !t->validator.len || t->validator.len + strlen(url_of(t)) > TAG_MAX - 2)
                return;
        ash_str_appendf(&text, "%s\n%s\n", url_of(t), t->validator.ptr);
        ash_file_write_atomic(t->item->dirfd, t->tag, ash_str_slice(&text), 0644, false); /* without it the next try begins anew, no more */
}

/* ---- callbacks ---- */
static bool header_value(AshSlice line, const char *name, AshSlice *ret) {
        ptrdiff_t colon = ash_slice_find_char(line, ':');
        if (colon < 0 || !ash_slice_eq_nocase(ash_slice(line.ptr, (size_t) colon), ash_slice_str(name)))
                return false;
        *ret = ash_slice_trim(ash_slice_from(line, (size_t) colon + 1));
        return true;
}

static size_t on_header(char *data, size_t size, size_t n, void *user) {
        Transfer *t = user;
        AshSlice line = ash_slice(data, size * n), value;
        t->last_byte = ash_now_ns();
        t->answered = true;
        if (ash_slice_starts(line, ASH_S("HTTP/"))) { /* of a redirection before, or 100 Continue: forget it */
                ash_str_clear(&t->validator);
                ash_str_clear(&t->range);
        } else if (header_value(line, "ETag", &value) && ash_slice_starts(value, ASH_S("\""))) { /* weak ones are no good for ranges: RFC 9110, 13.1.5 */
                ash_str_clear(&t->validator);
                ash_str_append(&t->validator, value);
        } else if (header_value(line, "Last-Modified", &value) && !t->validator.len)
                ash_str_append(&t->validator, value);
        else if (header_value(line, "Content-Range", &value)) {
                ash_str_clear(&t->range);
                ash_str_append(&t->range, value);
        }
        return size * n;
}

/* "bytes 100-199/200": that it begins where we are. */
static bool range_fits(const Transfer *t) {
        AshSlice s = ash_str_slice(&t->range);
        uint64_t start;
        if (!ash_slice_starts(s, ASH_S("bytes ")))
                return false;
        s = ash_slice_trim_left(ash_slice_from(s, 6));
        ptrdiff_t dash = ash_slice_find_char(s, '-');
        return dash > 0 && ash_slice_to_u64(ash_slice(s.ptr, (size_t) dash), 10, &start) >= 0 && start == t->size;
}

/* Before the first byte of the body: are these the bytes that we want, and not too many? */
static int body_begins(Transfer *t) {
        long status = 0;
        curl_off_t length = -1;
        curl.easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        curl.easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        bool other = t->if_range && t->validator.len && !ash_slice_eqs(ash_str_slice(&t->validator), t->if_range); /* a server that ignores If-Range */
        if (t->size && status == 206 && (other || !range_fits(t))) {
                t->whole = true;
                return -ASH_ERR_AGAIN;
        }
        if (t->size && status != 206) {
                int r = part_truncate(t);
                if (r < 0)
                        return r;
        }
        if (!t->size)
                tag_write(t);
        if (length < 0)
                return 0;
        if (t->item->size != UINT64_MAX && t->size + (uint64_t) length != t->item->size)
                return -ASH_ERR_VERIFY;
        return t->size + (uint64_t) length > (t->item->limit ? t->item->limit : LIMIT_DEFAULT) ? -ASH_ERR_LIMIT : 0;
}

static int take(Transfer *t, const void *data, size_t n) {
        if (!t->body) {
                t->body = true;
                int r = body_begins(t);
                if (r < 0)
                        return r;
        }
        if (t->item->size != UINT64_MAX && n > t->item->size - ASH_MIN(t->size, t->item->size))
                return -ASH_ERR_VERIFY;
        if (t->size + n > (t->item->limit ? t->item->limit : LIMIT_DEFAULT))
                return -ASH_ERR_LIMIT;
        int r = ash_write_all(t->fd, data, n);
        if (r < 0)
                return r;
        if (t->digest)
                ash_digest_update(t->digest, data, n);
        t->size += n;
        t->item->bytes += n;
        ash_progress_advance(t->job->progress, n);
        return 0;
}

static size_t on_data(char *data, size_t size, size_t n, void *user) {
        Transfer *t = user;
        t->last_byte = ash_now_ns();
        t->problem = take(t, data, size * n);
        return t->problem < 0 ? CURL_WRITEFUNC_ERROR : size * n;
}

/* ---- one try ---- */
static void set_options(Transfer *t) {
        const AshFetchOptions *o = &t->job->options;
        const char *ca = getenv("CURL_CA_BUNDLE");
        CURL *c = t->easy;
        if (!ca || !ca[0])
                ca = getenv("SSL_CERT_FILE");
        curl.easy_setopt(c, CURLOPT_URL, url_of(t));
        curl.easy_setopt(c, CURLOPT_PRIVATE, t);
        curl.easy_setopt(c, CURLOPT_ERRORBUFFER, t->message);
        curl.easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
        curl.easy_setopt(c, CURLOPT_FAILONERROR, 1L);
        curl.easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
        curl.easy_setopt(c, CURLOPT_MAXREDIRS, 10L);
        curl.easy_setopt(c, CURLOPT_PROTOCOLS_STR, o->allow_file ? "http,https,file" : "http,https");
        curl.easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
        curl.easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long) o->connect_timeout_ms);
        curl.easy_setopt(c, CURLOPT_USERAGENT, o->user_agent);
        curl.easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
        curl.easy_setopt(c, CURLOPT_HEADERDATA, t);
        curl.easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
        curl.easy_setopt(c, CURLOPT_WRITEDATA, t);
        if (ca && ca[0])
                curl.easy_setopt(c, CURLOPT_CAINFO, ca);
        if (t->size) {
                char range[32];
                snprintf(range, sizeof range, "%llu-", (unsigned long long) t->size);
                curl.easy_setopt(c, CURLOPT_RANGE, range);
        }
        if (t->size && t->if_range) {
                _free_ char *header = ash_asprintf("If-Range: %s", t->if_range);
                t->headers = curl.slist_append(NULL, header);
                curl.easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
        }
}

static void end_try(Transfer *t) {
        if (t->easy) {
                curl.multi_remove_handle(t->job->multi, t->easy);
                curl.easy_cleanup(t->easy);
                t->easy = NULL;
        }
        curl.slist_free_all(t->headers);
        t->headers = NULL;
        if (t->state == ACTIVE)
                t->job->n_active--;
}

static void tell_failure(Transfer *t) {
        AshFetch *item = t->item;
        AshDiags *diags = t->job->diags;
        AshSlice rest = ash_str_slice(&t->reasons), line;
        if (item->urls[0] && !item->urls[1] && ash_slice_next_line(&rest, &line)) {
                ash_fail(diags, item->result, item->at, "cannot download %.*s", ASH_F(line));
                return;
        }
        ash_fail(diags, item->result, item->at, "cannot download '%s'", item->path);
        while (ash_slice_next_line(&rest, &line))
                ash_note(diags, ASH_NOWHERE, "%.*s", ASH_F(line));
}

static void finish(Transfer *t, int result) {
        end_try(t);
        t->state = DONE;
        t->job->n_done++;
        t->item->result = result;
        t->item->url = result == 0 ? url_of(t) : NULL;
        part_close(t, result != -ASH_ERR_AGAIN);
        if (result < 0)
                tell_failure(t);
}

/* This URL is given up: the next one, or the end. "fatal": no other URL can help. */
static void give_up_url(Transfer *t, int code, const char *reason, bool fatal) {
        _free_ char *shown = url_shown(url_of(t));
        ash_str_appendf(&t->reasons, "%s: %s\n", shown, reason);
        if (rank(code) > rank(t->worst) || fatal)
                t->worst = code;
        end_try(t);
        t->tries = 0;
        t->restarted = false;
        if (fatal || !t->item->urls[t->url + 1]) {
                t->state = WAITING;
                finish(t, t->worst);
                return;
        }
        t->url++;
        t->state = WAITING;
        t->not_before = 0;
}

static void try_again(Transfer *t, uint64_t pause_ms) {
        end_try(t);
        t->state = WAITING;
        t->not_before = ash_now_ns() + pause_ms * NS_PER_MS;
}

static void fail_passing(Transfer *t, const char *reason, curl_off_t retry_after_s) {
        const AshFetchOptions *o = &t->job->options;
        if (t->size >= t->most + PROGRESS_THAT_COUNTS)
                t->tries = 0;
        t->most = ASH_MAX(t->most, t->size);
        if (t->tries >= o->retries) {
                give_up_url(t, -ASH_ERR_AGAIN, reason, false);
                return;
        }
        uint64_t pause = (uint64_t) o->retry_pause_ms << ASH_MIN(t->tries, 12u);
        pause = ASH_MAX(pause, (uint64_t) ASH_MAX(retry_after_s, (curl_off_t) 0) * 1000);
        t->tries++;
        try_again(t, ASH_MIN(pause, (uint64_t) PAUSE_MAX_MS));
}

/* A reason with both digests, when it is another one. */
static int check_digest(Transfer *t, char *reason, size_t room) {
        uint8_t digest[ASH_DIGEST_SIZE_MAX];
        char came[ASH_HEX_MAX], expected[ASH_HEX_MAX];
        size_t n = ash_digest_size(t->item->digest_kind);
        if (!t->digest)
                return 0;
        ash_digest_final(t->digest, digest);
        if (memcmp(digest, t->item->digest, n) == 0)
                return 0;
        ash_hex(digest, n, came);
        ash_hex(t->item->digest, n, expected);
        snprintf(reason, room, "its %s digest is not the expected one: %s came, %s is expected", ash_digest_name(t->item->digest_kind), came, expected);
        return -ASH_ERR_VERIFY;
}

/* The bytes are here: verify them, give them their name. */
static void complete(Transfer *t) {
        char reason[3 * ASH_HEX_MAX];
        bool resumed = t->begun_at > 0;
        int r = t->item->size != UINT64_MAX && t->item->size != t->size ? -ASH_ERR_VERIFY : 0;
        if (r < 0)
                snprintf(reason, sizeof reason, "it has %llu bytes, %llu were expected", (unsigned long long) t->size, (unsigned long long) t->item->size);
        else
                r = check_digest(t, reason, sizeof reason);
        if (r < 0) {
                int k = part_truncate(t);
                if (k < 0)
                        give_up_url(t, k, ash_strerror(k), true);
                else if (resumed && !t->restarted) { /* what was there before may be at fault */
                        t->whole = t->restarted = true;
                        try_again(t, 0);
                } else
                        give_up_url(t, r, reason, false);
                return;
        }
        if (fsync(t->fd) < 0 || renameat(t->item->dirfd, t->part, t->item->dirfd, t->item->path) < 0) {
                r = -errno;
                give_up_url(t, r, ash_strerror(r), true);
                return;
        }
        if (t->tag)
                unlinkat(t->item->dirfd, t->tag, 0);
        ash_close_p(&t->fd);
        t->fd = -1;
        finish(t, 0);
}

static bool status_passes(long status) { return status == 408 || status == 425 || status == 429 || (status >= 500 && status != 501 && status != 505); }

static void on_status(Transfer *t, long status) {
        char reason[64];
        curl_off_t after = 0, total_known = -1;
        AshSlice range = ash_str_slice(&t->range);
        uint64_t total;
        if (status == 416 && t->size) { /* our part is the whole, or longer than what the server has now */
                if (ash_slice_starts(range, ASH_S("bytes */")) && ash_slice_to_u64(ash_slice_from(range, 8), 10, &total) >= 0)
                        total_known = (curl_off_t) total;
                if (total_known == (curl_off_t) t->size) {
                        complete(t);
                        return;
                }
                t->whole = true;
                fail_passing(t, "the server refuses the range", 0);
                return;
        }
        snprintf(reason, sizeof reason, "the server answers with HTTP status %ld", status);
        curl.easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &after);
        if (status_passes(status))
                fail_passing(t, reason, after);
        else
                give_up_url(t, status == 404 || status == 410 ? -ENOENT : status == 401 || status == 403 || status == 407 ? -EACCES : -EIO, reason, false);
}

/* A callback stopped it: our own reasons. */
static void on_problem(Transfer *t) {
        char reason[128];
        switch (-t->problem) {
        case ASH_ERR_AGAIN:
                fail_passing(t, "the server sends another range than was asked for", 0);
                break;
        case ASH_ERR_VERIFY:
                snprintf(reason, sizeof reason, "it does not have the expected %llu bytes", (unsigned long long) t->item->size);
                if (part_truncate(t) < 0)
                        t->whole = true;
                give_up_url(t, -ASH_ERR_VERIFY, reason, false);
                break;
        case ASH_ERR_LIMIT:
                snprintf(reason, sizeof reason, "it has more than the allowed %llu bytes", (unsigned long long) (t->item->limit ? t->item->limit : LIMIT_DEFAULT));
                if (part_truncate(t) < 0)
                        t->whole = true;
                give_up_url(t, -ASH_ERR_LIMIT, reason, false);
                break;
        default:
                snprintf(reason, sizeof reason, "cannot write it: %s", ash_strerror(t->problem));
                give_up_url(t, t->problem, reason, true);
        }
}

static void on_end(Transfer *t, CURLcode code) {
        long status = 0;
        _free_ char *reason = ash_strdup(t->message[0] ? t->message : curl.easy_strerror(code));
        curl.easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        if (t->problem < 0) {
                on_problem(t);
                return;
        }
        switch (code) {
        case CURLE_OK:
                if (!t->body && (t->problem = body_begins(t)) < 0) /* an empty one */
                        on_problem(t);
                else
                        complete(t);
                break;
        case CURLE_HTTP_RETURNED_ERROR:
                on_status(t, status);
                break;
        case CURLE_FILE_COULDNT_READ_FILE:
                give_up_url(t, -ENOENT, reason, false);
                break;
        case CURLE_PEER_FAILED_VERIFICATION: case CURLE_SSL_CACERT_BADFILE: case CURLE_SSL_ISSUER_ERROR:
                give_up_url(t, -ASH_ERR_VERIFY, reason, false);
                break;
        case CURLE_UNSUPPORTED_PROTOCOL: case CURLE_URL_MALFORMAT: case CURLE_TOO_MANY_REDIRECTS:
                give_up_url(t, -EINVAL, reason, false);
                break;
        default:
                fail_passing(t, reason, 0);
        }
}

static int begin(Transfer *t) {
        if (t->fd < 0) {
                int r = part_prepare(t);
                if (r < 0)
                        return r;
        }
        free(t->if_range);
        t->if_range = t->size ? tag_read(t) : NULL;
        if (t->size && (t->whole || is_file_url(url_of(t)) || (!t->if_range && !t->digest))) {
                int r = part_truncate(t);
                if (r < 0)
                        return r;
        }
        t->whole = false;
        t->problem = 0;
        t->message[0] = 0;
        t->answered = t->body = false;
        t->begun_at = t->size;
        t->last_byte = ash_now_ns();
        ash_str_clear(&t->validator);
        ash_str_clear(&t->range);
        if (t->size && t->size == t->item->size && t->digest) { /* all is here already */
                complete(t);
                return 0;
        }
        t->easy = curl.easy_init();
        if (!t->easy)
                return -ENOMEM;
        set_options(t);
        if (curl.multi_add_handle(t->job->multi, t->easy) != CURLM_OK)
                return -EIO;
        t->state = ACTIVE;
        t->job->n_active++;
        return 0;
}

/* ---- all of them ---- */
static void begin_waiting(Job *job) {
        uint64_t now = ash_now_ns();
        for (size_t i = 0; i < job->n && job->n_active < job->options.parallel; i++) {
                Transfer *t = &job->transfers[i];
                if (t->state != WAITING || t->not_before > now)
                        continue;
                int r = t->item->urls[0] ? begin(t) : -EINVAL;
                if (r < 0 && t->item->urls[0])
                        give_up_url(t, r, ash_strerror(r), true);
                else if (r < 0)
                        finish(t, r);
        }
}

static void take_ended(Job *job) {
        int left;
        for (CURLMsg *m; (m = curl.multi_info_read(job->multi, &left));) {
                Transfer *t = NULL;
                CURLcode code = m->data.result;
                if (m->msg == CURLMSG_DONE && curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **) &t) == CURLE_OK && t)
                        on_end(t, code);
        }
}

/* Ends what is stalled; returns the ms until something has to be looked at again. */
static int next_deadline(Job *job) {
        uint64_t now = ash_now_ns(), first = now + 1000 * NS_PER_MS;
        for (size_t i = 0; i < job->n; i++) {
                Transfer *t = &job->transfers[i];
                if (t->state == ACTIVE) {
                        /* Before an answer curl's own time limit for connecting counts first. */
                        unsigned ms = t->answered ? job->options.stall_timeout_ms : ASH_MAX(job->options.stall_timeout_ms, job->options.connect_timeout_ms);
                        uint64_t end = t->last_byte + ms * NS_PER_MS;
                        if (now >= end) {
                                fail_passing(t, "no data came for too long", 0);
                                end = now;
                        }
                        first = ASH_MIN(first, end);
                }
                if (t->state == WAITING && (t->not_before > now || job->n_active < job->options.parallel))
                        first = ASH_MIN(first, ASH_MAX(t->not_before, now));
        }
        return (int) ((first - now + NS_PER_MS - 1) / NS_PER_MS);
}

static void run(Job *job) {
        while (job->n_done < job->n) {
                int running;
                begin_waiting(job);
                curl.multi_perform(job->multi, &running);
                take_ended(job);
                int ms = next_deadline(job);
                if (job->n_done < job->n)
                        curl.multi_poll(job->multi, NULL, 0, ms, NULL);
        }
}

static void transfer_done(Transfer *t) {
        part_close(t, false);
        free(t->part);
        free(t->tag);
        free(t->if_range);
        ash_digest_free(t->digest);
        ash_str_done(&t->reasons);
        ash_str_done(&t->validator);
        ash_str_done(&t->range);
}

static void job_done(Job *job) {
        for (size_t i = 0; i < job->n; i++)
                transfer_done(&job->transfers[i]);
        free(job->transfers);
        curl.multi_cleanup(job->multi);
}

static int load_curl(AshDiags *diags) {
        static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
        static bool loaded;
        static const char *const sonames[] = { "libcurl.so.4", "libcurl-gnutls.so.4" };
        static const char *const names[] = {
#define X(f) "curl_" #f,
                CURL_FUNCTIONS(X)
#undef X
        };
        _Static_assert(sizeof curl == sizeof names, "a pointer for each name");
        pthread_mutex_lock(&mutex);
        int r = loaded ? 0 : ash_late_load(sonames, ASH_N(sonames), names, ASH_N(names), (void **) &curl, diags);
        if (r >= 0 && !loaded)
                curl.global_init(CURL_GLOBAL_DEFAULT);
        loaded = r >= 0;
        pthread_mutex_unlock(&mutex);
        return r;
}

static AshFetchOptions with_defaults(const AshFetchOptions *given) {
        AshFetchOptions o = given ? *given : (AshFetchOptions){};
        o.parallel = o.parallel ? o.parallel : 8;
        o.retries = o.retries == UINT_MAX ? 0 : o.retries ? o.retries : 3;
        o.connect_timeout_ms = o.connect_timeout_ms ? o.connect_timeout_ms : 10000;
        o.stall_timeout_ms = o.stall_timeout_ms ? o.stall_timeout_ms : 30000;
        o.retry_pause_ms = o.retry_pause_ms ? o.retry_pause_ms : 500;
        o.user_agent = o.user_agent ? o.user_agent : "ashlar/" ASHLAR_VERSION;
        return o;
}

static uint64_t total_bytes(const AshFetch *items, size_t n) {
        uint64_t total = 0;
        for (size_t i = 0; i < n; i++)
                if (items[i].size == UINT64_MAX || __builtin_add_overflow(total, items[i].size, &total))
                        return 0;
        return total;
}

static bool has_file_url(const AshFetch *item) {
        for (const char *const *url = item->urls; *url; url++)
                if (ash_slice_starts(ash_slice_str(*url), ASH_S("file:")))
                        return true;
        return false;
}

/* What only the network has, of a run that may not use it: named once, not for each file. */
static int refuse_offline(AshFetch *items, size_t n, AshDiags *diags) {
        const AshFetch *first = NULL;
        size_t more = 0;
        for (size_t i = 0; i < n; i++)
                if (!has_file_url(&items[i])) {
                        items[i].result = -ASH_ERR_AGAIN;
                        more += first != NULL;
                        first = first ? first : &items[i];
                }
        if (!first)
                return 0;
        ash_fail(diags, -ASH_ERR_AGAIN, first->at, "%s was not fetched before, and this run is offline", first->urls[0] ? first->urls[0] : "it");
        if (more)
                ash_note(diags, ASH_NOWHERE, "so are %zu other files", more);
        return -ASH_ERR_AGAIN;
}

int ash_fetch(AshFetch *items, size_t n, const AshFetchOptions *options, AshProgress *progress, AshDiags *diags) {
        int r = options && options->offline ? refuse_offline(items, n, diags) : 0;
        if (r >= 0)
                r = load_curl(diags);
        if (r < 0)
                return r;
        _cleanup_(job_done) Job job = { .multi = curl.multi_init(), .options = with_defaults(options), .progress = progress, .diags = diags, .n = n };
        job.transfers = ash_calloc(n, sizeof *job.transfers);
        for (size_t i = 0; i < n; i++) {
                job.transfers[i] = (Transfer){ .item = &items[i], .job = &job, .fd = -1 };
                items[i].result = 0;
                items[i].bytes = 0;
                items[i].url = NULL;
        }
        if (!job.multi)
                return ash_fail(diags, -ENOMEM, ASH_NOWHERE, "cannot start libcurl");
        /* A connection that breaks while TLS writes to it must not end the program. */
        sigset_t pipe_signal, before, pending;
        sigemptyset(&pipe_signal);
        sigaddset(&pipe_signal, SIGPIPE);
        sigpending(&pending);
        pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
        ash_progress_begin(progress, "download", total_bytes(items, n), ASH_UNIT_BYTES);
        run(&job);
        ash_progress_end(progress);
        if (!sigismember(&pending, SIGPIPE))
                sigtimedwait(&pipe_signal, NULL, &(struct timespec){});
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        for (size_t i = 0; i < n; i++)
                if (items[i].result < 0)
                        return items[i].result;
        return 0;
}
