/* Rich dependencies, each name in them written anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "flow-asked-rich.h"

/* "[a >= 1]" where it is wanted in any case, "{a}" elsewhere; "bad" is refused. */
static int marked(void *data _unused_, AshSlice atom, bool sure, AshStr *out) {
        ash_str_appendf(out, sure ? "[%.*s]" : "{%.*s}", ASH_F(atom));
        return ash_slice_eqs(atom, "bad") ? -ENOENT : 0;
}

static const struct {
        const char *text, *written; /* NULL: refused */
} cases[] = {
        { "(a or b)", "({a} or {b})" },
        { "(a and b)", "([a] and [b])" },
        { "( a  and\tb )", "([a] and [b])" },
        { "(python3dist(x) >= 1 with python3dist(x) < 2~~)", "([python3dist(x) >= 1] with [python3dist(x) < 2~~])" },
        { "(pkgconfig(x))", "([pkgconfig(x)])" },
        { "(perl(A::B) if bash)", "({perl(A::B)} if {bash})" },
        { "(a if b else c)", "({a} if {b} else {c})" },
        { "((a or b) and c >= 2)", "(({a} or {b}) and [c >= 2])" },
        { "((a and b) or c)", "(({a} and {b}) or {c})" },
        { "(libz.so.1()(64bit) or /usr/bin/x)", "({libz.so.1()(64bit)} or {/usr/bin/x})" },
        { "(a without b)", "({a} without {b})" },
        { "(a >= 1 and (b with (c with d)))", "([a >= 1] and ([b] with ([c] with [d])))" },
        { "a", NULL }, { "", NULL }, { "(a", NULL }, { "((a)", NULL }, { "(a))", NULL }, { "(a) b", NULL },
};

static void test_rewrite(void **state _unused_) {
        for (size_t i = 0; i < ASH_N(cases); i++) {
                _str_ AshStr out = {};
                int r = ash_rich_rewrite(ash_slice_str(cases[i].text), marked, NULL, &out);
                assert_int_equal(r, cases[i].written ? 0 : -EINVAL);
                if (cases[i].written)
                        assert_string_equal(out.ptr, cases[i].written);
        }
        _str_ AshStr out = {}, deep = {};
        assert_int_equal(ash_rich_rewrite(ASH_S("(a or bad or c)"), marked, NULL, &out), -ENOENT);
        for (int i = 0; i < 100000; i++)
                ash_str_append_char(&deep, '(');
        assert_int_equal(ash_rich_rewrite(ash_str_slice(&deep), marked, NULL, &out), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_rewrite) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
