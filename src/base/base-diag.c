#include <pthread.h>
#include "base.h"

#define LINE_QUOTED_MAX 160 /* code points of a quoted line; a longer one is cut around the caret */

AshSource *ash_source_new(const char *name, AshSlice text) {
        AshSource *s = ash_calloc(1, sizeof *s);
        s->name = ash_strdup(name);
        s->text = text;
        return s;
}

void ash_source_free(AshSource *s) {
        if (!s)
                return;
        free((char *) s->name);
        free(s->line_starts);
        free(s);
}

static void index_lines(AshSource *s) {
        ASH_ARRAY(uint32_t) starts = {};
        ash_array_push(&starts, 0);
        for (const char *p = s->text.ptr, *end = p + s->text.len; p < end;) {
                p = memchr(p, '\n', (size_t) (end - p));
                if (!p)
                        break;
                p++;
                ash_array_push(&starts, (uint32_t) (p - s->text.ptr));
        }
        s->n_lines = starts.n;
        s->line_starts = starts.items;
}

static size_t line_of(AshSource *s, uint32_t offset) {
        if (!s->line_starts)
                index_lines(s);
        size_t low = 0, high = s->n_lines;
        while (high - low > 1) {
                size_t middle = (low + high) / 2;
                if (s->line_starts[middle] <= offset)
                        low = middle;
                else
                        high = middle;
        }
        return low;
}

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
        uint32_t start = span.source->line_starts[line];
        return (AshPlace){ (uint32_t) line + 1, code_points(ash_slice_sub(span.source->text, start, span.offset - start)) + 1 };
}

AshSlice ash_span_line(AshSpan span) {
        if (!span.source)
                return ASH_NOSLICE;
        size_t number = line_of(span.source, span.offset);
        AshSlice rest = ash_slice_from(span.source->text, span.source->line_starts[number]);
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

/* Copies the line around the span into the diagnostic: the source may be gone when it is printed. Tabs become spaces and other control characters
 * '?', so that the caret stands right and nothing reaches the terminal raw. */
static void quote(AshDiag *d, AshSpan at) {
        AshSlice line = ash_span_line(at);
        uint32_t start = at.source->line_starts[line_of(at.source, at.offset)];
        size_t before = ASH_MIN((size_t) (at.offset - start), line.len), cut = 0;
        if (code_points(line) > LINE_QUOTED_MAX) {
                cut = before > LINE_QUOTED_MAX / 2 ? before - LINE_QUOTED_MAX / 2 : 0;
                while (cut < before && ((uint8_t) line.ptr[cut] & 0xc0) == 0x80)
                        cut++;
        }
        size_t end = cut;
        for (uint32_t n = 0; end < line.len && n < LINE_QUOTED_MAX; n++)
                do
                        end++;
                while (end < line.len && ((uint8_t) line.ptr[end] & 0xc0) == 0x80);
        _str_ AshStr out = {};
        if (cut)
                ash_str_append_str(&out, "...");
        AshSlice part = ash_slice_sub(line, cut, end - cut);
        bool valid = ash_utf8_valid(part, NULL);
        for (size_t i = 0; i < part.len; i++) {
                uint8_t c = (uint8_t) part.ptr[i];
                ash_str_append_char(&out, c == '\t' ? ' ' : c < 0x20 || c == 0x7f || (c >= 0x80 && !valid) ? '?' : (char) c);
        }
        if (end < line.len)
                ash_str_append_str(&out, "...");
        d->caret = (cut ? 3 : 0) + (valid ? code_points(ash_slice_sub(line, cut, before - cut)) : (uint32_t) (before - cut));
        AshSlice marked = ash_slice_sub(line, before, at.len);
        d->caret_len = ASH_MAX(1u, code_points(ash_slice(marked.ptr, ASH_MIN(marked.len, end > before ? end - before : 0))));
        d->line = ash_slice_dup(ash_slice_trim_right(ash_str_slice(&out)));
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
        ash_array_foreach(&from->items, d) {
                ash_array_push(&into->items, *d);
                ash_array_push(&into->owners, pthread_self());
        }
        from->items.n = from->owners.n = 0;
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
        for (size_t i = 0; i < n; i++)
                order[i] = (uint32_t) i;
        qsort_r(order, n, sizeof *order, by_place, d->items.items);
        for (size_t i = 0; i < n; i++)
                sorted[i] = d->items.items[order[i]];
        free(d->items.items);
        d->items.items = sorted;
        d->items.cap = n;
}

const char *ash_severity_name(AshSeverity s) { return s == ASH_ERROR ? "error" : s == ASH_WARNING ? "warning" : "info"; }

static void format_place(AshStr *out, const char *file, AshPlace place) {
        if (!file)
                return;
        ash_str_append_str(out, file);
        if (place.line)
                ash_str_appendf(out, ":%u:%u", place.line, place.column);
        ash_str_append_str(out, ": ");
}

void ash_diag_format(const AshDiag *d, bool color, AshStr *out) {
        const char *bold = color ? "\033[1m" : "", *off = color ? "\033[0m" : "";
        const char *tint = !color ? "" : d->severity == ASH_ERROR ? "\033[1;31m" : d->severity == ASH_WARNING ? "\033[1;35m" : "\033[1;36m";
        ash_str_append_str(out, bold);
        format_place(out, d->file, d->place);
        ash_str_appendf(out, "%s%s%s: %s%s\n", off, tint, ash_severity_name(d->severity), off, d->text);
        if (d->line) {
                ash_str_appendf(out, " %5u | %s\n       | ", d->place.line, d->line);
                ash_str_append_fill(out, ' ', d->caret);
                ash_str_append_str(out, color ? "\033[1;32m" : "");
                ash_str_append_char(out, '^');
                ash_str_append_fill(out, '~', ASH_MIN(d->caret_len, (uint32_t) LINE_QUOTED_MAX) - 1);
                ash_str_append_str(out, off);
                ash_str_append_char(out, '\n');
        }
        for (size_t i = 0; i < d->notes.n; i++) {
                const AshDiagNote *n = &d->notes.items[i];
                ash_str_append_str(out, "  ");
                format_place(out, n->file, n->place);
                ash_str_appendf(out, "%snote:%s %s\n", bold, off, n->text);
        }
        if (d->hint)
                ash_str_appendf(out, "  %shint:%s %s\n", bold, off, d->hint);
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
