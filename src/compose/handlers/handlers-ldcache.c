/* /etc/ld.so.cache in the format "glibc-ld.so.cache1.1" with its extension section, as glibc 2.32 and later write it by default, and the links from sonames to files that a package left out.
 * Facts of the format: a header of 48 bytes, entries of 24 bytes { flags, key, value, unused, hwcap }, strings (each at most once; one that ends another shares its bytes), extensions. */
#include <endian.h>
#include "elf.h"
#include "handlers-private.h"

enum { TYPE_LIBC6 = 3 /* all, since libc5 is gone */, HEADER = 48, ENTRY = 24, INCLUDE_DEPTH = 8 };
#define HWCAP_EXTENSION (1ULL << 62)
#define EXTENSION_MAGIC 0xEAA42174u

typedef struct LdText { /* interned */
        AshSlice s;
        uint32_t offset;
} LdText;
typedef struct LdDir {
        AshSlice path;
        AshNode node;
        LdText *hwcaps;          /* of DIR/glibc-hwcaps/NAME: the name */
} LdDir;
typedef struct LdEntry {
        LdText *soname, *path;
        uint32_t flags;
        LdText *hwcaps;
        uint32_t isa_level;
        size_t order;            /* directories in the order of their search */
} LdEntry;
typedef struct LdFound { /* of one directory */
        AshSlice name, soname;
        uint32_t flags, isa_level;
        bool is_link;
} LdFound;
typedef struct LdCache {
        AshHandlerContext *c;
        AshArena *arena;
        AshMap texts;            /* text -> LdText */
        ASH_ARRAY(LdDir) dirs;
        ASH_ARRAY(LdEntry) entries;
} LdCache;

static LdText *intern(LdCache *l, AshSlice s) {
        bool fresh;
        AshMapEntry *e = ash_map_ensure(&l->texts, ash_arena_slice(l->arena, s), &fresh);
        if (fresh) {
                e->value = ash_arena_new_item(l->arena, LdText);
                ((LdText *) e->value)->s = e->key;
        }
        return e->value;
}

/* ---- where to look ---- */
static void add_one_dir(LdCache *l, AshSlice path, AshNode n, LdText *hwcaps) { ash_array_push(&l->dirs, ((LdDir){ ash_arena_slice(l->arena, path), n, hwcaps })); }

static void add_hwcaps(LdCache *l, AshSlice dir) {
        const AshTree *t = l->c->tree;
        AshSlice base = ash_slice_str(ash_arena_printf(l->arena, "%.*s/glibc-hwcaps", ASH_F(dir)));
        AshNode n = ash_tree_lookup(t, base, true);
        for (uint32_t i = 0; n != ASH_NO_NODE && i < ash_tree_node(t, n)->n_children; i++) {
                AshNode sub = ash_tree_node(t, n)->children[i];
                AshSlice name = ash_tree_node(t, sub)->name;
                if (S_ISDIR(ash_tree_node(t, sub)->mode))
                        add_one_dir(l, ash_slice_str(ash_arena_printf(l->arena, "%s/%.*s", base.ptr, ASH_F(name))), sub, intern(l, name));
        }
}

/* The same directory under another name counts once, under its first name. */
static void add_dir(LdCache *l, AshSlice path) {
        while (path.len > 1 && path.ptr[path.len - 1] == '/')
                path.len--;
        AshNode n = path.len && path.ptr[0] == '/' ? ash_tree_lookup(l->c->tree, path, true) : ASH_NO_NODE;
        if (n == ASH_NO_NODE || !S_ISDIR(ash_tree_node(l->c->tree, n)->mode))
                return;
        ash_array_foreach(&l->dirs, d)
                if (d->node == n)
                        return;
        add_one_dir(l, path, n, NULL);
        add_hwcaps(l, path);
}

typedef struct Include {
        LdCache *l;
        unsigned depth;
} Include;
static void parse_conf(LdCache *l, AshSlice path, unsigned depth);
static int include_file(void *context, AshSlice path, AshNode n _unused_) {
        Include *i = context;
        parse_conf(i->l, path, i->depth + 1);
        return 0;
}

static void include(LdCache *l, AshSlice conf, AshSlice patterns, unsigned depth) {
        AshSlice word;
        Include context = { l, depth };
        while (ash_slice_next_word(&patterns, &word)) {
                AshSlice dir = ash_path_dir(conf);
                const char *glob = word.ptr[0] == '/' ? ash_arena_slice(l->arena, word).ptr : ash_arena_printf(l->arena, "%.*s/%.*s", ASH_F(dir), ASH_F(word));
                if (depth < INCLUDE_DEPTH)
                        (void) ash_compose_match(l->c->tree, (const char *const[]){ glob, NULL }, include_file, &context);
        }
}

static void parse_conf(LdCache *l, AshSlice path, unsigned depth) {
        AshSlice conf = ash_arena_slice(l->arena, path), rest = ash_compose_read(l->c->tree, path), line, word;
        while (ash_slice_next_line(&rest, &line)) {
                ptrdiff_t hash = ash_slice_find_char(line, '#');
                line = ash_slice_trim(hash < 0 ? line : ash_slice(line.ptr, (size_t) hash));
                AshSlice arguments = line;
                if (!line.len || !ash_slice_next_word(&arguments, &word))
                        continue;
                if (ash_slice_eqs(word, "include"))
                        include(l, conf, arguments, depth);
                else if (!ash_slice_eqs(word, "hwcap")) {
                        ptrdiff_t type = ash_slice_find_char(line, '=');
                        add_dir(l, type < 0 ? line : ash_slice_trim(ash_slice(line.ptr, (size_t) type)));
                }
        }
}

/* What is built into ldconfig: Debian's multiarch directories, or the lib directories with their variants. */
static void add_system_dirs(LdCache *l) {
        static const char *const plain[] = { "/lib", "/lib32", "/lib64", "/libx32", "/libilp32", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32", "/usr/libilp32" };
        AshSlice arch = l->c->arch;
        const char *multi = ash_arena_printf(l->arena, "/usr/lib/%.*s-linux-gnu/libc.so.6", ASH_F(arch));
        if (ash_tree_lookup(l->c->tree, ash_slice_str(multi), true) != ASH_NO_NODE) {
                add_dir(l, ash_slice_str(ash_arena_printf(l->arena, "/lib/%.*s-linux-gnu", ASH_F(arch))));
                add_dir(l, ash_path_dir(ash_slice_str(multi)));
                add_dir(l, ASH_S("/lib"));
                add_dir(l, ASH_S("/usr/lib"));
                return;
        }
        for (size_t i = 0; i < ASH_N(plain); i++)
                add_dir(l, ash_slice_str(plain[i]));
}

/* ---- what is there ---- */
static uint32_t flags_of(const AshElf *e) {
        switch (e->machine) {
        case 62: return e->is64 ? 0x0300 : 0x0800;  /* x86-64, x32 */
        case 183: return e->is64 ? 0x0a00 : 0x0e00; /* aarch64 */
        case 21: return 0x0500;                     /* ppc64 */
        case 22: return e->is64 ? 0x0400 : 0;       /* s390x */
        case 243: return 0x1000;                    /* riscv, double-precision floats */
        case 40: return 0x0900;                     /* arm, hard floats */
        default: return 0;
        }
}

static bool is_library_name(AshSlice name) {
        static const char *const temporary[] = { ".dpkg-new", ".dpkg-tmp", "-gdb.py" };
        if ((!ash_slice_starts(name, ASH_S("lib")) && !ash_slice_starts(name, ASH_S("ld-"))) || ash_slice_find(name, ASH_S(".so")) < 0)
                return false;
        for (size_t i = 0; i < ASH_N(temporary); i++)
                if (ash_slice_ends(name, ash_slice_str(temporary[i])))
                        return false;
        return true;
}

/* Version order of file names: numbers by their value (glibc's _dl_cache_libcmp). */
static int lib_cmp(AshSlice a, AshSlice b) {
        size_t i = 0, k = 0;
        while (i < a.len) {
                unsigned char p = (unsigned char) a.ptr[i], q = k < b.len ? (unsigned char) b.ptr[k] : 0;
                bool dp = p >= '0' && p <= '9', dq = q >= '0' && q <= '9';
                if (dp != dq)
                        return dp ? 1 : -1;
                if (!dp) {
                        if (p != q)
                                return (int) p - (int) q;
                        i++, k++;
                        continue;
                }
                uint64_t va = 0, vb = 0;
                for (; i < a.len && a.ptr[i] >= '0' && a.ptr[i] <= '9'; i++)
                        va = va * 10 + (uint64_t) (a.ptr[i] - '0');
                for (; k < b.len && b.ptr[k] >= '0' && b.ptr[k] <= '9'; k++)
                        vb = vb * 10 + (uint64_t) (b.ptr[k] - '0');
                if (va != vb)
                        return va < vb ? -1 : 1;
        }
        return k < b.len ? -1 : 0;
}

/* A link whose name is neither its target's soname nor that of the link for the linker counts as a file. */
static bool counts_as_link(AshSlice name, AshSlice soname) {
        return ash_slice_eq(name, soname) || (ash_slice_ends(name, ASH_S(".so")) && ash_slice_starts(soname, name));
}

static int look_at(LdCache *l, const LdDir *dir, AshNode n, LdFound *ret) {
        const AshTree *t = l->c->tree;
        _str_ AshStr path = {};
        AshElf e;
        AshSlice name = ash_tree_node(t, n)->name;
        bool is_link = S_ISLNK(ash_tree_node(t, n)->mode);
        ash_str_append(&path, dir->path);
        ash_str_append_char(&path, '/');
        ash_str_append(&path, name);
        AshNode real = is_link ? ash_tree_lookup(t, ash_str_slice(&path), true) : n;
        if (real == ASH_NO_NODE || !S_ISREG(ash_tree_node(t, real)->mode))
                return 0;
        AshSlice bytes = ash_compose_bytes(t, real);
        if (!ash_elf_magic(bytes) || ash_elf_read(bytes, l->arena, &e) < 0 || e.type != ASH_ELF_DYN || !e.dynamic)
                return 0;
        AshSlice soname = e.soname.len ? e.soname : name;
        if (is_link)
                is_link = counts_as_link(name, soname);
        *ret = (LdFound){ .name = name, .soname = is_link ? name : soname, .flags = flags_of(&e) | TYPE_LIBC6, .is_link = is_link };
        return 1;
}

/* The link from the soname to the file, where a package has none, or one to an older version. The file may itself be a link that leads to the same by way of that one. */
static int link_soname(LdCache *l, const LdDir *dir, const LdFound *f, AshSlice path) {
        AshTree *t = l->c->tree;
        AshNode there = ash_tree_child(t, dir->node, f->soname);
        AshNode file = ash_tree_lookup(t, ash_slice_str(ash_arena_printf(l->arena, "%.*s/%.*s", ASH_F(dir->path), ASH_F(f->name))), true);
        if (ash_slice_eq(f->name, f->soname) || (there != ASH_NO_NODE && !S_ISLNK(ash_tree_node(t, there)->mode)))
                return 0;
        if (there != ASH_NO_NODE && (ash_slice_eq(ash_tree_node(t, there)->link, f->name) || ash_tree_lookup(t, path, true) == file))
                return 0;
        return ash_handler_symlink(l->c, path, f->name);
}

static int search(LdCache *l, size_t d) {
        const LdDir dir = l->dirs.items[d];
        AshTree *t = l->c->tree;
        ASH_ARRAY(LdFound) found = {};
        _map_ AshMap sonames = {};
        int r = 0;
        for (uint32_t i = 0; i < ash_tree_node(t, dir.node)->n_children; i++) {
                AshNode n = ash_tree_node(t, dir.node)->children[i];
                LdFound f;
                bool fresh;
                if (!is_library_name(ash_tree_node(t, n)->name) || look_at(l, &dir, n, &f) <= 0)
                        continue;
                AshMapEntry *e = ash_map_ensure(&sonames, f.soname, &fresh);
                if (fresh) {
                        ash_array_push(&found, f);
                        e->value = (void *) (uintptr_t) found.n;
                        continue;
                }
                LdFound *old = &found.items[(uintptr_t) e->value - 1];
                if ((!f.is_link && old->is_link) || (f.is_link == old->is_link && lib_cmp(old->name, f.name) < 0))
                        *old = f;
        }
        for (size_t i = 0; r >= 0 && i < found.n; i++) {
                const LdFound *f = &found.items[i];
                AshSlice file = dir.hwcaps ? f->name : f->soname;
                LdText *path = intern(l, ash_slice_str(ash_arena_printf(l->arena, "%.*s/%.*s", ASH_F(dir.path), ASH_F(file))));
                ash_array_push(&l->entries, ((LdEntry){ intern(l, f->soname), path, f->flags, dir.hwcaps, f->isa_level, d }));
                if (!f->is_link && !dir.hwcaps)
                        r = link_soname(l, &dir, f, path->s);
        }
        ash_array_done(&found);
        return r;
}

/* ---- writing ---- */
static int cmp_entries(const void *x, const void *y) {
        const LdEntry *a = x, *b = y;
        int r = lib_cmp(b->soname->s, a->soname->s);
        if (r)
                return r;
        if (a->flags != b->flags)
                return a->flags < b->flags ? 1 : -1;
        if (!a->hwcaps != !b->hwcaps)
                return a->hwcaps ? -1 : 1;
        if (a->hwcaps && (r = ash_slice_cmp(a->hwcaps->s, b->hwcaps->s)))
                return r;
        return a->order < b->order ? -1 : a->order > b->order;
}

static int cmp_backwards(const void *x, const void *y) {
        AshSlice a = (*(LdText *const *) x)->s, b = (*(LdText *const *) y)->s;
        for (size_t i = 1; i <= a.len && i <= b.len; i++) {
                unsigned char p = (unsigned char) a.ptr[a.len - i], q = (unsigned char) b.ptr[b.len - i];
                if (p != q)
                        return p < q ? 1 : -1;
        }
        return a.len < b.len ? 1 : a.len > b.len ? -1 : 0;
}

static void lay_out_strings(LdCache *l, uint32_t base, AshStr *out) {
        LdText **order = ash_arena_new_items(l->arena, LdText *, l->texts.live + 1);
        size_t n = 0;
        ash_map_foreach(&l->texts, e)
                order[n++] = e->value;
        qsort(order, n, sizeof *order, cmp_backwards);
        for (size_t i = 0; i < n; i++) {
                const LdText *before = i ? order[i - 1] : NULL;
                if (before && ash_slice_ends(before->s, order[i]->s)) {
                        order[i]->offset = before->offset + (uint32_t) (before->s.len - order[i]->s.len);
                        continue;
                }
                order[i]->offset = base + (uint32_t) out->len;
                ash_str_append(out, order[i]->s);
                ash_str_append_char(out, '\0');
        }
}

static void put32(AshStr *out, uint32_t v) {
        v = htole32(v);
        ash_str_append(out, ash_slice((const char *) &v, 4));
}
static void put64(AshStr *out, uint64_t v) {
        v = htole64(v);
        ash_str_append(out, ash_slice((const char *) &v, 8));
}

/* What the ldconfig of the image would write about itself, so that a later run of it changes nothing. */
static AshSlice generator(const LdCache *l) {
        static const char *const places[] = { "/usr/sbin/ldconfig", "/sbin/ldconfig" };
        for (size_t i = 0; i < ASH_N(places); i++) {
                AshSlice b = ash_compose_read(l->c->tree, ash_slice_str(places[i]));
                for (ptrdiff_t at; (at = ash_slice_find(b, ASH_S("ldconfig ("))) >= 0; b = ash_slice_from(b, 1)) {
                        b = ash_slice_from(b, (size_t) at);
                        const char *nul = memchr(b.ptr, 0, ASH_MIN(b.len, (size_t) 200));
                        if (nul && ash_slice_find(ash_slice(b.ptr, (size_t) (nul - b.ptr)), ASH_S(" release version ")) > 0)
                                return ash_slice(b.ptr, (size_t) (nul - b.ptr));
                }
        }
        return ASH_S("ldconfig (Ashlar)");
}

static int cmp_texts(const void *a, const void *b) { return ash_slice_cmp((*(LdText *const *) a)->s, (*(LdText *const *) b)->s); }

/* Names of hwcaps directories in use, sorted. */
static size_t used_hwcaps(const LdCache *l, LdText **ret) {
        size_t n = 0;
        ash_array_foreach(&l->entries, e) {
                bool known = !e->hwcaps;
                for (size_t i = 0; i < n && !known; i++)
                        known = ret[i] == e->hwcaps;
                if (!known)
                        ret[n++] = e->hwcaps;
        }
        if (n)
                qsort(ret, n, sizeof *ret, cmp_texts);
        return n;
}

/* Sections are { tag, flags, offset, size }: 0, who made it; 1, the names of hwcaps directories, whose numbers come first in the file. */
static void put_extensions(const LdCache *l, AshStr *out, LdText **hwcaps, size_t n_hwcaps) {
        AshSlice who = generator(l);
        uint32_t sections = n_hwcaps ? 2 : 1, at = (uint32_t) out->len + 8 + 16 * sections, size = (uint32_t) (4 * n_hwcaps);
        const uint32_t head[] = { EXTENSION_MAGIC, sections, 0, 0, at + size, (uint32_t) who.len, 1, 0, at, size };
        for (size_t i = 0; i < 2 + 4 * sections; i++)
                put32(out, head[i]);
        for (size_t i = 0; i < n_hwcaps; i++)
                put32(out, hwcaps[i]->offset);
        ash_str_append(out, who);
}

static uint64_t hwcap_field(const LdEntry *e, LdText **hwcaps, size_t n) {
        for (size_t i = 0; e->hwcaps && i < n; i++)
                if (hwcaps[i] == e->hwcaps)
                        return HWCAP_EXTENSION | (uint64_t) e->isa_level << 32 | i;
        return 0;
}

static void write_cache(LdCache *l, AshStr *out) {
        _str_ AshStr strings = {};
        LdText **hwcaps = ash_arena_new_items(l->arena, LdText *, l->dirs.n + 1);
        uint32_t base = (uint32_t) (HEADER + ENTRY * l->entries.n);
        if (l->entries.n)
                qsort(l->entries.items, l->entries.n, sizeof *l->entries.items, cmp_entries);
        size_t n_hwcaps = used_hwcaps(l, hwcaps);
        lay_out_strings(l, base, &strings);
        ash_str_append_str(out, "glibc-ld.so.cache1.1");
        put32(out, (uint32_t) l->entries.n);
        put32(out, (uint32_t) strings.len);
        put32(out, 2); /* little-endian */
        put32(out, (uint32_t) ash_align_up(base + strings.len, 4));
        ash_str_append_fill(out, 0, HEADER - out->len);
        ash_array_foreach(&l->entries, e) {
                put32(out, e->flags);
                put32(out, e->soname->offset);
                put32(out, e->path->offset);
                put32(out, 0);
                put64(out, hwcap_field(e, hwcaps, n_hwcaps));
        }
        ash_str_append(out, ash_str_slice(&strings));
        ash_str_append_fill(out, 0, ash_align_up(out->len, 4) - out->len);
        put_extensions(l, out, hwcaps, n_hwcaps);
}

/* Only where glibc is: no other loader reads it. */
bool ash_wants_ldcache(const AshHandlerContext *c) {
        _free_ char *multi = ash_asprintf("/usr/lib/%.*s-linux-gnu/libc.so.6", ASH_F(c->arch));
        const char *const libraries[] = { "/usr/lib64/libc.so.6", "/usr/lib/libc.so.6", multi };
        for (size_t i = 0; i < ASH_N(libraries); i++)
                if (ash_tree_lookup(c->tree, ash_slice_str(libraries[i]), true) != ASH_NO_NODE)
                        return true;
        return false;
}

int ash_handle_ldcache(AshHandlerContext *c) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _str_ AshStr out = {};
        LdCache l = { .c = c, .arena = arena };
        int r = 0;
        parse_conf(&l, ASH_S("/etc/ld.so.conf"), 0);
        add_system_dirs(&l);
        for (size_t i = 0; r >= 0 && i < l.dirs.n; i++)
                r = search(&l, i);
        if (r >= 0) {
                write_cache(&l, &out);
                r = ash_handler_file(c, ASH_S("/etc/ld.so.cache"), ash_str_slice(&out), 0644, NULL);
        }
        ash_array_done(&l.dirs);
        ash_array_done(&l.entries);
        ash_map_done(&l.texts);
        return r;
}
