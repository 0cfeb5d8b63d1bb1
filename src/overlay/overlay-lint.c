#include "overlay-private.h"
