/* Streams: laid out, before a byte is written. */
#include "image.h"

enum { ZEROS = 1 << 16 };
static const char zeros[ZEROS];

AshLayout *ash_layout_new(void) {
        AshLayout *l = ash_calloc(1, sizeof *l);
        l->arena = ash_arena_new();
        return l;
}

void ash_layout_free(AshLayout *l) {
        if (!l)
                return;
        ash_array_done(&l->parts);
        ash_array_done(&l->marks);
        ash_arena_free(l->arena);
        free(l);
}

static void add_part(AshLayout *l, AshSlice bytes, const uint8_t *sha256) {
        if (!bytes.len)
                return;
        ash_array_push(&l->parts, ((AshPart){ bytes, sha256 }));
        l->size += bytes.len;
}

void ash_layout_add(AshLayout *l, AshSlice bytes) { add_part(l, bytes, NULL); }

int ash_layout_content(AshLayout *l, const AshTree *t, AshNode n) {
        AshSlice bytes = ash_image_bytes(t, n);
        const AshTreeNode *node = ash_tree_node(t, n);
        if (node->hardlink != ASH_NO_NODE)
                node = ash_tree_node(t, node->hardlink);
        if (bytes.len != node->content.length)
                return -EIO;
        add_part(l, bytes, node->content.kind == ASH_CONTENT_PACK ? node->content.sha256 : NULL);
        return 0;
}

void ash_layout_mark(AshLayout *l, AshSlice name) {
        uint32_t hash = 2166136261U; /* FNV-1a */
        for (size_t i = 0; i < name.len; i++)
                hash = (hash ^ (unsigned char) name.ptr[i]) * 16777619U;
        ash_array_push(&l->marks, ((AshMark){ l->parts.n, l->size, hash }));
}

void ash_layout_append(AshLayout *l, const AshLayout *other) {
        ash_array_foreach(&other->marks, m)
                ash_array_push(&l->marks, ((AshMark){ l->parts.n + m->part, l->size + m->offset, m->hash }));
        ash_array_foreach(&other->parts, p)
                add_part(l, p->bytes, p->sha256);
}

void ash_layout_copy(AshLayout *l, AshSlice bytes) {
        if (bytes.len)
                ash_layout_add(l, ash_arena_slice(l->arena, bytes));
}

void ash_layout_zeros(AshLayout *l, uint64_t n) {
        for (; n; n -= ASH_MIN(n, (uint64_t) ZEROS))
                ash_layout_add(l, ash_slice(zeros, (size_t) ASH_MIN(n, (uint64_t) ZEROS)));
}

AshSlice ash_image_bytes(const AshTree *t, AshNode n) {
        const AshTreeNode *node = ash_tree_node(t, n);
        if (node->hardlink != ASH_NO_NODE)
                node = ash_tree_node(t, node->hardlink);
        if (node->content.kind == ASH_CONTENT_INLINE)
                return ash_slice(node->content.data, node->content.length);
        const AshPack *pack = node->content.kind == ASH_CONTENT_PACK ? t->sources.items[node->content.source].pack : NULL;
        return pack ? ash_pack_at(pack, node->content.offset, node->content.length) : ASH_S("");
}

int ash_layout_digest(const AshLayout *l, uint8_t ret[static 32]) {
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        ash_array_foreach(&l->parts, p)
                ash_digest_update(d, p->bytes.ptr, p->bytes.len);
        ash_digest_final(d, ret);
        return 0;
}
