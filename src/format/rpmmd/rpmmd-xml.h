/* XML for repository metadata: libxml2's SAX2 push parser, fed in pieces. A document type, an entity of its own, depth and sizes past limits end the parse. */
#pragma once
#include "rpmmd.h"

typedef struct AshXmlAttr {
        const char *name;  /* without prefix */
        AshSlice value;
} AshXmlAttr;

typedef struct AshXml AshXml;
/* depth: 1 for the root element. Slices live until the call returns. */
typedef struct AshXmlOps {
        void (*start)(AshXml *x, const char *name, const AshXmlAttr *attrs, size_t n);
        void (*end)(AshXml *x, const char *name, AshSlice text); /* text: directly in the element, trimmed; "" once it had child elements */
} AshXmlOps;
struct AshXml {
        const char *name;  /* of the file */
        AshArena *arena;   /* of the result */
        AshDiags *diags;
        void *state;       /* of the format */
        bool allow_doctype; /* its bare name, never loaded, with nothing declared in it: comps files of distributions carry one */
        int depth;
        int error;
        /* private: */
        const AshXmlOps *ops;
        void *parser;
        AshStr text;
        bool leaf;
};

int ash_xml_parse(AshReader *r, AshXml *x, const AshXmlOps *ops);
/* Ends the parse with a diagnostic that names file and line; the first counts. */
void ash_xml_fail(AshXml *x, int code, const char *format, ...) _printf_(3, 4);
AshSlice ash_xml_attr(const AshXmlAttr *attrs, size_t n, const char *name); /* ASH_NOSLICE when it is not there */
/* Numbers; UINT64_MAX and a failure when it is none. */
uint64_t ash_xml_number(AshXml *x, AshSlice text, const char *what);
AshSlice ash_xml_keep(AshXml *x, AshSlice s);                               /* a copy in the arena */
/* Sets kind and digest from a type name and hex digits. */
void ash_xml_checksum(AshXml *x, AshSlice type, AshSlice hex, AshRpmmdChecksum *ret);
/* What is wrong with a href below a repository, or NULL. */
const char *ash_rpmmd_bad_href(AshSlice href);
#define ASH_XML_IS(a, b) (strcmp((a), (b)) == 0)
