/* RPM repositories. */
#include "flow-upstream-private.h"

struct AshFlowRpmmd {
        AshRpmmdRepo *repo;
        AshKeyring *keys;
};

static void done_rpmmd(AshFlowUpstream *u) {
        if (!u->rpmmd)
                return;
        ash_rpmmd_free(u->rpmmd->repo);
        ash_keyring_free(u->rpmmd->keys);
}

/* Where it is and what proves it. What it points at lives as long as the upstream. */
static int make_source(AshFlowUpstream *u, AshRpmmdSource *ret) {
        const AshRepo *repo = &u->config->repo;
        const char **arches = ash_arch_family(u->arch, u->arena), **bases = ash_arena_new_items(u->arena, const char *, repo->mirrors.n + 2);
        const AshDistroVersion *version = u->flow->config ? ash_config_default_distro_version(u->flow->config, NULL) : NULL;
        u->rpmmd = ash_arena_new_item(u->arena, struct AshFlowRpmmd);
        *ret = (AshRpmmdSource){ .name = ash_arena_strndup(u->arena, u->name.ptr, u->name.len), .arch = arches[0], .arches = arches, .allow_file = true, .fetch.offline = u->flow->offline, .at = repo->name.at,
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
        r = ash_keyring_new(&u->rpmmd->keys, u->flow->diags);
        if (r >= 0)
                r = ash_keyring_add(u->rpmmd->keys, ash_bytes_slice(&key), path.ptr, u->flow->diags);
        ret->keyring = u->rpmmd->keys;
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
        return ash_rpmmd_open(u->flow->store, &source, want, u->flow->progress, &u->rpmmd->repo, u->flow->diags);
}

static const AshId *state_rpmmd(const AshFlowUpstream *u) { return ash_rpmmd_repomd_id(u->rpmmd->repo); }

static int add_rpmmd(AshFlowUpstream *u, const char *label, AshUniverse *universe) {
        AshId key = ash_flow_upstream_solver_key(u);
        ash_universe_add_repo(universe, label, ash_flow_upstream_priority(u));
        if (ash_flow_recall_solv(u, &key, universe) >= 0)
                return 0;
        int r = ash_rpmmd_load(u->rpmmd->repo, u->flow->diags);
        if (r >= 0)
                r = ash_universe_add_rpmmd(universe, ash_rpmmd_file(u->rpmmd->repo, "primary", NULL), ash_rpmmd_file(u->rpmmd->repo, "filelists", NULL), NULL, u->flow->diags);
        if (r < 0)
                return r;
        ash_flow_keep_solv(u, &key, universe);
        return 0;
}

/* Who signed each package: the fingerprint goes into the lock. A package that no key of the upstream signed is refused. */
static int check_signature(AshFlowUpstream *u, const AshId *id, AshSlice nevra, AshSlice *ret_key, AshArena *arena) {
        _bytes_ AshBytes bytes = {};
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
        _cleanup_(ash_rpm_sig_report_done) AshRpmSigReport report = {};
        _free_ char *name = ash_slice_dup(nevra);
        if (!u->rpmmd->keys)
                return 0;
        int r = ash_store_map_blob(u->flow->store, id, false, &bytes, u->flow->diags);
        if (r >= 0)
                r = ash_rpm_parse(ash_bytes_slice(&bytes), name, &rpm, u->flow->diags);
        if (r >= 0)
                r = ash_rpm_verify(u->rpmmd->keys, rpm, &(AshVerifyOptions){}, &report, u->flow->diags);
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
        int r = ash_rpmmd_load(u->rpmmd->repo, u->flow->diags);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                AshRpmmdFound f;
                AshSlice nevra = ash_package_nevra(packages[i], arena);
                ret[i] = (AshLockPackage){ .nevra = nevra, .upstream = u->name };
                if (ash_rpmmd_find(u->rpmmd->repo, nevra, &f) < 0)
                        return ash_fail(u->flow->diags, -ENOENT, ASH_NOWHERE, "upstream '%.*s' does not have %.*s", ASH_F(u->name), ASH_F(nevra));
                found[i] = f.package;
        }
        r = ash_rpmmd_fetch(u->rpmmd->repo, u->flow->store, found, n, ids, u->flow->progress, u->flow->diags);
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

static bool has_rpmmd(AshFlowUpstream *u, const AshPackage *package) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshRpmmdFound f;
        char hex[ASH_ID_HEX];
        if (ash_rpmmd_load(u->rpmmd->repo, u->flow->diags) < 0 || ash_rpmmd_find(u->rpmmd->repo, ash_package_nevra(package, arena), &f) < 0)
                return false;
        ash_id_hex(&f.id, hex);
        return !f.has_id || !package->sha256.len || ash_slice_eqs(package->sha256, hex);
}

static uint64_t date_rpmmd(const AshFlowUpstream *u) { return ash_rpmmd_repomd(u->rpmmd->repo)->timestamp; }

static AshSlice revision_rpmmd(const AshFlowUpstream *u) { return ash_rpmmd_repomd(u->rpmmd->repo)->revision; }

static void lock_rpmmd(const AshFlowUpstream *u, AshArena *arena, AshLockUpstream *ret) {
        const AshSigResult *signature = ash_rpmmd_signature(u->rpmmd->repo);
        char hex[65];
        ash_id_hex(ash_rpmmd_repomd_id(u->rpmmd->repo), hex);
        ret->snapshot = ash_arena_slice(arena, ash_slice_str(hex));
        ret->date = ash_slice_str(ash_arena_printf(arena, "%llu", (unsigned long long) date_rpmmd(u)));
        if (signature)
                ret->key = ash_arena_slice(arena, ash_slice_str(signature->fingerprint));
        else if (u->pinned) /* from the store: checked when it was locked */
                ret->key = ash_arena_slice(arena, u->pinned->key);
}

static int count_rpmmd(AshFlowUpstream *u, size_t *ret) {
        int r = ash_rpmmd_load(u->rpmmd->repo, u->flow->diags);
        *ret = ash_rpmmd_count(u->rpmmd->repo);
        return r;
}

static void package_rpmmd(AshFlowUpstream *u, size_t i, AshArena *arena, AshPackage *ret) {
        const AshRpmmdPackage *p = ash_rpmmd_at(u->rpmmd->repo, i);
        char hex[ASH_HEX_MAX];
        *ret = (AshPackage){ .name = p->name, .epoch = p->epoch, .version = p->version, .release = p->release, .arch = p->arch, .summary = p->summary, .source_rpm = p->sourcerpm, .size = p->size,
                             .installed_size = p->installed_size, .build_time = p->build_time, .location = p->href };
        if (p->checksum.kind != ASH_SHA256)
                return;
        ash_hex(p->checksum.digest, 32, hex);
        ret->sha256 = ash_arena_slice(arena, ash_slice_str(hex));
}

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

static int prove_rpmmd(AshFlowUpstream *u, const AshLockPackage *locked, AshDiags *diags) {
        AshRpmmdFound f;
        char hex[ASH_ID_HEX];
        int r = ash_rpmmd_load(u->rpmmd->repo, diags);
        if (r < 0)
                return r;
        if (ash_rpmmd_find(u->rpmmd->repo, locked->nevra, &f) < 0)
                return ASH_PROOF_NONE;
        ash_id_hex(&f.id, hex);
        r = f.has_id ? ash_flow_prove_text(u, locked, "SHA-256", ash_slice_str(hex), locked->sha256, diags) : 0;
        if (r >= 0)
                r = ash_flow_prove_text(u, locked, "origin", f.package->href, locked->origin, diags);
        if (r >= 0 && f.package->size)
                r = ash_flow_prove_size(u, locked, f.package->size, diags);
        return r < 0 ? r : f.has_id ? ASH_PROOF_GOOD : ASH_PROOF_UNKNOWN;
}

const AshFlowUpstreamOps ash_flow_upstream_rpmmd = {
        .type = "rpm-md", .open = open_rpmmd, .done = done_rpmmd, .state = state_rpmmd, .add = add_rpmmd, .has = has_rpmmd, .realize = realize_rpmmd, .lock = lock_rpmmd, .rescue = rescue_rpmmd,
        .prove = prove_rpmmd, .count = count_rpmmd, .package = package_rpmmd, .date = date_rpmmd, .revision = revision_rpmmd,
};
