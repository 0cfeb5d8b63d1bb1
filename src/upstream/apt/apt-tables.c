/* distro/names.toml and distro/imports.toml (docs/apt-import.md describes both). */
#include "apt.h"
#include "toml.h"

typedef struct Pattern {
        AshSlice before, after;           /* around the star of the package's name */
        AshSlice name_before, name_after; /* around the star of the name that it gives */
        const AshTomlValue *except;
} Pattern;
typedef struct ImportOf {
        ASH_ARRAY(AshAptChange) changes;
        char digest[ASH_HEX_MAX];
} ImportOf;
struct AshAptTables {
        AshArena *arena;
        AshBytes bytes[2];
        AshSource *sources[2];
        AshTomlDoc *docs[2];
        const AshTomlValue *names, *owners, *several;
        ASH_ARRAY(Pattern) patterns;
        AshMap imports; /* name -> ImportOf */
        AshMap by_name, by_owned; /* the members of names and owners */
        char digest[ASH_HEX_MAX], owners_digest[ASH_HEX_MAX];
};

static const char *const change_names[ASH_APT_CHANGE_MAX_] = {
        [ASH_APT_ADD_FILE] = "add-file", [ASH_APT_ADD_DIRECTORY] = "add-directory", [ASH_APT_ADD_SYMLINK] = "add-symlink", [ASH_APT_ADD_GHOST] = "add-ghost",
        [ASH_APT_REMOVE_FILE] = "remove-file", [ASH_APT_SET_ATTRIBUTES] = "set-attributes", [ASH_APT_ADD_RELATION] = "add-relation",
        [ASH_APT_REMOVE_RELATION] = "remove-relation", [ASH_APT_HANDLED] = "handled", [ASH_APT_RAISE_RELEASE] = "raise-release",
};
const char *ash_apt_change_type_name(AshAptChangeType t) { return t >= 0 && t < ASH_APT_CHANGE_MAX_ ? change_names[t] : NULL; }

static int load_doc(AshAptTables *t, int i, const char *path, AshDiags *diags) {
        int r = ash_file_read(AT_FDCWD, path, 16u << 20, &t->bytes[i]);
        if (r < 0)
                return ash_fail_file(diags, r, path, "cannot read: %s", ash_strerror(r));
        t->sources[i] = ash_source_new(path, ash_bytes_slice(&t->bytes[i]));
        return ash_toml_parse(t->sources[i], ASH_TOML_1_1, &t->docs[i], diags);
}

static int want(const AshTomlValue *v, AshTomlType type, const char *what, AshDiags *diags) {
        if (v->type == type)
                return 0;
        return ash_fail(diags, -ASH_ERR_CONFIG, v->at, "%s must be %s, this is %s", what, type == ASH_TOML_TABLE ? "a table" : type == ASH_TOML_ARRAY ? "an array" : "a string",
                        ash_toml_type_name(v->type));
}

static int split_star(const AshTomlValue *v, AshSlice *before, AshSlice *after, AshDiags *diags) {
        if (!v || v->type != ASH_TOML_STRING)
                return ash_fail(diags, -ASH_ERR_CONFIG, v ? v->at : ASH_NOWHERE, "a pattern needs 'package' and 'name', both strings");
        ptrdiff_t star = ash_slice_find_char(v->string, '*');
        if (star < 0 || ash_slice_rfind_char(v->string, '*') != star)
                return ash_fail(diags, -ASH_ERR_CONFIG, v->at, "a pattern has exactly one '*'");
        *before = ash_slice_sub(v->string, 0, (size_t) star);
        *after = ash_slice_from(v->string, (size_t) star + 1);
        return 0;
}

static int load_patterns(AshAptTables *t, const AshTomlValue *list, AshDiags *diags) {
        int r = want(list, ASH_TOML_ARRAY, "'patterns'", diags);
        for (size_t i = 0; r >= 0 && i < list->array.n; i++) {
                const AshTomlValue *v = list->array.items[i];
                Pattern p = {};
                r = want(v, ASH_TOML_TABLE, "a pattern", diags);
                if (r >= 0)
                        r = split_star(ash_toml_get(v, "package"), &p.before, &p.after, diags);
                if (r >= 0)
                        r = split_star(ash_toml_get(v, "name"), &p.name_before, &p.name_after, diags);
                p.except = r >= 0 ? ash_toml_get(v, "except") : NULL;
                ash_array_push(&t->patterns, p);
        }
        return r;
}

static int check_strings(const AshTomlValue *table, bool lists, AshDiags *diags) {
        for (size_t i = 0; table && i < table->table.n; i++) {
                const AshTomlValue *v = table->table.members[i].value;
                int r = want(v, lists ? ASH_TOML_ARRAY : ASH_TOML_STRING, lists ? "the names of a package" : "an owner", diags);
                for (size_t k = 0; lists && r >= 0 && k < v->array.n; k++)
                        r = want(v->array.items[k], ASH_TOML_STRING, "a name", diags);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int load_names(AshAptTables *t, AshDiags *diags) {
        const AshTomlValue *root = ash_toml_root(t->docs[0]);
        for (size_t i = 0; i < root->table.n; i++) {
                const AshTomlMember *m = &root->table.members[i];
                int r = 0;
                if (ash_slice_eqs(m->key, "patterns"))
                        r = load_patterns(t, m->value, diags);
                else if (ash_slice_eqs(m->key, "names") || ash_slice_eqs(m->key, "owners") || ash_slice_eqs(m->key, "several")) {
                        bool owners = ash_slice_eqs(m->key, "owners");
                        r = want(m->value, ASH_TOML_TABLE, "this", diags);
                        if (r >= 0)
                                r = check_strings(m->value, !owners, diags);
                        *(owners ? &t->owners : ash_slice_eqs(m->key, "names") ? &t->names : &t->several) = m->value;
                } else
                        r = ash_fail(diags, -ASH_ERR_CONFIG, m->key_at, "unknown key '%.*s', expected names, owners, patterns or several", ASH_F(m->key));
                if (r < 0)
                        return r;
        }
        return 0;
}

static const struct {
        const char *key;
        size_t offset;
} change_texts[] = {
        { "path", offsetof(AshAptChange, path) },   { "text", offsetof(AshAptChange, text) }, { "from", offsetof(AshAptChange, from) },   { "target", offsetof(AshAptChange, target) },
        { "user", offsetof(AshAptChange, user) },   { "group", offsetof(AshAptChange, group) }, { "caps", offsetof(AshAptChange, caps) },
        { "script", offsetof(AshAptChange, script) }, { "reason", offsetof(AshAptChange, reason) }, { "suffix", offsetof(AshAptChange, suffix) },
};

static int change_relation(AshAptChange *c, const AshTomlMember *m, AshDiags *diags) {
        AshSlice words = m->value->string, kind;
        ash_slice_next_word(&words, &kind);
        c->kind = ASH_DEP_MAX_;
        for (int k = 0; k < ASH_DEP_MAX_; k++)
                if (ash_slice_eqs(kind, ash_dep_kind_name(k)))
                        c->kind = k;
        if (c->kind == ASH_DEP_MAX_ || ash_dep_parse(ash_slice_trim(words), &c->dep) < 0)
                return ash_fail(diags, -ASH_ERR_CONFIG, m->value->at, "a relation is a kind and a dependency, as in \"requires libfoo >= 1-0\"");
        return 0;
}

static int change_mode(AshAptChange *c, const AshTomlMember *m, AshDiags *diags) {
        uint64_t mode;
        if (ash_slice_to_u64(m->value->string, 8, &mode) < 0 || mode > 07777)
                return ash_fail(diags, -ASH_ERR_CONFIG, m->value->at, "a mode is a string of octal digits, as in \"0755\"");
        c->mode = (uint32_t) mode;
        return 0;
}

static int change_member(AshAptChange *c, const AshTomlMember *m, AshDiags *diags) {
        if (ash_slice_eqs(m->key, "config")) {
                c->config = m->value->type == ASH_TOML_BOOL && m->value->boolean;
                return m->value->type == ASH_TOML_BOOL ? 0 : ash_fail(diags, -ASH_ERR_CONFIG, m->value->at, "'config' is true or false");
        }
        if (ash_slice_eqs(m->key, "verify")) {
                c->unverified = m->value->type == ASH_TOML_BOOL && !m->value->boolean;
                return m->value->type == ASH_TOML_BOOL ? 0 : ash_fail(diags, -ASH_ERR_CONFIG, m->value->at, "'verify' is true or false");
        }
        int r = want(m->value, ASH_TOML_STRING, "this", diags);
        if (r < 0)
                return r;
        if (ash_slice_eqs(m->key, "mode"))
                return change_mode(c, m, diags);
        if (ash_slice_eqs(m->key, "relation"))
                return change_relation(c, m, diags);
        if (ash_slice_eqs(m->key, "type")) {
                for (int i = 0; i < ASH_APT_CHANGE_MAX_; i++)
                        if (ash_slice_eqs(m->value->string, change_names[i])) {
                                c->type = i;
                                return 0;
                        }
                return ash_fail(diags, -ASH_ERR_CONFIG, m->value->at, "unknown type of change '%.*s'", ASH_F(m->value->string));
        }
        for (size_t i = 0; i < ASH_N(change_texts); i++)
                if (ash_slice_eqs(m->key, change_texts[i].key)) {
                        *(AshSlice *) ((char *) c + change_texts[i].offset) = m->value->string;
                        return 0;
                }
        return ash_fail(diags, -ASH_ERR_CONFIG, m->key_at, "unknown key '%.*s' in a change of an import", ASH_F(m->key));
}

/* What stands behind a release must make it a later one. A digit right behind the plus would outdo Debian's own updates of it ("+deb13u1", "+b1"), too. */
static bool good_suffix(AshSlice s) {
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.";
        enum { LETTERS = 52 };
        for (size_t i = 1; i < s.len; i++)
                if (!memchr(allowed, s.ptr[i], i == 1 ? LETTERS : sizeof allowed - 1))
                        return false;
        return s.len > 1 && s.ptr[0] == '+';
}

static int check_change(const AshAptChange *c, AshDiags *diags) {
        bool path = c->type <= ASH_APT_SET_ATTRIBUTES, relation = c->type == ASH_APT_ADD_RELATION || c->type == ASH_APT_REMOVE_RELATION;
        if (c->type == ASH_APT_CHANGE_INVALID_)
                return ash_fail(diags, -ASH_ERR_CONFIG, c->at, "a change needs a 'type'");
        if (c->reason.len == 0)
                return ash_fail(diags, -ASH_ERR_CONFIG, c->at, "a change needs a 'reason'");
        if (path && (c->path.len < 2 || c->path.ptr[0] != '/' || !ash_path_is_confined(ash_slice_from(c->path, 1))))
                return ash_fail(diags, -ASH_ERR_CONFIG, c->at, "'%s' needs an absolute 'path' without '..'", change_names[c->type]);
        if ((c->type == ASH_APT_ADD_FILE) != (!c->text.ptr != !c->from.ptr) || (c->type == ASH_APT_ADD_SYMLINK) != (c->target.len > 0))
                return ash_fail(diags, -ASH_ERR_CONFIG, c->at, "add-file needs either 'text' or 'from', add-symlink a 'target'; nothing else has them");
        if (relation && !c->dep.name.ptr)
                return ash_fail(diags, -ASH_ERR_CONFIG, c->at, "'%s' needs a 'relation'", change_names[c->type]);
        if ((c->type == ASH_APT_RAISE_RELEASE || c->suffix.ptr) && (c->type != ASH_APT_RAISE_RELEASE || !good_suffix(c->suffix)))
                return ash_fail(diags, -ASH_ERR_CONFIG, c->at, "raise-release needs a 'suffix', a plus and a word of letters, digits and '.', as in \"+ashlar1\"; nothing else has one");
        return 0;
}

/* Not part of the digest: reasons, and where a change is written. */
static void digest_change(AshDigest *d, const AshAptChange *c) {
        _str_ AshStr s = {};
        ash_str_appendf(&s, "%d %o %d %d %u", c->type, c->mode, c->config, c->dep.name.ptr ? (int) c->kind : -1, c->dep.flags);
        const AshSlice texts[] = { c->path, c->text, c->from, c->target, c->user, c->group, c->caps, c->dep.name, c->dep.evr };
        for (size_t i = 0; i < ASH_N(texts); i++)
                ash_str_appendf(&s, " %zu:%.*s", texts[i].len, ASH_F(texts[i]));
        if (c->unverified) /* said only then: what was imported before stays as it is */
                ash_str_append_str(&s, " unverified");
        if (c->suffix.len)
                ash_str_appendf(&s, " +%.*s", ASH_F(c->suffix));
        ash_digest_update(d, s.ptr, s.len + 1);
}

static int load_import(AshAptTables *t, const AshTomlMember *m, AshDiags *diags) {
        int r = want(m->value, ASH_TOML_ARRAY, "the changes of an import", diags);
        if (r < 0)
                return r;
        ImportOf *of = ash_arena_new_item(t->arena, ImportOf);
        ash_map_put(&t->imports, m->key, of, NULL);
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        for (size_t i = 0; i < m->value->array.n; i++) {
                const AshTomlValue *v = m->value->array.items[i];
                r = want(v, ASH_TOML_TABLE, "a change", diags);
                if (r < 0)
                        return r;
                AshAptChange c = { .type = ASH_APT_CHANGE_INVALID_, .at = v->at, .mode = UINT32_MAX };
                for (size_t k = 0; r >= 0 && k < v->table.n; k++)
                        r = change_member(&c, &v->table.members[k], diags);
                if (r >= 0)
                        r = check_change(&c, diags);
                if (r < 0)
                        return r;
                digest_change(d, &c);
                ash_array_push(&of->changes, c);
        }
        uint8_t digest[ASH_DIGEST_SIZE_MAX];
        ash_digest_final(d, digest);
        ash_hex(digest, 32, of->digest);
        return 0;
}

static int load_imports(AshAptTables *t, AshDiags *diags) {
        const AshTomlValue *imports = ash_toml_get(ash_toml_root(t->docs[1]), "imports");
        if (!imports)
                return 0;
        int r = want(imports, ASH_TOML_TABLE, "'imports'", diags);
        for (size_t i = 0; r >= 0 && i < imports->table.n; i++)
                r = load_import(t, &imports->table.members[i], diags);
        return r;
}

static void index_table(const AshTomlValue *table, AshMap *map) {
        for (size_t i = 0; table && i < table->table.n; i++)
                ash_map_put(map, table->table.members[i].key, table->table.members[i].value, NULL);
}

int ash_apt_tables_load(const char *names_path, const char *imports_path, AshAptTables **ret, AshDiags *diags) {
        _cleanup_(ash_apt_tables_free_p) AshAptTables *t = ash_calloc(1, sizeof(AshAptTables));
        t->arena = ash_arena_new();
        int r = 0;
        if (names_path)
                r = load_doc(t, 0, names_path, diags);
        if (r >= 0 && names_path)
                r = load_names(t, diags);
        if (r >= 0 && imports_path)
                r = load_doc(t, 1, imports_path, diags);
        if (r >= 0 && imports_path)
                r = load_imports(t, diags);
        if (r < 0)
                return r;
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        for (int i = 0; i < 2; i++) {
                uint64_t n = t->bytes[i].len;
                ash_digest_update(d, &n, sizeof(n));
                ash_digest_update(d, t->bytes[i].ptr ? t->bytes[i].ptr : "", t->bytes[i].len);
        }
        uint8_t digest[ASH_DIGEST_SIZE_MAX];
        ash_digest_final(d, digest);
        ash_hex(digest, 32, t->digest);
        for (size_t i = 0; t->owners && i < t->owners->table.n; i++) {
                const AshTomlMember *m = &t->owners->table.members[i];
                _free_ char *row = ash_asprintf("%.*s=%.*s", ASH_F(m->key), ASH_F(m->value->string));
                ash_digest_update(d, row, strlen(row) + 1);
        }
        ash_digest_final(d, digest);
        ash_hex(digest, 32, t->owners_digest);
        index_table(t->names, &t->by_name);
        index_table(t->owners, &t->by_owned);
        *ret = ASH_TAKE(t);
        return 0;
}

void ash_apt_tables_free(AshAptTables *t) {
        if (!t)
                return;
        ash_map_foreach(&t->imports, e)
                ash_array_done(&((ImportOf *) e->value)->changes);
        ash_map_done(&t->imports);
        ash_map_done(&t->by_name);
        ash_map_done(&t->by_owned);
        ash_array_done(&t->patterns);
        for (int i = 0; i < 2; i++) {
                ash_toml_free(t->docs[i]);
                ash_source_free(t->sources[i]);
                ash_bytes_done(&t->bytes[i]);
        }
        ash_arena_free(t->arena);
        free(t);
}

AshAptChanges ash_apt_tables_changes(const AshAptTables *t, AshSlice package) {
        const ImportOf *of = t ? ash_map_get(&t->imports, package) : NULL;
        return of ? (AshAptChanges){ of->changes.items, of->changes.n, ash_slice_str(of->digest) } : (AshAptChanges){};
}

void ash_apt_tables_added(const AshAptTables *t, AshStr *out) {
        ash_map_foreach(&t->imports, e) {
                const ImportOf *of = e->value;
                for (size_t i = 0; i < of->changes.n; i++) {
                        const AshAptChange *c = &of->changes.items[i];
                        if ((c->type == ASH_APT_ADD_FILE || c->type == ASH_APT_ADD_SYMLINK) && c->path.len > 1)
                                ash_str_appendf(out, "%.*s\tx/%.*s\n", ASH_F(ash_slice_from(c->path, 1)), ASH_F(e->key));
                }
        }
}

const char *ash_apt_tables_digest(const AshAptTables *t) { return t ? t->digest : ""; }

const char *ash_apt_tables_owners_digest(const AshAptTables *t) { return t ? t->owners_digest : ""; }

static bool listed(const AshTomlValue *list, AshSlice name) {
        for (size_t i = 0; list && list->type == ASH_TOML_ARRAY && i < list->array.n; i++)
                if (list->array.items[i]->type == ASH_TOML_STRING && ash_slice_eq(list->array.items[i]->string, name))
                        return true;
        return false;
}

void ash_apt_tables_names(const AshAptTables *t, AshSlice package, void (*add)(void *context, AshSlice name, bool pattern), void *context) {
        if (!t)
                return;
        const AshTomlValue *names = ash_map_get(&t->by_name, package);
        for (size_t i = 0; names && i < names->array.n; i++)
                add(context, names->array.items[i]->string, false);
        for (size_t i = 0; i < t->patterns.n; i++) {
                const Pattern *p = &t->patterns.items[i];
                if (package.len <= p->before.len + p->after.len || !ash_slice_starts(package, p->before) || !ash_slice_ends(package, p->after) || listed(p->except, package))
                        continue;
                AshSlice star = ash_slice_sub(package, p->before.len, package.len - p->before.len - p->after.len);
                _str_ AshStr name = {};
                ash_str_append(&name, p->name_before);
                ash_str_append(&name, star);
                ash_str_append(&name, p->name_after);
                add(context, ash_str_slice(&name), true);
        }
}

const AshSlice *ash_apt_tables_several(const AshAptTables *t, AshSlice name, AshArena *arena, size_t *ret_n) {
        const AshTomlValue *list = NULL;
        for (size_t i = 0; t->several && !list && i < t->several->table.n; i++)
                if (ash_slice_eq(t->several->table.members[i].key, name))
                        list = t->several->table.members[i].value;
        AshSlice *names = ash_arena_new_items(arena, AshSlice, (list ? list->array.n : 0) + 1);
        *ret_n = 0;
        for (size_t i = 0; list && i < list->array.n; i++)
                names[(*ret_n)++] = ash_arena_slice(arena, list->array.items[i]->string);
        return names;
}

AshSlice ash_apt_tables_owner(const AshAptTables *t, AshSlice what) {
        const AshTomlValue *owner = t ? ash_map_get(&t->by_owned, what) : NULL;
        return owner ? owner->string : ASH_S("");
}
