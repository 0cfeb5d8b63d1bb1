/* What a hook changed, back into the tree. A file of a package that comes later in the order stays that package's. */
#include "scriptlets-private.h"

/* What no image ships, whoever makes it: the state of a machine that runs; what has to be another one on each host (random seeds, identities, keys: systems make them at their first boot); locks and caches that
 * mean something only where they were made. */
static const char *const never[] = { "/run/**", "/sys/**", "/proc/**", "/dev/**", "/tmp/**", "/var/tmp/**", "/etc/machine-id", "/var/lib/dbus/machine-id", "/var/lib/systemd/random-seed",
                                     "/var/lib/systemd/credential.secret", "/etc/ssh/ssh_host_*_key", "/etc/ssh/ssh_host_*_key.pub", "/etc/nvme/hostnqn", "/etc/nvme/hostid", "/etc/iscsi/initiatorname.iscsi",
                                     "/etc/rndc.key", "/etc/.pwd.lock", "/var/cache/ldconfig/aux-cache" };

typedef struct Taker {
        AshTake *t;
        AshTree *tree;
        AshMap users, groups;        /* number as text -> name */
        AshArena *arena;
        bool made_key;               /* it generated a private key */
} Taker;

void ash_since_grow(uint32_t **since, size_t *n, const AshTree *t, uint32_t time) {
        *since = ash_realloc(*since, t->nodes.n + 1, sizeof **since);
        while (*n < t->nodes.n)
                (*since)[(*n)++] = time;
}

static bool is_visible(const Taker *k, AshNode n) { return n >= *k->t->n_since || (*k->t->since)[n] <= k->t->time; }

/* ---- names of owners, as the tree's account files have them after the hook ---- */
static void read_names(Taker *k, const char *path, AshMap *map) {
        AshSlice text = ash_compose_read(k->tree, ash_slice_str(path)), line;
        while (text.ptr && ash_slice_next_line(&text, &line)) {
                AshSlice name, skip, number;
                if (!ash_slice_split(&line, ':', &name) || !name.len || !ash_slice_split(&line, ':', &skip) || !ash_slice_split(&line, ':', &number) || !number.len || ash_map_find(map, number))
                        continue;
                AshSlice *value = ash_arena_new_item(k->arena, AshSlice);
                *value = ash_arena_slice(k->tree->arena, name);
                ash_map_put(map, ash_arena_slice(k->arena, number), value, NULL);
        }
}

static AshSlice name_of(Taker *k, AshMap *map, uint32_t number) {
        const char *text = ash_arena_printf(k->arena, "%u", number);
        const AshSlice *name = ash_map_get(map, ash_slice_str(text));
        return number == 0 ? ASH_S("root") : name ? *name : ash_arena_slice(k->tree->arena, ash_slice_str(text));
}

/* ---- one node ---- */
static bool same_xattrs(const AshTreeNode *n, AshSlice xattrs) {
        AshSlice name, value;
        uint32_t count = 0;
        while (ash_sandbox_xattr_next(&xattrs, &name, &value)) {
                bool found = false;
                for (uint32_t i = 0; i < n->n_xattrs; i++)
                        found |= ash_slice_eq(n->xattrs[i].name, name) && ash_slice_eq(n->xattrs[i].value, value);
                if (!found)
                        return false;
                count++;
        }
        return count == n->n_xattrs;
}

static void take_attributes(Taker *k, AshNode n, const AshSandboxChange *c) {
        AshTreeNode *node = ash_tree_node(k->tree, n);
        AshSlice xattrs = c->xattrs, name, value;
        if (node->hardlink != ASH_NO_NODE) { /* of a file with several names: the first one's are those of all */
                n = node->hardlink;
                node = ash_tree_node(k->tree, n);
        }
        if (!S_ISLNK(node->mode))
                node->mode = (node->mode & S_IFMT) | c->mode;
        if (node->uid != c->uid || node->gid != c->gid) {
                node->user = name_of(k, &k->users, c->uid);
                node->group = name_of(k, &k->groups, c->gid);
                node->uid = c->uid;
                node->gid = c->gid;
        }
        if (same_xattrs(node, c->xattrs))
                return;
        node->n_xattrs = 0;
        while (ash_sandbox_xattr_next(&xattrs, &name, &value))
                ash_tree_set_xattr(k->tree, n, name, value);
}

static uint32_t type_of(char kind) { return kind == 'D' ? S_IFDIR : kind == 'L' ? S_IFLNK : kind == 'P' ? S_IFIFO : S_IFREG; }

static int take_removal(Taker *k, AshNode n) {
        /* What is to come below it, and the directories on the way there, stay. */
        bool keep = !is_visible(k, n);
        for (uint32_t i = ash_tree_node(k->tree, n)->n_children; i-- > 0;)
                keep |= take_removal(k, ash_tree_node(k->tree, n)->children[i]) > 0;
        if (!keep && n)
                ash_tree_remove(k->tree, n);
        return keep;
}

static int put_content(Taker *k, AshNode n, const AshSandboxChange *c) {
        AshTreeNode *node = ash_tree_node(k->tree, n);
        if (S_ISLNK(node->mode) && !ash_slice_eq(node->link, c->link)) {
                node->link = ash_arena_slice(k->tree->arena, c->link);
                node->origin = k->t->origin;
        }
        if (!S_ISREG(node->mode) || ash_slice_eq(ash_compose_bytes(k->tree, n), c->content))
                return 0;
        ash_tree_detach(k->tree, n);
        node = ash_tree_node(k->tree, n);
        node->content = (AshContent){ .kind = ASH_CONTENT_INLINE, .length = c->content.len, .data = ash_arena_slice(k->tree->arena, c->content).ptr };
        if (!c->content.len)
                ash_tree_empty(k->tree, n);
        node->origin = k->t->origin;
        return 0;
}

static int take_node(Taker *k, AshNode dir, AshNode n, const AshSandboxChange *c) {
        uint32_t type = type_of(c->kind);
        if (n != ASH_NO_NODE && (ash_tree_node(k->tree, n)->mode & S_IFMT) != type) {
                if (!is_visible(k, n))
                        return 0; /* a package brings it, as something else */
                ash_tree_remove(k->tree, n);
                n = ASH_NO_NODE;
        }
        if (n != ASH_NO_NODE && !is_visible(k, n)) {
                if (type == S_IFDIR) /* is there from now on; how, says its package */
                        (*k->t->since)[n] = k->t->time;
                return 0;
        }
        if (n == ASH_NO_NODE) {
                int r = ash_tree_add(k->tree, dir, ash_path_base(c->path), type | (type == S_IFLNK ? 0777 : c->mode), k->t->origin, &n);
                if (r < 0)
                        return r;
                ash_since_grow(k->t->since, k->t->n_since, k->tree, k->t->time);
                if (type == S_IFREG)
                        ash_tree_empty(k->tree, n);
                ash_tree_node(k->tree, n)->uid = ash_tree_node(k->tree, n)->gid = UINT32_MAX; /* so that the names are set */
        }
        put_content(k, n, c);
        take_attributes(k, n, c);
        return 0;
}

static int take_link(Taker *k, AshNode dir, AshNode n, const AshSandboxChange *c) {
        AshNode first = ash_tree_lookup(k->tree, c->link, false);
        if (first == ASH_NO_NODE || !S_ISREG(ash_tree_node(k->tree, first)->mode) || (n != ASH_NO_NODE && !is_visible(k, n)))
                return 0;
        if (ash_tree_node(k->tree, first)->hardlink != ASH_NO_NODE)
                first = ash_tree_node(k->tree, first)->hardlink;
        if (n != ASH_NO_NODE && (n == first || ash_tree_node(k->tree, n)->hardlink == first))
                return 0;
        if (n != ASH_NO_NODE)
                ash_tree_remove(k->tree, n);
        int r = ash_tree_add(k->tree, dir, ash_path_base(c->path), ash_tree_node(k->tree, first)->mode, k->t->origin, &n);
        if (r < 0)
                return r;
        ash_since_grow(k->t->since, k->t->n_since, k->tree, k->t->time);
        ash_tree_node(k->tree, n)->hardlink = first;
        ash_tree_node(k->tree, n)->user = ash_tree_node(k->tree, first)->user;
        ash_tree_node(k->tree, n)->group = ash_tree_node(k->tree, first)->group;
        return 0;
}

static bool is_never(const AshSandboxChange *c) {
        for (size_t i = 0; i < ASH_N(never); i++) {
                AshSlice glob = ash_slice_str(never[i]);
                if ((c->kind == 'F' || ash_slice_ends(glob, ASH_S("/**"))) && ash_glob_match(glob, c->path)) /* a link to such a file is no secret */
                        return true;
        }
        return false;
}

/* Keys that a scriptlet generates (postfix, dovecot, ...) would be those of all hosts, and others in each build; the certificates that it makes with them go with them. */
static bool is_new_pem(const Taker *k, const AshSandboxChange *c, const char *what) {
        return c->kind == 'F' && ash_slice_find(c->content, ASH_S("-----BEGIN ")) >= 0 && ash_slice_find(c->content, ash_slice_str(what)) >= 0 && ash_tree_lookup(k->tree, c->path, false) == ASH_NO_NODE;
}
static bool is_new_key(const Taker *k, const AshSandboxChange *c) { return is_new_pem(k, c, "PRIVATE KEY-----"); }

static void find_keys(Taker *k, AshSlice changes) {
        AshSandboxChange c;
        AshSlice rest = changes;
        const AshOrigin *o = &k->tree->origins.items[k->t->origin];
        while (ash_sandbox_change_next(&rest, &c) > 0)
                if (!is_never(&c) && is_new_key(k, &c)) {
                        ash_warn(k->t->c->diags, ASH_NOWHERE, "%.*s generates the private key %.*s: it is left out of the image, as each host needs one of its own", ASH_F(o->name), ASH_F(c.path));
                        k->made_key = true;
                }
}

static int take_one(Taker *k, const AshSandboxChange *c) {
        if (is_never(c) || (k->made_key && (is_new_key(k, c) || is_new_pem(k, c, "CERTIFICATE-----"))))
                return 0;
        AshNode dir = ash_tree_lookup(k->tree, ash_path_dir(c->path), false), n = dir;
        if (c->path.len > 1) {
                if (dir == ASH_NO_NODE || !S_ISDIR(ash_tree_node(k->tree, dir)->mode))
                        return 0; /* below what a package brings as something else */
                n = ash_tree_child(k->tree, dir, ash_path_base(c->path));
        }
        if (c->kind == 'R')
                return n == ASH_NO_NODE ? 0 : take_removal(k, n);
        return c->kind == 'H' ? take_link(k, dir, n, c) : take_node(k, dir, n, c);
}

int ash_take_changes(AshTake *t, AshSlice changes) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        Taker k = { .t = t, .tree = t->c->tree, .arena = arena };
        static const char *const accounts[] = { "/etc/passwd", "/etc/group" };
        AshSlice rest = changes;
        AshSandboxChange c;
        bool renamed = false;
        int r;
        /* The account files first: they name the owners of everything else. */
        read_names(&k, accounts[0], &k.users);
        read_names(&k, accounts[1], &k.groups);
        while ((r = ash_sandbox_change_next(&rest, &c)) > 0 && r >= 0)
                for (size_t i = 0; c.kind == 'F' && i < ASH_N(accounts); i++)
                        if (ash_slice_eqs(c.path, accounts[i])) {
                                r = take_one(&k, &c);
                                renamed = true;
                        }
        ash_map_clear(&k.users);
        ash_map_clear(&k.groups);
        read_names(&k, accounts[0], &k.users);
        read_names(&k, accounts[1], &k.groups);
        find_keys(&k, changes);
        rest = changes;
        while (r >= 0 && (r = ash_sandbox_change_next(&rest, &c)) > 0)
                r = take_one(&k, &c);
        ash_map_done(&k.users);
        ash_map_done(&k.groups);
        if (r >= 0 && renamed) /* files of packages that come now are those of the users that there are now, as a %pre makes them */
                (void) ash_compose_owners(k.tree, NULL, NULL);
        if (r < 0)
                return ash_fail(t->c->diags, r, ASH_NOWHERE, "cannot take what a scriptlet changed into the tree: %s", ash_strerror(r));
        return 0;
}
