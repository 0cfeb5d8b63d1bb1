#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "initrd.h"

/* Each is older than the next (Version Format Specification, "Examples", and kernels of Debian and Fedora). */
static const char *const order[] = { "~1", "", "ab", "abb", "abc", "0001", "002", "6.12.63+deb13-cloud-amd64", "6.12.107+deb13-cloud-amd64", "6.16.3-200.fc43.x86_64", "6.17.1-300.fc43.x86_64", "12", "122", "122.9",
                                     "123~rc1", "123", "123-a", "123-a.1", "123-a1", "123-a1.1", "123-3", "123-3.1", "123^patch1", "123^1", "123.a-1", "123.1-1", "123a-1", "124" };

static void test_versions(void **state) {
        (void) state;
        for (size_t i = 1; i < ASH_N(order); i++) {
                if (ash_initrd_compare_versions(ash_slice_str(order[i - 1]), ash_slice_str(order[i])) >= 0 || ash_initrd_compare_versions(ash_slice_str(order[i]), ash_slice_str(order[i - 1])) <= 0)
                        fail_msg("'%s' is older than '%s'", order[i - 1], order[i]);
                assert_int_equal(ash_initrd_compare_versions(ash_slice_str(order[i]), ash_slice_str(order[i])), 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_versions),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
