#include "overlay-private.h"

#define BEFORE_MAX 1024
#define PLAIN_LINE_MAX 65535 /* Go's bufio.Scanner: a line and its newline must fit in 64 KiB */

/* ---- the types, as a table ---- */

enum { F_FILE = 1 << 0, F_SECTION = 1 << 1, F_PACKAGE = 1 << 2, F_TAG = 1 << 3, F_VALUE = 1 << 4, F_REGEX = 1 << 5, F_REPLACEMENT = 1 << 6, F_SOURCE = 1 << 7,
       F_ARCHIVE = 1 << 8, F_LINES = 1 << 9 };

typedef struct TypeRow {
        unsigned needs, refuses;
        int (*plain)(Engine *e), (*strict)(Engine *e); /* what it does to the spec */
        int (*file)(Engine *e);                        /* and to the files beside it */
} TypeRow;

static const TypeRow type_rows[ASH_OVERLAY_MAX_] = {
        [ASH_OVERLAY_SPEC_ADD_TAG] = { F_TAG | F_VALUE, F_ARCHIVE, ash_plain_add_tag, ash_strict_add_tag, NULL },
        [ASH_OVERLAY_SPEC_INSERT_TAG] = { F_TAG | F_VALUE, F_ARCHIVE, ash_plain_insert_tag, ash_strict_insert_tag, NULL },
        [ASH_OVERLAY_SPEC_SET_TAG] = { F_TAG | F_VALUE, F_ARCHIVE, ash_plain_set_tag, ash_strict_set_tag, NULL },
        [ASH_OVERLAY_SPEC_UPDATE_TAG] = { F_TAG | F_VALUE, F_ARCHIVE, ash_plain_update_tag, ash_strict_update_tag, NULL },
        [ASH_OVERLAY_SPEC_REMOVE_TAG] = { F_TAG, F_ARCHIVE, ash_plain_remove_tag, ash_strict_remove_tag, NULL },
        [ASH_OVERLAY_SPEC_PREPEND_LINES] = { F_LINES, F_ARCHIVE, ash_plain_prepend_lines, ash_strict_prepend_lines, NULL },
        [ASH_OVERLAY_SPEC_APPEND_LINES] = { F_LINES, F_ARCHIVE, ash_plain_append_lines, ash_strict_append_lines, NULL },
        [ASH_OVERLAY_SPEC_SEARCH_REPLACE] = { F_REGEX, F_ARCHIVE, ash_plain_search_replace, ash_strict_search_replace, NULL },
        [ASH_OVERLAY_SPEC_REMOVE_SECTION] = { F_SECTION, F_ARCHIVE, ash_plain_remove_section, ash_strict_remove_section, NULL },
        [ASH_OVERLAY_SPEC_REMOVE_SUBPACKAGE] = { F_PACKAGE, F_SECTION | F_ARCHIVE, ash_plain_remove_subpackage, ash_strict_remove_subpackage, NULL },
        [ASH_OVERLAY_PATCH_ADD] = { F_SOURCE, F_ARCHIVE, ash_plain_patch_add, ash_strict_patch_add, ash_file_patch_add },
        [ASH_OVERLAY_PATCH_REMOVE] = { F_FILE, F_ARCHIVE, ash_plain_patch_remove, ash_strict_patch_remove, ash_file_patch_remove },
        [ASH_OVERLAY_FILE_PREPEND_LINES] = { F_FILE | F_LINES, F_ARCHIVE, NULL, NULL, ash_file_prepend_lines },
        [ASH_OVERLAY_FILE_SEARCH_REPLACE] = { F_FILE | F_REGEX, 0, NULL, NULL, ash_file_search_replace },
        [ASH_OVERLAY_FILE_ADD] = { F_FILE | F_SOURCE, F_ARCHIVE, NULL, NULL, ash_file_add },
        [ASH_OVERLAY_FILE_REMOVE] = { F_FILE, 0, NULL, NULL, ash_file_delete },
        [ASH_OVERLAY_FILE_RENAME] = { F_FILE | F_REPLACEMENT, F_ARCHIVE, NULL, NULL, ash_file_rename },
};

static const struct { unsigned bit; const char *name; size_t offset; } fields[] = {
        { F_FILE, "file", offsetof(AshOverlay, file) },
        { F_SECTION, "section", offsetof(AshOverlay, section) },
        { F_PACKAGE, "package", offsetof(AshOverlay, package) },
        { F_TAG, "tag", offsetof(AshOverlay, tag) },
        { F_VALUE, "value", offsetof(AshOverlay, value) },
        { F_REGEX, "regex", offsetof(AshOverlay, regex) },
        { F_REPLACEMENT, "replacement", offsetof(AshOverlay, replacement) },
        { F_SOURCE, "source", offsetof(AshOverlay, source) },
        { F_ARCHIVE, "archive", offsetof(AshOverlay, archive) },
};

static AshText field_of(const AshOverlay *o, size_t k) { return *(const AshText *) ((const char *) o + fields[k].offset); }
static const char *type_name(const AshOverlay *o) { return ash_overlay_type_name(o->type) ?: "overlay"; }

static AshSpan span_of(const AshOverlay *o, AshText t) { return t.at.source ? t.at : o->at; }

static int check_fields(const AshOverlay *o, AshDiags *diags) {
        const TypeRow *row = &type_rows[o->type];
        int result = 0;
        for (size_t k = 0; k < ASH_N(fields); k++) {
                AshText t = field_of(o, k);
                if (row->needs & fields[k].bit && !t.s.len)
                        result = ash_fail(diags, -EINVAL, span_of(o, t), "%s needs '%s'", type_name(o), fields[k].name);
                if (row->refuses & fields[k].bit && t.s.len)
                        result = ash_fail(diags, -EINVAL, span_of(o, t), "%s cannot have '%s'", type_name(o), fields[k].name);
        }
        if (row->needs & F_LINES && !o->lines.n)
                result = ash_fail(diags, -EINVAL, o->at, "%s needs 'lines'", type_name(o));
        return result;
}

static int check_paths(const AshOverlay *o, AshDiags *diags) {
        int result = 0;
        AshSlice file = text_or_empty(o->file), replacement = text_or_empty(o->replacement), source = text_or_empty(o->source);
        bool literal = o->type == ASH_OVERLAY_FILE_ADD || o->type == ASH_OVERLAY_PATCH_ADD;
        if (file.len && (file.ptr[0] == '/' || (literal && !ash_path_is_confined(file))))
                result = ash_fail(diags, -EINVAL, o->file.at, "'%.*s' is not below the component's directory", ASH_F(file));
        if (file.len && !literal && !ash_glob_valid(file))
                result = ash_fail(diags, -EINVAL, o->file.at, "'%.*s' is no valid pattern: a bracket or brace is not closed", ASH_F(file));
        if (source.len && source.ptr[0] == '/') {
                result = ash_fail(diags, -EINVAL, o->source.at, "'%.*s' is absolute", ASH_F(source));
                ash_hint(diags, "a source is named relative to the file that declares the overlay");
        }
        if (o->type == ASH_OVERLAY_FILE_ADD && ash_slice_ends(file, ASH_S(".spec")))
                result = ash_fail(diags, -EINVAL, o->file.at, "a spec cannot be added as a file");
        if (o->type == ASH_OVERLAY_FILE_RENAME && replacement.len &&
            (ash_slice_find_char(replacement, '/') >= 0 || ash_slice_eqs(replacement, ".") || ash_slice_eqs(replacement, ".."))) {
                result = ash_fail(diags, -EINVAL, o->replacement.at, "'%.*s' is not a plain file name", ASH_F(replacement));
                ash_hint(diags, "a renamed file stays in its directory");
        }
        return result;
}

int ash_overlay_validate(const AshOverlay *o, AshOverlaySemantics semantics, AshDiags *diags) {
        if (o->type < 0 || o->type >= ASH_OVERLAY_MAX_)
                return ash_fail(diags, -EINVAL, span_of(o, o->type_text), "unknown overlay type '%.*s'", ASH_F(text_or_empty(o->type_text)));
        int result = check_fields(o, diags), r = check_paths(o, diags);
        result = r < 0 ? r : result;
        if (type_rows[o->type].needs & F_REGEX && o->regex.s.len) {
                r = ash_regex_check(o->regex.s, semantics == ASH_SEMANTICS_STRICT ? ASH_REGEX_PERL : ASH_REGEX_RE2, span_of(o, o->regex), diags);
                result = r < 0 ? r : result;
        }
        return result;
}

/* ---- reports ---- */

static AshOverlayReport *report_new(void) {
        AshOverlayReport *r = ash_calloc(1, sizeof *r);
        r->arena = ash_arena_new();
        return r;
}

void ash_overlay_report_free(AshOverlayReport *r) {
        if (!r)
                return;
        ash_array_done(&r->effects);
        ash_arena_free(r->arena);
        free(r);
}

size_t ash_overlay_report_n(const AshOverlayReport *r) { return r->effects.n; }
const AshOverlayEffect *ash_overlay_report_at(const AshOverlayReport *r, size_t i) { return &r->effects.items[i]; }

static AshSlice kept(Engine *e, AshSlice s) { return ash_arena_slice(e->report->arena, ash_slice_sub(s, 0, BEFORE_MAX)); }

const AshSpecView *ash_engine_view(Engine *e) {
        if (!e->has_view)
                ash_spec_view(e->spec, &e->view);
        e->has_view = true;
        return &e->view;
}

/* The innermost conditional around line i ("before" set: around a new line before it) that does not hold the whole section; 0 for none.
 * An %if line itself depends on what is around it only. */
static uint32_t foreign_conditional(const AshSpecView *v, size_t i, bool before) {
        if ((before && !i) || i >= v->lines.n + before)
                return 0;
        const AshSpecLineInfo *l = &v->lines.items[before ? i - 1 : i];
        uint32_t c = l->conditional;
        bool frame = l->kind == ASH_LINE_IF || l->kind == ASH_LINE_BRANCH;
        if (c && (l->kind == ASH_LINE_ENDIF || (frame && !before)))
                c = v->conditionals.items[c].parent;
        for (uint32_t own = v->sections.items[l->section].conditional; own; own = v->conditionals.items[own].parent)
                if (own == c)
                        return 0;
        return c;
}

void ash_engine_place(Engine *e, AshEditKind kind, size_t i, AshSlice before, AshSlice after) {
        e->effect->matches++;
        if (!e->options->places || e->places.n >= PLACES_MAX)
                return;
        const AshSpecView *v = ash_engine_view(e);
        uint32_t c = foreign_conditional(v, i, kind == ASH_EDIT_ADD);
        if (c)
                e->effect->in_conditional = true;
        ash_array_push(&e->places, ((AshOverlayPlace){
                .kind = kind, .file = ash_arena_strdup(e->report->arena, e->options->spec), .line = (uint32_t) i + 1, .upstream_line = ash_spec_line_number(e->spec, i),
                .before = kept(e, before), .after = kept(e, after), .conditional = c ? kept(e, v->conditionals.items[c].text) : ASH_S(""),
        }));
}

void ash_engine_file_place(Engine *e, AshEditKind kind, const char *file, AshSlice before, AshSlice after) {
        e->effect->matches++;
        if (!e->options->places || e->places.n >= PLACES_MAX)
                return;
        ash_array_push(&e->places, ((AshOverlayPlace){ .kind = kind, .file = ash_arena_strdup(e->report->arena, file), .before = kept(e, before), .after = kept(e, after),
                .conditional = ASH_S("") }));
}

void ash_engine_note(Engine *e, size_t i, const char *format, ...) {
        va_list ap;
        _str_ AshStr text = {};
        va_start(ap, format);
        ash_str_appendv(&text, format, ap);
        va_end(ap);
        AshSpan at = ash_spec_span(e->spec, i);
        if (at.source)
                ash_note(e->diags, at, "%s", text.ptr ?: "");
        else
                ash_note(e->diags, ASH_NOWHERE, "%s (a line that an earlier overlay added: '%.*s')", text.ptr ?: "", ASH_F(ash_slice_sub(line_at(e, i), 0, 80)));
}

int ash_engine_fail(Engine *e, int code, AshText at, const char *format, ...) {
        va_list ap;
        _str_ AshStr text = {};
        va_start(ap, format);
        ash_str_appendv(&text, format, ap);
        va_end(ap);
        return ash_fail(e->diags, code, span_of(e->overlay, at), "%s: %s", type_name(e->overlay), text.ptr ?: "");
}

void ash_engine_nearest(Engine *e, const char *what, AshSlice wanted, const AshSlice *candidates, const size_t *where, size_t n) {
        ptrdiff_t i = ash_slice_nearest(wanted, candidates, n);
        if (i < 0)
                return;
        uint32_t line = ash_spec_line_number(e->spec, where[i]);
        if (line)
                ash_hint(e->diags, "the nearest %s is '%.*s' at %s:%u", what, ASH_F(candidates[i]), spec_name(e), line);
        else
                ash_hint(e->diags, "the nearest %s is '%.*s', which an earlier overlay added", what, ASH_F(candidates[i]));
}

void ash_engine_insert(Engine *e, size_t at, const AshSlice *texts, size_t n, AshSpecEol eol) {
        _str_ AshStr all = {};
        for (size_t i = 0; i < n && e->options->places; i++) {
                if (i)
                        ash_str_append_char(&all, '\n');
                ash_str_append(&all, texts[i]);
        }
        ash_engine_place(e, ASH_EDIT_ADD, at, ASH_S(""), ash_str_slice(&all));
        ash_spec_insert(e->spec, at, texts, n, eol);
}

AshSlice *ash_engine_lines(const AshOverlay *o) {
        AshSlice *lines = ash_calloc(o->lines.n + 1, sizeof *lines);
        for (size_t i = 0; i < o->lines.n; i++)
                lines[i] = text_or_empty(o->lines.items[i]);
        return lines;
}

char *ash_engine_patch_name(const AshOverlay *o) {
        return ash_slice_dup(o->file.s.len ? o->file.s : ash_path_base(text_or_empty(o->source)));
}

/* ---- applying ---- */

/* azldev reads the spec anew for every overlay: embedded newlines become lines, a CR at a line's end goes, and a line may not be too long. */
static int check_lengths(Engine *e) {
        for (size_t i = 0; i < e->spec->lines.n; i++) {
                const AshSpecLine *l = &e->spec->lines.items[i];
                size_t len = l->text.len + (l->eol == ASH_EOL_CRLF);
                if (len <= PLAIN_LINE_MAX || memchr(l->text.ptr, '\n', l->text.len))
                        continue;
                ash_engine_fail(e, -ASH_ERR_LIMIT, (AshText){}, "line %zu of %s has %zu bytes; azldev's semantics end at %d", i + 1, spec_name(e), len, PLAIN_LINE_MAX);
                ash_hint(e->diags, "overlay-semantics = \"strict\" has no such limit");
                return -ASH_ERR_LIMIT;
        }
        return 0;
}

static int as_scanned(Engine *e) {
        int r = check_lengths(e);
        if (r < 0)
                return r;
        ash_spec_normalize(e->spec);
        return check_lengths(e);
}

int ash_engine_load_spec(Engine *e) {
        if (e->spec)
                return 0;
        AshSlice text;
        int r = e->options->spec ? ash_source_tree_read(e->tree, e->options->spec, &text, e->diags) : -ENOENT;
        if (r == -ENOENT)
                return ash_engine_fail(e, -ENOENT, (AshText){}, "there is no spec '%s'", e->options->spec ?: "");
        return r < 0 ? r : ash_spec_parse(spec_name(e), text, &e->spec, e->diags);
}

static int apply_spec(Engine *e, const TypeRow *row) {
        int r = ash_engine_load_spec(e);
        if (r >= 0 && !e->strict)
                r = as_scanned(e);
        if (r < 0)
                return r;
        r = e->strict ? row->strict(e) : row->plain(e);
        if (r >= 0)
                e->spec_changed = true;
        return r;
}

static void spec_to_tree(Engine *e) {
        if (!e->spec_changed)
                return;
        const AshSourceTreeFile *f = ash_source_tree_find(e->tree, e->options->spec);
        _str_ AshStr text = {};
        if (!e->strict)
                ash_spec_normalize(e->spec);
        ash_spec_serialize(e->spec, &text);
        ash_source_tree_put(e->tree, e->options->spec, ash_str_slice(&text), f ? f->mode : 0644);
}

static int apply_steps(Engine *e) {
        int r = ash_overlay_validate(e->overlay, e->options->semantics, e->diags);
        if (r < 0)
                return r;
        const TypeRow *row = &type_rows[e->overlay->type];
        if (row->plain)
                r = apply_spec(e, row);
        return r >= 0 && row->file ? row->file(e) : r;
}

/* One overlay: all of it or nothing. */
static int apply_one(Engine *e, const AshOverlay *o, bool synthesised) {
        _cleanup_(ash_tree_mark_free_p) AshTreeMark *mark = NULL;
        _cleanup_(ash_spec_free_p) AshSpecDoc *before = NULL;
        bool changed = e->spec_changed;
        if (e->options->keep_going) {
                mark = ash_tree_mark(e->tree);
                before = e->spec ? ash_spec_clone(e->spec) : NULL;
        }
        e->overlay = o;
        e->effect = ash_array_add(&e->report->effects);
        e->effect->overlay = o;
        e->effect->synthesised = synthesised;
        e->effect->first_diag = e->diags ? ash_diags_n(e->diags) : 0;
        e->places.n = 0;
        e->effect->result = ASH_MIN(apply_steps(e), 0);
        e->effect->n_diags = (e->diags ? ash_diags_n(e->diags) : 0) - e->effect->first_diag;
        e->effect->places.items = ash_arena_calloc(e->report->arena, e->places.n + 1, sizeof *e->places.items);
        e->effect->places.n = e->places.n;
        if (e->places.n)
                memcpy(e->effect->places.items, e->places.items, e->places.n * sizeof *e->places.items);
        if (e->has_view)
                ash_spec_view_done(&e->view);
        e->has_view = false;
        if (e->effect->result < 0 && mark) {
                ash_tree_rollback(e->tree, mark);
                ash_spec_free(e->spec);
                e->spec = ASH_TAKE(before);
                e->spec_changed = changed;
        }
        return e->effect->result;
}

/* ---- archives ---- */

static bool archive_seen(const AshOverlay *overlays, size_t i) {
        for (size_t k = 0; k < i; k++)
                if (overlays[k].archive.s.len && ash_slice_eq(overlays[k].archive.s, overlays[i].archive.s))
                        return true;
        return false;
}

/* All overlays of one archive, from overlays[first] on: unpacked once, edited, packed once. */
static int edit_archive(Engine *e, const AshOverlay *overlays, size_t n, size_t first) {
        const AshArchiveOps *ops = e->options->archive;
        const AshOverlay *o = &overlays[first];
        if (!ops)
                return ash_fail(e->diags, -EINVAL, o->archive.at, "overlays on archives cannot be applied here");
        if (!ash_path_is_confined(o->archive.s) || ash_slice_find_char(o->archive.s, '/') >= 0)
                return ash_fail(e->diags, -EINVAL, o->archive.at, "'%.*s' is not the plain name of a source", ASH_F(o->archive.s));
        _free_ char *name = ash_slice_dup(o->archive.s);
        _cleanup_(ash_source_tree_free_p) AshSourceTree *inside = NULL;
        int r = ops->open(ops->context, e->tree, name, o->archive.at, &inside, e->diags);
        if (r < 0)
                return r;
        AshOverlayOptions options = *e->options;
        options.spec = NULL;
        options.archive = NULL;
        Engine sub = { .tree = inside, .options = &options, .report = e->report, .diags = e->diags, .strict = e->strict };
        for (size_t i = first; i < n && (r >= 0 || options.keep_going); i++)
                if (ash_slice_eq(overlays[i].archive.s, o->archive.s)) {
                        int one = apply_one(&sub, &overlays[i], false);
                        r = r < 0 ? r : one;
                }
        ash_array_done(&sub.places);
        return r < 0 ? r : ops->close(ops->context, e->tree, name, inside, o->archive.at, e->diags);
}

static int apply_archive(Engine *e, const AshOverlay *overlays, size_t n, size_t first) {
        size_t known = e->report->effects.n, first_diag = e->diags ? ash_diags_n(e->diags) : 0;
        int r = edit_archive(e, overlays, n, first);
        if (r >= 0 || e->report->effects.n > known)
                return r;
        for (size_t i = first; i < n; i++) /* it could not be opened: all that it was opened for has failed */
                if (ash_slice_eq(overlays[i].archive.s, overlays[first].archive.s))
                        *ash_array_add(&e->report->effects) = (AshOverlayEffect){ .overlay = &overlays[i], .result = r, .first_diag = first_diag,
                                .n_diags = (e->diags ? ash_diags_n(e->diags) : 0) - first_diag };
        return r;
}

/* ---- lists ---- */

static int apply_list(Engine *e, const AshOverlay *overlays, size_t n, bool synthesised) {
        int result = 0;
        for (size_t i = 0; i < n; i++) {
                if (!overlays[i].archive.s.len || e->options->skip_archives || archive_seen(overlays, i))
                        continue;
                int r = apply_archive(e, overlays, n, i);
                result = result < 0 ? result : r;
                if (r < 0 && !e->options->keep_going)
                        return r;
        }
        for (size_t i = 0; i < n; i++) {
                if (overlays[i].archive.s.len)
                        continue;
                int r = apply_one(e, &overlays[i], synthesised);
                result = result < 0 ? result : r;
                if (r < 0 && !e->options->keep_going)
                        return r;
        }
        return result;
}

typedef struct Part {
        const AshOverlay *overlays;
        size_t n;
        bool synthesised;
} Part;

static int apply_parts(AshSourceTree *tree, const Part *parts, size_t n, const AshOverlayOptions *options, AshOverlayReport *report, AshDiags *diags) {
        _cleanup_(ash_tree_mark_free_p) AshTreeMark *mark = ash_tree_mark(tree);
        Engine e = { .tree = tree, .options = options, .report = report, .diags = diags, .strict = options->semantics == ASH_SEMANTICS_STRICT };
        int result = 0;
        for (size_t i = 0; i < n && (result >= 0 || options->keep_going); i++) {
                int r = apply_list(&e, parts[i].overlays, parts[i].n, parts[i].synthesised);
                result = result < 0 ? result : r;
        }
        if (result >= 0 || options->keep_going)
                spec_to_tree(&e);
        else
                ash_tree_rollback(tree, mark);
        ash_array_done(&e.places);
        ash_spec_free(e.spec);
        return result;
}

int ash_overlay_apply(AshSourceTree *tree, const AshOverlay *overlays, size_t n, const AshOverlayOptions *options, AshOverlayReport **ret_report, AshDiags *diags) {
        _cleanup_(ash_overlay_report_free_p) AshOverlayReport *report = report_new();
        int r = apply_parts(tree, &(Part){ overlays, n, false }, 1, options, report, diags);
        if (ret_report)
                *ret_report = ASH_TAKE(report);
        return r;
}

/* ---- what is put around a component's own overlays ---- */

const AshOverlayNames ash_overlay_names_azldev = {
        .macro_file = "${name}.azl.macros",
        .macro_file_header = "# Macros file automatically generated by azldev.\n# Do not edit manually; changes will be overwritten.\n",
        .macro_load = "# All Azure Linux specs with overlays include this macro file, irrespective of whether new macros have been added.\n%{load:%{_sourcedir}/${macros}}\n\n",
        .macro_tag = "Source9999",
        .spec_header = "# This spec file has been modified by azldev to include build configuration overlays.\n# Do not edit manually; changes may be overwritten.\n\n",
};

const AshOverlayNames ash_overlay_names_ashlar = {
        .macro_file = "${name}.ashlar.macros",
        .macro_file_header = "# Macros of this component's build settings, written by ashlar.\n# Edits are lost: change the component's configuration.\n",
        .macro_load = "# Build settings of the component (with, without, defines).\n%{load:%{_sourcedir}/${macros}}\n\n",
        .macro_tag = "Source9999",
        .spec_header = "# Rendered by ashlar: upstream's spec with the component's overlays.\n# Edits are lost: change the component's configuration.\n\n",
};

static const char *name_or(const char *given, const char *fallback) { return given ?: fallback; }

static char *fill_in(const char *text, const char *name, const char *macros) {
        _str_ AshStr out = {};
        for (const char *p = text; *p;) {
                if (strncmp(p, "${name}", 7) == 0) {
                        ash_str_append_str(&out, name ?: "");
                        p += 7;
                } else if (macros && strncmp(p, "${macros}", 9) == 0) {
                        ash_str_append_str(&out, macros);
                        p += 9;
                } else
                        ash_str_append_char(&out, *p++);
        }
        return ash_str_take(&out);
}

static int compare_lines(const void *a, const void *b) { return strcmp(*(char *const *) a, *(char *const *) b); }

typedef struct Lines {
        ASH_ARRAY(char *) items;
} Lines;

static void lines_done(Lines *l) {
        ash_array_foreach(&l->items, s)
                free(*s);
        ash_array_done(&l->items);
}

/* One "name value" for each setting; a later one of the same name wins; "undefines" takes names away. */
static void collect_macros(const AshComponentConfig *c, Lines *out) {
        _map_ AshMap map = {};
        Lines names = {};
        for (size_t k = 0; k < 2; k++) {
                const AshTexts *list = k ? &c->without : &c->with;
                for (size_t i = 0; i < list->n; i++) {
                        char *name = ash_asprintf("_%s_%.*s", k ? "without" : "with", ASH_F(list->items[i].s));
                        ash_array_push(&names.items, name);
                        ash_map_put(&map, ash_slice_str(name), (void *) "1", NULL);
                }
        }
        Lines values = {};
        for (size_t i = 0; i < c->defines.n; i++) {
                char *value = ash_slice_dup(text_or_empty(c->defines.items[i].value));
                ash_array_push(&values.items, value);
                ash_map_put(&map, c->defines.items[i].key.s, value, NULL);
        }
        for (size_t i = 0; i < c->undefines.n; i++)
                ash_map_remove(&map, c->undefines.items[i].s);
        ash_map_foreach(&map, e)
                ash_array_push(&out->items, ash_asprintf("%.*s\t%s", ASH_F(e->key), (const char *) e->value));
        if (out->items.n)
                qsort(out->items.items, out->items.n, sizeof *out->items.items, compare_lines);
        lines_done(&names);
        lines_done(&values);
}

void ash_overlay_macros(const AshComponentConfig *c, const AshOverlayOptions *options, AshStr *out) {
        _cleanup_(lines_done) Lines lines = {};
        collect_macros(c, &lines);
        if (!lines.items.n)
                return;
        _free_ char *header = fill_in(name_or(options->names.macro_file_header, ash_overlay_names_azldev.macro_file_header), options->component, NULL);
        ash_str_append_str(out, header);
        ash_array_foreach(&lines.items, l) {
                char *tab = strchr(*l, '\t');
                ash_str_appendf(out, "%%%.*s %s\n", (int) (tab - *l), *l, tab + 1);
        }
}

/* Lines of a text that ends with a newline, as an overlay's lines. */
static AshTexts as_lines(AshArena *arena, AshSlice text) {
        AshTexts out = {};
        size_t n = 0;
        AshSlice rest = text, line;
        while (ash_slice_next_line(&rest, &line))
                n++;
        out.items = ash_arena_new_items(arena, AshText, n + 1);
        for (rest = text; ash_slice_next_line(&rest, &line);)
                out.items[out.n++] = (AshText){ .s = ash_arena_slice(arena, line) };
        return out;
}

static AshText text_of(AshArena *arena, const char *s) { return (AshText){ .s = ash_arena_slice(arena, ash_slice_str(s)) }; }

static AshOverlay *add_overlay(AshArena *arena, AshOverlay *list, size_t *n, AshOverlayType type, const char *description) {
        AshOverlay *o = &list[(*n)++];
        *o = (AshOverlay){ .type = type, .description = text_of(arena, description), .base_dir = "." };
        o->type_text = text_of(arena, ash_overlay_type_name(type));
        return o;
}

#define SYNTHESISED_MAX 4

static size_t settings_before(AshArena *arena, const AshOverlayOptions *options, const char *macros, AshOverlay *list) {
        size_t n = 0;
        _free_ char *load = fill_in(name_or(options->names.macro_load, ash_overlay_names_azldev.macro_load), options->component, macros);
        AshOverlay *o = add_overlay(arena, list, &n, ASH_OVERLAY_SPEC_PREPEND_LINES, "Loads the macro file of the component's build settings");
        o->lines = as_lines(arena, ash_slice_str(load));
        o = add_overlay(arena, list, &n, ASH_OVERLAY_SPEC_INSERT_TAG, "Declares the macro file of the component's build settings");
        o->tag = text_of(arena, name_or(options->names.macro_tag, ash_overlay_names_azldev.macro_tag));
        o->value = text_of(arena, macros);
        return n;
}

static size_t settings_after(AshArena *arena, const AshComponentConfig *c, const AshOverlayOptions *options, bool header, AshOverlay *list) {
        size_t n = 0;
        if (c->check_skip.value == ASH_YES) {
                AshOverlay *o = add_overlay(arena, list, &n, ASH_OVERLAY_SPEC_PREPEND_LINES, "Skips %check");
                AshSlice reason = text_or_empty(c->check_skip_reason);
                o->section = text_of(arena, "%check");
                o->at = c->check_skip.at;
                o->count = UINT64_MAX;
                o->lines = as_lines(arena, ash_slice_str(ash_arena_printf(arena, "# Check section disabled: %.*s\nexit 0\n\n", ASH_F(reason))));
        }
        const char *text = name_or(options->names.spec_header, ash_overlay_names_azldev.spec_header);
        if (header && *text) {
                _free_ char *filled = fill_in(text, options->component, NULL);
                add_overlay(arena, list, &n, ASH_OVERLAY_SPEC_PREPEND_LINES, "Says where the spec comes from")->lines = as_lines(arena, ash_slice_str(filled));
        }
        return n;
}

/* Returns 1 when the component needs one. */
static int put_macro_file(AshSourceTree *tree, const AshComponentConfig *c, const AshOverlayOptions *options, const char *name, AshDiags *diags) {
        _str_ AshStr text = {};
        ash_overlay_macros(c, options, &text);
        if (!text.len)
                return 0;
        const char *why = ash_tree_refuses(tree, name);
        if (!why && strchr(name, '/'))
                why = "the component's name has a slash";
        if (why)
                return ash_fail_file(diags, -EINVAL, name, "cannot write the macro file: %s", why);
        ash_source_tree_put(tree, name, ash_str_slice(&text), 0644);
        return 1;
}

int ash_overlay_render(AshSourceTree *tree, const AshComponentConfig *c, const AshOverlayOptions *options, AshOverlayReport **ret_report, AshDiags *diags) {
        _cleanup_(ash_overlay_report_free_p) AshOverlayReport *report = report_new();
        _cleanup_(ash_tree_mark_free_p) AshTreeMark *mark = ash_tree_mark(tree);
        _free_ char *macros = fill_in(name_or(options->names.macro_file, ash_overlay_names_azldev.macro_file), options->component, NULL);
        AshOverlay *before = ash_arena_new_items(report->arena, AshOverlay, SYNTHESISED_MAX), *after = ash_arena_new_items(report->arena, AshOverlay, SYNTHESISED_MAX);
        int r = put_macro_file(tree, c, options, macros, diags);
        if (r < 0)
                return r;
        size_t n_before = r > 0 ? settings_before(report->arena, options, macros, before) : 0;
        bool any = n_before || c->overlays.n || c->check_skip.value == ASH_YES;
        size_t n_after = settings_after(report->arena, c, options, any && !options->no_header, after);
        Part parts[] = { { before, n_before, true }, { c->overlays.items, c->overlays.n, false }, { after, n_after, true } };
        r = apply_parts(tree, parts, ASH_N(parts), options, report, diags);
        if (r < 0 && !options->keep_going)
                ash_tree_rollback(tree, mark);
        if (ret_report)
                *ret_report = ASH_TAKE(report);
        return r;
}
