/* Private to flow-image*.c: an image on its way to its outputs. */
#pragma once
#include "disk.h"
#include "flow-image.h"

/* An output that is complete beside its place: a file, or a directory. */
typedef struct Pending {
        AshAtomic *atomic;
        char *part, *name;           /* of a directory */
        const char *path;            /* for messages */
} Pending;
typedef struct Build {
        AshFlow *flow;
        const AshFlowImageOptions *o;
        const AshLock *lock;
        const AshImage *image;
        AshFlowImageDone *done;
        AshArena *arena;
        AshImageFacts facts;
        ASH_ARRAY(AshFlowTree *) trees;
        ASH_ARRAY(AshDisk *) disks;  /* of kind "disk": by tree */
        AshStr old, record;          /* what the last build said of itself, and what this one will */
        ASH_ARRAY(Pending) pending;
        ASH_ARRAY(AshLockFile *) machines; /* locks on disks: no machine begins to write to one that is being replaced */
        char *dir, *record_path;
        _Alignas(8) int dirfd;
        char inputs[65];             /* digest of what the build follows from; empty: not known */
        bool fresh;                  /* everything is as the record says */
        bool untouched;              /* and was so before: nothing needed to be composed */
} Build;

/* flow-image.c */
bool ash_flow_image_wants_arch(const Build *b, AshSlice arch);

/* flow-image-record.c: a digest of all that the outputs follow from, and what they are */
int ash_flow_image_stage_inputs(Build *b); /* before anything is composed: is this what was built the last time? */
int ash_flow_image_stage_compare(Build *b);
int ash_flow_image_stage_record(Build *b);
void ash_flow_image_look(Build *b); /* for a plan: are the outputs what the record says? */

/* flow-image-write.c: outputs beside their places, then in them */
int ash_flow_image_stage_disks(Build *b);
int ash_flow_image_stage_write(Build *b);
int ash_flow_image_stage_publish(Build *b);
int ash_flow_image_failed(Build *b, int r, const char *path); /* says that it cannot be written */
