/* Does the lock answer what the project asks for, and is what it says true? */
#include "flow-lock.h"
#include "flow-sets.h"

typedef struct Checker {
        AshFlow *flow;
        const AshFlowLockOptions *o;
        const AshUpstream *upstream; /* the chosen one, or NULL */
        AshArena *arena;
        AshLock *lock;
        AshFlowSets sets;
        bool outdated;               /* something else is asked for now */
        bool false_;                 /* something is not what the lock says */
        int unanswered;              /* negative: of some packages nobody could say what they should be */
        size_t unproven;             /* packages whose digest only an import can tell */
} Checker;

static void checker_done(Checker *c) {
        ash_lock_free_all(c->lock);
        ash_flow_sets_done(&c->sets);
        ash_arena_free(c->arena);
}

/* ---- what is asked for ---- */
static bool same_texts(const AshSlice *a, size_t n_a, const AshSlice *b, size_t n_b) {
        for (size_t i = 0; i < n_a && n_a == n_b; i++)
                if (!ash_slice_eq(a[i], b[i]))
                        return false;
        return n_a == n_b;
}

static bool is_part(const AshUpstream *const *parts, size_t n, AshSlice name) {
        for (size_t i = 0; i < n; i++)
                if (ash_slice_eq(parts[i]->repo.name.s, name))
                        return true;
        return false;
}

/* Every package comes from where the set takes packages from now; the first that does not is named. */
static int check_origins(Checker *c, const AshFlowSet *set, const AshLockSet *locked) {
        size_t n;
        const AshUpstream **parts = ash_flow_set_parts(c->flow, set, c->upstream, c->arena, &n);
        for (size_t i = 0; i < locked->n_packages; i++) {
                const AshLockPackage *p = ash_lock_package(c->lock, locked->packages[i]);
                if (p && !is_part(parts, n, p->upstream))
                        return ash_fail(c->flow->diags, -ASH_ERR_CONFIG, set->at, "%s '%.*s' (%.*s) has %.*s from upstream '%.*s', from which it takes nothing now", set->kind, ASH_F(set->name), ASH_F(set->arch),
                                        ASH_F(p->nevra), ASH_F(p->upstream));
        }
        return 0;
}

static int check_set(Checker *c, const AshFlowSet *set) {
        size_t n;
        AshSlice *requests = ash_flow_set_requests(set, c->arena, &n);
        const AshLockSet *locked = ash_lock_set(c->lock, set->kind, set->name, set->arch);
        if (!locked)
                return ash_fail(c->flow->diags, -ASH_ERR_CONFIG, set->at, "%s '%.*s' (%.*s) is not in the lock", set->kind, ASH_F(set->name), ASH_F(set->arch));
        if (same_texts(requests, n, locked->requests, locked->n_requests))
                return check_origins(c, set, locked);
        return ash_fail(c->flow->diags, -ASH_ERR_CONFIG, set->at, "%s '%.*s' (%.*s) asks for other packages than when the lock was made", set->kind, ASH_F(set->name), ASH_F(set->arch));
}

static int check_locked_set(Checker *c, const AshLockSet *s) {
        ash_array_foreach(&c->sets.items, set)
                if (ash_slice_eqs(s->kind, set->kind) && ash_slice_eq(s->name, set->name) && ash_slice_eq(s->arch, set->arch))
                        return 0;
        return ash_fail_file(c->flow->diags, -ASH_ERR_CONFIG, c->o->path, "%.*s '%.*s' (%.*s) is locked, the project does not have it any more", ASH_F(s->kind), ASH_F(s->name), ASH_F(s->arch));
}

/* What imports packages is what it was: another version of the importer, or an edit of its tables, gives other packages. */
static int check_importer(Checker *c, const AshLockUpstream *locked) {
        const AshUpstream *config = ash_flow_upstream_by_name(c->flow, locked->name, c->arena);
        char now[65];
        if (!config || !locked->importer.len)
                return 0;
        int r = ash_flow_importer_id(c->flow, config, now);
        if (r < 0 || ash_slice_eqs(locked->importer, now))
                return r;
        return ash_fail(c->flow->diags, -ASH_ERR_CONFIG, config->repo.name.at, "upstream '%.*s' (%.*s) imports packages by other tables, or by another importer, than when the lock was made", ASH_F(locked->name),
                        ASH_F(locked->arch));
}

/* ---- what the lock says of packages ---- */
static bool is_for(const AshLockPackage *p, const AshLockUpstream *u) {
        AshPackage nevra;
        return ash_slice_eq(p->upstream, u->name) && ash_nevra_parse(p->nevra, &nevra) >= 0 && (ash_arch_fits(nevra.arch, u->arch) || ash_slice_eqs(u->type, "components"));
}

/* A pinned state that is nowhere any more proves nothing: the question was not answered, so the answer is not "good". */
static int cannot_compare(Checker *c, int r, const AshLockUpstream *pinned, AshDiags *why) {
        r = ash_fail(c->flow->diags, r == -ASH_ERR_AGAIN ? r : -ENOENT, ASH_NOWHERE, "upstream '%.*s' (%.*s): the digests of its packages cannot be compared with its metadata", ASH_F(pinned->name), ASH_F(pinned->arch));
        for (size_t i = 0; i < ash_diags_n(why); i++)
                if (ash_diags_at(why, i)->severity == ASH_ERROR)
                        ash_note(c->flow->diags, ASH_NOWHERE, "%s", ash_diags_at(why, i)->text);
        if (r != -ASH_ERR_AGAIN)
                ash_hint(c->flow->diags, "builds may still find its packages; 'ashlar lock --update' pins the state of today");
        return r;
}

/* proven: one for each package of the lock, ASH_PROOF_* */
static int check_state(Checker *c, const AshLockUpstream *pinned, int *proven) {
        _cleanup_(ash_flow_upstream_free_p) AshFlowUpstream *u = NULL;
        _cleanup_(ash_diags_free_p) AshDiags *why = ash_diags_new();
        const AshUpstream *config = ash_flow_upstream_by_name(c->flow, pinned->name, c->arena);
        if (!config) /* said already: its packages have no set any more */
                return 0;
        AshFlow quiet = *c->flow;
        quiet.diags = why;
        int r = ash_flow_upstream_open(&quiet, config, pinned->arch, pinned, &u);
        for (size_t i = 0; i < c->lock->n_packages; i++) {
                const AshLockPackage *p = &c->lock->packages[i];
                if (!is_for(p, pinned) || proven[i] == ASH_PROOF_GOOD)
                        continue;
                int one = r < 0 ? ASH_PROOF_UNKNOWN : ash_flow_upstream_prove(u, p, c->flow->diags);
                c->false_ |= one == -ASH_ERR_VERIFY;
                if (one < 0 && one != -ASH_ERR_VERIFY)
                        return one;
                proven[i] = one < 0 ? ASH_PROOF_GOOD : ASH_MAX(proven[i], one); /* said once */
        }
        if (r < 0 && c->unanswered >= 0)
                c->unanswered = cannot_compare(c, r, pinned, why);
        else if (r < 0)
                (void) cannot_compare(c, r, pinned, why);
        return 0;
}

static int check_packages(Checker *c) {
        int *proven = ash_arena_new_items(c->arena, int, c->lock->n_packages);
        for (size_t i = 0; i < c->lock->n_upstreams; i++) {
                int r = check_state(c, &c->lock->upstreams[i], proven);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; !c->false_ && i < c->lock->n_packages; i++) {
                const AshLockPackage *p = &c->lock->packages[i];
                c->unproven += proven[i] == ASH_PROOF_UNKNOWN;
                if (proven[i] != ASH_PROOF_NONE)
                        continue;
                ash_fail_file(c->flow->diags, -ASH_ERR_VERIFY, c->o->path, "%.*s: upstream '%.*s' has no such package in the state that the lock pins", ASH_F(p->nevra), ASH_F(p->upstream));
                c->false_ = true;
        }
        if (!c->false_ && c->unanswered >= 0 && c->unproven)
                ash_info(c->flow->diags, ASH_NOWHERE, "%zu package%s of the lock never imported on this machine: a build compares digests when it imports", ASH_COUNT(c->unproven));
        return 0;
}

/* Whether the lock was made with that upstream as the chosen one: a channel may import what only this one says. */
static bool answers(AshFlow *flow, const AshLock *lock, const AshUpstream *upstream, const char *kind, AshSlice name, AshSpan *ret_at) {
        Checker c __attribute__((__cleanup__(checker_done))) = { .flow = flow, .upstream = upstream, .arena = ash_arena_new() };
        bool good = true;
        if (ash_flow_sets_collect(flow, upstream, &c.sets) < 0)
                return true; /* nothing is asked for, and nothing will be found in the lock */
        ash_array_foreach(&c.sets.items, set) {
                const AshLockSet *locked = ash_lock_set(lock, set->kind, set->name, set->arch);
                size_t n;
                if (strcmp(set->kind, kind) || !ash_slice_eq(set->name, name) || !locked) /* whoever needs a set that is not there says so */
                        continue;
                AshSlice *requests = ash_flow_set_requests(set, c.arena, &n);
                good &= same_texts(requests, n, locked->requests, locked->n_requests);
                *ret_at = set->at;
        }
        return good;
}

int ash_flow_lock_answers(AshFlow *flow, const AshLock *lock, const char *kind, AshSlice name) {
        AshSpan at = {};
        bool good = answers(flow, lock, ash_config_upstream(flow->config, ASH_NOSLICE), kind, name, &at);
        for (size_t i = 0; !good && i < lock->n_upstreams; i++) {
                const AshUpstream *other = ash_config_upstream(flow->config, lock->upstreams[i].name);
                good = other && answers(flow, lock, other, kind, name, &at);
        }
        if (good)
                return 0;
        int r = ash_fail(flow->diags, -ASH_ERR_CONFIG, at, "%s '%.*s' asks for other packages than when the lock was made", kind, ASH_F(name));
        ash_hint(flow->diags, "'ashlar lock' brings the lock up to date");
        return r;
}

int ash_flow_lock_check(AshFlow *flow, const AshFlowLockOptions *options) {
        Checker c __attribute__((__cleanup__(checker_done))) = { .flow = flow, .o = options, .arena = ash_arena_new() };
        AshSlice name = options->upstream ? ash_slice_str(options->upstream) : ASH_NOSLICE;
        c.upstream = ash_config_upstream(flow->config, name);
        if (!c.upstream && name.len)
                return ash_flow_unknown_upstream(flow->config, name, flow->diags);
        int r = ash_lock_read(options->path, &c.lock, flow->diags);
        if (r == -ENOENT)
                return ash_fail_file(flow->diags, r, options->path, "there is no lock yet: 'ashlar lock' makes it") < 0 ? 1 : 0;
        if (r >= 0)
                r = ash_flow_sets_collect(flow, c.upstream, &c.sets);
        if (r < 0)
                return r;
        ash_array_foreach(&c.sets.items, set)
                c.outdated |= check_set(&c, set) < 0;
        for (size_t i = 0; i < c.lock->n_upstreams; i++)
                c.outdated |= check_importer(&c, &c.lock->upstreams[i]) < 0;
        for (size_t i = 0; i < c.lock->n_sets; i++)
                c.outdated |= check_locked_set(&c, &c.lock->sets[i]) < 0;
        if (c.outdated) {
                ash_hint(flow->diags, "'ashlar lock' brings the lock up to date");
                return 1;
        }
        r = check_packages(&c);
        return r < 0 ? r : c.false_ ? -ASH_ERR_VERIFY : c.unanswered;
}
