/* Makes Debian packages byte by byte, good and bad ones, for the tests of the reader and of the importer. */
#pragma once
#include "base.h"
#include "io.h"

typedef struct TarItem {
        const char *path;
        char type;         /* tar's: '0' file, '1' hard link, '2' symbolic link, '5' directory */
        const char *data;  /* contents or target */
        unsigned mode;
        const char *user;
} TarItem;

static inline void tar_finish_header(char *h) {
        unsigned sum = 0;
        memset(h + 148, ' ', 8);
        for (int i = 0; i < 512; i++)
                sum += (unsigned char) h[i];
        snprintf(h + 148, 8, "%06o", sum);
}

static inline void tar_add(AshStr *out, const TarItem *t) {
        char h[512] = {};
        size_t n = t->type == '0' && t->data ? strlen(t->data) : 0;
        snprintf(h, 100, "%s", t->path);
        snprintf(h + 100, 8, "%07o", (t->mode ? t->mode : t->type == '5' ? 0755 : 0644) & 07777u);
        snprintf(h + 108, 8, "%07o", 0);
        snprintf(h + 116, 8, "%07o", 0);
        snprintf(h + 124, 12, "%011o", (unsigned) n & 0x3fffffffu);
        snprintf(h + 136, 12, "%011o", 1700000000);
        h[156] = t->type;
        if (t->type == '1' || t->type == '2')
                snprintf(h + 157, 100, "%s", t->data);
        memcpy(h + 257, "ustar  ", 8);
        snprintf(h + 265, 32, "%s", t->user ? t->user : "root");
        snprintf(h + 297, 32, "%s", t->user ? t->user : "root");
        tar_finish_header(h);
        ash_str_append(out, ash_slice(h, sizeof(h)));
        if (n) {
                ash_str_append(out, ash_slice(t->data, n));
                ash_str_append_fill(out, '\0', ash_align_up(n, 512) - n);
        }
}
static inline void tar_end(AshStr *out) { ash_str_append_fill(out, '\0', 1024); }

static inline void ar_add(AshStr *out, const char *name, AshSlice data) {
        if (out->len == 0)
                ash_str_append_str(out, "!<arch>\n");
        ash_str_appendf(out, "%-16s%-12d%-6d%-6d%-8s%-10zu`\n", name, 0, 0, 0, "100644", data.len);
        ash_str_append(out, data);
        if (data.len & 1)
                ash_str_append_char(out, '\n');
}

/* A whole package. scripts: pairs of name and text, ended by NULL; may be NULL. */
static inline void deb_make(const char *control, const char *const *scripts, const TarItem *items, size_t n, AshCompression c, AshStr *out) {
        _str_ AshStr meta = {}, data = {}, packed = {}, packed_meta = {};
        tar_add(&meta, &(TarItem){ "./", '5' });
        tar_add(&meta, &(TarItem){ "./control", '0', control });
        for (; scripts && *scripts; scripts += 2)
                tar_add(&meta, &(TarItem){ scripts[0], '0', scripts[1], 0755 });
        tar_end(&meta);
        for (size_t i = 0; i < n; i++)
                tar_add(&data, &items[i]);
        tar_end(&data);
        if (ash_compress(ash_str_slice(&data), c, 0, &packed) < 0 || ash_compress(ash_str_slice(&meta), c, 0, &packed_meta) < 0)
                abort();
        const char *suffix = c == ASH_COMP_GZIP ? ".gz" : c == ASH_COMP_XZ ? ".xz" : c == ASH_COMP_ZSTD ? ".zst" : "";
        _free_ char *m = ash_asprintf("control.tar%s", suffix), *d = ash_asprintf("data.tar%s", suffix);
        ar_add(out, "debian-binary", ASH_S("2.0\n"));
        ar_add(out, m, ash_str_slice(&packed_meta));
        ar_add(out, d, ash_str_slice(&packed));
}
