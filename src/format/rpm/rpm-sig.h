/* Signature headers of RPM packages, made anew around further signatures (rpm.org: "RPM V4 Package format", signature header). */
#pragma once
#include "rpm-read.h"

typedef struct AshRpmNewSignature {
        bool rsa;        /* else EdDSA or DSA: rpm keeps the two kinds under different tags */
        AshSlice packet; /* binary OpenPGP signature over the main header with its magic (AshRpm.header_bytes) */
} AshRpmNewSignature;

/* Appends the signature header with its magic, padded to 8 bytes: everything of the old one but its OpenPGP signatures and reserved space, and the new signatures: the first RSA and the
 * first other one under the tags that rpm 4 reads, and, when there are more, all of them under the tag of rpm 6 too. */
void ash_rpm_sig_header_build(const AshRpmHeader *old, const AshRpmNewSignature *signatures, size_t n, AshStr *out);
