/* What upstreams of all kinds have in common; what a kind does lies in flow-upstream-KIND.c. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include "flow-upstream-private.h"

static const AshFlowUpstreamOps *const kinds[] = { &ash_flow_upstream_rpmmd, &ash_flow_upstream_apt, &ash_flow_upstream_host, &ash_flow_upstream_components }; /* the first is meant when none is said */

static const AshFlowUpstreamOps *kind_of(const AshUpstream *config) {
        for (size_t i = 0; i < ASH_N(kinds); i++)
                if (ash_slice_eqs(config->repo.type.s, kinds[i]->type))
                        return kinds[i];
        return kinds[0];
}

static AshFlowUpstream *upstream_new(AshFlow *flow, const AshUpstream *config, AshSlice arch) {
        AshFlowUpstream *u = ash_calloc(1, sizeof *u);
        u->flow = flow;
        u->config = config;
        u->arena = ash_arena_new();
        u->name = config->repo.name.s;
        u->arch = arch;
        u->ops = kind_of(config);
        u->type = ash_slice_str(u->ops->type);
        return u;
}

void ash_flow_upstream_free(AshFlowUpstream *u) {
        if (!u)
                return;
        u->ops->done(u);
        ash_arena_free(u->arena);
        free(u);
}

int ash_flow_upstream_rescue(AshFlow *flow, const AshUpstream *config, AshSlice arch, const AshLockPackage *const *packages, size_t n) {
        _cleanup_(ash_flow_upstream_free_p) AshFlowUpstream *u = upstream_new(flow, config, arch);
        return u->ops->rescue(u, packages, n);
}

int ash_flow_upstream_open(AshFlow *flow, const AshUpstream *config, AshSlice arch, const AshLockUpstream *pinned, AshFlowUpstream **ret) {
        _cleanup_(ash_flow_upstream_free_p) AshFlowUpstream *u = upstream_new(flow, config, arch);
        u->pinned = pinned ? ash_flow_copy_state(pinned, u->arena) : NULL;
        int r = u->ops->open(u, u->pinned);
        if (r >= 0)
                *ret = ASH_TAKE(u);
        return r;
}

AshSlice ash_flow_upstream_name(const AshFlowUpstream *u) { return u->name; }
int ash_flow_upstream_add(AshFlowUpstream *u, const char *label, AshUniverse *universe) { return u->ops->add(u, label, universe); }
bool ash_flow_upstream_has(AshFlowUpstream *u, const AshPackage *package) { return u->ops->has(u, package); }
int ash_flow_upstream_realize(AshFlowUpstream *u, const AshPackage *const *packages, size_t n, AshArena *arena, AshLockPackage *ret) { return u->ops->realize(u, packages, n, arena, ret); }
uint64_t ash_flow_upstream_date(const AshFlowUpstream *u) { return u->ops->date ? u->ops->date(u) : 0; }
AshSlice ash_flow_upstream_revision(const AshFlowUpstream *u) { return u->ops->revision ? u->ops->revision(u) : ASH_NOSLICE; }
int ash_flow_upstream_prove(AshFlowUpstream *u, const AshLockPackage *locked, AshDiags *diags) { return u->ops->prove(u, locked, diags); }
int ash_flow_upstream_count(AshFlowUpstream *u, size_t *ret) { return u->ops->count(u, ret); }
void ash_flow_upstream_package(AshFlowUpstream *u, size_t i, AshArena *arena, AshPackage *ret) { u->ops->package(u, i, arena, ret); }

void ash_flow_upstream_lock(const AshFlowUpstream *u, AshArena *arena, AshLockUpstream *ret) {
        *ret = (AshLockUpstream){ .name = ash_arena_slice(arena, u->name), .arch = ash_arena_slice(arena, u->arch), .type = ash_arena_slice(arena, u->type) };
        u->ops->lock(u, arena, ret);
}

/* ---- what only some kinds have ---- */
int ash_flow_upstream_built(AshFlowUpstream *u, const AshMap *paths, AshIndexOwn *own) {
        if (!u->ops->own || !own)
                return u->ops->own != NULL;
        int r = u->ops->own(u, paths, own);
        return r < 0 ? r : 1;
}

int ash_flow_upstream_essential(AshFlowUpstream *u, AshArena *arena, AshSlice **ret, size_t *ret_n) {
        *ret_n = 0;
        *ret = NULL;
        return u->ops->essential ? u->ops->essential(u, arena, ret, ret_n) : 0;
}

int ash_flow_upstream_contents(AshFlowUpstream *u, AshArena *arena, AshFlowContents **ret, size_t *ret_n) {
        *ret_n = 0;
        return u->ops->contents ? u->ops->contents(u, arena, ret, ret_n) : 0;
}

bool ash_flow_upstream_scripts(AshFlowUpstream *u, AshSlice location, AshFlowScripts *ret) {
        *ret = (AshFlowScripts){};
        return u->ops->scripts && u->ops->scripts(u, location, ret);
}

const AshAptTables *ash_flow_upstream_tables(const AshFlowUpstream *u) { return u->ops->tables ? u->ops->tables(u) : NULL; }

AshSlice ash_flow_upstream_lib(const AshFlowUpstream *u) { return ash_slice_eqs(u->arch, "aarch64") ? ASH_S("aarch64-linux-gnu") : ASH_S("x86_64-linux-gnu"); }

/* ---- for the kinds ---- */
AshFlowKey ash_flow_key_new(const char *kind) {
        AshFlowKey k = { ash_digest_new(ASH_SHA256) };
        ash_digest_update(k.digest, kind, strlen(kind) + 1);
        return k;
}

void ash_flow_key_add(AshFlowKey *k, const void *data, size_t n) {
        uint64_t len = n;
        ash_digest_update(k->digest, &len, sizeof len);
        ash_digest_update(k->digest, data, n);
}

AshId ash_flow_key_done(AshFlowKey *k) {
        AshId id;
        ash_digest_final(k->digest, id.sha256);
        ash_digest_free(k->digest);
        return id;
}

AshId ash_flow_upstream_solver_key(const AshFlowUpstream *u) {
        AshFlowKey k = ash_flow_key_new("solv");
        const AshId *state = u->ops->state(u);
        ash_flow_key_add(&k, state->sha256, sizeof state->sha256);
        ash_flow_key_add(&k, u->arch.ptr, u->arch.len);
        ash_flow_key_add(&k, ash_solv_version(), strlen(ash_solv_version()));
        return ash_flow_key_done(&k);
}

/* Of several repositories the lowest number wins in the configuration, the highest in libsolv. */
int ash_flow_upstream_priority(const AshFlowUpstream *u) { return u->config->repo.priority.set ? 99 - (int) u->config->repo.priority.value : u->ops->rank; }

int ash_flow_recall_solv(const AshFlowUpstream *u, const AshId *key, AshUniverse *universe) {
        _bytes_ AshBytes bytes = {};
        int r = ash_store_cache_get(u->flow->store, "solv", key, &bytes);
        return r < 0 ? r : ash_universe_add_solv(universe, ash_bytes_slice(&bytes), NULL);
}

void ash_flow_keep_solv(const AshFlowUpstream *u, const AshId *key, AshUniverse *universe) {
        _close_ int fd = memfd_create("solv", MFD_CLOEXEC);
        _bytes_ AshBytes out = {};
        if (fd >= 0 && ash_universe_write_solv(universe, fd, NULL) >= 0 && lseek(fd, 0, SEEK_SET) == 0 && ash_file_read_fd(fd, 0, &out) >= 0)
                ash_store_cache_put(u->flow->store, "solv", key, ash_bytes_slice(&out));
}

AshLockUpstream *ash_flow_copy_state(const AshLockUpstream *from, AshArena *arena) {
        AshLockUpstream *to = ash_arena_new_item(arena, AshLockUpstream);
        *to = (AshLockUpstream){ .name = ash_arena_slice(arena, from->name), .arch = ash_arena_slice(arena, from->arch), .type = ash_arena_slice(arena, from->type), .snapshot = ash_arena_slice(arena, from->snapshot),
                                 .date = ash_arena_slice(arena, from->date), .key = ash_arena_slice(arena, from->key), .importer = ash_arena_slice(arena, from->importer) };
        to->indices = ash_arena_new_items(arena, AshSlice, from->n_indices + 1);
        for (; to->n_indices < from->n_indices; to->n_indices++)
                to->indices[to->n_indices] = ash_arena_slice(arena, from->indices[to->n_indices]);
        to->contents = ash_arena_new_items(arena, AshSlice, from->n_contents + 1);
        for (; to->n_contents < from->n_contents; to->n_contents++)
                to->contents[to->n_contents] = ash_arena_slice(arena, from->contents[to->n_contents]);
        return to;
}

static int forged(AshFlowUpstream *u, const AshLockPackage *locked, const char *what, AshSlice is, AshSlice said, AshDiags *diags) {
        return ash_fail(diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "the lock says of %.*s that its %s is %.*s; upstream '%.*s' says %.*s", ASH_F(locked->nevra), what, ASH_F(said), ASH_F(u->name), ASH_F(is));
}

int ash_flow_prove_text(AshFlowUpstream *u, const AshLockPackage *locked, const char *what, AshSlice is, AshSlice said, AshDiags *diags) {
        return ash_slice_eq(is, said) ? 0 : forged(u, locked, what, is, said, diags);
}

int ash_flow_prove_size(AshFlowUpstream *u, const AshLockPackage *locked, uint64_t is, AshDiags *diags) {
        char a[24], b[24];
        snprintf(a, sizeof a, "%llu", (unsigned long long) is);
        snprintf(b, sizeof b, "%llu", (unsigned long long) locked->size);
        return is == locked->size ? 0 : forged(u, locked, "size", ash_slice_str(a), ash_slice_str(b), diags);
}

/* ---- which ones a project has ---- */
static bool has_arch(const AshRepo *repo, AshSlice arch) {
        for (size_t i = 0; i < repo->architectures.n; i++)
                if (ash_slice_eq(repo->architectures.items[i].s, arch))
                        return true;
        return !repo->architectures.n || !arch.len;
}

static AshUpstream *make_part(const AshUpstream *upstream, const AshRepo *repo, AshArena *arena) {
        AshUpstream *part = ash_arena_new_item(arena, AshUpstream);
        *part = *upstream;
        part->repo = *repo;
        part->repos = (AshTexts){};
        return part;
}

const AshUpstream **ash_flow_upstream_parts(AshFlow *flow, const AshUpstream *upstream, AshSlice arch, AshArena *arena, size_t *ret_n) {
        const AshUpstream **parts = ash_arena_new_items(arena, const AshUpstream *, upstream->repos.n + 1);
        *ret_n = 0;
        if (!upstream->repos.n && has_arch(&upstream->repo, arch))
                parts[(*ret_n)++] = upstream;
        for (size_t i = 0; i < upstream->repos.n; i++) {
                const AshRepo *repo = ash_config_repo(flow->config, upstream->repos.items[i].s);
                if (repo && has_arch(repo, arch))
                        parts[(*ret_n)++] = make_part(upstream, repo, arena);
        }
        return parts;
}

const AshUpstream *ash_flow_upstream_of_repo(AshFlow *flow, AshSlice name, AshArena *arena) {
        const AshRepo *repo = ash_config_repo(flow->config, name);
        return repo ? make_part(&(AshUpstream){}, repo, arena) : NULL;
}

int ash_flow_unknown_upstream(const AshConfig *config, AshSlice name, AshDiags *diags) {
        const AshUpstreams *all = &ash_config_project(config)->upstreams;
        _str_ AshStr names = {};
        for (size_t i = 0; i < all->n; i++)
                ash_str_appendf(&names, "%s%.*s", i ? ", " : "", ASH_F(all->items[i].repo.name.s));
        int r = ash_fail(diags, -ASH_ERR_CONFIG, ASH_NOWHERE, "the project has no upstream '%.*s'", ASH_F(name));
        if (all->n)
                ash_hint(diags, "it has %s", names.ptr);
        else
                ash_hint(diags, "declare one: [upstreams.NAME] with type = \"apt\" or \"rpm-md\"");
        return r;
}

const AshUpstream *ash_flow_upstream_by_name(AshFlow *flow, AshSlice name, AshArena *arena) {
        const AshUpstreams *all = &ash_config_project(flow->config)->upstreams;
        for (size_t i = 0; i < all->n; i++) {
                size_t n;
                const AshUpstream **parts = ash_flow_upstream_parts(flow, &all->items[i], ASH_NOSLICE, arena, &n);
                for (size_t k = 0; k < n; k++)
                        if (ash_slice_eq(parts[k]->repo.name.s, name))
                                return parts[k];
        }
        return ash_flow_upstream_of_repo(flow, name, arena);
}
