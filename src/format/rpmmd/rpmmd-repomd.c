/* repomd.xml, metalinks, mirror lists. */
#include "rpmmd-xml.h"

/* ---- repomd.xml ---- */
enum { DATA_MAX = 256 };
typedef struct Repomd {
        ASH_ARRAY(AshRpmmdData) data;
        AshSlice revision, checksum_type;
        bool is_repomd;
} Repomd;

static AshRpmmdData *current(Repomd *md) { return md->data.n ? ash_array_last(&md->data) : NULL; }

static void repomd_start(AshXml *x, const char *name, const AshXmlAttr *attrs, size_t n) {
        Repomd *md = x->state;
        if (x->depth == 1)
                md->is_repomd = ASH_XML_IS(name, "repomd");
        if (x->depth == 1 && !md->is_repomd)
                ash_xml_fail(x, -ASH_ERR_SYNTAX, "not a repomd.xml: its root is '%s'", name);
        if (x->depth == 2 && ASH_XML_IS(name, "data")) {
                AshSlice type = ash_xml_attr(attrs, n, "type");
                if (!type.len || md->data.n >= DATA_MAX) {
                        ash_xml_fail(x, md->data.n >= DATA_MAX ? -ASH_ERR_LIMIT : -ASH_ERR_SYNTAX, type.len ? "too many files" : "a file without type");
                        return;
                }
                for (size_t i = 0; i < md->data.n; i++)
                        if (ash_slice_eq(md->data.items[i].type, type))
                                ash_xml_fail(x, -ASH_ERR_SYNTAX, "type '%.*s' is there twice", ASH_F(type));
                *ash_array_add(&md->data) = (AshRpmmdData){ .type = ash_xml_keep(x, type), .size = UINT64_MAX, .open_size = UINT64_MAX,
                                                            .checksum.kind = ASH_DIGEST_INVALID_, .open_checksum.kind = ASH_DIGEST_INVALID_ };
        }
        if (x->depth != 3 || !current(md))
                return;
        if (ASH_XML_IS(name, "checksum") || ASH_XML_IS(name, "open-checksum")) {
                md->checksum_type = ash_xml_keep(x, ash_xml_attr(attrs, n, "type"));
        } else if (ASH_XML_IS(name, "location")) {
                AshSlice href = ash_xml_attr(attrs, n, "href");
                const char *wrong = ash_xml_attr(attrs, n, "base").ptr ? "has a base of its own" : ash_rpmmd_bad_href(href);
                if (wrong)
                        ash_xml_fail(x, -ASH_ERR_SYNTAX, "the location of '%.*s' %s: '%.*s'", ASH_F(current(md)->type), wrong, ASH_F(ash_slice_sub(href, 0, 200)));
                current(md)->href = ash_xml_keep(x, href);
        }
}

static void repomd_end(AshXml *x, const char *name, AshSlice text) {
        Repomd *md = x->state;
        AshRpmmdData *d = current(md);
        if (x->depth == 2 && ASH_XML_IS(name, "revision"))
                md->revision = ash_xml_keep(x, text);
        if (x->depth == 2 && ASH_XML_IS(name, "data") && d && !d->href.ptr)
                ash_xml_fail(x, -ASH_ERR_SYNTAX, "'%.*s' has no location", ASH_F(d->type));
        if (x->depth != 3 || !d)
                return;
        if (ASH_XML_IS(name, "checksum"))
                ash_xml_checksum(x, md->checksum_type, text, &d->checksum);
        else if (ASH_XML_IS(name, "open-checksum"))
                ash_xml_checksum(x, md->checksum_type, text, &d->open_checksum);
        else if (ASH_XML_IS(name, "size"))
                d->size = ash_xml_number(x, text, name);
        else if (ASH_XML_IS(name, "open-size"))
                d->open_size = ash_xml_number(x, text, name);
        else if (ASH_XML_IS(name, "timestamp"))
                d->timestamp = ash_xml_number(x, text, name);
}

int ash_repomd_parse(AshSlice xml, const char *name, AshArena *arena, AshRepomd *ret, AshDiags *diags) {
        static const AshXmlOps ops = { repomd_start, repomd_end };
        _cleanup_(ash_reader_free_p) AshReader *in = ash_reader_new_memory(xml);
        Repomd md = {};
        AshXml x = { .name = name, .arena = arena, .diags = diags, .state = &md };
        int r = ash_xml_parse(in, &x, &ops);
        if (r >= 0) {
                AshRpmmdData *data = ash_arena_new_items(arena, AshRpmmdData, md.data.n);
                if (md.data.n)
                        memcpy(data, md.data.items, md.data.n * sizeof(*data));
                *ret = (AshRepomd){ .revision = md.revision.ptr ? md.revision : ASH_S(""), .data = data, .n = md.data.n };
                for (size_t i = 0; i < ret->n; i++)
                        ret->timestamp = ASH_MAX(ret->timestamp, data[i].timestamp);
        }
        ash_array_done(&md.data);
        return r;
}

const AshRpmmdData *ash_repomd_find(const AshRepomd *md, const char *type) {
        for (size_t i = 0; i < md->n; i++)
                if (ash_slice_eqs(md->data[i].type, type))
                        return &md->data[i];
        return NULL;
}

/* ---- metalink (metalinker.org, version 3.0, with MirrorManager's mm0:timestamp and mm0:alternates) ---- */
enum { URLS_MAX = 1000, VERSIONS_MAX = 64 };
typedef struct Resource {
        const char *url;
        uint64_t preference;
        size_t order;
} Resource;
typedef struct Metalink {
        ASH_ARRAY(AshMetalinkVersion) versions;
        ASH_ARRAY(Resource) urls;
        AshSlice hash_type;
        uint64_t preference;
        bool in_file, in_resources;
} Metalink;

static void add_version(AshXml *x, Metalink *m) {
        if (m->versions.n >= VERSIONS_MAX)
                ash_xml_fail(x, -ASH_ERR_LIMIT, "too many versions");
        else
                *ash_array_add(&m->versions) = (AshMetalinkVersion){ .size = UINT64_MAX, .timestamp = UINT64_MAX };
}

static void metalink_start(AshXml *x, const char *name, const AshXmlAttr *attrs, size_t n) {
        Metalink *m = x->state;
        if (x->depth == 1 && !ASH_XML_IS(name, "metalink"))
                ash_xml_fail(x, -ASH_ERR_SYNTAX, "not a metalink: its root is '%s'", name);
        if (ASH_XML_IS(name, "file")) {
                m->in_file = ash_slice_eqs(ash_xml_attr(attrs, n, "name"), "repomd.xml");
                if (m->in_file)
                        add_version(x, m);
        } else if (ASH_XML_IS(name, "alternate") && m->in_file) {
                add_version(x, m);
        } else if (ASH_XML_IS(name, "hash")) {
                m->hash_type = ash_xml_keep(x, ash_xml_attr(attrs, n, "type"));
        } else if (ASH_XML_IS(name, "resources")) {
                m->in_resources = m->in_file;
        } else if (ASH_XML_IS(name, "url")) {
                AshSlice preference = ash_xml_attr(attrs, n, "preference");
                m->preference = preference.ptr ? ash_xml_number(x, preference, "preference") : 0;
        }
}

static bool good_scheme(AshSlice url, bool allow_file) {
        return ash_slice_starts(url, ASH_S("https://")) || ash_slice_starts(url, ASH_S("http://")) || (allow_file && ash_slice_starts(url, ASH_S("file:///")));
}

static const char *bad_url(AshSlice url, bool allow_file) {
        if (!good_scheme(url, allow_file))
                return "has a scheme that is not used";
        for (size_t i = 0; i < url.len; i++)
                if ((unsigned char) url.ptr[i] <= ' ' || url.ptr[i] == 127)
                        return "has a space or a control character";
        return url.len > 2000 ? "is too long" : NULL;
}

static void add_url(AshXml *x, Metalink *m, AshSlice url) {
        const AshSlice tail = ASH_S("repodata/repomd.xml");
        if (bad_url(url, true) || !ash_slice_ends(url, tail)) /* rsync: and ftp: stand there, too */
                return;
        if (m->urls.n >= URLS_MAX) {
                ash_xml_fail(x, -ASH_ERR_LIMIT, "too many mirrors");
                return;
        }
        size_t order = m->urls.n;
        *ash_array_add(&m->urls) = (Resource){ ash_arena_strndup(x->arena, url.ptr, url.len - tail.len), m->preference, order };
}

static void metalink_end(AshXml *x, const char *name, AshSlice text) {
        Metalink *m = x->state;
        AshMetalinkVersion *v = m->in_file && m->versions.n ? ash_array_last(&m->versions) : NULL;
        if (ASH_XML_IS(name, "file"))
                m->in_file = false;
        else if (ASH_XML_IS(name, "resources"))
                m->in_resources = false;
        else if (!v)
                return;
        else if (ASH_XML_IS(name, "size"))
                v->size = ash_xml_number(x, text, name);
        else if (ASH_XML_IS(name, "timestamp"))
                v->timestamp = ash_xml_number(x, text, name);
        else if (ASH_XML_IS(name, "hash") && v->n < ASH_N(v->checksums)) {
                ash_xml_checksum(x, m->hash_type, text, &v->checksums[v->n]);
                v->n += v->checksums[v->n].kind >= 0;
        } else if (ASH_XML_IS(name, "url") && m->in_resources)
                add_url(x, m, text);
}

static int cmp_resources(const void *a, const void *b) {
        const Resource *p = a, *q = b;
        if (p->preference != q->preference)
                return p->preference > q->preference ? -1 : 1;
        return p->order < q->order ? -1 : 1;
}

int ash_metalink_parse(AshSlice xml, const char *name, AshArena *arena, AshMetalink *ret, AshDiags *diags) {
        static const AshXmlOps ops = { metalink_start, metalink_end };
        _cleanup_(ash_reader_free_p) AshReader *in = ash_reader_new_memory(xml);
        Metalink m = {};
        AshXml x = { .name = name, .arena = arena, .diags = diags, .state = &m };
        int r = ash_xml_parse(in, &x, &ops);
        if (r >= 0 && (m.versions.n == 0 || m.urls.n == 0))
                r = ash_fail_file(diags, -ASH_ERR_SYNTAX, name, "the metalink has no %s", m.versions.n ? "usable mirror" : "repomd.xml");
        if (r >= 0) {
                *ret = (AshMetalink){ .versions = ash_arena_new_items(arena, AshMetalinkVersion, m.versions.n), .n_versions = m.versions.n,
                                      .urls = ash_arena_new_items(arena, const char *, m.urls.n + 1), .n_urls = m.urls.n };
                memcpy(ret->versions, m.versions.items, m.versions.n * sizeof(*ret->versions));
                qsort(m.urls.items, m.urls.n, sizeof(Resource), cmp_resources);
                for (size_t i = 0; i < m.urls.n; i++)
                        ret->urls[i] = m.urls.items[i].url;
        }
        ash_array_done(&m.versions);
        ash_array_done(&m.urls);
        return r;
}

int ash_mirrorlist_parse(AshSlice text, const char *name, bool allow_file, AshArena *arena, const char ***ret_urls, size_t *ret_n, AshDiags *diags) {
        ASH_ARRAY(const char *) urls = {};
        AshSlice rest = text, line;
        int r = 0;
        for (unsigned number = 1; r >= 0 && ash_slice_next_line(&rest, &line); number++) {
                line = ash_slice_trim(line);
                if (line.len == 0 || line.ptr[0] == '#')
                        continue;
                const char *wrong = bad_url(line, allow_file);
                if (wrong || urls.n >= URLS_MAX)
                        r = ash_fail_file(diags, wrong ? -ASH_ERR_SYNTAX : -ASH_ERR_LIMIT, name, "line %u: '%.*s' %s", number, ASH_F(ash_slice_sub(line, 0, 200)),
                                          wrong ? wrong : "is one mirror too many");
                else
                        ash_array_push(&urls, line.ptr[line.len - 1] == '/' ? ash_arena_strndup(arena, line.ptr, line.len) : ash_arena_printf(arena, "%.*s/", ASH_F(line)));
        }
        if (r >= 0 && urls.n == 0)
                r = ash_fail_file(diags, -ASH_ERR_SYNTAX, name, "the mirror list has no mirror");
        if (r >= 0) {
                *ret_urls = ash_arena_new_items(arena, const char *, urls.n + 1);
                memcpy(*ret_urls, urls.items, urls.n * sizeof(*urls.items));
                *ret_n = urls.n;
        }
        ash_array_done(&urls);
        return r;
}
