/* Pack files: a package's payload, uncompressed and page-aligned, and an index over it. docs/store.md is the format's page. */
#include <endian.h>
#include <sys/mman.h>
#include "store-private.h"

enum { PAGE = 4096, VERSION = 1, ENTRY = 104, NO_STRING = 0 };
static const char magic[8] = "ASHPACK";

/* All numbers little-endian. Structs have no padding: each field is naturally aligned. */
typedef struct Head {
        char magic[8];
        uint32_t version, entries;
        uint8_t id[32];
        uint64_t file_size, index_offset;
        uint8_t index_sha256[32]; /* of everything from index_offset to the end */
        uint8_t head_sha256[32];  /* of what stands before it */
} Head;
typedef struct Index {
        uint64_t by_path;         /* offsets from index_offset on; here: uint32_t indices, sorted by path */
        uint64_t strings, strings_len;
        uint64_t header, header_len, sig_header, sig_header_len;
        uint64_t nevra;           /* offset into strings, like those of the entries */
} Index;
typedef struct Entry {
        uint64_t offset, length;
        uint32_t path, user, group, link, caps; /* into strings */
        uint32_t mode, flags, verify_flags, mtime, rdev, color, hardlink;
        uint32_t path_len, reserved;
        uint8_t sha256[32];
} Entry;
_Static_assert(sizeof(Head) == 128 && sizeof(Index) == 64 && sizeof(Entry) == ENTRY, "pack layout");

struct AshPack {
        int fd;
        char *map;
        size_t len;
        AshId id;
        size_t n;
        const Entry *entries;
        const uint32_t *by_path;
        const char *strings;
        AshSlice header, sig_header, nevra;
};

bool ash_pack_has_digest(uint32_t mode, uint32_t flags) { return S_ISREG(mode) && !(flags & ASH_RPMFILE_GHOST); }

/* ---- writing ---- */
typedef struct Strings {
        AshStr text;
        AshMap map;
        AshArena *arena;
} Strings;

static uint32_t add_string(Strings *t, AshSlice s) {
        uint32_t at = (uint32_t) t->text.len;
        ash_str_append(&t->text, s);
        ash_str_append_char(&t->text, 0);
        return at;
}

/* User and group names: a few, each many times. */
static uint32_t share_string(Strings *t, AshSlice s) {
        bool is_new;
        if (s.len == 0)
                return 0; /* the table begins with an empty string */
        AshMapEntry *e = ash_map_ensure(&t->map, s, &is_new);
        if (is_new)
                e->value = (void *) (uintptr_t) add_string(t, s);
        return (uint32_t) (uintptr_t) e->value;
}

static uint32_t add_path(Strings *t, const AshRpmFile *f, uint32_t *ret_len) {
        uint32_t at = (uint32_t) t->text.len;
        if (f->dir.len == 0) /* a source package's: as if in the root directory */
                ash_str_append_char(&t->text, '/');
        ash_str_append(&t->text, f->dir);
        ash_str_append(&t->text, f->base);
        *ret_len = (uint32_t) t->text.len - at;
        ash_str_append_char(&t->text, 0);
        return at;
}

static void fill_entry(const AshPackDraft *d, size_t i, Strings *t, Entry *e) {
        const AshRpmFile *f = &d->files->items[i];
        uint32_t path_len = 0, path = add_path(t, f, &path_len);
        *e = (Entry){
                .offset = htole64(d->offsets[i]), .length = htole64(S_ISREG(f->mode) ? f->size : 0),
                .path = htole32(path), .path_len = htole32(path_len), .user = htole32(share_string(t, f->user)), .group = htole32(share_string(t, f->group)),
                .link = htole32(S_ISLNK(f->mode) && f->link.len ? add_string(t, f->link) : 0), .caps = htole32(share_string(t, f->caps)),
                .mode = htole32(f->mode), .flags = htole32(f->flags), .verify_flags = htole32(f->verify_flags), .mtime = htole32(f->mtime), .rdev = htole32(f->rdev),
                .color = htole32(f->color), .hardlink = htole32(f->nlink_group),
        };
        if (ash_pack_has_digest(f->mode, f->flags))
                memcpy(e->sha256, d->digests[f->nlink_group], 32);
}

typedef struct PathRef {
        AshSlice path;
        uint32_t i;
} PathRef;
static int cmp_paths(const void *a, const void *b) { return ash_slice_cmp(((const PathRef *) a)->path, ((const PathRef *) b)->path); }

static void append(AshStr *out, const void *p, size_t n) { ash_str_append(out, ash_slice(p, n)); }
static void pad(AshStr *out, size_t to) { ash_str_append_fill(out, 0, (size_t) (ash_align_up(out->len, to) - out->len)); }

int ash_pack_write_index(int fd, const AshPackDraft *d) {
        size_t n = d->files->n;
        _free_ Entry *entries = ash_calloc(n + 1, sizeof(Entry));
        _free_ PathRef *refs = ash_calloc(n + 1, sizeof(PathRef));
        _str_ AshStr out = {};
        Strings t = {};
        Index index = {};

        ash_str_append_char(&t.text, 0);
        for (size_t i = 0; i < n; i++)
                fill_entry(d, i, &t, &entries[i]);
        index.nevra = htole64(add_string(&t, d->nevra));
        for (size_t i = 0; i < n; i++)
                refs[i] = (PathRef){ ash_slice(t.text.ptr + le32toh(entries[i].path), le32toh(entries[i].path_len)), (uint32_t) i };
        qsort(refs, n, sizeof(*refs), cmp_paths);

        append(&out, &index, sizeof(index)); /* filled in below */
        append(&out, entries, n * sizeof(Entry));
        index.by_path = htole64(out.len);
        for (size_t i = 0; i < n; i++) {
                uint32_t le = htole32(refs[i].i);
                append(&out, &le, sizeof(le));
        }
        index.strings = htole64(out.len);
        index.strings_len = htole64(t.text.len);
        append(&out, t.text.ptr, t.text.len);
        pad(&out, 8);
        index.header = htole64(out.len);
        index.header_len = htole64(d->header.len);
        append(&out, d->header.ptr, d->header.len);
        pad(&out, 8);
        index.sig_header = htole64(out.len);
        index.sig_header_len = htole64(d->sig_header.len);
        append(&out, d->sig_header.ptr, d->sig_header.len);
        memcpy(out.ptr, &index, sizeof(index));
        ash_str_done(&t.text);
        ash_map_done(&t.map);

        Head head = { .version = htole32(VERSION), .entries = htole32((uint32_t) n), .file_size = htole64(d->data_end + out.len), .index_offset = htole64(d->data_end) };
        memcpy(head.magic, magic, sizeof(magic));
        memcpy(head.id, d->id.sha256, 32);
        ash_digest_of(ASH_SHA256, ash_str_slice(&out), head.index_sha256);
        ash_digest_of(ASH_SHA256, ash_slice((const char *) &head, offsetof(Head, head_sha256)), head.head_sha256);
        if (lseek(fd, (off_t) d->data_end, SEEK_SET) < 0)
                return -errno;
        int r = ash_write_all(fd, out.ptr, out.len);
        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        return ash_write_all(fd, &head, sizeof(head));
}

/* ---- reading ---- */
static bool within(uint64_t at, uint64_t len, uint64_t size) { return at <= size && len <= size - at; }

static bool check_head(AshPack *p, Head *h) {
        uint8_t got[32];
        if (p->len < PAGE + sizeof(Index))
                return false;
        memcpy(h, p->map, sizeof(*h));
        ash_digest_of(ASH_SHA256, ash_slice(p->map, offsetof(Head, head_sha256)), got);
        if (memcmp(h->magic, magic, sizeof(magic)) || le32toh(h->version) != VERSION || memcmp(h->head_sha256, got, 32) || memcmp(h->id, p->id.sha256, 32))
                return false;
        uint64_t at = le64toh(h->index_offset);
        if (le64toh(h->file_size) != p->len || at < PAGE || at % PAGE || !within(at, sizeof(Index), p->len))
                return false;
        ash_digest_of(ASH_SHA256, ash_slice(p->map + at, p->len - at), got);
        return memcmp(h->index_sha256, got, 32) == 0;
}

static bool check_entries(const AshPack *p, uint64_t strings_len, uint64_t data_end) {
        for (size_t i = 0; i < p->n; i++) {
                const Entry *e = &p->entries[i];
                const uint32_t strings[] = { e->path, e->user, e->group, e->link, e->caps };
                for (size_t k = 0; k < ASH_N(strings); k++)
                        if (le32toh(strings[k]) >= strings_len)
                                return false;
                if ((uint64_t) le32toh(e->path) + le32toh(e->path_len) >= strings_len || le32toh(p->by_path[i]) >= p->n || le32toh(e->hardlink) >= p->n)
                        return false;
                if (e->offset && (le64toh(e->offset) % PAGE || le64toh(e->offset) < PAGE || !within(le64toh(e->offset), le64toh(e->length), data_end)))
                        return false;
        }
        return true;
}

static bool read_index(AshPack *p, const Head *h) {
        uint64_t start = le64toh(h->index_offset), size = p->len - start;
        const char *base = p->map + start;
        Index x;
        memcpy(&x, base, sizeof(x));
        p->n = le32toh(h->entries);
        uint64_t by_path = le64toh(x.by_path), strings = le64toh(x.strings), strings_len = le64toh(x.strings_len), nevra = le64toh(x.nevra);
        if (!within(sizeof(Index), (uint64_t) p->n * ENTRY, size) || !within(by_path, (uint64_t) p->n * 4, size) || by_path % 4 || !within(strings, strings_len, size) || strings_len == 0 ||
            base[strings + strings_len - 1] || nevra >= strings_len)
                return false;
        if (!within(le64toh(x.header), le64toh(x.header_len), size) || !within(le64toh(x.sig_header), le64toh(x.sig_header_len), size))
                return false;
        p->entries = (const Entry *) (base + sizeof(Index));
        p->by_path = (const uint32_t *) (base + by_path);
        p->strings = base + strings;
        p->header = ash_slice(base + le64toh(x.header), le64toh(x.header_len));
        p->sig_header = ash_slice(base + le64toh(x.sig_header), le64toh(x.sig_header_len));
        p->nevra = ash_slice_str(p->strings + nevra);
        return check_entries(p, strings_len, start);
}

static bool check_content(const AshPack *p) {
        for (size_t i = 0; i < p->n; i++) {
                AshPackEntry e;
                uint8_t got[32];
                ash_pack_entry(p, i, &e);
                if (!e.sha256 || e.hardlink != i)
                        continue;
                ash_digest_of(ASH_SHA256, ash_slice(p->map + e.offset, e.length), got);
                if (memcmp(got, e.sha256, 32))
                        return false;
        }
        return true;
}

int ash_pack_open(AshStore *s, const AshId *id, bool deep, AshPack **ret) {
        char path[ASH_PACK_PATH_MAX];
        _cleanup_(ash_pack_free_p) AshPack *p = ash_calloc(1, sizeof(*p));
        struct stat st;
        Head head;

        p->id = *id;
        ash_store_pack_path(id, path);
        p->fd = openat(s->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (p->fd < 0 || fstat(p->fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size < PAGE)
                return -ASH_ERR_VERIFY;
        p->len = (size_t) st.st_size;
        p->map = mmap(NULL, p->len, PROT_READ, MAP_SHARED, p->fd, 0);
        if (p->map == MAP_FAILED) {
                p->map = NULL;
                return -errno;
        }
        if (!check_head(p, &head) || !read_index(p, &head) || (deep && !check_content(p)))
                return -ASH_ERR_VERIFY;
        *ret = ASH_TAKE(p);
        return 0;
}

bool ash_store_has_pack(AshStore *s, const AshId *rpm) {
        char path[ASH_PACK_PATH_MAX];
        ash_store_pack_path(rpm, path);
        return faccessat(s->fd, path, R_OK, 0) == 0;
}

void ash_pack_free(AshPack *p) {
        if (!p)
                return;
        if (p->map)
                munmap(p->map, p->len);
        if (p->fd >= 0)
                close(p->fd);
        free(p);
}

static AshSlice string_at(const AshPack *p, uint32_t le) { return ash_slice_str(p->strings + le32toh(le)); }

void ash_pack_entry(const AshPack *p, size_t i, AshPackEntry *ret) {
        const Entry *e = &p->entries[i];
        uint32_t mode = le32toh(e->mode), flags = le32toh(e->flags);
        *ret = (AshPackEntry){
                .path = ash_slice(p->strings + le32toh(e->path), le32toh(e->path_len)), .user = string_at(p, e->user), .group = string_at(p, e->group),
                .link = string_at(p, e->link), .caps = string_at(p, e->caps), .mode = mode, .flags = flags, .verify_flags = le32toh(e->verify_flags), .mtime = le32toh(e->mtime),
                .rdev = le32toh(e->rdev), .color = le32toh(e->color), .hardlink = le32toh(e->hardlink), .offset = le64toh(e->offset), .length = le64toh(e->length),
                .sha256 = ash_pack_has_digest(mode, flags) ? e->sha256 : NULL,
        };
}

size_t ash_pack_count(const AshPack *p) { return p->n; }
AshSlice ash_pack_header(const AshPack *p) { return p->header; }
AshSlice ash_pack_sig_header(const AshPack *p) { return p->sig_header; }
AshSlice ash_pack_nevra(const AshPack *p) { return p->nevra; }
const AshId *ash_pack_id(const AshPack *p) { return &p->id; }
int ash_pack_fd(const AshPack *p) { return p->fd; }

bool ash_pack_find(const AshPack *p, AshSlice path, size_t *ret) {
        size_t low = 0, high = p->n;
        while (low < high) {
                size_t mid = low + (high - low) / 2, i = le32toh(p->by_path[mid]);
                const Entry *e = &p->entries[i];
                int c = ash_slice_cmp(ash_slice(p->strings + le32toh(e->path), le32toh(e->path_len)), path);
                if (c == 0) {
                        *ret = i;
                        return true;
                }
                if (c < 0)
                        low = mid + 1;
                else
                        high = mid;
        }
        return false;
}

AshSlice ash_pack_at(const AshPack *p, uint64_t offset, uint64_t length) { return offset && within(offset, length, p->len) ? ash_slice(p->map + offset, length) : ASH_S(""); }

AshSlice ash_pack_bytes(const AshPack *p, size_t i) {
        AshPackEntry e;
        ash_pack_entry(p, i, &e);
        return e.offset ? ash_slice(p->map + e.offset, e.length) : ASH_S("");
}
