/* Libraries of what was taken: DT_NEEDED as the dynamic linker looks them up, and what .note.dlopen calls required or recommended. */
#include <sys/stat.h>
#include "elf.h"
#include "initrd-private.h"
#include "json.h"

typedef struct Unfound {
        AshSlice name;
        AshNode for_node;
} Unfound;
typedef struct Search {
        Plan *p;
        AshMap taken;                /* names of libraries that are in */
        ASH_ARRAY(Unfound) unfound;
        ASH_ARRAY(AshSlice) dirs;    /* of ld.so.conf, then the linker's own */
        AshSlice home;               /* where the C library is: the linker looks there without a cache */
} Search;

/* ---- where the dynamic linker looks ---- */
static void add_dir(Search *s, AshSlice dir) {
        dir = ash_slice_trim(dir);
        while (dir.len > 1 && ash_slice_ends(dir, ASH_S("/")))
                dir.len--;
        if (dir.len && dir.ptr[0] == '/' && plan_find(s->p, dir) != ASH_NO_NODE)
                ash_array_push(&s->dirs, ash_arena_slice(s->p->arena, dir));
}

static void read_conf(Search *s, AshSlice path, unsigned depth);
static void read_included(Search *s, AshSlice pattern, unsigned depth) {
        AshSlice dir_path = ash_path_dir(pattern);
        AshNode dir = plan_find(s->p, dir_path);
        _str_ AshStr path = {};
        for (uint32_t i = 0; dir != ASH_NO_NODE && i < ash_tree_node(s->p->src, dir)->n_children; i++) {
                path.len = 0;
                ash_str_appendf(&path, "%.*s/%.*s", ASH_F(dir_path), ASH_F(ash_tree_node(s->p->src, ash_tree_node(s->p->src, dir)->children[i])->name));
                if (ash_glob_match(pattern, ash_str_slice(&path)))
                        read_conf(s, ash_str_slice(&path), depth + 1);
        }
}

static void read_conf(Search *s, AshSlice path, unsigned depth) {
        AshNode n = depth > 8 ? ASH_NO_NODE : plan_find(s->p, path);
        for (AshSlice rest = n == ASH_NO_NODE ? ASH_S("") : plan_bytes(s->p, n), line; ash_slice_next_line(&rest, &line);) {
                ptrdiff_t comment = ash_slice_find_char(line, '#');
                line = ash_slice_trim(comment < 0 ? line : ash_slice(line.ptr, (size_t) comment));
                AshSlice word, text = line;
                if (ash_slice_next_word(&text, &word) && ash_slice_eqs(word, "include")) {
                        while (ash_slice_next_word(&text, &word)) {
                                _free_ char *full = word.ptr[0] == '/' ? ash_slice_dup(word) : ash_asprintf("/etc/%.*s", ASH_F(word));
                                read_included(s, ash_slice_str(full), depth);
                        }
                } else
                        add_dir(s, line);
        }
}

/* ---- one library ---- */
/* Of another class or machine than who asks: the linker goes on looking. */
static AshNode fits(const Search *s, AshSlice path, const AshElf *asks) {
        AshNode n = plan_find(s->p, path);
        if (n == ASH_NO_NODE || !S_ISREG(ash_tree_node(s->p->src, n)->mode))
                return ASH_NO_NODE;
        AshSlice b = plan_bytes(s->p, n);
        if (!ash_elf_magic(b) || (b.ptr[4] == 2) != asks->is64)
                return ASH_NO_NODE;
        uint16_t machine = (uint16_t) (asks->big_endian ? (uint8_t) b.ptr[18] << 8 | (uint8_t) b.ptr[19] : (uint8_t) b.ptr[19] << 8 | (uint8_t) b.ptr[18]);
        return machine == asks->machine ? n : ASH_NO_NODE;
}

static bool try_dir(Search *s, AshSlice dir, AshSlice name, const AshElf *asks, AshStr *path) {
        path->len = 0;
        ash_str_appendf(path, "%.*s/%.*s", ASH_F(dir), ASH_F(name));
        return fits(s, ash_str_slice(path), asks) != ASH_NO_NODE;
}

static bool try_run_path(Search *s, AshSlice list, AshSlice origin, AshSlice name, const AshElf *asks, AshStr *path) {
        for (AshSlice dir; list.len && ash_slice_split(&list, ':', &dir);) {
                _str_ AshStr full = {};
                for (AshSlice rest = dir; rest.len;) {
                        static const char *const tokens[] = { "${ORIGIN}", "$ORIGIN" };
                        size_t k = ash_slice_starts(rest, ash_slice_str(tokens[0])) ? 0 : ash_slice_starts(rest, ash_slice_str(tokens[1])) ? 1 : 2;
                        ash_str_append(&full, k < 2 ? origin : ash_slice(rest.ptr, 1));
                        rest = ash_slice_from(rest, k < 2 ? strlen(tokens[k]) : 1);
                }
                if (full.len && try_dir(s, ash_str_slice(&full), name, asks, path))
                        return true;
        }
        return false;
}

/* True when it was found, and taken. */
static bool take_library(Search *s, AshSlice name, AshSlice origin, const AshElf *asks) {
        _str_ AshStr path = {};
        bool own = try_run_path(s, asks->runpath.len ? ASH_S("") : asks->rpath, origin, name, asks, &path) || try_run_path(s, asks->runpath, origin, name, asks, &path), found = own;
        if (memchr(name.ptr, '/', name.len)) {
                ash_str_append(&path, name);
                found = own = fits(s, name, asks) != ASH_NO_NODE;
        }
        for (size_t i = 0; !found && i < s->dirs.n; i++)
                found = try_dir(s, s->dirs.items[i], name, asks, &path);
        if (!found)
                return false;
        (void) plan_take(s->p, ash_str_slice(&path));
        ash_map_put(&s->taken, ash_arena_slice(s->p->arena, name), s, NULL);
        AshSlice dir = ash_path_dir(ash_str_slice(&path));
        if (!own && s->home.len && plan_find(s->p, dir) != plan_find(s->p, s->home)) { /* the initrd has no ld.so.cache */
                _free_ char *link = ash_asprintf("%.*s/%.*s", ASH_F(s->home), ASH_F(name));
                if (ash_tree_lookup(s->p->out, ash_slice_str(link), false) == ASH_NO_NODE)
                        plan_link(s->p, link, path.ptr);
        }
        return true;
}

/* [{"feature": ..., "priority": "recommended", "soname": ["libkmod.so.2", ...]}]: the first soname that is there counts. */
static void take_dlopens(Search *s, const AshElf *e, AshSlice origin) {
        for (size_t i = 0; i < e->n_dlopens; i++) {
                _cleanup_(ash_source_free_p) AshSource *text = ash_source_new("note", e->dlopens[i]);
                AshJsonValue *root = NULL;
                if (ash_json_parse(text, s->p->arena, &root, NULL) < 0 || root->type != ASH_JSON_ARRAY)
                        continue;
                for (size_t k = 0; k < root->array.n; k++) {
                        AshSlice priority = ash_json_get_string(root->array.items[k], "priority");
                        const AshJsonValue *names = ash_json_get(root->array.items[k], "soname");
                        if ((!ash_slice_eqs(priority, "recommended") && !ash_slice_eqs(priority, "required")) || !names || names->type != ASH_JSON_ARRAY)
                                continue;
                        for (size_t x = 0; x < names->array.n; x++)
                                if (names->array.items[x]->type == ASH_JSON_STRING && take_library(s, names->array.items[x]->string, origin, e))
                                        break;
                }
        }
}

static void take_all_of(Search *s, AshNode n) {
        AshElf e;
        Plan *p = s->p;
        AshSlice bytes = plan_bytes(p, n);
        if (!ash_elf_magic(bytes) || ash_elf_read(bytes, p->arena, &e) < 0)
                return;
        _str_ AshStr origin = {};
        ash_tree_path(p->src, ash_tree_node(p->src, n)->parent, &origin);
        if (e.interpreter.len)
                (void) plan_take(p, e.interpreter);
        for (size_t i = 0; i < e.n_needed; i++)
                if (!take_library(s, e.needed[i], ash_str_slice(&origin), &e))
                        ash_array_push(&s->unfound, ((Unfound){ e.needed[i], n }));
        take_dlopens(s, &e, ash_str_slice(&origin));
}

/* A library without a run path of its own is content with what its program has loaded before (systemd's private ones are so). */
static void complain(Search *s) {
        Plan *p = s->p;
        ash_array_foreach(&s->unfound, u) {
                _str_ AshStr path = {};
                if (ash_map_find(&s->taken, u->name))
                        continue;
                p->missing++;
                ash_tree_path(p->src, u->for_node, &path);
                ash_fail(p->diags, -ENOENT, ASH_NOWHERE, "the initrd needs the library %.*s, which is not in the image", ASH_F(u->name));
                ash_note(p->diags, ASH_NOWHERE, "for %.*s", ASH_F(ash_str_slice(&path)));
        }
}

/* The linker's own directories are compiled into it; the one with the C library is always among them. */
static void find_home(Search *s) {
        for (size_t i = 0; i < s->dirs.n && !s->home.len; i++) {
                _free_ char *path = ash_asprintf("%.*s/libc.so.6", ASH_F(s->dirs.items[i]));
                if (plan_find(s->p, ash_slice_str(path)) != ASH_NO_NODE)
                        s->home = s->dirs.items[i];
        }
}

int plan_libraries(Plan *p) {
        static const char *const own[] = { "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib/riscv64-linux-gnu", "/usr/lib64", "/usr/lib", "/lib64", "/lib" };
        Search s = { .p = p };
        read_conf(&s, ASH_S("/etc/ld.so.conf"), 0);
        for (size_t i = 0; i < ASH_N(own); i++)
                add_dir(&s, ash_slice_str(own[i]));
        find_home(&s);
        for (size_t i = 0; i < p->programs.n; i++) /* grows while it goes */
                take_all_of(&s, p->programs.items[i]);
        complain(&s);
        ash_array_done(&s.unfound);
        ash_map_done(&s.taken);
        ash_array_done(&s.dirs);
        return 0;
}
