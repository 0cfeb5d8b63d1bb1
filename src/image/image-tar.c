/* tar (POSIX.1-2001, "pax Interchange Format") and cpio (newc, the kernel's Documentation/driver-api/early-userspace/buffer-format.rst). */
#include <sys/sysmacros.h>
#include "image.h"

enum { BLOCK = 512, ID_MAX = 07777777 };
static const uint64_t size_max = 077777777777ULL;

typedef struct Ustar {
        char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], pad[12];
} Ustar;
_Static_assert(sizeof(Ustar) == BLOCK, "ustar header");

static void octal(char *field, size_t n, uint64_t value) {
        char text[32];
        snprintf(text, sizeof text, "%0*llo", (int) n - 1, (unsigned long long) value);
        memcpy(field, text, n);
}

typedef struct Member {
        AshSlice name, link;
        uint32_t mode, uid, gid, rdev;
        uint64_t size;
        int64_t mtime;
        char type;
} Member;

/* The name as a whole, or cut at a slash into prefix and name. */
static bool fit_name(Ustar *h, AshSlice name) {
        if (name.len <= sizeof h->name) {
                memcpy(h->name, name.ptr, name.len);
                return true;
        }
        for (size_t i = ASH_MIN(name.len - 1, sizeof h->prefix); i > 0; i--)
                if (name.ptr[i] == '/' && name.len - i - 1 <= sizeof h->name && name.len > i + 1) {
                        memcpy(h->prefix, name.ptr, i);
                        memcpy(h->name, name.ptr + i + 1, name.len - i - 1);
                        return true;
                }
        memcpy(h->name, name.ptr, sizeof h->name);
        return false;
}

static void emit_header(AshLayout *l, const Member *m) {
        Ustar *h = ash_arena_new_item(l->arena, Ustar);
        unsigned sum = 0;
        fit_name(h, m->name);
        octal(h->mode, sizeof h->mode, m->mode & 07777);
        octal(h->uid, sizeof h->uid, m->uid <= ID_MAX ? m->uid : 0);
        octal(h->gid, sizeof h->gid, m->gid <= ID_MAX ? m->gid : 0);
        octal(h->size, sizeof h->size, m->size <= size_max ? m->size : 0);
        octal(h->mtime, sizeof h->mtime, m->mtime >= 0 && (uint64_t) m->mtime <= size_max ? (uint64_t) m->mtime : 0);
        h->type = m->type;
        memcpy(h->link, m->link.ptr ? m->link.ptr : "", ASH_MIN(m->link.len, sizeof h->link));
        memcpy(h->magic, "ustar", 6);
        memcpy(h->version, "00", 2);
        if (m->type == '3' || m->type == '4') {
                octal(h->major, sizeof h->major, major(m->rdev));
                octal(h->minor, sizeof h->minor, minor(m->rdev));
        }
        memset(h->checksum, ' ', sizeof h->checksum);
        for (size_t i = 0; i < BLOCK; i++)
                sum += ((const unsigned char *) h)[i];
        snprintf(h->checksum, sizeof h->checksum, "%06o", sum);
        ash_layout_add(l, ash_slice((const char *) h, BLOCK));
}

static void pad(AshLayout *l, uint64_t size, uint64_t to) { ash_layout_zeros(l, ash_align_up(size, to) - size); }

/* "LEN key=value\n", where LEN counts itself. */
static void pax_record(AshStr *out, AshSlice key, AshSlice value) {
        size_t rest = key.len + value.len + 3, len = rest + 1;
        for (size_t before = 0; before != len;) {
                char digits[24];
                before = len;
                len = rest + (size_t) snprintf(digits, sizeof digits, "%zu", len);
        }
        ash_str_appendf(out, "%zu %.*s=", len, ASH_F(key));
        ash_str_append(out, value);
        ash_str_append_char(out, '\n');
}

static void pax_number(AshStr *out, const char *key, int64_t value) {
        char text[32];
        snprintf(text, sizeof text, "%lld", (long long) value);
        pax_record(out, ash_slice_str(key), ash_slice_str(text));
}

static void emit(AshLayout *l, const Member *m, const AshXattr *xattrs, uint32_t n_xattrs) {
        _str_ AshStr pax = {};
        Ustar probe;
        ash_layout_mark(l, m->name);
        if (!fit_name(&probe, m->name))
                pax_record(&pax, ASH_S("path"), m->name);
        if (m->link.len > sizeof probe.link)
                pax_record(&pax, ASH_S("linkpath"), m->link);
        if (m->size > size_max)
                pax_number(&pax, "size", (int64_t) m->size);
        if (m->uid > ID_MAX)
                pax_number(&pax, "uid", m->uid);
        if (m->gid > ID_MAX)
                pax_number(&pax, "gid", m->gid);
        if (m->mtime < 0 || (uint64_t) m->mtime > size_max)
                pax_number(&pax, "mtime", m->mtime);
        for (uint32_t i = 0; i < n_xattrs; i++) {
                _free_ char *key = ash_asprintf("SCHILY.xattr.%.*s", ASH_F(xattrs[i].name));
                pax_record(&pax, ash_slice_str(key), xattrs[i].value);
        }
        if (pax.len) {
                Member x = { .name = ASH_S("PaxHeaders/x"), .mode = 0644, .size = pax.len, .type = 'x', .mtime = ASH_MAX(m->mtime, (int64_t) 0) };
                emit_header(l, &x);
                ash_layout_copy(l, ash_str_slice(&pax));
                pad(l, pax.len, BLOCK);
        }
        emit_header(l, m);
}

/* ---- a tree ---- */
typedef struct Emitter {
        AshLayout *l;
        const AshTree *t;
        AshStr path;
        AshSlice *first;             /* by node that has the content: the name that came first */
        const bool *wanted;          /* by node; NULL: all */
        const bool *plain;           /* directories that have the time of the layer */
        int64_t time;
        uint32_t ino;
        uint32_t *inos, *nlinks;     /* cpio: by node that has the content */
        AshDiags *diags;
} Emitter;

static char tar_type(uint32_t mode) {
        switch (mode & S_IFMT) {
        case S_IFREG: return '0';
        case S_IFDIR: return '5';
        case S_IFLNK: return '2';
        case S_IFCHR: return '3';
        case S_IFBLK: return '4';
        case S_IFIFO: return '6';
        default: return 0;
        }
}

static int tar_node(Emitter *e, AshNode n, AshSlice name) {
        const AshTreeNode *node = ash_tree_node(e->t, n);
        Member m = { .name = name, .mode = node->mode, .uid = node->uid, .gid = node->gid, .rdev = node->rdev, .mtime = node->mtime, .type = tar_type(node->mode) };
        if (!m.type || (e->wanted && !e->wanted[n]))
                return 0;
        if (e->plain && e->plain[n])
                m.mtime = e->time;
        if (S_ISLNK(node->mode))
                m.link = node->link;
        if (!S_ISREG(node->mode)) {
                emit(e->l, &m, node->xattrs, node->n_xattrs);
                return 0;
        }
        AshNode body = node->hardlink == ASH_NO_NODE ? n : node->hardlink;
        if (e->first[body].ptr) {
                m.type = '1';
                m.link = e->first[body];
                emit(e->l, &m, NULL, 0);
                return 0;
        }
        e->first[body] = ash_arena_slice(e->l->arena, name);
        m.size = ash_tree_node(e->t, body)->content.length;
        emit(e->l, &m, node->xattrs, node->n_xattrs);
        if (ash_layout_content(e->l, e->t, n) < 0)
                return ash_fail(e->diags, -EIO, ASH_NOWHERE, "the content of %.*s is not at hand", ASH_F(name));
        pad(e->l, m.size, BLOCK);
        return 0;
}

static int walk(Emitter *e, AshNode n, int (*fn)(Emitter *e, AshNode n, AshSlice name)) {
        const AshTreeNode *node = ash_tree_node(e->t, n);
        size_t len = e->path.len;
        int r = 0;
        for (uint32_t i = 0; r >= 0 && i < node->n_children; i++) {
                const AshTreeNode *child = ash_tree_node(e->t, node->children[i]);
                ash_str_append(&e->path, child->name);
                bool dir = S_ISDIR(child->mode);
                if (dir)
                        ash_str_append_char(&e->path, '/');
                r = fn(e, node->children[i], ash_str_slice(&e->path));
                if (r >= 0 && dir)
                        r = walk(e, node->children[i], fn);
                e->path.len = len;
        }
        return r;
}

int ash_layout_tar(AshLayout *l, const AshTree *t, bool skip_root, AshDiags *diags) {
        _free_ AshSlice *first = ash_calloc(t->nodes.n, sizeof *first);
        Emitter e = { .l = l, .t = t, .first = first, .diags = diags };
        int r = skip_root ? 0 : tar_node(&e, 0, ASH_S("./"));
        if (r >= 0)
                r = walk(&e, 0, tar_node);
        ash_str_done(&e.path);
        if (r >= 0)
                ash_layout_tar_end(l);
        return r;
}

/* A name of a file is where the file is. */
static uint32_t layer_of(const AshTree *t, const uint32_t *layers, AshNode n) {
        AshNode body = ash_tree_node(t, n)->hardlink == ASH_NO_NODE ? n : ash_tree_node(t, n)->hardlink;
        return layers[ash_tree_node(t, body)->origin];
}

int ash_layout_tar_layer(AshLayout *l, const AshTree *t, const uint32_t *layers, uint32_t layer, bool last, int64_t time, AshDiags *diags) {
        _free_ AshSlice *first = ash_calloc(t->nodes.n, sizeof *first);
        _free_ bool *wanted = ash_calloc(t->nodes.n, sizeof *wanted), *plain = ash_calloc(t->nodes.n, sizeof *plain);
        for (AshNode i = 1; i < t->nodes.n; i++) {
                const AshTreeNode *n = ash_tree_node(t, i);
                bool dir = S_ISDIR(n->mode);
                plain[i] = dir && !last;
                if (n->flags & ASH_NODE_REMOVED || !(layer_of(t, layers, i) == layer || (last && dir && n->mtime != time)))
                        continue;
                for (AshNode at = i; at && !wanted[at]; at = ash_tree_node(t, at)->parent)
                        wanted[at] = true;
        }
        Emitter e = { .l = l, .t = t, .first = first, .wanted = wanted, .plain = plain, .time = time, .diags = diags };
        int r = walk(&e, 0, tar_node);
        ash_str_done(&e.path);
        if (r >= 0)
                ash_layout_tar_end(l);
        return r;
}

void ash_layout_tar_file(AshLayout *l, const char *name, uint64_t size, int64_t mtime) {
        emit(l, &(Member){ .name = ash_slice_str(name), .mode = 0644, .size = size, .mtime = mtime, .type = '0' }, NULL, 0);
}
void ash_layout_tar_pad(AshLayout *l, uint64_t size) { pad(l, size, BLOCK); }
void ash_layout_tar_end(AshLayout *l) { ash_layout_zeros(l, 2 * BLOCK); }

/* ---- cpio ---- */
static void cpio_header(AshLayout *l, AshSlice name, const AshTreeNode *n, uint32_t ino, uint32_t nlink, uint64_t size) {
        char text[111];
        bool dev = S_ISCHR(n->mode) || S_ISBLK(n->mode);
        snprintf(text, sizeof text, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", ino, n->mode, n->uid, n->gid, nlink, (uint32_t) n->mtime, (uint32_t) size, 0U, 0U,
                 dev ? major(n->rdev) : 0, dev ? minor(n->rdev) : 0, (uint32_t) name.len + 1, 0U);
        ash_layout_copy(l, ash_slice(text, 110));
        ash_layout_copy(l, name);
        ash_layout_zeros(l, ash_align_up(110 + name.len + 1, 4) - 110 - name.len);
}

static int cpio_node(Emitter *e, AshNode n, AshSlice name) {
        const AshTreeNode *node = ash_tree_node(e->t, n);
        AshNode body = node->hardlink == ASH_NO_NODE ? n : node->hardlink;
        if (S_ISDIR(node->mode) && name.len > 1)
                name.len--;
        AshSlice bytes = S_ISLNK(node->mode) ? node->link : ASH_NOSLICE;
        bool again = S_ISREG(node->mode) && e->inos[body];
        uint64_t size = S_ISREG(node->mode) && !again ? ash_tree_node(e->t, body)->content.length : bytes.len;
        if (size > UINT32_MAX)
                return ash_fail(e->diags, -ASH_ERR_LIMIT, ASH_NOWHERE, "%.*s has 4 GiB or more: cpio cannot hold it", ASH_F(name));
        if (!again)
                e->inos[body] = ++e->ino;
        /* The first name carries the bytes: readers keep them for those that follow, which come empty. */
        ash_layout_mark(e->l, name);
        cpio_header(e->l, name, node, e->inos[body], S_ISDIR(node->mode) ? 2 : e->nlinks[body] + 1, size);
        ash_layout_add(e->l, bytes);
        if (S_ISREG(node->mode) && !again && ash_layout_content(e->l, e->t, n) < 0)
                return ash_fail(e->diags, -EIO, ASH_NOWHERE, "the content of %.*s is not at hand", ASH_F(name));
        ash_layout_zeros(e->l, ash_align_up(size, 4) - size);
        return 0;
}

int ash_layout_cpio(AshLayout *l, const AshTree *t, AshDiags *diags) {
        _free_ uint32_t *inos = ash_calloc(t->nodes.n, sizeof *inos), *nlinks = ash_calloc(t->nodes.n, sizeof *nlinks);
        Emitter e = { .l = l, .t = t, .inos = inos, .nlinks = nlinks, .diags = diags };
        AshTreeNode trailer = { .mode = 0 };
        for (size_t i = 0; i < t->nodes.n; i++)
                if (t->nodes.items[i].hardlink != ASH_NO_NODE && !(t->nodes.items[i].flags & ASH_NODE_REMOVED))
                        nlinks[t->nodes.items[i].hardlink]++;
        int r = cpio_node(&e, 0, ASH_S("."));
        if (r >= 0)
                r = walk(&e, 0, cpio_node);
        ash_str_done(&e.path);
        if (r < 0)
                return r;
        cpio_header(l, ASH_S("TRAILER!!!"), &trailer, 0, 1, 0);
        ash_layout_zeros(l, ash_align_up(l->size, BLOCK) - l->size);
        return 0;
}
