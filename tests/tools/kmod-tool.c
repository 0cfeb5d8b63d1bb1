/* Kernel modules from a test's hand: kmod-tool depmod DIR OUT [VERSION-OF-KMOD]   |   kmod-tool info FILE */
#include <ftw.h>
#include <stdio.h>
#include "kmod.h"

static ASH_ARRAY(AshKmodFile) files;
static size_t base_len;

static int visit(const char *path, const struct stat *st _unused_, int kind, struct FTW *where _unused_) {
        AshBytes b;
        if (kind == FTW_F && ash_kmod_is_file(ash_slice_str(path)) && ash_file_map(AT_FDCWD, path, &b) >= 0)
                ash_array_push(&files, ((AshKmodFile){ ash_slice_str(ash_strdup(path + base_len + 1)), ash_bytes_slice(&b) }));
        return 0;
}

static AshSlice text(const char *dir, const char *name) {
        _free_ char *path = ash_path_join(dir, name);
        AshBytes b;
        return ash_file_read(AT_FDCWD, path, 0, &b) < 0 ? ASH_NOSLICE : ash_bytes_slice(&b);
}
int main(int argc, char **argv) {
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        if (argc < 3)
                return 2;
        if (!strcmp(argv[1], "info")) {
                _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
                AshBytes b;
                AshKmod m;
                if (ash_file_map(AT_FDCWD, argv[2], &b) < 0 || ash_kmod_read(ash_bytes_slice(&b), arena, &m) < 0)
                        return 1;
                for (size_t i = 0; i < m.n_info; i++)
                        printf("%.*s=%.*s\n", ASH_F(m.info[i].key), ASH_F(m.info[i].value));
                return 0;
        }
        base_len = strlen(argv[2]);
        nftw(argv[2], visit, 16, 0);
        AshKmodDir dir = { .files = files.items, .n_files = files.n, .order = text(argv[2], "modules.order"), .builtin = text(argv[2], "modules.builtin"),
                           .builtin_modinfo = text(argv[2], "modules.builtin.modinfo"), .version = ash_path_base(ash_slice_str(argv[2])), .kmod = argc > 4 ? (unsigned) strtoul(argv[4], NULL, 10) : 0 };
        AshKmodOutputs out;
        if (ash_kmod_depmod(&dir, &out, diags) < 0)
                return 1;
        ash_array_foreach(&out.items, o) {
                _free_ char *path = ash_path_join(argv[3], o->name);
                if (ash_file_write_atomic(AT_FDCWD, path, ash_str_slice(&o->bytes), 0644, false) < 0)
                        return 1;
        }
        return 0;
}
