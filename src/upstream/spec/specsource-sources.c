/* The "sources" file of dist-git. Two line formats, as the tools of dist-git (rpkg, pyrpkg.sources) write them: "SHA512 (file) = hex" and the older "md5  file". */
#include "specsource-private.h"

#define MAX_LINES 100000

static const char *const origin_names[] = { "lookaside", "download", "custom", "overlay", "apt-source" };
const char *ash_source_origin_name(AshSourceOrigin origin) {
        return origin >= 0 && origin < ASH_ORIGIN_MAX_ ? origin_names[origin] : NULL;
}
AshSourceOrigin ash_source_origin(AshSlice name) {
        for (size_t i = ASH_ORIGIN_DOWNLOAD; i < ASH_N(origin_names); i++)
                if (ash_slice_eqs(name, origin_names[i]))
                        return (AshSourceOrigin) i;
        return ASH_ORIGIN_INVALID_;
}

void ash_sources_done(AshSources *s) {
        ash_array_foreach(&s->items, i)
                free(i->path);
        ash_source_free(s->source);
        ash_array_done(&s->items);
        ash_arena_free(s->arena);
        *s = (AshSources) {};
}

typedef struct Parser {
        AshSources *sources;
        AshSource *source;
        AshMap seen;
        AshDiags *diags;
        int result;
} Parser;

static AshSpan span_of(const Parser *p, AshSlice s) {
        return (AshSpan) { p->source, (uint32_t) (s.ptr - p->source->text.ptr), (uint32_t) s.len };
}

static void fail(Parser *p, AshSlice at, const char *text) {
        p->result = ash_fail(p->diags, -ASH_ERR_SYNTAX, span_of(p, at), "%s", text);
}

static bool set_hex(AshSourceItem *item, AshSlice hex) {
        uint8_t raw[ASH_DIGEST_SIZE_MAX];
        size_t n = ash_digest_size(item->kind);
        if (hex.len != 2 * n || ash_unhex(hex, raw, n) < 0)
                return false;
        ash_hex(raw, n, item->hex);
        return true;
}

/* "KIND (FILE) = HEX". A file name may hold blanks and brackets; the last ") = " ends it. */
static bool parse_new(Parser *p, AshSlice line, AshSourceItem *item) {
        ptrdiff_t open = ash_slice_find(line, ASH_S(" ("));
        ptrdiff_t close = -1;
        for (AshSlice rest = line; open >= 0;) {
                ptrdiff_t at = ash_slice_find(rest, ASH_S(") = "));
                if (at < 0)
                        break;
                close = rest.ptr + at - line.ptr;
                rest = ash_slice_from(rest, (size_t) at + 1);
        }
        if (open <= 0 || close < open + 2)
                return false;
        AshSlice kind = ash_slice_sub(line, 0, (size_t) open), hex = ash_slice_from(line, (size_t) close + 4);
        item->filename = ash_slice_sub(line, (size_t) open + 2, (size_t) (close - open) - 2);
        item->kind = ash_digest_kind(kind);
        if (item->kind < 0)
                fail(p, kind, "unknown kind of digest, expected MD5, SHA1, SHA224, SHA256, SHA384 or SHA512");
        else if (!set_hex(item, hex))
                fail(p, hex.len > 0 ? hex : line, "the digest has not the length of its kind, or is not hexadecimal");
        return true;
}

/* "HEX  FILE": two blanks, or a blank and a star as md5sum has it for binary mode. Always MD5. */
static bool parse_old(Parser *p, AshSlice line, AshSourceItem *item) {
        ptrdiff_t blank = ash_slice_find_char(line, ' ');
        if (blank != 32 || line.len < 35 || (line.ptr[33] != ' ' && line.ptr[33] != '*'))
                return false;
        item->kind = ASH_MD5;
        item->old_format = true;
        item->filename = ash_slice_from(line, 34);
        if (!set_hex(item, ash_slice_sub(line, 0, 32)))
                fail(p, ash_slice_sub(line, 0, 32), "this is no hexadecimal digest");
        return true;
}

static void parse_line(Parser *p, AshSlice line) {
        AshSourceItem item = { .origin = ASH_ORIGIN_LOOKASIDE };
        int before = p->result;
        p->result = 0;
        if (!parse_new(p, line, &item) && !parse_old(p, line, &item)) {
                fail(p, line, "this is no line of a sources file");
                ash_hint(p->diags, "expected \"SHA512 (file) = digest\" or \"md5digest  file\"");
        } else if (p->result == 0 && !ash_file_name_ok(item.filename)) {
                fail(p, item.filename.len > 0 ? item.filename : line, "this is no plain file name");
        }
        if (p->result == 0) {
                item.at = span_of(p, line);
                item.filename = ash_arena_slice(p->sources->arena, item.filename);
                bool fresh;
                ash_map_ensure(&p->seen, item.filename, &fresh);
                if (fresh)
                        ash_array_push(&p->sources->items, item);
                else
                        fail(p, line, "this file is listed twice");
        }
        if (p->result == 0)
                p->result = before;
}

int ash_sources_parse(AshSlice text, const char *name, AshSources *ret, AshDiags *diags) {
        if (text.len > 64 << 20)
                return ash_fail_file(diags, -ASH_ERR_LIMIT, name, "the sources file is larger than 64 MiB");
        _sources_ AshSources sources = { .arena = ash_arena_new() };
        text = ash_arena_slice(sources.arena, text); /* what is wrong with a file is said at its line, and found later */
        sources.source = ash_source_new(name, text);
        Parser p = { .sources = &sources, .source = sources.source, .diags = diags };
        AshSlice rest = text, line;
        size_t bad = 0;
        while (ash_slice_next_line(&rest, &line) && bad < 100) {
                line = ash_slice_trim(line);
                int was = p.result;
                if (sources.items.n >= MAX_LINES)
                        p.result = ash_fail_file(diags, -ASH_ERR_LIMIT, name, "the sources file has more than %d lines", MAX_LINES), bad = 100;
                else if (line.len > 0)
                        parse_line(&p, line);
                bad += p.result < 0 && was == 0;
                if (p.result < 0 && was < 0)
                        bad++;
        }
        ash_map_done(&p.seen);
        if (p.result < 0)
                return p.result;
        *ret = sources;
        sources = (AshSources) {};
        return 0;
}

static void append_upper(AshStr *out, const char *s) {
        for (; *s; s++)
                ash_str_append_char(out, *s >= 'a' && *s <= 'z' ? (char) (*s - 'a' + 'A') : *s);
}

void ash_sources_format(const AshSources *sources, AshStr *out) {
        ash_array_foreach(&sources->items, i) {
                if (i->old_format) {
                        ash_str_appendf(out, "%s  %.*s\n", i->hex, ASH_F(i->filename));
                        continue;
                }
                append_upper(out, ash_digest_name(i->kind));
                ash_str_appendf(out, " (%.*s) = %s\n", ASH_F(i->filename), i->hex);
        }
}

int ash_sources_render(const AshSpecTree *tree, const AshComponentConfig *config, AshStr *out, AshDiags *diags) {
        const AshSpecFile *f = ash_spec_tree_find(tree, ASH_S("sources"));
        _free_ char *name = ash_asprintf("%s/sources", tree->origin);
        _sources_ AshSources sources = {};
        int r = ash_sources_parse(f && !S_ISLNK(f->mode) ? f->data : ASH_S(""), name, &sources, diags);
        if (r < 0)
                return r;
        if (config->source_files.n == 0) { /* nothing of ours: byte for byte as it was */
                if (f)
                        ash_str_append(out, f->data);
                return 0;
        }
        r = ash_sources_merge(&sources, &config->source_files, diags);
        if (r >= 0)
                ash_sources_format(&sources, out);
        return r;
}
