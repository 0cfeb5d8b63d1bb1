#include "io.h"
#include "lock.h"
#include "toml-edit.h"

#define HEAD "# Made by 'ashlar lock': every input of a build by its digest. Keep it in version control; 'ashlar lock --update' changes it.\n"

/* Values to write, in the arena. */
static AshTomlValue *put(AshArena *a, AshTomlValue v) {
        AshTomlValue *p = ash_arena_new_item(a, AshTomlValue);
        *p = v;
        return p;
}

static AshTomlValue *put_texts(AshArena *a, const AshSlice *items, size_t n) {
        AshTomlValue **values = ash_arena_new_items(a, AshTomlValue *, n);
        for (size_t i = 0; i < n; i++)
                values[i] = put(a, ash_toml_string(items[i]));
        return put(a, ash_toml_array(values, n));
}

typedef struct Table {
        AshArena *arena;
        AshTomlMember members[16];
        size_t n;
} Table;

static void member(Table *t, const char *key, AshTomlValue *value) { t->members[t->n++] = (AshTomlMember){ .key = ash_slice_str(key), .value = value }; }

static void member_text(Table *t, const char *key, AshSlice s) {
        if (s.len)
                member(t, key, put(t->arena, ash_toml_string(s)));
}

static AshTomlValue *table_value(Table *t, bool inline_table) {
        AshTomlMember *members = ash_arena_new_items(t->arena, AshTomlMember, t->n);
        memcpy(members, t->members, t->n * sizeof *members);
        AshTomlValue *v = put(t->arena, ash_toml_table(members, t->n));
        v->inline_table = inline_table;
        return v;
}

static AshTomlValue *upstreams(AshArena *a, const AshLock *l) {
        AshTomlValue **items = ash_arena_new_items(a, AshTomlValue *, l->n_upstreams);
        for (size_t i = 0; i < l->n_upstreams; i++) {
                const AshLockUpstream *u = &l->upstreams[i];
                Table t = { .arena = a };
                member_text(&t, "name", u->name);
                member_text(&t, "arch", u->arch);
                member_text(&t, "type", u->type);
                member_text(&t, "snapshot", u->snapshot);
                member_text(&t, "date", u->date);
                member_text(&t, "key", u->key);
                member_text(&t, "importer", u->importer);
                member(&t, "indices", put_texts(a, u->indices, u->n_indices));
                items[i] = table_value(&t, true);
        }
        return put(a, ash_toml_array(items, l->n_upstreams));
}

static AshTomlValue *packages(AshArena *a, const AshLock *l) {
        AshTomlValue **items = ash_arena_new_items(a, AshTomlValue *, l->n_packages);
        for (size_t i = 0; i < l->n_packages; i++) {
                const AshLockPackage *p = &l->packages[i];
                Table t = { .arena = a };
                member_text(&t, "nevra", p->nevra);
                member_text(&t, "upstream", p->upstream);
                member(&t, "size", put(a, ash_toml_integer((int64_t) p->size)));
                member_text(&t, "sha256", p->sha256);
                member_text(&t, "origin", p->origin);
                member_text(&t, "origin-sha256", p->origin_sha256);
                member_text(&t, "key", p->key);
                items[i] = table_value(&t, true);
        }
        return put(a, ash_toml_array(items, l->n_packages));
}

static AshTomlValue *sets(AshArena *a, const AshLock *l) {
        AshTomlValue **items = ash_arena_new_items(a, AshTomlValue *, l->n_sets);
        for (size_t i = 0; i < l->n_sets; i++) {
                const AshLockSet *s = &l->sets[i];
                Table t = { .arena = a };
                member_text(&t, "kind", s->kind);
                member_text(&t, "name", s->name);
                member_text(&t, "arch", s->arch);
                member(&t, "requests", put_texts(a, s->requests, s->n_requests));
                member(&t, "user", put_texts(a, s->user, s->n_user));
                member(&t, "packages", put_texts(a, s->packages, s->n_packages));
                items[i] = table_value(&t, false);
        }
        return put(a, ash_toml_array(items, l->n_sets));
}

static AshTomlValue *ids(AshArena *a, const AshLockId *list, size_t n) {
        AshTomlMember *members = ash_arena_new_items(a, AshTomlMember, n);
        for (size_t i = 0; i < n; i++)
                members[i] = (AshTomlMember){ .key = list[i].name, .value = put(a, ash_toml_integer(list[i].id)) };
        return put(a, ash_toml_table(members, n));
}

static AshTomlValue *document(AshArena *a, const AshLock *l) {
        Table t = { .arena = a };
        member(&t, "version", put(a, ash_toml_integer(ASH_LOCK_VERSION)));
        member(&t, "source-date-epoch", put(a, ash_toml_integer((int64_t) l->source_date_epoch)));
        member_text(&t, "seed", l->seed);
        member(&t, "upstreams", upstreams(a, l));
        member(&t, "packages", packages(a, l));
        member(&t, "users", ids(a, l->users, l->n_users));
        member(&t, "groups", ids(a, l->groups, l->n_groups));
        member(&t, "sets", sets(a, l));
        return table_value(&t, false);
}

/* The comment lines on top of a file that is there: they are people's. */
static AshSlice head_of(AshSlice text) {
        AshSlice rest = text, line, before = text;
        while (ash_slice_next_line(&rest, &line)) {
                AshSlice trimmed = ash_slice_trim(line);
                if (trimmed.len && trimmed.ptr[0] != '#')
                        break;
                before = rest;
        }
        return ash_slice(text.ptr, (size_t) (before.ptr - text.ptr));
}

void ash_lock_format(AshLock *lock, AshStr *out) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        ash_lock_sort(lock);
        ash_toml_emit_document(out, document(arena, lock));
}

int ash_lock_write(const char *path, AshLock *lock, AshDiags *diags) {
        _str_ AshStr text = {};
        _bytes_ AshBytes old = {};
        if (ash_file_read(AT_FDCWD, path, 256 << 20, &old) >= 0 && old.len) {
                ash_str_append(&text, head_of(ash_bytes_slice(&old)));
        } else
                ash_str_append_str(&text, HEAD "\n");
        ash_lock_format(lock, &text);
        int r = ash_file_update(AT_FDCWD, path, ash_str_slice(&text), 0644, true);
        return r < 0 ? ash_fail_file(diags, r, path, "cannot write the lock: %s", ash_strerror(r)) : r;
}
