/* Why two fingerprints differ, in words. */
#include "fingerprint.h"
#include "json.h"

void ash_reasons_done(AshReasons *r) {
        ash_array_foreach(&r->items, s)
                free(*s);
        ash_array_done(&r->items);
}

static void say(AshReasons *r, const char *format, ...) _printf_(2, 3);
static void say(AshReasons *r, const char *format, ...) {
        AshStr s = {};
        va_list ap;
        va_start(ap, format);
        ash_str_appendv(&s, format, ap);
        va_end(ap);
        ash_array_push(&r->items, ash_str_take(&s));
}

/* "sha256:0123456789ab...": enough of a digest to see that it is another one; other values are cut at a readable length. */
static char *brief(AshSlice v) {
        ptrdiff_t colon = ash_slice_find_char(v, ':');
        if (colon >= 0 && v.len - (size_t) colon > 33)
                return ash_asprintf("%.*s", (int) colon + 13, v.ptr);
        _str_ AshStr s = {};
        for (size_t i = 0; i < v.len && i < 80; i++)
                ash_str_append_char(&s, (uint8_t) v.ptr[i] < 0x20 ? ' ' : v.ptr[i]);
        while (s.len && !ash_utf8_valid(ash_str_slice(&s), NULL))
                s.ptr[--s.len] = 0;
        if (v.len > 80)
                ash_str_append_str(&s, "...");
        return ash_str_take(&s);
}

/* The words of each kind: %s is the input's name, then old and new value. NULL: the words of the row before fit. */
static const struct Words {
        const char *added, *removed, *changed;
} words[ASH_INPUT_MAX_] = {
        [ASH_INPUT_COMPONENT] = { "the component's %s appeared", "the component's %s is gone", "the component's %s changed" },
        [ASH_INPUT_SPEC] = { "upstream's spec is now called %s", "upstream's spec is no longer called %s", "upstream's spec %s changed" },
        [ASH_INPUT_FILE] = { "upstream added the file %s", "upstream removed the file %s", "upstream's file %s changed" },
        [ASH_INPUT_SOURCE] = { "the source %s was added", "the source %s was removed", "the source %s changed" },
        [ASH_INPUT_HISTORY] = { "the %s worked out from git history appeared", "the %s is no longer worked out from git history", "the %s worked out from git history changed" },
        [ASH_INPUT_SETTING] = { "the setting %s was set", "the setting %s was unset", "the setting %s changed" },
        [ASH_INPUT_WITH] = { "the build option '%s' was switched on (with)", "the build option '%s' is no longer switched on (with)", "%s" },
        [ASH_INPUT_WITHOUT] = { "the build option '%s' was switched off (without)", "the build option '%s' is no longer switched off (without)", "%s" },
        [ASH_INPUT_DEFINE] = { "the macro %s was defined", "the macro %s is no longer defined", "the macro %s changed" },
};

static void with_name(AshStr *out, const char *format, AshSlice name) {
        const char *at = strstr(format, "%s");
        ash_str_append(out, ash_slice(format, (size_t) (at - format)));
        ash_str_append(out, name);
        ash_str_append_str(out, at + 2);
}

static void say_keyed(AshReasons *r, const AshInput *old, const AshInput *new) {
        const AshInput *any = new ? new : old;
        const struct Words *w = &words[any->kind];
        _str_ AshStr s = {};
        with_name(&s, old && new ? w->changed : new ? w->added : w->removed, any->name);
        _free_ char *from = old && old->value.len ? brief(old->value) : NULL, *to = new && new->value.len ? brief(new->value) : NULL;
        if (from && to && strcmp(from, to) != 0)
                ash_str_appendf(&s, ": %s -> %s", from, to);
        else if (to && !old)
                ash_str_appendf(&s, ": %s", to);
        say(r, "%s", s.ptr);
}

/* Both lists are sorted by kind and name up to the overlays. */
static void compare_keyed(const AshFingerprint *old, const AshFingerprint *new, AshReasons *r) {
        size_t i = 0, j = 0;
        for (;;) {
                const AshInput *a = i < old->inputs.n && old->inputs.items[i].kind != ASH_INPUT_OVERLAY ? &old->inputs.items[i] : NULL;
                const AshInput *b = j < new->inputs.n && new->inputs.items[j].kind != ASH_INPUT_OVERLAY ? &new->inputs.items[j] : NULL;
                if (!a && !b)
                        return;
                int c = !a ? 1 : !b ? -1 : a->kind != b->kind ? (int) a->kind - (int) b->kind : ash_slice_cmp(a->name, b->name);
                if (c < 0)
                        say_keyed(r, a, NULL);
                else if (c > 0)
                        say_keyed(r, NULL, b);
                else if (!ash_slice_eq(a->value, b->value))
                        say_keyed(r, a, b);
                i += c <= 0;
                j += c >= 0;
        }
}

/* ---- overlays ---- */
typedef struct List {
        const AshInput *items;
        size_t n;
        size_t *pair; /* index + 1 of the same overlay in the other list; 0: none */
} List;

static List overlays_of(const AshFingerprint *f) {
        size_t first = 0;
        while (first < f->inputs.n && f->inputs.items[first].kind != ASH_INPUT_OVERLAY)
                first++;
        return (List){ f->inputs.items + first, f->inputs.n - first, NULL };
}

static const AshJsonValue *parse(AshSlice text, AshArena *arena) {
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("overlay", text);
        AshJsonValue *v = NULL;
        return ash_json_parse(source, arena, &v, NULL) < 0 ? NULL : v;
}

/* "spec-set-tag Release": the type and what it aims at. */
static char *describe(const AshInput *in, AshArena *arena) {
        static const char *const aims[] = { "tag", "file", "section", "package", "regex" };
        const AshJsonValue *v = parse(in->value, arena);
        for (size_t i = 0; i < ASH_N(aims); i++) {
                AshSlice s = ash_json_get_string(v, aims[i]);
                if (s.len) {
                        _free_ char *short_form = brief(s);
                        return ash_asprintf("%.*s %s", ASH_F(in->name), short_form);
                }
        }
        return ash_asprintf("%.*s", ASH_F(in->name));
}

static bool json_equal(const AshJsonValue *a, const AshJsonValue *b) {
        if (!a || !b || a->type != b->type)
                return a == b;
        if (a->type == ASH_JSON_STRING)
                return ash_slice_eq(a->string, b->string);
        if (a->type == ASH_JSON_INT)
                return a->integer == b->integer;
        if (a->type != ASH_JSON_ARRAY)
                return false;
        for (size_t i = 0; i < a->array.n; i++)
                if (i >= b->array.n || !json_equal(a->array.items[i], b->array.items[i]))
                        return false;
        return a->array.n == b->array.n;
}

static void list_changed(const AshJsonValue *a, const AshJsonValue *b, bool only_missing, AshStr *out) {
        for (size_t i = 0; i < a->object.n; i++) {
                AshSlice key = a->object.members[i].key;
                const AshJsonValue *other = ash_json_get(b, key.ptr);
                if (other ? only_missing || json_equal(a->object.members[i].value, other) : false)
                        continue;
                ash_str_appendf(out, "%s%.*s", out->len ? ", " : "", ASH_F(key));
        }
}

static void say_changed_overlay(AshReasons *r, const AshInput *a, const AshInput *b, size_t number, AshArena *arena) {
        _free_ char *what = describe(b, arena);
        const AshJsonValue *x = parse(a->value, arena), *y = parse(b->value, arena);
        _str_ AshStr fields = {};
        if (x && y && x->type == ASH_JSON_OBJECT && y->type == ASH_JSON_OBJECT) {
                list_changed(x, y, false, &fields);
                list_changed(y, x, true, &fields);
        }
        say(r, "overlay %zu (%s) changed%s%s", number, what, fields.len ? ": " : "", fields.len ? fields.ptr : "");
}

/* Pairs equal overlays, each with the first equal one that is still free. */
static void pair_equal(List *a, List *b) {
        for (size_t i = 0; i < a->n; i++)
                for (size_t j = 0; j < b->n && !a->pair[i]; j++)
                        if (!b->pair[j] && ash_slice_eq(a->items[i].value, b->items[j].value)) {
                                a->pair[i] = j + 1;
                                b->pair[j] = i + 1;
                        }
}

/* Of what is left: two of one type between the same neighbours are one that changed. */
static void say_changed(List *a, List *b, AshReasons *r, AshArena *arena) {
        for (size_t i = 0; i < a->n; i++)
                for (size_t j = 0; j < b->n && !a->pair[i]; j++) {
                        if (b->pair[j] || !ash_slice_eq(a->items[i].name, b->items[j].name))
                                continue;
                        a->pair[i] = j + 1;
                        b->pair[j] = i + 1;
                        say_changed_overlay(r, &a->items[i], &b->items[j], j + 1, arena);
                }
}

static bool order_changed(const List *a) {
        size_t last = 0;
        for (size_t i = 0; i < a->n; i++) {
                if (a->pair[i] && a->pair[i] < last)
                        return true;
                last = ASH_MAX(last, a->pair[i]);
        }
        return false;
}

static void say_alone(const List *list, const char *what, AshReasons *r, AshArena *arena) {
        for (size_t i = 0; i < list->n; i++)
                if (!list->pair[i]) {
                        _free_ char *name = describe(&list->items[i], arena);
                        say(r, "overlay %zu (%s) was %s", i + 1, name, what);
                }
}

static void compare_overlays(const AshFingerprint *old, const AshFingerprint *new, AshReasons *r) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        List a = overlays_of(old), b = overlays_of(new);
        a.pair = ash_arena_new_items(arena, size_t, a.n + 1);
        b.pair = ash_arena_new_items(arena, size_t, b.n + 1);
        pair_equal(&a, &b);
        say_changed(&a, &b, r, arena);
        say_alone(&a, "removed", r, arena);
        say_alone(&b, "added", r, arena);
        if (order_changed(&a))
                say(r, "overlays apply in another order");
}

void ash_fingerprint_why(const AshFingerprint *old, const AshFingerprint *new, AshReasons *ret) {
        *ret = (AshReasons){};
        if (strcmp(old->text, new->text) == 0)
                return;
        compare_keyed(old, new, ret);
        compare_overlays(old, new, ret);
}
