/* Lines of tmpfiles.d: what is taken has an absolute path without "..". */
#include "tmpfiles.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("x.conf", ash_slice((const char *) data, size));
        AshSlice specifiers[128] = { ['a'] = ASH_S("x86-64"), ['S'] = ASH_S("/var/lib"), ['o'] = ASH_S("") };
        AshTmpfiles lines = {};
        ash_tmpfiles_parse(source, specifiers, arena, &lines, NULL);
        ash_array_foreach(&lines.items, l) {
                if (!l->path.len || l->path.ptr[0] != '/' || ash_slice_find(l->path, ASH_S("/../")) >= 0 || l->mode > 07777)
                        abort();
                (void) ash_tmpfiles_unescape(l->argument, arena);
        }
        ash_tmpfiles_done(&lines);
        return 0;
}
