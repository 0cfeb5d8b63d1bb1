/* The "sources" file of dist-git: what was read and written again reads the same; names never leave a directory. */
#include "specsource.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AshSlice in = ash_slice((const char *) data, size);
        _sources_ AshSources s = {}, again = {};
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        int r = ash_sources_parse(in, "sources", &s, diags);
        must(r == 0 ? ash_diags_n(diags) == 0 : ash_diags_n(diags) > 0);
        if (r < 0)
                return 0;
        _str_ AshStr out = {}, out2 = {};
        ash_sources_format(&s, &out);
        must(ash_sources_parse(ash_str_slice(&out), "sources", &again, NULL) == 0);
        ash_sources_format(&again, &out2);
        must(ash_slice_eq(ash_str_slice(&out), ash_str_slice(&out2)) && s.items.n == again.items.n);
        ash_array_foreach(&s.items, i)
                must(ash_path_is_confined(i->filename) && ash_slice_find_char(i->filename, '/') < 0 && strlen(i->hex) == 2 * ash_digest_size(i->kind));
        AshSourceFile f = { .filename.s = in, .hash.s = in, .hash_type.s = ASH_S("SHA256"), .origin_type.s = ASH_S("overlay") };
        must(ash_sources_merge(&s, &(AshSourceFiles) { &f, 1 }, NULL) < 0);
        const AshPlaceholder values[] = { { "pkg", ASH_S("bash") }, { "filename", in } };
        _str_ AshStr uri = {};
        (void) ash_uri_expand(in, values, ASH_N(values), ASH_NOWHERE, &uri, NULL);
        return 0;
}
