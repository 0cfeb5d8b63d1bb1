/* Threads and clocks. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include "io.h"

static unsigned cpus_of_affinity(void) {
        for (int max = 1024; max <= 1 << 20; max *= 2) {
                cpu_set_t *set = CPU_ALLOC(max);
                if (!set)
                        break;
                size_t size = CPU_ALLOC_SIZE(max);
                int n = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : -errno;
                CPU_FREE(set);
                if (n > 0)
                        return (unsigned) n;
                if (n != -EINVAL) /* EINVAL: the machine has more processors than the set */
                        break;
        }
        return 1;
}

/* "max 100000" or "150000 100000": the time that may be used in each period (kernel: admin-guide/cgroup-v2, cpu.max). */
static unsigned cpus_of_quota(const char *cpu_max, unsigned n) {
        _bytes_ AshBytes text = {};
        AshSlice rest, quota, period;
        uint64_t q, p;
        if (ash_file_read(AT_FDCWD, cpu_max, 4096, &text) < 0)
                return n;
        rest = ash_slice_trim(ash_bytes_slice(&text));
        if (!ash_slice_next_word(&rest, &quota) || !ash_slice_next_word(&rest, &period) || ash_slice_to_u64(quota, 10, &q) < 0 ||
            ash_slice_to_u64(period, 10, &p) < 0 || !p)
                return n;
        uint64_t allowed = ASH_MAX((q + p - 1) / p, UINT64_C(1));
        return (unsigned) ASH_MIN((uint64_t) n, allowed);
}

unsigned ash_cpu_count(void) {
        unsigned n = cpus_of_affinity();
        _bytes_ AshBytes text = {};
        AshSlice rest, line;
        if (n < 2 || ash_file_read(AT_FDCWD, "/proc/self/cgroup", 65536, &text) < 0)
                return n;
        rest = ash_bytes_slice(&text);
        while (ash_slice_next_line(&rest, &line)) {
                if (!ash_slice_starts(line, ASH_S("0::/")))
                        continue;
                /* Every group above may have a quota of its own. */
                for (AshSlice group = ash_slice_from(line, 3);; group = ash_path_dir(group)) {
                        _free_ char *path = ash_asprintf("/sys/fs/cgroup%.*s/cpu.max", ASH_F(group));
                        n = cpus_of_quota(path, n);
                        if (group.len <= 1)
                                break;
                }
        }
        return n;
}

typedef struct Work {
        atomic_size_t next;
        size_t n;
        bool keep_going;
        int (*fn)(void *, unsigned, size_t);
        void *context;
        atomic_uint workers;
        atomic_bool failed;
        pthread_mutex_t mutex; /* over the two below */
        size_t first;          /* lowest i that failed */
        int error;
} Work;

/* Items are begun in order, so each one below a failed one has been begun, too: the lowest failure is always seen, whatever the threads do. */
static void *work(void *data) {
        Work *w = data;
        unsigned worker = atomic_fetch_add_explicit(&w->workers, 1, memory_order_relaxed);
        while (w->keep_going || !atomic_load_explicit(&w->failed, memory_order_relaxed)) {
                size_t i = atomic_fetch_add_explicit(&w->next, 1, memory_order_relaxed);
                if (i >= w->n)
                        break;
                int r = w->fn(w->context, worker, i);
                if (r >= 0)
                        continue;
                pthread_mutex_lock(&w->mutex);
                if (i < w->first) {
                        w->first = i;
                        w->error = r;
                }
                pthread_mutex_unlock(&w->mutex);
                atomic_store_explicit(&w->failed, true, memory_order_relaxed);
        }
        return NULL;
}

unsigned ash_parallel_threads(size_t n, unsigned threads) { return (unsigned) ASH_MIN((size_t) (threads ? threads : n > 1 ? ash_cpu_count() : 1), n); }

int ash_parallel_workers(size_t n, unsigned threads, bool keep_going, int (*fn)(void *context, unsigned worker, size_t i), void *context) {
        Work w = { .n = n, .keep_going = keep_going, .fn = fn, .context = context, .mutex = PTHREAD_MUTEX_INITIALIZER, .first = SIZE_MAX };
        size_t want = ash_parallel_threads(n, threads), started = 0;
        _free_ pthread_t *others = ash_calloc(want, sizeof *others);
        /* The caller works, too; where no more threads are to be had the rest does all. */
        while (started + 1 < want && pthread_create(&others[started], NULL, work, &w) == 0)
                started++;
        work(&w);
        for (size_t i = 0; i < started; i++)
                pthread_join(others[i], NULL);
        return w.error;
}

typedef struct Plain {
        int (*fn)(void *, size_t);
        void *context;
} Plain;

static int call_plain(void *context, unsigned worker, size_t i) {
        const Plain *p = context;
        (void) worker;
        return p->fn(p->context, i);
}

int ash_parallel_for(size_t n, unsigned threads, bool keep_going, int (*fn)(void *context, size_t i), void *context) {
        Plain p = { fn, context };
        return ash_parallel_workers(n, threads, keep_going, call_plain, &p);
}

static uint64_t clock_ns(clockid_t clock) {
        struct timespec t = {};
        clock_gettime(clock, &t);
        return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

uint64_t ash_now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
uint64_t ash_cpu_ns(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

uint64_t ash_peak_memory(void) {
        struct rusage u = {};
        getrusage(RUSAGE_SELF, &u);
        return (uint64_t) u.ru_maxrss * 1024;
}
