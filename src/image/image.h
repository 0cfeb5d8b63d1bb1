/* image: a tree to the bytes of an output. Sees a tree, its opened packs and an output's description; knows no package. docs/images.md shows the formats.
 *
 * A stream (tar, cpio) is laid out before a byte is written: headers in memory, contents where they are mapped. It is then digested, compressed and written on all processors, in chunks. Where a
 * chunk ends follows from the members around it and nothing else: the number of threads changes nothing, and the same run of files is the same chunk in every stream that has it. */
#pragma once
#include "model-tree.h"
#include "store.h"

/* ---- streams ---- */
typedef struct AshPart {
        AshSlice bytes;              /* borrowed from the arena, the tree and its packs */
        const uint8_t *sha256;       /* of them, where it is known: content of packages, mapped */
} AshPart;
typedef struct AshMark {
        size_t part;                 /* the first of a member */
        uint64_t offset;             /* where that is in the stream */
        uint32_t hash;               /* of its name */
} AshMark;
typedef struct AshLayout {
        AshArena *arena;
        ASH_ARRAY(AshPart) parts;    /* in order */
        ASH_ARRAY(AshMark) marks;    /* where members begin: only there may chunks of small members end */
        uint64_t size;               /* bytes of all */
} AshLayout;
AshLayout *ash_layout_new(void);
void ash_layout_free(AshLayout *l);
ASH_DEFINE_CLEANUP(AshLayout *, ash_layout_free)
void ash_layout_add(AshLayout *l, AshSlice bytes);                 /* borrowed */
int ash_layout_content(AshLayout *l, const AshTree *t, AshNode n);    /* a regular file's bytes; -EIO when they are not at hand */
void ash_layout_copy(AshLayout *l, AshSlice bytes);                /* into the arena */
void ash_layout_zeros(AshLayout *l, uint64_t n);
void ash_layout_mark(AshLayout *l, AshSlice name);                 /* a member begins */
void ash_layout_append(AshLayout *l, const AshLayout *other);      /* borrowed: other must live as long */
/* POSIX.1-2001 pax, plain ustar headers where they suffice; xattrs as SCHILY.xattr.*; owners by number. skip_root leaves the root directory out (container layers). Sockets are left out. */
int ash_layout_tar(AshLayout *l, const AshTree *t, bool skip_root, AshDiags *diags);
/* One layer of several, without the root directory: the nodes whose origin layers[] puts there, and the directories that they are in. In all but the last one directories have "time", whoever declares
 * them; the last one brings those that have another, so that unpacking all in their order gives the tree, and a layer follows from its packages alone. */
int ash_layout_tar_layer(AshLayout *l, const AshTree *t, const uint32_t *layers, uint32_t layer, bool last, int64_t time, AshDiags *diags);
/* cpio "newc" (SVR4 without checksum), as an initramfs is. It has no xattrs, and no file of 4 GiB: -ASH_ERR_LIMIT. */
int ash_layout_cpio(AshLayout *l, const AshTree *t, AshDiags *diags);
/* One file within a tar stream. */
void ash_layout_tar_file(AshLayout *l, const char *name, uint64_t size, int64_t mtime); /* the header; the bytes follow, then ash_layout_tar_pad(); at last ash_layout_tar_end() */
void ash_layout_tar_pad(AshLayout *l, uint64_t size);
void ash_layout_tar_end(AshLayout *l);

typedef struct AshWritten {
        uint64_t size, compressed_size;
        uint8_t sha256[32], compressed_sha256[32]; /* of the stream, and of what was written; equal without compression */
} AshWritten;
typedef struct AshWriteOptions {
        AshCompression compression;
        int level;                   /* 0: the default */
        bool digest;                 /* sha256 (of the uncompressed stream) is wanted */
        unsigned threads;            /* 0: as many as there are processors */
        AshStore *store;             /* where compressed chunks are kept for the next time; may be NULL */
        AshProgress *progress;
} AshWriteOptions;
/* Writes to a descriptor. Pages of packages are given back on the way, so that memory does not grow with the stream. */
int ash_layout_write(const AshLayout *l, int fd, const AshWriteOptions *options, AshWritten *ret, AshDiags *diags);
int ash_layout_digest(const AshLayout *l, uint8_t ret[static 32]);

/* ---- outputs ---- */
typedef struct AshImageFacts {
        const char *name;            /* "container-base" */
        const char *arch;            /* as RPM says it: "x86_64" */
        int64_t time;                /* SOURCE_DATE_EPOCH */
        AshCompression compression;  /* of layers and archives */
        int level;
        unsigned threads;
        AshStore *store;             /* of compressed chunks; may be NULL */
        const uint32_t *layers;      /* by origin of the tree, for layouts with several; NULL: one */
        uint32_t n_layers;
        AshSlice *entrypoint, *command, *environment /* "KEY=value" */, *ports, *volumes, *tags;
        size_t n_entrypoint, n_command, n_environment, n_ports, n_volumes, n_tags;
        struct AshFactPair { AshSlice key, value; } *labels, *annotations;
        size_t n_labels, n_annotations;
        AshSlice user, working_directory, stop_signal;
        AshProgress *progress;
} AshImageFacts;

/* One architecture's image within a layout that is being made. */
typedef struct AshOciImage {
        char arch[16], variant[8];   /* Go's names: "amd64", "arm64" and "v8" */
        char manifest_digest[65];
        uint64_t manifest_size;
        uint64_t size;               /* bytes of the layers as they are in the layout */
} AshOciImage;
/* Puts config, layers and manifest as blobs below dirfd (blobs/sha256/...). OCI image-spec 1.1. */
int ash_oci_add(int dirfd, const AshTree *t, const AshImageFacts *facts, AshOciImage *ret, AshDiags *diags);
/* oci-layout and index.json: over one image its manifest; over several an index with their platforms. */
int ash_oci_finish(int dirfd, const AshImageFacts *facts, const AshOciImage *images, size_t n, AshDiags *diags);
/* "docker load": one tar with manifest.json, configuration and the layer. */
int ash_docker_write(int fd, const AshTree *t, const AshImageFacts *facts, AshWritten *ret, AshDiags *diags);
/* Files below dirfd as whoever runs this may make them: owners, devices, set-id bits and xattrs are in the sidecar (a dump of the tree). Modes are set as far as they are the owner's to set. */
int ash_directory_write(int dirfd, const AshTree *t, AshDiags *diags);
AshSlice ash_image_bytes(const AshTree *t, AshNode n);              /* of a regular file; hard links followed */

/* ---- the tree as text ---- */
/* One line a node, sorted by path as a walk goes; docs/images.md has the format. It says everything: ash_tree_parse() makes the same tree of it. */
void ash_tree_dump(const AshTree *t, AshStr *out);
/* source: finds the bytes of content. It gives a pack for the hex digest of an RPM (for AshTreeSource.pack), or bytes for a content digest; 0 or a negative error;
 * bytes: -ENODATA when only what the dump says matters. */
typedef struct AshDumpContent {
        void *context;
        int (*pack)(void *context, AshSlice id, const void **ret, AshDiags *diags);
        int (*bytes)(void *context, AshSlice sha256, AshArena *arena, AshSlice *ret, AshDiags *diags);
} AshDumpContent;
/* -ASH_ERR_SYNTAX with the line. */
int ash_tree_parse(AshSource *text, const AshDumpContent *content, AshTree **ret, AshDiags *diags);
