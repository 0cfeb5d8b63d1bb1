#include "kiwi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(const AshKiwiElement *e) {
        size_t n = 1;
        for (size_t i = 0; i < e->n_children; i++)
                n += count(e->children[i]);
        return n + (ash_kiwi_attribute(e, "name").len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshKiwiElement *root = NULL;
        if (ash_kiwi_read(ash_slice((const char *) data, size), "x.kiwi", arena, &root, NULL) >= 0 && !count(root))
                abort();
        return 0;
}
