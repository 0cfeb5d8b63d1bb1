/* How git is run: nothing of the user's, the system's or the repository's configuration may make it run another program or ask a question. */
#include "git-private.h"

/* Of the caller's environment only what reaches a server through a proxy, or proves who we are to an ssh server. */
static const char *const passed_on[] = {
        "PATH", "TMPDIR", "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR",
        "GIT_EXEC_PATH",
};
static const char *const fixed_env[] = {
        "HOME=/nonexistent", "XDG_CONFIG_HOME=/nonexistent", "LC_ALL=C", "TZ=UTC",
        "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_ATTR_NOSYSTEM=1",
        "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=false", "SSH_ASKPASS=false", "GIT_SSH_COMMAND=ssh -oBatchMode=yes", "GIT_SSH_VARIANT=ssh",
        "GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1", "GIT_OPTIONAL_LOCKS=0", "GIT_FLUSH=0", "GIT_PAGER=cat",
};
static const char *const fixed_args[] = {
        "git", "--no-pager", "--literal-pathspecs",
        "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.attributesFile=/dev/null", "-c", "credential.helper=",
        "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "log.showSignature=false", "-c", "i18n.logOutputEncoding=UTF-8",
        "-c", "core.quotePath=false", "-c", "fetch.recurseSubmodules=false", "-c", "submodule.recurse=false", "-c", "core.alternateRefsCommand=",
};
#define PROTOCOLS "https:http:ssh:git"

static char *protocols_env(const AshGit *git, bool network) {
        if (!network)
                return ash_strdup("GIT_ALLOW_PROTOCOL=");
        return ash_asprintf("GIT_ALLOW_PROTOCOL=%s%s", PROTOCOLS, git->options.allow_local ? ":file" : "");
}

int ash_git_run(const AshGit *git, const char *dir, const char *const *args, const AshGitRun *how, AshProcessResult *ret, AshDiags *diags) {
        static const AshGitRun plain = {};
        if (!how)
                how = &plain;
        _free_ char *git_dir = dir ? ash_asprintf("--git-dir=%s", dir) : NULL;
        _free_ char *protocols = protocols_env(git, how->network);
        const char *argv[96], *env[64];
        size_t n = 0, m = 0;
        for (size_t i = 0; i < ASH_N(fixed_args); i++)
                argv[n++] = fixed_args[i];
        if (git_dir)
                argv[n++] = git_dir;
        for (size_t i = 0; args[i]; i++) {
                if (n + 2 > ASH_N(argv))
                        return ash_fail(diags, -E2BIG, ASH_NOWHERE, "too many arguments for git");
                argv[n++] = args[i];
        }
        argv[n] = NULL;
        char *passed[ASH_N(passed_on)] = {};
        for (size_t i = 0; i < ASH_N(passed_on); i++) {
                const char *v = getenv(passed_on[i]);
                if (v)
                        env[m++] = passed[i] = ash_asprintf("%s=%s", passed_on[i], v);
        }
        for (size_t i = 0; i < ASH_N(fixed_env); i++)
                env[m++] = fixed_env[i];
        env[m++] = protocols;
        env[m] = NULL;
        AshProcess p = { .argv = argv, .env = env, .cwd = "/", .input = how->input, .timeout_ms = git->options.timeout_ms > 0 ? git->options.timeout_ms : 600000,
                         .output_limit = how->limit ? how->limit : (size_t) 256 << 20 };
        int r = ash_process_run(&p, ret);
        for (size_t i = 0; i < ASH_N(passed_on); i++)
                free(passed[i]);
        if (r == -ENOENT) {
                ash_fail(diags, r, ASH_NOWHERE, "the program git is not installed");
                ash_hint(diags, "install the package git");
                return r;
        }
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "%s: git %s: %s", git->name, args[0], ash_strerror(r));
        if (ret->timed_out)
                return ash_fail(diags, -ASH_ERR_AGAIN, ASH_NOWHERE, "%s: git %s did not end within %d s", git->name, args[0], p.timeout_ms / 1000);
        return 0;
}

AshSlice ash_git_complaint(const AshProcessResult *r) {
        AshSlice rest = ash_str_slice(&r->err), line, last = ASH_S("git gave no reason");
        while (ash_slice_next_line(&rest, &line)) {
                line = ash_slice_trim(line);
                if (ash_slice_starts(line, ASH_S("fatal: ")) || ash_slice_starts(line, ASH_S("error: ")))
                        return ash_slice_from(line, 7);
                if (line.len > 0)
                        last = line;
        }
        return last;
}

int ash_git_check(const AshGit *git, const char *const *args, const AshGitRun *how, const char *what, AshProcessResult *ret, AshDiags *diags) {
        int r = ash_git_run(git, git->dir, args, how, ret, diags);
        if (r < 0)
                return r;
        if (ret->status == 0)
                return 0;
        AshSlice why = ash_git_complaint(ret);
        return ash_fail(diags, -EIO, ASH_NOWHERE, "%s: %s: %.*s", git->name, what, ASH_F(why));
}

bool ash_git_is_hash(AshSlice s, size_t min) {
        if (s.len < min || s.len > 64)
                return false;
        for (size_t i = 0; i < s.len; i++)
                if (!strchr("0123456789abcdefABCDEF", s.ptr[i]) || !s.ptr[i])
                        return false;
        return true;
}
