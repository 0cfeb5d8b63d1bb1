/* What components and images inherit; overlays in files of their own. */
#include "config-private.h"

#define INHERIT_MAX 64 /* images that inherit from one another */

/* ---- membership in groups ---- */
typedef struct Member Member;
struct Member {
        const AshComponentGroup *group;
        Member *next;             /* groups in alphabetical order */
};

static int group_order(const void *a, const void *b) {
        return ash_slice_cmp((*(AshComponentGroup *const *) a)->name.s, (*(AshComponentGroup *const *) b)->name.s);
}

static void make_memberships(AshConfig *c) {
        AshComponentGroups *groups = &c->project.groups;
        const AshComponentGroup **sorted = ash_calloc(groups->n + 1, sizeof(void *));
        for (size_t i = 0; i < groups->n; i++)
                sorted[i] = &groups->items[i];
        qsort(sorted, groups->n, sizeof *sorted, group_order);
        for (size_t i = groups->n; i-- > 0;) /* backwards, so that putting in front gives the order */
                for (size_t k = 0; k < sorted[i]->components.n; k++) {
                        bool new;
                        AshMapEntry *e = ash_map_ensure(&c->memberships, sorted[i]->components.items[k].s, &new);
                        Member *first = e->value;
                        if (first && first->group == sorted[i])
                                continue; /* listed twice */
                        Member *m = ash_arena_new_item(c->arena, Member);
                        *m = (Member){ sorted[i], first };
                        e->value = m;
                }
        free(sorted);
        c->memberships_made = true;
}

static const Member *members(AshConfig *c, AshSlice name) {
        if (!c->memberships_made)
                make_memberships(c);
        return ash_map_get(&c->memberships, name);
}

/* ---- components ---- */
void ash_layers_done(AshLayers *layers) {
        ash_array_foreach(layers, l)
                free(l->step);
        ash_array_done(layers);
}

void ash_config_layers(AshConfig *c, const AshComponent *component, AshLayers *ret) {
        const AshDistro *distro = NULL;
        const AshDistroVersion *version = ash_config_default_distro_version(c, &distro);
        if (version)
                ash_array_push(ret, ((AshLayer){ ash_asprintf("distribution '%.*s', version '%.*s'", ASH_F(distro->name.s), ASH_F(version->name.s)), &version->defaults }));
        ash_array_push(ret, ((AshLayer){ ash_strdup("default-component-config of the project"), &c->project.default_component }));
        if (!component)
                return;
        pthread_mutex_lock(&c->mutex);
        const Member *member = members(c, component->name.s);
        pthread_mutex_unlock(&c->mutex);
        for (; member; member = member->next)
                ash_array_push(ret, ((AshLayer){ ash_asprintf("component group '%.*s'", ASH_F(member->group->name.s)), &member->group->defaults }));
        ash_array_push(ret, ((AshLayer){ ash_strdup("the component"), component->own }));
}

/* Caller has the mutex. */
static AshComponentConfig *merge_layers(AshConfig *c, const AshLayers *layers) {
        AshMerge m = { c->arena, .append = true, .strict = c->semantics == ASH_SEMANTICS_STRICT };
        AshComponentConfig *merged = ash_arena_new_item(c->arena, AshComponentConfig);
        ash_array_foreach(layers, l)
                if (l->config != &ash_component_config_empty)
                        ash_merge_record(&m, &ash_record_component_config, merged, l->config);
        return merged;
}

static int merge_component(AshConfig *c, AshComponent *component, AshDiags *diags) {
        pthread_mutex_lock(&c->mutex);
        bool plain = component->own == &ash_component_config_empty && !members(c, component->name.s);
        const AshComponentConfig *base = plain ? c->base : NULL;
        pthread_mutex_unlock(&c->mutex);
        const AshComponentConfig *merged = base;
        if (!merged) {
                _cleanup_(ash_layers_done) AshLayers layers = {};
                ash_config_layers(c, component, &layers);
                pthread_mutex_lock(&c->mutex);
                merged = merge_layers(c, &layers);
                if (plain && !merged->overlay_files.n)
                        c->base = merged;
                pthread_mutex_unlock(&c->mutex);
        }
        if (merged->overlay_files.n && !c->alone) {
                int r = ash_config_overlay_files(c, component, merged->overlay_files, &((AshComponentConfig *) merged)->overlays, diags);
                if (r < 0)
                        return r;
        }
        __atomic_store_n(&component->merged, merged, __ATOMIC_RELEASE);
        return 0;
}

int ash_config_component(AshConfig *c, AshSlice name, const AshComponent **ret, AshDiags *diags) {
        AshComponent *component = (AshComponent *) ash_config_find_component(c, name);
        if (!component) {
                ash_config_unknown(c, ASH_REF_COMPONENT, name, ASH_NOWHERE, diags);
                return -ENOENT;
        }
        if (!__atomic_load_n(&component->merged, __ATOMIC_ACQUIRE)) {
                int r = merge_component(c, component, diags);
                if (r < 0)
                        return r;
        }
        *ret = component;
        return 0;
}

/* ---- overlays in files of their own ---- */
static void stamp(AshOverlayFile *file) {
        for (size_t i = 0; i < file->overlays.n; i++) {
                AshOverlay *o = &file->overlays.items[i];
                o->category = file->stamp.category;
                o->upstream_status = file->stamp.upstream_status;
                o->commits = file->stamp.commits;
                o->bugs = file->stamp.bugs;
                o->since = file->stamp.since;
        }
}

/* Caller has the mutex. A file is read once, whoever asks for it. */
static const AshOverlayFile *overlay_file(AshConfig *c, const char *path, AshSpan wanted_at, AshDiags *diags) {
        AshMapEntry *e = ash_map_find(&c->overlay_files, ash_slice_str(path));
        if (e)
                return e->value;
        AshConfigFile *f = ash_config_file_new(path);
        f->wanted_at = wanted_at;
        ash_array_push(&c->side_files, f);
        _cleanup_(ash_diags_free_p) AshDiags *own = ash_diags_new();
        AshOverlayFile *file = ash_arena_new_item(f->arena, AshOverlayFile);
        bool good = ash_config_file_parse(f, &ash_record_overlay_file, file, c->flags & ASH_CONFIG_WARN_OLD, own) >= 0 && !ash_diags_count(own, ASH_ERROR);
        if (diags)
                ash_diags_merge(diags, own);
        if (good)
                stamp(file);
        else
                file = NULL;
        ash_map_put(&c->overlay_files, ash_slice_str(f->path), file, NULL);
        return file;
}

static int by_file_name(const void *a, const void *b) {
        AshSlice x = ash_slice_str(*(char *const *) a), y = ash_slice_str(*(char *const *) b);
        int order = ash_slice_cmp(ash_path_base(x), ash_path_base(y));
        return order ? order : ash_slice_cmp(x, y);
}

/* The pattern of one component: {component} filled in; a relative one from defaults starts at the component's directory. */
static char *pattern_of(const AshComponent *component, AshText pattern) {
        static const AshSlice mark = { "{component}", 11 };
        ptrdiff_t at = ash_slice_find(pattern.s, mark);
        if (at >= 0)
                return ash_asprintf("%.*s%.*s%.*s", (int) at, pattern.s.ptr, ASH_F(component->name.s), ASH_F(ash_slice_from(pattern.s, (size_t) at + mark.len)));
        AshTexts own = component->own->overlay_files;
        for (size_t i = 0; i < own.n; i++)
                if (own.items[i].s.ptr == pattern.s.ptr)
                        return ash_slice_dup(pattern.s);
        _free_ char *joined = ash_path_join(component->base_dir, pattern.s.ptr);
        return ash_path_normalize(ash_slice_str(joined));
}

static int find_overlay_files(const AshComponent *component, AshTexts patterns, AshPaths *ret, AshSpan **ret_places, AshDiags *diags) {
        int result = 0;
        _map_ AshMap seen = {};
        ASH_ARRAY(AshSpan) places = {};
        for (size_t i = 0; i < patterns.n; i++) {
                AshText t = patterns.items[i];
                _free_ char *pattern = pattern_of(component, t);
                _paths_ AshPaths found = {};
                bool literal;
                int r = ash_config_glob(ash_slice_str(pattern), &found, &literal);
                /* In defaults a path without wildcards may be missing for this or that component only when it holds {component}. */
                if (r < 0) {
                        result = ash_fail(diags, -ASH_ERR_CONFIG, t.at, r == -ENOENT ? "no overlay file '%s'" : "cannot read the overlay file '%s': %s", pattern, ash_strerror(r));
                        ash_hint(diags, "only a path with wildcards may match nothing");
                        continue;
                }
                if (found.paths.n)
                        qsort(found.paths.items, found.paths.n, sizeof(char *), by_file_name);
                ash_array_foreach(&found.paths, p) {
                        if (ash_map_find(&seen, ash_slice_str(*p)))
                                continue;
                        ash_array_push(&places, t.at);
                        ash_array_push(&ret->paths, ASH_TAKE(*p));
                        ash_map_put(&seen, ash_slice_str(*ash_array_last(&ret->paths)), NULL, NULL);
                }
        }
        *ret_places = places.items;
        return result;
}

int ash_config_overlay_files(AshConfig *c, const AshComponent *component, AshTexts patterns, AshOverlays *ret, AshDiags *diags) {
        _paths_ AshPaths paths = {};
        _free_ AshSpan *places = NULL;
        int result = find_overlay_files(component, patterns, &paths, &places, diags);
        AshOverlays all = *ret;
        pthread_mutex_lock(&c->mutex);
        for (size_t i = 0; i < paths.paths.n; i++) {
                const AshOverlayFile *file = overlay_file(c, paths.paths.items[i], places[i], diags);
                if (!file) {
                        result = -ASH_ERR_CONFIG;
                        continue;
                }
                AshOverlay *joined = ash_arena_new_items(c->arena, AshOverlay, all.n + file->overlays.n);
                if (all.n)
                        memcpy(joined, all.items, all.n * sizeof *joined);
                memcpy(joined + all.n, file->overlays.items, file->overlays.n * sizeof *joined);
                all = (AshOverlays){ joined, all.n + file->overlays.n };
        }
        pthread_mutex_unlock(&c->mutex);
        if (result >= 0)
                *ret = all;
        return result;
}

/* ---- every overlay ---- */
typedef struct EachOverlay {
        int (*fn)(void *context, const AshOverlay *overlay, AshDiags *diags);
        void *context;
        AshDiags *diags;
        int result;
} EachOverlay;

static void each_of(EachOverlay *e, AshOverlays overlays) {
        for (size_t i = 0; i < overlays.n; i++) {
                int r = e->fn(e->context, &overlays.items[i], e->diags);
                if (r < 0 && e->result >= 0)
                        e->result = r;
        }
}

int ash_config_each_overlay(AshConfig *c, int (*fn)(void *context, const AshOverlay *overlay, AshDiags *diags), void *context, AshDiags *diags) {
        EachOverlay e = { fn, context, diags, 0 };
        const AshProject *p = &c->project;
        each_of(&e, p->default_component.overlays);
        for (size_t i = 0; i < p->distros.n; i++)
                for (size_t k = 0; k < p->distros.items[i].versions.n; k++)
                        each_of(&e, p->distros.items[i].versions.items[k].defaults.overlays);
        for (size_t i = 0; i < p->groups.n; i++)
                each_of(&e, p->groups.items[i].defaults.overlays);
        for (size_t i = 0; i < p->components.n; i++)
                each_of(&e, p->components.items[i].own->overlays);
        for (size_t i = 0; i < c->side_files.n; i++) {
                const AshOverlayFile *file = ash_map_get(&c->overlay_files, ash_slice_str(c->side_files.items[i]->path));
                if (file)
                        each_of(&e, file->overlays);
        }
        return e.result;
}

/* ---- images ---- */
typedef struct Line {
        AshConfig *config;
        AshMap seen;              /* name -> an image that is being walked, or NULL when it is done */
        AshImageList *list;
        const AshImage *chain[INHERIT_MAX + 1];
        size_t depth;
        AshDiags *diags;
} Line;

static int circle(const Line *l, const AshImage *image, AshText parent) {
        _str_ AshStr text = {};
        bool in = false;
        for (size_t i = 0; i < l->depth; i++) {
                in |= l->chain[i] == image;
                if (in)
                        ash_str_appendf(&text, "%.*s -> ", ASH_F(l->chain[i]->name.s));
        }
        ash_fail(l->diags, -ASH_ERR_CONFIG, parent.at, "images inherit from each other: %s%.*s", text.ptr ? text.ptr : "", ASH_F(image->name.s));
        ash_hint(l->diags, "put what they share into an image of its own, with abstract = true");
        return -ASH_ERR_CONFIG;
}

static int line_up(Line *l, const AshImage *image) {
        bool new;
        ash_map_ensure(&l->seen, image->name.s, &new)->value = (void *) image;
        l->chain[l->depth++] = image;
        for (size_t i = 0; i < image->inherits.n; i++) {
                AshText name = image->inherits.items[i];
                const AshImage *parent = ash_config_find_image(l->config, name.s);
                if (!parent)
                        return -ASH_ERR_CONFIG; /* reported as an unknown name */
                AshMapEntry *e = ash_map_find(&l->seen, parent->name.s);
                if (e && e->value)
                        return circle(l, parent, name);
                if (e)
                        continue; /* inherited by two ways: it counts once */
                if (l->depth > INHERIT_MAX) {
                        ash_fail(l->diags, -ASH_ERR_CONFIG, name.at, "more than %d images inherit from one another", INHERIT_MAX);
                        ash_hint(l->diags, "name several images in one 'inherits' instead");
                        return -ASH_ERR_CONFIG;
                }
                int r = line_up(l, parent);
                if (r < 0)
                        return r;
        }
        l->depth--;
        ash_map_find(&l->seen, image->name.s)->value = NULL;
        ash_array_push(l->list, image);
        return 0;
}

int ash_config_image_layers(AshConfig *c, const AshImage *image, AshImageList *ret, AshDiags *diags) {
        Line l = { .config = c, .list = ret, .diags = diags };
        int r = line_up(&l, image);
        ash_map_done(&l.seen);
        return r;
}

static int effective_image(AshConfig *c, const AshImage *own, AshImage *into, AshDiags *diags) {
        AshMerge m = { c->arena, .append = true, .strict = true };
        AshImageList layers = {};
        int r = ash_config_image_layers(c, own, &layers, diags);
        for (size_t i = 0; r >= 0 && i < layers.n; i++) {
                if (layers.items[i] == own) { /* the last; these two speak of one image alone */
                        into->description = (AshText){};
                        into->is_abstract = (AshFlag){};
                }
                ash_merge_record(&m, &ash_record_image, into, layers.items[i]);
        }
        into->name = own->name;
        ash_array_done(&layers);
        return r;
}

int ash_config_image(AshConfig *c, AshSlice name, const AshImage **ret, AshDiags *diags) {
        const AshImage *own = ash_config_find_image(c, name);
        if (!own) {
                ash_config_unknown(c, ASH_REF_IMAGE, name, ASH_NOWHERE, diags);
                return -ENOENT;
        }
        pthread_mutex_lock(&c->mutex);
        AshImage *image = ash_map_get(&c->images, own->name.s);
        int r = 0;
        if (!image) {
                image = ash_arena_new_item(c->arena, AshImage);
                r = effective_image(c, own, image, diags);
                if (r >= 0)
                        ash_map_put(&c->images, own->name.s, image, NULL);
        }
        pthread_mutex_unlock(&c->mutex);
        if (r >= 0)
                *ret = image;
        return r;
}
