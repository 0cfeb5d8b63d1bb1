#include "compose-private.h"

int ash_handlers_run(const AshHandler *table, AshHandlerContext *c, size_t *ret_run) {
        size_t n = 0;
        for (const AshHandler *h = table; h && h->name; h++) {
                c->handler = h;
                if (h->wanted && !h->wanted(c))
                        continue;
                c->origin = ash_tree_add_origin(c->tree, ASH_ORIGIN_HANDLER, ash_slice_str(h->name));
                int r = h->run(c);
                if (r < 0) {
                        ash_note(c->diags, ASH_NOWHERE, "in the handler '%s'", h->name);
                        return r;
                }
                n++;
        }
        if (ret_run)
                *ret_run = n;
        return 0;
}

AshSlice ash_compose_bytes(const AshTree *t, AshNode n) {
        const AshTreeNode *node = ash_tree_node(t, n);
        if (node->hardlink != ASH_NO_NODE)
                node = ash_tree_node(t, node->hardlink);
        const AshContent *c = &node->content;
        if (c->kind == ASH_CONTENT_INLINE)
                return ash_slice(c->data, c->length);
        if (c->kind != ASH_CONTENT_PACK)
                return ASH_S("");
        return ash_pack_at(t->sources.items[c->source].pack, c->offset, c->length);
}

AshSlice ash_compose_read(const AshTree *t, AshSlice path) {
        AshNode n = ash_tree_lookup(t, path, true);
        if (n == ASH_NO_NODE || !S_ISREG(ash_tree_node(t, n)->mode))
                return ASH_NOSLICE;
        return ash_compose_bytes(t, n);
}

/* ---- globs ---- */
typedef struct Match {
        AshNode node;
        AshSlice path;
} Match;
typedef struct Matcher {
        const AshTree *t;
        AshArena *arena;
        AshSlice glob;
        AshStr path;
        ASH_ARRAY(Match) found;
} Matcher;

static void match_below(Matcher *m, AshNode n) {
        const AshTreeNode *node = ash_tree_node(m->t, n);
        size_t len = m->path.len;
        for (uint32_t i = 0; i < node->n_children; i++) {
                const AshTreeNode *child = ash_tree_node(m->t, node->children[i]);
                ash_str_append_char(&m->path, '/');
                ash_str_append(&m->path, child->name);
                if (S_ISDIR(child->mode))
                        match_below(m, node->children[i]);
                else if (ash_glob_match(m->glob, ash_str_slice(&m->path)))
                        ash_array_push(&m->found, ((Match){ node->children[i], ash_arena_slice(m->arena, ash_str_slice(&m->path)) }));
                m->path.len = len;
        }
}

/* The directories in front of the first part with a wildcard. */
static AshSlice fixed_part(AshSlice glob) {
        size_t meta = 0;
        while (meta < glob.len && !strchr("*?[{\\", glob.ptr[meta]))
                meta++;
        ptrdiff_t slash = ash_slice_rfind_char(ash_slice(glob.ptr, meta), '/');
        return ash_slice(glob.ptr, slash < 0 ? 0 : (size_t) slash);
}

static int cmp_matches(const void *a, const void *b) { return ash_slice_cmp(((const Match *) a)->path, ((const Match *) b)->path); }

int ash_compose_match(const AshTree *t, const char *const *globs, int (*fn)(void *, AshSlice, AshNode), void *context) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        Matcher m = { .t = t, .arena = arena };
        for (; globs && *globs; globs++) {
                m.glob = ash_slice_str(*globs);
                AshSlice start = fixed_part(m.glob);
                AshNode dir = ash_tree_lookup(t, start, false);
                m.path.len = 0;
                ash_str_append(&m.path, start);
                if (dir != ASH_NO_NODE)
                        match_below(&m, dir);
        }
        int r = 0;
        if (m.found.n)
                qsort(m.found.items, m.found.n, sizeof *m.found.items, cmp_matches);
        for (size_t i = 0; r >= 0 && i < m.found.n; i++)
                if (!i || m.found.items[i].node != m.found.items[i - 1].node)
                        r = fn(context, m.found.items[i].path, m.found.items[i].node);
        ash_array_done(&m.found);
        ash_str_done(&m.path);
        return r < 0 ? r : 0;
}

/* ---- putting ---- */
static bool is_the_definitions(const AshHandlerContext *c, AshSlice path) {
        AshNode n = ash_tree_lookup(c->tree, path, true);
        return n != ASH_NO_NODE && c->tree->origins.items[ash_tree_node(c->tree, n)->origin].kind == ASH_ORIGIN_DEFINITION;
}

int ash_handler_file(AshHandlerContext *c, AshSlice path, AshSlice content, uint32_t mode, AshNode *ret) {
        AshNode n;
        int r = 0;
        if (is_the_definitions(c, path))
                n = ash_tree_lookup(c->tree, path, true);
        else
                r = ash_tree_put_file(c->tree, path, content, mode, c->origin, &n);
        if (r < 0)
                return ash_fail(c->diags, r, ASH_NOWHERE, "cannot put %.*s: %s", ASH_F(path), ash_strerror(r));
        if (ret)
                *ret = n;
        return 0;
}

int ash_handler_symlink(AshHandlerContext *c, AshSlice path, AshSlice target) {
        AshNode n = ash_tree_lookup(c->tree, path, false);
        if (n != ASH_NO_NODE && c->tree->origins.items[ash_tree_node(c->tree, n)->origin].kind == ASH_ORIGIN_DEFINITION)
                return 0;
        int r = ash_tree_put_symlink(c->tree, path, target, c->origin, NULL);
        return r < 0 ? ash_fail(c->diags, r, ASH_NOWHERE, "cannot put the link %.*s: %s", ASH_F(path), ash_strerror(r)) : 0;
}

/* ---- cached outputs ---- */
typedef struct Keyer {
        AshHandlerContext *c;
        AshDigest *d;
} Keyer;

static void key_text(AshDigest *d, AshSlice s) {
        uint64_t len = s.len;
        ash_digest_update(d, &len, sizeof len);
        ash_digest_update(d, s.ptr ? s.ptr : "", s.len);
}

static int key_node(void *context, AshSlice path, AshNode n) {
        Keyer *k = context;
        const AshTreeNode *node = ash_tree_node(k->c->tree, n);
        key_text(k->d, path);
        ash_digest_update(k->d, &node->mode, sizeof node->mode);
        key_text(k->d, node->link);
        ash_compose_content_digest(k->c->tree, n);
        const AshTreeNode *body = node->hardlink == ASH_NO_NODE ? node : ash_tree_node(k->c->tree, node->hardlink);
        ash_digest_update(k->d, body->content.sha256, 32);
        return 0;
}

int ash_handler_cached(AshHandlerContext *c, AshSlice more, int (*compute)(AshHandlerContext *, void *, AshStr *), void *context, AshSlice *ret) {
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        _bytes_ AshBytes kept = {};
        _str_ AshStr out = {};
        Keyer k = { c, d };
        AshId key;
        key_text(d, ash_slice_str(c->handler->name));
        ash_digest_update(d, &c->handler->version, sizeof c->handler->version);
        key_text(d, c->arch);
        key_text(d, more);
        int r = ash_compose_match(c->tree, c->handler->inputs, key_node, &k);
        if (r < 0)
                return r;
        ash_digest_final(d, key.sha256);
        if (c->store && ash_store_cache_get(c->store, "handler", &key, &kept) >= 0) {
                *ret = ash_arena_slice(c->tree->arena, ash_bytes_slice(&kept));
                return 0;
        }
        r = compute(c, context, &out);
        if (r < 0)
                return r;
        if (c->store)
                (void) ash_store_cache_put(c->store, "handler", &key, ash_str_slice(&out)); /* only a loss of time */
        *ret = ash_arena_slice(c->tree->arena, ash_str_slice(&out));
        return 0;
}
