/* Certificates (RFC 5280) in PEM text (RFC 7468), by libcrypto: only what names files after them needs. */
#pragma once
#include "base.h"

typedef struct AshX509Name {
        uint32_t hash;           /* of the subject, as in the link names of "openssl rehash" (X509_NAME_hash: SHA-1 of its canonical form) */
        uint8_t sha1[20];        /* of the certificate: the same one under two names has one link */
} AshX509Name;
/* The text's only certificate. -ENOENT: none, or several; -EINVAL: damaged. */
int ash_x509_name(AshSlice pem, AshX509Name *ret);
