#pragma once
#include "upstream-rpmmd.h"

typedef struct AshRpmmdFile {
        const AshRpmmdData *data;
        const char *wanted;          /* the type that was asked for: "group" may be served by "group_gz" */
        AshId id;                    /* in the store */
        const char *path;            /* absolute */
        AshCompression compression;
} AshRpmmdFile;

struct AshRpmmdRepo {
        AshArena *arena;
        AshStore *store;
        AshRpmmdSource source;       /* what it points at is the caller's, and lives as long */
        ASH_ARRAY(const char *) mirrors; /* base URLs, ending in '/' */
        size_t first_mirror;         /* the one that served repomd.xml */
        AshMetalink metalink;
        bool has_metalink, is_signed;
        AshSigResult signature;
        AshId repomd_id;
        const char *repomd_path;
        AshRepomd md;
        ASH_ARRAY(AshRpmmdFile) files;
        bool loaded;                 /* files are verified, and what follows is filled */
        AshPrimary primary;
        AshBytes rows;               /* what the strings of primary point into when it came from the store's cache */
        AshMap by_nevra;             /* "name-[epoch:]version-release.arch" */
};

/* Everything behind repomd.xml: fetched; and loaded (ash_rpmmd_load), unless the same was loaded before. */
int ash_rpmmd_fetch_metadata(AshRpmmdRepo *r, const char *const *want, AshProgress *progress, AshDiags *diags);
bool ash_rpmmd_have_metadata(AshRpmmdRepo *r, const char *const *want);
/* Every mirror's URL for a href, beginning with the one that served repomd.xml. */
const char *const *ash_rpmmd_urls(AshRpmmdRepo *r, AshSlice href);
int ash_rpmmd_need_mirrors(AshRpmmdRepo *r, AshDiags *diags);
