#include "apt-contents.h"

/* ---- a path to what its package provides ---- */
static bool cut_prefix(AshSlice *s, AshSlice prefix) {
        if (!ash_slice_starts(*s, prefix))
                return false;
        *s = ash_slice_from(*s, prefix.len);
        return true;
}

static bool cut_suffix(AshSlice *s, AshSlice suffix) {
        if (!ash_slice_ends(*s, suffix))
                return false;
        *s = ash_slice(s->ptr, s->len - suffix.len);
        return true;
}

/* "40" of "5.40/x", the directory of a version. */
static bool cut_version(AshSlice *s) {
        size_t n = 0;
        while (n < s->len && (s->ptr[n] == '.' || (s->ptr[n] >= '0' && s->ptr[n] <= '9')))
                n++;
        if (!n || n >= s->len || s->ptr[n] != '/')
                return false;
        *s = ash_slice_from(*s, n + 1);
        return true;
}

static bool has_slash(AshSlice s) { return ash_slice_find(s, ASH_S("/")) >= 0; }

static bool is_name(AshSlice s) {
        for (size_t i = 0; i < s.len; i++)
                if (strchr(" \t()<>=,", s.ptr[i]))
                        return false;
        return s.len > 0;
}

static bool wrap(AshStr *out, const char *kind, AshSlice name) {
        if (!is_name(name))
                return false;
        ash_str_appendf(out, "%s(%.*s)", kind, ASH_F(name));
        return true;
}

static bool perl_module(AshSlice rest, AshStr *out) {
        if (!cut_suffix(&rest, ASH_S(".pm")) || !is_name(rest))
                return false;
        ash_str_append_str(out, "perl(");
        for (size_t i = 0; i < rest.len; i++)
                if (rest.ptr[i] == '/')
                        ash_str_append_str(out, "::");
                else
                        ash_str_append(out, ash_slice(rest.ptr + i, 1));
        ash_str_append_str(out, ")");
        return true;
}

/* PEP 503: lower case, runs of "-_." are one "-". */
static bool python_distribution(AshSlice rest, AshStr *out) {
        AshSlice dir = rest;
        ptrdiff_t slash = ash_slice_find(rest, ASH_S("/"));
        if (slash >= 0)
                dir = ash_slice(rest.ptr, (size_t) slash);
        if (!cut_suffix(&dir, ASH_S(".dist-info")) && !cut_suffix(&dir, ASH_S(".egg-info")))
                return false;
        ptrdiff_t dash = ash_slice_find(dir, ASH_S("-"));
        if (dash > 0)
                dir = ash_slice(dir.ptr, (size_t) dash);
        if (!is_name(dir))
                return false;
        ash_str_append_str(out, "python3dist(");
        for (size_t i = 0; i < dir.len; i++) {
                char c = dir.ptr[i];
                bool mark = c == '-' || c == '_' || c == '.';
                if (mark && i && strchr("-_.", dir.ptr[i - 1]))
                        continue;
                c = mark ? '-' : c >= 'A' && c <= 'Z' ? (char) (c | 32) : c;
                ash_str_append(out, ash_slice(&c, 1));
        }
        ash_str_append_str(out, ")");
        return true;
}

static void append_lower(AshStr *out, AshSlice s) {
        for (size_t i = 0; i < s.len; i++)
                ash_str_append_char(out, s.ptr[i] >= 'A' && s.ptr[i] <= 'Z' ? (char) (s.ptr[i] | 32) : s.ptr[i]);
}

/* Generators provide cmake(GTest) and cmake(gtest): the table has the latter alone. */
static bool cmake_config(AshSlice rest, AshStr *out) {
        AshSlice base = ash_path_base(rest);
        if ((!cut_suffix(&base, ASH_S("Config.cmake")) && !cut_suffix(&base, ASH_S("-config.cmake"))) || !is_name(base))
                return false;
        ash_str_append_str(out, "cmake(");
        append_lower(out, base);
        ash_str_append_str(out, ")");
        return true;
}

static bool pkgconfig_file(AshSlice rest, AshStr *out) { return !has_slash(rest) && cut_suffix(&rest, ASH_S(".pc")) && wrap(out, "pkgconfig", rest); }

/* "libz.so.1" is what programs name; "libz.so" and "libz.so.1.3.1" are not. */
static bool library(AshSlice rest, AshStr *out) {
        ptrdiff_t so = ash_slice_find(rest, ASH_S(".so."));
        if (so <= 0 || !is_name(rest))
                return false;
        for (size_t i = (size_t) so + 4; i < rest.len; i++)
                if (rest.ptr[i] < '0' || rest.ptr[i] > '9')
                        return false;
        ash_str_appendf(out, "%.*s()(64bit)", ASH_F(rest));
        return true;
}

/* Below usr/lib/ARCH/. What stands in perl-base/ is a copy of some modules for a system without perl: who asks for a module of perl's asks for the package that has them all. */
static bool arch_dependent(AshSlice rest, AshStr *out) {
        if (!has_slash(rest))
                return library(rest, out);
        if (cut_prefix(&rest, ASH_S("pkgconfig/")))
                return pkgconfig_file(rest, out);
        if (cut_prefix(&rest, ASH_S("perl5/")) || cut_prefix(&rest, ASH_S("perl/")))
                return cut_version(&rest) && perl_module(rest, out);
        return cut_prefix(&rest, ASH_S("cmake/")) && cmake_config(rest, out);
}

/* Below a tree of TeX's tex/FORMAT/: "latex/fancyhdr/fancyhdr.sty" is what Fedora calls tex(fancyhdr.sty), in a package named texlive-fancyhdr. */
static bool tex_file(AshSlice rest, AshStr *out) {
        AshSlice base = ash_path_base(rest);
        return (ash_slice_ends(base, ASH_S(".sty")) || ash_slice_ends(base, ASH_S(".cls")) || ash_slice_ends(base, ASH_S(".tex")) || ash_slice_ends(base, ASH_S(".ldf"))) && wrap(out, "tex", base);
}

static bool shared(AshSlice rest, AshStr *out) {
        if (cut_prefix(&rest, ASH_S("texlive/texmf-dist/tex/")) || cut_prefix(&rest, ASH_S("texmf/tex/")))
                return tex_file(rest, out);
        if (cut_prefix(&rest, ASH_S("pkgconfig/")))
                return pkgconfig_file(rest, out);
        if (cut_prefix(&rest, ASH_S("perl5/")))
                return perl_module(rest, out);
        if (cut_prefix(&rest, ASH_S("perl/")))
                return cut_version(&rest) && perl_module(rest, out);
        return cut_prefix(&rest, ASH_S("cmake/")) && cmake_config(rest, out);
}

static bool capability_of(AshSlice path, AshSlice lib, AshStr *out) {
        AshSlice rest = path;
        if (!cut_prefix(&rest, ASH_S("usr/")))
                return false;
        if (ash_slice_starts(rest, ASH_S("bin/")) || ash_slice_starts(rest, ASH_S("sbin/"))) {
                bool good = is_name(path) && !has_slash(ash_slice_from(rest, (size_t) ash_slice_find(rest, ASH_S("/")) + 1));
                if (good)
                        ash_str_appendf(out, "/%.*s", ASH_F(path));
                return good;
        }
        if (cut_prefix(&rest, ASH_S("share/")))
                return shared(rest, out);
        if (!cut_prefix(&rest, ASH_S("lib/")))
                return false;
        if (cut_prefix(&rest, ASH_S("python3/dist-packages/")))
                return python_distribution(rest, out);
        if (cut_prefix(&rest, ASH_S("pkgconfig/")))
                return pkgconfig_file(rest, out);
        if (cut_prefix(&rest, ASH_S("cmake/")))
                return cmake_config(rest, out);
        return cut_prefix(&rest, lib) && cut_prefix(&rest, ASH_S("/")) && arch_dependent(rest, out);
}

/* "usr/bin/x   section/one,area/section/two": a path may have blanks, the list of packages has none. */
static void scan_line(AshSlice line, AshSlice lib, AshStr *out) {
        size_t end = line.len;
        while (end && line.ptr[end - 1] != ' ' && line.ptr[end - 1] != '\t')
                end--;
        AshSlice packages = ash_slice_from(line, end), path = ash_slice(line.ptr, end), one;
        char capability[512];
        size_t start = out->len;
        while (path.len && (path.ptr[path.len - 1] == ' ' || path.ptr[path.len - 1] == '\t'))
                path.len--;
        bool good = path.len && capability_of(path, lib, out);
        size_t n = out->len - start;
        out->len = start;
        if (!good || n > sizeof capability)
                return;
        memcpy(capability, out->ptr + start, n);
        while (packages.len && ash_slice_split(&packages, ',', &one))
                ash_str_appendf(out, "%.*s\t%.*s\n", (int) n, capability, ASH_F(ash_path_base(one)));
}

int ash_apt_contents_scan(AshReader *contents, AshSlice lib, AshStr *out) {
        enum { CHUNK = 1 << 20 };
        _free_ char *buffer = ash_malloc(CHUNK);
        size_t held = 0;
        for (;;) {
                ssize_t got = ash_reader_read(contents, buffer + held, CHUNK - held);
                if (got < 0)
                        return (int) got;
                held += (size_t) got;
                const char *at = buffer, *end = buffer + held, *stop;
                while ((stop = memchr(at, '\n', (size_t) (end - at)))) {
                        if (end - at > 4 && at[0] == 'u' && (at[4] == 'b' || at[4] == 's' || at[4] == 'l')) /* usr/bin, usr/sbin, usr/share, usr/lib */
                                scan_line(ash_slice(at, (size_t) (stop - at)), lib, out);
                        at = stop + 1;
                }
                held = (size_t) (end - at);
                memmove(buffer, at, held);
                if (!got)
                        break;
                if (held == CHUNK)
                        return -ASH_ERR_LIMIT;
        }
        if (held)
                scan_line(ash_slice(buffer, held), lib, out);
        return 0;
}

/* ---- the table ---- */
static int by_text(const void *a, const void *b) { return ash_slice_cmp(*(const AshSlice *) a, *(const AshSlice *) b); }

void ash_apt_contents_sort(AshSlice lines, AshStr *out) {
        ASH_ARRAY(AshSlice) all = {};
        AshSlice line;
        while (ash_slice_next_line(&lines, &line))
                if (line.len)
                        ash_array_push(&all, line);
        if (all.n)
                qsort(all.items, all.n, sizeof *all.items, by_text);
        for (size_t i = 0; i < all.n; i++)
                if (!i || !ash_slice_eq(all.items[i - 1], all.items[i]))
                        ash_str_appendf(out, "%.*s\n", ASH_F(all.items[i]));
        ash_array_done(&all);
}

static AshSlice line_at(AshSlice table, size_t at, size_t *ret_start) {
        while (at && table.ptr[at - 1] != '\n')
                at--;
        *ret_start = at;
        AshSlice rest = ash_slice_from(table, at);
        const char *end = memchr(rest.ptr, '\n', rest.len);
        return ash_slice(rest.ptr, end ? (size_t) (end - rest.ptr) : rest.len);
}

/* "wanted TAB" against a line: the tab sorts before whatever a longer name goes on with. */
static int compare(AshSlice line, AshSlice wanted) {
        int c = memcmp(line.ptr, wanted.ptr, ASH_MIN(line.len, wanted.len));
        return c ? c : line.len < wanted.len ? -1 : 0;
}

/* Where the first line is that begins with it. */
static AshSlice lines_from(AshSlice table, AshSlice wanted) {
        size_t low = 0, high = table.len, start;
        while (low < high) {
                AshSlice line = line_at(table, low + (high - low) / 2, &start);
                if (compare(line, wanted) < 0)
                        low = start + line.len + 1;
                else
                        high = start;
        }
        return ash_slice_from(table, ASH_MIN(low, table.len));
}

static void find(AshSlice table, AshSlice wanted, AshArena *arena, AshSlice **ret, size_t *ret_n) {
        ASH_ARRAY(AshSlice) found = {};
        AshSlice rest = lines_from(table, wanted), line;
        while (ash_slice_next_line(&rest, &line) && ash_slice_starts(line, wanted))
                ash_array_push(&found, ash_slice_from(line, wanted.len));
        *ret = ash_arena_new_items(arena, AshSlice, found.n + 1);
        for (*ret_n = 0; *ret_n < found.n; ++*ret_n)
                (*ret)[*ret_n] = ash_arena_slice(arena, found.items[*ret_n]);
        ash_array_done(&found);
}

/* /bin, /sbin, /usr/bin and /usr/sbin are one directory elsewhere; tex(NAME) is a program, when it is no file. */
static void find_otherwise(AshSlice table, AshSlice name, AshArena *arena, AshSlice **ret, size_t *ret_n) {
        static const char *const dirs[][2] = { { "/usr/sbin/", "/usr/bin/" }, { "/sbin/", "/usr/bin/" }, { "/usr/bin/", "/usr/sbin/" }, { "/bin/", "/usr/sbin/" }, { "tex(", "/usr/bin/" } };
        for (size_t i = 0; i < ASH_N(dirs); i++) {
                AshSlice rest = name;
                if (!cut_prefix(&rest, ash_slice_str(dirs[i][0])))
                        continue;
                cut_suffix(&rest, ASH_S(")"));
                find(table, ash_slice_str(ash_arena_printf(arena, "%s%.*s\t", dirs[i][1], ASH_F(rest))), arena, ret, ret_n);
                return;
        }
}

void ash_apt_contents_find(AshSlice table, AshSlice capability, AshArena *arena, AshSlice **ret, size_t *ret_n) {
        AshSlice name = capability;
        const char *before = "";
        _str_ AshStr lower = {};
        if (ash_slice_starts(name, ASH_S("cmake("))) {
                append_lower(&lower, name);
                name = ash_str_slice(&lower);
        }
        if (ash_slice_starts(name, ASH_S("/bin/")) || ash_slice_starts(name, ASH_S("/sbin/")))
                before = "/usr";
        else if (cut_prefix(&name, ASH_S("python3."))) {
                ptrdiff_t dist = ash_slice_find(name, ASH_S("dist("));
                name = dist > 0 ? ash_slice_from(name, (size_t) dist) : capability;
                before = dist > 0 ? "python3" : "";
        }
        ptrdiff_t extra = ash_slice_find(name, ASH_S("["));
        if (extra > 0 && ash_slice_ends(name, ASH_S("])"))) { /* an extra of a Python distribution is no package of its own */
                ash_str_clear(&lower);
                ash_str_appendf(&lower, "%.*s)", (int) extra, name.ptr);
                name = ash_str_slice(&lower);
        }
        find(table, ash_slice_str(ash_arena_printf(arena, "%s%.*s\t", before, ASH_F(name))), arena, ret, ret_n);
        if (!*ret_n)
                find_otherwise(table, name, arena, ret, ret_n);
}

/* ---- development packages ---- */
/* "libXrender-1.0" as "xrender" and "10". */
typedef struct Stem {
        char text[64];
        size_t len, digits;          /* digits: where the version begins */
} Stem;

static bool stem_of(AshSlice name, Stem *ret) {
        ret->len = 0;
        if (name.len > 3 && ash_slice_eq_nocase(ash_slice(name.ptr, 3), ASH_S("lib")))
                name = ash_slice_from(name, 3);
        for (size_t i = 0; i < name.len; i++) {
                char c = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (char) (name.ptr[i] | 32) : name.ptr[i];
                if (strchr("-_.", c))
                        continue;
                if (ret->len == sizeof ret->text)
                        return false;
                ret->text[ret->len++] = c;
        }
        ret->digits = ret->len;
        while (ret->digits && ret->text[ret->digits - 1] >= '0' && ret->text[ret->digits - 1] <= '9')
                ret->digits--;
        return ret->digits > 0;
}

enum { OTHER, SERIES, SAME };

/* SERIES: one of its versions. */
static int liken(const Stem *wanted, const Stem *have) {
        if (wanted->digits != have->digits || wanted->len > have->len || memcmp(wanted->text, have->text, wanted->len))
                return OTHER;
        return wanted->len == have->len ? SAME : SERIES;
}

AshSlice ash_apt_contents_development(AshSlice table, AshSlice name, AshArena *arena) {
        const AshSlice kind = ASH_S("pkgconfig(");
        AshSlice best = {}, rest = lines_from(table, kind), line;
        Stem wanted, have;
        int how = OTHER;
        bool several = false;
        if (!stem_of(name, &wanted))
                return best;
        while (ash_slice_next_line(&rest, &line) && ash_slice_starts(line, kind)) {
                ptrdiff_t end = ash_slice_find(line, ASH_S(")\t"));
                if (end < 0 || !stem_of(ash_slice_sub(line, kind.len, (size_t) end - kind.len), &have))
                        continue;
                AshSlice package = ash_slice_from(line, (size_t) end + 2);
                int like = liken(&wanted, &have);
                if (like == OTHER || like < how)
                        continue;
                several = like == how && (several || !ash_slice_eq(best, package));
                best = package;
                how = like;
        }
        return several ? (AshSlice){} : ash_arena_slice(arena, best);
}
