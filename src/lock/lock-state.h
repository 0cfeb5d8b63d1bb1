/* Between the parts of lock: tables of TOML, read with what is wrong told at its place, and made. */
#pragma once
#include "base.h"
#include "toml-edit.h"

typedef struct AshStateReader {
        AshArena *arena;             /* where texts go */
        AshDiags *diags;
        const char *hint;            /* how to mend a file that is wrong */
        int result;
} AshStateReader;
void ash_state_wrong(AshStateReader *r, AshSpan at, const char *what);
/* A missing value that is not required is ASH_NOSLICE. */
AshSlice ash_state_text(AshStateReader *r, const AshTomlValue *table, const char *key, bool required);
AshSlice ash_state_digest(AshStateReader *r, const AshTomlValue *table, const char *key, bool required); /* SHA-256 in hex */
uint64_t ash_state_number(AshStateReader *r, const AshTomlValue *table, const char *key);
AshSlice *ash_state_texts(AshStateReader *r, const AshTomlValue *table, const char *key, size_t *ret_n);
/* An array of tables; NULL: there is none. */
const AshTomlValue *ash_state_tables(AshStateReader *r, const AshTomlValue *root, const char *key);

/* ---- making ---- */
typedef struct AshStateTable {
        AshArena *arena;
        AshTomlMember members[16];
        size_t n;
} AshStateTable;
AshTomlValue *ash_state_put(AshArena *arena, AshTomlValue v);
AshTomlValue *ash_state_put_texts(AshArena *arena, const AshSlice *items, size_t n);
void ash_state_member(AshStateTable *t, const char *key, AshTomlValue *value);
void ash_state_member_text(AshStateTable *t, const char *key, AshSlice s); /* none when it is empty */
AshTomlValue *ash_state_table(AshStateTable *t, bool inline_table);
/* Writes a file of state whose text is "text"; the comments on top of one that is there stay, else head stands there. 1: it is another one now. */
int ash_state_write(const char *path, const char *head, AshSlice text, AshDiags *diags);
int ash_state_update(const char *path, AshSlice whole, AshDiags *diags); /* the same of a text with its comments */
