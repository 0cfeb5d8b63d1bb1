#include <stdio.h>
#include "base.h"

int main(void) {
        puts("ashlar " ASHLAR_VERSION);
        return 0;
}
