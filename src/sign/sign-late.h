/* librnp, loaded when there is something to sign or to verify: see io-late.h. Private to this module. */
#pragma once
#include <rnp/rnp.h>
#include <rnp/rnp_err.h>
#include "base.h"

#define ASH_RNP_FUNCTIONS(X) \
        X(add_security_rule) X(buffer_destroy) X(dearmor) X(enarmor) X(ffi_create) X(ffi_destroy) X(ffi_set_pass_provider) X(identifier_iterator_create) X(identifier_iterator_destroy) \
        X(identifier_iterator_next) X(import_keys) X(input_destroy) X(input_from_callback) X(input_from_memory) X(key_allows_usage) X(key_export) X(key_get_alg) X(key_get_creation) \
        X(key_get_default_key) X(key_get_fprint) X(key_get_keyid) X(key_get_primary_fprint) X(key_get_primary_uid) X(key_get_subkey_at) X(key_get_subkey_count) X(key_handle_destroy) \
        X(key_have_secret) X(key_is_expired) X(key_is_primary) X(key_is_revoked) X(key_to_json) X(load_keys) X(locate_key) X(op_generate_add_usage) X(op_generate_create) X(op_generate_destroy) X(op_generate_execute) \
        X(op_generate_get_key) X(op_generate_set_bits) X(op_generate_set_expiration) X(op_generate_set_hash) X(op_generate_set_userid) X(op_sign_add_signature) X(op_sign_destroy) \
        X(op_sign_detached_create) X(op_sign_execute) X(op_sign_set_creation_time) X(op_sign_set_hash) X(op_verify_destroy) X(op_verify_detached_create) X(op_verify_execute) \
        X(op_verify_get_signature_at) X(op_verify_get_signature_count) X(op_verify_signature_get_handle) X(op_verify_signature_get_key) X(op_verify_signature_get_status) \
        X(output_destroy) X(output_memory_get_buf) X(output_to_memory) X(result_to_string) X(signature_get_alg) X(signature_get_creation) X(signature_get_hash_alg) X(signature_get_keyid) \
        X(signature_handle_destroy)

typedef struct AshRnp {
#define X(f) __typeof__(rnp_##f) *f;
        ASH_RNP_FUNCTIONS(X)
#undef X
} AshRnp;
/* Filled by ash_rnp_load(), which every way to a key, a keyring or an armored text begins with. */
extern AshRnp ash_rnp;
int ash_rnp_load(AshDiags *diags);
