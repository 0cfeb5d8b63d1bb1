/* Where builds run. Nothing outside of an executor knows where that is: a job is data, and what comes back is data. */
#pragma once
#include "flow-build.h"
#include "flow-plan.h"

typedef struct AshJob {
        AshSlice component, stage, arch;
        bool ask;                    /* only what its build requires is wanted */
        uint64_t memory, ms;         /* what it will probably need; bytes */
} AshJob;

typedef enum AshJobState { ASH_JOB_BUILT, ASH_JOB_CACHED, ASH_JOB_FAILED, ASH_JOB_SKIPPED, ASH_JOB_CANCELLED, ASH_JOB_NOT_STARTED, ASH_JOB_STATE_MAX_, ASH_JOB_ASKED = ASH_JOB_STATE_MAX_ } AshJobState;
const char *ash_job_state_name(AshJobState state); /* "built", "cached", "failed", "skipped", "cancelled" (it ran), "not-started"; the last two when the user ended it; ASKED, the end of a job that only asks, is none of a component */

typedef struct AshJobEnd {
        uint32_t id;                 /* as given to start() */
        AshJobState state;
        int code;                    /* of a failed one: as functions return it */
        uint64_t ms;
        size_t packages;
        AshDiags *diags;             /* what it said; the caller's now */
        /* of one that asked */
        AshArena *arena;
        AshSlice *requires;          /* "name op version" */
        size_t n_requires;
        bool unmet;                  /* nobody provides all of that now */
} AshJobEnd;
void ash_job_end_done(AshJobEnd *end);

typedef struct AshExecutor AshExecutor;
typedef struct AshExecutorOps {
        /* 1: it runs; 0: no room for it now, ask again when a job has ended (never when none runs); negative: it cannot be started here at all, with a diagnostic. */
        int (*start)(AshExecutor *e, uint32_t id, const AshJob *job, AshDiags *diags);
        /* Waits for the end of any job: 1 with *ret; 0: none runs; -EINTR: the user wants to end. */
        int (*wait_any)(AshExecutor *e, AshJobEnd *ret);
        /* Ends what runs; wait_any() then gives each as cancelled. */
        void (*cancel)(AshExecutor *e);
        void (*free)(AshExecutor *e);
} AshExecutorOps;
struct AshExecutor {
        const AshExecutorOps *ops;
};
static inline void ash_executor_free(AshExecutor *e) { if (e) e->ops->free(e); }
ASH_DEFINE_CLEANUP(AshExecutor *, ash_executor_free)

/* Children of this process, each in a process group of its own. argv: the program and its options up to where the name of a component is added ("ashlar", "--json", ..., "component", "build"), NULL-terminated; it
 * writes JSON as "component build --json" does. memory: bytes that all jobs together may be expected to need; 0: what the machine has free. One job runs in any case. SIGINT, SIGTERM and SIGHUP end it. */
typedef struct AshLocalExecutorOptions {
        const char *const *argv;
        unsigned jobs;
        uint64_t memory;
} AshLocalExecutorOptions;
int ash_executor_new_local(const AshLocalExecutorOptions *options, AshExecutor **ret, AshDiags *diags);

/* ---- builds of many components ---- */
typedef struct AshFlowBuildsItem {
        uint32_t component;          /* in the plan */
        AshJobState state;
        int code;
        uint64_t ms;
        size_t packages;
        uint32_t because;            /* of a skipped one: the component that failed */
        char *reason;                /* of a failed one: the first thing that was said */
} AshFlowBuildsItem;
typedef struct AshFlowBuilds {
        ASH_ARRAY(AshFlowBuildsItem) items; /* in the order in which they ended; skipped ones behind the failed one, those that were not started at the end: all that were wanted, once */
        size_t n[ASH_JOB_STATE_MAX_];
        uint64_t ms;                 /* of all */
} AshFlowBuilds;
void ash_flow_builds_done(AshFlowBuilds *b);
/* Flags by component: of those nothing has changed that they are built from, so nobody has to ask (ash_flow_build_known()). Builds with options of their own for where packages or logs go are not to be left out so.
 * NULL: nothing is known without a lock. To be freed. */
bool *ash_flow_builds_known(AshFlow *flow, const AshFlowPlan *plan, const AshFlowBuildOptions *options);
/* Builds what is wanted (flags by component; NULL: all), each as soon as everything that it needs is built. One that fails stops only those that need it. Returns the code of the first failure, -EINTR when it was ended, or 0.
 * known (may be NULL): these are cached without asking the executor, unless something is built in this run that the plan says they need. */
int ash_flow_builds_run(AshFlow *flow, const AshFlowPlan *plan, const bool *wanted, const bool *known, AshExecutor *e, AshFlowBuilds *ret);
