/* The parts of the noun repo that stand in files of their own. */
#pragma once
#include "cli.h"

int ash_verb_repo_verify(AshCli *cli);
int ash_verb_repo_query(AshCli *cli);
int ash_verb_repo_closure(AshCli *cli);
int ash_verb_repo_diff(AshCli *cli);
