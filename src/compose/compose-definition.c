/* What the image's definition says about the tree. It comes behind the packages and before the handlers, which leave its files alone. */
#include <limits.h>
#include "compose-private.h"

typedef struct Definer {
        const AshComposeInput *in;
        AshTree *t;
        AshDiags *diags;
        int result;
} Definer;

static uint32_t origin(Definer *d, const char *key, AshSlice what) {
        _free_ char *name = what.len ? ash_asprintf("%s.%.*s", key, ASH_F(what)) : ash_strdup(key);
        return ash_tree_add_origin(d->t, ASH_ORIGIN_DEFINITION, ash_slice_str(name));
}

/* ---- paths ---- */
/* A link on the way to path that climbs above the root: a kernel would stop at the root, whoever unpacks the image somewhere else would not. Returns its node. */
static AshNode escaping_link(const AshTree *t, AshSlice path) {
        AshNode at = 0;
        AshSlice part;
        unsigned depth = 0;
        while (ash_slice_split(&path, '/', &part)) {
                if (!part.len)
                        continue;
                at = ash_tree_child(t, at, part);
                if (at == ASH_NO_NODE)
                        return ASH_NO_NODE;
                const AshTreeNode *n = ash_tree_node(t, at);
                if (S_ISLNK(n->mode)) {
                        AshSlice link = n->link, step;
                        int level = n->link.len && n->link.ptr[0] == '/' ? 0 : (int) depth;
                        while (ash_slice_split(&link, '/', &step)) {
                                level += ash_slice_eqs(step, "..") ? -1 : step.len && !ash_slice_eqs(step, ".");
                                if (level < 0)
                                        return at;
                        }
                        _str_ AshStr here = {};
                        ash_tree_path(t, at, &here);
                        at = ash_tree_lookup(t, ash_str_slice(&here), true);
                        if (at == ASH_NO_NODE)
                                return ASH_NO_NODE;
                        depth = (unsigned) ASH_MAX(level, 0);
                } else
                        depth++;
                if (!S_ISDIR(ash_tree_node(t, at)->mode))
                        return ASH_NO_NODE;
        }
        return ASH_NO_NODE;
}

static int check_path(Definer *d, AshText path) {
        AshSlice rest = path.s, part;
        if (!path.s.len || path.s.ptr[0] != '/' || memchr(path.s.ptr, 0, path.s.len))
                return ash_fail(d->diags, -ASH_ERR_CONFIG, path.at, "'%.*s' is no absolute path", ASH_F(path.s));
        while (ash_slice_split(&rest, '/', &part))
                if (ash_slice_eqs(part, ".."))
                        return ash_fail(d->diags, -ASH_ERR_CONFIG, path.at, "'%.*s' goes up: a path in an image has no '..'", ASH_F(path.s));
        AshNode link = escaping_link(d->t, path.s);
        if (link == ASH_NO_NODE)
                return 0;
        _str_ AshStr at = {};
        ash_tree_path(d->t, link, &at);
        int r = ash_fail(d->diags, -ASH_ERR_CONFIG, path.at, "%.*s leads out of the image: %.*s is a link to '%.*s'", ASH_F(path.s), ASH_F(ash_str_slice(&at)), ASH_F(ash_tree_node(d->t, link)->link));
        AshSlice who = d->t->origins.items[ash_tree_node(d->t, link)->origin].name;
        if (who.len)
                ash_note(d->diags, ASH_NOWHERE, "the link is from %.*s", ASH_F(who));
        return r;
}

static int mode_of(Definer *d, AshText mode, uint32_t otherwise, uint32_t *ret) {
        uint64_t value = otherwise;
        if (ash_text_set(mode) && (ash_slice_to_u64(mode.s, 8, &value) < 0 || value > 07777))
                return ash_fail(d->diags, -ASH_ERR_CONFIG, mode.at, "'%.*s' is no mode: up to four octal digits", ASH_F(mode.s));
        *ret = (uint32_t) value;
        return 0;
}

static void own(Definer *d, AshNode n, AshText owner, AshText group) {
        AshTreeNode *node = ash_tree_node(d->t, n);
        if (ash_text_set(owner))
                node->user = ash_arena_slice(d->t->arena, owner.s);
        if (ash_text_set(group) || ash_text_set(owner))
                node->group = ash_text_set(group) ? ash_arena_slice(d->t->arena, group.s) : ASH_S("root");
}

/* ---- directories, files, links ---- */
static int put_directory(Definer *d, const AshImageDirectory *dir) {
        AshNode n = ASH_NO_NODE;
        uint32_t mode;
        int r = check_path(d, dir->path);
        if (r >= 0)
                r = mode_of(d, dir->mode, 0755, &mode);
        if (r < 0)
                return r;
        bool there = ash_tree_lookup(d->t, dir->path.s, true) != ASH_NO_NODE;
        uint32_t by = origin(d, "directories", dir->path.s);
        r = ash_tree_make_dirs(d->t, dir->path.s, by, &n);
        if (r < 0)
                return ash_fail(d->diags, -ASH_ERR_CONFIG, dir->path.at, "cannot make the directory %.*s: %s", ASH_F(dir->path.s), ash_strerror(r));
        if (!there || ash_text_set(dir->mode)) {
                ash_tree_node(d->t, n)->mode = S_IFDIR | mode;
                ash_tree_node(d->t, n)->origin = by;
        }
        own(d, n, dir->owner, dir->group);
        return 0;
}

/* The file that a definition names; not through a link that leads out of its directory. */
static int read_source(Definer *d, AshText source, AshBytes *ret) {
        _free_ char *dir = ash_slice_dup(ash_path_dir(source.s)), *path = ash_slice_dup(source.s);
        _free_ char *real_dir = realpath(dir, NULL), *real = realpath(path, NULL);
        if (!real || !real_dir)
                return ash_fail(d->diags, -ASH_ERR_CONFIG, source.at, "cannot read '%s': %s", path, ash_strerror(-errno));
        size_t n = strlen(real_dir);
        if (strncmp(real, real_dir, n) || (n > 1 && real[n] != '/'))
                return ash_fail(d->diags, -ASH_ERR_CONFIG, source.at, "'%s' is a symbolic link that leads out of its directory, to %s", path, real);
        int r = ash_file_read(AT_FDCWD, real, 0, ret);
        return r < 0 ? ash_fail(d->diags, -ASH_ERR_CONFIG, source.at, "cannot read '%s': %s", path, ash_strerror(r)) : 0;
}

static int put_file(Definer *d, const AshImageFile *f) {
        _bytes_ AshBytes bytes = {};
        _str_ AshStr joined = {};
        AshSlice content = f->content.s;
        uint32_t mode;
        AshNode n;
        int r = check_path(d, f->path);
        if (r >= 0)
                r = mode_of(d, f->mode, 0644, &mode);
        if (f->signing_key.value == ASH_YES)
                content = d->in->signing_key;
        if (r >= 0 && ash_text_set(f->source)) {
                r = read_source(d, f->source, &bytes);
                content = ash_bytes_slice(&bytes);
        }
        if (r < 0)
                return r;
        AshSlice path = f->path.s;
        if (f->append.value == ASH_YES) {
                AshSlice old = ash_compose_read(d->t, path);
                ash_str_append(&joined, old);
                ash_str_append(&joined, content);
                content = ash_str_slice(&joined);
                if (old.ptr)
                        path = ash_tree_resolve(d->t, path);
        }
        r = ash_tree_put_file(d->t, path, content, mode, origin(d, "files", f->path.s), &n);
        if (r < 0)
                return ash_fail(d->diags, -ASH_ERR_CONFIG, f->path.at, "cannot put the file %.*s: %s", ASH_F(f->path.s), ash_strerror(r));
        if (ash_text_set(f->mode))
                ash_tree_node(d->t, n)->mode = S_IFREG | mode;
        own(d, n, f->owner, f->group);
        return 0;
}

static int put_link(Definer *d, const AshImageLink *l) {
        int r = check_path(d, l->path);
        if (r < 0)
                return r;
        r = ash_tree_put_symlink(d->t, l->path.s, l->target.s, origin(d, "links", l->path.s), NULL);
        return r < 0 ? ash_fail(d->diags, -ASH_ERR_CONFIG, l->path.at, "cannot put the link %.*s: %s", ASH_F(l->path.s), ash_strerror(r)) : 0;
}

/* ---- single settings ---- */
static int put_text(Definer *d, const char *path, const char *key, AshText value, const char *before) {
        if (!ash_text_set(value))
                return 0;
        _free_ char *text = ash_asprintf("%s%.*s\n", before, ASH_F(value.s));
        int r = ash_tree_put_file(d->t, ash_slice_str(path), ash_slice_str(text), 0644, origin(d, key, ASH_NOSLICE), NULL);
        return r < 0 ? ash_fail(d->diags, -ASH_ERR_CONFIG, value.at, "cannot put the file %s: %s", path, ash_strerror(r)) : 0;
}

static int put_time_zone(Definer *d, AshText zone) {
        if (!ash_text_set(zone))
                return 0;
        _free_ char *path = ash_asprintf("/usr/share/zoneinfo/%.*s", ASH_F(zone.s)), *target = ash_asprintf("..%s", path);
        AshNode n = ash_tree_lookup(d->t, ash_slice_str(path), true);
        if (n == ASH_NO_NODE || !S_ISREG(ash_tree_node(d->t, n)->mode)) {
                int r = ash_fail(d->diags, -ASH_ERR_CONFIG, zone.at, "the image has no time zone '%.*s'", ASH_F(zone.s));
                ash_hint(d->diags, "%s", ash_tree_lookup(d->t, ASH_S("/usr/share/zoneinfo"), true) == ASH_NO_NODE ? "the package tzdata has the time zones" : "names are as in /usr/share/zoneinfo: Europe/Berlin");
                return r;
        }
        int r = ash_tree_put_symlink(d->t, ASH_S("/etc/localtime"), ash_slice_str(target), origin(d, "time-zone", ASH_NOSLICE), NULL);
        return r < 0 ? ash_fail(d->diags, -ASH_ERR_CONFIG, zone.at, "cannot put the link /etc/localtime: %s", ash_strerror(r)) : 0;
}

/* A value of os-release(5), in double quotes; plain words need none. */
static void add_release(AshStr *out, const char *key, AshSlice value) {
        bool plain = value.len > 0;
        if (!value.ptr)
                return;
        for (size_t i = 0; i < value.len; i++)
                plain &= strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", value.ptr[i]) != NULL;
        ash_str_appendf(out, "%s=%s", key, plain ? "" : "\"");
        for (size_t i = 0; i < value.len; i++) {
                if (strchr("\"\\$`", value.ptr[i]))
                        ash_str_append_char(out, '\\');
                ash_str_append_char(out, value.ptr[i]);
        }
        ash_str_append_str(out, plain ? "\n" : "\"\n");
}

static int put_release(Definer *d, const AshIdentity *id) {
        if (!id || !ash_text_set(id->id))
                return 0;
        _str_ AshStr out = {}, like = {}, version = {};
        for (size_t i = 0; i < id->id_like.n; i++)
                ash_str_appendf(&like, "%s%.*s", i ? " " : "", ASH_F(id->id_like.items[i].s));
        ash_str_append(&version, id->version_id.s);
        if (ash_text_set(id->version_codename))
                ash_str_appendf(&version, " (%.*s)", ASH_F(id->version_codename.s));
        const struct { const char *key; AshSlice value; } rows[] = {
                { "NAME", id->name.s }, { "VERSION", version.len ? ash_str_slice(&version) : ASH_NOSLICE }, { "ID", id->id.s }, { "ID_LIKE", like.len ? ash_str_slice(&like) : ASH_NOSLICE }, { "VERSION_ID", id->version_id.s },
                { "VERSION_CODENAME", id->version_codename.s }, { "PRETTY_NAME", id->pretty_name.s }, { "ANSI_COLOR", id->ansi_color.s }, { "LOGO", id->logo.s }, { "CPE_NAME", id->cpe_name.s },
                { "VENDOR_NAME", id->vendor_name.s }, { "VENDOR_URL", id->vendor_url.s }, { "HOME_URL", id->home_url.s }, { "DOCUMENTATION_URL", id->documentation_url.s },
                { "SUPPORT_URL", id->support_url.s }, { "BUG_REPORT_URL", id->bug_report_url.s }, { "SUPPORT_END", id->support_end.s },
        };
        for (size_t i = 0; i < ASH_N(rows); i++)
                add_release(&out, rows[i].key, rows[i].value);
        uint32_t by = origin(d, "identity", ASH_NOSLICE);
        int r = ash_tree_put_file(d->t, ASH_S("/usr/lib/os-release"), ash_str_slice(&out), 0644, by, NULL);
        if (r >= 0)
                r = ash_tree_put_symlink(d->t, ASH_S("/etc/os-release"), ASH_S("../usr/lib/os-release"), by, NULL);
        return r < 0 ? ash_fail(d->diags, -ASH_ERR_CONFIG, id->id.at, "cannot put os-release: %s", ash_strerror(r)) : 0;
}

static void keep(Definer *d, int r) {
        if (r < 0 && d->result >= 0)
                d->result = r;
}

int ash_compose_definition(const AshComposeInput *in, AshTree *t, AshDiags *diags) {
        Definer d = { .in = in, .t = t, .diags = diags };
        const AshImage *image = in->image;
        keep(&d, put_release(&d, in->identity));
        if (!image)
                return d.result;
        for (size_t i = 0; i < image->directories.n; i++)
                keep(&d, put_directory(&d, &image->directories.items[i]));
        for (size_t i = 0; i < image->links.n; i++)
                keep(&d, put_link(&d, &image->links.items[i]));
        keep(&d, put_text(&d, "/etc/hostname", "hostname", image->hostname, ""));
        keep(&d, put_text(&d, "/etc/locale.conf", "locale", image->locale, "LANG="));
        keep(&d, put_text(&d, "/etc/vconsole.conf", "keymap", image->keymap, "KEYMAP="));
        keep(&d, put_time_zone(&d, image->time_zone));
        for (size_t i = 0; i < image->files.n; i++)
                keep(&d, put_file(&d, &image->files.items[i]));
        return d.result;
}
