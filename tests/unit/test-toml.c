/* The TOML parser: all of toml-test in both versions, places, hostile inputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "io.h"
#include "toml.h"

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
                return ash_diags_n(diags) == 0;
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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_suite_1_0),
                cmocka_unit_test(test_suite_1_1),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
