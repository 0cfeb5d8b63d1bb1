/* What can meet the requirements of a package, rich ones taken apart. */
#include "solve-internal.h"

typedef struct Walk {
        Pool *pool;
        AshNeedFn fn;
        void *context;
        struct { Id dep; bool unless; } conditions[ASH_NEED_CONDITIONS];
        unsigned n, depth;
} Walk;

enum { DEPTH_MAX = 64 };

static void tell(Walk *w, Id dep) {
        AshNeed need = { .dep = (uint32_t) dep, .n_conditions = w->n };
        /* The first round computes what is not known yet, which may move everything: only then addresses are asked for. */
        pool_whatprovides(w->pool, dep);
        for (unsigned i = 0; i < w->n; i++)
                pool_whatprovides(w->pool, w->conditions[i].dep);
        need.by = pool_whatprovides_ptr(w->pool, dep);
        if (need.by[0] == SYSTEMSOLVABLE) /* features of rpm itself */
                return;
        for (unsigned i = 0; i < w->n; i++) {
                need.conditions[i].by = pool_whatprovides_ptr(w->pool, w->conditions[i].dep);
                need.conditions[i].unless = w->conditions[i].unless;
        }
        w->fn(w->context, &need);
}

static void walk(Walk *w, Id dep);

/* Conditions within conditions beyond what a need can hold count as true. */
static void walk_if(Walk *w, Id dep, Id condition, bool unless) {
        bool room = w->n < ASH_NEED_CONDITIONS;
        if (room) {
                w->conditions[w->n].dep = condition;
                w->conditions[w->n++].unless = unless;
        }
        walk(w, dep);
        w->n -= room;
}

/* "a if b": name is a, evr is b; with an else evr is (b else c). */
static void walk_condition(Walk *w, const Reldep *rel, bool unless) {
        Id condition = rel->evr, otherwise = 0, then = rel->name;
        if (ISRELDEP(condition) && GETRELDEP(w->pool, condition)->flags == REL_ELSE) {
                otherwise = GETRELDEP(w->pool, condition)->evr;
                condition = GETRELDEP(w->pool, condition)->name;
        }
        walk_if(w, then, condition, unless);
        if (otherwise)
                walk_if(w, otherwise, condition, !unless);
}

static void walk(Walk *w, Id dep) {
        if (!ISRELDEP(dep) || ++w->depth > DEPTH_MAX) {
                tell(w, dep);
                return;
        }
        Reldep rel = *GETRELDEP(w->pool, dep); /* a copy: the pool may grow */
        switch (rel.flags) {
        case REL_AND:
                walk(w, rel.name);
                walk(w, rel.evr);
                break;
        case REL_OR:
                walk(w, ash_universe_can_be_met(w->pool, rel.name) || !ash_universe_can_be_met(w->pool, rel.evr) ? rel.name : rel.evr);
                break;
        case REL_COND: case REL_UNLESS:
                walk_condition(w, &rel, rel.flags == REL_UNLESS);
                break;
        default:
                tell(w, dep);
        }
        w->depth--;
}

static Id name_of(Pool *pool, Id dep) {
        while (ISRELDEP(dep))
                dep = GETRELDEP(pool, dep)->name;
        return dep;
}

void ash_universe_needs(AshUniverse *u, uint32_t id, AshNeedFn fn, void *context) {
        ash_universe_prepare(u);
        Solvable *s = pool_id2solvable(u->pool, (Id) id);
        if (!s->requires)
                return;
        for (Offset at = s->requires; s->repo->idarraydata[at]; at++) {
                Id dep = s->repo->idarraydata[at];
                Walk w = { .pool = u->pool, .fn = fn, .context = context };
                if (dep != SOLVABLE_PREREQMARKER && strncmp(pool_id2str(u->pool, name_of(u->pool, dep)), "rpmlib(", 7) != 0)
                        walk(&w, dep);
        }
}

AshSlice ash_universe_need_text(AshUniverse *u, uint32_t dep, AshArena *arena) { return ash_arena_slice(arena, ash_slice_str(pool_dep2str(u->pool, (Id) dep))); }
