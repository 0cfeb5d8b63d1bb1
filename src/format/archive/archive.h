/* Tar archives (plain, gzip, bzip2, xz, lzma, zstd) read, edited and written again, deterministically. The only module that names libarchive.
 * Hard links, devices, FIFOs, and paths or links that leave the archive are refused. */
#pragma once
#include "base.h"
#include "io.h"

typedef struct AshArchiveEntry {
        const char *path;            /* as stored, without a trailing slash */
        mode_t mode;                 /* type and permissions: S_IFREG, S_IFDIR or S_IFLNK */
        int64_t uid, gid;
        const char *user, *group;    /* NULL: none stored */
        int64_t mtime;               /* seconds */
        long mtime_ns;
        const char *target;          /* symbolic links */
        AshSlice data;               /* regular files */
        bool removed;                /* set by ash_archive_remove */
        bool changed;
} AshArchiveEntry;

typedef struct AshArchive {
        AshArena *arena;
        ASH_ARRAY(AshArchiveEntry) entries; /* in the order of the archive */
        const char *root;            /* the single top directory that holds everything, or "" */
        AshCompression compression;
        int format;                  /* private: libarchive's number */
        char *map;                   /* private: contents, in an unlinked file */
        size_t map_len;
        ASH_ARRAY(char *) owned;     /* private */
} AshArchive;
void ash_archive_free(AshArchive *a);
ASH_DEFINE_CLEANUP(AshArchive *, ash_archive_free)

/* Reads a whole archive; "name" is what diagnostics call it. "limit" bounds the sum of all contents (0: 16 GiB), and at most 4,000,000 entries. */
int ash_archive_read(int dirfd, const char *path, const char *name, uint64_t limit, AshArchive **ret, AshDiags *diags);
/* A path relative to the root (the single top directory), or the whole path when there is none. NULL for the root itself. */
const char *ash_archive_relative(const AshArchive *a, const AshArchiveEntry *e);
void ash_archive_remove(AshArchive *a, AshArchiveEntry *e);
/* New contents for a regular file (copied); mode, owner and mtime stay. */
void ash_archive_replace(AshArchive *a, AshArchiveEntry *e, AshSlice data);
/* Writes it again: same order, modes, owners, times, tar dialect and compression (level: the format's default; one thread; no name or time in gzip). */
int ash_archive_write(const AshArchive *a, int dirfd, const char *path, AshDiags *diags);
