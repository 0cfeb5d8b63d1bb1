/* The solver's answer over the part of an index that requests can reach is the answer over the whole universe: compared over many random requests.
 * Without arguments: over random universes. PROJECT: over its apt upstream, the whole archive; exit status 77 when that cannot be had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>
#include "flow-upstream.h"

typedef struct Count {
        unsigned solved, unsolvable, whole, wrong;
        size_t chosen, reached, of;
} Count;

static uint64_t state;
static unsigned random_below(unsigned n) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return (unsigned) ((state >> 33) % n);
}
static bool one_in(unsigned n) { return random_below(n) == 0; }

/* ---- comparing ---- */
typedef struct World {
        AshArena *arena;
        AshUniverse *u, *indexed;    /* all; and without what stands beside the index */
        ASH_ARRAY(AshPackage) own;
        const char *own_name;        /* NULL: nothing does */
        int own_priority;
        AshStr bytes;
        AshIndex *index;
        AshPkgIds all;
} World;

static void world_index(World *w) {
        assert_int_equal(ash_universe_write_index(w->indexed ? w->indexed : w->u, &w->bytes), 0);
        assert_int_equal(ash_index_open(ash_str_slice(&w->bytes), &w->index), 0);
        ash_universe_by_name(w->u, ASH_S("*"), &w->all);
}

static void world_done(World *w) {
        ash_index_free(w->index);
        ash_str_done(&w->bytes);
        ash_pkgids_done(&w->all);
        ash_universe_free(w->u);
        ash_universe_free(w->indexed);
        ash_array_done(&w->own);
        ash_arena_free(w->arena);
}

static void dump(const AshPkgSet *set, int r, AshStr *out) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        if (r < 0)
                ash_str_append_str(out, "unsolvable\n");
        for (size_t i = 0; r >= 0 && i < set->n; i++) {
                const AshChosen *c = &set->items[i];
                ash_str_appendf(out, "%.*s of %.*s, %s %u by %.*s, at %.*s %.*s %llu %llu %llu:", ASH_F(ash_package_nevra(c->package, arena)), ASH_F(c->origin), ash_reason_kind_name(c->reason), c->because, ASH_F(c->dep),
                                ASH_F(c->package->location), ASH_F(c->package->sha256), (unsigned long long) c->package->size, (unsigned long long) c->package->installed_size,
                                (unsigned long long) c->package->build_time);
                for (int kind = 0; kind < ASH_DEP_MAX_; kind++)
                        for (size_t k = 0; k < c->package->deps[kind].n; k++) {
                                ash_str_appendf(out, " %c ", ash_dep_kind_name(kind)[0]);
                                ash_dep_format(&c->package->deps[kind].items[k], out);
                        }
                ash_str_append_char(out, '\n');
        }
}

static void compare(World *w, const AshRequest *requests, size_t n, const AshSolveOptions *options, Count *count) {
        _cleanup_(ash_universe_free_p) AshUniverse *part = NULL;
        _cleanup_(ash_pkgset_free_p) AshPkgSet *a = NULL, *b = NULL;
        _str_ AshStr want = {}, got = {};
        _cleanup_(ash_own_free_p) AshOwn *beside = ash_own_new(w->own.items, w->own.n);
        AshIndexOwn own = { w->own_name, w->own_priority, beside };
        int r = ash_index_part(w->index, "x86_64", requests, n, w->own_name ? &own : NULL, &part);
        int whole = ash_solve(w->u, requests, n, options, &a, NULL);
        if (r < 0) {
                assert_int_equal(r, -ENODATA);
                count->whole++;
                return;
        }
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        int parted = ash_solve(part, requests, n, options, &b, diags);
        dump(a, whole, &want);
        dump(b, parted, &got);
        count->solved += whole >= 0;
        count->unsolvable += whole < 0;
        count->chosen += whole >= 0 ? a->n : 0;
        count->reached += ash_universe_n(part);
        count->of += w->all.ids.n;
        if (strcmp(want.ptr ? want.ptr : "", got.ptr ? got.ptr : "") == 0)
                return;
        count->wrong++;
        for (size_t i = 0; i < n; i++)
                fprintf(stderr, "%s %.*s\n", (const char *[]){ "install", "exclude", "keep", "prefer" }[requests[i].job], ASH_F(requests[i].what));
        for (size_t i = 0; i < ash_diags_n(diags); i++)
                fprintf(stderr, "%s\n", ash_diags_at(diags, i)->text);
        fprintf(stderr, "weak %d best %d\n--- over the whole\n%s--- over the part\n%s", options->weak, options->best, want.ptr, got.ptr);
}

/* ---- requests ---- */
static AshSlice any_name(World *w, AshArena *arena) {
        const AshPackage *p = ash_universe_package(w->u, w->all.ids.items[random_below((unsigned) w->all.ids.n)], arena);
        const AshDeps *provides = &p->deps[ASH_DEP_PROVIDES];
        switch (random_below(14)) {
        case 0: return ash_package_nevra(p, arena);
        case 1: return ash_slice_str(ash_arena_printf(arena, "%.*s.%.*s", ASH_F(p->name), ASH_F(p->arch)));
        case 2: return ash_slice_str(ash_arena_printf(arena, "%.*s = %u:%.*s-%.*s", ASH_F(p->name), p->epoch, ASH_F(p->version), ASH_F(p->release)));
        case 3: return ash_slice_str(ash_arena_printf(arena, "%.*s >= %u:%.*s", ASH_F(p->name), p->epoch, ASH_F(p->version)));
        case 4: return provides->n ? provides->items[random_below((unsigned) provides->n)].name : p->name;
        case 5: return ash_slice_str(ash_arena_printf(arena, "%.*s-%.*s", ASH_F(p->name), ASH_F(p->version)));
        case 6: return one_in(4) ? ash_slice_str(ash_arena_printf(arena, "%.*s?", ASH_F(ash_slice(p->name.ptr, p->name.len - 1)))) : p->name;
        case 7: return one_in(4) ? ash_slice_str(ash_arena_printf(arena, "(%.*s or %.*s)", ASH_F(p->name), ASH_F(any_name(w, arena)))) : p->name;
        case 8: return one_in(6) ? ASH_S("nothing-is-called-so") : p->name;
        default: return p->name;
        }
}

static void random_solve(World *w, Count *count) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshRequest requests[24] = {};
        size_t n = 1 + random_below(8);
        for (size_t i = 0; i < n; i++)
                requests[i] = (AshRequest){ .what = any_name(w, arena), .job = ASH_REQUEST_INSTALL, .reason = ASH_REASON_USER, .ahead = one_in(3), .optional = one_in(10) };
        for (unsigned more = one_in(3) ? random_below(8) : 0; more; more--) {
                const AshPackage *p = ash_universe_package(w->u, w->all.ids.items[random_below((unsigned) w->all.ids.n)], arena);
                requests[n++] = (AshRequest){ .what = ash_package_nevra(p, arena), .job = ASH_REQUEST_PREFER, .origin = one_in(2) ? ASH_S("repo0") : ASH_NOSLICE };
        }
        for (unsigned more = random_below(8); more > 4 && n < ASH_N(requests); more--)
                requests[n++] = (AshRequest){ .what = any_name(w, arena), .job = one_in(2) ? ASH_REQUEST_EXCLUDE : ASH_REQUEST_KEEP };
        compare(w, requests, n, &(AshSolveOptions){ .weak = one_in(2), .best = one_in(5) }, count);
}

/* ---- random universes ---- */
enum { NAMES = 60 };
static bool sparse;              /* few relations, and none with a condition */

static AshSlice simple(AshArena *arena) {
        switch (random_below(10)) {
        case 0: return ash_slice_str(ash_arena_printf(arena, "v%u", random_below(12)));
        case 1: return ash_slice_str(ash_arena_printf(arena, "v%u >= %u", random_below(12), random_below(4)));
        case 2: return ash_slice_str(ash_arena_printf(arena, "p%u >= %u", random_below(NAMES), 1 + random_below(3)));
        case 3: return ash_slice_str(ash_arena_printf(arena, "p%u < %u", random_below(NAMES), 2 + random_below(3)));
        case 4: return ash_slice_str(ash_arena_printf(arena, "/usr/bin/f%u", random_below(30)));
        default: return ash_slice_str(ash_arena_printf(arena, "p%u", random_below(NAMES)));
        }
}

static AshSlice dependency(AshArena *arena) {
        static const char *const joins[] = { "or", "or", "and", "if", "unless", "with", "without" };
        if (!one_in(4))
                return simple(arena);
        const char *join = joins[random_below(sparse ? 3 : ASH_N(joins))];
        AshSlice a = simple(arena), b = simple(arena);
        if ((join[0] == 'i' || join[0] == 'u') && one_in(2))
                return ash_slice_str(ash_arena_printf(arena, "(%.*s %s %.*s else %.*s)", ASH_F(a), join, ASH_F(b), ASH_F(simple(arena))));
        return ash_slice_str(ash_arena_printf(arena, "(%.*s %s %.*s)", ASH_F(a), join, ASH_F(b)));
}

static void add_deps(AshPackage *p, AshDepKind kind, unsigned n, AshSlice (*make)(AshArena *), AshArena *arena) {
        p->deps[kind] = (AshDeps){ ash_arena_new_items(arena, AshDep, n + 1), 0 };
        for (unsigned i = 0; i < n; i++)
                if (ash_dep_parse(make(arena), &p->deps[kind].items[p->deps[kind].n]) >= 0)
                        p->deps[kind].n++;
}

static AshSlice virtual_name(AshArena *arena) {
        return ash_slice_str(one_in(2) ? ash_arena_printf(arena, "v%u = %u", random_below(12), random_below(4)) : ash_arena_printf(arena, "v%u", random_below(12)));
}

static void random_package(World *w, bool own, unsigned name) {
        AshArena *arena = w->arena;
        static const char *const arches[] = { "x86_64", "x86_64", "x86_64", "noarch", "i686", "aarch64" };
        AshPackage p = { .name = ash_slice_str(ash_arena_printf(arena, "p%u", name)), .version = ash_slice_str(ash_arena_printf(arena, "%u", 1 + random_below(4))), .release = ASH_S("1"),
                         .arch = ash_slice_str(arches[random_below(ASH_N(arches))]), .size = random_below(1000), .location = ash_slice_str(ash_arena_printf(arena, "l/%u", random_below(1000))) };
        add_deps(&p, ASH_DEP_REQUIRES, random_below(sparse ? 2 : 3), dependency, arena);
        add_deps(&p, ASH_DEP_PROVIDES, random_below(3), virtual_name, arena);
        add_deps(&p, ASH_DEP_RECOMMENDS, sparse ? one_in(8) : random_below(2), dependency, arena);
        add_deps(&p, ASH_DEP_CONFLICTS, one_in(5), dependency, arena);
        add_deps(&p, ASH_DEP_OBSOLETES, one_in(8), simple, arena);
        add_deps(&p, ASH_DEP_SUPPLEMENTS, one_in(sparse ? 60 : 8), dependency, arena);
        add_deps(&p, ASH_DEP_SUGGESTS, one_in(6), simple, arena);
        add_deps(&p, ASH_DEP_ENHANCES, one_in(sparse ? 60 : 8), simple, arena);
        AshSlice *files = ash_arena_new_items(arena, AshSlice, 2);
        p.files = files;
        for (; p.n_files < 2 && one_in(2); p.n_files++)
                files[p.n_files] = ash_slice_str(ash_arena_printf(arena, "/usr/bin/f%u", random_below(30)));
        ash_universe_add_package(w->u, &p);
        if (own)
                ash_array_push(&w->own, p);
        else
                ash_universe_add_package(w->indexed, &p);
}

static void random_world(uint64_t seed, World *w) {
        state = seed * 0x9e3779b97f4a7c15u + 1;
        *w = (World){ .arena = ash_arena_new(), .u = ash_universe_new("x86_64"), .indexed = ash_universe_new("x86_64") };
        unsigned repos = 1 + random_below(3), per_name = 1 + random_below(3);
        for (unsigned repo = 0; repo < repos; repo++) {
                const char *called = ash_arena_printf(w->arena, "repo%u", repo);
                int priority = one_in(2) ? 0 : (int) random_below(3);
                bool own = repo && repo + 1 == repos && one_in(2);
                ash_universe_add_repo(w->u, called, priority);
                if (own)
                        w->own_name = called, w->own_priority = priority;
                else
                        ash_universe_add_repo(w->indexed, called, priority);
                for (unsigned name = 0; name < NAMES; name++)
                        for (unsigned k = random_below(per_name + 1); k > 0; k--)
                                random_package(w, own, name);
        }
        world_index(w);
}

static void test_random(void **unused) {
        (void) unused;
        Count count = {};
        for (uint64_t seed = 0; seed < 240; seed++) {
                World w __attribute__((__cleanup__(world_done)));
                random_world(seed, &w);
                for (unsigned i = 0; i < 40 && w.all.ids.n; i++)
                        random_solve(&w, &count);
        }
        assert_int_equal(count.wrong, 0);
        assert_true(count.solved > 300);
        assert_true(count.unsolvable > 100);
}

static AshPackage of(const char *name, const char *version) { return (AshPackage){ .name = ash_slice_str(name), .version = ash_slice_str(version), .release = ASH_S("1"), .arch = ASH_S("noarch") }; }

/* ---- what can matter ---- */
static int solve_beside(World *w, const AshOwn *own, const AshRequest *requests, size_t n, AshStr *out) {
        _cleanup_(ash_universe_free_p) AshUniverse *part = NULL;
        _cleanup_(ash_pkgset_free_p) AshPkgSet *set = NULL;
        AshIndexOwn beside = { w->own_name, w->own_priority, own };
        int r = ash_index_part(w->index, "x86_64", requests, n, &beside, &part);
        if (r < 0)
                return r;
        int solved = ash_solve(part, requests, n, &(AshSolveOptions){ .weak = one_in(2) }, &set, NULL);
        dump(set, solved, out);
        return 0;
}

static int reach(World *w, const AshOwn *own, const AshRequest *requests, size_t n, uint8_t digest[static 32]) {
        _cleanup_(ash_reach_free_p) AshReach *r = ash_reach_new(w->index, own);
        AshSlice texts[24], more[] = { ASH_S("p1"), ASH_S("v2") };
        uint8_t other[32];
        for (size_t i = 0; i < n; i++)
                texts[i] = requests[i].what;
        if (one_in(2)) /* what was asked before makes no difference */
                ash_reach_digest(r, more, ASH_N(more), other);
        return ash_reach_digest(r, texts, n, digest);
}

/* One of the packages beside the index is gone, another one, or new. */
static void change_one(World *w, AshPackage *packages, size_t *n) {
        unsigned i = random_below((unsigned) *n);
        AshPackage *p = &packages[i];
        switch (random_below(4)) {
        case 0: memmove(p, p + 1, (--*n - i) * sizeof *p); break;
        case 1: p->sha256 = ASH_S("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"); break;
        case 2: p->sha256 = ASH_S("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde0"); add_deps(p, one_in(2) ? ASH_DEP_REQUIRES : ASH_DEP_PROVIDES, 1, simple, w->arena); break;
        default:
                memmove(p + 1, p, ((*n)++ - i) * sizeof *p);
                p->name = ash_slice_str(ash_arena_printf(w->arena, "p%u", random_below(NAMES + 10)));
                p->location = ash_slice_str(ash_arena_printf(w->arena, "new/%u", random_below(1000)));
        }
}

typedef struct ReachCount {
        unsigned same, other, wrong, unknown, needless;
} ReachCount;

static void compare_reach(World *w, ReachCount *count) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _free_ AshPackage *changed = ash_calloc(w->own.n + 2, sizeof *changed);
        size_t n_changed = w->own.n, n = 1 + random_below(4);
        AshRequest requests[24] = {};
        uint8_t before[32], after[32];
        memcpy(changed, w->own.items, w->own.n * sizeof *changed);
        for (size_t i = 0; i < n; i++)
                requests[i] = (AshRequest){ .what = one_in(6) ? dependency(arena) : any_name(w, arena), .job = one_in(8) ? ASH_REQUEST_EXCLUDE : ASH_REQUEST_INSTALL, .optional = one_in(3) };
        change_one(w, changed, &n_changed);
        _cleanup_(ash_own_free_p) AshOwn *a = ash_own_new(w->own.items, w->own.n), *b = ash_own_new(changed, n_changed);
        if (reach(w, a, requests, n, before) < 0 || reach(w, b, requests, n, after) < 0) {
                count->unknown++;
                return;
        }
        bool same = !memcmp(before, after, sizeof before);
        _str_ AshStr x = {}, y = {};
        uint64_t seed = state;
        if (solve_beside(w, a, requests, n, &x) < 0)
                return;
        state = seed;
        if (solve_beside(w, b, requests, n, &y) < 0)
                return;
        bool differ = !ash_slice_eq(ash_str_slice(&x), ash_str_slice(&y));
        count->same += same;
        count->other += !same;
        count->needless += !same && !differ;
        count->wrong += same && differ;
        if (same && differ)
                for (size_t i = 0; i < n; i++)
                        fprintf(stderr, "%d %.*s\n--- before\n%s--- after\n%s", (int) requests[i].job, ASH_F(requests[i].what), x.ptr, y.ptr);
}

/* Where the digests are the same the answers are, whatever changed beside the index; and they are not always others. */
static void test_reach(void **unused) {
        (void) unused;
        ReachCount count = {};
        for (uint64_t seed = 1000; seed < 1400; seed++) {
                World w __attribute__((__cleanup__(world_done)));
                sparse = seed % 4;
                random_world(seed, &w);
                sparse = false;
                for (unsigned i = 0; i < 40 && w.own.n && w.all.ids.n; i++)
                        compare_reach(&w, &count);
        }
        printf("the same %u, others %u (answers differ in %u of them), not to be told %u\n", count.same, count.other, count.other - count.needless, count.unknown);
        assert_int_equal(count.wrong, 0);
        assert_true(count.same > 100);
        assert_true(count.other - count.needless > 30);
}


/* Each of n packages beside an index requires one of half its number. Steps that questions about each of them take; and what a solve for the last one is given. */
static size_t work_for(unsigned n, size_t *ret_part) {
        World w __attribute__((__cleanup__(world_done))) = { .arena = ash_arena_new(), .u = ash_universe_new("x86_64") };
        AshPackage base = of("base", "1");
        ash_universe_add_repo(w.u, "repo", 0);
        ash_universe_add_package(w.u, &base);
        world_index(&w);
        AshPackage *packages = ash_arena_new_items(w.arena, AshPackage, n);
        for (unsigned i = 0; i < n; i++) {
                packages[i] = of(ash_arena_printf(w.arena, "own%u", i), "1");
                add_deps(&packages[i], ASH_DEP_REQUIRES, 2, simple, w.arena);
                packages[i].deps[ASH_DEP_REQUIRES].items[0] = (AshDep){ .name = ASH_S("base") };
                packages[i].deps[ASH_DEP_REQUIRES].items[1] = (AshDep){ .name = ash_slice_str(ash_arena_printf(w.arena, "own%u", i / 2)) };
                packages[i].deps[ASH_DEP_REQUIRES].n = 2;
        }
        _cleanup_(ash_own_free_p) AshOwn *own = ash_own_new(packages, n);
        _cleanup_(ash_reach_free_p) AshReach *r = ash_reach_new(w.index, own);
        uint8_t digest[32];
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(ash_reach_digest(r, &packages[i].name, 1, digest), 0);
        _cleanup_(ash_universe_free_p) AshUniverse *part = NULL;
        AshRequest request = { .what = packages[n - 1].name, .job = ASH_REQUEST_INSTALL };
        assert_int_equal(ash_index_part(w.index, "x86_64", &request, 1, &(AshIndexOwn){ "own", 0, own }, &part), 0);
        *ret_part = ash_universe_n(part);
        return ash_reach_work(r);
}

/* All the questions about a tree of twice the size take twice the steps, and one solve no more than it can reach. */
static void test_work(void **unused) {
        (void) unused;
        size_t part, twice_part, work = work_for(2000, &part), twice = work_for(4000, &twice_part);
        assert_true(work >= 2000);
        assert_true(twice <= work * 2 + work / 10);
        assert_int_equal(part, 13); /* base, and own1999, own999, ..., own1, own0 */
        assert_int_equal(twice_part, 14);
}

static const AshSlice *version_of(const AshPkgSet *set, const char *name) {
        for (size_t i = 0; i < set->n; i++)
                if (ash_slice_eqs(set->items[i].package->name, name))
                        return &set->items[i].package->version;
        return NULL;
}

/* What is preferred is there although a repository of a higher priority has another one, unless somebody who asks goes ahead, or something that is asked for stands against it. */
static void test_prefer(void **unused) {
        (void) unused;
        static const struct { bool ahead; const char *more, *origin, *tool, *lib; } cases[] = {
                { false, NULL, "low", "1", "1" },       { false, NULL, "high", "2", NULL },  { false, "tool", "low", "1", "1" }, { true, "tool", "low", "2", "1" },
                { true, "tool = 1", "low", "1", "1" }, { true, "enemy", "low", "2", "1" }, { false, "optional", "low", "1", "1" },
        };
        _cleanup_(ash_universe_free_p) AshUniverse *u = ash_universe_new("x86_64");
        AshDep lib = { .name = ASH_S("lib") }, against = { .name = ASH_S("tool"), .flags = ASH_DEP_LT, .evr = ASH_S("2") };
        AshPackage low = of("tool", "1"), high = of("tool", "2"), library = of("lib", "1"), enemy = of("enemy", "1");
        low.deps[ASH_DEP_REQUIRES] = (AshDeps){ &lib, 1 };
        enemy.deps[ASH_DEP_CONFLICTS] = (AshDeps){ &against, 1 };
        ash_universe_add_repo(u, "low", 0);
        ash_universe_add_package(u, &low);
        ash_universe_add_package(u, &library);
        ash_universe_add_package(u, &enemy);
        ash_universe_add_repo(u, "high", 5);
        ash_universe_add_package(u, &high);
        for (size_t i = 0; i < ASH_N(cases); i++) {
                _cleanup_(ash_pkgset_free_p) AshPkgSet *set = NULL;
                AshRequest requests[] = {
                        { .what = ASH_S("tool"), .job = ASH_REQUEST_INSTALL },
                        { .what = ASH_S("tool-1-1.noarch"), .job = ASH_REQUEST_PREFER, .origin = ash_slice_str(cases[i].origin) },
                        { .what = ASH_S("lib-1-1.noarch"), .job = ASH_REQUEST_PREFER, .origin = ash_slice_str(cases[i].origin) },
                        { .what = ash_slice_str(cases[i].more ? cases[i].more : "tool"), .job = ASH_REQUEST_INSTALL, .ahead = cases[i].ahead, .optional = cases[i].more && !strcmp(cases[i].more, "optional") },
                };
                assert_int_equal(ash_solve(u, requests, ASH_N(requests), &(AshSolveOptions){}, &set, NULL), 0);
                const AshSlice *tool = version_of(set, "tool"), *l = version_of(set, "lib");
                assert_true(tool && ash_slice_eqs(*tool, cases[i].tool));
                assert_int_equal(l != NULL, cases[i].lib != NULL);
        }
}

/* Deeper than names are followed: asked of the whole, and no dependency is missed. */
static void test_deep(void **unused) {
        (void) unused;
        for (unsigned depth = 50; depth <= 400; depth += 350) {
                World w __attribute__((__cleanup__(world_done))) = { .arena = ash_arena_new(), .u = ash_universe_new("x86_64") };
                _str_ AshStr text = {};
                for (unsigned i = 0; i < depth; i++)
                        ash_str_append_char(&text, '(');
                ash_str_append_str(&text, "deep");
                for (unsigned i = 0; i < depth; i++)
                        ash_str_append_str(&text, i % 2 ? " or near)" : " and near)");
                AshDep requires = { .name = ash_str_slice(&text) };
                AshPackage p = { .name = ASH_S("top"), .version = ASH_S("1"), .release = ASH_S("1"), .arch = ASH_S("noarch"), .deps[ASH_DEP_REQUIRES] = { &requires, 1 } };
                ash_universe_add_repo(w.u, "repo", 0);
                ash_universe_add_package(w.u, &p);
                p = (AshPackage){ .name = ASH_S("deep"), .version = ASH_S("1"), .release = ASH_S("1"), .arch = ASH_S("noarch") };
                ash_universe_add_package(w.u, &p);
                p.name = ASH_S("near");
                ash_universe_add_package(w.u, &p);
                world_index(&w);
                _cleanup_(ash_universe_free_p) AshUniverse *part = NULL;
                AshRequest request = { .what = ASH_S("top"), .job = ASH_REQUEST_INSTALL };
                assert_int_equal(ash_index_part(w.index, "x86_64", &request, 1, NULL, &part), depth > 200 ? -ENODATA : 0);
        }
}

static void test_damaged(void **unused) {
        (void) unused;
        World w __attribute__((__cleanup__(world_done)));
        random_world(7, &w);
        AshIndex *index = NULL;
        for (size_t len = 0; len < w.bytes.len; len += 1 + w.bytes.len / 50)
                assert_true(ash_index_open(ash_slice(w.bytes.ptr, len), &index) < 0);
        w.bytes.ptr[3] ^= 1;
        assert_true(ash_index_open(ash_str_slice(&w.bytes), &index) < 0);
}

/* ---- a whole archive ---- */
static int open_archive(const char *project, World *w, AshDiags *diags) {
        AshFlow flow = { .diags = diags };
        AshFlowUpstream *u = NULL;
        int r = ash_config_load(project, 0, &flow.config, diags);
        if (r >= 0)
                r = ash_store_open(getenv("ASHLAR_STORE"), &flow.store, diags);
        if (r >= 0)
                r = ash_flow_upstream_open(&flow, ash_config_upstream(flow.config, ASH_NOSLICE), ASH_S("x86_64"), NULL, &u);
        *w = (World){ .arena = ash_arena_new(), .u = ash_universe_new("x86_64") };
        if (r >= 0)
                r = ash_flow_upstream_add(u, "apt", w->u);
        ash_flow_upstream_free(u);
        ash_store_free(flow.store);
        ash_config_free(flow.config);
        return r;
}

static int compare_archive(const char *project, unsigned runs) {
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        World w __attribute__((__cleanup__(world_done))) = {};
        Count count = {};
        int r = open_archive(project, &w, diags);
        if (r < 0) {
                print_message("no archive to be had: %s\n", ash_strerror(r));
                return 77;
        }
        world_index(&w);
        for (unsigned i = 0; i < runs; i++)
                random_solve(&w, &count);
        print_message("%zu packages, %zu MB of index, %u solved alike (%zu packages chosen), %u alike unsolvable, %u for the whole universe only, %u different; a part has %zu %% of the packages\n", w.all.ids.n,
                      w.bytes.len >> 20, count.solved, count.chosen, count.unsolvable, count.whole, count.wrong, count.of ? 100 * count.reached / count.of : 0);
        return count.wrong || count.solved < runs / 4;
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_random), cmocka_unit_test(test_reach), cmocka_unit_test(test_work), cmocka_unit_test(test_prefer),
                cmocka_unit_test(test_damaged),
                cmocka_unit_test(test_deep),
        };
        uint64_t runs = 400;
        if (argc > 2)
                ash_slice_to_u64(ash_slice_str(argv[2]), 10, &runs);
        if (argc > 1)
                return compare_archive(argv[1], (unsigned) runs);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
