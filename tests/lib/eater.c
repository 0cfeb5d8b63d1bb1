/* What a hostile build does: takes memory in one of several ways, or files, until it is stopped. "eater HOW MIB N": N processes (or pieces) of MIB each. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t size;

static void fill(void *p) {
        if (p == MAP_FAILED) {
                perror("eater");
                exit(1);
        }
        memset(p, 1, size);
}

/* Memory of each process's own, under a name that is meant to mislead who reads /proc/PID/status. */
static void eat_own(int i) {
        (void) i;
        prctl(PR_SET_NAME, "\nRssAnon: 0\nx");
        fill(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        pause();
}

/* Files in memory, which are in nobody's address space. */
static void eat_files(int i) {
        (void) i;
        int fd = memfd_create("RssAnon: 0", 0);
        char *piece = calloc(1, 1 << 20);
        for (size_t done = 0; done < size; done += 1 << 20)
                if (write(fd, piece, 1 << 20) < 0)
                        _exit(1);
        pause();
}

/* The same, mapped only. */
static void eat_mapped(int i) {
        (void) i;
        int fd = memfd_create("x", 0);
        if (ftruncate(fd, (off_t) size) < 0)
                _exit(1);
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        fill(p);
        pause();
}

static void eat_shared(int i) {
        (void) i;
        fill(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
        pause();
}

/* Segments that stay when nobody has them. */
static void eat_segments(int i) {
        (void) i;
        int id = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);
        void *p = shmat(id, NULL, 0);
        fill(p);
        shmdt(p);
        _exit(0);
}

/* Many processes that share what one took: no more than that one. */
static void share(int n) {
        fill(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        for (int i = 0; i < n; i++)
                if (fork() == 0) {
                        sleep(3);
                        _exit(0);
                }
        while (wait(NULL) > 0)
                ;
        exit(0);
}

static void make_names(long n) {
        char name[32];
        for (long i = 0; i < n; i++) {
                snprintf(name, sizeof name, "f%ld", i);
                int fd = open(name, O_WRONLY | O_CREAT, 0600);
                if (fd < 0) {
                        perror("eater");
                        exit(1);
                }
                close(fd);
        }
}

int main(int argc, char **argv) {
        static const struct { const char *name; void (*eat)(int); } ways[] = { { "own", eat_own }, { "files", eat_files }, { "mapped", eat_mapped }, { "shared", eat_shared }, { "segments", eat_segments } };
        if (argc < 4)
                return 2;
        size = (size_t) atol(argv[2]) << 20;
        int n = atoi(argv[3]);
        if (!strcmp(argv[1], "share"))
                share(n);
        if (!strcmp(argv[1], "names"))
                make_names(n);
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
                if (!strcmp(argv[1], ways[w].name)) {
                        for (int i = 0; i < n; i++) {
                                if (fork() == 0)
                                        ways[w].eat(i);
                                usleep(20000);
                        }
                        sleep(60);
                }
        return 0;
}
