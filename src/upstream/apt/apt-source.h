/* The source archive: which of its files may be the one with a certain digest. Sources indices (Debian's repository format, "Sources" indices) give SHA-256 and sizes; a digest of another kind is known only
 * when a candidate has been fetched. */
#pragma once
#include "io.h"

typedef struct AshAptSourceQuery {
        AshSlice package, filename;  /* what the component and the file are called where the digest comes from */
        AshDigestKind kind;
        const char *hex;
} AshAptSourceQuery;

typedef struct AshAptSourceFile {
        AshSlice package, directory, name; /* in the index's text */
        uint64_t size;
        uint8_t sha256[32];
        unsigned rank;               /* 0: the index itself says that it has the digest; then by how much its name says */
} AshAptSourceFile;

enum { ASH_APT_SOURCE_CANDIDATES = 12 };
/* The files to try, best first, no content twice; at most ASH_APT_SOURCE_CANDIDATES. Only a digest decides: names give the order. In the arena; slices are of the texts. -ASH_ERR_SYNTAX: a text is no index. */
int ash_apt_source_candidates(const AshSlice *texts, size_t n_texts, const AshAptSourceQuery *query, AshArena *arena, AshAptSourceFile **ret, size_t *ret_n, AshDiags *diags);
/* The bytes inside of an ASCII armor (RFC 4880, 6.2): archives keep signatures armored that were published without. 1, or 0 when it is none. */
int ash_apt_source_dearmor(AshSlice text, AshStr *ret);
