/* Components that no file declares: groups find local specs by globs. */
#include "config-private.h"

typedef struct Finder {
        AshConfig *config;
        AshMap known;             /* component names */
        ASH_ARRAY(AshComponent) found;
} Finder;

static bool excluded(const AshComponentGroup *group, AshSlice path) {
        for (size_t i = 0; i < group->excluded_paths.n; i++)
                if (ash_glob_match(group->excluded_paths.items[i].s, path))
                        return true;
        return false;
}

static AshText add_spec(Finder *f, AshText pattern, AshSlice path, AshSlice name) {
        AshArena *arena = f->config->arena;
        AshText text = { ash_arena_slice(arena, name), pattern.at };
        bool new;
        ash_map_ensure(&f->known, text.s, &new);
        if (!new)
                return text;
        AshComponentConfig *own = ash_arena_new_item(arena, AshComponentConfig);
        own->spec.type = (AshText){ ASH_S("local"), pattern.at };
        own->spec.path = (AshText){ ash_arena_slice(arena, path), pattern.at };
        ash_array_push(&f->found, ((AshComponent){ text, ash_arena_slice(arena, ash_path_dir(path)).ptr, own, NULL }));
        return text;
}

static void search_group(Finder *f, AshComponentGroup *group, AshDiags *diags) {
        ASH_ARRAY(AshText) members = {};
        for (size_t i = 0; i < group->specs.n; i++) {
                _paths_ AshPaths found = {};
                bool literal;
                int r = ash_config_glob(group->specs.items[i].s, &found, &literal);
                if (r < 0)
                        ash_fail(diags, -ASH_ERR_CONFIG, group->specs.items[i].at, "cannot look for specs: %s", ash_strerror(r));
                ash_array_foreach(&found.paths, p) {
                        AshSlice path = ash_slice_str(*p), base = ash_path_base(path);
                        if (ash_slice_ends(base, ASH_S(".spec")) && base.len > 5 && !excluded(group, path))
                                ash_array_push(&members, add_spec(f, group->specs.items[i], path, ash_slice_sub(base, 0, base.len - 5)));
                }
        }
        if (members.n) {
                AshText *joined = ash_arena_new_items(f->config->arena, AshText, group->components.n + members.n);
                _map_ AshMap listed = {};
                size_t n = 0;
                for (size_t i = 0; i < group->components.n + members.n; i++) {
                        AshText t = i < group->components.n ? group->components.items[i] : members.items[i - group->components.n];
                        bool new;
                        ash_map_ensure(&listed, t.s, &new);
                        if (new)
                                joined[n++] = t;
                }
                group->components = (AshTexts){ joined, n };
        }
        ash_array_done(&members);
}

void ash_config_find_specs(AshConfig *c, AshDiags *diags) {
        AshComponentGroups *groups = &c->project.groups;
        bool any = false;
        for (size_t i = 0; i < groups->n; i++)
                any |= groups->items[i].specs.n > 0 && !c->alone;
        if (!any)
                return;
        Finder f = { .config = c };
        AshComponents *components = &c->project.components;
        for (size_t i = 0; i < components->n; i++)
                ash_map_put(&f.known, components->items[i].name.s, NULL, NULL);
        for (size_t i = 0; i < groups->n; i++)
                search_group(&f, &groups->items[i], diags);
        if (f.found.n) {
                AshComponent *joined = ash_arena_new_items(c->arena, AshComponent, components->n + f.found.n);
                if (components->n)
                        memcpy(joined, components->items, components->n * sizeof *joined);
                memcpy(joined + components->n, f.found.items, f.found.n * sizeof *joined);
                *components = (AshComponents){ joined, components->n + f.found.n };
        }
        ash_array_done(&f.found);
        ash_map_done(&f.known);
}
