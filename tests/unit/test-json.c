#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <cmocka.h>
#include "json.h"

static void write_sample(AshJson *j) {
        ash_json_begin(j, NULL, '{');
        ash_json_str(j, "name", "bash");
        ash_json_begin(j, "list", '[');
        ash_json_int(j, NULL, INT64_MIN);
        ash_json_uint(j, NULL, UINT64_MAX);
        ash_json_begin(j, NULL, '{');
        ash_json_end(j, '}');
        ash_json_begin(j, NULL, '[');
        ash_json_end(j, ']');
        ash_json_end(j, ']');
        ash_json_key(j, ASH_S("y\0es"));
        ash_json_bool(j, NULL, true);
        ash_json_null(j, "none");
        ash_json_double(j, "tenth", 0.1);
        ash_json_end(j, '}');
}

static void test_layout(void **state) {
        (void) state;
        _str_ AshStr out = {};
        AshJson j = { .out = &out, .compact = true };
        write_sample(&j);
        assert_string_equal(out.ptr, "{\"name\": \"bash\", \"list\": [-9223372036854775808, 18446744073709551615, {}, []], \"y\\u0000es\": true, \"none\": null, \"tenth\": 0.1}");
        ash_str_clear(&out);
        j = (AshJson){ .out = &out };
        write_sample(&j);
        assert_string_equal(out.ptr, "{\n  \"name\": \"bash\",\n  \"list\": [\n    -9223372036854775808,\n    18446744073709551615,\n    {},\n    []\n  ],\n"
                                     "  \"y\\u0000es\": true,\n  \"none\": null,\n  \"tenth\": 0.1\n}");
}

static void assert_written(AshSlice s, const char *expected) {
        _str_ AshStr out = {};
        AshJson j = { .out = &out, .compact = true };
        ash_json_text(&j, NULL, s);
        assert_string_equal(out.ptr, expected);
}

static void test_strings(void **state) {
        (void) state;
        assert_written(ASH_S(""), "\"\"");
        assert_written(ASH_S("a\"b\\c/d\x7f"), "\"a\\\"b\\\\c/d\\u007f\"");
        assert_written(ASH_S("\b\f\n\r\t\x01\x1f\0x"), "\"\\b\\f\\n\\r\\t\\u0001\\u001f\\u0000x\"");
        assert_written(ASH_S("\xc3\xbc\xf0\x9f\x98\x80"), "\"\xc3\xbc\xf0\x9f\x98\x80\"");
        /* The examples of the Unicode Standard, tables 3-8 to 3-11. */
#define FFFD "\xef\xbf\xbd"
        assert_written(ASH_S("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41"), "\"" FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A\"");
        assert_written(ASH_S("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41"), "\"" FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A\"");
        assert_written(ASH_S("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42"), "\"" FFFD FFFD FFFD FFFD FFFD "A" FFFD FFFD "B\"");
        assert_written(ASH_S("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41"), "\"" FFFD FFFD FFFD FFFD "A\"");
}

static void test_doubles(void **state) {
        (void) state;
        static const struct { double d; const char *text; } cases[] = {
                { 0, "0" }, { -0.0, "-0" }, { 0.1, "0.1" }, { 1e300, "1e+300" }, { 5e-324, "4.94065645841247e-324" }, { 1.0 / 3, "0.3333333333333333" },
                { 1.7976931348623157e308, "1.797693134862316e+308" }, { 9007199254740993.0, "9007199254740992" }, { INFINITY, "inf" }, { -INFINITY, "-inf" },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                char text[32];
                ash_json_format_double(cases[i].d, text);
                if (isfinite(cases[i].d))
                        assert_true(strtod(text, NULL) == cases[i].d);
                if (i != 4 && i != 6)
                        assert_string_equal(text, cases[i].text);
        }
}

static AshJsonValue *read_text(AshArena *arena, const char *text, AshDiags *diags) {
        _cleanup_(ash_source_free_p) AshSource *s = ash_source_new("t.json", ash_slice_str(text));
        AshJsonValue *v = NULL;
        return ash_json_parse(s, arena, &v, diags) < 0 ? NULL : v;
}

static void test_read(void **state) {
        (void) state;
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshJsonValue *v = read_text(arena, "{\"z\": 1, \"a\": [true, null, 1.5, \"x\\u0000y\"]}", NULL);
        assert_non_null(v);
        assert_int_equal(v->object.n, 2);
        assert_true(ash_slice_eqs(v->object.members[0].key, "z"));
        const AshJsonValue *a = ash_json_get(v, "a");
        assert_int_equal(a->array.n, 4);
        assert_int_equal(a->array.items[3]->string.len, 3);
        int64_t n = 0;
        assert_true(ash_json_get_int(v, "z", &n));
        assert_int_equal(n, 1);
        assert_null(ash_json_get(v, "b"));
        assert_null(ash_json_get_string(v, "z").ptr);
}

static void test_read_bad(void **state) {
        (void) state;
        static const char *const cases[] = { "", "{", "{\"a\":1,\"a\":2}", "[1,]", "99999999999999999999", "\"\xff\"", "{} x" };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                assert_null(read_text(arena, cases[i], diags));
                assert_int_equal(ash_diags_n(diags), 1);
                assert_int_equal(ash_diags_at(diags, 0)->place.line, 1);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_layout),
                cmocka_unit_test(test_strings),
                cmocka_unit_test(test_doubles),
                cmocka_unit_test(test_read),
                cmocka_unit_test(test_read_bad),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
