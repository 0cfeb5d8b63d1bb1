/* systemd's databases that are made of text files: the hardware database of udev (systemd-hwdb update) and the catalog of journal messages (journalctl --update-catalog). */
#include "handlers-private.h"
#include "hwdb.h"

typedef struct Texts {
        AshHandlerContext *c;
        AshArena *arena;
        uint64_t version;            /* systemd's */
} Texts;

static void texts_done(Texts *t) {
        ash_arena_free(t->arena);
}

static bool exists(const AshHandlerContext *c, const char *path) { return ash_tree_lookup(c->tree, ash_slice_str(path), true) != ASH_NO_NODE; }

/* ---- hardware ---- */
static const char *const hwdb_places[] = { "/etc/udev/hwdb.d/*.hwdb", "/usr/lib/udev/hwdb.d/*.hwdb", NULL };

/* "libsystemd-shared-257.so", "libsystemd-shared-258.1-1.fc43.so": the first number. */
static int find_version(void *context, AshSlice path, AshNode n _unused_) {
        Texts *t = context;
        AshSlice rest = ash_slice_from(ash_path_base(path), strlen("libsystemd-shared-"));
        size_t digits = 0;
        while (digits < rest.len && rest.ptr[digits] >= '0' && rest.ptr[digits] <= '9')
                digits++;
        (void) ash_slice_to_u64(ash_slice(rest.ptr, digits), 10, &t->version);
        return 0;
}

static int make_hwdb(AshHandlerContext *c, void *context, AshStr *out) {
        Texts *t = context;
        size_t n;
        const AshSlice *files = ash_handler_config_files(c->tree, hwdb_places, t->arena, &n);
        _cleanup_(ash_hwdb_free_p) AshHwdb *h = ash_hwdb_new();
        for (size_t i = 0; i < n; i++) {
                _cleanup_(ash_source_free_p) AshSource *source = ash_source_new(files[i].ptr, ash_compose_read(c->tree, files[i]));
                ash_hwdb_add(h, source, c->diags);
        }
        if (!ash_hwdb_is_empty(h))
                ash_hwdb_write(h, t->version, out);
        return 0;
}

/* Fedora's package declares /etc/udev/hwdb.bin as its ghost and makes it; Debian's makes the one below /usr. */
static const char *hwdb_path(const AshHandlerContext *c) {
        size_t i;
        for (size_t k = 0; k < c->n_packages; k++)
                if (ash_pack_find(c->packages[k].pack, ASH_S("/etc/udev/hwdb.bin"), &i))
                        return "/etc/udev/hwdb.bin";
        return "/usr/lib/udev/hwdb.bin";
}

bool ash_wants_hwdb(const AshHandlerContext *c) { return exists(c, "/usr/bin/systemd-hwdb"); }

int ash_handle_hwdb(AshHandlerContext *c) {
        static const char *const libraries[] = { "/usr/lib/systemd/libsystemd-shared-*.so", "/usr/lib/*/systemd/libsystemd-shared-*.so", "/usr/lib64/systemd/libsystemd-shared-*.so", NULL };
        _cleanup_(texts_done) Texts t = { .c = c, .arena = ash_arena_new() };
        AshSlice bytes;
        int r = ash_compose_match(c->tree, libraries, find_version, &t);
        if (r >= 0)
                r = ash_handler_cached(c, ash_slice_str(ash_arena_printf(t.arena, "%u", (unsigned) t.version)), make_hwdb, &t, &bytes);
        return r < 0 || !bytes.len ? r : ash_handler_file(c, ash_slice_str(hwdb_path(c)), bytes, 0444, NULL);
}

/* ---- messages ---- */
static const char *const catalog_places[] = { "/usr/local/lib/systemd/catalog/*.catalog", "/usr/lib/systemd/catalog/*.catalog", NULL };

static int make_catalog(AshHandlerContext *c, void *context, AshStr *out) {
        Texts *t = context;
        size_t n;
        const AshSlice *files = ash_handler_config_files(c->tree, catalog_places, t->arena, &n);
        _cleanup_(ash_catalog_free_p) AshCatalog *catalog = ash_catalog_new();
        int r = 0;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                _cleanup_(ash_source_free_p) AshSource *source = ash_source_new(files[i].ptr, ash_compose_read(c->tree, files[i]));
                r = ash_catalog_add(catalog, source, c->diags);
        }
        if (r >= 0)
                ash_catalog_write(catalog, out);
        return r;
}

bool ash_wants_catalog(const AshHandlerContext *c) { return exists(c, "/usr/bin/journalctl"); }

int ash_handle_catalog(AshHandlerContext *c) {
        _cleanup_(texts_done) Texts t = { .c = c, .arena = ash_arena_new() };
        AshSlice bytes;
        int r = ash_handler_cached(c, ASH_S(""), make_catalog, &t, &bytes);
        return r < 0 || !bytes.len ? r : ash_handler_file(c, ASH_S("/var/lib/systemd/catalog/database"), bytes, 0644, NULL);
}
