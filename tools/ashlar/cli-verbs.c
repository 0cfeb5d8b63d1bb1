/* The nouns of the command line, in the order in which help shows them. */
#include "cli.h"

const AshCliNoun ash_cli_nouns[] = {
        { "toml", "read and check TOML files", ash_verbs_toml },
        { "help", "show how to use ashlar", ash_verbs_help },
        {},
};
