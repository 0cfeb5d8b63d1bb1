/* image dump: a tree as text, and what it refers to in the store. */
#include "verb-image.h"
#include "io.h"

/* What no package has goes into the store, so that the dump can be written from. */
static int keep_content(AshCli *cli, const AshTree *t) {
        for (size_t i = 0; i < t->nodes.n; i++) {
                const AshTreeNode *n = &t->nodes.items[i];
                AshId id;
                if (n->content.kind != ASH_CONTENT_INLINE || n->flags & ASH_NODE_REMOVED || n->hardlink != ASH_NO_NODE)
                        continue;
                memcpy(id.sha256, n->content.sha256, 32);
                if (ash_store_has_blob(cli->store, &id)) /* compose has digested it a moment ago */
                        continue;
                int r = ash_store_put_blob(cli->store, ash_slice(n->content.data, n->content.length), &id, NULL, cli->diags);
                if (r < 0)
                        return r;
        }
        return 0;
}

int ash_image_dump(AshCli *cli) {
        _cleanup_(ash_image_tree_done) AshImageTree c = {};
        _str_ AshStr text = {};
        int r = ash_image_compose(cli, cli->args[0], &c);
        if (r >= 0)
                r = keep_content(cli, c.tree);
        if (r < 0)
                return r;
        ash_tree_dump(c.tree, &text);
        ash_cli_write(cli, ash_str_slice(&text));
        return 0;
}
