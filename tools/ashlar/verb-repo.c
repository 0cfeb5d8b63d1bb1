/* repo: signed RPM repositories. */
#include <time.h>
#include "cli-sign.h"
#include "io.h"
#include "repo.h"

#define REPO_OPTIONS                                                                                            \
        { "compression", .value = "zstd|gzip", .doc = "of the metadata (default: zstd; gzip for old clients)" }, \
        { "changelogs", .value = "N", .doc = "newest changelog entries to keep a package (default: 10)", .kind = ASH_KIND_NUMBER }

static int repo_options(AshCli *cli, AshCliSigners *signers, AshRepoOptions *ret) {
        const char *compression = ash_cli_option(cli, "compression");
        *ret = (AshRepoOptions){ .compression = compression && strcmp(compression, "gzip") == 0 ? ASH_COMP_GZIP : ASH_COMP_ZSTD, .threads = cli->jobs,
                                 .changelogs = (unsigned) ash_cli_number(cli, "changelogs", 0), .signers = signers->items.items, .n_signers = signers->items.n };
        return 0;
}

static int run_index(AshCli *cli) {
        _cleanup_(ash_cli_signers_done) AshCliSigners signers = {};
        AshRepoOptions o;
        AshRepoResult result;
        int r = ash_cli_option(cli, "key") || ash_cli_option(cli, "signer") ? ash_cli_signers(cli, &signers) : 0;
        if (r >= 0)
                r = repo_options(cli, &signers, &o);
        if (r >= 0)
                r = ash_cli_source_date(cli, 0, &o.time);
        if (r >= 0)
                r = ash_repo_index(cli->args[0], &o, &result, cli->progress, cli->diags);
        if (r < 0)
                return r;
        if (cli->json) {
                AshJson j = ash_cli_json(cli);
                ash_json_begin(&j, NULL, '{');
                ash_json_uint(&j, "packages", result.packages);
                ash_json_uint(&j, "reused", result.reused);
                ash_json_bool(&j, "unchanged", result.unchanged);
                ash_json_end(&j, '}');
                ash_cli_print(cli, "\n");
        } else if (!cli->quiet)
                ash_cli_printf(cli, "%s: %zu packages%s\n", cli->args[0], result.packages, result.unchanged ? ", unchanged" : "");
        return 0;
}

static int run_sign(AshCli *cli) {
        _cleanup_(ash_cli_signers_done) AshCliSigners signers = {};
        uint64_t now;
        int r = ash_cli_signers(cli, &signers);
        if (r >= 0)
                r = ash_cli_source_date(cli, (uint64_t) time(NULL), &now);
        if (r >= 0)
                r = ash_repo_sign_files(cli->args, cli->n_args, signers.items.items, signers.items.n, now, cli->jobs, cli->progress, cli->diags);
        return r;
}

const AshCliVerb ash_verbs_repo[] = {
        { "index", "write the metadata of a directory of packages",
          .doc = "Writes DIR/repodata for all packages below DIR, as createrepo_c does. Packages that have not changed since the last run are not read again, and when nothing has changed, nothing is "
                 "written. With --key or --signer repomd.xml is signed. Times in the metadata come from SOURCE_DATE_EPOCH (default: 0), so that equal packages give equal bytes.",
          .args = ASH_ARGS({ "DIR", "the directory", ASH_KIND_DIR }),
          .options = ASH_OPTIONS(REPO_OPTIONS, ASH_SIGN_OPTIONS),
          .run = run_index },
        {},
};

const AshCliVerb ash_verbs_package[] = {
        { "sign", "sign RPM packages in place",
          .doc = "Replaces the signatures of each package; header and payload stay as they are. Without --key or --signer the development key of this user signs.",
          .args = ASH_ARGS({ "FILE", "a package", ASH_KIND_FILE, ASH_ARG_MANY }),
          .options = ASH_OPTIONS(ASH_SIGN_OPTIONS),
          .run = run_sign },
        {},
};
