#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base.h"

#define assert_slice(s, text) assert_true(ash_slice_eqs(s, text))

/* Of the processor: what else runs on the machine does not count. */
static double seconds_used(void) {
        struct timespec t;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* ---- slices ---- */
static void test_slice_compare(void **state) {
        (void) state;
        assert_true(ash_slice_eq(ASH_NOSLICE, ASH_S("")));
        assert_true(ash_slice_cmp(ASH_S("a"), ASH_S("ab")) < 0);
        assert_true(ash_slice_cmp(ASH_S("\xff"), ASH_S("a")) > 0);
        assert_int_equal(ash_slice_cmp(ASH_NOSLICE, ASH_NOSLICE), 0);
        assert_true(ash_slice_eq_nocase(ASH_S("SHA-256"), ASH_S("sha-256")));
        assert_false(ash_slice_eq_nocase(ASH_S("["), ASH_S("{")));
        assert_true(ash_slice_starts(ASH_S("abc"), ASH_S("")));
        assert_false(ash_slice_starts(ASH_S("ab"), ASH_S("abc")));
        assert_true(ash_slice_ends(ASH_S("abc"), ASH_S("bc")));
        assert_false(ash_slice_ends(ASH_NOSLICE, ASH_S("c")));
}

static void test_slice_cut(void **state) {
        (void) state;
        assert_slice(ash_slice_trim(ASH_S(" \ta b\r\n\v\f")), "a b");
        assert_slice(ash_slice_trim(ASH_S(" \n ")), "");
        assert_slice(ash_slice_trim(ASH_NOSLICE), "");
        assert_slice(ash_slice_from(ASH_S("abc"), 99), "");
        assert_slice(ash_slice_sub(ASH_S("abc"), 1, SIZE_MAX), "bc");
        assert_int_equal(ash_slice_find(ASH_S("abcabc"), ASH_S("ca")), 2);
        assert_int_equal(ash_slice_find(ASH_S("abc"), ASH_S("")), 0);
        assert_int_equal(ash_slice_find(ASH_NOSLICE, ASH_S("a")), -1);
        assert_int_equal(ash_slice_find_char(ASH_S("a\0b"), 'b'), 2);
        assert_int_equal(ash_slice_rfind_char(ASH_S("a/b/c"), '/'), 3);
        assert_int_equal(ash_slice_rfind_char(ASH_NOSLICE, '/'), -1);
}

static void join(AshStr *out, AshSlice s) { ash_str_appendf(out, "<%.*s>", ASH_F(s)); }

static void test_slice_take_apart(void **state) {
        (void) state;
        _str_ AshStr out = {};
        AshSlice rest = ASH_S("one\n\ntwo\r\nlast"), part;
        while (ash_slice_next_line(&rest, &part))
                join(&out, part);
        assert_string_equal(out.ptr, "<one><><two\r><last>");
        ash_str_clear(&out);
        for (rest = ASH_S("  a\tbb  "); ash_slice_next_word(&rest, &part);)
                join(&out, part);
        assert_string_equal(out.ptr, "<a><bb>");
        ash_str_clear(&out);
        for (rest = ASH_S(",a,,b,"); ash_slice_split(&rest, ',', &part);)
                join(&out, part);
        assert_string_equal(out.ptr, "<><a><><b><>");
        ash_str_clear(&out);
        for (rest = ASH_S(""); ash_slice_split(&rest, ',', &part);)
                join(&out, part);
        assert_string_equal(out.ptr, "<>");
        rest = ASH_NOSLICE;
        assert_false(ash_slice_split(&rest, ',', &part));
        assert_false(ash_slice_next_line(&rest, &part));
        assert_false(ash_slice_next_word(&rest, &part));
}

static void test_numbers(void **state) {
        (void) state;
        static const struct {
                const char *text;
                int base, result;
                uint64_t value;
        } cases[] = {
                { "0", 10, 0, 0 }, { "18446744073709551615", 10, 0, UINT64_MAX }, { "18446744073709551616", 10, -ERANGE, 0 },
                { "99999999999999999999999", 10, -ERANGE, 0 }, { "", 10, -EINVAL, 0 }, { "-1", 10, -EINVAL, 0 }, { "+1", 10, -EINVAL, 0 }, { " 1", 10, -EINVAL, 0 },
                { "1a", 10, -EINVAL, 0 }, { "fF", 16, 0, 255 }, { "0x1", 16, -EINVAL, 0 }, { "755", 8, 0, 0755 }, { "8", 8, -EINVAL, 0 },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                uint64_t v = 0;
                assert_int_equal(ash_slice_to_u64(ash_slice_str(cases[i].text), cases[i].base, &v), cases[i].result);
                if (!cases[i].result)
                        assert_true(v == cases[i].value);
        }
}

static void test_distance(void **state) {
        (void) state;
        static const struct {
                const char *a, *b;
                unsigned d;
        } cases[] = {
                { "", "", 0 }, { "", "abc", 3 }, { "kitten", "sitting", 3 }, { "teh", "the", 1 }, { "ab", "ba", 1 }, { "components", "component", 1 },
                { "upstream", "upstraem", 1 }, { "abcdef", "abcdef", 0 }, { "a", "b", 1 },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                AshSlice a = ash_slice_str(cases[i].a), b = ash_slice_str(cases[i].b);
                assert_int_equal(ash_slice_distance(a, b, 10), cases[i].d);
                assert_int_equal(ash_slice_distance(b, a, 10), cases[i].d);
                for (unsigned max = 0; max < 5; max++)
                        assert_int_equal(ash_slice_distance(a, b, max), ASH_MIN(cases[i].d, max + 1));
        }
        const AshSlice keys[] = { ASH_S("description"), ASH_S("components"), ASH_S("images"), ASH_S("includes") };
        assert_int_equal(ash_slice_nearest(ASH_S("componets"), keys, ASH_N(keys)), 1);
        assert_int_equal(ash_slice_nearest(ASH_S("include"), keys, ASH_N(keys)), 3);
        assert_int_equal(ash_slice_nearest(ASH_S("zzz"), keys, ASH_N(keys)), -1);
        assert_int_equal(ash_slice_nearest(ASH_S("x"), keys, 0), -1);
        _str_ AshStr large = {};
        ash_str_append_fill(&large, 'a', 1000000);
        assert_int_equal(ash_slice_distance(ash_str_slice(&large), ASH_S("a"), 3), 4);
}

static void test_utf8(void **state) {
        (void) state;
        static const struct {
                AshSlice text;
                ptrdiff_t bad; /* -1: valid */
        } cases[] = {
                { { "", 0 }, -1 }, { { "plain ascii text", 16 }, -1 }, { { "caf\xc3\xa9", 5 }, -1 }, { { "\xf4\x8f\xbf\xbf", 4 }, -1 }, { { "a\0b", 3 }, -1 },
                { { "\xed\x9f\xbf\xee\x80\x80", 6 }, -1 }, { { "ab\xc0\xaf", 4 }, 2 }, { { "\xc1\xbf", 2 }, 0 }, { { "\xe0\x80\xaf", 3 }, 0 }, { { "\xe0\x9f\xbf", 3 }, 0 },
                { { "\xf0\x8f\xbf\xbf", 4 }, 0 }, { { "x\xed\xa0\x80", 4 }, 1 }, { { "\xf4\x90\x80\x80", 4 }, 0 }, { { "\xf5\x80\x80\x80", 4 }, 0 }, { { "abcdefgh\x80", 9 }, 8 },
                { { "\xe2\x82", 2 }, 0 }, { { "\xe2\x82" "a", 3 }, 0 }, { { "\xff", 1 }, 0 }, { { "12345678\xc3", 9 }, 8 },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                size_t bad = 99;
                assert_int_equal(ash_utf8_valid(cases[i].text, &bad), cases[i].bad < 0);
                assert_int_equal(bad, cases[i].bad < 0 ? 99 : cases[i].bad);
        }
}

/* ---- strings, arrays, arena ---- */
static void test_str(void **state) {
        (void) state;
        _str_ AshStr s = {};
        assert_slice(ash_str_slice(&s), "");
        _free_ char *empty = ash_str_take(&s);
        assert_string_equal(empty, "");
        for (int i = 0; i < 1000; i++)
                ash_str_appendf(&s, "%d,", i);
        assert_int_equal(s.len, 10 * 2 + 90 * 3 + 900 * 4);
        assert_int_equal(strlen(s.ptr), s.len);
        size_t n = s.len;
        ash_str_append(&s, ash_str_slice(&s)); /* itself, over a move */
        assert_int_equal(s.len, 2 * n);
        assert_memory_equal(s.ptr, s.ptr + n, n);
        ash_str_clear(&s);
        ash_str_append_fill(&s, 'x', 5000);
        ash_str_append_char(&s, 0);
        ash_str_append(&s, ASH_NOSLICE);
        assert_int_equal(s.len, 5001);
        _free_ char *f = ash_asprintf("%s-%d", "a", 7), *none = ash_strdup(NULL);
        assert_string_equal(f, "a-7");
        assert_null(none);
}

static void test_array(void **state) {
        (void) state;
        ASH_ARRAY(uint64_t) a = {};
        ash_array_foreach(&a, none)
                fail();
        for (uint64_t i = 0; i < 100000; i++)
                ash_array_push(&a, i * i);
        uint64_t i = 0;
        ash_array_foreach(&a, p) {
                assert_true(*p == i * i);
                i++;
        }
        assert_int_equal(i, 100000);
        assert_true(*ash_array_last(&a) == UINT64_C(99999) * 99999);
        size_t cap = a.cap;
        ash_array_reserve(&a, cap - a.n);
        assert_int_equal(a.cap, cap);
        ash_array_done(&a);
        assert_null(a.items);
        assert_int_equal(a.n + a.cap, 0);
}

static void test_arena(void **state) {
        (void) state;
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        ASH_ARRAY(char *) kept = {};
        for (size_t i = 0; i < 2000; i++) {
                size_t n = i % 97 == 0 ? 300000 : i % 50; /* some get blocks of their own */
                char *p = ash_arena_alloc(arena, n);
                assert_int_equal((uintptr_t) p % 16, 0);
                memset(p, (int) (i & 0xff), n);
                ash_array_push(&kept, p);
        }
        for (size_t i = 0; i < kept.n; i++) {
                size_t n = i % 97 == 0 ? 300000 : i % 50;
                for (size_t k = 0; k < n; k += n > 1000 ? 997 : 1)
                        assert_int_equal((uint8_t) kept.items[i][k], i & 0xff);
        }
        ash_array_done(&kept);
        uint64_t *zeros = ash_arena_new_items(arena, uint64_t, 1000);
        for (size_t i = 0; i < 1000; i++)
                assert_true(zeros[i] == 0);
        assert_string_equal(ash_arena_printf(arena, "%05d", 42), "00042");
        assert_string_equal(ash_arena_strndup(arena, "abc", 2), "ab");
        assert_string_equal(ash_arena_slice(arena, ASH_NOSLICE).ptr, "");
        assert_null(ash_arena_strdup(arena, NULL));
        assert_true(ash_arena_used(arena) > 300000 * 20);
}

static int signal_of(void (*fn)(void)) {
        pid_t pid = fork();
        if (pid == 0) {
                close(2);
                signal(SIGABRT, SIG_DFL);
                fn();
                _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static volatile size_t huge = SIZE_MAX / 2;
static void ask_for_too_many(void) { free(ash_calloc(huge, 16)); }
static void ask_arena_for_too_many(void) { ash_arena_calloc(ash_arena_new(), huge, 16); }
static void ask_arena_for_too_much(void) { ash_arena_alloc(ash_arena_new(), huge * 2 - 3); }

static void test_no_memory(void **state) {
        (void) state;
#ifndef __SANITIZE_ADDRESS__ /* which has its own words for it */
        assert_int_equal(signal_of(ask_for_too_many), SIGABRT);
        assert_int_equal(signal_of(ask_arena_for_too_many), SIGABRT);
        assert_int_equal(signal_of(ask_arena_for_too_much), SIGABRT);
#else
        (void) signal_of, (void) ask_for_too_many, (void) ask_arena_for_too_many, (void) ask_arena_for_too_much;
#endif
}

/* ---- map ---- */
static void test_map(void **state) {
        (void) state;
        _map_ AshMap m = {};
        int one = 1, two = 2;
        void *old;
        bool fresh;
        assert_null(ash_map_get(&m, ASH_S("a")));
        assert_false(ash_map_remove(&m, ASH_S("a")));
        ash_map_put(&m, ASH_S("b"), &one, &old);
        assert_null(old);
        ash_map_put(&m, ASH_S("a"), &two, NULL);
        ash_map_put(&m, ASH_S("b"), &two, &old);
        assert_ptr_equal(old, &one);
        ash_map_put(&m, ASH_NOSLICE, &one, NULL); /* the empty key is a key */
        assert_ptr_equal(ash_map_get(&m, ASH_S("")), &one);
        assert_null(ash_map_ensure(&m, ASH_S("null"), &fresh)->value);
        assert_true(fresh);
        assert_non_null(ash_map_find(&m, ASH_S("null")));
        assert_null(ash_map_get(&m, ASH_S("null")));
        ash_map_ensure(&m, ASH_S("null"), &fresh);
        assert_false(fresh);
        assert_true(ash_map_remove(&m, ASH_S("a")));
        assert_false(ash_map_remove(&m, ASH_S("a")));
        _str_ AshStr order = {};
        ash_map_foreach(&m, e)
                join(&order, e->key);
        assert_string_equal(order.ptr, "<b><><null>");
        assert_int_equal(m.live, 3);
        ash_map_clear(&m);
        assert_null(ash_map_get(&m, ASH_S("b")));
        assert_int_equal(m.live, 0);
}

/* 10^6 keys: puts, gets, removals and new puts, in order and in sane time. */
static void test_map_large(void **state) {
        (void) state;
        enum { N = 1000000 };
        _map_ AshMap m = {};
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshSlice *keys = ash_arena_new_items(arena, AshSlice, N);
        double start = seconds_used();
        for (size_t i = 0; i < N; i++) {
                keys[i] = ash_slice_str(ash_arena_printf(arena, "key-%zu", i));
                ash_map_put(&m, keys[i], (void *) (i + 1), NULL);
        }
        assert_int_equal(m.live, N);
        for (size_t i = 0; i < N; i++)
                assert_int_equal((size_t) ash_map_get(&m, keys[i]), i + 1);
        for (size_t i = 0; i < N; i++)
                if (i % 3)
                        assert_true(ash_map_remove(&m, keys[i]));
        for (size_t i = 1; i < N; i += 3)
                ash_map_put(&m, keys[i], (void *) (i + 1), NULL);
        size_t n = 0, last = 0;
        bool again = false;
        ash_map_foreach(&m, e) {
                size_t i = (size_t) e->value - 1;
                again |= i % 3 == 1;
                assert_int_equal(i % 3, again ? 1 : 0); /* the old ones first, then those put again */
                assert_true(i >= last || i == 1);
                last = i;
                n++;
        }
        assert_int_equal(n, m.live);
        assert_int_equal(n, N / 3 + 1 + N / 3);
        assert_null(ash_map_get(&m, keys[2]));
        assert_true(seconds_used() - start < 20);
}

/* Put and remove for ever: the table stays small. */
static void test_map_churn(void **state) {
        (void) state;
        _map_ AshMap m = {};
        char keys[64][8];
        for (int i = 0; i < 64; i++)
                snprintf(keys[i], sizeof keys[i], "%d", i);
        for (int i = 0; i < 1000000; i++) {
                ash_map_put(&m, ash_slice_str(keys[i % 64]), keys[i % 64], NULL);
                assert_true(ash_map_remove(&m, ash_slice_str(keys[i % 64])));
        }
        assert_int_equal(m.live, 0);
        assert_true(m.index_size <= 256);
}

/* ---- paths ---- */
static void test_path_normalize(void **state) {
        (void) state;
        static const char *cases[][2] = {
                { "", "." }, { ".", "." }, { "/", "/" }, { "//", "/" }, { "a//b/./c/", "a/b/c" }, { "a/..", "." }, { "a/../..", ".." }, { "a/../../b", "../b" },
                { "../../x", "../../x" }, { "../a/..", ".." }, { "/..", "/" }, { "/../a/../..", "/" }, { "/a/b/../../..", "/" }, { "./a", "a" }, { "a/b/../c", "a/c" },
                { "...", "..." }, { "..a/b..", "..a/b.." }, { "../..", "../.." }, { "a/./../b", "b" },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                _free_ char *p = ash_path_normalize(ash_slice_str(cases[i][0]));
                assert_string_equal(p, cases[i][1]);
        }
}

static void test_path_parts(void **state) {
        (void) state;
        static const char *joins[][3] = { { "a", "b", "a/b" }, { "a/", "b", "a/b" }, { "a", "/b", "/b" }, { ".", "b", "b" }, { "", "b", "b" }, { "/", "b", "/b" } };
        for (size_t i = 0; i < ASH_N(joins); i++) {
                _free_ char *p = ash_path_join(joins[i][0], joins[i][1]);
                assert_string_equal(p, joins[i][2]);
        }
        static const char *parts[][4] = { { "a/b.tar.gz", "a", "b.tar.gz", ".gz" }, { "b", ".", "b", "" }, { "/b", "/", "b", "" }, { ".profile", ".", ".profile", "" }, { "a.d/b", "a.d", "b", "" }, { "a/", "a", "", "" }, { "x.", ".", "x.", "." } };
        for (size_t i = 0; i < ASH_N(parts); i++) {
                AshSlice p = ash_slice_str(parts[i][0]);
                assert_slice(ash_path_dir(p), parts[i][1]);
                assert_slice(ash_path_base(p), parts[i][2]);
                assert_slice(ash_path_ext(p), parts[i][3]);
        }
        static const char *relative[][3] = {
                { "/a/b", "/a/c", "../c" }, { "/a/b", "/a/bc", "../bc" }, { "/a/b", "/a/b", "." }, { "/a", "/a/b/c", "b/c" }, { "/", "/a", "a" }, { "/a", "/", ".." }, { "a/b", "c", "../../c" },
                { ".", "x/y", "x/y" }, { "x/y", ".", "../.." }, { ".", ".", "." }, { "a", "a", "." },
        };
        for (size_t i = 0; i < ASH_N(relative); i++) {
                _free_ char *p = ash_path_relative(ash_slice_str(relative[i][0]), ash_slice_str(relative[i][1]));
                assert_string_equal(p, relative[i][2]);
        }
        assert_true(ash_path_is_confined(ASH_S("a/b..c/...")));
        static const AshSlice escapes[] = { { "", 0 }, { "/a", 2 }, { "..", 2 }, { "a/../b", 6 }, { "a/..", 4 }, { "../x", 4 }, { "a\0b", 3 } };
        for (size_t i = 0; i < ASH_N(escapes); i++)
                assert_false(ash_path_is_confined(escapes[i]));
}

/* ---- globs ---- */
static void test_glob(void **state) {
        (void) state;
        static const struct {
                const char *pattern, *path;
                bool match;
        } cases[] = {
                { "", "", 1 }, { "", "a", 0 }, { "a", "", 0 }, { "a", "a", 1 }, { "*", "", 1 }, { "*", "abc", 1 }, { "*", "a/b", 0 }, { "*", ".hidden", 1 },
                { "?", "a", 1 }, { "?", "", 0 }, { "?", "/", 0 }, { "a?c", "abc", 1 }, { "*.c", "x.c", 1 }, { "*.c", "d/x.c", 0 }, { "a*b*c", "aXbYbZc", 1 },
                { "a*b*c", "aXbYbZ", 0 }, { "*a", "aaaa", 1 }, { "a*", "a", 1 }, { "**a", "xa", 1 }, { "**a", "x/a", 0 }, { "a**", "abc", 1 }, { "a**", "a/b", 0 },
                { "[abc]", "b", 1 }, { "[abc]", "d", 0 }, { "[a-c]x", "bx", 1 }, { "[!a-c]", "d", 1 }, { "[^a-c]", "b", 0 }, { "[!a]", "/", 0 }, { "[]]", "]", 1 },
                { "[a\\]b]", "]", 1 }, { "[\\--a]", "0", 1 }, { "[a-]", "-", 1 }, { "[", "[", 1 }, { "[a", "[a", 1 }, { "a[/]b", "a/b", 0 }, { "[\xc3]", "\xc3", 1 },
                { "\\*", "*", 1 }, { "\\*", "a", 0 }, { "a\\", "a\\", 1 }, { "\\{a,b\\}", "{a,b}", 1 },
                { "{a,b}", "b", 1 }, { "{a,b}", "c", 0 }, { "{a,b}", "{a,b}", 0 }, { "x{,y}z", "xz", 1 }, { "x{,y}z", "xyz", 1 }, { "{a,{b,c}d}e", "cde", 1 }, { "{a,{b,c}d}e", "ce", 0 },
                { "*.{toml,json}", "a.json", 1 }, { "*{a,b}c", "xxac", 1 }, { "*{a,b}c", "xxabc", 1 }, { "{[,],x}", ",", 1 }, { "{\\,,x}", ",", 1 }, { "{a", "{a", 1 }, { "a}", "a}", 1 },
                { "{}", "", 1 }, { "{a/b,c}/d", "a/b/d", 1 },
                { "**", "", 1 }, { "**", "a/b/c", 1 }, { "**/c", "c", 1 }, { "**/c", "a/b/c", 1 }, { "**/c", "a/bc", 0 }, { "a/**", "a", 1 }, { "a/**", "a/b/c", 1 }, { "a/**", "ab", 0 },
                { "a/**/b", "a/b", 1 }, { "a/**/b", "a/x/y/b", 1 }, { "a/**/b", "a/xb", 0 }, { "a/**/**/b", "a/b", 1 }, { "**/*.toml", "x.toml", 1 }, { "**/*.toml", "a/b/x.toml", 1 },
                { "base/comps/**/*.comp.toml", "base/comps/bash/bash.comp.toml", 1 }, { "{**,x}/b", "a/a/b", 1 }, { "{a/**,b}", "a", 1 }, { "a/**/**", "a", 1 }, { "*/**/x", "a/b/c/x", 1 },
                { "*a/**/b", "xa/b", 1 }, { "**/a/**/b/**", "q/a/w/b/e/r", 1 }, { "**/a/**/b/**", "q/a/w/e/r", 0 },
        };
        for (size_t i = 0; i < ASH_N(cases); i++)
                if (ash_glob_match(ash_slice_str(cases[i].pattern), ash_slice_str(cases[i].path)) != cases[i].match)
                        fail_msg("pattern '%s' path '%s'", cases[i].pattern, cases[i].path);
        static const char *invalid[] = { "[", "a[b", "{", "{a,{b}", "\\", "[]", "[a\\]" };
        for (size_t i = 0; i < ASH_N(invalid); i++)
                assert_false(ash_glob_valid(ash_slice_str(invalid[i])));
        static const char *valid[] = { "", "a}", "{a,b}", "[{]", "\\{", "[]]", "**" };
        for (size_t i = 0; i < ASH_N(valid); i++)
                assert_true(ash_glob_valid(ash_slice_str(valid[i])));
        assert_false(ash_glob_has_meta(ASH_S("a-b.c/d}")));
        assert_true(ash_glob_has_meta(ASH_S("a\\b")));
}

static void repeat(AshStr *out, const char *text, size_t n) {
        ash_str_clear(out);
        for (size_t i = 0; i < n; i++)
                ash_str_append_str(out, text);
}

static void test_glob_hostile(void **state) {
        (void) state;
        static const struct {
                const char *pattern, *path;
                size_t n_pattern, n_path;
        } cases[] = {
                { "a*", "a", 5000, 50000 }, { "**/", "a/", 5000, 20000 }, { "{a,b}", "a", 200, 300 }, { "{a,aa,aaa}", "a", 60, 500 }, { "{", "a", 50000, 50000 }, { "[", "[", 100000, 100000 },
                { "*[", "[", 20000, 20000 }, { "{[", "a", 20000, 20000 }, { "{*,**/,?}", "a/", 30, 2000 }, { "*a/**/", "aa/", 2000, 5000 }, { "{,", "a", 5000, 100 },
        };
        _str_ AshStr pattern = {}, path = {};
        for (size_t i = 0; i < ASH_N(cases); i++) {
                double start = seconds_used();
                repeat(&pattern, cases[i].pattern, cases[i].n_pattern);
                repeat(&path, cases[i].path, cases[i].n_path);
                ash_str_append_char(&pattern, 'Z');
                assert_false(ash_glob_match(ash_str_slice(&pattern), ash_str_slice(&path)));
                if (seconds_used() - start > 4)
                        fail_msg("pattern of '%s' takes %.1f s", cases[i].pattern, seconds_used() - start);
        }
}

static void test_glob_braces(void **state) {
        (void) state;
        AshSlice before, inside, after, part;
        _str_ AshStr out = {};
        assert_false(ash_glob_find_brace(ASH_S("a\\{b}[{]c"), &before, &inside, &after));
        assert_true(ash_glob_find_brace(ASH_S("x\\{[{]{a,{b,c},[,]}y{z}"), &before, &inside, &after));
        assert_slice(before, "x\\{[{]");
        assert_slice(inside, "a,{b,c},[,]");
        assert_slice(after, "y{z}");
        while (ash_glob_next_alternative(&inside, &part))
                join(&out, part);
        assert_string_equal(out.ptr, "<a><{b,c}><[,]>");
}

/* ---- diagnostics ---- */
static char *format_last(AshDiags *diags, bool color) {
        AshStr out = {};
        ash_diag_format(ash_diags_at(diags, ash_diags_n(diags) - 1), color, &out);
        return ash_str_take(&out);
}

/* A source, a mark in it, and how it must look. */
static void test_diag_format(void **state) {
        (void) state;
        static const struct {
                const char *text;
                uint32_t offset, len;
                const char *shown;
        } cases[] = {
                { "a = 1\nfoo = 'x'\n", 12, 3, "f.toml:2:7: error: bad\n     2 | foo = 'x'\n       |       ^~~\n" },
                { "\tkey = 1", 1, 3, "f.toml:1:2: error: bad\n     1 |  key = 1\n       |  ^~~\n" },
                { "caf\xc3\xa9 = \xc3\xa9", 8, 2, "f.toml:1:8: error: bad\n     1 | caf\xc3\xa9 = \xc3\xa9\n       |        ^\n" },
                { "a\r\nb = 1\r\n", 3, 1, "f.toml:2:1: error: bad\n     2 | b = 1\n       | ^\n" },
                { "abc", 3, 0, "f.toml:1:4: error: bad\n     1 | abc\n       |    ^\n" },
                { "", 0, 0, "f.toml:1:1: error: bad\n     1 | \n       | ^\n" },
                { "a\n\nb", 2, 0, "f.toml:2:1: error: bad\n     2 | \n       | ^\n" },
                { "x \x1b[31m \xff y\xc2\x9b", 8, 1, "f.toml:1:9: error: bad\n     1 | x ?[31m ? y?\n       |         ^\n" },
                { "one\ntwo\n", 1, 6, "f.toml:1:2: error: bad\n     1 | one\n       |  ^~\n" },
        };
        for (size_t i = 0; i < ASH_N(cases); i++) {
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("f.toml", ash_slice_str(cases[i].text));
                assert_int_equal(ash_fail(diags, -EINVAL, (AshSpan){ source, cases[i].offset, cases[i].len }, "bad"), -EINVAL);
                _free_ char *shown = format_last(diags, false);
                assert_string_equal(shown, cases[i].shown);
        }
}

static void test_diag_notes(void **state) {
        (void) state;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        AshSource *source = ash_source_new("a.toml", ASH_S("one\ntwo\n"));
        ash_note(diags, ASH_NOWHERE, "no diagnostic is there yet");
        ash_fail(diags, -EEXIST, (AshSpan){ source, 4, 3 }, "duplicate '%s'", "t\x1bwo");
        ash_note(diags, (AshSpan){ source, 0, 3 }, "first defined here");
        ash_note(diags, ASH_NOWHERE, "a fact");
        ash_hint(diags, "first hint");
        ash_hint(diags, "remove one");
        ash_source_free(source); /* nothing is needed of it any more */
        _free_ char *plain = format_last(diags, false);
        assert_string_equal(plain, "a.toml:2:1: error: duplicate 't?wo'\n     2 | two\n       | ^~~\n  a.toml:1:1: note: first defined here\n  note: a fact\n  hint: remove one\n");
        _free_ char *color = format_last(diags, true);
        assert_non_null(strstr(color, "\033[1;31merror: \033[0m"));
        ash_warn(diags, ASH_NOWHERE, "careful");
        _free_ char *warning = format_last(diags, false);
        assert_string_equal(warning, "warning: careful\n");
        ash_fail_file(diags, -ENOENT, "b.toml", "cannot read");
        _free_ char *file = format_last(diags, false);
        assert_string_equal(file, "b.toml: error: cannot read\n");
        ash_info(diags, ASH_NOWHERE, "by the way");
        assert_int_equal(ash_diags_count(diags, ASH_ERROR), 2);
        assert_int_equal(ash_diags_count(diags, ASH_WARNING), 1);
        assert_int_equal(ash_diags_count(diags, ASH_INFO), 1);
        assert_int_equal(ash_diags_at(diags, 0)->code, -EEXIST);
        assert_int_equal(ash_fail(NULL, -5, ASH_NOWHERE, "nobody listens"), -5);
        ash_diags_clear(diags);
        assert_int_equal(ash_diags_n(diags), 0);
}

static void test_diag_long_line(void **state) {
        (void) state;
        static const char *fills[] = { "x", "\xc3\xa9", "\x80", "\xff" };
        for (size_t f = 0; f < ASH_N(fills); f++) {
                _str_ AshStr text = {};
                for (int i = 0; i < 500000; i++)
                        ash_str_append_str(&text, fills[f]);
                ash_str_append_str(&text, "BAD");
                uint32_t at = (uint32_t) text.len - 3;
                for (int i = 0; i < 500000; i++)
                        ash_str_append_str(&text, fills[f]);
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("f", ash_str_slice(&text));
                ash_fail(diags, -EINVAL, (AshSpan){ source, at, 3 }, "bad");
                _free_ char *shown = format_last(diags, false);
                assert_true(strlen(shown) < 1000);
                assert_true(ash_utf8_valid(ash_slice_str(shown), NULL));
                const AshDiag *d = ash_diags_at(diags, 0);
                AshSlice line = ash_slice_str(d->line);
                assert_true(ash_slice_starts(line, ASH_S("...")) && ash_slice_ends(line, ASH_S("...")));
                uint32_t column = 0; /* the caret stands under BAD */
                for (const char *p = d->line; p < strstr(d->line, "BAD"); p++)
                        column += ((uint8_t) *p & 0xc0) != 0x80;
                assert_int_equal(d->caret, column);
                assert_int_equal(d->caret_len, 3);
        }
}

static void test_diag_sort_and_merge(void **state) {
        (void) state;
        _cleanup_(ash_diags_free_p) AshDiags *a = ash_diags_new(), *b = ash_diags_new();
        _cleanup_(ash_source_free_p) AshSource *x = ash_source_new("x", ASH_S("1\n2\n3\n")), *y = ash_source_new("y", ASH_S("1\n"));
        ash_fail(a, -1, (AshSpan){ y, 0, 1 }, "d");
        ash_fail(a, -1, (AshSpan){ x, 4, 1 }, "c");
        ash_fail(b, -1, (AshSpan){ x, 2, 1 }, "b");
        ash_fail(b, -1, (AshSpan){ x, 4, 1 }, "c2");
        ash_fail(b, -1, ASH_NOWHERE, "a");
        ash_diags_merge(NULL, b);
        ash_diags_merge(a, b);
        assert_int_equal(ash_diags_n(b), 0);
        ash_diags_sort(a);
        _str_ AshStr order = {};
        for (size_t i = 0; i < ash_diags_n(a); i++)
                ash_str_appendf(&order, "%s ", ash_diags_at(a, i)->text);
        assert_string_equal(order.ptr, "a b c c2 d ");
}

typedef struct Shared {
        AshDiags *diags;
        AshSource *source;
} Shared;

static void *complain(void *data) {
        Shared *s = data;
        for (uint32_t i = 0; i < 500; i++) {
                ash_fail(s->diags, -1, (AshSpan){ s->source, i % 100, 1 }, "%lu", (unsigned long) pthread_self());
                ash_note(s->diags, ASH_NOWHERE, "%lu", (unsigned long) pthread_self());
        }
        return NULL;
}

/* Each note lands at a diagnostic of its own thread; one source serves all. */
static void test_diag_threads(void **state) {
        (void) state;
        _str_ AshStr text = {};
        for (int i = 0; i < 50; i++)
                ash_str_append_str(&text, "a\n");
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("f", ash_str_slice(&text));
        Shared shared = { diags, source };
        pthread_t threads[8];
        for (size_t i = 0; i < ASH_N(threads); i++)
                assert_int_equal(pthread_create(&threads[i], NULL, complain, &shared), 0);
        for (size_t i = 0; i < ASH_N(threads); i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(ash_diags_n(diags), 8 * 500);
        for (size_t i = 0; i < ash_diags_n(diags); i++) {
                const AshDiag *d = ash_diags_at(diags, i);
                assert_int_equal(d->notes.n, 1);
                assert_string_equal(d->notes.items[0].text, d->text);
        }
}

static void test_strerror(void **state) {
        (void) state;
        assert_string_equal(ash_strerror(-EACCES), "Permission denied");
        assert_string_equal(ash_strerror(-ASH_ERR_VERIFY), "verification failed");
        assert_string_equal(ash_strerror(-99999), "unknown error");
}

static void test_macros(void **state) {
        (void) state;
        char *p = ash_strdup("x"), *q = ASH_TAKE(p);
        assert_null(p);
        free(q);
        int fd = 7;
        assert_int_equal(ASH_TAKE_FD(fd), 7);
        assert_int_equal(fd, -1);
        assert_int_equal(ash_align_up(0, 16), 0);
        assert_int_equal(ash_align_up(17, 16), 32);
        assert_true(ash_slice_hash(ASH_S("abc")) != ash_slice_hash(ASH_S("abd")));
        assert_true(ash_slice_hash(ASH_S("")) != ash_slice_hash(ASH_S("\0")));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_slice_compare), cmocka_unit_test(test_slice_cut), cmocka_unit_test(test_slice_take_apart), cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_distance), cmocka_unit_test(test_utf8), cmocka_unit_test(test_str), cmocka_unit_test(test_array), cmocka_unit_test(test_arena),
                cmocka_unit_test(test_no_memory), cmocka_unit_test(test_map), cmocka_unit_test(test_map_large), cmocka_unit_test(test_map_churn),
                cmocka_unit_test(test_path_normalize), cmocka_unit_test(test_path_parts), cmocka_unit_test(test_glob), cmocka_unit_test(test_glob_hostile),
                cmocka_unit_test(test_glob_braces), cmocka_unit_test(test_diag_format), cmocka_unit_test(test_diag_notes), cmocka_unit_test(test_diag_long_line),
                cmocka_unit_test(test_diag_sort_and_merge), cmocka_unit_test(test_diag_threads), cmocka_unit_test(test_strerror), cmocka_unit_test(test_macros),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
