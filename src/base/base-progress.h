/* Progress of long work, reported through a context that is passed in. Calls may come from any thread. */
#pragma once
#include "base-macro.h"

typedef enum AshUnit { ASH_UNIT_ITEMS, ASH_UNIT_BYTES } AshUnit;

typedef struct AshProgress AshProgress;
typedef struct AshProgressOps {
        void (*begin)(AshProgress *p, const char *stage, uint64_t total, AshUnit unit); /* total 0: not known */
        void (*advance)(AshProgress *p, uint64_t delta);
        void (*message)(AshProgress *p, const char *text);   /* one line about what is being done */
        void (*end)(AshProgress *p);
} AshProgressOps;
struct AshProgress {
        const AshProgressOps *ops;
};

/* All take NULL: no progress wanted. */
static inline void ash_progress_begin(AshProgress *p, const char *stage, uint64_t total, AshUnit unit) { if (p) p->ops->begin(p, stage, total, unit); }
static inline void ash_progress_advance(AshProgress *p, uint64_t delta) { if (p) p->ops->advance(p, delta); }
static inline void ash_progress_message(AshProgress *p, const char *text) { if (p) p->ops->message(p, text); }
static inline void ash_progress_end(AshProgress *p) { if (p) p->ops->end(p); }
