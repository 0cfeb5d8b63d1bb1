/* The record of builds: several writers at once, an order that does not depend on them, and what is wrong in a file told at its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "built.h"
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
                                if (ash_built_record(path, &c, NULL) != 1)
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
        assert_int_equal(ash_built_record(path, &again, NULL), 0); /* the same: not written */
        assert_int_equal(ash_built_record(path, &other, NULL), 1);
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

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_record), cmocka_unit_test(test_wrong) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
