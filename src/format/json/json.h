/* JSON (RFC 8259): a writer that streams in the order of the calls, and a reader. The only module that names jansson. */
#pragma once
#include "base.h"

/* ---- writing ----
 *   AshJson j = { .out = &out };
 *   ash_json_begin(&j, NULL, '{');
 *   ash_json_str(&j, "name", "bash");              "name": "bash"
 *   ash_json_begin(&j, "sources", '[');            "sources": [
 *   ash_json_str(&j, NULL, "bash-5.2.tar.gz");
 *   ash_json_end(&j, ']');
 *   ash_json_end(&j, '}');
 * Appends to out; the caller keeps the grammar: key is NULL within an array, never within an object. Nothing can fail. */
typedef struct AshJson {
        AshStr *out;
        unsigned depth;
        bool comma;   /* a value stands before the next one */
        bool compact; /* all on one line; else two spaces a level, one member a line */
        bool keyed;   /* ash_json_key() has been called */
} AshJson;
void ash_json_begin(AshJson *j, const char *key, char bracket);  /* '{' or '[' */
void ash_json_end(AshJson *j, char bracket);                     /* '}' or ']' */
/* ptr NULL: null. Bytes that are no UTF-8 become U+FFFD, as browsers do it (one for each maximal part of a sequence): the output is always valid. */
void ash_json_text(AshJson *j, const char *key, AshSlice value);
void ash_json_str(AshJson *j, const char *key, const char *value); /* NULL: null */
void ash_json_int(AshJson *j, const char *key, int64_t value);
void ash_json_uint(AshJson *j, const char *key, uint64_t value);
void ash_json_double(AshJson *j, const char *key, double value); /* as few digits as read back the same; inf and nan give null */
void ash_json_bool(AshJson *j, const char *key, bool value);
void ash_json_null(AshJson *j, const char *key);
void ash_json_raw(AshJson *j, const char *key, AshSlice value);  /* already JSON */
/* For a key that is a slice (or has a NUL in it): the next call, with key NULL, writes its value. */
void ash_json_key(AshJson *j, AshSlice key);

/* Decimal text that reads back as d, with 15, 16 or 17 digits as needed, whatever the locale: "0.1", "1e+300", "-0", "inf", "nan". At most 32 bytes with the NUL. */
void ash_json_format_double(double d, char ret[32]);

/* ---- reading ---- */
typedef enum AshJsonType { ASH_JSON_NULL, ASH_JSON_BOOL, ASH_JSON_INT, ASH_JSON_DOUBLE, ASH_JSON_STRING, ASH_JSON_ARRAY, ASH_JSON_OBJECT } AshJsonType;
typedef struct AshJsonValue AshJsonValue;
typedef struct AshJsonMember {
        AshSlice key;
        AshJsonValue *value;
} AshJsonMember;
struct AshJsonValue {
        AshJsonType type;
        union {
                bool boolean;
                int64_t integer;
                double floating;
                AshSlice string; /* NUL-terminated behind its end */
                struct { AshJsonValue **items; size_t n; } array;
                struct { AshJsonMember *members; size_t n; } object; /* in order of appearance */
        };
};

/* Reads one value, all of it in the arena. Refuses duplicate keys, integers beyond 64 bits, nesting deeper than 2,048, a NUL in a key and bytes that are no UTF-8: -ASH_ERR_SYNTAX with a
 * diagnostic at its place. The source may go after. */
int ash_json_parse(AshSource *source, AshArena *arena, AshJsonValue **ret, AshDiags *diags);
const AshJsonValue *ash_json_get(const AshJsonValue *object, const char *key); /* NULL: no object, or no such key */
AshSlice ash_json_get_string(const AshJsonValue *object, const char *key);     /* ASH_NOSLICE: no such string */
bool ash_json_get_int(const AshJsonValue *object, const char *key, int64_t *ret);
