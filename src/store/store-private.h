/* Between the parts of the store. */
#pragma once
#include "store.h"

struct AshStore {
        char *path;
        int fd;
        AshLockFile *lock; /* shared, as long as the store is open */
};

/* Makes the directory of a path below the store. */
int ash_store_make_parent(AshStore *s, const char *path);
/* Marks as used now, for gc; at most once an hour. */
void ash_store_touch(AshStore *s, const char *path);
#define ASH_PACK_PATH_MAX 96
void ash_store_pack_path(const AshId *id, char ret[static ASH_PACK_PATH_MAX]);
/* -ENOENT; -ASH_ERR_VERIFY when it is damaged. Quiet. deep: every byte of content too. */
int ash_pack_open(AshStore *s, const AshId *id, bool deep, AshPack **ret);

/* Writes the bytes of a pack from its parts. What a pack file looks like: docs/store.md. */
typedef struct AshPackDraft {
        AshId id;
        const AshRpmFiles *files;
        const uint64_t *offsets;       /* one a file */
        const uint8_t (*digests)[32];  /* one a file */
        AshSlice header, sig_header, nevra;
        uint64_t data_end;             /* where the index may begin, a multiple of 4096 */
} AshPackDraft;
int ash_pack_write_index(int fd, const AshPackDraft *draft);
bool ash_pack_has_digest(uint32_t mode, uint32_t flags); /* a regular file that is no ghost */

/* Buildroots, those that were not used for the longest time first. */
typedef struct AshStoredRoot {
        char key[ASH_ID_HEX];
        bool complete, sized;        /* sized: its state says how much it takes; those of older versions do not */
        int64_t used;
        uint64_t bytes;
} AshStoredRoot;
typedef struct AshStoredRoots {
        ASH_ARRAY(AshStoredRoot) items;
} AshStoredRoots;
/* measure: reads directories where no state says how much they take. */
int ash_store_list_buildroots(AshStore *s, bool measure, AshStoredRoots *ret);
/* -EAGAIN: it is in use. */
int ash_store_hold_buildroot(AshStore *s, const char *key, AshLockFile **ret);
bool ash_store_buildroot_is_damaged(AshStore *s, const char *key);
/* Allocated bytes of all files in a directory of the store. */
uint64_t ash_store_bytes_below(AshStore *s, const char *place, const char *name);
