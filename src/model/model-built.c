#include "model-built.h"

static const char *const kinds[] = { "binary", "debug", "source" };
const char *ash_built_kind_name(AshBuiltKind kind) { return kinds[kind]; }

AshBuiltKind ash_built_kind(AshSlice name) {
        for (int i = 0; i < ASH_BUILT_MAX_; i++)
                if (ash_slice_eqs(name, kinds[i]))
                        return (AshBuiltKind) i;
        return ASH_BUILT_INVALID_;
}

AshBuilt *ash_built_new(void) {
        AshBuilt *b = ash_calloc(1, sizeof *b);
        b->arena = ash_arena_new();
        return b;
}

void ash_built_free(AshBuilt *b) {
        if (!b)
                return;
        ash_array_done(&b->components);
        ash_arena_free(b->arena);
        free(b);
}

size_t ash_built_place(const AshBuilt *b, AshSlice component, AshSlice arch, bool *ret_there) {
        size_t from = 0, to = b->components.n;
        *ret_there = false;
        while (from < to) {
                size_t middle = from + (to - from) / 2;
                int c = ash_slice_cmp(b->components.items[middle].name, component);
                if (!c)
                        c = ash_slice_cmp(b->components.items[middle].arch, arch);
                *ret_there |= c == 0;
                if (c < 0)
                        from = middle + 1;
                else
                        to = middle;
        }
        return from;
}

const AshBuiltComponent *ash_built_find(const AshBuilt *b, AshSlice component, AshSlice arch) {
        bool there;
        size_t i = ash_built_place(b, component, arch, &there);
        return there ? &b->components.items[i] : NULL;
}

const AshBuiltComponent *ash_built_arches(const AshBuilt *b, AshSlice component, size_t *ret_n) {
        bool there;
        size_t from = ash_built_place(b, component, ASH_S(""), &there), to = from;
        while (to < b->components.n && ash_slice_eq(b->components.items[to].name, component))
                to++;
        *ret_n = to - from;
        return *ret_n ? &b->components.items[from] : NULL;
}

static int by_nevra(const void *a, const void *b) { return ash_slice_cmp(((const AshBuiltPackage *) a)->nevra, ((const AshBuiltPackage *) b)->nevra); }

static AshBuiltNeed *copy_needs(AshArena *a, const AshBuiltPackage *p) {
        AshBuiltNeed *to = ash_arena_new_items(a, AshBuiltNeed, p->n_needs);
        for (size_t i = 0; i < p->n_needs; i++) {
                to[i] = (AshBuiltNeed){ ash_arena_slice(a, p->needs[i].package), ash_arena_new_items(a, AshSlice, p->needs[i].n_deps), p->needs[i].n_deps };
                for (size_t k = 0; k < p->needs[i].n_deps; k++)
                        to[i].deps[k] = ash_arena_slice(a, p->needs[i].deps[k]);
        }
        return to;
}

void ash_built_set(AshBuilt *b, const AshBuiltComponent *component) {
        bool there;
        AshArena *a = b->arena;
        AshBuiltComponent copy = { .name = ash_arena_slice(a, component->name), .arch = ash_arena_slice(a, component->arch), .key = ash_arena_slice(a, component->key), .fingerprint = ash_arena_slice(a, component->fingerprint),
                                   .base = ash_arena_slice(a, component->base),
                                   .bumps = component->bumps, .log = ash_arena_slice(a, component->log), .provenance = ash_arena_slice(a, component->provenance), .n_packages = component->n_packages };
        copy.packages = ash_arena_new_items(a, AshBuiltPackage, component->n_packages);
        for (size_t i = 0; i < component->n_packages; i++) {
                copy.packages[i] = component->packages[i];
                copy.packages[i].nevra = ash_arena_slice(a, component->packages[i].nevra);
                copy.packages[i].sha256 = ash_arena_slice(a, component->packages[i].sha256);
                copy.packages[i].needs = copy_needs(a, &component->packages[i]);
        }
        qsort(copy.packages, copy.n_packages, sizeof *copy.packages, by_nevra);
        if (component->asked) {
                copy.asked = ash_arena_new_items(a, AshSlice, component->n_asked + 1);
                for (; copy.n_asked < component->n_asked; copy.n_asked++)
                        copy.asked[copy.n_asked] = ash_arena_slice(a, component->asked[copy.n_asked]);
        }
        size_t i = ash_built_place(b, component->name, component->arch, &there);
        if (!there) {
                ash_array_add(&b->components);
                memmove(&b->components.items[i + 1], &b->components.items[i], (b->components.n - 1 - i) * sizeof copy);
        }
        b->components.items[i] = copy;
}

bool ash_built_remove(AshBuilt *b, AshSlice component, AshSlice arch) {
        bool there;
        size_t i = ash_built_place(b, component, arch, &there);
        if (there)
                memmove(&b->components.items[i], &b->components.items[i + 1], (--b->components.n - i) * sizeof *b->components.items);
        return there;
}
