/* Signatures that we make, judged by GnuPG; the external signer is played by openssl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "sign-make.h"

static AshTempDir *dir;

static char *in_dir(const char *name) { return ash_path_join(dir->path, name); }

static void put(const char *name, AshSlice data) { assert_int_equal(ash_file_write_atomic(dir->fd, name, data, 0600, false), 0); }

static int run(const char *const *argv, AshSlice input, AshStr *out) {
        _process_result_ AshProcessResult r = {};
        assert_true(ash_process_run(&(AshProcess){ .argv = argv, .input = input, .timeout_ms = 60000 }, &r) >= 0);
        if (out)
                ash_str_append(out, ash_str_slice(&r.out));
        return r.status;
}

/* gpg --verify with the public key imported into a home of its own. */
static int gpg_accepts(AshSlice public_key, AshSlice signature, AshSlice data) {
        _free_ char *home = in_dir("gpg"), *key = in_dir("key.asc"), *sig = in_dir("x.sig"), *file = in_dir("x");
        ash_remove_all(dir->fd, "gpg");
        ash_mkdir_all(dir->fd, "gpg", 0700);
        put("key.asc", public_key);
        put("x.sig", signature);
        put("x", data);
        const char *import[] = { "gpg", "--homedir", home, "--batch", "-q", "--no-autostart", "--import", key, NULL };
        const char *verify[] = { "gpg", "--homedir", home, "--batch", "-q", "--no-autostart", "--verify", sig, file, NULL };
        if (run(import, ASH_NOSLICE, NULL) != 0)
                return -1;
        return run(verify, ASH_NOSLICE, NULL);
}

static void check_signer(AshSigner *s) {
        AshSlice pieces[] = { ASH_S("one "), ASH_S(""), ASH_S("two") };
        _str_ AshStr sig = {}, again = {}, armored = {};
        assert_int_equal(ash_signer_sign(s, pieces, 3, 1700000000, &sig, NULL), 0);
        assert_int_equal(ash_signer_sign(s, (AshSlice[]){ ASH_S("one two") }, 1, 1700000000, &again, NULL), 0);
        assert_true(ash_slice_eq(ash_str_slice(&sig), ash_str_slice(&again)));
        assert_int_equal(gpg_accepts(ash_signer_public_key(s), ash_str_slice(&sig), ASH_S("one two")), 0);
        assert_int_not_equal(gpg_accepts(ash_signer_public_key(s), ash_str_slice(&sig), ASH_S("one twx")), 0);
        assert_int_equal(ash_armor_signatures(ash_str_slice(&sig), &armored, NULL), 0);
        assert_int_equal(gpg_accepts(ash_signer_public_key(s), ash_str_slice(&armored), ASH_S("one two")), 0);
}

static void check_kind(AshKeyKind kind) {
        _str_ AshStr secret = {}, public = {}, pem = {};
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        _cleanup_(ash_signer_free_p) AshSigner *s = NULL, *external = NULL, *none = NULL;
        assert_int_equal(ash_key_generate(kind, "Test <test@example.org>", &secret, &public, NULL), 0);
        assert_int_equal(ash_signer_open_key(ash_str_slice(&secret), "secret.asc", NULL, &s, NULL), 0);
        assert_int_equal(ash_signer_is_rsa(s), kind == ASH_KEY_RSA4096);
        assert_string_equal(ash_signer_user_id(s), "Test <test@example.org>");
        check_signer(s);
        /* A public key alone cannot sign. */
        assert_int_equal(ash_signer_open_key(ash_str_slice(&public), "public.asc", NULL, &none, diags), -EINVAL);
        /* The same key behind a command. */
        const char *convert[] = { "python3", getenv("ASHLAR_OPENPGP_TO_PEM"), NULL };
        assert_int_equal(run(convert, ash_str_slice(&secret), &pem), 0);
        put("key.pem", ash_str_slice(&pem));
        _free_ char *key = in_dir("key.pem"), *digest = in_dir("digest");
        _free_ char *script = in_dir("signer");
        _free_ char *text = ash_asprintf("#!/bin/sh\ncat > %s\nexec openssl pkeyutl -sign -inkey %s %s -in %s\n", digest, key, kind == ASH_KEY_RSA4096 ? "-pkeyopt digest:sha256" : "-rawin", digest);
        assert_int_equal(ash_file_write_atomic(dir->fd, "signer", ash_slice_str(text), 0700, false), 0);
        assert_int_equal(ash_signer_open_command(script, ash_str_slice(&public), "public.asc", &external, diags), 0);
        check_signer(external);
        /* A command that gives something else is found out. */
        _cleanup_(ash_signer_free_p) AshSigner *liar = NULL;
        _str_ AshStr out = {};
        assert_int_equal(ash_signer_open_command(kind == ASH_KEY_RSA4096 ? "head -c 512 /dev/zero" : "head -c 64 /dev/zero", ash_str_slice(&public), "public.asc", &liar, diags), 0);
        assert_int_equal(ash_signer_sign(liar, (AshSlice[]){ ASH_S("x") }, 1, 1700000000, &out, diags), -ASH_ERR_VERIFY);
        assert_int_equal(out.len, 0);
}

static void test_ed25519(void **state) {
        (void) state;
        check_kind(ASH_KEY_ED25519);
}

static void test_rsa(void **state) {
        (void) state;
        check_kind(ASH_KEY_RSA4096);
}

static void test_development(void **state) {
        (void) state;
        _free_ char *keys = in_dir("keys");
        _cleanup_(ash_signer_free_p) AshSigner *a = NULL, *b = NULL;
        assert_int_equal(ash_signer_open_development(keys, &a, NULL), 0);
        assert_int_equal(ash_signer_open_development(keys, &b, NULL), 0);
        assert_true(ash_signer_is_development(a));
        assert_non_null(strstr(ash_signer_user_id(a), "DEVELOPMENT"));
        assert_string_equal(ash_signer_fingerprint(a), ash_signer_fingerprint(b));
        struct stat st;
        assert_int_equal(fstatat(dir->fd, "keys/development.key", &st, 0), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        check_signer(b);
}

static void test_damaged(void **state) {
        (void) state;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        _cleanup_(ash_signer_free_p) AshSigner *s = NULL;
        assert_true(ash_signer_open_key(ASH_S("no key"), "bad.asc", NULL, &s, diags) < 0);
        assert_true(ash_signer_open_key(ASH_S(""), "bad.asc", NULL, &s, diags) < 0);
        assert_true(ash_signer_open_key(ASH_S("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nxxxx\n-----END PGP PRIVATE KEY BLOCK-----\n"), "bad.asc", NULL, &s, diags) < 0);
        assert_int_equal(ash_diags_count(diags, ASH_ERROR), 3);
}

static int setup(void **state) {
        (void) state;
        return ash_tempdir_new(NULL, &dir);
}

static int teardown(void **state) {
        (void) state;
        ash_tempdir_free(dir);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ed25519),
                cmocka_unit_test(test_rsa),
                cmocka_unit_test(test_development),
                cmocka_unit_test(test_damaged),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
