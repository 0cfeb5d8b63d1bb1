/* Overlays inside archives: an archive becomes a tree of sources, and the edited tree becomes the archive again. */
#include "archive.h"
#include "specsource-private.h"

#define MAX_SMALL ((size_t) 1 << 30) /* an archive that lies in the spec's own directory is held in memory */

typedef struct Open {
        char *name;
        AshArchive *archive;
        AshTempDir *contents;  /* the files of the archive, by their number: names from the archive never reach the file system */
        AshSourceItem *item;
        bool in_tree;          /* the archive is a file of the spec's directory */
} Open;

struct AshSpecArchives {
        AshArchiveOps ops;
        AshSources *sources;
        AshSlice package;
        const AshSpecDistro *distro;
        const AshSpecOptions *options;
        ASH_ARRAY(Open) open;
};

static void open_done(Open *o) {
        free(o->name);
        ash_archive_free(o->archive);
        ash_tempdir_free(o->contents);
}

/* ---- unpacking ---- */
static AshSourceItem *find_item(AshSpecArchives *a, const char *name, AshSpan at, AshDiags *diags) {
        ash_array_foreach(&a->sources->items, i)
                if (ash_slice_eqs(i->filename, name) && i->origin == ASH_ORIGIN_OVERLAY)
                        return i;
        ash_fail(diags, -EINVAL, at, "the overlay edits the archive '%s', but no source-files entry of that name has origin = { type = \"overlay\" }", name);
        ash_hint(diags, "add one with the hash of the edited archive, and replace-upstream = true when upstream's sources list it");
        return NULL;
}

static int read_archive(AshSpecArchives *a, AshSourceTree *tree, Open *o, const char *scratch, AshDiags *diags) {
        if (o->item->replaced) {
                int r = ash_sources_fetch_one(a->sources, o->item, a->package, a->distro, a->options, diags);
                if (r < 0)
                        return r;
                _free_ char *upstream = ASH_TAKE(o->item->path); /* the item's path is to be the edited one, or none */
                return ash_archive_read(AT_FDCWD, upstream, o->name, scratch, 0, &o->archive, diags);
        }
        AshSlice data;
        int r = ash_source_tree_read(tree, o->name, &data, diags);
        if (r == -ENOENT)
                return ash_fail(diags, r, o->item->at, "neither upstream's sources nor the spec's directory have an archive '%s'", o->name);
        if (r < 0)
                return r;
        o->in_tree = true;
        _cleanup_(ash_tempdir_free_p) AshTempDir *dir = NULL;
        r = ash_tempdir_new(scratch, &dir);
        if (r >= 0)
                r = ash_file_write_atomic(dir->fd, "archive", data, 0600, false);
        return r < 0 ? ash_fail(diags, r, ASH_NOWHERE, "%s: %s", scratch, ash_strerror(r)) : ash_archive_read(dir->fd, "archive", o->name, scratch, 0, &o->archive, diags);
}

static int unpack(Open *o, const char *scratch, AshSourceTree **ret, AshDiags *diags) {
        _cleanup_(ash_source_tree_free_p) AshSourceTree *inside = ash_source_tree_new();
        int r = ash_tempdir_new(scratch, &o->contents);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "cannot make a directory in %s: %s", scratch, ash_strerror(r));
        for (size_t i = 0; i < o->archive->entries.n; i++) {
                const AshArchiveEntry *e = &o->archive->entries.items[i];
                const char *path = ash_archive_relative(o->archive, e);
                if (!path || !S_ISREG(e->mode) || e->sparse)
                        continue;
                char number[32];
                snprintf(number, sizeof(number), "%zu", i);
                _close_ int fd = openat(o->contents->fd, number, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
                r = fd < 0 ? -errno : ash_write_all(fd, e->data.ptr, e->data.len);
                if (r < 0)
                        return ash_fail(diags, r, ASH_NOWHERE, "cannot unpack '%s': %s", o->name, ash_strerror(r));
                /* What a tree refuses (".git") no overlay may touch: it stays in the archive as it is. */
                (void) ash_source_tree_add_file(inside, path, o->contents->fd, number, e->mode, NULL);
        }
        *ret = ASH_TAKE(inside);
        return 0;
}

static int open_archive(void *context, AshSourceTree *tree, const char *archive, AshSpan at, AshSourceTree **ret, AshDiags *diags) {
        AshSpecArchives *a = context;
        _free_ char *cache = NULL;
        Open o = { .name = ash_strdup(archive), .item = find_item(a, archive, at, diags) };
        int r = o.item ? ash_spec_cache_dir(a->options, &cache, diags) : -EINVAL;
        if (r >= 0)
                r = read_archive(a, tree, &o, cache, diags);
        if (r >= 0)
                r = unpack(&o, cache, ret, diags);
        if (r < 0) {
                open_done(&o);
                return r;
        }
        ash_array_push(&a->open, o);
        return 0;
}

/* ---- packing ---- */
static int take_edits(Open *o, AshSourceTree *edited, AshDiags *diags) {
        size_t kept = 0;
        for (size_t i = 0; i < o->archive->entries.n; i++) {
                AshArchiveEntry *e = &o->archive->entries.items[i];
                const char *path = ash_archive_relative(o->archive, e);
                char number[32];
                snprintf(number, sizeof(number), "%zu", i);
                if (!path || !S_ISREG(e->mode) || e->sparse || ash_slice_find(ash_slice_str(path), ASH_S(".git/")) == 0 || strstr(path, "/.git/") || strcmp(path, ".git") == 0)
                        continue;
                const AshSourceTreeFile *f = ash_source_tree_find(edited, path);
                kept += f != NULL;
                if (!f)
                        ash_archive_remove(e);
                else if (f->changed) {
                        AshSlice data;
                        int r = ash_source_tree_read(edited, path, &data, diags);
                        if (r < 0 || (r = ash_archive_replace(o->archive, e, data)) < 0)
                                return r;
                }
        }
        if (kept != ash_source_tree_n(edited))
                return ash_fail(diags, -ENOTSUP, o->item->at, "an overlay made a new file in the archive '%s'; only file-remove and file-search-replace work inside archives", o->name);
        return 0;
}

static int check_digest(const Open *o, int dirfd, AshDiags *diags) {
        uint8_t digest[ASH_DIGEST_SIZE_MAX];
        char have[ASH_HEX_MAX];
        uint64_t size;
        int r = ash_digest_file(o->item->kind, dirfd, "packed", digest, &size);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "'%s': %s", o->name, ash_strerror(r));
        ash_hex(digest, ash_digest_size(o->item->kind), have);
        if (strcmp(have, o->item->hex) == 0)
                return 0;
        ash_fail(diags, -ASH_ERR_VERIFY, o->item->config->hash.at, "the edited archive '%s' has another digest than its source-files entry says", o->name);
        ash_note(diags, ASH_NOWHERE, "it has %s", have);
        ash_hint(diags, "if the overlays are right, this is the hash to write down");
        return -ASH_ERR_VERIFY;
}

static int publish(AshSpecArchives *a, Open *o, AshSourceTree *tree, int dirfd, AshDiags *diags) {
        _free_ char *blob = NULL;
        int r = ash_spec_blob_path(a->options, o->item->kind, o->item->hex, &blob, diags);
        if (r < 0)
                return r;
        if (o->in_tree) {
                _bytes_ AshBytes packed = {};
                r = ash_file_read(dirfd, "packed", MAX_SMALL, &packed);
                if (r >= 0)
                        r = ash_source_tree_put(tree, o->name, ash_bytes_slice(&packed), 0644);
                if (r < 0)
                        return ash_fail(diags, r, ASH_NOWHERE, "'%s': %s", o->name, ash_strerror(r));
        }
        if (renameat(dirfd, "packed", AT_FDCWD, blob) < 0)
                return ash_fail(diags, -errno, ASH_NOWHERE, "%s: %s", blob, ash_strerror(-errno));
        free(o->item->path);
        o->item->path = ASH_TAKE(blob);
        return 0;
}

static int pack(AshSpecArchives *a, Open *o, AshSourceTree *tree, AshSourceTree *edited, AshDiags *diags) {
        int r = take_edits(o, edited, diags);
        if (r < 0)
                return r;
        _free_ char *cache = NULL;
        _cleanup_(ash_tempdir_free_p) AshTempDir *dir = NULL;
        r = ash_spec_cache_dir(a->options, &cache, diags);
        if (r >= 0 && (r = ash_tempdir_new(cache, &dir)) < 0)
                ash_fail(diags, r, ASH_NOWHERE, "cannot make a directory in %s: %s", cache, ash_strerror(r));
        if (r >= 0)
                r = ash_archive_write(o->archive, dir->fd, "packed", diags);
        if (r >= 0)
                r = check_digest(o, dir->fd, diags);
        return r < 0 ? r : publish(a, o, tree, dir->fd, diags);
}

static int close_archive(void *context, AshSourceTree *tree, const char *archive, AshSourceTree *edited, _unused_ AshSpan at, AshDiags *diags) {
        AshSpecArchives *a = context;
        for (size_t i = a->open.n; i > 0; i--)
                if (strcmp(a->open.items[i - 1].name, archive) == 0)
                        return pack(a, &a->open.items[i - 1], tree, edited, diags);
        return -ENOENT;
}

AshSpecArchives *ash_spec_archives_new(AshSources *sources, AshSlice package, const AshSpecDistro *distro, const AshSpecOptions *options) {
        AshSpecArchives *a = ash_calloc(1, sizeof(*a));
        *a = (AshSpecArchives) { .ops = { open_archive, close_archive, a }, .sources = sources, .package = package, .distro = distro, .options = options };
        return a;
}

void ash_spec_archives_free(AshSpecArchives *a) {
        if (!a)
                return;
        ash_array_foreach(&a->open, o)
                open_done(o);
        ash_array_done(&a->open);
        free(a);
}

const AshArchiveOps *ash_spec_archives_ops(AshSpecArchives *a) {
        return &a->ops;
}
