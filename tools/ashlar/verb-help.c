/* help: the tables as text, man page and completion. */
#include "cli.h"

static int unknown(AshCli *cli, const char *what, const char *nearest) {
        ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "there is no command '%s'", what);
        if (nearest)
                ash_hint(cli->diags, "did you mean '%s'?", nearest);
        return -ASH_ERR_USAGE;
}

static int run_help(AshCli *cli) {
        _str_ AshStr out = {};
        const char *shell = ash_cli_option(cli, "completion");
        int r = 0;
        if (ash_cli_flag(cli, "man"))
                ash_cli_man(&out);
        else if (shell)
                r = ash_cli_completion(shell, &out);
        else if (cli->n_args == 0)
                ash_cli_help_program(cli, &out);
        else {
                AshSlice word = ash_slice_str(cli->args[0]);
                const AshCliNoun *noun = ash_cli_noun(word);
                if (!noun)
                        return unknown(cli, cli->args[0], ash_cli_nearest_noun(word));
                AshSlice second = ash_slice_str(cli->n_args > 1 ? cli->args[1] : "");
                const AshCliVerb *verb = ash_cli_verb(noun, second);
                if (!verb && cli->n_args > 1)
                        return unknown(cli, cli->args[1], ash_cli_nearest_verb(noun, second));
                if (verb)
                        ash_cli_help_verb(noun, verb, &out);
                else
                        ash_cli_help_noun(noun, &out);
        }
        ash_cli_write(cli, ash_str_slice(&out));
        return r;
}

const AshCliVerb ash_verbs_help[] = {
        { "", "show how to use a command",
          .args = ASH_ARGS({ "NOUN", "what the command is about", .flags = ASH_ARG_OPTIONAL }, { "VERB", "what it does", .flags = ASH_ARG_OPTIONAL }),
          .options = ASH_OPTIONS({ "completion", "bash|zsh|fish", "print the completion script for a shell" }, { "man", .doc = "print the man page", .hidden = true }),
          .run = run_help },
        {},
};
