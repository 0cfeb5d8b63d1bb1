/* What a loaded configuration is made of. */
#pragma once
#include <pthread.h>
#include "config.h"
#include "config-schema.h"
#include "io.h"

typedef struct AshConfigInclude {
        size_t file;              /* index of the included file */
        AshSpan at;               /* the pattern that brought it in */
} AshConfigInclude;

/* One file as written. */
typedef struct AshConfigFile {
        char *path, *dir;
        AshBytes bytes;
        AshSource *source;
        AshArena *arena;
        AshProject part;
        ASH_ARRAY(AshConfigInclude) includes;
        AshSpan wanted_at;        /* the first include of it */
        enum { ASH_FILE_NEW, ASH_FILE_OPEN, ASH_FILE_DONE } state; /* of the walk that puts files in order */
        bool borrowed;            /* bytes are not ours */
        int result;
} AshConfigFile;

struct AshConfig {
        char *dir, *file;
        AshConfigFlags flags;
        ASH_ARRAY(AshConfigFile *) files;
        ASH_ARRAY(AshConfigFile *) order;   /* files in the order in which they count, built-in defaults first */
        AshArena *arena;                    /* of the merged project; under the mutex after loading */
        AshProject project;
        AshMap names[ASH_REF_MAX_];         /* what a reference of each kind may name: name -> item */
        AshRepos repos;                     /* resources.rpm-repos and what sets make of their templates */
        uint32_t *sorted;                   /* indexes of components by name */
        AshOverlaySemantics semantics;
        bool alone;                         /* from memory, without a directory: no other file is read */
        pthread_mutex_t mutex;              /* of all below */
        AshMap memberships;                 /* component name -> MemberList; made on first use */
        bool memberships_made;
        AshMap package_groups;              /* package name -> AshPackageGroup; made on first use */
        bool package_groups_made;
        const AshComponentConfig *base;     /* what a component without groups inherits */
        AshMap images;                      /* effective ones: name -> AshImage */
        AshMap overlay_files;               /* path -> AshConfigFile with the overlays, or NULL when it is wrong */
        ASH_ARRAY(AshConfigFile *) side_files;
};

/* ---- merging (config-merge.c) ---- */
typedef struct AshMerge {
        AshArena *arena;
        bool append;              /* arrays go behind inherited ones (unless the field says REPLACE); else they replace them */
        bool strict;              /* explicit false, zero and empty override */
} AshMerge;
/* Puts "over" on top of "record". Nothing that either points at is changed. */
void ash_merge_record(const AshMerge *m, const AshRecord *r, void *record, const void *over);
/* All files in order to one project; duplicates become diagnostics. */
void ash_merge_files(AshConfig *c, AshDiags *diags);

/* ---- files (config-load.c) ---- */
AshConfigFile *ash_config_file_new(const char *path);
void ash_config_file_free(AshConfigFile *f);
/* Reads and parses as "record" into "into". */
int ash_config_file_parse(AshConfigFile *f, const AshRecord *record, void *into, bool lint, AshDiags *diags);
/* Files that match a path or glob (relative to the process' directory), sorted by path. *ret_literal: it holds no wildcard. */
int ash_config_glob(AshSlice pattern, AshPaths *ret, bool *ret_literal);

/* ---- the merged project (config-check.c, config-inherit.c, config-repos.c) ---- */
void ash_config_index(AshConfig *c);
void ash_config_expand_repos(AshConfig *c, AshDiags *diags);
void ash_config_find_specs(AshConfig *c, AshDiags *diags);
void ash_config_check(AshConfig *c, AshDiags *diags);
/* Reports that "name" is no such thing, with the nearest one that is. */
void ash_config_unknown(const AshConfig *c, AshRef ref, AshSlice name, AshSpan at, AshDiags *diags);

/* One step of a component's inheritance. */
typedef struct AshLayer {
        char *step;               /* "group 'x'" */
        const AshComponentConfig *config;
} AshLayer;
typedef ASH_ARRAY(AshLayer) AshLayers;
/* The layers of a component, the weakest first; its own is the last. */
void ash_config_layers(AshConfig *c, const AshComponent *component, AshLayers *ret);
void ash_layers_done(AshLayers *layers);
/* The overlays of a component's overlay-files, in order. */
int ash_config_overlay_files(AshConfig *c, const AshComponent *component, AshTexts patterns, AshOverlays *ret, AshDiags *diags);

/* What an image inherits, each once, the weakest first; the image itself is the last. */
typedef ASH_ARRAY(const AshImage *) AshImageList;
int ash_config_image_layers(AshConfig *c, const AshImage *image, AshImageList *ret, AshDiags *diags);
