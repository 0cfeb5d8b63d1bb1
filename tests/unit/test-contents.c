/* Lists of files of an archive: what the packages would provide, and who has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "apt-contents.h"

static void table_of(const char *text, AshStr *ret) {
        _cleanup_(ash_reader_free_p) AshReader *reader = ash_reader_new_memory(ash_slice_str(text));
        _str_ AshStr lines = {};
        assert_int_equal(ash_apt_contents_scan(reader, ASH_S("x86_64-linux-gnu"), &lines), 0);
        ash_apt_contents_sort(ash_str_slice(&lines), ret);
}

static const char contents[] =
        "bin/odd                                  utils/odd\n"
        "usr/bin/git                              vcs/git,vcs/git-other\n"
        "usr/bin/sub/x                            utils/no\n"
        "usr/sbin/zic                             libs/libc-bin\n"
        "usr/bin/with blank                       utils/no\n"
        "usr/lib/x86_64-linux-gnu/pkgconfig/zlib.pc\tlibdevel/zlib1g-dev\n"
        "usr/lib/aarch64-linux-gnu/pkgconfig/other.pc libdevel/no\n"
        "usr/share/pkgconfig/systemd.pc           libdevel/systemd-dev\n"
        "usr/lib/x86_64-linux-gnu/libz.so         libdevel/no\n"
        "usr/lib/x86_64-linux-gnu/libz.so.1       libs/zlib1g\n"
        "usr/lib/x86_64-linux-gnu/libz.so.1.3.1   libs/no\n"
        "usr/lib/x86_64-linux-gnu/sub/libp.so.1   libs/no\n"
        "usr/share/perl/5.40.1/Test/More.pm       perl/perl-modules-5.40\n"
        "usr/share/perl/5.40/Test/More.pm         perl/perl-modules-5.40\n"
        "usr/lib/x86_64-linux-gnu/perl-base/POSIX.pm perl/perl-base\n"
        "usr/lib/x86_64-linux-gnu/perl/5.40.1/POSIX.pm libs/libperl5.40\n"
        "usr/share/perl5/IPC/Run.pm               perl/libipc-run-perl\n"
        "usr/lib/python3/dist-packages/Foo_.Bar-1.2.dist-info/METADATA contrib/python/python3-foobar\n"
        "usr/lib/python3/dist-packages/flat.egg-info python/python3-flat\n"
        "usr/lib/x86_64-linux-gnu/cmake/GTest/GTestConfig.cmake libdevel/libgtest-dev\n"
        "usr/share/cmake/x-y/x-y-config.cmake     libdevel/x-y\n"
        "usr/share/doc/git/README                 vcs/git\n"
        "usr/share/texlive/texmf-dist/tex/latex/fancyhdr/fancyhdr.sty tex/texlive-latex-base\n"
        "usr/share/texlive/texmf-dist/doc/latex/fancyhdr/README.tex tex/no\n"
        "usr/share/texmf/tex/texinfo/texinfo.tex  text/texinfo\n"
        "usr/bin/dvips                            tex/texlive-binaries\n"
        "usr/bin/nobody\n"
        "usr/bin/last                             a/last";

static const struct { const char *what, *who; } cases[] = {
        { "/usr/bin/git", "git,git-other," }, { "/bin/git", "git,git-other," }, { "/usr/bin/gi", "" }, { "/usr/bin/sub/x", "" }, { "/usr/sbin/zic", "libc-bin," }, { "/sbin/zic", "libc-bin," },
        { "/usr/sbin/git", "git,git-other," }, { "/usr/bin/zic", "libc-bin," }, { "/bin/zic", "libc-bin," }, { "/sbin/git", "git,git-other," },
        { "tex(fancyhdr.sty)", "texlive-latex-base," }, { "tex(README.tex)", "" }, { "tex(texinfo.tex)", "texinfo," }, { "tex(dvips)", "texlive-binaries," }, { "tex(", "" }, { "/usr/bin/", "" }, { "pkgconfig(zlib)", "zlib1g-dev," }, { "pkgconfig(zlib", "" }, { "pkgconfig(other)", "" }, { "pkgconfig(systemd)", "systemd-dev," },
        { "libz.so.1()(64bit)", "zlib1g," }, { "libz.so.1.3.1()(64bit)", "" }, { "libp.so.1()(64bit)", "" }, { "perl(Test::More)", "perl-modules-5.40," }, { "perl(POSIX)", "libperl5.40," },
        { "perl(IPC::Run)", "libipc-run-perl," }, { "python3dist(foo-bar)", "python3-foobar," }, { "python3.13dist(foo-bar)", "python3-foobar," }, { "python3dist(flat)", "python3-flat," },
        { "cmake(GTest)", "libgtest-dev," }, { "cmake(gtest)", "libgtest-dev," }, { "cmake(GTes)", "" }, { "python3dist(foo-bar[x])", "python3-foobar," }, { "python3dist(foo-bar[", "" }, { "cmake(x-y)", "x-y," }, { "/usr/bin/last", "last," }, { "/usr/bin/nobody", "" }, { "", "" }, { "zzz", "" }, { "python3.", "" }, { "python3.1dist(", "" },
};

static void test_find(void **state _unused_) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _str_ AshStr table = {};
        table_of(contents, &table);
        for (size_t i = 0; i < ASH_N(cases); i++) {
                AshSlice *names;
                size_t n;
                _str_ AshStr got = {};
                ash_str_append_str(&got, "");
                ash_apt_contents_find(ash_str_slice(&table), ash_slice_str(cases[i].what), arena, &names, &n);
                for (size_t k = 0; k < n; k++)
                        ash_str_appendf(&got, "%.*s,", ASH_F(names[k]));
                assert_string_equal(got.len ? got.ptr : "", cases[i].who);
        }
        AshSlice *names;
        size_t n;
        ash_apt_contents_find(ASH_NOSLICE, ASH_S("/usr/bin/git"), arena, &names, &n);
        assert_int_equal(n, 0);
}

/* What is called NAME-devel elsewhere, by what is near NAME among .pc files. */
static void test_development(void **state _unused_) {
        static const char files[] =
                "usr/lib/x86_64-linux-gnu/pkgconfig/xrender.pc        libdevel/libxrender-dev\n"
                "usr/lib/x86_64-linux-gnu/pkgconfig/com_err.pc        libdevel/comerr-dev\n"
                "usr/lib/x86_64-linux-gnu/pkgconfig/gdk-pixbuf-2.0.pc libdevel/libgdk-pixbuf-2.0-dev\n"
                "usr/lib/x86_64-linux-gnu/pkgconfig/gtk4.pc           libdevel/libgtk-4-dev\n"
                "usr/lib/x86_64-linux-gnu/pkgconfig/libsoup-2.4.pc    libdevel/libsoup2.4-dev\n"
                "usr/lib/x86_64-linux-gnu/pkgconfig/libsoup-3.0.pc    libdevel/libsoup-3.0-dev\n"
                "usr/lib/x86_64-linux-gnu/pkgconfig/atk.pc            libdevel/libatk1.0-dev\n"
                "usr/lib/x86_64-linux-gnu/pkgconfig/atk-9.pc          libdevel/libatk9-dev\n"
                "usr/share/pkgconfig/same.pc                          libdevel/a-dev,libdevel/b-dev\n"
                "usr/lib/x86_64-linux-gnu/pkgconfig/2.pc              libdevel/no\n";
        static const struct { const char *name, *who; } wanted[] = {
                { "libXrender", "libxrender-dev" }, { "libcom_err", "comerr-dev" }, { "gdk-pixbuf2", "libgdk-pixbuf-2.0-dev" }, { "gtk2", "" }, { "gtk", "libgtk-4-dev" }, { "libsoup3", "libsoup-3.0-dev" },
                { "libsoup", "" }, { "atk", "libatk1.0-dev" }, { "same", "" }, { "lib", "" }, { "", "" }, { "2", "" }, { "nothing", "" },
                { "a-name-that-is-much-longer-than-the-name-of-any-package-would-ever-be", "" },
        };
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _str_ AshStr table = {};
        table_of(files, &table);
        for (size_t i = 0; i < ASH_N(wanted); i++) {
                _free_ char *got = ash_slice_dup(ash_apt_contents_development(ash_str_slice(&table), ash_slice_str(wanted[i].name), arena));
                assert_string_equal(got, wanted[i].who);
        }
        assert_int_equal(ash_apt_contents_development(ASH_NOSLICE, ASH_S("zlib"), arena).len, 0);
}

/* Lines over the edges of what is read at once. */
static void test_long(void **state _unused_) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _str_ AshStr text = {}, table = {};
        for (unsigned i = 0; i < 60000; i++)
                ash_str_appendf(&text, "usr/bin/program-number-%u                    section/package-%u\n", i, i);
        table_of(text.ptr, &table);
        for (unsigned i = 0; i < 60000; i += 7) {
                AshSlice *names;
                size_t n;
                char what[64], who[32];
                snprintf(what, sizeof what, "/usr/bin/program-number-%u", i);
                snprintf(who, sizeof who, "package-%u", i);
                ash_apt_contents_find(ash_str_slice(&table), ash_slice_str(what), arena, &names, &n);
                assert_int_equal(n, 1);
                assert_true(ash_slice_eqs(names[0], who));
        }
        _free_ char *endless = ash_calloc(3 << 20, 1);
        memset(endless, 'u', (3 << 20) - 1);
        _cleanup_(ash_reader_free_p) AshReader *reader = ash_reader_new_memory(ash_slice_str(endless));
        assert_int_equal(ash_apt_contents_scan(reader, ASH_S("x"), &table), -ASH_ERR_LIMIT);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_find), cmocka_unit_test(test_development), cmocka_unit_test(test_long) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
