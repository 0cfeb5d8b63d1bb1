/* Reading members, and writing them again. */
#include <sys/mman.h>
#include "archive.h"

#define BLOCK 512
#define RECORD 10240            /* tar pads to it by default */
#define MAX_ENTRIES 4000000
#define MAX_EXTENSION (1 << 20) /* bytes of one extended header */

/* Offsets in a header block. */
enum { AT_NAME = 0, AT_MODE = 100, AT_SIZE = 124, AT_CHECKSUM = 148, AT_TYPE = 156, AT_LINK = 157, AT_MAGIC = 257, AT_PREFIX = 345 };

typedef struct Reader {
        AshArchive *a;
        const char *name;
        AshDiags *diags;
        AshMap seen;               /* path -> entry's index + 1 */
        AshMap tops;               /* first parts of all paths */
        bool top_is_dir;
        /* extensions for the next member */
        AshSlice path, link;       /* ptr NULL: none */
        uint64_t size;
        bool has_size, sparse;
} Reader;

static int bad(const Reader *r, uint64_t at, const char *text) {
        return ash_fail_file(r->diags, -ASH_ERR_SYNTAX, r->name, "byte %llu of the archive: %s", (unsigned long long) at, text);
}

static int refuse(const Reader *r, AshSlice path, const char *text) {
        return ash_fail_file(r->diags, -ENOTSUP, r->name, "'%.*s' %s", ASH_F(path), text);
}

/* ---- fields ---- */
static AshSlice field(const char *block, size_t at, size_t n) {
        return ash_slice(block + at, strnlen(block + at, n));
}

/* Octal digits with blanks around, or (first bit set) a big-endian number as GNU tar writes large ones. */
static bool number(const char *p, size_t n, uint64_t *ret) {
        if ((unsigned char) p[0] & 0x80) {
                uint64_t v = (unsigned char) p[0] & 0x7f;
                for (size_t i = 1; i < n; i++) {
                        if (v >> 55)
                                return false;
                        v = v << 8 | (unsigned char) p[i];
                }
                *ret = v;
                return true;
        }
        AshSlice s = ash_slice_trim(ash_slice(p, strnlen(p, n)));
        *ret = 0;
        return s.len == 0 || ash_slice_to_u64(s, 8, ret) == 0;
}

static uint64_t checksum(const char *block) {
        uint64_t sum = 0;
        for (size_t i = 0; i < BLOCK; i++)
                sum += i >= AT_CHECKSUM && i < AT_CHECKSUM + 8 ? ' ' : (unsigned char) block[i];
        return sum;
}

static bool is_zero(const char *block) {
        for (size_t i = 0; i < BLOCK; i++)
                if (block[i])
                        return false;
        return true;
}

/* ---- extended headers ---- */
/* The next record "LENGTH KEY=VALUE\n". 1, 0 at the end, -1 when it is none. */
static int next_record(AshSlice *rest, AshSlice *ret_key, AshSlice *ret_value, AshSlice *ret_whole) {
        if (rest->len == 0)
                return 0;
        ptrdiff_t blank = ash_slice_find_char(*rest, ' ');
        uint64_t len;
        if (blank <= 0 || blank > 10 || ash_slice_to_u64(ash_slice_sub(*rest, 0, (size_t) blank), 10, &len) < 0 || len > rest->len || len < (uint64_t) blank + 3 || rest->ptr[len - 1] != '\n')
                return -1;
        AshSlice text = ash_slice(rest->ptr + blank + 1, len - (size_t) blank - 2);
        ptrdiff_t equals = ash_slice_find_char(text, '=');
        if (equals <= 0)
                return -1;
        *ret_key = ash_slice_sub(text, 0, (size_t) equals);
        *ret_value = ash_slice_from(text, (size_t) equals + 1);
        *ret_whole = ash_slice_sub(*rest, 0, len);
        *rest = ash_slice_from(*rest, len);
        return 1;
}

static int read_records(Reader *r, uint64_t at, AshSlice data, bool global) {
        AshSlice rest = data, key, value, whole;
        int more;
        while ((more = next_record(&rest, &key, &value, &whole)) > 0) {
                bool path = ash_slice_eqs(key, "path"), link = ash_slice_eqs(key, "linkpath"), size = ash_slice_eqs(key, "size"), sparse = ash_slice_starts(key, ASH_S("GNU.sparse."));
                if (global && (path || link || size || sparse))
                        return bad(r, at, "a global header gives a path or a size to all members");
                if (path)
                        r->path = value;
                else if (link)
                        r->link = value;
                else if (size && ash_slice_to_u64(value, 10, &r->size) < 0)
                        return bad(r, at, "the size in an extended header is no number");
                r->has_size |= size;
                r->sparse |= sparse;
        }
        return more < 0 ? bad(r, at, "an extended header is damaged") : 0;
}

/* Headers that only say something about the next member ('x', 'L', 'K') or about all ('g'). */
static int read_extension(Reader *r, uint64_t at, char type, AshSlice data) {
        if (data.len > MAX_EXTENSION)
                return bad(r, at, "an extended header is larger than 1 MiB");
        if (type == 'x' || type == 'g')
                return read_records(r, at, data, type == 'g');
        AshSlice text = ash_slice(data.ptr, strnlen(data.ptr, data.len));
        *(type == 'L' ? &r->path : &r->link) = text;
        return 0;
}

/* ---- members ---- */
/* The path in one form; NULL when it leaves the archive. "." for the archive's top. */
static const char *clean_path(AshArena *arena, AshSlice path) {
        if (path.len == 0 || path.ptr[0] == '/' || memchr(path.ptr, 0, path.len))
                return NULL;
        AshSlice rest = path, part;
        while (ash_slice_split(&rest, '/', &part))
                if (ash_slice_eqs(part, ".."))
                        return NULL;
        _free_ char *normal = ash_path_normalize(path);
        size_t n = strlen(normal);
        while (n > 1 && normal[n - 1] == '/')
                n--;
        return ash_arena_strndup(arena, normal, n);
}

static AshSlice header_path(Reader *r, const char *block) {
        if (r->path.ptr)
                return r->path;
        AshSlice name = field(block, AT_NAME, 100), prefix = field(block, AT_PREFIX, 155);
        bool posix = memcmp(block + AT_MAGIC, "ustar\0", 6) == 0;
        if (!posix || prefix.len == 0)
                return name;
        return ash_slice_str(ash_arena_printf(r->a->arena, "%.*s/%.*s", ASH_F(prefix), ASH_F(name)));
}

/* No member may lie behind a symbolic link that the archive itself brings: unpacking would write through it. */
static bool behind_link(const Reader *r, AshSlice path) {
        for (AshSlice dir = ash_path_dir(path); dir.len > 0 && !ash_slice_eqs(dir, "."); dir = ash_path_dir(dir)) {
                uintptr_t at = (uintptr_t) ash_map_get(&r->seen, dir);
                if (at && S_ISLNK(r->a->entries.items[at - 1].mode))
                        return true;
        }
        return false;
}

static int member_type(const Reader *r, char type, AshSlice path, mode_t *ret) {
        static const struct { char type; const char *text; } refused[] = {
                { '1', "is a hard link; archives with hard links cannot be edited" }, { '3', "is a device" }, { '4', "is a device" }, { '6', "is a FIFO" },
                { 'S', "is a sparse file in GNU tar's old form" }, { 'M', "goes on in another volume" }, { 'V', "is a volume label" }, { 'D', "is a GNU directory dump" },
        };
        for (size_t i = 0; i < ASH_N(refused); i++)
                if (refused[i].type == type)
                        return refuse(r, path, refused[i].text);
        bool slash = path.len > 0 && path.ptr[path.len - 1] == '/';
        *ret = type == '5' || (slash && (type == '0' || type == 0)) ? S_IFDIR : type == '2' ? S_IFLNK : type == '0' || type == 0 || type == '7' ? S_IFREG : 0;
        return *ret ? 0 : refuse(r, path, "is of a type that is not known");
}

static int add_member(Reader *r, const char *block, uint64_t start, uint64_t header, AshSlice data, uint64_t end) {
        AshSlice raw = header_path(r, block);
        mode_t type;
        uint64_t mode;
        int k = member_type(r, block[AT_TYPE], raw, &type);
        if (k < 0)
                return k;
        const char *path = clean_path(r->a->arena, raw);
        if (!path || !number(block + AT_MODE, 8, &mode))
                return path ? bad(r, header, "the mode is no number") : refuse(r, raw, "leads out of the archive");
        AshSlice p = ash_slice_str(path);
        if (behind_link(r, p))
                return refuse(r, p, "lies behind a symbolic link of the archive");
        uintptr_t before = (uintptr_t) ash_map_get(&r->seen, p);
        if (before && (type != S_IFDIR || !S_ISDIR(r->a->entries.items[before - 1].mode)))
                return refuse(r, p, "stands in the archive twice");
        if (r->a->entries.n >= MAX_ENTRIES)
                return bad(r, header, "there are more than 4,000,000 members");
        AshSlice link = r->link.ptr ? r->link : field(block, AT_LINK, 100);
        AshArchiveEntry *e = ash_array_add(&r->a->entries);
        *e = (AshArchiveEntry) { .path = path, .mode = type | (mode & 07777), .target = type == S_IFLNK ? ash_arena_strndup(r->a->arena, link.ptr, link.len) : NULL,
                                 .data = type == S_IFREG ? data : ASH_S(""), .start = start, .header = header, .end = end, .sparse = r->sparse, .pax_size = r->has_size };
        ash_map_put(&r->seen, p, (void *) (uintptr_t) r->a->entries.n, NULL);
        if (strcmp(path, ".") != 0) {
                ptrdiff_t slash = ash_slice_find_char(p, '/');
                bool fresh;
                ash_map_ensure(&r->tops, ash_slice_sub(p, 0, slash < 0 ? p.len : (size_t) slash), &fresh);
                r->top_is_dir |= slash > 0 || type == S_IFDIR;
        }
        return 0;
}

static void forget_extensions(Reader *r) {
        r->path = r->link = ASH_NOSLICE;
        r->has_size = r->sparse = false;
}

/* One header block with its data. "start" is where the member begins, with the extensions before it. */
static int read_block(Reader *r, uint64_t *at, uint64_t *start) {
        AshSlice tar = r->a->tar;
        const char *block = tar.ptr + *at;
        uint64_t sum, size;
        if (!number(block + AT_CHECKSUM, 8, &sum) || sum != checksum(block))
                return bad(r, *at, *at == 0 ? "this is no tar archive" : "the checksum of a header is wrong");
        if (!number(block + AT_SIZE, 12, &size))
                return bad(r, *at, "the size of a member is no number");
        char type = block[AT_TYPE];
        bool extension = type && strchr("xgLK", type);
        if (type == 'g' && *start != *at)
                return bad(r, *at, "a global header stands between an extended header and its member");
        if (!extension && r->has_size)
                size = r->size;
        if (type == '2' || type == '5')
                size = 0;
        uint64_t left = tar.len - *at - BLOCK;
        if (size > left || ash_align_up(size, BLOCK) > left)
                return bad(r, *at, "the archive ends within a member");
        AshSlice data = ash_slice(block + BLOCK, size);
        uint64_t end = *at + BLOCK + ash_align_up(size, BLOCK);
        int k = extension ? read_extension(r, *at, type, data) : add_member(r, block, *start, *at, data, end);
        if (!extension)
                forget_extensions(r);
        *at = end;
        if (!extension || type == 'g')
                *start = end;
        return k;
}

static int read_members(Reader *r) {
        AshSlice tar = r->a->tar;
        uint64_t at = 0, start = 0;
        if (tar.len == 0)
                return bad(r, 0, "this is no tar archive");
        while (at < tar.len) {
                if (tar.len - at < BLOCK)
                        return bad(r, at, at == 0 ? "this is no tar archive" : "the archive ends within a header");
                if (is_zero(tar.ptr + at))
                        break;
                int k = read_block(r, &at, &start);
                if (k < 0)
                        return k;
        }
        if (start != at)
                return bad(r, at, "the archive ends behind an extended header");
        r->a->members_end = at;
        return 0;
}

int ash_archive_parse(AshSlice tar, const char *name, AshArchive **ret, AshDiags *diags) {
        _cleanup_(ash_archive_free_p) AshArchive *a = ash_calloc(1, sizeof(*a));
        a->arena = ash_arena_new();
        a->tar = tar;
        a->root = "";
        Reader r = { .a = a, .name = name, .diags = diags };
        int k = read_members(&r);
        if (k >= 0 && r.tops.live == 1 && r.top_is_dir) {
                AshSlice top = r.tops.entries[0].key;
                a->root = ash_arena_strndup(a->arena, top.ptr, top.len);
        }
        ash_map_done(&r.seen);
        ash_map_done(&r.tops);
        if (k < 0)
                return k;
        *ret = ASH_TAKE(a);
        return 0;
}

/* ---- editing ---- */
const char *ash_archive_relative(const AshArchive *a, const AshArchiveEntry *e) {
        size_t n = strlen(a->root);
        if (strcmp(e->path, ".") == 0)
                return NULL;
        if (n == 0)
                return e->path;
        return e->path[n] == '/' ? e->path + n + 1 : NULL;
}

void ash_archive_remove(AshArchiveEntry *e) {
        e->removed = true;
}

int ash_archive_replace(AshArchive *a, AshArchiveEntry *e, AshSlice data) {
        if (!S_ISREG(e->mode) || e->sparse)
                return -ENOTSUP;
        char *copy = ash_malloc(data.len + 1);
        memcpy(copy, data.ptr ? data.ptr : "", data.len);
        ash_array_push(&a->owned, copy);
        e->data = ash_slice(copy, data.len);
        e->changed = true;
        return 0;
}

/* ---- writing ---- */
static void write_padding(AshWriter *w, uint64_t size) {
        ash_writer_zeros(w, ash_align_up(size, BLOCK) - size);
}

/* A header with another size: 11 octal digits (or, from 8 GiB on, GNU's binary form) and a new checksum, written as it is usual. */
static void write_header(const char *old, uint64_t size, AshWriter *w) {
        char block[BLOCK], text[16];
        memcpy(block, old, BLOCK);
        if (size < (uint64_t) 1 << 33) {
                snprintf(text, sizeof(text), "%011llo", (unsigned long long) size);
                memcpy(block + AT_SIZE, text, 12);
        } else {
                memset(block + AT_SIZE, 0, 12);
                block[AT_SIZE] = (char) 0x80;
                for (size_t i = 0; i < 8; i++)
                        block[AT_SIZE + 11 - i] = (char) (size >> (8 * i));
        }
        snprintf(text, sizeof(text), "%06o", (unsigned) checksum(block));
        memcpy(block + AT_CHECKSUM, text, 7);
        block[AT_CHECKSUM + 7] = ' ';
        ash_writer_write(w, block, BLOCK);
}

/* The extension headers of a changed file, without a size: that stands in the header again. */
static void write_extensions(const AshArchive *a, const AshArchiveEntry *e, AshWriter *w) {
        for (uint64_t at = e->start; at < e->header;) {
                const char *block = a->tar.ptr + at;
                uint64_t size = 0;
                (void) number(block + AT_SIZE, 12, &size);
                uint64_t end = at + BLOCK + ash_align_up(size, BLOCK);
                AshSlice rest = ash_slice(block + BLOCK, size), key, value, whole;
                _str_ AshStr records = {};
                while (block[AT_TYPE] == 'x' && next_record(&rest, &key, &value, &whole) > 0)
                        if (!ash_slice_eqs(key, "size"))
                                ash_str_append(&records, whole);
                if (block[AT_TYPE] != 'x' || !e->pax_size)
                        ash_writer_write(w, block, end - at);
                else if (records.len > 0) {
                        write_header(block, records.len, w);
                        ash_writer_slice(w, ash_str_slice(&records));
                        write_padding(w, records.len);
                }
                at = end;
        }
}

static void write_changed(const AshArchive *a, const AshArchiveEntry *e, AshWriter *w) {
        write_extensions(a, e, w);
        write_header(a->tar.ptr + e->header, e->data.len, w);
        ash_writer_slice(w, e->data);
        write_padding(w, e->data.len);
}

void ash_archive_pack(const AshArchive *a, AshWriter *w) {
        uint64_t at = 0, start = w->offset;
        bool edited = false;
        ash_array_foreach(&a->entries, e) {
                if (!e->removed && !e->changed)
                        continue;
                edited = true;
                ash_writer_write(w, a->tar.ptr + at, e->start - at);
                at = e->end;
                if (!e->removed)
                        write_changed(a, e, w);
        }
        if (!edited) {
                ash_writer_slice(w, a->tar);
                return;
        }
        ash_writer_write(w, a->tar.ptr + at, a->members_end - at);
        ash_writer_zeros(w, 2 * BLOCK);
        uint64_t n = w->offset - start;
        if (a->tar.len % RECORD == 0)
                ash_writer_zeros(w, (n + RECORD - 1) / RECORD * RECORD - n);
}

void ash_archive_free(AshArchive *a) {
        if (!a)
                return;
        if (a->map)
                munmap(a->map, a->tar.len);
        ash_array_foreach(&a->owned, p)
                free(*p);
        ash_array_done(&a->owned);
        ash_array_done(&a->entries);
        ash_arena_free(a->arena);
        free(a);
}
