/* Rich dependencies (rpm.org, "Boolean Dependencies"), name by name: "(python3dist(a) >= 1 with python3dist(a) < 2)". */
#include "flow-asked-rich.h"

enum { DEPTH = 64 };

typedef struct Rewrite {
        AshRichAtom atom;
        void *data;
        AshStr *out;
} Rewrite;

static bool is_one_of(AshSlice word, const char *const *words) {
        for (; *words; words++)
                if (ash_slice_eqs(word, *words))
                        return true;
        return false;
}

static bool is_operator(AshSlice word) { return is_one_of(word, (const char *const[]){ "and", "or", "if", "else", "unless", "with", "without", NULL }); }
static bool is_comparison(AshSlice word) { return is_one_of(word, (const char *const[]){ "<", "<=", "=", ">=", ">", "==", NULL }); }

/* "(", ")", or a word, which may have parentheses of its own. */
static bool next_token(AshSlice *rest, AshSlice *ret) {
        size_t i = 0, start, open = 0;
        while (i < rest->len && (rest->ptr[i] == ' ' || rest->ptr[i] == '\t'))
                i++;
        if (i == rest->len)
                return false;
        start = i;
        if (rest->ptr[i] == '(' || rest->ptr[i] == ')')
                i++;
        else
                for (; i < rest->len && rest->ptr[i] != ' ' && rest->ptr[i] != '\t' && (rest->ptr[i] != ')' || open); i++)
                        open += (rest->ptr[i] == '(') - (rest->ptr[i] == ')');
        *ret = ash_slice_sub(*rest, start, i - start);
        *rest = ash_slice_from(*rest, i);
        return true;
}

/* All of a group is wanted, and not one of several or only under a condition. */
static bool wants_all(AshSlice group) {
        AshSlice token;
        size_t depth = 0;
        while (next_token(&group, &token)) {
                if (ash_slice_eqs(token, ")") && !depth--)
                        break;
                depth += ash_slice_eqs(token, "(");
                if (!depth && is_operator(token) && !ash_slice_eqs(token, "and") && !ash_slice_eqs(token, "with"))
                        return false;
        }
        return true;
}

/* A name, with its version when there is one. */
static int one_atom(Rewrite *w, AshSlice name, AshSlice *rest, bool sure) {
        AshSlice after = *rest, comparison, version;
        if (next_token(&after, &comparison) && is_comparison(comparison) && next_token(&after, &version)) {
                name.len = (size_t) (version.ptr + version.len - name.ptr);
                *rest = after;
        }
        return w->atom(w->data, name, sure, w->out);
}

static int group(Rewrite *w, AshSlice *rest, bool sure, unsigned depth) {
        AshSlice token;
        if (depth > DEPTH)
                return -EINVAL;
        sure = sure && wants_all(*rest);
        ash_str_append_char(w->out, '(');
        while (next_token(rest, &token)) {
                int r = 0;
                if (ash_slice_eqs(token, ")")) {
                        ash_str_append_char(w->out, ')');
                        return 0;
                }
                if (ash_slice_eqs(token, "("))
                        r = group(w, rest, sure, depth + 1);
                else if (is_operator(token))
                        ash_str_appendf(w->out, " %.*s ", ASH_F(token));
                else
                        r = one_atom(w, token, rest, sure);
                if (r < 0)
                        return r;
        }
        return -EINVAL;
}

int ash_rich_rewrite(AshSlice text, AshRichAtom atom, void *data, AshStr *out) {
        Rewrite w = { atom, data, out };
        AshSlice rest = text, token;
        if (!next_token(&rest, &token) || !ash_slice_eqs(token, "("))
                return -EINVAL;
        int r = group(&w, &rest, true, 0);
        return r < 0 ? r : next_token(&rest, &token) ? -EINVAL : 0;
}
