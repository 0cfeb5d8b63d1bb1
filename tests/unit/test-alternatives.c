/* Which scripts are registrations of alternatives and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "compose-alternatives.h"

static const AshSlice sh = { "/bin/sh", 7 };

static void check(const char *body, const char *expected) {
        _str_ AshStr out = {};
        bool is = ash_alternatives_script(&sh, 1, 0, ash_slice_str(body), &out);
        if (is != !!expected || (expected && !ash_slice_eqs(ash_str_slice(&out), expected)))
                fail_msg("%s\ngives: %.*s", body, ASH_F(ash_str_slice(&out)));
        if (!is)
                assert_int_equal(out.len, 0);
}

static void test_registrations(void **state _unused_) {
        static const struct { const char *body, *lines; } cases[] = {
                { "alternatives --install /usr/lib64/libnssckbi.so libnssckbi.so.x86_64 /usr/lib64/pkcs11/p11-kit-trust.so 30", "install /usr/lib64/libnssckbi.so libnssckbi.so.x86_64 /usr/lib64/pkcs11/p11-kit-trust.so 30\n" },
                { "/usr/sbin/update-alternatives --install /usr/bin/soelim soelim /usr/bin/soelim.groff 300 \\\n    --slave /m/s.1.gz s.1.gz /m/sg.1.gz \\\n    >/dev/null 2>&1 || :\n",
                  "install /usr/bin/soelim soelim /usr/bin/soelim.groff 300\nslave /m/s.1.gz s.1.gz /m/sg.1.gz\n" },
                { "# why\nalternatives --install /a a /b -5 --family f --follower /c c /d --initscript i --slave /e e /g;\n\n\talternatives --install /h h /i 1 2> /dev/null\n",
                  "install /a a /b -5 family f initscript i\nslave /c c /d\nslave /e e /g\ninstall /h h /i 1\n" },
                { "alternatives --install /a a /b 1 || true; alternatives --install /a a /c 2 &>/dev/null || :", "install /a a /b 1\ninstall /a a /c 2\n" },
        };
        for (size_t i = 0; i < ASH_N(cases); i++)
                check(cases[i].body, cases[i].lines);
}

static void test_anything_else(void **state _unused_) {
        static const char *const bodies[] = {
                "", "\n# only a comment\n", ":", "alternatives", "alternatives --install /a a /b", "alternatives --install /a a /b x", "alternatives --install /a a /b 1 --slave /c c",
                "alternatives --install /a a /b 1 --family", "alternatives --remove a /b", "alternatives --install /a a /b 1 --unknown x", "alternatives --install $p a /b 1",
                "alternatives --install \"/a\" a /b 1", "alternatives --install /a a /b* 1", "alternatives --install ~/a a /b 1", "if true; then alternatives --install /a a /b 1; fi",
                "alternatives --install /a a /b 1 && rm -rf /x", "alternatives --install /a a /b 1 || rm -rf /x", "alternatives --install /a a /b 1 | cat", "alternatives --install /a a /b 1 &",
                "alternatives --install /a a /b 1 > /etc/x", "alternatives --install /a a /b 1 2>&2", "alternatives --install /a a /b 1\nrm -rf /x", "X=1 alternatives --install /a a /b 1",
                "./alternatives --install /a a /b 1", "alternatives --install /a a /b 1 || : rm", "alternatives --install /a a /b 1 #x", "alternatives --install /a a /b 1; ;", "alternatives --install /a a /{b,c} 1",
                "alternatives --install /a a /b 1 >/dev/null --slave /c c /d", "alternatives --install /a a /b 99999999999", "alternatives --install /a a /\\\nb 1", "`x`", "alternatives --install /a a /b 1 ||",
        };
        for (size_t i = 0; i < ASH_N(bodies); i++)
                check(bodies[i], NULL);
}

static void test_program(void **state _unused_) {
        static const AshSlice other = { "/usr/bin/perl", 13 }, option[] = { { "/bin/sh", 7 }, { "-e", 2 } };
        AshSlice body = ASH_S("alternatives --install /a a /b 1");
        _str_ AshStr out = {};
        assert_false(ash_alternatives_script(&other, 1, 0, body, &out));
        assert_false(ash_alternatives_script(option, 2, 0, body, &out));
        assert_false(ash_alternatives_script(&sh, 1, 1, body, &out));
        assert_true(ash_alternatives_script(&sh, 1, 0, body, &out));
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_registrations), cmocka_unit_test(test_anything_else), cmocka_unit_test(test_program) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
