/* Looking things up in a loaded configuration. */
#include "config-private.h"

const AshProject *ash_config_project(const AshConfig *c) { return &c->project; }
const char *ash_config_dir(const AshConfig *c) { return c->dir; }
const char *ash_config_file(const AshConfig *c) { return c->file; }
AshOverlaySemantics ash_config_semantics(const AshConfig *c) { return c->semantics; }

size_t ash_config_n_components(const AshConfig *c) { return c->project.components.n; }
const AshComponent *ash_config_component_at(const AshConfig *c, size_t i) { return i < c->project.components.n ? &c->project.components.items[c->sorted[i]] : NULL; }
const AshComponent *ash_config_find_component(const AshConfig *c, AshSlice name) { return ash_map_get(&c->names[ASH_REF_COMPONENT], name); }
const AshDistro *ash_config_distro(const AshConfig *c, AshSlice name) { return ash_map_get(&c->names[ASH_REF_DISTRO], name); }
const AshRepo *ash_config_repo(const AshConfig *c, AshSlice name) { return ash_map_get(&c->names[ASH_REF_REPO], name); }
const AshChannel *ash_config_channel(const AshConfig *c, AshSlice name) { return ash_map_get(&c->names[ASH_REF_CHANNEL], name); }
const AshImage *ash_config_find_image(const AshConfig *c, AshSlice name) { return ash_map_get(&c->names[ASH_REF_IMAGE], name); }

const AshDistroVersion *ash_config_distro_version(const AshConfig *c, AshSlice distro, AshSlice version) {
        const AshDistro *d = ash_config_distro(c, distro);
        if (d && !version.len)
                version = d->default_version.s;
        for (size_t i = 0; d && i < d->versions.n; i++)
                if (ash_slice_eq(d->versions.items[i].name.s, version))
                        return &d->versions.items[i];
        return NULL;
}

const AshDistroVersion *ash_config_default_distro_version(const AshConfig *c, const AshDistro **ret_distro) {
        AshDistroRef ref = c->project.info.default_distro;
        if (ret_distro)
                *ret_distro = ash_config_distro(c, ref.name.s);
        return ash_config_distro_version(c, ref.name.s, ref.version.s);
}

const AshUpstream *ash_config_upstream(const AshConfig *c, AshSlice name) {
        if (name.len)
                return ash_map_get(&c->names[ASH_REF_UPSTREAM], name);
        const AshUpstreams *u = &c->project.upstreams;
        for (size_t i = 0; i < u->n; i++)
                if (u->items[i].is_default.value == ASH_YES)
                        return &u->items[i];
        return u->n == 1 ? &u->items[0] : NULL;
}

static const AshPackageGroup *group_of_package(AshConfig *c, AshSlice package) {
        pthread_mutex_lock(&c->mutex);
        if (!c->package_groups_made) {
                const AshPackageGroups *groups = &c->project.package_groups;
                for (size_t i = 0; i < groups->n; i++)
                        for (size_t k = 0; k < groups->items[i].packages.n; k++) {
                                bool new;
                                AshMapEntry *e = ash_map_ensure(&c->package_groups, groups->items[i].packages.items[k].s, &new);
                                /* In several groups: the alphabetically last one counts, as the strongest layer does for components. */
                                if (new || ash_slice_cmp(((AshPackageGroup *) e->value)->name.s, groups->items[i].name.s) < 0)
                                        e->value = &groups->items[i];
                        }
                c->package_groups_made = true;
        }
        const AshPackageGroup *group = ash_map_get(&c->package_groups, package);
        pthread_mutex_unlock(&c->mutex);
        return group;
}

static AshText channel_of(const AshPublish *p, bool debuginfo) {
        if (debuginfo)
                return p->debuginfo_channel;
        return p->rpm_channel.s.len ? p->rpm_channel : p->channel;
}

AshText ash_config_package_channel(const AshConfig *config, const AshComponentConfig *component, AshSlice package, bool debuginfo) {
        AshConfig *c = (AshConfig *) config; /* the index of packages is made on first use, under the mutex */
        for (size_t i = 0; component && i < component->packages.n; i++) {
                AshText t = channel_of(&component->packages.items[i].publish, debuginfo);
                if (ash_slice_eq(component->packages.items[i].name.s, package) && t.s.len)
                        return t;
        }
        const AshPackageGroup *group = group_of_package(c, package);
        AshText t = group ? channel_of(&group->publish, debuginfo) : (AshText){};
        if (!t.s.len && component)
                t = channel_of(&component->publish, debuginfo);
        return t.s.len ? t : channel_of(&c->project.default_publish, debuginfo);
}
