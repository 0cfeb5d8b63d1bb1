/* image boot: a disk image in QEMU, its serial console in the terminal. */
#include "verb-image.h"
#include "io.h"
#include "machine.h"

#define BOOT_SECONDS 600       /* until commands can be run, under emulation on a busy host */
#define COMMAND_SECONDS 600
#define MEMORY_MIN 128

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

/* ---- seeds ---- */
/* What cloud-init in the machine reads: the user's own file, or a user who may log in with a key that was made for this machine. */
static int user_data(AshCli *cli, AshTempDir *room, bool key, const char **ret_key, AshArena *arena, AshStr *out) {
        const char *seed = ash_cli_option(cli, "seed");
        _bytes_ AshBytes bytes = {};
        if (seed) {
                int r = ash_file_read(AT_FDCWD, seed, 16 << 20, &bytes);
                ash_str_append(out, ash_bytes_slice(&bytes));
                return r < 0 ? ash_fail_file(cli->diags, r, seed, "cannot read the user-data: %s", ash_strerror(r)) : 0;
        }
        if (!key)
                return 0;
        _process_result_ AshProcessResult result = {};
        const char *private_key = ash_arena_printf(arena, "%s/key", room->path);
        const char *argv[] = { "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "made by ashlar image boot", "-f", private_key, NULL };
        int r = ash_process_check(&(AshProcess){ .argv = argv, .timeout_ms = 60000 }, &result, cli->diags);
        if (r >= 0 && (r = ash_file_read(room->fd, "key.pub", 4096, &bytes)) < 0)
                ash_fail_file(cli->diags, r, private_key, "cannot read the new key: %s", ash_strerror(r));
        if (r < 0)
                return r;
        ash_str_appendf(out, "#cloud-config\nusers:\n  - name: " ASH_SEED_USER "\n    shell: /bin/bash\n    lock_passwd: true\n    sudo: \"ALL=(ALL) NOPASSWD:ALL\"\n    ssh_authorized_keys:\n      - %.*s\n",
                        ASH_F(ash_slice_trim_right(ash_bytes_slice(&bytes))));
        *ret_key = private_key;
        return 0;
}

static int make_seed(AshCli *cli, AshTempDir *room, bool key, const char **ret_key, AshArena *arena, const char **ret_path) {
        _str_ AshStr user = {}, meta = {};
        int r = user_data(cli, room, key, ret_key, arena, &user);
        if (r < 0 || !user.len)
                return r;
        /* cloud-init works once for each instance: what the seed says is what it is called by, so that another seed is another machine. */
        char digest[ASH_HEX_MAX];
        ash_digest_hex_of(ASH_SHA256, ash_str_slice(&user), digest);
        ash_str_appendf(&meta, "instance-id: ashlar-%.16s\n", digest);
        *ret_path = ash_arena_printf(arena, "%s/seed.img", room->path);
        return ash_machine_seed(*ret_path, ash_str_slice(&user), ash_str_slice(&meta), cli->diags);
}

int ash_image_machine_options(AshCli *cli, const AshImageDisk *disk, AshArena *arena, AshTempDir *room, bool key, const char **ret_key, AshMachineOptions *ret) {
        const char *seed = NULL;
        uint64_t memory = ash_cli_number(cli, "memory", 0);
        if (memory && memory < MEMORY_MIN)
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--memory %llu: no machine starts with less than %d MiB", (unsigned long long) memory, MEMORY_MIN);
        int r = make_seed(cli, room, key, ret_key, arena, &seed);
        if (r < 0)
                return r;
        *ret = (AshMachineOptions){ .disk = disk->path, .format = disk->format, .arch = disk->arch, .accel = ash_cli_option(cli, "accel"), .bus = ash_cli_option(cli, "bus"),
                                    .memory = (unsigned) memory, .cpus = (unsigned) ash_cli_number(cli, "cpus", 0), .disk_size = ash_cli_number(cli, "disk-size", 0) << 30, .ssh_port = -1, .seed = seed };
        return 0;
}

int ash_image_room(AshCli *cli, AshTempDir **ret) {
        int r = ash_tempdir_new(NULL, ret);
        return r < 0 ? ash_fail(cli->diags, r, ASH_NOWHERE, "cannot make a scratch directory: %s", ash_strerror(r)) : 0;
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

static void say_how(AshCli *cli, const AshMachine *m, const AshImageDisk *disk, const char *key) {
        if (cli->quiet)
                return;
        fprintf(stderr, "%s boots (%s)", disk->path, ash_machine_accel(m));
        if (isatty(STDIN_FILENO))
                fprintf(stderr, "; three times ^] ends it");
        fprintf(stderr, "\n");
        if (key)
                fprintf(stderr, "log in from another terminal, once the console asks for a login:\n  ssh -i %s -p %u -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no " ASH_SEED_USER "@127.0.0.1\n", key, ash_machine_ssh_port(m));
        else if (ash_machine_ssh_port(m))
                fprintf(stderr, "ssh: port %u of 127.0.0.1\n", ash_machine_ssh_port(m));
}

int ash_image_boot(AshCli *cli) {
        _cleanup_(ash_image_disk_done) AshImageDisk disk = {};
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _cleanup_(ash_tempdir_free_p) AshTempDir *room = NULL;
        _cleanup_(ash_machine_free_p) AshMachine *m = NULL;
        const char *key = NULL, *command = ash_cli_option(cli, "command"), *port = ash_cli_option(cli, "ssh-port");
        AshMachineOptions o;
        int r = ash_image_find_disk(cli, cli->args[0], &disk);
        if (r >= 0)
                r = ash_image_room(cli, &room);
        if (r >= 0)
                r = ash_image_machine_options(cli, &disk, arena, room, port, &key, &o);
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
        say_how(cli, m, &disk, key);
        return ash_machine_terminal(m, cli->diags);
}
