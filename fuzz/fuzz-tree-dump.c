/* Dumps of trees: what can be read gives a dump that reads as the same tree, and every writer of streams takes it. */
#include "image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

static int no_bytes(void *context, AshSlice sha256, AshArena *arena, AshSlice *ret, AshDiags *diags) {
        (void) context, (void) sha256, (void) arena, (void) ret, (void) diags;
        return -ENODATA;
}
static int no_pack(void *context, AshSlice id, const void **ret, AshDiags *diags) {
        (void) context, (void) id, (void) ret, (void) diags;
        return 0;
}

static AshTree *parse(AshSlice text) {
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("dump", text);
        const AshDumpContent content = { NULL, no_pack, no_bytes };
        AshTree *t = NULL;
        return ash_tree_parse(source, &content, &t, NULL) < 0 ? NULL : t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(ash_tree_free_p) AshTree *a = parse(ash_slice((const char *) data, size)), *b = NULL;
        _cleanup_(ash_layout_free_p) AshLayout *tar = ash_layout_new(), *cpio = ash_layout_new();
        _str_ AshStr text = {}, again = {};
        if (!a)
                return 0;
        ash_tree_dump(a, &text);
        b = parse(ash_str_slice(&text));
        must(b != NULL);
        ash_tree_dump(b, &again);
        must(ash_slice_eq(ash_str_slice(&text), ash_str_slice(&again)));
        (void) ash_layout_tar(tar, a, false, NULL); /* content is not at hand: it may end early */
        (void) ash_layout_cpio(cpio, a, NULL);
        return 0;
}
