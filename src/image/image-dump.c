/* The tree as text and back. One line a node:
 *      PATH TYPE MODE UID:GID USER:GROUP MTIME ORIGIN [KEY=VALUE ...]
 * Bytes outside of '!'..'~', and '\\', are \xNN. docs/images.md lists types and keys. */
#include "image.h"
#include "io-digest.h"

#define MAGIC "# ashlar tree 1"

/* ---- writing ---- */
static void escape(AshStr *out, AshSlice s) {
        for (size_t i = 0; i < s.len; i++) {
                unsigned char c = (unsigned char) s.ptr[i];
                if (c > ' ' && c < 127 && c != '\\')
                        ash_str_append_char(out, (char) c);
                else
                        ash_str_appendf(out, "\\x%02x", c);
        }
}

static const struct { uint32_t type; const char *name; } types[] = {
        { S_IFREG, "file" }, { S_IFDIR, "dir" }, { S_IFLNK, "link" }, { S_IFCHR, "char" }, { S_IFBLK, "block" }, { S_IFIFO, "fifo" }, { S_IFSOCK, "socket" },
};
static const struct { AshOriginKind kind; const char *name; } origins[] = {
        { ASH_ORIGIN_PACKAGE, "package" }, { ASH_ORIGIN_HANDLER, "handler" }, { ASH_ORIGIN_DEFINITION, "definition" }, { ASH_ORIGIN_SCRIPTLET, "scriptlet" }, { ASH_ORIGIN_IMPLIED, "implied" },
};
static const struct { uint32_t flag; char letter; } flags[] = {
        { ASH_NODE_CONFIG, 'c' }, { ASH_NODE_NOREPLACE, 'n' }, { ASH_NODE_DOC, 'd' }, { ASH_NODE_LICENSE, 'l' }, { ASH_NODE_GHOST, 'g' },
};

static void dump_content(const AshTree *t, const AshTreeNode *n, AshStr *out) {
        char hex[65];
        ash_str_appendf(out, " size=%llu", (unsigned long long) n->content.length);
        if (n->content.kind == ASH_CONTENT_NONE)
                return;
        ash_hex(n->content.sha256, 32, hex);
        ash_str_appendf(out, " sha256=%s", hex);
        if (n->content.kind == ASH_CONTENT_PACK)
                ash_str_appendf(out, " pack=%.*s+%llu", ASH_F(t->sources.items[n->content.source].id), (unsigned long long) n->content.offset);
}

static void dump_node(const AshTree *t, AshNode i, AshStr *out) {
        const AshTreeNode *n = ash_tree_node(t, i);
        const AshOrigin *origin = &t->origins.items[n->origin];
        _str_ AshStr path = {};
        const char *type = "?", *kind = "?";
        ash_tree_path(t, i, &path);
        for (size_t k = 0; k < ASH_N(types); k++)
                type = types[k].type == (n->mode & S_IFMT) ? types[k].name : type;
        for (size_t k = 0; k < ASH_N(origins); k++)
                kind = origins[k].kind == origin->kind ? origins[k].name : kind;
        escape(out, ash_str_slice(&path));
        ash_str_appendf(out, " %s %04o %u:%u ", type, n->mode & 07777, n->uid, n->gid);
        escape(out, n->user);
        ash_str_append_char(out, ':');
        escape(out, n->group);
        ash_str_appendf(out, " %lld %s:", (long long) n->mtime, kind);
        escape(out, origin->name);
        if (S_ISREG(n->mode) && n->hardlink == ASH_NO_NODE)
                dump_content(t, n, out);
        if (n->hardlink != ASH_NO_NODE) {
                path.len = 0;
                ash_tree_path(t, n->hardlink, &path);
                ash_str_append_str(out, " hard=");
                escape(out, ash_str_slice(&path));
        }
        if (S_ISLNK(n->mode)) {
                ash_str_append_str(out, " to=");
                escape(out, n->link);
        }
        if (S_ISCHR(n->mode) || S_ISBLK(n->mode))
                ash_str_appendf(out, " rdev=%u", n->rdev);
        if (n->flags) {
                ash_str_append_str(out, " flags=");
                for (size_t k = 0; k < ASH_N(flags); k++)
                        if (n->flags & flags[k].flag)
                                ash_str_append_char(out, flags[k].letter);
        }
        for (uint32_t k = 0; k < n->n_xattrs; k++) {
                ash_str_append_str(out, " xattr.");
                escape(out, n->xattrs[k].name);
                ash_str_append_char(out, '=');
                for (size_t b = 0; b < n->xattrs[k].value.len; b++)
                        ash_str_appendf(out, "%02x", (unsigned char) n->xattrs[k].value.ptr[b]);
        }
        ash_str_append_char(out, '\n');
}

static int dump_one(void *context, const AshTree *t, AshNode n) {
        dump_node(t, n, context);
        return 0;
}

void ash_tree_dump(const AshTree *t, AshStr *out) {
        ash_str_append_str(out, MAGIC "\n");
        ash_tree_walk(t, 0, dump_one, out);
}

/* ---- reading ---- */
typedef struct Pending {
        AshNode node;
        AshSlice target;
        AshSpan at;
} Pending;
typedef struct Parser {
        AshTree *t;
        const AshDumpContent *content;
        AshDiags *diags;
        AshSource *source;
        AshSpan at;                  /* of the line */
        AshMap sources;              /* id -> index + 1 */
        AshMap origins;              /* "kind:name" -> index + 1 */
        ASH_ARRAY(Pending) links;
} Parser;

static int bad(Parser *p, const char *what) { return ash_fail(p->diags, -ASH_ERR_SYNTAX, p->at, "tree dump: %s", what); }

static int unescape(Parser *p, AshSlice s, AshSlice *ret) {
        char *text = ash_arena_alloc(p->t->arena, s.len + 1);
        size_t n = 0;
        for (size_t i = 0; i < s.len; i++) {
                uint8_t byte;
                if (s.ptr[i] != '\\') {
                        text[n++] = s.ptr[i];
                        continue;
                }
                if (s.len - i < 4 || s.ptr[i + 1] != 'x' || ash_unhex(ash_slice(s.ptr + i + 2, 2), &byte, 1) < 0)
                        return bad(p, "an escape is \\xNN");
                text[n++] = (char) byte;
                i += 3;
        }
        text[n] = 0;
        *ret = ash_slice(text, n);
        return 0;
}

static int number(Parser *p, AshSlice s, int base, uint64_t max, uint64_t *ret) { return ash_slice_to_u64(s, base, ret) < 0 || *ret > max ? bad(p, "a number is wrong") : 0; }

static int read_pack(Parser *p, AshTreeNode *n, AshSlice value) {
        AshSlice id;
        uint64_t offset;
        if (!ash_slice_split(&value, '+', &id) || id.len != 64 || !value.ptr)
                return bad(p, "'pack' is SHA-256+OFFSET");
        int r = number(p, value, 10, INT64_MAX, &offset);
        if (r < 0)
                return r;
        AshMapEntry *e = ash_map_find(&p->sources, id);
        if (!e) {
                const void *pack = NULL;
                r = p->content->pack(p->content->context, id, &pack, p->diags);
                if (r < 0)
                        return r;
                e = ash_map_put(&p->sources, id, (void *) (uintptr_t) (ash_tree_add_source(p->t, id, pack) + 1), NULL);
        }
        n->content.kind = ASH_CONTENT_PACK;
        n->content.source = (uint32_t) (uintptr_t) e->value - 1;
        n->content.offset = offset;
        return 0;
}

static int read_flags(Parser *p, AshTreeNode *n, AshSlice value) {
        for (size_t i = 0; i < value.len; i++) {
                uint32_t bit = 0;
                for (size_t k = 0; k < ASH_N(flags); k++)
                        bit |= flags[k].letter == value.ptr[i] ? flags[k].flag : 0;
                if (!bit)
                        return bad(p, "an unknown flag");
                n->flags |= bit;
        }
        return 0;
}

static int read_xattr(Parser *p, AshNode node, AshSlice key, AshSlice value) {
        AshSlice name;
        uint8_t *bytes = ash_arena_alloc(p->t->arena, value.len / 2 + 1);
        int r = unescape(p, key, &name);
        if (r < 0)
                return r;
        if (value.len % 2 || ash_unhex(value, bytes, value.len / 2) < 0)
                return bad(p, "the value of an xattr is hexadecimal");
        ash_tree_set_xattr(p->t, node, name, ash_slice((const char *) bytes, value.len / 2));
        return 0;
}

static int read_key(Parser *p, AshNode node, AshSlice word, bool *ret_sha) {
        AshTreeNode *n = ash_tree_node(p->t, node);
        AshSlice key, value;
        uint64_t v = 0;
        int r = 0;
        ash_slice_split(&word, '=', &key);
        value = word;
        if (!value.ptr)
                return bad(p, "a key without a value");
        if (ash_slice_eqs(key, "size") && (r = number(p, value, 10, INT64_MAX, &v)) >= 0)
                n->content.length = v;
        else if (ash_slice_eqs(key, "sha256")) {
                *ret_sha = true;
                r = ash_unhex(value, n->content.sha256, 32) < 0 || value.len != 64 ? bad(p, "'sha256' is wrong") : 0;
        } else if (ash_slice_eqs(key, "pack"))
                r = read_pack(p, n, value);
        else if (ash_slice_eqs(key, "to"))
                r = unescape(p, value, &n->link);
        else if (ash_slice_eqs(key, "hard")) {
                Pending *link = ash_array_add(&p->links);
                *link = (Pending){ .node = node, .at = p->at };
                r = unescape(p, value, &link->target);
        } else if (ash_slice_eqs(key, "rdev") && (r = number(p, value, 10, UINT32_MAX, &v)) >= 0)
                n->rdev = (uint32_t) v;
        else if (ash_slice_eqs(key, "flags"))
                r = read_flags(p, n, value);
        else if (ash_slice_starts(key, ASH_S("xattr.")))
                r = read_xattr(p, node, ash_slice_from(key, 6), value);
        else if (!ash_slice_eqs(key, "size") && !ash_slice_eqs(key, "rdev"))
                r = bad(p, "an unknown key");
        return r;
}

static int read_origin(Parser *p, AshSlice word, uint32_t *ret) {
        AshMapEntry *e = ash_map_find(&p->origins, word);
        AshSlice rest = word, kind, name;
        if (e) {
                *ret = (uint32_t) (uintptr_t) e->value - 1;
                return 0;
        }
        ash_slice_split(&rest, ':', &kind);
        int r = rest.ptr ? unescape(p, rest, &name) : bad(p, "an origin is KIND:NAME");
        for (size_t k = 0; r >= 0 && k < ASH_N(origins); k++)
                if (ash_slice_eqs(kind, origins[k].name)) {
                        *ret = ash_tree_add_origin(p->t, origins[k].kind, name);
                        ash_map_put(&p->origins, word, (void *) (uintptr_t) (*ret + 1), NULL);
                        return 0;
                }
        return r < 0 ? r : bad(p, "an unknown origin");
}

static int read_path(Parser *p, AshSlice word, uint32_t mode, uint32_t origin, AshNode *ret) {
        AshSlice path;
        int r = unescape(p, word, &path);
        if (r < 0)
                return r;
        if (ash_slice_eqs(path, "/")) {
                if (!S_ISDIR(mode))
                        return bad(p, "the root is a directory");
                *ret = 0;
                return 0;
        }
        AshSlice name = ash_path_base(path), rest = path, part;
        while (ash_slice_split(&rest, '/', &part))
                if (ash_slice_eqs(part, ".") || ash_slice_eqs(part, ".."))
                        return bad(p, "a path is absolute and has no '.' and '..'");
        AshNode dir = ash_tree_lookup(p->t, ash_path_dir(path), false);
        if (path.len < 2 || path.ptr[0] != '/' || !name.len || ash_slice_eqs(name, ".") || ash_slice_eqs(name, "..") || memchr(path.ptr, 0, path.len))
                return bad(p, "a path is absolute and has no '.' and '..'");
        if (dir == ASH_NO_NODE || !S_ISDIR(ash_tree_node(p->t, dir)->mode))
                return bad(p, "a directory comes before what it holds");
        return ash_tree_add(p->t, dir, name, mode, origin, ret) < 0 ? bad(p, "a path comes twice") : 0;
}

/* The seven fields that every line has. */
static int read_fields(Parser *p, AshSlice *rest, AshNode *ret) {
        AshSlice w[7], part;
        uint64_t mode, uid, gid, mtime;
        uint32_t type = 0, origin = 0;
        for (size_t i = 0; i < ASH_N(w); i++)
                if (!ash_slice_split(rest, ' ', &w[i]) || !w[i].len)
                        return bad(p, "a line has at least seven fields");
        for (size_t k = 0; k < ASH_N(types); k++)
                type = ash_slice_eqs(w[1], types[k].name) ? types[k].type : type;
        if (!type)
                return bad(p, "an unknown type");
        int r = number(p, w[2], 8, 07777, &mode);
        if (r >= 0) {
                ash_slice_split(&w[3], ':', &part);
                r = number(p, part, 10, UINT32_MAX, &uid);
        }
        if (r >= 0)
                r = number(p, w[3], 10, UINT32_MAX, &gid);
        bool negative = ash_slice_starts(w[5], ASH_S("-"));
        if (r >= 0)
                r = number(p, ash_slice_from(w[5], negative), 10, INT64_MAX, &mtime);
        if (r >= 0)
                r = read_origin(p, w[6], &origin);
        if (r >= 0)
                r = read_path(p, w[0], type | (uint32_t) mode, origin, ret);
        if (r < 0)
                return r;
        AshTreeNode *n = ash_tree_node(p->t, *ret);
        n->mode = type | (uint32_t) mode;
        n->uid = (uint32_t) uid;
        n->gid = (uint32_t) gid;
        n->mtime = negative ? -(int64_t) mtime : (int64_t) mtime;
        n->origin = origin;
        ash_slice_split(&w[4], ':', &part);
        r = unescape(p, part, &n->user);
        return r < 0 ? r : unescape(p, w[4].ptr ? w[4] : ASH_S(""), &n->group);
}

static int read_line(Parser *p, AshSlice line) {
        AshSlice word;
        AshNode node = ASH_NO_NODE;
        bool sha = false;
        int r = read_fields(p, &line, &node);
        while (r >= 0 && ash_slice_split(&line, ' ', &word))
                r = read_key(p, node, word, &sha);
        if (r < 0)
                return r;
        AshTreeNode *n = ash_tree_node(p->t, node);
        if (!S_ISREG(n->mode) || n->content.kind == ASH_CONTENT_PACK)
                return 0;
        if (!sha) { /* empty */
                ash_digest_of(ASH_SHA256, ASH_S(""), n->content.sha256);
                return n->content.length ? bad(p, "a file with a size and without a digest") : 0;
        }
        char hex[65];
        AshSlice bytes = ASH_S("");
        ash_hex(n->content.sha256, 32, hex);
        r = p->content->bytes(p->content->context, ash_slice(hex, 64), p->t->arena, &bytes, p->diags);
        if (r == -ENODATA)
                return 0;
        if (r >= 0 && bytes.len != n->content.length)
                r = bad(p, "the content has another size");
        n->content.kind = ASH_CONTENT_INLINE;
        n->content.data = bytes.ptr;
        return r;
}

int ash_tree_parse(AshSource *source, const AshDumpContent *content, AshTree **ret, AshDiags *diags) {
        _cleanup_(ash_tree_free_p) AshTree *t = ash_tree_new();
        Parser p = { .t = t, .content = content, .diags = diags, .source = source, .at = { source, 0, 0 } };
        AshSlice rest = source->text, line;
        int r = 0;
        if (!ash_slice_next_line(&rest, &line) || !ash_slice_eqs(line, MAGIC))
                r = bad(&p, "the first line is '" MAGIC "'");
        while (r >= 0 && ash_slice_next_line(&rest, &line)) {
                p.at = (AshSpan){ source, (uint32_t) (line.ptr - source->text.ptr), (uint32_t) line.len };
                r = line.len ? read_line(&p, line) : 0;
        }
        ash_array_foreach(&p.links, link) {
                AshNode to = r < 0 ? ASH_NO_NODE : ash_tree_lookup(t, link->target, false);
                p.at = link->at;
                if (r >= 0 && (to == ASH_NO_NODE || to == link->node || !S_ISREG(ash_tree_node(t, to)->mode) || !S_ISREG(ash_tree_node(t, link->node)->mode)))
                        r = bad(&p, "a hard link leads to no file");
                if (r >= 0)
                        ash_tree_node(t, link->node)->hardlink = to;
        }
        for (size_t i = 0; r >= 0 && i < p.links.n; i++)
                if (ash_tree_node(t, ash_tree_node(t, p.links.items[i].node)->hardlink)->hardlink != ASH_NO_NODE)
                        r = bad(&p, "a hard link leads to another one");
        ash_map_done(&p.sources);
        ash_map_done(&p.origins);
        ash_array_done(&p.links);
        if (r < 0)
                return r;
        *ret = ASH_TAKE(t);
        return 0;
}
