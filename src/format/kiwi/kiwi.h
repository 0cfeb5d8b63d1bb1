/* KIWI image descriptions (osinside.github.io/kiwi, schema 8): their elements, as they stand, with the lines of the file. What they mean is for others to say. */
#pragma once
#include "base.h"

typedef struct AshKiwiAttribute {
        AshSlice name, value;
} AshKiwiAttribute;
typedef struct AshKiwiElement {
        AshSlice name, text;         /* text: of its own, without white space around it */
        uint32_t line;               /* from 1 */
        AshKiwiAttribute *attributes;
        size_t n_attributes;
        struct AshKiwiElement **children;
        size_t n_children;
} AshKiwiElement;

/* The root element, "image"; everything lives in the arena. -ASH_ERR_SYNTAX: no XML, another root, a document type or an entity; -ASH_ERR_LIMIT. */
int ash_kiwi_read(AshSlice text, const char *name, AshArena *arena, AshKiwiElement **ret, AshDiags *diags);
/* Empty slice with ptr NULL when it is not there. */
AshSlice ash_kiwi_attribute(const AshKiwiElement *e, const char *name);
