/* The record of builds: what can be read can be written, and reads the same again. */
#include "built.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

static AshBuilt *read_built(AshSlice text) {
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("ashlar.built", text);
        AshBuilt *built = NULL;
        return ash_built_parse(source, &built, NULL) < 0 ? NULL : built;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(ash_built_free_p) AshBuilt *a = read_built(ash_slice((const char *) data, size)), *b = NULL;
        _str_ AshStr text = {}, again = {};
        if (!a)
                return 0;
        ash_built_format(a, &text);
        b = read_built(ash_str_slice(&text));
        must(b && a->components.n == b->components.n);
        ash_built_format(b, &again);
        must(ash_slice_eq(ash_str_slice(&text), ash_str_slice(&again)));
        return 0;
}
