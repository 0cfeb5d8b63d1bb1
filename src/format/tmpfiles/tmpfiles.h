/* tmpfiles.d(5): what systemd-tmpfiles makes, writes and adjusts. */
#pragma once
#include "base.h"

typedef struct AshTmpfile {
        char type;                   /* "dDevqQfwpLcbCxXrRzZtThHaA"; the old 'F' and 'm' come as 'f' with force and as 'z' */
        bool force;                  /* '+': make anew, append */
        bool boot;                   /* '!': only while booting */
        bool replace;                /* '=': what is of another type goes */
        bool credential;             /* '^': the argument is the name of a credential */
        bool if_target;              /* '?': a link only when its target is there */
        AshSlice path;               /* absolute, normalized, specifiers replaced */
        AshSlice user, group;        /* empty: as it is */
        bool user_new, group_new;    /* ':': only for what is made */
        uint32_t mode;
        bool has_mode, mode_new, mode_masked; /* ':' and '~' of the mode */
        AshSlice argument;           /* specifiers replaced, base64 decoded ('~'); ptr NULL: none */
        AshSpan at;
} AshTmpfile;
typedef struct AshTmpfiles {
        ASH_ARRAY(AshTmpfile) items;
} AshTmpfiles;

/* Appends the lines of one file; texts live in the arena. specifiers: 128 texts by letter; a line with one whose ptr is NULL is left out silently when tmpfiles.d knows the letter (it is
 * for a host: %m, %b ...). A line that is none is a warning and left out, as systemd does it. */
void ash_tmpfiles_parse(AshSource *source, const AshSlice *specifiers, AshArena *arena, AshTmpfiles *ret, AshDiags *diags);
void ash_tmpfiles_done(AshTmpfiles *t);
/* Takes the next word off *rest, without its quotes, C escapes replaced; false at the end, and for an open quote or a bad escape (*ret_bad). */
bool ash_tmpfiles_word(AshSlice *rest, AshArena *arena, AshSlice *ret, bool *ret_bad);
/* C escapes of an argument replaced; ptr NULL: a bad one. */
AshSlice ash_tmpfiles_unescape(AshSlice text, AshArena *arena);
/* The mode of ':' and '~': bits that no bit of the old mode stands for go. */
uint32_t ash_tmpfiles_mask(uint32_t wanted, uint32_t old_mode, bool directory);
