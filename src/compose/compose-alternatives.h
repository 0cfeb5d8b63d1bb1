/* Scripts that do nothing but register alternatives. */
#pragma once
#include "base.h"

/* A shell script whose commands are all calls of alternatives(8) or update-alternatives(1) with --install and literal words: what they say, in the words of alternatives.d ("install ...", "slave ..."), behind
 * what is in *out. false, and nothing added, for everything else: a variable, a quote, a condition, another command or option. program and flags: of the scriptlet. */
bool ash_alternatives_script(const AshSlice *program, size_t n_program, uint32_t flags, AshSlice body, AshStr *out);
