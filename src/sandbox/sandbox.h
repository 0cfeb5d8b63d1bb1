/* sandbox: runs a program that nobody trusts in a root of its own (docs/sandbox.md). Knows no packages and no images.
 *
 * A room is a user namespace with its range of ids and a mount namespace with a file system in memory: nothing of it is seen from outside, and it is gone with the last process that uses it, however
 * that ended. Its base directory is filled by whoever made the room, and is the root that programs see. No privileges are needed: an ordinary user takes a range of /etc/subuid (newuidmap), root
 * one that nobody uses, so that the root in a room is never the host's. */
#pragma once
#include "io.h"

typedef struct AshSandboxRoom AshSandboxRoom;
typedef struct AshSandboxRoomOptions {
        bool one_id;                 /* only root exists in it: needs no range of ids. Owners cannot be changed then (EINVAL) */
        uint64_t size;               /* bytes that its base may take; 0: 16 GiB, or three quarters of what the machine has free (memory is taken as it is filled) */
} AshSandboxRoomOptions;
/* -ENOTSUP: the kernel or the machine's settings do not allow it; a diagnostic says what is missing. */
int ash_sandbox_room_new(const AshSandboxRoomOptions *options, AshSandboxRoom **ret, AshDiags *diags);
/* Could a program be run here? Makes an empty room and asks bubblewrap for its version; -ENOTSUP, -ENOENT with a diagnostic that says what is missing. */
int ash_sandbox_check(AshDiags *diags);
void ash_sandbox_room_free(AshSandboxRoom *room);
ASH_DEFINE_CLEANUP(AshSandboxRoom *, ash_sandbox_room_free)
#define ASH_SANDBOX_IDS 65536        /* in a room with a range: 0 to 65535 */

/* Calls fn in a process of its own, as the room's root with all its capabilities, to fill or read the base. It sees the caller's memory as it was (a fork), may allocate, and must take no lock
 * that another thread may hold: no diagnostics. What it writes to out_fd comes back in *ret_out (may be NULL). A negative result of fn is the result, and "problem" what it was at. */
typedef struct AshSandboxCall {
        int base;                    /* descriptor of the base directory */
        int out_fd;
        char problem[256];
} AshSandboxCall;
int ash_sandbox_room_call(AshSandboxRoom *room, int (*fn)(AshSandboxCall *c, void *data), void *data, AshBytes *ret_out, char ret_problem[static 256]);
/* Who is root in rooms with a range of ids that this process makes, as the host knows them: what they own is root's in the room. */
uint32_t ash_sandbox_owner(void);
/* A directory of the host that cannot be reached from within the room because of what is above it becomes a layer all the same; *ret (malloc'ed) is what to give as one. */
int ash_sandbox_room_layer(AshSandboxRoom *room, const char *path, char **ret);

/* ---- a run ---- */
typedef struct AshSandboxBind {
        const char *from, *to;       /* a path of the host, and where it appears */
        bool writable;
} AshSandboxBind;

typedef struct AshSandboxLimits {    /* 0: what is said here */
        int wall_ms;                 /* 10 minutes */
        unsigned cpu_s;              /* of each process: as wall_ms */
        uint64_t memory;             /* address space of each process, bytes: 8 GiB */
        uint64_t total;              /* memory of all processes together, bytes, beside what files take: as much as the machine can spare. A run that takes more is ended (of programs) */
        uint64_t reserve;            /* bytes that the machine is to have left when one run takes a quarter of it or more, and in proportion when it takes less: a sixteenth of it, 256 MiB to 2 GiB (of programs) */
        unsigned processes;          /* and threads at once: 1024; a run that stays there is ended (of programs) */
        uint64_t disk;               /* bytes of a file; of the fresh layer, /tmp and /dev/shm together: 4 GiB. With "kept" directories these are in the room, and all of it together may take the room's size */
        uint64_t file;               /* bytes of a file, when that is to be more than disk: holes take no room; 0: disk */
        unsigned cpus;               /* how many processors it may use; all */
        size_t output;               /* bytes kept of stdout and of stderr: 1 MiB; more is -ASH_ERR_LIMIT for stdout, dropped for stderr */
} AshSandboxLimits;

typedef struct AshSandbox {
        AshSandboxRoom *room;
        const char *const *argv;     /* NULL-terminated, argv[0] a path in the root; or ... */
        int (*call)(void *data);     /* ... a function, confined like a program: exit status. It must take no lock that another thread may hold */
        void *call_data;
        const char *const *env;      /* all of it, NULL-terminated; NULL: PATH, HOME, LC_ALL, TZ */
        int64_t clock;               /* Unix seconds at which the programs' clock stands (preload/clock.c: programs of this machine's architecture that are linked with a libc); 0: the real one */
        const char *cwd;             /* NULL: "/" */
        AshSlice input;              /* standard input */
        AshSlice script;             /* appears as ASH_SANDBOX_SCRIPT; ptr NULL: no such file */
        const AshSandboxBind *binds; /* of programs */
        size_t n_binds;
        const char *const *layers;   /* directories of the host, NULL-terminated, upper ones first: under the room's base, read-only. Implies fresh. What the host's root owns is nobody's there */
        const char *const *kept;     /* directories of the base, NULL-terminated ("/builddir"): with fresh or layers what programs change there stays. One such run in a room at a time; what else it changed is gone when the next begins */
        bool fresh;                  /* what it changes goes to a layer of its own (overlayfs; Linux 5.11) and is gone after the run: several may run in one room at the same time. Of programs, without changes */
        uint32_t uid, gid;           /* 0: root of the room, with its capabilities; else that user, without any (of programs; not in a room with one id) */
        const char *host_name;       /* NULL: "localhost" */
        bool network;                /* the host's network; else none but loopback */
        bool shell;                  /* the caller's terminal is stdin, stdout and stderr: for a person; no time limit */
        int (*sink)(void *data, AshSlice bytes); /* gets stderr as it comes, in place of process.err; a negative result ends the run (process.stopped). Of programs */
        void *sink_data;
        void (*every)(void *data);   /* called about five times a second while it runs */
        void *every_data;
        int64_t clock_shift;         /* seconds that the programs' clock is ahead; as clock, but it goes on */
        bool one_output;             /* stdout goes where stderr goes: in order, in process.err */
        bool changes;                /* what it changed in the base is wanted */
        AshSandboxLimits limits;
} AshSandbox;
#define ASH_SANDBOX_SCRIPT "/tmp/.ashlar-script"
#define ASH_SANDBOX_CLOCK "/tmp/.ashlar-clock.so" /* where the clock's library appears */

/* What a run took, as far as somebody looked (several times a second), and why it was ended for that. */
typedef enum AshSandboxOver { ASH_SANDBOX_OVER_NOTHING, ASH_SANDBOX_OVER_MEMORY /* total */, ASH_SANDBOX_OVER_PROCESSES, ASH_SANDBOX_OVER_MACHINE /* little was left */ } AshSandboxOver;
typedef struct AshSandboxTaken {
        AshSandboxOver over;
        uint64_t memory, files, most; /* bytes at the worst time: of all processes; of all files (memory, too); of both together */
        uint64_t left;               /* OVER_MACHINE: bytes that the machine had left */
} AshSandboxTaken;
typedef struct AshSandboxResult {
        AshProcessResult process;
        AshSandboxTaken taken;
        AshBytes changes;            /* for ash_sandbox_change_next() */
} AshSandboxResult;
void ash_sandbox_result_done(AshSandboxResult *r);
/* Negative only when it could not be run (-ENOENT: no bwrap); a program that failed, was ended or timed out is in ret->process. When this returns, all of its processes are gone. */
int ash_sandbox_run(const AshSandbox *s, AshSandboxResult *ret, AshDiags *diags);

/* ---- what a run changed ---- */
typedef struct AshSandboxChange {
        char kind;                   /* 'R' removed, 'D' directory, 'F' file, 'L' symbolic link, 'P' named pipe, 'H' another name of an earlier file */
        AshSlice path;               /* "/etc/motd" */
        AshSlice link;               /* target; or of 'H' the earlier path */
        AshSlice content;            /* of 'F' */
        uint32_t mode, uid, gid;     /* permissions; owner as the room's processes see it */
        AshSlice xattrs;             /* for ash_sandbox_xattr_next() */
} AshSandboxChange;
/* All that is below a directory of the base, told as changes with paths relative to it; of files at most max bytes in all. -ENOENT, -EFBIG. */
int ash_sandbox_room_read(AshSandboxRoom *room, const char *dir, uint64_t max, AshBytes *ret);
/* Bytes that are free in the base, and names. */
int ash_sandbox_room_free_space(AshSandboxRoom *room, uint64_t *ret_bytes, uint64_t *ret_names);
/* Sorted by path, a directory before what it holds. 1, 0 at the end, -ASH_ERR_SYNTAX. A directory, and what has another time only, is told as well: compare. */
int ash_sandbox_change_next(AshSlice *rest, AshSandboxChange *ret);
bool ash_sandbox_xattr_next(AshSlice *rest, AshSlice *ret_name, AshSlice *ret_value);
