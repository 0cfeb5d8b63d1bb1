/* A failed solve in plain words: what asked for it, what stands against it, what is near. */
#include "solve-internal.h"
#include <solv/problems.h>

/* Not every kind of rule has a package where most have one. */
static const char *nevra(Pool *pool, Id p) { return p > 0 && p < pool->nsolvables && pool_id2solvable(pool, p)->repo ? pool_solvid2str(pool, p) : "nothing"; }

typedef struct Near {
        unsigned best;               /* nearer than that */
        Id found;
} Near;
static void look_near(Near *near, AshUniverse *u, AshSlice wanted, Id id) {
        while (ISRELDEP(id))
                id = GETRELDEP(u->pool, id)->name;
        AshSlice name = ash_universe_str(u, id);
        unsigned d = near->best ? ash_slice_distance(wanted, name, near->best - 1) : 1;
        if (d >= near->best || ash_slice_find_char(name, ':') >= 0) /* markers of libsolv's own ("solvable:...") are no names */
                return;
        near->best = d;
        near->found = id;
}

void ash_solve_hint_near(AshUniverse *u, AshSlice what, AshDiags *diags) {
        Pool *pool = u->pool;
        AshDep dep;
        if (ash_dep_parse(what, &dep) < 0)
                return;
        /* The same name in other versions. */
        if (dep.flags & ASH_DEP_COMPARE) {
                Id name = pool_strn2id(pool, dep.name.ptr, (unsigned) dep.name.len, 0), p, pp;
                _str_ AshStr have = {};
                unsigned n = 0;
                if (name)
                        FOR_PROVIDES(p, pp, name)
                                if (n++ < 4)
                                        ash_str_appendf(&have, "%s%s", have.len ? ", " : "", pool_solvid2str(pool, p));
                if (have.len) {
                        ash_hint(diags, "there is %s%s", have.ptr, n > 4 ? " and more" : "");
                        return;
                }
        }
        Near near = { .best = (unsigned) (dep.name.len / 3) + 1 };
        Id p, *provided;
        FOR_POOL_SOLVABLES(p)
                look_near(&near, u, dep.name, pool_id2solvable(pool, p)->name);
        /* What a package is called elsewhere is a name that it provides. */
        FOR_POOL_SOLVABLES(p) {
                Solvable *s = pool_id2solvable(pool, p);
                for (provided = s->provides ? s->repo->idarraydata + s->provides : NULL; provided && *provided; provided++)
                        look_near(&near, u, dep.name, *provided);
        }
        if (near.found)
                ash_hint(diags, "did you mean '%s'?", pool_id2str(pool, near.found));
}

/* Rules of one problem, most telling first. */
static int weight(SolverRuleinfo type) {
        switch (type) {
        case SOLVER_RULE_PKG_NOTHING_PROVIDES_DEP: return 0;
        case SOLVER_RULE_JOB_NOTHING_PROVIDES_DEP: return 1;
        case SOLVER_RULE_JOB_UNKNOWN_PACKAGE: return 1;
        case SOLVER_RULE_PKG_NOT_INSTALLABLE: return 2;
        case SOLVER_RULE_BLACK: return 2;
        case SOLVER_RULE_PKG_CONFLICTS: return 3;
        case SOLVER_RULE_PKG_SELF_CONFLICT: return 3;
        case SOLVER_RULE_PKG_OBSOLETES: return 4;
        case SOLVER_RULE_PKG_SAME_NAME: return 5;
        case SOLVER_RULE_BEST: return 6;
        case SOLVER_RULE_PKG_REQUIRES: return 7;
        case SOLVER_RULE_JOB: return 9;
        default: return 8;
        }
}

typedef struct Fact {
        SolverRuleinfo type;
        Id from, to, dep, rule;
} Fact;

static void describe(Pool *pool, const Fact *f, AshStr *out) {
        _free_ char *from = ash_strdup(nevra(pool, f->from)), *to = ash_strdup(nevra(pool, f->to)), *dep = ash_strdup(f->dep ? pool_dep2str(pool, f->dep) : "");
        switch (f->type) {
        case SOLVER_RULE_PKG_NOTHING_PROVIDES_DEP: ash_str_appendf(out, "nothing provides '%s', which %s requires", dep, from); break;
        case SOLVER_RULE_PKG_REQUIRES: ash_str_appendf(out, "%s requires '%s'", from, dep); break;
        case SOLVER_RULE_PKG_CONFLICTS: ash_str_appendf(out, "%s conflicts with %s (by '%s')", from, to, dep); break;
        case SOLVER_RULE_PKG_SELF_CONFLICT: ash_str_appendf(out, "%s conflicts with '%s', which it provides itself", from, dep); break;
        case SOLVER_RULE_PKG_OBSOLETES: ash_str_appendf(out, "%s obsoletes %s (by '%s')", from, to, dep); break;
        case SOLVER_RULE_PKG_SAME_NAME: ash_str_appendf(out, "%s and %s cannot be there together: one name, two versions", from, to); break;
        case SOLVER_RULE_PKG_NOT_INSTALLABLE: ash_str_appendf(out, "%s cannot be installed on this architecture, or is excluded", from); break;
        case SOLVER_RULE_BLACK: ash_str_appendf(out, "%s is excluded", from); break;
        case SOLVER_RULE_BEST: ash_str_appendf(out, "the newest candidate of '%s' cannot be had", dep[0] ? dep : from); break;
        case SOLVER_RULE_JOB_NOTHING_PROVIDES_DEP: case SOLVER_RULE_JOB_UNKNOWN_PACKAGE: ash_str_appendf(out, "nothing provides '%s'", dep); break;
        default: ash_str_appendf(out, "%s", f->dep ? dep : from); break;
        }
}

static const AshRequest *request_of(const AshSolveProblems *p, Id rule) {
        Id what, how = solver_rule2job(p->solver, rule, &what);
        for (int i = 0; how && i < p->jobs->count; i += 2)
                if (p->jobs->elements[i] == how && p->jobs->elements[i + 1] == what)
                        return &p->requests[p->job_request[i / 2]];
        return NULL;
}

static int by_weight(const void *a, const void *b) {
        const Fact *x = a, *y = b;
        int c = weight(x->type) - weight(y->type);
        return c ? c : x->rule - y->rule;
}

/* Names what was asked for, in the order in which it was. */
static void note_requests(const AshSolveProblems *p, const Queue *rules) {
        ASH_ARRAY(const AshRequest *) asked = {};
        for (int i = 0; i < rules->count; i++) {
                const AshRequest *request = request_of(p, rules->elements[i]);
                size_t at = 0;
                while (at < asked.n && asked.items[at] < request)
                        at++;
                if (!request || (at < asked.n && asked.items[at] == request))
                        continue;
                ash_array_push(&asked, NULL);
                memmove(asked.items + at + 1, asked.items + at, (asked.n - 1 - at) * sizeof *asked.items);
                asked.items[at] = request;
        }
        ash_array_foreach(&asked, request)
                ash_note(p->diags, (*request)->at, "'%.*s' is asked for", ASH_F((*request)->what));
        ash_array_done(&asked);
}

/* libsolv orders the rules of a problem as it met them; sorted here so that the words do not depend on that. */
static void explain(const AshSolveProblems *p, Id problem) {
        Pool *pool = p->u->pool;
        ASH_ARRAY(Fact) facts = {};
        Queue rules;
        queue_init(&rules);
        solver_findallproblemrules(p->solver, problem, &rules);
        AshSpan at = ASH_NOWHERE;
        for (int i = 0; i < rules.count; i++) {
                Fact f = { .rule = rules.elements[i] };
                f.type = solver_ruleinfo(p->solver, f.rule, &f.from, &f.to, &f.dep);
                const AshRequest *request = f.type == SOLVER_RULE_JOB ? request_of(p, f.rule) : NULL;
                if (request && !at.source)
                        at = request->at;
                ash_array_push(&facts, f);
        }
        if (facts.n)
                qsort(facts.items, facts.n, sizeof *facts.items, by_weight);
        _str_ AshStr text = {};
        if (facts.n)
                describe(pool, &facts.items[0], &text);
        ash_fail(p->diags, -ASH_ERR_UNSOLVABLE, at, "%s", text.len ? text.ptr : "the requests contradict each other");
        for (size_t i = 1; i < facts.n && i < 12; i++) {
                const Fact *f = &facts.items[i];
                if (f->type == SOLVER_RULE_JOB)
                        continue;
                ash_str_clear(&text);
                describe(pool, f, &text);
                ash_note(p->diags, ASH_NOWHERE, "%s", text.ptr);
        }
        note_requests(p, &rules);
        if (facts.n && weight(facts.items[0].type) <= 1 && facts.items[0].dep) {
                _free_ char *dep = ash_strdup(pool_dep2str(pool, facts.items[0].dep));
                ash_solve_hint_near(p->u, ash_slice_str(dep), p->diags);
        }
        queue_free(&rules);
        ash_array_done(&facts);
}

void ash_solve_explain(const AshSolveProblems *p) {
        for (unsigned i = 1; i <= solver_problem_count(p->solver); i++)
                explain(p, (Id) i);
}
