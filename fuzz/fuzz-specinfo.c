/* Specs for the plain reader, and what it says for the reader of that: packages have names, relations have them, too. */
#include "specinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _str_ AshStr out = {};
        AshSpecFileOf file = { .name = "x.spec", .mode = 0644, .data = ash_slice((const char *) data, size) };
        AshSpecInfoInput in = { .files = &file, .n_files = 1, .spec = "x.spec", .arch = ASH_S("x86_64") };
        AshSpecInfo info;
        ash_specinfo_plain(&in, &out, NULL);
        ash_specinfo_read(ash_str_slice(&out), arena, &info);
        ash_specinfo_read(file.data, arena, &info); /* caches are checked, but not trusted */
        for (size_t i = 0; i < info.needs.n; i++)
                if (!info.needs.items[i].name.len)
                        abort();
        return 0;
}
