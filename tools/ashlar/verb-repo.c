/* repo: signed RPM repositories. */
#include <time.h>
#include "cli-flow.h"
#include "cli-sign.h"
#include "flow-repo.h"
#include "io.h"
#include "repo.h"
#include "verb-repo.h"

#define REPO_OPTIONS                                                                                            \
        { "compression", .value = "zstd|gzip", .doc = "of the metadata (default: zstd; gzip for old clients)" }, \
        { "changelogs", .value = "N", .doc = "newest changelog entries to keep a package (default: 10)", .kind = ASH_KIND_NUMBER }

#define ARCH_OPTION { "arch", .value = "ARCH", .doc = "architecture whose packages count (default: x86_64, or what the repository holds)" }

static int repo_options(AshCli *cli, AshCliSigners *signers, AshRepoOptions *ret) {
        const char *compression = ash_cli_option(cli, "compression");
        *ret = (AshRepoOptions){ .compression = compression && strcmp(compression, "gzip") == 0 ? ASH_COMP_GZIP : ASH_COMP_ZSTD, .threads = cli->jobs,
                                 .changelogs = (unsigned) ash_cli_number(cli, "changelogs", 0), .signers = signers->items.items, .n_signers = signers->items.n };
        return 0;
}

/* Who signed: in JSON a list of fingerprints, and whether the development key did. */
static void show_keys(AshJson *j, const AshCliSigners *signers) {
        bool development = false;
        ash_json_begin(j, "keys", '[');
        ash_array_foreach(&signers->items, s) {
                ash_json_str(j, NULL, ash_signer_fingerprint(*s));
                development |= ash_signer_is_development(*s);
        }
        ash_json_end(j, ']');
        ash_json_bool(j, "development-key", development);
}

static void print_keys(AshCli *cli, const AshCliSigners *signers) {
        for (size_t i = 0; i < signers->items.n; i++)
                ash_cli_printf(cli, "%s%s", i ? ", " : ", signed by ", ash_signer_user_id(signers->items.items[i]));
}

static int run_index(AshCli *cli) {
        _cleanup_(ash_cli_signers_done) AshCliSigners signers = {};
        AshRepoOptions o;
        AshRepoResult result;
        int r = (ash_cli_option(cli, "key") || ash_cli_option(cli, "signer")) && !ash_cli_flag(cli, "no-sign") ? ash_cli_signers(cli, &signers) : 0;
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
                show_keys(&j, &signers);
                ash_json_end(&j, '}');
                ash_cli_print(cli, "\n");
        } else if (!cli->quiet) {
                ash_cli_printf(cli, "%s: %zu package%s%s", cli->args[0], ASH_COUNT(result.packages), result.unchanged ? ", unchanged" : "");
                print_keys(cli, &signers);
                ash_cli_print(cli, "\n");
        }
        return 0;
}

static void show_signed(AshCli *cli, const AshCliSigners *signers) {
        if (cli->json) {
                AshJson j = ash_cli_json(cli);
                ash_json_begin(&j, NULL, '{');
                ash_json_uint(&j, "packages", cli->n_args);
                show_keys(&j, signers);
                ash_json_end(&j, '}');
                ash_cli_print(cli, "\n");
        } else if (!cli->quiet) {
                ash_cli_printf(cli, "%zu package%s", ASH_COUNT(cli->n_args));
                print_keys(cli, signers);
                ash_cli_print(cli, "\n");
        }
}

static int run_sign(AshCli *cli) {
        _cleanup_(ash_cli_signers_done) AshCliSigners signers = {};
        uint64_t now;
        int r = ash_cli_signers(cli, &signers);
        if (r >= 0)
                r = ash_cli_source_date(cli, (uint64_t) time(NULL), &now);
        if (r >= 0)
                r = ash_repo_sign_files(cli->args, cli->n_args, signers.items.items, signers.items.n, now, cli->jobs, cli->progress, cli->diags);
        if (r >= 0) {
                ash_cli_warn_development(cli, &signers, "signed with");
                show_signed(cli, &signers);
        }
        return r;
}

static int run_key(AshCli *cli) {
        _cleanup_(ash_cli_signers_done) AshCliSigners signers = {};
        int r = ash_cli_signers(cli, &signers);
        for (size_t i = 0; r >= 0 && i < signers.items.n; i++)
                ash_cli_write(cli, ash_signer_public_key(signers.items.items[i]));
        if (r >= 0)
                ash_cli_warn_development(cli, &signers, "this is");
        return r;
}

/* How a client gets at what was published for the first time. */
static void print_next(AshCli *cli, const char *output, const AshFlowRepoResult *result) {
        _free_ char *whole = realpath(output, NULL);
        bool said = false;
        for (size_t i = 0; whole && i < result->done.n; i++) {
                const AshFlowRepoDone *d = &result->done.items[i];
                if (d->result.generation != 1 || d->result.unchanged || !d->result.packages)
                        continue;
                if (!said)
                        ash_cli_print(cli, "for clients:\n");
                said = true;
                ash_cli_printf(cli, "  baseurl=file://%s/%s\n", whole, d->path);
        }
        if (said)
                ash_cli_print(cli, "  gpgkey is repodata/repomd.xml.key below each; 'ashlar repo verify' checks all of it\n");
}

static void show_build(AshCli *cli, const char *output, const AshCliSigners *signers, const AshFlowRepoResult *result) {
        if (!cli->json) {
                for (size_t i = 0; !cli->quiet && i < result->done.n; i++) {
                        const AshFlowRepoDone *d = &result->done.items[i];
                        ash_cli_printf(cli, "%s/%s: %zu package%s, generation %u%s", output, d->path, ASH_COUNT(d->result.packages), d->result.generation, d->result.unchanged ? ", unchanged" : "");
                        if (!d->result.unchanged)
                                ash_cli_printf(cli, " (%zu added, %zu removed)", d->result.added, d->result.removed);
                        print_keys(cli, signers);
                        ash_cli_print(cli, "\n");
                }
                if (!cli->quiet)
                        print_next(cli, output, result);
                return;
        }
        AshJson j = ash_cli_json(cli);
        ash_json_begin(&j, NULL, '[');
        for (size_t i = 0; i < result->done.n; i++) {
                const AshFlowRepoDone *d = &result->done.items[i];
                _free_ char *path = ash_path_join(output, d->path);
                ash_json_begin(&j, NULL, '{');
                ash_json_text(&j, "channel", d->channel);
                ash_json_text(&j, "arch", d->arch);
                ash_json_str(&j, "path", path);
                ash_json_uint(&j, "packages", d->result.packages);
                ash_json_uint(&j, "generation", d->result.generation);
                ash_json_uint(&j, "added", d->result.added);
                ash_json_uint(&j, "removed", d->result.removed);
                ash_json_bool(&j, "unchanged", d->result.unchanged);
                show_keys(&j, signers);
                ash_json_end(&j, '}');
        }
        ash_json_end(&j, ']');
        ash_cli_print(cli, "\n");
}

static int run_build(AshCli *cli) {
        _cleanup_(ash_cli_signers_done) AshCliSigners signers = {};
        _cleanup_(ash_flow_repo_result_done) AshFlowRepoResult result = {};
        _free_ char *lock = ash_cli_lock_path(cli), *configured = ash_cli_output_dir(cli), *below = ash_path_join(configured, "repos");
        const char *output = ash_cli_option(cli, "output") ? ash_cli_option(cli, "output") : below;
        AshFlow flow = ash_cli_flow(cli);
        AshFlowRepoOptions o = { .lock_path = lock, .output = output, .channels = cli->args, .n_channels = cli->n_args, .keep = (unsigned) ash_cli_number(cli, "keep", 0), .closed = ash_cli_flag(cli, "closed") };
        if (ash_cli_option(cli, "keep") && !o.keep)
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--keep is at least 1: the generation that is published");
        int r = ash_cli_flag(cli, "no-sign") ? 0 : ash_cli_signers(cli, &signers);
        if (r >= 0)
                r = repo_options(cli, &signers, &o.repo);
        if (r >= 0)
                r = ash_cli_source_date(cli, 0, &o.repo.time);
        o.repo.replace = ash_cli_flag(cli, "replace");
        if (r >= 0)
                r = ash_flow_repo(&flow, &o, &result);
        if (r >= 0) {
                if (result.done.n)
                        ash_cli_warn_development(cli, &signers, "signed with");
                show_build(cli, output, &signers, &result);
        }
        return r;
}

const AshCliVerb ash_verbs_repo[] = {
        { "build", "publish channels as signed repositories",
          .doc = "Publishes each channel of the project from the packages that ashlar.lock names, signed, as DIR/CHANNEL/ARCH. That is a link to a generation below DIR/.generations, replaced by one rename: readers see "
                 "the old repository or the new one, and what the one before named stays reachable. All channels are made before the first is switched. One that has not changed is left alone.",
          .args = ASH_ARGS({ "CHANNEL", "a channel (default: all)", ASH_KIND_CHANNEL, ASH_ARG_OPTIONAL | ASH_ARG_MANY }),
          .options = ASH_OPTIONS({ "output", .value = "DIR", .doc = "where to publish (default: repos below the project's output directory)", .letter = 'o', .kind = ASH_KIND_DIR },
                                 { "replace", .doc = "let a package take the place of a published one with the same name and version and other content" },
                                 { "keep", .value = "N", .doc = "generations to keep, the published one among them (default: as the channel says, else 3)", .kind = ASH_KIND_NUMBER },
                                 { "closed", .doc = "refuse a channel with requirements that neither it nor the channels that it requires meet (default: warn)" }, REPO_OPTIONS, ASH_SIGN_OPTIONS, ASH_FLOW_OPTIONS),
          .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE | ASH_TAKES_LOCK, .run = run_build },
        { "index", "write the metadata of a directory of packages",
          .doc = "Writes DIR/repodata for all packages below DIR, as createrepo_c does. Packages that have not changed since the last run are not read again, and when nothing has changed, nothing is "
                 "written. With --key or --signer repomd.xml is signed. Times in the metadata come from SOURCE_DATE_EPOCH (default: 0), so that equal packages give equal bytes.",
          .args = ASH_ARGS({ "DIR", "the directory", ASH_KIND_DIR }),
          .options = ASH_OPTIONS(REPO_OPTIONS, ASH_SIGN_OPTIONS),
          .run = run_index },
        { "verify", "check everything that a repository says of itself",
          .doc = "Checks the signature of repomd.xml, size and digests of each metadata file, that they count the same packages, and size, digest and signature of each package. All mistakes are reported; exit status 5 when there is one.",
          .args = ASH_ARGS({ "DIR", "the repository", ASH_KIND_DIR }),
          .options = ASH_OPTIONS({ "key", .value = "FILE", .doc = "a public key that may have signed it", .kind = ASH_KIND_FILE, .many = true }, { "no-signatures", .doc = "check sizes and digests only" }),
          .run = ash_verb_repo_verify },
        { "query", "ask what a repository holds",
          .doc = "Lists packages by name or glob, or those that provide or require something; with --provides, --requires and the like their relations instead. A name that no package has is an error, exit status 1, and the others are listed all the same.",
          .args = ASH_ARGS({ "DIR", "the repository", ASH_KIND_DIR }, { "NAME", "names or globs (default: all)", ASH_KIND_TEXT, ASH_ARG_OPTIONAL | ASH_ARG_MANY }),
          .options = ASH_OPTIONS({ "what-provides", .value = "DEP", .doc = "packages that provide it: a name, 'NAME >= VERSION', a path" }, { "what-requires", .value = "DEP", .doc = "packages that require it" },
                                 { "provides", .doc = "print what the packages provide" }, { "requires", .doc = "print what they require" }, { "conflicts", .doc = "print what they conflict with" },
                                 { "obsoletes", .doc = "print what they obsolete" }, { "recommends", .doc = "print what they recommend" }, { "suggests", .doc = "print what they suggest" },
                                 { "supplements", .doc = "print what they supplement" }, { "enhances", .doc = "print what they enhance" }, { "files", .doc = "print their files" }, ARCH_OPTION),
          .run = ash_verb_repo_query },
        { "closure", "find requirements that nothing in a repository meets",
          .doc = "Prints each package with each requirement that no package of DIR, nor of those named by --with, provides. Exit status 1 when there is one.",
          .args = ASH_ARGS({ "DIR", "the repository", ASH_KIND_DIR }),
          .options = ASH_OPTIONS({ "with", .value = "DIR", .doc = "a further repository that may meet requirements", .kind = ASH_KIND_DIR, .many = true }, ARCH_OPTION),
          .run = ash_verb_repo_closure },
        { "diff", "compare two repositories",
          .doc = "Lists packages that were added, removed, or have the same name and version with other content. Exit status 1 when there is a difference.",
          .args = ASH_ARGS({ "OLD", "a repository", ASH_KIND_DIR }, { "NEW", "another one, or a later generation", ASH_KIND_DIR }),
          .options = ASH_OPTIONS(ARCH_OPTION), .run = ash_verb_repo_diff },
        {},
};

const AshCliVerb ash_verbs_package[] = {
        { "sign", "sign RPM packages in place",
          .doc = "Replaces the signatures of each package; header and payload stay as they are. Without --key or --signer the development key of this user signs.",
          .args = ASH_ARGS({ "FILE", "a package", ASH_KIND_FILE, ASH_ARG_MANY }),
          .options = ASH_OPTIONS(ASH_SIGN_KEYS),
          .run = run_sign },
        { "key", "print the public key that belongs to what signs",
          .doc = "Prints the public key, armored, for clients to import: of --key, of --signer, or the development key of this user.",
          .options = ASH_OPTIONS(ASH_SIGN_KEYS),
          .run = run_key },
        {},
};
