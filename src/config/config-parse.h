/* One file's TOML to records of the schema. */
#pragma once
#include "config-schema.h"
#include "toml.h"

typedef struct AshParse {
        AshArena *arena;      /* everything made goes here; shared with nobody else meanwhile */
        const char *dir;      /* directory of the file: paths are joined with it */
        AshDiags *diags;
        bool lint;
        bool in_component;    /* below components.NAME */
} AshParse;

/* Fills "record" (zeroed before) from a table. Mistakes become diagnostics; what is right is taken. */
void ash_parse_record(const AshParse *p, const AshRecord *r, const AshTomlValue *table, AshSpan at, void *record);
/* dir + path, normalized, in the arena; an absolute path stays. */
AshSlice ash_parse_join(AshArena *arena, const char *dir, AshSlice path);
