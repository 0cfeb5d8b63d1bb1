#include <pthread.h>
#include <time.h>
#include "io-rsa.h"
#include "json.h"
#include "sign-hush.h"
#include "sign-feed.h"
#include "sign-late.h"
#include "sign-make.h"

#define DEVELOPMENT_KEY "development.key"
#define DEVELOPMENT_USER "Ashlar DEVELOPMENT key, not for releases <development@ashlar.invalid>"

/* One loaded copy of the key: librnp's objects serve one thread at a time, so there are as many as threads that sign at once. */
typedef struct Seat {
        struct Seat *next;
        rnp_ffi_t ffi;
        rnp_key_handle_t key; /* the one that signs */
} Seat;

struct AshSigner {
        pthread_mutex_t mutex;
        Seat *idle;
        char *key_bytes;
        size_t key_len;
        char *passphrase;
        char *command;        /* NULL: we sign */
        AshRsaKey *raw;       /* the secret numbers of an RSA key that librnp has opened; NULL: librnp signs */
        char *fingerprint, *key_id, *key_fingerprint, *user_id;
        AshStr public_key;
        uint32_t key_created; /* Unix seconds */
        bool rsa, development;
};

static const char *why(rnp_result_t r) { return ash_rnp.result_to_string(r); }

static void rnp_free_p(char **p) {
        if (*p)
                ash_rnp.buffer_destroy(*p);
}
#define _rnp_text_ _cleanup_(rnp_free_p)

static bool give_passphrase(rnp_ffi_t ffi _unused_, void *context, rnp_key_handle_t key _unused_, const char *purpose _unused_, char buf[], size_t size) {
        const AshSigner *s = context;
        if (!s || !s->passphrase || strlen(s->passphrase) >= size)
                return false;
        memcpy(buf, s->passphrase, strlen(s->passphrase) + 1);
        return true;
}

static void seat_free(Seat *seat) {
        if (!seat)
                return;
        if (seat->key)
                ash_rnp.key_handle_destroy(seat->key);
        if (seat->ffi)
                ash_rnp.ffi_destroy(seat->ffi);
        free(seat);
}
ASH_DEFINE_CLEANUP(Seat *, seat_free)

void ash_signer_free(AshSigner *s) {
        if (!s)
                return;
        for (Seat *seat = s->idle, *next; seat; seat = next) {
                next = seat->next;
                seat_free(seat);
        }
        if (s->key_bytes)
                explicit_bzero(s->key_bytes, s->key_len);
        if (s->passphrase)
                explicit_bzero(s->passphrase, strlen(s->passphrase));
        free(s->key_bytes);
        free(s->passphrase);
        free(s->command);
        ash_rsa_key_free(s->raw);
        free(s->fingerprint);
        free(s->key_id);
        free(s->key_fingerprint);
        free(s->user_id);
        ash_str_done(&s->public_key);
        pthread_mutex_destroy(&s->mutex);
        free(s);
}

static int load_keys(rnp_ffi_t ffi, AshSlice bytes, const char *name, AshDiags *diags) {
        _hushed_;
        rnp_input_t input = NULL;
        rnp_result_t r = ash_rnp.input_from_memory(&input, (const uint8_t *) bytes.ptr, bytes.len, false);
        if (r == RNP_SUCCESS)
                r = ash_rnp.load_keys(ffi, "GPG", input, RNP_LOAD_SAVE_PUBLIC_KEYS | RNP_LOAD_SAVE_SECRET_KEYS);
        ash_rnp.input_destroy(input);
        if (r == RNP_SUCCESS)
                return 0;
        int failed = ash_fail_file(diags, -ASH_ERR_SYNTAX, name, "no OpenPGP key can be read from it: %s", why(r));
        ash_hint(diags, "expected an OpenPGP key, armored or binary, as 'gpg --export-secret-keys --armor' writes it");
        return failed;
}

/* The first primary key of the ring. */
static int primary_key(rnp_ffi_t ffi, const char *name, rnp_key_handle_t *ret, AshDiags *diags) {
        rnp_identifier_iterator_t it = NULL;
        const char *fingerprint;
        *ret = NULL;
        if (ash_rnp.identifier_iterator_create(ffi, &it, "fingerprint") != RNP_SUCCESS)
                return ash_fail_file(diags, -EIO, name, "cannot list the keys");
        while (!*ret && ash_rnp.identifier_iterator_next(it, &fingerprint) == RNP_SUCCESS && fingerprint) {
                rnp_key_handle_t key = NULL;
                bool primary = false;
                if (ash_rnp.locate_key(ffi, "fingerprint", fingerprint, &key) == RNP_SUCCESS && key && ash_rnp.key_is_primary(key, &primary) == RNP_SUCCESS && primary)
                        *ret = key;
                else if (key)
                        ash_rnp.key_handle_destroy(key);
        }
        ash_rnp.identifier_iterator_destroy(it);
        return *ret ? 0 : ash_fail_file(diags, -ASH_ERR_SYNTAX, name, "it holds no primary key");
}

static char *lower_copy(const char *s) {
        char *t = ash_strdup(s);
        for (char *p = t; *p; p++)
                *p = *p >= 'A' && *p <= 'Z' ? (char) (*p + 32) : *p;
        return t;
}

/* What is said of the key, read once. */
static int describe(AshSigner *s, rnp_key_handle_t primary, rnp_key_handle_t key, const char *name, AshDiags *diags) {
        _rnp_text_ char *alg = NULL, *fingerprint = NULL, *key_fingerprint = NULL, *id = NULL, *user = NULL;
        rnp_output_t out = NULL;
        uint8_t *bytes = NULL;
        size_t n = 0;
        if (ash_rnp.key_get_alg(key, &alg) != RNP_SUCCESS || ash_rnp.key_get_fprint(primary, &fingerprint) != RNP_SUCCESS ||
            ash_rnp.key_get_fprint(key, &key_fingerprint) != RNP_SUCCESS || ash_rnp.key_get_keyid(key, &id) != RNP_SUCCESS ||
            ash_rnp.key_get_creation(key, &s->key_created) != RNP_SUCCESS)
                return ash_fail_file(diags, -EIO, name, "the key cannot be read");
        s->rsa = strcasecmp(alg, "RSA") == 0;
        if (!s->rsa && strcasecmp(alg, "EDDSA") != 0)
                return ash_fail_file(diags, -ENOTSUP, name, "a key of algorithm %s; expected RSA or EdDSA (Ed25519)", alg);
        if (ash_rnp.key_get_primary_uid(primary, &user) != RNP_SUCCESS)
                user = NULL;
        s->fingerprint = ash_strdup(fingerprint);
        s->key_fingerprint = ash_strdup(key_fingerprint);
        s->key_id = lower_copy(id);
        s->user_id = ash_strdup(user ? user : "");
        rnp_result_t r = ash_rnp.output_to_memory(&out, 0);
        if (r == RNP_SUCCESS)
                r = ash_rnp.key_export(primary, out, RNP_KEY_EXPORT_ARMORED | RNP_KEY_EXPORT_PUBLIC | RNP_KEY_EXPORT_SUBKEYS);
        if (r == RNP_SUCCESS)
                r = ash_rnp.output_memory_get_buf(out, &bytes, &n, false);
        if (r == RNP_SUCCESS)
                ash_str_append(&s->public_key, ash_slice((const char *) bytes, n));
        ash_rnp.output_destroy(out);
        return r == RNP_SUCCESS ? 0 : ash_fail_file(diags, -EIO, name, "cannot export the public key: %s", why(r));
}

/* librnp names a default key only where the secret half is there: this finds the one that may sign, the primary key first, among public ones. */
static bool public_signing_key(rnp_ffi_t ffi, rnp_key_handle_t primary, rnp_key_handle_t *ret) {
        _rnp_text_ char *fingerprint = NULL;
        size_t n = 0;
        bool may = false;
        if (ash_rnp.key_allows_usage(primary, "sign", &may) == RNP_SUCCESS && may && ash_rnp.key_get_fprint(primary, &fingerprint) == RNP_SUCCESS)
                return ash_rnp.locate_key(ffi, "fingerprint", fingerprint, ret) == RNP_SUCCESS;
        if (ash_rnp.key_get_subkey_count(primary, &n) != RNP_SUCCESS)
                return false;
        for (size_t i = 0; i < n; i++) {
                rnp_key_handle_t sub = NULL;
                if (ash_rnp.key_get_subkey_at(primary, i, &sub) != RNP_SUCCESS)
                        continue;
                if (ash_rnp.key_allows_usage(sub, "sign", &may) == RNP_SUCCESS && may) {
                        *ret = sub;
                        return true;
                }
                ash_rnp.key_handle_destroy(sub);
        }
        return false;
}

static int seat_new(AshSigner *s, const char *name, Seat **ret, AshDiags *diags) {
        _cleanup_(seat_free_p) Seat *seat = ash_calloc(1, sizeof *seat);
        rnp_key_handle_t primary = NULL;
        int r = ash_rnp_load(diags);
        if (r < 0)
                return r;
        if (ash_rnp.ffi_create(&seat->ffi, "GPG", "GPG") != RNP_SUCCESS)
                return ash_fail(diags, -ENOMEM, ASH_NOWHERE, "librnp cannot be started");
        ash_rnp.ffi_set_pass_provider(seat->ffi, give_passphrase, s);
        r = load_keys(seat->ffi, ash_slice(s->key_bytes, s->key_len), name, diags);
        if (r >= 0)
                r = primary_key(seat->ffi, name, &primary, diags);
        if (r < 0)
                return r;
        if (ash_rnp.key_get_default_key(primary, "sign", 0, &seat->key) != RNP_SUCCESS && (!s->command || !public_signing_key(seat->ffi, primary, &seat->key)))
                r = ash_fail_file(diags, -EINVAL, name, !s->command && public_signing_key(seat->ffi, primary, &seat->key) ? "a public key; expected a secret one" : "no key in it may sign (expired, or without the usage flag)");
        bool secret = false;
        if (r >= 0 && !s->command && (ash_rnp.key_have_secret(seat->key, &secret) != RNP_SUCCESS || !secret))
                r = ash_fail_file(diags, -EINVAL, name, "a public key; expected a secret one");
        if (r >= 0 && !s->fingerprint)
                r = describe(s, primary, seat->key, name, diags);
        ash_rnp.key_handle_destroy(primary);
        if (r >= 0)
                *ret = ASH_TAKE(seat);
        return r;
}

/* RSA with librnp's own arithmetic takes five times as long as with libcrypto's: for such a key its numbers are taken out once. */
static void take_raw_rsa(AshSigner *s, rnp_key_handle_t key) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _rnp_text_ char *text = NULL;
        AshJsonValue *root = NULL;
        if (ash_rnp.key_to_json(key, RNP_JSON_PUBLIC_MPIS | RNP_JSON_SECRET_MPIS, &text) != RNP_SUCCESS)
                return;
        AshSource *source = ash_source_new("key", ash_slice_str(text));
        if (ash_json_parse(source, arena, &root, NULL) >= 0) {
                const AshJsonValue *public = ash_json_get(ash_json_get(root, "public key"), "mpis"), *secret = ash_json_get(ash_json_get(root, "secret key"), "mpis");
                const char *n = ash_json_get_string(public, "n").ptr, *e = ash_json_get_string(public, "e").ptr, *d = ash_json_get_string(secret, "d").ptr;
                const char *p = ash_json_get_string(secret, "p").ptr, *q = ash_json_get_string(secret, "q").ptr;
                if (n && e && d && p && q)
                        ash_rsa_key_new(n, e, d, p, q, &s->raw);
        }
        ash_source_free(source);
        explicit_bzero(text, strlen(text));
}

static int signer_new(AshSlice bytes, const char *name, const char *passphrase, const char *command, AshSigner **ret, AshDiags *diags) {
        _cleanup_(ash_signer_free_p) AshSigner *s = ash_calloc(1, sizeof *s);
        pthread_mutex_init(&s->mutex, NULL);
        s->key_bytes = ash_slice_dup(bytes);
        s->key_len = bytes.len;
        s->passphrase = ash_strdup(passphrase);
        s->command = ash_strdup(command);
        int r = seat_new(s, name, &s->idle, diags);
        if (r >= 0 && s->rsa && !command)
                take_raw_rsa(s, s->idle->key);
        if (r >= 0)
                *ret = ASH_TAKE(s);
        return r;
}

int ash_signer_open_key(AshSlice bytes, const char *name, const char *passphrase, AshSigner **ret, AshDiags *diags) {
        return signer_new(bytes, name, passphrase, NULL, ret, diags);
}

int ash_signer_open_command(const char *command, AshSlice public_key, const char *name, AshSigner **ret, AshDiags *diags) {
        if (!ash_slice_trim(ash_slice_str(command)).len)
                return ash_fail(diags, -EINVAL, ASH_NOWHERE, "the signer command is empty");
        return signer_new(public_key, name, NULL, command, ret, diags);
}

static int export_key(rnp_key_handle_t key, uint32_t flags, AshStr *ret) {
        rnp_output_t out = NULL;
        uint8_t *bytes = NULL;
        size_t n = 0;
        rnp_result_t r = ash_rnp.output_to_memory(&out, 0);
        if (r == RNP_SUCCESS)
                r = ash_rnp.key_export(key, out, RNP_KEY_EXPORT_ARMORED | RNP_KEY_EXPORT_SUBKEYS | flags);
        if (r == RNP_SUCCESS)
                r = ash_rnp.output_memory_get_buf(out, &bytes, &n, false);
        if (r == RNP_SUCCESS)
                ash_str_append(ret, ash_slice((const char *) bytes, n));
        ash_rnp.output_destroy(out);
        return r == RNP_SUCCESS ? 0 : -EIO;
}

int ash_key_generate(AshKeyKind kind, const char *user_id, AshStr *ret_secret, AshStr *ret_public, AshDiags *diags) {
        rnp_ffi_t ffi = NULL;
        rnp_op_generate_t op = NULL;
        rnp_key_handle_t key = NULL;
        int done = ash_rnp_load(diags);
        if (done < 0)
                return done;
        done = -EIO;
        rnp_result_t r = ash_rnp.ffi_create(&ffi, "GPG", "GPG");
        if (r == RNP_SUCCESS)
                r = ash_rnp.op_generate_create(&op, ffi, kind == ASH_KEY_RSA4096 ? "RSA" : "EDDSA");
        if (r == RNP_SUCCESS && kind == ASH_KEY_RSA4096)
                r = ash_rnp.op_generate_set_bits(op, 4096);
        if (r == RNP_SUCCESS)
                r = ash_rnp.op_generate_set_userid(op, user_id);
        if (r == RNP_SUCCESS)
                r = ash_rnp.op_generate_set_hash(op, "SHA256");
        if (r == RNP_SUCCESS)
                r = ash_rnp.op_generate_add_usage(op, "sign");
        if (r == RNP_SUCCESS)
                r = ash_rnp.op_generate_set_expiration(op, 0);
        if (r == RNP_SUCCESS)
                r = ash_rnp.op_generate_execute(op);
        if (r == RNP_SUCCESS)
                r = ash_rnp.op_generate_get_key(op, &key);
        if (r == RNP_SUCCESS)
                done = export_key(key, RNP_KEY_EXPORT_SECRET, ret_secret);
        if (done >= 0)
                done = export_key(key, RNP_KEY_EXPORT_PUBLIC, ret_public);
        if (key)
                ash_rnp.key_handle_destroy(key);
        if (op)
                ash_rnp.op_generate_destroy(op);
        if (ffi)
                ash_rnp.ffi_destroy(ffi);
        return done >= 0 ? 0 : ash_fail(diags, -EIO, ASH_NOWHERE, "cannot make a key: %s", why(r));
}

int ash_signer_open_development(const char *dir, AshSigner **ret, AshDiags *diags) {
        _cleanup_(ash_lock_free_p) AshLockFile *lock = NULL;
        _bytes_ AshBytes bytes = {};
        int r = ash_mkdir_all(AT_FDCWD, dir, 0700);
        _free_ char *path = ash_path_join(dir, DEVELOPMENT_KEY), *lock_path = ash_path_join(dir, ".lock");
        if (r >= 0)
                r = ash_lock_acquire(AT_FDCWD, lock_path, true, -1, &lock);
        if (r < 0)
                return ash_fail_file(diags, r, dir, "cannot keep the development key here: %s", ash_strerror(r));
        r = ash_file_read(AT_FDCWD, path, 1 << 20, &bytes);
        if (r == -ENOENT) {
                _str_ AshStr secret = {}, public = {};
                r = ash_key_generate(ASH_KEY_ED25519, DEVELOPMENT_USER, &secret, &public, diags);
                if (r < 0)
                        return r;
                r = ash_file_write_atomic(AT_FDCWD, path, ash_str_slice(&secret), 0600, true);
                explicit_bzero(secret.ptr, secret.len);
                if (r >= 0)
                        r = ash_file_read(AT_FDCWD, path, 1 << 20, &bytes);
        }
        if (r < 0)
                return ash_fail_file(diags, r, path, "cannot read the development key: %s", ash_strerror(r));
        r = ash_signer_open_key(ash_bytes_slice(&bytes), path, NULL, ret, diags);
        if (r >= 0)
                (*ret)->development = true;
        return r;
}

bool ash_signer_is_development(const AshSigner *s) { return s->development; }
bool ash_signer_is_rsa(const AshSigner *s) { return s->rsa; }
const char *ash_signer_fingerprint(const AshSigner *s) { return s->fingerprint; }
const char *ash_signer_key_id(const AshSigner *s) { return s->key_id; }
const char *ash_signer_user_id(const AshSigner *s) { return s->user_id; }
AshSlice ash_signer_public_key(const AshSigner *s) { return ash_str_slice(&s->public_key); }

static int seat_take(AshSigner *s, Seat **ret, AshDiags *diags) {
        pthread_mutex_lock(&s->mutex);
        Seat *seat = s->idle;
        if (seat)
                s->idle = seat->next;
        pthread_mutex_unlock(&s->mutex);
        if (!seat) {
                int r = seat_new(s, "signing key", &seat, diags);
                if (r < 0)
                        return r;
        }
        *ret = seat;
        return 0;
}

static void seat_give(AshSigner *s, Seat *seat) {
        pthread_mutex_lock(&s->mutex);
        seat->next = s->idle;
        s->idle = seat;
        pthread_mutex_unlock(&s->mutex);
}

static int sign_rnp(AshSigner *s, const AshSlice *data, size_t n, uint32_t created, AshStr *ret, AshDiags *diags) {
        Seat *seat = NULL;
        int done = seat_take(s, &seat, diags);
        if (done < 0)
                return done;
        AshSignFeed pieces = { data, n, 0, 0 };
        rnp_input_t input = NULL;
        rnp_output_t out = NULL;
        rnp_op_sign_t op = NULL;
        rnp_op_sign_signature_t sig = NULL;
        uint8_t *bytes = NULL;
        size_t len = 0;
        rnp_result_t r = ash_rnp.input_from_callback(&input, ash_sign_feed_read, NULL, &pieces);
        if (r == RNP_SUCCESS)
                r = ash_rnp.output_to_memory(&out, 0);
        if (r == RNP_SUCCESS)
                r = ash_rnp.op_sign_detached_create(&op, seat->ffi, input, out);
        if (r == RNP_SUCCESS)
                r = ash_rnp.op_sign_set_hash(op, "SHA256");
        if (r == RNP_SUCCESS)
                r = ash_rnp.op_sign_set_creation_time(op, created);
        if (r == RNP_SUCCESS)
                r = ash_rnp.op_sign_add_signature(op, seat->key, &sig);
        if (r == RNP_SUCCESS)
                r = ash_rnp.op_sign_execute(op);
        if (r == RNP_SUCCESS)
                r = ash_rnp.output_memory_get_buf(out, &bytes, &len, false);
        if (r == RNP_SUCCESS)
                ash_str_append(ret, ash_slice((const char *) bytes, len));
        ash_rnp.op_sign_destroy(op);
        ash_rnp.output_destroy(out);
        ash_rnp.input_destroy(input);
        seat_give(s, seat);
        if (r == RNP_ERROR_BAD_PASSWORD)
                return ash_fail(diags, -EACCES, ASH_NOWHERE, "the signing key %s is protected and the passphrase does not open it", s->fingerprint);
        return r == RNP_SUCCESS ? 0 : ash_fail(diags, -EIO, ASH_NOWHERE, "cannot sign with key %s: %s", s->fingerprint, why(r));
}

/* ---- a signature packet around what a command gives ---- */
enum { SIG_V4 = 4, SIG_BINARY = 0, ALGO_RSA = 1, ALGO_EDDSA = 22, HASH_SHA256 = 8, SUB_CREATED = 2, SUB_ISSUER = 16, SUB_FINGERPRINT = 33 };

static void put_be(AshStr *out, uint64_t v, int bytes) {
        while (bytes-- > 0)
                ash_str_append_char(out, (char) (v >> (8 * bytes)));
}

static int put_hex(AshStr *out, const char *hex) {
        uint8_t bytes[32];
        size_t n = strlen(hex) / 2;
        if (n > sizeof bytes || ash_unhex(ash_slice_str(hex), bytes, n) < 0)
                return -EINVAL;
        ash_str_append(out, ash_slice((const char *) bytes, n));
        return 0;
}

static void put_mpi(AshStr *out, AshSlice number) {
        while (number.len && !number.ptr[0])
                number = ash_slice_from(number, 1);
        unsigned bits = (unsigned) number.len * 8;
        if (number.len)
                bits -= (unsigned) __builtin_clz((uint8_t) number.ptr[0]) - 24;
        put_be(out, bits, 2);
        ash_str_append(out, number);
}

static void put_packet(AshStr *out, AshSlice body) {
        put_be(out, 0xc2, 1); /* new format, tag 2 */
        if (body.len < 192)
                put_be(out, body.len, 1);
        else
                put_be(out, ((body.len - 192) >> 8) + 192, 1), put_be(out, (body.len - 192) & 0xff, 1);
        ash_str_append(out, body);
}

static int run_command(AshSigner *s, const uint8_t *digest, AshStr *ret, AshDiags *diags) {
        ASH_ARRAY(const char *) argv = {}, env = {};
        _free_ char *words = ash_strdup(s->command);
        AshSlice rest = ash_slice_str(words), word;
        while (ash_slice_next_word(&rest, &word)) {
                ((char *) word.ptr)[word.len] = 0;
                ash_array_push(&argv, word.ptr);
                if (rest.len)
                        rest = ash_slice_from(rest, 1);
        }
        ash_array_push(&argv, NULL);
        _free_ char *key = ash_asprintf("ASHLAR_SIGN_KEY=%s", s->fingerprint);
        for (char **e = environ; *e; e++)
                if (strncmp(*e, "ASHLAR_SIGN_", 12) != 0)
                        ash_array_push(&env, *e);
        ash_array_push(&env, "ASHLAR_SIGN_HASH=sha256");
        ash_array_push(&env, s->rsa ? "ASHLAR_SIGN_ALGORITHM=rsa" : "ASHLAR_SIGN_ALGORITHM=ed25519");
        ash_array_push(&env, key);
        ash_array_push(&env, NULL);
        _process_result_ AshProcessResult result = {};
        int r = ash_process_check(&(AshProcess){ .argv = argv.items, .env = env.items, .input = ash_slice((const char *) digest, 32), .timeout_ms = 120000, .output_limit = 1 << 16 }, &result, diags);
        ash_array_done(&argv);
        ash_array_done(&env);
        if (r >= 0)
                ash_str_append(ret, ash_str_slice(&result.out));
        return r;
}

static int check_own(AshSigner *s, const AshSlice *data, size_t n, AshSlice packet, AshDiags *diags) {
        Seat *seat = NULL;
        int done = seat_take(s, &seat, diags);
        if (done < 0)
                return done;
        AshSignFeed pieces = { data, n, 0, 0 };
        rnp_input_t input = NULL, sig = NULL;
        rnp_op_verify_t op = NULL;
        rnp_result_t r = ash_rnp.input_from_callback(&input, ash_sign_feed_read, NULL, &pieces);
        if (r == RNP_SUCCESS)
                r = ash_rnp.input_from_memory(&sig, (const uint8_t *) packet.ptr, packet.len, false);
        if (r == RNP_SUCCESS)
                r = ash_rnp.op_verify_detached_create(&op, seat->ffi, input, sig);
        if (r == RNP_SUCCESS)
                r = ash_rnp.op_verify_execute(op);
        ash_rnp.op_verify_destroy(op);
        ash_rnp.input_destroy(sig);
        ash_rnp.input_destroy(input);
        seat_give(s, seat);
        if (r == RNP_SUCCESS)
                return 0;
        done = ash_fail(diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "what the signer command '%s' gave is no signature of key %s: %s", s->command, s->fingerprint, why(r));
        ash_hint(diags, "it gets a SHA-256 digest (32 bytes) and must answer with %s", s->rsa ? "an RSA PKCS #1 v1.5 signature" : "an Ed25519 signature over these 32 bytes");
        return done;
}

/* The packet of RFC 4880 section 5.2.3 around what the command or libcrypto makes of the digest. */
static int sign_packet(AshSigner *s, const AshSlice *data, size_t n, uint32_t created, AshStr *ret, AshDiags *diags) {
        _str_ AshStr hashed = {}, head = {}, trailer = {}, raw = {}, body = {}, packet = {};
        uint8_t digest[32];
        put_be(&hashed, strlen(s->key_fingerprint) / 2 + 2, 1);
        put_be(&hashed, SUB_FINGERPRINT, 1);
        put_be(&hashed, 4, 1);
        if (strlen(s->key_fingerprint) != 40 || put_hex(&hashed, s->key_fingerprint) < 0)
                return ash_fail(diags, -ENOTSUP, ASH_NOWHERE, "key %s is not of OpenPGP version 4", s->key_fingerprint);
        put_be(&hashed, 5, 1);
        put_be(&hashed, SUB_CREATED, 1);
        put_be(&hashed, created, 4);
        put_be(&head, SIG_V4, 1);
        put_be(&head, SIG_BINARY, 1);
        put_be(&head, s->rsa ? ALGO_RSA : ALGO_EDDSA, 1);
        put_be(&head, HASH_SHA256, 1);
        put_be(&head, hashed.len, 2);
        ash_str_append(&head, ash_str_slice(&hashed));
        put_be(&trailer, SIG_V4, 1);
        put_be(&trailer, 0xff, 1);
        put_be(&trailer, head.len, 4);
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        for (size_t i = 0; i < n; i++)
                ash_digest_update(d, data[i].ptr, data[i].len);
        ash_digest_update(d, head.ptr, head.len);
        ash_digest_update(d, trailer.ptr, trailer.len);
        ash_digest_final(d, digest);
        int r = s->raw ? ash_rsa_sign_sha256(s->raw, digest, &raw) : run_command(s, digest, &raw, diags);
        if (r < 0)
                return s->raw ? ash_fail(diags, r, ASH_NOWHERE, "cannot sign with key %s", s->fingerprint) : r;
        if (!raw.len || (!s->rsa && raw.len != 64) || raw.len > 2048)
                return ash_fail(diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "the signer command '%s' gave %zu bytes; expected %s", s->command, raw.len, s->rsa ? "an RSA signature" : "the 64 bytes of an Ed25519 signature");
        ash_str_append(&body, ash_str_slice(&head));
        put_be(&body, 10, 2); /* unhashed: the issuer, for readers that know no fingerprints */
        put_be(&body, 9, 1);
        put_be(&body, SUB_ISSUER, 1);
        put_hex(&body, s->key_id);
        ash_str_append(&body, ash_slice((const char *) digest, 2));
        if (s->rsa)
                put_mpi(&body, ash_str_slice(&raw));
        else {
                put_mpi(&body, ash_slice(raw.ptr, 32));
                put_mpi(&body, ash_slice(raw.ptr + 32, 32));
        }
        put_packet(&packet, ash_str_slice(&body));
        if (!s->raw)
                r = check_own(s, data, n, ash_str_slice(&packet), diags);
        if (r >= 0)
                ash_str_append(ret, ash_str_slice(&packet));
        return r;
}

int ash_signer_sign(AshSigner *s, const AshSlice *data, size_t n_data, uint32_t created, AshStr *ret, AshDiags *diags) {
        /* A signature older than its key is refused by GnuPG. */
        created = ASH_MAX(created, s->key_created);
        return (s->command || s->raw ? sign_packet : sign_rnp)(s, data, n_data, created, ret, diags);
}

int ash_armor_signatures(AshSlice packets, AshStr *ret, AshDiags *diags) {
        rnp_input_t input = NULL;
        rnp_output_t out = NULL;
        uint8_t *bytes = NULL;
        size_t n = 0;
        int loaded = ash_rnp_load(diags);
        if (loaded < 0)
                return loaded;
        rnp_result_t r = ash_rnp.input_from_memory(&input, (const uint8_t *) packets.ptr, packets.len, false);
        if (r == RNP_SUCCESS)
                r = ash_rnp.output_to_memory(&out, 0);
        if (r == RNP_SUCCESS)
                r = ash_rnp.enarmor(input, out, "signature");
        if (r == RNP_SUCCESS)
                r = ash_rnp.output_memory_get_buf(out, &bytes, &n, false);
        if (r == RNP_SUCCESS)
                ash_str_append(ret, ash_slice((const char *) bytes, n));
        ash_rnp.output_destroy(out);
        ash_rnp.input_destroy(input);
        return r == RNP_SUCCESS ? 0 : ash_fail(diags, -EIO, ASH_NOWHERE, "cannot armor a signature: %s", why(r));
}
