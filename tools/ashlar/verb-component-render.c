/* component: render, prepare, diff, fingerprint, why. */
#include <sys/utsname.h>
#include <unistd.h>
#include "built.h"
#include "cli-flow.h"
#include "component.h"
#include "flow-build.h"
#include "flow-built.h"
#include "json.h"

/* ---- render ---- */
static const AshCliColumn render_columns[] = { { "COMPONENT" }, { "STATUS" }, { "FILES", .optional = true } };

static void render_row(AshCliList *list, const AshRenderResult *r) {
        _str_ AshStr files = {};
        for (size_t i = 0; i < r->changed.n; i++)
                ash_str_appendf(&files, "%s%s", i ? " " : "", r->changed.items[i]);
        const AshSlice cells[] = { ash_slice_str(r->component), ash_slice_str(ash_render_status_name(r->status)), files.len ? ash_str_slice(&files) : ASH_NOSLICE };
        ash_cli_list_row(list, cells);
}

static void render_summary(AshCli *cli, const size_t counts[static ASH_RENDER_MAX_]) {
        _str_ AshStr s = {};
        for (int i = 0; i < ASH_RENDER_MAX_; i++)
                if (counts[i])
                        ash_str_appendf(&s, "%s%zu %s", s.len ? ", " : "", counts[i], ash_render_status_name(i));
        if (s.len)
                ash_info(cli->diags, ASH_NOWHERE, "components: %s", s.ptr);
}

int ash_component_render(AshCli *cli) {
        AshRenderOptions options = ash_cli_render_options(cli);
        options.output_dir = ash_cli_option(cli, "output");
        options.check = ash_cli_flag(cli, "check");
        options.prune = ash_cli_flag(cli, "prune");
        options.only_available = ash_cli_flag(cli, "available");
        _render_results_ AshRenderResults results = {};
        _free_ AshSlice *names = cli->n_args ? ash_cli_component_names(cli, &(size_t){ 0 }) : NULL;
        int r = ash_cli_know_built(cli, &options);
        if (r >= 0)
                r = ash_render_components(cli->config, names, cli->n_args, &options, &results, cli->diags);
        size_t counts[ASH_RENDER_MAX_] = {};
        bool drift = false;
        _cleanup_(ash_cli_list_free_p) AshCliList *list = ash_cli_list_new(cli, render_columns, ASH_N(render_columns));
        ash_array_foreach(&results.items, item) {
                counts[item->status]++;
                drift = drift || item->status == ASH_RENDER_ADDED || item->status == ASH_RENDER_CHANGED || (item->status == ASH_RENDER_STALE && options.prune);
                if (cli->verbose || cli->json || (item->status != ASH_RENDER_SAME && item->status != ASH_RENDER_SKIPPED))
                        render_row(list, item);
        }
        ash_cli_list_print(list);
        ash_cli_upstream_failed(cli, r);
        render_summary(cli, counts);
        return r < 0 ? r : options.check && drift;
}

/* ---- prepare ---- */
int ash_component_prepare(AshCli *cli) {
        AshRenderOptions options = ash_cli_render_options(cli);
        const char *dir = ash_cli_option(cli, "output");
        options.sources.script_network = ash_cli_flag(cli, "script-network");
        int r = ash_cli_know_built(cli, &options);
        return r < 0 ? r : ash_cli_upstream_failed(cli, ash_render_prepare(cli->config, ash_slice_str(cli->args[0]), dir ? dir : cli->args[0], &options, cli->diags));
}

/* ---- diff ---- */
static AshSlice step_reason(const AshRenderStep *step) {
        if (!step->overlay)
                return ash_slice_str(step->what);
        AshText d = step->overlay->description;
        return ash_text_set(d) && d.s.len ? d.s : ASH_S("no reason given");
}

static bool step_in_hunk(const AshFileDiff *f, const AshHunk *h, size_t step) {
        for (size_t c = h->change; c < h->change + h->n_changes; c++)
                if (ash_diff_step_in(f, c, step))
                        return true;
        return false;
}

static void diff_steps_text(AshCli *cli, const AshComponentDiff *d, const AshFileDiff *f, const AshHunk *h) {
        const char *tint = ash_cli_tint(cli, ASH_TINT_YELLOW), *off = ash_cli_tint(cli, ASH_TINT_OFF);
        for (size_t s = 0; s < d->steps.n; s++) {
                const AshRenderStep *step = &d->steps.items[s];
                if (!step_in_hunk(f, h, s))
                        continue;
                if (step->overlay) {
                        _free_ char *title = ash_overlay_title(step->overlay), *place = ash_span_text(step->overlay->at);
                        ash_cli_printf(cli, "%s# %s: %.*s (%s)%s\n", tint, title, ASH_F(step_reason(step)), place, off);
                } else
                        ash_cli_printf(cli, "%s# %s%s\n", tint, step->what, off);
        }
}

static void diff_text(AshCli *cli, const AshComponentDiff *d) {
        const char *name = d->rendered->component->name.s.ptr;
        for (size_t i = 0; i < d->files.n; i++) {
                const AshFileDiff *f = &d->files.items[i];
                _str_ AshStr out = {};
                ash_str_appendf(&out, "%s--- ", ash_cli_tint(cli, ASH_TINT_BOLD));
                ash_str_appendf(&out, f->before.ptr ? "upstream/%s/%s\n+++ " : "/dev/null\n+++ ", name, f->name);
                ash_str_appendf(&out, f->after.ptr ? "rendered/%s/%s\n" : "/dev/null\n", name, f->name);
                ash_str_append_str(&out, ash_cli_tint(cli, ASH_TINT_OFF));
                ash_cli_write(cli, ash_str_slice(&out));
                for (size_t k = 0; k < f->hunks.items.n; k++) {
                        const AshHunk *h = &f->hunks.items.items[k];
                        ash_str_clear(&out);
                        diff_steps_text(cli, d, f, h);
                        ash_str_append_str(&out, ash_cli_tint(cli, ASH_TINT_CYAN));
                        ash_hunk_header(h, &out);
                        ash_str_appendf(&out, "%s\n", ash_cli_tint(cli, ASH_TINT_OFF));
                        ash_hunk_format(&f->diff, h, cli->color, &out);
                        ash_cli_write(cli, ash_str_slice(&out));
                }
        }
}

static void diff_json_hunk(AshJson *j, const AshComponentDiff *d, const AshFileDiff *f, const AshHunk *h) {
        _str_ AshStr text = {};
        ash_hunk_header(h, &text);
        ash_str_append_char(&text, '\n');
        ash_hunk_format(&f->diff, h, false, &text);
        ash_json_begin(j, NULL, '{');
        ash_json_begin(j, "by", '[');
        for (size_t s = 0; s < d->steps.n; s++) {
                const AshRenderStep *step = &d->steps.items[s];
                if (!step_in_hunk(f, h, s))
                        continue;
                ash_json_begin(j, NULL, '{');
                if (step->overlay) {
                        _free_ char *place = ash_span_text(step->overlay->at);
                        ash_json_str(j, "overlay", ash_overlay_type_name(step->overlay->type));
                        ash_json_text(j, "reason", step->overlay->description.s);
                        ash_json_str(j, "declared", place);
                } else
                        ash_json_str(j, "step", step->what);
                ash_json_end(j, '}');
        }
        ash_json_end(j, ']');
        ash_json_text(j, "text", ash_str_slice(&text));
        ash_json_end(j, '}');
}

static void diff_json(AshJson *j, const AshComponentDiff *d) {
        ash_json_begin(j, NULL, '{');
        ash_json_text(j, "component", d->rendered->component->name.s);
        ash_json_str(j, "upstream", d->rendered->upstream->origin);
        if (d->rendered->upstream->commit)
                ash_json_str(j, "commit", d->rendered->upstream->commit);
        ash_json_begin(j, "files", '[');
        for (size_t i = 0; i < d->files.n; i++) {
                const AshFileDiff *f = &d->files.items[i];
                ash_json_begin(j, NULL, '{');
                ash_json_str(j, "file", f->name);
                ash_json_str(j, "change", !f->before.ptr ? "added" : !f->after.ptr ? "removed" : "changed");
                ash_json_begin(j, "hunks", '[');
                for (size_t k = 0; k < f->hunks.items.n; k++)
                        diff_json_hunk(j, d, f, &f->hunks.items.items[k]);
                ash_json_end(j, ']');
                ash_json_end(j, '}');
        }
        ash_json_end(j, ']');
        ash_json_end(j, '}');
}

int ash_component_diff(AshCli *cli) {
        AshRenderOptions options = ash_cli_render_options(cli);
        AshJson j = ash_cli_json(cli);
        bool any = false;
        int r = ash_cli_know_built(cli, &options);
        if (cli->json)
                ash_json_begin(&j, NULL, '[');
        for (size_t i = 0; i < cli->n_args && r >= 0; i++) {
                _cleanup_(ash_component_diff_free_p) AshComponentDiff *d = NULL;
                r = ash_render_diff(cli->config, ash_slice_str(cli->args[i]), &options, &d, cli->diags);
                if (r < 0)
                        break;
                any = any || d->files.n;
                if (cli->json)
                        diff_json(&j, d);
                else
                        diff_text(cli, d);
        }
        if (cli->json) {
                ash_json_end(&j, ']');
                ash_cli_print(cli, "\n");
        }
        return r < 0 ? ash_cli_upstream_failed(cli, r) : ash_cli_flag(cli, "exit-code") && any;
}

/* ---- fingerprint, why ---- */
int ash_component_fingerprint(AshCli *cli) {
        AshRenderOptions options = ash_cli_render_options(cli);
        static const AshCliColumn columns[] = { { "COMPONENT" }, { "FINGERPRINT" } };
        _cleanup_(ash_cli_list_free_p) AshCliList *list = ash_cli_list_new(cli, columns, ASH_N(columns));
        for (size_t i = 0; i < cli->n_args; i++) {
                _cleanup_(ash_rendered_free_p) AshRendered *rendered = NULL;
                int r = ash_render(cli->config, ash_slice_str(cli->args[i]), &options, &rendered, cli->diags);
                if (r < 0)
                        return ash_cli_upstream_failed(cli, r);
                if (ash_cli_flag(cli, "record")) {
                        _str_ AshStr text = {};
                        ash_fingerprint_format(rendered->fingerprint, &text);
                        ash_cli_write(cli, ash_str_slice(&text));
                } else
                        ash_cli_list_row(list, (const AshSlice[]){ rendered->component->name.s, ash_slice_str(rendered->fingerprint->text) });
        }
        if (!ash_cli_flag(cli, "record"))
                ash_cli_list_print(list);
        return 0;
}

static int read_record(const char *path, AshFingerprint **ret, AshDiags *diags) {
        _bytes_ AshBytes bytes = {};
        int r = ash_file_read(AT_FDCWD, path, 64u << 20, &bytes);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "%s: %s", path, ash_strerror(r));
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new(path, ash_bytes_slice(&bytes));
        return ash_fingerprint_parse(source, ret, diags);
}

typedef struct Why {
        AshCli *cli;
        AshJson json;
        bool differs;
} Why;

static void why_pair(Why *w, const AshFingerprint *old, const AshFingerprint *new) {
        const AshFingerprint *any = new ? new : old;
        _reasons_ AshReasons reasons = {};
        if (old && new)
                ash_fingerprint_why(old, new, &reasons);
        else
                ash_array_push(&reasons.items, ash_strdup(new ? "there was no such component before" : "the component is gone"));
        w->differs = w->differs || reasons.items.n;
        if (w->cli->json) {
                ash_json_begin(&w->json, NULL, '{');
                ash_json_text(&w->json, "component", any->component);
                ash_json_str(&w->json, "old", old ? old->text : NULL);
                ash_json_str(&w->json, "new", new ? new->text : NULL);
                ash_json_begin(&w->json, "reasons", '[');
                ash_array_foreach(&reasons.items, s)
                        ash_json_str(&w->json, NULL, *s);
                ash_json_end(&w->json, ']');
                ash_json_end(&w->json, '}');
        } else
                ash_array_foreach(&reasons.items, s)
                        ash_cli_printf(w->cli, "%.*s: %s\n", ASH_F(any->component), *s);
}

static int why_files(Why *w, const char *old_path, const char *new_path) {
        _cleanup_(ash_fingerprint_free_p) AshFingerprint *old = NULL, *new = NULL;
        int r = old_path ? read_record(old_path, &old, w->cli->diags) : 0;
        if (r >= 0 && new_path)
                r = read_record(new_path, &new, w->cli->diags);
        if (r >= 0)
                why_pair(w, old, new);
        return r;
}

/* The directory of records: what was rendered has it as .fingerprints; or it is one itself. */
static char *records_of(const char *dir) {
        char *below = ash_path_join(dir, ".fingerprints");
        if (access(below, F_OK) == 0)
                return below;
        free(below);
        return ash_strdup(dir);
}

static int why_dirs(Why *w, const char *old_dir, const char *new_dir) {
        _free_ char *a_dir = records_of(old_dir), *b_dir = records_of(new_dir);
        _paths_ AshPaths a = {}, b = {};
        _close_ int a_fd = open(a_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), b_fd = open(b_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r = a_fd < 0 || b_fd < 0 ? -errno : ash_glob_files(a_fd, "*.toml", false, &a);
        if (r >= 0)
                r = ash_glob_files(b_fd, "*.toml", false, &b);
        if (r < 0)
                return ash_fail(w->cli->diags, r, ASH_NOWHERE, "%s: %s", a_fd < 0 ? a_dir : b_dir, ash_strerror(r));
        size_t i = 0, k = 0;
        while (r >= 0 && (i < a.paths.n || k < b.paths.n)) {
                const char *x = i < a.paths.n ? a.paths.items[i] : NULL, *y = k < b.paths.n ? b.paths.items[k] : NULL;
                int c = !x ? 1 : !y ? -1 : strcmp(x, y);
                _free_ char *old_path = c <= 0 ? ash_path_join(a_dir, x) : NULL, *new_path = c >= 0 ? ash_path_join(b_dir, y) : NULL;
                r = why_files(w, old_path, new_path);
                i += c <= 0;
                k += c >= 0;
        }
        return r;
}

/* ---- one name: what would be rendered now, and whether its packages would be built again ---- */
static void blob_path(const Why *w, AshSlice hex, AshStr *out) {
        char path[ASH_BLOB_PATH_MAX];
        AshId id;
        if (ash_id_parse(hex, &id) < 0)
                return;
        ash_store_blob_path(&id, path);
        ash_str_appendf(out, "%s/%s", ash_store_path(w->cli->store), path);
}

static void json_path(Why *w, const char *key, AshSlice hex) {
        _str_ AshStr path = {};
        blob_path(w, hex, &path);
        ash_json_text(&w->json, key, ash_str_slice(&path));
}

static void json_build(Why *w, const AshFlowBuildWhy *b) {
        const AshBuiltComponent *c = b->component;
        ash_json_begin(&w->json, NULL, '{');
        ash_json_text(&w->json, "component", c->name);
        ash_json_text(&w->json, "arch", c->arch);
        ash_json_text(&w->json, "built-key", c->key);
        ash_json_text(&w->json, "key", b->key);
        ash_json_bool(&w->json, "known", b->same);
        ash_json_bool(&w->json, "checked", b->checked);
        json_path(w, "log-file", c->log);
        json_path(w, "provenance-file", c->provenance);
        ash_json_begin(&w->json, "packages", '[');
        for (size_t i = 0; i < c->n_packages; i++) {
                ash_json_begin(&w->json, NULL, '{');
                ash_json_text(&w->json, "nevra", c->packages[i].nevra);
                ash_json_str(&w->json, "kind", ash_built_kind_name(c->packages[i].kind));
                json_path(w, "file", c->packages[i].sha256);
                ash_json_end(&w->json, '}');
        }
        ash_json_end(&w->json, ']');
        ash_json_begin(&w->json, "unverified", '[');
        for (size_t i = 0; i < b->n_unverified; i++)
                ash_json_text(&w->json, NULL, b->unverified[i]);
        ash_json_end(&w->json, ']');
        ash_json_begin(&w->json, "rebuilds", '[');
        for (size_t i = 0; i < b->n_others; i++) {
                ash_json_begin(&w->json, NULL, '{');
                ash_json_bool(&w->json, "same", ash_flow_other_is_same(&b->others[i], c));
                json_path(w, "log-file", b->others[i].log);
                json_path(w, "provenance-file", b->others[i].record);
                ash_json_end(&w->json, '}');
        }
        ash_json_end(&w->json, ']');
        ash_json_begin(&w->json, "reasons", '[');
        ash_array_foreach(&b->reasons, r)
                ash_json_str(&w->json, NULL, *r);
        ash_json_end(&w->json, ']');
        ash_json_end(&w->json, '}');
}

static void text_other(Why *w, AshSlice name, const AshFlowOther *o, bool same) {
        _str_ AshStr log = {}, record = {};
        blob_path(w, o->log, &log);
        blob_path(w, o->record, &record);
        ash_cli_printf(w->cli, "%.*s: another build of the same gave %s packages: log %s, provenance %s\n", ASH_F(name), same ? "the same" : "other", log.ptr, record.ptr);
}

static void text_build(Why *w, const AshFlowBuildWhy *b) {
        const AshBuiltComponent *c = b->component;
        _str_ AshStr log = {}, record = {};
        blob_path(w, c->log, &log);
        blob_path(w, c->provenance, &record);
        if (b->same)
                ash_cli_printf(w->cli, "%.*s: is built: nothing that its packages follow from has changed\n", ASH_F(c->name));
        ash_array_foreach(&b->reasons, r)
                ash_cli_printf(w->cli, "%.*s: will be built again: %s\n", ASH_F(c->name), *r);
        if (!b->checked)
                ash_cli_printf(w->cli, "%.*s: was built without its tests (--no-check)\n", ASH_F(c->name));
        for (size_t i = 0; i < b->n_unverified; i++)
                ash_cli_printf(w->cli, "%.*s: was built without '%.*s', which could not be had: what it signs was checked by its digest alone\n", ASH_F(c->name), ASH_F(b->unverified[i]));
        ash_cli_printf(w->cli, "%.*s: the last build: log %s, provenance %s\n", ASH_F(c->name), log.ptr, record.ptr);
        for (size_t i = 0; i < c->n_packages; i++) {
                _str_ AshStr path = {};
                blob_path(w, c->packages[i].sha256, &path);
                ash_cli_printf(w->cli, "%.*s: the last build: %s package %.*s %s\n", ASH_F(c->name), ash_built_kind_name(c->packages[i].kind), ASH_F(c->packages[i].nevra), path.ptr);
        }
        for (size_t i = 0; i < b->n_others; i++)
                text_other(w, c->name, &b->others[i], ash_flow_other_is_same(&b->others[i], c));
}

/* 1: it was built; 0: never. */
static int why_build(Why *w, AshSlice name) {
        AshCli *cli = w->cli;
        struct utsname machine;
        uname(&machine);
        _cleanup_(ash_flow_builder_free_p) AshFlowBuilder *builder = NULL;
        _cleanup_(ash_flow_build_why_free_p) AshFlowBuildWhy *why = NULL;
        _free_ char *lock = ash_cli_lock_path(cli), *output = ash_cli_output_dir(cli);
        AshFlow flow = ash_cli_flow(cli);
        AshFlowBuildOptions options = { .lock_path = lock, .output_dir = output, .render = ash_cli_render_options(cli) };
        int r = ash_flow_builder_new(&flow, lock, ash_slice_str(machine.machine), &builder);
        if (r >= 0)
                r = ash_flow_build_why(builder, name, &options, &why);
        if (r < 0 || !why->component)
                return ash_cli_upstream_failed(cli, r);
        w->differs = true; /* something was said */
        if (cli->json)
                json_build(w, why);
        else
                text_build(w, why);
        return 1;
}

/* What the saved record says against what would be rendered now. -ENOENT: there is none. */
static int why_rendered(Why *w, AshSlice name) {
        AshCli *cli = w->cli;
        AshRenderOptions options = ash_cli_render_options(cli);
        options.output_dir = ash_cli_option(cli, "output");
        _cleanup_(ash_rendered_free_p) AshRendered *now = NULL;
        _cleanup_(ash_fingerprint_free_p) AshFingerprint *old = NULL;
        int r = ash_render(cli->config, name, &options, &now, cli->diags);
        if (r < 0)
                return ash_cli_upstream_failed(cli, r);
        _free_ char *dir = ash_render_output_dir(cli->config, &options), *path = ash_asprintf("%s/.fingerprints/%.*s.toml", dir, ASH_F(name));
        r = access(path, F_OK) < 0 ? -errno : read_record(path, &old, cli->diags);
        if (r >= 0)
                why_pair(w, old, now->fingerprint);
        return r;
}

/* 1 or 0; else why ashlar.built cannot be read. */
static int was_built(AshCli *cli, AshSlice name) {
        _cleanup_(ash_built_free_p) AshBuilt *built = NULL;
        _free_ char *path = ash_flow_built_path(cli->config);
        int r = ash_built_read(path, &built, cli->diags);
        if (r < 0)
                return r;
        ash_array_foreach(&built->components, c)
                if (ash_slice_eq(c->name, name))
                        return 1;
        return 0;
}

static int why_now(Why *w, const char *name) {
        AshCli *cli = w->cli;
        AshSlice component = ash_slice_str(name);
        const AshComponent *known;
        int r = ash_cli_provide(cli, ASH_NEEDS_CONFIG);
        if (r >= 0)
                r = ash_config_component(cli->config, component, &known, cli->diags);
        if (r < 0)
                return r;
        int built = was_built(cli, component);
        if (built < 0)
                return built;
        int rendered = why_rendered(w, component);
        r = rendered == -ENOENT && built ? 0 : rendered;
        if (rendered == -ENOENT && !built) {
                r = ash_fail(cli->diags, -ENOENT, known->name.at, "'%s' was never built here, and never rendered: there is nothing to compare it with", name);
                ash_hint(cli->diags, "'ashlar component render %s' or 'ashlar component build %s' leaves a record", name, name);
        }
        if (r >= 0 && built)
                r = ash_cli_provide(cli, ASH_NEEDS_STORE);
        if (r >= 0 && built)
                r = why_build(w, component);
        else if (r >= 0)
                ash_info(cli->diags, ASH_NOWHERE, "'%s' was never built here", name);
        return r < 0 ? r : 0;
}

static bool is_directory(const char *path) {
        struct stat st;
        return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int ash_component_why(AshCli *cli) {
        Why w = { .cli = cli, .json = ash_cli_json(cli) };
        int r;
        if (cli->json)
                ash_json_begin(&w.json, NULL, '[');
        if (cli->n_args == 1)
                r = why_now(&w, cli->args[0]);
        else if (is_directory(cli->args[0]) && is_directory(cli->args[1]))
                r = why_dirs(&w, cli->args[0], cli->args[1]);
        else
                r = why_files(&w, cli->args[0], cli->args[1]);
        if (r == -ENOENT && cli->n_args == 2 && !strpbrk(cli->args[0], "/."))
                ash_hint(cli->diags, "two arguments are records, or directories of rendered components; components are explained one at a time: ashlar component why %s", cli->args[0]);
        if (cli->json) {
                ash_json_end(&w.json, ']');
                ash_cli_print(cli, "\n");
        } else if (r >= 0 && !w.differs)
                ash_info(cli->diags, ASH_NOWHERE, "the fingerprints are the same: nothing that they are made of changed");
        return r;
}
