/* What a run of repo index or repo build leaves for the next one: damage gives an empty state, never a wrong read. The checksum on top is made right, so that what follows is read at all. */
#include "repo-metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t sum(AshSlice s) {
        size_t n = 0;
        for (size_t i = 0; i < s.len; i++)
                n += (unsigned char) s.ptr[i];
        return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AshSlice body = ash_slice((const char *) data, size), line;
        _str_ AshStr text = {};
        AshRepoState s = {};
        if (ash_slice_starts(body, ASH_S("ashlar-repo-state")))
                ash_slice_next_line(&body, &line);
        ash_str_appendf(&text, "ashlar-repo-state 3 %016llx\n", (unsigned long long) ash_checksum(body));
        ash_str_append(&text, body);
        size_t touched = 0;
        if (ash_repo_state_parse(ash_str_slice(&text), &s))
                ash_array_foreach(&s.entries, e)
                        touched += sum(e->key) + sum(e->location);
        ash_repo_state_done(&s);
        if (touched == SIZE_MAX) /* never: so that the sums are made */
                abort();
        return 0;
}
