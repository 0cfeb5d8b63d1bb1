/* The store from a test's hand: store-tool STORE put FILE... | expand FILE... | dump ID | cache-put KIND KEY TEXT | cache-get KIND KEY | root LOCK | hold SECONDS | gc AGE | verify */
#include <stdio.h>
#include "store.h"

static int report(AshDiags *diags, int r) {
        for (size_t i = 0; i < ash_diags_n(diags); i++) {
                _str_ AshStr s = {};
                ash_diag_format(ash_diags_at(diags, i), false, &s);
                fputs(s.ptr, stderr);
        }
        return r < 0 ? 1 : 0;
}

static int put(AshStore *s, char **files, size_t n, AshId *ids, AshDiags *diags) {
        for (size_t i = 0; i < n; i++) {
                int r = ash_id_parse(ash_slice_str(files[i]), &ids[i]);
                if (r < 0)
                        r = ash_store_put_file(s, AT_FDCWD, files[i], NULL, &ids[i], diags);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int expand(AshStore *s, const AshId *ids, size_t n, AshDiags *diags) {
        _free_ AshPack **packs = ash_calloc(n + 1, sizeof(*packs));
        uint64_t start = ash_now_ns(), cpu = ash_cpu_ns(), files = 0, bytes = 0;
        int r = ash_store_expand_all(s, ids, n, 0, packs, NULL, diags);
        for (size_t i = 0; i < n; i++) {
                for (size_t k = 0; packs[i] && k < ash_pack_count(packs[i]); k++) {
                        AshPackEntry e;
                        ash_pack_entry(packs[i], k, &e);
                        files++;
                        bytes += e.hardlink == k && e.offset ? e.length : 0;
                }
                ash_pack_free(packs[i]);
        }
        printf("expanded %zu packages, %llu files, %llu bytes, wall %.3f s, cpu %.3f s\n", n, (unsigned long long) files, (unsigned long long) bytes,
               (double) (ash_now_ns() - start) / 1e9, (double) (ash_cpu_ns() - cpu) / 1e9);
        return r;
}

static int dump(AshStore *s, const AshId *id, AshDiags *diags) {
        _cleanup_(ash_pack_free_p) AshPack *p = NULL;
        int r = ash_store_expand(s, id, &p, diags);
        if (r < 0)
                return r;
        printf("%.*s\n", ASH_F(ash_pack_nevra(p)));
        for (size_t i = 0; i < ash_pack_count(p); i++) {
                AshPackEntry e;
                char hex[ASH_ID_HEX] = "-", real[ASH_ID_HEX] = "-";
                size_t found = 0;
                ash_pack_entry(p, i, &e);
                if (e.sha256) {
                        AshId got = ash_id_of(ash_pack_bytes(p, i));
                        ash_id_hex(&got, real);
                        ash_hex(e.sha256, 32, hex);
                }
                if (!ash_pack_find(p, e.path, &found) || found != i)
                        return -EIO;
                printf("%.*s %o %.*s %.*s %u %u %u %llu %llu %s %s %u [%.*s] [%.*s]\n", ASH_F(e.path), e.mode, ASH_F(e.user), ASH_F(e.group), e.flags, e.mtime, e.rdev,
                       (unsigned long long) e.offset, (unsigned long long) e.length, hex, strcmp(hex, real) == 0 ? "same" : "DIFFERENT", e.hardlink, ASH_F(e.link), ASH_F(e.caps));
        }
        return 0;
}

static int care(AshStore *s, const char *verb, const char *age, AshDiags *diags) {
        AshStoreCare c = {};
        uint64_t seconds = 0;
        if (age)
                ash_slice_to_u64(ash_slice_str(age), 10, &seconds);
        int r = strcmp(verb, "gc") == 0 ? ash_store_gc(s, &(AshStoreGc){ .max_age_s = seconds, .buildroots = UINT64_MAX }, &c, diags) : ash_store_verify(s, NULL, &c, diags);
        if (r >= 0)
                printf("checked %llu removed %llu damaged %llu\n", (unsigned long long) c.checked, (unsigned long long) c.removed, (unsigned long long) c.damaged);
        return r;
}

static int cache(AshStore *s, int argc, char **argv) {
        AshId key = ash_id_of(ash_slice_str(argv[4]));
        _bytes_ AshBytes b = {};
        if (argc > 5)
                return ash_store_cache_put(s, argv[3], &key, ash_slice_str(argv[5]));
        int r = ash_store_cache_get(s, argv[3], &key, &b);
        if (r >= 0)
                printf("%s\n", b.ptr);
        return r;
}

int main(int argc, char **argv) {
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        _cleanup_(ash_store_free_p) AshStore *s = NULL;
        if (argc < 3)
                return 2;
        const char *verb = argv[2];
        size_t n = (size_t) argc - 3;
        _free_ AshId *ids = ash_calloc(n + 1, sizeof(*ids));
        int r = ash_store_open(argv[1], &s, diags);
        if (r >= 0 && (strcmp(verb, "put") == 0 || strcmp(verb, "expand") == 0 || strcmp(verb, "dump") == 0))
                r = put(s, argv + 3, n, ids, diags);
        if (r < 0)
                return report(diags, r);
        char hex[ASH_ID_HEX];
        if (strcmp(verb, "put") == 0)
                for (size_t i = 0; i < n; i++) {
                        ash_id_hex(&ids[i], hex);
                        puts(hex);
                }
        else if (strcmp(verb, "expand") == 0)
                r = expand(s, ids, n, diags);
        else if (strcmp(verb, "dump") == 0)
                r = dump(s, &ids[0], diags);
        else if (strcmp(verb, "root") == 0)
                r = ash_store_root_add(s, argv[3], diags);
        else if (strcmp(verb, "cache") == 0)
                r = cache(s, argc, argv);
        else if (strcmp(verb, "hold") == 0) {
                puts("held");
                fflush(stdout);
                r = getchar() == EOF ? 0 : 0; /* until standard input ends */
        } else
                r = care(s, verb, n ? argv[3] : NULL, diags);
        return report(diags, r);
}
