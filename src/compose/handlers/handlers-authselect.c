/* What "authselect select" makes of a profile (authselect-profiles(5)): name services and PAM stacks of its templates, and the links to them. The profile is that of /etc/authselect/authselect.conf (its name, then
 * features, one a line), else the first of the stock ones that is there. */
#include "handlers-private.h"

#define ETC "/etc/authselect"
#define SHARE "/usr/share/authselect"

typedef struct Authselect {
        AshHandlerContext *c;
        AshArena *arena;
        AshSlice profile, dir;
        ASH_ARRAY(AshSlice) features;
} Authselect;

static const struct { const char *name, *link; } files[] = {
        { "system-auth", "/etc/pam.d/system-auth" },           { "password-auth", "/etc/pam.d/password-auth" }, { "fingerprint-auth", "/etc/pam.d/fingerprint-auth" },
        { "smartcard-auth", "/etc/pam.d/smartcard-auth" },     { "postlogin", "/etc/pam.d/postlogin" },         { "nsswitch.conf", "/etc/nsswitch.conf" },
        { "dconf-db", "/etc/dconf/db/distro.d/20-authselect" }, { "dconf-locks", "/etc/dconf/db/distro.d/locks/20-authselect" },
};

/* ---- expressions: "feature", not, and, or, parentheses ---- */
typedef struct Expression {
        const Authselect *a;
        AshSlice rest;
        bool bad;
        unsigned depth;
} Expression;

static bool skip(Expression *e, const char *word) {
        AshSlice s = ash_slice_trim_left(e->rest);
        if (!ash_slice_starts(s, ash_slice_str(word)))
                return false;
        e->rest = ash_slice_from(s, strlen(word));
        return true;
}

static bool has_feature(const Authselect *a, AshSlice name) {
        ash_array_foreach(&a->features, f)
                if (ash_slice_eq(*f, name))
                        return true;
        return false;
}

static bool quoted(AshSlice *rest, AshSlice *ret) {
        AshSlice s = ash_slice_trim_left(*rest);
        if (!s.len || s.ptr[0] != '"')
                return false;
        ptrdiff_t end = ash_slice_find_char(ash_slice_from(s, 1), '"');
        if (end < 1)
                return false;
        *ret = ash_slice_sub(s, 1, (size_t) end);
        *rest = ash_slice_from(s, (size_t) end + 2);
        return true;
}

static bool either(Expression *e);
static bool single(Expression *e) {
        AshSlice name;
        bool value = false;
        if (++e->depth > 64)
                e->bad = true;
        else if (skip(e, "not"))
                value = !single(e);
        else if (skip(e, "(")) {
                value = either(e);
                e->bad |= !skip(e, ")");
        } else if (quoted(&e->rest, &name))
                value = has_feature(e->a, name);
        else
                e->bad = true;
        e->depth--;
        return value;
}
static bool both(Expression *e) {
        bool value = single(e);
        while (!e->bad && skip(e, "and"))
                value &= single(e);
        return value;
}
static bool either(Expression *e) {
        bool value = both(e);
        while (!e->bad && skip(e, "or"))
                value |= both(e);
        return value;
}

/* 1, 0, or -EINVAL. */
static int evaluate(const Authselect *a, AshSlice text) {
        Expression e = { .a = a, .rest = text };
        bool value = either(&e);
        return e.bad || ash_slice_trim(e.rest).len ? -EINVAL : value;
}

/* ---- templates ---- */
typedef enum Fate { LINE_STAYS, LINE_GOES, REST_GOES } Fate;

static bool starts(AshSlice *s, const char *word) {
        if (!ash_slice_starts(*s, ash_slice_str(word)))
                return false;
        *s = ash_slice_from(*s, strlen(word));
        return true;
}

/* What stands between the braces: how it goes on with the line, and what takes its place. -EINVAL: it is no operator, and plain text. */
static int operate(Authselect *a, AshSlice op, AshStr *out, Fate *ret) {
        static const struct { const char *word; Fate yes, no; } lines[] = {
                { "continue if ", LINE_GOES, REST_GOES }, { "stop if ", REST_GOES, LINE_GOES }, { "include if ", LINE_STAYS, LINE_GOES }, { "exclude if ", LINE_GOES, LINE_STAYS },
        };
        AshSlice name, no = ASH_S("");
        *ret = LINE_STAYS;
        for (size_t i = 0; i < ASH_N(lines); i++)
                if (starts(&op, lines[i].word)) {
                        int value = evaluate(a, op);
                        *ret = value > 0 ? lines[i].yes : lines[i].no;
                        return value;
                }
        if (starts(&op, "imply ")) {
                if (!quoted(&op, &name) || !starts(&op, " if "))
                        return -EINVAL;
                int value = evaluate(a, op);
                if (value > 0 && !has_feature(a, name))
                        ash_array_push(&a->features, name);
                *ret = LINE_GOES;
                return value;
        }
        ptrdiff_t colon = ash_slice_find_char(op, ':');
        if (!starts(&op, "if ") || colon < 3)
                return -EINVAL;
        int value = evaluate(a, ash_slice_sub(op, 0, (size_t) colon - 3));
        AshSlice yes = ash_slice_from(op, (size_t) colon - 2);
        ptrdiff_t bar = ash_slice_find_char(yes, '|');
        if (bar >= 0) {
                no = ash_slice_from(yes, (size_t) bar + 1);
                yes = ash_slice_sub(yes, 0, (size_t) bar);
        }
        if (value >= 0)
                ash_str_append(out, value ? yes : no);
        return value;
}

static Fate one_line(Authselect *a, AshSlice line, AshStr *out, AshSlice path) {
        Fate fate = LINE_STAYS;
        while (fate == LINE_STAYS) {
                ptrdiff_t close = ash_slice_find_char(line, '}'), open = close < 0 ? -1 : ash_slice_rfind_char(ash_slice_sub(line, 0, (size_t) close), '{');
                if (close < 0)
                        break;
                if (open < 0) {
                        ash_str_append(out, ash_slice_sub(line, 0, (size_t) close + 1));
                        line = ash_slice_from(line, (size_t) close + 1);
                        continue;
                }
                AshSlice op = ash_slice_sub(line, (size_t) open + 1, (size_t) (close - open - 1));
                ash_str_append(out, ash_slice_sub(line, 0, (size_t) open));
                if (operate(a, op, out, &fate) < 0) {
                        ash_warn(a->c->diags, ASH_NOWHERE, "%.*s: '{%.*s}' is no operator of a template and stays as it is", ASH_F(path), ASH_F(op));
                        ash_str_appendf(out, "{%.*s}", ASH_F(op));
                        fate = LINE_STAYS;
                }
                line = ash_slice_from(line, (size_t) close + 1);
        }
        if (fate == LINE_STAYS)
                ash_str_append(out, line);
        return fate;
}

static void generate(Authselect *a, AshSlice template, AshStr *out, AshSlice path) {
        AshSlice line;
        Fate fate = LINE_STAYS;
        while (fate != REST_GOES && ash_slice_next_line(&template, &line)) {
                _str_ AshStr text = {};
                fate = one_line(a, line, &text, path);
                if (fate == LINE_STAYS)
                        ash_str_appendf(out, "%.*s\n", ASH_F(ash_slice_trim_right(ash_str_slice(&text))));
        }
}

/* ---- the profile ---- */
static bool is_dir(const AshTree *t, AshSlice path) {
        AshNode n = ash_tree_lookup(t, path, true);
        return n != ASH_NO_NODE && S_ISDIR(ash_tree_node(t, n)->mode);
}

/* "custom/NAME" is the administrator's; of the others the vendor's goes before the stock one. */
static bool find_profile(Authselect *a, AshSlice name) {
        static const char *const places[] = { SHARE "/vendor", SHARE "/default" };
        AshSlice custom = name;
        if (starts(&custom, "custom/")) {
                a->dir = ash_slice_str(ash_arena_printf(a->arena, ETC "/custom/%.*s", ASH_F(custom)));
                return custom.len && ash_slice_find_char(custom, '/') < 0 && is_dir(a->c->tree, a->dir);
        }
        for (size_t i = 0; i < ASH_N(places); i++) {
                a->dir = ash_slice_str(ash_arena_printf(a->arena, "%s/%.*s", places[i], ASH_F(name)));
                if (name.len && ash_slice_find_char(name, '/') < 0 && is_dir(a->c->tree, a->dir))
                        return true;
        }
        return false;
}

/* What the image says itself: false when it says nothing. */
static bool read_choice(Authselect *a) {
        AshSlice rest = ash_compose_read(a->c->tree, ASH_S(ETC "/authselect.conf")), line;
        while (rest.ptr && ash_slice_next_line(&rest, &line)) {
                line = ash_slice_trim(line);
                if (line.len && !a->profile.ptr)
                        a->profile = line;
                else if (line.len)
                        ash_array_push(&a->features, line);
        }
        return a->profile.ptr;
}

static int choose(Authselect *a) {
        static const char *const stock[] = { "local", "minimal", "sssd" }; /* Fedora 40 and later, before, RHEL without either */
        if (read_choice(a))
                return find_profile(a, a->profile) ? 1 : ash_fail(a->c->diags, -ENOENT, ASH_NOWHERE, ETC "/authselect.conf asks for the profile '%.*s', which is not in this image", ASH_F(a->profile));
        for (size_t i = 0; i < ASH_N(stock); i++) {
                a->profile = ash_slice_str(stock[i]);
                if (find_profile(a, a->profile))
                        return 1;
        }
        return 0;
}

static int put_one(Authselect *a, size_t i) {
        _str_ AshStr out = {};
        AshSlice path = ash_slice_str(ash_arena_printf(a->arena, "%.*s/%s", ASH_F(a->dir), files[i].name)), template = ash_compose_read(a->c->tree, path);
        AshSlice place = ash_slice_str(ash_arena_printf(a->arena, ETC "/%s", files[i].name));
        size_t given = a->features.n;
        ash_str_append_str(&out, "# Generated by authselect\n# Do not modify this file manually, use authselect instead. Any user changes will be overwritten.\n"
                                 "# You can stop authselect from managing your configuration by calling 'authselect opt-out'.\n# See authselect(8) for more details.\n\n");
        if (template.ptr)
                generate(a, template, &out, path);
        a->features.n = given; /* what a template implies counts for itself */
        int r = ash_handler_file(a->c, place, ash_str_slice(&out), 0644, NULL);
        return r < 0 ? r : ash_handler_symlink(a->c, ash_slice_str(files[i].link), place);
}

bool ash_wants_authselect(const AshHandlerContext *c) { return is_dir(c->tree, ASH_S(SHARE "/default")); }

int ash_handle_authselect(AshHandlerContext *c) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        Authselect a = { .c = c, .arena = arena };
        int r = choose(&a);
        for (size_t i = 0; r > 0 && i < ASH_N(files); i++) {
                int k = put_one(&a, i);
                r = k < 0 ? k : r;
        }
        if (r > 0 && !ash_compose_read(c->tree, ASH_S(ETC "/authselect.conf")).len) {
                AshSlice text = ash_slice_str(ash_arena_printf(arena, "%.*s\n\n", ASH_F(a.profile)));
                r = ash_handler_file(c, ASH_S(ETC "/authselect.conf"), text, 0644, NULL);
        }
        ash_array_done(&a.features);
        return r < 0 ? r : 0;
}
