/* kmod's index files: a trie over ASCII keys, all numbers big-endian.
 *   file: magic b007f457, version 00020001, reference to the root; then nodes, children before their parents.
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

/* The node of n > 0 sorted keys that agree in the first "depth" bytes; of the root also of none. */
static uint32_t put_node(const AshKmodKey *k, size_t n, size_t depth, bool root, AshStr *out) {
        uint32_t references[CHILD_MAX] = {}, flags = 0;
        unsigned first = CHILD_MAX, last = 0;
        size_t end = root || !n ? depth : common(k[0].key, k[n - 1].key, depth), own = 0;
        while (own < n && k[own].key.len == end)
                own++;
        for (size_t i = own, next; i < n; i = next) {
                unsigned c = (unsigned char) k[i].key.ptr[end];
                for (next = i + 1; next < n && (unsigned char) k[next].key.ptr[end] == c; next++)
                        ;
                references[c] = put_node(k + i, next - i, end + 1, false, out);
                first = ASH_MIN(first, c);
                last = c;
        }
        uint32_t offset = (uint32_t) out->len;
        if (end > depth) {
                ash_str_append(out, ash_slice(k[0].key.ptr + depth, end - depth));
                ash_str_append_char(out, 0);
                flags |= HAS_PREFIX;
        }
        if (own < n) {
                ash_str_append_char(out, (char) first);
                ash_str_append_char(out, (char) last);
                for (unsigned c = first; c <= last; c++)
                        put32(out, references[c]);
                flags |= HAS_CHILDREN;
        }
        if (own) {
                put_values(k, own, out);
                flags |= HAS_VALUES;
        }
        return offset | flags;
}

void ash_kmod_index_write(AshKmodIndex *x, AshStr *out) {
        size_t n = 0, start = out->len;
        _str_ AshStr nodes = {};
        ash_array_foreach(&x->keys, k)
                if (is_plain(k->key))
                        x->keys.items[n++] = *k;
        x->keys.n = n;
        if (n)
                qsort(x->keys.items, n, sizeof *x->keys.items, cmp_keys);
        put32(&nodes, 0xb007f457);
        put32(&nodes, 0x00020001);
        put32(&nodes, 0);
        uint32_t root = put_node(x->keys.items, n, 0, true, &nodes);
        ash_str_append(out, ash_str_slice(&nodes));
        const char b[4] = { (char) (root >> 24), (char) (root >> 16), (char) (root >> 8), (char) root };
        memcpy(out->ptr + start + 8, b, 4);
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
