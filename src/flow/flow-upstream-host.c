/* Packages of programs that come with Ashlar itself. */
#include "flow-host.h"
#include "flow-upstream-private.h"

static void done_host(AshFlowUpstream *u) { ash_flow_host_free(u->host); }

static int open_host(AshFlowUpstream *u, const AshLockUpstream *pinned _unused_) { return ash_flow_host_open(u->flow->store, u->arch, &u->host, u->flow->diags); }

static const AshId *state_host(const AshFlowUpstream *u) { return &u->host->id; }

static int add_host(AshFlowUpstream *u, const char *label, AshUniverse *universe) {
        ash_universe_add_repo(universe, label, ash_flow_upstream_priority(u));
        if (u->host->there)
                ash_universe_add_package(universe, &u->host->package);
        return 0;
}

static bool has_host(AshFlowUpstream *u, const AshPackage *package) { return u->host->there && ash_slice_eq(package->location, u->host->package.location); }

static int realize_host(AshFlowUpstream *u, const AshPackage *const *packages, size_t n, AshArena *arena, AshLockPackage *ret) {
        const AshPackage *own = &u->host->package;
        for (size_t i = 0; i < n; i++)
                ret[i] = (AshLockPackage){ .nevra = ash_package_nevra(packages[i], arena), .upstream = u->name, .origin = ash_arena_slice(arena, own->location), .sha256 = ash_arena_slice(arena, own->sha256),
                                           .size = own->size };
        return 0;
}

static void lock_host(const AshFlowUpstream *u, AshArena *arena, AshLockUpstream *ret) { ret->snapshot = ash_arena_slice(arena, u->host->package.sha256); }

static int count_host(AshFlowUpstream *u, size_t *ret) {
        *ret = u->host->there;
        return 0;
}

static void package_host(AshFlowUpstream *u, size_t i _unused_, AshArena *arena _unused_, AshPackage *ret) { *ret = u->host->package; }

/* Its state is not pinned: what is in the host's folders is all there is. */
static int rescue_host(AshFlowUpstream *u _unused_, const AshLockPackage *const *packages _unused_, size_t n _unused_) { return 0; }

static int prove_host(AshFlowUpstream *u, const AshLockPackage *locked, AshDiags *diags) {
        if (!u->host->there)
                return ASH_PROOF_NONE;
        int r = ash_flow_prove_text(u, locked, "SHA-256", u->host->package.sha256, locked->sha256, diags);
        return r < 0 ? r : ASH_PROOF_GOOD;
}

const AshFlowUpstreamOps ash_flow_upstream_host = {
        .type = "host", .open = open_host, .done = done_host, .state = state_host, .add = add_host, .has = has_host, .realize = realize_host, .lock = lock_host, .rescue = rescue_host, .prove = prove_host,
        .count = count_host, .package = package_host,
};
