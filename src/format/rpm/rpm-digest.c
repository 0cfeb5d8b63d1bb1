/* The digests that a package carries about itself. They prove that it is whole, not who made it. */
#include "rpm-read.h"

static AshDigestKind digest_kind(uint64_t algorithm) {
        switch (algorithm) {
        case ASH_RPMDIGEST_MD5: return ASH_MD5;
        case ASH_RPMDIGEST_SHA1: return ASH_SHA1;
        case ASH_RPMDIGEST_SHA224: return ASH_SHA224;
        case ASH_RPMDIGEST_SHA256: return ASH_SHA256;
        case ASH_RPMDIGEST_SHA384: return ASH_SHA384;
        case ASH_RPMDIGEST_SHA512: return ASH_SHA512;
        case ASH_RPMDIGEST_SHA3_256: return ASH_SHA3_256;
        default: return ASH_DIGEST_INVALID_;
        }
}

static AshRpmVerdict compare(const uint8_t *got, AshDigestKind kind, AshSlice hex) {
        uint8_t want[ASH_DIGEST_SIZE_MAX];
        size_t size = ash_digest_size(kind);
        return ash_unhex(hex, want, size) >= 0 && memcmp(got, want, size) == 0 ? ASH_RPM_GOOD : ASH_RPM_BAD;
}

/* A digest given as hex in a string tag. */
static AshRpmVerdict check_hex(const AshRpmHeader *h, uint32_t tag, AshDigestKind kind, AshSlice data) {
        uint8_t got[ASH_DIGEST_SIZE_MAX];
        if (!ash_rpm_has(h, tag))
                return ASH_RPM_ABSENT;
        if (kind < 0)
                return ASH_RPM_UNKNOWN;
        AshSlice hex = ash_rpm_string(h, tag);
        if (hex.len != 2 * ash_digest_size(kind))
                return ASH_RPM_BAD;
        ash_digest_of(kind, data, got);
        return compare(got, kind, hex);
}

static AshRpmVerdict check_md5(const AshRpm *rpm) {
        uint8_t got[ASH_DIGEST_SIZE_MAX];
        if (!ash_rpm_has(&rpm->sig, ASH_RPMSIG_MD5))
                return ASH_RPM_ABSENT;
        AshSlice want = ash_rpm_bytes(&rpm->sig, ASH_RPMSIG_MD5);
        if (want.len != 16)
                return ASH_RPM_BAD;
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_MD5);
        if (!d) /* a system that forbids MD5 */
                return ASH_RPM_UNKNOWN;
        ash_digest_update(d, rpm->header_bytes.ptr, rpm->header_bytes.len);
        ash_digest_update(d, rpm->payload.ptr, rpm->payload.len);
        ash_digest_final(d, got);
        return memcmp(got, want.ptr, 16) == 0 ? ASH_RPM_GOOD : ASH_RPM_BAD;
}

static AshRpmVerdict check_size(const AshRpm *rpm) {
        uint64_t size;
        if (!ash_rpm_number(&rpm->sig, ASH_RPMSIG_LONGSIZE, &size) && !ash_rpm_number(&rpm->sig, ASH_RPMSIG_SIZE, &size))
                return ASH_RPM_ABSENT;
        return size == (uint64_t) rpm->header_bytes.len + rpm->payload.len ? ASH_RPM_GOOD : ASH_RPM_BAD;
}

static AshDigestKind payload_kind(const AshRpm *rpm) {
        uint64_t algorithm = ASH_RPMDIGEST_SHA256;
        ash_rpm_number(&rpm->header, ASH_RPMTAG_PAYLOADDIGESTALGO, &algorithm);
        return digest_kind(algorithm);
}

/* Of the uncompressed payload: for a package whose payload was compressed anew. */
static AshRpmVerdict check_payload_alt(const AshRpm *rpm) {
        AshDigestKind kind = payload_kind(rpm);
        AshSlice hex = ash_rpm_string(&rpm->header, ASH_RPMTAG_PAYLOADDIGESTALT);
        uint8_t buffer[65536], got[ASH_DIGEST_SIZE_MAX];
        if (!hex.ptr)
                return ASH_RPM_ABSENT;
        if (kind < 0)
                return ASH_RPM_UNKNOWN;
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(kind);
        _cleanup_(ash_reader_free_p) AshReader *in =
                ash_reader_new_decompress(ash_reader_new_memory(rpm->payload), true, ash_compression_detect(rpm->payload), (uint64_t) 64 << 30);
        for (;;) {
                ssize_t n = ash_reader_read(in, buffer, sizeof(buffer));
                if (n < 0)
                        return ASH_RPM_BAD;
                if (n == 0)
                        break;
                ash_digest_update(d, buffer, (size_t) n);
        }
        if (in->error)
                return ASH_RPM_BAD;
        ash_digest_final(d, got);
        return compare(got, kind, hex);
}

static void check_header(const AshRpm *rpm, AshRpmDigests *d) {
        d->header_sha1 = check_hex(&rpm->sig, ASH_RPMSIG_SHA1, ASH_SHA1, rpm->header_bytes);
        d->header_sha256 = check_hex(&rpm->sig, ASH_RPMSIG_SHA256, ASH_SHA256, rpm->header_bytes);
        d->header_sha3 = check_hex(&rpm->sig, ASH_RPMSIG_SHA3_256, ASH_SHA3_256, rpm->header_bytes);
}

static int judge(const AshRpm *rpm, const AshRpmDigests *d, AshDiags *diags) {
        const struct { const char *what; AshRpmVerdict verdict; bool header, payload; } rows[] = {
                { "SHA-1 of the header", d->header_sha1, true, false },
                { "SHA-256 of the header", d->header_sha256, true, false },
                { "SHA3-256 of the header", d->header_sha3, true, false },
                { "MD5 of header and payload", d->md5, true, true },
                { "size of header and payload", d->size, false, false },
                { "digest of the payload", d->payload, false, true },
                { "SHA-512 of the payload", d->payload_sha512, false, true },
                { "SHA3-256 of the payload", d->payload_sha3, false, true },
                { "digest of the uncompressed payload", d->payload_alt, false, true },
        };
        bool header = false, payload = false;
        int r = 0;
        for (size_t i = 0; i < ASH_N(rows); i++) {
                header |= rows[i].header && rows[i].verdict == ASH_RPM_GOOD;
                payload |= rows[i].payload && rows[i].verdict == ASH_RPM_GOOD;
                bool compressed_anew = rows[i].payload && !rows[i].header && d->payload_alt == ASH_RPM_GOOD;
                if (rows[i].verdict != ASH_RPM_BAD || compressed_anew)
                        continue;
                r = ash_fail_file(diags, -ASH_ERR_VERIFY, rpm->name, "the package is damaged: the %s does not match", rows[i].what);
        }
        if (r == 0 && !header)
                r = ash_fail_file(diags, -ASH_ERR_VERIFY, rpm->name, "no digest covers the package's header");
        if (r == 0 && !payload)
                r = ash_fail_file(diags, -ASH_ERR_VERIFY, rpm->name, "no digest covers the package's payload");
        return r;
}

static int verify(const AshRpm *rpm, bool all, AshRpmDigests *ret, AshDiags *diags) {
        AshRpmDigests d = { .size = check_size(rpm) };
        check_header(rpm, &d);
        d.payload = check_hex(&rpm->header, ASH_RPMTAG_PAYLOADDIGEST, payload_kind(rpm), rpm->payload);
        d.payload_sha512 = check_hex(&rpm->header, ASH_RPMTAG_PAYLOADSHA512, ASH_SHA512, rpm->payload);
        d.payload_sha3 = check_hex(&rpm->header, ASH_RPMTAG_PAYLOADSHA3_256, ASH_SHA3_256, rpm->payload);
        if (d.payload != ASH_RPM_GOOD && d.payload_sha512 != ASH_RPM_GOOD)
                d.payload_alt = check_payload_alt(rpm);
        bool payload = d.payload == ASH_RPM_GOOD || d.payload_sha512 == ASH_RPM_GOOD || d.payload_sha3 == ASH_RPM_GOOD;
        bool strong = payload && (d.header_sha256 == ASH_RPM_GOOD || d.header_sha3 == ASH_RPM_GOOD);
        if (all || !strong)
                d.md5 = check_md5(rpm);
        *ret = d;
        return judge(rpm, &d, diags);
}

int ash_rpm_verify_digests(const AshRpm *rpm, AshRpmDigests *ret, AshDiags *diags) { return verify(rpm, true, ret, diags); }

int ash_rpm_verify_digests_strong(const AshRpm *rpm, AshRpmDigests *ret, AshDiags *diags) { return verify(rpm, false, ret, diags); }
