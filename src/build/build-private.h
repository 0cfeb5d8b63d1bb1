/* Between the parts of build. */
#pragma once
#include "build.h"

#define ASH_BUILD_UID 1000           /* mockbuild, user and group, in the room */
#define ASH_BUILD_SCRIPTS "builddir/scripts" /* of rpm's, below the room's root: they stay for a shell */
#define ASH_BUILD_HEAD (256 << 10)   /* bytes of a run's output that are kept from its beginning ... */
#define ASH_BUILD_TAIL (64 << 10)    /* ... and at its end */

struct AshBuild {
        AshBuildInput in;
        AshArena *arena;
        AshSandboxRoom *room;
        const char *top;             /* the build directory: ASH_BUILD_TOP, or another when the path is varied */
        uint64_t disk;               /* bytes that its files may take */
        uint64_t memory, address_space; /* bytes of all of its processes; of each */
        uint64_t most;               /* bytes that it took at the worst time */
        uint64_t sources;            /* bytes of all files */
        uint64_t end;                /* ash_now_ns() at which the time is over */
        /* the log */
        int log_fd;
        uint64_t logged;
        size_t lines;                /* in the log so far */
        bool log_full;
        int log_error;               /* why it could not be written; 0 */
        AshStr head, tail;           /* of the run */
        char phase[32];              /* "%build" */
        char script[128];            /* and the command that runs it: "/bin/sh -e /builddir/scripts/rpm-tmp.x" */
        char line[192];              /* the beginning of the line of output that is not complete yet */
        size_t line_len;
        /* the last run */
        ASH_ARRAY(const char *) layers;
        int64_t epoch;
        uint32_t error_line;
        AshSlice error_text;
        AshBytes results[2];         /* what is in RPMS and SRPMS: read when asked for */
        AshBytes log_map;
};

/* ---- a build that has something otherwise: build-vary.c ---- */
const char *ash_build_vary_top(unsigned set);
uint32_t ash_build_vary_uid(const AshBuild *b); /* user and group, in the room */
/* What it runs with: environment (NULL-terminated, in the arena); host, user, clock, processors. */
const char *const *ash_build_vary_env(AshBuild *b, int64_t epoch);
void ash_build_vary_sandbox(const AshBuild *b, AshSandbox *s);
/* Files of /etc that know its user and host, made of those of a root. */
int ash_build_vary_files(AshBuild *b, const AshBuildRoot *root, AshDiags *diags);
/* Words before the command; NULL-terminated, may be none. */
const char *const *ash_build_vary_command(const AshBuild *b);

const char *ash_build_step_name(AshBuildStep step); /* "making the source package" */
/* As everything of a build runs in. */
AshSandbox ash_build_sandbox(AshBuild *b);
/* What the log has of the section that ran last; rpm's summary at the end is not of it. */
AshSlice ash_build_last_section(AshSlice log);
/* The lines of a log that say what went wrong in its last section; borrowed from it. Returns how many. */
size_t ash_build_excerpt(AshSlice log, AshSlice *ret, size_t max);
#define ASH_BUILD_EXCERPT 24
/* How many bytes may be read out of the room: what it has is in memory, and for a moment twice more, as it is read and as it is handed out. */
uint64_t ash_build_read_max(const AshBuild *b);
/* build-asked.c: the macro by which what %generate_buildrequires prints is in the log, behind this; and whether all of that, of the run that was last, are requirements: 0, or -EINVAL with a diagnostic. */
#define ASH_BUILD_ASKED "asked: "
extern const char ash_build_ask[];
int ash_build_judge_asked(AshBuild *b, AshDiags *diags);
/* What a run's output says of why it failed: notes and hints behind the last diagnostic. */
void ash_build_explain(AshBuild *b, AshDiags *diags);
