#pragma once
#include "io.h"
#include "overlay.h"
#include "regex.h"

/* ---- the tree, from inside ---- */
typedef struct AshTreeMark AshTreeMark; /* the tree as it was; costs a pointer a file */
AshTreeMark *ash_tree_mark(const AshSourceTree *tree);
void ash_tree_rollback(AshSourceTree *tree, AshTreeMark *mark);
void ash_tree_mark_free(AshTreeMark *mark);
ASH_DEFINE_CLEANUP(AshTreeMark *, ash_tree_mark_free)
/* Why a name may not be written ("it leaves the directory", "'a' is a symbolic link"), or NULL. */
const char *ash_tree_refuses(const AshSourceTree *tree, const char *name);
/* Gives a file another name, content unread if it was; an existing file of the new name goes. */
void ash_tree_rename(AshSourceTree *tree, const char *from, const char *to);

/* ---- the engine's state while one list is applied ---- */
struct AshOverlayReport {
        AshArena *arena;
        ASH_ARRAY(AshOverlayEffect) effects;
};

typedef struct Engine {
        AshSourceTree *tree;
        const AshOverlayOptions *options;
        AshOverlayReport *report;
        AshDiags *diags;
        AshSpecDoc *spec;           /* the spec under edit; NULL until an overlay needs it */
        bool spec_changed;
        bool strict;
        /* of the overlay under way */
        const AshOverlay *overlay;
        AshOverlayEffect *effect;
        ASH_ARRAY(AshOverlayPlace) places;
        AshSpecView view;           /* structure before the overlay; only when has_view */
        bool has_view;
} Engine;

#define PLACES_MAX 1000

static inline AshSlice text_or_empty(AshText t) { return t.s.ptr ? t.s : ASH_S(""); }
static inline const char *spec_name(const Engine *e) { return e->options->spec_label ?: e->options->spec; }
static inline AshSlice line_at(const Engine *e, size_t i) { return e->spec->lines.items[i].text; }

int ash_engine_load_spec(Engine *e);
const AshSpecView *ash_engine_view(Engine *e);  /* made when first asked for; stale after an edit */
/* Remembers what happens to line i (of the text as the overlay found it), before it is edited. "end" i: a place before line i. */
void ash_engine_place(Engine *e, AshEditKind kind, size_t i, AshSlice before, AshSlice after);
void ash_engine_file_place(Engine *e, AshEditKind kind, const char *file, AshSlice before, AshSlice after);
/* A note at line i of the spec: "... at foo.spec:12" with its text, or without a place for an added line. */
void ash_engine_note(Engine *e, size_t i, const char *format, ...) _printf_(3, 4);
int ash_engine_fail(Engine *e, int code, AshText at, const char *format, ...) _printf_(4, 5); /* at the field, or at the overlay when it is unset */
/* Adds "nearest is 'X' at foo.spec:N" as a hint when one of the candidates (lines "where") is near. */
void ash_engine_nearest(Engine *e, const char *what, AshSlice wanted, const AshSlice *candidates, const size_t *where, size_t n);
/* Inserts lines before line "at" and remembers the place. */
void ash_engine_insert(Engine *e, size_t at, const AshSlice *texts, size_t n, AshSpecEol eol);
AshSlice *ash_engine_lines(const AshOverlay *overlay); /* overlay->lines as slices; malloc'ed */
char *ash_engine_patch_name(const AshOverlay *overlay);
/* PatchN: its number; -1 for another tag or a bare "Patch". */
int64_t ash_patch_number(AshSlice tag);

/* Spec operations, one a type, in both semantics. */
#define SPEC_OPERATIONS(mode)                                                                                                                  \
        int mode##_add_tag(Engine *e); int mode##_insert_tag(Engine *e); int mode##_set_tag(Engine *e); int mode##_update_tag(Engine *e);      \
        int mode##_remove_tag(Engine *e); int mode##_prepend_lines(Engine *e); int mode##_append_lines(Engine *e);                            \
        int mode##_search_replace(Engine *e); int mode##_remove_section(Engine *e); int mode##_remove_subpackage(Engine *e);                  \
        int mode##_patch_add(Engine *e); int mode##_patch_remove(Engine *e);
SPEC_OPERATIONS(ash_plain)
SPEC_OPERATIONS(ash_strict)

/* File operations. */
int ash_file_prepend_lines(Engine *e);
int ash_file_search_replace(Engine *e);
int ash_file_add(Engine *e);
int ash_file_delete(Engine *e);
int ash_file_rename(Engine *e);
int ash_file_patch_add(Engine *e);
int ash_file_patch_remove(Engine *e);
/* Whether a pattern such as "*.patch" means the name, as azldev's glob (doublestar) does. */
bool ash_file_pattern_matches(AshSlice pattern, const char *name);
/* The file that an overlay's "source" names, read into the tree's memory. */
int ash_file_source(Engine *e, AshSlice *ret, mode_t *ret_mode);
