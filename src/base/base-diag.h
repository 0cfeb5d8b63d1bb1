/* Diagnostics: what went wrong, where, and how to mend it. Collected here, printed by programs only. */
#pragma once
#include <stdarg.h>
#include "base-array.h"
#include "base-str.h"

/* A text that spans point into. Line and column are computed only when a diagnostic asks. */
typedef struct AshSource {
        const char *name; /* as the user should see it: a path relative to where the program was started, as a rule */
        AshSlice text;
        struct AshLines *lines; /* private: made when first asked for */
} AshSource;

AshSource *ash_source_new(const char *name, AshSlice text);      /* copies the name, borrows the text; text.len < 4 GiB */
void ash_source_free(AshSource *source);
ASH_DEFINE_CLEANUP(AshSource *, ash_source_free)

typedef struct AshSpan {
        AshSource *source; /* NULL: nowhere */
        uint32_t offset;   /* bytes from the start of source->text */
        uint32_t len;      /* bytes; 0 marks a position */
} AshSpan;
#define ASH_NOWHERE ((AshSpan){ NULL, 0, 0 })

typedef struct AshPlace {
        uint32_t line;   /* from 1 */
        uint32_t column; /* from 1, in Unicode code points */
} AshPlace;
AshPlace ash_span_place(AshSpan span);                           /* {0, 0} for nowhere; thread-safe */
AshSlice ash_span_line(AshSpan span);                            /* the whole line, without '\n' */

typedef enum AshSeverity { ASH_ERROR, ASH_WARNING, ASH_INFO } AshSeverity;

typedef struct AshDiagNote {
        char *file; /* NULL when it has no place */
        AshPlace place;
        char *text;
} AshDiagNote;

typedef struct AshDiag {
        AshSeverity severity;
        int code;        /* what the function returned: -errno or -ASH_ERR_*; 0 for warnings */
        char *file;      /* NULL when it has no place */
        AshPlace place;  /* {0, 0}: the whole file */
        char *line;      /* the quoted line, cut at a sane length; or NULL */
        uint32_t caret;  /* code points before the caret within "line" */
        uint32_t caret_len;
        char *text;
        char *hint;      /* how to mend it; or NULL */
        ASH_ARRAY(AshDiagNote) notes;
} AshDiag;

/* Thread-safe: workers may add at the same time (ash_note and ash_hint belong to the last diagnostic that the same thread added). */
typedef struct AshDiags AshDiags;
AshDiags *ash_diags_new(void);
void ash_diags_free(AshDiags *diags);
ASH_DEFINE_CLEANUP(AshDiags *, ash_diags_free)

/* Each adds one diagnostic; diags may be NULL (then nothing is kept). ash_fail returns "code", so that callers can
 * write: return ash_fail(diags, -EINVAL, at, "..."). Texts start in lower case and have no full stop. */
int ash_fail(AshDiags *diags, int code, AshSpan at, const char *format, ...) _printf_(4, 5);
int ash_fail_file(AshDiags *diags, int code, const char *file, const char *format, ...) _printf_(4, 5); /* a file, no position in it */
void ash_warn(AshDiags *diags, AshSpan at, const char *format, ...) _printf_(3, 4);
void ash_info(AshDiags *diags, AshSpan at, const char *format, ...) _printf_(3, 4);
/* Added to the last diagnostic of this thread: a second place or a further fact; and how to mend it. */
void ash_note(AshDiags *diags, AshSpan at, const char *format, ...) _printf_(3, 4);
void ash_hint(AshDiags *diags, const char *format, ...) _printf_(2, 3);

size_t ash_diags_count(const AshDiags *diags, AshSeverity severity);
size_t ash_diags_n(const AshDiags *diags);
const AshDiag *ash_diags_at(const AshDiags *diags, size_t i);
void ash_diags_clear(AshDiags *diags);
void ash_diags_merge(AshDiags *into, AshDiags *from);            /* moves all of "from" behind those of "into"; nobody wants them: NULL */
void ash_diags_sort(AshDiags *diags);                            /* by file, line, column; stable: for workers that finish in any order */

/* file:line:column: error: text, the quoted line, the caret, notes, hint; as a compiler would print it. Control characters and bytes that are no
 * UTF-8 come out as '?', so that nothing foreign steers the terminal. */
void ash_diag_format(const AshDiag *diag, bool color, AshStr *out);
const char *ash_severity_name(AshSeverity severity);
/* "Permission denied" for -EACCES, and a phrase for our own codes. Never NULL. */
const char *ash_strerror(int code);
