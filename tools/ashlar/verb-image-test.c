/* image test: an image booted, and what must be true of it. */
#include <inttypes.h>
#include "io.h"
#include "machine.h"
#include "regex.h"
#include "verb-image.h"

#define BOOT_SECONDS 600       /* to a login; under emulation on a busy host it takes minutes */
#define START_SECONDS 300      /* from there until nothing is being started any more */
#define CHECK_SECONDS 60       /* of a check that does not say */
#define OFF_SECONDS 120

typedef struct Outcome {
        const char *name;            /* borrowed from the arena */
        bool good;
        double seconds;
        char *what;                  /* why it failed, or what was measured; or NULL */
} Outcome;

typedef struct Test {
        AshCli *cli;
        AshArena *arena;
        AshMachine *m;
        AshImageDisk disk;
        ASH_ARRAY(Outcome) outcomes;
        uint64_t begun;              /* the check that is being made */
        uint64_t memory;             /* bytes used after boot; 0: not measured */
        const char *log;             /* where the machine's log was kept */
} Test;

static void test_done(Test *t) {
        ash_machine_free(t->m);
        ash_image_disk_done(&t->disk);
        ash_array_done(&t->outcomes);
        ash_arena_free(t->arena);
}

static void outcome(Test *t, const char *name, bool good, const char *what) {
        ash_array_push(&t->outcomes, ((Outcome){ name, good, (double) (ash_now_ns() - t->begun) / 1e9, ash_arena_strdup(t->arena, what) }));
        ash_progress_advance(t->cli->progress, 1);
        t->begun = ash_now_ns();
}

/* A command's output without the newlines at its end, in the arena. Negative: the machine is gone. */
static int ask(Test *t, AshSlice command, unsigned seconds, AshSlice *ret) {
        _cleanup_(ash_machine_answer_done) AshMachineAnswer answer = {};
        int r = ash_machine_run(t->m, command, seconds, &answer, t->cli->diags);
        if (r < 0)
                return r;
        *ret = ash_arena_slice(t->arena, ash_slice_trim_right(ash_str_slice(&answer.output)));
        return answer.status;
}

/* ---- what is true of each image ---- */
static int check_boot(Test *t) {
        int r = ash_machine_wait(t->m, ASH_MACHINE_LOGIN, BOOT_SECONDS * 1000, t->cli->diags);
        if (r < 0)
                return r;
        outcome(t, "login", r & ASH_MACHINE_LOGIN, r & ASH_MACHINE_LOGIN ? NULL : r ? "the machine went off" : "the console asks nobody to log in");
        if (!(r & ASH_MACHINE_LOGIN))
                return 1;
        r = ash_machine_wait(t->m, ASH_MACHINE_AGENT, BOOT_SECONDS * 1000, t->cli->diags);
        if (r >= 0 && !(r & ASH_MACHINE_AGENT))
                outcome(t, "commands", false, "the machine takes no commands: systemd 254 or later must run in it");
        return r < 0 ? r : !(r & ASH_MACHINE_AGENT);
}

static int check_state(Test *t) {
        AshSlice state, failed;
        int r = ask(t, ASH_S("systemctl is-system-running --wait"), START_SECONDS, &state);
        if (r >= 0)
                outcome(t, "system is running", ash_slice_eqs(state, "running"), ash_slice_eqs(state, "running") ? NULL : ash_arena_printf(t->arena, "it is '%.*s'", ASH_F(state)));
        if (r >= 0)
                r = ask(t, ASH_S("systemctl list-units --failed --plain --no-legend | cut -d' ' -f1"), CHECK_SECONDS, &failed);
        if (r >= 0)
                outcome(t, "no failed unit", !failed.len, failed.len ? failed.ptr : NULL);
        return r;
}

static int measure(Test *t) {
        AshSlice text;
        int r = ask(t, ASH_S("while read -r k v u; do case $k in MemTotal:) a=$v;; MemAvailable:) b=$v;; esac; done </proc/meminfo; echo $(((a - b) * 1024))"), CHECK_SECONDS, &text);
        if (r >= 0 && ash_slice_to_u64(text, 10, &t->memory) < 0)
                t->memory = 0;
        t->begun = ash_now_ns();
        return r;
}

static int matched(void *context, size_t start, size_t end) {
        (void) context, (void) start, (void) end;
        return -ECANCELED; /* one is enough */
}

static int output_matches(Test *t, AshText pattern, AshSlice output, bool *ret) {
        _cleanup_(ash_regex_free_p) AshRegex *regex = NULL;
        int r = ash_regex_new(pattern.s, ASH_REGEX_RE2, ASH_REGEX_MULTILINE, pattern.at, &regex, t->cli->diags);
        if (r < 0)
                return r;
        ptrdiff_t n = ash_regex_each(regex, output, matched, NULL, t->cli->diags);
        *ret = n == -ECANCELED || n > 0;
        return n < 0 && n != -ECANCELED ? (int) n : 0;
}

static int check_one(Test *t, const AshImageCheck *c) {
        unsigned seconds = c->timeout.set ? (unsigned) c->timeout.value : CHECK_SECONDS;
        int64_t wanted = c->status.set ? c->status.value : 0;
        const char *name = ash_arena_slice(t->arena, c->name.s).ptr, *what = NULL;
        AshSlice output;
        bool matches = true;
        int status = ask(t, c->run.s, seconds, &output);
        if (status < 0)
                return status;
        int r = ash_text_set(c->output) ? output_matches(t, c->output, output, &matches) : 0;
        if (r < 0)
                return r;
        if (status != wanted)
                what = status == 124 ? ash_arena_printf(t->arena, "not done after %u s: %.*s", seconds, ASH_F(output)) :
                                       ash_arena_printf(t->arena, "exit status %d, not %" PRIi64 ": %.*s", status, wanted, ASH_F(output));
        else if (!matches)
                what = ash_arena_printf(t->arena, "the output does not match '%.*s': %.*s", ASH_F(c->output.s), ASH_F(output));
        outcome(t, name, !what, what);
        return 0;
}

static int run_checks(Test *t) {
        const AshImage *image = t->disk.image;
        size_t n = image ? image->checks.n : 0;
        t->begun = ash_now_ns();
        ash_progress_begin(t->cli->progress, "booting", 0, ASH_UNIT_ITEMS); /* on its own: checks take seconds, and a share of all would promise hours */
        int r = check_boot(t);
        ash_progress_end(t->cli->progress);
        if (r)
                return r < 0 ? r : 0;
        ash_progress_begin(t->cli->progress, "testing the machine", 2 + n, ASH_UNIT_ITEMS);
        r = check_state(t);
        if (r >= 0)
                r = measure(t);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = check_one(t, &image->checks.items[i]);
        ash_progress_end(t->cli->progress);
        return r < 0 ? r : 0;
}

static int check_off(Test *t) {
        int r = ash_machine_power_off(t->m, OFF_SECONDS * 1000, t->cli->diags);
        outcome(t, "power off", r == 0, r == 0 ? NULL : ash_arena_printf(t->arena, "it is still on %d s after the power button was pressed", OFF_SECONDS));
        return r == -ETIMEDOUT ? 0 : r;
}

static size_t count_bad(const Test *t) {
        size_t bad = 0;
        ash_array_foreach(&t->outcomes, o)
                bad += !o->good;
        return bad;
}

/* The console, and the journal where commands can be run, beside the image. */
static void keep_log(Test *t, bool journal) {
        _cleanup_(ash_machine_answer_done) AshMachineAnswer answer = {};
        _cleanup_(ash_diags_free_p) AshDiags *quiet = ash_diags_new();
        _str_ AshStr text = {}, path = {};
        AshSlice console = ash_machine_console(t->m);
        ash_str_appendf(&path, "%s.log", t->disk.path);
        ash_str_append(&text, console);
        if (journal && ash_machine_when(t->m, ASH_MACHINE_AGENT) && !ash_machine_when(t->m, ASH_MACHINE_ENDED) && ash_machine_run(t->m, ASH_S("journalctl -b --no-pager -o short-monotonic | tail -n 1500"), CHECK_SECONDS, &answer, quiet) >= 0) {
                ash_str_append_str(&text, "\n\n---- journal ----\n");
                ash_str_append(&text, ash_str_slice(&answer.output));
        }
        if (ash_file_write_atomic(AT_FDCWD, path.ptr, ash_str_slice(&text), 0644, false) >= 0)
                t->log = ash_arena_strdup(t->arena, path.ptr);
}

/* ---- results ---- */
static double login_seconds(const Test *t) { return (double) ash_machine_when(t->m, ASH_MACHINE_LOGIN) / 1e9; }

static void print_text(Test *t) {
        AshCli *cli = t->cli;
        _str_ AshStr memory = {};
        ash_array_foreach(&t->outcomes, o) {
                ash_cli_printf(cli, "%s%s%s\t%s\t%.1f s", ash_cli_tint(cli, o->good ? ASH_TINT_GREEN : ASH_TINT_RED), o->good ? "ok" : "FAILED", ash_cli_tint(cli, ASH_TINT_OFF), o->name, o->seconds);
                AshSlice rest = ash_slice_str(o->what ? o->what : ""), line;
                while (ash_slice_next_line(&rest, &line))
                        ash_cli_printf(cli, "\n\t%.*s", ASH_F(line));
                ash_cli_print(cli, "\n");
        }
        ash_cli_printf(cli, "%s: %zu checks, %zu failed", t->disk.path, t->outcomes.n, count_bad(t));
        if (login_seconds(t) > 0)
                ash_cli_printf(cli, "; login after %.1f s (%s)", login_seconds(t), ash_machine_accel(t->m));
        ash_text_bytes(&memory, t->memory);
        if (t->memory)
                ash_cli_printf(cli, "; %.*s of memory used", ASH_F(ash_str_slice(&memory)));
        ash_cli_print(cli, "\n");
        if (t->log)
                ash_cli_printf(cli, "the machine's log is %s\n", t->log);
}

static void print_json(Test *t) {
        AshJson j = ash_cli_json(t->cli);
        ash_json_begin(&j, NULL, '{');
        ash_json_str(&j, "disk", t->disk.path);
        ash_json_str(&j, "arch", t->disk.arch);
        ash_json_str(&j, "accel", ash_machine_accel(t->m));
        ash_json_bool(&j, "good", !count_bad(t));
        if (login_seconds(t) > 0)
                ash_json_double(&j, "login-seconds", login_seconds(t));
        if (t->memory)
                ash_json_uint(&j, "memory-used", t->memory);
        ash_json_begin(&j, "checks", '[');
        ash_array_foreach(&t->outcomes, o) {
                ash_json_begin(&j, NULL, '{');
                ash_json_str(&j, "name", o->name);
                ash_json_bool(&j, "good", o->good);
                ash_json_double(&j, "seconds", o->seconds);
                if (o->what)
                        ash_json_str(&j, "what", o->what);
                ash_json_end(&j, '}');
        }
        ash_json_end(&j, ']');
        if (t->log)
                ash_json_str(&j, "log", t->log);
        ash_json_end(&j, '}');
        ash_cli_print(t->cli, "\n");
}

/* Text and attributes; control characters that XML 1.0 does not have become '?'. */
static void xml_text(AshStr *out, const char *text) {
        for (const char *p = text; *p; p++)
                switch (*p) {
                case '&': ash_str_append_str(out, "&amp;"); break;
                case '<': ash_str_append_str(out, "&lt;"); break;
                case '>': ash_str_append_str(out, "&gt;"); break;
                case '"': ash_str_append_str(out, "&quot;"); break;
                case '\n': ash_str_append_str(out, "&#10;"); break;
                case '\t': ash_str_append_str(out, "&#9;"); break;
                default: ash_str_append_char(out, (unsigned char) *p < 32 ? '?' : *p);
                }
}

/* As Jenkins, GitLab and others read it: a suite with a case for each check. */
static int write_junit(Test *t, const char *path) {
        _str_ AshStr out = {};
        double total = 0;
        ash_array_foreach(&t->outcomes, o)
                total += o->seconds;
        ash_str_append_str(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"");
        xml_text(&out, t->disk.path);
        ash_str_appendf(&out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\" time=\"%.3f\">\n", t->outcomes.n, count_bad(t), total);
        ash_array_foreach(&t->outcomes, o) {
                ash_str_append_str(&out, "<testcase classname=\"image\" name=\"");
                xml_text(&out, o->name);
                ash_str_appendf(&out, "\" time=\"%.3f\"", o->seconds);
                if (o->good) {
                        ash_str_append_str(&out, "/>\n");
                        continue;
                }
                ash_str_append_str(&out, "><failure message=\"");
                xml_text(&out, o->what ? o->what : "");
                ash_str_append_str(&out, "\"/></testcase>\n");
        }
        ash_str_append_str(&out, "</testsuite>\n</testsuites>\n");
        int r = ash_file_write_atomic(AT_FDCWD, path, ash_str_slice(&out), 0644, false);
        return r < 0 ? ash_fail_file(t->cli->diags, r, path, "cannot write the results: %s", ash_strerror(r)) : 0;
}

int ash_image_test(AshCli *cli) {
        _cleanup_(test_done) Test t = { .cli = cli, .arena = ash_arena_new() };
        _cleanup_(ash_tempdir_free_p) AshTempDir *room = NULL;
        const char *junit = ash_cli_option(cli, "junit"), *key = NULL;
        AshMachineOptions o;
        int r = ash_image_find_disk(cli, cli->args[0], &t.disk);
        if (r >= 0)
                r = ash_image_room(cli, &room);
        if (r >= 0)
                r = ash_image_machine_options(cli, &t.disk, t.arena, room, false, &key, &o);
        if (r < 0)
                return r;
        o.agent = true;
        r = ash_machine_start(&o, &t.m, cli->diags);
        if (r >= 0)
                r = run_checks(&t);
        if (t.m && (r < 0 || count_bad(&t)))
                keep_log(&t, true);
        if (r >= 0)
                r = check_off(&t);
        if (t.m && !t.log && (r < 0 || count_bad(&t)))
                keep_log(&t, false); /* on its way down a machine takes no commands */
        if (r < 0) {
                if (t.log)
                        ash_note(cli->diags, ASH_NOWHERE, "the machine's log is %s", t.log);
                return r;
        }
        cli->json ? print_json(&t) : print_text(&t);
        r = junit ? write_junit(&t, junit) : 0;
        return r < 0 ? r : count_bad(&t) ? 1 : 0;
}
