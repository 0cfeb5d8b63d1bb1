/* For tests: local git repositories with fixed authors and dates. */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "io.h"

/* Runs git in "dir" with author and committer date "when" (seconds since 1970). Fails the test when git does. The output in "out" may be NULL. */
static inline void fixture_git(const char *dir, int64_t when, const char *const *args, AshStr *out) {
        const char *argv[64] = { "git", "-C", dir, "-c", "user.name=Jane Doe", "-c", "user.email=jane@example.org", "-c", "commit.gpgSign=false", "-c", "core.autocrlf=false",
                                 "-c", "uploadpack.allowAnySHA1InWant=true", "-c", "protocol.file.allow=always" };
        size_t n = 15;
        while (argv[n])
                n++;
        for (size_t i = 0; args[i]; i++)
                argv[n++] = args[i];
        argv[n] = NULL;
        char author[64], committer[64];
        snprintf(author, sizeof(author), "GIT_AUTHOR_DATE=@%lld +0000", (long long) when);
        snprintf(committer, sizeof(committer), "GIT_COMMITTER_DATE=@%lld +0000", (long long) when);
        _free_ char *path = ash_asprintf("PATH=%s", getenv("PATH"));
        const char *env[] = { path, "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C", author, committer, NULL };
        _process_result_ AshProcessResult result = {};
        AshProcess p = { .argv = argv, .env = env };
        assert_int_equal(ash_process_run(&p, &result), 0);
        if (result.status != 0)
                fail_msg("git %s: %s", args[0], result.err.ptr);
        if (out)
                ash_str_append(out, ash_slice_trim(ash_str_slice(&result.out)));
}
#define GIT(dir, when, ...) fixture_git(dir, when, (const char *const[]){ __VA_ARGS__, NULL }, NULL)

static inline void fixture_write(const char *dir, const char *name, const char *text) {
        _free_ char *path = ash_path_join(dir, name);
        _free_ char *parent = ash_slice_dup(ash_path_dir(ash_slice_str(path)));
        assert_int_equal(ash_mkdir_all(AT_FDCWD, parent, 0755), 0);
        assert_int_equal(ash_file_write_atomic(AT_FDCWD, path, ash_slice_str(text), 0644, false), 0);
}
/* Everything in the work tree becomes a commit. */
static inline void fixture_commit(const char *dir, int64_t when, const char *message) {
        GIT(dir, when, "add", "-A");
        GIT(dir, when, "commit", "-q", "--allow-empty", "-m", message);
}
static inline char *fixture_head(const char *dir) {
        AshStr out = {};
        fixture_git(dir, 0, (const char *const[]){ "rev-parse", "HEAD", NULL }, &out);
        return ash_str_take(&out);
}
