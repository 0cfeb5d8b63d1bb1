/* By which packages of its buildroot what a built package requires was met. */
#include "flow-build.h"
#include "flow-capability.h"
#include "flow-package.h"

typedef struct Needs {
        AshFlow *flow;
        AshArena *arena;
        AshMap providers;            /* capability or path -> name of the package */
        AshBytes *blobs;             /* what the names are borrowed from */
        size_t n_blobs;
} Needs;

static void needs_done(Needs *n) {
        for (size_t i = 0; i < n->n_blobs; i++)
                ash_bytes_done(&n->blobs[i]);
        free(n->blobs);
        ash_map_done(&n->providers);
        ash_arena_free(n->arena);
}

static int read_package(Needs *n, AshSlice sha256, AshSlice label, AshBytes *bytes, AshPackage *ret) {
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
        AshId id;
        int r = ash_id_parse(sha256, &id);
        if (r >= 0)
                r = ash_store_map_blob(n->flow->store, &id, false, bytes, n->flow->diags);
        if (r >= 0)
                r = ash_rpm_parse(ash_bytes_slice(bytes), ash_arena_strndup(n->arena, label.ptr, label.len), &rpm, n->flow->diags);
        return r < 0 ? r : ash_flow_package_of_rpm(rpm, n->arena, ret, n->flow->diags);
}

static void provide(Needs *n, AshSlice what, AshSlice package) {
        bool fresh;
        AshMapEntry *e = ash_map_ensure(&n->providers, what, &fresh);
        if (fresh) {
                AshSlice *name = ash_arena_new_item(n->arena, AshSlice);
                *name = package;
                e->value = name;
        }
}

static int read_root(Needs *n, const AshFlowRoot *root) {
        int r = 0;
        n->blobs = ash_calloc(root->n_packages + 1, sizeof *n->blobs);
        n->n_blobs = root->n_packages;
        for (size_t i = 0; r >= 0 && i < root->n_packages; i++) {
                AshPackage p;
                r = read_package(n, root->packages[i].sha256, root->packages[i].nevra, &n->blobs[i], &p);
                for (size_t k = 0; r >= 0 && k < p.deps[ASH_DEP_PROVIDES].n; k++)
                        if (ash_flow_is_capability(p.deps[ASH_DEP_PROVIDES].items[k].name))
                                provide(n, p.deps[ASH_DEP_PROVIDES].items[k].name, p.name);
                for (size_t k = 0; r >= 0 && k < p.n_files; k++)
                        provide(n, p.files[k], p.name);
        }
        return r;
}

static int by_text(const void *a, const void *b) { return ash_slice_cmp(*(const AshSlice *) a, *(const AshSlice *) b); }
static int by_package(const void *a, const void *b) { return ash_slice_cmp(((const AshBuiltNeed *) a)->package, ((const AshBuiltNeed *) b)->package); }

static void add_need(AshBuiltPackage *p, AshSlice provider, AshSlice dep, size_t most, AshArena *arena) {
        size_t i = 0;
        while (i < p->n_needs && !ash_slice_eq(p->needs[i].package, provider))
                i++;
        if (i == p->n_needs)
                p->needs[p->n_needs++] = (AshBuiltNeed){ .package = ash_arena_slice(arena, provider), .deps = ash_arena_new_items(arena, AshSlice, most) };
        AshBuiltNeed *need = &p->needs[i];
        for (size_t k = 0; k < need->n_deps; k++)
                if (ash_slice_eq(need->deps[k], dep))
                        return;
        need->deps[need->n_deps++] = ash_arena_slice(arena, dep);
}

static int find_needs(Needs *n, AshBuiltPackage *p, AshArena *arena) {
        _bytes_ AshBytes bytes = {};
        AshPackage package;
        int r = read_package(n, p->sha256, p->nevra, &bytes, &package);
        if (r < 0)
                return r;
        const AshDeps *requires = &package.deps[ASH_DEP_REQUIRES];
        p->needs = ash_arena_new_items(arena, AshBuiltNeed, requires->n + 1);
        p->n_needs = 0;
        for (size_t i = 0; i < requires->n; i++) {
                const AshSlice *provider = ash_flow_is_capability(requires->items[i].name) ? ash_map_get(&n->providers, requires->items[i].name) : NULL;
                if (provider)
                        add_need(p, *provider, requires->items[i].name, requires->n, arena);
        }
        for (size_t i = 0; i < p->n_needs; i++)
                qsort(p->needs[i].deps, p->needs[i].n_deps, sizeof *p->needs[i].deps, by_text);
        qsort(p->needs, p->n_needs, sizeof *p->needs, by_package);
        return 0;
}

int ash_flow_build_needs(AshFlow *flow, const AshFlowRoot *root, AshBuiltComponent *component, AshArena *arena) {
        Needs n __attribute__((__cleanup__(needs_done))) = { .flow = flow, .arena = ash_arena_new() };
        int r = read_root(&n, root);
        for (size_t i = 0; r >= 0 && i < component->n_packages; i++)
                if (component->packages[i].kind == ASH_BUILT_BINARY)
                        r = find_needs(&n, &component->packages[i], arena);
        return r;
}
