#include "compose-private.h"

void ash_compose_digest(const AshTree *t, AshNode n) {
        static const uint8_t unknown[32];
        AshTreeNode *node = ash_tree_node(t, n);
        if (node->content.kind == ASH_CONTENT_INLINE && !memcmp(node->content.sha256, unknown, 32))
                ash_digest_of(ASH_SHA256, ash_slice(node->content.data, node->content.length), node->content.sha256);
}
