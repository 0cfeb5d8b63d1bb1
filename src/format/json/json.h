/* JSON (RFC 8259): a writer that streams in the order of the calls, and a reader. The only module that names jansson. */
#pragma once
#include "base.h"

/* ---- writing ----
 *   AshJson j;
 *   ash_json_init(&j, &out, true);
 *   ash_json_begin_object(&j);
 *   ash_json_add_string(&j, "name", ASH_S("bash"));       "name": "bash"
 *   ash_json_begin_array_in(&j, "sources");               "sources": [
 *   ash_json_str(&j, "bash-5.2.tar.gz");
 *   ash_json_end_array(&j);
 *   ash_json_end_object(&j);
 *   ash_json_done(&j);                                    the line break at the end
 * The caller keeps the grammar (a key before each value in an object). Nothing can fail. */
typedef struct AshJson {
        AshStr *out;
        bool pretty;      /* two spaces a level, one member a line; else no white space at all */
        /* private: */
        bool comma;       /* something stands before in this object or array */
        bool after_key;
        unsigned depth;
} AshJson;

void ash_json_init(AshJson *j, AshStr *out, bool pretty); /* appends to out, which stays the caller's */
void ash_json_done(AshJson *j);                           /* ends the text with a line break */

void ash_json_begin_object(AshJson *j);
void ash_json_end_object(AshJson *j);
void ash_json_begin_array(AshJson *j);
void ash_json_end_array(AshJson *j);
void ash_json_key(AshJson *j, AshSlice key);
/* Bytes that are no UTF-8 become U+FFFD, as browsers do it (one for each maximal part of a sequence): the output is always valid. */
void ash_json_string(AshJson *j, AshSlice s);
void ash_json_str(AshJson *j, const char *s);             /* NULL gives null */
void ash_json_int(AshJson *j, int64_t n);
void ash_json_uint(AshJson *j, uint64_t n);
void ash_json_double(AshJson *j, double d);               /* as few digits as read back the same; inf and nan give null */
void ash_json_bool(AshJson *j, bool b);
void ash_json_null(AshJson *j);
void ash_json_raw(AshJson *j, AshSlice json);             /* a value that is JSON already */

/* A key and its value in one call. */
void ash_json_begin_object_in(AshJson *j, const char *key);
void ash_json_begin_array_in(AshJson *j, const char *key);
void ash_json_add_string(AshJson *j, const char *key, AshSlice s);
void ash_json_add_str(AshJson *j, const char *key, const char *s);
void ash_json_add_int(AshJson *j, const char *key, int64_t n);
void ash_json_add_uint(AshJson *j, const char *key, uint64_t n);
void ash_json_add_double(AshJson *j, const char *key, double d);
void ash_json_add_bool(AshJson *j, const char *key, bool b);
void ash_json_add_null(AshJson *j, const char *key);

/* The diagnostics of a run, as the array that --json prints: severity, code, file, line, column, text, hint, notes. */
void ash_json_diags(AshJson *j, const AshDiags *diags);

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

/* Reads one value, all of it in the arena. Refuses duplicate keys, integers beyond 64 bits, nesting deeper than 2,048 and bytes that are no UTF-8: -ASH_ERR_SYNTAX with a
 * diagnostic at its place. The source may go after. */
int ash_json_parse(AshSource *source, AshArena *arena, AshJsonValue **ret, AshDiags *diags);
const AshJsonValue *ash_json_get(const AshJsonValue *object, const char *key); /* NULL: no object, or no such key */
AshSlice ash_json_get_string(const AshJsonValue *object, const char *key);     /* ASH_NOSLICE: no such string */
bool ash_json_get_int(const AshJsonValue *object, const char *key, int64_t *ret);
