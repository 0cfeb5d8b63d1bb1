/* deb(5): an ar archive of debian-binary, control.tar.*, data.tar.*. */
#include "deb.h"

static const char *const script_names[ASH_DEB_SCRIPT_MAX_] = { "preinst", "postinst", "prerm", "postrm", "config", "triggers" };

const char *ash_deb_script_name(AshDebScript s) { return s >= 0 && s < ASH_DEB_SCRIPT_MAX_ ? script_names[s] : NULL; }

typedef struct Member {
        AshSlice name, data;
} Member;

/* ar(5): a 60 byte header each, data padded to an even size. */
static int next_member(AshSlice file, size_t *at, Member *ret) {
        if (*at == file.len)
                return 0;
        if (file.len - *at < 60 || memcmp(file.ptr + *at + 58, "`\n", 2) != 0)
                return -ASH_ERR_SYNTAX;
        const char *h = file.ptr + *at;
        uint64_t size;
        if (ash_slice_to_u64(ash_slice_trim(ash_slice(h + 48, 10)), 10, &size) < 0)
                return -ASH_ERR_SYNTAX;
        *at += 60;
        if (size > file.len - *at)
                return -ASH_ERR_SYNTAX;
        AshSlice name = ash_slice_trim_right(ash_slice(h, 16));
        if (ash_slice_ends(name, ASH_S("/")))
                name = ash_slice_sub(name, 0, name.len - 1);
        *ret = (Member){ name, ash_slice(file.ptr + *at, (size_t) size) };
        *at += (size_t) size;
        if ((size & 1) && *at < file.len)
                (*at)++;
        return 1;
}

static int tar_member(const Member *m, const char *prefix, AshCompression *ret) {
        static const struct {
                const char *suffix;
                AshCompression c;
        } table[] = { { "", ASH_COMP_NONE }, { ".gz", ASH_COMP_GZIP }, { ".xz", ASH_COMP_XZ }, { ".zst", ASH_COMP_ZSTD }, { ".bz2", ASH_COMP_BZIP2 }, { ".lzma", ASH_COMP_LZMA } };
        if (!ash_slice_starts(m->name, ash_slice_str(prefix)))
                return -ENOENT;
        AshSlice suffix = ash_slice_from(m->name, strlen(prefix));
        for (size_t i = 0; i < ASH_N(table); i++)
                if (ash_slice_eqs(suffix, table[i].suffix)) {
                        *ret = table[i].c;
                        return 0;
                }
        return -ENOENT;
}

/* The three members in their order; members whose names begin with '_' are for others. */
static int find_members(AshSlice file, const char *name, Member *control, Member *data, AshDiags *diags) {
        static const char magic[8] = "!<arch>\n";
        if (file.len < sizeof(magic) || memcmp(file.ptr, magic, sizeof(magic)) != 0)
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, name, "not a Debian package: no ar archive");
        size_t at = sizeof(magic), n = 0;
        for (;;) {
                Member m;
                size_t start = at;
                int r = next_member(file, &at, &m);
                if (r < 0)
                        return ash_fail_file(diags, r, name, "damaged or truncated ar member at offset %zu", start);
                if (r == 0)
                        return ash_fail_file(diags, -ASH_ERR_SYNTAX, name, "not a Debian package: no %s member", n == 0 ? "debian-binary" : n == 1 ? "control.tar" : "data.tar");
                if (m.name.len > 0 && m.name.ptr[0] == '_')
                        continue;
                AshCompression c;
                bool expected = n == 0 ? ash_slice_eqs(m.name, "debian-binary") : tar_member(&m, n == 1 ? "control.tar" : "data.tar", &c) >= 0;
                if (!expected)
                        return ash_fail_file(diags, -ASH_ERR_SYNTAX, name, "unexpected member '%.*s' at offset %zu", ASH_F(m.name), start);
                if (n == 0 && !ash_slice_starts(m.data, ASH_S("2.")))
                        return ash_fail_file(diags, -ASH_ERR_SYNTAX, name, "package format '%.*s', expected 2.0", (int) ASH_MIN(m.data.len, (size_t) 8), m.data.ptr);
                if (n == 1)
                        *control = m;
                if (n == 2) {
                        *data = m;
                        return 0;
                }
                n++;
        }
}

static int unpack(const Member *m, const char *prefix, const char *name, uint64_t limit, size_t expected, AshStr *out, AshDiags *diags) {
        AshCompression c = ASH_COMP_NONE;
        tar_member(m, prefix, &c);
        AshCompression found = ash_compression_detect(m->data);
        if (found != c)
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, name, "member '%.*s' is not what its name says (%s)", ASH_F(m->name), ash_compression_name(found));
        ash_str_reserve(out, expected);
        _cleanup_(ash_reader_free_p) AshReader *r = ash_reader_new_decompress(ash_reader_new_memory(m->data), true, c, limit);
        int e = ash_reader_read_all(r, limit, out);
        if (e == -ASH_ERR_LIMIT)
                return ash_fail_file(diags, e, name, "member '%.*s' unpacks to more than %llu bytes", ASH_F(m->name), (unsigned long long) limit);
        if (e < 0)
                return ash_fail_file(diags, e, name, "member '%.*s' is damaged: %s", ASH_F(m->name), ash_strerror(e));
        return 0;
}

static int parse_tar(AshDeb *d, const AshStr *bytes, const char *member, const char *name, size_t max_entries, AshDebTar *ret, AshDiags *diags) {
        *ret = (AshDebTar){ .bytes = ash_str_slice(bytes), .arena = d->arena, .max_entries = max_entries };
        int r = ash_deb_tar_parse(ret);
        if (r < 0) {
                AshSlice last = ret->entries.n ? ash_array_last(&ret->entries)->path : ASH_S("");
                ash_fail_file(diags, r, name, "%s: %s at offset %llu (behind '%.*s')", member, ret->problem, (unsigned long long) ret->offset, ASH_F(last));
                ash_array_done(&ret->entries);
        }
        return r;
}

static int read_control(AshDeb *d, const Member *m, const char *name, const AshDebLimits *limits, AshDiags *diags) {
        uint64_t limit = limits && limits->control ? limits->control : 64u << 20;
        int r = unpack(m, "control.tar", name, limit, m->data.len * 4 + 65536, &d->meta, diags);
        if (r < 0)
                return r;
        AshDebTar tar;
        r = parse_tar(d, &d->meta, "control.tar", name, 10000, &tar, diags);
        if (r < 0)
                return r;
        ash_array_foreach(&tar.entries, e) {
                if (!S_ISREG(e->mode) || e->link)
                        continue;
                if (ash_slice_eqs(e->path, "control"))
                        d->control = e->data;
                if (ash_slice_eqs(e->path, "conffiles"))
                        d->conffiles = e->data;
                for (int i = 0; i < ASH_DEB_SCRIPT_MAX_; i++)
                        if (ash_slice_eqs(e->path, script_names[i]))
                                d->scripts[i] = e->data;
        }
        ash_array_done(&tar.entries);
        return d->control.ptr ? 0 : ash_fail_file(diags, -ASH_ERR_SYNTAX, name, "control.tar holds no control file");
}

static int bad_path(const char *name, const AshDebEntry *e, const char *text, AshDiags *diags) {
        return ash_fail_file(diags, -ASH_ERR_SYNTAX, name, "data.tar: '%.*s' %s", ASH_F(e->path), text);
}

/* No entry may stand below something that is not a directory: an extractor would follow the link and write elsewhere. */
static int check_parents(const AshMap *names, const AshDebEntry *e, const char *name, AshDiags *diags) {
        for (size_t i = 0; i < e->path.len; i++) {
                if (e->path.ptr[i] != '/')
                        continue;
                const AshDebEntry *parent = ash_map_get(names, ash_slice_sub(e->path, 0, i));
                if (parent && !S_ISDIR(parent->mode))
                        return bad_path(name, e, S_ISLNK(parent->mode) ? "runs through a symbolic link of the package" : "stands below something that is no directory", diags);
        }
        return 0;
}

static int resolve_link(AshDeb *d, const AshMap *names, AshDebEntry *e, const char *name, AshDiags *diags) {
        const AshDebEntry *to = ash_map_get(names, e->target);
        if (!to || to >= e || !S_ISREG(to->mode))
                return bad_path(name, e, "is a hard link to nothing before it", diags);
        e->link = to->link ? to->link : (uint32_t) (to - d->entries) + 1;
        const AshDebEntry *first = &d->entries[e->link - 1];
        e->data = first->data;
        e->mode = first->mode;
        e->target = ASH_NOSLICE;
        return 0;
}

/* Names are unique, links resolve, parents are directories. Directories named twice count once. */
static int check_entries(AshDeb *d, AshDebTar *tar, const char *name, AshDiags *diags) {
        _map_ AshMap names = {};
        ash_map_reserve(&names, tar->entries.n);
        d->entries = ash_arena_new_items(d->arena, AshDebEntry, tar->entries.n ? tar->entries.n : 1);
        ash_array_foreach(&tar->entries, t) {
                bool fresh;
                AshMapEntry *m = ash_map_ensure(&names, t->path, &fresh);
                if (!fresh) {
                        if (!S_ISDIR(t->mode) || !S_ISDIR(((AshDebEntry *) m->value)->mode))
                                return bad_path(name, t, "is there twice", diags);
                        continue;
                }
                AshDebEntry *e = &d->entries[d->n];
                *e = *t;
                m->value = e;
                d->n++;
                int r = e->link ? resolve_link(d, &names, e, name, diags) : 0;
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < d->n; i++) {
                int r = check_parents(&names, &d->entries[i], name, diags);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* What a package may unpack to: its own Installed-Size (KiB, estimated by its builder) with room for tar's headers and for bad estimates. */
static uint64_t unpacked_limit(const AshDeb *d, const AshDebLimits *limits) {
        uint64_t most = limits && limits->unpacked ? limits->unpacked : 16ull << 30, kib;
        if (ash_slice_to_u64(ash_deb822_get(d->control, "Installed-Size"), 10, &kib) < 0 || kib > most >> 10)
                return most;
        return ASH_MIN(most, kib * 2048 + (256ull << 20));
}

static int read_data(AshDeb *d, const Member *m, const char *name, const AshDebLimits *limits, AshDiags *diags) {
        uint64_t limit = unpacked_limit(d, limits), kib = 0;
        (void) ash_slice_to_u64(ash_deb822_get(d->control, "Installed-Size"), 10, &kib);
        /* Address space only: pages count once they are written. */
        size_t expected = (size_t) ASH_MIN(limit, ASH_MIN(kib, 1u << 22) * 1100 + (1u << 16));
        int r = unpack(m, "data.tar", name, limit, expected, &d->data, diags);
        if (r < 0)
                return r;
        AshDebTar tar;
        r = parse_tar(d, &d->data, "data.tar", name, limits && limits->entries ? limits->entries : 4000000, &tar, diags);
        if (r < 0)
                return r;
        r = check_entries(d, &tar, name, diags);
        ash_array_done(&tar.entries);
        return r;
}

int ash_deb_read(AshSlice file, const char *name, const AshDebLimits *limits, AshDeb **ret, AshDiags *diags) {
        _cleanup_(ash_deb_free_p) AshDeb *d = ash_calloc(1, sizeof(AshDeb));
        d->arena = ash_arena_new();
        Member control, data;
        int r = find_members(file, name, &control, &data, diags);
        if (r >= 0)
                r = read_control(d, &control, name, limits, diags);
        if (r >= 0)
                r = read_data(d, &data, name, limits, diags);
        if (r < 0)
                return r;
        *ret = ASH_TAKE(d);
        return 0;
}

void ash_deb_free(AshDeb *d) {
        if (!d)
                return;
        ash_str_done(&d->data);
        ash_str_done(&d->meta);
        ash_arena_free(d->arena);
        free(d);
}
