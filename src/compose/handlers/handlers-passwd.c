/* The account files: passwd(5), group(5), shadow(5), gshadow(5). Lines that are none (comments, NIS) are left out. */
#include <inttypes.h>
#include "handlers-private.h"

static AshSlice field(AshSlice *rest) {
        AshSlice part = ASH_S("");
        (void) ash_slice_split(rest, ':', &part);
        return part;
}

static bool number(AshSlice s, uint32_t *ret) {
        uint64_t n;
        if (ash_slice_to_u64(s, 10, &n) < 0 || n > UINT32_MAX)
                return false;
        *ret = (uint32_t) n;
        return true;
}

static AshSlice file_text(const AshPwDb *db, const AshTree *t, const char *path) { return ash_arena_slice(db->arena, ash_compose_read(t, ash_slice_str(path))); }

AshPwUser *ash_pwdb_user(const AshPwDb *db, AshSlice name) {
        uintptr_t i = (uintptr_t) ash_map_get(&db->user_names, name);
        return i ? &db->users.items[i - 1] : NULL;
}

AshPwGroup *ash_pwdb_group(const AshPwDb *db, AshSlice name) {
        uintptr_t i = (uintptr_t) ash_map_get(&db->group_names, name);
        return i ? &db->groups.items[i - 1] : NULL;
}

AshPwUser *ash_pwdb_uid(const AshPwDb *db, uint32_t uid) {
        for (size_t i = 0; i < db->users.n; i++)
                if (db->users.items[i].uid == uid)
                        return &db->users.items[i];
        return NULL;
}

AshPwGroup *ash_pwdb_gid(const AshPwDb *db, uint32_t gid) {
        for (size_t i = 0; i < db->groups.n; i++)
                if (db->groups.items[i].gid == gid)
                        return &db->groups.items[i];
        return NULL;
}

AshPwUser *ash_pwdb_add_user(AshPwDb *db, AshSlice name, uint32_t uid, uint32_t gid) {
        AshPwUser *u = ash_array_add(&db->users);
        *u = (AshPwUser){ .name = ash_arena_slice(db->arena, name), .password = ASH_S("x"), .gecos = ASH_S(""), .home = ASH_S("/"), .shell = ASH_S(""), .uid = uid, .gid = gid, .fresh = true };
        ash_map_put(&db->user_names, u->name, (void *) (uintptr_t) db->users.n, NULL);
        return u;
}

AshPwGroup *ash_pwdb_add_group(AshPwDb *db, AshSlice name, uint32_t gid) {
        AshPwGroup *g = ash_array_add(&db->groups);
        *g = (AshPwGroup){ .name = ash_arena_slice(db->arena, name), .password = ASH_S("x"), .gid = gid, .fresh = true };
        ash_map_put(&db->group_names, g->name, (void *) (uintptr_t) db->groups.n, NULL);
        return g;
}

static int by_name(const void *a, const void *b) { return ash_slice_cmp(*(const AshSlice *) a, *(const AshSlice *) b); }

/* systemd-sysusers sorts the members of a group that it adds to. */
void ash_pwdb_join(AshPwDb *db, AshSlice group, AshSlice user) {
        AshPwGroup *g = ash_pwdb_group(db, group);
        for (size_t i = 0; i < g->members.n; i++)
                if (ash_slice_eq(g->members.items[i], user))
                        return;
        ash_array_push(&g->members, ash_arena_slice(db->arena, user));
        qsort(g->members.items, g->members.n, sizeof(AshSlice), by_name);
}

static void read_users(AshPwDb *db, const AshTree *t) {
        AshSlice rest = file_text(db, t, "/etc/passwd"), line;
        while (ash_slice_next_line(&rest, &line)) {
                uint32_t uid, gid;
                AshSlice name = field(&line), password = field(&line);
                if (!name.len || !number(field(&line), &uid) || !number(field(&line), &gid) || ash_pwdb_user(db, name))
                        continue;
                AshPwUser *u = ash_pwdb_add_user(db, name, uid, gid);
                u->password = password;
                u->gecos = field(&line);
                u->home = field(&line);
                u->shell = field(&line);
                u->fresh = false;
        }
        rest = file_text(db, t, "/etc/shadow");
        while (ash_slice_next_line(&rest, &line)) {
                AshPwUser *u = ash_pwdb_user(db, field(&line));
                if (u && line.ptr)
                        u->shadow = line;
        }
}

static void read_groups(AshPwDb *db, const AshTree *t) {
        AshSlice rest = file_text(db, t, "/etc/group"), line, member;
        while (ash_slice_next_line(&rest, &line)) {
                uint32_t gid;
                AshSlice name = field(&line), password = field(&line);
                if (!name.len || !number(field(&line), &gid) || ash_pwdb_group(db, name))
                        continue;
                AshPwGroup *g = ash_pwdb_add_group(db, name, gid);
                g->password = password;
                g->fresh = false;
                while (ash_slice_split(&line, ',', &member))
                        if (member.len)
                                ash_array_push(&g->members, member);
        }
        rest = file_text(db, t, "/etc/gshadow");
        while (ash_slice_next_line(&rest, &line)) {
                AshPwGroup *g = ash_pwdb_group(db, field(&line));
                ptrdiff_t colon = ash_slice_rfind_char(line, ':');
                if (g && colon >= 0)
                        g->gshadow = ash_slice(line.ptr, (size_t) colon);
        }
}

void ash_pwdb_read(AshPwDb *db, const AshTree *t, AshArena *arena) {
        *db = (AshPwDb){ .arena = arena, .has_users = ash_compose_read(t, ASH_S("/etc/passwd")).ptr != NULL };
        read_users(db, t);
        read_groups(db, t);
}

void ash_pwdb_done(AshPwDb *db) {
        for (size_t i = 0; i < db->groups.n; i++)
                ash_array_done(&db->groups.items[i].members);
        ash_array_done(&db->users);
        ash_array_done(&db->groups);
        ash_map_done(&db->user_names);
        ash_map_done(&db->group_names);
}

/* ---- Debian's masters ---- */
/* Numbers of those that are there become the masters'; those that are missing come behind, as they stand there. */
static void take_users(AshPwDb *db, AshSlice rest) {
        AshSlice line;
        while (ash_slice_next_line(&rest, &line)) {
                uint32_t uid, gid;
                AshSlice name = field(&line), password = field(&line);
                if (!name.len || !number(field(&line), &uid) || !number(field(&line), &gid))
                        continue;
                AshPwUser *u = ash_pwdb_user(db, name);
                if (u) {
                        u->uid = uid;
                        u->gid = gid;
                        continue;
                }
                u = ash_pwdb_add_user(db, name, uid, gid);
                u->password = ash_arena_slice(db->arena, password);
                u->gecos = ash_arena_slice(db->arena, field(&line));
                u->home = ash_arena_slice(db->arena, field(&line));
                u->shell = ash_arena_slice(db->arena, field(&line));
                u->fresh = false;
        }
}

static void take_groups(AshPwDb *db, AshSlice rest) {
        AshSlice line;
        while (ash_slice_next_line(&rest, &line)) {
                uint32_t gid;
                AshSlice name = field(&line), password = field(&line);
                if (!name.len || !number(field(&line), &gid))
                        continue;
                AshPwGroup *g = ash_pwdb_group(db, name);
                if (g) {
                        g->gid = gid;
                        continue;
                }
                g = ash_pwdb_add_group(db, name, gid);
                g->password = ash_arena_slice(db->arena, password);
                g->fresh = false;
        }
}

void ash_pwdb_take_masters(AshPwDb *db, const AshTree *t) {
        AshSlice users = ash_compose_read(t, ASH_S("/usr/share/base-passwd/passwd.master")), groups = ash_compose_read(t, ASH_S("/usr/share/base-passwd/group.master"));
        db->has_users |= users.ptr != NULL;
        take_users(db, users);
        take_groups(db, groups);
}

/* ---- writing ---- */
typedef struct Aging { /* login.defs(5); pwconv's own defaults are "not set" */
        int64_t min, max, warn;
} Aging;

static Aging aging_of(const AshTree *t) {
        Aging a = { -1, -1, -1 };
        AshSlice rest = ash_compose_read(t, ASH_S("/etc/login.defs")), line, key, value;
        while (ash_slice_next_line(&rest, &line)) {
                uint64_t n;
                if (!ash_slice_next_word(&line, &key) || !ash_slice_next_word(&line, &value) || ash_slice_to_u64(ash_slice_trim(value), 10, &n) < 0 || n > INT32_MAX)
                        continue;
                if (ash_slice_eqs(key, "PASS_MIN_DAYS"))
                        a.min = (int64_t) n;
                else if (ash_slice_eqs(key, "PASS_MAX_DAYS"))
                        a.max = (int64_t) n;
                else if (ash_slice_eqs(key, "PASS_WARN_AGE"))
                        a.warn = (int64_t) n;
        }
        return a;
}

static void put_days(AshStr *out, int64_t days) {
        if (days >= 0)
                ash_str_appendf(out, "%" PRId64, days);
        ash_str_append_char(out, ':');
}

static void write_users(AshPwDb *db, const AshHandlerContext *c, AshStr *passwd, AshStr *shadow) {
        Aging aging = aging_of(c->tree);
        for (size_t i = 0; i < db->users.n; i++) {
                AshPwUser *u = &db->users.items[i];
                ash_str_appendf(passwd, "%.*s:x:%" PRIu32 ":%" PRIu32 ":%.*s:%.*s:%.*s\n", ASH_F(u->name), u->uid, u->gid, ASH_F(u->gecos), ASH_F(u->home), ASH_F(u->shell));
                ash_str_appendf(shadow, "%.*s:", ASH_F(u->name));
                if (u->shadow.ptr)
                        ash_str_append(shadow, u->shadow);
                else {
                        ash_str_appendf(shadow, "%.*s:%" PRId64 ":", ASH_F(u->fresh ? ASH_S("!*") : u->password), c->time / 86400);
                        put_days(shadow, u->fresh ? -1 : aging.min);
                        put_days(shadow, u->fresh ? -1 : aging.max);
                        put_days(shadow, u->fresh ? -1 : aging.warn);
                        ash_str_append_str(shadow, "::");
                }
                ash_str_append_char(shadow, '\n');
        }
}

static void write_groups(AshPwDb *db, AshStr *group, AshStr *gshadow) {
        for (size_t i = 0; i < db->groups.n; i++) {
                AshPwGroup *g = &db->groups.items[i];
                _str_ AshStr members = {};
                for (size_t k = 0; k < g->members.n; k++)
                        ash_str_appendf(&members, "%s%.*s", k ? "," : "", ASH_F(g->members.items[k]));
                AshSlice list = ash_str_slice(&members);
                ash_str_appendf(group, "%.*s:x:%" PRIu32 ":%.*s\n", ASH_F(g->name), g->gid, ASH_F(list));
                if (g->gshadow.ptr)
                        ash_str_appendf(gshadow, "%.*s:%.*s:%.*s\n", ASH_F(g->name), ASH_F(g->gshadow), ASH_F(list));
                else
                        ash_str_appendf(gshadow, "%.*s:%.*s::%.*s\n", ASH_F(g->name), ASH_F(g->fresh ? ASH_S("!*") : g->password), ASH_F(list));
        }
}

/* Debian lets the group shadow read them (what its passwd package does on installation); elsewhere only root's capabilities do. */
static int put_shadow(AshPwDb *db, AshHandlerContext *c, AshSlice path, const AshStr *text) {
        bool there = ash_compose_read(c->tree, path).ptr, group = ash_pwdb_group(db, ASH_S("shadow"));
        AshNode n;
        int r = ash_handler_file(c, path, ash_str_slice(text), group ? 0640 : 0, &n);
        if (r >= 0 && !there && group)
                ash_tree_node(c->tree, n)->group = ASH_S("shadow");
        return r;
}

int ash_pwdb_write(AshPwDb *db, AshHandlerContext *c) {
        _str_ AshStr passwd = {}, shadow = {}, group = {}, gshadow = {};
        write_users(db, c, &passwd, &shadow);
        write_groups(db, &group, &gshadow);
        int r = ash_handler_file(c, ASH_S("/etc/passwd"), ash_str_slice(&passwd), 0644, NULL);
        if (r >= 0)
                r = ash_handler_file(c, ASH_S("/etc/group"), ash_str_slice(&group), 0644, NULL);
        if (r >= 0)
                r = put_shadow(db, c, ASH_S("/etc/shadow"), &shadow);
        return r < 0 ? r : put_shadow(db, c, ASH_S("/etc/gshadow"), &gshadow);
}
