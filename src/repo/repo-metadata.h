/* From fragments to repodata/. Private to this module. */
#pragma once
#include "repo.h"

/* One package as a repository knows it. All slices are borrowed. */
typedef struct AshRepoEntry {
        AshSlice key;            /* what the entry was made from: equal key, equal entry */
        AshSlice location;
        char sha256[65];         /* of the package file */
        uint64_t size;
        uint64_t mtime;          /* nanoseconds, of the file as it was published; 0 where the key has it */
        AshSlice primary, filelists, other; /* of a state that was not loaded: only their lengths are right */
        bool reused;
} AshRepoEntry;

typedef struct AshRepoMeta {
        AshSlice name;           /* file name in repodata/ */
} AshRepoMeta;

/* What a run leaves for the next one: a table of entries and the names of the metadata files, which their fragments are in. */
typedef struct AshRepoState {
        AshBytes bytes;
        AshStr documents[3];     /* unpacked, once loaded */
        AshSlice options;        /* digest of what else went into the metadata */
        AshSlice repomd;         /* SHA-256 of repomd.xml, hex */
        ASH_ARRAY(AshRepoEntry) entries;
        ASH_ARRAY(AshRepoMeta) meta;
        AshMap by_key;           /* key -> AshRepoEntry */
} AshRepoState;
void ash_repo_state_done(AshRepoState *s);
/* The slices of a state point into text, which is borrowed. False: damaged; what was read so far is to be freed all the same. */
bool ash_repo_state_parse(AshSlice text, AshRepoState *s);
/* A state that is missing, damaged or of another version is an empty one: everything is made anew. */
void ash_repo_state_read(int dirfd, const char *path, AshRepoState *ret);
/* Gives all entries their fragments, out of the metadata files in dirfd/repodata. False when one of these is lost or damaged: no entry of this state can be used then. */
bool ash_repo_state_load(AshRepoState *s, int dirfd);
/* Atomically. */
int ash_repo_state_write(int dirfd, const char *path, AshSlice options, AshSlice repomd, const AshRepoMeta *meta, size_t n_meta, const AshRepoEntry *entries, size_t n);
/* Are the metadata files of that run still there, byte for byte? */
bool ash_repo_state_is_intact(const AshRepoState *s, int dirfd);
/* Digest (hex) of all options that change the metadata: keys, time, compression, advisories, groups ... */
void ash_repo_options_digest(const AshRepoOptions *o, char ret[static 65]);

/* Sorts entries by location and writes all of repodata/ into the directory (which is there and empty). meta gets the names of the files; repomd the hex digest of repomd.xml. The names live in arena. */
int ash_repo_metadata_write(int dirfd, const AshRepoOptions *o, AshRepoEntry *entries, size_t n, AshArena *arena, AshRepoMeta ret_meta[8], size_t *ret_n_meta, char ret_repomd[static 65], uint64_t *bytes_written,
                            AshDiags *diags);

/* Appends the signature header of a package, padded to 8 bytes, with new signatures made at "time" by all signers; without signers the one that it has. */
int ash_repo_signature_header(const AshRpm *rpm, AshSigner **signers, size_t n, uint64_t time, AshStr *out, AshDiags *diags);
