/* Two builds of the same package: what differs, in words. */
#include <stdio.h>
#include "build-private.h"

#define SHOWN 60                     /* bytes of a value */

static const struct {
        uint32_t tag;
        const char *name;            /* NULL: follows from others, and is not told */
} tags[] = {
        { 62, NULL }, { 63, NULL }, /* regions */
        { 1000, "NAME" }, { 1001, "VERSION" }, { 1002, "RELEASE" }, { 1003, "EPOCH" }, { 1004, "SUMMARY" }, { 1005, "DESCRIPTION" }, { 1006, "BUILDTIME" }, { 1007, "BUILDHOST" }, { 1009, NULL /* SIZE */ },
        { 1010, "DISTRIBUTION" }, { 1011, "VENDOR" }, { 1014, "LICENSE" }, { 1015, "PACKAGER" }, { 1016, "GROUP" }, { 1020, "URL" }, { 1021, "OS" }, { 1022, "ARCH" }, { 1023, "PREIN" }, { 1024, "POSTIN" },
        { 1025, "PREUN" }, { 1026, "POSTUN" }, { 1028, NULL /* files: told one by one */ }, { 1030, NULL }, { 1033, NULL }, { 1034, NULL }, { 1035, NULL }, { 1036, NULL }, { 1037, NULL }, { 1039, NULL },
        { 1040, NULL }, { 1044, "SOURCERPM" }, { 1045, NULL }, { 1046, NULL /* ARCHIVESIZE */ }, { 1047, "PROVIDENAME" }, { 1048, "REQUIREFLAGS" }, { 1049, "REQUIRENAME" }, { 1050, "REQUIREVERSION" },
        { 1053, "CONFLICTFLAGS" }, { 1054, "CONFLICTNAME" }, { 1055, "CONFLICTVERSION" }, { 1064, "RPMVERSION" }, { 1080, "CHANGELOGTIME" }, { 1081, "CHANGELOGNAME" }, { 1082, "CHANGELOGTEXT" },
        { 1085, "PREINPROG" }, { 1086, "POSTINPROG" }, { 1090, "OBSOLETENAME" }, { 1094, "COOKIE" }, { 1095, NULL }, { 1096, NULL }, { 1097, NULL }, { 1112, "PROVIDEFLAGS" }, { 1113, "PROVIDEVERSION" },
        { 1116, NULL }, { 1117, NULL }, { 1118, NULL }, { 1122, "OPTFLAGS" }, { 1124, "PAYLOADFORMAT" }, { 1125, "PAYLOADCOMPRESSOR" }, { 1126, "PAYLOADFLAGS" }, { 1132, "PLATFORM" }, { 1140, NULL },
        { 1141, NULL }, { 1142, NULL }, { 1143, NULL }, { 1144, NULL }, { 1145, NULL }, { 1146, NULL /* digest of the source package */ }, { 5011, "FILEDIGESTALGO" }, { 5092, NULL /* digests of the payload */ }, { 5093, NULL }, { 5096, "MODULARITYLABEL" },
        { 5097, NULL }, { 5012, "BUGURL" }, { 5098, "ENCODING" }, { 5099, "SPEC" }, { 5118, NULL }, { 5119, NULL }, { 5120, NULL }, { 5121, NULL }, { 5122, NULL }, { 5123, NULL },
};

static bool tag_name(uint32_t tag, char ret[static 32]) {
        for (size_t i = 0; i < ASH_N(tags); i++)
                if (tags[i].tag == tag) {
                        snprintf(ret, 32, "%s", tags[i].name ? tags[i].name : "");
                        return tags[i].name != NULL;
                }
        snprintf(ret, 32, "%u", tag);
        return true;
}

static AshSlice data_of(const AshRpmHeader *h, const AshRpmTag *t) { return t ? ash_slice_sub(h->data, t->offset, t->len) : ASH_NOSLICE; }

static bool is_number(const AshRpmTag *t) { return t->type == ASH_RPM_INT8 || t->type == ASH_RPM_INT16 || t->type == ASH_RPM_INT32 || t->type == ASH_RPM_INT64; }

/* Where two values differ, less what is shown before that: an item of numbers, a byte of texts. */
static size_t shown_from(const AshRpmHeader *a, const AshRpmTag *x, AshSlice p, const AshRpmHeader *b, const AshRpmTag *y, AshSlice q) {
        size_t i = 0;
        if (!x || !y || is_number(x) != is_number(y))
                return 0;
        if (is_number(x)) {
                while (i < x->count && i < y->count && ash_rpm_number_at(a, x, (uint32_t) i) == ash_rpm_number_at(b, y, (uint32_t) i))
                        i++;
                return i < 8 ? 0 : i;
        }
        while (i < p.len && i < q.len && p.ptr[i] == q.ptr[i])
                i++;
        return i < SHOWN / 2 ? 0 : i - SHOWN / 3;
}

static void show(const AshRpmHeader *h, const AshRpmTag *t, AshSlice data, size_t from, AshStr *out) {
        if (from)
                ash_str_append_str(out, "...");
        if (!t)
                ash_str_append_str(out, "none");
        else if (is_number(t))
                for (size_t i = from; i < t->count && i < from + 8; i++)
                        ash_str_appendf(out, "%s%llu", i > from ? " " : "", (unsigned long long) ash_rpm_number_at(h, t, (uint32_t) i));
        else
                for (size_t i = from; i < data.len && i < from + SHOWN && (data.ptr[i] || i + 1 < data.len); i++)
                        ash_str_append_char(out, data.ptr[i] == 0 || data.ptr[i] == '\n' ? ' ' : data.ptr[i]);
}

/* The spec as it was expanded: with the name of the build directory, wherever it says %{buildroot} or the like. */
enum { TAG_SOURCE_ID = 1146, TAG_SPEC = 5099 };

static bool same_spec(AshSlice a, AshSlice b) {
        AshSlice from = ash_slice_str(ash_build_vary_top(1u << ASH_VARY_PATH)), to = ash_slice_str(ash_build_vary_top(0));
        _str_ AshStr text = {};
        for (ptrdiff_t at; (at = ash_slice_find(b, from)) >= 0; b = ash_slice_from(b, (size_t) at + from.len)) {
                ash_str_append(&text, ash_slice_sub(b, 0, (size_t) at));
                ash_str_append(&text, to);
        }
        ash_str_append(&text, b);
        return ash_slice_eq(a, ash_str_slice(&text));
}

static size_t compare_tag(const AshRpm *a, const AshRpm *b, uint32_t tag, unsigned vary, AshStr *out) {
        const AshRpmTag *x = ash_rpm_tag(&a->header, tag), *y = ash_rpm_tag(&b->header, tag);
        AshSlice p = data_of(&a->header, x), q = data_of(&b->header, y);
        char name[32];
        if ((!x == !y && ash_slice_eq(p, q)) || !tag_name(tag, name) || (tag == TAG_SPEC && vary & 1u << ASH_VARY_PATH && same_spec(p, q)))
                return 0;
        size_t from = shown_from(&a->header, x, p, &b->header, y, q);
        ash_str_appendf(out, "%s: tag %s: ", a->name, name);
        show(&a->header, x, p, from, out);
        ash_str_append_str(out, " / ");
        show(&b->header, y, q, from, out);
        ash_str_append_char(out, '\n');
        return 1;
}

static size_t compare_headers(const AshRpm *a, const AshRpm *b, unsigned vary, AshStr *out) {
        size_t n = 0;
        for (uint32_t i = 0, k = 0; i < a->header.n || k < b->header.n;) {
                uint32_t x = i < a->header.n ? a->header.tags[i].tag : UINT32_MAX, y = k < b->header.n ? b->header.tags[k].tag : UINT32_MAX, tag = ASH_MIN(x, y);
                n += compare_tag(a, b, tag, vary, out);
                i += x == tag;
                k += y == tag;
        }
        return n;
}

/* ---- files ---- */
static int by_path(const void *a, const void *b) {
        const AshRpmFile *x = *(const AshRpmFile *const *) a, *y = *(const AshRpmFile *const *) b;
        int order = ash_slice_cmp(x->dir, y->dir);
        return order ? order : ash_slice_cmp(x->base, y->base);
}

/* Contents that differ, read in one go from each payload: so many, of so many bytes in all. */
#define CONTENTS 200
#define CONTENT_BYTES (UINT64_C(256) << 20)
typedef struct Contents {
        AshArena *arena;
        AshSlice *of;                /* by the file's index in the header; ptr NULL: not wanted, or too much */
} Contents;

static bool differs(const AshRpmFile *x, const AshRpmFile *y) { return S_ISREG(x->mode) && S_ISREG(y->mode) && !ash_slice_eq(x->digest_hex, y->digest_hex); }

static void read_contents(const AshRpm *rpm, const AshRpmFiles *files, const bool *wanted, Contents *c) {
        _cleanup_(ash_rpm_payload_free_p) AshRpmPayload *payload = NULL;
        uint64_t size, left = CONTENT_BYTES;
        size_t i;
        c->of = ash_arena_new_items(c->arena, AshSlice, files->n + 1);
        if (ash_rpm_payload_open(rpm, files, 0, &payload, NULL) < 0)
                return;
        while (ash_rpm_payload_next(payload, &i, &size, NULL) > 0) {
                if (!wanted[i] || size > left)
                        continue;
                char *bytes = ash_arena_alloc(c->arena, (size_t) size + 1);
                size_t n = 0;
                for (ssize_t k; n < size && (k = ash_rpm_payload_read(payload, bytes + n, (size_t) size - n, NULL)) > 0;)
                        n += (size_t) k;
                c->of[i] = ash_slice(bytes, n);
                left -= size;
        }
}

static void add_content(const AshSlice *x, const AshSlice *y, AshStr *what) {
        ash_str_append_str(what, ", content");
        if (x && y && x->ptr && y->ptr && !ash_slice_eq(*x, *y))
                ash_build_compare_content(*x, *y, what);
}

static size_t compare_file(const AshRpm *a, const AshRpmFile *x, const AshRpmFile *y, const AshSlice *x_bytes, const AshSlice *y_bytes, AshStr *out) {
        _str_ AshStr what = {};
        if (x->mode != y->mode)
                ash_str_appendf(&what, ", mode %o / %o", x->mode, y->mode);
        if (x->size != y->size)
                ash_str_appendf(&what, ", %llu / %llu bytes", (unsigned long long) x->size, (unsigned long long) y->size);
        if (!ash_slice_eq(x->digest_hex, y->digest_hex))
                add_content(x_bytes, y_bytes, &what);
        if (x->mtime != y->mtime)
                ash_str_appendf(&what, ", time %u / %u", x->mtime, y->mtime);
        if (!ash_slice_eq(x->link, y->link))
                ash_str_appendf(&what, ", target %.*s / %.*s", ASH_F(x->link), ASH_F(y->link));
        if (!ash_slice_eq(x->user, y->user) || !ash_slice_eq(x->group, y->group))
                ash_str_append_str(&what, ", owner");
        if (x->flags != y->flags)
                ash_str_append_str(&what, ", flags");
        if (!what.len)
                return 0;
        ash_str_appendf(out, "%s: file %.*s%.*s: %s\n", a->name, ASH_F(x->dir), ASH_F(x->base), what.ptr + 2);
        return 1;
}

/* In the order of paths, as pointers: the payload knows files by their index. */
static const AshRpmFile **sorted(const AshRpmFiles *files, AshArena *arena) {
        const AshRpmFile **out = ash_arena_new_items(arena, const AshRpmFile *, files->n + 1);
        for (size_t i = 0; i < files->n; i++)
                out[i] = &files->items[i];
        if (files->n)
                qsort(out, files->n, sizeof *out, by_path);
        return out;
}

static size_t compare_files(const AshRpm *a, const AshRpm *b, AshStr *out) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshRpmFiles x = {}, y = {};
        Contents x_bytes = { .arena = arena }, y_bytes = { .arena = arena };
        size_t n = 0, n_wanted = 0;
        if (ash_rpm_files(a, arena, &x, NULL) < 0 || ash_rpm_files(b, arena, &y, NULL) < 0)
                return 0;
        const AshRpmFile **p = sorted(&x, arena), **q = sorted(&y, arena);
        bool *x_wanted = ash_arena_new_items(arena, bool, x.n + 1), *y_wanted = ash_arena_new_items(arena, bool, y.n + 1);
        for (size_t i = 0, k = 0; i < x.n && k < y.n && n_wanted < CONTENTS;) {
                int order = by_path(&p[i], &q[k]);
                if (order == 0 && differs(p[i], q[k])) {
                        x_wanted[p[i] - x.items] = y_wanted[q[k] - y.items] = true;
                        n_wanted++;
                }
                i += order <= 0;
                k += order >= 0;
        }
        if (n_wanted) {
                read_contents(a, &x, x_wanted, &x_bytes);
                read_contents(b, &y, y_wanted, &y_bytes);
        }
        for (size_t i = 0, k = 0; i < x.n || k < y.n;) {
                int order = i >= x.n ? 1 : k >= y.n ? -1 : by_path(&p[i], &q[k]);
                if (order == 0)
                        n += compare_file(a, p[i], q[k], n_wanted ? &x_bytes.of[p[i] - x.items] : NULL, n_wanted ? &y_bytes.of[q[k] - y.items] : NULL, out);
                else {
                        const AshRpmFile *f = order < 0 ? p[i] : q[k];
                        ash_str_appendf(out, "%s: file %.*s%.*s: only in the %s build\n", a->name, ASH_F(f->dir), ASH_F(f->base), order < 0 ? "first" : "second");
                        n++;
                }
                i += order <= 0;
                k += order >= 0;
        }
        return n;
}

static bool differs_in(const AshRpm *a, const AshRpm *b, uint32_t tag) { return !ash_slice_eq(data_of(&a->header, ash_rpm_tag(&a->header, tag)), data_of(&b->header, ash_rpm_tag(&b->header, tag))); }

size_t ash_build_compare(AshSlice first, AshSlice second, const char *name, unsigned vary, AshStr *out) {
        _cleanup_(ash_rpm_free_p) AshRpm *a = NULL, *b = NULL;
        if (ash_slice_eq(first, second))
                return 0;
        if (ash_rpm_parse(first, name, &a, NULL) < 0 || ash_rpm_parse(second, name, &b, NULL) < 0) {
                ash_str_appendf(out, "%s: cannot be read\n", name);
                return 1;
        }
        size_t n = compare_files(a, b, out) + compare_headers(a, b, vary, out);
        bool follows = differs_in(a, b, TAG_SPEC) || differs_in(a, b, TAG_SOURCE_ID), same = ash_slice_eq(a->payload, b->payload);
        if (n || (same && follows && vary & 1u << ASH_VARY_PATH))
                return n;
        ash_str_appendf(out, "%s: %s\n", name, !same ? "the payload as it is compressed: its files are the same" : follows ? "only the digest of its source package" : "the signature header");
        return 1;
}
