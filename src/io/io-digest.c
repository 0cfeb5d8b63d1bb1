#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include "io.h"
#include "io-sha256.h"

static const struct {
        const char *name, *evp;
        uint8_t size;
} kinds[ASH_DIGEST_MAX_] = {
        [ASH_MD5] = { "md5", "MD5", 16 },          [ASH_SHA1] = { "sha1", "SHA1", 20 },       [ASH_SHA224] = { "sha224", "SHA2-224", 28 },
        [ASH_SHA256] = { "sha256", "SHA2-256", 32 }, [ASH_SHA384] = { "sha384", "SHA2-384", 48 }, [ASH_SHA512] = { "sha512", "SHA2-512", 64 },
        [ASH_SHA3_256] = { "sha3256", "SHA3-256", 32 },
};

/* Looked up once: a fetch costs more than the digest of a small file. Never changes after. */
static EVP_MD *algorithms[ASH_DIGEST_MAX_];
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void fetch_all(void) {
        for (size_t i = 0; i < ASH_N(kinds); i++) {
                algorithms[i] = EVP_MD_fetch(NULL, kinds[i].evp, NULL);
                if (!algorithms[i]) /* a host in FIPS mode; old formats still need MD5 and SHA-1 as checksums */
                        algorithms[i] = EVP_MD_fetch(NULL, kinds[i].evp, "-fips");
        }
}

const char *ash_digest_name(AshDigestKind kind) { return (unsigned) kind < ASH_DIGEST_MAX_ ? kinds[kind].name : NULL; }
size_t ash_digest_size(AshDigestKind kind) { return (unsigned) kind < ASH_DIGEST_MAX_ ? kinds[kind].size : 0; }

AshDigestKind ash_digest_kind(AshSlice name) {
        char plain[8] = "";
        size_t n = 0;
        for (size_t i = 0; i < name.len; i++) {
                if (name.ptr[i] == '-' || name.ptr[i] == '_')
                        continue;
                if (n == sizeof plain - 1)
                        return ASH_DIGEST_INVALID_;
                plain[n++] = name.ptr[i];
        }
        if (ash_slice_eq_nocase(ash_slice(plain, n), ASH_S("sha")))
                return ASH_SHA1;
        for (size_t i = 0; i < ASH_N(kinds); i++)
                if (ash_slice_eq_nocase(ash_slice(plain, n), ash_slice_str(kinds[i].name)))
                        return (AshDigestKind) i;
        return ASH_DIGEST_INVALID_;
}

struct AshDigest {
        EVP_MD_CTX *context;
        AshDigestKind kind;
};

/* Digests only fail when memory is gone or the library is broken: nothing that a caller could go on with. */
static void must(int ok) {
        if (ok)
                return;
        static const char text[] = "ashlar: libcrypto cannot digest\n";
        fwrite(text, 1, sizeof text - 1, stderr);
        abort();
}

AshDigest *ash_digest_new(AshDigestKind kind) {
        must((unsigned) kind < ASH_DIGEST_MAX_);
        pthread_once(&fetched, fetch_all);
        AshDigest *d = ash_calloc(1, sizeof *d);
        d->kind = kind;
        d->context = EVP_MD_CTX_new();
        must(d->context && algorithms[kind] && EVP_DigestInit_ex2(d->context, algorithms[kind], NULL));
        return d;
}

void ash_digest_free(AshDigest *d) {
        if (!d)
                return;
        EVP_MD_CTX_free(d->context);
        free(d);
}

void ash_digest_update(AshDigest *d, const void *data, size_t n) {
        if (n)
                must(EVP_DigestUpdate(d->context, data, n));
}

void ash_digest_final(AshDigest *d, uint8_t *ret) {
        must(EVP_DigestFinal_ex(d->context, ret, NULL));
        must(EVP_DigestInit_ex2(d->context, algorithms[d->kind], NULL));
}

void ash_digest_of(AshDigestKind kind, AshSlice data, uint8_t *ret) {
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(kind);
        ash_digest_update(d, data.ptr, data.len);
        must(EVP_DigestFinal_ex(d->context, ret, NULL));
}

/* Asked once: a guest's question of what its processor can do is answered by the host. */
static bool two_are_fast;
static pthread_once_t asked = PTHREAD_ONCE_INIT;
static void ask(void) { two_are_fast = ash_sha256_is_fast(); }

void ash_digest_two(const AshSlice data[2], uint8_t ret[2][32]) {
        pthread_once(&asked, ask);
        if (two_are_fast) {
                ash_sha256_of(data, 2, (uint8_t *const[]){ ret[0], ret[1] });
                return;
        }
        for (size_t i = 0; i < 2; i++)
                ash_digest_of(ASH_SHA256, data[i], ret[i]);
}

void ash_digest_hex_of(AshDigestKind kind, AshSlice data, char *ret) {
        uint8_t bytes[ASH_DIGEST_SIZE_MAX];
        ash_digest_of(kind, data, bytes);
        ash_hex(bytes, ash_digest_size(kind), ret);
}

int ash_digest_file(AshDigestKind kind, int dirfd, const char *path, uint8_t *ret, uint64_t *ret_size) {
        enum { BUFFER = 256 << 10 };
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(kind);
        _close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;
        _free_ char *buffer = ash_malloc(BUFFER);
        uint64_t size = 0;
        for (;;) {
                ssize_t k = read(fd, buffer, BUFFER);
                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                if (k == 0)
                        break;
                ash_digest_update(d, buffer, (size_t) k);
                size += (uint64_t) k;
        }
        ash_digest_final(d, ret);
        if (ret_size)
                *ret_size = size;
        return 0;
}

void ash_hex(const void *data, size_t n, char *ret) {
        static const char digits[] = "0123456789abcdef";
        const uint8_t *p = data;
        for (size_t i = 0; i < n; i++) {
                ret[2 * i] = digits[p[i] >> 4];
                ret[2 * i + 1] = digits[p[i] & 15];
        }
        ret[2 * n] = 0;
}

/* 1 + what a digit stands for. */
static const uint8_t nibbles[256] = { ['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ['a'] = 11, 12, 13, 14, 15, 16, ['A'] = 11, 12, 13, 14, 15, 16 };

int ash_unhex(AshSlice hex, uint8_t *ret, size_t n) {
        const uint8_t *p = (const uint8_t *) hex.ptr;
        if (hex.len != 2 * n)
                return -EINVAL;
        for (size_t i = 0; i < hex.len; i++)
                if (!nibbles[p[i]])
                        return -EINVAL;
        for (size_t i = 0; i < n; i++)
                ret[i] = (uint8_t) ((nibbles[p[2 * i]] - 1) << 4 | (nibbles[p[2 * i + 1]] - 1));
        return 0;
}

/* Eight lanes, so that the processor multiplies several at once; each step is a bijection of its lane, so a lane never forgets a difference. */
uint64_t ash_checksum(AshSlice data) {
        uint64_t lanes[8], word, sum = data.len;
        const char *p = data.ptr;
        size_t n = data.len;
        for (int i = 0; i < 8; i++)
                lanes[i] = 0x9e3779b97f4a7c15u * (uint64_t) (i + 1);
        for (; n >= sizeof lanes; p += sizeof lanes, n -= sizeof lanes)
                for (int i = 0; i < 8; i++) {
                        memcpy(&word, p + 8 * i, sizeof word);
                        lanes[i] = (lanes[i] ^ word) * 0xd6e8feb86659fd93u;
                        lanes[i] ^= lanes[i] >> 32;
                }
        for (int i = 0; n > 0; i++) {
                size_t part = ASH_MIN(n, sizeof word);
                word = 0;
                memcpy(&word, p, part);
                lanes[i] = (lanes[i] ^ word) * 0xd6e8feb86659fd93u;
                lanes[i] ^= lanes[i] >> 32;
                p += part;
                n -= part;
        }
        for (int i = 0; i < 8; i++) {
                sum = (sum ^ lanes[i]) * 0xa0761d6478bd642fu;
                sum ^= sum >> 29;
        }
        return sum;
}
