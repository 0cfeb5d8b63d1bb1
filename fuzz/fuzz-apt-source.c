/* Indices of source packages, and armored signatures beside their files: a line of what is looked for, then the text. */
#include "apt-source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

static bool inside(AshSlice s, AshSlice text) { return !s.len || (s.ptr >= text.ptr && s.ptr + s.len <= text.ptr + text.len); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char hex[] = "8c4ceb217e6dc8e7e0beba99adc736aca8963867bcf9f970d621978ba11ce92855912f8b66138037a1d2ae171e8e17beb7be99281fea840106aa60373c455b28";
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _str_ AshStr bytes = {};
        AshSlice text = ash_slice((const char *) data, size), line = {};
        AshAptSourceFile *files;
        size_t n = 0;
        (void) ash_apt_source_dearmor(text, &bytes);
        must(bytes.len <= size);
        if (!ash_slice_next_line(&text, &line))
                return 0;
        AshAptSourceQuery query = { .package = ASH_S("lz4"), .filename = line, .kind = ASH_SHA512, .hex = hex };
        if (ash_apt_source_candidates(&text, 1, &query, arena, &files, &n, NULL) < 0)
                return 0;
        must(n <= ASH_APT_SOURCE_CANDIDATES);
        for (size_t i = 0; i < n; i++) {
                must(inside(files[i].package, text) && inside(files[i].directory, text) && inside(files[i].name, text));
                must(!i || files[i - 1].rank <= files[i].rank);
                for (size_t k = 0; k < i; k++)
                        must(memcmp(files[k].sha256, files[i].sha256, sizeof files[i].sha256) != 0);
        }
        return 0;
}
