#include <stdio.h>
#include "flow-built.h"
#include "flow-closure.h"
#include "flow-lock.h"
#include "flow-repo.h"

void ash_flow_repo_result_done(AshFlowRepoResult *r) {
        ash_array_foreach(&r->done, d)
                free(d->path);
        ash_array_done(&r->done);
}

typedef struct Publisher {
        AshFlow *flow;
        const AshFlowRepoOptions *o;
        const AshLock *lock;
        AshArena *arena;
        AshFlowRepoResult *ret;
        ASH_ARRAY(AshRepoPrepared *) prepared; /* one for each of ret->done */
} Publisher;

/* Does a channel that names its upstreams or repositories name that one? */
static bool comes_from(const Publisher *p, const AshChannel *channel, AshSlice upstream) {
        for (size_t i = 0; i < channel->upstreams.n; i++) {
                size_t n;
                const AshUpstream *u = ash_config_upstream(p->flow->config, channel->upstreams.items[i].s), **parts = u ? ash_flow_upstream_parts(p->flow, u, ASH_NOSLICE, p->arena, &n) : NULL;
                for (size_t k = 0; parts && k < n; k++)
                        if (ash_slice_eq(parts[k]->repo.name.s, upstream))
                                return true;
        }
        for (size_t i = 0; i < channel->repos.n; i++)
                if (ash_slice_eq(channel->repos.items[i].s, upstream))
                        return true;
        return !channel->upstreams.n;
}

/* A package that a component gave: its own settings come first, and source packages have a channel of their own. */
static AshText built_rule(const Publisher *p, const AshLockPackage *package, const AshPackage *nevra, bool debug) {
        const AshComponent *component = NULL;
        AshSlice name = ash_flow_built_component(package->origin);
        if (!ash_config_find_component(p->flow->config, name) || ash_config_component(p->flow->config, name, &component, p->flow->diags) < 0)
                return (AshText){}; /* a component that is gone: its packages are published no more */
        if (ash_slice_eqs(nevra->arch, "src"))
                return component->merged->publish.srpm_channel;
        return ash_config_package_channel(p->flow->config, component->merged, nevra->name, debug);
}

static AshSlice publishing_rule(const Publisher *p, const AshLockPackage *package, const AshPackage *nevra) {
        bool debug = ash_slice_ends(nevra->name, ASH_S("-debuginfo")) || ash_slice_ends(nevra->name, ASH_S("-debugsource"));
        if (ash_flow_is_built(p->lock, package))
                return built_rule(p, package, nevra, debug).s;
        AshSlice rule = debug ? ash_config_package_channel(p->flow->config, NULL, nevra->name, true).s : ASH_NOSLICE;
        return rule.len ? rule : ash_config_package_channel(p->flow->config, NULL, nevra->name, false).s;
}

/* A package belongs to a channel when the channel asked for it (itself or through a dependency), or when the project's publishing rules say so. */
static bool belongs(const Publisher *p, const AshChannel *channel, const AshLockPackage *package, const AshPackage *nevra, AshSlice arch) {
        const AshLockSet *set = ash_lock_set(p->lock, "channel", channel->name.s, arch);
        for (size_t i = 0; set && i < set->n_packages; i++)
                if (ash_slice_eq(set->packages[i], package->nevra))
                        return true;
        return (ash_flow_is_built(p->lock, package) || comes_from(p, channel, package->upstream)) && ash_slice_eq(publishing_rule(p, package, nevra), channel->name.s);
}

/* Packages of an architecture: its own, and those of its family or without one that something of this architecture needs. */
static bool fits(const Publisher *p, const AshLockPackage *package, const AshPackage *nevra, AshSlice arch) {
        if (ash_slice_eq(nevra->arch, arch) || !ash_arch_fits(nevra->arch, arch))
                return ash_slice_eq(nevra->arch, arch);
        if (ash_flow_is_built(p->lock, package) && ash_slice_eqs(nevra->arch, "noarch")) /* locked for what it is, not because something needs it */
                return !ash_slice_eqs(arch, "src");
        for (size_t i = 0; i < p->lock->n_sets; i++)
                for (size_t k = 0; ash_slice_eq(p->lock->sets[i].arch, arch) && k < p->lock->sets[i].n_packages; k++)
                        if (ash_slice_eq(p->lock->sets[i].packages[k], package->nevra))
                                return true;
        return false;
}

typedef ASH_ARRAY(const AshLockPackage *) Packages;

/* What this pinned state of an upstream has of what is missing, brought into the store. */
static int realize_missing(Publisher *p, AshFlowUpstream *u, const Packages *missing) {
        const AshPackage **packages = ash_arena_new_items(p->arena, const AshPackage *, missing->n);
        const AshLockPackage **locked = ash_arena_new_items(p->arena, const AshLockPackage *, missing->n);
        AshLockPackage *got = ash_arena_new_items(p->arena, AshLockPackage, missing->n);
        size_t n = 0;
        for (size_t i = 0; i < missing->n; i++) {
                AshPackage *one = ash_arena_new_item(p->arena, AshPackage);
                ash_nevra_parse(missing->items[i]->nevra, one);
                one->location = missing->items[i]->origin;
                if (!ash_flow_upstream_has(u, one))
                        continue;
                locked[n] = missing->items[i];
                packages[n++] = one;
        }
        int r = n ? ash_flow_upstream_realize(u, packages, n, p->arena, got) : 0;
        for (size_t i = 0; r >= 0 && i < n; i++)
                if (!ash_slice_eq(got[i].sha256, locked[i]->sha256)) {
                        r = ash_fail(p->flow->diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "%.*s is not what the lock says: SHA-256 %.*s, locked is %.*s", ASH_F(locked[i]->nevra), ASH_F(got[i].sha256),
                                     ASH_F(locked[i]->sha256));
                        ash_hint(p->flow->diags, "another version of Ashlar, or other tables, make other packages: 'ashlar lock' records what they make now");
                }
        return r;
}

/* The pinned state is gone: the lock has path and digest of each package. What went wrong before is told only when that does not help. */
static int rescue(Publisher *p, const AshUpstream *config, const AshLockUpstream *pinned, const Packages *missing, int failed, AshDiags *why) {
        _cleanup_(ash_diags_free_p) AshDiags *tries = ash_diags_new();
        AshFlow quiet = *p->flow;
        quiet.diags = tries;
        int r = ash_flow_upstream_rescue(&quiet, config, pinned->arch, missing->items, missing->n);
        size_t left = 0;
        for (size_t i = 0; i < missing->n; i++) {
                AshId id;
                left += ash_id_parse(missing->items[i]->sha256, &id) < 0 || !ash_store_has_blob(p->flow->store, &id);
        }
        if (r >= 0 && !left) {
                ash_warn(p->flow->diags, config->repo.name.at, "upstream '%.*s' does not have the state any more that the lock pins: %zu package%s fetched by path and digest", ASH_F(pinned->name), ASH_COUNT(missing->n));
                return 0;
        }
        ash_diags_merge(p->flow->diags, why);
        ash_diags_merge(p->flow->diags, tries);
        return r == -ASH_ERR_VERIFY ? r : failed;
}

static int bring_back(Publisher *p, const AshLockUpstream *pinned, const Packages *missing) {
        _cleanup_(ash_flow_upstream_free_p) AshFlowUpstream *u = NULL;
        _cleanup_(ash_diags_free_p) AshDiags *why = ash_diags_new();
        const AshUpstream *config = ash_flow_upstream_by_name(p->flow, pinned->name, p->arena);
        AshFlow quiet = *p->flow;
        if (!config)
                return ash_fail(p->flow->diags, -ASH_ERR_CONFIG, ASH_NOWHERE, "the lock names the upstream '%.*s', which the project does not have", ASH_F(pinned->name));
        quiet.diags = why;
        int r = ash_flow_upstream_open(&quiet, config, pinned->arch, pinned, &u);
        if (r == -ASH_ERR_VERIFY || r == -ASH_ERR_AGAIN || r == -ENOENT)
                return rescue(p, config, pinned, missing, r, why);
        if (r >= 0)
                r = realize_missing(p, u, missing);
        ash_diags_merge(p->flow->diags, why);
        return r;
}

/* Packages of that upstream and architecture (empty: of any) that the store does not have. */
static void find_missing(AshStore *store, const AshLockPackage *const *wanted, size_t n, AshSlice upstream, AshSlice arch, Packages *ret) {
        for (size_t i = 0; i < n; i++) {
                AshPackage nevra;
                AshId id;
                if (ash_nevra_parse(wanted[i]->nevra, &nevra) < 0 || ash_id_parse(wanted[i]->sha256, &id) < 0 || ash_store_has_blob(store, &id))
                        continue;
                if (!upstream.len || (ash_slice_eq(wanted[i]->upstream, upstream) && ash_arch_fits(nevra.arch, arch)))
                        ash_array_push(ret, wanted[i]);
        }
}

int ash_flow_ensure_packages(AshFlow *flow, const AshLock *lock, const AshLockPackage *const *wanted, size_t n) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        Publisher p = { .flow = flow, .lock = lock, .arena = arena };
        Packages left = {};
        int r = 0;
        for (size_t i = 0; r >= 0 && i < lock->n_upstreams; i++) {
                Packages missing = {};
                find_missing(flow->store, wanted, n, lock->upstreams[i].name, lock->upstreams[i].arch, &missing);
                if (missing.n)
                        r = bring_back(&p, &lock->upstreams[i], &missing);
                for (size_t k = 0; r < 0 && k < missing.n && k < 3; k++)
                        ash_note(flow->diags, ASH_NOWHERE, "%.*s is locked and not in the store", ASH_F(missing.items[k]->nevra));
                ash_array_done(&missing);
        }
        if (r >= 0)
                find_missing(flow->store, wanted, n, ASH_NOSLICE, ASH_NOSLICE, &left);
        ash_array_foreach(&left, m)
                r = ash_fail(flow->diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "%.*s is locked, and neither the store nor upstream '%.*s' has it", ASH_F((*m)->nevra), ASH_F((*m)->upstream));
        ash_array_done(&left);
        return r;
}

/* The packages of a channel for one architecture. */
static void collect(const Publisher *p, const AshChannel *channel, AshSlice arch, Packages *ret) {
        for (size_t i = 0; i < p->lock->n_packages; i++) {
                const AshLockPackage *package = &p->lock->packages[i];
                AshPackage nevra;
                if (ash_nevra_parse(package->nevra, &nevra) >= 0 && fits(p, package, &nevra, arch) && belongs(p, channel, package, &nevra, arch))
                        ash_array_push(ret, package);
        }
}

/* Packages of the channels that it requires, and of those that they require. */
static void collect_required(const Publisher *p, const AshChannel *channel, AshSlice arch, AshMap *seen, Packages *ret) {
        for (size_t i = 0; i < channel->requires_channels.n; i++) {
                const AshChannel *other = ash_config_channel(p->flow->config, channel->requires_channels.items[i].s);
                bool fresh = false;
                if (other)
                        ash_map_ensure(seen, other->name.s, &fresh);
                if (!fresh)
                        continue;
                collect(p, other, arch, ret);
                collect_required(p, other, arch, seen, ret);
        }
}

static int check_closure(Publisher *p, const AshChannel *channel, AshSlice arch, const Packages *own) {
        Packages required = {};
        _map_ AshMap seen = {};
        size_t missing = 0;
        if (ash_slice_eqs(channel->kind.s, "source")) /* what they require is for building them, and is no business of a client of this channel */
                return 0;
        ash_map_put(&seen, channel->name.s, NULL, NULL);
        collect_required(p, channel, arch, &seen, &required);
        int r = ash_flow_ensure_packages(p->flow, p->lock, required.items, required.n);
        if (r == -ENOENT) /* said already; below it means that something has gone meanwhile */
                r = -EIO;
        AshFlowClosure c = { channel->name.s, arch, channel->name.at, own->items, required.items, own->n, required.n };
        if (r >= 0)
                r = ash_flow_closure(p->flow->store, &c, &missing, p->flow->diags);
        ash_array_done(&required);
        if (r < 0 || !missing || !p->o->closed)
                return r;
        r = ash_fail(p->flow->diags, -ASH_ERR_UNSOLVABLE, channel->name.at, "channel '%.*s' (%.*s) is not closed: %zu requirements are not met", ASH_F(channel->name.s), ASH_F(arch), missing);
        ash_hint(p->flow->diags, "add what provides them to its packages, or name the channel that has it in 'requires'");
        return r;
}

/* ---- what clients see beside packages ---- */
static AshSlice *texts(AshTexts from, AshArena *arena) {
        AshSlice *to = ash_arena_new_items(arena, AshSlice, from.n);
        for (size_t i = 0; i < from.n; i++)
                to[i] = from.items[i].s;
        return to;
}

static void add_groups(Publisher *p, const AshChannel *channel, AshRepoOptions *o) {
        const AshPackageGroups *all = &ash_config_project(p->flow->config)->package_groups;
        AshRepoGroup *groups = ash_arena_new_items(p->arena, AshRepoGroup, channel->groups.n);
        o->groups = groups;
        for (size_t i = 0; i < channel->groups.n; i++)
                for (size_t k = 0; k < all->n; k++) {
                        const AshPackageGroup *g = &all->items[k];
                        if (ash_slice_eq(g->name.s, channel->groups.items[i].s))
                                groups[o->n_groups++] = (AshRepoGroup){ .id = g->name.s, .name = g->name.s, .description = g->description.s, .mandatory = texts(g->packages, p->arena), .n_mandatory = g->packages.n };
                }
}

/* The k-th architecture that a channel is published for; empty past the last. Source packages have none: they stand in one repository. */
static AshSlice channel_arch(const AshChannel *channel, size_t k) {
        if (ash_slice_eqs(channel->kind.s, "source"))
                return k == 0 ? ASH_S("src") : ASH_S("");
        if (!channel->architectures.n)
                return k == 0 ? ASH_S("x86_64") : ASH_S("");
        return k < channel->architectures.n ? channel->architectures.items[k].s : ASH_S("");
}

static bool is_in_a_channel(const Publisher *p, AshSlice nevra) {
        const AshChannels *channels = &ash_config_project(p->flow->config)->channels;
        bool found = false;
        for (size_t i = 0; i < channels->n && !found; i++)
                for (size_t k = 0; channel_arch(&channels->items[i], k).len && !found; k++) {
                        Packages own = {};
                        collect(p, &channels->items[i], channel_arch(&channels->items[i], k), &own);
                        ash_array_foreach(&own, one)
                                found |= ash_slice_eq((*one)->nevra, nevra);
                        ash_array_done(&own);
                }
        return found;
}

/* An advisory goes to the channels that have its packages. What no channel has is most likely a slip of the pen, or the fix is not locked yet. */
static void check_advisories(Publisher *p) {
        const AshAdvisories *all = &ash_config_project(p->flow->config)->advisories;
        for (size_t i = 0; i < all->n; i++)
                for (size_t k = 0; k < all->items[i].packages.n; k++) {
                        AshText nevra = all->items[i].packages.items[k];
                        if (is_in_a_channel(p, nevra.s))
                                continue;
                        ash_warn(p->flow->diags, nevra.at, "advisory %.*s names %.*s, which no channel has: clients are not told of it", ASH_F(all->items[i].name.s), ASH_F(nevra.s));
                        ash_hint(p->flow->diags, "the lock knows which versions there are; 'ashlar lock --update PACKAGE' takes a newer one");
                }
}

static AshSlice midnight(AshText day, AshArena *arena) { return ash_text_set(day) ? ash_slice_str(ash_arena_printf(arena, "%.*s 00:00:00", ASH_F(day.s))) : ASH_NOSLICE; }

static void add_advisories(Publisher *p, AshRepoOptions *o) {
        const AshAdvisories *all = &ash_config_project(p->flow->config)->advisories;
        AshRepoAdvisory *list = ash_arena_new_items(p->arena, AshRepoAdvisory, all->n);
        o->advisories = list;
        for (; o->n_advisories < all->n; o->n_advisories++) {
                const AshAdvisory *a = &all->items[o->n_advisories];
                AshRepoAdvisory *to = &list[o->n_advisories];
                *to = (AshRepoAdvisory){ .id = a->name.s, .type = a->type.s, .severity = a->severity.s, .title = a->title.s, .summary = a->summary.s, .description = a->description.s, .rights = a->rights.s,
                                         .issued = midnight(a->issued, p->arena), .updated = midnight(a->updated, p->arena), .packages = texts(a->packages, p->arena), .n_packages = a->packages.n };
                to->references = ash_arena_new_items(p->arena, AshRepoAdvisoryRef, a->references.n);
                for (; to->n_references < a->references.n; to->n_references++) {
                        const AshAdvisoryReference *ref = &a->references.items[to->n_references];
                        to->references[to->n_references] = (AshRepoAdvisoryRef){ .type = ash_text_set(ref->type) ? ref->type.s : ASH_S("other"), .id = ref->id.s, .href = ref->url.s, .title = ref->title.s };
                }
        }
}

/* A ready document is only looked at: it must be one that clients can read. */
static int add_comps(Publisher *p, const AshChannel *channel, AshBytes *bytes, AshRepoOptions *o) {
        if (!ash_text_set(channel->comps)) {
                add_groups(p, channel, o);
                return 0;
        }
        const char *path = channel->comps.s.ptr;
        AshComps comps;
        int r = ash_file_read(AT_FDCWD, path, 64 << 20, bytes);
        if (r < 0)
                return ash_fail(p->flow->diags, r, channel->comps.at, "cannot read '%s': %s", path, ash_strerror(r));
        o->comps_xml = ash_bytes_slice(bytes);
        _cleanup_(ash_reader_free_p) AshReader *reader = ash_reader_new_memory(o->comps_xml);
        r = ash_comps_parse(reader, path, p->arena, &comps, p->flow->diags);
        return r < 0 ? -ASH_ERR_CONFIG : 0;
}

/* Where a channel stands: its path with $basearch in it, or with the architecture below it. */
static char *channel_path(const AshChannel *channel, AshSlice arch) {
        AshSlice path = ash_text_set(channel->path) ? channel->path.s : channel->name.s;
        ptrdiff_t at = ash_slice_find(path, ASH_S("$basearch"));
        if (at < 0)
                return ash_asprintf("%.*s/%.*s", ASH_F(path), ASH_F(arch));
        return ash_asprintf("%.*s%.*s%.*s", ASH_F(ash_slice(path.ptr, (size_t) at)), ASH_F(arch), ASH_F(ash_slice_from(path, (size_t) at + 9)));
}

/* Digests the packages that publishing reads; those that are damaged are dropped. Is any not there (any more)? */
static bool drop_damaged(const Publisher *p, const AshChannel *channel, AshSlice arch) {
        Packages all = {};
        _map_ AshMap seen = {};
        bool lost = false;
        collect(p, channel, arch, &all);
        ash_map_put(&seen, channel->name.s, NULL, NULL);
        collect_required(p, channel, arch, &seen, &all);
        ash_array_foreach(&all, package) {
                _bytes_ AshBytes bytes = {};
                AshId id;
                if (ash_id_parse((*package)->sha256, &id) >= 0)
                        lost |= ash_store_map_blob(p->flow->store, &id, true, &bytes, p->flow->diags) == -ENOENT;
        }
        ash_array_done(&all);
        return lost;
}

/* ret_lost: packages that were in the store were found to be damaged on the way, and are gone now. */
static int prepare_inputs(Publisher *p, const AshChannel *channel, AshSlice arch, const Packages *own, const AshRepoInput *inputs, const AshRepoOptions *o, const char *path, AshRepoPrepared **ret,
                          bool *ret_lost) {
        *ret_lost = false;
        int r = ash_flow_ensure_packages(p->flow, p->lock, own->items, own->n);
        if (r < 0)
                return r;
        r = check_closure(p, channel, arch, own);
        if (r >= 0)
                r = ash_repo_prepare(p->flow->store, p->o->output, path, inputs, own->n, o, ret, p->flow->progress, p->flow->diags);
        *ret_lost = r == -ENOENT && drop_damaged(p, channel, arch);
        return r;
}

/* A channel that asks for packages and has none in the lock is no empty channel: the lock is older than it. */
static int check_locked(const Publisher *p, const AshChannel *channel, AshSlice arch) {
        if (!channel->packages.n || ash_slice_eqs(channel->kind.s, "source"))
                return 0;
        if (ash_lock_set(p->lock, "channel", channel->name.s, arch))
                return ash_flow_lock_answers(p->flow, p->lock, "channel", channel->name.s);
        int r = ash_fail(p->flow->diags, -ASH_ERR_CONFIG, channel->name.at, "the channel '%.*s' (%.*s) is not in the lock", ASH_F(channel->name.s), ASH_F(arch));
        ash_hint(p->flow->diags, "'ashlar lock' brings the lock up to date");
        return r;
}

static int prepare(Publisher *p, const AshChannel *channel, AshSlice arch) {
        _bytes_ AshBytes comps = {};
        Packages own = {};
        AshRepoOptions o = p->o->repo;
        AshRepoPrepared *prepared = NULL;
        char *path = channel_path(channel, arch);
        ash_array_push(&p->ret->done, ((AshFlowRepoDone){ .channel = channel->name.s, .arch = arch, .path = path }));
        if (!o.time)
                o.time = p->lock->source_date_epoch;
        if (ash_slice_eqs(channel->compression.s, "gzip"))
                o.compression = ASH_COMP_GZIP;
        add_advisories(p, &o);
        int r = check_locked(p, channel, arch);
        if (r >= 0)
                r = add_comps(p, channel, &comps, &o);
        collect(p, channel, arch, &own);
        AshRepoInput *inputs = ash_arena_new_items(p->arena, AshRepoInput, own.n);
        for (size_t i = 0; i < own.n; i++) {
                ash_id_parse(own.items[i]->sha256, &inputs[i].id);
                inputs[i].nevra = own.items[i]->nevra;
                inputs[i].label = ash_arena_strndup(p->arena, own.items[i]->nevra.ptr, own.items[i]->nevra.len);
        }
        bool lost = false;
        if (r >= 0)
                r = prepare_inputs(p, channel, arch, &own, inputs, &o, path, &prepared, &lost);
        if (lost) /* they are fetched again */
                r = prepare_inputs(p, channel, arch, &own, inputs, &o, path, &prepared, &lost);
        if (lost)
                r = ash_fail(p->flow->diags, -ASH_ERR_AGAIN, channel->name.at, "packages of channel '%.*s' vanish from the store while they are published", ASH_F(channel->name.s));
        ash_array_done(&own);
        if (prepared)
                ash_array_push(&p->prepared, prepared);
        return r;
}

static void prepared_done(Publisher *p) {
        ash_array_foreach(&p->prepared, q)
                ash_repo_prepared_free(*q);
        ash_array_done(&p->prepared);
}

/* Each switches by one rename, one right after the other: all were whole before the first. */
static int commit(Publisher *p) {
        for (size_t i = 0; i < p->prepared.n; i++) {
                AshFlowRepoDone *done = &p->ret->done.items[i];
                const AshChannel *channel = ash_config_channel(p->flow->config, done->channel);
                unsigned keep = p->o->keep ? p->o->keep : channel->generations.set ? (unsigned) channel->generations.value : 0;
                int r = ash_repo_commit(p->prepared.items[i], keep, &done->result, p->flow->diags);
                if (r < 0) {
                        for (size_t k = 0; k < i; k++)
                                ash_note(p->flow->diags, ASH_NOWHERE, "%s is published already", p->ret->done.items[k].path);
                        return r;
                }
        }
        return 0;
}

static bool is_wanted(const Publisher *p, const AshChannel *channel) {
        for (size_t i = 0; i < p->o->n_channels; i++)
                if (ash_slice_eqs(channel->name.s, p->o->channels[i]))
                        return true;
        return p->o->n_channels == 0;
}

static int check_names(Publisher *p) {
        int r = 0;
        for (size_t i = 0; i < p->o->n_channels; i++)
                if (!ash_config_channel(p->flow->config, ash_slice_str(p->o->channels[i])))
                        r = ash_fail(p->flow->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "the project has no channel '%s'", p->o->channels[i]);
        return r;
}

int ash_flow_repo(AshFlow *flow, const AshFlowRepoOptions *options, AshFlowRepoResult *ret) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _cleanup_(ash_lock_free_all_p) AshLock *lock = NULL;
        const AshProject *project = ash_config_project(flow->config);
        int r = ash_lock_read(options->lock_path, &lock, flow->diags);
        if (r == -ENOENT) {
                r = ash_fail_file(flow->diags, r, options->lock_path, "there is no lock yet");
                ash_hint(flow->diags, "'ashlar lock' makes it");
        }
        Publisher p __attribute__((__cleanup__(prepared_done))) = { .flow = flow, .o = options, .lock = lock, .arena = arena, .ret = ret };
        if (r >= 0)
                r = check_names(&p);
        if (r >= 0 && !project->channels.n)
                r = ash_fail_file(flow->diags, -ASH_ERR_CONFIG, ash_config_file(flow->config), "the project declares no channel: [channels.NAME]");
        if (r >= 0)
                check_advisories(&p);
        for (size_t i = 0; r >= 0 && i < project->channels.n; i++) {
                const AshChannel *channel = &project->channels.items[i];
                for (size_t k = 0; r >= 0 && is_wanted(&p, channel) && channel_arch(channel, k).len; k++)
                        r = prepare(&p, channel, channel_arch(channel, k));
        }
        return r < 0 ? r : commit(&p);
}
