/* Sets of repositories: a layout at an address makes one repository for each of the layout's. */
#include "config-private.h"

static const AshRepoTemplate *template_of(const AshConfig *c, AshSlice name) {
        for (size_t i = 0; i < c->project.resources.templates.n; i++)
                if (ash_slice_eq(c->project.resources.templates.items[i].name.s, name))
                        return &c->project.resources.templates.items[i];
        return NULL;
}

static bool wanted(const AshRepoSet *set, AshSlice subrepo) {
        for (size_t i = 0; i < set->subrepos.n; i++)
                if (ash_slice_eq(set->subrepos.items[i].s, subrepo))
                        return true;
        return set->subrepos.n == 0;
}

static void check_wanted(const AshRepoSet *set, const AshRepoTemplate *t, AshDiags *diags) {
        for (size_t i = 0; i < set->subrepos.n; i++) {
                bool found = false;
                for (size_t k = 0; k < t->subrepos.n; k++)
                        found |= ash_slice_eq(t->subrepos.items[k].name.s, set->subrepos.items[i].s);
                if (found)
                        continue;
                ash_fail(diags, -ASH_ERR_CONFIG, set->subrepos.items[i].at, "the layout '%.*s' has no repository '%.*s'", ASH_F(t->name.s), ASH_F(set->subrepos.items[i].s));
                _str_ AshStr all = {};
                for (size_t k = 0; k < t->subrepos.n; k++)
                        ash_str_appendf(&all, "%s%.*s", k ? ", " : "", ASH_F(t->subrepos.items[k].name.s));
                ash_hint(diags, "it has: %s", all.ptr ? all.ptr : "none");
        }
}

static AshRepo make_repo(AshConfig *c, const AshRepoSet *set, const AshSubrepo *sub) {
        AshSlice base = set->base_uri.s;
        while (base.len && base.ptr[base.len - 1] == '/')
                base.len--;
        char *name = ash_arena_printf(c->arena, "%.*s%.*s", ASH_F(set->name_prefix.s), ASH_F(sub->name.s));
        char *uri = ash_arena_printf(c->arena, "%.*s/%.*s", ASH_F(base), ASH_F(sub->subpath.s));
        return (AshRepo){
                .name = { ash_slice_str(name), set->name.at }, .description = set->description, .type = { ASH_S("rpm-md"), ASH_NOWHERE },
                .base_uri = { ash_slice_str(uri), set->base_uri.at }, .disable_gpg_check = set->disable_gpg_check, .disable_ssl_verify = set->disable_ssl_verify,
                .gpg_key = set->gpg_key, .architectures = set->architectures,
        };
}

void ash_config_expand_repos(AshConfig *c, AshDiags *diags) {
        const AshResources *r = &c->project.resources;
        size_t room = r->repos.n;
        for (size_t i = 0; i < r->sets.n; i++) {
                const AshRepoTemplate *t = template_of(c, r->sets.items[i].repo_template.s);
                room += t ? t->subrepos.n : 0;
        }
        AshRepo *repos = ash_arena_new_items(c->arena, AshRepo, room + 1);
        _map_ AshMap names = {};
        size_t n = 0;
        for (size_t i = 0; i < r->repos.n; i++) {
                repos[n] = r->repos.items[i];
                ash_map_put(&names, repos[n].name.s, &repos[n], NULL);
                n++;
        }
        for (size_t i = 0; i < r->sets.n; i++) {
                const AshRepoSet *set = &r->sets.items[i];
                const AshRepoTemplate *t = template_of(c, set->repo_template.s);
                if (!t)
                        continue; /* an unknown name, reported as such */
                check_wanted(set, t, diags);
                for (size_t k = 0; k < t->subrepos.n; k++) {
                        if (!wanted(set, t->subrepos.items[k].name.s))
                                continue;
                        repos[n] = make_repo(c, set, &t->subrepos.items[k]);
                        AshRepo *other = ash_map_get(&names, repos[n].name.s);
                        if (other) {
                                ash_fail(diags, -ASH_ERR_CONFIG, set->name.at, "the set makes a repository '%.*s', which is there already", ASH_F(repos[n].name.s));
                                ash_note(diags, other->name.at, "it is declared here");
                                ash_hint(diags, "choose another 'name-prefix'");
                                continue;
                        }
                        ash_map_put(&names, repos[n].name.s, &repos[n], NULL);
                        n++;
                }
        }
        c->repos = (AshRepos){ repos, n };
}
