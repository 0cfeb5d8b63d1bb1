/* The database of installed packages, as rpm would have written it: at the place that the macros of the tree's own rpm say. */
#include "handlers-private.h"
#include "rpmdb.h"

enum { EXPANSION_DEPTH = 8 };
static const char *const macro_files[] = { "/usr/lib/rpm/macros", "/usr/lib/rpm/macros.d/macros.*", "/usr/lib/rpm/platform/*/macros", "/usr/lib/rpm/redhat/macros", "/etc/rpm/macros.*", "/etc/rpm/macros", NULL };

/* ---- macros: plain definitions and references, which is what paths are made of ---- */
typedef struct Macros {
        AshHandlerContext *c;
        AshArena *arena;
        AshMap values;           /* name -> AshSlice * */
} Macros;

static int read_macros(void *context, AshSlice path, AshNode n) {
        Macros *m = context;
        AshSlice rest = ash_compose_bytes(m->c->tree, n), line, name;
        ptrdiff_t platform = ash_slice_find(path, ASH_S("/platform/"));
        if (platform >= 0 && !ash_slice_starts(ash_slice_from(path, (size_t) platform + strlen("/platform/")), m->c->arch))
                return 0;
        while (ash_slice_next_line(&rest, &line)) {
                if (!line.len || line.ptr[0] != '%' || !ash_slice_next_word(&line, &name) || ash_slice_find_char(name, '(') >= 0)
                        continue;
                AshSlice *value = ash_arena_new_item(m->arena, AshSlice);
                *value = ash_arena_slice(m->arena, ash_slice_trim(line));
                ash_map_put(&m->values, ash_arena_slice(m->arena, ash_slice_from(name, 1)), value, NULL);
        }
        return 0;
}

/* -EINVAL for what is more than names of macros ("%(shell)", conditions), or is not defined. */
static int expand(const Macros *m, AshSlice text, unsigned depth, AshStr *out) {
        for (size_t i = 0; i < text.len;) {
                if (text.ptr[i] != '%') {
                        ash_str_append_char(out, text.ptr[i++]);
                        continue;
                }
                bool brace = i + 1 < text.len && text.ptr[i + 1] == '{';
                size_t start = i + (brace ? 2 : 1), end = start;
                while (end < text.len && (text.ptr[end] == '_' || (text.ptr[end] >= 'a' && text.ptr[end] <= 'z') || (text.ptr[end] >= 'A' && text.ptr[end] <= 'Z') || (text.ptr[end] >= '0' && text.ptr[end] <= '9')))
                        end++;
                const AshSlice *value = ash_map_get(&m->values, ash_slice(text.ptr + start, end - start));
                if (!value || depth >= EXPANSION_DEPTH || (brace && (end >= text.len || text.ptr[end] != '}')) || expand(m, *value, depth + 1, out) < 0)
                        return -EINVAL;
                i = end + (brace ? 1 : 0);
        }
        return 0;
}

static bool macro(const Macros *m, const char *name, AshStr *out) {
        const AshSlice *value = ash_map_get(&m->values, ash_slice_str(name));
        return value && expand(m, *value, 0, out) >= 0;
}

/* ---- what is installed of each package ---- */
/* Documentation, languages and paths that the image leaves out are "not installed", so that a verification does not miss them. */
static void states_of(const AshHandlerContext *c, const AshPack *pack, uint8_t *states) {
        AshSlice last_dir = ASH_NOSLICE;
        AshNode dir = ASH_NO_NODE;
        _free_ bool *out = ash_compose_left_out(c->image, pack);
        for (size_t i = 0; i < ash_pack_count(pack); i++) {
                AshPackEntry e;
                ash_pack_entry(pack, i, &e);
                AshSlice parent = ash_path_dir(e.path);
                if (!last_dir.ptr || !ash_slice_eq(parent, last_dir)) {
                        dir = ash_tree_lookup(c->tree, parent, true);
                        last_dir = parent;
                }
                bool there = e.flags & ASH_RPMFILE_GHOST ? !out[i] : (dir != ASH_NO_NODE && (e.path.len == 1 || ash_tree_child(c->tree, dir, ash_path_base(e.path)) != ASH_NO_NODE));
                states[i] = there ? ASH_RPMSTATE_NORMAL : ASH_RPMSTATE_NOTINSTALLED;
        }
}

typedef struct Job {
        AshRpmDbPackage *packages;
        size_t n;
} Job;

static int compute(AshHandlerContext *c, void *context, AshStr *out) {
        const Job *job = context;
        return ash_rpmdb_write(job->packages, job->n, out, c->diags);
}

static AshSlice key_of(const AshHandlerContext *c, const Job *job, uint32_t color, AshStr *key) {
        ash_str_appendf(key, "%lld %u", (long long) c->time, color);
        for (size_t i = 0; i < job->n; i++) {
                ash_str_append(key, ash_slice((const char *) ash_pack_id(c->packages[i].pack)->sha256, 32));
                ash_str_append(key, ash_slice((const char *) job->packages[i].states, job->packages[i].n_states));
        }
        return ash_str_slice(key);
}

bool ash_wants_rpmdb(const AshHandlerContext *c) { return c->n_packages && (!c->image || c->image->package_database.value != ASH_NO); }

int ash_handle_rpmdb(AshHandlerContext *c) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _str_ AshStr path = {}, color = {}, key = {};
        Macros m = { .c = c, .arena = arena };
        Job job = { ash_arena_new_items(arena, AshRpmDbPackage, c->n_packages), c->n_packages };
        uint64_t colors = 0;
        AshSlice bytes;
        int r = 0;
        for (size_t i = 0; r >= 0 && macro_files[i]; i++) /* in rpm's order: later ones win */
                r = ash_compose_match(c->tree, (const char *const[]){ macro_files[i], NULL }, read_macros, &m);
        if (!macro(&m, "_dbpath", &path) || path.ptr[0] != '/') {
                ash_str_clear(&path);
                ash_str_append_str(&path, "/usr/lib/sysimage/rpm");
        }
        if (!macro(&m, "_transaction_color", &color) || ash_slice_to_u64(ash_str_slice(&color), 10, &colors) < 0)
                colors = 0;
        for (size_t i = 0; i < job.n; i++) {
                const AshPack *pack = c->packages[i].pack;
                uint8_t *states = ash_arena_alloc(arena, ash_pack_count(pack) + 1);
                states_of(c, pack, states);
                job.packages[i] = (AshRpmDbPackage){ ash_pack_header(pack), ash_pack_sig_header(pack), states, (uint32_t) ash_pack_count(pack), (uint32_t) c->time, (uint32_t) colors };
        }
        if (r >= 0)
                r = ash_handler_cached(c, key_of(c, &job, (uint32_t) colors, &key), compute, &job, &bytes);
        ash_str_append_str(&path, "/rpmdb.sqlite");
        if (r >= 0)
                r = ash_handler_file(c, ash_str_slice(&path), bytes, 0644, NULL);
        ash_map_done(&m.values);
        return r;
}
