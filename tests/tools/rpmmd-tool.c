/* The rpm-md upstream from a test's hand: rpmmd-tool STORE [--base URL]... [--mirrorlist URL] [--metalink URL] [--key FILE]... [--pin SHA256] [--arch A]... [--want TYPE]... [--snapshot S]
 * [--releasever V] [--basearch A] [--unsigned] [--file] [--list] [NEVRA to fetch]...; or rpmmd-tool parse KIND FILE. Prints lines; diagnostics on standard error. */
#include <limits.h>
#include <stdio.h>
#include "upstream-rpmmd.h"

static int report(AshDiags *diags, int r) {
        for (size_t i = 0; i < ash_diags_n(diags); i++) {
                _str_ AshStr s = {};
                ash_diag_format(ash_diags_at(diags, i), false, &s);
                fputs(s.ptr, stderr);
        }
        return r >= 0 ? 0 : r == -ASH_ERR_VERIFY ? 5 : r == -ASH_ERR_AGAIN ? 75 : 1;
}

static int visit_files(void *context, const AshFilelistsPackage *p) {
        size_t *n = context;
        printf("%.*s %.*s %u:%.*s-%.*s", ASH_F(p->name), ASH_F(p->arch), p->epoch, ASH_F(p->version), ASH_F(p->release));
        for (size_t i = 0; i < p->n; i++)
                printf(" %c%.*s", p->files[i].type, ASH_F(p->files[i].path));
        putchar('\n');
        ++*n;
        return 0;
}

static int visit_other(void *context, const AshOtherPackage *p) {
        size_t *n = context;
        printf("%.*s %zu\n", ASH_F(p->name), p->n);
        for (size_t i = 0; i < p->n; i++)
                printf("  %llu %.*s %.*s\n", (unsigned long long) p->changes[i].date, ASH_F(p->changes[i].author), ASH_F(p->changes[i].text));
        ++*n;
        return 0;
}

static int parse(const char *kind, const char *path, AshDiags *diags) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _bytes_ AshBytes bytes = {};
        int r = ash_file_map(AT_FDCWD, path, &bytes);
        if (r < 0)
                return r;
        AshSlice s = ash_bytes_slice(&bytes);
        _cleanup_(ash_reader_free_p) AshReader *in = ash_reader_new_decompress(ash_reader_new_memory(s), true, ash_compression_detect(s), (uint64_t) 1 << 32);
        size_t n = 0;
        if (strcmp(kind, "repomd") == 0) {
                AshRepomd md = {};
                r = ash_repomd_parse(s, path, arena, &md, diags);
                for (size_t i = 0; i < md.n; i++)
                        printf("%.*s %.*s %llu %llu\n", ASH_F(md.data[i].type), ASH_F(md.data[i].href), (unsigned long long) md.data[i].size, (unsigned long long) md.data[i].open_size);
        } else if (strcmp(kind, "metalink") == 0) {
                AshMetalink m = {};
                r = ash_metalink_parse(s, path, arena, &m, diags);
                printf("%zu versions\n", m.n_versions);
                for (size_t i = 0; i < m.n_urls; i++)
                        puts(m.urls[i]);
        } else if (strcmp(kind, "primary") == 0) {
                AshPrimary p = {};
                r = ash_primary_parse(in, path, 0, arena, &p, diags);
                for (size_t i = 0; i < p.n; i++)
                        printf("%.*s %u:%.*s-%.*s.%.*s %.*s %llu %llu %llu %.*s\n", ASH_F(p.packages[i].name), p.packages[i].epoch, ASH_F(p.packages[i].version), ASH_F(p.packages[i].release),
                               ASH_F(p.packages[i].arch), ASH_F(p.packages[i].href), (unsigned long long) p.packages[i].size, (unsigned long long) p.packages[i].header_start,
                               (unsigned long long) p.packages[i].header_end, ASH_F(p.packages[i].sourcerpm));
        } else if (strcmp(kind, "filelists") == 0) {
                r = ash_filelists_parse(in, path, visit_files, &n, diags);
        } else if (strcmp(kind, "other") == 0) {
                r = ash_other_parse(in, path, visit_other, &n, diags);
        } else if (strcmp(kind, "updateinfo") == 0) {
                AshUpdateinfo u = {};
                r = ash_updateinfo_parse(in, path, arena, &u, diags);
                for (size_t i = 0; i < u.n; i++)
                        printf("%.*s %.*s %.*s %zu %zu\n", ASH_F(u.updates[i].id), ASH_F(u.updates[i].type), ASH_F(u.updates[i].severity.ptr ? u.updates[i].severity : ASH_S("-")),
                               u.updates[i].n_references, u.updates[i].n_packages);
        } else {
                AshComps c = {};
                r = ash_comps_parse(in, path, arena, &c, diags);
                for (size_t i = 0; i < c.n; i++) {
                        printf("%s %.*s [%.*s]", c.groups[i].environment ? "environment" : "group", ASH_F(c.groups[i].id), ASH_F(c.groups[i].name));
                        for (size_t k = 0; k < c.groups[i].n; k++)
                                printf(" %.*s:%.*s", ASH_F(c.groups[i].members[k].type), ASH_F(c.groups[i].members[k].name));
                        putchar('\n');
                }
        }
        return r;
}

typedef struct Words {
        const char *items[64];
        size_t n;
} Words;

static void print_repo(const AshRpmmdRepo *r, bool list) {
        static const char *const types[] = { "repomd", "primary", "filelists", "other", "updateinfo", "group" };
        char hex[ASH_ID_HEX];
        ash_id_hex(ash_rpmmd_repomd_id(r), hex);
        printf("repomd %s\ncount %zu\n", hex, ash_rpmmd_count(r));
        const AshSigResult *s = ash_rpmmd_signature(r);
        if (s)
                printf("signed %s\n", s->fingerprint);
        for (size_t i = 0; i < ASH_N(types); i++) {
                AshCompression c;
                const char *path = ash_rpmmd_file(r, types[i], &c);
                if (path)
                        printf("file %s %s %s\n", types[i], ash_compression_name(c), path);
        }
        for (size_t i = 0; list && i < ash_rpmmd_count(r); i++)
                printf("package %.*s %.*s\n", ASH_F(ash_rpmmd_at(r, i)->name), ASH_F(ash_rpmmd_at(r, i)->href));
}

static int fetch(AshRpmmdRepo *r, AshStore *store, const Words *names, AshDiags *diags) {
        const AshRpmmdPackage *packages[64];
        AshId ids[64];
        for (size_t i = 0; i < names->n; i++) {
                AshRpmmdFound found;
                int k = ash_rpmmd_find(r, ash_slice_str(names->items[i]), &found);
                if (k < 0)
                        return ash_fail(diags, k, ASH_NOWHERE, "no package %s", names->items[i]);
                packages[i] = found.package;
        }
        int k = names->n ? ash_rpmmd_fetch(r, store, packages, names->n, ids, NULL, diags) : 0;
        for (size_t i = 0; i < names->n && k >= 0; i++) {
                char hex[ASH_ID_HEX];
                ash_id_hex(&ids[i], hex);
                printf("fetched %s %s\n", names->items[i], hex);
        }
        return k;
}

int main(int argc, char **argv) {
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        _cleanup_(ash_store_free_p) AshStore *store = NULL;
        _cleanup_(ash_keyring_free_p) AshKeyring *keys = NULL;
        _cleanup_(ash_rpmmd_free_p) AshRpmmdRepo *repo = NULL;
        AshRpmmdSource source = { .name = "test", .fetch = { .retries = UINT_MAX, .stall_timeout_ms = 300, .retry_pause_ms = 1 } };
        Words base = {}, arches = {}, want = {}, names = {};
        AshId pin;
        bool list = false;

        if (argc == 5 && strcmp(argv[2], "parse") == 0)
                return report(diags, parse(argv[3], argv[4], diags));
        for (int i = 2; i < argc; i++) {
                const struct { const char *option; Words *many; const char **one; } rows[] = {
                        { "--base", &base, NULL }, { "--arch", &arches, NULL }, { "--want", &want, NULL }, { "--mirrorlist", NULL, &source.mirrorlist }, { "--metalink", NULL, &source.metalink },
                        { "--snapshot", NULL, &source.snapshot }, { "--releasever", NULL, &source.releasever }, { "--basearch", NULL, &source.arch },
                };
                size_t k = 0;
                while (k < ASH_N(rows) && strcmp(argv[i], rows[k].option) != 0)
                        k++;
                if (k < ASH_N(rows) && i + 1 < argc) {
                        i++;
                        if (rows[k].many)
                                rows[k].many->items[rows[k].many->n++] = argv[i];
                        else
                                *rows[k].one = argv[i];
                } else if (strcmp(argv[i], "--unsigned") == 0) {
                        source.allow_unsigned = true;
                } else if (strcmp(argv[i], "--file") == 0) {
                        source.allow_file = true;
                } else if (strcmp(argv[i], "--list") == 0) {
                        list = true;
                } else if (strcmp(argv[i], "--pin") == 0 && i + 1 < argc) {
                        if (ash_id_parse(ash_slice_str(argv[++i]), &pin) < 0)
                                return 2;
                        source.repomd_id = &pin;
                } else if (strcmp(argv[i], "--key") == 0 && i + 1 < argc) {
                        _bytes_ AshBytes key = {};
                        if (!keys && ash_keyring_new(&keys, diags) < 0)
                                return report(diags, -1);
                        if (ash_file_read(AT_FDCWD, argv[++i], 0, &key) < 0 || ash_keyring_add(keys, ash_bytes_slice(&key), argv[i], diags) < 0)
                                return report(diags, -1);
                } else {
                        names.items[names.n++] = argv[i];
                }
        }
        source.base_urls = base.items;
        source.arches = arches.n ? arches.items : NULL;
        source.keyring = keys;
        int r = ash_store_open(argv[1], &store, diags);
        if (r >= 0)
                r = ash_rpmmd_open(store, &source, want.items, NULL, &repo, diags);
        if (r >= 0)
                r = ash_rpmmd_load(repo, diags);
        if (r >= 0) {
                print_repo(repo, list);
                r = fetch(repo, store, &names, diags);
        }
        return report(diags, r);
}
