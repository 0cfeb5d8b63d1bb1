#include "flow-blame.h"

static void note_overlay(const AshOverlay *o, const char *what, AshDiags *diags) {
        ash_note(diags, o->at, "this overlay %s: %s%s%.*s", what, ash_overlay_type_name(o->type), o->description.s.len ? ": " : "", ASH_F(o->description.s));
}

/* Returns how many changed it. */
static size_t note_line(const AshComponentDiff *d, const AshFileDiff *f, uint32_t line, AshDiags *diags) {
        size_t n = 0;
        for (size_t c = 0; c < f->diff.changes.n; c++) {
                const AshChange *change = &f->diff.changes.items[c];
                if (line < change->b + 1 || line > change->b + ASH_MAX(change->n_b, (size_t) 1))
                        continue;
                for (size_t s = 0; s < d->steps.n; s++) {
                        if (!ash_diff_step_in(f, c, s))
                                continue;
                        n++;
                        if (d->steps.items[s].overlay)
                                note_overlay(d->steps.items[s].overlay, "changed the line", diags);
                        else
                                ash_note(diags, ASH_NOWHERE, "the line is changed by: %s", d->steps.items[s].what);
                }
        }
        return n;
}

static size_t note_who_changed(AshFlow *flow, const AshRendered *rendered, const AshRenderOptions *options, uint32_t line, AshDiags *diags) {
        _cleanup_(ash_component_diff_free_p) AshComponentDiff *d = NULL;
        size_t n = 0;
        if (!line || ash_render_diff(flow->config, rendered->component->name.s, options, &d, NULL) < 0)
                return 0;
        ash_array_foreach(&d->files, f)
                if (strcmp(f->name, rendered->spec) == 0)
                        n += note_line(d, f, line, diags);
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

void ash_flow_blame(AshFlow *flow, const AshRendered *rendered, const AshRenderOptions *options, uint32_t line, AshFlowParses parses, void *context, AshDiags *diags) {
        if (!note_who_changed(flow, rendered, options, line, diags))
                note_first_bad(flow, rendered, parses, context, diags);
}
