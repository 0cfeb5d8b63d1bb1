/* Static expansion of rpm macros: definitions and conditionals only. What would run something, and what is not defined, stays as it stands. */
#include "autospec-private.h"

#define MAX_DEPTH 32
#define MAX_OUT ((size_t) 1 << 20) /* an expansion that grows past this is left as it is: macros can double at each level */

AshStaticMacros *ash_static_macros_new(void) {
        AshStaticMacros *m = ash_calloc(1, sizeof(*m));
        m->arena = ash_arena_new();
        return m;
}

void ash_static_macros_free(AshStaticMacros *m) {
        if (!m)
                return;
        ash_map_done(&m->map);
        ash_arena_free(m->arena);
        free(m);
}

void ash_static_macros_put(AshStaticMacros *m, AshSlice name, AshSlice body, bool parametric) {
        AshStaticMacro *macro = ash_arena_new_item(m->arena, AshStaticMacro);
        *macro = (AshStaticMacro) { ash_arena_slice(m->arena, body), parametric };
        ash_map_put(&m->map, ash_arena_slice(m->arena, name), macro, NULL);
}

void ash_static_macros_define(AshStaticMacros *m, AshSlice name, AshSlice body) {
        ash_static_macros_put(m, name, body, false);
}

void ash_static_macros_undefine(AshStaticMacros *m, AshSlice name) {
        ash_map_put(&m->map, ash_arena_slice(m->arena, name), NULL, NULL);
}

const AshStaticMacro *ash_static_macros_find(const AshStaticMacros *m, AshSlice name) {
        for (; m; m = m->base) {
                AshMapEntry *e = ash_map_find(&m->map, name);
                if (e)
                        return e->value;
        }
        return NULL;
}

static bool is_name_start(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

size_t ash_macro_name_len(AshSlice s) {
        size_t n = 0;
        if (s.len > 0 && is_name_start(s.ptr[0]))
                for (n = 1; n < s.len && (is_name_start(s.ptr[n]) || (s.ptr[n] >= '0' && s.ptr[n] <= '9')); n++)
                        ;
        return n;
}

AshSlice ash_macro_inside(AshSlice s, char open, char close) {
        size_t depth = 0;
        for (size_t i = 0; i < s.len; i++) {
                if (s.ptr[i] == '\\' && i + 1 < s.len)
                        i++;
                else if (s.ptr[i] == open)
                        depth++;
                else if (s.ptr[i] == close && --depth == 0)
                        return ash_slice_sub(s, 1, i - 1);
        }
        return ASH_NOSLICE;
}

/* Work is counted over a whole spec (bytes looked at): macros can double at each level without making a byte of output, and brackets can be left open. */
typedef struct Expander {
        const AshStaticMacros *macros;
        uint64_t *budget;
} Expander;

static bool spend(Expander *x, uint64_t n) {
        *x->budget -= ASH_MIN(n, *x->budget);
        return *x->budget > 0;
}

static int expand(Expander *x, AshSlice text, unsigned depth, AshStr *out);

static int keep(AshSlice text, AshStr *out) {
        ash_str_append(out, text);
        return 1;
}

/* %{with x} and %{without x}: kept as the macros with_x, set by %bcond. */
static int expand_with(Expander *x, AshSlice name, AshSlice arg, AshStr *out) {
        _free_ char *flag = ash_asprintf("with_%.*s", ASH_F(ash_slice_trim(arg)));
        bool set = ash_static_macros_find(x->macros, ash_slice_str(flag)) != NULL;
        ash_str_append_char(out, set == ash_slice_eqs(name, "with") ? '1' : '0');
        return 0;
}

static int expand_name(Expander *x, AshSlice name, AshSlice whole, unsigned depth, AshStr *out) {
        const AshStaticMacro *macro = ash_static_macros_find(x->macros, name);
        if (ash_slice_eqs(name, "nil"))
                return 0;
        if (!macro || macro->parametric || depth >= MAX_DEPTH || out->len > MAX_OUT || !spend(x, macro->body.len + 16))
                return keep(whole, out);
        return expand(x, macro->body, depth + 1, out);
}

/* %{...}: "inside" without the braces, "whole" with all. */
static int expand_braced(Expander *x, AshSlice inside, AshSlice whole, unsigned depth, AshStr *out) {
        bool conditional = false, negated = false;
        AshSlice s = inside;
        for (; s.len > 0 && (s.ptr[0] == '?' || s.ptr[0] == '!'); s = ash_slice_from(s, 1)) {
                conditional |= s.ptr[0] == '?';
                negated ^= s.ptr[0] == '!';
        }
        size_t n = ash_macro_name_len(s);
        AshSlice name = ash_slice_sub(s, 0, n), rest = ash_slice_from(s, n);
        if (n == 0)
                return keep(whole, out);
        if (!conditional) {
                if (rest.len > 0 && rest.ptr[0] == ' ' && (ash_slice_eqs(name, "with") || ash_slice_eqs(name, "without")))
                        return expand_with(x, name, rest, out);
                return rest.len == 0 && !negated ? expand_name(x, name, whole, depth, out) : keep(whole, out);
        }
        bool defined = ash_static_macros_find(x->macros, name) != NULL;
        if (rest.len == 0)
                return defined && !negated ? expand_name(x, name, whole, depth, out) : 0;
        if (rest.ptr[0] != ':')
                return defined ? keep(whole, out) : 0;
        if (defined == negated)
                return 0;
        return depth >= MAX_DEPTH ? keep(whole, out) : expand(x, ash_slice_from(rest, 1), depth + 1, out);
}

/* One macro that starts at s.ptr[0] == '%'; returns how many bytes of s it took in *ret_used. */
static int expand_one(Expander *x, AshSlice s, unsigned depth, size_t *ret_used, AshStr *out) {
        static const char pairs[][2] = { { '{', '}' }, { '(', ')' }, { '[', ']' } };
        char next = s.len > 1 ? s.ptr[1] : 0;
        if (next == '%') {
                *ret_used = 2;
                ash_str_append_char(out, '%');
                return 0;
        }
        for (size_t i = 0; i < ASH_N(pairs); i++)
                if (next == pairs[i][0]) {
                        if (*x->budget == 0)
                                break;
                        AshSlice inside = ash_macro_inside(ash_slice_from(s, 1), pairs[i][0], pairs[i][1]);
                        (void) spend(x, inside.ptr ? inside.len : s.len);
                        if (!inside.ptr)
                                break;
                        *ret_used = inside.len + 3;
                        AshSlice whole = ash_slice_sub(s, 0, *ret_used);
                        return i == 0 ? expand_braced(x, inside, whole, depth, out) : keep(whole, out);
                }
        size_t flags = 1;
        while (flags < s.len && (s.ptr[flags] == '?' || s.ptr[flags] == '!'))
                flags++;
        size_t n = ash_macro_name_len(ash_slice_from(s, flags));
        *ret_used = n ? flags + n : 1;
        AshSlice whole = ash_slice_sub(s, 0, *ret_used);
        return n ? expand_braced(x, ash_slice_sub(s, 1, flags - 1 + n), whole, depth, out) : keep(whole, out);
}

static int expand(Expander *x, AshSlice text, unsigned depth, AshStr *out) {
        int left = 0;
        while (text.len > 0) {
                ptrdiff_t at = ash_slice_find_char(text, '%');
                if (at < 0) {
                        ash_str_append(out, text);
                        break;
                }
                ash_str_append(out, ash_slice_sub(text, 0, (size_t) at));
                text = ash_slice_from(text, (size_t) at);
                size_t used = 1;
                left |= expand_one(x, text, depth, &used, out);
                text = ash_slice_from(text, used);
                if (out->len > MAX_OUT)
                        return keep(text, out);
        }
        return left;
}

int ash_static_macros_expand_within(const AshStaticMacros *m, AshSlice text, uint64_t *budget, AshStr *out) {
        return expand(&(Expander) { m, budget }, text, 0, out);
}

int ash_static_macros_expand(const AshStaticMacros *m, AshSlice text, AshStr *out) {
        uint64_t budget = ASH_MACRO_BUDGET;
        return ash_static_macros_expand_within(m, text, &budget, out);
}

/* ---- %if ---- */
/* expr: or; or: and {"||" and}; and: cmp {"&&" cmp}; cmp: sum [op sum]; sum: mul {+|- mul}; mul: atom {*|/ atom}; atom: number, "string", word, !atom, -atom, (expr) */
typedef struct Value {
        bool bad, text;
        int64_t n;
        AshSlice s;
} Value;
typedef struct Parser {
        AshSlice rest;
        unsigned depth;
} Parser;
static const Value bad_value = { .bad = true };

static bool take(Parser *p, const char *op) {
        p->rest = ash_slice_trim_left(p->rest);
        if (!ash_slice_starts(p->rest, ash_slice_str(op)))
                return false;
        p->rest = ash_slice_from(p->rest, strlen(op));
        return true;
}

static bool truth(Value v) {
        return v.text ? v.s.len > 0 : v.n != 0;
}

static Value parse_or(Parser *p);

static Value parse_atom(Parser *p) {
        if (++p->depth > 100)
                return bad_value;
        if (take(p, "!")) {
                Value v = parse_atom(p);
                return v.bad ? v : (Value) { .n = !truth(v) };
        }
        if (take(p, "(")) {
                Value v = parse_or(p);
                return take(p, ")") ? v : bad_value;
        }
        if (take(p, "-")) {
                Value v = parse_atom(p);
                return v.bad || v.text ? bad_value : (Value) { .n = -v.n };
        }
        AshSlice s = p->rest;
        if (s.len > 0 && s.ptr[0] == '"') {
                ptrdiff_t end = ash_slice_find_char(ash_slice_from(s, 1), '"');
                if (end < 0)
                        return bad_value;
                p->rest = ash_slice_from(s, (size_t) end + 2);
                return (Value) { .text = true, .s = ash_slice_sub(s, 1, (size_t) end) };
        }
        size_t n = 0;
        while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9')
                n++;
        uint64_t number;
        if (n == 0 || n > 18 || ash_slice_to_u64(ash_slice_sub(s, 0, n), 10, &number) < 0)
                return bad_value;
        p->rest = ash_slice_from(s, n);
        return (Value) { .n = (int64_t) number };
}

static Value arithmetic(Value a, char op, Value b) {
        int64_t n = 0;
        bool bad = a.bad || b.bad || a.text || b.text;
        if (op == '+')
                bad = bad || __builtin_add_overflow(a.n, b.n, &n);
        else if (op == '-')
                bad = bad || __builtin_sub_overflow(a.n, b.n, &n);
        else if (op == '*')
                bad = bad || __builtin_mul_overflow(a.n, b.n, &n);
        else if (b.n == 0 || (a.n == INT64_MIN && b.n == -1))
                bad = true;
        else
                n = a.n / b.n;
        return bad ? bad_value : (Value) { .n = n };
}

static Value parse_mul(Parser *p) {
        Value v = parse_atom(p);
        for (;;) {
                char op = take(p, "*") ? '*' : take(p, "/") ? '/' : 0;
                if (!op || v.bad)
                        return v;
                v = arithmetic(v, op, parse_atom(p));
        }
}

static Value parse_sum(Parser *p) {
        Value v = parse_mul(p);
        for (;;) {
                char op = take(p, "+") ? '+' : take(p, "-") ? '-' : 0;
                if (!op || v.bad)
                        return v;
                v = arithmetic(v, op, parse_mul(p));
        }
}

static Value parse_compare(Parser *p) {
        static const char *const ops[] = { "==", "!=", "<=", ">=", "<", ">" };
        Value a = parse_sum(p);
        for (size_t i = 0; !a.bad && i < ASH_N(ops); i++) {
                if (!take(p, ops[i]))
                        continue;
                Value b = parse_sum(p);
                if (b.bad || a.text != b.text)
                        return bad_value;
                int c = a.text ? ash_slice_cmp(a.s, b.s) : (a.n > b.n) - (a.n < b.n);
                const bool results[] = { c == 0, c != 0, c <= 0, c >= 0, c < 0, c > 0 };
                return (Value) { .n = results[i] };
        }
        return a;
}

static Value parse_and(Parser *p) {
        Value v = parse_compare(p);
        while (!v.bad && take(p, "&&")) {
                Value b = parse_compare(p);
                v = b.bad ? b : (Value) { .n = truth(v) && truth(b) };
        }
        return v;
}

static Value parse_or(Parser *p) {
        Value v = parse_and(p);
        while (!v.bad && take(p, "||")) {
                Value b = parse_and(p);
                v = b.bad ? b : (Value) { .n = truth(v) || truth(b) };
        }
        return v;
}

int ash_static_condition(AshSlice text) {
        Parser p = { .rest = ash_slice_trim(text) };
        Value v = parse_or(&p);
        if (v.bad || ash_slice_trim(p.rest).len > 0)
                return -1;
        return truth(v);
}
