#include "repo-fragment.h"

static void escape_byte(AshStr *out, uint8_t c) {
        switch (c) {
        case '&': ash_str_append_str(out, "&amp;"); break;
        case '<': ash_str_append_str(out, "&lt;"); break;
        case '>': ash_str_append_str(out, "&gt;"); break;
        case '"': ash_str_append_str(out, "&quot;"); break;
        default:
                if (c >= 0x20 || c == '\t' || c == '\n' || c == '\r')
                        ash_str_append_char(out, (char) c);
        }
}

/* Nothing in it to escape: what nearly every name and path is. */
static bool is_plain(AshSlice text) {
        static const bool special[256] = { ['&'] = true, ['<'] = true, ['>'] = true, ['"'] = true, [0 ... 0x1f] = true, [0x80 ... 0xff] = true };
        bool any = false;
        for (size_t i = 0; i < text.len; i++)
                any |= special[(uint8_t) text.ptr[i]];
        return !any;
}

/* U+FFFE and U+FFFF are good UTF-8 and no characters of XML: one of them, and no client reads anything of the repository. */
static bool is_no_character(AshSlice rest) { return rest.len >= 3 && (memcmp(rest.ptr, "\xef\xbf\xbe", 3) == 0 || memcmp(rest.ptr, "\xef\xbf\xbf", 3) == 0); }

static void escape(AshStr *out, AshSlice text) {
        bool utf8 = ash_utf8_valid(text, NULL);
        for (size_t i = 0; i < text.len;) {
                size_t run = i;
                while (run < text.len) {
                        uint8_t c = (uint8_t) text.ptr[run];
                        if (c < 0x20 || c == '&' || c == '<' || c == '>' || c == '"' || (c >= 0x80 && !utf8) || (c == 0xef && is_no_character(ash_slice_from(text, run))))
                                break;
                        run++;
                }
                ash_str_append(out, ash_slice(text.ptr + i, run - i));
                i = run;
                if (i == text.len)
                        break;
                uint8_t c = (uint8_t) text.ptr[i++];
                if (c >= 0x80 && utf8) {
                        i += 2; /* no character of XML: left out */
                } else if (c >= 0x80) {
                        ash_str_append_char(out, (char) (0xc0 | c >> 6));
                        ash_str_append_char(out, (char) (0x80 | (c & 0x3f)));
                } else
                        escape_byte(out, c);
        }
}

void ash_xml_escape(AshStr *out, AshSlice text) {
        if (is_plain(text))
                ash_str_append(out, text);
        else
                escape(out, text);
}

/* Several texts as one piece: room is made once. */
static void put(AshStr *out, const AshSlice *parts, size_t n) {
        size_t total = 0;
        for (size_t i = 0; i < n; i++)
                total += parts[i].len;
        ash_str_reserve(out, total);
        char *p = out->ptr + out->len;
        for (size_t i = 0; i < n; i++) {
                if (parts[i].len)
                        memcpy(p, parts[i].ptr, parts[i].len);
                p += parts[i].len;
        }
        *p = 0;
        out->len += total;
}
#define PUT(out, ...) put(out, (const AshSlice[]){ __VA_ARGS__ }, sizeof((const AshSlice[]){ __VA_ARGS__ }) / sizeof(AshSlice))

static void element(AshStr *out, const char *name, AshSlice text) {
        if (!text.len) {
                ash_str_appendf(out, "  <%s/>\n", name);
                return;
        }
        ash_str_append_str(out, "  <");
        ash_str_append_str(out, name);
        ash_str_append_char(out, '>');
        ash_xml_escape(out, text);
        ash_str_append_str(out, "</");
        ash_str_append_str(out, name);
        ash_str_append_str(out, ">\n");
}

static void attribute(AshStr *out, const char *name, AshSlice text) {
        if (is_plain(text)) {
                PUT(out, ASH_S(" "), ash_slice_str(name), ASH_S("=\""), text, ASH_S("\""));
                return;
        }
        PUT(out, ASH_S(" "), ash_slice_str(name), ASH_S("=\""));
        escape(out, text);
        ash_str_append_char(out, '"');
}

static void version_attributes(AshStr *out, const AshRpmNevra *n) {
        ash_str_appendf(out, " epoch=\"%u\"", n->epoch);
        attribute(out, "ver", n->version);
        attribute(out, "rel", n->release);
}

/* Splits [epoch:]version[-release]; a missing epoch is "0". */
static void evr_attributes(AshStr *out, AshSlice evr) {
        ptrdiff_t colon = ash_slice_find_char(evr, ':'), dash;
        AshSlice epoch = ASH_S("0");
        if (colon >= 0) {
                epoch = colon ? ash_slice(evr.ptr, (size_t) colon) : epoch;
                evr = ash_slice_from(evr, (size_t) colon + 1);
        }
        dash = ash_slice_rfind_char(evr, '-');
        attribute(out, "epoch", epoch);
        attribute(out, "ver", dash < 0 ? evr : ash_slice(evr.ptr, (size_t) dash));
        if (dash >= 0)
                attribute(out, "rel", ash_slice_from(evr, (size_t) dash + 1));
}

static const char *comparison(uint32_t flags) {
        switch (flags & (ASH_RPMSENSE_LESS | ASH_RPMSENSE_GREATER | ASH_RPMSENSE_EQUAL)) {
        case ASH_RPMSENSE_LESS: return "LT";
        case ASH_RPMSENSE_GREATER: return "GT";
        case ASH_RPMSENSE_EQUAL: return "EQ";
        case ASH_RPMSENSE_LESS | ASH_RPMSENSE_EQUAL: return "LE";
        case ASH_RPMSENSE_GREATER | ASH_RPMSENSE_EQUAL: return "GE";
        default: return NULL;
        }
}

/* Files that clients look for without the file lists: what createrepo has always put into primary.xml; and /usr/lib/sendmail. */
static bool is_primary_dir(AshSlice dir) { return ash_slice_starts(dir, ASH_S("/etc/")) || ash_slice_find(dir, ASH_S("bin/")) >= 0; }

static const char *file_type(const AshRpmFile *f) {
        if ((f->mode & 0170000) == 0040000)
                return " type=\"dir\"";
        return f->flags & ASH_RPMFILE_GHOST ? " type=\"ghost\"" : "";
}

static void file_element(AshStr *out, const AshRpmFile *f, const char *indent) {
        /* The busiest place of all: no formatting here. */
        if (is_plain(f->dir) && is_plain(f->base)) {
                PUT(out, ash_slice_str(indent), ASH_S("<file"), ash_slice_str(file_type(f)), ASH_S(">"), f->dir, f->base, ASH_S("</file>\n"));
                return;
        }
        PUT(out, ash_slice_str(indent), ASH_S("<file"), ash_slice_str(file_type(f)), ASH_S(">"));
        escape(out, f->dir);
        escape(out, f->base);
        ash_str_append_str(out, "</file>\n");
}

struct AshFragmentMaker {
        AshArena *kept;      /* finished fragments */
        AshArena *arena;     /* of the package at hand, as all below */
        AshStr text;
        const AshFragmentInput *in;
        AshRpmNevra nevra;
        AshRpmFiles files;
        bool *primary;       /* of each file: does it stand in primary.xml */
        AshMap provided;     /* "name flags evr" of what the package provides itself */
        AshMap own_files;    /* primary paths of its own; made when a requirement is a path */
        AshMap seen;
        AshDiags *diags;
};
typedef AshFragmentMaker Maker;

AshFragmentMaker *ash_fragment_maker_new(void) {
        Maker *m = ash_calloc(1, sizeof *m);
        m->kept = ash_arena_new();
        m->arena = ash_arena_new();
        return m;
}

void ash_fragment_maker_free(AshFragmentMaker *m) {
        if (!m)
                return;
        ash_arena_free(m->kept);
        ash_arena_free(m->arena);
        ash_str_done(&m->text);
        ash_map_done(&m->provided);
        ash_map_done(&m->own_files);
        ash_map_done(&m->seen);
        free(m);
}

/* Files of one directory follow each other, as a rule. */
static void find_primary(Maker *m) {
        AshSlice dir = {};
        bool all = false;
        m->primary = ash_arena_new_items(m->arena, bool, m->files.n);
        for (size_t i = 0; i < m->files.n; i++) {
                const AshRpmFile *f = &m->files.items[i];
                if (f->dir.ptr != dir.ptr) {
                        dir = f->dir;
                        all = is_primary_dir(dir);
                }
                m->primary[i] = all || (ash_slice_eqs(dir, "/usr/lib/") && ash_slice_eqs(f->base, "sendmail"));
        }
}

static bool owns_file(Maker *m, AshSlice path) {
        for (size_t i = 0; !m->own_files.n && i < m->files.n; i++) {
                const AshRpmFile *f = &m->files.items[i];
                if (m->primary[i])
                        ash_map_put(&m->own_files, ash_slice_str(ash_arena_printf(m->arena, "%.*s%.*s", ASH_F(f->dir), ASH_F(f->base))), m, NULL);
        }
        return ash_map_find(&m->own_files, path) != NULL;
}

static AshSlice dep_key(Maker *m, const AshRpmDep *d, bool pre) {
        size_t n = d->name.len + d->evr.len + 3;
        char *key = ash_arena_alloc(m->arena, n);
        memcpy(key, d->name.ptr, d->name.len);
        key[d->name.len] = '\n';
        key[d->name.len + 1] = (char) ('0' + (d->flags & 14));
        if (d->evr.len)
                memcpy(key + d->name.len + 2, d->evr.ptr, d->evr.len);
        key[n - 1] = pre ? 'p' : '\n';
        return ash_slice(key, n);
}

/* What of the requirements goes without saying: rpm's own features, and what the package brings itself. */
static bool requirement_is_redundant(Maker *m, const AshRpmDep *d) {
        if (ash_slice_starts(d->name, ASH_S("rpmlib(")) || (d->flags & ASH_RPMSENSE_RPMLIB))
                return true;
        if (d->name.len && d->name.ptr[0] == '/' && owns_file(m, d->name))
                return true;
        return ash_map_find(&m->provided, dep_key(m, d, false)) != NULL;
}

/* libc.so.6(GLIBC_2.x): only the newest of them is kept, as createrepo does; the newer implies the older and the library itself. */
static AshSlice glibc_version(AshSlice name) {
        static const char prefix[] = "libc.so.6(GLIBC_";
        if (!ash_slice_starts(name, ash_slice_str(prefix)))
                return ASH_NOSLICE;
        AshSlice v = ash_slice_from(name, sizeof prefix - 1);
        ptrdiff_t end = ash_slice_find_char(v, ')');
        return end <= 0 || v.ptr[0] < '0' || v.ptr[0] > '9' ? ASH_NOSLICE : ash_slice(v.ptr, (size_t) end);
}

static bool is_plain_libc(AshSlice name) { return ash_slice_eqs(name, "libc.so.6") || ash_slice_eqs(name, "libc.so.6()(64bit)"); }

static int compare_dotted(AshSlice a, AshSlice b) {
        while (a.ptr || b.ptr) {
                AshSlice x = ASH_S("0"), y = ASH_S("0");
                uint64_t n = 0, k = 0;
                if (a.ptr)
                        ash_slice_split(&a, '.', &x);
                if (b.ptr)
                        ash_slice_split(&b, '.', &y);
                ash_slice_to_u64(x, 10, &n);
                ash_slice_to_u64(y, 10, &k);
                if (n != k)
                        return n < k ? -1 : 1;
        }
        return 0;
}

static void entry(AshStr *out, const AshRpmDep *d, bool pre) {
        ash_str_append_str(out, "      <rpm:entry");
        attribute(out, "name", d->name);
        const char *flags = comparison(d->flags);
        if (flags && d->evr.len) {
                PUT(out, ASH_S(" flags=\""), ash_slice_str(flags), ASH_S("\""));
                evr_attributes(out, d->evr);
        }
        ash_str_append_str(out, pre ? " pre=\"1\"/>\n" : "/>\n");
}

static const struct {
        AshRpmRelation relation;
        const char *name;
} relations[] = {
        { ASH_RPM_PROVIDES, "provides" },     { ASH_RPM_REQUIRES, "requires" },     { ASH_RPM_CONFLICTS, "conflicts" },     { ASH_RPM_OBSOLETES, "obsoletes" },
        { ASH_RPM_SUGGESTS, "suggests" },     { ASH_RPM_ENHANCES, "enhances" },     { ASH_RPM_RECOMMENDS, "recommends" },   { ASH_RPM_SUPPLEMENTS, "supplements" },
};

static int relation_list(Maker *m, AshRpmRelation kind, const char *name, AshStr *out) {
        AshRpmDep *deps = NULL;
        size_t n = 0, newest = SIZE_MAX;
        int r = ash_rpm_deps(m->in->rpm, kind, m->arena, &deps, &n, m->diags);
        if (r < 0)
                return r;
        ash_map_clear(&m->seen);
        bool requires = kind == ASH_RPM_REQUIRES, open = false;
        for (size_t i = 0; requires && i < n; i++) {
                AshSlice v = glibc_version(deps[i].name);
                if (v.len && (newest == SIZE_MAX || compare_dotted(glibc_version(deps[newest].name), v) < 0))
                        newest = i;
        }
        for (size_t i = 0; i < n; i++) {
                const AshRpmDep *d = &deps[i];
                bool pre = requires && (d->flags & (ASH_RPMSENSE_PREREQ | ASH_RPMSENSE_SCRIPT_PRE | ASH_RPMSENSE_SCRIPT_POST)), fresh;
                if (!d->name.len || (requires && requirement_is_redundant(m, d)))
                        continue;
                if (newest != SIZE_MAX && (glibc_version(d->name).len || is_plain_libc(d->name)))
                        continue;
                ash_map_ensure(&m->seen, dep_key(m, d, pre), &fresh);
                if (!fresh)
                        continue;
                if (!open)
                        ash_str_appendf(out, "    <rpm:%s>\n", name);
                open = true;
                entry(out, d, pre);
                if (kind == ASH_RPM_PROVIDES)
                        ash_map_put(&m->provided, dep_key(m, d, false), m, NULL);
        }
        if (newest != SIZE_MAX) {
                if (!open)
                        ash_str_appendf(out, "    <rpm:%s>\n", name);
                open = true;
                entry(out, &deps[newest], false);
        }
        if (open)
                ash_str_appendf(out, "    </rpm:%s>\n", name);
        return 0;
}

static uint64_t number(const AshRpmHeader *h, uint32_t tag, uint32_t long_tag) {
        uint64_t v = 0;
        if (!ash_rpm_number(h, tag, &v) && long_tag)
                ash_rpm_number(h, long_tag, &v);
        return v;
}

static int make_primary(Maker *m, AshStr *out) {
        const AshFragmentInput *in = m->in;
        const AshRpmHeader *h = &in->rpm->header;
        ash_str_append_str(out, "<package type=\"rpm\">\n");
        element(out, "name", m->nevra.name);
        element(out, "arch", m->nevra.arch);
        ash_str_append_str(out, "  <version");
        version_attributes(out, &m->nevra);
        ash_str_appendf(out, "/>\n  <checksum type=\"sha256\" pkgid=\"YES\">%s</checksum>\n", in->sha256);
        element(out, "summary", ash_rpm_string(h, ASH_RPMTAG_SUMMARY));
        element(out, "description", ash_rpm_string(h, ASH_RPMTAG_DESCRIPTION));
        element(out, "packager", ash_rpm_string(h, ASH_RPMTAG_PACKAGER));
        element(out, "url", ash_rpm_string(h, ASH_RPMTAG_URL));
        uint64_t archive = number(&in->rpm->sig, ASH_RPMSIG_PAYLOADSIZE, ASH_RPMSIG_LONGARCHIVESIZE);
        if (!archive)
                archive = number(h, ASH_RPMTAG_ARCHIVESIZE, 0);
        ash_str_appendf(out, "  <time file=\"%llu\" build=\"%llu\"/>\n", (unsigned long long) in->file_time, (unsigned long long) number(h, ASH_RPMTAG_BUILDTIME, 0));
        ash_str_appendf(out, "  <size package=\"%llu\" installed=\"%llu\" archive=\"%llu\"/>\n", (unsigned long long) in->size,
                        (unsigned long long) number(h, ASH_RPMTAG_SIZE, ASH_RPMTAG_LONGSIZE), (unsigned long long) archive);
        ash_str_append_str(out, "  <location");
        attribute(out, "href", in->location);
        ash_str_append_str(out, "/>\n  <format>\n");
        static const struct { const char *name; uint32_t tag; } texts[] = {
                { "rpm:license", ASH_RPMTAG_LICENSE }, { "rpm:vendor", ASH_RPMTAG_VENDOR }, { "rpm:group", ASH_RPMTAG_GROUP },
                { "rpm:buildhost", ASH_RPMTAG_BUILDHOST }, { "rpm:sourcerpm", ASH_RPMTAG_SOURCERPM },
        };
        for (size_t i = 0; i < ASH_N(texts); i++) {
                ash_str_append_str(out, "  ");
                element(out, texts[i].name, ash_rpm_string(h, texts[i].tag));
        }
        ash_str_appendf(out, "    <rpm:header-range start=\"%llu\" end=\"%llu\"/>\n", (unsigned long long) in->header_start, (unsigned long long) in->header_end);
        for (size_t i = 0; i < ASH_N(relations); i++) {
                int r = relation_list(m, relations[i].relation, relations[i].name, out);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < m->files.n; i++)
                if (m->primary[i])
                        file_element(out, &m->files.items[i], "    ");
        ash_str_append_str(out, "  </format>\n</package>\n");
        return 0;
}

static void package_head(Maker *m, AshStr *out) {
        ash_str_appendf(out, "<package pkgid=\"%s\"", m->in->sha256);
        attribute(out, "name", m->nevra.name);
        attribute(out, "arch", m->nevra.arch);
        ash_str_append_str(out, ">\n  <version");
        version_attributes(out, &m->nevra);
        ash_str_append_str(out, "/>\n");
}

static void make_filelists(Maker *m, AshStr *out) {
        package_head(m, out);
        for (size_t i = 0; i < m->files.n; i++)
                file_element(out, &m->files.items[i], "  ");
        ash_str_append_str(out, "</package>\n");
}

static void make_other(Maker *m, AshStr *out) {
        const AshRpmHeader *h = &m->in->rpm->header;
        uint32_t n_authors, n_texts;
        AshSlice *authors = ash_rpm_strings(h, ASH_RPMTAG_CHANGELOGNAME, m->arena, &n_authors);
        AshSlice *texts = ash_rpm_strings(h, ASH_RPMTAG_CHANGELOGTEXT, m->arena, &n_texts);
        const AshRpmTag *times = ash_rpm_tag(h, ASH_RPMTAG_CHANGELOGTIME);
        uint32_t n = ASH_MIN(ASH_MIN(n_authors, n_texts), times ? times->count : 0);
        n = ASH_MIN(n, m->in->changelogs);
        package_head(m, out);
        /* The newest entries, the oldest of them first; entries of one day get distinct seconds, since clients sort by date. */
        uint64_t last = 0;
        for (uint32_t i = n; i-- > 0;) {
                uint64_t date = ash_rpm_number_at(h, times, i);
                if (last && date <= last && last - date < 100000)
                        date = last + 1;
                last = date;
                ash_str_append_str(out, "  <changelog");
                attribute(out, "author", authors[i]);
                ash_str_appendf(out, " date=\"%llu\">", (unsigned long long) date);
                ash_xml_escape(out, texts[i]);
                ash_str_append_str(out, "</changelog>\n");
        }
        ash_str_append_str(out, "</package>\n");
}

/* The text so far, to stay; the buffer starts anew. */
static AshSlice keep(Maker *m) {
        AshSlice kept = ash_arena_slice(m->kept, ash_str_slice(&m->text));
        ash_str_clear(&m->text);
        return kept;
}

int ash_fragment_make(AshFragmentMaker *m, const AshFragmentInput *in, AshFragment *ret, AshDiags *diags) {
        ash_arena_clear(m->arena);
        ash_str_clear(&m->text);
        ash_map_clear(&m->provided);
        ash_map_clear(&m->own_files);
        m->in = in;
        m->diags = diags;
        int r = ash_rpm_nevra(in->rpm, &m->nevra, diags);
        if (r >= 0)
                r = ash_rpm_file_names(in->rpm, m->arena, &m->files, diags);
        if (r < 0)
                return r;
        find_primary(m);
        r = make_primary(m, &m->text);
        if (r < 0)
                return r;
        AshSlice primary = keep(m);
        make_filelists(m, &m->text);
        AshSlice filelists = keep(m);
        make_other(m, &m->text);
        *ret = (AshFragment){ primary, filelists, keep(m) };
        return 0;
}
