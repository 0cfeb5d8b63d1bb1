/* Between the parts of compose. */
#pragma once
#include "compose.h"

/* What packages declare and do not carry; and the colours of ELF files. For the time of composing. */
typedef struct AshGhost {
        AshPackEntry entry;
        const AshComposePackage *package;
} AshGhost;
typedef struct AshGhosts {
        ASH_ARRAY(AshGhost) items;
        ASH_ARRAY(uint8_t) colors;   /* by node; what lies behind the end has none */
} AshGhosts;
void ash_ghosts_add(AshGhosts *g, const AshPackEntry *e, const AshComposePackage *p);
uint32_t ash_ghosts_color(const AshGhosts *g, AshNode n);
void ash_ghosts_set_color(AshGhosts *g, AshNode n, uint32_t color);
void ash_ghosts_done(AshGhosts *g);

int ash_compose_packages(const AshComposeInput *in, AshTree *t, AshGhosts *ghosts, AshDiags *diags);
int ash_compose_definition(const AshComposeInput *in, AshTree *t, AshDiags *diags);
/* Attributes of ghosts that a handler made, numbers of owners, times, digests. */
int ash_compose_finish(const AshComposeInput *in, AshTree *t, const AshGhosts *ghosts, AshDiags *diags);
