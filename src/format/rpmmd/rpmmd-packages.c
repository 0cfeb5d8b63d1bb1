/* primary.xml, filelists.xml, other.xml. */
#include "rpmmd-xml.h"

enum { PACKAGES_MAX = 1000000, FILES_MAX = 1 << 20, CHANGES_MAX = 1 << 16, PARENTHESES_MAX = 2000 };

/* The declared count must be the true one. */
static void check_count(AshXml *x, uint64_t declared, size_t n) {
        if (declared != UINT64_MAX && declared != n)
                ash_xml_fail(x, -ASH_ERR_SYNTAX, "%llu packages are declared, there are %zu", (unsigned long long) declared, n);
}

static uint64_t count_attr(AshXml *x, const AshXmlAttr *attrs, size_t n) {
        AshSlice count = ash_xml_attr(attrs, n, "packages");
        return count.ptr ? ash_xml_number(x, count, "packages") : UINT64_MAX;
}

static bool good_name(AshSlice s) {
        for (size_t i = 0; i < s.len; i++)
                if ((unsigned char) s.ptr[i] <= ' ' || s.ptr[i] == 127 || s.ptr[i] == '/')
                        return false;
        return s.len > 0 && s.len < 1024;
}

static void read_version(AshXml *x, const AshXmlAttr *attrs, size_t n, AshSlice *version, AshSlice *release, uint32_t *epoch) {
        AshSlice e = ash_xml_attr(attrs, n, "epoch");
        uint64_t number = e.len ? ash_xml_number(x, e, "epoch") : 0;
        *version = ash_xml_keep(x, ash_xml_attr(attrs, n, "ver"));
        *release = ash_xml_keep(x, ash_xml_attr(attrs, n, "rel"));
        *epoch = (uint32_t) number;
        if (number > UINT32_MAX)
                ash_xml_fail(x, -ASH_ERR_SYNTAX, "an epoch is out of range");
}

/* ---- primary ---- */
typedef struct Primary {
        ASH_ARRAY(AshRpmmdPackage) packages;
        AshSlice checksum_type;
        uint64_t declared;
        size_t max;
        bool skip; /* within something that is no package */
} Primary;

static void read_location(AshXml *x, AshRpmmdPackage *p, const AshXmlAttr *attrs, size_t n) {
        AshSlice href = ash_xml_attr(attrs, n, "href");
        const char *wrong = ash_xml_attr(attrs, n, "base").ptr ? "leads to another host" : ash_rpmmd_bad_href(href);
        if (wrong)
                ash_xml_fail(x, -ASH_ERR_SYNTAX, "the location of package '%.*s' %s: '%.*s'", ASH_F(p->name), wrong, ASH_F(ash_slice_sub(href, 0, 200)));
        p->href = ash_xml_keep(x, href);
}

static uint64_t size_attr(AshXml *x, const AshXmlAttr *attrs, size_t n, const char *name) {
        AshSlice v = ash_xml_attr(attrs, n, name);
        return v.ptr ? ash_xml_number(x, v, name) : 0;
}

/* The solver takes rich dependencies apart by recursion: what nests without end would end on its stack. */
static void check_entry(AshXml *x, const AshRpmmdPackage *p, const AshXmlAttr *attrs, size_t n) {
        AshSlice name = ash_xml_attr(attrs, n, "name");
        size_t open = 0;
        for (size_t i = 0; name.len && name.ptr[0] == '(' && i < name.len; i++)
                open += name.ptr[i] == '(';
        if (open > PARENTHESES_MAX)
                ash_xml_fail(x, -ASH_ERR_LIMIT, "a dependency of package '%.*s' has more than %d parentheses", ASH_F(p->name), PARENTHESES_MAX);
}

static void primary_in_package(AshXml *x, Primary *s, const char *name, const AshXmlAttr *attrs, size_t n) {
        AshRpmmdPackage *p = ash_array_last(&s->packages);
        if (x->depth == 3 && ASH_XML_IS(name, "version")) {
                read_version(x, attrs, n, &p->version, &p->release, &p->epoch);
        } else if (x->depth == 3 && ASH_XML_IS(name, "checksum")) {
                s->checksum_type = ash_xml_keep(x, ash_xml_attr(attrs, n, "type"));
        } else if (x->depth == 3 && ASH_XML_IS(name, "location")) {
                read_location(x, p, attrs, n);
        } else if (x->depth == 3 && ASH_XML_IS(name, "size")) {
                p->size = size_attr(x, attrs, n, "package");
                p->installed_size = size_attr(x, attrs, n, "installed");
                p->archive_size = size_attr(x, attrs, n, "archive");
        } else if (x->depth == 3 && ASH_XML_IS(name, "time")) {
                p->file_time = size_attr(x, attrs, n, "file");
                p->build_time = size_attr(x, attrs, n, "build");
        } else if (x->depth == 4 && ASH_XML_IS(name, "header-range")) {
                p->header_start = size_attr(x, attrs, n, "start");
                p->header_end = size_attr(x, attrs, n, "end");
        } else if (x->depth == 5 && ASH_XML_IS(name, "entry")) {
                check_entry(x, p, attrs, n);
        }
}

static void primary_start(AshXml *x, const char *name, const AshXmlAttr *attrs, size_t n) {
        Primary *s = x->state;
        if (x->depth == 1) {
                if (!ASH_XML_IS(name, "metadata"))
                        ash_xml_fail(x, -ASH_ERR_SYNTAX, "not a primary.xml: its root is '%s'", name);
                s->declared = count_attr(x, attrs, n);
        } else if (x->depth == 2) {
                s->skip = !ASH_XML_IS(name, "package");
                if (s->skip)
                        return;
                if (s->packages.n >= s->max)
                        ash_xml_fail(x, -ASH_ERR_LIMIT, "more than %zu packages", s->max);
                else
                        ash_array_add(&s->packages)->checksum.kind = ASH_DIGEST_INVALID_;
        } else if (!s->skip && s->packages.n) {
                primary_in_package(x, s, name, attrs, n);
        }
}

static void check_package(AshXml *x, const AshRpmmdPackage *p) {
        if (!good_name(p->name) || !good_name(p->version) || !good_name(p->release) || !good_name(p->arch))
                ash_xml_fail(x, -ASH_ERR_SYNTAX, "package '%.*s' lacks a sane name, version, release or architecture", ASH_F(p->name));
        else if (!p->href.ptr)
                ash_xml_fail(x, -ASH_ERR_SYNTAX, "package '%.*s' has no location", ASH_F(p->name));
        else if (p->checksum.kind < 0)
                ash_xml_fail(x, -ASH_ERR_SYNTAX, "package '%.*s' has no checksum that can be checked", ASH_F(p->name));
}

static void primary_end(AshXml *x, const char *name, AshSlice text) {
        Primary *s = x->state;
        if (x->depth == 1)
                check_count(x, s->declared, s->packages.n);
        if (x->depth == 1 || s->skip || s->packages.n == 0)
                return;
        AshRpmmdPackage *p = ash_array_last(&s->packages);
        if (x->depth == 2) {
                check_package(x, p);
        } else if (x->depth == 3) {
                if (ASH_XML_IS(name, "name"))
                        p->name = ash_xml_keep(x, text);
                else if (ASH_XML_IS(name, "arch"))
                        p->arch = ash_xml_keep(x, text);
                else if (ASH_XML_IS(name, "summary"))
                        p->summary = ash_xml_keep(x, text);
                else if (ASH_XML_IS(name, "checksum"))
                        ash_xml_checksum(x, s->checksum_type, text, &p->checksum);
        } else if (x->depth == 4 && ASH_XML_IS(name, "sourcerpm")) {
                p->sourcerpm = ash_xml_keep(x, text);
        }
}

int ash_primary_parse(AshReader *r, const char *name, size_t max_packages, AshArena *arena, AshPrimary *ret, AshDiags *diags) {
        static const AshXmlOps ops = { primary_start, primary_end };
        Primary s = { .declared = UINT64_MAX, .max = max_packages ? max_packages : PACKAGES_MAX };
        AshXml x = { .name = name, .arena = arena, .diags = diags, .state = &s };
        int k = ash_xml_parse(r, &x, &ops);
        if (k >= 0) {
                ret->packages = ash_arena_new_items(arena, AshRpmmdPackage, s.packages.n);
                ret->n = s.packages.n;
                if (ret->n)
                        memcpy(ret->packages, s.packages.items, ret->n * sizeof(*ret->packages));
        }
        ash_array_done(&s.packages);
        return k;
}

/* ---- filelists and other: one package at a time, in an arena that starts anew with each ---- */
typedef struct File {
        AshSlice path;
        char type;
} File;
typedef struct Change {
        AshSlice author, text;
        uint64_t date;
} Change;
typedef struct Each {
        AshFilelistsVisit visit_files;
        AshOtherVisit visit_other;
        void *context;
        AshFilelistsPackage p; /* its head serves both */
        ASH_ARRAY(File) files;
        ASH_ARRAY(Change) changes;
        uint64_t declared;
        size_t n;
        AshArena *scratch;
} Each;
_Static_assert(sizeof(File) == sizeof(*((AshFilelistsPackage *) 0)->files) && sizeof(Change) == sizeof(*((AshOtherPackage *) 0)->changes), "same rows");

static void each_begin(AshXml *x, Each *s, const AshXmlAttr *attrs, size_t n) {
        ash_arena_free(s->scratch);
        x->arena = s->scratch = ash_arena_new();
        s->files.n = s->changes.n = 0;
        s->p = (AshFilelistsPackage){ .pkgid = ash_xml_keep(x, ash_xml_attr(attrs, n, "pkgid")), .name = ash_xml_keep(x, ash_xml_attr(attrs, n, "name")),
                                      .arch = ash_xml_keep(x, ash_xml_attr(attrs, n, "arch")) };
        if (!s->p.pkgid.len || !good_name(s->p.name))
                ash_xml_fail(x, -ASH_ERR_SYNTAX, "a package without pkgid or name");
        if (++s->n > PACKAGES_MAX)
                ash_xml_fail(x, -ASH_ERR_LIMIT, "more than %d packages", PACKAGES_MAX);
}

static void each_start(AshXml *x, const char *name, const AshXmlAttr *attrs, size_t n) {
        Each *s = x->state;
        if (x->depth == 1) {
                if (!ASH_XML_IS(name, s->visit_files ? "filelists" : "otherdata"))
                        ash_xml_fail(x, -ASH_ERR_SYNTAX, "wrong root element '%s'", name);
                s->declared = count_attr(x, attrs, n);
        } else if (x->depth == 2 && ASH_XML_IS(name, "package")) {
                each_begin(x, s, attrs, n);
        } else if (x->depth == 3 && s->scratch && ASH_XML_IS(name, "version")) {
                read_version(x, attrs, n, &s->p.version, &s->p.release, &s->p.epoch);
        } else if (x->depth == 3 && s->scratch && ASH_XML_IS(name, "file")) {
                AshSlice type = ash_xml_attr(attrs, n, "type");
                if (s->files.n >= FILES_MAX)
                        ash_xml_fail(x, -ASH_ERR_LIMIT, "a package with more than %d files", FILES_MAX);
                else
                        ash_array_add(&s->files)->type = ash_slice_eqs(type, "dir") ? 'd' : ash_slice_eqs(type, "ghost") ? 'g' : 'f';
        } else if (x->depth == 3 && s->scratch && ASH_XML_IS(name, "changelog")) {
                AshSlice date = ash_xml_attr(attrs, n, "date");
                if (s->changes.n >= CHANGES_MAX)
                        ash_xml_fail(x, -ASH_ERR_LIMIT, "a package with more than %d changes", CHANGES_MAX);
                else
                        *ash_array_add(&s->changes) = (Change){ .author = ash_xml_keep(x, ash_xml_attr(attrs, n, "author")), .date = date.ptr ? ash_xml_number(x, date, "date") : 0 };
        }
}

static int each_visit(Each *s) {
        if (s->visit_files) {
                s->p.files = (void *) s->files.items;
                s->p.n = s->files.n;
                return s->visit_files(s->context, &s->p);
        }
        AshOtherPackage o = { .pkgid = s->p.pkgid, .name = s->p.name, .arch = s->p.arch, .version = s->p.version, .release = s->p.release, .epoch = s->p.epoch,
                              .changes = (void *) s->changes.items, .n = s->changes.n };
        return s->visit_other(s->context, &o);
}

static void each_end(AshXml *x, const char *name, AshSlice text) {
        Each *s = x->state;
        if (x->depth == 1) {
                check_count(x, s->declared, s->n);
        } else if (x->depth == 2 && s->scratch && ASH_XML_IS(name, "package")) {
                int r = each_visit(s);
                if (r < 0)
                        ash_xml_fail(x, r, "stopped: %s", ash_strerror(r));
        } else if (x->depth == 3 && s->files.n && ASH_XML_IS(name, "file")) {
                ash_array_last(&s->files)->path = ash_xml_keep(x, text);
        } else if (x->depth == 3 && s->changes.n && ASH_XML_IS(name, "changelog")) {
                ash_array_last(&s->changes)->text = ash_xml_keep(x, text);
        }
}

static int each_parse(AshReader *r, const char *name, Each *s, AshDiags *diags) {
        static const AshXmlOps ops = { each_start, each_end };
        AshXml x = { .name = name, .diags = diags, .state = s };
        s->declared = UINT64_MAX;
        int k = ash_xml_parse(r, &x, &ops);
        ash_array_done(&s->files);
        ash_array_done(&s->changes);
        ash_arena_free(s->scratch);
        return k;
}

int ash_filelists_parse(AshReader *r, const char *name, AshFilelistsVisit visit, void *context, AshDiags *diags) {
        return each_parse(r, name, &(Each){ .visit_files = visit, .context = context }, diags);
}

int ash_other_parse(AshReader *r, const char *name, AshOtherVisit visit, void *context, AshDiags *diags) {
        return each_parse(r, name, &(Each){ .visit_other = visit, .context = context }, diags);
}
