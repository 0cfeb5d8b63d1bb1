/* An in-memory file tree: path -> type, mode, owner, times, extended attributes, reference to content. The centre of image building: compose and handlers
 * make it, writers read it, nothing in between touches a file system. Everything lives in the tree's arena. No I/O.
 *
 * Nodes are numbers; 0 is the root directory and always there. Children of a directory are kept sorted by the bytes of their names, so every walk has one order. */
#pragma once
#include "base.h"

typedef uint32_t AshNode;
#define ASH_NO_NODE UINT32_MAX

/* Where the bytes of a regular file are. */
typedef enum AshContentKind {
        ASH_CONTENT_NONE,       /* no bytes: empty, or not a regular file */
        ASH_CONTENT_PACK,       /* in an expanded package of the store: source is an index into the tree's sources */
        ASH_CONTENT_INLINE,     /* in memory: a handler or the definition made them */
} AshContentKind;
typedef struct AshContent {
        AshContentKind kind;
        uint32_t source;        /* PACK: index into AshTree.sources */
        uint64_t offset;        /* PACK: in the pack file */
        uint64_t length;        /* bytes */
        const char *data;       /* INLINE */
        uint8_t sha256[32];     /* of the bytes; of nothing for an empty file */
} AshContent;

/* What a node comes from: a package, a handler, the image's definition, or a scriptlet that ran in the sandbox. */
typedef enum AshOriginKind { ASH_ORIGIN_PACKAGE, ASH_ORIGIN_HANDLER, ASH_ORIGIN_DEFINITION, ASH_ORIGIN_SCRIPTLET, ASH_ORIGIN_IMPLIED /* a directory that nobody declares */ } AshOriginKind;
typedef struct AshOrigin {
        AshOriginKind kind;
        AshSlice name;          /* NEVRA; the handler's name; the key of the definition, as "files./etc/motd"; "%post(NEVRA)" */
} AshOrigin;

typedef struct AshXattr {
        AshSlice name, value;   /* "security.capability" with its binary value */
} AshXattr;

enum {
        ASH_NODE_CONFIG = 1 << 0, ASH_NODE_NOREPLACE = 1 << 1, ASH_NODE_DOC = 1 << 2, ASH_NODE_LICENSE = 1 << 3,
        ASH_NODE_GHOST = 1 << 4,   /* declared by a package, and made by a handler */
        ASH_NODE_REMOVED = 1 << 5, /* no longer in the tree; its number is not used again */
};

typedef struct AshTreeNode {
        AshSlice name;          /* last part of the path; empty for the root */
        AshNode parent;
        uint32_t mode;          /* type and permissions, as st_mode */
        uint32_t uid, gid;
        AshSlice user, group;   /* names as declared; uid and gid follow from them when the users are known (handler sysusers) */
        int64_t mtime;          /* Unix seconds */
        uint32_t rdev;          /* major << 8 | minor as in an RPM header (glibc's makedev for small numbers) */
        uint32_t flags;
        AshSlice link;          /* of a symbolic link */
        AshNode hardlink;       /* the node whose content and attributes this name shares; ASH_NO_NODE: its own. Never a chain */
        AshContent content;
        AshXattr *xattrs;       /* sorted by name */
        uint32_t n_xattrs;
        uint32_t origin;        /* index into AshTree.origins */
        AshNode *children;      /* of a directory, sorted by name */
        uint32_t n_children, cap_children;
} AshTreeNode;

/* A pack that content refers to. */
typedef struct AshTreeSource {
        AshSlice id;            /* SHA-256 of the RPM, hex */
        const void *pack;       /* AshPack *, opened by whoever composes; NULL when not open. The tree does not own it */
} AshTreeSource;

typedef struct AshTree {
        AshArena *arena;
        ASH_ARRAY(AshTreeNode) nodes;
        ASH_ARRAY(AshTreeSource) sources;
        ASH_ARRAY(AshOrigin) origins;
} AshTree;

AshTree *ash_tree_new(void);                              /* with a root directory 0755 root root, origin IMPLIED */
void ash_tree_free(AshTree *tree);
ASH_DEFINE_CLEANUP(AshTree *, ash_tree_free)
static inline AshTreeNode *ash_tree_node(const AshTree *t, AshNode n) { return &t->nodes.items[n]; } /* good until the next node is added */

uint32_t ash_tree_add_source(AshTree *t, AshSlice id, const void *pack);
uint32_t ash_tree_add_origin(AshTree *t, AshOriginKind kind, AshSlice name); /* the same kind and name give the same index */

AshNode ash_tree_child(const AshTree *t, AshNode dir, AshSlice name);        /* ASH_NO_NODE */
/* By path ("/usr/bin/sh"; "/" is the root). follow: symbolic links on the way and at the end are followed within the tree, at most 40; else only those on the way are not, either:
 * a link on the way gives ASH_NO_NODE. */
AshNode ash_tree_lookup(const AshTree *t, AshSlice path, bool follow);
/* The same, and the path as it is without links ("/bin/sh" -> "/usr/bin/sh"), whether its last part exists or not: in the arena; empty when a link loops or a part is no directory. */
AshSlice ash_tree_resolve(AshTree *t, AshSlice path);
/* Adds a node below dir; -EEXIST when the name is taken. mode says what it is. The name is copied. */
int ash_tree_add(AshTree *t, AshNode dir, AshSlice name, uint32_t mode, uint32_t origin, AshNode *ret);
/* The directory at path, made with its missing parents (0755 root root, origin IMPLIED unless given). Links on the way are followed. -ENOTDIR. */
int ash_tree_make_dirs(AshTree *t, AshSlice path, uint32_t origin, AshNode *ret);
/* Puts a file with this content (copied) at path: makes it, or replaces what is there (content, origin; its mode and owner stay when it is a regular file, else mode counts). Parents are made. */
int ash_tree_put_file(AshTree *t, AshSlice path, AshSlice content, uint32_t mode, uint32_t origin, AshNode *ret);
int ash_tree_put_symlink(AshTree *t, AshSlice path, AshSlice target, uint32_t origin, AshNode *ret);
void ash_tree_remove(AshTree *t, AshNode n);              /* with all below it; a content that other names share moves to the next of them */
void ash_tree_detach(AshTree *t, AshNode n);              /* a file with several names: this name gets content and attributes of its own */
void ash_tree_empty(AshTree *t, AshNode n);               /* a file without bytes */
void ash_tree_set_xattr(AshTree *t, AshNode n, AshSlice name, AshSlice value); /* value.ptr NULL removes it */
void ash_tree_path(const AshTree *t, AshNode n, AshStr *ret);                 /* appends "/usr/bin/sh" */
/* Depth first, each directory before its children, children sorted. Stops at the first negative result and returns it. */
int ash_tree_walk(const AshTree *t, AshNode from, int (*fn)(void *context, const AshTree *t, AshNode n), void *context);
size_t ash_tree_count(const AshTree *t);                  /* nodes that are there */
