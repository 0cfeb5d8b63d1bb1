/* Overlays: declared deviations, applied to a component's spec and side files held in memory.
 *
 * How a component is rendered (see ash_overlay_render):
 *   tree = ash_source_tree_new(); ash_source_tree_add_dir(tree, ...);    -- or ash_source_tree_put()
 *   ash_overlay_render(tree, component config, options, &report, diags);
 *   ash_source_tree_foreach(tree, f) write f->name                   -- by the caller, atomically
 * Nothing on disk is touched. All overlays apply or the tree stays as it was. */
#pragma once
#include <sys/stat.h>
#include "base.h"
#include "model-project.h"
#include "spec.h"

/* ---- a directory of sources, in memory ---- */
typedef struct AshSourceTree AshSourceTree;
typedef struct AshSourceTreeFile {
        const char *name;     /* relative path, '/' between parts */
        mode_t mode;          /* 0644, 0755 ...; S_IFLNK set: a symbolic link that stood in the directory. Links are never matched, followed or written */
        bool changed;         /* content differs from what was put in first, or the file is new */
        bool loaded;          /* content is in memory */
} AshSourceTreeFile;

AshSourceTree *ash_source_tree_new(void);
void ash_source_tree_free(AshSourceTree *sources);
ASH_DEFINE_CLEANUP(AshSourceTree *, ash_source_tree_free)
/* All files below a directory; contents are read when somebody asks (dirfd is duplicated). ".git" is left out. */
int ash_source_tree_add_dir(AshSourceTree *sources, int dirfd, const char *path, AshDiags *diags);
/* A file that is read from dirfd/path when somebody asks (dirfd is duplicated). */
int ash_source_tree_add_file(AshSourceTree *sources, const char *name, int dirfd, const char *path, mode_t mode, AshDiags *diags);
/* Content is copied. Replaces a file of that name. Refuses names that escape: -EINVAL. */
int ash_source_tree_put(AshSourceTree *sources, const char *name, AshSlice content, mode_t mode);
/* The content; valid until the tree is freed. -ENOENT when there is no such file (no diagnostic). */
int ash_source_tree_read(AshSourceTree *sources, const char *name, AshSlice *ret, AshDiags *diags);
bool ash_source_tree_remove(AshSourceTree *sources, const char *name);
const AshSourceTreeFile *ash_source_tree_find(const AshSourceTree *sources, const char *name);
/* Files sorted by name (bytes). */
size_t ash_source_tree_n(const AshSourceTree *sources);
const AshSourceTreeFile *ash_source_tree_at(const AshSourceTree *sources, size_t i);
/* A second tree with the same files (unread contents stay unread). The first one must outlive it. */
AshSourceTree *ash_source_tree_clone(const AshSourceTree *sources);

/* ---- archives (archive = "..."): unpacked and packed again by somebody else ---- */
typedef struct AshArchiveOps {
        /* Unpacks the archive (paths relative to its single top directory, or to its root) into a tree. */
        int (*open)(void *context, AshSourceTree *sources, const char *archive, AshSpan at, AshSourceTree **ret, AshDiags *diags);
        /* Packs the edited tree as the new content of the archive, in the same compression; once for each archive. Must not change "sources" on failure. */
        int (*close)(void *context, AshSourceTree *sources, const char *archive, AshSourceTree *edited, AshSpan at, AshDiags *diags);
        void *context;
} AshArchiveOps;

/* ---- what an overlay did ---- */
typedef enum AshEditKind { ASH_EDIT_ADD, ASH_EDIT_REMOVE, ASH_EDIT_CHANGE, ASH_EDIT_RENAME, ASH_EDIT_MAX_ } AshEditKind;
typedef struct AshOverlayPlace {
        AshEditKind kind;
        const char *file;        /* name in the tree */
        uint32_t line;           /* in the text as the overlay found it (added lines: the line they stand before), from 1; 0: the whole file */
        uint32_t upstream_line;  /* the same in upstream's text; 0: an earlier overlay's line, or the whole file */
        AshSlice before, after;  /* the line's texts (cut at 1,024 bytes); a renamed file's names */
        AshSlice conditional;    /* the innermost %if around it that does not hold the whole section, or empty */
} AshOverlayPlace;
typedef struct AshOverlayEffect {
        const AshOverlay *overlay; /* also of synthesised ones (their "at" is nowhere) */
        bool synthesised;
        int result;              /* 0, or why it failed */
        size_t matches;          /* occurrences replaced, tags, sections or files hit, places where lines landed */
        bool in_conditional;     /* some place lies in a conditional */
        struct { AshOverlayPlace *items; size_t n; } places; /* at most 1,000 */
        size_t first_diag, n_diags; /* its diagnostics in the AshDiags of the call */
} AshOverlayEffect;
typedef struct AshOverlayReport AshOverlayReport;
void ash_overlay_report_free(AshOverlayReport *report);
ASH_DEFINE_CLEANUP(AshOverlayReport *, ash_overlay_report_free)
size_t ash_overlay_report_n(const AshOverlayReport *report);
const AshOverlayEffect *ash_overlay_report_at(const AshOverlayReport *report, size_t i);

/* ---- the engine ---- */
/* What is put around the user's overlays. Texts may hold ${name} (the component), ${macros} (the macro file's name). NULL: as azldev has it. */
typedef struct AshOverlayNames {
        const char *macro_file;        /* "${name}.azl.macros" */
        const char *macro_file_header; /* lines on top of it, each with its newline */
        const char *macro_load;        /* lines on top of the spec that load it; the empty line after is part of it */
        const char *macro_tag;         /* "Source9999" */
        const char *spec_header;       /* lines on top of a rendered spec; "" for none */
} AshOverlayNames;
extern const AshOverlayNames ash_overlay_names_azldev, ash_overlay_names_ashlar;

typedef struct AshOverlayOptions {
        AshOverlaySemantics semantics;
        const char *spec;              /* the spec's name in the tree */
        const char *spec_label;        /* how diagnostics call it; NULL: as "spec" */
        const char *project_dir;       /* an overlay's "source" must lie below it; NULL: below the overlay's base_dir */
        const char *component;         /* its name, for ${name} */
        AshOverlayNames names;
        bool no_header;                /* leaves out names.spec_header */
        bool keep_going;               /* a failing overlay changes nothing and is reported; the others apply; the result is that of the first failure */
        bool places;                   /* fill AshOverlayEffect.places */
        const AshArchiveOps *archive;  /* NULL: overlays with "archive" are refused ... */
        bool skip_archives;            /* ... or left out: the spec and the side files are the same without them */
} AshOverlayOptions;

/* Applies a list in order (those with "archive" first, grouped by archive). On failure (without keep_going) the tree is as it was. ret_report may be NULL. */
int ash_overlay_apply(AshSourceTree *sources, const AshOverlay *overlays, size_t n, const AshOverlayOptions *options, AshOverlayReport **ret_report, AshDiags *diags);
/* The whole of it for a component: macro file and its tag, its own overlays, check.skip, the file header. Without any of these the tree stays as it is. */
int ash_overlay_render(AshSourceTree *sources, const AshComponentConfig *config, const AshOverlayOptions *options, AshOverlayReport **ret_report, AshDiags *diags);
/* What the macro file of a component holds ("" when it needs none). */
void ash_overlay_macros(const AshComponentConfig *config, const AshOverlayOptions *options, AshStr *out);
/* Missing, contradictory and unusable fields of one overlay, its regular expression included. 0 or -EINVAL with all of its mistakes as diagnostics. */
int ash_overlay_validate(const AshOverlay *overlay, AshOverlaySemantics semantics, AshDiags *diags);

/* ---- lint ---- */
typedef enum AshLintKind { ASH_LINT_NO_REASON, ASH_LINT_FAILS, ASH_LINT_NO_EFFECT, ASH_LINT_MANY, ASH_LINT_CONDITIONAL, ASH_LINT_ARRIVED, ASH_LINT_MAX_ } AshLintKind;
const char *ash_lint_name(AshLintKind kind); /* "no-reason", "fails", "no-effect", "many-matches", "in-conditional", "arrived-upstream" */
typedef struct AshLintFinding {
        AshLintKind kind;
        const AshOverlay *overlay;
        char *text;          /* one sentence, without a full stop */
        const char *file;    /* where in the sources; NULL: nowhere. Lives as long as the tree */
        uint32_t line;       /* in upstream's text, or 0 */
} AshLintFinding;
typedef struct AshLintFindings {
        ASH_ARRAY(AshLintFinding) items;
} AshLintFindings;
void ash_lint_findings_done(AshLintFindings *findings);
/* Tries a component's overlays on upstream's sources (which stay as they are) and judges each. Also "ignore" comments are not a thing: fix or explain. */
int ash_overlay_lint(AshSourceTree *sources, const AshComponentConfig *config, const AshOverlayOptions *options, AshLintFindings *ret, AshDiags *diags);

/* ---- rebase: the same overlays on a newer upstream ---- */
typedef struct AshConflict {
        const AshOverlay *overlay;
        char *text;                  /* why it does not apply to the new upstream */
        const char *file;
        uint32_t old_line, new_line; /* in the two upstream texts; 0: not known */
        AshStr old_text, new_text;   /* both sides: the lines that it touched in the old upstream, and what stands there in the new one */
} AshConflict;
typedef struct AshRebase {
        ASH_ARRAY(AshConflict) conflicts;
        size_t applied;              /* overlays that apply as before */
        size_t moved;                /* of those: that land elsewhere or hit another number of places */
} AshRebase;
void ash_rebase_done(AshRebase *rebase);
/* Applies the overlays to both. "onto" is left with those applied that do apply. 0 without a conflict, 1 with some, < 0 when it could not be tried. */
int ash_overlay_rebase(AshSourceTree *old, AshSourceTree *onto, const AshComponentConfig *config, const AshOverlayOptions *options, const AshOverlayOptions *onto_options,
                       AshRebase *ret, AshDiags *diags);
