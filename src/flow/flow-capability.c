#include "apt.h"
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

/* What imports add to packages is in no list of the archive's: "/usr/bin/awk" of gawk. */
static void added_lines(const AshFlowUpstream *upstream, AshSlice lib, AshStr *out) {
        const AshAptTables *tables = ash_flow_upstream_tables(upstream);
        _str_ AshStr files = {}, lines = {};
        if (!tables)
                return;
        ash_apt_tables_added(tables, &files);
        _cleanup_(ash_reader_free_p) AshReader *reader = ash_reader_new_memory(ash_str_slice(&files));
        if (ash_apt_contents_scan(reader, lib, &lines) >= 0) /* of memory: only a line without end would fail */
                ash_apt_contents_sort(ash_str_slice(&lines), out);
}

static int make_table(AshFlow *flow, const AshFlowContents *contents, size_t n, AshSlice lib, AshSlice added, AshArena *arena, AshStr *out) {
        AshStoreWant *wants = ash_arena_new_items(arena, AshStoreWant, n);
        AshStr *lines = ash_arena_new_items(arena, AshStr, n);
        _str_ AshStr all = {};
        ash_str_append(&all, added);
        for (size_t i = 0; i < n; i++)
                wants[i] = (AshStoreWant){ .urls = contents[i].urls, .id = &contents[i].id, .size = UINT64_MAX, .label = contents[i].label };
        int r = ash_store_fetch(flow->store, wants, n, &(AshFetchOptions){ .allow_file = true, .offline = flow->offline }, flow->progress, flow->diags);
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

static AshId table_key(const AshFlowContents *contents, size_t n, AshSlice lib, AshSlice added) {
        _str_ AshStr text = {};
        char hex[ASH_ID_HEX];
        ash_str_appendf(&text, "capabilities %d %.*s\n", ASH_APT_CONTENTS_VERSION, ASH_F(lib));
        for (size_t i = 0; i < n; i++) {
                ash_id_hex(&contents[i].id, hex);
                ash_str_appendf(&text, "%s\n", hex);
        }
        ash_str_append(&text, added);
        return ash_id_of(ash_str_slice(&text));
}

typedef struct Table {
        AshBytes kept;
        AshStr made;
        AshSlice text;               /* empty: the upstream has no such lists */
} Table;

static void table_done(Table *t) {
        ash_bytes_done(&t->kept);
        ash_str_done(&t->made);
}

static int open_table(AshFlow *flow, AshFlowUpstream *upstream, AshArena *arena, Table *t) {
        AshFlowContents *contents;
        size_t n;
        int r = ash_flow_upstream_contents(upstream, arena, &contents, &n);
        if (r < 0 || !n)
                return r;
        AshSlice lib = ash_flow_upstream_lib(upstream);
        _str_ AshStr added = {};
        added_lines(upstream, lib, &added);
        AshId key = table_key(contents, n, lib, ash_str_slice(&added));
        if (ash_store_cache_get(flow->store, "capabilities", &key, &t->kept) >= 0) {
                t->text = ash_bytes_slice(&t->kept);
                return 0;
        }
        r = make_table(flow, contents, n, lib, ash_str_slice(&added), arena, &t->made);
        if (r < 0)
                return r;
        t->text = ash_str_slice(&t->made);
        (void) ash_store_cache_put(flow->store, "capabilities", &key, t->text); /* only a loss of time */
        return 0;
}

int ash_flow_capability(AshFlow *flow, AshFlowUpstream *upstream, AshSlice capability, AshArena *arena, AshSlice **ret, size_t *ret_n) {
        _cleanup_(table_done) Table t = {};
        *ret_n = 0;
        int r = open_table(flow, upstream, arena, &t);
        if (r >= 0)
                ash_apt_contents_find(t.text, capability, arena, ret, ret_n);
        return r;
}

int ash_flow_capability_development(AshFlow *flow, AshFlowUpstream *upstream, AshSlice name, AshArena *arena, AshSlice *ret) {
        _cleanup_(table_done) Table t = {};
        *ret = (AshSlice){};
        int r = open_table(flow, upstream, arena, &t);
        if (r >= 0)
                *ret = ash_apt_contents_development(t.text, name, arena);
        return r;
}
