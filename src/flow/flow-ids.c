/* Numbers for the users and groups that packages declare, so that every image of the project has the same ones. */
#include "flow-sets.h"
#include "sysusers.h"

#define DYNAMIC_MAX 999 /* systemd's SYSTEM_UID_MAX: dynamic ones go downwards from here */
#define DYNAMIC_MIN 101 /* below stand numbers that distributions have given by hand */

typedef struct Name {
        AshSlice name;
        uint32_t id;
        bool fixed, user, group; /* fixed: a package says the number */
} Name;

typedef struct Allocator {
        AshFlow *flow;
        AshLock *lock;
        AshArena *arena;
        AshMap names;            /* name -> Name */
        bool user_taken[DYNAMIC_MAX + 1], group_taken[DYNAMIC_MAX + 1];
} Allocator;

static Name *name_of(Allocator *a, AshSlice name) {
        bool fresh;
        AshMapEntry *e = ash_map_ensure(&a->names, name, &fresh);
        if (fresh) {
                Name *n = ash_arena_new_item(a->arena, Name);
                n->name = name;
                n->id = UINT32_MAX;
                e->value = n;
        }
        return e->value;
}

static void declare(Allocator *a, const AshSysuser *u) {
        uint32_t id;
        AshSlice group;
        if (u->type == 'r')
                return;
        if (u->type == 'm') {
                if (u->id.len)
                        name_of(a, u->id)->group = true;
                name_of(a, u->name)->user = true;
                return;
        }
        Name *n = name_of(a, u->name);
        bool has_id = ash_sysuser_id(u->id, &id, &group);
        n->user |= u->type == 'u';
        n->group |= u->type == 'g' || !group.len; /* a user brings the group of its name, unless another is said */
        if (has_id && !n->fixed) {
                n->id = id;
                n->fixed = true;
        }
}

static int read_pack(Allocator *a, const AshPack *pack) {
        for (size_t i = 0; i < ash_pack_count(pack); i++) {
                AshPackEntry e;
                ash_pack_entry(pack, i, &e);
                if (!ash_slice_starts(e.path, ASH_S("/usr/lib/sysusers.d/")) || !ash_slice_ends(e.path, ASH_S(".conf")) || !e.sha256)
                        continue;
                AshSlice text = ash_arena_slice(a->arena, ash_pack_bytes(pack, i));
                AshSlice nevra = ash_pack_nevra(pack);
                _free_ char *name = ash_asprintf("%.*s:%.*s", ASH_F(nevra), ASH_F(e.path));
                _cleanup_(ash_source_free_p) AshSource *source = ash_source_new(name, text);
                AshSysusers users = {};
                ash_sysusers_parse(source, a->arena, &users, a->flow->diags);
                ash_array_foreach(&users.items, u)
                        declare(a, u);
                ash_sysusers_done(&users);
        }
        return 0;
}

static int by_name(const void *a, const void *b) { return ash_slice_cmp((*(Name *const *) a)->name, (*(Name *const *) b)->name); }

static void take(Allocator *a, const Name *n) {
        if (n->id > DYNAMIC_MAX)
                return;
        a->user_taken[n->id] |= n->user;
        a->group_taken[n->id] |= n->group;
}

static const AshLockId *locked_id(const AshLockId *ids, size_t n, AshSlice name) {
        for (size_t i = 0; i < n; i++)
                if (ash_slice_eq(ids[i].name, name))
                        return &ids[i];
        return NULL;
}

static int allocate(Allocator *a, Name **order, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (order[i]->fixed)
                        take(a, order[i]);
        for (size_t i = 0; i < n; i++) {
                const AshLockId *was = locked_id(a->lock->users, a->lock->n_users, order[i]->name);
                was = was ? was : locked_id(a->lock->groups, a->lock->n_groups, order[i]->name);
                if (order[i]->fixed || !was || was->id > DYNAMIC_MAX || a->user_taken[was->id] || a->group_taken[was->id])
                        continue;
                order[i]->id = was->id;
                take(a, order[i]);
        }
        for (size_t i = 0; i < n; i++) {
                uint32_t id = DYNAMIC_MAX;
                if (order[i]->id != UINT32_MAX)
                        continue;
                while (id >= DYNAMIC_MIN && (a->user_taken[id] || a->group_taken[id]))
                        id--;
                if (id < DYNAMIC_MIN)
                        return ash_fail(a->flow->diags, -ERANGE, ASH_NOWHERE, "no number between %d and %d is left for the user '%.*s'", DYNAMIC_MIN, DYNAMIC_MAX, ASH_F(order[i]->name));
                order[i]->id = id;
                take(a, order[i]);
        }
        return 0;
}

static void record(Allocator *a, Name **order, size_t n) {
        AshLock *l = a->lock;
        l->users = ash_arena_new_items(l->arena, AshLockId, n);
        l->groups = ash_arena_new_items(l->arena, AshLockId, n);
        l->n_users = l->n_groups = 0;
        for (size_t i = 0; i < n; i++) {
                AshLockId id = { ash_arena_slice(l->arena, order[i]->name), order[i]->id };
                if (order[i]->user)
                        l->users[l->n_users++] = id;
                if (order[i]->group)
                        l->groups[l->n_groups++] = id;
        }
}

/* Those that a set has: what is locked only because it was built here (a tree's debug and source packages, above all) is in no image, and is not unpacked for this. */
static int wanted_ids(AshFlow *flow, const AshLock *lock, AshId *ret, size_t *ret_n) {
        _free_ bool *wanted = ash_calloc(lock->n_packages + 1, sizeof *wanted);
        *ret_n = 0;
        for (size_t i = 0; i < lock->n_sets; i++)
                for (size_t k = 0; k < lock->sets[i].n_packages; k++) {
                        const AshLockPackage *p = ash_lock_package(lock, lock->sets[i].packages[k]);
                        if (p)
                                wanted[p - lock->packages] = true;
                }
        for (size_t i = 0; i < lock->n_packages; i++)
                if (wanted[i] && ash_id_parse(lock->packages[i].sha256, &ret[(*ret_n)++]) < 0)
                        return ash_fail(flow->diags, -ASH_ERR_CONFIG, ASH_NOWHERE, "%.*s has no digest", ASH_F(lock->packages[i].nevra));
        return 0;
}

int ash_flow_allocate_ids(AshFlow *flow, AshLock *lock) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        Allocator a = { .flow = flow, .lock = lock, .arena = arena };
        AshId *ids = ash_arena_new_items(arena, AshId, lock->n_packages);
        AshPack **packs = ash_arena_new_items(arena, AshPack *, lock->n_packages);
        size_t n_packs;
        int r = wanted_ids(flow, lock, ids, &n_packs);
        if (r >= 0)
                r = ash_store_expand_all(flow->store, ids, n_packs, flow->threads, packs, flow->progress, flow->diags);
        for (size_t i = 0; r >= 0 && i < n_packs; i++)
                r = read_pack(&a, packs[i]);
        for (size_t i = 0; i < n_packs; i++)
                ash_pack_free(packs[i]);
        Name **order = ash_arena_new_items(arena, Name *, a.names.live);
        size_t n = 0;
        ash_map_foreach(&a.names, e)
                order[n++] = e->value;
        if (n)
                qsort(order, n, sizeof *order, by_name);
        if (r >= 0)
                r = allocate(&a, order, n);
        if (r >= 0)
                record(&a, order, n);
        ash_map_done(&a.names);
        return r;
}
