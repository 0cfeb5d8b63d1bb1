/* Which lines differ from upstream, and which step made each difference: the component is rendered step by step, and every line remembers who brought it. */
#include "render-internal.h"

void ash_component_diff_free(AshComponentDiff *d) {
        if (!d)
                return;
        ash_array_foreach(&d->files, f) {
                ash_textdiff_done(&f->diff);
                ash_hunks_done(&f->hunks);
        }
        ash_array_done(&d->files);
        ash_array_done(&d->steps);
        ash_rendered_free(d->rendered);
        ash_arena_free(d->arena);
        free(d);
}

/* ---- the component after each step ---- */
typedef struct States {
        ASH_ARRAY(AshSourceTree *) trees;
} States;

static void states_done(States *s) {
        ash_array_foreach(&s->trees, t)
                ash_source_tree_free(*t);
        ash_array_done(&s->trees);
}

static int render_with(AshConfig *config, const AshRendered *r, const AshComponentConfig *with, AshSourceTree **ret, AshDiags *diags) {
        _cleanup_(ash_source_tree_free_p) AshSourceTree *tree = NULL;
        AshOverlayOptions o = ash_render_overlay_options(config, r->component, r->spec, r->arena);
        o.no_header = true;
        int e = ash_render_source_tree(r->upstream, &tree, diags);
        if (e >= 0)
                e = ash_overlay_render(tree, with, &o, NULL, diags);
        if (e >= 0)
                *ret = ASH_TAKE(tree);
        return e;
}

static int add_state(States *states, AshConfig *config, const AshComponentDiff *d, const AshComponentConfig *with, AshDiags *diags) {
        AshSourceTree *tree = NULL;
        int e = render_with(config, d->rendered, with, &tree, diags);
        if (e >= 0)
                ash_array_push(&states->trees, tree);
        return e;
}

size_t ash_render_overlays(const AshRendered *r, const AshOverlay **ret) {
        const AshComponentConfig *c = ash_render_without_archives(r->component->merged, r->arena);
        *ret = c->overlays.items;
        return c->overlays.n;
}

int ash_render_spec_with(AshConfig *config, const AshRendered *r, size_t n, AshStr *out) {
        _cleanup_(ash_source_tree_free_p) AshSourceTree *tree = NULL;
        AshComponentConfig part = *ash_render_without_archives(r->component->merged, r->arena);
        AshSlice text;
        part.overlays.n = ASH_MIN(part.overlays.n, n);
        int e = render_with(config, r, &part, &tree, NULL);
        if (e >= 0)
                e = ash_source_tree_read(tree, r->spec, &text, NULL);
        if (e >= 0)
                ash_str_append(out, text);
        return e;
}

/* 0 overlays, 1 overlay, ... all of them, and check.skip at last. */
static int make_states(States *states, AshConfig *config, AshComponentDiff *d, AshDiags *diags) {
        const AshComponentConfig *full = ash_render_without_archives(d->rendered->component->merged, d->arena);
        AshComponentConfig part = *full;
        int e = 0;
        part.check_skip.value = ASH_UNSET;
        for (size_t i = 0; i <= full->overlays.n && e >= 0; i++) {
                part.overlays.n = i;
                ash_array_push(&d->steps, ((AshRenderStep){ i ? &full->overlays.items[i - 1] : NULL, i ? NULL : "build options (macro file)" }));
                e = add_state(states, config, d, &part, diags);
        }
        if (e >= 0 && full->check_skip.value == ASH_YES) {
                ash_array_push(&d->steps, ((AshRenderStep){ NULL, "check.skip" }));
                e = add_state(states, config, d, full, diags);
        }
        ash_array_push(&d->steps, ((AshRenderStep){ NULL, "file header, release and generated text" }));
        return e;
}

/* ---- one file through all steps ---- */
#define FROM_UPSTREAM UINT32_MAX
typedef struct Line {
        uint32_t step;  /* that brought it, or FROM_UPSTREAM */
        uint32_t line;  /* of upstream's text */
} Line;
typedef struct Blame {
        ASH_ARRAY(Line) lines;   /* of the text as it is now */
        uint32_t *removed_by;    /* of upstream's lines; FROM_UPSTREAM: still there */
} Blame;

static void take_step(Blame *b, AshSlice before, AshSlice after, uint32_t step) {
        _textdiff_ AshTextDiff d = {};
        Blame next = {};
        size_t at = 0;
        ash_textdiff(before, after, &d);
        for (size_t k = 0; k <= d.changes.n; k++) {
                const AshChange *c = k < d.changes.n ? &d.changes.items[k] : NULL;
                for (size_t end = c ? c->a : d.a.n; at < end; at++)
                        ash_array_push(&next.lines, b->lines.items[at]);
                for (size_t i = 0; c && i < c->n_a; i++, at++)
                        if (b->lines.items[at].step == FROM_UPSTREAM)
                                b->removed_by[b->lines.items[at].line] = step;
                for (size_t i = 0; c && i < c->n_b; i++)
                        ash_array_push(&next.lines, ((Line){ step, 0 }));
        }
        ash_array_done(&b->lines);
        b->lines.items = next.lines.items;
        b->lines.n = next.lines.n;
        b->lines.cap = next.lines.cap;
}

static void mark_step(uint64_t *set, uint32_t step) {
        if (step != FROM_UPSTREAM)
                set[step / 64] |= UINT64_C(1) << (step % 64);
}

/* Which steps stand behind each change of the whole difference. */
static void attribute(AshComponentDiff *d, AshFileDiff *f, const Blame *b) {
        size_t words = d->steps.n / 64 + 1;
        f->steps = ash_arena_new_items(d->arena, uint64_t *, f->diff.changes.n + 1);
        for (size_t k = 0; k < f->diff.changes.n; k++) {
                const AshChange *c = &f->diff.changes.items[k];
                f->steps[k] = ash_arena_new_items(d->arena, uint64_t, words);
                for (size_t i = c->a; i < c->a + c->n_a; i++)
                        mark_step(f->steps[k], b->removed_by[i]);
                for (size_t i = c->b; i < c->b + c->n_b && i < b->lines.n; i++)
                        mark_step(f->steps[k], b->lines.items[i].step);
        }
}

static AshSlice text_in(AshSourceTree *tree, const char *name) {
        AshSlice s;
        return ash_source_tree_read(tree, name, &s, NULL) < 0 ? ASH_NOSLICE : s;
}

static void diff_file(AshComponentDiff *d, const States *states, const char *name, AshSlice before, AshSlice after) {
        AshFileDiff *f = ash_array_add(&d->files);
        Blame b = {};
        f->name = ash_arena_strdup(d->arena, name);
        f->before = before;
        f->after = after;
        ash_textdiff(before, after, &f->diff);
        ash_textdiff_hunks(&f->diff, 3, &f->hunks);
        b.removed_by = ash_calloc(f->diff.a.n + 1, sizeof *b.removed_by);
        for (size_t i = 0; i < f->diff.a.n; i++) {
                b.removed_by[i] = FROM_UPSTREAM;
                ash_array_push(&b.lines, ((Line){ FROM_UPSTREAM, (uint32_t) i }));
        }
        AshSlice now = before;
        for (size_t k = 0; k <= states->trees.n; k++) {
                AshSlice next = k < states->trees.n ? text_in(states->trees.items[k], name) : after;
                if (!ash_slice_eq(now, next))
                        take_step(&b, now, next, (uint32_t) k);
                now = next;
        }
        attribute(d, f, &b);
        ash_array_done(&b.lines);
        free(b.removed_by);
}

static AshSlice upstream_text(const AshRendered *r, const char *name) {
        const AshSpecFile *f = ash_spec_tree_find(r->upstream, ash_slice_str(name));
        return f ? f->data : ASH_NOSLICE;
}

static bool removed_by_overlay(const States *states, const char *name) { return !ash_source_tree_find(states->trees.items[states->trees.n - 1], name); }

static int by_file(const void *a, const void *b) { return strcmp(((const AshFileDiff *) a)->name, ((const AshFileDiff *) b)->name); }

static void diff_files(AshComponentDiff *d, const States *states) {
        const AshRendered *r = d->rendered;
        for (size_t i = 0; i < r->files.n; i++) {
                const AshRenderFile *f = &r->files.items[i];
                AshSlice before = upstream_text(r, f->name);
                if (!before.ptr || !ash_slice_eq(before, f->data))
                        diff_file(d, states, f->name, before, f->data);
        }
        for (size_t i = 0; i < r->upstream->files.n; i++) { /* files that upstream has for other purposes are left out silently; those that an overlay took are not */
                const AshSpecFile *f = &r->upstream->files.items[i];
                if (!ash_rendered_find(r, f->path) && removed_by_overlay(states, f->path))
                        diff_file(d, states, f->path, f->data, ASH_NOSLICE);
        }
        if (d->files.n)
                qsort(d->files.items, d->files.n, sizeof *d->files.items, by_file);
}

int ash_render_diff(AshConfig *config, AshSlice name, const AshRenderOptions *options, AshComponentDiff **ret, AshDiags *diags) {
        _cleanup_(ash_component_diff_free_p) AshComponentDiff *d = ash_calloc(1, sizeof *d);
        _cleanup_(states_done) States states = {};
        d->arena = ash_arena_new();
        int e = ash_render(config, name, options, &d->rendered, diags);
        if (e >= 0)
                e = make_states(&states, config, d, diags);
        if (e < 0)
                return e;
        diff_files(d, &states);
        *ret = ASH_TAKE(d);
        return 0;
}
