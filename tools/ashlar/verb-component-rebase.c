/* component rebase. */
#include "component.h"
#include "json.h"

static void print_side(AshCli *cli, const char *label, uint32_t line, const char *tint, char sign, const AshStr *text) {
        AshSlice rest = ash_str_slice(text), one;
        ash_cli_printf(cli, line ? "  %s, line %u:\n" : "  %s:\n", label, line);
        if (text->len == 0)
                ash_cli_print(cli, "    (nothing)\n");
        while (ash_slice_next_line(&rest, &one))
                ash_cli_printf(cli, "    %s%c%.*s%s\n", tint, sign, ASH_F(one), *tint ? ash_cli_tint(cli, ASH_TINT_OFF) : "");
}

static void print_conflict(AshCli *cli, AshJson *j, const AshConflict *c) {
        _free_ char *title = ash_overlay_title(c->overlay), *place = ash_span_text(c->overlay->at);
        if (cli->json) {
                ash_json_begin(j, NULL, '{');
                ash_json_str(j, "overlay", title);
                ash_json_str(j, "declared", place);
                ash_json_text(j, "reason", c->overlay->description.s);
                ash_json_str(j, "conflict", c->text);
                ash_json_str(j, "file", c->file);
                ash_json_int(j, "old-line", c->old_line);
                ash_json_text(j, "old", ash_str_slice(&c->old_text));
                ash_json_int(j, "new-line", c->new_line);
                ash_json_text(j, "new", ash_str_slice(&c->new_text));
                ash_json_end(j, '}');
                return;
        }
        ash_cli_printf(cli, "%s%s%s (%s)\n  %s\n", ash_cli_tint(cli, ASH_TINT_BOLD), title, ash_cli_tint(cli, ASH_TINT_OFF), place, c->text);
        if (c->overlay->description.s.len)
                ash_cli_printf(cli, "  reason: %.*s\n", ASH_F(c->overlay->description.s));
        _free_ char *old = ash_asprintf("old upstream%s%s", c->file ? " " : "", c->file ? c->file : ""), *new = ash_asprintf("new upstream%s%s", c->file ? " " : "", c->file ? c->file : "");
        print_side(cli, old, c->old_line, ash_cli_tint(cli, ASH_TINT_RED), '-', &c->old_text);
        print_side(cli, new, c->new_line, ash_cli_tint(cli, ASH_TINT_GREEN), '+', &c->new_text);
}

static int write_rebased(AshCli *cli, AshSourceTree *tree, const char *dir) {
        int r = ash_mkdir_all(AT_FDCWD, dir, 0755);
        for (size_t i = 0; r >= 0 && i < ash_source_tree_n(tree); i++) {
                const AshSourceTreeFile *f = ash_source_tree_at(tree, i);
                _free_ char *path = ash_path_join(dir, f->name);
                AshSlice text;
                if (S_ISLNK(f->mode) || strchr(f->name, '/'))
                        continue;
                r = ash_source_tree_read(tree, f->name, &text, cli->diags);
                if (r >= 0)
                        r = ash_file_update(AT_FDCWD, path, text, f->mode & 0111 ? 0755 : 0644, false);
        }
        return r < 0 ? ash_fail(cli->diags, r, ASH_NOWHERE, "writing %s: %s", dir, ash_strerror(r)) : 0;
}

/* The component's upstream in that directory, even when the spec in use is a local one. */
static int upstream_in(AshCli *cli, const AshComponent *component, const AshRenderOptions *options, AshSpecTree **ret) {
        AshComponentConfig config = *component->merged;
        AshComponent there = *component;
        config.spec.type = (AshText){ .s = ASH_S("upstream"), .at = config.spec.type.at };
        there.merged = &config;
        return ash_render_upstream(cli->config, &there, options, ret, cli->diags);
}

int ash_component_rebase(AshCli *cli) {
        AshRenderOptions options = ash_cli_render_options(cli), onto_options = options;
        const AshComponent *component = NULL;
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _cleanup_(ash_spec_tree_free_p) AshSpecTree *old = NULL, *new = NULL;
        _cleanup_(ash_source_tree_free_p) AshSourceTree *old_tree = NULL, *new_tree = NULL;
        onto_options.spec_dir = ash_cli_option(cli, "onto");
        if (!onto_options.spec_dir) {
                ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--onto SPECDIR is missing");
                return -ASH_ERR_USAGE;
        }
        int r = ash_config_component(cli->config, ash_slice_str(cli->args[0]), &component, cli->diags);
        if (r >= 0)
                r = ash_cli_upstream_failed(cli, ash_render_upstream(cli->config, component, &options, &old, cli->diags));
        if (r >= 0)
                r = upstream_in(cli, component, &onto_options, &new);
        if (r >= 0)
                r = ash_render_source_tree(old, &old_tree, cli->diags);
        if (r >= 0)
                r = ash_render_source_tree(new, &new_tree, cli->diags);
        if (r < 0)
                return r;
        AshRebase rebase = {};
        AshOverlayOptions a = ash_render_overlay_options(cli->config, component, old->files.items[old->spec].path, arena);
        AshOverlayOptions b = ash_render_overlay_options(cli->config, component, new->files.items[new->spec].path, arena);
        r = ash_overlay_rebase(old_tree, new_tree, ash_render_without_archives(component->merged, arena), &a, &b, &rebase, cli->diags);
        if (r >= 0) {
                AshJson j = ash_cli_json(cli);
                if (cli->json) {
                        ash_json_begin(&j, NULL, '{');
                        ash_json_text(&j, "component", component->name.s);
                        ash_json_uint(&j, "applied", rebase.applied);
                        ash_json_uint(&j, "moved", rebase.moved);
                        ash_json_begin(&j, "conflicts", '[');
                }
                ash_array_foreach(&rebase.conflicts, c)
                        print_conflict(cli, &j, c);
                if (cli->json) {
                        ash_json_end(&j, ']');
                        ash_json_end(&j, '}');
                        ash_cli_print(cli, "\n");
                } else
                        ash_cli_printf(cli, "%zu applied (%zu of them elsewhere than before), %zu in conflict\n", rebase.applied, rebase.moved, rebase.conflicts.n);
                const char *output = ash_cli_option(cli, "output");
                int w = output ? write_rebased(cli, new_tree, output) : 0;
                r = w < 0 ? w : rebase.conflicts.n > 0;
        }
        ash_rebase_done(&rebase);
        return r;
}
