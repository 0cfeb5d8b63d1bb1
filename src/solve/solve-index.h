/* The layout of an index (solve.h), shared by who writes it and who reads parts of it. All sections are arrays in the order of AshIndexSection, each at a multiple of eight bytes. */
#pragma once
#include "solve-internal.h"

#define ASH_INDEX_MAGIC "ASHIDX2"

typedef enum AshIndexSection {
        ASH_INDEX_REPOS,        /* AshIndexRepo */
        ASH_INDEX_PACKAGES,     /* AshIndexRow, in the order of the universe: the solver's ties are broken by it */
        ASH_INDEX_STRINGS,      /* uint32_t: string id -> its place in the texts. Ids below ID_NUM_INTERNAL are libsolv's own, the same everywhere */
        ASH_INDEX_RELS,         /* AshIndexRel: what an id with the highest bit stands for */
        ASH_INDEX_IDS,          /* uint32_t: dependencies, each list ended by 0, with libsolv's markers among them */
        ASH_INDEX_PROVIDERS_AT, /* uint32_t, one more than strings: where in the next one the packages that provide a name begin, whatever the version */
        ASH_INDEX_PROVIDERS,    /* uint32_t: rows */
        ASH_INDEX_BY_NAME,      /* uint32_t: rows by name, then by place */
        ASH_INDEX_PROVIDED,     /* uint32_t: string ids that something provides, by their bytes */
        ASH_INDEX_SUPPLEMENTERS, /* uint32_t: rows of packages that bring themselves in */
        ASH_INDEX_TEXTS,        /* char, each text ended by a NUL */
        ASH_INDEX_MAX_
} AshIndexSection;

typedef struct AshIndexHead {
        char magic[8];
        uint64_t size;
        struct { uint64_t at, n; } sections[ASH_INDEX_MAX_];
} AshIndexHead;

typedef struct AshIndexRepo {
        uint32_t name;          /* in the texts */
        int32_t priority;
} AshIndexRepo;

typedef struct AshIndexRel {
        uint32_t name, evr;     /* ids */
        uint32_t flags;         /* REL_* */
} AshIndexRel;

typedef struct AshIndexRow {
        uint64_t size, installed_size, build_time;
        uint32_t name, evr, arch, vendor; /* string ids */
        uint32_t repo;          /* index */
        uint32_t location;      /* in the texts */
        uint32_t deps[ASH_DEP_MAX_]; /* in the ids; 0: none */
        uint8_t sha256[32];
        uint32_t has_sha256, unused;
} AshIndexRow;

struct AshIndex {
        const AshIndexHead *head;
        const AshIndexRepo *repos;
        const AshIndexRow *rows;
        const uint32_t *strings, *ids, *providers_at, *providers, *by_name, *provided, *supplementers;
        const AshIndexRel *rels;
        const char *texts;
        uint32_t n_repos, n_rows, n_strings, n_ids, n_rels, n_providers, n_provided, n_supplementers;
        size_t n_texts;
};

static inline const char *ash_index_str(const AshIndex *x, uint32_t id) { return x->texts + x->strings[id]; }
static inline const char *ash_index_name_at(const AshIndex *x, uint32_t i) { return ash_index_str(x, x->rows[x->by_name[i]].name); }
/* The id of a provided name; 0: nothing provides it. */
uint32_t ash_index_find_provided(const AshIndex *x, AshSlice name);
/* Where in by_name the packages called so begin, and how many they are. */
uint32_t ash_index_named(const AshIndex *x, AshSlice name, uint32_t *ret_n);
