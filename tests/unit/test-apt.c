#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "apt-import.h"
#include "deb-make.h"
#include "rpm-read.h"

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define STANZA(name, version, more) "Package: " name "\nVersion: " version "\nArchitecture: amd64\nFilename: pool/" name ".deb\nSize: 1\nSHA256: " SHA "\n" more "\n"

static AshApt *build(const char *text, const AshAptTables *tables) {
        AshApt *a = NULL;
        AshSlice s = ash_slice_str(text);
        assert_int_equal(ash_apt_build(&s, 1, ASH_S("amd64"), tables, "Packages", &a, NULL), 0);
        return a;
}

/* All relations of a kind, one a line, in the order of the universe. */
static void expect(const AshApt *a, const char *package, AshDepKind kind, const char *want) {
        ptrdiff_t i = ash_apt_find(a, ash_slice_str(package));
        assert_true(i >= 0);
        _str_ AshStr got = {};
        for (size_t k = 0; k < ash_apt_deps_n(a, (size_t) i, kind); k++) {
                AshDep d = ash_apt_dep(a, (size_t) i, kind, k);
                ash_dep_format(&d, &got);
                ash_str_append_char(&got, '\n');
        }
        if (strcmp(got.ptr ? got.ptr : "", want) != 0)
                fail_msg("%s %s:\n%s instead of\n%s", package, ash_dep_kind_name(kind), got.ptr ? got.ptr : "", want);
}

static void test_relations(void **state) {
        (void) state;
        _cleanup_(ash_apt_free_p) AshApt *a = build(
                STANZA("a", "1:2-rc1-3", "Depends: b (>> 2.41), c | d (<< 1.0~x), v:any, w:i386\nPre-Depends: e\nRecommends: x | y\nSuggests: z\n")
                STANZA("b", "2.41-12", "") STANZA("c", "1", "") STANZA("d", "0.9", "") STANZA("e", "1", "Provides: v, n (= 5-1)\n")
                /* n is also provided without a version: only marked names may answer versioned relations */
                STANZA("f", "1", "Provides: n, mta\nConflicts: n (<< 6), mta, gone, b (<< 2)\nDepends: n (>= 4)\n")
                /* '.' sorts behind the end for dpkg and not for rpm */
                STANZA("g", "1", "Depends: h (<< 2.47.3-.)\nBreaks: h (>= 2.47.3-.)\n") STANZA("h", "2.47.3-0+deb13u1", ""), NULL);
        expect(a, "a", ASH_DEP_PROVIDES, "a = 1:2_rc1-3\na(x86-64) = 1:2_rc1-3\ndeb(a) = 1:2_rc1-3\n");
        expect(a, "a", ASH_DEP_REQUIRES, "e\nb > 2.41-0\n(c or d < 1.0~x-0)\nv\nw(i386)\n");
        expect(a, "a", ASH_DEP_RECOMMENDS, "(x or y)\n");
        expect(a, "a", ASH_DEP_SUGGESTS, "z\n");
        expect(a, "e", ASH_DEP_PROVIDES, "e = 1-0\ne(x86-64) = 1-0\ndeb(e) = 1-0\nv\nn = 5-1\ndeb(n) = 5-1\n");
        expect(a, "f", ASH_DEP_REQUIRES, "deb(n) >= 4-0\n");
        expect(a, "f", ASH_DEP_CONFLICTS, "deb(n) < 6-0\nmta\n");
        expect(a, "g", ASH_DEP_REQUIRES, "h <= 2.47.3-0+deb13u1\n");
        expect(a, "g", ASH_DEP_CONFLICTS, "");
        /* mapped again, it is the same */
        AshSlice blob = ash_apt_blob(a);
        AshBytes copy = { ash_slice_dup(blob), blob.len, false };
        _cleanup_(ash_apt_free_p) AshApt *b = NULL;
        assert_int_equal(ash_apt_load(&copy, &b), 0);
        expect(b, "a", ASH_DEP_REQUIRES, "e\nb > 2.41-0\n(c or d < 1.0~x-0)\nv\nw(i386)\n");
        for (size_t n = 0; n < blob.len; n += 7) {
                AshBytes cut = { ash_slice_dup(ash_slice_sub(blob, 0, n)), n, false };
                AshApt *c = NULL;
                assert_int_equal(ash_apt_load(&cut, &c), -ASH_ERR_SYNTAX);
                ash_bytes_done(&cut);
        }
}

static AshAptTables *tables_of(AshTempDir *dir, const char *names, const char *changes) {
        AshAptTables *t = NULL;
        _free_ char *n = ash_path_join(dir->path, "names.toml"), *i = ash_path_join(dir->path, "imports.toml");
        assert_int_equal(ash_file_write_atomic(dir->fd, "names.toml", ash_slice_str(names), 0644, false), 0);
        assert_int_equal(ash_file_write_atomic(dir->fd, "imports.toml", ash_slice_str(changes), 0644, false), 0);
        (void) ash_apt_tables_load(n, i, &t, NULL);
        return t;
}

/* A release of our own: newer for rpm, and still what Debian's packages ask for. */
static void test_raised(void **state) {
        (void) state;
        _cleanup_(ash_tempdir_free_p) AshTempDir *dir = NULL;
        assert_int_equal(ash_tempdir_new(NULL, &dir), 0);
        _cleanup_(ash_apt_tables_free_p) AshAptTables *tables = tables_of(dir, "[names]\na = ['alpha']\n", "[[imports.a]]\ntype = 'raise-release'\nsuffix = '+ours1'\nreason = 'r'\n");
        const char *text = STANZA("a", "1:2-3", "") STANZA("b", "1", "Depends: a (= 1:2-3)\nBreaks: a (<< 1:2-3)\n") STANZA("c", "2", "Provides: a\n");
        _cleanup_(ash_apt_free_p) AshApt *a = build(text, tables), *plain = build(text, NULL);
        expect(a, "a", ASH_DEP_PROVIDES, "a = 1:2-3+ours1\na(x86-64) = 1:2-3+ours1\ndeb(a) = 1:2-3+ours1\na = 1:2-3\na(x86-64) = 1:2-3\ndeb(a) = 1:2-3\nalpha = 1:2-3+ours1\nalpha(x86-64) = 1:2-3+ours1\n");
        expect(a, "b", ASH_DEP_REQUIRES, "deb(a) = 1:2-3\n");
        expect(plain, "a", ASH_DEP_PROVIDES, "a = 1:2-3\na(x86-64) = 1:2-3\ndeb(a) = 1:2-3\n");
        AshAptPackage p;
        ash_apt_package(a, (size_t) ash_apt_find(a, ASH_S("a")), &p);
        assert_string_equal(p.rpm_release.ptr, "3+ours1");
        assert_string_equal(p.version.ptr, "1:2-3");
        static const char *const later[][2] = { { "3", "3+ours1" }, { "3+ours1", "3+ours2" }, { "3+ours1", "4" }, { "3+b1", "3+b1+ours1" } };
        for (size_t i = 0; i < ASH_N(later); i++)
                assert_int_equal(ash_rpm_vercmp(ash_slice_str(later[i][0]), ash_slice_str(later[i][1])), -1);
}

static void test_bad_index(void **state) {
        (void) state;
        static const char *const bad[] = {
                "Package: a\n", STANZA("a", "1 2", ""), STANZA("../x", "1", ""), "Package: a\nVersion: 1\nArchitecture: amd64\nFilename: ../../x.deb\nSize: 1\nSHA256: " SHA "\n",
                STANZA("a", "1", "Depends: b (>=\n"), STANZA("a", "1", "Provides: b (>= 1)\n"), "nonsense\n", STANZA("a", "1", "Depends: b (= x y)\n"),
        };
        for (size_t i = 0; i < ASH_N(bad); i++) {
                AshApt *a = NULL;
                AshSlice s = ash_slice_str(bad[i]);
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                if (ash_apt_build(&s, 1, ASH_S("amd64"), NULL, "Packages", &a, diags) != -ASH_ERR_SYNTAX || ash_diags_n(diags) != 1)
                        fail_msg("%s was taken", bad[i]);
        }
}

static void test_license(void **state) {
        (void) state;
        static const struct {
                const char *text, *want;
                bool guessed;
        } table[] = {
                { "Format: x\n\nFiles: *\nLicense: GPL-2+\n text\n\nFiles: a\nLicense: Expat or GPL-2, and BSD-3-clause\n\nLicense: GPL-2+\n ignored\n", "GPL-2.0-or-later AND (MIT OR GPL-2.0-only) AND BSD-3-Clause" },
                { "Format: x\n\nFiles: *\nLicense: GPL-3+ with foo exception\n", "LicenseRef-GPL-3--with-foo-exception" },
                { "Format: x\n\nFiles: *\nLicense: LGPL-2.1-or-later\n", "LGPL-2.1-or-later" },
                { "It is free, see /usr/share/common-licenses/GPL-2. Or `/usr/share/common-licenses/LGPL-2.1'.\n", "GPL-2.0-only AND LGPL-2.1-only", true },
                { "Do what you like.\n", "LicenseRef-Debian-copyright-file", true },
                { "", "LicenseRef-Debian-copyright-file", true },
        };
        for (size_t i = 0; i < ASH_N(table); i++) {
                _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
                bool guessed;
                AshSlice got = apt_license(arena, ash_slice_str(table[i].text), &guessed);
                assert_string_equal(got.ptr, table[i].want);
                assert_int_equal(guessed, table[i].guessed);
        }
}

static void test_changelog(void **state) {
        (void) state;
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshRpmNewChange c[3];
        size_t n = apt_changelog(arena, ASH_S("t (1:2-1) unstable; urgency=low\n\n  * one\n    more\n  [ B ]\n  * two\n\n -- A B <a@b>  Fri, 29 Feb 2008 23:30:00 -0130\n\n"
                                              "t (1) x; urgency=low\n\n  * first\n\n -- A B <a@b>  Thu, 01 Jan 1970 00:00:00 +0000\n\nbroken\n"), c, 3);
        assert_int_equal(n, 2);
        assert_int_equal(c[0].time, 1204333200);
        assert_string_equal(c[0].name.ptr, "A B <a@b> - 1:2-1");
        assert_string_equal(c[0].text.ptr, "- one\n  more\n[ B ]\n- two");
        assert_int_equal(c[1].time, 0);
}

static const char imports[] =
        "[[imports.t]]\ntype = 'add-file'\npath = '/etc/x'\nfrom = '/usr/share/t/x'\nconfig = true\nscript = 'postinst'\nreason = 'r'\n"
        "[[imports.t]]\ntype = 'set-attributes'\npath = '/usr/bin/t'\nmode = '2755'\ngroup = 'games'\ncaps = 'cap_net_raw=ep'\nreason = 'r'\n"
        "[[imports.t]]\ntype = 'remove-file'\npath = '/usr/share/t/gone'\nreason = 'r'\n"
        "[[imports.t]]\ntype = 'add-ghost'\npath = '/var/log/t'\nreason = 'r'\n"
        "[[imports.t]]\ntype = 'add-relation'\nrelation = 'requires extra >= 1-0'\nreason = 'r'\n"
        "[[imports.t]]\ntype = 'remove-relation'\nrelation = 'requires unwanted'\nreason = 'r'\n";

static int convert(const AshApt *a, const AshAptTables *tables, const TarItem *items, size_t n, const char *control, AshStr *rpm, AshAptImported *info) {
        static const char *const scripts[] = { "./postinst", "#!/bin/sh\n", "./prerm", "#!/bin/sh\n", "./conffiles", "/etc/t.conf\n", NULL };
        _str_ AshStr deb = {};
        deb_make(control, scripts, items, n, ASH_COMP_XZ, &deb);
        AshAptImport in = { .universe = a, .package = (size_t) ash_apt_find(a, ASH_S("t")), .tables = tables };
        return ash_apt_convert(&in, ash_str_slice(&deb), rpm, info, NULL);
}

#define CONTROL "Package: t\nVersion: 1:2.0-1\nArchitecture: amd64\nInstalled-Size: 10\nDescription: a thing\n that does\n .\n things\n"
static const TarItem items[] = {
        { "./", '5' }, { "./etc/", '5' }, { "./etc/t.conf", '0', "x\n" }, { "./bin/", '5' }, { "./bin/t", '0', "#!/bin/sh\n", 0755 }, { "./lib/", '5' }, { "./lib/t/", '5' },
        { "./lib/t/link", '2', "../../usr/lib/y" }, { "./lib/t/one", '0', "same" }, { "./lib/t/two", '1', "./lib/t/one" }, { "./usr/", '5' }, { "./usr/lib/", '5' }, { "./usr/lib/t/", '5' },
        { "./usr/lib/t/z", '0', "z" }, { "./usr/share/t/x", '0', "copied" }, { "./usr/share/t/gone", '0', "g" },
        { "./usr/lib/x86_64-linux-gnu/pkgconfig/t.pc", '0', "v=1.2-3\nName: t\nVersion: ${v}\nRequires: a >= 1, b\n" },
        { "./usr/share/doc/t/copyright", '0', "Format: x\n\nFiles: *\nLicense: Expat\n" },
};

static char *file_line(const AshRpm *rpm, AshArena *arena, const char *path) {
        AshRpmFiles files;
        assert_int_equal(ash_rpm_files(rpm, arena, &files, NULL), 0);
        for (size_t i = 0; i < files.n; i++) {
                const AshRpmFile *f = &files.items[i];
                char *p = ash_arena_printf(arena, "%.*s%.*s", ASH_F(f->dir), ASH_F(f->base));
                if (strcmp(p, path) == 0)
                        return ash_arena_printf(arena, "%o %.*s:%.*s %u %llu %u %.*s%.*s", f->mode, ASH_F(f->user), ASH_F(f->group), f->flags, (unsigned long long) f->size, f->nlink, ASH_F(f->link), ASH_F(f->caps));
        }
        return NULL;
}

static void test_import(void **state) {
        (void) state;
        _cleanup_(ash_tempdir_free_p) AshTempDir *dir = NULL;
        assert_int_equal(ash_tempdir_new(NULL, &dir), 0);
        _cleanup_(ash_apt_tables_free_p) AshAptTables *tables = tables_of(dir, "[names]\nt = ['tee', 'u', '/bin/t']\n[owners]\n'/usr/bin/sh' = 'dash'\n", imports);
        assert_non_null(tables);
        _cleanup_(ash_apt_free_p) AshApt *a = build(STANZA("t", "1:2.0-1", "Depends: dash, unwanted\nSource: src (2.0-1)\nHomepage: https://example.org/\nSection: utils\nDescription: a thing\n") STANZA("u", "1", "") STANZA("dash", "1", ""), tables);
        expect(a, "t", ASH_DEP_REQUIRES, "dash\nextra >= 1-0\n");
        expect(a, "t", ASH_DEP_PROVIDES, "t = 1:2.0-1\nt(x86-64) = 1:2.0-1\ndeb(t) = 1:2.0-1\ntee = 1:2.0-1\ntee(x86-64) = 1:2.0-1\n/bin/t\n"); /* u is a package of its own */
        _str_ AshStr bytes = {}, again = {};
        AshAptImported info = {};
        assert_int_equal(convert(a, tables, items, ASH_N(items), CONTROL, &bytes, &info), 0);
        assert_int_equal(info.scripts, 1 << ASH_DEB_POSTINST | 1 << ASH_DEB_PRERM);
        assert_int_equal(info.handled, 1 << ASH_DEB_POSTINST);
        assert_int_equal(convert(a, tables, items, ASH_N(items), CONTROL, &again, &info), 0);
        assert_true(ash_slice_eq(ash_str_slice(&bytes), ash_str_slice(&again)));
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
        AshRpmDigests digests;
        assert_int_equal(ash_rpm_parse(ash_str_slice(&bytes), "t.rpm", &rpm, NULL), 0);
        assert_int_equal(ash_rpm_verify_digests(rpm, &digests, NULL), 0);
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        static const char *const want[][2] = {
                { "/usr/bin/t", "102755 root:games 0 10 1 cap_net_raw=ep" }, { "/etc/t.conf", "100644 root:root 17 2 1 " }, { "/etc/x", "100644 root:root 17 6 1 " },
                { "/usr/lib/t/link", "120777 root:root 0 4 1 ../y" }, { "/usr/lib/t/one", "100644 root:root 0 4 2 " }, { "/usr/lib/t/two", "100644 root:root 0 4 2 " },
                { "/usr/lib/t/z", "100644 root:root 0 1 1 " }, { "/usr/share/t/gone", NULL }, { "/var/log/t", "100644 root:root 64 0 1 " }, { "/bin", NULL }, { "/", NULL },
                { "/usr/share/doc/t/copyright", "100644 root:root 128 35 1 " },
        };
        for (size_t i = 0; i < ASH_N(want); i++) {
                const char *got = file_line(rpm, arena, want[i][0]);
                if (!got != !want[i][1] || (got && strncmp(got, want[i][1], strlen(want[i][1])) != 0))
                        fail_msg("%s: '%s' instead of '%s'", want[i][0], got, want[i][1]);
        }
        assert_true(ash_slice_eqs(ash_rpm_string(&rpm->header, ASH_RPMTAG_LICENSE), "MIT"));
        assert_true(ash_slice_eqs(ash_rpm_string(&rpm->header, ASH_RPMTAG_SOURCERPM), "src-2.0-1.src.rpm"));
        assert_true(ash_slice_eqs(ash_rpm_string(&rpm->header, ASH_RPMTAG_DESCRIPTION), "that does\n\nthings"));
        AshRpmDep *deps;
        size_t n, found = 0;
        assert_int_equal(ash_rpm_deps(rpm, ASH_RPM_PROVIDES, arena, &deps, &n, NULL), 0);
        for (size_t i = 0; i < n; i++)
                found += ash_slice_eqs(deps[i].name, "pkgconfig(t)") && ash_slice_eqs(deps[i].evr, "1.2_3");
        assert_int_equal(ash_rpm_deps(rpm, ASH_RPM_REQUIRES, arena, &deps, &n, NULL), 0);
        for (size_t i = 0; i < n; i++)
                found += ash_slice_eqs(deps[i].name, "/usr/bin/sh"); /* dash is required: proven */
        assert_int_equal(ash_rpm_deps(rpm, ASH_RPM_RECOMMENDS, arena, &deps, &n, NULL), 0);
        for (size_t i = 0; i < n; i++)
                found += ash_slice_eqs(deps[i].name, "pkgconfig(a)") || ash_slice_eqs(deps[i].name, "pkgconfig(b)");
        assert_int_equal(found, 4);
}

static void test_import_refuses(void **state) {
        (void) state;
        _cleanup_(ash_apt_free_p) AshApt *a = build(STANZA("t", "1:2.0-1", ""), NULL);
        _str_ AshStr out = {};
        AshAptImported info = {};
        static const TarItem merged_twice[] = { { "./bin/t", '0', "a" }, { "./usr/bin/t", '0', "b" } }, below_link[] = { { "./usr/lib/x", '2', "/etc" }, { "./lib/x/y", '0', "a" } };
        assert_int_equal(convert(a, NULL, items, ASH_N(items), "Package: other\nVersion: 1:2.0-1\nArchitecture: amd64\n", &out, &info), -ASH_ERR_SYNTAX);
        assert_int_equal(convert(a, NULL, items, ASH_N(items), "Package: t\nVersion: 3\nArchitecture: amd64\n", &out, &info), -ASH_ERR_SYNTAX);
        assert_int_equal(convert(a, NULL, items, ASH_N(items), "Package: t\nVersion: 1:2.0-1\nArchitecture: arm64\n", &out, &info), -ASH_ERR_SYNTAX);
        assert_int_equal(convert(a, NULL, merged_twice, 2, CONTROL, &out, &info), -ASH_ERR_SYNTAX);
        assert_int_equal(convert(a, NULL, below_link, 2, CONTROL, &out, &info), -ASH_ERR_SYNTAX);
        assert_int_equal(out.len, 0);
        _cleanup_(ash_tempdir_free_p) AshTempDir *dir = NULL;
        assert_int_equal(ash_tempdir_new(NULL, &dir), 0);
        static const char *const bad[] = {
                "[[imports.t]]\ntype = 'add-file'\npath = '/x'\nreason = 'r'\n", "[[imports.t]]\ntype = 'add-file'\npath = '/../x'\ntext = ''\nreason = 'r'\n", "[[imports.t]]\ntype = 'handled'\n",
                "[[imports.t]]\ntype = 'nothing'\nreason = 'r'\n", "[[imports.t]]\ntype = 'handled'\nreason = 'r'\nkey = 1\n", "[imports.t]\ntype = 'handled'\n",
                "[[imports.t]]\ntype = 'add-relation'\nrelation = 'needs x'\nreason = 'r'\n", "[[imports.t]]\ntype = 'raise-release'\nreason = 'r'\n", "[[imports.t]]\ntype = 'raise-release'\nsuffix = '+1'\nreason = 'r'\n",
                "[[imports.t]]\ntype = 'raise-release'\nsuffix = '+a-1'\nreason = 'r'\n", "[[imports.t]]\ntype = 'handled'\nsuffix = '+a1'\nreason = 'r'\n", "[[imports.t]]\ntype = 'set-attributes'\npath = '/x'\nmode = '9'\nreason = 'r'\n",
        };
        for (size_t i = 0; i < ASH_N(bad); i++)
                assert_null(tables_of(dir, "", bad[i]));
        assert_null(tables_of(dir, "[[patterns]]\npackage = 'lib*'\nname = 'x'\n", ""));
        assert_null(tables_of(dir, "unknown = 1\n", ""));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_relations), cmocka_unit_test(test_raised), cmocka_unit_test(test_bad_index), cmocka_unit_test(test_license),
                cmocka_unit_test(test_changelog), cmocka_unit_test(test_import),    cmocka_unit_test(test_import_refuses),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
