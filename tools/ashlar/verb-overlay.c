/* overlay lint: overlays that should be mended or can go. */
#include "component.h"
#include "json.h"

static int lint_one(AshCli *cli, AshSlice name, const AshRenderOptions *options, AshCliList *list) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _cleanup_(ash_spec_tree_free_p) AshSpecTree *upstream = NULL;
        _cleanup_(ash_source_tree_free_p) AshSourceTree *tree = NULL;
        _cleanup_(ash_lint_findings_done) AshLintFindings findings = {};
        const AshComponent *component;
        int r = ash_config_component(cli->config, name, &component, cli->diags);
        if (r < 0 || component->merged->overlays.n == 0)
                return r;
        r = ash_render_upstream(cli->config, component, options, &upstream, cli->diags);
        if (r >= 0)
                r = ash_render_source_tree(upstream, &tree, cli->diags);
        if (r < 0)
                return r;
        AshOverlayOptions o = ash_render_overlay_options(cli->config, component, upstream->files.items[upstream->spec].path, arena);
        r = ash_overlay_lint(tree, ash_render_without_archives(component->merged, arena), &o, &findings, cli->diags);
        ash_array_foreach(&findings.items, f) {
                _free_ char *place = ash_span_text(f->overlay->at), *title = ash_overlay_title(f->overlay);
                _free_ char *where = f->file ? f->line ? ash_asprintf("%s:%u", f->file, f->line) : ash_strdup(f->file) : NULL;
                const AshSlice cells[] = { component->name.s, ash_slice_str(ash_lint_name(f->kind)), ash_slice_str(title), ash_slice_str(f->text), where ? ash_slice_str(where) : ASH_NOSLICE,
                                           ash_slice_str(place) };
                ash_cli_list_row(list, cells);
        }
        return r < 0 ? r : findings.items.n > 0;
}

static int run_lint(AshCli *cli) {
        static const AshCliColumn columns[] = { { "COMPONENT" }, { "FINDING" }, { "OVERLAY" }, { "WHAT" }, { "UPSTREAM", .optional = true }, { "DECLARED" } };
        AshRenderOptions options = ash_cli_render_options(cli);
        bool available = ash_cli_flag(cli, "available");
        _cleanup_(ash_cli_list_free_p) AshCliList *list = ash_cli_list_new(cli, columns, ASH_N(columns));
        size_t n;
        _free_ AshSlice *names = ash_cli_component_names(cli, &n);
        int found = 0;
        ash_progress_begin(cli->progress, "lint", n, ASH_UNIT_ITEMS);
        for (size_t i = 0; i < n && found >= 0; i++) {
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                AshDiags *all = cli->diags;
                cli->diags = diags;
                int r = lint_one(cli, names[i], &options, list);
                cli->diags = all;
                if (r == -ENOENT && available)
                        r = 0;
                else
                        ash_diags_merge(all, diags);
                found = r < 0 ? r : found | r;
                ash_progress_advance(cli->progress, 1);
        }
        ash_progress_end(cli->progress);
        ash_cli_list_print(list);
        return found < 0 ? ash_cli_upstream_failed(cli, found) : found;
}

const AshCliVerb ash_verbs_overlay[] = {
        { "lint", "find overlays that should be mended or can go",
          "Tries the overlays on upstream's files and reports those without a reason, that fail, change nothing, match in many places, land inside a conditional, or whose change has "
          "arrived upstream. The exit status is 1 when there is something to report.",
          .args = ASH_ARGS({ "NAME", "components to look at (default: all)", ASH_KIND_COMPONENT, ASH_ARG_OPTIONAL | ASH_ARG_MANY }),
          .options = ASH_OPTIONS(ASH_UPSTREAM_OPTIONS, { "available", .doc = "leave out components whose upstream spec is not there" }), .needs = ASH_NEEDS_CONFIG, .run = run_lint },
        {},
};
