#include "toml-json.h"

static const char *const tags[] = {
        [ASH_TOML_STRING] = "string", [ASH_TOML_INTEGER] = "integer", [ASH_TOML_FLOAT] = "float", [ASH_TOML_BOOL] = "bool", [ASH_TOML_DATETIME] = "datetime",
        [ASH_TOML_DATETIME_LOCAL] = "datetime-local", [ASH_TOML_DATE_LOCAL] = "date-local", [ASH_TOML_TIME_LOCAL] = "time-local",
};

typedef void Scalar(const AshTomlValue *v, AshJson *j, const char *key);

/* The parser limits the nesting, so this recursion ends. */
static void print(const AshTomlValue *v, AshJson *j, const char *key, Scalar *scalar) {
        if (v->type == ASH_TOML_TABLE) {
                ash_json_begin(j, key, '{');
                for (size_t i = 0; i < v->table.n; i++) {
                        ash_json_key(j, v->table.members[i].key);
                        print(v->table.members[i].value, j, NULL, scalar);
                }
                ash_json_end(j, '}');
        } else if (v->type == ASH_TOML_ARRAY) {
                ash_json_begin(j, key, '[');
                for (size_t i = 0; i < v->array.n; i++)
                        print(v->array.items[i], j, NULL, scalar);
                ash_json_end(j, ']');
        } else
                scalar(v, j, key);
}

static AshSlice text_of(const AshTomlValue *v, char buffer[32]) {
        switch (v->type) {
        case ASH_TOML_INTEGER:
                snprintf(buffer, 32, "%lld", (long long) v->integer);
                return ash_slice_str(buffer);
        case ASH_TOML_FLOAT:
                ash_json_format_double(v->floating, buffer);
                return ash_slice_str(buffer);
        case ASH_TOML_BOOL:
                return v->boolean ? ASH_S("true") : ASH_S("false");
        default:
                return v->string;
        }
}

static void tagged(const AshTomlValue *v, AshJson *j, const char *key) {
        char buffer[32];
        AshJson line = { .out = j->out, .compact = true }; /* a scalar stays on one line */
        ash_json_raw(j, key, ASH_S(""));
        ash_json_begin(&line, NULL, '{');
        ash_json_str(&line, "type", tags[v->type]);
        ash_json_text(&line, "value", text_of(v, buffer));
        ash_json_end(&line, '}');
}

static void plain(const AshTomlValue *v, AshJson *j, const char *key) {
        char buffer[32];
        if (v->type == ASH_TOML_FLOAT)
                ash_json_double(j, key, v->floating);
        else if (v->type == ASH_TOML_INTEGER || v->type == ASH_TOML_BOOL)
                ash_json_raw(j, key, text_of(v, buffer));
        else
                ash_json_text(j, key, v->string);
}

void ash_toml_tagged(const AshTomlValue *value, AshJson *j, const char *key) { print(value, j, key, tagged); }
void ash_toml_plain(const AshTomlValue *value, AshJson *j, const char *key) { print(value, j, key, plain); }
