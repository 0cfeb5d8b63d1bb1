/* What librpm decides and runs at installation: the order of packages, Lua scriptlets. */
#pragma once
#include "io.h"

/* The order in which rpm installs packages: by their requirements (pre- and post-scriptlets' first), ties as they stand here. headers are main header blobs, as an rpmdb stores them; ret_order has
 * n places and gets indices. Not thread-safe. -ASH_ERR_SYNTAX for a blob that librpm does not take. */
int ash_rpm_order(const AshSlice *headers, size_t n, uint32_t *ret_order, AshDiags *diags);

/* Writes a scriptlet's body to stdout as rpm would run it: macros (expand) by the macro files of the root that this process has, then a query format (format) over the package's header. For a process
 * of its own. Exit status. */
int ash_rpm_expand_body(const char *body_path, bool expand, bool format, AshSlice header);

/* Runs a Lua scriptlet as rpm does (rpm.org: "Lua in RPM"), in this process and in the root that it has: args become arg[2], arg[3]. What it prints goes to stdout, errors to stderr; rpm.next_file()
 * gives the lines of stdin. Exit status: 0, or 1 when it failed. For a process of its own: it may leave anything behind. */
int ash_rpm_run_lua(const char *body_path, const char *name, const int *args, size_t n_args);
