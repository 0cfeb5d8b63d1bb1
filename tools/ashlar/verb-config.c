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

static int print(AshCli *cli, int r, const AshStr *out) {
        if (r >= 0)
                ash_cli_write(cli, ash_str_slice(out));
        return done(cli, r);
}


static int run_dump(AshCli *cli) {
        _str_ AshStr out = {};
        int r = load(cli, ASH_CONFIG_DEFAULT);
        if (r < 0)
                return r;
        const char *format = ash_cli_option(cli, "format");
        bool json = format ? strcmp(format, "json") == 0 : cli->json;
        r = ash_config_dump(cli->config, json ? ASH_CONFIG_JSON : ASH_CONFIG_TOML, ash_cli_flag(cli, "resolved"), &out, cli->diags);
        return print(cli, r, &out);
}

static int run_explain(AshCli *cli) {
        _str_ AshStr out = {};
        int r = load(cli, ASH_CONFIG_DEFAULT);
        if (r < 0)
                return r;
        r = ash_config_explain(cli->config, cli->args[0], cli->json ? ASH_CONFIG_JSON : ASH_CONFIG_TOML, &out, cli->diags);
        return print(cli, r, &out);
}

static int run_schema(AshCli *cli) {
        _str_ AshStr out = {};
        if (ash_cli_flag(cli, "reference"))
                ash_config_reference(&out);
        else
                ash_config_json_schema(&out);
        return print(cli, 0, &out);
}

#define CONFIG_FILE { "config-file", .value = "FILE", .doc = "a further file, which overrides the project's", .kind = ASH_KIND_FILE, .many = true }

const AshCliVerb ash_verbs_config[] = {
        { "check", "report every mistake in the configuration",
          .doc = "Loads the whole project with all overlay files and reports all mistakes of it, each with its place, and how to mend it. Exit status 3 when there is one. With -v it also warns of "
                 "keys that are accepted but old.",
          .options = ASH_OPTIONS(CONFIG_FILE), .run = run_check },
        { "dump", "print the whole project as one file",
          .doc = "Prints what all files of the project say together, with paths relative to the project's directory; loaded again, the output makes an equal project.",
          .options = ASH_OPTIONS({ "format", .value = "toml|json", .doc = "the output's format (default: toml, or json with --json)" },
                                 { "resolved", .doc = "give each component and image all that it inherits, and leave out what it inherits from" }, CONFIG_FILE),
          .run = run_dump },
        { "explain", "say where a value comes from",
          .doc = "For a key and all that is below it: its value, the file and line that set each part of it, by which step of inheritance, and what it overrode. Parts of a key that hold dots are quoted, as "
                 "in TOML: distros.azurelinux.versions.\"4.0\".",
          .args = ASH_ARGS({ "KEY", "a dotted key, as components.bash.build.without" }), .options = ASH_OPTIONS(CONFIG_FILE), .run = run_explain },
        { "schema", "print the JSON Schema of the configuration",
          .doc = "JSON Schema 2020-12, for editors and validators. The TOML files are what it describes, converted to JSON.",
          .options = ASH_OPTIONS({ "reference", .doc = "print the reference page (Markdown) instead" }), .run = run_schema },
        {},
};
