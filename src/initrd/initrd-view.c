/* A directory as a tree: of a running system, or of one that lies below it. Only what an initrd may take from is read, and contents are mapped when there are any. */
#include <sys/mman.h>
#include "initrd.h"

typedef struct Mapping {
        void *ptr;
        size_t len;
} Mapping;
struct AshInitrdView {
        AshTree *tree;
        uint32_t origin;
        int root;
        ASH_ARRAY(Mapping) maps;
};

static const struct { const char *dir; unsigned depth; } places[] = {
        { ".", 0 }, { "etc", 0 }, { "etc/ld.so.conf.d", 0 }, { "etc/modprobe.d", 0 }, { "usr", 0 }, { "usr/bin", 0 }, { "usr/sbin", 0 }, { "usr/lib", 0 }, { "usr/lib64", 2 }, { "usr/lib/systemd", 3 },
        { "usr/lib/udev", 1 }, { "usr/lib/modprobe.d", 0 }, { "usr/lib/x86_64-linux-gnu", 2 }, { "usr/lib/aarch64-linux-gnu", 2 }, { "usr/lib/riscv64-linux-gnu", 2 }, { "boot", 0 },
};

void ash_initrd_view_free(AshInitrdView *v) {
        if (!v)
                return;
        ash_array_foreach(&v->maps, m)
                munmap(m->ptr, m->len);
        ash_array_done(&v->maps);
        ash_tree_free(v->tree);
        free(v);
}

const AshTree *ash_initrd_view_tree(const AshInitrdView *v) { return v->tree; }

/* What cannot be read is not there: the plan says so when it matters. */
static void map_content(AshInitrdView *v, int dirfd, const char *name, uint64_t size, AshContent *ret) {
        _close_ int fd = size ? openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
        void *ptr = fd < 0 ? MAP_FAILED : mmap(NULL, (size_t) size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (ptr == MAP_FAILED)
                return;
        ash_array_push(&v->maps, ((Mapping){ ptr, (size_t) size }));
        *ret = (AshContent){ .kind = ASH_CONTENT_INLINE, .data = ptr, .length = size };
}

static void add_entry(AshInitrdView *v, AshNode dir, int dirfd, const char *name, AshNode *ret) {
        struct stat st;
        char target[4096];
        AshNode n;
        *ret = ASH_NO_NODE;
        if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode)))
                return;
        if (ash_tree_add(v->tree, dir, ash_slice_str(name), st.st_mode, v->origin, &n) < 0)
                n = ash_tree_child(v->tree, dir, ash_slice_str(name));
        AshTreeNode *node = ash_tree_node(v->tree, n);
        node->mtime = st.st_mtime;
        if (S_ISLNK(st.st_mode)) {
                ssize_t len = readlinkat(dirfd, name, target, sizeof target);
                node->link = ash_arena_slice(v->tree->arena, ash_slice(target, len < 0 ? 0 : (size_t) len));
        } else if (S_ISREG(st.st_mode) && node->content.kind == ASH_CONTENT_NONE)
                map_content(v, dirfd, name, (uint64_t) st.st_size, &node->content);
        *ret = n;
}

static void read_dir(AshInitrdView *v, AshNode dir, int parent, const char *name, unsigned depth) {
        _close_ int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        _dirlist_ AshDirList list = {};
        if (fd < 0 || ash_dir_list(fd, ".", &list) < 0)
                return;
        ash_array_foreach(&list.entries, e) {
                AshNode n;
                add_entry(v, dir, fd, e->name, &n);
                if (n != ASH_NO_NODE && depth && S_ISDIR(ash_tree_node(v->tree, n)->mode))
                        read_dir(v, n, fd, e->name, depth - 1);
        }
}

static void read_place(AshInitrdView *v, const char *path, unsigned depth) {
        AshNode dir;
        struct stat st;
        if (fstatat(v->root, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode) || ash_tree_make_dirs(v->tree, ash_slice_str(path), v->origin, &dir) < 0)
                return;
        read_dir(v, dir, v->root, path, depth);
}

int ash_initrd_view_open(const char *root, const char *kernel, AshInitrdView **ret, AshDiags *diags) {
        _cleanup_(ash_initrd_view_free_p) AshInitrdView *v = ash_calloc(1, sizeof *v);
        _close_ int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return ash_fail_file(diags, -errno, root, "cannot be opened: %s", ash_strerror(-errno));
        v->tree = ash_tree_new();
        v->origin = ash_tree_add_origin(v->tree, ASH_ORIGIN_IMPLIED, ASH_S("host"));
        v->root = fd;
        for (size_t i = 0; i < ASH_N(places); i++)
                read_place(v, places[i].dir, places[i].depth);
        if (kernel) {
                _free_ char *modules = ash_asprintf("usr/lib/modules/%s", kernel);
                read_place(v, modules, 16);
        }
        v->root = -1;
        *ret = ASH_TAKE(v);
        return 0;
}
