#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include "flow-built.h"
#include "flow-host.h"
#include "flow-upstream.h"

/* What a kind of upstream can do. */
typedef struct UpstreamOps {
        const char *type;
        int (*open)(AshFlowUpstream *u, const AshLockUpstream *pinned);
        int (*add)(AshFlowUpstream *u, const char *label, AshUniverse *universe);
        bool (*has)(AshFlowUpstream *u, const AshPackage *package);
        int (*realize)(AshFlowUpstream *u, const AshPackage *const *packages, size_t n, AshArena *arena, AshLockPackage *ret);
        uint64_t (*date)(const AshFlowUpstream *u);
        void (*lock)(const AshFlowUpstream *u, AshArena *arena, AshLockUpstream *ret);
        int (*rescue)(AshFlowUpstream *u, const AshLockPackage *const *packages, size_t n); /* of one that has not been opened */
        int (*prove)(AshFlowUpstream *u, const AshLockPackage *locked, AshDiags *diags);
        int (*count)(AshFlowUpstream *u, size_t *ret);
        void (*package)(AshFlowUpstream *u, size_t i, AshArena *arena, AshPackage *ret);
} UpstreamOps;

struct AshFlowUpstream {
        AshFlow *flow;
        const UpstreamOps *ops;
        const AshUpstream *config;
        AshSlice name, arch, type;
        AshArena *arena;
        /* apt */
        AshAptArchive archive;
        AshAptSnapshot *snapshot;    /* NULL while a pinned state is at hand: apt has not been asked */
        const AshLockUpstream *pinned;
        AshAptTables *tables;
        AshApt *apt;                 /* loaded when a package is asked for: the solver has a form of its own */
        AshId *indices;              /* what it is made of */
        size_t n_indices;
        AshId apt_key;               /* of everything that the universe depends on */
        /* rpm-md */
        AshRpmmdRepo *rpmmd;
        AshKeyring *keys;
        /* host */
        AshFlowHost *host;
        /* components */
        AshFlowBuilt *built;
};

void ash_flow_upstream_free(AshFlowUpstream *u) {
        if (!u)
                return;
        ash_apt_free(u->apt);
        ash_apt_tables_free(u->tables);
        ash_apt_snapshot_free(u->snapshot);
        ash_rpmmd_free(u->rpmmd);
        ash_keyring_free(u->keys);
        ash_flow_host_free(u->host);
        ash_flow_built_free(u->built);
        ash_arena_free(u->arena);
        free(u);
}

AshSlice ash_flow_upstream_name(const AshFlowUpstream *u) { return u->name; }

/* "x86_64" -> "amd64": what Debian calls an architecture. */
static const char *debian_arch(AshSlice arch) {
        return ash_slice_eqs(arch, "x86_64") ? "amd64" : ash_slice_eqs(arch, "aarch64") ? "arm64" : NULL;
}

/* ---- keys of derived objects ---- */
typedef struct Key {
        AshDigest *digest;
} Key;

static Key key_new(const char *kind) {
        Key k = { ash_digest_new(ASH_SHA256) };
        ash_digest_update(k.digest, kind, strlen(kind) + 1);
        return k;
}

static void key_add(Key *k, const void *data, size_t n) {
        uint64_t len = n;
        ash_digest_update(k->digest, &len, sizeof len);
        ash_digest_update(k->digest, data, n);
}

static AshId key_done(Key *k) {
        AshId id;
        ash_digest_final(k->digest, id.sha256);
        ash_digest_free(k->digest);
        return id;
}

/* ---- apt ---- */
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
        Key k = key_new("importer");
        uint32_t version = ASH_APT_IMPORTER_VERSION;
        const char *digest = ash_apt_tables_digest(tables);
        key_add(&k, &version, sizeof version);
        key_add(&k, digest, strlen(digest));
        AshId id = key_done(&k);
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

static AshId apt_universe_key(const AshFlowUpstream *u, const AshLockUpstream *pinned) {
        Key k = key_new("apt-universe");
        uint32_t version = ASH_APT_IMPORTER_VERSION;
        const char *tables = ash_apt_tables_digest(u->tables);
        key_add(&k, &version, sizeof version);
        key_add(&k, ASHLAR_VERSION, sizeof ASHLAR_VERSION);
        key_add(&k, u->arch.ptr, u->arch.len);
        key_add(&k, tables, strlen(tables));
        if (pinned)
                for (size_t i = 0; i < pinned->n_indices; i++) {
                        uint8_t digest[32];
                        ash_unhex(pinned->indices[i], digest, sizeof digest);
                        key_add(&k, digest, sizeof digest);
                }
        else
                ash_array_foreach(&u->snapshot->indices, i)
                        if (!i->is_sources)
                                key_add(&k, i->sha256, sizeof i->sha256);
        return key_done(&k);
}

/* The index files go into the store, so that a lock can be solved again after the mirror has moved on. */
static int keep_indices(AshFlowUpstream *u) {
        ash_array_foreach(&u->snapshot->indices, i) {
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
                r = ash_apt_build(texts, n, ash_slice_str(debian_arch(u->arch)), u->tables, label, &u->apt, u->flow->diags);
        for (size_t i = 0; i < n; i++)
                ash_bytes_done(&bytes[i]);
        if (r >= 0)
                ash_store_cache_put(u->flow->store, "apt-universe", &u->apt_key, ash_apt_blob(u->apt)); /* only a cache: a failure costs time */
        return r;
}

static int need_universe(AshFlowUpstream *u) {
        AshBytes bytes = {};
        if (u->apt)
                return 0;
        if (ash_store_cache_get(u->flow->store, "apt-universe", &u->apt_key, &bytes) >= 0) {
                if (ash_apt_load(&bytes, &u->apt) >= 0)
                        return 0;
                ash_bytes_done(&bytes);
        }
        _free_ char *label = ash_slice_dup(u->name);
        return build_universe(u, u->indices, u->n_indices, label);
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
        int r = ash_apt_sync(&u->archive, &u->snapshot, u->flow->progress, u->flow->diags);
        if (r >= 0)
                r = keep_indices(u);
        if (r < 0 || !pinned || snapshot_matches(u->snapshot, pinned))
                return r;
        r = ash_fail(u->flow->diags, -ASH_ERR_VERIFY, u->config->repo.name.at, "upstream '%.*s' has moved on: the lock pins its state of %.*s, the mirror has that of %s", ASH_F(u->name), ASH_F(pinned->date), u->snapshot->date);
        ash_hint(u->flow->diags, "'ashlar lock --update' takes the new state");
        return r;
}

static int open_apt(AshFlowUpstream *u, const AshLockUpstream *pinned) {
        const AshRepo *repo = &u->config->repo;
        const char *arch = debian_arch(u->arch);
        if (!arch)
                return ash_fail(u->flow->diags, -EINVAL, repo->name.at, "upstream '%.*s' has no architecture '%.*s'; an apt archive is imported for x86_64 and aarch64", ASH_F(u->name), ASH_F(u->arch));
        _free_ char *components = joined(repo->components, "main");
        u->archive = (AshAptArchive){ .suite = repo->suite.s.ptr, .components = ash_arena_strdup(u->arena, components), .arch = arch, .mirror = u->flow->apt_mirror, .at = repo->name.at,
                                      .state_dir = ash_arena_printf(u->arena, "%s/apt/%.*s-%s", ash_store_path(u->flow->store), ASH_F(u->name), arch) };
        int r = load_tables(u->config, &u->tables, u->flow->diags);
        if (r >= 0 && !indices_at_hand(u, pinned))
                r = sync_apt(u, pinned);
        if (r < 0)
                return r;
        size_t n = 0;
        AshId *ids = ash_arena_new_items(u->arena, AshId, u->snapshot ? u->snapshot->indices.n : pinned->n_indices);
        if (!u->snapshot)
                for (; n < pinned->n_indices; n++)
                        ash_id_parse(pinned->indices[n], &ids[n]);
        else
                ash_array_foreach(&u->snapshot->indices, i)
                        if (!i->is_sources)
                                memcpy(ids[n++].sha256, i->sha256, 32);
        u->apt_key = apt_universe_key(u, u->snapshot ? NULL : pinned);
        u->indices = ids;
        u->n_indices = n;
        return 0;
}

AshId ash_flow_upstream_solver_key(const AshFlowUpstream *u) {
        Key k = key_new("solv");
        const AshId *state = u->rpmmd ? ash_rpmmd_repomd_id(u->rpmmd) : u->host ? &u->host->id : u->built ? &u->built->state : &u->apt_key;
        key_add(&k, state->sha256, sizeof state->sha256);
        key_add(&k, u->arch.ptr, u->arch.len);
        key_add(&k, ash_solv_version(), strlen(ash_solv_version()));
        return key_done(&k);
}

/* The universe as libsolv keeps it, made once for each state; not to have it is only a loss of time. */
static void keep_solv(const AshFlowUpstream *u, const AshId *key, AshUniverse *universe) {
        _close_ int fd = memfd_create("solv", MFD_CLOEXEC);
        _bytes_ AshBytes out = {};
        if (fd >= 0 && ash_universe_write_solv(universe, fd, NULL) >= 0 && lseek(fd, 0, SEEK_SET) == 0 && ash_file_read_fd(fd, 0, &out) >= 0)
                ash_store_cache_put(u->flow->store, "solv", key, ash_bytes_slice(&out));
}

static int add_apt(AshFlowUpstream *u, const char *label, AshUniverse *universe) {
        _bytes_ AshBytes bytes = {};
        AshId key = ash_flow_upstream_solver_key(u);
        ash_universe_add_repo(universe, label, 0);
        if (ash_store_cache_get(u->flow->store, "solv", &key, &bytes) >= 0 && ash_universe_add_solv(universe, ash_bytes_slice(&bytes), NULL) >= 0)
                return 0;
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        int r = need_universe(u);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ash_apt_count(u->apt); i++) {
                AshPackage p = {};
                ash_apt_model(u->apt, i, arena, &p);
                /* What the solver does not look at would only make the file longer to read. */
                p.summary = p.url = p.license = p.vendor = p.source_rpm = ASH_NOSLICE;
                p.deps[ASH_DEP_SUGGESTS].n = p.deps[ASH_DEP_ENHANCES].n = 0;
                ash_universe_add_package(universe, &p);
        }
        keep_solv(u, &key, universe);
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
        *ret = (AshAptImport){ .universe = u->apt, .package = index, .tables = u->tables };
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
        ash_apt_package(u->apt, (size_t) m->index[i], &p);
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
        size_t count = ash_apt_count(u->apt);
        ash_map_reserve(&by_location, count);
        for (size_t i = 0; i < count; i++) {
                AshAptPackage p;
                ash_apt_package(u->apt, i, &p);
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
                ash_apt_package(u->apt, (size_t) m->index[i], &p);
                if (!m->known[i])
                        specs[k++] = ash_arena_printf(u->arena, "%.*s=%.*s", ASH_F(p.name), ASH_F(p.version));
        }
        if (r >= 0)
                r = ash_apt_download(&u->archive, specs, k, tmp->path, u->flow->progress, u->flow->diags);
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
        int r = ash_apt_find_mirror(&u->archive, "/", &mirror, &keyring, u->flow->diags);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                AshAptPackage p;
                if (m->known[i])
                        continue;
                ash_apt_package(u->apt, (size_t) m->index[i], &p);
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
        return ash_store_fetch(u->flow->store, wants, n_wants, &(AshFetchOptions){ .allow_file = true }, u->flow->progress, u->flow->diags);
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
                ash_apt_package(u->apt, (size_t) m.index[i], &p);
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

/* ---- rpm-md ---- */
/* Where it is and what proves it. What it points at lives as long as the upstream. */
static int make_source(AshFlowUpstream *u, AshRpmmdSource *ret) {
        const AshRepo *repo = &u->config->repo;
        const char **arches = ash_arch_family(u->arch, u->arena), **bases = ash_arena_new_items(u->arena, const char *, repo->mirrors.n + 2);
        const AshDistroVersion *version = u->flow->config ? ash_config_default_distro_version(u->flow->config, NULL) : NULL;
        *ret = (AshRpmmdSource){ .name = ash_arena_strndup(u->arena, u->name.ptr, u->name.len), .arch = arches[0], .arches = arches, .allow_file = true, .at = repo->name.at,
                                 .snapshot = ash_text_set(u->config->snapshot) ? u->config->snapshot.s.ptr : NULL, .allow_unsigned = repo->disable_gpg_check.value == ASH_YES };
        if (ash_text_set(repo->metalink))
                ret->metalink = repo->metalink.s.ptr;
        if (ash_text_set(repo->mirror_list))
                ret->mirrorlist = repo->mirror_list.s.ptr;
        if (version && ash_text_set(version->release_ver))
                ret->releasever = version->release_ver.s.ptr;
        if (ash_text_set(repo->base_uri)) {
                bases[0] = repo->base_uri.s.ptr;
                for (size_t i = 0; i < repo->mirrors.n; i++)
                        bases[i + 1] = repo->mirrors.items[i].s.ptr;
                ret->base_urls = bases;
        }
        if (!ash_text_set(repo->gpg_key) || ret->allow_unsigned)
                return 0;
        _bytes_ AshBytes key = {};
        AshSlice path = repo->gpg_key.s;
        if (ash_slice_starts(path, ASH_S("file://")))
                path = ash_slice_from(path, 7);
        int r = ash_file_read(AT_FDCWD, path.ptr, 4 << 20, &key);
        if (r < 0) {
                ash_fail(u->flow->diags, r, repo->gpg_key.at, "cannot read the key '%.*s': %s", ASH_F(path), ash_strerror(r));
                ash_hint(u->flow->diags, "'gpg-key' is a file on this machine with the public key of whoever signs upstream '%.*s': install or fetch it", ASH_F(u->name));
                return r;
        }
        r = ash_keyring_new(&u->keys, u->flow->diags);
        if (r >= 0)
                r = ash_keyring_add(u->keys, ash_bytes_slice(&key), path.ptr, u->flow->diags);
        ret->keyring = u->keys;
        return r;
}

static int open_rpmmd(AshFlowUpstream *u, const AshLockUpstream *pinned) {
        static const char *const want[] = { "filelists", "updateinfo", NULL };
        AshRpmmdSource source;
        AshId repomd;
        int r = make_source(u, &source);
        if (r < 0)
                return r;
        if (pinned && ash_id_parse(pinned->snapshot, &repomd) >= 0)
                source.repomd_id = &repomd;
        return ash_rpmmd_open(u->flow->store, &source, want, u->flow->progress, &u->rpmmd, u->flow->diags);
}

/* Of several repositories the lowest number wins in the configuration, the highest in libsolv. */
/* What the project builds itself stands before what it takes from others, unless it says otherwise. */
int ash_flow_upstream_priority(const AshFlowUpstream *u) { return u->config->repo.priority.set ? 99 - (int) u->config->repo.priority.value : u->built ? 49 : 0; }

static int add_rpmmd(AshFlowUpstream *u, const char *label, AshUniverse *universe) {
        _bytes_ AshBytes bytes = {};
        AshId key = ash_flow_upstream_solver_key(u);
        ash_universe_add_repo(universe, label, ash_flow_upstream_priority(u));
        if (ash_store_cache_get(u->flow->store, "solv", &key, &bytes) >= 0 && ash_universe_add_solv(universe, ash_bytes_slice(&bytes), NULL) >= 0)
                return 0;
        int r = ash_rpmmd_load(u->rpmmd, u->flow->diags);
        if (r >= 0)
                r = ash_universe_add_rpmmd(universe, ash_rpmmd_file(u->rpmmd, "primary", NULL), ash_rpmmd_file(u->rpmmd, "filelists", NULL), NULL, u->flow->diags);
        if (r < 0)
                return r;
        keep_solv(u, &key, universe);
        return 0;
}

/* Who signed each package: the fingerprint goes into the lock. A package that no key of the upstream signed is refused. */
static int check_signature(AshFlowUpstream *u, const AshId *id, AshSlice nevra, AshSlice *ret_key, AshArena *arena) {
        _bytes_ AshBytes bytes = {};
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
        _cleanup_(ash_rpm_sig_report_done) AshRpmSigReport report = {};
        _free_ char *name = ash_slice_dup(nevra);
        if (!u->keys)
                return 0;
        int r = ash_store_map_blob(u->flow->store, id, false, &bytes, u->flow->diags);
        if (r >= 0)
                r = ash_rpm_parse(ash_bytes_slice(&bytes), name, &rpm, u->flow->diags);
        if (r >= 0)
                r = ash_rpm_verify(u->keys, rpm, &(AshVerifyOptions){}, &report, u->flow->diags);
        if (r == -ENOKEY || r == -ENODATA) {
                bool unsigned_ = r == -ENODATA;
                r = ash_fail(u->flow->diags, -ASH_ERR_VERIFY, u->config->repo.gpg_key.at, "%s is %s", name, unsigned_ ? "not signed" : "signed by no key of this upstream");
                if (!unsigned_)
                        ash_hint(u->flow->diags, "'gpg-key' of upstream '%.*s' must name a file with the public keys of whoever signs its packages", ASH_F(u->name));
                return r;
        }
        if (r >= 0)
                ash_array_foreach(&report.results, s)
                        if (s->status == ASH_SIG_GOOD) {
                                *ret_key = ash_arena_slice(arena, ash_slice_str(s->fingerprint[0] ? s->fingerprint : s->key_id));
                                break;
                        }
        return r < 0 ? r : 0;
}

static int realize_rpmmd(AshFlowUpstream *u, const AshPackage *const *packages, size_t n, AshArena *arena, AshLockPackage *ret) {
        const AshRpmmdPackage **found = ash_arena_new_items(u->arena, const AshRpmmdPackage *, n);
        AshId *ids = ash_arena_new_items(u->arena, AshId, n);
        int r = ash_rpmmd_load(u->rpmmd, u->flow->diags);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                AshRpmmdFound f;
                AshSlice nevra = ash_package_nevra(packages[i], arena);
                ret[i] = (AshLockPackage){ .nevra = nevra, .upstream = u->name };
                if (ash_rpmmd_find(u->rpmmd, nevra, &f) < 0)
                        return ash_fail(u->flow->diags, -ENOENT, ASH_NOWHERE, "upstream '%.*s' does not have %.*s", ASH_F(u->name), ASH_F(nevra));
                found[i] = f.package;
        }
        r = ash_rpmmd_fetch(u->rpmmd, u->flow->store, found, n, ids, u->flow->progress, u->flow->diags);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                char hex[ASH_ID_HEX];
                ash_id_hex(&ids[i], hex);
                ret[i].sha256 = ash_arena_slice(arena, ash_slice_str(hex));
                ret[i].size = found[i]->size;
                ret[i].origin = ash_arena_slice(arena, found[i]->href);
                r = check_signature(u, &ids[i], ret[i].nevra, &ret[i].key, arena);
        }
        return r;
}

/* ---- both kinds: questions ---- */
static bool has_apt(AshFlowUpstream *u, const AshPackage *package) {
        if (need_universe(u) < 0)
                return false;
        for (size_t i = 0; i < ash_apt_count(u->apt); i++) {
                AshAptPackage p;
                ash_apt_package(u->apt, i, &p);
                if (ash_slice_eq(p.filename, package->location))
                        return true;
        }
        return false;
}

static bool has_rpmmd(AshFlowUpstream *u, const AshPackage *package) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshRpmmdFound f;
        char hex[ASH_ID_HEX];
        if (ash_rpmmd_load(u->rpmmd, u->flow->diags) < 0 || ash_rpmmd_find(u->rpmmd, ash_package_nevra(package, arena), &f) < 0)
                return false;
        ash_id_hex(&f.id, hex);
        return !f.has_id || !package->sha256.len || ash_slice_eqs(package->sha256, hex);
}

static uint64_t date_apt(const AshFlowUpstream *u) {
        struct tm tm = {};
        const char *date = u->snapshot ? u->snapshot->date : u->pinned->date.ptr;
        const char *end = date ? strptime(date, "%a, %d %b %Y %H:%M:%S", &tm) : NULL;
        return end ? (uint64_t) timegm(&tm) : 0;
}

static uint64_t date_rpmmd(const AshFlowUpstream *u) { return ash_rpmmd_repomd(u->rpmmd)->timestamp; }

static void lock_rpmmd(const AshFlowUpstream *u, AshArena *arena, AshLockUpstream *ret) {
        const AshSigResult *signature = ash_rpmmd_signature(u->rpmmd);
        char hex[65];
        ash_id_hex(ash_rpmmd_repomd_id(u->rpmmd), hex);
        ret->snapshot = ash_arena_slice(arena, ash_slice_str(hex));
        ret->date = ash_slice_str(ash_arena_printf(arena, "%llu", (unsigned long long) date_rpmmd(u)));
        if (signature)
                ret->key = ash_arena_slice(arena, ash_slice_str(signature->fingerprint));
        else if (u->pinned) /* from the store: checked when it was locked */
                ret->key = ash_arena_slice(arena, u->pinned->key);
}

static AshLockUpstream *copy_state(const AshLockUpstream *from, AshArena *arena) {
        AshLockUpstream *to = ash_arena_new_item(arena, AshLockUpstream);
        *to = (AshLockUpstream){ .name = ash_arena_slice(arena, from->name), .arch = ash_arena_slice(arena, from->arch), .type = ash_arena_slice(arena, from->type), .snapshot = ash_arena_slice(arena, from->snapshot),
                                 .date = ash_arena_slice(arena, from->date), .key = ash_arena_slice(arena, from->key), .importer = ash_arena_slice(arena, from->importer) };
        to->indices = ash_arena_new_items(arena, AshSlice, from->n_indices + 1);
        for (; to->n_indices < from->n_indices; to->n_indices++)
                to->indices[to->n_indices] = ash_arena_slice(arena, from->indices[to->n_indices]);
        to->contents = ash_arena_new_items(arena, AshSlice, from->n_contents + 1);
        for (; to->n_contents < from->n_contents; to->n_contents++)
                to->contents[to->n_contents] = ash_arena_slice(arena, from->contents[to->n_contents]);
        return to;
}

static void lock_apt_pinned(const AshFlowUpstream *u, AshArena *arena, AshLockUpstream *ret) {
        const AshLockUpstream *p = copy_state(u->pinned, arena);
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
        importer_id(u->tables, hex);
        ret->importer = ash_arena_slice(arena, ash_slice_str(hex));
        if (!u->snapshot) {
                lock_apt_pinned(u, arena, ret);
                return;
        }
        ash_hex(u->snapshot->release_sha256, 32, hex);
        ret->snapshot = ash_arena_slice(arena, ash_slice_str(hex));
        ret->date = ash_arena_slice(arena, ash_slice_str(u->snapshot->date));
        ret->key = ash_arena_slice(arena, ash_slice_str(u->snapshot->key));
        ret->indices = ash_arena_new_items(arena, AshSlice, u->snapshot->indices.n);
        ash_array_foreach(&u->snapshot->indices, i)
                if (!i->is_sources) {
                        ash_hex(i->sha256, 32, hex);
                        ret->indices[ret->n_indices++] = ash_arena_slice(arena, ash_slice_str(hex));
                }
        ret->contents = ash_arena_new_items(arena, AshSlice, u->snapshot->contents.n);
        ash_array_foreach(&u->snapshot->contents, c) {
                ash_hex(c->sha256, 32, hex);
                ret->contents[ret->n_contents++] = ash_slice_str(ash_arena_printf(arena, "%s %s", c->path, hex));
        }
}

void ash_flow_upstream_lock(const AshFlowUpstream *u, AshArena *arena, AshLockUpstream *ret) {
        *ret = (AshLockUpstream){ .name = ash_arena_slice(arena, u->name), .arch = ash_arena_slice(arena, u->arch), .type = ash_arena_slice(arena, u->type) };
        u->ops->lock(u, arena, ret);
}

/* "main/Contents-amd64.gz HEX" to where it is: by its digest for as long as the mirror keeps it (wiki.debian.org "RepositoryFormat", Acquire-By-Hash), else by its name. */
static bool contents_of(AshFlowUpstream *u, const char *mirror, AshSlice text, AshArena *arena, AshFlowContents *ret) {
        AshSlice path, hex;
        if (!ash_slice_next_word(&text, &path) || !ash_slice_next_word(&text, &hex) || ash_id_parse(hex, &ret->id) < 0)
                return false;
        AshSlice dir = ash_path_dir(path);
        const char *by_hash = ash_arena_printf(arena, "dists/%s/%.*s/by-hash/SHA256/%.*s", u->archive.suite, ASH_F(dir), ASH_F(hex)), *by_name = ash_arena_printf(arena, "dists/%s/%.*s", u->archive.suite, ASH_F(path));
        ret->urls = ash_arena_new_items(arena, const char *, 3);
        ret->urls[0] = ash_apt_url(mirror, ash_slice_str(by_hash), arena);
        ret->urls[1] = ash_apt_url(mirror, ash_slice_str(by_name), arena);
        ret->label = ash_arena_strndup(arena, path.ptr, path.len);
        return ret->urls[0] != NULL;
}

int ash_flow_upstream_contents(AshFlowUpstream *u, AshArena *arena, AshFlowContents **ret, size_t *ret_n) {
        AshLockUpstream state;
        _free_ char *mirror = NULL, *keyring = NULL;
        *ret_n = 0;
        if (u->ops->open != open_apt)
                return 0;
        ash_flow_upstream_lock(u, arena, &state);
        int r = ash_apt_find_mirror(&u->archive, "/", &mirror, &keyring, u->flow->diags);
        *ret = ash_arena_new_items(arena, AshFlowContents, state.n_contents + 1);
        for (size_t i = 0; r >= 0 && i < state.n_contents; i++)
                *ret_n += contents_of(u, mirror, state.contents[i], arena, &(*ret)[*ret_n]);
        return r;
}

AshSlice ash_flow_upstream_lib(const AshFlowUpstream *u) { return ash_slice_eqs(u->arch, "aarch64") ? ASH_S("aarch64-linux-gnu") : ASH_S("x86_64-linux-gnu"); }

static int count_apt(AshFlowUpstream *u, size_t *ret) {
        int r = need_universe(u);
        if (r >= 0)
                *ret = ash_apt_count(u->apt);
        return r;
}

static int count_rpmmd(AshFlowUpstream *u, size_t *ret) {
        int r = ash_rpmmd_load(u->rpmmd, u->flow->diags);
        *ret = ash_rpmmd_count(u->rpmmd);
        return r;
}

static void package_apt(AshFlowUpstream *u, size_t i, AshArena *arena, AshPackage *ret) {
        AshAptPackage p;
        ash_apt_package(u->apt, i, &p);
        ash_apt_model(u->apt, i, arena, ret);
        ret->source_rpm = ash_slice_str(ash_arena_printf(arena, "%.*s %.*s", ASH_F(p.source), ASH_F(p.source_version)));
}

static void package_rpmmd(AshFlowUpstream *u, size_t i, AshArena *arena, AshPackage *ret) {
        const AshRpmmdPackage *p = ash_rpmmd_at(u->rpmmd, i);
        char hex[ASH_HEX_MAX];
        *ret = (AshPackage){ .name = p->name, .epoch = p->epoch, .version = p->version, .release = p->release, .arch = p->arch, .summary = p->summary, .source_rpm = p->sourcerpm, .size = p->size,
                             .installed_size = p->installed_size, .build_time = p->build_time, .location = p->href };
        if (p->checksum.kind != ASH_SHA256)
                return;
        ash_hex(p->checksum.digest, 32, hex);
        ret->sha256 = ash_arena_slice(arena, ash_slice_str(hex));
}

bool ash_flow_upstream_scripts(AshFlowUpstream *u, AshSlice location, AshFlowScripts *ret) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        *ret = (AshFlowScripts){};
        for (size_t i = 0; u->apt && i < ash_apt_count(u->apt); i++) {
                AshAptPackage p;
                AshAptImport in;
                AshLockPackage got;
                ash_apt_package(u->apt, i, &p);
                if (!ash_slice_eq(p.filename, location))
                        continue;
                AshId key = import_id(u, i, &in);
                return recall(u, &key, &got, ret, arena);
        }
        return false;
}

int ash_flow_upstream_essential(AshFlowUpstream *u, AshArena *arena, AshSlice **ret, size_t *ret_n) {
        *ret_n = 0;
        *ret = NULL;
        if (u->ops->open != open_apt)
                return 0;
        int r = need_universe(u);
        *ret = ash_arena_new_items(arena, AshSlice, r < 0 ? 0 : ash_apt_count(u->apt));
        for (size_t i = 0; r >= 0 && i < ash_apt_count(u->apt); i++) {
                AshAptPackage p;
                ash_apt_package(u->apt, i, &p);
                if (p.flags & ASH_APT_ESSENTIAL)
                        (*ret)[(*ret_n)++] = ash_arena_slice(arena, p.name);
        }
        return r;
}

const AshAptTables *ash_flow_upstream_tables(const AshFlowUpstream *u) { return u->tables; }

/* ---- packages whose metadata is nowhere any more ---- */
static int rescue_rpmmd(AshFlowUpstream *u, const AshLockPackage *const *packages, size_t n) {
        AshRpmmdKnown *known = ash_arena_new_items(u->arena, AshRpmmdKnown, n);
        AshRpmmdSource source;
        AshSlice key;
        int r = make_source(u, &source);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                known[i] = (AshRpmmdKnown){ .href = packages[i]->origin, .size = packages[i]->size, .label = ash_arena_strndup(u->arena, packages[i]->nevra.ptr, packages[i]->nevra.len) };
                ash_id_parse(packages[i]->sha256, &known[i].id);
        }
        r = ash_rpmmd_fetch_known(u->flow->store, &source, known, n, u->flow->progress, u->flow->diags);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = check_signature(u, &known[i].id, packages[i]->nevra, &key, u->arena);
        return r;
}

static bool is_as_locked(AshFlowUpstream *u, const AshLockPackage *locked) {
        char hex[65];
        for (size_t i = 0; i < ash_apt_count(u->apt); i++) {
                AshAptPackage p;
                ash_apt_package(u->apt, i, &p);
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
static int forged(AshFlowUpstream *u, const AshLockPackage *locked, const char *what, AshSlice is, AshSlice said, AshDiags *diags) {
        return ash_fail(diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "the lock says of %.*s that its %s is %.*s; upstream '%.*s' says %.*s", ASH_F(locked->nevra), what, ASH_F(said), ASH_F(u->name), ASH_F(is));
}

static int prove_text(AshFlowUpstream *u, const AshLockPackage *locked, const char *what, AshSlice is, AshSlice said, AshDiags *diags) {
        return ash_slice_eq(is, said) ? 0 : forged(u, locked, what, is, said, diags);
}

static int prove_size(AshFlowUpstream *u, const AshLockPackage *locked, uint64_t is, AshDiags *diags) {
        char a[24], b[24];
        snprintf(a, sizeof a, "%llu", (unsigned long long) is);
        snprintf(b, sizeof b, "%llu", (unsigned long long) locked->size);
        return is == locked->size ? 0 : forged(u, locked, "size", ash_slice_str(a), ash_slice_str(b), diags);
}

static int prove_rpmmd(AshFlowUpstream *u, const AshLockPackage *locked, AshDiags *diags) {
        AshRpmmdFound f;
        char hex[ASH_ID_HEX];
        int r = ash_rpmmd_load(u->rpmmd, diags);
        if (r < 0)
                return r;
        if (ash_rpmmd_find(u->rpmmd, locked->nevra, &f) < 0)
                return ASH_PROOF_NONE;
        ash_id_hex(&f.id, hex);
        r = f.has_id ? prove_text(u, locked, "SHA-256", ash_slice_str(hex), locked->sha256, diags) : 0;
        if (r >= 0)
                r = prove_text(u, locked, "origin", f.package->href, locked->origin, diags);
        if (r >= 0 && f.package->size)
                r = prove_size(u, locked, f.package->size, diags);
        return r < 0 ? r : f.has_id ? ASH_PROOF_GOOD : ASH_PROOF_UNKNOWN;
}

static int prove_apt_package(AshFlowUpstream *u, size_t i, const AshAptPackage *p, const AshLockPackage *locked, AshArena *arena, AshDiags *diags) {
        AshPackage model;
        AshAptImport in;
        AshLockPackage got = {};
        char hex[65];
        ash_apt_model(u->apt, i, arena, &model);
        ash_hex(p->sha256, sizeof p->sha256, hex);
        int r = prove_text(u, locked, "name", ash_package_nevra(&model, arena), locked->nevra, diags);
        if (r >= 0)
                r = prove_text(u, locked, "origin-sha256", ash_slice_str(hex), locked->origin_sha256, diags);
        if (r < 0)
                return r;
        AshId key = import_id(u, i, &in);
        if (!recall(u, &key, &got, NULL, arena))
                return ASH_PROOF_UNKNOWN;
        r = prove_text(u, locked, "SHA-256", got.sha256, locked->sha256, diags);
        if (r >= 0)
                r = prove_size(u, locked, got.size, diags);
        return r < 0 ? r : ASH_PROOF_GOOD;
}

static int prove_apt(AshFlowUpstream *u, const AshLockPackage *locked, AshDiags *diags) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        int r = need_universe(u);
        for (size_t i = 0; r >= 0 && i < ash_apt_count(u->apt); i++) {
                AshAptPackage p;
                ash_apt_package(u->apt, i, &p);
                if (ash_slice_eq(p.filename, locked->origin))
                        return prove_apt_package(u, i, &p, locked, arena, diags);
        }
        return r < 0 ? r : ASH_PROOF_NONE;
}

/* ---- host ---- */
static int open_host(AshFlowUpstream *u, const AshLockUpstream *pinned _unused_) { return ash_flow_host_open(u->flow->store, u->arch, &u->host, u->flow->diags); }

static int add_host(AshFlowUpstream *u, const char *label, AshUniverse *universe) {
        ash_universe_add_repo(universe, label, ash_flow_upstream_priority(u));
        if (u->host->there)
                ash_universe_add_package(universe, &u->host->package);
        return 0;
}

static bool has_host(AshFlowUpstream *u, const AshPackage *package) { return u->host->there && ash_slice_eq(package->location, u->host->package.location); }

static int realize_host(AshFlowUpstream *u, const AshPackage *const *packages, size_t n, AshArena *arena, AshLockPackage *ret) {
        const AshPackage *own = &u->host->package;
        for (size_t i = 0; i < n; i++)
                ret[i] = (AshLockPackage){ .nevra = ash_package_nevra(packages[i], arena), .upstream = u->name, .origin = ash_arena_slice(arena, own->location), .sha256 = ash_arena_slice(arena, own->sha256),
                                           .size = own->size };
        return 0;
}

static uint64_t date_none(const AshFlowUpstream *u _unused_) { return 0; }

static void lock_host(const AshFlowUpstream *u, AshArena *arena, AshLockUpstream *ret) { ret->snapshot = ash_arena_slice(arena, u->host->package.sha256); }

static int count_host(AshFlowUpstream *u, size_t *ret) {
        *ret = u->host->there;
        return 0;
}

static void package_host(AshFlowUpstream *u, size_t i _unused_, AshArena *arena _unused_, AshPackage *ret) { *ret = u->host->package; }

/* Its state is not pinned: what is in the host's folders is all there is. */
static int rescue_host(AshFlowUpstream *u _unused_, const AshLockPackage *const *packages _unused_, size_t n _unused_) { return 0; }

static int prove_host(AshFlowUpstream *u, const AshLockPackage *locked, AshDiags *diags) {
        if (!u->host->there)
                return ASH_PROOF_NONE;
        int r = prove_text(u, locked, "SHA-256", u->host->package.sha256, locked->sha256, diags);
        return r < 0 ? r : ASH_PROOF_GOOD;
}

/* ---- components ---- */
static int open_built(AshFlowUpstream *u, const AshLockUpstream *pinned _unused_) { /* there is one state only: what is built now */
        _free_ char *path = ash_flow_built_path(u->flow->config);
        int r = ash_flow_built_open(path, u->arch, &u->built, u->flow->diags);
        if (r >= 0 && u->flow->for_build)
                ash_flow_built_for_build(u->built, u->flow->store, u->flow->building, u->flow->diags);
        return r;
}

static int add_built(AshFlowUpstream *u, const char *label, AshUniverse *universe) {
        int r = ash_flow_built_load(u->built, u->flow->store, u->flow->diags);
        ash_universe_add_repo(universe, label, ash_flow_upstream_priority(u));
        for (size_t i = 0; r >= 0 && i < u->built->items.n; i++)
                ash_universe_add_package(universe, &u->built->packages[i]);
        return r;
}

int ash_flow_upstream_built(AshFlowUpstream *u, AshIndexOwn *own) {
        if (!u->built || !own)
                return u->built != NULL;
        int r = ash_flow_built_load(u->built, u->flow->store, u->flow->diags);
        own->packages = u->built->packages;
        own->n = u->built->items.n;
        return r < 0 ? r : 1;
}

static bool has_built(AshFlowUpstream *u, const AshPackage *package) { return ash_flow_built_at(u->built, package->location) != NULL; }

static int realize_built(AshFlowUpstream *u, const AshPackage *const *packages, size_t n, AshArena *arena, AshLockPackage *ret) {
        for (size_t i = 0; i < n; i++) {
                const AshFlowBuiltPackage *item = ash_flow_built_at(u->built, packages[i]->location);
                AshId id;
                if (!item || ash_id_parse(item->built->sha256, &id) < 0 || !ash_store_has_blob(u->flow->store, &id))
                        return ash_flow_built_gone(item ? item->component->name : ash_flow_built_component(packages[i]->location), ash_package_nevra(packages[i], arena), u->flow->diags);
                ret[i] = (AshLockPackage){ .nevra = ash_arena_slice(arena, item->built->nevra), .upstream = u->name, .origin = ash_flow_built_origin(item->component, arena), .sha256 = ash_arena_slice(arena, item->built->sha256),
                                           .size = item->built->size };
        }
        return 0;
}

static void lock_built(const AshFlowUpstream *u, AshArena *arena, AshLockUpstream *ret) {
        char hex[ASH_ID_HEX];
        ash_id_hex(&u->built->state, hex);
        ret->snapshot = ash_arena_slice(arena, ash_slice_str(hex));
}

static int count_built(AshFlowUpstream *u, size_t *ret) {
        *ret = u->built->items.n;
        return ash_flow_built_load(u->built, u->flow->store, u->flow->diags);
}

static void package_built(AshFlowUpstream *u, size_t i, AshArena *arena _unused_, AshPackage *ret) { *ret = u->built->packages[i]; }

/* Nobody but a build has them. */
static int rescue_built(AshFlowUpstream *u, const AshLockPackage *const *packages, size_t n) {
        int r = 0;
        for (size_t i = 0; i < n; i++) {
                AshId id;
                if (ash_id_parse(packages[i]->sha256, &id) >= 0 && !ash_store_has_blob(u->flow->store, &id))
                        r = ash_flow_built_gone(ash_flow_built_component(packages[i]->origin), packages[i]->nevra, u->flow->diags);
        }
        return r;
}

static int prove_built(AshFlowUpstream *u, const AshLockPackage *locked, AshDiags *diags) {
        ash_array_foreach(&u->built->built->components, c)
                for (size_t i = 0; i < c->n_packages; i++)
                        if (ash_slice_eq(c->packages[i].nevra, locked->nevra)) {
                                int r = prove_text(u, locked, "SHA-256", c->packages[i].sha256, locked->sha256, diags);
                                return r < 0 ? r : ASH_PROOF_GOOD;
                        }
        return ASH_PROOF_NONE;
}

/* ---- the kinds ---- */
static const UpstreamOps kinds[] = {
        { "rpm-md", open_rpmmd, add_rpmmd, has_rpmmd, realize_rpmmd, date_rpmmd, lock_rpmmd, rescue_rpmmd, prove_rpmmd, count_rpmmd, package_rpmmd }, /* the first is meant when none is said */
        { "apt", open_apt, add_apt, has_apt, realize_apt, date_apt, lock_apt, rescue_apt, prove_apt, count_apt, package_apt },
        { "host", open_host, add_host, has_host, realize_host, date_none, lock_host, rescue_host, prove_host, count_host, package_host },
        { "components", open_built, add_built, has_built, realize_built, date_none, lock_built, rescue_built, prove_built, count_built, package_built },
};

static const UpstreamOps *kind_of(const AshUpstream *config) {
        for (size_t i = 0; i < ASH_N(kinds); i++)
                if (ash_slice_eqs(config->repo.type.s, kinds[i].type))
                        return &kinds[i];
        return &kinds[0];
}

/* ---- either kind ---- */
static AshFlowUpstream *upstream_new(AshFlow *flow, const AshUpstream *config, AshSlice arch) {
        AshFlowUpstream *u = ash_calloc(1, sizeof *u);
        u->flow = flow;
        u->config = config;
        u->arena = ash_arena_new();
        u->name = config->repo.name.s;
        u->arch = arch;
        u->ops = kind_of(config);
        u->type = ash_slice_str(u->ops->type);
        return u;
}

int ash_flow_upstream_rescue(AshFlow *flow, const AshUpstream *config, AshSlice arch, const AshLockPackage *const *packages, size_t n) {
        _cleanup_(ash_flow_upstream_free_p) AshFlowUpstream *u = upstream_new(flow, config, arch);
        return u->ops->rescue(u, packages, n);
}

int ash_flow_upstream_open(AshFlow *flow, const AshUpstream *config, AshSlice arch, const AshLockUpstream *pinned, AshFlowUpstream **ret) {
        _cleanup_(ash_flow_upstream_free_p) AshFlowUpstream *u = upstream_new(flow, config, arch);
        u->pinned = pinned ? copy_state(pinned, u->arena) : NULL;
        int r = u->ops->open(u, u->pinned);
        if (r >= 0)
                *ret = ASH_TAKE(u);
        return r;
}

int ash_flow_upstream_add(AshFlowUpstream *u, const char *label, AshUniverse *universe) { return u->ops->add(u, label, universe); }
bool ash_flow_upstream_has(AshFlowUpstream *u, const AshPackage *package) { return u->ops->has(u, package); }
int ash_flow_upstream_realize(AshFlowUpstream *u, const AshPackage *const *packages, size_t n, AshArena *arena, AshLockPackage *ret) { return u->ops->realize(u, packages, n, arena, ret); }
uint64_t ash_flow_upstream_date(const AshFlowUpstream *u) { return u->ops->date(u); }
AshSlice ash_flow_upstream_revision(const AshFlowUpstream *u) { return u->rpmmd ? ash_rpmmd_repomd(u->rpmmd)->revision : ASH_NOSLICE; }
int ash_flow_upstream_prove(AshFlowUpstream *u, const AshLockPackage *locked, AshDiags *diags) { return u->ops->prove(u, locked, diags); }
int ash_flow_upstream_count(AshFlowUpstream *u, size_t *ret) { return u->ops->count(u, ret); }
void ash_flow_upstream_package(AshFlowUpstream *u, size_t i, AshArena *arena, AshPackage *ret) { u->ops->package(u, i, arena, ret); }

static bool has_arch(const AshRepo *repo, AshSlice arch) {
        for (size_t i = 0; i < repo->architectures.n; i++)
                if (ash_slice_eq(repo->architectures.items[i].s, arch))
                        return true;
        return !repo->architectures.n || !arch.len;
}

static AshUpstream *make_part(const AshUpstream *upstream, const AshRepo *repo, AshArena *arena) {
        AshUpstream *part = ash_arena_new_item(arena, AshUpstream);
        *part = *upstream;
        part->repo = *repo;
        part->repos = (AshTexts){};
        return part;
}

const AshUpstream **ash_flow_upstream_parts(AshFlow *flow, const AshUpstream *upstream, AshSlice arch, AshArena *arena, size_t *ret_n) {
        const AshUpstream **parts = ash_arena_new_items(arena, const AshUpstream *, upstream->repos.n + 1);
        *ret_n = 0;
        if (!upstream->repos.n && has_arch(&upstream->repo, arch))
                parts[(*ret_n)++] = upstream;
        for (size_t i = 0; i < upstream->repos.n; i++) {
                const AshRepo *repo = ash_config_repo(flow->config, upstream->repos.items[i].s);
                if (repo && has_arch(repo, arch))
                        parts[(*ret_n)++] = make_part(upstream, repo, arena);
        }
        return parts;
}

const AshUpstream *ash_flow_upstream_of_repo(AshFlow *flow, AshSlice name, AshArena *arena) {
        const AshRepo *repo = ash_config_repo(flow->config, name);
        return repo ? make_part(&(AshUpstream){}, repo, arena) : NULL;
}

int ash_flow_unknown_upstream(const AshConfig *config, AshSlice name, AshDiags *diags) {
        const AshUpstreams *all = &ash_config_project(config)->upstreams;
        _str_ AshStr names = {};
        for (size_t i = 0; i < all->n; i++)
                ash_str_appendf(&names, "%s%.*s", i ? ", " : "", ASH_F(all->items[i].repo.name.s));
        int r = ash_fail(diags, -ASH_ERR_CONFIG, ASH_NOWHERE, "the project has no upstream '%.*s'", ASH_F(name));
        if (all->n)
                ash_hint(diags, "it has %s", names.ptr);
        else
                ash_hint(diags, "declare one: [upstreams.NAME] with type = \"apt\" or \"rpm-md\"");
        return r;
}

const AshUpstream *ash_flow_upstream_by_name(AshFlow *flow, AshSlice name, AshArena *arena) {
        const AshUpstreams *all = &ash_config_project(flow->config)->upstreams;
        for (size_t i = 0; i < all->n; i++) {
                size_t n;
                const AshUpstream **parts = ash_flow_upstream_parts(flow, &all->items[i], ASH_NOSLICE, arena, &n);
                for (size_t k = 0; k < n; k++)
                        if (ash_slice_eq(parts[k]->repo.name.s, name))
                                return parts[k];
        }
        return ash_flow_upstream_of_repo(flow, name, arena);
}
