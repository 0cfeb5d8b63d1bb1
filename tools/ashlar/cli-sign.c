#include "cli-sign.h"
#include "config.h"
#include "io.h"

void ash_cli_signers_done(AshCliSigners *s) {
        ash_array_foreach(&s->items, i)
                ash_signer_free(*i);
        ash_array_done(&s->items);
}

static int read_passphrase(AshCli *cli, AshBytes *ret, char **ret_text) {
        const char *path = getenv("ASHLAR_KEY_PASSPHRASE_FILE");
        AshSlice line = {}, rest;
        if (!path)
                return 0;
        int r = ash_file_read(AT_FDCWD, path, 4096, ret);
        if (r < 0)
                return ash_fail_file(cli->diags, r, path, "cannot read the passphrase: %s", ash_strerror(r));
        rest = ash_bytes_slice(ret);
        ash_slice_next_line(&rest, &line);
        *ret_text = ash_slice_dup(line);
        return 0;
}

static int open_key(AshCli *cli, const char *path, AshCliSigners *ret) {
        _bytes_ AshBytes bytes = {}, secret = {};
        _free_ char *passphrase = NULL;
        AshSigner *s = NULL;
        int r = ash_file_read(AT_FDCWD, path, 4 << 20, &bytes);
        if (r < 0)
                return ash_fail_file(cli->diags, r, path, "cannot read the key: %s", ash_strerror(r));
        r = read_passphrase(cli, &secret, &passphrase);
        if (r >= 0)
                r = ash_signer_open_key(ash_bytes_slice(&bytes), path, passphrase, &s, cli->diags);
        if (r >= 0)
                ash_array_push(&ret->items, s);
        return r;
}

static int open_command(AshCli *cli, const char *command, const char *path, AshCliSigners *ret) {
        _bytes_ AshBytes bytes = {};
        AshSigner *s = NULL;
        if (!path) {
                int r = ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--signer needs --signer-key (in the project file: signer needs signing-key)");
                ash_hint(cli->diags, "name the file with the public key that belongs to what the command signs with");
                return r;
        }
        int r = ash_file_read(AT_FDCWD, path, 4 << 20, &bytes);
        if (r < 0)
                return ash_fail_file(cli->diags, r, path, "cannot read the key: %s", ash_strerror(r));
        r = ash_signer_open_command(command, ash_bytes_slice(&bytes), path, &s, cli->diags);
        if (r >= 0)
                ash_array_push(&ret->items, s);
        return r;
}

static char *development_dir(void) {
        const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
        if (data && data[0] == '/')
                return ash_path_join(data, "ashlar/keys");
        return ash_path_join(home && home[0] ? home : "/", ".local/share/ashlar/keys");
}

/* What the project says, when no option does: project.signing-key; with project.signer it is the public key of that command. */
static int open_configured(AshCli *cli, AshCliSigners *ret) {
        const AshProjectInfo *info = cli->config ? &ash_config_project(cli->config)->info : NULL;
        if (!info || !(ash_text_set(info->signing_key) || ash_text_set(info->signer)))
                return 0;
        const char *key = ash_text_set(info->signing_key) ? info->signing_key.s.ptr : NULL;
        return ash_text_set(info->signer) ? open_command(cli, info->signer.s.ptr, key, ret) : open_key(cli, key, ret);
}

/* What the project says, else the development key. */
static int open_standard(AshCli *cli, AshCliSigners *ret, bool *ret_development) {
        *ret_development = false;
        int r = open_configured(cli, ret);
        if (r < 0 || ret->items.n)
                return r;
        _free_ char *dir = development_dir();
        AshSigner *s = NULL;
        r = ash_signer_open_development(dir, &s, cli->diags);
        if (r < 0)
                return r;
        ash_array_push(&ret->items, s);
        *ret_development = true;
        return 0;
}

void ash_cli_warn_development(AshCli *cli, const AshCliSigners *signers, const char *what) {
        if (!signers->items.n || !ash_signer_is_development(signers->items.items[0]))
                return;
        ash_warn(cli->diags, ASH_NOWHERE, "%s the DEVELOPMENT key %s of this user: not for releases", what, ash_signer_fingerprint(signers->items.items[0]));
        ash_hint(cli->diags, "--key FILE or --signer COMMAND names a real key");
}

int ash_cli_signers(AshCli *cli, AshCliSigners *ret) {
        bool development;
        int r = 0;
        for (size_t i = 0; r >= 0 && ash_cli_option_nth(cli, "key", i); i++)
                r = open_key(cli, ash_cli_option_nth(cli, "key", i), ret);
        const char *command = ash_cli_option(cli, "signer");
        if (r >= 0 && command)
                r = open_command(cli, command, ash_cli_option(cli, "signer-key"), ret);
        if (r >= 0 && !ret->items.n)
                r = open_standard(cli, ret, &development);
        return r;
}

int ash_cli_public_key(void *context, AshArena *arena, AshSlice *ret) {
        AshCli *cli = context;
        _cleanup_(ash_cli_signers_done) AshCliSigners signers = {};
        bool development = false;
        int r = cli->public_key ? 0 : open_standard(cli, &signers, &development);
        if (r < 0)
                return r;
        if (!cli->public_key)
                cli->public_key = ash_slice_dup(ash_signer_public_key(signers.items.items[0]));
        *ret = ash_arena_slice(arena, ash_slice_str(cli->public_key));
        if (development) {
                ash_warn(cli->diags, ASH_NOWHERE, "the image trusts the DEVELOPMENT key %s of this user: not for releases", ash_signer_fingerprint(signers.items.items[0]));
                ash_hint(cli->diags, "project.signing-key names a real key");
        }
        return 0;
}

int ash_cli_source_date(AshCli *cli, uint64_t otherwise, uint64_t *ret) {
        const char *text = getenv("SOURCE_DATE_EPOCH");
        *ret = otherwise;
        if (!text || !text[0])
                return 0;
        if (ash_slice_to_u64(ash_slice_str(text), 10, ret) < 0 || *ret > UINT32_MAX)
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "SOURCE_DATE_EPOCH is '%s', expected seconds since 1970", text);
        return 0;
}
