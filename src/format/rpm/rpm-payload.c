/* The payload: a compressed cpio archive ("newc" and "crc" of cpio(5); "07070X" is rpm's form with only an index into the header's file list). */
#include "rpm-read.h"

enum { NEWC_HEADER = 104 /* behind the six magic bytes */, STRIPPED_HEADER = 8, NAME_MAX_ = 4096, TAIL_MAX = 1 << 20 };

struct AshRpmPayload {
        const AshRpm *rpm;
        const AshRpmFiles *files;
        AshReader *in;
        uint64_t left;         /* bytes of the current member's data */
        size_t cursor;         /* where the next member is looked for first: archives are in the header's order, as a rule */
        uint8_t *seen;         /* a flag a file: 1 a member was there, 2 its data too */
        size_t *last;          /* by group: its last file; made for the first stripped member of one */
        AshArena *arena;
        AshMap paths;          /* made when the order differs */
        bool ended;
};

static int syntax(const AshRpmPayload *p, AshDiags *diags, const char *what) {
        if (p->in->error == -ASH_ERR_LIMIT)
                return ash_fail_file(diags, -ASH_ERR_LIMIT, p->rpm->name, "the payload is larger than the header says (more than %llu bytes)", (unsigned long long) p->in->offset);
        if (p->in->error)
                return ash_fail_file(diags, p->in->error, p->rpm->name, "the payload's compressed data is damaged after %llu bytes (%s)", (unsigned long long) p->in->offset, what);
        return ash_fail_file(diags, -ASH_ERR_SYNTAX, p->rpm->name, "payload offset %llu: %s", (unsigned long long) p->in->offset, what);
}

static uint64_t declared_size(const AshRpmFiles *files) {
        uint64_t total = 65536;
        for (size_t i = 0; i < files->n; i++) {
                const AshRpmFile *f = &files->items[i];
                uint64_t size = S_ISREG(f->mode) || S_ISLNK(f->mode) ? f->size : 0, all = 0;
                if (__builtin_add_overflow(size, 256 + f->dir.len + f->base.len, &all) || __builtin_add_overflow(total, all, &total))
                        return UINT64_MAX;
        }
        return total + TAIL_MAX;
}

static int choose_compression(const AshRpm *rpm, AshCompression *ret, AshDiags *diags) {
        AshSlice format = ash_rpm_string(&rpm->header, ASH_RPMTAG_PAYLOADFORMAT), name = ash_rpm_string(&rpm->header, ASH_RPMTAG_PAYLOADCOMPRESSOR);
        if (format.ptr && !ash_slice_eqs(format, "cpio"))
                return ash_fail_file(diags, -ENOTSUP, rpm->name, "payload format '%.*s' is not supported", ASH_F(format));
        AshCompression found = ash_compression_detect(rpm->payload), named = ash_compression_from_name(name);
        /* Without the tag it is gzip; lzma has no magic bytes of its own. The bytes decide where they can: packages made with "none" say gzip at times. */
        if (found == ASH_COMP_NONE && named == ASH_COMP_LZMA)
                found = ASH_COMP_LZMA;
        if (found == ASH_COMP_NONE && named != ASH_COMP_NONE && ash_slice_starts(rpm->payload, ASH_S("07070")) == false && rpm->payload.len > 0)
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, rpm->name, "the payload is not %.*s", ASH_F(name.ptr ? name : ASH_S("gzip")));
        *ret = found;
        return 0;
}

int ash_rpm_payload_open(const AshRpm *rpm, const AshRpmFiles *files, uint64_t limit, AshRpmPayload **ret, AshDiags *diags) {
        AshCompression compression = ASH_COMP_NONE;
        uint64_t declared = declared_size(files);

        int r = choose_compression(rpm, &compression, diags);
        if (r < 0)
                return r;
        if (limit && limit < declared - TAIL_MAX)
                return ash_fail_file(diags, -ASH_ERR_LIMIT, rpm->name, "the payload has %llu bytes, at most %llu are allowed", (unsigned long long) declared, (unsigned long long) limit);
        _cleanup_(ash_rpm_payload_free_p) AshRpmPayload *p = ash_calloc(1, sizeof(*p));
        p->rpm = rpm;
        p->files = files;
        p->seen = ash_calloc(files->n + 1, 1);
        p->in = ash_reader_new_decompress(ash_reader_new_memory(rpm->payload), true, compression, declared);
        *ret = ASH_TAKE(p);
        return 0;
}

void ash_rpm_payload_free(AshRpmPayload *p) {
        if (!p)
                return;
        ash_reader_free(p->in);
        ash_map_done(&p->paths);
        ash_arena_free(p->arena);
        free(p->seen);
        free(p->last);
        free(p);
}

/* ---- which file of the header is it ---- */
static bool is_path_of(const AshRpmFile *f, AshSlice path) {
        return path.len == f->dir.len + f->base.len && ash_slice_eq(ash_slice_sub(path, 0, f->dir.len), f->dir) && ash_slice_eq(ash_slice_from(path, f->dir.len), f->base);
}

static void map_paths(AshRpmPayload *p) {
        p->arena = ash_arena_new();
        ash_map_reserve(&p->paths, p->files->n);
        for (size_t i = 0; i < p->files->n; i++) {
                const AshRpmFile *f = &p->files->items[i];
                ash_map_put(&p->paths, ash_slice_str(ash_arena_printf(p->arena, "%.*s%.*s", ASH_F(f->dir), ASH_F(f->base))), (void *) (uintptr_t) i, NULL);
        }
}

static bool find_file(AshRpmPayload *p, AshSlice path, size_t *ret) {
        if (ash_slice_starts(path, ASH_S("./")))
                path = ash_slice_from(path, p->rpm->source ? 2 : 1);
        while (p->cursor < p->files->n && p->files->items[p->cursor].flags & ASH_RPMFILE_GHOST && !is_path_of(&p->files->items[p->cursor], path))
                p->cursor++;
        if (p->cursor < p->files->n && is_path_of(&p->files->items[p->cursor], path)) {
                *ret = p->cursor++;
                return true;
        }
        if (!p->arena)
                map_paths(p);
        AshMapEntry *e = ash_map_find(&p->paths, path);
        if (!e)
                return false;
        *ret = (size_t) (uintptr_t) e->value;
        p->cursor = *ret + 1;
        return true;
}

/* ---- members ---- */
static bool read_bytes(AshRpmPayload *p, void *data, size_t n) { return ash_reader_read(p->in, data, n) == (ssize_t) n; }

static bool skip_pad(AshRpmPayload *p) {
        char pad[4];
        size_t n = (4 - p->in->offset % 4) % 4;
        return n == 0 || read_bytes(p, pad, n);
}

static bool hex_field(const char *field, uint64_t *ret) { return ash_slice_to_u64(ash_slice(field, 8), 16, ret) >= 0; }

typedef struct Member {
        size_t file;
        uint64_t size;
        bool trailer, stripped;
} Member;

static int read_stripped(AshRpmPayload *p, Member *ret, AshDiags *diags) {
        char field[STRIPPED_HEADER];
        uint64_t index;
        if (!read_bytes(p, field, sizeof(field)) || !hex_field(field, &index))
                return syntax(p, diags, "bad stripped member header");
        if (!skip_pad(p))
                return syntax(p, diags, "ends within a member header");
        if (index == UINT32_MAX) {
                ret->trailer = true;
                return 0;
        }
        if (index >= p->files->n)
                return syntax(p, diags, "a member's file index is out of range");
        *ret = (Member){ .file = index, .stripped = true };
        return 0;
}

static int read_newc(AshRpmPayload *p, Member *ret, AshDiags *diags) {
        char header[NEWC_HEADER], name[NAME_MAX_ + 1];
        uint64_t size, name_size;
        if (!read_bytes(p, header, sizeof(header)) || !hex_field(header + 6 * 8, &size) || !hex_field(header + 11 * 8, &name_size))
                return syntax(p, diags, "bad member header");
        if (name_size < 1 || name_size > NAME_MAX_)
                return syntax(p, diags, "a member's name is too long or empty");
        if (!read_bytes(p, name, name_size) || !skip_pad(p))
                return syntax(p, diags, "ends within a member's name");
        AshSlice path = ash_slice(name, strnlen(name, name_size));
        if (ash_slice_eqs(path, "TRAILER!!!")) {
                ret->trailer = true;
                return 0;
        }
        size_t file = 0;
        if (!find_file(p, path, &file))
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, p->rpm->name, "payload offset %llu: '%.*s' is not in the header's file list", (unsigned long long) p->in->offset, ASH_F(path));
        *ret = (Member){ .file = file, .size = size };
        return 0;
}

static void find_last(AshRpmPayload *p) {
        p->last = ash_calloc(p->files->n, sizeof *p->last);
        for (size_t i = 0; i < p->files->n; i++)
                if (p->files->items[i].nlink > 1)
                        p->last[p->files->items[i].nlink_group] = i;
}

/* Bytes of data that a stripped member has: of a hard link group the last file carries them. */
static uint64_t stripped_size(AshRpmPayload *p, size_t i) {
        const AshRpmFile *f = &p->files->items[i];
        if (S_ISLNK(f->mode))
                return f->size;
        if (!S_ISREG(f->mode))
                return 0;
        if (f->nlink > 1 && !p->last)
                find_last(p);
        return f->nlink > 1 && p->last[f->nlink_group] != i ? 0 : f->size;
}

static int bad_member(AshRpmPayload *p, const AshRpmFile *f, const char *what, AshDiags *diags) {
        return ash_fail_file(diags, -ASH_ERR_SYNTAX, p->rpm->name, "payload member '%.*s%.*s' %s", ASH_F(f->dir), ASH_F(f->base), what);
}

static int check_link(AshRpmPayload *p, const AshRpmFile *f, AshDiags *diags) {
        char target[NAME_MAX_];
        if (p->left > sizeof(target))
                return bad_member(p, f, "is a symbolic link with too long a target", diags);
        size_t n = p->left;
        if (!read_bytes(p, target, n))
                return syntax(p, diags, "ends within a symbolic link");
        p->left = 0;
        return ash_slice_eq(ash_slice(target, strnlen(target, n)), f->link) ? 0 : bad_member(p, f, "links elsewhere than the header says", diags);
}

/* Agrees a member with its file; leaves its data as the current one. 1: give it out. */
static int accept(AshRpmPayload *p, Member *m, AshDiags *diags) {
        const AshRpmFile *f = &p->files->items[m->file];

        if (m->stripped)
                m->size = stripped_size(p, m->file);
        p->left = m->size;
        if (f->flags & ASH_RPMFILE_GHOST) /* rpm before 4.11 put some there */
                return 0;
        if (p->seen[m->file])
                return bad_member(p, f, "is there twice", diags);
        p->seen[m->file] = 1;
        if (S_ISLNK(f->mode))
                return check_link(p, f, diags) < 0 ? -ASH_ERR_SYNTAX : 1;
        if (!S_ISREG(f->mode))
                return m->size == 0 ? 1 : bad_member(p, f, "has data but is no file", diags);
        if (m->size == 0 && f->nlink > 1 && f->size > 0)
                return 1; /* a hard link; another one carries the data */
        if (m->size != f->size)
                return bad_member(p, f, "has another size than the header says", diags);
        if (f->nlink > 1 && f->size > 0) {
                if (p->seen[f->nlink_group] & 2)
                        return bad_member(p, f, "is a hard link whose data comes twice", diags);
                p->seen[f->nlink_group] |= 2;
        }
        return 1;
}

static int finish(AshRpmPayload *p, AshDiags *diags) {
        char buffer[4096];
        uint64_t behind = 0;
        p->ended = true;
        for (ssize_t n; (n = ash_reader_read(p->in, buffer, sizeof(buffer))) > 0;) {
                for (ssize_t i = 0; i < n; i++)
                        if (buffer[i])
                                return syntax(p, diags, "data behind the end of the archive");
                behind += (uint64_t) n;
                if (behind > TAIL_MAX)
                        return ash_fail_file(diags, -ASH_ERR_LIMIT, p->rpm->name, "more than %d zeros behind the payload's end", TAIL_MAX);
        }
        if (p->in->error)
                return syntax(p, diags, "behind the end of the archive");
        for (size_t i = 0; i < p->files->n; i++) {
                const AshRpmFile *f = &p->files->items[i];
                if (f->flags & ASH_RPMFILE_GHOST)
                        continue;
                if (!(p->seen[i] & 1))
                        return bad_member(p, f, "is missing", diags);
                if (f->nlink > 1 && f->size > 0 && S_ISREG(f->mode) && !(p->seen[f->nlink_group] & 2))
                        return bad_member(p, f, "is a hard link without data", diags);
        }
        return 0;
}

static int skip_rest(AshRpmPayload *p, AshDiags *diags) {
        if (p->left && ash_reader_skip(p->in, p->left) < 0)
                return syntax(p, diags, "ends within a member's data");
        p->left = 0;
        return skip_pad(p) ? 0 : syntax(p, diags, "ends within a member's padding");
}

int ash_rpm_payload_next(AshRpmPayload *p, size_t *ret_file, uint64_t *ret_size, AshDiags *diags) {
        if (p->ended)
                return 0;
        if (p->files->n == 0 && p->rpm->payload.len == 0)
                return 0;
        for (;;) {
                char magic[6];
                Member m = {};
                int r = skip_rest(p, diags);
                if (r < 0)
                        return r;
                if (!read_bytes(p, magic, sizeof(magic)))
                        return syntax(p, diags, "ends without a trailer");
                if (memcmp(magic, "07070X", 6) == 0)
                        r = read_stripped(p, &m, diags);
                else if (memcmp(magic, "070701", 6) == 0 || memcmp(magic, "070702", 6) == 0)
                        r = read_newc(p, &m, diags);
                else
                        r = syntax(p, diags, "not a cpio member");
                if (r < 0)
                        return r;
                if (m.trailer)
                        return finish(p, diags);
                r = accept(p, &m, diags);
                if (r < 0)
                        return r;
                if (r > 0) {
                        *ret_file = m.file;
                        *ret_size = p->left;
                        return 1;
                }
        }
}

ssize_t ash_rpm_payload_read(AshRpmPayload *p, void *data, size_t n, AshDiags *diags) {
        size_t want = (size_t) ASH_MIN((uint64_t) n, p->left);
        if (want == 0)
                return 0;
        if (!read_bytes(p, data, want))
                return syntax(p, diags, "ends within a member's data");
        p->left -= want;
        return (ssize_t) want;
}
