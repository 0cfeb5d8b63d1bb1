/* Buildroots: packages composed to a tree, and the tree written once as a directory of the store, which builds use as the lower layer of an overlay. */
#include <stdio.h>
#include <sys/file.h>
#include "build-private.h"

#define PLACE ASH_STORE_BUILDROOTS
#define ROOT_VERSION 2               /* counts up when the same packages give another directory */
#define KEEP_S (14 * 24 * 3600)      /* a root that nobody used for so long is removed when another is made */
#define SMALL (256 << 10)            /* larger files are copied within the kernel, which may share their blocks */

struct AshBuildRoot {
        ASH_ARRAY(char *) paths;     /* upper ones first */
        ASH_ARRAY(AshLockFile *) locks;
        const char **layers;
};

void ash_build_root_free(AshBuildRoot *r) {
        if (!r)
                return;
        ash_array_foreach(&r->paths, p)
                free(*p);
        ash_array_foreach(&r->locks, l)
                ash_lock_free(*l);
        ash_array_done(&r->paths);
        ash_array_done(&r->locks);
        free(r->layers);
        free(r);
}

const char *const *ash_build_root_layers(const AshBuildRoot *r) { return r->layers; }

/* ---- keys ---- */
static int by_id(const void *a, const void *b) { return memcmp(a, b, sizeof(AshId)); }

/* Those that stand over others, behind all of them; ids: room for it. */
static void add_over(const AshBuildRootInput *in, AshId *ids, AshStr *text) {
        size_t n = 0;
        for (size_t i = 0; in->over && i < in->n_packages; i++)
                if (in->over[i])
                        ids[n++] = in->packages[i];
        qsort(ids, n, sizeof *ids, by_id);
        ash_str_append(text, ash_slice((const char *) ids, n * sizeof *ids));
}

AshId ash_build_root_key(const AshBuildRootInput *in) {
        _str_ AshStr text = {};
        _free_ AshId *ids = ash_calloc(in->n_packages + 1, sizeof *ids);
        ash_str_appendf(&text, "buildroot %d %s %.*s\n", ROOT_VERSION, ASHLAR_VERSION, ASH_F(in->arch));
        for (const AshHandler *h = in->handlers; h && h->name; h++)
                ash_str_appendf(&text, "%s %u\n", h->name, h->version);
        if (in->identity)
                ash_str_appendf(&text, "%.*s\n%.*s\n%.*s\n%.*s\n", ASH_F(in->identity->id.s), ASH_F(in->identity->name.s), ASH_F(in->identity->version_id.s), ASH_F(in->identity->vendor_name.s));
        if (in->n_packages)
                memcpy(ids, in->packages, in->n_packages * sizeof *ids);
        qsort(ids, in->n_packages, sizeof *ids, by_id);
        ash_str_append(&text, ash_slice((const char *) ids, in->n_packages * sizeof *ids));
        add_over(in, ids, &text);
        return ash_id_of(ash_str_slice(&text));
}

/* Of what a root keeps of its own over another one. */
static AshId key_over(AshId key, AshId base) {
        AshId both[2] = { key, base };
        return ash_id_of(ash_slice((const char *) both, sizeof both));
}

/* ---- composing ---- */
typedef struct Composed {
        AshPack **packs;
        AshComposePackage *packages;
        size_t n;
        AshTree *tree;
} Composed;

static void composed_done(Composed *c) {
        ash_tree_free(c->tree);
        for (size_t i = 0; c->packs && i < c->n; i++)
                ash_pack_free(c->packs[i]);
        free(c->packs);
        free(c->packages);
}

/* Whoever builds, and nothing else: a buildroot has no services, no kernel, no documentation of its own. */
static AshImageUser builder[] = { { .name = { ASH_S("mockbuild"), {} }, .comment = { ASH_S("builds packages"), {} }, .home = { ASH_S("/builddir"), {} }, .shell = { ASH_S("/bin/bash"), {} },
                                    .primary_group = { ASH_S("mockbuild"), {} }, .uid = { true, ASH_BUILD_UID, {} } } };
static AshImageGroup builders[] = { { .name = { ASH_S("mockbuild"), {} }, .gid = { true, ASH_BUILD_UID, {} } } };
static AshImageFile hosts[] = { { .path = { ASH_S("/etc/hosts"), {} }, .content = { ASH_S("127.0.0.1 localhost\n::1 localhost\n"), {} }, .mode = { ASH_S("0644"), {} } } };
static AshText english[] = { { ASH_S("en"), {} } };
static const AshImage root_image = {
        .name = { ASH_S("buildroot"), {} }, .kind = { ASH_S("container"), {} }, .languages = { english, ASH_N(english) }, .users = { builder, ASH_N(builder) }, .groups = { builders, ASH_N(builders) },
        .files = { hosts, ASH_N(hosts) },
};

/* The youngest file of all packages: a function of them alone. */
static int64_t youngest(const Composed *c) {
        int64_t time = 0;
        for (size_t i = 0; i < c->n; i++)
                for (size_t k = 0; k < ash_pack_count(c->packs[i]); k++) {
                        AshPackEntry e;
                        ash_pack_entry(c->packs[i], k, &e);
                        time = ASH_MAX(time, (int64_t) e.mtime);
                }
        return time;
}

static int compose(const AshBuildRootInput *in, Composed *c, AshDiags *diags) {
        c->n = in->n_packages;
        c->packs = ash_calloc(c->n + 1, sizeof *c->packs);
        c->packages = ash_calloc(c->n + 1, sizeof *c->packages);
        int r = ash_store_expand_all(in->store, in->packages, c->n, in->threads, c->packs, in->progress, diags);
        if (r == -ENOENT)
                return ash_fail(diags, r, ASH_NOWHERE, "a package of the buildroot is not in the store any more");
        for (size_t i = 0; r >= 0 && i < c->n; i++)
                c->packages[i] = (AshComposePackage){ .pack = c->packs[i], .nevra = ash_pack_nevra(c->packs[i]), .user = true, .over = in->over && in->over[i] };
        if (r < 0)
                return r;
        AshComposeInput input = { .packages = c->packages, .n_packages = c->n, .image = &root_image, .identity = in->identity, .handlers = in->handlers, .scriptlets = in->scriptlets, .scriptlets_context = (void *) in->handlers,
                                  .store = in->store, .arch = in->arch, .time = youngest(c) };
        ash_progress_begin(in->progress, "composing the buildroot", 0, ASH_UNIT_ITEMS);
        r = ash_compose(&input, &c->tree, diags);
        ash_progress_end(in->progress);
        if (r < 0)
                ash_note(diags, ASH_NOWHERE, "in the buildroot");
        return r;
}

/* ---- what differs from the base ---- */
typedef struct Writer {
        const AshTree *t, *base;     /* base NULL: everything is written */
        int root;
        uint32_t owner;
        AshSlice *first;             /* by node with content: where it was written */
        AshArena *arena;
        AshStr path;
        AshId sum;                   /* of what was written */
        uint64_t bytes;
        char problem[256];
} Writer;

static const AshTreeNode *body_of(const AshTree *t, AshNode n) {
        const AshTreeNode *node = ash_tree_node(t, n);
        return node->hardlink == ASH_NO_NODE ? node : ash_tree_node(t, node->hardlink);
}

/* As they are written: owners and set-id bits do not count. */
static bool same_node(const AshTree *a, AshNode x, const AshTree *b, AshNode y) {
        const AshTreeNode *p = body_of(a, x), *q = body_of(b, y);
        if (((p->mode ^ q->mode) & (S_IFMT | 0777)) || p->mtime != q->mtime)
                return false;
        if (S_ISLNK(p->mode))
                return ash_slice_eq(p->link, q->link);
        return !S_ISREG(p->mode) || (p->content.length == q->content.length && (!p->content.length || !memcmp(p->content.sha256, q->content.sha256, 32)));
}

/* Is every name of a directory of the base there, and of the same kind? Only then can the base lie below. */
static bool covers(const AshTree *t, AshNode dir, const AshTree *base, AshNode base_dir) {
        const AshTreeNode *d = ash_tree_node(base, base_dir);
        for (uint32_t i = 0; i < d->n_children; i++) {
                AshNode was = d->children[i], n = ash_tree_child(t, dir, ash_tree_node(base, was)->name);
                if (n == ASH_NO_NODE || S_ISDIR(ash_tree_node(t, n)->mode) != S_ISDIR(ash_tree_node(base, was)->mode))
                        return false;
                if (S_ISDIR(ash_tree_node(t, n)->mode) && !covers(t, n, base, was))
                        return false;
        }
        return true;
}

/* ---- writing ---- */
static int at_fault(Writer *w, int r) {
        if (!w->problem[0])
                snprintf(w->problem, sizeof w->problem, "/%.200s: %s", w->path.ptr ? w->path.ptr : "", ash_strerror(r));
        return r;
}

static int set_time(int dirfd, const char *name, int64_t mtime) {
        struct timespec times[2] = { { .tv_sec = mtime }, { .tv_sec = mtime } };
        return utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* What store verify will look at. */
static void note(Writer *w, const AshTreeNode *node) {
        const uint8_t *digest = S_ISREG(node->mode) && node->content.length ? node->content.sha256 : NULL;
        ash_store_tree_add(&w->sum, &(AshStoreTreeNode){ ash_str_slice(&w->path), S_ISLNK(node->mode) ? node->link : ASH_NOSLICE, S_ISDIR(node->mode) ? node->mode | 0700 : node->mode, node->mtime, digest });
}

static int own(const Writer *w, int dirfd, const char *name) { return w->owner != geteuid() && fchownat(dirfd, name, w->owner, w->owner, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0; }

static int copy_from_pack(const AshTree *t, const AshContent *c, int fd) {
        const AshPack *pack = t->sources.items[c->source].pack;
        loff_t from = (loff_t) c->offset;
        uint64_t left = c->length;
        while (left) {
                ssize_t k = pack ? copy_file_range(ash_pack_fd(pack), &from, fd, NULL, left, 0) : -1;
                if (k <= 0)
                        return left == c->length ? -EOPNOTSUPP : -EIO; /* the first refusal: other ways are left */
                left -= (uint64_t) k;
        }
        return 0;
}

static int write_content(const AshTree *t, AshNode n, int fd) {
        const AshContent *c = &body_of(t, n)->content;
        int r = c->kind == ASH_CONTENT_PACK && c->length > SMALL ? copy_from_pack(t, c, fd) : -EOPNOTSUPP;
        if (r != -EOPNOTSUPP)
                return r;
        AshSlice bytes = ash_compose_bytes(t, n);
        r = bytes.len != c->length ? -EIO : ash_write_all(fd, bytes.ptr, bytes.len);
        ash_file_unload(bytes.len > SMALL && c->kind == ASH_CONTENT_PACK ? bytes : ASH_NOSLICE);
        return r;
}

static int write_file(Writer *w, int dirfd, const char *name, AshNode n) {
        const AshTreeNode *node = body_of(w->t, n);
        AshNode body = (AshNode) (node - w->t->nodes.items);
        struct stat st;
        note(w, node);
        if (w->first[body].ptr)
                return linkat(w->root, w->first[body].ptr, dirfd, name, 0) < 0 ? -errno : 0;
        _close_ int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        int r = write_content(w->t, n, fd);
        if (r >= 0 && (fchmod(fd, node->mode & 0777) < 0 || (w->owner != geteuid() && fchown(fd, w->owner, w->owner) < 0)))
                r = -errno;
        struct timespec times[2] = { { .tv_sec = node->mtime }, { .tv_sec = node->mtime } };
        if (r >= 0 && futimens(fd, times) < 0)
                r = -errno;
        if (r >= 0 && fstat(fd, &st) == 0)
                w->bytes += (uint64_t) st.st_blocks * 512;
        w->first[body] = ash_arena_slice(w->arena, ash_str_slice(&w->path));
        return r;
}

static int write_below(Writer *w, int dirfd, AshNode dir, AshNode base_dir);

static int write_dir(Writer *w, int dirfd, const char *name, AshNode n, AshNode base) {
        const AshTreeNode *node = ash_tree_node(w->t, n);
        if (mkdirat(dirfd, name, 0700) < 0)
                return -errno;
        note(w, node);
        _close_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r = fd < 0 ? -errno : write_below(w, fd, n, base);
        if (r >= 0 && fchmod(fd, (node->mode & 01777) | 0700) < 0) /* whoever made it can remove it */
                r = -errno;
        if (r >= 0)
                r = own(w, dirfd, name);
        return r < 0 ? r : set_time(dirfd, name, node->mtime);
}

static int write_node(Writer *w, int dirfd, AshNode n, AshNode base) {
        const AshTreeNode *node = ash_tree_node(w->t, n);
        _free_ char *name = ash_slice_dup(node->name);
        if (S_ISDIR(node->mode))
                return write_dir(w, dirfd, name, n, base);
        if (S_ISREG(node->mode))
                return write_file(w, dirfd, name, n);
        if (S_ISLNK(node->mode)) {
                _free_ char *target = ash_slice_dup(node->link);
                note(w, node);
                int r = symlinkat(target, dirfd, name) < 0 ? -errno : own(w, dirfd, name);
                return r < 0 ? r : set_time(dirfd, name, node->mtime);
        }
        return 0; /* devices and the like: the sandbox has its own */
}

/* Does anything below differ? */
static bool differs(const Writer *w, AshNode dir, AshNode base_dir) {
        const AshTreeNode *d = ash_tree_node(w->t, dir);
        for (uint32_t i = 0; i < d->n_children; i++) {
                AshNode n = d->children[i], was = ash_tree_child(w->base, base_dir, ash_tree_node(w->t, n)->name);
                if (was == ASH_NO_NODE || !same_node(w->t, n, w->base, was) || (S_ISDIR(ash_tree_node(w->t, n)->mode) && differs(w, n, was)))
                        return true;
        }
        return false;
}

static int write_below(Writer *w, int dirfd, AshNode dir, AshNode base_dir) {
        size_t len = w->path.len;
        int r = 0;
        for (uint32_t i = 0; r >= 0 && i < ash_tree_node(w->t, dir)->n_children; i++) {
                AshNode n = ash_tree_node(w->t, dir)->children[i];
                AshNode was = base_dir == ASH_NO_NODE ? ASH_NO_NODE : ash_tree_child(w->base, base_dir, ash_tree_node(w->t, n)->name);
                bool is_dir = S_ISDIR(ash_tree_node(w->t, n)->mode);
                if (was != ASH_NO_NODE && same_node(w->t, n, w->base, was) && !(is_dir && differs(w, n, was)))
                        continue;
                if (len)
                        ash_str_append_char(&w->path, '/');
                ash_str_append(&w->path, ash_tree_node(w->t, n)->name);
                r = write_node(w, dirfd, n, is_dir ? was : ASH_NO_NODE);
                if (r < 0)
                        at_fault(w, r);
                w->path.len = len;
        }
        return r;
}

static int write_tree(const AshTree *t, const AshTree *base, int dirfd, uint32_t owner, AshBuildroot *ret, AshDiags *diags) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _free_ AshSlice *first = ash_calloc(t->nodes.n + 1, sizeof *first);
        Writer w = { .t = t, .base = base, .root = dirfd, .owner = owner, .first = first, .arena = arena };
        int r = write_below(&w, dirfd, 0, base ? 0 : ASH_NO_NODE);
        ash_str_done(&w.path);
        *ret = (AshBuildroot){ .over = base != NULL, .bytes = w.bytes, .sum = w.sum };
        if (r >= 0 && (fchmod(dirfd, 0755) < 0 || (owner != geteuid() && fchown(dirfd, owner, owner) < 0)))
                r = -errno;
        return r < 0 ? ash_fail(diags, r, ASH_NOWHERE, "cannot write the buildroot: %s", w.problem[0] ? w.problem : ash_strerror(r)) : 0;
}

/* ---- the place in the store (store.h) ----
 * After a crash of the machine what was written shortly before may be gone: then it is made again. */
static void boot_id(char ret[static 64]) {
        _bytes_ AshBytes b = {};
        ret[0] = 0;
        if (ash_file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 63, &b) >= 0)
                snprintf(ret, 64, "%.*s", ASH_F(ash_slice_trim(ash_bytes_slice(&b))));
}

typedef struct Place {
        const AshBuildRootInput *in;
        char key[ASH_ID_HEX], dir[80], lock[88];
        bool over;
} Place;

static Place place_of(const AshBuildRootInput *in, AshId key) {
        Place p = { .in = in };
        ash_id_hex(&key, p.key);
        snprintf(p.dir, sizeof p.dir, PLACE "/%s", p.key);
        snprintf(p.lock, sizeof p.lock, PLACE "/%s.lock", p.key);
        return p;
}

static bool is_complete(Place *p) {
        AshBuildroot known;
        char boot[64];
        boot_id(boot);
        if (ash_store_buildroot_read(p->in->store, p->key, &known) < 0 || strcmp(known.boot, boot) != 0)
                return false;
        p->over = known.over;
        ash_store_buildroot_touch(p->in->store, p->key);
        return faccessat(ash_store_fd(p->in->store), p->dir, F_OK, 0) == 0;
}

static int write_place(Place *p, const AshTree *t, const AshTree *base, AshDiags *diags) {
        AshStore *store = p->in->store;
        AshBuildroot made = {};
        int fd = ash_store_fd(store);
        (void) ash_store_buildroot_forget(store, p->key);
        if (mkdirat(fd, p->dir, 0755) < 0)
                return ash_fail(diags, -errno, ASH_NOWHERE, "cannot make the buildroot %s/%s: %s", ash_store_path(store), p->dir, ash_strerror(-errno));
        _close_ int root = openat(fd, p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ash_progress_begin(p->in->progress, "writing the buildroot", 0, ASH_UNIT_ITEMS);
        int r = root < 0 ? -errno : write_tree(t, base, root, ash_sandbox_owner(), &made, diags);
        ash_progress_end(p->in->progress);
        if (r < 0)
                return r;
        boot_id(made.boot);
        p->over = made.over;
        return ash_store_buildroot_write(store, p->key, &made);
}

static int make_place(Place *p, const AshBuildRootInput *base_in, AshDiags *diags) {
        _cleanup_(composed_done) Composed own_tree = {}, base = {};
        int r = compose(p->in, &own_tree, diags);
        if (r >= 0 && base_in)
                r = compose(base_in, &base, diags);
        if (r < 0)
                return r;
        ash_store_trim_buildroots(p->in->store, p->in->keep, KEEP_S); /* before: where the disk is full there is room then */
        r = write_place(p, own_tree.tree, base.tree && covers(own_tree.tree, 0, base.tree, 0) ? base.tree : NULL, diags);
        if (r >= 0)
                ash_store_trim_buildroots(p->in->store, p->in->keep, KEEP_S); /* we hold this one */
        return r;
}

/* The layer of a key, made when it is not there; locked so that nobody removes it. ret_over: the base has to lie below it. */
static int hold(AshBuildRoot *root, const AshBuildRootInput *in, const AshBuildRootInput *base, bool *ret_over, AshDiags *diags) {
        AshId key = ash_build_root_key(in);
        Place p = place_of(in, base ? key_over(key, ash_build_root_key(base)) : key);
        int fd = ash_store_fd(in->store), r = ash_mkdir_all(fd, PLACE, 0700);
        AshLockFile *lock = NULL;
        for (unsigned round = 0; r >= 0; round++) {
                r = ash_lock_acquire(fd, p.lock, round & 1, -1, &lock); /* shared to use it; alone to make it */
                if (r < 0)
                        break;
                bool there = is_complete(&p);
                if (there && !(round & 1))
                        break;
                if (round > 8) /* removed again and again */
                        r = -EAGAIN;
                if (r >= 0 && !there && round & 1)
                        r = make_place(&p, base, diags);
                ash_lock_free(ASH_TAKE(lock));
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "cannot make the buildroot %s/%s: %s", ash_store_path(in->store), p.dir, ash_strerror(r));
        ash_array_push(&root->locks, lock);
        ash_array_push(&root->paths, ash_asprintf("%s/%s", ash_store_path(in->store), p.dir));
        *ret_over = p.over;
        return 0;
}

int ash_build_root_open(const AshBuildRootInput *in, const AshBuildRootInput *base, AshBuildRoot **ret, AshDiags *diags) {
        _cleanup_(ash_build_root_free_p) AshBuildRoot *root = ash_calloc(1, sizeof *root);
        bool over = false, none;
        if (base) {
                AshId a = ash_build_root_key(in), b = ash_build_root_key(base);
                if (ash_id_eq(&a, &b))
                        base = NULL;
        }
        int r = hold(root, in, base, &over, diags);
        if (r >= 0 && base && over)
                r = hold(root, base, NULL, &none, diags);
        if (r < 0)
                return r;
        root->layers = ash_calloc(root->paths.n + 1, sizeof *root->layers);
        for (size_t i = 0; i < root->paths.n; i++)
                root->layers[i] = root->paths.items[i];
        *ret = ASH_TAKE(root);
        return 0;
}
