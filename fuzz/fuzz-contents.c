/* Lists of files of an archive: whatever a table holds is found again. */
#include "apt-contents.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(ash_reader_free_p) AshReader *reader = ash_reader_new_memory(ash_slice((const char *) data, size));
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _str_ AshStr lines = {}, table = {};
        if (ash_apt_contents_scan(reader, ASH_S("x86_64-linux-gnu"), &lines) < 0)
                return 0;
        ash_apt_contents_sort(ash_str_slice(&lines), &table);
        AshSlice rest = ash_str_slice(&table), line, capability;
        while (ash_slice_next_line(&rest, &line)) {
                AshSlice *names;
                size_t n;
                if (!ash_slice_split(&line, '\t', &capability))
                        abort();
                ash_apt_contents_find(ash_str_slice(&table), capability, arena, &names, &n);
                bool found = false;
                for (size_t i = 0; i < n; i++)
                        found |= ash_slice_eq(names[i], line);
                if (!found)
                        abort();
        }
        return 0;
}
