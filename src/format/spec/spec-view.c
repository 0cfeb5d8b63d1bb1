/* What a spec means to rpm, without expanding anything. The rules are those of rpm 4.18: build/parseSpec.c (copyNextLineFromOFI for what continues a line,
 * readLine for conditionals, isPart for section headers) and rpmio/macro.c (doDefine). */
#include "spec-private.h"

static const char *const kind_names[ASH_LINE_KIND_MAX_] = {
        "text", "blank", "comment", "header", "tag", "if", "branch", "endif", "macro", "continued", "include", "entry",
};

const char *ash_spec_line_kind_name(AshSpecLineKind kind) { return kind < ASH_LINE_KIND_MAX_ ? kind_names[kind] : NULL; }

static bool word_char(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }
static bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* ---- what continues a line ---- */

/* Open "%{", "%(" and "%[" so far, and whether the text ended in a backslash. */
typedef struct Nesting {
        uint32_t brace, paren, bracket;
        bool backslash;
} Nesting;

static bool nesting_open(const Nesting *n) { return n->brace || n->paren || n->bracket; }

static void nesting_add(Nesting *n, AshSlice line) {
        n->backslash = false;
        for (size_t i = 0; i < line.len; i++) {
                char next = i + 1 < line.len ? line.ptr[i + 1] : 0;
                switch (line.ptr[i]) {
                case '\\':
                        if (i + 1 == line.len)
                                n->backslash = true;
                        i++;
                        break;
                case '%':
                        n->brace += next == '{';
                        n->paren += next == '(';
                        n->bracket += next == '[';
                        i += next == '{' || next == '(' || next == '[' || next == '%';
                        break;
                case '{': n->brace += n->brace > 0; break;
                case '}': n->brace -= n->brace > 0; break;
                case '(': n->paren += n->paren > 0; break;
                case ')': n->paren -= n->paren > 0; break;
                case '[': n->bracket += n->bracket > 0; break;
                case ']': n->bracket -= n->bracket > 0; break;
                }
        }
}

/* ---- the parser's state ---- */

typedef struct Parser {
        const AshSpecDoc *doc;
        AshSpecView *view;
        uint32_t conditional; /* innermost open one */
        Nesting expression;   /* of the "%{?x:" blocks that are open as conditionals */
        ASH_ARRAY(uint32_t) expression_depth; /* brace count at which each of them closes */
        bool no_braces;       /* a brace was never closed: from here on lines stand for themselves */
} Parser;

static AshSlice text_of(const Parser *p, size_t i) { return p->doc->lines.items[i].text; }
static AshSpecSection *section_of(const Parser *p) { return ash_array_last(&p->view->sections); }

static AshSpecLineInfo *add_info(Parser *p, AshSpecLineKind kind) {
        AshSpecLineInfo *info = ash_array_add(&p->view->lines);
        *info = (AshSpecLineInfo){ .kind = (uint8_t) kind, .section = (uint32_t) p->view->sections.n - 1, .conditional = p->conditional };
        return info;
}

static bool directive_is(AshSlice line, const char *word) {
        AshSlice w = ash_slice_str(word);
        return ash_slice_starts(line, w) && (line.len == w.len || !word_char(line.ptr[w.len]));
}

static bool any_directive(AshSlice line, const char *const *words) {
        for (; *words; words++)
                if (directive_is(line, *words))
                        return true;
        return false;
}

static void open_conditional(Parser *p, size_t i, AshSlice text, bool expression) {
        AshSpecView *v = p->view;
        AshSpecConditional *c = ash_array_add(&v->conditionals);
        *c = (AshSpecConditional){
                .text = text, .parent = p->conditional, .section = (uint32_t) v->sections.n - 1, .depth = v->conditionals.items[p->conditional].depth + 1,
                .first = i, .last = SIZE_MAX, .expression = expression,
        };
        p->conditional = (uint32_t) v->conditionals.n - 1;
}

static void close_conditional(Parser *p, size_t i) {
        AshSpecConditional *c = &p->view->conditionals.items[p->conditional];
        c->last = i;
        p->conditional = c->parent;
}

/* An %if family line: true when it was one. Such lines are not counted for braces: an %if is a line of its own. */
static bool conditional_line(Parser *p, size_t i, AshSlice trimmed) {
        static const char *const openers[] = { "%if", "%ifarch", "%ifnarch", "%ifos", "%ifnos", NULL };
        static const char *const branches[] = { "%else", "%elif", "%elifarch", "%elifnarch", "%elifos", "%elifnos", NULL };
        if (!ash_slice_starts(trimmed, ASH_S("%i")) && !ash_slice_starts(trimmed, ASH_S("%e")))
                return false;
        if (any_directive(trimmed, openers)) {
                open_conditional(p, i, trimmed, false);
                add_info(p, ASH_LINE_IF);
                return true;
        }
        bool branch = any_directive(trimmed, branches);
        if (!branch && !directive_is(trimmed, "%endif"))
                return false;
        bool matched = p->conditional && !p->view->conditionals.items[p->conditional].expression;
        if (!matched && p->view->stray == SIZE_MAX)
                p->view->stray = i;
        add_info(p, branch ? ASH_LINE_BRANCH : ASH_LINE_ENDIF);
        if (!branch && matched)
                close_conditional(p, i);
        return true;
}

static bool header_line(Parser *p, size_t i, AshSlice line, AshSlice trimmed) {
        /* rpm skips blanks before a header in the preamble only. */
        if (!trimmed.len || trimmed.ptr[0] != '%' || (line.ptr[0] != '%' && section_of(p)->type != ASH_SECTION_PACKAGE))
                return false;
        AshSlice rest = trimmed, word = ASH_NOSLICE;
        ash_slice_next_word(&rest, &word);
        AshSpecSectionType type = ash_spec_section_type(word, true);
        if (type < 0)
                return false;
        AshSpecSection s = { .name = word, .package = ASH_S(""), .type = type, .header = i, .begin = i + 1, .end = p->doc->lines.n, .conditional = p->conditional };
        if (type != ASH_SECTION_CHANGELOG && type != ASH_SECTION_LIST) {
                s.package = ASH_NOSLICE;
                ash_spec_header_words(rest, &s);
        }
        section_of(p)->end = i;
        ash_array_push(&p->view->sections, s);
        add_info(p, ASH_LINE_HEADER);
        return true;
}

/* "%{?name:", "%{!?name:" or "%{?!name:" at the start of a line. */
static bool expression_opener(AshSlice trimmed) {
        size_t i = 2;
        if (!ash_slice_starts(trimmed, ASH_S("%{")))
                return false;
        bool asks = false;
        for (; i < trimmed.len && (trimmed.ptr[i] == '?' || trimmed.ptr[i] == '!'); i++)
                asks |= trimmed.ptr[i] == '?';
        size_t start = i;
        while (i < trimmed.len && (word_char(trimmed.ptr[i]) || trimmed.ptr[i] == '-' || trimmed.ptr[i] == '*'))
                i++;
        return asks && i > start && i < trimmed.len && trimmed.ptr[i] == ':';
}

static bool macro_opener(AshSlice trimmed) {
        static const char *const words[] = { "%define", "%global", "%undefine", "%bcond", "%bcond_with", "%bcond_without", NULL };
        return any_directive(trimmed, words);
}

static void note_macro(Parser *p, size_t first, size_t last, AshSlice trimmed) {
        AshSpecMacro m = { .first = first, .last = last };
        AshSlice rest = trimmed, word;
        if (!ash_slice_next_word(&rest, &m.directive) || !ash_slice_next_word(&rest, &word))
                return;
        size_t n = 0;
        while (n < word.len && word_char(word.ptr[n]))
                n++;
        m.name = ash_slice_sub(word, 0, n);
        ptrdiff_t close;
        if (n < word.len && word.ptr[n] == '(' && (close = ash_slice_find_char(ash_slice_from(word, n), ')')) >= 0)
                m.options = ash_slice_sub(word, n, (size_t) close + 1);
        ash_array_push(&p->view->macros, m);
}

#define EXPRESSIONS_MAX 64 /* nested blocks that are looked into: keeps the work linear */

/* How many lines follow line i because of what is open at its end: braces always, a trailing backslash when "backslash" is set. SIZE_MAX: never closed. */
static size_t lines_after(const Parser *p, size_t i, bool backslash) {
        Nesting n = {};
        AshSlice line = text_of(p, i);
        if (!memchr(line.ptr, '%', line.len) && !backslash)
                return 0;
        for (size_t k = i; k < p->doc->lines.n; k++) {
                nesting_add(&n, text_of(p, k));
                if (!nesting_open(&n) && !(backslash && n.backslash))
                        return k - i;
        }
        return nesting_open(&n) ? SIZE_MAX : p->doc->lines.n - 1 - i;
}

static AshSpecLineKind plain_kind(const Parser *p, AshSlice line, AshSlice trimmed) {
        AshSpecTag tag;
        AshSpecSectionType type = section_of(p)->type;
        if (!trimmed.len)
                return ASH_LINE_BLANK;
        if (trimmed.ptr[0] == '#')
                return ASH_LINE_COMMENT;
        if (macro_opener(trimmed) || ash_slice_starts(trimmed, ASH_S("%{lua:")))
                return ASH_LINE_MACRO;
        if (directive_is(trimmed, "%include") || directive_is(trimmed, "%load") || ash_slice_starts(trimmed, ASH_S("%{load:")))
                return ASH_LINE_INCLUDE;
        if (type == ASH_SECTION_CHANGELOG && line.ptr[0] == '*')
                return ASH_LINE_ENTRY;
        return type == ASH_SECTION_PACKAGE && ash_spec_tag(line, &tag) ? ASH_LINE_TAG : ASH_LINE_TEXT;
}

/* Lines between the braces of an open "%{?x:" block: count them, and close what they close. Returns true when line i closed a block. */
static bool close_expressions(Parser *p, size_t i) {
        bool closed = false;
        nesting_add(&p->expression, text_of(p, i));
        while (p->expression_depth.n && p->expression.brace < *ash_array_last(&p->expression_depth)) {
                p->expression_depth.n--;
                /* An %if left open within the braces would be rpm's error; it ends here. */
                while (p->conditional && !p->view->conditionals.items[p->conditional].expression)
                        close_conditional(p, i);
                if (p->conditional)
                        close_conditional(p, i);
                closed = true;
        }
        if (!p->expression_depth.n)
                p->expression = (Nesting){};
        return closed;
}

/* A line that opens a "%{?x:" block over several lines. */
static bool open_expression(Parser *p, size_t i, AshSlice trimmed) {
        if (p->no_braces || p->expression_depth.n >= EXPRESSIONS_MAX || !expression_opener(trimmed))
                return false;
        Nesting n = {};
        nesting_add(&n, trimmed);
        if (!n.brace || lines_after(p, i, false) == SIZE_MAX)
                return false;
        open_conditional(p, i, trimmed, true);
        add_info(p, ASH_LINE_IF);
        ash_array_push(&p->expression_depth, p->expression.brace + 1);
        nesting_add(&p->expression, text_of(p, i));
        return true;
}

/* The lines that line i takes with it. Returns the last one. */
static size_t take_continued(Parser *p, size_t i, AshSpecLineKind kind, AshSlice trimmed) {
        bool macro = kind == ASH_LINE_MACRO;
        size_t after = 0;
        if (kind != ASH_LINE_BLANK && !p->no_braces) {
                after = lines_after(p, i, macro);
                if (after == SIZE_MAX) {
                        p->no_braces = true;
                        after = 0;
                }
        }
        if (p->no_braces && macro)
                while (i + after + 1 < p->doc->lines.n && ash_slice_ends(text_of(p, i + after), ASH_S("\\")))
                        after++;
        for (size_t k = 1; k <= after; k++)
                add_info(p, ASH_LINE_CONTINUED)->macro_body = macro;
        if (macro)
                note_macro(p, i, i + after, trimmed);
        if (p->expression_depth.n)
                for (size_t k = 0; k <= after; k++)
                        if (close_expressions(p, i + k) && k == 0 && ash_slice_eqs(trimmed, "}"))
                                ash_array_last(&p->view->lines)->kind = ASH_LINE_ENDIF;
        return i + after;
}

/* Text after a line that ends in a backslash belongs to that line, for whoever looks for a command in a script. */
static bool follows_backslash(const Parser *p, size_t i, AshSpecLineKind kind) {
        if (!i || (kind != ASH_LINE_TEXT && kind != ASH_LINE_TAG))
                return false;
        AshSpecLineKind before = p->view->lines.items[i - 1].kind;
        if (before != ASH_LINE_TEXT && before != ASH_LINE_TAG && before != ASH_LINE_CONTINUED && before != ASH_LINE_IF && before != ASH_LINE_HEADER)
                return false;
        AshSlice line = text_of(p, i - 1);
        size_t slashes = 0;
        while (slashes < line.len && line.ptr[line.len - 1 - slashes] == '\\')
                slashes++;
        return slashes % 2 == 1;
}

static size_t parse_line(Parser *p, size_t i) {
        AshSlice line = text_of(p, i), trimmed = ash_slice_trim(line);
        if (trimmed.len && trimmed.ptr[0] == '%') {
                if (conditional_line(p, i, trimmed) || open_expression(p, i, trimmed))
                        return i;
                if (header_line(p, i, line, trimmed)) {
                        if (p->expression_depth.n)
                                close_expressions(p, i);
                        return i;
                }
        }
        AshSpecLineKind kind = plain_kind(p, line, trimmed);
        if (follows_backslash(p, i, kind))
                kind = ASH_LINE_CONTINUED;
        add_info(p, kind);
        return take_continued(p, i, kind, trimmed);
}

void ash_spec_view(const AshSpecDoc *doc, AshSpecView *ret) {
        *ret = (AshSpecView){ .doc = doc, .stray = SIZE_MAX };
        Parser p = { .doc = doc, .view = ret };
        ash_array_push(&ret->sections, ((AshSpecSection){ .name = ASH_S(""), .package = ASH_S(""), .type = ASH_SECTION_PACKAGE, .end = doc->lines.n }));
        ash_array_add(&ret->conditionals);
        ash_array_reserve(&ret->lines, doc->lines.n);
        for (size_t i = 0; i < doc->lines.n; i++)
                i = parse_line(&p, i);
        ash_array_done(&p.expression_depth);
}

void ash_spec_view_done(AshSpecView *view) {
        ash_array_done(&view->lines);
        ash_array_done(&view->sections);
        ash_array_done(&view->conditionals);
        ash_array_done(&view->macros);
}

size_t ash_spec_logical_end(const AshSpecView *view, size_t i) {
        for (i++; i < view->lines.n && view->lines.items[i].kind == ASH_LINE_CONTINUED; i++)
                ;
        return i;
}

/* ---- tags, packages, entries ---- */

/* Bytes of a tag's name: a letter, then letters, digits, '_' and macros. */
static size_t tag_name_len(AshSlice s) {
        size_t i = 0;
        if (!s.len || !letter(s.ptr[0]))
                return 0;
        while (i < s.len) {
                if (word_char(s.ptr[i]))
                        i++;
                else if (s.ptr[i] == '%' && i + 1 < s.len && s.ptr[i + 1] == '{') {
                        ptrdiff_t close = ash_slice_find_char(ash_slice_from(s, i), '}');
                        if (close < 0)
                                return 0;
                        i += (size_t) close + 1;
                } else if (s.ptr[i] == '%' && i + 1 < s.len && word_char(s.ptr[i + 1]))
                        i++;
                else
                        break;
        }
        return i;
}

static AshSlice skip_blanks(AshSlice s) {
        while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
                s = ash_slice_from(s, 1);
        return s;
}

bool ash_spec_tag(AshSlice line, AshSpecTag *ret) {
        AshSlice rest = ash_slice_trim_left(line);
        AshSpecTag tag = { .name = ash_slice_sub(rest, 0, tag_name_len(rest)) };
        if (!tag.name.len)
                return false;
        rest = skip_blanks(ash_slice_from(rest, tag.name.len));
        if (rest.len && rest.ptr[0] == '(') {
                ptrdiff_t close = ash_slice_find_char(rest, ')');
                if (close < 0)
                        return false;
                tag.qualifier = ash_slice_trim(ash_slice_sub(rest, 1, (size_t) close - 1));
                rest = skip_blanks(ash_slice_from(rest, (size_t) close + 1));
        }
        if (!rest.len || rest.ptr[0] != ':')
                return false;
        tag.value = ash_slice_trim(ash_slice_from(rest, 1));
        *ret = tag;
        return true;
}

AshSlice ash_spec_main_tag(const AshSpecView *view, const char *name) {
        const AshSpecSection *preamble = &view->sections.items[0];
        AshSpecTag tag;
        for (size_t i = preamble->begin; i < preamble->end; i++)
                if (view->lines.items[i].kind == ASH_LINE_TAG && ash_spec_tag(view->doc->lines.items[i].text, &tag) && ash_slice_eq_nocase(tag.name, ash_slice_str(name)))
                        return tag.value;
        return ASH_S("");
}

static void append_named(AshStr *out, AshSlice text, AshSlice name) {
        static const AshSlice forms[] = { { "%{name}", 7 }, { "%{NAME}", 7 }, { "%name", 5 } };
        while (text.len) {
                size_t k = 0;
                for (; k < ASH_N(forms); k++)
                        if (ash_slice_starts(text, forms[k]) && !(k == 2 && text.len > 5 && word_char(text.ptr[5])))
                                break;
                if (k < ASH_N(forms) && name.len) {
                        ash_str_append(out, name);
                        text = ash_slice_from(text, forms[k].len);
                        continue;
                }
                ash_str_append_char(out, text.ptr[0]);
                text = ash_slice_from(text, 1);
        }
}

char *ash_spec_full_package(const AshSpecView *view, const AshSpecSection *section) {
        AshSlice name = ash_spec_main_tag(view, "Name");
        _str_ AshStr out = {};
        if (!section->full_name) {
                ash_str_append(&out, name);
                if (section->package.len)
                        ash_str_append_char(&out, '-');
        }
        append_named(&out, section->package, name);
        return ash_str_take(&out);
}

bool ash_spec_entry(AshSlice line, AshSpecEntry *ret) {
        if (!ash_slice_starts(line, ASH_S("*")))
                return false;
        AshSlice rest = ash_slice_trim(ash_slice_from(line, 1)), word, last = ASH_NOSLICE;
        const char *start = rest.ptr;
        for (int i = 0; i < 4; i++) { /* "Mon Apr 06 2026" */
                if (!ash_slice_next_word(&rest, &word))
                        return false;
                last = word;
        }
        ret->date = ash_slice(start, (size_t) (last.ptr + last.len - start));
        rest = ash_slice_trim(rest);
        ret->author = rest;
        ret->evr = ASH_S("");
        for (size_t i = rest.len; i-- > 0;)
                if (rest.ptr[i] == '>' || (rest.ptr[i] == '-' && i && rest.ptr[i - 1] == ' ')) {
                        ret->author = ash_slice_trim(ash_slice_sub(rest, 0, i + (rest.ptr[i] == '>')));
                        ret->evr = ash_slice_trim_left(ash_slice_from(rest, i + 1));
                        if (ash_slice_starts(ret->evr, ASH_S("-")))
                                ret->evr = ash_slice_trim_left(ash_slice_from(ret->evr, 1));
                        break;
                }
        return true;
}
