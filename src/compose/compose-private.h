/* Between the parts of compose. */
#pragma once
#include "compose-handler.h"

/* Fills in the digest of content in memory, where it is not known yet. */
void ash_compose_digest(const AshTree *t, AshNode n);
