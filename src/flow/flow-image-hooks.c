#include "flow-image.h"
#include "handlers.h"

void ash_flow_hooks_done(AshFlowHooks *h) {
        for (size_t i = 0; i < h->n_packages; i++)
                ash_bytes_done(&h->blobs[i]);
        free(h->blobs);
        ash_arena_free(h->arena);
}

static int read_header(AshFlow *flow, const AshLock *lock, AshSlice nevra, AshFlowHooks *ret, size_t i, AshHookPackage *package) {
        const AshLockPackage *locked = ash_lock_package(lock, nevra);
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
        _free_ char *name = ash_slice_dup(nevra);
        AshId id;
        if (!locked || ash_id_parse(locked->sha256, &id) < 0 || ash_store_map_blob(flow->store, &id, false, &ret->blobs[i], flow->diags) < 0)
                return -ENOENT; /* not at hand: the plan says so */
        int r = ash_rpm_parse(ash_bytes_slice(&ret->blobs[i]), name, &rpm, flow->diags);
        if (r >= 0)
                *package = (AshHookPackage){ .nevra = nevra, .header = rpm->header.blob };
        return r;
}

int ash_flow_hooks(AshFlow *flow, const AshLock *lock, const AshLockSet *set, AshFlowHooks *ret) {
        *ret = (AshFlowHooks){ .arena = ash_arena_new(), .blobs = ash_calloc(set->n_packages + 1, sizeof *ret->blobs), .n_packages = set->n_packages };
        AshHookPackage *packages = ash_arena_new_items(ret->arena, AshHookPackage, set->n_packages + 1);
        size_t n = 0;
        for (size_t i = 0; i < set->n_packages; i++) {
                int r = read_header(flow, lock, set->packages[i], ret, i, &packages[n]);
                if (r < 0 && r != -ENOENT)
                        return r;
                n += r >= 0;
        }
        ret->unknown = set->n_packages - n;
        int r = ash_hooks_collect(packages, n, ash_handlers, ret->arena, &ret->hooks, flow->diags);
        return r < 0 ? r : ash_hooks_settle(packages, n, &ret->hooks, ret->arena, flow->diags);
}
