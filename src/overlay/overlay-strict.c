/* The better semantics: structure is understood, a place is refused where an edit would be conditional on something foreign, and an edit hits as many places as
 * were declared (one, when nothing is). */
#include "overlay-private.h"

typedef struct Hits {
        ASH_ARRAY(size_t) items; /* lines, or sections */
} Hits;
static void hits_done(Hits *h) { ash_array_done(&h->items); }
#define _hits_ _cleanup_(hits_done)

static const AshSpecSection *section_at(const AshSpecView *v, size_t k) { return &v->sections.items[k]; }

/* ---- which sections ---- */

/* "devel", "NAME-devel", "%{name}-devel" and -n NAME-devel all mean one package. */
static bool package_matches(const AshSpecView *v, const AshSpecSection *s, AshSlice package) {
        if (ash_slice_eq(s->package, package))
                return true;
        _free_ char *full = ash_spec_full_package(v, s);
        AshSpecSection as_full = { .package = package, .full_name = true }, as_suffix = { .package = package };
        _free_ char *wanted = ash_spec_full_package(v, &as_full), *suffixed = ash_spec_full_package(v, &as_suffix);
        if (!package.len)
                return strcmp(full, suffixed) == 0;
        return strcmp(full, wanted) == 0 || strcmp(full, suffixed) == 0;
}

static void find_sections(const AshSpecView *v, AshSlice name, bool any_package, AshSlice package, Hits *ret) {
        for (size_t k = 0; k < v->sections.n; k++)
                if (ash_slice_eq_nocase(section_at(v, k)->name, name) && (any_package || package_matches(v, section_at(v, k), package)))
                        ash_array_push(&ret->items, k);
}

static int no_section(Engine *e, AshSlice name, AshSlice package) {
        const AshSpecView *v = ash_engine_view(e);
        AshText at = package.len ? e->overlay->package : e->overlay->section;
        ASH_ARRAY(AshSlice) candidates = {};
        ASH_ARRAY(size_t) where = {};
        bool named = false;
        for (size_t k = 1; k < v->sections.n; k++)
                named |= ash_slice_eq_nocase(section_at(v, k)->name, name);
        if (named)
                ash_engine_fail(e, -ENOENT, at, "package '%.*s' has no section '%.*s'", ASH_F(package.len ? package : ASH_S("(main)")), ASH_F(name));
        else
                ash_engine_fail(e, -ENOENT, at, "there is no section '%.*s'", ASH_F(name));
        for (size_t k = 1; k < v->sections.n; k++) {
                const AshSpecSection *s = section_at(v, k);
                if (named && !ash_slice_eq_nocase(s->name, name))
                        continue;
                ash_array_push(&candidates, named ? s->package : s->name);
                ash_array_push(&where, s->header);
                if (named && candidates.n <= 5)
                        ash_engine_note(e, s->header, "there is one of package '%.*s'", ASH_F(s->package.len ? s->package : ASH_S("(main)")));
        }
        ash_engine_nearest(e, named ? "package" : "section", named ? package : name, candidates.items, where.items, candidates.n);
        ash_array_done(&candidates);
        ash_array_done(&where);
        return -ENOENT;
}

/* As many as declared? Else says where they are. */
static int check_count(Engine *e, AshText at, size_t n, const size_t *lines, size_t n_lines, const char *what) {
        uint64_t wanted = e->overlay->count ?: 1;
        if (wanted == UINT64_MAX || n == wanted)
                return 0;
        int r = ash_engine_fail(e, -ERANGE, at, "%zu %s, where %llu %s declared", n, what, (unsigned long long) wanted, wanted == 1 ? "is" : "are");
        for (size_t i = 0; i < n_lines && i < 10; i++)
                ash_engine_note(e, lines[i], "it would hit this");
        ash_hint(e->diags, "narrow it down, or declare count = %zu", n);
        return r;
}

static int check_section_count(Engine *e, const Hits *sections) {
        _hits_ Hits lines = {};
        const AshSpecView *v = ash_engine_view(e);
        ash_array_foreach(&sections->items, k)
                ash_array_push(&lines.items, section_at(v, *k)->header);
        return check_count(e, e->overlay->section, sections->items.n, lines.items.items, lines.items.n, "sections match");
}

/* ---- which lines of a section are surely its own ---- */

static bool holds(const AshSpecView *v, uint32_t outer, uint32_t inner) {
        for (; inner; inner = v->conditionals.items[inner].parent)
                if (inner == outer)
                        return true;
        return false;
}

/* Where a section's own lines end: at the first %else or %endif of a conditional that holds its header, or at the first %if that reaches beyond the section. */
static size_t own_end(const AshSpecView *v, const AshSpecSection *s) {
        for (size_t i = s->begin; i < s->end; i++) {
                const AshSpecLineInfo *l = &v->lines.items[i];
                const AshSpecConditional *c = &v->conditionals.items[l->conditional];
                if ((l->kind == ASH_LINE_BRANCH || l->kind == ASH_LINE_ENDIF) && (!l->conditional || holds(v, l->conditional, s->conditional)))
                        return i;
                if (l->kind == ASH_LINE_IF && (c->last == SIZE_MAX || c->last >= s->end))
                        return i;
        }
        return s->end;
}

static bool is_content(const AshSpecView *v, size_t i) {
        AshSpecLineKind kind = v->lines.items[i].kind;
        if (kind == ASH_LINE_CONTINUED) {
                while (i && v->lines.items[i].kind == ASH_LINE_CONTINUED)
                        i--;
                kind = v->lines.items[i].kind;
        }
        return kind != ASH_LINE_BLANK && kind != ASH_LINE_COMMENT && kind != ASH_LINE_IF && kind != ASH_LINE_BRANCH && kind != ASH_LINE_ENDIF;
}

/* The first line of the section behind its own lines that is more than white space, comments and conditionals; SIZE_MAX: none. */
static size_t content_behind(const AshSpecView *v, const AshSpecSection *s, size_t from) {
        for (size_t i = from; i < s->end; i++)
                if (is_content(v, i))
                        return i;
        return SIZE_MAX;
}

static bool blank_at(const AshSpecView *v, size_t i) { return v->lines.items[i].kind == ASH_LINE_BLANK; }

/* Comments that stand right before what follows the section, with a blank line between them and the section's last content, belong to what follows. */
static size_t before_attached_comment(const AshSpecView *v, size_t begin, size_t end) {
        size_t i = end;
        while (i > begin && v->lines.items[i - 1].kind == ASH_LINE_COMMENT)
                i--;
        return i < end && end < v->lines.n && i > begin && blank_at(v, i - 1) ? i : end;
}

/* Where lines go that are appended to a section. */
static size_t append_position(const AshSpecView *v, const AshSpecSection *s, size_t end) {
        size_t i = before_attached_comment(v, s->begin, end);
        while (i > s->begin && blank_at(v, i - 1))
                i--;
        return i;
}

static int reaches_out(Engine *e, const AshSpecSection *s, size_t end, size_t content) {
        ash_engine_fail(e, -EBUSY, e->overlay->section, "section '%.*s' and a conditional overlap: not all of its lines depend on the same condition", ASH_F(s->name));
        ash_engine_note(e, s->header, "the section begins here");
        ash_engine_note(e, end, "its own lines end here");
        ash_engine_note(e, content, "but this line is part of it too");
        ash_hint(e->diags, "put the conditionals right with a spec-search-replace overlay first");
        return -EBUSY;
}

/* ---- tags ---- */


static void without_blanks(AshSlice s, AshStr *out) {
        for (size_t i = 0; i < s.len; i++)
                if (s.ptr[i] != ' ' && s.ptr[i] != '\t')
                        ash_str_append_char(out, s.ptr[i]);
}

static bool same_but_blanks(AshSlice a, AshSlice b) {
        _str_ AshStr x = {}, y = {};
        without_blanks(a, &x);
        without_blanks(b, &y);
        return ash_slice_eq(ash_str_slice(&x), ash_str_slice(&y));
}

static bool tag_is(const AshSpecTag *tag, AshSlice wanted) {
        ptrdiff_t open = ash_slice_find_char(wanted, '(');
        AshSlice name = open < 0 ? wanted : ash_slice_trim(ash_slice_sub(wanted, 0, (size_t) open)), qualifier = ASH_S("");
        if (open >= 0 && ash_slice_ends(wanted, ASH_S(")")))
                qualifier = ash_slice_sub(wanted, (size_t) open + 1, wanted.len - (size_t) open - 2);
        return ash_slice_eq_nocase(tag->name, name) && same_but_blanks(tag->qualifier, qualifier);
}

/* Sections that hold a package's tags: the preamble, or %package. */
static void tag_sections(Engine *e, AshSlice package, Hits *ret) {
        const AshSpecView *v = ash_engine_view(e);
        if (package.len)
                find_sections(v, ASH_S("%package"), false, package, ret);
        else
                ash_array_push(&ret->items, 0);
}

static void find_tags(Engine *e, AshSlice package, AshSlice name, const AshSlice *value, Hits *ret) {
        const AshSpecView *v = ash_engine_view(e);
        _hits_ Hits sections = {};
        AshSpecTag tag;
        tag_sections(e, package, &sections);
        ash_array_foreach(&sections.items, k)
                for (size_t i = section_at(v, *k)->begin; i < section_at(v, *k)->end; i++)
                        if (v->lines.items[i].kind == ASH_LINE_TAG && ash_spec_tag(line_at(e, i), &tag) && tag_is(&tag, name) && (!value || same_but_blanks(tag.value, *value)))
                                ash_array_push(&ret->items, i);
}

static int no_tag(Engine *e, AshSlice package, AshSlice name, const AshSlice *value) {
        const AshSpecView *v = ash_engine_view(e);
        _hits_ Hits same = {}, sections = {};
        ASH_ARRAY(AshSlice) candidates = {};
        AshSpecTag tag;
        tag_sections(e, package, &sections);
        if (!sections.items.n)
                return no_section(e, ASH_S("%package"), package);
        find_tags(e, package, name, NULL, &same);
        if (value && same.items.n) {
                ash_engine_fail(e, -ENOENT, e->overlay->value, "no tag '%.*s' has the value '%.*s'", ASH_F(name), ASH_F(*value));
                for (size_t i = 0; i < same.items.n && i < 5; i++)
                        ash_engine_note(e, same.items.items[i], "there is this one");
                return -ENOENT;
        }
        ash_engine_fail(e, -ENOENT, e->overlay->tag, "there is no tag '%.*s'%s%.*s", ASH_F(name), package.len ? " in package " : "", ASH_F(package));
        ash_array_foreach(&sections.items, k)
                for (size_t i = section_at(v, *k)->begin; i < section_at(v, *k)->end; i++)
                        if (v->lines.items[i].kind == ASH_LINE_TAG && ash_spec_tag(line_at(e, i), &tag)) {
                                ash_array_push(&candidates, tag.name);
                                ash_array_push(&same.items, i);
                        }
        ash_engine_nearest(e, "tag", name, candidates.items, same.items.items, candidates.n);
        ash_array_done(&candidates);
        return -ENOENT;
}

/* A tag's line with another value, its name and alignment kept. */
static char *with_value(AshSlice line, AshSlice value) {
        AshSpecTag tag;
        ash_spec_tag(line, &tag);
        size_t prefix = tag.value.len ? (size_t) (tag.value.ptr - line.ptr) : ash_slice_trim_right(line).len;
        return ash_asprintf("%.*s%s%.*s", (int) prefix, line.ptr, tag.value.len ? "" : " ", ASH_F(value));
}

static int update_found(Engine *e, const Hits *hits) {
        const AshSpecView *v = ash_engine_view(e);
        AshSlice value = text_or_empty(e->overlay->value);
        int r = check_count(e, e->overlay->tag, hits->items.n, hits->items.items, hits->items.n, "tags match");
        if (r < 0)
                return r;
        size_t changed = 0;
        ash_array_foreach(&hits->items, i) {
                if (ash_spec_logical_end(v, *i) > *i + 1) {
                        ash_engine_fail(e, -EINVAL, e->overlay->tag, "the tag's value goes over several lines");
                        ash_engine_note(e, *i, "here");
                        return -EINVAL;
                }
                _free_ char *line = with_value(line_at(e, *i), value);
                if (ash_slice_eqs(line_at(e, *i), line))
                        continue;
                ash_engine_place(e, ASH_EDIT_CHANGE, *i, line_at(e, *i), ash_slice_str(line));
                ash_spec_replace(e->spec, *i, ash_slice_str(line));
                changed++;
        }
        if (changed)
                return 0;
        ash_engine_fail(e, -EALREADY, e->overlay->value, "the tag has that value already: the overlay has no effect");
        ash_engine_note(e, hits->items.items[0], "here");
        return -EALREADY;
}

int ash_strict_update_tag(Engine *e) {
        _hits_ Hits hits = {};
        AshSlice package = text_or_empty(e->overlay->package);
        find_tags(e, package, e->overlay->tag.s, NULL, &hits);
        return hits.items.n ? update_found(e, &hits) : no_tag(e, package, e->overlay->tag.s, NULL);
}

int ash_strict_remove_tag(Engine *e) {
        _hits_ Hits hits = {};
        AshSlice package = text_or_empty(e->overlay->package), value = text_or_empty(e->overlay->value);
        find_tags(e, package, e->overlay->tag.s, value.len ? &value : NULL, &hits);
        if (!hits.items.n)
                return no_tag(e, package, e->overlay->tag.s, value.len ? &value : NULL);
        int r = check_count(e, e->overlay->tag, hits.items.n, hits.items.items, hits.items.n, "tags match");
        if (r < 0)
                return r;
        const AshSpecView *v = ash_engine_view(e);
        ash_array_foreach(&hits.items, i)
                ash_engine_place(e, ASH_EDIT_REMOVE, *i, line_at(e, *i), ASH_S(""));
        for (size_t k = hits.items.n; k-- > 0;) {
                size_t i = hits.items.items[k];
                ash_spec_remove(e->spec, i, ash_spec_logical_end(v, i) - i);
        }
        return 0;
}

/* Before which line a new tag goes: behind the last one of its family (or any), behind the %endif of whatever foreign conditional that one is in. */
static size_t tag_position(Engine *e, const AshSpecSection *s, AshSlice family) {
        const AshSpecView *v = ash_engine_view(e);
        size_t end = own_end(v, s), last = SIZE_MAX, last_family = SIZE_MAX;
        AshSpecTag tag;
        for (size_t i = s->begin; i < end; i++)
                if (v->lines.items[i].kind == ASH_LINE_TAG && ash_spec_tag(line_at(e, i), &tag)) {
                        last = i;
                        if (family.len && ash_slice_eq_nocase(ash_spec_tag_family(tag.name), family))
                                last_family = i;
                }
        size_t i = last_family != SIZE_MAX ? last_family : last;
        if (i == SIZE_MAX)
                return s == section_at(v, 0) ? append_position(v, s, end) : ash_spec_logical_end(v, s->header);
        uint32_t c = v->lines.items[i].conditional;
        if (c == s->conditional || holds(v, c, s->conditional))
                return ash_spec_logical_end(v, i);
        while (v->conditionals.items[c].parent != s->conditional && v->conditionals.items[c].parent)
                c = v->conditionals.items[c].parent;
        return v->conditionals.items[c].last + 1;
}

static bool single_tag(AshSlice tag) {
        static const char *const names[] = { "Name", "Version", "Release", "Epoch", "Summary", "License", "URL", "Group", "BuildArch", "BuildArchitectures", "Vendor", "Packager", "BuildRoot" };
        for (size_t k = 0; k < ASH_N(names); k++)
                if (ash_slice_eq_nocase(tag, ash_slice_str(names[k])))
                        return true;
        AshSlice family = ash_spec_tag_family(tag);
        return family.len < tag.len && (ash_slice_eq_nocase(family, ASH_S("Source")) || ash_slice_eq_nocase(family, ASH_S("Patch")));
}

static int new_tag(Engine *e, AshSlice tag, AshSlice value, bool by_family) {
        AshSlice package = text_or_empty(e->overlay->package);
        _hits_ Hits sections = {}, there = {};
        tag_sections(e, package, &sections);
        if (!sections.items.n)
                return no_section(e, ASH_S("%package"), package);
        find_tags(e, package, tag, single_tag(tag) ? NULL : &value, &there);
        if (there.items.n) {
                ash_engine_fail(e, -EEXIST, e->overlay->tag, "the tag '%.*s' is there already", ASH_F(tag));
                ash_engine_note(e, there.items.items[0], "here");
                ash_hint(e->diags, "spec-set-tag or spec-update-tag changes it");
                return -EEXIST;
        }
        int r = check_section_count(e, &sections);
        if (r < 0)
                return r;
        _free_ char *line = ash_asprintf("%.*s: %.*s", ASH_F(tag), ASH_F(value));
        const AshSpecView *v = ash_engine_view(e);
        AshSpecEol eol = ash_spec_eol(e->spec);
        for (size_t k = sections.items.n; k-- > 0;)
                ash_engine_insert(e, tag_position(e, section_at(v, sections.items.items[k]), by_family ? ash_spec_tag_family(tag) : ASH_S("")),
                                  &(AshSlice){ line, strlen(line) }, 1, eol);
        return 0;
}

int ash_strict_add_tag(Engine *e) { return new_tag(e, e->overlay->tag.s, text_or_empty(e->overlay->value), false); }
int ash_strict_insert_tag(Engine *e) { return new_tag(e, e->overlay->tag.s, text_or_empty(e->overlay->value), true); }

int ash_strict_set_tag(Engine *e) {
        _hits_ Hits hits = {};
        find_tags(e, text_or_empty(e->overlay->package), e->overlay->tag.s, NULL, &hits);
        return hits.items.n ? update_found(e, &hits) : ash_strict_insert_tag(e);
}

/* ---- lines ---- */

static int insert_lines(Engine *e, bool append) {
        _free_ AshSlice *lines = ash_engine_lines(e->overlay);
        const AshSpecView *v = ash_engine_view(e);
        AshSlice name = text_or_empty(e->overlay->section), package = text_or_empty(e->overlay->package);
        AshSpecEol eol = ash_spec_eol(e->spec);
        if (!name.len) {
                ash_engine_insert(e, append ? e->spec->lines.n : 0, lines, e->overlay->lines.n, eol);
                return 0;
        }
        _hits_ Hits hits = {}, at = {};
        find_sections(v, name, false, package, &hits);
        int r = hits.items.n ? check_section_count(e, &hits) : no_section(e, name, package);
        if (r < 0)
                return r;
        ash_array_foreach(&hits.items, k) {
                const AshSpecSection *s = section_at(v, *k);
                size_t end = own_end(v, s), content = append ? content_behind(v, s, end) : SIZE_MAX;
                if (content != SIZE_MAX)
                        return reaches_out(e, s, end, content);
                ash_array_push(&at.items, append ? append_position(v, s, end) : ASH_MIN(ash_spec_logical_end(v, s->header), end));
        }
        for (size_t k = at.items.n; k-- > 0;)
                ash_engine_insert(e, at.items.items[k], lines, e->overlay->lines.n, eol);
        return 0;
}

int ash_strict_prepend_lines(Engine *e) { return insert_lines(e, false); }
int ash_strict_append_lines(Engine *e) { return insert_lines(e, true); }

/* ---- search and replace ---- */

typedef struct Edit {
        size_t line, n;  /* physical lines that it replaces */
        AshStr text;     /* by this, split at '\n' */
        size_t matches;
} Edit;
typedef struct Edits {
        ASH_ARRAY(Edit) items;
        size_t matches, idle; /* idle: matches that replace text by itself */
} Edits;

static void edits_done(Edits *edits) {
        ash_array_foreach(&edits->items, i)
                ash_str_done(&i->text);
        ash_array_done(&edits->items);
}

/* A logical line, with what backslashes join. */
static void logical_text(const Engine *e, size_t first, size_t end, AshStr *out) {
        for (size_t i = first; i < end; i++) {
                if (i > first)
                        ash_str_append_char(out, '\n');
                ash_str_append(out, line_at(e, i));
        }
}

/* The same with every "backslash, newline" and the blanks around it as one space: upstream may wrap a command in another way. */
typedef struct Flat {
        AshStr text;
        ASH_ARRAY(size_t) begin, end; /* of each byte in the original */
} Flat;

static void flat_done(Flat *f) {
        ash_str_done(&f->text);
        ash_array_done(&f->begin);
        ash_array_done(&f->end);
}

static bool blank(char c) { return c == ' ' || c == '\t'; }

static void flatten(AshSlice s, Flat *f) {
        for (size_t i = 0; i < s.len;) {
                size_t from = i, to = i + 1;
                char c = s.ptr[i];
                if (c == '\\' && i + 1 < s.len && s.ptr[i + 1] == '\n') {
                        for (to = i + 2; to < s.len && blank(s.ptr[to]); to++)
                                ;
                        while (f->text.len && blank(f->text.ptr[f->text.len - 1])) {
                                from = f->begin.items[--f->begin.n];
                                f->end.n--;
                                f->text.len--;
                        }
                        c = ' ';
                }
                ash_str_append_char(&f->text, c);
                ash_array_push(&f->begin, from);
                ash_array_push(&f->end, to);
                i = to;
        }
}

typedef struct Collect {
        AshSlice raw, replacement;
        const Flat *flat; /* NULL: the subject is "raw" */
        AshStr *out;
        size_t done, matches, idle;
} Collect;

static int collect_match(void *context, size_t start, size_t end) {
        Collect *c = context;
        size_t from = start, to = end;
        if (c->flat) {
                from = start < c->flat->begin.n ? c->flat->begin.items[start] : c->raw.len;
                to = end > start ? c->flat->end.items[end - 1] : from;
        }
        AshSlice old = ash_slice_sub(c->raw, from, to - from);
        if (ash_slice_eq(old, c->replacement))
                c->idle++;
        else
                c->matches++;
        ash_str_append(c->out, ash_slice_sub(c->raw, c->done, from - c->done));
        ash_str_append(c->out, c->replacement);
        c->done = to;
        return 0;
}

static int search_line(Engine *e, const AshRegex *regex, size_t first, size_t end, bool flattened, Edits *edits) {
        _str_ AshStr joined = {}, out = {};
        _cleanup_(flat_done) Flat flat = {};
        AshSlice raw = line_at(e, first);
        if (end > first + 1) {
                logical_text(e, first, end, &joined);
                raw = ash_str_slice(&joined);
        }
        if (flattened)
                flatten(raw, &flat);
        Collect c = { .raw = raw, .replacement = text_or_empty(e->overlay->replacement), .flat = flattened ? &flat : NULL, .out = &out };
        ptrdiff_t n = ash_regex_each(regex, flattened ? ash_str_slice(&flat.text) : raw, collect_match, &c, e->diags);
        if (n < 0) {
                ash_engine_note(e, first, "on this line");
                return (int) n;
        }
        edits->matches += c.matches;
        edits->idle += c.idle;
        if (!c.matches)
                return 0;
        ash_str_append(&out, ash_slice_from(raw, c.done));
        Edit *edit = ash_array_add(&edits->items);
        *edit = (Edit){ .line = first, .n = end - first, .text = out, .matches = c.matches };
        out = (AshStr){};
        return 0;
}

/* Lines by the overlay's section and package: with a section, no package means the main package. */
static bool searched(Engine *e, const bool *wanted_sections, size_t i) { return wanted_sections[ash_engine_view(e)->lines.items[i].section]; }

static int search(Engine *e, const AshRegex *regex, const bool *wanted, bool flattened, Edits *edits) {
        const AshSpecView *v = ash_engine_view(e);
        for (size_t i = 0, end; i < v->lines.n; i = end) {
                end = ash_spec_logical_end(v, i);
                if (!searched(e, wanted, i) || (flattened && end == i + 1))
                        continue;
                int r = search_line(e, regex, i, end, flattened, edits);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Puts the new text of a logical line in the place of its physical lines. */
static void apply_edit(Engine *e, const Edit *edit) {
        AshSlice rest = ash_str_slice(&edit->text), part;
        size_t i = 0;
        AshSpecEol eol = e->spec->lines.items[edit->line].eol;
        for (; ash_slice_split(&rest, '\n', &part); i++) {
                if (i < edit->n) {
                        if (!ash_slice_eq(line_at(e, edit->line + i), part))
                                ash_spec_replace(e->spec, edit->line + i, part);
                } else
                        ash_spec_insert(e->spec, edit->line + i, &part, 1, eol == ASH_EOL_NONE ? ash_spec_eol(e->spec) : eol);
        }
        if (i < edit->n)
                ash_spec_remove(e->spec, edit->line + i, edit->n - i);
}

static int nothing_found(Engine *e, const AshRegex *regex, const bool *wanted, const Edits *edits) {
        AshSlice replacement = text_or_empty(e->overlay->replacement);
        const AshSpecView *v = ash_engine_view(e);
        if (edits->idle)
                return ash_engine_fail(e, -EALREADY, e->overlay->regex, "the pattern matches only what it is replaced by: the overlay has no effect");
        ash_engine_fail(e, -ENOENT, e->overlay->regex, "the pattern matches nothing where it is searched");
        size_t notes = 0;
        for (size_t i = 0, end; i < v->lines.n && notes < 5; i = end) {
                end = ash_spec_logical_end(v, i);
                Edits other = {};
                if (!searched(e, wanted, i) && search_line(e, regex, i, end, false, &other) >= 0 && other.matches + other.idle) {
                        const AshSpecSection *s = section_at(v, v->lines.items[i].section);
                        ash_engine_note(e, i, "it would match here, in section '%.*s'%s%.*s", ASH_F(s->name), s->package.len ? " of package " : "", ASH_F(s->package));
                        notes++;
                } else if (replacement.len > 3 && searched(e, wanted, i) && ash_slice_find(line_at(e, i), replacement) >= 0) {
                        ash_engine_note(e, i, "the replacement stands here already");
                        notes++;
                }
                edits_done(&other);
        }
        return -ENOENT;
}

static bool *wanted_sections(Engine *e) {
        const AshSpecView *v = ash_engine_view(e);
        AshSlice name = text_or_empty(e->overlay->section), package = text_or_empty(e->overlay->package);
        bool *wanted = ash_calloc(v->sections.n, sizeof *wanted);
        for (size_t k = 0; k < v->sections.n; k++) {
                const AshSpecSection *s = section_at(v, k);
                bool named = !name.len || ash_slice_eq_nocase(s->name, name);
                wanted[k] = named && ((!name.len && !package.len) || package_matches(v, s, package));
        }
        return wanted;
}

int ash_strict_search_replace(Engine *e) {
        _cleanup_(ash_regex_free_p) AshRegex *regex = NULL;
        _cleanup_(edits_done) Edits edits = {};
        int r = ash_regex_new(e->overlay->regex.s, ASH_REGEX_PERL, ASH_REGEX_MULTILINE, e->overlay->regex.at, &regex, e->diags);
        if (r < 0)
                return r;
        _free_ bool *wanted = wanted_sections(e);
        r = search(e, regex, wanted, false, &edits);
        if (r >= 0 && !edits.matches && !edits.idle)
                r = search(e, regex, wanted, true, &edits);
        if (r < 0)
                return r;
        if (!edits.matches)
                return nothing_found(e, regex, wanted, &edits);
        _hits_ Hits lines = {};
        ash_array_foreach(&edits.items, i)
                ash_array_push(&lines.items, i->line);
        r = check_count(e, e->overlay->regex, edits.matches, lines.items.items, lines.items.n, "matches");
        if (r < 0)
                return r;
        ash_array_foreach(&edits.items, i) {
                _str_ AshStr before = {};
                logical_text(e, i->line, i->line + i->n, &before);
                ash_engine_place(e, ASH_EDIT_CHANGE, i->line, ash_str_slice(&before), ash_str_slice(&i->text));
                e->effect->matches += i->matches - 1;
        }
        for (size_t k = edits.items.n; k-- > 0;)
                apply_edit(e, &edits.items.items[k]);
        return 0;
}

/* ---- removal of sections ---- */

static int remove_found(Engine *e, const Hits *hits) {
        const AshSpecView *v = ash_engine_view(e);
        _free_ size_t *ends = ash_calloc(hits->items.n, sizeof *ends);
        for (size_t k = 0; k < hits->items.n; k++) {
                const AshSpecSection *s = section_at(v, hits->items.items[k]);
                size_t end = own_end(v, s), content = content_behind(v, s, end);
                if (content != SIZE_MAX)
                        return reaches_out(e, s, end, content);
                ends[k] = before_attached_comment(v, s->begin, end);
        }
        for (size_t k = 0; k < hits->items.n; k++) {
                size_t header = section_at(v, hits->items.items[k])->header;
                ash_engine_place(e, ASH_EDIT_REMOVE, header, line_at(e, header), ASH_S(""));
        }
        for (size_t k = hits->items.n; k-- > 0;) {
                size_t header = section_at(v, hits->items.items[k])->header;
                ash_spec_remove(e->spec, header, ends[k] - header);
        }
        return 0;
}

int ash_strict_remove_section(Engine *e) {
        _hits_ Hits hits = {};
        AshSlice package = text_or_empty(e->overlay->package);
        find_sections(ash_engine_view(e), e->overlay->section.s, false, package, &hits);
        int r = hits.items.n ? check_section_count(e, &hits) : no_section(e, e->overlay->section.s, package);
        return r < 0 ? r : remove_found(e, &hits);
}

int ash_strict_remove_subpackage(Engine *e) {
        const AshSpecView *v = ash_engine_view(e);
        _hits_ Hits hits = {};
        for (size_t k = 1; k < v->sections.n; k++)
                if (section_at(v, k)->package.len && package_matches(v, section_at(v, k), e->overlay->package.s))
                        ash_array_push(&hits.items, k);
        return hits.items.n ? remove_found(e, &hits) : no_section(e, ASH_S("%package"), e->overlay->package.s);
}

/* ---- patches ---- */

static bool prep_uses(Engine *e, const char *word) {
        const AshSpecView *v = ash_engine_view(e);
        for (size_t i = 0; i < v->lines.n; i++)
                if (ash_slice_eq_nocase(section_at(v, v->lines.items[i].section)->name, ASH_S("%prep")) && v->lines.items[i].kind != ASH_LINE_COMMENT &&
                    ash_slice_find(line_at(e, i), ash_slice_str(word)) >= 0)
                        return true;
        return false;
}

/* The number of each Patch tag as rpm counts them: one without a number follows the last one. Calls for each tag line; returns the highest. */
static int64_t patch_numbers(Engine *e, Hits *lines, Hits *numbers) {
        const AshSpecView *v = ash_engine_view(e);
        int64_t last = -1, highest = -1;
        AshSpecTag tag;
        for (size_t i = 0; i < v->lines.n; i++) {
                if (v->lines.items[i].kind != ASH_LINE_TAG || !ash_spec_tag(line_at(e, i), &tag))
                        continue;
                int64_t n = ash_patch_number(tag.name);
                if (n < 0 && !ash_slice_eq_nocase(tag.name, ASH_S("Patch")))
                        continue;
                last = n >= 0 ? n : last + 1;
                highest = ASH_MAX(highest, last);
                ash_array_push(&lines->items, i);
                ash_array_push(&numbers->items, (size_t) last);
        }
        return highest;
}

int ash_strict_patch_add(Engine *e) {
        _free_ char *name = ash_engine_patch_name(e->overlay);
        const AshSpecView *v = ash_engine_view(e);
        _hits_ Hits lists = {}, lines = {}, numbers = {};
        bool automatic = prep_uses(e, "%autosetup") || prep_uses(e, "%autopatch") || prep_uses(e, "%{autosetup") || prep_uses(e, "%{autopatch");
        int r;
        find_sections(v, ASH_S("%patchlist"), true, ASH_S(""), &lists);
        if (lists.items.n) {
                const AshSpecSection *s = section_at(v, lists.items.items[0]);
                ash_engine_insert(e, append_position(v, s, own_end(v, s)), &(AshSlice){ name, strlen(name) }, 1, ash_spec_eol(e->spec));
                r = 0;
        } else {
                _free_ char *tag = ash_asprintf("Patch%lld", (long long) patch_numbers(e, &lines, &numbers) + 1);
                r = new_tag(e, ash_slice_str(tag), ash_slice_str(name), true);
        }
        if (r >= 0 && !automatic) {
                ash_warn(e->diags, e->overlay->at, "patch-add: %%prep of %s applies patches by hand: '%s' is declared, but nothing applies it", spec_name(e), name);
                ash_hint(e->diags, "add the %%patch line with spec-append-lines, section = \"%%prep\"");
        }
        return r;
}

/* A line such as "%patch 3 -p1", "%patch3", "%patch -P3" or "%patch -P 3". */
static bool applies_patch(AshSlice line, uint64_t number) {
        AshSlice rest = ash_slice_trim(line), word;
        uint64_t n;
        if (!ash_slice_next_word(&rest, &word) || !ash_slice_starts(word, ASH_S("%patch")))
                return false;
        if (word.len > 6)
                return ash_slice_to_u64(ash_slice_from(word, 6), 10, &n) >= 0 && n == number;
        while (ash_slice_next_word(&rest, &word)) {
                AshSlice digits = ash_slice_starts(word, ASH_S("-P")) ? ash_slice_from(word, 2) : word;
                if (ash_slice_to_u64(digits, 10, &n) >= 0 && n == number)
                        return true;
        }
        return false;
}

static int check_unused(Engine *e, uint64_t number) {
        const AshSpecView *v = ash_engine_view(e);
        for (size_t i = 0; i < v->lines.n; i++)
                if (v->lines.items[i].kind != ASH_LINE_COMMENT && applies_patch(line_at(e, i), number)) {
                        ash_engine_fail(e, -EBUSY, e->overlay->file, "the patch is still applied in %%prep");
                        ash_engine_note(e, i, "here");
                        ash_hint(e->diags, "take that line out first, with spec-search-replace");
                        return -EBUSY;
                }
        return 0;
}

static bool patch_matches(AshSlice pattern, AshSlice value) { return value.len && (ash_glob_match(pattern, value) || ash_glob_match(pattern, ash_path_base(value))); }

int ash_strict_patch_remove(Engine *e) {
        const AshSpecView *v = ash_engine_view(e);
        AshSlice pattern = e->overlay->file.s;
        _hits_ Hits lines = {}, numbers = {}, hits = {};
        AshSpecTag tag;
        patch_numbers(e, &lines, &numbers);
        for (size_t k = 0, i = 0; i < v->lines.n; i++) {
                if (k < lines.items.n && lines.items.items[k] == i) {
                        ash_spec_tag(line_at(e, i), &tag);
                        if (patch_matches(pattern, tag.value)) {
                                int r = check_unused(e, numbers.items.items[k]);
                                if (r < 0)
                                        return r;
                                ash_array_push(&hits.items, i);
                        }
                        k++;
                } else if (ash_slice_eq_nocase(section_at(v, v->lines.items[i].section)->name, ASH_S("%patchlist")) && is_content(v, i) &&
                           v->lines.items[i].kind != ASH_LINE_HEADER && patch_matches(pattern, ash_slice_trim(line_at(e, i))))
                        ash_array_push(&hits.items, i);
        }
        if (!hits.items.n)
                return ash_engine_fail(e, -ENOENT, e->overlay->file, "no Patch tag and no line of %%patchlist matches '%.*s'", ASH_F(pattern));
        int r = check_count(e, e->overlay->file, hits.items.n, hits.items.items, hits.items.n, "patches match");
        if (r < 0)
                return r;
        ash_array_foreach(&hits.items, i)
                ash_engine_place(e, ASH_EDIT_REMOVE, *i, line_at(e, *i), ASH_S(""));
        for (size_t k = hits.items.n; k-- > 0;)
                ash_spec_remove(e->spec, hits.items.items[k], 1);
        return 0;
}
