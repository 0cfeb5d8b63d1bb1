/* Runs the text cases of tests/solver/: a universe, requests, and what must come out. Every line is one of
 *   repo NAME [PRIORITY] | pkg NEVRA | <dep kind> DEP | file PATH | install|exclude|keep WHAT | weak | best
 *   chosen NEVRA REASON [BECAUSE-NAME]   the whole answer, in order | error TEXT | note TEXT | hint TEXT   parts of diagnostics, in order
 * Each case is solved three times: from the packages, from the .solv file written of them, and from the part of the index that the requests reach. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "solve.h"

typedef struct Case {
        AshArena *arena;
        AshUniverse *u;
        enum { DIRECT, THROUGH_SOLV, THROUGH_INDEX } way;
        AshPackage package;
        ASH_ARRAY(AshDep) deps[ASH_DEP_MAX_];
        ASH_ARRAY(AshSlice) files;
        ASH_ARRAY(AshRequest) requests;
        AshSolveOptions options;
        AshStr got, want;
} Case;

static void flush_package(Case *c) {
        if (!c->package.name.len)
                return;
        for (int k = 0; k < ASH_DEP_MAX_; k++)
                c->package.deps[k] = (AshDeps){ c->deps[k].items, c->deps[k].n };
        c->package.files = c->files.items;
        c->package.n_files = c->files.n;
        ash_universe_add_package(c->u, &c->package);
        c->package = (AshPackage){};
        for (int k = 0; k < ASH_DEP_MAX_; k++)
                c->deps[k].n = 0;
        c->files.n = 0;
}

/* Replaces the universe by what its .solv file gives. */
static void reload(Case *c) {
        char name[] = "/tmp/ashlar-solv-XXXXXX";
        int fd = mkstemp(name);
        assert_true(fd >= 0);
        unlink(name);
        assert_int_equal(ash_universe_write_solv(c->u, fd, NULL), 0);
        ash_universe_free(c->u);
        c->u = ash_universe_new("x86_64");
        ash_universe_add_repo(c->u, "main", 0);
        lseek(fd, 0, SEEK_SET);
        static char bytes[1 << 20];
        ssize_t n = read(fd, bytes, sizeof bytes);
        assert_true(n > 0);
        assert_int_equal(ash_universe_add_solv(c->u, ash_slice(bytes, (size_t) n), NULL), 0);
        close(fd);
}

static void line(Case *c, AshSlice text) {
        AshSlice rest = text, word;
        if (!ash_slice_next_word(&rest, &word) || word.ptr[0] == '#')
                return;
        rest = ash_slice_trim(rest);
        char *arg = ash_arena_strndup(c->arena, rest.ptr, rest.len);
        AshSlice a = ash_slice(arg, rest.len);
        for (int k = 0; k < ASH_DEP_MAX_; k++)
                if (ash_slice_eqs(word, ash_dep_kind_name(k))) {
                        AshDep d;
                        assert_int_equal(ash_dep_parse(a, &d), 0);
                        ash_array_push(&c->deps[k], d);
                        return;
                }
        if (ash_slice_eqs(word, "file")) {
                ash_array_push(&c->files, a);
                return;
        }
        if (ash_slice_eqs(word, "pkg")) {
                flush_package(c);
                assert_int_equal(ash_nevra_parse(a, &c->package), 0);
        } else if (ash_slice_eqs(word, "install") || ash_slice_eqs(word, "exclude") || ash_slice_eqs(word, "keep")) {
                int job = word.ptr[0] == 'i' ? ASH_REQUEST_INSTALL : word.ptr[0] == 'e' ? ASH_REQUEST_EXCLUDE : ASH_REQUEST_KEEP;
                ash_array_push(&c->requests, ((AshRequest){ .what = a, .job = job, .reason = ASH_REASON_USER }));
        } else if (ash_slice_eqs(word, "weak"))
                c->options.weak = true;
        else if (ash_slice_eqs(word, "best"))
                c->options.best = true;
        else if (ash_slice_eqs(word, "repo")) {
                flush_package(c);
                AshSlice name, priority;
                uint64_t p = 0;
                ash_slice_next_word(&a, &name);
                if (ash_slice_next_word(&a, &priority))
                        ash_slice_to_u64(priority, 10, &p);
                _free_ char *n = ash_slice_dup(name);
                ash_universe_add_repo(c->u, n, (int) p);
        } else
                ash_str_appendf(&c->want, "%.*s %.*s\n", ASH_F(word), ASH_F(a));
}

/* As a lock does it: what has no answer in the part is asked of the whole. */
static int solve_part(Case *c, AshPkgSet **ret) {
        _cleanup_(ash_universe_free_p) AshUniverse *part = NULL;
        _cleanup_(ash_index_free_p) AshIndex *index = NULL;
        _str_ AshStr bytes = {};
        assert_int_equal(ash_universe_write_index(c->u, &bytes), 0);
        assert_int_equal(ash_index_open(ash_str_slice(&bytes), &index), 0);
        int r = ash_index_part(index, "x86_64", c->requests.items, c->requests.n, NULL, &part);
        return r < 0 ? r : ash_solve(part, c->requests.items, c->requests.n, &c->options, ret, NULL);
}

static void answer(Case *c) {
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        _cleanup_(ash_pkgset_free_p) AshPkgSet *set = NULL;
        int r = c->way == THROUGH_INDEX ? solve_part(c, &set) : -1;
        if (r < 0)
                r = ash_solve(c->u, c->requests.items, c->requests.n, &c->options, &set, diags);
        if (r >= 0)
                for (size_t i = 0; i < set->n; i++) {
                        const AshChosen *x = &set->items[i];
                        AshSlice nevra = ash_package_nevra(x->package, c->arena);
                        ash_str_appendf(&c->got, "chosen %.*s %s", ASH_F(nevra), ash_reason_kind_name(x->reason));
                        if (x->because != UINT32_MAX)
                                ash_str_appendf(&c->got, " %.*s", ASH_F(set->items[x->because].package->name));
                        ash_str_append_char(&c->got, '\n');
                }
        for (size_t i = 0; i < ash_diags_n(diags); i++) {
                const AshDiag *d = ash_diags_at(diags, i);
                ash_str_appendf(&c->got, "error %s\n", d->text);
                for (size_t k = 0; k < d->notes.n; k++)
                        ash_str_appendf(&c->got, "note %s\n", d->notes.items[k].text);
                if (d->hint)
                        ash_str_appendf(&c->got, "hint %s\n", d->hint);
        }
}

static void run_case(const char *path, int way) {
        static char text[1 << 16];
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        size_t n = fread(text, 1, sizeof text, f);
        fclose(f);
        Case c = { .way = way, .arena = ash_arena_new(), .u = ash_universe_new("x86_64") };
        ash_universe_add_repo(c.u, "main", 0);
        AshSlice rest = ash_slice(text, n), one;
        while (ash_slice_next_line(&rest, &one))
                line(&c, one);
        flush_package(&c);
        if (way == THROUGH_SOLV)
                reload(&c);
        answer(&c);
        if (strcmp(c.got.ptr ? c.got.ptr : "", c.want.ptr ? c.want.ptr : ""))
                fail_msg("%s%s:\n--- wanted\n%s--- got\n%s", path, (const char *[]){ "", " (through .solv)", " (through an index)" }[way], c.want.ptr, c.got.ptr);
        for (int k = 0; k < ASH_DEP_MAX_; k++)
                ash_array_done(&c.deps[k]);
        ash_array_done(&c.files);
        ash_array_done(&c.requests);
        ash_str_done(&c.got);
        ash_str_done(&c.want);
        ash_universe_free(c.u);
        ash_arena_free(c.arena);
}

static void test_cases(void **state) {
        (void) state;
        const char *dir = getenv("ASHLAR_SOLVER_CASES");
        assert_non_null(dir);
        DIR *d = opendir(dir);
        assert_non_null(d);
        unsigned n = 0;
        for (struct dirent *e; (e = readdir(d));) {
                if (!ash_slice_ends(ash_slice_str(e->d_name), ASH_S(".case")))
                        continue;
                _free_ char *path = ash_path_join(dir, e->d_name);
                run_case(path, DIRECT);
                run_case(path, THROUGH_INDEX);
                if (strncmp(e->d_name, "repos-", 6) != 0)
                        run_case(path, THROUGH_SOLV);
                n++;
        }
        closedir(d);
        assert_true(n >= 8);
}

static void test_query(void **state) {
        (void) state;
        _cleanup_(ash_universe_free_p) AshUniverse *u = ash_universe_new("x86_64");
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        ash_universe_add_repo(u, "main", 0);
        AshDep requires[] = { { ASH_S("/usr/bin/x"), ASH_NOSLICE, 0 }, { ASH_S("(b or c)"), ASH_NOSLICE, 0 }, { ASH_S("d"), ASH_S("1:2-3"), ASH_DEP_GT | ASH_DEP_EQ | ASH_DEP_PRE } };
        AshSlice files[] = { ASH_S("/usr/bin/x"), ASH_S("/usr/share/not-required") };
        AshPackage a = { .name = ASH_S("a"), .version = ASH_S("1.0"), .release = ASH_S("2"), .arch = ASH_S("x86_64"), .epoch = 3, .size = 77, .location = ASH_S("p/a.rpm"),
                         .sha256 = ASH_S("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"), .source_rpm = ASH_S("a-1.0-2.src.rpm") };
        a.deps[ASH_DEP_REQUIRES] = (AshDeps){ requires, 3 };
        ash_universe_add_package(u, &a);
        AshPackage x = { .name = ASH_S("x"), .version = ASH_S("1"), .release = ASH_S("1"), .arch = ASH_S("noarch"), .files = files, .n_files = 2 };
        ash_universe_add_package(u, &x);
        AshPkgIds ids = {};
        ash_universe_what_provides(u, ASH_S("/usr/bin/x"), &ids);
        assert_int_equal(ids.ids.n, 1);
        ids.ids.n = 0;
        ash_universe_what_provides(u, ASH_S("/usr/share/not-required"), &ids);
        assert_int_equal(ids.ids.n, 1);
        ids.ids.n = 0;
        ash_universe_what_requires(u, ASH_S("d"), &ids);
        assert_int_equal(ids.ids.n, 1);
        const AshPackage *p = ash_universe_package(u, ids.ids.items[0], arena);
        assert_int_equal(p->epoch, 3);
        assert_int_equal(p->size, 77);
        assert_true(ash_slice_eqs(p->location, "p/a.rpm"));
        assert_true(ash_slice_eq(p->sha256, a.sha256));
        assert_true(ash_slice_eqs(p->source_rpm, "a-1.0-2.src.rpm"));
        assert_int_equal(p->deps[ASH_DEP_REQUIRES].n, 3);
        assert_true(ash_slice_eqs(p->deps[ASH_DEP_REQUIRES].items[1].name, "(b or c)"));
        assert_int_equal(p->deps[ASH_DEP_REQUIRES].items[2].flags, ASH_DEP_GT | ASH_DEP_EQ | ASH_DEP_PRE);
        assert_true(ash_slice_eqs(p->deps[ASH_DEP_REQUIRES].items[2].evr, "1:2-3"));
        ash_pkgids_done(&ids);
        assert_true(ash_evr_compare(u, ASH_S("1.0~rc1-1"), ASH_S("1.0-1")) < 0);
        assert_true(ash_evr_compare(u, ASH_S("1:1-1"), ASH_S("2-1")) > 0);
        assert_true(ash_evr_compare(u, ASH_S("1.0"), ASH_S("1.0-7")) == 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cases),
                cmocka_unit_test(test_query),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
