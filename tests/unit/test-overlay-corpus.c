/* Every case of the overlay corpus: before.spec with the component's settings must become after.spec, byte for byte, but for what depends on a git history. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "config.h"
#include "io.h"
#include "overlay.h"

/* Leaves out "Release:" lines and blocks that rpmautospec made; what azldev wrote into %changelog for our side depends on history too. */
static void comparable(AshSlice text, AshStr *out) {
        AshSlice line;
        bool block = false;
        while (ash_slice_next_line(&text, &line)) {
                if (ash_slice_starts(line, ASH_S("## START: ")))
                        block = true;
                if (!block && !ash_slice_starts(line, ASH_S("Release:"))) {
                        ash_str_append(out, line);
                        ash_str_append_char(out, '\n');
                }
                if (ash_slice_starts(line, ASH_S("## END: ")))
                        block = false;
        }
}

static char *case_path(const char *dir, const char *name) { return ash_asprintf("%s/%s", dir, name); }

static void fail_with(const char *name, const AshDiags *diags) {
        for (size_t i = 0; i < ash_diags_n(diags); i++) {
                _str_ AshStr text = {};
                ash_diag_format(ash_diags_at(diags, i), false, &text);
                print_error("%s: %s", name, text.ptr);
        }
        fail_msg("%s failed", name);
}

static void first_difference(const char *name, AshSlice got, AshSlice wanted) {
        AshSlice a, b;
        for (unsigned n = 1;; n++) {
                bool more_a = ash_slice_next_line(&got, &a), more_b = ash_slice_next_line(&wanted, &b);
                if (!more_a && !more_b)
                        return;
                if (!more_a || !more_b || !ash_slice_eq(a, b))
                        fail_msg("%s, line %u: '%.*s', wanted '%.*s'", name, n, more_a ? (int) a.len : 5, more_a ? a.ptr : "(end)", more_b ? (int) b.len : 5, more_b ? b.ptr : "(end)");
        }
}

static const AshOverlayOptions *options_for(const char *component, AshOverlayOptions *o) {
        *o = (AshOverlayOptions){ .spec = "case.spec", .component = component, .no_header = true };
        return o;
}

static void one_case(const char *corpus, const char *name, size_t *macro_files) {
        _free_ char *dir = case_path(corpus, name), *component = ash_strndup(name, strcspn(name, "@"));
        _free_ char *toml_path = case_path(dir, "component.toml"), *before_path = case_path(dir, "before.spec"), *after_path = case_path(dir, "after.spec"), *sources = case_path(dir, "sources");
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        _cleanup_(ash_config_free_p) AshConfig *config = NULL;
        _cleanup_(ash_source_tree_free_p) AshSourceTree *tree = ash_source_tree_new();
        _bytes_ AshBytes before = {}, after = {};
        const AshComponent *c = NULL;
        AshOverlayOptions options;
        if (ash_config_load(toml_path, ASH_CONFIG_SYNTAX_ONLY, &config, diags) < 0 || ash_config_component(config, ash_slice_str(component), &c, diags) < 0)
                fail_with(name, diags);
        assert_int_equal(ash_file_read(AT_FDCWD, before_path, 0, &before), 0);
        assert_int_equal(ash_file_read(AT_FDCWD, after_path, 0, &after), 0);
        if (access(sources, F_OK) == 0)
                assert_int_equal(ash_source_tree_add_dir(tree, AT_FDCWD, sources, diags), 0);
        ash_source_tree_put(tree, "case.spec", ash_bytes_slice(&before), 0644);
        if (ash_overlay_render(tree, c->merged, options_for(component, &options), NULL, diags) < 0)
                fail_with(name, diags);
        AshSlice rendered;
        _str_ AshStr got = {}, wanted = {};
        assert_int_equal(ash_source_tree_read(tree, "case.spec", &rendered, diags), 0);
        comparable(rendered, &got);
        comparable(ash_bytes_slice(&after), &wanted);
        first_difference(name, ash_str_slice(&got), ash_str_slice(&wanted));
        _free_ char *macros = ash_asprintf("%s.azl.macros", component);
        *macro_files += ash_source_tree_find(tree, macros) != NULL;
}

static void test_cases(void **state) {
        (void) state;
        _free_ char *corpus = case_path(getenv("ASHLAR_SHARED"), "corpus/overlay-cases");
        _dirlist_ AshDirList list = {};
        size_t macro_files = 0;
        assert_int_equal(ash_dir_list(AT_FDCWD, corpus, &list), 0);
        assert_true(list.entries.n >= 33);
        ash_array_foreach(&list.entries, d)
                one_case(corpus, d->name, &macro_files);
        assert_true(macro_files >= 5);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cases),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
