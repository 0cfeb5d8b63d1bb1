/* Relations: what Debian means, said so that rpm concludes the same (docs/apt-import.md, "Relations").
 *
 * rpm differs from dpkg in three ways that matter. A provide without a version satisfies every versioned relation in rpm and none in Debian. The order of
 * versions differs in corners ("." against the end, "+" against "."). And a version without release stands for all its releases. The archive is closed: all
 * candidates of a relation are known, so that each relation can be judged against each candidate both ways, and rewritten where the two would differ. */
#include "apt-universe.h"

/* One version under which a name can be had. */
typedef struct Candidate {
        AshDebVersion version;
        AshSlice evr;              /* the same for rpm, in the arena */
        AshRpmEvr parsed;
} Candidate;
typedef struct Name {
        ASH_ARRAY(Candidate) versions; /* of packages with that name and of versioned provides */
        bool real;                 /* a package has that name */
        bool unversioned;          /* something provides it without a version */
        bool given;                /* only the table of names gives it: Debian's relations mention it, and nothing of Debian's answers */
} Name;
typedef struct World {
        AptBuilder *b;
        AptRecords *records;
        AshSlice arch;
        AshMap names;
        const AshAptTables *tables;
        AshStr scratch;
} World;

static void world_done(World *w) {
        ash_map_foreach(&w->names, e)
                ash_array_done(&((Name *) e->value)->versions);
        ash_map_done(&w->names);
        ash_str_done(&w->scratch);
}

static Name *name_of(World *w, AshSlice name) {
        bool fresh;
        AshMapEntry *e = ash_map_ensure(&w->names, name, &fresh);
        if (fresh)
                e->value = ash_arena_new_item(w->b->arena, Name);
        return e->value;
}

/* '-' cannot stand in rpm's version; '_' can, never stands in Debian's, and separates in rpmvercmp as '-' would. */
void ash_apt_evr(const AshDebVersion *v, AshStr *out) {
        if (v->epoch > 0)
                ash_str_appendf(out, "%u:", v->epoch);
        for (size_t i = 0; i < v->upstream.len; i++)
                ash_str_append_char(out, v->upstream.ptr[i] == '-' || v->upstream.ptr[i] == ':' ? '_' : v->upstream.ptr[i]);
        ash_str_append_char(out, '-');
        ash_str_append(out, v->revision.ptr ? v->revision : ASH_S("0")); /* Policy 5.6.12: no revision is the revision 0 */
}

static AshSlice evr_of(World *w, const AshDebVersion *v) {
        ash_str_clear(&w->scratch);
        ash_apt_evr(v, &w->scratch);
        return ash_arena_slice(w->b->arena, ash_str_slice(&w->scratch));
}

static void add_candidate(World *w, Name *n, const AshDebVersion *v) {
        ash_array_foreach(&n->versions, c)
                if (ash_deb_version_cmp(&c->version, v) == 0 && ash_slice_eq(c->version.upstream, v->upstream))
                        return;
        Candidate *c = ash_array_add(&n->versions);
        c->version = *v;
        c->evr = evr_of(w, v);
        (void) ash_rpm_evr_parse(c->evr, &c->parsed);
}

static int bad_relation(World *w, const AptRecord *r, AshSlice text, const char *label, AshDiags *diags) {
        (void) w;
        return ash_fail_file(diags, -ASH_ERR_SYNTAX, label, "package %.*s: invalid relation near '%.*s'", ASH_F(r->fields[APT_PACKAGE]), (int) ASH_MIN(text.len, (size_t) 60), text.ptr);
}

static int each_provide(World *w, const AptRecord *r, const char *label, AshDiags *diags, void (*f)(World *, const AptRecord *, const AshDebAtom *, const AshDebVersion *)) {
        AshSlice rest = r->fields[APT_PROVIDES];
        AshDebAtom a;
        int e;
        while ((e = ash_deb_relation_next(&rest, &a)) == 1) {
                AshDebVersion v = {};
                if (a.op != ASH_DEB_ANY && (a.op != ASH_DEB_EQ || ash_deb_version_parse(a.version, &v) < 0))
                        return bad_relation(w, r, a.name, label, diags);
                f(w, r, &a, a.op == ASH_DEB_EQ ? &v : NULL);
        }
        return e < 0 ? bad_relation(w, r, rest, label, diags) : 0;
}

static void index_provide(World *w, const AptRecord *r, const AshDebAtom *a, const AshDebVersion *v) {
        (void) r;
        Name *n = name_of(w, a->name);
        if (v)
                add_candidate(w, n, v);
        else
                n->unversioned = true;
}

/* Every name that a relation mentions is known before the first is translated. */
static void index_wanted(World *w, const AptRecord *r) {
        for (int field = APT_DEPENDS; field < APT_PROVIDES; field++) {
                AshSlice rest = r->fields[field];
                AshDebAtom a;
                while (ash_deb_relation_next(&rest, &a) == 1)
                        name_of(w, a.name);
        }
}

static bool of_debian(const Name *n) { return n->real || n->unversioned || n->versions.n > 0; }

static void index_given(void *context, AshSlice name, bool pattern) {
        World *w = context;
        Name *n = ash_map_get(&w->names, name);
        (void) pattern;
        if (n && !of_debian(n))
                n->given = true;
}

static int index_world(World *w, const char *label, AshDiags *diags) {
        ash_map_reserve(&w->names, w->records->items.n * 2);
        ash_array_foreach(&w->records->items, r) {
                Name *n = name_of(w, r->fields[APT_PACKAGE]);
                n->real = true;
                add_candidate(w, n, &r->version);
        }
        ash_array_foreach(&w->records->items, r) {
                int e = r->fields[APT_PROVIDES].len ? each_provide(w, r, label, diags, index_provide) : 0;
                if (e < 0)
                        return e;
                index_wanted(w, r);
        }
        ash_array_foreach(&w->records->items, r)
                ash_apt_tables_names(w->tables, r->fields[APT_PACKAGE], index_given, w);
        return 0;
}

/* ---- one atom ---- */
static const uint32_t op_flags[ASH_DEB_OP_MAX_] = {
        [ASH_DEB_LT] = ASH_DEP_LT, [ASH_DEB_LE] = ASH_DEP_LT | ASH_DEP_EQ, [ASH_DEB_EQ] = ASH_DEP_EQ, [ASH_DEB_GE] = ASH_DEP_GT | ASH_DEP_EQ, [ASH_DEB_GT] = ASH_DEP_GT,
};

typedef struct Said { /* an atom in rpm's words: nothing, one range, or several versions */
        AshDep items[1];
        AshSlice *versions; /* several "= version" */
        size_t n;
        AshSlice name;
} Said;

static bool agrees(const Name *n, AshDebOp op, const AshDebVersion *v, uint32_t flags, AshSlice evr) {
        AshRpmEvr bound;
        if (ash_rpm_evr_parse(evr, &bound) < 0)
                return false;
        ash_array_foreach(&n->versions, c)
                if (ash_deb_version_satisfies(&c->version, op, v) != ash_rpm_ranges_meet(ASH_RPMSENSE_EQUAL, &c->parsed, flags, &bound))
                        return false;
        return true;
}

/* The outermost candidate that satisfies the relation, in Debian's order: the bound that both orders may agree on. */
static const Candidate *outermost(const Name *n, AshDebOp op, const AshDebVersion *v) {
        const Candidate *best = NULL;
        ash_array_foreach(&n->versions, c) {
                if (!ash_deb_version_satisfies(&c->version, op, v))
                        continue;
                int r = best ? ash_deb_version_cmp(&c->version, &best->version) : 0;
                bool lower = op == ASH_DEB_GE || op == ASH_DEB_GT;
                if (!best || (lower ? r < 0 : r > 0))
                        best = c;
        }
        return best;
}

static void say_versions(World *w, const Name *n, AshDebOp op, const AshDebVersion *v, Said *ret) {
        ret->versions = ash_arena_new_items(w->b->arena, AshSlice, n->versions.n + 1);
        ash_array_foreach(&n->versions, c)
                if (ash_deb_version_satisfies(&c->version, op, v))
                        ret->versions[ret->n++] = c->evr;
}

static void say_rewritten(World *w, const Name *n, AshDebOp op, const AshDebVersion *v, Said *ret) {
        const Candidate *best = outermost(n, op, v);
        w->b->stats.rewritten_order++;
        if (!best) { /* nothing satisfies it: nothing may for rpm either. No version is lower than this one. */
                ret->n = 1;
                ret->items[0] = (AshDep){ ret->name, ASH_S("0~~~-0"), ASH_DEP_LT };
                w->b->stats.impossible++;
                return;
        }
        uint32_t flags = op == ASH_DEB_EQ ? ASH_DEP_EQ : ASH_DEP_EQ | (op == ASH_DEB_GE || op == ASH_DEB_GT ? ASH_DEP_GT : ASH_DEP_LT);
        if (agrees(n, op, v, flags, best->evr)) {
                ret->n = 1;
                ret->items[0] = (AshDep){ ret->name, best->evr, flags };
                return;
        }
        say_versions(w, n, op, v, ret);
}

static AshSlice marked_name(World *w, AshSlice name) {
        return ash_slice_str(ash_arena_printf(w->b->arena, "deb(%.*s)", ASH_F(name)));
}

static void say_atom(World *w, const AshDebAtom *a, const AshDebVersion *v, Said *ret) {
        *ret = (Said){ .name = a->name };
        Name *n = name_of(w, a->name);
        w->b->stats.relations++;
        if (n->given) /* unsatisfiable for Debian: it stays so, as "deb(NAME)", which nothing provides */
                ret->name = marked_name(w, a->name);
        if (a->op == ASH_DEB_ANY) {
                ret->items[0] = (AshDep){ .name = ret->name };
                ret->n = 1;
                return;
        }
        w->b->stats.versioned++;
        if (n->unversioned) { /* only "deb(NAME) = VERSION" of packages and versioned provides may answer */
                ret->name = marked_name(w, a->name);
                w->b->stats.rewritten_virtual++;
        }
        AshSlice evr = evr_of(w, v);
        if (!agrees(n, a->op, v, op_flags[a->op], evr)) {
                say_rewritten(w, n, a->op, v, ret);
                return;
        }
        ret->items[0] = (AshDep){ ret->name, evr, op_flags[a->op] };
        ret->n = 1;
}

/* ":any" and ":native" say what holds anyway where there is one architecture; another architecture's package is not in this world. */
static bool foreign(World *w, const AshDebAtom *a) {
        if (a->qualifier.len == 0 || ash_slice_eqs(a->qualifier, "any") || ash_slice_eqs(a->qualifier, "native") || ash_slice_eqs(a->qualifier, "all") ||
            ash_slice_eq(a->qualifier, w->arch))
                return false;
        w->b->stats.foreign_arch++;
        return true;
}

/* ---- fields ---- */
static void append_dep(AshStr *out, AshSlice name, uint32_t flags, AshSlice evr) { ash_dep_format(&(AshDep){ name, evr, flags }, out); }

/* Appends one atom as rich text; several versions as "(n = a or n = b)". */
static void append_said(AshStr *out, const Said *s) {
        if (!s->versions) {
                append_dep(out, s->items[0].name, s->items[0].flags, s->items[0].evr);
                return;
        }
        if (s->n > 1)
                ash_str_append_char(out, '(');
        for (size_t i = 0; i < s->n; i++) {
                if (i)
                        ash_str_append_str(out, " or ");
                append_dep(out, s->name, ASH_DEP_EQ, s->versions[i]);
        }
        if (s->n > 1)
                ash_str_append_char(out, ')');
}

typedef struct Group { /* alternatives: one member of a relation field */
        ASH_ARRAY(Said) items;
} Group;

static void add_group(World *w, Group *g, uint32_t flags) {
        if (g->items.n == 1 && !g->items.items[0].versions) {
                const AshDep *d = &g->items.items[0].items[0];
                apt_add_dep(w->b, d->name, d->flags | flags, d->evr);
        } else if (g->items.n > 0) {
                AshStr *s = &w->b->scratch;
                ash_str_clear(s);
                bool nested = g->items.n > 1;
                if (nested)
                        ash_str_append_char(s, '(');
                for (size_t i = 0; i < g->items.n; i++) {
                        if (i)
                                ash_str_append_str(s, " or ");
                        append_said(s, &g->items.items[i]);
                }
                if (nested)
                        ash_str_append_char(s, ')');
                apt_add_dep(w->b, ash_str_slice(s), flags, ASH_S(""));
        }
        g->items.n = 0;
}

/* Depends, Recommends, Suggests, Enhances. */
static int add_needs(World *w, const AptRecord *r, AptField field, const char *label, AshDiags *diags) {
        AshSlice rest = r->fields[field];
        AshDebAtom a;
        Group g = {};
        int e;
        bool open = false;
        while ((e = ash_deb_relation_next(&rest, &a)) == 1) {
                AshDebVersion v = {};
                if (a.op != ASH_DEB_ANY && ash_deb_version_parse(a.version, &v) < 0) {
                        e = -1;
                        break;
                }
                if (!a.alternative && open)
                        add_group(w, &g, 0);
                open = true;
                Said s;
                if (foreign(w, &a)) { /* as a name that nothing here provides */
                        s = (Said){ .items = { { .name = ash_slice_str(ash_arena_printf(w->b->arena, "%.*s(%.*s)", ASH_F(a.name), ASH_F(a.qualifier))) } }, .n = 1 };
                } else
                        say_atom(w, &a, &v, &s);
                ash_array_push(&g.items, s);
        }
        add_group(w, &g, 0);
        ash_array_done(&g.items);
        return e < 0 ? bad_relation(w, r, rest, label, diags) : 0;
}

static bool any_candidate(const Name *n, const AshDebAtom *a, const AshDebVersion *v) {
        if (a->op == ASH_DEB_ANY)
                return n->real || n->unversioned || n->versions.n > 0;
        ash_array_foreach(&n->versions, c)
                if (ash_deb_version_satisfies(&c->version, a->op, v))
                        return true;
        return false;
}

/* Breaks and Conflicts. One that hits nothing in the closed world is left out: it is about packages of the past. */
static int add_conflicts(World *w, const AptRecord *r, AptField field, const char *label, AshDiags *diags) {
        AshSlice rest = r->fields[field];
        AshDebAtom a;
        int e;
        while ((e = ash_deb_relation_next(&rest, &a)) == 1) {
                AshDebVersion v = {};
                if (a.op != ASH_DEB_ANY && ash_deb_version_parse(a.version, &v) < 0)
                        return bad_relation(w, r, a.name, label, diags);
                if (foreign(w, &a))
                        continue;
                Said s;
                if (!any_candidate(name_of(w, a.name), &a, &v)) {
                        w->b->stats.relations++;
                        w->b->stats.versioned += a.op != ASH_DEB_ANY;
                        w->b->stats.dropped_conflicts++;
                        continue;
                }
                say_atom(w, &a, &v, &s);
                for (size_t i = 0; s.versions && i < s.n; i++)
                        apt_add_dep(w->b, s.name, ASH_DEP_EQ, s.versions[i]);
                if (!s.versions)
                        apt_add_dep(w->b, s.items[0].name, s.items[0].flags, s.items[0].evr);
        }
        return e < 0 ? bad_relation(w, r, rest, label, diags) : 0;
}

/* ---- provides ---- */
static void add_provide(World *w, const AptRecord *r, const AshDebAtom *a, const AshDebVersion *v) {
        (void) r;
        if (!v) {
                apt_add_dep(w->b, a->name, 0, ASH_S(""));
                return;
        }
        AshSlice evr = evr_of(w, v);
        apt_add_dep(w->b, a->name, ASH_DEP_EQ, evr);
        apt_add_dep(w->b, marked_name(w, a->name), ASH_DEP_EQ, evr);
}

typedef struct Naming {
        World *w;
        AshSlice package, evr;
        const char *isa;
} Naming;

/* A name from the table. A name that Debian itself uses keeps Debian's meaning: relations on it were judged without this provide. */
static void add_name(void *context, AshSlice name, bool pattern) {
        Naming *n = context;
        World *w = n->w;
        if (name.len > 0 && name.ptr[0] == '/') {
                apt_add_dep(w->b, name, 0, ASH_S(""));
                return;
        }
        const Name *known = ash_map_get(&w->names, name);
        if (known && of_debian(known)) {
                w->b->stats.names_refused += !pattern;
                return;
        }
        w->b->stats.names++;
        apt_add_dep(w->b, name, ASH_DEP_EQ, n->evr);
        if (n->isa && !memchr(name.ptr, '(', name.len))
                apt_add_dep(w->b, ash_slice_str(ash_arena_printf(w->b->arena, "%.*s(%s)", ASH_F(name), n->isa)), ASH_DEP_EQ, n->evr);
}

/* The version that it is published in: Debian's, unless an overlay raises the release. */
static AshSlice raised_evr(World *w, const AptRecord *r) {
        AshAptChanges changes = ash_apt_tables_changes(w->tables, r->fields[APT_PACKAGE]);
        AshSlice evr = evr_of(w, &r->version);
        for (size_t i = 0; i < changes.n; i++)
                if (changes.items[i].type == ASH_APT_RAISE_RELEASE)
                        evr = ash_slice_str(ash_arena_printf(w->b->arena, "%.*s%.*s", ASH_F(evr), ASH_F(changes.items[i].suffix)));
        return evr;
}

static void add_own_provides(World *w, AshSlice name, AshSlice evr, const char *isa) {
        apt_add_dep(w->b, name, ASH_DEP_EQ, evr);
        if (isa)
                apt_add_dep(w->b, ash_slice_str(ash_arena_printf(w->b->arena, "%.*s(%s)", ASH_F(name), isa)), ASH_DEP_EQ, evr);
        apt_add_dep(w->b, marked_name(w, name), ASH_DEP_EQ, evr);
}

static int add_provides(World *w, const AptRecord *r, AshSlice rpm_arch, const char *label, AshDiags *diags) {
        AshSlice name = r->fields[APT_PACKAGE], evr = raised_evr(w, r);
        const char *isa = ash_rpm_isa(rpm_arch);
        add_own_provides(w, name, evr, isa);
        add_own_provides(w, name, evr_of(w, &r->version), isa); /* what asks for exactly Debian's version is answered by a raised one, too; equal ones are dropped */
        int e = each_provide(w, r, label, diags, add_provide);
        if (e >= 0)
                ash_apt_tables_names(w->tables, name, add_name, &(Naming){ w, name, evr, isa });
        return e;
}

/* ---- overlays ---- */
static void change_relations(World *w, size_t first, AshAptChanges changes, AshDepKind kind) {
        for (size_t i = 0; i < changes.n; i++) {
                const AshAptChange *c = &changes.items[i];
                if (c->kind != kind || (c->type != ASH_APT_ADD_RELATION && c->type != ASH_APT_REMOVE_RELATION))
                        continue;
                if (c->type == ASH_APT_ADD_RELATION) {
                        apt_add_dep(w->b, c->dep.name, c->dep.flags, c->dep.evr);
                        continue;
                }
                size_t keep = first;
                for (size_t k = first; k < w->b->deps.n; k++)
                        if (!ash_slice_eqs(c->dep.name, w->b->strings.ptr + w->b->deps.items[k].name))
                                w->b->deps.items[keep++] = w->b->deps.items[k];
                w->b->deps.n = keep;
        }
}

static int dep_order(const void *a, const void *b) { return memcmp(a, b, sizeof(AptBlobDep)); }

/* Strings are interned: equal relations have equal numbers. The first of equal ones stays where it is. */
static void drop_repeated(AptBuilder *b, size_t first) {
        size_t n = b->deps.n - first, keep = first;
        if (n < 2)
                return;
        for (size_t i = first; i < b->deps.n; i++) {
                bool seen = false;
                for (size_t k = first; k < keep && !seen; k++)
                        seen = dep_order(&b->deps.items[k], &b->deps.items[i]) == 0;
                if (!seen)
                        b->deps.items[keep++] = b->deps.items[i];
        }
        b->deps.n = keep;
}

static int add_relations(World *w, const AptRecord *r, AptBlobPackage *p, AshSlice rpm_arch, const char *label, AshDiags *diags) {
        static const struct {
                AshDepKind kind;
                AptField field;
                bool conflict;
        } table[] = {
                { ASH_DEP_REQUIRES, APT_PRE_DEPENDS },         { ASH_DEP_REQUIRES, APT_DEPENDS },     { ASH_DEP_CONFLICTS, APT_CONFLICTS, true },
                { ASH_DEP_CONFLICTS, APT_BREAKS, true },       { ASH_DEP_RECOMMENDS, APT_RECOMMENDS }, { ASH_DEP_SUGGESTS, APT_SUGGESTS },
                { ASH_DEP_ENHANCES, APT_ENHANCES },
        };
        AshAptChanges changes = ash_apt_tables_changes(w->tables, r->fields[APT_PACKAGE]);
        for (int kind = 0; kind < ASH_DEP_MAX_; kind++) {
                size_t first = w->b->deps.n;
                p->deps[kind] = (uint32_t) first;
                int e = kind == ASH_DEP_PROVIDES ? add_provides(w, r, rpm_arch, label, diags) : 0;
                for (size_t i = 0; e >= 0 && i < ASH_N(table); i++)
                        if (table[i].kind == (AshDepKind) kind && r->fields[table[i].field].len)
                                e = (table[i].conflict ? add_conflicts : add_needs)(w, r, table[i].field, label, diags);
                if (e < 0)
                        return e;
                change_relations(w, first, changes, kind);
                drop_repeated(w->b, first);
        }
        p->deps[ASH_DEP_MAX_] = (uint32_t) w->b->deps.n;
        return 0;
}

/* ---- packages ---- */
static AshSlice rpm_arch(AshSlice deb) {
        static const char *const table[][2] = { { "all", "noarch" }, { "amd64", "x86_64" }, { "arm64", "aarch64" }, { "i386", "i686" }, { "ppc64el", "ppc64le" } };
        for (size_t i = 0; i < ASH_N(table); i++)
                if (ash_slice_eqs(deb, table[i][0]))
                        return ash_slice_str(table[i][1]);
        return deb;
}

static uint32_t package_flags(const AptRecord *r) {
        static const struct {
                AptField field;
                const char *value;
                uint32_t flag;
        } table[] = { { APT_ESSENTIAL, "yes", ASH_APT_ESSENTIAL }, { APT_PROTECTED, "yes", ASH_APT_PROTECTED },   { APT_PRIORITY, "required", ASH_APT_REQUIRED },
                      { APT_PRIORITY, "important", ASH_APT_IMPORTANT }, { APT_PRIORITY, "standard", ASH_APT_STANDARD } };
        uint32_t flags = r->version.epoch > 0 ? APT_HAS_EPOCH : 0;
        for (size_t i = 0; i < ASH_N(table); i++)
                if (ash_slice_eqs(r->fields[table[i].field], table[i].value))
                        flags |= table[i].flag;
        return flags;
}

static int add_package(World *w, const AptRecord *r, const char *label, AshDiags *diags) {
        AptBuilder *b = w->b;
        AshSlice evr = raised_evr(w, r), arch = rpm_arch(r->fields[APT_ARCHITECTURE]);
        AshRpmEvr parsed;
        (void) ash_rpm_evr_parse(evr, &parsed);
        AshSlice source = r->fields[APT_SOURCE], source_version = r->fields[APT_VERSION]; /* "Source: name (version)" */
        ptrdiff_t open = ash_slice_find_char(source, '(');
        if (open > 0) {
                source_version = ash_slice_trim(ash_slice_from(source, (size_t) open + 1));
                if (ash_slice_ends(source_version, ASH_S(")")))
                        source_version = ash_slice_sub(source_version, 0, source_version.len - 1);
                source = ash_slice_trim(ash_slice_sub(source, 0, (size_t) open));
        } else if (source.len == 0)
                source = r->fields[APT_PACKAGE];
        AshSlice summary = r->fields[APT_DESCRIPTION];
        ptrdiff_t nl = ash_slice_find_char(summary, '\n');
        AptBlobPackage p = {
                .name = apt_intern(b, r->fields[APT_PACKAGE]), .version = apt_intern(b, r->fields[APT_VERSION]), .rpm_version = apt_intern(b, parsed.version),
                .rpm_release = apt_intern(b, parsed.release), .rpm_arch = apt_intern(b, arch), .arch = apt_intern(b, r->fields[APT_ARCHITECTURE]),
                .source = apt_intern(b, source), .source_version = apt_intern(b, source_version), .summary = apt_intern(b, nl < 0 ? summary : ash_slice_sub(summary, 0, (size_t) nl)),
                .url = apt_intern(b, r->fields[APT_HOMEPAGE]), .section = apt_intern(b, r->fields[APT_SECTION]), .filename = apt_intern(b, r->fields[APT_FILENAME]),
                .epoch = r->version.epoch, .flags = package_flags(r),
        };
        if (ash_unhex(r->fields[APT_SHA256], p.sha256, 32) < 0)
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, label, "package %.*s: SHA256 is not 64 hex digits", ASH_F(r->fields[APT_PACKAGE]));
        (void) ash_slice_to_u64(r->fields[APT_SIZE], 10, &p.size);
        uint64_t kib = 0;
        (void) ash_slice_to_u64(r->fields[APT_INSTALLED_SIZE], 10, &kib);
        p.installed_size = ASH_MIN(kib, UINT64_MAX >> 11) << 10;
        int e = add_relations(w, r, &p, arch, label, diags);
        ash_array_push(&b->packages, p);
        return e;
}

int ash_apt_build(const AshSlice *packages, size_t n, AshSlice arch, const AshAptTables *tables, const char *label, AshApt **ret, AshDiags *diags) {
        AptRecords records = {};
        AptBuilder b;
        apt_builder_init(&b);
        World w = { .b = &b, .records = &records, .arch = arch, .tables = tables };
        int r = 0;
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = apt_records_parse(packages[i], arch, label, &records, diags);
        if (r >= 0)
                r = index_world(&w, label, diags);
        for (size_t i = 0; r >= 0 && i < records.items.n; i++)
                r = add_package(&w, &records.items.items[i], label, diags);
        if (r >= 0)
                r = apt_builder_finish(&b, ret);
        world_done(&w);
        apt_builder_done(&b);
        ash_array_done(&records.items);
        return r;
}
