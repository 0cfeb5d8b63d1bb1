#include <unistd.h>
#include "flow-built.h"
#include "flow-package.h"

char *ash_flow_built_path(const AshConfig *config) { return ash_asprintf("%s/" ASH_BUILT_NAME, ash_config_dir(config)); }
AshSlice ash_flow_built_origin(const AshBuiltComponent *c, AshArena *arena) { return ash_slice_str(ash_arena_printf(arena, "%.*s/%.*s", ASH_F(c->name), ASH_F(c->arch))); }
AshSlice ash_flow_built_component(AshSlice origin) { return ash_path_dir(origin); }

void ash_flow_built_free(AshFlowBuilt *b) {
        if (!b)
                return;
        ash_array_foreach(&b->owns, own)
                ash_own_free(*own);
        ash_array_done(&b->owns);
        ash_map_done(&b->paths);
        ash_bytes_done(&b->kept);
        free(b->place);
        ash_array_done(&b->items);
        ash_built_free(b->built);
        ash_arena_free(b->arena);
        free(b);
}

/* A package belongs to the architecture that its component was built for: one without an architecture of its own, too. */
static void collect(AshFlowBuilt *b, AshSlice arch) {
        _str_ AshStr state = {};
        ash_array_foreach(&b->built->components, c) {
                if (arch.len && !ash_slice_eq(c->arch, arch))
                        continue;
                for (size_t i = 0; i < c->n_packages; i++) {
                        ash_str_appendf(&state, "%.*s %.*s\n", ASH_F(c->packages[i].sha256), ASH_F(c->packages[i].nevra));
                        for (size_t k = 0; k < c->packages[i].n_needs; k++)
                                ash_str_appendf(&state, " %.*s\n", ASH_F(c->packages[i].needs[k].package));
                        if (c->packages[i].kind == ASH_BUILT_BINARY)
                                ash_array_push(&b->items, ((AshFlowBuiltPackage){ c, &c->packages[i] }));
                }
        }
        b->state = ash_id_of(ash_str_slice(&state));
}

int ash_flow_built_open(const char *path, AshSlice arch, AshFlowBuilt **ret, AshDiags *diags) {
        _cleanup_(ash_flow_built_free_p) AshFlowBuilt *b = ash_calloc(1, sizeof *b);
        b->arena = ash_arena_new();
        b->place = realpath(path, NULL);
        if (!b->place)
                b->place = ash_strdup(path);
        int r = ash_built_read(path, &b->built, diags);
        if (r < 0)
                return r;
        collect(b, arch);
        *ret = ASH_TAKE(b);
        return 0;
}

/* ---- the state of all but one ---- */
static AshId digest_component(const AshBuiltComponent *c) {
        _str_ AshStr text = {};
        for (size_t i = 0; i < c->n_packages; i++)
                if (c->packages[i].kind == ASH_BUILT_BINARY) {
                        ash_str_appendf(&text, "%.*s %.*s", ASH_F(c->packages[i].sha256), ASH_F(c->packages[i].nevra));
                        for (size_t k = 0; k < c->packages[i].n_needs; k++)
                                ash_str_appendf(&text, " %.*s", ASH_F(c->packages[i].needs[k].package));
                        ash_str_append_char(&text, '\n');
                }
        return ash_id_of(ash_str_slice(&text));
}

static uint8_t bucket_of(AshSlice component) { return ash_id_of(component).sha256[0]; }

/* Of those in a bucket that are not called so. */
static AshId digest_bucket(const AshFlowBuiltState *s, int bucket, AshSlice without) {
        _str_ AshStr text = {};
        for (uint32_t k = s->from[bucket]; k < s->from[bucket + 1]; k++) {
                uint32_t i = s->sorted[k];
                if (!ash_slice_eq(s->built->components.items[i].name, without))
                        ash_str_append(&text, ash_slice((const char *) s->of[i].sha256, sizeof s->of[i].sha256));
        }
        return ash_id_of(ash_str_slice(&text));
}

void ash_flow_built_state_make(AshFlowBuiltState *s, const AshBuilt *built, AshSlice arch) {
        size_t n = built->components.n;
        *s = (AshFlowBuiltState){ .built = built, .arch = arch, .of = ash_calloc(n + 1, sizeof *s->of), .sorted = ash_calloc(n + 1, sizeof *s->sorted) };
        _free_ int16_t *bucket = ash_calloc(n + 1, sizeof *bucket);
        uint32_t end[256] = {};
        for (size_t i = 0; i < n; i++) {
                const AshBuiltComponent *c = &built->components.items[i];
                bucket[i] = ash_slice_eq(c->arch, arch) ? bucket_of(c->name) : -1;
                if (bucket[i] < 0)
                        continue;
                s->of[i] = digest_component(c);
                end[bucket[i]]++;
        }
        for (int b = 0; b < 256; b++) {
                s->from[b + 1] = s->from[b] + end[b];
                end[b] = s->from[b];
        }
        for (size_t i = 0; i < n; i++)
                if (bucket[i] >= 0)
                        s->sorted[end[bucket[i]]++] = (uint32_t) i;
        for (int b = 0; b < 256; b++)
                s->buckets[b] = digest_bucket(s, b, ASH_NOSLICE);
}

void ash_flow_built_state_done(AshFlowBuiltState *s) {
        free(s->of);
        free(s->sorted);
        *s = (AshFlowBuiltState){};
}

AshId ash_flow_built_state_without(const AshFlowBuiltState *s, AshSlice component) {
        AshId all[256];
        int bucket = bucket_of(component);
        memcpy(all, s->buckets, sizeof all);
        all[bucket] = digest_bucket(s, bucket, component);
        return ash_id_of(ash_slice((const char *) all, sizeof all));
}

static bool is_whole(const AshBuiltComponent *c, AshStore *store) {
        for (size_t i = 0; i < c->n_packages; i++) {
                AshId id;
                if (c->packages[i].kind == ASH_BUILT_BINARY && (ash_id_parse(c->packages[i].sha256, &id) < 0 || !ash_store_has_blob(store, &id)))
                        return false;
        }
        return true;
}

void ash_flow_built_for_build(AshFlowBuilt *b, AshStore *store, AshSlice component, AshDiags *diags) {
        _str_ AshStr state = {};
        const AshBuiltComponent *last = NULL;
        size_t n = 0;
        bool whole = false;
        ash_array_foreach(&b->items, item) {
                if (item->component != last) {
                        last = item->component;
                        whole = is_whole(last, store);
                        if (!whole && !ash_slice_eq(last->name, component))
                                ash_warn(diags, ASH_NOWHERE, "'%.*s' was built here, but is not in the store any more: builds do not see it", ASH_F(last->name));
                }
                if (!whole || ash_slice_eq(last->name, component))
                        continue;
                ash_str_appendf(&state, "%.*s %.*s\n", ASH_F(item->built->sha256), ASH_F(item->built->nevra));
                b->items.items[n++] = *item;
        }
        b->items.n = n;
        b->state = ash_id_of(ash_str_slice(&state));
}

int ash_flow_built_gone(AshSlice component, AshSlice nevra, AshDiags *diags) {
        int r = ash_fail(diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "%.*s was built here, but is not in the store any more", ASH_F(nevra));
        ash_hint(diags, "'ashlar component build %.*s' makes it again, from the states of the lock; where that is gone too, it can only be made without ashlar.built", ASH_F(component));
        return r;
}

void ash_flow_built_items(const AshFlowBuilt *b, const AshBuiltComponent *component, size_t *ret_first, size_t *ret_n) {
        size_t from = 0, to = b->items.n; /* they are in the order of the components */
        while (from < to) {
                size_t middle = from + (to - from) / 2;
                if (b->items.items[middle].component < component)
                        from = middle + 1;
                else
                        to = middle;
        }
        for (*ret_first = from; to < b->items.n && b->items.items[to].component == component;)
                to++;
        *ret_n = to - from;
}

/* "NAME/ARCH/NEVRA" */
const AshFlowBuiltPackage *ash_flow_built_at(const AshFlowBuilt *b, AshSlice location) {
        AshSlice origin = ash_path_dir(location), nevra = ash_path_base(location);
        const AshBuiltComponent *component = ash_built_find(b->built, ash_path_dir(origin), ash_path_base(origin));
        size_t first, n;
        if (!component)
                return NULL;
        ash_flow_built_items(b, component, &first, &n);
        for (size_t i = first; i < first + n; i++)
                if (ash_slice_eq(b->items.items[i].built->nevra, nevra))
                        return &b->items.items[i];
        return NULL;
}

/* ---- in locks ---- */
bool ash_flow_is_built(const AshLock *lock, const AshLockPackage *package) {
        for (size_t i = 0; i < lock->n_upstreams; i++)
                if (ash_slice_eq(lock->upstreams[i].name, package->upstream))
                        return ash_slice_eqs(lock->upstreams[i].type, "components");
        return false;
}

int ash_flow_built_lock(AshFlow *flow, AshSlice upstream, AshArena *arena, AshLockPackage **ret, size_t *ret_n) {
        _cleanup_(ash_built_free_p) AshBuilt *built = NULL;
        _free_ char *path = ash_flow_built_path(flow->config);
        _map_ AshMap seen = {};
        size_t n = 0;
        int r = ash_built_read(path, &built, flow->diags);
        if (r < 0)
                return r;
        ash_array_foreach(&built->components, c)
                n += c->n_packages;
        *ret = ash_arena_new_items(arena, AshLockPackage, n);
        *ret_n = 0;
        ash_array_foreach(&built->components, c) {
                AshSlice origin = ash_flow_built_origin(c, arena);
                for (size_t i = 0; i < c->n_packages; i++) {
                        const AshBuiltPackage *p = &c->packages[i];
                        bool fresh;
                        ash_map_ensure(&seen, p->nevra, &fresh);
                        if (fresh)
                                (*ret)[(*ret_n)++] = (AshLockPackage){ .nevra = ash_arena_slice(arena, p->nevra), .upstream = ash_arena_slice(arena, upstream), .sha256 = ash_arena_slice(arena, p->sha256), .size = p->size,
                                                                       .origin = origin };
                }
        }
        return 0;
}

static bool has_upstream(const AshConfig *config) {
        const AshUpstreams *all = &ash_config_project(config)->upstreams;
        for (size_t i = 0; i < all->n; i++)
                if (ash_slice_eqs(all->items[i].repo.type.s, "components"))
                        return true;
        return false;
}

/* Has the lock what was built for this architecture, as it is now? */
static bool lock_says_so(AshFlow *flow, const char *lock, AshSlice arch) {
        _cleanup_(ash_lock_free_all_p) AshLock *l = NULL;
        _cleanup_(ash_flow_built_free_p) AshFlowBuilt *built = NULL;
        _free_ char *path = ash_flow_built_path(flow->config);
        char hex[ASH_ID_HEX];
        bool found = false;
        if (ash_lock_read(lock, &l, NULL) < 0 || ash_flow_built_open(path, arch, &built, NULL) < 0)
                return false;
        ash_id_hex(&built->state, hex);
        for (size_t i = 0; i < l->n_upstreams; i++) {
                const AshLockUpstream *u = &l->upstreams[i];
                if (!ash_slice_eqs(u->type, "components") || !ash_slice_eq(u->arch, arch))
                        continue;
                if (!ash_slice_eqs(u->snapshot, hex))
                        return false;
                found = true;
        }
        return found;
}

/* Several builds may end at once: the one that reads ashlar.built last also writes the lock last. */
static int lock_again(AshFlow *flow, const char *lock, AshFlowLockResult *ret) {
        _cleanup_(ash_lock_free_p) AshLockFile *turn = NULL;
        AshSlice all = ash_slice_str(lock), dir = ash_path_dir(all), name = ash_path_base(all);
        _free_ char *place = ash_asprintf("%.*s/.%.*s.turn", ASH_F(dir), ASH_F(name));
        int r = ash_lock_acquire(AT_FDCWD, place, true, -1, &turn);
        return r < 0 ? ash_fail_file(flow->diags, r, place, "cannot lock it: %s", ash_strerror(r)) : ash_flow_lock(flow, &(AshFlowLockOptions){ .path = lock, .after_build = true }, ret);
}

/* What a repository calls it: without the epoch. */
static AshSlice file_name(AshSlice nevra, AshArena *arena) {
        AshPackage p;
        if (ash_slice_find_char(nevra, ':') < 0 || ash_nevra_parse(nevra, &p) < 0)
                return nevra;
        return ash_slice_str(ash_arena_printf(arena, "%.*s-%.*s-%.*s.%.*s", ASH_F(p.name), ASH_F(p.version), ASH_F(p.release), ASH_F(p.arch)));
}

/* Two packages that are one by name, version, release and architecture: only one of them could be in a repository. */
static int check_clashes(void *context, const AshBuilt *built, const AshBuiltComponent *component) {
        AshFlow *flow = context;
        const AshComponent *mine = ash_config_find_component(flow->config, component->name);
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _map_ AshMap own = {};
        for (size_t i = 0; i < component->n_packages; i++)
                ash_map_put(&own, file_name(component->packages[i].nevra, arena), &component->packages[i], NULL);
        ash_array_foreach(&built->components, c) {
                if (ash_slice_eq(c->name, component->name) || !ash_slice_eq(c->arch, component->arch))
                        continue;
                for (size_t i = 0; i < c->n_packages; i++) {
                        const AshBuiltPackage *same = ash_map_get(&own, file_name(c->packages[i].nevra, arena));
                        if (!same || same->kind != c->packages[i].kind || ash_slice_eq(same->sha256, c->packages[i].sha256) || !ash_config_find_component(flow->config, c->name))
                                continue;
                        bool epochs = !ash_slice_eq(same->nevra, c->packages[i].nevra);
                        int r = ash_fail(flow->diags, -ASH_ERR_CONFIG, mine ? mine->name.at : ASH_NOWHERE, "'%.*s' gives %.*s, as '%.*s' does, with %s", ASH_F(component->name), ASH_F(same->nevra), ASH_F(c->name),
                                         epochs ? "another epoch, which no repository tells apart" : "other content");
                        ash_hint(flow->diags, "one of the two needs another name, version or release: a repository has one package of that name");
                        return r;
                }
        }
        return 0;
}

int ash_flow_built_record(AshFlow *flow, const AshBuiltComponent *component, const char *lock, AshFlowLockResult *ret) {
        _free_ char *path = ash_flow_built_path(flow->config);
        *ret = (AshFlowLockResult){};
        _cleanup_(ash_lock_free_p) AshLockFile *alone = NULL; /* several builds may end at once: the last one to write the lock must have seen what the others built */
        int e = ash_lock_acquire(ash_store_fd(flow->store), "built.lock", true, -1, &alone);
        if (e < 0)
                return ash_fail(flow->diags, e, ASH_NOWHERE, "%s/built.lock: %s", ash_store_path(flow->store), ash_strerror(e));
        int changed = ash_built_record(path, component, check_clashes, flow, flow->diags), r = changed;
        _free_ char *whole = r < 0 ? NULL : realpath(path, NULL);
        if (whole)
                r = ash_store_root_add(flow->store, whole, flow->diags);
        if (r >= 0 && lock && has_upstream(flow->config) && access(lock, F_OK) == 0 && (changed || !lock_says_so(flow, lock, component->arch)))
                r = lock_again(flow, lock, ret);
        return r < 0 ? r : changed;
}

int ash_flow_built_relock(AshFlow *flow, AshSlice arch, const char *lock, AshFlowLockResult *ret) {
        *ret = (AshFlowLockResult){};
        return has_upstream(flow->config) && access(lock, F_OK) == 0 && !lock_says_so(flow, lock, arch) ? lock_again(flow, lock, ret) : 0;
}
