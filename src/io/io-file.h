/* Files and directories. Paths are relative to a directory descriptor where one is passed (AT_FDCWD otherwise). */
#pragma once
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base.h"

static inline void ash_close_p(int *fd) { if (*fd >= 0) { int e = errno; close(*fd); errno = e; } }
#define _close_ _cleanup_(ash_close_p) /* _close_ int fd = -1; */

/* The bytes of a file, mapped or read. */
typedef struct AshBytes {
        char *ptr;
        size_t len;
        size_t mapped; /* length of the map, which may be more than len; 0: allocated */
} AshBytes;
void ash_bytes_done(AshBytes *b);
#define _bytes_ _cleanup_(ash_bytes_done)
static inline AshSlice ash_bytes_slice(const AshBytes *b) { return ash_slice(b->ptr ? b->ptr : "", b->len); }

/* Reads a whole regular file (or pipe). -ASH_ERR_LIMIT when it is larger than limit bytes (0: 4 GiB - 1). The bytes are followed by a NUL that
 * is not counted. */
int ash_file_read(int dirfd, const char *path, size_t limit, AshBytes *ret);
/* The same into a buffer that is used again and again. size: what the file should have (as stat said); then one read is enough. */
int ash_file_read_into(int dirfd, const char *path, size_t size, AshStr *ret);
int ash_file_read_fd(int fd, size_t limit, AshBytes *ret);
/* Maps a file read-only. An empty file gives an empty slice. */
int ash_file_map(int dirfd, const char *path, AshBytes *ret);
/* A part of a mapped file that is not looked at for now: its pages leave this process, and come back when they are read. Not for memory of other kinds: that would be zeroed. */
void ash_file_unload(AshSlice part);

/* Opens a path that must stay below dirfd: no "..", absolute path or symbolic link on the way (openat2 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS).
 * -EXDEV or -ELOOP for an escape. Returns the descriptor. */
int ash_open_beneath(int dirfd, const char *path, int flags, mode_t mode);
int ash_mkdir_all(int dirfd, const char *path, mode_t mode);            /* like mkdir -p */
int ash_remove_all(int dirfd, const char *path);                        /* like rm -rf; 0 when there is nothing; never follows links */
int ash_copy_file(int from_dirfd, const char *from, int to_dirfd, const char *to, mode_t mode); /* atomic; reflink where possible */
int ash_copy_fd(int from_fd, int to_fd, uint64_t n);                    /* copy_file_range with fall-back; n UINT64_MAX: to the end */
int ash_write_all(int fd, const void *data, size_t n);
int ash_pread_all(int fd, void *data, size_t n, uint64_t offset);       /* -EIO on a short file */

/* Names in a directory, sorted by bytes, without "." and "..". */
typedef struct AshDirEntry {
        char *name;
        unsigned char type; /* DT_* ; never DT_UNKNOWN */
} AshDirEntry;
typedef struct AshDirList {
        ASH_ARRAY(AshDirEntry) entries;
} AshDirList;
int ash_dir_list(int dirfd, const char *path, AshDirList *ret);
void ash_dir_list_done(AshDirList *list);
#define _dirlist_ _cleanup_(ash_dir_list_done)

/* All regular files below a directory that match a glob (doublestar), as paths relative to it, sorted by bytes. Links are not followed
 * unless follow_links is set. Only the directories that can match are read. */
typedef struct AshPaths {
        ASH_ARRAY(char *) paths;
} AshPaths;
int ash_glob_files(int dirfd, const char *pattern, bool follow_links, AshPaths *ret);
void ash_paths_done(AshPaths *paths);
#define _paths_ _cleanup_(ash_paths_done)

/* A private directory below parent (NULL: $TMPDIR or /tmp), removed with all it holds by ash_tempdir_free. */
typedef struct AshTempDir {
        char *path;
        int fd;
} AshTempDir;
int ash_tempdir_new(const char *parent, AshTempDir **ret);
void ash_tempdir_free(AshTempDir *dir);
ASH_DEFINE_CLEANUP(AshTempDir *, ash_tempdir_free)

/* A file that appears whole or not at all: written under a temporary name beside its place, synced, renamed. */
typedef struct AshAtomic AshAtomic;
/* -EEXIST: there is a device, a pipe or a socket, which a file would replace. mode is what the file gets, whatever the umask. "sync" false leaves out fsync (for what can be made again). */
int ash_atomic_open(int dirfd, const char *path, mode_t mode, bool sync, AshAtomic **ret);
int ash_atomic_fd(AshAtomic *a);
int ash_atomic_commit(AshAtomic *a);   /* after this only ash_atomic_free is allowed */
void ash_atomic_free(AshAtomic *a);    /* without commit: removes the temporary file */
ASH_DEFINE_CLEANUP(AshAtomic *, ash_atomic_free)
int ash_file_write_atomic(int dirfd, const char *path, AshSlice data, mode_t mode, bool sync);
/* The same, but leaves a file that has this content and mode already as it is (mtime too). Returns 1 when written, 0 when not. */
int ash_file_update(int dirfd, const char *path, AshSlice data, mode_t mode, bool sync);
/* Replaces directory "to" by directory "from" in one step (renameat2 RENAME_EXCHANGE, then removes the old one); both on one file system. */
int ash_dir_replace(int dirfd, const char *from, const char *to);

/* Advisory lock on a file (flock; made when missing, never removed). timeout_ms 0: do not wait, -1: for ever. -EAGAIN when it is taken. Freed by ash_lock_free. */
typedef struct AshLockFile AshLockFile;
int ash_lock_acquire(int dirfd, const char *path, bool exclusive, int timeout_ms, AshLockFile **ret);
void ash_lock_free(AshLockFile *lock);
ASH_DEFINE_CLEANUP(AshLockFile *, ash_lock_free)
