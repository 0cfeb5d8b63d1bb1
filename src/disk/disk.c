#include "disk-private.h"
#include "io.h"

#define MIB (UINT64_C(1) << 20)
enum { SWAP_PAGE = 4096, SWAP_DEFAULT_MIB = 512 };
/* An ESP takes kernels and initrds that are still to come; and firmware wants FAT32 there. */
#define ESP_MIN (256 * MIB)
enum { ESP_FACTOR = 3 /* of what is there now */ };

/* A partition's file system on its way to the disk. */
typedef struct DiskFs {
        AshExt4 *ext4;
        AshFat *fat;
        uint64_t least, wish;        /* bytes that it needs; that it should get */
} DiskFs;

void ash_disk_free(AshDisk *d) {
        if (!d)
                return;
        for (size_t i = 0; d->fs && i < d->n; i++) {
                ash_ext4_free(d->fs[i].ext4);
                ash_fat_free(d->fs[i].fat);
        }
        ash_sparse_free(d->map);
        ash_arena_free(d->arena);
        free(d);
}

typedef struct DiskBuild {
        const AshDiskInput *in;
        DiskSplit split;
        AshPartitions partitions;
        DiskFs *fs;
        AshDisk *disk;
        AshDiags *diags;
} DiskBuild;

static void build_done(DiskBuild *b) { ash_disk_free(b->disk); }

static uint64_t fat_margin(const AshPartition *p, const AshFatNode *nodes, size_t n) {
        uint64_t bytes = 0;
        for (size_t i = 0; i < n; i++)
                bytes += nodes[i].bytes.len;
        return p->margin + bytes * p->margin_percent / 100;
}

static int prepare_fat(DiskBuild *b, size_t i) {
        const AshPartition *p = &b->partitions.items[i];
        AshFatNode *nodes;
        size_t n;
        AshFatOptions o = { .volume_id = (uint32_t) p->fs_uuid[0] << 24 | (uint32_t) p->fs_uuid[1] << 16 | (uint32_t) p->fs_uuid[2] << 8 | p->fs_uuid[3], .label = p->label, .time = b->in->time };
        int r = ash_disk_fat_nodes(&b->split, i, &nodes, &n);
        if (r >= 0)
                r = ash_fat_new(nodes, n, &o, &b->fs[i].fat, b->diags);
        if (r < 0)
                return r;
        b->fs[i].least = ash_fat_size(b->fs[i].fat, 0);
        b->fs[i].wish = ash_fat_size(b->fs[i].fat, fat_margin(p, nodes, n));
        if (!strcmp(p->name, "esp") || !strcmp(p->name, "xbootldr"))
                b->fs[i].wish = ASH_MAX(ASH_MAX(b->fs[i].wish, b->fs[i].least * ESP_FACTOR), ESP_MIN);
        return 0;
}

static int prepare_ext4(DiskBuild *b, size_t i) {
        const AshPartition *p = &b->partitions.items[i];
        AshExt4Node *nodes;
        size_t n;
        AshExt4Options o = { .label = p->label, .mounted = p->mount.len ? ash_arena_strndup(b->disk->arena, p->mount.ptr, p->mount.len) : NULL, .time = b->in->time };
        uint8_t hash[16];
        memcpy(o.uuid, p->fs_uuid, 16);
        ash_uuid_derive(b->in->seed, ash_slice((const char *) p->fs_uuid, 16), hash);
        memcpy(o.hash_seed, hash, 16);
        int r = ash_disk_ext4_nodes(&b->split, i, &nodes, &n);
        if (r >= 0)
                r = ash_ext4_new(nodes, n, &o, &b->fs[i].ext4, b->diags);
        if (r < 0)
                return r;
        b->fs[i].least = ash_ext4_size(b->fs[i].ext4, 0, 0);
        b->fs[i].wish = p->size ? p->size : ash_ext4_size(b->fs[i].ext4, p->margin_percent, p->margin);
        return 0;
}

static int prepare(DiskBuild *b, size_t i) {
        const AshPartition *p = &b->partitions.items[i];
        int r = 0;
        if (p->fs == ASH_FS_VFAT)
                r = prepare_fat(b, i);
        else if (p->fs == ASH_FS_EXT4)
                r = prepare_ext4(b, i);
        else {
                b->fs[i].least = p->fs == ASH_FS_SWAP ? 10 * SWAP_PAGE : MIB;
                b->fs[i].wish = SWAP_DEFAULT_MIB * MIB;
        }
        if (r < 0) {
                ash_note(b->diags, p->at, "in the partition '%s' of the image '%.*s'", p->name, ASH_F(b->in->image->name.s));
                return r;
        }
        if (p->size)
                b->fs[i].wish = ash_align_up(p->size, MIB);
        return 0;
}

static int too_small(DiskBuild *b, size_t i, AshSpan at, const char *what, uint64_t has, uint64_t needs) {
        int r = ash_fail(b->diags, -ENOSPC, at, "the %s of the image '%.*s' is too small: its files need %llu MiB, it has %llu MiB: %llu MiB are missing", what, ASH_F(b->in->image->name.s),
                         (unsigned long long) (needs / MIB), (unsigned long long) (has / MIB), (unsigned long long) ((needs - has + MIB - 1) / MIB));
        ash_disk_note_weights(&b->split, i);
        ash_hint(b->diags, "give it more, or size = \"auto\"");
        return r;
}

/* Given sizes stand; a disk of a given size gives what is left to the partition that grows, the last of them. */
static int place(DiskBuild *b) {
        AshDisk *d = b->disk;
        uint64_t at = ASH_GPT_MARGIN, whole = 0, rest = 0;
        bool percent;
        const AshText *size = &b->in->image->size;
        size_t grows = SIZE_MAX;
        if (ash_text_set(*size) && (ash_size_parse(size->s, &whole, &percent) < 0 || percent))
                return ash_fail(b->diags, -ASH_ERR_CONFIG, size->at, "'%.*s' is no size of a disk: \"auto\", or bytes with an optional K, M, G or T", ASH_F(size->s));
        for (size_t i = 0; i < d->n; i++) {
                if (b->partitions.items[i].size && b->fs[i].wish < b->fs[i].least) {
                        _free_ char *what = ash_asprintf("partition '%s'", b->partitions.items[i].name);
                        return too_small(b, i, b->partitions.items[i].own->size.at, what, b->fs[i].wish, b->fs[i].least);
                }
                rest += b->fs[i].wish;
                if (!b->partitions.items[i].size && (grows == SIZE_MAX || b->partitions.items[i].grow || !b->partitions.items[grows].grow))
                        grows = i;
        }
        rest += 2 * ASH_GPT_MARGIN;
        if (whole && grows != SIZE_MAX) { /* its margin is what the disk leaves */
                rest -= b->fs[grows].wish - b->fs[grows].least;
                b->fs[grows].wish = b->fs[grows].least;
        }
        if (whole && ash_align_up(whole, MIB) < rest) {
                size_t heavy = 0;
                for (size_t i = 1; i < d->n; i++)
                        heavy = b->fs[i].wish > b->fs[heavy].wish ? i : heavy;
                return too_small(b, heavy, size->at, "disk", whole, rest);
        }
        if (whole && grows != SIZE_MAX)
                b->fs[grows].wish += ash_align_up(whole, MIB) - rest;
        for (size_t i = 0; i < d->n; i++) {
                d->parts[i] = (AshDiskPart){ .p = b->partitions.items[i], .offset = at, .size = b->fs[i].wish };
                at += b->fs[i].wish;
        }
        d->map->size = ASH_MAX(at + ASH_GPT_MARGIN, ash_align_up(whole, MIB));
        return 0;
}

/* mkswap(8), version 1. */
static void put_swap(DiskBuild *b, AshDiskPart *p) {
        uint8_t *page = ash_sparse_room(b->disk->map, p->offset, SWAP_PAGE);
        ash_le32(page + 1024, 1);
        ash_le32(page + 1028, (uint32_t) ASH_MIN(p->size / SWAP_PAGE - 1, (uint64_t) UINT32_MAX));
        memcpy(page + 1036, p->p.fs_uuid, 16);
        memcpy(page + 1052, p->p.label, strnlen(p->p.label, 15));
        memcpy(page + SWAP_PAGE - 10, "SWAPSPACE2", 10);
}

static int put_one(DiskBuild *b, size_t i) {
        AshDiskPart *p = &b->disk->parts[i];
        AshExt4Usage ext4 = {};
        AshFatUsage fat = {};
        int r = 0;
        if (b->fs[i].ext4) {
                r = ash_ext4_put(b->fs[i].ext4, p->size, p->offset, b->disk->map, &ext4);
                p->used = (ext4.blocks - ext4.free_blocks) * ASH_EXT4_BLOCK;
        } else if (b->fs[i].fat) {
                r = ash_fat_put(b->fs[i].fat, p->size, p->offset, b->disk->map, &fat);
                p->used = (fat.clusters - fat.free_clusters) * fat.cluster;
        } else if (p->p.fs == ASH_FS_SWAP)
                put_swap(b, p);
        return r < 0 ? ash_fail(b->diags, r, p->p.at, "the files of the partition '%s' do not fit into its %llu MiB", p->p.name, (unsigned long long) (p->size / MIB)) : 0;
}

static int put_table(DiskBuild *b) {
        enum { READ_ONLY = 60, GROW = 59 }; /* bits that the Discoverable Partitions Specification gives a meaning */
        const AshDisk *d = b->disk;
        _free_ AshGptPartition *g = ash_calloc(d->n, sizeof *g);
        for (size_t i = 0; i < d->n; i++) {
                const AshPartition *p = &d->parts[i].p;
                g[i] = (AshGptPartition){ .offset = d->parts[i].offset, .size = d->parts[i].size, .label = p->label };
                memcpy(g[i].type, p->type, 16);
                memcpy(g[i].uuid, p->uuid, 16);
                g[i].attributes = (p->grow && p->fs == ASH_FS_EXT4 ? UINT64_C(1) << GROW : 0) | (p->read_only ? UINT64_C(1) << READ_ONLY : 0);
        }
        int r = ash_gpt_put(g, d->n, d->uuid, d->map->size, d->map);
        if (r == -ASH_ERR_LIMIT)
                return ash_fail(b->diags, r, b->in->image->name.at, "the disk has more than %d partitions, or a label has more than 36 characters", ASH_GPT_ENTRIES);
        return r < 0 ? ash_fail(b->diags, r, b->in->image->name.at, "the partitions do not fit the disk") : 0;
}

int ash_disk_new(const AshDiskInput *in, AshDisk **ret, AshDiags *diags) {
        DiskBuild b __attribute__((__cleanup__(build_done))) = { .in = in, .diags = diags, .disk = ash_calloc(1, sizeof *b.disk) };
        AshDisk *d = b.disk;
        *d = (AshDisk){ .arena = ash_arena_new(), .map = ash_sparse_new(), .time = in->time };
        int r = ash_partitions(in->image, in->seed, in->arch, d->arena, &b.partitions, diags);
        if (r < 0)
                return r;
        memcpy(d->uuid, b.partitions.disk, 16);
        d->name = ash_arena_printf(d->arena, "%.*s-%.*s", ASH_F(in->image->name.s), ASH_F(in->arch));
        ash_uuid_derive(in->seed, ash_slice((const char *) d->uuid, 16), d->id);
        d->n = b.partitions.n;
        b.fs = d->fs = ash_arena_new_items(d->arena, DiskFs, d->n);
        d->parts = ash_arena_new_items(d->arena, AshDiskPart, d->n);
        b.split = (DiskSplit){ .tree = in->tree, .partitions = &b.partitions, .arena = d->arena, .diags = diags };
        r = ash_disk_split(&b.split);
        for (size_t i = 0; r >= 0 && i < d->n; i++)
                r = prepare(&b, i);
        if (r >= 0)
                r = place(&b);
        for (size_t i = 0; r >= 0 && i < d->n; i++)
                r = put_one(&b, i);
        if (r >= 0)
                r = put_table(&b);
        if (r >= 0 && ash_sparse_sort(d->map) < 0)
                r = ash_fail(diags, -EIO, in->image->name.at, "the writer of disks put two things into one place: this is a fault of Ashlar");
        if (r < 0)
                return r;
        *ret = ASH_TAKE(b.disk);
        return 0;
}

static void key_text(AshStr *out, const char *name, AshText t) {
        if (ash_text_set(t))
                ash_str_appendf(out, " %s %zu:%.*s", name, t.s.len, ASH_F(t.s));
}

void ash_disk_key(const AshImage *image, AshSlice seed, AshStr *out) {
        enum { WRITERS = 1 /* counts up when the bytes for the same input change */ };
        ash_str_appendf(out, "disk %d %.*s", WRITERS, ASH_F(seed));
        key_text(out, "size", image->size);
        key_text(out, "boot-loader", image->boot_loader);
        for (size_t i = 0; i < image->partitions.n; i++) {
                const AshImagePartition *p = &image->partitions.items[i];
                const struct { const char *name; AshText text; } rows[] = { { "type", p->type }, { "label", p->label }, { "size", p->size }, { "margin", p->margin }, { "filesystem", p->filesystem },
                                                                            { "mount", p->mount }, { "options", p->options }, { "uuid", p->uuid } };
                ash_str_appendf(out, "\npartition %d %d", p->grow.value, p->read_only.value);
                for (size_t k = 0; k < ASH_N(rows); k++)
                        key_text(out, rows[k].name, rows[k].text);
        }
        ash_str_append_char(out, '\n');
}
