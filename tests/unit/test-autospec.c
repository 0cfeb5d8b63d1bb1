/* autospec: macros, preambles, release numbers and changelogs. The expected values follow rpmautospec's documentation ("Using %autorelease", "Using
 * %autochangelog") and what its source does; wrapping is compared with Python's textwrap, rendered specs are read by rpmspec. */
#include "../lib/git-fixture.h"
#include "autospec-private.h"

#define T0 1700000000 /* Tue Nov 14 2023 22:13:20 UTC */

static void test_macros(void **state) {
        (void) state;
        _cleanup_(ash_static_macros_free_p) AshStaticMacros *m = ash_static_macros_new();
        ash_static_macros_define(m, ASH_S("major"), ASH_S("4"));
        ash_static_macros_define(m, ASH_S("full"), ASH_S("%{major}.2"));
        ash_static_macros_define(m, ASH_S("loop"), ASH_S("%{loop}x"));
        ash_static_macros_define(m, ASH_S("with_tests"), ASH_S("1"));
        const struct { const char *in, *out; int left; } cases[] = {
                { "%{full}", "4.2", 0 }, { "%full", "4.2", 0 }, { "a%{?full}b", "a4.2b", 0 }, { "a%{?none}b", "ab", 0 }, { "%{!?none:x%{major}}", "x4", 0 },
                { "%{?full:y}", "y", 0 }, { "%{!?full:y}", "", 0 }, { "%{none}", "%{none}", 1 }, { "100%%", "100%", 0 }, { "%(touch /tmp/x)", "%(touch /tmp/x)", 1 },
                { "%{lua: print(1)}", "%{lua: print(1)}", 1 }, { "%{?none:%{?full:z}}", "", 0 }, { "%{with tests}%{without tests}%{with docs}", "100", 0 },
                { "%[1+1]", "%[1+1]", 1 }, { "%", "%", 1 }, { "%{unclosed", "%{unclosed", 1 }, { "%?full", "4.2", 0 }, { "%{?full", "%{?full", 1 },
                { "%{nil}x", "x", 0 }, { "%{gsub %{full} a b}", "%{gsub %{full} a b}", 1 },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                _str_ AshStr out = {};
                assert_int_equal(ash_static_macros_expand(m, ash_slice_str(cases[i].in), &out), cases[i].left);
                assert_string_equal(out.ptr ? out.ptr : "", cases[i].out);
        }
        _str_ AshStr out = {};
        assert_int_equal(ash_static_macros_expand(m, ASH_S("%{loop}"), &out), 1);
        /* macros that double at each level stay bounded */
        for (int i = 0; i < 30; i++) {
                char name[16], body[40];
                snprintf(name, sizeof(name), "bomb%d", i + 1);
                snprintf(body, sizeof(body), "%%{bomb%d}%%{bomb%d}%%{bomb%d}", i, i, i);
                ash_static_macros_define(m, ash_slice_str(name), ash_slice_str(body));
        }
        ash_static_macros_define(m, ASH_S("bomb0"), ASH_S("0123456789"));
        ash_str_clear(&out);
        assert_int_equal(ash_static_macros_expand(m, ASH_S("%{bomb30}"), &out), 1);
        assert_true(out.len < 4 << 20);
        /* also when they make nothing, and when brackets are left open: both in linear time */
        ash_static_macros_define(m, ASH_S("bomb0"), ASH_S(""));
        ash_str_clear(&out);
        uint64_t start = ash_cpu_ns();
        assert_int_equal(ash_static_macros_expand(m, ASH_S("%{bomb30}"), &out), 1);
        _str_ AshStr spec = {};
        for (int i = 0; i < 1000; i++) {
                ash_str_append_str(&spec, "Version: ");
                for (int k = 0; k < 5000; k++)
                        ash_str_append_str(&spec, "%{a %[");
                ash_str_append_char(&spec, '\n');
        }
        _spec_facts_ AshSpecFacts f = {};
        ash_spec_facts(ash_str_slice(&spec), NULL, &f);
        assert_false(f.exact);
        assert_true(ash_cpu_ns() - start < UINT64_C(10000000000));
}

static void test_conditions(void **state) {
        (void) state;
        const struct { const char *text; int want; } cases[] = {
                { "1", 1 }, { "0", 0 }, { "010", 1 }, { "00", 0 }, { "0 || 1", 1 }, { "1 && 0", 0 }, { "!0", 1 }, { "042 >= 40", 1 }, { "0 < 40 && 043 == 43", 1 }, { "\"a\" == \"a\"", 1 },
                { "\"a\" != \"a\"", 0 }, { "(1 + 2) * 3 == 9", 1 }, { "7 / 2 == 3", 1 }, { "1 / 0", -1 }, { "fedora", -1 }, { "", -1 }, { "1 1", -1 }, { "1 == \"1\"", -1 }, { "\"x", -1 },
                { "-1 < 0", 1 }, { "999999999999999999 * 999999999999999999", -1 }, { "((((1))))", 1 }, { "!", -1 },
        };
        for (size_t i = 0; i < ASH_N(cases); i++)
                assert_int_equal(ash_static_condition(ash_slice_str(cases[i].text)), cases[i].want);
        _str_ AshStr deep = {};
        ash_str_append_fill(&deep, '(', 100000);
        assert_int_equal(ash_static_condition(ash_str_slice(&deep)), -1);
}

static void test_facts(void **state) {
        (void) state;
        _cleanup_(ash_static_macros_free_p) AshStaticMacros *env = ash_static_macros_new();
        ash_static_macros_define(env, ASH_S("fedora"), ASH_S("43"));
        AshSlice spec = ASH_S("%global major 3\n%define minor %{late}\n%global late 5\n%if 0%{?rhel}\n%global major 1\nEpoch: 7\n%elif 0%{?fedora} > 40\n%global sub 9\n%else\n"
                              "%global sub 0\n%endif\n%{!?sub: %global sub 1}\n%{!?extra: %global extra .x}\nName: foo\nVersion: %{major}.%{minor}.%{sub}%{extra}\n"
                              "Release: %autorelease -b 3 -p -e rc1 -s git123\nSource0: https://example.org/%{name}-%{version}.tar.gz\nSource1: https://example.org/x?y#/z.txt\n"
                              "Patch: %{undefined}.patch\n%package devel\nSource5: dev.conf\nVersion: 9\n%description\nSource7: no\n%patchlist\na.patch\n");
        _spec_facts_ AshSpecFacts f = {};
        ash_spec_facts(spec, env, &f);
        assert_true(ash_slice_eqs(f.name, "foo"));
        assert_true(ash_slice_eqs(f.version, "3.5.9.x"));
        assert_int_equal(f.epoch.len, 0);
        assert_true(f.exact);
        assert_true(f.has_autorelease && f.prerelease && !f.no_dist);
        assert_int_equal(f.base, 3);
        assert_true(ash_slice_eqs(f.extraver, "rc1"));
        assert_true(ash_slice_eqs(f.snapinfo, "git123"));
        const char *const files[] = { "foo-3.5.9.x.tar.gz", "z.txt", "dev.conf", "a.patch" };
        assert_int_equal(f.files.n, ASH_N(files));
        for (size_t i = 0; i < ASH_N(files); i++)
                assert_true(ash_slice_eqs(f.files.items[i], files[i]));
}

static void test_autorelease_forms(void **state) {
        (void) state;
        const struct { const char *release; bool uses; uint64_t base; bool pre; const char *extra; } cases[] = {
                { "%autorelease", true, 1, false, "" }, { "%{autorelease}", true, 1, false, "" }, { "%{?autorelease}", true, 1, false, "" }, { "%{autorelease -b4}", true, 4, false, "" },
                { "%autorelease -p -n", true, 1, true, "" }, { "%autorelease -pe rc2", true, 1, true, "rc2" }, { "%{autorelease -e rc1 -b 10}", true, 10, false, "rc1" },
                { "1%{?dist}", false, 1, false, "" }, { "autorelease", false, 1, false, "" }, { "%{rel}", true, 2, false, "beta" },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                _free_ char *spec = ash_asprintf("%%global rel %%autorelease -b 2 -e beta\nName: x\nVersion: 1\nRelease: %s\n", cases[i].release);
                _spec_facts_ AshSpecFacts f = {};
                ash_spec_facts(ash_slice_str(spec), NULL, &f);
                assert_int_equal(f.has_autorelease, cases[i].uses);
                assert_int_equal(f.base, cases[i].base);
                assert_int_equal(f.prerelease, cases[i].pre);
                assert_true(ash_slice_eqs(f.extraver, cases[i].extra));
        }
}

static void test_messages(void **state) {
        (void) state;
        const struct { const char *message, *items; } cases[] = {
                { "Update to 2", "- Update to 2" },
                { "Did nothing!\n", "- Did nothing!" },
                { "- Already a dash\n", "- Already a dash" },
                { "Subject\non two lines\n\nBody that is no list\n", "- Subject on two lines" },
                { "Subject\n\n- one\n- two,\n  which goes on\n\n- not this\n", "- Subject\n- one\n- two, which goes on" },
                { "Subject\n\n... goes on\nhere\n\n- not this\n", "- Subject goes on here" },
                { "Subject\n\n\xe2\x80\xa6 goes on\n- one\n", "- Subject goes on\n- one" },
                { "100% of it\n", "- 100%% of it" },
                { "Two dots\n\n.. are none\n", "- Two dots" },
                { "Not UTF-8: \xf5\xac\x90\x8a \xc0\x8a \xff\n", "- Not UTF-8: \xf5\xac\x90\x8a \xc0\x8a \xff" },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                _str_ AshStr out = {};
                ash_message_items(ash_slice_str(cases[i].message), &out);
                assert_string_equal(out.ptr, cases[i].items);
        }
        assert_true(ash_message_magic(ASH_S("x\n\n[skip changelog]\n")).skip_changelog);
        assert_true(ash_message_magic(ASH_S("x\n [ bump release: 7, skip  changelog ] \n")).skip_changelog);
        assert_false(ash_message_magic(ASH_S("x [skip changelog]\n")).skip_changelog);
        assert_int_equal(ash_message_magic(ASH_S("x\n[bump release: 7]\n[bump release 3]\n")).bump_release, 7);
        assert_int_equal(ash_message_magic(ASH_S("x\n[bumprelease: 7]\n")).bump_release, 0);
}

/* The judge: Python's textwrap, on many made-up lines. */
static void test_wrap(void **state) {
        (void) state;
        _str_ AshStr lines = {};
        uint32_t seed = 12345;
        static const char alphabet[] = "abcdefgxyzABC0123--__--..,,!?'\"&()/:@<>      aeiou-";
        static const char *const odd[] = { "\xc3\xa9", "\xe2\x80\xa6", "\xe2\x80\x9c", "\xf0\x9f\x98\x80", "\xce\xb1", "\xe4\xb8\xad", "----", "word--word", "re-export", " ", "https://example.org/a-b-c/very-long-path-that-goes-on-and-on-and-on-and-does-not-end-before-the-line-does/x" };
        for (int i = 0; i < 3000; i++) {
                ash_str_append_str(&lines, "- ");
                unsigned n = (seed >> 8) % 260;
                for (unsigned k = 0; k < n; k++) {
                        seed = seed * 1103515245 + 12345;
                        uint32_t x = seed >> 9;
                        if (x % 29 == 0)
                                ash_str_append_str(&lines, odd[(x / 29) % ASH_N(odd)]);
                        else
                                ash_str_append_char(&lines, alphabet[x % (sizeof(alphabet) - 1)]);
                        if (x % 7 == 3)
                                ash_str_append_char(&lines, ' ');
                }
                ash_str_append_str(&lines, "z\n");
                seed = seed * 1103515245 + 12345;
        }
        static const char script[] = "import sys,textwrap\nw=textwrap.TextWrapper(width=75,subsequent_indent='  ')\n"
                                     "for l in sys.stdin.buffer.read().decode().split('\\n')[:-1]: sys.stdout.buffer.write((w.fill(l)+'\\n\\n').encode())\n";
        _process_result_ AshProcessResult judged = {};
        AshProcess p = { .argv = (const char *const[]){ "python3", "-c", script, NULL }, .input = ash_str_slice(&lines) };
        if (ash_process_run(&p, &judged) == -ENOENT)
                skip();
        if (judged.status != 0)
                fail_msg("%s", judged.err.ptr);
        _str_ AshStr ours = {};
        AshSlice rest = ash_str_slice(&lines), line;
        while (ash_slice_next_line(&rest, &line)) {
                ash_wrap(line, &ours);
                ash_str_append_str(&ours, "\n\n");
        }
        AshSlice a = ash_str_slice(&ours), b = ash_str_slice(&judged.out), la, lb;
        while (ash_slice_next_line(&a, &la) && ash_slice_next_line(&b, &lb))
                if (!ash_slice_eq(la, lb))
                        fail_msg("ours: %.*s\npython: %.*s\nnext: %.200s", ASH_F(la), ASH_F(lb), b.ptr);
        assert_int_equal(ours.len, judged.out.len);
}

/* ---- histories ---- */
typedef struct World {
        AshTempDir *tmp;
        char *repo;
} World;

static int setup(void **state) {
        World *w = ash_calloc(1, sizeof(*w));
        assert_int_equal(ash_tempdir_new(NULL, &w->tmp), 0);
        w->repo = ash_path_join(w->tmp->path, "foo");
        assert_int_equal(mkdir(w->repo, 0755), 0);
        GIT(w->repo, T0, "init", "-q", "-b", "rawhide");
        *state = w;
        return 0;
}

static int teardown(void **state) {
        World *w = *state;
        ash_tempdir_free(w->tmp);
        free(w->repo);
        free(w);
        return 0;
}

static void spec_of(World *w, const char *version, const char *release, const char *more) {
        _free_ char *text = ash_asprintf("Name: foo\nVersion: %s\nRelease: %s\nSummary: x\nLicense: MIT\n%s\n%%description\nx\n\n%%changelog\n%%autochangelog\n", version, release, more);
        fixture_write(w->repo, "foo.spec", text);
}

static void run(World *w, AshAutospec *ret) {
        _cleanup_(ash_git_free_p) AshGit *git = NULL;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        assert_int_equal(ash_git_open_local(w->repo, &git, diags), 0);
        _free_ char *head = fixture_head(w->repo);
        int r = ash_autospec_history(git, head, "foo.spec", NULL, ret, diags);
        if (r < 0)
                fail_msg("%s", ash_diags_at(diags, 0)->text);
}

static void assert_entries(const AshAutospec *a, const char *const *want, size_t n) {
        for (size_t i = 0; i < ASH_MIN(n, a->entries.n); i++)
                assert_string_equal(a->entries.items[i].text.ptr, want[i]);
        assert_int_equal(a->entries.n, n);
}

static void test_linear(void **state) {
        World *w = *state;
        spec_of(w, "1.0", "%autorelease", "");
        fixture_commit(w->repo, T0, "Initial import");
        fixture_write(w->repo, "a.patch", "x");
        fixture_commit(w->repo, T0 + 86400, "Add a patch\n\n- fixes a thing");
        spec_of(w, "1.1", "%autorelease", "");
        fixture_commit(w->repo, T0 + 2 * 86400, "Update to 1.1");
        fixture_commit(w->repo, T0 + 3 * 86400, "Rebuild, with nothing changed\n\n[skip changelog]");
        spec_of(w, "1.1", "%autorelease -p -b 4 -e rc1", "");
        fixture_commit(w->repo, T0 + 20 * 86400, "Prerelease");
        _autospec_ AshAutospec a = {};
        run(w, &a);
        assert_int_equal(a.number, 3);
        assert_string_equal(a.complete.ptr, "0.6.rc1");
        const char *const want[] = {
                "* Mon Dec 04 2023 Jane Doe <jane@example.org> - 1.1-0.6.rc1\n- Prerelease",
                "* Thu Nov 16 2023 Jane Doe <jane@example.org> - 1.1-1\n- Update to 1.1",
                "* Wed Nov 15 2023 Jane Doe <jane@example.org> - 1.0-2\n- Add a patch\n- fixes a thing",
                "* Tue Nov 14 2023 Jane Doe <jane@example.org> - 1.0-1\n- Initial import",
        };
        assert_entries(&a, want, ASH_N(want));
}

static void test_bump_and_epoch(void **state) {
        World *w = *state;
        spec_of(w, "1.0", "%autorelease", "");
        fixture_commit(w->repo, T0, "Initial import");
        fixture_commit(w->repo, T0 + 1, "Bump\n\n[bump release: 5]");
        fixture_commit(w->repo, T0 + 2, "Next");
        _autospec_ AshAutospec a = {};
        run(w, &a);
        assert_int_equal(a.number, 6);
        ash_autospec_done(&a);
        spec_of(w, "1.0", "%autorelease", "Epoch: 1\n");
        fixture_commit(w->repo, T0 + 3, "Epoch");
        run(w, &a);
        assert_int_equal(a.number, 1);
        assert_string_equal(a.entries.items[0].text.ptr, "* Tue Nov 14 2023 Jane Doe <jane@example.org> - 1:1.0-1\n- Epoch");
}

/* A package that was retired (its spec gone) and came back goes on counting; the commit without a spec is in no changelog. */
static void test_gap(void **state) {
        World *w = *state;
        spec_of(w, "1.0", "%autorelease", "");
        fixture_commit(w->repo, T0, "Initial import");
        GIT(w->repo, T0 + 1, "rm", "-q", "foo.spec");
        fixture_commit(w->repo, T0 + 1, "Retired");
        spec_of(w, "1.0", "%autorelease", "");
        fixture_commit(w->repo, T0 + 2, "Back");
        _autospec_ AshAutospec a = {};
        run(w, &a);
        assert_int_equal(a.number, 2);
        assert_int_equal(a.entries.n, 2);
}

static void test_changelog_file(void **state) {
        World *w = *state;
        spec_of(w, "1.0", "1", "");
        fixture_commit(w->repo, T0, "Initial import");
        fixture_write(w->repo, "changelog", "* Mon Nov 13 2023 Old <o@example.org> - 1.0-1\n- by hand\n");
        spec_of(w, "1.0", "%autorelease", "");
        fixture_commit(w->repo, T0 + 1, "Convert to rpmautospec");
        spec_of(w, "1.0", "%autorelease", "URL: x\n");
        fixture_commit(w->repo, T0 + 2, "Add URL");
        _autospec_ AshAutospec a = {};
        run(w, &a);
        const char *const want[] = {
                "* Tue Nov 14 2023 Jane Doe <jane@example.org> - 1.0-3\n- Add URL",
                "* Mon Nov 13 2023 Old <o@example.org> - 1.0-1\n- by hand",
        };
        assert_entries(&a, want, ASH_N(want));
        /* once the file is removed its contents and all before it are gone */
        ash_autospec_done(&a);
        GIT(w->repo, T0, "rm", "-q", "changelog");
        fixture_commit(w->repo, T0 + 3, "Drop the changelog file");
        run(w, &a);
        assert_int_equal(a.entries.n, 2);
        assert_int_equal(a.number, 4);
}

static void test_merges(void **state) {
        World *w = *state;
        spec_of(w, "1.0", "%autorelease", "");
        fixture_commit(w->repo, T0, "Initial import");
        GIT(w->repo, T0, "checkout", "-q", "-b", "side");
        for (int i = 1; i <= 3; i++) {
                _free_ char *name = ash_asprintf("side%d", i);
                fixture_write(w->repo, name, "x");
                fixture_commit(w->repo, T0 + i, name);
        }
        GIT(w->repo, T0, "checkout", "-q", "rawhide");
        fixture_write(w->repo, "main", "x");
        fixture_commit(w->repo, T0 + 4, "Main");
        GIT(w->repo, T0 + 5, "merge", "-q", "--no-ff", "-m", "Merge", "side");
        _autospec_ AshAutospec a = {};
        run(w, &a);
        assert_int_equal(a.number, 5); /* the longest way: import, three, the merge */
        assert_int_equal(a.entries.n, 1);
        assert_string_equal(a.entries.items[0].text.ptr, "* Tue Nov 14 2023 Jane Doe <jane@example.org> - 1.0-5\n- RPMAUTOSPEC: unresolvable merge");
        /* a merge that has a parent's tree follows that parent and is itself left out */
        ash_autospec_done(&a);
        GIT(w->repo, T0, "checkout", "-q", "-b", "third", "side");
        GIT(w->repo, T0 + 6, "merge", "-q", "-s", "ours", "--no-ff", "-m", "Merge ours", "rawhide~1");
        run(w, &a);
        assert_int_equal(a.number, 5);
        assert_int_equal(a.entries.n, 4);
        assert_string_equal(a.entries.items[0].text.ptr, "* Tue Nov 14 2023 Jane Doe <jane@example.org> - 1.0-4\n- side3");
}

/* Nothing that a spec says is run while its version is read. */
static void test_no_execution(void **state) {
        World *w = *state;
        _free_ char *proof = ash_path_join(w->tmp->path, "proof");
        _free_ char *evil = ash_asprintf("%%global x %%(touch %s)\n%%{lua: io.open('%s', 'w')}\n%%{uncompress: %s}\n", proof, proof, proof);
        spec_of(w, "%(echo 1)", "%autorelease", evil);
        fixture_commit(w->repo, T0, "Initial import");
        fixture_commit(w->repo, T0, "Second");
        _autospec_ AshAutospec a = {};
        run(w, &a);
        assert_int_equal(a.number, 2);
        assert_int_equal(access(proof, F_OK), -1);
}

static void assert_release(World *w, AshSlice spec, const char *want) {
        _free_ char *path = ash_path_join(w->tmp->path, "rendered.spec");
        assert_int_equal(ash_file_write_atomic(AT_FDCWD, path, spec, 0644, false), 0);
        _process_result_ AshProcessResult result = {};
        AshProcess p = { .argv = (const char *const[]){ "rpmspec", "-q", "--srpm", "--define", "dist .fc43", "--qf", "%{release}", path, NULL } };
        if (ash_process_run(&p, &result) == -ENOENT)
                skip();
        if (result.status != 0)
                fail_msg("%s\n%.*s", result.err.ptr, ASH_F(spec));
        assert_string_equal(result.out.ptr, want);
}

static void test_render(void **state) {
        World *w = *state;
        const struct { const char *release, *want; } cases[] = {
                { "%autorelease", "2.fc43" }, { "%autorelease -b 10", "11.fc43" }, { "%{autorelease -p -e rc1 -s git1 -n}", "0.2.rc1.git1" }, { "%autorelease -e rc1", "2.rc1.fc43" },
        };
        spec_of(w, "1.0", "%autorelease", "");
        fixture_commit(w->repo, T0, "Initial import");
        fixture_commit(w->repo, T0, "100% done with a subject that is long enough to be wrapped at seventy-five columns by the rules");
        _autospec_ AshAutospec a = {};
        run(w, &a);
        for (size_t i = 0; i < ASH_N(cases); i++) {
                _free_ char *spec = ash_asprintf("Name: foo\nVersion: 1\nRelease: %s\nSummary: x\nLicense: MIT\n\n%%description\nx\n\n%%changelog\n%%autochangelog\n", cases[i].release);
                _str_ AshStr out = {}, again = {};
                ash_autospec_render(ash_slice_str(spec), &a, &out);
                assert_release(w, ash_str_slice(&out), cases[i].want);
                assert_null(strstr(out.ptr, "%autochangelog"));
                assert_non_null(strstr(out.ptr, "%changelog\n## START: changelog, generated by Ashlar from git history\n* Tue Nov 14 2023 Jane Doe <jane@example.org> - 1.0-2\n- 100%% done with"));
                ash_autospec_render(ash_str_slice(&out), &a, &again);
                assert_string_equal(out.ptr, again.ptr);
        }
        /* without any %changelog one is made; with one by hand it stays */
        _str_ AshStr out = {};
        ash_autospec_render(ASH_S("Name: foo\nVersion: 1\nRelease: 1\nSummary: x\nLicense: MIT\n%description\nx"), &a, &out);
        assert_non_null(strstr(out.ptr, "x\n\n%changelog\n## START"));
        assert_release(w, ash_str_slice(&out), "1");
        ash_str_clear(&out);
        AshSlice by_hand = ASH_S("Name: foo\nRelease: 1\n%changelog\n* Mon Nov 13 2023 A <a@b> - 1-1\n- x\n");
        ash_autospec_render(by_hand, &a, &out);
        assert_true(ash_slice_eq(by_hand, ash_str_slice(&out)));
}

static void test_release_modes(void **state) {
        (void) state;
        const struct { const char *release; AshReleaseMode mode; uint64_t bumps; int r; const char *want; } cases[] = {
                { "3%{?dist}", ASH_RELEASE_AUTO, 2, 1, "5%{?dist}" }, { "3%{dist}", ASH_RELEASE_STATIC, 1, 1, "4%{dist}" }, { "9", ASH_RELEASE_AUTO, 1, 1, "10" },
                { "9", ASH_RELEASE_AUTO, 0, 0, "9" }, { "%autorelease", ASH_RELEASE_AUTO, 3, 0, "%autorelease" }, { "%{rel}", ASH_RELEASE_AUTO, 1, -EINVAL, NULL },
                { "%{rel}", ASH_RELEASE_MANUAL, 1, 0, "%{rel}" }, { "1.2%{?dist}", ASH_RELEASE_AUTO, 1, -EINVAL, NULL }, { "%autorelease", ASH_RELEASE_STATIC, 1, -EINVAL, NULL },
                { "3%{?dist}", ASH_RELEASE_AUTORELEASE, 1, 0, "3%{?dist}" }, { "0.1.rc1%{?dist}", ASH_RELEASE_AUTO, 0, -EINVAL, NULL }, { "3%{?dist}.1", ASH_RELEASE_AUTO, 1, -EINVAL, NULL },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                _free_ char *spec = ash_asprintf("Name: x\nRelease:   %s\n%%description\nRelease: 7\n", cases[i].release);
                _str_ AshStr out = {};
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                assert_int_equal(ash_release_apply(ash_slice_str(spec), cases[i].mode, cases[i].bumps, ASH_NOWHERE, &out, diags), cases[i].r);
                assert_int_equal(ash_diags_n(diags), cases[i].r < 0);
                if (cases[i].r < 0)
                        continue;
                _free_ char *want = ash_asprintf("Name: x\nRelease:   %s\n%%description\nRelease: 7\n", cases[i].want);
                assert_string_equal(out.ptr, want);
        }
        assert_int_equal(ash_release_mode(ASH_S("")), ASH_RELEASE_AUTO);
        assert_int_equal(ash_release_mode(ASH_S("static")), ASH_RELEASE_STATIC);
        assert_int_equal(ash_release_mode(ASH_S("never")), ASH_RELEASE_INVALID_);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_macros), cmocka_unit_test(test_conditions), cmocka_unit_test(test_facts), cmocka_unit_test(test_autorelease_forms), cmocka_unit_test(test_messages),
                cmocka_unit_test(test_wrap), cmocka_unit_test(test_release_modes),
                T(test_linear), T(test_bump_and_epoch), T(test_gap), T(test_changelog_file), T(test_merges), T(test_no_execution), T(test_render),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
