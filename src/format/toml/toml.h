/* TOML 1.0 and 1.1 (toml.io/en/v1.0.0, toml.io/en/v1.1.0): bytes to a document in which every value knows its place. Edits: toml-edit.h. */
#pragma once
#include "base.h"

typedef enum AshTomlVersion { ASH_TOML_1_0, ASH_TOML_1_1 } AshTomlVersion;
typedef enum AshTomlType {
        ASH_TOML_STRING, ASH_TOML_INTEGER, ASH_TOML_FLOAT, ASH_TOML_BOOL, ASH_TOML_DATETIME, ASH_TOML_DATETIME_LOCAL, ASH_TOML_DATE_LOCAL, ASH_TOML_TIME_LOCAL,
        ASH_TOML_ARRAY, ASH_TOML_TABLE, ASH_TOML_TYPE_MAX_
} AshTomlType;
const char *ash_toml_type_name(AshTomlType type); /* "string", "integer", "array", "table" ... as a message says it */

typedef struct AshTomlValue AshTomlValue;
typedef struct AshTomlMember {
        AshSlice key;
        AshSpan key_at;
        AshTomlValue *value;
} AshTomlMember;

struct AshTomlValue {
        AshTomlType type;
        bool inline_table;        /* written in braces */
        bool implicit;            /* a table that only stands in the path of another one: [a.b] makes "a", and so does the key a.b */
        bool indexed;             /* private: the parser's own table, which may have a hash index; false in values that you build by hand */
        AshSpan at;               /* a scalar: its text; an array or inline table: brackets included; a table: its header, or the key that made it */
        union {
                AshSlice string;  /* decoded, borrowed from the source where it can be, so not NUL-terminated; also the normalized text of dates and times (RFC 3339: 'T', 'Z', seconds always there) */
                int64_t integer;
                double floating;
                bool boolean;
                struct { AshTomlValue **items; size_t n; } array;   /* arrays of tables too */
                struct { AshTomlMember *members; size_t n; } table; /* in order of appearance */
        };
};

/* Limits: deeper nesting (levels of brackets, headers and dotted keys together) and more values than this are refused. */
#define ASH_TOML_DEPTH_MAX 1000
#define ASH_TOML_VALUES_MAX 4000000

typedef struct AshTomlDoc AshTomlDoc;
/* Parses source->text (kept by the caller as long as the document lives). On failure adds diagnostics with their place (keys and tables defined twice are all
 * reported, the first syntax error ends the parse) and returns -ASH_ERR_SYNTAX. Linear time, and memory a small multiple of the text.
 * -ASH_ERR_LIMIT: the text is larger than 4 GiB. A line break in a multi-line string is always one line feed, also where the file has CR LF. A date or time is checked
 * against the calendar. */
int ash_toml_parse(AshSource *source, AshTomlVersion version, AshTomlDoc **ret, AshDiags *diags);
void ash_toml_free(AshTomlDoc *doc);
ASH_DEFINE_CLEANUP(AshTomlDoc *, ash_toml_free)
const AshTomlValue *ash_toml_root(const AshTomlDoc *doc);
size_t ash_toml_memory(const AshTomlDoc *doc); /* bytes that the document takes, besides its text */
/* A table's member, or NULL. */
const AshTomlMember *ash_toml_member(const AshTomlValue *table, AshSlice key);
static inline const AshTomlValue *ash_toml_get(const AshTomlValue *table, const char *key) {
        const AshTomlMember *m = ash_toml_member(table, ash_slice_str(key));
        return m ? m->value : NULL;
}
