/* The schema as one table. Parsing, unknown keys, the reference page, the JSON Schema, dump and explain are all made from it: a new key is one row here and one
 * member in model-project.h. */
#pragma once
#include "base.h"
#include "model-project.h"

typedef enum AshFieldKind {
        ASH_FIELD_TEXT,   /* a string: AshText */
        ASH_FIELD_PATH,   /* a path, joined with the directory of its file: AshText */
        ASH_FIELD_SOURCE, /* a path that stays as written; the record's base_dir says relative to what: AshText */
        ASH_FIELD_TEXTS,  /* an array of strings: AshTexts */
        ASH_FIELD_PATHS,  /* an array of paths or globs, each joined: AshTexts */
        ASH_FIELD_FLAG,   /* AshFlag */
        ASH_FIELD_NUMBER, /* AshNumber */
        ASH_FIELD_PAIRS,  /* a table of strings with free keys: AshPairs */
        ASH_FIELD_TABLE,  /* a table: the members of "record", from "offset" on */
        ASH_FIELD_TABLES, /* an array of tables: {items, n} of "record" */
        ASH_FIELD_NAMED,  /* a table of tables with free keys: {items, n}; an item begins with its AshText name, the record stands at "data" */
        ASH_FIELD_BOXED,  /* the same for AshComponent, whose record is behind a pointer */
        ASH_FIELD_MAX_
} AshFieldKind;

enum {
        ASH_FIELD_REQUIRED = 1 << 0,
        ASH_FIELD_ASHLAR = 1 << 1,  /* Ashlar's own: azldev does not know it */
        ASH_FIELD_OLD = 1 << 2,     /* accepted; something else is meant now */
        ASH_FIELD_REPLACE = 1 << 3, /* an array that replaces an inherited one instead of going behind it */
        ASH_FIELD_APPEND = 1 << 4,  /* top level: the arrays of several files are joined (else the later file replaces) */
        ASH_FIELD_UNIQUE = 1 << 5,  /* NAMED: a name may come once in the whole project */
        ASH_FIELD_DEEP = 1 << 6,    /* NAMED: entries of one name are merged member by member (else the later replaces the earlier) */
        ASH_FIELD_OR_STRING = 1 << 7, /* TABLES: a string stands for a table with the record's first key */
        ASH_FIELD_OF_COMPONENT = 1 << 9, /* PATHS: in defaults, relative to the component that inherits them, unless they hold {component} */
        ASH_FIELD_DOCS_ONLY = 1 << 8, /* describes only: no part of what is built */
};

/* What a text names. */
typedef enum AshRef {
        ASH_REF_NONE, ASH_REF_DISTRO, ASH_REF_CHANNEL, ASH_REF_COMPONENT, ASH_REF_PACKAGE_GROUP, ASH_REF_IMAGE, ASH_REF_TEST_SUITE,
        ASH_REF_REPO, ASH_REF_REPO_SET, ASH_REF_REPO_TEMPLATE, ASH_REF_UPSTREAM, ASH_REF_STAGE, ASH_REF_MAX_
} AshRef;

/* A form that a text must have. */
typedef struct AshForm {
        const char *expected;             /* "7 to 40 hexadecimal digits" */
        const char *pattern;              /* the same as an ECMA 262 expression, for the JSON Schema; NULL: none */
        bool (*ok)(AshSlice s);           /* NULL: any */
        const char *const *placeholders;  /* NULL-terminated: the $names it may hold; NULL: not looked at */
} AshForm;

typedef struct AshRecord AshRecord;
struct AshJson;
typedef struct AshField {
        const char *key;
        AshFieldKind kind;
        unsigned flags;
        size_t offset;
        const char *doc;                  /* a sentence for the reference page, without full stop */
        const AshRecord *record;          /* TABLE, TABLES, NAMED, BOXED */
        const char *const *values;        /* TEXT: the words it may be, NULL-terminated */
        const AshForm *form;              /* of the text, of each text of an array; NAMED, PAIRS: of the keys */
        AshRef ref;
        const char *standard;             /* what holds when it is not set, for the reference page */
        size_t data, item_size;           /* NAMED: where the record stands in an item (0: the record is the item); an item's bytes (0: the record's) */
        size_t present;                   /* TABLE: offset + 1 of a bool that says the table is there */
} AshField;

typedef struct AshRules AshRules;         /* config-rules.c: what a rule gets to work with */
struct AshRecord {
        const char *name;                 /* "component-config": in $defs and as a heading */
        const char *doc;
        size_t size;
        const AshField *fields;           /* ended by a row without key */
        size_t at;                        /* offset + 1 of an AshSpan for the table's place */
        size_t base_dir;                  /* offset + 1 of a const char * for the directory of its file */
        void (*rule)(const AshRules *rules, const void *item, AshSpan at); /* what the table alone must obey ... */
        void (*schema_rules)(struct AshJson *j);                           /* ... and the same as members of its JSON Schema */
};

extern const AshRecord ash_record_project, ash_record_component_config, ash_record_overlay_file, ash_record_image, ash_record_distro_ref;

/* A file of overlays (overlay-files): its metadata is stamped on each. */
typedef struct AshOverlayFile {
        AshOverlay stamp;
        AshOverlays overlays;
} AshOverlayFile;

/* Any array of the model: they all look alike. */
typedef struct AshItems {
        char *items;
        size_t n;
} AshItems;

const AshField *ash_field_find(const AshRecord *record, AshSlice key);
const char *ash_field_kind_name(AshFieldKind kind); /* "string", "array of strings" ... */
const char *ash_ref_name(AshRef ref);               /* "distribution", "channel" ... */
static inline size_t ash_field_item_size(const AshField *f) { return f->item_size ? f->item_size : f->kind == ASH_FIELD_BOXED ? sizeof(AshComponent) : f->record->size; }
static inline void *ash_field_at(const AshField *f, const void *record) { return (char *) record + f->offset; }
/* The record of item i of a NAMED, BOXED or TABLES field. */
const void *ash_field_item(const AshField *f, const void *record, size_t i);
AshText ash_field_item_name(const AshField *f, const void *record, size_t i);
/* True when nothing in it was set. */
bool ash_field_empty(const AshField *f, const void *record);
bool ash_record_empty(const AshRecord *r, const void *record);
