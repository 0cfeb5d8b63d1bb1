/* Over a whole archive: does rpm conclude from the translated relations what Debian means by the original ones?
 *
 *      archive-relations EXPLAINED PACKAGES... (ARCH in the environment; NAMES and IMPORTS: the tables of distro/)
 *
 * For each member of each relation field the set of packages that satisfy it (or are hit by it) is worked out twice: from the Packages text by Debian's rules, and
 * from the translated relations and provides by librpm's rpmdsCompare(). Members of Requires-like fields are compared as sets of such sets, conflicts as one set
 * without the package itself (both dpkg and rpm let a package conflict with what it provides itself). Any difference that EXPLAINED does not name is a failure. */
#include <rpm/rpmds.h>
#include <rpm/rpmlib.h>
#include <rpm/rpmstrpool.h>
#include "apt-universe.h"

typedef struct Ids {
        ASH_ARRAY(uint32_t) ids;
} Ids;
typedef struct Provide {
        uint32_t package;
        bool versioned;
        AshDebVersion version; /* Debian's side */
        rpmds ds;              /* rpm's side */
} Provide;
typedef struct Provides {
        ASH_ARRAY(Provide) items;
} Provides;

static AptRecords records;
static AshApt *universe;
static AshArena *arena;
static AshMap debian, rpm, explained;
static rpmstrPool pool;
static uint64_t judged, members_n, rich_n, differences, unexplained;

static int id_order(const void *a, const void *b) { return *(const uint32_t *) a < *(const uint32_t *) b ? -1 : *(const uint32_t *) a > *(const uint32_t *) b; }
static void ids_sort(Ids *s) {
        qsort(s->ids.items, s->ids.n, 4, id_order);
        size_t n = 0;
        for (size_t i = 0; i < s->ids.n; i++)
                if (n == 0 || s->ids.items[n - 1] != s->ids.items[i])
                        s->ids.items[n++] = s->ids.items[i];
        s->ids.n = n;
}

static Provides *provides_of(AshMap *map, AshSlice name) {
        bool fresh;
        AshMapEntry *e = ash_map_ensure(map, name, &fresh);
        if (fresh)
                e->value = ash_arena_new_item(arena, Provides);
        return e->value;
}

static void index_debian(void) {
        for (uint32_t i = 0; i < records.items.n; i++) {
                const AptRecord *r = &records.items.items[i];
                ash_array_push(&provides_of(&debian, r->fields[APT_PACKAGE])->items, ((Provide){ i, true, r->version, NULL }));
                AshSlice rest = r->fields[APT_PROVIDES];
                AshDebAtom a;
                while (ash_deb_relation_next(&rest, &a) == 1) {
                        Provide p = { i, a.op != ASH_DEB_ANY, {}, NULL };
                        if (p.versioned)
                                (void) ash_deb_version_parse(a.version, &p.version);
                        ash_array_push(&provides_of(&debian, a.name)->items, p);
                }
        }
}

static rpmds ds_new(rpmTagVal tag, AshSlice name, AshSlice evr, uint32_t flags) {
        _free_ char *n = ash_slice_dup(name), *e = ash_slice_dup(evr);
        if (!pool)
                pool = rpmstrPoolCreate();
        return rpmdsSinglePool(pool, tag, n, e, flags);
}

static void index_rpm(void) {
        for (uint32_t i = 0; i < ash_apt_count(universe); i++)
                for (size_t k = 0; k < ash_apt_deps_n(universe, i, ASH_DEP_PROVIDES); k++) {
                        AshDep d = ash_apt_dep(universe, i, ASH_DEP_PROVIDES, k);
                        ash_array_push(&provides_of(&rpm, d.name)->items, ((Provide){ i, d.flags != 0, {}, ds_new(RPMTAG_PROVIDENAME, d.name, d.evr, d.flags) }));
                }
}

static void debian_atom(const AshDebAtom *a, Ids *out) {
        if (a->qualifier.len && !ash_slice_eqs(a->qualifier, "any") && !ash_slice_eqs(a->qualifier, "native") && !ash_slice_eqs(a->qualifier, getenv("ARCH")))
                return; /* another architecture's package: not in this world */
        AshDebVersion v = {};
        if (a->op != ASH_DEB_ANY)
                (void) ash_deb_version_parse(a->version, &v);
        Provides *p = ash_map_get(&debian, a->name);
        for (size_t i = 0; p && i < p->items.n; i++) {
                const Provide *c = &p->items.items[i];
                judged++;
                if (a->op == ASH_DEB_ANY || (c->versioned && ash_deb_version_satisfies(&c->version, a->op, &v)))
                        ash_array_push(&out->ids, c->package);
        }
}

static void rpm_simple(AshSlice name, AshSlice evr, uint32_t flags, Ids *out) {
        Provides *p = ash_map_get(&rpm, name);
        rpmds ds = ds_new(RPMTAG_REQUIRENAME, name, evr, flags);
        for (size_t i = 0; p && i < p->items.n; i++)
                if (rpmdsCompare(p->items.items[i].ds, ds))
                        ash_array_push(&out->ids, p->items.items[i].package);
        rpmdsFree(ds);
}

/* "(A or B)", as librpm itself takes it apart. */
static rpmRC rich_part(void *context, rpmrichParseType type, const char *n, int nl, const char *e, int el, rpmsenseFlags sense, rpmrichOp op, char **message) {
        (void) message;
        if (type == RPMRICH_PARSE_OP && op != RPMRICHOP_OR)
                abort();
        if (type == RPMRICH_PARSE_SIMPLE)
                rpm_simple(ash_slice(n, (size_t) nl), ash_slice(e ? e : "", e ? (size_t) el : 0), sense, context);
        return RPMRC_OK;
}

static void rpm_dep(const AshDep *d, Ids *out) {
        if (d->name.len == 0 || d->name.ptr[0] != '(') {
                rpm_simple(d->name, d->evr, d->flags, out);
                return;
        }
        rich_n++;
        _free_ char *text = ash_slice_dup(d->name);
        const char *p = text;
        char *message = NULL;
        if (rpmrichParse(&p, &message, rich_part, out) != RPMRC_OK || *p) {
                printf("librpm refuses %s: %s\n", text, message ? message : "");
                unexplained++;
        }
        free(message);
}

/* ---- comparing ---- */
typedef struct Sets {
        ASH_ARRAY(Ids) items;
} Sets;
static int ids_order(const void *x, const void *y) {
        const Ids *a = x, *b = y;
        return ash_slice_cmp(ash_slice((const char *) a->ids.items, a->ids.n * 4), ash_slice((const char *) b->ids.items, b->ids.n * 4));
}
static void sets_sort(Sets *s) {
        ash_array_foreach(&s->items, i)
                ids_sort(i);
        qsort(s->items.items, s->items.n, sizeof(Ids), ids_order);
        size_t n = 0;
        for (size_t i = 0; i < s->items.n; i++)
                if (n == 0 || ids_order(&s->items.items[n - 1], &s->items.items[i]) != 0)
                        s->items.items[n++] = s->items.items[i];
                else
                        ash_array_done(&s->items.items[i].ids);
        s->items.n = n;
}
static void sets_done(Sets *s) {
        ash_array_foreach(&s->items, i)
                ash_array_done(&i->ids);
        ash_array_done(&s->items);
}

static void report(const AptRecord *r, AshDepKind kind, const Sets *a, const Sets *b) {
        differences++;
        _str_ AshStr key = {};
        ash_str_appendf(&key, "%.*s %s", ASH_F(r->fields[APT_PACKAGE]), ash_dep_kind_name(kind));
        AshMapEntry *e = ash_map_find(&explained, ash_str_slice(&key));
        if (e) {
                e->value = (void *) 1;
                return;
        }
        unexplained++;
        if (unexplained > 40)
                return;
        printf("unexplained: %s\n", key.ptr);
        for (int side = 0; side < 2; side++)
                for (size_t i = 0; i < (side ? b : a)->items.n; i++) {
                        const Ids *ids = &(side ? b : a)->items.items[i], *found = NULL;
                        const Sets *other = side ? a : b;
                        for (size_t k = 0; k < other->items.n && !found; k++)
                                if (ids_order(ids, &other->items.items[k]) == 0)
                                        found = ids;
                        if (found)
                                continue;
                        printf("  only %s:", side ? "rpm" : "Debian");
                        for (size_t k = 0; k < ids->ids.n && k < 12; k++)
                                printf(" %.*s", ASH_F(records.items.items[ids->ids.items[k]].fields[APT_PACKAGE]));
                        printf(" (%zu)\n", ids->ids.n);
                }
}

static void debian_members(const AptRecord *r, AptField field, Sets *out) {
        AshSlice rest = r->fields[field];
        AshDebAtom a;
        while (ash_deb_relation_next(&rest, &a) == 1) {
                if (!a.alternative) {
                        ash_array_add(&out->items);
                        members_n++;
                }
                debian_atom(&a, ash_array_last(&out->items));
        }
}

static void compare_needs(uint32_t i, AshDepKind kind, AptField first, AptField second) {
        const AptRecord *r = &records.items.items[i];
        Sets a = {}, b = {};
        debian_members(r, first, &a);
        if (second != first)
                debian_members(r, second, &a);
        for (size_t k = 0; k < ash_apt_deps_n(universe, i, kind); k++) {
                AshDep d = ash_apt_dep(universe, i, kind, k);
                rpm_dep(&d, ash_array_add(&b.items));
        }
        sets_sort(&a);
        sets_sort(&b);
        bool same = a.items.n == b.items.n;
        for (size_t k = 0; same && k < a.items.n; k++)
                same = ids_order(&a.items.items[k], &b.items.items[k]) == 0;
        if (!same)
                report(r, kind, &a, &b);
        sets_done(&a);
        sets_done(&b);
}

static void drop_self(Ids *s, uint32_t self) {
        ids_sort(s);
        size_t n = 0;
        for (size_t i = 0; i < s->ids.n; i++)
                if (s->ids.items[i] != self)
                        s->ids.items[n++] = s->ids.items[i];
        s->ids.n = n;
}

static void compare_conflicts(uint32_t i) {
        const AptRecord *r = &records.items.items[i];
        Sets a = {}, b = {};
        ash_array_add(&a.items);
        ash_array_add(&b.items);
        for (int k = 0; k < 2; k++) {
                AshSlice rest = r->fields[k ? APT_CONFLICTS : APT_BREAKS];
                AshDebAtom atom;
                while (ash_deb_relation_next(&rest, &atom) == 1) {
                        members_n++;
                        debian_atom(&atom, &a.items.items[0]);
                }
        }
        for (size_t k = 0; k < ash_apt_deps_n(universe, i, ASH_DEP_CONFLICTS); k++) {
                AshDep d = ash_apt_dep(universe, i, ASH_DEP_CONFLICTS, k);
                rpm_dep(&d, &b.items.items[0]);
        }
        drop_self(&a.items.items[0], i);
        drop_self(&b.items.items[0], i);
        if (ids_order(&a.items.items[0], &b.items.items[0]) != 0)
                report(r, ASH_DEP_CONFLICTS, &a, &b);
        sets_done(&a);
        sets_done(&b);
}

/* Lines "PACKAGE KIND REASON"; '#' begins a comment. */
static void load_explained(const char *path) {
        AshBytes bytes = {};
        if (ash_file_read(AT_FDCWD, path, 0, &bytes) < 0)
                abort();
        AshSlice rest = ash_bytes_slice(&bytes), line;
        while (ash_slice_next_line(&rest, &line)) {
                AshSlice words = line, package, kind;
                if (line.len == 0 || line.ptr[0] == '#' || !ash_slice_next_word(&words, &package) || !ash_slice_next_word(&words, &kind) || words.len < 3)
                        continue;
                _free_ char *key = ash_asprintf("%.*s %.*s", ASH_F(package), ASH_F(kind));
                ash_map_put(&explained, ash_arena_slice(arena, ash_slice_str(key)), NULL, NULL);
        }
        ash_bytes_done(&bytes);
}

static int print_diags(AshDiags *diags) {
        for (size_t i = 0; i < ash_diags_n(diags); i++) {
                _str_ AshStr s = {};
                ash_diag_format(ash_diags_at(diags, i), false, &s);
                fputs(s.ptr, stderr);
        }
        return 1;
}

int main(int argc, char **argv) {
        if (argc < 3)
                return 2;
        arena = ash_arena_new();
        AshDiags *diags = ash_diags_new();
        load_explained(argv[1]);
        AshSlice arch = ash_slice_str(getenv("ARCH")), texts[16];
        size_t n = 0;
        for (int i = 2; i < argc && n < ASH_N(texts); i++) {
                AshBytes bytes;
                if (ash_file_map(AT_FDCWD, argv[i], &bytes) < 0)
                        return 2;
                texts[n++] = ash_bytes_slice(&bytes);
                if (apt_records_parse(texts[n - 1], arch, argv[i], &records, diags) < 0)
                        return print_diags(diags);
        }
        AshAptTables *tables = NULL;
        if (ash_apt_tables_load(getenv("NAMES"), getenv("IMPORTS"), &tables, diags) < 0)
                return print_diags(diags);
        uint64_t start = ash_now_ns();
        if (ash_apt_build(texts, n, arch, tables, "archive", &universe, diags) < 0)
                return print_diags(diags);
        uint64_t built = ash_now_ns();
        index_debian();
        index_rpm();
        for (uint32_t i = 0; i < records.items.n; i++) {
                compare_needs(i, ASH_DEP_REQUIRES, APT_DEPENDS, APT_PRE_DEPENDS);
                compare_needs(i, ASH_DEP_RECOMMENDS, APT_RECOMMENDS, APT_RECOMMENDS);
                compare_needs(i, ASH_DEP_SUGGESTS, APT_SUGGESTS, APT_SUGGESTS);
                compare_needs(i, ASH_DEP_ENHANCES, APT_ENHANCES, APT_ENHANCES);
                compare_conflicts(i);
        }
        const AshAptStats *s = ash_apt_stats(universe);
        printf("%zu packages parsed and translated in %llu ms, %zu bytes of universe\n", records.items.n, (unsigned long long) (built - start) / 1000000, ash_apt_blob(universe).len);
        printf("atoms %llu, versioned %llu; rewritten: %llu for unversioned provides, %llu for the order of versions (%llu of them hold for nothing); conflicts that hit nothing, dropped: %llu; foreign architecture: %llu; names given %llu, refused %llu\n",
               (unsigned long long) s->relations, (unsigned long long) s->versioned, (unsigned long long) s->rewritten_virtual, (unsigned long long) s->rewritten_order,
               (unsigned long long) s->impossible, (unsigned long long) s->dropped_conflicts, (unsigned long long) s->foreign_arch, (unsigned long long) s->names, (unsigned long long) s->names_refused);
        printf("members %llu, judged relation x candidate %llu, rich %llu; differences %llu, unexplained %llu\n", (unsigned long long) members_n, (unsigned long long) judged,
               (unsigned long long) rich_n, (unsigned long long) differences, (unsigned long long) unexplained);
        ash_map_foreach(&explained, e)
                if (!e->value)
                        printf("note: the explanation for '%.*s' is no longer needed\n", ASH_F(e->key));
        return unexplained ? 1 : 0;
}
