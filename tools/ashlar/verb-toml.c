/* toml: the parser for itself. */
#include "cli.h"
#include "io.h"
#include "toml-json.h"

#define VERSION_OPTION { "toml-version", .value = "1.0|1.1", .doc = "version of the language (default: 1.1)" }

/* A file read and parsed; everything of it goes with text_done(). */
typedef struct Text {
        AshBytes bytes;
        AshSource *source;
        AshTomlDoc *doc;
} Text;

static void text_done(Text *t) {
        ash_toml_free(t->doc);
        ash_source_free(t->source);
        ash_bytes_done(&t->bytes);
}

static int read_text(AshCli *cli, const char *path, Text *t) {
        bool is_stdin = strcmp(path, "-") == 0;
        const char *version = ash_cli_option(cli, "toml-version"), *name = is_stdin ? "<stdin>" : path;
        int r = is_stdin ? ash_file_read_fd(STDIN_FILENO, 0, &t->bytes) : ash_file_read(AT_FDCWD, path, 0, &t->bytes);
        if (r < 0)
                return ash_fail_file(cli->diags, r, name, "cannot read the file: %s", ash_strerror(r));
        t->source = ash_source_new(name, ash_bytes_slice(&t->bytes));
        return ash_toml_parse(t->source, version && strcmp(version, "1.0") == 0 ? ASH_TOML_1_0 : ASH_TOML_1_1, &t->doc, cli->diags);
}

static int run_decode(AshCli *cli) {
        _cleanup_(text_done) Text t = {};
        int r = read_text(cli, cli->args[0], &t);
        if (r < 0)
                return r;
        AshJson j = ash_cli_json(cli);
        if (ash_cli_flag(cli, "plain"))
                ash_toml_plain(ash_toml_root(t.doc), &j, NULL);
        else
                ash_toml_tagged(ash_toml_root(t.doc), &j, NULL);
        ash_cli_print(cli, "\n");
        return 0;
}

static int run_check(AshCli *cli) {
        int result = 0;
        for (size_t i = 0; i < cli->n_args; i++) {
                _cleanup_(text_done) Text t = {};
                int r = read_text(cli, cli->args[i], &t);
                if (r < 0)
                        result = 1;
        }
        return result;
}

const AshCliVerb ash_verbs_toml[] = {
        { "decode", "print a TOML file as JSON",
          .doc = "Prints the encoding of toml-test: every scalar as an object with its type and its value as text.",
          .args = ASH_ARGS({ "FILE", "the file; '-' reads standard input", ASH_KIND_FILE }),
          .options = ASH_OPTIONS(VERSION_OPTION,
                                 { "plain", .doc = "plain JSON instead: dates and times as strings, inf and nan as null" }),
          .run = run_decode },
        { "check", "check the syntax of TOML files",
          .doc = "Prints nothing when all files are well formed. Keys and tables defined twice are all reported, of other mistakes the first in each file.",
          .args = ASH_ARGS({ "FILE", "a file to check; '-' reads standard input", ASH_KIND_FILE, ASH_ARG_MANY }), .options = ASH_OPTIONS(VERSION_OPTION), .run = run_check },
        {},
};
