/* The store: content-addressed cache of everything fetched, unpacked or computed; one per user, shared by projects and processes (docs/store.md). */
#pragma once
#include "io.h"
#include "rpm-read.h"

typedef struct AshId {
        uint8_t sha256[32];
} AshId;
#define ASH_ID_HEX 65
void ash_id_hex(const AshId *id, char ret[static ASH_ID_HEX]);
int ash_id_parse(AshSlice hex, AshId *ret);                    /* 64 hex digits; -EINVAL */
AshId ash_id_of(AshSlice data);
static inline bool ash_id_eq(const AshId *a, const AshId *b) { return memcmp(a, b, sizeof(*a)) == 0; }

typedef struct AshStore AshStore;
/* path NULL: $XDG_CACHE_HOME/ashlar, else ~/.cache/ashlar. Made when missing. Holds a shared lock as long as it is open: gc waits for it. Thread-safe. */
int ash_store_open(const char *path, AshStore **ret, AshDiags *diags);
void ash_store_free(AshStore *s);
ASH_DEFINE_CLEANUP(AshStore *, ash_store_free)
const char *ash_store_path(const AshStore *s);                 /* absolute */
int ash_store_fd(const AshStore *s);                           /* of its directory */

/* ---- blobs ---- */
/* The blob's path below the store's directory, for ash_fetch with dirfd = ash_store_fd(): "blobs/sha256/ab/abcd...". */
#define ASH_BLOB_PATH_MAX 96
void ash_store_blob_path(const AshId *id, char ret[static ASH_BLOB_PATH_MAX]);
bool ash_store_has_blob(AshStore *s, const AshId *id);         /* and marks it as used */
/* ret_id may be NULL. expect (may be NULL): -ASH_ERR_VERIFY when the content is another one. Nothing is written when it is there already. */
int ash_store_put_blob(AshStore *s, AshSlice data, const AshId *expect, AshId *ret_id, AshDiags *diags);
int ash_store_put_file(AshStore *s, int dirfd, const char *path, const AshId *expect, AshId *ret_id, AshDiags *diags);
/* Maps a blob. check: its bytes are digested first; a blob that is damaged is dropped with a warning. -ENOENT when it is not there (any more): fetch it again. */
int ash_store_map_blob(AshStore *s, const AshId *id, bool check, AshBytes *ret, AshDiags *diags);

typedef struct AshStoreWant {
        const char *const *urls;     /* NULL-terminated */
        const AshId *id;             /* what must come */
        uint64_t size;               /* UINT64_MAX: not known */
        const char *label;           /* for messages: a NEVRA, a file name */
        int result;                  /* as of AshFetch; 0 when it was there already */
} AshStoreWant;
/* Fetches what is missing, several at once, each checked by its digest before it gets its name. */
int ash_store_fetch(AshStore *s, AshStoreWant *wants, size_t n, const AshFetchOptions *options, AshProgress *progress, AshDiags *diags);

/* ---- packages, verified and expanded ---- */
typedef struct AshPack AshPack;
typedef struct AshPackEntry {
        AshSlice path;               /* absolute, normalized; a NUL follows each of these four */
        AshSlice user, group;
        AshSlice link;               /* of a symbolic link */
        AshSlice caps;               /* as in the header: "cap_net_raw=ep"; empty for none */
        uint32_t mode;               /* type and permissions, as st_mode */
        uint32_t flags;              /* ASH_RPMFILE_* */
        uint32_t verify_flags;
        uint32_t mtime, rdev, color;
        uint32_t hardlink;           /* index of the first entry of its hard link group; its own index when it has none */
        uint64_t offset;             /* of its bytes in the pack, a multiple of 4096; 0 when it has none */
        uint64_t length;             /* bytes; of a ghost what the header declares, with offset 0 */
        const uint8_t *sha256;       /* of the bytes; NULL when it has none (no regular file, a ghost) */
} AshPackEntry;
size_t ash_pack_count(const AshPack *p);
void ash_pack_entry(const AshPack *p, size_t i, AshPackEntry *ret);       /* in the order of the header; O(1) */
/* By path; false when the package has no such file. */
bool ash_pack_find(const AshPack *p, AshSlice path, size_t *ret);
AshSlice ash_pack_header(const AshPack *p);                    /* main header blob, as an rpmdb stores it */
AshSlice ash_pack_sig_header(const AshPack *p);                /* signature header blob */
AshSlice ash_pack_nevra(const AshPack *p);                     /* "name-[epoch:]version-release.arch" */
const AshId *ash_pack_id(const AshPack *p);                    /* SHA-256 of the rpm */
int ash_pack_fd(const AshPack *p);                             /* for copy_file_range from entry.offset */
AshSlice ash_pack_at(const AshPack *p, uint64_t offset, uint64_t length); /* bytes at an entry's offset, mapped; empty when they do not lie in the pack */
AshSlice ash_pack_bytes(const AshPack *p, size_t i);           /* the content, mapped (the map is made on first use); empty when it has none */
void ash_pack_free(AshPack *p);
ASH_DEFINE_CLEANUP(AshPack *, ash_pack_free)

/* The expanded form of an rpm blob, made when it is not there. Every file digest of the header is checked while it is written. -ENOENT (without a diagnostic): the blob is not in the store,
 * or was damaged and has been dropped with a warning: fetch it again; -ASH_ERR_VERIFY, -ASH_ERR_SYNTAX, -ASH_ERR_LIMIT: the package is bad. */
int ash_store_expand(AshStore *s, const AshId *rpm, AshPack **ret, AshDiags *diags);
bool ash_store_has_pack(AshStore *s, const AshId *rpm);        /* expanded already */
/* Many, on all processors (threads 0) and synced once. ret has n places; NULL where one failed. Returns the error of the first that failed, or 0. */
int ash_store_expand_all(AshStore *s, const AshId *rpms, size_t n, unsigned threads, AshPack **ret, AshProgress *progress, AshDiags *diags);

/* ---- derived objects: anything that can be computed again (handler results, parsed metadata, solv files) ---- */
/* kind: [a-z0-9-]+. key: digest of everything the object depends on, the program's version included. Content is protected by a checksum: a damaged one counts as missing. A NUL follows what get gives; it is read-only.
 * get: -ENOENT when it is not there. */
int ash_store_cache_get(AshStore *s, const char *kind, const AshId *key, AshBytes *ret);
int ash_store_cache_put(AshStore *s, const char *kind, const AshId *key, AshSlice data);

/* ---- buildroots: directories that builds have as lower layers ----
 * buildroots/KEY is the directory; KEY.lock is held shared by whoever uses it, and alone by whoever makes or removes it; KEY.state says that it is complete, and its time when it was used last. */
#define ASH_STORE_BUILDROOTS "buildroots"
typedef struct AshBuildroot {
        bool over;                   /* it has only what differs from another one, over which it lies */
        char boot[64];               /* in which run of the machine it was written: a crash may have lost what was written shortly before */
        uint64_t bytes;              /* that it takes on the disk */
        bool summed;
        AshId sum;                   /* of what is in it: ash_store_tree_add() for each node */
        int64_t used;                /* when it was used last, Unix seconds; not written */
} AshBuildroot;
/* -ENOENT: there is none that is complete. */
int ash_store_buildroot_read(AshStore *s, const char *key, AshBuildroot *ret);
int ash_store_buildroot_write(AshStore *s, const char *key, const AshBuildroot *b);
void ash_store_buildroot_touch(AshStore *s, const char *key);
int ash_store_buildroot_forget(AshStore *s, const char *key);
/* Removes what nobody used for max_age_s seconds, what was never finished, and what does not say how much it takes (it was made by an older version); then those that were not used for the longest time, until the rest takes at most keep bytes. Never one that is in use. */
void ash_store_trim_buildroots(AshStore *s, uint64_t keep, uint64_t max_age_s);
/* One node of a directory tree, as it is written: its digest goes into the sum, in whatever order they come. */
typedef struct AshStoreTreeNode {
        AshSlice path, link;         /* below the directory; of a symbolic link */
        uint32_t mode;               /* permissions of links, set-id bits, owners do not count */
        int64_t mtime;
        const uint8_t *sha256;       /* of the content; NULL when there is none */
} AshStoreTreeNode;
void ash_store_tree_add(AshId *sum, const AshStoreTreeNode *n);

/* ---- care ---- */
/* Registers a lock file (absolute path) as a root: what it names by SHA-256 (any run of exactly 64 hex digits in its text) is kept by gc as long as the file is there. */
int ash_store_root_add(AshStore *s, const char *lock_path, AshDiags *diags);
typedef struct AshStoreUsage {
        uint64_t blobs, blob_bytes, packs, pack_bytes, cached, cache_bytes, roots, rooted_bytes;
        uint64_t buildroots, buildroot_bytes;
        uint64_t upstream, upstream_bytes; /* what upstreams keep for themselves: apt's state, git mirrors */
} AshStoreUsage;
int ash_store_du(AshStore *s, AshStoreUsage *ret, AshDiags *diags);
typedef struct AshStoreCare {
        uint64_t checked, checked_bytes, removed, removed_bytes, damaged;
} AshStoreCare;
/* Digests everything; what is damaged is dropped with a warning (self-healing: the next use derives or fetches it again). 0 also when something was dropped. */
int ash_store_verify(AshStore *s, AshProgress *progress, AshStoreCare *ret, AshDiags *diags);
typedef struct AshStoreGc {
        uint64_t max_age_s;          /* what was used since then stays */
        uint64_t buildroots;         /* bytes that buildroots may take at most; UINT64_MAX: as many as they want */
        int timeout_ms;              /* -1: wait */
        bool dry_run;
} AshStoreGc;
/* Removes what no root needs and what nobody used for long. Needs the store for itself: -EAGAIN when another process has it open after the timeout. */
int ash_store_gc(AshStore *s, const AshStoreGc *how, AshStoreCare *ret, AshDiags *diags);
