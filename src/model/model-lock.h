/* ashlar.lock as data: every input of a build by digest. Everything lives in the arena. */
#pragma once
#include "base.h"

/* An upstream as it was when the lock was made, for one architecture. */
typedef struct AshLockUpstream {
        AshSlice name, arch, type;   /* "debian-13", "x86_64", "apt" or "rpm-md" */
        AshSlice snapshot;           /* what identifies it: SHA-256 (hex) of the Release file or of repomd.xml */
        AshSlice date;               /* of the snapshot, as the upstream writes it; for people */
        AshSlice key;                /* fingerprint of the key that signed it; empty: none known */
        AshSlice *indices;           /* SHA-256 (hex) of the index files */
        size_t n_indices;
        AshSlice *contents;          /* apt: its lists of files, "PATH SHA256" (hex) each, the path below the suite's directory: fetched when a build asks for what only they tell */
        size_t n_contents;
        AshSlice importer;           /* apt: digest (hex) of the importer's version and of the tables that it works by; empty for others */
} AshLockUpstream;

typedef struct AshLockPackage {
        AshSlice nevra, upstream;
        AshSlice sha256;             /* hex, of the RPM as the store has it */
        uint64_t size;               /* bytes of that RPM */
        AshSlice origin;             /* where the upstream has it: a path below its base */
        AshSlice origin_sha256;      /* hex, of what was fetched when that is not the RPM itself (a deb) */
        AshSlice key;                /* fingerprint of the key that signed it, or its index */
} AshLockPackage;

/* What one image or channel asked for, and got. */
typedef struct AshLockSet {
        AshSlice kind, name, arch;   /* "image" or "channel" */
        AshSlice *requests;          /* as configured, sorted; "-x" excludes x, "+weak" follows recommendations, "+essential" has essential packages, "@x" takes from the upstream or repository x */
        size_t n_requests;
        AshSlice *packages;          /* NEVRAs, sorted */
        size_t n_packages;
        AshSlice *user;              /* names of those that were asked for: dnf's reason "user" */
        size_t n_user;
} AshLockSet;

typedef struct AshLockId {
        AshSlice name;
        uint32_t id;
} AshLockId;

typedef struct AshLock {
        AshArena *arena;
        uint64_t source_date_epoch;  /* Unix seconds */
        AshSlice seed;               /* a UUID: every other UUID is derived from it */
        AshLockUpstream *upstreams;
        size_t n_upstreams;
        AshLockPackage *packages;    /* sorted by NEVRA */
        size_t n_packages;
        AshLockSet *sets;            /* sorted by kind, name, arch */
        size_t n_sets;
        AshLockId *users, *groups;   /* allocated ids, sorted by name */
        size_t n_users, n_groups;
} AshLock;
AshLock *ash_lock_new(void);
void ash_lock_free_all(AshLock *lock);
ASH_DEFINE_CLEANUP(AshLock *, ash_lock_free_all)
const AshLockPackage *ash_lock_package(const AshLock *lock, AshSlice nevra);                            /* NULL: not in it */
const AshLockSet *ash_lock_set(const AshLock *lock, const char *kind, AshSlice name, AshSlice arch);    /* NULL: not in it */
void ash_lock_sort(AshLock *lock);
