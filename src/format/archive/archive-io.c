/* From and to files. */
#include <sys/mman.h>
#include "archive.h"

#define LIMIT_DEFAULT ((uint64_t) 32 << 30)

static int copy_stream(AshReader *in, AshWriter *out) {
        _free_ char *buffer = ash_malloc(1 << 18);
        for (;;) {
                ssize_t n = ash_reader_read(in, buffer, 1 << 18);
                if (n <= 0)
                        break;
                ash_writer_write(out, buffer, (size_t) n);
        }
        return in->error < 0 ? in->error : ash_writer_finish(out);
}

/* The decompressed archive in a file that has no name. */
static int spill(int fd, AshCompression c, const char *scratch, uint64_t limit, int *ret) {
        if (!scratch)
                scratch = getenv("TMPDIR");
        _close_ int out = open(scratch ? scratch : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (out < 0)
                return -errno;
        _cleanup_(ash_reader_free_p) AshReader *in = ash_reader_new_decompress(ash_reader_new_fd(fd, false), true, c, limit);
        _cleanup_(ash_writer_free_p) AshWriter *writer = ash_writer_new_fd(out, false);
        int r = copy_stream(in, writer);
        if (r < 0)
                return r;
        *ret = ASH_TAKE_FD(out);
        return 0;
}

static int detect(int fd, AshCompression *ret) {
        char magic[16];
        ssize_t n = pread(fd, magic, sizeof(magic), 0);
        if (n < 0)
                return -errno;
        AshSlice first = ash_slice(magic, (size_t) n);
        *ret = ash_compression_detect(first);
        return ash_slice_starts(first, ASH_S("PK\3\4")) ? -ENOTSUP : 0;
}

static int map_and_parse(int fd, const char *name, AshArchive **ret, AshDiags *diags) {
        struct stat st;
        if (fstat(fd, &st) < 0)
                return ash_fail_file(diags, -errno, name, "%s", ash_strerror(-errno));
        if (st.st_size == 0)
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, name, "the archive is empty");
        char *map = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED)
                return ash_fail_file(diags, -errno, name, "%s", ash_strerror(-errno));
        int r = ash_archive_parse(ash_slice(map, (size_t) st.st_size), name, ret, diags);
        if (r < 0)
                munmap(map, (size_t) st.st_size);
        else
                (*ret)->map = map;
        return r;
}

int ash_archive_read(int dirfd, const char *path, const char *name, const char *scratch, uint64_t limit, AshArchive **ret, AshDiags *diags) {
        _close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return ash_fail_file(diags, -errno, name, "%s", ash_strerror(-errno));
        AshCompression c = ASH_COMP_NONE;
        int r = detect(fd, &c);
        if (r == -ENOTSUP)
                return ash_fail_file(diags, r, name, "this is a zip archive; only tar archives can be edited");
        _close_ int plain = -1;
        if (r >= 0)
                r = spill(fd, c, scratch, limit > 0 ? limit : LIMIT_DEFAULT, &plain);
        if (r == -ASH_ERR_LIMIT)
                return ash_fail_file(diags, r, name, "the archive is larger than %llu bytes when unpacked", (unsigned long long) (limit > 0 ? limit : LIMIT_DEFAULT));
        if (r == -ASH_ERR_SYNTAX)
                return ash_fail_file(diags, r, name, "the archive is damaged or cut short (%s)", ash_compression_name(c));
        if (r < 0)
                return ash_fail_file(diags, r, name, "%s", ash_strerror(r));
        r = map_and_parse(plain, name, ret, diags);
        if (r >= 0)
                (*ret)->compression = c;
        return r;
}

int ash_archive_write(const AshArchive *a, int dirfd, const char *path, AshDiags *diags) {
        _cleanup_(ash_atomic_free_p) AshAtomic *file = NULL;
        int r = ash_atomic_open(dirfd, path, 0644, false, &file);
        if (r < 0)
                return ash_fail_file(diags, r, path, "%s", ash_strerror(r));
        _cleanup_(ash_writer_free_p) AshWriter *out = ash_writer_new_fd(ash_atomic_fd(file), false);
        _cleanup_(ash_writer_free_p) AshWriter *packed = ash_writer_new_compress(out, a->compression, 0);
        ash_archive_pack(a, packed);
        r = ash_writer_finish(packed);
        if (r >= 0)
                r = ash_writer_finish(out);
        if (r >= 0)
                r = ash_atomic_commit(file);
        return r < 0 ? ash_fail_file(diags, r, path, "%s", ash_strerror(r)) : 0;
}
