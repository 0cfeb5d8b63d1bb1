/* Buildroots: what a stage has in each, solved over the states that the lock pins. */
#include "flow-root-private.h"
#include "handlers.h"
#include "scriptlets.h"

#define DEFAULT_STAGE ASH_S("default")
#define KEPT (UINT64_C(20) << 30)    /* bytes of buildroots that stay in the store */

static void stage_free(Stage *s) {
        if (!s)
                return;
        stage_free(s->first);
        ash_array_foreach(&s->sources, source) {
                if (s->borrowed)
                        break;
                ash_flow_upstream_free(source->upstream);
                free(source->label);
        }
        ash_array_done(&s->sources);
        ash_flow_root_free(s->root);
        ash_flow_choice_free(s->choice);
        free(s);
}

void ash_flow_builder_free(AshFlowBuilder *b) {
        if (!b)
                return;
        ash_array_foreach(&b->stages, s)
                stage_free(*s);
        ash_array_done(&b->stages);
        ash_array_done(&b->told);
        ash_map_done(&b->asked);
        ash_lock_free_all(b->lock);
        ash_arena_free(b->arena);
        free(b);
}

void ash_flow_root_free(AshFlowRoot *r) {
        if (!r)
                return;
        ash_build_root_free(r->root);
        ash_arena_free(r->arena);
        free(r);
}

AshFlow *ash_flow_builder_flow(AshFlowBuilder *b) { return &b->flow; }

void ash_flow_builder_for(AshFlowBuilder *b, AshSlice component) {
        size_t n = 0;
        b->flow.building = ash_arena_slice(b->arena, component);
        ash_map_clear(&b->asked);
        ash_array_foreach(&b->stages, s)
                if ((*s)->has_built)
                        stage_free(*s);
                else
                        b->stages.items[n++] = *s;
        b->stages.n = n;
}

AshSlice ash_flow_builder_arch(const AshFlowBuilder *b) { return b->arch; }

/* ---- configuration ---- */
/* inputs.rpm-build of the distribution, as names of repositories. */
static AshTexts input_repos(AshFlow *flow, AshArena *arena) {
        const AshDistroVersion *version = ash_config_default_distro_version(flow->config, NULL);
        const AshResources *all = &ash_config_project(flow->config)->resources;
        ASH_ARRAY(AshText) names = {};
        for (size_t i = 0; version && i < version->rpm_build.n; i++) {
                const AshRepoRef *ref = &version->rpm_build.items[i];
                if (ash_text_set(ref->repo))
                        ash_array_push(&names, ref->repo);
                for (size_t s = 0; ash_text_set(ref->set) && s < all->sets.n; s++) {
                        const AshRepoSet *set = &all->sets.items[s];
                        for (size_t t = 0; ash_slice_eq(set->name.s, ref->set.s) && t < all->templates.n; t++) {
                                const AshRepoTemplate *layout = &all->templates.items[t];
                                for (size_t k = 0; ash_slice_eq(layout->name.s, set->repo_template.s) && k < layout->subrepos.n; k++) {
                                        const AshSubrepo *sub = &layout->subrepos.items[k];
                                        char *name = ash_arena_printf(arena, "%.*s%.*s", ASH_F(set->name_prefix.s), ASH_F(sub->name.s));
                                        bool binary = !ash_text_set(sub->kind) || ash_slice_eqs(sub->kind.s, "binary");
                                        if (binary && ash_config_repo(flow->config, ash_slice_str(name)))
                                                ash_array_push(&names, ((AshText){ ash_slice_str(name), ref->set.at }));
                                }
                        }
                }
        }
        AshText *copy = ash_arena_new_items(arena, AshText, names.n + 1);
        size_t n = names.n;
        if (n)
                memcpy(copy, names.items, n * sizeof *copy);
        ash_array_done(&names);
        return (AshTexts){ copy, n };
}

static const AshBuildStage *find_stage(const AshBuildConfig *config, AshSlice name) {
        for (size_t i = 0; i < config->stages.n; i++)
                if (ash_slice_eq(config->stages.items[i].name.s, name))
                        return &config->stages.items[i];
        return NULL;
}

int ash_flow_build_base(AshFlow *flow, AshText stage, AshArena *arena, AshFlowBase *ret) {
        const AshBuildConfig *config = &ash_config_project(flow->config)->build;
        const AshBuildStage *own = stage.s.len ? find_stage(config, stage.s) : NULL;
        if (stage.s.len && !own)
                return ash_fail(flow->diags, -ASH_ERR_CONFIG, stage.at, "there is no build stage '%.*s'", ASH_F(stage.s));
        *ret = (AshFlowBase){ .stage = own ? own->name.s : DEFAULT_STAGE, .packages = own && own->base.packages.items ? &own->base.packages : &config->base.packages };
        ret->upstreams = own && own->base.upstreams.items ? own->base.upstreams : config->base.upstreams;
        ret->base_upstreams = own && (own->base.upstreams.items || own->base.base_upstreams.items) ? own->base.base_upstreams : config->base.base_upstreams;
        if (!ret->upstreams.n)
                ret->repos = input_repos(flow, arena);
        return 0;
}

static void add_set(AshFlow *flow, AshText stage, AshSlice name, AshSpan at, AshArena *arena, AshFlowSets *ret) {
        AshFlowBase base;
        if (ash_flow_build_base(flow, stage, arena, &base) < 0)
                return;
        AshTexts *upstreams = ash_arena_new_item(arena, AshTexts), *repos = ash_arena_new_item(arena, AshTexts);
        upstreams->items = ash_arena_new_items(arena, AshText, base.upstreams.n + 1);
        for (size_t i = 0; i < base.upstreams.n; i++) { /* what was built here is no input that is pinned */
                const AshUpstream *u = ash_config_upstream(flow->config, base.upstreams.items[i].s);
                if (u && !ash_slice_eqs(u->repo.type.s, "components"))
                        upstreams->items[upstreams->n++] = base.upstreams.items[i];
        }
        if (base.upstreams.n && !upstreams->n)
                return;
        *repos = base.repos;
        ash_array_push(&ret->items, ((AshFlowSet){ .kind = "build", .name = name, .arch = ASH_S("x86_64"), .at = at, .upstreams = upstreams, .repos = repos }));
}

void ash_flow_build_sets(AshFlow *flow, AshArena *arena, AshFlowSets *ret) {
        const AshBuildConfig *config = &ash_config_project(flow->config)->build;
        if (!config->base.packages.n && !config->base.upstreams.n && !config->stages.n)
                return;
        add_set(flow, (AshText){}, DEFAULT_STAGE, config->base.packages.n ? config->base.packages.items[0].at : ASH_NOWHERE, arena, ret);
        for (size_t i = 0; i < config->stages.n; i++)
                add_set(flow, config->stages.items[i].name, config->stages.items[i].name.s, config->stages.items[i].name.at, arena, ret);
}

/* ---- states that the lock pins ---- */
static int open_one(AshFlowBuilder *b, Stage *stage, const AshUpstream *part, const AshLockUpstream *pinned) {
        AshFlowUpstream *u = NULL;
        int r = ash_flow_upstream_open(&b->flow, part, b->arch, pinned, &u);
        if (r < 0)
                return r;
        AshSlice name = part->repo.name.s;
        ash_array_push(&stage->sources, ((Source){ .upstream = u, .label = pinned ? ash_asprintf("%.*s of %.*s", ASH_F(name), ASH_F(pinned->snapshot)) : ash_slice_dup(name) }));
        return 0;
}

static int open_part(AshFlowBuilder *b, Stage *stage, const AshUpstream *part) {
        AshSlice name = part->repo.name.s;
        bool found = false;
        int r = 0;
        if (ash_slice_eqs(part->repo.type.s, "components")) { /* what was built last is what there is */
                stage->has_built = true;
                return open_one(b, stage, part, NULL);
        }
        for (size_t i = 0; r >= 0 && i < b->lock->n_upstreams; i++) {
                const AshLockUpstream *u = &b->lock->upstreams[i];
                if (!ash_slice_eq(u->name, name) || !ash_slice_eq(u->arch, b->arch))
                        continue;
                found = true;
                r = open_one(b, stage, part, u);
        }
        if (r < 0 || found)
                return r;
        r = ash_fail(b->flow.diags, -ASH_ERR_CONFIG, part->repo.name.at, "the lock does not pin upstream '%.*s' for %.*s, from which builds take packages", ASH_F(name), ASH_F(b->arch));
        ash_hint(b->flow.diags, "'ashlar lock' brings the lock up to date; [build] says which upstreams builds take from");
        return r;
}

/* Those of the stage's sources that its own packages come from first. */
static bool goes_first(AshFlowBuilder *b, const Stage *stage, const Source *source) {
        const AshTexts *names = &stage->base.base_upstreams;
        size_t n;
        if (!names->n)
                return !ash_flow_upstream_built(source->upstream, NULL, NULL);
        AshFlowSet set = { .kind = "build", .name = stage->base.stage, .arch = b->arch, .upstreams = names, .repos = &(AshTexts){} };
        const AshUpstream **parts = ash_flow_set_parts(&b->flow, &set, NULL, b->arena, &n);
        for (size_t i = 0; i < n; i++)
                if (ash_slice_eq(parts[i]->repo.name.s, ash_flow_upstream_name(source->upstream)))
                        return true;
        return false;
}

static void open_first(AshFlowBuilder *b, Stage *stage) {
        Stage *first = ash_calloc(1, sizeof *first);
        *first = (Stage){ .base = stage->base, .essential = stage->essential, .n_essential = stage->n_essential, .borrowed = true };
        ash_array_foreach(&stage->sources, source)
                if (goes_first(b, stage, source)) {
                        ash_array_push(&first->sources, *source);
                        first->has_built |= ash_flow_upstream_built(source->upstream, NULL, NULL);
                }
        if (first->sources.n && first->sources.n < stage->sources.n)
                stage->first = first;
        else
                stage_free(first);
}

/* base-upstreams are some of upstreams. */
static int check_first(AshFlowBuilder *b, const AshFlowBase *base) {
        for (size_t i = 0; i < base->base_upstreams.n; i++) {
                const AshText *name = &base->base_upstreams.items[i];
                bool there = false;
                for (size_t k = 0; k < base->upstreams.n; k++)
                        there |= ash_slice_eq(base->upstreams.items[k].s, name->s);
                if (!there)
                        return ash_fail(b->flow.diags, -ASH_ERR_CONFIG, name->at, "'%.*s' is not among the upstreams of the stage '%.*s'", ASH_F(name->s), ASH_F(base->stage));
        }
        return 0;
}

const AshUpstream **ash_flow_root_parts(AshFlowBuilder *b, const AshFlowBase *base, size_t *ret_n) {
        AshFlowSet set = { .kind = "build", .name = base->stage, .arch = b->arch, .upstreams = &base->upstreams, .repos = &base->repos };
        bool own = base->upstreams.n || base->repos.n;
        return ash_flow_set_parts(&b->flow, &set, own ? NULL : ash_config_upstream(b->flow.config, ASH_NOSLICE), b->arena, ret_n);
}

int ash_flow_root_open_stage(AshFlowBuilder *b, AshText name, Stage **ret) {
        AshFlowBase base;
        int r = ash_flow_build_base(&b->flow, name, b->arena, &base);
        if (r >= 0)
                r = check_first(b, &base);
        if (r < 0)
                return r;
        ash_array_foreach(&b->stages, s)
                if (ash_slice_eq((*s)->base.stage, base.stage)) {
                        *ret = *s;
                        return 0;
                }
        Stage *stage = ash_calloc(1, sizeof *stage);
        stage->base = base;
        ash_array_push(&b->stages, stage);
        size_t n;
        const AshUpstream **parts = ash_flow_root_parts(b, &base, &n);
        if (!n) {
                r = ash_fail(b->flow.diags, -ASH_ERR_CONFIG, name.at, "builds have no upstream to take packages for %.*s from", ASH_F(b->arch));
                ash_hint(b->flow.diags, "name them: [build] upstreams = [\"...\"]");
        }
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = open_part(b, stage, parts[i]);
        for (size_t i = 0; r >= 0 && i < stage->sources.n && !stage->n_essential; i++)
                r = ash_flow_upstream_essential(stage->sources.items[i].upstream, b->arena, &stage->essential, &stage->n_essential);
        if (r < 0) {
                stage_free(stage);
                b->stages.n--;
                return r;
        }
        open_first(b, stage);
        *ret = stage;
        return 0;
}

int ash_flow_builder_new(AshFlow *flow, const char *lock_path, AshSlice arch, AshFlowBuilder **ret) {
        _cleanup_(ash_flow_builder_free_p) AshFlowBuilder *b = ash_calloc(1, sizeof *b);
        b->flow = *flow;
        b->flow.for_build = true;
        b->arena = ash_arena_new();
        b->arch = ash_arena_slice(b->arena, arch);
        int r = ash_lock_read(lock_path, &b->lock, flow->diags);
        if (r == -ENOENT) {
                ash_fail_file(flow->diags, r, lock_path, "there is no lock yet: builds take packages from the states that it pins");
                ash_hint(flow->diags, "'ashlar lock' makes it");
        }
        if (r < 0)
                return r;
        *ret = ASH_TAKE(b);
        return 0;
}

/* ---- solving ---- */
static void stage_requests(const Stage *stage, AshFlowRequests *ret) {
        for (size_t i = 0; i < stage->base.packages->n; i++)
                ash_array_push(ret, ((AshRequest){ .what = stage->base.packages->items[i].s, .job = ASH_REQUEST_INSTALL, .reason = ASH_REASON_USER, .optional = stage->borrowed, .at = stage->base.packages->items[i].at }));
        for (size_t i = 0; i < stage->n_essential; i++)
                ash_array_push(ret, ((AshRequest){ .what = stage->essential[i], .job = ASH_REQUEST_INSTALL, .reason = ASH_REASON_DEPENDENCY, .optional = stage->borrowed }));
}

const AshFlowLabelled *ash_flow_root_labelled(const Stage *stage, AshArena *arena) {
        AshFlowLabelled *labelled = ash_arena_new_items(arena, AshFlowLabelled, stage->sources.n + 1);
        for (size_t i = 0; i < stage->sources.n; i++)
                labelled[i] = (AshFlowLabelled){ stage->sources.items[i].upstream, stage->sources.items[i].label };
        return labelled;
}

static int solve(AshFlowBuilder *b, Stage *stage, const AshFlowRequests *requests, AshPkgSet **ret) {
        _cleanup_(ash_flow_choice_free_p) AshFlowChoice *choice = NULL;
        if (stage->choice) {
                int r = ash_flow_choice_again(stage->choice, requests->items, requests->n);
                return r < 0 ? r : ash_flow_choice_solve(stage->choice, requests->items, requests->n, &(AshSolveOptions){}, ret);
        }
        int r = ash_flow_choice_new(&b->flow, b->arch, ash_flow_root_labelled(stage, b->arena), stage->sources.n, requests->items, requests->n, &choice);
        if (r >= 0)
                r = ash_flow_choice_solve(choice, requests->items, requests->n, &(AshSolveOptions){}, ret);
        if (stage->has_built)
                stage->choice = ASH_TAKE(choice);
        return r;
}

/* ---- what was chosen before for the same question ---- */
#define CACHE "buildroot-set"

static AshId question(AshFlowBuilder *b, const Stage *stage, const AshFlowRequests *requests) {
        _str_ AshStr text = {};
        ash_str_appendf(&text, "%s %d %.*s %s\n", CACHE, ASH_FLOW_ASKING, ASH_F(b->arch), ash_solv_version());
        ash_array_foreach(&stage->sources, s) {
                AshId key = ash_flow_upstream_solver_key(s->upstream);
                ash_str_appendf(&text, "%s %d ", s->label, ash_flow_upstream_priority(s->upstream));
                ash_str_append(&text, ash_slice((const char *) key.sha256, sizeof key.sha256));
        }
        ash_array_foreach(requests, r)
                ash_str_appendf(&text, "%d%d%d %zu:%.*s %.*s\n", (int) r->job, r->optional, r->ahead, r->what.len, ASH_F(r->what), ASH_F(r->origin));
        return ash_id_of(ash_str_slice(&text));
}

static void note_asked(AshFlowBuilder *b, AshSlice text) {
        if (!ash_map_find(&b->asked, text))
                ash_map_put(&b->asked, ash_arena_slice(b->arena, text), NULL, NULL);
}

/* What is preferred is among what can be reached from the rest. */
static void note_requests(AshFlowBuilder *b, const AshFlowRequests *requests, const AshFlowNames *looked_up) {
        ash_array_foreach(requests, r)
                if (r->job != ASH_REQUEST_PREFER)
                        note_asked(b, r->what);
        ash_array_foreach(looked_up, name)
                note_asked(b, *name);
}

/* Only when the store still has every package. */
static bool recall(AshFlowBuilder *b, const AshId *key, AshFlowRoot *root) {
        _bytes_ AshBytes bytes = {};
        ASH_ARRAY(AshFlowRootPackage) packages = {};
        bool good = ash_store_cache_get(b->flow.store, CACHE, key, &bytes) >= 0;
        AshSlice rest = ash_bytes_slice(&bytes), line;
        while (good && ash_slice_next_line(&rest, &line)) {
                AshFlowRootPackage p;
                AshId id;
                if (ash_slice_starts(line, ASH_S("? "))) {
                        note_asked(b, ash_slice_from(line, 2));
                        continue;
                }
                good = ash_slice_next_word(&line, &p.nevra) && ash_slice_next_word(&line, &p.sha256) && ash_slice_next_word(&line, &p.upstream) && ash_id_parse(p.sha256, &id) >= 0 &&
                       ash_store_has_blob(b->flow.store, &id);
                if (good)
                        ash_array_push(&packages, ((AshFlowRootPackage){ ash_arena_slice(root->arena, p.nevra), ash_arena_slice(root->arena, p.sha256), ash_arena_slice(root->arena, p.upstream) }));
        }
        good = good && packages.n;
        if (good) {
                root->n_packages = packages.n;
                root->packages = ash_arena_new_items(root->arena, AshFlowRootPackage, packages.n + 1);
                memcpy(root->packages, packages.items, packages.n * sizeof *packages.items);
        }
        ash_array_done(&packages);
        return good;
}

static void remember(AshFlowBuilder *b, const AshId *key, const AshFlowRoot *root, const AshFlowRequests *requests, const AshFlowNames *looked_up) {
        _str_ AshStr text = {};
        for (size_t i = 0; i < root->n_packages; i++)
                ash_str_appendf(&text, "%.*s %.*s %.*s\n", ASH_F(root->packages[i].nevra), ASH_F(root->packages[i].sha256), ASH_F(root->packages[i].upstream));
        ash_array_foreach(requests, r)
                if (r->job != ASH_REQUEST_PREFER)
                        ash_str_appendf(&text, "? %.*s\n", ASH_F(r->what));
        ash_array_foreach(looked_up, name)
                ash_str_appendf(&text, "? %.*s\n", ASH_F(*name));
        (void) ash_store_cache_put(b->flow.store, CACHE, key, ash_str_slice(&text)); /* only a loss of time */
}

/* Brings what was chosen into the store; ret has a place for each. */
static int realize(AshFlowBuilder *b, const Stage *stage, const AshPkgSet *set, AshArena *arena, AshFlowRootPackage *ret) {
        const AshPackage **wanted = ash_arena_new_items(arena, const AshPackage *, set->n + 1);
        size_t *at = ash_arena_new_items(arena, size_t, set->n + 1);
        AshLockPackage *got = ash_arena_new_items(arena, AshLockPackage, set->n + 1);
        size_t done = 0;
        ash_array_foreach(&stage->sources, s) {
                size_t n = 0;
                for (size_t i = 0; i < set->n; i++)
                        if (ash_slice_eqs(set->items[i].origin, s->label)) {
                                wanted[n] = set->items[i].package;
                                at[n++] = i;
                        }
                int r = n ? ash_flow_upstream_realize(s->upstream, wanted, n, arena, got) : 0;
                if (r < 0)
                        return r;
                for (size_t k = 0; k < n; k++)
                        ret[at[k]] = (AshFlowRootPackage){ ash_package_nevra(wanted[k], arena), ash_arena_slice(arena, got[k].sha256), ash_arena_slice(arena, ash_flow_upstream_name(s->upstream)) };
                done += n;
        }
        return done == set->n ? 0 : ash_fail(b->flow.diags, -EIO, ASH_NOWHERE, "a package of the buildroot is from no upstream");
}

static int by_nevra(const void *a, const void *b) { return ash_slice_cmp(((const AshFlowRootPackage *) a)->nevra, ((const AshFlowRootPackage *) b)->nevra); }

/* Only what the names of packages and their makers follow from (docs/rpm-config.md): nothing is built again because a colour changed. */
static const AshIdentity *identity_of(AshFlowBuilder *b) {
        const AshDistroVersion *version = ash_config_default_distro_version(b->flow.config, NULL);
        if (!version || !ash_text_set(version->identity.id))
                return NULL;
        AshIdentity *id = ash_arena_new_item(b->arena, AshIdentity);
        *id = (AshIdentity){ .id = version->identity.id, .name = version->identity.name, .vendor_name = version->identity.vendor_name,
                             .version_id = ash_text_set(version->identity.version_id) ? version->identity.version_id : version->release_ver };
        return id;
}

static uint64_t kept_bytes(AshFlowBuilder *b) {
        uint64_t n;
        return ash_slice_to_bytes(ash_config_project(b->flow.config)->build.roots.s, &n) < 0 ? KEPT : n;
}

AshBuildRootInput ash_flow_root_input(AshFlowBuilder *b, const AshId *ids, const bool *over, size_t n) {
        return (AshBuildRootInput){ .arch = b->arch, .identity = identity_of(b), .packages = ids, .over = over, .n_packages = n, .handlers = ash_handlers, .scriptlets = ash_scriptlets_run, .store = b->flow.store,
                                    .keep = kept_bytes(b), .threads = b->flow.threads,
                                    .progress = b->flow.progress };
}

static AshId *ids_of(const AshFlowRoot *root, AshArena *arena) {
        AshId *ids = ash_arena_new_items(arena, AshId, root->n_packages + 1);
        for (size_t i = 0; i < root->n_packages; i++)
                (void) ash_id_parse(root->packages[i].sha256, &ids[i]);
        return ids;
}

/* A library that was built here stands where the imported one of another name does. */
static bool *over_of(const Stage *stage, const AshFlowRoot *root, AshArena *arena) {
        bool *over = ash_arena_new_items(arena, bool, root->n_packages + 1);
        ash_array_foreach(&stage->sources, s)
                for (size_t i = 0; ash_flow_upstream_built(s->upstream, NULL, NULL) > 0 && i < root->n_packages; i++)
                        over[i] |= ash_slice_eq(root->packages[i].upstream, ash_flow_upstream_name(s->upstream));
        return over;
}

static int choose_anew(AshFlowBuilder *b, Stage *stage, AshFlowRequests *requests, AshFlowRoot *root, AshFlowPromises *promises, AshFlowNames *looked_up) {
        _cleanup_(ash_pkgset_free_p) AshPkgSet *set = NULL;
        int r = ash_flow_asked(&b->flow, b->arch, ash_flow_root_labelled(stage, root->arena), stage->sources.n, stage->has_built, requests, promises, looked_up, root->arena);
        if (r >= 0) {
                note_requests(b, requests, looked_up);
                r = solve(b, stage, requests, &set);
        }
        if (r >= 0) {
                root->n_packages = set->n;
                root->packages = ash_arena_new_items(root->arena, AshFlowRootPackage, set->n + 1);
                r = realize(b, stage, set, root->arena, root->packages);
        }
        return r < 0 ? r : ash_flow_promised(&b->flow, b->arch, promises, root->packages, root->n_packages);
}

static int choose(AshFlowBuilder *b, Stage *stage, AshFlowRequests *requests, AshFlowRoot *root) {
        AshId key = question(b, stage, requests);
        AshFlowPromises promises = {};
        AshFlowNames looked_up = {};
        if (recall(b, &key, root))
                return 0;
        int r = choose_anew(b, stage, requests, root, &promises, &looked_up);
        if (r >= 0) {
                qsort(root->packages, root->n_packages, sizeof *root->packages, by_nevra);
                remember(b, &key, root, requests, &looked_up);
        }
        ash_array_done(&looked_up);
        ash_array_done(&promises);
        return r;
}

static int make_root(AshFlowBuilder *b, Stage *stage, const AshRequest *more, size_t n_more, bool only_packages, AshFlowRoot **ret);

static AshSlice label_of(const Stage *stage, AshSlice upstream) {
        ash_array_foreach(&stage->sources, s)
                if (ash_slice_eq(ash_flow_upstream_name(s->upstream), upstream))
                        return ash_slice_str(s->label);
        return ASH_NOSLICE;
}

/* What the first sources have of the stage's packages stays, whatever else is required. */
static int prefer_first(AshFlowBuilder *b, Stage *stage, AshFlowRequests *ret) {
        Stage *first = stage->first;
        if (!first)
                return 0;
        int r = first->root ? 0 : make_root(b, first, NULL, 0, true, &first->root);
        for (size_t i = 0; r >= 0 && i < first->root->n_packages; i++)
                ash_array_push(ret, ((AshRequest){ .what = first->root->packages[i].nevra, .job = ASH_REQUEST_PREFER, .origin = label_of(first, first->root->packages[i].upstream) }));
        return r;
}

static int make_root(AshFlowBuilder *b, Stage *stage, const AshRequest *more, size_t n_more, bool only_packages, AshFlowRoot **ret) {
        _cleanup_(ash_flow_root_free_p) AshFlowRoot *root = ash_calloc(1, sizeof *root);
        AshFlowRequests requests = {};
        root->arena = ash_arena_new();
        stage_requests(stage, &requests);
        int r = prefer_first(b, stage, &requests);
        for (size_t i = 0; i < n_more; i++) {
                ash_array_push(&requests, more[i]);
                requests.items[requests.n - 1].ahead = stage->first;
        }
        if (r >= 0)
                r = choose(b, stage, &requests, root);
        ash_array_done(&requests);
        if (r < 0)
                return r;
        AshId *ids = ids_of(root, root->arena);
        AshBuildRootInput in = ash_flow_root_input(b, ids, over_of(stage, root, root->arena), root->n_packages), base = {};
        AshId key = ash_build_root_key(&in);
        ash_id_hex(&key, root->key);
        if (stage->root)
                base = ash_flow_root_input(b, stage->ids, stage->over, stage->root->n_packages);
        if (!only_packages)
                r = ash_build_root_open(&in, stage->root ? &base : NULL, &root->root, b->flow.diags);
        if (r < 0)
                return r;
        *ret = ASH_TAKE(root);
        return 0;
}

int ash_flow_builder_root(AshFlowBuilder *b, AshText stage_name, const AshRequest *more, size_t n_more, bool only_packages, AshFlowRoot **ret) {
        Stage *stage = NULL;
        int r = ash_flow_root_open_stage(b, stage_name, &stage);
        if (r >= 0 && !stage->root && n_more) {
                r = make_root(b, stage, NULL, 0, true, &stage->root);
                if (r >= 0) {
                        stage->ids = ids_of(stage->root, b->arena);
                        stage->over = over_of(stage, stage->root, b->arena);
                }
        }
        return r < 0 ? r : make_root(b, stage, more, n_more, only_packages, ret);
}

int ash_flow_builder_imported(AshFlowBuilder *b, AshText stage_name, AshFlowRoot **ret) {
        Stage *stage = NULL;
        int r = ash_flow_root_open_stage(b, stage_name, &stage);
        *ret = NULL;
        return r < 0 || !stage->first ? r : make_root(b, stage->first, NULL, 0, true, ret);
}
