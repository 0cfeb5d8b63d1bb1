/* Why a component will be built again: the record of its last build beside what it would be built from now. */
#include <stdio.h>
#include "built.h"
#include "flow-build-private.h"
#include "flow-built.h"

#define SOME 20                      /* packages of the buildroot that are named */

void ash_flow_build_why_free(AshFlowBuildWhy *w) {
        if (!w)
                return;
        ash_array_foreach(&w->reasons, r)
                free(*r);
        ash_array_done(&w->reasons);
        ash_built_free(w->built);
        ash_arena_free(w->arena);
        free(w);
}

static void say(AshFlowBuildWhy *w, const char *format, ...) _printf_(2, 3);
static void say(AshFlowBuildWhy *w, const char *format, ...) {
        _str_ AshStr text = {};
        va_list ap;
        va_start(ap, format);
        ash_str_appendv(&text, format, ap);
        va_end(ap);
        ash_array_push(&w->reasons, ash_str_take(&text));
}

/* ---- records ---- */
static size_t items_of(const AshJsonValue *v, const char *key, AshJsonValue *const **ret) {
        const AshJsonValue *list = v ? ash_json_get(v, key) : NULL;
        bool is = list && list->type == ASH_JSON_ARRAY;
        *ret = is ? list->array.items : NULL;
        return is ? list->array.n : 0;
}

static const AshJsonValue *named(AshJsonValue *const *items, size_t n, AshSlice name) {
        for (size_t i = 0; i < n; i++)
                if (ash_slice_eq(ash_json_get_string(items[i], "name"), name))
                        return items[i];
        return NULL;
}

/* In two lists of objects, what has another value under the same name. Returns how many. */
static size_t compare_named(AshFlowBuildWhy *w, const AshJsonValue *old, const AshJsonValue *now, const char *list, const char *value, const char *kind) {
        AshJsonValue *const *a, *const *b;
        size_t n = items_of(old, list, &a), m = items_of(now, list, &b), before = w->reasons.n;
        for (size_t i = 0; i < n; i++) {
                AshSlice name = ash_json_get_string(a[i], "name");
                const AshJsonValue *other = named(b, m, name);
                if (!other)
                        say(w, "%s '%.*s' is gone", kind, ASH_F(name));
                else if (!ash_slice_eq(ash_json_get_string(a[i], value), ash_json_get_string(other, value)))
                        say(w, "%s '%.*s' is another one", kind, ASH_F(name));
        }
        for (size_t k = 0; k < m; k++)
                if (!named(a, n, ash_json_get_string(b[k], "name")))
                        say(w, "%s '%.*s' is new", kind, ASH_F(ash_json_get_string(b[k], "name")));
        return w->reasons.n - before;
}

/* ---- the component ---- */
static AshFingerprint *fingerprint_of(const AshJsonValue *record) {
        AshFingerprint *f = NULL;
        AshSlice text = ash_json_get_string(record, "fingerprint-record");
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("record", text);
        return text.ptr && ash_fingerprint_parse(source, &f, NULL) >= 0 ? f : NULL;
}

static void why_component(AshFlowBuildWhy *w, const AshJsonValue *old, const AshJsonValue *now) {
        _cleanup_(ash_fingerprint_free_p) AshFingerprint *a = fingerprint_of(old), *b = fingerprint_of(now);
        if (ash_slice_eq(ash_json_get_string(old, "fingerprint"), ash_json_get_string(now, "fingerprint")))
                return;
        if (a && b) {
                _reasons_ AshReasons reasons = {};
                ash_fingerprint_why(a, b, &reasons);
                ash_array_foreach(&reasons.items, r)
                        say(w, "%s", *r);
        } else if (compare_named(w, old, now, "files", "sha256", "the file") + compare_named(w, old, now, "sources", "digest", "the source") == 0)
                say(w, "its configuration has changed");
}

static void why_options(AshFlowBuildWhy *w, const AshJsonValue *old, const AshJsonValue *now) {
        AshJsonValue *const *lists[2];
        size_t n[2] = { items_of(old, "options", &lists[0]), items_of(now, "options", &lists[1]) };
        AshStr text[2] = {};
        for (int side = 0; side < 2; side++)
                for (size_t i = 0; i < n[side]; i++)
                        ash_str_appendf(&text[side], "%s%.*s", i ? " " : "", ASH_F(lists[side][i]->string));
        if (!ash_slice_eq(ash_str_slice(&text[0]), ash_str_slice(&text[1])))
                say(w, "it was built with %s, and now %s", text[0].len ? text[0].ptr : "no options", text[1].len ? text[1].ptr : "without");
        ash_str_done(&text[0]);
        ash_str_done(&text[1]);
}

/* ---- the buildroot ---- */
static AshSlice name_of(AshSlice nevra) {
        AshPackage p = {};
        ash_nevra_parse(nevra, &p);
        return p.name;
}

static const AshJsonValue *same_name(AshJsonValue *const *items, size_t n, AshSlice name) {
        for (size_t i = 0; i < n; i++)
                if (ash_slice_eq(name_of(ash_json_get_string(items[i], "nevra")), name))
                        return items[i];
        return NULL;
}

static void why_root(AshFlowBuildWhy *w, const AshJsonValue *old, const AshJsonValue *now) {
        const AshJsonValue *x = ash_json_get(old, "buildroot"), *y = ash_json_get(now, "buildroot");
        AshJsonValue *const *a, *const *b;
        size_t n = items_of(x, "packages", &a), m = items_of(y, "packages", &b), told = 0;
        if (x && y && !ash_slice_eq(ash_json_get_string(x, "stage"), ash_json_get_string(y, "stage")))
                say(w, "it was built in the stage '%.*s', and now is in '%.*s'", ASH_F(ash_json_get_string(x, "stage")), ASH_F(ash_json_get_string(y, "stage")));
        for (size_t i = 0; i < n; i++) {
                AshSlice nevra = ash_json_get_string(a[i], "nevra");
                const AshJsonValue *other = same_name(b, m, name_of(nevra));
                AshSlice newer = other ? ash_json_get_string(other, "nevra") : ASH_NOSLICE;
                if (other && ash_slice_eq(ash_json_get_string(other, "sha256"), ash_json_get_string(a[i], "sha256")))
                        continue;
                if (told++ >= SOME)
                        continue;
                if (!other)
                        say(w, "the buildroot has no %.*s any more", ASH_F(nevra));
                else if (ash_slice_eq(newer, nevra))
                        say(w, "the buildroot's %.*s is another one, of the same version (from '%.*s')", ASH_F(nevra), ASH_F(ash_json_get_string(other, "upstream")));
                else
                        say(w, "the buildroot's %.*s is now %.*s (from '%.*s')", ASH_F(nevra), ASH_F(newer), ASH_F(ash_json_get_string(other, "upstream")));
        }
        for (size_t i = 0; i < m; i++)
                if (!same_name(a, n, name_of(ash_json_get_string(b[i], "nevra"))) && told++ < SOME)
                        say(w, "the buildroot has %.*s, too (from '%.*s')", ASH_F(ash_json_get_string(b[i], "nevra")), ASH_F(ash_json_get_string(b[i], "upstream")));
        if (told > SOME)
                say(w, "and %zu more packages of the buildroot are other ones", told - SOME);
}

static void compare(AshFlowBuildWhy *w, const AshJsonValue *old, const AshJsonValue *now) {
        int64_t a = 0, b = 0;
        why_component(w, old, now);
        why_options(w, old, now);
        why_root(w, old, now);
        (void) ash_json_get_int(old, "build-engine", &a);
        (void) ash_json_get_int(now, "build-engine", &b);
        if (!ash_slice_eq(ash_json_get_string(old, "engine"), ash_json_get_string(now, "engine")) || a != b)
                say(w, "it was built by another version of Ashlar, whose builds may differ");
        if (!w->reasons.n)
                say(w, "its key is another one: what it follows from has changed since its record was written");
}

/* ---- in words ---- */
static bool was_checked(const AshJsonValue *record) {
        AshJsonValue *const *options;
        size_t n = items_of(record, "options", &options);
        for (size_t i = 0; i < n; i++)
                if (ash_slice_eqs(options[i]->string, "--nocheck"))
                        return false;
        return true;
}

static const AshBuiltComponent *find_built(AshFlow *flow, AshFlowBuildWhy *w, AshSlice component, AshSlice arch, int *ret) {
        _free_ char *path = ash_flow_built_path(flow->config);
        *ret = ash_built_read(path, &w->built, flow->diags);
        return *ret < 0 ? NULL : ash_built_find(w->built, component, arch);
}

int ash_flow_build_why(AshFlowBuilder *b, AshSlice component, const AshFlowBuildOptions *options, AshFlowBuildWhy **ret) {
        _cleanup_(ash_flow_build_why_free_p) AshFlowBuildWhy *w = ash_calloc(1, sizeof *w);
        _cleanup_(ash_flow_build_free_p) AshFlowBuild *now = NULL;
        AshFlow *flow = ash_flow_builder_flow(b);
        AshFlowBuildOptions o = *options;
        const AshJsonValue *old = NULL, *record = NULL;
        int r;
        w->arena = ash_arena_new();
        w->component = find_built(flow, w, component, ash_flow_builder_arch(b), &r);
        if (r < 0)
                return r;
        w->checked = true;
        if (w->component) {
                w->n_others = ash_flow_build_others(flow, w->component->key, w->arena, &w->others);
                o.only_key = true;
                w->whole = ash_flow_record_read(flow, w->component->provenance, w->arena, &old) >= 0;
                w->n_unverified = ash_flow_record_unverified(old, w->arena, &w->unverified);
                w->checked = !old || was_checked(old);
                r = ash_flow_build(b, component, &o, &now);
                if (r < 0)
                        return r;
                w->key = ash_arena_slice(w->arena, now->built.key);
                w->same = ash_slice_eq(now->built.key, w->component->key);
                _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("record", now->record);
                AshJsonValue *v;
                if (!w->same && now->record.ptr && ash_json_parse(source, w->arena, &v, NULL) >= 0)
                        record = v;
                if (!w->same && old && record)
                        compare(w, old, record);
                else if (!w->same)
                        say(w, "the record of its last build is not in the store any more");
        }
        *ret = ASH_TAKE(w);
        return 0;
}
