/* Every handler, in the order in which they run (docs/handlers.md). */
#pragma once
#include "compose-handler.h"

extern const AshHandler ash_handlers[]; /* ended by a row without a name */
const AshHandler *ash_handler_find(AshSlice name); /* NULL: there is none of that name */
