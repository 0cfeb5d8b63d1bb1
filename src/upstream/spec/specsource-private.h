#pragma once
#include "specsource.h"

/* A package's name is put into paths and URIs: letters, digits and "._+-", and it starts with a letter or a digit. */
bool ash_package_name_ok(AshSlice name);
/* A plain file name: no slash, no control character, not "." or "..", at most 255 bytes, and no '-' at its start. */
bool ash_file_name_ok(AshSlice name);

/* The cache directory as an absolute path (malloc'ed), made when missing. */
int ash_spec_cache_dir(const AshSpecOptions *options, char **ret, AshDiags *diags);
/* CACHE/blobs/KIND/HE/HEX (malloc'ed); the directory is made. */
int ash_spec_blob_path(const AshSpecOptions *options, AshDigestKind kind, const char *hex, char **ret, AshDiags *diags);
/* Whether a file has this digest; a file that has not is a damaged cache entry. 1, 0, or a failure. */
int ash_spec_blob_check(const char *path, AshDigestKind kind, const char *hex);

/* Runs a custom origin's script and puts what it made at "to" (a path that does not exist yet). */
int ash_spec_script_run(const AshSourceItem *item, const AshSpecOptions *options, const char *work_parent, const char *to, AshDiags *diags);

/* ash_sources_fetch() for one item; of origin overlay it sets "path" to upstream's archive. */
int ash_sources_fetch_one(AshSources *sources, AshSourceItem *item, AshSlice package, const AshSpecDistro *distro, const AshSpecOptions *options, AshDiags *diags);
