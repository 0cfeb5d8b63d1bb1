/* modules.dep and its companions of every kernel in the tree (depmod). */
#include <inttypes.h>
#include "handlers-private.h"
#include "kmod.h"

#define MODULES "/usr/lib/modules"

typedef struct Kernel {
        AshHandlerContext *c;
        AshArena *arena;
        AshSlice dir;                /* "/usr/lib/modules/6.12.57+deb13-amd64" */
        ASH_ARRAY(AshKmodFile) files;
        ASH_ARRAY(AshSlice) configs;
        AshMap config_names;         /* base name -> AshSlice * text */
} Kernel;

/* The first number of the version of the package that has kmod's library or programs; 0: there is none. */
static uint64_t kmod_version(const AshHandlerContext *c) {
        static const char *const names[] = { "kmod-", "libkmod2-", "kmod-libs-" };
        uint64_t version = 0;
        for (size_t i = 0; i < c->n_packages; i++)
                for (size_t k = 0; k < ASH_N(names); k++) {
                        AshSlice rest = ash_slice_from(c->packages[i].nevra, strlen(names[k]));
                        size_t digits = 0;
                        while (digits < rest.len && rest.ptr[digits] >= '0' && rest.ptr[digits] <= '9')
                                digits++;
                        if (!version && ash_slice_starts(c->packages[i].nevra, ash_slice_str(names[k])) && digits)
                                (void) ash_slice_to_u64(ash_slice(rest.ptr, digits), 10, &version);
                }
        return version;
}

static int add_file(void *context, AshSlice path, AshNode n) {
        Kernel *k = context;
        if (ash_kmod_is_file(path))
                ash_array_push(&k->files, ((AshKmodFile){ ash_arena_slice(k->arena, ash_slice_from(path, k->dir.len + 1)), S_ISLNK(ash_tree_node(k->c->tree, n)->mode) ? ash_compose_read(k->c->tree, path) : ash_compose_bytes(k->c->tree, n) }));
        return 0;
}

static int add_config(void *context, AshSlice path, AshNode n _unused_) {
        Kernel *k = context;
        bool fresh;
        AshMapEntry *e = ash_map_ensure(&k->config_names, ash_path_base(ash_arena_slice(k->arena, path)), &fresh);
        if (fresh) {
                e->value = ash_arena_new_item(k->arena, AshSlice);
                *(AshSlice *) e->value = ash_compose_read(k->c->tree, path);
        }
        return 0;
}

static int by_key(const void *a, const void *b) { return ash_slice_cmp((*(AshMapEntry *const *) a)->key, (*(AshMapEntry *const *) b)->key); }

/* depmod.d(5): a file hides those of its name in later directories; read in the order of their names. */
static void read_configs(Kernel *k) {
        static const char *const places[] = { "/etc/depmod.d/*.conf", "/usr/local/lib/depmod.d/*.conf", "/usr/lib/depmod.d/*.conf" };
        for (size_t i = 0; i < ASH_N(places); i++)
                (void) ash_compose_match(k->c->tree, (const char *const[]){ places[i], NULL }, add_config, k);
        AshMapEntry **order = ash_arena_new_items(k->arena, AshMapEntry *, k->config_names.live + 1);
        size_t n = 0;
        ash_map_foreach(&k->config_names, e)
                order[n++] = e;
        qsort(order, n, sizeof *order, by_key);
        for (size_t i = 0; i < n; i++)
                ash_array_push(&k->configs, *(AshSlice *) order[i]->value);
}

static AshSlice text_of(const Kernel *k, const char *name) { return ash_compose_read(k->c->tree, ash_slice_str(ash_arena_printf(k->arena, "%.*s/%s", ASH_F(k->dir), name))); }

/* For each file its name, its length and its bytes. */
static int compute(AshHandlerContext *c, void *context, AshStr *out) {
        Kernel *k = context;
        _free_ char *glob = ash_asprintf("%.*s/**", ASH_F(k->dir));
        _cleanup_(ash_kmod_outputs_done) AshKmodOutputs outputs = {};
        int r = ash_compose_match(c->tree, (const char *const[]){ glob, NULL }, add_file, k);
        read_configs(k);
        AshKmodDir dir = { .files = k->files.items, .n_files = k->files.n, .order = text_of(k, "modules.order"), .builtin = text_of(k, "modules.builtin"), .version = ash_path_base(k->dir),
                           .builtin_modinfo = text_of(k, "modules.builtin.modinfo"), .configs = k->configs.items, .n_configs = k->configs.n, .kmod = (unsigned) kmod_version(c) };
        if (r >= 0)
                r = ash_kmod_depmod(&dir, &outputs, c->diags);
        for (size_t i = 0; r >= 0 && i < outputs.items.n; i++) {
                ash_str_appendf(out, "%s %zu\n", outputs.items.items[i].name, outputs.items.items[i].bytes.len);
                ash_str_append(out, ash_str_slice(&outputs.items.items[i].bytes));
        }
        return r;
}

static int put(Kernel *k, AshSlice rest) {
        AshSlice line, name;
        uint64_t length;
        int r = 0;
        while (r >= 0 && ash_slice_next_line(&rest, &line)) {
                if (!ash_slice_next_word(&line, &name) || ash_slice_to_u64(ash_slice_trim(line), 10, &length) < 0 || length > rest.len)
                        return ash_fail(k->c->diags, -EINVAL, ASH_NOWHERE, "the cached index of kernel modules is damaged");
                AshSlice path = ash_slice_str(ash_arena_printf(k->arena, "%.*s/%.*s", ASH_F(k->dir), ASH_F(name)));
                r = ash_handler_file(k->c, path, ash_slice_sub(rest, 0, (size_t) length), 0644, NULL);
                rest = ash_slice_from(rest, (size_t) length);
        }
        return r;
}

/* A directory without modules and without a list of those built in belongs to no kernel (a leftover of firmware or of headers). */
static bool is_kernel(const AshTree *t, AshNode dir) {
        return S_ISDIR(ash_tree_node(t, dir)->mode) && (ash_tree_child(t, dir, ASH_S("kernel")) != ASH_NO_NODE || ash_tree_child(t, dir, ASH_S("modules.builtin")) != ASH_NO_NODE);
}

bool ash_wants_depmod(const AshHandlerContext *c) {
        AshNode dir = ash_tree_lookup(c->tree, ASH_S(MODULES), true);
        for (uint32_t i = 0; dir != ASH_NO_NODE && i < ash_tree_node(c->tree, dir)->n_children; i++)
                if (is_kernel(c->tree, ash_tree_node(c->tree, dir)->children[i]))
                        return true;
        return false;
}

int ash_handle_depmod(AshHandlerContext *c) {
        AshNode modules = ash_tree_lookup(c->tree, ASH_S(MODULES), true);
        int r = 0;
        for (uint32_t i = 0; r >= 0 && i < ash_tree_node(c->tree, modules)->n_children; i++) {
                AshNode dir = ash_tree_node(c->tree, modules)->children[i];
                _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
                Kernel k = { .c = c, .arena = arena };
                AshSlice all;
                if (!is_kernel(c->tree, dir))
                        continue;
                k.dir = ash_slice_str(ash_arena_printf(arena, MODULES "/%.*s", ASH_F(ash_tree_node(c->tree, dir)->name)));
                r = ash_handler_cached(c, ash_slice_str(ash_arena_printf(arena, "%.*s %" PRIu64, ASH_F(k.dir), kmod_version(c))), compute, &k, &all);
                if (r >= 0)
                        r = put(&k, all);
                ash_array_done(&k.files);
                ash_array_done(&k.configs);
                ash_map_done(&k.config_names);
        }
        return r;
}
