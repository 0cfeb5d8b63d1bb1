#include "flow-blame.h"

/* ---- places ---- */
struct AshFlowPlaces {
        AshComponentDiff *diff;
        const AshFileDiff *file;     /* of the spec; NULL: it is as upstream has it */
        AshSource *rendered;         /* the caller's */
        AshSource *own;              /* the file of a spec of the project's own; NULL: it is upstream's */
        char *own_path;
};

void ash_flow_places_free(AshFlowPlaces *p) {
        if (!p)
                return;
        ash_component_diff_free(p->diff);
        ash_source_free(p->own);
        free(p->own_path);
        free(p);
}

static void find_own(AshFlowPlaces *p, const AshRendered *r) {
        const AshSpecFile *file = ash_spec_tree_find(r->upstream, ash_slice_str(r->spec));
        AshSlice path = r->component->merged->spec.path.s;
        struct stat st;
        if (r->upstream->kind != ASH_SPEC_LOCAL || !file || !path.len)
                return;
        p->own_path = ash_slice_dup(path);
        if (stat(p->own_path, &st) == 0 && S_ISDIR(st.st_mode)) {
                char *below = ash_path_join(p->own_path, r->spec);
                free(p->own_path);
                p->own_path = below;
        }
        p->own = ash_source_new(p->own_path, file->data);
}

AshFlowPlaces *ash_flow_places_new(AshFlow *flow, const AshRendered *rendered, const AshRenderOptions *options, AshSource *rendered_spec) {
        _cleanup_(ash_flow_places_free_p) AshFlowPlaces *p = ash_calloc(1, sizeof *p);
        p->rendered = rendered_spec;
        if (ash_render_diff(flow->config, rendered->component->name.s, options, &p->diff, NULL) < 0)
                return NULL;
        ash_array_foreach(&p->diff->files, f)
                if (strcmp(f->name, rendered->spec) == 0)
                        p->file = f;
        find_own(p, p->diff->rendered);
        return ASH_TAKE(p);
}

static AshSpan span_of_line(AshSource *source, size_t number) {
        AshSlice rest = source->text, line;
        for (size_t n = 1; ash_slice_next_line(&rest, &line); n++)
                if (n == number)
                        return (AshSpan){ source, (uint32_t) (line.ptr - source->text.ptr), (uint32_t) ASH_MIN(line.len, (size_t) 1000) };
        return ASH_NOWHERE;
}

/* The change that a line of the rendered spec is part of; NULL: it is upstream's, as line *ret_line there. */
static const AshChange *change_of(const AshFileDiff *f, size_t line, size_t *ret_line) {
        size_t at = line - 1;
        for (size_t c = 0; f && c < f->diff.changes.n; c++) {
                const AshChange *change = &f->diff.changes.items[c];
                if (line - 1 < change->b)
                        break;
                if (line - 1 < change->b + change->n_b)
                        return change;
                at = change->a + change->n_a + (line - 1 - change->b - change->n_b);
        }
        *ret_line = at + 1;
        return NULL;
}

/* The last one that had a hand in it. */
static const AshOverlay *overlay_of(const AshFlowPlaces *p, const AshChange *change) {
        size_t c = (size_t) (change - p->file->diff.changes.items);
        const AshOverlay *found = NULL;
        for (size_t s = 0; s < p->diff->steps.n; s++)
                if (p->diff->steps.items[s].overlay && ash_diff_step_in(p->file, c, s))
                        found = p->diff->steps.items[s].overlay;
        return found;
}

AshSpan ash_flow_places_find(const AshFlowPlaces *p, AshSpan rendered, const AshOverlay **ret_overlay) {
        size_t line = ash_span_place(rendered).line, own = 0;
        if (ret_overlay)
                *ret_overlay = NULL;
        if (!p || !line || rendered.source != p->rendered)
                return rendered;
        const AshChange *change = change_of(p->file, line, &own);
        const AshOverlay *overlay = change ? overlay_of(p, change) : NULL;
        if (overlay && ret_overlay)
                *ret_overlay = overlay;
        if (overlay && overlay->at.source)
                return overlay->at;
        AshSpan start = span_of_line(p->rendered, line), at = !change && p->own ? span_of_line(p->own, own) : ASH_NOWHERE;
        if (!at.source || !ash_slice_eq(ash_span_line(at), ash_span_line(start))) /* the file has changed meanwhile */
                return rendered;
        return (AshSpan){ p->own, at.offset + (rendered.offset - start.offset), rendered.len };
}

/* ---- what rpm says of a spec ---- */
static void note_overlay(const AshOverlay *o, const char *what, AshDiags *diags) {
        ash_note(diags, o->at, "this overlay %s: %s%s%.*s", what, ash_overlay_type_name(o->type), o->description.s.len ? ": " : "", ASH_F(o->description.s));
}

/* Returns how many changed it. The one at which the message stands is not named twice. */
static size_t note_line(const AshFlowPlaces *p, size_t line, const AshOverlay *named, AshDiags *diags) {
        size_t own, n = 0;
        const AshChange *change = change_of(p->file, line, &own);
        for (size_t s = 0; change && s < p->diff->steps.n; s++) {
                const AshRenderStep *step = &p->diff->steps.items[s];
                if (!ash_diff_step_in(p->file, (size_t) (change - p->file->diff.changes.items), s))
                        continue;
                n++;
                if (step->overlay)
                        note_overlay(step->overlay, step->overlay == named ? "changed the line" : "changed the line, too", diags);
                else
                        ash_note(diags, ASH_NOWHERE, "the line is changed by: %s", step->what);
        }
        return n;
}

static bool parses_with(AshFlow *flow, const AshRendered *rendered, size_t n_overlays, AshFlowParses parses, void *context) {
        _str_ AshStr spec = {};
        return ash_render_spec_with(flow->config, rendered, n_overlays, &spec) >= 0 && parses(context, ash_str_slice(&spec));
}

/* The fault need not be where rpm finds it: an %endif that is gone is missed at the %if. */
static void note_first_bad(AshFlow *flow, const AshRendered *rendered, AshFlowParses parses, void *context, AshDiags *diags) {
        const AshOverlay *overlays;
        size_t n = ash_render_overlays(rendered, &overlays), good = 0, bad = n;
        if (!n)
                return;
        if (!parses_with(flow, rendered, 0, parses, context)) {
                ash_note(diags, ASH_NOWHERE, "rpm cannot parse it without its overlays either");
                return;
        }
        while (bad - good > 1) {
                size_t middle = good + (bad - good) / 2;
                if (parses_with(flow, rendered, middle, parses, context))
                        good = middle;
                else
                        bad = middle;
        }
        note_overlay(&overlays[bad - 1], "did it, without it rpm parses the spec", diags);
}

int ash_flow_spec_error(AshFlow *flow, const AshRendered *rendered, const AshRenderOptions *options, AshSource *rendered_spec, uint32_t line, const char *text, AshFlowParses parses, void *context, AshDiags *diags) {
        _cleanup_(ash_flow_places_free_p) AshFlowPlaces *p = ash_flow_places_new(flow, rendered, options, rendered_spec);
        const AshOverlay *overlay = NULL;
        AshSpan shown = line ? span_of_line(rendered_spec, line) : ASH_NOWHERE, at = ash_flow_places_find(p, shown, &overlay);
        if (at.source)
                ash_fail(diags, -ASH_ERR_SYNTAX, at, "%s", text);
        else
                ash_fail_file(diags, -ASH_ERR_SYNTAX, p && p->own ? p->own->name : rendered_spec->name, "%s", text);
        if (overlay)
                ash_note(diags, shown, "the line as it is rendered");
        if (!p || !line || !note_line(p, line, overlay, diags))
                note_first_bad(flow, rendered, parses, context, diags);
        if (overlay || !at.source || at.source == rendered_spec)
                ash_hint(diags, "'ashlar component render %.*s' writes the rendered spec", ASH_F(rendered->component->name.s));
        return -ASH_ERR_SYNTAX;
}
