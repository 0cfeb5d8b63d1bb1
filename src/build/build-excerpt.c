/* Of a log, the lines that say what went wrong. */
#include <stdio.h>
#include "build-private.h"

enum { ERRORS = 8, SUMS = 3, LAST = 3, PLAIN = 8 }; /* so many lines of each kind */

typedef enum Kind { NOISE, NORMAL, COMMAND, SUM, FAULT } Kind;

/* What compilers, linkers, make, test suites, patch and rpm say when something fails. A sum only says that something failed before. */
static const struct {
        const char *text;
        bool begins;                 /* the line begins with it; else it is anywhere */
        Kind kind;
} signs[] = {
        { "error: Bad exit status from ", true, NOISE }, /* that is what the message itself says */
        { "Executing(", true, NOISE }, { "Processing files: ", true, NOISE },
        { "checking ", true, NORMAL }, /* what configure asks is no fault */
        { ": error: ", false, FAULT }, { ": fatal error: ", false, FAULT }, { ": internal compiler error: ", false, FAULT }, { "error: ", true, FAULT }, { "error[E", true, FAULT }, { "Error: ", false, FAULT },
        { "ERROR: ", false, FAULT }, { "ERROR ", true, FAULT }, { "CMake Error", true, FAULT }, { "fatal: ", true, FAULT }, { ": undefined reference to ", false, FAULT }, { ": multiple definition of ", false, FAULT },
        { "ld: cannot find ", false, FAULT }, { "No rule to make target", false, FAULT }, { ": command not found", false, FAULT }, { ": not found", false, FAULT }, { ": No such file or directory", false, FAULT },
        { ": Permission denied", false, FAULT }, { "Segmentation fault", false, FAULT }, { "Aborted", true, FAULT }, { "Killed", true, FAULT }, { ": Assertion ", false, FAULT }, { "assertion failed", false, FAULT },
        { "panicked at ", false, FAULT }, { "Traceback (most recent call last)", true, FAULT }, { "E   ", true, FAULT }, { ": syntax error", false, FAULT }, { "unexpected EOF", false, FAULT },
        { "FAIL: ", true, FAULT }, { "FAIL ", true, FAULT }, { "XPASS: ", true, FAULT }, { "FAILED ", true, FAULT }, { "FAILED: ", true, FAULT }, { "not ok ", true, FAULT }, { "Failed test ", false, FAULT },
        { "(Failed)", false, FAULT }, { "***Failed", false, FAULT }, { " FAIL ", false, FAULT }, { "... FAILED", false, FAULT }, { "FAILED at ", false, FAULT }, { "patch: ****", true, FAULT },
        { "can't find file to patch", true, FAULT }, { "hunk FAILED", false, SUM }, { "hunks FAILED", false, SUM }, { "File not found: ", false, FAULT }, { "(but unpackaged)", false, FAULT },
        { "No space left on device", false, FAULT }, { "annot allocate memory", false, FAULT }, { "Read-only file system", false, FAULT }, { "Could not resolve host", false, FAULT }, { "Network is unreachable", false, FAULT },
        { ": *** ", false, SUM }, { "ninja: build stopped", true, SUM }, { "# FAIL: ", true, SUM }, { "# ERROR: ", true, SUM }, { "tests failed", false, SUM }, { "Failed tests:", false, SUM },
};

/* "# FAIL:  0" */
static bool is_zero(AshSlice line) {
        ptrdiff_t colon = ash_slice_find_char(line, ':');
        return ash_slice_starts(line, ASH_S("# ")) && colon >= 0 && ash_slice_eqs(ash_slice_trim(ash_slice_from(line, (size_t) colon + 1)), "0");
}

static Kind kind_of(AshSlice line) {
        static const char *const preamble[] = { "+ umask ", "+ cd ", "+ RPM_", "+ export ", "+ exit ", "+ jobs ", "+ unset ", "+ set " };
        if (!ash_slice_trim(line).len || ash_slice_starts(line, ASH_S("++")))
                return NOISE;
        for (size_t i = 0; i < ASH_N(preamble); i++)
                if (ash_slice_starts(line, ash_slice_str(preamble[i])))
                        return NOISE;
        if (ash_slice_starts(line, ASH_S("+ ")) && line.len > 2) { /* the shell's trace; "+ CFLAGS=..." is no command */
                AshSlice word, rest = ash_slice_from(line, 2);
                return ash_slice_next_word(&rest, &word) && ash_slice_find_char(word, '=') < 0 ? COMMAND : NOISE;
        }
        for (size_t i = 0; i < ASH_N(signs); i++) {
                AshSlice sign = ash_slice_str(signs[i].text);
                if (signs[i].begins ? ash_slice_starts(line, sign) : ash_slice_find(line, sign) >= 0)
                        return is_zero(line) ? NORMAL : signs[i].kind;
        }
        return NORMAL;
}

/* Of the last section alone; rpm repeats at the end what it said. */
AshSlice ash_build_last_section(AshSlice log) {
        AshSlice rest;
        ptrdiff_t at = ash_slice_find(log, ASH_S("\nRPM build errors:"));
        if (at >= 0)
                log = ash_slice_sub(log, 0, (size_t) at);
        rest = log;
        while ((at = ash_slice_find(rest, ASH_S("\nExecuting("))) >= 0) {
                rest = ash_slice_from(rest, (size_t) at + 1);
                if (!ash_slice_starts(rest, ASH_S("Executing(%doc)")) && !ash_slice_starts(rest, ASH_S("Executing(%license)"))) /* these are part of %files, which is all packages together */
                        log = rest;
        }
        at = ash_slice_find(log, ASH_S("\nProcessing files: "));
        return at >= 0 ? ash_slice_from(log, (size_t) at + 1) : log;
}

typedef struct Line {
        AshSlice text;
        Kind kind;
        bool shown;
} Line;
typedef ASH_ARRAY(Line) Lines;

/* The first ones of a kind, or the last ones. */
static size_t choose(Lines *lines, Kind kind, size_t most, bool last) {
        size_t n = 0;
        for (size_t i = 0; i < lines->n && n < most; i++) {
                Line *l = &lines->items[last ? lines->n - 1 - i : i];
                if (l->kind != kind || l->shown)
                        continue;
                l->shown = true;
                n++;
        }
        return n;
}

/* The source that a compiler quotes below its message ("   12 |   foo();"), what rpm lists below its own, and what an exception was: indented lines behind the first fault. */
static void choose_quoted(Lines *lines) {
        for (size_t i = 0; i < lines->n; i++) {
                if (lines->items[i].kind != FAULT)
                        continue;
                for (size_t k = i + 1; k < lines->n && k <= i + 6 && lines->items[k].text.ptr[0] == ' '; k++)
                        lines->items[k].shown = true;
                return;
        }
}

size_t ash_build_excerpt(AshSlice log, AshSlice *ret, size_t max) {
        AshSlice rest = ash_build_last_section(log), line;
        Lines lines = {};
        size_t n = 0;
        while (rest.len && ash_slice_next_line(&rest, &line)) {
                Kind kind = kind_of(line);
                if (kind != NOISE)
                        ash_array_push(&lines, ((Line){ .text = ash_slice_trim_right(line), .kind = kind }));
        }
        bool files = ash_slice_starts(ash_build_last_section(log), ASH_S("Processing files: ")), faults = choose(&lines, FAULT, ERRORS, false) > 0;
        if (faults)
                choose_quoted(&lines);
        choose(&lines, SUM, SUMS, false);
        if (!files || !faults) /* what copies %doc is not what failed */
                choose(&lines, COMMAND, 1, true);
        choose(&lines, NORMAL, faults ? LAST : PLAIN, true);
        ash_array_foreach(&lines, l)
                if (l->shown && n < max)
                        ret[n++] = l->text;
        ash_array_done(&lines);
        return n;
}
