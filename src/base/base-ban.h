/* What we never want, with what to use instead. Included last by base.h; a file that must use one (a test of it) undefines it. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat sprintf vsprintf strtok /* AshStr, snprintf, ash_slice_split */
#pragma GCC poison atoi atol atof                        /* ash_slice_to_u64 */
#pragma GCC poison system popen                          /* ash_process_run */
#pragma GCC poison gmtime localtime ctime asctime        /* gmtime_r; nothing depends on a time zone */
#pragma GCC poison tmpnam mktemp tempnam                 /* ash_atomic_open, ash_tempdir_new */
