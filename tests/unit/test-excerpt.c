/* Which lines of a log say what went wrong. Each case: what a tool really writes, and what is shown of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "build-private.h"

#define BEGIN "Executing(%build): /bin/sh -e /builddir/scripts/rpm-tmp.x\n+ umask 022\n+ cd /builddir/build/BUILD\n+ cd one-1.0\n+ CFLAGS='-O2 -g'\n+ export CFLAGS\n++ nproc\n"
#define END "error: Bad exit status from /builddir/scripts/rpm-tmp.x (%build)\n\nRPM build errors:\n    Bad exit status from /builddir/scripts/rpm-tmp.x (%build)\n"

static const struct {
        const char *what, *log, *shown;
} cases[] = {
        { "nothing but a command", "Executing(%prep): x\n+ echo earlier\nerror: of another section\n" BEGIN "+ false\n" END, "+ false\n" },
        { "a word of its own", BEGIN "+ echo something is wrong\nsomething is wrong\n+ exit 3\n" END, "+ echo something is wrong\nsomething is wrong\n" },
        { "gcc below make -j",
          BEGIN "+ make -O -j8\ncc -c a.c\ncc -c b.c\nb.c: In function 'f':\nb.c:3:9: error: 'x' undeclared (first use in this function)\n    3 |         x = 1;\n      |         ^\nb.c:3:9: note: each undeclared identifier is reported only once\n"
          "make: *** [Makefile:2: b.o] Error 1\nmake: *** Waiting for unfinished jobs....\ncc -c c.c\ncc -c d.c\ncc -c e.c\ncc -c g.c\n" END,
          "+ make -O -j8\nb.c:3:9: error: 'x' undeclared (first use in this function)\n    3 |         x = 1;\n      |         ^\nmake: *** [Makefile:2: b.o] Error 1\nmake: *** Waiting for unfinished jobs....\ncc -c d.c\ncc -c e.c\ncc -c g.c\n" },
        { "the linker", BEGIN "+ make\n/usr/bin/ld: a.o: in function `main':\na.c:(.text+0x5): undefined reference to `gone'\ncollect2: error: ld returned 1 exit status\nmake: *** [Makefile:5: a] Error 1\n" END,
          "+ make\n/usr/bin/ld: a.o: in function `main':\na.c:(.text+0x5): undefined reference to `gone'\ncollect2: error: ld returned 1 exit status\nmake: *** [Makefile:5: a] Error 1\n" },
        { "configure", BEGIN "+ ./configure --prefix=/usr\nchecking for gcc... gcc\nchecking for error: handling... yes\nchecking for bar.h... no\nconfigure: error: bar.h is needed\n" END,
          "+ ./configure --prefix=/usr\nchecking for gcc... gcc\nchecking for error: handling... yes\nchecking for bar.h... no\nconfigure: error: bar.h is needed\n" },
        { "automake's tests", BEGIN "+ make check\nPASS: one\nPASS: two\nFAIL: three\nPASS: four\nPASS: five\nPASS: six\n# TOTAL: 6\n# PASS:  5\n# FAIL:  1\n# ERROR: 0\nmake[1]: *** [Makefile:10: test-suite.log] Error 1\n" END,
          "+ make check\nFAIL: three\n# TOTAL: 6\n# PASS:  5\n# FAIL:  1\n# ERROR: 0\nmake[1]: *** [Makefile:10: test-suite.log] Error 1\n" },
        { "ctest", BEGIN "+ ctest\n1/2 Test #1: a ... Passed 0.01 sec\n2/2 Test #2: b ...***Failed 0.02 sec\n\n50% tests passed, 1 tests failed out of 2\n\nThe following tests FAILED:\n\t  2 - b (Failed)\nErrors while running CTest\n" END,
          "+ ctest\n1/2 Test #1: a ... Passed 0.01 sec\n2/2 Test #2: b ...***Failed 0.02 sec\n50% tests passed, 1 tests failed out of 2\nThe following tests FAILED:\n\t  2 - b (Failed)\nErrors while running CTest\n" },
        { "meson's tests", BEGIN "+ meson test\n1/3 a OK 0.01s\n2/3 b FAIL 0.01s exit status 1\n3/3 c OK 0.01s\nOk: 2\nFail: 1\nTimeout: 0\n" END, "+ meson test\n2/3 b FAIL 0.01s exit status 1\nOk: 2\nFail: 1\nTimeout: 0\n" },
        { "pytest", BEGIN "+ pytest\n    def test_it():\n>       assert 1 == 2\nE       assert 1 == 2\ntests/test_x.py:2: AssertionError\nFAILED tests/test_x.py::test_it - assert 1 == 2\n1 failed in 0.02s\n" END,
          "+ pytest\n>       assert 1 == 2\nE       assert 1 == 2\ntests/test_x.py:2: AssertionError\nFAILED tests/test_x.py::test_it - assert 1 == 2\n1 failed in 0.02s\n" },
        { "a patch", "Executing(%prep): /bin/sh -e /x\n+ umask 022\n+ /usr/bin/patch -p1 -s\npatching file a.c\nHunk #2 FAILED at 10.\n1 out of 2 hunks FAILED -- saving rejects to file a.c.rej\nerror: Bad exit status from /x (%prep)\n",
          "+ /usr/bin/patch -p1 -s\npatching file a.c\nHunk #2 FAILED at 10.\n1 out of 2 hunks FAILED -- saving rejects to file a.c.rej\n" },
        { "%files", "Executing(%check): x\n+ make check\nPASS: a\n+ exit 0\nProcessing files: one-1.0-1.noarch\nerror: File not found: /builddir/build/BUILDROOT/one/usr/bin/one\n\nRPM build errors:\n    File not found: /builddir/build/BUILDROOT/one/usr/bin/one\n",
          "error: File not found: /builddir/build/BUILDROOT/one/usr/bin/one\n" },
        { "%files of several packages, with %doc", "Executing(%check): x\n+ make check\n+ exit 0\nProcessing files: a-1.0-1.noarch\nerror: File not found: /x/a\nExecuting(%doc): /bin/bash -e /y\n+ cp -pr NEWS /x\n+ exit 0\nProcessing files: b-1.0-1.noarch\nProvides: b\n"
          "Executing(%license): /bin/bash -e /y\n+ cp -pr COPYING /x\n+ exit 0\n\nRPM build errors:\n    File not found: /x/a\n",
          "error: File not found: /x/a\nProvides: b\n" },
        { "what is not packaged", "Processing files: one-1.0-1.noarch\nProvides: one = 1.0-1\nChecking for unpackaged file(s): /usr/lib/rpm/check-files /b\nerror: Installed (but unpackaged) file(s) found:\n   /usr/share/one\n   /usr/share/two\n\nRPM build errors:\n    x\n",
          "Provides: one = 1.0-1\nChecking for unpackaged file(s): /usr/lib/rpm/check-files /b\nerror: Installed (but unpackaged) file(s) found:\n   /usr/share/one\n   /usr/share/two\n" },
        { "nothing at all", "", "" },
        { "one long line", "x", "x\n" },
};

static void shows(void **state) {
        size_t bad = 0;
        (void) state;
        for (size_t i = 0; i < ASH_N(cases); i++) {
                AshSlice lines[ASH_BUILD_EXCERPT];
                size_t n = ash_build_excerpt(ash_slice_str(cases[i].log), lines, ASH_N(lines));
                _str_ AshStr text = {};
                for (size_t k = 0; k < n; k++)
                        ash_str_appendf(&text, "%.*s\n", ASH_F(lines[k]));
                if (strcmp(text.ptr ? text.ptr : "", cases[i].shown) == 0)
                        continue;
                print_error("%s:\n%s--- should be\n%s", cases[i].what, text.ptr ? text.ptr : "", cases[i].shown);
                bad++;
        }
        assert_int_equal(bad, 0);
}

/* However much fails, it stays readable: the first faults, and the end. */
static void bounded(void **state) {
        (void) state;
        _str_ AshStr log = {};
        AshSlice lines[ASH_BUILD_EXCERPT];
        ash_str_append_str(&log, BEGIN "+ make\n");
        for (int i = 0; i < 5000; i++)
                ash_str_appendf(&log, "a%d.c:1:1: error: no\n", i);
        ash_str_append_str(&log, "the end\n" END);
        size_t n = ash_build_excerpt(ash_str_slice(&log), lines, ASH_N(lines));
        assert_true(n >= 5 && n <= ASH_BUILD_EXCERPT);
        assert_true(ash_slice_eqs(lines[0], "+ make"));
        assert_true(ash_slice_eqs(lines[1], "a0.c:1:1: error: no"));
        assert_true(ash_slice_eqs(lines[n - 1], "the end"));
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(shows), cmocka_unit_test(bounded) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
