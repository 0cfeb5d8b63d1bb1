/* Overlays: whatever an overlay and a spec say, it applies wholly or not at all, and what was in order stays in order.
 * Input: a byte (type and semantics), then fields, each on a line: section, package, tag, value, regex, replacement, file; an empty line; then the spec. */
#include "overlay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

static bool balanced(AshSlice text) {
        _cleanup_(ash_spec_free_p) AshSpecDoc *doc = NULL;
        must(ash_spec_parse("x.spec", text, &doc, NULL) == 0);
        _specview_ AshSpecView v;
        ash_spec_view(doc, &v);
        bool ok = v.stray == SIZE_MAX;
        ash_array_foreach(&v.conditionals, c)
                ok &= c == v.conditionals.items || c->last != SIZE_MAX;
        return ok;
}

static bool keeps_balance(AshOverlayType type) {
        return type == ASH_OVERLAY_SPEC_UPDATE_TAG || type == ASH_OVERLAY_SPEC_REMOVE_TAG || type == ASH_OVERLAY_SPEC_REMOVE_SECTION || type == ASH_OVERLAY_SPEC_REMOVE_SUBPACKAGE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        if (size < 2 || size > 65536)
                return 0;
        AshOverlay o = { .type = (AshOverlayType) (data[0] % ASH_OVERLAY_MAX_), .base_dir = "/nonexistent" };
        bool strict = data[1] & 1;
        AshText line = { .s = ASH_S("x") };
        AshText *fields[] = { &o.section, &o.package, &o.tag, &o.value, &o.regex, &o.replacement, &o.file };
        AshSlice rest = ash_slice((const char *) data + 2, size - 2), part;
        for (size_t i = 0; i < ASH_N(fields) && ash_slice_next_line(&rest, &part) && part.len; i++)
                fields[i]->s = ash_slice_eqs(part, "-") ? ASH_NOSLICE : part;
        if (o.regex.s.len > 60)
                return 0; /* long enough for everything but time */
        o.lines = (AshTexts){ &line, 1 };
        o.source = o.type == ASH_OVERLAY_PATCH_ADD ? (AshText){ .s = ASH_S("p.patch") } : (AshText){};
        AshSlice spec = rest.ptr ? rest : ASH_S(""), after;
        AshOverlayOptions options = { .semantics = strict ? ASH_SEMANTICS_STRICT : ASH_SEMANTICS_AZLDEV, .spec = "x.spec", .component = "x", .places = data[1] & 2 };
        _cleanup_(ash_source_tree_free_p) AshSourceTree *tree = ash_source_tree_new();
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        ash_source_tree_put(tree, "x.spec", spec, 0644);
        ash_source_tree_put(tree, "a.patch", ASH_S("a\n"), 0644);
        _cleanup_(ash_overlay_report_free_p) AshOverlayReport *report = NULL;
        int r = ash_overlay_apply(tree, &o, 1, &options, &report, diags);
        must(ash_source_tree_read(tree, "x.spec", &after, NULL) == 0);
        if (r < 0) {
                must(ash_slice_eq(spec, after) && ash_source_tree_n(tree) == 2 && ash_diags_count(diags, ASH_ERROR) > 0);
                return 0;
        }
        must(ash_overlay_report_at(report, 0)->matches > 0);
        if (!strict && o.type < ASH_OVERLAY_FILE_PREPEND_LINES)
                must(!after.len || after.ptr[after.len - 1] == '\n');
        if (strict && keeps_balance(o.type) && balanced(spec) && ash_slice_find_char(spec, '\\') < 0 && !memchr(spec.ptr, '{', spec.len) && !memchr(spec.ptr, '(', spec.len) &&
            !memchr(spec.ptr, '[', spec.len) && (!o.value.s.len || (!memchr(o.value.s.ptr, '%', o.value.s.len) && !memchr(o.value.s.ptr, '\\', o.value.s.len))))
                must(balanced(after));
        return 0;
}
