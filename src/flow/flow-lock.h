/* Making and checking the lock. */
#pragma once
#include "flow-upstream.h"

typedef struct AshFlowLockOptions {
        const char *upstream;              /* --upstream, or NULL: the default one */
        const char *path;                  /* of the lock */
        bool update;                       /* take the newest of everything (n_packages 0), or of these packages; else keep what is locked as far as it goes */
        const char *const *packages;
        size_t n_packages;
        bool after_build;                  /* made again because something was built: what was said of packages that it has already is not said again */
        bool dry_run;                      /* solve only: no package is fetched, and no lock written */
} AshFlowLockOptions;

typedef struct AshFlowLockResult {
        AshStr changes;                    /* one line each */
        AshStr kept;                       /* "debian-13 of Sat, 12 Sep 2026 07:55:41 UTC": states that the lock pinned before and that stay, with ", " between; empty: none */
        size_t n_changes, packages, sets;
        uint64_t bytes;                    /* of all packages */
        bool written, first;               /* first: there was no lock before */
} AshFlowLockResult;
void ash_flow_lock_result_done(AshFlowLockResult *r);

int ash_flow_lock(AshFlow *flow, const AshFlowLockOptions *options, AshFlowLockResult *ret);
/* 0: the lock answers what the project asks for now, and what it says of each package is what the pinned metadata says (which is fetched when the store does not have it) and what an import
 * gave. 1: something else is asked for (with diagnostics). -ASH_ERR_VERIFY: a package is not what the lock says; each is named. Writes nothing but the store's cache. */
int ash_flow_lock_check(AshFlow *flow, const AshFlowLockOptions *options);
/* For whoever builds from a lock: -ASH_ERR_CONFIG when an image or a channel ("image", "channel") asks for other packages now than the lock answers. 0 also when the lock does not have it. */
int ash_flow_lock_answers(AshFlow *flow, const AshLock *lock, const char *kind, AshSlice name);
