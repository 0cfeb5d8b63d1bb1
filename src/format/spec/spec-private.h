#pragma once
#include "spec.h"

/* Fills package, full_name, file and program from the words behind a header's name. */
void ash_spec_header_words(AshSlice rest, AshSpecSection *section);
