/* What our reader says of packages, a JSON object a line, for tests that ask rpm the same. Usage: rpm-judge [--key FILE]... [--sha1] PACKAGE... */
#include <stdio.h>
#include "sign-verify.h"

static void text(AshStr *out, AshSlice s) {
        ash_str_append_char(out, '"');
        for (size_t i = 0; i < s.len; i++) {
                unsigned char c = (unsigned char) s.ptr[i];
                if (c < ' ' || c >= 127 || c == '"' || c == '\\')
                        ash_str_appendf(out, "\\u%04x", c); /* as Latin-1: the test encodes it back to bytes */
                else
                        ash_str_append_char(out, (char) c);
        }
        ash_str_append_char(out, '"');
}

static void member(AshStr *out, const char *key, AshSlice s) {
        ash_str_appendf(out, ", \"%s\": ", key);
        text(out, s);
}

static void put_deps(AshStr *out, const AshRpm *rpm, AshArena *arena) {
        static const struct { const char *key; AshRpmRelation kind; } kinds[] = {
                { "provides", ASH_RPM_PROVIDES }, { "requires", ASH_RPM_REQUIRES }, { "conflicts", ASH_RPM_CONFLICTS }, { "obsoletes", ASH_RPM_OBSOLETES },
                { "recommends", ASH_RPM_RECOMMENDS }, { "suggests", ASH_RPM_SUGGESTS },
        };
        for (size_t k = 0; k < ASH_N(kinds); k++) {
                AshRpmDep *deps = NULL;
                size_t n = 0;
                int r = ash_rpm_deps(rpm, kinds[k].kind, arena, &deps, &n, NULL);
                ash_str_appendf(out, ", \"%s\": %s", kinds[k].key, r < 0 ? "null" : "[");
                for (size_t i = 0; i < n && r >= 0; i++) {
                        ash_str_appendf(out, "%s[", i ? ", " : "");
                        text(out, deps[i].name);
                        ash_str_append_str(out, ", ");
                        text(out, deps[i].evr);
                        ash_str_appendf(out, ", %u]", deps[i].flags);
                }
                if (r >= 0)
                        ash_str_append_char(out, ']');
        }
}

/* Reads the whole payload and digests each file: what it should be is in the header. */
static int read_payload(const AshRpm *rpm, const AshRpmFiles *files, char (*hex)[ASH_HEX_MAX], AshDiags *diags) {
        static char buffer[1 << 16];
        _cleanup_(ash_rpm_payload_free_p) AshRpmPayload *p = NULL;
        int r = ash_rpm_payload_open(rpm, files, 0, &p, diags);
        size_t i = 0;
        uint64_t size = 0;
        while (r >= 0 && (r = ash_rpm_payload_next(p, &i, &size, diags)) > 0) {
                if (!S_ISREG(files->items[i].mode) || files->digest_kind < 0 || (size == 0 && files->items[i].size > 0))
                        continue;
                uint8_t got[ASH_DIGEST_SIZE_MAX];
                _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(files->digest_kind);
                for (ssize_t n; (n = ash_rpm_payload_read(p, buffer, sizeof(buffer), diags)) != 0;) {
                        if (n < 0)
                                return (int) n;
                        ash_digest_update(d, buffer, (size_t) n);
                }
                ash_digest_final(d, got);
                ash_hex(got, ash_digest_size(files->digest_kind), hex[files->items[i].nlink_group]);
        }
        return r;
}

static void put_files(AshStr *out, const AshRpm *rpm, AshArena *arena, AshDiags *diags) {
        AshRpmFiles files;
        if (ash_rpm_files(rpm, arena, &files, diags) < 0) {
                ash_str_append_str(out, ", \"files\": null");
                return;
        }
        ash_str_appendf(out, ", \"paths_ok\": %s", ash_rpm_files_check(rpm, &files, diags) < 0 ? "false" : "true");
        char (*hex)[ASH_HEX_MAX] = ash_calloc(files.n + 1, ASH_HEX_MAX);
        ash_str_appendf(out, ", \"payload_ok\": %s, \"files\": [", read_payload(rpm, &files, hex, diags) < 0 ? "false" : "true");
        for (size_t i = 0; i < files.n; i++) {
                const AshRpmFile *f = &files.items[i];
                ash_str_appendf(out, "%s{\"size\": %llu, \"mode\": %u, \"flags\": %u, \"mtime\": %u, \"rdev\": %u, \"color\": %u, \"inode\": %llu, \"nlink\": %u, \"verify\": %u",
                                i ? ", " : "", (unsigned long long) f->size, f->mode, f->flags, f->mtime, f->rdev, f->color, (unsigned long long) f->inode, f->nlink, f->verify_flags);
                member(out, "dir", f->dir);
                member(out, "base", f->base);
                member(out, "user", f->user);
                member(out, "group", f->group);
                member(out, "link", f->link);
                member(out, "caps", f->caps);
                member(out, "digest", f->digest_hex);
                member(out, "content", ash_slice_str(hex[f->nlink_group]));
                ash_str_append_char(out, '}');
        }
        ash_str_append_char(out, ']');
        free(hex);
}

static void put_package(AshStr *out, const char *path, AshKeyring *keys, const AshVerifyOptions *options) {
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _cleanup_(ash_rpm_free_p) AshRpm *rpm = NULL;
        _bytes_ AshBytes bytes = {};
        AshRpmDigests digests;
        AshRpmNevra nevra;

        ash_str_append_str(out, "{\"path\": ");
        text(out, ash_slice_str(path));
        if (ash_file_map(AT_FDCWD, path, &bytes) < 0 || ash_rpm_parse(ash_bytes_slice(&bytes), path, &rpm, diags) < 0) {
                ash_str_append_str(out, ", \"parsed\": false");
        } else {
                ash_str_appendf(out, ", \"parsed\": true, \"digests\": %d", ash_rpm_verify_digests(rpm, &digests, NULL));
                AshRpmSigReport report;
                ash_str_appendf(out, ", \"verify\": %d, \"signatures\": [", ash_rpm_verify(keys, rpm, options, &report, diags));
                for (size_t i = 0; i < report.results.n; i++)
                        ash_str_appendf(out, "%s[%u, \"%s\", \"%s\", \"%s\"]", i ? ", " : "", report.tags.items[i], ash_sig_status_name(report.results.items[i].status),
                                        report.results.items[i].key_id, report.results.items[i].hash);
                ash_str_append_char(out, ']');
                ash_rpm_sig_report_done(&report);
                if (ash_rpm_nevra(rpm, &nevra, diags) >= 0) {
                        _free_ char *s = ash_rpm_nevra_text(&nevra);
                        member(out, "nevra", ash_slice_str(s));
                }
                put_deps(out, rpm, arena);
                put_files(out, rpm, arena, diags);
        }
        ash_str_append_str(out, ", \"messages\": [");
        for (size_t i = 0; i < ash_diags_n(diags); i++) {
                ash_str_append_str(out, i ? ", " : "");
                text(out, ash_slice_str(ash_diags_at(diags, i)->text));
        }
        ash_str_append_str(out, "]}\n");
}

int main(int argc, char **argv) {
        _cleanup_(ash_keyring_free_p) AshKeyring *keys = NULL;
        AshVerifyOptions options = {};
        _str_ AshStr out = {};

        if (ash_keyring_new(&keys, NULL) < 0)
                return 1;
        for (int i = 1; i < argc; i++) {
                if (strcmp(argv[i], "--sha1") == 0) {
                        options.allow_sha1 = true;
                } else if (strcmp(argv[i], "--key") == 0 && i + 1 < argc) {
                        _bytes_ AshBytes key = {};
                        if (ash_file_read(AT_FDCWD, argv[++i], 0, &key) < 0 || ash_keyring_add(keys, ash_bytes_slice(&key), argv[i], NULL) < 0)
                                return 2;
                } else {
                        put_package(&out, argv[i], keys, &options);
                }
        }
        fputs(out.ptr ? out.ptr : "", stdout);
        return 0;
}
