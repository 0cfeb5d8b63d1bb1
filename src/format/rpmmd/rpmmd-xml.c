#include <libxml/parser.h>
#include <libxml/SAX2.h>
#include <libxml/xmlerror.h>
#include <stdarg.h>
#include "rpmmd-xml.h"

enum { DEPTH_MAX = 24, TEXT_MAX = 4 << 20, ATTRS_MAX = 32, CHUNK = 64 << 10 };

void ash_xml_fail(AshXml *x, int code, const char *format, ...) {
        _str_ AshStr text = {};
        va_list ap;
        if (x->error)
                return;
        va_start(ap, format);
        ash_str_appendv(&text, format, ap);
        va_end(ap);
        int line = x->parser ? xmlSAX2GetLineNumber(x->parser) : 0;
        x->error = ash_fail_file(x->diags, code, x->name, "line %d: %s", line, text.ptr);
}

/* At the end of each callback, not where it fails: stopping frees the input that names and attributes point into. */
static void stop_on_error(AshXml *x) {
        if (x->error)
                xmlStopParser(x->parser);
}

/* ---- what the parser calls ---- */
static void refuse(void *context, const char *what) {
        AshXml *x = ((xmlParserCtxtPtr) context)->_private;
        ash_xml_fail(x, -ASH_ERR_SYNTAX, "%s is not allowed", what);
        stop_on_error(x);
}

static void on_doctype(void *context, const xmlChar *name _unused_, const xmlChar *public_id _unused_, const xmlChar *system_id _unused_) {
        AshXml *x = ((xmlParserCtxtPtr) context)->_private;
        if (!x->allow_doctype)
                refuse(context, "a document type");
}

static void on_entity(void *context, const xmlChar *name _unused_, int type _unused_, const xmlChar *public_id _unused_, const xmlChar *system_id _unused_, xmlChar *content _unused_) {
        refuse(context, "an entity declaration");
}

static void on_element_declaration(void *context, const xmlChar *name _unused_, int type _unused_, xmlElementContentPtr content _unused_) { refuse(context, "a declaration within the document type"); }

static void on_attribute_declaration(void *context, const xmlChar *element _unused_, const xmlChar *name _unused_, int type _unused_, int preset _unused_, const xmlChar *value _unused_,
                                     xmlEnumerationPtr tree) {
        xmlFreeEnumeration(tree); /* the handler owns it */
        refuse(context, "a declaration within the document type");
}

static void on_notation(void *context, const xmlChar *name _unused_, const xmlChar *public_id _unused_, const xmlChar *system_id _unused_) {
        refuse(context, "a declaration within the document type");
}

static void on_start(void *context, const xmlChar *name, const xmlChar *prefix _unused_, const xmlChar *uri _unused_, int n_namespaces _unused_, const xmlChar **namespaces _unused_,
                     int n_attrs, int n_defaulted _unused_, const xmlChar **attrs) {
        AshXml *x = ((xmlParserCtxtPtr) context)->_private;
        AshXmlAttr list[ATTRS_MAX];
        if (x->error)
                return;
        if (++x->depth > DEPTH_MAX || n_attrs > ATTRS_MAX) {
                ash_xml_fail(x, -ASH_ERR_LIMIT, "elements are nested too deeply, or have too many attributes");
                stop_on_error(x);
                return;
        }
        for (int i = 0; i < n_attrs; i++) {
                const xmlChar *start = attrs[i * 5 + 3], *end = attrs[i * 5 + 4];
                list[i] = (AshXmlAttr){ (const char *) attrs[i * 5], ash_slice((const char *) start, (size_t) (end - start)) };
        }
        ash_str_clear(&x->text);
        x->leaf = true;
        x->ops->start(x, (const char *) name, list, (size_t) n_attrs);
        stop_on_error(x);
}

static void on_end(void *context, const xmlChar *name, const xmlChar *prefix _unused_, const xmlChar *uri _unused_) {
        AshXml *x = ((xmlParserCtxtPtr) context)->_private;
        if (x->error)
                return;
        x->ops->end(x, (const char *) name, x->leaf ? ash_slice_trim(ash_str_slice(&x->text)) : ASH_S(""));
        x->leaf = false;
        x->depth--;
        stop_on_error(x);
}

static void on_text(void *context, const xmlChar *text, int n) {
        AshXml *x = ((xmlParserCtxtPtr) context)->_private;
        if (x->error || !x->leaf)
                return;
        if (x->text.len + (size_t) n > TEXT_MAX) {
                ash_xml_fail(x, -ASH_ERR_LIMIT, "a text is longer than 4 MiB");
                stop_on_error(x);
                return;
        }
        ash_str_append(&x->text, ash_slice((const char *) text, (size_t) n));
}

static void on_reference(void *context, const xmlChar *name) {
        AshXml *x = ((xmlParserCtxtPtr) context)->_private;
        ash_xml_fail(x, -ASH_ERR_SYNTAX, "unknown entity '%s'", (const char *) name);
        stop_on_error(x);
}

static void on_error(void *context, xmlErrorPtr e) {
        xmlParserCtxtPtr parser = context;
        if (e->level < XML_ERR_ERROR || !parser || !parser->_private)
                return;
        AshSlice text = ash_slice_trim(ash_slice_str(e->message));
        ash_xml_fail(parser->_private, -ASH_ERR_SYNTAX, "bad XML: %.*s", ASH_F(text));
}

static xmlSAXHandler handler(void) {
        return (xmlSAXHandler){ .initialized = XML_SAX2_MAGIC, .internalSubset = on_doctype, .entityDecl = on_entity, .elementDecl = on_element_declaration,
                                .attributeDecl = on_attribute_declaration, .notationDecl = on_notation, .startElementNs = on_start, .endElementNs = on_end,
                                .characters = on_text, .cdataBlock = on_text, .reference = on_reference, .serror = on_error };
}

/* ---- driver ---- */
static void feed(AshXml *x, AshReader *r) {
        _free_ char *buffer = ash_malloc(CHUNK);
        bool any = false;
        for (;;) {
                ssize_t n = ash_reader_read(r, buffer, CHUNK);
                if (r->error) {
                        ash_xml_fail(x, r->error, r->error == -ASH_ERR_LIMIT ? "larger than it was declared" : "cannot be read: %s", ash_strerror(r->error));
                        return;
                }
                if (n <= 0)
                        break;
                any = true;
                if (xmlParseChunk(x->parser, buffer, (int) n, 0) != 0 || x->error) {
                        ash_xml_fail(x, -ASH_ERR_SYNTAX, "bad XML");
                        return;
                }
        }
        if (!any || xmlParseChunk(x->parser, buffer, 0, 1) != 0)
                ash_xml_fail(x, -ASH_ERR_SYNTAX, any ? "bad XML: it ends too early" : "the file is empty");
}

int ash_xml_parse(AshReader *r, AshXml *x, const AshXmlOps *ops) {
        xmlSAXHandler sax = handler();
        xmlParserCtxtPtr parser = xmlCreatePushParserCtxt(&sax, NULL, NULL, 0, NULL);
        if (!parser)
                return ash_fail_file(x->diags, -ENOMEM, x->name, "cannot start the XML parser");
        xmlCtxtUseOptions(parser, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
        parser->sax->serror = on_error; /* NOERROR takes only the printing ones away in some versions, this too in others */
        parser->_private = x;
        x->parser = parser;
        x->ops = ops;
        feed(x, r);
        x->parser = NULL;
        if (parser->myDoc)
                xmlFreeDoc(parser->myDoc);
        xmlFreeParserCtxt(parser);
        ash_str_done(&x->text);
        return x->error;
}

/* ---- for the formats ---- */
AshSlice ash_xml_attr(const AshXmlAttr *attrs, size_t n, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (ASH_XML_IS(attrs[i].name, name))
                        return attrs[i].value;
        return ASH_NOSLICE;
}

uint64_t ash_xml_number(AshXml *x, AshSlice text, const char *what) {
        uint64_t v = UINT64_MAX;
        /* Some tools write times as "1700000000.25". */
        ptrdiff_t dot = ash_slice_find_char(text, '.');
        if (dot > 0)
                text.len = (size_t) dot;
        if (ash_slice_to_u64(text, 10, &v) < 0) {
                ash_xml_fail(x, -ASH_ERR_SYNTAX, "'%.*s' is not a number (%s)", ASH_F(ash_slice_sub(text, 0, 40)), what);
                return UINT64_MAX;
        }
        return v;
}

AshSlice ash_xml_keep(AshXml *x, AshSlice s) { return s.ptr ? ash_arena_slice(x->arena, s) : ASH_NOSLICE; }

void ash_xml_checksum(AshXml *x, AshSlice type, AshSlice hex, AshRpmmdChecksum *ret) {
        AshDigestKind kind = ash_digest_kind(type);
        *ret = (AshRpmmdChecksum){ .kind = ASH_DIGEST_INVALID_ };
        if (kind < 0)
                return;
        if (hex.len != 2 * ash_digest_size(kind) || ash_unhex(hex, ret->digest, ash_digest_size(kind)) < 0) {
                ash_xml_fail(x, -ASH_ERR_SYNTAX, "'%.*s' is not a %.*s checksum", ASH_F(ash_slice_sub(hex, 0, 140)), ASH_F(type));
                return;
        }
        ret->kind = kind;
}

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

const char *ash_rpmmd_bad_href(AshSlice href) {
        char plain[4096];
        size_t n = 0;
        if (href.len == 0 || href.len >= sizeof(plain))
                return "is empty or too long";
        /* As a server would see it: "%2e%2e" is "..", too. */
        for (size_t i = 0; i < href.len; i++) {
                int high = 0, low = 0;
                if (href.ptr[i] == '%' && i + 2 < href.len && (high = hex_digit(href.ptr[i + 1])) >= 0 && (low = hex_digit(href.ptr[i + 2])) >= 0) {
                        plain[n++] = (char) (high * 16 + low);
                        i += 2;
                } else {
                        plain[n++] = href.ptr[i];
                }
        }
        for (size_t i = 0; i < n; i++)
                if ((unsigned char) plain[i] <= ' ' || plain[i] == 127 || plain[i] == '\\')
                        return "has a control character, a space or a backslash";
        AshSlice s = ash_slice(plain, n);
        if (ash_slice_find_char(s, '?') >= 0 || ash_slice_find_char(s, '#') >= 0)
                return "has a query or a fragment";
        ptrdiff_t colon = ash_slice_find_char(s, ':'), slash = ash_slice_find_char(s, '/');
        if (colon >= 0 && (slash < 0 || colon < slash) && ash_slice_find(s, ASH_S("://")) == colon)
                return "leads to another host";
        if (plain[0] == '/')
                return n > 1 && plain[1] == '/' ? "leads to another host" : "is absolute";
        return ash_path_is_confined(s) ? NULL : "leads out of the repository";
}
