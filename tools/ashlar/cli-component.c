#include "component.h"
#include "flow-built.h"
#include "flow-source.h"

AshRenderOptions ash_cli_render_options(AshCli *cli) {
        if (!cli->sources && cli->config) /* a verb that loads its own project fetches no sources */
                cli->sources = ash_flow_sources_new(cli->config, ash_cli_takes(cli, "apt-mirror") ? ash_cli_option(cli, "apt-mirror") : NULL, cli->progress);
        return (AshRenderOptions){
                .spec_dir = ash_cli_option(cli, "specs"),
                .jobs = cli->jobs,
                .progress = cli->progress,
                .sources = { .cache_dir = cli->store_dir, .offline = ash_cli_flag(cli, "offline"), .allow_local = true, .finder = cli->sources ? ash_flow_sources_finder(cli->sources) : NULL },
        };
}

int ash_cli_know_built(AshCli *cli, AshRenderOptions *options) {
        _free_ char *path = ash_flow_built_path(cli->config);
        int r = cli->built ? 0 : ash_built_read(path, &cli->built, cli->diags);
        options->built = cli->built;
        return r;
}

AshSlice *ash_cli_component_names(AshCli *cli, size_t *ret_n) {
        size_t n = cli->n_args ? cli->n_args : ash_config_n_components(cli->config);
        AshSlice *names = ash_calloc(n + 1, sizeof *names);
        for (size_t i = 0; i < n; i++)
                names[i] = cli->n_args ? ash_slice_str(cli->args[i]) : ash_config_component_at(cli->config, i)->name.s;
        *ret_n = n;
        return names;
}

int ash_cli_upstream_failed(AshCli *cli, int r) {
        if (r == -ASH_ERR_AGAIN && !ash_cli_option(cli, "specs"))
                ash_hint(cli->diags, "where upstream's specs are at hand in a directory: --specs DIR (with DIR/NAME/NAME.spec)");
        return r;
}

char *ash_overlay_title(const AshOverlay *o) {
        const AshText *aims[] = { &o->tag, &o->file, &o->section, &o->package, &o->regex, &o->source };
        const char *type = ash_overlay_type_name(o->type);
        if (ash_text_set(o->archive))
                return ash_asprintf("%s %.*s in %.*s", type, ASH_F(o->file.s), ASH_F(o->archive.s));
        for (size_t i = 0; i < ASH_N(aims); i++)
                if (ash_text_set(*aims[i]) && aims[i]->s.len)
                        return ash_asprintf("%s %.*s", type, ASH_F(aims[i]->s));
        return ash_strdup(type);
}

char *ash_span_text(AshSpan at) {
        if (!at.source)
                return ash_strdup("");
        return ash_asprintf("%s:%u", at.source->name, ash_span_place(at).line);
}
