#include <pthread.h>
#include <stdio.h>
#include "sign-hush.h"

static pthread_mutex_t hush_mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned hushed;
static FILE *hush_before, *hush_nowhere;

bool ash_sign_hush(void) {
        pthread_mutex_lock(&hush_mutex);
        if (!hush_nowhere)
                hush_nowhere = fopen("/dev/null", "we");
        bool done = hush_nowhere != NULL;
        if (done && hushed++ == 0) {
                hush_before = stderr;
                stderr = hush_nowhere;
        }
        pthread_mutex_unlock(&hush_mutex);
        return done;
}

void ash_sign_unhush_p(bool *done) {
        if (!*done)
                return;
        pthread_mutex_lock(&hush_mutex);
        if (--hushed == 0)
                stderr = hush_before;
        pthread_mutex_unlock(&hush_mutex);
}
