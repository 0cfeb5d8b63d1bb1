/* hwdb.bin, all numbers little-endian:
 *   head: "KSLPHHRH", version of systemd, size of the file, sizes of head, node, child and value, offset of the root, sizes of the nodes and of the strings
 *   node: offset of its prefix, number of children (a byte, then 7 of padding), number of values; then the children (byte, 7 of padding, offset), sorted; then the values
 *         (offsets of key, value and file name, line, rank of the file, 2 bytes of padding), sorted by key
 * Children stand before their parents. Offsets are from the start of the file. */
#include "hwdb-private.h"

enum { HEAD = 80, NODE = 24, CHILD = 16, VALUE = 32, LINE_MAX_LENGTH = 1 << 20, MATCH_MAX_LENGTH = 4096 };

typedef struct Value {
        uint32_t key, value, file, line;
        uint16_t rank;
} Value;
typedef struct Node {
        uint32_t prefix;
        ASH_ARRAY(struct HwdbChild {
                uint8_t c;
                uint32_t node;
        }) children;
        ASH_ARRAY(Value) values;
} Node;
struct AshHwdb {
        AshPool pool;
        ASH_ARRAY(Node) nodes;
        uint16_t files;
};

AshHwdb *ash_hwdb_new(void) {
        AshHwdb *h = ash_calloc(1, sizeof *h);
        ash_pool_init(&h->pool);
        (void) ash_array_add(&h->nodes);
        return h;
}

void ash_hwdb_free(AshHwdb *h) {
        if (!h)
                return;
        ash_array_foreach(&h->nodes, n) {
                ash_array_done(&n->children);
                ash_array_done(&n->values);
        }
        ash_array_done(&h->nodes);
        ash_pool_done(&h->pool);
        free(h);
}

bool ash_hwdb_is_empty(const AshHwdb *h) { return !h->files; }

/* ---- the tree ---- */
static uint32_t new_node(AshHwdb *h, uint32_t prefix) {
        ash_array_push(&h->nodes, ((Node){ .prefix = prefix }));
        return (uint32_t) h->nodes.n - 1;
}

static bool find_child(const Node *n, uint8_t c, size_t *ret) {
        size_t i = 0;
        while (i < n->children.n && n->children.items[i].c < c)
                i++;
        *ret = i;
        return i < n->children.n && n->children.items[i].c == c;
}

static void add_child(AshHwdb *h, uint32_t node, uint8_t c, uint32_t child) {
        Node *n = &h->nodes.items[node];
        size_t at;
        (void) find_child(n, c, &at);
        (void) ash_array_add(&n->children);
        memmove(&n->children.items[at + 1], &n->children.items[at], (n->children.n - 1 - at) * sizeof *n->children.items);
        n->children.items[at] = (struct HwdbChild){ c, child };
}

static const char *text(const AshHwdb *h, uint32_t offset) { return h->pool.bytes.ptr + offset; }

static void add_value(AshHwdb *h, uint32_t node, AshSlice key, AshSlice value, AshSlice file, uint32_t line) {
        Value v = { .key = ash_pool_add(&h->pool, key), .value = ash_pool_add(&h->pool, value), .file = ash_pool_add(&h->pool, file), .line = line, .rank = h->files };
        Node *n = &h->nodes.items[node];
        size_t i = 0;
        int c = 1;
        while (i < n->values.n && (c = strcmp(text(h, n->values.items[i].key), text(h, v.key))) < 0)
                i++;
        if (i < n->values.n && !c) { /* later files win */
                uint32_t first = n->values.items[i].key;
                n->values.items[i] = v;
                n->values.items[i].key = first;
                return;
        }
        (void) ash_array_add(&n->values);
        memmove(&n->values.items[i + 1], &n->values.items[i], (n->values.n - 1 - i) * sizeof *n->values.items);
        n->values.items[i] = v;
}

/* The node's prefix is cut at p: what follows moves to a child. */
static void split(AshHwdb *h, uint32_t node, size_t p) {
        Node old = h->nodes.items[node];
        uint8_t c = (uint8_t) text(h, old.prefix)[p];
        _free_ char *head = ash_strndup(text(h, old.prefix), p);
        uint32_t rest = new_node(h, old.prefix + (uint32_t) p + 1);
        h->nodes.items[rest].children = old.children;
        h->nodes.items[rest].values = old.values;
        h->nodes.items[node] = (Node){ .prefix = ash_pool_add(&h->pool, ash_slice(head, p)) };
        add_child(h, node, c, rest);
}

static uint32_t node_of(AshHwdb *h, AshSlice match) {
        uint32_t node = 0;
        for (size_t i = 0;; i++) {
                const char *prefix = text(h, h->nodes.items[node].prefix);
                size_t p = 0, at;
                while (prefix[p] && i + p < match.len && prefix[p] == match.ptr[i + p])
                        p++;
                if (prefix[p])
                        split(h, node, p);
                i += p;
                if (i == match.len)
                        return node;
                uint8_t c = (uint8_t) match.ptr[i];
                if (!find_child(&h->nodes.items[node], c, &at)) {
                        uint32_t child = new_node(h, ash_pool_add(&h->pool, ash_slice_from(match, i + 1)));
                        add_child(h, node, c, child);
                        return child;
                }
                node = h->nodes.items[node].children.items[at].node;
        }
}

/* ---- text ---- */
typedef struct Reader {
        AshHwdb *h;
        const AshSource *source;
        AshDiags *diags;
        ASH_ARRAY(AshSlice) matches;
        uint32_t line;
        bool in_data;
} Reader;

static void mistake(Reader *r, AshSlice line, const char *what) {
        ash_warn(r->diags, (AshSpan){ (AshSource *) r->source, (uint32_t) (line.ptr - r->source->text.ptr), (uint32_t) line.len }, "%s", what);
}

/* " KEY=value": a blank stays in front of the key. */
static void add_data(Reader *r, AshSlice line) {
        ptrdiff_t eq = ash_slice_find_char(line, '=');
        if (eq < 0) {
                mistake(r, line, "not a property (KEY=value); left out");
                return;
        }
        AshSlice key = ash_slice(line.ptr, (size_t) eq), value = ash_slice_from(line, (size_t) eq + 1);
        while (key.len > 1 && strchr(" \t", key.ptr[0]) && strchr(" \t", key.ptr[1]))
                key = ash_slice_from(key, 1);
        if (key.len < 2) {
                mistake(r, line, "a property without a key; left out");
                return;
        }
        for (size_t i = 0; i < r->matches.n; i++)
                add_value(r->h, node_of(r->h, r->matches.items[i]), key, value, ash_slice_str(r->source->name), r->line);
}

static void end_record(Reader *r) {
        r->matches.n = 0;
        r->in_data = false;
}

static void add_line(Reader *r, AshSlice line) {
        bool indented = line.len && line.ptr[0] == ' ';
        if (!line.len) {
                if (r->matches.n && !r->in_data)
                        mistake(r, line, "a record without properties; left out");
                end_record(r);
        } else if (indented && !r->matches.n)
                mistake(r, line, "a property without a match in front of it; left out");
        else if (indented) {
                r->in_data = true;
                add_data(r, line);
        } else if (r->in_data) {
                mistake(r, line, "an empty line has to end a record; the line is left out");
                end_record(r);
        } else
                ash_array_push(&r->matches, line);
}

void ash_hwdb_add(AshHwdb *h, const AshSource *source, AshDiags *diags) {
        Reader r = { .h = h, .source = source, .diags = diags };
        AshSlice rest = source->text, line;
        h->files++;
        while (ash_slice_next_line(&rest, &line)) {
                r.line++;
                if (line.len && line.ptr[0] == '#')
                        continue;
                ptrdiff_t cut = ash_slice_find_char(line, '#');
                if (cut >= 0)
                        line.len = (size_t) cut;
                cut = ash_slice_find_char(line, '\0');
                if (cut >= 0)
                        line.len = (size_t) cut;
                line = ash_slice_trim_right(line);
                if (line.len > (line.len && line.ptr[0] == ' ' ? LINE_MAX_LENGTH : MATCH_MAX_LENGTH))
                        mistake(&r, ash_slice_sub(line, 0, 80), "a line that is too long; left out");
                else
                        add_line(&r, line);
        }
        ash_array_done(&r.matches);
}

/* ---- writing ---- */
static uint64_t put_node(const AshHwdb *h, uint32_t node, uint64_t strings, AshStr *out) {
        const Node *n = &h->nodes.items[node];
        _free_ uint64_t *offsets = ash_calloc(n->children.n + 1, sizeof *offsets);
        for (size_t i = 0; i < n->children.n; i++)
                offsets[i] = put_node(h, n->children.items[i].node, strings, out);
        uint64_t here = HEAD + out->len;
        ash_put_le(out, strings + n->prefix, 8);
        ash_put_le(out, n->children.n, 8);
        ash_put_le(out, n->values.n, 8);
        for (size_t i = 0; i < n->children.n; i++) {
                ash_put_le(out, n->children.items[i].c, 8);
                ash_put_le(out, offsets[i], 8);
        }
        for (size_t i = 0; i < n->values.n; i++) {
                const Value *v = &n->values.items[i];
                ash_put_le(out, strings + v->key, 8);
                ash_put_le(out, strings + v->value, 8);
                ash_put_le(out, strings + v->file, 8);
                ash_put_le(out, v->line, 4);
                ash_put_le(out, v->rank, 2);
                ash_put_le(out, 0, 2);
        }
        return here;
}

void ash_hwdb_write(AshHwdb *h, uint64_t version, AshStr *out) {
        _str_ AshStr nodes = {};
        uint64_t size = 0;
        ash_array_foreach(&h->nodes, n)
                size += NODE + CHILD * n->children.n + VALUE * n->values.n;
        ash_str_reserve(&nodes, (size_t) size);
        uint64_t root = put_node(h, 0, HEAD + size, &nodes);
        const uint64_t head[] = { version, HEAD + size + h->pool.bytes.len, HEAD, NODE, CHILD, VALUE, root, size, h->pool.bytes.len };
        ash_str_append_str(out, "KSLPHHRH");
        for (size_t i = 0; i < ASH_N(head); i++)
                ash_put_le(out, head[i], 8);
        ash_str_append(out, ash_str_slice(&nodes));
        ash_str_append(out, ash_str_slice(&h->pool.bytes));
}
