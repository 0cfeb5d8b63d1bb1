#include "flow-build.h"
#include "flow-sets.h"

void ash_flow_sets_done(AshFlowSets *sets) {
        ash_array_foreach(&sets->items, s)
                ash_array_done(&s->requests);
        ash_array_done(&sets->items);
        ash_arena_free(sets->arena);
}

static void request(AshFlowSet *set, AshText what, int job, AshReasonKind reason) {
        ash_array_push(&set->requests, ((AshRequest){ .what = what.s, .job = job, .reason = reason, .at = what.at }));
}

static const AshPackageGroup *find_group(const AshProject *project, AshSlice name) {
        for (size_t i = 0; i < project->package_groups.n; i++)
                if (ash_slice_eq(project->package_groups.items[i].name.s, name))
                        return &project->package_groups.items[i];
        return NULL;
}

static void add_image(AshFlow *flow, const AshImage *image, AshSlice arch, AshFlowSets *ret) {
        const AshProject *project = ash_config_project(flow->config);
        AshFlowSet *set = ash_array_add(&ret->items);
        *set = (AshFlowSet){ .kind = "image", .name = image->name.s, .arch = arch, .at = image->name.at, .weak = image->weak_dependencies.value == ASH_YES, .essential = image->essential_packages.value == ASH_YES, .upstreams = &image->upstreams,
                             .repos = &image->repos };
        for (size_t i = 0; i < image->packages.n; i++)
                request(set, image->packages.items[i], ASH_REQUEST_INSTALL, ASH_REASON_USER);
        for (size_t i = 0; i < image->package_groups.n; i++) {
                const AshPackageGroup *group = find_group(project, image->package_groups.items[i].s);
                for (size_t k = 0; group && k < group->packages.n; k++)
                        request(set, group->packages.items[k], ASH_REQUEST_INSTALL, ASH_REASON_GROUP);
        }
        for (size_t i = 0; i < image->exclude_packages.n; i++)
                request(set, image->exclude_packages.items[i], ASH_REQUEST_EXCLUDE, ASH_REASON_USER);
}

static void add_channel(const AshChannel *channel, const AshUpstream *upstream, bool first, AshSlice arch, AshFlowSets *ret) {
        AshFlowSet *set = ash_array_add(&ret->items);
        *set = (AshFlowSet){ .kind = "channel", .name = channel->name.s, .arch = arch, .at = channel->name.at, .upstreams = &channel->upstreams, .repos = &channel->repos };
        for (size_t i = 0; i < channel->packages.n; i++)
                request(set, channel->packages.items[i], ASH_REQUEST_INSTALL, ASH_REASON_USER);
        for (size_t i = 0; first && upstream && i < upstream->import.n; i++)
                request(set, upstream->import.items[i], ASH_REQUEST_INSTALL, ASH_REASON_USER);
}

static const AshText default_arch = { .s = { "x86_64", 6 } };

static bool takes_from(const AshTexts *upstreams, const AshUpstream *chosen) {
        for (size_t i = 0; i < upstreams->n; i++)
                if (ash_slice_eq(upstreams->items[i].s, chosen->repo.name.s))
                        return true;
        return upstreams->n == 0;
}

int ash_flow_sets_collect(AshFlow *flow, const AshUpstream *upstream, AshFlowSets *ret) {
        const AshProject *project = ash_config_project(flow->config);
        for (size_t i = 0; i < project->images.n; i++) {
                const AshImage *image = NULL;
                int r = ash_config_image(flow->config, project->images.items[i].name.s, &image, flow->diags);
                if (r < 0)
                        return r;
                if (!ash_text_set(image->kind) || image->is_abstract.value == ASH_YES)
                        continue;
                for (size_t k = 0; k < ASH_MAX(image->architectures.n, (size_t) 1); k++)
                        add_image(flow, image, (image->architectures.n ? image->architectures.items[k] : default_arch).s, ret);
        }
        bool first = true; /* the first that takes from the chosen upstream gets what that one imports besides */
        for (size_t i = 0; i < project->channels.n; i++) {
                const AshChannel *channel = &project->channels.items[i];
                if (ash_slice_eqs(channel->kind.s, "source")) /* nothing is solved for what is only built */
                        continue;
                bool imports = first && upstream && !ash_slice_eqs(channel->kind.s, "debug") && takes_from(&channel->upstreams, upstream);
                if (!channel->packages.n && !(imports && upstream->import.n))
                        continue;
                for (size_t k = 0; k < ASH_MAX(channel->architectures.n, (size_t) 1); k++)
                        add_channel(channel, upstream, imports, (channel->architectures.n ? channel->architectures.items[k] : default_arch).s, ret);
                first &= !imports;
        }
        if (!ret->arena)
                ret->arena = ash_arena_new();
        ash_flow_build_sets(flow, ret->arena, ret);
        if (ret->items.n)
                return 0;
        int r = ash_fail_file(flow->diags, -ASH_ERR_CONFIG, ash_config_file(flow->config), "nothing to lock: no native image and no channel asks for packages");
        ash_hint(flow->diags, "give [images.NAME] a kind and packages, or [channels.NAME] packages");
        return r;
}

static void add_parts(AshFlow *flow, const AshUpstream *upstream, AshSlice arch, AshArena *arena, const AshUpstream **parts, size_t *n) {
        size_t more;
        const AshUpstream **all = ash_flow_upstream_parts(flow, upstream, arch, arena, &more);
        for (size_t i = 0; i < more; i++) {
                size_t k = 0;
                while (k < *n && !ash_slice_eq(parts[k]->repo.name.s, all[i]->repo.name.s))
                        k++;
                if (k == *n)
                        parts[(*n)++] = all[i];
        }
}

const AshUpstream **ash_flow_set_parts(AshFlow *flow, const AshFlowSet *set, const AshUpstream *chosen, AshArena *arena, size_t *ret_n) {
        const AshProject *project = ash_config_project(flow->config);
        const AshUpstream **parts = ash_arena_new_items(arena, const AshUpstream *, project->upstreams.n + project->resources.repos.n + 1);
        bool own = set->upstreams && set->upstreams->n;
        *ret_n = 0;
        for (size_t i = 0; own && i < set->upstreams->n; i++) {
                const AshUpstream *upstream = ash_config_upstream(flow->config, set->upstreams->items[i].s);
                if (upstream)
                        add_parts(flow, upstream, set->arch, arena, parts, ret_n);
        }
        if (!own && chosen)
                add_parts(flow, chosen, set->arch, arena, parts, ret_n);
        for (size_t i = 0; set->repos && i < set->repos->n; i++) {
                const AshUpstream *repo = ash_flow_upstream_of_repo(flow, set->repos->items[i].s, arena);
                if (repo)
                        add_parts(flow, repo, set->arch, arena, parts, ret_n);
        }
        return parts;
}

size_t ash_flow_sets_arches(const AshFlowSets *sets, AshSlice *ret, size_t max) {
        size_t n = 0;
        ash_array_foreach(&sets->items, set) {
                size_t k = 0;
                while (k < n && !ash_slice_eq(ret[k], set->arch))
                        k++;
                if (k == n && n < max)
                        ret[n++] = set->arch;
        }
        return n;
}

static int by_text(const void *a, const void *b) { return ash_slice_cmp(*(const AshSlice *) a, *(const AshSlice *) b); }

AshSlice *ash_flow_set_requests(const AshFlowSet *set, AshArena *arena, size_t *ret_n) {
        size_t n = 0, kept = 0, n_upstreams = set->upstreams ? set->upstreams->n : 0, n_repos = set->repos ? set->repos->n : 0;
        AshSlice *texts = ash_arena_new_items(arena, AshSlice, set->requests.n + n_upstreams + n_repos + 2);
        if (set->essential)
                texts[n++] = ASH_S("+essential");
        if (set->weak)
                texts[n++] = ASH_S("+weak");
        for (size_t i = 0; i < n_upstreams + n_repos; i++) {
                AshText from = i < n_upstreams ? set->upstreams->items[i] : set->repos->items[i - n_upstreams];
                texts[n++] = ash_slice_str(ash_arena_printf(arena, "@%.*s", ASH_F(from.s)));
        }
        ash_array_foreach(&set->requests, r) {
                if (r->job == ASH_REQUEST_KEEP || r->reason == ASH_REASON_DEPENDENCY)
                        continue;
                texts[n++] = r->job == ASH_REQUEST_EXCLUDE ? ash_slice_str(ash_arena_printf(arena, "-%.*s", ASH_F(r->what))) : ash_arena_slice(arena, r->what);
        }
        qsort(texts, n, sizeof *texts, by_text);
        for (size_t i = 0; i < n; i++)
                if (!kept || !ash_slice_eq(texts[kept - 1], texts[i]))
                        texts[kept++] = texts[i];
        *ret_n = kept;
        return texts;
}
