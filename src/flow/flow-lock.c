#include <stdio.h>
#include <sys/random.h>
#include "flow-lock.h"
#include "flow-sets.h"

void ash_flow_lock_result_done(AshFlowLockResult *r) { ash_str_done(&r->changes); }

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
        AshMap by_nevra;             /* NEVRA -> this */
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
        ash_arena_free(l->arena);
}

static int choose_upstream(Locker *l) {
        AshSlice name = l->o->upstream ? ash_slice_str(l->o->upstream) : ASH_NOSLICE;
        l->upstream = ash_config_upstream(l->flow->config, name);
        if (l->upstream)
                return 0;
        int r = ash_fail(l->flow->diags, -ASH_ERR_CONFIG, ASH_NOWHERE, name.len ? "the project has no upstream '%.*s'" : "the project has no upstream to take packages from%.*s", ASH_F(name));
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

/* What is locked stays, unless it is to be updated: the solver prefers it when anything needs it. */
static void keep_locked(Locker *l, AshSlice arch, AshFlowSet *set) {
        for (size_t i = 0; l->old && i < l->old->n_packages; i++) {
                AshPackage p = {};
                if (ash_nevra_parse(l->old->packages[i].nevra, &p) < 0 || is_to_update(l, p.name) || !(ash_slice_eq(p.arch, arch) || ash_slice_eqs(p.arch, "noarch")))
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

static const AshLockUpstream *pinned_for(const Locker *l, AshSlice arch) {
        if (!l->old || l->o->update)
                return NULL;
        for (size_t i = 0; i < l->old->n_upstreams; i++)
                if (ash_slice_eq(l->old->upstreams[i].name, l->upstream->repo.name.s) && ash_slice_eq(l->old->upstreams[i].arch, arch))
                        return &l->old->upstreams[i];
        return NULL;
}

/* All sets of one architecture against one universe. */
static int lock_arch(Locker *l, AshSlice arch) {
        _cleanup_(ash_flow_upstream_free_p) AshFlowUpstream *up = NULL;
        _free_ char *arch_name = ash_slice_dup(arch);
        _cleanup_(ash_universe_free_p) AshUniverse *universe = ash_universe_new(arch_name);
        ASH_ARRAY(const AshPackage *) wanted = {};
        ASH_ARRAY(AshPkgSet *) chosen = {};
        int r = ash_flow_upstream_open(l->flow, l->upstream, arch, pinned_for(l, arch), &up);
        if (r >= 0)
                r = ash_flow_upstream_add(up, universe);
        ash_array_foreach(&l->sets.items, set) {
                AshPkgSet *one = NULL;
                if (r < 0 && r != -ASH_ERR_UNSOLVABLE)
                        break;
                if (!ash_slice_eq(set->arch, arch))
                        continue;
                keep_locked(l, arch, set);
                int solved = ash_solve(universe, set->requests.items, set->requests.n, &(AshSolveOptions){ .weak = set->weak }, &one, l->flow->diags);
                if (solved < 0) {
                        ash_note(l->flow->diags, set->at, "needed for %s '%.*s' on %.*s", set->kind, ASH_F(set->name), ASH_F(arch));
                        r = solved;
                        continue;
                }
                ash_array_push(&chosen, one);
                record_set(l, set, one);
                for (size_t i = 0; i < one->n; i++) {
                        bool fresh;
                        ash_map_ensure(&l->by_nevra, ash_package_nevra(one->items[i].package, l->fresh->arena), &fresh);
                        if (fresh)
                                ash_array_push(&wanted, one->items[i].package);
                }
        }
        if (r >= 0) {
                size_t before = l->packages.n;
                ash_array_reserve(&l->packages, wanted.n);
                l->packages.n += wanted.n;
                memset(l->packages.items + before, 0, wanted.n * sizeof *l->packages.items);
                r = ash_flow_upstream_realize(up, wanted.items, wanted.n, l->fresh->arena, l->packages.items + before);
                ash_flow_upstream_lock(up, l->fresh->arena, ash_array_add(&l->upstreams));
                for (size_t i = before; i < l->packages.n; i++) {
                        l->packages.items[i].upstream = ash_array_last(&l->upstreams)->name;
                        if (!l->packages.items[i].key.len)
                                l->packages.items[i].key = ash_array_last(&l->upstreams)->key;
                }
                l->date = ASH_MAX(l->date, ash_flow_upstream_date(up));
        }
        ash_array_foreach(&chosen, c)
                ash_pkgset_free(*c);
        ash_array_done(&chosen);
        ash_array_done(&wanted);
        return r;
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
        return ash_flow_allocate_ids(l->flow, f);
}

int ash_flow_lock(AshFlow *flow, const AshFlowLockOptions *options, AshFlowLockResult *ret) {
        Locker l __attribute__((__cleanup__(locker_done))) = { .flow = flow, .o = options, .arena = ash_arena_new(), .fresh = ash_lock_new() };
        AshSlice arches[16];
        *ret = (AshFlowLockResult){};
        int r = choose_upstream(&l);
        if (r >= 0)
                r = ash_lock_read(options->path, &l.old, flow->diags);
        if (r == -ENOENT)
                r = 0;
        if (r >= 0)
                r = ash_flow_sets_collect(flow, l.upstream, &l.sets);
        if (r < 0)
                return r;
        size_t n_arches = ash_flow_sets_arches(&l.sets, arches, ASH_N(arches));
        for (size_t i = 0; i < n_arches; i++) {
                int one = lock_arch(&l, arches[i]);
                r = r < 0 ? r : one;
        }
        if (r >= 0)
                r = finish(&l);
        if (r < 0)
                return r;
        ret->n_changes = ash_lock_changes(l.old, l.fresh, &ret->changes);
        ret->packages = l.packages.n;
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

/* ---- check ---- */
static bool same_texts(const AshSlice *a, size_t n_a, const AshSlice *b, size_t n_b) {
        for (size_t i = 0; i < n_a && n_a == n_b; i++)
                if (!ash_slice_eq(a[i], b[i]))
                        return false;
        return n_a == n_b;
}

static int check_set(Locker *l, const AshFlowSet *set) {
        size_t n;
        AshSlice *requests = ash_flow_set_requests(set, l->arena, &n);
        const AshLockSet *locked = ash_lock_set(l->old, set->kind, set->name, set->arch);
        if (!locked)
                return ash_fail(l->flow->diags, -ASH_ERR_CONFIG, set->at, "%s '%.*s' (%.*s) is not in the lock", set->kind, ASH_F(set->name), ASH_F(set->arch));
        if (same_texts(requests, n, locked->requests, locked->n_requests))
                return 0;
        ash_fail(l->flow->diags, -ASH_ERR_CONFIG, set->at, "%s '%.*s' (%.*s) asks for other packages than when the lock was made", set->kind, ASH_F(set->name), ASH_F(set->arch));
        return -ASH_ERR_CONFIG;
}

int ash_flow_lock_check(AshFlow *flow, const AshFlowLockOptions *options) {
        Locker l __attribute__((__cleanup__(locker_done))) = { .flow = flow, .o = options, .arena = ash_arena_new() };
        int r = choose_upstream(&l), bad = 0;
        if (r >= 0)
                r = ash_lock_read(options->path, &l.old, flow->diags);
        if (r == -ENOENT)
                return ash_fail_file(flow->diags, r, options->path, "there is no lock yet: 'ashlar lock' makes it") < 0 ? 1 : 0;
        if (r >= 0)
                r = ash_flow_sets_collect(flow, l.upstream, &l.sets);
        if (r < 0)
                return r;
        ash_array_foreach(&l.sets.items, set)
                bad |= check_set(&l, set) < 0;
        for (size_t i = 0; i < l.old->n_sets; i++) {
                const AshLockSet *s = &l.old->sets[i];
                bool found = false;
                ash_array_foreach(&l.sets.items, set)
                        found |= ash_slice_eqs(s->kind, set->kind) && ash_slice_eq(s->name, set->name) && ash_slice_eq(s->arch, set->arch);
                if (!found) {
                        ash_fail_file(flow->diags, -ASH_ERR_CONFIG, options->path, "%.*s '%.*s' (%.*s) is locked, the project does not have it any more", ASH_F(s->kind), ASH_F(s->name), ASH_F(s->arch));
                        bad = 1;
                }
        }
        if (bad)
                ash_hint(flow->diags, "'ashlar lock' brings the lock up to date");
        return bad;
}
