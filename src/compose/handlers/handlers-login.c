/* Is there a way in? An image that boots and lets nobody in is a mistake, unless the definition says that it is none. */
#include <sys/stat.h>
#include "handlers-private.h"

/* Programs that make users from what a cloud or a seed says. */
static const char *const agents[] = { "/usr/bin/cloud-init", "/usr/sbin/waagent", "/usr/bin/waagent", "/usr/bin/azure-init", "/usr/libexec/ignition", "/usr/bin/ignition", "/usr/bin/afterburn" };

static bool says(AshText t, const char *s) { return ash_text_set(t) && ash_slice_eqs(t.s, s); }

bool ash_wants_login(const AshHandlerContext *c) {
        if (!c->image || says(c->image->login, "none"))
                return false;
        return ash_text_set(c->image->login) || says(c->image->kind, "disk");
}

static bool exists(const AshTree *t, const char *path) { return ash_tree_lookup(t, ash_slice_str(path), true) != ASH_NO_NODE; }

static bool has_key(const AshTree *t, AshSlice home) {
        _free_ char *path = ash_asprintf("%.*s/.ssh/authorized_keys", ASH_F(home));
        for (AshSlice text = ash_compose_read(t, ash_slice_str(path)), line; text.ptr && ash_slice_next_line(&text, &line);) {
                line = ash_slice_trim(line);
                if (line.len && line.ptr[0] != '#')
                        return true;
        }
        return false;
}

/* An empty password lets in on the console; '!' and '*' at the start lock. */
static bool has_password(const AshPwUser *u) {
        AshSlice shadow = u->shadow, hash = u->password;
        if (shadow.ptr)
                (void) ash_slice_split(&shadow, ':', &hash);
        return !hash.len || (hash.ptr[0] != '!' && hash.ptr[0] != '*' && (hash.len > 1 || !shadow.ptr));
}

static bool has_shell(const AshTree *t, AshSlice shell) {
        if (ash_slice_ends(shell, ASH_S("/nologin")) || ash_slice_ends(shell, ASH_S("/false")) || ash_slice_ends(shell, ASH_S("/sync")))
                return false;
        return ash_tree_lookup(t, shell.len ? shell : ASH_S("/bin/sh"), true) != ASH_NO_NODE;
}

int ash_handle_login(AshHandlerContext *c) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        const AshTree *t = c->tree;
        AshPwDb db = {};
        bool in = false, keys = false, sshd = exists(t, "/usr/sbin/sshd");
        for (size_t i = 0; i < ASH_N(agents); i++)
                in |= exists(t, agents[i]);
        ash_pwdb_read(&db, t, arena);
        ash_array_foreach(&db.users, u) {
                bool shell = has_shell(t, u->shell), key = shell && has_key(t, u->home);
                keys |= key;
                in |= shell && (has_password(u) || (key && sshd));
        }
        ash_pwdb_done(&db);
        if (in)
                return 0;
        int r = ash_fail(c->diags, -ASH_ERR_CONFIG, ash_text_set(c->image->login) ? c->image->login.at : c->image->name.at, "nobody can log in to this image: no user has a password%s, and no agent makes one",
                         keys ? " (one has an ssh key, but there is no sshd)" : " or an ssh key");
        ash_hint(c->diags, keys ? "add the package openssh-server, or say login = \"none\"" : "give a user 'ssh-keys' or a 'password-hash', add cloud-init, or say login = \"none\"");
        return r;
}
