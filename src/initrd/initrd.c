#include <sys/stat.h>
#include "image.h"
#include "initrd-private.h"

enum { LINKS_MAX = 40, VERSION = 1 /* counts up when the bytes for the same inputs change */ };

/* ---- the plan: what is taken from the source ---- */
AshNode plan_find(const Plan *p, AshSlice path) { return ash_tree_lookup(p->src, path, true); }

AshSlice plan_bytes(const Plan *p, AshNode n) { return ash_image_bytes(p->src, n); }

static AshSlice copied(AshTree *t, AshSlice s) { return s.len ? ash_arena_slice(t->arena, s) : ASH_S(""); }

/* The same node in the result, below the directory that has been made for it. Everything belongs to root there; times are those of the source. */
static AshNode put_like(Plan *p, AshNode dir, AshNode n) {
        const AshTreeNode *from = ash_tree_node(p->src, n);
        const AshTreeNode *body = from->hardlink == ASH_NO_NODE ? from : ash_tree_node(p->src, from->hardlink);
        AshNode made = ash_tree_child(p->out, dir, from->name);
        if (made != ASH_NO_NODE)
                return made;
        uint32_t mode = S_ISREG(from->mode) ? S_IFREG | (body->mode & 0111 ? 0755 : 0644) : S_ISLNK(from->mode) ? S_IFLNK | 0777 : S_IFDIR | (from->mode & 07777);
        if (ash_tree_add(p->out, dir, from->name, mode, p->copied, &made) < 0)
                return ASH_NO_NODE;
        AshTreeNode *to = ash_tree_node(p->out, made);
        to->mtime = body->mtime;
        to->link = copied(p->out, from->link);
        if (S_ISREG(from->mode))
                to->content = body->content;
        return made;
}

/* One part of a path after the other; a link is taken, and what it leads to comes next. */
static AshNode walk(Plan *p, AshSlice path) {
        AshNode from = 0, to = 0;
        _str_ AshStr left = {};
        ash_str_append(&left, path);
        unsigned links = 0;
        for (AshSlice rest = ash_str_slice(&left), part; ash_slice_split(&rest, '/', &part);) {
                if (!part.len || ash_slice_eqs(part, "."))
                        continue;
                if (ash_slice_eqs(part, "..")) {
                        from = from ? ash_tree_node(p->src, from)->parent : 0;
                        to = to ? ash_tree_node(p->out, to)->parent : 0;
                        continue;
                }
                AshNode next = S_ISDIR(ash_tree_node(p->src, from)->mode) ? ash_tree_child(p->src, from, part) : ASH_NO_NODE;
                if (next == ASH_NO_NODE)
                        return ASH_NO_NODE;
                const AshTreeNode *node = ash_tree_node(p->src, next);
                AshNode made = put_like(p, to, next);
                if (made == ASH_NO_NODE)
                        return ASH_NO_NODE;
                if (!S_ISLNK(node->mode)) {
                        from = next;
                        to = made;
                        continue;
                }
                if (++links > LINKS_MAX)
                        return ASH_NO_NODE;
                AshStr next_path = {};
                ash_str_appendf(&next_path, "%.*s/%.*s", ASH_F(node->link), ASH_F(rest));
                if (ash_slice_starts(node->link, ASH_S("/")))
                        from = to = 0;
                ash_str_done(&left);
                left = next_path;
                rest = ash_str_slice(&left);
        }
        return from;
}

/* Looked up first: a path that leads nowhere must not leave its directories behind. */
AshNode plan_take(Plan *p, AshSlice path) {
        bool fresh;
        AshMapEntry *seen = ash_map_ensure(&p->seen, path, &fresh);
        if (!fresh)
                return (AshNode) ((uintptr_t) seen->value - 1);
        seen->key = ash_arena_slice(p->arena, path);
        AshNode n = plan_find(p, path) == ASH_NO_NODE ? ASH_NO_NODE : walk(p, path);
        seen->value = (void *) (uintptr_t) ((uint32_t) (n + 1));
        if (n != ASH_NO_NODE && S_ISREG(ash_tree_node(p->src, n)->mode))
                ash_array_push(&p->programs, n);
        return n;
}

void plan_put(Plan *p, const char *path, AshSlice text) {
        AshNode n;
        if (ash_tree_put_file(p->out, ash_slice_str(path), text, S_IFREG | 0644, p->made, &n) >= 0)
                ash_tree_node(p->out, n)->mtime = p->in->time;
}

void plan_link(Plan *p, const char *path, const char *target) {
        AshNode n;
        if (ash_tree_put_symlink(p->out, ash_slice_str(path), ash_slice_str(target), p->made, &n) >= 0)
                ash_tree_node(p->out, n)->mtime = p->in->time;
}

/* ---- accounts and identity ---- */
/* Users and groups by their names and numbers, without passwords, members or shells: what rules and services name. */
static void put_accounts(Plan *p) {
        static const struct { const char *path; unsigned keep; const char *tail; } files[] = { { "/etc/passwd", 4, "::/:/usr/sbin/nologin" }, { "/etc/group", 3, ":" } };
        for (size_t i = 0; i < ASH_N(files); i++) {
                AshNode n = plan_find(p, ash_slice_str(files[i].path));
                _str_ AshStr text = {};
                for (AshSlice rest = n == ASH_NO_NODE ? ASH_S("") : plan_bytes(p, n), line; ash_slice_next_line(&rest, &line);) {
                        AshSlice field;
                        uint64_t id = UINT64_MAX;
                        size_t start = text.len;
                        unsigned k = 0;
                        for (; k < files[i].keep && ash_slice_split(&line, ':', &field); k++) {
                                ash_str_appendf(&text, "%s%.*s", k ? ":" : "", k == 1 ? 1 : (int) field.len, k == 1 ? "x" : field.ptr);
                                if (k == 2 && ash_slice_to_u64(field, 10, &id) < 0)
                                        id = UINT64_MAX;
                        }
                        if (k < files[i].keep || (id >= 1000 && id != 65534)) /* people's are no concern of the initrd */
                                text.len = start;
                        else
                                ash_str_appendf(&text, "%s\n", files[i].tail);
                }
                plan_put(p, files[i].path, text.len ? ash_str_slice(&text) : i ? ASH_S("root:x:0:\n") : ASH_S("root:x:0:0::/:/usr/sbin/nologin\n"));
        }
}

static void put_identity(Plan *p) {
        AshNode n = plan_find(p, ASH_S("/etc/os-release"));
        if (n == ASH_NO_NODE)
                n = plan_find(p, ASH_S("/usr/lib/os-release"));
        AshSlice text = n == ASH_NO_NODE ? ASH_S("ID=linux\nNAME=Linux\n") : plan_bytes(p, n);
        plan_put(p, "/usr/lib/initrd-release", text);
        plan_link(p, "/etc/initrd-release", "../usr/lib/initrd-release"); /* systemd knows by it that it is in an initrd */
        plan_link(p, "/etc/os-release", "../usr/lib/initrd-release");
        plan_put(p, "/etc/fstab", ASH_S(""));
        plan_put(p, "/etc/machine-id", ASH_S(""));
}

static void put_places(Plan *p) {
        static const char *const links[] = { "/bin", "/sbin", "/lib", "/lib64" };
        static const char *const dirs[] = { "/dev", "/proc", "/sys", "/run", "/tmp", "/var", "/root", "/sysroot", "/etc" };
        for (size_t i = 0; i < ASH_N(links); i++)
                (void) plan_take(p, ash_slice_str(links[i]));
        for (size_t i = 0; i < ASH_N(dirs); i++) {
                AshNode n;
                (void) ash_tree_make_dirs(p->out, ash_slice_str(dirs[i]), p->made, &n);
        }
        plan_link(p, "/init", "usr/lib/systemd/systemd");
        plan_link(p, "/var/run", "../run");
}

static int implied_times(void *context, const AshTree *t, AshNode n) {
        const Plan *p = context;
        AshTreeNode *node = ash_tree_node(t, n);
        if (S_ISDIR(node->mode) || node->mtime > p->in->time)
                node->mtime = p->in->time;
        return 0;
}

int ash_initrd_plan(const AshInitrdInput *in, AshTree **ret, AshDiags *diags) {
        _cleanup_(ash_tree_free_p) AshTree *out = ash_tree_new();
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        Plan p = { .in = in, .src = in->tree, .out = out, .arena = arena, .diags = diags };
        for (size_t i = 0; i < in->tree->sources.n; i++) /* contents keep the index of their pack */
                ash_tree_add_source(out, in->tree->sources.items[i].id, in->tree->sources.items[i].pack);
        p.copied = ash_tree_add_origin(out, ASH_ORIGIN_PACKAGE, ASH_S(""));
        p.made = ash_tree_add_origin(out, ASH_ORIGIN_HANDLER, ASH_S("initrd"));
        put_places(&p);
        put_identity(&p);
        put_accounts(&p);
        int r = plan_policy(&p);
        if (r >= 0)
                r = plan_modules(&p);
        if (r >= 0)
                r = plan_libraries(&p);
        ash_array_done(&p.programs);
        ash_map_done(&p.seen);
        if (r < 0)
                return r;
        if (p.missing)
                return -ENOENT;
        ash_tree_walk(out, 0, implied_times, &p);
        *ret = ASH_TAKE(out);
        return 0;
}

/* ---- key and bytes ---- */
static void key_slice(AshDigest *d, AshSlice s) {
        uint64_t len = s.len;
        ash_digest_update(d, &len, sizeof len);
        ash_digest_update(d, s.ptr ? s.ptr : "", s.len);
}

static int key_node(void *context, const AshTree *t, AshNode n) {
        static const uint8_t unknown[32];
        AshDigest *d = context;
        AshTreeNode *node = ash_tree_node(t, n);
        _str_ AshStr path = {};
        ash_tree_path(t, n, &path);
        key_slice(d, ash_str_slice(&path));
        key_slice(d, node->link);
        ash_digest_update(d, &node->mode, sizeof node->mode);
        ash_digest_update(d, &node->mtime, sizeof node->mtime);
        if (S_ISREG(node->mode) && !memcmp(node->content.sha256, unknown, 32))
                ash_digest_of(ASH_SHA256, ash_image_bytes(t, n), node->content.sha256);
        ash_digest_update(d, node->content.sha256, 32);
        return 0;
}

void ash_initrd_key(AshTree *initrd, uint8_t ret[static 32]) {
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        uint32_t version = VERSION;
        ash_digest_update(d, &version, sizeof version);
        key_slice(d, ASH_S(ASHLAR_VERSION));
        ash_tree_walk(initrd, 0, key_node, d);
        ash_digest_final(d, ret);
}

/* The kernel wants a whole archive in each compressed frame, so one frame it is. Level 6: a fifth smaller than 1, and still a quarter of a second for all. */
int ash_initrd_pack(AshTree *initrd, unsigned threads, AshStr *out, AshDiags *diags) {
        _cleanup_(ash_layout_free_p) AshLayout *layout = ash_layout_new();
        _cleanup_(ash_writer_free_p) AshWriter *memory = ash_writer_new_memory(out);
        int r = initrd_unpack_modules(initrd, threads, diags);
        if (r < 0)
                return r;
        r = ash_layout_cpio(layout, initrd, diags);
        if (r < 0)
                return r;
        _cleanup_(ash_writer_free_p) AshWriter *zstd = ash_writer_new_compress(memory, ASH_COMP_ZSTD, 6);
        ash_array_foreach(&layout->parts, part)
                ash_writer_slice(zstd, part->bytes);
        r = ash_writer_finish(zstd);
        if (r >= 0)
                r = ash_writer_finish(memory);
        return r < 0 ? ash_fail(diags, r, ASH_NOWHERE, "cannot compress the initrd: %s", ash_strerror(r)) : 0;
}
