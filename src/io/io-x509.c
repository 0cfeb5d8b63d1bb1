#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include "io-x509.h"

static void free_infos(STACK_OF(X509_INFO) * infos) { sk_X509_INFO_pop_free(infos, X509_INFO_free); }

static int name_of(X509 *certificate, AshX509Name *ret) {
        unsigned len = 0;
        AshX509Name name = { .hash = (uint32_t) X509_subject_name_hash(certificate) };
        if (X509_digest(certificate, EVP_sha1(), name.sha1, &len) != 1 || len != sizeof name.sha1)
                return -EINVAL;
        *ret = name;
        return 0;
}

int ash_x509_name(AshSlice pem, AshX509Name *ret) {
        if (pem.len > INT32_MAX)
                return -EINVAL;
        BIO *bio = BIO_new_mem_buf(pem.ptr ? pem.ptr : "", (int) pem.len);
        if (!bio)
                return -ENOMEM;
        STACK_OF(X509_INFO) *infos = PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL);
        BIO_free(bio);
        ERR_clear_error();
        if (!infos)
                return -EINVAL;
        const X509_INFO *only = sk_X509_INFO_num(infos) == 1 ? sk_X509_INFO_value(infos, 0) : NULL;
        int r = only && only->x509 ? name_of(only->x509, ret) : -ENOENT;
        free_infos(infos);
        return r;
}

bool ash_der_next(AshSlice *rest, uint8_t tag, AshSlice *ret_content, AshSlice *ret_whole) {
        const uint8_t *p = (const uint8_t *) rest->ptr;
        size_t head = 2, length;
        if (rest->len < 2 || p[0] != tag)
                return false;
        length = p[1];
        if (length >= 0x80) {
                size_t n = length & 0x7f;
                if (!n || n > 4 || rest->len < 2 + n)
                        return false;
                for (length = 0; head < 2 + n; head++)
                        length = length << 8 | p[head];
        }
        if (length > rest->len - head)
                return false;
        if (ret_content)
                *ret_content = ash_slice(rest->ptr + head, length);
        if (ret_whole)
                *ret_whole = ash_slice(rest->ptr, head + length);
        *rest = ash_slice(rest->ptr + head + length, rest->len - head - length);
        return true;
}

void ash_der_append(AshStr *out, uint8_t tag, AshSlice content) {
        unsigned bytes = 0;
        ash_str_append_char(out, (char) tag);
        while (content.len >= 0x80 && content.len >> 8 * bytes)
                bytes++;
        ash_str_append_char(out, (char) (bytes ? 0x80 | bytes : content.len));
        while (bytes-- > 0)
                ash_str_append_char(out, (char) (content.len >> 8 * bytes));
        ash_str_append(out, content);
}

int ash_pem_next(AshSlice *rest, AshArena *arena, AshSlice *ret_label, AshSlice *ret_der) {
        ptrdiff_t start = ash_slice_find(*rest, ASH_S("-----BEGIN "));
        char *label = NULL, *header = NULL;
        unsigned char *data = NULL;
        long n = 0;
        if (start < 0 || rest->len > INT32_MAX)
                return start < 0 ? -ENOENT : -EINVAL;
        *rest = ash_slice_from(*rest, (size_t) start);
        BIO *bio = BIO_new_mem_buf(rest->ptr, (int) rest->len);
        if (!bio)
                return -ENOMEM;
        int r = PEM_read_bio(bio, &label, &header, &data, &n) == 1 ? 0 : -EINVAL;
        ERR_clear_error();
        /* behind a damaged block the next one is looked for behind its first line */
        *rest = r < 0 ? ash_slice_from(*rest, 1) : ash_slice_from(*rest, rest->len - (size_t) BIO_pending(bio));
        BIO_free(bio);
        if (r >= 0) {
                *ret_label = ash_arena_slice(arena, ash_slice_str(label));
                *ret_der = ash_arena_slice(arena, ash_slice((const char *) data, (size_t) n));
        }
        OPENSSL_free(label);
        OPENSSL_free(header);
        OPENSSL_free(data);
        return r;
}

void ash_pem_append(AshStr *out, const char *label, AshSlice der) {
        ash_str_appendf(out, "-----BEGIN %s-----\n", label);
        for (AshSlice rest = der; rest.len; rest = ash_slice_from(rest, 48)) {
                unsigned char line[65];
                int n = EVP_EncodeBlock(line, (const unsigned char *) rest.ptr, rest.len < 48 ? (int) rest.len : 48);
                ash_str_append(out, ash_slice((const char *) line, (size_t) n));
                ash_str_append_char(out, '\n');
        }
        ash_str_appendf(out, "-----END %s-----\n", label);
}

/* What an i2d function writes. */
#define TAKE_DER(arena, call)                                                                                \
        ({                                                                                                   \
                unsigned char *_der = NULL, **p = &_der;                                                     \
                int _n = (call);                                                                             \
                AshSlice _s = _n > 0 ? ash_arena_slice(arena, ash_slice((const char *) _der, (size_t) _n)) : ASH_NOSLICE; \
                OPENSSL_free(_der);                                                                          \
                _s;                                                                                          \
        })

static AshSlice display_name(X509 *x, AshArena *arena) {
        static const int kinds[] = { NID_commonName, NID_organizationalUnitName, NID_organizationName };
        const X509_NAME *subject = X509_get_subject_name(x);
        for (size_t i = 0; i < ASH_N(kinds); i++) {
                int at = X509_NAME_get_index_by_NID(subject, kinds[i], -1);
                unsigned char *text = NULL;
                int n = at < 0 ? -1 : ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
                if (n < 0)
                        continue;
                AshSlice name = ash_arena_slice(arena, ash_slice((const char *) text, (size_t) n));
                OPENSSL_free(text);
                return name;
        }
        return ASH_S("");
}

static AshSlice extension(X509 *x, int kind, AshArena *arena) {
        int at = X509_get_ext_by_NID(x, kind, -1);
        const ASN1_OCTET_STRING *value = at < 0 ? NULL : X509_EXTENSION_get_data(X509_get_ext(x, at));
        return value ? ash_arena_slice(arena, ash_slice((const char *) ASN1_STRING_get0_data(value), (size_t) ASN1_STRING_length(value))) : ASH_NOSLICE;
}

static AshSlice objects(const STACK_OF(ASN1_OBJECT) * stack, AshArena *arena) {
        _str_ AshStr all = {};
        for (int i = 0; i < sk_ASN1_OBJECT_num(stack); i++)
                ash_str_append(&all, TAKE_DER(arena, i2d_ASN1_OBJECT(sk_ASN1_OBJECT_value(stack, i), p)));
        return ash_arena_slice(arena, ash_str_slice(&all));
}

static void read_aux(X509 *x, AshArena *arena, AshX509 *c) {
        int n = 0;
        const unsigned char *text = X509_alias_get0(x, &n);
        c->alias = text ? ash_arena_slice(arena, ash_slice((const char *) text, (size_t) n)) : ASH_NOSLICE;
        text = X509_keyid_get0(x, &n);
        c->keyid = text ? ash_arena_slice(arena, ash_slice((const char *) text, (size_t) n)) : ASH_NOSLICE;
        c->trust = objects(X509_get0_trust_objects(x), arena);
        c->reject = objects(X509_get0_reject_objects(x), arena);
        c->has_reject = c->reject.len > 0;
}

int ash_x509_read(AshSlice der, bool trusted, AshArena *arena, AshX509 *ret) {
        AshSlice rest = der;
        AshX509 c = {};
        if (der.len > INT32_MAX || !ash_der_next(&rest, 0x30, NULL, &c.der))
                return -EINVAL;
        c.has_aux = trusted && rest.len;
        const unsigned char *at = (const unsigned char *) der.ptr;
        X509 *x = c.has_aux ? d2i_X509_AUX(NULL, &at, (long) der.len) : d2i_X509(NULL, &at, (long) c.der.len);
        ERR_clear_error();
        if (!x)
                return -EINVAL;
        BASIC_CONSTRAINTS *constraints = X509_get_ext_d2i(x, NID_basic_constraints, NULL, NULL);
        c.has_constraints = X509_get_ext_by_NID(x, NID_basic_constraints, -1) >= 0;
        c.is_authority = constraints && constraints->ca;
        BASIC_CONSTRAINTS_free(constraints);
        c.version1 = X509_get_version(x) == 0;
        c.public_key = TAKE_DER(arena, i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), p));
        c.subject = TAKE_DER(arena, i2d_X509_NAME(X509_get_subject_name(x), p));
        c.issuer = TAKE_DER(arena, i2d_X509_NAME(X509_get_issuer_name(x), p));
        c.serial = TAKE_DER(arena, i2d_ASN1_INTEGER(X509_get_serialNumber(x), p));
        c.name = display_name(x, arena);
        c.purposes = extension(x, NID_ext_key_usage, arena);
        c.hash = (uint32_t) X509_subject_name_hash(x);
        c.old_hash = (uint32_t) X509_subject_name_hash_old(x);
        if (c.has_aux)
                read_aux(x, arena, &c);
        X509_free(x);
        ERR_clear_error();
        c.der = ash_arena_slice(arena, c.der);
        *ret = c;
        return 0;
}
