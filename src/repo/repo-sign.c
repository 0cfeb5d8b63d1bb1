/* Signatures of packages: the signature header made anew, the rest as it is. */
#include <stdio.h>
#include "repo-metadata.h"
#include "rpm-sig.h"

int ash_repo_signature_header(const AshRpm *rpm, AshSigner **signers, size_t n, uint64_t time, AshStr *out, AshDiags *diags) {
        AshRpmNewSignature *signatures = ash_calloc(n, sizeof *signatures);
        AshStr *packets = ash_calloc(n, sizeof *packets);
        int r = 0;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                r = ash_signer_sign(signers[i], &rpm->header_bytes, 1, (uint32_t) time, &packets[i], diags);
                signatures[i] = (AshRpmNewSignature){ ash_signer_is_rsa(signers[i]), ash_str_slice(&packets[i]) };
        }
        if (r >= 0 && n)
                ash_rpm_sig_header_build(&rpm->sig, signatures, n, out);
        else if (r >= 0) {
                ash_str_append(out, rpm->sig_bytes);
                ash_str_append_fill(out, 0, ash_align_up(out->len, 8) - out->len);
        }
        for (size_t i = 0; i < n; i++)
                ash_str_done(&packets[i]);
        free(packets);
        free(signatures);
        return r;
}

typedef struct FileSigner {
        const char *const *paths;
        AshSigner **signers;
        size_t n_signers;
        uint64_t time;
        AshProgress *progress;
        AshDiags *diags;
} FileSigner;

static int sign_file(void *context, size_t i) {
        FileSigner *f = context;
        const char *path = f->paths[i];
        _bytes_ AshBytes bytes = {};
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
        _cleanup_(ash_atomic_free_p) AshAtomic *out = NULL;
        _str_ AshStr sig = {};
        struct stat st;
        int r = ash_file_map(AT_FDCWD, path, &bytes);
        if (r < 0 || stat(path, &st) < 0)
                return ash_fail_file(f->diags, r < 0 ? r : -errno, path, "cannot read: %s", ash_strerror(r < 0 ? r : errno));
        r = ash_rpm_parse(ash_bytes_slice(&bytes), path, &rpm, f->diags);
        if (r >= 0)
                r = ash_repo_signature_header(rpm, f->signers, f->n_signers, f->time, &sig, f->diags);
        if (r < 0)
                return r;
        r = ash_atomic_open(AT_FDCWD, path, st.st_mode & 07777, false, &out);
        if (r >= 0)
                r = ash_write_all(ash_atomic_fd(out), rpm->bytes.ptr, 96);
        if (r >= 0)
                r = ash_write_all(ash_atomic_fd(out), sig.ptr, sig.len);
        if (r >= 0)
                r = ash_write_all(ash_atomic_fd(out), rpm->bytes.ptr + rpm->header_start, rpm->bytes.len - (size_t) rpm->header_start);
        if (r >= 0)
                r = ash_atomic_commit(out);
        ash_progress_advance(f->progress, 1);
        return r < 0 ? ash_fail_file(f->diags, r, path, "cannot write: %s", ash_strerror(r)) : 0;
}

int ash_repo_sign_files(const char *const *paths, size_t n, AshSigner **signers, size_t n_signers, uint64_t time, unsigned threads, AshProgress *progress, AshDiags *diags) {
        FileSigner f = { paths, signers, n_signers, time, progress, diags };
        ash_progress_begin(progress, "signing packages", n, ASH_UNIT_ITEMS);
        int r = ash_parallel_for(n, threads, true, sign_file, &f);
        ash_progress_end(progress);
        return r;
}
