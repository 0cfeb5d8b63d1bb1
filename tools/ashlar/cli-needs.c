/* What verbs need, and who provides it: one row a need, in the order in which they are provided. */
#include "cli.h"
#include "built.h"
#include "config.h"
#include "flow-source.h"
#include "io.h"
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
        ash_built_free(cli->built);
        ash_flow_sources_free(cli->sources);
        cli->sources = NULL;
        cli->config = NULL;
        free(cli->public_key);
}

static int provide_store(AshCli *cli) { return ash_store_open(cli->store_dir, &cli->store, cli->diags); }

static void release_store(AshCli *cli) {
        ash_store_free(cli->store);
        cli->store = NULL;
}

/* The lock of a project stands in the cache and not in the tree, which may be read-only and is people's own. */
static int lock_path(AshCli *cli, char **ret) {
        const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
        _free_ char *top = cli->store_dir ? ash_strdup(cli->store_dir) : cache && *cache ? ash_path_join(cache, "ashlar") : ash_path_join(home ? home : "/", ".cache/ashlar");
        _free_ char *locks = ash_path_join(top, "locks"), *project = realpath(ash_config_dir(cli->config), NULL);
        char hex[ASH_HEX_MAX];
        int r = ash_mkdir_all(AT_FDCWD, locks, 0755);
        if (r < 0)
                return ash_fail(cli->diags, r, ASH_NOWHERE, "%s: %s", locks, ash_strerror(r));
        ash_digest_hex_of(ASH_SHA256, ash_slice_str(project ? project : ash_config_dir(cli->config)), hex);
        *ret = ash_asprintf("%s/%.32s", locks, hex);
        return 0;
}

static int provide_lock(AshCli *cli) {
        _free_ char *path = NULL;
        int r = lock_path(cli, &path);
        if (r < 0)
                return r;
        r = ash_lock_acquire(AT_FDCWD, path, true, 10000, &cli->lock);
        if (r == -EAGAIN)
                return ash_fail(cli->diags, -ASH_ERR_AGAIN, ASH_NOWHERE, "another ashlar is changing this project (it holds %s)", path);
        return r < 0 ? ash_fail(cli->diags, r, ASH_NOWHERE, "%s: %s", path, ash_strerror(r)) : 0;
}

static void release_lock(AshCli *cli) {
        ash_lock_free(cli->lock);
        cli->lock = NULL;
}

static const Need needs[] = {
        { ASH_NEEDS_CONFIG, provide_config, release_config },
        { ASH_TAKES_LOCK, provide_lock, release_lock }, /* needs the configuration */
        { ASH_NEEDS_STORE, provide_store, release_store },
        {},
};

int ash_cli_provide(AshCli *cli, unsigned flags) {
        for (const Need *n = needs; n->flag; n++)
                if (flags & n->flag) {
                        cli->provided |= n->flag;
                        int r = n->provide(cli);
                        if (r < 0)
                                return r;
                }
        return 0;
}

void ash_cli_release(AshCli *cli) {
        for (size_t i = ASH_N(needs) - 1; i-- > 0;)
                if (cli->provided & needs[i].flag)
                        needs[i].release(cli);
}
