/* RPM spec files: a lossless, editable list of lines with two views of its structure.
 * Parse then serialise gives the same bytes for any text (CRLF, no final newline, invalid UTF-8, lines of any length), in linear time.
 *  - AshSpecView: what the text means to rpm, as far as that can be known without expanding macros (rpm 4.18, build/parseSpec.c): continuations, macro
 *    bodies, conditionals with their nesting, sections with their packages, tags.
 *  - AshSpecPlainView: what azldev's line scanner believes, phantom sections in macro bodies included.
 * Nothing is ever expanded or executed. */
#pragma once
#include "base.h"

typedef enum AshSpecEol { ASH_EOL_NONE, ASH_EOL_LF, ASH_EOL_CRLF } AshSpecEol;

typedef struct AshSpecLine {
        AshSlice text;   /* without its line ending */
        uint32_t offset; /* where it started in the parsed text; UINT32_MAX for a line that was added later */
        uint8_t eol;     /* AshSpecEol */
        bool touched;    /* its text was replaced after parsing */
} AshSpecLine;
#define ASH_SPEC_ADDED UINT32_MAX

typedef struct AshSpecDoc {
        ASH_ARRAY(AshSpecLine) lines; /* read freely; change by the functions below only */
        AshSource *source;            /* owned: name and text as parsed, for spans */
        AshArena *arena;              /* owned: texts of added and replaced lines */
} AshSpecDoc;

/* Borrows text, which must live as long as the document. -ASH_ERR_LIMIT: 4 GiB or more, or more than 2^27 lines. */
int ash_spec_parse(const char *name, AshSlice text, AshSpecDoc **ret, AshDiags *diags);
void ash_spec_free(AshSpecDoc *doc);
ASH_DEFINE_CLEANUP(AshSpecDoc *, ash_spec_free)
AshSpecDoc *ash_spec_clone(const AshSpecDoc *doc);               /* shares the parsed text; texts of changed lines are copied */
void ash_spec_serialize(const AshSpecDoc *doc, AshStr *out);
/* Line i as a span of the parsed text (nowhere for an added line; the old text for a replaced one). */
AshSpan ash_spec_span(const AshSpecDoc *doc, size_t i);
uint32_t ash_spec_line_number(const AshSpecDoc *doc, size_t i);  /* line i's number in the parsed text, from 1; 0 for an added line */

/* Edits. Texts are copied; line numbers count from 0; views made before become stale. */
void ash_spec_insert(AshSpecDoc *doc, size_t at, const AshSlice *texts, size_t n, AshSpecEol eol);
void ash_spec_remove(AshSpecDoc *doc, size_t first, size_t n);
void ash_spec_replace(AshSpecDoc *doc, size_t i, AshSlice text);
/* The ending that most lines have (LF when there is none). */
AshSpecEol ash_spec_eol(const AshSpecDoc *doc);
/* Splits lines that hold '\n' and drops one '\r' at each line's end, as a scanner would that reads the text again; every line ends with LF after. */
void ash_spec_normalize(AshSpecDoc *doc);

/* ---- sections ---- */
typedef enum AshSpecSectionType { ASH_SECTION_PACKAGE, ASH_SECTION_SCRIPT, ASH_SECTION_TEXT, ASH_SECTION_FILES, ASH_SECTION_CHANGELOG, ASH_SECTION_LIST,
        ASH_SECTION_TYPE_MAX_, ASH_SECTION_TYPE_INVALID_ = -EINVAL } AshSpecSectionType;
/* The type for a word such as "%build" in any case, from the table of 32 names (with "all" also %sepolicy and %verifyscript, which rpm knows and azldev does not). */
AshSpecSectionType ash_spec_section_type(AshSlice word, bool all);

typedef struct AshSpecSection {
        AshSlice name;           /* as written ("%files"); empty for the preamble */
        AshSlice package;        /* as written after the name or -n; empty for the main package */
        AshSpecSectionType type;
        bool full_name;          /* -n: "package" is a full name, not a suffix */
        bool phantom;            /* plain view only: the header stands in a macro body */
        AshSlice file, program;  /* -f FILE (the first one), -p PROGRAM */
        size_t header;           /* its header line; 0 for the preamble, which has none */
        size_t begin, end;       /* its body: lines from begin up to end */
        uint32_t conditional;    /* view: the innermost conditional around its header, or 0 */
} AshSpecSection;

/* ---- tags ---- */
typedef struct AshSpecTag {
        AshSlice name;      /* "Requires" */
        AshSlice qualifier; /* "pre,post" of "Requires(pre,post)"; empty otherwise */
        AshSlice value;     /* trimmed */
} AshSpecTag;
/* azldev's pattern ^\s*([^\s:]+):\s*(.*?)\s*$ ; the qualifier stays in the name. False when the line is none. */
bool ash_spec_plain_tag(AshSlice line, AshSpecTag *ret);
/* A tag as rpm reads it: a letter, then letters, digits and macros, an optional (qualifier), blanks, a colon. */
bool ash_spec_tag(AshSlice line, AshSpecTag *ret);
/* The name without trailing digits ("Source" of "Source12"); the whole name when there are only digits. */
AshSlice ash_spec_tag_family(AshSlice name);

/* ---- the plain view ---- */
typedef enum AshSpecPlainKind { ASH_PLAIN_RAW, ASH_PLAIN_HEADER, ASH_PLAIN_TAG } AshSpecPlainKind;
typedef struct AshSpecPlainView {
        ASH_ARRAY(AshSpecSection) sections; /* [0] is the preamble */
} AshSpecPlainView;
void ash_spec_plain_view(const AshSpecDoc *doc, AshSpecPlainView *ret);
void ash_spec_plain_view_done(AshSpecPlainView *view);
/* One step of the scanner: what the line is within a section of that type. A header fills *ret_section (name, package, type). */
AshSpecPlainKind ash_spec_plain_line(AshSlice line, AshSpecSectionType type, AshSpecSection *ret_section, AshSpecTag *ret_tag);
/* +1 for %if, %ifarch, %ifnarch, %ifos, %ifnos, -1 for %endif, 0 else; any case, wherever the line stands. */
int ash_spec_plain_depth(AshSlice line);
bool ash_spec_plain_branch(AshSlice line);                       /* %else, %elif, %elifarch, %elifnarch, %elifos, %elifnos */
bool ash_spec_plain_quiet(AshSlice line);                        /* blank or a comment, also an indented one */

/* ---- the view ---- */
typedef enum AshSpecLineKind {
        ASH_LINE_TEXT, ASH_LINE_BLANK, ASH_LINE_COMMENT, ASH_LINE_HEADER, ASH_LINE_TAG,
        ASH_LINE_IF, ASH_LINE_BRANCH, ASH_LINE_ENDIF,   /* %if..., %else and %elif..., %endif; also "%{?x:" alone on a line and its closing brace */
        ASH_LINE_MACRO,                                 /* %define, %global, %undefine, %bcond..., or an opaque %{lua:...} */
        ASH_LINE_CONTINUED,                             /* belongs to the line above it: after a backslash, or within braces that are still open */
        ASH_LINE_INCLUDE,                               /* %include, %{load:...} */
        ASH_LINE_ENTRY,                                 /* "* date author - evr" in %changelog */
        ASH_LINE_KIND_MAX_
} AshSpecLineKind;
const char *ash_spec_line_kind_name(AshSpecLineKind kind);

typedef struct AshSpecLineInfo {
        uint8_t kind;         /* AshSpecLineKind */
        bool macro_body;      /* continued line of a macro definition */
        uint32_t section;     /* index in sections */
        uint32_t conditional; /* innermost one that holds this line (for %if, %else and %endif: the one that they belong to), or 0 */
} AshSpecLineInfo;

typedef struct AshSpecConditional {
        AshSlice text;        /* the %if line, trimmed */
        uint32_t parent;      /* or 0 */
        uint32_t section;     /* in which it was opened */
        uint32_t depth;       /* 1 for an outermost one */
        size_t first, last;   /* lines of %if and %endif; last == SIZE_MAX: never closed */
        bool expression;      /* a "%{?x: ... }" over several lines, not an %if */
} AshSpecConditional;

typedef struct AshSpecMacro {
        AshSlice name;        /* "with_doc" */
        AshSlice options;     /* "()" or "(n:)"; empty without */
        AshSlice directive;   /* "%global" */
        size_t first, last;   /* lines */
} AshSpecMacro;

typedef struct AshSpecView {
        const AshSpecDoc *doc;
        ASH_ARRAY(AshSpecLineInfo) lines;
        ASH_ARRAY(AshSpecSection) sections;         /* [0] is the preamble */
        ASH_ARRAY(AshSpecConditional) conditionals; /* [0] stands for none */
        ASH_ARRAY(AshSpecMacro) macros;
        size_t stray;         /* line of the first %else or %endif without %if; SIZE_MAX: none */
} AshSpecView;
void ash_spec_view(const AshSpecDoc *doc, AshSpecView *ret);
void ash_spec_view_done(AshSpecView *view);
#define _specview_ _cleanup_(ash_spec_view_done)
/* The lines that belong to line i: itself and what continues it. */
size_t ash_spec_logical_end(const AshSpecView *view, size_t i);
/* The value of the main package's tag ("Name", "Version"): the first one, macros unexpanded; or empty. */
AshSlice ash_spec_main_tag(const AshSpecView *view, const char *name);
/* A section's full package name: suffix forms get NAME- in front, and %{name} is replaced. malloc'ed. */
char *ash_spec_full_package(const AshSpecView *view, const AshSpecSection *section);

/* A changelog entry's parts ("* Mon Apr 06 2026 A B <a@b> - 1.0-2"). */
typedef struct AshSpecEntry {
        AshSlice date, author, evr; /* evr may be empty */
} AshSpecEntry;
bool ash_spec_entry(AshSlice line, AshSpecEntry *ret);

/* What the output of rpm or rpmspec (rpm 4.18, lib/ and build/ of its sources) says is wrong with the spec whose path ends in file, before anything is executed: the first "error: ", and the first line that
 * one of them names (0: none). false: nothing. The text is part of output. */
bool ash_spec_error(AshSlice output, AshSlice file, uint32_t *ret_line, AshSlice *ret_text);
