/* What update-ca-certificates makes of Debian's certificates: /etc/ssl/certs with one link for each, the bundle, and links named after the subjects' hashes. */
#include "handlers-private.h"
#include "io-x509.h"

#define CERTS "/usr/share/ca-certificates"
#define LOCAL "/usr/local/share/ca-certificates"
#define ETC "/etc/ssl/certs"
#define CONF "/etc/ca-certificates.conf"

typedef struct Ca {
        AshHandlerContext *c;
        AshArena *arena;
        AshStr bundle, conf;
        ASH_ARRAY(AshSlice) listed; /* paths */
} Ca;

static int list(void *context, AshSlice path, AshNode n _unused_) {
        Ca *ca = context;
        ash_array_push(&ca->listed, ash_arena_slice(ca->arena, path));
        return 0;
}

/* The configured ones; without a configuration all are on, as a first installation has it. */
static int choose(Ca *ca) {
        const AshTree *t = ca->c->tree;
        AshSlice rest = ash_compose_read(t, ASH_S(CONF)), line;
        if (!rest.ptr) {
                int r = ash_compose_match(t, (const char *const[]){ CERTS "/**/*.crt", NULL }, list, ca);
                ash_str_append_str(&ca->conf, "# One certificate a line, relative to " CERTS "; a line that starts with '!' switches one off.\n");
                ash_array_foreach(&ca->listed, path)
                        ash_str_appendf(&ca->conf, "%.*s\n", ASH_F(ash_slice_from(*path, strlen(CERTS) + 1)));
                if (r < 0)
                        return r;
        }
        while (ash_slice_next_line(&rest, &line)) {
                if (!line.len || line.ptr[0] == '#' || line.ptr[0] == '!')
                        continue;
                AshSlice path = ash_slice_str(ash_arena_printf(ca->arena, CERTS "/%.*s", ASH_F(line)));
                if (ash_compose_read(t, path).ptr)
                        ash_array_push(&ca->listed, path);
                else
                        ash_warn(ca->c->diags, ASH_NOWHERE, "%s lists %.*s, which does not exist", CONF, ASH_F(path));
        }
        return ash_compose_match(t, (const char *const[]){ LOCAL "/**/*.crt", NULL }, list, ca);
}

static AshSlice link_name(Ca *ca, AshSlice path) {
        AshSlice base = ash_path_base(path);
        if (ash_slice_ends(base, ASH_S(".crt")))
                base.len -= 4;
        char *name = ash_arena_printf(ca->arena, ETC "/%.*s.pem", ASH_F(base));
        for (char *p = name + strlen(ETC) + 1; *p; p++)
                *p = *p == ' ' || *p == ',' ? '_' : *p == '(' || *p == ')' ? '=' : *p;
        return ash_slice_str(name);
}

static int add(Ca *ca, AshSlice path) {
        AshSlice pem = ash_compose_read(ca->c->tree, path);
        ash_str_append(&ca->bundle, pem);
        if (pem.len && pem.ptr[pem.len - 1] != '\n')
                ash_str_append_char(&ca->bundle, '\n');
        return ash_handler_symlink(ca->c, link_name(ca, path), path);
}

static bool has_certificate_name(AshSlice name) {
        static const char *const ends[] = { ".pem", ".crt", ".cer" };
        for (size_t i = 0; i < ASH_N(ends); i++)
                if (ash_slice_ends(name, ash_slice_str(ends[i])))
                        return true;
        return false;
}

/* Lines "hash.number name", for the files of the directory by name, whoever put them there: several with one hash are numbered in that order. */
static int hash_all(AshHandlerContext *c, void *context, AshStr *out) {
        Ca *ca = context;
        const AshTree *t = c->tree;
        AshNode dir = ash_tree_lookup(t, ASH_S(ETC), true);
        _map_ AshMap known = {}, counts = {};
        for (uint32_t i = 0; i < ash_tree_node(t, dir)->n_children; i++) {
                AshSlice name = ash_tree_node(t, ash_tree_node(t, dir)->children[i])->name;
                AshSlice pem = has_certificate_name(name) ? ash_compose_read(t, ash_slice_str(ash_arena_printf(ca->arena, ETC "/%.*s", ASH_F(name)))) : ASH_NOSLICE;
                AshX509Name x;
                bool fresh;
                if (!pem.ptr || ash_x509_name(pem, &x) < 0)
                        continue;
                (void) ash_map_ensure(&known, ash_arena_slice(ca->arena, ash_slice((const char *) x.sha1, sizeof x.sha1)), &fresh);
                if (!fresh)
                        continue;
                AshMapEntry *e = ash_map_ensure(&counts, ash_slice_str(ash_arena_printf(ca->arena, "%08x", x.hash)), &fresh);
                ash_str_appendf(out, "%08x.%u %.*s\n", x.hash, (unsigned) (uintptr_t) e->value, ASH_F(name));
                e->value = (void *) ((uintptr_t) e->value + 1);
        }
        return 0;
}

static int rehash(Ca *ca) {
        AshSlice lines, line;
        int r = ash_handler_cached(ca->c, ASH_S(""), hash_all, ca, &lines);
        while (r >= 0 && ash_slice_next_line(&lines, &line)) {
                ptrdiff_t space = ash_slice_find_char(line, ' ');
                AshSlice path = ash_slice_str(ash_arena_printf(ca->arena, ETC "/%.*s", (int) space, line.ptr));
                r = ash_handler_symlink(ca->c, path, ash_slice_from(line, (size_t) space + 1));
        }
        return r;
}

bool ash_wants_ca(const AshHandlerContext *c) {
        return ash_tree_lookup(c->tree, ASH_S(CERTS), true) != ASH_NO_NODE || ash_tree_lookup(c->tree, ASH_S(LOCAL), true) != ASH_NO_NODE;
}

int ash_handle_ca(AshHandlerContext *c) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        Ca ca = { .c = c, .arena = arena };
        AshNode dir;
        int r = ash_tree_make_dirs(c->tree, ASH_S(ETC), c->origin, &dir);
        if (r < 0)
                r = ash_fail(c->diags, r, ASH_NOWHERE, "cannot make " ETC ": %s", ash_strerror(r));
        else
                r = choose(&ca);
        for (size_t i = 0; r >= 0 && i < ca.listed.n; i++)
                r = add(&ca, ca.listed.items[i]);
        if (r >= 0 && ca.conf.len)
                r = ash_handler_file(c, ASH_S(CONF), ash_str_slice(&ca.conf), 0644, NULL);
        if (r >= 0)
                r = rehash(&ca);
        if (r >= 0)
                r = ash_handler_file(c, ASH_S(ETC "/ca-certificates.crt"), ash_str_slice(&ca.bundle), 0644, NULL);
        ash_array_done(&ca.listed);
        ash_str_done(&ca.bundle);
        ash_str_done(&ca.conf);
        return r;
}
