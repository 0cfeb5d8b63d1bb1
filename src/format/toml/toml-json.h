/* A TOML document as JSON. */
#pragma once
#include "json.h"
#include "toml.h"

/* The encoding of toml-test (github.com/toml-lang/toml-test, "JSON encoding"): each scalar is {"type": ..., "value": TEXT}; tables and arrays are objects and arrays.
 * key: as in json.h. */
void ash_toml_tagged(const AshTomlValue *value, AshJson *j, const char *key);
/* Plain JSON: dates and times become strings, inf and nan null. */
void ash_toml_plain(const AshTomlValue *value, AshJson *j, const char *key);
