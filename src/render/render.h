/* render: a component's upstream files and our overlays to the files that are built. docs/render.md. */
#pragma once
#include "base.h"
#include "io.h"
#include "autospec.h"
#include "config.h"
#include "model-built.h"
#include "fingerprint.h"
#include "overlay.h"
#include "specsource.h"
#include "textdiff.h"

typedef struct AshRenderOptions {
        const char *spec_dir;      /* a directory of specs that stands for dist-git; NULL: none */
        const char *output_dir;    /* NULL: the project's rendered-specs-dir, else "specs" beside the project file */
        AshSpecOptions sources;    /* where downloads are kept, and so on */
        unsigned jobs;             /* 0: as many as processors */
        bool check;                /* writes nothing */
        bool prune;                /* removes directories of components that are gone */
        bool only_available;       /* components without a spec at hand are left out, not an error */
        bool with_sources;         /* fetches all sources, and applies the overlays inside archives */
        const AshBuilt *built;     /* what was built before: a component that has changed since gets a higher release (docs/building.md). NULL: releases stay as they are written */
        AshProgress *progress;
} AshRenderOptions;

/* ---- one component, in memory ---- */
typedef struct AshRenderFile {
        const char *name;          /* relative path */
        mode_t mode;               /* S_IFLNK set: a link, data is its target */
        AshSlice data;
} AshRenderFile;
typedef struct AshRendered {
        AshArena *arena;
        const AshComponent *component;
        AshSpecTree *upstream;
        AshSources sources;        /* upstream's and ours; fetched with "with_sources" */
        AshSourceTree *tree;       /* after the overlays */
        AshOverlayReport *report;  /* what they did, or NULL */
        AshFingerprint *fingerprint;
        const char *spec;          /* name of the spec among files */
        AshSlice base;             /* "VERSION-RELEASE" as the spec says them after the overlays (without %dist) */
        uint64_t bumps;            /* by which the release was raised above that */
        ASH_ARRAY(AshRenderFile) files; /* sorted by name */
} AshRendered;
void ash_rendered_free(AshRendered *r);
ASH_DEFINE_CLEANUP(AshRendered *, ash_rendered_free)
/* Nothing is written but caches. The first problem of each overlay is reported; -ENOENT: no such component, or upstream has no such spec; -ASH_ERR_AGAIN: upstream cannot be reached. */
int ash_render(AshConfig *config, AshSlice name, const AshRenderOptions *options, AshRendered **ret, AshDiags *diags);
const AshRenderFile *ash_rendered_find(const AshRendered *r, const char *name);

/* ---- parts of it, for lint, rebase and the like ---- */
/* Upstream's files alone, and as a tree that overlays can be applied to. */
int ash_render_upstream(AshConfig *config, const AshComponent *component, const AshRenderOptions *options, AshSpecTree **ret, AshDiags *diags);
int ash_render_source_tree(const AshSpecTree *upstream, AshSourceTree **ret, AshDiags *diags);
/* How overlays of this component are to be applied; texts live in the arena. "spec" is the spec's name. */
AshOverlayOptions ash_render_overlay_options(AshConfig *config, const AshComponent *component, const char *spec, AshArena *arena);
/* The configuration without overlays that edit the inside of archives: those run when sources are prepared. Lives in the arena. */
const AshComponentConfig *ash_render_without_archives(const AshComponentConfig *config, AshArena *arena);
char *ash_render_output_dir(AshConfig *config, const AshRenderOptions *options); /* malloc'ed */

/* ---- many components, onto disk ---- */
typedef enum AshRenderStatus { ASH_RENDER_SAME, ASH_RENDER_ADDED, ASH_RENDER_CHANGED, ASH_RENDER_STALE, ASH_RENDER_PRUNED, ASH_RENDER_SKIPPED, ASH_RENDER_FAILED, ASH_RENDER_MAX_ } AshRenderStatus;
const char *ash_render_status_name(AshRenderStatus status); /* "same", "added", "changed", "stale", "pruned", "skipped", "failed" */
typedef struct AshRenderResult {
        char *component;
        AshRenderStatus status;
        int result;                  /* of a failed one */
        ASH_ARRAY(char *) changed;   /* files that differ: "+name", "-name", "~name" */
} AshRenderResult;
typedef struct AshRenderResults {
        ASH_ARRAY(AshRenderResult) items; /* in the order of names; stale and pruned ones behind */
} AshRenderResults;
void ash_render_results_done(AshRenderResults *results);
#define _render_results_ _cleanup_(ash_render_results_done)
/* Each component's directory is replaced as a whole, in one step, and only when something in it differs; files that stay the same keep their inode and times. A failing
 * component leaves its directory as it was and does not stop the others. names NULL: all components; only then are directories of components that are gone looked for.
 * Returns the first failure in the order of names, or 0. */
int ash_render_components(AshConfig *config, const AshSlice *names, size_t n, const AshRenderOptions *options, AshRenderResults *ret, AshDiags *diags);

/* All that a build needs in one directory: the rendered files and the sources. "dir" is made, or replaced in one step when it is empty or was made so before; anything else is
 * -ENOTEMPTY. */
int ash_render_prepare(AshConfig *config, AshSlice name, const char *dir, const AshRenderOptions *options, AshDiags *diags);

/* ---- differences, and who made them ---- */
typedef struct AshRenderStep {
        const AshOverlay *overlay;   /* NULL: not by an overlay */
        const char *what;            /* then: "macro file", "check.skip", "file header, release and generated text" */
} AshRenderStep;
typedef struct AshFileDiff {
        const char *name;
        AshSlice before, after;      /* ptr NULL: does not exist */
        AshTextDiff diff;
        AshHunks hunks;
        uint64_t **steps;            /* of each change: a bit set of steps */
} AshFileDiff;
typedef struct AshComponentDiff {
        AshArena *arena;
        AshRendered *rendered;
        ASH_ARRAY(AshRenderStep) steps;
        ASH_ARRAY(AshFileDiff) files; /* those that differ, sorted by name */
} AshComponentDiff;
void ash_component_diff_free(AshComponentDiff *d);
ASH_DEFINE_CLEANUP(AshComponentDiff *, ash_component_diff_free)
int ash_render_diff(AshConfig *config, AshSlice name, const AshRenderOptions *options, AshComponentDiff **ret, AshDiags *diags);
/* Its overlays without those inside of archives: how many; and the spec's text with the first n of them, without header and raised release. */
size_t ash_render_overlays(const AshRendered *r, const AshOverlay **ret);
int ash_render_spec_with(AshConfig *config, const AshRendered *r, size_t n, AshStr *out);
static inline bool ash_diff_step_in(const AshFileDiff *f, size_t change, size_t step) { return f->steps[change][step / 64] >> (step % 64) & 1; }
