/* component: the table of its verbs; list and show. */
#include "cli-flow.h"
#include "component.h"
#include "json.h"

/* ---- list ---- */
static const AshCliColumn short_columns[] = { { "COMPONENT" } };
static const AshCliColumn long_columns[] = {
        { "COMPONENT" }, { "SPEC" }, { "DISTRO", .optional = true }, { "UPSTREAM NAME", .optional = true }, { "COMMIT", .optional = true }, { "RELEASE", .optional = true },
        { "OVERLAYS", .number = true }, { "DECLARED" },
};

static bool wanted(const AshCli *cli, AshSlice name) {
        for (size_t i = 0; i < cli->n_args; i++)
                if (ash_glob_match(ash_slice_str(cli->args[i]), name))
                        return true;
        return cli->n_args == 0;
}

static AshSlice or_none(AshText t) { return ash_text_set(t) && t.s.len ? t.s : ASH_NOSLICE; }

static void list_long(AshCliList *list, const AshComponent *c) {
        const AshComponentConfig *m = c->merged;
        _free_ char *declared = ash_span_text(c->name.at), *distro = NULL;
        char overlays[24];
        snprintf(overlays, sizeof overlays, "%zu", m->overlays.n);
        if (ash_text_set(m->spec.distro.name))
                distro = ash_asprintf("%.*s%s%.*s", ASH_F(m->spec.distro.name.s), m->spec.distro.version.s.len ? " " : "", ASH_F(m->spec.distro.version.s));
        AshSlice spec = or_none(m->spec.type);
        if (ash_slice_eqs(spec, "local"))
                spec = or_none(m->spec.path);
        const AshSlice cells[] = {
                c->name.s, spec, distro ? ash_slice_str(distro) : ASH_NOSLICE, or_none(m->spec.upstream_name), or_none(m->spec.upstream_commit), or_none(m->release),
                ash_slice_str(overlays), ash_slice_str(declared),
        };
        ash_cli_list_row(list, cells);
}

static int run_list(AshCli *cli) {
        bool all = ash_cli_flag(cli, "long"), with_overlays = ash_cli_flag(cli, "overlays");
        _cleanup_(ash_cli_list_free_p) AshCliList *list =
                all ? ash_cli_list_new(cli, long_columns, ASH_N(long_columns)) : ash_cli_list_new(cli, short_columns, ASH_N(short_columns));
        for (size_t i = 0; i < ash_config_n_components(cli->config); i++) {
                const AshComponent *c = ash_config_component_at(cli->config, i);
                if (!wanted(cli, c->name.s))
                        continue;
                if (all || with_overlays) {
                        int r = ash_config_component(cli->config, c->name.s, &c, cli->diags);
                        if (r < 0)
                                return r;
                        if (with_overlays && c->merged->overlays.n == 0)
                                continue;
                }
                if (all)
                        list_long(list, c);
                else
                        ash_cli_list_row(list, &c->name.s);
        }
        ash_cli_list_print(list);
        return 0;
}

/* ---- show ---- */
typedef struct Show {
        AshCli *cli;
        AshJson json;
} Show;

static void show_text(Show *s, const char *key, AshSlice value) {
        if (s->cli->json)
                ash_json_text(&s->json, key, value);
        else if (value.ptr)
                ash_cli_printf(s->cli, "%s%-18s%s %.*s\n", ash_cli_tint(s->cli, ASH_TINT_BOLD), key, ash_cli_tint(s->cli, ASH_TINT_OFF), ASH_F(value));
}
static void show_set(Show *s, const char *key, AshText t) {
        if (ash_text_set(t) && t.s.len)
                show_text(s, key, t.s);
}
static void show_flag(Show *s, const char *key, AshFlag flag) {
        if (flag.value == ASH_UNSET)
                return;
        if (s->cli->json)
                ash_json_bool(&s->json, key, flag.value == ASH_YES);
        else
                show_text(s, key, flag.value == ASH_YES ? ASH_S("yes") : ASH_S("no"));
}
static void show_texts(Show *s, const char *key, AshTexts list) {
        _str_ AshStr joined = {};
        if (list.n == 0)
                return;
        if (s->cli->json)
                ash_json_begin(&s->json, key, '[');
        for (size_t i = 0; i < list.n; i++) {
                if (s->cli->json)
                        ash_json_text(&s->json, NULL, list.items[i].s);
                ash_str_appendf(&joined, "%s%.*s", i ? ", " : "", ASH_F(list.items[i].s));
        }
        if (s->cli->json)
                ash_json_end(&s->json, ']');
        else
                show_text(s, key, ash_str_slice(&joined));
}
static void show_defines(Show *s, AshPairs pairs) {
        if (pairs.n == 0)
                return;
        if (s->cli->json)
                ash_json_begin(&s->json, "defines", '{');
        for (size_t i = 0; i < pairs.n; i++) {
                if (s->cli->json) {
                        ash_json_key(&s->json, pairs.items[i].key.s);
                        ash_json_text(&s->json, NULL, pairs.items[i].value.s);
                } else {
                        _free_ char *line = ash_asprintf("%.*s = %.*s", ASH_F(pairs.items[i].key.s), ASH_F(pairs.items[i].value.s));
                        show_text(s, "define", ash_slice_str(line));
                }
        }
        if (s->cli->json)
                ash_json_end(&s->json, '}');
}

static void show_overlay(Show *s, const AshOverlay *o) {
        _free_ char *title = ash_overlay_title(o), *place = ash_span_text(o->at);
        if (!s->cli->json) {
                ash_cli_printf(s->cli, "  %s\n", title);
                if (o->description.s.len)
                        ash_cli_printf(s->cli, "      %.*s\n", ASH_F(o->description.s));
                ash_cli_printf(s->cli, "      %s%s%s\n", ash_cli_tint(s->cli, ASH_TINT_DIM), place, ash_cli_tint(s->cli, ASH_TINT_OFF));
                return;
        }
        ash_json_begin(&s->json, NULL, '{');
        ash_json_str(&s->json, "type", ash_overlay_type_name(o->type));
        const struct { const char *key; AshText text; } texts[] = {
                { "description", o->description }, { "archive", o->archive }, { "file", o->file }, { "section", o->section }, { "package", o->package }, { "tag", o->tag },
                { "value", o->value }, { "regex", o->regex }, { "replacement", o->replacement }, { "source", o->source }, { "category", o->category },
                { "upstream-status", o->upstream_status }, { "since", o->since },
        };
        for (size_t i = 0; i < ASH_N(texts); i++)
                if (ash_text_set(texts[i].text))
                        ash_json_text(&s->json, texts[i].key, texts[i].text.s);
        show_texts(s, "lines", o->lines);
        show_texts(s, "commits", o->commits);
        show_texts(s, "bugs", o->bugs);
        ash_json_str(&s->json, "declared", place);
        ash_json_end(&s->json, '}');
}

static void show_sources(Show *s, const AshSourceFiles *files) {
        if (files->n == 0)
                return;
        if (s->cli->json)
                ash_json_begin(&s->json, "source-files", '[');
        for (size_t i = 0; i < files->n; i++) {
                const AshSourceFile *f = &files->items[i];
                if (!s->cli->json) {
                        _free_ char *line = ash_asprintf("%.*s (%.*s %.*s)", ASH_F(f->filename.s), ASH_F(f->origin_type.s), ASH_F(f->origin_uri.s));
                        show_text(s, "source file", ash_slice_str(line));
                        continue;
                }
                ash_json_begin(&s->json, NULL, '{');
                ash_json_text(&s->json, "filename", f->filename.s);
                show_set(s, "hash-type", f->hash_type);
                show_set(s, "hash", f->hash);
                show_set(s, "origin", f->origin_type);
                show_set(s, "uri", f->origin_uri);
                show_flag(s, "replace-upstream", f->replace_upstream);
                show_set(s, "replace-reason", f->replace_reason);
                ash_json_end(&s->json, '}');
        }
        if (s->cli->json)
                ash_json_end(&s->json, ']');
}

static void show_component(Show *s, const AshComponent *c) {
        const AshComponentConfig *m = c->merged;
        _free_ char *declared = ash_span_text(c->name.at);
        show_text(s, "component", c->name.s);
        show_text(s, "declared", ash_slice_str(declared));
        show_set(s, "spec", m->spec.type);
        show_set(s, "spec path", m->spec.path);
        show_set(s, "distro", m->spec.distro.name);
        show_set(s, "distro version", m->spec.distro.version);
        show_set(s, "snapshot", m->spec.distro.snapshot);
        show_set(s, "upstream name", m->spec.upstream_name);
        show_set(s, "upstream commit", m->spec.upstream_commit);
        show_set(s, "release", m->release);
        show_texts(s, "with", m->with);
        show_texts(s, "without", m->without);
        show_texts(s, "undefines", m->undefines);
        show_defines(s, m->defines);
        show_flag(s, "check skipped", m->check_skip);
        show_set(s, "because", m->check_skip_reason);
        show_flag(s, "failure expected", m->failure_expected);
        show_set(s, "failure reason", m->failure_reason);
        show_flag(s, "skip-file-filter", m->skip_file_filter);
        show_set(s, "rpm channel", m->publish.rpm_channel);
        show_set(s, "srpm channel", m->publish.srpm_channel);
        show_set(s, "debuginfo channel", m->publish.debuginfo_channel);
        show_sources(s, &m->source_files);
        if (s->cli->json)
                ash_json_begin(&s->json, "overlays", '[');
        else if (m->overlays.n)
                ash_cli_printf(s->cli, "%soverlays%s\n", ash_cli_tint(s->cli, ASH_TINT_BOLD), ash_cli_tint(s->cli, ASH_TINT_OFF));
        for (size_t i = 0; i < m->overlays.n; i++)
                show_overlay(s, &m->overlays.items[i]);
        if (s->cli->json)
                ash_json_end(&s->json, ']');
}

static int run_show(AshCli *cli) {
        Show s = { cli, ash_cli_json(cli) };
        int r = 0;
        if (cli->json)
                ash_json_begin(&s.json, NULL, '[');
        for (size_t i = 0; i < cli->n_args && r >= 0; i++) {
                const AshComponent *c;
                r = ash_config_component(cli->config, ash_slice_str(cli->args[i]), &c, cli->diags);
                if (r < 0)
                        break;
                if (cli->json)
                        ash_json_begin(&s.json, NULL, '{');
                else if (i)
                        ash_cli_print(cli, "\n");
                show_component(&s, c);
                if (cli->json)
                        ash_json_end(&s.json, '}');
        }
        if (cli->json) {
                ash_json_end(&s.json, ']');
                ash_cli_print(cli, "\n");
        }
        return r;
}

#define ASH_BUILD_OPTIONS                                                                                                                          \
        ASH_UPSTREAM_OPTIONS, ASH_FLOW_OPTIONS, { "with", "NAME", "switch a build condition on", .many = true }, { "without", "NAME", "switch a build condition off", .many = true },   \
        { "define", "'NAME VALUE'", "define a macro", 'D', .many = true }, { "no-check", .doc = "leave %check out" },                                       \
        { "log", "FILE", "write the log to FILE (default: NAME.log in the project's log-dir)", .kind = ASH_KIND_FILE }, { "output", "DIR", "also copy the packages to DIR", 'o', ASH_KIND_DIR }
#define NAMES(what) { "NAME", what, ASH_KIND_COMPONENT, ASH_ARG_OPTIONAL | ASH_ARG_MANY }
const AshCliVerb ash_verbs_component[] = {
        { "list", "list the components",
          "One line a component, sorted by name. Patterns are shell globs.",
          .args = ASH_ARGS({ "PATTERN", "components whose name matches (default: all)", ASH_KIND_COMPONENT, ASH_ARG_OPTIONAL | ASH_ARG_MANY }),
          .options = ASH_OPTIONS({ "long", .doc = "also where the spec comes from, the number of overlays and where it is declared", .letter = 'l' },
                                 { "overlays", .doc = "only components with overlays" }),
          .needs = ASH_NEEDS_CONFIG, .run = run_list },
        { "show", "show a component with all that it inherits",
          .args = ASH_ARGS({ "NAME", "a component", ASH_KIND_COMPONENT, ASH_ARG_MANY }), .needs = ASH_NEEDS_CONFIG, .run = run_show },
        { "add", "declare a component in the project's files",
          "Edits a TOML file in place: everything else in it keeps its comments, order and layout. A sorted list of components stays sorted. Without options the component inherits all. "
          "Prints the name of the file.",
          .args = ASH_ARGS({ "NAME", "the new component" }),
          .options = ASH_OPTIONS({ "file", "FILE", "the file to edit (default: the one that declares most components)", .kind = ASH_KIND_FILE },
                                 { "spec", "PATH", "it has a spec of our own at PATH, relative to the file", .kind = ASH_KIND_FILE },
                                 { "upstream-name", "NAME", "what upstream calls it" }, { "commit", "HASH", "upstream's commit" }, { "distro", "NAME", "the distribution that it comes from" },
                                 { "distro-version", "VERSION", "and its version" }),
          .needs = ASH_NEEDS_CONFIG | ASH_TAKES_LOCK, .run = ash_component_add },
        { "render", "write specs and side files with all overlays applied",
          "Writes a directory a component below the project's rendered-specs-dir, and a record of what its fingerprint is made of below .fingerprints there. A directory is "
          "replaced in one step, and only when something in it differs. Directories of components that are gone stay unless --prune is given.\n"
          "\n"
          "With --check nothing is written; the exit status is 1 when something would be.",
          .args = ASH_ARGS(NAMES("components to render (default: all)")),
          .options = ASH_OPTIONS(ASH_UPSTREAM_OPTIONS, { "output", "DIR", "write below DIR", 'o', ASH_KIND_DIR }, { "check", .doc = "write nothing; exit with 1 when something differs" },
                                 { "prune", .doc = "remove directories of components that are gone (with --check: count them as a difference)" },
                                 { "available", .doc = "leave out components whose upstream spec is not there" }),
          .needs = ASH_NEEDS_CONFIG, .run = ash_component_render },
        { "prepare", "put all that a component's build needs into one directory",
          "The rendered spec and side files, and every source: downloaded and checked by its digest, made by a script, or an archive with the overlays inside it applied.",
          .args = ASH_ARGS({ "NAME", "a component", ASH_KIND_COMPONENT }),
          .options = ASH_OPTIONS(ASH_UPSTREAM_OPTIONS, { "output", "DIR", "the directory (default: NAME)", 'o', ASH_KIND_DIR },
                                 { "script-network", .doc = "scripts that make sources may use the network" }),
          .needs = ASH_NEEDS_CONFIG, .run = ash_component_prepare },
        { "diff", "show what differs from upstream, and which overlay made each difference",
          "A unified diff of upstream's files against the rendered ones. Above each hunk stand the overlays that made it, with their reasons and where they are declared.",
          .args = ASH_ARGS({ "NAME", "a component", ASH_KIND_COMPONENT, ASH_ARG_MANY }),
          .options = ASH_OPTIONS(ASH_UPSTREAM_OPTIONS, { "exit-code", .doc = "exit with 1 when there is a difference" }), .needs = ASH_NEEDS_CONFIG, .run = ash_component_diff },
        { "fingerprint", "print what a component's build depends on, as one digest",
          .args = ASH_ARGS({ "NAME", "a component", ASH_KIND_COMPONENT, ASH_ARG_MANY }),
          .options = ASH_OPTIONS(ASH_UPSTREAM_OPTIONS, { "record", .doc = "print the whole record, with every input" }), .needs = ASH_NEEDS_CONFIG, .run = ash_component_fingerprint },
        { "why", "say in words why a fingerprint changed, and why a component will be built again",
          "Compares two records of fingerprints, or two directories of rendered components. With the name of a component alone: the record beside what was rendered against what "
          "would be rendered now; and what its last build here was made from (ashlar.built) against what it would be made from now, with where its log, its provenance and its packages are.",
          .args = ASH_ARGS({ "OLD", "a record, a directory of rendered components, or the name of a component", ASH_KIND_FILE },
                           { "NEW", "the same, newer", ASH_KIND_FILE, ASH_ARG_OPTIONAL }),
          .options = ASH_OPTIONS(ASH_UPSTREAM_OPTIONS, ASH_FLOW_OPTIONS, { "output", "DIR", "where components were rendered to", 'o', ASH_KIND_DIR }), .run = ash_component_why },
        { "rebase", "try a component's overlays on a newer upstream",
          "Applies the overlays to upstream's files as they are now and as they are below SPECDIR, and shows each conflict with both sides. The exit status is 1 when there is one.",
          .args = ASH_ARGS({ "NAME", "a component", ASH_KIND_COMPONENT }),
          .options = ASH_OPTIONS({ "onto", "SPECDIR", "a directory with the newer specs (SPECDIR/NAME/NAME.spec)", .kind = ASH_KIND_DIR }, ASH_UPSTREAM_OPTIONS,
                                 { "output", "DIR", "write the new upstream's files with the overlays that apply to DIR", 'o', ASH_KIND_DIR }),
          .needs = ASH_NEEDS_CONFIG, .run = ash_component_rebase },
        { "build", "build a component's packages in a clean root",
          "Renders the component, verifies its sources, solves what its spec requires over the snapshots that ashlar.lock pins, and runs rpmbuild in a sandbox: as an ordinary user, without network, over a fresh "
          "layer. The packages go into the store, and ashlar.built says which they are. What has been built from the same inputs before is not built again.\n\n"
          "Several components are built in the order of 'build plan', as many at once as -j says (default: one for each processor) and memory allows. When one fails, those that need it are skipped, and the others go on.",
          .args = ASH_ARGS({ "NAME", "a component", ASH_KIND_COMPONENT, ASH_ARG_OPTIONAL | ASH_ARG_MANY }),
          .options = ASH_OPTIONS({ "all", .doc = "all components" }, ASH_BUILD_OPTIONS, { "shell", .doc = "open a shell in the build when it fails" }, { "keep", .doc = "copy the build directory to the project's work-dir" },
                                 { "no-lock", .doc = "leave ashlar.lock as it is, whatever is built: the next build without this, or 'ashlar lock', brings it up to date" },
                                 { "requires", .doc = "build nothing: print what the build requires, what it asks for itself (%generate_buildrequires) included" }),
          .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE, .run = ash_component_build },
        { "rebuild", "build a component again, or prove that it can be",
          "Builds although the result is known. The first build counts, its log and its provenance stay, and what this one leaves is kept beside them; when its packages are others, that is said, and the exit status is 5. With --verify: builds a second time, in which everything is otherwise that no package may follow from (--vary), and compares the packages; the exit status is 5 when they "
          "differ, and what differs is said: which package, which file, which tag of the header, and where in it; and where both lie.",
          .args = ASH_ARGS({ "NAME", "a component", ASH_KIND_COMPONENT, ASH_ARG_MANY }), .options = ASH_OPTIONS(ASH_BUILD_OPTIONS, { "verify", .doc = "compare two builds" }, { "replace", .doc = "where this build gives other packages, they count from now on" },
                                 { "vary", "LIST", "what is otherwise in the second build: time, processors, path, host, user, umask, timezone, with commas; -NAME: all but that; none (default: all)" }),
          .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE, .run = ash_component_rebuild },
        {},
};
