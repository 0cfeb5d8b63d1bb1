#include <stdio.h>
#include <sys/random.h>
#include "flow-built.h"
#include "flow-choice.h"
#include "flow-lock.h"
#include "flow-sets.h"

void ash_flow_lock_result_done(AshFlowLockResult *r) {
        ash_str_done(&r->changes);
        ash_str_done(&r->kept);
}

enum { STANDS_FOR = 1, STANDS_AS };

typedef struct Locker {
        AshFlow *flow;
        const AshFlowLockOptions *o;
        const AshUpstream *upstream;
        AshArena *arena;             /* of the run: universes' answers */
        AshLock *old, *fresh;
        AshFlowSets sets;
        ASH_ARRAY(AshLockPackage) packages;
        ASH_ARRAY(AshLockUpstream) upstreams;
        ASH_ARRAY(AshLockSet) locked;
        AshMap by_nevra;             /* "NEVRA REPOSITORY": is wanted already */
        AshMap locked_nevras;        /* NEVRA -> 1 + index in packages */
        AshFlowBuilt *built;         /* what was built here; NULL: the project offers none of it */
        AshMap built_names;          /* names that it can stand in place of: its own (STANDS_AS), what it provides and obsoletes */
        uint64_t date;
} Locker;

static void locker_done(Locker *l) {
        ash_lock_free_all(l->old);
        ash_lock_free_all(l->fresh);
        ash_flow_sets_done(&l->sets);
        ash_array_done(&l->packages);
        ash_array_done(&l->upstreams);
        ash_array_done(&l->locked);
        ash_map_done(&l->by_nevra);
        ash_map_done(&l->locked_nevras);
        ash_map_done(&l->built_names);
        ash_flow_built_free(l->built);
        ash_arena_free(l->arena);
}

/* --upstream, else the project's default. None at all is a mistake once something needs it: sets may name their own. */
static int choose_upstream(Locker *l, bool needed) {
        AshSlice name = l->o->upstream ? ash_slice_str(l->o->upstream) : ASH_NOSLICE;
        l->upstream = ash_config_upstream(l->flow->config, name);
        if (l->upstream || (!name.len && !needed))
                return 0;
        if (name.len)
                return ash_flow_unknown_upstream(l->flow->config, name, l->flow->diags);
        int r = ash_fail(l->flow->diags, -ASH_ERR_CONFIG, ASH_NOWHERE, "the project has no upstream to take packages from");
        ash_hint(l->flow->diags, "declare one: [upstreams.NAME] with type = \"apt\" or \"rpm-md\"");
        return r;
}

static bool is_to_update(const Locker *l, AshSlice name) {
        if (!l->o->update)
                return false;
        for (size_t i = 0; i < l->o->n_packages; i++)
                if (ash_glob_match(ash_slice_str(l->o->packages[i]), name))
                        return true;
        return l->o->n_packages == 0;
}

/* A name after --update that fits nothing is a slip of the pen. */
static int check_updates(const Locker *l) {
        int r = 0;
        for (size_t k = 0; k < l->o->n_packages; k++) {
                bool found = false;
                for (size_t i = 0; l->old && !found && i < l->old->n_packages; i++) {
                        AshPackage p = {};
                        found = ash_nevra_parse(l->old->packages[i].nevra, &p) >= 0 && ash_glob_match(ash_slice_str(l->o->packages[k]), p.name);
                }
                if (!found)
                        r = ash_fail(l->flow->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "the lock has no package '%s'", l->o->packages[k]);
        }
        return r;
}

static const AshUpstream *components_upstream(const Locker *l) {
        const AshUpstreams *all = &ash_config_project(l->flow->config)->upstreams;
        for (size_t i = 0; i < all->n; i++)
                if (ash_slice_eqs(all->items[i].repo.type.s, "components"))
                        return &all->items[i];
        return NULL;
}

static int know_built(Locker *l) {
        static const AshDepKind kinds[] = { ASH_DEP_PROVIDES, ASH_DEP_OBSOLETES };
        if (!components_upstream(l))
                return 0;
        _free_ char *path = ash_flow_built_path(l->flow->config);
        int r = ash_flow_built_open(path, ASH_NOSLICE, &l->built, l->flow->diags);
        if (r >= 0)
                r = ash_flow_built_load(l->built, l->flow->store, l->flow->diags);
        for (size_t i = 0; r >= 0 && i < l->built->items.n; i++) {
                const AshPackage *p = &l->built->packages[i];
                for (size_t k = 0; k < ASH_N(kinds); k++)
                        for (size_t d = 0; d < p->deps[kinds[k]].n; d++)
                                ash_map_put(&l->built_names, p->deps[kinds[k]].items[d].name, (void *) STANDS_FOR, NULL);
        }
        for (size_t i = 0; r >= 0 && i < l->built->items.n; i++)
                ash_map_put(&l->built_names, l->built->packages[i].name, (void *) STANDS_AS, NULL);
        return r;
}

/* Does the set take what was built here? */
static bool takes_built(const Locker *l, const AshFlowSet *set) {
        const AshUpstream *built = components_upstream(l);
        for (size_t i = 0; built && set->upstreams && i < set->upstreams->n; i++)
                if (ash_slice_eq(set->upstreams->items[i].s, built->repo.name.s))
                        return true;
        return built && l->upstream == built;
}

/* What is locked stays, unless it is to be updated: the solver prefers it when anything needs it. */
static void keep_locked(Locker *l, AshSlice arch, AshFlowSet *set) {
        bool built = takes_built(l, set);
        for (size_t i = 0; l->old && i < l->old->n_packages; i++) {
                AshPackage p = {};
                if (ash_flow_is_built(l->old, &l->old->packages[i])) /* what is built now is what there is */
                        continue;
                if (built && ash_nevra_parse(l->old->packages[i].nevra, &p) >= 0 && ash_map_get(&l->built_names, p.name)) /* and may stand in place of what was locked before it was there */
                        continue;
                if (ash_nevra_parse(l->old->packages[i].nevra, &p) < 0 || is_to_update(l, p.name) || !ash_arch_fits(p.arch, arch))
                        continue;
                ash_array_push(&set->requests, ((AshRequest){ .what = l->old->packages[i].nevra, .job = ASH_REQUEST_KEEP }));
        }
}

static void record_set(Locker *l, const AshFlowSet *set, const AshPkgSet *chosen) {
        AshArena *a = l->fresh->arena;
        AshLockSet *s = ash_array_add(&l->locked);
        *s = (AshLockSet){ .kind = ash_slice_str(set->kind), .name = ash_arena_slice(a, set->name), .arch = ash_arena_slice(a, set->arch) };
        s->requests = ash_flow_set_requests(set, a, &s->n_requests);
        s->packages = ash_arena_new_items(a, AshSlice, chosen->n);
        s->user = ash_arena_new_items(a, AshSlice, chosen->n);
        for (size_t i = 0; i < chosen->n; i++) {
                const AshChosen *c = &chosen->items[i];
                s->packages[s->n_packages++] = ash_package_nevra(c->package, a);
                if (c->reason == ASH_REASON_USER || c->reason == ASH_REASON_GROUP)
                        s->user[s->n_user++] = ash_arena_slice(a, c->package->name);
        }
}

/* ---- sources: one state of one repository each ---- */
typedef struct Source {
        AshFlowUpstream *upstream;
        const AshUpstream *part;
        char *label;                 /* its name in the universe */
        ASH_ARRAY(const AshPackage *) wanted;
} Source;
typedef ASH_ARRAY(Source) Sources;

static void sources_done(Sources *sources) {
        ash_array_foreach(sources, s) {
                ash_flow_upstream_free(s->upstream);
                ash_array_done(&s->wanted);
                free(s->label);
        }
        ash_array_done(sources);
}

static int open_source(Locker *l, const AshUpstream *part, AshSlice arch, const AshLockUpstream *pinned, Sources *sources) {
        AshFlowUpstream *u = NULL;
        AshLockUpstream state;
        int r = pinned ? ash_flow_upstream_open(l->flow, part, arch, pinned, &u) : ash_flow_upstream_sync(l->flow, part, arch, &u);
        if (r < 0)
                return r;
        ash_flow_upstream_lock(u, l->arena, &state);
        AshSlice name = part->repo.name.s;
        Source s = { .upstream = u, .part = part, .label = pinned ? ash_asprintf("%.*s of %.*s", ASH_F(name), ASH_F(state.snapshot)) : ash_slice_dup(name) };
        ash_array_push(sources, s);
        return 0;
}

/* The states that the lock pins; several, after an update of some packages only. */
static int open_pinned(Locker *l, const AshUpstream *part, AshSlice arch, Sources *sources) {
        AshSlice newest = ASH_NOSLICE;
        int found = 0;
        if (sources->n && ash_array_last(sources)->part == part) {
                AshLockUpstream state;
                ash_flow_upstream_lock(ash_array_last(sources)->upstream, l->arena, &state);
                newest = state.snapshot;
        }
        for (size_t i = 0; l->old && i < l->old->n_upstreams; i++) {
                const AshLockUpstream *u = &l->old->upstreams[i];
                if (!ash_slice_eq(u->name, part->repo.name.s) || !ash_slice_eq(u->arch, arch) || ash_slice_eq(u->snapshot, newest))
                        continue;
                int r = open_source(l, part, arch, u, sources);
                if (r < 0)
                        return r;
                found++;
        }
        return found;
}

/* Locked: what the lock pins. Not locked, or everything is to be updated: the newest. Some packages are to be updated: both. */
static int open_part(Locker *l, const AshUpstream *part, AshSlice arch, Sources *sources) {
        bool all = l->o->update && !l->o->n_packages;
        int r = 0;
        if (l->o->update)
                r = open_source(l, part, arch, NULL, sources);
        if (r < 0 || all)
                return r;
        int found = open_pinned(l, part, arch, sources);
        if (found < 0 || found || l->o->update)
                return found;
        return open_source(l, part, arch, NULL, sources);
}

/* ---- groups: the sets of an architecture that take packages from the same repositories are solved against one universe ---- */
typedef struct Group {
        char *key;                   /* names of its repositories */
        const AshUpstream **parts;
        size_t n_parts;
        AshFlowChoice *choice;
} Group;
typedef ASH_ARRAY(Group) Groups;

static void groups_done(Groups *groups) {
        ash_array_foreach(groups, g) {
                ash_flow_choice_free(g->choice);
                free(g->key);
        }
        ash_array_done(groups);
}

static bool is_open(const Sources *sources, const AshUpstream *part) {
        ash_array_foreach(sources, s)
                if (ash_slice_eq(s->part->repo.name.s, part->repo.name.s))
                        return true;
        return false;
}

static int no_parts(Locker *l, const AshFlowSet *set) {
        int r;
        if (!l->upstream && !set->upstreams->n)
                return choose_upstream(l, true);
        r = ash_fail(l->flow->diags, -ASH_ERR_CONFIG, set->at, "the upstreams of %s '%.*s' have nothing for %.*s", set->kind, ASH_F(set->name), ASH_F(set->arch));
        ash_hint(l->flow->diags, "'arches' of the upstream and of images and channels must fit");
        return r;
}

/* The group of a set, made with the first of its sets; each repository is opened once. An index: the array moves. */
static int find_group(Locker *l, const AshFlowSet *set, Sources *sources, Groups *groups, size_t *ret) {
        Group g = {};
        _str_ AshStr key = {};
        g.parts = ash_flow_set_parts(l->flow, set, l->upstream, l->arena, &g.n_parts);
        if (!g.n_parts)
                return no_parts(l, set);
        for (size_t i = 0; i < g.n_parts; i++)
                ash_str_appendf(&key, "%.*s\n", ASH_F(g.parts[i]->repo.name.s));
        for (*ret = 0; *ret < groups->n; ++*ret)
                if (!strcmp(groups->items[*ret].key, key.ptr))
                        return 0;
        for (size_t i = 0; i < g.n_parts; i++) {
                int r = is_open(sources, g.parts[i]) ? 0 : open_part(l, g.parts[i], set->arch, sources);
                if (r < 0)
                        return r;
        }
        g.key = ash_str_take(&key);
        ash_array_push(groups, g);
        return 0;
}

static bool is_of(const Source *s, const Group *g) {
        for (size_t i = 0; i < g->n_parts; i++)
                if (ash_slice_eq(s->part->repo.name.s, g->parts[i]->repo.name.s))
                        return true;
        return false;
}

/* Sources are all open by now. group_of: the group of each set. */
static int fill_group(Locker *l, Groups *groups, size_t group, const size_t *group_of, AshSlice arch, Sources *sources) {
        Group *g = &groups->items[group];
        ASH_ARRAY(AshRequest) requests = {};
        ASH_ARRAY(AshFlowLabelled) labelled = {};
        ash_array_foreach(sources, s)
                if (is_of(s, g))
                        ash_array_push(&labelled, ((AshFlowLabelled){ s->upstream, s->label }));
        for (size_t i = 0; i < l->sets.items.n; i++) {
                const AshFlowSet *set = &l->sets.items.items[i];
                if (ash_slice_eq(set->arch, arch) && group_of[i] == group)
                        ash_array_foreach(&set->requests, request) ash_array_push(&requests, *request);
        }
        int r = ash_flow_choice_new(l->flow, arch, labelled.items, labelled.n, requests.items, requests.n, &g->choice);
        ash_array_done(&requests);
        ash_array_done(&labelled);
        return r;
}

/* The first that has it: the newest state stands before older ones. */
static Source *source_of(Sources *sources, const AshChosen *chosen) {
        Source *from = NULL;
        ash_array_foreach(sources, s)
                if (ash_slice_eqs(chosen->origin, s->label))
                        from = s;
        ash_array_foreach(sources, s)
                if (from && s < from && s->part == from->part && ash_flow_upstream_has(s->upstream, chosen->package))
                        return s;
        return from;
}

/* Each package once for each repository: what two repositories call the same must be the same, which is seen when both are here. */
static void want(Locker *l, Sources *sources, const AshChosen *chosen) {
        bool fresh;
        Source *from = source_of(sources, chosen);
        AshSlice nevra = ash_package_nevra(chosen->package, l->arena);
        if (!from)
                return;
        ash_map_ensure(&l->by_nevra, ash_slice_str(ash_arena_printf(l->arena, "%.*s %.*s", ASH_F(nevra), ASH_F(from->part->repo.name.s))), &fresh);
        if (fresh)
                ash_array_push(&from->wanted, chosen->package);
}

/* Those of one architecture (empty: of all, each once) that were pinned before: "NAME of DATE". What was built here is always the newest. */
static void tell_pinned(const Locker *l, AshSlice arch, AshStr *out) {
        for (size_t i = 0; l->old && !l->o->update && i < l->old->n_upstreams; i++) {
                const AshLockUpstream *u = &l->old->upstreams[i];
                _free_ char *text = ash_asprintf("%.*s%s%.*s", ASH_F(u->name), u->date.len ? " of " : "", ASH_F(u->date));
                if ((arch.len && !ash_slice_eq(u->arch, arch)) || ash_slice_eqs(u->type, "components") || ash_slice_find(ash_str_slice(out), ash_slice_str(text)) >= 0)
                        continue;
                ash_str_appendf(out, "%s%s", out->len ? ", " : "", text);
        }
}

/* Newer states may have what is asked for. */
static void note_pinned(const Locker *l, const AshFlowSet *set) {
        _str_ AshStr states = {};
        tell_pinned(l, set->arch, &states);
        if (states.len)
                ash_note(l->flow->diags, ASH_NOWHERE, "the lock pins %s: 'ashlar lock --update' asks the newest states", states.ptr);
}

static bool was_locked(const Locker *l, const AshBuiltPackage *p) {
        for (size_t i = 0; l->old && i < l->old->n_packages; i++)
                if (ash_slice_eq(l->old->packages[i].nevra, p->nevra) && ash_slice_eq(l->old->packages[i].sha256, p->sha256))
                        return true;
        return false;
}

/* After a build: was that package built just now? */
static bool is_news(const Locker *l, AshSlice name) {
        for (size_t k = 0; l->o->after_build && k < l->built->items.n; k++)
                if (ash_slice_eq(l->built->packages[k].name, name))
                        return !was_locked(l, l->built->items.items[k].built);
        return true;
}

/* Packages that were built here, and come from elsewhere because its upstreams do not name the one that has them: that may be meant, but should not be by oversight. */
static void note_built_elsewhere(const Locker *l, const AshFlowSet *set, const AshPkgSet *chosen) {
        enum { SOME = 6 };
        const AshUpstream *built = components_upstream(l);
        _str_ AshStr names = {};
        size_t n = 0;
        if (!built || !l->built || takes_built(l, set) || !strcmp(set->kind, "build"))
                return;
        for (size_t i = 0; i < chosen->n; i++)
                if (ash_map_get(&l->built_names, chosen->items[i].package->name) == (void *) STANDS_AS && is_news(l, chosen->items[i].package->name) && n++ < SOME)
                        ash_str_appendf(&names, "%s%.*s", names.len ? ", " : "", ASH_F(chosen->items[i].package->name));
        if (n > SOME)
                ash_str_appendf(&names, " and %zu more", n - SOME);
        if (!n)
                return;
        ash_info(l->flow->diags, set->at, "%s '%.*s' takes %s from elsewhere, though built here: its upstreams do not name '%.*s'", set->kind, ASH_F(set->name), names.ptr, ASH_F(built->repo.name.s));
        ash_hint(l->flow->diags, "upstreams = [\"%.*s\", ...] of the %s takes what was built here", ASH_F(built->repo.name.s), set->kind);
}

static int solve_set(Locker *l, AshFlowSet *set, Sources *sources, const Group *group, AshPkgSet **ret) {
        int r = ash_flow_choice_solve(group->choice, set->requests.items, set->requests.n, &(AshSolveOptions){ .weak = set->weak }, ret);
        if (r < 0) {
                ash_note(l->flow->diags, set->at, "needed for %s '%.*s' on %.*s", set->kind, ASH_F(set->name), ASH_F(set->arch));
                note_pinned(l, set);
                return r;
        }
        record_set(l, set, *ret);
        note_built_elsewhere(l, set, *ret);
        for (size_t i = 0; i < (*ret)->n; i++)
                want(l, sources, &(*ret)->items[i]);
        return 0;
}

static bool is_excluded(const AshFlowSet *set, AshSlice name) {
        ash_array_foreach(&set->requests, r)
                if (r->job == ASH_REQUEST_EXCLUDE && ash_glob_match(r->what, name))
                        return true;
        return false;
}

/* What packages count on without saying so, where the set wants that: asked for like a dependency. What it excludes stays out. */
static int add_essential(Locker *l, AshFlowSet *set, const Sources *sources, const Group *group) {
        int r = 0;
        ash_array_foreach(sources, s) {
                AshSlice *names;
                size_t n;
                if (!set->essential || !is_of(s, group))
                        continue;
                r = ash_flow_upstream_essential(s->upstream, l->arena, &names, &n);
                if (r < 0)
                        return r;
                for (size_t i = 0; i < n; i++)
                        if (!is_excluded(set, names[i]))
                                ash_array_push(&set->requests, ((AshRequest){ .what = names[i], .job = ASH_REQUEST_INSTALL, .reason = ASH_REASON_DEPENDENCY, .at = set->at }));
        }
        return r;
}

/* Every set, so that all problems of a run are told at once. */
static int solve_sets(Locker *l, AshSlice arch, Sources *sources, Groups *groups, AshPkgSet ***chosen) {
        int r = 0;
        size_t n = 0;
        size_t *group_of = ash_arena_new_items(l->arena, size_t, l->sets.items.n + 1);
        *chosen = ash_arena_new_items(l->arena, AshPkgSet *, l->sets.items.n + 1);
        for (size_t i = 0; i < l->sets.items.n; i++) {
                AshFlowSet *set = &l->sets.items.items[i];
                if (!ash_slice_eq(set->arch, arch))
                        continue;
                keep_locked(l, arch, set);
                r = find_group(l, set, sources, groups, &group_of[i]);
                if (r >= 0)
                        r = add_essential(l, set, sources, &groups->items[group_of[i]]);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < groups->n; i++) {
                r = fill_group(l, groups, i, group_of, arch, sources);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < l->sets.items.n; i++) {
                AshFlowSet *set = &l->sets.items.items[i];
                int solved = ash_slice_eq(set->arch, arch) ? solve_set(l, set, sources, &groups->items[group_of[i]], &(*chosen)[n]) : 1;
                n += solved == 0;
                r = solved < 0 ? solved : r;
        }
        return r;
}

/* A dry run fetches nothing: of a package that was locked before the content is taken as the same. */
static void foresee(Locker *l, const Source *s, AshLockPackage *got) {
        for (size_t i = 0; i < s->wanted.n; i++) {
                AshSlice nevra = ash_package_nevra(s->wanted.items[i], l->fresh->arena);
                const AshLockPackage *was = l->old ? ash_lock_package(l->old, nevra) : NULL;
                got[i] = (AshLockPackage){ .nevra = nevra, .sha256 = was ? ash_arena_slice(l->fresh->arena, was->sha256) : ASH_NOSLICE };
        }
}

/* A NEVRA stands for one content in the whole lock, and with it in every channel and image. */
static int note_package(Locker *l, const AshLockPackage *got) {
        bool fresh;
        AshMapEntry *e = ash_map_ensure(&l->locked_nevras, got->nevra, &fresh);
        if (fresh) {
                e->value = (void *) (l->packages.n + 1);
                ash_array_push(&l->packages, *got);
                return 0;
        }
        const AshLockPackage *other = &l->packages.items[(size_t) e->value - 1];
        if (ash_slice_eq(other->sha256, got->sha256))
                return 0;
        int r = ash_fail(l->flow->diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "upstreams '%.*s' and '%.*s' both have %.*s, with different content", ASH_F(other->upstream), ASH_F(got->upstream), ASH_F(got->nevra));
        ash_note(l->flow->diags, ASH_NOWHERE, "SHA-256 %.*s, and %.*s", ASH_F(other->sha256), ASH_F(got->sha256));
        ash_hint(l->flow->diags, "a lock has one package of a name, version and architecture: take it from one of them only ('exclude-packages', 'upstreams' or 'repos' of the image)");
        return r;
}

/* Brings the packages of one source into the store and notes them. A state that gives nothing is not pinned, unless it is the only one. */
static int realize(Locker *l, const Source *s, bool only) {
        AshLockPackage *got = ash_arena_new_items(l->fresh->arena, AshLockPackage, s->wanted.n);
        if (!s->wanted.n && !only)
                return 0;
        int r = 0;
        if (l->o->dry_run)
                foresee(l, s, got);
        else
                r = ash_flow_upstream_realize(s->upstream, s->wanted.items, s->wanted.n, l->fresh->arena, got);
        if (r < 0)
                return r;
        AshLockUpstream *state = ash_array_add(&l->upstreams);
        ash_flow_upstream_lock(s->upstream, l->fresh->arena, state);
        for (size_t i = 0; i < s->wanted.n; i++) {
                got[i].upstream = state->name;
                if (!got[i].key.len)
                        got[i].key = state->key;
                r = note_package(l, &got[i]);
                if (r < 0)
                        return r;
        }
        l->date = ASH_MAX(l->date, ash_flow_upstream_date(s->upstream));
        return 0;
}

/* Is no other state of the same repository used? */
static bool is_only(const Sources *sources, const Source *s) {
        ash_array_foreach(sources, other)
                if (other != s && other->part == s->part && (other->wanted.n || other < s))
                        return false;
        return true;
}

/* All sets of one architecture. */
static int lock_arch(Locker *l, AshSlice arch) {
        _cleanup_(sources_done) Sources sources = {};
        _cleanup_(groups_done) Groups groups = {};
        AshPkgSet **chosen = NULL;
        int r = solve_sets(l, arch, &sources, &groups, &chosen);
        ash_array_foreach(&sources, s)
                if (r >= 0)
                        r = realize(l, s, is_only(&sources, s));
        for (size_t i = 0; chosen && chosen[i]; i++)
                ash_pkgset_free(chosen[i]);
        return r;
}

static bool has_state(const Locker *l, AshSlice name, AshSlice arch) {
        ash_array_foreach(&l->upstreams, u)
                if (ash_slice_eq(u->name, name) && ash_slice_eq(u->arch, arch))
                        return true;
        return false;
}

/* All that the project's components gave can be published, whether or not something asks for it: debug and source packages are asked for by nobody. */
static int lock_built(Locker *l, const AshUpstream *upstream, const AshSlice *arches, size_t n_arches) {
        AshLockPackage *packages;
        size_t n;
        int r = 0;
        for (size_t i = 0; r >= 0 && i < n_arches; i++) {
                _cleanup_(ash_flow_upstream_free_p) AshFlowUpstream *u = NULL;
                if (!has_state(l, upstream->repo.name.s, arches[i]) && (r = ash_flow_upstream_open(l->flow, upstream, arches[i], NULL, &u)) >= 0)
                        ash_flow_upstream_lock(u, l->fresh->arena, ash_array_add(&l->upstreams));
        }
        if (r >= 0)
                r = ash_flow_built_lock(l->flow, upstream->repo.name.s, l->fresh->arena, &packages, &n);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = note_package(l, &packages[i]);
        return r;
}

static int lock_all_built(Locker *l, const AshSlice *arches, size_t n_arches) {
        const AshUpstream *upstream = components_upstream(l);
        return upstream ? lock_built(l, upstream, arches, n_arches) : 0;
}

/* RFC 9562 section 5.4: version 4. The one place of the whole program that draws a random number for what it builds; the lock keeps it. */
static int new_seed(AshArena *arena, AshSlice *ret) {
        uint8_t b[16];
        if (getrandom(b, sizeof b, 0) != sizeof b)
                return -EIO;
        b[6] = (uint8_t) ((b[6] & 0x0f) | 0x40);
        b[8] = (uint8_t) ((b[8] & 0x3f) | 0x80);
        *ret = ash_slice_str(ash_arena_printf(arena, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
                                              b[13], b[14], b[15]));
        return 0;
}

static int source_date(Locker *l) {
        const char *text = getenv("SOURCE_DATE_EPOCH");
        l->fresh->source_date_epoch = l->date;
        if (l->old && !l->o->update && !text)
                l->fresh->source_date_epoch = ASH_MAX(l->old->source_date_epoch, l->date);
        if (text && text[0] && (ash_slice_to_u64(ash_slice_str(text), 10, &l->fresh->source_date_epoch) < 0 || l->fresh->source_date_epoch > UINT32_MAX))
                return ash_fail(l->flow->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "SOURCE_DATE_EPOCH is '%s', expected seconds since 1970", text);
        return 0;
}

static AshLockId *copy_ids(AshArena *arena, const AshLockId *ids, size_t n) {
        AshLockId *copy = ash_arena_new_items(arena, AshLockId, n);
        for (size_t i = 0; i < n; i++)
                copy[i] = (AshLockId){ ash_arena_slice(arena, ids[i].name), ids[i].id };
        return copy;
}

static int finish(Locker *l) {
        AshLock *f = l->fresh;
        int r = source_date(l);
        if (r >= 0 && l->old)
                f->seed = ash_arena_slice(f->arena, l->old->seed);
        else if (r >= 0)
                r = new_seed(f->arena, &f->seed);
        if (r < 0)
                return r;
        if (l->old) {
                f->users = copy_ids(f->arena, l->old->users, f->n_users = l->old->n_users);
                f->groups = copy_ids(f->arena, l->old->groups, f->n_groups = l->old->n_groups);
        }
        f->packages = l->packages.items;
        f->n_packages = l->packages.n;
        f->sets = l->locked.items;
        f->n_sets = l->locked.n;
        f->upstreams = l->upstreams.items;
        f->n_upstreams = l->upstreams.n;
        ash_lock_sort(f);
        return l->o->dry_run ? 0 : ash_flow_allocate_ids(l->flow, f); /* what packages declare is not known without them */
}

int ash_flow_lock(AshFlow *flow, const AshFlowLockOptions *options, AshFlowLockResult *ret) {
        Locker l __attribute__((__cleanup__(locker_done))) = { .flow = flow, .o = options, .arena = ash_arena_new(), .fresh = ash_lock_new() };
        AshSlice arches[16];
        *ret = (AshFlowLockResult){};
        int r = choose_upstream(&l, false);
        if (r >= 0)
                r = ash_lock_read(options->path, &l.old, flow->diags);
        if (r == -ENOENT)
                r = 0;
        if (r >= 0)
                r = check_updates(&l);
        if (r >= 0)
                r = know_built(&l);
        if (r >= 0)
                r = ash_flow_sets_collect(flow, l.upstream, &l.sets);
        if (r < 0)
                return r;
        size_t n_arches = ash_flow_sets_arches(&l.sets, arches, ASH_N(arches));
        for (size_t i = 0; i < n_arches; i++) {
                int one = lock_arch(&l, arches[i]);
                r = r < 0 ? r : one;
                if (one < 0 && one != -ASH_ERR_UNSOLVABLE) /* what keeps one architecture from being read keeps the others from it as well: it is said once */
                        return one;
        }
        if (r >= 0)
                r = lock_all_built(&l, arches, n_arches);
        if (r >= 0)
                r = finish(&l);
        if (r < 0)
                return r;
        ret->n_changes = ash_lock_changes(l.old, l.fresh, &ret->changes);
        ret->packages = l.packages.n;
        tell_pinned(&l, ASH_NOSLICE, &ret->kept);
        ret->first = l.old == NULL;
        ash_array_foreach(&l.packages, p)
                ret->bytes += p->size;
        ret->sets = l.locked.n;
        if (options->dry_run)
                return 0;
        r = ash_lock_write(options->path, l.fresh, flow->diags);
        if (r < 0)
                return r;
        ret->written = r > 0;
        _free_ char *path = realpath(options->path, NULL);
        return path ? ash_store_root_add(flow->store, path, flow->diags) : 0;
}
