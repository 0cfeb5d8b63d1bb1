/* Making OpenPGP signatures: with a secret key by librnp in-process, or by a command that talks to an HSM or a cloud key.
 * RFC 4880 section 5.2.3 (version 4 signature packets); EdDSA as in RFC 9580 section 5.2.3.3. */
#pragma once
#include "io.h"

typedef struct AshSigner AshSigner; /* thread-safe */

/* bytes: a secret key, armored or binary (the file's name is for diagnostics). passphrase may be NULL. The signing subkey is used where there is one. */
int ash_signer_open_key(AshSlice bytes, const char *name, const char *passphrase, AshSigner **ret, AshDiags *diags);
/* command: program and arguments, separated by spaces; no shell runs. It gets the 32 bytes of a SHA-256 digest on its standard input and gives the raw signature on its standard output:
 * RSA: PKCS #1 v1.5 over the digest; Ed25519: 64 bytes over the digest taken as the message. In its environment: ASHLAR_SIGN_HASH=sha256,
 * ASHLAR_SIGN_ALGORITHM=rsa|ed25519, ASHLAR_SIGN_KEY=FINGERPRINT. public_key: armored or binary; each signature is checked with it before it is used. */
int ash_signer_open_command(const char *command, AshSlice public_key, const char *name, AshSigner **ret, AshDiags *diags);
/* The development key in that directory, made on first use (Ed25519). Everything signed with it is to be labelled as such: ash_signer_is_development(). */
int ash_signer_open_development(const char *dir, AshSigner **ret, AshDiags *diags);
typedef enum AshKeyKind { ASH_KEY_ED25519, ASH_KEY_RSA4096 } AshKeyKind;
/* A new key pair: both armored. user_id: "Name <mail>". */
int ash_key_generate(AshKeyKind kind, const char *user_id, AshStr *ret_secret, AshStr *ret_public, AshDiags *diags);

void ash_signer_free(AshSigner *s);
ASH_DEFINE_CLEANUP(AshSigner *, ash_signer_free)

bool ash_signer_is_development(const AshSigner *s);
bool ash_signer_is_rsa(const AshSigner *s);                      /* else EdDSA: rpm keeps the two kinds under different tags */
const char *ash_signer_fingerprint(const AshSigner *s);          /* of the primary key, upper-case hex */
const char *ash_signer_key_id(const AshSigner *s);               /* of the key that signs, lower-case hex */
const char *ash_signer_user_id(const AshSigner *s);
AshSlice ash_signer_public_key(const AshSigner *s);              /* armored */

/* A detached binary signature packet (SHA-256) over the slices one after the other, made at time "created" (Unix seconds; at least the time the key was made): the same input gives the same bytes. */
int ash_signer_sign(AshSigner *s, const AshSlice *data, size_t n_data, uint32_t created, AshStr *ret, AshDiags *diags);
/* Packets one after the other in one armored block, as repomd.xml.asc holds them. */
int ash_armor_signatures(AshSlice packets, AshStr *ret, AshDiags *diags);
