/* Edits of a TOML text. Each finds its place by the statements that the parser recorded, cuts text out or puts text in, and reads the result again. */
#include "toml-edit.h"
#include "toml-private.h"
#include "toml-table.h"

struct AshTomlEdit {
        char *name;
        AshTomlVersion version;
        AshStr text;
        AshSource *source;
        AshTomlDoc *doc;
        Statements st;
};

typedef struct Step {
        bool is_index;
        AshSlice key;
        int64_t index;
} Step;

typedef struct Path {
        AshTomlDoc *memory; /* of decoded keys */
        ASH_ARRAY(Step) steps;
        const char *text;
} Path;

/* Where a path ends: the deepest value that is there, and how many steps lead to it. */
typedef struct Place {
        AshTomlValue *value, *parent;
        size_t n;
} Place;

/* [from, to) becomes text. */
typedef struct Cut {
        size_t from, to;
        AshSlice text;
} Cut;
typedef struct Cuts {
        ASH_ARRAY(Cut) items;
} Cuts;

static void statements_done(Statements *st) {
        ash_array_done(&st->lines);
        ash_array_done(&st->inlines);
}

void ash_toml_edit_free(AshTomlEdit *e) {
        if (!e)
                return;
        statements_done(&e->st);
        ash_toml_free(e->doc);
        ash_source_free(e->source);
        ash_str_done(&e->text);
        free(e->name);
        free(e);
}

AshSlice ash_toml_edit_text(const AshTomlEdit *e) { return ash_str_slice(&e->text); }
const AshTomlValue *ash_toml_edit_root(const AshTomlEdit *e) { return ash_toml_root(e->doc); }

/* Takes the text over when it is well formed. */
static int load(AshTomlEdit *e, AshStr *text, AshDiags *diags) {
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new(e->name, ash_str_slice(text));
        _cleanup_(statements_done) Statements st = {};
        AshTomlDoc *doc;
        int r = toml_parse(source, e->version, &st, &doc, diags);
        if (r < 0)
                return r;
        ash_toml_free(e->doc);
        ash_source_free(e->source);
        statements_done(&e->st);
        ash_str_done(&e->text);
        e->doc = doc;
        e->source = ASH_TAKE(source);
        e->st = st;
        e->text = *text;
        st = (Statements){};
        *text = (AshStr){};
        return 0;
}

int ash_toml_edit_new(const char *name, AshSlice text, AshTomlVersion version, AshTomlEdit **ret, AshDiags *diags) {
        _cleanup_(ash_toml_edit_free_p) AshTomlEdit *e = ash_calloc(1, sizeof *e);
        e->name = ash_strdup(name);
        e->version = version;
        _str_ AshStr copy = {};
        ash_str_append(&copy, text);
        int r = load(e, &copy, diags);
        if (r < 0)
                return r;
        *ret = ASH_TAKE(e);
        return 0;
}

/* ---- paths ---- */

static void path_done(Path *p) {
        ash_toml_free(p->memory);
        ash_array_done(&p->steps);
}

static int bad_path(AshDiags *diags, const char *path, const char *what) {
        return ash_fail(diags, -EINVAL, ASH_NOWHERE, "'%s' is no path in a TOML file: %s", path, what);
}

static int parse_index(Path *path, const char **q, AshDiags *diags) {
        char *end;
        errno = 0;
        long long n = strtoll(*q + 1, &end, 10);
        if (end == *q + 1 || *end != ']' || errno)
                return bad_path(diags, path->text, "expected a number and ']'");
        ash_array_push(&path->steps, ((Step){ .is_index = true, .index = n }));
        *q = end + 1;
        return 0;
}

static int parse_path(const char *text, Path *path, AshDiags *diags) {
        path->text = text;
        path->memory = toml_doc_new();
        const char *q = text;
        for (bool first = true; *q; first = false) {
                if (*q == '[' && !first) {
                        int r = parse_index(path, &q, diags);
                        if (r < 0)
                                return r;
                        continue;
                }
                if (!first && *q++ != '.')
                        return bad_path(diags, text, "expected '.' or '['");
                Step s = {};
                if (*q == '"' || *q == '\'') {
                        Parser p = { .start = q, .p = q, .end = q + strlen(q), .version = ASH_TOML_1_1, .doc = path->memory };
                        if (toml_scan_string(&p, false, &s.key) < 0)
                                return bad_path(diags, text, "a quoted key is not well formed");
                        q = p.p;
                } else {
                        size_t n = 0;
                        while (toml_is_bare(q[n]))
                                n++;
                        if (!n)
                                return bad_path(diags, text, "expected a key");
                        s.key = ash_slice(q, n);
                        q += n;
                }
                ash_array_push(&path->steps, s);
        }
        return path->steps.n ? 0 : bad_path(diags, text, "it is empty");
}

/* Follows the path as far as something is there. Negative when a step does not fit what is there. */
static int resolve(const AshTomlEdit *e, const Path *path, Place *ret, AshDiags *diags) {
        Place at = { .value = &e->doc->root->v };
        for (; at.n < path->steps.n; at.n++) {
                const Step *s = &path->steps.items[at.n];
                AshTomlValue *v = at.value, *next = NULL;
                if (v->type != (s->is_index ? ASH_TOML_ARRAY : ASH_TOML_TABLE))
                        return ash_fail(diags, -EINVAL, v->at, "'%s' leads through a value that is %s %s, no %s", path->text, v->type == ASH_TOML_ARRAY || v->type == ASH_TOML_INTEGER ? "an" : "a",
                                        ash_toml_type_name(v->type), s->is_index ? "array" : "table");
                if (s->is_index) {
                        int64_t i = s->index < 0 ? s->index + (int64_t) v->array.n : s->index;
                        if (i >= 0 && i < (int64_t) v->array.n)
                                next = v->array.items[i];
                } else {
                        AshTomlMember *m = toml_table_find(v, s->key);
                        next = m ? m->value : NULL;
                }
                if (!next)
                        break;
                at.parent = v;
                at.value = next;
        }
        *ret = at;
        return 0;
}

const AshTomlValue *ash_toml_edit_get(const AshTomlEdit *e, const char *text) {
        _cleanup_(path_done) Path path = {};
        Place at;
        if (parse_path(text, &path, NULL) < 0 || resolve(e, &path, &at, NULL) < 0 || at.n < path.steps.n)
                return NULL;
        return at.value;
}

/* What is missing must be keys: no item can be made by its number. */
static int check_missing(const Path *path, const Place *at, AshDiags *diags) {
        for (size_t i = at->n; i < path->steps.n; i++)
                if (path->steps.items[i].is_index)
                        return ash_fail(diags, -ENOENT, at->value->at, "'%s': there is no such item", path->text);
        return 0;
}

/* Keys from step "from" up to "to" as TOML writes them. */
static void emit_keys(AshStr *out, const Path *path, size_t from, size_t to) {
        bool first = true;
        for (size_t i = from; i < to; i++) {
                if (path->steps.items[i].is_index)
                        continue;
                if (!first)
                        ash_str_append_char(out, '.');
                first = false;
                ash_toml_emit_key(out, path->steps.items[i].key);
        }
}

/* ---- text ---- */

static size_t first_offset(const AshTomlEdit *e) { return ash_slice_starts(ash_str_slice(&e->text), ASH_S("\xef\xbb\xbf")) ? 3 : 0; }

static size_t line_start(const AshTomlEdit *e, size_t at) {
        size_t first = first_offset(e);
        while (at > first && e->text.ptr[at - 1] != '\n')
                at--;
        return at;
}

/* Behind the line break of the line that "at" stands in. */
static size_t line_end(const AshTomlEdit *e, size_t at) {
        ptrdiff_t n = ash_slice_find_char(ash_slice_from(ash_str_slice(&e->text), at), '\n');
        return n < 0 ? e->text.len : at + (size_t) n + 1;
}

static const char *line_break(const AshTomlEdit *e) {
        ptrdiff_t n = ash_slice_find_char(ash_str_slice(&e->text), '\n');
        return n > 0 && e->text.ptr[n - 1] == '\r' ? "\r\n" : "\n";
}

/* White space at the start of the line that "at" stands in, up to "at". */
static AshSlice indent_of(const AshTomlEdit *e, size_t at) {
        size_t start = line_start(e, at), end = start;
        while (end < at && (e->text.ptr[end] == ' ' || e->text.ptr[end] == '\t'))
                end++;
        return ash_slice(e->text.ptr + start, end - start);
}

static bool begins_line(const AshTomlEdit *e, size_t at) { return indent_of(e, at).len == at - line_start(e, at); }

static AshSlice line_at(const AshTomlEdit *e, size_t start) { return ash_slice_sub(ash_str_slice(&e->text), start, line_end(e, start) - start); }

static bool is_blank_line(const AshTomlEdit *e, size_t start) { return ash_slice_trim(line_at(e, start)).len == 0; }

static bool is_comment_line(const AshTomlEdit *e, size_t start) { return ash_slice_starts(ash_slice_trim(line_at(e, start)), ASH_S("#")); }

/* Up over the comment lines that touch the line at "start". */
static size_t with_comments(const AshTomlEdit *e, size_t start) {
        size_t first = first_offset(e);
        while (start > first) {
                size_t above = line_start(e, start - 1);
                if (!is_comment_line(e, above))
                        break;
                start = above;
        }
        return start;
}

/* White space, line breaks and comments. */
static size_t skip_trivia(const AshTomlEdit *e, size_t at) {
        for (; at < e->text.len; at++) {
                char c = e->text.ptr[at];
                if (c == '#') {
                        while (at < e->text.len && e->text.ptr[at] != '\n')
                                at++;
                        at--;
                } else if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
                        break;
        }
        return at;
}

static int apply(AshTomlEdit *e, const Cut *cuts, size_t n, const char *path, AshDiags *diags) {
        _str_ AshStr text = {};
        size_t at = 0;
        ash_str_reserve(&text, e->text.len + 256);
        for (size_t i = 0; i < n; i++) {
                ash_str_append(&text, ash_slice(e->text.ptr + at, cuts[i].from - at));
                ash_str_append(&text, cuts[i].text);
                at = cuts[i].to;
        }
        ash_str_append(&text, ash_slice_from(ash_str_slice(&e->text), at));
        _cleanup_(ash_diags_free_p) AshDiags *found = ash_diags_new();
        if (load(e, &text, found) < 0)
                return ash_fail_file(diags, -EINVAL, e->name, "'%s' cannot be written there: %s", path, ash_diags_at(found, 0)->text);
        return 0;
}

static int put(AshTomlEdit *e, size_t from, size_t to, const AshStr *text, const char *path, AshDiags *diags) {
        return apply(e, &(Cut){ from, to, ash_str_slice(text) }, 1, path, diags);
}

/* ---- statements ---- */

static bool leads_through(const Statement *s, const AshTomlValue *v) {
        for (uint32_t i = 0; i < s->n_through; i++)
                if (s->through[i].value == v)
                        return true;
        return false;
}

static const Statement *pair_of(const Statement *items, size_t n, const AshTomlValue *v) {
        for (size_t i = 0; i < n; i++)
                if (items[i].kind == STATEMENT_PAIR && items[i].target == v)
                        return &items[i];
        return NULL;
}

static const Statement *last_through(const Statement *items, size_t n, const AshTomlValue *v) {
        for (size_t i = n; i-- > 0;)
                if (items[i].kind == STATEMENT_PAIR && leads_through(&items[i], v))
                        return &items[i];
        return NULL;
}

/* Place among the lines of the header that opened a table; -1: none did. */
static ptrdiff_t header_of(const AshTomlEdit *e, const AshTomlValue *table) {
        for (size_t i = 0; i < e->st.lines.n; i++)
                if (e->st.lines.items[i].kind != STATEMENT_PAIR && e->st.lines.items[i].target == table)
                        return (ptrdiff_t) i;
        return -1;
}

/* One past the last line of a table or array of tables and all below it, then on to the end of that line's section. */
static size_t boundary(const AshTomlEdit *e, const AshTomlValue *v) {
        const Statement *lines = e->st.lines.items;
        size_t n = e->st.lines.n, last = 0;
        bool all = v == &e->doc->root->v, in_header = false;
        for (size_t i = 0; i < n; i++) {
                bool in = all || lines[i].target == v || leads_through(&lines[i], v);
                if (lines[i].kind != STATEMENT_PAIR)
                        in_header = in;
                if (in || in_header)
                        last = i + 1;
        }
        while (last < n && lines[last].kind == STATEMENT_PAIR)
                last++;
        return last;
}

static TableState state_of(const AshTomlValue *table) { return ((const Node *) table)->state; }

/* ---- one line: key = value ---- */

typedef struct Style {
        AshSlice indent, after;  /* after the '=' */
        size_t column;           /* code points before an aligned '='; 0: not aligned */
        AshSlice before;         /* before the '=' when not aligned */
} Style;

static size_t points(AshSlice s) {
        size_t n = 0;
        for (size_t i = 0; i < s.len; i++)
                n += ((uint8_t) s.ptr[i] & 0xc0) != 0x80;
        return n;
}

static size_t equals_of(const AshTomlEdit *e, const Statement *s) {
        size_t at = s->key_end;
        while (e->text.ptr[at] != '=')
                at++;
        return at;
}

/* How the pairs [from, to) of a section are written. */
static Style style_of(const AshTomlEdit *e, size_t from, size_t to) {
        Style style = { .before = ASH_S(" "), .after = ASH_S(" ") };
        bool aligned = to - from >= 2, padded = false;
        size_t column = 0;
        for (size_t i = from; i < to; i++) {
                const Statement *s = &e->st.lines.items[i];
                size_t equals = equals_of(e, s), start = line_start(e, s->start), here = points(ash_slice(e->text.ptr + start, equals - start));
                aligned &= i == from || here == column;
                padded |= equals - s->key_end > 1;
                column = here;
                style.indent = indent_of(e, s->start);
                style.after = ash_slice(e->text.ptr + equals + 1, s->target->at.offset - equals - 1);
                style.before = ash_slice(e->text.ptr + s->key_end, equals - s->key_end);
        }
        if (aligned && padded)
                style.column = column;
        else if (style.before.len > 1)
                style.before = ASH_S(" ");
        return style;
}

static void emit_line(const AshTomlEdit *e, AshStr *out, const Style *style, AshSlice key, const AshTomlValue *value) {
        size_t start = out->len;
        ash_str_append(out, style->indent);
        ash_str_append(out, key);
        size_t width = points(ash_slice(out->ptr + start, out->len - start));
        if (style->column)
                ash_str_append_fill(out, ' ', style->column > width ? style->column - width : 1);
        else
                ash_str_append(out, style->before);
        ash_str_append_char(out, '=');
        ash_str_append(out, style->after);
        toml_emit_wide(out, value, width + 3, style->indent, line_break(e));
        ash_str_append_str(out, line_break(e));
}

/* A break first when the text in front does not end a line. */
static void begin_line(const AshTomlEdit *e, AshStr *out, size_t at) {
        if (at > first_offset(e) && e->text.ptr[at - 1] != '\n')
                ash_str_append_str(out, line_break(e));
}

/* The pairs of the section behind header "h" (-1: before all headers) as a range of lines. */
static void section_pairs(const AshTomlEdit *e, ptrdiff_t h, size_t *from, size_t *to) {
        *from = *to = (size_t) (h + 1);
        while (*to < e->st.lines.n && e->st.lines.items[*to].kind == STATEMENT_PAIR)
                ++*to;
}

/* The style of the nearest section that has pairs, with the header's own indentation in place of that section's. */
static Style borrowed_style(const AshTomlEdit *e, ptrdiff_t h, AshStr *indent) {
        Style style = { .before = ASH_S(" "), .after = ASH_S(" ") };
        const Statement *lines = e->st.lines.items;
        AshSlice own = h >= 0 ? indent_of(e, lines[h].start) : ASH_S("");
        ash_str_append(indent, own);
        for (ptrdiff_t k = h; k >= 0; k--) {
                size_t from, to;
                section_pairs(e, k, &from, &to);
                if (lines[k].kind == STATEMENT_PAIR || from == to)
                        continue;
                Style other = style_of(e, from, to);
                AshSlice base = indent_of(e, lines[k].start);
                style.before = other.column ? ASH_S(" ") : other.before;
                style.after = other.after;
                if (ash_slice_starts(other.indent, base))
                        ash_str_append(indent, ash_slice_from(other.indent, base.len));
                break;
        }
        style.indent = ash_str_slice(indent);
        return style;
}

/* Behind the last pair of a section, else right behind its header; for the root: before the first header. */
static int add_line(AshTomlEdit *e, ptrdiff_t h, AshSlice key, const AshTomlValue *value, const char *path, AshDiags *diags) {
        size_t from, to, at;
        section_pairs(e, h, &from, &to);
        _str_ AshStr out = {}, indent = {};
        Style style = from < to ? style_of(e, from, to) : borrowed_style(e, h, &indent);
        bool before_header = from == to && h < 0 && e->st.lines.n;
        if (from < to)
                at = line_end(e, e->st.lines.items[to - 1].end);
        else if (h >= 0)
                at = line_end(e, e->st.lines.items[h].end);
        else
                at = before_header ? with_comments(e, line_start(e, e->st.lines.items[0].start)) : e->text.len;
        begin_line(e, &out, at);
        emit_line(e, &out, &style, key, value);
        if (before_header)
                ash_str_append_str(&out, line_break(e));
        return put(e, at, at, &out, path, diags);
}

/* ---- headers ---- */

/* True when the headers of the text follow each other without empty lines. */
static bool is_compact(const AshTomlEdit *e) {
        size_t headers = 0;
        for (size_t i = 0; i < e->st.lines.n; i++) {
                const Statement *s = &e->st.lines.items[i];
                if (s->kind == STATEMENT_PAIR || !i)
                        continue;
                size_t start = with_comments(e, line_start(e, s->start));
                if (start > first_offset(e) && is_blank_line(e, line_start(e, start - 1)))
                        return false;
                headers++;
        }
        return headers > 0;
}

/* A section before line "i" of the statements (or at the end): header and members. */
static int add_section(AshTomlEdit *e, size_t i, AshSlice header_path, bool item, AshSlice indent, const AshTomlValue *members, const char *path, AshDiags *diags) {
        const char *nl = line_break(e);
        size_t first = first_offset(e);
        size_t at = i < e->st.lines.n ? with_comments(e, line_start(e, e->st.lines.items[i].start)) : e->text.len;
        bool compact = is_compact(e);
        _str_ AshStr out = {}, key = {}, pair_indent = {};
        begin_line(e, &out, at);
        if (at > first && !compact && !(e->text.ptr[at - 1] == '\n' && is_blank_line(e, line_start(e, at - 1))))
                ash_str_append_str(&out, nl);
        ash_str_append(&out, indent);
        ash_str_appendf(&out, item ? "[[%.*s]]%s" : "[%.*s]%s", ASH_F(header_path), nl);
        ptrdiff_t h = (ptrdiff_t) i - 1;
        while (h >= 0 && e->st.lines.items[h].kind == STATEMENT_PAIR)
                h--;
        Style style = borrowed_style(e, h, &pair_indent);
        for (size_t k = 0; members && k < members->table.n; k++) {
                ash_str_clear(&key);
                ash_toml_emit_key(&key, members->table.members[k].key);
                emit_line(e, &out, &style, ash_str_slice(&key), members->table.members[k].value);
        }
        if (i < e->st.lines.n && !compact)
                ash_str_append_str(&out, nl);
        return put(e, at, at, &out, path, diags);
}

/* Behind all that belongs to "after" (the parent, or the array of tables). */
static int add_section_behind(AshTomlEdit *e, const AshTomlValue *after, AshSlice header_path, bool item, const AshTomlValue *members, const char *path, AshDiags *diags) {
        size_t i = boundary(e, after);
        AshSlice indent = ASH_S("");
        for (size_t k = i; k-- > 0;) {
                const Statement *s = &e->st.lines.items[k];
                if (s->kind != STATEMENT_PAIR && (s->target == after || leads_through(s, after))) {
                        indent = indent_of(e, s->start);
                        break;
                }
        }
        _free_ char *copy = ash_slice_dup(indent);
        return add_section(e, i, header_path, item, ash_slice_str(copy), members, path, diags);
}

/* A header of its own for a table that was only implied: before the first header that leads through it. */
static int define_implied(AshTomlEdit *e, const AshTomlValue *table, const AshTomlValue *members, const char *path, AshDiags *diags) {
        for (size_t i = 0; i < e->st.lines.n; i++) {
                const Statement *s = &e->st.lines.items[i];
                for (uint32_t k = 0; k < s->n_through; k++) {
                        if (s->kind == STATEMENT_PAIR || s->through[k].value != table)
                                continue;
                        size_t from = s->start + (s->kind == STATEMENT_ITEM ? 2 : 1);
                        AshSlice header_path = ash_slice_trim(ash_slice(e->text.ptr + from, s->through[k].key_end - from));
                        return add_section(e, i, header_path, false, indent_of(e, s->start), members, path, diags);
                }
        }
        return ash_fail(diags, -EINVAL, table->at, "'%s' cannot get a header of its own", path);
}

/* ---- within brackets and braces ---- */

typedef struct Element {
        size_t start, end;
} Element;
typedef struct Elements {
        ASH_ARRAY(Element) items;
} Elements;

static void elements_done(Elements *l) { ash_array_done(&l->items); }

static void elements_of(const AshTomlEdit *e, const AshTomlValue *v, Elements *l) {
        if (v->type == ASH_TOML_ARRAY) {
                for (size_t i = 0; i < v->array.n; i++) {
                        AshSpan at = v->array.items[i]->at;
                        ash_array_push(&l->items, ((Element){ at.offset, at.offset + at.len }));
                }
                return;
        }
        for (size_t i = 0; i < e->st.inlines.n; i++) {
                const Statement *s = &e->st.inlines.items[i];
                if (s->section == v)
                        ash_array_push(&l->items, ((Element){ s->start, s->end }));
        }
}

static int add_first_element(AshTomlEdit *e, const AshTomlValue *v, AshSlice text, const char *path, AshDiags *diags) {
        size_t open = v->at.offset, close = open + v->at.len - 1;
        _str_ AshStr out = {};
        AshSlice inner = ash_slice(e->text.ptr + open + 1, close - open - 1);
        bool table = v->type == ASH_TOML_TABLE;
        if (ash_slice_find_char(inner, '\n') < 0) {
                ash_str_appendf(&out, table ? " %.*s " : "%.*s", ASH_F(text));
                return put(e, open + 1, close, &out, path, diags);
        }
        /* Over several lines, perhaps with comments: before the line of the closing bracket. */
        bool own_line = begins_line(e, close);
        size_t at = own_line ? line_start(e, close) : close;
        if (!own_line)
                ash_str_append_str(&out, line_break(e));
        ash_str_appendf(&out, "%.*s  %.*s%s%s", ASH_F(own_line ? indent_of(e, close) : ASH_S("")), ASH_F(text), table && e->version < ASH_TOML_1_1 ? "" : ",", line_break(e));
        return put(e, at, at, &out, path, diags);
}

static int add_element(AshTomlEdit *e, const AshTomlValue *v, AshSlice text, const char *path, AshDiags *diags) {
        _cleanup_(elements_done) Elements l = {};
        elements_of(e, v, &l);
        if (!l.items.n)
                return add_first_element(e, v, text, path, diags);
        Element last = *ash_array_last(&l.items);
        size_t close = v->at.offset + v->at.len - 1, comma = skip_trivia(e, last.end);
        bool trailing = e->text.ptr[comma] == ',';
        _str_ AshStr out = {};
        if (!begins_line(e, last.start)) {
                ash_str_appendf(&out, trailing ? " %.*s," : ", %.*s", ASH_F(text));
                size_t at = trailing ? comma + 1 : last.end;
                return put(e, at, at, &out, path, diags);
        }
        /* On a line of its own, below the line of the last one and its comment. */
        size_t after = trailing ? comma + 1 : last.end, at = line_end(e, after);
        AshSlice indent = indent_of(e, last.start);
        if (at > close) {
                ash_str_appendf(&out, "%s%s%.*s%.*s%s", trailing ? "" : ",", line_break(e), ASH_F(indent), ASH_F(text), trailing ? "," : "");
                return put(e, after, after, &out, path, diags);
        }
        ash_str_appendf(&out, "%.*s%.*s%s%s", ASH_F(indent), ASH_F(text), trailing ? "," : "", line_break(e));
        Cut cuts[2] = { { last.end, last.end, trailing ? ASH_S("") : ASH_S(",") }, { at, at, ash_str_slice(&out) } };
        return apply(e, cuts, 2, path, diags);
}

/* From the end of an element or its comma over white space to the end of the line, a comment on it included; 0 when something else stands there. */
static size_t rest_of_line(const AshTomlEdit *e, size_t at) {
        while (at < e->text.len && (e->text.ptr[at] == ' ' || e->text.ptr[at] == '\t'))
                at++;
        if (at < e->text.len && e->text.ptr[at] != '#' && e->text.ptr[at] != '\n' && e->text.ptr[at] != '\r')
                return 0;
        return line_end(e, at);
}

static size_t spaces_before(const AshTomlEdit *e, size_t at) {
        while (at > 0 && (e->text.ptr[at - 1] == ' ' || e->text.ptr[at - 1] == '\t'))
                at--;
        return at;
}

static int remove_element(AshTomlEdit *e, const AshTomlValue *v, size_t start, const char *path, AshDiags *diags) {
        _cleanup_(elements_done) Elements l = {};
        elements_of(e, v, &l);
        size_t i = 0, n = l.items.n, close = v->at.offset + v->at.len - 1;
        while (i < n && l.items.items[i].start != start)
                i++;
        if (i == n)
                return ash_fail(diags, -EINVAL, v->at, "'%s' cannot be removed", path);
        Element x = l.items.items[i];
        size_t comma = skip_trivia(e, x.end), line = begins_line(e, x.start) ? rest_of_line(e, e->text.ptr[comma] == ',' ? comma + 1 : x.end) : 0;
        bool has_comma = e->text.ptr[comma] == ',';
        if (line && line <= close && (has_comma || v->type == ASH_TOML_ARRAY || e->version >= ASH_TOML_1_1))
                return apply(e, &(Cut){ line_start(e, x.start), line, ASH_S("") }, 1, path, diags);
        if (has_comma) { /* with its comma and the space behind it, or the space before it where it is the last */
                size_t from = x.start, to = comma + 1;
                if (i + 1 < n)
                        while (e->text.ptr[to] == ' ' || e->text.ptr[to] == '\t')
                                to++;
                else
                        from = spaces_before(e, from);
                return apply(e, &(Cut){ from, to, ASH_S("") }, 1, path, diags);
        }
        if (i == 0) { /* the only one */
                bool bare = ash_slice_trim(ash_slice(e->text.ptr + v->at.offset + 1, x.start - v->at.offset - 1)).len == 0 && ash_slice_trim(ash_slice(e->text.ptr + x.end, close - x.end)).len == 0;
                return apply(e, bare ? &(Cut){ v->at.offset + 1, close, ASH_S("") } : &(Cut){ x.start, x.end, ASH_S("") }, 1, path, diags);
        }
        /* The last one, without a comma: the comma before it goes too, a comment between them stays. */
        size_t before = skip_trivia(e, l.items.items[i - 1].end), from = spaces_before(e, x.start);
        Cut cuts[2] = { { before, before + 1, ASH_S("") }, { ASH_MAX(from, before + 1), x.end, ASH_S("") } };
        return apply(e, cuts, 2, path, diags);
}

/* ---- set ---- */

static void emit_array_as_before(const AshTomlEdit *e, AshStr *out, const AshTomlValue *old, const AshTomlValue *value) {
        const AshTomlValue *first = old->array.items[0];
        AshSlice indent = indent_of(e, first->at.offset);
        size_t close = old->at.offset + old->at.len - 1;
        ash_str_appendf(out, "[%s", line_break(e));
        for (size_t i = 0; i < value->array.n; i++) {
                ash_str_append(out, indent);
                ash_toml_emit_value(out, value->array.items[i]);
                ash_str_appendf(out, ",%s", line_break(e));
        }
        ash_str_append(out, indent_of(e, close));
        ash_str_append_char(out, ']');
}

static int replace_value(AshTomlEdit *e, AshTomlValue *old, const AshTomlValue *value, const char *path, AshDiags *diags) {
        if (((old->type == ASH_TOML_TABLE) && !old->inline_table) || (old->type == ASH_TOML_ARRAY && old->indexed))
                return ash_fail(diags, -EEXIST, old->at, "'%s' is %s, it cannot be replaced by a value", path, old->type == ASH_TOML_ARRAY ? "an array of tables" : "a table that is not written in braces");
        _str_ AshStr out = {};
        const Statement *s = pair_of(e->st.lines.items, e->st.lines.n, old);
        if (old->type == ASH_TOML_ARRAY && value->type == ASH_TOML_ARRAY && old->array.n && value->array.n && begins_line(e, old->array.items[0]->at.offset))
                emit_array_as_before(e, &out, old, value);
        else if (s)
                toml_emit_wide(&out, value, old->at.offset - line_start(e, old->at.offset), indent_of(e, s->start), line_break(e));
        else
                ash_toml_emit_value(&out, value);
        return put(e, old->at.offset, old->at.offset + old->at.len, &out, path, diags);
}

/* A pair in braces: keys, the text in front of them, and the value. */
static int add_inline_pair(AshTomlEdit *e, const AshTomlValue *container, AshSlice prefix, const Path *path, size_t n, const AshTomlValue *value, AshDiags *diags) {
        _str_ AshStr out = {};
        ash_str_append(&out, prefix);
        if (prefix.len)
                ash_str_append_char(&out, '.');
        emit_keys(&out, path, n, path->steps.n);
        ash_str_append_str(&out, " = ");
        ash_toml_emit_value(&out, value);
        return add_element(e, container, ash_str_slice(&out), path->text, diags);
}

static AshSlice prefix_of(const AshTomlEdit *e, const Statement *s, const AshTomlValue *table) {
        for (uint32_t i = 0; i < s->n_through; i++)
                if (s->through[i].value == table)
                        return ash_slice(e->text.ptr + s->start, s->through[i].key_end - s->start);
        return ASH_S("");
}

/* Below a table that dotted keys made: one more of them, behind the last. */
static int add_dotted(AshTomlEdit *e, const AshTomlValue *table, const Path *path, size_t n, const AshTomlValue *value, AshDiags *diags) {
        const Statement *s = last_through(e->st.lines.items, e->st.lines.n, table);
        if (!s) {
                s = last_through(e->st.inlines.items, e->st.inlines.n, table);
                return s ? add_inline_pair(e, s->section, prefix_of(e, s, table), path, n, value, diags) : ash_fail(diags, -EINVAL, table->at, "'%s' cannot be added there", path->text);
        }
        _str_ AshStr key = {}, out = {};
        ash_str_append(&key, prefix_of(e, s, table));
        ash_str_append_char(&key, '.');
        emit_keys(&key, path, n, path->steps.n);
        size_t from, to, at = line_end(e, s->end);
        section_pairs(e, s->section == &e->doc->root->v ? -1 : header_of(e, s->section), &from, &to);
        Style style = style_of(e, from, to);
        begin_line(e, &out, at);
        emit_line(e, &out, &style, ash_str_slice(&key), value);
        return put(e, at, at, &out, path->text, diags);
}

static int add_value(AshTomlEdit *e, const Path *path, const Place *at, const AshTomlValue *value, AshDiags *diags) {
        AshTomlValue *table = at->value;
        size_t missing = path->steps.n - at->n;
        AshTomlMember member = { .key = path->steps.items[path->steps.n - 1].key, .value = (AshTomlValue *) value };
        AshTomlValue members = ash_toml_table(&member, 1);
        if (table->inline_table)
                return add_inline_pair(e, table, ASH_S(""), path, at->n, value, diags);
        if (state_of(table) == TABLE_DOTTED)
                return add_dotted(e, table, path, at->n, value, diags);
        _str_ AshStr keys = {};
        if (missing > 1) {
                emit_keys(&keys, path, 0, path->steps.n - 1);
                return add_section_behind(e, table, ash_str_slice(&keys), false, &members, path->text, diags);
        }
        if (state_of(table) == TABLE_IMPLICIT)
                return define_implied(e, table, &members, path->text, diags);
        emit_keys(&keys, path, at->n, path->steps.n);
        return add_line(e, table == &e->doc->root->v ? -1 : header_of(e, table), ash_str_slice(&keys), value, path->text, diags);
}

/* Parses and resolves; what is missing is keys below a table. */
static int begin_edit(const AshTomlEdit *e, const char *text, Path *path, Place *at, AshDiags *diags) {
        int r = parse_path(text, path, diags);
        if (r >= 0)
                r = resolve(e, path, at, diags);
        return r < 0 ? r : check_missing(path, at, diags);
}

int ash_toml_edit_set(AshTomlEdit *e, const char *text, const AshTomlValue *value, AshDiags *diags) {
        _cleanup_(path_done) Path path = {};
        Place at;
        int r = begin_edit(e, text, &path, &at, diags);
        if (r < 0)
                return r;
        return at.n == path.steps.n ? replace_value(e, at.value, value, text, diags) : add_value(e, &path, &at, value, diags);
}

/* ---- tables and items ---- */

/* True where only braces can hold a further table. */
static bool in_braces(const AshTomlEdit *e, const AshTomlValue *table) {
        return table->inline_table || (state_of(table) == TABLE_DOTTED && !last_through(e->st.lines.items, e->st.lines.n, table));
}

int ash_toml_edit_add_table(AshTomlEdit *e, const char *text, const AshTomlValue *table, AshDiags *diags) {
        _cleanup_(path_done) Path path = {};
        Place at;
        int r = begin_edit(e, text, &path, &at, diags);
        if (r < 0)
                return r;
        AshTomlValue empty = ash_toml_table(NULL, 0);
        if (at.n == path.steps.n) {
                if (at.value->type == ASH_TOML_TABLE && !at.value->inline_table && state_of(at.value) == TABLE_IMPLICIT)
                        return define_implied(e, at.value, table, text, diags);
                return ash_fail(diags, -EEXIST, at.value->at, "'%s' is there already", text);
        }
        if (in_braces(e, at.value))
                return add_value(e, &path, &at, table ? table : &empty, diags);
        _str_ AshStr keys = {};
        emit_keys(&keys, &path, 0, path.steps.n);
        return add_section_behind(e, at.value, ash_str_slice(&keys), false, table, text, diags);
}

int ash_toml_edit_append(AshTomlEdit *e, const char *text, const AshTomlValue *value, AshDiags *diags) {
        _cleanup_(path_done) Path path = {};
        Place at;
        int r = begin_edit(e, text, &path, &at, diags);
        if (r < 0)
                return r;
        bool there = at.n == path.steps.n;
        if (there && at.value->type != ASH_TOML_ARRAY)
                return ash_fail(diags, -EINVAL, at.value->at, "'%s' is no array", text);
        if (there && at.value->indexed && value->type != ASH_TOML_TABLE)
                return ash_fail(diags, -EINVAL, at.value->at, "'%s' is an array of tables: only a table can be added to it", text);
        _str_ AshStr out = {};
        if (there && !at.value->indexed) {
                ash_toml_emit_value(&out, value);
                return add_element(e, at.value, ash_str_slice(&out), text, diags);
        }
        if (!there && (value->type != ASH_TOML_TABLE || in_braces(e, at.value))) {
                AshTomlValue *item = (AshTomlValue *) value, array = ash_toml_array(&item, 1);
                return add_value(e, &path, &at, &array, diags);
        }
        emit_keys(&out, &path, 0, path.steps.n);
        return add_section_behind(e, at.value, ash_str_slice(&out), true, value, text, diags);
}

/* ---- remove ---- */

/* The lines of a section from its header (with the comments that touch it) to its last statement, and the empty lines behind. */
static Cut cut_section(const AshTomlEdit *e, size_t header) {
        size_t from, to, first = first_offset(e);
        section_pairs(e, (ptrdiff_t) header, &from, &to);
        Cut c = { .from = with_comments(e, line_start(e, e->st.lines.items[header].start)), .to = line_end(e, e->st.lines.items[to - 1].end) };
        size_t limit = to < e->st.lines.n ? with_comments(e, line_start(e, e->st.lines.items[to].start)) : e->text.len;
        while (c.to < limit && is_comment_line(e, c.to))
                c.to = line_end(e, c.to);
        while (c.to < limit && is_blank_line(e, c.to))
                c.to = line_end(e, c.to);
        while (c.to == e->text.len && c.from > first && is_blank_line(e, line_start(e, c.from - 1)))
                c.from = line_start(e, c.from - 1);
        c.text = ASH_S("");
        return c;
}

static int remove_lines(AshTomlEdit *e, const AshTomlValue *v, const char *path, AshDiags *diags) {
        Cuts cuts = {};
        const Statement *lines = e->st.lines.items;
        bool in_header = false;
        for (size_t i = 0; i < e->st.lines.n; i++) {
                bool in = lines[i].target == v || leads_through(&lines[i], v), header = lines[i].kind != STATEMENT_PAIR;
                if (header)
                        in_header = in;
                if (!in || (!header && in_header))
                        continue;
                Cut c = header ? cut_section(e, i) : (Cut){ line_start(e, lines[i].start), line_end(e, lines[i].end), ASH_S("") };
                if (cuts.items.n && c.from < ash_array_last(&cuts.items)->to)
                        c.from = ash_array_last(&cuts.items)->to;
                ash_array_push(&cuts.items, c);
        }
        int r = cuts.items.n ? apply(e, cuts.items.items, cuts.items.n, path, diags) : -ENOENT;
        ash_array_done(&cuts.items);
        return r;
}

static int remove_value(AshTomlEdit *e, const Place *at, const char *path, AshDiags *diags) {
        AshTomlValue *v = at->value;
        if (at->parent->type == ASH_TOML_ARRAY && !at->parent->indexed)
                return remove_element(e, at->parent, v->at.offset, path, diags);
        const Statement *s = pair_of(e->st.inlines.items, e->st.inlines.n, v);
        if (!s)
                s = last_through(e->st.inlines.items, e->st.inlines.n, v);
        if (s)
                return remove_element(e, s->section, s->start, path, diags);
        return remove_lines(e, v, path, diags);
}

int ash_toml_edit_remove(AshTomlEdit *e, const char *text, AshDiags *diags) {
        _cleanup_(path_done) Path path = {};
        Place at;
        int r = begin_edit(e, text, &path, &at, diags);
        if (r < 0)
                return r;
        if (at.n < path.steps.n)
                return ash_fail_file(diags, -ENOENT, e->name, "there is no '%s'", text);
        bool braces = at.value->type == ASH_TOML_TABLE && !at.value->inline_table && in_braces(e, at.value);
        r = remove_value(e, &at, text, diags);
        /* Several dotted keys in braces go one by one. */
        while (r >= 0 && braces && resolve(e, &path, &at, NULL) >= 0 && at.n == path.steps.n)
                r = remove_value(e, &at, text, diags);
        return r;
}
