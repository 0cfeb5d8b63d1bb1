/* Forms that texts of the configuration must have: commit ids, URLs, modes, sizes ... */
#pragma once
#include "config-schema.h"

extern const AshForm ash_form_commit, ash_form_git_ref, ash_form_hash, ash_form_url, ash_form_repo_url, ash_form_upstream_url, ash_form_subpath, ash_form_git_uri, ash_form_lookaside_uri, ash_form_source_uri,
        ash_form_repo_name, ash_form_channel, ash_form_mode, ash_form_user, ash_form_owner, ash_form_absolute, ash_form_basename, ash_form_size, ash_form_bytes, ash_form_date, ash_form_date_time,
        ash_form_hostname, ash_form_password, ash_form_line, ash_form_filled, ash_form_macro_file, ash_form_glob, ash_form_plain_uri, ash_form_port, ash_form_image_name, ash_form_tag,
        ash_form_variable, ash_form_directory, ash_form_run_user, ash_form_signal, ash_form_time_zone, ash_form_field, ash_form_field_path, ash_form_unit;
