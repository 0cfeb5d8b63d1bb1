/* Packages beside an index: who provides what of them, and what each may bring in. Private to solve. */
#pragma once
#include "solve-internal.h"

/* Of each of some things, numbers: those of i are items[at[i]] up to items[at[i + 1]]. */
typedef struct AshLists {
        uint32_t *at, *items;
} AshLists;
#define ash_lists_foreach(lists, i, it) for (const uint32_t *it = (lists)->items + (lists)->at[i], *_end_##it = (lists)->items + (lists)->at[(i) + 1]; it < _end_##it; it++)

enum {
        ASH_OWN_BEYOND = 1,     /* something of it only the whole universe can follow: a conflict with a condition, parentheses without end */
        ASH_OWN_BRINGS = 2,     /* it supplements or enhances others ... */
        ASH_OWN_ALWAYS = 4,     /* ... on a condition: it may come in with anything */
};

struct AshOwn {
        const AshPackage *packages;
        size_t n;
        AshArena *arena;
        AshMap names;           /* everything that follows speaks of -> 1 + its number */
        AshLists providers;     /* of each name: packages that are called so, provide it, or have that file */
        AshLists needs;         /* of each package: names of what it requires, recommends, suggests */
        AshLists supplements;   /* of each package: names of what it supplements or enhances */
        AshLists provides;      /* of each package: names */
        uint8_t *flags;         /* of each package */
        AshSlice *texts;        /* of each name */
        size_t n_names;
};

/* The number of a name; UINT32_MAX: nothing of these packages speaks of it. */
uint32_t ash_own_name(const AshOwn *own, AshSlice name);

/* Every name that a dependency speaks of; false: nested deeper than anyone writes. scratch: where libsolv takes rich ones apart. conditional (may be NULL) becomes true where it has an "if" or "unless". */
typedef void (*AshNameFn)(void *context, AshSlice name);
bool ash_dep_names(AshUniverse *scratch, const AshDep *dep, AshNameFn fn, void *context, bool *conditional);
