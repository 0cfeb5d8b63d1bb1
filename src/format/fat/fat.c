#include "fat.h"

enum { SECTOR = 512, ENTRY = 32, ROOT_ENTRIES_16 = 512, RESERVED_32 = 32, FIRST_CLUSTER = 2, CLUSTERS_16 = 4085, CLUSTERS_32 = 65525, NAME_UNITS = 255, UNITS_PER_ENTRY = 13, MIB = 1 << 20,
       VOLUME = 8, DIRECTORY = 0x10, ARCHIVE = 0x20, LONG_NAME = 0x0f };

typedef struct FatName {
        char shrt[11];
        uint16_t units[NAME_UNITS + 1];
        size_t n_units;              /* 0: the short name says it all */
} FatName;

typedef struct FatFile {
        uint32_t entries;            /* of its own in its directory */
        uint32_t inside;             /* of a directory: entries that it holds */
        uint32_t cluster, n_clusters;
        uint32_t first_child, next;  /* indices; 0: none (the root is nobody's child) */
        FatName *name;
} FatFile;

typedef struct FatShape {
        unsigned bits;
        uint32_t sectors, cluster_sectors, reserved, table_sectors, root_sectors, clusters;
} FatShape;

struct AshFat {
        AshArena *arena;
        const AshFatNode *nodes;
        size_t n;
        AshFatOptions o;
        FatFile *files;
};

void ash_fat_free(AshFat *f) {
        if (!f)
                return;
        ash_arena_free(f->arena);
        free(f);
}

/* ---- names ---- */
static char upper(char c) { return c >= 'a' && c <= 'z' ? (char) (c - 32) : c; }
static bool short_char(char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("!#$%&'()-@^_`{}~", c)); }

static int bad(AshDiags *diags, AshSlice name, const char *why) { return ash_fail(diags, -EINVAL, ASH_NOWHERE, "FAT cannot hold '%.*s': %s", ASH_F(name), why); }

static int to_units(AshSlice name, FatName *ret, AshDiags *diags) {
        ret->n_units = 0;
        if (!name.len || !ash_utf8_valid(name, NULL))
                return bad(diags, name, "the name is no UTF-8");
        if (name.ptr[name.len - 1] == '.' || name.ptr[name.len - 1] == ' ')
                return bad(diags, name, "a name ends with neither '.' nor a space");
        for (size_t i = 0; i < name.len;) {
                uint8_t b = (uint8_t) name.ptr[i];
                size_t n = b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
                uint32_t c = n == 1 ? b : b & (0x7fU >> n);
                for (size_t k = 1; k < n; k++)
                        c = c << 6 | ((uint8_t) name.ptr[i + k] & 0x3f);
                if (c < 0x20 || c == 0x7f || (c < 0x80 && strchr("\"*/:<>?\\|", (int) c)))
                        return bad(diags, name, "a name has none of \" * / : < > ? \\ | and no control characters");
                if (ret->n_units + (c > 0xffff) >= NAME_UNITS)
                        return bad(diags, name, "the name has more than 255 characters");
                if (c > 0xffff) {
                        ret->units[ret->n_units++] = (uint16_t) (0xd800 + ((c - 0x10000) >> 10));
                        c = 0xdc00 + ((c - 0x10000) & 0x3ff);
                }
                ret->units[ret->n_units++] = (uint16_t) c;
                i += n;
        }
        return 0;
}

/* The name in capitals, cut to 8.3. True when nothing was lost but the case. */
static bool shorten(AshSlice name, char base[static 9], char ext[static 4]) {
        ptrdiff_t dot = ash_slice_rfind_char(name, '.');
        bool exact = dot != 0;
        size_t nb = 0, ne = 0;
        for (size_t i = 0; i < name.len; i++) {
                bool in_ext = dot > 0 && i > (size_t) dot;
                char c = upper(name.ptr[i]);
                if ((ptrdiff_t) i == dot)
                        continue;
                if (c == '.' || c == ' ') {
                        exact = false;
                        continue;
                }
                if (!short_char(c)) {
                        c = '_';
                        exact = false;
                        while (i + 1 < name.len && ((uint8_t) name.ptr[i + 1] & 0xc0) == 0x80) /* one '_' for a whole character */
                                i++;
                }
                if (in_ext ? ne < 3 : nb < 8)
                        *(in_ext ? &ext[ne++] : &base[nb++]) = c;
                else
                        exact = false;
        }
        base[nb] = ext[ne] = 0;
        return exact && nb;
}

static void join_short(char to[static 11], const char *base, size_t nb, const char *tail, const char *ext) {
        memset(to, ' ', 11);
        memcpy(to, base, nb);
        memcpy(to + nb, tail, strlen(tail));
        memcpy(to + 8, ext, strlen(ext));
}

/* A short name that its directory does not have yet: BASE~1.EXT and so on. */
static void choose_short(AshArena *arena, AshSlice name, FatName *n, AshMap *taken) {
        char base[9], ext[4], tail[12] = "";
        bool exact = shorten(name, base, ext), same = exact;
        size_t nb = strlen(base);
        join_short(n->shrt, base, nb, "", ext);
        for (unsigned k = 1; !exact || ash_map_find(taken, ash_slice(n->shrt, 11)); k++) {
                snprintf(tail, sizeof tail, "~%u", k);
                join_short(n->shrt, base, ASH_MIN(nb, 8 - strlen(tail)), tail, ext);
                exact = true;
                same = false;
        }
        ash_map_put(taken, ash_arena_slice(arena, ash_slice(n->shrt, 11)), NULL, NULL);
        for (size_t i = 0; i < name.len; i++)
                same = same && upper(name.ptr[i]) == name.ptr[i];
        if (same)
                n->n_units = 0;
}

static int name_children(AshFat *f, uint32_t dir, AshDiags *diags) {
        _map_ AshMap taken = {}, folded = {};
        FatFile *d = &f->files[dir];
        d->inside = dir ? 2 : f->o.label != NULL;
        for (uint32_t i = d->first_child; i; i = f->files[i].next) {
                AshSlice name = f->nodes[i].name;
                FatName *n = f->files[i].name = ash_arena_new_item(f->arena, FatName);
                int r = to_units(name, n, diags);
                if (r < 0)
                        return r;
                char *key = ash_arena_strndup(f->arena, name.ptr, name.len);
                for (size_t k = 0; k < name.len; k++)
                        key[k] = upper(key[k]);
                AshMapEntry *old = ash_map_find(&folded, ash_slice(key, name.len));
                if (old)
                        return ash_fail(diags, -EEXIST, ASH_NOWHERE, "FAT cannot hold '%.*s' beside '%.*s': the names differ in case only", ASH_F(name), ASH_F(f->nodes[(uintptr_t) old->value].name));
                ash_map_put(&folded, ash_slice(key, name.len), (void *) (uintptr_t) i, NULL);
                choose_short(f->arena, name, n, &taken);
                f->files[i].entries = 1 + (uint32_t) ((n->n_units + UNITS_PER_ENTRY - 1) / UNITS_PER_ENTRY);
                d->inside += f->files[i].entries;
        }
        return d->inside > 65536 ? ash_fail(diags, -E2BIG, ASH_NOWHERE, "FAT cannot hold '%.*s': a directory has at most 65536 entries", ASH_F(f->nodes[dir].name)) : 0;
}

int ash_fat_new(const AshFatNode *nodes, size_t n, const AshFatOptions *o, AshFat **ret, AshDiags *diags) {
        _cleanup_(ash_fat_free_p) AshFat *f = ash_calloc(1, sizeof *f);
        *f = (AshFat){ .arena = ash_arena_new(), .nodes = nodes, .n = n, .o = *o };
        f->files = ash_arena_new_items(f->arena, FatFile, n + 1);
        uint32_t *last = ash_arena_new_items(f->arena, uint32_t, n + 1);
        int r = 0;
        if (!n || n > 1U << 24 || !nodes[0].directory)
                return ash_fail(diags, -EINVAL, ASH_NOWHERE, "FAT: no root directory, or too many files");
        for (uint32_t i = 1; i < n; i++) {
                uint32_t p = nodes[i].parent;
                if (p >= i || !nodes[p].directory)
                        return bad(diags, nodes[i].name, "it is in no directory");
                if (nodes[i].bytes.len > UINT32_MAX)
                        return bad(diags, nodes[i].name, "a file has less than 4 GiB");
                *(last[p] ? &f->files[last[p]].next : &f->files[p].first_child) = i;
                last[p] = i;
        }
        for (uint32_t i = 0; r >= 0 && i < n; i++)
                if (nodes[i].directory)
                        r = name_children(f, i, diags);
        if (r < 0)
                return r;
        *ret = ASH_TAKE(f);
        return 0;
}

/* ---- sizes ---- */
static uint32_t table_sectors(unsigned bits, uint64_t clusters) { return (uint32_t) (((clusters + FIRST_CLUSTER) * (bits / 8) + SECTOR - 1) / SECTOR); }

static bool shape_for(unsigned bits, uint64_t size, uint32_t cluster_sectors, FatShape *ret) {
        FatShape s = { .bits = bits, .sectors = (uint32_t) ASH_MIN(size / SECTOR, (uint64_t) UINT32_MAX), .cluster_sectors = cluster_sectors, .reserved = bits == 32 ? RESERVED_32 : 1,
                       .root_sectors = bits == 32 ? 0 : ROOT_ENTRIES_16 * ENTRY / SECTOR };
        uint32_t most = s.sectors / cluster_sectors;
        s.table_sectors = table_sectors(bits, most); /* a little more than is needed: the tables themselves take clusters away */
        uint64_t front = (uint64_t) s.reserved + 2ULL * s.table_sectors + s.root_sectors, pad = ash_align_up(front, cluster_sectors) - front;
        s.reserved += (uint32_t) pad; /* clusters begin at multiples of their size */
        front += pad;
        if (front >= s.sectors)
                return false;
        s.clusters = (uint32_t) (s.sectors - front) / cluster_sectors;
        *ret = s;
        return bits == 32 ? s.clusters >= CLUSTERS_32 + 16 : s.clusters >= CLUSTERS_16 + 16 && s.clusters < CLUSTERS_32 - 16; /* not near the borders, where others count differently */
}

/* Clusters of 4 KiB where the size allows, more from 8 GiB on. */
static bool find_shape(uint64_t size, FatShape *ret) {
        uint32_t start = 8;
        while (start < 64 && size > (UINT64_C(1) << 30) * start)
                start *= 2;
        for (uint32_t c = start; c; c /= 2)
                if (shape_for(32, size, c, ret))
                        return true;
        for (uint32_t c = 1; c <= 64; c *= 2)
                if (shape_for(16, size, c, ret))
                        return true;
        return false;
}

static uint64_t clusters_for(const FatShape *s, uint64_t bytes) { return (bytes + (uint64_t) s->cluster_sectors * SECTOR - 1) / ((uint64_t) s->cluster_sectors * SECTOR); }

static bool fits(const AshFat *f, const FatShape *s, uint64_t spare) {
        uint64_t need = clusters_for(s, spare);
        if (s->bits == 16 && f->files[0].inside > ROOT_ENTRIES_16)
                return false;
        for (size_t i = s->bits == 16; i < f->n; i++)
                need += f->nodes[i].directory ? ASH_MAX(clusters_for(s, (uint64_t) f->files[i].inside * ENTRY), UINT64_C(1)) : clusters_for(s, f->nodes[i].bytes.len);
        return need <= s->clusters;
}

uint64_t ash_fat_size(const AshFat *f, uint64_t bytes) {
        uint64_t size = bytes;
        FatShape s;
        for (size_t i = 0; i < f->n; i++)
                size += f->nodes[i].bytes.len;
        size = ash_align_up(ASH_MAX(size, (uint64_t) 3 * MIB), MIB);
        while (!find_shape(size, &s) || !fits(f, &s, bytes))
                size += MIB;
        return size;
}

/* ---- bytes ---- */
typedef struct Put {
        AshFat *f;
        FatShape s;
        uint64_t at;
        AshSparse *out;
} Put;

static uint64_t cluster_at(const Put *p, uint32_t cluster) {
        uint64_t first = (uint64_t) p->s.reserved + 2ULL * p->s.table_sectors + p->s.root_sectors;
        return p->at + (first + (uint64_t) (cluster - FIRST_CLUSTER) * p->s.cluster_sectors) * SECTOR;
}

static uint32_t dos_time(int64_t t, uint32_t *ret_date) {
        static const int64_t first = 315532800 /* 1980 */, last = 4354819198 /* 2107 */;
        time_t at = (time_t) ASH_MIN(ASH_MAX(t, first), last);
        struct tm tm;
        gmtime_r(&at, &tm);
        *ret_date = (uint32_t) ((tm.tm_year - 80) << 9 | (tm.tm_mon + 1) << 5 | tm.tm_mday);
        return (uint32_t) (tm.tm_hour << 11 | tm.tm_min << 5 | tm.tm_sec / 2);
}

static void put_short(uint8_t *e, const char name[static 11], uint8_t attributes, int64_t mtime, uint32_t cluster, uint32_t size) {
        uint32_t date, time = dos_time(mtime, &date);
        memcpy(e, name, 11);
        e[11] = attributes;
        ash_le16(e + 14, time);
        ash_le16(e + 16, date);
        ash_le16(e + 18, date);
        ash_le16(e + 20, cluster >> 16);
        ash_le16(e + 22, time);
        ash_le16(e + 24, date);
        ash_le16(e + 26, cluster);
        ash_le32(e + 28, size);
}

static uint8_t *put_long(uint8_t *e, const FatName *n) {
        static const uint8_t places[UNITS_PER_ENTRY] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };
        size_t count = (n->n_units + UNITS_PER_ENTRY - 1) / UNITS_PER_ENTRY;
        uint8_t sum = 0;
        for (size_t i = 0; i < 11; i++)
                sum = (uint8_t) ((sum << 7 | sum >> 1) + (uint8_t) n->shrt[i]);
        for (size_t k = count; k-- > 0; e += ENTRY) { /* the last part comes first */
                e[0] = (uint8_t) ((k + 1) | (k + 1 == count ? 0x40 : 0));
                e[11] = LONG_NAME;
                e[13] = sum;
                for (size_t i = 0; i < UNITS_PER_ENTRY; i++) {
                        size_t unit = k * UNITS_PER_ENTRY + i;
                        ash_le16(e + places[i], unit < n->n_units ? n->units[unit] : unit == n->n_units ? 0 : 0xffff);
                }
        }
        return e;
}

static void label_of(const AshFat *f, char ret[static 11]) {
        memset(ret, ' ', 11);
        if (!f->o.label)
                memcpy(ret, "NO NAME", 7);
        for (size_t i = 0; f->o.label && f->o.label[i] && i < 11; i++) {
                char c = upper(f->o.label[i]);
                ret[i] = short_char(c) || c == ' ' ? c : '_';
        }
}

static void put_directory(const Put *p, uint32_t dir, uint8_t *e) {
        const AshFat *f = p->f;
        char label[11];
        if (!dir && f->o.label) {
                label_of(f, label);
                put_short(e, label, VOLUME, f->o.time, 0, 0);
                e += ENTRY;
        }
        if (dir) {
                put_short(e, ".          ", DIRECTORY, f->nodes[dir].mtime, f->files[dir].cluster, 0);
                uint32_t parent = f->nodes[dir].parent;
                put_short(e + ENTRY, "..         ", DIRECTORY, f->nodes[dir].mtime, parent ? f->files[parent].cluster : 0, 0);
                e += 2 * ENTRY;
        }
        for (uint32_t i = f->files[dir].first_child; i; i = f->files[i].next) {
                const AshFatNode *n = &f->nodes[i];
                e = put_long(e, f->files[i].name);
                put_short(e, f->files[i].name->shrt, n->directory ? DIRECTORY : ARCHIVE, n->mtime, f->files[i].cluster, n->directory ? 0 : (uint32_t) n->bytes.len);
                e += ENTRY;
        }
}

static void put_link(const Put *p, uint8_t *table, uint32_t cluster, uint32_t next) {
        if (p->s.bits == 32)
                ash_le32(table + 4ULL * cluster, next);
        else
                ash_le16(table + 2ULL * cluster, next);
}

/* The chain of each file, all in one piece; directories come first. Returns the first free cluster. */
static uint32_t give_clusters(Put *p) {
        AshFat *f = p->f;
        uint32_t next = FIRST_CLUSTER;
        for (int pass = 0; pass < 2; pass++)
                for (size_t i = 0; i < f->n; i++) {
                        FatFile *file = &f->files[i];
                        bool dir = f->nodes[i].directory;
                        if (dir != (pass == 0))
                                continue;
                        file->n_clusters = dir && !i && p->s.bits == 16 ? 0 : (uint32_t) clusters_for(&p->s, dir ? ASH_MAX((uint64_t) file->inside, UINT64_C(1)) * ENTRY : f->nodes[i].bytes.len);
                        file->cluster = file->n_clusters ? next : 0;
                        next += file->n_clusters;
                }
        return next;
}

static void put_tables(const Put *p, uint32_t end) {
        const AshFat *f = p->f;
        size_t size = ash_align_up((uint64_t) end * (p->s.bits / 8), SECTOR);
        uint8_t *table = ash_sparse_room(p->out, p->at + (uint64_t) p->s.reserved * SECTOR, size);
        put_link(p, table, 0, p->s.bits == 32 ? 0x0ffffff8 : 0xfff8);
        put_link(p, table, 1, p->s.bits == 32 ? 0x0fffffff : 0xffff);
        for (size_t i = 0; i < f->n; i++)
                for (uint32_t k = 0; k < f->files[i].n_clusters; k++)
                        put_link(p, table, f->files[i].cluster + k, k + 1 < f->files[i].n_clusters ? f->files[i].cluster + k + 1 : p->s.bits == 32 ? 0x0fffffff : 0xffff);
        ash_sparse_put(p->out, p->at + ((uint64_t) p->s.reserved + p->s.table_sectors) * SECTOR, ash_slice((char *) table, size));
}

static void put_boot_sector(const Put *p, uint8_t *b) {
        const FatShape *s = &p->s;
        bool wide = s->bits == 32;
        size_t ids = wide ? 64 : 36;
        char label[11];
        label_of(p->f, label);
        memcpy(b, wide ? "\xeb\x58\x90" : "\xeb\x3c\x90", 3);
        memcpy(b + 3, "ASHLAR  ", 8);
        ash_le16(b + 11, SECTOR);
        b[13] = (uint8_t) s->cluster_sectors;
        ash_le16(b + 14, s->reserved);
        b[16] = 2; /* tables */
        ash_le16(b + 17, wide ? 0 : ROOT_ENTRIES_16);
        ash_le16(b + 19, !wide && s->sectors < 65536 ? s->sectors : 0);
        b[21] = 0xF8; /* a fixed disk */
        ash_le16(b + 22, wide ? 0 : s->table_sectors);
        ash_le16(b + 24, 63);
        ash_le16(b + 26, 255);
        ash_le32(b + 28, (uint32_t) ASH_MIN(p->at / SECTOR, (uint64_t) UINT32_MAX));
        ash_le32(b + 32, !wide && s->sectors < 65536 ? 0 : s->sectors);
        if (wide) {
                ash_le32(b + 36, s->table_sectors);
                ash_le32(b + 44, FIRST_CLUSTER); /* of the root */
                ash_le16(b + 48, 1);             /* FSInfo */
                ash_le16(b + 50, 6);             /* the copy */
        }
        b[ids] = 0x80;
        b[ids + 2] = 0x29;
        ash_le32(b + ids + 3, p->f->o.volume_id);
        memcpy(b + ids + 7, label, 11);
        memcpy(b + ids + 18, wide ? "FAT32   " : "FAT16   ", 8);
        b[510] = 0x55;
        b[511] = 0xAA;
}

static void put_front(const Put *p, uint32_t end) {
        uint8_t *b = ash_sparse_room(p->out, p->at, (p->s.bits == 32 ? 8 : 1) * SECTOR), *info = b + SECTOR;
        put_boot_sector(p, b);
        if (p->s.bits != 32)
                return;
        ash_le32(info, 0x41615252);
        ash_le32(info + 484, 0x61417272);
        ash_le32(info + 488, p->s.clusters + FIRST_CLUSTER - end);
        ash_le32(info + 492, end);
        ash_le32(info + 508, 0xAA550000);
        memcpy(b + 6 * SECTOR, b, 2 * SECTOR);
}

int ash_fat_put(AshFat *f, uint64_t size, uint64_t at, AshSparse *out, AshFatUsage *ret) {
        Put p = { .f = f, .at = at, .out = out };
        if (!find_shape(size, &p.s) || !fits(f, &p.s, 0))
                return -ENOSPC;
        uint32_t end = give_clusters(&p);
        size_t cluster = (size_t) p.s.cluster_sectors * SECTOR;
        put_front(&p, end);
        put_tables(&p, end);
        for (uint32_t i = 0; i < f->n; i++) {
                uint64_t place = i || p.s.bits == 32 ? cluster_at(&p, f->files[i].cluster) : at + ((uint64_t) p.s.reserved + 2ULL * p.s.table_sectors) * SECTOR;
                if (f->nodes[i].directory)
                        put_directory(&p, i, ash_sparse_room(out, place, i || p.s.bits == 32 ? f->files[i].n_clusters * cluster : (size_t) p.s.root_sectors * SECTOR));
                else if (f->nodes[i].bytes.len)
                        ash_sparse_put(out, place, f->nodes[i].bytes);
        }
        if (ret)
                *ret = (AshFatUsage){ .bits = p.s.bits, .cluster = cluster, .clusters = p.s.clusters, .free_clusters = p.s.clusters + FIRST_CLUSTER - end };
        return 0;
}
