#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "io.h"
#include "spec.h"

static void identity(AshSlice text) {
        _cleanup_(ash_spec_free_p) AshSpecDoc *doc = NULL, *copy = NULL;
        _str_ AshStr out = {}, again = {};
        assert_int_equal(ash_spec_parse("x.spec", text, &doc, NULL), 0);
        ash_spec_serialize(doc, &out);
        assert_true(ash_slice_eq(text, ash_str_slice(&out)));
        _specview_ AshSpecView view;
        ash_spec_view(doc, &view);
        assert_int_equal(view.lines.n, doc->lines.n);
        AshSpecPlainView plain;
        ash_spec_plain_view(doc, &plain);
        ash_spec_plain_view_done(&plain);
        copy = ash_spec_clone(doc);
        ash_spec_serialize(copy, &again);
        assert_true(ash_slice_eq(text, ash_str_slice(&again)));
}

static size_t identity_of_files(const char *pattern) {
        _free_ char *dir = ash_asprintf("%s/corpus", getenv("ASHLAR_SHARED"));
        _close_ int fd = open(dir, O_RDONLY | O_DIRECTORY);
        _paths_ AshPaths paths = {};
        assert_true(fd >= 0 && ash_glob_files(fd, pattern, false, &paths) >= 0);
        ash_array_foreach(&paths.paths, p) {
                _bytes_ AshBytes bytes = {};
                assert_int_equal(ash_file_read(fd, *p, 0, &bytes), 0);
                identity(ash_bytes_slice(&bytes));
        }
        return paths.paths.n;
}

static void test_identity(void **state) {
        (void) state;
        static const char *const texts[] = {
                "", "\n", "\r\n", "\r", "a", "a\n", "a\r\nb\r\n", "a\r\nb\nc", "a\r\r\n", "\xff\xfe\n\xc3", "%if\n", "%endif\n%else\n", "%define x \\\n", "%{", "%{?x:\n", "%{?x:\n}\n", "}\n",
                "%package\n%package a\n%files -f\n", "%{lua:\n", "%global a %{expand:\n%package x\n", "\n\n\n", "%changelog\n* x\n", "%{?a:\n%{?b:\n%if 1\n}\n}\n", "#\\\n%files\n", "%(", "%[",
        };
        for (size_t i = 0; i < ASH_N(texts); i++)
                identity(ash_slice_str(texts[i]));
        identity(ash_slice("a\0b\n\0", 5));
        assert_true(identity_of_files("specs/*/*.spec") >= 12);
        assert_true(identity_of_files("overlay-cases/*/*.spec") >= 66);
}

/* Random texts out of pieces that mean something. */
static void test_identity_generated(void **state) {
        (void) state;
        static const char *const pieces[] = { "\n", "\r\n", "\r", "%if 1", "%endif", "%else", "%{", "}", "%{?x:", "\\\n", "\\", "%files", "%package ", "-n x", "%define a(", "%global b ", "#", " ", "Name: x",
                "%(", ")", "%[", "]", "%%", "%{lua:", "%{expand:", "\xff", "\xc3\xa9", "%changelog", "* a b c d", "\t", ":" };
        uint32_t seed = 1;
        for (int round = 0; round < 3000; round++) {
                _str_ AshStr text = {};
                for (int i = 0; i < 40; i++) {
                        seed = seed * 1664525 + 1013904223;
                        ash_str_append_str(&text, pieces[(seed >> 16) % ASH_N(pieces)]);
                        if ((seed >> 8) % 3 == 0)
                                ash_str_append_char(&text, '\n');
                }
                identity(ash_str_slice(&text));
        }
}

/* Hostile sizes take linear time: each of these would take minutes if it were quadratic. */
static void repeated(const char *piece, size_t size) {
        _str_ AshStr text = {};
        while (text.len < size)
                ash_str_append_str(&text, piece);
        identity(ash_str_slice(&text));
}

static void test_large(void **state) {
        (void) state;
        static const char *const pieces[] = { "x", "\n", "%{", "%{\n", "%{?x:\n", "%if 1\n", "%if 1\n%endif\n", "%package a\n", "%define x \\\n", "%global y %{expand:\n", "%(\n", "}\n", "* \n", "a: b\n", "\\\n", "%{?x:\n%if 1\n" };
        for (size_t i = 0; i < ASH_N(pieces); i++)
                repeated(pieces[i], 1 << 20);
}

static void doc_of(const char *text, AshSpecDoc **doc, AshSpecView *view) {
        assert_int_equal(ash_spec_parse("x.spec", ash_slice_str(text), doc, NULL), 0);
        ash_spec_view(*doc, view);
}

static const char sample[] =
        "%global with_doc 1\n"                 /* 0 */
        "%define gcov() \\\n"                  /* 1 */
        "%package %{1}-gcov\\\n"               /* 2: a phantom */
        "Summary: x\\\n"                       /* 3 */
        "%{nil}\n"                             /* 4 */
        "%global _description %{expand:\n"     /* 5 */
        "%files of nothing\n"                  /* 6: another one */
        "}\n"                                  /* 7 */
        "Name:    foo\n"                       /* 8 */
        "%if 0%{?rhel}\n"                      /* 9 */
        "Requires(post): a\n"                  /* 10 */
        "%else\n"                              /* 11 */
        "%ifarch x86_64\n"                     /* 12 */
        "Source0: b\n"                         /* 13 */
        "%endif\n"                             /* 14 */
        "%endif\n"                             /* 15 */
        "%{?!_without_tests:\n"                /* 16 */
        "%check\n"                             /* 17 */
        "make check \\\n"                      /* 18 */
        "  V=1\n"                              /* 19 */
        "}\n"                                  /* 20 */
        "%package -n %{name}-devel\n"          /* 21 */
        "Summary: d\n"                         /* 22 */
        "%files devel -f devel.lang\n"         /* 23 */
        "%verify(not md5) /x\n"                /* 24 */
        "  %files indented\n"                  /* 25: rpm wants headers in the first column here */
        "%include more.inc\n"                  /* 26 */
        "%post -p <lua> -n other\n"            /* 27 */
        "%triggerin -- bash\n"                 /* 28 */
        "%changelog\n"                         /* 29 */
        "* Mon Apr 06 2026 A B <a@b> - 1.0-2\n"/* 30 */
        "- done\n";                            /* 31 */

static void test_view(void **state) {
        (void) state;
        _cleanup_(ash_spec_free_p) AshSpecDoc *doc = NULL;
        _specview_ AshSpecView v;
        doc_of(sample, &doc, &v);
        static const AshSpecLineKind kinds[] = {
                ASH_LINE_MACRO, ASH_LINE_MACRO, ASH_LINE_CONTINUED, ASH_LINE_CONTINUED, ASH_LINE_CONTINUED, ASH_LINE_MACRO, ASH_LINE_CONTINUED, ASH_LINE_CONTINUED, ASH_LINE_TAG,
                ASH_LINE_IF, ASH_LINE_TAG, ASH_LINE_BRANCH, ASH_LINE_IF, ASH_LINE_TAG, ASH_LINE_ENDIF, ASH_LINE_ENDIF, ASH_LINE_IF, ASH_LINE_HEADER, ASH_LINE_TEXT, ASH_LINE_CONTINUED,
                ASH_LINE_ENDIF, ASH_LINE_HEADER, ASH_LINE_TAG, ASH_LINE_HEADER, ASH_LINE_TEXT, ASH_LINE_TEXT, ASH_LINE_INCLUDE, ASH_LINE_HEADER, ASH_LINE_HEADER, ASH_LINE_HEADER,
                ASH_LINE_ENTRY, ASH_LINE_TEXT,
        };
        assert_int_equal(v.lines.n, ASH_N(kinds));
        for (size_t i = 0; i < ASH_N(kinds); i++)
                if (v.lines.items[i].kind != kinds[i])
                        fail_msg("line %zu is %s, wanted %s", i, ash_spec_line_kind_name(v.lines.items[i].kind), ash_spec_line_kind_name(kinds[i]));
        static const struct { const char *name, *package, *full; } sections[] = {
                { "", "", "foo" }, { "%check", "", "foo" }, { "%package", "%{name}-devel", "foo-devel" }, { "%files", "devel", "foo-devel" }, { "%post", "other", "other" },
                { "%triggerin", "", "foo" }, { "%changelog", "", "foo" },
        };
        assert_int_equal(v.sections.n, ASH_N(sections));
        for (size_t i = 0; i < ASH_N(sections); i++) {
                _free_ char *full = ash_spec_full_package(&v, &v.sections.items[i]);
                assert_true(ash_slice_eqs(v.sections.items[i].name, sections[i].name) && ash_slice_eqs(v.sections.items[i].package, sections[i].package));
                assert_string_equal(full, sections[i].full);
        }
        assert_true(ash_slice_eqs(v.sections.items[3].file, "devel.lang") && ash_slice_eqs(v.sections.items[4].program, "<lua>"));
        assert_int_equal(v.conditionals.n, 4);
        assert_true(v.conditionals.items[1].first == 9 && v.conditionals.items[1].last == 15 && v.conditionals.items[2].parent == 1 && v.conditionals.items[2].depth == 2);
        assert_true(v.conditionals.items[3].expression && v.conditionals.items[3].last == 20 && v.sections.items[1].conditional == 3);
        assert_int_equal(v.macros.n, 3);
        assert_true(ash_slice_eqs(v.macros.items[1].name, "gcov") && ash_slice_eqs(v.macros.items[1].options, "()") && v.macros.items[1].last == 4);
        assert_true(ash_slice_eqs(ash_spec_main_tag(&v, "name"), "foo"));
        assert_int_equal(ash_spec_line_number(doc, 8), 9);
}

/* azldev's scanner sees phantom sections, keeps the case of names, and takes indented headers. */
static void test_plain(void **state) {
        (void) state;
        _cleanup_(ash_spec_free_p) AshSpecDoc *doc = NULL;
        assert_int_equal(ash_spec_parse("x.spec", ash_slice_str(sample), &doc, NULL), 0);
        AshSpecPlainView v;
        ash_spec_plain_view(doc, &v);
        static const struct { const char *name, *package; size_t header; } sections[] = {
                { "", "", 0 }, { "%package", "%{1}-gcov\\", 2 }, { "%files", "of", 6 }, { "%check", "", 17 }, { "%package", "%{name}-devel", 21 }, { "%files", "devel", 23 },
                { "%files", "indented", 25 }, { "%post", "other", 27 }, { "%triggerin", "", 28 }, { "%changelog", "", 29 },
        };
        assert_int_equal(v.sections.n, ASH_N(sections));
        for (size_t i = 0; i < ASH_N(sections); i++)
                assert_true(ash_slice_eqs(v.sections.items[i].name, sections[i].name) && ash_slice_eqs(v.sections.items[i].package, sections[i].package) && v.sections.items[i].header == sections[i].header);
        ash_spec_plain_view_done(&v);
        AshSpecSection s;
        AshSpecTag t;
        assert_int_equal(ash_spec_plain_line(ASH_S("%Build"), ASH_SECTION_PACKAGE, &s, &t), ASH_PLAIN_HEADER);
        assert_true(ash_slice_eqs(s.name, "%Build"));
        assert_int_equal(ash_spec_plain_line(ASH_S("%sepolicy"), ASH_SECTION_PACKAGE, &s, &t), ASH_PLAIN_RAW);
        assert_int_equal(ash_spec_plain_line(ASH_S("#Name: x"), ASH_SECTION_PACKAGE, &s, &t), ASH_PLAIN_RAW);
        assert_int_equal(ash_spec_plain_line(ASH_S(" # x: y"), ASH_SECTION_PACKAGE, &s, &t), ASH_PLAIN_RAW);
        assert_int_equal(ash_spec_plain_line(ASH_S(" #x: y"), ASH_SECTION_PACKAGE, &s, &t), ASH_PLAIN_TAG);
        assert_int_equal(ash_spec_plain_line(ASH_S("%{!?x: %global y z}"), ASH_SECTION_PACKAGE, &s, &t), ASH_PLAIN_TAG);
        assert_true(ash_slice_eqs(t.name, "%{!?x") && ash_slice_eqs(t.value, "%global y z}"));
        assert_int_equal(ash_spec_plain_line(ASH_S("Name : x"), ASH_SECTION_PACKAGE, &s, &t), ASH_PLAIN_RAW);
        assert_int_equal(ash_spec_plain_line(ASH_S("Name: x"), ASH_SECTION_SCRIPT, &s, &t), ASH_PLAIN_RAW);
        assert_int_equal(ash_spec_plain_line(ASH_S("\xc2\xa0%files\xe3\x80\x80-x -l de a b"), ASH_SECTION_SCRIPT, &s, &t), ASH_PLAIN_HEADER);
        assert_true(ash_slice_eqs(s.package, "a"));
}

static void test_edit(void **state) {
        (void) state;
        _cleanup_(ash_spec_free_p) AshSpecDoc *doc = NULL;
        _str_ AshStr out = {};
        assert_int_equal(ash_spec_parse("x.spec", ASH_S("a\r\nb\r\nc"), &doc, NULL), 0);
        assert_int_equal(ash_spec_eol(doc), ASH_EOL_CRLF);
        ash_spec_insert(doc, 3, (AshSlice[]){ ASH_S("d"), ASH_S("e") }, 2, ASH_EOL_CRLF);
        ash_spec_replace(doc, 1, ASH_S("B"));
        ash_spec_remove(doc, 0, 1);
        ash_spec_serialize(doc, &out);
        assert_string_equal(out.ptr, "B\r\nc\r\nd\r\ne");
        ash_spec_replace(doc, 0, ASH_S("x\r\ny"));
        ash_spec_normalize(doc);
        ash_str_clear(&out);
        ash_spec_serialize(doc, &out);
        assert_string_equal(out.ptr, "x\ny\nc\nd\ne\n");
        assert_int_equal(ash_spec_line_number(doc, 2), 3);
        assert_int_equal(ash_spec_line_number(doc, 3), 0);
}

static void test_tags(void **state) {
        (void) state;
        AshSpecTag t;
        AshSpecEntry entry;
        assert_true(ash_spec_tag(ASH_S("  Requires( post , pre ) : a  "), &t) && ash_slice_eqs(t.name, "Requires") && ash_slice_eqs(t.qualifier, "post , pre") && ash_slice_eqs(t.value, "a"));
        assert_true(ash_spec_tag(ASH_S("Patch%{n}:x"), &t) && ash_slice_eqs(t.name, "Patch%{n}"));
        assert_false(ash_spec_tag(ASH_S("%{!?x: %global y z}"), &t));
        assert_false(ash_spec_tag(ASH_S("make all: x y"), &t));
        assert_true(ash_slice_eqs(ash_spec_tag_family(ASH_S("Source9999")), "Source") && ash_slice_eqs(ash_spec_tag_family(ASH_S("99")), "99"));
        assert_true(ash_spec_entry(ASH_S("* Mon Apr 06 2026 A B <a@b> - 1.0-2"), &entry));
        assert_true(ash_slice_eqs(entry.date, "Mon Apr 06 2026") && ash_slice_eqs(entry.author, "A B <a@b>") && ash_slice_eqs(entry.evr, "1.0-2"));
}

static void test_errors(void **state) {
        (void) state;
        static const struct { const char *output, *text; uint32_t line; } cases[] = {
                { "warning: x\nerror: /b/SPECS/a.spec:12: bad tag\nerror: /b/SPECS/a.spec:13: other\n", "bad tag", 12 },
                { "error: line 7: Unknown tag: Foo\n", "Unknown tag: Foo", 7 },
                { "error: /b/SPECS/a.spec: line 3: Too many levels of recursion\n", "Too many levels of recursion", 3 },
                { "error: bare words are no longer supported\nerror: /b/SPECS/a.spec:16: bad %if condition: x\n", "bare words are no longer supported", 16 },
                { "error: macros in b/a.spec:4: odd\n", "macros in b/a.spec:4: odd", 4 },
                { "error: Bad file: /b/SOURCES/a.tar\nExecuting(%prep): x\nerror: line 9: late\n", "Bad file: /b/SOURCES/a.tar", 0 },
                { "error: line x: 3\nerror: a.spec4: y\n", "line x: 3", 0 },
                { "Executing(%prep): x\nerror: line 9: late\n", NULL, 0 },
                { "", NULL, 0 },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                uint32_t line;
                AshSlice text;
                assert_int_equal(ash_spec_error(ash_slice_str(cases[i].output), ASH_S("a.spec"), &line, &text), cases[i].text != NULL);
                assert_int_equal(line, cases[i].line);
                assert_true(cases[i].text ? ash_slice_eqs(text, cases[i].text) : !text.ptr);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_identity), cmocka_unit_test(test_identity_generated), cmocka_unit_test(test_large), cmocka_unit_test(test_view),
                cmocka_unit_test(test_plain),    cmocka_unit_test(test_edit),               cmocka_unit_test(test_tags),  cmocka_unit_test(test_errors),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
