/* Rooms: namespaces, ranges of ids, the file system in memory. user_namespaces(7), newuidmap(1), subuid(5). */
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <grp.h>
#include <pthread.h>
#include "sandbox-private.h"

#define ROOT_RANGE 0x70000000u       /* of the host's ids when root makes rooms: nobody's, and not those that systemd hands out */
#define SIZE_DEFAULT (UINT64_C(16) << 30)
#define SIZE_MIN (UINT64_C(256) << 20)
#define NODES_MIN 16384              /* names in a file system ... */
#define NODES_MAX 4000000            /* ... each of which takes about 1 KiB of the kernel's memory */

/* ---- children without exec ---- */
pid_t ash_sandbox_fork(void) {
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of ours may run in the child */
        pid_t pid = fork();
        int e = errno;
        if (pid == 0) {
                for (int s = 1; s < NSIG; s++)
                        signal(s, SIG_DFL);
                prctl(PR_SET_PDEATHSIG, SIGKILL);
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        errno = e;
        return pid;
}

static int wait_for(pid_t pid) {
        int status;
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return status;
}

/* ---- ranges of ids ---- */
typedef struct Range {
        uint64_t first, count;
} Range;

/* The largest range that /etc/subuid gives a user: "NAME:FIRST:COUNT", the name may be a number. */
static bool range_of(const char *path, const char *name, uid_t uid, Range *ret) {
        _bytes_ AshBytes text = {};
        AshSlice rest, line;
        char number[16];
        *ret = (Range){};
        snprintf(number, sizeof number, "%u", uid);
        if (ash_file_read(AT_FDCWD, path, 1 << 20, &text) < 0)
                return false;
        rest = ash_bytes_slice(&text);
        while (ash_slice_next_line(&rest, &line)) {
                AshSlice who, first, count;
                Range r;
                if (!ash_slice_split(&line, ':', &who) || !ash_slice_split(&line, ':', &first) || !ash_slice_split(&line, ':', &count) || (!ash_slice_eqs(who, name) && !ash_slice_eqs(who, number)))
                        continue;
                if (ash_slice_to_u64(first, 10, &r.first) >= 0 && ash_slice_to_u64(ash_slice_trim(count), 10, &r.count) >= 0 && r.count > ret->count)
                        *ret = r;
        }
        return ret->count >= ASH_SANDBOX_IDS - 1;
}

/* Root takes ids that nobody uses; in a container of its own that has fewer, all but its root's. */
static Range range_of_root(const char *map_path) {
        _bytes_ AshBytes text = {};
        AshSlice rest, line, word;
        uint64_t most = 0;
        (void) ash_file_read(AT_FDCWD, map_path, 1 << 16, &text);
        rest = ash_bytes_slice(&text);
        while (ash_slice_next_line(&rest, &line)) {
                uint64_t n[3] = {};
                for (unsigned i = 0; i < 3 && ash_slice_next_word(&line, &word); i++)
                        (void) ash_slice_to_u64(word, 10, &n[i]);
                most = ASH_MAX(most, n[0] + n[2]);
        }
        return most >= (uint64_t) ROOT_RANGE + ASH_SANDBOX_IDS ? (Range){ ROOT_RANGE, ASH_SANDBOX_IDS } : (Range){ 1, most > 1 ? ASH_MIN(most - 1, (uint64_t) ASH_SANDBOX_IDS) : 0 };
}

static int write_proc(pid_t pid, const char *name, const char *text) {
        _free_ char *path = ash_asprintf("/proc/%d/%s", pid, name);
        _close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int map_one(pid_t pid, AshDiags *diags) {
        _free_ char *uid = ash_asprintf("0 %u 1\n", geteuid()), *gid = ash_asprintf("0 %u 1\n", getegid());
        int r = write_proc(pid, "setgroups", "deny");
        if (r >= 0)
                r = write_proc(pid, "uid_map", uid);
        if (r >= 0)
                r = write_proc(pid, "gid_map", gid);
        return r < 0 ? ash_fail(diags, -ENOTSUP, ASH_NOWHERE, "sandbox: cannot set the ids of a user namespace: %s", ash_strerror(r)) : 0;
}

static int map_as_root(pid_t pid, AshDiags *diags) {
        Range u = range_of_root("/proc/self/uid_map"), g = range_of_root("/proc/self/gid_map");
        _free_ char *uid = ash_asprintf("0 %llu %llu\n", (unsigned long long) u.first, (unsigned long long) u.count), *gid = ash_asprintf("0 %llu %llu\n", (unsigned long long) g.first, (unsigned long long) g.count);
        int r = write_proc(pid, "uid_map", uid);
        if (r >= 0)
                r = write_proc(pid, "gid_map", gid);
        return r < 0 ? ash_fail(diags, -ENOTSUP, ASH_NOWHERE, "sandbox: cannot set the ids of a user namespace: %s", ash_strerror(r)) : 0;
}

static int run_newidmap(const char *program, pid_t pid, uid_t own, const Range *range, AshDiags *diags) {
        char text[5][24];
        snprintf(text[0], sizeof text[0], "%d", pid);
        snprintf(text[1], sizeof text[1], "%u", own);
        snprintf(text[2], sizeof text[2], "%llu", (unsigned long long) range->first);
        snprintf(text[3], sizeof text[3], "%u", ASH_SANDBOX_IDS - 1);
        const char *const argv[] = { program, text[0], "0", text[1], "1", "1", text[2], text[3], NULL };
        _process_result_ AshProcessResult out = {};
        AshProcess p = { .argv = argv, .timeout_ms = 10000 };
        return ash_process_check(&p, &out, diags);
}

static int map_range(pid_t pid, AshDiags *diags) {
        struct passwd *pw = getpwuid(getuid());
        _free_ char *name = ash_strdup(pw ? pw->pw_name : "");
        Range u, g;
        if (!range_of("/etc/subuid", name, getuid(), &u) || !range_of("/etc/subgid", name, getuid(), &g)) {
                int r = ash_fail(diags, -ENOTSUP, ASH_NOWHERE, "sandbox: the user %s (%u) has no range of %u subordinate ids in /etc/subuid and /etc/subgid", *name ? name : "without a name", getuid(), ASH_SANDBOX_IDS - 1);
                ash_hint(diags, "root gives one: usermod --add-subuids 524288-589823 --add-subgids 524288-589823 %s", *name ? name : "USER");
                return r;
        }
        int r = run_newidmap("newuidmap", pid, getuid(), &u, diags);
        return r < 0 ? r : run_newidmap("newgidmap", pid, getgid(), &g, diags);
}

/* ---- making a room ---- */
static int become_root(void) {
        if (setgroups(0, NULL) < 0 && errno != EPERM) /* EPERM: a map of one id */
                return -errno;
        return setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0 ? -errno : 0;
}

typedef struct Maker {
        const char *place;
        char options[128];
        int from_child[2], to_child[2];
} Maker;

/* The child that makes the namespaces: 'm' asks for the map, 'k' says that all is there, a digit what went wrong. It stays until its descriptors are taken. */
static int make_in_child(const Maker *m) {
        char byte = 'm';
        _free_ char *base = ash_path_join(m->place, "base"), *run = ash_path_join(m->place, "run");
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
                return -errno;
        if (write(m->from_child[1], &byte, 1) != 1 || read(m->to_child[0], &byte, 1) != 1)
                return -EPIPE;
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("tmpfs", m->place, "tmpfs", MS_NODEV, m->options) < 0)
                return -errno;
        int r = become_root();
        if (r < 0)
                return r;
        umask(022);
        if (mkdir(base, 0755) < 0 || mkdir(run, 0755) < 0)
                return -errno;
        for (unsigned i = 0; i < ASH_SANDBOX_LAYERS; i++) {
                _free_ char *layer = ash_asprintf("%s/layer%u", m->place, i);
                if (mkdir(layer, 0755) < 0)
                        return -errno;
        }
        return 0;
}

static void child_main(const Maker *m) {
        char byte;
        close(m->from_child[0]);
        close(m->to_child[1]);
        int r = make_in_child(m);
        byte = r < 0 ? (char) -r : 'k'; /* errno values that matter here are below 'k' */
        if (write(m->from_child[1], &byte, 1) == 1)
                (void) !read(m->to_child[0], &byte, 1);
        _exit(0);
}

static int not_supported(AshDiags *diags, int e) {
        int r = ash_fail(diags, -ENOTSUP, ASH_NOWHERE, "sandbox: no user namespace can be made here: %s", ash_strerror(-e));
        ash_hint(diags, "the kernel must allow them: user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns");
        return r;
}

static int open_namespaces(AshSandboxRoom *room, pid_t pid) {
        _free_ char *user = ash_asprintf("/proc/%d/ns/user", pid), *mnt = ash_asprintf("/proc/%d/ns/mnt", pid);
        room->user_ns = open(user, O_RDONLY | O_CLOEXEC);
        room->mount_ns = open(mnt, O_RDONLY | O_CLOEXEC);
        return room->user_ns < 0 || room->mount_ns < 0 ? -errno : 0;
}

static int converse(AshSandboxRoom *room, const Maker *m, pid_t pid, AshDiags *diags) {
        char byte = 0;
        if (read(m->from_child[0], &byte, 1) != 1)
                return ash_fail(diags, -ENOTSUP, ASH_NOWHERE, "sandbox: the process that makes it died");
        if (byte != 'm')
                return not_supported(diags, byte);
        int r = room->one_id ? map_one(pid, diags) : geteuid() == 0 ? map_as_root(pid, diags) : map_range(pid, diags);
        if (r < 0)
                return r;
        if (write(m->to_child[1], "g", 1) != 1 || read(m->from_child[0], &byte, 1) != 1)
                return ash_fail(diags, -ENOTSUP, ASH_NOWHERE, "sandbox: the process that makes it died");
        if (byte != 'k')
                return ash_fail(diags, -ENOTSUP, ASH_NOWHERE, "sandbox: cannot make its file system: %s", ash_strerror(-byte));
        r = open_namespaces(room, pid);
        return r < 0 ? ash_fail(diags, r, ASH_NOWHERE, "sandbox: cannot hold its namespaces: %s", ash_strerror(r)) : 0;
}

/* ---- places of rooms: empty directories, as the rest of the machine sees them. One of this name is locked as long as its room is there: it got the name when it was ---- */
#define HELD "ashlar-room-"

/* Where nothing can be locked it keeps its name, and stays when we are killed. */
static void hold(AshTempDir *dir) {
        const char *base = strrchr(dir->path, '/') + 1;
        _free_ char *held = ash_asprintf("%.*s" HELD "%s", (int) (base - dir->path), dir->path, base + strlen("ashlar-"));
        if (flock(dir->fd, LOCK_SH | LOCK_NB) < 0 || renameat2(AT_FDCWD, dir->path, AT_FDCWD, held, RENAME_NOREPLACE) < 0)
                return;
        free(dir->path);
        dir->path = ASH_TAKE(held);
}

/* Those of our user, beside ours, that nobody holds any more: who made them was killed. */
static void sweep(const char *beside) {
        _dirlist_ AshDirList list = {};
        _free_ char *dir = ash_slice_dup(ash_path_dir(ash_slice_str(beside)));
        if (ash_dir_list(AT_FDCWD, dir, &list) < 0)
                return;
        ash_array_foreach(&list.entries, e) {
                struct stat st;
                if (strncmp(e->name, HELD, strlen(HELD)) != 0)
                        continue;
                _free_ char *path = ash_path_join(dir, e->name);
                _close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0)
                        (void) rmdir(path);
        }
}

int ash_sandbox_room_new(const AshSandboxRoomOptions *o, AshSandboxRoom **ret, AshDiags *diags) {
        _cleanup_(ash_sandbox_room_free_p) AshSandboxRoom *room = ash_calloc(1, sizeof *room);
        Maker m = {};
        *room = (AshSandboxRoom){ .user_ns = -1, .mount_ns = -1, .one_id = o->one_id };
        /* Every user of the room must be able to get there, so $TMPDIR is the second choice. */
        int r = ash_tempdir_new("/tmp", &room->place);
        if (r < 0)
                r = ash_tempdir_new(NULL, &room->place);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "sandbox: cannot make a temporary directory: %s", ash_strerror(r));
        sweep(room->place->path);
        hold(room->place);
        m.place = room->place->path;
        room->base = ash_path_join(m.place, "base");
        room->run = ash_path_join(m.place, "run");
        uint64_t size = o->size ? o->size : ASH_MAX(SIZE_MIN, ASH_MIN(SIZE_DEFAULT, ash_memory_available() / 4 * 3)); /* it is memory: who fills it must not take all of the machine's */
        snprintf(m.options, sizeof m.options, "mode=0755,uid=0,gid=0,size=%llu,nr_inodes=%llu", (unsigned long long) size, (unsigned long long) ash_sandbox_names(size));
        if (pipe2(m.from_child, O_CLOEXEC) < 0)
                return ash_fail(diags, -errno, ASH_NOWHERE, "sandbox: %s", ash_strerror(-errno));
        _close_ int a = m.from_child[0], b = m.from_child[1];
        if (pipe2(m.to_child, O_CLOEXEC) < 0)
                return ash_fail(diags, -errno, ASH_NOWHERE, "sandbox: %s", ash_strerror(-errno));
        _close_ int c = m.to_child[0], d = m.to_child[1];
        pid_t pid = ash_sandbox_fork();
        if (pid == 0)
                child_main(&m);
        if (pid < 0)
                return ash_fail(diags, -errno, ASH_NOWHERE, "sandbox: cannot fork: %s", ash_strerror(-errno));
        close(ASH_TAKE_FD(b));
        close(ASH_TAKE_FD(c));
        r = converse(room, &m, pid, diags);
        close(ASH_TAKE_FD(d));
        (void) wait_for(pid);
        (void) a;
        if (r < 0)
                return r;
        *ret = ASH_TAKE(room);
        return 0;
}

uint64_t ash_sandbox_names(uint64_t size) { return ASH_MIN(ASH_MAX(size >> 12, (uint64_t) NODES_MIN), (uint64_t) NODES_MAX); }

void ash_sandbox_room_free(AshSandboxRoom *room) {
        if (!room)
                return;
        ash_close_p(&room->user_ns);
        ash_close_p(&room->mount_ns);
        ash_tempdir_free(room->place); /* empty: the file system was mounted in the room only */
        free(room->base);
        free(room->run);
        free(room);
}

/* ---- in it ---- */
int ash_sandbox_enter(const AshSandboxRoom *room) {
        if (setns(room->user_ns, CLONE_NEWUSER) < 0 || setns(room->mount_ns, CLONE_NEWNS) < 0)
                return -errno;
        int r = become_root();
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* new credentials reset it */
        umask(022);
        return r;
}

typedef struct Shared {              /* by parent and child */
        AshSandboxCall call;
        int result;
        bool done;
} Shared;

static void call_in_child(AshSandboxRoom *room, int (*fn)(AshSandboxCall *, void *), void *data, Shared *s) {
        int r = ash_sandbox_enter(room);
        if (r >= 0) {
                s->call.base = open(room->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                r = s->call.base < 0 ? -errno : fn(&s->call, data);
        }
        s->result = r;
        s->done = true;
        _exit(0);
}

int ash_sandbox_room_call(AshSandboxRoom *room, int (*fn)(AshSandboxCall *, void *), void *data, AshBytes *ret_out, char ret_problem[static 256]) {
        *ret_problem = 0;
        _close_ int out = memfd_create("ashlar-sandbox", MFD_CLOEXEC);
        Shared *s = out < 0 ? MAP_FAILED : mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (s == MAP_FAILED)
                return -errno;
        s->call.out_fd = out;
        pid_t pid = ash_sandbox_fork();
        if (pid == 0)
                call_in_child(room, fn, data, s);
        int r = pid < 0 ? -errno : wait_for(pid);
        if (r >= 0)
                r = s->done ? s->result : -EIO;
        memcpy(ret_problem, s->call.problem, sizeof s->call.problem);
        ret_problem[255] = 0;
        munmap(s, sizeof *s);
        if (r < 0 || !ret_out)
                return r;
        struct stat st;
        if (fstat(out, &st) < 0)
                return -errno;
        *ret_out = (AshBytes){};
        if (!st.st_size)
                return r;
        void *map = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, out, 0);
        if (map == MAP_FAILED)
                return -errno;
        *ret_out = (AshBytes){ .ptr = map, .len = (size_t) st.st_size, .mapped = (size_t) st.st_size };
        return r;
}

uint32_t ash_sandbox_owner(void) { return geteuid() ? geteuid() : (uint32_t) range_of_root("/proc/self/uid_map").first; }

/* ---- layers that only the host's root can reach ---- */
static int bind_layer(const AshSandboxRoom *room, const char *from, const char *to) {
        if (setns(room->mount_ns, CLONE_NEWNS) < 0 || mount(from, to, NULL, MS_BIND, NULL) < 0)
                return errno;
        return 0;
}

int ash_sandbox_room_layer(AshSandboxRoom *room, const char *path, char **ret) {
        if (geteuid() != 0 || room->one_id) { /* the room's root is who we are */
                *ret = ash_strdup(path);
                return 0;
        }
        if (room->n_layers == ASH_SANDBOX_LAYERS)
                return -ASH_ERR_LIMIT;
        _free_ char *to = ash_asprintf("%s/layer%u", room->place->path, room->n_layers);
        pid_t pid = ash_sandbox_fork();
        if (pid == 0)
                _exit(bind_layer(room, path, to));
        int status = pid < 0 ? -errno : wait_for(pid);
        if (status < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
                return status < 0 ? status : WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
        room->n_layers++;
        *ret = ASH_TAKE(to);
        return 0;
}

/* ---- what is in it ---- */
typedef struct Reading {
        const char *dir;
        uint64_t max;
} Reading;
static int read_dir(AshSandboxCall *c, void *data) {
        const Reading *what = data;
        _close_ int fd = ash_open_beneath(c->base, what->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
        return fd < 0 ? fd : ash_sandbox_scan_changes(fd, ASH_S(""), what->max, c->out_fd);
}

int ash_sandbox_room_read(AshSandboxRoom *room, const char *dir, uint64_t max, AshBytes *ret) {
        Reading what = { *dir == '/' ? dir + 1 : dir, max };
        char problem[256];
        return ash_sandbox_room_call(room, read_dir, &what, ret, problem);
}

typedef struct Space {
        uint64_t bytes, names;
} Space;
static int tell_space(AshSandboxCall *c, void *data _unused_) {
        struct statvfs v;
        if (fstatvfs(c->base, &v) < 0)
                return -errno;
        Space s = { (uint64_t) v.f_bavail * v.f_frsize, v.f_favail };
        return ash_write_all(c->out_fd, &s, sizeof s);
}

int ash_sandbox_room_free_space(AshSandboxRoom *room, uint64_t *ret_bytes, uint64_t *ret_names) {
        char problem[256];
        _bytes_ AshBytes out = {};
        Space s;
        int r = ash_sandbox_room_call(room, tell_space, NULL, &out, problem);
        if (r < 0 || out.len != sizeof s)
                return r < 0 ? r : -EIO;
        memcpy(&s, out.ptr, sizeof s);
        *ret_bytes = s.bytes;
        *ret_names = s.names;
        return 0;
}
