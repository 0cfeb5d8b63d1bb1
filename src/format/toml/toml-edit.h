/* Writing TOML: values in a canonical form, and edits of a text that keep comments, order and layout of everything they do not touch.
 *
 * A path names a value: keys separated by points, quoted where TOML needs it, and [n] for an item of an array ([-1]: the last one):
 *     components.bash.release      components."gtk+".overlays[-1].value
 * Build one from keys with ash_toml_path_add(). Text that is written is good in TOML 1.0 and 1.1 both. */
#pragma once
#include "toml.h"

/* ---- values to write: by hand, or from a document. Nothing is copied; "indexed" stays false. ---- */
static inline AshTomlValue ash_toml_string(AshSlice s) { return (AshTomlValue){ .type = ASH_TOML_STRING, .string = s }; }
static inline AshTomlValue ash_toml_integer(int64_t n) { return (AshTomlValue){ .type = ASH_TOML_INTEGER, .integer = n }; }
static inline AshTomlValue ash_toml_float(double d) { return (AshTomlValue){ .type = ASH_TOML_FLOAT, .floating = d }; }
static inline AshTomlValue ash_toml_bool(bool b) { return (AshTomlValue){ .type = ASH_TOML_BOOL, .boolean = b }; }
static inline AshTomlValue ash_toml_array(AshTomlValue **items, size_t n) { return (AshTomlValue){ .type = ASH_TOML_ARRAY, .array = { items, n } }; }
static inline AshTomlValue ash_toml_table(AshTomlMember *members, size_t n) { return (AshTomlValue){ .type = ASH_TOML_TABLE, .table = { members, n } }; }

/* ---- canonical text ---- */
/* A key, quoted only when it must be. */
void ash_toml_emit_key(AshStr *out, AshSlice key);
/* A value on one line: arrays in brackets, tables in braces. Strings stand in double quotes; in single ones when that saves escapes. Bytes that are no UTF-8 become U+FFFD. */
void ash_toml_emit_value(AshStr *out, const AshTomlValue *value);
/* A whole document: keys first, then tables under headers, arrays of tables as [[...]]; strings with line breaks over several lines, long arrays one item a line.
 * The same values give the same bytes. */
void ash_toml_emit_document(AshStr *out, const AshTomlValue *root);
/* Adds a key to a path. */
void ash_toml_path_add(AshStr *path, AshSlice key);

/* ---- editing ---- */
typedef struct AshTomlEdit AshTomlEdit;
/* Takes a copy of the text, which must be well formed: else -ASH_ERR_SYNTAX. */
int ash_toml_edit_new(const char *name, AshSlice text, AshTomlVersion version, AshTomlEdit **ret, AshDiags *diags);
void ash_toml_edit_free(AshTomlEdit *edit);
ASH_DEFINE_CLEANUP(AshTomlEdit *, ash_toml_edit_free)
/* As it stands now; both are good until the next edit. */
AshSlice ash_toml_edit_text(const AshTomlEdit *edit);
const AshTomlValue *ash_toml_edit_root(const AshTomlEdit *edit);
const AshTomlValue *ash_toml_edit_get(const AshTomlEdit *edit, const char *path); /* NULL: nothing there */

/* Each edit reads the whole text again and is taken back when that fails, so the text is always well formed. One pass over the text each.
 * They return -ENOENT (there is nothing at the path), -EEXIST (there is something already) or -EINVAL (it cannot be done there), with a diagnostic. */
/* Replaces the value at the path (its comment stays; an array over several lines stays so), or adds the key: behind the last key of its table, indented and aligned
 * as the others, in a table that is made when it is missing. What is written under a header or by dotted keys is not replaced: -EEXIST. */
int ash_toml_edit_set(AshTomlEdit *edit, const char *path, const AshTomlValue *value, AshDiags *diags);
/* A new table under a header of its own, behind those of its parent, with the members of "table" (NULL: none) as keys. */
int ash_toml_edit_add_table(AshTomlEdit *edit, const char *path, const AshTomlValue *table, AshDiags *diags);
/* A new item at the end of an array: [[path]] with the members of a table where the array is one of tables or is not there yet, else within the brackets. */
int ash_toml_edit_append(AshTomlEdit *edit, const char *path, const AshTomlValue *value, AshDiags *diags);
/* Removes a value with its key, or a table with all below it. The comment on its line goes with it; so do, for a table under a header, the comment lines that touch it.
 * Parents that were only implied go too when nothing else implies them. */
int ash_toml_edit_remove(AshTomlEdit *edit, const char *path, AshDiags *diags);
