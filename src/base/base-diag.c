#include <pthread.h>
#include "base.h"

#define LINE_QUOTED_MAX 160 /* code points of a quoted line; a longer one is cut around the caret */

/* Offsets at which lines start. */
typedef struct AshLines {
        size_t n;
        uint32_t *starts;
} AshLines;

AshSource *ash_source_new(const char *name, AshSlice text) {
        AshSource *s = ash_calloc(1, sizeof *s);
        s->name = ash_strdup(name);
        s->text = text;
        return s;
}

static void lines_free(AshLines *l) {
        if (!l)
                return;
        free(l->starts);
        free(l);
}

void ash_source_free(AshSource *s) {
        if (!s)
                return;
        free((char *) s->name);
        lines_free(s->lines);
        free(s);
}

static AshLines *index_lines(AshSlice text) {
        ASH_ARRAY(uint32_t) starts = {};
        ash_array_push(&starts, 0);
        for (const char *p = text.ptr, *end = text.len ? p + text.len : p; p < end;) {
                p = memchr(p, '\n', (size_t) (end - p));
                if (!p)
                        break;
                p++;
                ash_array_push(&starts, (uint32_t) (p - text.ptr));
        }
        AshLines *l = ash_malloc(sizeof *l);
        *l = (AshLines){ starts.n, starts.items };
        return l;
}

/* Several threads may ask for the first place in one source at once: the first to be ready gives its index to all. */
static const AshLines *lines_of(AshSource *s) {
        AshLines *there = __atomic_load_n(&s->lines, __ATOMIC_ACQUIRE);
        if (there)
                return there;
        AshLines *made = index_lines(s->text);
        if (__atomic_compare_exchange_n(&s->lines, &there, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
                return made;
        lines_free(made);
        return there;
}

static size_t line_of(AshSource *s, uint32_t offset) {
        const AshLines *l = lines_of(s);
        size_t low = 0, high = l->n;
        while (high - low > 1) {
                size_t middle = (low + high) / 2;
                if (l->starts[middle] <= offset)
                        low = middle;
                else
                        high = middle;
        }
        return low;
}

static uint32_t line_start(AshSource *s, uint32_t offset) { return lines_of(s)->starts[line_of(s, offset)]; }

static uint32_t code_points(AshSlice s) {
        uint32_t n = 0;
        for (size_t i = 0; i < s.len; i++)
                n += ((uint8_t) s.ptr[i] & 0xc0) != 0x80;
        return n;
}

AshPlace ash_span_place(AshSpan span) {
        if (!span.source)
                return (AshPlace){};
        size_t line = line_of(span.source, span.offset);
        uint32_t start = lines_of(span.source)->starts[line];
        return (AshPlace){ (uint32_t) line + 1, code_points(ash_slice_sub(span.source->text, start, span.offset - start)) + 1 };
}

AshSlice ash_span_line(AshSpan span) {
        if (!span.source)
                return ASH_NOSLICE;
        AshSlice rest = ash_slice_from(span.source->text, line_start(span.source, span.offset));
        AshSlice line = ash_slice(rest.ptr, 0);
        ash_slice_next_line(&rest, &line);
        return line;
}

struct AshDiags {
        pthread_mutex_t mutex;
        ASH_ARRAY(AshDiag) items;
        ASH_ARRAY(pthread_t) owners; /* of items: which thread added each */
};

AshDiags *ash_diags_new(void) {
        AshDiags *d = ash_calloc(1, sizeof *d);
        pthread_mutex_init(&d->mutex, NULL);
        return d;
}

static void diag_done(AshDiag *d) {
        free(d->file);
        free(d->line);
        free(d->text);
        free(d->hint);
        ash_array_foreach(&d->notes, n) {
                free(n->file);
                free(n->text);
        }
        ash_array_done(&d->notes);
}

void ash_diags_clear(AshDiags *d) {
        ash_array_foreach(&d->items, i)
                diag_done(i);
        d->items.n = d->owners.n = 0;
}

void ash_diags_free(AshDiags *d) {
        if (!d)
                return;
        ash_diags_clear(d);
        ash_array_done(&d->items);
        ash_array_done(&d->owners);
        pthread_mutex_destroy(&d->mutex);
        free(d);
}

static bool continues(char c) { return ((uint8_t) c & 0xc0) == 0x80; }

/* Bytes of the code point at p[0]; 1 for a byte that is not the start of a valid one. */
static size_t code_point_len(AshSlice p) {
        size_t n = 1;
        while (n < 4 && n < p.len && continues(p.ptr[n]))
                n++;
        return ash_utf8_valid(ash_slice(p.ptr, n), NULL) ? n : 1;
}

static size_t code_point_len_before(AshSlice s, size_t end) {
        for (size_t n = 1; n <= ASH_MIN(end, (size_t) 4); n++)
                if (!continues(s.ptr[end - n]))
                        return code_point_len(ash_slice_sub(s, end - n, n)) == n ? n : 1;
        return 1;
}

/* Appends text that is safe to show, one column for each code point, and returns their number. */
static uint32_t append_shown(AshStr *out, AshSlice s, bool keep_newlines) {
        uint32_t columns = 0;
        for (size_t i = 0, n; i < s.len; i += n, columns++) {
                uint8_t c = (uint8_t) s.ptr[i];
                n = code_point_len(ash_slice_from(s, i));
                bool control = c < 0x20 || c == 0x7f || (n == 1 && c >= 0x80) || (n == 2 && c == 0xc2 && (uint8_t) s.ptr[i + 1] < 0xa0); /* the last: C1 */
                if (c == '\t' || (c == '\n' && keep_newlines))
                        ash_str_append_char(out, c == '\n' ? '\n' : ' ');
                else if (control)
                        ash_str_append_char(out, '?');
                else
                        ash_str_append(out, ash_slice_sub(s, i, n));
        }
        return columns;
}

/* The line around the span as it is shown; the source may be gone when the diagnostic is printed. */
static void quote(AshDiag *d, AshSpan at) {
        AshSlice line = ash_slice_trim_right(ash_span_line(at));
        size_t before = ASH_MIN((size_t) (at.offset - line_start(at.source, at.offset)), line.len), start = 0, end, n;
        bool is_long = line.len > LINE_QUOTED_MAX && code_points(ash_slice_sub(line, 0, 4 * LINE_QUOTED_MAX)) > LINE_QUOTED_MAX;
        if (line.len > 4 * LINE_QUOTED_MAX || is_long) {
                start = before;
                for (n = 0; start > 0 && n < LINE_QUOTED_MAX / 2; n++)
                        start -= code_point_len_before(line, start);
        }
        for (end = start, n = 0; end < line.len && n < LINE_QUOTED_MAX; n++)
                end += code_point_len(ash_slice_from(line, end));
        _str_ AshStr out = {};
        if (start)
                ash_str_append_str(&out, "...");
        d->caret = (start ? 3 : 0) + append_shown(&out, ash_slice_sub(line, start, before - start), false);
        size_t marked = ASH_MIN((size_t) at.len, end - ASH_MIN(end, before));
        d->caret_len = append_shown(&out, ash_slice_sub(line, before, marked), false);
        d->caret_len = ASH_MAX(1u, d->caret_len);
        append_shown(&out, ash_slice_sub(line, before + marked, end - ASH_MIN(end, before + marked)), false);
        if (end < line.len)
                ash_str_append_str(&out, "...");
        d->line = ash_str_take(&out);
}

static void add(AshDiags *diags, AshSeverity severity, int code, AshSpan at, const char *file, const char *format, va_list ap) {
        if (!diags)
                return;
        AshStr text = {};
        ash_str_appendv(&text, format, ap);
        pthread_mutex_lock(&diags->mutex);
        AshDiag *d = ash_array_add(&diags->items);
        ash_array_push(&diags->owners, pthread_self());
        d->severity = severity;
        d->code = code;
        d->text = ash_str_take(&text);
        if (at.source) {
                d->file = ash_strdup(at.source->name);
                d->place = ash_span_place(at);
                quote(d, at);
        } else if (file)
                d->file = ash_strdup(file);
        pthread_mutex_unlock(&diags->mutex);
}

#define ADD(severity, code, at, file)                              \
        do {                                                       \
                va_list ap;                                        \
                va_start(ap, format);                              \
                add(diags, severity, code, at, file, format, ap);  \
                va_end(ap);                                        \
        } while (0)

int ash_fail(AshDiags *diags, int code, AshSpan at, const char *format, ...) {
        ADD(ASH_ERROR, code, at, NULL);
        return code;
}

int ash_fail_file(AshDiags *diags, int code, const char *file, const char *format, ...) {
        ADD(ASH_ERROR, code, ASH_NOWHERE, file);
        return code;
}

void ash_warn(AshDiags *diags, AshSpan at, const char *format, ...) { ADD(ASH_WARNING, 0, at, NULL); }
void ash_info(AshDiags *diags, AshSpan at, const char *format, ...) { ADD(ASH_INFO, 0, at, NULL); }

static AshDiag *last_of_thread(AshDiags *diags) {
        for (size_t i = diags->items.n; i-- > 0;)
                if (pthread_equal(diags->owners.items[i], pthread_self()))
                        return &diags->items.items[i];
        return NULL;
}

void ash_note(AshDiags *diags, AshSpan at, const char *format, ...) {
        if (!diags)
                return;
        AshStr text = {};
        va_list ap;
        va_start(ap, format);
        ash_str_appendv(&text, format, ap);
        va_end(ap);
        pthread_mutex_lock(&diags->mutex);
        AshDiag *d = last_of_thread(diags);
        if (d) {
                AshDiagNote *n = ash_array_add(&d->notes);
                n->text = ash_str_take(&text);
                if (at.source) {
                        n->file = ash_strdup(at.source->name);
                        n->place = ash_span_place(at);
                }
        }
        pthread_mutex_unlock(&diags->mutex);
        ash_str_done(&text);
}

void ash_hint(AshDiags *diags, const char *format, ...) {
        if (!diags)
                return;
        AshStr text = {};
        va_list ap;
        va_start(ap, format);
        ash_str_appendv(&text, format, ap);
        va_end(ap);
        pthread_mutex_lock(&diags->mutex);
        AshDiag *d = last_of_thread(diags);
        if (d) {
                free(d->hint);
                d->hint = ash_str_take(&text);
        }
        pthread_mutex_unlock(&diags->mutex);
        ash_str_done(&text);
}

size_t ash_diags_n(const AshDiags *d) { return d->items.n; }
const AshDiag *ash_diags_at(const AshDiags *d, size_t i) { return &d->items.items[i]; }

size_t ash_diags_count(const AshDiags *d, AshSeverity severity) {
        size_t n = 0;
        for (size_t i = 0; i < d->items.n; i++)
                n += d->items.items[i].severity == severity;
        return n;
}

void ash_diags_merge(AshDiags *into, AshDiags *from) {
        if (!into)
                return;
        pthread_mutex_lock(&into->mutex);
        ash_array_foreach(&from->items, d) {
                ash_array_push(&into->items, *d);
                ash_array_push(&into->owners, pthread_self());
        }
        from->items.n = from->owners.n = 0;
        pthread_mutex_unlock(&into->mutex);
}

static int by_place(const void *a, const void *b, void *items) {
        const AshDiag *base = items, *x = &base[*(const uint32_t *) a], *y = &base[*(const uint32_t *) b];
        int c = strcmp(x->file ? x->file : "", y->file ? y->file : "");
        if (c)
                return c;
        if (x->place.line != y->place.line)
                return x->place.line < y->place.line ? -1 : 1;
        if (x->place.column != y->place.column)
                return x->place.column < y->place.column ? -1 : 1;
        return *(const uint32_t *) a < *(const uint32_t *) b ? -1 : 1;
}

void ash_diags_sort(AshDiags *d) {
        size_t n = d->items.n;
        if (n < 2)
                return;
        _free_ uint32_t *order = ash_calloc(n, sizeof *order);
        AshDiag *sorted = ash_calloc(n, sizeof *sorted);
        pthread_t *owners = ash_calloc(n, sizeof *owners);
        for (size_t i = 0; i < n; i++)
                order[i] = (uint32_t) i;
        qsort_r(order, n, sizeof *order, by_place, d->items.items);
        for (size_t i = 0; i < n; i++) {
                sorted[i] = d->items.items[order[i]];
                owners[i] = d->owners.items[order[i]];
        }
        free(d->items.items);
        free(d->owners.items);
        d->items.items = sorted;
        d->owners.items = owners;
        d->items.cap = d->owners.cap = n;
}

const char *ash_severity_name(AshSeverity s) { return s == ASH_ERROR ? "error" : s == ASH_WARNING ? "warning" : "info"; }

static void append_text(AshStr *out, const char *text) { append_shown(out, ash_slice_str(text), true); }

static void format_place(AshStr *out, const char *file, AshPlace place) {
        if (!file)
                return;
        append_text(out, file);
        if (place.line)
                ash_str_appendf(out, ":%u:%u", place.line, place.column);
        ash_str_append_str(out, ": ");
}

static void format_line(const AshDiag *d, bool color, AshStr *out) {
        ash_str_appendf(out, " %5u | %s\n       | ", d->place.line, d->line);
        ash_str_append_fill(out, ' ', d->caret);
        ash_str_append_str(out, color ? "\033[1;32m" : "");
        ash_str_append_char(out, '^');
        ash_str_append_fill(out, '~', ASH_MIN(d->caret_len, (uint32_t) LINE_QUOTED_MAX) - 1);
        ash_str_appendf(out, "%s\n", color ? "\033[0m" : "");
}

void ash_diag_format(const AshDiag *d, bool color, AshStr *out) {
        const char *bold = color ? "\033[1m" : "", *off = color ? "\033[0m" : "";
        const char *tint = !color ? "" : d->severity == ASH_ERROR ? "\033[1;31m" : d->severity == ASH_WARNING ? "\033[1;35m" : "\033[1;36m";
        ash_str_append_str(out, bold);
        format_place(out, d->file, d->place);
        ash_str_appendf(out, "%s%s%s: %s", off, tint, ash_severity_name(d->severity), off);
        append_text(out, d->text);
        ash_str_append_char(out, '\n');
        if (d->line)
                format_line(d, color, out);
        for (size_t i = 0; i < d->notes.n; i++) {
                const AshDiagNote *n = &d->notes.items[i];
                ash_str_append_str(out, "  ");
                format_place(out, n->file, n->place);
                ash_str_appendf(out, "%snote:%s ", bold, off);
                append_text(out, n->text);
                ash_str_append_char(out, '\n');
        }
        if (d->hint) {
                ash_str_appendf(out, "  %shint:%s ", bold, off);
                append_text(out, d->hint);
                ash_str_append_char(out, '\n');
        }
}

const char *ash_strerror(int code) {
        switch (code < 0 ? -code : code) {
        case ASH_ERR_USAGE: return "wrong usage";
        case ASH_ERR_CONFIG: return "invalid configuration";
        case ASH_ERR_UNSOLVABLE: return "no solution";
        case ASH_ERR_VERIFY: return "verification failed";
        case ASH_ERR_AGAIN: return "temporary failure";
        case ASH_ERR_SYNTAX: return "malformed data";
        case ASH_ERR_LIMIT: return "limit exceeded";
        }
        const char *s = strerrordesc_np(code < 0 ? -code : code);
        return s ? s : "unknown error";
}
