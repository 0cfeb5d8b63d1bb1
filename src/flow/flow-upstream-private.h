/* Private to flow-upstream*.c: what a kind of upstream is made of. A new kind is a file of its own with a table of operations, and a row in flow-upstream.c. */
#pragma once
#include "flow-upstream.h"

typedef struct AshFlowUpstreamOps {
        const char *type;            /* as the configuration calls it */
        int rank;                    /* its priority where the configuration gives none */
        int (*open)(AshFlowUpstream *u, const AshLockUpstream *pinned);
        void (*done)(AshFlowUpstream *u); /* also of one that was never opened, or not wholly */
        const AshId *(*state)(const AshFlowUpstream *u); /* of everything that the solver sees of it */
        int (*add)(AshFlowUpstream *u, const char *label, AshUniverse *universe);
        bool (*has)(AshFlowUpstream *u, const AshPackage *package);
        int (*realize)(AshFlowUpstream *u, const AshPackage *const *packages, size_t n, AshArena *arena, AshLockPackage *ret);
        void (*lock)(const AshFlowUpstream *u, AshArena *arena, AshLockUpstream *ret);
        int (*rescue)(AshFlowUpstream *u, const AshLockPackage *const *packages, size_t n); /* of one that has not been opened */
        int (*prove)(AshFlowUpstream *u, const AshLockPackage *locked, AshDiags *diags);
        int (*count)(AshFlowUpstream *u, size_t *ret);
        void (*package)(AshFlowUpstream *u, size_t i, AshArena *arena, AshPackage *ret);
        /* NULL where a kind has nothing of that */
        uint64_t (*date)(const AshFlowUpstream *u);
        AshSlice (*revision)(const AshFlowUpstream *u);
        int (*own)(AshFlowUpstream *u, const AshMap *paths, AshIndexOwn *ret);
        int (*essential)(AshFlowUpstream *u, AshArena *arena, AshSlice **ret, size_t *ret_n);
        int (*contents)(AshFlowUpstream *u, AshArena *arena, AshFlowContents **ret, size_t *ret_n);
        bool (*scripts)(AshFlowUpstream *u, AshSlice location, AshFlowScripts *ret);
        const AshAptTables *(*tables)(const AshFlowUpstream *u);
} AshFlowUpstreamOps;
extern const AshFlowUpstreamOps ash_flow_upstream_rpmmd, ash_flow_upstream_apt, ash_flow_upstream_host, ash_flow_upstream_components;

struct AshFlowUpstream {
        AshFlow *flow;
        const AshFlowUpstreamOps *ops;
        const AshUpstream *config;
        AshSlice name, arch, type;
        const AshLockUpstream *pinned; /* NULL: the newest state */
        AshArena *arena;
        /* the one of its kind, once it is opened */
        struct AshFlowApt *apt;
        struct AshFlowRpmmd *rpmmd;
        struct AshFlowHost *host;
        struct AshFlowBuilt *built;
};

/* ---- keys of derived objects: a digest over parts, each with its length ---- */
typedef struct AshFlowKey {
        AshDigest *digest;
} AshFlowKey;
AshFlowKey ash_flow_key_new(const char *kind);
void ash_flow_key_add(AshFlowKey *k, const void *data, size_t n);
AshId ash_flow_key_done(AshFlowKey *k);

/* The universe as libsolv keeps it, made once for each state; not to have it is only a loss of time. recall: -ENOENT when it is not kept. */
int ash_flow_recall_solv(const AshFlowUpstream *u, const AshId *key, AshUniverse *universe);
void ash_flow_keep_solv(const AshFlowUpstream *u, const AshId *key, AshUniverse *universe);
AshLockUpstream *ash_flow_copy_state(const AshLockUpstream *from, AshArena *arena);
/* 0, or -ASH_ERR_VERIFY with a diagnostic: the upstream says something else of a package than the lock does. */
int ash_flow_prove_text(AshFlowUpstream *u, const AshLockPackage *locked, const char *what, AshSlice is, AshSlice said, AshDiags *diags);
int ash_flow_prove_size(AshFlowUpstream *u, const AshLockPackage *locked, uint64_t is, AshDiags *diags);
