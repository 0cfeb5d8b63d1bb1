/* The command line of QEMU, and what it needs beside. */
#include <inttypes.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include "machine-private.h"

/* ---- arguments ---- */
typedef struct Arguments {
        AshArena *arena;
        ASH_ARRAY(const char *) argv;
} Arguments;

static void add(Arguments *a, const char *option, const char *format, ...) _printf_(3, 4);
static void add(Arguments *a, const char *option, const char *format, ...) {
        _str_ AshStr text = {};
        va_list ap;
        va_start(ap, format);
        ash_str_appendv(&text, format, ap);
        va_end(ap);
        ash_array_push(&a->argv, option);
        ash_array_push(&a->argv, ash_arena_strdup(a->arena, text.ptr));
}

/* In a value of QEMU's key=value lists a comma is doubled. */
static const char *quoted(Arguments *a, const char *path) {
        _str_ AshStr out = {};
        for (const char *p = path; *p; p++)
                ash_str_append(&out, *p == ',' ? ASH_S(",,") : ash_slice(p, 1));
        return ash_arena_strdup(a->arena, out.ptr ? out.ptr : "");
}

static const struct {
        const char *ours, *qemu;
} formats[] = { { "raw", "raw" }, { "vhd", "vpc" }, { "vhd-dynamic", "vpc" }, { "vhdx", "vhdx" }, { "qcow2", "qcow2" }, { "vmdk", "vmdk" } };

static const char *qemu_format(const char *ours) {
        for (size_t i = 0; i < ASH_N(formats); i++)
                if (!strcmp(formats[i].ours, ours))
                        return formats[i].qemu;
        return ours;
}

static void add_disk(Arguments *a, const AshMachineOptions *o, const char *path, const char *format) {
        const char *bus = o->bus ? o->bus : "virtio";
        /* What the scratch overlay holds is gone with the machine: nothing of it must reach the disk. */
        add(a, "-drive", "if=none,id=disk,file=%s,format=%s,cache=%s,discard=unmap", quoted(a, path), format, o->in_place ? "writeback" : "unsafe");
        if (!strcmp(bus, "nvme"))
                add(a, "-device", "nvme,drive=disk,serial=ashlar,bootindex=1");
        else if (!strcmp(bus, "scsi")) {
                add(a, "-device", "virtio-scsi-pci,id=scsi");
                add(a, "-device", "scsi-hd,bus=scsi.0,drive=disk,bootindex=1");
        } else
                add(a, "-device", "virtio-blk-pci,drive=disk,bootindex=1");
        if (o->seed) {
                add(a, "-drive", "if=none,id=seed,file=%s,format=raw,readonly=on", quoted(a, o->seed));
                add(a, "-device", "virtio-blk-pci,drive=seed");
        }
}

static void add_channel(Arguments *a, const char *name, int fd) {
        add(a, "-chardev", "socket,id=%s,fd=%d", name, fd);
}

static int add_machine(Arguments *a, const AshMachineOptions *o, const AshMachineArch *arch, AshMachine *m, AshDiags *diags) {
        const char *why, *wanted = o->accel ? o->accel : "auto";
        bool kvm = strcmp(wanted, "tcg") && ash_kvm_works(&why);
        if (!strcmp(wanted, "kvm") && !kvm)
                return ash_fail(diags, -ENODEV, ASH_NOWHERE, "KVM does not work here: %s", why);
        m->accel = kvm ? "kvm" : "tcg";
        add(a, "-machine", "%s", arch->machine);
        add(a, "-accel", "%s", kvm ? "kvm" : "tcg,thread=multi");
        /* With cmpxchg16b QEMU 7.2 crashed guests under emulation. Where "rep stosb" is said to be fast (erms) kernels clear memory with it: byte by byte, when it is emulated. */
        add(a, "-cpu", "%s", kvm ? "host" : strcmp(arch->name, "x86_64") ? "max,pauth-impdef=on" : "max,-cx16,-erms");
        add(a, "-smp", "%u", o->cpus ? o->cpus : 2);
        add(a, "-m", "%u", o->memory ? o->memory : 1024);
        return 0;
}

static int add_firmware(Arguments *a, const AshMachineArch *arch, AshMachine *m, AshDiags *diags) {
        const char *code, *vars;
        int r = ash_machine_firmware(arch, &code, &vars, diags);
        if (r < 0)
                return r;
        r = ash_copy_file(AT_FDCWD, vars, m->scratch->fd, "vars.fd", 0600);
        if (r < 0)
                return ash_fail_file(diags, r, vars, "cannot copy the firmware's variables: %s", ash_strerror(r));
        add(a, "-drive", "if=pflash,unit=0,format=raw,readonly=on,file=%s", code);
        add(a, "-drive", "if=pflash,unit=1,format=raw,file=%s/vars.fd", quoted(a, m->scratch->path));
        return 0;
}

static int add_overlay(Arguments *a, const AshMachineOptions *o, AshMachine *m, AshDiags *diags) {
        const char *format = qemu_format(o->format);
        char *disk = realpath(o->disk, NULL);
        _free_ _unused_ char *keep = disk;
        _free_ char *overlay = ash_path_join(m->scratch->path, "overlay.qcow2");
        if (!disk)
                return ash_fail_file(diags, -errno, o->disk, "cannot read the disk: %s", ash_strerror(-errno));
        if (o->in_place) {
                add_disk(a, o, disk, format);
                return 0;
        }
        _process_result_ AshProcessResult result = {};
        char size[32];
        snprintf(size, sizeof size, "%" PRIu64, o->disk_size);
        const char *argv[] = { "qemu-img", "create", "-q", "-f", "qcow2", "-F", format, "-b", disk, overlay, o->disk_size ? size : NULL, NULL };
        int r = ash_process_check(&(AshProcess){ .argv = argv, .timeout_ms = 60000 }, &result, diags);
        if (r < 0)
                return r;
        add_disk(a, o, overlay, "qcow2");
        return 0;
}

/* ---- channels: our end stays, the other one QEMU gets ---- */
enum { CHANNEL_CONSOLE, CHANNEL_AGENT, CHANNEL_CONTROL, CHANNELS };
typedef struct Channels {
        int theirs[CHANNELS];
        int errors[2];
} Channels;

static void channels_done(Channels *c) {
        for (size_t i = 0; i < CHANNELS; i++)
                ash_close_p(&c->theirs[i]);
        ash_close_p(&c->errors[0]);
        ash_close_p(&c->errors[1]);
}

static int channels_open(Channels *c, AshMachine *m, bool agent) {
        int *ours[CHANNELS] = { &m->console, &m->agent, &m->control };
        for (size_t i = 0; i < CHANNELS; i++) {
                int fds[2];
                if (i == CHANNEL_AGENT && !agent)
                        continue;
                if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                        return -errno;
                *ours[i] = fds[0];
                c->theirs[i] = fds[1];
        }
        if (pipe2(c->errors, O_CLOEXEC) < 0)
                return -errno;
        m->errors = c->errors[0];
        c->errors[0] = -1;
        return 0;
}

static int keep_channels(void *context) { /* in the child */
        const Channels *c = context;
        for (size_t i = 0; i < CHANNELS; i++)
                if (c->theirs[i] >= 0 && fcntl(c->theirs[i], F_SETFD, 0) < 0)
                        return -errno;
        return 0;
}

static void add_channels(Arguments *a, const AshMachineArch *arch, const Channels *c) {
        add_channel(a, "console", c->theirs[CHANNEL_CONSOLE]);
        add(a, "-serial", "chardev:console");
        add_channel(a, "control", c->theirs[CHANNEL_CONTROL]);
        add(a, "-mon", "chardev=control,mode=control");
        _str_ AshStr smbios = {};
        ash_machine_console_arguments(arch->console, &smbios);
        if (c->theirs[CHANNEL_AGENT] >= 0) {
                add_channel(a, "agent", c->theirs[CHANNEL_AGENT]);
                add(a, "-device", "virtio-serial-pci");
                add(a, "-device", "virtserialport,chardev=agent,name=org.ashlar.agent");
                ash_machine_agent_arguments(&smbios);
        }
        AshSlice rest = ash_str_slice(&smbios), line;
        while (ash_slice_next_line(&rest, &line))
                add(a, "-smbios", "%.*s", ASH_F(line));
}

static int add_network(Arguments *a, const AshMachineOptions *o, AshDiags *diags) {
        if (o->ssh_port > 0) {
                int r = ash_machine_port(o->ssh_port, diags);
                if (r < 0)
                        return r;
        }
        if (o->ssh_port >= 0)
                add(a, "-netdev", "user,id=net,hostfwd=tcp:127.0.0.1:%d-:22", o->ssh_port);
        else
                add(a, "-netdev", "user,id=net");
        add(a, "-device", "virtio-net-pci,netdev=net,romfile=");
        add(a, "-device", "virtio-rng-pci");
        return 0;
}

/* ---- starting ---- */
/* Several may boot one disk at a time, each on an overlay of its own; one that writes to it wants it alone. */
static int lock_disk(const AshMachineOptions *o, AshMachine *m, AshDiags *diags) {
        _close_ int fd = open(o->disk, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return ash_fail_file(diags, -errno, o->disk, "cannot read the disk: %s", ash_strerror(-errno));
        _str_ AshStr path = {};
        ash_str_appendf(&path, "%s.lock", o->disk);
        int r = ash_lock_acquire(AT_FDCWD, path.ptr, o->in_place, 0, &m->lock);
        if (r == -EAGAIN) {
                ash_fail_file(diags, -EBUSY, o->disk, o->in_place ? "the image is booted by another process" : "the image is booted by another process that writes to it");
                ash_hint(diags, o->in_place ? "end that machine first, or boot without --in-place" : "end that machine first");
                return -EBUSY;
        }
        return r == -EACCES || r == -EROFS ? 0 : r < 0 ? ash_fail_file(diags, r, path.ptr, "cannot lock the image: %s", ash_strerror(r)) : 0;
}

static void take_signals(AshMachine *m) {
        sigset_t wanted;
        sigemptyset(&wanted);
        sigaddset(&wanted, SIGINT);
        sigaddset(&wanted, SIGTERM);
        sigaddset(&wanted, SIGHUP);
        pthread_sigmask(SIG_BLOCK, &wanted, &m->old_signals);
        m->signals_blocked = true;
        m->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int launch(AshMachine *m, Arguments *a, Channels *c, const AshMachineArch *arch, AshDiags *diags) {
        ash_array_push(&a->argv, NULL);
        AshProcess p = { .argv = a->argv.items, .stdout_fd = c->errors[1], .stderr_fd = c->errors[1], .before_exec = keep_channels, .before_exec_data = c };
        int r = ash_child_start(&p, &m->child);
        if (r == -ENOENT) {
                ash_fail(diags, r, ASH_NOWHERE, "QEMU is not installed: there is no '%s'", arch->program);
                ash_hint(diags, "it is in the Debian package '%s'", arch->package);
        } else if (r < 0)
                ash_fail(diags, r, ASH_NOWHERE, "cannot start '%s': %s", arch->program, ash_strerror(r));
        m->started = ash_now_ns();
        return r;
}

static int start(const AshMachineOptions *o, AshMachine *m, Arguments *a, Channels *c, AshDiags *diags) {
        const AshMachineArch *arch = ash_machine_arch(o->arch);
        if (!arch)
                return ash_fail(diags, -EINVAL, ASH_NOWHERE, "machines of the architecture %s cannot be run", o->arch);
        int r = lock_disk(o, m, diags);
        if (r < 0)
                return r;
        r = ash_tempdir_new(o->scratch, &m->scratch);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "cannot make a scratch directory: %s", ash_strerror(r));
        ash_array_push(&a->argv, arch->program);
        ash_array_push(&a->argv, "-nodefaults");
        ash_array_push(&a->argv, "-no-user-config");
        add(a, "-display", "none");
        r = add_machine(a, o, arch, m, diags);
        if (r >= 0)
                r = add_firmware(a, arch, m, diags);
        if (r >= 0)
                r = add_overlay(a, o, m, diags);
        if (r >= 0)
                r = add_network(a, o, diags);
        if (r >= 0 && (r = channels_open(c, m, o->agent)) < 0)
                ash_fail(diags, r, ASH_NOWHERE, "cannot make a channel: %s", ash_strerror(r));
        if (r < 0)
                return r;
        add_channels(a, arch, c);
        take_signals(m);
        return launch(m, a, c, arch, diags);
}

/* Which port QEMU got. "TCP[HOST_FORWARD]  12  127.0.0.1 40117  10.0.2.15 22" within the answer's text. */
static int ask_port(AshMachine *m, int wanted, AshDiags *diags) {
        static const char mark[] = "TCP[HOST_FORWARD]";
        int r = ash_machine_control(m, "{\"execute\":\"qmp_capabilities\"}\n");
        if (r >= 0 && wanted >= 0)
                r = ash_machine_control(m, "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"info usernet\"}}\n");
        uint64_t end = ash_now_ns() + UINT64_C(20000000000);
        while (r >= 0 && wanted >= 0 && ash_now_ns() < end) {
                const char *at = m->control_text.len ? strstr(m->control_text.ptr, mark) : NULL;
                if (at && sscanf(at + sizeof mark - 1, " %*d 127.0.0.1 %u", &m->ssh_port) == 1)
                        return 0;
                r = ash_machine_turn(m, -1, 200, diags);
                if (r >= 0 && m->happened & ASH_MACHINE_ENDED)
                        return -EIO;
        }
        return r < 0 ? r : wanted < 0 ? 0 : ash_fail(diags, -ETIMEDOUT, ASH_NOWHERE, "QEMU does not say which port it uses for ssh");
}

int ash_machine_start(const AshMachineOptions *o, AshMachine **ret, AshDiags *diags) {
        _cleanup_(ash_machine_free_p) AshMachine *m = ash_calloc(1, sizeof *m);
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _cleanup_(channels_done) Channels c = { { -1, -1, -1 }, { -1, -1 } };
        Arguments a = { .arena = arena };
        m->console = m->agent = m->control = m->errors = m->signals = -1;
        int r = start(o, m, &a, &c, diags);
        ash_array_done(&a.argv);
        if (r < 0)
                return r;
        channels_done(&c);
        c = (Channels){ { -1, -1, -1 }, { -1, -1 } };
        r = ask_port(m, o->ssh_port, diags);
        if (r < 0)
                return r;
        *ret = ASH_TAKE(m);
        return 0;
}

void ash_machine_free(AshMachine *m) {
        if (!m)
                return;
        ash_child_free(m->child);
        ash_tempdir_free(m->scratch);
        ash_lock_free(m->lock);
        ash_close_p(&m->console);
        ash_close_p(&m->agent);
        ash_close_p(&m->control);
        ash_close_p(&m->errors);
        ash_close_p(&m->signals);
        if (m->signals_blocked)
                pthread_sigmask(SIG_SETMASK, &m->old_signals, NULL);
        ash_str_done(&m->console_text);
        ash_str_done(&m->agent_text);
        ash_str_done(&m->control_text);
        ash_str_done(&m->error_text);
        ash_str_done(&m->answer);
        free(m);
}

unsigned ash_machine_ssh_port(const AshMachine *m) { return m->ssh_port; }
const char *ash_machine_accel(const AshMachine *m) { return m->accel; }
const char *ash_machine_scratch(const AshMachine *m) { return m->scratch->path; }
AshSlice ash_machine_console(const AshMachine *m) { return ash_str_slice(&m->console_text); }
uint64_t ash_machine_age(const AshMachine *m) { return ash_now_ns() - m->started; }
