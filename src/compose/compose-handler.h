/* What replaces scriptlets: native code over the finished tree. One row in a const table for each handler; src/compose/handlers has them all, in the order in which they run.
 *
 * A handler sees the tree with every package's files and the definition's files in it, reads what it needs, and puts files. It never touches a file system, never looks at a clock or an
 * environment, and gives the same result for the same tree. Users and groups are names in the tree; numbers follow from /etc/passwd and /etc/group when all handlers have run. */
#pragma once
#include "model-lock.h"
#include "model-project.h"
#include "model-tree.h"
#include "store.h"

typedef struct AshComposePackage {
        const AshPack *pack;         /* borrowed; open as long as the tree is used */
        AshSlice nevra;              /* as the pack and the lock say it */
        bool user;                   /* asked for; else a dependency (dnf's reason) */
        bool over;                   /* where a file of it and one of a package without this mark differ, its own is meant */
        uint32_t source, origin;     /* of the tree; filled in by compose */
} AshComposePackage;

typedef struct AshHandler AshHandler;
typedef struct AshHandlerContext {
        AshTree *tree;
        AshStore *store;             /* for ash_handler_cached(); may be NULL */
        const AshComposePackage *packages; /* sorted by NEVRA; ash_pack_header() has what only a header says */
        size_t n_packages;
        const AshImage *image;       /* the definition with all that it inherits: users, groups, services, ...; may be NULL */
        const AshIdentity *identity; /* of the distribution; may be NULL */
        const AshLock *lock;         /* ids, seed, source_date_epoch; may be NULL */
        AshSlice arch;               /* "x86_64" */
        int64_t time;                /* SOURCE_DATE_EPOCH */
        const AshHandler *handler;   /* the one that runs */
        uint32_t origin;             /* for what it makes: ASH_ORIGIN_HANDLER and its name */
        AshDiags *diags;
} AshHandlerContext;

struct AshHandler {
        const char *name;            /* "sysusers" */
        const char *doc;             /* one line: what state it makes, and which command it stands for */
        const char *const *inputs;   /* globs of the paths that it reads, NULL-terminated: for ash_handler_cached() and for people; NULL: none */
        unsigned version;            /* counts up when its output for the same inputs changes: part of the cache's key */
        bool (*wanted)(const AshHandlerContext *c); /* NULL: always. False: has nothing to do in this image */
        int (*run)(AshHandlerContext *c);
};

/* Runs all rows of a table (ended by a row without name) in their order. *ret_run (may be NULL) counts those that were wanted. */
int ash_handlers_run(const AshHandler *table, AshHandlerContext *c, size_t *ret_run);

/* ---- for handlers ---- */
/* Which entries of a package the image leaves out as documentation or for their language: one for each entry; to be freed. rpm has them as "not installed". */
bool *ash_compose_left_out(const AshImage *image, const AshPack *pack);
/* The bytes of a regular file: mapped from its pack or in memory; follows a hard link. Good as long as tree and packs. Empty for what has none. */
AshSlice ash_compose_bytes(const AshTree *t, AshNode n);
/* The same by path, links followed; ASH_NOSLICE when there is no regular file. */
AshSlice ash_compose_read(const AshTree *t, AshSlice path);
/* Numbers of all owners from /etc/passwd and /etc/group of the tree. A name that is not there stands for root, and is -ENOENT with a diagnostic that names who owns what, at its place in the image's definition (which may be NULL). */
int ash_compose_owners(AshTree *t, const AshImage *image, AshDiags *diags);
/* Fills in the digest of content in memory, where it is not known yet. */
void ash_compose_content_digest(const AshTree *t, AshNode n);
/* Calls fn for the files (not directories) that match the globs, sorted by path; each once. A pattern's fixed directory is looked up first, so that only what can match is visited. */
int ash_compose_match(const AshTree *t, const char *const *globs, int (*fn)(void *context, AshSlice path, AshNode n), void *context);
/* Put what the handler makes; parents are made, an older file is replaced, owner root:root unless the file is there. What the definition put at that path stays: its author knows better. */
int ash_handler_file(AshHandlerContext *c, AshSlice path, AshSlice content, uint32_t mode, AshNode *ret);
int ash_handler_symlink(AshHandlerContext *c, AshSlice path, AshSlice target);
/* A large or slow output, kept in the store under a digest of: the handler's name and version, the architecture, "more", and path, type, mode, link and content digest of all that matches its
 * inputs. compute is called when it is not there. *ret lives in the tree's arena. */
int ash_handler_cached(AshHandlerContext *c, AshSlice more, int (*compute)(AshHandlerContext *c, void *context, AshStr *out), void *context, AshSlice *ret);
