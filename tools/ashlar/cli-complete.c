/* Completion scripts for shells, from the tables. Names of components, images and channels are asked from the program itself. */
#include "cli.h"

static bool hidden(const AshCliVerb *v) { return v->needs & ASH_VERB_HIDDEN; }

static void words(AshStr *out, const char *choices) {
        for (const char *c = choices; *c; c++)
                ash_str_append_char(out, *c == '|' ? ' ' : *c);
}

/* How bash completes a kind of value: a compgen call, or nothing. */
static const char *const bash_kinds[ASH_KIND_MAX_] = {
        [ASH_KIND_FILE] = "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")",
        [ASH_KIND_DIR] = "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")",
        [ASH_KIND_COMPONENT] = "_ashlar_names component",
        [ASH_KIND_IMAGE] = "_ashlar_names image",
        [ASH_KIND_CHANNEL] = "_ashlar_names channel",
};

static void bash_value(AshStr *out, const char *indent, AshCliKind kind, const char *value) {
        ash_str_append_str(out, indent);
        if (value && strchr(value, '|')) {
                ash_str_append_str(out, "mapfile -t COMPREPLY < <(compgen -W '");
                words(out, value);
                ash_str_append_str(out, "' -- \"$cur\")\n");
        } else
                ash_str_appendf(out, "%s\n", bash_kinds[kind] ? bash_kinds[kind] : ":");
}

/* case "KEY:--option" lines for options that take a value. key: "noun verb", or "" for the global ones. */
static void bash_option_values(AshStr *out, const char *key, const AshCliOption *options) {
        for (const AshCliOption *o = options; o && o->name; o++) {
                if (!o->value || o->hidden)
                        continue;
                ash_str_appendf(out, "        '%s:--%s'", key, o->name);
                if (o->letter)
                        ash_str_appendf(out, " | '%s:-%c'", key, o->letter);
                ash_str_append_str(out, ")\n");
                bash_value(out, "                ", o->kind, o->value);
                ash_str_append_str(out, "                return 0 ;;\n");
        }
}

static void bash_option_names(AshStr *out, const AshCliOption *options) {
        for (const AshCliOption *o = options; o && o->name; o++)
                if (!o->hidden)
                        ash_str_appendf(out, " --%s", o->name);
}

static void bash_verbs(AshStr *out) {
        ash_str_append_str(out, "_ashlar_verbs() {\n        case $1 in\n");
        for (const AshCliNoun *n = ash_cli_nouns; n->name; n++) {
                ash_str_appendf(out, "        %s) echo '", n->name);
                for (const AshCliVerb *v = n->verbs; v->run; v++)
                        if (v->name[0] && !hidden(v))
                                ash_str_appendf(out, "%s ", v->name);
                ash_str_append_str(out, "' ;;\n");
        }
        ash_str_append_str(out, "        esac\n}\n");
}

static void bash_options(AshStr *out) {
        ash_str_append_str(out, "_ashlar_options() {\n        case $1 in\n");
        for (const AshCliNoun *n = ash_cli_nouns; n->name; n++)
                for (const AshCliVerb *v = n->verbs; v->run; v++)
                        if (v->options && !hidden(v)) {
                                ash_str_appendf(out, "        '%s %s') echo '", n->name, v->name);
                                bash_option_names(out, v->options);
                                ash_str_append_str(out, "' ;;\n");
                        }
        ash_str_append_str(out, "        esac\n        echo '");
        bash_option_names(out, ash_cli_globals);
        ash_str_append_str(out, "'\n}\n");
}

static void bash_values(AshStr *out) {
        ash_str_append_str(out, "# Completes the value of option $2 of command $1; fails when it takes none.\n"
                                "_ashlar_option_value() {\n        case \"$1:$2\" in\n");
        for (const AshCliNoun *n = ash_cli_nouns; n->name; n++)
                for (const AshCliVerb *v = n->verbs; v->run; v++) {
                        _free_ char *key = ash_asprintf("%s %s", n->name, v->name);
                        if (!hidden(v))
                                bash_option_values(out, key, v->options);
                }
        ash_str_append_str(out, "        esac\n        case \":$2\" in\n");
        bash_option_values(out, "", ash_cli_globals);
        ash_str_append_str(out, "        esac\n        return 1\n}\n");
}

static void bash_args(AshStr *out) {
        ash_str_append_str(out, "# Completes positional argument number $2 (from 0) of command $1.\n_ashlar_argument() {\n        case \"$1:$2\" in\n");
        for (const AshCliNoun *n = ash_cli_nouns; n->name; n++)
                for (const AshCliVerb *v = n->verbs; v->run; v++) {
                        unsigned i = 0;
                        for (const AshCliArg *a = v->args; a && a->name && !hidden(v); a++, i++) {
                                bool many = a->flags & ASH_ARG_MANY;
                                ash_str_appendf(out, many ? "        '%s %s:'*)\n" : "        '%s %s:%u')\n", n->name, v->name, i);
                                bash_value(out, "                ", a->kind, NULL);
                                ash_str_append_str(out, "                ;;\n");
                        }
                }
        ash_str_append_str(out, "        esac\n}\n");
}

static const char bash_head[] =
        "# bash completion for ashlar; made by 'ashlar help --completion bash'\n"
        "# Not by compgen -W, which would expand what stands in a name: \"$(...)\" in somebody's tree.\n"
        "_ashlar_names() {\n"
        "        local name\n"
        "        while IFS=$'\\t' read -r name _; do\n"
        "                [[ $name == \"$cur\"* ]] || continue\n"
        "                printf -v name %q \"$name\"\n"
        "                COMPREPLY+=(\"$name\")\n"
        "        done < <(ashlar \"${project[@]}\" -q \"$1\" list 2> /dev/null)\n"
        "}\n";
static const char bash_tail[] =
        "_ashlar() {\n"
        "        local cur=${COMP_WORDS[COMP_CWORD]} noun='' verb='' word i n=0 skip='' project=()\n"
        "        COMPREPLY=()\n"
        "        for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "                word=${COMP_WORDS[i]}\n"
        "                if [ \"$skip\" ]; then\n"
        "                        case $skip in -C | --dir) project=(-C \"$word\") ;; esac\n"
        "                        [ \"$word\" = '=' ] || skip=''\n"
        "                elif [[ $word == -* ]]; then\n"
        "                        if [[ $word != *=* ]] && _ashlar_option_value \"$noun $verb\" \"$word\"; then skip=$word; fi\n"
        "                        COMPREPLY=()\n"
        "                elif [ ! \"$noun\" ]; then\n"
        "                        noun=$word\n"
        "                elif [ ! \"$verb\" ] && [[ \" $(_ashlar_verbs \"$noun\") \" == *\" $word \"* ]]; then\n"
        "                        verb=$word\n"
        "                else\n"
        "                        n=$((n + 1))\n"
        "                fi\n"
        "        done\n"
        "        if [ \"$cur\" = '=' ] && [ \"$skip\" ]; then cur=''; fi\n"
        "        if [ \"$skip\" ]; then\n"
        "                _ashlar_option_value \"$noun $verb\" \"$skip\"\n"
        "        elif [[ $cur == -* ]]; then\n"
        "                mapfile -t COMPREPLY < <(compgen -W \"$(_ashlar_options \"$noun $verb\")\" -- \"$cur\")\n"
        "        elif [ ! \"$noun\" ]; then\n"
        "                mapfile -t COMPREPLY < <(compgen -W \"$(_ashlar_nouns)\" -- \"$cur\")\n"
        "        elif [ ! \"$verb\" ] && [ \"$(_ashlar_verbs \"$noun\")\" ] && [ \"$n\" = 0 ]; then\n"
        "                mapfile -t COMPREPLY < <(compgen -W \"$(_ashlar_verbs \"$noun\")\" -- \"$cur\")\n"
        "        else\n"
        "                _ashlar_argument \"$noun $verb\" \"$n\"\n"
        "        fi\n"
        "}\n"
        "complete -F _ashlar ashlar\n";

static void bash(AshStr *out) {
        ash_str_append_str(out, bash_head);
        ash_str_append_str(out, "_ashlar_nouns() {\n        echo '");
        for (const AshCliNoun *n = ash_cli_nouns; n->name; n++)
                ash_str_appendf(out, "%s ", n->name);
        ash_str_append_str(out, "'\n}\n");
        bash_verbs(out);
        bash_options(out);
        bash_values(out);
        bash_args(out);
        ash_str_append_str(out, bash_tail);
}

/* The inside of a text in single quotes; "quote" is how the shell writes a quote there. */
static void quoted(AshStr *out, const char *text, const char *quote) {
        for (const char *c = text; *c; c++)
                if (*c == '\'')
                        ash_str_append_str(out, quote);
                else
                        ash_str_append_char(out, *c);
}

static void zsh_word(AshStr *out, const char *name, const char *summary) {
        ash_str_appendf(out, " '%s:", name);
        quoted(out, summary, "'\\''");
        ash_str_append_char(out, '\'');
}

static void zsh(AshStr *out) {
        ash_str_append_str(out, "#compdef ashlar\n# zsh completion for ashlar; made by 'ashlar help --completion zsh'\n"
                                "_ashlar_words() {\n        local -a items\n        items=(\"$@\")\n        _describe 'ashlar' items\n}\n"
                                "_ashlar() {\n        local noun verb word\n        for word in ${words[2,CURRENT-1]}; do\n"
                                "                case $word in -*) ;; *) if [[ -z $noun ]]; then noun=$word; elif [[ -z $verb ]]; then verb=$word; fi ;; esac\n        done\n"
                                "        case \"$noun $verb\" in\n        ' ') _ashlar_words");
        for (const AshCliNoun *n = ash_cli_nouns; n->name; n++)
                zsh_word(out, n->name, n->summary);
        ash_str_append_str(out, " ;;\n");
        for (const AshCliNoun *n = ash_cli_nouns; n->name; n++) {
                if (!n->verbs->name[0])
                        continue;
                ash_str_appendf(out, "        '%s ') _ashlar_words", n->name);
                for (const AshCliVerb *v = n->verbs; v->run; v++)
                        if (!hidden(v))
                                zsh_word(out, v->name, v->summary);
                ash_str_append_str(out, " ;;\n");
        }
        ash_str_append_str(out, "        *) _files ;;\n        esac\n}\n_ashlar \"$@\"\n");
}

static void fish_doc(AshStr *out, const char *doc) {
        ash_str_append_str(out, " -d '");
        quoted(out, doc, "\\'");
        ash_str_append_str(out, "'\n");
}

static void fish_options(AshStr *out, const char *condition, const AshCliOption *options) {
        for (const AshCliOption *o = options; o && o->name; o++) {
                if (o->hidden)
                        continue;
                ash_str_appendf(out, "complete -c ashlar%s -l %s", condition, o->name);
                if (o->letter)
                        ash_str_appendf(out, " -s %c", o->letter);
                if (o->value && strchr(o->value, '|')) {
                        ash_str_append_str(out, " -x -a '");
                        words(out, o->value);
                        ash_str_append_str(out, "'");
                } else if (o->value)
                        ash_str_append_str(out, o->kind == ASH_KIND_FILE || o->kind == ASH_KIND_DIR ? " -r -F" : " -x");
                fish_doc(out, o->doc);
        }
}

static void fish(AshStr *out) {
        ash_str_append_str(out, "# fish completion for ashlar; made by 'ashlar help --completion fish'\ncomplete -c ashlar -f\n");
        fish_options(out, "", ash_cli_globals);
        for (const AshCliNoun *n = ash_cli_nouns; n->name; n++) {
                ash_str_appendf(out, "complete -c ashlar -n __fish_use_subcommand -a %s", n->name);
                fish_doc(out, n->summary);
                for (const AshCliVerb *v = n->verbs; v->run; v++) {
                        if (hidden(v))
                                continue;
                        if (v->name[0]) {
                                ash_str_appendf(out, "complete -c ashlar -n 'test (count (commandline -opc)) -eq 2; and __fish_seen_subcommand_from %s' -a %s", n->name, v->name);
                                fish_doc(out, v->summary);
                        }
                        _free_ char *condition = v->name[0] ? ash_asprintf(" -n '__fish_seen_subcommand_from %s; and __fish_seen_subcommand_from %s'", n->name, v->name)
                                                            : ash_asprintf(" -n '__fish_seen_subcommand_from %s'", n->name);
                        fish_options(out, condition, v->options);
                        for (const AshCliArg *a = v->args; a && a->name; a++)
                                if (a->kind == ASH_KIND_FILE || a->kind == ASH_KIND_DIR)
                                        ash_str_appendf(out, "complete -c ashlar%s -F\n", condition);
                }
        }
}

int ash_cli_completion(const char *shell, AshStr *out) {
        static const struct { const char *name; void (*make)(AshStr *out); } shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };
        for (size_t i = 0; i < ASH_N(shells); i++)
                if (strcmp(shell, shells[i].name) == 0) {
                        shells[i].make(out);
                        return 0;
                }
        return -ASH_ERR_USAGE;
}
