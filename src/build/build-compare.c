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

static void show(const AshRpmHeader *h, const AshRpmTag *t, AshSlice data, AshStr *out) {
        if (!t)
                ash_str_append_str(out, "none");
        else if (t->type == ASH_RPM_INT8 || t->type == ASH_RPM_INT16 || t->type == ASH_RPM_INT32 || t->type == ASH_RPM_INT64)
                for (uint32_t i = 0; i < ASH_MIN(t->count, 8u); i++)
                        ash_str_appendf(out, "%s%llu", i ? " " : "", (unsigned long long) ash_rpm_number_at(h, t, i));
        else
                for (size_t i = 0; i < ASH_MIN(data.len, (size_t) SHOWN) && (data.ptr[i] || i + 1 < data.len); i++)
                        ash_str_append_char(out, data.ptr[i] == 0 || data.ptr[i] == '\n' ? ' ' : data.ptr[i]);
}

static size_t compare_tag(const AshRpm *a, const AshRpm *b, uint32_t tag, AshStr *out) {
        const AshRpmTag *x = ash_rpm_tag(&a->header, tag), *y = ash_rpm_tag(&b->header, tag);
        AshSlice p = data_of(&a->header, x), q = data_of(&b->header, y);
        char name[32];
        if ((!x == !y && ash_slice_eq(p, q)) || !tag_name(tag, name))
                return 0;
        ash_str_appendf(out, "%s: tag %s: ", a->name, name);
        show(&a->header, x, p, out);
        ash_str_append_str(out, " / ");
        show(&b->header, y, q, out);
        ash_str_append_char(out, '\n');
        return 1;
}

static size_t compare_headers(const AshRpm *a, const AshRpm *b, AshStr *out) {
        size_t n = 0;
        for (uint32_t i = 0, k = 0; i < a->header.n || k < b->header.n;) {
                uint32_t x = i < a->header.n ? a->header.tags[i].tag : UINT32_MAX, y = k < b->header.n ? b->header.tags[k].tag : UINT32_MAX, tag = ASH_MIN(x, y);
                n += compare_tag(a, b, tag, out);
                i += x == tag;
                k += y == tag;
        }
        return n;
}

/* ---- files ---- */
static int by_path(const void *a, const void *b) {
        const AshRpmFile *x = a, *y = b;
        int order = ash_slice_cmp(x->dir, y->dir);
        return order ? order : ash_slice_cmp(x->base, y->base);
}

static size_t compare_file(const AshRpm *a, const AshRpmFile *x, const AshRpmFile *y, AshStr *out) {
        _str_ AshStr what = {};
        if (x->mode != y->mode)
                ash_str_appendf(&what, ", mode %o / %o", x->mode, y->mode);
        if (x->size != y->size)
                ash_str_appendf(&what, ", %llu / %llu bytes", (unsigned long long) x->size, (unsigned long long) y->size);
        if (!ash_slice_eq(x->digest_hex, y->digest_hex))
                ash_str_append_str(&what, ", content");
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

static size_t compare_files(const AshRpm *a, const AshRpm *b, AshStr *out) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshRpmFiles x = {}, y = {};
        size_t n = 0;
        if (ash_rpm_files(a, arena, &x, NULL) < 0 || ash_rpm_files(b, arena, &y, NULL) < 0)
                return 0;
        if (x.n)
                qsort(x.items, x.n, sizeof *x.items, by_path);
        if (y.n)
                qsort(y.items, y.n, sizeof *y.items, by_path);
        for (size_t i = 0, k = 0; i < x.n || k < y.n;) {
                int order = i >= x.n ? 1 : k >= y.n ? -1 : by_path(&x.items[i], &y.items[k]);
                if (order == 0)
                        n += compare_file(a, &x.items[i], &y.items[k], out);
                else {
                        const AshRpmFile *f = order < 0 ? &x.items[i] : &y.items[k];
                        ash_str_appendf(out, "%s: file %.*s%.*s: only in the %s build\n", a->name, ASH_F(f->dir), ASH_F(f->base), order < 0 ? "first" : "second");
                        n++;
                }
                i += order <= 0;
                k += order >= 0;
        }
        return n;
}

size_t ash_build_compare(AshSlice first, AshSlice second, const char *name, AshStr *out) {
        _cleanup_(ash_rpm_free_p) AshRpm *a = NULL, *b = NULL;
        if (ash_slice_eq(first, second))
                return 0;
        if (ash_rpm_parse(first, name, &a, NULL) < 0 || ash_rpm_parse(second, name, &b, NULL) < 0) {
                ash_str_appendf(out, "%s: cannot be read\n", name);
                return 1;
        }
        size_t n = compare_files(a, b, out) + compare_headers(a, b, out);
        if (n)
                return n;
        ash_str_appendf(out, "%s: %s\n", name, ash_slice_eq(a->payload, b->payload) ? "the signature header" : "the payload as it is compressed: its files are the same");
        return 1;
}
