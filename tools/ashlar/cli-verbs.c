/* The nouns of the command line, in the order in which help shows them. */
#include "cli.h"

const AshCliNoun ash_cli_nouns[] = {
        { "config", "check, print and explain a project's configuration", ash_verbs_config },
        { "lock", "record every input of a build by its digest", ash_verbs_lock },
        { "repo", "publish, check and query RPM repositories", ash_verbs_repo },
        { "package", "look at and sign single packages", ash_verbs_package },
        { "image", "plan, build, compare and explain images", ash_verbs_image },
        { "component", "list, render and compare components", ash_verbs_component },
        { "build", "plan builds of many components", ash_verbs_build },
        { "overlay", "judge overlays", ash_verbs_overlay },
        { "deviations", "list every deviation from upstream", ash_verbs_deviations },
        { "upstream", "fetch indices and import packages from where packages come from", ash_verbs_upstream },
        { "store", "care for the store of fetched and unpacked packages", ash_verbs_store },
        { "toml", "read and check TOML files", ash_verbs_toml },
        { "help", "show how to use ashlar", ash_verbs_help },
        {},
};
