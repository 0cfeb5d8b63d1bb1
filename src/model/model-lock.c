#include "model-lock.h"

AshLock *ash_lock_new(void) {
        AshArena *arena = ash_arena_new();
        AshLock *lock = ash_arena_new_item(arena, AshLock);
        lock->arena = arena;
        return lock;
}

void ash_lock_free_all(AshLock *lock) {
        if (lock)
                ash_arena_free(lock->arena);
}

static int package_cmp(const void *a, const void *b) { return ash_slice_cmp(((const AshLockPackage *) a)->nevra, ((const AshLockPackage *) b)->nevra); }
static int id_cmp(const void *a, const void *b) { return ash_slice_cmp(((const AshLockId *) a)->name, ((const AshLockId *) b)->name); }

static int set_cmp(const void *a, const void *b) {
        const AshLockSet *x = a, *y = b;
        int c = ash_slice_cmp(x->kind, y->kind);
        c = c ? c : ash_slice_cmp(x->name, y->name);
        return c ? c : ash_slice_cmp(x->arch, y->arch);
}

static int upstream_cmp(const void *a, const void *b) {
        const AshLockUpstream *x = a, *y = b;
        int c = ash_slice_cmp(x->name, y->name);
        c = c ? c : ash_slice_cmp(x->arch, y->arch);
        return c ? c : ash_slice_cmp(x->snapshot, y->snapshot);
}

static void sort(void *items, size_t n, size_t size, int (*cmp)(const void *, const void *)) {
        if (n)
                qsort(items, n, size, cmp);
}

void ash_lock_sort(AshLock *lock) {
        sort(lock->packages, lock->n_packages, sizeof *lock->packages, package_cmp);
        sort(lock->sets, lock->n_sets, sizeof *lock->sets, set_cmp);
        sort(lock->upstreams, lock->n_upstreams, sizeof *lock->upstreams, upstream_cmp);
        sort(lock->users, lock->n_users, sizeof *lock->users, id_cmp);
        sort(lock->groups, lock->n_groups, sizeof *lock->groups, id_cmp);
}

const AshLockPackage *ash_lock_package(const AshLock *lock, AshSlice nevra) {
        AshLockPackage key = { .nevra = nevra };
        return lock->n_packages ? bsearch(&key, lock->packages, lock->n_packages, sizeof key, package_cmp) : NULL;
}

const AshLockSet *ash_lock_set(const AshLock *lock, const char *kind, AshSlice name, AshSlice arch) {
        AshLockSet key = { .kind = ash_slice_str(kind), .name = name, .arch = arch };
        return lock->n_sets ? bsearch(&key, lock->sets, lock->n_sets, sizeof key, set_cmp) : NULL;
}
