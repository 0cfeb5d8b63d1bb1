/* image explain, image size: where what is in an image comes from, and what it costs. */
#include "verb-image.h"
#include "io.h"

static const char *origin_kind(AshOriginKind kind) {
        return kind == ASH_ORIGIN_PACKAGE ? "package" : kind == ASH_ORIGIN_HANDLER ? "handler" : kind == ASH_ORIGIN_DEFINITION ? "definition" : kind == ASH_ORIGIN_SCRIPTLET ? "scriptlet" : "implied (no package declares this directory)";
}

static void explain_package(AshCli *cli, const AshFlowWhy *whys, size_t n, AshSlice nevra) {
        for (size_t i = 0; i < n; i++) {
                const AshFlowWhy *w = &whys[i];
                if (!ash_slice_eq(w->nevra, nevra))
                        continue;
                while (!w->user && w->because != UINT32_MAX) {
                        ash_cli_printf(cli, "  needed by %.*s, for %.*s\n", ASH_F(whys[w->because].nevra), ASH_F(w->dep));
                        w = &whys[w->because];
                }
                ash_cli_printf(cli, w->user ? "  asked for by the image\n" : "  a dependency\n");
        }
}

int ash_image_explain(AshCli *cli) {
        _cleanup_(ash_image_tree_done) AshImageTree c = {};
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _str_ AshStr path = {};
        AshFlow flow = ash_cli_flow(cli);
        AshFlowWhy *whys = NULL;
        int r = ash_image_compose(cli, cli->args[0], &c);
        if (r < 0)
                return r;
        AshSlice asked = ash_slice_str(cli->args[1]), dir = ash_tree_resolve(c.flow_tree->tree, ash_path_dir(asked));
        AshNode parent = ash_tree_lookup(c.tree, dir, true), n = parent == ASH_NO_NODE || !S_ISDIR(ash_tree_node(c.tree, parent)->mode) ? ASH_NO_NODE : ash_slice_eqs(asked, "/") ? 0 : ash_tree_child(c.tree, parent, ash_path_base(asked));
        if (n == ASH_NO_NODE)
                return ash_fail(cli->diags, -ENOENT, ASH_NOWHERE, "the image '%s' has no %s", cli->args[0], cli->args[1]);
        r = ash_flow_why(&flow, c.lock, c.flow_tree->set, arena, &whys);
        if (r < 0)
                return r;
        const AshTreeNode *node = ash_tree_node(c.tree, n);
        const AshOrigin *origin = &c.tree->origins.items[node->origin];
        if (n)
                ash_tree_path(c.tree, n, &path);
        else
                ash_str_append_char(&path, '/');
        ash_cli_printf(cli, "%.*s: %s %.*s\n", ASH_F(ash_str_slice(&path)), origin_kind(origin->kind), ASH_F(origin->name));
        if (S_ISLNK(node->mode))
                ash_cli_printf(cli, "  link to %.*s\n", ASH_F(node->link));
        ash_cli_printf(cli, "  mode %04o, owner %.*s:%.*s (%u:%u), %llu bytes\n", node->mode & 07777, ASH_F(node->user), ASH_F(node->group), node->uid, node->gid,
                       (unsigned long long) ash_image_body(c.tree, n)->content.length);
        if (origin->kind == ASH_ORIGIN_PACKAGE)
                explain_package(cli, whys, c.flow_tree->set->n_packages, origin->name);
        return 0;
}

/* ---- size ---- */
typedef struct Weight {
        AshSlice name, reason;
        uint64_t bytes;
        size_t files;
} Weight;
static int heavier(const void *a, const void *b) {
        const Weight *x = a, *y = b;
        return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : ash_slice_cmp(x->name, y->name);
}

/* The package that was asked for at the end of the chain. */
static AshSlice root_of(const AshFlowWhy *whys, size_t n, AshSlice nevra) {
        for (size_t i = 0; i < n; i++) {
                const AshFlowWhy *w = &whys[i];
                if (!ash_slice_eq(w->nevra, nevra))
                        continue;
                while (!w->user && w->because != UINT32_MAX)
                        w = &whys[w->because];
                return w->user ? w->name : ASH_S("(dependency)");
        }
        return ASH_S("(image)");
}

static void print_weights(AshCli *cli, const char *what, Weight *items, size_t n) {
        const AshCliColumn columns[] = { { what }, { "Bytes", .number = true }, { "Files", .number = true }, { "Because of", .optional = true } };
        _cleanup_(ash_cli_list_free_p) AshCliList *list = ash_cli_list_new(cli, columns, ASH_N(columns));
        if (n)
                qsort(items, n, sizeof *items, heavier);
        for (size_t i = 0; i < n; i++) {
                char bytes[24], files[24];
                if (!items[i].files)
                        continue;
                snprintf(bytes, sizeof bytes, "%llu", (unsigned long long) items[i].bytes);
                snprintf(files, sizeof files, "%zu", items[i].files);
                ash_cli_list_row(list, (AshSlice[]){ items[i].name, ash_slice_str(bytes), ash_slice_str(files), items[i].reason });
        }
        ash_cli_list_print(list);
}

int ash_image_size(AshCli *cli) {
        _cleanup_(ash_image_tree_done) AshImageTree c = {};
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshFlow flow = ash_cli_flow(cli);
        AshFlowWhy *whys = NULL;
        int r = ash_image_compose(cli, cli->args[0], &c);
        if (r >= 0)
                r = ash_flow_why(&flow, c.lock, c.flow_tree->set, arena, &whys);
        if (r < 0)
                return r;
        size_t n = c.tree->origins.n, packages = c.flow_tree->set->n_packages, roots = 0;
        Weight *items = ash_arena_new_items(arena, Weight, n + 1), *by_root = ash_arena_new_items(arena, Weight, n + 1);
        for (size_t i = 0; i < c.tree->nodes.n; i++) {
                const AshTreeNode *node = &c.tree->nodes.items[i];
                if (node->flags & ASH_NODE_REMOVED)
                        continue;
                items[node->origin].files++;
                items[node->origin].bytes += node->hardlink == ASH_NO_NODE ? node->content.length : 0;
        }
        for (size_t i = 0; i < n; i++) {
                const AshOrigin *o = &c.tree->origins.items[i];
                items[i].name = o->kind == ASH_ORIGIN_PACKAGE ? o->name : ash_slice_str(ash_arena_printf(arena, "(%s %.*s)", o->kind == ASH_ORIGIN_IMPLIED ? "implied directories" : origin_kind(o->kind), ASH_F(o->name)));
                items[i].reason = o->kind == ASH_ORIGIN_PACKAGE ? root_of(whys, packages, o->name) : ASH_S("(image)");
                size_t k = 0;
                while (k < roots && !ash_slice_eq(by_root[k].name, items[i].reason))
                        k++;
                if (k == roots)
                        by_root[roots++].name = items[i].reason;
                by_root[k].bytes += items[i].bytes;
                by_root[k].files += items[i].files;
        }
        bool by_reason = ash_cli_flag(cli, "by-reason");
        print_weights(cli, by_reason ? "Reason" : "Package", by_reason ? by_root : items, by_reason ? roots : n);
        return 0;
}
