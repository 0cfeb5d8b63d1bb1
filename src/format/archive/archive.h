/* Tar archives (plain, or in gzip, bzip2, xz, lzma, zstd) edited member by member. What is not edited keeps every byte that the archive had: headers, order,
 * owners, times, extended headers, dialect; of an edited file only size and checksum of its header change. So the result depends on nothing else.
 * Hard links, devices, FIFOs, sparse files, a name twice, and paths that leave the archive are refused.
 * The format: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block"; GNU tar's manual, "Basic Tar Format". */
#pragma once
#include "base.h"
#include "io.h"

typedef struct AshArchiveEntry {
        const char *path;            /* without "./" before it and without a slash behind it */
        mode_t mode;                 /* S_IFREG, S_IFDIR or S_IFLNK, and permissions */
        const char *target;          /* symbolic links; else NULL */
        AshSlice data;               /* regular files; what the archive had, or what ash_archive_replace() gave */
        bool removed, changed;
        /* private: places in the archive */
        uint64_t start, header, end; /* extension headers, the header itself, the end of the padded data */
        bool sparse, pax_size;
} AshArchiveEntry;

typedef struct AshArchive {
        AshArena *arena;
        ASH_ARRAY(AshArchiveEntry) entries; /* in the order of the archive; global headers are not among them */
        const char *root;            /* the single top directory that holds everything, or "" */
        AshCompression compression;
        /* private */
        AshSlice tar;                /* all of it, decompressed */
        uint64_t members_end;        /* where the zero blocks begin */
        char *map;
        ASH_ARRAY(char *) owned;
} AshArchive;
void ash_archive_free(AshArchive *a);
ASH_DEFINE_CLEANUP(AshArchive *, ash_archive_free)

/* Reads a whole archive; "name" is what diagnostics call it. "limit" bounds the decompressed bytes (0: 32 GiB); they go to an unlinked file beside "scratch"
 * (a directory; NULL: $TMPDIR or /tmp). -ASH_ERR_SYNTAX: damaged, or no tar archive at all; -ENOTSUP: it holds what is refused. */
int ash_archive_read(int dirfd, const char *path, const char *name, const char *scratch, uint64_t limit, AshArchive **ret, AshDiags *diags);
/* The same for a tar archive in memory (borrowed, not compressed). */
int ash_archive_parse(AshSlice tar, const char *name, AshArchive **ret, AshDiags *diags);
/* The path below the root (the whole path when there is no single top directory); NULL for the root itself. */
const char *ash_archive_relative(const AshArchive *a, const AshArchiveEntry *e);
void ash_archive_remove(AshArchiveEntry *e);
/* New contents for a regular file (copied). -ENOTSUP for a sparse file. */
int ash_archive_replace(AshArchive *a, AshArchiveEntry *e, AshSlice data);
/* Writes it again, in the compression that it had: the format's default level, one thread, no name and no time in gzip's header. */
int ash_archive_write(const AshArchive *a, int dirfd, const char *path, AshDiags *diags);
void ash_archive_pack(const AshArchive *a, AshWriter *w); /* the tar archive alone */
