/* RPM headers: index and data from untrusted bytes (rpm.org, "RPM V4 Package format", section "Header structure"). */
#include "rpm-read.h"

enum {
        ENTRY_SIZE = 16,
        TAGS_MAX = 0xffff,
        DATA_MAX = 0x0fffffff,            /* 256 MiB, as rpm */
        SIG_TAGS_MAX = 32,
        SIG_DATA_MAX = 64 * 1024 * 1024,
        ARRAY_MAX = 0xfffff,              /* a million items, as rpm; BIN excepted */
};

static const uint8_t type_size[ASH_RPM_TYPE_MAX_] = { [ASH_RPM_CHAR] = 1, [ASH_RPM_INT8] = 1, [ASH_RPM_INT16] = 2, [ASH_RPM_INT32] = 4, [ASH_RPM_INT64] = 8, [ASH_RPM_BIN] = 1 };

/* Tags that the reader's callers rely on: with another type they are refused, so that no tag can look as if it were not there. Sorted by tag. */
static const struct { uint32_t tag; uint8_t type; } known_types[] = {
        { ASH_RPMTAG_NAME, ASH_RPM_STRING }, { ASH_RPMTAG_VERSION, ASH_RPM_STRING }, { ASH_RPMTAG_RELEASE, ASH_RPM_STRING }, { ASH_RPMTAG_EPOCH, ASH_RPM_INT32 },
        { ASH_RPMTAG_OS, ASH_RPM_STRING }, { ASH_RPMTAG_ARCH, ASH_RPM_STRING }, { ASH_RPMTAG_PREIN, ASH_RPM_STRING }, { ASH_RPMTAG_POSTIN, ASH_RPM_STRING },
        { ASH_RPMTAG_PREUN, ASH_RPM_STRING }, { ASH_RPMTAG_POSTUN, ASH_RPM_STRING }, { ASH_RPMTAG_OLDFILENAMES, ASH_RPM_STRING_ARRAY },
        { ASH_RPMTAG_FILESIZES, ASH_RPM_INT32 }, { ASH_RPMTAG_FILEMODES, ASH_RPM_INT16 }, { ASH_RPMTAG_FILERDEVS, ASH_RPM_INT16 }, { ASH_RPMTAG_FILEMTIMES, ASH_RPM_INT32 },
        { ASH_RPMTAG_FILEDIGESTS, ASH_RPM_STRING_ARRAY }, { ASH_RPMTAG_FILELINKTOS, ASH_RPM_STRING_ARRAY }, { ASH_RPMTAG_FILEFLAGS, ASH_RPM_INT32 },
        { ASH_RPMTAG_FILEUSERNAME, ASH_RPM_STRING_ARRAY }, { ASH_RPMTAG_FILEGROUPNAME, ASH_RPM_STRING_ARRAY }, { ASH_RPMTAG_SOURCERPM, ASH_RPM_STRING },
        { ASH_RPMTAG_FILEVERIFYFLAGS, ASH_RPM_INT32 }, { ASH_RPMTAG_PROVIDENAME, ASH_RPM_STRING_ARRAY }, { ASH_RPMTAG_REQUIREFLAGS, ASH_RPM_INT32 },
        { ASH_RPMTAG_REQUIRENAME, ASH_RPM_STRING_ARRAY }, { ASH_RPMTAG_REQUIREVERSION, ASH_RPM_STRING_ARRAY }, { ASH_RPMTAG_CONFLICTFLAGS, ASH_RPM_INT32 },
        { ASH_RPMTAG_CONFLICTNAME, ASH_RPM_STRING_ARRAY }, { ASH_RPMTAG_CONFLICTVERSION, ASH_RPM_STRING_ARRAY }, { ASH_RPMTAG_OBSOLETENAME, ASH_RPM_STRING_ARRAY },
        { ASH_RPMTAG_FILEDEVICES, ASH_RPM_INT32 }, { ASH_RPMTAG_FILEINODES, ASH_RPM_INT32 }, { ASH_RPMTAG_FILELANGS, ASH_RPM_STRING_ARRAY },
        { ASH_RPMTAG_PROVIDEFLAGS, ASH_RPM_INT32 }, { ASH_RPMTAG_PROVIDEVERSION, ASH_RPM_STRING_ARRAY }, { ASH_RPMTAG_OBSOLETEFLAGS, ASH_RPM_INT32 },
        { ASH_RPMTAG_OBSOLETEVERSION, ASH_RPM_STRING_ARRAY }, { ASH_RPMTAG_DIRINDEXES, ASH_RPM_INT32 }, { ASH_RPMTAG_BASENAMES, ASH_RPM_STRING_ARRAY },
        { ASH_RPMTAG_DIRNAMES, ASH_RPM_STRING_ARRAY }, { ASH_RPMTAG_PAYLOADFORMAT, ASH_RPM_STRING }, { ASH_RPMTAG_PAYLOADCOMPRESSOR, ASH_RPM_STRING },
        { ASH_RPMTAG_FILECOLORS, ASH_RPM_INT32 }, { ASH_RPMTAG_LONGFILESIZES, ASH_RPM_INT64 }, { ASH_RPMTAG_FILECAPS, ASH_RPM_STRING_ARRAY },
        { ASH_RPMTAG_FILEDIGESTALGO, ASH_RPM_INT32 }, { ASH_RPMTAG_PAYLOADDIGEST, ASH_RPM_STRING_ARRAY }, { ASH_RPMTAG_PAYLOADDIGESTALGO, ASH_RPM_INT32 },
        { ASH_RPMTAG_PAYLOADDIGESTALT, ASH_RPM_STRING_ARRAY },
};

static uint32_t be32(const char *p) {
        const uint8_t *b = (const uint8_t *) p;
        return (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3];
}

static bool is_string_class(uint32_t type) { return type == ASH_RPM_STRING || type == ASH_RPM_STRING_ARRAY || type == ASH_RPM_I18NSTRING; }

static bool type_fits_tag(uint32_t tag, uint32_t type) {
        for (size_t i = 0; i < ASH_N(known_types) && known_types[i].tag <= tag; i++)
                if (known_types[i].tag == tag)
                        return known_types[i].type == type || (is_string_class(known_types[i].type) && is_string_class(type));
        return true;
}

/* Bytes that a value takes in data from offset on; false when it does not fit. */
static bool value_length(AshSlice data, uint32_t type, uint32_t offset, uint32_t count, uint32_t *ret) {
        uint64_t room = data.len - offset, len = 0;

        if (!is_string_class(type)) {
                len = (uint64_t) type_size[type] * count;
        } else {
                if (type == ASH_RPM_STRING && count != 1)
                        return false;
                for (uint32_t i = 0; i < count; i++) {
                        const char *start = data.ptr + offset + len, *end = len < room ? memchr(start, 0, room - len) : NULL;
                        if (!end)
                                return false;
                        len += (uint64_t) (end - start) + 1;
                }
        }
        if (len == 0 || len > room)
                return false;
        *ret = (uint32_t) len;
        return true;
}

/* What is wrong with an entry, or NULL. */
static const char *check_entry(const AshRpmTag *t, uint32_t type, size_t data_len, bool typed) {
        if (t->tag < ASH_RPMTAG_HEADERI18NTABLE)
                return "tag number out of range";
        if (type < ASH_RPM_CHAR || type >= ASH_RPM_TYPE_MAX_)
                return "unknown type";
        if (t->count < 1 || t->count > data_len)
                return "count out of range";
        if (type != ASH_RPM_BIN && t->count > ARRAY_MAX)
                return "array too long";
        if (t->offset >= data_len)
                return "offset behind the data";
        if (type_size[type] > 1 && t->offset % type_size[type])
                return "offset not aligned";
        if (typed && !type_fits_tag(t->tag, type))
                return "wrong type for this tag";
        return NULL;
}

typedef struct Parse {
        AshSlice index, data;
        uint32_t il, dl, region; /* region 0: none */
        uint32_t trailer;        /* offset of the region's trailer in data; == dl without a region */
        const char *name;
        uint64_t base;
        AshDiags *diags;
} Parse;

/* The region: first entry a BIN of 16 bytes that points at a trailer, which holds minus the size of the index that it covers. */
static int check_region(Parse *p, uint32_t want) {
        uint32_t tag = be32(p->index.ptr), type = be32(p->index.ptr + 4), offset = be32(p->index.ptr + 8), count = be32(p->index.ptr + 12);

        p->trailer = p->dl;
        if (tag != ASH_RPMTAG_HEADERSIGNATURES && tag != ASH_RPMTAG_HEADERIMMUTABLE) {
                if (want)
                        return ash_fail_file(p->diags, -ASH_ERR_SYNTAX, p->name, "header at offset %llu has no region (first tag %u)", (unsigned long long) p->base, tag);
                return 0;
        }
        if (want && tag != want)
                return ash_fail_file(p->diags, -ASH_ERR_SYNTAX, p->name, "header at offset %llu has the wrong region (tag %u)", (unsigned long long) p->base, tag);
        if (type != ASH_RPM_BIN || count != ENTRY_SIZE || offset > p->dl || p->dl - offset < ENTRY_SIZE)
                return ash_fail_file(p->diags, -ASH_ERR_SYNTAX, p->name, "header at offset %llu: bad region entry (type %u, offset %u, count %u, %u bytes of data)",
                                     (unsigned long long) p->base, type, offset, count, p->dl);
        const char *t = p->data.ptr + offset;
        uint32_t t_tag = be32(t), covered = 0u - be32(t + 8);
        if (tag == ASH_RPMTAG_HEADERSIGNATURES && t_tag == 61) /* HEADERIMAGE: some old packages */
                t_tag = tag;
        bool whole = covered == (uint64_t) p->il * ENTRY_SIZE && offset + ENTRY_SIZE == p->dl;
        if (t_tag != tag || be32(t + 4) != ASH_RPM_BIN || be32(t + 12) != ENTRY_SIZE || covered % ENTRY_SIZE || covered / ENTRY_SIZE > p->il || (want && !whole))
                return ash_fail_file(p->diags, -ASH_ERR_SYNTAX, p->name, "header at offset %llu: bad region trailer (covers %u bytes of index of %u, data %u of %u)",
                                     (unsigned long long) p->base, covered, p->il * ENTRY_SIZE, offset + ENTRY_SIZE, p->dl);
        p->region = tag;
        p->trailer = offset;
        return 0;
}

static int read_entries(Parse *p, AshRpmTag *tags, uint32_t *ret_n) {
        uint64_t end = 0;
        uint32_t n = 0;
        bool typed = p->region != ASH_RPMTAG_HEADERSIGNATURES; /* numbers of signature tags collide with those of the main header */

        for (uint32_t i = p->region ? 1 : 0; i < p->il; i++) {
                const char *e = p->index.ptr + (size_t) i * ENTRY_SIZE;
                uint32_t type = be32(e + 4);
                AshRpmTag t = { .tag = be32(e), .offset = be32(e + 8), .count = be32(e + 12) };

                const char *wrong = check_entry(&t, type, p->dl, typed);
                if (!wrong && end > t.offset)
                        wrong = "data overlaps the one before";
                if (!wrong && !value_length(p->data, type, t.offset, t.count, &t.len))
                        wrong = "data does not fit";
                if (!wrong && p->region && t.offset < p->trailer + ENTRY_SIZE && (uint64_t) t.offset + t.len > p->trailer)
                        wrong = "data overlaps the region's trailer";
                if (wrong)
                        return ash_fail_file(p->diags, -ASH_ERR_SYNTAX, p->name, "header at offset %llu, entry %u: %s (tag %u, type %u, offset %u, count %u)",
                                             (unsigned long long) p->base, i, wrong, t.tag, type, t.offset, t.count);
                end = (uint64_t) t.offset + t.len;
                t.type = type;
                tags[n++] = t;
        }
        *ret_n = n;
        return 0;
}

static int cmp_tags(const void *a, const void *b) {
        uint32_t x = ((const AshRpmTag *) a)->tag, y = ((const AshRpmTag *) b)->tag;
        return x < y ? -1 : x > y;
}

static int check_lengths(const Parse *p, uint32_t region, size_t blob_len) {
        bool sig = region == ASH_RPMTAG_HEADERSIGNATURES;
        if (p->il < 1 || p->il > (sig ? SIG_TAGS_MAX : TAGS_MAX))
                return ash_fail_file(p->diags, -ASH_ERR_LIMIT, p->name, "header at offset %llu: %u tags, at most %d are allowed and one is needed", (unsigned long long) p->base, p->il,
                                     sig ? SIG_TAGS_MAX : TAGS_MAX);
        if (p->dl > (sig ? SIG_DATA_MAX : DATA_MAX))
                return ash_fail_file(p->diags, -ASH_ERR_LIMIT, p->name, "header at offset %llu: %u bytes of data, at most %d are allowed", (unsigned long long) p->base, p->dl,
                                     sig ? SIG_DATA_MAX : DATA_MAX);
        if (blob_len != 8 + (uint64_t) p->il * ENTRY_SIZE + p->dl)
                return ash_fail_file(p->diags, -ASH_ERR_SYNTAX, p->name, "header at offset %llu: %u tags and %u bytes of data need %llu bytes, there are %zu",
                                     (unsigned long long) p->base, p->il, p->dl, (unsigned long long) (8 + (uint64_t) p->il * ENTRY_SIZE + p->dl), blob_len);
        return 0;
}

int ash_rpm_header_parse(AshSlice blob, uint32_t region, const char *name, uint64_t base, AshRpmHeader *ret, AshDiags *diags) {
        Parse p = { .name = name, .base = base, .diags = diags };

        if (blob.len < 8)
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, name, "header at offset %llu is cut off", (unsigned long long) base);
        p.il = be32(blob.ptr);
        p.dl = be32(blob.ptr + 4);
        int r = check_lengths(&p, region, blob.len);
        if (r < 0)
                return r;
        p.index = ash_slice_sub(blob, 8, (size_t) p.il * ENTRY_SIZE);
        p.data = ash_slice_from(blob, 8 + p.index.len);
        r = check_region(&p, region);
        if (r < 0)
                return r;

        _free_ AshRpmTag *tags = ash_calloc(p.il, sizeof(AshRpmTag));
        uint32_t n = 0;
        r = read_entries(&p, tags, &n);
        if (r < 0)
                return r;
        for (uint32_t i = 1; i < n; i++)
                if (tags[i].tag <= tags[i - 1].tag) {
                        qsort(tags, n, sizeof(*tags), cmp_tags);
                        break;
                }
        for (uint32_t i = 1; i < n; i++)
                if (tags[i].tag == tags[i - 1].tag)
                        return ash_fail_file(diags, -ASH_ERR_SYNTAX, name, "header at offset %llu has tag %u twice", (unsigned long long) base, tags[i].tag);
        *ret = (AshRpmHeader){ .blob = blob, .data = p.data, .tags = ASH_TAKE(tags), .n = n };
        return 0;
}

void ash_rpm_header_done(AshRpmHeader *h) {
        free(h->tags);
        *h = (AshRpmHeader){};
}

const AshRpmTag *ash_rpm_tag(const AshRpmHeader *h, uint32_t tag) {
        uint32_t low = 0, high = h->n;
        while (low < high) {
                uint32_t mid = low + (high - low) / 2;
                if (h->tags[mid].tag == tag)
                        return &h->tags[mid];
                if (h->tags[mid].tag < tag)
                        low = mid + 1;
                else
                        high = mid;
        }
        return NULL;
}

AshSlice ash_rpm_string(const AshRpmHeader *h, uint32_t tag) {
        const AshRpmTag *t = ash_rpm_tag(h, tag);
        return t && is_string_class(t->type) ? ash_slice_str(h->data.ptr + t->offset) : ASH_NOSLICE;
}

AshSlice ash_rpm_bytes(const AshRpmHeader *h, uint32_t tag) {
        const AshRpmTag *t = ash_rpm_tag(h, tag);
        return t ? ash_slice(h->data.ptr + t->offset, t->len) : ASH_NOSLICE;
}

uint32_t ash_rpm_count(const AshRpmHeader *h, uint32_t tag) {
        const AshRpmTag *t = ash_rpm_tag(h, tag);
        return t ? t->count : 0;
}

uint64_t ash_rpm_number_at(const AshRpmHeader *h, const AshRpmTag *t, uint32_t i) {
        if (!t || i >= t->count || is_string_class(t->type) || t->type == ASH_RPM_BIN)
                return 0;
        size_t size = type_size[t->type];
        const uint8_t *b = (const uint8_t *) h->data.ptr + t->offset + i * size;
        uint64_t v = 0;
        for (size_t k = 0; k < size; k++)
                v = v << 8 | b[k];
        return v;
}

bool ash_rpm_number(const AshRpmHeader *h, uint32_t tag, uint64_t *ret) {
        const AshRpmTag *t = ash_rpm_tag(h, tag);
        if (!t || is_string_class(t->type) || t->type == ASH_RPM_BIN)
                return false;
        *ret = ash_rpm_number_at(h, t, 0);
        return true;
}

AshSlice *ash_rpm_strings(const AshRpmHeader *h, uint32_t tag, AshArena *arena, uint32_t *ret_n) {
        const AshRpmTag *t = ash_rpm_tag(h, tag);
        if (!t || !is_string_class(t->type)) {
                *ret_n = 0;
                return NULL;
        }
        AshSlice *strings = ash_arena_new_items(arena, AshSlice, t->count);
        const char *s = h->data.ptr + t->offset;
        for (uint32_t i = 0; i < t->count; i++) {
                strings[i] = ash_slice_str(s); /* its NUL was checked when the header was parsed */
                s += strings[i].len + 1;
        }
        *ret_n = t->count;
        return strings;
}
