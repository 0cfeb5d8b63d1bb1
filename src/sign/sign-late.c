#include <pthread.h>
#include "io-late.h"
#include "sign-late.h"

AshRnp ash_rnp;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool loaded;

int ash_rnp_load(AshDiags *diags) {
        static const char *const sonames[] = { "librnp.so.0" };
        static const char *const names[] = {
#define X(f) "rnp_" #f,
                ASH_RNP_FUNCTIONS(X)
#undef X
        };
        _Static_assert(sizeof ash_rnp == sizeof names, "a pointer for each name");
        pthread_mutex_lock(&mutex);
        int r = loaded ? 0 : ash_late_load(sonames, ASH_N(sonames), names, ASH_N(names), (void **) &ash_rnp, diags);
        loaded = r >= 0;
        pthread_mutex_unlock(&mutex);
        return r;
}
