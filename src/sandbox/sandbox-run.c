/* Runs: bubblewrap for programs; for a function of ours the same by hand, as there is nothing that bubblewrap could execute in a root without our libraries. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/capability.h>
#include "sandbox-private.h"

/* A function of a program that was built with the address sanitizer has terabytes of address space. */
#if defined(__SANITIZE_ADDRESS__)
#define UNLIMITED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNLIMITED true
#endif
#endif
#ifndef UNLIMITED
#define UNLIMITED false
#endif

#define HOST_NAME "localhost"
#define WALL_MS 600000
#define MEMORY (UINT64_C(8) << 30)
#define PROCESSES 1024
#define CHANGES_MAX (UINT64_C(512) << 20) /* they are kept in memory, and in the cache */
#define DISK (UINT64_C(4) << 30)
#define SETUP_FAILED 125           /* exit status of a call that did not come so far; calls use it for nothing else */
#define OUTPUT ((size_t) 1 << 20)
#define WATCH_AFTER_NS UINT64_C(150000000)

/* What root in a room may do: own its files and change to its users. Not: mount, trace, set up networks, load anything. As container engines grant it. */
static const struct { int number; const char *name; } capabilities[] = {
        { CAP_CHOWN, "CAP_CHOWN" }, { CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE" }, { CAP_FOWNER, "CAP_FOWNER" }, { CAP_FSETID, "CAP_FSETID" }, { CAP_KILL, "CAP_KILL" }, { CAP_SETGID, "CAP_SETGID" },
        { CAP_SETUID, "CAP_SETUID" }, { CAP_SETPCAP, "CAP_SETPCAP" }, { CAP_SETFCAP, "CAP_SETFCAP" }, { CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE" }, { CAP_SYS_CHROOT, "CAP_SYS_CHROOT" },
        { CAP_MKNOD, "CAP_MKNOD" }, { CAP_AUDIT_WRITE, "CAP_AUDIT_WRITE" },
};
static const char *const environment[] = { "PATH=/sbin:/bin:/usr/sbin:/usr/bin", "HOME=/root", "LC_ALL=C", "TZ=UTC0", NULL };
static const char *const mount_points[] = { "proc", "dev", "tmp" };
static const char *const devices[] = { "null", "zero", "full", "random", "urandom", "tty" };

static AshSandboxLimits limits_of(const AshSandbox *s) {
        AshSandboxLimits l = s->limits;
        l.wall_ms = s->shell ? 0 : l.wall_ms ? l.wall_ms : WALL_MS;
        l.cpu_s = l.cpu_s ? l.cpu_s : s->shell ? 0 : (unsigned) (l.wall_ms / 1000 + 1);
        l.memory = l.memory ? l.memory : MEMORY;
        l.processes = l.processes ? l.processes : PROCESSES;
        l.disk = l.disk ? l.disk : DISK;
        l.output = l.output ? l.output : OUTPUT;
        return l;
}

/* ---- in the child ---- */
typedef struct Child {
        const AshSandbox *s;
        AshSandboxLimits limits;
        int script_fd;               /* -1: none */
        char *overlay;               /* mount options; NULL: the base itself is the root */
        int clock_fd;                /* the library of a fixed clock; -1: none */
        int args_fd;                 /* bubblewrap's options */
        int status_fd;               /* where bubblewrap says how far it came; -1: none */
        int ids_fd;                  /* a number that is free in the child, for the user namespace of a user; -1: none */
} Child;

static void limit(int what, uint64_t value) {
        struct rlimit l = { value, value };
        if (value)
                (void) setrlimit((__rlimit_resource_t) what, &l);
}

static void set_limits(const Child *c) {
        limit(RLIMIT_CPU, c->limits.cpu_s);
        limit(RLIMIT_NPROC, c->limits.processes);
        limit(RLIMIT_FSIZE, c->limits.file ? c->limits.file : c->limits.disk);
        if (!UNLIMITED || !c->s->call)
                limit(RLIMIT_AS, c->limits.memory);
        struct rlimit none = {};
        (void) setrlimit(RLIMIT_CORE, &none);
        if (c->limits.cpus) {
                cpu_set_t all, some;
                CPU_ZERO(&some);
                unsigned n = 0;
                for (int i = 0; sched_getaffinity(0, sizeof all, &all) == 0 && i < CPU_SETSIZE && n < c->limits.cpus; i++)
                        if (CPU_ISSET(i, &all)) {
                                CPU_SET(i, &some);
                                n++;
                        }
                (void) sched_setaffinity(0, sizeof some, &some);
        }
}

/* What /proc tells of the host, and nothing that runs needs: empty. */
static const char *const masked[] = { "cmdline", "bootconfig", "partitions", "diskstats", "swaps", "modules", "interrupts", "iomem", "ioports", "locks", "keys", "key-users", "kallsyms", "timer_list", "zoneinfo", "vmallocinfo" };
#define EMPTY "empty"

static int make_empty(const char *place) {
        char path[4200];
        snprintf(path, sizeof path, "%s/" EMPTY, place);
        _close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
        return fd < 0 ? -errno : 0;
}

static int make_dirs(const char *place) {
        static const struct { const char *name; mode_t mode; } dirs[] = { { "up", 0755 }, { "work", 0755 }, { "root", 0755 }, { "tmp", 01777 }, { "shm", 01777 } };
        char path[4200];
        for (size_t i = 0; i < ASH_N(dirs); i++) {
                snprintf(path, sizeof path, "%s/%s", place, dirs[i].name);
                if (mkdir(path, 0755) < 0 || chmod(path, dirs[i].mode) < 0)
                        return -errno;
        }
        return 0;
}

/* Layers by short names: the names that they have on the host would be seen in /proc/self/mountinfo. */
static int mount_overlay(const Child *c) {
        char name[16];
        if (chdir(c->s->room->run) < 0)
                return -errno;
        for (unsigned i = 0; c->s->layers && c->s->layers[i]; i++) {
                snprintf(name, sizeof name, "l%u", i);
                if (mkdir(name, 0755) < 0 || mount(c->s->layers[i], name, NULL, MS_BIND | MS_REC, NULL) < 0)
                        return -errno;
        }
        return mount("overlay", "root", "overlay", MS_NODEV, c->overlay) < 0 || chdir("/") < 0 ? -errno : 0;
}

/* Where everything goes that a run writes and nobody wants afterwards: a file system of its own, or, where some of it is kept, the room's, so that one limit holds for all. In a mount namespace of its own. */
static int make_place(const Child *c) {
        char options[96];
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return -errno;
        snprintf(options, sizeof options, "mode=0755,size=%llu,nr_inodes=%llu", (unsigned long long) c->limits.disk, (unsigned long long) ash_sandbox_names(c->limits.disk));
        if (!c->s->kept && mount("tmpfs", c->s->room->run, "tmpfs", MS_NODEV, options) < 0)
                return -errno;
        int r = make_dirs(c->s->room->run);
        if (r >= 0)
                r = make_empty(c->s->room->run);
        return r < 0 || !c->overlay ? r : mount_overlay(c);
}

/* A user of the room, who sees all of its ids. */
static int become(const Child *c) {
        const AshSandbox *s = c->s;
        if (!s->uid)
                return 0;
        int fd = ash_sandbox_all_ids(s->uid, s->gid);
        if (fd < 0)
                return fd;
        int r = dup2(fd, c->ids_fd) < 0 || setresgid(s->gid, s->gid, s->gid) < 0 || setresuid(s->uid, s->uid, s->uid) < 0 ? -errno : 0;
        close(fd);
        return r;
}

static int before_bwrap(void *data) {
        Child *c = data;
        ash_sandbox_shed();
        int r = ash_sandbox_enter(c->s->room);
        if (r >= 0)
                r = make_place(c);
        if (r >= 0)
                r = become(c);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* new credentials reset it */
        if (r >= 0)
                set_limits(c);
        if (r >= 0 && c->s->one_output && !c->s->shell && dup2(2, 1) < 0)
                r = -errno;
        fcntl(c->status_fd, F_SETFD, 0);
        fcntl(c->args_fd, F_SETFD, 0);
        if (c->clock_fd >= 0)
                fcntl(c->clock_fd, F_SETFD, 0);
        return r < 0 ? r : ash_sandbox_filter();
}

/* ---- a function instead of a program ---- */
static int bind_device(const char *root, const char *name) {
        char from[32], to[4200];
        snprintf(from, sizeof from, "/dev/%s", name);
        snprintf(to, sizeof to, "%s/dev/%s", root, name);
        int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0)
                return -errno;
        close(fd);
        return mount(from, to, NULL, MS_BIND, NULL) < 0 && errno != ENOENT ? -errno : 0;
}

static int mount_at(const char *root, const char *dir, const char *type, unsigned long flags, const char *options) {
        char path[4200];
        snprintf(path, sizeof path, "%s/%s", root, dir);
        return mount(type, path, type, MS_NOSUID | MS_NODEV | flags, options) < 0 ? -errno : 0;
}

static int write_within(const char *root, const char *name, AshSlice content) {
        char path[4200];
        snprintf(path, sizeof path, "%s%s", root, name);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        int r = fd < 0 ? -errno : ash_write_all(fd, content.ptr, content.len);
        if (fd >= 0)
                close(fd);
        return r;
}

static AshSlice clock_library(void) { return ash_slice((const char *) ash_sandbox_clock, ash_sandbox_clock_size); }

static int mask(const char *root, const char *name) {
        char from[4200], to[4200];
        snprintf(from, sizeof from, "%s/dev/null", root);
        snprintf(to, sizeof to, "%s/proc/%s", root, name);
        return mount(from, to, NULL, MS_BIND, NULL) < 0 && errno != ENOENT ? -errno : 0;
}

static int make_root(const Child *c) {
        const char *root = c->s->room->base;
        char tmp[64];
        snprintf(tmp, sizeof tmp, "mode=1777,size=%llu", (unsigned long long) c->limits.disk);
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount(root, root, NULL, MS_BIND | MS_REC, NULL) < 0)
                return -errno;
        int r = mount_at(root, "dev", "tmpfs", MS_NOEXEC, "mode=0755,size=65536");
        for (size_t i = 0; r >= 0 && i < ASH_N(devices); i++)
                r = bind_device(root, devices[i]);
        if (r >= 0)
                r = mount_at(root, "proc", "proc", MS_NOEXEC, NULL);
        for (size_t i = 0; r >= 0 && i < ASH_N(masked); i++)
                r = mask(root, masked[i]);
        if (r >= 0)
                r = mount_at(root, "tmp", "tmpfs", 0, tmp);
        if (r >= 0 && c->s->script.ptr)
                r = write_within(root, ASH_SANDBOX_SCRIPT, c->s->script);
        if (r >= 0 && c->s->clock)
                r = write_within(root, ASH_SANDBOX_CLOCK, clock_library());
        if (r < 0)
                return r;
        if (chdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir(c->s->cwd ? c->s->cwd : "/") < 0)
                return -errno;
        return 0;
}

static int drop_capabilities(void) {
        struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
        struct __user_cap_data_struct data[2] = {};
        uint64_t keep = 0;
        for (size_t i = 0; i < ASH_N(capabilities); i++)
                keep |= UINT64_C(1) << capabilities[i].number;
        for (int k = 0; k < 64; k++)
                if (!(keep & UINT64_C(1) << k))
                        prctl(PR_CAPBSET_DROP, k, 0, 0, 0);
        for (unsigned w = 0; w < 2; w++)
                data[w].effective = data[w].permitted = data[w].inheritable = (uint32_t) (keep >> 32 * w);
        if (syscall(SYS_capset, &head, data) < 0)
                return -errno;
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static void call_inside(const Child *c) {
        const AshSandbox *s = c->s;
        const char *host = s->host_name ? s->host_name : HOST_NAME;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int r = make_root(c);
        if (r >= 0 && sethostname(host, strlen(host)) < 0)
                r = -errno;
        if (r >= 0)
                r = drop_capabilities();
        if (r >= 0)
                r = ash_sandbox_filter();
        for (char **e = environ; *e; e++) /* /proc/self/environ shows these bytes even when nothing points to them any more */
                memset(*e, 0, strlen(*e));
        clearenv();
        for (const char *const *e = s->env ? s->env : environment; *e; e++)
                putenv((char *) *e);
        if (s->clock) { /* for what it starts */
                static char clock[48];
                snprintf(clock, sizeof clock, "ASHLAR_CLOCK=%lld", (long long) s->clock);
                putenv(clock);
                putenv((char *) "LD_PRELOAD=" ASH_SANDBOX_CLOCK);
        }
        if (r < 0)
                dprintf(2, "sandbox: cannot set up: %s\n", ash_strerror(r));
        _exit(r < 0 ? SETUP_FAILED : s->call(s->call_data));
}

/* Never returns when it comes so far: the child's exit is that of the function. */
static int before_call(void *data) {
        Child *c = data;
        int status, flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | (c->s->network ? 0 : CLONE_NEWNET);
        ash_sandbox_shed();
        int r = ash_sandbox_enter(c->s->room);
        if (r < 0 || unshare(flags) < 0)
                return r < 0 ? r : -errno;
        set_limits(c);
        if (c->s->one_output && dup2(2, 1) < 0)
                return -errno;
        syscall(SYS_close_range, 3u, ~0u, 0u); /* the caller waits for its end of a pipe to be closed, as exec would do it */
        pid_t pid = fork();
        if (pid == 0)
                call_inside(c);
        if (pid < 0)
                _exit(SETUP_FAILED);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* ---- bubblewrap's arguments ---- */
typedef struct Args {
        ASH_ARRAY(const char *) items;
        AshArena *arena;
} Args;

static void add(Args *a, const char *x, const char *y, const char *z) {
        ash_array_push(&a->items, x);
        if (y)
                ash_array_push(&a->items, y);
        if (z)
                ash_array_push(&a->items, z);
}

static void bwrap_args(Args *a, const AshSandbox *s, const Child *c) {
        const char *place = s->room->run;
        add(a, "--unshare-pid", "--unshare-ipc", NULL);
        add(a, "--unshare-uts", "--unshare-cgroup-try", s->network ? NULL : "--unshare-net");
        add(a, "--json-status-fd", ash_arena_printf(a->arena, "%d", c->status_fd), NULL);
        add(a, "--die-with-parent", s->shell ? NULL : "--new-session", NULL);
        add(a, "--hostname", s->host_name ? s->host_name : HOST_NAME, NULL);
        if (s->uid) {
                add(a, "--userns", ash_arena_printf(a->arena, "%d", c->ids_fd), "--assert-userns-disabled");
                add(a, "--block-fd", ash_arena_printf(a->arena, "%d", c->ids_fd), NULL); /* nothing can be read from it: it is closed, which --userns leaves to nobody, and the program would have it */
                add(a, "--uid", ash_arena_printf(a->arena, "%u", s->uid), NULL);
                add(a, "--gid", ash_arena_printf(a->arena, "%u", s->gid), NULL);
        } else
                add(a, "--cap-drop", "ALL", NULL);
        for (size_t i = 0; i < ASH_N(capabilities) && !s->uid; i++)
                add(a, "--cap-add", capabilities[i].name, NULL);
        add(a, "--bind", c->overlay ? ash_arena_printf(a->arena, "%s/root", place) : s->room->base, "/");
        add(a, "--proc", "/proc", NULL);
        for (size_t i = 0; i < ASH_N(masked); i++) {
                const char *path = ash_arena_printf(a->arena, "/proc/%s", masked[i]);
                if (access(path, F_OK) == 0) /* the kernel is the same */
                        add(a, "--ro-bind", ash_arena_printf(a->arena, "%s/" EMPTY, place), path);
        }
        add(a, "--dev", "/dev", NULL);
        add(a, "--bind", ash_arena_printf(a->arena, "%s/shm", place), "/dev/shm");
        add(a, "--remount-ro", "/dev", NULL);
        add(a, "--bind", ash_arena_printf(a->arena, "%s/tmp", place), "/tmp");
        if (c->script_fd >= 0)
                add(a, "--ro-bind-data", ash_arena_printf(a->arena, "%d", c->script_fd), ASH_SANDBOX_SCRIPT);
        if (c->clock_fd >= 0) {
                add(a, "--perms", "0444", NULL);
                add(a, "--ro-bind-data", ash_arena_printf(a->arena, "%d", c->clock_fd), ASH_SANDBOX_CLOCK);
        }
        for (const char *const *k = s->kept; k && *k && c->overlay; k++)
                add(a, "--bind", ash_arena_printf(a->arena, "%s%s", s->room->base, *k), *k);
        for (size_t i = 0; i < s->n_binds; i++)
                add(a, s->binds[i].writable ? "--bind" : "--ro-bind", s->binds[i].from, s->binds[i].to);
        add(a, "--chdir", s->cwd ? s->cwd : "/", NULL);
        add(a, "--clearenv", NULL, NULL);
        for (const char *const *e = s->env ? s->env : environment; *e; e++) {
                const char *equals = strchr(*e, '=');
                if (equals)
                        add(a, "--setenv", ash_arena_strndup(a->arena, *e, (size_t) (equals - *e)), equals + 1);
        }
        if (c->clock_fd >= 0) {
                add(a, "--setenv", "LD_PRELOAD", ASH_SANDBOX_CLOCK);
                add(a, "--setenv", "ASHLAR_CLOCK", ash_arena_printf(a->arena, s->clock ? "%lld" : "+%lld", (long long) (s->clock ? s->clock : s->clock_shift)));
        }
}

static int memory_file(const char *name, AshSlice content) {
        int fd = memfd_create(name, MFD_CLOEXEC);
        int r = fd < 0 ? -errno : ash_write_all(fd, content.ptr, content.len);
        if (r >= 0 && lseek(fd, 0, SEEK_SET) < 0)
                r = -errno;
        if (r < 0 && fd >= 0)
                close(fd);
        return r < 0 ? r : fd;
}

/* Its options by a descriptor: /proc/1/cmdline is for everybody in there, and they name places of the host. */
static int command_line(Args *a, const AshSandbox *s, Child *c) {
        _str_ AshStr text = {};
        bwrap_args(a, s, c);
        ash_array_foreach(&a->items, option)
                ash_str_append(&text, ash_slice(*option, strlen(*option) + 1));
        c->args_fd = memory_file("ashlar-options", ash_str_slice(&text));
        if (c->args_fd < 0)
                return c->args_fd;
        a->items.n = 0;
        add(a, "bwrap", "--args", ash_arena_printf(a->arena, "%d", c->args_fd));
        add(a, "--", NULL, NULL);
        for (const char *const *w = s->argv; *w; w++)
                add(a, *w, NULL, NULL);
        ash_array_push(&a->items, NULL);
        return 0;
}

/* ---- before and after ---- */
/* What the last run left in the room. */
static int clear_place(const AshSandboxRoom *room) {
        _dirlist_ AshDirList list = {};
        int r = ash_dir_list(AT_FDCWD, room->run, &list);
        ash_array_foreach(&list.entries, e) {
                _free_ char *path = ash_path_join(room->run, e->name);
                if (r >= 0)
                        r = ash_remove_all(AT_FDCWD, path);
        }
        return r;
}

/* Where something will be mounted there must be a directory; it is there before the first list, so that it is no change. */
static int prepare(AshSandboxCall *c, void *data) {
        const AshSandbox *s = data;
        int r = s->kept ? clear_place(s->room) : 0;
        if (r < 0)
                return r;
        for (size_t i = 0; i < ASH_N(mount_points); i++) {
                struct stat st;
                if (mkdirat(c->base, mount_points[i], 0755) < 0 && errno != EEXIST)
                        return -errno;
                if (fstatat(c->base, mount_points[i], &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode)) {
                        snprintf(c->problem, sizeof c->problem, "/%s of the root is no directory", mount_points[i]);
                        return -ENOTDIR;
                }
        }
        if (!s->changes)
                return 0;
        /* A file that was written within the clock's last tick could be written again without a change of its ctime. */
        struct timespec tick = { 0, 12000000 };
        nanosleep(&tick, NULL);
        return ash_sandbox_scan(c->base, c->out_fd);
}

typedef struct Compare {
        AshSlice before;
} Compare;
static int compare(AshSandboxCall *c, void *data) {
        int r = ash_sandbox_scan_changes(c->base, ((Compare *) data)->before, CHANGES_MAX, c->out_fd);
        if (r == -EFBIG)
                snprintf(c->problem, sizeof c->problem, "files of more than %u MiB", (unsigned) (CHANGES_MAX >> 20));
        return r;
}

void ash_sandbox_result_done(AshSandboxResult *r) {
        ash_process_result_done(&r->process);
        ash_bytes_done(&r->changes);
        *r = (AshSandboxResult){};
}

/* Of an overlay that is mounted in the run's place (mount_overlay()). */
static char *overlay_options(const AshSandbox *s) {
        _str_ AshStr out = {};
        if (!s->fresh && !s->layers)
                return NULL;
        ash_str_append_str(&out, "userxattr,lowerdir=../base");
        for (unsigned i = 0; s->layers && s->layers[i]; i++)
                ash_str_appendf(&out, ":l%u", i);
        ash_str_append_str(&out, ",upperdir=up,workdir=work");
        return ash_str_take(&out);
}

/* Somebody looks at what a run takes in all; at one that takes a moment only, like the reading of a spec, nobody needs to. */
typedef struct Tick {
        const AshSandbox *s;
        const Child *child;
        AshSandboxWatch watch;
        uint64_t began;
} Tick;

static void tick(void *data) {
        Tick *t = data;
        if (!t->watch.pid && !t->s->call && (t->s->kept || ash_now_ns() - t->began >= WATCH_AFTER_NS))
                ash_sandbox_watch_start(&t->watch, t->s->room, &t->child->limits, t->child->status_fd);
        if (t->s->every)
                t->s->every(t->s->every_data);
}

static int start(const AshSandbox *s, Child *child, AshSandboxResult *ret) {
        Args a = { .arena = ash_arena_new() };
        static const char *const nothing[] = { "true", NULL }, *const no_env[] = { NULL };
        _free_ char *options = overlay_options(s);
        Tick t = { .s = s, .child = child, .began = ash_now_ns() };
        child->overlay = options;
        AshProcess p = { .timeout_ms = child->limits.wall_ms, .output_limit = child->limits.output, .cwd = "/", .keep_fd = child->script_fd >= 0 ? child->script_fd : 0, .input = s->input, .sink = s->sink, .sink_data = s->sink_data, .every = tick, .every_data = &t, .terminal = s->shell && !s->call,
                         .before_exec_data = child, .before_exec = s->call ? before_call : before_bwrap, .argv = nothing };
        int r = 0;
        if (!s->call) {
                r = command_line(&a, s, child);
                p.argv = a.items.items;
                p.env = no_env; /* it is the sandbox's process 1, and whoever is in there may read /proc/1/environ */
        }
        if (r >= 0)
                r = ash_process_run(&p, &ret->process);
        ash_sandbox_watch_stop(&t.watch, &ret->taken);
        ash_close_p(&child->args_fd);
        ash_array_done(&a.items);
        ash_arena_free(a.arena);
        return r;
}

/* bubblewrap tells an exit code only of what it could start. */
static bool has_started(int status_fd) {
        _bytes_ AshBytes text = {};
        return lseek(status_fd, 0, SEEK_SET) == 0 && ash_file_read_fd(status_fd, 1 << 16, &text) >= 0 && ash_slice_find(ash_bytes_slice(&text), ASH_S("\"exit-code\"")) >= 0;
}

/* The program failed, or there was none: that is the caller's matter. Anything else is a fault of this machine. */
static int judge(const AshSandbox *s, const Child *child, AshSandboxResult *ret, AshDiags *diags) {
        AshProcessResult *p = &ret->process;
        AshSlice said = ash_str_slice(&p->err);
        if (ret->taken.over || p->timed_out || p->stopped || p->signal || (s->call ? p->status != SETUP_FAILED : p->status == 0 || has_started(child->status_fd)))
                return 0;
        if (!s->call && ash_slice_find(said, ASH_S("bwrap: execvp ")) >= 0) {
                p->status = 127; /* as shells say it */
                return 0;
        }
        int r = ash_fail(diags, -ENOTSUP, ASH_NOWHERE, "sandbox: %s", s->call ? "cannot be set up" : "bubblewrap cannot set it up");
        ash_note(diags, ASH_NOWHERE, "%.*s", (int) ASH_MIN(said.len, (size_t) 400), said.ptr);
        return r;
}

static int not_run(AshDiags *diags, int r) {
        r = ash_fail(diags, r, ASH_NOWHERE, "sandbox: cannot run bubblewrap: %s", ash_strerror(r));
        if (r == -ENOENT)
                ash_hint(diags, "bwrap is in the Debian package 'bubblewrap'");
        return r;
}

int ash_sandbox_check(AshDiags *diags) {
        static const char *const version[] = { "bwrap", "--version", NULL };
        _cleanup_(ash_sandbox_room_free_p) AshSandboxRoom *room = NULL;
        _process_result_ AshProcessResult out = {};
        int r = ash_process_run(&(AshProcess){ .argv = version, .timeout_ms = 10000 }, &out);
        return r < 0 ? not_run(diags, r) : ash_sandbox_room_new(&(AshSandboxRoomOptions){}, &room, diags);
}

int ash_sandbox_run(const AshSandbox *s, AshSandboxResult *ret, AshDiags *diags) {
        _bytes_ AshBytes before = {};
        _close_ int script = -1, status = -1, clock = -1, ids = -1;
        char problem[256];
        Child child = { .s = s, .limits = limits_of(s), .script_fd = -1, .status_fd = -1, .clock_fd = -1, .args_fd = -1, .ids_fd = -1 };
        int r = ash_sandbox_room_call(s->room, prepare, (void *) s, &before, problem);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "sandbox: cannot prepare the root: %s", *problem ? problem : ash_strerror(r));
        if (s->script.ptr && !s->call) {
                script = child.script_fd = memory_file("ashlar-script", s->script);
                if (script < 0)
                        return ash_fail(diags, script, ASH_NOWHERE, "sandbox: %s", ash_strerror(script));
        }
        if ((s->clock || s->clock_shift > 0) && !s->call) {
                clock = child.clock_fd = memory_file("ashlar-clock", clock_library());
                if (clock < 0)
                        return ash_fail(diags, clock, ASH_NOWHERE, "sandbox: %s", ash_strerror(clock));
        }
        status = child.status_fd = memfd_create("ashlar-status", MFD_CLOEXEC);
        if (s->uid)
                ids = child.ids_fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the child puts the namespace there */
        r = status < 0 || (s->uid && ids < 0) ? -errno : start(s, &child, ret);
        if (r < 0)
                return not_run(diags, r);
        r = judge(s, &child, ret, diags);
        if (r < 0 || !s->changes)
                return r;
        Compare c = { ash_bytes_slice(&before) };
        r = ash_sandbox_room_call(s->room, compare, &c, &ret->changes, problem);
        return r < 0 ? ash_fail(diags, r, ASH_NOWHERE, "sandbox: cannot read what was changed: %s", *problem ? problem : ash_strerror(r)) : 0;
}
