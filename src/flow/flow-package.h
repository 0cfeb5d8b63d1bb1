/* An RPM's header as the solver's package. */
#pragma once
#include "model-package.h"
#include "rpm-read.h"

/* Everything but location, size and digest. Texts are the header's own, or in the arena. */
int ash_flow_package_of_rpm(const AshRpm *rpm, AshArena *arena, AshPackage *ret, AshDiags *diags);
