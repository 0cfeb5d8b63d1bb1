#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "regex.h"

/* Pattern, subject and replacement; the result, as Go's regexp.ReplaceAllLiteral gives it (checked against Go 1.19). */
static const struct { const char *pattern, *subject, *replacement, *result; } replacements[] = {
        { "redhat-linux-build", "cd redhat-linux-build", "%{_vpath_builddir}", "cd %{_vpath_builddir}" },
        { "^%if\\s+0%\\{\\?fedora\\}\\s*$", "%if 0%{?fedora}  ", "%if 0", "%if 0" },
        { "a%{SOURCE1} .", "a%{SOURCE1} x", "y", "y" },            /* a brace that counts nothing is itself */
        { "a{,2}", "a{,2}", "_", "_" },
        { "$1", "$1", "_", "$1" },
        { "(a)(b)", "ab", "$2\\1", "$2\\1" },                      /* the replacement is literal */
        { "x*", "abc", "-", "-a-b-c-" },
        { "a*", "baac", "-", "-b-c-" },                            /* no empty match right behind a match */
        { "(?m)^", "a\nb\n", "> ", "> a\n> b\n> " },               /* behind the last newline too */
        { "^", "a\nb", "> ", "> a\nb" },
        { "$", "a\n", "!", "a\n!" },                               /* the end of the text, not of the line */
        { "(?m)$", "a\nb", "!", "a!\nb!" },
        { ".", "a\nb", "_", "_\n_" },
        { "(?s).", "a\nb", "_", "___" },
        { "(?U)a+", "aaa", "_", "___" },
        { "(?U)a+?", "aaa", "_", "_" },
        { "(?i)straße|k", "STRAßE \xe2\x84\xaa", "_", "_ _" },
        { "(?i:a)b", "AbAB", "_", "_AB" },
        { "\\d\\s\\w", "1 a \xd9\xa1 a", "_", "_ \xd9\xa1 a" },  /* ASCII only */
        { "\\s", "\v", "_", "\v" },
        { "\\S", "\v", "_", "_" },
        { "[[:space:]]", "\v", "_", "_" },
        { "[^[:alpha:]\\d-]", "a1-b.", "_", "a1-b_" },
        { "[]a]+", "a]b", "_", "_b" },
        { "\\pL+", "a\xce\xb1" "1", "_", "_1" },
        { "\\p{Greek}", "a\xce\xb1", "_", "a_" },
        { "\\P{Greek}", "a\xce\xb1", "_", "_\xce\xb1" },
        { "\\Qa.b\\E+", "a.bbb axb", "_", "_ axb" },
        { "\\x41\\x{3b1}\\101", "A\xce\xb1" "A", "_", "_" },
        { "a|ab", "ab", "_", "_b" },                               /* leftmost-first, not longest */
        { "\\bx\\b", "x xx x", "_", "_ xx _" },
        { "\\Aa\\z", "a", "_", "_" },
        { "(?P<name>a)(?<other>b)", "ab", "_", "_" },
        { "a{2,3}?", "aaaa", "_", "__" },
        { ".", "a\xff\xe2\x82z", ".", "....." },                   /* bytes that are no UTF-8: one character each */
        { "\xef\xbf\xbd", "a\xff", "_", "a_" },
        { "[^a]", "a\xff\xc3\xa9", "_", "a__" },
        { "b", "\xff" "b\xff", "_", "\xff_\xff" },
        { "", "ab", "-", "-a-b-" },
};

static void test_replace(void **state) {
        (void) state;
        for (size_t i = 0; i < ASH_N(replacements); i++) {
                _cleanup_(ash_regex_free_p) AshRegex *regex = NULL;
                _str_ AshStr out = {};
                assert_int_equal(ash_regex_new(ash_slice_str(replacements[i].pattern), ASH_REGEX_RE2, 0, ASH_NOWHERE, &regex, NULL), 0);
                assert_true(ash_regex_replace(regex, ash_slice_str(replacements[i].subject), ash_slice_str(replacements[i].replacement), &out, NULL) >= 0);
                if (strcmp(out.ptr ?: "", replacements[i].result) != 0)
                        fail_msg("%s on '%s' gives '%s', wanted '%s'", replacements[i].pattern, replacements[i].subject, out.ptr ?: "", replacements[i].result);
        }
}

/* What RE2 refuses, and at which character. */
static const struct { const char *pattern; unsigned character; } refused[] = {
        { "a(?=b)", 2 }, { "(?!b)", 1 }, { "x(?<=b)", 2 }, { "(?<!b)", 1 }, { "(?>a)", 1 }, { "(?#x)", 1 }, { "(?|a)", 1 }, { "(?R)", 1 }, { "(?P=n)", 1 }, { "(?1)", 1 },
        { "(a)\\1", 4 }, { "a\\8", 2 }, { "\\Z", 1 }, { "\\G", 1 }, { "\\K", 1 }, { "\\R", 1 }, { "\\h", 1 }, { "\\C", 1 }, { "\\y", 1 }, { "a\\", 2 },
        { "a++", 3 }, { "a*+", 3 }, { "a**", 3 }, { "a{2}{3}", 5 }, { "a??+", 4 }, { "*a", 1 }, { "(*a)", 1 }, { "a|+", 3 }, { "(?i)*", 5 },
        { "a{1001}", 2 }, { "a{3,2}", 2 }, { "(a{500}){3}", 9 }, { "(", 1 }, { "a)", 2 }, { "[a", 1 }, { "[z-a]", 2 }, { "[[:foo:]]", 2 }, { "\\p{", 1 }, { "\\p{nonsense}", 1 },
        { "\\x{110000}", 1 }, { "\\xg", 1 }, { "(?z)", 1 }, { "(?P<a-b>c)", 1 }, { "\xc3\xa9(?=b)", 2 }, { "(*UTF)a", 1 },
};

static void test_refused(void **state) {
        (void) state;
        for (size_t i = 0; i < ASH_N(refused); i++) {
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                _free_ char *where = ash_asprintf("character %u:", refused[i].character);
                if (ash_regex_check(ash_slice_str(refused[i].pattern), ASH_REGEX_RE2, ASH_NOWHERE, diags) != -EINVAL)
                        fail_msg("%s was accepted", refused[i].pattern);
                if (!strstr(ash_diags_at(diags, 0)->text, where))
                        fail_msg("%s: %s, wanted %s", refused[i].pattern, ash_diags_at(diags, 0)->text, where);
        }
}

static void test_place_in_file(void **state) {
        (void) state;
        static const char toml[] = "regex = 'ab(?=c)'\n";
        AshSource *source = ash_source_new("x.toml", ash_slice_str(toml));
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        assert_int_equal(ash_regex_check(ASH_S("ab(?=c)"), ASH_REGEX_RE2, (AshSpan){ source, 8, 9 }, diags), -EINVAL);
        assert_int_equal(ash_diags_at(diags, 0)->place.column, 12);
        ash_source_free(source);
}

static void expect_limit(AshRegexSyntax syntax, const char *pattern, AshSlice subject) {
        _cleanup_(ash_regex_free_p) AshRegex *regex = NULL;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        _str_ AshStr out = {};
        assert_int_equal(ash_regex_new(ash_slice_str(pattern), syntax, 0, ASH_NOWHERE, &regex, diags), 0);
        assert_int_equal(ash_regex_replace(regex, subject, ASH_S(""), &out, diags), -ASH_ERR_LIMIT);
        assert_non_null(strstr(ash_diags_at(diags, 0)->text, "the search was given up"));
}

static void test_limits(void **state) {
        (void) state;
        expect_limit(ASH_REGEX_RE2, "(a*)*b$", ASH_S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabc"));
        expect_limit(ASH_REGEX_RE2, "(x+x+)+y", ASH_S("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx, and a y"));
        expect_limit(ASH_REGEX_PERL, "(?=(a+a+)+b)", ASH_S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, and a b"));
}

static void test_perl(void **state) {
        (void) state;
        _cleanup_(ash_regex_free_p) AshRegex *regex = NULL;
        _str_ AshStr out = {};
        assert_int_equal(ash_regex_new(ASH_S("^(a)\\1(?=c)"), ASH_REGEX_PERL, ASH_REGEX_MULTILINE, ASH_NOWHERE, &regex, NULL), 0);
        assert_int_equal(ash_regex_replace(regex, ASH_S("aac\naac\naab"), ASH_S("_"), &out, NULL), 2);
        assert_string_equal(out.ptr, "_c\n_c\naab");
        assert_int_equal(ash_regex_check(ASH_S("(*LIMIT_MATCH=1)a"), ASH_REGEX_PERL, ASH_NOWHERE, NULL), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_replace),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_place_in_file),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_perl),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
