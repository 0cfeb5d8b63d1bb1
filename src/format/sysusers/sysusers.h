/* sysusers.d(5): declarations of system users and groups. */
#pragma once
#include "base.h"

typedef struct AshSysuser {
        char type;               /* 'u', 'g', 'm' or 'r'; "u!" sets locked */
        bool locked;
        AshSlice name;           /* 'm': the user */
        AshSlice id;             /* as written: "-", "27", "27:group", "27:80", "/path", a range for 'r', the group for 'm'; empty: "-" */
        AshSlice comment, home, shell; /* empty: "-" */
        AshSpan at;
} AshSysuser;
typedef struct AshSysusers {
        ASH_ARRAY(AshSysuser) items;
} AshSysusers;

/* Appends the lines of one file; texts live in the arena. A line that is none is a warning and left out, as systemd does it. */
void ash_sysusers_parse(AshSource *source, AshArena *arena, AshSysusers *ret, AshDiags *diags);
void ash_sysusers_done(AshSysusers *s);
/* The number and the group part of an id ("27", "27:80", "27:audio"); false for what is no number. ret_group: empty when there is none. */
bool ash_sysuser_id(AshSlice id, uint32_t *ret_id, AshSlice *ret_group);
