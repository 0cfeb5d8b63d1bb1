/* The plain reader: tags of a spec, with simple macros expanded and simple conditions decided. Runs nothing. */
#include <ctype.h>
#include "specinfo-private.h"

typedef struct Part {
        char *name;
        bool has_files, noarch;
        AshStr text;                 /* lines of it */
} Part;

typedef struct Plain {
        const AshSpecInfoInput *in;
        AshArena *arena;
        const AshSpecView *view;
        AshMap macros;               /* name -> AshSlice, in the arena */
        ASH_ARRAY(Part) parts;
        ASH_ARRAY(uint8_t) taken;    /* of each open %if: TAKE, LEAVE, or LEFT: an earlier branch was taken */
        bool noarch;                 /* all of it */
        bool dynamic;                /* has %generate_buildrequires */
        unsigned expansions;         /* made so far */
        AshStr *out;
} Plain;
enum { TAKE, LEAVE, LEFT };

/* ---- macros ---- */
static void define(Plain *p, AshSlice name, AshSlice value) {
        AshSlice *copy = ash_arena_new_item(p->arena, AshSlice);
        *copy = ash_arena_slice(p->arena, value);
        ash_map_put(&p->macros, ash_arena_slice(p->arena, name), copy, NULL);
}

static const struct { const char *name, *value; } known[] = {
        { "_prefix", "/usr" }, { "_bindir", "/usr/bin" }, { "_sbindir", "/usr/bin" }, { "_libexecdir", "/usr/libexec" }, { "_datadir", "/usr/share" }, { "_includedir", "/usr/include" },
        { "_sysconfdir", "/etc" }, { "_localstatedir", "/var" }, { "_libdir", "/usr/lib64" }, { "_mandir", "/usr/share/man" }, { "dist", "" }, { "nil", "" }, { "__isa_bits", "64" },
};

static void define_known(Plain *p) {
        for (size_t i = 0; i < ASH_N(known); i++)
                define(p, ash_slice_str(known[i].name), ash_slice_str(known[i].value));
        define(p, ASH_S("_isa"), ash_slice_eqs(p->in->arch, "x86_64") ? ASH_S("(x86-64)") : ash_slice_eqs(p->in->arch, "aarch64") ? ASH_S("(aarch-64)") : ASH_S(""));
        define(p, ASH_S("_arch"), p->in->arch);
        define(p, ASH_S("_target_cpu"), p->in->arch);
}

static size_t name_length(AshSlice s) {
        size_t n = 0;
        while (n < s.len && (isalnum((unsigned char) s.ptr[n]) || s.ptr[n] == '_'))
                n++;
        return n;
}

enum { DEPTH_MAX = 16, EXPANSIONS_MAX = 1 << 17 }; /* macros can name each other often: more than this is no spec */
static bool expand(Plain *p, AshSlice text, unsigned depth, AshStr *out);

/* What stands between the braces: "name", "?name", "!?name:text", "?name:text". False: no simple one. */
static bool expand_braced(Plain *p, AshSlice body, unsigned depth, AshStr *out) {
        bool negated = false, asked = false;
        for (; body.len && (body.ptr[0] == '?' || body.ptr[0] == '!'); body = ash_slice_from(body, 1)) {
                negated ^= body.ptr[0] == '!';
                asked |= body.ptr[0] == '?';
        }
        size_t n = name_length(body);
        AshSlice name = ash_slice_sub(body, 0, n), rest = ash_slice_from(body, n);
        const AshMapEntry *e = ash_map_find(&p->macros, name);
        if (!asked && (ash_slice_eqs(name, "with") || ash_slice_eqs(name, "without")) && rest.len) {
                _free_ char *key = ash_asprintf("bcond %.*s", ASH_F(ash_slice_trim(rest)));
                bool with = ash_map_find(&p->macros, ash_slice_str(key)) != NULL;
                ash_str_append_char(out, with == ash_slice_eqs(name, "with") ? '1' : '0');
                return true;
        }
        if (rest.len && (rest.ptr[0] != ':' || !asked))
                return false;
        if (asked && (e != NULL) == negated)
                return true;
        if (rest.len)
                return expand(p, ash_slice_from(rest, 1), depth + 1, out);
        return e && !negated ? expand(p, *(AshSlice *) e->value, depth + 1, out) : asked;
}

static size_t closing(AshSlice s) {
        size_t open = 0;
        for (size_t i = 0; i < s.len; i++) {
                open += s.ptr[i] == '{';
                if (s.ptr[i] == '}' && --open == 0)
                        return i;
        }
        return 0;
}

/* False: something in it is more than can be said without running rpm. */
static bool expand(Plain *p, AshSlice text, unsigned depth, AshStr *out) {
        if (depth > DEPTH_MAX || out->len > 1 << 16 || ++p->expansions > EXPANSIONS_MAX)
                return false;
        while (text.len) {
                ptrdiff_t at = ash_slice_find_char(text, '%');
                ash_str_append(out, at < 0 ? text : ash_slice_sub(text, 0, (size_t) at));
                if (at < 0)
                        return true;
                text = ash_slice_from(text, (size_t) at + 1);
                if (text.len && text.ptr[0] == '%') {
                        ash_str_append_char(out, '%');
                        text = ash_slice_from(text, 1);
                        continue;
                }
                size_t n = text.len && text.ptr[0] == '{' ? closing(text) : 0;
                if (n) {
                        if (!expand_braced(p, ash_slice_sub(text, 1, n - 1), depth, out))
                                return false;
                        text = ash_slice_from(text, n + 1);
                        continue;
                }
                size_t marks = 0;
                while (marks < text.len && (text.ptr[marks] == '?' || text.ptr[marks] == '!'))
                        marks++;
                n = marks + name_length(ash_slice_from(text, marks));
                if (n == marks || !expand_braced(p, ash_slice_sub(text, 0, n), depth, out))
                        return false;
                text = ash_slice_from(text, n);
        }
        return true;
}

/* In the arena; ptr NULL: not to be said. */
static AshSlice expanded(Plain *p, AshSlice text) {
        _str_ AshStr out = {};
        return expand(p, text, 0, &out) ? ash_arena_slice(p->arena, ash_str_slice(&out)) : ASH_NOSLICE;
}

/* ---- lines ---- */
static void see_macro(Plain *p, AshSlice line) {
        AshSlice directive, name;
        if (!ash_slice_next_word(&line, &directive) || !ash_slice_next_word(&line, &name))
                return;
        bool with = ash_slice_eqs(directive, "%bcond_with"), without = ash_slice_eqs(directive, "%bcond_without");
        if (with || without || ash_slice_eqs(directive, "%bcond")) {
                AshSlice value = expanded(p, ash_slice_trim(line));
                _free_ char *key = ash_asprintf("bcond %.*s", ASH_F(name));
                if (without || (!with && value.len && !ash_slice_eqs(value, "0")))
                        define(p, ash_slice_str(key), ASH_S("1"));
                return;
        }
        if ((ash_slice_eqs(directive, "%global") || ash_slice_eqs(directive, "%define")) && ash_slice_find_char(name, '(') < 0 && !ash_slice_ends(line, ASH_S("\\")))
                define(p, name, ash_slice_trim(line));
}

/* 1, 0; -1: nobody knows without rpm. */
static int is_true(Plain *p, AshSlice line) {
        AshSlice word, rest = ash_slice_trim(line);
        if (!ash_slice_next_word(&rest, &word))
                return -1;
        if (ash_slice_eqs(word, "%ifarch") || ash_slice_eqs(word, "%ifnarch")) {
                bool named = false, negated = ash_slice_eqs(word, "%ifnarch");
                AshSlice list = expanded(p, rest);
                if (!list.ptr)
                        return -1;
                while (ash_slice_next_word(&list, &word))
                        named |= ash_slice_eq(word, p->in->arch);
                return named != negated;
        }
        AshSlice value = expanded(p, ash_slice_trim(rest));
        bool negated = false;
        for (; value.len && (value.ptr[0] == '!' || value.ptr[0] == ' '); value = ash_slice_from(value, 1))
                negated ^= value.ptr[0] == '!';
        uint64_t number;
        return value.ptr && ash_slice_to_u64(ash_slice_trim(value), 10, &number) >= 0 ? (number != 0) != negated : -1;
}

/* What cannot be decided is taken, and so is its %else: a need too many does less harm than one too few. */
static void see_condition(Plain *p, AshSpecLineKind kind, AshSlice line) {
        if (kind == ASH_LINE_IF) {
                int is = is_true(p, line);
                ash_array_push(&p->taken, is == 0 ? LEAVE : is > 0 ? TAKE : TAKE | 4);
                return;
        }
        if (!p->taken.n)
                return;
        uint8_t *top = ash_array_last(&p->taken);
        if (kind == ASH_LINE_ENDIF) {
                p->taken.n--;
                return;
        }
        bool last = ash_slice_starts(ash_slice_trim(line), ASH_S("%else"));
        if (*top & 4)
                return;
        *top = *top == LEAVE ? (last || is_true(p, line) ? TAKE : LEAVE) : LEFT;
}

static bool is_left_out(const Plain *p) {
        for (size_t i = 0; i < p->taken.n; i++)
                if ((p->taken.items[i] & 3) != TAKE)
                        return true;
        return false;
}

/* "a, b >= 1 (c if d)": one line of output each. */
static void add_deps(Plain *p, AshStr *out, char kind, AshSlice value) {
        value = expanded(p, value);
        size_t i = 0;
        while (i < value.len) {
                while (i < value.len && (value.ptr[i] == ',' || isspace((unsigned char) value.ptr[i])))
                        i++;
                size_t start = i, open = 0;
                for (; i < value.len && (open || (value.ptr[i] != ',' && !isspace((unsigned char) value.ptr[i]))); i++)
                        open += value.ptr[i] == '(' ? 1 : value.ptr[i] == ')' && open ? (size_t) -1 : 0;
                size_t end = i, k = i;
                while (k < value.len && isspace((unsigned char) value.ptr[k]))
                        k++;
                if (k < value.len && strchr("<>=", value.ptr[k])) {
                        while (k < value.len && strchr("<>= \t", value.ptr[k]))
                                k++;
                        while (k < value.len && value.ptr[k] != ',' && !isspace((unsigned char) value.ptr[k]))
                                k++;
                        end = i = k;
                }
                if (end > start)
                        ash_str_appendf(out, "%c %.*s\n", kind, (int) (end - start), value.ptr + start);
        }
}

static Part *part_of(Plain *p, AshSlice name) {
        ash_array_foreach(&p->parts, part)
                if (ash_slice_eq(ash_slice_str(part->name), name))
                        return part;
        Part *part = ash_array_add(&p->parts);
        part->name = ash_slice_dup(name);
        return part;
}

static Part *part_of_section(Plain *p, const AshSpecSection *section) {
        if (section == p->view->sections.items)
                return part_of(p, expanded(p, ASH_S("%{name}")));
        _free_ char *full = ash_spec_full_package(p->view, section);
        AshSlice name = expanded(p, ash_slice_str(full));
        return name.len ? part_of(p, name) : NULL;
}

static void see_tag(Plain *p, const AshSpecSection *section, AshSlice line) {
        static const struct { const char *tag; char kind; } relations[] = { { "BuildRequires", 'B' }, { "Provides", 'p' }, { "Requires", 'r' } };
        static const char *const values[] = { "Name", "Version", "Release", "Epoch" };
        AshSpecTag tag;
        if (!ash_spec_tag(line, &tag))
                return;
        bool main = section == p->view->sections.items;
        if (ash_slice_eq_nocase(tag.name, ASH_S("BuildArch")) && ash_slice_eqs(tag.value, "noarch")) {
                Part *part = main ? NULL : part_of_section(p, section);
                *(part ? &part->noarch : &p->noarch) = true;
        }
        for (size_t i = 0; main && i < ASH_N(values); i++)
                if (ash_slice_eq_nocase(tag.name, ash_slice_str(values[i]))) {
                        _str_ AshStr lower = {};
                        for (size_t k = 0; k < tag.name.len; k++)
                                ash_str_append_char(&lower, (char) tolower((unsigned char) tag.name.ptr[k]));
                        AshSlice value = expanded(p, tag.value);
                        define(p, ash_str_slice(&lower), value.ptr ? value : ASH_S("0"));
                }
        for (size_t i = 0; i < ASH_N(relations); i++)
                if (ash_slice_eq_nocase(tag.name, ash_slice_str(relations[i].tag))) {
                        Part *part = relations[i].kind == 'B' ? NULL : part_of_section(p, section);
                        if (part || relations[i].kind == 'B')
                                add_deps(p, part ? &part->text : p->out, relations[i].kind, tag.value);
                }
}

/* An entry of %files without what stands before the path. */
static AshSlice bare_entry(AshSlice line) {
        static const char *const words[] = { "%attr", "%caps", "%config", "%verify", "%ghost", "%doc", "%license", "%lang", "%missingok" };
        line = ash_slice_trim(line);
        for (size_t i = 0; i < ASH_N(words); i++)
                if (ash_slice_starts(line, ash_slice_str(words[i]))) {
                        AshSlice rest = ash_slice_from(line, strlen(words[i]));
                        ptrdiff_t end = rest.len && rest.ptr[0] == '(' ? ash_slice_find_char(rest, ')') : -1;
                        return bare_entry(ash_slice_from(rest, (size_t) (end + 1)));
                }
        return line;
}

AshSlice ash_specinfo_path(AshSlice line) {
        line = bare_entry(line);
        if (!line.len || line.ptr[0] != '/' || line.ptr[line.len - 1] == '/')
                return ASH_NOSLICE;
        for (size_t i = 0; i < line.len; i++)
                if (strchr("*?[{ \t\"", line.ptr[i]))
                        return ASH_NOSLICE;
        return line;
}

static void see_line(Plain *p, size_t i) {
        const AshSpecLineInfo *info = &p->view->lines.items[i];
        const AshSpecSection *section = &p->view->sections.items[info->section];
        AshSlice line = p->view->doc->lines.items[i].text;
        switch (info->kind) {
        case ASH_LINE_IF: case ASH_LINE_BRANCH: case ASH_LINE_ENDIF:
                see_condition(p, info->kind, line);
                return;
        case ASH_LINE_MACRO:
                if (!is_left_out(p))
                        see_macro(p, line);
                return;
        default:
                break;
        }
        if (is_left_out(p))
                return;
        if (ash_slice_starts(line, ASH_S(ASH_SPECINFO_DYNAMIC)) || ash_slice_eq_nocase(ash_slice_sub(line, 0, strlen("BuildSystem:")), ASH_S("BuildSystem:")))
                p->dynamic = true;
        if (info->kind == ASH_LINE_TAG)
                see_tag(p, section, line);
        else if (section->type == ASH_SECTION_FILES) {
                Part *part = part_of_section(p, section);
                if (!part)
                        return;
                part->has_files = true;
                AshSlice path = info->kind == ASH_LINE_TEXT ? ash_specinfo_path(expanded(p, bare_entry(line))) : ASH_NOSLICE;
                if (path.len)
                        ash_str_appendf(&part->text, "f %.*s\n", ASH_F(path));
        }
}

const AshSpecFileOf *ash_specinfo_spec(const AshSpecInfoInput *in) {
        for (size_t i = 0; i < in->n_files; i++)
                if (strcmp(in->files[i].name, in->spec) == 0)
                        return &in->files[i];
        return NULL;
}

/* What rpm provides for every package: its name, and that with its architecture. */
static void write_parts(Plain *p) {
        AshSlice version = expanded(p, ASH_S("%{version}")), release = expanded(p, ASH_S("%{release}")), epoch = expanded(p, ASH_S("%{?epoch}")), isa = expanded(p, ASH_S("%{?_isa}"));
        version = version.len ? version : ASH_S("0");
        release = release.len ? release : ASH_S("0");
        ash_array_foreach(&p->parts, part) {
                if (part->has_files) {
                        bool noarch = p->noarch || part->noarch;
                        ash_str_appendf(p->out, "P %s %.*s %.*s %.*s %.*s\n", part->name, ASH_F(epoch.len ? epoch : ASH_S("0")), ASH_F(version), ASH_F(release), ASH_F(noarch ? ASH_S("noarch") : p->in->arch));
                        if (isa.len && !noarch)
                                ash_str_appendf(p->out, "p %s%.*s = %.*s%s%.*s-%.*s\n", part->name, ASH_F(isa), ASH_F(epoch), epoch.len ? ":" : "", ASH_F(version), ASH_F(release));
                        ash_str_append(p->out, ash_str_slice(&part->text));
                }
                free(part->name);
                ash_str_done(&part->text);
        }
}

int ash_specinfo_plain(const AshSpecInfoInput *in, AshStr *out, AshDiags *diags) {
        const AshSpecFileOf *file = ash_specinfo_spec(in);
        _cleanup_(ash_spec_free_p) AshSpecDoc *doc = NULL;
        const char *label = in->label ? in->label : in->spec;
        int r = file ? ash_spec_parse(label, file->data, &doc, diags) : ash_fail_file(diags, -ENOENT, label, "there is no such file among the rendered ones");
        if (r < 0)
                return r;
        _specview_ AshSpecView view = {};
        ash_spec_view(doc, &view);
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        Plain p = { .in = in, .arena = arena, .view = &view, .out = out };
        define_known(&p);
        for (size_t i = 0; i < view.lines.n; i++)
                see_line(&p, i);
        if (!ash_map_get(&p.macros, ASH_S("name")))
                r = ash_fail_file(diags, -ASH_ERR_SYNTAX, label, "it has no Name");
        write_parts(&p);
        if (p.dynamic)
                ash_str_append_str(out, "D -\n");
        ash_map_done(&p.macros);
        ash_array_done(&p.parts);
        ash_array_done(&p.taken);
        return r;
}
