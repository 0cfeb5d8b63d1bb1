/* lock: every input of a build, by digest. */
#include "cli-flow.h"
#include "flow-lock.h"

/* What a first lock changes is everything: the lock itself shows that, and what comes next is worth a line instead. */
static void print_result(AshCli *cli, const AshFlowLockResult *result, bool dry_run) {
        _str_ AshStr size = {};
        bool first = result->first && !dry_run;
        ash_text_bytes(&size, result->bytes);
        if (!first || cli->verbose)
                ash_cli_write(cli, ash_str_slice(&result->changes));
        ash_cli_printf(cli, "%zu package%s", ASH_COUNT(result->packages));
        if (!dry_run)
                ash_cli_printf(cli, " (%s)", size.ptr);
        ash_cli_printf(cli, " for %zu set%s (an image or a channel, and an architecture)", ASH_COUNT(result->sets));
        if (!first)
                ash_cli_printf(cli, ", %zu change%s%s", ASH_COUNT(result->n_changes), dry_run ? " (not written)" : result->written ? "" : ", lock unchanged");
        ash_cli_print(cli, "\n");
        if (result->kept.len)
                ash_cli_printf(cli, "states stay as they were pinned: %s ('ashlar lock --update' takes the newest)\n", result->kept.ptr);
        if (first)
                ash_cli_printf(cli, "wrote %s/%s: with it, in version control, others build the same\nnext: 'ashlar%s%s repo build' publishes the channels, 'ashlar%s%s image build --all' makes the images\n", ash_config_dir(cli->config), ASH_LOCK_NAME,
                               cli->dir ? " -C " : "", cli->dir ? cli->dir : "", cli->dir ? " -C " : "", cli->dir ? cli->dir : "");
}

static int show(AshCli *cli, const AshFlowLockResult *result, bool dry_run) {
        if (cli->json) {
                AshJson j = ash_cli_json(cli);
                ash_json_begin(&j, NULL, '{');
                ash_json_uint(&j, "packages", result->packages);
                ash_json_uint(&j, "sets", result->sets);
                ash_json_uint(&j, "bytes", result->bytes);
                ash_json_bool(&j, "written", result->written);
                ash_json_text(&j, "pinned-before", ash_str_slice(&result->kept));
                ash_json_begin(&j, "changes", '[');
                AshSlice rest = ash_str_slice(&result->changes), line;
                while (ash_slice_next_line(&rest, &line))
                        ash_json_text(&j, NULL, ash_slice_trim(line));
                ash_json_end(&j, ']');
                ash_json_end(&j, '}');
                ash_cli_print(cli, "\n");
                return 0;
        }
        if (!cli->quiet)
                print_result(cli, result, dry_run);
        return 0;
}

static int run_lock(AshCli *cli) {
        _free_ char *path = ash_cli_lock_path(cli);
        _cleanup_(ash_flow_lock_result_done) AshFlowLockResult result = {};
        AshFlow flow = ash_cli_flow(cli);
        AshFlowLockOptions o = { .upstream = cli->upstream, .path = path, .update = ash_cli_flag(cli, "update"), .packages = cli->args, .n_packages = cli->n_args, .dry_run = ash_cli_flag(cli, "dry-run") };
        if (cli->n_args && !o.update) {
                int r = ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "packages are named without --update");
                ash_hint(cli->diags, "'ashlar lock --update %s' takes the newest of it", cli->args[0]);
                return r;
        }
        if (ash_cli_flag(cli, "check"))
                return ash_flow_lock_check(&flow, &o);
        int r = ash_flow_lock(&flow, &o, &result);
        return r < 0 ? r : show(cli, &result, o.dry_run);
}

const AshCliVerb ash_verbs_lock[] = {
        { "", "record every input of a build by its digest in ashlar.lock",
          .doc = "Resolves what the project's images and channels ask for, brings the packages into the store, and writes ashlar.lock beside the project file: the state of each upstream, every package with its "
                 "SHA-256, size, origin and key, the seed of all UUIDs, SOURCE_DATE_EPOCH, and the numbers of users and groups. A set of packages is recorded for each image and each channel and each of its architectures. Builds use what it names and nothing else.\n\nWithout --update what is locked "
                 "stays as far as it goes, and only what is new is resolved. With --update everything is taken at its newest, or only the packages that are named. The changes are printed one a line; of a first lock only how much it is, "
                 "unless --verbose asks for all.\n\nAn image or channel takes packages from the default upstream, or the one that --upstream names, unless it names its own ('upstreams', 'repos').",
          .args = ASH_ARGS({ "PACKAGE", "with --update: a package's name or a glob", ASH_KIND_TEXT, ASH_ARG_OPTIONAL | ASH_ARG_MANY }),
          .options = ASH_OPTIONS({ "check", .doc = "write no lock, fetch no package; exit status 1 when the lock does not answer what the project asks for, or the metadata that it pins is gone, so that nothing can be compared; 5 when it says of a package what its upstream does not" },
                                 { "update", .doc = "take the newest of everything, or of the packages named" },
                                 { "dry-run", .doc = "show the changes of packages; fetch and write nothing", .letter = 'n' }, ASH_FLOW_OPTIONS),
          .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE | ASH_TAKES_LOCK, .run = run_lock },
        {},
};
