#include "apt.h"
#include "flow-asked.h"
#include "flow-capability.h"

typedef struct Asker {
        AshFlow *flow;
        AshSlice arch;
        const AshFlowLabelled *sources;
        size_t n;
        bool has_built;
        AshArena *arena;
        AshFlowChoice *choice;       /* over the sources, for names alone; opened when one is looked up */
} Asker;

/* ---- is there such a name? ---- */
static int has(Asker *a, AshSlice name, bool *ret) {
        int r = 0;
        if (!a->choice)
                r = ash_flow_choice_new(a->flow, a->arch, a->sources, a->n, NULL, 0, &a->choice);
        return r < 0 ? r : ash_flow_choice_has(a->choice, name, ret);
}

static bool built_here(Asker *a, AshSlice name) {
        for (size_t i = 0; i < a->n; i++) {
                AshIndexOwn own = {};
                if (ash_flow_upstream_built(a->sources[i].upstream, &own) <= 0)
                        continue;
                for (size_t k = 0; k < own.n; k++)
                        if (ash_package_provides(&own.packages[k], name))
                                return true;
        }
        return false;
}

/* ---- names of Fedora's that say what is in a package ---- */
/* "Getopt-Long" of "perl-Getopt-Long" is perl(Getopt::Long). */
static AshSlice perl_module(AshSlice rest, AshArena *arena) {
        _str_ AshStr out = {};
        for (size_t i = 0; i < rest.len; i++)
                ash_str_append_str(&out, rest.ptr[i] == '-' ? "::" : (char[]){ rest.ptr[i], 0 });
        return ash_slice_str(ash_arena_printf(arena, "perl(%s)", out.len ? out.ptr : ""));
}
static AshSlice python_distribution(AshSlice rest, AshArena *arena) { return ash_slice_str(ash_arena_printf(arena, "python3dist(%.*s)", ASH_F(rest))); }
static AshSlice pkgconfig_of(AshSlice rest, AshArena *arena) { return ash_slice_str(ash_arena_printf(arena, "pkgconfig(%.*s)", ASH_F(rest))); }
static AshSlice pkgconfig_of_lib(AshSlice rest, AshArena *arena) { return ash_slice_str(ash_arena_printf(arena, "pkgconfig(lib%.*s)", ASH_F(rest))); }
static AshSlice cmake_of(AshSlice rest, AshArena *arena) { return ash_slice_str(ash_arena_printf(arena, "cmake(%.*s)", ASH_F(rest))); }
static AshSlice devel_of(AshSlice rest, AshArena *arena) { return ash_slice_str(ash_arena_printf(arena, "%.*s-devel", ASH_F(rest))); }

/* In their order; the first that something has is meant. Fedora's naming guidelines make these names, and they are only asked for when no package has the name itself. */
static const struct {
        const char *before, *after;  /* around what the rest is made of */
        AshSlice (*spell)(AshSlice rest, AshArena *arena);
} spellings[] = {
        { "perl-", "", perl_module },
        { "python3-", "", python_distribution },
        { "", "-static", devel_of }, /* development files and archives of code are one package in Debian */
        { "", "-devel", pkgconfig_of },
        { "", "-devel", pkgconfig_of_lib },
        { "", "-devel", cmake_of },
};

/* " or A or B" of the packages that have a capability. */
static int having(Asker *a, AshSlice capability, AshStr *any, size_t *n_names) {
        for (size_t i = 0; i < a->n; i++) {
                AshSlice *names;
                size_t n;
                int r = ash_flow_capability(a->flow, a->sources[i].upstream, capability, a->arena, &names, &n);
                if (r < 0)
                        return r;
                for (size_t k = 0; k < n; k++) /* the archive's own package: one of that name that was built here need not have it */
                        ash_str_appendf(any, " or deb(%.*s)", ASH_F(names[k]));
                *n_names += n;
        }
        return 0;
}

static int spelled(Asker *a, AshSlice name, AshStr *any, size_t *n_names) {
        for (size_t i = 0; i < ASH_N(spellings) && !any->len; i++) {
                AshSlice before = ash_slice_str(spellings[i].before), after = ash_slice_str(spellings[i].after);
                if (name.len <= before.len + after.len || !ash_slice_starts(name, before) || !ash_slice_ends(name, after))
                        continue;
                AshSlice other = spellings[i].spell(ash_slice_sub(name, before.len, name.len - before.len - after.len), a->arena);
                bool there = false;
                int r = ash_flow_is_capability(other) ? having(a, other, any, n_names) : has(a, other, &there);
                if (r < 0)
                        return r;
                if (there)
                        ash_str_appendf(any, " or %.*s", ASH_F(other));
                else if (!any->len && !ash_flow_is_capability(other))
                        return spelled(a, other, any, n_names);
        }
        return 0;
}

/* Names of libraries and of their .pc files have most in common: "libXrender-devel" is what has xrender.pc. */
static int near(Asker *a, AshSlice name, AshStr *any, size_t *n_names) {
        AshSlice found = {};
        bool devel = ash_slice_ends(name, ASH_S("-devel"));
        if (!devel && !ash_slice_ends(name, ASH_S("-static")))
                return 0;
        name.len -= devel ? strlen("-devel") : strlen("-static");
        for (size_t i = 0; i < a->n && !found.len; i++) {
                int r = ash_flow_capability_development(a->flow, a->sources[i].upstream, name, a->arena, &found);
                if (r < 0)
                        return r;
        }
        if (found.len) {
                ash_str_appendf(any, " or deb(%.*s)", ASH_F(found));
                ++*n_names;
        }
        return 0;
}

/* ---- one name elsewhere, several packages here ---- */
static void add_several(Asker *a, const AshRequest *request, AshSlice name, AshFlowRequests *more) {
        if (request->job != ASH_REQUEST_INSTALL || (a->has_built && built_here(a, name)))
                return;
        for (size_t i = 0; i < a->n; i++) {
                const AshAptTables *tables = ash_flow_upstream_tables(a->sources[i].upstream);
                size_t n = 0;
                const AshSlice *names = tables ? ash_apt_tables_several(tables, name, a->arena, &n) : NULL;
                for (size_t k = 0; k < n; k++) {
                        ash_array_push(more, *request);
                        more->items[more->n - 1].what = names[k];
                }
        }
}

static int ask(Asker *a, AshRequest *request, AshFlowRequests *more) {
        AshDep dep;
        _str_ AshStr any = {};
        size_t n_names = 0;
        bool there = false;
        if (request->job == ASH_REQUEST_PREFER || ash_dep_parse(request->what, &dep) < 0 || ash_slice_starts(dep.name, ASH_S("(")))
                return 0;
        bool capability = ash_flow_is_capability(dep.name);
        int r = capability ? having(a, dep.name, &any, &n_names) : has(a, dep.name, &there);
        if (r < 0)
                return r;
        if (there) {
                add_several(a, request, dep.name, more);
                return 0;
        }
        if (!capability && request->job == ASH_REQUEST_INSTALL)
                r = spelled(a, dep.name, &any, &n_names);
        if (!capability && request->job == ASH_REQUEST_INSTALL && r >= 0 && !any.len)
                r = near(a, dep.name, &any, &n_names);
        if (r < 0 || !any.len)
                return r;
        bool alone = capability && dep.name.ptr[0] == '/' && !a->has_built; /* no index lists files */
        if (alone)
                request->what = ash_slice_str(ash_arena_printf(a->arena, n_names > 1 ? "(%s)" : "%s", any.ptr + strlen(" or ")));
        else
                request->what = ash_slice_str(ash_arena_printf(a->arena, "(%.*s%s)", ASH_F(request->what), any.ptr));
        return 0;
}

int ash_flow_asked(AshFlow *flow, AshSlice arch, const AshFlowLabelled *sources, size_t n, bool has_built, AshFlowRequests *requests, AshArena *arena) {
        Asker a = { .flow = flow, .arch = arch, .sources = sources, .n = n, .has_built = has_built, .arena = arena };
        AshFlowRequests more = {};
        int r = 0;
        for (size_t i = 0; r >= 0 && i < requests->n; i++)
                r = ask(&a, &requests->items[i], &more);
        ash_array_foreach(&more, m)
                ash_array_push(requests, *m);
        ash_array_done(&more);
        ash_flow_choice_free(a.choice);
        return r;
}
