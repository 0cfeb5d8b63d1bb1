/* What moves a fingerprint and what must not; records there and back; the words. The encoding itself is checked against an independent reading in tests/cli/test_render.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "fingerprint.h"

#define T(text) ((AshText){ .s = ASH_S(text) })

typedef struct Fixture {
        AshComponentConfig config;
        AshOverlay overlays[2];
        AshText with[2], lines[2];
        AshPair defines[2];
        AshSpecFile files[2];
        AshSpecTree tree;
} Fixture;

static void fixture(Fixture *f) {
        *f = (Fixture){};
        f->overlays[0] = (AshOverlay){ .type = ASH_OVERLAY_SPEC_SET_TAG, .description = T("why"), .tag = T("Release"), .value = T("2") };
        f->lines[0] = T("one");
        f->lines[1] = T("two");
        f->overlays[1] = (AshOverlay){ .type = ASH_OVERLAY_SPEC_APPEND_LINES, .section = T("%build"), .lines = { f->lines, 2 } };
        f->config.overlays = (AshOverlays){ f->overlays, 2 };
        f->with[0] = T("a");
        f->with[1] = T("b");
        f->config.with = (AshTexts){ f->with, 2 };
        f->defines[0] = (AshPair){ T("x"), T("1") };
        f->defines[1] = (AshPair){ T("y"), T("2") };
        f->config.defines = (AshPairs){ f->defines, 2 };
        f->files[0] = (AshSpecFile){ "bash.spec", 0644, ASH_S("Name: bash\n") };
        f->files[1] = (AshSpecFile){ "fix.patch", 0644, ASH_S("---\n") };
        f->tree.files.items = f->files;
        f->tree.files.n = 2;
        f->tree.origin = "somewhere";
}

static AshFingerprint *make(Fixture *f) {
        AshFingerprint *fp = NULL;
        AshFingerprintOf of = { .component = ASH_S("bash"), .config = &f->config, .tree = &f->tree };
        assert_int_equal(ash_fingerprint_of(&of, &fp, NULL), 0);
        return fp;
}

static void test_what_does_not_count(void **state) {
        (void) state;
        Fixture f;
        fixture(&f);
        _cleanup_(ash_fingerprint_free_p) AshFingerprint *before = make(&f);
        f.overlays[0].description = T("another reason");
        f.overlays[0].category = T("azl-pruning");
        f.overlays[0].upstream_status = T("upstreamed");
        f.overlays[0].since = T("2026-01-01");
        f.overlays[0].bugs = (AshTexts){ f.lines, 1 };
        f.config.check_skip_reason = T("slow");
        f.config.failure_reason = T("flaky");
        f.config.expensive.value = ASH_YES;
        f.config.publish.rpm_channel = T("base");
        f.tree.origin = "elsewhere";
        f.tree.commit = "0123456789012345678901234567890123456789";
        f.with[0] = T("b"), f.with[1] = T("a"); /* the order of options is no input */
        AshPair p = f.defines[0];
        f.defines[0] = f.defines[1], f.defines[1] = p;
        _cleanup_(ash_fingerprint_free_p) AshFingerprint *after = make(&f);
        assert_string_equal(before->text, after->text);
}

typedef void (*Change)(Fixture *f);
static void change_value(Fixture *f) { f->overlays[0].value = T("3"); }
static void change_line(Fixture *f) { f->lines[1] = T("three"); }
static void merge_lines(Fixture *f) { f->lines[0] = T("onetwo"), f->overlays[1].lines.n = 1; }
static void change_spec(Fixture *f) { f->files[0].data = ASH_S("Name: bash \n"); }
static void change_mode(Fixture *f) { f->files[1].mode = 0755; }
static void drop_overlay(Fixture *f) { f->config.overlays.n = 1; }
static void swap_overlays(Fixture *f) { AshOverlay o = f->overlays[0]; f->overlays[0] = f->overlays[1], f->overlays[1] = o; }
static void drop_with(Fixture *f) { f->config.with.n = 1; }
static void change_define(Fixture *f) { f->defines[0].value = T("2"); }
static void undefine(Fixture *f) { f->config.undefines = (AshTexts){ &f->defines[0].key, 1 }; }
static void skip_check(Fixture *f) { f->config.check_skip.value = ASH_YES; }
static void set_release(Fixture *f) { f->config.release = T("manual"); }

static const struct { Change change; const char *words; } changes[] = {
        { change_value, "overlay 1 (spec-set-tag Release) changed: value" },
        { change_line, "overlay 2 (spec-append-lines %build) changed: lines" },
        { merge_lines, "overlay 2 (spec-append-lines %build) changed: lines" },
        { change_spec, "upstream's spec bash.spec changed: sha256:" },
        { change_mode, "upstream's file fix.patch changed: sha256:" },
        { drop_overlay, "overlay 2 (spec-append-lines %build) was removed" },
        { swap_overlays, "overlays apply in another order" },
        { drop_with, "the build option 'b' is no longer switched on (with)" },
        { change_define, "the macro x changed: 1 -> 2" },
        { undefine, "the macro x is no longer defined" },
        { skip_check, "the setting check-skip was set: yes" },
        { set_release, "the setting release changed: auto -> manual" },
};

static void test_what_counts(void **state) {
        (void) state;
        Fixture f;
        fixture(&f);
        _cleanup_(ash_fingerprint_free_p) AshFingerprint *before = make(&f);
        for (size_t i = 0; i < ASH_N(changes); i++) {
                fixture(&f);
                changes[i].change(&f);
                _cleanup_(ash_fingerprint_free_p) AshFingerprint *after = make(&f);
                _reasons_ AshReasons reasons = {};
                assert_string_not_equal(before->text, after->text);
                ash_fingerprint_why(before, after, &reasons);
                assert_int_equal(reasons.items.n, 1);
                if (!strstr(reasons.items.items[0], changes[i].words))
                        fail_msg("case %zu: '%s' is not '%s'", i, reasons.items.items[0], changes[i].words);
        }
}

static void test_record(void **state) {
        (void) state;
        Fixture f;
        fixture(&f);
        f.defines[1].value = T("\xff\x00 no UTF-8");
        f.defines[0].value = T("a \"quoted\" \\ text\n\tof % two lines\x01");
        _cleanup_(ash_fingerprint_free_p) AshFingerprint *fp = make(&f), *back = NULL;
        _str_ AshStr text = {}, again = {};
        ash_fingerprint_format(fp, &text);
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("record", ash_str_slice(&text));
        assert_int_equal(ash_fingerprint_parse(source, &back, NULL), 0);
        ash_fingerprint_format(back, &again);
        assert_string_equal(text.ptr, again.ptr);
        _reasons_ AshReasons reasons = {};
        ash_fingerprint_why(fp, back, &reasons);
        assert_int_equal(reasons.items.n, 0);
}

static void test_record_changed_by_hand(void **state) {
        (void) state;
        Fixture f;
        fixture(&f);
        _cleanup_(ash_fingerprint_free_p) AshFingerprint *fp = make(&f), *back = NULL;
        _str_ AshStr text = {};
        ash_fingerprint_format(fp, &text);
        char *at = strstr(text.ptr, "Release");
        assert_non_null(at);
        at[0] = 'r';
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("record", ash_str_slice(&text));
        assert_int_equal(ash_fingerprint_parse(source, &back, NULL), -ASH_ERR_VERIFY);
        _cleanup_(ash_source_free_p) AshSource *other = ash_source_new("record", ASH_S("a = 1\n"));
        assert_int_equal(ash_fingerprint_parse(other, &back, NULL), -ASH_ERR_SYNTAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_does_not_count),
                cmocka_unit_test(test_what_counts),
                cmocka_unit_test(test_record),
                cmocka_unit_test(test_record_changed_by_hand),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
