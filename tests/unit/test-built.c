/* The record of builds: several writers at once, an order that does not depend on them, and what is wrong in a file told at its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "built-private.h"
#include "io.h"

#define DIGEST "abababababababababababababababababababababababababababababababab"

static AshBuiltComponent component(const char *name, AshBuiltPackage *packages, size_t n) {
        return (AshBuiltComponent){ .name = ash_slice_str(name), .arch = ASH_S("x86_64"), .key = ASH_S(DIGEST), .fingerprint = ASH_S(DIGEST), .packages = packages, .n_packages = n };
}

static void test_record(void **state _unused_) {
        _cleanup_(ash_tempdir_free_p) AshTempDir *dir = NULL;
        assert_int_equal(ash_tempdir_new(NULL, &dir), 0);
        _free_ char *path = ash_asprintf("%s/ashlar.built", dir->path);
        AshBuiltPackage packages[] = { { ASH_S("b-1-1.x86_64"), ASH_S(DIGEST), 7, ASH_BUILT_BINARY }, { ASH_S("a-1-1.src"), ASH_S(DIGEST), 8, ASH_BUILT_SOURCE } };
        enum { WRITERS = 8, EACH = 5 };
        for (int w = 0; w < WRITERS; w++)
                if (fork() == 0) {
                        for (int i = 0; i < EACH; i++) {
                                _free_ char *name = ash_asprintf("c%d-%d", w, i);
                                AshBuiltComponent c = component(name, packages, 2);
                                if (ash_built_record(path, &c, NULL, NULL, NULL) != 1)
                                        _exit(1);
                        }
                        _exit(0);
                }
        for (int w = 0; w < WRITERS; w++) {
                int status = -1;
                wait(&status);
                assert_int_equal(status, 0);
        }
        _cleanup_(ash_built_free_p) AshBuilt *built = NULL;
        assert_int_equal(ash_built_read(path, &built, NULL), 0);
        assert_int_equal(built->components.n, WRITERS * EACH);
        for (size_t i = 1; i < built->components.n; i++)
                assert_true(ash_slice_cmp(built->components.items[i - 1].name, built->components.items[i].name) < 0);
        const AshBuiltComponent *c = ash_built_find(built, ASH_S("c3-2"), ASH_S("x86_64"));
        assert_non_null(c);
        assert_true(ash_slice_eqs(c->packages[0].nevra, "a-1-1.src") && c->packages[0].kind == ASH_BUILT_SOURCE && c->packages[1].size == 7);
        assert_null(ash_built_find(built, ASH_S("c3-2"), ASH_S("aarch64")));

        AshBuiltComponent again = component("c3-2", packages, 2), other = component("c3-2", packages, 1);
        assert_int_equal(ash_built_record(path, &again, NULL, NULL, NULL), 0); /* the same: not written */
        assert_int_equal(ash_built_record(path, &other, NULL, NULL, NULL), 1);
        assert_true(ash_built_remove(built, ASH_S("c3-2"), ASH_S("x86_64")));
        assert_false(ash_built_remove(built, ASH_S("c3-2"), ASH_S("x86_64")));
}

static void wrong(const char *text, const char *expected, unsigned line) {
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("ashlar.built", ash_slice_str(text));
        AshBuilt *built = NULL;
        _str_ AshStr out = {};
        assert_int_equal(ash_built_parse(source, &built, diags), -ASH_ERR_CONFIG);
        ash_diag_format(ash_diags_at(diags, 0), false, &out);
        _free_ char *place = ash_asprintf("ashlar.built:%u:", line);
        assert_non_null(strstr(out.ptr, expected));
        assert_non_null(strstr(out.ptr, place));
}

#define HEAD_OF_A "version = 1\n[[components]]\nname = \"a\"\narch = \"x\"\nkey = \"" DIGEST "\"\nfingerprint = \"" DIGEST "\"\n"
static void test_wrong(void **state _unused_) {
        wrong("version = 2\n", "another version", 1);
        wrong("version = 1\ncomponents = 3\n", "array of tables", 2);
        wrong("version = 1\n[[components]]\nname = \"a\"\n", "'arch'", 2);
        wrong(HEAD_OF_A "packages = [{ nevra = \"a\", kind = \"binary\", size = 1, sha256 = \"" DIGEST "\" }]\n", "NAME-VERSION-RELEASE", 7);
        wrong(HEAD_OF_A "packages = [{ nevra = \"a-1-1.src\", kind = \"odd\", size = 1, sha256 = \"" DIGEST "\" }]\n", "\"debug\"", 7);
        wrong(HEAD_OF_A "packages = [{ nevra = \"a-1-1.src\", kind = \"source\", size = 1, sha256 = \"abc\" }]\n", "SHA-256", 7);
        wrong(HEAD_OF_A "[[components]]\nname = \"a\"\narch = \"x\"\nkey = \"" DIGEST "\"\nfingerprint = \"" DIGEST "\"\n", "twice", 7);
}

/* ---- the quick reader beside that of TOML ---- */
static const char rich[] =
        "# a person's comment\n\nversion = 1\n"
        "\n[[components]]\nname = \"a\"\narch = \"aarch64\"\nkey = \"" DIGEST "\"\nfingerprint = \"" DIGEST "\"\nbase = \"1-1\"\nbumps = 3\nlog = \"" DIGEST "\"\nprovenance = \"" DIGEST "\"\nasked = [\"x >= 1\", \"y\"]\n"
        "packages = [\n  { nevra = \"a-1-1.aarch64\", kind = \"binary\", size = 10, sha256 = \"" DIGEST "\", needs = { libc6 = [\"libc.so.6()(64bit)\", \"rtld\"], \"lib.z\" = [] } },\n"
        "  { nevra = \"a-1-1.src\", kind = \"source\", size = 0, sha256 = \"" DIGEST "\" },\n]\n"
        "\n[[components]]\nname = \"a\"\narch = \"x86_64\"\nkey = \"" DIGEST "\"\nfingerprint = \"" DIGEST "\"\nasked = []\npackages = []\n"
        "\n[[components]]\nname = \"b\"\narch = \"x86_64\"\nkey = \"" DIGEST "\"\nfingerprint = \"" DIGEST "\"\npackages = [{ nevra = \"b-1:1-1.x86_64\", kind = \"debug\", size = 1, sha256 = \"" DIGEST "\" }]\n";

static bool same(const char *text, size_t n) {
        _cleanup_(ash_built_free_p) AshBuilt *quick = ash_built_quick(ash_slice(text, n), NULL), *slow = NULL;
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("ashlar.built", ash_slice(text, n));
        _str_ AshStr a = {}, b = {};
        if (!quick)
                return false;
        if (ash_built_parse_toml(source, &slow, NULL) < 0)
                fail_msg("only the quick reader takes this:\n%.*s", (int) n, text);
        ash_built_format(quick, &a);
        ash_built_format(slow, &b);
        assert_string_equal(a.ptr, b.ptr);
        return true;
}

static void test_quick(void **state _unused_) {
        static const char others[] = " \n\t\"'=,[]{}#.a0-_\\\r\x7f\xc3";
        size_t n = sizeof rich - 1, taken = 0;
        assert_true(same(rich, n));
        for (size_t i = 0; i <= n; i++) /* cut off anywhere; and with another byte, one more, one less in each place */
                taken += same(rich, i);
        _free_ char *other = ash_calloc(n + 2, 1);
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < sizeof others; k++) {
                        memcpy(other, rich, n);
                        other[i] = others[k];
                        taken += same(other, n);
                        memcpy(other + i + 1, rich + i, n - i);
                        taken += same(other, n + 1);
                        memcpy(other + i, rich + i + 1, n - i - 1);
                        taken += same(other, n - 1);
                }
        assert_true(taken > 1000); /* names, numbers and comments may be others */
}

/* What is put in by place is what a whole file would be. */
static void test_places(void **state _unused_) {
        static const char *const names[] = { "m", "c", "x", "c", "a", "z", "m", "n" };
        _cleanup_(ash_tempdir_free_p) AshTempDir *dir = NULL;
        _cleanup_(ash_built_free_p) AshBuilt *whole = ash_built_new();
        AshBuiltNeed need = { ASH_S("libc6"), &(AshSlice){ "libc.so.6()(64bit)", 18 }, 1 };
        AshBuiltPackage packages[] = { { ASH_S("b-1-1.x86_64"), ASH_S(DIGEST), 7, ASH_BUILT_BINARY, &need, 1 }, { ASH_S("a-1-1.src"), ASH_S(DIGEST), 8, ASH_BUILT_SOURCE } };
        assert_int_equal(ash_tempdir_new(NULL, &dir), 0);
        _free_ char *path = ash_asprintf("%s/ashlar.built", dir->path);
        assert_int_equal(ash_file_write_atomic(AT_FDCWD, path, ASH_S("# mine\n\nversion = 1\n"), 0644, false), 0);
        for (size_t i = 0; i < ASH_N(names); i++) {
                _bytes_ AshBytes bytes = {};
                _str_ AshStr text = {};
                AshBuiltComponent c = component(names[i], packages, 1 + i % 2);
                c.bumps = i;
                ash_built_set(whole, &c);
                assert_int_equal(ash_built_record(path, &c, NULL, NULL, NULL), 1);
                ash_str_append_str(&text, "# mine\n\n");
                ash_built_format(whole, &text);
                assert_int_equal(ash_file_read(AT_FDCWD, path, 1 << 20, &bytes), 0);
                assert_true(ash_slice_eq(ash_bytes_slice(&bytes), ash_str_slice(&text)));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_record), cmocka_unit_test(test_wrong), cmocka_unit_test(test_quick), cmocka_unit_test(test_places) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
