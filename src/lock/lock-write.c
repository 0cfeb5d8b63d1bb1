#include "lock.h"
#include "lock-state.h"

#define HEAD "# Made by 'ashlar lock': every input of a build by its digest. Keep it in version control; 'ashlar lock --update' changes it.\n"

static AshTomlValue *upstreams(AshArena *a, const AshLock *l) {
        AshTomlValue **items = ash_arena_new_items(a, AshTomlValue *, l->n_upstreams);
        for (size_t i = 0; i < l->n_upstreams; i++) {
                const AshLockUpstream *u = &l->upstreams[i];
                AshStateTable t = { .arena = a };
                ash_state_member_text(&t, "name", u->name);
                ash_state_member_text(&t, "arch", u->arch);
                ash_state_member_text(&t, "type", u->type);
                ash_state_member_text(&t, "snapshot", u->snapshot);
                ash_state_member_text(&t, "date", u->date);
                ash_state_member_text(&t, "key", u->key);
                ash_state_member_text(&t, "importer", u->importer);
                ash_state_member(&t, "indices", ash_state_put_texts(a, u->indices, u->n_indices));
                if (u->n_contents)
                        ash_state_member(&t, "contents", ash_state_put_texts(a, u->contents, u->n_contents));
                items[i] = ash_state_table(&t, true);
        }
        return ash_state_put(a, ash_toml_array(items, l->n_upstreams));
}

static AshTomlValue *packages(AshArena *a, const AshLock *l) {
        AshTomlValue **items = ash_arena_new_items(a, AshTomlValue *, l->n_packages);
        for (size_t i = 0; i < l->n_packages; i++) {
                const AshLockPackage *p = &l->packages[i];
                AshStateTable t = { .arena = a };
                ash_state_member_text(&t, "nevra", p->nevra);
                ash_state_member_text(&t, "upstream", p->upstream);
                ash_state_member(&t, "size", ash_state_put(a, ash_toml_integer((int64_t) p->size)));
                ash_state_member_text(&t, "sha256", p->sha256);
                ash_state_member_text(&t, "origin", p->origin);
                ash_state_member_text(&t, "origin-sha256", p->origin_sha256);
                ash_state_member_text(&t, "key", p->key);
                items[i] = ash_state_table(&t, true);
        }
        return ash_state_put(a, ash_toml_array(items, l->n_packages));
}

static AshTomlValue *sets(AshArena *a, const AshLock *l) {
        AshTomlValue **items = ash_arena_new_items(a, AshTomlValue *, l->n_sets);
        for (size_t i = 0; i < l->n_sets; i++) {
                const AshLockSet *s = &l->sets[i];
                AshStateTable t = { .arena = a };
                ash_state_member_text(&t, "kind", s->kind);
                ash_state_member_text(&t, "name", s->name);
                ash_state_member_text(&t, "arch", s->arch);
                ash_state_member(&t, "requests", ash_state_put_texts(a, s->requests, s->n_requests));
                ash_state_member(&t, "user", ash_state_put_texts(a, s->user, s->n_user));
                ash_state_member(&t, "packages", ash_state_put_texts(a, s->packages, s->n_packages));
                items[i] = ash_state_table(&t, false);
        }
        return ash_state_put(a, ash_toml_array(items, l->n_sets));
}

static AshTomlValue *ids(AshArena *a, const AshLockId *list, size_t n) {
        AshTomlMember *members = ash_arena_new_items(a, AshTomlMember, n);
        for (size_t i = 0; i < n; i++)
                members[i] = (AshTomlMember){ .key = list[i].name, .value = ash_state_put(a, ash_toml_integer(list[i].id)) };
        return ash_state_put(a, ash_toml_table(members, n));
}

static AshTomlValue *document(AshArena *a, const AshLock *l) {
        AshStateTable t = { .arena = a };
        ash_state_member(&t, "version", ash_state_put(a, ash_toml_integer(ASH_LOCK_VERSION)));
        ash_state_member(&t, "source-date-epoch", ash_state_put(a, ash_toml_integer((int64_t) l->source_date_epoch)));
        ash_state_member_text(&t, "seed", l->seed);
        ash_state_member(&t, "upstreams", upstreams(a, l));
        ash_state_member(&t, "packages", packages(a, l));
        ash_state_member(&t, "users", ids(a, l->users, l->n_users));
        ash_state_member(&t, "groups", ids(a, l->groups, l->n_groups));
        ash_state_member(&t, "sets", sets(a, l));
        return ash_state_table(&t, false);
}

void ash_lock_format(AshLock *lock, AshStr *out) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        ash_lock_sort(lock);
        ash_toml_emit_document(out, document(arena, lock));
}

int ash_lock_write(const char *path, AshLock *lock, AshDiags *diags) {
        _str_ AshStr text = {};
        ash_lock_format(lock, &text);
        return ash_state_write(path, HEAD, ash_str_slice(&text), diags);
}
