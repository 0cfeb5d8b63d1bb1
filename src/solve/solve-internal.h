/* Shared by the files of this module only. */
#pragma once
#include <solv/pool.h>
#include <solv/repo.h>
#include <solv/repodata.h>
#include <solv/solver.h>
#include "solve.h"

struct AshUniverse {
        Pool *pool;
        Repo *repo;         /* the one being filled */
        Repodata *data;     /* its attributes */
        bool prepared;      /* file provides and the whatprovides index are up to date */
        const AshIndex *index; /* a part of this one: what the solver does not look at stays there, or NULL */
        uint32_t *rows;     /* solvable id -> row in the index */
        uint32_t n_rows;    /* ids from here on are not of the index */
};

/* The row of a package in the index, as far as the solver's own data do not have it; arena may keep borrowed slices only as long as the index lives, so they are copied. */
void ash_index_package(const AshUniverse *u, Id id, AshPackage *p, AshArena *arena);
/* What libsolv keeps of where a package is. */
AshSlice ash_universe_location(Solvable *s, AshArena *arena);

void ash_universe_prepare(AshUniverse *u);
void ash_universe_prepare_paths(AshUniverse *u); /* and who has the paths that may be required without being named in advance, whether or not something here requires them */
Id ash_universe_dep_id(AshUniverse *u, const AshDep *dep);
bool ash_universe_can_be_met(Pool *pool, Id dep);
AshSlice ash_universe_str(AshUniverse *u, Id id);

/* Adds a diagnostic for each problem of a failed solve. jobs holds pairs; job_request[i] is the request behind pair i. */
typedef struct AshSolveProblems {
        AshUniverse *u;
        Solver *solver;
        const AshRequest *requests;
        const Queue *jobs;
        const uint32_t *job_request;
        AshDiags *diags;
} AshSolveProblems;
void ash_solve_explain(const AshSolveProblems *p);
/* Adds "near" hints for something that nothing provides. */
void ash_solve_hint_near(AshUniverse *u, AshSlice what, AshDiags *diags);
