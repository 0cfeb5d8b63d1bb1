/* Extended attributes: "Extended Attributes" of the kernel's ext4 documentation. */
#include "ext4-private.h"

enum { MAGIC = 0xEA020000U, ENTRY = 16, HEADER = 32, INSIDE = INODE - 128 - 32 /* i_extra_isize */, VALUE_MAX = BLOCK, ATTRIBUTES_MAX = 64 };

/* The prefixes that a number stands for. */
static const struct { const char *prefix; uint8_t index; bool whole; } prefixes[] = {
        { "user.", 1, false }, { "system.posix_acl_access", 2, true }, { "system.posix_acl_default", 3, true }, { "trusted.", 4, false }, { "security.", 6, false }, { "system.", 7, false },
};

typedef struct Attribute {
        uint8_t index;
        AshSlice name, value;
} Attribute;

static int by_name(const void *a, const void *b) {
        const Attribute *x = a, *y = b;
        if (x->index != y->index)
                return x->index - y->index;
        if (x->name.len != y->name.len)
                return x->name.len < y->name.len ? -1 : 1;
        return memcmp(x->name.ptr, y->name.ptr, x->name.len);
}

/* From version 2, as system calls have it (tag, permissions, id for each entry), to version 1, where only named users and groups have an id. */
static AshSlice shorter_acl(AshArena *arena, AshSlice acl) {
        enum { USER = 2, GROUP = 8 };
        const uint8_t *p = (const uint8_t *) acl.ptr;
        if (acl.len < 4 || (acl.len - 4) % 8 || p[0] != 2)
                return ASH_NOSLICE;
        uint8_t *out = ash_arena_zalloc(arena, acl.len);
        size_t n = 4;
        out[0] = 1;
        for (size_t i = 4; i < acl.len; i += 8) {
                size_t take = p[i] == USER || p[i] == GROUP ? 8 : 4;
                memcpy(out + n, p + i, take);
                n += take;
        }
        return ash_slice((char *) out, n);
}

static bool split(AshArena *arena, const AshExt4Xattr *x, Attribute *ret) {
        for (size_t i = 0; i < ASH_N(prefixes); i++) {
                AshSlice prefix = ash_slice_str(prefixes[i].prefix);
                if (prefixes[i].whole ? !ash_slice_eq(x->name, prefix) : !ash_slice_starts(x->name, prefix) || x->name.len == prefix.len)
                        continue;
                *ret = (Attribute){ prefixes[i].index, ash_slice_from(x->name, prefix.len), prefixes[i].whole ? shorter_acl(arena, x->value) : x->value };
                return ret->name.len < 256 && (ret->value.ptr || !prefixes[i].whole);
        }
        return false;
}

static size_t entry_size(const Attribute *a) { return ENTRY + ash_align_up(a->name.len, 4); }
static size_t need(const Attribute *a, size_t n) {
        size_t sum = 4; /* four zero bytes end the entries */
        for (size_t i = 0; i < n; i++)
                sum += entry_size(&a[i]) + ash_align_up(a[i].value.len, 4);
        return sum;
}

/* The kernel's hash of an entry: five bits for each byte of the name, sixteen for each word of the value. */
static uint32_t hash_entry(const Attribute *a) {
        uint32_t h = 0;
        for (size_t i = 0; i < a->name.len; i++)
                h = h << 5 ^ h >> 27 ^ (uint8_t) a->name.ptr[i];
        for (size_t i = 0; i < a->value.len; i += 4) {
                uint8_t word[4] = {};
                memcpy(word, a->value.ptr + i, ASH_MIN(a->value.len - i, (size_t) 4));
                h = h << 16 ^ h >> 16 ^ ((uint32_t) word[0] | (uint32_t) word[1] << 8 | (uint32_t) word[2] << 16 | (uint32_t) word[3] << 24);
        }
        return h;
}

/* Entries from the front, values from the back. base: what offsets of values count from. Returns the hash of all. */
static uint32_t fill(uint8_t *base, uint8_t *entry, size_t end, const Attribute *a, size_t n) {
        uint32_t all = 0;
        for (size_t i = 0; i < n; i++) {
                uint32_t h = hash_entry(&a[i]);
                end -= ash_align_up(a[i].value.len, 4);
                entry[0] = (uint8_t) a[i].name.len;
                entry[1] = a[i].index;
                ash_le16(entry + 2, a[i].value.len ? (uint32_t) end : 0);
                ash_le32(entry + 8, (uint32_t) a[i].value.len);
                ash_le32(entry + 12, h);
                memcpy(entry + ENTRY, a[i].name.ptr, a[i].name.len);
                if (a[i].value.len)
                        memcpy(base + end, a[i].value.ptr, a[i].value.len);
                entry += entry_size(&a[i]);
                all = all << 16 ^ all >> 16 ^ h;
        }
        return all;
}

static void inside(AshExt4 *e, Ext4Inode *i, const Attribute *a, size_t n) {
        uint8_t *room = ash_arena_zalloc(e->arena, INSIDE);
        ash_le32(room, MAGIC);
        fill(room + 4, room + 4, INSIDE - 4, a, n);
        i->inside = ash_slice((char *) room, INSIDE);
}

/* Inodes with the same attributes share a block. */
static void outside(AshExt4 *e, Ext4Inode *i, const Attribute *a, size_t n, AshMap *known) {
        uint8_t *bytes = ash_arena_zalloc(e->arena, BLOCK);
        ash_le32(bytes, MAGIC);
        ash_le32(bytes + 8, 1); /* blocks */
        ash_le32(bytes + 12, fill(bytes, bytes + HEADER, BLOCK, a, n));
        AshMapEntry *same = ash_map_ensure(known, ash_slice((char *) bytes, BLOCK), &(bool){ false });
        uintptr_t place = (uintptr_t) same->value;
        if (!place || e->xattr_blocks.items[place - 1].references == XATTR_REFERENCES) {
                ash_array_push(&e->xattr_blocks, ((Ext4XattrBlock){ .bytes = bytes }));
                same->value = (void *) (place = e->xattr_blocks.n);
        }
        e->xattr_blocks.items[place - 1].references++;
        i->xattr = (uint32_t) place;
}

int ash_ext4_xattrs(AshExt4 *e, Ext4Inode *i, const AshExt4Node *n, AshMap *known, AshDiags *diags) {
        Attribute a[ATTRIBUTES_MAX];
        size_t count = n->n_xattrs, front = 0;
        if (count > ATTRIBUTES_MAX)
                return ash_fail(diags, -E2BIG, ASH_NOWHERE, "ext4 cannot hold '%.*s': it has more than %d extended attributes", ASH_F(n->name), ATTRIBUTES_MAX);
        for (size_t k = 0; k < count; k++)
                if (!split(e->arena, &n->xattrs[k], &a[k]))
                        return ash_fail(diags, -EINVAL, ASH_NOWHERE, "ext4 cannot hold '%.*s': it has no place for the extended attribute '%.*s'", ASH_F(n->name), ASH_F(n->xattrs[k].name));
        qsort(a, count, sizeof *a, by_name);
        /* What is read at each access comes first: "security" stays inside when not all fits. */
        if (need(a, count) <= INSIDE - 4)
                front = count;
        Attribute in[ATTRIBUTES_MAX], out[ATTRIBUTES_MAX];
        size_t n_in = 0, n_out = 0;
        for (size_t k = 0; k < count; k++) {
                in[n_in] = a[k];
                if (front == count || (a[k].index == 6 && need(in, n_in + 1) <= INSIDE - 4))
                        n_in++;
                else
                        out[n_out++] = a[k];
        }
        if (n_out && HEADER + need(out, n_out) > VALUE_MAX)
                return ash_fail(diags, -E2BIG, ASH_NOWHERE, "ext4 cannot hold '%.*s': its extended attributes need more than a block of %d bytes", ASH_F(n->name), BLOCK);
        if (n_in)
                inside(e, i, in, n_in);
        if (n_out)
                outside(e, i, out, n_out, known);
        return 0;
}

void ash_ext4_xattr_block(const AshExt4 *e, const Ext4XattrBlock *b, uint8_t *to) {
        uint8_t number[8];
        memcpy(to, b->bytes, BLOCK);
        ash_le32(to + 4, b->references);
        ash_le64(number, b->block);
        ash_le32(to + 16, ash_crc32c_raw(ash_crc32c_raw(e->seed, number, sizeof number), to, BLOCK));
}
