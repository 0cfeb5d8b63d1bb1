/* Judges: rpm and rpm2cpio themselves. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/mman.h>
#include "rpm-write.h"

#define F(p, ...) { .path = ASH_S(p), .user = ASH_S("root"), .group = ASH_S("root"), .mtime = 1700000000, __VA_ARGS__ }
static const AshRpmNewFile files[] = {
        F("/usr/bin/tool", .mode = S_IFREG | 0755, .data = ASH_S("#!/bin/sh\n"), .caps = ASH_S("cap_net_raw=ep")),
        F("/etc/tool.conf", .mode = S_IFREG | 0640, .data = ASH_S("a = 1\n"), .flags = ASH_RPMFILE_CONFIG | ASH_RPMFILE_NOREPLACE),
        F("/usr/share/tool/one", .mode = S_IFREG | 0644, .data = ASH_S("same"), .hardlink = 1),
        F("/usr/share/tool/two", .mode = S_IFREG | 0644, .data = ASH_S("same"), .hardlink = 1),
        F("/usr/share/tool/other", .mode = S_IFREG | 0644, .data = ASH_S("between")),
        F("/usr/share/tool", .mode = S_IFDIR | 0755),
        F("/usr/share/tool-x", .mode = S_IFREG | 0644, .data = ASH_S("")),
        F("/usr/bin/link", .mode = S_IFLNK | 0777, .link = ASH_S("tool")),
        F("/usr/share/doc/tool/copyright", .mode = S_IFREG | 0644, .data = ASH_S("free\n"), .flags = ASH_RPMFILE_LICENSE),
        F("/var/log/tool.log", .mode = S_IFREG | 0600, .flags = ASH_RPMFILE_GHOST, .size = 5),
        { .path = ASH_S("/dev/x"), .user = ASH_S("root"), .group = ASH_S("disk"), .mode = S_IFBLK | 0660, .rdev = 8 << 8 | 1 },
};
static const AshRpmDep requires[] = {
        { ASH_S("libc6"), ASH_S("2.38-0"), ASH_RPMSENSE_GREATER | ASH_RPMSENSE_EQUAL },
        { ASH_S("(a >= 1-0 or b)") },
        { ASH_S("libc6"), ASH_S("2.38-0"), ASH_RPMSENSE_GREATER | ASH_RPMSENSE_EQUAL },
};
static const AshRpmDep provides[] = { { ASH_S("virtual") }, { ASH_S("old"), ASH_S("1:1~rc1-1"), ASH_RPMSENSE_EQUAL } };
static const AshRpmNewChange changes[] = { { 1700000000, ASH_S("A. B <a@example.org> - 2:1.0-3"), ASH_S("- first\n- second") } };

static AshRpmNew package(void) {
        AshRpmNew p = { .name = ASH_S("tool"), .version = ASH_S("1.0~rc1"), .release = ASH_S("3+b1"), .arch = ASH_S("x86_64"), .epoch = 2, .has_epoch = true,
                        .summary = ASH_S("A tool"), .description = ASH_S("Long\ntext"), .license = ASH_S("MIT"), .url = ASH_S("https://example.org/"),
                        .source_rpm = ASH_S("tool-1.0~rc1-3.src.rpm"), .build_host = ASH_S("localhost"), .build_time = 1700000000,
                        .files = files, .n_files = ASH_N(files), .changes = changes, .n_changes = 1 };
        p.deps[ASH_RPM_REQUIRES] = requires;
        p.n_deps[ASH_RPM_REQUIRES] = ASH_N(requires);
        p.deps[ASH_RPM_PROVIDES] = provides;
        p.n_deps[ASH_RPM_PROVIDES] = ASH_N(provides);
        return p;
}

static void write_package(const AshRpmNew *p, AshTempDir *dir) {
        _str_ AshStr bytes = {};
        _cleanup_(ash_writer_free_p) AshWriter *w = ash_writer_new_memory(&bytes);
        assert_int_equal(ash_rpm_write(p, w, NULL), 0);
        assert_int_equal(ash_writer_finish(w), 0);
        assert_int_equal(ash_file_write_atomic(dir->fd, "p.rpm", ash_str_slice(&bytes), 0644, false), 0);
}

static char *run(AshTempDir *dir, const char *command) {
        _free_ char *script = ash_asprintf("cd %s && %s", dir->path, command);
        const char *argv[] = { "sh", "-c", script, NULL };
        _process_result_ AshProcessResult r = {};
        assert_true(ash_process_run(&(AshProcess){ .argv = argv }, &r) >= 0);
        if (r.status != 0)
                fail_msg("%s: %s%s", command, r.out.ptr ? r.out.ptr : "", r.err.ptr ? r.err.ptr : "");
        return ash_str_take(&r.out);
}
static void expect(AshTempDir *dir, const char *command, const char *want) {
        _free_ char *got = run(dir, command);
        assert_string_equal(got, want);
}

static void test_rpm_reads_it(void **state) {
        (void) state;
        _cleanup_(ash_tempdir_free_p) AshTempDir *dir = NULL;
        assert_int_equal(ash_tempdir_new(NULL, &dir), 0);
        AshRpmNew p = package();
        write_package(&p, dir);
        expect(dir, "rpm -K --nosignature p.rpm", "p.rpm: digests OK\n");
        expect(dir, "rpm -Kv --nosignature p.rpm | grep -c OK", "3\n"); /* header SHA256 and SHA1, payload SHA256 */
        expect(dir, "rpm -qp --nosignature --qf '%{NEVRA} %{LICENSE} %{SOURCERPM} %{SUMMARY}|%{DESCRIPTION}|%{BUILDTIME} %{SIZE}\\n' p.rpm",
               "tool-2:1.0~rc1-3+b1.x86_64 MIT tool-1.0~rc1-3.src.rpm A tool|Long\ntext|1700000000 36\n");
        expect(dir, "rpm -qp --nosignature --provides p.rpm", "old = 1:1~rc1-1\ntool = 2:1.0~rc1-3+b1\ntool(x86-64) = 2:1.0~rc1-3+b1\nvirtual\n");
        expect(dir, "rpm -qp --nosignature --requires p.rpm | grep -v rpmlib", "(a >= 1-0 or b)\nlibc6 >= 2.38-0\n");
        expect(dir, "rpm -qp --nosignature -c p.rpm", "/etc/tool.conf\n");
        expect(dir, "rpm -qp --nosignature -L p.rpm", "/usr/share/doc/tool/copyright\n");
        expect(dir, "rpm -qp --nosignature --filecaps p.rpm | grep cap_", "/usr/bin/tool\tcap_net_raw=ep\n");
        expect(dir, "rpm -qp --nosignature --qf '[%{FILENAMES} %{FILEFLAGS:fflags} %{FILEMODES:perms} %{FILEUSERNAME} %{FILESIZES} %{FILENLINKS} %{FILERDEVS}\\n]' p.rpm",
               "/dev/x  brw-rw---- root 0 1 2049\n/etc/tool.conf cn -rw-r----- root 6 1 0\n/usr/bin/link  lrwxrwxrwx root 4 1 0\n/usr/bin/tool  -rwxr-xr-x root 10 1 0\n"
               "/usr/share/doc/tool/copyright l -rw-r--r-- root 5 1 0\n/usr/share/tool  drwxr-xr-x root 0 1 0\n/usr/share/tool-x  -rw-r--r-- root 0 1 0\n"
               "/usr/share/tool/one  -rw-r--r-- root 4 2 0\n/usr/share/tool/other  -rw-r--r-- root 7 1 0\n/usr/share/tool/two  -rw-r--r-- root 4 2 0\n/var/log/tool.log g -rw------- root 5 1 0\n");
        expect(dir, "rpm -qp --nosignature --changelog p.rpm", "* Tue Nov 14 2023 A. B <a@example.org> - 2:1.0-3\n- first\n- second\n\n");
        expect(dir, "rpm2cpio p.rpm | grep -ao -e '07070100000[0-9a-f]*' -e '^same$' -e TRAILER!!! | wc -l", "12\n"); /* ten members (no ghost), the trailer and its header */
}

static void test_rpm_installs_it(void **state) {
        (void) state;
        _cleanup_(ash_tempdir_free_p) AshTempDir *dir = NULL;
        assert_int_equal(ash_tempdir_new(NULL, &dir), 0);
        AshRpmNew p = package();
        p.n_files--; /* no device: an ordinary user cannot make one */
        write_package(&p, dir);
        if (geteuid() != 0)
                skip();
        expect(dir, "rpm --root $PWD/r --dbpath /db --nosignature --nodeps --force-debian -i p.rpm 2>&1", "");
        expect(dir, "rpm --root $PWD/r --dbpath /db --nodeps -V tool | grep -v '^missing.*log' || true", "");
        expect(dir, "stat -c '%n %a %h' r/usr/bin/tool r/usr/share/tool/one; cat r/usr/share/tool/one r/usr/share/tool/two", "r/usr/bin/tool 755 1\nr/usr/share/tool/one 644 2\nsamesame");
        expect(dir, "cat r/usr/share/tool/other; stat -c ' %h' r/usr/share/tool/other", "between 1\n"); /* its name sorts between those of a hard link */
        expect(dir, "getcap r/usr/bin/tool 2>/dev/null || /usr/sbin/getcap r/usr/bin/tool", "r/usr/bin/tool cap_net_raw=ep\n");
}

static void test_same_bytes(void **state) {
        (void) state;
        AshRpmNewFile turned[ASH_N(files)];
        for (size_t i = 0; i < ASH_N(files); i++)
                turned[i] = files[ASH_N(files) - 1 - i];
        AshRpmNew p = package(), q = package();
        q.files = turned;
        _str_ AshStr a = {}, b = {};
        _cleanup_(ash_writer_free_p) AshWriter *wa = ash_writer_new_memory(&a);
        _cleanup_(ash_writer_free_p) AshWriter *wb = ash_writer_new_memory(&b);
        assert_int_equal(ash_rpm_write(&p, wa, NULL), 0);
        assert_int_equal(ash_rpm_write(&q, wb, NULL), 0);
        assert_true(ash_slice_eq(ash_str_slice(&a), ash_str_slice(&b)));
}

static void test_refuses(void **state) {
        (void) state;
        _str_ AshStr out = {};
        _cleanup_(ash_writer_free_p) AshWriter *w = ash_writer_new_memory(&out);
        AshRpmNew p = package();
        p.version = ASH_S("1-2");
        assert_int_equal(ash_rpm_write(&p, w, NULL), -EINVAL);
        p = package();
        AshRpmNewFile twice[] = { files[0], files[0] };
        p.files = twice;
        p.n_files = 2;
        assert_int_equal(ash_rpm_write(&p, w, NULL), -EINVAL);
        AshRpmNewFile relative[] = { F("usr/x", .mode = S_IFREG | 0644) };
        p.files = relative;
        p.n_files = 1;
        assert_int_equal(ash_rpm_write(&p, w, NULL), -EINVAL);
        assert_int_equal(out.len, 0);
}

/* A file of 4 GiB and one byte: the payload takes rpm's stripped form. Suite slow (argument "large"). */
static void test_large(void **state) {
        (void) state;
        _cleanup_(ash_tempdir_free_p) AshTempDir *dir = NULL;
        assert_int_equal(ash_tempdir_new(NULL, &dir), 0);
        size_t n = (4ull << 30) + 1;
        void *zeros = mmap(NULL, n, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        assert_ptr_not_equal(zeros, MAP_FAILED);
        AshRpmNewFile large[] = { F("/big", .mode = S_IFREG | 0644, .data = ash_slice(zeros, n)), files[0], files[2], files[3] };
        AshRpmNew p = package();
        p.files = large;
        p.n_files = ASH_N(large);
        write_package(&p, dir);
        munmap(zeros, n);
        expect(dir, "rpm -K --nosignature p.rpm", "p.rpm: digests OK\n");
        expect(dir, "rpm -qp --nosignature --qf '%{LONGSIZE} %{LONGARCHIVESIZE} [%{LONGFILESIZES} ]\\n' p.rpm", "4294967311 4294967504 4294967297 10 4 4 \n");
        if (geteuid() == 0)
                expect(dir, "rpm --root $PWD/r --dbpath /db --nosignature --nodeps --force-debian -i p.rpm 2>&1 && stat -c %s r/big && cat r/usr/share/tool/two", "4294967297\nsame");
}

static void test_versions(void **state) {
        (void) state;
        static const char *const ascending[] = { "1.0~rc1-1", "1.0-1", "1.0-1+b1", "1.0-1.1", "1.0a-1", "1.0.1-1", "1:0-1" };
        for (size_t i = 0; i + 1 < ASH_N(ascending); i++) {
                AshRpmEvr a, b;
                assert_int_equal(ash_rpm_evr_parse(ash_slice_str(ascending[i]), &a), 0);
                assert_int_equal(ash_rpm_evr_parse(ash_slice_str(ascending[i + 1]), &b), 0);
                assert_true(ash_rpm_evr_cmp(&a, &b) < 0 && ash_rpm_evr_cmp(&b, &a) > 0);
                assert_true(ash_rpm_ranges_meet(ASH_RPMSENSE_EQUAL, &a, ASH_RPMSENSE_LESS, &b));
                assert_false(ash_rpm_ranges_meet(ASH_RPMSENSE_EQUAL, &a, ASH_RPMSENSE_GREATER | ASH_RPMSENSE_EQUAL, &b));
                assert_true(ash_rpm_ranges_meet(0, NULL, ASH_RPMSENSE_GREATER, &b));
        }
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rpm_reads_it), cmocka_unit_test(test_rpm_installs_it), cmocka_unit_test(test_same_bytes),
                cmocka_unit_test(test_refuses),      cmocka_unit_test(test_versions),
        };
        const struct CMUnitTest slow[] = { cmocka_unit_test(test_large) };
        return argc > 1 && strcmp(argv[1], "large") == 0 ? cmocka_run_group_tests(slow, NULL, NULL) : cmocka_run_group_tests(tests, NULL, NULL);
}
