/* Finding, reading and ordering the files of a project. */
#include "config-private.h"
#include "config-parse.h"

#define FILE_MAX (512u << 20)     /* bytes of one file; spans have 32 bits */
#define FILES_MAX 200000u         /* files of one project */

/* What holds before the project says anything. */
static const char built_in[] =
        "[resources.rpm-repo-set-templates.azl-standard]\n"
        "description = \"Standard base/sdk x binary/debug/source layout\"\n"
        "subrepos = [\n"
        "    { name = \"base\", kind = \"binary\", subpath = \"base/$basearch\" },\n"
        "    { name = \"base-debug\", kind = \"debug\", subpath = \"base/debuginfo/$basearch\" },\n"
        "    { name = \"base-src\", kind = \"source\", subpath = \"base/srpms\" },\n"
        "    { name = \"sdk\", kind = \"binary\", subpath = \"sdk/$basearch\" },\n"
        "    { name = \"sdk-debug\", kind = \"debug\", subpath = \"sdk/debuginfo/$basearch\" },\n"
        "    { name = \"sdk-src\", kind = \"source\", subpath = \"sdk/srpms\" },\n"
        "]\n"
        "[resources.rpm-repo-set-templates.koji-dist-repo]\n"
        "description = \"Koji dist-repo layout: binary and debug trees for each architecture and a source tree\"\n"
        "subrepos = [\n"
        "    { name = \"binary\", kind = \"binary\", subpath = \"$basearch\" },\n"
        "    { name = \"debug\", kind = \"debug\", subpath = \"$basearch/debug\" },\n"
        "    { name = \"src\", kind = \"source\", subpath = \"src\" },\n"
        "]\n";

AshConfigFile *ash_config_file_new(const char *path) {
        AshConfigFile *f = ash_calloc(1, sizeof *f);
        f->path = ash_strdup(path);
        f->dir = ash_slice_dup(ash_path_dir(ash_slice_str(path)));
        f->arena = ash_arena_new();
        return f;
}

void ash_config_file_free(AshConfigFile *f) {
        if (!f)
                return;
        ash_array_done(&f->includes);
        ash_arena_free(f->arena);
        ash_source_free(f->source);
        if (!f->borrowed)
                ash_bytes_done(&f->bytes);
        free(f->path);
        free(f->dir);
        free(f);
}

int ash_config_file_parse(AshConfigFile *f, const AshRecord *record, void *into, bool lint, AshDiags *diags) {
        if (!f->bytes.ptr && !f->borrowed) {
                struct stat st;
                int r = stat(f->path, &st) == 0 && S_ISFIFO(st.st_mode) && f->wanted_at.source ? -EINVAL : 0; /* nobody may ever write to it */
                if (r >= 0)
                        r = ash_file_read(AT_FDCWD, f->path, FILE_MAX, &f->bytes);
                if (r < 0) {
                        if (f->wanted_at.source)
                                return ash_fail(diags, -ASH_ERR_CONFIG, f->wanted_at, "cannot read '%s': %s", f->path, ash_strerror(r));
                        return ash_fail_file(diags, r, f->path, "cannot read it: %s", ash_strerror(r));
                }
        }
        f->source = ash_source_new(f->path, ash_bytes_slice(&f->bytes));
        _cleanup_(ash_toml_free_p) AshTomlDoc *doc = NULL;
        int r = ash_toml_parse(f->source, ASH_TOML_1_1, &doc, diags);
        if (r < 0)
                return r;
        AshParse parse = { .arena = f->arena, .dir = f->dir, .diags = diags, .lint = lint };
        ash_parse_record(&parse, record, ash_toml_root(doc), (AshSpan){ f->source, 0, 0 }, into);
        return 0;
}

/* ---- includes ---- */
int ash_config_glob(AshSlice pattern, AshPaths *ret, bool *ret_literal) {
        *ret_literal = !ash_glob_has_meta(pattern);
        if (*ret_literal) {
                _free_ char *path = ash_slice_dup(pattern);
                struct stat st;
                if (stat(path, &st) < 0)
                        return -errno;
                if (S_ISDIR(st.st_mode))
                        return -EISDIR;
                ash_array_push(&ret->paths, ASH_TAKE(path));
                return 0;
        }
        /* The part before the first wildcard is a directory like any other: it may lead upwards or through links. */
        AshSlice fixed = ASH_NOSLICE, rest = pattern;
        for (ptrdiff_t slash; (slash = ash_slice_find_char(rest, '/')) >= 0 && !ash_glob_has_meta(ash_slice_sub(rest, 0, (size_t) slash));) {
                rest = ash_slice_from(rest, (size_t) slash + 1);
                fixed = ash_slice(pattern.ptr, (size_t) (rest.ptr - pattern.ptr));
        }
        _free_ char *dir = fixed.len ? ash_slice_dup(fixed) : ash_strdup("."), *glob = ash_slice_dup(rest);
        _close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
        _paths_ AshPaths found = {};
        int r = ash_glob_files(fd, glob, false, &found);
        if (r < 0)
                return r;
        ash_array_foreach(&found.paths, p)
                ash_array_push(&ret->paths, fixed.len ? ash_path_join(dir, *p) : ash_strdup(*p));
        return 0;
}

static void hint_nearest_file(AshSlice path, AshDiags *diags) {
        _free_ char *dir = ash_slice_dup(ash_path_dir(path));
        _dirlist_ AshDirList list = {};
        if (ash_dir_list(AT_FDCWD, dir, &list) < 0) {
                ash_hint(diags, "there is no directory '%s'", dir);
                return;
        }
        ASH_ARRAY(AshSlice) names = {};
        ash_array_foreach(&list.entries, e)
                ash_array_push(&names, ash_slice_str(e->name));
        ptrdiff_t near = ash_slice_nearest(ash_path_base(path), names.items, names.n);
        if (near >= 0)
                ash_hint(diags, "did you mean '%.*s'?", ASH_F(names.items[near]));
        else
                ash_hint(diags, "includes are relative to the file that has them");
        ash_array_done(&names);
}

typedef struct Loader {
        AshConfig *config;
        AshMap places;            /* path -> index + 1 */
        AshDiags *diags;
        size_t begin, end;        /* the files of this wave */
} Loader;

static size_t file_of(Loader *l, char *path, AshSpan at) {
        _free_ char *clean = ash_path_normalize(ash_slice_str(path));
        void *there = ash_map_get(&l->places, ash_slice_str(clean));
        if (there)
                return (size_t) there - 1;
        AshConfigFile *f = ash_config_file_new(clean);
        f->wanted_at = at;
        ash_array_push(&l->config->files, f);
        ash_map_put(&l->places, ash_slice_str(f->path), (void *) l->config->files.n, NULL);
        return l->config->files.n - 1;
}

static void expand_include(Loader *l, AshConfigFile *f, AshText include) {
        if (l->config->alone) {
                ash_fail(l->diags, -ASH_ERR_CONFIG, include.at, "includes are not possible here");
                return;
        }
        AshSlice pattern = ash_parse_join(f->arena, f->dir, include.s);
        if (!pattern.len || !ash_glob_valid(pattern))
                return; /* reported already */
        _paths_ AshPaths found = {};
        bool literal;
        int r = ash_config_glob(pattern, &found, &literal);
        if (r < 0) {
                ash_fail(l->diags, -ASH_ERR_CONFIG, include.at, literal && r == -ENOENT ? "no file '%.*s' to include" : "cannot include '%.*s': %s", ASH_F(include.s), ash_strerror(r));
                if (r == -ENOENT && literal)
                        hint_nearest_file(pattern, l->diags);
                else if (r == -EISDIR)
                        ash_hint(l->diags, "name the files in it, for example '%.*s/*.toml'", ASH_F(include.s));
                return;
        }
        ash_array_foreach(&found.paths, p) {
                if (l->config->files.n >= FILES_MAX) {
                        ash_fail(l->diags, -ASH_ERR_CONFIG, include.at, "more than %u files", FILES_MAX);
                        return;
                }
                size_t index = file_of(l, *p, include.at);
                ash_array_push(&f->includes, ((AshConfigInclude){ index, include.at }));
        }
}

static int parse_one(void *context, size_t i) {
        Loader *l = context;
        AshConfigFile *f = l->config->files.items[l->begin + i];
        f->result = ash_config_file_parse(f, &ash_record_project, &f->part, l->config->flags & ASH_CONFIG_WARN_OLD, l->diags);
        return 0;
}

/* Files in waves: all of one are read and parsed at the same time, then their includes make the next. */
static void load_files(Loader *l) {
        AshConfig *c = l->config;
        for (l->begin = 0; l->begin < c->files.n; l->begin = l->end) {
                l->end = c->files.n;
                ash_parallel_for(l->end - l->begin, 0, true, parse_one, l);
                for (size_t i = l->begin; i < l->end; i++) {
                        AshTexts includes = c->files.items[i]->part.includes;
                        for (size_t k = 0; k < includes.n; k++)
                                expand_include(l, c->files.items[i], includes.items[k]);
                }
        }
}

typedef ASH_ARRAY(size_t) Chain;

static void report_cycle(AshConfig *c, const Chain *chain, size_t again, AshSpan at, AshDiags *diags) {
        _str_ AshStr text = {};
        bool in = false;
        for (size_t i = 0; i < chain->n; i++) {
                in |= chain->items[i] == again;
                if (in)
                        ash_str_appendf(&text, "%s -> ", c->files.items[chain->items[i]]->path);
        }
        ash_fail(diags, -ASH_ERR_CONFIG, at, "include cycle: %s%s", text.ptr ? text.ptr : "", c->files.items[again]->path);
        ash_hint(diags, "a file must not include itself, directly, by a glob or through others");
}

typedef struct Step {
        size_t file, next;
} Step;

/* Depth first, each file once: includes count behind the file that has them, in their order. Iterative: a chain of includes may be long. */
static void order_files(AshConfig *c, size_t root, AshDiags *diags) {
        ASH_ARRAY(Step) steps = {};
        Chain chain = {};
        ash_array_push(&steps, ((Step){ root, 0 }));
        ash_array_push(&chain, root);
        c->files.items[root]->state = ASH_FILE_OPEN;
        ash_array_push(&c->order, c->files.items[root]);
        while (steps.n) {
                Step *s = ash_array_last(&steps);
                AshConfigFile *f = c->files.items[s->file];
                if (s->next == f->includes.n) {
                        f->state = ASH_FILE_DONE;
                        steps.n--;
                        chain.n--;
                        continue;
                }
                AshConfigInclude *include = &f->includes.items[s->next++];
                AshConfigFile *g = c->files.items[include->file];
                if (g->state == ASH_FILE_OPEN)
                        report_cycle(c, &chain, include->file, include->at, diags);
                else if (g->state == ASH_FILE_DONE) {
                        if (c->flags & ASH_CONFIG_LINT) {
                                ash_warn(diags, include->at, "'%s' is included a second time; it counts once", g->path);
                                ash_note(diags, g->wanted_at, "it is included here first");
                        }
                } else {
                        g->state = ASH_FILE_OPEN;
                        ash_array_push(&c->order, g);
                        ash_array_push(&steps, ((Step){ include->file, 0 }));
                        ash_array_push(&chain, include->file);
                }
        }
        ash_array_done(&steps);
        ash_array_done(&chain);
}

/* ---- the whole ---- */
static AshConfigFile *add_built_in(Loader *l) {
        AshConfigFile *f = ash_config_file_new("<built-in>");
        f->bytes = (AshBytes){ (char *) built_in, sizeof built_in - 1, false };
        f->borrowed = true;
        ash_array_push(&l->config->files, f);
        ash_array_push(&l->config->order, f);
        return f;
}

static AshConfig *config_new(const char *file, AshConfigFlags flags) {
        AshConfig *c = ash_calloc(1, sizeof *c);
        c->file = ash_strdup(file);
        c->dir = ash_slice_dup(ash_path_dir(ash_slice_str(file)));
        c->flags = flags;
        c->arena = ash_arena_new();
        pthread_mutex_init(&c->mutex, NULL);
        return c;
}

void ash_config_free(AshConfig *c) {
        if (!c)
                return;
        ash_array_foreach(&c->files, f)
                ash_config_file_free(*f);
        ash_array_done(&c->files);
        ash_array_foreach(&c->side_files, f)
                ash_config_file_free(*f);
        ash_array_done(&c->side_files);
        ash_array_done(&c->order);
        for (size_t i = 0; i < ASH_REF_MAX_; i++)
                ash_map_done(&c->names[i]);
        ash_map_done(&c->memberships);
        ash_map_done(&c->package_groups);
        ash_map_done(&c->images);
        ash_map_done(&c->overlay_files);
        free(c->sorted);
        ash_arena_free(c->arena);
        pthread_mutex_destroy(&c->mutex);
        free(c->dir);
        free(c->file);
        free(c);
}

static void finish(AshConfig *c, AshDiags *diags) {
        ash_merge_files(c, diags);
        ash_config_find_specs(c, diags);
        ash_config_expand_repos(c, diags);
        ash_config_index(c);
        if (!(c->flags & ASH_CONFIG_SYNTAX_ONLY))
                ash_config_check(c, diags);
}

/* The project file is files[1]; further ones, which override it, follow. */
static int load_all(Loader *l, const char *const *extra, size_t n_extra, AshDiags *diags) {
        AshConfig *c = l->config;
        for (size_t i = 0; i < n_extra; i++) {
                _free_ char *path = ash_strdup(extra[i]);
                file_of(l, path, ASH_NOWHERE);
        }
        size_t roots = c->files.n;
        load_files(l);
        for (size_t i = 1; i < roots; i++)
                if (c->files.items[i]->state == ASH_FILE_NEW)
                        order_files(c, i, l->diags);
        finish(c, l->diags);
        bool failed = ash_diags_count(l->diags, ASH_ERROR) > 0;
        ash_diags_sort(l->diags);
        if (diags)
                ash_diags_merge(diags, l->diags);
        return failed ? -ASH_ERR_CONFIG : 0;
}

static int load(const char *file, AshBytes *text, const char *const *extra, size_t n_extra, AshConfigFlags flags, bool alone, AshConfig **ret, AshDiags *diags) {
        _cleanup_(ash_config_free_p) AshConfig *c = config_new(file, flags);
        _cleanup_(ash_diags_free_p) AshDiags *own = ash_diags_new();
        Loader l = { .config = c, .diags = own };
        c->alone = alone;
        add_built_in(&l);
        _free_ char *path = ash_strdup(file);
        AshConfigFile *f = c->files.items[file_of(&l, path, ASH_NOWHERE)];
        if (text)
                f->bytes = *text;
        int r = load_all(&l, extra, n_extra, diags);
        ash_map_done(&l.places);
        if (r < 0)
                return r;
        *ret = ASH_TAKE(c);
        return 0;
}

static const char *const names[] = { "ashlar.toml", "azldev.toml" };

static bool holds_project(const char *dir) {
        for (size_t i = 0; i < ASH_N(names); i++) {
                _free_ char *path = ash_path_join(dir, names[i]);
                if (access(path, F_OK) == 0)
                        return true;
        }
        return false;
}

int ash_config_find(char **ret, AshDiags *diags) {
        _str_ AshStr dir = {};
        ash_str_append_str(&dir, ".");
        for (struct stat here, above; stat(dir.ptr, &here) == 0;) {
                if (holds_project(dir.ptr)) {
                        *ret = ash_str_take(&dir);
                        return 0;
                }
                if (dir.len == 1)
                        ash_str_clear(&dir);
                ash_str_append_str(&dir, dir.len ? "/.." : "..");
                if (stat(dir.ptr, &above) < 0 || (above.st_dev == here.st_dev && above.st_ino == here.st_ino))
                        break;
        }
        ash_fail(diags, -ENOENT, ASH_NOWHERE, "no project here or above: there is neither ashlar.toml nor azldev.toml");
        ash_hint(diags, "name the project's directory with -C DIR");
        return -ENOENT;
}

static int find_project(const char *dir, char **ret, AshDiags *diags) {
        struct stat st;
        if (stat(dir, &st) < 0)
                return ash_fail_file(diags, -errno, dir, "cannot read the project: %s", ash_strerror(-errno));
        if (!S_ISDIR(st.st_mode)) {
                *ret = ash_strdup(dir);
                return 0;
        }
        for (size_t i = 0; i < ASH_N(names); i++) {
                _free_ char *path = strcmp(dir, ".") == 0 ? ash_strdup(names[i]) : ash_path_join(dir, names[i]);
                if (access(path, F_OK) == 0) {
                        *ret = ASH_TAKE(path);
                        return 0;
                }
        }
        ash_fail_file(diags, -ENOENT, dir, "no project here: there is neither ashlar.toml nor azldev.toml");
        ash_hint(diags, "name the project's directory with -C DIR");
        return -ENOENT;
}

int ash_config_load_files(const char *dir, const char *const *extra, size_t n_extra, AshConfigFlags flags, AshConfig **ret, AshDiags *diags) {
        _free_ char *file = NULL;
        int r = find_project(dir, &file, diags);
        return r < 0 ? r : load(file, NULL, extra, n_extra, flags, false, ret, diags);
}

int ash_config_load(const char *dir, AshConfigFlags flags, AshConfig **ret, AshDiags *diags) { return ash_config_load_files(dir, NULL, 0, flags, ret, diags); }

int ash_config_load_text(const char *dir, const char *name, AshSlice text, AshConfigFlags flags, AshConfig **ret, AshDiags *diags) {
        _free_ char *file = dir ? ash_path_join(dir, name) : ash_strdup(name);
        AshBytes bytes = { ash_slice_dup(text), text.len, false };
        return load(file, &bytes, NULL, 0, flags, !dir, ret, diags);
}
