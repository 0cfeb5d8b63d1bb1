/* OpenPGP signatures: keyrings and detached verification, by librnp in-process (RFC 4880, RFC 9580). */
#pragma once
#include "io.h"
#include "rpm-read.h"

typedef struct AshKeyring AshKeyring;
int ash_keyring_new(AshKeyring **ret, AshDiags *diags);
void ash_keyring_free(AshKeyring *k);
ASH_DEFINE_CLEANUP(AshKeyring *, ash_keyring_free)
/* Adds every public key of an armored or binary file. name is for the diagnostic. Returns the count of keys (primary ones), -ASH_ERR_SYNTAX when there is none. */
int ash_keyring_add(AshKeyring *k, AshSlice bytes, const char *name, AshDiags *diags);
size_t ash_keyring_count(const AshKeyring *k);

typedef enum AshSigStatus {
        ASH_SIG_GOOD,
        ASH_SIG_BAD,             /* the key is there, the signature does not match */
        ASH_SIG_UNKNOWN_KEY,     /* not in the keyring */
        ASH_SIG_EXPIRED_KEY,     /* the key had expired when the signature was made, or is expired now */
        ASH_SIG_REVOKED_KEY,
        ASH_SIG_EXPIRED,         /* the signature itself has expired */
        ASH_SIG_WEAK,            /* matches, but the hash or key algorithm is not accepted (MD5; SHA-1 unless allowed) */
        ASH_SIG_MALFORMED,       /* no OpenPGP signature packet */
        ASH_SIG_STATUS_MAX_
} AshSigStatus;
const char *ash_sig_status_name(AshSigStatus s); /* "good", "bad signature", "unknown key" ... */

typedef struct AshSigResult {
        AshSigStatus status;
        char key_id[17];         /* of the key that signed (a subkey, maybe), lower-case hex; "" when the packet does not say */
        char fingerprint[65];    /* of that key's primary key, lower-case hex; "" when unknown */
        char hash[16];           /* "sha256" */
        char algorithm[16];      /* "rsa", "eddsa", "dsa", "ecdsa" */
        uint64_t created;        /* Unix seconds */
        char user_id[256];       /* of the primary key */
} AshSigResult;

typedef struct AshVerifyOptions {
        bool allow_sha1;         /* accept SHA-1 (rpm packages of the past); never for repository metadata */
} AshVerifyOptions;

/* One detached signature (binary or armored; several packets in it: the best result counts) over the concatenation of the slices.
 * Returns 0 when the check could be made (look at ret->status), negative only for a failure of our own. Thread-safe for one keyring. */
int ash_verify_detached(AshKeyring *k, AshSlice signature, const AshSlice *data, size_t n_data, const AshVerifyOptions *options, AshSigResult *ret, AshDiags *diags);

typedef struct AshRpmSigReport {
        ASH_ARRAY(AshSigResult) results; /* in the order of ash_rpm_signatures() */
        ASH_ARRAY(uint32_t) tags;
        bool header_signed;      /* a good signature covers the header, and through it the payload's digest */
        bool payload_signed;     /* a good legacy signature covers header and payload */
} AshRpmSigReport;
void ash_rpm_sig_report_done(AshRpmSigReport *r);
/* Digests and every signature of a package. 0: digests good and at least one good signature and no bad one. -ASH_ERR_VERIFY otherwise, with diagnostics that name the package and the key;
 * -ENOKEY when all is well but no key of the keyring made a signature; -ENODATA when it carries no signature. ret is set in every case. */
int ash_rpm_verify(AshKeyring *k, const AshRpm *rpm, const AshVerifyOptions *options, AshRpmSigReport *ret, AshDiags *diags);
