/* updateinfo.xml and comps.xml. */
#include "rpmmd-xml.h"

enum { UPDATES_MAX = 200000, LIST_MAX = 1 << 20, GROUPS_MAX = 20000 };

#define KEEP_ARRAY(x, array, to, n_to)                                                                                           \
        ({                                                                                                                       \
                (n_to) = (array)->n;                                                                                             \
                (to) = ash_arena_calloc((x)->arena, (array)->n, sizeof(*(array)->items));                                        \
                if ((array)->n)                                                                                                  \
                        memcpy((to), (array)->items, (array)->n * sizeof(*(array)->items));                                      \
                (array)->n = 0;                                                                                                  \
        })

/* ---- updateinfo ---- */
typedef struct Updates {
        ASH_ARRAY(AshUpdate) updates;
        ASH_ARRAY(AshUpdateReference) references;
        ASH_ARRAY(AshUpdatePackage) packages;
} Updates;

static void update_start(AshXml *x, const char *name, const AshXmlAttr *attrs, size_t n) {
        Updates *s = x->state;
        if (x->depth == 1 && !ASH_XML_IS(name, "updates"))
                ash_xml_fail(x, -ASH_ERR_SYNTAX, "not an updateinfo.xml: its root is '%s'", name);
        if (s->updates.n > UPDATES_MAX || s->references.n > LIST_MAX || s->packages.n > LIST_MAX)
                ash_xml_fail(x, -ASH_ERR_LIMIT, "too many updates, references or packages");
        if (x->depth == 2 && ASH_XML_IS(name, "update")) {
                *ash_array_add(&s->updates) = (AshUpdate){ .type = ash_xml_keep(x, ash_xml_attr(attrs, n, "type")), .status = ash_xml_keep(x, ash_xml_attr(attrs, n, "status")) };
        } else if (s->updates.n == 0) {
                return;
        } else if (x->depth == 3 && (ASH_XML_IS(name, "issued") || ASH_XML_IS(name, "updated"))) {
                AshUpdate *u = ash_array_last(&s->updates);
                *(name[0] == 'i' ? &u->issued : &u->updated) = ash_xml_keep(x, ash_xml_attr(attrs, n, "date"));
        } else if (x->depth == 4 && ASH_XML_IS(name, "reference")) {
                *ash_array_add(&s->references) = (AshUpdateReference){ ash_xml_keep(x, ash_xml_attr(attrs, n, "type")), ash_xml_keep(x, ash_xml_attr(attrs, n, "id")),
                                                                       ash_xml_keep(x, ash_xml_attr(attrs, n, "href")), ash_xml_keep(x, ash_xml_attr(attrs, n, "title")) };
        } else if (x->depth == 5 && ASH_XML_IS(name, "package")) {
                AshSlice epoch = ash_xml_attr(attrs, n, "epoch");
                *ash_array_add(&s->packages) = (AshUpdatePackage){
                        .name = ash_xml_keep(x, ash_xml_attr(attrs, n, "name")), .version = ash_xml_keep(x, ash_xml_attr(attrs, n, "version")),
                        .release = ash_xml_keep(x, ash_xml_attr(attrs, n, "release")), .arch = ash_xml_keep(x, ash_xml_attr(attrs, n, "arch")),
                        .src = ash_xml_keep(x, ash_xml_attr(attrs, n, "src")), .epoch = epoch.len ? (uint32_t) ash_xml_number(x, epoch, "epoch") : 0 };
        }
}

static void update_text(AshXml *x, AshUpdate *u, const char *name, AshSlice text) {
        const struct { const char *name; AshSlice *to; } rows[] = {
                { "id", &u->id }, { "title", &u->title }, { "severity", &u->severity }, { "summary", &u->summary }, { "description", &u->description },
        };
        for (size_t i = 0; i < ASH_N(rows); i++)
                if (ASH_XML_IS(name, rows[i].name))
                        *rows[i].to = ash_xml_keep(x, text);
}

static void update_end(AshXml *x, const char *name, AshSlice text) {
        Updates *s = x->state;
        if (s->updates.n == 0)
                return;
        AshUpdate *u = ash_array_last(&s->updates);
        if (x->depth == 2 && ASH_XML_IS(name, "update")) {
                KEEP_ARRAY(x, &s->references, u->references, u->n_references);
                KEEP_ARRAY(x, &s->packages, u->packages, u->n_packages);
        } else if (x->depth == 3) {
                update_text(x, u, name, text);
        } else if (x->depth == 6 && s->packages.n && ASH_XML_IS(name, "filename")) {
                ash_array_last(&s->packages)->filename = ash_xml_keep(x, text);
        } else if (x->depth == 6 && s->packages.n && ASH_XML_IS(name, "reboot_suggested")) {
                ash_array_last(&s->packages)->reboot_suggested = !ash_slice_eq_nocase(text, ASH_S("false"));
        }
}

int ash_updateinfo_parse(AshReader *r, const char *name, AshArena *arena, AshUpdateinfo *ret, AshDiags *diags) {
        static const AshXmlOps ops = { update_start, update_end };
        Updates s = {};
        AshXml x = { .name = name, .arena = arena, .diags = diags, .state = &s };
        int k = ash_xml_parse(r, &x, &ops);
        if (k >= 0)
                KEEP_ARRAY(&x, &s.updates, ret->updates, ret->n);
        ash_array_done(&s.updates);
        ash_array_done(&s.references);
        ash_array_done(&s.packages);
        return k;
}

/* ---- comps ---- */
typedef struct Comps {
        ASH_ARRAY(AshCompsGroup) groups;
        ASH_ARRAY(AshCompsMember) members;
        bool in_group, optional, translated;
} Comps;

static void comps_start(AshXml *x, const char *name, const AshXmlAttr *attrs, size_t n) {
        Comps *s = x->state;
        if (x->depth == 1 && !ASH_XML_IS(name, "comps"))
                ash_xml_fail(x, -ASH_ERR_SYNTAX, "not a comps.xml: its root is '%s'", name);
        if (s->groups.n > GROUPS_MAX || s->members.n > LIST_MAX)
                ash_xml_fail(x, -ASH_ERR_LIMIT, "too many groups or members");
        s->translated = ash_xml_attr(attrs, n, "lang").ptr != NULL;
        if (x->depth == 2) {
                s->in_group = ASH_XML_IS(name, "group") || ASH_XML_IS(name, "environment");
                if (s->in_group)
                        ash_array_add(&s->groups)->environment = name[0] == 'e';
        } else if (x->depth == 3) {
                s->optional = ASH_XML_IS(name, "optionlist");
        } else if (x->depth == 4 && s->in_group && (ASH_XML_IS(name, "packagereq") || ASH_XML_IS(name, "groupid"))) {
                AshSlice type = name[0] == 'g' ? (s->optional ? ASH_S("optional") : ASH_S("mandatory")) : ash_xml_attr(attrs, n, "type");
                *ash_array_add(&s->members) = (AshCompsMember){ .type = type.ptr ? ash_xml_keep(x, type) : ASH_S("mandatory"), .requires_ = ash_xml_keep(x, ash_xml_attr(attrs, n, "requires")) };
        }
}

static void comps_end(AshXml *x, const char *name, AshSlice text) {
        Comps *s = x->state;
        if (!s->in_group || s->groups.n == 0)
                return;
        AshCompsGroup *g = ash_array_last(&s->groups);
        if (x->depth == 2) {
                KEEP_ARRAY(x, &s->members, g->members, g->n);
                s->in_group = false;
                if (!g->id.len)
                        ash_xml_fail(x, -ASH_ERR_SYNTAX, "a group without id");
        } else if (x->depth == 3 && !s->translated) {
                if (ASH_XML_IS(name, "id"))
                        g->id = ash_xml_keep(x, text);
                else if (ASH_XML_IS(name, "name"))
                        g->name = ash_xml_keep(x, text);
                else if (ASH_XML_IS(name, "description"))
                        g->description = ash_xml_keep(x, text);
        } else if (x->depth == 4 && s->members.n && (ASH_XML_IS(name, "packagereq") || ASH_XML_IS(name, "groupid"))) {
                ash_array_last(&s->members)->name = ash_xml_keep(x, text);
        }
}

int ash_comps_parse(AshReader *r, const char *name, AshArena *arena, AshComps *ret, AshDiags *diags) {
        static const AshXmlOps ops = { comps_start, comps_end };
        Comps s = {};
        AshXml x = { .name = name, .arena = arena, .diags = diags, .state = &s, .allow_doctype = true };
        int k = ash_xml_parse(r, &x, &ops);
        if (k >= 0)
                KEEP_ARRAY(&x, &s.groups, ret->groups, ret->n);
        ash_array_done(&s.groups);
        ash_array_done(&s.members);
        return k;
}
