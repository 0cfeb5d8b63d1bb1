#include "built-private.h"
#include "io.h"
#include "lock-state.h"
#include "model-package.h"

#define HEAD "# Made by 'ashlar component build': the packages that the project's components gave, by digest. Anyone who builds the same gets the same.\n"

enum { FILE_MAX = 256 << 20 };

/* ---- reading ---- */
static AshBuiltKind read_kind(AshStateReader *r, const AshTomlValue *t) {
        AshSlice name = ash_state_text(r, t, "kind", true);
        AshBuiltKind kind = ash_built_kind(name);
        if (name.ptr && kind < 0)
                ash_state_wrong(r, ash_toml_get(t, "kind")->at, "expected \"binary\", \"debug\" or \"source\"");
        return kind;
}

static void read_needs(AshStateReader *r, const AshTomlValue *t, AshBuiltPackage *p) {
        const AshTomlValue *needs = ash_toml_get(t, "needs");
        if (needs && needs->type != ASH_TOML_TABLE)
                ash_state_wrong(r, needs->at, "expected a table 'needs'");
        if (!needs || needs->type != ASH_TOML_TABLE)
                return;
        p->needs = ash_arena_new_items(r->arena, AshBuiltNeed, needs->table.n);
        for (size_t i = 0; i < needs->table.n; i++) {
                AshBuiltNeed *to = &p->needs[p->n_needs++];
                const char *key = ash_arena_strndup(r->arena, needs->table.members[i].key.ptr, needs->table.members[i].key.len);
                to->package = ash_slice_str(key);
                to->deps = ash_state_texts(r, needs, key, &to->n_deps);
        }
}

static void read_packages(AshStateReader *r, const AshTomlValue *t, AshBuiltComponent *c) {
        const AshTomlValue *list = ash_state_tables(r, t, "packages");
        c->packages = ash_arena_new_items(r->arena, AshBuiltPackage, list ? list->array.n : 0);
        for (size_t i = 0; list && i < list->array.n; i++) {
                const AshTomlValue *p = list->array.items[i];
                AshPackage parsed;
                AshBuiltPackage *to = &c->packages[c->n_packages++];
                *to = (AshBuiltPackage){ .nevra = ash_state_text(r, p, "nevra", true), .sha256 = ash_state_digest(r, p, "sha256", true), .size = ash_state_number(r, p, "size"), .kind = read_kind(r, p) };
                read_needs(r, p, to);
                if (to->nevra.ptr && ash_nevra_parse(to->nevra, &parsed) < 0)
                        ash_state_wrong(r, ash_toml_get(p, "nevra")->at, "expected NAME-VERSION-RELEASE.ARCH");
        }
}

static void read_all(AshStateReader *r, const AshTomlValue *root, AshBuilt *built) {
        if (ash_state_number(r, root, "version") != ASH_BUILT_VERSION && r->result >= 0)
                ash_state_wrong(r, ash_toml_get(root, "version")->at, "written by another version of Ashlar");
        const AshTomlValue *list = r->result < 0 ? NULL : ash_state_tables(r, root, "components");
        for (size_t i = 0; list && i < list->array.n; i++) {
                const AshTomlValue *t = list->array.items[i];
                AshBuiltComponent c = { .name = ash_state_text(r, t, "name", true), .arch = ash_state_text(r, t, "arch", true), .key = ash_state_digest(r, t, "key", true), .fingerprint = ash_state_digest(r, t, "fingerprint", true),
                                        .base = ash_state_text(r, t, "base", false), .bumps = ash_toml_get(t, "bumps") ? ash_state_number(r, t, "bumps") : 0, .log = ash_state_digest(r, t, "log", false), .provenance = ash_state_digest(r, t, "provenance", false) };
                read_packages(r, t, &c);
                if (ash_toml_get(t, "asked"))
                        c.asked = ash_state_texts(r, t, "asked", &c.n_asked);
                if (r->result >= 0 && ash_built_find(built, c.name, c.arch))
                        ash_state_wrong(r, t->at, "this component is listed twice");
                if (r->result >= 0)
                        ash_built_set(built, &c);
        }
}

int ash_built_parse(AshSource *source, AshBuilt **ret, AshDiags *diags) {
        AshBuilt *quick = ash_built_quick(source->text, NULL);
        if (!quick)
                return ash_built_parse_toml(source, ret, diags);
        *ret = quick;
        return 0;
}

int ash_built_parse_toml(AshSource *source, AshBuilt **ret, AshDiags *diags) {
        _cleanup_(ash_toml_free_p) AshTomlDoc *doc = NULL;
        if (ash_toml_parse(source, ASH_TOML_1_1, &doc, diags) < 0)
                return -ASH_ERR_CONFIG;
        _cleanup_(ash_built_free_p) AshBuilt *built = ash_built_new();
        AshStateReader reader = { .arena = built->arena, .diags = diags, .hint = "ashlar.built is made by 'ashlar component build': without the file all is built again, or found in the store" };
        read_all(&reader, ash_toml_root(doc), built);
        if (reader.result >= 0)
                *ret = ASH_TAKE(built);
        return reader.result;
}

int ash_built_read(const char *path, AshBuilt **ret, AshDiags *diags) {
        _bytes_ AshBytes bytes = {};
        int r = ash_file_read(AT_FDCWD, path, FILE_MAX, &bytes);
        if (r == -ENOENT) {
                *ret = ash_built_new();
                return 0;
        }
        if (r < 0)
                return ash_fail_file(diags, r, path, "cannot read it: %s", ash_strerror(r));
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new(path, ash_bytes_slice(&bytes));
        return ash_built_parse(source, ret, diags);
}

/* ---- writing ---- */
static AshTomlValue *needs(AshArena *a, const AshBuiltPackage *p) {
        AshTomlMember *members = ash_arena_new_items(a, AshTomlMember, p->n_needs);
        for (size_t i = 0; i < p->n_needs; i++)
                members[i] = (AshTomlMember){ .key = p->needs[i].package, .value = ash_state_put_texts(a, p->needs[i].deps, p->needs[i].n_deps) };
        AshTomlValue *v = ash_state_put(a, ash_toml_table(members, p->n_needs));
        v->inline_table = true;
        return v;
}

static AshTomlValue *packages(AshArena *a, const AshBuiltComponent *c) {
        AshTomlValue **items = ash_arena_new_items(a, AshTomlValue *, c->n_packages);
        for (size_t i = 0; i < c->n_packages; i++) {
                AshStateTable t = { .arena = a };
                ash_state_member_text(&t, "nevra", c->packages[i].nevra);
                ash_state_member_text(&t, "kind", ash_slice_str(ash_built_kind_name(c->packages[i].kind)));
                ash_state_member(&t, "size", ash_state_put(a, ash_toml_integer((int64_t) c->packages[i].size)));
                ash_state_member_text(&t, "sha256", c->packages[i].sha256);
                if (c->packages[i].n_needs)
                        ash_state_member(&t, "needs", needs(a, &c->packages[i]));
                items[i] = ash_state_table(&t, true);
        }
        return ash_state_put(a, ash_toml_array(items, c->n_packages));
}

static AshTomlValue *component_table(AshArena *a, const AshBuiltComponent *c) {
        AshStateTable t = { .arena = a };
        ash_state_member_text(&t, "name", c->name);
        ash_state_member_text(&t, "arch", c->arch);
        ash_state_member_text(&t, "key", c->key);
        ash_state_member_text(&t, "fingerprint", c->fingerprint);
        ash_state_member_text(&t, "base", c->base);
        if (c->bumps)
                ash_state_member(&t, "bumps", ash_state_put(a, ash_toml_integer((int64_t) c->bumps)));
        ash_state_member_text(&t, "log", c->log);
        ash_state_member_text(&t, "provenance", c->provenance);
        if (c->asked)
                ash_state_member(&t, "asked", ash_state_put_texts(a, c->asked, c->n_asked));
        ash_state_member(&t, "packages", packages(a, c));
        return ash_state_table(&t, false);
}

void ash_built_format(const AshBuilt *built, AshStr *out) {
        _cleanup_(ash_arena_free_p) AshArena *a = ash_arena_new();
        AshTomlValue **items = ash_arena_new_items(a, AshTomlValue *, built->components.n);
        for (size_t i = 0; i < built->components.n; i++)
                items[i] = component_table(a, &built->components.items[i]);
        AshStateTable root = { .arena = a };
        ash_state_member(&root, "version", ash_state_put(a, ash_toml_integer(ASH_BUILT_VERSION)));
        ash_state_member(&root, "components", ash_state_put(a, ash_toml_array(items, built->components.n)));
        ash_toml_emit_document(out, ash_state_table(&root, false));
}

/* As it stands in a document, from its "[[components]]" on. */
static void format_one(const AshBuiltComponent *c, AshStr *out) {
        _cleanup_(ash_arena_free_p) AshArena *a = ash_arena_new();
        AshTomlValue *item = component_table(a, c);
        AshStateTable root = { .arena = a };
        ash_state_member(&root, "components", ash_state_put(a, ash_toml_array(&item, 1)));
        _str_ AshStr text = {};
        ash_toml_emit_document(&text, ash_state_table(&root, false));
        ash_str_append(out, ash_str_slice(&text));
}

/* Several builds may end at once: a hidden file beside it says whose turn it is. */
static int take_turn(const char *path, AshLockFile **ret, AshDiags *diags) {
        AshSlice all = ash_slice_str(path), dir = ash_path_dir(all), name = ash_path_base(all);
        _free_ char *place = ash_asprintf("%.*s/.%.*s.turn", ASH_F(dir), ASH_F(name));
        int r = ash_lock_acquire(AT_FDCWD, place, true, -1, ret);
        return r < 0 ? ash_fail_file(diags, r, place, "cannot lock it: %s", ash_strerror(r)) : 0;
}

/* The text with this component in its place; the rest of it stays as it is. NULL places: it is written anew. */
static void put_in(AshBuilt *built, AshSlice text, const AshBuiltPlaces *places, const AshBuiltComponent *component, AshStr *out) {
        if (!places->n) {
                ash_built_set(built, component);
                ash_built_format(built, out);
                return;
        }
        AshBuilt one = { .arena = built->arena };
        ash_built_set(&one, component); /* sorted as it is kept */
        bool there;
        size_t i = ash_built_place(built, component->name, component->arch, &there), from = i < places->n ? places->items[i] : text.len, to = there && i + 1 < places->n ? places->items[i + 1] : there ? text.len : from;
        ash_str_reserve(out, text.len + 4096);
        ash_str_append(out, ash_slice_sub(text, 0, from));
        if (from == text.len)
                ash_str_append_str(out, ash_slice_ends(text, ASH_S("\n")) ? "\n" : "\n\n");
        format_one(&one.components.items[0], out);
        if (to < text.len)
                ash_str_append_char(out, '\n');
        ash_str_append(out, ash_slice_from(text, to));
        ash_array_done(&one.components);
}

static int read_places(const char *path, AshBytes *bytes, AshBuilt **ret, AshBuiltPlaces *places, AshDiags *diags) {
        int r = ash_file_read(AT_FDCWD, path, FILE_MAX, bytes);
        *ret = r < 0 ? NULL : ash_built_quick(ash_bytes_slice(bytes), places);
        if (*ret)
                return 0;
        places->n = 0;
        return ash_built_read(path, ret, diags);
}

int ash_built_record(const char *path, const AshBuiltComponent *component, AshBuiltCheck check, void *context, AshDiags *diags) {
        _cleanup_(ash_lock_free_p) AshLockFile *held = NULL;
        _cleanup_(ash_built_free_p) AshBuilt *built = NULL;
        _bytes_ AshBytes bytes = {};
        _str_ AshStr text = {};
        AshBuiltPlaces places = {};
        int r = take_turn(path, &held, diags);
        if (r >= 0)
                r = read_places(path, &bytes, &built, &places, diags);
        if (r >= 0 && check)
                r = check(context, built, component);
        if (r >= 0) {
                put_in(built, ash_bytes_slice(&bytes), &places, component, &text);
                r = places.n ? ash_state_update(path, ash_str_slice(&text), diags) : ash_state_write(path, HEAD, ash_str_slice(&text), diags);
        }
        ash_array_done(&places);
        return r;
}
