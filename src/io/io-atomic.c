/* Files and directories that appear whole or not at all, and locks. */
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include "io.h"

struct AshAtomic {
        int dirfd;   /* of the directory that the file is in */
        int fd;
        char *name;  /* in that directory */
        char *temporary;
        mode_t mode;
        bool sync;
};

static int open_parent(int dirfd, AshSlice path) {
        _free_ char *dir = ash_slice_dup(ash_path_dir(path));
        int fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 && errno == EACCES) /* one may write there without listing it */
                fd = openat(dirfd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* A hidden name that no other process picks; it marks leftovers of a killed process for what they are. */
static char *temporary_name(const char *name) {
        uint64_t n = 0;
        if (getrandom(&n, sizeof n, 0) != sizeof n)
                n = ash_now_ns() ^ (uint64_t) getpid() << 40;
        return ash_asprintf(".%.*s.%016llx.tmp", NAME_MAX - 32, name, (unsigned long long) n);
}

int ash_atomic_open(int dirfd, const char *path, mode_t mode, bool sync, AshAtomic **ret) {
        AshSlice base = ash_path_base(ash_slice_str(path));
        if (!base.len || ash_slice_eqs(base, ".") || ash_slice_eqs(base, ".."))
                return -EISDIR;
        if (base.len > NAME_MAX)
                return -ENAMETOOLONG;
        struct stat st;
        if (fstatat(dirfd, path, &st, 0) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) /* root could put a file in place of /dev/null */
                return -EEXIST;
        AshAtomic *a = ash_calloc(1, sizeof *a);
        *a = (AshAtomic){ .dirfd = open_parent(dirfd, ash_slice_str(path)), .fd = -1, .name = ash_slice_dup(base), .mode = mode, .sync = sync };
        int r = a->dirfd;
        for (int tries = 0; r >= 0 && a->fd < 0; tries++) {
                free(a->temporary);
                a->temporary = temporary_name(a->name);
                a->fd = openat(a->dirfd, a->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
                if (a->fd < 0 && (errno != EEXIST || tries > 100))
                        r = -errno;
        }
        if (r < 0) {
                ash_atomic_free(a);
                return r;
        }
        *ret = a;
        return 0;
}

int ash_atomic_fd(AshAtomic *a) { return a->fd; }

int ash_atomic_commit(AshAtomic *a) {
        if (fchmod(a->fd, a->mode & 07777) < 0)
                return -errno;
        if (a->sync && fsync(a->fd) < 0)
                return -errno;
        if (renameat(a->dirfd, a->temporary, a->dirfd, a->name) < 0)
                return -errno;
        free(a->temporary);
        a->temporary = NULL;
        int fd = ASH_TAKE_FD(a->fd);
        if (close(fd) < 0 && errno != EINTR) /* NFS reports a full disk here */
                return -errno;
        if (a->sync && fsync(a->dirfd) < 0 && errno != EBADF && errno != EINVAL)
                return -errno;
        return 0;
}

void ash_atomic_free(AshAtomic *a) {
        if (!a)
                return;
        if (a->fd >= 0) {
                close(a->fd);
                if (a->temporary)
                        unlinkat(a->dirfd, a->temporary, 0);
        }
        if (a->dirfd >= 0)
                close(a->dirfd);
        free(a->name);
        free(a->temporary);
        free(a);
}

int ash_file_write_atomic(int dirfd, const char *path, AshSlice data, mode_t mode, bool sync) {
        _cleanup_(ash_atomic_free_p) AshAtomic *a = NULL;
        int r = ash_atomic_open(dirfd, path, mode, sync, &a);
        if (r >= 0)
                r = ash_write_all(a->fd, data.ptr, data.len);
        return r < 0 ? r : ash_atomic_commit(a);
}

static bool same_already(int dirfd, const char *path, AshSlice data, mode_t mode) {
        _close_ int fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        _bytes_ AshBytes old = {};
        struct stat st;
        return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 07777) == (mode & 07777) && (uint64_t) st.st_size == data.len &&
                ash_file_read_fd(fd, data.len ? data.len : 1, &old) == 0 && ash_slice_eq(ash_bytes_slice(&old), data);
}

int ash_file_update(int dirfd, const char *path, AshSlice data, mode_t mode, bool sync) {
        if (same_already(dirfd, path, data, mode))
                return 0;
        int r = ash_file_write_atomic(dirfd, path, data, mode, sync);
        return r < 0 ? r : 1;
}

int ash_dir_replace(int dirfd, const char *from, const char *to) {
        if (renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE) == 0)
                return 0;
        if (errno == EEXIST) {
                if (renameat2(dirfd, from, dirfd, to, RENAME_EXCHANGE) == 0)
                        return ash_remove_all(dirfd, from);
        }
        if (errno != EINVAL && errno != ENOSYS)
                return -errno;
        /* A file system without these: the old one steps aside for a moment. */
        _free_ char *name = ash_slice_dup(ash_path_base(ash_slice_str(to))), *aside_name = temporary_name(name);
        _free_ char *dir = ash_slice_dup(ash_path_dir(ash_slice_str(to))), *aside = ash_path_join(dir, aside_name);
        bool old = renameat(dirfd, to, dirfd, aside) == 0;
        if (!old && errno != ENOENT)
                return -errno;
        if (renameat(dirfd, from, dirfd, to) < 0) {
                int e = errno;
                if (old && renameat(dirfd, aside, dirfd, to) < 0)
                        return -errno;
                return -e;
        }
        return old ? ash_remove_all(dirfd, aside) : 0;
}

/* ---- locks ---- */
struct AshLockFile {
        int fd;
};

static int lock_fd(int fd, int operation, int timeout_ms) {
        uint64_t end = ash_now_ns() + (uint64_t) ASH_MAX(timeout_ms, 0) * 1000000u, pause = 1000000;
        for (;;) {
                if (flock(fd, operation | (timeout_ms < 0 ? 0 : LOCK_NB)) == 0)
                        return 0;
                if (errno == EINTR)
                        continue;
                uint64_t now = ash_now_ns();
                if (errno != EWOULDBLOCK || now >= end)
                        return -errno;
                uint64_t t = ASH_MIN(pause, end - now);
                nanosleep(&(struct timespec){ (time_t) (t / 1000000000u), (long) (t % 1000000000u) }, NULL);
                pause = ASH_MIN(pause * 2, (uint64_t) 50000000);
        }
}

int ash_lock_acquire(int dirfd, const char *path, bool exclusive, int timeout_ms, AshLockFile **ret) {
        _close_ int fd = openat(dirfd, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
        if (fd < 0 && (errno == EACCES || errno == EROFS)) /* flock needs no right to write */
                fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;
        int r = lock_fd(fd, exclusive ? LOCK_EX : LOCK_SH, timeout_ms);
        if (r < 0)
                return r;
        AshLockFile *lock = ash_calloc(1, sizeof *lock);
        lock->fd = ASH_TAKE_FD(fd);
        *ret = lock;
        return 0;
}

void ash_lock_free(AshLockFile *lock) {
        if (!lock)
                return;
        close(lock->fd);
        free(lock);
}
