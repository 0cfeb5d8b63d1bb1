/* Many builds: order, failures, room; with an executor that only notes what it is told, and with children of this process. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "flow-executor.h"

/* ---- a plan by hand: names, and what each needs ---- */
typedef struct Made {
        AshArena *arena;
        AshFlowPlan plan;
        AshGraphComponent components[16];
        AshFlowPlanItem items[16];
        AshGraphBase base;
} Made;

static void made_done(Made *m) {
        ash_graph_free(m->plan.graph);
        ash_arena_free(m->arena);
}

/* "a", "b: a", "c?: a b", sorted by name; "?": its build asks for more. */
static void make(Made *m, const char *const *lines, size_t n) {
        *m = (Made){ .arena = ash_arena_new(), .base = { .stage = ASH_S("default"), .built = true } };
        for (size_t i = 0; i < n; i++) {
                AshSlice rest = ash_slice_str(lines[i]), name, word;
                ash_slice_split(&rest, ':', &name);
                m->items[i].dynamic = ash_slice_ends(name, ASH_S("?"));
                name.len -= m->items[i].dynamic;
                AshGraphComponent *c = &m->components[i];
                AshPackage *p = ash_arena_new_item(m->arena, AshPackage);
                *p = (AshPackage){ .name = name, .version = ASH_S("1"), .release = ASH_S("1"), .arch = ASH_S("noarch") };
                *c = (AshGraphComponent){ .name = name, .packages = p, .n_packages = 1, .ms = 1000 };
                c->needs.items = ash_arena_new_items(m->arena, AshDep, 16);
                while (ash_slice_next_word(&rest, &word))
                        c->needs.items[c->needs.n++] = (AshDep){ .name = word };
                m->items[i].ms = 1000;
        }
        m->plan.input = (AshGraphInput){ .arch = "x86_64", .bases = &m->base, .n_bases = 1, .components = m->components, .n_components = n };
        m->plan.items = m->items;
        m->plan.graph = ash_graph_new(&m->plan.input);
}

/* ---- an executor that only notes: as far from children of this process as a cluster's scheduler is ---- */
typedef struct Fake {
        AshExecutor base;
        const Made *made;
        const char *failing, *cached; /* names with a blank around each */
        const char *const *answers;  /* "a b c": a's build asks for b and c; ended by NULL */
        bool last_first;             /* the one that was started last ends first */
        unsigned interrupt;          /* after so many ends the user wants to end; 0: never */
        unsigned room;
        struct { uint32_t id; bool ask; } running[16];
        unsigned n, n_ended;
        bool cancelled;
        AshStr log;                  /* "+a" started, "?a" asked, "-a" ended */
} Fake;

static bool is_among(const char *names, AshSlice name) {
        _free_ char *word = ash_asprintf(" %.*s ", ASH_F(name));
        return names && strstr(names, word);
}

static int fake_start(AshExecutor *e, uint32_t id, const AshJob *job, AshDiags *diags) {
        Fake *f = (Fake *) e;
        (void) diags;
        if (f->n == f->room)
                return 0;
        assert_false(f->cancelled);
        f->running[f->n].id = id;
        f->running[f->n++].ask = job->ask;
        ash_str_appendf(&f->log, "%c%.*s", job->ask ? '?' : '+', ASH_F(job->component));
        return 1;
}

static void answer(const Fake *f, AshSlice name, AshJobEnd *ret) {
        ret->state = ASH_JOB_ASKED;
        ret->arena = ash_arena_new();
        ret->requires = ash_arena_new_items(ret->arena, AshSlice, 16);
        for (const char *const *a = f->answers; a && *a; a++) {
                AshSlice rest = ash_slice_str(*a), word;
                if (ash_slice_next_word(&rest, &word) && ash_slice_eq(word, name))
                        while (ash_slice_next_word(&rest, &word))
                                ret->requires[ret->n_requires++] = word;
        }
}

static int fake_wait_any(AshExecutor *e, AshJobEnd *ret) {
        Fake *f = (Fake *) e;
        if (!f->n)
                return 0;
        if (f->interrupt && f->n_ended == f->interrupt && !f->cancelled)
                return -EINTR;
        unsigned at = f->last_first ? f->n - 1 : 0;
        uint32_t id = f->running[at].id;
        bool ask = f->running[at].ask;
        memmove(f->running + at, f->running + at + 1, (--f->n - at) * sizeof *f->running);
        AshSlice name = f->made->components[id].name;
        bool fails = is_among(f->failing, name);
        *ret = (AshJobEnd){ .id = id, .state = f->cancelled ? ASH_JOB_CANCELLED : fails ? ASH_JOB_FAILED : is_among(f->cached, name) ? ASH_JOB_CACHED : ASH_JOB_BUILT,
                            .code = f->cancelled ? -EINTR : fails ? -EIO : 0, .diags = ash_diags_new() };
        f->n_ended++;
        if (ret->state == ASH_JOB_FAILED)
                ash_fail(ret->diags, -EIO, ASH_NOWHERE, "it broke");
        if (ask && !f->cancelled)
                answer(f, name, ret);
        ash_str_appendf(&f->log, "-%.*s", ASH_F(name));
        return 1;
}

static void fake_cancel(AshExecutor *e) { ((Fake *) e)->cancelled = true; }
static void fake_free(AshExecutor *e) { (void) e; }
static const AshExecutorOps fake_ops = { fake_start, fake_wait_any, fake_cancel, fake_free };

static void run_fake(const char *const *lines, size_t n, unsigned room, const char *failing, const bool *wanted, const char *log, int result, const char *skipped) {
        Made m __attribute__((__cleanup__(made_done)));
        make(&m, lines, n);
        Fake f = { .base.ops = &fake_ops, .made = &m, .failing = failing, .room = room };
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        AshFlow flow = { .diags = diags };
        AshFlowBuilds done;
        assert_int_equal(ash_flow_builds_run(&flow, &m.plan, wanted, NULL, &f.base, &done), result);
        assert_string_equal(f.log.ptr, log);
        _str_ AshStr text = {};
        ash_array_foreach(&done.items, item)
                if (item->state == ASH_JOB_SKIPPED)
                        ash_str_appendf(&text, "%.*s<%.*s ", ASH_F(m.components[item->component].name), ASH_F(m.components[item->because].name));
        assert_string_equal(text.ptr ? text.ptr : "", skipped);
        ash_flow_builds_done(&done);
        ash_str_done(&f.log);
}

static const char *const diamond[] = { "a", "b: a", "c: a", "d: b c", "e" };

static void order(void **state) {
        (void) state;
        run_fake(diamond, 5, 1, "", NULL, "+a-a+b-b+c-c+d-d+e-e", 0, "");
        run_fake(diamond, 5, 2, "", NULL, "+a+e-a+b-e+c-b-c+d-d", 0, "");
}

static void failures(void **state) {
        (void) state;
        run_fake(diamond, 5, 1, " b ", NULL, "+a-a+b-b+c-c+e-e", -EIO, "d<b ");
        run_fake(diamond, 5, 1, " a ", NULL, "+a-a+e-e", -EIO, "b<a c<a d<a ");
        run_fake(diamond, 5, 2, " b c ", NULL, "+a+e-a+b-e+c-b-c", -EIO, "d<b ");
}

/* What is not wanted is there already: nothing waits for it, and no failure goes through it. */
static void wanted(void **state) {
        (void) state;
        bool d_and_a[16] = { true, false, false, true, false };
        run_fake(diamond, 5, 2, "", d_and_a, "+a+d-a-d", 0, "");
        run_fake(diamond, 5, 2, " a ", d_and_a, "+a+d-a-d", -EIO, "");
        bool no_c[16] = { true, true, false, true, false };
        run_fake(diamond, 5, 2, " a ", no_c, "+a-a", -EIO, "b<a d<a ");
}

static void cycle(void **state) {
        static const char *const lines[] = { "a", "x: y a", "y: x", "z: x" };
        (void) state;
        run_fake(lines, 4, 1, "", NULL, "+x-x+a-a+y-y+z-z", 0, "");
}

/* Which names ended how, "a:built b:skipped ", with an executor of any manner. */
static void run_cluster(const char *const *lines, size_t n, Fake f, const bool *known, const char *log, const char *states, int result) {
        Made m __attribute__((__cleanup__(made_done)));
        make(&m, lines, n);
        f.base.ops = &fake_ops;
        f.made = &m;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        AshFlow flow = { .diags = diags };
        AshFlowBuilds done;
        assert_int_equal(ash_flow_builds_run(&flow, &m.plan, NULL, known, &f.base, &done), result);
        assert_string_equal(f.log.ptr ? f.log.ptr : "", log);
        _str_ AshStr text = {};
        for (uint32_t i = 0; i < n; i++)
                ash_array_foreach(&done.items, item)
                        if (item->component == i)
                                ash_str_appendf(&text, "%.*s:%s ", ASH_F(m.components[i].name), ash_job_state_name(item->state));
        assert_string_equal(text.ptr, states);
        assert_int_equal(f.n, 0);
        ash_flow_builds_done(&done);
        ash_str_done(&f.log);
}

/* In whatever order it ends what it was given. */
static void any_order(void **state) {
        (void) state;
        run_cluster(diamond, 5, (Fake){ .room = 16, .last_first = true }, NULL, "+a+e-e-a+b+c-c-b+d-d", "a:built b:built c:built d:built e:built ", 0);
        run_cluster(diamond, 5, (Fake){ .room = 16, .last_first = true, .failing = " c " }, NULL, "+a+e-e-a+b+c-c-b", "a:built b:built c:failed d:skipped e:built ", -EIO);
}

/* What runs is ended, and nothing is begun any more. */
static void cancelled(void **state) {
        (void) state;
        run_cluster(diamond, 5, (Fake){ .room = 16, .interrupt = 1 }, NULL, "+a+e-a+b+c-e-b-c", "a:built b:cancelled c:cancelled d:not-started e:cancelled ", -EINTR);
        run_cluster(diamond, 5, (Fake){ .room = 1, .interrupt = 1 }, NULL, "+a-a+b-b", "a:built b:cancelled c:not-started d:not-started e:not-started ", -EINTR);
}

/* What a build asks for only while it runs makes order, too: a waits for c although no spec says so. */
static void asked(void **state) {
        static const char *const lines[] = { "a?", "b: a", "c", "d?: c" }, *const answers[] = { "a c", "d x", NULL };
        (void) state;
        run_cluster(lines, 4, (Fake){ .room = 1, .answers = answers }, NULL, "?a-a+c-c?a-a+a-a+b-b+d-d", "a:built b:built c:built d:built ", 0);
        run_cluster(lines, 4, (Fake){ .room = 1, .answers = answers, .failing = " c " }, NULL, "?a-a+c-c", "a:skipped b:skipped c:failed d:skipped ", -EIO);
}

/* Where a run goes on, nobody is asked about what is known, but for what needs something that this run built anew. */
static void known(void **state) {
        static const bool all[16] = { true, true, true, true, true }, but_a[16] = { false, true, true, true, true }, but_c[16] = { true, true, false, true, true };
        (void) state;
        run_cluster(diamond, 5, (Fake){ .room = 2 }, all, "", "a:cached b:cached c:cached d:cached e:cached ", 0);
        run_cluster(diamond, 5, (Fake){ .room = 1 }, but_a, "+a-a+b-b+c-c+d-d", "a:built b:built c:built d:built e:cached ", 0);
        run_cluster(diamond, 5, (Fake){ .room = 1, .cached = " a " }, but_a, "+a-a", "a:cached b:cached c:cached d:cached e:cached ", 0);
        run_cluster(diamond, 5, (Fake){ .room = 1 }, but_c, "+c-c+d-d", "a:cached b:cached c:built d:built e:cached ", 0);
        run_cluster(diamond, 5, (Fake){ .room = 1, .failing = " c " }, but_c, "+c-c", "a:cached b:cached c:failed d:skipped e:cached ", -EIO);
}

/* ---- children ---- */
static const char script[] =
        "case $1 in\n"
        "bad) echo '{\"event\":\"diagnostics\",\"diagnostics\":[{\"severity\":\"error\",\"file\":\"bad.spec\",\"line\":3,\"text\":\"odd tag\",\"hint\":\"mend it\",\"notes\":[{\"text\":\"a note\"}]}]}' >&2; exit 4;;\n"
        "shot) kill -9 $$;;\n"
        "mute) exit 0;;\n"
        "slow) echo $$ > $SLOW_PID; sleep 100 & wait;;\n"
        "alone*) : > $ALONE/$1; sleep 0.5; [ $(ls $ALONE | wc -l) = 1 ] || : > $ALONE/seen; rm $ALONE/$1; echo '[{\"cached\":false,\"packages\":[]}]';;\n"
        "cached) echo '[{\"cached\":true,\"packages\":[]}]';;\n"
        "*) echo '[{\"cached\":false,\"packages\":[1,2]}]';;\n"
        "esac\n";

static int run_local(Made *m, unsigned jobs, uint64_t memory, AshFlowBuilds *done, AshDiags *diags) {
        static const char *const argv[] = { "/bin/sh", "-c", script, "job", NULL };
        _cleanup_(ash_executor_free_p) AshExecutor *e = NULL;
        AshFlow flow = { .diags = diags };
        assert_int_equal(ash_executor_new_local(&(AshLocalExecutorOptions){ argv, jobs, memory }, &e, diags), 0);
        return ash_flow_builds_run(&flow, &m->plan, NULL, NULL, e, done);
}

static const AshFlowBuildsItem *item_of(const Made *m, const AshFlowBuilds *done, const char *name) {
        ash_array_foreach(&done->items, item)
                if (ash_slice_eqs(m->components[item->component].name, name))
                        return item;
        fail();
        return NULL;
}

static const AshDiag *said(const AshDiags *diags, const char *text) {
        for (size_t i = 0; i < ash_diags_n(diags); i++)
                if (strstr(ash_diags_at(diags, i)->text, text))
                        return ash_diags_at(diags, i);
        fail();
        return NULL;
}

static void children(void **state) {
        static const char *const lines[] = { "after-bad: bad", "after-good: good cached", "bad", "cached", "good", "mute", "shot" };
        (void) state;
        for (unsigned jobs = 1; jobs <= 4; jobs += 3) {
                Made m __attribute__((__cleanup__(made_done)));
                AshFlowBuilds done;
                _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
                make(&m, lines, ASH_N(lines));
                assert_true(run_local(&m, jobs, UINT64_MAX, &done, diags) < 0);
                static const struct { const char *name; AshJobState state; int code; size_t packages; } expected[] = {
                        { "after-bad", ASH_JOB_SKIPPED, 0, 0 }, { "after-good", ASH_JOB_BUILT, 0, 2 }, { "bad", ASH_JOB_FAILED, -ASH_ERR_UNSOLVABLE, 0 }, { "cached", ASH_JOB_CACHED, 0, 0 },
                        { "good", ASH_JOB_BUILT, 0, 2 }, { "mute", ASH_JOB_FAILED, -EIO, 0 }, { "shot", ASH_JOB_FAILED, -EIO, 0 },
                };
                for (size_t i = 0; i < ASH_N(expected); i++) {
                        const AshFlowBuildsItem *item = item_of(&m, &done, expected[i].name);
                        assert_int_equal(item->state, expected[i].state);
                        assert_int_equal(item->code, expected[i].code);
                        assert_int_equal(item->packages, expected[i].packages);
                }
                assert_int_equal(done.items.n, ASH_N(expected));
                const AshDiag *d = said(diags, "'bad': bad.spec:3: odd tag");
                assert_string_equal(d->hint, "mend it");
                assert_string_equal(d->notes.items[0].text, "a note");
                said(diags, "'shot': its process was ended by signal 9");
                said(diags, "'mute': its process did not say what it built");
                ash_flow_builds_done(&done);
        }
}

/* Jobs that need more than they may have, or than the machine has free (MemAvailable), run one after the other: each notes who is there beside it. */
static void memory(void **state) {
        static const char *const lines[] = { "alone1", "alone2", "alone3" };
        static const struct { uint64_t each, limit; bool fits; } cases[] = { { 2 << 20, 3 << 20, false }, { 2 << 20, 64 << 20, true }, { UINT64_C(1) << 50, UINT64_MAX, false } };
        (void) state;
        for (size_t c = 0; c < ASH_N(cases); c++) {
                Made m __attribute__((__cleanup__(made_done)));
                AshFlowBuilds done;
                _cleanup_(ash_tempdir_free_p) AshTempDir *dir = NULL;
                assert_int_equal(ash_tempdir_new(NULL, &dir), 0);
                setenv("ALONE", dir->path, 1);
                make(&m, lines, ASH_N(lines));
                for (size_t i = 0; i < 3; i++)
                        m.items[i].memory = cases[c].each;
                assert_int_equal(run_local(&m, 3, cases[c].limit, &done, NULL), 0);
                _free_ char *seen = ash_asprintf("%s/seen", dir->path);
                assert_int_equal(access(seen, F_OK) == 0, cases[c].fits);
                ash_flow_builds_done(&done);
        }
}

/* Somebody who ends this process when the slow child runs. */
static pid_t interrupt_when(const char *file) {
        pid_t parent = getpid(), pid = fork();
        if (pid)
                return pid;
        for (int i = 0; i < 3000 && access(file, F_OK) < 0; i++)
                usleep(10000);
        usleep(50000);
        kill(parent, SIGINT);
        _exit(0);
}

static void interrupted(void **state) {
        static const char *const lines[] = { "after: slow", "slow" };
        (void) state;
        Made m __attribute__((__cleanup__(made_done)));
        AshFlowBuilds done;
        _cleanup_(ash_tempdir_free_p) AshTempDir *dir = NULL;
        assert_int_equal(ash_tempdir_new(NULL, &dir), 0);
        _free_ char *file = ash_asprintf("%s/pid", dir->path);
        setenv("SLOW_PID", file, 1);
        make(&m, lines, ASH_N(lines));
        pid_t helper = interrupt_when(file);
        uint64_t began = ash_now_ns();
        assert_int_equal(run_local(&m, 2, UINT64_MAX, &done, NULL), -EINTR);
        assert_true(ash_now_ns() - began < UINT64_C(60) * 1000000000);
        waitpid(helper, NULL, 0);
        assert_int_equal(item_of(&m, &done, "slow")->state, ASH_JOB_CANCELLED);
        assert_int_equal(item_of(&m, &done, "after")->state, ASH_JOB_NOT_STARTED);
        _bytes_ AshBytes pid = {};
        uint64_t n = 0;
        assert_int_equal(ash_file_read(AT_FDCWD, file, 64, &pid), 0);
        assert_int_equal(ash_slice_to_u64(ash_slice_trim(ash_bytes_slice(&pid)), 10, &n), 0);
        assert_true(kill((pid_t) n, 0) < 0); /* nothing of it is left */
        ash_flow_builds_done(&done);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(order), cmocka_unit_test(failures), cmocka_unit_test(wanted), cmocka_unit_test(cycle), cmocka_unit_test(any_order), cmocka_unit_test(cancelled), cmocka_unit_test(asked), cmocka_unit_test(known), cmocka_unit_test(children), cmocka_unit_test(memory), cmocka_unit_test(interrupted),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
