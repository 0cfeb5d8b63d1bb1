/* Several builds of one key: the first one counts, with its log and its record. What later ones gave is kept beside it. */
#include "flow-build-private.h"

#define CACHE "component-rebuilds"   /* key -> a line for each build of it that does not count: the digests of its record, its log and its packages. As long as the key is needed gc keeps what they name (store-care.c) */

static bool same_packages(const AshBuiltComponent *a, const AshBuiltComponent *b) {
        bool same = a->n_packages == b->n_packages;
        for (size_t i = 0; same && i < a->n_packages; i++)
                same = ash_slice_eq(a->packages[i].nevra, b->packages[i].nevra) && ash_slice_eq(a->packages[i].sha256, b->packages[i].sha256);
        return same;
}

static int keep_other(Job *j, const AshBuiltComponent *c) {
        _bytes_ AshBytes old = {};
        _str_ AshStr text = {};
        AshStore *store = j->flow->store;
        AshId key;
        (void) ash_id_parse(ash_slice_str(j->key), &key);
        if (ash_store_cache_get(store, CACHE, &key, &old) >= 0)
                ash_str_append(&text, ash_bytes_slice(&old));
        ash_str_appendf(&text, "%.*s %.*s", ASH_F(c->provenance), ASH_F(c->log));
        for (size_t i = 0; i < c->n_packages; i++)
                ash_str_appendf(&text, " %.*s", ASH_F(c->packages[i].sha256));
        ash_str_append_char(&text, '\n');
        int r = ash_store_cache_put(store, CACHE, &key, ash_str_slice(&text));
        return r < 0 ? ash_fail_file(j->flow->diags, r, ash_store_path(store), "cannot note that '%.*s' was built again: %s", ASH_F(j->component), ash_strerror(r)) : 0;
}

int ash_flow_job_settle(Job *j) {
        AshFlowBuild *b = j->result;
        AshBuiltComponent first, *other;
        bool whole = false;
        if (!ash_flow_job_first(j, &first, &whole)) {
                ash_flow_job_count(j, b->built.provenance);
                return 0;
        }
        b->same = same_packages(&first, &b->built);
        b->replaced = !whole || (j->o->replace && !b->same);
        b->other = other = ash_arena_new_item(b->arena, AshBuiltComponent);
        *other = b->replaced ? first : b->built;
        if (b->replaced)
                ash_flow_job_count(j, b->built.provenance);
        else
                b->built = first;
        return keep_other(j, other);
}

/* ---- reading ---- */
size_t ash_flow_build_others(AshFlow *flow, AshSlice key, AshArena *arena, AshFlowOther **ret) {
        _bytes_ AshBytes bytes = {};
        AshSlice line, word;
        AshId id;
        size_t n = 0;
        if (ash_id_parse(key, &id) < 0 || ash_store_cache_get(flow->store, CACHE, &id, &bytes) < 0)
                return 0;
        AshSlice text = ash_arena_slice(arena, ash_bytes_slice(&bytes)), rest = text;
        for (; rest.len && ash_slice_next_line(&rest, &line); n++)
                ;
        *ret = ash_arena_new_items(arena, AshFlowOther, n + 1);
        n = 0;
        for (rest = text; rest.len && ash_slice_next_line(&rest, &line);) {
                AshFlowOther *o = &(*ret)[n];
                if (!ash_slice_next_word(&line, &o->record) || !ash_slice_next_word(&line, &o->log))
                        continue;
                o->packages = ash_arena_new_items(arena, AshSlice, line.len / 64 + 1);
                while (ash_slice_next_word(&line, &word))
                        o->packages[o->n_packages++] = word;
                n++;
        }
        return n;
}

bool ash_flow_other_is_same(const AshFlowOther *o, const AshBuiltComponent *c) {
        bool same = o->n_packages == c->n_packages;
        for (size_t i = 0; same && i < c->n_packages; i++)
                same = ash_slice_eq(o->packages[i], c->packages[i].sha256);
        return same;
}
