/* The man page, from the tables: roff with the man(7) macros. */
#include "cli.h"

/* Text for roff: backslashes and dashes escaped, a control character at the start of a line disarmed. */
static void text(AshStr *out, const char *s, bool line_start) {
        if (line_start && (*s == '.' || *s == '\''))
                ash_str_append_str(out, "\\&");
        for (; *s; s++)
                if (*s == '\\')
                        ash_str_append_str(out, "\\e");
                else if (*s == '-')
                        ash_str_append_str(out, "\\-");
                else
                        ash_str_append_char(out, *s);
}

static void sentence(AshStr *out, const char *s) {
        text(out, s, true);
        size_t n = strlen(s);
        ash_str_append_str(out, n && strchr(".:!?", s[n - 1]) ? "\n" : ".\n");
}

static void option(AshStr *out, const AshCliOption *o) {
        if (o->hidden)
                return;
        ash_str_append_str(out, ".TP\n");
        if (o->letter)
                ash_str_appendf(out, "\\fB\\-%c\\fR, ", o->letter);
        ash_str_append_str(out, "\\fB\\-\\-");
        text(out, o->name, false);
        ash_str_append_str(out, "\\fR");
        if (o->value) {
                ash_str_append_str(out, " \\fI");
                text(out, o->value, false);
                ash_str_append_str(out, "\\fR");
        }
        ash_str_append_char(out, '\n');
        sentence(out, o->doc);
}

static void doc(AshStr *out, const char *s) {
        AshSlice rest = ash_slice_str(s), line;
        bool verbatim = false;
        while (ash_slice_next_line(&rest, &line)) {
                bool example = line.len && line.ptr[0] == ' ';
                if (example != verbatim)
                        ash_str_append_str(out, example ? ".RS\n.nf\n" : ".fi\n.RE\n");
                verbatim = example;
                _free_ char *one = ash_slice_dup(ash_slice_trim(line));
                if (line.len == 0)
                        ash_str_append_str(out, ".PP\n");
                else {
                        text(out, one, true);
                        ash_str_append_char(out, '\n');
                }
        }
        if (verbatim)
                ash_str_append_str(out, ".fi\n.RE\n");
}

static void verb(AshStr *out, const AshCliNoun *noun, const AshCliVerb *v) {
        _str_ AshStr synopsis = {};
        ash_cli_synopsis(noun, v, &synopsis);
        ash_str_append_str(out, ".SS ");
        text(out, synopsis.ptr, false);
        ash_str_append_char(out, '\n');
        _free_ char *summary = ash_strdup(v->summary);
        if (summary[0] >= 'a' && summary[0] <= 'z')
                summary[0] = (char) (summary[0] - 'a' + 'A');
        sentence(out, summary);
        if (v->doc) {
                ash_str_append_str(out, ".PP\n");
                doc(out, v->doc);
        }
        for (const AshCliArg *a = v->args; a && a->name; a++) {
                ash_str_appendf(out, ".TP\n\\fI");
                text(out, a->name, false);
                ash_str_append_str(out, "\\fR\n");
                sentence(out, a->doc);
        }
        for (const AshCliOption *o = v->options; o && o->name; o++)
                option(out, o);
}

static const struct { const char *status, *meaning; } statuses[] = {
        { "0", "All went well" },
        { "1", "The command failed, or what it was asked to check is not so" },
        { "2", "The command line is wrong" },
        { "3", "The configuration is invalid" },
        { "4", "The solver found no solution" },
        { "5", "A digest or a signature does not match" },
        { "75", "A passing fault: try again later" },
};
static const struct { const char *name, *meaning; } variables[] = {
        { "NO_COLOR", "When set to anything, no colours are used unless asked for with \\-\\-color=always" },
        { "ASHLAR_STORE", "The content store's directory" },
        { "XDG_CACHE_HOME", "Where the content store is, when nothing else names it" },
        { "TMPDIR", "Where temporary directories are made" },
};

void ash_cli_man(AshStr *out) {
        ash_str_append_str(out, ".TH ASHLAR 1 \"\" \"ashlar " ASHLAR_VERSION "\" \"User Commands\"\n"
                                ".SH NAME\nashlar \\- make a Linux distribution from a tree of TOML\n"
                                ".SH SYNOPSIS\n\\fBashlar\\fR [\\fIOPTION\\fR]... \\fICOMMAND\\fR [\\fIARGUMENT\\fR]...\n"
                                ".SH DESCRIPTION\nAshlar reads a distribution's tree of TOML, checks and explains it, renders the specs of its components with all declared\n"
                                "deviations from upstream, builds packages and signed repositories, and composes images.\n"
                                ".PP\nResults go to standard output, diagnostics and progress to standard error. Listings are one line an item, with columns\n"
                                "separated by a tab, when standard output is not a terminal.\n"
                                ".SH OPTIONS\nThese may stand before or behind the command.\n");
        for (const AshCliOption *o = ash_cli_globals; o->name; o++)
                option(out, o);
        ash_str_append_str(out, ".SH COMMANDS\n");
        for (const AshCliNoun *n = ash_cli_nouns; n->name; n++)
                for (const AshCliVerb *v = n->verbs; v->run; v++)
                        if (!(v->needs & ASH_VERB_HIDDEN))
                                verb(out, n, v);
        ash_str_append_str(out, ".SH EXIT STATUS\n");
        for (size_t i = 0; i < ASH_N(statuses); i++)
                ash_str_appendf(out, ".TP\n\\fB%s\\fR\n%s.\n", statuses[i].status, statuses[i].meaning);
        ash_str_append_str(out, ".SH ENVIRONMENT\n");
        for (size_t i = 0; i < ASH_N(variables); i++)
                ash_str_appendf(out, ".TP\n\\fB%s\\fR\n%s.\n", variables[i].name, variables[i].meaning);
}
