#pragma once
#include "git.h"

struct AshGit {
        char *uri;          /* as given (a path is absolute); NULL for a local repository */
        char *dir;          /* the repository that is read */
        char *name;         /* for diagnostics */
        AshGitOptions options;
        char *mirror_dir;
        AshLockFile *lock;  /* held while a mirror is in use */
        bool fetched;       /* in this process */
        bool repaired;
};

typedef struct AshGitRun {
        AshSlice input;
        size_t limit;       /* of the output; 0: 256 MiB */
        bool network;
} AshGitRun;

/* Runs git with these arguments (NULL-terminated) in the repository (NULL dir: nowhere). ret->status says how it went; a diagnostic only when git could
 * not be run, ran out of time, or wrote more than the limit. */
int ash_git_run(const AshGit *git, const char *dir, const char *const *args, const AshGitRun *how, AshProcessResult *ret, AshDiags *diags);
/* The same, and anything but status 0 is a failure that quotes git's last line: "what: fatal: ...". */
int ash_git_check(const AshGit *git, const char *const *args, const AshGitRun *how, const char *what, AshProcessResult *ret, AshDiags *diags);
/* The last line of stderr that says something. */
AshSlice ash_git_complaint(const AshProcessResult *r);
bool ash_git_is_hash(AshSlice s, size_t min);
