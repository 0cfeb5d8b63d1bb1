/* Private to flow-build*.c: one component on its way to packages. */
#pragma once
#include "build.h"
#include "flow-blame.h"
#include "flow-build.h"
#include "json.h"

typedef ASH_ARRAY(AshRequest) Requests;

typedef struct Job {
        AshFlowBuilder *b;
        AshFlow *flow;
        const AshFlowBuildOptions *o;
        AshArena *arena;
        AshRendered *rendered;
        const AshComponentConfig *config;
        AshSlice component, arch;
        AshSource *spec;             /* the rendered spec, under the name that it has on disk */
        ASH_ARRAY(const char *) options; /* of rpmbuild */
        char inputs[ASH_FINGERPRINT_MAX + 24]; /* the fingerprint, and by how much the release was raised */
        char options_key[65];
        AshFlowRoot *base, *root;
        AshBuild *build;             /* made when something has to run */
        Requests requires;
        size_t n_static;             /* of them: what the spec says */
        bool asks;                   /* its source package says that it does what follows */
        bool dynamic;                /* it asks for more while it is built */
        int64_t epoch;               /* SOURCE_DATE_EPOCH */
        char key[65];
        AshBuilt *built;             /* ashlar.built */
        AshFlowBuiltState built_state;
        AshId known;                 /* digest of all that it follows from, before anything is solved */
        bool has_known;
        char *log_path;
        AshLockFile *turn;           /* one build of a component of a project at a time: they have one log */
        uint64_t began;
        AshFlowBuild *result;
} Job;

/* flow-build.c: a root that something is to run in; options of rpmbuild; and a step of rpmbuild in one. */
int ash_flow_job_need_root(Job *j, AshFlowRoot **root, const AshRequest *more, size_t n);
void ash_flow_job_collect_options(Job *j);
int ash_flow_job_run(Job *j, AshFlowRoot *root, AshBuildStep step);

/* flow-build-spec.c: the line that asks for a package (nowhere when a macro made it); and what rpmbuild says of a spec that it cannot parse, with the overlay that caused it: -ASH_ERR_SYNTAX. */
AshSpan ash_flow_job_required_at(const Job *j, AshSlice dep);
AshFlowPlaces *ash_flow_job_places(const Job *j); /* where its lines come from; NULL: that cannot be told */
int ash_flow_job_spec_failed(Job *j, const AshFlowRoot *root);
/* What rpm warns of in a spec of the project's own, whose author is here: of the source package that was made. */
void ash_flow_job_spec_warnings(const Job *j);
/* Behind the error of a failed %prep: the overlay that brought the patch or file that it used last, if one did. */
void ash_flow_job_note_patch(const Job *j);

/* flow-build-requires.c */
int ash_flow_job_static_requires(Job *j);
int ash_flow_job_dynamic_requires(Job *j);
bool ash_flow_job_asks(const Job *j); /* does its build ask for more? */
void ash_flow_job_tell_requires(Job *j); /* into the result, for plans */

/* flow-build-record.c */
void ash_flow_job_make_key(Job *j);
void ash_flow_job_tell_key(Job *j); /* and what the record would be, into the result */
bool ash_flow_job_recall(Job *j); /* the result of an earlier build with that key */
/* The component of ashlar.built out of a record (hex: its digest); false: it is none. Whole: the store has all that it names. In the result's arena. */
bool ash_flow_job_read_record(Job *j, AshSlice text, AshSlice hex, AshBuiltComponent *c, bool *ret_whole);
bool ash_flow_job_first(Job *j, AshBuiltComponent *c, bool *ret_whole); /* of the builds with that key: the one that counts */
void ash_flow_job_count(Job *j, AshSlice record); /* it is this one from now on */
bool ash_flow_job_is_whole(const Job *j, const AshBuiltComponent *c); /* the store has all of it */
AshBuiltComponent ash_flow_job_copy_built(Job *j, const AshBuiltComponent *c); /* into the result's arena */
const char *ash_flow_job_blob(const Job *j, AshSlice hex); /* its path in the store */
int ash_flow_job_store_results(Job *j, const AshBuildPackages *packages);
void ash_flow_job_tell_unverified(Job *j); /* into the result, out of its record */
/* A record by its digest, in the arena; and what of its sources was to be checked by a signature, and was not. */
int ash_flow_record_read(AshFlow *flow, AshSlice hex, AshArena *arena, const AshJsonValue **ret);
size_t ash_flow_record_unverified(const AshJsonValue *record, AshArena *arena, AshSlice **ret);

/* flow-build-again.c: this build's result is in the job; was it built before, the first one counts, and what the other gave is kept beside it. */
int ash_flow_job_settle(Job *j);

/* flow-build-known.c: known at once: when nothing that the last build followed from has changed, nothing is opened and nothing solved: ashlar.built says what it gave. */
bool ash_flow_job_recall_known(Job *j);
void ash_flow_job_remember_known(Job *j);
void ash_flow_job_tell_reach(Job *j); /* into the result, for ash_flow_build_note() */
