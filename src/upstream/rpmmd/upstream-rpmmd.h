/* The rpm-md upstream: finds a mirror, fetches and verifies metadata into the store, looks packages up, fetches them by digest. */
#pragma once
#include "rpmmd.h"
#include "sign-verify.h"
#include "store.h"

typedef struct AshRpmmdSource {
        const char *name;                /* of the upstream, for messages */
        const char *const *base_urls;    /* NULL-terminated; may be NULL. "$arch", "$releasever" and "$snapshot" are replaced */
        const char *mirrorlist, *metalink; /* URLs; may be NULL */
        const char *arch, *releasever;   /* replacements */
        const char *snapshot;            /* replaces $snapshot: what the server calls a date; NULL: none pinned (then $snapshot is an error) */
        AshKeyring *keyring;             /* metadata must be signed by one of these; NULL: no signature on metadata is asked for (metalink's or lock's digest is) */
        const AshId *repomd_id;          /* the lock's: exactly this repomd.xml and no other; NULL: the newest */
        const char *const *arches;       /* NULL-terminated: packages of other architectures are left out ("noarch" always stays); NULL: all */
        bool allow_file;                 /* file:// */
        bool allow_unsigned;             /* development only: neither keyring nor metalink nor repomd_id proves repomd; a warning says so */
        AshFetchOptions fetch;
        AshSpan at;
} AshRpmmdSource;

typedef struct AshRpmmdRepo AshRpmmdRepo;
/* want: types of metadata beside "primary" ("filelists", "updateinfo", "group"), NULL-terminated; those that the repository does not have are left out.
 * Order: find mirrors, repomd.xml and its signature, checks (digest, signature, not older than the last one seen), then each file: size, checksum, decompression with its declared
 * open size and open checksum, only then a parser. Mirrors that lie, lag or stall are left for the next. -ASH_ERR_VERIFY, -ASH_ERR_AGAIN, -ENOENT. */
int ash_rpmmd_open(AshStore *store, const AshRpmmdSource *source, const char *const *want, AshProgress *progress, AshRpmmdRepo **ret, AshDiags *diags);
void ash_rpmmd_free(AshRpmmdRepo *r);
ASH_DEFINE_CLEANUP(AshRpmmdRepo *, ash_rpmmd_free)

/* What follows but the first three needs this: metadata files are in the store and were found good at some time; here they are digested and read. Does nothing the second time. */
int ash_rpmmd_load(AshRpmmdRepo *r, AshDiags *diags);
const AshId *ash_rpmmd_repomd_id(const AshRpmmdRepo *r);          /* for the lock */
const AshRepomd *ash_rpmmd_repomd(const AshRpmmdRepo *r);
const AshSigResult *ash_rpmmd_signature(const AshRpmmdRepo *r);   /* of repomd.xml; NULL when it was not asked for */
/* A verified metadata file's absolute path in the store (compressed as the server has it), for libsolvext; NULL when the repository does not have it or it was not wanted.
 * type "repomd" gives repomd.xml itself. *ret_compression may be NULL. */
const char *ash_rpmmd_file(const AshRpmmdRepo *r, const char *type, AshCompression *ret_compression);

typedef struct AshRpmmdFound {
        const AshRpmmdPackage *package;
        AshId id;                        /* when the repository's checksum is SHA-256 */
        bool has_id;
} AshRpmmdFound;
/* By "name-[epoch:]version-release.arch". -ENOENT. The same NEVRA listed with different checksums was reported by ash_rpmmd_open as an error. */
int ash_rpmmd_find(const AshRpmmdRepo *r, AshSlice nevra, AshRpmmdFound *ret);
size_t ash_rpmmd_count(const AshRpmmdRepo *r);
const AshRpmmdPackage *ash_rpmmd_at(const AshRpmmdRepo *r, size_t i);
/* Fetches packages into the store from any mirror, each by its digest. ret_ids has n places. */
int ash_rpmmd_fetch(AshRpmmdRepo *r, AshStore *store, const AshRpmmdPackage *const *packages, size_t n, AshId *ret_ids, AshProgress *progress, AshDiags *diags);

/* Packages whose path and digest are known from elsewhere (a lock), without any metadata: from any mirror, each by its digest. */
typedef struct AshRpmmdKnown {
        AshSlice href;                   /* below the base */
        AshId id;
        uint64_t size;                   /* UINT64_MAX: not known */
        const char *label;
} AshRpmmdKnown;
int ash_rpmmd_fetch_known(AshStore *store, const AshRpmmdSource *source, const AshRpmmdKnown *packages, size_t n, AshProgress *progress, AshDiags *diags);
