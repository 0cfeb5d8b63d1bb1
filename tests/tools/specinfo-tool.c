/* What the plain reader says of a spec: specinfo-tool SPEC [ARCH]. */
#include <stdio.h>
#include <string.h>
#include "specinfo.h"

int main(int argc, char **argv) {
        _bytes_ AshBytes bytes = {};
        _str_ AshStr out = {};
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        if (argc < 2 || ash_file_read(AT_FDCWD, argv[1], 16 << 20, &bytes) < 0)
                return 2;
        AshSlice name = ash_path_base(ash_slice_str(argv[1]));
        AshSpecFileOf file = { .name = name.ptr, .mode = 0644, .data = ash_bytes_slice(&bytes) };
        AshSpecInfoInput in = { .files = &file, .n_files = 1, .spec = file.name, .arch = ash_slice_str(argc > 2 ? argv[2] : "x86_64") };
        if (ash_specinfo_plain(&in, &out, diags) < 0) {
                for (size_t i = 0; i < ash_diags_n(diags); i++)
                        fprintf(stderr, "%s\n", ash_diags_at(diags, i)->text);
                return 1;
        }
        fwrite(out.ptr ? out.ptr : "", 1, out.len, stdout);
        return 0;
}
