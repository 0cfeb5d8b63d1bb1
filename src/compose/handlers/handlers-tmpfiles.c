/* What systemd-tmpfiles --create makes of tmpfiles.d(5), as far as it makes sense in an image: nothing in directories that a running system fills, no lines for the time of booting, no ACLs, no
 * file attributes. Those lines are left for the first boot, which reads the same files. */
#include <inttypes.h>
#include "handlers-private.h"
#include "tmpfiles.h"

typedef struct Item {
        const AshTmpfile *line;
        bool done;
} Item;
typedef struct Place {               /* all lines of one path */
        AshSlice path;
        ASH_ARRAY(Item) items;
} Place;
typedef struct Tmp {
        AshHandlerContext *c;
        AshArena *arena;
        AshPwDb db;
        AshSlice specifiers[128];
        AshTmpfiles lines;
        ASH_ARRAY(AshSource *) sources;
        AshMap plain, globs;         /* path -> Place * */
        const AshTmpfile *now;       /* the line at work: for messages */
} Tmp;

/* ---- specifiers ---- */
static AshSlice os_release(const Tmp *t, const char *key) {
        AshSlice rest = ash_compose_read(t->c->tree, ASH_S("/etc/os-release")), line, part;
        if (!rest.ptr)
                rest = ash_compose_read(t->c->tree, ASH_S("/usr/lib/os-release"));
        while (ash_slice_next_line(&rest, &line))
                if (ash_slice_split(&line, '=', &part) && ash_slice_eqs(part, key) && line.ptr) {
                        line = ash_slice_trim(line);
                        if (line.len >= 2 && strchr("\"'", line.ptr[0]) && line.ptr[line.len - 1] == line.ptr[0])
                                line = ash_slice_sub(line, 1, line.len - 2);
                        return line;
                }
        return ASH_S("");
}

/* What only a host knows (%b boot id, %H and %l names, %m machine id, %v kernel) has no value. */
static void set_specifiers(Tmp *t) {
        static const struct { char letter; const char *text; } fixed[] = { { 'C', "/var/cache" }, { 'S', "/var/lib" }, { 'L', "/var/log" }, { 't', "/run" }, { 'T', "/tmp" }, { 'V', "/var/tmp" },
                                                                           { 'u', "root" }, { 'U', "0" }, { 'g', "root" }, { 'G', "0" }, { 'h', "/root" } };
        static const struct { char letter; const char *key; } os[] = { { 'o', "ID" }, { 'w', "VERSION_ID" }, { 'W', "VARIANT_ID" }, { 'B', "BUILD_ID" }, { 'M', "IMAGE_ID" }, { 'A', "IMAGE_VERSION" } };
        static const struct { const char *rpm, *systemd; } archs[] = { { "x86_64", "x86-64" }, { "aarch64", "arm64" }, { "ppc64le", "ppc64-le" }, { "i686", "x86" } };
        for (size_t i = 0; i < ASH_N(fixed); i++)
                t->specifiers[(unsigned char) fixed[i].letter] = ash_slice_str(fixed[i].text);
        for (size_t i = 0; i < ASH_N(os); i++)
                t->specifiers[(unsigned char) os[i].letter] = os_release(t, os[i].key);
        t->specifiers['a'] = t->c->arch;
        for (size_t i = 0; i < ASH_N(archs); i++)
                if (ash_slice_eqs(t->c->arch, archs[i].rpm))
                        t->specifiers['a'] = ash_slice_str(archs[i].systemd);
}

/* ---- reading ---- */
static void read_files(Tmp *t) {
        static const char *const places[] = { "/etc/tmpfiles.d/*.conf", "/usr/local/lib/tmpfiles.d/*.conf", "/usr/lib/tmpfiles.d/*.conf", NULL };
        size_t n;
        const AshSlice *files = ash_handler_config_files(t->c->tree, places, t->arena, &n);
        for (size_t i = 0; i < n; i++) {
                AshSlice text = ash_compose_read(t->c->tree, files[i]);
                if (!text.len)
                        continue;
                AshSource *source = ash_source_new(files[i].ptr, text);
                ash_array_push(&t->sources, source);
                ash_tmpfiles_parse(source, t->specifiers, t->arena, &t->lines, t->c->diags);
        }
}

/* ---- which lines count, and in which order ---- */
static bool below(AshSlice path, const char *dir) {
        AshSlice d = ash_slice_str(dir);
        return ash_slice_starts(path, d) && (path.len == d.len || path.ptr[d.len] == '/');
}

/* A running system fills these. */
static bool is_volatile(AshSlice path) {
        static const char *const dirs[] = { "/run", "/var/run", "/tmp", "/proc", "/sys", "/dev" };
        for (size_t i = 0; i < ASH_N(dirs); i++)
                if (below(path, dirs[i]))
                        return true;
        return false;
}

static bool makes(char type) { return strchr("fdDevqQpLcbCwxXrR", type); }
static bool is_glob(char type) { return strchr("wexXrRzZtThHaA", type); }

static bool same(const AshTmpfile *a, const AshTmpfile *b) {
        return ash_slice_eq(a->argument, b->argument) && ash_slice_eq(a->user, b->user) && ash_slice_eq(a->group, b->group) && a->user_new == b->user_new && a->group_new == b->group_new &&
               a->has_mode == b->has_mode && a->mode == b->mode && a->mode_new == b->mode_new && a->mode_masked == b->mode_masked;
}

static int cmp_items(const void *a, const void *b) {
        const AshTmpfile *x = ((const Item *) a)->line, *y = ((const Item *) b)->line;
        if (makes(x->type) != makes(y->type))
                return makes(x->type) ? -1 : 1;
        if (x->type != y->type)
                return x->type < y->type ? -1 : 1;
        return x->at.source == y->at.source ? (x->at.offset < y->at.offset ? -1 : x->at.offset > y->at.offset) : 0;
}

static bool knows_owner(const Tmp *t, const AshTmpfile *l, AshSlice name, bool user) {
        uint64_t id;
        if (!name.len || ash_slice_eqs(name, "root") || (user ? (void *) ash_pwdb_user(&t->db, name) : (void *) ash_pwdb_group(&t->db, name)) || ash_slice_to_u64(name, 10, &id) >= 0)
                return true;
        ash_warn(t->c->diags, l->at, "the %s '%.*s' is not known in this image; the line is left out", user ? "user" : "group", ASH_F(name));
        return false;
}

/* The first line that makes a path counts, and those that say the same or append. */
static void sort_in(Tmp *t, const AshTmpfile *l) {
        bool fresh;
        if (l->boot || l->credential || is_volatile(l->path) || strchr("xXrRhHaA", l->type) || !knows_owner(t, l, l->user, true) || !knows_owner(t, l, l->group, false))
                return;
        AshMapEntry *e = ash_map_ensure(is_glob(l->type) ? &t->globs : &t->plain, l->path, &fresh);
        Place *p = e->value;
        if (fresh) {
                p = e->value = ash_arena_new_item(t->arena, Place);
                p->path = l->path;
        }
        for (size_t i = 0; i < p->items.n; i++) {
                const AshTmpfile *other = p->items.items[i].line;
                if (makes(l->type) && makes(other->type) && !same(l, other) && !(l->type == 'w' && l->force))
                        return;
        }
        ash_array_push(&p->items, ((Item){ .line = l }));
        qsort(p->items.items, p->items.n, sizeof *p->items.items, cmp_items);
}

/* ---- working on nodes ---- */
static AshTreeNode *node(const Tmp *t, AshNode n) { return ash_tree_node(t->c->tree, n); }

static bool is_the_definitions(const Tmp *t, AshNode n) { return t->c->tree->origins.items[node(t, n)->origin].kind == ASH_ORIGIN_DEFINITION; }

static AshSlice user_name(const Tmp *t, AshSlice name) {
        uint64_t id;
        const AshPwUser *u = ash_slice_to_u64(name, 10, &id) >= 0 && id < UINT32_MAX ? ash_pwdb_uid(&t->db, (uint32_t) id) : NULL;
        return ash_arena_slice(t->c->tree->arena, u ? u->name : name);
}

static AshSlice group_name(const Tmp *t, AshSlice name) {
        uint64_t id;
        const AshPwGroup *g = ash_slice_to_u64(name, 10, &id) >= 0 && id < UINT32_MAX ? ash_pwdb_gid(&t->db, (uint32_t) id) : NULL;
        return ash_arena_slice(t->c->tree->arena, g ? g->name : name);
}

static void set_attributes(const Tmp *t, const AshTmpfile *l, AshNode n, bool made) {
        AshTreeNode *x = node(t, n);
        if (x->hardlink != ASH_NO_NODE)
                x = node(t, x->hardlink);
        if (is_the_definitions(t, n))
                return;
        if (l->user.len && (made || !l->user_new))
                x->user = user_name(t, l->user);
        if (l->group.len && (made || !l->group_new))
                x->group = group_name(t, l->group);
        if (l->has_mode && (made || !l->mode_new) && !S_ISLNK(x->mode))
                x->mode = (x->mode & S_IFMT) | (l->mode_masked ? ash_tmpfiles_mask(l->mode, x->mode, S_ISDIR(x->mode)) : l->mode);
}

/* A new node; in a directory with the set-group-id bit it has that group, and so have directories the bit. */
static int add(const Tmp *t, AshNode dir, AshSlice name, uint32_t mode, AshNode *ret) {
        uint32_t dir_mode = node(t, dir)->mode;
        int r = ash_tree_add(t->c->tree, dir, name, mode | (S_ISDIR(mode) ? dir_mode & S_ISGID : 0), t->c->origin, ret);
        if (r < 0)
                return ash_fail(t->c->diags, r, t->now->at, "cannot make %.*s: %s", ASH_F(t->now->path), ash_strerror(r));
        node(t, *ret)->user = ASH_S("root");
        node(t, *ret)->group = dir_mode & S_ISGID ? node(t, dir)->group : ASH_S("root");
        return 0;
}

/* systemd does not follow somebody into a directory of somebody else: who owns the first could have put the second there. */
static bool is_safe(const Tmp *t, AshNode from, AshNode to) {
        if (ash_slice_eqs(node(t, from)->user, "root") || !node(t, from)->user.len || ash_slice_eq(node(t, from)->user, node(t, to)->user))
                return true;
        ash_warn(t->c->diags, t->now->at, "%.*s lies below a directory of '%.*s' in one of '%.*s', which is not safe; the line is left out", ASH_F(t->now->path), ASH_F(node(t, from)->user),
                 ASH_F(node(t, to)->user));
        return false;
}

enum { LEFT_OUT = 1 };
/* One step down: a link is followed, a directory that is missing is made. */
static int step(const Tmp *t, AshNode at, AshSlice part, AshNode *ret) {
        AshNode next = ash_tree_child(t->c->tree, at, part);
        _str_ AshStr path = {};
        if (next != ASH_NO_NODE && S_ISLNK(node(t, next)->mode)) {
                ash_tree_path(t->c->tree, next, &path);
                AshNode target = ash_tree_lookup(t->c->tree, ash_str_slice(&path), true);
                if (target == ASH_NO_NODE && is_volatile(ash_tree_resolve(t->c->tree, ash_str_slice(&path))))
                        return LEFT_OUT;
                next = target == ASH_NO_NODE ? next : target;
        }
        if (next != ASH_NO_NODE && !S_ISDIR(node(t, next)->mode)) {
                if (!t->now->replace || is_the_definitions(t, next)) {
                        ash_warn(t->c->diags, t->now->at, "%.*s lies below something that is no directory; the line is left out", ASH_F(t->now->path));
                        return LEFT_OUT;
                }
                ash_tree_remove(t->c->tree, next);
                next = ASH_NO_NODE;
        }
        *ret = next;
        return next == ASH_NO_NODE ? add(t, at, part, S_IFDIR | 0755, ret) : 0;
}

/* The directory of a path, made with its parents, and the last part if it is there: a link itself. LEFT_OUT when that cannot be. */
static int find_place(const Tmp *t, AshSlice path, AshNode *ret_dir, AshNode *ret) {
        AshSlice rest = ash_path_dir(path), part;
        AshNode at = 0, next;
        _str_ AshStr real = {};
        while (ash_slice_split(&rest, '/', &part)) {
                int r = part.len ? step(t, at, part, &next) : 0;
                if (r)
                        return r;
                if (part.len && !is_safe(t, at, next))
                        return LEFT_OUT;
                at = part.len ? next : at;
        }
        ash_tree_path(t->c->tree, at, &real);
        *ret_dir = at;
        *ret = path.len == 1 ? 0 : ash_tree_child(t->c->tree, at, ash_path_base(path));
        return is_volatile(ash_str_slice(&real)) ? LEFT_OUT : 0;
}

/* ---- content ---- */
static void set_content(const Tmp *t, AshNode n, AshSlice text) {
        AshTreeNode *x = node(t, n);
        if (x->hardlink != ASH_NO_NODE)
                x = node(t, x->hardlink);
        text = ash_arena_slice(t->c->tree->arena, text);
        x->content = (AshContent){ .kind = text.len ? ASH_CONTENT_INLINE : ASH_CONTENT_NONE, .data = text.ptr, .length = text.len };
        if (!text.len)
                ash_digest_of(ASH_SHA256, ASH_S(""), x->content.sha256);
}

static AshSlice content_of(const Tmp *t, const AshTmpfile *l) {
        AshSlice text = l->argument.ptr ? ash_tmpfiles_unescape(l->argument, t->arena) : ASH_S("");
        return text.ptr ? text : l->argument; /* decoded bytes may hold a backslash */
}

/* "w" writes over what is there from the start, "w+" behind its end. */
static int write_to(Tmp *t, const AshTmpfile *l, AshNode n) {
        AshNode target = n;
        _str_ AshStr out = {}, path = {};
        if (S_ISLNK(node(t, n)->mode)) {
                ash_tree_path(t->c->tree, n, &path);
                target = ash_tree_lookup(t->c->tree, ash_str_slice(&path), true);
        }
        if (target == ASH_NO_NODE || !S_ISREG(node(t, target)->mode) || is_the_definitions(t, target))
                return 0;
        AshSlice old = ash_compose_bytes(t->c->tree, target), text = content_of(t, l);
        if (l->force)
                ash_str_append(&out, old);
        ash_str_append(&out, text);
        if (!l->force)
                ash_str_append(&out, ash_slice_from(old, text.len));
        set_content(t, target, ash_str_slice(&out));
        set_attributes(t, l, target, false);
        return 0;
}

/* ---- lines that make something ---- */
/* What is there of another type: goes where the line says so. */
static bool clear_other(const Tmp *t, const AshTmpfile *l, uint32_t type, bool forced, AshNode *n) {
        if (*n == ASH_NO_NODE || (node(t, *n)->mode & S_IFMT) == type)
                return true;
        if (is_the_definitions(t, *n) || !(l->replace || forced))
                return false;
        ash_tree_remove(t->c->tree, *n);
        *n = ASH_NO_NODE;
        return true;
}

static int make_plain(const Tmp *t, const AshTmpfile *l, uint32_t type, AshNode dir, AshNode n) {
        bool forced = l->force && type != S_IFREG && type != S_IFDIR, fresh;
        uint64_t major = 0, minor = 0;
        AshSlice rest = l->argument, part;
        if (!clear_other(t, l, type, forced, &n))
                return 0;
        fresh = n == ASH_NO_NODE;
        if ((type == S_IFCHR || type == S_IFBLK) && (!ash_slice_split(&rest, ':', &part) || ash_slice_to_u64(part, 10, &major) < 0 || ash_slice_to_u64(rest, 10, &minor) < 0 || major > 255 || minor > 255)) {
                ash_warn(t->c->diags, l->at, "'%.*s' is no number of a device; the line is left out", ASH_F(l->argument));
                return 0;
        }
        int r = fresh ? add(t, dir, ash_path_base(l->path), type | l->mode, &n) : 0;
        if (r < 0)
                return r;
        if (type == S_IFREG && (fresh || l->force) && !is_the_definitions(t, n))
                set_content(t, n, content_of(t, l));
        if (type == S_IFCHR || type == S_IFBLK)
                node(t, n)->rdev = (uint32_t) (major << 8 | minor);
        set_attributes(t, l, n, fresh);
        return 0;
}

static int make_link(const Tmp *t, const AshTmpfile *l, AshNode dir, AshNode n) {
        AshSlice target = l->argument.ptr ? l->argument : ash_slice_str(ash_arena_printf(t->arena, "/usr/share/factory%.*s", ASH_F(l->path)));
        AshSlice absolute = target.len && target.ptr[0] == '/' ? target : ash_slice_str(ash_arena_printf(t->arena, "%.*s/%.*s", ASH_F(ash_path_dir(l->path)), ASH_F(target)));
        if (l->if_target && ash_tree_lookup(t->c->tree, absolute, true) == ASH_NO_NODE)
                return 0;
        if (n != ASH_NO_NODE && S_ISLNK(node(t, n)->mode) && ash_slice_eq(node(t, n)->link, target)) {
                set_attributes(t, l, n, false);
                return 0;
        }
        if (n != ASH_NO_NODE && (is_the_definitions(t, n) || !(l->force || (l->replace && !S_ISLNK(node(t, n)->mode)))))
                return 0;
        if (n != ASH_NO_NODE)
                ash_tree_remove(t->c->tree, n);
        int r = add(t, dir, ash_path_base(l->path), S_IFLNK | 0777, &n);
        if (r < 0)
                return r;
        node(t, n)->link = ash_arena_slice(t->c->tree->arena, target);
        set_attributes(t, l, n, true);
        return 0;
}

/* A copy has the attributes of what it is a copy of, but for an owner that the line names. */
static int copy_node(const Tmp *t, const AshTmpfile *l, AshNode from, AshNode dir, AshSlice name, bool merge, AshNode *ret) {
        AshNode n = ash_tree_child(t->c->tree, dir, name);
        AshTreeNode old = *node(t, from);
        bool fresh = n == ASH_NO_NODE;
        if (!fresh && (!S_ISDIR(old.mode) || !S_ISDIR(node(t, n)->mode) || (node(t, n)->n_children && !merge))) {
                *ret = n;
                return 0;
        }
        int r = fresh ? add(t, dir, name, old.mode, &n) : 0;
        if (r < 0)
                return r;
        const AshTreeNode *body = old.hardlink == ASH_NO_NODE ? node(t, from) : node(t, old.hardlink);
        AshTreeNode *x = node(t, n);
        x->content = body->content;
        x->mode = old.mode;
        x->user = l->user.len ? user_name(t, l->user) : body->user;
        x->group = l->group.len ? group_name(t, l->group) : body->group;
        x->mtime = body->mtime;
        x->link = old.link;
        x->rdev = old.rdev;
        for (uint32_t i = 0; r >= 0 && i < node(t, from)->n_children; i++) {
                AshNode child = node(t, from)->children[i], copied;
                r = copy_node(t, l, child, n, node(t, child)->name, merge, &copied);
        }
        *ret = n;
        return r;
}

static int copy(const Tmp *t, const AshTmpfile *l, AshNode dir, AshNode n) {
        AshSlice from = l->argument.ptr ? l->argument : ash_slice_str(ash_arena_printf(t->arena, "/usr/share/factory%.*s", ASH_F(l->path)));
        AshNode source = ash_tree_lookup(t->c->tree, from, true);
        if (source == ASH_NO_NODE || below(l->path, ash_arena_printf(t->arena, "%.*s", ASH_F(from))))
                return 0;
        if (n != ASH_NO_NODE && is_the_definitions(t, n))
                return 0;
        bool fresh = n == ASH_NO_NODE;
        int r = copy_node(t, l, source, dir, ash_path_base(l->path), l->force, &n);
        if (r >= 0 && (node(t, n)->mode & S_IFMT) == (node(t, source)->mode & S_IFMT))
                set_attributes(t, l, n, fresh);
        return r;
}

static int make(const Tmp *t, const AshTmpfile *l) {
        AshNode dir, n;
        int r = find_place(t, l->path, &dir, &n);
        if (r)
                return r < 0 ? r : 0;
        switch (l->type) {
        case 'f': return make_plain(t, l, S_IFREG, dir, n);
        case 'p': return make_plain(t, l, S_IFIFO, dir, n);
        case 'c': return make_plain(t, l, S_IFCHR, dir, n);
        case 'b': return make_plain(t, l, S_IFBLK, dir, n);
        case 'L': return make_link(t, l, dir, n);
        case 'C': return copy(t, l, dir, n);
        default: return make_plain(t, l, S_IFDIR, dir, n);
        }
}

/* ---- lines that adjust what is there ---- */
static int set_xattrs(Tmp *t, const AshTmpfile *l, AshNode n) {
        AshSlice rest = l->argument, pair;
        bool bad;
        while (ash_tmpfiles_word(&rest, t->arena, &pair, &bad)) {
                ptrdiff_t eq = ash_slice_find_char(pair, '=');
                if (eq > 0 && !is_the_definitions(t, n))
                        ash_tree_set_xattr(t->c->tree, n, ash_slice(pair.ptr, (size_t) eq), ash_slice_from(pair, (size_t) eq + 1));
        }
        if (bad)
                ash_warn(t->c->diags, l->at, "extended attributes with an open quote or a bad escape");
        return 0;
}

static int adjust(Tmp *t, const AshTmpfile *l, AshNode n) {
        switch (l->type) {
        case 'w': return write_to(t, l, n);
        case 't': case 'T': return set_xattrs(t, l, n);
        case 'e':
                if (!S_ISDIR(node(t, n)->mode))
                        return 0;
                break;
        }
        set_attributes(t, l, n, false);
        return 0;
}

static int adjust_all(Tmp *t, const AshTmpfile *l, AshNode n) {
        int r = adjust(t, l, n);
        for (uint32_t i = 0; r >= 0 && strchr("ZT", l->type) && i < node(t, n)->n_children; i++)
                r = adjust_all(t, l, node(t, n)->children[i]);
        return r;
}

/* glob(7), part by part: a wildcard does not match a dot at the start of a name; links are followed but for the last part. */
static int glob(Tmp *t, const AshTmpfile *l, AshNode at, AshSlice rest) {
        AshSlice part;
        while (rest.len && rest.ptr[0] == '/')
                rest = ash_slice_from(rest, 1);
        if (!rest.len)
                return adjust_all(t, l, at);
        if (S_ISLNK(node(t, at)->mode)) {
                _str_ AshStr path = {};
                ash_tree_path(t->c->tree, at, &path);
                at = ash_tree_lookup(t->c->tree, ash_str_slice(&path), true);
        }
        if (at == ASH_NO_NODE || !ash_slice_split(&rest, '/', &part))
                return 0;
        int r = 0;
        if (!ash_glob_has_meta(part)) {
                AshNode child = ash_tree_child(t->c->tree, at, part);
                return child == ASH_NO_NODE ? 0 : glob(t, l, child, rest);
        }
        for (uint32_t i = 0; r >= 0 && i < node(t, at)->n_children; i++) {
                AshNode child = node(t, at)->children[i];
                AshSlice name = node(t, child)->name;
                if ((name.ptr[0] != '.' || part.ptr[0] == '.') && ash_glob_match(part, name))
                        r = glob(t, l, child, rest);
        }
        return r;
}

/* ---- the order of work ---- */
static int work_on(Tmp *t, Place *p);

/* The nearest path above that has lines comes first. */
static int parents_first(Tmp *t, const Place *p) {
        for (AshSlice dir = ash_path_dir(p->path);; dir = ash_path_dir(dir)) {
                Place *above = ash_map_get(&t->plain, dir);
                if (!above)
                        above = ash_map_get(&t->globs, dir);
                if (above && above != p)
                        return work_on(t, above);
                if (dir.len <= 1)
                        return 0;
        }
}

static int work_on(Tmp *t, Place *p) {
        int r = parents_first(t, p);
        for (size_t i = 0; r >= 0 && i < p->items.n; i++) {
                Item *item = &p->items.items[i];
                if (item->done)
                        continue;
                item->done = true;
                t->now = item->line;
                r = is_glob(item->line->type) ? glob(t, item->line, 0, item->line->path) : make(t, item->line);
        }
        return r;
}

static void tmp_done(Tmp *t) {
        AshMap *const maps[] = { &t->plain, &t->globs };
        for (size_t i = 0; i < ASH_N(maps); i++) {
                ash_map_foreach(maps[i], e)
                        ash_array_done(&((Place *) e->value)->items);
                ash_map_done(maps[i]);
        }
        ash_tmpfiles_done(&t->lines);
        ash_array_foreach(&t->sources, s)
                ash_source_free(*s); /* diagnostics have their places already */
        ash_array_done(&t->sources);
        ash_pwdb_done(&t->db);
        ash_arena_free(t->arena);
}

/* Where the program is: packages call it when they are installed. */
bool ash_wants_tmpfiles(const AshHandlerContext *c) { return ash_tree_lookup(c->tree, ASH_S("/usr/bin/systemd-tmpfiles"), true) != ASH_NO_NODE; }

int ash_handle_tmpfiles(AshHandlerContext *c) {
        _cleanup_(tmp_done) Tmp t = { .c = c, .arena = ash_arena_new() };
        int r = 0;
        ash_pwdb_read(&t.db, c->tree, t.arena);
        set_specifiers(&t);
        read_files(&t);
        ash_array_foreach(&t.lines.items, l)
                sort_in(&t, l);
        ash_map_foreach(&t.plain, e)
                r = r < 0 ? r : work_on(&t, e->value);
        ash_map_foreach(&t.globs, e)
                r = r < 0 ? r : work_on(&t, e->value);
        return r;
}
