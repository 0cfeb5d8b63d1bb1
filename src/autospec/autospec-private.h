#pragma once
#include "autospec.h"

typedef struct AshStaticMacro {
        AshSlice body;
        bool parametric; /* cannot be expanded: its arguments are not known here */
} AshStaticMacro;

struct AshStaticMacros {
        const AshStaticMacros *base; /* looked up after our own; borrowed */
        AshMap map;                  /* name -> AshStaticMacro; a NULL value hides the base's */
        AshArena *arena;
};
const AshStaticMacro *ash_static_macros_find(const AshStaticMacros *m, AshSlice name);
void ash_static_macros_put(AshStaticMacros *m, AshSlice name, AshSlice body, bool parametric);
void ash_static_macros_undefine(AshStaticMacros *m, AshSlice name);
/* ash_static_macros_expand() with a budget that several calls share; when it is spent, texts stay as they are. */
#define ASH_MACRO_BUDGET ((uint64_t) 4 << 20)
int ash_static_macros_expand_within(const AshStaticMacros *m, AshSlice text, uint64_t *budget, AshStr *out);
/* A macro's name at the start of a text: its length, or 0. */
size_t ash_macro_name_len(AshSlice s);
/* The text inside the bracket that opens at s.ptr[0], by nesting; len 0 and ptr NULL when it is not closed. */
AshSlice ash_macro_inside(AshSlice s, char open, char close);

/* %if: 1 true, 0 false, -1 when the expression cannot be worked out without running anything. "text" is already expanded. */
int ash_static_condition(AshSlice text);

void ash_spec_facts_read(AshSlice spec, const AshStaticMacros *predefined, bool preamble_only, AshSpecFacts *ret);
/* The lower-cased name of the section that a line begins ("changelog"), or empty. */
AshSlice ash_spec_section_name(AshSlice line);
/* Splits "Tag: value"; the tag's slice is empty when the line is none. */
bool ash_spec_tag_line(AshSlice line, AshSlice *ret_tag, AshSlice *ret_value);

typedef struct AshMagic {
        bool skip_changelog;
        uint64_t bump_release;
} AshMagic;
AshMagic ash_message_magic(AshSlice message);
/* The items of a changelog entry made of a commit message, wrapped: lines "- text", without the last newline. */
void ash_message_items(AshSlice message, AshStr *out);
/* Wraps one paragraph at 75 columns, further lines indented by two, as Python's textwrap does. */
void ash_wrap(AshSlice text, AshStr *out);
