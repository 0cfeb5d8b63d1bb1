/* Edits an archive, for tests: archive-edit IN OUT [-REL]... [REL=TEXT]... ("-": remove). "--list" as OUT prints type, mode, relative path and target instead. */
#include <stdio.h>
#include "archive.h"

static AshArchiveEntry *find(AshArchive *a, AshSlice rel) {
        ash_array_foreach(&a->entries, e) {
                const char *have = ash_archive_relative(a, e);
                if (have && ash_slice_eqs(rel, have))
                        return e;
        }
        return NULL;
}

static int edit(AshArchive *a, char **edits) {
        for (; *edits; edits++) {
                AshSlice s = ash_slice_str(*edits);
                ptrdiff_t equals = ash_slice_find_char(s, '=');
                bool removed = s.ptr[0] == '-';
                AshArchiveEntry *e = find(a, removed ? ash_slice_from(s, 1) : ash_slice_sub(s, 0, (size_t) ASH_MAX(equals, 0)));
                if (!e)
                        return -ENOENT;
                if (removed)
                        ash_archive_remove(e);
                else if (ash_archive_replace(a, e, ash_slice_from(s, (size_t) equals + 1)) < 0)
                        return -ENOTSUP;
        }
        return 0;
}

static void list(const AshArchive *a) {
        printf("root %s %s\n", a->root, ash_compression_name(a->compression));
        ash_array_foreach(&a->entries, e) {
                const char *rel = ash_archive_relative(a, e);
                printf("%o %s %zu%s%s\n", e->mode, rel ? rel : ".", e->data.len, e->target ? " -> " : "", e->target ? e->target : "");
        }
}

int main(int argc, char **argv) {
        if (argc < 3)
                return 2;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        _cleanup_(ash_archive_free_p) AshArchive *a = NULL;
        int r = ash_archive_read(AT_FDCWD, argv[1], argv[1], NULL, (uint64_t) 64 << 20, &a, diags);
        if (r >= 0 && strcmp(argv[2], "--list") == 0)
                list(a);
        else if (r >= 0) {
                r = edit(a, argv + 3);
                if (r >= 0)
                        r = ash_archive_write(a, AT_FDCWD, argv[2], diags);
        }
        for (size_t i = 0; i < ash_diags_n(diags); i++)
                fprintf(stderr, "%s\n", ash_diags_at(diags, i)->text);
        return r < 0;
}
