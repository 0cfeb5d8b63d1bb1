/* Handlers from a test's hand: handler-tool [--dir DIR] [--rpm FILE...] [--rpm-dependency FILE...] [--store STORE] [--project DIR --image NAME] [--lock FILE] [--time N] [--arch ARCH] [--out DIR] [--drop PATH] [--all] [--timings] HANDLER...
 * Makes a tree of DIR and of the packages' files, runs the handlers over it, writes what they made below OUT and lists it: path, octal mode, user:group, uid:gid, target of a link.
 * "owners" in the place of a handler: numbers for the names of owners, as composing ends with them. --all: lists and writes all that is in the tree; extended attributes as lines "xattr PATH NAME VALUE". */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "config.h"
#include "handlers.h"
#include "lock.h"

typedef struct Tool {
        AshTree *tree;
        AshDiags *diags;
        AshStore *store;
        const char *out;
        uint32_t origin;
        bool all;
        ASH_ARRAY(AshComposePackage) packages;
} Tool;

static AshSlice owner(Tool *t, unsigned id) { return id ? ash_slice_str(ash_arena_printf(t->tree->arena, "%u", id)) : ASH_S("root"); }

static int load_dir(Tool *t, const char *from, AshNode dir) {
        struct dirent *d;
        DIR *handle = opendir(from);
        if (!handle)
                return -errno;
        int r = 0;
        while (r >= 0 && (d = readdir(handle))) {
                struct stat st;
                _free_ char *path = ash_path_join(from, d->d_name);
                AshNode n;
                if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, "..") || lstat(path, &st) < 0)
                        continue;
                r = ash_tree_add(t->tree, dir, ash_slice_str(d->d_name), st.st_mode, t->origin, &n);
                if (r < 0)
                        break;
                ash_tree_node(t->tree, n)->user = owner(t, st.st_uid);
                ash_tree_node(t->tree, n)->group = owner(t, st.st_gid);
                ash_tree_node(t->tree, n)->mtime = st.st_mtime;
                if (S_ISDIR(st.st_mode))
                        r = load_dir(t, path, n);
                else if (S_ISLNK(st.st_mode)) {
                        char target[4096];
                        ssize_t len = readlink(path, target, sizeof target);
                        ash_tree_node(t->tree, n)->link = ash_arena_slice(t->tree->arena, ash_slice(target, len < 0 ? 0 : (size_t) len));
                } else if (S_ISREG(st.st_mode)) {
                        _bytes_ AshBytes b = {};
                        r = ash_file_read(AT_FDCWD, path, 1 << 30, &b);
                        AshSlice copy = ash_arena_slice(t->tree->arena, ash_bytes_slice(&b));
                        ash_tree_node(t->tree, n)->content = (AshContent){ .kind = ASH_CONTENT_INLINE, .data = copy.ptr, .length = copy.len };
                }
        }
        closedir(handle);
        return r;
}

/* One file of a package. A plain composition for tests: the first one has a path. */
static int load_entry(Tool *t, const AshPackEntry *e, uint32_t source, uint32_t origin) {
        AshSlice path = ash_tree_resolve(t->tree, ash_path_dir(e->path));
        AshNode dir, n;
        int r = ash_tree_make_dirs(t->tree, path.len ? path : ASH_S("/"), origin, &dir);
        if (r < 0 || e->flags & ASH_RPMFILE_GHOST)
                return r < 0 ? r : 0;
        n = ash_tree_child(t->tree, dir, ash_path_base(e->path));
        if (n == ASH_NO_NODE && (r = ash_tree_add(t->tree, dir, ash_path_base(e->path), e->mode, origin, &n)) < 0)
                return r;
        AshTreeNode *node = ash_tree_node(t->tree, n);
        node->mode = e->mode;
        node->user = e->user;
        node->group = e->group;
        node->mtime = e->mtime;
        node->link = e->link;
        node->rdev = e->rdev;
        node->origin = origin;
        if (e->sha256) {
                node->content = (AshContent){ .kind = e->length ? ASH_CONTENT_PACK : ASH_CONTENT_NONE, .source = source, .offset = e->offset, .length = e->length };
                memcpy(node->content.sha256, e->sha256, 32);
        }
        return 0;
}

static int load_rpm(Tool *t, const char *file) {
        AshId id;
        AshPack *pack = NULL;
        int r = ash_store_put_file(t->store, AT_FDCWD, file, NULL, &id, t->diags);
        if (r >= 0)
                r = ash_store_expand(t->store, &id, &pack, t->diags);
        if (r < 0)
                return r;
        char hex[ASH_ID_HEX];
        ash_id_hex(&id, hex);
        AshComposePackage *p = ash_array_add(&t->packages);
        p->pack = pack;
        p->nevra = ash_pack_nevra(pack);
        p->user = true;
        p->source = ash_tree_add_source(t->tree, ash_arena_slice(t->tree->arena, ash_slice_str(hex)), pack);
        p->origin = ash_tree_add_origin(t->tree, ASH_ORIGIN_PACKAGE, p->nevra);
        for (size_t i = 0; r >= 0 && i < ash_pack_count(pack); i++) {
                AshPackEntry e;
                ash_pack_entry(pack, i, &e);
                r = load_entry(t, &e, p->source, p->origin);
        }
        return r;
}

static int cmp_packages(const void *a, const void *b) { return ash_slice_cmp(((const AshComposePackage *) a)->nevra, ((const AshComposePackage *) b)->nevra); }

static int put_out(Tool *t, AshNode n, const char *path) {
        const AshTreeNode *node = ash_tree_node(t->tree, n);
        _free_ char *to = ash_asprintf("%s%s", t->out, path);
        for (char *p = to + strlen(t->out) + 1; (p = strchr(p, '/')); *p++ = '/') {
                *p = 0;
                (void) mkdir(to, 0755);
        }
        if (S_ISDIR(node->mode))
                return mkdir(to, 0755) < 0 && errno != EEXIST ? -errno : 0;
        if (S_ISLNK(node->mode)) {
                _free_ char *target = ash_slice_dup(node->link);
                return symlink(target, to) < 0 ? -errno : 0;
        }
        if (!S_ISREG(node->mode))
                return 0;
        FILE *f = fopen(to, "w");
        AshSlice b = ash_compose_bytes(t->tree, n);
        if (!f)
                return -errno;
        fwrite(b.ptr ? b.ptr : "", 1, b.len, f);
        return fclose(f) ? -errno : 0;
}

static int show(void *context, const AshTree *tree, AshNode n) {
        Tool *t = context;
        const AshTreeNode *node = ash_tree_node(tree, n);
        _str_ AshStr path = {};
        ash_tree_path(tree, n, &path);
        if (!t->all && tree->origins.items[node->origin].kind != ASH_ORIGIN_HANDLER)
                return 0;
        for (uint32_t i = 0; t->all && i < node->n_xattrs; i++)
                printf("xattr %s %.*s %.*s\n", path.ptr, ASH_F(node->xattrs[i].name), ASH_F(node->xattrs[i].value));
        printf("%s %o %.*s:%.*s %u:%u %.*s\n", path.ptr, node->mode, ASH_F(node->user), ASH_F(node->group), node->uid, node->gid, ASH_F(node->link));
        return t->out ? put_out(t, n, path.ptr) : 0;
}

static int finish(Tool *t, int r) {
        for (size_t i = 0; i < ash_diags_n(t->diags); i++) {
                _str_ AshStr s = {};
                ash_diag_format(ash_diags_at(t->diags, i), false, &s);
                fputs(s.ptr, stderr);
        }
        return r < 0 ? 1 : 0;
}

int main(int argc, char **argv) {
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        _cleanup_(ash_tree_free_p) AshTree *tree = ash_tree_new();
        _cleanup_(ash_store_free_p) AshStore *store = NULL;
        _cleanup_(ash_config_free_p) AshConfig *config = NULL;
        _cleanup_(ash_lock_free_all_p) AshLock *lock = NULL;
        Tool t = { .tree = tree, .diags = diags };
        AshHandlerContext c = { .tree = tree, .diags = diags, .arch = ASH_S("x86_64"), .time = 1700000000 };
        AshHandler rows[32] = {};
        size_t n_rows = 0;
        bool timings = false, owners = false;
        int r = 0;
        t.origin = ash_tree_add_origin(tree, ASH_ORIGIN_PACKAGE, ASH_S("test-1-1.noarch"));
        for (int i = 1; r >= 0 && i < argc; i++) {
                const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : "";
                uint64_t number;
                const AshHandler *h;
                if (!strcmp(a, "--timings"))
                        timings = true;
                else if (!strcmp(a, "--all"))
                        t.all = true;
                else if (!strcmp(a, "owners"))
                        owners = true;
                else if (a[0] != '-') {
                        h = ash_handler_find(ash_slice_str(a));
                        if (!h || n_rows + 1 == ASH_N(rows))
                                return fprintf(stderr, "no handler '%s'\n", a), 2;
                        rows[n_rows++] = *h;
                } else if (i++, !strcmp(a, "--dir"))
                        r = load_dir(&t, v, 0);
                else if (!strcmp(a, "--store"))
                        r = ash_store_open(v, &store, diags), t.store = c.store = store;
                else if (!strcmp(a, "--rpm"))
                        r = load_rpm(&t, v);
                else if (!strcmp(a, "--rpm-dependency")) { /* nobody asked for it */
                        r = load_rpm(&t, v);
                        t.packages.items[t.packages.n - 1].user = false;
                } else if (!strcmp(a, "--project"))
                        r = ash_config_load(v, 0, &config, diags);
                else if (!strcmp(a, "--image"))
                        r = ash_config_image(config, ash_slice_str(v), &c.image, diags);
                else if (!strcmp(a, "--lock"))
                        r = ash_lock_read(v, &lock, diags), c.lock = lock;
                else if (!strcmp(a, "--time"))
                        r = ash_slice_to_u64(ash_slice_str(v), 10, &number), c.time = (int64_t) number;
                else if (!strcmp(a, "--arch"))
                        c.arch = ash_slice_str(v);
                else if (!strcmp(a, "--drop"))
                        ash_tree_remove(tree, ash_tree_lookup(tree, ash_slice_str(v), false));
                else if (!strcmp(a, "--out"))
                        t.out = v;
                else
                        return fprintf(stderr, "what is %s?\n", a), 2;
        }
        if (t.packages.n)
                qsort(t.packages.items, t.packages.n, sizeof *t.packages.items, cmp_packages);
        c.packages = t.packages.items;
        c.n_packages = t.packages.n;
        for (size_t i = 0; r >= 0 && i < n_rows; i++) {
                AshHandler one[2] = { rows[i], {} };
                uint64_t start = ash_now_ns();
                r = ash_handlers_run(one, &c, NULL);
                if (timings)
                        fprintf(stderr, "%s: %.2f ms\n", rows[i].name, (double) (ash_now_ns() - start) / 1e6);
        }
        if (r >= 0 && owners)
                r = ash_compose_owners(tree, NULL, diags);
        if (r >= 0)
                r = ash_tree_walk(tree, 0, show, &t);
        r = finish(&t, r);
        ash_array_foreach(&t.packages, p)
                ash_pack_free((AshPack *) p->pack);
        ash_array_done(&t.packages);
        return r;
}
