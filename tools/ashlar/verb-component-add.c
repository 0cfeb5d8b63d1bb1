/* component add: a new component into a file that people wrote. Everything else in the file stays byte for byte as it was. */
#include "component.h"
#include "toml-edit.h"

/* The file in which most components are declared: that is where a steward would add one. */
static const char *usual_file(AshConfig *config) {
        _map_ AshMap counts = {};
        const char *best = ash_config_file(config);
        uintptr_t most = 0;
        for (size_t i = 0; i < ash_config_n_components(config); i++) {
                const AshSource *source = ash_config_component_at(config, i)->name.at.source;
                if (!source)
                        continue;
                AshMapEntry *e = ash_map_ensure(&counts, ash_slice_str(source->name), &(bool){ false });
                e->value = (void *) ((uintptr_t) e->value + 1);
                if ((uintptr_t) e->value > most) {
                        most = (uintptr_t) e->value;
                        best = source->name;
                }
        }
        return best;
}

/* ---- where in the file ---- */
typedef int (*Order)(AshSlice a, AshSlice b);

static int fold(uint8_t c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }
static int without_case(AshSlice a, AshSlice b) {
        for (size_t i = 0; i < a.len && i < b.len; i++)
                if (fold((uint8_t) a.ptr[i]) != fold((uint8_t) b.ptr[i]))
                        return fold((uint8_t) a.ptr[i]) - fold((uint8_t) b.ptr[i]);
        return (a.len > b.len) - (a.len < b.len);
}

/* Neighbours in the wrong order. */
static size_t inversions(const AshTomlValue *components, Order order) {
        size_t n = 0;
        for (size_t i = 1; i < components->table.n; i++)
                n += order(components->table.members[i - 1].key, components->table.members[i].key) > 0;
        return n;
}

/* The order that the list follows, but for a slip in twenty; NULL: none. */
static Order order_of(const AshTomlValue *components) {
        size_t bytes = inversions(components, ash_slice_cmp), folded = inversions(components, without_case);
        if (ASH_MIN(bytes, folded) * 20 > components->table.n)
                return NULL;
        return bytes <= folded ? ash_slice_cmp : without_case;
}

static size_t line_start(AshSlice text, size_t offset) {
        while (offset > 0 && text.ptr[offset - 1] != '\n')
                offset--;
        return offset;
}

/* The start of the comment lines that stand directly above a header. */
static size_t with_comments(AshSlice text, size_t start) {
        while (start > 0) {
                size_t before = line_start(text, start - 1);
                AshSlice line = ash_slice_trim(ash_slice_sub(text, before, start - before));
                if (line.len == 0 || line.ptr[0] != '#')
                        break;
                start = before;
        }
        return start;
}

/* Where the header of a member starts, with the comments above it; SIZE_MAX: it has no header of its own. */
static size_t header_start(AshSlice text, const AshTomlMember *m) {
        size_t start = line_start(text, m->key_at.offset);
        AshSlice line = ash_slice_trim_left(ash_slice_from(text, start));
        return line.len && line.ptr[0] == '[' ? with_comments(text, start) : SIZE_MAX;
}

/* Do blank lines part the headers from each other, as a rule? */
static bool is_spaced(AshSlice text, const AshTomlValue *components) {
        size_t spaced = 0;
        for (size_t i = 0; i < components->table.n; i++) {
                size_t start = header_start(text, &components->table.members[i]);
                if (start == SIZE_MAX || start == 0)
                        continue;
                size_t before = line_start(text, start - 1);
                spaced += ash_slice_trim(ash_slice_sub(text, before, start - before)).len == 0;
        }
        return 2 * spaced > components->table.n;
}

/* The end of the text, when nothing but the last member's own keys stands there. */
static size_t behind_last(AshSlice text, const AshTomlMember *last) {
        size_t start = line_start(text, last->key_at.offset);
        AshSlice rest = ash_slice_from(text, start), line;
        ash_slice_next_line(&rest, &line);
        while (ash_slice_next_line(&rest, &line))
                if (ash_slice_starts(ash_slice_trim_left(line), ASH_S("[")))
                        return SIZE_MAX;
        return text.len && text.ptr[text.len - 1] == '\n' && header_start(text, last) != SIZE_MAX ? text.len : SIZE_MAX;
}

/* Where a header for "name" belongs in a sorted list of headers: behind the last one that does not come after it. SIZE_MAX when the list is not sorted, or has no
 * such place. */
static size_t sorted_place(AshSlice text, const AshTomlValue *root, AshSlice name, bool *ret_spaced) {
        const AshTomlValue *components = ash_toml_get(root, "components");
        if (!components || components->type != ASH_TOML_TABLE || components->inline_table || components->table.n < 2)
                return SIZE_MAX;
        Order order = order_of(components);
        const AshTomlMember *members = components->table.members, *before = NULL;
        for (size_t i = 0; order && i < components->table.n; i++)
                if (order(members[i].key, name) <= 0 && (!before || order(members[i].key, before->key) >= 0))
                        before = &members[i];
        size_t next = before ? (size_t) (before - members) + 1 : 0;
        *ret_spaced = is_spaced(text, components);
        if (!order)
                return SIZE_MAX;
        return next < components->table.n ? header_start(text, &members[next]) : behind_last(text, before);
}

/* The line ending that the file uses. */
static const char *ending(AshSlice text) {
        ptrdiff_t at = ash_slice_find_char(text, '\n');
        return at > 0 && text.ptr[at - 1] == '\r' ? "\r\n" : "\n";
}

static void insert_header(AshSlice text, size_t place, bool spaced, AshSlice header, AshStr *out) {
        ash_str_append(out, ash_slice_sub(text, 0, place));
        if (spaced && place == text.len)
                ash_str_append_str(out, ending(text));
        ash_str_appendf(out, "%.*s%s", ASH_F(header), ending(text));
        if (spaced && place < text.len)
                ash_str_append_str(out, ending(text));
        ash_str_append(out, ash_slice_from(text, place));
}

static int add_header(const char *file, AshSlice text, AshSlice name, AshTomlEdit **ret, AshDiags *diags) {
        _cleanup_(ash_toml_edit_free_p) AshTomlEdit *edit = NULL;
        _str_ AshStr path = {}, header = {}, inserted = {};
        int r = ash_toml_edit_new(file, text, ASH_TOML_1_1, &edit, diags);
        if (r < 0)
                return r;
        ash_toml_path_add(&path, ASH_S("components"));
        ash_toml_path_add(&path, name);
        bool spaced = false;
        size_t place = sorted_place(text, ash_toml_edit_root(edit), name, &spaced);
        if (place == SIZE_MAX)
                r = ash_toml_edit_add_table(edit, path.ptr, NULL, diags);
        else {
                ash_str_appendf(&header, "[%s]", path.ptr);
                insert_header(text, place, spaced, ash_str_slice(&header), &inserted);
                ash_toml_edit_free(ASH_TAKE(edit));
                r = ash_toml_edit_new(file, ash_str_slice(&inserted), ASH_TOML_1_1, &edit, diags);
        }
        if (r >= 0)
                *ret = ASH_TAKE(edit);
        return r;
}

/* ---- what stands in it ---- */
typedef struct SpecTable {
        AshTomlValue values[8];
        AshTomlMember members[4], distro[3];
        size_t n, n_distro;
} SpecTable;

static void add_member(SpecTable *t, AshTomlMember *members, size_t *n, size_t slot, const char *key, const char *value) {
        if (!value)
                return;
        t->values[slot] = ash_toml_string(ash_slice_str(value));
        members[(*n)++] = (AshTomlMember){ .key = ash_slice_str(key), .value = &t->values[slot] };
}

/* False: nothing is said, all is inherited. */
static bool spec_table(AshCli *cli, SpecTable *t) {
        const char *local = ash_cli_option(cli, "spec"), *name = ash_cli_option(cli, "upstream-name"), *commit = ash_cli_option(cli, "commit");
        const char *distro = ash_cli_option(cli, "distro"), *version = ash_cli_option(cli, "distro-version");
        if (!local && !name && !commit && !distro)
                return false;
        add_member(t, t->members, &t->n, 0, "type", local ? "local" : "upstream");
        add_member(t, t->members, &t->n, 1, "path", local);
        add_member(t, t->members, &t->n, 2, "upstream-name", name);
        add_member(t, t->members, &t->n, 3, "upstream-commit", commit);
        if (distro) {
                add_member(t, t->distro, &t->n_distro, 4, "name", distro);
                add_member(t, t->distro, &t->n_distro, 5, "version", version);
                t->values[6] = ash_toml_table(t->distro, t->n_distro);
                t->members[t->n++] = (AshTomlMember){ .key = ASH_S("upstream-distro"), .value = &t->values[6] };
        }
        return true;
}

static int set_spec(AshCli *cli, AshTomlEdit *edit, AshSlice name) {
        SpecTable t = {};
        if (!spec_table(cli, &t))
                return 0;
        _str_ AshStr path = {};
        ash_toml_path_add(&path, ASH_S("components"));
        ash_toml_path_add(&path, name);
        ash_toml_path_add(&path, ASH_S("spec"));
        AshTomlValue spec = ash_toml_table(t.members, t.n);
        return ash_toml_edit_set(edit, path.ptr, &spec, cli->diags);
}

static int check_usage(AshCli *cli) {
        bool local = ash_cli_option(cli, "spec");
        const char *const others[] = { "upstream-name", "commit", "distro", "distro-version" };
        for (size_t i = 0; i < ASH_N(others); i++)
                if (local && ash_cli_option(cli, others[i]))
                        return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--spec and --%s exclude each other", others[i]);
        if (ash_cli_option(cli, "distro-version") && !ash_cli_option(cli, "distro"))
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--distro-version needs --distro");
        AshSlice name = ash_slice_str(cli->args[0]);
        if (name.len == 0 || name.ptr[0] == '.' || ash_slice_find_char(name, '/') >= 0 || !ash_utf8_valid(name, NULL) || strpbrk(cli->args[0], " \t\r\n"))
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "'%s' cannot be the name of a component", cli->args[0]);
        return 0;
}

static int exists(AshCli *cli, const AshComponent *c) {
        ash_fail(cli->diags, -EEXIST, ASH_NOWHERE, "there is a component '%.*s' already", ASH_F(c->name.s));
        ash_note(cli->diags, c->name.at, "it is declared here");
        return -EEXIST;
}

/* Where the configuration will look for it: from the file that names it. */
static int check_spec(AshCli *cli, const char *file) {
        const char *spec = ash_cli_option(cli, "spec");
        if (!spec)
                return 0;
        AshSlice dir = ash_path_dir(ash_slice_str(file));
        _free_ char *from = dir.len ? ash_slice_dup(dir) : ash_strdup("."), *path = spec[0] == '/' ? ash_strdup(spec) : ash_path_join(from, spec), *inside = ash_asprintf("%s/%s.spec", path, cli->args[0]);
        struct stat st;
        int r = stat(path, &st) < 0 ? -errno : 0;
        const char *wanted = r >= 0 && S_ISDIR(st.st_mode) ? inside : path;
        if (r >= 0 && access(wanted, R_OK) == 0)
                return 0;
        r = ash_fail_file(cli->diags, r < 0 ? r : -errno, wanted, "there is no such spec for '%s': %s", cli->args[0], ash_strerror(r < 0 ? r : -errno));
        ash_note(cli->diags, ASH_NOWHERE, "--spec is relative to %s, in which the component is declared", file);
        if (spec[0] != '/' && access(spec, R_OK) == 0) {
                _free_ char *top = realpath(from, NULL), *there = realpath(spec, NULL), *relative = top && there ? ash_path_relative(ash_slice_str(top), ash_slice_str(there)) : NULL;
                if (relative)
                        ash_hint(cli->diags, "from there it is --spec %s", relative);
        }
        return r;
}

/* The project must still load, and have the component; else the file gets its old text back. */
static int check_loads(AshCli *cli, const char *file, AshSlice old, mode_t mode) {
        _cleanup_(ash_config_free_p) AshConfig *config = NULL;
        int r = ash_config_load(ash_config_file(cli->config), ASH_CONFIG_DEFAULT, &config, cli->diags);
        if (r >= 0 && !ash_config_find_component(config, ash_slice_str(cli->args[0])))
                r = ash_fail_file(cli->diags, -EINVAL, file, "is not one of the project's files: the component would not be seen");
        if (r < 0) {
                ash_file_write_atomic(AT_FDCWD, file, old, mode, true);
                ash_note(cli->diags, ASH_NOWHERE, "%s was left as it was", file);
        }
        return r;
}

int ash_component_add(AshCli *cli) {
        _cleanup_(ash_toml_edit_free_p) AshTomlEdit *edit = NULL;
        _bytes_ AshBytes bytes = {};
        AshSlice name = ash_slice_str(cli->args[0]);
        struct stat st;
        int r = check_usage(cli);
        if (r < 0)
                return r;
        const AshComponent *there = ash_config_find_component(cli->config, name);
        if (there)
                return exists(cli, there);
        const char *file = ash_cli_option(cli, "file") ? ash_cli_option(cli, "file") : usual_file(cli->config);
        r = stat(file, &st) < 0 ? -errno : ash_file_read(AT_FDCWD, file, 256u << 20, &bytes);
        if (r < 0)
                return ash_fail_file(cli->diags, r, file, "%s", ash_strerror(r));
        r = check_spec(cli, file);
        if (r >= 0)
                r = add_header(file, ash_bytes_slice(&bytes), name, &edit, cli->diags);
        if (r >= 0)
                r = set_spec(cli, edit, name);
        if (r < 0)
                return r;
        r = ash_file_write_atomic(AT_FDCWD, file, ash_toml_edit_text(edit), st.st_mode & 0777, true);
        if (r < 0)
                return ash_fail_file(cli->diags, r, file, "%s", ash_strerror(r));
        r = check_loads(cli, file, ash_bytes_slice(&bytes), st.st_mode & 0777);
        if (r >= 0)
                ash_cli_printf(cli, "%s\n", file);
        return r;
}
