/* What must not get into what we build, for tests: directories come in another order each time, the clock says 400 days later, every process has another view of both.
 * cc -shared -fPIC -o unsteady.so unsteady.c; LD_PRELOAD=unsteady.so */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { AHEAD = 400 * 24 * 3600, OPEN_MAX_ = 64 };

static struct Listing {
        DIR *dir;
        struct dirent64 **items;
        size_t n, next;
} listings[OPEN_MAX_];

static struct Listing *listing_of(DIR *d) {
        for (size_t i = 0; i < OPEN_MAX_; i++)
                if (listings[i].dir == d)
                        return &listings[i];
        return NULL;
}

static void fill(struct Listing *l, DIR *d) {
        struct dirent64 *(*next)(DIR *) = (struct dirent64 *(*)(DIR *)) dlsym(RTLD_NEXT, "readdir64"), *e;
        unsigned seed = (unsigned) getpid() ^ (unsigned) (size_t) d;
        *l = (struct Listing){ .dir = d };
        while ((e = next(d))) {
                l->items = realloc(l->items, (l->n + 1) * sizeof *l->items);
                l->items[l->n] = malloc(sizeof **l->items);
                memcpy(l->items[l->n++], e, e->d_reclen < sizeof *e ? e->d_reclen : sizeof *e);
        }
        for (size_t i = l->n; i > 1; i--) {
                size_t k = (size_t) (seed = seed * 1664525u + 1013904223u) % i;
                struct dirent64 *swap = l->items[i - 1];
                l->items[i - 1] = l->items[k];
                l->items[k] = swap;
        }
}

struct dirent64 *readdir64(DIR *d) {
        struct Listing *l = listing_of(d);
        if (!l && (l = listing_of(NULL)))
                fill(l, d);
        if (!l)
                return ((struct dirent64 *(*)(DIR *)) dlsym(RTLD_NEXT, "readdir64"))(d);
        return l->next < l->n ? l->items[l->next++] : NULL;
}
struct dirent *readdir(DIR *d) { return (struct dirent *) readdir64(d); }

int closedir(DIR *d) {
        struct Listing *l = listing_of(d);
        for (size_t i = 0; l && i < l->n; i++)
                free(l->items[i]);
        if (l) {
                free(l->items);
                *l = (struct Listing){ 0 };
        }
        return ((int (*)(DIR *)) dlsym(RTLD_NEXT, "closedir"))(d);
}

time_t time(time_t *t) {
        time_t now = ((time_t (*)(time_t *)) dlsym(RTLD_NEXT, "time"))(NULL) + AHEAD;
        if (t)
                *t = now;
        return now;
}

int clock_gettime(clockid_t clock, struct timespec *t) {
        int r = ((int (*)(clockid_t, struct timespec *)) dlsym(RTLD_NEXT, "clock_gettime"))(clock, t);
        if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
                t->tv_sec += AHEAD;
        return r;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
        int r = ((int (*)(struct timeval *, void *)) dlsym(RTLD_NEXT, "gettimeofday"))(t, zone);
        t->tv_sec += AHEAD;
        return r;
}
