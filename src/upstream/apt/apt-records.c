/* Packages files: one stanza a binary package. */
#include "apt-universe.h"

static const char *const names[APT_FIELD_MAX_] = {
        [APT_PACKAGE] = "Package", [APT_VERSION] = "Version", [APT_ARCHITECTURE] = "Architecture", [APT_SOURCE] = "Source", [APT_DESCRIPTION] = "Description",
        [APT_HOMEPAGE] = "Homepage", [APT_SECTION] = "Section", [APT_FILENAME] = "Filename", [APT_SIZE] = "Size", [APT_INSTALLED_SIZE] = "Installed-Size", [APT_SHA256] = "SHA256",
        [APT_ESSENTIAL] = "Essential", [APT_PROTECTED] = "Protected", [APT_PRIORITY] = "Priority", [APT_DEPENDS] = "Depends", [APT_PRE_DEPENDS] = "Pre-Depends",
        [APT_RECOMMENDS] = "Recommends", [APT_SUGGESTS] = "Suggests", [APT_ENHANCES] = "Enhances", [APT_BREAKS] = "Breaks", [APT_CONFLICTS] = "Conflicts",
        [APT_REPLACES] = "Replaces", [APT_PROVIDES] = "Provides",
};

static AptField field_id(AshSlice name) {
        for (int i = 0; i < APT_FIELD_MAX_; i++)
                if ((names[i][0] | 32) == (name.ptr[0] | 32) && ash_slice_eq_nocase(name, ash_slice_str(names[i])))
                        return i;
        return APT_FIELD_MAX_;
}

static size_t line_of(AshSlice text, const char *at) {
        size_t line = 1;
        for (const char *p = text.ptr; p < at; p++)
                line += *p == '\n';
        return line;
}

/* What a package cannot be without: a name that is one, a version, a place to get it, a digest. */
static const char *record_problem(AptRecord *r) {
        if (!r->fields[APT_PACKAGE].len)
                return "a stanza without Package";
        AshSlice rest = r->fields[APT_PACKAGE];
        AshDebAtom atom;
        if (ash_deb_relation_next(&rest, &atom) != 1 || !ash_slice_eq(atom.name, r->fields[APT_PACKAGE]))
                return "a package name with characters that none may have";
        if (ash_deb_version_parse(r->fields[APT_VERSION], &r->version) < 0)
                return "an invalid Version";
        if (!ash_path_is_confined(r->fields[APT_FILENAME]))
                return "a Filename that leaves the archive";
        if (r->fields[APT_SHA256].len != 64)
                return "no SHA256";
        uint64_t n;
        if (ash_slice_to_u64(r->fields[APT_SIZE], 10, &n) < 0)
                return "an invalid Size";
        return NULL;
}

static int finish_record(AshSlice text, const char *at, AshSlice arch, const char *label, AptRecord *r, AptRecords *records, AshDiags *diags) {
        const char *problem = record_problem(r);
        if (problem)
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, label, "%s in the stanza that ends at line %zu", problem, line_of(text, at));
        AshSlice a = r->fields[APT_ARCHITECTURE];
        if (ash_slice_eq(a, arch) || ash_slice_eqs(a, "all"))
                ash_array_push(&records->items, *r);
        *r = (AptRecord){};
        return 0;
}

int apt_records_parse(AshSlice text, AshSlice arch, const char *label, AptRecords *records, AshDiags *diags) {
        AshDeb822 in = ash_deb822(text);
        AptRecord record = {};
        AshDebField f;
        int e;
        while ((e = ash_deb822_next(&in, &f)) > 0) {
                if (e == ASH_DEB822_STANZA_END) {
                        int r = finish_record(text, in.rest.ptr, arch, label, &record, records, diags);
                        if (r < 0)
                                return r;
                        continue;
                }
                AptField id = field_id(f.name);
                if (id != APT_FIELD_MAX_)
                        record.fields[id] = f.value;
        }
        if (e < 0)
                return ash_fail_file(diags, e, label, "line %zu is neither a field nor the continuation of one", line_of(text, in.rest.ptr));
        return 0;
}
