#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <time.h>
#include "regex-private.h"

/* One attempt at one place may take this many steps (about a third of a second); all attempts of one expression together this much time of the processor.
 * The first limit is what stops a pattern such as (a*)*b, always at the same place; the second is a last resort. */
#define STEPS_MAX 10000000
#define HEAP_MAX_KIB (256 * 1024)
#define CPU_MAX_NS UINT64_C(10000000000)

struct AshRegex {
        pcre2_code *code;
        pcre2_match_data *match;
        pcre2_match_context *context;
        AshSpan at;
        char *pattern;
        uint64_t spent;      /* processor time of finished searches */
        uint64_t begun;      /* of this thread, when the search under way began */
        unsigned attempts;   /* since the clock was read */
};

void ash_regex_free(AshRegex *r) {
        if (!r)
                return;
        pcre2_match_data_free(r->match);
        pcre2_match_context_free(r->context);
        pcre2_code_free(r->code);
        free(r->pattern);
        free(r);
}

static uint64_t thread_ns(void) {
        struct timespec t;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

/* Called by PCRE2 at each place where it tries to match. */
static int attempt(pcre2_callout_block *block, void *data) {
        AshRegex *r = data;
        (void) block;
        if (++r->attempts < 16)
                return 0;
        r->attempts = 0;
        return r->spent + (thread_ns() - r->begun) > CPU_MAX_NS ? PCRE2_ERROR_MATCHLIMIT : 0;
}

/* The place of one byte of the pattern, when the file holds the pattern without escapes behind its quotes; else the whole text's. */
static AshSpan place_of(AshSlice pattern, AshSpan at, size_t bad) {
        if (!at.source)
                return at;
        AshSlice raw = ash_slice_sub(at.source->text, at.offset, at.len);
        size_t quotes = 0;
        while (quotes < 3 && quotes < raw.len && (raw.ptr[quotes] == '\'' || raw.ptr[quotes] == '"'))
                quotes++;
        for (size_t skip = 0; skip <= quotes; skip++)
                if (ash_slice_starts(ash_slice_from(raw, skip), pattern))
                        return (AshSpan){ at.source, at.offset + (uint32_t) (skip + ASH_MIN(bad, pattern.len)), bad < pattern.len };
        return at;
}

static int bad_pattern(AshSlice pattern, AshSpan at, size_t bad, const char *why, AshDiags *diags) {
        AshPlace place = { 0, 1 };
        for (size_t i = 0; i < bad && i < pattern.len; i++)
                place.column += ((uint8_t) pattern.ptr[i] & 0xc0) != 0x80;
        return ash_fail(diags, -EINVAL, place_of(pattern, at, bad), "regular expression, character %u: %s", place.column, why);
}

static int compile(AshRegex *r, AshSlice pattern, AshRegexSyntax syntax, unsigned flags, AshDiags *diags) {
        _str_ AshStr text = {};
        _free_ char *why = NULL;
        size_t bad = 0;
        ash_str_append_str(&text, "(?C1)");
        size_t prefix = text.len;
        if (syntax == ASH_REGEX_PERL)
                ash_str_append(&text, pattern);
        else if (ash_regex_translate(pattern, flags, &text, &bad, &why) < 0)
                return bad_pattern(pattern, r->at, bad, why, diags);
        uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C;
        if (syntax == ASH_REGEX_PERL && flags & ASH_REGEX_MULTILINE)
                options |= PCRE2_MULTILINE;
        pcre2_compile_context *context = pcre2_compile_context_create(NULL);
        pcre2_set_newline(context, PCRE2_NEWLINE_LF);
        pcre2_set_parens_nest_limit(context, 1000);
        int error = 0;
        size_t offset = 0;
        r->code = pcre2_compile((PCRE2_SPTR) text.ptr, text.len, options, &error, &offset, context);
        pcre2_compile_context_free(context);
        if (r->code)
                return 0;
        char message[256];
        pcre2_get_error_message(error, (PCRE2_UCHAR *) message, sizeof message);
        return bad_pattern(pattern, r->at, syntax == ASH_REGEX_PERL && offset > prefix ? offset - prefix : 0, message, diags);
}

int ash_regex_new(AshSlice pattern, AshRegexSyntax syntax, unsigned flags, AshSpan at, AshRegex **ret, AshDiags *diags) {
        _cleanup_(ash_regex_free_p) AshRegex *r = ash_calloc(1, sizeof *r);
        r->at = at;
        r->pattern = ash_slice_dup(pattern);
        int n = compile(r, pattern, syntax, flags, diags);
        if (n < 0)
                return n;
        r->match = pcre2_match_data_create(1, NULL);
        r->context = pcre2_match_context_create(NULL);
        pcre2_set_match_limit(r->context, STEPS_MAX);
        pcre2_set_heap_limit(r->context, HEAP_MAX_KIB);
        pcre2_set_callout(r->context, attempt, r);
        *ret = ASH_TAKE(r);
        return 0;
}

int ash_regex_check(AshSlice pattern, AshRegexSyntax syntax, AshSpan at, AshDiags *diags) {
        AshRegex r = { .at = at };
        int n = compile(&r, pattern, syntax, 0, diags);
        pcre2_code_free(r.code);
        return n;
}

/* ---- searching ---- */

/* Bytes of the well-formed character at the start of s, or 0. */
static size_t utf8_len(AshSlice s) {
        uint8_t c = (uint8_t) s.ptr[0];
        size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        return n <= s.len && ash_utf8_valid(ash_slice(s.ptr, n), NULL) ? n : 0;
}

/* A copy in which each byte that belongs to no well-formed character has become U+FFFD. */
static void mend(AshSlice s, AshStr *out) {
        while (s.len) {
                size_t n = utf8_len(s);
                ash_str_append(out, n ? ash_slice(s.ptr, n) : ASH_S("\xef\xbf\xbd"));
                s = ash_slice_from(s, n ?: 1);
        }
}

/* Walks along the original and the mended text at once. */
typedef struct Mapping {
        AshSlice original;
        size_t in, out;
} Mapping;

static size_t original_offset(Mapping *m, size_t mended) {
        while (m->out < mended && m->in < m->original.len) {
                size_t n = utf8_len(ash_slice_from(m->original, m->in));
                m->in += n ?: 1;
                m->out += n ?: 3;
        }
        return m->in;
}

static int limit(AshRegex *r, int code, AshDiags *diags) {
        const char *what = code == PCRE2_ERROR_HEAPLIMIT ? "memory" : "time";
        ash_fail(diags, -ASH_ERR_LIMIT, r->at, "regular expression '%s' needs too much %s on this text: the search was given up", r->pattern, what);
        ash_hint(diags, "avoid a repetition within a repetition, such as (a*)*, and several '.*' in one pattern");
        return -ASH_ERR_LIMIT;
}

static ptrdiff_t each_match(AshRegex *r, AshSlice s, Mapping *mapping, AshRegexMatch match, void *context, AshDiags *diags) {
        size_t at = 0, last_end = 0;
        ptrdiff_t count = 0;
        while (at <= s.len) {
                int n = pcre2_match(r->code, (PCRE2_SPTR) s.ptr, s.len, at, PCRE2_NO_UTF_CHECK, r->match, r->context);
                if (n == PCRE2_ERROR_NOMATCH)
                        break;
                if (n < 0)
                        return limit(r, n, diags);
                size_t *range = pcre2_get_ovector_pointer(r->match), start = range[0], end = range[1];
                if (start < at || end < start) /* \K in Perl's syntax can do that */
                        return limit(r, PCRE2_ERROR_MATCHLIMIT, diags);
                /* An empty match right behind the last match is none. */
                if (end > last_end || start == 0) {
                        count++;
                        size_t from = mapping ? original_offset(mapping, start) : start, to = mapping ? original_offset(mapping, end) : end;
                        if (match(context, from, to) < 0)
                                return count;
                }
                last_end = end;
                if (end > at)
                        at = end;
                else
                        at += at < s.len ? utf8_len(ash_slice_from(s, at)) : 1;
        }
        return count;
}

ptrdiff_t ash_regex_each(const AshRegex *regex, AshSlice subject, AshRegexMatch match, void *context, AshDiags *diags) {
        AshRegex *r = (AshRegex *) regex; /* its buffers and its clock change */
        if (!subject.ptr)
                subject = ASH_S("");
        r->begun = thread_ns();
        ptrdiff_t n;
        if (ash_utf8_valid(subject, NULL))
                n = each_match(r, subject, NULL, match, context, diags);
        else {
                _str_ AshStr mended = {};
                mend(subject, &mended);
                Mapping mapping = { .original = subject };
                n = each_match(r, ash_str_slice(&mended), &mapping, match, context, diags);
        }
        r->spent += thread_ns() - r->begun;
        return n;
}

typedef struct Replace {
        AshSlice subject, text;
        size_t done;
        AshStr *out;
} Replace;

static int replace_one(void *context, size_t start, size_t end) {
        Replace *r = context;
        ash_str_append(r->out, ash_slice_sub(r->subject, r->done, start - r->done));
        ash_str_append(r->out, r->text);
        r->done = end;
        return 0;
}

ptrdiff_t ash_regex_replace(const AshRegex *regex, AshSlice subject, AshSlice replacement, AshStr *out, AshDiags *diags) {
        Replace r = { .subject = subject, .text = replacement, .out = out };
        ptrdiff_t n = ash_regex_each(regex, subject, replace_one, &r, diags);
        if (n >= 0)
                ash_str_append(out, ash_slice_from(subject, r.done));
        return n;
}
