/* OpenPGP verification by librnp. One FFI object a keyring; it is not thread-safe, so a mutex guards it. */
#include <pthread.h>
#include "sign-feed.h"
#include "sign-hush.h"
#include "sign-late.h"
#include "sign-packet.h"
#include "sign-verify.h"

struct AshKeyring {
        rnp_ffi_t ffi;
        pthread_mutex_t mutex;
        size_t n;
};

static void input_destroy_p(rnp_input_t *i) { if (*i) ash_rnp.input_destroy(*i); }
static void verify_destroy_p(rnp_op_verify_t *op) { if (*op) ash_rnp.op_verify_destroy(*op); }
static void key_destroy_p(rnp_key_handle_t *k) { if (*k) ash_rnp.key_handle_destroy(*k); }
static void signature_destroy_p(rnp_signature_handle_t *s) { if (*s) ash_rnp.signature_handle_destroy(*s); }
static void buffer_destroy_p(char **b) { ash_rnp.buffer_destroy(*b); }
static void unlock_p(pthread_mutex_t **m) { pthread_mutex_unlock(*m); }
#define _buffer_ _cleanup_(buffer_destroy_p)

const char *ash_sig_status_name(AshSigStatus s) {
        static const char *const names[ASH_SIG_STATUS_MAX_] = {
                [ASH_SIG_GOOD] = "good",
                [ASH_SIG_BAD] = "bad signature",
                [ASH_SIG_UNKNOWN_KEY] = "unknown key",
                [ASH_SIG_EXPIRED_KEY] = "expired key",
                [ASH_SIG_REVOKED_KEY] = "revoked key",
                [ASH_SIG_EXPIRED] = "expired signature",
                [ASH_SIG_WEAK] = "weak algorithm",
                [ASH_SIG_MALFORMED] = "malformed signature",
        };
        return (unsigned) s < ASH_SIG_STATUS_MAX_ ? names[s] : "unknown";
}

/* ---- keyring ---- */
int ash_keyring_new(AshKeyring **ret, AshDiags *diags) {
        int r = ash_rnp_load(diags);
        if (r < 0)
                return r;
        AshKeyring *k = ash_calloc(1, sizeof(*k));
        if (ash_rnp.ffi_create(&k->ffi, RNP_KEYSTORE_GPG, RNP_KEYSTORE_GPG) != RNP_SUCCESS) {
                free(k);
                return ash_fail(diags, -EIO, ASH_NOWHERE, "cannot start the OpenPGP library");
        }
        pthread_mutex_init(&k->mutex, NULL);
        /* Let it calculate such signatures, so that "weak" can be told from "wrong"; they are judged in weak_hash(). */
        static const char *const weak[] = { "MD5", "SHA1" };
        for (size_t i = 0; i < ASH_N(weak); i++)
                ash_rnp.add_security_rule(k->ffi, RNP_FEATURE_HASH_ALG, weak[i], RNP_SECURITY_OVERRIDE | RNP_SECURITY_VERIFY_DATA, 0, RNP_SECURITY_DEFAULT);
        *ret = k;
        return 0;
}

void ash_keyring_free(AshKeyring *k) {
        if (!k)
                return;
        ash_rnp.ffi_destroy(k->ffi);
        pthread_mutex_destroy(&k->mutex);
        free(k);
}

size_t ash_keyring_count(const AshKeyring *k) { return k->n; }

/* rnp reads one armored block; files of several distributions have more of them, with text between. */
static bool next_block(AshSlice *rest, AshSlice *ret) {
        static const char begin[] = "-----BEGIN PGP PUBLIC KEY BLOCK-----", end[] = "-----END PGP PUBLIC KEY BLOCK-----";
        ptrdiff_t start = ash_slice_find(*rest, ash_slice_str(begin));
        if (start < 0)
                return false;
        *rest = ash_slice_from(*rest, (size_t) start);
        ptrdiff_t stop = ash_slice_find(*rest, ash_slice_str(end));
        if (stop < 0)
                return false;
        *ret = ash_slice_sub(*rest, 0, (size_t) stop + sizeof(end) - 1);
        *rest = ash_slice_from(*rest, ret->len);
        return true;
}

static int import_block(AshKeyring *k, AshSlice block) {
        _cleanup_(input_destroy_p) rnp_input_t in = NULL;
        _str_ AshStr text = {};
        ash_str_append(&text, block);
        ash_str_append_char(&text, '\n');
        if (ash_rnp.input_from_memory(&in, (const uint8_t *) text.ptr, text.len, false) != RNP_SUCCESS)
                return -EIO;
        return ash_rnp.import_keys(k->ffi, in, RNP_LOAD_SAVE_PUBLIC_KEYS | RNP_LOAD_SAVE_PERMISSIVE, NULL) == RNP_SUCCESS ? 0 : -ASH_ERR_SYNTAX;
}

static size_t count_primary(AshKeyring *k) {
        rnp_identifier_iterator_t it = NULL;
        const char *grip = NULL;
        size_t n = 0;
        if (ash_rnp.identifier_iterator_create(k->ffi, &it, "grip") != RNP_SUCCESS)
                return 0;
        while (ash_rnp.identifier_iterator_next(it, &grip) == RNP_SUCCESS && grip) {
                _cleanup_(key_destroy_p) rnp_key_handle_t key = NULL;
                bool primary = false;
                if (ash_rnp.locate_key(k->ffi, "grip", grip, &key) == RNP_SUCCESS && key && ash_rnp.key_is_primary(key, &primary) == RNP_SUCCESS)
                        n += primary;
        }
        ash_rnp.identifier_iterator_destroy(it);
        return n;
}

int ash_keyring_add(AshKeyring *k, AshSlice bytes, const char *name, AshDiags *diags) {
        _hushed_;
        AshSlice rest = bytes, block;
        int r = 0;
        size_t blocks = 0;

        pthread_mutex_lock(&k->mutex);
        _cleanup_(unlock_p) _unused_ pthread_mutex_t *locked = &k->mutex;
        while (r == 0 && next_block(&rest, &block)) {
                r = import_block(k, block);
                blocks++;
        }
        if (blocks == 0) { /* binary */
                _cleanup_(input_destroy_p) rnp_input_t in = NULL;
                r = bytes.len > 0 && ash_rnp.input_from_memory(&in, (const uint8_t *) bytes.ptr, bytes.len, false) == RNP_SUCCESS &&
                                    ash_rnp.import_keys(k->ffi, in, RNP_LOAD_SAVE_PUBLIC_KEYS | RNP_LOAD_SAVE_PERMISSIVE, NULL) == RNP_SUCCESS
                            ? 0 : -ASH_ERR_SYNTAX;
        }
        size_t before = k->n;
        k->n = count_primary(k);
        if (r < 0 || k->n == 0)
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, name, "no OpenPGP public key in it");
        return (int) (k->n - before);
}

/* ---- verification ---- */
static void copy_lower(const char *s, char *to, size_t room) {
        size_t i = 0;
        for (; s && s[i] && i + 1 < room; i++)
                to[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char) (s[i] + 32) : s[i];
        to[i] = 0;
}

static void describe_key(rnp_key_handle_t key, AshSigResult *res) {
        _buffer_ char *fingerprint = NULL, *user = NULL;
        bool primary = false;
        ash_rnp.key_is_primary(key, &primary);
        if ((primary ? ash_rnp.key_get_fprint(key, &fingerprint) : ash_rnp.key_get_primary_fprint(key, &fingerprint)) == RNP_SUCCESS)
                copy_lower(fingerprint, res->fingerprint, sizeof(res->fingerprint));
        if (ash_rnp.key_get_primary_uid(key, &user) == RNP_SUCCESS && user)
                snprintf(res->user_id, sizeof(res->user_id), "%s", user);
}

static void describe_signature(rnp_signature_handle_t sig, AshSigResult *res) {
        _buffer_ char *id = NULL, *hash = NULL, *alg = NULL;
        uint32_t created = 0;
        if (ash_rnp.signature_get_keyid(sig, &id) == RNP_SUCCESS)
                copy_lower(id, res->key_id, sizeof(res->key_id));
        if (ash_rnp.signature_get_hash_alg(sig, &hash) == RNP_SUCCESS)
                copy_lower(hash, res->hash, sizeof(res->hash));
        if (ash_rnp.signature_get_alg(sig, &alg) == RNP_SUCCESS)
                copy_lower(alg, res->algorithm, sizeof(res->algorithm));
        if (ash_rnp.signature_get_creation(sig, &created) == RNP_SUCCESS)
                res->created = created;
}

static bool weak_hash(const AshSigResult *res, const AshVerifyOptions *options) {
        if (strcmp(res->hash, "md5") == 0 || strcmp(res->hash, "ripemd160") == 0)
                return true;
        return strcmp(res->hash, "sha1") == 0 && !(options && options->allow_sha1);
}

static bool key_flag(rnp_key_handle_t key, rnp_result_t (*get)(rnp_key_handle_t, bool *)) {
        bool yes = false;
        return get(key, &yes) == RNP_SUCCESS && yes;
}

/* What is true of the key or of the primary key that it belongs to. */
static bool key_or_primary(AshKeyring *k, rnp_key_handle_t key, const char *primary_fingerprint, rnp_result_t (*get)(rnp_key_handle_t, bool *)) {
        _cleanup_(key_destroy_p) rnp_key_handle_t primary = NULL;
        if (key_flag(key, get))
                return true;
        return primary_fingerprint[0] && ash_rnp.locate_key(k->ffi, "fingerprint", primary_fingerprint, &primary) == RNP_SUCCESS && primary && key_flag(primary, get);
}

static AshSigStatus judge(AshKeyring *k, rnp_result_t status, rnp_key_handle_t key, const AshSigResult *res, const AshVerifyOptions *options) {
        if (!key || status == RNP_ERROR_KEY_NOT_FOUND)
                return ASH_SIG_UNKNOWN_KEY;
        if (key_or_primary(k, key, res->fingerprint, ash_rnp.key_is_revoked))
                return ASH_SIG_REVOKED_KEY;
        if (key_or_primary(k, key, res->fingerprint, ash_rnp.key_is_expired))
                return ASH_SIG_EXPIRED_KEY;
        if (status == RNP_ERROR_SIGNATURE_EXPIRED)
                return ASH_SIG_EXPIRED;
        if (status != RNP_SUCCESS)
                return ASH_SIG_BAD;
        return weak_hash(res, options) ? ASH_SIG_WEAK : ASH_SIG_GOOD;
}

static void look_at(AshKeyring *k, rnp_op_verify_t op, size_t i, const AshVerifyOptions *options, AshSigResult *ret) {
        rnp_op_verify_signature_t s = NULL;
        AshSigResult res = { .status = ASH_SIG_MALFORMED };
        _cleanup_(signature_destroy_p) rnp_signature_handle_t handle = NULL;
        _cleanup_(key_destroy_p) rnp_key_handle_t key = NULL;

        if (ash_rnp.op_verify_get_signature_at(op, i, &s) == RNP_SUCCESS) {
                if (ash_rnp.op_verify_signature_get_handle(s, &handle) == RNP_SUCCESS)
                        describe_signature(handle, &res);
                rnp_result_t status = ash_rnp.op_verify_signature_get_status(s);
                if (ash_rnp.op_verify_signature_get_key(s, &key) != RNP_SUCCESS)
                        key = NULL;
                if (!key && res.key_id[0] && ash_rnp.locate_key(k->ffi, "keyid", res.key_id, &key) != RNP_SUCCESS)
                        key = NULL;
                if (key)
                        describe_key(key, &res);
                if (status == RNP_ERROR_SIGNATURE_UNKNOWN) /* a version or algorithm that the library does not know */
                        res.status = ASH_SIG_MALFORMED;
                else
                        res.status = judge(k, status, key, &res, options);
        }
        if (i == 0 || res.status < ret->status)
                *ret = res;
}

/* One signature by a key that cannot vouch for anything is settled without the library: it would write to standard error about it. Returns true when *ret says all. */
static bool settle_early(AshKeyring *k, AshSlice signature, AshSigResult *ret) {
        AshSigPacket packet;
        AshSigResult res = {};
        _cleanup_(key_destroy_p) rnp_key_handle_t key = NULL;
        if (ash_sig_packet_read(signature, &packet) < 0 || packet.length != signature.len || !packet.has_key_id)
                return false;
        ash_hex(packet.key_id, sizeof(packet.key_id), res.key_id);
        snprintf(res.hash, sizeof(res.hash), "%s", ash_sig_hash_name(packet.hash_algorithm));
        snprintf(res.algorithm, sizeof(res.algorithm), "%s", ash_sig_key_name(packet.key_algorithm));
        res.created = packet.created;
        if (ash_rnp.locate_key(k->ffi, "keyid", res.key_id, &key) != RNP_SUCCESS || !key) {
                res.status = ASH_SIG_UNKNOWN_KEY;
                *ret = res;
                return true;
        }
        describe_key(key, &res);
        if (key_or_primary(k, key, res.fingerprint, ash_rnp.key_is_revoked))
                res.status = ASH_SIG_REVOKED_KEY;
        else if (key_or_primary(k, key, res.fingerprint, ash_rnp.key_is_expired))
                res.status = ASH_SIG_EXPIRED_KEY;
        else
                return false;
        *ret = res;
        return true;
}

/* Armor off; what is no armor stays as it is. */
static int dearmor(AshSlice signature, AshStr *text, AshSlice *ret) {
        rnp_output_t out = NULL;
        _cleanup_(input_destroy_p) rnp_input_t in = NULL;
        uint8_t *bytes = NULL;
        size_t n = 0;
        *ret = signature;
        if (!ash_slice_starts(ash_slice_trim_left(signature), ASH_S("-----BEGIN PGP SIGNATURE-----")))
                return 0;
        bool good = ash_rnp.input_from_memory(&in, (const uint8_t *) signature.ptr, signature.len, false) == RNP_SUCCESS && ash_rnp.output_to_memory(&out, 1 << 20) == RNP_SUCCESS &&
                    ash_rnp.dearmor(in, out) == RNP_SUCCESS && ash_rnp.output_memory_get_buf(out, &bytes, &n, false) == RNP_SUCCESS;
        if (good)
                ash_str_append(text, ash_slice((const char *) bytes, n));
        if (out)
                ash_rnp.output_destroy(out);
        *ret = ash_str_slice(text);
        return good ? 0 : -ASH_ERR_SYNTAX;
}

int ash_verify_detached(AshKeyring *k, AshSlice signature, const AshSlice *data, size_t n_data, const AshVerifyOptions *options, AshSigResult *ret, AshDiags *diags) {
        pthread_mutex_lock(&k->mutex);
        _cleanup_(unlock_p) _unused_ pthread_mutex_t *locked = &k->mutex;
        _cleanup_(input_destroy_p) rnp_input_t in = NULL, sig = NULL;
        _cleanup_(verify_destroy_p) rnp_op_verify_t op = NULL;
        AshSignFeed feed = { .data = data, .n = n_data };
        AshSigResult res = { .status = ASH_SIG_MALFORMED };
        size_t count = 0;

        _str_ AshStr binary = {};
        if (signature.len == 0 || signature.len > 1 << 20 || dearmor(signature, &binary, &signature) < 0 || !(signature.len && (signature.ptr[0] & 0x80))) {
                *ret = res;
                return 0;
        }
        if (settle_early(k, signature, ret))
                return 0;
        _hushed_;
        if (ash_rnp.input_from_callback(&in, ash_sign_feed_read, NULL, &feed) != RNP_SUCCESS ||
            ash_rnp.input_from_memory(&sig, (const uint8_t *) signature.ptr, signature.len, false) != RNP_SUCCESS ||
            ash_rnp.op_verify_detached_create(&op, k->ffi, in, sig) != RNP_SUCCESS)
                return ash_fail(diags, -EIO, ASH_NOWHERE, "the OpenPGP library failed to begin a verification");
        ash_rnp.op_verify_execute(op); /* each signature's own status says how it went */
        if (ash_rnp.op_verify_get_signature_count(op, &count) == RNP_SUCCESS)
                for (size_t i = 0; i < count && i < 64; i++)
                        look_at(k, op, i, options, &res);
        *ret = res;
        return 0;
}
