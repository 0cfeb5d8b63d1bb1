/* Git repositories as a source: a bare mirror of each in the cache, read by the git program in a closed environment (no hooks, no user or system
 * configuration, no prompts, only the protocols asked for). Nothing of a repository is ever checked out or run. */
#pragma once
#include "base.h"
#include "io.h"

#define ASH_GIT_HASH_MAX 65 /* SHA-256 object names: 64 digits and the NUL */

typedef struct AshGitOptions {
        const char *mirror_dir;      /* below it one bare mirror a URI; made when missing */
        bool offline;                /* nothing is fetched: what the mirror has must do */
        bool allow_local;            /* file:// and plain paths may be fetched from (else https, http, ssh and git only) */
        int timeout_ms;              /* of one git command; 0: 10 minutes */
} AshGitOptions;

typedef struct AshGit AshGit;

/* Opens the mirror of a URI (a URI or a local path), fetching nothing yet. -EINVAL for a URI that git could take for something else. */
int ash_git_open(const char *uri, const AshGitOptions *options, AshSpan at, AshGit **ret, AshDiags *diags);
/* Opens a repository on disk (a work tree or a bare one) as it is: for components whose spec lies in one. */
int ash_git_open_local(const char *path, AshGit **ret, AshDiags *diags);
void ash_git_free(AshGit *git);
ASH_DEFINE_CLEANUP(AshGit *, ash_git_free)

/* The commit that an abbreviated (7 digits or more) or full object name means. Fetches only when the mirror has no such commit.
 * -ENOENT: no such commit. */
int ash_git_commit(AshGit *git, AshSlice commit, AshSpan at, char ret[static ASH_GIT_HASH_MAX], AshDiags *diags);
/* The commit of a branch (empty: the repository's own default) that was its tip at a moment: the first commit whose committer date is not after
 * "before" along first parents from the tip (seconds since 1970; INT64_MAX: the tip itself). Fetches unless offline, or unless the mirror was last fetched
 * after that moment. -ENOENT: no such branch, or the branch is younger. */
int ash_git_snapshot(AshGit *git, AshSlice branch, int64_t before, AshSpan at, char ret[static ASH_GIT_HASH_MAX], AshDiags *diags);

/* A commit's committer date, seconds since 1970. */
int ash_git_commit_time(AshGit *git, const char *commit, int64_t *ret, AshDiags *diags);

typedef struct AshGitEntry {
        char *path;                  /* relative, sorted by bytes */
        uint32_t mode;               /* 0100644, 0100755, 0120000; submodules (0160000) are left out */
        char hash[ASH_GIT_HASH_MAX];
        AshSlice data;               /* contents, or a symbolic link's target */
} AshGitEntry;
typedef struct AshGitTree {
        ASH_ARRAY(AshGitEntry) entries;
        AshArena *arena;
} AshGitTree;
void ash_git_tree_done(AshGitTree *tree);
#define _git_tree_ _cleanup_(ash_git_tree_done)
/* All files of a commit, at most "limit" bytes in sum (0: 1 GiB, -ASH_ERR_LIMIT). */
int ash_git_tree(AshGit *git, const char *commit, uint64_t limit, AshGitTree *ret, AshDiags *diags);

typedef struct AshGitCommit {
        char hash[ASH_GIT_HASH_MAX], tree[ASH_GIT_HASH_MAX];
        size_t *parents;             /* indices into commits; a parent that a shallow clone lacks is left out */
        size_t n_parents;
        AshSlice author_name, author_email, message;
        int64_t time;                /* committer date, seconds since 1970, UTC */
        bool boundary;               /* has parents that are not there (shallow clone) */
        /* per path asked for: the blob's object name, or "" */
        const char **blobs;
} AshGitCommit;
typedef struct AshGitHistory {
        ASH_ARRAY(AshGitCommit) commits; /* children before parents; [0] is the commit asked for */
        AshArena *arena;
} AshGitHistory;
void ash_git_history_done(AshGitHistory *history);
#define _git_history_ _cleanup_(ash_git_history_done)
/* All ancestors of a commit with the blobs that stand at "paths" (confined, no newline) in each. */
int ash_git_history(AshGit *git, const char *commit, const char *const *paths, size_t n_paths, AshGitHistory *ret, AshDiags *diags);
/* Contents of many blobs, in the order asked for, in the arena. */
int ash_git_blobs(AshGit *git, const char *const *hashes, size_t n, AshArena *arena, AshSlice *ret, AshDiags *diags);
