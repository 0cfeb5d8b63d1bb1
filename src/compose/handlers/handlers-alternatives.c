/* Alternatives: several packages offer one name, the links lead to the one of the highest priority (update-alternatives(1), alternatives(8)). Maintainer scripts and scriptlets register them with
 * a command; packages whose scripts are not carried declare them in alternatives.d, in the words of that command:
 *   install LINK NAME PATH PRIORITY [family WORD] [initscript WORD]
 *   slave LINK NAME PATH             (of the line in front; "follower" is the same)
 * A scriptlet of a package that does nothing but call the command counts as such a declaration, where the program is in the tree; it does not run then.
 * The state file is dpkg's or chkconfig's, for the program that is in the tree. */
#include <inttypes.h>
#include "compose-alternatives.h"
#include "handlers-private.h"
#include "rpm-read.h"

typedef struct Slave {
        AshSlice link, name, path;   /* path: empty: this choice has none */
} Slave;
typedef struct Choice {
        AshSlice path, family, initscript;
        int64_t priority;
        ASH_ARRAY(Slave) slaves;
} Choice;
typedef struct Group {
        AshSlice name, link;
        ASH_ARRAY(Choice) choices;   /* by path */
        ASH_ARRAY(Slave) slaves;     /* names and links of all, by name */
} Group;
typedef struct Alternatives {
        AshHandlerContext *c;
        AshArena *arena;
        AshMap groups;               /* name -> Group * */
        Choice *last;                /* for slaves; NULL: the line in front was left out */
        Group *last_group;
} Alternatives;

static bool exists(const Alternatives *a, AshSlice path) { return ash_tree_lookup(a->c->tree, path, true) != ASH_NO_NODE; }

/* ---- declarations ---- */
static bool good_words(const AshSlice *words, const char **ret_why) {
        *ret_why = words[0].len && words[0].ptr[0] == '/' && words[2].len && words[2].ptr[0] == '/' ? NULL : "link and path have to be absolute";
        if (!*ret_why && (!words[1].len || ash_slice_find_char(words[1], '/') >= 0))
                *ret_why = "a name has no slash";
        return !*ret_why;
}

static bool parse_priority(AshSlice s, int64_t *ret) {
        bool minus = s.len && s.ptr[0] == '-';
        uint64_t n;
        if (ash_slice_to_u64(minus ? ash_slice_from(s, 1) : s, 10, &n) < 0 || n > INT32_MAX)
                return false;
        *ret = minus ? -(int64_t) n : (int64_t) n;
        return true;
}

static Choice *choice_of(Group *g, AshSlice path) {
        size_t i = 0;
        while (i < g->choices.n && ash_slice_cmp(g->choices.items[i].path, path) < 0)
                i++;
        if (i < g->choices.n && ash_slice_eq(g->choices.items[i].path, path)) {
                ash_array_done(&g->choices.items[i].slaves);
                return &g->choices.items[i];
        }
        (void) ash_array_add(&g->choices);
        memmove(&g->choices.items[i + 1], &g->choices.items[i], (g->choices.n - 1 - i) * sizeof *g->choices.items);
        return &g->choices.items[i];
}

static const char *add_install(Alternatives *a, AshSlice rest) {
        AshSlice w[4] = {}, word, value;
        Choice c = { .family = ASH_S(""), .initscript = ASH_S("") };
        const char *why;
        bool fresh;
        a->last = NULL;
        for (size_t i = 0; i < ASH_N(w); i++)
                if (!ash_slice_next_word(&rest, &w[i]))
                        return "'install' needs link, name, path and priority";
        if (!good_words(w, &why))
                return why;
        if (!parse_priority(w[3], &c.priority))
                return "a priority is a whole number";
        while (ash_slice_next_word(&rest, &word)) {
                bool family = ash_slice_eqs(word, "family");
                if ((!family && !ash_slice_eqs(word, "initscript")) || !ash_slice_next_word(&rest, &value))
                        return "behind the priority only 'family' and 'initscript' with a word each may stand";
                *(family ? &c.family : &c.initscript) = value;
        }
        if (!exists(a, w[2]))
                return "the path is not in this image";
        AshMapEntry *e = ash_map_ensure(&a->groups, w[1], &fresh);
        Group *g = e->value = fresh ? ash_arena_new_item(a->arena, Group) : e->value;
        if (fresh)
                *g = (Group){ .name = w[1], .link = w[0] };
        else if (!ash_slice_eq(g->link, w[0]))
                return "the name has another link already";
        c.path = w[2];
        a->last_group = g;
        a->last = choice_of(g, c.path);
        *a->last = c;
        return NULL;
}

/* By name. */
static const char *note_slave(Group *g, AshSlice link, AshSlice name) {
        size_t i = 0;
        while (i < g->slaves.n && ash_slice_cmp(g->slaves.items[i].name, name) < 0)
                i++;
        if (i < g->slaves.n && ash_slice_eq(g->slaves.items[i].name, name))
                return ash_slice_eq(g->slaves.items[i].link, link) ? NULL : "the name has another link already";
        (void) ash_array_add(&g->slaves);
        memmove(&g->slaves.items[i + 1], &g->slaves.items[i], (g->slaves.n - 1 - i) * sizeof *g->slaves.items);
        g->slaves.items[i] = (Slave){ link, name, ASH_S("") };
        return NULL;
}

static const char *add_slave(Alternatives *a, AshSlice rest) {
        AshSlice w[3] = {};
        const char *why;
        for (size_t i = 0; i < ASH_N(w); i++)
                if (!ash_slice_next_word(&rest, &w[i]))
                        return "'slave' needs link, name and path";
        if (!good_words(w, &why))
                return why;
        if (!a->last)
                return NULL; /* its master was left out */
        ash_array_push(&a->last->slaves, ((Slave){ w[0], w[1], w[2] }));
        return note_slave(a->last_group, w[0], w[1]);
}

static void read_text(Alternatives *a, const char *name, AshSlice text) {
        AshSlice rest = text, line, word;
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new(name, text);
        a->last = NULL;
        while (ash_slice_next_line(&rest, &line)) {
                AshSlice trimmed = ash_slice_trim(line), words = trimmed;
                if (!ash_slice_next_word(&words, &word) || word.ptr[0] == '#')
                        continue;
                const char *why = ash_slice_eqs(word, "install") ? add_install(a, words) : ash_slice_eqs(word, "slave") || ash_slice_eqs(word, "follower") ? add_slave(a, words) : "neither 'install' nor 'slave'";
                if (why)
                        ash_warn(a->c->diags, (AshSpan){ source, (uint32_t) (trimmed.ptr - text.ptr), (uint32_t) trimmed.len }, "%s; the line is left out", why);
        }
}

static void read_files(Alternatives *a) {
        static const char *const places[] = { "/etc/alternatives.d/*.conf", "/usr/lib/alternatives.d/*.conf", NULL };
        size_t n;
        const AshSlice *files = ash_handler_config_files(a->c->tree, places, a->arena, &n);
        for (size_t i = 0; i < n; i++)
                read_text(a, files[i].ptr, ash_compose_read(a->c->tree, files[i]));
}

/* ---- scriptlets ---- */
static bool has_program(const AshHandlerContext *c) {
        static const char *const programs[] = { "/usr/sbin/alternatives", "/usr/bin/alternatives", "/usr/sbin/update-alternatives", "/usr/bin/update-alternatives" };
        for (size_t i = 0; i < ASH_N(programs); i++)
                if (ash_tree_lookup(c->tree, ash_slice_str(programs[i]), true) != ASH_NO_NODE)
                        return true;
        return false;
}

static void read_scriptlet(Alternatives *a, const AshRpmHeader *h, size_t which, AshSlice nevra) {
        static const struct { const char *name; uint32_t body, program, flags; } hooks[] = {
                { "post", ASH_RPMTAG_POSTIN, ASH_RPMTAG_POSTINPROG, ASH_RPMTAG_POSTINFLAGS },
                { "posttrans", ASH_RPMTAG_POSTTRANS, ASH_RPMTAG_POSTTRANSPROG, ASH_RPMTAG_POSTTRANSFLAGS },
        };
        static const AshSlice shell = { "/bin/sh", 7 };
        _str_ AshStr lines = {};
        uint32_t n = 0;
        const AshRpmTag *flags = ash_rpm_tag(h, hooks[which].flags);
        const AshSlice *program = ash_rpm_strings(h, hooks[which].program, a->arena, &n);
        AshSlice body = ash_rpm_string(h, hooks[which].body);
        if (body.ptr && ash_alternatives_script(n ? program : &shell, n ? n : 1, flags ? (uint32_t) ash_rpm_number_at(h, flags, 0) : 0, body, &lines))
                read_text(a, ash_arena_printf(a->arena, "%%%s(%.*s)", hooks[which].name, ASH_F(nevra)), ash_arena_slice(a->arena, ash_str_slice(&lines)));
}

static int read_packages(Alternatives *a) {
        for (size_t i = 0; has_program(a->c) && i < a->c->n_packages; i++) {
                AshSlice blob = ash_pack_header(a->c->packages[i].pack);
                AshRpmHeader header;
                if (ash_slice_find(blob, ASH_S("alternatives")) < 0)
                        continue;
                int r = ash_rpm_header_parse(blob, 0, "header", 0, &header, a->c->diags);
                if (r < 0)
                        return r;
                for (size_t which = 0; which < 2; which++)
                        read_scriptlet(a, &header, which, a->c->packages[i].nevra);
                ash_rpm_header_done(&header);
        }
        return 0;
}

/* ---- links and state ---- */
static int put_links(Alternatives *a, AshSlice link, AshSlice name, AshSlice path) {
        AshSlice middle = ash_slice_str(ash_arena_printf(a->arena, "/etc/alternatives/%.*s", ASH_F(name)));
        AshSlice place = ash_tree_resolve(a->c->tree, ash_path_dir(link));
        AshNode n = ash_tree_lookup(a->c->tree, ash_slice_str(ash_arena_printf(a->arena, "%.*s/%.*s", ASH_F(place), ASH_F(ash_path_base(link)))), false);
        if (n != ASH_NO_NODE && !S_ISLNK(ash_tree_node(a->c->tree, n)->mode)) {
                ash_warn(a->c->diags, ASH_NOWHERE, "%.*s is a file of a package: it is not replaced by the alternative '%.*s'", ASH_F(link), ASH_F(name));
                return 0;
        }
        int r = ash_handler_symlink(a->c, middle, path);
        return r < 0 ? r : ash_handler_symlink(a->c, link, middle);
}

static AshSlice slave_path(const Choice *c, AshSlice name) {
        for (size_t i = 0; i < c->slaves.n; i++)
                if (ash_slice_eq(c->slaves.items[i].name, name))
                        return c->slaves.items[i].path;
        return ASH_S("");
}

static void put_state(const Group *g, bool chkconfig, AshStr *out) {
        ash_str_appendf(out, "auto\n%.*s\n", ASH_F(g->link));
        ash_array_foreach(&g->slaves, s)
                ash_str_appendf(out, "%.*s\n%.*s\n", ASH_F(s->name), ASH_F(s->link));
        ash_str_append_char(out, '\n');
        ash_array_foreach(&g->choices, c) {
                ash_str_appendf(out, "%.*s\n", ASH_F(c->path));
                if (chkconfig && c->family.len)
                        ash_str_appendf(out, "@%.*s@", ASH_F(c->family));
                ash_str_appendf(out, "%" PRId64, c->priority);
                if (chkconfig && c->initscript.len)
                        ash_str_appendf(out, " %.*s", ASH_F(c->initscript));
                ash_str_append_char(out, '\n');
                ash_array_foreach(&g->slaves, s)
                        ash_str_appendf(out, "%.*s\n", ASH_F(slave_path(c, s->name)));
        }
        if (!chkconfig)
                ash_str_append_char(out, '\n');
}

static const char *const states[] = { "/var/lib/dpkg/alternatives", "/var/lib/alternatives" }; /* 1: with chkconfig's words. dpkg's, chkconfig's */

/* A scriptlet that ran in the sandbox called the program for this name: its state file. The program knew what was registered before, but forgets what is not there yet: choices of packages that come later. */
static AshSlice settled(Alternatives *a, const Group *g, size_t *ret_which) {
        for (size_t i = 0; i < ASH_N(states); i++) {
                AshSlice path = ash_slice_str(ash_arena_printf(a->arena, "%s/%.*s", states[i], ASH_F(g->name)));
                AshNode n = ash_tree_lookup(a->c->tree, path, false);
                *ret_which = i;
                if (n != ASH_NO_NODE && a->c->tree->origins.items[ash_tree_node(a->c->tree, n)->origin].kind == ASH_ORIGIN_SCRIPTLET)
                        return ash_compose_read(a->c->tree, path);
        }
        return ASH_NOSLICE;
}

/* "[@family@]priority[ initscript]" */
static bool read_priority(AshSlice line, Choice *c) {
        AshSlice word;
        if (ash_slice_starts(line, ASH_S("@"))) {
                ptrdiff_t end = ash_slice_find_char(ash_slice_from(line, 1), '@');
                if (end < 0)
                        return false;
                c->family = ash_slice_sub(line, 1, (size_t) end);
                line = ash_slice_from(line, (size_t) end + 2);
        }
        if (!ash_slice_next_word(&line, &word) || !parse_priority(word, &c->priority))
                return false;
        (void) ash_slice_next_word(&line, &c->initscript);
        return true;
}

static bool read_state(AshSlice text, Group *g, bool *ret_auto) {
        AshSlice line, link;
        if (!ash_slice_next_line(&text, &line) || !ash_slice_next_line(&text, &g->link))
                return false;
        *ret_auto = ash_slice_eqs(line, "auto");
        while (ash_slice_next_line(&text, &line) && line.len) {
                if (!ash_slice_next_line(&text, &link))
                        return false;
                note_slave(g, link, line);
        }
        while (ash_slice_next_line(&text, &line) && line.len) {
                Choice *c = choice_of(g, line);
                *c = (Choice){ .path = line, .family = ASH_S(""), .initscript = ASH_S("") };
                if (!ash_slice_next_line(&text, &line) || !read_priority(line, c))
                        return false;
                ash_array_foreach(&g->slaves, s)
                        if (ash_slice_next_line(&text, &line) && line.len)
                                ash_array_push(&c->slaves, ((Slave){ s->link, s->name, line }));
        }
        return true;
}

/* Adds what the state has not; false: it has all. */
static bool merge(Group *state, const Group *g) {
        bool more = false;
        ash_array_foreach(&g->choices, c) {
                bool known = false;
                ash_array_foreach(&state->choices, have)
                        known |= ash_slice_eq(have->path, c->path);
                if (known)
                        continue;
                Choice *added = choice_of(state, c->path);
                *added = (Choice){ .path = c->path, .family = c->family, .initscript = c->initscript, .priority = c->priority };
                ash_array_foreach(&c->slaves, s)
                        if (!note_slave(state, s->link, s->name))
                                ash_array_push(&added->slaves, *s);
                more = true;
        }
        return more;
}

static void group_done(Group *g) {
        ash_array_foreach(&g->choices, choice)
                ash_array_done(&choice->slaves);
        ash_array_done(&g->choices);
        ash_array_done(&g->slaves);
}

static int put_choice(Alternatives *a, const Group *g) {
        const Choice *best = g->choices.items;
        ash_array_foreach(&g->choices, c)
                if (c->priority > best->priority)
                        best = c;
        int r = put_links(a, g->link, g->name, best->path);
        ash_array_foreach(&g->slaves, s) {
                AshSlice path = slave_path(best, s->name);
                if (r >= 0 && path.len && exists(a, path))
                        r = put_links(a, s->link, s->name, path);
        }
        return r;
}

static int put_state_file(Alternatives *a, const Group *g, size_t which) {
        _str_ AshStr text = {};
        put_state(g, which, &text);
        return ash_handler_file(a->c, ash_slice_str(ash_arena_printf(a->arena, "%s/%.*s", states[which], ASH_F(g->name))), ash_str_slice(&text), 0644, NULL);
}

static int put_merged(Alternatives *a, const Group *g, AshSlice text, size_t which) {
        _cleanup_(group_done) Group state = { .name = g->name };
        bool is_auto;
        if (!read_state(text, &state, &is_auto) || !is_auto || !merge(&state, g)) /* what somebody chose by hand stays */
                return 0;
        int r = put_choice(a, &state);
        return r < 0 ? r : put_state_file(a, &state, which);
}

/* A choice may have been registered again without a slave that it had. */
static void drop_unused_slaves(Group *g) {
        size_t n = 0;
        ash_array_foreach(&g->slaves, s) {
                bool used = false;
                ash_array_foreach(&g->choices, c)
                        used |= slave_path(c, s->name).len > 0;
                if (used)
                        g->slaves.items[n++] = *s;
        }
        g->slaves.n = n;
}

static int put_group(Alternatives *a, Group *g) {
        size_t which;
        AshSlice state = settled(a, g, &which);
        if (state.ptr)
                return put_merged(a, g, state, which);
        drop_unused_slaves(g);
        int r = put_choice(a, g);
        if (r >= 0 && (exists(a, ASH_S("/usr/share/dpkg")) || exists(a, ASH_S("/var/lib/dpkg"))))
                r = put_state_file(a, g, 0);
        if (r >= 0 && (exists(a, ASH_S("/usr/sbin/alternatives")) || exists(a, ASH_S("/usr/bin/alternatives"))))
                r = put_state_file(a, g, 1);
        return r;
}

bool ash_wants_alternatives(const AshHandlerContext *c) {
        return ash_tree_lookup(c->tree, ASH_S("/usr/lib/alternatives.d"), true) != ASH_NO_NODE || ash_tree_lookup(c->tree, ASH_S("/etc/alternatives.d"), true) != ASH_NO_NODE || (c->n_packages && has_program(c));
}

int ash_handle_alternatives(AshHandlerContext *c) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        Alternatives a = { .c = c, .arena = arena };
        int r = read_packages(&a);
        read_files(&a);
        ash_map_foreach(&a.groups, e) {
                Group *g = e->value;
                r = r < 0 ? r : put_group(&a, g);
                group_done(g);
        }
        ash_map_done(&a.groups);
        return r;
}
