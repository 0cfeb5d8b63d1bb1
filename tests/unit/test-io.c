#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "io.h"

#define _tempdir_ _cleanup_(ash_tempdir_free_p)
#define assert_ok(r) assert_int_equal(r, 0)

static AshTempDir *tempdir(void) {
        AshTempDir *t = NULL;
        assert_ok(ash_tempdir_new(NULL, &t));
        return t;
}

static void put(const AshTempDir *t, const char *path, const char *text) {
        _free_ char *dir = ash_slice_dup(ash_path_dir(ash_slice_str(path)));
        assert_ok(ash_mkdir_all(t->fd, dir, 0755));
        assert_ok(ash_file_write_atomic(t->fd, path, ash_slice_str(text), 0644, false));
}

static void assert_file(const AshTempDir *t, const char *path, const char *text) {
        _bytes_ AshBytes b = {};
        assert_ok(ash_file_read(t->fd, path, 0, &b));
        assert_true(ash_slice_eqs(ash_bytes_slice(&b), text));
}

static char *names_in(const AshTempDir *t, const char *path) {
        _dirlist_ AshDirList list = {};
        AshStr out = {};
        assert_ok(ash_dir_list(t->fd, path, &list));
        ash_array_foreach(&list.entries, e)
                ash_str_appendf(&out, "%s ", e->name);
        return ash_str_take(&out);
}

/* Runs fn in a process of its own; its exit status. */
static int in_child(int (*fn)(void *), void *data) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(fn(data));
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

/* ---- files ---- */
static void test_read(void **state) {
        (void) state;
        _tempdir_ AshTempDir *t = tempdir();
        _bytes_ AshBytes a = {}, b = {}, c = {}, d = {}, none = {};
        put(t, "f", "hello");
        put(t, "empty", "");
        assert_ok(ash_file_read(t->fd, "f", 5, &a));
        assert_string_equal(a.ptr, "hello");
        assert_int_equal(ash_file_read(t->fd, "f", 4, &none), -ASH_ERR_LIMIT);
        assert_int_equal(ash_file_read(t->fd, "missing", 0, &none), -ENOENT);
        assert_int_equal(ash_file_read(t->fd, ".", 0, &none), -EISDIR);
        assert_null(none.ptr);
        assert_ok(ash_file_map(t->fd, "f", &b));
        assert_true(ash_slice_eqs(ash_bytes_slice(&b), "hello"));
        assert_ok(ash_file_map(t->fd, "empty", &c));
        assert_int_equal(c.len, 0);
        assert_ok(ash_file_read(AT_FDCWD, "/proc/self/status", 0, &d)); /* a file that says size 0 */
        assert_true(d.len > 100);
        int fds[2];
        assert_ok(pipe(fds));
        assert_ok(ash_write_all(fds[1], "pipe", 4));
        close(fds[1]);
        assert_int_equal(ash_file_read_fd(fds[0], 3, &none), -ASH_ERR_LIMIT);
        close(fds[0]);
}

static void test_open_beneath(void **state) {
        (void) state;
        _tempdir_ AshTempDir *t = tempdir();
        put(t, "d/e/f", "x");
        assert_ok(symlinkat("/etc", t->fd, "d/abs"));
        assert_ok(symlinkat("e", t->fd, "d/inside"));
        assert_ok(symlinkat("e/f", t->fd, "d/file"));
        static const struct {
                const char *path;
                int flags, error;
        } cases[] = {
                { "d/e/f", O_RDONLY, 0 }, { "d", O_RDONLY | O_DIRECTORY, 0 }, { "./d//e/", O_RDONLY | O_DIRECTORY, 0 }, { "/etc/passwd", O_RDONLY, -EXDEV }, { "../x", O_RDONLY, -EXDEV },
                { "d/../d/e/f", O_RDONLY, -EXDEV }, { "d/abs/passwd", O_RDONLY, -ELOOP }, { "d/inside/f", O_RDONLY, -ELOOP }, { "d/file", O_RDONLY, -ELOOP },
                { "d/none", O_RDONLY, -ENOENT }, { "", O_RDONLY, -ENOENT }, { "d/e/f/g", O_RDONLY, -ENOTDIR },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                _close_ int fd = ash_open_beneath(t->fd, cases[i].path, cases[i].flags, 0);
                if ((fd < 0 ? fd : 0) != cases[i].error)
                        fail_msg("%s: %d", cases[i].path, fd);
                if (fd >= 0)
                        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        }
        _close_ int made = ash_open_beneath(t->fd, "d/new", O_WRONLY | O_CREAT | O_EXCL, 0600);
        assert_true(made >= 0);
}

static void test_mkdir_remove(void **state) {
        (void) state;
        _tempdir_ AshTempDir *t = tempdir(), *other = tempdir();
        assert_ok(ash_mkdir_all(t->fd, "a/b//c/", 0755));
        assert_ok(ash_mkdir_all(t->fd, "a/b/c", 0755));
        put(t, "a/file", "x");
        assert_int_equal(ash_mkdir_all(t->fd, "a/file", 0755), -ENOTDIR);
        assert_int_equal(ash_mkdir_all(t->fd, "a/file/sub", 0755), -ENOTDIR);
        put(other, "keep", "x");
        assert_ok(symlinkat(other->path, t->fd, "a/link"));
        assert_ok(ash_remove_all(t->fd, "a"));
        assert_ok(ash_remove_all(t->fd, "a"));
        assert_ok(ash_remove_all(t->fd, "no/such/path"));
        assert_file(other, "keep", "x");
        assert_ok(symlinkat(other->path, t->fd, "link"));
        assert_ok(ash_remove_all(t->fd, "link/"));
        assert_file(other, "keep", "x");
        _free_ char *left = names_in(t, ".");
        assert_string_equal(left, "");
}

/* Deeper than descriptors and PATH_MAX allow, with directories that are closed to us. */
static void test_remove_deep(void **state) {
        (void) state;
        _tempdir_ AshTempDir *t = tempdir();
        _close_ int at = dup(t->fd);
        for (int i = 0; i < 900; i++) {
                assert_ok(mkdirat(at, "deep", 0755));
                int next = openat(at, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                assert_true(next >= 0);
                _close_ int file = openat(at, "f", O_CREAT | O_CLOEXEC | O_WRONLY, 0644);
                assert_true(file >= 0);
                close(at);
                at = next;
        }
        assert_ok(ash_mkdir_all(t->fd, "closed/in", 0755));
        assert_ok(fchmodat(t->fd, "closed", 0, 0));
        assert_ok(ash_remove_all(t->fd, "deep"));
        assert_ok(ash_remove_all(t->fd, "closed"));
        _free_ char *left = names_in(t, ".");
        assert_string_equal(left, "f ");
}

static void test_copy(void **state) {
        (void) state;
        _tempdir_ AshTempDir *t = tempdir();
        _str_ AshStr large = {};
        ash_str_append_fill(&large, 'x', 3000000);
        put(t, "from", large.ptr);
        assert_ok(ash_copy_file(t->fd, "from", t->fd, "to", 0640));
        assert_file(t, "to", large.ptr);
        struct stat st;
        assert_ok(fstatat(t->fd, "to", &st, 0));
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(ash_copy_file(t->fd, "none", t->fd, "to2", 0640), -ENOENT);
        assert_ok(ash_copy_file(AT_FDCWD, "/proc/self/status", t->fd, "status", 0644));
        assert_ok(fstatat(t->fd, "status", &st, 0));
        assert_true(st.st_size > 100);
        _close_ int from = openat(t->fd, "from", O_RDONLY), to = openat(t->fd, "part", O_RDWR | O_CREAT, 0644);
        assert_ok(ash_copy_fd(from, to, 1000));
        assert_ok(fstat(to, &st));
        assert_int_equal(st.st_size, 1000);
        assert_int_equal(ash_copy_fd(from, to, 5000000), -EIO); /* it is not that long */
        char five[5];
        assert_ok(ash_pread_all(from, five, 5, 10));
        assert_int_equal(ash_pread_all(from, five, 5, 2999998), -EIO);
}

static char *glob(const AshTempDir *t, const char *pattern, bool follow) {
        _paths_ AshPaths found = {};
        AshStr out = {};
        int r = ash_glob_files(t->fd, pattern, follow, &found);
        if (r < 0)
                return ash_asprintf("error %d", r);
        ash_array_foreach(&found.paths, p)
                ash_str_appendf(&out, "%s ", *p);
        return ash_str_take(&out);
}

static void test_glob_files(void **state) {
        (void) state;
        _tempdir_ AshTempDir *t = tempdir();
        static const char *files[] = { "a/a.toml", "a/b.json", "a/x/c.toml", "b/a.toml", "b/.hidden.toml", "top.toml", "we[ird", "z/deep/er/d.toml" };
        for (size_t i = 0; i < ASH_N(files); i++)
                put(t, files[i], "");
        assert_ok(symlinkat("..", t->fd, "a/loop"));
        assert_ok(symlinkat("../top.toml", t->fd, "b/link.toml"));
        assert_ok(symlinkat("nowhere", t->fd, "b/broken.toml"));
        assert_ok(mkdirat(t->fd, "dir.toml", 0755));
        static const struct {
                const char *pattern;
                bool follow;
                const char *found;
        } cases[] = {
                { "*.toml", 0, "top.toml " }, { "*/*.toml", 0, "a/a.toml b/.hidden.toml b/a.toml " }, { "**/*.toml", 0, "a/a.toml a/x/c.toml b/.hidden.toml b/a.toml top.toml z/deep/er/d.toml " },
                { "{a,b}/*.{toml,json}", 0, "a/a.toml a/b.json b/.hidden.toml b/a.toml " }, { "{a/x,b}/[ac].toml", 0, "a/x/c.toml b/a.toml " }, { "*/a.toml", 0, "a/a.toml b/a.toml " },
                { "a/a.toml", 0, "a/a.toml " }, { "./a//a.toml", 0, "a/a.toml " }, { "none/*.toml", 0, "" }, { "a/a.toml/x", 0, "" }, { "z/**", 0, "z/deep/er/d.toml " },
                { "z/**/er/*", 0, "z/deep/er/d.toml " }, { "**/**/d.toml", 0, "z/deep/er/d.toml " }, { "a/**/a.toml", 0, "a/a.toml " }, { "we\\[ird", 0, "we[ird " }, { "a/../top.toml", 0, "a/../top.toml " },
                { "{a,a}/a.toml", 0, "a/a.toml " }, { "[", 0, "error -22" }, { "b/l*.toml", 0, "" }, { "b/l*.toml", 1, "b/link.toml " }, { "a/loop/top.toml", 0, "" },
                { "a/loop/top.toml", 1, "a/loop/top.toml " }, { "{*/a.toml,../*/none}", 0, "a/a.toml b/a.toml " }, { "", 0, "" },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                _free_ char *found = glob(t, cases[i].pattern, cases[i].follow);
                if (strcmp(found, cases[i].found) != 0)
                        fail_msg("%s: '%s'", cases[i].pattern, found);
        }
        _free_ char *all = glob(t, "**/d.toml", true); /* through the loop, which ends */
        assert_string_equal(all, "z/deep/er/d.toml ");
        _free_ char *absolute_pattern = ash_asprintf("%s/*/x/*.toml", t->path), *absolute = glob(t, absolute_pattern, true), *expected = ash_asprintf("%s/a/x/c.toml ", t->path);
        assert_string_equal(absolute, expected);
        _free_ char *bomb = glob(t, "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", false);
        assert_string_equal(bomb, "error -1030");
}

/* ---- atomic files ---- */
static void test_atomic(void **state) {
        (void) state;
        _tempdir_ AshTempDir *t = tempdir();
        mode_t before = umask(077);
        put(t, "f", "old");
        struct stat st;
        for (int i = 0; i < 2; i++) {
                AshAtomic *a = NULL;
                assert_ok(ash_atomic_open(t->fd, "f", 0664, true, &a));
                assert_ok(ash_write_all(ash_atomic_fd(a), "new", 3));
                assert_file(t, "f", i ? "new" : "old");
                assert_ok(i ? 0 : ash_atomic_commit(a));
                ash_atomic_free(a);
                assert_file(t, "f", "new");
        }
        assert_ok(fstatat(t->fd, "f", &st, 0));
        assert_int_equal(st.st_mode & 07777, 0664);
        umask(before);
        _free_ char *names = names_in(t, ".");
        assert_string_equal(names, "f ");
        AshAtomic *none = NULL;
        assert_int_equal(ash_atomic_open(t->fd, "no/f", 0644, true, &none), -ENOENT);
        assert_int_equal(ash_atomic_open(t->fd, "dir/", 0644, true, &none), -EISDIR);
        assert_int_equal(ash_atomic_open(t->fd, "..", 0644, true, &none), -EISDIR);
        assert_null(none);
        char longest[256];
        memset(longest, 'n', 255);
        longest[255] = 0;
        assert_ok(ash_file_write_atomic(t->fd, longest, ASH_S("x"), 0644, false));
        assert_ok(mkdirat(t->fd, "isdir", 0755));
        assert_true(ash_file_write_atomic(t->fd, "isdir", ASH_S("x"), 0644, false) < 0);
        _free_ char *after = names_in(t, ".");
        assert_null(strstr(after, ".tmp"));
}

static void test_update(void **state) {
        (void) state;
        _tempdir_ AshTempDir *t = tempdir();
        struct stat a, b;
        assert_int_equal(ash_file_update(t->fd, "f", ASH_S("x"), 0644, false), 1);
        assert_ok(fstatat(t->fd, "f", &a, 0));
        assert_int_equal(ash_file_update(t->fd, "f", ASH_S("x"), 0644, false), 0);
        assert_ok(fstatat(t->fd, "f", &b, 0));
        assert_int_equal(a.st_ino, b.st_ino);
        assert_int_equal(ash_file_update(t->fd, "f", ASH_S("y"), 0644, false), 1);
        assert_int_equal(ash_file_update(t->fd, "f", ASH_S("y"), 0600, false), 1);
        assert_ok(symlinkat("f", t->fd, "link"));
        assert_int_equal(ash_file_update(t->fd, "link", ASH_S("y"), 0600, false), 1); /* the link is replaced, not what it points at */
        assert_ok(fstatat(t->fd, "link", &a, AT_SYMLINK_NOFOLLOW));
        assert_true(S_ISREG(a.st_mode));
        assert_int_equal(ash_file_update(t->fd, "empty", ASH_S(""), 0600, false), 1);
        assert_int_equal(ash_file_update(t->fd, "empty", ASH_S(""), 0600, false), 0);
}

static void test_dir_replace(void **state) {
        (void) state;
        _tempdir_ AshTempDir *t = tempdir();
        put(t, "new/f", "1");
        assert_ok(ash_dir_replace(t->fd, "new", "d"));
        put(t, "new/g", "2");
        assert_ok(ash_dir_replace(t->fd, "new", "d"));
        _free_ char *top = names_in(t, "."), *in = names_in(t, "d");
        assert_string_equal(top, "d ");
        assert_string_equal(in, "g ");
        assert_int_equal(ash_dir_replace(t->fd, "none", "d"), -ENOENT);
}

/* The whole of "f" is made of one letter, or there is a defect. */
static void assert_whole(const AshTempDir *t, size_t size) {
        _bytes_ AshBytes b = {};
        assert_ok(ash_file_read(t->fd, "f", 0, &b));
        assert_int_equal(b.len, size);
        for (size_t i = 1; i < b.len; i++)
                if (b.ptr[i] != b.ptr[0])
                        fail_msg("mixed at %zu", i);
}

static void test_atomic_replaces_files_only(void **state) {
        (void) state;
        _tempdir_ AshTempDir *t = tempdir();
        AshAtomic *a = NULL;
        struct stat st;
        assert_ok(mkfifoat(t->fd, "pipe", 0600));
        assert_ok(symlinkat("/dev/null", t->fd, "null"));
        assert_int_equal(ash_atomic_open(t->fd, "pipe", 0644, false, &a), -EEXIST);
        assert_int_equal(ash_atomic_open(t->fd, "null", 0644, false, &a), -EEXIST);
        assert_int_equal(ash_file_write_atomic(t->fd, "null", ASH_S("x"), 0644, false), -EEXIST);
        assert_ok(fstatat(t->fd, "null", &st, AT_SYMLINK_NOFOLLOW));
        assert_true(S_ISLNK(st.st_mode));
        assert_ok(symlinkat("nowhere", t->fd, "link"));
        assert_ok(ash_file_write_atomic(t->fd, "link", ASH_S("x"), 0644, false));
}

static void test_atomic_killed(void **state) {
        (void) state;
        enum { SIZE = 300000 };
        _tempdir_ AshTempDir *t = tempdir();
        _str_ AshStr text = {};
        ash_str_append_fill(&text, 'a', SIZE);
        put(t, "f", text.ptr);
        for (unsigned i = 0; i < 40; i++) {
                pid_t pid = fork();
                if (pid == 0)
                        for (unsigned k = 0;; k++) {
                                memset(text.ptr, 'a' + (int) (k % 26), SIZE);
                                ash_file_write_atomic(t->fd, "f", ash_str_slice(&text), 0644, false);
                        }
                nanosleep(&(struct timespec){ 0, 500000 + i * 137000 }, NULL);
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
                assert_whole(t, SIZE);
        }
        _dirlist_ AshDirList list = {};
        assert_ok(ash_dir_list(t->fd, ".", &list));
        ash_array_foreach(&list.entries, e) /* what was left behind says what it is */
                if (strcmp(e->name, "f") != 0)
                        assert_true(ash_slice_starts(ash_slice_str(e->name), ASH_S(".f.")) && ash_slice_ends(ash_slice_str(e->name), ASH_S(".tmp")));
}

typedef struct FullDisk {
        AshTempDir *dir;
        bool by_tmpfs;
} FullDisk;

enum { GOOD = 0, NOT_POSSIBLE = 77 };

static int write_to_full_disk(void *data) {
        FullDisk *f = data;
        _str_ AshStr large = {};
        int expected = -ENOSPC;
        signal(SIGXFSZ, SIG_IGN);
        if (f->by_tmpfs) {
                if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) < 0 || (geteuid() == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) ||
                    mount("tmpfs", f->dir->path, "tmpfs", 0, "size=256k") < 0)
                        return NOT_POSSIBLE;
        } else {
                struct rlimit limit = { 256 << 10, 256 << 10 };
                setrlimit(RLIMIT_FSIZE, &limit);
                expected = -EFBIG;
        }
        int dirfd = open(f->dir->path, O_RDONLY | O_DIRECTORY); /* of the new mount */
        if (ash_file_write_atomic(dirfd, "f", ASH_S("old"), 0644, true) != 0)
                return 1;
        ash_str_append_fill(&large, 'x', 1 << 20);
        if (ash_file_write_atomic(dirfd, "f", ash_str_slice(&large), 0644, true) != expected || ash_file_update(dirfd, "f", ash_str_slice(&large), 0644, true) != expected)
                return 2;
        if (ash_compress(ASH_S("x"), ASH_COMP_GZIP, 0, &large) != 0)
                return 3;
        AshAtomic *a = NULL;
        if (ash_atomic_open(dirfd, "g", 0644, true, &a) != 0)
                return 4;
        AshWriter *w = ash_writer_new_fd(ash_atomic_fd(a), false);
        ash_writer_zeros(w, 2 << 20);
        ash_writer_printf(w, "no effect any more");
        if (ash_writer_finish(w) != expected || w->offset > 2 << 20)
                return 5;
        ash_writer_free(w);
        ash_atomic_free(a);
        _dirlist_ AshDirList list = {};
        _bytes_ AshBytes old = {};
        if (ash_dir_list(dirfd, ".", &list) != 0 || list.entries.n != 1 || ash_file_read(dirfd, "f", 0, &old) != 0 || !ash_slice_eqs(ash_bytes_slice(&old), "old"))
                return 6;
        return GOOD;
}

static void test_full_disk(void **state) {
        (void) state;
        _tempdir_ AshTempDir *a = tempdir(), *b = tempdir();
        FullDisk limited = { a, false }, full = { b, true };
        assert_int_equal(in_child(write_to_full_disk, &limited), GOOD);
        int r = in_child(write_to_full_disk, &full);
        if (r == NOT_POSSIBLE)
                print_message("no tmpfs may be mounted here: only the file size limit was tested\n");
        else
                assert_int_equal(r, GOOD);
}

/* ---- locks ---- */
static int try_lock(void *data) {
        _cleanup_(ash_lock_free_p) AshLockFile *lock = NULL;
        int r = ash_lock_acquire(((AshTempDir *) data)->fd, "lock", true, 0, &lock);
        return r == 0 ? 0 : r == -EAGAIN ? 1 : 2;
}

static void test_lock(void **state) {
        (void) state;
        _tempdir_ AshTempDir *t = tempdir();
        AshLockFile *lock = NULL, *second = NULL;
        assert_ok(ash_lock_acquire(t->fd, "lock", true, 0, &lock));
        assert_int_equal(in_child(try_lock, t), 1);
        uint64_t start = ash_now_ns();
        assert_int_equal(ash_lock_acquire(t->fd, "lock", false, 60, &second), -EAGAIN);
        assert_true(ash_now_ns() - start >= 60 * 1000000u);
        ash_lock_free(lock);
        assert_int_equal(in_child(try_lock, t), 0);
        assert_ok(ash_lock_acquire(t->fd, "lock", false, -1, &lock));
        assert_ok(ash_lock_acquire(t->fd, "lock", false, 0, &second)); /* readers share */
        assert_int_equal(in_child(try_lock, t), 1);
        ash_lock_free(lock);
        ash_lock_free(second);
        assert_int_equal(ash_lock_acquire(t->fd, "no/lock", true, 0, &lock), -ENOENT);
}

/* ---- digests ---- */
/* Every single bit and every length counts. */
static void test_checksum(void **state) {
        (void) state;
        char data[200];
        for (size_t i = 0; i < sizeof data; i++)
                data[i] = (char) (i * 7);
        for (size_t len = 0; len <= sizeof data; len += len < 20 ? 1 : 45) {
                uint64_t sum = ash_checksum(ash_slice(data, len));
                for (size_t bit = 0; bit < 8 * len; bit++) {
                        data[bit / 8] ^= (char) (1 << bit % 8);
                        assert_true(ash_checksum(ash_slice(data, len)) != sum);
                        data[bit / 8] ^= (char) (1 << bit % 8);
                }
                assert_true(ash_checksum(ash_slice(data, len)) == sum);
                assert_true(len == sizeof data || ash_checksum(ash_slice(data, len + 1)) != sum);
        }
}

static void test_digest(void **state) {
        (void) state;
        static const struct {
                AshDigestKind kind;
                const char *hex; /* of "abc": FIPS 180-4 examples, RFC 1321 */
        } cases[] = {
                { ASH_MD5, "900150983cd24fb0d6963f7d28e17f72" }, { ASH_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d" }, { ASH_SHA224, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7" },
                { ASH_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
                { ASH_SHA384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7" },
                { ASH_SHA512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                char hex[ASH_HEX_MAX];
                uint8_t bytes[ASH_DIGEST_SIZE_MAX], again[ASH_DIGEST_SIZE_MAX];
                size_t size = ash_digest_size(cases[i].kind);
                ash_digest_hex_of(cases[i].kind, ASH_S("abc"), hex);
                assert_string_equal(hex, cases[i].hex);
                assert_ok(ash_unhex(ash_slice_str(hex), bytes, size));
                _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(cases[i].kind);
                for (int k = 0; k < 2; k++) { /* and ready for a second run */
                        ash_digest_update(d, "a", 1);
                        ash_digest_update(d, NULL, 0);
                        ash_digest_update(d, "bc", 2);
                        ash_digest_final(d, again);
                        assert_memory_equal(bytes, again, size);
                }
                assert_int_equal(ash_digest_kind(ash_slice_str(ash_digest_name(cases[i].kind))), cases[i].kind);
        }
        assert_int_equal(ash_digest_kind(ASH_S("SHA-256")), ASH_SHA256);
        assert_int_equal(ash_digest_kind(ASH_S("sha")), ASH_SHA1);
        assert_int_equal(ash_digest_kind(ASH_S("sha3")), ASH_DIGEST_INVALID_);
        assert_int_equal(ash_digest_kind(ASH_S("")), ASH_DIGEST_INVALID_);
        uint8_t b[2];
        assert_int_equal(ash_unhex(ASH_S("00fg"), b, 2), -EINVAL);
        assert_int_equal(ash_unhex(ASH_S("00f"), b, 2), -EINVAL);
        assert_ok(ash_unhex(ASH_S("aBcD"), b, 2));
        assert_int_equal(b[0] << 8 | b[1], 0xabcd);
}

/* Every way in which two texts can end against each other and against blocks of 64 bytes. */
static void test_digest_two(void **state) {
        (void) state;
        char text[2][4096 + 1];
        for (size_t i = 0; i < sizeof text; i++)
                (&text[0][0])[i] = (char) (i * 131 + (i >> 8) * 7);
        static const size_t lengths[] = { 0, 1, 54, 55, 56, 57, 63, 64, 65, 118, 119, 120, 127, 128, 129, 1000, 4095, 4096 };
        for (size_t i = 0; i < ASH_N(lengths); i++)
                for (size_t k = 0; k < ASH_N(lengths); k++) {
                        const AshSlice data[2] = { ash_slice(text[0], lengths[i]), ash_slice(text[1] + 1, lengths[k]) };
                        uint8_t two[2][32], one[32];
                        ash_digest_two(data, two);
                        for (size_t l = 0; l < 2; l++) {
                                ash_digest_of(ASH_SHA256, data[l], one);
                                assert_memory_equal(two[l], one, sizeof one);
                        }
                }
}

static void test_digest_file(void **state) {
        (void) state;
        _tempdir_ AshTempDir *t = tempdir();
        _str_ AshStr large = {};
        ash_str_append_fill(&large, 'q', 1000000);
        put(t, "f", large.ptr);
        uint8_t a[ASH_DIGEST_SIZE_MAX], b[ASH_DIGEST_SIZE_MAX];
        uint64_t size = 0;
        assert_ok(ash_digest_file(ASH_SHA256, t->fd, "f", a, &size));
        assert_int_equal(size, 1000000);
        ash_digest_of(ASH_SHA256, ash_str_slice(&large), b);
        assert_memory_equal(a, b, 32);
        assert_int_equal(ash_digest_file(ASH_SHA256, t->fd, "none", a, NULL), -ENOENT);
}

/* ---- streams and compression ---- */
static void make_text(AshStr *out, int lines) {
        for (int i = 0; i < lines; i++)
                ash_str_appendf(out, "line %d %d\n", i, i * 79 % 1000);
}

static void test_streams(void **state) {
        (void) state;
        _tempdir_ AshTempDir *t = tempdir();
        _str_ AshStr text = {}, back = {};
        make_text(&text, 20000);
        _cleanup_(ash_digest_free_p) AshDigest *digest = ash_digest_new(ASH_SHA256);
        uint8_t seen[ASH_DIGEST_SIZE_MAX], expected[ASH_DIGEST_SIZE_MAX];
        _cleanup_(ash_writer_free_p) AshWriter *file = ash_writer_new_fd(openat(t->fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644), true), *w = ash_writer_new_digest(file, digest);
        for (size_t i = 0; i < text.len; i += 777)
                ash_writer_slice(w, ash_slice_sub(ash_str_slice(&text), i, 777));
        assert_ok(ash_writer_finish(w));
        assert_ok(ash_writer_finish(file));
        assert_ok(ash_writer_finish(file));
        ash_writer_write(file, "late", 4);
        assert_int_equal(file->error, -EPIPE);
        ash_digest_final(digest, seen);
        ash_digest_of(ASH_SHA256, ash_str_slice(&text), expected);
        assert_memory_equal(seen, expected, 32);
        _cleanup_(ash_reader_free_p) AshReader *r = ash_reader_new_fd(openat(t->fd, "f", O_RDONLY | O_CLOEXEC), true);
        char first[6] = "";
        assert_ok(ash_reader_read_exact(r, first, 5));
        assert_string_equal(first, "line ");
        assert_ok(ash_reader_skip(r, 1000));
        assert_int_equal(r->offset, 1005);
        assert_ok(ash_reader_read_all(r, 0, &back));
        assert_true(ash_slice_eq(ash_str_slice(&back), ash_slice_from(ash_str_slice(&text), 1005)));
        assert_int_equal(ash_reader_read(r, first, 5), 0);
        assert_int_equal(ash_reader_read_exact(r, first, 1), -ASH_ERR_SYNTAX);
        assert_int_equal(ash_reader_read(r, first, 1), -ASH_ERR_SYNTAX); /* sticky */
        _cleanup_(ash_reader_free_p) AshReader *m = ash_reader_new_memory(ash_str_slice(&text));
        ash_str_clear(&back);
        assert_int_equal(ash_reader_read_all(m, text.len - 1, &back), -ASH_ERR_LIMIT);
        _cleanup_(ash_writer_free_p) AshWriter *full = ash_writer_new_fd(open("/dev/full", O_WRONLY | O_CLOEXEC), true);
        ash_writer_zeros(full, 1000);
        ash_writer_printf(full, "%s", text.ptr);
        assert_int_equal(full->error, -ENOSPC);
        assert_int_equal(ash_writer_finish(full), -ENOSPC);
}

static const char *const judges[ASH_COMP_MAX_] = { [ASH_COMP_GZIP] = "gzip", [ASH_COMP_BZIP2] = "bzip2", [ASH_COMP_XZ] = "xz", [ASH_COMP_LZMA] = "xz", [ASH_COMP_ZSTD] = "zstd" };

static void test_compression(void **state) {
        (void) state;
        _str_ AshStr text = {};
        make_text(&text, 30000);
        for (AshCompression c = ASH_COMP_NONE; c < ASH_COMP_MAX_; c++) {
                _str_ AshStr packed = {}, back = {}, streamed = {}, twice = {}, exact = {}, bomb = {}, garbage = {};
                assert_ok(ash_compress(ash_str_slice(&text), c, 0, &packed));
                assert_int_equal(ash_compression_detect(ash_str_slice(&packed)), c);
                assert_int_equal(ash_compression_from_name(ash_slice_str(ash_compression_name(c))), c);
                assert_ok(ash_decompress(ash_str_slice(&packed), c, 0, &back));
                assert_true(ash_slice_eq(ash_str_slice(&back), ash_str_slice(&text)));
                assert_ok(ash_decompress(ash_str_slice(&packed), c, text.len, &exact));
                assert_int_equal(ash_decompress(ash_str_slice(&packed), c, text.len - 1, &bomb), -ASH_ERR_LIMIT);
                assert_true(bomb.len <= text.len + 1);
                /* A byte at a time into it, seven at a time out of it. */
                _cleanup_(ash_writer_free_p) AshWriter *memory = ash_writer_new_memory(&streamed), *w = ash_writer_new_compress(memory, c, 1);
                for (size_t i = 0; i < 5000; i++)
                        ash_writer_write(w, text.ptr + i, 1);
                assert_ok(ash_writer_finish(w));
                _cleanup_(ash_reader_free_p) AshReader *r = ash_reader_new_decompress(ash_reader_new_memory(ash_str_slice(&streamed)), true, c, 0);
                for (size_t i = 0; i < 5000;) {
                        char some[7];
                        ssize_t k = ash_reader_read(r, some, sizeof some);
                        assert_true(k > 0);
                        assert_memory_equal(some, text.ptr + i, (size_t) k);
                        i += (size_t) k;
                }
                if (c == ASH_COMP_NONE)
                        continue;
                ash_str_append(&twice, ash_str_slice(&packed));
                ash_str_append(&twice, ash_str_slice(&streamed));
                ash_str_clear(&back);
                assert_int_equal(ash_decompress(ash_str_slice(&twice), c, 0, &back), c == ASH_COMP_LZMA ? -ASH_ERR_SYNTAX : 0); /* .lzma knows no members */
                if (c != ASH_COMP_LZMA)
                        assert_int_equal(back.len, text.len + 5000);
                ash_str_append_str(&packed, "garbage");
                assert_int_equal(ash_decompress(ash_str_slice(&packed), c, 0, &garbage), -ASH_ERR_SYNTAX);
                _process_result_ AshProcessResult out = {};
                const char *argv[] = { judges[c], "-dc", NULL, NULL };
                if (c == ASH_COMP_LZMA)
                        argv[2] = "--format=lzma";
                assert_ok(ash_process_run(&(AshProcess){ .argv = argv, .input = ash_str_slice(&streamed) }, &out));
                assert_int_equal(out.status, 0);
                assert_true(ash_slice_eq(ash_str_slice(&out.out), ash_slice_sub(ash_str_slice(&text), 0, 5000)));
        }
}

/* Cut anywhere it is an error, never a shorter text. */
static void test_truncated(void **state) {
        (void) state;
        _str_ AshStr text = {};
        make_text(&text, 60);
        for (AshCompression c = ASH_COMP_GZIP; c < ASH_COMP_MAX_; c++) {
                _str_ AshStr packed = {};
                assert_ok(ash_compress(ash_str_slice(&text), c, 0, &packed));
                for (size_t n = 0; n < packed.len; n++) {
                        _str_ AshStr back = {};
                        if (c == ASH_COMP_LZMA && n + 8 > packed.len) /* .lzma has no check; its last bytes may be spare */
                                break;
                        if (ash_decompress(ash_slice(packed.ptr, n), c, 0, &back) != -ASH_ERR_SYNTAX)
                                fail_msg("%s cut at %zu of %zu", ash_compression_name(c), n, packed.len);
                }
        }
}

static void test_compression_details(void **state) {
        (void) state;
        _str_ AshStr a = {}, b = {}, zeros = {}, out = {};
        assert_ok(ash_compress(ASH_S("x"), ASH_COMP_GZIP, 0, &a));
        assert_memory_equal(a.ptr, "\x1f\x8b\x08\0\0\0\0\0", 8); /* no flags (no name), no time */
        ash_str_append_fill(&a, 0, 1000);                        /* padding, as on tapes */
        assert_ok(ash_decompress(ash_str_slice(&a), ASH_COMP_GZIP, 0, &out));
        assert_string_equal(out.ptr, "x");
        assert_int_equal(ash_compress(ASH_S("x"), ASH_COMP_XZ, 42, &b), -EINVAL);
        assert_int_equal(ash_compress(ASH_S("x"), ASH_COMP_MAX_, 0, &b), -EINVAL);
        assert_int_equal(ash_decompress(ASH_S("x"), ASH_COMP_MAX_, 0, &b), -EINVAL);
        assert_int_equal(ash_compression_from_name(ASH_S("ZST")), ASH_COMP_ZSTD);
        assert_int_equal(ash_compression_from_name(ASH_S("rar")), ASH_COMP_INVALID_);
        assert_string_equal(ash_compression_suffix(ASH_COMP_XZ), ".xz");
        /* A bomb of 1 GiB stops at its limit at once. */
        ash_str_append_fill(&zeros, 0, 64 << 20);
        ash_str_clear(&b);
        for (int i = 0; i < 16; i++)
                if (i == 0)
                        assert_ok(ash_compress(ash_str_slice(&zeros), ASH_COMP_ZSTD, 1, &b));
                else
                        ash_str_append(&b, ash_slice(b.ptr, b.len / (size_t) i));
        ash_str_done(&zeros);
        uint64_t start = ash_now_ns();
        ash_str_clear(&out);
        assert_int_equal(ash_decompress(ash_str_slice(&b), ASH_COMP_ZSTD, 1 << 20, &out), -ASH_ERR_LIMIT);
        assert_true(ash_now_ns() - start < UINT64_C(1000000000));
        assert_true(out.cap < 16 << 20);
}

/* ---- processes ---- */
#define ARGV(...) (const char *const[]){ __VA_ARGS__, NULL }
#define SH(script) ARGV("sh", "-c", script)

static size_t open_fds(void) {
        _dirlist_ AshDirList list = {};
        assert_ok(ash_dir_list(AT_FDCWD, "/proc/self/fd", &list));
        return list.entries.n;
}

static void test_process(void **state) {
        (void) state;
        size_t fds = open_fds();
        _process_result_ AshProcessResult r = {};
        assert_ok(ash_process_run(&(AshProcess){ .argv = SH("cat; echo e >&2; exit 3"), .input = ASH_S("in") }, &r));
        assert_int_equal(r.status, 3);
        assert_string_equal(r.out.ptr, "in");
        assert_string_equal(r.err.ptr, "e\n");
        assert_ok(ash_process_run(&(AshProcess){ .argv = SH("kill -TERM $$") }, &r)); /* the old result is freed */
        assert_int_equal(r.status, -1);
        assert_int_equal(r.signal, SIGTERM);
        assert_int_equal(ash_process_run(&(AshProcess){ .argv = ARGV("no-such-program") }, &r), -ENOENT);
        assert_int_equal(ash_process_run(&(AshProcess){ .argv = ARGV("/etc/passwd") }, &r), -EACCES);
        assert_int_equal(ash_process_run(&(AshProcess){ .argv = ARGV("true"), .cwd = "/no/such" }, &r), -ENOENT);
        assert_ok(ash_process_run(&(AshProcess){ .argv = ARGV("pwd"), .cwd = "/usr" }, &r));
        assert_string_equal(r.out.ptr, "/usr\n");
        _close_ int etc = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_ok(ash_process_run(&(AshProcess){ .argv = ARGV("pwd"), .cwd = "/usr", .cwd_fd = etc }, &r));
        assert_string_equal(r.out.ptr, "/etc\n");
        assert_ok(ash_process_run(&(AshProcess){ .argv = SH("echo $A-$HOME"), .env = ARGV("A=1", "PATH=/usr/bin:/bin") }, &r));
        assert_string_equal(r.out.ptr, "1-\n");
        assert_ok(ash_process_run(&(AshProcess){ .argv = SH("read x && echo got") }, &r)); /* /dev/null */
        assert_int_equal(r.status, 1);
        ash_close_p(&etc);
        etc = -1;
        assert_int_equal(open_fds(), fds);
}

static void test_process_descriptors(void **state) {
        (void) state;
        _tempdir_ AshTempDir *t = tempdir();
        _process_result_ AshProcessResult r = {};
        int leak = open("/dev/null", O_RDONLY), kept = open("/dev/null", O_RDONLY); /* both without O_CLOEXEC */
        _free_ char *script = ash_asprintf("cd /proc/$$/fd; [ -e %d ] && echo leaked; [ -e %d ] && echo kept", leak, kept);
        assert_ok(ash_process_run(&(AshProcess){ .argv = SH(script), .keep_fd = kept }, &r));
        assert_string_equal(r.out.ptr, "kept\n");
        int file = openat(t->fd, "out", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        assert_ok(ash_process_run(&(AshProcess){ .argv = SH("echo o; echo e >&2"), .stdout_fd = file, .stderr_fd = file }, &r));
        assert_file(t, "out", "o\ne\n");
        assert_int_equal(r.out.len, 0);
        close(leak);
        close(kept);
        close(file);
}

static int run_without_stdio(void *data) {
        (void) data;
        AshProcessResult r = {};
        for (int fd = 0; fd < 3; fd++)
                close(fd);
        int k = ash_process_run(&(AshProcess){ .argv = SH("cat; echo e >&2"), .input = ASH_S("in") }, &r);
        bool good = k == 0 && ash_slice_eqs(ash_str_slice(&r.out), "in") && ash_slice_eqs(ash_str_slice(&r.err), "e\n");
        ash_process_result_done(&r);
        return good ? 0 : 1;
}

static void test_process_closed_stdio(void **state) {
        (void) state;
        assert_int_equal(in_child(run_without_stdio, NULL), 0);
}

static void test_process_large(void **state) {
        (void) state;
        _str_ AshStr in = {};
        _process_result_ AshProcessResult r = {};
        ash_str_append_fill(&in, 'x', 12 << 20);
        assert_ok(ash_process_run(&(AshProcess){ .argv = SH("cat; head -c 5000000 /dev/zero >&2"), .input = ash_str_slice(&in) }, &r));
        assert_int_equal(r.out.len, in.len);
        assert_int_equal(r.err.len, 5000000);
        assert_ok(ash_process_run(&(AshProcess){ .argv = ARGV("true"), .input = ash_str_slice(&in) }, &r)); /* does not read it */
        assert_int_equal(r.status, 0);
        assert_int_equal(ash_process_run(&(AshProcess){ .argv = SH("cat /dev/zero"), .output_limit = 100000 }, &r), -ASH_ERR_LIMIT);
        assert_ok(ash_process_run(&(AshProcess){ .argv = SH("head -c 5000000 /dev/zero >&2; echo done"), .output_limit = 1000 }, &r)); /* dropped, not stopped */
        assert_int_equal(r.err.len, 1000);
        assert_string_equal(r.out.ptr, "done\n");
}

static bool is_gone(pid_t pid) {
        for (int i = 0; i < 200; i++) {
                _free_ char *path = ash_asprintf("/proc/%d/stat", pid);
                _bytes_ AshBytes stat = {};
                if (ash_file_read(AT_FDCWD, path, 0, &stat) < 0 || strstr(stat.ptr, ") Z "))
                        return true;
                nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
        }
        return false;
}

static void test_process_timeout(void **state) {
        (void) state;
        _process_result_ AshProcessResult r = {};
        uint64_t start = ash_now_ns(), pid = 0;
        assert_ok(ash_process_run(&(AshProcess){ .argv = SH("sleep 100 & echo $!; trap '' TERM; wait"), .timeout_ms = 200 }, &r));
        assert_true(ash_now_ns() - start < UINT64_C(5000000000));
        assert_true(r.timed_out);
        assert_int_equal(r.status, -1);
        assert_ok(ash_slice_to_u64(ash_slice_trim(ash_str_slice(&r.out)), 10, &pid));
        assert_true(is_gone((pid_t) pid)); /* the grandchild, too */
        start = ash_now_ns();
        assert_ok(ash_process_run(&(AshProcess){ .argv = SH("sleep 100 & echo $!") }, &r)); /* it holds our pipe open after its parent's end */
        assert_true(ash_now_ns() - start < UINT64_C(5000000000));
        assert_int_equal(r.status, 0);
        assert_ok(ash_slice_to_u64(ash_slice_trim(ash_str_slice(&r.out)), 10, &pid));
        assert_true(is_gone((pid_t) pid));
}

static int refuse(void *data) { return *(int *) data; }

static void test_process_before_exec(void **state) {
        (void) state;
        _process_result_ AshProcessResult r = {};
        int answer = -EPERM;
        assert_int_equal(ash_process_run(&(AshProcess){ .argv = ARGV("true"), .before_exec = refuse, .before_exec_data = &answer }, &r), -EPERM);
        answer = 0;
        assert_ok(ash_process_run(&(AshProcess){ .argv = ARGV("true"), .before_exec = refuse, .before_exec_data = &answer }, &r));
}

static void test_process_check(void **state) {
        (void) state;
        _cleanup_(ash_diags_free_p) AshDiags *d = ash_diags_new();
        _process_result_ AshProcessResult r = {};
        assert_int_equal(ash_process_check(&(AshProcess){ .argv = SH("seq 20 >&2; exit 7") }, &r, d), -EIO);
        assert_int_equal(r.status, 7);
        assert_string_equal(ash_diags_at(d, 0)->text, "'sh' failed with exit status 7");
        assert_int_equal(ash_diags_at(d, 0)->notes.n, 8);
        assert_string_equal(ash_diags_at(d, 0)->notes.items[7].text, "20");
        assert_int_equal(ash_process_check(&(AshProcess){ .argv = ARGV("sbsign") , .env = ARGV("PATH=/nowhere") }, &r, d) < 0, 1);
        assert_int_equal(ash_process_check(&(AshProcess){ .argv = ARGV("sleep", "9"), .timeout_ms = 20 }, &r, d), -ETIMEDOUT);
        assert_int_equal(ash_process_check(&(AshProcess){ .argv = SH("kill -SEGV $$") }, &r, d), -EIO);
        assert_int_equal(ash_process_check(&(AshProcess){ .argv = SH("yes"), .output_limit = 1000 }, &r, d), -ASH_ERR_LIMIT);
        assert_int_equal(ash_diags_count(d, ASH_ERROR), 5);
        assert_ok(ash_process_check(&(AshProcess){ .argv = ARGV("true") }, &r, d));
        assert_int_equal(ash_diags_count(d, ASH_ERROR), 5);
        _cleanup_(ash_diags_free_p) AshDiags *none = ash_diags_new();
        setenv("PATH", "/nowhere:/usr/bin:/bin", 1);
        assert_int_equal(ash_process_check(&(AshProcess){ .argv = ARGV("no-such-program-at-all") }, &r, none), -ENOENT);
        assert_null(ash_diags_at(none, 0)->hint);
}

static int run_one(void *context, size_t i) {
        _free_ char *text = ash_asprintf("%zu", i);
        _process_result_ AshProcessResult r = {};
        int k = ash_process_run(&(AshProcess){ .argv = ARGV("cat"), .input = ash_slice_str(text) }, &r);
        (void) context;
        return k < 0 ? k : r.status == 0 && ash_slice_eqs(ash_str_slice(&r.out), text) ? 0 : -EIO;
}

/* ---- threads ---- */
static int fail_some(void *context, size_t i) {
        atomic_fetch_add((atomic_size_t *) context, 1);
        if (i % 10 == 7)
                nanosleep(&(struct timespec){ 0, 1000000 }, NULL); /* the lowest failure comes late */
        return i >= 37 && i % 2 ? -(int) i : (int) i;
}

static void test_parallel(void **state) {
        (void) state;
        atomic_size_t n = 0;
        size_t fds = open_fds();
        assert_ok(ash_parallel_for(60, 8, false, run_one, NULL));
        assert_int_equal(open_fds(), fds);
        for (unsigned threads = 1; threads <= 16; threads *= 2)
                for (int k = 0; k < 10; k++)
                        assert_int_equal(ash_parallel_for(200, threads, false, fail_some, &n), -37);
        n = 0;
        assert_int_equal(ash_parallel_for(200, 4, true, fail_some, &n), -37);
        assert_int_equal(n, 200);
        n = 0;
        assert_int_equal(ash_parallel_for(1000000, 2, false, fail_some, &n), -37);
        assert_true(n < 1000);
        assert_ok(ash_parallel_for(0, 0, false, fail_some, NULL));
        assert_true(ash_cpu_count() >= 1);
        assert_true(ash_memory_total() > 1 << 20 && ash_memory_available() <= ash_memory_total());
        assert_true(ash_peak_memory() > 1 << 20);
        assert_true(ash_cpu_ns() > 0);
}

static void test_memory_of_group(void **state _unused_) {
        _cleanup_(ash_tempdir_free_p) AshTempDir *dir = NULL;
        uint64_t most, left;
        assert_ok(ash_tempdir_new(NULL, &dir));
        assert_false(ash_memory_of_group(dir->path, &most, &left));
        assert_ok(ash_file_write_atomic(dir->fd, "memory.max", ASH_S("max\n"), 0644, false));
        assert_ok(ash_file_write_atomic(dir->fd, "memory.current", ASH_S("5000\n"), 0644, false));
        assert_false(ash_memory_of_group(dir->path, &most, &left));
        assert_ok(ash_file_write_atomic(dir->fd, "memory.max", ASH_S("8000\n"), 0644, false));
        assert_true(ash_memory_of_group(dir->path, &most, &left));
        assert_true(most == 8000 && left == 3000);
        assert_ok(ash_file_write_atomic(dir->fd, "memory.stat", ASH_S("anon 2500\nfile 2500\nfile_mapped 7\ninactive_file 1000\nactive_file 500\n"), 0644, false));
        assert_true(ash_memory_of_group(dir->path, &most, &left) && left == 4500);
        assert_ok(ash_file_write_atomic(dir->fd, "memory.current", ASH_S("9999\n"), 0644, false));
        assert_ok(ash_file_write_atomic(dir->fd, "memory.stat", ASH_S("anon 1\n"), 0644, false));
        assert_true(ash_memory_of_group(dir->path, &most, &left) && left == 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_memory_of_group),
                cmocka_unit_test(test_read), cmocka_unit_test(test_open_beneath), cmocka_unit_test(test_mkdir_remove), cmocka_unit_test(test_remove_deep),
                cmocka_unit_test(test_copy), cmocka_unit_test(test_glob_files), cmocka_unit_test(test_atomic), cmocka_unit_test(test_update),
                cmocka_unit_test(test_dir_replace), cmocka_unit_test(test_atomic_replaces_files_only), cmocka_unit_test(test_atomic_killed), cmocka_unit_test(test_full_disk), cmocka_unit_test(test_lock),
                cmocka_unit_test(test_digest),
                cmocka_unit_test(test_checksum), cmocka_unit_test(test_digest_two), cmocka_unit_test(test_digest_file), cmocka_unit_test(test_streams), cmocka_unit_test(test_compression),
                cmocka_unit_test(test_truncated), cmocka_unit_test(test_compression_details), cmocka_unit_test(test_process), cmocka_unit_test(test_process_descriptors),
                cmocka_unit_test(test_process_closed_stdio), cmocka_unit_test(test_process_large), cmocka_unit_test(test_process_timeout),
                cmocka_unit_test(test_process_before_exec), cmocka_unit_test(test_process_check), cmocka_unit_test(test_parallel),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
