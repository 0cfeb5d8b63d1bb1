/* Lines of sysusers.d: what is taken has a name. */
#include "sysusers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("x.conf", ash_slice((const char *) data, size));
        AshSysusers users = {};
        ash_sysusers_parse(source, arena, &users, NULL);
        ash_array_foreach(&users.items, u) {
                uint32_t id;
                AshSlice group;
                if (!strchr("ugmr", u->type) || (u->type != 'r' && !u->name.len))
                        abort();
                (void) ash_sysuser_id(u->id, &id, &group);
        }
        ash_sysusers_done(&users);
        return 0;
}
