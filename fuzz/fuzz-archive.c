/* Tar archives: unedited they come out as they went in; edited they can be read again and hold what they should. */
#include "archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

static void pack(const AshArchive *a, AshStr *out) {
        _cleanup_(ash_writer_free_p) AshWriter *w = ash_writer_new_memory(out);
        ash_archive_pack(a, w);
        must(ash_writer_finish(w) == 0);
}

/* Headers with a right checksum get the fuzzer past the first gate: it is set right here for every block that looks like a header. */
static void mend(char *tar, size_t n) {
        for (size_t at = 0; at + 512 <= n; at += 512) {
                unsigned sum = 0;
                if (memcmp(tar + at + 257, "ustar", 5) != 0)
                        continue;
                memset(tar + at + 148, ' ', 8);
                for (size_t i = 0; i < 512; i++)
                        sum += (unsigned char) tar[at + i];
                snprintf(tar + at + 148, 8, "%06o", sum);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _free_ char *copy = ash_malloc(size + 1);
        memcpy(copy, data, size);
        mend(copy, size);
        AshSlice in = ash_slice(copy, size);
        _cleanup_(ash_archive_free_p) AshArchive *a = NULL, *b = NULL;
        if (ash_archive_parse(in, "fuzz", &a, NULL) < 0)
                return 0;
        _str_ AshStr same = {}, edited = {};
        pack(a, &same);
        must(ash_slice_eq(in, ash_str_slice(&same)));
        size_t kept = 0;
        ash_array_foreach(&a->entries, e) {
                must(ash_path_is_confined(ash_slice_str(e->path)) || strcmp(e->path, ".") == 0);
                size_t i = (size_t) (e - a->entries.items);
                if (i % 3 == 0 && S_ISREG(e->mode))
                        ash_archive_remove(e);
                else {
                        kept++;
                        if (i % 3 == 1)
                                (void) ash_archive_replace(a, e, ASH_S("replaced"));
                }
        }
        pack(a, &edited);
        must(ash_archive_parse(ash_str_slice(&edited), "fuzz", &b, NULL) == 0 || kept == 0);
        must(!b || b->entries.n == kept);
        return 0;
}
