/* Reading commits, trees and blobs, each with one git process for all of them. */
#include "git-private.h"

static int damaged(const AshGit *git, AshDiags *diags) {
        ash_fail(diags, -EIO, ASH_NOWHERE, "%s: git gave an incomplete answer; the repository is damaged or cut short", git->name);
        if (git->uri)
                ash_hint(diags, "remove the mirror %s; it will be fetched again", git->dir);
        return -EIO;
}

/* ---- blobs ---- */
/* One object off the output of "cat-file --batch": "NAME TYPE SIZE\n" contents "\n". */
static int next_object(const AshGit *git, AshSlice *rest, AshSlice *ret, AshDiags *diags) {
        AshSlice line, word[3];
        if (!ash_slice_next_line(rest, &line))
                return damaged(git, diags);
        AshSlice words = line;
        unsigned n = 0;
        while (n < 3 && ash_slice_next_word(&words, &word[n]))
                n++;
        uint64_t size;
        if (n == 2 && ash_slice_eqs(word[1], "missing")) {
                ash_fail(diags, -EIO, ASH_NOWHERE, "%s lacks the object %.*s; the repository is damaged or cut short", git->name, ASH_F(word[0]));
                if (git->uri)
                        ash_hint(diags, "remove the mirror %s; it will be fetched again", git->dir);
                return -EIO;
        }
        if (n < 3 || ash_slice_to_u64(word[2], 10, &size) < 0 || size >= rest->len)
                return damaged(git, diags);
        *ret = ash_slice_sub(*rest, 0, size);
        *rest = ash_slice_from(*rest, size + 1);
        return 0;
}

static int read_blobs(AshGit *git, AshSlice names, size_t n, size_t limit, AshArena *arena, AshSlice *ret, AshDiags *diags) {
        _process_result_ AshProcessResult result = {};
        AshGitRun how = { .input = names, .limit = limit };
        int r = ash_git_check(git, (const char *const[]){ "cat-file", "--batch", NULL }, &how, "cannot read the files of a commit", &result, diags);
        if (r < 0)
                return r;
        AshSlice rest = ash_str_slice(&result.out);
        for (size_t i = 0; i < n; i++) {
                AshSlice data;
                r = next_object(git, &rest, &data, diags);
                if (r < 0)
                        return r;
                ret[i] = ash_arena_slice(arena, data);
        }
        return 0;
}

int ash_git_blobs(AshGit *git, const char *const *hashes, size_t n, AshArena *arena, AshSlice *ret, AshDiags *diags) {
        if (n == 0)
                return 0;
        _str_ AshStr names = {};
        for (size_t i = 0; i < n; i++)
                ash_str_appendf(&names, "%s\n", hashes[i]);
        return read_blobs(git, ash_str_slice(&names), n, (size_t) 2 << 30, arena, ret, diags);
}

/* ---- trees ---- */
/* "MODE TYPE HASH    SIZE\tPATH" */
static int tree_line(const AshGit *git, AshSlice line, AshGitTree *tree, uint64_t *sum, AshDiags *diags) {
        ptrdiff_t tab = ash_slice_find_char(line, '\t');
        AshSlice head = ash_slice_sub(line, 0, tab < 0 ? line.len : (size_t) tab), word[4];
        unsigned n = 0;
        while (n < 4 && ash_slice_next_word(&head, &word[n]))
                n++;
        uint64_t mode, size = 0;
        if (tab < 0 || n < 4 || ash_slice_to_u64(word[0], 8, &mode) < 0 || !ash_git_is_hash(word[2], 40))
                return damaged(git, diags);
        AshSlice path = ash_slice_from(line, (size_t) tab + 1);
        if (ash_slice_eqs(word[1], "commit"))
                return 0; /* a submodule */
        (void) ash_slice_to_u64(word[3], 10, &size);
        *sum += size;
        /* A tree made by hand can hold any name. */
        _free_ char *normal = ash_path_normalize(path);
        if (!ash_path_is_confined(path) || !ash_slice_eqs(path, normal) || ash_slice_starts(path, ASH_S(".git/")) || ash_slice_find(path, ASH_S("/.git/")) >= 0)
                return ash_fail(diags, -EINVAL, ASH_NOWHERE, "%s: the commit holds a file with the unusable name '%.*s'", git->name, ASH_F(path));
        AshGitEntry *e = ash_array_add(&tree->entries);
        e->path = ash_arena_strndup(tree->arena, path.ptr, path.len);
        e->mode = (uint32_t) mode;
        memcpy(e->hash, word[2].ptr, word[2].len);
        return 0;
}

static int compare_entries(const void *a, const void *b) {
        return strcmp(((const AshGitEntry *) a)->path, ((const AshGitEntry *) b)->path);
}

int ash_git_tree(AshGit *git, const char *commit, uint64_t limit, AshGitTree *ret, AshDiags *diags) {
        if (limit == 0)
                limit = (uint64_t) 1 << 30;
        _process_result_ AshProcessResult result = {};
        const char *const args[] = { "ls-tree", "-r", "-z", "-l", "--full-tree", commit, NULL };
        int r = ash_git_check(git, args, NULL, "cannot list the files of a commit", &result, diags);
        if (r < 0)
                return r;
        _git_tree_ AshGitTree tree = { .arena = ash_arena_new() };
        AshSlice rest = ash_str_slice(&result.out), line;
        uint64_t sum = 0;
        while (ash_slice_split(&rest, '\0', &line)) {
                if (line.len == 0)
                        continue;
                r = tree_line(git, line, &tree, &sum, diags);
                if (r < 0)
                        return r;
        }
        if (sum > limit)
                return ash_fail(diags, -ASH_ERR_LIMIT, ASH_NOWHERE, "%s: the files of commit %s are larger than %llu bytes", git->name, commit, (unsigned long long) limit);
        size_t n = tree.entries.n;
        _free_ const char **hashes = ash_calloc(n + 1, sizeof(*hashes));
        _free_ AshSlice *data = ash_calloc(n + 1, sizeof(*data));
        for (size_t i = 0; i < n; i++)
                hashes[i] = tree.entries.items[i].hash;
        r = ash_git_blobs(git, hashes, n, tree.arena, data, diags);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                tree.entries.items[i].data = data[i];
        if (n > 0)
                qsort(tree.entries.items, n, sizeof(AshGitEntry), compare_entries);
        *ret = tree;
        tree = (AshGitTree) {};
        return 0;
}

void ash_git_tree_done(AshGitTree *tree) {
        ash_array_done(&tree->entries);
        ash_arena_free(tree->arena);
        *tree = (AshGitTree) {};
}

int ash_git_commit_time(AshGit *git, const char *commit, int64_t *ret, AshDiags *diags) {
        _process_result_ AshProcessResult result = {};
        const char *const args[] = { "log", "--max-count=1", "--no-color", "--no-patch", "--format=tformat:%ct", commit, "--", NULL };
        int r = ash_git_check(git, args, NULL, "cannot read a commit", &result, diags);
        if (r < 0)
                return r;
        uint64_t when;
        if (ash_slice_to_u64(ash_slice_trim(ash_str_slice(&result.out)), 10, &when) < 0)
                return damaged(git, diags);
        *ret = (int64_t) when;
        return 0;
}

/* ---- history ---- */
enum { FIELD_HASH, FIELD_TREE, FIELD_PARENTS, FIELD_NAME, FIELD_EMAIL, FIELD_TIME, FIELD_MESSAGE, N_FIELDS };

static int add_commit(const AshGit *git, const AshSlice *field, AshGitHistory *h, AshDiags *diags) {
        uint64_t when;
        if (!ash_git_is_hash(field[FIELD_HASH], 40) || !ash_git_is_hash(field[FIELD_TREE], 40) || ash_slice_to_u64(field[FIELD_TIME], 10, &when) < 0)
                return damaged(git, diags);
        AshGitCommit *c = ash_array_add(&h->commits);
        memcpy(c->hash, field[FIELD_HASH].ptr, field[FIELD_HASH].len);
        memcpy(c->tree, field[FIELD_TREE].ptr, field[FIELD_TREE].len);
        c->author_name = ash_arena_slice(h->arena, field[FIELD_NAME]);
        c->author_email = ash_arena_slice(h->arena, field[FIELD_EMAIL]);
        c->message = ash_arena_slice(h->arena, field[FIELD_MESSAGE]);
        c->time = (int64_t) when;
        return 0;
}

static void link_parents(AshGitHistory *h, const AshSlice *parents) {
        _map_ AshMap index = {};
        ash_map_reserve(&index, h->commits.n);
        for (size_t i = 0; i < h->commits.n; i++)
                ash_map_put(&index, ash_slice_str(h->commits.items[i].hash), (void *) (uintptr_t) (i + 1), NULL);
        for (size_t i = 0; i < h->commits.n; i++) {
                AshGitCommit *c = &h->commits.items[i];
                AshSlice rest = parents[i], hash;
                c->parents = ash_arena_calloc(h->arena, parents[i].len / 41 + 1, sizeof(size_t));
                while (ash_slice_next_word(&rest, &hash)) {
                        uintptr_t at = (uintptr_t) ash_map_get(&index, hash);
                        if (at)
                                c->parents[c->n_parents++] = at - 1;
                        else
                                c->boundary = true;
                }
        }
}

static int read_commits(AshGit *git, const char *commit, AshGitHistory *h, AshDiags *diags) {
        _process_result_ AshProcessResult result = {};
        const char *const args[] = { "log", "-z", "--topo-order", "--no-color", "--no-notes", "--no-decorate", "--no-patch",
                                     "--format=tformat:%H%x00%T%x00%P%x00%an%x00%ae%x00%ct%x00%B", commit, "--", NULL };
        int r = ash_git_check(git, args, NULL, "cannot read the history", &result, diags);
        if (r < 0)
                return r;
        ASH_ARRAY(AshSlice) parents = {};
        AshSlice rest = ash_str_slice(&result.out), field[N_FIELDS];
        size_t n = 0;
        r = 0;
        while (r >= 0 && rest.len > 0 && ash_slice_split(&rest, '\0', &field[n]))
                if (++n == N_FIELDS) {
                        n = 0;
                        ash_array_push(&parents, field[FIELD_PARENTS]);
                        r = add_commit(git, field, h, diags);
                }
        if (r >= 0 && (n != 0 || h->commits.n == 0))
                r = damaged(git, diags);
        if (r >= 0)
                link_parents(h, parents.items);
        ash_array_done(&parents);
        return r;
}

/* git leaves out the parents of a shallow commit altogether; the file "shallow" says which commits those are. */
static void mark_shallow(const AshGit *git, AshGitHistory *h) {
        _free_ char *path = ash_asprintf("%s/shallow", git->dir);
        _bytes_ AshBytes b = {};
        if (ash_file_read(AT_FDCWD, path, 64 << 20, &b) < 0)
                return;
        _map_ AshMap cut = {};
        AshSlice rest = ash_bytes_slice(&b), line;
        while (ash_slice_next_line(&rest, &line))
                ash_map_put(&cut, ash_slice_trim(line), &cut, NULL);
        ash_array_foreach(&h->commits, c)
                if (ash_map_get(&cut, ash_slice_str(c->hash)))
                        c->boundary = true;
}

static int read_paths(AshGit *git, const char *const *paths, size_t n_paths, AshGitHistory *h, AshDiags *diags) {
        _str_ AshStr ask = {};
        ash_array_foreach(&h->commits, c)
                for (size_t i = 0; i < n_paths; i++)
                        ash_str_appendf(&ask, "%s:%s\n", c->hash, paths[i]);
        _process_result_ AshProcessResult result = {};
        AshGitRun how = { .input = ash_str_slice(&ask) };
        int r = ash_git_check(git, (const char *const[]){ "cat-file", "--batch-check=%(objecttype) %(objectname)", NULL }, &how, "cannot read the history", &result, diags);
        if (r < 0)
                return r;
        AshSlice rest = ash_str_slice(&result.out), line;
        ash_array_foreach(&h->commits, c) {
                c->blobs = ash_arena_calloc(h->arena, n_paths + 1, sizeof(char *));
                for (size_t i = 0; i < n_paths; i++) {
                        if (!ash_slice_next_line(&rest, &line))
                                return damaged(git, diags);
                        bool blob = ash_slice_starts(line, ASH_S("blob ")) && ash_git_is_hash(ash_slice_from(line, 5), 40);
                        c->blobs[i] = blob ? ash_arena_strndup(h->arena, line.ptr + 5, line.len - 5) : "";
                }
        }
        return 0;
}

int ash_git_history(AshGit *git, const char *commit, const char *const *paths, size_t n_paths, AshGitHistory *ret, AshDiags *diags) {
        for (size_t i = 0; i < n_paths; i++)
                if (!ash_path_is_confined(ash_slice_str(paths[i])) || strchr(paths[i], '\n'))
                        return ash_fail(diags, -EINVAL, ASH_NOWHERE, "'%s' is no path in a repository", paths[i]);
        _git_history_ AshGitHistory h = { .arena = ash_arena_new() };
        int r = read_commits(git, commit, &h, diags);
        if (r < 0)
                return r;
        mark_shallow(git, &h);
        r = read_paths(git, paths, n_paths, &h, diags);
        if (r < 0)
                return r;
        *ret = h;
        h = (AshGitHistory) {};
        return 0;
}

void ash_git_history_done(AshGitHistory *h) {
        ash_array_done(&h->commits);
        ash_arena_free(h->arena);
        *h = (AshGitHistory) {};
}
