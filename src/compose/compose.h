/* compose: packages and a definition to a tree. Knows packages; writes no file, reads none but the definition's "source" files. */
#pragma once
#include "compose-handler.h"

typedef struct AshComposeInput {
        AshComposePackage *packages; /* in any order: they are sorted here */
        size_t n_packages;
        const AshImage *image;       /* with all that it inherits */
        const AshIdentity *identity; /* of the distribution: os-release; may be NULL */
        const AshLock *lock;         /* may be NULL */
        const AshHandler *handlers;  /* table, ended by a row without name; may be NULL */
        int (*scriptlets)(AshHandlerContext *c, void *context); /* runs between the packages' files and the definition; may be NULL */
        void *scriptlets_context;
        AshStore *store;             /* cache of handlers; may be NULL */
        AshSlice arch;
        AshSlice signing_key;        /* public key of the project's repositories, armored; for files that are it */
        int64_t time;                /* SOURCE_DATE_EPOCH: nothing in the tree is younger */
} AshComposeInput;

/* The whole: package files, the definition, handlers, numbers of owners, times, digests. -ASH_ERR_CONFIG: the definition is wrong; -EEXIST: packages contradict each other. */
int ash_compose(const AshComposeInput *input, AshTree **ret, AshDiags *diags);

/* "cap_net_raw,cap_sys_admin=ep" (cap_from_text(3)) as bytes of security.capability (VFS_CAP_REVISION_2, linux/capability.h). -EINVAL. */
int ash_compose_caps(AshSlice text, uint8_t ret[static 20]);
