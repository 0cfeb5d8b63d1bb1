/* Relations of Perl modules and Python distributions. */
#include "apt-import.h"

/* ---- Perl: every "package NAME" of a module file, with the version that is assigned behind it; found line by line, as rpm's own generator does ---- */
static bool word_char(char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
static bool digit(char c) { return c >= '0' && c <= '9'; }
static AshSlice skip_blanks(AshSlice s) {
        while (s.len > 0 && strchr(" \t\r\f", s.ptr[0]) && s.ptr[0])
                s = ash_slice_from(s, 1);
        return s;
}
static size_t span(AshSlice s, bool (*in)(char)) {
        size_t n = 0;
        while (n < s.len && in(s.ptr[n]))
                n++;
        return n;
}
static bool name_char(char c) { return word_char(c) || c == ':'; }
static bool version_char(char c) { return digit(c) || c == '_' || c == '.'; }

typedef struct PerlModule {
        AshSlice name, version;
} PerlModule;
typedef struct Perl {
        ASH_ARRAY(PerlModule) modules;
        AshSlice package, heredoc;
        bool pod, over;
} Perl;

static PerlModule *perl_module(Perl *p, AshSlice name, bool *ret_fresh) {
        ash_array_foreach(&p->modules, m)
                if (ash_slice_eq(m->name, name)) {
                        *ret_fresh = false;
                        return m;
                }
        PerlModule *m = ash_array_add(&p->modules);
        m->name = name;
        *ret_fresh = true;
        return m;
}

/* "package Foo::Bar 1.2;" */
static void perl_package(Perl *p, AshSlice line) {
        AshSlice s = skip_blanks(line);
        if (!ash_slice_starts(s, ASH_S("package")) || s.len < 9 || !strchr(" \t", s.ptr[7]))
                return;
        s = skip_blanks(ash_slice_from(s, 7));
        AshSlice name = ash_slice_sub(s, 0, span(s, name_char));
        s = skip_blanks(ash_slice_from(s, name.len));
        AshSlice version = ASH_NOSLICE, v = s;
        if (v.len > 0 && v.ptr[0] == 'v')
                v = ash_slice_from(v, 1);
        size_t n = span(v, version_char);
        if (n > 0) {
                version = ash_slice_sub(v, 0, n);
                s = skip_blanks(ash_slice_from(v, n));
        }
        if (name.len == 0 || s.len == 0 || (s.ptr[0] != ';' && s.ptr[0] != '{'))
                return;
        p->package = ASH_NOSLICE;
        if (ash_slice_eqs(name, "main"))
                return;
        p->package = name;
        bool fresh;
        PerlModule *m = perl_module(p, name, &fresh);
        if (fresh)
                m->version = version;
}

/* The first number behind the first "=" that one follows, quoted or not. */
static AshSlice perl_number(AshSlice s) {
        for (ptrdiff_t eq; (eq = ash_slice_find_char(s, '=')) >= 0;) {
                s = ash_slice_from(s, (size_t) eq + 1);
                AshSlice t = skip_blanks(s);
                if (t.len > 0 && (t.ptr[0] == '\'' || t.ptr[0] == '"'))
                        t = ash_slice_from(t, 1);
                size_t n = span(t, version_char), digits = span(t, digit);
                if (digits > 0 && n > 1)
                        return ash_slice_sub(t, 0, n);
        }
        return ASH_NOSLICE;
}

/* "our $VERSION = '1.2'", "$Foo::Bar::VERSION = 1.2". A form that says no number takes the version away. */
static void perl_version(Perl *p, AshSlice line) {
        AshSlice s = skip_blanks(line);
        if (!p->package.ptr)
                return;
        if (ash_slice_starts(s, ASH_S("our")) && s.len > 3 && strchr(" \t", s.ptr[3]))
                s = skip_blanks(ash_slice_from(s, 3));
        if (s.len == 0 || s.ptr[0] != '$')
                return;
        s = ash_slice_from(s, 1);
        if (ash_slice_starts(s, p->package) && ash_slice_starts(ash_slice_from(s, p->package.len), ASH_S("::")))
                s = ash_slice_from(s, p->package.len + 2);
        if (!ash_slice_starts(s, ASH_S("VERSION")))
                return;
        AshSlice behind = skip_blanks(ash_slice_from(s, 7));
        if (behind.len < 2 || behind.ptr[0] != '=' || !strchr(" \t", behind.ptr[1]))
                return;
        bool fresh;
        PerlModule *m = perl_module(p, p->package, &fresh);
        ptrdiff_t revision = ash_slice_find(line, ASH_S("$Revision: "));
        AshSlice found = ASH_NOSLICE;
        if (revision >= 0) {
                AshSlice r = ash_slice_from(line, (size_t) revision + 11);
                found = ash_slice_sub(r, 0, span(r, version_char));
        }
        if (found.len == 0)
                found = perl_number(line);
        if (found.len > 0)
                m->version = found;
}

/* POD and here-documents are passed over; false at the data section. */
static bool perl_skip(Perl *p, AshSlice line, bool *ret_skip) {
        static const char *const begins[] = { "=head1", "=head2", "=head3", "=head4", "=pod", "=for", "=item" };
        *ret_skip = true;
        if (p->heredoc.ptr) {
                if (ash_slice_starts(line, p->heredoc) && ash_slice_trim(ash_slice_from(line, p->heredoc.len)).len == 0)
                        p->heredoc = ASH_NOSLICE;
                return true;
        }
        for (size_t i = 0; i < ASH_N(begins); i++)
                p->pod |= ash_slice_starts(line, ash_slice_str(begins[i]));
        if (ash_slice_starts(line, ASH_S("=cut")))
                p->pod = p->over = false;
        if (ash_slice_starts(line, ASH_S("=over")))
                p->over = true;
        if (ash_slice_starts(line, ASH_S("=back")))
                p->over = false;
        AshSlice s = skip_blanks(line);
        if (p->pod || p->over || (s.len > 0 && s.ptr[0] == '#'))
                return true;
        *ret_skip = false;
        return !ash_slice_eqs(line, "__END__") && !ash_slice_eqs(line, "__DATA__");
}

/* "... << 'WORD';" at the end of a line */
static void perl_heredoc(Perl *p, AshSlice line) {
        AshSlice t = ash_slice_trim_right(line);
        if (!ash_slice_ends(t, ASH_S(";")))
                return;
        t = ash_slice_trim_right(ash_slice_sub(t, 0, t.len - 1));
        if (t.len < 4 || (t.ptr[t.len - 1] != '"' && t.ptr[t.len - 1] != '\''))
                return;
        t = ash_slice_sub(t, 0, t.len - 1);
        size_t n = t.len;
        while (n > 0 && word_char(t.ptr[n - 1]))
                n--;
        AshSlice word = ash_slice_from(t, n), before = ash_slice_sub(t, 0, n);
        if (word.len == 0 || before.len == 0 || (before.ptr[before.len - 1] != '"' && before.ptr[before.len - 1] != '\''))
                return;
        before = ash_slice_trim_right(ash_slice_sub(before, 0, before.len - 1));
        if (ash_slice_ends(before, ASH_S("<<")))
                p->heredoc = word;
}

void apt_generate_perl(AptGenerated *g, const AshRpmNewFile *file) {
        Perl p = {};
        AshSlice rest = file->data, line;
        bool skip;
        while (ash_slice_next_line(&rest, &line) && perl_skip(&p, line, &skip)) {
                if (skip)
                        continue;
                perl_heredoc(&p, line);
                perl_package(&p, line);
                perl_version(&p, line);
        }
        ash_array_foreach(&p.modules, m)
                apt_provide(g, m->version.len ? apt_clean_version(g->arena, m->version) : ASH_NOSLICE, "perl(%.*s)", ASH_F(m->name));
        ash_array_done(&p.modules);
}

/* ---- Python: dist-info and egg-info (PEP 376, 503, 440) ---- */
static AshSlice normalize(AshArena *arena, AshSlice name, bool dots) {
        char *out = ash_arena_alloc(arena, name.len + 1);
        size_t n = 0;
        for (size_t i = 0; i < name.len; i++) {
                char c = name.ptr[i];
                bool separator = c == '-' || c == '_' || (dots && c == '.');
                if (separator && n > 0 && out[n - 1] == '-')
                        continue;
                out[n++] = separator ? '-' : c >= 'A' && c <= 'Z' ? (char) (c | 32) : c;
        }
        out[n] = '\0';
        return ash_slice(out, n);
}

static AshSlice take_digits(AshSlice *s) {
        size_t n = span(*s, digit);
        AshSlice d = ash_slice_sub(*s, 0, n);
        *s = ash_slice_from(*s, n);
        while (d.len > 1 && d.ptr[0] == '0')
                d = ash_slice_from(d, 1);
        return d;
}
static void skip_separator(AshSlice *s) {
        if (s->len > 0 && strchr(".-_", s->ptr[0]))
                *s = ash_slice_from(*s, 1);
}

/* "[.]dev3", "rc1", "post1": takes a word of the list and its number. */
static const char *take_suffix(AshSlice *s, const char *const (*words)[2], AshSlice *ret_number) {
        AshSlice t = *s;
        skip_separator(&t);
        for (size_t i = 0; words[i][0]; i++)
                if (ash_slice_eq_nocase(ash_slice_sub(t, 0, strlen(words[i][0])), ash_slice_str(words[i][0]))) {
                        t = ash_slice_from(t, strlen(words[i][0]));
                        AshSlice number = t;
                        skip_separator(&number);
                        if (number.len > 0 && digit(number.ptr[0]))
                                t = number;
                        *ret_number = take_digits(&t);
                        if (ret_number->len == 0)
                                *ret_number = ASH_S("0");
                        *s = t;
                        return words[i][1];
                }
        return NULL;
}

/* PEP 440 as rpm orders it: trailing ".0" go, "rc1" becomes "~rc1", ".dev1" "~~dev1", ".post1" "^post1"; the local part goes. What is no such version stays. */
static AshSlice python_version(AshArena *arena, AshSlice text) {
        static const char *const pre[][2] = { { "alpha", "a" }, { "beta", "b" }, { "preview", "rc" }, { "pre", "rc" }, { "rc", "rc" }, { "a", "a" }, { "b", "b" }, { "c", "rc" }, {} };
        static const char *const post[][2] = { { "post", "post" }, { "rev", "post" }, { "r", "post" }, {} };
        static const char *const dev[][2] = { { "dev", "dev" }, {} };
        AshSlice s = ash_slice_trim(text), parts[64], number;
        size_t n = 0;
        _str_ AshStr out = {};
        if (s.len > 0 && (s.ptr[0] | 32) == 'v')
                s = ash_slice_from(s, 1);
        ptrdiff_t bang = ash_slice_find_char(s, '!');
        if (bang > 0) {
                AshSlice epoch = ash_slice_sub(s, 0, (size_t) bang);
                if (!ash_slice_eqs(epoch, "0"))
                        ash_str_appendf(&out, "%.*s:", ASH_F(epoch));
                s = ash_slice_from(s, (size_t) bang + 1);
        }
        do {
                parts[n] = take_digits(&s);
                if (parts[n].len == 0)
                        return apt_clean_version(arena, text);
                n++;
        } while (n < ASH_N(parts) && s.len > 1 && s.ptr[0] == '.' && digit(s.ptr[1]) && (s = ash_slice_from(s, 1), true));
        while (n > 1 && ash_slice_eqs(parts[n - 1], "0"))
                n--;
        for (size_t i = 0; i < n; i++)
                ash_str_appendf(&out, "%s%.*s", i ? "." : "", ASH_F(parts[i]));
        const char *p = take_suffix(&s, pre, &number);
        if (p)
                ash_str_appendf(&out, "~%s%.*s", p, ASH_F(number));
        AshSlice post_number = ASH_NOSLICE, dev_number = ASH_NOSLICE;
        bool has_post = take_suffix(&s, post, &post_number), has_dev = take_suffix(&s, dev, &dev_number);
        if (!p && has_dev)
                ash_str_appendf(&out, "~~dev%.*s", ASH_F(dev_number));
        else if (!p && has_post)
                ash_str_appendf(&out, "^post%.*s", ASH_F(post_number));
        return s.len == 0 || s.ptr[0] == '+' ? ash_arena_slice(arena, ash_str_slice(&out)) : apt_clean_version(arena, text);
}

/* "/usr/lib/python3.13/..." says the version; "/usr/lib/python3/dist-packages" means the archive's default one. */
static AshSlice python_of(const AptGenerated *g, AshSlice path) {
        static const char prefix[] = "/usr/lib/python3";
        if (!ash_slice_starts(path, ash_slice_str(prefix)))
                return ASH_NOSLICE;
        AshSlice rest = ash_slice_from(path, strlen(prefix));
        if (rest.len > 0 && rest.ptr[0] == '/')
                return g->python;
        size_t n = rest.len > 1 && rest.ptr[0] == '.' ? 1 + span(ash_slice_from(rest, 1), digit) : 0;
        return n > 1 ? ash_slice_sub(path, strlen(prefix) - 1, n + 1) : ASH_NOSLICE;
}

static void generate_distribution(AptGenerated *g, const AshRpmNewFile *file, AshSlice python) {
        AshSlice headers = file->data;
        ptrdiff_t end = ash_slice_find(headers, ASH_S("\n\n"));
        if (end >= 0)
                headers = ash_slice_sub(headers, 0, (size_t) end + 1);
        AshSlice name = ash_deb822_get(headers, "Name"), version = ash_deb822_get(headers, "Version");
        if (name.len == 0 || version.len == 0 || memchr(name.ptr, '\n', name.len))
                return;
        AshSlice evr = python_version(g->arena, version), names[2] = { normalize(g->arena, name, true), normalize(g->arena, name, false) };
        for (int i = 0; i < (ash_slice_eq(names[0], names[1]) ? 1 : 2); i++) {
                apt_provide(g, evr, "python%.*sdist(%.*s)", ASH_F(python), ASH_F(names[i]));
                apt_provide(g, evr, "python3dist(%.*s)", ASH_F(names[i]));
        }
}

void apt_generate_python(AptGenerated *g, const AshRpmNewFile *file) {
        AshSlice path = file->path, base = ash_path_base(path), dir = ash_path_dir(path);
        AshSlice python = python_of(g, path);
        if (python.len == 0)
                return;
        bool dist = ash_slice_eqs(base, "METADATA") && ash_slice_ends(dir, ASH_S(".dist-info")), egg = ash_slice_eqs(base, "PKG-INFO") && ash_slice_ends(dir, ASH_S(".egg-info"));
        AshSlice place = dist || egg ? ash_path_dir(dir) : dir;
        if (!dist && !egg && !ash_slice_ends(base, ASH_S(".egg-info")))
                return;
        AshSlice where = ash_path_base(place);
        if (ash_slice_eqs(where, "dist-packages") || ash_slice_eqs(where, "site-packages") || ash_slice_starts(where, ASH_S("python3.")))
                generate_distribution(g, file, python);
}
