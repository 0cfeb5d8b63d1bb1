#include "render-internal.h"

void ash_rendered_free(AshRendered *r) {
        if (!r)
                return;
        ash_array_done(&r->files);
        ash_fingerprint_free(r->fingerprint);
        ash_overlay_report_free(r->report);
        ash_source_tree_free(r->tree);
        ash_sources_done(&r->sources);
        ash_spec_tree_free(r->upstream);
        ash_arena_free(r->arena);
        free(r);
}

const AshRenderFile *ash_rendered_find(const AshRendered *r, const char *name) {
        for (size_t i = 0; i < r->files.n; i++)
                if (strcmp(r->files.items[i].name, name) == 0)
                        return &r->files.items[i];
        return NULL;
}

/* ---- where upstream is ---- */
static AshText first_set(AshText a, AshText b) { return ash_text_set(a) && a.s.len ? a : b; }

/* Where the files come from that a spec of this distribution names. */
static void sources_of(const AshSpecSource *spec, const AshDistro *distro, AshSpecDistro *ret) {
        ret->lookaside_uri = distro->lookaside_base_uri;
        ret->disable_origins = distro->disable_origins.value == ASH_YES;
        if (!spec->source_upstreams.n)
                ret->source_upstreams = distro->source_upstreams;
        if (spec->allow_missing_signatures.value == ASH_UNSET)
                ret->allow_missing_signatures = distro->allow_missing_signatures.value == ASH_YES;
}

static int distro_of(AshConfig *config, const AshComponent *component, const AshRenderOptions *options, AshSpecDistro *ret, AshDiags *diags) {
        const AshSpecSource *spec = &component->merged->spec;
        *ret = (AshSpecDistro){ .spec_dir = options->spec_dir, .source_upstreams = spec->source_upstreams, .allow_missing_signatures = spec->allow_missing_signatures.value == ASH_YES };
        if (!ash_text_set(spec->distro.name)) { /* a spec of our own: its sources are where those of our distribution are */
                const AshDistro *ours = NULL;
                (void) ash_config_default_distro_version(config, &ours);
                if (ours)
                        sources_of(spec, ours, ret);
                return 0;
        }
        const AshDistro *distro = ash_config_distro(config, spec->distro.name.s);
        if (!distro)
                return ash_fail(diags, -ASH_ERR_CONFIG, spec->distro.name.at, "there is no distro '%.*s'", ASH_F(spec->distro.name.s));
        sources_of(spec, distro, ret);
        ret->dist_git_uri = distro->dist_git_base_uri;
        ret->snapshot = spec->distro.snapshot;
        const AshDistroVersion *version = ash_config_distro_version(config, spec->distro.name.s, spec->distro.version.s);
        if (version) {
                ret->branch = version->dist_git_branch;
                ret->releasever = first_set(version->release_ver, version->name);
        }
        return 0;
}

int ash_render_upstream(AshConfig *config, const AshComponent *component, const AshRenderOptions *options, AshSpecTree **ret, AshDiags *diags) {
        AshSpecDistro distro;
        int r = distro_of(config, component, options, &distro, diags);
        if (r < 0)
                return r;
        return ash_specsource_fetch(component->name.s, component->merged, &distro, &options->sources, ret, diags);
}

int ash_render_source_tree(const AshSpecTree *upstream, AshSourceTree **ret, AshDiags *diags) {
        _cleanup_(ash_source_tree_free_p) AshSourceTree *tree = ash_source_tree_new();
        for (size_t i = 0; i < upstream->files.n; i++) {
                const AshSpecFile *f = &upstream->files.items[i];
                int r = ash_source_tree_put(tree, f->path, f->data, f->mode);
                if (r < 0)
                        return ash_fail_file(diags, r, f->path, "upstream's file cannot be taken: %s", ash_strerror(r));
        }
        *ret = ASH_TAKE(tree);
        return 0;
}

/* ---- overlays ---- */
/* The project's "{component}" is the engine's "${name}". */
static const char *macro_file_name(AshSlice s, AshArena *arena) {
        ptrdiff_t at = ash_slice_find(s, ASH_S("{component}"));
        if (at < 0)
                return ash_arena_slice(arena, s).ptr;
        AshSlice rest = ash_slice_from(s, (size_t) at + strlen("{component}"));
        return ash_arena_printf(arena, "%.*s${name}%.*s", (int) at, s.ptr, ASH_F(rest));
}

static const char *joined_lines(AshTexts lines, AshArena *arena) {
        _str_ AshStr out = {};
        for (size_t i = 0; i < lines.n; i++) {
                ash_str_append(&out, lines.items[i].s);
                ash_str_append_char(&out, '\n');
        }
        return ash_arena_slice(arena, ash_str_slice(&out)).ptr;
}

AshOverlayOptions ash_render_overlay_options(AshConfig *config, const AshComponent *component, const char *spec, AshArena *arena) {
        const AshProjectInfo *info = &ash_config_project(config)->info;
        AshOverlayOptions o = {
                .semantics = ash_config_semantics(config), .spec = spec, .component = component->name.s.ptr, .names = ash_overlay_names_azldev,
                .project_dir = ash_config_dir(config),
        };
        if (ash_text_set(info->macro_file))
                o.names.macro_file = macro_file_name(info->macro_file.s, arena);
        if (info->rendered_header.items)
                o.names.spec_header = joined_lines(info->rendered_header, arena);
        return o;
}

const AshComponentConfig *ash_render_without_archives(const AshComponentConfig *config, AshArena *arena) {
        size_t n = 0;
        for (size_t i = 0; i < config->overlays.n; i++)
                n += ash_text_set(config->overlays.items[i].archive);
        if (n == 0)
                return config;
        AshComponentConfig *copy = ash_arena_new_item(arena, AshComponentConfig);
        *copy = *config;
        copy->overlays.items = ash_arena_new_items(arena, AshOverlay, config->overlays.n);
        copy->overlays.n = 0;
        for (size_t i = 0; i < config->overlays.n; i++)
                if (!ash_text_set(config->overlays.items[i].archive))
                        copy->overlays.items[copy->overlays.n++] = config->overlays.items[i];
        return copy;
}

/* Upstream's "sources" and the configuration's source-files. */
static int merge_sources(AshRendered *r, AshDiags *diags) {
        const AshSpecFile *f = ash_spec_tree_find(r->upstream, ASH_S("sources"));
        _free_ char *label = r->upstream->kind == ASH_SPEC_DISTGIT ? ash_asprintf("%s:sources", r->component->name.s.ptr) : ash_path_join(r->upstream->origin, "sources");
        int e = ash_sources_parse(f ? f->data : ASH_S(""), label, &r->sources, diags);
        return e < 0 ? e : ash_sources_merge(&r->sources, &r->component->merged->source_files, diags);
}

static int apply_overlays(AshConfig *config, AshRendered *r, const AshRenderOptions *options, AshDiags *diags) {
        int e = ash_render_source_tree(r->upstream, &r->tree, diags);
        if (e < 0)
                return e;
        AshOverlayOptions o = ash_render_overlay_options(config, r->component, r->upstream->files.items[r->upstream->spec].path, r->arena);
        o.skip_archives = !options->with_sources; /* the spec gets its header all the same: it is the one that will be built */
        if (o.skip_archives)
                return ash_overlay_render(r->tree, r->component->merged, &o, &r->report, diags);
        AshSpecDistro distro;
        e = distro_of(config, r->component, options, &distro, diags);
        if (e < 0)
                return e;
        _cleanup_(ash_spec_archives_free_p) AshSpecArchives *archives = ash_spec_archives_new(&r->sources, r->upstream->package, &distro, &options->sources);
        o.archive = ash_spec_archives_ops(archives);
        e = ash_overlay_render(r->tree, r->component->merged, &o, &r->report, diags);
        if (e >= 0)
                e = ash_sources_take(&r->sources, r->upstream, &options->sources, diags);
        return e < 0 ? e : ash_sources_fetch(&r->sources, r->upstream->package, &distro, &options->sources, diags);
}

/* ---- %autorelease and %autochangelog ---- */
static char *mirror_dir(const AshSpecOptions *options) {
        const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
        if (options->cache_dir)
                return ash_path_join(options->cache_dir, "git");
        if (cache && *cache)
                return ash_path_join(cache, "ashlar/git");
        return ash_path_join(home ? home : "/", ".cache/ashlar/git");
}

/* The repository that upstream's files come from, and the commit: dist-git's mirror, or a directory that is a work tree itself. *ret stays NULL when there is none. */
static int open_history(const AshRendered *r, const AshSpecOptions *options, AshGit **ret, char commit[static ASH_GIT_HASH_MAX], AshDiags *diags) {
        const AshSpecTree *up = r->upstream;
        _cleanup_(ash_git_free_p) AshGit *git = NULL;
        int e;
        if (up->kind == ASH_SPEC_DISTGIT) {
                _free_ char *mirrors = mirror_dir(options);
                AshGitOptions o = { .mirror_dir = mirrors, .offline = true, .allow_local = true, .timeout_ms = options->git_timeout_ms };
                e = ash_git_open(up->origin, &o, ASH_NOWHERE, &git, diags);
                snprintf(commit, ASH_GIT_HASH_MAX, "%s", up->commit);
        } else {
                _free_ char *dot_git = ash_path_join(up->origin, ".git");
                if (access(dot_git, F_OK) < 0)
                        return 0; /* a bare directory has no history: the macros stay for rpmautospec */
                e = ash_git_open_local(up->origin, &git, diags);
                if (e >= 0)
                        e = ash_git_snapshot(git, ASH_NOSLICE, INT64_MAX, ASH_NOWHERE, commit, diags);
        }
        if (e >= 0)
                *ret = ASH_TAKE(git);
        return e;
}

/* Text generated from history, when the spec asks for it and there is one. */
static int generate(const AshRendered *r, AshSlice spec, const AshRenderOptions *options, AshAutospec *ret, bool *ret_done, AshDiags *diags) {
        _cleanup_(ash_git_free_p) AshGit *git = NULL;
        char commit[ASH_GIT_HASH_MAX];
        *ret_done = false;
        if (!ash_autospec_uses_release(spec) && !ash_autospec_uses_changelog(spec))
                return 0;
        int e = open_history(r, &options->sources, &git, commit, diags);
        if (e < 0 || !git)
                return e;
        e = ash_autospec_history(git, commit, r->upstream->files.items[r->upstream->spec].path, NULL, ret, diags);
        *ret_done = e >= 0;
        return e;
}

/* ---- the result ---- */
static void keep_file(AshRendered *r, const char *name, mode_t mode, AshSlice data) {
        ash_array_push(&r->files, ((AshRenderFile){ ash_arena_strdup(r->arena, name), mode, data }));
}

static int by_name(const void *a, const void *b) { return strcmp(((const AshRenderFile *) a)->name, ((const AshRenderFile *) b)->name); }

/* Added or changed by an overlay. */
static bool is_ours(const AshRendered *r, const char *name, AshSlice data) {
        const AshSpecFile *f = ash_spec_tree_find(r->upstream, ash_slice_str(name));
        return !f || !ash_slice_eq(f->data, data);
}

static int collect_files(AshRendered *r, AshSlice spec, AshSlice sources, AshDiags *diags) {
        bool all = r->component->merged->skip_file_filter.value == ASH_YES;
        _cleanup_(ash_file_filter_free_p) AshFileFilter *filter = ash_file_filter_new(spec);
        for (size_t i = 0; i < ash_source_tree_n(r->tree); i++) {
                const AshSourceTreeFile *f = ash_source_tree_at(r->tree, i);
                bool is_spec = strcmp(f->name, r->spec) == 0;
                AshSlice data = spec;
                if (strcmp(f->name, "sources") == 0)
                        continue; /* the merged one is added below */
                int e = is_spec ? 0 : ash_source_tree_read(r->tree, f->name, &data, diags);
                if (e < 0)
                        return e;
                if (is_spec || all || is_ours(r, f->name, data) || ash_file_filter_keeps(filter, ash_slice_str(f->name)))
                        keep_file(r, f->name, f->mode, data);
        }
        if (sources.len)
                keep_file(r, "sources", 0644, sources);
        qsort(r->files.items, r->files.n, sizeof *r->files.items, by_name);
        return 0;
}

static int fingerprint(AshConfig *config, AshRendered *r, const AshAutospec *history, bool generated, AshDiags *diags) {
        _str_ AshStr changelog = {};
        AshOverlayOptions o = ash_render_overlay_options(config, r->component, r->spec, r->arena);
        for (size_t i = 0; generated && i < history->entries.n; i++)
                ash_str_append(&changelog, history->entries.items[i].text);
        AshFingerprintOf of = {
                .component = r->component->name.s, .config = r->component->merged, .tree = r->upstream, .sources = &r->sources, .semantics = o.semantics, .names = &o.names,
                .release = generated ? history->complete : ASH_NOSLICE, .changelog = ash_str_slice(&changelog),
        };
        return ash_fingerprint_of(&of, &r->fingerprint, diags);
}

/* ---- the release ---- */
/* How often the component changed on our side since it was first built with this version and release, this change included. */
static uint64_t count_bumps(const AshRendered *r, const AshBuilt *built) {
        AshSlice now = ash_slice_from(ash_slice_str(r->fingerprint->text), 2); /* without "1:" */
        uint64_t most = 0;
        size_t n = 0;
        const AshBuiltComponent *c = built ? ash_built_arches(built, r->component->name.s, &n) : NULL; /* all architectures get the same release */
        for (size_t i = 0; i < n; i++)
                if (ash_slice_eq(c[i].base, r->base))
                        most = ASH_MAX(most, c[i].bumps + !ash_slice_eq(c[i].fingerprint, now));
        return most;
}

static void find_base(AshRendered *r, AshSlice spec) {
        _spec_facts_ AshSpecFacts facts = {};
        ash_spec_facts(spec, NULL, &facts);
        r->base = ash_slice_str(ash_arena_printf(r->arena, "%.*s-%.*s", ASH_F(facts.version), ASH_F(facts.release)));
}

/* Raises the release of a spec without %autorelease; of one with it the number that its history gave. */
static int raise_release(AshRendered *r, AshAutospec *history, AshSlice *spec, AshDiags *diags) {
        AshText calculation = r->component->merged->release;
        AshReleaseMode mode = ash_release_mode(calculation.s);
        _str_ AshStr text = {};
        if (!r->bumps || mode == ASH_RELEASE_MANUAL) {
                r->bumps = 0;
                return 0;
        }
        history->number += r->bumps;
        int e = ash_release_apply(*spec, mode, r->bumps, ash_text_set(calculation) ? calculation.at : r->component->name.at, &text, diags);
        if (e > 0)
                *spec = ash_arena_slice(r->arena, ash_str_slice(&text));
        return e < 0 ? e : 0;
}

static int finish(AshConfig *config, AshRendered *r, const AshRenderOptions *options, AshDiags *diags) {
        _autospec_ AshAutospec history = {};
        _str_ AshStr text = {}, sources_text = {};
        bool generated = false;
        AshSlice spec;
        r->spec = ash_arena_strdup(r->arena, r->upstream->files.items[r->upstream->spec].path);
        int e = ash_source_tree_read(r->tree, r->spec, &spec, diags);
        if (e == -ENOENT)
                return ash_fail(diags, -EINVAL, r->component->name.at, "an overlay removed or renamed the spec %s", r->spec);
        if (e >= 0)
                e = generate(r, spec, options, &history, &generated, diags);
        if (e >= 0)
                e = fingerprint(config, r, &history, generated, diags);
        if (e < 0)
                return e;
        find_base(r, spec);
        r->bumps = count_bumps(r, options->built);
        e = raise_release(r, &history, &spec, diags);
        if (e < 0)
                return e;
        if (!generated && r->bumps && ash_autospec_uses_release(spec)) { /* without a history it is the first release: our changes count from there */
                history.number++;
                generated = true;
        }
        if (generated) {
                ash_autospec_render(spec, &history, &text);
                spec = ash_arena_slice(r->arena, ash_str_slice(&text));
        }
        ash_sources_format(&r->sources, &sources_text);
        return collect_files(r, spec, ash_arena_slice(r->arena, ash_str_slice(&sources_text)), diags);
}

int ash_render(AshConfig *config, AshSlice name, const AshRenderOptions *options, AshRendered **ret, AshDiags *diags) {
        _cleanup_(ash_rendered_free_p) AshRendered *r = ash_calloc(1, sizeof *r);
        r->arena = ash_arena_new();
        int e = ash_config_component(config, name, &r->component, diags);
        if (e >= 0)
                e = ash_render_upstream(config, r->component, options, &r->upstream, diags);
        if (e >= 0)
                e = merge_sources(r, diags);
        if (e >= 0)
                e = apply_overlays(config, r, options, diags);
        if (e >= 0)
                e = finish(config, r, options, diags);
        if (e < 0)
                return e;
        *ret = ASH_TAKE(r);
        return 0;
}

char *ash_render_output_dir(AshConfig *config, const AshRenderOptions *options) {
        AshText dir = ash_config_project(config)->info.rendered_specs_dir;
        if (options->output_dir)
                return ash_strdup(options->output_dir);
        if (ash_text_set(dir) && dir.s.len)
                return ash_slice_dup(dir.s);
        return ash_path_join(ash_config_dir(config), "specs");
}
