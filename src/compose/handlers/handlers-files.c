/* Directories of configuration that stand in for each other: /etc before /usr/local/lib before /usr/lib. */
#include "handlers-private.h"

typedef struct Files {
        AshArena *arena;
        AshMap by_name;              /* base name -> AshSlice * path */
} Files;

static int take_first(void *context, AshSlice path, AshNode n _unused_) {
        Files *f = context;
        bool fresh;
        AshSlice copy = ash_arena_slice(f->arena, path);
        AshMapEntry *e = ash_map_ensure(&f->by_name, ash_path_base(copy), &fresh);
        if (fresh) {
                e->value = ash_arena_new_item(f->arena, AshSlice);
                *(AshSlice *) e->value = copy;
        }
        return 0;
}

static int by_base(const void *a, const void *b) { return ash_slice_cmp(ash_path_base(*(const AshSlice *) a), ash_path_base(*(const AshSlice *) b)); }

AshSlice *ash_handler_config_files(const AshTree *t, const char *const *globs, AshArena *arena, size_t *ret_n) {
        Files f = { .arena = arena };
        size_t n = 0;
        for (; *globs; globs++)
                (void) ash_compose_match(t, (const char *const[]){ *globs, NULL }, take_first, &f);
        AshSlice *files = ash_arena_new_items(arena, AshSlice, f.by_name.live + 1);
        ash_map_foreach(&f.by_name, e)
                files[n++] = *(AshSlice *) e->value;
        qsort(files, n, sizeof *files, by_base);
        ash_map_done(&f.by_name);
        *ret_n = n;
        return files;
}
