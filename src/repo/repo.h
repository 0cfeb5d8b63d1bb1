/* RPM repositories (rpm-md, createrepo's format): metadata, publishing in generations, checks and questions. */
#pragma once
#include "io.h"
#include "sign-make.h"
#include "sign-verify.h"
#include "store.h"

/* An advisory for updateinfo.xml; texts may be empty. */
typedef struct AshRepoAdvisoryRef {
        AshSlice type, id, href, title; /* type: "cve", "bugzilla", "self", "other" */
} AshRepoAdvisoryRef;
typedef struct AshRepoAdvisory {
        AshSlice id, type, severity, title, summary, description, rights;
        AshSlice issued, updated;       /* "YYYY-MM-DD HH:MM:SS" */
        AshRepoAdvisoryRef *references;
        size_t n_references;
        AshSlice *packages;             /* NEVRAs that fix it; those that are not in this repository are left out, and so is an advisory with none */
        size_t n_packages;
} AshRepoAdvisory;

/* A group for comps.xml. */
typedef struct AshRepoGroup {
        AshSlice id, name, description;
        AshSlice *mandatory, *optional; /* package names */
        size_t n_mandatory, n_optional;
} AshRepoGroup;

typedef struct AshRepoOptions {
        AshCompression compression;     /* ASH_COMP_ZSTD by default; ASH_COMP_GZIP for old clients */
        unsigned changelogs;            /* entries a package in other.xml; 0: 10 */
        uint64_t time;                  /* Unix seconds: timestamps and revision; SOURCE_DATE_EPOCH of the lock */
        unsigned threads;               /* 0: all processors */
        AshSigner **signers;            /* of repomd.xml and (publish) of the packages; may be none */
        size_t n_signers;
        const AshRepoAdvisory *advisories;
        size_t n_advisories;
        const AshRepoGroup *groups;
        size_t n_groups;
        AshSlice comps_xml;             /* instead of groups: a ready-made document */
        bool replace;                   /* publish: a package may take the place of one with the same name and other content */
} AshRepoOptions;

typedef struct AshRepoResult {
        size_t packages, reused;        /* reused: known from the run before, not read again */
        size_t added, removed;          /* against the generation before (publish) */
        uint64_t bytes_read, bytes_written;
        bool unchanged;                 /* nothing was written */
        unsigned generation;            /* publish */
} AshRepoResult;

/* createrepo: writes DIR/repodata for the packages below DIR. What was read in an earlier run (kept in DIR/repodata/.ashlar-state) is not read again; a run that
 * finds nothing changed writes nothing. repodata is replaced by one rename. */
int ash_repo_index(const char *dir, const AshRepoOptions *options, AshRepoResult *ret, AshProgress *progress, AshDiags *diags);

/* ---- publishing ---- */
typedef struct AshRepoInput {
        AshId id;                       /* of the unsigned package in the store */
        const char *label;              /* for messages */
        AshSlice nevra;                 /* what it must be: "name-[epoch:]version-release.arch"; empty: whatever it is */
} AshRepoInput;

/* Publishes packages of the store as DIR/NAME, a link to a generation DIR/.generations/NAME/NNNNNN, switched by one rename. Packages are signed on the way (each byte read once and written
 * once). Everything that the generation before named stays reachable in the new one, so that clients that are reading finish undisturbed. keep: generations to keep, the new one included
 * (0: 3). A publisher that was killed leaves the old or the new repository, and nothing that the next one does not clean up. -ASH_ERR_AGAIN: another one is publishing.
 * -ENOENT (without a diagnostic): a package is not in the store, or was damaged there and has been dropped: fetch it and publish again. */
int ash_repo_publish(AshStore *store, const char *dir, const char *name, const AshRepoInput *inputs, size_t n, unsigned keep, const AshRepoOptions *options, AshRepoResult *ret,
                     AshProgress *progress, AshDiags *diags);

/* The same in two steps, for several repositories that are to switch together: prepared ones are whole, synced and wait for one rename each. Freeing one that was not committed leaves everything as
 * it was. inputs and options need not live longer than the call. */
typedef struct AshRepoPrepared AshRepoPrepared;
int ash_repo_prepare(AshStore *store, const char *dir, const char *name, const AshRepoInput *inputs, size_t n, const AshRepoOptions *options, AshRepoPrepared **ret, AshProgress *progress,
                     AshDiags *diags);
int ash_repo_commit(AshRepoPrepared *p, unsigned keep, AshRepoResult *ret, AshDiags *diags);
void ash_repo_prepared_free(AshRepoPrepared *p);
ASH_DEFINE_CLEANUP(AshRepoPrepared *, ash_repo_prepared_free)

/* Signs package files in place (each replaced atomically). */
int ash_repo_sign_files(const char *const *paths, size_t n, AshSigner **signers, size_t n_signers, uint64_t time, unsigned threads, AshProgress *progress, AshDiags *diags);

/* ---- checks ---- */
typedef struct AshRepoVerifyResult {
        size_t packages, signed_packages, metadata_files;
        char key[65];                   /* fingerprint of the key that signed repomd.xml, or "" */
} AshRepoVerifyResult;
/* Everything of a repository: repomd.xml's signature, each metadata file's size and digests, counts, and each package's size, digest and signatures. keys may be NULL: signatures are not
 * checked then. All mistakes become diagnostics; -ASH_ERR_VERIFY when there is one. */
int ash_repo_verify(const char *dir, AshKeyring *keys, unsigned threads, AshRepoVerifyResult *ret, AshProgress *progress, AshDiags *diags);
