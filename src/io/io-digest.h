/* Digests, by OpenSSL's EVP. */
#pragma once
#include "base.h"

typedef enum AshDigestKind { ASH_MD5, ASH_SHA1, ASH_SHA224, ASH_SHA256, ASH_SHA384, ASH_SHA512, ASH_SHA3_256, ASH_DIGEST_MAX_, ASH_DIGEST_INVALID_ = -EINVAL } AshDigestKind;
#define ASH_DIGEST_SIZE_MAX 64

const char *ash_digest_name(AshDigestKind kind);                  /* "sha256" */
AshDigestKind ash_digest_kind(AshSlice name);                     /* any case, "sha256", "SHA-256" and "sha" (as rpm-md says SHA-1) */
size_t ash_digest_size(AshDigestKind kind);                       /* bytes */

typedef struct AshDigest AshDigest;
AshDigest *ash_digest_new(AshDigestKind kind);
void ash_digest_free(AshDigest *d);
ASH_DEFINE_CLEANUP(AshDigest *, ash_digest_free)
void ash_digest_update(AshDigest *d, const void *data, size_t n);
void ash_digest_final(AshDigest *d, uint8_t *ret);                /* ash_digest_size() bytes; d is ready for a new run after */

void ash_digest_of(AshDigestKind kind, AshSlice data, uint8_t *ret);
/* SHA-256 of two texts, best of like length: on processors with instructions for it they take little more than the longer of them alone. */
void ash_digest_two(const AshSlice data[2], uint8_t ret[2][32]);
/* Lower-case hex of a whole slice; "ret" has room for 2 * size + 1. */
void ash_digest_hex_of(AshDigestKind kind, AshSlice data, char *ret);
int ash_digest_file(AshDigestKind kind, int dirfd, const char *path, uint8_t *ret, uint64_t *ret_size);
/* No digest: finds accidental damage to what we wrote ourselves, at the speed of memory. Any change within one eight-byte word is found for certain, others but for one in 2^64. */
uint64_t ash_checksum(AshSlice data);
void ash_hex(const void *data, size_t n, char *ret);              /* 2n + 1 bytes, NUL-terminated, lower case */
int ash_unhex(AshSlice hex, uint8_t *ret, size_t n);              /* exactly 2n digits, any case; -EINVAL */
#define ASH_HEX_MAX (2 * ASH_DIGEST_SIZE_MAX + 1)
