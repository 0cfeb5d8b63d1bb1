#include "elf.h"

enum { PT_LOAD_ = 1, PT_DYNAMIC_ = 2, PT_INTERP_ = 3, PT_NOTE_ = 4, MAX_ITEMS = 65536, NOTE_DLOPEN = 0x407c0c0a };
enum { T_NULL = 0, T_NEEDED = 1, T_HASH = 4, T_STRTAB = 5, T_STRSZ = 10, T_SONAME = 14, T_RPATH = 15, T_DEBUG = 21, T_RUNPATH = 29 };
#define T_GNU_HASH 0x6ffffef5u
#define T_VERDEF 0x6ffffffcu
#define T_VERDEFNUM 0x6ffffffdu
#define T_VERNEED 0x6ffffffeu
#define T_VERNEEDNUM 0x6fffffffu

typedef struct Segment {
        uint32_t type;
        uint64_t offset, address, size;
} Segment;
typedef struct Reader {
        AshSlice bytes;
        AshArena *arena;
        bool is64, big;
        Segment *segments;
        size_t n_segments;
        AshSlice strings;        /* the dynamic string table */
        uint64_t verdef, n_verdef, verneed, n_verneed;
} Reader;

static bool get(const Reader *r, uint64_t at, unsigned size, uint64_t *ret) {
        if (at > r->bytes.len || r->bytes.len - at < size)
                return false;
        const unsigned char *p = (const unsigned char *) r->bytes.ptr + at;
        uint64_t v = 0;
        for (unsigned i = 0; i < size; i++)
                v = v << 8 | p[r->big ? i : size - 1 - i];
        *ret = v;
        return true;
}
static uint64_t word(const Reader *r, uint64_t at, unsigned size, bool *bad) {
        uint64_t v = 0;
        if (!get(r, at, size, &v))
                *bad = true;
        return v;
}

static bool file_offset(const Reader *r, uint64_t address, uint64_t *ret) {
        for (size_t i = 0; i < r->n_segments; i++) {
                const Segment *s = &r->segments[i];
                if (s->type == PT_LOAD_ && address >= s->address && address - s->address < s->size) {
                        *ret = s->offset + (address - s->address);
                        return *ret >= s->offset;
                }
        }
        return false;
}

static bool string_at(const Reader *r, uint64_t offset, AshSlice *ret) {
        if (offset >= r->strings.len)
                return false;
        const char *p = r->strings.ptr + offset, *nul = memchr(p, '\0', r->strings.len - offset);
        if (!nul)
                return false;
        *ret = ash_slice(p, (size_t) (nul - p));
        return true;
}

static int read_segments(Reader *r) {
        bool bad = false;
        uint64_t at = word(r, r->is64 ? 32 : 28, r->is64 ? 8 : 4, &bad);
        uint64_t size = word(r, r->is64 ? 54 : 42, 2, &bad), n = word(r, r->is64 ? 56 : 44, 2, &bad);
        if (bad || (n > 0 && size < (r->is64 ? 56u : 32u)) || at > r->bytes.len || n * size > r->bytes.len - at)
                return -ASH_ERR_SYNTAX;
        r->segments = ash_arena_new_items(r->arena, Segment, n + 1);
        for (uint64_t i = 0; i < n; i++, at += size) {
                Segment *s = &r->segments[r->n_segments++];
                s->type = (uint32_t) word(r, at, 4, &bad);
                s->offset = word(r, at + (r->is64 ? 8 : 4), r->is64 ? 8 : 4, &bad);
                s->address = word(r, at + (r->is64 ? 16 : 8), r->is64 ? 8 : 4, &bad);
                s->size = word(r, at + (r->is64 ? 32 : 16), r->is64 ? 8 : 4, &bad);
        }
        return bad ? -ASH_ERR_SYNTAX : 0;
}

static const Segment *find_segment(const Reader *r, uint32_t type) {
        for (size_t i = 0; i < r->n_segments; i++)
                if (r->segments[i].type == type)
                        return &r->segments[i];
        return NULL;
}

/* Elf*_Verdef: revision, flags, index, aux count, hash, aux offset, next. Aux: name, next. Flag 1 marks the base version: the file's own name. */
static int read_offers(Reader *r, AshElf *e) {
        ASH_ARRAY(AshElfVersion) list = {};
        uint64_t at = r->verdef;
        bool bad = false;
        AshSlice base = e->soname;
        for (uint64_t i = 0; i < r->n_verdef && !bad && list.n < MAX_ITEMS; i++) {
                uint64_t flags = word(r, at + 2, 2, &bad), n = word(r, at + 6, 2, &bad), aux = at + word(r, at + 12, 4, &bad), next = word(r, at + 16, 4, &bad);
                for (uint64_t k = 0; k < n && !bad && list.n < MAX_ITEMS; k++) {
                        AshSlice name;
                        if (!string_at(r, word(r, aux, 4, &bad), &name)) {
                                bad = true;
                                break;
                        }
                        if (flags & 1)
                                base = name;
                        else
                                ash_array_push(&list, ((AshElfVersion){ base, name }));
                        uint64_t step = word(r, aux + 4, 4, &bad);
                        if (step == 0)
                                break;
                        aux += step;
                }
                if (next == 0)
                        break;
                at += next;
        }
        e->offers = ash_arena_new_items(r->arena, AshElfVersion, list.n + 1);
        memcpy(e->offers, list.items ? list.items : e->offers, list.n * sizeof(AshElfVersion));
        e->n_offers = list.n;
        ash_array_done(&list);
        return bad ? -ASH_ERR_SYNTAX : 0;
}

/* Elf*_Verneed: version, aux count, file, aux offset, next. Aux: hash, flags, other, name, next. */
static int read_wants(Reader *r, AshElf *e) {
        ASH_ARRAY(AshElfVersion) list = {};
        uint64_t at = r->verneed;
        bool bad = false;
        for (uint64_t i = 0; i < r->n_verneed && !bad && list.n < MAX_ITEMS; i++) {
                uint64_t n = word(r, at + 2, 2, &bad), aux = at + word(r, at + 8, 4, &bad), next = word(r, at + 12, 4, &bad);
                AshSlice file;
                if (!string_at(r, word(r, at + 4, 4, &bad), &file))
                        bad = true;
                for (uint64_t k = 0; k < n && !bad && list.n < MAX_ITEMS; k++) {
                        AshSlice name;
                        if (!string_at(r, word(r, aux + 8, 4, &bad), &name)) {
                                bad = true;
                                break;
                        }
                        ash_array_push(&list, ((AshElfVersion){ file, name }));
                        uint64_t step = word(r, aux + 12, 4, &bad);
                        if (step == 0)
                                break;
                        aux += step;
                }
                if (next == 0)
                        break;
                at += next;
        }
        e->wants = ash_arena_new_items(r->arena, AshElfVersion, list.n + 1);
        memcpy(e->wants, list.items ? list.items : e->wants, list.n * sizeof(AshElfVersion));
        e->n_wants = list.n;
        ash_array_done(&list);
        return bad ? -ASH_ERR_SYNTAX : 0;
}

typedef struct Dynamic { /* as collected, before strings can be looked up */
        uint64_t strtab, strsz, soname, rpath, runpath; /* offset 0 is the empty string: none */
        bool has_strtab, has_soname, has_verdef, has_verneed;
        ASH_ARRAY(uint64_t) needed;
} Dynamic;

static int collect(Reader *r, const Segment *s, Dynamic *d, AshElf *e) {
        unsigned size = r->is64 ? 8 : 4;
        bool bad = false;
        uint64_t end = s->offset + s->size;
        for (uint64_t at = s->offset; at + 2 * size <= end && at < r->bytes.len; at += 2 * size) {
                uint64_t tag = word(r, at, size, &bad), value = word(r, at + size, size, &bad);
                if (bad || tag == T_NULL)
                        break;
                switch (tag) {
                case T_NEEDED:
                        if (d->needed.n < MAX_ITEMS)
                                ash_array_push(&d->needed, value);
                        break;
                case T_HASH: e->hash = true; break;
                case T_GNU_HASH: e->gnu_hash = true; break;
                case T_DEBUG: e->debug_tag = true; break;
                case T_STRTAB: d->strtab = value; d->has_strtab = true; break;
                case T_STRSZ: d->strsz = value; break;
                case T_SONAME: d->soname = value; d->has_soname = true; break;
                case T_RPATH: d->rpath = value; break;
                case T_RUNPATH: d->runpath = value; break;
                case T_VERDEF: d->has_verdef = file_offset(r, value, &r->verdef); break;
                case T_VERDEFNUM: r->n_verdef = value; break;
                case T_VERNEED: d->has_verneed = file_offset(r, value, &r->verneed); break;
                case T_VERNEEDNUM: r->n_verneed = value; break;
                }
        }
        return bad ? -ASH_ERR_SYNTAX : 0;
}

static int resolve(Reader *r, const Dynamic *d, AshElf *e) {
        uint64_t at;
        if (!d->has_strtab)
                return d->needed.n || d->has_soname ? -ASH_ERR_SYNTAX : 0;
        if (!file_offset(r, d->strtab, &at) || at > r->bytes.len)
                return -ASH_ERR_SYNTAX;
        r->strings = ash_slice_sub(r->bytes, (size_t) at, (size_t) ASH_MIN(d->strsz, (uint64_t) r->bytes.len));
        if ((d->has_soname && !string_at(r, d->soname, &e->soname)) || (d->rpath && !string_at(r, d->rpath, &e->rpath)) || (d->runpath && !string_at(r, d->runpath, &e->runpath)))
                return -ASH_ERR_SYNTAX;
        e->needed = ash_arena_new_items(r->arena, AshSlice, d->needed.n + 1);
        for (size_t i = 0; i < d->needed.n; i++)
                if (!string_at(r, d->needed.items[i], &e->needed[e->n_needed++]))
                        return -ASH_ERR_SYNTAX;
        int x = d->has_verdef ? read_offers(r, e) : 0;
        return x < 0 || !d->has_verneed ? x : read_wants(r, e);
}

/* Notes: length of the name, of the description, type; name and description each padded to the segment's alignment, which for these is 4. Notes that do not fit end the reading. */
static void read_dlopens(Reader *r, AshElf *e) {
        ASH_ARRAY(AshSlice) list = {};
        for (size_t i = 0; i < r->n_segments; i++) {
                const Segment *s = &r->segments[i];
                AshSlice notes = s->offset < r->bytes.len ? ash_slice_sub(r->bytes, (size_t) s->offset, (size_t) ASH_MIN(s->size, (uint64_t) r->bytes.len)) : ASH_S("");
                uint64_t base = s->offset, at = 0, name = 0, length = 0, type = 0;
                while (s->type == PT_NOTE_ && at + 12 <= notes.len && list.n < MAX_ITEMS && get(r, base + at, 4, &name) && get(r, base + at + 4, 4, &length) && get(r, base + at + 8, 4, &type)) {
                        uint64_t body = at + 12 + ash_align_up(name, 4);
                        if (body + length > notes.len)
                                break;
                        if (type == NOTE_DLOPEN && name == 4 && !memcmp(notes.ptr + at + 12, "FDO", 4))
                                ash_array_push(&list, ash_slice(notes.ptr + body, strnlen(notes.ptr + body, (size_t) length)));
                        at = body + ash_align_up(length, 4);
                }
        }
        e->dlopens = ash_arena_new_items(r->arena, AshSlice, list.n + 1);
        memcpy(e->dlopens, list.items ? list.items : e->dlopens, list.n * sizeof(AshSlice));
        e->n_dlopens = list.n;
        ash_array_done(&list);
}

int ash_elf_read(AshSlice bytes, AshArena *arena, AshElf *ret) {
        if (!ash_elf_magic(bytes))
                return -ENOENT;
        unsigned char class = (unsigned char) bytes.ptr[4], order = (unsigned char) bytes.ptr[5];
        if (class < 1 || class > 2 || order < 1 || order > 2)
                return -ASH_ERR_SYNTAX;
        Reader r = { .bytes = bytes, .arena = arena, .is64 = class == 2, .big = order == 2 };
        AshElf e = { .is64 = r.is64, .big_endian = r.big };
        bool bad = false;
        e.type = (uint16_t) word(&r, 16, 2, &bad);
        e.machine = (uint16_t) word(&r, 18, 2, &bad);
        if (bad)
                return -ASH_ERR_SYNTAX;
        if (e.type != ASH_ELF_EXEC && e.type != ASH_ELF_DYN) {
                *ret = e;
                return 0;
        }
        int x = read_segments(&r);
        if (x < 0)
                return x;
        read_dlopens(&r, &e);
        const Segment *interp = find_segment(&r, PT_INTERP_), *dynamic = find_segment(&r, PT_DYNAMIC_);
        if (interp && interp->offset < bytes.len && interp->size > 0 && interp->size <= bytes.len - interp->offset)
                e.interpreter = ash_slice(bytes.ptr + interp->offset, strnlen(bytes.ptr + interp->offset, (size_t) interp->size));
        if (dynamic && dynamic->size > 0) {
                if (dynamic->offset > bytes.len || dynamic->size > bytes.len - dynamic->offset)
                        return -ASH_ERR_SYNTAX;
                Dynamic d = {};
                e.dynamic = true;
                x = collect(&r, dynamic, &d, &e);
                if (x >= 0)
                        x = resolve(&r, &d, &e);
                ash_array_done(&d.needed);
                if (x < 0)
                        return x;
        }
        *ret = e;
        return 0;
}

/* ---- sections: gABI, "Section Header Table". Counts past 65,279 stand in the first header. ---- */
typedef struct Section {
        uint64_t name, type, offset, size;
} Section;

static Section section_at(const Reader *r, uint64_t at, bool *bad) {
        unsigned w = r->is64 ? 8 : 4;
        return (Section){ word(r, at, 4, bad), word(r, at + 4, 4, bad), word(r, at + (r->is64 ? 24 : 16), w, bad), word(r, at + (r->is64 ? 32 : 20), w, bad) };
}

static AshSlice part_of(const Reader *r, const Section *s, bool *bad) {
        enum { NOBITS = 8, NONE = 0 };
        if (s->type == NOBITS || s->type == NONE)
                return ASH_S("");
        *bad |= s->offset > r->bytes.len || s->size > r->bytes.len - s->offset;
        return *bad ? ASH_S("") : ash_slice(r->bytes.ptr + s->offset, (size_t) s->size);
}

int ash_elf_sections(AshSlice bytes, AshArena *arena, AshElfSection **ret, size_t *ret_n) {
        if (!ash_elf_magic(bytes))
                return -ENOENT;
        Reader r = { .bytes = bytes, .arena = arena, .is64 = bytes.ptr[4] == 2, .big = bytes.ptr[5] == 2 };
        bool bad = bytes.ptr[4] < 1 || bytes.ptr[4] > 2 || bytes.ptr[5] < 1 || bytes.ptr[5] > 2;
        uint64_t at = word(&r, r.is64 ? 40 : 32, r.is64 ? 8 : 4, &bad), size = word(&r, r.is64 ? 58 : 46, 2, &bad), n = word(&r, r.is64 ? 60 : 48, 2, &bad), names = word(&r, r.is64 ? 62 : 50, 2, &bad);
        if (!bad && at && !n)
                n = section_at(&r, at, &bad).size;
        if (!at)
                n = 0;
        if (bad || n > MAX_ITEMS || (n && (size < (r.is64 ? 64u : 40u) || at > bytes.len || n * size > bytes.len - at || names >= n)))
                return -ASH_ERR_SYNTAX;
        AshElfSection *sections = ash_arena_new_items(arena, AshElfSection, n + 1);
        Section table = n ? section_at(&r, at + names * size, &bad) : (Section){};
        r.strings = part_of(&r, &table, &bad);
        for (uint64_t i = 0; i < n && !bad; i++) {
                Section s = section_at(&r, at + i * size, &bad);
                sections[i].bytes = part_of(&r, &s, &bad);
                if (!string_at(&r, s.name, &sections[i].name))
                        sections[i].name = ASH_S("");
        }
        if (bad)
                return -ASH_ERR_SYNTAX;
        *ret = sections;
        *ret_n = (size_t) n;
        return 0;
}
