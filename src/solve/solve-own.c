#include "solve-own.h"

typedef struct Pair {
        uint32_t of, item;
} Pair;
typedef ASH_ARRAY(Pair) Pairs;

/* ---- names of a dependency ---- */
static bool names_of_id(Pool *pool, Id id, AshNameFn fn, void *context, bool *conditional, unsigned depth) {
        if (depth > 200)
                return false;
        if (!ISRELDEP(id)) {
                fn(context, ash_slice_str(pool_id2str(pool, id)));
                return true;
        }
        const Reldep *rel = GETRELDEP(pool, id);
        if (conditional)
                *conditional |= rel->flags == REL_COND || rel->flags == REL_UNLESS || rel->flags == REL_ELSE;
        return names_of_id(pool, rel->name, fn, context, conditional, depth + 1) && (rel->flags <= 7 || names_of_id(pool, rel->evr, fn, context, conditional, depth + 1));
}

bool ash_dep_names(AshUniverse *scratch, const AshDep *dep, AshNameFn fn, void *context, bool *conditional) {
        if (!dep->name.len)
                return true;
        if (dep->name.ptr[0] == '(')
                return names_of_id(scratch->pool, ash_universe_dep_id(scratch, dep), fn, context, conditional, 0);
        fn(context, dep->name);
        return true;
}

/* ---- lists ---- */
static AshLists make_lists(const Pairs *pairs, size_t n) {
        AshLists l = { ash_calloc(n + 2, sizeof *l.at), ash_calloc(pairs->n + 1, sizeof *l.items) };
        ash_array_foreach(pairs, p)
                l.at[p->of + 2]++;
        for (size_t i = 2; i < n + 2; i++)
                l.at[i] += l.at[i - 1];
        ash_array_foreach(pairs, p)
                l.items[l.at[p->of + 1]++] = p->item;
        return l;
}

static void lists_done(AshLists *l) {
        free(l->at);
        free(l->items);
}

/* ---- what the packages say ---- */
typedef struct Maker {
        AshOwn *own;
        AshUniverse *scratch;
        bool borrowed;          /* names that come now live as long as the packages */
        ASH_ARRAY(AshSlice) texts;
        Pairs *to;
        uint32_t package;
} Maker;

static uint32_t number_of(Maker *m, AshSlice name) {
        bool fresh;
        const AshMapEntry *there = ash_map_find(&m->own->names, name);
        if (there)
                return (uint32_t) ((size_t) there->value - 1);
        if (!m->borrowed)
                name = ash_arena_slice(m->own->arena, name);
        ash_map_ensure(&m->own->names, name, &fresh)->value = (void *) (m->texts.n + 1);
        ash_array_push(&m->texts, name);
        return (uint32_t) m->texts.n - 1;
}

static void note_name(void *context, AshSlice name) {
        Maker *m = context;
        ash_array_push(m->to, ((Pair){ m->package, number_of(m, name) }));
}

static bool note_deps(Maker *m, AshDepKind kind, Pairs *to, bool *conditional) {
        const AshDeps *deps = &m->own->packages[m->package].deps[kind];
        bool good = true;
        m->to = to;
        for (size_t i = 0; i < deps->n; i++) {
                m->borrowed = !deps->items[i].name.len || deps->items[i].name.ptr[0] != '(';
                good &= ash_dep_names(m->scratch, &deps->items[i], note_name, m, conditional);
        }
        m->borrowed = true;
        return good;
}

static void note_package(Maker *m, Pairs *needs, Pairs *supplements, Pairs *provides, Pairs *providers) {
        const AshPackage *p = &m->own->packages[m->package];
        uint8_t *flags = &m->own->flags[m->package];
        bool always = false, beyond = false;
        Pairs none = {};
        bool good = note_deps(m, ASH_DEP_REQUIRES, needs, NULL) && note_deps(m, ASH_DEP_RECOMMENDS, needs, NULL) && note_deps(m, ASH_DEP_SUGGESTS, needs, NULL);
        good = note_deps(m, ASH_DEP_CONFLICTS, &none, &beyond) && good;
        ash_array_done(&none);
        good = note_deps(m, ASH_DEP_SUPPLEMENTS, supplements, &always) && note_deps(m, ASH_DEP_ENHANCES, supplements, &always) && good;
        *flags = (uint8_t) ((!good || beyond ? ASH_OWN_BEYOND : 0) | (p->deps[ASH_DEP_SUPPLEMENTS].n || p->deps[ASH_DEP_ENHANCES].n ? ASH_OWN_BRINGS : 0) | (always ? ASH_OWN_ALWAYS : 0));
        size_t from = provides->n;
        m->to = provides;
        note_name(m, p->name);
        note_deps(m, ASH_DEP_PROVIDES, provides, NULL);
        m->to = provides;
        for (size_t i = 0; i < p->n_files; i++)
                note_name(m, p->files[i]);
        for (size_t i = from; i < provides->n; i++)
                ash_array_push(providers, ((Pair){ provides->items[i].item, m->package }));
}

AshOwn *ash_own_new(const AshPackage *packages, size_t n) {
        _cleanup_(ash_universe_free_p) AshUniverse *scratch = ash_universe_new("noarch");
        AshOwn *own = ash_calloc(1, sizeof *own);
        Pairs needs = {}, supplements = {}, provides = {}, providers = {};
        *own = (AshOwn){ .packages = packages, .n = n, .arena = ash_arena_new(), .flags = ash_calloc(n + 1, 1) };
        Maker m = { .own = own, .scratch = scratch, .borrowed = true };
        for (size_t i = 0; i < n; i++) {
                m.package = (uint32_t) i;
                note_package(&m, &needs, &supplements, &provides, &providers);
        }
        own->texts = m.texts.items;
        own->n_names = m.texts.n;
        own->needs = make_lists(&needs, n);
        own->supplements = make_lists(&supplements, n);
        own->provides = make_lists(&provides, n);
        own->providers = make_lists(&providers, own->n_names);
        ash_array_done(&needs);
        ash_array_done(&supplements);
        ash_array_done(&provides);
        ash_array_done(&providers);
        return own;
}

void ash_own_free(AshOwn *own) {
        if (!own)
                return;
        lists_done(&own->needs);
        lists_done(&own->supplements);
        lists_done(&own->provides);
        lists_done(&own->providers);
        ash_map_done(&own->names);
        ash_arena_free(own->arena);
        free(own->texts);
        free(own->flags);
        free(own);
}

uint32_t ash_own_name(const AshOwn *own, AshSlice name) {
        const AshMapEntry *e = own ? ash_map_find(&own->names, name) : NULL;
        return e ? (uint32_t) ((size_t) e->value - 1) : UINT32_MAX;
}

bool ash_own_provides(const AshOwn *own, AshSlice name) {
        uint32_t i = ash_own_name(own, name);
        return i != UINT32_MAX && own->providers.at[i + 1] > own->providers.at[i];
}

const AshPackage *ash_own_packages(const AshOwn *own, size_t *ret_n) {
        *ret_n = own->n;
        return own->packages;
}
