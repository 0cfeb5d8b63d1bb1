#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "deb.h"
#include "deb-make.h"

static int cmp(const char *a, const char *b) {
        AshDebVersion x, y;
        assert_int_equal(ash_deb_version_parse(ash_slice_str(a), &x), 0);
        assert_int_equal(ash_deb_version_parse(ash_slice_str(b), &y), 0);
        int r = ash_deb_version_cmp(&x, &y);
        assert_int_equal(ash_deb_version_cmp(&y, &x), -r);
        return r;
}

static void test_versions(void **state) {
        (void) state;
        static const char *const ascending[] = { "0~~", "0~~a", "0~", "0", "0a", "0+", "0.1", "1.0~rc1-1", "1.0-0.1", "1.0-1", "1.0-1+b1", "1.0-1.1", "1.0-10", "1.0a", "1.0+dfsg", "1.0.1", "1.10", "2-a", "2+a", "2-1-1", "2.", "1:0" };
        for (size_t i = 0; i + 1 < ASH_N(ascending); i++)
                if (cmp(ascending[i], ascending[i + 1]) >= 0)
                        fail_msg("%s < %s", ascending[i], ascending[i + 1]);
        assert_int_equal(cmp("1.0", "1.0-0"), 0);
        assert_int_equal(cmp("1.00", "1.0"), 0);
        assert_int_equal(cmp("0:1", "1"), 0);
        assert_int_equal(cmp("1:2.47.3-0+deb13u1", "1:2.47.3-."), -1);
        static const char *const bad[] = { "", "-1", "1:", ":1", "a:1", "1-", "1_0", "1 0", "99999999999:1", "1\n" };
        for (size_t i = 0; i < ASH_N(bad); i++) {
                AshDebVersion v;
                assert_int_equal(ash_deb_version_parse(ash_slice_str(bad[i]), &v), -ASH_ERR_SYNTAX);
        }
}

/* The judge: dpkg itself, over all pairs of a set made of the characters that matter. */
static void test_versions_dpkg(void **state) {
        (void) state;
        static const char *const set[] = { "1", "1~", "1+", "1.", "1a", "1.0", "1-0", "1+0", "01.00-a", "1~a-1", "1a1", "1.a", "1.~", "1-~" };
        for (size_t i = 0; i < ASH_N(set); i++)
                for (size_t k = i; k < ASH_N(set); k++) {
                        int r = cmp(set[i], set[k]);
                        const char *argv[] = { "dpkg", "--compare-versions", set[i], r < 0 ? "lt" : r > 0 ? "gt" : "eq", set[k], NULL };
                        _process_result_ AshProcessResult result = {};
                        if (ash_process_run(&(AshProcess){ .argv = argv }, &result) < 0)
                                skip(); /* no dpkg on this machine */
                        if (result.status != 0)
                                fail_msg("dpkg does not agree on %s and %s", set[i], set[k]);
                }
}

static void test_relations(void **state) {
        (void) state;
        AshSlice rest = ASH_S("libc6 (>= 2.38), a:any | b (<<1:2-3) [amd64] <!nocheck>,\n c (= 1) ,, d(>1)");
        static const struct {
                const char *name, *qualifier, *version;
                AshDebOp op;
                bool alternative;
        } want[] = { { "libc6", "", "2.38", ASH_DEB_GE }, { "a", "any", "", ASH_DEB_ANY }, { "b", "", "1:2-3", ASH_DEB_LT, true }, { "c", "", "1", ASH_DEB_EQ }, { "d", "", "1", ASH_DEB_GE } };
        AshDebAtom a;
        for (size_t i = 0; i < ASH_N(want); i++) {
                assert_int_equal(ash_deb_relation_next(&rest, &a), 1);
                assert_true(ash_slice_eqs(a.name, want[i].name) && ash_slice_eqs(a.qualifier, want[i].qualifier) && ash_slice_eqs(a.version, want[i].version));
                assert_int_equal(a.op, want[i].op);
                assert_int_equal(a.alternative, want[i].alternative);
        }
        assert_int_equal(ash_deb_relation_next(&rest, &a), 0);
        static const char *const bad[] = { "a b", "a (", "a (>= )", "a (1)", "a (>= 1", "| |", "a [x", "a;b", "a (>= 1) x" };
        for (size_t i = 0; i < ASH_N(bad); i++) {
                rest = ash_slice_str(bad[i]);
                int r;
                while ((r = ash_deb_relation_next(&rest, &a)) == 1)
                        ;
                if (r != -ASH_ERR_SYNTAX)
                        fail_msg("'%s' was taken", bad[i]);
        }
}

static void test_deb822(void **state) {
        (void) state;
        AshSlice text = ASH_S("\n# comment\nPackage: a\nDescription: short\n long one\n .\n  more\nEmpty:\n\n \nPackage: b\r\nX:  y \n");
        AshDeb822 in = ash_deb822(text);
        AshDebField f;
        static const char *const want[][2] = { { "Package", "a" }, { "Description", "short\n long one\n .\n  more" }, { "Empty", "" }, {}, { "Package", "b" }, { "X", "y" }, {} };
        for (size_t i = 0; i < ASH_N(want); i++) {
                int r = ash_deb822_next(&in, &f);
                assert_int_equal(r, want[i][0] ? ASH_DEB822_FIELD : ASH_DEB822_STANZA_END);
                if (want[i][0] && !(ash_slice_eqs(f.name, want[i][0]) && ash_slice_eqs(f.value, want[i][1])))
                        fail_msg("%.*s: '%.*s'", ASH_F(f.name), ASH_F(f.value));
        }
        assert_int_equal(ash_deb822_next(&in, &f), ASH_DEB822_END);
        _str_ AshStr out = {};
        ash_deb822_unfold(ash_slice_str(want[1][1]), &out);
        assert_string_equal(out.ptr, "short\nlong one\n\n more");
        static const char *const bad[] = { "no colon\n", "Package: a\n: x\n", " continuation\n", "a b: c\n", "-x: y\n" };
        for (size_t i = 0; i < ASH_N(bad); i++) {
                in = ash_deb822(ash_slice_str(bad[i]));
                int r;
                while ((r = ash_deb822_next(&in, &f)) > 0)
                        ;
                if (r != -ASH_ERR_SYNTAX)
                        fail_msg("'%s' was taken", bad[i]);
        }
}

#define CONTROL "Package: t\nVersion: 1-1\nArchitecture: all\nInstalled-Size: 10\n"
static const TarItem good_items[] = { { "./", '5' }, { "./usr/", '5' }, { "./usr/a", '0', "hello", 04755, "daemon" }, { "./usr/b", '1', "./usr/a" }, { "./usr/c", '2', "../etc/x" } };

static void test_read(void **state) {
        (void) state;
        static const AshCompression all[] = { ASH_COMP_NONE, ASH_COMP_GZIP, ASH_COMP_XZ, ASH_COMP_ZSTD };
        static const char *const scripts[] = { "./postinst", "#!/bin/sh\n", "./conffiles", "/usr/a\n", NULL };
        for (size_t i = 0; i < ASH_N(all); i++) {
                _str_ AshStr file = {};
                deb_make(CONTROL, scripts, good_items, ASH_N(good_items), all[i], &file);
                _cleanup_(ash_deb_free_p) AshDeb *d = NULL;
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                assert_int_equal(ash_deb_read(ash_str_slice(&file), "t.deb", NULL, &d, diags), 0);
                assert_int_equal(d->n, 5);
                assert_true(ash_slice_eqs(d->entries[2].path, "usr/a") && ash_slice_eqs(d->entries[2].data, "hello") && ash_slice_eqs(d->entries[2].user, "daemon"));
                assert_int_equal(d->entries[2].mode, S_IFREG | 04755);
                assert_int_equal(d->entries[3].link, 3);
                assert_true(ash_slice_eqs(d->entries[3].data, "hello"));
                assert_true(ash_slice_eqs(d->entries[4].target, "../etc/x"));
                assert_non_null(d->scripts[ASH_DEB_POSTINST].ptr);
                assert_null(d->scripts[ASH_DEB_PRERM].ptr);
                assert_true(ash_slice_eqs(d->conffiles, "/usr/a\n"));
                /* cut anywhere: refused, whatever it is */
                for (size_t n = 0; n + 2 < file.len; n += 1 + file.len / 200) {
                        _cleanup_(ash_deb_free_p) AshDeb *cut = NULL;
                        if (ash_deb_read(ash_slice(file.ptr, n), "t.deb", NULL, &cut, NULL) >= 0 && n < file.len - 1024)
                                fail_msg("cut at %zu of %zu was taken", n, file.len);
                }
        }
}

static void refuse(const TarItem *items, size_t n, int code, const char *text) {
        _str_ AshStr file = {};
        deb_make(CONTROL, NULL, items, n, ASH_COMP_GZIP, &file);
        _cleanup_(ash_deb_free_p) AshDeb *d = NULL;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        assert_int_equal(ash_deb_read(ash_str_slice(&file), "t.deb", NULL, &d, diags), code);
        assert_int_equal(ash_diags_n(diags), 1);
        if (!strstr(ash_diags_at(diags, 0)->text, text))
                fail_msg("'%s' instead of '%s'", ash_diags_at(diags, 0)->text, text);
        assert_string_equal(ash_diags_at(diags, 0)->file, "t.deb");
}
#define REFUSE(code, text, ...) refuse((const TarItem[]){ __VA_ARGS__ }, ASH_N(((const TarItem[]){ __VA_ARGS__ })), code, text)

static void test_hostile(void **state) {
        (void) state;
        REFUSE(-ASH_ERR_SYNTAX, "absolute", { "/etc/passwd", '0', "x" });
        REFUSE(-ASH_ERR_SYNTAX, "'..'", { "./a/../../etc/passwd", '0', "x" });
        REFUSE(-ASH_ERR_SYNTAX, "newline", { "./a\nb", '0', "x" });
        REFUSE(-ASH_ERR_SYNTAX, "twice", { "./a", '0', "x" }, { "a", '0', "y" });
        REFUSE(-ASH_ERR_SYNTAX, "symbolic link of the package", { "./a", '2', "/etc" }, { "./a/passwd", '0', "x" });
        REFUSE(-ASH_ERR_SYNTAX, "symbolic link of the package", { "./a/passwd", '0', "x" }, { "./a", '2', "/etc" });
        REFUSE(-ASH_ERR_SYNTAX, "no directory", { "./a", '0', "x" }, { "./a/b", '0', "x" });
        REFUSE(-ASH_ERR_SYNTAX, "hard link to nothing", { "./a", '1', "./b" }, { "./b", '0', "x" });
        REFUSE(-ASH_ERR_SYNTAX, "hard link to nothing", { "./a", '2', "b" }, { "./b", '1', "./a" });
        REFUSE(-ASH_ERR_SYNTAX, "'..'", { "./a", '1', "../../etc/shadow" });
        REFUSE(-ASH_ERR_SYNTAX, "unknown type", { "./a", 'Z', "x" });
        REFUSE(-ASH_ERR_SYNTAX, "without a target", { "./a", '2', "" });
}

static int read_members(const AshSlice *members, const char *const *names, size_t n) {
        _str_ AshStr file = {};
        for (size_t i = 0; i < n; i++)
                ar_add(&file, names[i], members[i]);
        _cleanup_(ash_deb_free_p) AshDeb *d = NULL;
        return ash_deb_read(ash_str_slice(&file), "t.deb", NULL, &d, NULL);
}

static void test_members(void **state) {
        (void) state;
        _str_ AshStr meta = {}, bomb = {}, zeros = {};
        tar_add(&meta, &(TarItem){ "./control", '0', CONTROL });
        tar_end(&meta);
        ash_str_append_fill(&zeros, '\0', 300u << 20); /* 10 KiB said, 300 MiB come */
        assert_int_equal(ash_compress(ash_str_slice(&zeros), ASH_COMP_ZSTD, 1, &bomb), 0);
        AshSlice version = ASH_S("2.0\n"), m = ash_str_slice(&meta), b = ash_str_slice(&bomb);
        assert_int_equal(read_members((AshSlice[]){ version, m, b }, (const char *[]){ "debian-binary", "control.tar", "data.tar.zst" }, 3), -ASH_ERR_LIMIT);
        assert_int_equal(read_members((AshSlice[]){ version, m, m }, (const char *[]){ "debian-binary", "control.tar", "data.tar.xz" }, 3), -ASH_ERR_SYNTAX);
        assert_int_equal(read_members((AshSlice[]){ version, b, m }, (const char *[]){ "debian-binary", "control.tar", "data.tar" }, 3), -ASH_ERR_SYNTAX);
        assert_int_equal(read_members((AshSlice[]){ version, m, m }, (const char *[]){ "debian-binary", "data.tar", "control.tar" }, 3), -ASH_ERR_SYNTAX);
        assert_int_equal(read_members((AshSlice[]){ ASH_S("3.0\n"), m, m }, (const char *[]){ "debian-binary", "control.tar", "data.tar" }, 3), -ASH_ERR_SYNTAX);
        assert_int_equal(read_members((AshSlice[]){ version, m }, (const char *[]){ "debian-binary", "control.tar" }, 2), -ASH_ERR_SYNTAX);
        assert_int_equal(read_members((AshSlice[]){ version, ASH_S("x"), m, m }, (const char *[]){ "debian-binary", "_other", "control.tar/", "data.tar" }, 4), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_versions), cmocka_unit_test(test_versions_dpkg), cmocka_unit_test(test_relations), cmocka_unit_test(test_deb822),
                cmocka_unit_test(test_read),     cmocka_unit_test(test_hostile),       cmocka_unit_test(test_members),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
