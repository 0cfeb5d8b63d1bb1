#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
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
