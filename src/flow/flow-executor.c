#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "flow-executor.h"
#include "json.h"

static const char *const states[ASH_JOB_STATE_MAX_] = { "built", "cached", "failed", "skipped", "cancelled", "not-started" };
const char *ash_job_state_name(AshJobState state) { return states[state]; }

void ash_job_end_done(AshJobEnd *end) {
        ash_diags_free(end->diags);
        ash_arena_free(end->arena);
        *end = (AshJobEnd){};
}

/* ---- children of this process ---- */
#define OUTPUT_MAX (64u << 20)       /* of what a child says; more is not read */
#define PATIENCE_MS 10000            /* between asking children to end and ending them */

typedef struct Slot {
        AshChild *child;             /* NULL: free */
        uint32_t id;
        bool asks;
        uint64_t memory, began;
        int out, err;
} Slot;

typedef struct Local {
        AshExecutor base;
        ASH_ARRAY(const char *) argv;
        size_t n_argv;
        Slot *slots;
        unsigned jobs, running;
        uint64_t memory, reserved;
        sigset_t old;
        int signals;
        bool cancelled;
        uint64_t deadline;           /* once cancelled */
} Local;

static bool has_room(const Local *l, const AshJob *job) {
        if (l->running == 0)
                return true;
        return l->running < l->jobs && l->reserved + job->memory <= l->memory && job->memory <= ash_memory_available();
}

static void slot_done(Slot *s) {
        ash_child_free(s->child);
        if (s->out >= 0)
                close(s->out);
        if (s->err >= 0)
                close(s->err);
        *s = (Slot){ .out = -1, .err = -1 };
}

static int local_start(AshExecutor *e, uint32_t id, const AshJob *job, AshDiags *diags) {
        Local *l = (Local *) e;
        if (l->cancelled || !has_room(l, job))
                return 0;
        Slot *s = l->slots;
        while (s->child)
                s++;
        _free_ char *name = ash_slice_dup(job->component);
        l->argv.items[l->n_argv] = name;
        l->argv.items[l->n_argv + 1] = job->ask ? "--requires" : NULL;
        *s = (Slot){ .id = id, .asks = job->ask, .memory = job->memory, .began = ash_now_ns(), .out = memfd_create("out", MFD_CLOEXEC), .err = memfd_create("err", MFD_CLOEXEC) };
        int r = s->out < 0 || s->err < 0 ? -errno : ash_child_start(&(AshProcess){ .argv = l->argv.items, .stdout_fd = s->out, .stderr_fd = s->err }, &s->child);
        if (r < 0) {
                slot_done(s);
                return ash_fail(diags, r, ASH_NOWHERE, "cannot start the build of '%s': %s", name, ash_strerror(r));
        }
        l->reserved += s->memory;
        l->running++;
        return 1;
}

/* ---- what a child said ---- */
static int read_back(int fd, AshBytes *ret) {
        struct stat st;
        char path[40];
        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size == 0)
                return 0;
        if (st.st_size > OUTPUT_MAX)
                return -ASH_ERR_LIMIT;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        return ash_file_map(AT_FDCWD, path, ret);
}

static int code_of(int status) {
        static const struct { int status, code; } codes[] = { { 2, -ASH_ERR_USAGE }, { 3, -ASH_ERR_CONFIG }, { 4, -ASH_ERR_UNSOLVABLE }, { 5, -ASH_ERR_VERIFY }, { 75, -ASH_ERR_AGAIN } };
        for (size_t i = 0; i < ASH_N(codes); i++)
                if (codes[i].status == status)
                        return codes[i].code;
        return -EIO;
}

/* "file:line:column: " of a note or diagnostic, as text: its file may be one that only the child had. */
static void add_place(const AshJsonValue *v, AshStr *out) {
        AshSlice file = ash_json_get_string(v, "file");
        int64_t line = 0, column = 0;
        if (!file.ptr)
                return;
        ash_str_append(out, file);
        if (ash_json_get_int(v, "line", &line) && line > 0) {
                ash_str_appendf(out, ":%lld", (long long) line);
                if (ash_json_get_int(v, "column", &column))
                        ash_str_appendf(out, ":%lld", (long long) column);
        }
        ash_str_append_str(out, ": ");
}

static void take_diag(const AshJsonValue *v, int code, AshDiags *diags) {
        AshSlice severity = ash_json_get_string(v, "severity"), text = ash_json_get_string(v, "text"), hint = ash_json_get_string(v, "hint");
        const AshJsonValue *notes = ash_json_get(v, "notes");
        _str_ AshStr out = {};
        if (!text.ptr || ash_slice_eqs(severity, "info"))
                return;
        add_place(v, &out);
        ash_str_append(&out, text);
        if (ash_slice_eqs(severity, "error"))
                ash_fail(diags, code, ASH_NOWHERE, "%s", out.ptr);
        else
                ash_warn(diags, ASH_NOWHERE, "%s", out.ptr);
        for (size_t i = 0; notes && notes->type == ASH_JSON_ARRAY && i < notes->array.n; i++) {
                ash_str_clear(&out);
                add_place(notes->array.items[i], &out);
                ash_str_append(&out, ash_json_get_string(notes->array.items[i], "text"));
                ash_note(diags, ASH_NOWHERE, "%s", out.ptr);
        }
        if (hint.ptr)
                ash_hint(diags, "%.*s", ASH_F(hint));
}

/* Lines of JSON among whatever else it wrote. */
static void take_diags(AshSlice text, int code, AshDiags *diags) {
        AshSlice line;
        while (ash_slice_next_line(&text, &line)) {
                _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
                _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("job", line);
                AshJsonValue *v;
                if (!ash_slice_starts(line, ASH_S("{")) || ash_json_parse(source, arena, &v, NULL) < 0)
                        continue;
                const AshJsonValue *list = ash_json_get(v, "diagnostics");
                for (size_t i = 0; list && list->type == ASH_JSON_ARRAY && i < list->array.n; i++)
                        take_diag(list->array.items[i], code, diags);
        }
}

static int take_result(AshSlice text, AshJobEnd *ret) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("job", text);
        AshJsonValue *v;
        if (ash_json_parse(source, arena, &v, NULL) < 0 || v->type != ASH_JSON_ARRAY || v->array.n != 1)
                return -ASH_ERR_SYNTAX;
        const AshJsonValue *cached = ash_json_get(v->array.items[0], "cached"), *packages = ash_json_get(v->array.items[0], "packages");
        if (!cached || cached->type != ASH_JSON_BOOL || !packages || packages->type != ASH_JSON_ARRAY)
                return -ASH_ERR_SYNTAX;
        ret->state = cached->boolean ? ASH_JOB_CACHED : ASH_JOB_BUILT;
        ret->packages = packages->array.n;
        return 0;
}

static int take_requires(AshSlice text, AshJobEnd *ret) {
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("job", text);
        AshJsonValue *v;
        ret->arena = ash_arena_new();
        if (ash_json_parse(source, ret->arena, &v, NULL) < 0 || v->type != ASH_JSON_ARRAY || v->array.n != 1)
                return -ASH_ERR_SYNTAX;
        const AshJsonValue *list = ash_json_get(v->array.items[0], "requires"), *met = ash_json_get(v->array.items[0], "met");
        if (!list || list->type != ASH_JSON_ARRAY || !met || met->type != ASH_JSON_BOOL)
                return -ASH_ERR_SYNTAX;
        ret->requires = ash_arena_new_items(ret->arena, AshSlice, list->array.n + 1);
        for (size_t i = 0; i < list->array.n; i++)
                if (list->array.items[i]->type == ASH_JSON_STRING && list->array.items[i]->string.len && list->array.items[i]->string.ptr[0] != '!')
                        ret->requires[ret->n_requires++] = ash_arena_slice(ret->arena, list->array.items[i]->string);
        ret->unmet = !met->boolean;
        ret->state = ASH_JOB_ASKED;
        return 0;
}

/* That nobody provides something is an answer, too. */
static bool has_answered(const Slot *s, const AshProcessResult *result, AshJobEnd *ret) {
        _bytes_ AshBytes out = {};
        return s->asks && !result->signal && read_back(s->out, &out) >= 0 && take_requires(ash_bytes_slice(&out), ret) >= 0;
}

static void judge(const Local *l, const Slot *s, const AshProcessResult *result, AshJobEnd *ret) {
        _bytes_ AshBytes out = {}, err = {};
        ret->state = ASH_JOB_FAILED;
        if (l->cancelled && result->status != 0) {
                ret->state = ASH_JOB_CANCELLED;
                ret->code = -EINTR;
                return;
        }
        if (has_answered(s, result, ret))
                return;
        ret->code = result->status > 0 ? code_of(result->status) : -EIO;
        if (read_back(s->err, &err) >= 0)
                take_diags(ash_bytes_slice(&err), ret->code, ret->diags);
        if (result->signal)
                ash_fail(ret->diags, ret->code, ASH_NOWHERE, "its process was ended by signal %d%s", result->signal, result->signal == SIGKILL ? ": the machine may have run out of memory" : "");
        else if (result->status == 0 && (read_back(s->out, &out) < 0 || take_result(ash_bytes_slice(&out), ret) < 0))
                ash_fail(ret->diags, ret->code, ASH_NOWHERE, "its process did not say what it built");
        else if (result->status > 0 && ash_diags_count(ret->diags, ASH_ERROR) == 0)
                ash_fail(ret->diags, ret->code, ASH_NOWHERE, "its process ended with status %d", result->status);
        if (ret->state != ASH_JOB_FAILED)
                ret->code = 0;
}

static void end_slot(Local *l, Slot *s, AshJobEnd *ret) {
        _process_result_ AshProcessResult result = {};
        ash_child_finish(s->child, &result);
        *ret = (AshJobEnd){ .id = s->id, .ms = (ash_now_ns() - s->began) / 1000000, .diags = ash_diags_new() };
        judge(l, s, &result, ret);
        l->reserved -= s->memory;
        l->running--;
        slot_done(s);
}

static bool take_signal(Local *l) {
        struct signalfd_siginfo info;
        return l->signals >= 0 && read(l->signals, &info, sizeof info) == sizeof info;
}

static void local_cancel(AshExecutor *e) {
        Local *l = (Local *) e;
        if (!l->cancelled)
                l->deadline = ash_now_ns() + PATIENCE_MS * UINT64_C(1000000);
        for (unsigned i = 0; i < l->jobs; i++)
                if (l->slots[i].child)
                        ash_child_signal(l->slots[i].child, l->cancelled ? SIGKILL : SIGTERM);
        l->cancelled = true;
}

/* Looks twice a second as well: a kernel may have no descriptor for a child. */
static void sleep_until_news(Local *l) {
        _free_ struct pollfd *fds = ash_calloc(l->jobs + 1, sizeof *fds);
        nfds_t n = 0;
        fds[n++] = (struct pollfd){ l->signals, POLLIN, 0 };
        for (unsigned i = 0; i < l->jobs; i++)
                if (l->slots[i].child)
                        fds[n++] = (struct pollfd){ ash_child_fd(l->slots[i].child), POLLIN, 0 };
        poll(fds, n, 500);
}

static int local_wait_any(AshExecutor *e, AshJobEnd *ret) {
        Local *l = (Local *) e;
        while (l->running) {
                for (unsigned i = 0; i < l->jobs; i++)
                        if (l->slots[i].child && ash_child_ended(l->slots[i].child)) {
                                end_slot(l, &l->slots[i], ret);
                                return 1;
                        }
                if (take_signal(l))
                        return -EINTR;
                if (l->cancelled && ash_now_ns() > l->deadline)
                        local_cancel(e);
                sleep_until_news(l);
        }
        return 0;
}

static void local_free(AshExecutor *e) {
        Local *l = (Local *) e;
        for (unsigned i = 0; i < l->jobs; i++)
                slot_done(&l->slots[i]);
        free(l->slots);
        ash_array_done(&l->argv);
        if (l->signals >= 0)
                close(l->signals);
        pthread_sigmask(SIG_SETMASK, &l->old, NULL);
        free(l);
}

static const AshExecutorOps local_ops = { local_start, local_wait_any, local_cancel, local_free };

int ash_executor_new_local(const AshLocalExecutorOptions *options, AshExecutor **ret, AshDiags *diags) {
        _cleanup_(ash_executor_free_p) AshExecutor *owned = NULL;
        Local *l = ash_calloc(1, sizeof *l);
        owned = &l->base;
        l->base.ops = &local_ops;
        l->jobs = ASH_MAX(1u, options->jobs);
        l->slots = ash_calloc(l->jobs, sizeof *l->slots);
        for (unsigned i = 0; i < l->jobs; i++)
                l->slots[i] = (Slot){ .out = -1, .err = -1 };
        for (const char *const *a = options->argv; *a; a++)
                ash_array_push(&l->argv, *a);
        l->n_argv = l->argv.n;
        for (int i = 0; i < 3; i++) /* a component, an option, the end */
                ash_array_push(&l->argv, NULL);
        l->memory = options->memory ? options->memory : ash_memory_available() / 10 * 9;
        sigset_t wanted;
        sigemptyset(&wanted);
        sigaddset(&wanted, SIGINT);
        sigaddset(&wanted, SIGTERM);
        sigaddset(&wanted, SIGHUP);
        pthread_sigmask(SIG_BLOCK, &wanted, &l->old);
        l->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
        if (l->signals < 0)
                return ash_fail(diags, -errno, ASH_NOWHERE, "cannot wait for signals: %s", ash_strerror(-errno));
        *ret = ASH_TAKE(owned);
        return 0;
}
