/* Relations that files speak of themselves, as rpm's generators write them: ELF, pkg-config, CMake, scripts, desktop and metainfo files. */
#include "apt-import.h"
#include "elf.h"
#include <stdarg.h>

static AshSlice arena_format(AshArena *arena, const char *format, va_list ap) {
        _str_ AshStr s = {};
        ash_str_appendv(&s, format, ap);
        return ash_arena_slice(arena, ash_str_slice(&s));
}

void apt_provide(AptGenerated *g, AshSlice evr, const char *format, ...) {
        va_list ap;
        va_start(ap, format);
        AshSlice name = arena_format(g->arena, format, ap);
        va_end(ap);
        ash_array_push(&g->provides, ((AshRpmDep){ name, evr, evr.len ? ASH_RPMSENSE_EQUAL | ASH_RPMSENSE_FIND_PROVIDES : ASH_RPMSENSE_FIND_PROVIDES }));
}

void apt_need(AptGenerated *g, AshSlice owner, uint32_t flags, AshSlice evr, const char *format, ...) {
        va_list ap;
        va_start(ap, format);
        AshSlice name = arena_format(g->arena, format, ap);
        va_end(ap);
        ash_array_push(&g->needs, ((AptNeed){ name, evr, flags | ASH_RPMSENSE_FIND_REQUIRES, owner }));
}

void apt_generated_done(AptGenerated *g) {
        ash_array_done(&g->provides);
        ash_array_done(&g->needs);
}

AshSlice apt_clean_version(AshArena *arena, AshSlice v) {
        AshSlice copy = ash_arena_slice(arena, ash_slice_trim(v));
        for (size_t i = 0; i < copy.len; i++) {
                char *c = (char *) copy.ptr + i;
                bool good = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || strchr("._+~^:", *c);
                if (!good)
                        *c = '_';
        }
        return copy;
}

/* ---- ELF ---- */
/* Private plugins and programs that are linked like libraries are left out by rpm: a name counts when it has ".so" and begins like a library or the loader. */
static bool soname_counts(AshSlice s) {
        if (ash_slice_find(s, ASH_S(".so")) < 0 || ash_slice_find_char(s, ' ') >= 0)
                return false;
        static const char *const starts[] = { "ld.", "ld-", "ld64.", "ld64-", "lib" };
        for (size_t i = 0; i < ASH_N(starts); i++)
                if (ash_slice_starts(s, ash_slice_str(starts[i])))
                        return true;
        return false;
}

static void elf_relations(AptGenerated *g, const AshRpmNewFile *file, const AshElf *e) {
        const char *marker = e->is64 ? "(64bit)" : ""; /* libfoo.so.1()(64bit), but plain libfoo.so.1 where there are 32 bits */
        const char *empty = e->is64 ? "()" : "";
        bool needs = e->interpreter.len == 0 || (file->mode & 0111); /* a program that nobody may start asks for nothing */
        AshSlice soname = e->soname.len ? e->soname : ash_path_base(file->path);
        for (size_t i = 0; i < e->n_offers; i++)
                if (soname_counts(e->offers[i].file))
                        apt_provide(g, ASH_NOSLICE, "%.*s(%.*s)%s", ASH_F(e->offers[i].file), ASH_F(e->offers[i].name), marker);
        if (e->type == ASH_ELF_DYN && !e->debug_tag && soname_counts(soname))
                apt_provide(g, ASH_NOSLICE, "%.*s%s%s", ASH_F(soname), empty, marker);
        if (ash_slice_starts(soname, ASH_S("ld-linux")) || ash_slice_starts(soname, ASH_S("ld64")))
                apt_provide(g, ASH_NOSLICE, "rtld(GNU_HASH)"); /* glibc's spec file says so: its loader reads that table */
        for (size_t i = 0; needs && i < e->n_wants; i++)
                if (soname_counts(e->wants[i].file))
                        apt_need(g, e->wants[i].file, 0, ASH_NOSLICE, "%.*s(%.*s)%s", ASH_F(e->wants[i].file), ASH_F(e->wants[i].name), marker);
        for (size_t i = 0; needs && i < e->n_needed; i++)
                if (soname_counts(e->needed[i]))
                        apt_need(g, e->needed[i], 0, ASH_NOSLICE, "%.*s%s%s", ASH_F(e->needed[i]), empty, marker);
        if (needs && e->gnu_hash && !e->hash)
                apt_need(g, ASH_S("libc.so.6"), 0, ASH_NOSLICE, "rtld(GNU_HASH)");
}

void apt_generate_elf(AptGenerated *g, AshRpmNewFile *file) {
        AshElf e;
        if (ash_elf_read(file->data, g->arena, &e) < 0)
                return;
        file->color = e.is64 ? 2 : 1;
        file->type = e.type == ASH_ELF_DYN ? (e.is64 ? ASH_S("ELF 64-bit shared object") : ASH_S("ELF 32-bit shared object"))
                     : e.type == ASH_ELF_EXEC ? (e.is64 ? ASH_S("ELF 64-bit executable") : ASH_S("ELF 32-bit executable"))
                                              : (e.is64 ? ASH_S("ELF 64-bit relocatable") : ASH_S("ELF 32-bit relocatable"));
        if (e.dynamic)
                elf_relations(g, file, &e);
}

/* ---- pkg-config: pkg-config's own manual, "METADATA FILE SYNTAX" ---- */
typedef struct PcVariable {
        AshSlice name, value;
} PcVariable;
typedef struct Pc {
        ASH_ARRAY(PcVariable) variables;
        AshSlice version, requires[2];
        bool has_name;
} Pc;

static void pc_expand(const Pc *pc, AshSlice s, AshStr *out, int depth) {
        for (size_t i = 0; i < s.len && out->len < 65536; i++) {
                if (s.ptr[i] != '$' || i + 1 >= s.len || s.ptr[i + 1] != '{') {
                        ash_str_append_char(out, s.ptr[i]);
                        continue;
                }
                ptrdiff_t close = ash_slice_find_char(ash_slice_from(s, i), '}');
                if (close < 0)
                        return;
                AshSlice name = ash_slice_sub(s, i + 2, (size_t) close - 2);
                for (size_t k = pc->variables.n; depth < 16 && k-- > 0;)
                        if (ash_slice_eq(pc->variables.items[k].name, name)) {
                                pc_expand(pc, pc->variables.items[k].value, out, depth + 1);
                                break;
                        }
                i += (size_t) close;
        }
}

static void pc_line(Pc *pc, AshSlice line) {
        ptrdiff_t hash = ash_slice_find_char(line, '#');
        if (hash >= 0)
                line = ash_slice_sub(line, 0, (size_t) hash);
        line = ash_slice_trim(line);
        size_t n = 0;
        while (n < line.len && (line.ptr[n] == '_' || line.ptr[n] == '.' || (unsigned) (line.ptr[n] | 32) - 'a' < 26u || (unsigned) line.ptr[n] - '0' < 10u))
                n++;
        AshSlice key = ash_slice_sub(line, 0, n), rest = ash_slice_trim(ash_slice_from(line, n));
        if (rest.len == 0)
                return;
        AshSlice value = ash_slice_trim(ash_slice_from(rest, 1));
        if (rest.ptr[0] == '=')
                ash_array_push(&pc->variables, ((PcVariable){ key, value }));
        if (rest.ptr[0] != ':')
                return;
        if (ash_slice_eq_nocase(key, ASH_S("Name")))
                pc->has_name = true;
        if (ash_slice_eq_nocase(key, ASH_S("Version")))
                pc->version = value;
        if (ash_slice_eq_nocase(key, ASH_S("Requires")))
                pc->requires[0] = value;
        if (ash_slice_eq_nocase(key, ASH_S("Requires.private")))
                pc->requires[1] = value;
}

static uint32_t pc_operator(AshSlice s) {
        static const struct {
                const char *text;
                uint32_t flags;
        } table[] = { { "=", ASH_RPMSENSE_EQUAL }, { "==", ASH_RPMSENSE_EQUAL }, { ">=", ASH_RPMSENSE_EQUAL | ASH_RPMSENSE_GREATER }, { "<=", ASH_RPMSENSE_EQUAL | ASH_RPMSENSE_LESS },
                      { ">", ASH_RPMSENSE_GREATER }, { "<", ASH_RPMSENSE_LESS } };
        for (size_t i = 0; i < ASH_N(table); i++)
                if (ash_slice_eqs(s, table[i].text))
                        return table[i].flags;
        return 0;
}

static bool pc_token(AshSlice *rest, AshSlice *ret) {
        while (rest->len > 0 && strchr(" \t,", rest->ptr[0]))
                *rest = ash_slice_from(*rest, 1);
        bool op = rest->len > 0 && strchr("<>=!", rest->ptr[0]);
        size_t n = 0;
        while (n < rest->len && !strchr(" \t,", rest->ptr[n]) && op == (strchr("<>=!", rest->ptr[n]) != NULL))
                n++;
        *ret = ash_slice_sub(*rest, 0, n);
        *rest = ash_slice_from(*rest, n);
        return n > 0;
}

static void pc_requires(AptGenerated *g, AshSlice list) {
        AshSlice name, op, version, peek = list;
        while (pc_token(&list, &name)) {
                peek = list;
                uint32_t flags = pc_token(&peek, &op) ? pc_operator(op) : 0;
                if (flags && pc_token(&peek, &version)) {
                        list = peek;
                        apt_need(g, ASH_NOSLICE, flags, apt_clean_version(g->arena, version), "pkgconfig(%.*s)", ASH_F(name));
                } else
                        apt_need(g, ASH_NOSLICE, 0, ASH_NOSLICE, "pkgconfig(%.*s)", ASH_F(name));
        }
}

void apt_generate_pkgconfig(AptGenerated *g, const AshRpmNewFile *file) {
        Pc pc = {};
        AshSlice rest = file->data, line;
        _str_ AshStr joined = {};
        while (ash_slice_next_line(&rest, &line)) {
                line = ash_slice_trim_right(line);
                bool continued = ash_slice_ends(line, ASH_S("\\"));
                ash_str_append(&joined, continued ? ash_slice_sub(line, 0, line.len - 1) : line);
                if (continued)
                        continue;
                pc_line(&pc, ash_arena_slice(g->arena, ash_str_slice(&joined)));
                ash_str_clear(&joined);
        }
        AshSlice base = ash_path_base(file->path);
        base = ash_slice_sub(base, 0, base.len - 3);
        if (pc.has_name && pc.version.ptr) { /* pkg-config refuses files without either */
                _str_ AshStr text = {};
                pc_expand(&pc, pc.version, &text, 0);
                AshSlice version = apt_clean_version(g->arena, ash_str_slice(&text));
                apt_provide(g, version, "pkgconfig(%.*s)", ASH_F(base));
                for (int i = 0; i < 2; i++) {
                        ash_str_clear(&text);
                        pc_expand(&pc, pc.requires[i], &text, 0);
                        pc_requires(g, ash_arena_slice(g->arena, ash_str_slice(&text)));
                }
        }
        ash_array_done(&pc.variables);
}

/* ---- CMake: FooConfig.cmake and foo-config.cmake, with the version of FooConfigVersion.cmake or foo-config-version.cmake beside them ---- */
static AshSlice cmake_version(AshSlice text) {
        AshSlice line;
        while (ash_slice_next_line(&text, &line)) {
                line = ash_slice_trim(line);
                if (!ash_slice_eq_nocase(ash_slice_sub(line, 0, 3), ASH_S("set")))
                        continue;
                line = ash_slice_trim(ash_slice_from(line, 3));
                if (line.len == 0 || line.ptr[0] != '(')
                        continue;
                line = ash_slice_trim(ash_slice_from(line, 1));
                if (!ash_slice_starts(line, ASH_S("PACKAGE_VERSION")))
                        continue;
                line = ash_slice_from(line, 15);
                if (line.len == 0 || (line.ptr[0] != ' ' && line.ptr[0] != '\t'))
                        continue;
                line = ash_slice_trim(line);
                bool quoted = line.len > 0 && line.ptr[0] == '"';
                line = ash_slice_from(line, quoted);
                ptrdiff_t end = quoted ? ash_slice_find_char(line, '"') : ash_slice_find_char(line, ')');
                AshSlice v = end < 0 ? ASH_NOSLICE : ash_slice_trim(ash_slice_sub(line, 0, (size_t) end));
                return v.len && !memchr(v.ptr, '$', v.len) ? v : ASH_NOSLICE;
        }
        return ASH_NOSLICE;
}

static void generate_cmake(AptGenerated *g, const AshMap *by_path, AshSlice path) {
        static const char *const endings[][2] = { { "Config.cmake", "ConfigVersion.cmake" }, { "-config.cmake", "-config-version.cmake" } };
        for (size_t i = 0; i < ASH_N(endings); i++) {
                AshSlice base = ash_path_base(path);
                if (!ash_slice_ends(base, ash_slice_str(endings[i][0])) || base.len == strlen(endings[i][0]))
                        continue;
                AshSlice name = ash_slice_sub(base, 0, base.len - strlen(endings[i][0]));
                char *beside = ash_arena_printf(g->arena, "%.*s%s", (int) (path.len - strlen(endings[i][0])), path.ptr, endings[i][1]);
                const AshRpmNewFile *version_file = ash_map_get(by_path, ash_slice_str(beside));
                AshSlice version = version_file ? cmake_version(version_file->data) : ASH_NOSLICE;
                version = version.len ? apt_clean_version(g->arena, version) : ASH_NOSLICE;
                char *lower = ash_arena_strndup(g->arena, name.ptr, name.len);
                for (char *c = lower; *c; c++)
                        *c = *c >= 'A' && *c <= 'Z' ? (char) (*c | 32) : *c;
                apt_provide(g, version, "cmake(%.*s)", ASH_F(name));
                if (!ash_slice_eqs(name, lower))
                        apt_provide(g, version, "cmake(%s)", lower);
        }
}

void apt_generate_cmake(AptGenerated *g, const AshRpmNewFile *files, size_t n) {
        _map_ AshMap by_path = {};
        for (size_t i = 0; i < n; i++)
                if (S_ISREG(files[i].mode) && ash_slice_ends(files[i].path, ASH_S(".cmake")))
                        ash_map_put(&by_path, files[i].path, (void *) &files[i], NULL);
        ash_map_foreach(&by_path, e)
                if (ash_slice_starts(e->key, ASH_S("/usr/lib")) || ash_slice_starts(e->key, ASH_S("/usr/share")))
                        if (ash_slice_find(e->key, ASH_S("/cmake/")) > 0)
                                generate_cmake(g, &by_path, e->key);
}

/* ---- scripts and small files ---- */
static void generate_script(AptGenerated *g, const AshRpmNewFile *file) {
        AshSlice line = file->data;
        ptrdiff_t nl = ash_slice_find_char(ash_slice_sub(line, 0, 512), '\n');
        AshSlice words = ash_slice_from(nl < 0 ? ash_slice_sub(line, 0, 512) : ash_slice_sub(line, 0, (size_t) nl), 2), program;
        if (!ash_slice_next_word(&words, &program) || program.len < 2 || program.ptr[0] != '/')
                return;
        /* one file, two names: the merged /usr decides which is real */
        bool merged = ash_slice_starts(program, ASH_S("/bin/")) || ash_slice_starts(program, ASH_S("/sbin/"));
        AshSlice real = ash_slice_str(ash_arena_printf(g->arena, "%s%.*s", merged ? "/usr" : "", ASH_F(program)));
        if (ash_path_is_confined(ash_slice_from(real, 1)))
                apt_need(g, real, 0, ASH_NOSLICE, "%.*s", ASH_F(real));
}

static void generate_desktop(AptGenerated *g, const AshRpmNewFile *file) {
        AshSlice rest = file->data, line, types = ASH_NOSLICE, one;
        bool application = false;
        while (ash_slice_next_line(&rest, &line)) {
                ptrdiff_t eq = ash_slice_find_char(line, '=');
                AshSlice key = ash_slice_trim_right(ash_slice_sub(line, 0, eq < 0 ? 0 : (size_t) eq)), value = eq < 0 ? ASH_S("") : ash_slice_trim(ash_slice_from(line, (size_t) eq + 1));
                application |= (ash_slice_eqs(key, "Type") && ash_slice_starts(value, ASH_S("Application"))) || ash_slice_eqs(key, "Exec");
                if (ash_slice_eqs(key, "MimeType"))
                        types = value;
        }
        if (!application)
                return;
        apt_provide(g, ASH_NOSLICE, "application()");
        apt_provide(g, ASH_NOSLICE, "application(%.*s)", ASH_F(ash_path_base(file->path)));
        while (types.ptr && ash_slice_split(&types, ';', &one))
                if (one.len > 0 && ash_slice_find_char(one, ' ') < 0)
                        apt_provide(g, ASH_NOSLICE, "mimehandler(%.*s)", ASH_F(one));
}

/* Below a directory of that name that is the package's, as "/usr/lib/x86_64-linux-gnu/pkgconfig" or "/usr/share/pkgconfig". */
static bool in_pkgconfig_dir(AshSlice path) {
        if (!ash_slice_starts(path, ASH_S("/usr/lib/")) && !ash_slice_starts(path, ASH_S("/usr/share/pkgconfig/")))
                return false;
        return ash_slice_eqs(ash_path_base(ash_path_dir(path)), "pkgconfig");
}

void apt_generate(AptGenerated *g, AshRpmNewFile *file) {
        if (!S_ISREG(file->mode) || file->flags & ASH_RPMFILE_GHOST)
                return;
        if (ash_slice_starts(file->path, ASH_S("/usr/lib/debug/")))
                return;
        if (ash_elf_magic(file->data)) {
                apt_generate_elf(g, file);
                return;
        }
        if (file->data.len > 3 && memcmp(file->data.ptr, "#!", 2) == 0 && (file->mode & 0111))
                generate_script(g, file);
        if (ash_slice_ends(file->path, ASH_S(".pc")) && in_pkgconfig_dir(file->path))
                apt_generate_pkgconfig(g, file);
        if (ash_slice_ends(file->path, ASH_S(".pm")))
                apt_generate_perl(g, file);
        if (ash_slice_ends(file->path, ASH_S(".desktop")) && ash_slice_starts(file->path, ASH_S("/usr/share/applications/")))
                generate_desktop(g, file);
        if ((ash_slice_starts(file->path, ASH_S("/usr/share/metainfo/")) || ash_slice_starts(file->path, ASH_S("/usr/share/appdata/"))) &&
            (ash_slice_ends(file->path, ASH_S(".metainfo.xml")) || ash_slice_ends(file->path, ASH_S(".appdata.xml")))) {
                apt_provide(g, ASH_NOSLICE, "metainfo()");
                apt_provide(g, ASH_NOSLICE, "metainfo(%.*s)", ASH_F(ash_path_base(file->path)));
        }
        apt_generate_python(g, file);
}
