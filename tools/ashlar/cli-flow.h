/* What verbs that run a flow have in common. */
#pragma once
#include "cli.h"
#include "flow-upstream.h"

#define ASH_FLOW_OPTIONS { "apt-mirror", .value = "URL", .doc = "fetch an apt upstream from this mirror (default: $ASHLAR_APT_MIRROR, else the machine's own)" }

AshFlow ash_cli_flow(AshCli *cli);
char *ash_cli_lock_path(AshCli *cli);   /* ashlar.lock beside the project file; malloc'ed */
char *ash_cli_output_dir(AshCli *cli);  /* project.output-dir, else "out" beside the project file; malloc'ed */
