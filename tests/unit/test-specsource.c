/* specsource: where specs come from, the "sources" file, and what it is merged with. Downloads: tests/sources/test_fetch.py. */
#include "../lib/git-fixture.h"
#include "specsource-private.h"

#define T0 1771900000 /* 2026-02-24T02:26:40Z */
#define TEXT(s) ((AshText) { ASH_S(s), ASH_NOWHERE })
#define HEX32 "d41d8cd98f00b204e9800998ecf8427e"
#define HEX64 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

typedef struct World {
        AshTempDir *tmp;
        char *repo, *cache, *first, *second;
        AshDiags *diags;
        AshSpecOptions options;
} World;

static int setup(void **state) {
        World *w = ash_calloc(1, sizeof(*w));
        assert_int_equal(ash_tempdir_new(NULL, &w->tmp), 0);
        w->cache = ash_path_join(w->tmp->path, "cache");
        w->repo = ash_path_join(w->tmp->path, "rpms/bash");
        assert_int_equal(ash_mkdir_all(AT_FDCWD, w->repo, 0755), 0);
        GIT(w->repo, T0, "init", "-q", "-b", "f43");
        fixture_write(w->repo, "bash.spec", "Name: bash\nVersion: 1\n");
        fixture_write(w->repo, "sources", "SHA256 (bash-1.tar.gz) = " HEX64 "\n");
        fixture_write(w->repo, "tests/run.sh", "x");
        fixture_commit(w->repo, T0, "one");
        w->first = fixture_head(w->repo);
        fixture_write(w->repo, "bash.spec", "Name: bash\nVersion: 2\n");
        fixture_commit(w->repo, T0 + 86400, "two");
        w->second = fixture_head(w->repo);
        w->diags = ash_diags_new();
        w->options = (AshSpecOptions) { .cache_dir = w->cache, .allow_local = true };
        *state = w;
        return 0;
}

static int teardown(void **state) {
        World *w = *state;
        ash_tempdir_free(w->tmp);
        ash_diags_free(w->diags);
        free(w->repo);
        free(w->cache);
        free(w->first);
        free(w->second);
        free(w);
        return 0;
}

static AshText text(const char *s) { return (AshText) { ash_slice_str(s), ASH_NOWHERE }; }

static void assert_says(AshDiags *diags, const char *words) {
        for (size_t i = 0; i < ash_diags_n(diags); i++)
                if (strstr(ash_diags_at(diags, i)->text, words)) {
                        ash_diags_clear(diags);
                        return;
                }
        fail_msg("'%s' is not in '%s'", words, ash_diags_n(diags) ? ash_diags_at(diags, 0)->text : "(nothing)");
}

static AshSpecTree *fetch(World *w, const AshComponentConfig *config, const AshSpecDistro *distro) {
        AshSpecTree *tree = NULL;
        int r = ash_specsource_fetch(ASH_S("bash"), config, distro, &w->options, &tree, w->diags);
        if (r < 0)
                fail_msg("%s", ash_diags_at(w->diags, 0)->text);
        return tree;
}

static void test_dist_git(void **state) {
        World *w = *state;
        _free_ char *uri = ash_asprintf("file://%s/rpms/$pkg", w->tmp->path);
        AshSpecDistro distro = { .dist_git_uri = text(uri), .branch = TEXT("f43") };
        const struct { const char *snapshot, *commit, *want; } cases[] = {
                { NULL, NULL, w->second }, { "2026-02-24T02:26:40Z", NULL, w->first }, { "2026-02-24", NULL, w->first }, { "2026-02-25", NULL, w->second },
                { "2026-02-24T18:26:40-08:00", NULL, w->second }, { "2026-02-24T18:26:39-08:00", NULL, w->first }, { "2026-02-24", w->second, w->second }, { NULL, w->first, w->first },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                AshComponentConfig config = { .spec.upstream_commit = cases[i].commit ? text(cases[i].commit) : (AshText) {} };
                if (i % 2)
                        config.spec.distro.snapshot = cases[i].snapshot ? text(cases[i].snapshot) : (AshText) {};
                else
                        distro.snapshot = cases[i].snapshot ? text(cases[i].snapshot) : (AshText) {};
                _cleanup_(ash_spec_tree_free_p) AshSpecTree *tree = fetch(w, &config, &distro);
                assert_string_equal(tree->commit, cases[i].want);
                assert_int_equal(tree->kind, ASH_SPEC_DISTGIT);
                assert_int_equal(tree->files.n, 3);
                assert_string_equal(tree->files.items[tree->spec].path, "bash.spec");
                assert_int_equal(tree->commit_time, strcmp(tree->commit, w->first) == 0 ? T0 : T0 + 86400);
                distro.snapshot = (AshText) {};
        }
}

static void test_dist_git_mistakes(void **state) {
        World *w = *state;
        _free_ char *uri = ash_asprintf("file://%s/rpms/$pkg", w->tmp->path), *bad = ash_asprintf("file://%s/rpms/$package", w->tmp->path);
        AshSpecDistro distro = { .dist_git_uri = text(uri), .branch = TEXT("f43") };
        AshComponentConfig config = {};
        AshSpecTree *tree = NULL;
        config.spec.distro.snapshot = TEXT("yesterday");
        assert_int_equal(ash_specsource_fetch(ASH_S("bash"), &config, &distro, &w->options, &tree, w->diags), -EINVAL);
        assert_says(w->diags, "'yesterday' is no date");
        config.spec.distro.snapshot = TEXT("2026-02-30");
        assert_int_equal(ash_specsource_fetch(ASH_S("bash"), &config, &distro, &w->options, &tree, w->diags), -EINVAL);
        assert_says(w->diags, "is no date");
        config.spec.distro.snapshot = TEXT("2020-01-01");
        assert_int_equal(ash_specsource_fetch(ASH_S("bash"), &config, &distro, &w->options, &tree, w->diags), -ENOENT);
        assert_says(w->diags, "no commit as old as 2020-01-01T23:59:59Z");
        config.spec.distro.snapshot = (AshText) {};
        config.spec.upstream_commit = TEXT("0123456789012345678901234567890123456789");
        assert_int_equal(ash_specsource_fetch(ASH_S("bash"), &config, &distro, &w->options, &tree, w->diags), -ENOENT);
        assert_says(w->diags, "has no commit 0123456789012345678901234567890123456789");
        config.spec.upstream_commit = (AshText) {};
        assert_int_equal(ash_specsource_fetch(ASH_S("zsh"), &config, &distro, &w->options, &tree, w->diags), -ENOENT);
        assert_says(w->diags, "there is no git repository");
        assert_int_equal(ash_specsource_fetch(ASH_S("../bash"), &config, &distro, &w->options, &tree, w->diags), -EINVAL);
        assert_says(w->diags, "is no package name");
        config.spec.upstream_name = TEXT("-u./x");
        assert_int_equal(ash_specsource_fetch(ASH_S("bash"), &config, &distro, &w->options, &tree, w->diags), -EINVAL);
        assert_says(w->diags, "is no package name");
        config.spec.upstream_name = (AshText) {};
        distro.dist_git_uri = text(bad);
        assert_int_equal(ash_specsource_fetch(ASH_S("bash"), &config, &distro, &w->options, &tree, w->diags), -EINVAL);
        assert_says(w->diags, "unknown placeholder '$package'");
        assert_int_equal(ash_specsource_fetch(ASH_S("bash"), &config, NULL, &w->options, &tree, w->diags), -EINVAL);
        assert_says(w->diags, "has no dist-git-base-uri");
        /* a link that leads out of the repository */
        _free_ char *link = ash_path_join(w->repo, "tests/evil");
        assert_int_equal(symlink("../../etc/passwd", link), 0);
        fixture_commit(w->repo, T0 + 90000, "evil");
        distro.dist_git_uri = text(uri);
        assert_int_equal(ash_specsource_fetch(ASH_S("bash"), &config, &distro, &w->options, &tree, w->diags), -EINVAL);
        assert_says(w->diags, "leads out of it");
        assert_null(tree);
}

static void test_local(void **state) {
        World *w = *state;
        _free_ char *dir = ash_path_join(w->tmp->path, "base/bash"), *path = ash_path_join(dir, "bash.spec"), *link = ash_path_join(dir, "link");
        fixture_write(dir, "bash.spec", "Name: bash\n");
        fixture_write(dir, "bash.comp.toml", "[components.bash]\n");
        fixture_write(dir, "files/a.conf", "a");
        assert_int_equal(symlink("files/a.conf", link), 0);
        AshComponentConfig config = { .spec = { .type = TEXT("local"), .path = text(path) } };
        AshSpecTree *tree = fetch(w, &config, NULL);
        assert_int_equal(tree->files.n, 3);
        assert_string_equal(tree->files.items[1].path, "files/a.conf");
        assert_true(S_ISLNK(tree->files.items[2].mode));
        _free_ char *digest = ash_strdup(tree->digest);
        ash_spec_tree_free(tree);
        config.spec.path = text(dir);
        tree = fetch(w, &config, NULL);
        assert_string_equal(tree->digest, digest);
        ash_spec_tree_free(tree);
        fixture_write(dir, "files/a.conf", "b");
        tree = fetch(w, &config, NULL);
        assert_string_not_equal(tree->digest, digest);
        ash_spec_tree_free(tree);
        assert_int_equal(unlink(link), 0);
        assert_int_equal(symlink("/etc/passwd", link), 0);
        tree = NULL;
        assert_int_equal(ash_specsource_fetch(ASH_S("bash"), &config, NULL, &w->options, &tree, w->diags), -EINVAL);
        assert_says(w->diags, "leads out of it");
        config.spec.path = TEXT("/nonexistent/bash.spec");
        assert_int_equal(ash_specsource_fetch(ASH_S("bash"), &config, NULL, &w->options, &tree, w->diags), -ENOENT);
        assert_says(w->diags, "is not at /nonexistent/bash.spec");
}

static void test_directory(void **state) {
        World *w = *state;
        _free_ char *top = ash_path_join(w->tmp->path, "specs");
        fixture_write(top, "bash/bash.spec", "Name: bash\n");
        fixture_write(top, "bash/a.patch", "a");
        fixture_write(top, "zsh.spec", "Name: zsh\nVersion: 5\nSource0: https://example.org/zsh-%{version}.tar.xz\nSource1: %{name}rc\nPatch: zsh-fix.patch\n");
        fixture_write(top, "ksh.spec", "Name: ksh\n");
        fixture_write(top, "zshrc", "x");
        fixture_write(top, "zsh-fix.patch", "x");
        fixture_write(top, "other.patch", "x");
        AshSpecDistro distro = { .spec_dir = top };
        AshComponentConfig config = {};
        AshSpecTree *tree = fetch(w, &config, &distro);
        assert_int_equal(tree->files.n, 2);
        ash_spec_tree_free(tree);
        config.spec.upstream_name = TEXT("zsh");
        tree = fetch(w, &config, &distro);
        assert_int_equal(tree->files.n, 3);
        assert_string_equal(tree->files.items[0].path, "zsh-fix.patch");
        assert_string_equal(tree->files.items[tree->spec].path, "zsh.spec");
        assert_string_equal(tree->files.items[2].path, "zshrc");
        ash_spec_tree_free(tree);
        config.spec.upstream_name = TEXT("fish");
        tree = NULL;
        assert_int_equal(ash_specsource_fetch(ASH_S("bash"), &config, &distro, &w->options, &tree, w->diags), -ENOENT);
        assert_says(w->diags, "has no 'fish'");
}

/* ---- the sources file ---- */
static void test_parse(void **state) {
        (void) state;
        const struct { const char *text; int n; const char *out; } cases[] = {
                { "", 0, "" }, { "\n\r\n", 0, "" },
                { "SHA256 (a.tar.gz) = " HEX64 "\n", 1, NULL },
                { HEX32 "  a.tar.gz\n" HEX32 "  b c.zip", 2, HEX32 "  a.tar.gz\n" HEX32 "  b c.zip\n" },
                { "MD5 (x) = " HEX32 "\r\n", 1, "MD5 (x) = " HEX32 "\n" },
                { HEX32 " *bin\n", 1, HEX32 "  bin\n" },
                { "SHA256 (a (1).tar) = " HEX64 "\n", 1, NULL },
                { "SHA256 (a) = b) = " HEX64 "\n", 1, NULL },
                { "SHA256 (a) = E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855\n", 1, "SHA256 (a) = " HEX64 "\n" },
                /* bad ones */
                { "SHA256 (../a) = " HEX64, -1, NULL }, { "SHA256 (/a) = " HEX64, -1, NULL }, { "SHA256 (..) = " HEX64, -1, NULL }, { "SHA256 () = " HEX64, -1, NULL },
                { "SHA256 (a) = " HEX32, -1, NULL }, { "SHA257 (a) = " HEX64, -1, NULL }, { "SHA256 (a)= " HEX64, -1, NULL }, { "nonsense", -1, NULL },
                { HEX32 " a", -1, NULL }, { "x41d8cd98f00b204e9800998ecf8427e  a", -1, NULL }, { HEX32 "  -rf", -1, NULL }, { HEX32 "  a/b", -1, NULL },
                { HEX32 "  a\n" HEX32 "  a\n", -1, NULL }, { HEX32 "  a\tb\001", -1, NULL }, { "SHA256 (a) = ", -1, NULL }, { " (a) = " HEX64, -1, NULL },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                _sources_ AshSources s = {};
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                int r = ash_sources_parse(ash_slice_str(cases[i].text), "sources", &s, diags);
                if (cases[i].n < 0) {
                        if (r != -ASH_ERR_SYNTAX || ash_diags_n(diags) != 1 || ash_diags_at(diags, 0)->place.line == 0)
                                fail_msg("case %zu: %s", i, cases[i].text);
                        continue;
                }
                assert_int_equal(r, 0);
                assert_int_equal(s.items.n, cases[i].n);
                _str_ AshStr out = {};
                ash_sources_format(&s, &out);
                assert_string_equal(out.ptr ? out.ptr : "", cases[i].out ? cases[i].out : cases[i].text);
        }
        /* every mistake is told */
        _sources_ AshSources s = {};
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        assert_true(ash_sources_parse(ASH_S("bad\n" HEX32 "  a\nworse\n" HEX32 "  a\n"), "sources", &s, diags) < 0);
        assert_int_equal(ash_diags_n(diags), 3);
}

/* All "sources" files of the corpus, read and written again. */
static void test_corpus(void **state) {
        (void) state;
        const char *shared = getenv("ASHLAR_SHARED");
        _free_ char *corpus = shared ? ash_path_join(shared, "corpus") : NULL;
        _close_ int dirfd = corpus ? open(corpus, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (dirfd < 0)
                skip();
        static const char *const globs[] = { "specs/*/sources", "overlay-cases/*/sources/sources" };
        size_t n = 0;
        for (size_t i = 0; i < ASH_N(globs); i++) {
                _paths_ AshPaths paths = {};
                assert_int_equal(ash_glob_files(dirfd, globs[i], false, &paths), 0);
                ash_array_foreach(&paths.paths, path) {
                        _bytes_ AshBytes b = {};
                        assert_int_equal(ash_file_read(dirfd, *path, 0, &b), 0);
                        _sources_ AshSources s = {};
                        assert_int_equal(ash_sources_parse(ash_bytes_slice(&b), *path, &s, NULL), 0);
                        _str_ AshStr out = {};
                        ash_sources_format(&s, &out);
                        assert_true(ash_slice_eq(ash_str_slice(&out), ash_bytes_slice(&b)));
                        n++;
                }
        }
        assert_true(n >= 17);
}

#define FILE_OF(name, type, ...) { .filename = TEXT(name), .hash = TEXT(HEX64), .hash_type = TEXT("SHA256"), .origin_type = TEXT(type), __VA_ARGS__ }
#define YES { .value = ASH_YES }

static void test_merge(void **state) {
        (void) state;
        static const char upstream[] = HEX32 "  a.tar.gz\nMD5 (b.tar.gz) = " HEX32 "\n";
        const struct { AshSourceFile f; int r; const char *says, *out; } cases[] = {
                { FILE_OF("c.tar.gz", "download", .origin_uri = TEXT("https://example.org/c")), 0, NULL, HEX32 "  a.tar.gz\nMD5 (b.tar.gz) = " HEX32 "\nSHA256 (c.tar.gz) = " HEX64 "\n" },
                { FILE_OF("a.tar.gz", "download", .origin_uri = TEXT("https://example.org/a"), .replace_upstream = YES), 0, NULL, "SHA256 (a.tar.gz) = " HEX64 "\nMD5 (b.tar.gz) = " HEX32 "\n" },
                { FILE_OF("b.tar.gz", "overlay", .replace_upstream = YES), 0, NULL, HEX32 "  a.tar.gz\nSHA256 (b.tar.gz) = " HEX64 "\n" },
                { FILE_OF("c.tar.gz", "custom", .origin_script = TEXT("make.sh")), 0, NULL, HEX32 "  a.tar.gz\nMD5 (b.tar.gz) = " HEX32 "\nSHA256 (c.tar.gz) = " HEX64 "\n" },
                { FILE_OF("a.tar.gz", "download", .origin_uri = TEXT("https://example.org/a")), -EEXIST, "upstream's sources have a file 'a.tar.gz' too", NULL },
                { FILE_OF("c.tar.gz", "download", .origin_uri = TEXT("https://example.org/a"), .replace_upstream = YES), -ENOENT, "there is none of that name", NULL },
                { FILE_OF("c.tar.gz", "download"), -EINVAL, "has no origin.uri", NULL },
                { FILE_OF("c.tar.gz", "custom"), -EINVAL, "has no origin.script", NULL },
                { FILE_OF("c.tar.gz", "upload"), -EINVAL, "unknown origin 'upload'", NULL },
                { FILE_OF("../c", "overlay"), -EINVAL, "is no plain file name", NULL },
                { FILE_OF("c.tar.gz", "download", .origin_uri = TEXT("ftp://example.org/a")), -EINVAL, "is no URI to download from", NULL },
                { { .filename = TEXT("c"), .origin_type = TEXT("overlay") }, -EINVAL, "has no hash", NULL },
                { { .filename = TEXT("c"), .origin_type = TEXT("overlay"), .hash = TEXT(HEX64), .hash_type = TEXT("MD5") }, -EINVAL, "unknown hash-type 'MD5'", NULL },
                { { .filename = TEXT("c"), .origin_type = TEXT("overlay"), .hash = TEXT(HEX32), .hash_type = TEXT("SHA256") }, -EINVAL, "is not 64 hexadecimal digits", NULL },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                _sources_ AshSources s = {};
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                assert_int_equal(ash_sources_parse(ash_slice_str(upstream), "sources", &s, diags), 0);
                AshSourceFile f = cases[i].f;
                int r = ash_sources_merge(&s, &(AshSourceFiles) { &f, 1 }, diags);
                assert_int_equal(r, cases[i].r);
                if (r < 0) {
                        assert_says(diags, cases[i].says);
                        continue;
                }
                _str_ AshStr out = {};
                ash_sources_format(&s, &out);
                assert_string_equal(out.ptr, cases[i].out);
        }
        AshSourceFile twice[] = { FILE_OF("c", "overlay"), FILE_OF("c", "overlay"), { .filename = TEXT("d") } };
        _sources_ AshSources s = {};
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        assert_int_equal(ash_sources_merge(&s, &(AshSourceFiles) { twice, 3 }, diags), -EEXIST);
        assert_int_equal(ash_diags_n(diags), 3); /* twice; no origin; no hash */
}

static void test_uris(void **state) {
        (void) state;
        const AshPlaceholder values[] = { { "pkg", ASH_S("bash") }, { "filename", ASH_S("a b#1.tar.gz") }, { "hash", ASH_S("ff") }, { "releasever", ASH_S("") } };
        const struct { const char *in, *out; } cases[] = {
                { "https://x/$pkg/$filename/$hash/$filename", "https://x/bash/a%20b%231.tar.gz/ff/a%20b%231.tar.gz" }, { "https://x/${pkg}s", "https://x/bashs" }, { "a$$b", "a$b" },
                { "$package", NULL }, { "${pkg", NULL }, { "$", NULL }, { "$releasever", NULL },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                _str_ AshStr out = {};
                int r = ash_uri_expand(ash_slice_str(cases[i].in), values, ASH_N(values), ASH_NOWHERE, &out, NULL);
                assert_int_equal(r, cases[i].out ? 0 : -EINVAL);
                if (cases[i].out)
                        assert_string_equal(out.ptr, cases[i].out);
        }
}

/* ---- custom scripts ---- */
static int run_script(World *w, const char *script, bool network, const AshTexts *inputs, char **ret) {
        fixture_write(w->tmp->path, "make.sh", script);
        AshSourceFile f = { .filename = TEXT("out.txt"), .origin_type = TEXT("custom"), .origin_script = TEXT("make.sh"), .base_dir = w->tmp->path, .inputs = inputs ? *inputs : (AshTexts) {} };
        AshSourceItem item = { .filename = ASH_S("out.txt"), .config = &f };
        AshSpecOptions options = { .script_network = network, .script_timeout_ms = 5000 };
        _free_ char *to = ash_path_join(w->tmp->path, "made");
        (void) unlink(to);
        int r = ash_spec_script_run(&item, &options, w->tmp->path, to, w->diags);
        if (r < 0)
                return r;
        _bytes_ AshBytes b = {};
        assert_int_equal(ash_file_read(AT_FDCWD, to, 0, &b), 0);
        *ret = ash_slice_dup(ash_bytes_slice(&b));
        return 0;
}

static bool sandbox_works(void) {
        _process_result_ AshProcessResult result = {};
        AshProcess p = { .argv = (const char *const[]){ "bwrap", "--unshare-all", "--ro-bind", "/", "/", "true", NULL } };
        return ash_process_run(&p, &result) == 0 && result.status == 0;
}

static void test_script(void **state) {
        World *w = *state;
        if (!sandbox_works())
                skip();
        _free_ char *out = NULL, *out2 = NULL, *none = NULL;
        AshText inputs[] = { TEXT("a.txt"), TEXT("sub/b.txt") };
        AshTexts in = { inputs, 2 };
        fixture_write(w->tmp->path, "a.txt", "A");
        fixture_write(w->tmp->path, "sub/b.txt", "B");
        assert_int_equal(run_script(w, "cat inputs/a.txt inputs/sub/b.txt > output/out.txt; echo $HOME $LC_ALL >> $OUTPUT/out.txt; id -u >> /azldev-gen/output/out.txt\n", false, &in, &out), 0);
        assert_string_equal(out, "AB/tmp C.UTF-8\n1000\n");
        assert_int_equal(run_script(w, "#!/usr/bin/env sh\nls /sys/class/net 2>/dev/null; grep -c : /proc/net/dev > output/out.txt; ls / > output/list; touch /usr/x 2>/dev/null && echo bad >> output/out.txt;"
                                       "test -e /root && echo root >> output/out.txt; touch script 2>/dev/null && echo writable >> output/out.txt; true", false, NULL, &out2), 0);
        assert_string_equal(out2, "1\n"); /* the loopback device alone */
        assert_int_equal(run_script(w, "echo because >&2; exit 3", false, NULL, &none), -EIO);
        assert_says(w->diags, "failed with status 3: because");
        assert_int_equal(run_script(w, "true", false, NULL, &none), -ENOENT);
        assert_says(w->diags, "left no regular file");
        assert_int_equal(run_script(w, "ln -s /etc/passwd output/out.txt", false, NULL, &none), -ENOENT);
        assert_says(w->diags, "left no regular file");
        assert_int_equal(run_script(w, "mkfifo output/out.txt", false, NULL, &none), -ENOENT);
        assert_says(w->diags, "left no regular file");
        inputs[0] = TEXT("../../etc/passwd");
        assert_int_equal(run_script(w, "true", false, &in, &none), -EINVAL);
        assert_says(w->diags, "leads out of");
}

static void test_no_bwrap(void **state) {
        World *w = *state;
        _free_ char *path = ash_strdup(getenv("PATH")), *none = NULL;
        assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
        int r = run_script(w, "true", false, NULL, &none);
        assert_int_equal(setenv("PATH", path, 1), 0);
        assert_int_equal(r, -ENOENT);
        assert_says(w->diags, "needs the program bwrap, which is not installed");
}

/* ---- overlays inside archives ---- */
typedef struct ArchiveWorld {
        AshSources sources;
        AshSourceTree *tree;
        AshSourceFile file;
        AshSpecDistro distro;
        char *lookaside;
} ArchiveWorld;

static void archive_done(ArchiveWorld *a) {
        ash_sources_done(&a->sources);
        ash_source_tree_free(a->tree);
        free(a->lookaside);
}

static void run_program(const char *dir, const char *const *argv, AshStr *out) {
        _process_result_ AshProcessResult result = {};
        assert_int_equal(ash_process_run(&(AshProcess) { .argv = argv, .cwd = dir }, &result), 0);
        if (result.status != 0)
                fail_msg("%s: %s", argv[0], result.err.ptr);
        if (out)
                ash_str_append(out, ash_str_slice(&result.out));
}

/* foo-1.tar.gz at a lookaside cache (a directory), listed in upstream's sources, and replaced by us. */
static void archive_setup(World *w, const char *hash, bool in_tree, ArchiveWorld *a) {
        *a = (ArchiveWorld) { .tree = ash_source_tree_new() };
        fixture_write(w->tmp->path, "pkgs/foo-1/a.c", "int old;\nint old;\n");
        fixture_write(w->tmp->path, "pkgs/foo-1/vendor/x.c", "vendored");
        fixture_write(w->tmp->path, "pkgs/foo-1/vendor/y.c", "vendored");
        _free_ char *dir = ash_path_join(w->tmp->path, "pkgs"), *tar = ash_path_join(dir, "foo-1.tar.gz");
        run_program(dir, (const char *const[]){ "tar", "--sort=name", "--mtime=@5", "--owner=jane:77", "--group=staff:88", "-czf", "foo-1.tar.gz", "foo-1", NULL }, NULL);
        uint8_t digest[ASH_DIGEST_SIZE_MAX];
        char hex[ASH_HEX_MAX];
        uint64_t size;
        assert_int_equal(ash_digest_file(ASH_SHA256, AT_FDCWD, tar, digest, &size), 0);
        ash_hex(digest, 32, hex);
        _free_ char *text_of = in_tree ? ash_strdup("") : ash_asprintf("SHA256 (foo-1.tar.gz) = %s\n", hex);
        assert_int_equal(ash_sources_parse(ash_slice_str(text_of), "sources", &a->sources, NULL), 0);
        a->file = (AshSourceFile) { .filename = TEXT("foo-1.tar.gz"), .hash = text(hash), .hash_type = TEXT("SHA256"), .origin_type = TEXT("overlay"), .replace_upstream = { .value = in_tree ? ASH_UNSET : ASH_YES } };
        assert_int_equal(ash_sources_merge(&a->sources, &(AshSourceFiles) { &a->file, 1 }, NULL), 0);
        a->lookaside = ash_asprintf("file://%s/pkgs/$filename", w->tmp->path);
        a->distro.lookaside_uri = text(a->lookaside);
        ash_source_tree_put(a->tree, "foo.spec", ASH_S("Name: foo\n"), 0644);
        _bytes_ AshBytes b = {};
        assert_int_equal(ash_file_read(AT_FDCWD, tar, 0, &b), 0);
        if (in_tree)
                ash_source_tree_put(a->tree, "foo-1.tar.gz", ash_bytes_slice(&b), 0644);
}

static int archive_apply(World *w, ArchiveWorld *a, const AshOverlay *overlays, size_t n) {
        _cleanup_(ash_spec_archives_free_p) AshSpecArchives *archives = ash_spec_archives_new(&a->sources, ASH_S("foo"), &a->distro, &w->options);
        AshOverlayOptions o = { .spec = "foo.spec", .component = "foo", .archive = ash_spec_archives_ops(archives) };
        return ash_overlay_apply(a->tree, overlays, n, &o, NULL, w->diags);
}

static void test_archive_overlays(void **state) {
        World *w = *state;
        const AshOverlay overlays[] = {
                { .type = ASH_OVERLAY_FILE_REMOVE, .type_text = TEXT("file-remove"), .file = TEXT("vendor/*.c"), .archive = TEXT("foo-1.tar.gz") },
                { .type = ASH_OVERLAY_FILE_SEARCH_REPLACE, .type_text = TEXT("file-search-replace"), .file = TEXT("**/*.c"), .regex = TEXT("old"), .replacement = TEXT("new"), .archive = TEXT("foo-1.tar.gz") },
        };
        for (int in_tree = 0; in_tree < 2; in_tree++) {
                /* a wrong hash is answered with the right one */
                ArchiveWorld a;
                archive_setup(w, HEX64, in_tree, &a);
                assert_int_equal(archive_apply(w, &a, overlays, 2), -ASH_ERR_VERIFY);
                const char *note = ash_diags_at(w->diags, 0)->notes.items[0].text;
                _free_ char *right = ash_strdup(note + strlen("it has "));
                assert_says(w->diags, "has another digest than its source-files entry says");
                assert_null(a.sources.items.items[0].path);
                archive_done(&a);
                archive_setup(w, right, in_tree, &a);
                int r = archive_apply(w, &a, overlays, 2);
                if (r < 0)
                        fail_msg("%s", ash_diags_at(w->diags, 0)->text);
                _str_ AshStr listed = {}, content = {};
                const char *path = a.sources.items.items[0].path;
                run_program("/", (const char *const[]){ "tar", "-tvzf", path, "--numeric-owner", "--full-time", NULL }, &listed);
                assert_null(strstr(listed.ptr, ".c\n") ? strstr(listed.ptr, "vendor/x.c") : "no a.c");
                assert_non_null(strstr(listed.ptr, "77/88"));
                assert_non_null(strstr(listed.ptr, "foo-1/vendor/\n"));
                run_program("/", (const char *const[]){ "tar", "-xOzf", path, "foo-1/a.c", NULL }, &content);
                assert_string_equal(content.ptr, "int new;\nint new;\n");
                if (in_tree) {
                        AshSlice packed;
                        assert_int_equal(ash_source_tree_read(a.tree, "foo-1.tar.gz", &packed, NULL), 0);
                        char hex[ASH_HEX_MAX];
                        ash_digest_hex_of(ASH_SHA256, packed, hex);
                        assert_string_equal(hex, right);
                }
                archive_done(&a);
                /* a later run finds the edited archive in the cache */
                archive_setup(w, right, in_tree, &a);
                assert_int_equal(ash_sources_fetch(&a.sources, ASH_S("foo"), &a.distro, &w->options, w->diags), 0);
                assert_non_null(a.sources.items.items[0].path);
                archive_done(&a);
        }
}

static void test_archive_mistakes(void **state) {
        World *w = *state;
        AshOverlay remove = { .type = ASH_OVERLAY_FILE_REMOVE, .type_text = TEXT("file-remove"), .file = TEXT("none/*"), .archive = TEXT("foo-1.tar.gz") };
        ArchiveWorld a;
        archive_setup(w, HEX64, false, &a);
        assert_true(archive_apply(w, &a, &remove, 1) < 0); /* the glob hits nothing */
        ash_diags_clear(w->diags);
        remove.archive = TEXT("other.tar.gz");
        assert_int_equal(archive_apply(w, &a, &remove, 1), -EINVAL);
        assert_says(w->diags, "no source-files entry of that name has origin");
        /* placing an archive that nobody edited */
        assert_int_equal(ash_sources_fetch(&a.sources, ASH_S("foo"), &a.distro, &w->options, w->diags), 0);
        assert_int_equal(ash_sources_place(&a.sources, w->tmp->fd, w->diags), -EINVAL);
        assert_says(w->diags, "has not been edited");
        archive_done(&a);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse), cmocka_unit_test(test_corpus), cmocka_unit_test(test_merge), cmocka_unit_test(test_uris),
                T(test_dist_git), T(test_dist_git_mistakes), T(test_local), T(test_directory), T(test_script), T(test_no_bwrap),
                T(test_archive_overlays), T(test_archive_mistakes),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
