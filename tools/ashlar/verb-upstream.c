/* upstream: where packages come from. The apt upstream's packages are imported as RPMs. */
#include "apt.h"
#include "cli.h"
#include "config.h"
#include "solve.h"
#include "store.h"

typedef struct Upstream { /* the apt upstream that a verb works on */
        AshArena *arena;
        AshConfig *config;       /* of the project, when there is one */
        AshAptTables *tables;
        AshAptConfig apt;
        const AshUpstream *said; /* in the project; NULL: none */
        AshApt *universe;
        AshAptKept kept;
} Upstream;

static void upstream_done(Upstream *u) {
        ash_apt_free(u->universe);
        ash_apt_kept_done(&u->kept);
        ash_apt_tables_free(u->tables);
        ash_config_free(u->config);
        ash_arena_free(u->arena);
}

static const char *deb_arch(const char *rpm) { return strcmp(rpm, "x86_64") == 0 ? "amd64" : strcmp(rpm, "aarch64") == 0 ? "arm64" : rpm; }
static const char *rpm_arch(const char *deb) { return strcmp(deb, "amd64") == 0 ? "x86_64" : strcmp(deb, "arm64") == 0 ? "aarch64" : deb; }

#if defined(__aarch64__)
static const char own_arch[] = "arm64";
#else
static const char own_arch[] = "amd64";
#endif

/* What the project says of the upstream; without a project the options alone say it. */
static int read_project(AshCli *cli, Upstream *u) {
        _free_ char *found = NULL;
        if (!cli->dir && ash_config_find(&found, NULL) < 0)
                return cli->upstream ? ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--upstream '%s' needs a project", cli->upstream) : 0;
        int r = ash_config_load(cli->dir ? cli->dir : found, ASH_CONFIG_DEFAULT, &u->config, cli->diags);
        if (r < 0)
                return r;
        u->said = ash_config_upstream(u->config, ash_slice_str(cli->upstream ? cli->upstream : ""));
        if (!u->said && cli->upstream)
                return ash_fail(cli->diags, -ASH_ERR_CONFIG, ASH_NOWHERE, "the project has no upstream '%s'", cli->upstream);
        if (u->said && !ash_slice_eqs(u->said->repo.type.s, "apt"))
                return ash_fail(cli->diags, -ASH_ERR_CONFIG, u->said->repo.name.at, "upstream '%.*s' is not of type apt", ASH_F(u->said->repo.name.s));
        return 0;
}

static void take_project(Upstream *u, const char **names, const char **imports) {
        if (!u->said)
                return;
        const AshRepo *repo = &u->said->repo;
        if (ash_text_set(repo->suite))
                u->apt.suite = ash_arena_strndup(u->arena, repo->suite.s.ptr, repo->suite.s.len);
        const char **components = ash_arena_new_items(u->arena, const char *, repo->components.n + 1);
        for (size_t i = 0; i < repo->components.n; i++)
                components[i] = ash_arena_strndup(u->arena, repo->components.items[i].s.ptr, repo->components.items[i].s.len);
        u->apt.components = components;
        if (ash_text_set(u->said->names))
                *names = ash_arena_strndup(u->arena, u->said->names.s.ptr, u->said->names.s.len);
        if (ash_text_set(u->said->import_overlays))
                *imports = ash_arena_strndup(u->arena, u->said->import_overlays.s.ptr, u->said->import_overlays.s.len);
}

static int open_upstream(AshCli *cli, Upstream *u, bool universe) {
        *u = (Upstream){ .arena = ash_arena_new() };
        u->apt = (AshAptConfig){ .suite = "trixie", .arch = own_arch, .jobs = cli->jobs, .progress = cli->progress };
        const char *names = NULL, *imports = NULL;
        int r = read_project(cli, u);
        if (r < 0)
                return r;
        take_project(u, &names, &imports);
        const char *arch = ash_cli_option(cli, "arch");
        u->apt.dir = ash_arena_printf(u->arena, "%s/apt", ash_store_path(cli->store));
        u->apt.suite = ash_cli_option(cli, "suite") ? ash_cli_option(cli, "suite") : u->apt.suite;
        u->apt.arch = arch ? deb_arch(arch) : u->apt.arch;
        u->apt.mirror = ash_cli_option(cli, "apt-mirror");
        names = ash_cli_option(cli, "names") ? ash_cli_option(cli, "names") : names;
        imports = ash_cli_option(cli, "imports") ? ash_cli_option(cli, "imports") : imports;
        r = ash_apt_tables_load(names, imports, &u->tables, cli->diags);
        u->apt.tables = u->tables;
        if (r >= 0 && universe)
                r = ash_apt_open(&u->apt, ash_cli_option(cli, "snapshot"), &u->universe, &u->kept, cli->diags);
        return r;
}

static void print_snapshot(AshCli *cli, const Upstream *u, const AshAptKept *k) {
        if (!cli->json) {
                ash_cli_printf(cli, "%s %s (%s), %s, %s: %s\n", k->codename, k->version, k->suite, u->apt.arch, k->date, k->id);
                return;
        }
        AshJson j = ash_cli_json(cli);
        ash_json_begin(&j, NULL, '{');
        ash_json_str(&j, "id", k->id);
        ash_json_str(&j, "codename", k->codename);
        ash_json_str(&j, "version", k->version);
        ash_json_str(&j, "date", k->date);
        ash_json_str(&j, "arch", u->apt.arch);
        ash_json_end(&j, '}');
        ash_cli_print(cli, "\n");
}

static int run_sync(AshCli *cli) {
        _cleanup_(upstream_done) Upstream u = {};
        AshAptKept kept = {};
        int r = open_upstream(cli, &u, false);
        if (r >= 0)
                r = ash_apt_update(&u.apt, &kept, cli->diags);
        if (r >= 0)
                r = ash_apt_open(&u.apt, kept.id, &u.universe, NULL, cli->diags); /* translated now, so that whatever comes next is quick */
        if (r >= 0)
                print_snapshot(cli, &u, &kept);
        ash_apt_kept_done(&kept);
        return r;
}

static bool name_matches(AshCli *cli, AshSlice name) {
        for (size_t i = 0; i < cli->n_args; i++)
                if (ash_glob_match(ash_slice_str(cli->args[i]), name))
                        return true;
        return cli->n_args == 0;
}

static int run_list(AshCli *cli) {
        static const AshCliColumn columns[] = { { "NAME" }, { "EVR" }, { "ARCH" }, { "SUMMARY" } };
        _cleanup_(upstream_done) Upstream u = {};
        int r = open_upstream(cli, &u, true);
        if (r < 0)
                return r;
        _cleanup_(ash_cli_list_free_p) AshCliList *list = ash_cli_list_new(cli, columns, ASH_N(columns));
        for (size_t i = 0; i < ash_apt_count(u.universe); i++) {
                AshAptPackage p;
                ash_apt_package(u.universe, i, &p);
                if (!name_matches(cli, p.name))
                        continue;
                _free_ char *evr = p.has_epoch ? ash_asprintf("%u:%.*s-%.*s", p.epoch, ASH_F(p.rpm_version), ASH_F(p.rpm_release))
                                               : ash_asprintf("%.*s-%.*s", ASH_F(p.rpm_version), ASH_F(p.rpm_release));
                ash_cli_list_row(list, (AshSlice[]){ p.name, ash_slice_str(evr), p.rpm_arch, p.summary });
        }
        ash_cli_list_print(list);
        return 0;
}

static int run_show(AshCli *cli) {
        _cleanup_(upstream_done) Upstream u = {};
        int r = open_upstream(cli, &u, true);
        for (size_t a = 0; r >= 0 && a < cli->n_args; a++) {
                ptrdiff_t i = ash_apt_find(u.universe, ash_slice_str(cli->args[a]));
                if (i < 0)
                        return ash_fail(cli->diags, -ENOENT, ASH_NOWHERE, "the archive has no package '%s'", cli->args[a]);
                AshAptPackage p;
                ash_apt_package(u.universe, (size_t) i, &p);
                ash_cli_printf(cli, "%s%.*s %.*s (%.*s)\n  source %.*s %.*s\n  summary %.*s\n", a ? "\n" : "", ASH_F(p.name), ASH_F(p.version), ASH_F(p.arch), ASH_F(p.source),
                               ASH_F(p.source_version), ASH_F(p.summary));
                for (int kind = 0; kind < ASH_DEP_MAX_; kind++)
                        for (size_t k = 0; k < ash_apt_deps_n(u.universe, (size_t) i, kind); k++) {
                                AshDep d = ash_apt_dep(u.universe, (size_t) i, kind, k);
                                _str_ AshStr text = {};
                                ash_dep_format(&d, &text);
                                ash_cli_printf(cli, "  %s %s\n", ash_dep_kind_name(kind), text.ptr);
                        }
                AshAptChanges changes = ash_apt_tables_changes(u.tables, p.name);
                for (size_t k = 0; k < changes.n; k++)
                        ash_cli_printf(cli, "  change %s %.*s: %.*s\n", ash_apt_change_type_name(changes.items[k].type), ASH_F(changes.items[k].path), ASH_F(changes.items[k].reason));
        }
        return r;
}

/* ---- import ---- */
typedef struct Chosen {
        ASH_ARRAY(size_t) packages;
} Chosen;

static int choose_named(AshCli *cli, const Upstream *u, Chosen *ret) {
        for (size_t a = 0; a < cli->n_args; a++) {
                ptrdiff_t i = ash_apt_find(u->universe, ash_slice_str(cli->args[a]));
                if (i < 0)
                        return ash_fail(cli->diags, -ENOENT, ASH_NOWHERE, "the archive has no package '%s'", cli->args[a]);
                ash_array_push(&ret->packages, (size_t) i);
        }
        return 0;
}

static int choose_closure(AshCli *cli, const Upstream *u, Chosen *ret) {
        _cleanup_(ash_universe_free_p) AshUniverse *universe = ash_universe_new(rpm_arch(u->apt.arch));
        ash_universe_add_repo(universe, u->apt.suite, 0);
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        ASH_ARRAY(AshRequest) requests = {};
        for (size_t i = 0; i < ash_apt_count(u->universe); i++) {
                AshPackage p;
                ash_apt_model(u->universe, i, arena, &p);
                ash_universe_add_package(universe, &p);
        }
        for (size_t a = 0; a < cli->n_args; a++)
                ash_array_push(&requests, ((AshRequest){ .what = ash_slice_str(cli->args[a]), .job = ASH_REQUEST_INSTALL, .reason = ASH_REASON_USER }));
        _cleanup_(ash_pkgset_free_p) AshPkgSet *set = NULL;
        int r = ash_solve(universe, requests.items, requests.n, &(AshSolveOptions){ .weak = ash_cli_flag(cli, "weak") }, &set, cli->diags);
        ash_array_done(&requests);
        for (size_t i = 0; r >= 0 && i < set->n; i++) {
                ptrdiff_t k = ash_apt_find(u->universe, set->items[i].package->name);
                if (k < 0)
                        return ash_fail(cli->diags, -ENOENT, ASH_NOWHERE, "the archive has no package '%.*s'", ASH_F(set->items[i].package->name));
                ash_array_push(&ret->packages, (size_t) k);
        }
        return r;
}

static int link_result(AshCli *cli, const Upstream *u, size_t package, const AshAptResult *result, int dirfd, const char *into) {
        AshArena *arena = u->arena;
        AshPackage p;
        ash_apt_model(u->universe, package, arena, &p);
        AshSlice nevra = ash_package_nevra(&p, arena);
        ptrdiff_t colon = ash_slice_find_char(nevra, ':'); /* file names have no epoch, as rpm's own */
        AshSlice name = p.name, rest = colon < 0 ? ash_slice_from(nevra, p.name.len + 1) : ash_slice_from(nevra, (size_t) colon + 1);
        const char *file = ash_arena_printf(arena, "%.*s-%.*s.rpm", ASH_F(name), ASH_F(rest));
        int r = ash_copy_file(AT_FDCWD, result->path, dirfd, file, 0644);
        return r < 0 ? ash_fail_file(cli->diags, r, into, "cannot write %s: %s", file, ash_strerror(r)) : 0;
}

static int deliver(AshCli *cli, const Upstream *u, const Chosen *chosen, const AshAptResult *results) {
        const char *into = ash_cli_option(cli, "output");
        int r = into ? ash_mkdir_all(AT_FDCWD, into, 0755) : 0;
        _close_ int dirfd = into && r >= 0 ? open(into, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (into && dirfd < 0)
                return ash_fail_file(cli->diags, r < 0 ? r : -errno, into, "cannot open the directory");
        for (size_t i = 0; r >= 0 && i < chosen->packages.n; i++)
                if (into)
                        r = link_result(cli, u, chosen->packages.items[i], &results[i], dirfd, into);
        return r;
}

/* Which packages had maintainer scripts, and which of these distro/ accounts for. */
static void report_scripts(AshCli *cli, const Upstream *u, const Chosen *chosen, const AshAptResult *results) {
        for (size_t i = 0; i < chosen->packages.n; i++) {
                AshAptPackage p;
                unsigned left = results[i].info.scripts & ~results[i].info.handled;
                ash_apt_package(u->universe, chosen->packages.items[i], &p);
                if (results[i].info.scripts == 0)
                        continue;
                ash_cli_printf(cli, "%.*s", ASH_F(p.name));
                for (int s = 0; s < ASH_DEB_SCRIPT_MAX_; s++)
                        if (results[i].info.scripts & 1u << s)
                                ash_cli_printf(cli, " %s%s", ash_deb_script_name(s), left & 1u << s ? "" : "(replaced)");
                ash_cli_print(cli, "\n");
        }
}

static void print_totals(AshCli *cli, const Chosen *chosen, const AshAptImportTotals *t) {
        ash_cli_printf(cli, "%zu packages, %llu converted (%.1f MB of debs, %.1f MB of rpms) in %.2f s, %llu fetched (%.1f MB) in %.2f s\n", chosen->packages.n,
                       (unsigned long long) t->converted, (double) t->deb_bytes / 1e6, (double) t->rpm_bytes / 1e6, (double) t->convert_ns / 1e9, (unsigned long long) t->fetched,
                       (double) t->fetched_bytes / 1e6, (double) t->fetch_ns / 1e9);
}

static int run_import(AshCli *cli) {
        _cleanup_(upstream_done) Upstream u = {};
        Chosen chosen = {};
        int r = open_upstream(cli, &u, true);
        if (r >= 0)
                r = (ash_cli_flag(cli, "no-deps") ? choose_named : choose_closure)(cli, &u, &chosen);
        AshAptResult *results = ash_calloc(chosen.packages.n + 1, sizeof(*results));
        AshAptImportTotals totals = {};
        if (r >= 0)
                r = ash_apt_import(&u.apt, u.universe, chosen.packages.items, chosen.packages.n, results, &totals, cli->diags);
        if (r >= 0)
                r = deliver(cli, &u, &chosen, results);
        if (r >= 0 && ash_cli_flag(cli, "scripts"))
                report_scripts(cli, &u, &chosen, results);
        else if (r >= 0 && !cli->quiet)
                print_totals(cli, &chosen, &totals);
        ash_apt_results_done(results, chosen.packages.n);
        free(results);
        ash_array_done(&chosen.packages);
        return r;
}

#define COMMON                                                                                                                                             \
        { "suite", .value = "SUITE", .doc = "the archive's suite (default: the project's, or trixie)" },                                                  \
        { "arch", .value = "ARCH", .doc = "architecture, in Debian's words or rpm's (default: this machine's)" },                                         \
        { "apt-mirror", .value = "URL", .doc = "where the archive is (default: $ASHLAR_APT_MIRROR, else what this machine's own apt uses)" },             \
        { "names", .value = "FILE", .kind = ASH_KIND_FILE, .doc = "table of further names for packages (default: the project's)" },                       \
        { "imports", .value = "FILE", .kind = ASH_KIND_FILE, .doc = "changes to imported packages (default: the project's)" }
#define SNAPSHOT { "snapshot", .value = "ID", .doc = "an older snapshot that is still kept (default: the last one)" }

const AshCliVerb ash_verbs_upstream[] = {
        { "sync", "fetch and verify the upstream's indices",
          .doc = "apt itself, with a private state directory in the store, fetches the indices and verifies them against the archive's keys. The snapshot is kept under the digest of its "
                 "InRelease file.",
          .options = ASH_OPTIONS(COMMON), .needs = ASH_NEEDS_STORE, .run = run_sync },
        { "list", "list the upstream's packages as rpm will see them", .args = ASH_ARGS({ "GLOB", "names of packages", .flags = ASH_ARG_MANY | ASH_ARG_OPTIONAL }),
          .options = ASH_OPTIONS(COMMON, SNAPSHOT), .needs = ASH_NEEDS_STORE, .run = run_list },
        { "show", "show packages with their translated relations", .args = ASH_ARGS({ "NAME", "a package", .flags = ASH_ARG_MANY }),
          .options = ASH_OPTIONS(COMMON, SNAPSHOT), .needs = ASH_NEEDS_STORE, .run = run_show },
        { "import", "import packages and what they need as RPMs",
          .doc = "Packages that were imported before are not fetched or converted again. Maintainer scripts are not carried over: --scripts lists which packages had some, and which of "
                 "them the project's table of changes replaces.",
          .args = ASH_ARGS({ "NAME", "a package, or anything that one provides", .flags = ASH_ARG_MANY }),
          .options = ASH_OPTIONS(COMMON, SNAPSHOT, { "output", .value = "DIR", .letter = 'o', .kind = ASH_KIND_DIR, .doc = "put the RPMs there too" },
                                 { "no-deps", .doc = "only the packages named" }, { "weak", .doc = "with what they recommend" },
                                 { "scripts", .doc = "list the packages that had maintainer scripts" }),
          .needs = ASH_NEEDS_STORE, .run = run_import },
        {},
};
