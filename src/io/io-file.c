#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "io.h"

#define READ_LIMIT_DEFAULT ((size_t) UINT32_MAX)
#define COPY_CHUNK (1u << 30)
#define BUFFER_SIZE (128u << 10)

void ash_bytes_done(AshBytes *b) {
        if (b->mapped)
                munmap(b->ptr, b->mapped);
        else
                free(b->ptr);
        *b = (AshBytes){};
}

static ssize_t read_some(int fd, void *data, size_t n) {
        ssize_t k;
        do
                k = read(fd, data, n);
        while (k < 0 && errno == EINTR);
        return k < 0 ? -errno : k;
}

int ash_file_read_fd(int fd, size_t limit, AshBytes *ret) {
        struct stat st;
        if (!limit)
                limit = READ_LIMIT_DEFAULT;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISREG(st.st_mode) && (uint64_t) st.st_size > limit)
                return -ASH_ERR_LIMIT;
        /* The size is a hint: files of /proc say 0, others may grow while they are read. */
        size_t cap = S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t) st.st_size + 1 : 4096, len = 0;
        _free_ char *data = ash_malloc(cap);
        for (;;) {
                ssize_t k = read_some(fd, data + len, cap - len);
                if (k < 0)
                        return (int) k;
                if (k == 0)
                        break;
                len += (size_t) k;
                if (len > limit)
                        return -ASH_ERR_LIMIT;
                if (len == cap)
                        data = ash_realloc(data, cap *= 2, 1);
        }
        data[len] = 0;
        *ret = (AshBytes){ ASH_TAKE(data), len, 0 };
        return 0;
}

int ash_file_read(int dirfd, const char *path, size_t limit, AshBytes *ret) {
        _close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        return fd < 0 ? -errno : ash_file_read_fd(fd, limit, ret);
}

int ash_file_read_into(int dirfd, const char *path, size_t size, AshStr *ret) {
        _close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;
        ash_str_clear(ret);
        ash_str_reserve(ret, size + 1);
        for (;;) {
                size_t room = ret->cap - 1 - ret->len;
                ssize_t k = read_some(fd, ret->ptr + ret->len, room);
                if (k < 0)
                        return (int) k;
                ret->len += (size_t) k;
                ret->ptr[ret->len] = 0;
                if (k == 0 || (ret->len == size && (size_t) k < room)) /* less than there was room for: its end, where stat saw it */
                        return 0;
                ash_str_reserve(ret, (size_t) k < room ? 1 : ret->cap);
        }
}

int ash_file_map(int dirfd, const char *path, AshBytes *ret) {
        struct stat st;
        _close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size <= 0)
                return ash_file_read_fd(fd, 0, ret);
        void *p = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
                return errno == ENODEV ? ash_file_read_fd(fd, 0, ret) : -errno;
        *ret = (AshBytes){ p, (size_t) st.st_size, (size_t) st.st_size };
        return 0;
}

void ash_file_unload(AshSlice part) {
        uintptr_t page = (uintptr_t) sysconf(_SC_PAGESIZE), start = (uintptr_t) part.ptr & ~(page - 1);
        if (part.len)
                (void) madvise((void *) start, part.len + ((uintptr_t) part.ptr - start), MADV_DONTNEED);
}

/* ---- paths that stay below a directory ---- */
/* For kernels (and sandboxes) without openat2: one part after the other, none of them a link. */
static int open_beneath_by_parts(int dirfd, const char *path, int flags, mode_t mode) {
        _close_ int at = openat(dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (at < 0)
                return -errno;
        AshSlice rest = ash_slice_str(path), part = {};
        while (rest.len && rest.ptr[rest.len - 1] == '/') {
                rest.len--;
                flags |= O_DIRECTORY;
        }
        while (ash_slice_split(&rest, '/', &part)) {
                if (!part.len || ash_slice_eqs(part, "."))
                        part = ASH_S(".");
                _free_ char *name = ash_slice_dup(part);
                bool last = !rest.ptr;
                int fd = openat(at, name, last ? flags | O_NOFOLLOW | O_CLOEXEC : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, mode);
                if (fd < 0) {
                        struct stat st;
                        int e = errno;
                        if (e == ENOTDIR && fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
                                e = ELOOP;
                        return -e;
                }
                close(at);
                at = fd;
        }
        return ASH_TAKE_FD(at);
}

int ash_open_beneath(int dirfd, const char *path, int flags, mode_t mode) {
        if (!path[0])
                return -ENOENT;
        if (!ash_path_is_confined(ash_slice_str(path)))
                return -EXDEV;
        bool makes = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
        struct open_how how = { .flags = (unsigned) (flags | O_CLOEXEC), .mode = makes ? mode & 07777 : 0, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
        for (int tries = 0; tries < 100; tries++) {
                long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof how);
                if (fd >= 0)
                        return (int) fd;
                if (errno == ENOSYS || errno == EPERM) /* EPERM: seccomp filters that know no openat2 */
                        return open_beneath_by_parts(dirfd, path, flags, mode);
                if (errno != EAGAIN && errno != EINTR) /* EAGAIN: something was renamed meanwhile */
                        return -errno;
        }
        return -EAGAIN;
}

/* ---- bytes ---- */
int ash_write_all(int fd, const void *data, size_t n) {
        const char *p = data;
        while (n > 0) {
                ssize_t k = write(fd, p, n);
                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0)
                        return k < 0 ? -errno : -EIO;
                p += k;
                n -= (size_t) k;
        }
        return 0;
}

int ash_pread_all(int fd, void *data, size_t n, uint64_t offset) {
        char *p = data;
        while (n > 0) {
                ssize_t k = pread(fd, p, n, (off_t) offset);
                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0)
                        return k < 0 ? -errno : -EIO;
                p += k;
                n -= (size_t) k;
                offset += (uint64_t) k;
        }
        return 0;
}

static int copy_by_buffer(int from_fd, int to_fd, uint64_t n) {
        _free_ char *buffer = ash_malloc(BUFFER_SIZE);
        while (n > 0) {
                ssize_t k = read_some(from_fd, buffer, (size_t) ASH_MIN(n, (uint64_t) BUFFER_SIZE));
                if (k < 0)
                        return (int) k;
                if (k == 0)
                        return n == UINT64_MAX ? 0 : -EIO;
                int r = ash_write_all(to_fd, buffer, (size_t) k);
                if (r < 0)
                        return r;
                if (n != UINT64_MAX)
                        n -= (uint64_t) k;
        }
        return 0;
}

int ash_copy_fd(int from_fd, int to_fd, uint64_t n) {
        while (n > 0) {
                ssize_t k = copy_file_range(from_fd, NULL, to_fd, NULL, (size_t) ASH_MIN(n, (uint64_t) COPY_CHUNK), 0);
                if (k < 0 && errno == EINTR)
                        continue;
                /* What the kernel cannot copy itself (pipes, other file systems, /proc, which says 0) goes through a buffer. */
                if (k < 0 && errno != EXDEV && errno != ENOSYS && errno != EINVAL && errno != EOPNOTSUPP && errno != EBADF && errno != EPERM)
                        return -errno;
                if (k <= 0)
                        return copy_by_buffer(from_fd, to_fd, n);
                if (n != UINT64_MAX)
                        n -= (uint64_t) k;
        }
        return 0;
}

int ash_copy_file(int from_dirfd, const char *from, int to_dirfd, const char *to, mode_t mode) {
        _cleanup_(ash_atomic_free_p) AshAtomic *a = NULL;
        _close_ int fd = openat(from_dirfd, from, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;
        int r = ash_atomic_open(to_dirfd, to, mode, false, &a);
        if (r < 0)
                return r;
        if (ioctl(ash_atomic_fd(a), FICLONE, fd) < 0) {
                r = ash_copy_fd(fd, ash_atomic_fd(a), UINT64_MAX);
                if (r < 0)
                        return r;
        }
        return ash_atomic_commit(a);
}
