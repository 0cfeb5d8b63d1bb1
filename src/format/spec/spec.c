#include "spec.h"

#define LINES_MAX ((size_t) 1 << 27)

static AshSpecDoc *doc_new(const char *name, AshSlice text) {
        AshSpecDoc *doc = ash_calloc(1, sizeof *doc);
        doc->source = ash_source_new(name, text);
        doc->arena = ash_arena_new();
        return doc;
}

void ash_spec_free(AshSpecDoc *doc) {
        if (!doc)
                return;
        ash_array_done(&doc->lines);
        ash_source_free(doc->source);
        ash_arena_free(doc->arena);
        free(doc);
}

/* Text up to its '\n' as a line; "end" is where the text ends when there is no '\n'. */
static AshSpecLine line_make(const char *start, const char *newline, const char *end, uint32_t offset) {
        AshSpecLine line = { .text = ash_slice(start, (size_t) ((newline ?: end) - start)), .offset = offset, .eol = newline ? ASH_EOL_LF : ASH_EOL_NONE };
        if (newline && newline > start && newline[-1] == '\r') {
                line.text.len--;
                line.eol = ASH_EOL_CRLF;
        }
        return line;
}

int ash_spec_parse(const char *name, AshSlice text, AshSpecDoc **ret, AshDiags *diags) {
        if (!text.ptr)
                text = ASH_S("");
        if (text.len >= UINT32_MAX)
                return ash_fail_file(diags, -ASH_ERR_LIMIT, name, "spec has %zu bytes, more than a spec may have (4 GiB)", text.len);
        _cleanup_(ash_spec_free_p) AshSpecDoc *doc = doc_new(name, text);
        for (const char *p = text.ptr, *end = p + text.len; p < end;) {
                if (doc->lines.n >= LINES_MAX)
                        return ash_fail_file(diags, -ASH_ERR_LIMIT, name, "spec has more than %zu lines", LINES_MAX);
                const char *newline = memchr(p, '\n', (size_t) (end - p));
                ash_array_push(&doc->lines, line_make(p, newline, end, (uint32_t) (p - text.ptr)));
                p = newline ? newline + 1 : end;
        }
        *ret = ASH_TAKE(doc);
        return 0;
}

AshSpecDoc *ash_spec_clone(const AshSpecDoc *doc) {
        AshSpecDoc *copy = doc_new(doc->source->name, doc->source->text);
        ash_array_reserve(&copy->lines, doc->lines.n);
        ash_array_foreach(&doc->lines, l) {
                AshSpecLine line = *l;
                if (l->touched || l->offset == ASH_SPEC_ADDED)
                        line.text = ash_arena_slice(copy->arena, l->text);
                ash_array_push(&copy->lines, line);
        }
        return copy;
}

void ash_spec_serialize(const AshSpecDoc *doc, AshStr *out) {
        static const AshSlice endings[] = { [ASH_EOL_NONE] = { "", 0 }, [ASH_EOL_LF] = { "\n", 1 }, [ASH_EOL_CRLF] = { "\r\n", 2 } };
        size_t size = 0;
        ash_array_foreach(&doc->lines, l)
                size += l->text.len + endings[l->eol].len;
        ash_str_reserve(out, size);
        ash_array_foreach(&doc->lines, l) {
                ash_str_append(out, l->text);
                ash_str_append(out, endings[l->eol]);
        }
}

AshSpan ash_spec_span(const AshSpecDoc *doc, size_t i) {
        if (i >= doc->lines.n || doc->lines.items[i].offset == ASH_SPEC_ADDED)
                return ASH_NOWHERE;
        uint32_t offset = doc->lines.items[i].offset;
        AshSpan at = { doc->source, offset, 0 };
        const char *start = doc->source->text.ptr + offset;
        const char *newline = memchr(start, '\n', doc->source->text.len - offset);
        size_t len = newline ? (size_t) (newline - start) : doc->source->text.len - offset;
        at.len = (uint32_t) ash_slice_trim_right(ash_slice(start, len)).len;
        return at;
}

uint32_t ash_spec_line_number(const AshSpecDoc *doc, size_t i) {
        AshSpan at = ash_spec_span(doc, i);
        return at.source ? ash_span_place((AshSpan){ at.source, at.offset, 0 }).line : 0;
}

void ash_spec_insert(AshSpecDoc *doc, size_t at, const AshSlice *texts, size_t n, AshSpecEol eol) {
        if (!n)
                return;
        ash_array_reserve(&doc->lines, n);
        /* A last line without an ending gets one, else the new line would grow onto it; the end of the file then stays without one. */
        AshSpecEol last = eol;
        if (at == doc->lines.n && at > 0 && doc->lines.items[at - 1].eol == ASH_EOL_NONE) {
                doc->lines.items[at - 1].eol = (uint8_t) eol;
                last = ASH_EOL_NONE;
        }
        memmove(doc->lines.items + at + n, doc->lines.items + at, (doc->lines.n - at) * sizeof *doc->lines.items);
        for (size_t i = 0; i < n; i++)
                doc->lines.items[at + i] = (AshSpecLine){ .text = ash_arena_slice(doc->arena, texts[i]), .offset = ASH_SPEC_ADDED, .eol = (uint8_t) (i + 1 == n ? last : eol) };
        doc->lines.n += n;
}

void ash_spec_remove(AshSpecDoc *doc, size_t first, size_t n) {
        memmove(doc->lines.items + first, doc->lines.items + first + n, (doc->lines.n - first - n) * sizeof *doc->lines.items);
        doc->lines.n -= n;
}

void ash_spec_replace(AshSpecDoc *doc, size_t i, AshSlice text) {
        doc->lines.items[i].text = ash_arena_slice(doc->arena, text);
        doc->lines.items[i].touched = true;
}

AshSpecEol ash_spec_eol(const AshSpecDoc *doc) {
        size_t crlf = 0, lf = 0;
        ash_array_foreach(&doc->lines, l) {
                crlf += l->eol == ASH_EOL_CRLF;
                lf += l->eol == ASH_EOL_LF;
        }
        return crlf > lf ? ASH_EOL_CRLF : ASH_EOL_LF;
}

static bool needs_split(const AshSpecDoc *doc) {
        ash_array_foreach(&doc->lines, l)
                if (l->touched || l->offset == ASH_SPEC_ADDED)
                        if (ash_slice_find_char(l->text, '\n') >= 0)
                                return true;
        return false;
}

static void split_lines(AshSpecDoc *doc) {
        typeof(doc->lines) split = {};
        ash_array_reserve(&split, doc->lines.n);
        ash_array_foreach(&doc->lines, l) {
                AshSlice rest = l->text, part;
                for (bool first = true; ash_slice_split(&rest, '\n', &part); first = false) {
                        AshSpecLine line = *l;
                        line.text = part;
                        if (!first)
                                line.offset = ASH_SPEC_ADDED;
                        if (rest.ptr) /* more follows: this part ends with the '\n' that stood in the text */
                                line.eol = ASH_EOL_LF;
                        ash_array_push(&split, line);
                }
        }
        ash_array_done(&doc->lines);
        doc->lines.items = split.items;
        doc->lines.n = split.n;
        doc->lines.cap = split.cap;
}

void ash_spec_normalize(AshSpecDoc *doc) {
        if (needs_split(doc))
                split_lines(doc);
        ash_array_foreach(&doc->lines, l) {
                /* A CR that belonged to the ending is not part of the text; one that is left at a line's end goes when the text is read the next time. */
                if (l->eol != ASH_EOL_CRLF && l->text.len && l->text.ptr[l->text.len - 1] == '\r')
                        l->text.len--;
                l->eol = ASH_EOL_LF;
        }
}
