/* image boot: a disk image in QEMU, its serial console in the terminal. */
#include "verb-image.h"
#include "io.h"
#include "machine.h"

#define BOOT_SECONDS 600       /* until commands can be run, under emulation on a busy host */
#define COMMAND_SECONDS 600

static const struct {
        const char *format, *suffix;
} disk_formats[] = { { "raw", ".raw" }, { "qcow2", ".qcow2" }, { "vhd", ".vhd" }, { "vhdx", ".vhdx" }, { "vmdk", ".vmdk" }, { "vhd-dynamic", ".dynamic.vhd" } };

static const char *format_of_path(const char *path) {
        AshSlice ext = ash_path_ext(ash_slice_str(path));
        for (size_t i = 0; i < ASH_N(disk_formats); i++)
                if (ash_slice_eqs(ext, disk_formats[i].suffix))
                        return disk_formats[i].format;
        return "raw";
}

void ash_image_disk_done(AshImageDisk *d) {
        free(d->path);
        free(d->arch);
}

/* The best of the outputs that are there: as the list above prefers them. */
static const AshFlowOutput *choose(const AshFlowImageDone *done, AshSlice arch, const char *dir, const char *wanted, bool *ret_any) {
        for (size_t i = 0; i < ASH_N(disk_formats); i++)
                ash_array_foreach(&done->outputs, o) {
                        _free_ char *path = ash_path_join(dir, o->path);
                        if (strcmp(o->format->name, disk_formats[i].format) || !ash_slice_eq(o->arch, arch) || (wanted && strcmp(wanted, o->format->name)))
                                continue;
                        *ret_any = true;
                        if (access(path, F_OK) == 0)
                                return o;
                }
        return NULL;
}

static int find_output(AshCli *cli, const char *name, AshImageDisk *ret) {
        _free_ char *lock_path = ash_cli_lock_path(cli), *dir = ash_image_dir(cli);
        _cleanup_(ash_flow_image_result_done) AshFlowImageResult result = {};
        AshFlow flow = { .config = cli->config, .store = cli->store, .progress = cli->progress, .diags = cli->diags, .threads = cli->jobs }; /* nothing is fetched */
        AshFlowImageOptions o = { .lock_path = lock_path, .output = dir, .names = &name, .n_names = 1 };
        const char *arch = ash_cli_option(cli, "arch");
        bool any = false;
        int r = ash_flow_find_image(&flow, ash_slice_str(name), &ret->image);
        if (r >= 0)
                r = ash_flow_image_plan(&flow, &o, &result);
        if (r < 0)
                return r;
        AshSlice a = arch ? ash_slice_str(arch) : ash_flow_image_arch(ret->image, 0);
        const AshFlowOutput *out = choose(&result.done.items[0], a, dir, ash_cli_option(cli, "format"), &any);
        if (!any)
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ret->image->name.at, "the image '%s' has no disk of %s%s%.*s to boot", name, ash_cli_option(cli, "format") ? ash_cli_option(cli, "format") : "any format",
                                " for ", ASH_F(a));
        if (!out) {
                r = ash_fail(cli->diags, -ENOENT, ASH_NOWHERE, "the image '%s' (%.*s) is not built", name, ASH_F(a));
                ash_hint(cli->diags, "'ashlar image build %s' builds it", name);
                return r;
        }
        ret->path = ash_path_join(dir, out->path);
        ret->format = out->format->name;
        ret->arch = ash_strndup(a.ptr, a.len);
        return 0;
}

int ash_image_find_disk(AshCli *cli, const char *name, AshImageDisk *ret) {
        if (!strchr(name, '/'))
                return find_output(cli, name, ret);
        const char *format = ash_cli_option(cli, "format"), *arch = ash_cli_option(cli, "arch");
        ret->path = ash_strdup(name);
        ret->format = format ? format : format_of_path(name);
        ret->arch = ash_strdup(arch ? arch : "x86_64");
        return 0;
}

int ash_image_machine_options(AshCli *cli, const AshImageDisk *disk, AshMachineOptions *ret) {
        *ret = (AshMachineOptions){ .disk = disk->path, .format = disk->format, .arch = disk->arch, .accel = ash_cli_option(cli, "accel"), .bus = ash_cli_option(cli, "bus"),
                                    .memory = (unsigned) ash_cli_number(cli, "memory", 0), .cpus = (unsigned) ash_cli_number(cli, "cpus", 0), .disk_size = ash_cli_number(cli, "disk-size", 0) << 30, .ssh_port = -1 };
        return 0;
}

/* ---- boot ---- */
static int run_command(AshCli *cli, AshMachine *m, const char *command) {
        _cleanup_(ash_machine_answer_done) AshMachineAnswer answer = {};
        ash_progress_begin(cli->progress, "booting", 0, ASH_UNIT_ITEMS);
        int r = ash_machine_wait(m, ASH_MACHINE_AGENT, BOOT_SECONDS * 1000, cli->diags);
        ash_progress_end(cli->progress);
        if (r >= 0 && !(r & ASH_MACHINE_AGENT)) {
                r = ash_fail(cli->diags, r ? -ESHUTDOWN : -ETIMEDOUT, ASH_NOWHERE, r ? "the machine went off before a command could be run" : "the machine takes no commands after %d s", BOOT_SECONDS);
                ash_hint(cli->diags, "systemd 254 or later must run in it; without --command the console shows how far it comes");
        }
        if (r >= 0)
                r = ash_machine_run(m, ash_slice_str(command), COMMAND_SECONDS, &answer, cli->diags);
        if (r < 0)
                return r;
        ash_cli_write(cli, ash_str_slice(&answer.output));
        return answer.status;
}

static void say_how(AshCli *cli, const AshMachine *m, const AshImageDisk *disk) {
        if (cli->quiet)
                return;
        fprintf(stderr, "%s boots (%s)", disk->path, ash_machine_accel(m));
        if (isatty(STDIN_FILENO))
                fprintf(stderr, "; three times ^] ends it");
        fprintf(stderr, "\n");
        if (ash_machine_ssh_port(m))
                fprintf(stderr, "ssh: port %u of 127.0.0.1\n", ash_machine_ssh_port(m));
}

int ash_image_boot(AshCli *cli) {
        _cleanup_(ash_image_disk_done) AshImageDisk disk = {};
        _cleanup_(ash_machine_free_p) AshMachine *m = NULL;
        const char *command = ash_cli_option(cli, "command"), *port = ash_cli_option(cli, "ssh-port");
        AshMachineOptions o;
        int r = ash_image_find_disk(cli, cli->args[0], &disk);
        if (r >= 0)
                r = ash_image_machine_options(cli, &disk, &o);
        if (r < 0)
                return r;
        if (port && ash_cli_number(cli, "ssh-port", 0) > 65535)
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "'%s' is no port", port);
        o.ssh_port = port ? (int) ash_cli_number(cli, "ssh-port", 0) : -1;
        o.in_place = ash_cli_flag(cli, "in-place");
        o.agent = command;
        r = ash_machine_start(&o, &m, cli->diags);
        if (r < 0)
                return r;
        if (command)
                return run_command(cli, m, command);
        say_how(cli, m, &disk);
        return ash_machine_terminal(m, cli->diags);
}
