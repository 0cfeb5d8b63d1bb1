/* rpmbuild in the room: its output into the log, and why it failed. */
#include <stdio.h>
#include "build-private.h"
#include "spec.h"

#define PROCESSES 2048
#define SOURCES_PER_MS 4096          /* bytes of a source package that are compressed and written in a ms, at least */
#define SMALL_LEFT (64 << 10)        /* a disk with less than this is full */

static const struct {
        const char *name, *option;
        int good[2];
} steps[ASH_BUILD_STEP_MAX_] = {
        [ASH_BUILD_SRPM] = { "making the source package", "-bs", { 0, 0 } },
        [ASH_BUILD_REQUIRES] = { "asking what is required", "-br", { 0, 11 } },
        [ASH_BUILD_PACKAGES] = { "building", "-ba", { 0, 0 } },
};
const char *ash_build_step_name(AshBuildStep step) { return steps[step].name; }

/* ---- the log ---- */
static void keep_tail(AshStr *tail, AshSlice bytes) {
        if (bytes.len >= ASH_BUILD_TAIL) {
                ash_str_clear(tail);
                bytes = ash_slice_from(bytes, bytes.len - ASH_BUILD_TAIL);
        } else if (tail->len + bytes.len > 2 * ASH_BUILD_TAIL) {
                size_t drop = tail->len - ASH_BUILD_TAIL;
                memmove(tail->ptr, tail->ptr + drop, tail->len - drop);
                tail->len -= drop;
        }
        ash_str_append(tail, bytes);
}

/* "Executing(%build): /bin/sh -e ..."; %doc and %license are scripts, too, that rpm makes of what %files says, and most of what is wrong with that is said behind them. */
static void see_line(AshBuild *b, AshSlice line) {
        static const AshSlice mark = { "Executing(", 10 };
        ptrdiff_t end = ash_slice_starts(line, mark) ? ash_slice_find_char(line, ')') - (ptrdiff_t) mark.len : 0;
        if (ash_slice_starts(line, ASH_S("Processing files: ")))
                snprintf(b->phase, sizeof b->phase, "%%files");
        if (end <= 0 || (size_t) end >= sizeof b->phase)
                return;
        snprintf(b->phase, sizeof b->phase, "%.*s", (int) end, line.ptr + mark.len);
        AshSlice command = ash_slice_trim(ash_slice_from(line, mark.len + (size_t) end + 2)); /* behind "):" */
        snprintf(b->script, sizeof b->script, "%.*s", (int) command.len, command.ptr);
        if (!strcmp(b->phase, "%doc") || !strcmp(b->phase, "%license"))
                snprintf(b->phase, sizeof b->phase, "%%files");
        ash_progress_message(b->in.progress, b->phase);
}

/* Output comes in pieces that end anywhere. */
static void see_phase(AshBuild *b, AshSlice bytes) {
        while (bytes.len) {
                ptrdiff_t at = ash_slice_find_char(bytes, '\n');
                AshSlice part = at < 0 ? bytes : ash_slice_sub(bytes, 0, (size_t) at);
                size_t n = ASH_MIN(part.len, sizeof b->line - b->line_len); /* the beginning of a line tells enough */
                memcpy(b->line + b->line_len, part.ptr, n);
                b->line_len += n;
                if (at < 0)
                        return;
                b->lines++;
                see_line(b, ash_slice(b->line, b->line_len));
                b->line_len = 0;
                bytes = ash_slice_from(bytes, (size_t) at + 1);
        }
}

static int sink(void *data, AshSlice bytes) {
        AshBuild *b = data;
        uint64_t room = b->in.log_limit > b->logged ? b->in.log_limit - b->logged : 0; /* our own lines may stand behind its end */
        AshSlice part = ash_slice_sub(bytes, 0, (size_t) ASH_MIN(room, (uint64_t) bytes.len));
        b->log_error = ash_write_all(b->log_fd, part.ptr, part.len);
        b->logged += part.len;
        if (b->head.len < ASH_BUILD_HEAD)
                ash_str_append(&b->head, ash_slice_sub(part, 0, ASH_BUILD_HEAD - b->head.len));
        keep_tail(&b->tail, part);
        see_phase(b, part);
        b->log_full |= part.len < bytes.len;
        return b->log_error < 0 ? b->log_error : b->log_full ? -ASH_ERR_LIMIT : 0;
}

static void say(AshBuild *b, const char *text) {
        (void) ash_write_all(b->log_fd, text, strlen(text));
        b->logged += strlen(text);
        b->lines++;
}

AshSlice ash_build_log(const AshBuild *b) {
        AshBuild *own = (AshBuild *) b;
        char path[32];
        snprintf(path, sizeof path, "/proc/self/fd/%d", b->log_fd);
        ash_bytes_done(&own->log_map);
        return ash_file_map(AT_FDCWD, path, &own->log_map) < 0 ? ASH_S("") : ash_bytes_slice(&own->log_map);
}

AshSlice ash_build_prep_source(const AshBuild *b) {
        AshSlice rest = strcmp(b->phase, "%prep") == 0 ? ash_build_last_section(ash_build_log(b)) : ASH_NOSLICE, found = ASH_NOSLICE;
        for (ptrdiff_t at; (at = ash_slice_find(rest, ASH_S("/SOURCES/"))) >= 0;) {
                rest = ash_slice_from(rest, (size_t) at + strlen("/SOURCES/"));
                size_t n = 0;
                while (n < rest.len && !strchr(" \t\n'\"", rest.ptr[n]))
                        n++;
                found = ash_slice_sub(rest, 0, n);
        }
        return found;
}

/* ---- running ---- */
static int use_layers(AshBuild *b, const AshBuildRoot *root, AshDiags *diags) {
        b->layers.n = 0;
        for (const char *const *l = ash_build_root_layers(root); *l; l++) {
                char *reached = NULL;
                int r = ash_sandbox_room_layer(b->room, *l, &reached);
                if (r < 0)
                        return ash_fail(diags, r, ASH_NOWHERE, "cannot bring the buildroot %s into the sandbox: %s", *l, ash_strerror(r));
                ash_array_push(&b->layers, ash_arena_strdup(b->arena, reached));
                free(reached);
        }
        ash_array_push(&b->layers, NULL);
        return 0;
}

static const char *const kept[] = { "/builddir", NULL };

AshSandbox ash_build_sandbox(AshBuild *b) {
        AshSandbox s = { .room = b->room, .layers = b->layers.items, .fresh = true, .kept = kept, .uid = ASH_BUILD_UID, .gid = ASH_BUILD_UID, .cwd = "/builddir", .network = b->in.network,
                         .limits = { .memory = b->address_space, .total = b->memory, .processes = PROCESSES, .disk = b->disk, .file = UINT64_C(1) << 42 /* tests make files with large holes */ } };
        ash_build_vary_sandbox(b, &s);
        return s;
}

typedef ASH_ARRAY(const char *) Words;

#define TMPPATH "_tmppath /" ASH_BUILD_SCRIPTS
/* What follows from nothing but the source: times from the changelog, no host, no user, one place. */
static const char *const macros[] = {
        "_buildhost localhost", TMPPATH, "use_source_date_epoch_as_buildtime 1", "clamp_mtime_to_source_date_epoch 1", "build_mtime_policy clamp_to_source_date_epoch",
        "_srcdefattr (-,root,root)",
};

static void command(AshBuild *b, AshBuildStep step, Words *argv) {
        for (const char *const *w = ash_build_vary_command(b); *w; w++)
                ash_array_push(argv, *w);
        ash_array_push(argv, "/usr/bin/rpmbuild");
        ash_array_push(argv, steps[step].option);
        ash_array_push(argv, "--nodeps"); /* they have been solved; the buildroot's database may be of another rpm */
        ash_array_push(argv, "--define");
        ash_array_push(argv, ash_arena_printf(b->arena, "_topdir %s", b->top));
        for (size_t i = 0; i < ASH_N(macros); i++) {
                ash_array_push(argv, "--define");
                ash_array_push(argv, macros[i]);
        }
        if (step == ASH_BUILD_REQUIRES) {
                ash_array_push(argv, "--define");
                ash_array_push(argv, ash_build_ask);
        }
        for (const char *const *o = b->in.options; o && *o; o++)
                ash_array_push(argv, *o);
        ash_array_push(argv, ash_arena_printf(b->arena, "%s/SPECS/%s", b->top, b->in.spec));
        ash_array_push(argv, NULL);
}

static int judge(AshBuild *b, AshBuildStep step, const AshSandboxResult *out, AshDiags *diags);

int ash_build_run(AshBuild *b, const AshBuildRoot *root, AshBuildStep step, int64_t epoch, AshDiags *diags) {
        _cleanup_(ash_sandbox_result_done) AshSandboxResult out = {};
        uint64_t now = ash_now_ns();
        Words argv = {};
        int r = use_layers(b, root, diags);
        if (r >= 0)
                r = ash_build_vary_files(b, root, diags);
        if (r < 0)
                return r;
        ash_bytes_done(&b->results[0]);
        ash_bytes_done(&b->results[1]);
        ash_str_clear(&b->head);
        ash_str_clear(&b->tail);
        b->epoch = epoch;
        b->phase[0] = 0;
        b->script[0] = 0;
        b->line_len = 0;
        say(b, ash_arena_printf(b->arena, "ashlar: rpmbuild %s\n", steps[step].option));
        command(b, step, &argv);
        AshSandbox s = ash_build_sandbox(b);
        s.argv = argv.items;
        s.env = ash_build_vary_env(b, epoch);
        s.one_output = true;
        s.sink = sink;
        s.sink_data = b;
        s.limits.wall_ms = b->end > now ? (int) ASH_MIN((b->end - now) / 1000000 + 1, (uint64_t) INT32_MAX) : 1;
        if (step == ASH_BUILD_SRPM && b->in.parse_ms)
                s.limits.wall_ms = (int) ASH_MIN((uint64_t) s.limits.wall_ms, (uint64_t) b->in.parse_ms + b->sources / SOURCES_PER_MS);
        ash_progress_begin(b->in.progress, ash_arena_printf(b->arena, "%.*s: %s", ASH_F(b->in.component), steps[step].name), 0, ASH_UNIT_ITEMS);
        r = ash_sandbox_run(&s, &out, diags);
        ash_progress_end(b->in.progress);
        ash_array_done(&argv);
        b->most = ASH_MAX(b->most, out.taken.most);
        return r < 0 ? r : judge(b, step, &out, diags);
}

uint64_t ash_build_most_memory(const AshBuild *b) { return b->most; }

/* ---- why it failed ---- */
/* What rpm itself says before it executes anything. */
static bool find_spec_error(AshBuild *b) {
        AshSlice text;
        if (!ash_spec_error(ash_str_slice(&b->head), ash_slice_str(b->in.spec), &b->error_line, &text))
                return false;
        b->error_text = ash_arena_slice(b->arena, text);
        return true;
}

bool ash_build_spec_error(const AshBuild *b, uint32_t *ret_line, AshSlice *ret_text) {
        *ret_line = b->error_line;
        *ret_text = b->error_text;
        return b->error_text.ptr != NULL;
}

#define MEMORY_HINT "build.memory (of the component or of the project) says how much a build may have"
#define DISK_HINT "build.disk (of the component or of the project) says how much it has; it is memory of this machine"
/* What output means. */
static const struct {
        const char *text, *note, *hint;
} signs[] = {
        { "No space left on device", "it ran out of disk", DISK_HINT },
        { "Disk quota exceeded", "it ran out of disk", DISK_HINT },
        { "File too large", "a file of it grew past what it may be", DISK_HINT },
        { "ile size limit exceeded", "a file of it grew past what it may be", DISK_HINT },
        { "fork: retry: Resource temporarily unavailable", "it reached the limit on processes", NULL },
        { "Cannot fork", "it reached the limit on processes", NULL },
        { "fork: Resource temporarily unavailable", "it reached the limit on processes", NULL },
        { "virtual memory exhausted", "it reached the limit on memory", MEMORY_HINT },
        { "Cannot allocate memory", "it reached the limit on memory", MEMORY_HINT },
        { "Could not resolve host", "it tried to reach the network, and builds have none", "what it fetches belongs into its sources; a component that needs the network says build.network and why" },
        { "Temporary failure in name resolution", "it tried to reach the network, and builds have none", "what it fetches belongs into its sources; a component that needs the network says build.network and why" },
        { "Network is unreachable", "it tried to reach the network, and builds have none", "what it fetches belongs into its sources; a component that needs the network says build.network and why" },
        { "Read-only file system", "it tried to write where nothing may be written", "a build writes below " ASH_BUILD_TOP ", /tmp and /var/tmp" },
        { "Installed (but unpackaged) file(s) found", "files were installed that %files of no package names", "add them there, or remove them at the end of %install" },
        { "Permission denied", "something was refused to it: a build is an ordinary user, and writes below " ASH_BUILD_TOP ", /tmp and /var/tmp", NULL },
};

/* Returns at which line of the log they begin; 0: there are none. */
static size_t note_excerpt(AshBuild *b, AshDiags *diags) {
        AshSlice tail = ash_str_slice(&b->tail), lines[ASH_BUILD_EXCERPT];
        size_t n = ash_build_excerpt(tail, lines, ASH_N(lines)), behind = 0;
        for (size_t i = 0; i < n; i++)
                ash_note(diags, ASH_NOWHERE, "%.*s", (int) ASH_MIN(lines[i].len, (size_t) 400), lines[i].ptr);
        for (const char *p = n ? lines[0].ptr : tail.ptr + tail.len; p < tail.ptr + tail.len; p++)
                behind += *p == '\n';
        return n ? b->lines + 1 - ASH_MIN(behind, b->lines) : 0;
}

static int is_there(AshSandboxCall *c, void *path) {
        struct stat st;
        return fstatat(c->base, (const char *) path + 1, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* A program that %files has in /usr/bin was installed in /usr/sbin. */
static bool in_other_directory(AshBuild *b, AshSlice tail) {
        static const AshSlice mark = { "File not found: ", 16 }, dir = { "/BUILDROOT/usr/bin/", 19 };
        AshSlice line;
        char problem[256];
        while (ash_slice_next_line(&tail, &line)) {
                ptrdiff_t said = ash_slice_find(line, mark), at = ash_slice_find(line, dir);
                if (said < 0 || at < said)
                        continue;
                AshSlice path = ash_slice_from(line, (size_t) said + mark.len), name = ash_slice_trim(ash_slice_from(line, (size_t) at + dir.len));
                _free_ char *there = ash_asprintf("%.*s/BUILDROOT/usr/sbin/%.*s", (int) (line.ptr + at - path.ptr), path.ptr, ASH_F(name));
                if (there[0] == '/' && ash_sandbox_room_call(b->room, is_there, there, NULL, problem) >= 0)
                        return true;
        }
        return false;
}

void ash_build_explain(AshBuild *b, AshDiags *diags) {
        AshSlice tail = ash_str_slice(&b->tail);
        uint64_t bytes, names;
        const char *hint = NULL;
        size_t line = note_excerpt(b, diags);
        bool full = ash_sandbox_room_free_space(b->room, &bytes, &names) >= 0 && (bytes < SMALL_LEFT || !names);
        if (full) {
                if (bytes < SMALL_LEFT)
                        ash_note(diags, ASH_NOWHERE, "it filled its disk of %llu MiB", (unsigned long long) (b->disk >> 20));
                else
                        ash_note(diags, ASH_NOWHERE, "it made as many files as its disk of %llu MiB may hold: one for each 4 KiB", (unsigned long long) (b->disk >> 20));
                hint = DISK_HINT;
        }
        for (size_t i = 0; i < ASH_N(signs); i++) {
                if (ash_slice_find(tail, ash_slice_str(signs[i].text)) < 0 || (i == 0 && full) || (signs[i].hint && signs[i].hint == hint))
                        continue;
                ash_note(diags, ASH_NOWHERE, "%s", signs[i].note);
                hint = hint ? hint : signs[i].hint;
                if (b->in.network && strstr(signs[i].note, "network"))
                        hint = NULL;
        }
        if (!hint && in_other_directory(b, tail))
                hint = "it was installed in /usr/sbin. Specs that count on one directory for both get it by build.defines = { _sbindir = \"%{_bindir}\" } of the component";
        if (line)
                ash_note(diags, ASH_NOWHERE, "the whole log: %s (these are lines from %zu on)", b->in.log_path, line);
        else
                ash_note(diags, ASH_NOWHERE, "the whole log: %s", b->in.log_path);
        if (hint)
                ash_hint(diags, "%s", hint);
}

static const char *where(const AshBuild *b, AshBuildStep step) { return b->phase[0] ? b->phase : steps[step].name; }

/* It was ended for what it took in all. */
static int judge_taken(AshBuild *b, AshBuildStep step, const AshSandboxTaken *t, AshDiags *diags) {
        const char *at = where(b, step);
        AshSlice c = b->in.component;
        int r = -ASH_ERR_LIMIT;
        if (t->over == ASH_SANDBOX_OVER_MEMORY)
                ash_fail(diags, r, ASH_NOWHERE, "building '%.*s' failed in %s: its processes took more than %llu MiB of memory together, and were ended", ASH_F(c), at, (unsigned long long) (b->memory >> 20));
        else if (t->over == ASH_SANDBOX_OVER_PROCESSES)
                ash_fail(diags, r, ASH_NOWHERE, "building '%.*s' failed in %s: it reached the limit on processes (%u, threads as well), and was ended", ASH_F(c), at, PROCESSES);
        else
                ash_fail(diags, r, ASH_NOWHERE, "building '%.*s' failed in %s: this machine had only %llu MiB of memory left while its processes took %llu MiB and its files %llu MiB, so it was ended", ASH_F(c), at,
                         (unsigned long long) (t->left >> 20), (unsigned long long) (t->memory >> 20), (unsigned long long) (t->files >> 20));
        ash_build_explain(b, diags);
        if (t->over == ASH_SANDBOX_OVER_MEMORY)
                ash_hint(diags, MEMORY_HINT);
        else if (t->over == ASH_SANDBOX_OVER_MACHINE)
                ash_hint(diags, "fewer builds at once (-j), or a smaller build.memory or build.disk of the component; or a machine that has more");
        return r;
}

static int judge(AshBuild *b, AshBuildStep step, const AshSandboxResult *out, AshDiags *diags) {
        const AshProcessResult *p = &out->process;
        AshSlice c = b->in.component;
        int r = step == ASH_BUILD_REQUIRES && !out->taken.over && !p->timed_out && !b->log_full && !b->log_error ? ash_build_judge_asked(b, diags) : 0;
        if (r < 0)
                return r;
        r = -EIO;
        for (size_t i = 0; i < ASH_N(steps[step].good); i++)
                if (!out->taken.over && !b->log_error && !p->timed_out && !p->stopped && !p->signal && p->status == steps[step].good[i])
                        return p->status;
        b->error_text = ASH_NOSLICE;
        if (out->taken.over)
                return judge_taken(b, step, &out->taken, diags);
        if (b->log_error < 0) /* it is kept with what was built, and would lack what is asked of it later */
                return ash_fail_file(diags, b->log_error, b->in.log_path, "building '%.*s' was ended: its log cannot be written: %s", ASH_F(c), ash_strerror(b->log_error));
        if (b->log_full)
                r = ash_fail(diags, -ASH_ERR_LIMIT, ASH_NOWHERE, "building '%.*s' failed in %s: it wrote more than %llu MiB of log, and was ended", ASH_F(c), where(b, step), (unsigned long long) (b->in.log_limit >> 20));
        else if (p->timed_out && step == ASH_BUILD_SRPM)
                return -ETIMEDOUT; /* as above */
        else if (p->timed_out)
                r = ash_fail(diags, -ETIMEDOUT, ASH_NOWHERE, "building '%.*s' failed in %s: it took longer than %d s, and was ended", ASH_F(c), where(b, step), b->in.timeout_ms / 1000);
        else if (p->signal)
                r = ash_fail(diags, -EIO, ASH_NOWHERE, "building '%.*s' failed in %s: it was ended by signal %d", ASH_F(c), where(b, step), p->signal);
        else if (p->status == 127 && !b->head.len)
                r = ash_fail(diags, -ENOENT, ASH_NOWHERE, "the buildroot of '%.*s' has no /usr/bin/rpmbuild", ASH_F(c));
        else if (!b->phase[0] && find_spec_error(b))
                return -ASH_ERR_SYNTAX; /* who knows the files says it */
        else
                r = ash_fail(diags, -EIO, ASH_NOWHERE, "building '%.*s' failed in %s, with exit status %d", ASH_F(c), where(b, step), p->status);
        ash_build_explain(b, diags);
        if (b->log_full)
                ash_hint(diags, "build.log-limit says how long a log may be");
        else if (p->timed_out)
                ash_hint(diags, "build.timeout (of the component or of the project) says how long it may take");
        return r;
}
