#include "lock.h"
#include "model-package.h"

/* "name.arch" of a NEVRA and its EVR. */
static void split(AshSlice nevra, AshArena *arena, AshSlice *ret_name, AshSlice *ret_evr) {
        AshPackage p = {};
        if (ash_nevra_parse(nevra, &p) < 0) {
                *ret_name = nevra;
                *ret_evr = ASH_S("");
                return;
        }
        *ret_name = ash_slice_str(ash_arena_printf(arena, "%.*s.%.*s", ASH_F(p.name), ASH_F(p.arch)));
        *ret_evr = p.epoch ? ash_slice_str(ash_arena_printf(arena, "%u:%.*s-%.*s", p.epoch, ASH_F(p.version), ASH_F(p.release)))
                           : ash_slice_str(ash_arena_printf(arena, "%.*s-%.*s", ASH_F(p.version), ASH_F(p.release)));
}

static size_t package_changes(const AshLock *old, const AshLock *fresh, AshArena *arena, AshStr *out) {
        _map_ AshMap gone = {};
        size_t n = 0;
        for (size_t i = 0; old && i < old->n_packages; i++)
                if (!ash_lock_package(fresh, old->packages[i].nevra)) {
                        AshSlice name, evr;
                        split(old->packages[i].nevra, arena, &name, &evr);
                        ash_map_put(&gone, name, (void *) &old->packages[i], NULL);
                }
        for (size_t i = 0; i < fresh->n_packages; i++) {
                const AshLockPackage *p = &fresh->packages[i], *same = old ? ash_lock_package(old, p->nevra) : NULL;
                AshSlice name, evr, old_name, old_evr;
                if (same && ash_slice_eq(same->sha256, p->sha256))
                        continue;
                n++;
                split(p->nevra, arena, &name, &evr);
                const AshLockPackage *was = ash_map_get(&gone, name);
                if (same)
                        ash_str_appendf(out, "* %.*s: same version, other content\n", ASH_F(p->nevra));
                else if (was) {
                        split(was->nevra, arena, &old_name, &old_evr);
                        ash_str_appendf(out, "  %.*s %.*s -> %.*s\n", ASH_F(name), ASH_F(old_evr), ASH_F(evr));
                        ash_map_remove(&gone, name);
                } else
                        ash_str_appendf(out, "+ %.*s\n", ASH_F(p->nevra));
        }
        ash_map_foreach(&gone, e) {
                ash_str_appendf(out, "- %.*s\n", ASH_F(((const AshLockPackage *) e->value)->nevra));
                n++;
        }
        return n;
}

static size_t id_changes(const char *what, const AshLockId *old, size_t n_old, const AshLockId *fresh, size_t n_fresh, AshStr *out) {
        size_t n = 0, i = 0, k = 0;
        while (i < n_old || k < n_fresh) {
                int c = i == n_old ? 1 : k == n_fresh ? -1 : ash_slice_cmp(old[i].name, fresh[k].name);
                if (c < 0)
                        ash_str_appendf(out, "- %s %.*s (%u)\n", what, ASH_F(old[i].name), old[i].id), n++, i++;
                else if (c > 0)
                        ash_str_appendf(out, "+ %s %.*s (%u)\n", what, ASH_F(fresh[k].name), fresh[k].id), n++, k++;
                else {
                        if (old[i].id != fresh[k].id)
                                ash_str_appendf(out, "  %s %.*s %u -> %u\n", what, ASH_F(old[i].name), old[i].id, fresh[k].id), n++;
                        i++, k++;
                }
        }
        return n;
}

size_t ash_lock_changes(const AshLock *old, const AshLock *fresh, AshStr *out) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        size_t n = package_changes(old, fresh, arena, out);
        n += id_changes("user", old ? old->users : NULL, old ? old->n_users : 0, fresh->users, fresh->n_users, out);
        n += id_changes("group", old ? old->groups : NULL, old ? old->n_groups : 0, fresh->groups, fresh->n_groups, out);
        if (old && old->source_date_epoch != fresh->source_date_epoch) {
                ash_str_appendf(out, "  source-date-epoch %llu -> %llu\n", (unsigned long long) old->source_date_epoch, (unsigned long long) fresh->source_date_epoch);
                n++;
        }
        return n;
}
