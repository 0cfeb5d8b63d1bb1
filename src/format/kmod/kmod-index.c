/* kmod's index files: a trie over ASCII keys, all numbers big-endian.
 *   file: magic b007f457, version 00020001, reference to the root; then nodes: children before their parents, since kmod 34 parents before their children.
 *   reference: offset of a node, with flags for what it has (prefix 80000000, values 40000000, children 20000000); 0: no node.
 *   node: [prefix, NUL] [first, last, a reference for each byte from first to last] [count, then for each value: priority, text, NUL]
 * The root has no prefix. A node's values are sorted by priority, later ones before earlier ones of the same. */
#include "kmod-private.h"

#define HAS_PREFIX 0x80000000u
#define HAS_VALUES 0x40000000u
#define HAS_CHILDREN 0x20000000u
enum { CHILD_MAX = 128 };

static void put32(AshStr *out, uint32_t v) {
        const char b[4] = { (char) (v >> 24), (char) (v >> 16), (char) (v >> 8), (char) v };
        ash_str_append(out, ash_slice(b, sizeof b));
}

static int cmp_keys(const void *a, const void *b) {
        const AshKmodKey *x = a, *y = b;
        int c = ash_slice_cmp(x->key, y->key);
        if (c)
                return c;
        if (x->priority != y->priority)
                return x->priority < y->priority ? -1 : 1;
        return x->order > y->order ? -1 : x->order < y->order;
}

static bool is_plain(AshSlice key) {
        for (size_t i = 0; i < key.len; i++)
                if ((unsigned char) key.ptr[i] >= CHILD_MAX)
                        return false;
        return true;
}

static size_t common(AshSlice a, AshSlice b, size_t from) {
        size_t i = from;
        while (i < a.len && i < b.len && a.ptr[i] == b.ptr[i])
                i++;
        return i;
}

static void put_values(const AshKmodKey *k, size_t n, AshStr *out) {
        put32(out, (uint32_t) n);
        for (size_t i = 0; i < n; i++) {
                put32(out, k[i].priority);
                ash_str_append(out, k[i].value);
                ash_str_append_char(out, 0);
        }
}

typedef struct Node {
        const AshKmodKey *keys;      /* those that end here */
        size_t n_keys;
        AshSlice prefix;
        struct Node **children;      /* by byte, from first on; NULL where there is none */
        unsigned first, last;        /* bytes of the children; CHILD_MAX, 0: none */
        uint32_t offset;
} Node;

/* The node of n sorted keys that agree in the first "depth" bytes; only the root's may be none. */
static Node *make_node(AshArena *arena, const AshKmodKey *k, size_t n, size_t depth, bool root) {
        Node *node = ash_arena_new_item(arena, Node);
        size_t end = root ? depth : common(k[0].key, k[n - 1].key, depth);
        *node = (Node){ .keys = k, .prefix = root ? ASH_S("") : ash_slice(k[0].key.ptr + depth, end - depth), .first = CHILD_MAX };
        while (node->n_keys < n && k[node->n_keys].key.len == end)
                node->n_keys++;
        if (node->n_keys < n) {
                node->first = (unsigned char) k[node->n_keys].key.ptr[end];
                node->last = (unsigned char) k[n - 1].key.ptr[end];
                node->children = ash_arena_new_items(arena, Node *, node->last - node->first + 1);
        }
        for (size_t i = node->n_keys, next; i < n; i = next) {
                unsigned c = (unsigned char) k[i].key.ptr[end];
                for (next = i + 1; next < n && (unsigned char) k[next].key.ptr[end] == c; next++)
                        ;
                node->children[c - node->first] = make_node(arena, k + i, next - i, end + 1, false);
        }
        return node;
}

static uint32_t size_of(const Node *node) {
        size_t size = node->prefix.len ? node->prefix.len + 1 : 0;
        if (node->first < CHILD_MAX)
                size += 2 + 4 * (node->last - node->first + 1);
        if (node->n_keys)
                size += 4;
        for (size_t i = 0; i < node->n_keys; i++)
                size += 4 + node->keys[i].value.len + 1;
        return (uint32_t) size;
}

/* Offsets in the order in which the nodes will stand. */
static void place(Node *node, bool parents_first, uint32_t *at) {
        for (int pass = 0; pass < 2; pass++) {
                if ((pass == 0) == parents_first) {
                        node->offset = *at;
                        *at += size_of(node);
                } else
                        for (unsigned c = node->first; c <= node->last; c++)
                                if (node->children[c - node->first])
                                        place(node->children[c - node->first], parents_first, at);
        }
}

static uint32_t reference(const Node *node) {
        if (!node)
                return 0;
        return node->offset | (node->prefix.len ? HAS_PREFIX : 0) | (node->n_keys ? HAS_VALUES : 0) | (node->first < CHILD_MAX ? HAS_CHILDREN : 0);
}

static void put_one(const Node *node, AshStr *out) {
        if (node->prefix.len) {
                ash_str_append(out, node->prefix);
                ash_str_append_char(out, 0);
        }
        if (node->first < CHILD_MAX) {
                ash_str_append_char(out, (char) node->first);
                ash_str_append_char(out, (char) node->last);
                for (unsigned c = node->first; c <= node->last; c++)
                        put32(out, reference(node->children[c - node->first]));
        }
        if (node->n_keys)
                put_values(node->keys, node->n_keys, out);
}

static void put_nodes(const Node *node, bool parents_first, AshStr *out) {
        if (parents_first)
                put_one(node, out);
        for (unsigned c = node->first; c <= node->last; c++)
                if (node->children[c - node->first])
                        put_nodes(node->children[c - node->first], parents_first, out);
        if (!parents_first)
                put_one(node, out);
}

void ash_kmod_index_write(AshKmodIndex *x, bool parents_first, AshStr *out) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        size_t n = 0;
        uint32_t at = 12;
        ash_array_foreach(&x->keys, k)
                if (is_plain(k->key))
                        x->keys.items[n++] = *k;
        x->keys.n = n;
        if (n)
                qsort(x->keys.items, n, sizeof *x->keys.items, cmp_keys);
        Node *root = make_node(arena, x->keys.items, n, 0, true);
        place(root, parents_first, &at);
        put32(out, 0xb007f457);
        put32(out, 0x00020001);
        put32(out, reference(root));
        put_nodes(root, parents_first, out);
}

/* Paul Hsieh's hash (azillionmonkeys.com/qed/hash.html), with the length as its start. */
uint32_t ash_kmod_bucket(AshSlice key, uint32_t n_buckets) {
        const unsigned char *p = (const unsigned char *) key.ptr;
        uint32_t h = (uint32_t) key.len;
        size_t n = key.len / 4, left = key.len & 3;
        for (; n; n--, p += 4) {
                h += (uint32_t) p[0] | (uint32_t) p[1] << 8;
                h = (h << 16) ^ (((uint32_t) p[2] | (uint32_t) p[3] << 8) << 11) ^ h;
                h += h >> 11;
        }
        if (left >= 2)
                h += (uint32_t) p[0] | (uint32_t) p[1] << 8;
        if (left == 3) {
                h ^= h << 16;
                h ^= (uint32_t) p[2] << 18;
                h += h >> 11;
        } else if (left == 2) {
                h ^= h << 11;
                h += h >> 17;
        } else if (left == 1) {
                h += p[0];
                h ^= h << 10;
                h += h >> 1;
        }
        h ^= h << 3;
        h += h >> 5;
        h ^= h << 4;
        h += h >> 17;
        h ^= h << 25;
        h += h >> 6;
        return h & (n_buckets - 1);
}
