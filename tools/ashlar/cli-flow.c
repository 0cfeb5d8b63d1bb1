#include "cli-flow.h"
#include "cli-sign.h"

AshFlow ash_cli_flow(AshCli *cli) {
        return (AshFlow){ .config = cli->config, .store = cli->store, .progress = cli->progress, .diags = cli->diags, .apt_mirror = ash_cli_option(cli, "apt-mirror"), .threads = cli->jobs,
                           .offline = ash_cli_takes(cli, "offline") && ash_cli_flag(cli, "offline"),
                           .signing_key = ash_cli_public_key, .context = cli };
}

char *ash_cli_lock_path(AshCli *cli) { return ash_path_join(ash_config_dir(cli->config), ASH_LOCK_NAME); }

char *ash_cli_output_dir(AshCli *cli) {
        AshText dir = ash_config_project(cli->config)->info.output_dir;
        return ash_text_set(dir) ? ash_slice_dup(dir.s) : ash_path_join(ash_config_dir(cli->config), "out");
}
