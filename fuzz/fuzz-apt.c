/* Packages files of an apt archive: whatever is taken has relations that can be written, and what is kept of it is read again as the same. */
#include "apt.h"

static void look(const AshApt *a) {
        for (size_t i = 0; i < ash_apt_count(a); i++) {
                AshAptPackage p;
                _str_ AshStr text = {};
                ash_apt_package(a, i, &p);
                if (!p.name.len || ash_slice_find_char(p.name, '/') >= 0 || ash_slice_find(p.filename, ASH_S("../")) >= 0)
                        abort();
                for (int kind = 0; kind < ASH_DEP_MAX_; kind++)
                        for (size_t k = 0; k < ash_apt_deps_n(a, i, kind); k++) {
                                AshDep d = ash_apt_dep(a, i, kind, k);
                                ash_dep_format(&d, &text);
                        }
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(ash_apt_tables_free_p) AshAptTables *tables = NULL;
        _cleanup_(ash_apt_free_p) AshApt *built = NULL, *loaded = NULL;
        AshSlice text = ash_slice((const char *) data, size);
        if (ash_apt_tables_load(NULL, NULL, &tables, NULL) < 0 || ash_apt_build(&text, 1, ASH_S("amd64"), tables, "fuzz", &built, NULL) < 0)
                return 0;
        look(built);
        AshSlice blob = ash_apt_blob(built);
        AshBytes copy = { .ptr = ash_malloc(blob.len + 1), .len = blob.len };
        memcpy(copy.ptr, blob.ptr, blob.len);
        if (ash_apt_load(&copy, &loaded) < 0 || ash_apt_count(loaded) != ash_apt_count(built))
                abort();
        look(loaded);
        return 0;
}
