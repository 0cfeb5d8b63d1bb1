/* The sandbox, with the host's own /usr as the root that programs see. */
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/keyctl.h>
#include <cmocka.h>
#include "sandbox-private.h"

static AshSandboxRoom *room;

static int fill(AshSandboxCall *c, void *data _unused_) {
        static const char *const links[][2] = { { "usr/bin", "bin" }, { "usr/sbin", "sbin" }, { "usr/lib", "lib" }, { "usr/lib64", "lib64" } };
        static const char *const dirs[] = { "etc", "usr", "var", "var/empty", "root" };
        for (size_t i = 0; i < ASH_N(dirs); i++)
                if (mkdirat(c->base, dirs[i], 0755) < 0)
                        return -errno;
        for (size_t i = 0; i < ASH_N(links); i++)
                if (symlinkat(links[i][0], c->base, links[i][1]) < 0)
                        return -errno;
        return ash_file_write_atomic(c->base, "etc/old", ASH_S("old\n"), 0644, false);
}

static int setup(void **state _unused_) {
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        AshSandboxRoomOptions o = { .one_id = getenv("ASHLAR_ONE_ID") != NULL };
        char problem[256];
        int r = ash_sandbox_room_new(&o, &room, diags);
        for (size_t i = 0; i < ash_diags_n(diags); i++) {
                _str_ AshStr text = {};
                ash_diag_format(ash_diags_at(diags, i), false, &text);
                fprintf(stderr, "%s\n", text.ptr);
        }
        if (r == -ENOTSUP)
                return 0; /* said above: this machine cannot, and the tests are skipped */
        return r < 0 ? r : ash_sandbox_room_call(room, fill, NULL, NULL, problem);
}

static int teardown(void **state _unused_) {
        ash_sandbox_room_free(room);
        return 0;
}

static AshSandboxResult sh(const char *text, AshSandboxLimits limits) {
        static const AshSandboxBind usr = { "/usr", "/usr", false };
        const char *const argv[] = { "/bin/sh", ASH_SANDBOX_SCRIPT, "1", NULL };
        AshSandboxResult result = {};
        AshSandbox s = { .room = room, .argv = argv, .script = ash_slice_str(text), .changes = true, .one_output = true, .limits = limits, .binds = &usr, .n_binds = 1 };
        assert_int_equal(ash_sandbox_run(&s, &result, NULL), 0);
        return result;
}
#define _result_ _cleanup_(ash_sandbox_result_done)

static char *changes_of(const AshSandboxResult *r) {
        AshSlice rest = ash_bytes_slice(&r->changes);
        AshSandboxChange c;
        _str_ AshStr out = {};
        int k;
        while ((k = ash_sandbox_change_next(&rest, &c)) > 0) {
                ash_str_appendf(&out, "%c %o %u:%u %.*s", c.kind, c.mode, c.uid, c.gid, ASH_F(c.path));
                if (c.link.len)
                        ash_str_appendf(&out, " -> %.*s", ASH_F(c.link));
                if (c.content.len)
                        ash_str_appendf(&out, " = %.*s", ASH_F(ash_slice_trim(c.content)));
                ash_str_append_char(&out, '\n');
        }
        assert_int_equal(k, 0);
        return ash_str_take(&out);
}

static void changes(void **state _unused_) {
        if (!room)
                skip();
        _result_ AshSandboxResult r = sh("set -e; umask 027; mkdir -p /opt/x; echo new > /opt/x/file; ln /opt/x/file /opt/x/again; ln -s file /opt/x/link; mkfifo /opt/x/pipe\n"
                                         "chmod 4711 /opt/x/file; chown 12:34 /opt/x/file; rm /etc/old; echo out; echo err >&2; hostname", (AshSandboxLimits){});
        _free_ char *text = changes_of(&r);
        assert_string_equal(r.process.err.ptr, "out\nerr\nlocalhost\n");
        assert_int_equal(r.process.status, 0);
        assert_string_equal(text, "D 755 0:0 /\nD 755 0:0 /etc\nR 0 0:0 /etc/old\nD 750 0:0 /opt\nD 750 0:0 /opt/x\nF 711 12:34 /opt/x/again = new\nH 711 12:34 /opt/x/file -> /opt/x/again\n"
                                  "L 777 0:0 /opt/x/link -> file\nP 640 0:0 /opt/x/pipe\n");
        _result_ AshSandboxResult again = sh("rm -rf /opt; mkdir /etc/dir; echo same > /etc/f; touch /etc/g", (AshSandboxLimits){});
        _free_ char *second = changes_of(&again);
        assert_string_equal(second, "D 755 0:0 /\nD 755 0:0 /etc\nD 755 0:0 /etc/dir\nF 644 0:0 /etc/f = same\nF 644 0:0 /etc/g\nR 0 0:0 /opt\n");
        _result_ AshSandboxResult third = sh("rm -r /etc/dir; echo file > /etc/dir; rm /etc/f; mkdir -p /etc/f/below; true > /etc/g", (AshSandboxLimits){});
        _free_ char *thirds = changes_of(&third);
        assert_string_equal(thirds, "D 755 0:0 /etc\nR 0 0:0 /etc/dir\nF 644 0:0 /etc/dir = file\nR 0 0:0 /etc/f\nD 755 0:0 /etc/f\nD 755 0:0 /etc/f/below\nF 644 0:0 /etc/g\n");
        _result_ AshSandboxResult nothing = sh("cat /etc/dir", (AshSandboxLimits){});
        _free_ char *none = changes_of(&nothing);
        assert_string_equal(none, "");
}

/* What must not be seen or reached. */
static void shut_off(void **state _unused_) {
        if (!room)
                skip();
        _result_ AshSandboxResult r = sh("ls -d /home /work /proc/1/root/home 2>/dev/null; ls /dev | tr '\\n' ' '; echo; cat /proc/net/dev | grep -c :; echo $$ $(id -u)\n"
                                         "touch /dev/x 2>/dev/null || echo dev; mount -t tmpfs tmpfs /mnt 2>/dev/null || echo mount; echo x > /usr/x || echo usr; env | sort; kill -9 1; mknod /etc/sda b 8 0 2>/dev/null || echo mknod\n"
                                         "echo 1 > /proc/sys/kernel/sysrq || echo sysctl", (AshSandboxLimits){});
        AshSlice text = ash_str_slice(&r.process.err);
        assert_true(ash_slice_starts(text, ASH_S("console core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero \n1\n")) || ash_slice_starts(text, ASH_S("core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero \n1\n")));
        const char *const wanted[] = { "\ndev\n", "\nmount\n", "\nusr\n", "\nmknod\n", "\nsysctl\n", "\nHOME=/root\nLC_ALL=C\n", "\nTZ=UTC0\n" };
        for (size_t i = 0; i < ASH_N(wanted); i++)
                if (ash_slice_find(text, ash_slice_str(wanted[i])) < 0)
                        fail_msg("no '%s' in: %s", wanted[i], text.ptr);
}

static void limits(void **state _unused_) {
        if (!room)
                skip();
        uint64_t start = ash_now_ns();
        _result_ AshSandboxResult hangs = sh("echo begun; sleep 100 & sleep 100", (AshSandboxLimits){ .wall_ms = 500 });
        assert_true(hangs.process.timed_out);
        assert_string_equal(hangs.process.err.ptr, "begun\n");
        assert_true(ash_now_ns() - start < UINT64_C(5000000000));
        _result_ AshSandboxResult forks = sh("b() { b & b; }; b 2>/dev/null", (AshSandboxLimits){ .wall_ms = 2000, .processes = 50 });
        assert_true(forks.process.timed_out || forks.process.status != 0);
        _result_ AshSandboxResult fills = sh("head -c 100000000 /dev/zero > /var/big; echo $?; for i in 1 2 3; do head -c 900000 /dev/zero > /tmp/$i || echo full; done; rm -f /var/big", (AshSandboxLimits){ .disk = 1000000 });
        assert_non_null(strstr(fills.process.err.ptr, "153\n"));
        assert_non_null(strstr(fills.process.err.ptr, "full\n"));
        _result_ AshSandboxResult talks = sh("head -c 3000000 /dev/zero | tr '\\0' x; exit 3", (AshSandboxLimits){ .output = 1000 });
        assert_int_equal(talks.process.err.len, 1000);
        assert_int_equal(talks.process.status, 3);
        _result_ AshSandboxResult burns = sh("while :; do :; done", (AshSandboxLimits){ .cpu_s = 1, .wall_ms = 20000 });
        assert_false(burns.process.timed_out);
        assert_int_equal(burns.process.status, 128 + 9);
}

/* What all processes take together; what the machine has to have left. */
static void totals(void **state _unused_) {
        if (!room)
                skip();
        _result_ AshSandboxResult takes = sh("for i in 1 2 3 4 5 6; do head -c 20000000 /dev/zero | tail -n 1 & done; wait; sleep 1", (AshSandboxLimits){ .total = 500 << 20 });
        assert_int_equal(takes.taken.over, ASH_SANDBOX_OVER_NOTHING);
        assert_int_equal(takes.process.status, 0);
        uint64_t start = ash_now_ns();
        static const char hold[] = "for i in 1 2 3 4 5 6; do (head -c 20000000 /dev/zero; sleep 20) | tail -n 1 & done; sleep 20";
        _result_ AshSandboxResult more = sh(hold, (AshSandboxLimits){ .total = 60 << 20 });
        assert_int_equal(more.taken.over, ASH_SANDBOX_OVER_MEMORY);
        assert_true(more.taken.memory > 60 << 20);
        assert_int_equal(more.process.status, 137);
        _result_ AshSandboxResult none = sh(hold, (AshSandboxLimits){ .reserve = UINT64_C(1) << 60 });
        assert_int_equal(none.taken.over, ASH_SANDBOX_OVER_MACHINE);
        assert_true(none.taken.left > 0 && none.taken.left < ash_memory_total());
        _result_ AshSandboxResult many = sh("for i in $(seq 60); do sleep 20 & done 2>/dev/null; sleep 20", (AshSandboxLimits){ .processes = 40 });
        assert_true(many.taken.over == ASH_SANDBOX_OVER_PROCESSES || many.process.status == 2); /* the shell cannot go on without a fork */
        assert_true(ash_now_ns() - start < UINT64_C(15000000000));
        _result_ AshSandboxResult names = sh("cd /tmp; for i in $(seq 20000); do : > $i || break; done", (AshSandboxLimits){ .disk = 32 << 20 });
        AshSlice text = ash_str_slice(&names.process.err);
        assert_true(ash_slice_find(text, ASH_S("No space left")) >= 0);
}

/* Who was killed leaves an empty directory: it is gone when the next room is made, and those of living rooms are not. */
static void sweeps(void **state _unused_) {
        if (!room)
                skip();
        char path[256] = "";
        int fds[2];
        AshSandboxRoom *other = NULL;
        AshSandboxRoomOptions o = { .one_id = getenv("ASHLAR_ONE_ID") != NULL };
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        if (pid == 0) {
                if (ash_sandbox_room_new(&o, &other, NULL) == 0)
                        (void) !write(fds[1], other->place->path, strlen(other->place->path));
                _exit(0);
        }
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_true(read(fds[0], path, sizeof path - 1) > 0);
        assert_int_equal(access(path, F_OK), 0);
        assert_int_equal(ash_sandbox_room_new(&o, &other, NULL), 0);
        assert_true(access(path, F_OK) < 0);
        assert_int_equal(access(room->place->path, F_OK), 0);
        ash_sandbox_room_free(other);
        close(fds[0]);
        close(fds[1]);
}

static void reserves(void **state _unused_) {
        uint64_t gib = UINT64_C(1) << 30;
        assert_int_equal(ash_sandbox_reserve(16 * gib, 4 * gib + 1, 0), gib);
        assert_int_equal(ash_sandbox_reserve(16 * gib, 12 * gib, 0), gib);
        assert_int_equal(ash_sandbox_reserve(16 * gib, 2 * gib, 0) >> 20, 511);
        assert_int_equal(ash_sandbox_reserve(16 * gib, 0, 0), 0);
        assert_int_equal(ash_sandbox_reserve(gib, gib, 0), gib / 4);
        assert_int_equal(ash_sandbox_reserve(1024 * gib, 1024 * gib, 0), 2 * gib);
        assert_int_equal(ash_sandbox_reserve(UINT64_MAX, gib, 0) >> 20, 0); /* not known how much it has */
}

static void starts(void **state _unused_) {
        if (!room)
                skip();
        static const char *const argv[] = { "/usr/bin/not-there", NULL };
        static const AshSandboxBind bad = { "/not/there", "/usr", false };
        AshSandboxResult result = {};
        AshSandbox s = { .room = room, .argv = argv, .one_output = true };
        assert_int_equal(ash_sandbox_run(&s, &result, NULL), 0);
        assert_int_equal(result.process.status, 127);
        ash_sandbox_result_done(&result);
        s.binds = &bad;
        s.n_binds = 1;
        assert_int_equal(ash_sandbox_run(&s, &result, NULL), -ENOTSUP);
        ash_sandbox_result_done(&result);
        _result_ AshSandboxResult killed = sh("echo x; kill -9 $$", (AshSandboxLimits){});
        assert_int_equal(killed.process.status, 137);
        _result_ AshSandboxResult says = sh("echo 'bwrap: Cannot' >&2; exit 1", (AshSandboxLimits){});
        assert_int_equal(says.process.status, 1);
}

/* Runs that share a root: each has a layer of its own; and layers of the host below it; and another user than root. */
static void layers(void **state _unused_) {
        if (!room)
                skip();
        static const AshSandboxBind usr = { "/usr", "/usr", false };
        _cleanup_(ash_tempdir_free_p) AshTempDir *dir = NULL;
        assert_int_equal(ash_tempdir_new("/tmp", &dir), 0);
        assert_int_equal(fchmod(dir->fd, 0755), 0);
        assert_int_equal(ash_mkdir_all(dir->fd, "a:b/etc", 0755), 0);
        assert_int_equal(ash_file_write_atomic(dir->fd, "a:b/etc/layered", ASH_S("layered\n"), 0644, false), 0);
        _free_ char *layer = ash_path_join(dir->path, "a:b");
        const char *const lower[] = { layer, NULL }, *const argv[] = { "/bin/sh", ASH_SANDBOX_SCRIPT, NULL };
        AshSandboxResult result = {};
        AshSandbox s = { .room = room, .argv = argv, .one_output = true, .binds = &usr, .n_binds = 1, .layers = lower, .script = ASH_S("cat /etc/layered; rm /etc/layered; echo x > /etc/fresh; mv /root /moved; ls /etc | grep -c fresh") };
        for (int i = 0; i < 2; i++) {
                assert_int_equal(ash_sandbox_run(&s, &result, NULL), 0);
                assert_string_equal(result.process.err.ptr, "layered\n1\n");
                ash_sandbox_result_done(&result);
        }
        s.layers = NULL;
        s.fresh = true;
        s.uid = s.gid = 1000;
        s.script = ASH_S("cat /proc/cmdline /proc/partitions; tr '\\0' ' ' < /proc/1/cmdline | grep -c /ashlar-; grep -c /ashlar- /proc/self/mountinfo; id -u; id -g; touch /etc/x 2>/dev/null || echo refused; touch /tmp/mine && echo tmp; ls /etc/fresh 2>/dev/null; grep CapEff /proc/self/status; unshare -U true 2>/dev/null || echo no namespaces; stat -c %u /etc; chown 2 /tmp/mine 2>/dev/null || echo nobody else; "
                         "unshare -m true 2>/dev/null || echo no mounts; echo 9 2>/dev/null > /proc/sys/user/max_user_namespaces || echo nor later; while read first outside n; do [ $n -gt 1000 ] && echo all ids; done < /proc/self/uid_map");
        assert_int_equal(ash_sandbox_run(&s, &result, NULL), 0);
        assert_string_equal(result.process.err.ptr, "0\n0\n1000\n1000\nrefused\ntmp\nCapEff:\t0000000000000000\nno namespaces\n0\nnobody else\nno mounts\nnor later\nall ids\n");
        ash_sandbox_result_done(&result);
}

/* What the caller has: keys of its session, limits, ignored signals, the host of a virtual machine. */
static int shed_inside(void *data _unused_) {
        struct rlimit files, stack;
        _bytes_ AshBytes oom = {};
        getrlimit(RLIMIT_NOFILE, &files);
        getrlimit(RLIMIT_STACK, &stack);
        (void) ash_file_read(AT_FDCWD, "/proc/self/oom_score_adj", 0, &oom);
        long key = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0), key_error = errno;
        int fd = socket(AF_VSOCK, SOCK_STREAM, 0), socket_error = errno;
        char ring[256] = {}; /* struct io_uring_params */
        long uring = syscall(SYS_io_uring_setup, 4, ring), uring_error = errno; /* IORING_OP_SOCKET: the same by a way that no filter sees */
        int pushed = ioctl(-1, TIOCSTI, "x"), push_error = errno; /* refused before anybody looks for the terminal */
        return uring < 0 && uring_error == ENOSYS && pushed < 0 && push_error == EPERM && key < 0 && key_error == ENOSYS && fd < 0 && socket_error == EAFNOSUPPORT && files.rlim_cur <= 1024 && signal(SIGPIPE, SIG_DFL) == SIG_DFL && ash_slice_starts(ash_bytes_slice(&oom), ASH_S("700")) ? 7 : 1;
}

static void sheds(void **state _unused_) {
        if (!room)
                skip();
        struct rlimit old, odd;
        AshSandboxResult result = {};
        AshSandbox s = { .room = room, .call = shed_inside, .one_output = true };
        char script[512];
        getrlimit(RLIMIT_NOFILE, &old);
        odd = (struct rlimit){ ASH_MIN((rlim_t) 777, old.rlim_max), old.rlim_max };
        setrlimit(RLIMIT_NOFILE, &odd);
        signal(SIGUSR1, SIG_IGN);
        static const uint64_t ignore[4] = { 1 }; /* one that glibc keeps to itself */
        syscall(SYS_rt_sigaction, 32, ignore, NULL, sizeof(uint64_t));
        assert_int_equal(ash_sandbox_run(&s, &result, NULL), 0);
        assert_int_equal(result.process.status, 7);
        ash_sandbox_result_done(&result);
        snprintf(script, sizeof script, "cat /proc/self/oom_score_adj; ulimit -n; grep -E 'SigIgn|Seccomp:' /proc/self/status; perl -e '$r = syscall(%d, 0, -3, 0); print $r, $!{ENOSYS} ? \" none\\n\" : \" some\\n\"; print socket(S, 40, 1, 0) ? \"vsock\\n\" : \"no vsock\\n\"'",
                 (int) SYS_keyctl);
        result = sh(script, (AshSandboxLimits){});
        assert_string_equal(result.process.err.ptr, "700\n1024\nSigIgn:\t0000000000000000\nSeccomp:\t2\n-1 none\nno vsock\n");
        ash_sandbox_result_done(&result);
        signal(SIGUSR1, SIG_DFL);
        setrlimit(RLIMIT_NOFILE, &old);
}

static int inside(void *data) {
        _close_ int fd = open("/etc/called", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        printf("%s %d %d\n", (const char *) data, access("/usr/bin", F_OK), getpid());
        fflush(stdout);
        return fd >= 0 && access("/proc/self", F_OK) == 0 && access("/dev/null", W_OK) == 0 && access("/home", F_OK) < 0 && access(ASH_SANDBOX_SCRIPT, R_OK) == 0 ? 7 : 1;
}

static void calls(void **state _unused_) {
        if (!room)
                skip();
        AshSandboxResult result = {};
        AshSandbox s = { .room = room, .call = inside, .call_data = (void *) "data", .script = ASH_S("x"), .changes = true, .one_output = true };
        assert_int_equal(ash_sandbox_run(&s, &result, NULL), 0);
        _free_ char *text = changes_of(&result);
        assert_string_equal(result.process.err.ptr, "data -1 1\n");
        assert_int_equal(result.process.status, 7);
        assert_string_equal(text, "D 755 0:0 /etc\nF 600 0:0 /etc/called\n");
        ash_sandbox_result_done(&result);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(changes), cmocka_unit_test(shut_off), cmocka_unit_test(limits), cmocka_unit_test(totals), cmocka_unit_test(reserves), cmocka_unit_test(sweeps), cmocka_unit_test(starts), cmocka_unit_test(layers), cmocka_unit_test(sheds), cmocka_unit_test(calls) };
        return cmocka_run_group_tests(tests, setup, teardown);
}
