/* What a run takes in all. The kernel bounds one process (limits of resources) and one file system (tmpfs) at a time; all of a run together only a cgroup would bound, which an ordinary user has not. So a process of ours, in the
 * room, where it may look at everybody's, does so ten times a second, and ends the run when it takes too much, or when the machine is about to have nothing left. proc(5). */
#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "sandbox-private.h"

#define EVERY_MS 100
#define SHARE 10                     /* looking takes at most one part in so many of a processor */
#define MOST_MS 2000                 /* between two looks */
#define CLOSE_EVERY 5                /* a close look because of files in memory, of which the machine says only how much all have, happens at every so many looks */
#define CROWDED 3                    /* looks in a row with as many processes as there may be */
#define NODE_BYTES 1024              /* of the kernel's memory for a name in a tmpfs (linux/shmem_fs.h: BOGO_INODE_SIZE) */
#define RESERVE_MIN (UINT64_C(256) << 20)
#define RESERVE_MAX (UINT64_C(2) << 30)

typedef struct Look {
        const AshSandboxLimits *limits;
        AshSandboxTaken *taken;      /* shared with who started us */
        int pidfd, proc, files[2];   /* the run's process 1; its /proc; its file systems */
        DIR *list;                   /* of proc */
        uint64_t machine;            /* bytes of memory that it has */
        unsigned n, n_crowded;
        uint64_t anonymous, threads; /* of the last look */
        AshMap seen;                 /* numbers of files in memory */
        AshArena *arena;
        char text[16384];
} Look;

/* ---- reading /proc ---- */
static AshSlice read_at(Look *l, int dir, const char *path) {
        _close_ int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
        size_t n = 0;
        for (ssize_t k; fd >= 0 && n < sizeof l->text && (k = read(fd, l->text + n, sizeof l->text - n)) > 0;)
                n += (size_t) k;
        return ash_slice(l->text, n);
}

/* "Name:   123 kB"; 0: not there. */
static uint64_t value_of(AshSlice text, const char *name) {
        ptrdiff_t at = ash_slice_find(text, ash_slice_str(name));
        uint64_t n = 0;
        text = at < 0 ? ASH_NOSLICE : ash_slice_trim_left(ash_slice_from(text, (size_t) at + strlen(name)));
        for (size_t i = 0; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9' && n < UINT64_MAX / 2048 / 10; i++)
                n = n * 10 + (uint64_t) (text.ptr[i] - '0');
        return n;
}
static uint64_t bytes_of(AshSlice text, const char *name) { return value_of(text, name) << 10; }

static const char *next_process(Look *l) {
        for (struct dirent *e; (e = readdir(l->list));)
                if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
                        return e->d_name;
        return NULL;
}

/* ---- what the run takes ---- */
static uint64_t all_files(const Look *l) {
        uint64_t sum = 0;
        struct statvfs v;
        for (size_t i = 0; i < ASH_N(l->files); i++)
                if (l->files[i] >= 0 && fstatvfs(l->files[i], &v) == 0)
                        sum += (uint64_t) (v.f_blocks - v.f_bfree) * v.f_frsize + (uint64_t) (v.f_files - v.f_ffree) * NODE_BYTES;
        return sum;
}

/* Segments of System V stay when nobody is attached to them. */
static uint64_t all_segments(Look *l) {
        AshSlice rest = read_at(l, AT_FDCWD, "/proc/sysvipc/shm"), line, word;
        uint64_t sum = 0, n;
        (void) ash_slice_next_line(&rest, &line);
        while (ash_slice_next_line(&rest, &line))
                for (unsigned i = 1; ash_slice_next_word(&line, &word); i++)
                        if (i == 15 && ash_slice_to_u64(word, 10, &n) >= 0) /* rss */
                                sum += n;
        return sum;
}

/* Never less than what they take: pages that several share count for each. */
static void count_processes(Look *l) {
        l->anonymous = l->threads = 0;
        rewinddir(l->list);
        for (const char *name; (name = next_process(l));) {
                char path[300];
                snprintf(path, sizeof path, "%s/status", name);
                AshSlice status = read_at(l, l->proc, path);
                l->anonymous += bytes_of(status, "\nRssAnon:"); /* a process may call itself "RssAnon: 0", but within a line */
                l->threads += value_of(status, "\nThreads:");
        }
}

static bool is_new(Look *l, uint64_t number) {
        bool fresh;
        AshSlice key = ash_slice((const char *) &number, sizeof number);
        if (ash_map_get(&l->seen, key))
                return false;
        ash_map_ensure(&l->seen, ash_arena_slice(l->arena, key), &fresh)->value = l;
        return fresh;
}

/* Files in memory that it has open. */
static uint64_t open_memory(Look *l, const char *process) {
        char path[300], target[16];
        uint64_t sum = 0;
        snprintf(path, sizeof path, "%s/fd", process);
        int fd = openat(l->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *list = fd < 0 ? NULL : fdopendir(fd);
        for (struct dirent *e; list && (e = readdir(list));) {
                struct stat st;
                ssize_t n = readlinkat(fd, e->d_name, target, sizeof target);
                if (n >= 7 && !memcmp(target, "/memfd:", 7) && fstatat(fd, e->d_name, &st, 0) == 0 && is_new(l, st.st_ino))
                        sum += (uint64_t) st.st_blocks * 512;
        }
        if (list)
                closedir(list);
        return sum;
}

/* And those that it has only mapped: "7f..-7f.. rw-s 00000000 00:01 123   /memfd:x (deleted)", shared memory without a name is "/dev/zero (deleted)". Its part of what is present. */
static uint64_t mapped_memory(Look *l, const char *process) {
        char path[300], line[512];
        uint64_t sum = 0;
        bool counts = false;
        snprintf(path, sizeof path, "%s/smaps", process);
        int fd = openat(l->proc, path, O_RDONLY | O_CLOEXEC);
        FILE *file = fd < 0 ? NULL : fdopen(fd, "re");
        while (file && fgets(line, sizeof line, file)) {
                AshSlice rest = ash_slice_str(line), word = {};
                uint64_t number = 0;
                if (strchr("0123456789abcdef", line[0])) {
                        for (unsigned i = 0; i < 5; i++)
                                (void) ash_slice_next_word(&rest, &word);
                        counts = (strstr(line, " /memfd:") || strstr(line, " /dev/zero (deleted)") || strstr(line, "[anon_shmem:")) && ash_slice_to_u64(word, 10, &number) >= 0 &&
                                 !ash_map_get(&l->seen, ash_slice((const char *) &number, sizeof number));
                } else if (counts && !strncmp(line, "Pss:", 4))
                        sum += bytes_of(rest, "Pss:");
        }
        if (file)
                fclose(file);
        return sum;
}

static uint64_t own_memory(Look *l, const char *process) {
        char path[300];
        snprintf(path, sizeof path, "%s/smaps_rollup", process);
        return bytes_of(read_at(l, l->proc, path), "\nPss_Anon:");
}

static uint64_t sum_of(Look *l, uint64_t (*of)(Look *, const char *), uint64_t already) {
        uint64_t sum = already;
        rewinddir(l->list);
        for (const char *name; sum <= l->limits->total && (name = next_process(l));)
                sum += of(l, name);
        return sum;
}

/* As it is; ends where it is too much. */
static uint64_t close_look(Look *l, uint64_t segments) {
        uint64_t sum = segments;
        l->arena = ash_arena_new();
        sum = sum_of(l, open_memory, sum);
        if (sum <= l->limits->total)
                sum = l->anonymous <= l->limits->total - sum ? sum + l->anonymous : sum_of(l, own_memory, sum);
        sum = sum_of(l, mapped_memory, sum);
        ash_map_done(&l->seen);
        l->seen = (AshMap){};
        ash_arena_free(l->arena);
        return sum;
}

/* ---- the judgement ---- */
static void end_run(Look *l, AshSandboxOver why) {
        if (l->taken->over)
                return;
        l->taken->over = why;
        (void) syscall(SYS_pidfd_send_signal, l->pidfd, SIGKILL, NULL, 0); /* process 1: all others end with it */
}

/* The run that takes much goes first, and one that takes little not at all: what has to stay free counts for a run only so far as it takes part of a quarter of the machine. Each decides for itself, and none has to know of the others. */
uint64_t ash_sandbox_reserve(uint64_t machine, uint64_t taken, uint64_t reserve) {
        if (!reserve)
                reserve = ASH_MIN(ASH_MAX(machine / 16, RESERVE_MIN), RESERVE_MAX);
        uint64_t quarter = machine / 4 + 1;
        return taken >= quarter ? reserve : (uint64_t) ((double) reserve * ((double) taken / (double) quarter));
}

static void judge(Look *l) {
        uint64_t files = all_files(l), segments = all_segments(l), total = l->limits->total;
        count_processes(l);
        uint64_t memory = l->anonymous + segments, shared = bytes_of(read_at(l, AT_FDCWD, "/proc/meminfo"), "\nShmem:");
        bool may_hide = memory + (shared > files ? shared - files : 0) > total && l->n % CLOSE_EVERY == 0;
        l->n++;
        if (total && (memory > total || may_hide)) {
                memory = close_look(l, segments);
                if (memory > total)
                        end_run(l, ASH_SANDBOX_OVER_MEMORY);
        }
        l->taken->memory = ASH_MAX(l->taken->memory, memory);
        l->taken->files = ASH_MAX(l->taken->files, files);
        l->taken->most = ASH_MAX(l->taken->most, memory + files);
        l->n_crowded = l->threads >= l->limits->processes - l->limits->processes / 16 ? l->n_crowded + 1 : 0;
        if (l->n_crowded >= CROWDED)
                end_run(l, ASH_SANDBOX_OVER_PROCESSES);
        uint64_t left = ash_memory_available();
        if (left < ash_sandbox_reserve(l->machine, memory + files, l->limits->reserve)) {
                l->taken->left = left;
                end_run(l, ASH_SANDBOX_OVER_MACHINE);
        }
}

/* ---- finding the run ---- */
/* bubblewrap says it: { "child-pid": 123, ... */
static pid_t first_process(int status_fd) {
        char text[512];
        ssize_t n = pread(status_fd, text, sizeof text, 0);
        uint64_t pid = n > 0 ? value_of(ash_slice(text, (size_t) n), "\"child-pid\":") : 0;
        return pid <= INT32_MAX ? (pid_t) pid : 0;
}

/* Its /proc, once it has one: before that there is the machine's, in which we see ourselves. */
static int find_run(Look *l, int status_fd) {
        char path[64], self[16];
        struct stat own, base;
        pid_t pid = first_process(status_fd);
        if (pid <= 0)
                return -EAGAIN;
        if (l->pidfd < 0)
                l->pidfd = (int) syscall(SYS_pidfd_open, pid, 0);
        snprintf(path, sizeof path, "/proc/%d/root/proc", pid);
        _close_ int proc = l->pidfd < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (proc < 0 || readlinkat(proc, "self", self, sizeof self) >= 0 || faccessat(proc, "1/status", F_OK, 0) < 0)
                return -EAGAIN;
        snprintf(path, sizeof path, "/proc/%d/root/tmp", pid);
        l->files[1] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (l->files[1] >= 0 && fstat(l->files[1], &own) == 0 && fstat(l->files[0], &base) == 0 && own.st_dev == base.st_dev) {
                close(l->files[1]); /* the same file system */
                l->files[1] = -1;
        }
        snprintf(path, sizeof path, "/proc/%d/ns/ipc", pid);
        _close_ int ipc = open(path, O_RDONLY | O_CLOEXEC);
        if (ipc >= 0)
                (void) setns(ipc, CLONE_NEWIPC);
        int list = fcntl(proc, F_DUPFD_CLOEXEC, 3);
        l->list = list < 0 ? NULL : fdopendir(list);
        l->proc = ASH_TAKE_FD(proc);
        return l->list ? 0 : -ENOMEM;
}

/* ---- the process that looks ---- */
static int ms_until_next(uint64_t began) {
        uint64_t took = (ash_now_ns() - began) / 1000000;
        return (int) ASH_MIN(ASH_MAX(took * SHARE, (uint64_t) EVERY_MS), (uint64_t) MOST_MS);
}

/* What other threads of the caller had open must not stay open because of us: somebody may wait for the end of a pipe. */
static int keep_only(int fd) {
        if (fd != 3 && dup2(fd, 3) < 0)
                return -errno;
        (void) syscall(SYS_close_range, 4u, ~0u, 0u);
        return 3;
}

static int look_on(const AshSandboxRoom *room, const AshSandboxLimits *limits, int status_fd, AshSandboxTaken *taken) {
        Look l = { .limits = limits, .taken = taken, .pidfd = -1, .proc = -1, .files = { -1, -1 }, .machine = ash_memory_total() };
        int r = ash_sandbox_enter(room);
        if (r >= 0)
                r = status_fd = keep_only(status_fd);
        if (r < 0)
                return r;
        l.files[0] = open(room->base, O_PATH | O_DIRECTORY | O_CLOEXEC);
        while ((r = find_run(&l, status_fd)) == -EAGAIN)
                if (poll(NULL, 0, 10) < 0 && errno != EINTR)
                        return -errno;
        for (int wait = 0; r >= 0;) {
                struct pollfd end = { l.pidfd, POLLIN, 0 };
                if (poll(&end, 1, wait) != 0)
                        return 0;
                uint64_t began = ash_now_ns();
                judge(&l);
                wait = ms_until_next(began);
        }
        return r;
}

void ash_sandbox_watch_start(AshSandboxWatch *w, const AshSandboxRoom *room, const AshSandboxLimits *limits, int status_fd) {
        AshSandboxTaken *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED)
                return;
        pid_t pid = ash_sandbox_fork();
        if (pid == 0)
                _exit(look_on(room, limits, status_fd, shared) < 0);
        if (pid < 0) {
                munmap(shared, sizeof *shared);
                return;
        }
        *w = (AshSandboxWatch){ pid, shared };
}

void ash_sandbox_watch_stop(AshSandboxWatch *w, AshSandboxTaken *ret) {
        *ret = (AshSandboxTaken){};
        if (w->pid <= 0)
                return;
        kill(w->pid, SIGKILL);
        while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        *ret = *w->shared;
        munmap(w->shared, sizeof *w->shared);
        *w = (AshSandboxWatch){};
}
