/* Users and groups: what sysusers.d(5) files of the tree declare, in the order of systemd-sysusers (fixed numbers, then the lock's, then downwards from 999), then what the definition adds. */
#include <inttypes.h>
#include "handlers-private.h"
#include "sysusers.h"

enum { SYSTEM_MIN = 101, SYSTEM_MAX = 999, REGULAR_MIN = 1000, REGULAR_MAX = 60000 };

typedef struct Accounts {
        AshHandlerContext *c;
        AshArena *arena;
        AshPwDb db;
        AshSysusers lines;
        AshMap fixed_uids, fixed_gids; /* not to be given away: "123" -> anything */
        ASH_ARRAY(AshSource *) sources;
} Accounts;

/* ---- sysusers.d of the tree ---- */
static void read_sysusers(Accounts *a) {
        static const char *const places[] = { "/etc/sysusers.d/*.conf", "/usr/local/lib/sysusers.d/*.conf", "/usr/lib/sysusers.d/*.conf", NULL };
        size_t n;
        const AshSlice *files = ash_handler_config_files(a->c->tree, places, a->arena, &n);
        for (size_t i = 0; i < n; i++) {
                AshSlice text = ash_compose_read(a->c->tree, files[i]);
                if (!text.len)
                        continue;
                AshSource *source = ash_source_new(files[i].ptr, text);
                ash_array_push(&a->sources, source);
                ash_sysusers_parse(source, a->arena, &a->lines, a->c->diags);
        }
}

/* ---- numbers ---- */
static AshSlice id_key(Accounts *a, uint32_t id) { return ash_slice_str(ash_arena_printf(a->arena, "%" PRIu32, id)); }

static bool is_reserved(Accounts *a, uint32_t id) { return ash_map_find(&a->fixed_uids, id_key(a, id)) || ash_map_find(&a->fixed_gids, id_key(a, id)); }

static bool is_free(Accounts *a, uint32_t id) { return !ash_pwdb_uid(&a->db, id) && !ash_pwdb_gid(&a->db, id); }

static const AshLockId *locked(const AshLockId *ids, size_t n, AshSlice name) {
        for (size_t i = 0; i < n; i++)
                if (ash_slice_eq(ids[i].name, name))
                        return &ids[i];
        return NULL;
}

/* A number for both a user and a group of that name. */
static int pick(Accounts *a, AshSlice name, bool user, bool regular, AshSpan at, uint32_t *ret) {
        const AshLock *l = a->c->lock;
        const AshLockId *was = !l ? NULL : user ? locked(l->users, l->n_users, name) : locked(l->groups, l->n_groups, name);
        if (was && (user ? !ash_pwdb_uid(&a->db, was->id) : !ash_pwdb_gid(&a->db, was->id))) {
                *ret = was->id;
                return 0;
        }
        for (uint32_t i = 0; i <= (regular ? REGULAR_MAX - REGULAR_MIN : SYSTEM_MAX - SYSTEM_MIN); i++) {
                uint32_t id = regular ? REGULAR_MIN + i : SYSTEM_MAX - i;
                if (is_free(a, id) && !is_reserved(a, id)) {
                        *ret = id;
                        return 0;
                }
        }
        return ash_fail(a->c->diags, -ERANGE, at, "no number is left for '%.*s'", ASH_F(name));
}

/* What lines and the lock give by number is not given to others. */
static void reserve(Accounts *a) {
        const AshLock *l = a->c->lock;
        ash_array_foreach(&a->lines.items, u) {
                uint32_t id;
                AshSlice group;
                if ((u->type == 'u' || u->type == 'g') && ash_sysuser_id(u->id, &id, &group))
                        ash_map_put(u->type == 'u' ? &a->fixed_uids : &a->fixed_gids, id_key(a, id), u, NULL);
        }
        for (size_t i = 0; l && i < l->n_users; i++)
                ash_map_put(&a->fixed_uids, id_key(a, l->users[i].id), a, NULL);
        for (size_t i = 0; l && i < l->n_groups; i++)
                ash_map_put(&a->fixed_gids, id_key(a, l->groups[i].id), a, NULL);
}

/* ---- adding ---- */
static int add_group(Accounts *a, AshSlice name, const uint32_t *wanted, AshSpan at) {
        uint32_t gid;
        if (ash_pwdb_group(&a->db, name))
                return 0;
        const AshPwUser *same = ash_pwdb_user(&a->db, name);
        if (wanted && !ash_pwdb_gid(&a->db, *wanted))
                gid = *wanted;
        else if (same && !ash_pwdb_gid(&a->db, same->uid))
                gid = same->uid;
        else {
                int r = pick(a, name, false, false, at, &gid);
                if (r < 0)
                        return r;
        }
        ash_pwdb_add_group(&a->db, name, gid);
        return 0;
}

/* The group of an id field: "27:80" and "27:audio" name one that has to be there, else it is the user's own. */
static int group_for(Accounts *a, const AshSysuser *u, const uint32_t *uid, AshSlice group, uint32_t *ret) {
        uint64_t gid;
        if (!group.len) {
                int r = add_group(a, u->name, uid, u->at);
                *ret = r < 0 ? 0 : ash_pwdb_group(&a->db, u->name)->gid;
                return r;
        }
        const AshPwGroup *g = ash_slice_to_u64(group, 10, &gid) >= 0 && gid < UINT32_MAX ? ash_pwdb_gid(&a->db, (uint32_t) gid) : ash_pwdb_group(&a->db, group);
        if (!g)
                return ash_fail(a->c->diags, -ENOENT, u->at, "the group '%.*s' of the user '%.*s' does not exist", ASH_F(group), ASH_F(u->name));
        *ret = g->gid;
        return 0;
}

static AshSlice nologin(void) { return ASH_S("/usr/sbin/nologin"); }

static int add_user(Accounts *a, const AshSysuser *u) {
        uint32_t uid = UINT32_MAX, gid = 0;
        AshSlice group = ASH_S("");
        if (ash_pwdb_user(&a->db, u->name))
                return 0;
        bool fixed = ash_sysuser_id(u->id, &uid, &group);
        if (!fixed && ash_slice_starts(u->id, ASH_S("-:")))
                group = ash_slice_from(u->id, 2);
        const AshPwUser *taken = fixed ? ash_pwdb_uid(&a->db, uid) : NULL;
        if (taken)
                ash_warn(a->c->diags, u->at, "the number %" PRIu32 " of the user '%.*s' belongs to '%.*s'; it gets another one", uid, ASH_F(u->name), ASH_F(taken->name));
        fixed = fixed && !taken;
        int r = 0;
        if (!fixed && group.len) /* no group of its own decides the number */
                r = pick(a, u->name, true, false, u->at, &uid);
        if (r >= 0)
                r = group_for(a, u, fixed ? &uid : NULL, group, &gid);
        if (r < 0)
                return r;
        if (!fixed && !group.len) {
                uid = gid;
                if (ash_pwdb_uid(&a->db, uid) && (r = pick(a, u->name, true, false, u->at, &uid)) < 0)
                        return r;
        }
        AshPwUser *p = ash_pwdb_add_user(&a->db, u->name, uid, gid);
        p->gecos = u->comment;
        p->home = u->home.len ? u->home : ASH_S("/");
        p->shell = u->shell.len ? u->shell : uid ? nologin() : ASH_S("/bin/sh");
        if (u->locked)
                p->shadow = ash_slice_str(ash_arena_printf(a->arena, "!*:%" PRId64 ":::::1:", a->c->time / 86400));
        return 0;
}

/* systemd-sysusers makes all groups, then all users; a membership declares both sides. */
static int apply_sysusers(Accounts *a) {
        int r = 0;
        ash_array_foreach(&a->lines.items, g) {
                uint32_t id;
                AshSlice none;
                bool fixed = ash_sysuser_id(g->id, &id, &none);
                if (r >= 0 && g->type == 'g')
                        r = add_group(a, g->name, fixed ? &id : NULL, g->at);
        }
        ash_array_foreach(&a->lines.items, g)
                if (r >= 0 && g->type == 'm')
                        r = add_group(a, g->id, NULL, g->at);
        ash_array_foreach(&a->lines.items, u)
                if (r >= 0 && u->type == 'u')
                        r = add_user(a, u);
        ash_array_foreach(&a->lines.items, m) {
                if (r < 0 || m->type != 'm')
                        continue;
                AshSysuser u = { .type = 'u', .name = m->name, .id = ASH_S(""), .comment = ASH_S(""), .home = ASH_S(""), .shell = ASH_S(""), .at = m->at };
                r = add_user(a, &u);
                if (r >= 0)
                        ash_pwdb_join(&a->db, m->id, m->name);
        }
        return r;
}

/* ---- the definition ---- */
static int check_number(Accounts *a, AshNumber n, const char *what, AshSlice name, AshSlice taken_by) {
        if (!n.set)
                return 0;
        if (n.value < 0 || n.value >= UINT32_MAX)
                return ash_fail(a->c->diags, -ERANGE, n.at, "%" PRId64 " is no number for a %s", n.value, what);
        if (taken_by.ptr && !ash_slice_eq(taken_by, name))
                return ash_fail(a->c->diags, -EEXIST, n.at, "the number %" PRId64 " for the %s '%.*s' is taken by '%.*s'", n.value, what, ASH_F(name), ASH_F(taken_by));
        return 0;
}

static int define_group(Accounts *a, AshSlice name, AshNumber gid, bool system_group, AshSpan at) {
        const AshPwGroup *there = ash_pwdb_group(&a->db, name), *same = gid.set ? ash_pwdb_gid(&a->db, (uint32_t) gid.value) : NULL;
        int r = check_number(a, gid, "group", name, same ? same->name : ASH_NOSLICE);
        uint32_t id = (uint32_t) gid.value;
        if (r < 0)
                return r;
        if (there)
                return gid.set && there->gid != id ? ash_fail(a->c->diags, -EEXIST, gid.at, "the group '%.*s' has the number %" PRIu32 " in a package", ASH_F(name), there->gid) : 0;
        if (!gid.set)
                r = pick(a, name, false, !system_group, at, &id);
        if (r >= 0)
                ash_pwdb_add_group(&a->db, name, id);
        return r;
}

/* Shells: a regular user's bash, where there is one. */
static AshSlice default_shell(const Accounts *a, const AshImageUser *d) {
        if (d->system_user.value == ASH_YES)
                return nologin();
        return ash_compose_read(a->c->tree, ASH_S("/bin/bash")).ptr ? ASH_S("/bin/bash") : ASH_S("/bin/sh");
}

static int make_user(Accounts *a, const AshImageUser *d) {
        uint32_t uid = (uint32_t) d->uid.value, gid;
        bool system_user = d->system_user.value == ASH_YES, root = ash_slice_eqs(d->name.s, "root") && !ash_pwdb_uid(&a->db, 0);
        int r = 0;
        if (!d->uid.set && !root) /* whom files of packages belong to, whether or not a package declares it */
                r = pick(a, d->name.s, true, !system_user, d->name.at, &uid);
        if (r >= 0 && !ash_text_set(d->primary_group)) {
                AshNumber wish = { .set = !ash_pwdb_gid(&a->db, uid), .value = uid, .at = d->name.at };
                if (!ash_pwdb_group(&a->db, d->name.s))
                        r = define_group(a, d->name.s, wish, system_user, d->name.at);
        }
        if (r < 0)
                return r;
        AshText group = ash_text_set(d->primary_group) ? d->primary_group : d->name;
        const AshPwGroup *g = ash_pwdb_group(&a->db, group.s);
        if (!g)
                return ash_fail(a->c->diags, -ENOENT, group.at, "the group '%.*s' of the user '%.*s' does not exist in this image", ASH_F(group.s), ASH_F(d->name.s));
        gid = g->gid;
        AshPwUser *u = ash_pwdb_add_user(&a->db, d->name.s, uid, gid);
        u->home = root ? ASH_S("/root") : system_user ? ASH_S("/") : ash_slice_str(ash_arena_printf(a->arena, "/home/%.*s", ASH_F(d->name.s)));
        u->shell = default_shell(a, d);
        if (!system_user)
                u->shadow = ash_slice_str(ash_arena_printf(a->arena, "!:%" PRId64 ":0:99999:7:::", a->c->time / 86400));
        return 0;
}

static void set_password(Accounts *a, AshPwUser *u, AshSlice hash) {
        AshSlice rest = u->shadow.ptr ? u->shadow : ash_slice_str(ash_arena_printf(a->arena, "x:%" PRId64 ":0:99999:7:::", a->c->time / 86400));
        ptrdiff_t colon = ash_slice_find_char(rest, ':');
        u->shadow = ash_slice_str(ash_arena_printf(a->arena, "%.*s%.*s", ASH_F(hash), ASH_F(ash_slice_from(rest, colon < 0 ? rest.len : (size_t) colon))));
}

static int define_user(Accounts *a, const AshImageUser *d) {
        const AshPwUser *taken = d->uid.set ? ash_pwdb_uid(&a->db, (uint32_t) d->uid.value) : NULL;
        int r = check_number(a, d->uid, "user", d->name.s, taken ? taken->name : ASH_NOSLICE);
        AshPwUser *u = ash_pwdb_user(&a->db, d->name.s);
        if (r >= 0 && u && d->uid.set && u->uid != d->uid.value)
                r = ash_fail(a->c->diags, -EEXIST, d->uid.at, "the user '%.*s' has the number %" PRIu32 " in a package", ASH_F(d->name.s), u->uid);
        if (r >= 0 && !u)
                r = make_user(a, d);
        if (r < 0)
                return r;
        u = ash_pwdb_user(&a->db, d->name.s);
        if (ash_text_set(d->comment))
                u->gecos = d->comment.s;
        if (ash_text_set(d->home))
                u->home = d->home.s;
        if (ash_text_set(d->shell))
                u->shell = d->shell.s;
        if (ash_text_set(d->password_hash))
                set_password(a, u, d->password_hash.s);
        if (ash_text_set(d->primary_group) && ash_pwdb_group(&a->db, d->primary_group.s))
                u->gid = ash_pwdb_group(&a->db, d->primary_group.s)->gid;
        return 0;
}

static int join(Accounts *a, AshText group, AshText user) {
        if (!ash_pwdb_group(&a->db, group.s))
                return ash_fail(a->c->diags, -ENOENT, group.at, "the group '%.*s' does not exist in this image", ASH_F(group.s));
        if (!ash_pwdb_user(&a->db, user.s))
                return ash_fail(a->c->diags, -ENOENT, user.at, "the user '%.*s' does not exist in this image", ASH_F(user.s));
        ash_pwdb_join(&a->db, group.s, user.s);
        return 0;
}

/* Groups with numbers, users with numbers, then those without: no wish is taken by somebody who has none. All mistakes are told. */
static int apply_definition(Accounts *a) {
        const AshImage *image = a->c->image;
        int result = 0, r;
        for (int numbered = 1; image && numbered >= 0; numbered--) {
                for (size_t i = 0; i < image->groups.n; i++)
                        if (image->groups.items[i].gid.set == (numbered > 0)) {
                                const AshImageGroup *g = &image->groups.items[i];
                                r = define_group(a, g->name.s, g->gid, g->system_group.value == ASH_YES, g->name.at);
                                result = r < 0 ? r : result;
                        }
                for (size_t i = 0; i < image->users.n; i++)
                        if (image->users.items[i].uid.set == (numbered > 0)) {
                                r = define_user(a, &image->users.items[i]);
                                result = r < 0 ? r : result;
                        }
        }
        for (size_t i = 0; result >= 0 && image && i < image->groups.n; i++)
                for (size_t k = 0; k < image->groups.items[i].members.n; k++) {
                        r = join(a, image->groups.items[i].name, image->groups.items[i].members.items[k]);
                        result = r < 0 ? r : result;
                }
        for (size_t i = 0; result >= 0 && image && i < image->users.n; i++)
                for (size_t k = 0; k < image->users.items[i].groups.n; k++) {
                        r = join(a, image->users.items[i].groups.items[k], image->users.items[i].name);
                        result = r < 0 ? r : result;
                }
        return result;
}

/* ---- homes ---- */
static void own(Accounts *a, AshNode n, const AshPwUser *u, uint32_t mode) {
        AshTreeNode *node = ash_tree_node(a->c->tree, n);
        const AshPwGroup *g = ash_pwdb_gid(&a->db, u->gid);
        node->user = ash_arena_slice(a->c->tree->arena, u->name);
        node->group = g ? ash_arena_slice(a->c->tree->arena, g->name) : ASH_S("root");
        node->mode = (node->mode & S_IFMT) | mode;
}

static int home_dir(Accounts *a, const AshPwUser *u, AshSlice path, uint32_t mode) {
        AshNode n = ash_tree_lookup(a->c->tree, path, true);
        if (n != ASH_NO_NODE && S_ISDIR(ash_tree_node(a->c->tree, n)->mode))
                return 0; /* a package's or the definition's own */
        int r = ash_tree_make_dirs(a->c->tree, path, a->c->origin, &n);
        if (r < 0)
                return ash_fail(a->c->diags, r, ASH_NOWHERE, "cannot make the directory %.*s: %s", ASH_F(path), ash_strerror(r));
        own(a, n, u, mode);
        return 0;
}

typedef struct Skel {
        Accounts *a;
        const AshPwUser *u;
} Skel;

static int copy_skel(void *context, AshSlice path, AshNode n) {
        Skel *s = context;
        AshHandlerContext *c = s->a->c;
        const AshTreeNode from = *ash_tree_node(c->tree, n);
        AshSlice target = ash_slice_str(ash_arena_printf(s->a->arena, "%.*s%.*s", ASH_F(s->u->home), ASH_F(ash_slice_from(path, strlen("/etc/skel")))));
        AshNode to;
        if (ash_tree_lookup(c->tree, target, false) != ASH_NO_NODE)
                return 0;
        int r = home_dir(s->a, s->u, ash_path_dir(target), 0755);
        if (r < 0 || S_ISLNK(from.mode))
                return r < 0 ? r : ash_handler_symlink(c, target, from.link);
        r = ash_handler_file(c, target, ash_compose_bytes(c->tree, n), from.mode & 07777, &to);
        if (r >= 0)
                own(s->a, to, s->u, from.mode & 07777);
        return r;
}

static int keys_of(Accounts *a, const AshImageUser *d, const AshPwUser *u) {
        _str_ AshStr text = {};
        AshNode n;
        for (size_t i = 0; i < d->ssh_keys.n; i++)
                ash_str_appendf(&text, "%.*s\n", ASH_F(ash_slice_trim(d->ssh_keys.items[i].s)));
        AshSlice dir = ash_slice_str(ash_arena_printf(a->arena, "%.*s/.ssh", ASH_F(u->home)));
        int r = home_dir(a, u, dir, 0700);
        if (r >= 0)
                r = ash_handler_file(a->c, ash_slice_str(ash_arena_printf(a->arena, "%s/authorized_keys", dir.ptr)), ash_str_slice(&text), 0600, &n);
        if (r >= 0)
                own(a, n, u, 0600);
        return r;
}

static int furnish(Accounts *a, const AshImageUser *d) {
        const AshPwUser *u = ash_pwdb_user(&a->db, d->name.s);
        int r = 0;
        if (u->fresh && d->system_user.value != ASH_YES) {
                Skel s = { a, u };
                r = home_dir(a, u, u->home, 0700);
                if (r >= 0)
                        r = ash_compose_match(a->c->tree, (const char *const[]){ "/etc/skel/**", NULL }, copy_skel, &s);
        }
        if (r >= 0 && d->ssh_keys.n)
                r = keys_of(a, d, u);
        if (r >= 0 && d->sudo.value == ASH_YES) {
                const char *path = ash_arena_printf(a->arena, "/etc/sudoers.d/%.*s", ASH_F(u->name)), *text = ash_arena_printf(a->arena, "%.*s ALL=(ALL:ALL) NOPASSWD: ALL\n", ASH_F(u->name));
                r = ash_handler_file(a->c, ash_slice_str(path), ash_slice_str(text), 0440, NULL);
        }
        return r;
}

int ash_handle_accounts(AshHandlerContext *c) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        Accounts a = { .c = c, .arena = arena };
        ash_pwdb_read(&a.db, c->tree, arena);
        ash_pwdb_take_masters(&a.db, c->tree);
        read_sysusers(&a);
        reserve(&a);
        int r = apply_sysusers(&a);
        if (r >= 0)
                r = apply_definition(&a);
        for (size_t i = 0; r >= 0 && c->image && i < c->image->users.n; i++)
                r = furnish(&a, &c->image->users.items[i]);
        if (r >= 0 && (a.db.users.n || a.db.groups.n))
                r = ash_pwdb_write(&a.db, c);
        ash_pwdb_done(&a.db);
        ash_sysusers_done(&a.lines);
        ash_map_done(&a.fixed_uids);
        ash_map_done(&a.fixed_gids);
        ash_array_foreach(&a.sources, s)
                ash_source_free(*s); /* diagnostics have their places already */
        ash_array_done(&a.sources);
        return r;
}
