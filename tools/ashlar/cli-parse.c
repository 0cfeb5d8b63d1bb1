/* Arguments against the tables: global options anywhere, those of the verb behind it, suggestions for what is not known. */
#include "cli.h"

const AshCliOption ash_cli_globals[] = {
        { "dir", "DIR", "use the project in DIR (default: the nearest directory upwards with an ashlar.toml or azldev.toml)", 'C', ASH_KIND_DIR },
        { "json", NULL, "print results, diagnostics and progress as JSON" },
        { "quiet", NULL, "print errors and results only", 'q' },
        { "verbose", NULL, "say more; may be given twice", 'v', .many = true },
        { "color", "auto|always|never", "colours (default: auto; the environment variable NO_COLOR means never)" },
        { "timings", NULL, "print time, memory and bytes of every stage at the end" },
        { "store", "DIR", "the content store (default: $ASHLAR_STORE, else ashlar below $XDG_CACHE_HOME or ~/.cache)", .kind = ASH_KIND_DIR },
        { "upstream", "NAME", "use this upstream only" },
        { "jobs", "N", "run at most N jobs at once (default: as many as there are processors)", 'j', ASH_KIND_NUMBER },
        { "help", NULL, "show help for the command", 'h' },
        { "version", NULL, "print the version" },
        {},
};

const AshCliNoun *ash_cli_noun(AshSlice name) {
        for (const AshCliNoun *n = ash_cli_nouns; n->name; n++)
                if (ash_slice_eqs(name, n->name))
                        return n;
        return NULL;
}

const AshCliVerb *ash_cli_verb(const AshCliNoun *noun, AshSlice name) {
        for (const AshCliVerb *v = noun->verbs; v->run; v++)
                if (ash_slice_eqs(name, v->name))
                        return v;
        return NULL;
}

typedef struct Names {
        ASH_ARRAY(AshSlice) list;
} Names;

static const char *names_nearest(Names *names, AshSlice word) {
        ptrdiff_t i = ash_slice_nearest(word, names->list.items, names->list.n);
        const char *found = i < 0 ? NULL : names->list.items[i].ptr;
        ash_array_done(&names->list);
        return found;
}

const char *ash_cli_nearest_noun(AshSlice word) {
        Names names = {};
        for (const AshCliNoun *n = ash_cli_nouns; n->name; n++)
                ash_array_push(&names.list, ash_slice_str(n->name));
        return names_nearest(&names, word);
}

const char *ash_cli_nearest_verb(const AshCliNoun *noun, AshSlice word) {
        Names names = {};
        for (const AshCliVerb *v = noun->verbs; v->run; v++)
                if (v->name[0] && !(v->needs & ASH_VERB_HIDDEN))
                        ash_array_push(&names.list, ash_slice_str(v->name));
        return names_nearest(&names, word);
}

static void add_options(Names *names, const AshCliOption *options) {
        for (const AshCliOption *o = options; o && o->name; o++)
                if (!o->hidden)
                        ash_array_push(&names->list, ash_slice_str(o->name));
}

static const AshCliOption *find_option(const AshCliOption *options, AshSlice name, char letter) {
        for (const AshCliOption *o = options; o && o->name; o++)
                if (letter ? o->letter == letter : ash_slice_eqs(name, o->name))
                        return o;
        return NULL;
}

static const AshCliOption *known_option(const AshCli *cli, AshSlice name, char letter) {
        const AshCliOption *o = cli->verb ? find_option(cli->verb->options, name, letter) : NULL;
        return o ? o : find_option(ash_cli_globals, name, letter);
}

static void hint_help(AshCli *cli) {
        if (cli->verb)
                ash_hint(cli->diags, "ashlar %s%s%s --help", cli->noun->name, cli->verb->name[0] ? " " : "", cli->verb->name);
        else
                ash_hint(cli->diags, "ashlar %s%s--help", cli->noun ? cli->noun->name : "", cli->noun ? " " : "");
}

static const char *where(const AshCli *cli) {
        return cli->noun ? cli->noun->name : "ashlar";
}

static int unknown_option(AshCli *cli, AshSlice name, char letter) {
        if (letter) {
                ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "unknown option -%c", letter);
                hint_help(cli);
                return -ASH_ERR_USAGE;
        }
        Names names = {};
        add_options(&names, cli->verb ? cli->verb->options : NULL);
        add_options(&names, ash_cli_globals);
        const char *nearest = names_nearest(&names, name);
        ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "unknown option --%.*s", ASH_F(name));
        if (nearest)
                ash_hint(cli->diags, "did you mean --%s?", nearest);
        else
                hint_help(cli);
        return -ASH_ERR_USAGE;
}

/* Is "value" one of the words of "a|b|c"? A value name in capitals stands for anything. */
static bool choice_allows(const char *choices, AshSlice value) {
        if (!strchr(choices, '|'))
                return true;
        AshSlice rest = ash_slice_str(choices), word;
        while (ash_slice_split(&rest, '|', &word))
                if (ash_slice_eq(word, value))
                        return true;
        return false;
}

static int give(AshCli *cli, const AshCliOption *o, const char *value) {
        uint64_t number;
        if (value && !choice_allows(o->value, ash_slice_str(value))) {
                ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--%s: '%s' is none of %s", o->name, value, o->value);
                return -ASH_ERR_USAGE;
        }
        if (value && o->kind == ASH_KIND_NUMBER && ash_slice_to_u64(ash_slice_str(value), 10, &number) < 0)
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--%s: '%s' is not a number", o->name, value);
        ash_array_push(&cli->given, ((AshCliGiven){ o, value }));
        return 0;
}

static int parse_long(AshCli *cli, const char *arg, char ***rest) {
        AshSlice name = ash_slice_str(arg);
        ptrdiff_t eq = ash_slice_find_char(name, '=');
        const char *value = eq < 0 ? NULL : arg + eq + 1;
        if (eq >= 0)
                name.len = (size_t) eq;
        const AshCliOption *o = known_option(cli, name, 0);
        if (!o)
                return unknown_option(cli, name, 0);
        if (!o->value && value)
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--%s takes no value", o->name);
        if (o->value && !value && !(value = *++*rest))
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--%s needs a value: %s", o->name, o->value);
        return give(cli, o, value);
}

static int parse_short(AshCli *cli, const char *letters, char ***rest) {
        for (const char *c = letters; *c; c++) {
                const AshCliOption *o = known_option(cli, ASH_NOSLICE, *c);
                if (!o)
                        return unknown_option(cli, ASH_NOSLICE, *c);
                const char *value = NULL;
                if (o->value) {
                        value = c[1] ? c + 1 : *++*rest;
                        if (!value)
                                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "-%c needs a value: %s", *c, o->value);
                }
                int r = give(cli, o, value);
                if (r < 0 || o->value)
                        return r;
        }
        return 0;
}

static int take_noun(AshCli *cli, const char *word) {
        cli->noun = ash_cli_noun(ash_slice_str(word));
        if (cli->noun) {
                if (cli->noun->verbs[0].run && !cli->noun->verbs[0].name[0] && !cli->noun->verbs[1].run)
                        cli->verb = cli->noun->verbs;
                return 0;
        }
        const char *nearest = ash_cli_nearest_noun(ash_slice_str(word));
        ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "unknown command '%s'", word);
        if (nearest)
                ash_hint(cli->diags, "did you mean 'ashlar %s'?", nearest);
        else
                ash_hint(cli->diags, "ashlar --help");
        return -ASH_ERR_USAGE;
}

/* The second word: a verb, or the first argument of a noun that is a command by itself. */
static int take_verb(AshCli *cli, const char *word) {
        cli->verb = ash_cli_verb(cli->noun, ash_slice_str(word));
        if (cli->verb)
                return 0;
        cli->verb = ash_cli_verb(cli->noun, ASH_S(""));
        if (cli->verb) {
                ash_array_push(&cli->words, word);
                return 0;
        }
        const char *nearest = ash_cli_nearest_verb(cli->noun, ash_slice_str(word));
        ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "unknown command '%s %s'", cli->noun->name, word);
        if (nearest)
                ash_hint(cli->diags, "did you mean 'ashlar %s %s'?", cli->noun->name, nearest);
        else
                hint_help(cli);
        return -ASH_ERR_USAGE;
}

static int take_word(AshCli *cli, const char *word) {
        if (!cli->noun)
                return take_noun(cli, word);
        if (!cli->verb)
                return take_verb(cli, word);
        ash_array_push(&cli->words, word);
        return 0;
}

static bool given_flag(const AshCli *cli, const char *name, const char **ret_value) {
        for (size_t i = cli->given.n; i-- > 0;)
                if (strcmp(cli->given.items[i].option->name, name) == 0) {
                        if (ret_value)
                                *ret_value = cli->given.items[i].value;
                        return true;
                }
        return false;
}

static void apply_globals(AshCli *cli) {
        const char *value = NULL;
        cli->json = given_flag(cli, "json", NULL);
        cli->quiet = given_flag(cli, "quiet", NULL);
        cli->timings = given_flag(cli, "timings", NULL);
        cli->help = given_flag(cli, "help", NULL);
        cli->version = given_flag(cli, "version", NULL);
        given_flag(cli, "dir", &cli->dir);
        given_flag(cli, "store", &cli->store_dir);
        given_flag(cli, "upstream", &cli->upstream);
        cli->verbose = 0;
        ash_array_foreach(&cli->given, g)
                cli->verbose += strcmp(g->option->name, "verbose") == 0;
        if (given_flag(cli, "jobs", &value)) {
                uint64_t jobs = 0;
                ash_slice_to_u64(ash_slice_str(value), 10, &jobs);
                cli->jobs = (unsigned) ASH_MIN(jobs, (uint64_t) 4096);
        }
        if (given_flag(cli, "color", &value))
                cli->color_mode = strcmp(value, "always") == 0 ? 1 : strcmp(value, "never") == 0 ? -1 : 0;
}

static int check_arguments(AshCli *cli) {
        size_t least = 0, most = 0;
        const AshCliArg *missing = NULL;
        for (const AshCliArg *a = cli->verb->args; a && a->name; a++) {
                if (!(a->flags & ASH_ARG_OPTIONAL) && ++least == cli->words.n + 1)
                        missing = a;
                most = a->flags & ASH_ARG_MANY ? SIZE_MAX : most + 1;
        }
        if (cli->words.n < least) {
                ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "%s is missing: %s", missing->name, missing->doc);
                hint_help(cli);
                return -ASH_ERR_USAGE;
        }
        if (cli->words.n > most) {
                ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "unexpected argument '%s'", cli->words.items[most]);
                hint_help(cli);
                return -ASH_ERR_USAGE;
        }
        return 0;
}

static int check_command(AshCli *cli) {
        if (!cli->noun) {
                ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "no command given");
                hint_help(cli);
                return -ASH_ERR_USAGE;
        }
        if (!cli->verb && !(cli->verb = ash_cli_verb(cli->noun, ASH_S("")))) {
                ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "'%s' needs a verb", where(cli));
                hint_help(cli);
                return -ASH_ERR_USAGE;
        }
        return check_arguments(cli);
}

/* After a mistake: how it is to be reported (--json, --color ...) may stand behind it. */
static void parse_rest(AshCli *cli, char **rest) {
        AshDiags *diags = ASH_TAKE(cli->diags);
        for (char **arg = rest; *arg && strcmp(*arg, "--") != 0; arg++) {
                if ((*arg)[0] == '-' && (*arg)[1])
                        (void) ((*arg)[1] == '-' ? parse_long(cli, *arg + 2, &arg) : parse_short(cli, *arg + 1, &arg));
                if (!*arg)
                        break;
        }
        cli->diags = diags;
}

int ash_cli_parse(AshCli *cli, int argc, char **argv) {
        int r = 0;
        bool options = true;
        (void) argc;
        for (char **arg = argv + 1; *arg; arg++) {
                const char *a = *arg;
                if (options && strcmp(a, "--") == 0)
                        options = false;
                else if (options && a[0] == '-' && a[1] == '-')
                        r = parse_long(cli, a + 2, &arg);
                else if (options && a[0] == '-' && a[1])
                        r = parse_short(cli, a + 1, &arg);
                else
                        r = take_word(cli, a);
                if (r < 0 && *arg)
                        parse_rest(cli, arg + 1);
                if (r < 0 || !*arg)
                        break;
        }
        apply_globals(cli);
        if (r >= 0 && !cli->help && !cli->version)
                r = check_command(cli);
        cli->n_args = cli->words.n;
        ash_array_push(&cli->words, NULL);
        cli->args = cli->words.items;
        return r;
}

/* ---- what a verb asks ---- */
static const AshCliOption *own_option(const AshCli *cli, const char *name) {
        const AshCliOption *o = find_option(cli->verb->options, ash_slice_str(name), 0);
        if (!o)
                abort(); /* the verb's row does not have it */
        return o;
}

bool ash_cli_takes(const AshCli *cli, const char *name) { return cli->verb->options && find_option(cli->verb->options, ash_slice_str(name), 0); }

const char *ash_cli_option_nth(const AshCli *cli, const char *name, size_t i) {
        const AshCliOption *o = own_option(cli, name);
        ash_array_foreach(&cli->given, g)
                if (g->option == o && i-- == 0)
                        return g->value;
        return NULL;
}

bool ash_cli_flag(const AshCli *cli, const char *name) {
        const AshCliOption *o = own_option(cli, name);
        ash_array_foreach(&cli->given, g)
                if (g->option == o)
                        return true;
        return false;
}

const char *ash_cli_option(const AshCli *cli, const char *name) {
        const AshCliOption *o = own_option(cli, name);
        const char *value = NULL;
        ash_array_foreach(&cli->given, g)
                if (g->option == o)
                        value = g->value;
        return value;
}

uint64_t ash_cli_number(const AshCli *cli, const char *name, uint64_t otherwise) {
        const char *value = ash_cli_option(cli, name);
        uint64_t number = otherwise;
        if (value)
                ash_slice_to_u64(ash_slice_str(value), 10, &number);
        return number;
}
