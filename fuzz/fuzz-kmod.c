/* A kernel module, alone and as one of a directory. */
#include "kmod.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshSlice bytes = ash_slice((const char *) data, size);
        AshKmod m;
        AshKmodFile file = { ASH_S("kernel/x.ko"), bytes };
        AshKmodDir dir = { .files = &file, .n_files = 1, .order = bytes, .builtin = bytes, .builtin_modinfo = bytes, .configs = &bytes, .n_configs = 1, .version = ASH_S("6.1"), .kmod = 34 };
        AshKmodOutputs out;
        (void) ash_kmod_read(bytes, arena, &m);
        if (ash_kmod_depmod(&dir, &out, NULL) >= 0)
                ash_kmod_outputs_done(&out);
        return 0;
}
