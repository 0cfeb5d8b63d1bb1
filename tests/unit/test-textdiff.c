/* The judge is patch(1): what it makes of the first text and our diff must be the second text. And the length against the textbook's table of distances. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base.h"
#include "io.h"
#include "textdiff.h"

static uint32_t seed = 1;
static uint32_t random_below(uint32_t n) { return (seed = seed * 1664525u + 1013904223u) / 65536 % n; }

static void random_text(AshStr *s, uint32_t lines, uint32_t kinds) {
        for (uint32_t i = 0; i < lines; i++)
                ash_str_appendf(s, "line %u\n", random_below(kinds));
        if (s->len && random_below(4) == 0)
                s->ptr[--s->len] = 0;
}

/* Applies the changes to a: must give b. */
static void check_applies(const AshTextDiff *d, AshSlice b) {
        _str_ AshStr out = {};
        size_t at = 0;
        for (size_t k = 0; k <= d->changes.n; k++) {
                size_t until = k < d->changes.n ? d->changes.items[k].a : d->a.n;
                for (; at < until; at++)
                        ash_str_append(&out, d->a.items[at]);
                if (k < d->changes.n) {
                        at += d->changes.items[k].n_a;
                        for (size_t i = 0; i < d->changes.items[k].n_b; i++)
                                ash_str_append(&out, d->b.items[d->changes.items[k].b + i]);
                }
        }
        assert_true(ash_slice_eq(ash_str_slice(&out), b));
}

static size_t shortest(const AshTextDiff *d) {
        size_t n = d->a.n, m = d->b.n;
        _free_ size_t *row = ash_calloc(m + 1, sizeof *row), *next = ash_calloc(m + 1, sizeof *next);
        for (size_t j = 0; j <= m; j++)
                row[j] = j;
        for (size_t i = 1; i <= n; i++) {
                next[0] = i;
                for (size_t j = 1; j <= m; j++)
                        next[j] = ash_slice_eq(d->a.items[i - 1], d->b.items[j - 1]) ? row[j - 1] : 1 + ASH_MIN(row[j], next[j - 1]);
                memcpy(row, next, (m + 1) * sizeof *row);
        }
        return row[m];
}

static void test_random(void **state) {
        (void) state;
        for (int i = 0; i < 3000; i++) {
                _str_ AshStr a = {}, b = {};
                random_text(&a, random_below(30), 1 + random_below(12));
                random_text(&b, random_below(30), 1 + random_below(12));
                _textdiff_ AshTextDiff d = {};
                ash_textdiff(ash_str_slice(&a), ash_str_slice(&b), &d);
                check_applies(&d, ash_str_slice(&b));
                size_t length = 0;
                ash_array_foreach(&d.changes, c)
                        length += c->n_a + c->n_b;
                assert_int_equal(length, shortest(&d));
        }
}

static void test_nothing_in_common(void **state) {
        (void) state;
        _str_ AshStr a = {}, b = {};
        for (int i = 0; i < 40000; i++) {
                ash_str_appendf(&a, "a%d\n", i);
                ash_str_appendf(&b, i % 100 ? "b%d\n" : "a%d\n", i);
        }
        _textdiff_ AshTextDiff d = {};
        uint64_t start = ash_now_ns();
        ash_textdiff(ash_str_slice(&a), ash_str_slice(&b), &d);
        assert_true(ash_now_ns() - start < 20000000000ull);
        check_applies(&d, ash_str_slice(&b));
}

static void patch_judges(AshSlice a, AshSlice b) {
        _cleanup_(ash_tempdir_free_p) AshTempDir *dir = NULL;
        assert_int_equal(ash_tempdir_new(NULL, &dir), 0);
        _str_ AshStr out = {};
        ash_textdiff_unified(a, b, "a", "b", false, &out);
        assert_true(ash_file_write_atomic(dir->fd, "a", a, 0644, false) >= 0);
        assert_true(ash_file_write_atomic(dir->fd, "p", ash_str_slice(&out), 0644, false) >= 0);
        if (out.len) {
                const char *const argv[] = { "patch", "--fuzz=0", "-s", "a", "p", NULL };
                AshProcess p = { .argv = argv, .cwd = dir->path };
                _process_result_ AshProcessResult r = {};
                assert_int_equal(ash_process_run(&p, &r), 0);
                assert_int_equal(r.status, 0);
        }
        _bytes_ AshBytes got = {};
        int n = ash_file_read(dir->fd, "a", 0, &got);
        assert_true(n >= 0 || b.len == 0); /* patch removes a file that became empty */
        assert_true(ash_slice_eq(ash_bytes_slice(&got), b));
}

static void test_patch_accepts(void **state) {
        (void) state;
        for (int i = 0; i < 30; i++) {
                _str_ AshStr a = {}, b = {};
                random_text(&a, 1 + random_below(60), 40);
                ash_str_append(&b, ash_str_slice(&a));
                random_text(&b, random_below(3), 40);
                patch_judges(ash_str_slice(&a), ash_str_slice(&b));
        }
        patch_judges(ASH_S("a\nb\n"), ASH_S("a\nb"));
        patch_judges(ASH_S("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n"), ASH_S("0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n12\n13"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_random),
                cmocka_unit_test(test_nothing_in_common),
                cmocka_unit_test(test_patch_accepts),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
