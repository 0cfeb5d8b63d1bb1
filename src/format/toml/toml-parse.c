/* The grammar of TOML: lines, keys, headers, arrays, inline tables. */
#include "toml-private.h"
#include "toml-table.h"

#define ERRORS_MAX 20 /* doubly defined keys and tables that are reported before the parse gives up */

const char *ash_toml_type_name(AshTomlType type) {
        static const char *const names[] = {
                [ASH_TOML_STRING] = "string", [ASH_TOML_INTEGER] = "integer", [ASH_TOML_FLOAT] = "float", [ASH_TOML_BOOL] = "boolean",
                [ASH_TOML_DATETIME] = "date-time", [ASH_TOML_DATETIME_LOCAL] = "local date-time", [ASH_TOML_DATE_LOCAL] = "local date",
                [ASH_TOML_TIME_LOCAL] = "local time", [ASH_TOML_ARRAY] = "array", [ASH_TOML_TABLE] = "table",
        };
        return (unsigned) type < ASH_N(names) ? names[type] : "value";
}

Found toml_found(const Parser *p, const char *at) {
        Found f;
        size_t left = (size_t) (p->end - at), n = 1;
        uint8_t c = left ? (uint8_t) *at : 0;
        if (!left)
                snprintf(f.text, sizeof f.text, "the end of the file");
        else if (c == '\n' || (c == '\r' && left > 1 && at[1] == '\n'))
                snprintf(f.text, sizeof f.text, "the end of the line");
        else if (c == '\r')
                snprintf(f.text, sizeof f.text, "a carriage return without a line feed");
        else if (c == 0)
                snprintf(f.text, sizeof f.text, "a NUL byte");
        else if (c < 0x20 || c == 0x7f)
                snprintf(f.text, sizeof f.text, "the control character U+%04X", c);
        else {
                if (toml_is_bare(*at))
                        while (n < left && n < 40 && toml_is_bare(at[n]))
                                n++;
                else
                        while (n < left && n < 4 && ((uint8_t) at[n] & 0xc0) == 0x80)
                                n++;
                snprintf(f.text, sizeof f.text, "'%.*s'", (int) n, at);
        }
        return f;
}

/* ---- values ---- */

static int count_value(Parser *p, const char *at) {
        if (++p->n_values > ASH_TOML_VALUES_MAX)
                return TOML_FAIL(p, at, at, "the file has more than %d values", ASH_TOML_VALUES_MAX);
        return 0;
}

static AshTomlValue *new_value(Parser *p) {
        if (!p->pool_left) {
                p->pool_size = p->pool_size ? ASH_MIN(p->pool_size * 2, (size_t) 1024) : 16;
                p->pool = ash_arena_new_items(p->doc->arena, AshTomlValue, p->pool_size);
                p->pool_left = p->pool_size;
        }
        p->pool_left--;
        return p->pool++;
}

static Node *new_table(Parser *p, TableState state, AshSpan at) {
        Node *t = ash_arena_new_item(p->doc->arena, Node);
        t->v.type = ASH_TOML_TABLE;
        t->v.at = at;
        t->v.indexed = true;
        t->v.implicit = state == TABLE_IMPLICIT || state == TABLE_DOTTED;
        t->v.inline_table = state == TABLE_INLINE;
        t->state = state;
        return t;
}

static int too_deep(Parser *p, const char *at) {
        return TOML_FAIL(p, at, ASH_MIN(at + 1, p->end), "nested deeper than %d levels", ASH_TOML_DEPTH_MAX);
}

/* ---- white space ---- */

static void skip_space(Parser *p) {
        while (p->p < p->end && (*p->p == ' ' || *p->p == '\t'))
                p->p++;
}

/* p->p at '#': to the end of the line, which stays. */
static int skip_comment(Parser *p) {
        const char *q = p->p;
        for (;;) {
                q = toml_plain(q, p->end, '\n', '\n');
                if (q >= p->end || *q == '\n' || (*q == '\r' && q + 1 < p->end && q[1] == '\n'))
                        break;
                if (*q != '\t')
                        return TOML_FAIL(p, q, q + 1, "%s may not stand in a comment", toml_found(p, q).text);
                q++;
        }
        p->p = q;
        return 0;
}

/* White space, comments and line breaks: what may stand between the parts of an array. */
static int skip_lines(Parser *p) {
        for (;;) {
                skip_space(p);
                if (p->p >= p->end)
                        return 0;
                if (*p->p == '\n')
                        p->p++;
                else if (*p->p == '\r' && p->p + 1 < p->end && p->p[1] == '\n')
                        p->p += 2;
                else if (*p->p == '#') {
                        int r = skip_comment(p);
                        if (r < 0)
                                return r;
                } else
                        return 0;
        }
}

/* What may follow a value or header on its line: a comment. Takes the line break. */
static int end_of_line(Parser *p, const char *what) {
        skip_space(p);
        if (p->p < p->end && *p->p == '#') {
                int r = skip_comment(p);
                if (r < 0)
                        return r;
        }
        if (p->p >= p->end)
                return 0;
        if (*p->p == '\n')
                p->p++;
        else if (*p->p == '\r' && p->p + 1 < p->end && p->p[1] == '\n')
                p->p += 2;
        else
                return TOML_FAIL(p, p->p, p->p + 1, "expected a new line after the %s, found %s", what, toml_found(p, p->p).text);
        return 0;
}

/* ---- keys ---- */

static int no_key(Parser *p, bool first) {
        const char *at = p->p;
        Found f = toml_found(p, at);
        int r = TOML_FAIL(p, at, ASH_MIN(at + 1, p->end), "expected a key%s, found %s", first ? "" : " after the point", f.text);
        uint8_t c = at < p->end ? (uint8_t) *at : 0;
        if (c >= 0x80 || (c > 0x20 && !strchr(".=[]#,", c)))
                ash_hint(p->diags, "a key with other characters than A-Z a-z 0-9 _ - needs quotes");
        return r;
}

/* Reads a key into p->keys and the white space behind it. */
static int parse_key(Parser *p, unsigned depth) {
        p->keys.n = 0;
        for (bool first = true;; first = false) {
                skip_space(p);
                Key k = { .at = p->p };
                char c = p->p < p->end ? *p->p : 0;
                if (c == '"' || c == '\'') {
                        int r = toml_scan_string(p, false, &k.text);
                        if (r < 0)
                                return r;
                } else {
                        while (p->p < p->end && toml_is_bare(*p->p))
                                p->p++;
                        if (p->p == k.at)
                                return no_key(p, first);
                        k.text = ash_slice(k.at, (size_t) (p->p - k.at));
                }
                k.end = p->p;
                if (depth + p->keys.n >= ASH_TOML_DEPTH_MAX)
                        return too_deep(p, k.at);
                ash_array_push(&p->keys, k);
                skip_space(p);
                if (p->p >= p->end || *p->p != '.')
                        return 0;
                p->p++;
        }
}

/* ---- what stands where already: errors that do not end the parse ---- */

static int defined_twice(Parser *p, const Key *k, AshSpan first, const char *format, const char *note) {
        ash_fail(p->diags, -ASH_ERR_SYNTAX, toml_span(p, k->at, k->end), format, (int) ASH_MIN(k->text.len, (size_t) 200), k->text.ptr);
        ash_note(p->diags, first, "%s", note);
        return ++p->errors >= ERRORS_MAX ? -ASH_ERR_SYNTAX : 0;
}

/* A key leads through something that is no table, or a closed one. */
static int not_open(Parser *p, const Key *k, const AshTomlMember *m) {
        const AshTomlValue *v = m->value;
        if (v->type == ASH_TOML_TABLE && v->inline_table)
                return defined_twice(p, k, v->at, "the inline table '%.*s' is closed, nothing can be added to it", "it is written here");
        if (v->type == ASH_TOML_TABLE)
                return defined_twice(p, k, v->at, "the table '%.*s' has a header of its own, dotted keys cannot add to it", "the header is here");
        if (v->type == ASH_TOML_ARRAY && v->indexed)
                return defined_twice(p, k, m->key_at, "'%.*s' is an array of tables, dotted keys cannot add to it", "it begins here");
        if (v->type == ASH_TOML_ARRAY)
                return defined_twice(p, k, m->key_at, "'%.*s' is an array written as a value, nothing can be added to it", "it is written here");
        return defined_twice(p, k, m->key_at, "'%.*s' has a value already, it is no table", "the value is set here");
}

/* ---- statements, for the editor ---- */

static void note_through(Parser *p, AshTomlValue *v, const Key *k) {
        if (p->statements)
                ash_array_push(&p->through, ((Through){ v, (uint32_t) (k->end - p->start) }));
}

/* Takes what note_through() has gathered since the key began. */
static Statement statement_begin(Parser *p, StatementKind kind, const char *start, const char *key_end) {
        Statement s = { .kind = kind, .start = (uint32_t) (start - p->start), .key_end = (uint32_t) (key_end - p->start), .n_through = (uint32_t) p->through.n };
        if (p->statements && s.n_through) {
                s.through = ash_arena_alloc(p->doc->arena, s.n_through * sizeof *s.through);
                memcpy(s.through, p->through.items, s.n_through * sizeof *s.through);
        }
        return s;
}

static void statement_end(Parser *p, Statement s, AshTomlValue *section, AshTomlValue *target) {
        if (!p->statements)
                return;
        s.section = section;
        s.target = target;
        s.end = (uint32_t) (p->p - p->start);
        if (s.kind == STATEMENT_PAIR && section->inline_table)
                ash_array_push(&p->statements->inlines, s);
        else
                ash_array_push(&p->statements->lines, s);
}

/* ---- key = value ---- */

static int parse_value(Parser *p, unsigned depth, AshTomlValue **ret);

/* The table that all parts of a dotted key but the last lead to. NULL: a mistake was reported, the value has no place. */
static int dotted_table(Parser *p, Node *t, Node **ret) {
        p->through.n = 0;
        for (size_t i = 0; i + 1 < p->keys.n; i++) {
                const Key *k = &p->keys.items[i];
                AshSpan at = toml_span(p, k->at, k->end);
                AshTomlMember *m = toml_table_find(&t->v, k->text);
                if (!m) {
                        int r = count_value(p, k->at);
                        if (r < 0)
                                return r;
                        Node *fresh = new_table(p, TABLE_DOTTED, at);
                        toml_table_add(p->doc, t, k->text, at, &fresh->v);
                        note_through(p, &fresh->v, k);
                        t = fresh;
                        continue;
                }
                Node *next = (Node *) m->value;
                if (m->value->type != ASH_TOML_TABLE || next->state == TABLE_HEADER || next->state == TABLE_INLINE) {
                        *ret = NULL;
                        return not_open(p, k, m);
                }
                next->state = TABLE_DOTTED;
                note_through(p, &next->v, k);
                t = next;
        }
        *ret = t;
        return 0;
}

static int expect_equals(Parser *p, const Key *last) {
        if (p->p < p->end && *p->p == '=') {
                p->p++;
                skip_space(p);
                return 0;
        }
        int r = TOML_FAIL(p, p->p, ASH_MIN(p->p + 1, p->end), "expected '=' after the key '%.*s', found %s", (int) ASH_MIN(last->text.len, (size_t) 60),
                          last->text.ptr, toml_found(p, p->p).text);
        if (p->p < p->end && *p->p == ':')
                ash_hint(p->diags, "TOML writes key = value");
        return r;
}

/* depth: levels above the members of "table". */
static int parse_pair(Parser *p, Node *table, unsigned depth) {
        int r = parse_key(p, depth);
        if (r < 0)
                return r;
        const char *start = p->keys.items[0].at;
        Key last = *ash_array_last(&p->keys);
        unsigned levels = depth + (unsigned) p->keys.n;
        r = expect_equals(p, &last);
        if (r < 0)
                return r;
        Node *t;
        r = dotted_table(p, table, &t);
        if (r < 0)
                return r;
        const AshTomlMember *first = t ? toml_table_find(&t->v, last.text) : NULL;
        if (first) {
                r = defined_twice(p, &last, first->key_at, "the key '%.*s' is set twice", "it is set here first");
                if (r < 0)
                        return r;
        }
        if (p->p >= p->end || *p->p == '\n' || *p->p == '\r' || *p->p == '#')
                return TOML_FAIL(p, p->p, p->p, "expected a value after '=', found %s", p->p < p->end && *p->p == '#' ? "a comment" : toml_found(p, p->p).text);
        Statement s = statement_begin(p, STATEMENT_PAIR, start, last.end);
        AshTomlValue *value;
        r = parse_value(p, levels, &value);
        if (r < 0)
                return r;
        if (t && !first)
                toml_table_add(p->doc, t, last.text, toml_span(p, last.at, last.end), value);
        statement_end(p, s, &table->v, value);
        return 0;
}

/* ---- arrays and inline tables ---- */

static int not_closed(Parser *p, const char *open, const char *what) {
        int r = TOML_FAIL(p, p->p, ASH_MIN(p->p + 1, p->end), "expected ',' or '%c' in the %s, found %s", *open == '[' ? ']' : '}', what, toml_found(p, p->p).text);
        ash_note(p->diags, toml_span(p, open, open + 1), "the %s begins here", what);
        return r;
}

static int parse_array_items(Parser *p, const char *open, unsigned depth) {
        int r;
        for (;;) {
                r = skip_lines(p);
                if (r < 0)
                        return r;
                if (p->p < p->end && *p->p == ']')
                        break;
                if (p->p >= p->end)
                        return not_closed(p, open, "array");
                AshTomlValue *item;
                r = parse_value(p, depth, &item);
                if (r < 0)
                        return r;
                ash_array_push(&p->items, item);
                r = skip_lines(p);
                if (r < 0)
                        return r;
                if (p->p < p->end && *p->p == ']')
                        break;
                if (p->p >= p->end || *p->p != ',')
                        return not_closed(p, open, "array");
                p->p++;
        }
        p->p++;
        return 0;
}

static int parse_array(Parser *p, unsigned depth, AshTomlValue **ret) {
        const char *open = p->p++;
        size_t base = p->items.n;
        int r = parse_array_items(p, open, depth + 1);
        if (r < 0)
                return r;
        AshTomlValue *v = new_value(p);
        v->type = ASH_TOML_ARRAY;
        v->at = toml_span(p, open, p->p);
        v->array.n = p->items.n - base;
        if (v->array.n) {
                v->array.items = ash_arena_alloc(p->doc->arena, v->array.n * sizeof *v->array.items);
                memcpy(v->array.items, p->items.items + base, v->array.n * sizeof *v->array.items);
        }
        p->items.n = base;
        *ret = v;
        return 0;
}

/* Between the parts of an inline table: line breaks and comments only since 1.1. */
static int skip_inline(Parser *p) {
        if (p->version >= ASH_TOML_1_1)
                return skip_lines(p);
        skip_space(p);
        if (p->p < p->end && (*p->p == '\n' || *p->p == '\r' || *p->p == '#')) {
                int r = TOML_FAIL(p, p->p, p->p + 1, "an inline table must stand on one line, found %s", *p->p == '#' ? "a comment" : toml_found(p, p->p).text);
                ash_hint(p->diags, "line breaks and comments in it came with TOML 1.1, this file is read as 1.0");
                return r;
        }
        return 0;
}

static int parse_inline_members(Parser *p, const char *open, Node *t, unsigned depth) {
        for (bool first = true;; first = false) {
                int r = skip_inline(p);
                if (r < 0)
                        return r;
                if (p->p < p->end && *p->p == '}') {
                        if (!first && p->version < ASH_TOML_1_1) {
                                r = TOML_FAIL(p, p->p, p->p + 1, "expected a key after ',', found '}'");
                                ash_hint(p->diags, "a comma at the end of an inline table came with TOML 1.1, this file is read as 1.0");
                                return r;
                        }
                        break;
                }
                if (p->p >= p->end)
                        return not_closed(p, open, "inline table");
                r = parse_pair(p, t, depth);
                if (r < 0)
                        return r;
                r = skip_inline(p);
                if (r < 0)
                        return r;
                if (p->p < p->end && *p->p == '}')
                        break;
                if (p->p >= p->end || *p->p != ',')
                        return not_closed(p, open, "inline table");
                p->p++;
        }
        p->p++;
        return 0;
}

static int parse_inline_table(Parser *p, unsigned depth, AshTomlValue **ret) {
        const char *open = p->p++;
        /* Open for its own dotted keys until the brace closes. */
        Node *t = new_table(p, TABLE_INLINE, toml_span(p, open, open));
        int r = parse_inline_members(p, open, t, depth);
        if (r < 0)
                return r;
        t->v.at = toml_span(p, open, p->p);
        *ret = &t->v;
        return 0;
}

/* depth: levels above the value. Recursion ends at ASH_TOML_DEPTH_MAX. */
static int parse_value(Parser *p, unsigned depth, AshTomlValue **ret) {
        const char *at = p->p;
        int r = count_value(p, at);
        if (r < 0)
                return r;
        char c = at < p->end ? *at : 0;
        if (c == '[' || c == '{') {
                if (depth >= ASH_TOML_DEPTH_MAX)
                        return too_deep(p, at);
                return c == '[' ? parse_array(p, depth, ret) : parse_inline_table(p, depth, ret);
        }
        AshTomlValue *v = new_value(p);
        if (c == '"' || c == '\'') {
                v->type = ASH_TOML_STRING;
                r = toml_scan_string(p, true, &v->string);
        } else
                r = toml_scan_scalar(p, v);
        if (r < 0)
                return r;
        v->at = toml_span(p, at, p->p);
        *ret = v;
        return 0;
}

/* ---- headers ---- */

/* The table that a header's path leads to, its last part left out. NULL: a mistake was reported. */
static int header_parent(Parser *p, Node **ret) {
        Node *t = p->doc->root;
        p->through.n = 0;
        for (size_t i = 0; i + 1 < p->keys.n; i++) {
                const Key *k = &p->keys.items[i];
                AshTomlMember *m = toml_table_find(&t->v, k->text);
                if (!m) {
                        int r = count_value(p, k->at);
                        if (r < 0)
                                return r;
                        AshSpan at = toml_span(p, k->at, k->end);
                        Node *fresh = new_table(p, TABLE_IMPLICIT, at);
                        toml_table_add(p->doc, t, k->text, at, &fresh->v);
                        note_through(p, &fresh->v, k);
                        t = fresh;
                        continue;
                }
                AshTomlValue *v = m->value;
                if (v->type == ASH_TOML_ARRAY && v->indexed) {
                        note_through(p, v, k);
                        v = v->array.items[v->array.n - 1];
                }
                if (v->type != ASH_TOML_TABLE || v->inline_table) {
                        *ret = NULL;
                        return not_open(p, k, m);
                }
                t = (Node *) v;
                note_through(p, v, k);
        }
        *ret = t;
        return 0;
}

static int open_table(Parser *p, Node *parent, const Key *k, AshSpan header, Node **ret) {
        AshTomlMember *m = toml_table_find(&parent->v, k->text);
        if (!m) {
                *ret = new_table(p, TABLE_HEADER, header);
                toml_table_add(p->doc, parent, k->text, toml_span(p, k->at, k->end), &(*ret)->v);
                return count_value(p, k->at);
        }
        AshTomlValue *v = m->value;
        Node *t = (Node *) v;
        if (v->type == ASH_TOML_TABLE && t->state == TABLE_IMPLICIT) {
                t->state = TABLE_HEADER;
                v->implicit = false;
                v->at = header;
                m->key_at = toml_span(p, k->at, k->end);
                *ret = t;
                return 0;
        }
        *ret = NULL;
        if (v->type != ASH_TOML_TABLE)
                return v->type == ASH_TOML_ARRAY && v->indexed
                        ? defined_twice(p, k, m->key_at, "'%.*s' is an array of tables: a further one of them is opened by [[...]]", "it begins here")
                        : defined_twice(p, k, m->key_at, "'%.*s' has a value already, it is no table", "the value is set here");
        if (v->inline_table)
                return not_open(p, k, m);
        if (t->state == TABLE_DOTTED)
                return defined_twice(p, k, v->at, "the table '%.*s' is made by dotted keys, a header cannot open it again", "it is made here");
        return defined_twice(p, k, v->at, "the table '%.*s' is defined twice", "it is defined here first");
}

static int open_array_item(Parser *p, Node *parent, const Key *k, AshSpan header, Node **ret) {
        AshTomlMember *m = toml_table_find(&parent->v, k->text);
        Node *a = m ? (Node *) m->value : NULL;
        if (m && (m->value->type != ASH_TOML_ARRAY || !m->value->indexed)) {
                *ret = NULL;
                if (m->value->type == ASH_TOML_ARRAY)
                        return not_open(p, k, m);
                return m->value->type == ASH_TOML_TABLE
                        ? defined_twice(p, k, m->value->at, "'%.*s' is a table, no array of tables", "it is made a table here")
                        : defined_twice(p, k, m->key_at, "'%.*s' has a value already, it is no array of tables", "the value is set here");
        }
        if (!m) {
                a = ash_arena_new_item(p->doc->arena, Node);
                a->v.type = ASH_TOML_ARRAY;
                a->v.indexed = true;
                a->v.at = header;
                toml_table_add(p->doc, parent, k->text, toml_span(p, k->at, k->end), &a->v);
        }
        note_through(p, &a->v, k);
        *ret = new_table(p, TABLE_HEADER, header);
        toml_array_add(p->doc, a, &(*ret)->v);
        return count_value(p, k->at);
}

static int parse_header(Parser *p) {
        const char *open = p->p++;
        bool item = p->p < p->end && *p->p == '[';
        p->p += item;
        int r = parse_key(p, 0);
        if (r < 0)
                return r;
        if (p->p >= p->end || *p->p != ']' || (item && (p->p + 1 >= p->end || p->p[1] != ']'))) {
                const char *at = p->p + (item && p->p < p->end && *p->p == ']');
                return TOML_FAIL(p, at, ASH_MIN(at + 1, p->end), "expected '%s' at the end of the header, found %s", item ? "]]" : "]", toml_found(p, at).text);
        }
        p->p += item ? 2 : 1;
        AshSpan header = toml_span(p, open, p->p);
        Node *parent, *t = NULL;
        r = header_parent(p, &parent);
        if (r < 0)
                return r;
        if (parent) {
                const Key *last = ash_array_last(&p->keys);
                r = item ? open_array_item(p, parent, last, header, &t) : open_table(p, parent, last, header, &t);
                if (r < 0)
                        return r;
        }
        /* What follows a refused header is still read, into a table that nobody sees. */
        p->current = t ? t : new_table(p, TABLE_HEADER, header);
        p->current_depth = (unsigned) p->keys.n;
        statement_end(p, statement_begin(p, item ? STATEMENT_ITEM : STATEMENT_TABLE, open, ash_array_last(&p->keys)->end), NULL, &p->current->v);
        return end_of_line(p, "header");
}

/* ---- the file ---- */

static int check_encoding(Parser *p) {
        size_t bad, n = p->source->text.len;
        const uint8_t *t = (const uint8_t *) p->start;
        if (ash_utf8_valid(p->source->text, &bad))
                return 0;
        const char *at = p->start + bad;
        uint8_t c = t[bad], next = bad + 1 < n ? t[bad + 1] : 0;
        const char *what = "is no UTF-8";
        if (c == 0xc0 || c == 0xc1 || (c == 0xe0 && next >= 0x80 && next < 0xa0) || (c == 0xf0 && next >= 0x80 && next < 0x90))
                what = "is an overlong UTF-8 sequence";
        else if (c == 0xed && next >= 0xa0 && next < 0xc0)
                what = "is a surrogate, which UTF-8 does not encode";
        else if (c >= 0xc2 && c <= 0xf4 && n - bad < 4)
                what = "begins a UTF-8 sequence that is cut off";
        int r = TOML_FAIL(p, at, at + 1, "the byte 0x%02X %s", c, what);
        if (n >= 2 && ((t[0] == 0xff && t[1] == 0xfe) || (t[0] == 0xfe && t[1] == 0xff)))
                ash_hint(p->diags, "the file looks like UTF-16: save it as UTF-8");
        return r;
}

static int parse_line(Parser *p) {
        skip_space(p);
        char c = p->p < p->end ? *p->p : '\n';
        if (c == '[')
                return parse_header(p);
        if (c == '#' || c == '\n' || c == '\r')
                return end_of_line(p, "line");
        int r = parse_pair(p, p->current, p->current_depth);
        return r < 0 ? r : end_of_line(p, "value");
}

static int parse_file(Parser *p) {
        int r = check_encoding(p);
        if (r < 0)
                return r;
        if (p->end - p->start >= 3 && memcmp(p->start, "\xef\xbb\xbf", 3) == 0)
                p->p += 3;
        p->doc->root = p->current = new_table(p, TABLE_HEADER, (AshSpan){ p->source, 0, 0 });
        while (p->p < p->end) {
                r = parse_line(p);
                if (r < 0)
                        return r;
        }
        return p->errors ? -ASH_ERR_SYNTAX : 0;
}

int toml_parse(AshSource *source, AshTomlVersion version, Statements *statements, AshTomlDoc **ret, AshDiags *diags) {
        _cleanup_(ash_toml_free_p) AshTomlDoc *doc = toml_doc_new();
        const char *text = source->text.ptr ? source->text.ptr : "";
        Parser p = { .start = text, .p = text, .end = text + source->text.len, .source = source, .version = version, .doc = doc, .diags = diags,
                     .statements = statements };
        if (source->text.len >= UINT32_MAX)
                return ash_fail_file(diags, -ASH_ERR_LIMIT, source->name, "the file is larger than 4 GiB");
        int r = parse_file(&p);
        ash_array_done(&p.keys);
        ash_array_done(&p.items);
        ash_array_done(&p.through);
        if (p.c_locale)
                freelocale(p.c_locale);
        if (r < 0)
                return r;
        *ret = ASH_TAKE(doc);
        return 0;
}

int ash_toml_parse(AshSource *source, AshTomlVersion version, AshTomlDoc **ret, AshDiags *diags) { return toml_parse(source, version, NULL, ret, diags); }
