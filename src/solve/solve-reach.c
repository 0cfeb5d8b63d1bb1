/* What of the packages beside an index can matter for some requests, as a digest.
 *
 * The closure is that of solve-part.c, or wider: names are followed whatever their version, and who supplements what is reached is reached. Packages that can reach each other have one digest (of those of them that
 * stand beside the index, and of the digests of what they reach), so that all of it is gone through once, however many requests are asked about: Tarjan's strongly connected components, which come out with what they
 * reach before themselves. What is in the index adds nothing: it stays as it is, or the index is another one. */
#include "io-digest.h"
#include "solve-index.h"
#include "solve-own.h"

#define NEVER UINT32_MAX

typedef struct Reached {
        uint8_t digest[32];
        bool some;              /* something beside the index; else the digest says nothing */
        bool unknown;           /* only the whole universe could follow it */
} Reached;

typedef struct Frame {
        uint32_t node;
        size_t kids, next, outs;
} Frame;

typedef ASH_ARRAY(uint32_t) Nodes;

struct AshReach {
        const AshIndex *x;
        const AshOwn *own;
        AshArena *arena;
        AshUniverse *scratch;
        uint32_t *own_of;       /* of each string of the index: 2 + the number of that name in own; 1: none; 0: not looked up */
        uint32_t *id_of;        /* of each name of own: 1 + the string of the index that something provides; NEVER: none; 0: not looked up */
        AshMap supplementers;   /* name -> Nodes: who comes in with it */
        uint32_t supplementing; /* whose supplements are gone through */
        Nodes always;           /* who may come in with anything */
        Reached with_always;
        /* nodes: rows of the index, then packages of own */
        uint32_t *number, *low, *part; /* part: NEVER until it is known */
        bool *unknown;
        uint32_t n_nodes, next;
        ASH_ARRAY(Frame) frames;
        Nodes stack, kids, outs;
        ASH_ARRAY(Reached) parts, texts;
        AshMap text_of;         /* request -> 1 + its place in texts */
        size_t work;
};

size_t ash_reach_work(const AshReach *r) { return r->work; }

/* ---- who is reached from a name ---- */
static void add_own(AshReach *r, uint32_t name) {
        ash_lists_foreach(&r->own->providers, name, package)
                ash_array_push(&r->kids, r->x->n_rows + *package);
}

static void add_id(AshReach *r, uint32_t id) {
        if (!r->own_of[id]) {
                uint32_t name = ash_own_name(r->own, ash_slice_str(ash_index_str(r->x, id)));
                r->own_of[id] = name == NEVER ? 1 : name + 2;
        }
        if (r->own_of[id] > 1)
                add_own(r, r->own_of[id] - 2);
        for (uint32_t i = r->x->providers_at[id]; i < r->x->providers_at[id + 1]; i++)
                ash_array_push(&r->kids, r->x->providers[i]);
}

static void add_own_name(AshReach *r, uint32_t name, bool *unknown) {
        AshSlice text = r->own->texts[name];
        if (!r->id_of[name]) {
                uint32_t id = ash_index_find_provided(r->x, text);
                r->id_of[name] = id ? id + 1 : NEVER;
        }
        if (r->id_of[name] != NEVER)
                add_id(r, r->id_of[name] - 1);
        else
                add_own(r, name);
        *unknown |= r->id_of[name] == NEVER && text.len && text.ptr[0] == '/' && !ash_path_may_be_required(text); /* only lists of files have it */
}

static void add_supplementers(AshReach *r, AshSlice name) {
        const Nodes *list = r->supplementers.live ? ash_map_get(&r->supplementers, name) : NULL;
        if (list)
                ash_array_foreach(list, node)
                        ash_array_push(&r->kids, *node);
}

/* ---- who is reached from a package ---- */
static bool ids_of(AshReach *r, uint32_t id, void (*fn)(AshReach *r, uint32_t id), bool *conditional, unsigned depth) {
        if (!(id & 0x80000000U)) {
                fn(r, id);
                return true;
        }
        const AshIndexRel *rel = &r->x->rels[id & 0x7fffffffU];
        if (depth > 200)
                return false;
        *conditional |= rel->flags == REL_COND || rel->flags == REL_UNLESS || rel->flags == REL_ELSE;
        return ids_of(r, rel->name, fn, conditional, depth + 1) && (rel->flags <= 7 || ids_of(r, rel->evr, fn, conditional, depth + 1));
}

static bool each_id(AshReach *r, uint32_t row, AshDepKind kind, void (*fn)(AshReach *r, uint32_t id), bool *conditional) {
        bool good = true;
        for (const uint32_t *id = r->x->ids + r->x->rows[row].deps[kind]; *id; id++)
                good &= ids_of(r, *id, fn, conditional, 0);
        return good;
}

static void nothing(AshReach *r _unused_, uint32_t id _unused_) {}
static void add_supplementers_of(AshReach *r, uint32_t id) { add_supplementers(r, ash_slice_str(ash_index_str(r->x, id))); }

static void add_of_row(AshReach *r, uint32_t row) {
        bool any = false, conflicts = false;
        bool good = each_id(r, row, ASH_DEP_REQUIRES, add_id, &any) && each_id(r, row, ASH_DEP_RECOMMENDS, add_id, &any) && each_id(r, row, ASH_DEP_SUGGESTS, add_id, &any);
        good &= each_id(r, row, ASH_DEP_CONFLICTS, nothing, &conflicts);
        add_id(r, r->x->rows[row].name); /* its other versions */
        if (r->supplementers.live)
                each_id(r, row, ASH_DEP_PROVIDES, add_supplementers_of, &any);
        r->unknown[row] = !good || conflicts;
}

static void add_of_own(AshReach *r, uint32_t package) {
        bool unknown = r->own->flags[package] & ASH_OWN_BEYOND;
        ash_lists_foreach(&r->own->needs, package, name)
                add_own_name(r, *name, &unknown);
        ash_lists_foreach(&r->own->provides, package, name)
                add_supplementers(r, r->own->texts[*name]);
        bool none = false;
        add_own_name(r, r->own->provides.items[r->own->provides.at[package]], &none); /* its other versions: its name is the first that it has */
        r->unknown[r->x->n_rows + package] = unknown;
}

/* ---- digests ---- */
static int by_digest(const void *a, const void *b) { return memcmp(((const Reached *) a)->digest, ((const Reached *) b)->digest, 32); }

/* The digest of what parts reach, and of own (what stands beside the index among those that reach it). */
static Reached join(AshReach *r, const uint32_t *parts, size_t n, AshStr *own) {
        Reached joined = { .some = own && own->len };
        _free_ Reached *all = ash_calloc(n + 1, sizeof *all);
        size_t k = 0;
        for (size_t i = 0; i < n; i++) {
                const Reached *p = &r->parts.items[parts[i]];
                joined.unknown |= p->unknown;
                if (p->some)
                        all[k++] = *p;
        }
        if (k)
                qsort(all, k, sizeof *all, by_digest);
        size_t once = 0;
        for (size_t i = 0; i < k; i++)
                if (!once || by_digest(&all[once - 1], &all[i]))
                        all[once++] = all[i];
        if (!joined.some && once <= 1) {
                if (once)
                        memcpy(joined.digest, all[0].digest, sizeof joined.digest);
                joined.some = once;
                return joined;
        }
        _str_ AshStr text = {};
        if (own)
                ash_str_append(&text, ash_str_slice(own));
        for (size_t i = 0; i < once; i++)
                ash_str_append(&text, ash_slice((const char *) all[i].digest, sizeof all[i].digest));
        ash_digest_of(ASH_SHA256, ash_str_slice(&text), joined.digest);
        joined.some = true;
        return joined;
}

/* All that a solver sees of it, and which one it is. */
static void tell_own(const AshPackage *p, AshStr *out) {
        ash_str_appendf(out, "%.*s %.*s\n", ASH_F(p->location), ASH_F(p->sha256));
        for (size_t i = 0; i < p->deps[ASH_DEP_REQUIRES].n; i++) /* which may not be the package's own words */
                ash_str_appendf(out, " %.*s\n", ASH_F(p->deps[ASH_DEP_REQUIRES].items[i].name));
}

static int by_number(const void *a, const void *b) {
        uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
        return (x > y) - (x < y);
}

static void end_part(AshReach *r, const Frame *f) {
        size_t from = r->stack.n;
        _str_ AshStr own = {};
        bool unknown = false;
        while (r->stack.items[--from] != f->node)
                ;
        qsort(r->stack.items + from, r->stack.n - from, sizeof *r->stack.items, by_number);
        for (size_t i = from; i < r->stack.n; i++) {
                uint32_t node = r->stack.items[i];
                unknown |= r->unknown[node];
                r->part[node] = (uint32_t) r->parts.n;
                if (node >= r->x->n_rows)
                        tell_own(&r->own->packages[node - r->x->n_rows], &own);
        }
        r->stack.n = from;
        Reached reached = join(r, r->outs.n ? r->outs.items + f->outs : NULL, r->outs.n - f->outs, &own);
        reached.unknown |= unknown;
        r->outs.n = f->outs;
        ash_array_push(&r->parts, reached);
}

static void enter(AshReach *r, uint32_t node) {
        Frame f = { .node = node, .kids = r->kids.n, .next = r->kids.n, .outs = r->outs.n };
        r->number[node] = r->low[node] = ++r->next;
        ash_array_push(&r->stack, node);
        if (node < r->x->n_rows)
                add_of_row(r, node);
        else
                add_of_own(r, node - r->x->n_rows);
        r->work += r->kids.n - f.kids + 1;
        ash_array_push(&r->frames, f);
}

static void leave(AshReach *r) {
        Frame f = r->frames.items[--r->frames.n];
        for (size_t i = f.kids; i < r->kids.n; i++)
                if (r->part[r->kids.items[i]] != NEVER)
                        ash_array_push(&r->outs, r->part[r->kids.items[i]]);
                else
                        r->low[f.node] = ASH_MIN(r->low[f.node], r->low[r->kids.items[i]]);
        r->kids.n = f.kids;
        if (r->low[f.node] == r->number[f.node])
                end_part(r, &f);
}

static uint32_t part_of(AshReach *r, uint32_t node) {
        if (r->part[node] != NEVER)
                return r->part[node];
        for (enter(r, node); r->frames.n;) {
                Frame *f = ash_array_last(&r->frames);
                if (f->next == r->kids.n)
                        leave(r);
                else if (!r->number[r->kids.items[f->next]])
                        enter(r, r->kids.items[f->next++]);
                else
                        f->next++;
        }
        return r->part[node];
}

/* ---- requests ---- */
typedef struct Asked {
        AshReach *r;
        Nodes nodes;
        bool unknown;
} Asked;

static void take_kids(Asked *a) {
        ash_array_foreach(&a->r->kids, node)
                ash_array_push(&a->nodes, *node);
        a->r->kids.n = 0;
}

static bool ask_name(Asked *a, AshSlice name) {
        AshReach *r = a->r;
        uint32_t id = ash_index_find_provided(r->x, name), own = ash_own_name(r->own, name), n;
        size_t before = a->nodes.n;
        if (id)
                add_id(r, id);
        else if (own != NEVER)
                add_own(r, own);
        for (uint32_t i = ash_index_named(r->x, name, &n); n; i++, n--)
                ash_array_push(&r->kids, r->x->by_name[i]);
        take_kids(a);
        return a->nodes.n > before;
}

/* A path that only lists of files have. What stands beside the index was asked for those that the index speaks of; of another one, a package that says that it provides it does not tell who else has it. */
static bool is_beyond(const AshReach *r, AshSlice name) { return name.len && name.ptr[0] == '/' && !ash_path_may_be_required(name) && !ash_index_find_provided(r->x, name); }

static void ask_part(void *context, AshSlice name) {
        Asked *a = context;
        (void) ask_name(a, name);
        a->unknown |= is_beyond(a->r, name);
}

/* Every reading that a text can have, as solve-part.c takes them. */
static void ask_plain(Asked *a, AshSlice what) {
        size_t end = 0;
        while (end < what.len && !strchr(" <=>", what.ptr[end]))
                end++;
        AshSlice plain = ash_slice(what.ptr, end);
        bool known = ask_name(a, what);
        if (end < what.len)
                known |= ask_name(a, plain);
        ptrdiff_t dot = ash_slice_rfind_char(plain, '.');
        if (dot > 0)
                ask_name(a, ash_slice(plain.ptr, (size_t) dot));
        for (size_t i = 1; !known && i + 1 < plain.len; i++)
                if (plain.ptr[i] == '-')
                        ask_name(a, ash_slice(plain.ptr, i));
        a->unknown |= is_beyond(a->r, plain);
        a->unknown |= memchr(what.ptr, '*', what.len) || memchr(what.ptr, '?', what.len) || memchr(what.ptr, '[', what.len);
}

static Reached reached_by(AshReach *r, const Nodes *nodes) {
        Nodes parts = {};
        ash_array_foreach(nodes, node)
                ash_array_push(&parts, part_of(r, *node));
        Reached reached = join(r, parts.items, parts.n, NULL);
        ash_array_done(&parts);
        return reached;
}

static const Reached *reach_text(AshReach *r, AshSlice what) {
        size_t known = (size_t) ash_map_get(&r->text_of, what);
        if (known)
                return &r->texts.items[known - 1];
        Asked a = { .r = r };
        AshDep dep;
        if (!what.len)
                a.unknown = true;
        else if (what.ptr[0] != '(')
                ask_plain(&a, what);
        else
                a.unknown = ash_dep_parse(what, &dep) < 0 || !ash_dep_names(r->scratch, &dep, ask_part, &a, NULL);
        Reached reached = reached_by(r, &a.nodes);
        reached.unknown |= a.unknown;
        ash_array_done(&a.nodes);
        ash_array_push(&r->texts, reached);
        ash_map_put(&r->text_of, ash_arena_slice(r->arena, what), (void *) r->texts.n, NULL);
        return ash_array_last(&r->texts);
}

int ash_reach_digest(AshReach *r, const AshSlice *texts, size_t n, uint8_t ret[static 32]) {
        _str_ AshStr text = {};
        bool unknown = r->with_always.unknown;
        ash_str_append(&text, ash_slice((const char *) r->with_always.digest, sizeof r->with_always.digest));
        for (size_t i = 0; i < n; i++) {
                const Reached *reached = reach_text(r, texts[i]);
                unknown |= reached->unknown;
                ash_str_append(&text, ash_slice((const char *) reached->digest, sizeof reached->digest)); /* zeros: nothing */
        }
        r->work += n;
        ash_digest_of(ASH_SHA256, ash_str_slice(&text), ret);
        return unknown ? -ENODATA : 0;
}

/* ---- who brings itself in ---- */
static void add_supplementer(AshReach *r, AshSlice name, uint32_t node) {
        bool fresh;
        AshMapEntry *e = ash_map_ensure(&r->supplementers, name, &fresh);
        if (fresh)
                e->value = ash_calloc(1, sizeof(Nodes));
        ash_array_push((Nodes *) e->value, node);
}

static void supplements_id(AshReach *r, uint32_t id) { add_supplementer(r, ash_slice_str(ash_index_str(r->x, id)), r->supplementing); }

static void note_row(AshReach *r, uint32_t row) {
        bool conditional = false;
        r->supplementing = row;
        bool good = each_id(r, row, ASH_DEP_SUPPLEMENTS, supplements_id, &conditional) && each_id(r, row, ASH_DEP_ENHANCES, supplements_id, &conditional);
        if (conditional || !good)
                ash_array_push(&r->always, row);
}

static void note_own(AshReach *r, uint32_t package) {
        if (!(r->own->flags[package] & ASH_OWN_BRINGS))
                return;
        ash_lists_foreach(&r->own->supplements, package, name)
                add_supplementer(r, r->own->texts[*name], r->x->n_rows + package);
        if (r->own->flags[package] & (ASH_OWN_ALWAYS | ASH_OWN_BEYOND))
                ash_array_push(&r->always, r->x->n_rows + package);
}

AshReach *ash_reach_new(const AshIndex *x, const AshOwn *own) {
        AshReach *r = ash_calloc(1, sizeof *r);
        *r = (AshReach){ .x = x, .own = own, .arena = ash_arena_new(), .scratch = ash_universe_new("noarch"), .n_nodes = x->n_rows + (uint32_t) own->n, .own_of = ash_calloc(x->n_strings + 1, sizeof *r->own_of),
                         .id_of = ash_calloc(own->n_names + 1, sizeof *r->id_of) };
        r->number = ash_calloc(r->n_nodes + 1, sizeof *r->number);
        r->low = ash_calloc(r->n_nodes + 1, sizeof *r->low);
        r->part = ash_calloc(r->n_nodes + 1, sizeof *r->part);
        r->unknown = ash_calloc(r->n_nodes + 1, sizeof *r->unknown);
        memset(r->part, 0xff, r->n_nodes * sizeof *r->part);
        for (uint32_t i = 0; i < x->n_supplementers; i++)
                note_row(r, x->supplementers[i]);
        for (uint32_t i = 0; i < own->n; i++)
                note_own(r, i);
        r->with_always = reached_by(r, &r->always);
        return r;
}

void ash_reach_free(AshReach *r) {
        if (!r)
                return;
        ash_map_foreach(&r->supplementers, e) {
                ash_array_done((Nodes *) e->value);
                free(e->value);
        }
        ash_map_done(&r->supplementers);
        ash_map_done(&r->text_of);
        ash_array_done(&r->always);
        ash_array_done(&r->frames);
        ash_array_done(&r->stack);
        ash_array_done(&r->kids);
        ash_array_done(&r->outs);
        ash_array_done(&r->parts);
        ash_array_done(&r->texts);
        free(r->own_of);
        free(r->id_of);
        free(r->number);
        free(r->low);
        free(r->part);
        free(r->unknown);
        ash_universe_free(r->scratch);
        ash_arena_free(r->arena);
        free(r);
}
