/* The text that says what a spec needs and gives: read; and the digest of what it was made from. */
#include "specinfo.h"

static void digest_part(AshDigest *d, AshSlice part) {
        uint64_t n = part.len;
        ash_digest_update(d, &n, sizeof n);
        ash_digest_update(d, part.ptr, part.len);
}

void ash_specinfo_digest(const AshSpecInfoInput *in, uint8_t ret[static 32]) {
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        uint32_t engine = ASH_SPECINFO_ENGINE;
        ash_digest_update(d, &engine, sizeof engine);
        digest_part(d, in->arch);
        digest_part(d, ash_slice_str(in->spec));
        for (const char *const *o = in->options; o && *o; o++)
                digest_part(d, ash_slice_str(*o));
        digest_part(d, ASH_S(""));
        for (size_t i = 0; i < in->n_files; i++) {
                digest_part(d, ash_slice_str(in->files[i].name));
                ash_digest_update(d, &in->files[i].mode, sizeof in->files[i].mode);
                digest_part(d, in->files[i].data);
        }
        ash_digest_final(d, ret);
}

/* ---- reading ---- */
typedef struct Counts {
        size_t needs, packages;
} Counts;

static bool next_item(AshSlice *rest, char *ret_kind, AshSlice *ret_value) {
        AshSlice line;
        while (ash_slice_next_line(rest, &line))
                if (line.len > 2 && line.ptr[1] == ' ') {
                        *ret_kind = line.ptr[0];
                        *ret_value = ash_slice_from(line, 2);
                        return true;
                }
        return false;
}

static void read_package(AshSlice value, AshPackage *p) {
        AshSlice words[5] = {}, word;
        for (size_t i = 0; i < 5 && ash_slice_next_word(&value, &word); i++)
                words[i] = word;
        uint64_t epoch = 0;
        if (ash_slice_to_u64(words[1], 10, &epoch) >= 0 && epoch <= UINT32_MAX)
                p->epoch = (uint32_t) epoch;
        p->name = words[0];
        p->version = words[2];
        p->release = words[3];
        p->arch = words[4];
}

/* Of a list that ends with the next package: how many of one kind. */
static size_t count_until_package(AshSlice rest, char wanted) {
        char kind;
        AshSlice value;
        size_t n = 0;
        while (next_item(&rest, &kind, &value) && kind != 'P')
                n += kind == wanted;
        return n;
}

static void add_dep(AshDeps *deps, AshSlice text) {
        AshDep d;
        if (ash_slice_starts(text, ASH_S("rpmlib(")))
                return;
        if (ash_dep_parse(text, &d) >= 0)
                deps->items[deps->n++] = d;
}

static void begin_package(AshSlice rest, AshSlice value, AshArena *arena, AshPackage *p) {
        read_package(value, p);
        p->deps[ASH_DEP_PROVIDES].items = ash_arena_new_items(arena, AshDep, count_until_package(rest, 'p'));
        p->deps[ASH_DEP_REQUIRES].items = ash_arena_new_items(arena, AshDep, count_until_package(rest, 'r'));
        p->files = ash_arena_new_items(arena, AshSlice, count_until_package(rest, 'f'));
}

void ash_specinfo_read(AshSlice text, AshArena *arena, AshSpecInfo *ret) {
        Counts n = {};
        char kind;
        AshSlice value;
        for (AshSlice rest = text; next_item(&rest, &kind, &value);) {
                n.needs += kind == 'B';
                n.packages += kind == 'P';
        }
        *ret = (AshSpecInfo){ .needs.items = ash_arena_new_items(arena, AshDep, n.needs), .packages = ash_arena_new_items(arena, AshPackage, n.packages) };
        AshPackage *p = NULL;
        for (AshSlice rest = text; next_item(&rest, &kind, &value);)
                if (kind == 'D')
                        ret->dynamic = true;
                else if (kind == 'B')
                        add_dep(&ret->needs, value);
                else if (kind == 'P')
                        begin_package(rest, value, arena, p = &ret->packages[ret->n_packages++]);
                else if (kind == 'p' && p)
                        add_dep(&p->deps[ASH_DEP_PROVIDES], value);
                else if (kind == 'r' && p)
                        add_dep(&p->deps[ASH_DEP_REQUIRES], value);
                else if (kind == 'f' && p)
                        p->files[p->n_files++] = value;
}
