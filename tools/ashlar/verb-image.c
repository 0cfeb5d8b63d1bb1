/* The verbs about images: the table, list and build. */
#include "verb-image.h"
#include "io.h"

#define ARCH_OPTION { "arch", .value = "ARCH", .doc = "architecture (default: all for build and plan, else the image's first)" }
#define IMAGE_ARG { "NAME", "an image of the project", ASH_KIND_IMAGE }

char *ash_image_dir(AshCli *cli) {
        _free_ char *out = ash_cli_output_dir(cli);
        return ash_path_join(out, "images");
}

/* ---- list ---- */
static void join(AshStr *out, const AshTexts *texts) {
        for (size_t i = 0; i < texts->n; i++)
                ash_str_appendf(out, "%s%.*s", i ? " " : "", ASH_F(texts->items[i].s));
}

static int run_list(AshCli *cli) {
        static const AshCliColumn columns[] = { { "Name" }, { "Kind" }, { "Architectures" }, { "Formats", .optional = true }, { "Description" } };
        _cleanup_(ash_cli_list_free_p) AshCliList *list = ash_cli_list_new(cli, columns, ASH_N(columns));
        const AshProject *project = ash_config_project(cli->config);
        for (size_t i = 0; i < project->images.n; i++) {
                const AshImage *image;
                _str_ AshStr arches = {}, formats = {}, kiwi_kind = {};
                _cleanup_(ash_flow_kiwi_free_p) AshFlowKiwi *kiwi = NULL;
                AshFlow silent = { .config = cli->config };
                int r = ash_config_image(cli->config, project->images.items[i].name.s, &image, cli->diags);
                if (r < 0)
                        return r;
                join(&arches, &image->architectures);
                if (ash_image_is_kiwi(image) && ash_flow_kiwi(&silent, image, ash_flow_image_arch(image, 0), &kiwi) >= 0 && ash_text_set(kiwi->image.kind))
                        ash_str_appendf(&kiwi_kind, "%.*s (kiwi)", ASH_F(kiwi->image.kind.s));
                join(&formats, kiwi ? &kiwi->image.formats : &image->formats);
                const char *standard = formats.len || image->is_abstract.value == ASH_YES ? NULL : ash_flow_image_standard_format(kiwi ? kiwi->image.kind.s : image->kind.s);
                if (standard)
                        ash_str_append_str(&formats, standard);
                AshSlice kind = ash_text_set(image->kind) ? image->kind.s : kiwi_kind.len ? ash_str_slice(&kiwi_kind) : ash_text_set(image->definition_type) ? image->definition_type.s : ASH_NOSLICE;
                ash_cli_list_row(list, (AshSlice[]){ image->name.s, image->is_abstract.value == ASH_YES ? ASH_S("abstract") : kind, arches.len ? ash_str_slice(&arches) : ASH_S("x86_64"),
                                                     formats.len ? ash_str_slice(&formats) : ASH_NOSLICE, image->description.s });
        }
        ash_cli_list_print(list);
        return 0;
}

/* ---- build ---- */
static int print_results(AshCli *cli, const char *dir, const AshFlowImageResult *result) {
        if (cli->json) {
                AshJson j = ash_cli_json(cli);
                ash_json_begin(&j, NULL, '[');
                ash_array_foreach(&result->done, d) {
                        ash_json_begin(&j, NULL, '{');
                        ash_json_text(&j, "image", d->name);
                        ash_json_uint(&j, "packages", d->packages);
                        ash_json_uint(&j, "entries", d->entries);
                        ash_json_begin(&j, "outputs", '[');
                        ash_array_foreach(&d->outputs, o) {
                                _free_ char *path = ash_path_join(dir, o->path);
                                ash_json_begin(&j, NULL, '{');
                                ash_json_str(&j, "path", path);
                                ash_json_str(&j, "format", o->format->name);
                                if (o->arch.len)
                                        ash_json_text(&j, "arch", o->arch);
                                ash_json_uint(&j, "size", o->size);
                                if (*o->digest)
                                        ash_json_str(&j, "sha256", o->digest);
                                ash_json_bool(&j, "written", o->written);
                                ash_json_end(&j, '}');
                        }
                        ash_json_end(&j, ']');
                        ash_json_end(&j, '}');
                }
                ash_json_end(&j, ']');
                ash_cli_print(cli, "\n");
                return 0;
        }
        ash_array_foreach(&result->done, d)
                ash_array_foreach(&d->outputs, o) {
                        _str_ AshStr size = {};
                        ash_text_bytes(&size, o->size);
                        if (!cli->quiet)
                                ash_cli_printf(cli, "%s/%s: %.*s, %zu package%s, %zu entr%s%s\n", dir, o->path, ASH_F(ash_str_slice(&size)), ASH_COUNT(d->packages), d->entries, d->entries == 1 ? "y" : "ies", o->written ? "" : ", up to date");
                }
        return 0;
}

AshFlowImageOptions ash_image_options(AshCli *cli, const char *lock_path, const char *dir) {
        return (AshFlowImageOptions){ .lock_path = lock_path, .output = dir, .names = cli->args, .n_names = cli->n_args, .arch = ash_cli_option(cli, "arch") };
}

static int run_build(AshCli *cli) {
        _free_ char *lock_path = ash_cli_lock_path(cli), *dir = ash_image_dir(cli);
        _cleanup_(ash_flow_image_result_done) AshFlowImageResult result = {};
        AshFlow flow = ash_cli_flow(cli);
        AshFlowImageOptions o = ash_image_options(cli, lock_path, dir);
        if (!cli->n_args == !ash_cli_flag(cli, "all"))
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "either images are named, or --all");
        o.force = ash_cli_flag(cli, "force");
        int r = ash_flow_image_build(&flow, &o, &result);
        return r < 0 ? r : print_results(cli, dir, &result);
}

const AshCliVerb ash_verbs_image[] = {
        { "list", "list the project's images", .needs = ASH_NEEDS_CONFIG, .run = run_list },
        { "plan", "show what a build of an image would use and make",
          .doc = "Packages with the reason of each and its size, what is in the store already; scriptlets: how many have no effect, are done by handlers, or run in the sandbox, and what the machine has not that "
                 "these need; and the outputs: whether they are there, and of these packages (whether the definition changed says a build). Nothing is fetched, composed or written.", .args = ASH_ARGS(IMAGE_ARG),
          .options = ASH_OPTIONS(ARCH_OPTION, ASH_FLOW_OPTIONS), .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE, .run = ash_image_plan },
        { "build", "build images from what the lock names",
          .doc = "Composes each image's file tree in memory from the packages that the lock names, and writes its outputs below images/NAME in the project's output directory. The same lock and "
                 "definition give the same bytes. An output that is up to date is not written again. Outputs appear whole or not at all.",
          .args = ASH_ARGS({ "NAME", "an image of the project", ASH_KIND_IMAGE, ASH_ARG_OPTIONAL | ASH_ARG_MANY }),
          .options = ASH_OPTIONS({ "all", .doc = "all images that can be built" }, { "force", .doc = "write outputs that are up to date, too" }, ARCH_OPTION, ASH_FLOW_OPTIONS),
          .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE | ASH_TAKES_LOCK, .run = run_build },
        { "boot", "boot a disk image in QEMU, its serial console in the terminal",
          .doc = "The machine works on an overlay that goes with it: the image stays as it was built. It has UEFI firmware with variables of its own, a network behind QEMU's user-mode translation, and no port of the host but that "
                 "of --ssh-port on loopback. On a terminal three times ^] within a second end it.\n\n"
                 "NAME may also be the path of a disk (with a slash in it).",
          .args = ASH_ARGS({ "NAME", "an image of the project, or the path of a disk", ASH_KIND_IMAGE }),
          .options = ASH_OPTIONS(ASH_MACHINE_OPTIONS, { "ssh-port", .value = "PORT", .doc = "port of 127.0.0.1 that leads to the machine's ssh; 0: a free one", .kind = ASH_KIND_NUMBER },
                                 { "command", .value = "CMD", .doc = "run this as root once the machine is up, print what it says, end the machine; exit status is that of the command" },
                                 { "in-place", .doc = "the machine writes to the image itself" }),
          .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE, .run = ash_image_boot },
        { "test", "boot a disk image and check that it is well",
          .doc = "Boots it as 'image boot' does, and checks that the console comes to a login, that the system is running with no failed unit, what the definition lists as 'checks', and that the power button turns it off. "
                 "Prints what failed and why, and the memory used after boot. After a failure the console and the journal are kept beside the image. Exit status 1 when a check failed.",
          .args = ASH_ARGS({ "NAME", "an image of the project, or the path of a disk", ASH_KIND_IMAGE }), .options = ASH_OPTIONS(ASH_MACHINE_OPTIONS, { "junit", .value = "FILE", .doc = "write the results as JUnit XML, too", .kind = ASH_KIND_FILE }),
          .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE, .run = ash_image_test },
        { "dump", "print an image's file tree, one line a node",
          .doc = "Path, type, mode, owner, time, origin, and of files the digest and where the store has the bytes. What no package has is put into the store, so that 'image write' can make an archive of the dump.",
          .args = ASH_ARGS(IMAGE_ARG), .options = ASH_OPTIONS(ARCH_OPTION, ASH_FLOW_OPTIONS), .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE, .run = ash_image_dump },
        { "write", "write an archive, a container or a directory from a tree dump",
          .doc = "The bytes are those that 'image build' writes of the same tree. A dump has no settings of a container (command, user, ...): of those formats only the layer is the same. Directories must not be there yet.",
          .args = ASH_ARGS({ "DUMP", "what 'image dump' printed", ASH_KIND_FILE }, { "OUTPUT", "the file or directory", ASH_KIND_FILE }),
          .options = ASH_OPTIONS({ "format", .value = "tar|cpio|docker|oci|directory", .doc = "of the output (default: what its name ends with, as .cpio, .docker.tar, .oci; else tar)" },
                                  { "compression", .value = "zstd|gzip|none", .doc = "of the archive or layer (default: what its name ends with, as .gz; else zstd)" },
                                  { "arch", .value = "ARCH", .doc = "architecture that a container names (default: x86_64)" }),
          .needs = ASH_NEEDS_STORE, .run = ash_image_write },
        { "diff", "compare two images, or dumps of them",
          .doc = "Packages, files, types, modes with set-id bits, owners, link targets, contents, capabilities. Exit status 1 when they differ.",
          .args = ASH_ARGS({ "A", "an image, or a file with a dump", ASH_KIND_IMAGE }, { "B", "an image, or a file with a dump", ASH_KIND_IMAGE }), .options = ASH_OPTIONS(ARCH_OPTION, ASH_FLOW_OPTIONS),
          .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE, .run = ash_image_diff },
        { "explain", "say where a path of an image comes from, and why", .args = ASH_ARGS(IMAGE_ARG, { "PATH", "a path in the image" }), .options = ASH_OPTIONS(ARCH_OPTION, ASH_FLOW_OPTIONS),
          .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE, .run = ash_image_explain },
        { "size", "show what an image's bytes are spent on", .doc = "By package with the requested package that it is there for; with --by-reason summed up by requested package.", .args = ASH_ARGS(IMAGE_ARG),
          .options = ASH_OPTIONS({ "by-reason", .doc = "one line for each package that was asked for, with all that only came with it" }, ARCH_OPTION, ASH_FLOW_OPTIONS),
          .needs = ASH_NEEDS_CONFIG | ASH_NEEDS_STORE, .run = ash_image_size },
        {},
};
