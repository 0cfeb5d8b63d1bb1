/* The semantics of azldev, as its code has them: one physical line at a time, conditionals and macro bodies not understood. Where its documentation says
 * something else, the code counts. */
#include "overlay-private.h"

#define _plainview_ _cleanup_(ash_spec_plain_view_done)

static bool is_section(const AshSpecSection *s, AshSlice name, AshSlice package) { return ash_slice_eq(s->name, name) && ash_slice_eq(s->package, package); }

/* "not found", with the nearest thing that is there. */
static int no_section(Engine *e, const AshSpecPlainView *v, AshSlice name, AshSlice package) {
        AshText at = package.len && e->overlay->package.s.ptr ? e->overlay->package : e->overlay->section;
        if (package.len)
                ash_engine_fail(e, -ENOENT, at, "there is no section '%.*s' of package '%.*s'", ASH_F(name), ASH_F(package));
        else
                ash_engine_fail(e, -ENOENT, at, "there is no section '%.*s'", ASH_F(name));
        ASH_ARRAY(AshSlice) candidates = {};
        ASH_ARRAY(size_t) where = {};
        bool by_package = false;
        ash_array_foreach(&v->sections, s)
                by_package |= package.len && s->header && ash_slice_eq(s->name, name);
        ash_array_foreach(&v->sections, s) {
                if (s == v->sections.items || (by_package && (!ash_slice_eq(s->name, name) || !s->package.len)))
                        continue;
                ash_array_push(&candidates, by_package ? s->package : s->name);
                ash_array_push(&where, s->header);
        }
        ash_engine_nearest(e, by_package ? "package" : "section", by_package ? package : name, candidates.items, where.items, candidates.n);
        ash_array_done(&candidates);
        ash_array_done(&where);
        return -ENOENT;
}

/* Appends lines at the end of every section of that name and package. */
static int append_to(Engine *e, AshSlice name, AshSlice package, const AshSlice *lines, size_t n) {
        _plainview_ AshSpecPlainView v;
        ash_spec_plain_view(e->spec, &v);
        bool found = false;
        for (size_t i = v.sections.n; i-- > 0;)
                if (is_section(&v.sections.items[i], name, package)) {
                        ash_engine_insert(e, v.sections.items[i].end, lines, n, ASH_EOL_LF);
                        found = true;
                }
        return found ? 0 : no_section(e, &v, name, package);
}

static int add_tag(Engine *e, AshSlice package, const char *tag, AshSlice value) {
        _free_ char *line = ash_asprintf("%s: %.*s", tag, ASH_F(value));
        return append_to(e, package.len ? ASH_S("%package") : ASH_S(""), package, &(AshSlice){ line, strlen(line) }, 1);
}

int ash_plain_add_tag(Engine *e) {
        _free_ char *tag = ash_slice_dup(e->overlay->tag.s);
        return add_tag(e, text_or_empty(e->overlay->package), tag, e->overlay->value.s);
}

/* ---- tags ---- */

typedef struct TagLine {
        size_t line;
        AshSpecTag tag;
        AshSlice package;
} TagLine;
typedef struct TagLines {
        ASH_ARRAY(TagLine) items;
} TagLines;

static void tag_lines_done(TagLines *t) { ash_array_done(&t->items); }
#define _taglines_ _cleanup_(tag_lines_done)

/* All that the scanner takes for a tag, in every package. */
static void tag_lines(const Engine *e, TagLines *ret) {
        AshSpecSectionType type = ASH_SECTION_PACKAGE;
        AshSlice package = ASH_S("");
        AshSpecSection s;
        AshSpecTag tag;
        for (size_t i = 0; i < e->spec->lines.n; i++) {
                AshSlice line = line_at(e, i);
                if (type != ASH_SECTION_PACKAGE && !memchr(line.ptr, '%', line.len))
                        continue;
                AshSpecPlainKind kind = ash_spec_plain_line(line, type, &s, &tag);
                if (kind == ASH_PLAIN_HEADER) {
                        type = s.type;
                        package = s.package;
                } else if (kind == ASH_PLAIN_TAG)
                        ash_array_push(&ret->items, ((TagLine){ i, tag, package }));
        }
}

static int no_tag(Engine *e, const TagLines *tags, AshSlice package) {
        AshSlice name = e->overlay->tag.s, value = text_or_empty(e->overlay->value);
        bool by_value = e->overlay->type == ASH_OVERLAY_SPEC_REMOVE_TAG && value.len;
        const char *of = package.len ? " in package " : "";
        if (by_value)
                ash_engine_fail(e, -ENOENT, e->overlay->value, "there is no tag '%.*s' with the value '%.*s'%s%.*s", ASH_F(name), ASH_F(value), of, ASH_F(package));
        else
                ash_engine_fail(e, -ENOENT, e->overlay->tag, "there is no tag '%.*s'%s%.*s", ASH_F(name), of, ASH_F(package));
        ASH_ARRAY(AshSlice) candidates = {};
        ASH_ARRAY(size_t) where = {};
        ash_array_foreach(&tags->items, t)
                if (ash_slice_eq(t->package, package)) {
                        bool same = ash_slice_eq_nocase(t->tag.name, name);
                        if (by_value && !same)
                                continue;
                        ash_array_push(&candidates, by_value ? t->tag.value : t->tag.name);
                        ash_array_push(&where, t->line);
                }
        ash_engine_nearest(e, by_value ? "value" : "tag", by_value ? value : name, candidates.items, where.items, candidates.n);
        ash_array_foreach(&tags->items, t)
                if (!ash_slice_eq(t->package, package) && ash_slice_eq_nocase(t->tag.name, name) && (!by_value || ash_slice_eq_nocase(t->tag.value, value)))
                        ash_engine_note(e, t->line, "package '%.*s' has it", ASH_F(t->package));
        ash_array_done(&candidates);
        ash_array_done(&where);
        return -ENOENT;
}

/* Rewrites every tag of the name in the package. Returns how many. */
static size_t update_tags(Engine *e, const TagLines *tags, AshSlice package) {
        _free_ char *line = ash_asprintf("%.*s: %.*s", ASH_F(e->overlay->tag.s), ASH_F(text_or_empty(e->overlay->value)));
        size_t n = 0;
        ash_array_foreach(&tags->items, t)
                if (ash_slice_eq(t->package, package) && ash_slice_eq_nocase(t->tag.name, e->overlay->tag.s)) {
                        ash_engine_place(e, ASH_EDIT_CHANGE, t->line, line_at(e, t->line), ash_slice_str(line));
                        ash_spec_replace(e->spec, t->line, ash_slice_str(line));
                        n++;
                }
        return n;
}

int ash_plain_update_tag(Engine *e) {
        _taglines_ TagLines tags = {};
        AshSlice package = text_or_empty(e->overlay->package);
        tag_lines(e, &tags);
        return update_tags(e, &tags, package) ? 0 : no_tag(e, &tags, package);
}

int ash_plain_set_tag(Engine *e) {
        _taglines_ TagLines tags = {};
        tag_lines(e, &tags);
        return update_tags(e, &tags, text_or_empty(e->overlay->package)) ? 0 : ash_plain_add_tag(e);
}

int ash_plain_remove_tag(Engine *e) {
        _taglines_ TagLines tags = {};
        AshSlice package = text_or_empty(e->overlay->package), value = text_or_empty(e->overlay->value);
        size_t n = 0;
        tag_lines(e, &tags);
        for (size_t pass = 0; pass < 2; pass++) /* places first: they count lines as they stand before the edit */
                for (size_t i = tags.items.n; i-- > 0;) {
                        const TagLine *t = &tags.items.items[i];
                        if (!ash_slice_eq(t->package, package) || !ash_slice_eq_nocase(t->tag.name, e->overlay->tag.s) || (value.len && !ash_slice_eq_nocase(t->tag.value, value)))
                                continue;
                        if (pass)
                                ash_spec_remove(e->spec, t->line, 1);
                        else
                                ash_engine_place(e, ASH_EDIT_REMOVE, t->line, line_at(e, t->line), ASH_S(""));
                        n++;
                }
        return n ? 0 : no_tag(e, &tags, package);
}

/* The line after which insert-tag goes: moved behind the %endif when the file's %if depth there is not 0, if the section has that %endif. */
static size_t behind_conditional(const Engine *e, size_t line, size_t section_end) {
        int depth = 0;
        for (size_t i = 0; i <= line; i++)
                depth += ash_spec_plain_depth(line_at(e, i));
        if (depth <= 0)
                return line;
        for (size_t i = line + 1; i < section_end; i++) {
                depth += ash_spec_plain_depth(line_at(e, i));
                if (depth <= 0)
                        return i;
        }
        return line;
}

int ash_plain_insert_tag(Engine *e) {
        _plainview_ AshSpecPlainView v;
        AshSlice package = text_or_empty(e->overlay->package), name = package.len ? ASH_S("%package") : ASH_S("");
        AshSlice family = ash_spec_tag_family(e->overlay->tag.s);
        size_t last_family = SIZE_MAX, last_any = SIZE_MAX, end = 0;
        bool found = false;
        ash_spec_plain_view(e->spec, &v);
        ash_array_foreach(&v.sections, s) {
                if (!is_section(s, name, package))
                        continue;
                found = true;
                end = s->end;
                AshSpecSection ignored;
                AshSpecTag tag;
                for (size_t i = s->begin; i < s->end; i++)
                        if (ash_spec_plain_line(line_at(e, i), ASH_SECTION_PACKAGE, &ignored, &tag) == ASH_PLAIN_TAG) {
                                last_any = i;
                                if (ash_slice_eq_nocase(ash_spec_tag_family(tag.name), family))
                                        last_family = i;
                        }
        }
        if (!found)
                return no_section(e, &v, name, package);
        size_t after = last_family != SIZE_MAX ? last_family : last_any;
        if (after == SIZE_MAX)
                return ash_plain_add_tag(e);
        _free_ char *line = ash_asprintf("%.*s: %.*s", ASH_F(e->overlay->tag.s), ASH_F(e->overlay->value.s));
        ash_engine_insert(e, behind_conditional(e, after, end) + 1, &(AshSlice){ line, strlen(line) }, 1, ASH_EOL_LF);
        return 0;
}

/* ---- lines ---- */

int ash_plain_prepend_lines(Engine *e) {
        _free_ AshSlice *lines = ash_engine_lines(e->overlay);
        AshSlice name = text_or_empty(e->overlay->section), package = text_or_empty(e->overlay->package);
        if (!name.len) {
                ash_engine_insert(e, 0, lines, e->overlay->lines.n, ASH_EOL_LF);
                return 0;
        }
        _plainview_ AshSpecPlainView v;
        ash_spec_plain_view(e->spec, &v);
        bool found = false;
        for (size_t i = v.sections.n; i-- > 0;)
                if (is_section(&v.sections.items[i], name, package)) {
                        ash_engine_insert(e, v.sections.items[i].begin, lines, e->overlay->lines.n, ASH_EOL_LF);
                        found = true;
                }
        return found ? 0 : no_section(e, &v, name, package);
}

int ash_plain_append_lines(Engine *e) {
        _free_ AshSlice *lines = ash_engine_lines(e->overlay);
        AshSlice name = text_or_empty(e->overlay->section);
        if (name.len)
                return append_to(e, name, text_or_empty(e->overlay->package), lines, e->overlay->lines.n);
        ash_engine_insert(e, e->spec->lines.n, lines, e->overlay->lines.n, ASH_EOL_LF);
        return 0;
}

/* ---- search and replace ---- */

static int count_match(void *context, size_t start, size_t end) {
        (void) start, (void) end;
        ++*(size_t *) context;
        return 0;
}

static size_t matches_in(const AshRegex *regex, AshSlice line) {
        size_t n = 0;
        ash_regex_each(regex, line, count_match, &n, NULL);
        return n;
}

/* Why a pattern changed nothing: where it would have matched, or that its result stands there already. */
static void explain_no_match(Engine *e, const AshRegex *regex, AshSlice section, AshSlice package) {
        AshSpecSectionType type = ASH_SECTION_PACKAGE;
        AshSpecSection s = { .name = ASH_S(""), .package = ASH_S("") }, found;
        AshSpecTag tag;
        AshSlice replacement = text_or_empty(e->overlay->replacement);
        size_t notes = 0;
        for (size_t i = 0; i < e->spec->lines.n && notes < 5; i++) {
                AshSlice line = line_at(e, i);
                bool header = ash_spec_plain_line(line, type, &found, &tag) == ASH_PLAIN_HEADER;
                if (header) {
                        s = found;
                        type = s.type;
                }
                if (!matches_in(regex, line)) {
                        if (replacement.len > 3 && ash_slice_find(line, replacement) >= 0 && ++notes)
                                ash_engine_note(e, i, "the replacement stands here already");
                        continue;
                }
                notes++;
                if (header)
                        ash_engine_note(e, i, "it matches this section header; headers are never searched");
                else if ((section.len && !ash_slice_eq(s.name, section)) || (package.len && !ash_slice_eq(s.package, package)))
                        ash_engine_note(e, i, "it matches here, in section '%.*s'%s%.*s", ASH_F(s.name), s.package.len ? " of package " : "", ASH_F(s.package));
                else
                        ash_engine_note(e, i, "it matches here, but the replacement is what stands there");
        }
}

/* One line: 1 when it changed. */
static int replace_line(Engine *e, const AshRegex *regex, size_t i) {
        _str_ AshStr out = {};
        AshSlice line = line_at(e, i);
        ptrdiff_t n = ash_regex_replace(regex, line, text_or_empty(e->overlay->replacement), &out, e->diags);
        if (n < 0) {
                ash_engine_note(e, i, "on this line");
                return (int) n;
        }
        if (!n || ash_slice_eq(line, ash_str_slice(&out)))
                return 0;
        ash_engine_place(e, ASH_EDIT_CHANGE, i, line, ash_str_slice(&out));
        e->effect->matches += (size_t) n - 1;
        ash_spec_replace(e->spec, i, ash_str_slice(&out));
        return 1;
}

int ash_plain_search_replace(Engine *e) {
        AshSlice section = text_or_empty(e->overlay->section), package = text_or_empty(e->overlay->package);
        _cleanup_(ash_regex_free_p) AshRegex *regex = NULL;
        int r = ash_regex_new(e->overlay->regex.s, ASH_REGEX_RE2, 0, e->overlay->regex.at, &regex, e->diags);
        if (r < 0)
                return r;
        AshSpecSection s = { .name = ASH_S(""), .package = ASH_S(""), .type = ASH_SECTION_PACKAGE };
        AshSpecSection found;
        AshSpecTag tag;
        bool changed = false;
        if (e->options->places)
                ash_engine_view(e); /* of the text before the first change */
        for (size_t i = 0; i < e->spec->lines.n; i++) {
                if (ash_spec_plain_line(line_at(e, i), s.type, &found, &tag) == ASH_PLAIN_HEADER) {
                        s = found;
                        continue;
                }
                if ((section.len && !ash_slice_eq(s.name, section)) || (package.len && !ash_slice_eq(s.package, package)))
                        continue;
                r = replace_line(e, regex, i);
                if (r < 0)
                        return r;
                changed |= r > 0;
                if (r > 0 && ash_spec_plain_line(line_at(e, i), s.type, &found, &tag) == ASH_PLAIN_HEADER)
                        s = found; /* the scanner reads the new line too: from here on it is in another section */
        }
        if (changed)
                return 0;
        AshText where = e->overlay->regex;
        ash_engine_fail(e, -ENOENT, where, "the pattern changes nothing%s%.*s%s%.*s", section.len ? " in section " : "", ASH_F(section), package.len ? " of package " : "", ASH_F(package));
        explain_no_match(e, regex, section, package);
        return -ENOENT;
}

/* ---- removal of sections ---- */

typedef struct Pair {
        size_t first, last; /* lines of %if and %endif */
} Pair;
typedef struct Pairs {
        ASH_ARRAY(Pair) items;  /* by %endif: inner ones first */
        ASH_ARRAY(size_t) open;  /* for each line with %else or %elif: its %if; else SIZE_MAX */
        ASH_ARRAY(size_t) close; /* for each line with %if: its %endif */
} Pairs;

static void pairs_done(Pairs *p) {
        ash_array_done(&p->items);
        ash_array_done(&p->open);
        ash_array_done(&p->close);
}

static int collect_pairs(Engine *e, Pairs *ret) {
        ASH_ARRAY(size_t) stack = {};
        int r = 0;
        ash_array_reserve(&ret->open, e->spec->lines.n);
        for (size_t i = 0; i < e->spec->lines.n && r >= 0; i++) {
                int depth = ash_spec_plain_depth(line_at(e, i));
                size_t opener = SIZE_MAX;
                if (depth > 0)
                        ash_array_push(&stack, i);
                else if (depth < 0) {
                        if (!stack.n) {
                                r = ash_engine_fail(e, -EINVAL, (AshText){}, "the spec has an %%endif without %%if");
                                ash_engine_note(e, i, "here");
                                break;
                        }
                        ash_array_push(&ret->items, ((Pair){ stack.items[--stack.n], i }));
                        ret->close.items[stack.items[stack.n]] = i;
                } else if (stack.n && ash_spec_plain_branch(line_at(e, i)))
                        opener = *ash_array_last(&stack);
                ash_array_push(&ret->open, opener);
                ash_array_push(&ret->close, SIZE_MAX);
        }
        if (r >= 0 && stack.n) {
                r = ash_engine_fail(e, -EINVAL, (AshText){}, "the spec has an %%if without %%endif");
                ash_engine_note(e, stack.items[0], "here");
        }
        ash_array_done(&stack);
        return r;
}

/* The first line in [from, to) that is neither blank, comment, nor %if or %endif; SIZE_MAX: none. */
static size_t real_content(const Engine *e, size_t from, size_t to) {
        for (size_t i = from; i < to; i++)
                if (!ash_spec_plain_quiet(line_at(e, i)) && ash_spec_plain_depth(line_at(e, i)) == 0)
                        return i;
        return SIZE_MAX;
}

static int spans(Engine *e, const AshSpecSection *s, size_t line, const char *why) {
        ash_engine_fail(e, -EBUSY, e->overlay->section.s.ptr ? e->overlay->section : e->overlay->package, "section '%.*s'%s%.*s cannot be taken out: %s", ASH_F(s->name),
                        s->package.len ? " of package " : "", ASH_F(s->package), why);
        ash_engine_note(e, s->header, "the section begins here");
        ash_engine_note(e, line, "this line is in the way");
        ash_hint(e->diags, "put the conditionals right with a spec-search-replace overlay first");
        return -EBUSY;
}

static bool inside(const AshSpecSection *s, size_t line) { return line >= s->header && line < s->end; }

/* Shortens a section's range so that what stays has its %if and %endif in pairs. */
static int balance_range(Engine *e, const AshSpecSection *s, const Pairs *pairs, size_t *ret_end) {
        size_t end = s->end, line;
        ash_array_foreach(&pairs->items, p) {
                bool first = inside(s, p->first), last = inside(s, p->last);
                if (first == last)
                        continue;
                end = ASH_MIN(end, first ? p->first : p->last);
                if (first && (line = real_content(e, p->first + 1, s->end)) != SIZE_MAX)
                        return spans(e, s, line, "an %if in it reaches into the next section, and has content of this one");
        }
        for (size_t i = s->header; i < s->end; i++) {
                size_t opener = pairs->open.items[i];
                if (opener == SIZE_MAX)
                        continue;
                if (opener < s->header || pairs->close.items[opener] >= s->end)
                        return spans(e, s, i, "it holds a branch of an %if that is not all within it");
        }
        if (end < s->end && (line = real_content(e, end, s->end)) != SIZE_MAX)
                return spans(e, s, line, "content follows a conditional that is not all within it");
        *ret_end = end;
        return 0;
}

static int remove_ranges(Engine *e, const AshSpecSection *sections, size_t n) {
        _cleanup_(pairs_done) Pairs pairs = {};
        _free_ size_t *ends = ash_calloc(n, sizeof *ends);
        int r = collect_pairs(e, &pairs);
        for (size_t i = 0; i < n && r >= 0; i++)
                r = balance_range(e, &sections[i], &pairs, &ends[i]);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                ash_engine_place(e, ASH_EDIT_REMOVE, sections[i].header, line_at(e, sections[i].header), ASH_S(""));
        for (size_t i = n; i-- > 0;)
                ash_spec_remove(e->spec, sections[i].header, ends[i] - sections[i].header);
        return 0;
}

/* Sections by name and package; any name when "name" is empty. */
static int remove_sections(Engine *e, AshSlice name, AshSlice package) {
        _plainview_ AshSpecPlainView v;
        ash_spec_plain_view(e->spec, &v);
        ASH_ARRAY(AshSpecSection) hits = {};
        for (size_t i = 1; i < v.sections.n; i++)
                if ((!name.len || ash_slice_eq(v.sections.items[i].name, name)) && ash_slice_eq(v.sections.items[i].package, package))
                        ash_array_push(&hits, v.sections.items[i]);
        int r = hits.n ? remove_ranges(e, hits.items, hits.n) : no_section(e, &v, name.len ? name : ASH_S("%package"), package);
        ash_array_done(&hits);
        return r;
}

int ash_plain_remove_section(Engine *e) { return remove_sections(e, e->overlay->section.s, text_or_empty(e->overlay->package)); }
int ash_plain_remove_subpackage(Engine *e) { return remove_sections(e, ASH_S(""), e->overlay->package.s); }

/* ---- patches ---- */

int64_t ash_patch_number(AshSlice tag) {
        AshSlice digits = ash_slice_from(tag, 5);
        uint64_t n;
        if (digits.len && digits.ptr[0] == '+') /* as Go's strconv.Atoi */
                digits = ash_slice_from(digits, 1);
        if (tag.len < 6 || !ash_slice_eq_nocase(ash_slice_sub(tag, 0, 5), ASH_S("patch")) || ash_slice_to_u64(digits, 10, &n) < 0 || n >= INT64_MAX)
                return -1;
        return (int64_t) n;
}

int ash_plain_patch_add(Engine *e) {
        _free_ char *name = ash_engine_patch_name(e->overlay);
        _plainview_ AshSpecPlainView v;
        ash_spec_plain_view(e->spec, &v);
        ash_array_foreach(&v.sections, s)
                if (ash_slice_eqs(s->name, "%patchlist"))
                        return append_to(e, ASH_S("%patchlist"), ASH_S(""), &(AshSlice){ name, strlen(name) }, 1);
        _taglines_ TagLines tags = {};
        int64_t highest = -1, bare = 0;
        tag_lines(e, &tags);
        ash_array_foreach(&tags.items, t) {
                highest = ASH_MAX(highest, ash_patch_number(t->tag.name));
                bare += ash_slice_eq_nocase(t->tag.name, ASH_S("Patch"));
        }
        highest = ASH_MAX(highest, bare - 1); /* those without a number count from 0 */
        _free_ char *tag = ash_asprintf("Patch%lld", (long long) highest + 1);
        return add_tag(e, text_or_empty(e->overlay->package), tag, ash_slice_str(name));
}

int ash_plain_patch_remove(Engine *e) {
        AshSlice pattern = e->overlay->file.s;
        _taglines_ TagLines tags = {};
        _plainview_ AshSpecPlainView v;
        ASH_ARRAY(size_t) hits = {};
        tag_lines(e, &tags);
        ash_spec_plain_view(e->spec, &v);
        ash_array_foreach(&tags.items, t)
                if (ash_patch_number(t->tag.name) >= 0 && ash_glob_match(pattern, t->tag.value))
                        ash_array_push(&hits, t->line);
        ash_array_foreach(&v.sections, s)
                for (size_t i = s->begin; ash_slice_eqs(s->name, "%patchlist") && i < s->end; i++) {
                        AshSlice value = ash_slice_trim(line_at(e, i));
                        if (value.len && ash_glob_match(pattern, value))
                                ash_array_push(&hits, i);
                }
        for (size_t i = 0; i < hits.n; i++)
                ash_engine_place(e, ASH_EDIT_REMOVE, hits.items[i], line_at(e, hits.items[i]), ASH_S(""));
        for (size_t i = hits.n; i-- > 0;) /* tags stand before %patchlist, or after: largest line first */
                for (size_t k = 0; k < i; k++)
                        if (hits.items[k] > hits.items[i]) {
                                size_t swap = hits.items[k];
                                hits.items[k] = hits.items[i];
                                hits.items[i] = swap;
                        }
        for (size_t i = hits.n; i-- > 0;)
                ash_spec_remove(e->spec, hits.items[i], 1);
        size_t n = hits.n;
        ash_array_done(&hits);
        return n ? 0 : ash_engine_fail(e, -ENOENT, e->overlay->file, "no PatchN tag and no line of %%patchlist matches '%.*s'", ASH_F(pattern));
}
