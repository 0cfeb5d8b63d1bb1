/* Between the parts of sandbox. */
#pragma once
#include <sys/types.h>
#include "sandbox.h"

struct AshSandboxRoom {
        AshTempDir *place;           /* where the file system is mounted, in the room's mount namespace only */
        char *base;                  /* path of the base directory there */
        char *run;                   /* and of an empty one, for mounts of runs */
        int user_ns, mount_ns;
        bool one_id;
        unsigned n_layers;           /* places taken by ash_sandbox_room_layer() */
};
#define ASH_SANDBOX_LAYERS 16 /* such places */

/* A child without exec, with no handler of ours; it ends with the thread that made it. */
pid_t ash_sandbox_fork(void);
/* In a child: into the room, as its root. Async-signal-safe. */
int ash_sandbox_enter(const AshSandboxRoom *room);

/* In a child, as the room's root: the descriptor of a user namespace within it that has the same ids, is that user's, and allows no further ones. */
int ash_sandbox_all_ids(uint32_t uid, uint32_t gid);

/* In a child. shed: before it enters anything, for then /proc/self is no longer its own; filter: last, for it and all that it starts. */
void ash_sandbox_shed(void);
int ash_sandbox_filter(void);

/* In a room: every node below base, as bytes; and what differs between such a list and now, with at most max bytes of content (-EFBIG). */
int ash_sandbox_scan(int base, int out_fd);
int ash_sandbox_scan_changes(int base, AshSlice before, uint64_t max, int out_fd);

/* Looks at what a run of bubblewrap takes in all, and ends it when that is too much (sandbox-watch.c). status_fd: where bubblewrap says which its first process is. Without memory or processes for it nobody looks. */
typedef struct AshSandboxWatch {
        pid_t pid;                   /* 0: nobody looks */
        AshSandboxTaken *shared;
} AshSandboxWatch;
void ash_sandbox_watch_start(AshSandboxWatch *w, const AshSandboxRoom *room, const AshSandboxLimits *limits, int status_fd);
void ash_sandbox_watch_stop(AshSandboxWatch *w, AshSandboxTaken *ret);
/* Bytes of a machine that must stay free beside a run that takes so many; reserve: of limits. */
uint64_t ash_sandbox_reserve(uint64_t machine, uint64_t taken, uint64_t reserve);
/* Names that a file system in memory of so many bytes may have: each takes memory, too. */
uint64_t ash_sandbox_names(uint64_t size);

/* A shared object for LD_PRELOAD (preload/clock.c); made by the build. */
extern const unsigned char ash_sandbox_clock[];
extern const size_t ash_sandbox_clock_size;
