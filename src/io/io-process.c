#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "io.h"

#define OUTPUT_LIMIT_DEFAULT (16u << 20)
#define AFTER_EXIT_MS 1000     /* how long a grandchild that outlives the child may hold its output open */
#define POLL_WITHOUT_PIDFD 10  /* ms */
#define EVERY_MS 200
#define STDERR_LINES 8         /* of a failed program, quoted in the diagnostic */

/* A pipe or a file, never on descriptors 0 to 2, which the child gives new meanings. */
static int above_stdio(int fd) {
        if (fd < 0 || fd > 2)
                return fd;
        int up = fcntl(fd, F_DUPFD_CLOEXEC, 3), e = errno;
        close(fd);
        errno = e;
        return up;
}

typedef struct Pipe {
        int read, write;
} Pipe;

static void pipe_done(Pipe *p) {
        ash_close_p(&p->read);
        ash_close_p(&p->write);
}
#define _pipe_ _cleanup_(pipe_done)

static int pipe_open(Pipe *p) {
        int fds[2];
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        p->read = above_stdio(fds[0]);
        p->write = above_stdio(fds[1]);
        return p->read < 0 || p->write < 0 ? -EMFILE : 0;
}

/* A file rather than a pipe: nothing has to be fed while the child runs, so nothing can wait on each other or break. */
static int input_open(AshSlice input) {
        if (!input.len) {
                int fd = above_stdio(open("/dev/null", O_RDONLY | O_CLOEXEC));
                return fd < 0 ? -errno : fd;
        }
        _close_ int fd = above_stdio(memfd_create("ashlar-input", MFD_CLOEXEC));
        if (fd < 0)
                return -errno;
        int r = ash_write_all(fd, input.ptr, input.len);
        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        return ASH_TAKE_FD(fd);
}

/* ---- the child: async-signal-safe calls only ---- */
typedef struct Child {
        const AshProcess *p;
        int in, out, err, report;
} Child;

static void close_others(int keep) {
        if (syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */) < 0)
                for (int fd = 3; fd < 4096; fd++)
                        fcntl(fd, F_SETFD, FD_CLOEXEC);
        if (keep > 0)
                fcntl(keep, F_SETFD, 0);
}

static int child_prepare(const Child *c) {
        const AshProcess *p = c->p;
        sigset_t none;
        sigemptyset(&none);
        if (!p->terminal)
                setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* The caller may ignore these; the child starts like one of a shell. */
        signal(SIGPIPE, SIG_DFL);
        signal(SIGXFSZ, SIG_DFL);
        signal(SIGINT, SIG_DFL);
        signal(SIGQUIT, SIG_DFL);
        /* stdout_fd may be 2 and stderr_fd 1: both move out of the way first. */
        int out = c->out <= 2 ? fcntl(c->out, F_DUPFD, 3) : c->out, err = c->err <= 2 ? fcntl(c->err, F_DUPFD, 3) : c->err;
        if (!p->terminal && (dup2(c->in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0))
                return -errno;
        if (p->cwd_fd > 0 ? fchdir(p->cwd_fd) < 0 : p->cwd && chdir(p->cwd) < 0)
                return -errno;
        close_others(p->keep_fd);
        int r = p->before_exec ? p->before_exec(p->before_exec_data) : 0;
        sigprocmask(SIG_SETMASK, &none, NULL);
        return r;
}

static void child_run(const Child *c) {
        int r = child_prepare(c);
        if (r >= 0) {
                execvpe(c->p->argv[0], (char *const *) c->p->argv, c->p->env ? (char *const *) c->p->env : environ);
                r = -errno;
        }
        ssize_t k = write(c->report, &r, sizeof r);
        _exit(k == sizeof r ? 127 : 126);
}

/* ---- the parent ---- */
typedef struct Running {
        pid_t pid;      /* the leader of its process group; not reaped before the end, so the number stays ours */
        int pidfd;      /* -1: the kernel has none */
        bool exited;
        Pipe out, err;
        AshStr out_text, err_text;
        size_t limit;
        uint64_t end;   /* ash_now_ns() at which to give up; UINT64_MAX: never */
        uint64_t next;  /* when to call "every" again */
        bool timed_out, too_much, stopped;
        bool grouped;   /* it has a process group of its own */
} Running;

static void running_done(Running *r) {
        if (r->pid > 0) {
                if (r->grouped)
                        kill(-r->pid, SIGKILL);
                kill(r->pid, SIGKILL);
                while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        ash_close_p(&r->pidfd);
        pipe_done(&r->out);
        pipe_done(&r->err);
        ash_str_done(&r->out_text);
        ash_str_done(&r->err_text);
}

static int start(const AshProcess *p, Running *run) {
        _pipe_ Pipe report = { -1, -1 };
        _close_ int in = input_open(p->input);
        int r = in < 0 ? in : pipe_open(&report);
        if (r >= 0 && p->stdout_fd <= 0 && !p->terminal)
                r = pipe_open(&run->out);
        if (r >= 0 && p->stderr_fd <= 0 && !p->terminal)
                r = pipe_open(&run->err);
        if (r < 0)
                return r;
        Child child = { p, in, p->stdout_fd > 0 ? p->stdout_fd : run->out.write, p->stderr_fd > 0 ? p->stderr_fd : run->err.write, report.write };
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of ours may run in the child */
        run->pid = fork();
        if (run->pid == 0)
                child_run(&child);
        int e = errno;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (run->pid < 0)
                return -e;
        run->grouped = !p->terminal;
        if (run->grouped)
                setpgid(run->pid, run->pid); /* here too: whoever comes first */
        ash_close_p(&report.write);
        ash_close_p(&run->out.write);
        ash_close_p(&run->err.write);
        report.write = run->out.write = run->err.write = -1;
        int problem = 0;
        ssize_t k;
        do
                k = read(report.read, &problem, sizeof problem);
        while (k < 0 && errno == EINTR);
        if (k == sizeof problem)
                return problem < 0 ? problem : -EIO;
        run->pidfd = (int) syscall(SYS_pidfd_open, run->pid, 0);
        return 0;
}

/* 64 KiB at a time, however much it writes: it waits for us. */
static void pass_on(const AshProcess *p, Running *run) {
        char buffer[65536];
        ssize_t k = read(run->err.read, buffer, sizeof buffer);
        if (k < 0 && (errno == EINTR || errno == EAGAIN))
                return;
        if (k <= 0)
                ash_close_p(&run->err.read);
        run->err.read = k <= 0 ? -1 : run->err.read;
        run->stopped |= k > 0 && p->sink(p->sink_data, ash_slice(buffer, (size_t) k)) < 0;
}

static void take_output(int *fd, AshStr *text, size_t limit, bool *too_much) {
        char buffer[65536];
        ssize_t k = read(*fd, buffer, sizeof buffer);
        if (k < 0 && (errno == EINTR || errno == EAGAIN))
                return;
        if (k <= 0) {
                close(*fd);
                *fd = -1;
                return;
        }
        size_t room = limit - text->len, n = ASH_MIN(room, (size_t) k);
        ash_str_append(text, ash_slice(buffer, n));
        if (too_much && n < (size_t) k)
                *too_much = true;
}

static bool has_exited(pid_t pid) {
        siginfo_t info = {};
        return waitid(P_PID, (id_t) pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

static int ms_until(uint64_t end, int most) {
        if (end == UINT64_MAX)
                return most;
        uint64_t now = ash_now_ns(), ms = now >= end ? 0 : (end - now + 999999) / 1000000;
        return most >= 0 && ms > (uint64_t) most ? most : (int) ASH_MIN(ms, (uint64_t) 1000000000);
}

/* The longest wait for output or exit, in ms; -1: any. */
static int longest_wait(const AshProcess *p, const Running *run) {
        if (run->pidfd < 0 && !run->exited)
                return POLL_WITHOUT_PIDFD;
        return p->every ? EVERY_MS : -1;
}

/* One wait for output or exit. Returns false when there is nothing more to wait for. */
static bool turn(const AshProcess *p, Running *run) {
        if (run->exited && run->out.read < 0 && run->err.read < 0)
                return false;
        struct pollfd fds[3] = { { run->out.read, POLLIN, 0 }, { run->err.read, POLLIN, 0 }, { run->exited ? -1 : run->pidfd, POLLIN, 0 } };
        int k = poll(fds, 3, ms_until(run->end, longest_wait(p, run)));
        if (p->every && ash_now_ns() >= run->next) {
                run->next = ash_now_ns() + EVERY_MS * UINT64_C(1000000);
                p->every(p->every_data);
        }
        if (k < 0 && errno != EINTR)
                return false;
        if (k > 0 && fds[0].revents)
                take_output(&run->out.read, &run->out_text, run->limit, &run->too_much);
        if (k > 0 && fds[1].revents && p->sink)
                pass_on(p, run);
        else if (k > 0 && fds[1].revents)
                take_output(&run->err.read, &run->err_text, run->limit, NULL);
        if (run->too_much || run->stopped)
                return false;
        if (!run->exited && (run->pidfd < 0 || fds[2].revents) && has_exited(run->pid)) {
                run->exited = true;
                run->end = ASH_MIN(run->end, ash_now_ns() + AFTER_EXIT_MS * UINT64_C(1000000));
        }
        if (k == 0 && ash_now_ns() >= run->end) {
                run->timed_out = !run->exited;
                return false;
        }
        return true;
}

static int reap(Running *run, AshProcessResult *ret) {
        siginfo_t info;
        /* Whatever of the group is left is ended before the leader's number can be used again. */
        if (!run->exited || run->out.read >= 0 || run->err.read >= 0)
                kill(run->grouped ? -run->pid : run->pid, SIGKILL);
        while (waitid(P_PID, (id_t) run->pid, &info, WEXITED) < 0)
                if (errno != EINTR) {
                        run->pid = 0;
                        return -errno;
                }
        run->pid = 0;
        if (run->too_much)
                return -ASH_ERR_LIMIT;
        bool ended = info.si_code == CLD_EXITED;
        ash_process_result_done(ret);
        *ret = (AshProcessResult){ .out = run->out_text, .err = run->err_text, .status = ended ? info.si_status : -1, .signal = ended ? 0 : info.si_status, .timed_out = run->timed_out, .stopped = run->stopped };
        run->out_text = run->err_text = (AshStr){};
        return 0;
}

int ash_process_run(const AshProcess *p, AshProcessResult *ret) {
        _cleanup_(running_done) Running run = { .pidfd = -1, .out = { -1, -1 }, .err = { -1, -1 }, .limit = p->output_limit ? p->output_limit : OUTPUT_LIMIT_DEFAULT, .end = UINT64_MAX };
        if (p->timeout_ms > 0)
                run.end = ash_now_ns() + (uint64_t) p->timeout_ms * 1000000u;
        int r = start(p, &run);
        if (r < 0)
                return r;
        void (*interrupt)(int) = p->terminal ? signal(SIGINT, SIG_IGN) : SIG_DFL, (*quit)(int) = p->terminal ? signal(SIGQUIT, SIG_IGN) : SIG_DFL;
        while (turn(p, &run))
                ;
        if (p->terminal) {
                signal(SIGINT, interrupt);
                signal(SIGQUIT, quit);
        }
        return reap(&run, ret);
}

struct AshChild {
        Running run;
};

int ash_child_start(const AshProcess *p, AshChild **ret) {
        _cleanup_(ash_child_free_p) AshChild *c = ash_calloc(1, sizeof *c);
        c->run = (Running){ .pidfd = -1, .out = { -1, -1 }, .err = { -1, -1 }, .end = UINT64_MAX };
        int r = start(p, &c->run);
        if (r < 0)
                return r;
        *ret = ASH_TAKE(c);
        return 0;
}

int ash_child_fd(const AshChild *c) { return c->run.pidfd; }
bool ash_child_ended(const AshChild *c) { return has_exited(c->run.pid); }
void ash_child_signal(const AshChild *c, int signal) { kill(c->run.grouped ? -c->run.pid : c->run.pid, signal); }

int ash_child_finish(AshChild *c, AshProcessResult *ret) {
        c->run.exited = has_exited(c->run.pid);
        return reap(&c->run, ret);
}

void ash_child_free(AshChild *c) {
        if (!c)
                return;
        running_done(&c->run);
        free(c);
}

void ash_process_result_done(AshProcessResult *r) {
        ash_str_done(&r->out);
        ash_str_done(&r->err);
        *r = (AshProcessResult){};
}

/* ---- with diagnostics ---- */
static const struct {
        const char *program, *package;
} packages[] = {
        { "apt-get", "apt" },           { "bwrap", "bubblewrap" },     { "createrepo_c", "createrepo-c" }, { "dnf", "dnf" },
        { "dpkg-deb", "dpkg" },         { "e2fsck", "e2fsprogs" },     { "fsck.erofs", "erofs-utils" },    { "fsck.fat", "dosfstools" },
        { "git", "git" },               { "gpg", "gnupg" },            { "gpgv", "gpgv" },                 { "man", "man-db" },
        { "mformat", "mtools" },        { "mkfs.erofs", "erofs-utils" }, { "newuidmap", "uidmap" },        { "patch", "patch" },
        { "qemu-img", "qemu-utils" },   { "qemu-system-aarch64", "qemu-system-arm" }, { "qemu-system-x86_64", "qemu-system-x86" }, { "ssh-keygen", "openssh-client" },
        { "rpm", "rpm" },               { "rpmbuild", "rpm" },         { "rpmspec", "rpm" },
        { "sbsign", "sbsigntool" },     { "sfdisk", "fdisk" },         { "tar", "tar" },                   { "unzip", "unzip" },
        { "xorriso", "xorriso" },       { "xz", "xz-utils" },          { "zstd", "zstd" },
};

void ash_process_hint(AshDiags *diags, const char *program) {
        for (size_t i = 0; i < ASH_N(packages); i++)
                if (strcmp(packages[i].program, program) == 0)
                        ash_hint(diags, "it is in the Debian package '%s'", packages[i].package);
}

static void note_last_lines(AshDiags *diags, AshSlice text) {
        text = ash_slice_trim_right(text);
        const char *from = text.ptr + text.len;
        for (unsigned n = 0; from > text.ptr; from--)
                if (from[-1] == '\n' && ++n == STDERR_LINES)
                        break;
        AshSlice rest = ash_slice(from, (size_t) (text.ptr + text.len - from)), line;
        while (ash_slice_next_line(&rest, &line)) {
                line = ash_slice_trim_right(line);
                ash_note(diags, ASH_NOWHERE, "%.*s", (int) ASH_MIN(line.len, (size_t) 400), line.ptr);
        }
}

int ash_process_check(const AshProcess *p, AshProcessResult *ret, AshDiags *diags) {
        const char *name = p->argv[0];
        int r = ash_process_run(p, ret);
        if (r == -ASH_ERR_LIMIT)
                return ash_fail(diags, r, ASH_NOWHERE, "'%s' wrote more than %zu bytes and was stopped", name, p->output_limit ? p->output_limit : OUTPUT_LIMIT_DEFAULT);
        if (r < 0) {
                ash_fail(diags, r, ASH_NOWHERE, "cannot run '%s': %s", name, ash_strerror(r));
                if (r == -ENOENT)
                        ash_process_hint(diags, name);
                return r;
        }
        if (ret->status == 0)
                return 0;
        if (ret->timed_out)
                r = ash_fail(diags, -ETIMEDOUT, ASH_NOWHERE, "'%s' did not end within %d ms and was stopped", name, p->timeout_ms);
        else if (ret->signal)
                r = ash_fail(diags, -EIO, ASH_NOWHERE, "'%s' was ended by signal %d (%s)", name, ret->signal, sigdescr_np(ret->signal));
        else
                r = ash_fail(diags, -EIO, ASH_NOWHERE, "'%s' failed with exit status %d", name, ret->status);
        note_last_lines(diags, ash_str_slice(&ret->err));
        return r;
}
