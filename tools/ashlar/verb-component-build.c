/* component: build, rebuild. */
#include <ctype.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "cli-flow.h"
#include "component.h"
#include "flow-build.h"
#include "flow-built.h"
#include "flow-plan.h"

/* ---- options ---- */
typedef struct Given {
        AshFlowBuildOptions options;
        char *lock, *output;
        bool no_lock;                /* whoever started this one writes it */
        ASH_ARRAY(const char *) with, without, defines;
        unsigned vary;
        struct utsname machine;
} Given;

static void given_done(Given *g) {
        free(g->lock);
        free(g->output);
        ash_array_done(&g->with);
        ash_array_done(&g->without);
        ash_array_done(&g->defines);
}

#define MACRO_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

/* rpm says of a name that it cannot take what it reads instead, among much else, and goes on. */
static int check_define(AshCli *cli, const char *text) {
        size_t name = isdigit((unsigned char) text[0]) ? 0 : strspn(text, MACRO_CHARS), end = text[name] == '(' ? name + strcspn(text + name, ")") + 1 : name;
        int r;
        if (name >= 3 && (text[end] == ' ' || text[end] == '\t'))
                return 0;
        if (name && name < 3 && text[name] && strchr(" \t(", text[name]))
                r = ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--define '%s': names of macros have three characters or more", text);
        else if (name && (!text[name] || text[name] == '('))
                r = ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--define takes a name and a value: '%s'", text);
        else
                r = ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--define '%s': a macro's name is letters, digits and '_', and begins with no digit; its value stands behind a blank", text);
        ash_hint(cli->diags, "as rpmbuild takes it: --define 'dist .test'");
        return r;
}

static int check_with(AshCli *cli, const char *option, const char *text) {
        size_t n = strspn(text, MACRO_CHARS);
        if (n && !text[n])
                return 0;
        int r = ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--%s '%s': the name of a condition (%%bcond) is letters, digits and '_'", option, text);
        ash_hint(cli->diags, "several are each an option: --with a --with b");
        return r;
}

static int read_options(AshCli *cli, Given *g) {
        const char *word;
        int r = 0;
        uname(&g->machine);
        for (size_t i = 0; r >= 0 && (word = ash_cli_option_nth(cli, "with", i)); i++) {
                r = check_with(cli, "with", word);
                ash_array_push(&g->with, word);
        }
        for (size_t i = 0; r >= 0 && (word = ash_cli_option_nth(cli, "without", i)); i++) {
                r = check_with(cli, "without", word);
                ash_array_push(&g->without, word);
        }
        for (size_t i = 0; r >= 0 && (word = ash_cli_option_nth(cli, "define", i)); i++) {
                r = check_define(cli, word);
                ash_array_push(&g->defines, word);
        }
        ash_array_push(&g->with, NULL);
        ash_array_push(&g->without, NULL);
        ash_array_push(&g->defines, NULL);
        g->lock = ash_cli_lock_path(cli);
        g->output = ash_cli_output_dir(cli);
        g->options = (AshFlowBuildOptions){
                .lock_path = g->lock, .output_dir = g->output, .render = ash_cli_render_options(cli), .with = g->with.items, .without = g->without.items, .defines = g->defines.items,
                .no_check = ash_cli_flag(cli, "no-check"), .log_path = ash_cli_option(cli, "log"),
        };
        if (r >= 0 && g->options.log_path && cli->n_args > 1)
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--log is for one component");
        struct stat st; /* a log is read while it is written: it says why a build failed */
        if (r >= 0 && g->options.log_path && stat(g->options.log_path, &st) == 0 && !S_ISREG(st.st_mode))
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--log %s: this is no file that a log can be kept in", g->options.log_path);
        return r;
}

/* ---- what came out ---- */
static AshSlice cell(AshArena *a, const char *text) { return ash_slice_str(ash_arena_strdup(a, text)); }

static void json_verify(AshJson *j, const AshFlowVerify *v) {
        AshSlice rest = ash_str_slice(&v->differences), line;
        ash_json_begin(j, "varied", '[');
        for (int i = 0; i < ASH_VARY_MAX_; i++)
                if (v->vary >> i & 1)
                        ash_json_str(j, NULL, ash_build_vary_name(i));
        ash_json_end(j, ']');
        ash_json_bool(j, "reproducible", v->differences.len == 0);
        ash_json_begin(j, "differences", '[');
        while (rest.len && ash_slice_next_line(&rest, &line))
                ash_json_text(j, NULL, line);
        ash_json_end(j, ']');
        if (v->first) {
                ash_json_str(j, "first", v->first);
                ash_json_str(j, "second", v->second);
        }
}

/* The build beside the one that counts. */
static void json_other(AshJson *j, const AshFlowBuild *b) {
        ash_json_begin(j, "other-build", '{');
        ash_json_bool(j, "same", b->same);
        ash_json_bool(j, "replaced", b->replaced);
        ash_json_text(j, "log", b->other->log);
        ash_json_text(j, "provenance", b->other->provenance);
        ash_json_end(j, '}');
}

static void print_json(AshJson *j, const AshFlowBuild *b, const AshFlowVerify *v) {
        const AshBuiltComponent *c = &b->built;
        ash_json_begin(j, NULL, '{');
        ash_json_text(j, "component", c->name);
        ash_json_text(j, "arch", c->arch);
        ash_json_bool(j, "cached", b->cached);
        ash_json_text(j, "key", c->key);
        ash_json_text(j, "fingerprint", c->fingerprint);
        ash_json_double(j, "seconds", (double) (b->ns / 1000000) / 1000);
        ash_json_uint(j, "buildroot-packages", b->root_packages);
        ash_json_str(j, "log-file", b->log_path);
        ash_json_text(j, "log", c->log);
        ash_json_text(j, "provenance", c->provenance);
        ash_json_begin(j, "packages", '[');
        for (size_t i = 0; i < c->n_packages; i++) {
                ash_json_begin(j, NULL, '{');
                ash_json_text(j, "nevra", c->packages[i].nevra);
                ash_json_str(j, "kind", ash_built_kind_name(c->packages[i].kind));
                ash_json_uint(j, "size", c->packages[i].size);
                ash_json_text(j, "sha256", c->packages[i].sha256);
                ash_json_end(j, '}');
        }
        ash_json_end(j, ']');
        ash_json_begin(j, "unverified", '[');
        for (size_t i = 0; i < b->n_unverified; i++)
                ash_json_text(j, NULL, b->unverified[i]);
        ash_json_end(j, ']');
        if (b->other)
                json_other(j, b);
        if (v)
                json_verify(j, v);
        ash_json_end(j, '}');
}

/* What the spec says, then what the build asks for itself. */
static void print_requires(AshCli *cli, AshJson *j, const AshFlowBuild *b) {
        if (!cli->json) {
                for (size_t i = 0; i < b->n_requires; i++)
                        ash_cli_printf(cli, "%.*s\n", ASH_F(b->requires[i]));
                return;
        }
        ash_json_begin(j, NULL, '{');
        ash_json_text(j, "component", b->built.name);
        ash_json_text(j, "arch", b->built.arch);
        ash_json_bool(j, "met", !b->unmet);
        ash_json_begin(j, "requires", '[');
        for (size_t i = 0; i < b->n_requires; i++)
                ash_json_text(j, NULL, b->requires[i]);
        ash_json_end(j, ']');
        ash_json_begin(j, "asked", '[');
        for (size_t i = 0; i < b->built.n_asked; i++)
                ash_json_text(j, NULL, b->built.asked[i]);
        ash_json_end(j, ']');
        ash_json_end(j, '}');
}

static void print_row(AshCliList *list, const AshFlowBuild *b) {
        for (size_t i = 0; i < b->built.n_packages; i++) {
                const AshBuiltPackage *p = &b->built.packages[i];
                _str_ AshStr size = {};
                ash_str_appendf(&size, "%llu", (unsigned long long) p->size);
                ash_cli_list_row(list, (const AshSlice[]){ p->nevra, cell(b->arena, ash_built_kind_name(p->kind)), ash_str_slice(&size), p->sha256 });
        }
}

static void say(AshCli *cli, const AshFlowBuild *b) {
        _str_ AshStr took = {};
        ash_text_duration(&took, b->ns);
        if (b->cached)
                ash_info(cli->diags, ASH_NOWHERE, "'%.*s' is cached: nothing that it is built from has changed (%s)", ASH_F(b->built.name), took.ptr);
        else
                ash_info(cli->diags, ASH_NOWHERE, "'%.*s' was built in %s, in a root of %zu packages; the log: %s", ASH_F(b->built.name), took.ptr, b->root_packages, b->log_path);
}

/* Which of several builds of the same counts, and what became of the other. */
static void say_other(AshCli *cli, const AshFlowBuild *b) {
        AshSlice name = b->built.name;
        if (b->same && !b->replaced)
                ash_info(cli->diags, ASH_NOWHERE, "'%.*s' had been built from the same before: its %zu packages are the same, and the log and the provenance of that build stay, with these beside them", ASH_F(name), b->built.n_packages);
        else if (b->same)
                ash_info(cli->diags, ASH_NOWHERE, "'%.*s' had been built from the same before, with the same packages, but not all of that is in the store any more: this build counts", ASH_F(name));
        else
                ash_warn(cli->diags, ASH_NOWHERE, "'%.*s' had been built from the same before, with other packages, and not all of that is in the store any more: this build counts", ASH_F(name));
}

/* NAME-VERSION-RELEASE.ARCH.rpm, as rpmbuild calls it. */
static int copy_packages(AshCli *cli, const AshFlowBuild *b, const char *dir) {
        int r = ash_mkdir_all(AT_FDCWD, dir, 0755);
        for (size_t i = 0; r >= 0 && i < b->built.n_packages; i++) {
                AshPackage p = {};
                AshId id;
                char path[ASH_BLOB_PATH_MAX];
                ash_nevra_parse(b->built.packages[i].nevra, &p);
                (void) ash_id_parse(b->built.packages[i].sha256, &id);
                ash_store_blob_path(&id, path);
                _free_ char *to = ash_asprintf("%s/%.*s-%.*s-%.*s.%.*s.rpm", dir, ASH_F(p.name), ASH_F(p.version), ASH_F(p.release), ASH_F(p.arch));
                r = ash_copy_file(ash_store_fd(cli->store), path, AT_FDCWD, to, 0644);
        }
        return r < 0 ? ash_fail_file(cli->diags, r, dir, "cannot copy the packages: %s", ash_strerror(r)) : 0;
}

void ash_cli_tell_lock(AshCli *cli, const AshFlowLockResult *lock) {
        AshSlice rest = ash_str_slice(&lock->changes), line;
        while (lock->n_changes && ash_slice_next_line(&rest, &line))
                if (line.len)
                        ash_info(cli->diags, ASH_NOWHERE, "the lock: %.*s", ASH_F(line));
}

/* ashlar.built and the lock say what there is now. */
static int record(AshCli *cli, AshFlow *flow, const Given *g, const AshFlowBuild *b) {
        AshFlowLockResult lock = {};
        int r = ash_flow_built_record(flow, &b->built, g->no_lock ? NULL : g->lock, &lock);
        if (r >= 0)
                ash_cli_tell_lock(cli, &lock);
        ash_flow_lock_result_done(&lock);
        if (r >= 0 && g->options.no_check)
                ash_info(cli->diags, ASH_NOWHERE, "'%.*s' was built without its tests, and is recorded all the same: 'repo build' publishes it so until it is built with them", ASH_F(b->built.name));
        return r < 0 ? r : 0;
}

/* For the next plan. */
static void note_cost(AshFlow *flow, const AshFlowBuild *b) {
        if (!b->cached)
                ash_flow_cost_put(flow, b->built.name, b->built.arch, &(AshFlowCost){ b->ns / 1000000, b->memory });
}

/* ---- the verbs ---- */
typedef struct Output {
        AshCli *cli;
        AshCliList *list;
        AshJson json;
} Output;

static int tell_verified(AshCli *cli, const AshFlowBuild *b, const AshFlowVerify *v, bool differs) {
        _str_ AshStr words = {};
        AshSlice name = b->built.name;
        ash_build_vary_tell(v->vary, &words);
        if (!differs) {
                ash_info(cli->diags, ASH_NOWHERE, "'%.*s' is reproducible: built again %s, its %zu packages are the same, byte for byte%s", ASH_F(name), words.len ? words.ptr : "with nothing otherwise", b->built.n_packages,
                         v->n_path ? ", but for the name of the build directory that rpm writes into source packages" : "");
                return 0;
        }
        int r = ash_fail(cli->diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "'%.*s' is not reproducible: built again %s, it gives other packages", ASH_F(name), words.len ? words.ptr : "with nothing otherwise");
        ash_note(cli->diags, ASH_NOWHERE, "the packages that differ: %s and %s; the logs: %s.log and %s.log", v->first, v->second, v->first, v->second);
        ash_hint(cli->diags, "'diffoscope %s %s' shows all of it; --vary %s alone tells whether it is that", v->first, v->second, v->vary ? ash_build_vary_name(__builtin_ctz(v->vary)) : "time");
        return r;
}

/* Two builds of the same that gave other packages: both are kept. */
static int tell_other(AshCli *cli, const AshFlowBuild *b, const AshFlowVerify *v) {
        AshSlice name = b->built.name;
        if (b->replaced)
                ash_warn(cli->diags, ASH_NOWHERE, "'%.*s' gives other packages than when it was first built from the same: these count from now on", ASH_F(name));
        int r = b->replaced ? 0 : ash_fail(cli->diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "'%.*s' gives other packages than when it was first built from the same: those still count, and these are kept beside them", ASH_F(name));
        ash_note(cli->diags, ASH_NOWHERE, "the packages that differ: %s and %s; the logs: %s.log and %s.log", v->first, v->second, v->first, v->second);
        ash_hint(cli->diags, "'ashlar component rebuild --verify %.*s' tells what it follows from%s", ASH_F(name), b->replaced ? "" : "; with --replace what was built now counts");
        return r;
}

typedef int (*Build)(AshFlowBuilder *b, AshSlice component, const AshFlowBuildOptions *options, AshFlowVerify *v, AshFlowBuild **ret);
static int build_known(AshFlowBuilder *b, AshSlice component, const AshFlowBuildOptions *options, AshFlowVerify *v _unused_, AshFlowBuild **ret) { return ash_flow_build(b, component, options, ret); }

static bool has_own_spec(AshCli *cli, AshSlice name) {
        const AshComponent *c;
        return ash_config_component(cli->config, name, &c, cli->diags) >= 0 && c->merged->spec.path.s.len;
}

static int build_one(Output *out, AshFlow *flow, AshFlowBuilder *builder, const Given *g, AshSlice name, Build build) {
        _cleanup_(ash_flow_build_free_p) AshFlowBuild *b = NULL;
        _cleanup_(ash_flow_verify_done) AshFlowVerify v = { .vary = g->vary };
        const char *copy = ash_cli_option(out->cli, "output");
        int differs = build(builder, name, &g->options, &v, &b), r = differs;
        if (r < 0)
                return has_own_spec(out->cli, name) ? r : ash_cli_upstream_failed(out->cli, r);
        if (g->options.only_requires) {
                print_requires(out->cli, &out->json, b);
                return b->unmet ? -ASH_ERR_UNSOLVABLE : 0;
        }
        say(out->cli, b);
        if (b->other && !differs)
                say_other(out->cli, b);
        note_cost(flow, b);
        r = record(out->cli, flow, g, b);
        if (r >= 0)
                ash_flow_build_note(builder, b);
        if (r >= 0 && copy)
                r = copy_packages(out->cli, b, copy);
        if (out->cli->json)
                print_json(&out->json, b, build == build_known ? NULL : &v);
        else if (differs)
                ash_cli_write(out->cli, ash_str_slice(&v.differences));
        else
                print_row(out->list, b);
        if (r >= 0 && build == ash_flow_build_verify)
                return tell_verified(out->cli, b, &v, differs);
        return r >= 0 && differs ? tell_other(out->cli, b, &v) : r;
}

static int run_builds(AshCli *cli, Given *g, Build build) {
        static const AshCliColumn columns[] = { { "Package" }, { "Kind" }, { "Size", .number = true }, { "Sha256" } };
        _cleanup_(ash_cli_list_free_p) AshCliList *list = ash_cli_list_new(cli, columns, ASH_N(columns));
        _cleanup_(ash_flow_builder_free_p) AshFlowBuilder *builder = NULL;
        Output out = { cli, list, ash_cli_json(cli) };
        AshFlow flow = ash_cli_flow(cli);
        const AshComponent *known;
        int r = 0;
        for (size_t i = 0; r >= 0 && i < cli->n_args; i++)
                r = ash_config_component(cli->config, ash_slice_str(cli->args[i]), &known, cli->diags); /* a wrong name is said first */
        if (r >= 0)
                r = ash_flow_builder_new(&flow, g->lock, ash_slice_str(g->machine.machine), &builder);
        if (r < 0)
                return r;
        if (cli->json)
                ash_json_begin(&out.json, NULL, '[');
        for (size_t i = 0; i < cli->n_args; i++) {
                int one = build_one(&out, &flow, builder, g, ash_slice_str(cli->args[i]), build);
                r = r < 0 ? r : one;
        }
        if (cli->json) {
                ash_json_end(&out.json, ']');
                ash_cli_print(cli, "\n");
        } else if (!g->options.only_requires)
                ash_cli_list_print(list);
        return r;
}

/* Whoever gets a shell wants to know first why. */
static void show_failure(void *context) {
        ash_cli_report(context);
        ash_cli_flush(context);
}

int ash_component_build(AshCli *cli) {
        Given g __attribute__((__cleanup__(given_done))) = {};
        bool all = ash_cli_flag(cli, "all"), several = all || cli->n_args > 1;
        if (all == (cli->n_args > 0))
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "names of components, or --all");
        int r = read_options(cli, &g);
        const char *single = ash_cli_flag(cli, "shell") ? "--shell" : ash_cli_flag(cli, "requires") ? "--requires" : ash_cli_option(cli, "log") ? "--log" : NULL;
        if (r >= 0 && several && single)
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "%s is for one component", single);
        if (r >= 0 && several)
                return ash_component_builds(cli, &g.options);
        g.no_lock = ash_cli_flag(cli, "no-lock");
        g.options.shell = ash_cli_flag(cli, "shell");
        g.options.before_shell = show_failure;
        g.options.context = cli;
        g.options.keep = ash_cli_flag(cli, "keep");
        g.options.only_requires = ash_cli_flag(cli, "requires");
        return r < 0 ? r : run_builds(cli, &g, build_known);
}

/* "path,time": those; "-host": all but that one. */
static int read_vary(AshCli *cli, unsigned *ret) {
        const char *text = ash_cli_option(cli, "vary");
        AshSlice rest = ash_slice_str(text), word;
        *ret = ASH_VARY_ALL;
        if (text && !ash_cli_flag(cli, "verify"))
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--vary needs --verify");
        for (bool first = true; text && ash_slice_split(&rest, ',', &word); first = false) {
                bool without = ash_slice_starts(word, ASH_S("-"));
                AshBuildVary what = ash_build_vary(ash_slice_from(word, without));
                if (what < 0 && !ash_slice_eqs(word, "none")) {
                        _str_ AshStr all = {};
                        for (int i = 0; i < ASH_VARY_MAX_; i++)
                                ash_str_appendf(&all, "%s%s", i ? ", " : "", ash_build_vary_name(i));
                        int r = ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--vary knows no '%.*s'", ASH_F(word));
                        ash_hint(cli->diags, "it takes %s; with '-' in front: all but that; none", all.ptr);
                        return r;
                }
                if (first && !without)
                        *ret = 0;
                if (what >= 0)
                        *ret = without ? *ret & ~(1u << what) : *ret | 1u << what;
        }
        return 0;
}

int ash_component_rebuild(AshCli *cli) {
        Given g __attribute__((__cleanup__(given_done))) = {};
        bool verify = ash_cli_flag(cli, "verify");
        int r = read_options(cli, &g);
        if (r >= 0)
                r = read_vary(cli, &g.vary);
        g.options.replace = ash_cli_flag(cli, "replace");
        if (r >= 0 && g.options.replace && verify)
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--verify keeps the first build, and --replace does not");
        g.vary = verify ? g.vary : 0;
        return r < 0 ? r : run_builds(cli, &g, verify ? ash_flow_build_verify : ash_flow_build_again);
}
