#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include "io-rsa.h"

struct AshRsaKey {
        EVP_PKEY *pkey;
};

void ash_rsa_key_free(AshRsaKey *key) {
        if (!key)
                return;
        EVP_PKEY_free(key->pkey);
        free(key);
}

enum { N, E, D, P, Q, DP, DQ, QINV, NUMBERS };
static const char *const names[NUMBERS] = {
        OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E, OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
        OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};

/* The exponents and the coefficient of the Chinese remainder theorem follow from the rest; OpenPGP keeps another coefficient. */
static int derive(BIGNUM *number[NUMBERS], BN_CTX *ctx) {
        BIGNUM *t = BN_new();
        int ok = t != NULL;
        for (int i = DP; i < NUMBERS; i++)
                ok = ok && (number[i] = BN_new()) != NULL;
        ok = ok && BN_sub(t, number[P], BN_value_one()) && BN_mod(number[DP], number[D], t, ctx);
        ok = ok && BN_sub(t, number[Q], BN_value_one()) && BN_mod(number[DQ], number[D], t, ctx);
        ok = ok && BN_mod_inverse(number[QINV], number[Q], number[P], ctx);
        BN_clear_free(t);
        return ok;
}

static EVP_PKEY *build(BIGNUM *number[NUMBERS]) {
        EVP_PKEY *pkey = NULL;
        OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
        OSSL_PARAM *params = NULL;
        int ok = bld && ctx;
        for (int i = 0; ok && i < NUMBERS; i++)
                ok = OSSL_PARAM_BLD_push_BN(bld, names[i], number[i]);
        ok = ok && (params = OSSL_PARAM_BLD_to_param(bld)) && EVP_PKEY_fromdata_init(ctx) > 0 && EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) > 0;
        OSSL_PARAM_free(params);
        OSSL_PARAM_BLD_free(bld);
        EVP_PKEY_CTX_free(ctx);
        return ok ? pkey : NULL;
}

int ash_rsa_key_new(const char *n, const char *e, const char *d, const char *p, const char *q, AshRsaKey **ret) {
        BIGNUM *number[NUMBERS] = {};
        const char *hex[] = { n, e, d, p, q };
        BN_CTX *ctx = BN_CTX_secure_new();
        EVP_PKEY *pkey = NULL;
        bool ok = ctx != NULL;
        for (int i = N; ok && i <= Q; i++)
                ok = BN_hex2bn(&number[i], hex[i]) == (int) strlen(hex[i]);
        if (ok && derive(number, ctx))
                pkey = build(number);
        for (int i = 0; i < NUMBERS; i++)
                BN_clear_free(number[i]);
        BN_CTX_free(ctx);
        if (!pkey)
                return -EINVAL;
        *ret = ash_calloc(1, sizeof **ret);
        (*ret)->pkey = pkey;
        return 0;
}

int ash_rsa_sign_sha256(const AshRsaKey *key, const uint8_t digest[static 32], AshStr *ret) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
        size_t n = 0;
        bool ok = ctx && EVP_PKEY_sign_init(ctx) > 0 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 && EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) > 0 &&
                  EVP_PKEY_sign(ctx, NULL, &n, digest, 32) > 0;
        if (ok) {
                ash_str_reserve(ret, n);
                ok = EVP_PKEY_sign(ctx, (unsigned char *) ret->ptr + ret->len, &n, digest, 32) > 0;
                ret->len += ok ? n : 0;
                ret->ptr[ret->len] = 0;
        }
        EVP_PKEY_CTX_free(ctx);
        return ok ? 0 : -EIO;
}
