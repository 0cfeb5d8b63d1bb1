/* Repository metadata, metalinks and mirror lists as untrusted bytes, uncompressed. Each parser gets them: a wrong root ends it at once. */
#include "rpmmd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

static int visit_files(void *context, const AshFilelistsPackage *p) {
        *(size_t *) context += p->n;
        return 0;
}

static int visit_other(void *context, const AshOtherPackage *p) {
        *(size_t *) context += p->n;
        return 0;
}

static void confined(AshSlice href) {
        must(href.len > 0 && href.ptr[0] != '/' && memchr(href.ptr, '\n', href.len) == NULL && ash_path_is_confined(href));
}

static void small_ones(AshSlice in, AshArena *arena) {
        AshRepomd md;
        AshMetalink metalink;
        const char **urls;
        size_t n;
        if (ash_repomd_parse(in, "fuzz", arena, &md, NULL) >= 0)
                for (size_t i = 0; i < md.n; i++)
                        confined(md.data[i].href);
        if (ash_metalink_parse(in, "fuzz", arena, &metalink, NULL) >= 0)
                must(metalink.n_urls > 0 && metalink.urls[metalink.n_urls] == NULL);
        if (ash_mirrorlist_parse(in, "fuzz", true, arena, &urls, &n, NULL) >= 0)
                must(n > 0 && urls[n] == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshSlice in = ash_slice((const char *) data, size);
        small_ones(in, arena);
        for (int kind = 0; kind < 5; kind++) {
                _cleanup_(ash_reader_free_p) AshReader *r = ash_reader_new_memory(in);
                AshPrimary primary = {};
                AshUpdateinfo updates = {};
                AshComps comps = {};
                size_t n = 0;
                if (kind == 0 && ash_primary_parse(r, "fuzz", 1000, arena, &primary, NULL) >= 0)
                        for (size_t i = 0; i < primary.n; i++)
                                confined(primary.packages[i].href);
                else if (kind == 1)
                        ash_filelists_parse(r, "fuzz", visit_files, &n, NULL);
                else if (kind == 2)
                        ash_other_parse(r, "fuzz", visit_other, &n, NULL);
                else if (kind == 3)
                        ash_updateinfo_parse(r, "fuzz", arena, &updates, NULL);
                else if (kind == 4)
                        ash_comps_parse(r, "fuzz", arena, &comps, NULL);
        }
        return 0;
}
