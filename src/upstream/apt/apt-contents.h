/* What packages would provide once they are imported, told from the archive's lists of files ("Contents", wiki.debian.org "RepositoryFormat"): only an import generates these names, and no index has them.
 * A table is text, a line "CAPABILITY TAB PACKAGE" each, sorted by bytes, each line once. */
#pragma once
#include "io.h"

#define ASH_APT_CONTENTS_VERSION 4 /* part of the key of a kept table */

/* Appends lines, unsorted, of one list of files. lib: the directory of the architecture's libraries ("x86_64-linux-gnu"). Negative: the reader's error. */
int ash_apt_contents_scan(AshReader *contents, AshSlice lib, AshStr *out);
/* Sorts the lines and drops those that are there already. */
void ash_apt_contents_sort(AshSlice lines, AshStr *out);
/* Packages that have the capability, sorted, in the arena; *ret_n 0: none. Names that differ in spelling only are found: /bin/x as /usr/bin/x, python3.13dist(x) as python3dist(x). */
void ash_apt_contents_find(AshSlice table, AshSlice capability, AshArena *arena, AshSlice **ret, size_t *ret_n);
/* The package whose .pc file is called as a development package elsewhere is: "libXrender" is xrender.pc's, "gdk-pixbuf2" gdk-pixbuf-2.0.pc's. Capitals, marks, a leading "lib" and the rest of a version do not count.
 * In the arena; empty: none, or more than one. */
AshSlice ash_apt_contents_development(AshSlice table, AshSlice name, AshArena *arena);
