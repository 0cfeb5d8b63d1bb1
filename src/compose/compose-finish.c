/* What is left when packages, definition and handlers have had their turn; and the whole. */
#include "compose-private.h"

void ash_compose_content_digest(const AshTree *t, AshNode n) {
        static const uint8_t unknown[32];
        AshTreeNode *node = ash_tree_node(t, n);
        if (node->content.kind == ASH_CONTENT_INLINE && !memcmp(node->content.sha256, unknown, 32))
                ash_digest_of(ASH_SHA256, ash_slice(node->content.data, node->content.length), node->content.sha256);
}

/* ---- ghosts ---- */
void ash_ghosts_add(AshGhosts *g, const AshPackEntry *e, const AshComposePackage *p) { ash_array_push(&g->items, ((AshGhost){ *e, p })); }
uint32_t ash_ghosts_color(const AshGhosts *g, AshNode n) { return n < g->colors.n ? g->colors.items[n] : 0; }
void ash_ghosts_set_color(AshGhosts *g, AshNode n, uint32_t color) {
        while (g->colors.n <= n)
                ash_array_push(&g->colors, 0);
        g->colors.items[n] = (uint8_t) color;
}
void ash_ghosts_done(AshGhosts *g) {
        ash_array_done(&g->items);
        ash_array_done(&g->colors);
}

/* A file that a package declares as its ghost has that package's mode and owner, when a handler made it; a scriptlet's and the definition's have what those said. */
static void settle_ghosts(AshTree *t, const AshGhosts *g) {
        ash_array_foreach(&g->items, ghost) {
                const AshPackEntry *e = &ghost->entry;
                AshNode dir = ash_tree_lookup(t, ash_path_dir(e->path), true);
                AshNode n = dir == ASH_NO_NODE ? ASH_NO_NODE : ash_tree_child(t, dir, ash_path_base(e->path));
                AshTreeNode *node = n == ASH_NO_NODE ? NULL : ash_tree_node(t, n);
                if (!node || (node->mode & S_IFMT) != (e->mode & S_IFMT) || t->origins.items[node->origin].kind == ASH_ORIGIN_PACKAGE)
                        continue;
                node->flags |= ASH_NODE_GHOST;
                if (t->origins.items[node->origin].kind == ASH_ORIGIN_DEFINITION || t->origins.items[node->origin].kind == ASH_ORIGIN_SCRIPTLET || S_ISLNK(e->mode))
                        continue;
                node->mode = e->mode;
                node->user = ash_arena_slice(t->arena, e->user);
                node->group = ash_arena_slice(t->arena, e->group);
        }
}

/* ---- numbers of owners ---- */
typedef struct Owners {
        AshTree *t;
        AshMap users, groups;        /* name -> number + 1 */
        AshSlice last_user, last_group;
        uint32_t last_uid, last_gid;
        int result;
        const AshImage *image;       /* to say where a wrong name stands; may be NULL */
        AshDiags *diags;
} Owners;

static void read_names(AshTree *t, const char *path, AshMap *map) {
        AshSlice text = ash_compose_read(t, ash_slice_str(path)), line;
        while (text.ptr && ash_slice_next_line(&text, &line)) {
                AshSlice name, skip, number;
                uint64_t id;
                if (!ash_slice_split(&line, ':', &name) || !name.len || !ash_slice_split(&line, ':', &skip) || !ash_slice_split(&line, ':', &number) || ash_slice_to_u64(number, 10, &id) < 0 ||
                    id >= UINT32_MAX)
                        continue;
                if (!ash_map_find(map, name))
                        ash_map_put(map, name, (void *) (uintptr_t) (id + 1), NULL);
        }
}

/* Where the definition gives that owner or group; nowhere when a package does. */
static AshSpan said_in_definition(const AshImage *image, AshSlice name, bool user) {
        for (size_t i = 0; image && i < image->files.n; i++) {
                AshText t = user ? image->files.items[i].owner : image->files.items[i].group;
                if (ash_slice_eq(t.s, name))
                        return t.at;
        }
        for (size_t i = 0; image && i < image->directories.n; i++) {
                AshText t = user ? image->directories.items[i].owner : image->directories.items[i].group;
                if (ash_slice_eq(t.s, name))
                        return t.at;
        }
        return ASH_NOWHERE;
}

/* Told of once for each name, with the first path that has it. */
static int unknown(Owners *o, const AshTreeNode *n, AshSlice name, const char *what) {
        _str_ AshStr path = {};
        ash_tree_path(o->t, (AshNode) (n - o->t->nodes.items), &path);
        ash_fail(o->diags, -ENOENT, said_in_definition(o->image, name, !strcmp(what, "user")), "%s of %.*s belongs to the %s '%.*s', which is not known in this image", path.ptr, ASH_F(o->t->origins.items[n->origin].name), what, ASH_F(name));
        ash_hint(o->diags, "add the package that declares it in sysusers.d or /etc/passwd, or declare it in the image");
        return -ENOENT;
}

static uint32_t number_of(Owners *o, AshMap *map, AshSlice name, const AshTreeNode *n, const char *what) {
        uint64_t id;
        if (ash_slice_eqs(name, "root") || !name.len)
                return 0;
        AshMapEntry *e = ash_map_find(map, name);
        if (e)
                return (uint32_t) (uintptr_t) e->value - 1;
        if (ash_slice_to_u64(name, 10, &id) >= 0 && id < UINT32_MAX)
                return (uint32_t) id;
        o->result = unknown(o, n, name, what);
        ash_map_put(map, name, (void *) (uintptr_t) 1, NULL);
        return 0;
}

/* Nearly all nodes have the same. */
static void settle_owner(Owners *o, AshTreeNode *n) {
        if (!ash_slice_eq(n->user, o->last_user)) {
                o->last_user = n->user;
                o->last_uid = number_of(o, &o->users, n->user, n, "user");
        }
        if (!ash_slice_eq(n->group, o->last_group)) {
                o->last_group = n->group;
                o->last_gid = number_of(o, &o->groups, n->group, n, "group");
        }
        n->uid = o->last_uid;
        n->gid = o->last_gid;
}

int ash_compose_owners(AshTree *t, const AshImage *image, AshDiags *diags) {
        Owners o = { .t = t, .image = image, .diags = diags, .last_user = ASH_S("root"), .last_group = ASH_S("root") };
        read_names(t, "/etc/passwd", &o.users);
        read_names(t, "/etc/group", &o.groups);
        ash_array_foreach(&t->nodes, n)
                if (!(n->flags & ASH_NODE_REMOVED))
                        settle_owner(&o, n);
        ash_map_done(&o.users);
        ash_map_done(&o.groups);
        return o.result;
}

/* "USER" and "USER:GROUP" of a container: a runtime looks names up in the image's own files, and fails when they are not there. */
static int check_run_user(const AshTree *t, AshText as, AshDiags *diags) {
        static const struct { const char *path, *what; } files[] = { { "/etc/passwd", "user" }, { "/etc/group", "group" } };
        AshSlice rest = as.s, name;
        uint64_t id;
        for (size_t i = 0; i < ASH_N(files) && ash_slice_split(&rest, ':', &name); i++) {
                bool found = ash_slice_to_u64(name, 10, &id) >= 0;
                if (found && id >= UINT32_MAX)
                        return ash_fail(diags, -ASH_ERR_CONFIG, as.at, "%.*s is no number of a %s", ASH_F(name), files[i].what);
                for (AshSlice text = ash_compose_read((AshTree *) t, ash_slice_str(files[i].path)), line, first; !found && text.ptr && ash_slice_next_line(&text, &line);)
                        found = ash_slice_split(&line, ':', &first) && ash_slice_eq(first, name);
                if (found)
                        continue;
                int r = ash_fail(diags, -ASH_ERR_CONFIG, as.at, "the container runs as the %s '%.*s', which is not in %s of the image", files[i].what, ASH_F(name), files[i].path);
                ash_hint(diags, "declare it in [images.NAME.%ss.%.*s], add the package that does, or give a number", files[i].what, ASH_F(name));
                return r;
        }
        return 0;
}

/* ---- digests of what was made ---- */
typedef struct Digesting {
        const AshTree *t;
        ASH_ARRAY(AshNode) nodes;
} Digesting;

static int digest_one(void *context, size_t i) {
        Digesting *d = context;
        ash_compose_content_digest(d->t, d->nodes.items[i]);
        return 0;
}

/* Package databases, initrds and indices of hardware are megabytes each. */
static void digest_contents(const AshTree *t) {
        Digesting d = { .t = t };
        for (size_t i = 0; i < t->nodes.n; i++) {
                const AshTreeNode *n = &t->nodes.items[i];
                if (!(n->flags & ASH_NODE_REMOVED) && S_ISREG(n->mode) && n->hardlink == ASH_NO_NODE && n->content.kind == ASH_CONTENT_INLINE)
                        ash_array_push(&d.nodes, (AshNode) i);
        }
        (void) ash_parallel_for(d.nodes.n, 0, true, digest_one, &d);
        ash_array_done(&d.nodes);
}

int ash_compose_finish(const AshComposeInput *in, AshTree *t, const AshGhosts *ghosts, AshDiags *diags) {
        settle_ghosts(t, ghosts);
        int r = ash_compose_owners(t, in->image, diags);
        if (r >= 0 && in->image && ash_slice_eqs(in->image->kind.s, "container") && in->image->oci.user.s.len)
                r = check_run_user(t, in->image->oci.user, diags);
        if (r < 0)
                return r;
        for (size_t i = 0; i < t->nodes.n; i++) {
                AshTreeNode *n = &t->nodes.items[i];
                if (n->flags & ASH_NODE_REMOVED)
                        continue;
                if (t->origins.items[n->origin].kind != ASH_ORIGIN_PACKAGE || n->mtime > in->time)
                        n->mtime = in->time;
        }
        digest_contents(t);
        /* Names of one file have its attributes. */
        for (size_t i = 0; i < t->nodes.n; i++) {
                AshTreeNode *n = &t->nodes.items[i];
                if (n->hardlink == ASH_NO_NODE || n->flags & ASH_NODE_REMOVED)
                        continue;
                const AshTreeNode *first = ash_tree_node(t, n->hardlink);
                n->mode = first->mode;
                n->uid = first->uid;
                n->gid = first->gid;
                n->mtime = first->mtime;
                n->xattrs = first->xattrs;
                n->n_xattrs = first->n_xattrs;
        }
        return 0;
}

/* ---- the whole ---- */
static int cmp_packages(const void *a, const void *b) { return ash_slice_cmp(((const AshComposePackage *) a)->nevra, ((const AshComposePackage *) b)->nevra); }

static void add_packages(const AshComposeInput *in, AshTree *t) {
        if (in->n_packages)
                qsort(in->packages, in->n_packages, sizeof *in->packages, cmp_packages);
        for (size_t i = 0; i < in->n_packages; i++) {
                AshComposePackage *p = &in->packages[i];
                char hex[ASH_ID_HEX];
                ash_id_hex(ash_pack_id(p->pack), hex);
                p->source = ash_tree_add_source(t, ash_slice_str(hex), p->pack);
                p->origin = ash_tree_add_origin(t, ASH_ORIGIN_PACKAGE, p->nevra);
        }
}

int ash_compose(const AshComposeInput *in, AshTree **ret, AshDiags *diags) {
        _cleanup_(ash_tree_free_p) AshTree *t = ash_tree_new();
        _cleanup_(ash_ghosts_done) AshGhosts ghosts = {};
        AshHandlerContext c = { .tree = t, .store = in->store, .packages = in->packages, .n_packages = in->n_packages, .image = in->image, .identity = in->identity, .lock = in->lock,
                                .arch = in->arch, .time = in->time, .diags = diags };
        add_packages(in, t);
        int r = ash_compose_packages(in, t, &ghosts, diags);
        if (r >= 0)
                r = in->scriptlets ? in->scriptlets(&c, in->scriptlets_context) : 0;
        if (r >= 0)
                r = ash_compose_definition(in, t, diags);
        if (r >= 0)
                r = ash_handlers_run(in->handlers, &c, NULL);
        if (r >= 0)
                r = ash_compose_finish(in, t, &ghosts, diags);
        if (r < 0)
                return r;
        *ret = ASH_TAKE(t);
        return 0;
}
