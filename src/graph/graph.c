/* Edges from what components need and give; conditions of rich dependencies; levels and times. */
#include "graph-private.h"

typedef struct Conditional {
        uint32_t from, dep;
        uint32_t by;                  /* node */
        struct { uint32_t *by; bool unless; } conditions[ASH_NEED_CONDITIONS];
        unsigned n_conditions;
} Conditional;
typedef struct Extra {
        uint32_t from;
        AshGraphEdge edge;
} Extra;

typedef struct Make {
        AshGraph *g;
        AshMap paths;                 /* that something requires */
        uint32_t from;                /* node whose requirements are walked */
        ASH_ARRAY(int) by;            /* those that are nodes, of what meets a requirement; ended by 0 */
        ASH_ARRAY(AshGraphEdge) edges;
        ASH_ARRAY(Conditional) conditionals;
        ASH_ARRAY(Extra) extras;
} Make;

/* ---- the universe ---- */
static void add_source(Make *m, AshSlice name, const AshDeps *needs) {
        AshPackage p = { .name = name, .version = ASH_S("0"), .release = ASH_S("0"), .arch = ASH_S("src") };
        p.deps[ASH_DEP_REQUIRES] = *needs;
        uint32_t id = ash_universe_add_package(m->g->universe, &p);
        m->g->first_id = m->g->first_id ? m->g->first_id : id;
}

/* The paths that anything here requires: no other file counts, but for those that builds may yet ask for. */
static void find_paths(Make *m) {
        const AshGraph *g = m->g;
        for (uint32_t i = 0; i < g->n_components; i++)
                ash_deps_paths(&g->in->components[i].needs, &m->paths);
        for (uint32_t i = 0; i < g->n_bases; i++)
                ash_deps_paths(&g->in->bases[i].packages, &m->paths);
        for (uint32_t i = 0; i < g->n_packages; i++)
                ash_deps_paths(&g->packages[i]->deps[ASH_DEP_REQUIRES], &m->paths);
}

/* What of a package the graph looks at. */
static uint32_t add_lean(Make *m, const AshPackage *p) {
        AshPackage lean = { .name = p->name, .epoch = p->epoch, .version = p->version, .release = p->release, .arch = p->arch };
        _free_ AshSlice *files = ash_calloc(p->n_files + 1, sizeof *files);
        lean.deps[ASH_DEP_PROVIDES] = p->deps[ASH_DEP_PROVIDES];
        lean.deps[ASH_DEP_REQUIRES] = p->deps[ASH_DEP_REQUIRES];
        lean.files = files;
        for (size_t i = 0; i < p->n_files; i++)
                if (ash_path_may_be_required(p->files[i]) || ash_map_find(&m->paths, p->files[i]))
                        files[lean.n_files++] = p->files[i];
        return ash_universe_add_package(m->g->universe, &lean);
}

/* Components, bases and packages get indices in the order of the nodes. */
static void fill_universe(Make *m) {
        AshGraph *g = m->g;
        find_paths(m);
        g->universe = ash_universe_new(g->in->arch);
        ash_universe_add_repo(g->universe, "components", 0);
        for (uint32_t i = 0; i < g->n_components; i++)
                add_source(m, g->in->components[i].name, &g->in->components[i].needs);
        for (uint32_t i = 0; i < g->n_bases; i++)
                add_source(m, g->in->bases[i].stage, &g->in->bases[i].packages);
        for (uint32_t i = 0; i < g->n_packages; i++) {
                uint32_t id = add_lean(m, g->packages[i]);
                m->g->first_id = m->g->first_id ? m->g->first_id : id - g->n_components - g->n_bases - i;
        }
        for (uint32_t b = 0; b < g->n_bases; b++) /* behind the nodes: they are none */
                for (size_t i = 0; i < g->in->bases[b].n_imports; i++)
                        add_lean(m, &g->in->bases[b].imports[i]);
}

static uint32_t node_of(const Make *m, int id) { return (uint32_t) id - m->g->first_id; }

/* ---- whom a requirement means ---- */
static AshSlice bare_name(AshSlice dep) {
        ptrdiff_t blank = ash_slice_find_char(dep, ' ');
        return blank < 0 ? dep : ash_slice(dep.ptr, (size_t) blank);
}

/* Several give it: one that is called so, else the one with the shortest name, then the first one. A package's own component comes first for what the package requires. */
static bool is_better(const Make *m, uint32_t a, uint32_t b, AshSlice wanted) {
        const AshGraph *g = m->g;
        uint32_t shift = g->n_components + g->n_bases;
        if (ash_graph_is_package(g, m->from)) {
                uint32_t own = g->owner[m->from - shift];
                bool x = g->owner[a - shift] == own, y = g->owner[b - shift] == own;
                if (x != y)
                        return x;
        }
        AshSlice s = g->packages[a - shift]->name, t = g->packages[b - shift]->name;
        bool x = ash_slice_eq(s, wanted), y = ash_slice_eq(t, wanted);
        if (x != y)
                return x;
        if (s.len != t.len)
                return s.len < t.len;
        int c = ash_slice_cmp(s, t);
        return c ? c < 0 : a < b;
}

/* Which base's import it is; UINT32_MAX: it is a node. */
static uint32_t import_of(const AshGraph *g, uint32_t node) {
        if (node < g->n_nodes)
                return UINT32_MAX;
        size_t at = node - g->n_nodes;
        uint32_t b = 0;
        while (at >= g->in->bases[b].n_imports)
                at -= g->in->bases[b++].n_imports;
        return b;
}

/* Is one of these in every buildroot where the requirement counts, from elsewhere? A base's own: in that base; a package's: in all bases that take what components gave. */
static bool is_imported(const Make *m, const int *by) {
        const AshGraph *g = m->g;
        uint32_t own = m->from >= g->n_components && !ash_graph_is_package(g, m->from) ? m->from - g->n_components : UINT32_MAX, n = 0;
        for (uint32_t b = 0; b < g->n_bases; b++) {
                if (own != UINT32_MAX ? b != own : !g->in->bases[b].built)
                        continue;
                bool found = false;
                for (size_t i = 0; by[i] && !found; i++)
                        found = import_of(g, node_of(m, by[i])) == b;
                if (!found)
                        return false;
                n++;
        }
        return n > 0;
}

static const int *only_nodes(Make *m, const int *by) {
        size_t n = 0;
        while (by[n] && node_of(m, by[n]) < m->g->n_nodes)
                n++;
        if (!by[n])
                return by;
        m->by.n = 0;
        for (size_t i = 0; by[i]; i++)
                if (node_of(m, by[i]) < m->g->n_nodes)
                        ash_array_push(&m->by, by[i]);
        ash_array_push(&m->by, 0);
        return m->by.items;
}

static uint32_t choose(Make *m, const int *by, uint32_t dep) {
        uint32_t best = node_of(m, by[0]);
        if (!by[1])
                return best;
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshSlice wanted = bare_name(ash_universe_need_text(m->g->universe, dep, arena));
        for (size_t i = 1; by[i]; i++) {
                uint32_t node = node_of(m, by[i]);
                if (is_better(m, node, best, wanted))
                        best = node;
        }
        return best;
}

static uint32_t *nodes_of(Make *m, const int *by) {
        size_t n = 0;
        by = only_nodes(m, by);
        while (by[n])
                n++;
        uint32_t *nodes = ash_arena_new_items(m->g->arena, uint32_t, n + 1);
        for (size_t i = 0; i < n; i++)
                nodes[i] = node_of(m, by[i]);
        nodes[n] = UINT32_MAX;
        return nodes;
}

/* What is in every buildroot anyway decides at once. False: it never counts. */
static bool keep_conditional(Make *m, const AshNeed *need, uint32_t to) {
        Conditional c = { .from = m->from, .dep = need->dep, .by = to };
        for (unsigned i = 0; i < need->n_conditions; i++) {
                bool is_there = is_imported(m, need->conditions[i].by);
                if (is_there && need->conditions[i].unless)
                        return false;
                if (is_there)
                        continue;
                c.conditions[c.n_conditions].by = nodes_of(m, need->conditions[i].by);
                c.conditions[c.n_conditions++].unless = need->conditions[i].unless;
        }
        if (c.n_conditions)
                ash_array_push(&m->conditionals, c);
        else
                ash_array_push(&m->edges, ((AshGraphEdge){ to, need->dep }));
        return true;
}

/* Does somebody else have it? */
static bool is_external(const Make *m, const int *all, const int *by, uint32_t to) {
        const AshGraph *g = m->g;
        uint32_t shift = g->n_components + g->n_bases;
        if (!by[0])
                return true;
        if (m->from < g->n_components)
                return false;
        if (ash_graph_is_package(g, m->from))
                return g->owner[to - shift] != g->owner[m->from - shift] && is_imported(m, all);
        const AshGraphBase *base = &g->in->bases[m->from - g->n_components];
        return (base->other && !g->staged[g->owner[to - shift]]) || is_imported(m, all);
}

static void add_need(void *context, const AshNeed *need) {
        Make *m = context;
        AshGraph *g = m->g;
        const int *by = only_nodes(m, need->by);
        uint32_t to = by[0] ? choose(m, by, need->dep) : 0;
        g->counts.needs++;
        if (is_external(m, need->by, by, to))
                g->counts.external++;
        else if (need->n_conditions)
                g->counts.external += !keep_conditional(m, need, to);
        else if (to != m->from)
                ash_array_push(&m->edges, ((AshGraphEdge){ to, need->dep }));
}

/* ---- edges ---- */
static void reverse(AshGraph *g) {
        size_t n = g->out.begin[g->n_nodes];
        free(g->back.begin);
        free(g->back.items);
        g->back.begin = ash_calloc(g->n_nodes + 1, 4);
        g->back.items = ash_calloc(n + 1, sizeof *g->back.items);
        for (size_t i = 0; i < n; i++)
                g->back.begin[g->out.items[i].to + 1]++;
        for (uint32_t i = 0; i < g->n_nodes; i++)
                g->back.begin[i + 1] += g->back.begin[i];
        _free_ uint32_t *at = ash_calloc(g->n_nodes + 1, 4);
        memcpy(at, g->back.begin, (size_t) g->n_nodes * 4);
        for (uint32_t from = 0; from < g->n_nodes; from++)
                ash_graph_out(g, from, e)
                        g->back.items[at[e->to]++] = (AshGraphEdge){ from, e->dep };
}

static void make_edges(Make *m) {
        AshGraph *g = m->g;
        g->out.begin = ash_calloc(g->n_nodes + 1, 4);
        for (uint32_t node = 0; node < g->n_nodes; node++) {
                m->from = node;
                if (node < g->n_components)
                        ash_array_push(&m->edges, ((AshGraphEdge){ g->n_components + g->in->components[node].base, 0 }));
                else if (ash_graph_is_package(g, node))
                        ash_array_push(&m->edges, ((AshGraphEdge){ g->owner[node - g->n_components - g->n_bases], 0 }));
                ash_universe_needs(g->universe, m->g->first_id + node, add_need, m);
                g->out.begin[node + 1] = (uint32_t) m->edges.n;
        }
        g->out.items = ASH_TAKE(m->edges.items);
        reverse(g);
}

static int by_from(const void *a, const void *b) {
        const Extra *x = a, *y = b;
        return x->from != y->from ? (x->from < y->from ? -1 : 1) : (x->edge.to > y->edge.to) - (x->edge.to < y->edge.to);
}

static void merge_extras(Make *m) {
        AshGraph *g = m->g;
        if (!m->extras.n)
                return;
        qsort(m->extras.items, m->extras.n, sizeof *m->extras.items, by_from);
        size_t n = g->out.begin[g->n_nodes] + m->extras.n, at = 0, k = 0;
        AshGraphEdge *items = ash_calloc(n, sizeof *items);
        for (uint32_t node = 0; node < g->n_nodes; node++) {
                uint32_t begin = g->out.begin[node], end = g->out.begin[node + 1];
                g->out.begin[node] = (uint32_t) at;
                memcpy(items + at, g->out.items + begin, (end - begin) * sizeof *items);
                at += end - begin;
                for (; k < m->extras.n && m->extras.items[k].from == node; k++)
                        items[at++] = m->extras.items[k].edge;
        }
        g->out.begin[g->n_nodes] = (uint32_t) at;
        free(g->out.items);
        g->out.items = items;
        m->extras.n = 0;
        reverse(g);
}

/* ---- conditions: true in the buildroots of those components that have what they ask for ---- */
/* For each part: those of 64 * BLOCK components and bases (from the word "first" on) that have its packages in their buildroot because they need them, not through the build of another component. A block at a time:
 * all of them at once would be packages times components. */
enum { BLOCK = 8 };

static void reach(const AshGraph *g, const AshGraphParts *parts, size_t first, uint64_t *bits) {
        memset(bits, 0, (size_t) parts->n * BLOCK * sizeof *bits);
        for (uint32_t part = parts->n; part-- > 0;)
                for (uint32_t k = parts->begin[part]; k < parts->begin[part + 1]; k++) {
                        uint32_t node = parts->nodes[k];
                        const uint64_t *from = bits + (size_t) part * BLOCK;
                        bool mine = node < g->n_components + g->n_bases && node / 64 >= first && node / 64 < first + BLOCK;
                        ash_graph_out(g, node, e) {
                                if (parts->of[e->to] == part || (ash_graph_is_package(g, node) && e->to < g->n_components))
                                        continue; /* what is needed to build a package is not needed to use it */
                                uint64_t *to = bits + (size_t) parts->of[e->to] * BLOCK;
                                if (mine)
                                        to[node / 64 - first] |= 1ull << (node % 64);
                                for (size_t w = 0; w < BLOCK; w++)
                                        to[w] |= from[w];
                        }
                }
}

/* Parts of packages and bases alone: as they are used, not as they are built. */
static void usage_parts(AshGraph *g, AshGraphParts *ret) {
        bool *cut = g->cut;
        uint32_t *inside = ash_calloc(g->n_nodes, 4);
        for (uint32_t i = 0; i < g->n_components; i++)
                inside[i] = i + 1; /* nothing leads to a component: each is a part of its own, above all others */
        g->cut = ash_calloc(g->n_nodes, 1);
        ASH_ARRAY(uint32_t) order = {};
        for (uint32_t i = g->n_components; i < g->n_nodes; i++)
                ash_array_push(&order, i);
        ash_graph_parts_of(g, order.items, order.n, inside, 0, ret);
        free(g->cut);
        g->cut = cut;
        free(inside);
        /* Components behind all of them. */
        uint32_t base = ret->n, at = ret->begin[ret->n];
        ret->nodes = ash_realloc(ret->nodes, g->n_nodes + 1, 4);
        ret->begin = ash_realloc(ret->begin, (size_t) ret->n + g->n_components + 1, 4);
        for (uint32_t i = 0; i < g->n_components; i++) {
                ret->of[i] = base + i;
                ret->nodes[at] = i;
                ret->begin[base + i] = at++;
        }
        ret->n += g->n_components;
        ret->begin[ret->n] = at;
        ash_array_done(&order);
}

static uint64_t condition_word(const AshGraphParts *parts, const uint64_t *bits, size_t w, const uint32_t *by, bool unless) {
        uint64_t any = 0;
        for (; *by != UINT32_MAX; by++)
                any |= bits[(size_t) parts->of[*by] * BLOCK + w];
        return unless ? ~any : any;
}

/* The components and bases for which a conditional requirement holds: those of one word of the block. */
static uint64_t holds(const AshGraph *g, const Conditional *c, const AshGraphParts *parts, const uint64_t *bits, size_t first, size_t w) {
        uint64_t is = bits[(size_t) parts->of[c->from] * BLOCK + w];
        if (c->from < g->n_components + g->n_bases)
                is = c->from / 64 == first + w ? 1ull << (c->from % 64) : 0;
        for (unsigned i = 0; i < c->n_conditions && is; i++)
                is &= condition_word(parts, bits, w, c->conditions[i].by, c->conditions[i].unless);
        return is;
}

static bool has_edge(const AshGraph *g, uint32_t from, uint32_t to) {
        ash_graph_out(g, from, e)
                if (e->to == to)
                        return true;
        return false;
}

static bool has_unless(const Conditional *c) {
        for (unsigned i = 0; i < c->n_conditions; i++)
                if (c->conditions[i].unless)
                        return true;
        return false;
}

/* What a base has need not be said of its components again. */
static void add_extras(Make *m, const Conditional *c, const uint64_t *is) {
        AshGraph *g = m->g;
        for (uint32_t b = g->n_components; b < g->n_components + g->n_bases; b++)
                if ((is[b / 64] >> (b % 64) & 1) && !has_edge(g, b, c->by))
                        ash_array_push(&m->extras, ((Extra){ b, { c->by, c->dep } }));
        for (uint32_t w = 0; w * 64 < g->n_components; w++)
                for (uint64_t bits = is[w]; bits; bits &= bits - 1) {
                        uint32_t from = w * 64 + (uint32_t) __builtin_ctzll(bits);
                        if (from >= g->n_components)
                                break;
                        uint32_t base = g->n_components + g->in->components[from].base;
                        if (!(is[base / 64] >> (base % 64) & 1) && !has_edge(g, from, c->by))
                                ash_array_push(&m->extras, ((Extra){ from, { c->by, c->dep } }));
                }
}

static bool apply_conditions(Make *m, bool unless) {
        AshGraph *g = m->g;
        AshGraphParts parts;
        size_t words = (g->n_components + g->n_bases + 63) / 64;
        usage_parts(g, &parts);
        _free_ uint64_t *bits = ash_calloc((size_t) parts.n * BLOCK + 1, sizeof *bits), *is = ash_calloc(m->conditionals.n * words + 1, sizeof *is);
        for (size_t first = 0; first < words; first += BLOCK) {
                reach(g, &parts, first, bits);
                for (size_t i = 0; i < m->conditionals.n; i++)
                        for (size_t w = 0; w < BLOCK && first + w < words; w++)
                                is[i * words + first + w] = holds(g, &m->conditionals.items[i], &parts, bits, first, w);
        }
        for (size_t i = 0; i < m->conditionals.n; i++)
                if (has_unless(&m->conditionals.items[i]) == unless)
                        add_extras(m, &m->conditionals.items[i], is + i * words);
        ash_graph_parts_done(&parts);
        bool any = m->extras.n > 0;
        merge_extras(m);
        return any;
}

/* What one condition brings in can make another one true; "unless" comes last, once. */
static void resolve_conditions(Make *m) {
        if (!m->conditionals.n)
                return;
        for (unsigned round = 0; round < 8 && apply_conditions(m, false); round++)
                ;
        apply_conditions(m, true);
}

/* ---- levels and times ---- */
static uint64_t weight(const AshGraph *g, uint32_t node) { return node < g->n_components ? g->in->components[node].ms : 0; }

static void make_levels(AshGraph *g) {
        AshGraphParts *p = &g->parts;
        g->level = ash_calloc(p->n + 1, sizeof *g->level);
        g->rest = ash_calloc(p->n + 1, sizeof *g->rest);
        for (uint32_t part = 0; part < p->n; part++)
                for (uint32_t k = p->begin[part]; k < p->begin[part + 1]; k++) {
                        uint32_t node = p->nodes[k], above = 0;
                        if (!g->cut[node])
                                ash_graph_out(g, node, e)
                                        if (p->of[e->to] != part)
                                                above = ASH_MAX(above, g->level[p->of[e->to]]);
                        g->level[part] = ASH_MAX(g->level[part], above + (node < g->n_components));
                }
        for (uint32_t part = p->n; part-- > 0;) {
                uint64_t most = g->rest[part];
                for (uint32_t k = p->begin[part]; k < p->begin[part + 1]; k++)
                        most += weight(g, p->nodes[k]);
                g->rest[part] = most;
                for (uint32_t k = p->begin[part]; k < p->begin[part + 1]; k++)
                        if (!g->cut[p->nodes[k]])
                                ash_graph_out(g, p->nodes[k], e)
                                        if (p->of[e->to] != part)
                                                g->rest[p->of[e->to]] = ASH_MAX(g->rest[p->of[e->to]], most);
        }
}

static void count_nodes(AshGraph *g) {
        for (uint32_t i = 0; i < g->n_components; i++)
                g->n_packages += (uint32_t) g->in->components[i].n_packages;
        g->n_nodes = g->n_components + g->n_bases + g->n_packages;
        g->owner = ash_arena_new_items(g->arena, uint32_t, g->n_packages);
        g->packages = ash_arena_new_items(g->arena, const AshPackage *, g->n_packages);
        uint32_t at = 0;
        for (uint32_t i = 0; i < g->n_components; i++)
                for (size_t k = 0; k < g->in->components[i].n_packages; k++) {
                        g->owner[at] = i;
                        g->packages[at++] = &g->in->components[i].packages[k];
                        g->counts.provides += g->in->components[i].packages[k].deps[ASH_DEP_PROVIDES].n;
                }
}

static void make_cuts(AshGraph *g) {
        g->cut = ash_calloc(g->n_nodes, 1);
        g->staged = ash_calloc(g->n_components + 1, 1);
        for (uint32_t i = 0; i < g->n_components; i++)
                g->staged[i] = !g->in->bases[g->in->components[i].base].built;
}

AshGraph *ash_graph_new(const AshGraphInput *in) {
        AshGraph *g = ash_calloc(1, sizeof *g);
        Make m = { .g = g };
        g->arena = ash_arena_new();
        g->in = in;
        g->n_components = (uint32_t) in->n_components;
        g->n_bases = (uint32_t) in->n_bases;
        count_nodes(g);
        make_cuts(g);
        fill_universe(&m);
        make_edges(&m);
        resolve_conditions(&m);
        ash_graph_find_cycles(g);
        ash_graph_parts_of(g, NULL, g->n_nodes, NULL, 0, &g->parts);
        make_levels(g);
        g->counts.components = g->n_components;
        g->counts.packages = g->n_packages;
        g->counts.edges = g->out.begin[g->n_nodes];
        ash_array_done(&m.edges);
        ash_array_done(&m.by);
        ash_array_done(&m.conditionals);
        ash_array_done(&m.extras);
        ash_map_done(&m.paths);
        return g;
}

void ash_graph_free(AshGraph *g) {
        if (!g)
                return;
        ash_universe_free(g->universe);
        free(g->out.begin);
        free(g->out.items);
        free(g->back.begin);
        free(g->back.items);
        free(g->cut);
        free(g->staged);
        ash_graph_parts_done(&g->parts);
        free(g->level);
        free(g->rest);
        ash_array_done(&g->cycles);
        ash_arena_free(g->arena);
        free(g);
}

/* ---- what it says ---- */
AshGraphKind ash_graph_kind(const AshGraph *g, uint32_t node) {
        return node < g->n_components ? ASH_GRAPH_COMPONENT : ash_graph_is_package(g, node) ? ASH_GRAPH_PACKAGE : ASH_GRAPH_BASE;
}

AshSlice ash_graph_name(const AshGraph *g, uint32_t node) {
        switch (ash_graph_kind(g, node)) {
        case ASH_GRAPH_COMPONENT: return g->in->components[node].name;
        case ASH_GRAPH_BASE: return g->in->bases[node - g->n_components].stage;
        default: return g->packages[node - g->n_components - g->n_bases]->name;
        }
}

AshGraphCounts ash_graph_counts(const AshGraph *g) { return g->counts; }
bool ash_graph_is_staged(const AshGraph *g, uint32_t component) { return g->staged[component]; }
bool ash_graph_is_cut(const AshGraph *g, uint32_t component) { return g->cut[component] && !g->staged[component]; }
uint32_t ash_graph_level(const AshGraph *g, uint32_t component) { return g->level[g->parts.of[component]]; }
uint64_t ash_graph_rest_ms(const AshGraph *g, uint32_t component) { return g->rest[g->parts.of[component]]; }
size_t ash_graph_cycles(const AshGraph *g, const AshGraphCycle **ret) {
        *ret = g->cycles.items;
        return g->cycles.n;
}

uint32_t ash_graph_levels(const AshGraph *g) {
        uint32_t most = 0;
        for (uint32_t i = 0; i < g->n_components; i++)
                most = ASH_MAX(most, ash_graph_level(g, i));
        return most;
}

static int by_number(const void *a, const void *b) {
        uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
        return (x > y) - (x < y);
}

static size_t distinct(uint32_t *items, size_t n) {
        size_t k = 0;
        if (n)
                qsort(items, n, sizeof *items, by_number);
        for (size_t i = 0; i < n; i++)
                if (i == 0 || items[i] != items[i - 1])
                        items[k++] = items[i];
        return k;
}

size_t ash_graph_direct(const AshGraph *g, uint32_t component, AshArena *arena, uint32_t **ret) {
        uint32_t n = g->out.begin[component + 1] - g->out.begin[component], k = 0, *to = ash_arena_new_items(arena, uint32_t, n + 1);
        *ret = to;
        if (g->staged[component])
                return 0;
        ash_graph_out(g, component, e)
                if (ash_graph_is_package(g, e->to))
                        to[k++] = g->owner[e->to - g->n_components - g->n_bases];
        return distinct(to, k);
}

size_t ash_graph_givers(const AshGraph *g, uint32_t component, const AshSlice *deps, size_t n, AshArena *arena, uint32_t **ret) {
        uint32_t *to = ash_arena_new_items(arena, uint32_t, n + 1);
        Make m = { .g = (AshGraph *) g, .from = component };
        size_t k = 0;
        for (size_t i = 0; i < n; i++) {
                AshPkgIds found = {};
                uint32_t best = UINT32_MAX;
                ash_universe_what_provides(g->universe, deps[i], &found);
                ash_array_foreach(&found.ids, id) {
                        uint32_t node = node_of(&m, (int) *id);
                        if (node < g->n_nodes && (best == UINT32_MAX || is_better(&m, node, best, bare_name(deps[i]))))
                                best = node;
                }
                uint32_t owner = best == UINT32_MAX ? component : g->owner[best - g->n_components - g->n_bases];
                if (owner != component)
                        to[k++] = owner;
                ash_pkgids_done(&found);
        }
        *ret = to;
        return distinct(to, k);
}

bool *ash_graph_needed(const AshGraph *g, const uint32_t *components, size_t n) {
        bool *seen = ash_calloc(g->n_nodes + 1, 1);
        ASH_ARRAY(uint32_t) todo = {};
        for (size_t i = 0; i < n; i++)
                ash_array_push(&todo, components[i]);
        while (todo.n) {
                uint32_t node = todo.items[--todo.n];
                if (seen[node])
                        continue;
                seen[node] = true;
                if (!g->cut[node])
                        ash_graph_out(g, node, e)
                                if (!seen[e->to])
                                        ash_array_push(&todo, e->to);
        }
        ash_array_done(&todo);
        return seen;
}

/* Waves: from the packages of a component backwards to the components that have one in their buildroot, of which the next wave starts. */
uint32_t *ash_graph_impact(const AshGraph *g, uint32_t component) {
        uint32_t *wave = ash_calloc(g->n_components + 1, sizeof *wave);
        bool *seen = ash_calloc(g->n_nodes, 1);
        ASH_ARRAY(uint32_t) now = {}, todo = {}, next = {};
        ash_array_push(&now, component);
        for (uint32_t n = 1; now.n; n++) {
                ash_array_foreach(&now, c) {
                        wave[*c] = n;
                        ash_array_push(&todo, *c);
                }
                now.n = 0;
                while (todo.n) {
                        uint32_t node = todo.items[--todo.n];
                        ash_graph_back(g, node, e) {
                                bool builds = e->to < g->n_components;
                                if (seen[e->to] || (builds && (wave[e->to] || g->staged[e->to])))
                                        continue;
                                seen[e->to] = true;
                                if (builds)
                                        ash_array_push(&next, e->to);
                                else if (ash_graph_is_package(g, e->to) || g->in->bases[e->to - g->n_components].built)
                                        ash_array_push(&todo, e->to);
                        }
                }
                ash_array_foreach(&next, c)
                        ash_array_push(&now, *c);
                next.n = 0;
        }
        ash_array_done(&now);
        ash_array_done(&todo);
        ash_array_done(&next);
        free(seen);
        return wave;
}

uint64_t ash_graph_critical(const AshGraph *g, const bool *wanted, AshArena *arena, uint32_t **ret, size_t *ret_n) {
        const AshGraphParts *p = &g->parts;
        _free_ uint64_t *until = ash_calloc(p->n + 1, sizeof *until); /* the longest chain that ends with this part */
        _free_ uint32_t *before = ash_calloc(p->n + 1, sizeof *before);
        uint32_t last = UINT32_MAX;
        for (uint32_t part = 0; part < p->n; part++) {
                uint64_t own = 0;
                before[part] = UINT32_MAX;
                for (uint32_t k = p->begin[part]; k < p->begin[part + 1]; k++) {
                        uint32_t node = p->nodes[k];
                        own += node < g->n_components && (!wanted || wanted[node]) ? weight(g, node) : 0;
                        if (!g->cut[node])
                                ash_graph_out(g, node, e) {
                                        uint32_t to = p->of[e->to];
                                        if (to != part && until[to] > until[part]) {
                                                until[part] = until[to];
                                                before[part] = to;
                                        }
                                }
                }
                until[part] += own;
                if (own && (last == UINT32_MAX || until[part] > until[last]))
                        last = part;
        }
        ASH_ARRAY(uint32_t) chain = {};
        for (uint32_t part = last; part != UINT32_MAX; part = before[part])
                for (uint32_t k = p->begin[part]; k < p->begin[part + 1]; k++)
                        if (p->nodes[k] < g->n_components && (!wanted || wanted[p->nodes[k]]))
                                ash_array_push(&chain, p->nodes[k]);
        *ret = ash_arena_new_items(arena, uint32_t, chain.n + 1);
        for (size_t i = 0; i < chain.n; i++)
                (*ret)[i] = chain.items[chain.n - 1 - i];
        *ret_n = chain.n;
        ash_array_done(&chain);
        return last == UINT32_MAX ? 0 : until[last];
}
