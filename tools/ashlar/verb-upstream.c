/* upstream: where packages come from. Whatever its kind, an upstream is fetched, looked at and taken from through flow-upstream.h. */
#include <stdio.h>
#include <time.h>
#include "cli-flow.h"
#include "flow-choice.h"
#include "solve.h"

typedef struct Subject {     /* what a verb works on */
        AshArena *arena;
        AshConfig *config;       /* of the project, when there is one */
        AshFlow flow;
        AshUpstream upstream;    /* as the project says it, changed by options; without a project what options say */
        AshSlice arch;           /* rpm's name */
        const AshUpstream **parts; /* its repositories */
        size_t n_parts;
} Subject;

static void subject_done(Subject *s) {
        ash_config_free(s->config);
        ash_arena_free(s->arena);
}

#if defined(__aarch64__)
static const char own_arch[] = "aarch64";
#else
static const char own_arch[] = "x86_64";
#endif

static AshSlice rpm_arch(const char *arch) { return ash_slice_str(strcmp(arch, "amd64") == 0 ? "x86_64" : strcmp(arch, "arm64") == 0 ? "aarch64" : arch); }
static AshText text_of(const char *s) { return (AshText){ .s = ash_slice_str(s) }; }

/* What the project says of the upstream; without a project the options alone say it, and it is Debian's. */
static int read_project(AshCli *cli, Subject *s) {
        _free_ char *found = NULL;
        s->upstream = (AshUpstream){ .repo = { .name = text_of("trixie"), .type = text_of("apt"), .suite = text_of("trixie") } };
        if (!cli->dir && ash_config_find(&found, NULL) < 0)
                return cli->upstream ? ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--upstream '%s' needs a project", cli->upstream) : 0;
        int r = ash_config_load(cli->dir ? cli->dir : found, ASH_CONFIG_DEFAULT, &s->config, cli->diags);
        if (r < 0)
                return r;
        const AshUpstream *said = ash_config_upstream(s->config, ash_slice_str(cli->upstream ? cli->upstream : ""));
        if (!said && cli->upstream)
                return ash_flow_unknown_upstream(s->config, ash_slice_str(cli->upstream), cli->diags);
        if (!said && ash_config_project(s->config)->upstreams.n) {
                r = ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "the project has several upstreams, and none is its default");
                ash_hint(cli->diags, "name one with --upstream");
                return r;
        }
        if (said)
                s->upstream = *said;
        return 0;
}

/* Options that speak of an apt archive only. */
static int take_options(AshCli *cli, Subject *s) {
        const struct { const char *option; AshText *into; } apt_only[] = { { "suite", &s->upstream.repo.suite }, { "names", &s->upstream.names }, { "imports", &s->upstream.import_overlays } };
        bool is_apt = ash_slice_eqs(s->upstream.repo.type.s, "apt");
        for (size_t i = 0; i < ASH_N(apt_only); i++) {
                const char *value = ash_cli_option(cli, apt_only[i].option);
                if (!value)
                        continue;
                if (!is_apt)
                        return ash_fail(cli->diags, -ASH_ERR_USAGE, s->upstream.repo.name.at, "--%s is for upstreams of type apt, and '%.*s' is none", apt_only[i].option, ASH_F(s->upstream.repo.name.s));
                *apt_only[i].into = text_of(value);
        }
        if (ash_cli_option(cli, "suite") && !s->config)
                s->upstream.repo.name = s->upstream.repo.suite;
        s->arch = rpm_arch(ash_cli_option(cli, "arch") ? ash_cli_option(cli, "arch") : own_arch);
        return 0;
}

static int open_subject(AshCli *cli, Subject *s) {
        *s = (Subject){ .arena = ash_arena_new() };
        int r = read_project(cli, s);
        if (r >= 0)
                r = take_options(cli, s);
        if (r < 0)
                return r;
        s->flow = ash_cli_flow(cli);
        s->flow.config = s->config;
        s->parts = ash_flow_upstream_parts(&s->flow, &s->upstream, s->arch, s->arena, &s->n_parts);
        if (!s->n_parts)
                return ash_fail(cli->diags, -ASH_ERR_USAGE, s->upstream.repo.name.at, "upstream '%.*s' has nothing for %.*s", ASH_F(s->upstream.repo.name.s), ASH_F(s->arch));
        return 0;
}

static int open_part(AshCli *cli, Subject *s, size_t i, AshFlowUpstream **ret) { return ash_flow_upstream_last(&s->flow, s->parts[i], s->arch, ash_cli_option(cli, "snapshot"), ret); }

/* ---- states ---- */
typedef struct State {
        AshLockUpstream lock;
        AshSlice revision;
        uint64_t date, age;          /* Unix seconds (0: not known), seconds */
        size_t packages;
} State;

static int read_state(AshFlowUpstream *u, AshArena *arena, State *ret) {
        uint64_t now = (uint64_t) time(NULL);
        *ret = (State){ .revision = ash_flow_upstream_revision(u), .date = ash_flow_upstream_date(u) };
        ret->age = ret->date && now > ret->date ? now - ret->date : 0;
        ash_flow_upstream_lock(u, arena, &ret->lock);
        return ash_flow_upstream_count(u, &ret->packages);
}

static void state_json(AshJson *j, const State *s) {
        ash_json_begin(j, NULL, '{');
        ash_json_text(j, "name", s->lock.name);
        ash_json_text(j, "type", s->lock.type);
        ash_json_text(j, "arch", s->lock.arch);
        ash_json_text(j, "snapshot", s->lock.snapshot);
        if (s->revision.len)
                ash_json_text(j, "revision", s->revision);
        if (s->date) {
                ash_json_uint(j, "date", s->date);
                ash_json_uint(j, "age-seconds", s->age);
        }
        if (s->lock.key.len)
                ash_json_text(j, "key", s->lock.key);
        ash_json_uint(j, "packages", s->packages);
        ash_json_end(j, '}');
}

static void print_state(AshCli *cli, const State *s) {
        time_t date = (time_t) s->date;
        struct tm tm;
        char when[32] = "not known";
        if (s->date && gmtime_r(&date, &tm))
                strftime(when, sizeof when, "%Y-%m-%d %H:%M UTC", &tm);
        ash_cli_printf(cli, "%.*s, %.*s: %zu package%s\n  type      %.*s\n  snapshot  %.*s\n", ASH_F(s->lock.name), ASH_F(s->lock.arch), ASH_COUNT(s->packages), ASH_F(s->lock.type), ASH_F(s->lock.snapshot));
        if (s->revision.len)
                ash_cli_printf(cli, "  revision  %.*s\n", ASH_F(s->revision));
        ash_cli_printf(cli, "  date      %s", when);
        if (s->date && s->age < 2 * 86400)
                ash_cli_printf(cli, " (%llu hour%s ago)\n", ASH_COUNT((unsigned long long) s->age / 3600));
        else
                ash_cli_printf(cli, s->date ? " (%llu day%s ago)\n" : "\n", ASH_COUNT((unsigned long long) s->age / 86400));
        ash_cli_printf(cli, "  signed by %.*s\n", ASH_F(s->lock.key.len ? s->lock.key : ASH_S("no key that was asked for")));
}

static int show_states(AshCli *cli, Subject *s, int (*open)(AshCli *cli, Subject *s, size_t i, AshFlowUpstream **ret)) {
        AshJson j = ash_cli_json(cli);
        int r = 0;
        if (cli->json)
                ash_json_begin(&j, NULL, '[');
        for (size_t i = 0; r >= 0 && i < s->n_parts; i++) {
                _cleanup_(ash_flow_upstream_free_p) AshFlowUpstream *u = NULL;
                State state;
                r = open(cli, s, i, &u);
                if (r >= 0)
                        r = read_state(u, s->arena, &state);
                if (r < 0)
                        return r;
                if (cli->json)
                        state_json(&j, &state);
                else if (!cli->quiet)
                        print_state(cli, &state);
        }
        if (cli->json) {
                ash_json_end(&j, ']');
                ash_cli_print(cli, "\n");
        }
        return r;
}

/* Translated and given to the solver now, so that whatever comes next is quick. */
static int sync_part(AshCli *cli, Subject *s, size_t i, AshFlowUpstream **ret) {
        _cleanup_(ash_flow_upstream_free_p) AshFlowUpstream *u = NULL;
        (void) cli;
        int r = ash_flow_upstream_sync(&s->flow, s->parts[i], s->arch, &u);
        if (r < 0)
                return r;
        _free_ char *arch = ash_slice_dup(s->arch);
        _cleanup_(ash_universe_free_p) AshUniverse *universe = ash_universe_new(arch);
        r = ash_flow_upstream_add(u, "upstream", universe);
        if (r >= 0)
                *ret = ASH_TAKE(u);
        return r;
}

static int run_sync(AshCli *cli) {
        _cleanup_(subject_done) Subject s = {};
        int r = open_subject(cli, &s);
        return r < 0 ? r : show_states(cli, &s, sync_part);
}

/* ---- packages ---- */
/* found: one for each argument that matched anything. */
static bool name_matches(AshCli *cli, AshSlice name, bool *found) {
        bool any = cli->n_args == 0;
        for (size_t i = 0; i < cli->n_args; i++)
                if (ash_glob_match(ash_slice_str(cli->args[i]), name))
                        any = found[i] = true;
        return any;
}

static int list_part(AshCli *cli, Subject *s, size_t part, bool *found, AshCliList *list) {
        _cleanup_(ash_flow_upstream_free_p) AshFlowUpstream *u = NULL;
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        size_t n = 0;
        int r = open_part(cli, s, part, &u);
        if (r >= 0)
                r = ash_flow_upstream_count(u, &n);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                AshPackage p;
                ash_flow_upstream_package(u, i, arena, &p);
                if (!name_matches(cli, p.name, found))
                        continue;
                _free_ char *evr = p.epoch ? ash_asprintf("%u:%.*s-%.*s", p.epoch, ASH_F(p.version), ASH_F(p.release)) : ash_asprintf("%.*s-%.*s", ASH_F(p.version), ASH_F(p.release));
                ash_cli_list_row(list, (AshSlice[]){ p.name, ash_slice_str(evr), p.arch, p.summary });
        }
        return r;
}

static int run_list(AshCli *cli) {
        static const AshCliColumn columns[] = { { "NAME" }, { "EVR" }, { "ARCH" }, { "SUMMARY" } };
        _cleanup_(subject_done) Subject s = {};
        int r = open_subject(cli, &s);
        _cleanup_(ash_cli_list_free_p) AshCliList *list = ash_cli_list_new(cli, columns, ASH_N(columns));
        _free_ bool *found = ash_calloc(cli->n_args + 1, sizeof *found);
        for (size_t i = 0; r >= 0 && i < s.n_parts; i++)
                r = list_part(cli, &s, i, found, list);
        if (r < 0)
                return r;
        ash_cli_list_print(list);
        for (size_t i = 0; i < cli->n_args; i++)
                if (!found[i]) {
                        r = ash_fail(cli->diags, -ENOENT, ASH_NOWHERE, "upstream '%.*s' has no package '%s' for %.*s", ASH_F(s.upstream.repo.name.s), cli->args[i], ASH_F(s.arch));
                        ash_hint(cli->diags, "expected the name of a package, or a glob as 'lib*'");
                }
        return r;
}

/* ---- everything of an upstream that is open, for the solver ---- */
typedef struct World {
        ASH_ARRAY(AshFlowUpstream *) upstreams; /* one a part, in their order */
        AshUniverse *universe;       /* when the whole is wanted */
        AshFlowChoice *choice;       /* when only what some requests can reach is */
} World;

static void world_done(World *w) {
        ash_flow_choice_free(w->choice);
        ash_array_foreach(&w->upstreams, u)
                ash_flow_upstream_free(*u);
        ash_array_done(&w->upstreams);
        ash_universe_free(w->universe);
}

static int open_parts(AshCli *cli, Subject *s, World *w) {
        int r = 0;
        for (size_t i = 0; r >= 0 && i < s->n_parts; i++) {
                AshFlowUpstream *u = NULL;
                r = open_part(cli, s, i, &u);
                if (r >= 0)
                        ash_array_push(&w->upstreams, u);
        }
        return r;
}

static const char *label_of(Subject *s, const AshFlowUpstream *u) {
        AshSlice name = ash_flow_upstream_name(u);
        return ash_arena_strndup(s->arena, name.ptr, name.len);
}

static int open_world(AshCli *cli, Subject *s, World *w) {
        _free_ char *arch = ash_slice_dup(s->arch);
        int r = open_parts(cli, s, w);
        w->universe = ash_universe_new(arch);
        for (size_t i = 0; r >= 0 && i < w->upstreams.n; i++)
                r = ash_flow_upstream_add(w->upstreams.items[i], label_of(s, w->upstreams.items[i]), w->universe);
        return r;
}

static AshFlowUpstream *part_of(const World *w, AshSlice origin) {
        ash_array_foreach(&w->upstreams, u)
                if (ash_slice_eq(ash_flow_upstream_name(*u), origin))
                        return *u;
        return NULL;
}

/* The newest package of that name. */
static int newest(AshCli *cli, World *w, const char *name, AshArena *arena, const AshPackage **ret, AshFlowUpstream **ret_part) {
        AshPkgIds ids = {};
        int r = ash_universe_by_name(w->universe, ash_slice_str(name), &ids);
        if (r >= 0 && !ids.ids.n)
                r = ash_fail(cli->diags, -ENOENT, ASH_NOWHERE, "the upstream has no package '%s'", name);
        if (r >= 0) {
                uint32_t id = *ash_array_last(&ids.ids);
                *ret = ash_universe_package(w->universe, id, arena);
                *ret_part = part_of(w, ash_universe_origin(w->universe, id));
        }
        ash_pkgids_done(&ids);
        return r;
}

/* The same package as its upstream has it: with the texts that the solver does not need. */
static int complete(AshFlowUpstream *u, const AshPackage *p, AshArena *arena, AshPackage *ret) {
        _cleanup_(ash_arena_free_p) AshArena *scratch = ash_arena_new();
        size_t n = 0;
        int r = ash_flow_upstream_count(u, &n);
        *ret = *p;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                AshPackage one;
                ash_flow_upstream_package(u, i, scratch, &one);
                if (!ash_slice_eq(one.location, p->location))
                        continue;
                ash_flow_upstream_package(u, i, arena, ret);
                if (!ret->deps[ASH_DEP_PROVIDES].n)
                        memcpy(ret->deps, p->deps, sizeof ret->deps);
                break;
        }
        return r;
}

static void package_json(AshJson *j, const AshPackage *p, AshSlice nevra, AshAptChanges changes) {
        ash_json_begin(j, NULL, '{');
        ash_json_text(j, "nevra", nevra);
        ash_json_text(j, "source", p->source_rpm);
        ash_json_text(j, "summary", p->summary);
        ash_json_text(j, "location", p->location);
        ash_json_uint(j, "size", p->size);
        for (int kind = 0; kind < ASH_DEP_MAX_; kind++) {
                ash_json_begin(j, ash_dep_kind_name(kind), '[');
                for (size_t k = 0; k < p->deps[kind].n; k++) {
                        _str_ AshStr text = {};
                        ash_dep_format(&p->deps[kind].items[k], &text);
                        ash_json_str(j, NULL, text.ptr);
                }
                ash_json_end(j, ']');
        }
        ash_json_begin(j, "changes", '[');
        for (size_t k = 0; k < changes.n; k++) {
                ash_json_begin(j, NULL, '{');
                ash_json_str(j, "type", ash_apt_change_type_name(changes.items[k].type));
                ash_json_text(j, "path", changes.items[k].path);
                ash_json_text(j, "reason", changes.items[k].reason);
                ash_json_end(j, '}');
        }
        ash_json_end(j, ']');
        ash_json_end(j, '}');
}

static void print_package(AshCli *cli, const AshPackage *p, AshSlice nevra, AshAptChanges changes) {
        ash_cli_printf(cli, "%.*s\n  source %.*s\n  summary %.*s\n  location %.*s\n", ASH_F(nevra), ASH_F(p->source_rpm), ASH_F(p->summary), ASH_F(p->location));
        for (int kind = 0; kind < ASH_DEP_MAX_; kind++)
                for (size_t k = 0; k < p->deps[kind].n; k++) {
                        _str_ AshStr text = {};
                        ash_dep_format(&p->deps[kind].items[k], &text);
                        ash_cli_printf(cli, "  %s %s\n", ash_dep_kind_name(kind), text.ptr);
                }
        for (size_t k = 0; k < changes.n; k++)
                ash_cli_printf(cli, "  change %s %.*s: %.*s\n", ash_apt_change_type_name(changes.items[k].type), ASH_F(changes.items[k].path), ASH_F(changes.items[k].reason));
}

static int show_packages(AshCli *cli, Subject *s) {
        _cleanup_(world_done) World w = {};
        AshJson j = ash_cli_json(cli);
        int r = open_world(cli, s, &w);
        if (r < 0)
                return r;
        if (cli->json)
                ash_json_begin(&j, NULL, '[');
        for (size_t a = 0; r >= 0 && a < cli->n_args; a++) {
                const AshPackage *found;
                AshFlowUpstream *u;
                AshPackage p;
                r = newest(cli, &w, cli->args[a], s->arena, &found, &u);
                if (r >= 0)
                        r = complete(u, found, s->arena, &p);
                if (r < 0)
                        break;
                AshSlice nevra = ash_package_nevra(&p, s->arena);
                const AshAptTables *tables = ash_flow_upstream_tables(u);
                AshAptChanges changes = tables ? ash_apt_tables_changes(tables, p.name) : (AshAptChanges){};
                if (cli->json) {
                        package_json(&j, &p, nevra, changes);
                        continue;
                }
                ash_cli_print(cli, a ? "\n" : "");
                print_package(cli, &p, nevra, changes);
        }
        if (cli->json) { /* well-formed also when a package is not there */
                ash_json_end(&j, ']');
                ash_cli_print(cli, "\n");
        }
        return r;
}

static int run_show(AshCli *cli) {
        _cleanup_(subject_done) Subject s = {};
        int r = open_subject(cli, &s);
        if (r < 0)
                return r;
        return cli->n_args ? show_packages(cli, &s) : show_states(cli, &s, open_part);
}

/* ---- import ---- */
typedef struct Chosen {
        const AshPackage *package;
        AshFlowUpstream *from;
        AshLockPackage got;
} Chosen;
typedef ASH_ARRAY(Chosen) ChosenList;

static int choose_named(AshCli *cli, Subject *s, World *w, ChosenList *ret) {
        for (size_t a = 0; a < cli->n_args; a++) {
                Chosen c = {};
                int r = newest(cli, w, cli->args[a], s->arena, &c.package, &c.from);
                if (r < 0)
                        return r;
                ash_array_push(ret, c);
        }
        return 0;
}

static int choose_closure(AshCli *cli, Subject *s, World *w, AshPkgSet **set, ChosenList *ret) {
        AshFlowLabelled *sources = ash_arena_new_items(s->arena, AshFlowLabelled, w->upstreams.n + 1);
        ASH_ARRAY(AshRequest) requests = {};
        for (size_t i = 0; i < w->upstreams.n; i++)
                sources[i] = (AshFlowLabelled){ w->upstreams.items[i], label_of(s, w->upstreams.items[i]) };
        for (size_t a = 0; a < cli->n_args; a++)
                ash_array_push(&requests, ((AshRequest){ .what = ash_slice_str(cli->args[a]), .job = ASH_REQUEST_INSTALL, .reason = ASH_REASON_USER }));
        int r = ash_flow_choice_new(&s->flow, s->arch, sources, w->upstreams.n, requests.items, requests.n, &w->choice);
        if (r >= 0)
                r = ash_flow_choice_solve(w->choice, requests.items, requests.n, &(AshSolveOptions){ .weak = ash_cli_flag(cli, "weak") }, set);
        ash_array_done(&requests);
        for (size_t i = 0; r >= 0 && i < (*set)->n; i++)
                ash_array_push(ret, ((Chosen){ .package = (*set)->items[i].package, .from = part_of(w, (*set)->items[i].origin) }));
        return r;
}

/* All that come from one repository at once. */
static int realize(Subject *s, World *w, ChosenList *chosen) {
        int r = 0;
        ash_array_foreach(&w->upstreams, u) {
                const AshPackage **packages = ash_arena_new_items(s->arena, const AshPackage *, chosen->n);
                AshLockPackage *got = ash_arena_new_items(s->arena, AshLockPackage, chosen->n);
                size_t n = 0, k = 0;
                ash_array_foreach(chosen, c)
                        if (c->from == *u)
                                packages[n++] = c->package;
                r = n ? ash_flow_upstream_realize(*u, packages, n, s->arena, got) : 0;
                if (r < 0)
                        return r;
                ash_array_foreach(chosen, c)
                        if (c->from == *u)
                                c->got = got[k++];
        }
        return r;
}

/* Named as rpm names files: without the epoch. */
static const char *file_name(const AshPackage *p, AshArena *arena) { return ash_arena_printf(arena, "%.*s-%.*s-%.*s.%.*s.rpm", ASH_F(p->name), ASH_F(p->version), ASH_F(p->release), ASH_F(p->arch)); }

static int deliver(AshCli *cli, Subject *s, const ChosenList *chosen) {
        const char *into = ash_cli_option(cli, "output");
        int r = into ? ash_mkdir_all(AT_FDCWD, into, 0755) : 0;
        _close_ int dirfd = into && r >= 0 ? open(into, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (into && dirfd < 0)
                return ash_fail_file(cli->diags, r < 0 ? r : -errno, into, "cannot open the directory");
        for (size_t i = 0; r >= 0 && into && i < chosen->n; i++) {
                const Chosen *c = &chosen->items[i];
                const char *name = file_name(c->package, s->arena);
                char blob[ASH_BLOB_PATH_MAX];
                AshId id;
                r = ash_id_parse(c->got.sha256, &id);
                if (r < 0)
                        return ash_fail(cli->diags, r, ASH_NOWHERE, "%s has no digest", name);
                ash_store_blob_path(&id, blob);
                r = ash_copy_file(ash_store_fd(cli->store), blob, dirfd, name, 0644);
                if (r < 0)
                        ash_fail_file(cli->diags, r, into, "cannot write %s: %s", name, ash_strerror(r));
        }
        return r;
}

/* Which packages had maintainer scripts, and which of these the project's table accounts for. */
static void report_scripts(AshCli *cli, const ChosenList *chosen) {
        ash_array_foreach(chosen, c) {
                AshFlowScripts scripts;
                if (!ash_flow_upstream_scripts(c->from, c->package->location, &scripts) || !scripts.had)
                        continue;
                ash_cli_printf(cli, "%.*s", ASH_F(c->package->name));
                for (int s = 0; s < ASH_DEB_SCRIPT_MAX_; s++)
                        if (scripts.had & 1u << s)
                                ash_cli_printf(cli, " %s%s", ash_deb_script_name(s), scripts.handled & 1u << s ? "(replaced)" : "");
                ash_cli_print(cli, "\n");
        }
}

static void report_packages(AshCli *cli, const ChosenList *chosen) {
        _str_ AshStr size = {};
        uint64_t total = 0;
        const char *into = ash_cli_option(cli, "output");
        ash_array_foreach(chosen, c)
                total += c->got.size;
        ash_text_bytes(&size, total);
        if (!cli->json) {
                ash_cli_printf(cli, "%zu package%s, %s, in %s\n", ASH_COUNT(chosen->n), size.ptr, into ? into : "the store");
                return;
        }
        AshJson j = ash_cli_json(cli);
        ash_json_begin(&j, NULL, '[');
        ash_array_foreach(chosen, c) {
                ash_json_begin(&j, NULL, '{');
                ash_json_text(&j, "nevra", c->got.nevra);
                ash_json_text(&j, "upstream", c->got.upstream);
                ash_json_text(&j, "origin", c->got.origin);
                ash_json_text(&j, "sha256", c->got.sha256);
                ash_json_uint(&j, "size", c->got.size);
                ash_json_end(&j, '}');
        }
        ash_json_end(&j, ']');
        ash_cli_print(cli, "\n");
}

static int run_import(AshCli *cli) {
        _cleanup_(subject_done) Subject s = {};
        _cleanup_(world_done) World w = {};
        _cleanup_(ash_pkgset_free_p) AshPkgSet *set = NULL;
        ChosenList chosen = {};
        int r = open_subject(cli, &s);
        if (r >= 0)
                r = ash_cli_flag(cli, "no-deps") ? open_world(cli, &s, &w) : open_parts(cli, &s, &w);
        if (r >= 0)
                r = ash_cli_flag(cli, "no-deps") ? choose_named(cli, &s, &w, &chosen) : choose_closure(cli, &s, &w, &set, &chosen);
        if (r >= 0)
                r = realize(&s, &w, &chosen);
        if (r >= 0)
                r = deliver(cli, &s, &chosen);
        if (r >= 0 && ash_cli_flag(cli, "scripts"))
                report_scripts(cli, &chosen);
        else if (r >= 0 && (cli->json || !cli->quiet))
                report_packages(cli, &chosen);
        ash_array_done(&chosen);
        return r;
}

#define COMMON                                                                                                                                             \
        { "arch", .value = "ARCH", .doc = "architecture, in rpm's words or Debian's (default: this machine's)" },                                         \
        { "suite", .value = "SUITE", .doc = "apt: the archive's suite (default: the project's, or trixie)" },                                             \
        { "names", .value = "FILE", .kind = ASH_KIND_FILE, .doc = "apt: table of further names for packages (default: the project's)" },                  \
        { "imports", .value = "FILE", .kind = ASH_KIND_FILE, .doc = "apt: changes to imported packages (default: the project's)" }, ASH_FLOW_OPTIONS
#define SNAPSHOT { "snapshot", .value = "ID", .doc = "an older state that some sync saw: its 64 hexadecimal digits (default: the last one)" }

const AshCliVerb ash_verbs_upstream[] = {
        { "sync", "fetch and verify what the upstream has now",
          .doc = "Fetches the upstream's metadata into the store and verifies it before anything reads it. Of an RPM repository: repomd.xml with its signature, or against the metalink, and each file that it names "
                 "by size and digest. Of an apt archive: apt itself, with a private state directory in the store, fetches the indices and verifies them against the archive's keys.\n\n"
                 "Prints the state: its snapshot (the digest of repomd.xml or of the InRelease file, which a lock records), date, key and number of packages. 'list', 'show' and 'import' work on the last state "
                 "without asking the network.",
          .options = ASH_OPTIONS(COMMON), .needs = ASH_NEEDS_STORE, .run = run_sync },
        { "list", "list the upstream's packages as rpm sees them", .args = ASH_ARGS({ "GLOB", "names of packages", .flags = ASH_ARG_MANY | ASH_ARG_OPTIONAL }),
          .options = ASH_OPTIONS(COMMON, SNAPSHOT), .needs = ASH_NEEDS_STORE, .run = run_list },
        { "show", "show the state of the upstream, or packages with their relations",
          .doc = "Without NAME: each repository's snapshot, revision, date and age, the key that signed it, and how many packages it has. With names: the newest package of each name with what it provides and "
                 "requires; of an imported one the translated relations, and the changes that the project declares for it.",
          .args = ASH_ARGS({ "NAME", "a package", .flags = ASH_ARG_MANY | ASH_ARG_OPTIONAL }),
          .options = ASH_OPTIONS(COMMON, SNAPSHOT), .needs = ASH_NEEDS_STORE, .run = run_show },
        { "import", "bring packages and what they need into the store as RPMs",
          .doc = "Packages that the store has are neither fetched nor converted again. Maintainer scripts of an apt archive are not carried over: --scripts lists which packages had some, and which of "
                 "them the project's table of changes replaces.",
          .args = ASH_ARGS({ "NAME", "a package, or anything that one provides", .flags = ASH_ARG_MANY }),
          .options = ASH_OPTIONS(COMMON, SNAPSHOT, { "output", .value = "DIR", .letter = 'o', .kind = ASH_KIND_DIR, .doc = "put the RPMs there too" },
                                 { "no-deps", .doc = "only the packages named" }, { "weak", .doc = "with what they recommend" },
                                 { "scripts", .doc = "list the packages that had maintainer scripts" }),
          .needs = ASH_NEEDS_STORE, .run = run_import },
        {},
};
