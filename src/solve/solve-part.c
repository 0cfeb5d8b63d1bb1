/* The part of an index that can matter for some requests, as a universe of its own.
 *
 * Why the answer is the same. libsolv makes rules for the packages that a job names and for those that requirements of such packages can be met by, and so on; also for recommended and suggested ones and for those
 * that supplement or enhance what is there, whether weak dependencies are wanted or not. A package outside of that closure is in no rule that could call for it, so it is never chosen, and a conflict with it never
 * binds. The closure here is no narrower: names are followed whatever their version, and all sides of a rich dependency. Packages that only share a name with one of these come along, unfollowed, because libsolv
 * looks at other versions of a candidate. Ties are broken by the order of packages, which is kept. tests/unit/test-solve-part.c compares both over random requests. */
#include <fnmatch.h>
#include "solve-index.h"
#include "solve-own.h"

enum { OUTSIDE, INCLUDED, FOLLOWED };

typedef struct Part {
        const AshIndex *x;
        bool beyond;            /* what is asked can only be answered by the whole */
        uint8_t *state;         /* of each row */
        uint8_t *name_state;    /* of each string: what was done with its providers */
        ASH_ARRAY(uint32_t) queue; /* followed rows */
        size_t done;
        const AshIndexOwn *beside; /* NULL: nothing is */
        const AshOwn *own;
        uint8_t *own_state, *own_names; /* of each of its packages, and of its names */
        ASH_ARRAY(uint32_t) own_queue;
        size_t own_done;
        AshUniverse *u;
        Id *strings, *rels;     /* index's ids -> the new pool's */
} Part;

static void part_done(Part *p) {
        free(p->state);
        free(p->name_state);
        free(p->strings);
        free(p->rels);
        free(p->own_state);
        free(p->own_names);
        ash_array_done(&p->queue);
        ash_array_done(&p->own_queue);
        ash_universe_free(p->u);
}

/* ---- what is reached ---- */
static void take(Part *p, uint32_t row, uint8_t state) {
        if (p->state[row] >= state)
                return;
        p->state[row] = state;
        if (state == FOLLOWED)
                ash_array_push(&p->queue, row);
}

static void take_own(Part *p, uint32_t package, uint8_t state) {
        if (p->own_state[package] >= state)
                return;
        p->own_state[package] = state;
        if (state == FOLLOWED)
                ash_array_push(&p->own_queue, package);
}

/* Those beside the index that are called so or provide it; is there any? */
static bool take_own_name(Part *p, AshSlice name, uint8_t state) {
        uint32_t i = ash_own_name(p->own, name);
        if (i == UINT32_MAX || p->own->providers.at[i] == p->own->providers.at[i + 1])
                return false;
        if (p->own_names[i] < state) {
                p->own_names[i] = state;
                ash_lists_foreach(&p->own->providers, i, package)
                        take_own(p, *package, state);
        }
        return true;
}

static void take_providers(Part *p, uint32_t id, uint8_t state) {
        if (p->name_state[id] >= state)
                return;
        p->name_state[id] = state;
        if (p->own)
                take_own_name(p, ash_slice_str(ash_index_str(p->x, id)), state);
        for (uint32_t i = p->x->providers_at[id]; i < p->x->providers_at[id + 1]; i++)
                take(p, p->x->providers[i], state);
}

typedef bool (*NameVisit)(Part *p, uint32_t id);

/* Every name that an id speaks of; ends early when a visit says so. Comparisons (REL_GT, REL_EQ, REL_LT) have a version on their right side, everything else has names on both. */
static bool each_name(Part *p, uint32_t id, NameVisit visit, unsigned depth) {
        if (!(id & 0x80000000U))
                return visit(p, id);
        const AshIndexRel *rel = &p->x->rels[id & 0x7fffffffU];
        if (depth > 200) { /* nothing that people write; what it names would be missed */
                p->beyond = true;
                return false;
        }
        if (each_name(p, rel->name, visit, depth + 1))
                return true;
        return rel->flags > 7 && each_name(p, rel->evr, visit, depth + 1);
}

static bool visit_follow(Part *p, uint32_t id) {
        take_providers(p, id, FOLLOWED);
        return false;
}

static bool own_is_reached(const Part *p, uint32_t name) {
        if (name != UINT32_MAX)
                ash_lists_foreach(&p->own->providers, name, package)
                        if (p->own_state[*package] == FOLLOWED)
                                return true;
        return false;
}

static bool visit_is_reached(Part *p, uint32_t id) {
        if (p->own && own_is_reached(p, ash_own_name(p->own, ash_slice_str(ash_index_str(p->x, id)))))
                return true;
        for (uint32_t i = p->x->providers_at[id]; i < p->x->providers_at[id + 1]; i++)
                if (p->state[p->x->providers[i]] == FOLLOWED)
                        return true;
        return false;
}

static bool each_dep(Part *p, uint32_t row, AshDepKind kind, NameVisit visit) {
        for (const uint32_t *id = p->x->ids + p->x->rows[row].deps[kind]; *id; id++)
                if (each_name(p, *id, visit, 0))
                        return true;
        return false;
}

static bool is_conditional(const AshIndex *x, uint32_t id, unsigned depth) {
        if (!(id & 0x80000000U))
                return false;
        const AshIndexRel *rel = &x->rels[id & 0x7fffffffU];
        if (rel->flags == REL_COND || rel->flags == REL_UNLESS || rel->flags == REL_ELSE || depth > 200)
                return true;
        return is_conditional(x, rel->name, depth + 1) || (rel->flags > 7 && is_conditional(x, rel->evr, depth + 1));
}

/* A conflict with "a if b", or "a unless b", calls for b: the one kind of conflict that brings packages in. libsolv then does so without looking at what b needs, unless it met it otherwise: asked of the whole. */
static void check_conflicts(Part *p, uint32_t row) {
        for (const uint32_t *id = p->x->ids + p->x->rows[row].deps[ASH_DEP_CONFLICTS]; *id; id++)
                p->beyond |= is_conditional(p->x, *id, 0);
}

static void follow(Part *p) {
        for (; p->done < p->queue.n; p->done++) {
                uint32_t row = p->queue.items[p->done];
                each_dep(p, row, ASH_DEP_REQUIRES, visit_follow);
                check_conflicts(p, row);
                each_dep(p, row, ASH_DEP_RECOMMENDS, visit_follow);
                each_dep(p, row, ASH_DEP_SUGGESTS, visit_follow);
                take_providers(p, p->x->rows[row].name, INCLUDED); /* its other versions */
        }
}

static bool seed_text(Part *p, AshSlice text, uint8_t state);

/* What the index does not know is provided by nothing in it, unless it is a path that only lists of files have. */
static void follow_own_name(Part *p, AshSlice name) {
        if (!seed_text(p, name, FOLLOWED) && name.ptr[0] == '/')
                p->beyond |= !ash_path_may_be_required(name);
}

static void follow_own(Part *p) {
        for (; p->own_done < p->own_queue.n; p->own_done++) {
                uint32_t package = p->own_queue.items[p->own_done];
                p->beyond |= p->own->flags[package] & ASH_OWN_BEYOND;
                ash_lists_foreach(&p->own->needs, package, name)
                        if (p->own_names[*name] < FOLLOWED || p->own->texts[*name].ptr[0] == '/')
                                follow_own_name(p, p->own->texts[*name]);
                seed_text(p, p->own->packages[package].name, INCLUDED);
        }
}

/* May it bring itself in? libsolv takes conditional ones as possible always. */
static bool may_enhance(Part *p, uint32_t row, AshDepKind kind) {
        for (const uint32_t *id = p->x->ids + p->x->rows[row].deps[kind]; *id; id++)
                if (is_conditional(p->x, *id, 0))
                        return true;
        return each_dep(p, row, kind, visit_is_reached);
}

static bool own_may_enhance(Part *p, uint32_t package) {
        if (p->own->flags[package] & (ASH_OWN_ALWAYS | ASH_OWN_BEYOND))
                return true;
        ash_lists_foreach(&p->own->supplements, package, name) {
                uint32_t id = ash_index_find_provided(p->x, p->own->texts[*name]);
                if (own_is_reached(p, *name) || (id && visit_is_reached(p, id)))
                        return true;
        }
        return false;
}

static void follow_all(Part *p) {
        size_t before;
        do {
                do {
                        follow(p);
                        if (p->own)
                                follow_own(p);
                } while (p->done < p->queue.n);
                before = p->queue.n + p->own_queue.n;
                for (uint32_t i = 0; i < p->x->n_supplementers; i++) {
                        uint32_t row = p->x->supplementers[i];
                        if (p->state[row] != FOLLOWED && (may_enhance(p, row, ASH_DEP_SUPPLEMENTS) || may_enhance(p, row, ASH_DEP_ENHANCES)))
                                take(p, row, FOLLOWED);
                }
                for (uint32_t i = 0; p->own && i < p->own->n; i++)
                        if (p->own->flags[i] & ASH_OWN_BRINGS && p->own_state[i] != FOLLOWED && own_may_enhance(p, i))
                                take_own(p, i, FOLLOWED);
        } while (p->queue.n + p->own_queue.n > before);
}

/* ---- requests ---- */
static bool seed_named(Part *p, AshSlice name, uint8_t state) {
        uint32_t n, first = ash_index_named(p->x, name, &n);
        for (uint32_t i = 0; i < n; i++)
                take(p, p->x->by_name[first + i], state);
        return n;
}

static bool is_glob(AshSlice s) { return memchr(s.ptr, '*', s.len) || memchr(s.ptr, '?', s.len) || memchr(s.ptr, '[', s.len); }

/* Names that a pattern fits: those of packages; provided ones are the whole universe's business. */
static bool seed_glob(Part *p, AshSlice pattern, uint8_t state) {
        _free_ char *text = ash_slice_dup(pattern);
        bool any = false;
        for (uint32_t i = 0; i < p->x->n_rows; i++)
                if (fnmatch(text, ash_index_name_at(p->x, i), 0) == 0) {
                        take(p, p->x->by_name[i], state);
                        any = true;
                }
        for (uint32_t i = 0; p->own && i < p->own->n; i++) {
                _free_ char *name = ash_slice_dup(p->own->packages[i].name);
                if (fnmatch(text, name, 0) == 0) {
                        take_own(p, i, state);
                        any = true;
                }
        }
        return any;
}

static bool seed_text(Part *p, AshSlice text, uint8_t state) {
        if (!text.len)
                return false;
        if (is_glob(text))
                return seed_glob(p, text, state);
        bool any = seed_named(p, text, state);
        any |= p->own && take_own_name(p, text, state);
        uint32_t id = ash_index_find_provided(p->x, text);
        if (id)
                take_providers(p, id, state);
        return any || id;
}

static bool seed_prefix(Part *p, AshSlice name, uint8_t state) {
        if (is_glob(name))
                return seed_glob(p, name, state);
        bool own = p->own && take_own_name(p, name, state);
        return seed_named(p, name, state) || own;
}

/* Every reading that a text can have is taken, so it does not matter which one libsolv prefers: a name, NAME.ARCH, "NAME OP EVR", NAME-EVR, NAME-EVR.ARCH. */
static bool seed(Part *p, AshSlice what, uint8_t state) {
        size_t name = 0;
        while (name < what.len && !strchr(" <=>", what.ptr[name]))
                name++;
        bool any = seed_text(p, what, state);
        AshSlice plain = ash_slice(what.ptr, name);
        if (name < what.len)
                any |= seed_text(p, plain, state);
        any |= p->own && take_own_name(p, plain, state);
        bool known = any; /* libsolv splits a version off only from what is no name */
        ptrdiff_t dot = ash_slice_rfind_char(plain, '.');
        if (dot > 0)
                any |= seed_text(p, ash_slice(plain.ptr, (size_t) dot), state);
        for (size_t i = 1; !known && i + 1 < plain.len; i++)
                if (plain.ptr[i] == '-')
                        any |= seed_prefix(p, ash_slice(plain.ptr, i), state);
        return any;
}

/* A rich dependency: libsolv takes it apart in a pool of its own. */
static bool seed_rich(Part *p, Pool *pool, Id id, unsigned depth) {
        if (depth > 200)
                return false;
        if (!ISRELDEP(id)) {
                AshSlice name = ash_slice_str(pool_id2str(pool, id));
                return seed_text(p, name, FOLLOWED) || name.ptr[0] != '/' || ash_path_may_be_required(name);
        }
        const Reldep *rel = GETRELDEP(pool, id);
        return seed_rich(p, pool, rel->name, depth + 1) && (rel->flags <= 7 || seed_rich(p, pool, rel->evr, depth + 1));
}

static bool seed_request(Part *p, const AshRequest *request) {
        AshSlice what = request->what;
        bool install = request->job == ASH_REQUEST_INSTALL || request->job == ASH_REQUEST_PREFER;
        if (!what.len || (what.ptr[0] == '/' && !ash_path_may_be_required(what)))
                return false;
        if (what.ptr[0] != '(')
                return seed(p, what, install ? FOLLOWED : INCLUDED) || !install || request->optional;
        AshDep dep;
        if (!install || ash_dep_parse(what, &dep) < 0)
                return false;
        _cleanup_(ash_universe_free_p) AshUniverse *scratch = ash_universe_new("noarch");
        return seed_rich(p, scratch->pool, ash_universe_dep_id(scratch, &dep), 0);
}

/* ---- packages beside the index ---- */
static void add_own(Part *p) {
        if (!p->beside)
                return;
        ash_universe_add_repo(p->u, p->beside->name, p->beside->priority);
        for (size_t i = 0; i < p->own->n; i++)
                if (p->own_state[i] != OUTSIDE)
                        ash_universe_add_package(p->u, &p->own->packages[i]);
}

/* ---- the universe ---- */
static Id string_id(Part *p, uint32_t id) {
        if (id < ID_NUM_INTERNAL)
                return (Id) id;
        if (!p->strings[id])
                p->strings[id] = pool_str2id(p->u->pool, ash_index_str(p->x, id), 1);
        return p->strings[id];
}

static Id dep_id(Part *p, uint32_t id) {
        if (!(id & 0x80000000U))
                return string_id(p, id);
        uint32_t i = id & 0x7fffffffU;
        const AshIndexRel *rel = &p->x->rels[i];
        if (!p->rels[i]) {
                Id name = dep_id(p, rel->name), evr = dep_id(p, rel->evr);
                p->rels[i] = pool_rel2id(p->u->pool, name, evr, (int) rel->flags, 1);
        }
        return p->rels[i];
}

static Offset copy_list(Part *p, Repo *repo, uint32_t list) {
        Offset at = 0;
        for (const uint32_t *id = p->x->ids + list; *id; id++)
                at = repo_addid(repo, at, dep_id(p, *id));
        return at;
}

static void copy_row(Part *p, Repo *repo, uint32_t index) {
        const AshIndexRow *row = &p->x->rows[index];
        Id id = repo_add_solvable(repo);
        Solvable *s = pool_id2solvable(p->u->pool, id);
        s->name = string_id(p, row->name);
        s->evr = string_id(p, row->evr);
        s->arch = string_id(p, row->arch);
        s->vendor = string_id(p, row->vendor);
        s->provides = copy_list(p, repo, row->deps[ASH_DEP_PROVIDES]);
        s->requires = copy_list(p, repo, row->deps[ASH_DEP_REQUIRES]);
        s->conflicts = copy_list(p, repo, row->deps[ASH_DEP_CONFLICTS]);
        s->obsoletes = copy_list(p, repo, row->deps[ASH_DEP_OBSOLETES]);
        s->recommends = copy_list(p, repo, row->deps[ASH_DEP_RECOMMENDS]);
        s->suggests = copy_list(p, repo, row->deps[ASH_DEP_SUGGESTS]);
        s->supplements = copy_list(p, repo, row->deps[ASH_DEP_SUPPLEMENTS]);
        s->enhances = copy_list(p, repo, row->deps[ASH_DEP_ENHANCES]);
        p->u->rows[id] = index;
}

static void fill(Part *p, const char *arch) {
        const AshIndex *x = p->x;
        size_t n = 0;
        for (uint32_t i = 0; i < x->n_rows; i++)
                n += p->state[i] != OUTSIDE;
        p->u = ash_universe_new(arch);
        p->u->index = x;
        p->u->rows = ash_calloc(n + 2, sizeof *p->u->rows); /* solvables 0 and 1 are libsolv's own */
        p->strings = ash_calloc(x->n_strings, sizeof *p->strings);
        p->rels = ash_calloc(x->n_rels + 1, sizeof *p->rels);
        Repo *repo = NULL;
        uint32_t made = 0;
        for (uint32_t i = 0; i < x->n_rows; i++) {
                for (; made <= x->rows[i].repo; made++) {
                        ash_universe_add_repo(p->u, x->texts + x->repos[made].name, x->repos[made].priority);
                        repo = p->u->repo;
                }
                if (p->state[i] != OUTSIDE)
                        copy_row(p, repo, i);
        }
        p->u->n_rows = (uint32_t) p->u->pool->nsolvables;
        add_own(p);
        if (p->beside) /* files of theirs may be what others require */
                return;
        pool_createwhatprovides(p->u->pool); /* provided files are among what was copied */
        p->u->prepared = true;
}

int ash_index_part(const AshIndex *x, const char *arch, const AshRequest *requests, size_t n, const AshIndexOwn *own, AshUniverse **ret) {
        Part p __attribute__((__cleanup__(part_done))) = { .x = x, .beside = own, .own = own ? own->own : NULL, .state = ash_calloc(x->n_rows + 1, 1), .name_state = ash_calloc(x->n_strings, 1) };
        p.own_state = ash_calloc(p.own ? p.own->n + 1 : 1, 1);
        p.own_names = ash_calloc(p.own ? p.own->n_names + 1 : 1, 1);
        for (size_t i = 0; i < n; i++)
                if (!seed_request(&p, &requests[i]))
                        return -ENODATA;
        follow_all(&p);
        if (p.beyond)
                return -ENODATA;
        fill(&p, arch);
        *ret = ASH_TAKE(p.u);
        return 0;
}
