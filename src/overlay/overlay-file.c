/* Overlays on the files beside the spec. The same in both semantics, but that strict refuses to overwrite and counts what it replaces. */
#include "overlay-private.h"

typedef struct Names {
        ASH_ARRAY(char *) items;
} Names;

static void names_done(Names *n) {
        ash_array_foreach(&n->items, s)
                free(*s);
        ash_array_done(&n->items);
}
#define _names_ _cleanup_(names_done)

/* doublestar's own idea of a pattern without wildcards: it is a name, in which only escaped wildcards are unescaped (so "a\x2db" is a name with a backslash). */
static bool literal_matches(AshSlice pattern, const char *name) {
        for (size_t i = 0; i < pattern.len; i++) {
                if (pattern.ptr[i] == '\\' && i + 1 < pattern.len && strchr("*?[]{}", pattern.ptr[i + 1]))
                        i++;
                if (!*name || *name++ != pattern.ptr[i])
                        return false;
        }
        return !*name;
}

static bool has_wildcard(AshSlice pattern) {
        for (size_t i = 0; i < pattern.len; i++) {
                if (pattern.ptr[i] == '\\')
                        i++;
                else if (strchr("*?[{", pattern.ptr[i]))
                        return true;
        }
        return false;
}

bool ash_file_pattern_matches(AshSlice pattern, const char *name) {
        return has_wildcard(pattern) ? ash_glob_match(pattern, ash_slice_str(name)) : literal_matches(pattern, name);
}

/* Never matched, whatever the pattern: specs, links, and what belongs to git. */
static bool is_ours(const AshSourceTreeFile *f) {
        AshSlice name = ash_slice_str(f->name);
        return !S_ISLNK(f->mode) && !ash_slice_ends(name, ASH_S(".spec")) && !ash_slice_starts(name, ASH_S(".git/")) && ash_slice_find(name, ASH_S("/.git/")) < 0;
}

static void matching(const Engine *e, AshSlice pattern, Names *ret) {
        for (size_t i = 0; i < ash_source_tree_n(e->tree); i++) {
                const AshSourceTreeFile *f = ash_source_tree_at(e->tree, i);
                if (is_ours(f) && ash_file_pattern_matches(pattern, f->name))
                        ash_array_push(&ret->items, ash_strdup(f->name));
        }
}

/* Files that the spec names as a source or patch, but that are not at hand (they lie in the lookaside cache, or could not be stored). What needs no content
 * can be done to them all the same. */
static bool declared_elsewhere(Engine *e, AshSlice pattern) {
        AshSlice text;
        if (!e->options->spec || ash_source_tree_read(e->tree, e->options->spec, &text, NULL) < 0)
                return false;
        AshSlice line;
        AshSpecTag tag;
        while (ash_slice_next_line(&text, &line)) {
                if (!ash_spec_plain_tag(line, &tag))
                        continue;
                AshSlice family = ash_spec_tag_family(tag.name), value = tag.value;
                if (!ash_slice_eq_nocase(family, ASH_S("Source")) && !ash_slice_eq_nocase(family, ASH_S("Patch")))
                        continue;
                ptrdiff_t fragment = ash_slice_find(value, ASH_S("#/"));
                value = ash_path_base(fragment >= 0 ? ash_slice_from(value, (size_t) fragment + 2) : value);
                _free_ char *name = ash_slice_dup(value);
                if (value.len && !strchr(name, '%') && ash_file_pattern_matches(pattern, name))
                        return true;
        }
        return false;
}

static int no_file(Engine *e, AshSlice pattern) {
        ash_engine_fail(e, -ENOENT, e->overlay->file, "no file matches '%.*s'", ASH_F(pattern));
        ASH_ARRAY(AshSlice) names = {};
        for (size_t i = 0; i < ash_source_tree_n(e->tree); i++) {
                const AshSourceTreeFile *f = ash_source_tree_at(e->tree, i);
                if (is_ours(f))
                        ash_array_push(&names, ash_slice_str(f->name));
        }
        ptrdiff_t nearest = ash_slice_nearest(pattern, names.items, names.n);
        if (nearest >= 0)
                ash_hint(e->diags, "the nearest file is '%.*s'", ASH_F(names.items[nearest]));
        ash_array_done(&names);
        return -ENOENT;
}

/* 1: there is nothing to do because the file is not at hand; a warning says so. */
static int absent(Engine *e, AshSlice pattern) {
        if (!declared_elsewhere(e, pattern))
                return no_file(e, pattern);
        ash_warn(e->diags, e->overlay->file.at, "'%.*s' is named by the spec but is not among its files: nothing to do to it here", ASH_F(pattern));
        e->effect->matches++;
        return 1;
}

static int strict_count(Engine *e, AshText at, size_t n, const char *what) {
        uint64_t wanted = e->overlay->count ?: 1;
        if (!e->strict || wanted == UINT64_MAX || n == wanted)
                return 0;
        int r = ash_engine_fail(e, -ERANGE, at, "%zu %s, where %llu %s declared", n, what, (unsigned long long) wanted, wanted == 1 ? "is" : "are");
        ash_hint(e->diags, "narrow it down, or declare count = %zu", n);
        return r;
}

int ash_file_prepend_lines(Engine *e) {
        _names_ Names names = {};
        _str_ AshStr lines = {};
        matching(e, e->overlay->file.s, &names);
        if (!names.items.n)
                return no_file(e, e->overlay->file.s);
        int r = strict_count(e, e->overlay->file, names.items.n, "files match");
        for (size_t i = 0; i < e->overlay->lines.n; i++) {
                ash_str_append(&lines, text_or_empty(e->overlay->lines.items[i]));
                ash_str_append_char(&lines, '\n');
        }
        ash_array_foreach(&names.items, name) {
                AshSlice old;
                if (r >= 0)
                        r = ash_source_tree_read(e->tree, *name, &old, e->diags);
                if (r < 0)
                        return r;
                _str_ AshStr all = {};
                ash_str_append(&all, ash_str_slice(&lines));
                ash_str_append(&all, old);
                ash_source_tree_put(e->tree, *name, ash_str_slice(&all), ash_source_tree_find(e->tree, *name)->mode);
                ash_engine_file_place(e, ASH_EDIT_CHANGE, *name, ASH_S(""), ash_str_slice(&lines));
        }
        return r;
}

static ptrdiff_t replace_in(Engine *e, const AshRegex *regex, const char *name) {
        AshSlice old;
        int r = ash_source_tree_read(e->tree, name, &old, e->diags);
        if (r < 0)
                return r;
        _str_ AshStr out = {};
        ptrdiff_t n = ash_regex_replace(regex, old, text_or_empty(e->overlay->replacement), &out, e->diags);
        if (n < 0)
                ash_note(e->diags, ASH_NOWHERE, "in '%s'", name);
        if (n <= 0 || ash_slice_eq(old, ash_str_slice(&out)))
                return n < 0 ? n : 0;
        ash_source_tree_put(e->tree, name, ash_str_slice(&out), ash_source_tree_find(e->tree, name)->mode);
        ash_engine_file_place(e, ASH_EDIT_CHANGE, name, ASH_S(""), ASH_S(""));
        e->effect->matches += (size_t) n - 1;
        return n;
}

int ash_file_search_replace(Engine *e) {
        _names_ Names names = {};
        _cleanup_(ash_regex_free_p) AshRegex *regex = NULL;
        int r = ash_regex_new(e->overlay->regex.s, e->strict ? ASH_REGEX_PERL : ASH_REGEX_RE2, 0, e->overlay->regex.at, &regex, e->diags);
        if (r < 0)
                return r;
        matching(e, e->overlay->file.s, &names);
        if (!names.items.n)
                return no_file(e, e->overlay->file.s);
        size_t total = 0;
        ash_array_foreach(&names.items, name) {
                ptrdiff_t n = replace_in(e, regex, *name);
                if (n < 0)
                        return (int) n;
                total += (size_t) n;
        }
        if (!total) {
                ash_engine_fail(e, -ENOENT, e->overlay->regex, "the pattern changes nothing in %zu file%s that match '%.*s'", names.items.n, names.items.n == 1 ? "" : "s",
                                ASH_F(e->overlay->file.s));
                ash_hint(e->diags, "the pattern is searched in the whole text: '^' and '$' mean lines only after (?m), and '.' is no newline without (?s)");
                return -ENOENT;
        }
        return strict_count(e, e->overlay->regex, total, "matches");
}

int ash_file_source(Engine *e, AshSlice *ret, mode_t *ret_mode) {
        const AshOverlay *o = e->overlay;
        AshSlice source = text_or_empty(o->source);
        _free_ char *given = ash_slice_dup(source), *below = ash_strdup("");
        const char *root = o->base_dir ?: ".";
        if (e->options->project_dir) {
                _free_ char *project = ash_path_normalize(ash_slice_str(e->options->project_dir)), *base = ash_path_normalize(ash_slice_str(root));
                _free_ char *relative = (project[0] == '/') == (base[0] == '/') ? ash_path_relative(ash_slice_str(project), ash_slice_str(base)) : NULL;
                if (relative && strncmp(relative, "..", 2) != 0 && relative[0] != '/') {
                        free(below);
                        below = ash_strdup(relative);
                        root = e->options->project_dir;
                }
        }
        _free_ char *joined = ash_path_join(below, given), *path = ash_path_normalize(ash_slice_str(joined));
        if (source.ptr[0] == '/' || memchr(source.ptr, 0, source.len) || !ash_path_is_confined(ash_slice_str(path))) {
                int r = ash_engine_fail(e, -EINVAL, o->source, "'%s' is outside of the project", given);
                ash_hint(e->diags, "a source lies beside the file that declares the overlay, or elsewhere below '%s'", root);
                return r;
        }
        _close_ int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _close_ int fd = dir < 0 ? -errno : ash_open_beneath(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
        if (fd == -EXDEV || fd == -ELOOP)
                return ash_engine_fail(e, fd, o->source, "'%s' leads through a symbolic link", given);
        if (fd < 0)
                return ash_engine_fail(e, fd, o->source, "cannot open '%s': %s", given, ash_strerror(fd));
        struct stat st;
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return ash_engine_fail(e, -EINVAL, o->source, "'%s' is not a regular file", given);
        _bytes_ AshBytes bytes = {};
        int r = ash_file_read_fd(fd, 0, &bytes);
        if (r < 0)
                return ash_engine_fail(e, r, o->source, "cannot read '%s': %s", given, ash_strerror(r));
        *ret = ash_arena_slice(e->report->arena, ash_bytes_slice(&bytes));
        *ret_mode = st.st_mode & S_IXUSR ? 0755 : 0644;
        return 0;
}

static int add_file(Engine *e, const char *name) {
        const char *why = ash_tree_refuses(e->tree, name);
        AshSlice content;
        mode_t mode;
        if (why)
                return ash_engine_fail(e, -EINVAL, e->overlay->file, "cannot write '%s': %s", name, why);
        if (ash_slice_ends(ash_slice_str(name), ASH_S(".spec")))
                return ash_engine_fail(e, -EINVAL, e->overlay->file, "a spec cannot be added as a file");
        if (ash_source_tree_find(e->tree, name))
                return ash_engine_fail(e, -EEXIST, e->overlay->file, "'%s' is there already", name);
        int r = ash_file_source(e, &content, &mode);
        if (r < 0)
                return r;
        ash_source_tree_put(e->tree, name, content, mode);
        ash_engine_file_place(e, ASH_EDIT_ADD, name, ASH_S(""), content);
        return 0;
}

int ash_file_add(Engine *e) {
        _free_ char *name = ash_slice_dup(e->overlay->file.s);
        return add_file(e, name);
}

int ash_file_patch_add(Engine *e) {
        _free_ char *name = ash_engine_patch_name(e->overlay);
        return add_file(e, name);
}

static int delete_matching(Engine *e, bool counted) {
        _names_ Names names = {};
        matching(e, e->overlay->file.s, &names);
        if (!names.items.n)
                return absent(e, e->overlay->file.s);
        int r = counted ? strict_count(e, e->overlay->file, names.items.n, "files match") : 0;
        if (r < 0)
                return r;
        ash_array_foreach(&names.items, name) {
                ash_engine_file_place(e, ASH_EDIT_REMOVE, *name, ash_slice_str(*name), ASH_S(""));
                ash_source_tree_remove(e->tree, *name);
        }
        return 0;
}

int ash_file_delete(Engine *e) { return delete_matching(e, true); }
int ash_file_patch_remove(Engine *e) { return delete_matching(e, false); }

int ash_file_rename(Engine *e) {
        _names_ Names names = {};
        matching(e, e->overlay->file.s, &names);
        if (!names.items.n)
                return absent(e, e->overlay->file.s);
        if (names.items.n > 1) {
                int r = ash_engine_fail(e, -ERANGE, e->overlay->file, "%zu files match '%.*s', one can be renamed", names.items.n, ASH_F(e->overlay->file.s));
                for (size_t i = 0; i < names.items.n && i < 5; i++)
                        ash_note(e->diags, ASH_NOWHERE, "'%s' matches", names.items.items[i]);
                return r;
        }
        const char *from = names.items.items[0];
        _free_ char *base = ash_slice_dup(e->overlay->replacement.s), *dir = ash_slice_dup(ash_path_dir(ash_slice_str(from)));
        _free_ char *to = strcmp(dir, ".") == 0 ? ash_strdup(base) : ash_path_join(dir, base);
        const char *why = ash_tree_refuses(e->tree, to);
        if (!why && ash_slice_ends(ash_slice_str(to), ASH_S(".spec")))
                why = "a file beside the spec does not become one";
        if (!why && e->strict && ash_source_tree_find(e->tree, to))
                why = "a file of that name is there already";
        if (why)
                return ash_engine_fail(e, -EINVAL, e->overlay->replacement, "cannot rename '%s' to '%s': %s", from, to, why);
        ash_engine_file_place(e, ASH_EDIT_RENAME, from, ash_slice_str(from), ash_slice_str(to));
        if (strcmp(from, to) != 0)
                ash_tree_rename(e->tree, from, to);
        return 0;
}
