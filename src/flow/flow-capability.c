#include "apt-contents.h"
#include "flow-capability.h"

bool ash_flow_is_capability(AshSlice name) {
        return !ash_slice_starts(name, ASH_S("(")) && !ash_slice_starts(name, ASH_S("rpmlib(")) && (ash_slice_starts(name, ASH_S("/")) || ash_slice_find(name, ASH_S("(")) > 0);
}

typedef struct Scan {
        AshFlow *flow;
        const AshFlowContents *contents;
        AshSlice lib;
        AshStr *lines;
} Scan;

static int scan_one(void *data, size_t i) {
        Scan *s = data;
        _bytes_ AshBytes bytes = {};
        int r = ash_store_map_blob(s->flow->store, &s->contents[i].id, false, &bytes, s->flow->diags);
        if (r < 0)
                return r;
        _cleanup_(ash_reader_free_p) AshReader *reader = ash_reader_new_decompress(ash_reader_new_memory(ash_bytes_slice(&bytes)), true, ASH_COMP_GZIP, UINT64_C(8) << 30);
        r = ash_apt_contents_scan(reader, s->lib, &s->lines[i]);
        return r < 0 ? ash_fail_file(s->flow->diags, r, s->contents[i].label, "cannot read it: %s", ash_strerror(r)) : 0;
}

static int make_table(AshFlow *flow, const AshFlowContents *contents, size_t n, AshSlice lib, AshArena *arena, AshStr *out) {
        AshStoreWant *wants = ash_arena_new_items(arena, AshStoreWant, n);
        AshStr *lines = ash_arena_new_items(arena, AshStr, n);
        _str_ AshStr all = {};
        for (size_t i = 0; i < n; i++)
                wants[i] = (AshStoreWant){ .urls = contents[i].urls, .id = &contents[i].id, .size = UINT64_MAX, .label = contents[i].label };
        int r = ash_store_fetch(flow->store, wants, n, &(AshFetchOptions){ .allow_file = true }, flow->progress, flow->diags);
        if (r < 0) {
                ash_note(flow->diags, ASH_NOWHERE, "the archive's lists of files tell which package has what is required");
                return r;
        }
        Scan scan = { flow, contents, lib, lines };
        ash_progress_begin(flow->progress, "reading the archive's lists of files", 0, ASH_UNIT_ITEMS);
        r = ash_parallel_for(n, flow->threads, false, scan_one, &scan);
        for (size_t i = 0; i < n; i++) {
                ash_str_append(&all, ash_str_slice(&lines[i]));
                ash_str_done(&lines[i]);
        }
        if (r >= 0)
                ash_apt_contents_sort(ash_str_slice(&all), out);
        ash_progress_end(flow->progress);
        return r;
}

static AshId table_key(const AshFlowContents *contents, size_t n, AshSlice lib) {
        _str_ AshStr text = {};
        char hex[ASH_ID_HEX];
        ash_str_appendf(&text, "capabilities %d %.*s\n", ASH_APT_CONTENTS_VERSION, ASH_F(lib));
        for (size_t i = 0; i < n; i++) {
                ash_id_hex(&contents[i].id, hex);
                ash_str_appendf(&text, "%s\n", hex);
        }
        return ash_id_of(ash_str_slice(&text));
}

int ash_flow_capability(AshFlow *flow, AshFlowUpstream *upstream, AshSlice capability, AshArena *arena, AshSlice **ret, size_t *ret_n) {
        AshFlowContents *contents;
        size_t n;
        _bytes_ AshBytes kept = {};
        _str_ AshStr made = {};
        *ret_n = 0;
        int r = ash_flow_upstream_contents(upstream, arena, &contents, &n);
        if (r < 0 || !n)
                return r;
        AshSlice lib = ash_flow_upstream_lib(upstream);
        AshId key = table_key(contents, n, lib);
        bool there = ash_store_cache_get(flow->store, "capabilities", &key, &kept) >= 0;
        if (!there) {
                r = make_table(flow, contents, n, lib, arena, &made);
                if (r < 0)
                        return r;
                (void) ash_store_cache_put(flow->store, "capabilities", &key, ash_str_slice(&made)); /* only a loss of time */
        }
        ash_apt_contents_find(there ? ash_bytes_slice(&kept) : ash_str_slice(&made), capability, arena, ret, ret_n);
        return 0;
}
