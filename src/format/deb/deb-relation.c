/* Relation fields: Debian Policy 7.1, deb-control(5). */
#include "deb.h"

static const char *const ops[ASH_DEB_OP_MAX_] = { "", "<<", "<=", "=", ">=", ">>" };

const char *ash_deb_op_name(AshDebOp op) { return op >= 0 && op < ASH_DEB_OP_MAX_ ? ops[op] : NULL; }

static bool space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
static void skip_space(AshSlice *s) {
        while (s->len > 0 && space(s->ptr[0]))
                *s = ash_slice_from(*s, 1);
}
static bool take(AshSlice *s, char c) {
        if (s->len == 0 || s->ptr[0] != c)
                return false;
        *s = ash_slice_from(*s, 1);
        return true;
}

static AshSlice take_until(AshSlice *s, const char *stops) {
        size_t n = 0;
        while (n < s->len && !space(s->ptr[n]) && !strchr(stops, s->ptr[n]) && s->ptr[n] != '\0')
                n++;
        AshSlice word = ash_slice_sub(*s, 0, n);
        *s = ash_slice_from(*s, n);
        return word;
}

static AshDebOp take_op(AshSlice *s) {
        static const struct {
                const char *text;
                AshDebOp op;
        } table[] = { { "<<", ASH_DEB_LT }, { "<=", ASH_DEB_LE }, { ">>", ASH_DEB_GT }, { ">=", ASH_DEB_GE }, { "=", ASH_DEB_EQ },
                      /* obsolete spellings; they always meant the inclusive comparison */
                      { "<", ASH_DEB_LE }, { ">", ASH_DEB_GE } };
        for (size_t i = 0; i < ASH_N(table); i++)
                if (ash_slice_starts(*s, ash_slice_str(table[i].text))) {
                        *s = ash_slice_from(*s, strlen(table[i].text));
                        return table[i].op;
                }
        return ASH_DEB_ANY;
}

static int take_version(AshSlice *s, AshDebAtom *a) {
        skip_space(s);
        a->op = take_op(s);
        skip_space(s);
        a->version = take_until(s, ")");
        skip_space(s);
        return a->op != ASH_DEB_ANY && a->version.len > 0 && take(s, ')') ? 0 : -ASH_ERR_SYNTAX;
}

static int skip_restrictions(AshSlice *s) {
        for (;;) {
                skip_space(s);
                char close = s->len == 0 ? 0 : s->ptr[0] == '[' ? ']' : s->ptr[0] == '<' ? '>' : 0;
                if (close == 0)
                        return 0;
                ptrdiff_t end = ash_slice_find_char(*s, close);
                if (end < 0)
                        return -ASH_ERR_SYNTAX;
                *s = ash_slice_from(*s, (size_t) end + 1);
        }
}

static bool name_valid(AshSlice s) {
        for (size_t i = 0; i < s.len; i++) {
                char c = s.ptr[i];
                if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.' || c == '_'))
                        return false;
        }
        return s.len > 0;
}

int ash_deb_relation_next(AshSlice *rest, AshDebAtom *ret) {
        AshSlice s = *rest;
        AshDebAtom a = {};
        skip_space(&s);
        while (take(&s, ',')) /* empty members are allowed, trailing ones too */
                skip_space(&s);
        if (s.len == 0) {
                *rest = s;
                return 0;
        }
        a.alternative = take(&s, '|');
        skip_space(&s);
        a.name = take_until(&s, ":([<,|");
        if (take(&s, ':'))
                a.qualifier = take_until(&s, "([<,|");
        if (!name_valid(a.name))
                return -ASH_ERR_SYNTAX;
        skip_space(&s);
        if (take(&s, '(') && take_version(&s, &a) < 0)
                return -ASH_ERR_SYNTAX;
        if (skip_restrictions(&s) < 0 || (s.len > 0 && s.ptr[0] != ',' && s.ptr[0] != '|'))
                return -ASH_ERR_SYNTAX;
        take(&s, ',');
        *rest = s;
        *ret = a;
        return 1;
}
