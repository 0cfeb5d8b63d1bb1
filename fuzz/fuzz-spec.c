/* Specs: parse and serialise is the identity; both views fit the lines; edits that are taken back leave the bytes as they were. */
#include "spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

static void same_text(const AshSpecDoc *doc, AshSlice text) {
        _str_ AshStr out = {};
        ash_spec_serialize(doc, &out);
        must(ash_slice_eq(text, ash_str_slice(&out)));
}

static void check_view(const AshSpecDoc *doc) {
        _specview_ AshSpecView v;
        ash_spec_view(doc, &v);
        must(v.lines.n == doc->lines.n);
        for (size_t i = 0; i < v.lines.n; i++) {
                const AshSpecLineInfo *l = &v.lines.items[i];
                must(l->kind < ASH_LINE_KIND_MAX_ && l->section < v.sections.n && l->conditional < v.conditionals.n);
                must(i > 0 || l->kind != ASH_LINE_CONTINUED);
                if (l->kind == ASH_LINE_IF)
                        must(v.conditionals.items[l->conditional].first == i);
                must(ash_spec_logical_end(&v, i) > i);
        }
        for (size_t k = 1; k < v.conditionals.n; k++) {
                const AshSpecConditional *c = &v.conditionals.items[k];
                must(c->parent < k && c->depth == v.conditionals.items[c->parent].depth + 1 && c->first < v.lines.n && (c->last == SIZE_MAX || c->last >= c->first));
        }
        for (size_t k = 0; k < v.sections.n; k++) {
                const AshSpecSection *s = &v.sections.items[k];
                _free_ char *full = ash_spec_full_package(&v, s);
                must(full && s->begin <= s->end && s->end <= v.lines.n && (k == 0 || (s->header + 1 == s->begin && v.sections.items[k - 1].end == s->header)));
        }
        for (size_t k = 0; k < v.macros.n; k++)
                must(v.macros.items[k].first <= v.macros.items[k].last && v.macros.items[k].last < v.lines.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AshSlice text = ash_slice((const char *) data, size);
        _cleanup_(ash_spec_free_p) AshSpecDoc *doc = NULL, *again = NULL;
        must(ash_spec_parse("input", text, &doc, NULL) == 0);
        same_text(doc, size ? text : ASH_S(""));
        check_view(doc);
        AshSpecPlainView plain;
        ash_spec_plain_view(doc, &plain);
        for (size_t k = 1; k < plain.sections.n; k++)
                must(plain.sections.items[k - 1].end == plain.sections.items[k].header);
        ash_spec_plain_view_done(&plain);
        size_t at = size ? data[0] % (doc->lines.n + 1) : 0;
        if (at < doc->lines.n) { /* a line in and out again */
                ash_spec_insert(doc, at, (AshSlice[]){ ASH_S("x"), ASH_S("%if") }, 2, ASH_EOL_LF);
                must(ash_spec_line_number(doc, at) == 0);
                ash_spec_remove(doc, at, 2);
                same_text(doc, text);
        }
        /* Normalised twice is normalised once, but for CRs at line ends, of which each reading takes one. */
        ash_spec_normalize(doc);
        _str_ AshStr out = {};
        ash_spec_serialize(doc, &out);
        must(ash_spec_parse("again", ash_str_slice(&out), &again, NULL) == 0);
        must(again->lines.n == doc->lines.n);
        return 0;
}
