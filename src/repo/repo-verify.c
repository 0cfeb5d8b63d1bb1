/* Is a repository what it says: signatures, sizes, digests, counts. Reads as a client would, from repomd.xml on. */
#include <stdio.h>
#include "repo.h"
#include "rpmmd.h"

typedef struct Verifier {
        int dirfd;
        const char *dir;
        AshKeyring *keys;
        AshArena *arena;
        AshRepomd repomd;
        AshPrimary primary;
        size_t signed_packages, bad;
        AshProgress *progress;
        AshDiags *diags;
} Verifier;

static int bad(Verifier *v, const char *path, const char *what) {
        _free_ char *shown = ash_path_join(v->dir, path);
        __atomic_add_fetch(&v->bad, 1, __ATOMIC_RELAXED);
        return ash_fail_file(v->diags, -ASH_ERR_VERIFY, shown, "%s", what);
}

static int check_signature(Verifier *v, AshSlice text, AshRepoVerifyResult *ret) {
        _bytes_ AshBytes sig = {};
        AshSigResult result = {};
        if (!v->keys)
                return 0;
        int r = ash_file_read(v->dirfd, "repodata/repomd.xml.asc", 1 << 20, &sig);
        if (r < 0)
                return bad(v, "repodata/repomd.xml.asc", r == -ENOENT ? "repomd.xml is not signed" : ash_strerror(r));
        r = ash_verify_detached(v->keys, ash_bytes_slice(&sig), &text, 1, &(AshVerifyOptions){}, &result, v->diags);
        if (r < 0)
                return r;
        if (result.status != ASH_SIG_GOOD) {
                _free_ char *what = ash_asprintf("signature by key %s: %s", result.key_id[0] ? result.key_id : "(unknown)", ash_sig_status_name(result.status));
                return bad(v, "repodata/repomd.xml.asc", what);
        }
        snprintf(ret->key, sizeof ret->key, "%s", result.fingerprint);
        return 0;
}

static bool digest_is(AshSlice data, const AshRpmmdChecksum *want) {
        uint8_t have[ASH_DIGEST_SIZE_MAX];
        if (want->kind < 0)
                return false;
        ash_digest_of(want->kind, data, have);
        return memcmp(have, want->digest, ash_digest_size(want->kind)) == 0;
}

/* One file of repodata/, and its decompressed text in *out. */
static int check_data(Verifier *v, const AshRpmmdData *d, AshStr *out) {
        _free_ char *path = ash_slice_dup(d->href);
        _bytes_ AshBytes bytes = {};
        int r = ash_file_map(v->dirfd, path, &bytes);
        if (r < 0)
                return bad(v, path, ash_strerror(r));
        AshSlice data = ash_bytes_slice(&bytes);
        if (d->size != UINT64_MAX && d->size != data.len)
                return bad(v, path, "its size is not what repomd.xml says");
        if (!digest_is(data, &d->checksum))
                return bad(v, path, "its checksum is not what repomd.xml says");
        size_t limit = d->open_size != UINT64_MAX ? (size_t) d->open_size + 1 : (size_t) 4 << 30;
        r = ash_decompress(data, ash_compression_detect(data), limit, out);
        if (r < 0)
                return bad(v, path, r == -ASH_ERR_LIMIT ? "it is larger than repomd.xml says" : "it cannot be decompressed");
        if (d->open_checksum.kind >= 0 && !digest_is(ash_str_slice(out), &d->open_checksum))
                return bad(v, path, "its content's checksum is not what repomd.xml says");
        return 0;
}

static int count_filelists(void *context, const AshFilelistsPackage *p _unused_) {
        ++*(size_t *) context;
        return 0;
}

static int count_other(void *context, const AshOtherPackage *p _unused_) {
        ++*(size_t *) context;
        return 0;
}

static int check_document(Verifier *v, const AshRpmmdData *d, AshRepoVerifyResult *ret) {
        _str_ AshStr text = {};
        _free_ char *name = ash_slice_dup(d->href);
        int r = check_data(v, d, &text);
        size_t n = SIZE_MAX;
        if (r < 0)
                return r;
        ret->metadata_files++;
        _cleanup_(ash_reader_free_p) AshReader *reader = ash_reader_new_memory(ash_str_slice(&text));
        if (ash_slice_eqs(d->type, "primary")) {
                r = ash_primary_parse(reader, name, 0, v->arena, &v->primary, v->diags);
        } else if (ash_slice_eqs(d->type, "filelists")) {
                n = 0;
                r = ash_filelists_parse(reader, name, count_filelists, &n, v->diags);
        } else if (ash_slice_eqs(d->type, "other")) {
                n = 0;
                r = ash_other_parse(reader, name, count_other, &n, v->diags);
        }
        if (r < 0)
                v->bad++;
        else if (n != SIZE_MAX && n != v->primary.n)
                return bad(v, name, "it describes another number of packages than primary.xml");
        return r;
}

static int check_package(void *context, size_t i) {
        Verifier *v = context;
        const AshRpmmdPackage *p = &v->primary.packages[i];
        _free_ char *path = ash_slice_dup(p->href);
        _bytes_ AshBytes bytes = {};
        ash_progress_advance(v->progress, p->size == UINT64_MAX ? 0 : p->size);
        if (!ash_path_is_confined(p->href))
                return bad(v, path, "the path leaves the repository");
        int r = ash_file_map(v->dirfd, path, &bytes);
        if (r < 0)
                return bad(v, path, ash_strerror(r));
        AshSlice data = ash_bytes_slice(&bytes);
        if (p->size != data.len)
                return bad(v, path, "its size is not what primary.xml says");
        if (!digest_is(data, &p->checksum))
                return bad(v, path, "its checksum is not what primary.xml says");
        if (!v->keys)
                return 0;
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
        _cleanup_(ash_rpm_sig_report_done) AshRpmSigReport report = {};
        r = ash_rpm_parse(data, path, &rpm, v->diags);
        if (r >= 0)
                r = ash_rpm_verify(v->keys, rpm, &(AshVerifyOptions){}, &report, v->diags);
        if (r == -ENODATA || r == -ENOKEY)
                return bad(v, path, r == -ENODATA ? "it is not signed" : "it is signed by a key that is not among those given");
        __atomic_add_fetch(r < 0 ? &v->bad : &v->signed_packages, 1, __ATOMIC_RELAXED);
        return r;
}

int ash_repo_verify(const char *dir, AshKeyring *keys, unsigned threads, AshRepoVerifyResult *ret, AshProgress *progress, AshDiags *diags) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _bytes_ AshBytes text = {};
        Verifier v = { .dirfd = fd, .dir = dir, .keys = keys, .arena = arena, .progress = progress, .diags = diags };
        *ret = (AshRepoVerifyResult){};
        if (fd < 0)
                return ash_fail_file(diags, -errno, dir, "cannot open: %s", ash_strerror(errno));
        int r = ash_file_read(fd, "repodata/repomd.xml", 16 << 20, &text);
        if (r < 0)
                return bad(&v, "repodata/repomd.xml", ash_strerror(r));
        r = check_signature(&v, ash_bytes_slice(&text), ret);
        if (r < 0)
                return r; /* what nobody signed is not read any further */
        r = ash_repomd_parse(ash_bytes_slice(&text), "repodata/repomd.xml", arena, &v.repomd, diags);
        if (r < 0)
                return r;
        const AshRpmmdData *primary = ash_repomd_find(&v.repomd, "primary");
        if (!primary)
                return bad(&v, "repodata/repomd.xml", "it names no primary metadata");
        check_document(&v, primary, ret);
        for (size_t i = 0; i < v.repomd.n; i++)
                if (&v.repomd.data[i] != primary)
                        check_document(&v, &v.repomd.data[i], ret);
        uint64_t total = 0;
        for (size_t i = 0; i < v.primary.n; i++)
                total += v.primary.packages[i].size;
        ash_progress_begin(progress, "checking packages", total, ASH_UNIT_BYTES);
        ash_parallel_for(v.primary.n, threads, true, check_package, &v);
        ash_progress_end(progress);
        ret->packages = v.primary.n;
        ret->signed_packages = v.signed_packages;
        ash_diags_sort(diags);
        return v.bad ? -ASH_ERR_VERIFY : 0;
}
