/* The trees that verbs about images work on: composed from the lock, or read from a dump. */
#include "verb-image.h"
#include "io.h"

void ash_image_tree_done(AshImageTree *c) {
        ash_flow_tree_free(c->flow_tree);
        ash_tree_free(c->parsed);
        ash_source_free(c->source);
        ash_bytes_done(&c->text);
        ash_lock_free_all(c->lock);
}

AshSlice ash_image_chosen_arch(AshCli *cli, const AshImage *image) {
        const char *arch = ash_cli_option(cli, "arch");
        return arch ? ash_slice_str(arch) : ash_flow_image_arch(image, 0);
}

int ash_image_compose(AshCli *cli, const char *name, AshImageTree *ret) {
        _free_ char *lock_path = ash_cli_lock_path(cli);
        AshFlow flow = ash_cli_flow(cli);
        const AshImage *image;
        int r = ash_flow_find_image(&flow, ash_slice_str(name), &image);
        if (r >= 0)
                r = ash_flow_read_lock(&flow, lock_path, &ret->lock);
        if (r >= 0)
                r = ash_flow_compose(&flow, ret->lock, image, ash_image_chosen_arch(cli, image), &ret->flow_tree);
        if (r >= 0)
                ret->tree = ret->flow_tree->tree;
        return r;
}

bool ash_image_is_kiwi(const AshImage *image) { return ash_slice_eqs(image->definition_type.s, "kiwi") && !ash_text_set(image->kind); }

void ash_image_dump_done(AshImageDump *o) {
        ash_array_foreach(&o->packs, p)
                ash_pack_free(*p);
        ash_array_done(&o->packs);
}

static int open_pack(void *context, AshSlice hex, const void **ret, AshDiags *diags) {
        AshImageDump *o = context;
        AshPack *pack = NULL;
        AshId id;
        if (o->names_only)
                return 0;
        if (ash_id_parse(hex, &id) < 0)
                return ash_fail(diags, -ASH_ERR_SYNTAX, ASH_NOWHERE, "tree dump: '%.*s' is no SHA-256", ASH_F(hex));
        int r = ash_store_expand(o->store, &id, &pack, diags);
        if (r < 0)
                return r == -ENOENT ? ash_fail(diags, r, ASH_NOWHERE, "the package %.*s is not in the store", ASH_F(hex)) : r;
        ash_array_push(&o->packs, pack);
        *ret = pack;
        return 0;
}

static int open_bytes(void *context, AshSlice hex, AshArena *arena, AshSlice *ret, AshDiags *diags) {
        AshImageDump *o = context;
        _bytes_ AshBytes bytes = {};
        AshId id;
        if (o->names_only)
                return -ENODATA;
        if (ash_id_parse(hex, &id) < 0)
                return ash_fail(diags, -ASH_ERR_SYNTAX, ASH_NOWHERE, "tree dump: '%.*s' is no SHA-256", ASH_F(hex));
        int r = ash_store_map_blob(o->store, &id, true, &bytes, diags);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "the content %.*s is not in the store", ASH_F(hex));
        *ret = ash_arena_slice(arena, ash_bytes_slice(&bytes));
        return 0;
}

int ash_image_parse_dump(AshCli *cli, const char *path, AshImageDump *opened, AshImageTree *ret) {
        AshDumpContent content = { opened, open_pack, open_bytes };
        int r = ash_file_map(AT_FDCWD, path, &ret->text);
        if (r < 0)
                return ash_fail_file(cli->diags, r, path, "cannot read the dump: %s", ash_strerror(r));
        ret->source = ash_source_new(path, ash_bytes_slice(&ret->text));
        r = ash_tree_parse(ret->source, &content, &ret->parsed, cli->diags);
        if (r >= 0)
                ret->tree = ret->parsed;
        return r;
}

/* An image of the project, or a dump in a file. */
int ash_image_or_dump(AshCli *cli, const char *arg, AshImageDump *opened, AshImageTree *ret) {
        if (!ash_config_find_image(cli->config, ash_slice_str(arg)) && access(arg, R_OK) == 0)
                return ash_image_parse_dump(cli, arg, opened, ret);
        return ash_image_compose(cli, arg, ret);
}

const AshTreeNode *ash_image_body(const AshTree *t, AshNode n) {
        const AshTreeNode *node = ash_tree_node(t, n);
        return node->hardlink == ASH_NO_NODE ? node : ash_tree_node(t, node->hardlink);
}
