/* A module's ELF sections: .modinfo ("key=value" strings), .symtab with __ksymtab_strings (exports, imports), __versions (imports of modules with versions). */
#include "kmod.h"

enum { KMOD_MAX = 1 << 30, UNDEFINED = 0, VERSION_ENTRY = 64 };

typedef struct Elf {
        AshSlice bytes;
        bool is64, big;
        uint64_t headers, n_headers, header_size;
        AshSlice names;
} Elf;
typedef ASH_ARRAY(AshSlice) Slices;

/* ---- numbers and sections ---- */
static uint64_t number(const Elf *e, uint64_t at, unsigned size, bool *bad) {
        if (at > e->bytes.len || e->bytes.len - at < size) {
                *bad = true;
                return 0;
        }
        const unsigned char *p = (const unsigned char *) e->bytes.ptr + at;
        uint64_t v = 0;
        for (unsigned i = 0; i < size; i++)
                v = v << 8 | p[e->big ? i : size - 1 - i];
        return v;
}

static AshSlice text_at(AshSlice table, uint64_t at) {
        if (at >= table.len)
                return ASH_NOSLICE;
        return ash_slice(table.ptr + at, strnlen(table.ptr + at, table.len - (size_t) at));
}

static bool section_bytes(const Elf *e, uint64_t i, AshSlice *ret) {
        bool bad = false;
        uint64_t h = e->headers + i * e->header_size;
        uint64_t type = number(e, h + 4, 4, &bad), at = number(e, h + (e->is64 ? 24 : 16), e->is64 ? 8 : 4, &bad), size = number(e, h + (e->is64 ? 32 : 20), e->is64 ? 8 : 4, &bad);
        if (bad || type == 8 /* SHT_NOBITS */ || at > e->bytes.len || size > e->bytes.len - at)
                return false;
        *ret = ash_slice(e->bytes.ptr + at, (size_t) size);
        return true;
}

static int open_elf(AshSlice bytes, Elf *ret) {
        if (bytes.len < 52 || memcmp(bytes.ptr, "\177ELF", 4))
                return -ENOENT;
        unsigned char class = (unsigned char) bytes.ptr[4], order = (unsigned char) bytes.ptr[5];
        if (class < 1 || class > 2 || order < 1 || order > 2)
                return -ASH_ERR_SYNTAX;
        Elf e = { .bytes = bytes, .is64 = class == 2, .big = order == 2 };
        bool bad = false;
        e.headers = number(&e, e.is64 ? 40 : 32, e.is64 ? 8 : 4, &bad);
        e.header_size = number(&e, e.is64 ? 58 : 46, 2, &bad);
        e.n_headers = number(&e, e.is64 ? 60 : 48, 2, &bad);
        uint64_t names = number(&e, e.is64 ? 62 : 50, 2, &bad);
        if (bad || e.header_size < (e.is64 ? 64u : 40u) || e.headers > bytes.len || e.n_headers * e.header_size > bytes.len - e.headers || names >= e.n_headers ||
            !section_bytes(&e, names, &e.names))
                return -ASH_ERR_SYNTAX;
        *ret = e;
        return 0;
}

/* The first section of a name; ptr NULL: there is none. */
static AshSlice find(const Elf *e, const char *name) {
        bool bad = false;
        AshSlice s;
        for (uint64_t i = 1; i < e->n_headers; i++)
                if (ash_slice_eqs(text_at(e->names, number(e, e->headers + i * e->header_size, 4, &bad)), name) && section_bytes(e, i, &s))
                        return s;
        return ASH_NOSLICE;
}

/* ---- what the sections say ---- */
static bool next_string(AshSlice *rest, AshSlice *ret) {
        while (rest->len && !*rest->ptr)
                *rest = ash_slice_from(*rest, 1);
        if (!rest->len)
                return false;
        *ret = text_at(*rest, 0);
        *rest = ash_slice_from(*rest, ret->len);
        return true;
}

static void read_info(const Elf *e, AshArena *arena, AshKmod *m) {
        AshSlice section = find(e, ".modinfo"), rest = section, one;
        size_t n = 0;
        while (next_string(&rest, &one))
                n++;
        m->info = ash_arena_new_items(arena, AshKmodInfo, n + 1);
        for (rest = section; next_string(&rest, &one);) {
                ptrdiff_t eq = ash_slice_find_char(one, '=');
                if (eq >= 0)
                        m->info[m->n_info++] = (AshKmodInfo){ ash_slice(one.ptr, (size_t) eq), ash_slice_from(one, (size_t) eq + 1) };
        }
}

/* Exports are the "__crc_NAME" of modules with versions; in others the strings of the table of exports. Imports are what is undefined, and what __versions lists beside. */
static int read_symbols(const Elf *e, Slices *exports, Slices *imports) {
        AshSlice strings = find(e, ".strtab"), table = find(e, ".symtab"), versions = find(e, "__versions"), rest, one;
        size_t size = e->is64 ? 24 : 16;
        bool bad = !strings.ptr || table.len % size;
        for (size_t at = size; !bad && at + size <= table.len; at += size) {
                uint64_t here = (uint64_t) (table.ptr - e->bytes.ptr) + at;
                AshSlice name = text_at(strings, number(e, here, 4, &bad));
                if (!name.ptr)
                        bad = true;
                else if (ash_slice_starts(name, ASH_S("__crc_")))
                        ash_array_push(exports, ash_slice_from(name, strlen("__crc_")));
                else if (name.len && number(e, here + (e->is64 ? 6 : 14), 2, &bad) == UNDEFINED)
                        ash_array_push(imports, name);
        }
        if (bad && table.ptr)
                return -ASH_ERR_SYNTAX;
        for (rest = find(e, "__ksymtab_strings"); !exports->n && next_string(&rest, &one);)
                ash_array_push(exports, one);
        size_t skip = e->is64 ? 8 : 4;
        for (size_t at = 0; at + VERSION_ENTRY <= versions.len; at += VERSION_ENTRY)
                ash_array_push(imports, text_at(ash_slice(versions.ptr + at + skip, VERSION_ENTRY - skip), 0));
        return 0;
}

static AshSlice *kept(const Slices *s, AshArena *arena) {
        AshSlice *copy = ash_arena_new_items(arena, AshSlice, s->n + 1);
        memcpy(copy, s->items ? s->items : copy, s->n * sizeof *copy);
        return copy;
}

int ash_kmod_read_elf(AshSlice bytes, AshArena *arena, AshKmod *ret) {
        Elf e;
        Slices exports = {}, imports = {};
        AshKmod m = {};
        int r = open_elf(bytes, &e);
        if (r < 0)
                return r;
        read_info(&e, arena, &m);
        r = read_symbols(&e, &exports, &imports);
        if (r >= 0) {
                m.exports = kept(&exports, arena);
                m.n_exports = exports.n;
                m.imports = kept(&imports, arena);
                m.n_imports = imports.n;
                *ret = m;
        }
        ash_array_done(&exports);
        ash_array_done(&imports);
        return r;
}

static void keep_strings(AshKmod *m, AshArena *arena) {
        for (size_t i = 0; i < m->n_info; i++)
                m->info[i] = (AshKmodInfo){ ash_arena_slice(arena, m->info[i].key), ash_arena_slice(arena, m->info[i].value) };
        for (size_t i = 0; i < m->n_exports; i++)
                m->exports[i] = ash_arena_slice(arena, m->exports[i]);
        for (size_t i = 0; i < m->n_imports; i++)
                m->imports[i] = ash_arena_slice(arena, m->imports[i]);
}

int ash_kmod_read(AshSlice bytes, AshArena *arena, AshKmod *ret) {
        AshCompression c = ash_compression_detect(bytes);
        _str_ AshStr plain = {};
        int r = c == ASH_COMP_NONE ? 0 : ash_decompress(bytes, c, KMOD_MAX, &plain);
        if (r >= 0)
                r = ash_kmod_read_elf(c == ASH_COMP_NONE ? bytes : ash_str_slice(&plain), arena, ret);
        if (r >= 0)
                keep_strings(ret, arena);
        return r;
}

bool ash_kmod_next(const AshKmod *m, const char *key, size_t *at, AshSlice *ret) {
        while (*at < m->n_info) {
                const AshKmodInfo *i = &m->info[(*at)++];
                if (ash_slice_eqs(i->key, key)) {
                        *ret = i->value;
                        return true;
                }
        }
        return false;
}

/* ---- names ---- */
AshSlice ash_kmod_plain_path(AshSlice path) {
        static const char *const suffixes[] = { ".gz", ".xz", ".zst" };
        for (size_t i = 0; i < ASH_N(suffixes); i++)
                if (ash_slice_ends(path, ash_slice_str(suffixes[i])))
                        return ash_slice(path.ptr, path.len - strlen(suffixes[i]));
        return path;
}

bool ash_kmod_is_file(AshSlice path) {
        AshSlice plain = ash_kmod_plain_path(path);
        return plain.len > 3 && ash_slice_ends(plain, ASH_S(".ko"));
}

AshSlice ash_kmod_name(AshSlice path, AshArena *arena) {
        AshSlice base = ash_path_base(path);
        ptrdiff_t dot = ash_slice_find_char(base, '.');
        char *name = ash_arena_strndup(arena, base.ptr, dot < 0 ? base.len : (size_t) dot);
        for (char *p = name; *p; p++)
                if (*p == '-')
                        *p = '_';
        return ash_slice_str(name);
}
