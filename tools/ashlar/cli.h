/* The command line: what a verb states about itself (one row in a const table) and what it gets to work with.
 *
 * A verb is one row in the array of its noun's file verb-<noun>.c; a noun is one row in cli-verbs.c. Parsing, --help, the man page and shell completion
 * are made from these rows. A verb prints with ash_cli_*() only, reports through cli->diags, and never exits.
 *
 *      static int run_check(AshCli *cli) { for (size_t i = 0; i < cli->n_args; i++) ...; return 0; }
 *      const AshCliVerb ash_verbs_toml[] = {
 *              { "check", "check the syntax of TOML files", .args = ASH_ARGS({ "FILE", "a file to check", ASH_KIND_FILE, ASH_ARG_MANY }),
 *                .options = ASH_OPTIONS({ "toml-version", .value = "1.0|1.1", .doc = "version of the language (default: 1.1)" }), .run = run_check },
 *              {},
 *      };
 */
#pragma once
#include "base.h"
#include "json.h"

/* What a value is: for completion and for the check of numbers. */
typedef enum AshCliKind { ASH_KIND_TEXT, ASH_KIND_NUMBER, ASH_KIND_FILE, ASH_KIND_DIR, ASH_KIND_COMPONENT, ASH_KIND_IMAGE, ASH_KIND_CHANNEL, ASH_KIND_MAX_ } AshCliKind;

enum { ASH_ARG_OPTIONAL = 1 << 0, ASH_ARG_MANY = 1 << 1 /* one or more; with OPTIONAL none or more; the last argument only */ };
typedef struct AshCliArg {
        const char *name; /* "FILE" */
        const char *doc;
        AshCliKind kind;
        unsigned flags;
} AshCliArg;

typedef struct AshCliOption {
        const char *name;  /* long name without dashes */
        const char *value; /* NULL: a flag. "DIR": takes a value. "a|b|c": takes one of these words */
        const char *doc;
        char letter;       /* short name, or 0 */
        AshCliKind kind;
        bool many;         /* may be given more than once */
        bool hidden;       /* for our own build: not in help, man page and completion */
} AshCliOption;

/* What the driver provides before run(): see cli-needs.c. */
enum {
        ASH_NEEDS_CONFIG = 1 << 0, /* cli->config: the project, loaded; mistakes in it end the verb with exit status 3 */
        ASH_NEEDS_STORE = 1 << 1,  /* cli->store */
        ASH_TAKES_LOCK = 1 << 2,   /* holds the project's lock: no other writing verb of this project runs */
        ASH_VERB_HIDDEN = 1 << 3,  /* not in help, man page and completion */
};

typedef struct AshCli AshCli;
typedef struct AshCliVerb {
        const char *name;    /* "" for a noun that is a command by itself ("deviations") */
        const char *summary; /* one line, lower case, no full stop */
        const char *doc;     /* paragraphs, separated by an empty line; or NULL */
        const AshCliArg *args;
        const AshCliOption *options;
        unsigned needs;
        /* >= 0: the exit status (0 good; 1 "no", as for --check); negative: -errno or -ASH_ERR_*, mapped to an exit status. */
        int (*run)(AshCli *cli);
} AshCliVerb;
typedef struct AshCliNoun {
        const char *name;
        const char *summary;
        const AshCliVerb *verbs; /* ended by a row without run */
} AshCliNoun;

#define ASH_ARGS(...) ((const AshCliArg[]){ __VA_ARGS__, {} })
#define ASH_OPTIONS(...) ((const AshCliOption[]){ __VA_ARGS__, {} })

extern const AshCliNoun ash_cli_nouns[];          /* cli-verbs.c; ended by a row without name */
extern const AshCliOption ash_cli_globals[];      /* cli-parse.c */

struct AshCli {
        const AshCliNoun *noun;
        const AshCliVerb *verb;
        const char **args;       /* positional arguments, checked against the row; NULL-terminated */
        size_t n_args;
        AshDiags *diags;
        AshProgress *progress;   /* pass it down; never NULL */
        const char *dir;         /* -C: where the project is; NULL: look upwards from the current directory */
        const char *store_dir;   /* --store, $ASHLAR_STORE or NULL: the default */
        const char *upstream;    /* --upstream, or NULL */
        unsigned jobs;           /* -j; 0: as many as there are processors */
        bool json, quiet, timings;
        unsigned verbose;
        bool terminal;           /* standard output is one */
        bool color, color_err;   /* for standard output, for standard error */
        struct AshConfig *config; /* with ASH_NEEDS_CONFIG */
        struct AshStore *store;   /* with ASH_NEEDS_STORE */
        struct AshFlowSources *sources; /* what searches source archives, once a verb renders */
        struct AshBuilt *built;   /* what was built before, once it was asked for */
        char *public_key;       /* of those who sign for the project, once it was asked for */
        /* private: */
        ASH_ARRAY(struct AshCliGiven) given;
        ASH_ARRAY(const char *) words;
        bool said_error;         /* one was reported before the end */
        bool help, version;
        int color_mode;
        AshStr out;
        int out_error;
        struct AshLockFile *lock;
        unsigned provided;       /* needs */
        void *needs_state;
};
typedef struct AshCliGiven {
        const AshCliOption *option;
        const char *value;
} AshCliGiven;

/* ---- options of the verb (asking for one that is not in its row is a bug and aborts) ---- */
bool ash_cli_takes(const AshCli *cli, const char *name);                            /* is it an option of the verb? The others abort for what is none */
bool ash_cli_flag(const AshCli *cli, const char *name);
const char *ash_cli_option(const AshCli *cli, const char *name);                     /* the last one given, or NULL */
uint64_t ash_cli_number(const AshCli *cli, const char *name, uint64_t otherwise);    /* of kind ASH_KIND_NUMBER: checked while parsing */
const char *ash_cli_option_nth(const AshCli *cli, const char *name, size_t i);       /* of an option with .many; NULL past the last */

/* ---- standard output: buffered; errors are sticky and reported at the end; a closed pipe is quiet ---- */
void ash_cli_write(AshCli *cli, AshSlice text);
void ash_cli_print(AshCli *cli, const char *text);
void ash_cli_printf(AshCli *cli, const char *format, ...) _printf_(2, 3);
void ash_cli_flush(AshCli *cli);
typedef enum AshTint { ASH_TINT_BOLD, ASH_TINT_DIM, ASH_TINT_RED, ASH_TINT_GREEN, ASH_TINT_YELLOW, ASH_TINT_CYAN, ASH_TINT_OFF, ASH_TINT_MAX_ } AshTint;
const char *ash_cli_tint(const AshCli *cli, AshTint tint); /* "" when standard output has no colours */

/* A listing: aligned columns with a header on a terminal; one line an item, columns separated by a tab, without header when piped; with --json an array of
 * objects. Cells are copied; tabs and newlines in them become spaces. */
typedef struct AshCliColumn {
        const char *title; /* header; its lower-case form with '-' for ' ' is the key in JSON */
        bool number;       /* right-aligned, a bare number in JSON */
        bool optional;     /* left out of text when no row has it */
} AshCliColumn;
typedef struct AshCliList AshCliList;
AshCliList *ash_cli_list_new(AshCli *cli, const AshCliColumn *columns, size_t n);
void ash_cli_list_row(AshCliList *list, const AshSlice *cells); /* n of them; a cell with ptr NULL is "-" in text and null in JSON */
void ash_cli_list_print(AshCliList *list);
void ash_cli_list_free(AshCliList *list);
ASH_DEFINE_CLEANUP(AshCliList *, ash_cli_list_free)

/* ---- JSON output: json.h ---- */
AshJson ash_cli_json(AshCli *cli);                               /* onto standard output; write a "\n" with ash_cli_print() behind it */

/* ---- texts ---- */
void ash_text_bytes(AshStr *out, uint64_t n);        /* "1.4 MiB" */
void ash_text_duration(AshStr *out, uint64_t ns);    /* "12 ms", "3.2 s", "4 min 05 s" */
/* Words wrapped at width columns, each line after "indent" spaces; the first starts where the cursor is, at column "at". Ends with a newline. */
void ash_text_wrap(AshStr *out, const char *text, unsigned at, unsigned indent, unsigned width);

/* ---- the driver's parts ---- */
int ash_cli_parse(AshCli *cli, int argc, char **argv);
int ash_cli_provide(AshCli *cli, unsigned needs);     /* what the verb needs; a verb whose needs follow from its arguments calls it itself */
void ash_cli_release(AshCli *cli);
int ash_cli_exit_status(int code);
void ash_cli_report(AshCli *cli);                     /* prints the diagnostics collected so far, and clears them */
void ash_cli_help_program(AshCli *cli, AshStr *out);
void ash_cli_help_noun(const AshCliNoun *noun, AshStr *out);
void ash_cli_help_verb(const AshCliNoun *noun, const AshCliVerb *verb, AshStr *out);
void ash_cli_synopsis(const AshCliNoun *noun, const AshCliVerb *verb, AshStr *out);
const AshCliNoun *ash_cli_noun(AshSlice name);
const AshCliVerb *ash_cli_verb(const AshCliNoun *noun, AshSlice name);
const char *ash_cli_nearest_noun(AshSlice word);
const char *ash_cli_nearest_verb(const AshCliNoun *noun, AshSlice word);
void ash_cli_man(AshStr *out);
int ash_cli_completion(const char *shell, AshStr *out);
AshProgress *ash_cli_progress_new(AshCli *cli);
void ash_cli_progress_free(AshProgress *p);
void ash_cli_progress_pause(AshProgress *p);          /* erases the line: something else is about to be printed */
void ash_cli_progress_timings(AshProgress *p, AshCli *cli);

/* ---- the nouns: one array each, in verb-<noun>.c ---- */
extern const AshCliVerb ash_verbs_build[];
extern const AshCliVerb ash_verbs_component[];
extern const AshCliVerb ash_verbs_config[];
extern const AshCliVerb ash_verbs_deviations[];
extern const AshCliVerb ash_verbs_help[];
extern const AshCliVerb ash_verbs_overlay[];
extern const AshCliVerb ash_verbs_store[];
extern const AshCliVerb ash_verbs_toml[];
extern const AshCliVerb ash_verbs_upstream[];
extern const AshCliVerb ash_verbs_repo[];
extern const AshCliVerb ash_verbs_package[];
extern const AshCliVerb ash_verbs_lock[];
extern const AshCliVerb ash_verbs_image[];
