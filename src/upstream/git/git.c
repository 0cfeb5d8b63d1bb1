/* Mirrors and what commit a name, a branch or a date means. */
#include <inttypes.h>
#include <sys/file.h>
#include "git-private.h"

static const char *const schemes[] = { "https://", "http://", "ssh://", "git://" };

static bool starts(const char *s, const char *prefix) {
        return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* What git might read as an option, a remote helper ("ext::sh -c ...") or an ssh option is refused here, not by luck later. */
static int check_uri(const char *uri, const AshGitOptions *options, AshSpan at, char **ret, AshDiags *diags) {
        for (const char *c = uri; *c; c++)
                if ((unsigned char) *c <= ' ' || *c == 0x7f)
                        return ash_fail(diags, -EINVAL, at, "the git URI has a space or a control character in it");
        for (size_t i = 0; i < ASH_N(schemes); i++)
                if (starts(uri, schemes[i])) {
                        const char *host = uri + strlen(schemes[i]);
                        if (*host == '-' || *host == 0 || *host == '/')
                                return ash_fail(diags, -EINVAL, at, "the git URI '%s' has no usable host", uri);
                        *ret = ash_strdup(uri);
                        return 0;
                }
        const char *path = starts(uri, "file://") ? uri + 7 : uri;
        bool local = path != uri || *uri == '/' || *uri == '.';
        if (!local)
                return ash_fail(diags, -EINVAL, at, "'%s' is no git URI: expected https://, http://, ssh://, git://, file:// or a path that starts with / or .", uri);
        if (!options->allow_local)
                return ash_fail(diags, -EPERM, at, "'%s' is a local git repository, and those are not allowed here", uri);
        char *real = realpath(path, NULL);
        if (!real) {
                int e = errno;
                if (e == ENOENT)
                        return ash_fail(diags, -ENOENT, at, "there is no git repository at '%s'", path);
                return ash_fail(diags, -e, at, "%s: %s", path, ash_strerror(-e));
        }
        *ret = real;
        return 0;
}

static char *mirror_name(const char *uri) {
        char hex[ASH_HEX_MAX];
        ash_digest_hex_of(ASH_SHA256, ash_slice_str(uri), hex);
        AshSlice base = ash_path_base(ash_slice_str(uri));
        if (ash_slice_ends(base, ASH_S(".git")))
                base.len -= 4;
        char plain[49];
        size_t n = 0;
        for (size_t i = 0; i < base.len && n < sizeof(plain) - 1; i++) {
                char c = base.ptr[i];
                bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '+' || (c == '.' && n > 0);
                plain[n++] = ok ? c : '_';
        }
        plain[n] = 0;
        return ash_asprintf("%s-%.24s", plain, hex);
}

static int make_mirror(AshGit *git, AshDiags *diags) {
        struct stat st;
        if (stat(git->dir, &st) == 0)
                return 0;
        /* A mirror appears whole: made beside its place, then renamed. We hold its lock. */
        _free_ char *fresh = ash_asprintf("%s.new", git->dir);
        (void) ash_remove_all(AT_FDCWD, fresh);
        _process_result_ AshProcessResult result = {};
        int r = ash_git_run(git, NULL, (const char *const[]){ "init", "--quiet", "--bare", "--template=", "--", fresh, NULL }, NULL, &result, diags);
        if (r < 0)
                return r;
        if (result.status != 0) {
                AshSlice why = ash_git_complaint(&result);
                return ash_fail(diags, -EIO, ASH_NOWHERE, "cannot make the git mirror %s: %.*s", fresh, ASH_F(why));
        }
        if (rename(fresh, git->dir) < 0)
                return ash_fail(diags, -errno, ASH_NOWHERE, "%s: %s", git->dir, ash_strerror(-errno));
        return 0;
}

int ash_git_open(const char *uri, const AshGitOptions *options, AshSpan at, AshGit **ret, AshDiags *diags) {
        _cleanup_(ash_git_free_p) AshGit *git = ash_calloc(1, sizeof(*git));
        git->options = *options;
        int r = check_uri(uri, options, at, &git->uri, diags);
        if (r < 0)
                return r;
        git->name = ash_strdup(uri);
        r = ash_mkdir_all(AT_FDCWD, options->mirror_dir, 0755);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "cannot make the directory %s: %s", options->mirror_dir, ash_strerror(r));
        git->mirror_dir = realpath(options->mirror_dir, NULL);
        if (!git->mirror_dir)
                return ash_fail(diags, -errno, ASH_NOWHERE, "%s: %s", options->mirror_dir, ash_strerror(-errno));
        git->options.mirror_dir = git->mirror_dir;
        _free_ char *name = mirror_name(git->uri);
        git->dir = ash_asprintf("%s/%s.git", git->mirror_dir, name);
        _free_ char *lock = ash_asprintf("%s.lock", git->dir);
        r = ash_lock_acquire(AT_FDCWD, lock, true, git->options.timeout_ms > 0 ? git->options.timeout_ms : 600000, &git->lock);
        if (r == -EAGAIN)
                return ash_fail(diags, -ASH_ERR_AGAIN, ASH_NOWHERE, "the mirror of %s is in use by another process", uri);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "%s: %s", lock, ash_strerror(r));
        *ret = ASH_TAKE(git);
        return 0;
}

int ash_git_open_local(const char *path, AshGit **ret, AshDiags *diags) {
        _cleanup_(ash_git_free_p) AshGit *git = ash_calloc(1, sizeof(*git));
        git->options.offline = true;
        git->name = ash_strdup(path);
        _free_ char *real = realpath(path, NULL);
        if (!real)
                return ash_fail(diags, -errno, ASH_NOWHERE, "%s: %s", path, ash_strerror(-errno));
        _process_result_ AshProcessResult result = {};
        int r = ash_git_run(git, NULL, (const char *const[]){ "-C", real, "rev-parse", "--absolute-git-dir", NULL }, NULL, &result, diags);
        if (r < 0)
                return r;
        if (result.status != 0) {
                AshSlice why = ash_git_complaint(&result);
                return ash_fail(diags, -ENOENT, ASH_NOWHERE, "%s is in no git repository: %.*s", path, ASH_F(why));
        }
        git->dir = ash_slice_dup(ash_slice_trim_right(ash_str_slice(&result.out)));
        *ret = ASH_TAKE(git);
        return 0;
}

void ash_git_free(AshGit *git) {
        if (!git)
                return;
        ash_lock_free(git->lock);
        free(git->uri);
        free(git->dir);
        free(git->name);
        free(git->mirror_dir);
        free(git);
}

/* ---- fetching ---- */
static const char *const passing_faults[] = {
        "Could not resolve host", "Connection refused", "Connection timed out", "Connection reset", "Operation timed out", "Failed to connect", "early EOF",
        "The requested URL returned error: 5", "the remote end hung up", "RPC failed", "Network is unreachable",
};

static int fetch_failed(const AshGit *git, const AshProcessResult *result, AshSpan at, AshDiags *diags) {
        AshSlice why = ash_git_complaint(result), all = ash_str_slice(&result->err);
        int code = -EIO;
        for (size_t i = 0; i < ASH_N(passing_faults); i++)
                if (ash_slice_find(all, ash_slice_str(passing_faults[i])) >= 0)
                        code = -ASH_ERR_AGAIN;
        if (ash_slice_find(all, ASH_S("does not appear to be a git repository")) >= 0 || ash_slice_find(all, ASH_S("not found")) >= 0)
                code = -ENOENT;
        return ash_fail(diags, code, at, "cannot fetch from %s: %.*s", git->name, ASH_F(why));
}

static int run_fetch(AshGit *git, const char *refspec, AshProcessResult *result, AshDiags *diags) {
        const char *const args[] = { "fetch", "--quiet", "--force", "--prune", "--no-tags", "--update-shallow", "--no-write-fetch-head", "--no-auto-maintenance",
                                     "--end-of-options", git->uri, refspec, NULL };
        return ash_git_run(git, git->dir, args, &(AshGitRun){ .network = true }, result, diags);
}

static void note_fetch_time(const AshGit *git) {
        _free_ char *path = ash_asprintf("%s/ashlar-fetched", git->dir);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd >= 0)
                close(fd);
}

static bool fetched_after(const AshGit *git, int64_t when) {
        _free_ char *path = ash_asprintf("%s/ashlar-fetched", git->dir);
        struct stat st;
        return stat(path, &st) == 0 && st.st_mtime > when;
}

static int offline(const AshGit *git, AshSpan at, AshDiags *diags) {
        ash_fail(diags, -ASH_ERR_AGAIN, at, "%s is not in the cache, or not all of it, and this run is offline", git->name);
        ash_hint(diags, "run once without --offline");
        return -ASH_ERR_AGAIN;
}

static int fetch_branches(AshGit *git, AshSpan at, AshDiags *diags) {
        if (git->fetched)
                return 0;
        int r = make_mirror(git, diags);
        if (r < 0)
                return r;
        _process_result_ AshProcessResult result = {};
        r = run_fetch(git, "+refs/heads/*:refs/heads/*", &result, diags);
        if (r < 0)
                return r;
        if (result.status != 0)
                return fetch_failed(git, &result, at, diags);
        git->fetched = true;
        note_fetch_time(git);
        return 0;
}

/* ---- commits ---- */
/* 1: found; 0: none. Object names are looked up as such: a branch that is called like one must not shadow it. */
static int find_commit(AshGit *git, AshSlice commit, AshSpan at, char *ret, AshDiags *diags) {
        struct stat st;
        if (stat(git->dir, &st) < 0)
                return 0;
        _free_ char *arg = ash_asprintf("--disambiguate=%.*s", ASH_F(commit));
        _process_result_ AshProcessResult names = {}, types = {};
        int r = ash_git_check(git, (const char *const[]){ "rev-parse", arg, NULL }, NULL, "cannot look up a commit", &names, diags);
        if (r < 0)
                return r;
        if (names.out.len == 0)
                return 0;
        AshGitRun how = { .input = ash_str_slice(&names.out) };
        r = ash_git_check(git, (const char *const[]){ "cat-file", "--batch-check=%(objectname) %(objecttype)", NULL }, &how, "cannot look up a commit", &types, diags);
        if (r < 0)
                return r;
        AshSlice rest = ash_str_slice(&types.out), line;
        char found[ASH_GIT_HASH_MAX] = "";
        unsigned n = 0;
        while (ash_slice_next_line(&rest, &line)) {
                if (!ash_slice_ends(line, ASH_S(" commit")) || line.len - 7 >= sizeof(found))
                        continue;
                n++;
                memcpy(found, line.ptr, line.len - 7);
                found[line.len - 7] = 0;
        }
        if (n > 1)
                return ash_fail(diags, -EINVAL, at, "%u commits of %s start with %.*s; give more digits", n, git->name, ASH_F(commit));
        memcpy(ret, found, sizeof(found));
        return n;
}

int ash_git_commit(AshGit *git, AshSlice commit, AshSpan at, char ret[static ASH_GIT_HASH_MAX], AshDiags *diags) {
        if (!ash_git_is_hash(commit, 7))
                return ash_fail(diags, -EINVAL, at, "'%.*s' is no commit: expected 7 to 40 hexadecimal digits", ASH_F(commit));
        int r = find_commit(git, commit, at, ret, diags);
        if (r < 0)
                return r;
        if (r > 0)
                return 0;
        if (!git->uri)
                return ash_fail(diags, -ENOENT, at, "%s has no commit %.*s", git->name, ASH_F(commit));
        if (git->options.offline)
                return offline(git, at, diags);
        r = fetch_branches(git, at, diags);
        if (r < 0)
                return r;
        r = find_commit(git, commit, at, ret, diags);
        if (r != 0)
                return r < 0 ? r : 0;
        /* A commit that no branch holds any more: servers give it out by its full name, when they allow that. */
        if (commit.len == 40 || commit.len == 64) {
                _free_ char *name = ash_slice_dup(commit);
                _process_result_ AshProcessResult ignored = {};
                r = run_fetch(git, name, &ignored, diags);
                if (r >= 0 && ignored.status == 0)
                        r = find_commit(git, commit, at, ret, diags);
                else if (r >= 0)
                        r = 0;
                if (r != 0)
                        return r < 0 ? r : 0;
        }
        return ash_fail(diags, -ENOENT, at, "%s has no commit %.*s", git->name, ASH_F(commit));
}

static bool branch_ok(AshSlice b) {
        if (b.len == 0 || b.len > 255 || b.ptr[0] == '-' || b.ptr[0] == '/' || ash_slice_ends(b, ASH_S("/")) || ash_slice_ends(b, ASH_S(".lock")))
                return false;
        for (size_t i = 0; i < b.len; i++)
                if ((unsigned char) b.ptr[i] <= ' ' || strchr("~^:?*[\\\x7f", b.ptr[i]))
                        return false;
        return ash_slice_find(b, ASH_S("..")) < 0 && ash_slice_find(b, ASH_S("@{")) < 0 && ash_slice_find(b, ASH_S("//")) < 0;
}

static int fetch_head(AshGit *git, AshSpan at, AshDiags *diags) {
        _process_result_ AshProcessResult result = {};
        int r = run_fetch(git, "+HEAD:refs/ashlar/HEAD", &result, diags);
        if (r < 0)
                return r;
        return result.status == 0 ? 0 : fetch_failed(git, &result, at, diags);
}

/* The tip of a ref: 1 and its commit, or 0. */
static int ref_tip(AshGit *git, const char *ref, char *ret, AshDiags *diags) {
        struct stat st;
        if (stat(git->dir, &st) < 0)
                return 0;
        _free_ char *arg = ash_asprintf("%s^{commit}", ref);
        _process_result_ AshProcessResult result = {};
        int r = ash_git_run(git, git->dir, (const char *const[]){ "rev-parse", "--verify", "--quiet", "--end-of-options", arg, NULL }, NULL, &result, diags);
        if (r < 0)
                return r;
        AshSlice hash = ash_slice_trim(ash_str_slice(&result.out));
        if (result.status != 0 || !ash_git_is_hash(hash, 40))
                return 0;
        memcpy(ret, hash.ptr, hash.len);
        ret[hash.len] = 0;
        return 1;
}

static int no_branch(const AshGit *git, AshSlice branch, AshSpan at, AshDiags *diags) {
        _process_result_ AshProcessResult result = {};
        int r = ash_git_run(git, git->dir, (const char *const[]){ "for-each-ref", "--format=%(refname:strip=2)", "refs/heads/", NULL }, NULL, &result, NULL);
        if (branch.len > 0)
                ash_fail(diags, -ENOENT, at, "%s has no branch '%.*s'", git->name, ASH_F(branch));
        else
                ash_fail(diags, -ENOENT, at, "%s has no default branch", git->name);
        AshSlice rest = ash_str_slice(&result.out), line, names[256];
        size_t n = 0;
        while (r >= 0 && n < ASH_N(names) && ash_slice_next_line(&rest, &line))
                names[n++] = line;
        ptrdiff_t near = ash_slice_nearest(branch, names, n);
        if (near >= 0)
                ash_hint(diags, "did you mean '%.*s'?", ASH_F(names[near]));
        else if (n == 0)
                ash_hint(diags, "the repository has no branches at all");
        return -ENOENT;
}

static int commit_before(AshGit *git, const char *tip, AshSlice branch, int64_t before, AshSpan at, char *ret, AshDiags *diags) {
        _free_ char *limit = ash_asprintf("--min-age=%" PRId64, before);
        _process_result_ AshProcessResult result = {};
        const char *const args[] = { "rev-list", "--first-parent", "--max-count=1", limit, tip, "--", NULL };
        int r = ash_git_check(git, args, NULL, "cannot read the history", &result, diags);
        if (r < 0)
                return r;
        AshSlice hash = ash_slice_trim(ash_str_slice(&result.out));
        if (!ash_git_is_hash(hash, 40)) {
                char text[32];
                struct tm tm;
                time_t t = before;
                strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
                return ash_fail(diags, -ENOENT, at, "branch '%.*s' of %s has no commit as old as %s", ASH_F(branch), git->name, text);
        }
        memcpy(ret, hash.ptr, hash.len);
        ret[hash.len] = 0;
        return 0;
}

int ash_git_snapshot(AshGit *git, AshSlice branch, int64_t before, AshSpan at, char ret[static ASH_GIT_HASH_MAX], AshDiags *diags) {
        if (branch.len > 0 && !branch_ok(branch))
                return ash_fail(diags, -EINVAL, at, "'%.*s' is no branch name", ASH_F(branch));
        if (git->uri && !git->options.offline && !fetched_after(git, before)) {
                int r = fetch_branches(git, at, diags);
                if (r < 0)
                        return r;
        }
        _free_ char *ref = branch.len > 0 ? ash_asprintf("refs/heads/%.*s", ASH_F(branch)) : ash_strdup(git->uri ? "refs/ashlar/HEAD" : "HEAD");
        char tip[ASH_GIT_HASH_MAX] = "";
        int r;
        if (branch.len == 0 && git->uri && !git->options.offline) {
                r = make_mirror(git, diags);
                if (r >= 0)
                        r = fetch_head(git, at, diags);
                if (r < 0)
                        return r;
        }
        r = ref_tip(git, ref, tip, diags);
        if (r == 0 && git->uri && !git->options.offline && !git->fetched) {
                r = fetch_branches(git, at, diags); /* a branch that is newer than the mirror */
                if (r >= 0)
                        r = ref_tip(git, ref, tip, diags);
        }
        if (r < 0)
                return r;
        struct stat st;
        if (r == 0 && stat(git->dir, &st) < 0)
                return offline(git, at, diags);
        if (r == 0)
                return no_branch(git, branch, at, diags);
        return commit_before(git, tip, branch, before, at, ret, diags);
}
