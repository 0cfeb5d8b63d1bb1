/* The universe: a closed archive, parsed and translated once, then one blob of integers and strings that is mapped again as it is. */
#include "apt-universe.h"

enum { BLOB_VERSION = 4 };
static const char blob_magic[8] = "ASHAPT1\n";

typedef struct BlobHeader {
        char magic[8];
        uint32_t version, importer;
        uint32_t n_packages, n_deps, n_strings, by_name_offset;
        uint64_t packages_offset, deps_offset, strings_offset, total;
        AshAptStats stats;
} BlobHeader;

struct AshApt {
        AshBytes bytes;
        AshStr built;
        const BlobHeader *h;
        const AptBlobPackage *packages;
        const AptBlobDep *deps;
        const uint32_t *by_name; /* indices, sorted by name, then newest first */
        const char *strings;
};

static AshSlice text(const AshApt *a, uint32_t at) { return ash_slice_str(a->strings + at); }

/* ---- building ---- */
void apt_builder_done(AptBuilder *b) {
        ash_map_done(&b->interned);
        ash_array_done(&b->packages);
        ash_array_done(&b->deps);
        ash_str_done(&b->strings);
        ash_str_done(&b->scratch);
        ash_arena_free(b->arena);
}

void apt_builder_init(AptBuilder *b) {
        *b = (AptBuilder){ .arena = ash_arena_new() };
        ash_str_append_char(&b->strings, '\0'); /* offset 0: the empty text */
}

uint32_t apt_intern(AptBuilder *b, AshSlice s) {
        if (s.len == 0)
                return 0;
        bool fresh;
        AshMapEntry *e = ash_map_ensure(&b->interned, s, &fresh);
        if (fresh) {
                e->key = ash_arena_slice(b->arena, s);
                e->value = (void *) (uintptr_t) b->strings.len;
                ash_str_append(&b->strings, s);
                ash_str_append_char(&b->strings, '\0');
        }
        return (uint32_t) (uintptr_t) e->value;
}

void apt_add_dep(AptBuilder *b, AshSlice name, uint32_t flags, AshSlice evr) {
        AptBlobDep d = { apt_intern(b, name), apt_intern(b, evr), flags };
        ash_array_push(&b->deps, d);
}

typedef struct SortKey {
        const char *name;
        uint32_t index;
        AshDebVersion version;
} SortKey;

static int name_order(const void *x, const void *y) {
        const SortKey *a = x, *b = y;
        int r = strcmp(a->name, b->name);
        if (r == 0)
                r = ash_deb_version_cmp(&b->version, &a->version);
        return r != 0 ? r : a->index < b->index ? -1 : a->index > b->index;
}

static void append_by_name(const AptBuilder *b, AshStr *out) {
        SortKey *keys = ash_calloc(b->packages.n + 1, sizeof(*keys));
        for (size_t i = 0; i < b->packages.n; i++) {
                keys[i] = (SortKey){ b->strings.ptr + b->packages.items[i].name, (uint32_t) i, {} };
                (void) ash_deb_version_parse(ash_slice_str(b->strings.ptr + b->packages.items[i].version), &keys[i].version);
        }
        qsort(keys, b->packages.n, sizeof(*keys), name_order);
        for (size_t i = 0; i < b->packages.n; i++)
                ash_str_append(out, ash_slice((const char *) &keys[i].index, 4));
        free(keys);
}

/* A damaged cache must not lead outside it: every offset of a string, every index. */
static bool offsets_good(const BlobHeader *h, AshSlice bytes) {
        const AptBlobPackage *packages = (const AptBlobPackage *) (bytes.ptr + h->packages_offset);
        const AptBlobDep *deps = (const AptBlobDep *) (bytes.ptr + h->deps_offset);
        const uint32_t *by_name = (const uint32_t *) (bytes.ptr + h->by_name_offset);
        uint32_t most = 0, last = 0, index = 0;
        for (uint32_t i = 0; i < h->n_packages; i++) {
                const uint32_t *texts = &packages[i].name;
                for (size_t k = 0; k < offsetof(AptBlobPackage, epoch) / sizeof(uint32_t); k++)
                        most = ASH_MAX(most, texts[k]);
                for (int kind = 0; kind <= ASH_DEP_MAX_; kind++) {
                        if (packages[i].deps[kind] < last)
                                return false;
                        last = packages[i].deps[kind];
                }
                index = ASH_MAX(index, by_name[i]);
        }
        for (uint32_t i = 0; i < h->n_deps; i++)
                most = ASH_MAX(most, ASH_MAX(deps[i].name, deps[i].evr));
        return most < h->n_strings && last <= h->n_deps && (h->n_packages == 0 || index < h->n_packages);
}

static int attach(AshApt *a, AshSlice bytes) {
        const BlobHeader *h = (const BlobHeader *) bytes.ptr;
        if (bytes.len < sizeof(*h) || memcmp(h->magic, blob_magic, 8) != 0 || h->version != BLOB_VERSION || h->importer != ASH_APT_IMPORTER_VERSION || h->total != bytes.len)
                return -ASH_ERR_SYNTAX;
        if (h->packages_offset + (uint64_t) h->n_packages * sizeof(AptBlobPackage) > h->deps_offset || h->deps_offset + (uint64_t) h->n_deps * sizeof(AptBlobDep) > h->by_name_offset ||
            h->by_name_offset + (uint64_t) h->n_packages * 4 > h->strings_offset || h->strings_offset + (uint64_t) h->n_strings != bytes.len || h->n_strings == 0 ||
            bytes.ptr[bytes.len - 1] != '\0')
                return -ASH_ERR_SYNTAX;
        if (!offsets_good(h, bytes))
                return -ASH_ERR_SYNTAX;
        a->h = h;
        a->packages = (const AptBlobPackage *) (bytes.ptr + h->packages_offset);
        a->deps = (const AptBlobDep *) (bytes.ptr + h->deps_offset);
        a->by_name = (const uint32_t *) (bytes.ptr + h->by_name_offset);
        a->strings = bytes.ptr + h->strings_offset;
        return 0;
}

int apt_builder_finish(AptBuilder *b, AshApt **ret) {
        _cleanup_(ash_apt_free_p) AshApt *a = ash_calloc(1, sizeof(AshApt));
        BlobHeader h = { .version = BLOB_VERSION, .importer = ASH_APT_IMPORTER_VERSION, .n_packages = (uint32_t) b->packages.n, .n_deps = (uint32_t) b->deps.n,
                         .n_strings = (uint32_t) b->strings.len, .stats = b->stats };
        memcpy(h.magic, blob_magic, 8);
        h.packages_offset = ash_align_up(sizeof(h), 8);
        h.deps_offset = h.packages_offset + b->packages.n * sizeof(AptBlobPackage);
        h.by_name_offset = (uint32_t) (h.deps_offset + b->deps.n * sizeof(AptBlobDep));
        h.strings_offset = h.by_name_offset + b->packages.n * 4ull;
        h.total = h.strings_offset + b->strings.len;
        ash_str_reserve(&a->built, h.total);
        ash_str_append(&a->built, ash_slice((const char *) &h, sizeof(h)));
        ash_str_append_fill(&a->built, '\0', h.packages_offset - sizeof(h));
        ash_str_append(&a->built, ash_slice((const char *) b->packages.items, b->packages.n * sizeof(AptBlobPackage)));
        ash_str_append(&a->built, ash_slice((const char *) b->deps.items, b->deps.n * sizeof(AptBlobDep)));
        append_by_name(b, &a->built);
        ash_str_append(&a->built, ash_str_slice(&b->strings));
        int r = attach(a, ash_str_slice(&a->built));
        if (r < 0)
                return r;
        *ret = ASH_TAKE(a);
        return 0;
}

/* ---- reading ---- */
AshSlice ash_apt_blob(const AshApt *a) { return ash_slice((const char *) a->h, a->h->total); }

int ash_apt_load(AshBytes *bytes, AshApt **ret) {
        _cleanup_(ash_apt_free_p) AshApt *a = ash_calloc(1, sizeof(AshApt));
        int r = attach(a, ash_bytes_slice(bytes));
        if (r < 0)
                return r;
        a->bytes = *bytes;
        *bytes = (AshBytes){};
        *ret = ASH_TAKE(a);
        return 0;
}

void ash_apt_free(AshApt *a) {
        if (!a)
                return;
        ash_bytes_done(&a->bytes);
        ash_str_done(&a->built);
        free(a);
}

size_t ash_apt_count(const AshApt *a) { return a->h->n_packages; }
const AshAptStats *ash_apt_stats(const AshApt *a) { return &a->h->stats; }

void ash_apt_package(const AshApt *a, size_t i, AshAptPackage *ret) {
        const AptBlobPackage *p = &a->packages[i];
        *ret = (AshAptPackage){
                .name = text(a, p->name), .version = text(a, p->version), .rpm_version = text(a, p->rpm_version), .rpm_release = text(a, p->rpm_release),
                .rpm_arch = text(a, p->rpm_arch), .epoch = p->epoch, .has_epoch = p->flags & APT_HAS_EPOCH, .arch = text(a, p->arch), .source = text(a, p->source),
                .source_version = text(a, p->source_version), .summary = text(a, p->summary), .url = text(a, p->url), .section = text(a, p->section),
                .filename = text(a, p->filename), .size = p->size, .installed_size = p->installed_size, .flags = p->flags & ~APT_HAS_EPOCH,
        };
        memcpy(ret->sha256, p->sha256, 32);
}

ptrdiff_t ash_apt_find(const AshApt *a, AshSlice name) {
        size_t low = 0, high = a->h->n_packages;
        while (low < high) {
                size_t middle = (low + high) / 2;
                if (ash_slice_cmp(text(a, a->packages[a->by_name[middle]].name), name) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < a->h->n_packages && ash_slice_eq(text(a, a->packages[a->by_name[low]].name), name) ? (ptrdiff_t) a->by_name[low] : -1;
}

size_t ash_apt_deps_n(const AshApt *a, size_t i, AshDepKind kind) { return a->packages[i].deps[kind + 1] - a->packages[i].deps[kind]; }

AshDep ash_apt_dep(const AshApt *a, size_t i, AshDepKind kind, size_t k) {
        const AptBlobDep *d = &a->deps[a->packages[i].deps[kind] + k];
        return (AshDep){ .name = text(a, d->name), .evr = text(a, d->evr), .flags = d->flags };
}

void ash_apt_model(const AshApt *a, size_t i, AshArena *arena, AshPackage *ret) {
        AshAptPackage p;
        ash_apt_package(a, i, &p);
        *ret = (AshPackage){ .name = p.name, .version = p.rpm_version, .release = p.rpm_release, .arch = p.rpm_arch, .epoch = p.epoch, .summary = p.summary, .url = p.url,
                             .size = p.size, .installed_size = p.installed_size, .location = p.filename };
        for (int kind = 0; kind < ASH_DEP_MAX_; kind++) {
                size_t n = ash_apt_deps_n(a, i, kind);
                ret->deps[kind] = (AshDeps){ n ? ash_arena_new_items(arena, AshDep, n) : NULL, n };
                for (size_t k = 0; k < n; k++)
                        ret->deps[kind].items[k] = ash_apt_dep(a, i, kind, k);
        }
}
