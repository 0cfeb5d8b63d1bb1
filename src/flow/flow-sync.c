/* States of upstreams that were fetched by themselves, without a lock: remembered in the store, so that they can be looked at again without the network. */
#include "flow-upstream.h"

/* Whatever makes another upstream of it: name and address, architecture, and the snapshot (empty: the last). */
static AshId state_key(const AshUpstream *u, AshSlice arch, AshSlice snapshot) {
        const AshSlice parts[] = { u->repo.name.s, u->repo.type.s, u->repo.base_uri.s, u->repo.metalink.s, u->repo.mirror_list.s, u->repo.suite.s, u->snapshot.s, arch, snapshot };
        _str_ AshStr text = {};
        for (size_t i = 0; i < ASH_N(parts); i++)
                ash_str_appendf(&text, "%zu:%.*s\n", parts[i].len, ASH_F(parts[i]));
        for (size_t i = 0; i < u->repo.components.n; i++)
                ash_str_appendf(&text, "%.*s\n", ASH_F(u->repo.components.items[i].s));
        return ash_id_of(ash_str_slice(&text));
}

/* Lines: snapshot, date, key, then the indices, and behind them lists of files with their paths. */
static void format_state(const AshLockUpstream *state, AshStr *out) {
        ash_str_appendf(out, "%.*s\n%.*s\n%.*s\n", ASH_F(state->snapshot), ASH_F(state->date), ASH_F(state->key));
        for (size_t i = 0; i < state->n_indices; i++)
                ash_str_appendf(out, "%.*s\n", ASH_F(state->indices[i]));
        for (size_t i = 0; i < state->n_contents; i++)
                ash_str_appendf(out, "%.*s\n", ASH_F(state->contents[i]));
}

static bool parse_state(AshSlice text, AshArena *arena, AshLockUpstream *ret) {
        AshSlice line, *const heads[] = { &ret->snapshot, &ret->date, &ret->key };
        for (size_t i = 0; i < ASH_N(heads); i++) {
                if (!ash_slice_next_line(&text, &line))
                        return false;
                *heads[i] = ash_arena_slice(arena, line);
        }
        ret->indices = ash_arena_new_items(arena, AshSlice, text.len / 64 + 1);
        ret->contents = ash_arena_new_items(arena, AshSlice, text.len / 64 + 1);
        while (ash_slice_next_line(&text, &line))
                if (line.len == 64)
                        ret->indices[ret->n_indices++] = ash_arena_slice(arena, line);
                else if (line.len > 64)
                        ret->contents[ret->n_contents++] = ash_arena_slice(arena, line);
        return ret->snapshot.len == 64;
}

int ash_flow_upstream_sync(AshFlow *flow, const AshUpstream *upstream, AshSlice arch, AshFlowUpstream **ret) {
        _cleanup_(ash_flow_upstream_free_p) AshFlowUpstream *u = NULL;
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _str_ AshStr text = {};
        AshLockUpstream state;
        int r = ash_flow_upstream_open(flow, upstream, arch, NULL, &u);
        if (r < 0)
                return r;
        ash_flow_upstream_lock(u, arena, &state);
        format_state(&state, &text);
        const AshSlice names[] = { ASH_NOSLICE, state.snapshot };
        for (size_t i = 0; r >= 0 && i < ASH_N(names); i++) {
                AshId key = state_key(upstream, arch, names[i]);
                r = ash_store_cache_put(flow->store, "upstream-state", &key, ash_str_slice(&text));
        }
        if (r < 0)
                return ash_fail_file(flow->diags, r, ash_store_path(flow->store), "cannot keep the state of the upstream: %s", ash_strerror(r));
        *ret = ASH_TAKE(u);
        return 0;
}

int ash_flow_upstream_last(AshFlow *flow, const AshUpstream *upstream, AshSlice arch, const char *snapshot, AshFlowUpstream **ret) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _bytes_ AshBytes bytes = {};
        AshLockUpstream state = {};
        AshId key = state_key(upstream, arch, snapshot ? ash_slice_str(snapshot) : ASH_NOSLICE);
        if (ash_store_cache_get(flow->store, "upstream-state", &key, &bytes) >= 0 && parse_state(ash_bytes_slice(&bytes), arena, &state))
                return ash_flow_upstream_open(flow, upstream, arch, &state, ret);
        ash_fail(flow->diags, -ENOENT, upstream->repo.name.at, "%s%.12s of upstream '%.*s' for %.*s is not in the store", snapshot ? "the snapshot " : "the state", snapshot ? snapshot : "",
                 ASH_F(upstream->repo.name.s), ASH_F(arch));
        ash_hint(flow->diags, "'ashlar upstream sync' fetches %s", snapshot ? "the newest" : "it");
        return -ENOENT;
}
