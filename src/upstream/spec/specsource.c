/* A component's files as upstream has them. */
#include <dirent.h>
#include "autospec.h"
#include "git.h"
#include "specsource-private.h"

#define MAX_TREE_BYTES ((uint64_t) 1 << 30)
#define MAX_TREE_FILES 100000

static const char *const kind_names[] = { "local", "directory", "dist-git" };
const char *ash_spec_kind_name(AshSpecKind kind) {
        return kind >= 0 && kind < ASH_SPEC_MAX_ ? kind_names[kind] : NULL;
}

void ash_spec_tree_free(AshSpecTree *tree) {
        if (!tree)
                return;
        ash_array_done(&tree->files);
        ash_arena_free(tree->arena);
        free(tree);
}

const AshSpecFile *ash_spec_tree_find(const AshSpecTree *tree, AshSlice path) {
        ash_array_foreach(&tree->files, f)
                if (ash_slice_eqs(path, f->path))
                        return f;
        return NULL;
}

static AshSpecTree *tree_new(AshSpecKind kind, AshSlice package) {
        AshSpecTree *tree = ash_calloc(1, sizeof(*tree));
        tree->arena = ash_arena_new();
        tree->kind = kind;
        tree->package = ash_arena_slice(tree->arena, package);
        return tree;
}

/* ---- adding files ---- */
typedef struct Loader {
        AshSpecTree *tree;
        int dirfd;
        const char *dir;     /* for diagnostics */
        uint64_t bytes;
        AshDiags *diags;
} Loader;

/* A link must lead to a place within the tree: what it names is packed with the sources. */
static bool link_stays(const char *path, AshSlice target) {
        if (target.len == 0 || target.ptr[0] == '/' || memchr(target.ptr, 0, target.len))
                return false;
        AshSlice dir = ash_path_dir(ash_slice_str(path));
        _free_ char *joined = ash_asprintf("%.*s/%.*s", ASH_F(dir), ASH_F(target));
        _free_ char *normal = ash_path_normalize(ash_slice_str(joined));
        return ash_path_is_confined(ash_slice_str(normal));
}

static int add_file(Loader *l, const char *path, mode_t mode, AshSlice data) {
        if (S_ISLNK(mode) && !link_stays(path, data))
                return ash_fail(l->diags, -EINVAL, ASH_NOWHERE, "%s: the symbolic link '%s' leads out of it (to '%.*s')", l->dir, path, ASH_F(data));
        l->bytes += data.len;
        if (l->bytes > MAX_TREE_BYTES || l->tree->files.n >= MAX_TREE_FILES)
                return ash_fail(l->diags, -ASH_ERR_LIMIT, ASH_NOWHERE, "%s: more than %d files or 1 GiB beside one spec", l->dir, MAX_TREE_FILES);
        AshSpecFile *f = ash_array_add(&l->tree->files);
        f->path = ash_arena_strdup(l->tree->arena, path);
        f->mode = S_ISLNK(mode) ? S_IFLNK | 0777 : mode & 0111 ? 0755 : 0644;
        f->data = ash_arena_slice(l->tree->arena, data);
        return 0;
}

static int load_link(Loader *l, const char *path) {
        char target[4096];
        ssize_t n = readlinkat(l->dirfd, path, target, sizeof(target));
        if (n < 0 || (size_t) n == sizeof(target))
                return ash_fail(l->diags, n < 0 ? -errno : -ENAMETOOLONG, ASH_NOWHERE, "%s/%s: %s", l->dir, path, ash_strerror(n < 0 ? -errno : -ENAMETOOLONG));
        return add_file(l, path, S_IFLNK, ash_slice(target, (size_t) n));
}

static int load_file(Loader *l, const char *path) {
        _close_ int fd = ash_open_beneath(l->dirfd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
        struct stat st;
        if (fd < 0 || fstat(fd, &st) < 0) {
                int r = fd < 0 ? fd : -errno;
                return ash_fail(l->diags, r, ASH_NOWHERE, "%s/%s: %s", l->dir, path, ash_strerror(r));
        }
        if (!S_ISREG(st.st_mode))
                return ash_fail(l->diags, -EINVAL, ASH_NOWHERE, "%s/%s is no regular file", l->dir, path);
        if ((uint64_t) st.st_size > MAX_TREE_BYTES)
                return ash_fail(l->diags, -ASH_ERR_LIMIT, ASH_NOWHERE, "%s/%s is larger than 1 GiB", l->dir, path);
        _bytes_ AshBytes bytes = {};
        int r = ash_file_read_fd(fd, MAX_TREE_BYTES, &bytes);
        if (r < 0)
                return ash_fail(l->diags, r, ASH_NOWHERE, "%s/%s: %s", l->dir, path, ash_strerror(r));
        return add_file(l, path, st.st_mode, ash_bytes_slice(&bytes));
}

/* What lies beside a spec and is none of its sources. */
static bool left_out(const char *name) {
        return strcmp(name, ".git") == 0 || ash_slice_ends(ash_slice_str(name), ASH_S(".comp.toml"));
}

static int load_dir(Loader *l, const char *below, unsigned depth) {
        if (depth > 32)
                return ash_fail(l->diags, -ELOOP, ASH_NOWHERE, "%s/%s: directories are nested too deep", l->dir, below);
        _dirlist_ AshDirList list = {};
        int r = ash_dir_list(l->dirfd, *below ? below : ".", &list);
        if (r < 0)
                return ash_fail(l->diags, r, ASH_NOWHERE, "%s/%s: %s", l->dir, below, ash_strerror(r));
        for (size_t i = 0; i < list.entries.n; i++) {
                const AshDirEntry *e = &list.entries.items[i];
                if (left_out(e->name))
                        continue;
                _free_ char *path = *below ? ash_asprintf("%s/%s", below, e->name) : ash_strdup(e->name);
                r = e->type == DT_DIR ? load_dir(l, path, depth + 1) : e->type == DT_LNK ? load_link(l, path) : load_file(l, path);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- identity ---- */
static int compare_files(const void *a, const void *b) {
        return strcmp(((const AshSpecFile *) a)->path, ((const AshSpecFile *) b)->path);
}

/* The digest is over "MODE LENGTH PATH NUL DATA" of each file in order. */
static int finish(AshSpecTree *tree, const char *spec, AshDiags *diags) {
        if (tree->files.n > 0)
                qsort(tree->files.items, tree->files.n, sizeof(AshSpecFile), compare_files);
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        tree->spec = SIZE_MAX;
        ash_array_foreach(&tree->files, f) {
                char head[64];
                int n = snprintf(head, sizeof(head), "%o %zu ", f->mode, f->data.len);
                ash_digest_update(d, head, (size_t) n);
                ash_digest_update(d, f->path, strlen(f->path) + 1);
                ash_digest_update(d, f->data.ptr, f->data.len);
                if (strcmp(f->path, spec) == 0 && !S_ISLNK(f->mode))
                        tree->spec = (size_t) (f - tree->files.items);
        }
        uint8_t digest[ASH_DIGEST_SIZE_MAX];
        ash_digest_final(d, digest);
        ash_hex(digest, ash_digest_size(ASH_SHA256), tree->digest);
        if (tree->spec == SIZE_MAX)
                return ash_fail(diags, -ENOENT, ASH_NOWHERE, "%s has no file %s", tree->origin, spec);
        return 0;
}

/* ---- local specs and directories of specs ---- */
static size_t count_specs(const AshDirList *list) {
        size_t n = 0;
        ash_array_foreach(&list->entries, e)
                n += e->type == DT_REG && ash_slice_ends(ash_slice_str(e->name), ASH_S(".spec"));
        return n;
}

/* Many specs in one directory: this one's files are those that its Source and Patch tags name. */
static int load_flat(Loader *l, const char *spec) {
        int r = load_file(l, spec);
        if (r < 0)
                return r;
        _spec_facts_ AshSpecFacts facts = {};
        ash_spec_facts(l->tree->files.items[0].data, NULL, &facts);
        _map_ AshMap seen = {};
        ash_array_foreach(&facts.files, name) {
                _free_ char *path = ash_slice_dup(*name);
                struct stat st;
                bool fresh;
                ash_map_ensure(&seen, *name, &fresh);
                if (!fresh || !ash_file_name_ok(*name) || strcmp(path, spec) == 0 || fstatat(l->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                r = S_ISLNK(st.st_mode) ? load_link(l, path) : load_file(l, path);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int load_local(const char *dir, const char *spec, AshSpecKind kind, AshSlice package, AshSpan at, AshSpecTree **ret, AshDiags *diags) {
        _close_ int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dirfd < 0)
                return ash_fail(diags, -errno, at, "%s: %s", dir, ash_strerror(-errno));
        _cleanup_(ash_spec_tree_free_p) AshSpecTree *tree = tree_new(kind, package);
        tree->origin = ash_arena_strdup(tree->arena, dir);
        Loader l = { .tree = tree, .dirfd = dirfd, .dir = dir, .diags = diags };
        _dirlist_ AshDirList list = {};
        int r = ash_dir_list(dirfd, ".", &list);
        if (r < 0)
                return ash_fail(diags, r, at, "%s: %s", dir, ash_strerror(r));
        r = count_specs(&list) > 1 ? load_flat(&l, spec) : load_dir(&l, "", 0);
        if (r < 0)
                return r;
        r = finish(tree, spec, diags);
        if (r < 0)
                return r;
        *ret = ASH_TAKE(tree);
        return 0;
}

static int fetch_local(AshSlice component, const AshSpecSource *source, AshSpecTree **ret, AshDiags *diags) {
        if (source->path.s.len == 0)
                return ash_fail(diags, -EINVAL, source->type.at, "component '%.*s' has a local spec, but no spec.path", ASH_F(component));
        _free_ char *path = ash_slice_dup(source->path.s);
        struct stat st;
        if (stat(path, &st) < 0)
                return ash_fail(diags, -errno, source->path.at, "the spec of '%.*s' is not at %s: %s", ASH_F(component), path, ash_strerror(-errno));
        if (S_ISDIR(st.st_mode)) {
                _free_ char *spec = ash_asprintf("%.*s.spec", ASH_F(component));
                return load_local(path, spec, ASH_SPEC_LOCAL, component, source->path.at, ret, diags);
        }
        _free_ char *dir = ash_slice_dup(ash_path_dir(source->path.s)), *spec = ash_slice_dup(ash_path_base(source->path.s));
        return load_local(dir, spec, ASH_SPEC_LOCAL, component, source->path.at, ret, diags);
}

static int fetch_directory(AshSlice package, const char *top, AshSpan at, AshSpecTree **ret, AshDiags *diags) {
        _free_ char *dir = ash_asprintf("%s/%.*s", top, ASH_F(package)), *spec = ash_asprintf("%.*s.spec", ASH_F(package));
        _free_ char *own = ash_path_join(dir, spec), *flat = ash_path_join(top, spec);
        if (access(own, F_OK) == 0)
                return load_local(dir, spec, ASH_SPEC_DIRECTORY, package, at, ret, diags);
        if (access(flat, F_OK) == 0)
                return load_local(top, spec, ASH_SPEC_DIRECTORY, package, at, ret, diags);
        ash_fail(diags, -ENOENT, at, "the directory of specs %s has no '%.*s'", top, ASH_F(package));
        ash_note(diags, ASH_NOWHERE, "looked for %s and %s", own, flat);
        return -ENOENT;
}

/* ---- dist-git ---- */
static bool take_number(AshSlice *s, size_t digits, int *ret) {
        uint64_t n;
        if (s->len < digits || ash_slice_to_u64(ash_slice_sub(*s, 0, digits), 10, &n) < 0)
                return false;
        *ret = (int) n;
        *s = ash_slice_from(*s, digits);
        return true;
}

static bool take_char(AshSlice *s, const char *any) {
        if (s->len == 0 || !s->ptr[0] || !strchr(any, s->ptr[0]))
                return false;
        *s = ash_slice_from(*s, 1);
        return true;
}

/* RFC 3339, section 5.6; or a date alone: the end of that day in UTC. */
static bool parse_moment(AshSlice s, int64_t *ret) {
        struct tm tm = {};
        int year, month, zone_h = 0, zone_m = 0, sign = 0;
        if (!take_number(&s, 4, &year) || !take_char(&s, "-") || !take_number(&s, 2, &month) || !take_char(&s, "-") || !take_number(&s, 2, &tm.tm_mday))
                return false;
        tm.tm_year = year - 1900;
        tm.tm_mon = month - 1;
        if (s.len == 0) {
                tm.tm_hour = 23, tm.tm_min = 59, tm.tm_sec = 59;
        } else {
                if (!take_char(&s, "Tt ") || !take_number(&s, 2, &tm.tm_hour) || !take_char(&s, ":") || !take_number(&s, 2, &tm.tm_min) || !take_char(&s, ":") ||
                    !take_number(&s, 2, &tm.tm_sec))
                        return false;
                if (take_char(&s, "."))
                        while (s.len > 0 && s.ptr[0] >= '0' && s.ptr[0] <= '9')
                                s = ash_slice_from(s, 1);
                if (!take_char(&s, "Zz")) {
                        sign = s.len > 0 && s.ptr[0] == '-' ? -1 : 1;
                        if (!take_char(&s, "+-") || !take_number(&s, 2, &zone_h) || !take_char(&s, ":") || !take_number(&s, 2, &zone_m))
                                return false;
                }
        }
        struct tm check = tm;
        int64_t t = timegm(&check);
        if (s.len > 0 || check.tm_mday != tm.tm_mday || check.tm_mon != tm.tm_mon || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60 || zone_h > 23 || zone_m > 59)
                return false;
        *ret = t - sign * (zone_h * 3600 + zone_m * 60);
        return true;
}

static int open_mirror(AshSlice package, const AshSpecDistro *distro, const AshSpecOptions *options, AshStr *uri, AshGit **ret, AshDiags *diags) {
        const AshPlaceholder values[] = { { "pkg", package }, { "releasever", distro->releasever.s }, { "basearch", distro->basearch.s } };
        AshSpan at = distro->dist_git_uri.at;
        int r = ash_uri_expand(distro->dist_git_uri.s, values, ASH_N(values), at, uri, diags);
        if (r < 0)
                return r;
        _free_ char *cache = NULL;
        r = ash_spec_cache_dir(options, &cache, diags);
        if (r < 0)
                return r;
        _free_ char *mirrors = ash_path_join(cache, "git");
        AshGitOptions git = { .mirror_dir = mirrors, .offline = options->offline, .allow_local = options->allow_local, .timeout_ms = options->git_timeout_ms };
        return ash_git_open(uri->ptr, &git, at, ret, diags);
}

static int choose_commit(AshGit *git, const AshSpecSource *source, const AshSpecDistro *distro, char *ret, AshDiags *diags) {
        if (source->upstream_commit.s.len > 0)
                return ash_git_commit(git, source->upstream_commit.s, source->upstream_commit.at, ret, diags);
        AshText snapshot = source->distro.snapshot.s.len > 0 ? source->distro.snapshot : distro->snapshot;
        int64_t before = INT64_MAX;
        if (snapshot.s.len > 0 && !parse_moment(snapshot.s, &before)) {
                ash_fail(diags, -EINVAL, snapshot.at, "'%.*s' is no date", ASH_F(snapshot.s));
                ash_hint(diags, "write it as 2026-02-24T00:00:00Z, or as 2026-02-24 for the end of that day");
                return -EINVAL;
        }
        return ash_git_snapshot(git, distro->branch.s, before, snapshot.s.len > 0 ? snapshot.at : distro->branch.at, ret, diags);
}

/* NAME.spec, or the only spec at the top. */
static const char *choose_spec(const AshGitTree *files, AshSlice package) {
        const char *only = NULL;
        size_t n = 0;
        ash_array_foreach(&files->entries, e) {
                AshSlice path = ash_slice_str(e->path);
                if (!ash_slice_ends(path, ASH_S(".spec")) || strchr(e->path, '/'))
                        continue;
                if (path.len == package.len + 5 && ash_slice_starts(path, package))
                        return e->path;
                only = e->path;
                n++;
        }
        return n == 1 ? only : NULL;
}

static int fill_from_commit(AshSpecTree *tree, AshGit *git, const char *commit, AshDiags *diags) {
        _git_tree_ AshGitTree files = {};
        int r = ash_git_tree(git, commit, MAX_TREE_BYTES, &files, diags);
        if (r < 0)
                return r;
        const char *spec = choose_spec(&files, tree->package);
        if (!spec)
                return ash_fail(diags, -ENOENT, ASH_NOWHERE, "commit %s of %s has no spec %.*s.spec", commit, tree->origin, ASH_F(tree->package));
        Loader l = { .tree = tree, .dir = tree->origin, .diags = diags };
        ash_array_foreach(&files.entries, e) {
                r = add_file(&l, e->path, e->mode, e->data);
                if (r < 0)
                        return r;
        }
        return finish(tree, spec, diags);
}

static int fetch_dist_git(AshSlice package, const AshSpecSource *source, const AshSpecDistro *distro, const AshSpecOptions *options, AshSpecTree **ret, AshDiags *diags) {
        _str_ AshStr uri = {};
        _cleanup_(ash_git_free_p) AshGit *git = NULL;
        int r = open_mirror(package, distro, options, &uri, &git, diags);
        if (r < 0)
                return r;
        char commit[ASH_GIT_HASH_MAX];
        r = choose_commit(git, source, distro, commit, diags);
        if (r < 0)
                return r;
        _cleanup_(ash_spec_tree_free_p) AshSpecTree *tree = tree_new(ASH_SPEC_DISTGIT, package);
        tree->origin = ash_arena_strdup(tree->arena, uri.ptr);
        tree->commit = ash_arena_strdup(tree->arena, commit);
        r = ash_git_commit_time(git, commit, &tree->commit_time, diags);
        if (r >= 0)
                r = fill_from_commit(tree, git, commit, diags);
        if (r < 0)
                return r;
        *ret = ASH_TAKE(tree);
        return 0;
}

/* ---- all ---- */
int ash_specsource_fetch(AshSlice component, const AshComponentConfig *config, const AshSpecDistro *distro, const AshSpecOptions *options,
                         AshSpecTree **ret, AshDiags *diags) {
        const AshSpecSource *source = &config->spec;
        if (ash_slice_eqs(source->type.s, "local"))
                return fetch_local(component, source, ret, diags);
        AshSlice package = source->upstream_name.s.len > 0 ? source->upstream_name.s : component;
        AshSpan at = source->upstream_name.s.len > 0 ? source->upstream_name.at : source->type.at;
        if (!ash_package_name_ok(package))
                return ash_fail(diags, -EINVAL, at, "'%.*s' is no package name: letters, digits and . _ + - only", ASH_F(package));
        if (distro && distro->spec_dir)
                return fetch_directory(package, distro->spec_dir, at, ret, diags);
        if (!distro || distro->dist_git_uri.s.len == 0) {
                ash_fail(diags, -EINVAL, at, "component '%.*s' takes its spec from upstream, but its distribution has no dist-git-base-uri", ASH_F(component));
                ash_hint(diags, "set distros.NAME.dist-git-base-uri, or spec = { type = \"local\", path = \"%.*s.spec\" }", ASH_F(component));
                return -EINVAL;
        }
        return fetch_dist_git(package, source, distro, options, ret, diags);
}
