"""The vocabulary of ashlar-rpm-config in small specs of our own: CMake, Meson, autotools, pyproject and setup.py, Perl, systemd with accounts, C++, what is refused. Built in roots of imported Debian packages.
ASHLAR_TEST_STORE may name a store that has the packages already; without network and store the tests are skipped."""
import json, os, pathlib, re, shutil, subprocess, sys, tempfile, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import hardening  # noqa: E402
from ashcli import ASHLAR  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parents[2]
HEAD = """Name: {name}
Version: 1.2
Release: 3%{{?dist}}
Summary: a test
License: MIT
{tags}
%description
A test.
{packages}
%prep
%setup -q -c -T
{prep}
%build
{build}
%install
{install}
%check
{check}
{scripts}
{files}
%changelog
* Fri Nov 20 2026 A Test <test@example.org> - 1.2-3
- A test
"""


def here(path, text):
    return f"mkdir -p $(dirname {path})\ncat > {path} <<'EOF'\n{text}\nEOF\n"


CODE = '#include <stdio.h>\n#include <string.h>\nint f(const char *s);\nint f(const char *s) { char b[16]; strcpy(b, s); return printf("%s\\\\n", b); }'
MAIN = "int f(const char *s);\\nint main(int argc, char **argv) { return argc < 1 || f(argv[0]) < 0; }"
# One program, and one in which a claim is switched off, for each claim: name -> flags of the compiler and of the linker that replace others, or come behind them.
WEAKER = {
    "good": ("", ""), "fortify": ("s/_FORTIFY_SOURCE=3/_FORTIFY_SOURCE=2/", ""), "protector": ("s/-fstack-protector-strong/-fstack-protector/", ""), "clash": ("s/-fstack-clash-protection/-fno-stack-clash-protection/", ""),
    "branch": ("s/-fcf-protection/-fcf-protection=none/", ""), "marks": ("", "s/-Wl,-z,ibt -Wl,-z,shstk//"), "pie": ("s/-specs=[^ ]*//", "s/-specs=[^ ]*/-no-pie/"), "relro": ("", "s/-z,relro/-z,norelro/"),
    "now": ("", "s/-z,now/-z,lazy/"), "stack": ("", "s/$/ -Wl,-z,execstack/"), "speed": ("s/-O2/-O1/", ""),
}
HARD = """#include <stdio.h>
#include <stdlib.h>
#include <string.h>
void *known(const char *s, void *(*f)(char *)) { char b[16]; strcpy(b, s); return f(b); }
void *dynamic(size_t n, const char *s, size_t m) { char *p = malloc(n); if (p) memcpy(p, s, m); return p; }
int strong(void (*f)(int *)) { int x = 0; f(&x); return x; }
int large(int (*f)(char *)) { char b[100000]; return f(b) + b[0]; }
int main(int argc, char **argv) { return argc > 9 ? !dynamic((size_t) argc, argv[0], (size_t) argc) + !known(argv[0], 0) + strong(0) + large(0) : 0; }"""
SPECS = {
    "with-hardening": dict(
        tags="BuildRequires: gcc\n", prep=here("hard.c", HARD),
        build="\n".join(f"gcc $(echo \"$CFLAGS\" | sed '{c}') -c -o {name}.o hard.c; gcc $(echo \"$CFLAGS\" | sed '{c}') $(echo \"$LDFLAGS\" | sed '{link}') -Wl,-E -o {name} {name}.o" for name, (c, link) in WEAKER.items()),
        install="install -d %{buildroot}%{_bindir}; install " + " ".join(WEAKER) + " %{buildroot}%{_bindir}", check="", files="%files\n%{_bindir}/*"),
    # A spec may lower one of them.
    "with-fortify-2": dict(text="%global _fortify_level 2\n" + HEAD.format(name="with-fortify-2", tags="BuildRequires: gcc\n", prep=here("hard.c", HARD), build="gcc $CFLAGS -c -o hard.o hard.c; gcc $CFLAGS $LDFLAGS -Wl,-E -o hard hard.o",
                                                                            install="install -D hard %{buildroot}%{_bindir}/hard", check="", packages="", scripts="", files="%files\n%{_bindir}/hard")),
    "with-cmake": dict(
        tags="BuildRequires: cmake gcc-c++ make\n", packages="%package devel\nSummary: devel\n%description devel\nx\n",
        prep=here("CMakeLists.txt", """cmake_minimum_required(VERSION 3.20)
project(Tast VERSION 1.2 LANGUAGES CXX)
include(GNUInstallDirs)
add_library(tast f.cc)
set_target_properties(tast PROPERTIES VERSION 1.2 SOVERSION 1)
add_executable(tast-bin main.cc)
target_link_libraries(tast-bin tast)
install(TARGETS tast tast-bin EXPORT TastConfig LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT TastConfig DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Tast)
include(CMakePackageConfigHelpers)
write_basic_package_version_file(TastConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/TastConfigVersion.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Tast)
enable_testing()
add_test(NAME runs COMMAND tast-bin)""") + here("f.cc", "#include <iostream>\nint f(const char *s) { std::cout << s; return 0; }") + here("main.cc", MAIN.replace("\\n", "\n")),
        build="%cmake\n%cmake_build", install="%cmake_install", check="%ctest",
        files="%files\n%{_bindir}/tast-bin\n%{_libdir}/libtast.so.*\n%files devel\n%{_libdir}/libtast.so\n%{_libdir}/cmake/Tast"),
    "with-meson": dict(
        tags="BuildRequires: meson gcc pkgconfig(zlib)\n",
        prep=here("meson.build", "project('m', 'c', version: '1.2')\nz = dependency('zlib')\nexecutable('m', 'm.c', dependencies: z, install: true)\ntest('runs', executable('t', 'm.c', dependencies: z))\n"
                  "import('pkgconfig').generate(name: 'mm', description: 'm', version: '1.2')") + here("m.c", "#include <zlib.h>\nint main(void) { return zlibVersion()[0] != '1'; }"),
        build="%meson\n%meson_build", install="%meson_install", check="%meson_test", files="%files\n%{_bindir}/m\n%{_libdir}/pkgconfig/mm.pc"),
    "with-autotools": dict(
        tags="BuildRequires: autoconf automake libtool gcc make gettext-devel\n",
        prep=here("configure.ac", "AC_INIT([a],[1.2])\nAC_CONFIG_MACRO_DIRS([m4])\nAM_INIT_AUTOMAKE([foreign])\nLT_INIT\nAC_PROG_CC\nAC_CONFIG_FILES([Makefile])\nAC_OUTPUT")
        + here("Makefile.am", "lib_LTLIBRARIES = liba.la\nliba_la_SOURCES = a.c\nbin_PROGRAMS = a\na_SOURCES = main.c\na_LDADD = liba.la\nTESTS = a\nman_MANS = a.1") + here("a.c", CODE.replace("\\\\n", "\\n"))
        + here("main.c", MAIN.replace("\\n", "\n").replace("f(argv[0])", 'f("x")')) + here("a.1", ".TH A 1"),
        build="autoreconf -fi\n%configure --disable-static\n%make_build", install="%make_install", check="%make_build check", files="%files\n%{_bindir}/a\n%{_libdir}/liba.so*\n%{_mandir}/man1/a.1*"),
    "with-pyproject": dict(
        tags="BuildArch: noarch\nBuildRequires: python3-devel\n%generate_buildrequires\n%pyproject_buildrequires\n",
        prep=here("pyproject.toml", '[build-system]\nrequires = ["setuptools >= 61"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "Tast_Py"\nversion = "1.2"\ndependencies = ["packaging >= 20", "nothing-at-all; python_version < \'3\'"]\n'
                  '[project.scripts]\ntast-py = "tast_py:main"') + here("tast_py/__init__.py", "import packaging.version\ndef main():\n    print(packaging.version.parse('1.2'))"),
        build="%pyproject_wheel", install="%pyproject_install\n%pyproject_save_files tast_py", check="%pyproject_check_import\n%{py3_test_envvars} %{buildroot}%{_bindir}/tast-py", files="%files -f %{pyproject_files}\n%{_bindir}/tast-py"),
    "with-setup-py": dict(
        tags="BuildRequires: python3-devel python3-setuptools gcc\n",
        prep=here("setup.py", "from setuptools import setup, Extension\nsetup(name='tastc', version='1.2', py_modules=['tastm'], ext_modules=[Extension('tastc', ['t.c'])])") + here("tastm.py", "import tastc")
        + here("t.c", '#include <Python.h>\nstatic struct PyModuleDef d = { PyModuleDef_HEAD_INIT, "tastc", NULL, -1, NULL };\nPyMODINIT_FUNC PyInit_tastc(void) { return PyModule_Create(&d); }'),
        build="%py3_build", install="%py3_install", check="%py3_check_import tastm", files="%files\n%{python3_sitelib}/tastm.py\n%pycached %{python3_sitelib}/tastm.py\n%{python3_sitearch}/tastc*.so\n%{python3_sitelib}/tastc-*.egg-info"),
    # What tox's configuration asks for and runs, in the buildroot; what tox itself would download first is not asked for.
    "with-tox": dict(
        tags="BuildArch: noarch\nBuildRequires: python3-devel\n%generate_buildrequires\n%pyproject_buildrequires -t -x more\n",
        prep=here("pyproject.toml", '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "tast-tox"\nversion = "1.2"\noptional-dependencies.more = ["iniconfig"]\n[tool.setuptools]\npy-modules = ["tast_tox"]')
        + here("tast_tox.py", "import os\nassert os.environ['TAST'] == 'a b'") + here("checks/test_it.py", "import iniconfig, tast_tox\ndef test_it():\n    assert tast_tox.__file__.startswith('/builddir')")
        + here("tox.ini", "[tox]\nrequires = tox-of-nobody >= 9\nmin_version = 4.0\n[testenv]\ndeps =\n    pytest\n    -r more.txt\nset_env = TAST = a b\ncommands =\n    {envpython} -c 'print(\"from tox\")'\n    pytest {posargs:nothing}\n    - false\n    ! false")
        + here("more.txt", "pluggy > 0.1  # of pytest"),
        build="%pyproject_wheel", install="%pyproject_install\n%pyproject_save_files tast_tox", check="%tox -- -- -v checks", files="%files -f %{pyproject_files}"),
    # Names by Fedora's guidelines that no package of Debian has; one name that is several packages here; capabilities in lower case; sources of the Python Package Index.
    "with-names": dict(
        tags="BuildArch: noarch\nBuildRequires: systemd-devel cmake(gtest) perl-Text-Diff python3-attrs inih-static hardlink cmake-filesystem gcc pkgconf\n"
        # What imports add (/usr/bin/awk), one directory of programs elsewhere (/usr/bin/zic), names within rich dependencies, perl's own version.
        "BuildRequires: /usr/bin/awk /usr/bin/sphinx-build-3 pkgconfig(lua) /usr/bin/zic perl(:VERSION) >= 5.8 rubygem(rake) tex(fancyhdr.sty)\n"
        "BuildRequires: (pkgconfig(zlib) or pkgconfig(of-nobody))\nBuildRequires: (python3dist(six) >= 1 with python3dist(six) < 3)\nBuildRequires: ((perl(Try::Tiny) and /usr/bin/git) if bash)\nBuildRequires: (of-nobody or libcap-ng-static)\nBuildRequires: openssl-devel >= 1:3.0\n",
        prep="", build="pkg-config --exists libsystemd libudev INIReader\ntest -e /usr/lib/*/cmake/GTest/GTestConfig.cmake\nperl -MText::Diff -e 1\nhardlink --version\n%{python3} -c 'import attrs, six'\n"
        "sphinx-build-3 --version; perl -MTry::Tiny -e 1; pkg-config --exists lua libcap-ng; echo | awk '{}'; zic --version; git --version\n"
        "[ '%{pypi_source Tast 1.2~rc1 zip}' = https://files.pythonhosted.org/packages/source/T/Tast/Tast-1.2~rc1.zip ]\n[ '%{pypi_source}' = https://files.pythonhosted.org/packages/source/w/with-names/with-names-1.2.tar.gz ]",
        install="", check="", files="%files\n"),
    # TeX as it is after an installation: formats, maps of fonts, lists of files.
    "with-tex": dict(
        tags="BuildArch: noarch\nBuildRequires: texinfo-tex tex(latex) tex(fancyhdr.sty)\n", prep=here("a.tex", "\\documentclass{article}\\usepackage{fancyhdr}\\begin{document}Hello $x^2$\\end{document}") + here("b.texi", "\\input texinfo\n@settitle x\n@node Top\n@top x\nhello\n@bye"),
        build="pdflatex a.tex\ntexi2pdf b.texi\ntexi2dvi b.texi\ndvips -o b.ps b.dvi\ngrep cmr10.pfb a.log", install="install -Dm644 b.pdf %{buildroot}%{_pkgdocdir}/b.pdf", check="", files="%files\n%{_pkgdocdir}"),
    # A spec of upstream's without its history; and rpm's newer forms.
    "with-no-history": dict(text="""%bcond flavour 1
%bcond other %{without flavour}
Name: with-no-history
Epoch: 2
Version: 1.2
Release: %autorelease -b 3 -e rc1
Summary: a test
License: MIT
BuildSystem: autotools
BuildOption(conf): --disable-static %{shrink:  --enable-silent-rules
    }
BuildRequires: autoconf, automake, gcc, make
%if %{with other}
BuildRequires: of-nobody
%endif
%sourcelist
one.txt
%patchlist
a.patch
b.patch
%description
A test.
%prep
%setup -q -c -T
"""
        + here("configure.ac", "AC_INIT([a],[1.0])\nAM_INIT_AUTOMAKE([foreign])\nAC_PROG_CC\nAC_CONFIG_FILES([Makefile])\nAC_OUTPUT") + here("Makefile.am", "bin_PROGRAMS = a\na_SOURCES = a.c") + here("a.c", "int main(void) { return 1; }")
        + """%patch -P 0 -p1
%patch -P1 -p1
autoreconf -fi
%build -p
[ ! -e a ]; echo before > order
%build -a
[ -e a ]; echo after >> order
%install -a
install -D %{SOURCE0} %{buildroot}%{_datadir}/one.txt
%check
./a
[ "$(echo $(cat order))" = "before after" ]
%files
%{_bindir}/a
%{_datadir}/one.txt
%changelog
%autochangelog
""", files={"one.txt": "one\n", **{n + ".patch": f"--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@\n-int main(void) {{ return {old}; }}\n+int main(void) {{ return {new}; }}\n" for n, old, new in (("a", 1, 2), ("b", 2, 0))}}),
    # Versions that only the packages themselves say, not the archive's lists of files.
    "with-newer": dict(
        tags="BuildArch: noarch\nBuildRequires: pkgconfig(zlib) >= 99 perl(Test::More) >= 0.9\n", prep="", build="", install="", check="", files="%files\n"),
    # rpm's declarative form, and a requirement of upstream's that is set aside.
    "with-buildsystem": dict(text="""Name: with-buildsystem
Version: 1.2
Release: 3
Summary: a test
License: MIT
BuildArch: noarch
BuildSystem: pyproject
BuildOption(generate_buildrequires): -x more
BuildOption(install): tast_bs
BuildRequires: python3-devel
%description
A test.
%prep
%setup -q -c -T
""" + here("pyproject.toml", '[build-system]\nrequires = ["setuptools < 1"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "tast-bs"\nversion = "1.2"\ndependencies = ["pytest-of-nobody", "iniconfig >= 99, < 100"]\noptional-dependencies.more = ["pluggy"]')
        + here("tast_bs.py", "import iniconfig, pluggy") + """%pyproject_patch_dependency setuptools:drop_upper
%pyproject_patch_dependency pytest.of_nobody:ignore
%pyproject_patch_dependency iniconfig:drop_lower
%files -f %{pyproject_files}
"""),
    "with-perl": dict(
        tags="BuildArch: noarch\nBuildRequires: perl-generators perl-interpreter perl(ExtUtils::MakeMaker) perl(Test::More) make\n",
        prep=here("Makefile.PL", "use ExtUtils::MakeMaker;\nWriteMakefile(NAME => 'Tast::Mod', VERSION_FROM => 'lib/Tast/Mod.pm');")
        + here("lib/Tast/Mod.pm", "package Tast::Mod;\nuse strict;\nuse Getopt::Long 2.10;\nour $VERSION = '1.20';\n1;\n__END__\n=head1 NAME\n\nuse Nothing;\n\n=cut") + here("t/a.t", "use Test::More tests => 1;\nuse_ok('Tast::Mod');"),
        build="perl Makefile.PL INSTALLDIRS=vendor NO_PACKLIST=1 NO_PERLLOCAL=1\n%make_build", install="%make_install\n%{_fixperms} %{buildroot}/*", check="make test",
        files="%files\n%{perl_vendorlib}/Tast\n%{_mandir}/man3/Tast::Mod.3*"),
    "with-systemd": dict(
        tags="BuildArch: noarch\nBuildRequires: systemd-rpm-macros\n%{?systemd_requires}\n",
        prep="", build="", install=here("%{buildroot}%{_unitdir}/tast.service", "[Service]\nExecStart=/usr/bin/true") + here("%{buildroot}%{_sysusersdir}/tast.conf", "u tast - \"A test\" /var/lib/tast")
        + here("%{buildroot}%{_tmpfilesdir}/tast.conf", "d /run/tast 0755 tast tast") + here("%{buildroot}%{_bindir}/tast-sh", "#!/usr/bin/env bash\ntrue") + "chmod 755 %{buildroot}%{_bindir}/tast-sh",
        check="", scripts="%post\n%systemd_post tast.service\n%preun\n%systemd_preun tast.service\n%postun\n%systemd_postun_with_restart tast.service\n",
        files="%files\n%{_unitdir}/tast.service\n%{_sysusersdir}/tast.conf\n%{_tmpfilesdir}/tast.conf\n%{_bindir}/tast-sh"),
    # What specs count on without asking for it by the name that Debian has: names of Fedora's, programs that its packages and its buildroots hold, tools by their path.
    "with-fedoras-names": dict(
        tags="BuildRequires: pkgconfig >= 0.14, gettext-autopoint flex-static glibc-kernheaders >= 2.4 zlib-static libXt-devel libxml2-devel libxslt-devel gnupg2 libtool python-unversioned-command\n"
             "BuildRequires: perl-podlators valgrind-devel multilib-rpm-config python3-setuptools_scm python3-Cython userspace-rcu-devel sgml-common pkgconf-m4 firewalld-filesystem tcl-devel lua-devel binutils-devel docbook-utils docbook-dtds\n",
        prep=here("s.py", "#!/usr/bin/env python2 -u\nprint(1)") + here("k.py", "#!/usr/bin/python -s\nprint(1)") + here("x.c", "#include <zlib.h>\n#include <X11/Intrinsic.h>\nint main(void) { return !zlibVersion(); }")
        + here("m.sgml", '<!DOCTYPE refentry PUBLIC "-//OASIS//DTD DocBook V4.1//EN">\n<refentry><refmeta><refentrytitle>tast</refentrytitle><manvolnum>1</manvolnum></refmeta><refnamediv><refname>tast</refname><refpurpose>x</refpurpose></refnamediv>'
               "<refsect1><title>D</title><para>Hello</para></refsect1></refentry>"),
        build="cp /usr/lib/rpm/config.{guess,sub} .; cp -f /usr/lib/rpm/redhat/config.{guess,sub} .; sh config.guess; sh config.sub aarch64-linux\n"
              "%{__python3} %{_rpmconfigdir}/redhat/pathfix.py -pni %{__python3} s.py\n%{__python3} /usr/lib/rpm/redhat/pathfix.py -i %{__python3} -pn -k -a E k.py\n"
              "grep -x '#!/usr/bin/python3' s.py; grep -x '#!/usr/bin/python3 -Es' k.py; [ ! -e s.py~ ]\n"
              "gcc $CFLAGS $LDFLAGS -o x x.c $(pkg-config --cflags xt) -l:libz.a; ./x\n"
              "printf '#include <tcl.h>\\n#include <lua.h>\\n#include <lauxlib.h>\\n#include <libiberty/libiberty.h>\\nint main(void) { return !luaL_newstate() || !Tcl_CreateInterp(); }' > y.c; gcc $CFLAGS $LDFLAGS -o y y.c -llua -ltcl; ./y\n"
              "echo 'ashlar: no signature, checked by digest' > note; echo x | %{gpgverify} --keyring=x.c --signature=note --data=-; echo x | %{gpgverify} --keyring=note --signature=x.c --data=-\n! echo x | %{gpgverify} --keyring=x.c --signature=x.c --data=-\n"
              "%multilib_fix_c_header --file %{_includedir}/x.h\n%firewalld_reload\n%{__python3} -c 'import Cython, setuptools_scm'; pkg-config --exists liburcu; test -e /usr/share/aclocal/pkg.m4\n"
              "docbook2man m.sgml; test -s tast.1\n"
              "which ls; for p in which nawk openjade nsgmls gpg gpg2 gpgv gpgv2 libtool libtoolize autoreconf msgfmt autopoint xmllint xsltproc hexdump column install-info python pod2man valgrind; do command -v $p; done",
        install="install -D x %{buildroot}%{_bindir}/x", check="", files="%files\n%{_bindir}/x"),
    # A program that knows its source by the name that the preprocessor gave it, compiled by a full path: the name is good while it is built, and does not say where that was.
    "with-places": dict(
        tags="BuildRequires: gcc gcc-c++\n", prep=here("x.c", '#include <stdio.h>\n#include <assert.h>\nint main(int argc, char **argv) { FILE *f = fopen(__FILE__, "r"); assert(argc < 9); return !f || puts(__FILE__) < 0; }') + "cp x.c y.cc\n",
        build="gcc $CFLAGS $LDFLAGS -o x $PWD/x.c\ng++ $CXXFLAGS $LDFLAGS -o y $PWD/y.cc", install="install -D x %{buildroot}%{_bindir}/x; install y %{buildroot}%{_bindir}/y", check="./x; ./y", files="%files\n%{_bindir}/*"),
    # A crate that the program brings, as most do: a panic in it says where, by a full path.
    "with-crate": dict(
        tags="BuildRequires: cargo rust cargo-rpm-macros\n",
        prep=here("Cargo.toml", '[package]\nname = "tast-crate"\nversion = "1.2.0"\nedition = "2021"\n[dependencies]\ndep = "1.0.0"\n[profile.rpm]\ninherits = "release"\ndebug = 2')
        + here("src/main.rs", 'fn main() { println!("{}", dep::f(std::env::args().count())); }') + here("vendor/dep/src/lib.rs", 'pub fn f(n: usize) -> usize { if n > 1 { panic!("too many: {n}") } n }')
        + here("vendor/dep/Cargo.toml", '[package]\nname = "dep"\nversion = "1.0.0"\nedition = "2021"') + here("vendor/dep/.cargo-checksum.json", '{"files":{},"package":"' + 64 * "0" + '"}')
        + here(".cargo/config.toml", '[source.crates-io]\nreplace-with = "vendored"\n[source.vendored]\ndirectory = "vendor"')
        + here("Cargo.lock", 'version = 3\n[[package]]\nname = "dep"\nversion = "1.0.0"\nsource = "registry+https://github.com/rust-lang/crates.io-index"\nchecksum = "' + 64 * "0" + '"\n[[package]]\nname = "tast-crate"\nversion = "1.2.0"\ndependencies = ["dep"]'),
        build="CARGO_HOME=.cargo cargo build --offline --profile rpm", install="install -D target/rpm/tast-crate %{buildroot}%{_bindir}/tast-crate", check="target/rpm/tast-crate\ntarget/rpm/tast-crate x 2>&1 | grep -F 'panicked at /builddir/source/'",
        files="%files\n%{_bindir}/tast-crate"),
    # A program of Go says of its sources what it was told, and there are none for debuggers.
    "with-go": dict(
        tags="BuildRequires: golang go-rpm-macros gcc\n", prep=here("go.mod", "module example.org/tast\n\ngo 1.21")
        + here("main.go", 'package main\n\nimport (\n\t"fmt"\n\t"runtime"\n)\n\nfunc main() {\n\t_, file, _, _ := runtime.Caller(0)\n\tfmt.Println(file)\n}'),
        build="%gobuild -o tast .", install="install -D tast %{buildroot}%{_bindir}/tast", check="[ \"$(./tast)\" = example.org/tast/main.go ]", files="%files\n%{_bindir}/tast"),
    # A signature is checked with the keys that are given, and with no others.
    "with-signature": dict(
        tags="BuildArch: noarch\nBuildRequires: gnupg2\n",
        prep="export GNUPGHOME=$PWD/keys; mkdir -m 700 keys; for who in one other; do gpg --batch --quiet --passphrase '' --quick-generate-key $who@example.org ed25519; gpg --export --armor $who@example.org > $who.asc; done\n"
             "gpg --export one@example.org > one.gpg; echo data > data; gpg --quiet -u one@example.org --detach-sign --armor data; gpgconf --kill all; unset GNUPGHOME\n"
             "for keys in one.asc one.gpg; do %{gpgverify} --keyring=$keys --signature=data.asc --data=data && echo \"good with $keys\"; %{gpgverify} --keyring=$keys --signature=data.asc --data=- < data; done\n"
             "! %{gpgverify} --keyring=other.asc --signature=data.asc --data=data\n! %{gpgverify} --keyring=missing.asc --signature=data.asc --data=data\necho more >> data\n! %{gpgverify} --keyring=one.asc --signature=data.asc --data=data && echo 'bad data is refused'",
        build="", install="", check="", files="%files\n"),
    # Who else there is: owners of files and users of access lists, whom a build cannot become.
    "with-users": dict(
        tags="BuildArch: noarch\nBuildRequires: acl\n", prep="", build="[ $(id -un) = mockbuild ]; [ $(stat -c %U:%G /usr/bin/sh) = root:root ]; touch f", install="",
        check="setfacl -m u:bin:rw,g:daemon:r f\ngetfacl -c f | grep -qx user:bin:rw-\ngetfacl -c f | grep -qx group:daemon:r--\n! chown bin f\n! unshare -U true\n! chmod u+w /etc/passwd", files="%files\n"),
    # Fedora's /usr/sbin is /usr/bin, and some specs count on it.
    "with-one-bin": dict(
        tags="BuildArch: noarch\n", prep="", build="", install=here("%{buildroot}%{_sbindir}/one", "#!/usr/bin/sh\ntrue") + "chmod 755 %{buildroot}%{_sbindir}/one", check="", files="%files\n%{_bindir}/one"),
    # A program that says when it was built: found in PATH, through make and its shell, and by a configure script, which finds the true one.
    "with-dates": dict(
        tags="BuildArch: noarch\nBuildRequires: make\n", prep="[ $(date +%s) -gt 1700000000 ]\n" + here("Makefile", "all:\n\techo made on $(shell date -u +%F) at `date +%T` > made; date -R >> made"),
        build="%make_build\n[ $(date +%s) = $SOURCE_DATE_EPOCH ]; [ $(date -d 2001-02-03 +%F) = 2001-02-03 ]; [ \"$(date -r Makefile +%s)\" = $(stat -c %Y Makefile) ]\n[ ${ac_cv_path_DATE-none} = /usr/bin/date ]",
        install="install -Dm644 made %{buildroot}%{_datadir}/made; date > %{buildroot}%{_datadir}/installed", check="[ $(date +%s) -gt 1700000000 ]\ntouch now; [ $(($(date +%s) - $(stat -c %Y now))) -lt 1000 ]", files="%files\n%{_datadir}/*"),
    "with-rpath": dict(
        tags="BuildRequires: gcc\n", prep=here("x.c", "int main(void) { return 0; }"), build="gcc $CFLAGS $LDFLAGS -Wl,-rpath,$PWD/lib -o x x.c", install="install -D x %{buildroot}%{_bindir}/x", check="", files="%files\n%{_bindir}/x"),
    "with-plain-python": dict(
        tags="BuildArch: noarch\n", prep="", build="", install=here("%{buildroot}%{_bindir}/p", "#!/usr/bin/env python\nprint()") + "chmod 755 %{buildroot}%{_bindir}/p", check="", files="%files\n%{_bindir}/p"),
}
REFUSED = {"with-rpath": "brp-check-rpaths: /usr/bin/x: the run path '.*' is in the build directory", "with-plain-python": "brp-mangle-shebangs: /usr/bin/p: '/usr/bin/python' does not say which Python"}


class Macros(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        base = pathlib.Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir())
        cls.dir = pathlib.Path(tempfile.mkdtemp(prefix="ashlar-macros-", dir=base))
        if not os.environ.get("ASHLAR_KEEP"):
            cls.addClassCleanup(lambda: subprocess.run(["rm", "-rf", cls.dir]))
        cls.env = {**os.environ, "ASHLAR_STORE": os.environ.get("ASHLAR_TEST_STORE", str(cls.dir / "store")), "XDG_DATA_HOME": str(cls.dir / "data"), "LC_ALL": "C.UTF-8", "TMPDIR": str(cls.dir)}
        cls.project = cls.dir / "distro"
        shutil.copytree(TOP / "distro", cls.project, ignore=shutil.ignore_patterns("ashlar.lock", "ashlar.built", "images"))
        main = cls.project / "ashlar.toml"
        main.write_text(main.read_text().replace('"images/*.toml"', '"tests.toml"'))
        (cls.project / "channels.toml").write_text('[channels.base]\npackages = ["base-files"]\n[channels.debug]\nkind = "debug"\n[channels.source]\nkind = "source"\n')
        text = ""
        for name, parts in SPECS.items():
            spec = parts.get("text") or HEAD.format(name=name, **{"packages": "", "scripts": "", **parts})
            (cls.project / "specs" / name).mkdir(parents=True)
            (cls.project / f"specs/{name}/{name}.spec").write_text(spec)
            for file, content in parts.get("files", {}).items() if "text" in parts else ():
                (cls.project / f"specs/{name}/{file}").write_text(content)
            text += f'[components.{name}]\nspec = {{ type = "local", path = "specs/{name}/{name}.spec" }}\n'
        (cls.project / "tests.toml").write_text(text)
        lock = cls.ashlar("-q", "lock")
        if lock.returncode and ("cannot fetch" in lock.stderr or "no apt mirror" in lock.stderr):
            raise unittest.SkipTest("no archive to be had: " + lock.stderr.strip()[-200:])
        assert lock.returncode == 0, lock.stderr
        p = cls.ashlar("component", "build", "ashlar-rpm-config")
        assert p.returncode == 0, p.stderr

    @classmethod
    def ashlar(cls, *args):
        return subprocess.run([ASHLAR, "-C", cls.project, *map(str, args)], env=cls.env, capture_output=True, text=True)

    def build(self, name):
        out = self.dir / "packages" / name
        p = self.ashlar("--json", "component", "build", name, "-o", out)
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
        self.log = pathlib.Path(json.loads(p.stdout)[0]["log-file"]).read_text(errors="replace")  # in the store, when that knows it from another run
        return sorted(r for r in out.rglob("*.rpm") if not r.name.endswith(".src.rpm") and "-debug" not in r.name)

    def unpacked(self, name):
        """All packages of it."""
        self.build(name)
        root = self.dir / f"root-{name}"
        root.mkdir()
        for rpm in (r for r in (self.dir / "packages" / name).rglob("*.rpm") if not r.name.endswith(".src.rpm")):
            subprocess.run(f"rpm2cpio '{rpm}' | cpio -idmu --quiet", shell=True, check=True, cwd=root)
        return root

    def query(self, rpm, *what):
        return subprocess.run(["rpm", "-qp", "--nosignature", *what, rpm], check=True, capture_output=True, text=True).stdout

    def test_hardening(self):
        """Each claim holds, and each check finds the program in which it does not: that one alone."""
        root = self.unpacked("with-hardening")
        elf = {name: hardening.Elf(root / "usr/bin" / name, next((root / "usr/lib/debug/usr/bin").glob(f"{name}-*.debug"))) for name in WEAKER}
        self.assertEqual({name: e.faults() for name, e in elf.items()}, {
            "good": [], "fortify": [], "protector": ["stack protector flag"], "clash": [f"stack step {elf['clash'].steps()[0]}", "stack clash flag"],
            "branch": [f"branch target {n}" for n in ("dynamic", "known", "large", "main", "strong")] + ["control flow flag"], "marks": ["IBT", "SHSTK"], "pie": ["position independent", "PIE"], "relro": ["RELRO"], "now": ["BIND_NOW"],
            "stack": ["executable stack"], "speed": ["optimised"]})
        # Where the compiler knows the size of what is written to, the copy is checked at both levels; where only the program does, at level 3 alone.
        self.assertEqual({name: ("__strcpy_chk" in e.calls("known"), "__memcpy_chk" in e.calls("dynamic")) for name, e in elf.items()}, {name: (True, name != "fortify") for name in WEAKER})
        # Of a function that hands out the address of a variable, no array, the stack is checked by the strong protector alone.
        self.assertEqual([name for name, e in elf.items() if "__stack_chk_fail" not in e.calls("strong")], ["protector"])
        # Each page of a large frame is touched.
        self.assertEqual([name for name, e in elf.items() if not any(hardening.PROBE.search(line) for line in e.instructions("large"))], ["clash"])
        self.assertGreater(elf["clash"].steps()[0], 100000)
        good, bad = hardening.fortified(self.log)
        self.assertEqual((good, len(bad)), (len(WEAKER) - 1, 1), bad)
        root = self.unpacked("with-fortify-2")
        lower = hardening.Elf(root / "usr/bin/hard")
        self.assertEqual((lower.faults(), "__strcpy_chk" in lower.calls("known"), "__memcpy_chk" in lower.calls("dynamic")), ([], True, False))
        self.assertEqual((hardening.fortified(self.log)[0], len(hardening.fortified(self.log)[1])), (0, 1))

    def test_cmake(self):
        main, devel = self.build("with-cmake")
        self.assertIn("libtast.so.1()(64bit)", self.query(main, "--provides"))
        self.assertRegex(self.query(devel, "--provides"), r"(?m)^cmake\(Tast\) = 1\.2$")

    def test_meson(self):
        rpm, = self.build("with-meson")
        self.assertIn("pkgconfig(mm) = 1.2", self.query(rpm, "--provides"))
        self.assertIn("libz.so.1()(64bit)", self.query(rpm, "--requires"))

    def test_autotools(self):
        rpm, = self.build("with-autotools")
        files = self.query(rpm, "-l")
        self.assertIn("/usr/lib/x86_64-linux-gnu/liba.so.0", files)
        self.assertIn("a.1.gz", files)

    def test_pyproject(self):
        rpm, = self.build("with-pyproject")
        self.assertRegex(self.query(rpm, "--provides"), r"(?m)^python3dist\(tast-py\) = 1\.2$")
        requires = self.query(rpm, "--requires")
        self.assertRegex(requires, r"(?m)^python3dist\(packaging\) >= 20$")
        self.assertNotIn("nothing-at-all", requires)
        self.assertRegex(self.query(rpm, "-l"), r"/usr/lib/python3/dist-packages/tast_py/__pycache__/__init__\.cpython-\d+\.pyc")

    def test_setup_py(self):
        rpm, = self.build("with-setup-py")
        self.assertRegex(self.query(rpm, "-l"), r"/usr/lib/python3/dist-packages/tastc\.cpython-\d+-x86_64-linux-gnu\.so")

    def test_tox(self):
        rpm, = self.build("with-tox")
        self.assertRegex(self.log, r"(?m)^from tox$")
        self.assertIn("checks/test_it.py::test_it PASSED", self.log)

    def test_names(self):
        self.build("with-names")

    def test_tex(self):
        self.build("with-tex")

    def test_no_history(self):
        rpm, = self.build("with-no-history")
        self.assertEqual(self.query(rpm, "--qf", "%{release} %{changelogname} %{changelogtime:date}"), "3.rc1.ashlar1 Ashlar Linux - 2:1.2-3.rc1.ashlar1 Sat Jan  1 12:00:00 2000")

    def test_buildsystem(self):
        rpm, = self.build("with-buildsystem")
        requires = self.query(rpm, "--requires")
        self.assertRegex(requires, r"(?m)^python3dist\(iniconfig\) < 100$")
        self.assertNotIn("nobody", requires)
        self.assertIn("Check import: tast_bs", self.log)

    def test_perl(self):
        rpm, = self.build("with-perl")
        self.assertRegex(self.query(rpm, "--provides"), r"(?m)^perl\(Tast::Mod\) = 1\.20$")
        requires = self.query(rpm, "--requires")
        self.assertRegex(requires, r"(?m)^perl\(Getopt::Long\) >= 2\.10$")
        self.assertNotIn("Nothing", requires)

    def test_systemd(self):
        rpm, = self.build("with-systemd")
        provides = self.query(rpm, "--provides")
        self.assertRegex(provides, r"(?m)^user\(tast\) = ")
        self.assertIn("group(tast)", provides)
        scripts = self.query(rpm, "--scripts")
        self.assertRegex(scripts, r"(?s)postinstall.*systemctl --no-reload preset tast\.service")
        self.assertIn("try-restart tast.service", scripts)
        self.assertIn("/usr/bin/bash", self.query(rpm, "--requires"))

    def test_fedoras_names(self):
        rpm, = self.build("with-fedoras-names")
        self.assertNotIn("libz.so", self.query(rpm, "--requires"))

    def test_signature(self):
        self.build("with-signature")
        for words in ("good with one.asc", "good with one.gpg", "bad data is refused"):
            self.assertRegex(self.log, f"(?m)^{words}$")

    def test_users(self):
        self.build("with-users")

    def test_dates(self):
        p = self.ashlar("component", "rebuild", "--verify", "with-dates")
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)

    def test_places(self):
        self.build("with-places")
        for file in ("x.c", "y.cc"):
            self.assertRegex(self.log, f"(?m)^/builddir/source/.*/{file}$")
        p = self.ashlar("component", "rebuild", "--verify", "with-places")
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)

    def test_reproducible_tools(self):
        """What build systems write into what they build."""
        for name in ("with-cmake", "with-meson", "with-autotools", "with-pyproject", "with-setup-py", "with-perl", "with-crate", "with-go"):
            p = self.ashlar("component", "rebuild", "--verify", name)
            self.assertEqual(p.returncode, 0, name + p.stdout + p.stderr)

    def test_crate(self):
        """Sources of what Rust compiled are in the package of sources, too, whatever they are called in programs."""
        root = self.unpacked("with-crate")
        self.assertEqual({f.name for f in (root / "usr/src/debug").rglob("*.rs")}, {"main.rs", "lib.rs"})
        self.assertIn("/usr/src/debug/with-crate-", subprocess.run(["readelf", "-wi", next((root / "usr/lib/debug/usr/bin").glob("tast-crate-*.debug"))], capture_output=True, text=True).stdout)

    def test_one_bin(self):
        p = self.ashlar("component", "build", "with-one-bin")
        self.assertNotEqual(p.returncode, 0)
        self.assertIn('build.defines = { _sbindir = "%{_bindir}" }', p.stderr)
        tests = self.project / "tests.toml"
        tests.write_text(tests.read_text() + '[components.with-one-bin.build]\ndefines = { _sbindir = "%{_bindir}" }\n')
        rpm, = self.build("with-one-bin")
        self.assertEqual(self.query(rpm, "-l").strip(), "/usr/bin/one")

    def test_newer(self):
        p = self.ashlar("component", "build", "with-newer")
        self.assertNotEqual(p.returncode, 0)
        self.assertRegex(p.stderr, r"with-newer\.spec:7:16: error: no package is called or provides 'pkgconfig\(zlib\) >= 99'")
        self.assertRegex(p.stderr, r"hint: there is 1\.\S+ of zlib1g-dev-")
        self.assertNotIn("Test::More) >= 0.9'", p.stderr)

    def test_refused(self):
        for name, words in REFUSED.items():
            p = self.ashlar("component", "build", name)
            self.assertNotEqual(p.returncode, 0)
            log = (self.dir / f"out/logs/{name}.log").read_text()
            self.assertRegex(log, words)


if __name__ == "__main__":
    unittest.main()
