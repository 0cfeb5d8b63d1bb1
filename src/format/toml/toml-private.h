/* What the parts of the TOML parser share. */
#pragma once
#include <locale.h>
#include "toml.h"

/* How a table came to be; decides what may still be added to it. */
typedef enum TableState {
        TABLE_IMPLICIT, /* stands in the path of a header: a header or dotted keys may still define it */
        TABLE_HEADER,   /* defined by its own header: only deeper headers may add to it */
        TABLE_DOTTED,   /* made by dotted keys: these and deeper headers may add to it */
        TABLE_INLINE,   /* written in braces: closed */
} TableState;

typedef struct Slot {
        uint32_t place; /* in members, + 1; 0: empty */
        uint32_t hash;
} Slot;

typedef struct Index {
        uint64_t seed;
        uint32_t size; /* a power of two */
        Slot slots[];
} Index;

/* Every table and array of tables of the parser. Small ones live in the arena and are searched in turn; larger ones have storage of their own and an index. */
typedef struct Node {
        AshTomlValue v;
        Index *index;
        uint32_t cap;
        TableState state;
        bool own;            /* members (items) are malloc'ed, and the node stands in doc->big */
} Node;

struct AshTomlDoc {
        AshArena *arena;
        Node *root;
        ASH_ARRAY(Node *) big;
        uint64_t seed;
};

typedef struct Key {
        AshSlice text;
        const char *at, *end;
} Key;

/* Where a header or a key with its value stands: what an editor needs. Recorded only for it. */
typedef enum StatementKind { STATEMENT_TABLE, STATEMENT_ITEM /* [[...]] */, STATEMENT_PAIR } StatementKind;
typedef struct Through {
        AshTomlValue *value; /* a table or array of tables that the key leads through */
        uint32_t key_end;    /* offset behind the part that names it */
} Through;
typedef struct Statement {
        StatementKind kind;
        uint32_t start;      /* of the header's bracket or the key */
        uint32_t key_end;    /* behind the key's last part */
        uint32_t end;        /* behind the header or the value */
        AshTomlValue *section; /* of a pair: the table of the header above, or the inline table that it stands in */
        AshTomlValue *target; /* the table that the header opens, or the pair's value */
        Through *through;
        uint32_t n_through;
} Statement;
typedef struct Statements {
        ASH_ARRAY(Statement) lines;   /* in the order of the text */
        ASH_ARRAY(Statement) inlines; /* pairs of inline tables; those of one table in order */
} Statements;

typedef struct Parser {
        const char *start, *p, *end;
        AshSource *source;
        AshTomlVersion version;
        AshTomlDoc *doc;
        AshDiags *diags;
        AshTomlValue *pool; /* room for pool_left further values */
        size_t pool_left, pool_size, n_values;
        ASH_ARRAY(Key) keys;            /* the parts of the key that was read last */
        ASH_ARRAY(AshTomlValue *) items; /* of all arrays that are open, innermost last */
        Node *current;                  /* the table of the last header */
        unsigned current_depth;
        unsigned errors;                /* that did not end the parse */
        Statements *statements;         /* or NULL */
        ASH_ARRAY(Through) through;     /* what the key read last leads through; kept only with statements */
        locale_t c_locale;
} Parser;

static inline AshSpan toml_span(const Parser *p, const char *from, const char *to) {
        return (AshSpan){ p->source, (uint32_t) (from - p->start), (uint32_t) (to - from) };
}
#define TOML_FAIL(p, from, to, ...) ash_fail((p)->diags, -ASH_ERR_SYNTAX, toml_span(p, from, to), __VA_ARGS__)

/* What stands at "at", as a message says it. */
typedef struct Found {
        char text[80];
} Found;
Found toml_found(const Parser *p, const char *at);

/* toml-string.c: p->p at the opening quote; moves behind the closing one. */
int toml_scan_string(Parser *p, bool multiline_allowed, AshSlice *ret);
/* toml-scalar.c: p->p at the first byte of a value that is neither string, array nor table. */
int toml_scan_scalar(Parser *p, AshTomlValue *v);

static inline bool toml_is_bare(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}
static inline bool toml_is_digit(char c) { return c >= '0' && c <= '9'; }

/* The first byte from q on that is "a", "b", or a control character (a tab too); or end. */
static inline const char *toml_plain(const char *q, const char *end, char a, char b) {
        const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
        const uint64_t wa = ones * (uint8_t) a, wb = ones * (uint8_t) b, wd = ones * 0x7f;
        for (; end - q >= 8; q += 8) {
                uint64_t w;
                memcpy(&w, q, 8);
                uint64_t xa = w ^ wa, xb = w ^ wb, xd = w ^ wd;
                if ((((xa - ones) & ~xa) | ((xb - ones) & ~xb) | ((xd - ones) & ~xd) | ((w - ones * 0x20) & ~w)) & high)
                        break;
        }
        while (q < end && *q != a && *q != b && (uint8_t) *q >= 0x20 && *q != 0x7f)
                q++;
        return q;
}

/* ash_toml_parse() that also records the statements (NULL: not). */
int toml_parse(AshSource *source, AshTomlVersion version, Statements *statements, AshTomlDoc **ret, AshDiags *diags);

/* toml-emit.c: the value of a key on a line of its own, at this column, where it may take several lines. */
void toml_emit_wide(AshStr *out, const AshTomlValue *v, size_t column, AshSlice indent, const char *line_break);
