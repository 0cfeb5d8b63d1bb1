/* RPM packages from untrusted bytes (rpm.org: "RPM V4 Package format", "RPM V6 Package format"). Nothing here trusts a count, an offset or a
 * string's end; everything is a borrowed slice of the package's bytes. Signatures are checked by sign (sign-verify.h); digests here. */
#pragma once
#include "io.h"
#include "rpm-tags.h"

/* ---- headers ---- */
typedef struct AshRpmTag {
        uint32_t tag;
        AshRpmType type;
        uint32_t offset; /* into data */
        uint32_t count;
        uint32_t len;    /* bytes in data: computed and checked, inner NULs included */
} AshRpmTag;

typedef struct AshRpmHeader {
        AshSlice blob;   /* counts, index and data without the magic: what an rpmdb stores */
        AshSlice data;
        AshRpmTag *tags; /* sorted by tag, the region left out; malloc'ed */
        uint32_t n;
} AshRpmHeader;

/* Parses "blob" (big-endian tag count, data length, index, data; exactly as long as they say). region: ASH_RPMTAG_HEADERIMMUTABLE or _HEADERSIGNATURES, which
 * must be the first entry and cover everything; 0: a region may be missing (rpmdb, very old packages).
 * name and base (the blob's place in that file) are for the diagnostic. -ASH_ERR_SYNTAX or -ASH_ERR_LIMIT. */
int ash_rpm_header_parse(AshSlice blob, uint32_t region, const char *name, uint64_t base, AshRpmHeader *ret, AshDiags *diags);
void ash_rpm_header_done(AshRpmHeader *h);

const AshRpmTag *ash_rpm_tag(const AshRpmHeader *h, uint32_t tag);                 /* NULL when it is not there */
static inline bool ash_rpm_has(const AshRpmHeader *h, uint32_t tag) { return ash_rpm_tag(h, tag) != NULL; }
/* The string (of an array or a translated one: the first), or ASH_NOSLICE when it is missing or not a string. A NUL follows it. */
AshSlice ash_rpm_string(const AshRpmHeader *h, uint32_t tag);
/* The raw data of any tag: whole bytes of BIN. */
AshSlice ash_rpm_bytes(const AshRpmHeader *h, uint32_t tag);
/* First number; false when missing or not a number. */
bool ash_rpm_number(const AshRpmHeader *h, uint32_t tag, uint64_t *ret);
uint32_t ash_rpm_count(const AshRpmHeader *h, uint32_t tag);                       /* 0 when missing */
/* Number i of an array of any integer width; i < ash_rpm_count(). t NULL or not of numbers: 0. */
uint64_t ash_rpm_number_at(const AshRpmHeader *h, const AshRpmTag *t, uint32_t i);
/* All strings of a tag, in the arena; *ret_n = 0 and NULL when missing or not strings. */
AshSlice *ash_rpm_strings(const AshRpmHeader *h, uint32_t tag, AshArena *arena, uint32_t *ret_n);

/* ---- package ---- */
typedef struct AshRpm {
        const char *name;        /* for diagnostics: a file name; borrowed */
        AshSlice bytes;          /* the whole file; borrowed */
        AshRpmHeader sig, header;
        AshSlice sig_bytes;      /* signature header with its magic */
        AshSlice header_bytes;   /* main header with its magic: what header digests and signatures cover */
        AshSlice payload;        /* compressed */
        uint64_t header_start;   /* offset in the file; rpm-md's header-range start */
        bool source;             /* a source package */
} AshRpm;

/* Checks lead, signature header and main header. Codes: -ASH_ERR_SYNTAX, -ASH_ERR_LIMIT. The diagnostic names file and offset. */
int ash_rpm_parse(AshSlice bytes, const char *name, AshRpm **ret, AshDiags *diags);
void ash_rpm_free(AshRpm *rpm);
ASH_DEFINE_CLEANUP(AshRpm *, ash_rpm_free)

typedef struct AshRpmNevra {
        AshSlice name, version, release, arch; /* arch "src" for a source package */
        uint32_t epoch;
        bool has_epoch;
} AshRpmNevra;
/* -ASH_ERR_SYNTAX when one is missing or has characters that no NEVRA may have ('/', white space, control characters, '-' in version or release). */
int ash_rpm_nevra(const AshRpm *rpm, AshRpmNevra *ret, AshDiags *diags);
/* "name-epoch:version-release.arch", epoch left out when 0; malloc'ed. */
char *ash_rpm_nevra_text(const AshRpmNevra *n);

/* ---- digests ---- */
typedef enum AshRpmVerdict { ASH_RPM_ABSENT, ASH_RPM_GOOD, ASH_RPM_BAD, ASH_RPM_UNKNOWN /* an algorithm that we do not have */ } AshRpmVerdict;
typedef struct AshRpmDigests {
        AshRpmVerdict header_sha1, header_sha256, header_sha3, md5 /* header and payload */, size;
        AshRpmVerdict payload, payload_sha512, payload_sha3; /* of the compressed payload */
        AshRpmVerdict payload_alt; /* of the uncompressed one; only looked at when the compressed one is absent or bad (rpm does so too) */
} AshRpmDigests;
/* All that are present. Returns 0 when none is bad, at least one covers the header and one the payload; else -ASH_ERR_VERIFY with diagnostics. ret is set in both cases.
 * A bad payload digest beside a good one of the uncompressed payload is good, as for rpm. */
int ash_rpm_verify_digests(const AshRpm *rpm, AshRpmDigests *ret, AshDiags *diags);
/* The same, but MD5 over the whole package is left out where SHA-256 or better covers header and payload (a third of the time). */
int ash_rpm_verify_digests_strong(const AshRpm *rpm, AshRpmDigests *ret, AshDiags *diags);

/* ---- signatures: where they are and what they cover; the check itself is sign's ---- */
typedef struct AshRpmSignature {
        uint32_t tag;            /* ASH_RPMSIG_RSA, _DSA, _OPENPGP: header; _PGP, _GPG: header and payload */
        AshSlice packet;         /* binary OpenPGP signature packet(s); in the arena for OPENPGP (base64 there) */
        AshSlice covers[2];
        size_t n_covers;
} AshRpmSignature;
typedef struct AshRpmSignatures {
        ASH_ARRAY(AshRpmSignature) items;
} AshRpmSignatures;
int ash_rpm_signatures(const AshRpm *rpm, AshArena *arena, AshRpmSignatures *ret, AshDiags *diags);

/* ---- files ---- */
typedef struct AshRpmFile {
        AshSlice dir, base;      /* path = dir + base; dir ends with '/', or is empty in source packages */
        AshSlice user, group, link, caps;
        AshSlice digest_hex;     /* as in the header; empty for none */
        uint64_t size, inode;
        uint32_t mode;           /* type and permissions, as st_mode */
        uint32_t flags;          /* ASH_RPMFILE_* */
        uint32_t verify_flags, mtime, rdev, color, device;
        uint32_t nlink_group;    /* index of the first file of its hard link group; its own index when it has none */
        uint32_t nlink;          /* members of the group in this package: 1 without hard links */
} AshRpmFile;
typedef struct AshRpmFiles {
        AshRpmFile *items;
        size_t n;
        AshDigestKind digest_kind; /* of digest_hex; ASH_DIGEST_INVALID_ for one that we do not have */
} AshRpmFiles;
/* Counts of all arrays must agree. Paths are as they stand: ash_rpm_files_check() refuses those that must not be unpacked. */
int ash_rpm_files(const AshRpm *rpm, AshArena *arena, AshRpmFiles *ret, AshDiags *diags);
/* The same checks, but only dir, base, mode and flags are filled in: what metadata say of files. */
int ash_rpm_file_names(const AshRpm *rpm, AshArena *arena, AshRpmFiles *ret, AshDiags *diags);
/* Refuses relative paths, "..", ".", doubled slashes, duplicates, paths below something that is no directory in this package, unknown types, set sizes past limits. */
int ash_rpm_files_check(const AshRpm *rpm, const AshRpmFiles *files, AshDiags *diags);

/* ---- relations ---- */
typedef enum AshRpmRelation {
        ASH_RPM_PROVIDES, ASH_RPM_REQUIRES, ASH_RPM_CONFLICTS, ASH_RPM_OBSOLETES, ASH_RPM_RECOMMENDS, ASH_RPM_SUGGESTS, ASH_RPM_SUPPLEMENTS, ASH_RPM_ENHANCES, ASH_RPM_ORDER,
        ASH_RPM_TRIGGERS, ASH_RPM_FILETRIGGERS, ASH_RPM_TRANSFILETRIGGERS, ASH_RPM_RELATION_MAX_
} AshRpmRelation;
typedef struct AshRpmDep {
        AshSlice name, evr;
        uint32_t flags;          /* ASH_RPMSENSE_* */
        uint32_t index;          /* of triggers: which script */
} AshRpmDep;
/* In the arena; *ret_n 0 when there are none. -ASH_ERR_SYNTAX when the arrays disagree. */
int ash_rpm_deps(const AshRpm *rpm, AshRpmRelation kind, AshArena *arena, AshRpmDep **ret, size_t *ret_n, AshDiags *diags);

/* ---- payload ---- */
typedef struct AshRpmPayload AshRpmPayload;
/* Opens the cpio stream (newc, crc, and rpm's stripped form for files past 4 GiB). limit: uncompressed bytes (0: none beyond what the header declares). files must live as long. */
int ash_rpm_payload_open(const AshRpm *rpm, const AshRpmFiles *files, uint64_t limit, AshRpmPayload **ret, AshDiags *diags);
/* The next member: 1 with the index of its file and the bytes of data that follow, 0 at the trailer (everything behind it is checked to be zeros). Members that no file of the header
 * names, that come twice, or whose size is not the header's are -ASH_ERR_SYNTAX. Of a hard link group only the last member in the archive carries data. Data not read is skipped. */
int ash_rpm_payload_next(AshRpmPayload *p, size_t *ret_file, uint64_t *ret_size, AshDiags *diags);
/* Data of the current member: bytes (0 at its end), negative on failure. */
ssize_t ash_rpm_payload_read(AshRpmPayload *p, void *data, size_t n, AshDiags *diags);
void ash_rpm_payload_free(AshRpmPayload *p);
ASH_DEFINE_CLEANUP(AshRpmPayload *, ash_rpm_payload_free)
