/* The options that say who signs, the same for every verb that does. */
#pragma once
#include "cli.h"
#include "sign-make.h"

#define ASH_SIGN_KEYS                                                                                                                          \
        { "key", .value = "FILE", .doc = "the secret key that signs (OpenPGP, armored or binary); a passphrase is read from the file that $ASHLAR_KEY_PASSPHRASE_FILE names", .kind = ASH_KIND_FILE, .many = true }, \
        { "signer", .value = "COMMAND", .doc = "a command that signs (an HSM, a cloud key): SHA-256 digest on its standard input, raw signature on its standard output; needs --signer-key" }, \
        { "signer-key", .value = "FILE", .doc = "the public key of --signer", .kind = ASH_KIND_FILE }
#define ASH_SIGN_OPTIONS ASH_SIGN_KEYS, { "no-sign", .doc = "do not sign" }

typedef struct AshCliSigners {
        ASH_ARRAY(AshSigner *) items;
} AshCliSigners;
/* Opens what the options name; without any, the development key of this user ($XDG_DATA_HOME/ashlar), made on first use: ash_cli_warn_development() says so once it has done something. */
int ash_cli_signers(AshCli *cli, AshCliSigners *ret);
/* "what" is in front of "the DEVELOPMENT key ...": "signed with". Nothing, when it is a real one. */
void ash_cli_warn_development(AshCli *cli, const AshCliSigners *signers, const char *what);
/* What clients check with: the public key of the first of those (context: the AshCli; for AshFlow.signing_key). */
int ash_cli_public_key(void *context, AshArena *arena, AshSlice *ret);
void ash_cli_signers_done(AshCliSigners *s);
/* SOURCE_DATE_EPOCH, or "otherwise". */
int ash_cli_source_date(AshCli *cli, uint64_t otherwise, uint64_t *ret);
