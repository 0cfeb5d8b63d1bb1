#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base.h"

static void test_slice(void **state) {
        (void) state;
        assert_true(ash_slice_eqs(ash_slice_trim(ASH_S(" \ta b\n")), "a b"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_slice),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
