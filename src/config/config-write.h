/* Values of the schema as text: TOML and JSON. */
#pragma once
#include "config-private.h"
#include "json.h"

void ash_write_string(AshStr *out, AshSlice s);   /* a TOML string, the plainest form that holds it */
void ash_write_key(AshStr *out, AshSlice key);    /* bare where possible */
/* A path that was joined with its file's directory, as seen from the project's directory. In the arena or as it is. */
AshSlice ash_write_path(AshConfig *c, AshSlice path);
/* The text of a TEXT, PATH or SOURCE field as a dump has it. base_dir: for SOURCE. */
AshSlice ash_write_text(AshConfig *c, const AshField *f, AshSlice text, const char *base_dir, bool in_component);
const char *ash_write_base_dir(const AshRecord *r, const void *record);
bool ash_write_simple(const AshField *f);         /* TABLES whose items are short enough for one line */
