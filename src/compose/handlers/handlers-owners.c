/* Numbers for the names of owners: the last step, when the account files are complete. */
#include "handlers-private.h"

typedef struct Names {
        AshPwDb db;
        AshSlice last_user, last_group; /* nearly all nodes have the same */
        uint32_t last_uid, last_gid;
} Names;

static bool plain_number(AshSlice s, uint32_t *ret) {
        uint64_t n;
        if (ash_slice_to_u64(s, 10, &n) < 0 || n >= UINT32_MAX)
                return false;
        *ret = (uint32_t) n;
        return true;
}

static bool uid_of(Names *names, AshSlice name, uint32_t *ret) {
        if (names->last_user.ptr != name.ptr || names->last_user.len != name.len) {
                const AshPwUser *u = ash_pwdb_user(&names->db, name);
                uint32_t id = 0;
                if (!u && !ash_slice_eqs(name, "root") && !plain_number(name, &id))
                        return false;
                names->last_uid = u ? u->uid : id;
                names->last_user = name;
        }
        *ret = names->last_uid;
        return true;
}

static bool gid_of(Names *names, AshSlice name, uint32_t *ret) {
        if (names->last_group.ptr != name.ptr || names->last_group.len != name.len) {
                const AshPwGroup *g = ash_pwdb_group(&names->db, name);
                uint32_t id = 0;
                if (!g && !ash_slice_eqs(name, "root") && !plain_number(name, &id))
                        return false;
                names->last_gid = g ? g->gid : id;
                names->last_group = name;
        }
        *ret = names->last_gid;
        return true;
}

static int unknown(AshHandlerContext *c, AshNode n, const char *what, AshSlice name) {
        _str_ AshStr path = {};
        const AshOrigin *o = &c->tree->origins.items[ash_tree_node(c->tree, n)->origin];
        ash_tree_path(c->tree, n, &path);
        ash_fail(c->diags, -ENOENT, ASH_NOWHERE, "%s of %.*s belongs to the %s '%.*s', which is not known in this image", path.ptr, ASH_F(o->name), what, ASH_F(name));
        ash_hint(c->diags, "add the package that declares it in sysusers.d or /etc/passwd, or declare it in the image");
        return -ENOENT;
}

int ash_handle_owners(AshHandlerContext *c) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        Names names = {};
        int r = 0;
        ash_pwdb_read(&names.db, c->tree, arena);
        for (AshNode n = 0; n < c->tree->nodes.n; n++) { /* all are told of at once */
                AshTreeNode *node = ash_tree_node(c->tree, n);
                if (node->flags & ASH_NODE_REMOVED)
                        continue;
                if (node->user.len && !uid_of(&names, node->user, &node->uid))
                        r = unknown(c, n, "user", node->user);
                if (node->group.len && !gid_of(&names, node->group, &node->gid))
                        r = unknown(c, n, "group", node->group);
        }
        ash_pwdb_done(&names.db);
        return r;
}
