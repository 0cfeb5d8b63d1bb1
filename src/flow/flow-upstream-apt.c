/* Debian archives: their packages are imported as RPMs. */
#include <stdio.h>
#include <time.h>
#include "flow-upstream-private.h"

struct AshFlowApt {
        AshAptArchive archive;
        AshAptSnapshot *snapshot;    /* NULL while a pinned state is at hand: apt has not been asked */
        AshAptTables *tables;
        AshApt *universe;            /* loaded when a package is asked for: the solver has a form of its own */
        AshId *indices;              /* what it is made of */
        size_t n_indices;
        AshId key;                   /* of everything that the universe depends on */
};

static void done_apt(AshFlowUpstream *u) {
        if (!u->apt)
                return;
        ash_apt_free(u->apt->universe);
        ash_apt_tables_free(u->apt->tables);
        ash_apt_snapshot_free(u->apt->snapshot);
}

/* "x86_64" -> "amd64": what Debian calls an architecture. */
static const char *debian_arch(AshSlice arch) {
        return ash_slice_eqs(arch, "x86_64") ? "amd64" : ash_slice_eqs(arch, "aarch64") ? "arm64" : NULL;
}

static char *joined(AshTexts texts, const char *otherwise) {
        AshStr out = {};
        for (size_t i = 0; i < texts.n; i++)
                ash_str_appendf(&out, "%s%.*s", out.len ? " " : "", ASH_F(texts.items[i].s));
        if (!out.len)
                ash_str_append_str(&out, otherwise);
        return ash_str_take(&out);
}

static int load_tables(const AshUpstream *config, AshAptTables **ret, AshDiags *diags) {
        const char *names = ash_text_set(config->names) ? config->names.s.ptr : NULL, *imports = ash_text_set(config->import_overlays) ? config->import_overlays.s.ptr : NULL;
        return ash_apt_tables_load(names, imports, ret, diags);
}

static void importer_id(const AshAptTables *tables, char ret[static 65]) {
        AshFlowKey k = ash_flow_key_new("importer");
        uint32_t version = ASH_APT_IMPORTER_VERSION;
        const char *digest = ash_apt_tables_digest(tables);
        ash_flow_key_add(&k, &version, sizeof version);
        ash_flow_key_add(&k, digest, strlen(digest));
        AshId id = ash_flow_key_done(&k);
        ash_id_hex(&id, ret);
}

int ash_flow_importer_id(AshFlow *flow, const AshUpstream *upstream, char ret[static 65]) {
        _cleanup_(ash_apt_tables_free_p) AshAptTables *tables = NULL;
        ret[0] = 0;
        if (!ash_slice_eqs(upstream->repo.type.s, "apt"))
                return 0;
        int r = load_tables(upstream, &tables, flow->diags);
        if (r >= 0)
                importer_id(tables, ret);
        return r;
}

/* ---- its state ---- */
static AshId apt_universe_key(const AshFlowUpstream *u, const AshLockUpstream *pinned) {
        AshFlowKey k = ash_flow_key_new("apt-universe");
        uint32_t version = ASH_APT_IMPORTER_VERSION;
        const char *tables = ash_apt_tables_digest(u->apt->tables);
        ash_flow_key_add(&k, &version, sizeof version);
        ash_flow_key_add(&k, ASHLAR_VERSION, sizeof ASHLAR_VERSION);
        ash_flow_key_add(&k, u->arch.ptr, u->arch.len);
        ash_flow_key_add(&k, tables, strlen(tables));
        if (pinned)
                for (size_t i = 0; i < pinned->n_indices; i++) {
                        uint8_t digest[32];
                        ash_unhex(pinned->indices[i], digest, sizeof digest);
                        ash_flow_key_add(&k, digest, sizeof digest);
                }
        else
                ash_array_foreach(&u->apt->snapshot->indices, i)
                        if (!i->is_sources)
                                ash_flow_key_add(&k, i->sha256, sizeof i->sha256);
        return ash_flow_key_done(&k);
}

/* The index files go into the store, so that a lock can be solved again after the mirror has moved on. */
static int keep_indices(AshFlowUpstream *u) {
        ash_array_foreach(&u->apt->snapshot->indices, i) {
                AshId id;
                memcpy(id.sha256, i->sha256, sizeof id.sha256);
                if (i->is_sources || ash_store_has_blob(u->flow->store, &id))
                        continue;
                int r = ash_store_put_file(u->flow->store, AT_FDCWD, i->path, &id, NULL, u->flow->diags);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int build_universe(AshFlowUpstream *u, const AshId *indices, size_t n, const char *label) {
        AshBytes *bytes = ash_arena_new_items(u->arena, AshBytes, n);
        AshSlice *texts = ash_arena_new_items(u->arena, AshSlice, n);
        int r = 0;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                char hex[ASH_ID_HEX];
                r = ash_store_map_blob(u->flow->store, &indices[i], true, &bytes[i], u->flow->diags);
                ash_id_hex(&indices[i], hex);
                if (r < 0)
                        ash_fail(u->flow->diags, r, u->config->repo.name.at, "the index %s of upstream '%.*s' is not in the store, and the mirror does not have it any more", hex, ASH_F(u->name));
                texts[i] = ash_bytes_slice(&bytes[i]);
        }
        if (r >= 0)
                r = ash_apt_build(texts, n, ash_slice_str(debian_arch(u->arch)), u->apt->tables, label, &u->apt->universe, u->flow->diags);
        for (size_t i = 0; i < n; i++)
                ash_bytes_done(&bytes[i]);
        if (r >= 0)
                ash_store_cache_put(u->flow->store, "apt-universe", &u->apt->key, ash_apt_blob(u->apt->universe)); /* only a cache: a failure costs time */
        return r;
}

static int need_universe(AshFlowUpstream *u) {
        AshBytes bytes = {};
        if (u->apt->universe)
                return 0;
        if (ash_store_cache_get(u->flow->store, "apt-universe", &u->apt->key, &bytes) >= 0) {
                if (ash_apt_load(&bytes, &u->apt->universe) >= 0)
                        return 0;
                ash_bytes_done(&bytes);
        }
        _free_ char *label = ash_slice_dup(u->name);
        return build_universe(u, u->apt->indices, u->apt->n_indices, label);
}

static bool snapshot_matches(const AshAptSnapshot *s, const AshLockUpstream *pinned) {
        size_t n = 0, same = 0;
        ash_array_foreach(&s->indices, i) {
                char hex[65];
                if (i->is_sources)
                        continue;
                ash_hex(i->sha256, sizeof i->sha256, hex);
                if (n < pinned->n_indices)
                        same += ash_slice_eqs(pinned->indices[n], hex);
                n++;
        }
        return n == same && n == pinned->n_indices;
}

static bool indices_at_hand(const AshFlowUpstream *u, const AshLockUpstream *pinned) {
        for (size_t i = 0; pinned && i < pinned->n_indices; i++) {
                AshId id;
                if (ash_id_parse(pinned->indices[i], &id) < 0 || !ash_store_has_blob(u->flow->store, &id))
                        return false;
        }
        return pinned && pinned->n_indices;
}

static int sync_apt(AshFlowUpstream *u, const AshLockUpstream *pinned) {
        int r = ash_apt_sync(&u->apt->archive, &u->apt->snapshot, u->flow->progress, u->flow->diags);
        if (r >= 0)
                r = keep_indices(u);
        if (r < 0 || !pinned || snapshot_matches(u->apt->snapshot, pinned))
                return r;
        r = ash_fail(u->flow->diags, -ASH_ERR_VERIFY, u->config->repo.name.at, "upstream '%.*s' has moved on: the lock pins its state of %.*s, the mirror has that of %s", ASH_F(u->name), ASH_F(pinned->date), u->apt->snapshot->date);
        ash_hint(u->flow->diags, "'ashlar lock --update' takes the new state");
        return r;
}

static int open_apt(AshFlowUpstream *u, const AshLockUpstream *pinned) {
        const AshRepo *repo = &u->config->repo;
        const char *arch = debian_arch(u->arch);
        if (!arch)
                return ash_fail(u->flow->diags, -EINVAL, repo->name.at, "upstream '%.*s' has no architecture '%.*s'; an apt archive is imported for x86_64 and aarch64", ASH_F(u->name), ASH_F(u->arch));
        _free_ char *components = joined(repo->components, "main");
        u->apt = ash_arena_new_item(u->arena, struct AshFlowApt);
        u->apt->archive = (AshAptArchive){ .suite = repo->suite.s.ptr, .components = ash_arena_strdup(u->arena, components), .arch = arch, .mirror = u->flow->apt_mirror, .offline = u->flow->offline, .at = repo->name.at,
                                           .state_dir = ash_arena_printf(u->arena, "%s/apt/%.*s-%s", ash_store_path(u->flow->store), ASH_F(u->name), arch) };
        int r = load_tables(u->config, &u->apt->tables, u->flow->diags);
        if (r >= 0 && !indices_at_hand(u, pinned))
                r = sync_apt(u, pinned);
        if (r < 0)
                return r;
        size_t n = 0;
        AshId *ids = ash_arena_new_items(u->arena, AshId, u->apt->snapshot ? u->apt->snapshot->indices.n : pinned->n_indices);
        if (!u->apt->snapshot)
                for (; n < pinned->n_indices; n++)
                        ash_id_parse(pinned->indices[n], &ids[n]);
        else
                ash_array_foreach(&u->apt->snapshot->indices, i)
                        if (!i->is_sources)
                                memcpy(ids[n++].sha256, i->sha256, 32);
        u->apt->key = apt_universe_key(u, u->apt->snapshot ? NULL : pinned);
        u->apt->indices = ids;
        u->apt->n_indices = n;
        return 0;
}

static const AshId *state_apt(const AshFlowUpstream *u) { return &u->apt->key; }

static int add_apt(AshFlowUpstream *u, const char *label, AshUniverse *universe) {
        AshId key = ash_flow_upstream_solver_key(u);
        ash_universe_add_repo(universe, label, 0);
        if (ash_flow_recall_solv(u, &key, universe) >= 0)
                return 0;
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        int r = need_universe(u);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ash_apt_count(u->apt->universe); i++) {
                AshPackage p = {};
                ash_apt_model(u->apt->universe, i, arena, &p);
                /* What the solver does not look at would only make the file longer to read. */
                p.summary = p.url = p.license = p.vendor = p.source_rpm = ASH_NOSLICE;
                p.deps[ASH_DEP_SUGGESTS].n = p.deps[ASH_DEP_ENHANCES].n = 0;
                ash_universe_add_package(universe, &p);
        }
        ash_flow_keep_solv(u, &key, universe);
        return 0;
}

/* ---- importing debs ---- */
typedef struct Import {
        AshFlowUpstream *u;
        const AshPackage *const *packages;
        AshLockPackage *ret;
        ptrdiff_t *index;            /* in the universe */
        bool *known;
} Import;

static AshId import_id(AshFlowUpstream *u, size_t index, AshAptImport *ret) {
        char hex[65];
        AshId id;
        *ret = (AshAptImport){ .universe = u->apt->universe, .package = index, .tables = u->apt->tables };
        ash_apt_import_key(ret, hex);
        ash_id_parse(ash_slice_str(hex), &id);
        return id;
}

/* What an earlier import of the same gave: "SHA256 SIZE SCRIPTS HANDLED". */
static bool recall(AshFlowUpstream *u, const AshId *key, AshLockPackage *ret, AshFlowScripts *scripts, AshArena *arena) {
        _bytes_ AshBytes bytes = {};
        AshId id;
        uint64_t size;
        if (ash_store_cache_get(u->flow->store, "apt-import", key, &bytes) < 0)
                return false;
        AshSlice rest = ash_bytes_slice(&bytes), hex, number, had, handled;
        uint64_t had_bits, handled_bits;
        if (!ash_slice_next_word(&rest, &hex) || !ash_slice_next_word(&rest, &number) || ash_id_parse(hex, &id) < 0 || ash_slice_to_u64(number, 10, &size) < 0 || !ash_store_has_blob(u->flow->store, &id))
                return false;
        if (!ash_slice_next_word(&rest, &had) || !ash_slice_next_word(&rest, &handled) || ash_slice_to_u64(had, 10, &had_bits) < 0 || ash_slice_to_u64(handled, 10, &handled_bits) < 0)
                return false;
        if (scripts)
                *scripts = (AshFlowScripts){ (unsigned) had_bits, (unsigned) handled_bits };
        ret->sha256 = ash_arena_slice(arena, hex);
        ret->size = size;
        return true;
}

static int convert(void *context, size_t i) {
        Import *m = context;
        AshFlowUpstream *u = m->u;
        if (m->known[i])
                return 0;
        AshAptImport in;
        AshAptPackage p;
        AshAptImported report;
        AshId key = import_id(u, (size_t) m->index[i], &in), deb, id;
        _bytes_ AshBytes bytes = {};
        _str_ AshStr rpm = {}, record = {};
        char hex[ASH_ID_HEX];
        ash_apt_package(u->apt->universe, (size_t) m->index[i], &p);
        memcpy(deb.sha256, p.sha256, sizeof deb.sha256);
        int r = ash_store_map_blob(u->flow->store, &deb, true, &bytes, u->flow->diags);
        if (r < 0)
                return ash_fail(u->flow->diags, r, ASH_NOWHERE, "%.*s is not in the store: %s", ASH_F(p.filename), ash_strerror(r));
        r = ash_apt_convert(&in, ash_bytes_slice(&bytes), &rpm, &report, u->flow->diags);
        if (r >= 0)
                r = ash_store_put_blob(u->flow->store, ash_str_slice(&rpm), NULL, &id, u->flow->diags);
        if (r < 0)
                return r;
        ash_id_hex(&id, hex);
        ash_str_appendf(&record, "%s %zu %u %u", hex, rpm.len, report.scripts, report.handled);
        ash_store_cache_put(u->flow->store, "apt-import", &key, ash_str_slice(&record));
        m->ret[i].size = rpm.len;
        memcpy((char *) m->ret[i].sha256.ptr, hex, 64);
        ash_progress_advance(u->flow->progress, 1);
        return 0;
}

static int find_all(Import *m, size_t n) {
        AshFlowUpstream *u = m->u;
        _map_ AshMap by_location = {};
        size_t count = ash_apt_count(u->apt->universe);
        ash_map_reserve(&by_location, count);
        for (size_t i = 0; i < count; i++) {
                AshAptPackage p;
                ash_apt_package(u->apt->universe, i, &p);
                ash_map_put(&by_location, p.filename, (void *) (i + 1), NULL);
        }
        for (size_t i = 0; i < n; i++) {
                size_t found = (size_t) ash_map_get(&by_location, m->packages[i]->location);
                if (!found)
                        return ash_fail(u->flow->diags, -ENOENT, ASH_NOWHERE, "upstream '%.*s' does not have %.*s", ASH_F(u->name), ASH_F(m->packages[i]->location));
                m->index[i] = (ptrdiff_t) found - 1;
        }
        return 0;
}

/* What only apt can read (cdrom:, mirror+file:) it downloads itself; each package is checked by its digest all the same. */
static int fetch_by_apt(Import *m, size_t n) {
        AshFlowUpstream *u = m->u;
        _cleanup_(ash_tempdir_free_p) AshTempDir *tmp = NULL;
        _dirlist_ AshDirList list = {};
        const char **specs = ash_arena_new_items(u->arena, const char *, n);
        size_t k = 0;
        int r = ash_tempdir_new(ash_store_path(u->flow->store), &tmp);
        for (size_t i = 0; i < n; i++) {
                AshAptPackage p;
                ash_apt_package(u->apt->universe, (size_t) m->index[i], &p);
                if (!m->known[i])
                        specs[k++] = ash_arena_printf(u->arena, "%.*s=%.*s", ASH_F(p.name), ASH_F(p.version));
        }
        if (r >= 0)
                r = ash_apt_download(&u->apt->archive, specs, k, tmp->path, u->flow->progress, u->flow->diags);
        if (r >= 0)
                r = ash_dir_list(tmp->fd, ".", &list);
        ash_array_foreach(&list.entries, e)
                if (r >= 0)
                        r = ash_store_put_file(u->flow->store, tmp->fd, e->name, NULL, NULL, u->flow->diags);
        return r;
}

static int fetch_debs(Import *m, size_t n) {
        AshFlowUpstream *u = m->u;
        _free_ char *mirror = NULL, *keyring = NULL;
        AshStoreWant *wants = ash_arena_new_items(u->arena, AshStoreWant, n);
        size_t n_wants = 0;
        int r = ash_apt_find_mirror(&u->apt->archive, "/", &mirror, &keyring, u->flow->diags);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                AshAptPackage p;
                if (m->known[i])
                        continue;
                ash_apt_package(u->apt->universe, (size_t) m->index[i], &p);
                AshId *id = ash_arena_new_item(u->arena, AshId);
                memcpy(id->sha256, p.sha256, sizeof id->sha256);
                const char **urls = ash_arena_new_items(u->arena, const char *, 2);
                urls[0] = ash_apt_url(mirror, p.filename, u->arena);
                if (!urls[0])
                        return fetch_by_apt(m, n);
                wants[n_wants++] = (AshStoreWant){ .urls = urls, .id = id, .size = p.size, .label = ash_arena_strndup(u->arena, p.filename.ptr, p.filename.len) };
        }
        if (!n_wants)
                return 0;
        return ash_store_fetch(u->flow->store, wants, n_wants, &(AshFetchOptions){ .allow_file = true, .offline = u->flow->offline }, u->flow->progress, u->flow->diags);
}

/* Debs are fetched and converted only when the same was not imported before. */
static int realize_apt(AshFlowUpstream *u, const AshPackage *const *packages, size_t n, AshArena *arena, AshLockPackage *ret) {
        Import m = { .u = u, .packages = packages, .ret = ret };
        m.index = ash_arena_new_items(u->arena, ptrdiff_t, n);
        m.known = ash_arena_new_items(u->arena, bool, n);
        int r = need_universe(u);
        if (r >= 0)
                r = find_all(&m, n);
        size_t missing = 0;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                AshAptImport in;
                AshAptPackage p;
                char hex[65];
                AshId key = import_id(u, (size_t) m.index[i], &in);
                ash_apt_package(u->apt->universe, (size_t) m.index[i], &p);
                ash_hex(p.sha256, sizeof p.sha256, hex);
                ret[i] = (AshLockPackage){ .nevra = ash_package_nevra(packages[i], arena), .upstream = u->name, .origin = ash_arena_slice(arena, p.filename), .origin_sha256 = ash_arena_slice(arena, ash_slice_str(hex)) };
                m.known[i] = recall(u, &key, &ret[i], NULL, arena);
                if (!m.known[i])
                        ret[i].sha256 = ash_arena_slice(arena, ash_slice_str(hex)); /* room for the RPM's */
                missing += !m.known[i];
        }
        if (r < 0 || !missing)
                return r;
        r = fetch_debs(&m, n);
        if (r < 0)
                return r;
        ash_progress_begin(u->flow->progress, "importing packages", missing, ASH_UNIT_ITEMS);
        r = ash_parallel_for(n, u->flow->threads, true, convert, &m);
        ash_progress_end(u->flow->progress);
        return r;
}

/* ---- questions ---- */
static bool has_apt(AshFlowUpstream *u, const AshPackage *package) {
        if (need_universe(u) < 0)
                return false;
        for (size_t i = 0; i < ash_apt_count(u->apt->universe); i++) {
                AshAptPackage p;
                ash_apt_package(u->apt->universe, i, &p);
                if (ash_slice_eq(p.filename, package->location))
                        return true;
        }
        return false;
}

static uint64_t date_apt(const AshFlowUpstream *u) {
        struct tm tm = {};
        const char *date = u->apt->snapshot ? u->apt->snapshot->date : u->pinned->date.ptr;
        const char *end = date ? strptime(date, "%a, %d %b %Y %H:%M:%S", &tm) : NULL;
        return end ? (uint64_t) timegm(&tm) : 0;
}

static void lock_apt_pinned(const AshFlowUpstream *u, AshArena *arena, AshLockUpstream *ret) {
        const AshLockUpstream *p = ash_flow_copy_state(u->pinned, arena);
        ret->snapshot = p->snapshot;
        ret->date = p->date;
        ret->key = p->key;
        ret->indices = p->indices;
        ret->n_indices = p->n_indices;
        ret->contents = p->contents;
        ret->n_contents = p->n_contents;
}

static void lock_apt(const AshFlowUpstream *u, AshArena *arena, AshLockUpstream *ret) {
        char hex[65];
        importer_id(u->apt->tables, hex);
        ret->importer = ash_arena_slice(arena, ash_slice_str(hex));
        if (!u->apt->snapshot) {
                lock_apt_pinned(u, arena, ret);
                return;
        }
        ash_hex(u->apt->snapshot->release_sha256, 32, hex);
        ret->snapshot = ash_arena_slice(arena, ash_slice_str(hex));
        ret->date = ash_arena_slice(arena, ash_slice_str(u->apt->snapshot->date));
        ret->key = ash_arena_slice(arena, ash_slice_str(u->apt->snapshot->key));
        ret->indices = ash_arena_new_items(arena, AshSlice, u->apt->snapshot->indices.n);
        ash_array_foreach(&u->apt->snapshot->indices, i)
                if (!i->is_sources) {
                        ash_hex(i->sha256, 32, hex);
                        ret->indices[ret->n_indices++] = ash_arena_slice(arena, ash_slice_str(hex));
                }
        ret->contents = ash_arena_new_items(arena, AshSlice, u->apt->snapshot->contents.n);
        ash_array_foreach(&u->apt->snapshot->contents, c) {
                ash_hex(c->sha256, 32, hex);
                ret->contents[ret->n_contents++] = ash_slice_str(ash_arena_printf(arena, "%s %s", c->path, hex));
        }
}

static int count_apt(AshFlowUpstream *u, size_t *ret) {
        int r = need_universe(u);
        if (r >= 0)
                *ret = ash_apt_count(u->apt->universe);
        return r;
}

static void package_apt(AshFlowUpstream *u, size_t i, AshArena *arena, AshPackage *ret) {
        AshAptPackage p;
        ash_apt_package(u->apt->universe, i, &p);
        ash_apt_model(u->apt->universe, i, arena, ret);
        ret->source_rpm = ash_slice_str(ash_arena_printf(arena, "%.*s %.*s", ASH_F(p.source), ASH_F(p.source_version)));
}

static bool scripts_apt(AshFlowUpstream *u, AshSlice location, AshFlowScripts *ret) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        for (size_t i = 0; u->apt && u->apt->universe && i < ash_apt_count(u->apt->universe); i++) {
                AshAptPackage p;
                AshAptImport in;
                AshLockPackage got;
                ash_apt_package(u->apt->universe, i, &p);
                if (!ash_slice_eq(p.filename, location))
                        continue;
                AshId key = import_id(u, i, &in);
                return recall(u, &key, &got, ret, arena);
        }
        return false;
}

static int essential_apt(AshFlowUpstream *u, AshArena *arena, AshSlice **ret, size_t *ret_n) {
        int r = need_universe(u);
        *ret = ash_arena_new_items(arena, AshSlice, r < 0 ? 0 : ash_apt_count(u->apt->universe));
        for (size_t i = 0; r >= 0 && i < ash_apt_count(u->apt->universe); i++) {
                AshAptPackage p;
                ash_apt_package(u->apt->universe, i, &p);
                if (p.flags & ASH_APT_ESSENTIAL)
                        (*ret)[(*ret_n)++] = ash_arena_slice(arena, p.name);
        }
        return r;
}

static const AshAptTables *tables_apt(const AshFlowUpstream *u) { return u->apt ? u->apt->tables : NULL; }

/* ---- lists of files ---- */
/* "main/Contents-amd64.gz HEX" to where it is: by its digest for as long as the mirror keeps it (wiki.debian.org "RepositoryFormat", Acquire-By-Hash), else by its name. */
static bool contents_of(AshFlowUpstream *u, const char *mirror, AshSlice text, AshArena *arena, AshFlowContents *ret) {
        AshSlice path, hex;
        if (!ash_slice_next_word(&text, &path) || !ash_slice_next_word(&text, &hex) || ash_id_parse(hex, &ret->id) < 0)
                return false;
        AshSlice dir = ash_path_dir(path);
        const char *by_hash = ash_arena_printf(arena, "dists/%s/%.*s/by-hash/SHA256/%.*s", u->apt->archive.suite, ASH_F(dir), ASH_F(hex)), *by_name = ash_arena_printf(arena, "dists/%s/%.*s", u->apt->archive.suite, ASH_F(path));
        ret->urls = ash_arena_new_items(arena, const char *, 3);
        ret->urls[0] = ash_apt_url(mirror, ash_slice_str(by_hash), arena);
        ret->urls[1] = ash_apt_url(mirror, ash_slice_str(by_name), arena);
        ret->label = ash_arena_strndup(arena, path.ptr, path.len);
        return ret->urls[0] != NULL;
}

static int contents_apt(AshFlowUpstream *u, AshArena *arena, AshFlowContents **ret, size_t *ret_n) {
        AshLockUpstream state;
        _free_ char *mirror = NULL, *keyring = NULL;
        ash_flow_upstream_lock(u, arena, &state);
        int r = ash_apt_find_mirror(&u->apt->archive, "/", &mirror, &keyring, u->flow->diags);
        *ret = ash_arena_new_items(arena, AshFlowContents, state.n_contents + 1);
        for (size_t i = 0; r >= 0 && i < state.n_contents; i++)
                *ret_n += contents_of(u, mirror, state.contents[i], arena, &(*ret)[*ret_n]);
        return r;
}

/* ---- packages whose metadata is nowhere any more ---- */
static bool is_as_locked(AshFlowUpstream *u, const AshLockPackage *locked) {
        char hex[65];
        for (size_t i = 0; i < ash_apt_count(u->apt->universe); i++) {
                AshAptPackage p;
                ash_apt_package(u->apt->universe, i, &p);
                ash_hex(p.sha256, sizeof p.sha256, hex);
                if (ash_slice_eq(p.filename, locked->origin))
                        return ash_slice_eqs(locked->origin_sha256, hex);
        }
        return false;
}

/* What an import makes of a deb follows from the archive's other packages, too: only the digest tells whether it is still the same. */
static int rescue_apt(AshFlowUpstream *u, const AshLockPackage *const *packages, size_t n) {
        const AshPackage **wanted = ash_arena_new_items(u->arena, const AshPackage *, n);
        AshLockPackage *got = ash_arena_new_items(u->arena, AshLockPackage, n);
        size_t k = 0;
        int r = open_apt(u, NULL);
        if (r >= 0)
                r = need_universe(u);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                AshPackage *p = ash_arena_new_item(u->arena, AshPackage);
                ash_nevra_parse(packages[i]->nevra, p);
                p->location = packages[i]->origin;
                if (is_as_locked(u, packages[i]))
                        wanted[k++] = p;
        }
        return r >= 0 && k ? realize_apt(u, wanted, k, u->arena, got) : r;
}

/* ---- is what a lock says true ---- */
static int prove_apt_package(AshFlowUpstream *u, size_t i, const AshAptPackage *p, const AshLockPackage *locked, AshArena *arena, AshDiags *diags) {
        AshPackage model;
        AshAptImport in;
        AshLockPackage got = {};
        char hex[65];
        ash_apt_model(u->apt->universe, i, arena, &model);
        ash_hex(p->sha256, sizeof p->sha256, hex);
        int r = ash_flow_prove_text(u, locked, "name", ash_package_nevra(&model, arena), locked->nevra, diags);
        if (r >= 0)
                r = ash_flow_prove_text(u, locked, "origin-sha256", ash_slice_str(hex), locked->origin_sha256, diags);
        if (r < 0)
                return r;
        AshId key = import_id(u, i, &in);
        if (!recall(u, &key, &got, NULL, arena))
                return ASH_PROOF_UNKNOWN;
        r = ash_flow_prove_text(u, locked, "SHA-256", got.sha256, locked->sha256, diags);
        if (r >= 0)
                r = ash_flow_prove_size(u, locked, got.size, diags);
        return r < 0 ? r : ASH_PROOF_GOOD;
}

static int prove_apt(AshFlowUpstream *u, const AshLockPackage *locked, AshDiags *diags) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        int r = need_universe(u);
        for (size_t i = 0; r >= 0 && i < ash_apt_count(u->apt->universe); i++) {
                AshAptPackage p;
                ash_apt_package(u->apt->universe, i, &p);
                if (ash_slice_eq(p.filename, locked->origin))
                        return prove_apt_package(u, i, &p, locked, arena, diags);
        }
        return r < 0 ? r : ASH_PROOF_NONE;
}

const AshFlowUpstreamOps ash_flow_upstream_apt = {
        .type = "apt", .open = open_apt, .done = done_apt, .state = state_apt, .add = add_apt, .has = has_apt, .realize = realize_apt, .lock = lock_apt, .rescue = rescue_apt, .prove = prove_apt,
        .count = count_apt, .package = package_apt, .date = date_apt, .essential = essential_apt, .contents = contents_apt, .scripts = scripts_apt, .tables = tables_apt,
};
