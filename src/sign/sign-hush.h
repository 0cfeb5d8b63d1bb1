/* Keeping librnp from writing to the terminal. Private to the module. */
#pragma once
#include "base.h"

/* librnp, as distributions build it, writes a line of its own to standard error for each signature that is wrong, and no switch of its turns that off (its log descriptor is for other messages; the
 * variable RNP_LOG_CONSOLE counts in release builds only). It writes through stdio, and Ashlar reports through its diagnostics, so for the length of a call stdio's standard error leads nowhere. The
 * descriptor 2 stays as it is. Counted, because keyrings are used from several threads. */
bool ash_sign_hush(void);
void ash_sign_unhush_p(bool *done);
#define _hushed_ _cleanup_(ash_sign_unhush_p) _unused_ bool hushed_here = ash_sign_hush()
