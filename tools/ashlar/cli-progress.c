/* Progress: one line that is redrawn on a terminal and erased when done, plain lines for stages that take long when piped, events with --json.
 * Also measures the stages for --timings. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include "cli.h"

#define REDRAW_NS 100000000ull    /* a terminal's line: ten times a second */
#define EVENT_NS 1000000000ull    /* a JSON event while a stage runs: once a second */
#define PLAIN_NS 2000000000ull    /* a stage that took this long gets a plain line */
#define PLAIN_EVERY_NS 15000000000ull

typedef struct Usage {
        uint64_t wall, cpu, read, written;
} Usage;
typedef struct Stage {
        char *name;
        Usage used;
        uint64_t peak; /* bytes, of the process at its end */
        uint64_t count;
        AshUnit unit;
        unsigned depth;
} Stage;
typedef struct Running {
        size_t stage; /* in stages */
        Usage began;
        uint64_t total;
        atomic_ullong done;
} Running;

#define DEPTH_MAX 8 /* stages within stages; deeper ones are not shown */
typedef struct Progress {
        AshProgress base;
        AshCli *cli;
        pthread_mutex_t mutex;
        bool live;  /* redraw a line */
        bool drawn; /* there is a line to erase */
        Running running[DEPTH_MAX];
        unsigned depth;
        atomic_ullong next_ns; /* when to show something again */
        char *message;
        Usage start;
        ASH_ARRAY(Stage) stages;
} Progress;

static uint64_t now_ns(clockid_t clock) {
        struct timespec t;
        clock_gettime(clock, &t);
        return (uint64_t) t.tv_sec * 1000000000ull + (uint64_t) t.tv_nsec;
}

static uint64_t peak_bytes(void) {
        struct rusage u;
        getrusage(RUSAGE_SELF, &u);
        return (uint64_t) u.ru_maxrss * 1024;
}

/* rchar and wchar: bytes through read and write calls of this process (proc(5)); mapped files are not in them. */
static void io_bytes(Usage *u) {
        char buffer[512];
        int fd = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, buffer, sizeof buffer);
        if (fd >= 0)
                close(fd);
        AshSlice rest = ash_slice(buffer, n < 0 ? 0 : (size_t) n), line;
        while (ash_slice_next_line(&rest, &line)) {
                uint64_t *into = ash_slice_starts(line, ASH_S("rchar: ")) ? &u->read : ash_slice_starts(line, ASH_S("wchar: ")) ? &u->written : NULL;
                if (into)
                        ash_slice_to_u64(ash_slice_from(line, 7), 10, into);
        }
}

static Usage usage_now(const Progress *p) {
        Usage u = { .wall = now_ns(CLOCK_MONOTONIC), .cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) };
        if (p->cli->timings)
                io_bytes(&u);
        return u;
}

static void say(const AshStr *s) {
        ssize_t n = write(STDERR_FILENO, s->ptr, s->len);
        (void) n;
}

static void erase(Progress *p) {
        if (!p->drawn)
                return;
        ssize_t n = write(STDERR_FILENO, "\r\033[K", 4);
        (void) n;
        p->drawn = false;
}

static void amount(AshStr *out, uint64_t n, AshUnit unit) {
        if (unit == ASH_UNIT_BYTES)
                ash_text_bytes(out, n);
        else
                ash_str_appendf(out, "%llu", (unsigned long long) n);
}

/* "fetch: 12.0 MiB of 80.1 MiB, 3.1 MiB/s, 22 s left" */
static void describe(Progress *p, Running *r, AshStr *out) {
        const Stage *stage = &p->stages.items[r->stage];
        uint64_t done = atomic_load(&r->done), spent = now_ns(CLOCK_MONOTONIC) - r->began.wall;
        ash_str_appendf(out, "%s: ", stage->name);
        if (!r->total && !done) { /* nothing is counted: only its time can be told */
                ash_text_duration(out, spent);
                return;
        }
        amount(out, done, stage->unit);
        if (r->total) {
                ash_str_append_str(out, " of ");
                amount(out, r->total, stage->unit);
        }
        uint64_t rate = spent ? (uint64_t) ((double) done * 1e9 / (double) spent) : 0;
        if (rate && spent > REDRAW_NS) {
                ash_str_append_str(out, ", ");
                amount(out, rate, stage->unit);
                ash_str_append_str(out, "/s");
        }
        if (done && r->total > done && spent > EVENT_NS) {
                ash_str_append_str(out, ", ");
                ash_text_duration(out, (uint64_t) ((double) spent * (double) (r->total - done) / (double) done));
                ash_str_append_str(out, " left");
        }
}

static void draw(Progress *p, Running *r) {
        _str_ AshStr out = {};
        struct winsize w = {};
        size_t width = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 20 ? w.ws_col - 1u : 79;
        describe(p, r, &out);
        if (p->message)
                ash_str_appendf(&out, "  %s", p->message);
        AshSlice line = ash_slice_sub(ash_str_slice(&out), 0, width);
        while (line.len && !ash_utf8_valid(line, NULL))
                line.len--;
        _str_ AshStr full = {};
        ash_str_appendf(&full, "\r%.*s\033[K", ASH_F(line));
        say(&full);
        p->drawn = true;
}

static void event(Progress *p, Running *r, const char *what) {
        _str_ AshStr out = {};
        const Stage *stage = &p->stages.items[r->stage];
        AshJson j = { .out = &out, .compact = true };
        ash_json_begin(&j, NULL, '{');
        ash_json_str(&j, "event", what);
        ash_json_str(&j, "stage", stage->name);
        ash_json_int(&j, "done", (int64_t) atomic_load(&r->done));
        if (r->total)
                ash_json_int(&j, "total", (int64_t) r->total);
        ash_json_str(&j, "unit", stage->unit == ASH_UNIT_BYTES ? "bytes" : "items");
        ash_json_int(&j, "elapsed-ms", (int64_t) ((now_ns(CLOCK_MONOTONIC) - r->began.wall) / 1000000));
        ash_json_end(&j, '}');
        ash_str_append_char(&out, '\n');
        say(&out);
}

static void plain(Progress *p, Running *r) {
        _str_ AshStr out = {};
        describe(p, r, &out);
        ash_str_append_char(&out, '\n');
        say(&out);
}

static void show(Progress *p) {
        Running *r = &p->running[p->depth - 1];
        if (p->cli->quiet)
                return;
        if (p->cli->json)
                event(p, r, "progress");
        else if (p->live)
                draw(p, r);
        else
                plain(p, r);
}

static uint64_t pause_between(const Progress *p) { return p->cli->json ? EVENT_NS : p->live ? REDRAW_NS : PLAIN_EVERY_NS; }

static void begin(AshProgress *base, const char *name, uint64_t total, AshUnit unit) {
        Progress *p = (Progress *) base;
        pthread_mutex_lock(&p->mutex);
        if (p->depth < DEPTH_MAX) {
                Running *r = &p->running[p->depth];
                r->stage = p->stages.n;
                Stage *stage = ash_array_add(&p->stages);
                stage->name = ash_strdup(name);
                stage->unit = unit;
                stage->depth = p->depth;
                r->total = total;
                atomic_store(&r->done, 0);
                r->began = usage_now(p);
                atomic_store(&p->next_ns, r->began.wall + pause_between(p));
        }
        p->depth++;
        if (p->cli->json && !p->cli->quiet && p->depth <= DEPTH_MAX)
                event(p, &p->running[p->depth - 1], "begin");
        pthread_mutex_unlock(&p->mutex);
}

static void tick(Progress *p) {
        uint64_t now = now_ns(CLOCK_MONOTONIC), next = atomic_load(&p->next_ns);
        if (now < next || !atomic_compare_exchange_strong(&p->next_ns, &(unsigned long long){ next }, now + pause_between(p)))
                return;
        pthread_mutex_lock(&p->mutex);
        if (p->depth && p->depth <= DEPTH_MAX)
                show(p);
        pthread_mutex_unlock(&p->mutex);
}

static void advance(AshProgress *base, uint64_t delta) {
        Progress *p = (Progress *) base;
        unsigned depth = p->depth;
        if (depth == 0 || depth > DEPTH_MAX)
                return;
        atomic_fetch_add(&p->running[depth - 1].done, delta);
        tick(p);
}

/* It may come from a program that nobody trusts, and goes to a terminal: no controls, in UTF-8 neither. */
static char *without_controls(const char *text) {
        char *copy = ash_strdup(text);
        for (char *c = copy; *c; c++) {
                bool c1 = *c == '\xc2' && (unsigned char) c[1] >= 0x80 && (unsigned char) c[1] < 0xa0;
                if ((unsigned char) *c < ' ' || *c == 0x7f || c1)
                        *c = '?';
                if (c1)
                        c[1] = '?';
        }
        return copy;
}

static void message(AshProgress *base, const char *given) {
        Progress *p = (Progress *) base;
        _free_ char *text = without_controls(given);
        pthread_mutex_lock(&p->mutex);
        if (p->live) {
                free(p->message);
                p->message = ash_strdup(text);
        } else if (p->cli->verbose && !p->cli->json) {
                _str_ AshStr out = {};
                ash_str_appendf(&out, "%s\n", text);
                say(&out);
        }
        pthread_mutex_unlock(&p->mutex);
}

static void end(AshProgress *base) {
        Progress *p = (Progress *) base;
        pthread_mutex_lock(&p->mutex);
        if (p->depth && --p->depth < DEPTH_MAX) {
                Running *r = &p->running[p->depth];
                Stage *stage = &p->stages.items[r->stage];
                Usage now = usage_now(p);
                stage->used = (Usage){ now.wall - r->began.wall, now.cpu - r->began.cpu, now.read - r->began.read, now.written - r->began.written };
                stage->peak = peak_bytes();
                stage->count = atomic_load(&r->done);
                erase(p);
                if (!p->cli->quiet && p->cli->json)
                        event(p, r, "end");
                else if (!p->cli->quiet && !p->live && (p->cli->verbose || stage->used.wall > PLAIN_NS))
                        plain(p, r);
                free(p->message);
                p->message = NULL;
        }
        pthread_mutex_unlock(&p->mutex);
}

static const AshProgressOps ops = { begin, advance, message, end };

AshProgress *ash_cli_progress_new(AshCli *cli) {
        Progress *p = ash_calloc(1, sizeof *p);
        p->base.ops = &ops;
        p->cli = cli;
        pthread_mutex_init(&p->mutex, NULL);
        const char *term = getenv("TERM");
        p->live = isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
        p->start = usage_now(p);
        return &p->base;
}

void ash_cli_progress_free(AshProgress *base) {
        Progress *p = (Progress *) base;
        if (!p)
                return;
        erase(p);
        ash_array_foreach(&p->stages, s)
                free(s->name);
        ash_array_done(&p->stages);
        free(p->message);
        pthread_mutex_destroy(&p->mutex);
        free(p);
}

void ash_cli_progress_pause(AshProgress *base) {
        Progress *p = (Progress *) base;
        if (!p || !p->drawn)
                return;
        pthread_mutex_lock(&p->mutex);
        erase(p);
        pthread_mutex_unlock(&p->mutex);
}

static void timing_line(AshStr *out, const char *name, unsigned depth, const Usage *u, uint64_t peak) {
        AshStr cells[5] = {}; /* freed as they are printed */
        ash_text_duration(&cells[0], u->wall);
        ash_text_duration(&cells[1], u->cpu);
        ash_text_bytes(&cells[2], peak);
        ash_text_bytes(&cells[3], u->read);
        ash_text_bytes(&cells[4], u->written);
        ash_str_appendf(out, "%*s%-*s", (int) (2 * depth), "", (int) (24 - 2 * depth), name);
        for (size_t i = 0; i < ASH_N(cells); i++) {
                ash_str_appendf(out, " %12s", cells[i].ptr);
                ash_str_done(&cells[i]);
        }
        ash_str_append_char(out, '\n');
}

static void timing_json(AshJson *j, const char *name, const Usage *u, uint64_t peak) {
        ash_json_begin(j, NULL, '{');
        ash_json_str(j, "stage", name);
        ash_json_int(j, "wall-us", (int64_t) (u->wall / 1000));
        ash_json_int(j, "cpu-us", (int64_t) (u->cpu / 1000));
        ash_json_int(j, "peak-bytes", (int64_t) peak);
        ash_json_int(j, "read-bytes", (int64_t) u->read);
        ash_json_int(j, "written-bytes", (int64_t) u->written);
        ash_json_end(j, '}');
}

void ash_cli_progress_timings(AshProgress *base, AshCli *cli) {
        Progress *p = (Progress *) base;
        _str_ AshStr out = {};
        Usage now = usage_now(p), whole = { now.wall - p->start.wall, now.cpu, now.read, now.written };
        AshJson j = { .out = &out, .compact = true };
        if (cli->json) {
                ash_json_begin(&j, NULL, '{');
                ash_json_str(&j, "event", "timings");
                ash_json_begin(&j, "stages", '[');
        } else
                ash_str_appendf(&out, "%-24s %12s %12s %12s %12s %12s\n", "stage", "wall", "cpu", "peak memory", "read", "written");
        ash_array_foreach(&p->stages, s)
                if (cli->json)
                        timing_json(&j, s->name, &s->used, s->peak);
                else
                        timing_line(&out, s->name, s->depth, &s->used, s->peak);
        if (cli->json) {
                timing_json(&j, "all", &whole, peak_bytes());
                ash_json_end(&j, ']');
                ash_json_end(&j, '}');
                ash_str_append_char(&out, '\n');
        } else
                timing_line(&out, "all", 0, &whole, peak_bytes());
        erase(p);
        say(&out);
}
