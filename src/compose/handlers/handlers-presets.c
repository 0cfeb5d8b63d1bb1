/* Which units are on: presets, then what the definition enables, disables and masks; the links of [Install] sections (systemd.unit(5), systemd.preset(5)). */
#include "handlers-private.h"

static const char *const unit_dirs[] = { "/etc/systemd/", "/usr/local/lib/systemd/", "/usr/lib/systemd/" };
static const char *const unit_types[] = { ".service", ".socket", ".target", ".path", ".timer", ".mount", ".automount", ".swap", ".slice" };
enum { ALSO_DEPTH = 16 };

typedef struct Rule {
        AshSlice glob, instances;
        bool enable;
} Rule;
typedef struct Install {
        ASH_ARRAY(AshSlice) wanted_by, required_by, upheld_by, alias, also;
        AshSlice default_instance;
} Install;
typedef struct Presets {
        AshHandlerContext *c;
        AshArena *arena;
        const char *scope;       /* "system" or "user" */
        ASH_ARRAY(Rule) rules;
        AshMap done;             /* units whose links are made */
} Presets;

static AshSlice text(Presets *p, const char *format, AshSlice a, AshSlice b) { return ash_slice_str(ash_arena_printf(p->arena, format, ASH_F(a), ASH_F(b))); }

/* Files of the scope's directories that match, each base name once, sorted by it. */
static AshSlice *collect(Presets *p, const char *suffix, size_t *ret_n) {
        const char *globs[ASH_N(unit_dirs) + 1] = {};
        for (size_t i = 0; i < ASH_N(unit_dirs); i++)
                globs[i] = ash_arena_printf(p->arena, "%s%s%s", unit_dirs[i], p->scope, suffix);
        return ash_handler_config_files(p->c->tree, globs, p->arena, ret_n);
}

static void read_rules(Presets *p) {
        size_t n;
        AshSlice *files = collect(p, "-preset/*.preset", &n);
        for (size_t i = 0; i < n; i++) {
                AshSlice rest = ash_compose_read(p->c->tree, files[i]), line, verb, glob;
                while (ash_slice_next_line(&rest, &line)) {
                        line = ash_slice_trim(line);
                        if (!line.len || strchr("#;", line.ptr[0]) || !ash_slice_next_word(&line, &verb) || !ash_slice_next_word(&line, &glob))
                                continue;
                        if (ash_slice_eqs(verb, "enable") || ash_slice_eqs(verb, "disable"))
                                ash_array_push(&p->rules, ((Rule){ glob, ash_slice_trim(line), ash_slice_eqs(verb, "enable") }));
                }
        }
}

/* ---- units ---- */
static bool is_unit_name(AshSlice name) {
        for (size_t i = 0; i < ASH_N(unit_types); i++)
                if (ash_slice_ends(name, ash_slice_str(unit_types[i])))
                        return true;
        return false;
}

/* "a@b.service": the part in front of the '@', the instance, the suffix. False for a plain unit. */
static bool split_name(AshSlice name, AshSlice *ret_prefix, AshSlice *ret_instance, AshSlice *ret_suffix) {
        ptrdiff_t at = ash_slice_find_char(name, '@'), dot = ash_slice_rfind_char(name, '.');
        if (dot < 0)
                dot = (ptrdiff_t) name.len;
        *ret_suffix = ash_slice_from(name, (size_t) dot);
        *ret_prefix = ash_slice(name.ptr, (size_t) (at < 0 || at > dot ? dot : at));
        *ret_instance = at < 0 || at > dot ? ASH_S("") : ash_slice(name.ptr + at + 1, (size_t) (dot - at - 1));
        return at >= 0 && at < dot;
}

static AshSlice template_of(Presets *p, AshSlice name) {
        AshSlice prefix, instance, suffix;
        return split_name(name, &prefix, &instance, &suffix) ? text(p, "%.*s@%.*s", prefix, suffix) : name;
}

static AshSlice instantiate(Presets *p, AshSlice template, AshSlice instance) {
        AshSlice prefix, none, suffix;
        split_name(template, &prefix, &none, &suffix);
        return ash_slice_str(ash_arena_printf(p->arena, "%.*s@%.*s%.*s", ASH_F(prefix), ASH_F(instance), ASH_F(suffix)));
}

/* The file of a unit; a link leads to the unit that it is another name of. Empty: none; or masked. */
static AshSlice find_unit(Presets *p, AshSlice name) {
        for (size_t i = 0; i < ASH_N(unit_dirs); i++) {
                AshSlice path = ash_slice_str(ash_arena_printf(p->arena, "%s%s/%.*s", unit_dirs[i], p->scope, ASH_F(name)));
                AshNode n = ash_tree_lookup(p->c->tree, path, false);
                if (n == ASH_NO_NODE)
                        continue;
                if (S_ISLNK(ash_tree_node(p->c->tree, n)->mode))
                        path = ash_tree_resolve(p->c->tree, path);
                return ash_compose_read(p->c->tree, path).len ? path : ASH_S("");
        }
        return ASH_S("");
}

static AshSlice replaced(Presets *p, AshSlice word, AshSlice name) {
        AshSlice prefix, instance, suffix;
        _str_ AshStr out = {};
        split_name(name, &prefix, &instance, &suffix);
        for (size_t i = 0; i < word.len; i++) {
                char next = word.ptr[i] == '%' && i + 1 < word.len ? word.ptr[i + 1] : 0;
                if (next == 'i' || next == 'p' || next == 'n' || next == '%')
                        ash_str_append(&out, next == 'i' ? instance : next == 'p' ? prefix : next == 'n' ? name : ASH_S("%")), i++;
                else
                        ash_str_append_char(&out, word.ptr[i]);
        }
        return ash_arena_slice(p->arena, ash_str_slice(&out));
}

static void read_install(AshSlice rest, Install *in) {
        AshSlice line, word;
        bool inside = false;
        while (ash_slice_next_line(&rest, &line)) {
                line = ash_slice_trim(line);
                if (line.len && line.ptr[0] == '[')
                        inside = ash_slice_eqs(line, "[Install]");
                ptrdiff_t eq = ash_slice_find_char(line, '=');
                if (!inside || eq < 0 || strchr("#;", line.ptr[0]))
                        continue;
                AshSlice key = ash_slice_trim(ash_slice(line.ptr, (size_t) eq)), value = ash_slice_trim(ash_slice_from(line, (size_t) eq + 1));
                if (ash_slice_eqs(key, "DefaultInstance"))
                        in->default_instance = value;
                while (ash_slice_next_word(&value, &word))
                        if (ash_slice_eqs(key, "WantedBy"))
                                ash_array_push(&in->wanted_by, word);
                        else if (ash_slice_eqs(key, "RequiredBy"))
                                ash_array_push(&in->required_by, word);
                        else if (ash_slice_eqs(key, "UpheldBy"))
                                ash_array_push(&in->upheld_by, word);
                        else if (ash_slice_eqs(key, "Alias"))
                                ash_array_push(&in->alias, word);
                        else if (ash_slice_eqs(key, "Also"))
                                ash_array_push(&in->also, word);
        }
}

static void install_of(Presets *p, AshSlice unit, AshSlice path, Install *in) {
        size_t n;
        read_install(ash_compose_read(p->c->tree, path), in);
        AshSlice *drops = collect(p, ash_arena_printf(p->arena, "/%.*s.d/*.conf", ASH_F(unit)), &n);
        for (size_t i = 0; i < n; i++)
                read_install(ash_compose_read(p->c->tree, drops[i]), in);
}

static void install_done(Install *in) {
        ash_array_done(&in->wanted_by);
        ash_array_done(&in->required_by);
        ash_array_done(&in->upheld_by);
        ash_array_done(&in->alias);
        ash_array_done(&in->also);
}

/* A link that is there stays: a package or the definition made it. */
static int put_link(Presets *p, AshSlice name, AshSlice target) {
        AshSlice path = ash_slice_str(ash_arena_printf(p->arena, "/etc/systemd/%s/%.*s", p->scope, ASH_F(name)));
        if (ash_tree_lookup(p->c->tree, path, false) != ASH_NO_NODE)
                return 0;
        return ash_handler_symlink(p->c, path, target);
}

static int enable(Presets *p, AshSlice name, unsigned depth);

/* dependent: empty for a template without an instance, which only another template can want. */
static int put_dependencies(Presets *p, const AshSlice *by, size_t n, const char *kind, AshSlice name, AshSlice dependent, AshSlice path) {
        int r = 0;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                AshSlice prefix, instance, suffix, target = replaced(p, by[i], dependent.len ? dependent : name), unit = dependent;
                if (!unit.len && split_name(target, &prefix, &instance, &suffix) && !instance.len)
                        unit = name;
                if (unit.len)
                        r = put_link(p, ash_slice_str(ash_arena_printf(p->arena, "%.*s.%s/%.*s", ASH_F(target), kind, ASH_F(unit))), path);
        }
        return r;
}

static bool is_in_unit_dir(const Presets *p, AshSlice path) {
        for (size_t i = 0; i < ASH_N(unit_dirs); i++)
                if (ash_slice_starts(path, ash_slice_str(unit_dirs[i])) && ash_slice_eqs(ash_slice_from(ash_path_dir(path), strlen(unit_dirs[i])), p->scope))
                        return true;
        return false;
}

static int make_links(Presets *p, AshSlice name, AshSlice path, const Install *in, unsigned depth) {
        AshSlice prefix, instance, suffix, dependent = name;
        bool templated = split_name(name, &prefix, &instance, &suffix);
        int r = 0;
        if (templated && !instance.len)
                dependent = in->default_instance.len ? instantiate(p, name, in->default_instance) : ASH_S("");
        if (!is_in_unit_dir(p, path)) /* a link to a file elsewhere: systemctl links what it enables ("linked") */
                r = put_link(p, name, path);
        for (size_t i = 0; r >= 0 && i < in->alias.n; i++)
                r = put_link(p, replaced(p, in->alias.items[i], name), path);
        if (r >= 0)
                r = put_dependencies(p, in->wanted_by.items, in->wanted_by.n, "wants", name, dependent, path);
        if (r >= 0)
                r = put_dependencies(p, in->required_by.items, in->required_by.n, "requires", name, dependent, path);
        if (r >= 0)
                r = put_dependencies(p, in->upheld_by.items, in->upheld_by.n, "upholds", name, dependent, path);
        for (size_t i = 0; r >= 0 && i < in->also.n; i++)
                r = enable(p, replaced(p, in->also.items[i], name), depth + 1);
        return r;
}

/* 0 also when there is no such unit. */
static int enable(Presets *p, AshSlice name, unsigned depth) {
        bool fresh;
        AshSlice unit = template_of(p, name), path = find_unit(p, name);
        if (!path.len)
                path = find_unit(p, unit);
        (void) ash_map_ensure(&p->done, ash_arena_slice(p->arena, name), &fresh);
        if (!fresh || !path.len || depth > ALSO_DEPTH)
                return 0;
        Install in = {};
        install_of(p, ash_path_base(path), path, &in);
        int r = make_links(p, ash_slice_eq(unit, name) ? ash_path_base(path) : name, path, &in, depth);
        install_done(&in);
        return r;
}

/* The first rule that matches decides; without one a unit is on. Rules for templates may name instances. */
static int apply_rule(Presets *p, AshSlice name) {
        for (size_t i = 0; i < p->rules.n; i++) {
                const Rule *rule = &p->rules.items[i];
                AshSlice instances = rule->instances, one;
                if (!ash_glob_match(rule->glob, name))
                        continue;
                if (!rule->enable || !instances.len || !ash_slice_eq(template_of(p, name), name) || ash_slice_find_char(name, '@') < 0)
                        return rule->enable ? enable(p, name, 0) : 0;
                int r = 0;
                while (r >= 0 && ash_slice_next_word(&instances, &one))
                        r = enable(p, instantiate(p, name, one), 0);
                return r;
        }
        return enable(p, name, 0);
}

/* ---- the definition ---- */
static AshSlice unit_name(Presets *p, AshText t) { return is_unit_name(t.s) ? t.s : text(p, "%.*s.service%.*s", t.s, ASH_S("")); }

/* With the units of near names, where the name is nearly right. */
static int unknown_unit(Presets *p, AshSlice name, AshSpan at) {
        size_t n;
        AshSlice *units = collect(p, "/*", &n), *names = ash_arena_new_items(p->arena, AshSlice, n + 1);
        for (size_t i = 0; i < n; i++)
                names[i] = ash_path_base(units[i]);
        ptrdiff_t near = ash_slice_nearest(name, names, n);
        int r = ash_fail(p->c->diags, -ENOENT, at, "no package of this image has the unit '%.*s'", ASH_F(name));
        if (near >= 0)
                ash_hint(p->c->diags, "did you mean '%.*s'?", ASH_F(names[near]));
        return r;
}

static bool is_there(Presets *p, AshSlice name) {
        for (size_t i = 0; i < ASH_N(unit_dirs); i++)
                if (ash_tree_lookup(p->c->tree, ash_slice_str(ash_arena_printf(p->arena, "%s%s/%.*s", unit_dirs[i], p->scope, ASH_F(name))), false) != ASH_NO_NODE)
                        return true;
        return false;
}

static int check(Presets *p, AshTexts list) {
        int r = 0;
        for (size_t i = 0; i < list.n; i++) {
                AshSlice name = unit_name(p, list.items[i]);
                if (!is_there(p, name) && !is_there(p, template_of(p, name)))
                        r = unknown_unit(p, name, list.items[i].at);
        }
        return r;
}

/* A name that no package has may be masked, as systemctl does it: the unit may come later. */
static int mask(Presets *p, AshText unit) {
        AshSlice name = unit_name(p, unit), path = ash_slice_str(ash_arena_printf(p->arena, "/etc/systemd/%s/%.*s", p->scope, ASH_F(name)));
        AshNode n = ash_tree_lookup(p->c->tree, path, false);
        if (!is_there(p, name) && !is_there(p, template_of(p, name)))
                ash_warn(p->c->diags, unit.at, "the unit '%.*s', which is masked, is in no package of this image", ASH_F(name));
        if (n == ASH_NO_NODE)
                return ash_handler_symlink(p->c, path, ASH_S("/dev/null"));
        if (S_ISLNK(ash_tree_node(p->c->tree, n)->mode) && ash_slice_eqs(ash_tree_node(p->c->tree, n)->link, "/dev/null"))
                return 0;
        return ash_fail(p->c->diags, -EEXIST, unit.at, "the unit '%.*s' cannot be masked: %.*s is there", ASH_F(name), ASH_F(path));
}

static int enable_wanted(Presets *p, AshText unit) {
        AshSlice name = unit_name(p, unit), path = find_unit(p, name);
        Install in = {};
        if (!path.len)
                path = find_unit(p, template_of(p, name));
        if (!path.len)
                return ash_fail(p->c->diags, -EPERM, unit.at, "the unit '%.*s' is masked: it cannot be enabled", ASH_F(name));
        install_of(p, ash_path_base(path), path, &in);
        if (!(in.alias.n + in.also.n + in.wanted_by.n + in.required_by.n + in.upheld_by.n))
                ash_warn(p->c->diags, unit.at, "the unit '%.*s' says nothing about how it is enabled ([Install]): other units start it, or nothing does", ASH_F(name));
        install_done(&in);
        return enable(p, name, 0);
}

/* ---- disabling: links named like the unit, or leading to it, go; with those that it has in Also= ---- */
static void add_with_also(Presets *p, AshSlice name, AshMap *names, unsigned depth) {
        AshSlice path = find_unit(p, name);
        bool fresh;
        Install in = {};
        (void) ash_map_ensure(names, ash_arena_slice(p->arena, name), &fresh);
        if (!path.len)
                path = find_unit(p, template_of(p, name));
        if (!fresh || !path.len || depth > ALSO_DEPTH)
                return;
        install_of(p, ash_path_base(path), path, &in);
        for (size_t i = 0; i < in.also.n; i++)
                add_with_also(p, replaced(p, in.also.items[i], name), names, depth + 1);
        install_done(&in);
}

static bool is_named(Presets *p, const AshMap *names, AshSlice name) { return ash_map_find(names, name) || ash_map_find(names, template_of(p, name)); }

static void remove_links(Presets *p, const AshMap *names, AshNode dir) {
        AshTree *t = p->c->tree;
        for (uint32_t i = ash_tree_node(t, dir)->n_children; i-- > 0;) {
                AshNode n = ash_tree_node(t, dir)->children[i];
                const AshTreeNode *node = ash_tree_node(t, n);
                bool definition = t->origins.items[node->origin].kind == ASH_ORIGIN_DEFINITION;
                if (S_ISDIR(node->mode)) {
                        bool full = node->n_children;
                        remove_links(p, names, n);
                        if (full && !ash_tree_node(t, n)->n_children && !definition)
                                ash_tree_remove(t, n);
                } else if (S_ISLNK(node->mode) && !definition && !ash_slice_eqs(node->link, "/dev/null") && (is_named(p, names, node->name) || is_named(p, names, ash_path_base(node->link))))
                        ash_tree_remove(t, n);
        }
}

static void disable(Presets *p, AshTexts list) {
        _map_ AshMap names = {};
        AshNode dir = ash_tree_lookup(p->c->tree, ash_slice_str(ash_arena_printf(p->arena, "/etc/systemd/%s", p->scope)), false);
        for (size_t i = 0; i < list.n; i++)
                add_with_also(p, unit_name(p, list.items[i]), &names, 0);
        if (names.live && dir != ASH_NO_NODE)
                remove_links(p, &names, dir);
        ash_map_clear(&p->done); /* may be enabled again */
}

/* Masks first: what is masked is not enabled by a preset. */
static int run_scope(AshHandlerContext *c, const char *scope) {
        static const AshImage nothing;
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        Presets p = { .c = c, .arena = arena, .scope = scope };
        const AshImage *image = c->image && !strcmp(scope, "system") ? c->image : &nothing;
        size_t n;
        int r = check(&p, image->enable), s = check(&p, image->disable);
        r = r < 0 ? r : s;
        for (size_t i = 0; r >= 0 && i < image->mask.n; i++)
                r = mask(&p, image->mask.items[i]);
        read_rules(&p);
        AshSlice *units = collect(&p, "/*", &n);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                AshSlice name = ash_path_base(units[i]);
                bool link = S_ISLNK(ash_tree_node(c->tree, ash_tree_lookup(c->tree, units[i], false))->mode);
                if (is_unit_name(name) && (!link || ash_slice_eq(ash_path_base(find_unit(&p, name)), name))) /* another name of a unit has no preset of its own */
                        r = apply_rule(&p, name);
        }
        if (r >= 0)
                disable(&p, image->disable);
        for (size_t i = 0; r >= 0 && i < image->enable.n; i++)
                r = enable_wanted(&p, image->enable.items[i]);
        ash_array_done(&p.rules);
        ash_map_done(&p.done);
        return r;
}

/* As the scriptlets: where systemctl is. */
bool ash_wants_presets(const AshHandlerContext *c) {
        return ash_tree_lookup(c->tree, ASH_S("/usr/bin/systemctl"), true) != ASH_NO_NODE || (c->image && c->image->enable.n + c->image->disable.n + c->image->mask.n);
}

int ash_handle_presets(AshHandlerContext *c) {
        int r = run_scope(c, "system");
        return r < 0 ? r : run_scope(c, "user");
}
