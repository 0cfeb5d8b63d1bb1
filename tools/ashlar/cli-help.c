/* Help as text, from the tables. */
#include "cli.h"

#define WIDTH 100

void ash_cli_synopsis(const AshCliNoun *noun, const AshCliVerb *verb, AshStr *out) {
        ash_str_appendf(out, "ashlar %s", noun->name);
        if (verb->name[0])
                ash_str_appendf(out, " %s", verb->name);
        for (const AshCliArg *a = verb->args; a && a->name; a++) {
                bool optional = a->flags & ASH_ARG_OPTIONAL;
                ash_str_appendf(out, " %s%s%s%s", optional ? "[" : "", a->name, a->flags & ASH_ARG_MANY ? "..." : "", optional ? "]" : "");
        }
        for (const AshCliOption *o = verb->options; o && o->name; o++)
                if (!o->hidden)
                        ash_str_appendf(out, " [--%s%s%s]%s", o->name, o->value ? " " : "", o->value ? o->value : "", o->many ? "..." : "");
}

static void item(AshStr *out, const char *left, const char *doc) {
        size_t n = strlen(left);
        ash_str_appendf(out, "  %-24s", left);
        if (n > 24) {
                ash_str_append_char(out, '\n');
                ash_str_append_fill(out, ' ', 26);
        }
        ash_str_append_char(out, ' ');
        ash_text_wrap(out, doc, 27, 27, WIDTH);
}

static void option_items(AshStr *out, const AshCliOption *options) {
        for (const AshCliOption *o = options; o && o->name; o++) {
                if (o->hidden)
                        continue;
                _str_ AshStr left = {};
                ash_str_appendf(&left, "%c%c%c --%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ', o->letter ? ',' : ' ', o->name);
                if (o->value)
                        ash_str_appendf(&left, " %s", o->value);
                item(out, left.ptr, o->doc);
        }
}

static void paragraphs(AshStr *out, const char *doc) {
        AshSlice rest = ash_slice_str(doc), line;
        while (ash_slice_next_line(&rest, &line)) {
                _free_ char *one = ash_slice_dup(line);
                if (one[0] == ' ')
                        ash_str_appendf(out, "%s\n", one); /* set as it is: an example */
                else
                        ash_text_wrap(out, one, 0, 0, WIDTH);
        }
}

void ash_cli_help_verb(const AshCliNoun *noun, const AshCliVerb *verb, AshStr *out) {
        _str_ AshStr synopsis = {};
        ash_cli_synopsis(noun, verb, &synopsis);
        ash_str_append_str(out, "usage: ");
        ash_text_wrap(out, synopsis.ptr, 7, 15, WIDTH);
        ash_str_appendf(out, "\n%s\n", verb->summary);
        if (verb->doc) {
                ash_str_append_char(out, '\n');
                paragraphs(out, verb->doc);
        }
        if (verb->args && verb->args->name)
                ash_str_append_str(out, "\narguments:\n");
        for (const AshCliArg *a = verb->args; a && a->name; a++)
                item(out, a->name, a->doc);
        if (verb->options && verb->options->name && !verb->options->hidden)
                ash_str_append_str(out, "\noptions:\n");
        option_items(out, verb->options);
        ash_str_append_str(out, "\nglobal options:\n");
        option_items(out, ash_cli_globals);
}

static void verb_items(AshStr *out, const AshCliNoun *noun) {
        for (const AshCliVerb *v = noun->verbs; v->run; v++) {
                if (v->needs & ASH_VERB_HIDDEN)
                        continue;
                _free_ char *left = ash_asprintf("%s%s%s", noun->name, v->name[0] ? " " : "", v->name);
                item(out, left, v->summary);
        }
}

void ash_cli_help_noun(const AshCliNoun *noun, AshStr *out) {
        ash_str_appendf(out, "usage: ashlar %s VERB ...\n\n%s\n\ncommands:\n", noun->name, noun->summary);
        verb_items(out, noun);
        ash_str_appendf(out, "\n'ashlar %s VERB --help' says more about each.\n", noun->name);
}

void ash_cli_help_program(AshCli *cli, AshStr *out) {
        (void) cli;
        ash_str_append_str(out, "usage: ashlar [OPTION]... COMMAND [ARGUMENT]...\n\n"
                                "Ashlar makes a Linux distribution from a tree of TOML: it reads the tree, renders specs, builds packages, repositories and images.\n\n"
                                "commands:\n");
        for (const AshCliNoun *n = ash_cli_nouns; n->name; n++)
                verb_items(out, n);
        ash_str_append_str(out, "\nglobal options:\n");
        option_items(out, ash_cli_globals);
        ash_str_append_str(out, "\nexit status: 0 ok, 1 failed, 2 wrong usage, 3 invalid configuration, 4 no solution, 5 verification failed, 75 try again later\n");
}
