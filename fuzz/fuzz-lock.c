/* The lock: what can be read can be written, and reads the same again. */
#include "lock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

static AshLock *read_lock(AshSlice text) {
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("ashlar.lock", text);
        AshLock *lock = NULL;
        return ash_lock_parse(source, &lock, NULL) < 0 ? NULL : lock;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(ash_lock_free_all_p) AshLock *a = read_lock(ash_slice((const char *) data, size)), *b = NULL;
        _str_ AshStr text = {}, again = {}, changes = {};
        if (!a)
                return 0;
        ash_lock_format(a, &text);
        b = read_lock(ash_str_slice(&text));
        must(b != NULL);
        must(ash_lock_changes(a, b, &changes) == 0);
        ash_lock_format(b, &again);
        must(ash_slice_eq(ash_str_slice(&text), ash_str_slice(&again)));
        return 0;
}
