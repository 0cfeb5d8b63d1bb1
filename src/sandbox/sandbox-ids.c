/* All ids of a room for a program that runs as one of them: bubblewrap gives the user namespace that it makes a single id, and files of others would be nobody's, access lists could not name them. So it is given one that
 * has them all, belongs to that user, and in which no further one can be made: in there file systems without a limit could be mounted. user_namespaces(7), bwrap(1) --userns. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "sandbox-private.h"

#define MAP_MAX 2048 /* bytes of a map: the kernel takes a page at most */

static int write_text(const char *path, const char *text, size_t len) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        int r = fd < 0 || write(fd, text, len) < 0 ? -errno : 0;
        if (fd >= 0)
                close(fd);
        return r;
}

/* "0 524288 65536" of a room is "0 0 65536" for a namespace within it. */
static int same_ids(const char *of, char ret[static MAP_MAX]) {
        char text[MAP_MAX], *line = text;
        unsigned first, outside, count;
        int used, fd = open(of, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        size_t len = 0;
        if (fd >= 0)
                close(fd);
        if (n < 0)
                return -EIO;
        for (text[n] = 0; sscanf(line, " %u %u %u%n", &first, &outside, &count, &used) == 3 && len < MAP_MAX - 40; line += used)
                len += (size_t) snprintf(ret + len, MAP_MAX - len, "%u %u %u\n", first, first, count);
        return (int) len;
}

static int set_map(pid_t pid, const char *name) {
        char path[48], of[32], map[MAP_MAX];
        snprintf(of, sizeof of, "/proc/self/%s", name);
        snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
        int len = same_ids(of, map);
        return len < 0 ? len : write_text(path, map, (size_t) len);
}

/* The child that makes it, as its owner. 'm': it is there and wants its map; 'k': it is ready; anything else: errno. It stays until it was taken, and can be read only so long. */
static void make_in_child(uint32_t uid, uint32_t gid, int in, int out) {
        char byte = 'm';
        int r = setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0 || unshare(CLONE_NEWUSER) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0 ? -errno : 0;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (r >= 0 && (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1))
                r = -EPIPE;
        if (r >= 0)
                r = write_text("/proc/sys/user/max_user_namespaces", "0", 1); /* of this namespace and those below it */
        byte = r < 0 ? (char) -r : 'k';
        if (write(out, &byte, 1) == 1)
                (void) !read(in, &byte, 1);
        _exit(0);
}

static int map_and_open(pid_t pid, int in, int out) {
        char path[48], byte = 0;
        if (read(in, &byte, 1) != 1 || byte != 'm')
                return byte ? -byte : -EPIPE;
        snprintf(path, sizeof path, "/proc/%d/setgroups", pid);
        int r = write_text(path, "deny", 4);
        if (r >= 0)
                r = set_map(pid, "uid_map");
        if (r >= 0)
                r = set_map(pid, "gid_map");
        if (r < 0)
                return r;
        if (write(out, "g", 1) != 1 || read(in, &byte, 1) != 1 || byte != 'k')
                return byte && byte != 'm' ? -byte : -EPIPE;
        snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int ash_sandbox_all_ids(uint32_t uid, uint32_t gid) {
        int to[2], from[2];
        if (pipe2(to, O_CLOEXEC) < 0)
                return -errno;
        if (pipe2(from, O_CLOEXEC) < 0)
                return -errno;
        pid_t pid = fork();
        if (pid == 0) {
                close(to[1]); /* or it would wait for itself */
                make_in_child(uid, gid, to[0], from[1]);
        }
        close(to[0]);
        close(from[1]);
        int r = pid < 0 ? -errno : map_and_open(pid, from[0], to[1]);
        close(from[0]);
        close(to[1]); /* the child ends */
        while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return r;
}
