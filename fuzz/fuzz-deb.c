/* deb822, relations, versions and binary packages: the first byte of a sample says which. */
#include "deb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_control(AshSlice text) {
        AshDeb822 in = ash_deb822(text);
        AshDebField f;
        while (ash_deb822_next(&in, &f) > 0) {
                AshDebAtom a;
                AshSlice rest = f.value;
                while (ash_deb_relation_next(&rest, &a) == 1) {
                        AshDebVersion v, w;
                        if (ash_deb_version_parse(a.version, &v) == 0 && ash_deb_version_parse(a.name, &w) == 0 &&
                            ash_deb_version_cmp(&v, &w) != -ash_deb_version_cmp(&w, &v))
                                abort();
                }
                _str_ AshStr out = {};
                ash_deb822_unfold(f.value, &out);
        }
        ash_deb_clearsigned_text(text);
}

static void fuzz_tar(AshSlice bytes) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshDebTar tar = { .bytes = bytes, .arena = arena, .max_entries = 1000 };
        ash_deb_tar_parse(&tar);
        ash_array_foreach(&tar.entries, e)
                if (e->path.len > 0 && !ash_path_is_confined(e->path))
                        abort();
        ash_array_done(&tar.entries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        if (size == 0)
                return 0;
        AshSlice rest = ash_slice((const char *) data + 1, size - 1);
        if (data[0] == 'c')
                fuzz_control(rest);
        else if (data[0] == 't')
                fuzz_tar(rest);
        else {
                _cleanup_(ash_deb_free_p) AshDeb *d = NULL;
                if (ash_deb_read(rest, "x.deb", &(AshDebLimits){ .unpacked = 1 << 20, .control = 1 << 20, .entries = 1000 }, &d, NULL) == 0)
                        for (size_t i = 0; i < d->n; i++)
                                if (d->entries[i].path.len > 0 && !ash_path_is_confined(d->entries[i].path))
                                        abort();
        }
        return 0;
}
