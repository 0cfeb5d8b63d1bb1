/* What verbs need, and who provides it: one row a need, in the order in which they are provided. */
#include "cli.h"
#include "config.h"
#include "store.h"

typedef struct Need {
        unsigned flag;
        int (*provide)(AshCli *cli);
        void (*release)(AshCli *cli);
} Need;

static int provide_config(AshCli *cli) {
        _free_ char *found = NULL;
        int r = cli->dir ? 0 : ash_config_find(&found, cli->diags);
        return r < 0 ? r : ash_config_load(cli->dir ? cli->dir : found, ASH_CONFIG_DEFAULT, &cli->config, cli->diags);
}

static void release_config(AshCli *cli) {
        ash_config_free(cli->config);
        cli->config = NULL;
}

static int provide_store(AshCli *cli) { return ash_store_open(cli->store_dir, &cli->store, cli->diags); }

static void release_store(AshCli *cli) {
        ash_store_free(cli->store);
        cli->store = NULL;
}

static const Need needs[] = {
        { ASH_NEEDS_CONFIG, provide_config, release_config },
        { ASH_NEEDS_STORE, provide_store, release_store },
        {},
};

int ash_cli_provide(AshCli *cli) {
        for (const Need *n = needs; n->flag; n++)
                if (cli->verb->needs & n->flag) {
                        int r = n->provide(cli);
                        if (r < 0)
                                return r;
                }
        return 0;
}

void ash_cli_release(AshCli *cli) {
        for (size_t i = ASH_N(needs) - 1; i-- > 0;)
                if (cli->verb && cli->verb->needs & needs[i].flag)
                        needs[i].release(cli);
}
