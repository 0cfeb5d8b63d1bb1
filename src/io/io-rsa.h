/* RSA signatures over a digest (RFC 8017 section 8.2, PKCS #1 v1.5), by libcrypto: several times faster than other libraries, which is what signing many packages costs. */
#pragma once
#include "base.h"

typedef struct AshRsaKey AshRsaKey; /* may be used by several threads at once */
/* All numbers as hex. -EINVAL when they make no key. */
int ash_rsa_key_new(const char *n, const char *e, const char *d, const char *p, const char *q, AshRsaKey **ret);
void ash_rsa_key_free(AshRsaKey *key);
ASH_DEFINE_CLEANUP(AshRsaKey *, ash_rsa_key_free)
/* Signs a SHA-256 digest (32 bytes) and appends the signature, as long as the modulus. */
int ash_rsa_sign_sha256(const AshRsaKey *key, const uint8_t digest[static 32], AshStr *ret);
