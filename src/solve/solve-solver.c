#include <limits.h>
#include <solv/policy.h>
#include <solv/selection.h>
#include "solve-internal.h"

/* The requests as libsolv's jobs; job_request[i] tells which request pair i of jobs came from. */
typedef struct Jobs {
        Queue jobs;
        ASH_ARRAY(uint32_t) request;
} Jobs;

static void jobs_init(Jobs *j) {
        *j = (Jobs){};
        queue_init(&j->jobs);
}

static void jobs_done(Jobs *j) {
        queue_free(&j->jobs);
        ash_array_done(&j->request);
}

static int select_what(AshUniverse *u, AshSlice what, Queue *selection) {
        _free_ char *text = ash_slice_dup(what);
        int flags = SELECTION_NAME | SELECTION_PROVIDES | SELECTION_GLOB | SELECTION_CANON | SELECTION_DOTARCH | SELECTION_REL;
        if (what.ptr[0] == '(') { /* a rich dependency */
                AshDep dep;
                if (ash_dep_parse(what, &dep) < 0)
                        return 0;
                Id id = ash_universe_dep_id(u, &dep);
                if (!*pool_whatprovides_ptr(u->pool, id))
                        return 0;
                queue_push2(selection, SOLVER_SOLVABLE_PROVIDES, id);
                return 1;
        }
        if (what.ptr[0] == '/')
                flags |= SELECTION_FILELIST;
        return selection_make(u->pool, selection, text, flags);
}

/* Of several candidates those that rank behind the first ones, although something prefers them. */
static void mark_behind(AshUniverse *u, const Queue *selection, Map *behind) {
        Pool *pool = u->pool;
        int highest = INT_MIN;
        for (int round = 0; round < 2; round++)
                for (int i = 0; i < selection->count; i += 2) {
                        Id p, pp, select = selection->elements[i] & SOLVER_SELECTMASK, what = selection->elements[i + 1];
                        FOR_JOB_SELECT(p, pp, select, what) {
                                int priority = pool_id2solvable(pool, p)->repo->priority;
                                if (round == 0)
                                        highest = ASH_MAX(highest, priority);
                                else if (priority < highest)
                                        MAPSET(behind, p);
                        }
                }
}

static void add_preferred(AshUniverse *u, Jobs *j, const AshRequest *request, uint32_t index, const Map *behind) {
        Queue selection, packages;
        queue_init(&selection);
        queue_init(&packages);
        if (select_what(u, request->what, &selection))
                selection_solvables(u->pool, &selection, &packages);
        for (int i = 0; i < packages.count; i++) {
                Id p = packages.elements[i];
                if (MAPTST(behind, p) || (request->origin.len && !ash_slice_eqs(request->origin, pool_id2solvable(u->pool, p)->repo->name)))
                        continue;
                queue_push2(&j->jobs, SOLVER_SOLVABLE | SOLVER_INSTALL | SOLVER_WEAK, p);
                ash_array_push(&j->request, index);
        }
        queue_free(&selection);
        queue_free(&packages);
}

static int add_request(AshUniverse *u, Jobs *j, const AshRequest *request, uint32_t index, Map *behind, AshDiags *diags) {
        static const Id actions[] = { [ASH_REQUEST_INSTALL] = SOLVER_INSTALL, [ASH_REQUEST_EXCLUDE] = SOLVER_BLACKLIST, [ASH_REQUEST_KEEP] = SOLVER_FAVOR };
        Queue selection;
        int r = 0;
        if (!request->what.len)
                return ash_fail(diags, -ASH_ERR_UNSOLVABLE, request->at, "an empty package name");
        queue_init(&selection);
        if (!select_what(u, request->what, &selection) || !selection.count) {
                if (request->job == ASH_REQUEST_INSTALL && !request->optional) {
                        r = ash_fail(diags, -ASH_ERR_UNSOLVABLE, request->at, "no package is called or provides '%.*s'", ASH_F(request->what));
                        ash_solve_hint_near(u, request->what, diags);
                }
        } else
                for (int i = 0; i < selection.count; i += 2) {
                        queue_push2(&j->jobs, selection.elements[i] | actions[request->job], selection.elements[i + 1]);
                        ash_array_push(&j->request, index);
                }
        if (request->job == ASH_REQUEST_INSTALL && request->ahead)
                mark_behind(u, &selection, behind);
        queue_free(&selection);
        return r;
}

/* What is preferred comes last: what is asked for may stand against it. */
static int add_requests(AshUniverse *u, Jobs *j, const AshRequest *requests, size_t n, AshDiags *diags) {
        Map behind;
        int r = 0;
        map_init(&behind, u->pool->nsolvables);
        for (size_t i = 0; i < n; i++) {
                int one = requests[i].job == ASH_REQUEST_PREFER ? 0 : add_request(u, j, &requests[i], (uint32_t) i, &behind, diags);
                r = r < 0 ? r : one;
        }
        for (size_t i = 0; r >= 0 && i < n; i++)
                if (requests[i].job == ASH_REQUEST_PREFER)
                        add_preferred(u, j, &requests[i], (uint32_t) i, &behind);
        map_free(&behind);
        return r;
}

/* ---- why each package is there ---- */
/* Found afterwards by a walk in breadth from what was asked for, through dependencies in their order: the shortest explanation, and the same one
 * whatever order the solver decided in. */
typedef struct Walk {
        AshUniverse *u;
        AshArena *arena;
        AshChosen *items;
        Id *ids;                /* of items */
        size_t n;
        uint32_t *place;        /* solvable id -> index in items, or UINT32_MAX */
        ASH_ARRAY(uint32_t) queue;
} Walk;

static void reach(Walk *w, Id p, AshReasonKind reason, uint32_t because, AshSlice dep) {
        uint32_t i = w->place[p];
        if (i == UINT32_MAX || w->items[i].reason != ASH_REASON_MAX_)
                return;
        w->items[i].reason = reason;
        w->items[i].because = because;
        w->items[i].dep = ash_arena_slice(w->arena, dep);
        ash_array_push(&w->queue, i);
}

/* Every package that may satisfy a part of a dependency: rich ones are taken apart. */
static void reach_dep(Walk *w, Id dep, AshReasonKind reason, uint32_t because, AshSlice text, unsigned depth) {
        Pool *pool = w->u->pool;
        if (depth > 64)
                return;
        if (ISRELDEP(dep)) {
                Reldep *rd = GETRELDEP(pool, dep);
                switch (rd->flags) {
                case REL_AND: case REL_OR: case REL_ELSE:
                        reach_dep(w, rd->name, reason, because, text, depth + 1);
                        reach_dep(w, rd->evr, reason, because, text, depth + 1);
                        return;
                case REL_COND: case REL_UNLESS:
                        reach_dep(w, rd->name, reason, because, text, depth + 1);
                        return;
                default:
                        break;
                }
        }
        Id p, pp;
        FOR_PROVIDES(p, pp, dep)
                reach(w, p, reason, because, text);
}

static void walk_from(Walk *w, uint32_t i, Id key, AshReasonKind reason) {
        Pool *pool = w->u->pool;
        Queue q;
        queue_init(&q);
        solvable_lookup_deparray(pool_id2solvable(pool, w->ids[i]), key, &q, 0);
        for (int k = 0; k < q.count; k++)
                if (q.elements[k] != SOLVABLE_PREREQMARKER) {
                        _free_ char *text = ash_strdup(pool_dep2str(pool, q.elements[k]));
                        reach_dep(w, q.elements[k], reason, i, ash_slice_str(text), 0);
                }
        queue_free(&q);
}

static void find_reasons(Walk *w, const AshRequest *requests, const Jobs *j) {
        Pool *pool = w->u->pool;
        size_t done = 0;
        for (int i = 0; i < j->jobs.count; i += 2) {
                const AshRequest *request = &requests[j->request.items[i / 2]];
                Id p, pp, select = j->jobs.elements[i] & SOLVER_SELECTMASK, what = j->jobs.elements[i + 1];
                if (request->job != ASH_REQUEST_INSTALL)
                        continue;
                FOR_JOB_SELECT(p, pp, select, what) {
                        reach(w, p, request->reason, UINT32_MAX, request->what);
                }
        }
        for (; done < w->queue.n; done++)
                walk_from(w, w->queue.items[done], SOLVABLE_REQUIRES, ASH_REASON_DEPENDENCY);
        for (size_t i = 0; i < w->queue.n; i++) {
                walk_from(w, w->queue.items[i], SOLVABLE_RECOMMENDS, ASH_REASON_WEAK);
                for (; done < w->queue.n; done++)
                        walk_from(w, w->queue.items[done], SOLVABLE_REQUIRES, ASH_REASON_DEPENDENCY);
        }
        for (size_t i = 0; i < w->n; i++) /* supplements: it asked to be there itself */
                if (w->items[i].reason == ASH_REASON_MAX_)
                        reach(w, w->ids[i], ASH_REASON_WEAK, UINT32_MAX, ASH_S("supplements"));
}

static int by_place(const void *a, const void *b, void *data) {
        const AshPackage *const *packages = data;
        const AshPackage *x = packages[*(const uint32_t *) a], *y = packages[*(const uint32_t *) b];
        int c = ash_slice_cmp(x->name, y->name);
        c = c ? c : (x->epoch > y->epoch) - (x->epoch < y->epoch);
        c = c ? c : ash_slice_cmp(x->version, y->version);
        c = c ? c : ash_slice_cmp(x->release, y->release);
        return c ? c : ash_slice_cmp(x->arch, y->arch);
}

static AshPkgSet *make_set(AshUniverse *u, Solver *solver, const AshRequest *requests, const Jobs *j) {
        Pool *pool = u->pool;
        AshArena *arena = ash_arena_new();
        AshPkgSet *set = ash_arena_new_item(arena, AshPkgSet);
        Queue chosen;
        queue_init(&chosen);
        solver_get_decisionqueue(solver, &chosen);
        size_t n = 0;
        for (int i = 0; i < chosen.count; i++)
                if (chosen.elements[i] > 0 && chosen.elements[i] != SYSTEMSOLVABLE)
                        chosen.elements[n++] = chosen.elements[i];
        *set = (AshPkgSet){ .arena = arena, .items = ash_arena_new_items(arena, AshChosen, n), .n = n };
        const AshPackage **packages = ash_arena_new_items(arena, const AshPackage *, n);
        uint32_t *order = ash_arena_new_items(arena, uint32_t, n);
        Walk w = { .u = u, .arena = arena, .items = set->items, .n = n };
        w.ids = ash_arena_new_items(arena, Id, n);
        w.place = ash_malloc((size_t) pool->nsolvables * sizeof *w.place);
        memset(w.place, 0xff, (size_t) pool->nsolvables * sizeof *w.place);
        for (size_t i = 0; i < n; i++) {
                packages[i] = ash_universe_package(u, (uint32_t) chosen.elements[i], arena);
                order[i] = (uint32_t) i;
        }
        qsort_r(order, n, sizeof *order, by_place, packages);
        for (size_t i = 0; i < n; i++) {
                Id id = chosen.elements[order[i]];
                set->items[i] = (AshChosen){
                        .package = packages[order[i]],
                        .origin = ash_arena_slice(arena, ash_universe_origin(u, (uint32_t) id)),
                        .reason = ASH_REASON_MAX_,
                };
                w.ids[i] = id;
                w.place[id] = (uint32_t) i;
        }
        find_reasons(&w, requests, j);
        ash_array_done(&w.queue);
        free(w.place);
        queue_free(&chosen);
        return set;
}

int ash_solve(AshUniverse *u, const AshRequest *requests, size_t n, const AshSolveOptions *options, AshPkgSet **ret, AshDiags *diags) {
        Jobs j __attribute__((__cleanup__(jobs_done)));
        jobs_init(&j);
        ash_universe_prepare(u);
        int r = add_requests(u, &j, requests, n, diags);
        if (r < 0)
                return r;
        Solver *solver = solver_create(u->pool);
        solver_set_flag(solver, SOLVER_FLAG_IGNORE_RECOMMENDED, !options->weak);
        solver_set_flag(solver, SOLVER_FLAG_FOCUS_BEST, 1);
        if (options->best)
                for (int i = 0; i < j.jobs.count; i += 2)
                        if ((j.jobs.elements[i] & SOLVER_JOBMASK) == SOLVER_INSTALL)
                                j.jobs.elements[i] |= SOLVER_FORCEBEST;
        if (solver_solve(solver, &j.jobs) != 0) {
                AshSolveProblems p = { u, solver, requests, &j.jobs, j.request.items, diags };
                ash_solve_explain(&p);
                r = -ASH_ERR_UNSOLVABLE;
        } else
                *ret = make_set(u, solver, requests, &j);
        solver_free(solver);
        return r;
}
