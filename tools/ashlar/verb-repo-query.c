/* repo verify, query, closure, diff: questions to a repository on disk. */
#include "verb-repo.h"
#include "io.h"
#include "repo.h"
#include "rpmmd.h"
#include "solve.h"

static int add_key(AshCli *cli, AshKeyring *keys, const char *path) {
        _bytes_ AshBytes bytes = {};
        int r = ash_file_read(AT_FDCWD, path, 16 << 20, &bytes);
        if (r < 0)
                return ash_fail_file(cli->diags, r, path, "cannot read the key: %s", ash_strerror(r));
        r = ash_keyring_add(keys, ash_bytes_slice(&bytes), path, cli->diags);
        return r < 0 ? r : 0;
}

int ash_verb_repo_verify(AshCli *cli) {
        _cleanup_(ash_keyring_free_p) AshKeyring *keys = NULL;
        AshRepoVerifyResult result;
        int r = 0;
        if (!ash_cli_flag(cli, "no-signatures")) {
                r = ash_keyring_new(&keys, cli->diags);
                for (size_t i = 0; r >= 0 && ash_cli_option_nth(cli, "key", i); i++)
                        r = add_key(cli, keys, ash_cli_option_nth(cli, "key", i));
                if (r >= 0 && !ash_cli_option(cli, "key")) {
                        r = ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "no key to check signatures with");
                        ash_hint(cli->diags, "--key FILE names a public key; --no-signatures checks sizes and digests only");
                }
        }
        if (r >= 0)
                r = ash_repo_verify(cli->args[0], keys, cli->jobs, &result, cli->progress, cli->diags);
        if (r < 0)
                return r;
        if (cli->json) {
                AshJson j = ash_cli_json(cli);
                ash_json_begin(&j, NULL, '{');
                ash_json_uint(&j, "packages", result.packages);
                ash_json_uint(&j, "signed-packages", result.signed_packages);
                ash_json_uint(&j, "metadata-files", result.metadata_files);
                ash_json_str(&j, "key", result.key[0] ? result.key : NULL);
                ash_json_end(&j, '}');
                ash_cli_print(cli, "\n");
        } else if (!cli->quiet) {
                ash_cli_printf(cli, "%s: good: %zu package%s, %zu metadata file%s", cli->args[0], ASH_COUNT(result.packages), ASH_COUNT(result.metadata_files));
                if (result.key[0])
                        ash_cli_printf(cli, ", metadata and %zu package%s signed by %s", ASH_COUNT(result.signed_packages), result.key);
                ash_cli_print(cli, "\n");
        }
        return 0;
}

/* ---- a repository as a universe ---- */
static int metadata_path(AshCli *cli, const char *dir, const AshRepomd *md, const char *type, char **ret) {
        const AshRpmmdData *d = ash_repomd_find(md, type);
        _free_ char *name = d ? ash_slice_dup(d->href) : NULL;
        *ret = d ? ash_path_join(dir, name) : NULL;
        return d || strcmp(type, "primary") != 0 ? 0 : ash_fail_file(cli->diags, -ASH_ERR_SYNTAX, dir, "repomd.xml names no primary metadata");
}

static int add_repo(AshCli *cli, AshUniverse *u, const char *dir) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _free_ char *path = ash_path_join(dir, "repodata/repomd.xml"), *primary = NULL, *filelists = NULL;
        _bytes_ AshBytes text = {};
        AshRepomd md = {};
        int r = ash_file_read(AT_FDCWD, path, 16 << 20, &text);
        if (r < 0)
                return ash_fail_file(cli->diags, r, path, "cannot read: %s", ash_strerror(r));
        r = ash_repomd_parse(ash_bytes_slice(&text), path, arena, &md, cli->diags);
        if (r >= 0)
                r = metadata_path(cli, dir, &md, "primary", &primary);
        if (r >= 0)
                r = metadata_path(cli, dir, &md, "filelists", &filelists);
        if (r < 0)
                return r;
        ash_universe_add_repo(u, dir, 0);
        return ash_universe_add_rpmmd(u, primary, filelists, NULL, cli->diags);
}

/* The architecture of a repository that has no package of this one: NULL if it has, or none of any. */
static const char *other_arch(AshUniverse *u, const char *arch, AshArena *arena) {
        _cleanup_(ash_pkgids_done) AshPkgIds ids = {};
        const char *other = NULL;
        ash_universe_by_name(u, ASH_S("*"), &ids);
        for (size_t i = 0; i < ids.ids.n; i++) {
                AshSlice a = ash_universe_package(u, ids.ids.items[i], arena)->arch;
                if (ash_slice_eqs(a, arch))
                        return NULL;
                if (!other && !ash_slice_eqs(a, "noarch") && !ash_slice_eqs(a, "src") && !ash_slice_eqs(a, "nosrc"))
                        other = ash_arena_strndup(arena, a.ptr, a.len);
        }
        return other;
}

/* Packages of another architecture than the universe's provide nothing in it. */
static int open_universe(AshCli *cli, const char *dir, AshUniverse **ret) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        const char *wanted = ash_cli_option(cli, "arch"), *arch = wanted ? wanted : "x86_64";
        *ret = ash_universe_new(arch);
        int r = add_repo(cli, *ret, dir);
        const char *other = r < 0 || wanted ? NULL : other_arch(*ret, arch, arena);
        if (!other)
                return r;
        ash_universe_free(*ret);
        *ret = ash_universe_new(other);
        return add_repo(cli, *ret, dir);
}

static void print_deps(AshCli *cli, AshJson *j, const AshPackage *p, AshDepKind kind) {
        for (size_t i = 0; i < p->deps[kind].n; i++) {
                _str_ AshStr text = {};
                ash_dep_format(&p->deps[kind].items[i], &text);
                if (j)
                        ash_json_text(j, NULL, ash_str_slice(&text));
                else
                        ash_cli_printf(cli, "%s\n", text.ptr);
        }
}

static void print_packages(AshCli *cli, AshUniverse *u, const AshPkgIds *ids) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshJson j = {};
        AshDepKind kind = ASH_DEP_MAX_;
        for (int k = 0; k < ASH_DEP_MAX_; k++)
                if (ash_cli_flag(cli, ash_dep_kind_name(k)))
                        kind = k;
        bool files = ash_cli_flag(cli, "files");
        if (cli->json) {
                j = ash_cli_json(cli);
                ash_json_begin(&j, NULL, '[');
        }
        for (size_t i = 0; i < ids->ids.n; i++) {
                const AshPackage *p = ash_universe_package(u, ids->ids.items[i], arena);
                AshSlice nevra = ash_package_nevra(p, arena);
                if (!cli->json) {
                        if (kind < ASH_DEP_MAX_)
                                print_deps(cli, NULL, p, kind);
                        else if (files) {
                                AshSlice *list = NULL;
                                size_t n = ash_universe_files(u, ids->ids.items[i], arena, &list);
                                for (size_t k = 0; k < n; k++)
                                        ash_cli_printf(cli, "%.*s\n", ASH_F(list[k]));
                        } else
                                ash_cli_printf(cli, "%.*s\n", ASH_F(nevra));
                        continue;
                }
                ash_json_begin(&j, NULL, '{');
                ash_json_text(&j, "nevra", nevra);
                ash_json_text(&j, "summary", p->summary);
                ash_json_text(&j, "license", p->license);
                ash_json_text(&j, "source", p->source_rpm);
                ash_json_text(&j, "location", p->location);
                ash_json_text(&j, "sha256", p->sha256);
                ash_json_uint(&j, "size", p->size);
                ash_json_uint(&j, "installed-size", p->installed_size);
                for (int k = 0; k < ASH_DEP_MAX_; k++) {
                        if (!p->deps[k].n)
                                continue;
                        ash_json_begin(&j, ash_dep_kind_name(k), '[');
                        print_deps(cli, &j, p, k);
                        ash_json_end(&j, ']');
                }
                if (files) {
                        AshSlice *list = NULL;
                        size_t n = ash_universe_files(u, ids->ids.items[i], arena, &list);
                        ash_json_begin(&j, "files", '[');
                        for (size_t k = 0; k < n; k++)
                                ash_json_text(&j, NULL, list[k]);
                        ash_json_end(&j, ']');
                }
                ash_json_end(&j, '}');
        }
        if (cli->json) {
                ash_json_end(&j, ']');
                ash_cli_print(cli, "\n");
        }
}

static void not_found(AshCli *cli, const char *how, const char *what, bool *missing) {
        ash_fail_file(cli->diags, -ENOENT, cli->args[0], "%s '%s'", how, what);
        *missing = true;
}

/* Leaves those of the architecture that was asked for. */
static void keep_arch(AshCli *cli, AshUniverse *u, size_t from, AshPkgIds *ids) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        const char *arch = ash_cli_option(cli, "arch");
        size_t n = from;
        for (size_t i = from; i < ids->ids.n; i++)
                if (!arch || ash_arch_fits(ash_universe_package(u, ids->ids.items[i], arena)->arch, ash_slice_str(arch)))
                        ids->ids.items[n++] = ids->ids.items[i];
        ids->ids.n = n;
}

int ash_verb_repo_query(AshCli *cli) {
        _cleanup_(ash_universe_free_p) AshUniverse *u = NULL;
        _cleanup_(ash_pkgids_done) AshPkgIds ids = {};
        bool missing = false;
        const char *provides = ash_cli_option(cli, "what-provides"), *requires = ash_cli_option(cli, "what-requires");
        int r = open_universe(cli, cli->args[0], &u);
        if (r < 0)
                return r;
        if (provides)
                r = ash_universe_what_provides(u, ash_slice_str(provides), &ids);
        else if (requires)
                r = ash_universe_what_requires(u, ash_slice_str(requires), &ids);
        size_t before = ids.ids.n;
        bool nothing = (provides || requires) && !before;
        for (size_t i = 1; r >= 0 && i < cli->n_args; i++, before = ids.ids.n) {
                r = ash_universe_by_name(u, ash_slice_str(cli->args[i]), &ids);
                keep_arch(cli, u, before, &ids);
                if (r >= 0 && ids.ids.n == before)
                        not_found(cli, "has no package", cli->args[i], &missing);
        }
        if (r >= 0 && cli->n_args == 1 && !provides && !requires)
                r = ash_universe_by_name(u, ASH_S("*"), &ids);
        keep_arch(cli, u, 0, &ids);
        if (r < 0)
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "'%s' is no dependency: expected NAME, or NAME OP VERSION", provides ? provides : requires ? requires : "");
        if (nothing)
                not_found(cli, provides ? "has nothing that provides" : "has nothing that requires", provides ? provides : requires, &missing);
        print_packages(cli, u, &ids);
        return ids.ids.n && !missing ? 0 : 1;
}

/* ---- closure ---- */
typedef struct Missing {
        AshCli *cli;
        AshUniverse *u;
        AshSlice repo;   /* only packages of this one are judged */
        AshArena *arena;
        AshJson *j;
        size_t n;
} Missing;

static void report_missing(void *context, uint32_t id, AshSlice dep) {
        Missing *m = context;
        if (!ash_slice_eq(ash_universe_origin(m->u, id), m->repo))
                return;
        AshSlice text = ash_arena_slice(m->arena, dep);
        AshSlice nevra = ash_package_nevra(ash_universe_package(m->u, id, m->arena), m->arena);
        m->n++;
        if (!m->j) {
                ash_cli_printf(m->cli, "%.*s\t%.*s\n", ASH_F(nevra), ASH_F(text));
                return;
        }
        ash_json_begin(m->j, NULL, '{');
        ash_json_text(m->j, "package", nevra);
        ash_json_text(m->j, "requires", text);
        ash_json_end(m->j, '}');
}

int ash_verb_repo_closure(AshCli *cli) {
        _cleanup_(ash_universe_free_p) AshUniverse *u = NULL;
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        int r = open_universe(cli, cli->args[0], &u);
        for (size_t i = 0; r >= 0 && ash_cli_option_nth(cli, "with", i); i++)
                r = add_repo(cli, u, ash_cli_option_nth(cli, "with", i));
        if (r < 0)
                return r;
        AshJson j = {};
        Missing m = { .cli = cli, .u = u, .repo = ash_slice_str(cli->args[0]), .arena = arena };
        if (cli->json) {
                j = ash_cli_json(cli);
                m.j = &j;
                ash_json_begin(&j, NULL, '[');
        }
        ash_universe_closure(u, report_missing, &m);
        if (cli->json) {
                ash_json_end(&j, ']');
                ash_cli_print(cli, "\n");
        } else if (!m.n && !cli->quiet)
                ash_cli_printf(cli, "closed: every requirement is met\n");
        return m.n ? 1 : 0;
}

/* ---- diff ---- */
typedef struct Side {
        AshUniverse *u;
        AshPkgIds ids;
} Side;

static int load_side(AshCli *cli, const char *dir, Side *s) {
        int r = open_universe(cli, dir, &s->u);
        return r < 0 ? r : ash_universe_by_name(s->u, ASH_S("*"), &s->ids);
}

static void side_done(Side *s) {
        ash_universe_free(s->u);
        ash_pkgids_done(&s->ids);
}

/* NEVRA -> package. */
static void index_side(Side *s, AshArena *arena, AshMap *ret) {
        for (size_t i = 0; i < s->ids.ids.n; i++) {
                const AshPackage *p = ash_universe_package(s->u, s->ids.ids.items[i], arena);
                ash_map_put(ret, ash_package_nevra(p, arena), (void *) p, NULL);
        }
}

static const char *change_of(const AshPackage *old, const AshPackage *fresh) {
        return !old ? "added" : !fresh ? "removed" : !ash_slice_eq(old->sha256, fresh->sha256) ? "changed" : NULL;
}

int ash_verb_repo_diff(AshCli *cli) {
        static const AshCliColumn columns[] = { { "CHANGE", false, false }, { "PACKAGE", false, false } };
        _cleanup_(side_done) Side old = {}, fresh = {};
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _map_ AshMap a = {}, b = {};
        _cleanup_(ash_cli_list_free_p) AshCliList *list = ash_cli_list_new(cli, columns, ASH_N(columns));
        int r = load_side(cli, cli->args[0], &old);
        if (r >= 0)
                r = load_side(cli, cli->args[1], &fresh);
        if (r < 0)
                return r;
        index_side(&old, arena, &a);
        index_side(&fresh, arena, &b);
        size_t n = 0;
        ash_map_foreach(&a, e) {
                const char *change = change_of(e->value, ash_map_get(&b, e->key));
                if (change)
                        ash_cli_list_row(list, (AshSlice[]){ ash_slice_str(change), e->key }), n++;
        }
        ash_map_foreach(&b, e)
                if (!ash_map_get(&a, e->key))
                        ash_cli_list_row(list, (AshSlice[]){ ASH_S("added"), e->key }), n++;
        ash_cli_list_print(list);
        return n ? 1 : 0;
}
