/* Private: building tables and arrays of tables. */
#pragma once
#include "toml-private.h"

AshTomlDoc *toml_doc_new(void);
AshTomlMember *toml_table_find(const AshTomlValue *table, AshSlice key);
/* The key must not be there yet. */
AshTomlMember *toml_table_add(AshTomlDoc *doc, Node *table, AshSlice key, AshSpan key_at, AshTomlValue *value);
void toml_array_add(AshTomlDoc *doc, Node *array, AshTomlValue *value);
