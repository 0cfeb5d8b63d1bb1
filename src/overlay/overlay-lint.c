/* Judging overlays against the upstream that they are applied to, and against a newer one. Both try the overlays, each for itself, and look at what happened. */
#include "overlay-private.h"

static const char *const lint_names[ASH_LINT_MAX_] = {
        [ASH_LINT_NO_REASON] = "no-reason", [ASH_LINT_FAILS] = "fails", [ASH_LINT_NO_EFFECT] = "no-effect", [ASH_LINT_MANY] = "many-matches",
        [ASH_LINT_CONDITIONAL] = "in-conditional", [ASH_LINT_ARRIVED] = "arrived-upstream",
};

const char *ash_lint_name(AshLintKind kind) { return kind < ASH_LINT_MAX_ ? lint_names[kind] : NULL; }

void ash_lint_findings_done(AshLintFindings *f) {
        ash_array_foreach(&f->items, i)
                free(i->text);
        ash_array_done(&f->items);
}

/* ---- upstream as it is, for questions ---- */

typedef struct Upstream {
        AshSourceTree *tree;
        const AshOverlayOptions *options;
        AshSpecDoc *doc;
        AshSpecView view;
        bool has_view;
} Upstream;

static int upstream_open(Upstream *u, AshSourceTree *tree, const AshOverlayOptions *options, AshDiags *diags) {
        AshSlice text;
        *u = (Upstream){ .tree = tree, .options = options };
        int r = ash_source_tree_read(tree, options->spec, &text, diags);
        if (r == -ENOENT)
                return ash_fail_file(diags, r, options->spec, "there is no such spec");
        if (r >= 0)
                r = ash_spec_parse(options->spec_label ?: options->spec, text, &u->doc, diags);
        if (r >= 0)
                ash_spec_view(u->doc, &u->view);
        u->has_view = r >= 0;
        return r;
}

static void upstream_done(Upstream *u) {
        if (u->has_view)
                ash_spec_view_done(&u->view);
        ash_spec_free(u->doc);
}
#define _upstream_ _cleanup_(upstream_done)

static AshSlice upstream_line(const Upstream *u, size_t i) { return u->doc->lines.items[i].text; }

/* The line (from 1) of the first text that holds "needle"; 0: none. */
static uint32_t line_with(const Upstream *u, AshSlice needle) {
        for (size_t i = 0; i < u->doc->lines.n; i++)
                if (ash_slice_find(upstream_line(u, i), needle) >= 0)
                        return (uint32_t) i + 1;
        return 0;
}

/* ---- has the fix arrived? ---- */

typedef struct Judge {
        const Upstream *upstream;
        const AshComponentConfig *config;
        const AshOverlayEffect *effect;
        const AshOverlay *overlay;
        AshLintFindings *findings;
        const AshDiags *diags; /* of the trial */
} Judge;

static void find_at(Judge *j, AshLintKind kind, const char *file, uint32_t line, const char *format, ...) _printf_(5, 6);
static void find_at(Judge *j, AshLintKind kind, const char *file, uint32_t line, const char *format, ...) {
        va_list ap;
        _str_ AshStr text = {};
        va_start(ap, format);
        ash_str_appendv(&text, format, ap);
        va_end(ap);
        ash_array_push(&j->findings->items, ((AshLintFinding){ .kind = kind, .overlay = j->overlay, .text = ash_str_take(&text), .file = file, .line = line }));
}

/* What a patch changes: its added and removed lines, without places and context. */
static void patch_body(AshSlice patch, AshStr *out) {
        AshSlice line;
        while (ash_slice_next_line(&patch, &line)) {
                bool change = line.len && (line.ptr[0] == '+' || line.ptr[0] == '-');
                if (!change || ash_slice_starts(line, ASH_S("--- ")) || ash_slice_starts(line, ASH_S("+++ ")) || ash_slice_eqs(line, "-- "))
                        continue;
                ash_str_append(out, ash_slice_trim_right(line));
                ash_str_append_char(out, '\n');
        }
}

/* A file of upstream that makes the same changes as this patch. */
static const char *same_patch(const Upstream *u, AshSlice patch) {
        _str_ AshStr wanted = {};
        patch_body(patch, &wanted);
        for (size_t i = 0; wanted.len && i < ash_source_tree_n(u->tree); i++) {
                const char *name = ash_source_tree_at(u->tree, i)->name;
                AshSlice text;
                if ((!ash_slice_ends(ash_slice_str(name), ASH_S(".patch")) && !ash_slice_ends(ash_slice_str(name), ASH_S(".diff"))) || ash_source_tree_read(u->tree, name, &text, NULL) < 0)
                        continue;
                _str_ AshStr body = {};
                patch_body(text, &body);
                if (ash_slice_eq(ash_str_slice(&body), ash_str_slice(&wanted)))
                        return name;
        }
        return NULL;
}

static bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

/* The commit that a URL names at its end ("https://example.org/commit/1f2e3d4c"): at least 7 hexadecimal digits. */
static AshSlice commit_of(AshSlice url) {
        AshSlice base = ash_path_base(url);
        size_t n = 0;
        while (n < base.len && is_hex(base.ptr[n]))
                n++;
        return n >= 7 ? ash_slice_sub(base, 0, n) : ASH_NOSLICE;
}

/* Upstream's patches or changelog name a commit that the overlay takes over. */
static bool commit_arrived(Judge *j) {
        const Upstream *u = j->upstream;
        for (size_t k = 0; k < j->overlay->commits.n; k++) {
                AshSlice commit = ash_slice_sub(commit_of(j->overlay->commits.items[k].s), 0, 40), text;
                if (!commit.ptr)
                        continue;
                uint32_t line = line_with(u, ash_slice_sub(commit, 0, ASH_MIN(commit.len, (size_t) 12)));
                if (line) {
                        find_at(j, ASH_LINT_ARRIVED, u->options->spec, line, "upstream's spec names commit %.*s, which this overlay takes over", ASH_F(commit));
                        return true;
                }
                for (size_t i = 0; i < ash_source_tree_n(u->tree); i++) {
                        const char *name = ash_source_tree_at(u->tree, i)->name;
                        if (ash_slice_ends(ash_slice_str(name), ASH_S(".patch")) && ash_source_tree_read(u->tree, name, &text, NULL) >= 0 && ash_slice_find(text, commit) >= 0) {
                                find_at(j, ASH_LINT_ARRIVED, name, 0, "upstream carries commit %.*s, which this overlay takes over", ASH_F(commit));
                                return true;
                        }
                }
        }
        return false;
}

/* Compares two versions as rpm does, as far as letters, digits and their runs go. */
static int compare_versions(AshSlice a, AshSlice b) {
        while (a.len || b.len) {
                while (a.len && !is_hex(a.ptr[0] | 0x20) && !((a.ptr[0] | 0x20) > 'f' && (a.ptr[0] | 0x20) <= 'z'))
                        a = ash_slice_from(a, 1);
                while (b.len && !is_hex(b.ptr[0] | 0x20) && !((b.ptr[0] | 0x20) > 'f' && (b.ptr[0] | 0x20) <= 'z'))
                        b = ash_slice_from(b, 1);
                if (!a.len || !b.len)
                        return (a.len > 0) - (b.len > 0);
                bool da = a.ptr[0] >= '0' && a.ptr[0] <= '9', db = b.ptr[0] >= '0' && b.ptr[0] <= '9';
                if (da != db)
                        return da ? 1 : -1;
                size_t na = 0, nb = 0;
                while (na < a.len && (a.ptr[na] >= '0' && a.ptr[na] <= '9') == da && (da || ((a.ptr[na] | 0x20) >= 'a' && (a.ptr[na] | 0x20) <= 'z')))
                        na++;
                while (nb < b.len && (b.ptr[nb] >= '0' && b.ptr[nb] <= '9') == db && (db || ((b.ptr[nb] | 0x20) >= 'a' && (b.ptr[nb] | 0x20) <= 'z')))
                        nb++;
                AshSlice x = ash_slice_sub(a, 0, na), y = ash_slice_sub(b, 0, nb);
                while (da && x.len > 1 && x.ptr[0] == '0')
                        x = ash_slice_from(x, 1);
                while (da && y.len > 1 && y.ptr[0] == '0')
                        y = ash_slice_from(y, 1);
                int c = da && x.len != y.len ? (x.len > y.len ? 1 : -1) : ash_slice_cmp(x, y);
                if (c)
                        return c;
                a = ash_slice_from(a, na);
                b = ash_slice_from(b, nb);
        }
        return 0;
}

/* "... fixed upstream in NAME-1.2-3 ..." in a description, where upstream is at that version and release, or later. */
static bool version_arrived(Judge *j) {
        const Upstream *u = j->upstream;
        AshSlice name = ash_spec_main_tag(&u->view, "Name"), version = ash_spec_main_tag(&u->view, "Version"), release = ash_spec_main_tag(&u->view, "Release");
        AshSlice text = text_or_empty(j->overlay->description);
        if (!name.len || !version.len || version.ptr[0] == '%' || ash_slice_find(text, ASH_S("ixed")) < 0)
                return false;
        _free_ char *prefix = ash_asprintf("%.*s-", ASH_F(name));
        ptrdiff_t at = ash_slice_find(text, ash_slice_str(prefix));
        if (at < 0)
                return false;
        AshSlice rest = ash_slice_from(text, (size_t) at + strlen(prefix));
        size_t n = 0;
        while (n < rest.len && (is_hex(rest.ptr[n] | 0x20) || (rest.ptr[n] >= '0' && rest.ptr[n] <= '9') || strchr("._~^+", rest.ptr[n])))
                n++;
        AshSlice fixed = ash_slice_sub(rest, 0, n), fixed_release = ASH_NOSLICE;
        if (!n || fixed.ptr[0] < '0' || fixed.ptr[0] > '9')
                return false;
        rest = ash_slice_from(rest, n);
        if (rest.len && rest.ptr[0] == '-') {
                for (n = 1; n < rest.len && rest.ptr[n] >= '0' && rest.ptr[n] <= '9'; n++)
                        ;
                fixed_release = ash_slice_sub(rest, 1, n - 1);
        }
        int c = compare_versions(version, fixed);
        size_t digits = 0;
        while (digits < release.len && release.ptr[digits] >= '0' && release.ptr[digits] <= '9')
                digits++;
        if (c < 0 || (c == 0 && fixed_release.len && (!digits || compare_versions(ash_slice_sub(release, 0, digits), fixed_release) < 0)))
                return false;
        find_at(j, ASH_LINT_ARRIVED, u->options->spec, 0, "its description says fixed in %.*s-%.*s, and upstream is at %.*s", ASH_F(name), ASH_F(fixed), ASH_F(version));
        return true;
}

/* "Mon Apr 06 2026" as "2026-04-06"; empty when it is none. */
static void iso_date(AshSlice date, char *ret) {
        static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        AshSlice rest = date, part[4];
        ret[0] = 0;
        for (size_t k = 0; k < 4; k++)
                if (!ash_slice_next_word(&rest, &part[k]))
                        return;
        _free_ char *month = ash_slice_dup(part[1]);
        const char *m = strlen(month) == 3 ? strstr(months, month) : NULL;
        uint64_t day, year;
        if (!m || ash_slice_to_u64(part[2], 10, &day) < 0 || ash_slice_to_u64(part[3], 10, &year) < 0 || day > 31 || year > 9999)
                return;
        snprintf(ret, 24, "%04u-%02u-%02u", (unsigned) year, (unsigned) ((m - months) / 3 + 1), (unsigned) day);
}

/* Said to be upstreamed, and upstream has changed since the overlay was written. */
static bool status_arrived(Judge *j) {
        const Upstream *u = j->upstream;
        AshSlice since = text_or_empty(j->overlay->since);
        AshSpecEntry entry;
        char newest[24] = "";
        if (!ash_slice_eqs(text_or_empty(j->overlay->upstream_status), "upstreamed") || !since.len)
                return false;
        for (size_t i = 0; i < u->view.lines.n && !newest[0]; i++)
                if (u->view.lines.items[i].kind == ASH_LINE_ENTRY && ash_spec_entry(upstream_line(u, i), &entry))
                        iso_date(entry.date, newest);
        if (!newest[0] || ash_slice_cmp(ash_slice_str(newest), since) <= 0)
                return false;
        find_at(j, ASH_LINT_ARRIVED, u->options->spec, 0, "it is marked upstreamed and dates from %.*s; upstream's last change is of %s", ASH_F(since), newest);
        return true;
}

/* The replacement of a search that finds nothing, or the tag to be added, stands in upstream already. */
static bool text_arrived(Judge *j) {
        const Upstream *u = j->upstream;
        AshSlice replacement = text_or_empty(j->overlay->replacement), text;
        AshSpecTag tag;
        bool failed = j->effect->result < 0;
        switch (j->overlay->type) {
        case ASH_OVERLAY_SPEC_SEARCH_REPLACE: {
                uint32_t line = failed && replacement.len > 3 ? line_with(u, replacement) : 0;
                if (line)
                        find_at(j, ASH_LINT_ARRIVED, u->options->spec, line, "the pattern finds nothing, and its replacement stands in upstream's spec");
                return line;
        }
        case ASH_OVERLAY_FILE_SEARCH_REPLACE:
                for (size_t i = 0; failed && replacement.len > 3 && i < ash_source_tree_n(u->tree); i++) {
                        const char *name = ash_source_tree_at(u->tree, i)->name;
                        if (!ash_file_pattern_matches(j->overlay->file.s, name) || ash_source_tree_read(u->tree, name, &text, NULL) < 0 || ash_slice_find(text, replacement) < 0)
                                continue;
                        find_at(j, ASH_LINT_ARRIVED, name, 0, "the pattern finds nothing, and its replacement stands in upstream's file");
                        return true;
                }
                return false;
        case ASH_OVERLAY_SPEC_ADD_TAG:
        case ASH_OVERLAY_SPEC_INSERT_TAG:
                for (size_t i = 0; i < u->view.lines.n; i++) {
                        const AshSpecSection *s = &u->view.sections.items[u->view.lines.items[i].section];
                        if (u->view.lines.items[i].kind != ASH_LINE_TAG || !ash_slice_eq(s->package, text_or_empty(j->overlay->package)) || !ash_spec_plain_tag(upstream_line(u, i), &tag) ||
                            !ash_slice_eq_nocase(tag.name, j->overlay->tag.s) || !ash_slice_eq(tag.value, text_or_empty(j->overlay->value)))
                                continue;
                        find_at(j, ASH_LINT_ARRIVED, u->options->spec, (uint32_t) i + 1, "upstream's spec has this tag already");
                        return true;
                }
                return false;
        default:
                return false;
        }
}

static bool file_arrived(Judge *j) {
        const Upstream *u = j->upstream;
        if (j->overlay->type != ASH_OVERLAY_PATCH_ADD && j->overlay->type != ASH_OVERLAY_FILE_ADD)
                return false;
        _free_ char *name = ash_engine_patch_name(j->overlay);
        if (j->effect->result == -EEXIST && ash_source_tree_find(u->tree, name)) {
                find_at(j, ASH_LINT_ARRIVED, ash_source_tree_find(u->tree, name)->name, 0, "upstream has a file of this name already");
                return true;
        }
        AshOverlayReport report = { .arena = ash_arena_new() };
        Engine e = { .tree = u->tree, .options = u->options, .report = &report, .overlay = j->overlay };
        AshSlice content;
        mode_t mode;
        const char *same = j->overlay->type == ASH_OVERLAY_PATCH_ADD && ash_file_source(&e, &content, &mode) >= 0 ? same_patch(u, content) : NULL;
        ash_arena_free(report.arena);
        if (same)
                find_at(j, ASH_LINT_ARRIVED, same, 0, "upstream's patch makes the same changes");
        return same;
}

/* ---- lint ---- */

static bool has_reason(const AshOverlay *o) { return ash_slice_trim(text_or_empty(o->description)).len || o->category.s.len || o->commits.n || o->bugs.n; }

static bool changed_something(const AshOverlayEffect *f) {
        for (size_t i = 0; i < f->places.n; i++)
                if (f->places.items[i].kind != ASH_EDIT_CHANGE || !ash_slice_eq(f->places.items[i].before, f->places.items[i].after) || !f->places.items[i].line ||
                    f->places.items[i].before.len >= 1024)
                        return true;
        return f->matches > f->places.n;
}

/* Types for which one place is what anybody means who does not say more. */
static bool means_one(AshOverlayType type) { /* patch-add: the tag and the file */
        return type != ASH_OVERLAY_PATCH_ADD && type != ASH_OVERLAY_SPEC_REMOVE_SUBPACKAGE && type != ASH_OVERLAY_FILE_PREPEND_LINES && type != ASH_OVERLAY_FILE_REMOVE && type != ASH_OVERLAY_PATCH_REMOVE;
}

static const char *error_text(const Judge *j) {
        for (size_t i = 0; i < j->effect->n_diags; i++) {
                const AshDiag *d = ash_diags_at(j->diags, j->effect->first_diag + i);
                if (d->severity == ASH_ERROR)
                        return d->text;
        }
        return ash_strerror(j->effect->result);
}

static void judge(Judge *j) {
        const AshOverlayEffect *f = j->effect;
        const AshOverlayPlace *first = f->places.n ? f->places.items : NULL;
        const char *spec = j->upstream->options->spec;
        if (!has_reason(j->overlay))
                find_at(j, ASH_LINT_NO_REASON, NULL, 0, "it has neither a description nor metadata: nobody will know why it is there");
        bool arrived = file_arrived(j) || text_arrived(j) || commit_arrived(j) || version_arrived(j) || status_arrived(j);
        if (f->result == -EALREADY)
                find_at(j, ASH_LINT_NO_EFFECT, spec, 0, "%s", error_text(j));
        else if (f->result < 0 && !arrived)
                find_at(j, ASH_LINT_FAILS, spec, 0, "%s", error_text(j));
        if (f->result < 0)
                return;
        if (!changed_something(f))
                find_at(j, ASH_LINT_NO_EFFECT, first ? spec : NULL, first ? first->upstream_line : 0, "it changes nothing: what it writes stands there already");
        if (means_one(j->overlay->type) && f->matches > (j->overlay->count ?: 1))
                find_at(j, ASH_LINT_MANY, first && first->line ? spec : NULL, first ? first->upstream_line : 0, "it hits %zu places, where %llu %s declared", f->matches,
                        (unsigned long long) (j->overlay->count ?: 1), (j->overlay->count ?: 1) == 1 ? "is" : "are");
        for (size_t i = 0; f->in_conditional && i < f->places.n; i++)
                if (f->places.items[i].conditional.len) {
                        find_at(j, ASH_LINT_CONDITIONAL, spec, f->places.items[i].upstream_line, "it lands inside '%.*s'", ASH_F(f->places.items[i].conditional));
                        break;
                }
}

int ash_overlay_lint(AshSourceTree *tree, const AshComponentConfig *config, const AshOverlayOptions *options, AshLintFindings *ret, AshDiags *diags) {
        _upstream_ Upstream upstream = {};
        int r = upstream_open(&upstream, tree, options, diags);
        if (r < 0)
                return r;
        _cleanup_(ash_source_tree_free_p) AshSourceTree *trial = ash_source_tree_clone(tree);
        _cleanup_(ash_diags_free_p) AshDiags *trial_diags = ash_diags_new();
        _cleanup_(ash_overlay_report_free_p) AshOverlayReport *report = NULL;
        AshOverlayOptions o = *options;
        o.keep_going = o.places = true;
        ash_overlay_render(trial, config, &o, &report, trial_diags);
        for (size_t i = 0; report && i < ash_overlay_report_n(report); i++) {
                const AshOverlayEffect *f = ash_overlay_report_at(report, i);
                if (f->synthesised)
                        continue;
                Judge j = { .upstream = &upstream, .config = config, .effect = f, .overlay = f->overlay, .findings = ret, .diags = trial_diags };
                judge(&j);
        }
        return 0;
}

/* ---- rebase ---- */

void ash_rebase_done(AshRebase *r) {
        ash_array_foreach(&r->conflicts, c) {
                free(c->text);
                ash_str_done(&c->old_text);
                ash_str_done(&c->new_text);
        }
        ash_array_done(&r->conflicts);
}

#define CONTEXT 2      /* lines shown around a place */
#define DISTANCE_MAX 60 /* for lines that are longer than that everything is too far away */

static void show_lines(const Upstream *u, size_t line, AshStr *out) {
        size_t from = line > CONTEXT ? line - CONTEXT : 0, to = ASH_MIN(line + CONTEXT + 1, u->doc->lines.n);
        for (size_t i = from; i < to; i++) {
                ash_str_append(out, ash_slice_sub(upstream_line(u, i), 0, 400));
                ash_str_append_char(out, '\n');
        }
}

static AshSlice section_name(const Upstream *u, size_t line) { return u->view.sections.items[u->view.lines.items[line].section].name; }

/* The line of the new spec that is most like a line of the old one: the same text, or a near one in a section of that name. SIZE_MAX: none. */
static size_t counterpart(const Upstream *old, size_t line, const Upstream *new) {
        AshSlice wanted = ash_slice_trim(upstream_line(old, line));
        size_t best = SIZE_MAX;
        unsigned best_distance = UINT32_MAX;
        for (size_t i = 0; i < new->doc->lines.n; i++) {
                AshSlice text = ash_slice_trim(upstream_line(new, i));
                bool same_section = ash_slice_eq(section_name(old, line), section_name(new, i));
                if (ash_slice_eq(text, wanted) && same_section)
                        return i;
                if (!same_section || wanted.len > 400 || text.len > 400 || !text.len)
                        continue;
                unsigned limit = (unsigned) ASH_MIN((size_t) DISTANCE_MAX, wanted.len / 2), d = ash_slice_distance(wanted, text, limit);
                if (d <= limit && d < best_distance) {
                        best = i;
                        best_distance = d;
                }
        }
        return best;
}

/* Both sides at the first place in a spec that the overlay touched in the old upstream. */
static void show_sides(AshConflict *c, const AshOverlayEffect *old_effect, const Upstream *old, const Upstream *new) {
        for (size_t i = 0; i < old_effect->places.n; i++) {
                const AshOverlayPlace *p = &old_effect->places.items[i];
                if (!p->upstream_line) {
                        if (p->file && !p->line) {
                                const AshSourceTreeFile *f = ash_source_tree_find(new->tree, p->file);
                                c->file = f ? f->name : old->options->spec;
                                ash_str_append(&c->old_text, ash_slice_sub(p->before.len ? p->before : ash_slice_str(p->file), 0, 400));
                                ash_str_append_str(&c->new_text, f ? p->file : "(no such file)");
                                return;
                        }
                        continue;
                }
                size_t at = counterpart(old, p->upstream_line - 1, new);
                c->file = old->options->spec;
                c->old_line = p->upstream_line;
                show_lines(old, p->upstream_line - 1, &c->old_text);
                if (at != SIZE_MAX) {
                        c->new_line = (uint32_t) at + 1;
                        show_lines(new, at, &c->new_text);
                } else
                        ash_str_append_str(&c->new_text, "(nothing like it)\n");
                return;
        }
        c->file = old->options->spec;
}

static bool lands_elsewhere(const AshOverlayEffect *a, const AshOverlayEffect *b) {
        if (a->matches != b->matches || a->places.n != b->places.n || a->in_conditional != b->in_conditional)
                return true;
        for (size_t i = 0; i < a->places.n; i++)
                if (!ash_slice_eq(a->places.items[i].before, b->places.items[i].before) || !ash_slice_eq(a->places.items[i].conditional, b->places.items[i].conditional))
                        return true;
        return false;
}

static const AshOverlayEffect *effect_of(const AshOverlayReport *report, const AshOverlay *overlay) {
        for (size_t i = 0; i < ash_overlay_report_n(report); i++)
                if (ash_overlay_report_at(report, i)->overlay == overlay)
                        return ash_overlay_report_at(report, i);
        return NULL;
}

static void compare(const AshComponentConfig *config, const AshOverlayReport *was, const AshOverlayReport *is, const Upstream *old, const Upstream *new, const AshDiags *diags, AshRebase *ret) {
        for (size_t i = 0; i < config->overlays.n; i++) {
                const AshOverlay *o = &config->overlays.items[i];
                const AshOverlayEffect *a = effect_of(was, o), *b = effect_of(is, o);
                if (!a || !b)
                        continue;
                if (b->result >= 0) {
                        ret->applied++;
                        ret->moved += a->result < 0 || lands_elsewhere(a, b);
                        continue;
                }
                Judge j = { .effect = b, .diags = diags };
                AshConflict *c = ash_array_add(&ret->conflicts);
                c->overlay = o;
                c->text = ash_asprintf("%s%s", error_text(&j), a->result < 0 ? " (nor did it apply to the old upstream)" : "");
                show_sides(c, a, old, new);
        }
}

int ash_overlay_rebase(AshSourceTree *old, AshSourceTree *onto, const AshComponentConfig *config, const AshOverlayOptions *options, const AshOverlayOptions *onto_options,
                       AshRebase *ret, AshDiags *diags) {
        _upstream_ Upstream before = {}, after = {};
        int r = upstream_open(&before, old, options, diags);
        _cleanup_(ash_source_tree_free_p) AshSourceTree *onto_upstream = ash_source_tree_clone(onto);
        if (r >= 0)
                r = upstream_open(&after, onto_upstream, onto_options, diags);
        if (r < 0)
                return r;
        _cleanup_(ash_source_tree_free_p) AshSourceTree *trial = ash_source_tree_clone(old);
        _cleanup_(ash_overlay_report_free_p) AshOverlayReport *was = NULL, *is = NULL;
        _cleanup_(ash_diags_free_p) AshDiags *onto_diags = ash_diags_new();
        AshOverlayOptions o = *options, p = *onto_options;
        o.keep_going = o.places = p.keep_going = p.places = true;
        ash_overlay_render(trial, config, &o, &was, NULL);
        ash_overlay_render(onto, config, &p, &is, onto_diags);
        if (!was || !is)
                return ash_fail_file(diags, -EINVAL, options->spec, "the overlays could not be tried");
        compare(config, was, is, &before, &after, onto_diags, ret);
        return ret->conflicts.n > 0;
}
