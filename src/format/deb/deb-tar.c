/* Tar as dpkg-deb and GNU tar write it: POSIX.1-1988 ustar, GNU long names, POSIX.1-2001 pax headers. Entries borrow from the bytes. */
#include "deb.h"
#include <sys/sysmacros.h>

enum { BLOCK = 512 };
typedef struct Header { /* ustar, POSIX.1-1988 */
        char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, linkname[100];
        char magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
} Header;
_Static_assert(sizeof(Header) == BLOCK, "tar header");

typedef struct Pending { /* what extension headers say of the next entry */
        AshSlice path, link, user, group;
        bool has_size, has_mtime, has_uid, has_gid;
        uint64_t size, mtime, uid, gid;
} Pending;

static int problem(AshDebTar *t, const char *text) {
        t->problem = text;
        return -ASH_ERR_SYNTAX;
}

static AshSlice field(const char *p, size_t max) { return ash_slice(p, strnlen(p, max)); }

static int number(const char *p, size_t n, uint64_t *ret) {
        uint64_t v = 0;
        if ((unsigned char) p[0] == 0x80) { /* GNU base-256, not negative */
                for (size_t i = 1; i < n; i++) {
                        if (v >> 55)
                                return -ASH_ERR_SYNTAX;
                        v = v << 8 | (unsigned char) p[i];
                }
                *ret = v;
                return 0;
        }
        size_t i = 0;
        while (i < n && p[i] == ' ')
                i++;
        for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
                v = v << 3 | (uint64_t) (p[i] - '0');
        if (i < n && p[i] != ' ' && p[i] != '\0')
                return -ASH_ERR_SYNTAX;
        *ret = v;
        return 0;
}

static bool checksum_good(const Header *h) {
        const unsigned char *p = (const unsigned char *) h;
        uint64_t sum = 0, want;
        for (size_t i = 0; i < BLOCK; i++)
                sum += i >= offsetof(Header, checksum) && i < offsetof(Header, type) ? ' ' : p[i];
        return number(h->checksum, sizeof(h->checksum), &want) == 0 && want == sum;
}

/* "./a//b/" -> "a/b", in the arena. Refuses absolute paths, ".." and control characters that no package has business with. */
static int clean_path(AshDebTar *t, AshSlice raw, AshSlice *ret) {
        if (raw.len > 4095)
                return problem(t, "path longer than 4095 bytes");
        if (raw.len > 0 && raw.ptr[0] == '/')
                return problem(t, "absolute path");
        char *out = ash_arena_alloc(t->arena, raw.len + 1);
        size_t n = 0;
        AshSlice rest = raw, part;
        while (ash_slice_split(&rest, '/', &part)) {
                if (part.len == 0 || ash_slice_eqs(part, "."))
                        continue;
                if (ash_slice_eqs(part, ".."))
                        return problem(t, "path with '..'");
                if (memchr(part.ptr, '\n', part.len) || memchr(part.ptr, '\0', part.len))
                        return problem(t, "path with a newline or a NUL");
                if (n > 0)
                        out[n++] = '/';
                memcpy(out + n, part.ptr, part.len);
                n += part.len;
        }
        out[n] = '\0';
        *ret = ash_slice(out, n);
        return 0;
}

static int pax_record(Pending *p, AshSlice key, AshSlice value) {
        struct {
                const char *key;
                AshSlice *text;
                uint64_t *number;
                bool *has;
        } table[] = {
                { "path", &p->path },
                { "linkpath", &p->link },
                { "uname", &p->user },
                { "gname", &p->group },
                { "size", NULL, &p->size, &p->has_size },
                { "mtime", NULL, &p->mtime, &p->has_mtime },
                { "uid", NULL, &p->uid, &p->has_uid },
                { "gid", NULL, &p->gid, &p->has_gid },
        };
        for (size_t i = 0; i < ASH_N(table); i++) {
                if (!ash_slice_eqs(key, table[i].key))
                        continue;
                if (table[i].text) {
                        *table[i].text = value;
                        return 0;
                }
                ptrdiff_t dot = ash_slice_find_char(value, '.'); /* fractions of a second are dropped */
                *table[i].has = true;
                return ash_slice_to_u64(dot < 0 ? value : ash_slice_sub(value, 0, (size_t) dot), 10, table[i].number);
        }
        return 0;
}

/* "LEN KEY=VALUE\n", LEN counts the whole record. */
static int parse_pax(AshSlice data, Pending *p) {
        while (data.len > 0) {
                ptrdiff_t sp = ash_slice_find_char(data, ' ');
                uint64_t len;
                if (sp < 0 || ash_slice_to_u64(ash_slice_sub(data, 0, (size_t) sp), 10, &len) < 0 || len <= (uint64_t) sp + 1 || len > data.len ||
                    data.ptr[len - 1] != '\n')
                        return -ASH_ERR_SYNTAX;
                AshSlice record = ash_slice_sub(data, (size_t) sp + 1, (size_t) len - (size_t) sp - 2);
                ptrdiff_t eq = ash_slice_find_char(record, '=');
                if (eq <= 0 || pax_record(p, ash_slice_sub(record, 0, (size_t) eq), ash_slice_from(record, (size_t) eq + 1)) < 0)
                        return -ASH_ERR_SYNTAX;
                data = ash_slice_from(data, (size_t) len);
        }
        return 0;
}

static AshSlice header_path(AshDebTar *t, const Header *h) {
        AshSlice name = field(h->name, sizeof(h->name)), prefix = field(h->prefix, sizeof(h->prefix));
        if (memcmp(h->magic, "ustar", 6) != 0 || prefix.len == 0) /* GNU's "ustar " uses that room otherwise */
                return name;
        char *joined = ash_arena_printf(t->arena, "%.*s/%.*s", ASH_F(prefix), ASH_F(name));
        return ash_slice_str(joined);
}

static int set_type(AshDebTar *t, const Header *h, AshDebEntry *e) {
        static const struct {
                char type;
                mode_t mode;
        } types[] = { { '0', S_IFREG }, { '\0', S_IFREG }, { '7', S_IFREG }, { '1', S_IFREG }, { '2', S_IFLNK }, { '3', S_IFCHR }, { '4', S_IFBLK }, { '5', S_IFDIR }, { '6', S_IFIFO } };
        for (size_t i = 0; i < ASH_N(types); i++)
                if (types[i].type == h->type) {
                        e->mode = (e->mode & 07777) | types[i].mode;
                        return 0;
                }
        return problem(t, "entry of an unknown type");
}

static int set_numbers(AshDebTar *t, const Header *h, const Pending *p, AshDebEntry *e) {
        uint64_t mode, uid, gid, mtime, major = 0, minor = 0;
        if (number(h->mode, 8, &mode) < 0 || number(h->uid, 8, &uid) < 0 || number(h->gid, 8, &gid) < 0 || number(h->mtime, 12, &mtime) < 0)
                return problem(t, "damaged number in a header");
        if ((h->type == '3' || h->type == '4') && (number(h->major, 8, &major) < 0 || number(h->minor, 8, &minor) < 0))
                return problem(t, "damaged device number");
        uid = p->has_uid ? p->uid : uid;
        gid = p->has_gid ? p->gid : gid;
        mtime = p->has_mtime ? p->mtime : mtime;
        if (uid > UINT32_MAX - 1 || gid > UINT32_MAX - 1 || mtime > INT64_MAX / 2 || major > UINT16_MAX || minor > UINT16_MAX)
                return problem(t, "number out of range");
        e->mode = mode & 07777;
        e->uid = (uint32_t) uid;
        e->gid = (uint32_t) gid;
        e->mtime = (int64_t) mtime;
        e->major = (uint32_t) major;
        e->minor = (uint32_t) minor;
        return 0;
}

static int add_entry(AshDebTar *t, const Header *h, const Pending *p, AshSlice data) {
        AshDebEntry e = {};
        int r = set_numbers(t, h, p, &e);
        if (r >= 0)
                r = set_type(t, h, &e);
        if (r >= 0)
                r = clean_path(t, p->path.ptr ? p->path : header_path(t, h), &e.path);
        if (r < 0)
                return r;
        e.user = p->user.ptr ? p->user : field(h->uname, sizeof(h->uname));
        e.group = p->group.ptr ? p->group : field(h->gname, sizeof(h->gname));
        AshSlice link = p->link.ptr ? p->link : field(h->linkname, sizeof(h->linkname));
        if (h->type == '1') {
                r = clean_path(t, link, &e.target);
                if (r < 0)
                        return r;
                e.link = UINT32_MAX; /* resolved by the caller, which knows all names */
        } else if (S_ISLNK(e.mode)) {
                if (link.len == 0 || memchr(link.ptr, '\n', link.len))
                        return problem(t, "symbolic link without a target, or with a newline in it");
                e.target = link;
        }
        if (S_ISREG(e.mode) && !e.link)
                e.data = data;
        else if (data.len > 0)
                return problem(t, "data in an entry that is no file");
        if (t->entries.n >= t->max_entries) {
                t->problem = "too many entries";
                return -ASH_ERR_LIMIT;
        }
        ash_array_push(&t->entries, e);
        return 0;
}

int ash_deb_tar_parse(AshDebTar *t) {
        Pending p = {};
        size_t at = 0;
        while (t->bytes.len - at >= BLOCK) {
                const Header *h = (const Header *) (t->bytes.ptr + at);
                t->offset = at;
                if (h->name[0] == '\0' && h->checksum[0] == '\0') /* the zero block behind the last entry */
                        return p.path.ptr || p.link.ptr ? problem(t, "ends behind an extension header") : 0;
                uint64_t size;
                if (!checksum_good(h))
                        return problem(t, "header checksum does not match");
                if (number(h->size, sizeof(h->size), &size) < 0)
                        return problem(t, "damaged size");
                bool extension = h->type == 'L' || h->type == 'K' || h->type == 'x' || h->type == 'g';
                if (p.has_size && !extension)
                        size = p.size;
                if (h->type == '1' || h->type == '5' || h->type == '2')
                        size = 0; /* some writers store the linked file's size here */
                at += BLOCK;
                if (size > t->bytes.len - at)
                        return problem(t, "an entry is larger than the archive");
                AshSlice data = ash_slice(t->bytes.ptr + at, (size_t) size);
                int r = 0;
                if (h->type == 'L')
                        p.path = field(data.ptr, data.len);
                else if (h->type == 'K')
                        p.link = field(data.ptr, data.len);
                else if (h->type == 'x')
                        r = parse_pax(data, &p) < 0 ? problem(t, "damaged pax header") : 0;
                else if (h->type != 'g') {
                        r = add_entry(t, h, &p, data);
                        p = (Pending){};
                }
                if (r < 0)
                        return r;
                uint64_t padded = ash_align_up(size, BLOCK);
                if (padded > t->bytes.len - at)
                        return problem(t, "truncated");
                at += (size_t) padded;
        }
        t->offset = at;
        return problem(t, "truncated: no end-of-archive block");
}
