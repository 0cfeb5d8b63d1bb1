/* config: check, dump, explain and schema of a project's configuration. */
#include "cli.h"
#include "config.h"

static int load(AshCli *cli, AshConfigFlags flags) {
        _free_ char *found = NULL;
        ASH_ARRAY(const char *) extra = {};
        const char *file;
        for (size_t i = 0; (file = ash_cli_option_nth(cli, "config-file", i)); i++)
                ash_array_push(&extra, file);
        int r = cli->dir ? 0 : ash_config_find(&found, cli->diags);
        if (r >= 0)
                r = ash_config_load_files(cli->dir ? cli->dir : found, extra.items, extra.n, flags, &cli->config, cli->diags);
        ash_array_done(&extra);
        return r;
}

static int done(AshCli *cli, int r) {
        ash_config_free(cli->config);
        cli->config = NULL;
        return r;
}

static int count_overlay(void *context, const AshOverlay *overlay, AshDiags *diags) {
        (void) overlay;
        (void) diags;
        ++*(size_t *) context;
        return 0;
}

static int run_check(AshCli *cli) {
        int r = load(cli, ASH_CONFIG_LINT | (cli->verbose ? ASH_CONFIG_WARN_OLD : 0));
        if (r < 0)
                return r;
        size_t overlays = 0;
        ash_config_each_overlay(cli->config, count_overlay, &overlays, NULL);
        size_t components = ash_config_n_components(cli->config), images = ash_config_project(cli->config)->images.n;
        if (cli->json) {
                AshJson j = ash_cli_json(cli);
                ash_json_begin(&j, NULL, '{');
                ash_json_uint(&j, "components", components);
                ash_json_uint(&j, "overlays", overlays);
                ash_json_uint(&j, "images", images);
                ash_json_end(&j, '}');
                ash_cli_print(cli, "\n");
        } else if (!cli->quiet)
                ash_cli_printf(cli, "no mistakes: %zu component%s, %zu overlay%s, %zu image%s\n", components, components == 1 ? "" : "s", overlays, overlays == 1 ? "" : "s", images,
                        images == 1 ? "" : "s");
        return done(cli, 0);
}

#define CONFIG_FILE { "config-file", .value = "FILE", .doc = "a further file, which overrides the project's", .kind = ASH_KIND_FILE, .many = true }

const AshCliVerb ash_verbs_config[] = {
        { "check", "report every mistake in the configuration",
          .doc = "Loads the whole project with all overlay files and reports all mistakes of it, each with its place, and how to mend it. Exit status 3 when there is one. With -v it also warns of "
                 "keys that are accepted but old.",
          .options = ASH_OPTIONS(CONFIG_FILE), .run = run_check },
        {},
};
