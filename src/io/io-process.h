/* Other programs: run without a shell, with a time limit and bounded output. */
#pragma once
#include "base.h"

typedef struct AshProcess {
        const char *const *argv;     /* NULL-terminated; argv[0] is looked up in PATH */
        const char *const *env;      /* NULL: the caller's environment; else all of the child's */
        const char *cwd;             /* NULL: the caller's */
        int cwd_fd;                  /* > 0: used instead of cwd */
        AshSlice input;              /* for its standard input; empty: /dev/null */
        int timeout_ms;              /* 0: none. The whole process group is killed after it */
        size_t output_limit;         /* bytes kept of stdout and of stderr each (0: 16 MiB); more is -ASH_ERR_LIMIT for stdout, dropped for stderr */
        int stdout_fd, stderr_fd;    /* > 0: the child writes there, nothing is captured */
        int keep_fd;                 /* > 0: this descriptor stays open in the child */
        void (*every)(void *);       /* called about five times a second while it runs: to see how far it is */
        void *every_data;
        int (*sink)(void *, AshSlice); /* gets what it writes to stderr as it comes, in place of err; a negative result ends it: see ret->stopped */
        void *sink_data;
        bool terminal;               /* the caller's stdin, stdout and stderr are its own, and it stays in the caller's process group: for a person, who may interrupt it and not us */
        int (*before_exec)(void *);  /* in the child, after fork; async-signal-safe calls only; its negative result is reported as failure to start */
        void *before_exec_data;
} AshProcess;

typedef struct AshProcessResult {
        AshStr out, err;             /* what it wrote */
        int status;                  /* exit status, 0 to 255; -1 when a signal ended it */
        int signal;                  /* that signal, or 0 */
        bool timed_out, stopped;     /* stopped: by the sink */
} AshProcessResult;
void ash_process_result_done(AshProcessResult *r);
#define _process_result_ _cleanup_(ash_process_result_done)

/* Runs to the end. Negative only when it could not be run or waited for (-ENOENT: no such program); else look at ret->status. */
int ash_process_run(const AshProcess *p, AshProcessResult *ret);
/* The same, and any outcome but exit status 0 is a diagnostic that names the program, the status and the last lines of its stderr. -ENOENT hints at the Debian package when known. */
int ash_process_check(const AshProcess *p, AshProcessResult *ret, AshDiags *diags);

/* ---- a program that goes on beside us ---- */
typedef struct AshChild AshChild;
/* stdout_fd and stderr_fd must be given; there is no time limit. It is killed with its process group when it is freed, and when we die. */
int ash_child_start(const AshProcess *p, AshChild **ret);
int ash_child_fd(const AshChild *c);                              /* readable once it has ended; -1: the kernel cannot tell, ask ash_child_ended() */
bool ash_child_ended(const AshChild *c);
void ash_child_signal(const AshChild *c, int signal);             /* to its process group */
int ash_child_finish(AshChild *c, AshProcessResult *ret);         /* kills what is left of it; only ash_child_free() is allowed after this */
void ash_child_free(AshChild *c);
ASH_DEFINE_CLEANUP(AshChild *, ash_child_free)
/* After -ENOENT: the Debian package of a program as a hint of the last diagnostic, when known. */
void ash_process_hint(AshDiags *diags, const char *program);

/* ---- threads ---- */
unsigned ash_cpu_count(void);                                     /* usable processors (affinity and cgroup quota), at least 1 */
/* Calls fn(context, i) for all i below n on at most "threads" threads (0: ash_cpu_count()), in no order; returns the error of the lowest failing i, or 0.
 * After a failure no new i are begun unless keep_going is set. */
int ash_parallel_for(size_t n, unsigned threads, bool keep_going, int (*fn)(void *context, size_t i), void *context);
/* The same for work that wants something of each thread's own: fn also gets the number of its thread, below ash_parallel_threads(n, threads). */
int ash_parallel_workers(size_t n, unsigned threads, bool keep_going, int (*fn)(void *context, unsigned worker, size_t i), void *context);
unsigned ash_parallel_threads(size_t n, unsigned threads);

/* ---- memory ---- */
uint64_t ash_memory_available(void);                              /* bytes that could be taken without swapping (proc(5), meminfo, MemAvailable), within the limits of the control groups that we are in; UINT64_MAX: not known */
uint64_t ash_memory_total(void);                                  /* bytes that the machine has, or our control groups may have; UINT64_MAX: not known */
bool ash_memory_of_group(const char *dir, uint64_t *ret_most, uint64_t *ret_left); /* of one control group (version 2), by its directory; false: it has no limit */

/* ---- clocks (measurement only; nothing that is built depends on them) ---- */
uint64_t ash_now_ns(void);                                        /* monotonic */
uint64_t ash_cpu_ns(void);                                        /* of this process, all threads */
uint64_t ash_peak_memory(void);                                   /* bytes, ru_maxrss */
