#include "apt.h"
#include "flow-asked.h"
#include "flow-asked-rich.h"
#include "flow-capability.h"
#include "flow-package.h"

typedef struct Asker {
        AshFlow *flow;
        AshSlice arch;
        const AshFlowLabelled *sources;
        size_t n;
        bool has_built;
        AshArena *arena;
        AshFlowPromises *promises;
        AshFlowNames *looked_up;
        AshFlowChoice *choice;       /* over the sources, for names alone; opened when one is looked up */
} Asker;

/* ---- is there such a name? ---- */
static int has(Asker *a, AshSlice name, bool *ret) {
        int r = 0;
        ash_array_push(a->looked_up, name);
        if (!a->choice)
                r = ash_flow_choice_new(a->flow, a->arch, a->sources, a->n, NULL, 0, &a->choice);
        return r < 0 ? r : ash_flow_choice_has(a->choice, name, ret);
}

static bool built_here(Asker *a, AshSlice name) {
        for (size_t i = 0; i < a->n; i++) {
                AshIndexOwn own = {};
                if (ash_flow_upstream_built(a->sources[i].upstream, NULL, &own) > 0 && ash_own_provides(own.own, name))
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
/* Distributions of Python have one spelling: "Cython" and "setuptools_scm" are cython and setuptools-scm (PEP 503). */
static AshSlice python_distribution(AshSlice rest, AshArena *arena) {
        _str_ AshStr out = {};
        for (size_t i = 0; i < rest.len; i++) {
                bool joint = strchr("-_.", rest.ptr[i]);
                if (!joint || !out.len || out.ptr[out.len - 1] != '-')
                        ash_str_append_char(&out, joint ? '-' : (char) ((rest.ptr[i] >= 'A' && rest.ptr[i] <= 'Z') ? rest.ptr[i] + 'a' - 'A' : rest.ptr[i]));
        }
        return ash_slice_str(ash_arena_printf(arena, "python3dist(%s)", out.len ? out.ptr : ""));
}
static AshSlice pkgconfig_of(AshSlice rest, AshArena *arena) { return ash_slice_str(ash_arena_printf(arena, "pkgconfig(%.*s)", ASH_F(rest))); }
static AshSlice pkgconfig_of_lib(AshSlice rest, AshArena *arena) { return ash_slice_str(ash_arena_printf(arena, "pkgconfig(lib%.*s)", ASH_F(rest))); }
static AshSlice cmake_of(AshSlice rest, AshArena *arena) { return ash_slice_str(ash_arena_printf(arena, "cmake(%.*s)", ASH_F(rest))); }
static AshSlice program_of(AshSlice rest, AshArena *arena) { return ash_slice_str(ash_arena_printf(arena, "/usr/bin/%.*s", ASH_F(rest))); }
static AshSlice tex_style(AshSlice rest, AshArena *arena) { return ash_slice_str(ash_arena_printf(arena, "tex(%.*s.sty)", ASH_F(rest))); }
static AshSlice tex_program(AshSlice rest, AshArena *arena) { return ash_slice_str(ash_arena_printf(arena, "tex(%.*s)", ASH_F(rest))); }
static AshSlice devel_of(AshSlice rest, AshArena *arena) { return ash_slice_str(ash_arena_printf(arena, "%.*s-devel", ASH_F(rest))); }

/* In their order; the first that something has is meant. Fedora's naming guidelines make these names, and they are only asked for when no package has the name itself. */
static const struct {
        const char *before, *after;  /* around what the rest is made of */
        AshSlice (*spell)(AshSlice rest, AshArena *arena);
} spellings[] = {
        { "perl-", "", perl_module },
        { "python3-", "", python_distribution },
        { "texlive-", "", tex_style },
        { "texlive-", "", tex_program },
        { "", "-static", devel_of }, /* development files and archives of code are one package in Debian */
        { "", "-devel", pkgconfig_of },
        { "", "-devel", pkgconfig_of_lib },
        { "", "-devel", cmake_of },
        { "", "", program_of }, /* "hardlink" */
};

/* " or A or B" of the packages that have a capability. promise: who asks for it in a version, or NULL. */
static int having(Asker *a, AshSlice capability, const AshRequest *promise, AshStr *any, size_t *n_names) {
        for (size_t i = 0; i < a->n; i++) {
                AshSlice *names;
                size_t n;
                int r = ash_flow_capability(a->flow, a->sources[i].upstream, capability, a->arena, &names, &n);
                if (r < 0)
                        return r;
                for (size_t k = 0; k < n; k++) /* the archive's own package: one of that name that was built here need not have it */
                        ash_str_appendf(any, " or deb(%.*s)", ASH_F(names[k]));
                *n_names += n;
                if (promise && n)
                        ash_array_push(a->promises, ((AshFlowPromise){ promise->what, names, n, promise->at }));
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
                int r = ash_flow_is_capability(other) ? having(a, other, NULL, any, n_names) : has(a, other, &there);
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

/* "openssl-devel >= 1:3.0": epochs tell the history of one distribution, and packages of another have theirs or none. */
static void without_epoch(Asker *a, const AshDep *dep, AshStr *any, size_t *n_names) {
        static const char *const signs[] = { "", "<", ">", "", "=", "<=", ">=" };
        ptrdiff_t colon = ash_slice_find_char(dep->evr, ':');
        unsigned how = dep->flags & ASH_DEP_COMPARE;
        unsigned sign = (how & ASH_DEP_LT ? 1u : 0) | (how & ASH_DEP_GT ? 2u : 0) | (how & ASH_DEP_EQ ? 4u : 0);
        if (colon <= 0 || sign >= ASH_N(signs) || !*signs[sign] || (a->has_built && built_here(a, dep->name)))
                return;
        ash_str_appendf(any, " or %.*s %s %.*s", ASH_F(dep->name), signs[sign], ASH_F(ash_slice_from(dep->evr, (size_t) colon + 1)));
        ++*n_names;
}

/* " or A or B" of what else would meet a dependency; empty: it is there, or nothing does. sure: all of it is wanted, so what comes in several packages is asked for as well. */
static int others(Asker *a, const AshRequest *request, const AshDep *dep, bool sure, AshFlowRequests *more, AshStr *any, size_t *n_names) {
        bool capability = ash_flow_is_capability(dep->name), there = false, install = request->job == ASH_REQUEST_INSTALL;
        int r = capability ? having(a, dep->name, sure && install && dep->flags & ASH_DEP_COMPARE ? request : NULL, any, n_names) : has(a, dep->name, &there);
        if (r < 0)
                return r;
        if (capability) {
                if (sure && any->len)
                        add_several(a, request, dep->name, more);
                return 0;
        }
        if (there) {
                if (sure)
                        add_several(a, request, dep->name, more);
                if (install)
                        without_epoch(a, dep, any, n_names);
                return 0;
        }
        if (install)
                r = spelled(a, dep->name, any, n_names);
        return r >= 0 && install && !any->len ? near(a, dep->name, any, n_names) : r;
}

/* A path is taken from the lists of files alone: no index has it, unless it was built here. */
static void write_any(const Asker *a, const AshDep *dep, AshSlice text, const AshStr *any, size_t n_names, AshStr *out) {
        if (dep->name.ptr[0] == '/' && !a->has_built)
                ash_str_appendf(out, n_names > 1 ? "(%s)" : "%s", any->ptr + strlen(" or "));
        else
                ash_str_appendf(out, "(%.*s%s)", ASH_F(text), any->ptr);
}

typedef struct Rich {
        Asker *asker;
        const AshRequest *request;
        AshFlowRequests *more;
} Rich;

static int rich_atom(void *data, AshSlice atom, bool sure, AshStr *out) {
        Rich *rich = data;
        AshRequest one = *rich->request;
        AshDep dep;
        _str_ AshStr any = {};
        size_t n_names = 0;
        one.what = ash_arena_slice(rich->asker->arena, atom);
        if (ash_dep_parse(one.what, &dep) < 0)
                return -EINVAL;
        int r = others(rich->asker, &one, &dep, sure, rich->more, &any, &n_names);
        if (r < 0)
                return r;
        if (any.len)
                write_any(rich->asker, &dep, one.what, &any, n_names, out);
        else
                ash_str_append(out, atom);
        return 0;
}

static int ask_rich(Asker *a, AshRequest *request, AshFlowRequests *more) {
        Rich rich = { a, request, more };
        _str_ AshStr text = {};
        int r = ash_rich_rewrite(request->what, rich_atom, &rich, &text);
        if (r == -EINVAL) /* the solver says what is wrong with it */
                return 0;
        if (r >= 0)
                request->what = ash_arena_slice(a->arena, ash_str_slice(&text));
        return r;
}

static int ask(Asker *a, AshRequest *request, AshFlowRequests *more) {
        AshDep dep;
        _str_ AshStr any = {}, text = {};
        size_t n_names = 0;
        if (request->job == ASH_REQUEST_PREFER || ash_dep_parse(request->what, &dep) < 0)
                return 0;
        if (ash_slice_starts(dep.name, ASH_S("(")))
                return ask_rich(a, request, more);
        int r = others(a, request, &dep, true, more, &any, &n_names);
        if (r < 0 || !any.len)
                return r;
        write_any(a, &dep, request->what, &any, n_names, &text);
        request->what = ash_arena_slice(a->arena, ash_str_slice(&text));
        return 0;
}

int ash_flow_asked(AshFlow *flow, AshSlice arch, const AshFlowLabelled *sources, size_t n, bool has_built, AshFlowRequests *requests, AshFlowPromises *promises, AshFlowNames *looked_up, AshArena *arena) {
        Asker a = { .flow = flow, .arch = arch, .sources = sources, .n = n, .has_built = has_built, .promises = promises, .looked_up = looked_up, .arena = arena };
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

/* ---- versions, which only the packages themselves say ---- */
/* Of Perl 0.9 is more than 0.82: versions are decimal fractions there, and rpm's order is another one. */
static bool decimal_suffices(const AshDep *wanted, AshSlice have) {
        _free_ char *a = ash_slice_dup(have), *b = ash_slice_dup(wanted->evr);
        char *end_a, *end_b;
        double x = strtod(a, &end_a), y = strtod(b, &end_b);
        return ash_slice_starts(wanted->name, ASH_S("perl(")) && !*end_a && !*end_b && ((wanted->flags & ASH_DEP_GT && x > y) || (wanted->flags & ASH_DEP_LT && x < y) || (wanted->flags & ASH_DEP_EQ && x == y));
}

typedef struct Judged {
        AshFlow *flow;
        AshArena *arena;
        AshDep wanted;
        AshUniverse *universe;       /* of the packages that may have it */
        bool unknown;                /* one has it in a version that nobody knows */
        bool enough;
        AshStr have;                 /* "NEVRA has VERSION", those that do not suffice */
} Judged;

static void judge_provide(Judged *j, const AshDep *provide, AshSlice nevra) {
        if (!ash_slice_eq(provide->name, j->wanted.name))
                return;
        j->unknown |= !provide->evr.len;
        j->enough |= provide->evr.len && decimal_suffices(&j->wanted, provide->evr);
        if (provide->evr.len)
                ash_str_appendf(&j->have, "%s%.*s of %.*s", j->have.len ? ", " : "", ASH_F(provide->evr), ASH_F(nevra));
}

static int judge_package(Judged *j, const AshFlowRootPackage *package) {
        _bytes_ AshBytes bytes = {};
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
        AshPackage p;
        AshId id;
        int r = ash_id_parse(package->sha256, &id);
        if (r >= 0)
                r = ash_store_map_blob(j->flow->store, &id, false, &bytes, j->flow->diags);
        if (r >= 0)
                r = ash_rpm_parse(ash_bytes_slice(&bytes), ash_arena_strndup(j->arena, package->nevra.ptr, package->nevra.len), &rpm, j->flow->diags);
        if (r >= 0)
                r = ash_flow_package_of_rpm(rpm, j->arena, &p, j->flow->diags);
        for (size_t i = 0; r >= 0 && i < p.deps[ASH_DEP_PROVIDES].n; i++)
                judge_provide(j, &p.deps[ASH_DEP_PROVIDES].items[i], package->nevra);
        if (r >= 0)
                ash_universe_add_package(j->universe, &p);
        return r;
}

static bool is_of(const AshFlowPromise *promise, AshSlice nevra) {
        AshPackage p;
        bool found = false;
        for (size_t i = 0; ash_nevra_parse(nevra, &p) >= 0 && !found && i < promise->n; i++)
                found = ash_slice_eq(p.name, promise->packages[i]);
        return found;
}

static int judge_promise(AshFlow *flow, AshSlice arch, const AshFlowPromise *promise, const AshFlowRootPackage *packages, size_t n) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _free_ char *name = ash_slice_dup(arch);
        _cleanup_(ash_universe_free_p) AshUniverse *u = ash_universe_new(name);
        Judged j = { .flow = flow, .arena = arena, .universe = u };
        AshPkgIds ids = {};
        ash_universe_add_repo(u, "chosen", 0);
        int r = ash_dep_parse(promise->asked, &j.wanted);
        for (size_t i = 0; r >= 0 && i < n; i++)
                if (is_of(promise, packages[i].nevra))
                        r = judge_package(&j, &packages[i]);
        if (r >= 0)
                r = ash_universe_what_provides(u, promise->asked, &ids);
        if (r >= 0 && j.have.len && !j.unknown && !j.enough && !ids.ids.n) {
                r = ash_fail(flow->diags, -ASH_ERR_UNSOLVABLE, promise->at, "no package is called or provides '%.*s'", ASH_F(promise->asked));
                ash_hint(flow->diags, "there is %s", j.have.ptr);
        }
        ash_pkgids_done(&ids);
        ash_str_done(&j.have);
        return r < 0 ? r : 0;
}

int ash_flow_promised(AshFlow *flow, AshSlice arch, const AshFlowPromises *promises, const AshFlowRootPackage *packages, size_t n) {
        int r = 0, e = 0;
        ash_array_foreach(promises, p) { /* each that is not kept is told */
                r = judge_promise(flow, arch, p, packages, n);
                e = e < 0 ? e : r;
        }
        return e;
}
