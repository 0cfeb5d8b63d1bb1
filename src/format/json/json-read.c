#include <jansson.h>
#include "json.h"

static void json_decref_p(json_t **v) { json_decref(*v); }

/* jansson limits the nesting, so this recursion ends. */
static AshJsonValue *convert(const json_t *v, AshArena *arena) {
        AshJsonValue *out = ash_arena_new_item(arena, AshJsonValue);
        switch (json_typeof(v)) {
        case JSON_NULL:
                out->type = ASH_JSON_NULL;
                break;
        case JSON_TRUE:
        case JSON_FALSE:
                out->type = ASH_JSON_BOOL;
                out->boolean = json_is_true(v);
                break;
        case JSON_INTEGER:
                out->type = ASH_JSON_INT;
                out->integer = json_integer_value(v);
                break;
        case JSON_REAL:
                out->type = ASH_JSON_DOUBLE;
                out->floating = json_real_value(v);
                break;
        case JSON_STRING:
                out->type = ASH_JSON_STRING;
                out->string = ash_arena_slice(arena, ash_slice(json_string_value(v), json_string_length(v)));
                break;
        case JSON_ARRAY:
                out->type = ASH_JSON_ARRAY;
                out->array.n = json_array_size(v);
                out->array.items = ash_arena_new_items(arena, AshJsonValue *, out->array.n);
                for (size_t i = 0; i < out->array.n; i++)
                        out->array.items[i] = convert(json_array_get(v, i), arena);
                break;
        case JSON_OBJECT: {
                out->type = ASH_JSON_OBJECT;
                out->object.members = ash_arena_new_items(arena, AshJsonMember, json_object_size(v));
                for (void *i = json_object_iter((json_t *) v); i; i = json_object_iter_next((json_t *) v, i)) {
                        AshJsonMember *m = &out->object.members[out->object.n++];
                        m->key = ash_arena_slice(arena, ash_slice_str(json_object_iter_key(i)));
                        m->value = convert(json_object_iter_value(i), arena);
                }
                break;
        }
        }
        return out;
}

int ash_json_parse(AshSource *source, AshArena *arena, AshJsonValue **ret, AshDiags *diags) {
        json_error_t error;
        _cleanup_(json_decref_p) json_t *v = json_loadb(source->text.ptr ? source->text.ptr : "", source->text.len,
                                                        JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        if (!v) {
                size_t offset = error.position > 0 ? (size_t) error.position : 0;
                AshSpan at = { source, (uint32_t) ASH_MIN(offset, source->text.len), 0 };
                return ash_fail(diags, -ASH_ERR_SYNTAX, at, "no valid JSON: %s", error.text);
        }
        *ret = convert(v, arena);
        return 0;
}

const AshJsonValue *ash_json_get(const AshJsonValue *object, const char *key) {
        if (!object || object->type != ASH_JSON_OBJECT)
                return NULL;
        for (size_t i = 0; i < object->object.n; i++)
                if (ash_slice_eqs(object->object.members[i].key, key))
                        return object->object.members[i].value;
        return NULL;
}

AshSlice ash_json_get_string(const AshJsonValue *object, const char *key) {
        const AshJsonValue *v = ash_json_get(object, key);
        return v && v->type == ASH_JSON_STRING ? v->string : ASH_NOSLICE;
}

bool ash_json_get_int(const AshJsonValue *object, const char *key, int64_t *ret) {
        const AshJsonValue *v = ash_json_get(object, key);
        if (!v || v->type != ASH_JSON_INT)
                return false;
        *ret = v->integer;
        return true;
}
