#include <libxml/parser.h>
#include <libxml/tree.h>
#include "kiwi.h"

enum { SIZE_MAX_ = 4 << 20, DEPTH_MAX = 32, ELEMENTS_MAX = 100000 };

typedef struct Reader {
        AshArena *arena;
        const char *name;
        AshDiags *diags;
        size_t n;                    /* elements so far */
} Reader;

static int failed(Reader *r, int code, int line, const char *what) { return ash_fail_file(r->diags, code, r->name, "line %d: %s", line, what); }

static AshSlice keep(Reader *r, const xmlChar *text) { return ash_arena_slice(r->arena, ash_slice_str(text ? (const char *) text : "")); }

static void read_attributes(Reader *r, const xmlNode *node, AshKiwiElement *e) {
        for (const xmlAttr *a = node->properties; a; a = a->next)
                e->n_attributes++;
        e->attributes = ash_arena_new_items(r->arena, AshKiwiAttribute, e->n_attributes + 1);
        size_t i = 0;
        for (xmlAttr *a = node->properties; a; a = a->next) {
                xmlChar *value = xmlNodeListGetString(node->doc, a->children, 1);
                e->attributes[i++] = (AshKiwiAttribute){ keep(r, a->name), keep(r, value) };
                xmlFree(value);
        }
}

static int read_element(Reader *r, const xmlNode *node, unsigned depth, AshKiwiElement **ret) {
        AshKiwiElement *e = ash_arena_new_item(r->arena, AshKiwiElement);
        _str_ AshStr text = {};
        int k = 0;
        if (depth > DEPTH_MAX || ++r->n > ELEMENTS_MAX)
                return failed(r, -ASH_ERR_LIMIT, (int) xmlGetLineNo((xmlNode *) node), depth > DEPTH_MAX ? "elements are nested too deep" : "too many elements");
        *e = (AshKiwiElement){ .name = keep(r, node->name), .line = (uint32_t) xmlGetLineNo((xmlNode *) node) };
        read_attributes(r, node, e);
        for (const xmlNode *child = node->children; child; child = child->next)
                e->n_children += child->type == XML_ELEMENT_NODE;
        e->children = ash_arena_new_items(r->arena, AshKiwiElement *, e->n_children + 1);
        size_t i = 0;
        for (const xmlNode *child = node->children; k >= 0 && child; child = child->next) {
                if (child->type == XML_ELEMENT_NODE)
                        k = read_element(r, child, depth + 1, &e->children[i++]);
                else if (child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE)
                        ash_str_append(&text, ash_slice_str((const char *) child->content));
                else if (child->type == XML_ENTITY_REF_NODE)
                        k = failed(r, -ASH_ERR_SYNTAX, (int) e->line, "an entity is not allowed");
        }
        e->text = ash_arena_slice(r->arena, ash_slice_trim(ash_str_slice(&text)));
        *ret = e;
        return k;
}

static void quiet(void *context _unused_, const char *format _unused_, ...) {}

int ash_kiwi_read(AshSlice text, const char *name, AshArena *arena, AshKiwiElement **ret, AshDiags *diags) {
        Reader r = { .arena = arena, .name = name, .diags = diags };
        if (text.len > SIZE_MAX_)
                return failed(&r, -ASH_ERR_LIMIT, 1, "the description is larger than 4 MiB");
        xmlParserCtxtPtr parser = xmlNewParserCtxt();
        if (!parser)
                return -ENOMEM;
        parser->sax->error = parser->sax->warning = quiet;
        parser->sax->serror = NULL;
        /* No entity is expanded, no document type and nothing from outside is loaded. */
        xmlDocPtr doc = xmlCtxtReadMemory(parser, text.ptr ? text.ptr : "", (int) text.len, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOBLANKS | XML_PARSE_BIG_LINES);
        const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
        int k;
        if (!root) {
                const xmlError *error = xmlCtxtGetLastError(parser);
                _free_ char *what = ash_asprintf("%.*s", ASH_F(ash_slice_trim(ash_slice_str(error && error->message ? error->message : "no XML"))));
                k = failed(&r, -ASH_ERR_SYNTAX, error ? error->line : 1, what);
        } else if (doc->intSubset)
                k = failed(&r, -ASH_ERR_SYNTAX, 1, "a document type is not allowed");
        else if (xmlStrcmp(root->name, (const xmlChar *) "image"))
                k = failed(&r, -ASH_ERR_SYNTAX, (int) xmlGetLineNo((xmlNode *) root), "no KIWI description: the root element is not 'image'");
        else
                k = read_element(&r, root, 0, ret);
        xmlFreeDoc(doc);
        xmlFreeParserCtxt(parser);
        return k;
}

AshSlice ash_kiwi_attribute(const AshKiwiElement *e, const char *name) {
        for (size_t i = 0; i < e->n_attributes; i++)
                if (ash_slice_eqs(e->attributes[i].name, name))
                        return e->attributes[i].value;
        return ASH_NOSLICE;
}
