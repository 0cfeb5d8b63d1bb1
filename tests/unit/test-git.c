/* The git module against repositories made here. */
#include "../lib/git-fixture.h"
#include "git.h"

#define T0 1700000000 /* 2023-11-14T22:13:20Z */

typedef struct World {
        AshTempDir *tmp;
        char *repo, *mirrors;
        char *first, *second, *third;
} World;

static int setup(void **state) {
        World *w = ash_calloc(1, sizeof(*w));
        assert_int_equal(ash_tempdir_new(NULL, &w->tmp), 0);
        w->repo = ash_path_join(w->tmp->path, "bash");
        w->mirrors = ash_path_join(w->tmp->path, "cache/git");
        assert_int_equal(mkdir(w->repo, 0755), 0);
        GIT(w->repo, T0, "init", "-q", "-b", "f43");
        fixture_write(w->repo, "bash.spec", "Name: bash\nVersion: 1\n");
        fixture_commit(w->repo, T0, "Initial import");
        w->first = fixture_head(w->repo);
        fixture_write(w->repo, "patches/a b.patch", "x\n");
        _free_ char *link = ash_path_join(w->repo, "link");
        assert_int_equal(symlink("bash.spec", link), 0);
        fixture_commit(w->repo, T0 + 1000, "Add a patch");
        w->second = fixture_head(w->repo);
        fixture_write(w->repo, "bash.spec", "Name: bash\nVersion: 2\n");
        fixture_commit(w->repo, T0 + 2000, "Update to 2\n\n- fixes 100% of it");
        w->third = fixture_head(w->repo);
        *state = w;
        return 0;
}

static int teardown(void **state) {
        World *w = *state;
        ash_tempdir_free(w->tmp);
        free(w->repo);
        free(w->mirrors);
        free(w->first);
        free(w->second);
        free(w->third);
        free(w);
        return 0;
}

static AshGit *open_mirror(World *w, bool offline) {
        AshGitOptions options = { .mirror_dir = w->mirrors, .allow_local = true, .offline = offline };
        AshGit *git = NULL;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        int r = ash_git_open(w->repo, &options, ASH_NOWHERE, &git, diags);
        if (r < 0)
                fail_msg("%s", ash_diags_at(diags, 0)->text);
        return git;
}

static void assert_says(AshDiags *diags, const char *words) {
        assert_int_equal(ash_diags_n(diags), 1);
        if (!strstr(ash_diags_at(diags, 0)->text, words))
                fail_msg("'%s' is not in '%s'", words, ash_diags_at(diags, 0)->text);
        ash_diags_clear(diags);
}

static void test_commits(void **state) {
        World *w = *state;
        _cleanup_(ash_git_free_p) AshGit *git = open_mirror(w, false);
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        char hash[ASH_GIT_HASH_MAX];
        assert_int_equal(ash_git_commit(git, ash_slice_str(w->first), ASH_NOWHERE, hash, diags), 0);
        assert_string_equal(hash, w->first);
        assert_int_equal(ash_git_commit(git, ash_slice(w->second, 7), ASH_NOWHERE, hash, diags), 0);
        assert_string_equal(hash, w->second);
        /* a branch that is called like a commit does not shadow it */
        char evil[9];
        memcpy(evil, w->second, 8);
        evil[8] = 0;
        GIT(w->repo, T0, "branch", evil, w->first);
        assert_int_equal(ash_git_commit(git, ash_slice_str(evil), ASH_NOWHERE, hash, diags), 0);
        assert_string_equal(hash, w->second);
        assert_int_equal(ash_git_commit(git, ASH_S("0123456789"), ASH_NOWHERE, hash, diags), -ENOENT);
        assert_says(diags, "has no commit 0123456789");
        assert_int_equal(ash_git_commit(git, ASH_S("0123456789012345678901234567890123456789"), ASH_NOWHERE, hash, diags), -ENOENT);
        assert_says(diags, "has no commit 0123456789012345678901234567890123456789");
        assert_int_equal(ash_git_commit(git, ASH_S("012345"), ASH_NOWHERE, hash, diags), -EINVAL);
        assert_says(diags, "is no commit");
        assert_int_equal(ash_git_commit(git, ASH_S("--all"), ASH_NOWHERE, hash, diags), -EINVAL);
        assert_says(diags, "is no commit");
        /* a commit that came after the mirror was made is fetched by its name, by a new process */
        ash_git_free(ASH_TAKE(git));
        fixture_write(w->repo, "new", "x");
        fixture_commit(w->repo, T0 + 3000, "Newer");
        _free_ char *newer = fixture_head(w->repo);
        git = open_mirror(w, false);
        assert_int_equal(ash_git_commit(git, ash_slice_str(newer), ASH_NOWHERE, hash, diags), 0);
}

static void test_snapshots(void **state) {
        World *w = *state;
        _cleanup_(ash_git_free_p) AshGit *git = open_mirror(w, false);
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        char hash[ASH_GIT_HASH_MAX];
        const struct { int64_t before; const char *want; } cases[] = {
                { T0, w->first }, { T0 + 999, w->first }, { T0 + 1000, w->second }, { T0 + 1999, w->second }, { T0 + 2000, w->third }, { INT64_MAX, w->third },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                assert_int_equal(ash_git_snapshot(git, ASH_S("f43"), cases[i].before, ASH_NOWHERE, hash, diags), 0);
                assert_string_equal(hash, cases[i].want);
        }
        assert_int_equal(ash_git_snapshot(git, ASH_S(""), T0, ASH_NOWHERE, hash, diags), 0);
        assert_string_equal(hash, w->first);
        assert_int_equal(ash_git_snapshot(git, ASH_S("f43"), T0 - 1, ASH_NOWHERE, hash, diags), -ENOENT);
        assert_says(diags, "has no commit as old as 2023-11-14T22:13:19Z");
        assert_int_equal(ash_git_snapshot(git, ASH_S("f44"), T0, ASH_NOWHERE, hash, diags), -ENOENT);
        assert_string_equal(ash_diags_at(diags, 0)->hint, "did you mean 'f43'?");
        assert_says(diags, "has no branch 'f44'");
        assert_int_equal(ash_git_snapshot(git, ASH_S("--upload-pack=touch x"), T0, ASH_NOWHERE, hash, diags), -EINVAL);
        assert_says(diags, "is no branch name");
}

static void test_first_parent(void **state) {
        World *w = *state;
        /* work that was dated before the snapshot but merged after it is not part of the branch's state then */
        GIT(w->repo, T0, "checkout", "-q", "-b", "side", w->second);
        fixture_write(w->repo, "side", "x");
        fixture_commit(w->repo, T0 + 1500, "Side work");
        GIT(w->repo, T0, "checkout", "-q", "f43");
        GIT(w->repo, T0 + 5000, "merge", "-q", "--no-ff", "-m", "Merge side", "side");
        _cleanup_(ash_git_free_p) AshGit *git = open_mirror(w, false);
        char hash[ASH_GIT_HASH_MAX];
        assert_int_equal(ash_git_snapshot(git, ASH_S("f43"), T0 + 1600, ASH_NOWHERE, hash, NULL), 0);
        assert_string_equal(hash, w->second);
}

static void test_offline(void **state) {
        World *w = *state;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        char hash[ASH_GIT_HASH_MAX];
        AshGit *git = open_mirror(w, true);
        assert_int_equal(ash_git_commit(git, ash_slice_str(w->first), ASH_NOWHERE, hash, diags), -ASH_ERR_AGAIN);
        assert_says(diags, "is offline");
        assert_int_equal(ash_git_snapshot(git, ASH_S("f43"), T0, ASH_NOWHERE, hash, diags), -ASH_ERR_AGAIN);
        assert_says(diags, "is offline");
        ash_git_free(git);
        git = open_mirror(w, false);
        assert_int_equal(ash_git_commit(git, ash_slice_str(w->first), ASH_NOWHERE, hash, diags), 0);
        ash_git_free(git);
        git = open_mirror(w, true);
        assert_int_equal(ash_git_commit(git, ash_slice_str(w->third), ASH_NOWHERE, hash, diags), 0);
        assert_int_equal(ash_git_snapshot(git, ASH_S("f43"), T0, ASH_NOWHERE, hash, diags), 0);
        ash_git_free(git);
}

static void test_tree(void **state) {
        World *w = *state;
        _cleanup_(ash_git_free_p) AshGit *git = open_mirror(w, false);
        char hash[ASH_GIT_HASH_MAX];
        assert_int_equal(ash_git_commit(git, ash_slice_str(w->third), ASH_NOWHERE, hash, NULL), 0);
        _git_tree_ AshGitTree tree = {};
        assert_int_equal(ash_git_tree(git, hash, 0, &tree, NULL), 0);
        assert_int_equal(tree.entries.n, 3);
        assert_string_equal(tree.entries.items[0].path, "bash.spec");
        assert_true(ash_slice_eqs(tree.entries.items[0].data, "Name: bash\nVersion: 2\n"));
        assert_string_equal(tree.entries.items[1].path, "link");
        assert_int_equal(tree.entries.items[1].mode, 0120000);
        assert_true(ash_slice_eqs(tree.entries.items[1].data, "bash.spec"));
        assert_string_equal(tree.entries.items[2].path, "patches/a b.patch");
        _git_tree_ AshGitTree none = {};
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        assert_int_equal(ash_git_tree(git, hash, 10, &none, diags), -ASH_ERR_LIMIT);
}

static void test_history(void **state) {
        World *w = *state;
        _cleanup_(ash_git_free_p) AshGit *git = NULL;
        assert_int_equal(ash_git_open_local(w->repo, &git, NULL), 0);
        _git_history_ AshGitHistory h = {};
        const char *const paths[] = { "bash.spec", "changelog" };
        assert_int_equal(ash_git_history(git, w->third, paths, 2, &h, NULL), 0);
        assert_int_equal(h.commits.n, 3);
        assert_string_equal(h.commits.items[0].hash, w->third);
        assert_int_equal(h.commits.items[0].n_parents, 1);
        assert_int_equal(h.commits.items[0].parents[0], 1);
        assert_int_equal(h.commits.items[2].n_parents, 0);
        assert_true(ash_slice_eqs(h.commits.items[0].author_email, "jane@example.org"));
        assert_true(ash_slice_starts(h.commits.items[0].message, ASH_S("Update to 2\n\n- fixes 100% of it")));
        assert_int_equal(h.commits.items[0].time, T0 + 2000);
        assert_string_not_equal(h.commits.items[0].blobs[0], h.commits.items[1].blobs[0]);
        assert_string_equal(h.commits.items[1].blobs[0], h.commits.items[2].blobs[0]);
        assert_string_equal(h.commits.items[0].blobs[1], "");
}

static void test_uris(void **state) {
        World *w = *state;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        static const char *const bad[] = { "ext::sh -c touch% x", "ext::sh", "--upload-pack=x", "fd::17", "https://", "https://-oProxyCommand=x/y", "user@host:path", "https://a b", "", "bash" };
        AshGitOptions options = { .mirror_dir = w->mirrors, .allow_local = true };
        for (size_t i = 0; i < ASH_N(bad); i++) {
                AshGit *git = NULL;
                assert_int_equal(ash_git_open(bad[i], &options, ASH_NOWHERE, &git, diags), -EINVAL);
                assert_null(git);
        }
        options.allow_local = false;
        AshGit *git = NULL;
        ash_diags_clear(diags);
        assert_int_equal(ash_git_open(w->repo, &options, ASH_NOWHERE, &git, diags), -EPERM);
        assert_says(diags, "not allowed");
}

/* Nothing that a repository or its configuration says is run. */
static void test_hooks(void **state) {
        World *w = *state;
        _free_ char *proof = ash_path_join(w->tmp->path, "proof");
        _free_ char *hook = ash_asprintf("#!/bin/sh\ntouch %s\n", proof);
        static const char *const hooks[] = { "post-checkout", "reference-transaction", "post-merge", "pre-auto-gc", "fsmonitor-watchman" };
        for (size_t i = 0; i < ASH_N(hooks); i++) {
                _free_ char *name = ash_asprintf(".git/hooks/%s", hooks[i]);
                fixture_write(w->repo, name, hook);
                _free_ char *path = ash_path_join(w->repo, name);
                assert_int_equal(chmod(path, 0755), 0);
        }
        char hash[ASH_GIT_HASH_MAX];
        AshGit *git = open_mirror(w, false);
        assert_int_equal(ash_git_commit(git, ash_slice_str(w->third), ASH_NOWHERE, hash, NULL), 0);
        ash_git_free(git);
        git = NULL;
        assert_int_equal(ash_git_open_local(w->repo, &git, NULL), 0);
        _git_history_ AshGitHistory h = {};
        assert_int_equal(ash_git_history(git, w->third, NULL, 0, &h, NULL), 0);
        ash_git_free(git);
        assert_int_equal(access(proof, F_OK), -1);
}

static void test_damage(void **state) {
        World *w = *state;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        char hash[ASH_GIT_HASH_MAX];
        /* a repository that lacks an object */
        _str_ AshStr blob = {};
        fixture_git(w->repo, T0, (const char *const[]){ "rev-parse", "HEAD:bash.spec", NULL }, &blob);
        _free_ char *object = ash_asprintf("%s/.git/objects/%.2s/%s", w->repo, blob.ptr, blob.ptr + 2);
        assert_int_equal(unlink(object), 0);
        AshGit *git = open_mirror(w, false);
        int r = ash_git_commit(git, ash_slice_str(w->third), ASH_NOWHERE, hash, diags);
        assert_true(r < 0);
        assert_says(diags, "cannot fetch from");
        ash_git_free(git);
        git = NULL;
        assert_int_equal(ash_git_open_local(w->repo, &git, NULL), 0);
        _git_tree_ AshGitTree tree = {};
        assert_int_equal(ash_git_tree(git, w->third, 0, &tree, diags), -EIO);
        ash_git_free(git);
}

static void test_shallow(void **state) {
        World *w = *state;
        _free_ char *url = ash_asprintf("file://%s", w->repo), *cut = ash_path_join(w->tmp->path, "cut");
        GIT(w->tmp->path, T0, "clone", "-q", "--depth=2", url, cut);
        AshGitOptions options = { .mirror_dir = w->mirrors, .allow_local = true };
        _cleanup_(ash_git_free_p) AshGit *git = NULL;
        assert_int_equal(ash_git_open(cut, &options, ASH_NOWHERE, &git, NULL), 0);
        char hash[ASH_GIT_HASH_MAX];
        assert_int_equal(ash_git_commit(git, ash_slice_str(w->third), ASH_NOWHERE, hash, NULL), 0);
        _git_history_ AshGitHistory h = {};
        assert_int_equal(ash_git_history(git, hash, NULL, 0, &h, NULL), 0);
        assert_int_equal(h.commits.n, 2);
        assert_true(h.commits.items[1].boundary);
        assert_false(h.commits.items[0].boundary);
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        assert_int_equal(ash_git_commit(git, ash_slice_str(w->first), ASH_NOWHERE, hash, diags), -ENOENT);
}

static void test_missing(void **state) {
        World *w = *state;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        AshGitOptions options = { .mirror_dir = w->mirrors, .allow_local = true };
        AshGit *git = NULL;
        assert_int_equal(ash_git_open("/nonexistent/x.git", &options, ASH_NOWHERE, &git, diags), -ENOENT);
        assert_says(diags, "there is no git repository at");
        assert_int_equal(ash_git_open(w->tmp->path, &options, ASH_NOWHERE, &git, diags), 0);
        char hash[ASH_GIT_HASH_MAX];
        assert_int_equal(ash_git_snapshot(git, ASH_S("f43"), T0, ASH_NOWHERE, hash, diags), -ENOENT);
        ash_git_free(git);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(test_commits), T(test_snapshots), T(test_first_parent), T(test_offline), T(test_tree), T(test_history),
                T(test_uris), T(test_hooks), T(test_damage), T(test_shallow), T(test_missing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
