/* image diff: what differs between two trees. */
#include "verb-image.h"
#include "io.h"

typedef struct Diff {
        AshCli *cli;
        const AshTree *a, *b;
        size_t n;
        AshJson *j;
        AshStr path;
} Diff;

static AshSlice package_name(AshSlice nevra) {
        AshPackage p = {};
        return ash_nevra_parse(nevra, &p) < 0 ? nevra : p.name;
}

/* Whose a path is; nothing for a directory that nobody declares. */
static void append_origin(AshStr *out, const AshTree *t, AshNode n) {
        const AshOrigin *o = &t->origins.items[ash_tree_node(t, n)->origin];
        switch (o->kind) {
        case ASH_ORIGIN_PACKAGE: ash_str_appendf(out, "of %.*s", ASH_F(package_name(o->name))); break;
        case ASH_ORIGIN_HANDLER: ash_str_appendf(out, "by handler %.*s", ASH_F(o->name)); break;
        case ASH_ORIGIN_DEFINITION: ash_str_append_str(out, "by the definition"); break;
        case ASH_ORIGIN_SCRIPTLET: ash_str_appendf(out, "by %.*s", ASH_F(o->name)); break;
        case ASH_ORIGIN_IMPLIED: break;
        }
}

/* One that is not in both has it from its only side. */
static void append_origins(const Diff *d, AshNode a, AshNode b, AshStr *out) {
        _str_ AshStr was = {}, is = {};
        if (a != ASH_NO_NODE)
                append_origin(&was, d->a, a);
        if (b != ASH_NO_NODE)
                append_origin(&is, d->b, b);
        ash_str_append(out, ash_str_slice(was.len ? &was : &is));
        if (was.len && is.len && !ash_slice_eq(ash_str_slice(&was), ash_str_slice(&is)))
                ash_str_appendf(out, ", now %.*s", ASH_F(ash_str_slice(&is)));
}

static void print_line(Diff *d, char sign, AshSlice what, AshSlice path, AshSlice origin) {
        d->n++;
        if (!d->j) {
                ash_cli_printf(d->cli, "%c %.*s", sign, ASH_F(what));
                if (origin.len)
                        ash_cli_printf(d->cli, " (%.*s)", ASH_F(origin));
                ash_cli_print(d->cli, "\n");
                return;
        }
        ash_json_begin(d->j, NULL, '{');
        ash_json_str(d->j, "change", sign == '+' ? "added" : sign == '-' ? "removed" : "changed");
        ash_json_text(d->j, "what", what);
        if (path.len)
                ash_json_text(d->j, "path", path);
        if (origin.len)
                ash_json_text(d->j, "origin", origin);
        ash_json_end(d->j, '}');
}

static void package_line(Diff *d, char sign, const char *format, ...) _printf_(3, 4);
static void package_line(Diff *d, char sign, const char *format, ...) {
        _str_ AshStr text = {};
        va_list ap;
        va_start(ap, format);
        ash_str_appendv(&text, format, ap);
        va_end(ap);
        print_line(d, sign, ash_str_slice(&text), ASH_NOSLICE, ASH_NOSLICE);
}

/* A path of one side or of both, and what of it differs. */
static void path_line(Diff *d, char sign, AshNode a, AshNode b, AshSlice differs) {
        _str_ AshStr what = {}, origin = {};
        AshSlice path = d->path.len ? ash_str_slice(&d->path) : ASH_S("/");
        ash_str_append(&what, path);
        if (differs.len)
                ash_str_appendf(&what, ":%.*s", ASH_F(differs));
        append_origins(d, a, b, &origin);
        print_line(d, sign, ash_str_slice(&what), path, ash_str_slice(&origin));
}

static void diff_packages(Diff *d) {
        _map_ AshMap old = {}, fresh = {};
        ash_array_foreach(&d->a->origins, o)
                if (o->kind == ASH_ORIGIN_PACKAGE)
                        ash_map_put(&old, package_name(o->name), o, NULL);
        ash_array_foreach(&d->b->origins, o)
                if (o->kind == ASH_ORIGIN_PACKAGE)
                        ash_map_put(&fresh, package_name(o->name), o, NULL);
        ash_map_foreach(&old, e) {
                const AshOrigin *was = e->value, *is = ash_map_get(&fresh, e->key);
                if (!is)
                        package_line(d, '-', "package %.*s", ASH_F(was->name));
                else if (!ash_slice_eq(is->name, was->name))
                        package_line(d, '~', "package %.*s -> %.*s", ASH_F(was->name), ASH_F(is->name));
        }
        ash_map_foreach(&fresh, e)
                if (!ash_map_find(&old, e->key))
                        package_line(d, '+', "package %.*s", ASH_F(((const AshOrigin *) e->value)->name));
}

static bool same_xattrs(const AshTreeNode *a, const AshTreeNode *b) {
        bool same = a->n_xattrs == b->n_xattrs;
        for (uint32_t i = 0; same && i < a->n_xattrs; i++)
                same = ash_slice_eq(a->xattrs[i].name, b->xattrs[i].name) && ash_slice_eq(a->xattrs[i].value, b->xattrs[i].value);
        return same;
}

static void diff_nodes(Diff *d, AshNode na, AshNode nb) {
        const AshTreeNode *a = ash_tree_node(d->a, na), *b = ash_tree_node(d->b, nb), *ca = ash_image_body(d->a, na), *cb = ash_image_body(d->b, nb);
        _str_ AshStr what = {};
        if ((a->mode ^ b->mode) & S_IFMT)
                ash_str_append_str(&what, " type");
        if ((a->mode ^ b->mode) & 07777)
                ash_str_appendf(&what, " mode %04o -> %04o", a->mode & 07777, b->mode & 07777);
        if ((a->mode ^ b->mode) & 06000)
                ash_str_append_str(&what, " (set-id)");
        if (a->uid != b->uid || a->gid != b->gid)
                ash_str_appendf(&what, " owner %u:%u -> %u:%u", a->uid, a->gid, b->uid, b->gid);
        if (S_ISLNK(a->mode) && S_ISLNK(b->mode) && !ash_slice_eq(a->link, b->link))
                ash_str_appendf(&what, " target %.*s -> %.*s", ASH_F(a->link), ASH_F(b->link));
        if (S_ISREG(a->mode) && S_ISREG(b->mode) && ca->content.length != cb->content.length)
                ash_str_appendf(&what, " content %llu -> %llu bytes", (unsigned long long) ca->content.length, (unsigned long long) cb->content.length);
        else if (S_ISREG(a->mode) && S_ISREG(b->mode) && ca->content.length && memcmp(ca->content.sha256, cb->content.sha256, 32))
                ash_str_appendf(&what, " content, still %llu bytes", (unsigned long long) cb->content.length);
        if (!same_xattrs(a, b))
                ash_str_append_str(&what, " capabilities or other xattrs");
        if (what.len)
                path_line(d, '~', na, nb, ash_str_slice(&what));
}

static void one_sided(Diff *d, const AshTree *t, AshNode n, char sign) {
        size_t len = d->path.len;
        path_line(d, sign, t == d->a ? n : ASH_NO_NODE, t == d->b ? n : ASH_NO_NODE, ASH_NOSLICE);
        for (uint32_t i = 0; i < ash_tree_node(t, n)->n_children; i++) {
                AshNode child = ash_tree_node(t, n)->children[i];
                ash_str_append_char(&d->path, '/');
                ash_str_append(&d->path, ash_tree_node(t, child)->name);
                one_sided(d, t, child, sign);
                d->path.len = len;
        }
}

static void diff_below(Diff *d, AshNode a, AshNode b) {
        const AshTreeNode *x = ash_tree_node(d->a, a), *y = ash_tree_node(d->b, b);
        size_t len = d->path.len;
        for (uint32_t i = 0, k = 0; i < x->n_children || k < y->n_children;) {
                AshNode na = i < x->n_children ? x->children[i] : ASH_NO_NODE, nb = k < y->n_children ? y->children[k] : ASH_NO_NODE;
                int c = na == ASH_NO_NODE ? 1 : nb == ASH_NO_NODE ? -1 : ash_slice_cmp(ash_tree_node(d->a, na)->name, ash_tree_node(d->b, nb)->name);
                ash_str_append_char(&d->path, '/');
                ash_str_append(&d->path, c <= 0 ? ash_tree_node(d->a, na)->name : ash_tree_node(d->b, nb)->name);
                if (c < 0)
                        one_sided(d, d->a, na, '-');
                else if (c > 0)
                        one_sided(d, d->b, nb, '+');
                else {
                        diff_nodes(d, na, nb);
                        diff_below(d, na, nb);
                }
                i += c <= 0;
                k += c >= 0;
                d->path.len = len;
        }
}

static uint64_t tree_bytes(const AshTree *t) {
        uint64_t n = 0;
        for (size_t i = 0; i < t->nodes.n; i++)
                if (!(t->nodes.items[i].flags & ASH_NODE_REMOVED) && t->nodes.items[i].hardlink == ASH_NO_NODE)
                        n += t->nodes.items[i].content.length;
        return n;
}

int ash_image_diff(AshCli *cli) {
        _cleanup_(ash_image_tree_done) AshImageTree a = {}, b = {};
        _cleanup_(ash_image_dump_done) AshImageDump opened = { .store = cli->store, .names_only = true };
        int r = ash_image_or_dump(cli, cli->args[0], &opened, &a);
        if (r >= 0)
                r = ash_image_or_dump(cli, cli->args[1], &opened, &b);
        if (r < 0)
                return r;
        Diff d = { .cli = cli, .a = a.tree, .b = b.tree };
        AshJson j = {};
        if (cli->json) {
                j = ash_cli_json(cli);
                d.j = &j;
                ash_json_begin(&j, NULL, '[');
        }
        diff_packages(&d);
        diff_nodes(&d, 0, 0);
        diff_below(&d, 0, 0);
        if (cli->json) {
                ash_json_end(&j, ']');
                ash_cli_print(cli, "\n");
        } else if (d.n) {
                _str_ AshStr from = {}, to = {};
                ash_text_bytes(&from, tree_bytes(a.tree));
                ash_text_bytes(&to, tree_bytes(b.tree));
                ash_cli_printf(cli, "%zu differences, %.*s -> %.*s\n", d.n, ASH_F(ash_str_slice(&from)), ASH_F(ash_str_slice(&to)));
        }
        ash_str_done(&d.path);
        return d.n > 0;
}
