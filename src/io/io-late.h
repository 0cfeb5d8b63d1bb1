/* Outside libraries that few runs of the program need, loaded when one does: linking OpenPGP and HTTP, with all that they bring along, took more than half of the time to start. */
#pragma once
#include "base.h"

/* Fills ret with the functions called names[], from the first of sonames[] that there is; n of them. It stays loaded. -ENOENT with a diagnostic. */
int ash_late_load(const char *const *sonames, size_t n_sonames, const char *const *names, size_t n, void **ret, AshDiags *diags);
