/* Certificates (RFC 5280) in PEM text (RFC 7468), by libcrypto: what names files after them and what builds stores of trust needs. */
#pragma once
#include "base.h"

typedef struct AshX509Name {
        uint32_t hash;           /* of the subject, as in the link names of "openssl rehash" (X509_NAME_hash: SHA-1 of its canonical form) */
        uint8_t sha1[20];        /* of the certificate: the same one under two names has one link */
} AshX509Name;
/* The text's only certificate. -ENOENT: none, or several; -EINVAL: damaged. */
int ash_x509_name(AshSlice pem, AshX509Name *ret);

/* ---- DER (X.690) and PEM, as much as stores of trust need ---- */
/* Takes one element off the front; false when what is there is not a whole one with this tag. *ret_content is what it has inside, *ret_whole (either may be NULL) it with its head. */
bool ash_der_next(AshSlice *rest, uint8_t tag, AshSlice *ret_content, AshSlice *ret_whole);
void ash_der_append(AshStr *out, uint8_t tag, AshSlice content);
/* The next block of a PEM text, whatever stands between the blocks. -ENOENT: there is none; -EINVAL: damaged. */
int ash_pem_next(AshSlice *rest, AshArena *arena, AshSlice *ret_label, AshSlice *ret_der);
void ash_pem_append(AshStr *out, const char *label, AshSlice der);

typedef struct AshX509 {         /* slices of the arena */
        AshSlice der;            /* the certificate alone */
        AshSlice public_key, subject, issuer, serial; /* their DER */
        AshSlice name;           /* the first common name of its subject, else organizational unit, else organization; empty: none */
        AshSlice purposes;       /* DER of the value of its extended key usage; ptr NULL: it has none */
        uint32_t hash, old_hash; /* of the subject, as OpenSSL 1.0 and later, and as OpenSSL 0.9 name links */
        bool has_constraints, is_authority; /* basic constraints */
        bool version1;
        /* OpenSSL's "TRUSTED CERTIFICATE": object identifiers, one behind the other; the alias is UTF-8 */
        bool has_aux, has_reject;
        AshSlice trust, reject, alias, keyid;
} AshX509;
/* Of DER, with OpenSSL's auxiliary part behind it when "trusted". -EINVAL. */
int ash_x509_read(AshSlice der, bool trusted, AshArena *arena, AshX509 *ret);
