/* The TOML parser: all of toml-test in both versions, places, hostile inputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "io.h"
#include "toml-json.h"

/* ---- toml-test ---- */

static int parse_text(AshSlice text, AshTomlVersion version, AshSource **source, AshTomlDoc **doc, AshDiags *diags) {
        *source = ash_source_new("test.toml", text);
        *doc = NULL;
        return ash_toml_parse(*source, version, doc, diags);
}

static void print_diags(const char *name, const AshDiags *diags) {
        _str_ AshStr out = {};
        for (size_t i = 0; i < ash_diags_n(diags); i++)
                ash_diag_format(ash_diags_at(diags, i), false, &out);
        print_message("%s:\n%s", name, out.ptr ? out.ptr : "");
}

/* toml-test compares floats as numbers and times as times; all else as text. */
static bool same_scalar(AshSlice type, AshSlice a, AshSlice b) {
        if (ash_slice_eq(a, b))
                return true;
        _free_ char *x = ash_slice_dup(a), *y = ash_slice_dup(b);
        if (ash_slice_eqs(type, "float"))
                return strtod(x, NULL) == strtod(y, NULL);
        if (!ash_slice_starts(type, ASH_S("date")) && !ash_slice_starts(type, ASH_S("time")))
                return false;
        /* 0.6 and 0.600 are one time */
        bool fraction = false;
        for (size_t i = 0, k = 0;; i++, k++) {
                if (fraction && x[i] != y[k]) {
                        i += strspn(x + i, "0");
                        k += strspn(y + k, "0");
                }
                if (x[i] != y[k])
                        return false;
                if (!x[i])
                        return true;
                fraction |= x[i] == '.';
        }
}

static const AshJsonValue *member(const AshJsonValue *object, AshSlice key) {
        for (size_t k = 0; k < object->object.n; k++)
                if (ash_slice_eq(object->object.members[k].key, key))
                        return object->object.members[k].value;
        return NULL;
}

static bool same_json(const AshJsonValue *a, const AshJsonValue *b) {
        if (a->type != b->type)
                return false;
        if (a->type == ASH_JSON_STRING)
                return ash_slice_eq(a->string, b->string);
        if (a->type == ASH_JSON_ARRAY) {
                for (size_t i = 0; i < a->array.n && i < b->array.n; i++)
                        if (!same_json(a->array.items[i], b->array.items[i]))
                                return false;
                return a->array.n == b->array.n;
        }
        if (a->type != ASH_JSON_OBJECT || a->object.n != b->object.n)
                return false;
        AshSlice type = ash_json_get_string(a, "type"), value = ash_json_get_string(a, "value");
        if (a->object.n == 2 && type.ptr && value.ptr)
                return ash_slice_eq(type, ash_json_get_string(b, "type")) && same_scalar(type, value, ash_json_get_string(b, "value"));
        for (size_t i = 0; i < a->object.n; i++) {
                const AshJsonValue *other = member(b, a->object.members[i].key);
                if (!other || !same_json(a->object.members[i].value, other))
                        return false;
        }
        return true;
}

/* jansson knows no NUL in a key: both sides get U+E000 for it. */
static AshJsonValue *read_json(AshSlice text, AshArena *arena) {
        _free_ char *copy = ash_slice_dup(text);
        for (size_t i = 0; i + 1 < text.len; i++)
                if (copy[i] == '\\') {
                        if (strncmp(copy + i + 1, "u0000", 5) == 0)
                                copy[i + 2] = 'e';
                        i++;
                }
        AshJsonValue *v = NULL;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("json", ash_slice(copy, text.len));
        if (ash_json_parse(source, arena, &v, diags) < 0)
                print_diags("json", diags);
        return v;
}

static bool decodes_to(const AshTomlDoc *doc, const char *path) {
        _free_ char *name = ash_asprintf("%.*sjson", (int) strlen(path) - 4, path); /* .toml -> .json */
        _bytes_ AshBytes expected_text = {};
        assert_int_equal(ash_file_read(AT_FDCWD, name, 0, &expected_text), 0);
        _str_ AshStr out = {};
        AshJson j = { .out = &out };
        ash_toml_tagged(ash_toml_root(doc), &j, NULL);
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshJsonValue *expected = read_json(ash_bytes_slice(&expected_text), arena), *found = read_json(ash_str_slice(&out), arena);
        if (expected && found && same_json(expected, found))
                return true;
        print_message("%s\n", out.ptr);
        return false;
}

static bool check_case(const char *dir, AshSlice name, AshTomlVersion version) {
        _free_ char *path = ash_asprintf("%s/%.*s", dir, ASH_F(name));
        _bytes_ AshBytes text = {};
        assert_int_equal(ash_file_read(AT_FDCWD, path, 0, &text), 0);
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        _cleanup_(ash_source_free_p) AshSource *source = NULL;
        _cleanup_(ash_toml_free_p) AshTomlDoc *doc = NULL;
        int r = parse_text(ash_bytes_slice(&text), version, &source, &doc, diags);
        bool valid = ash_slice_starts(name, ASH_S("valid/"));
        if (valid != (r == 0)) {
                print_diags(path, diags);
                return false;
        }
        if (valid)
                return ash_diags_n(diags) == 0 && decodes_to(doc, path);
        return r == -ASH_ERR_SYNTAX && ash_diags_n(diags) > 0 && ash_diags_at(diags, 0)->place.line >= 1 && ash_diags_at(diags, 0)->place.column >= 1;
}

static void run_list(const char *list, AshTomlVersion version) {
        const char *shared = getenv("ASHLAR_SHARED");
        if (!shared)
                skip();
        _free_ char *dir = ash_asprintf("%s/corpus/toml-test", shared);
        _free_ char *path = ash_asprintf("%s/%s", dir, list);
        _bytes_ AshBytes names = {};
        assert_int_equal(ash_file_read(AT_FDCWD, path, 0, &names), 0);
        AshSlice rest = ash_bytes_slice(&names), name;
        unsigned cases = 0, bad = 0;
        while (ash_slice_next_line(&rest, &name)) {
                if (!ash_slice_ends(name, ASH_S(".toml")))
                        continue;
                cases++;
                if (!check_case(dir, name, version)) {
                        print_message("toml-test: %.*s\n", ASH_F(name));
                        bad++;
                }
        }
        print_message("%s: %u cases, %u wrong\n", list, cases, bad);
        assert_true(cases > 600);
        assert_int_equal(bad, 0);
}

static void test_suite_1_0(void **state) {
        (void) state;
        run_list("files-toml-1.0.0", ASH_TOML_1_0);
}

static void test_suite_1_1(void **state) {
        (void) state;
        run_list("files-toml-1.1.0", ASH_TOML_1_1);
}

/* ---- places and values ---- */

static void test_places(void **state) {
        (void) state;
        static const char text[] = "# x\n[a.b]\nkey = \"\xc3\xbc\"\nlist = [ 1,\n  {z.y = 2} ]\n\n[[t]]\n[[t]]\nx=1\n";
        _cleanup_(ash_source_free_p) AshSource *source = NULL;
        _cleanup_(ash_toml_free_p) AshTomlDoc *doc = NULL;
        assert_int_equal(parse_text(ash_slice_str(text), ASH_TOML_1_1, &source, &doc, NULL), 0);
        const AshTomlValue *a = ash_toml_get(ash_toml_root(doc), "a"), *b = ash_toml_get(a, "b"), *t = ash_toml_get(ash_toml_root(doc), "t");
        assert_true(a->implicit && !b->implicit);
        assert_int_equal(ash_span_place(b->at).line, 2);
        assert_int_equal(b->at.len, 5);
        const AshTomlMember *key = ash_toml_member(b, ASH_S("key"));
        assert_int_equal(ash_span_place(key->key_at).line, 3);
        assert_int_equal(ash_span_place(key->value->at).column, 7);
        assert_int_equal(key->value->at.len, 4);
        const AshTomlValue *list = ash_toml_get(b, "list"), *z = ash_toml_get(list->array.items[1], "z");
        assert_int_equal(ash_span_place(list->at).line, 4);
        assert_int_equal(list->at.len, strlen("[ 1,\n  {z.y = 2} ]"));
        assert_true(list->array.items[1]->inline_table && z->implicit);
        assert_int_equal(ash_span_place(ash_toml_get(z, "y")->at).column, 10);
        assert_int_equal(t->array.n, 2);
        assert_int_equal(ash_span_place(t->array.items[1]->at).line, 8);
        assert_null(ash_toml_get(t, "x"));
        assert_null(ash_toml_get(NULL, "x"));
}

static const AshTomlValue *parse_number(const char *number, char text[256], AshSource **source, AshTomlDoc **doc) {
        snprintf(text, 256, "x = %s", number);
        int r = parse_text(ash_slice_str(text), ASH_TOML_1_1, source, doc, NULL);
        return r < 0 ? NULL : ash_toml_get(ash_toml_root(*doc), "x");
}

static void test_numbers(void **state) {
        (void) state;
        static const struct { const char *text; double value; } floats[] = {
                { "0.1", 0.1 }, { "1e22", 1e22 }, { "1e23", 1e23 }, { "9007199254740993.0", 9007199254740992.0 }, { "1.7976931348623157e308", 1.7976931348623157e308 },
                { "5e-324", 5e-324 }, { "123456789012345678901234567890.5", 123456789012345678901234567890.5 }, { "2.2250738585072011e-308", 2.2250738585072011e-308 },
                { "0.00000000000000000000000000000000001", 1e-35 }, { "1_0.2_5e+0_1", 102.5 }, { "1e-400", 0 }, { "0e999999999999", 0 },
        };
        static const struct { const char *text; int64_t value; } integers[] = {
                { "9223372036854775807", INT64_MAX }, { "-9223372036854775808", INT64_MIN }, { "+0", 0 }, { "0x7fffffffffffffff", INT64_MAX }, { "0o17", 15 }, { "0b1_0", 2 },
        };
        static const char *const bad[] = { "9223372036854775808", "-9223372036854775809", "0x8000000000000000", "99999999999999999999999", "1e309", "-1e999999999999999", "01", "1__0" };
        for (size_t i = 0; i < ASH_N(floats) + ASH_N(integers) + ASH_N(bad); i++) {
                size_t k = i - ASH_N(floats), b = k - ASH_N(integers);
                bool is_float = i < ASH_N(floats), is_integer = !is_float && k < ASH_N(integers);
                _cleanup_(ash_source_free_p) AshSource *source = NULL;
                _cleanup_(ash_toml_free_p) AshTomlDoc *doc = NULL;
                char text[256];
                const AshTomlValue *v = parse_number(is_float ? floats[i].text : is_integer ? integers[k].text : bad[b], text, &source, &doc);
                if (is_float)
                        assert_true(v && v->type == ASH_TOML_FLOAT && v->floating == floats[i].value);
                else if (is_integer)
                        assert_true(v && v->type == ASH_TOML_INTEGER && v->integer == integers[k].value);
                else
                        assert_null(v);
        }
}

/* Line, column and words of a mistake; where a note points. */
static void test_messages(void **state) {
        (void) state;
        static const struct { const char *text; uint32_t line, column; const char *words; uint32_t note_line; } cases[] = {
                { "a = 1\na = 2", 2, 1, "set twice", 1 },
                { "[t]\n[u]\n[t]", 3, 2, "defined twice", 1 },
                { "a = {b = 1}\n[a.c]", 2, 2, "closed", 1 },
                { "a.b = 1\n[a]", 2, 2, "dotted keys", 1 },
                { "a = [1,\n2\nb = 3", 3, 1, "expected ',' or ']'", 1 },
                { "a = \"x\nb = 1", 1, 7, "not closed", 1 },
                { "a = \"\\q\"", 1, 6, "unknown escape", 0 },
                { "a = \"\\ud800\"", 1, 6, "surrogate", 0 },
                { "a = \"\xed\xa0\x80\"", 1, 6, "surrogate", 0 },
                { "a = \"\xc0\x80\"", 1, 6, "overlong", 0 },
                { "a = yes", 1, 5, "found 'yes'", 0 },
                { "a: 1", 1, 2, "expected '='", 0 },
                { "a = ", 1, 5, "expected a value", 0 },
                { "a = 1 b = 2", 1, 7, "new line", 0 },
                { "a = 2021-02-29", 1, 5, "no such day", 0 },
                { "a\r= 1", 1, 2, "carriage return", 0 },
                { "\xc3\xbc = 1", 1, 1, "expected a key", 0 },
                { "a = [[1]\n]]", 2, 2, "new line", 0 },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                _cleanup_(ash_source_free_p) AshSource *source = NULL;
                _cleanup_(ash_toml_free_p) AshTomlDoc *doc = NULL;
                assert_int_equal(parse_text(ash_slice_str(cases[i].text), ASH_TOML_1_1, &source, &doc, diags), -ASH_ERR_SYNTAX);
                const AshDiag *d = ash_diags_at(diags, 0);
                if (d->place.line != cases[i].line || d->place.column != cases[i].column || !strstr(d->text, cases[i].words)) {
                        print_diags(cases[i].text, diags);
                        fail();
                }
                assert_int_equal(d->notes.n ? d->notes.items[0].place.line : 0, cases[i].note_line);
        }
}

static void test_all_doubles_reported(void **state) {
        (void) state;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        _cleanup_(ash_source_free_p) AshSource *source = NULL;
        _cleanup_(ash_toml_free_p) AshTomlDoc *doc = NULL;
        assert_int_equal(parse_text(ASH_S("a=1\na=2\na=3\n[t]\n[t]\nx=1\n[t.x]\n"), ASH_TOML_1_1, &source, &doc, diags), -ASH_ERR_SYNTAX);
        assert_int_equal(ash_diags_n(diags), 3);
}

/* ---- hostile inputs: a clear error or a correct result, in linear time and bounded memory ---- */

typedef struct Hostile {
        const char *name, *head, *unit, *middle, *unit2, *tail; /* the text: head, n units, middle, n units2, tail; # in a unit is its number */
        size_t n;
        const char *error;                                      /* NULL: it is well formed */
} Hostile;

static const Hostile hostile[] = {
        { "arrays", "a=", "[", "", "]", "", 100000, "nested deeper" },
        { "inline tables", "a=", "{a=", "1", "}", "", 100000, "nested deeper" },
        { "mixed", "a=", "[{a=", "1", "}]", "", 100000, "nested deeper" },
        { "one dotted key", "a", ".a", " = 1", NULL, "", 1000000, "nested deeper" },
        { "one header", "[a", ".a", "]", NULL, "", 1000000, "nested deeper" },
        { "dotted keys in a table", "", "a.k# = 1\n", NULL, NULL, "", 1000000, NULL },
        { "keys in a table", "", "k# = 1\n", NULL, NULL, "", 1000000, NULL },
        { "the same key", "", "k = 1\n", NULL, NULL, "", 1000000, "set twice" },
        { "tables", "", "[t#]\n", NULL, NULL, "", 1000000, NULL },
        { "the same table", "", "[t]\n", NULL, NULL, "", 1000000, "defined twice" },
        { "array of tables", "", "[[a]]\n", NULL, NULL, "", 1000000, NULL },
        { "tables in arrays of tables", "", "[[a]]\n[a.b]\n[[a.b.c]]\n", NULL, NULL, "", 300000, NULL },
        { "paths of tables", "", "[#.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a]\n", NULL, NULL, "", 60000, NULL },
        { "paths of keys", "", "#.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1\n", NULL, NULL, "", 60000, NULL },
        { "too many values", "a=[", "1,", "]", NULL, "", 4000001, "more than 4000000 values" },
        { "array items", "a=[", "1,", "]", NULL, "", 1000000, NULL },
        { "inline members", "a={", "k#=1,", "}", NULL, "", 1000000, NULL },
        { "empty lines", "", "\n", NULL, NULL, "", 10000000, NULL },
        { "comment", "#x", "xxxxxxxxxx", NULL, NULL, "", 1000000, NULL },
        { "string", "a=\"", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "\"", NULL, "", 1000000, NULL },
        { "escapes", "a=\"", "\\n\\u00fc", "\"", NULL, "", 1000000, NULL },
        { "quotes", "a='''", "''x", "'''", NULL, "", 1000000, NULL },
        { "lines in a string", "a=\"\"\"", "\\\n\n  x", "\"\"\"", NULL, "", 1000000, NULL },
        { "unclosed", "a=\"", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "", NULL, "", 1000000, "not closed" },
        { "digits", "a=", "1234567890", "", NULL, "", 1000000, "64 bits" },
        { "fraction", "a=0.", "1234567890", "", NULL, "", 1000000, NULL },
        { "exponent", "a=1e", "1234567890", "", NULL, "", 100000, "too large" },
        { "fraction of a second", "a=12:00:00.", "1234567890", "", NULL, "", 1000000, NULL },
        { "long line, many mistakes", "a={", "k=1,", "}", NULL, "", 1000000, "set twice" },
        { "control character", "a=1", "\n", "b=1 #", NULL, "\x01", 10, "control character" },
};

static void repeat(AshStr *out, const char *unit, size_t n) {
        const char *number = unit ? strchr(unit, '#') : NULL;
        for (size_t i = 0; unit && i < n; i++) {
                ash_str_append(out, number ? ash_slice(unit, (size_t) (number - unit)) : ash_slice_str(unit));
                if (number)
                        ash_str_appendf(out, "%zu%s", i, number + 1);
        }
}

static void test_hostile(void **state) {
        (void) state;
        for (size_t i = 0; i < ASH_N(hostile); i++) {
                const Hostile *h = &hostile[i];
                _str_ AshStr text = {};
                ash_str_append_str(&text, h->head);
                repeat(&text, h->unit, h->n);
                ash_str_append_str(&text, h->middle ? h->middle : "");
                repeat(&text, h->unit2, h->n);
                ash_str_append_str(&text, h->tail);
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                _cleanup_(ash_source_free_p) AshSource *source = NULL;
                _cleanup_(ash_toml_free_p) AshTomlDoc *doc = NULL;
                uint64_t before = ash_cpu_ns();
                int r = parse_text(ash_str_slice(&text), ASH_TOML_1_1, &source, &doc, diags);
                uint64_t ms = (ash_cpu_ns() - before) / 1000000;
                if (r != (h->error ? -ASH_ERR_SYNTAX : 0) || (h->error && !strstr(ash_diags_at(diags, 0)->text, h->error))) {
                        print_diags(h->name, diags);
                        fail();
                }
                assert_true(ash_diags_n(diags) <= 20);
                if (getenv("ASHLAR_VERBOSE"))
                        print_message("%s: %zu bytes, %llu ms, %.1f times\n", h->name, text.len, (unsigned long long) ms, doc ? (double) ash_toml_memory(doc) / (double) text.len : 0);
                /* Quadratic would be minutes; the sanitizers take some. */
                if (ms > 10000)
                        fail_msg("%s took %llu ms", h->name, (unsigned long long) ms);
                /* The worst is a table for two bytes of text. */
                assert_true(!doc || ash_toml_memory(doc) <= 60 * text.len + 4096);
        }
}

static void test_bytes_refused(void **state) {
        (void) state;
        static const AshSlice texts[] = {
                { "a=1\0", 4 }, { "a=\"\0\"", 5 }, { "#\0", 2 }, { "\0", 1 }, { "a=1\r", 4 }, { "a=1\r\r\n", 6 }, { "\r", 1 }, { "a=\"\r\"", 5 }, { "a='''\r'''", 9 }, { "#\r", 2 },
                { "a=\"\x80\"", 5 }, { "\xff\xfe" "a\0", 4 }, { "#\xf8\x88\x80\x80\x80", 6 }, { "a='\xf4\x90\x80\x80'", 8 }, { "a='\xe2\x82'", 6 }, { "#\xe2\x82", 3 }, { "\xef\xbb", 2 },
                { "a\xef\xbb\xbf=1", 6 }, { "\\", 1 }, { "a=\"\\", 4 }, { "a=\"\"\"\\", 6 }, { "a='''", 5 }, { "a=\"\"\"\"", 6 }, { "[", 1 }, { "[[a]", 4 }, { "a=[", 3 }, { "a={", 3 }, { "a.", 2 },
        };
        for (size_t i = 0; i < ASH_N(texts); i++) {
                _free_ char *exact = ash_malloc(texts[i].len); /* without a NUL behind it, so that a read too far is seen */
                memcpy(exact, texts[i].ptr, texts[i].len);
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                _cleanup_(ash_source_free_p) AshSource *source = NULL;
                _cleanup_(ash_toml_free_p) AshTomlDoc *doc = NULL;
                if (parse_text(ash_slice(exact, texts[i].len), ASH_TOML_1_1, &source, &doc, diags) != -ASH_ERR_SYNTAX)
                        fail_msg("case %zu", i);
                assert_true(ash_diags_at(diags, 0)->place.line >= 1);
        }
}

/* Every prefix of a text with everything in it: no read beyond the end (the sanitizers look). */
static void test_cut_off(void **state) {
        (void) state;
        static const char text[] = "\xef\xbb\xbf# c\r\n[a.\"b\"]\r\nx.y = [1, 0x1f, -1.5e3, inf, { p = '''a''' , \"q\" = \"\\u00fc\\x41\" }, ] # e\nd = 1979-05-27 07:32:00.5+01:00\n"
                                   "[[l]]\nt=07:32\nm = \"\"\"\nx \\\n  y\"\"\"\n";
        for (size_t n = 0; n < sizeof text; n++) {
                _free_ char *exact = ash_malloc(n ? n : 1);
                memcpy(exact, text, n);
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                _cleanup_(ash_source_free_p) AshSource *source = NULL;
                _cleanup_(ash_toml_free_p) AshTomlDoc *doc = NULL;
                int r = parse_text(ash_slice(exact, n), ASH_TOML_1_1, &source, &doc, diags);
                assert_int_equal(r < 0, ash_diags_n(diags) > 0);
                if (n + 1 == sizeof text)
                        assert_int_equal(r, 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_suite_1_0),
                cmocka_unit_test(test_suite_1_1),
                cmocka_unit_test(test_places),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_messages),
                cmocka_unit_test(test_all_doubles_reported),
                cmocka_unit_test(test_bytes_refused),
                cmocka_unit_test(test_cut_off),
                cmocka_unit_test(test_hostile),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
