/* What a run does not get from the program that started it: keys of its session, limits, signals, ways around namespaces. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include "sandbox-private.h"

/* A result must not depend on them. What the caller may not raise stays as low as it is. */
static const struct { int what; rlim_t soft, hard; } limits[] = {
        { RLIMIT_NOFILE, 1024, 524288 }, { RLIMIT_STACK, 8 << 20, RLIM_INFINITY }, { RLIMIT_SIGPENDING, 16384, 16384 }, { RLIMIT_MSGQUEUE, 819200, 819200 }, { RLIMIT_MEMLOCK, 8 << 20, 8 << 20 }, { RLIMIT_DATA, RLIM_INFINITY, RLIM_INFINITY },
};

void ash_sandbox_shed(void) {
        struct rlimit now;
        int oom = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); /* when the machine's memory is gone, these end before anything of the host does */
        if (oom >= 0) {
                (void) !write(oom, "700", 3);
                close(oom);
        }
        (void) syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL); /* an empty one; namespaces do not part session keyrings (user_namespaces(7), keyrings(7)) */
        for (size_t i = 0; i < ASH_N(limits); i++)
                if (getrlimit((__rlimit_resource_t) limits[i].what, &now) == 0) {
                        struct rlimit l = { .rlim_max = ASH_MIN(limits[i].hard, now.rlim_max) };
                        l.rlim_cur = ASH_MIN(limits[i].soft, l.rlim_max);
                        (void) setrlimit((__rlimit_resource_t) limits[i].what, &l);
                }
        static const uint64_t standard[4] = {}; /* the kernel's struct sigaction: SIG_DFL, no flags */
        sigset_t none;
        sigemptyset(&none);
        for (int s = 1; s < NSIG; s++)
                (void) syscall(SYS_rt_sigaction, s, standard, NULL, sizeof(uint64_t)); /* glibc's own refuses those that it uses itself, which may be ignored all the same */
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) personality(PER_LINUX);
}

/* Numbers of the two ABIs that a 64-bit x86 kernel has beside each other; elsewhere those of the one. */
#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#define X32 0x40000000u
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#elif defined(__riscv)
#define NATIVE AUDIT_ARCH_RISCV64
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned) (field))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define END(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define REFUSE(error) END(SECCOMP_RET_ERRNO | (error))

int ash_sandbox_filter(void) {
#ifdef NATIVE
        struct sock_filter program[] = {
                LOAD(offsetof(struct seccomp_data, arch)),
                IS(NATIVE, 1, 0),
                REFUSE(ENOSYS), /* programs of another ABI have other numbers: none of theirs is let through */
                LOAD(offsetof(struct seccomp_data, nr)),
#ifdef X32
                BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32, 7, 0),
#else
                IS(~0u, 7, 0),
#endif
                /* keys: those of a user are the same in all namespaces of that user */
                IS(SYS_add_key, 6, 0),
                IS(SYS_request_key, 5, 0),
                IS(SYS_keyctl, 4, 0),
                IS(SYS_io_uring_setup, 3, 0), /* a ring does what system calls do, and no filter sees it: a socket of vsock, for one */
                IS(SYS_socket, 3, 0),
                IS(SYS_ioctl, 6, 0),
                END(SECCOMP_RET_ALLOW),
                REFUSE(ENOSYS),
                /* network namespaces do not part vsock (vsock(7)): the host of a virtual machine would be in reach */
                LOAD(offsetof(struct seccomp_data, args[0])),
                IS(AF_VSOCK, 0, 1),
                REFUSE(EAFNOSUPPORT),
                END(SECCOMP_RET_ALLOW),
                /* input for a terminal: a shell in a build has a person's, and what is pushed into it is read by who is there next, outside (ioctl_tty(2); the kernel looks at 32 bits) */
                LOAD(offsetof(struct seccomp_data, args[1])),
                IS(TIOCSTI, 1, 0),
                IS(TIOCLINUX, 0, 1),
                REFUSE(EPERM),
                END(SECCOMP_RET_ALLOW),
        };
        struct sock_fprog filter = { ASH_N(program), program };
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
                return errno == EINVAL || errno == ENOSYS ? 0 : -errno; /* a kernel without filters */
#endif
        return 0;
}
