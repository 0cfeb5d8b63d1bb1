/* Package files into the tree. The order of packages does not matter: links that lead to directories come first, so that every path is canonical before anything is put there, and what several
 * packages declare must agree. */
#include "compose-private.h"
#include "rpm-tags.h"

enum { X86_64_COLOR = 2, LINK_ROUNDS = 8 };

typedef struct Dir {
        AshNode node;                /* ASH_NO_NODE until it is needed */
        bool refused;                /* said once */
} Dir;
typedef struct Link {
        AshPackEntry entry;
        const AshComposePackage *package;
        uint32_t depth;
        bool placed;
} Link;
typedef struct Loader {
        const AshComposeInput *in;
        AshTree *t;
        AshGhosts *ghosts;
        AshDiags *diags;
        AshArena *arena;             /* for the time of loading */
        AshMap dirs;                 /* every directory that a path goes through, as written -> Dir */
        AshMap canonical;            /* the same, without links; for the rounds */
        ASH_ARRAY(Link) links;
        AshMap names;                /* user and group names in the tree's arena */
        AshSlice last_path;          /* the directory of the entry before */
        Dir *last_dir;
        int result;                  /* the first conflict; the others are reported too */
} Loader;

/* ---- what is left out ---- */
typedef struct Filter {
        const AshImage *image;
        AshSlice *langs;             /* one a file, from the header; NULL: not wanted or none */
        uint32_t n_langs;
} Filter;

static bool keeps_language(const AshImage *image, AshSlice lang) {
        for (size_t i = 0; i < image->languages.n; i++) {
                AshSlice want = image->languages.items[i].s;
                /* "de" keeps de_AT too; "pt_BR" keeps pt, which it falls back to. */
                if (ash_slice_eqs(want, "all") || ash_slice_eq(want, lang) || (ash_slice_starts(lang, want) && strchr("_.@", lang.ptr[want.len])) ||
                    (ash_slice_starts(want, lang) && strchr("_.@", want.ptr[lang.len])))
                        return true;
        }
        return ash_slice_eqs(lang, "C") || ash_slice_eqs(lang, "en") || ash_slice_starts(lang, ASH_S("C."));
}

/* Files marked %lang(de|fr), and translations that nobody marked. */
static bool is_foreign(const Filter *f, size_t i, AshSlice path) {
        const AshImage *image = f->image;
        AshSlice marks = f->langs && i < f->n_langs ? f->langs[i] : ASH_NOSLICE, mark;
        if (!image || !image->languages.n)
                return false;
        if (!marks.len) {
                if (!ash_slice_starts(path, ASH_S("/usr/share/locale/")))
                        return false;
                AshSlice rest = ash_slice_from(path, strlen("/usr/share/locale/"));
                ptrdiff_t slash = ash_slice_find_char(rest, '/');
                return slash > 0 && ash_slice_starts(ash_slice_from(rest, (size_t) slash), ASH_S("/LC_")) && !keeps_language(image, ash_slice(rest.ptr, (size_t) slash));
        }
        while (ash_slice_split(&marks, '|', &mark))
                if (keeps_language(image, mark))
                        return false;
        return true;
}

static bool is_left_out(const Filter *f, size_t i, const AshPackEntry *e) {
        const AshImage *image = f->image;
        if (image && image->documentation.value != ASH_YES && e->flags & ASH_RPMFILE_DOC && !(e->flags & ASH_RPMFILE_LICENSE))
                return true;
        return is_foreign(f, i, e->path);
}

static void filter_open(Filter *f, const AshImage *image, const AshPack *pack, AshArena *arena) {
        AshRpmHeader header = {};
        *f = (Filter){ .image = image };
        if (!image || !image->languages.n || ash_rpm_header_parse(ash_pack_header(pack), 0, "header", 0, &header, NULL) < 0)
                return;
        f->langs = ash_rpm_strings(&header, ASH_RPMTAG_FILELANGS, arena, &f->n_langs); /* the header's blob lies in the pack */
        ash_rpm_header_done(&header);
}

/* ---- directories ---- */
static AshSlice dir_of(AshSlice path) {
        size_t n = path.len;
        while (n && path.ptr[n - 1] != '/')
                n--;
        return ash_slice(path.ptr, n > 1 ? n - 1 : n);
}
static AshSlice base_of(AshSlice path) {
        AshSlice dir = dir_of(path);
        return ash_slice_from(path, dir.len + (dir.len > 1));
}

static Dir *note_dir(Loader *l, AshSlice path) {
        if (l->last_dir && ash_slice_eq(path, l->last_path))
                return l->last_dir;
        bool fresh;
        Dir *first = NULL;
        for (AshSlice at = path;; at = dir_of(at)) {
                AshMapEntry *e = ash_map_ensure(&l->dirs, at, &fresh);
                Dir *d = e->value;
                if (fresh) {
                        d = ash_arena_new_item(l->arena, Dir);
                        d->node = ASH_NO_NODE;
                        e->value = d;
                }
                first = first ?: d;
                if (!fresh || at.len <= 1)
                        break;
        }
        l->last_path = path;
        return l->last_dir = first;
}

static AshSlice path_of(const AshTree *t, AshNode n, AshArena *arena) {
        _str_ AshStr text = {};
        if (n)
                ash_tree_path(t, n, &text);
        else
                ash_str_append_char(&text, '/');
        return ash_arena_slice(arena, ash_str_slice(&text));
}

static AshSlice origin_name(const AshTree *t, AshNode n) { return t->origins.items[ash_tree_node(t, n)->origin].name; }

/* The node of a directory as a path names it. */
static int dir_node(Loader *l, AshSlice path, const AshComposePackage *p, AshNode *ret) {
        Dir *d = note_dir(l, path);
        if (d->node == ASH_NO_NODE) {
                int r = ash_tree_make_dirs(l->t, path, 0, &d->node);
                if (r < 0) {
                        AshSlice at = path;
                        AshNode n = ASH_NO_NODE;
                        if (d->refused)
                                return -EEXIST;
                        d->refused = true;
                        while (at.len > 1 && (n = ash_tree_lookup(l->t, at, true)) == ASH_NO_NODE)
                                at = dir_of(at);
                        d->node = ASH_NO_NODE;
                        return ash_fail(l->diags, -EEXIST, ASH_NOWHERE, "%.*s needs %.*s to be a directory, and %.*s has something else there", ASH_F(p->nevra), ASH_F(at),
                                        n == ASH_NO_NODE ? 1 : (int) origin_name(l->t, n).len, n == ASH_NO_NODE ? "?" : origin_name(l->t, n).ptr);
                }
        }
        *ret = d->node;
        return 0;
}

/* ---- attributes ---- */
static AshSlice shared_name(Loader *l, AshSlice name) {
        bool fresh;
        AshMapEntry *e = ash_map_ensure(&l->names, name, &fresh);
        if (fresh) {
                e->key = ash_arena_slice(l->t->arena, name);
                e->value = (void *) e->key.ptr;
        }
        return e->key;
}

static int set_attributes(Loader *l, AshNode n, const AshPackEntry *e, const AshComposePackage *p) {
        static const struct { uint32_t rpm, node; } flags[] = { { ASH_RPMFILE_CONFIG, ASH_NODE_CONFIG }, { ASH_RPMFILE_NOREPLACE, ASH_NODE_NOREPLACE }, { ASH_RPMFILE_DOC, ASH_NODE_DOC },
                                                                { ASH_RPMFILE_LICENSE, ASH_NODE_LICENSE } };
        AshTreeNode *node = ash_tree_node(l->t, n);
        node->mode = e->mode;
        node->user = shared_name(l, e->user);
        node->group = shared_name(l, e->group);
        node->mtime = e->mtime;
        node->origin = p->origin;
        for (size_t i = 0; i < ASH_N(flags); i++)
                node->flags |= e->flags & flags[i].rpm ? flags[i].node : 0;
        if (S_ISCHR(e->mode) || S_ISBLK(e->mode))
                node->rdev = e->rdev;
        if (S_ISLNK(e->mode))
                node->link = ash_arena_slice(l->t->arena, e->link);
        if (S_ISREG(e->mode)) {
                if (e->length && e->offset)
                        node->content = (AshContent){ .kind = ASH_CONTENT_PACK, .source = p->source, .offset = e->offset, .length = e->length };
                if (e->sha256)
                        memcpy(node->content.sha256, e->sha256, 32);
        }
        if (e->caps.len && !ash_slice_eqs(e->caps, "=")) {
                uint8_t caps[20];
                if (ash_compose_caps(e->caps, caps) < 0)
                        return ash_fail(l->diags, -ASH_ERR_SYNTAX, ASH_NOWHERE, "%.*s: %.*s has capabilities that nobody knows: '%.*s'", ASH_F(p->nevra), ASH_F(e->path), ASH_F(e->caps));
                ash_tree_set_xattr(l->t, n, ASH_S("security.capability"), ash_slice((const char *) caps, sizeof caps));
        }
        return 0;
}

/* What differs between a node and a second declaration of it, in a word; NULL when they agree. As rpm compares (rpmfilesCompare). */
static const char *difference(const AshTree *t, AshNode n, const AshPackEntry *e) {
        const AshTreeNode *node = ash_tree_node(t, n);
        const AshTreeNode *body = node->hardlink == ASH_NO_NODE ? node : ash_tree_node(t, node->hardlink);
        uint8_t caps[20];
        bool has_caps = e->caps.len && !ash_slice_eqs(e->caps, "=");
        if ((node->mode ^ e->mode) & S_IFMT)
                return "type";
        if (S_ISLNK(e->mode))
                return ash_slice_eq(node->link, e->link) ? NULL : "target";
        if (node->mode != e->mode)
                return "mode";
        if (S_ISREG(e->mode) && ((e->sha256 && memcmp(body->content.sha256, e->sha256, 32)) || body->content.length != e->length))
                return "content";
        if ((S_ISCHR(e->mode) || S_ISBLK(e->mode)) && node->rdev != e->rdev)
                return "device";
        if (!ash_slice_eq(node->user, e->user) || !ash_slice_eq(node->group, e->group))
                return "owner";
        if (has_caps != (body->n_xattrs > 0) || (has_caps && (ash_compose_caps(e->caps, caps) < 0 || !ash_slice_eq(body->xattrs[0].value, ash_slice((char *) caps, sizeof caps)))))
                return "capabilities";
        return NULL;
}

static int conflict(Loader *l, AshNode n, const AshPackEntry *e, const AshComposePackage *p, const char *what) {
        AshSlice at = path_of(l->t, n, l->arena), other = origin_name(l->t, n);
        if (!ash_slice_eq(at, e->path))
                l->result = ash_fail(l->diags, -EEXIST, ASH_NOWHERE, "%.*s and %.*s conflict: both have %.*s (in the latter as %.*s), with different %s", ASH_F(other), ASH_F(p->nevra), ASH_F(at), ASH_F(e->path), what);
        else
                l->result = ash_fail(l->diags, -EEXIST, ASH_NOWHERE, "%.*s and %.*s conflict: both have %.*s, with different %s", ASH_F(other), ASH_F(p->nevra), ASH_F(at), what);
        return 0; /* go on: all conflicts are told at once */
}

/* ---- files ---- */
typedef struct Package {
        const AshComposePackage *p;
        AshNode *nodes;              /* one a file: where the entry is in the tree; for hard links */
} Package;

static int put_directory(Loader *l, const AshPackEntry *e, const AshComposePackage *p) {
        AshNode n;
        int r = dir_node(l, e->path, p, &n);
        if (r < 0) {
                l->result = r;
                return 0;
        }
        const AshTreeNode *node = ash_tree_node(l->t, n);
        if (l->t->origins.items[node->origin].kind == ASH_ORIGIN_IMPLIED)
                return set_attributes(l, n, e, p);
        /* A directory in one package that is a link in another: the link stays, and where it leads another package may own the directory. */
        AshSlice at = path_of(l->t, n, l->arena);
        const char *what = difference(l->t, n, e);
        return what && ash_slice_eq(at, e->path) ? conflict(l, n, e, p, what) : 0;
}

/* Multilib: of two ELF files with one path, the 64-bit one stays (rpm's file colours). */
static bool settles_by_color(Loader *l, AshNode n, const AshPackEntry *e, const AshComposePackage *p, int *ret) {
        uint32_t other = ash_ghosts_color(l->ghosts, n);
        if (!e->color || !other || e->color == other)
                return false;
        *ret = 0;
        if (e->color & X86_64_COLOR && !(other & X86_64_COLOR)) {
                ash_tree_node(l->t, n)->n_xattrs = 0;
                *ret = set_attributes(l, n, e, p);
                ash_ghosts_set_color(l->ghosts, n, e->color);
        }
        return true;
}

static const AshComposePackage *package_of(const Loader *l, AshNode n) {
        for (size_t i = 0; i < l->in->n_packages; i++)
                if (l->in->packages[i].origin == ash_tree_node(l->t, n)->origin)
                        return &l->in->packages[i];
        return NULL;
}

/* Names that were one file with this node stay one file without it. */
static void leave_links(Loader *l, AshNode n) {
        AshNode first = ASH_NO_NODE;
        ash_tree_node(l->t, n)->hardlink = ASH_NO_NODE;
        for (AshNode k = 0; k < l->t->nodes.n; k++) {
                AshTreeNode *other = ash_tree_node(l->t, k);
                if (other->hardlink != n)
                        continue;
                if (first == ASH_NO_NODE)
                        other->content = ash_tree_node(l->t, n)->content;
                other->hardlink = first;
                first = first == ASH_NO_NODE ? k : first;
        }
}

/* A library that stands in place of another package's has its paths. */
static bool settles_by_place(Loader *l, AshNode n, const AshPackEntry *e, const AshComposePackage *p, int *ret) {
        const AshComposePackage *other = package_of(l, n);
        if (!other || other->over == p->over)
                return false;
        *ret = 0;
        if (p->over) {
                leave_links(l, n);
                AshTreeNode *node = ash_tree_node(l->t, n);
                node->n_xattrs = node->flags = 0;
                node->content = (AshContent){};
                node->link = ASH_NOSLICE;
                *ret = set_attributes(l, n, e, p);
                ash_ghosts_set_color(l->ghosts, n, e->color);
        }
        return true;
}

static int put_other(Loader *l, Package *pack, size_t i, const AshPackEntry *e) {
        const AshComposePackage *p = pack->p;
        AshNode dir, n;
        int r = dir_node(l, dir_of(e->path), p, &dir);
        if (r < 0) {
                l->result = r;
                return 0;
        }
        r = ash_tree_add(l->t, dir, base_of(e->path), e->mode, p->origin, &n);
        if (r == -EEXIST) {
                n = ash_tree_child(l->t, dir, base_of(e->path));
                pack->nodes[i] = n;
                const char *what = difference(l->t, n, e);
                if (what && !settles_by_place(l, n, e, p, &r) && !settles_by_color(l, n, e, p, &r))
                        return conflict(l, n, e, p, what);
                return what ? r : 0;
        }
        if (r < 0)
                return ash_fail(l->diags, r, ASH_NOWHERE, "%.*s: %.*s: %s", ASH_F(p->nevra), ASH_F(e->path), ash_strerror(r));
        pack->nodes[i] = n;
        r = set_attributes(l, n, e, p);
        if (r < 0)
                return r;
        if (e->color)
                ash_ghosts_set_color(l->ghosts, n, e->color);
        AshNode first = S_ISREG(e->mode) && e->hardlink < i ? pack->nodes[e->hardlink] : ASH_NO_NODE;
        if (S_ISREG(e->mode) && e->hardlink < i && first == ASH_NO_NODE)
                pack->nodes[e->hardlink] = n; /* the first name was left out: this one stands for it */
        else if (first != ASH_NO_NODE) {
                AshNode master = ash_tree_node(l->t, first)->hardlink;
                ash_tree_node(l->t, n)->hardlink = master == ASH_NO_NODE ? first : master;
        }
        return 0;
}

/* What the filter says, and the package's directories that held nothing else (as rpm does; lib/transaction.c, skipInstallFiles). An empty directory stays. */
bool *ash_compose_left_out(const AshImage *image, const AshPack *pack) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        size_t count = ash_pack_count(pack), n_out = 0;
        Filter filter;
        bool *out = ash_calloc(count + 1, sizeof *out);
        _map_ AshMap dirs = {};
        AshPackEntry e;
        filter_open(&filter, image, pack, arena);
        for (size_t i = 0; i < count; i++) {
                ash_pack_entry(pack, i, &e);
                n_out += out[i] = is_left_out(&filter, i, &e);
        }
        if (!n_out)
                return out;
        _free_ struct { size_t kept, out; } *held = ash_calloc(count + 1, sizeof *held);
        for (size_t i = 0; i < count; i++) {
                ash_pack_entry(pack, i, &e);
                if (S_ISDIR(e.mode))
                        ash_map_put(&dirs, e.path, &held[i], NULL);
        }
        for (size_t i = count; i-- > 0;) { /* headers are sorted: what a directory holds comes after it */
                ash_pack_entry(pack, i, &e);
                if (S_ISDIR(e.mode) && held[i].out && !held[i].kept)
                        out[i] = true;
                typeof(*held) *parent = ash_map_get(&dirs, dir_of(e.path));
                if (parent && out[i])
                        parent->out++;
                else if (parent)
                        parent->kept++;
        }
        return out;
}

static int put_package(Loader *l, const AshComposePackage *p) {
        size_t count = ash_pack_count(p->pack);
        _free_ AshNode *nodes = ash_calloc(count + 1, sizeof *nodes);
        Package pack = { .p = p, .nodes = nodes };
        int r = 0;
        memset(nodes, 0xff, count * sizeof *nodes);
        _free_ bool *out = ash_compose_left_out(l->in->image, p->pack);
        for (size_t i = 0; r >= 0 && i < count; i++) {
                AshPackEntry e;
                ash_pack_entry(p->pack, i, &e);
                if (out[i])
                        continue;
                if (e.flags & ASH_RPMFILE_GHOST)
                        ash_ghosts_add(l->ghosts, &e, p);
                else if (S_ISDIR(e.mode))
                        r = put_directory(l, &e, p);
                else
                        r = put_other(l, &pack, i, &e);
        }
        return r;
}

/* ---- links that are gone through ---- */
static void gather(Loader *l, const AshComposePackage *p) {
        for (size_t i = 0; i < ash_pack_count(p->pack); i++) {
                AshPackEntry e;
                ash_pack_entry(p->pack, i, &e);
                note_dir(l, S_ISDIR(e.mode) ? e.path : dir_of(e.path));
                if (!S_ISLNK(e.mode) || e.flags & ASH_RPMFILE_GHOST)
                        continue;
                uint32_t depth = 0;
                for (size_t k = 0; k < e.path.len; k++)
                        depth += e.path.ptr[k] == '/';
                ash_array_push(&l->links, ((Link){ .entry = e, .package = p, .depth = depth }));
        }
}

/* The names of the merged /usr come first: other links are below them. */
static bool is_usrmerge(AshSlice path) {
        static const char *const names[] = { "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32", "/usr/sbin", "/usr/lib64", "/usr/local/sbin", "/usr/local/lib64" };
        for (size_t i = 0; i < ASH_N(names); i++)
                if (ash_slice_eqs(path, names[i]))
                        return true;
        return false;
}

static int cmp_links(const void *a, const void *b) {
        const Link *x = a, *y = b;
        int merge = is_usrmerge(y->entry.path) - is_usrmerge(x->entry.path);
        if (merge)
                return merge;
        if (x->depth != y->depth)
                return x->depth < y->depth ? -1 : 1;
        int c = ash_slice_cmp(x->entry.path, y->entry.path);
        return c ? c : ash_slice_cmp(x->package->nevra, y->package->nevra);
}

static int place_link(Loader *l, Link *link) {
        AshNode node = ASH_NO_NODE;
        Package pack = { .p = link->package, .nodes = &node };
        AshNode dir;
        l->last_dir = NULL;
        link->placed = true;
        /* A second declaration is compared when its package's turn comes. */
        if (dir_node(l, dir_of(link->entry.path), link->package, &dir) < 0 || ash_tree_child(l->t, dir, base_of(link->entry.path)) != ASH_NO_NODE)
                return 0;
        return put_other(l, &pack, 0, &link->entry);
}

static void forget_nodes(Loader *l) {
        ash_map_foreach(&l->dirs, e)
                ((Dir *) e->value)->node = ASH_NO_NODE;
        l->last_dir = NULL;
}

/* All directories without the links that are known now: a link at one of these is gone through. */
static void canonicalize(Loader *l) {
        ash_map_clear(&l->canonical);
        ash_map_foreach(&l->dirs, e)
                ash_map_put(&l->canonical, ash_tree_resolve(l->t, e->key), e->value, NULL);
}

static int place_links(Loader *l) {
        int r = 0;
        if (l->links.n)
                qsort(l->links.items, l->links.n, sizeof *l->links.items, cmp_links);
        bool again = true;
        for (unsigned round = 0; again && round < LINK_ROUNDS; round++) {
                again = false;
                if (round)
                        canonicalize(l);
                ash_array_foreach(&l->links, link) {
                        AshSlice path = link->entry.path;
                        if (!link->placed && round)
                                path = ash_slice_str(ash_arena_printf(l->arena, "%.*s/%.*s", ASH_F(ash_tree_resolve(l->t, dir_of(path))), ASH_F(base_of(path))));
                        if (link->placed || !ash_map_find(round ? &l->canonical : &l->dirs, path))
                                continue;
                        r = place_link(l, link);
                        if (r < 0)
                                return r;
                        forget_nodes(l);
                        again = true;
                }
        }
        return 0;
}

/* A package that still says /bin/x where no package says what /bin is: a link, as everywhere. */
static int merge_usr(Loader *l) {
        static const struct { const char *path, *target; } links[] = { { "/bin", "usr/bin" }, { "/sbin", "usr/sbin" }, { "/lib", "usr/lib" }, { "/lib64", "usr/lib64" } };
        for (size_t i = 0; i < ASH_N(links); i++) {
                AshSlice path = ash_slice_str(links[i].path);
                bool declared = false;
                if (!ash_map_find(&l->dirs, path))
                        continue;
                ash_array_foreach(&l->links, link)
                        declared |= ash_slice_eq(link->entry.path, path);
                size_t at;
                for (size_t k = 0; !declared && k < l->in->n_packages; k++)
                        declared = ash_pack_find(l->in->packages[k].pack, path, &at);
                int r = declared ? 0 : ash_tree_put_symlink(l->t, path, ash_slice_str(links[i].target), 0, NULL);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- excluded paths ---- */
static void exclude_below(AshTree *t, AshNode dir, AshStr *path, const AshTexts *globs) {
        size_t len = path->len;
        for (uint32_t i = ash_tree_node(t, dir)->n_children; i-- > 0;) {
                AshNode n = ash_tree_node(t, dir)->children[i];
                ash_str_append_char(path, '/');
                ash_str_append(path, ash_tree_node(t, n)->name);
                bool out = false;
                for (size_t k = 0; !out && k < globs->n; k++)
                        out = ash_glob_match(globs->items[k].s, ash_str_slice(path));
                if (out)
                        ash_tree_remove(t, n);
                else if (S_ISDIR(ash_tree_node(t, n)->mode))
                        exclude_below(t, n, path, globs);
                path->len = len;
        }
}

int ash_compose_packages(const AshComposeInput *in, AshTree *t, AshGhosts *ghosts, AshDiags *diags) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        Loader l = { .in = in, .t = t, .ghosts = ghosts, .diags = diags, .arena = arena };
        for (size_t i = 0; i < in->n_packages; i++)
                gather(&l, &in->packages[i]);
        int r = merge_usr(&l);
        if (r >= 0)
                r = place_links(&l);
        forget_nodes(&l);
        for (size_t i = 0; r >= 0 && i < in->n_packages; i++)
                r = put_package(&l, &in->packages[i]);
        if (r >= 0)
                r = l.result;
        if (r >= 0 && in->image && in->image->exclude_paths.n) {
                _str_ AshStr path = {};
                exclude_below(t, 0, &path, &in->image->exclude_paths);
        }
        ash_map_done(&l.dirs);
        ash_map_done(&l.canonical);
        ash_map_done(&l.names);
        ash_array_done(&l.links);
        return r;
}
