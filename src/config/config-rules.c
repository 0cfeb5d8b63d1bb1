#include "config-rules.h"
#include "json.h"

static bool filled(AshText t) { return t.s.len > 0; }
static bool is(AshText t, const char *word) { return ash_slice_eqs(t.s, word); }
static AshSpan place(AshText t, AshSpan at) { return t.at.source ? t.at : at; }

/* ---- fields that a type needs and may have ---- */
typedef enum Part { FILE_ = 1, SECTION = 2, PACKAGE = 4, TAG = 8, VALUE = 16, REGEX = 32, REPLACEMENT = 64, LINES = 128, SOURCE = 256, ARCHIVE = 512, COUNT = 1024 } Part;
typedef struct PartRow {
        Part part;
        const char *key;
        size_t offset;
        bool list, number;
} PartRow;
static const PartRow overlay_parts[] = {
        { FILE_, "file", offsetof(AshOverlay, file) }, { SECTION, "section", offsetof(AshOverlay, section) }, { PACKAGE, "package", offsetof(AshOverlay, package) },
        { TAG, "tag", offsetof(AshOverlay, tag) }, { VALUE, "value", offsetof(AshOverlay, value) }, { REGEX, "regex", offsetof(AshOverlay, regex) },
        { REPLACEMENT, "replacement", offsetof(AshOverlay, replacement) }, { LINES, "lines", offsetof(AshOverlay, lines), .list = true },
        { SOURCE, "source", offsetof(AshOverlay, source) }, { ARCHIVE, "archive", offsetof(AshOverlay, archive) }, { COUNT, "count", offsetof(AshOverlay, declared_count), .number = true },
};
static const struct { unsigned needed, allowed; } overlay_shapes[ASH_OVERLAY_MAX_] = {
        [ASH_OVERLAY_SPEC_ADD_TAG] = { TAG | VALUE, PACKAGE },
        [ASH_OVERLAY_SPEC_INSERT_TAG] = { TAG | VALUE, PACKAGE },
        [ASH_OVERLAY_SPEC_SET_TAG] = { TAG | VALUE, PACKAGE | COUNT },
        [ASH_OVERLAY_SPEC_UPDATE_TAG] = { TAG | VALUE, PACKAGE | COUNT },
        [ASH_OVERLAY_SPEC_REMOVE_TAG] = { TAG, VALUE | PACKAGE | COUNT },
        [ASH_OVERLAY_SPEC_PREPEND_LINES] = { LINES, SECTION | PACKAGE | COUNT },
        [ASH_OVERLAY_SPEC_APPEND_LINES] = { LINES, SECTION | PACKAGE | COUNT },
        [ASH_OVERLAY_SPEC_SEARCH_REPLACE] = { REGEX, REPLACEMENT | SECTION | PACKAGE | COUNT },
        [ASH_OVERLAY_SPEC_REMOVE_SECTION] = { SECTION, PACKAGE | COUNT },
        [ASH_OVERLAY_SPEC_REMOVE_SUBPACKAGE] = { PACKAGE, 0 },
        [ASH_OVERLAY_PATCH_ADD] = { SOURCE, FILE_ },
        [ASH_OVERLAY_PATCH_REMOVE] = { FILE_, COUNT },
        [ASH_OVERLAY_FILE_PREPEND_LINES] = { FILE_ | LINES, COUNT },
        [ASH_OVERLAY_FILE_SEARCH_REPLACE] = { FILE_ | REGEX, REPLACEMENT | ARCHIVE | COUNT },
        [ASH_OVERLAY_FILE_ADD] = { FILE_ | SOURCE, 0 },
        [ASH_OVERLAY_FILE_REMOVE] = { FILE_, ARCHIVE | COUNT },
        [ASH_OVERLAY_FILE_RENAME] = { FILE_ | REPLACEMENT, 0 },
};

static bool part_there(const PartRow *p, const AshOverlay *o, AshSpan *ret_at) {
        const char *at = (const char *) o + p->offset;
        if (p->list) {
                const AshTexts *texts = (const void *) at;
                *ret_at = texts->n ? texts->items[0].at : ASH_NOWHERE;
                return texts->n > 0;
        }
        if (p->number) {
                *ret_at = ((const AshNumber *) (const void *) at)->at;
                return ((const AshNumber *) (const void *) at)->set;
        }
        *ret_at = ((const AshText *) (const void *) at)->at;
        return filled(*(const AshText *) (const void *) at);
}

static void path_inside(const AshRules *r, AshText t, AshSpan at) {
        if (!filled(t))
                return;
        if (!ash_path_is_confined(t.s)) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, place(t, at), "'%.*s' leaves the directory of the spec", ASH_F(t.s));
                ash_hint(r->diags, "give a path below the spec's directory, without a leading '/' and without '..'");
        } else if (!ash_glob_valid(t.s)) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, place(t, at), "'%.*s' is no valid glob: a bracket or brace is not closed", ASH_F(t.s));
                ash_hint(r->diags, "close it, or put a backslash before it");
        }
}

void ash_rule_overlay(const AshRules *r, const void *item, AshSpan at) {
        AshOverlay *o = (AshOverlay *) item;
        o->type = ash_overlay_type(o->type_text.s);
        if (o->declared_count.set) {
                if (o->declared_count.value < 1) {
                        ash_fail(r->diags, -ASH_ERR_CONFIG, o->declared_count.at, "'count' must be at least 1");
                        ash_hint(r->diags, "leave it out where exactly one place must match");
                } else
                        o->count = (uint64_t) o->declared_count.value;
        }
        if (o->type < 0)
                return; /* reported as a value that is not known */
        for (size_t i = 0; i < ASH_N(overlay_parts); i++) {
                const PartRow *p = &overlay_parts[i];
                AshSpan part_at = ASH_NOWHERE;
                bool there = part_there(p, o, &part_at);
                if (!there && (overlay_shapes[o->type].needed & p->part)) {
                        ash_fail(r->diags, -ASH_ERR_CONFIG, at, "an overlay of type '%s' needs '%s'", ash_overlay_type_name(o->type), p->key);
                        ash_hint(r->diags, p->list ? "add %s = [\"...\"]" : "add %s = \"...\"", p->key);
                        if (filled(o->description))
                                ash_note(r->diags, o->description.at, "the overlay is described as \"%.*s\"", ASH_F(o->description.s));
                } else if (there && !((overlay_shapes[o->type].needed | overlay_shapes[o->type].allowed) & p->part)) {
                        ash_fail(r->diags, -ASH_ERR_CONFIG, part_at.source ? part_at : at, "an overlay of type '%s' has no use for '%s'", ash_overlay_type_name(o->type), p->key);
                        ash_hint(r->diags, "remove '%s', or choose a type of overlay that uses it", p->key);
                }
        }
        path_inside(r, o->file, at);
        path_inside(r, o->archive, at);
        if (o->type == ASH_OVERLAY_FILE_RENAME && filled(o->replacement) && (ash_slice_find_char(o->replacement.s, '/') >= 0 || is(o->replacement, ".") || is(o->replacement, ".."))) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, place(o->replacement, at), "'file-rename' takes a file name without a directory as 'replacement'");
                ash_hint(r->diags, "the file stays in its directory");
        }
}

/* ---- the same in JSON Schema: if KEY has this value, then ... ---- */
static void begin_when(AshJson *j, const char *key, const char *text) {
        ash_json_begin(j, NULL, '{');
        ash_json_begin(j, "if", '{');
        ash_json_begin(j, "properties", '{');
        ash_json_begin(j, key, '{');
        if (text)
                ash_json_str(j, "const", text);
        else
                ash_json_bool(j, "const", true);
        ash_json_end(j, '}');
        ash_json_end(j, '}');
        ash_json_begin(j, "required", '[');
        ash_json_str(j, NULL, key);
        ash_json_end(j, ']');
        ash_json_end(j, '}');
        ash_json_begin(j, "then", '{');
}

static void end_when(AshJson *j) {
        ash_json_end(j, '}');
        ash_json_end(j, '}');
}

static void bound(AshJson *j, const char *key, const char *rule, uint64_t n) {
        ash_json_begin(j, key, '{');
        ash_json_str(j, "type", strstr(rule, "Items") ? "array" : "string"); /* ajv's strict mode wants it beside the rule */
        ash_json_uint(j, rule, n);
        ash_json_end(j, '}');
}

/* One condition: these keys must be there and filled. */
static void when_needs(AshJson *j, const char *key, const char *text, const char *needed) {
        begin_when(j, key, text);
        ash_json_begin(j, "required", '[');
        ash_json_str(j, NULL, needed);
        ash_json_end(j, ']');
        ash_json_begin(j, "properties", '{');
        bound(j, needed, "minLength", 1);
        ash_json_end(j, '}');
        end_when(j);
}

void ash_schema_overlay(AshJson *j) {
        ash_json_begin(j, "allOf", '[');
        for (int t = 0; t < ASH_OVERLAY_MAX_; t++) {
                begin_when(j, "type", ash_overlay_type_name(t));
                ash_json_begin(j, "required", '[');
                for (size_t i = 0; i < ASH_N(overlay_parts); i++)
                        if (overlay_shapes[t].needed & overlay_parts[i].part)
                                ash_json_str(j, NULL, overlay_parts[i].key);
                ash_json_end(j, ']');
                ash_json_begin(j, "properties", '{');
                for (size_t i = 0; i < ASH_N(overlay_parts); i++) {
                        const PartRow *p = &overlay_parts[i];
                        if (overlay_shapes[t].needed & p->part)
                                bound(j, p->key, p->list ? "minItems" : "minLength", 1);
                        else if (!(overlay_shapes[t].allowed & p->part) && !p->number)
                                bound(j, p->key, p->list ? "maxItems" : "maxLength", 0);
                        else if (!(overlay_shapes[t].allowed & p->part))
                                ash_json_bool(j, p->key, false);
                }
                ash_json_end(j, '}');
                end_when(j);
        }
        ash_json_end(j, ']');
}

void ash_schema_overlay_metadata(AshJson *j) {
        ash_json_begin(j, "allOf", '[');
        begin_when(j, "category", "upstream-backport");
        ash_json_begin(j, "required", '[');
        ash_json_str(j, NULL, "commits");
        ash_json_end(j, ']');
        ash_json_begin(j, "properties", '{');
        bound(j, "commits", "minItems", 1);
        ash_json_begin(j, "upstream-status", '{');
        ash_json_begin(j, "enum", '[');
        ash_json_str(j, NULL, "upstreamed");
        ash_json_str(j, NULL, "upstreamable");
        ash_json_end(j, ']');
        ash_json_end(j, '}');
        ash_json_end(j, '}');
        end_when(j);
        ash_json_end(j, ']');
}

/* Each of these tables has one condition or two: KEY, its value (NULL: true), what it needs. */
static void all_of(AshJson *j, size_t n, const char *const (*rows)[3]) {
        ash_json_begin(j, "allOf", '[');
        for (size_t i = 0; i < n; i++)
                when_needs(j, rows[i][0], rows[i][1], rows[i][2]);
        ash_json_end(j, ']');
}

void ash_schema_build(AshJson *j) { all_of(j, 1, (const char *const[][3]){ { "network", NULL, "network-reason" } }); }
void ash_schema_check(AshJson *j) { all_of(j, 1, (const char *const[][3]){ { "skip", NULL, "skip_reason" } }); }
void ash_schema_failure(AshJson *j) { all_of(j, 1, (const char *const[][3]){ { "expected", NULL, "expected-reason" } }); }
void ash_schema_spec(AshJson *j) { all_of(j, 1, (const char *const[][3]){ { "type", "local", "path" } }); }
void ash_schema_origin(AshJson *j) { all_of(j, 3, (const char *const[][3]){ { "type", "download", "uri" }, { "type", "custom", "script" }, { "type", "apt-source", "upstream" } }); }
void ash_schema_source_file(AshJson *j) {
        all_of(j, 3, (const char *const[][3]){ { "replace-upstream", NULL, "replace-reason" }, { "hash-type", "SHA256", "hash" }, { "hash-type", "SHA512", "hash" } });
}
void ash_schema_definition(AshJson *j) { all_of(j, 1, (const char *const[][3]){ { "type", "kiwi", "path" } }); }

void ash_rule_overlay_metadata(const AshRules *r, const void *item, AshSpan at) {
        const AshOverlay *o = item;
        if (!is(o->category, "upstream-backport"))
                return;
        if (!o->commits.n) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, place(o->category, at), "an overlay of category 'upstream-backport' needs at least one entry in 'commits'");
                ash_hint(r->diags, "add commits = [{ url = \"https://...\" }]");
        }
        if (filled(o->upstream_status) && !is(o->upstream_status, "upstreamed") && !is(o->upstream_status, "upstreamable")) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, place(o->upstream_status, at), "category 'upstream-backport' and upstream-status '%.*s' contradict each other", ASH_F(o->upstream_status.s));
                ash_hint(r->diags, "the status of a backport is 'upstreamed' or 'upstreamable'");
        }
}

void ash_rule_overlay_file(const AshRules *r, const void *item, AshSpan at) {
        const AshOverlayFile *f = item;
        if (f->overlays.items && !f->overlays.n) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, at, "the overlay file declares no overlays");
                ash_hint(r->diags, "add [[overlays]], or remove the file");
        }
        for (size_t i = 0; i < f->overlays.n; i++)
                if (ash_text_set(f->overlays.items[i].category)) {
                        ash_fail(r->diags, -ASH_ERR_CONFIG, f->overlays.items[i].category.at, "an overlay in an overlay file cannot have metadata of its own");
                        ash_hint(r->diags, "the [metadata] of the file holds for all its overlays; put this overlay into a file of its own");
                }
}

/* ---- components ---- */
void ash_rule_spec(const AshRules *r, const void *item, AshSpan at) {
        const AshSpecSource *s = item;
        if (is(s->type, "local")) {
                if (!filled(s->path)) {
                        ash_fail(r->diags, -ASH_ERR_CONFIG, at, "a spec of type 'local' needs 'path'");
                        ash_hint(r->diags, "add path = \"NAME.spec\", relative to this file");
                }
                const AshText upstream[] = { s->upstream_commit, s->upstream_name }; /* not the distribution: every component inherits that */
                for (size_t i = 0; i < ASH_N(upstream); i++)
                        if (filled(upstream[i])) {
                                ash_fail(r->diags, -ASH_ERR_CONFIG, upstream[i].at, "a spec of type 'local' has no upstream");
                                ash_hint(r->diags, "remove this, or set type = \"upstream\"");
                        }
        } else if (is(s->type, "upstream") && filled(s->path)) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, s->path.at, "a spec of type 'upstream' has no 'path'");
                ash_hint(r->diags, "remove this, or set type = \"local\"");
        }
}

static void flag_with_reason(const AshRules *r, AshFlag flag, const char *flag_key, AshText reason, const char *reason_key, AshSpan at) {
        if (flag.value == ASH_YES && !filled(reason)) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, flag.at, "'%s = true' needs '%s'", flag_key, reason_key);
                ash_hint(r->diags, "say why: %s = \"...\"", reason_key);
        } else if (flag.value != ASH_YES && filled(reason)) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, place(reason, at), "'%s' without '%s = true'", reason_key, flag_key);
                ash_hint(r->diags, "add %s = true, or remove the reason", flag_key);
        }
}

/* These become lines of the macro file: a name with a blank, or a value with a line break, would make others of them. */
static bool is_word(AshSlice s) {
        for (size_t i = 0; i < s.len; i++)
                if ((unsigned char) s.ptr[i] <= ' ' || s.ptr[i] == 127 || s.ptr[i] == '%')
                        return false;
        return s.len > 0;
}

/* A line break without the backslash that goes on with a macro on the next line. */
static bool has_open_line_break(AshSlice s) {
        for (size_t i = 0; i < s.len; i++)
                if (s.ptr[i] == '\n' && (i == 0 || s.ptr[i - 1] != '\\'))
                        return true;
        return false;
}

static void check_words(const AshRules *r, AshTexts texts, const char *what) {
        for (size_t i = 0; i < texts.n; i++)
                if (!is_word(texts.items[i].s)) {
                        ash_fail(r->diags, -ASH_ERR_CONFIG, texts.items[i].at, "'%.*s' is no name of a %s", ASH_F(texts.items[i].s), what);
                        ash_hint(r->diags, "expected one word, without '%%'");
                }
}

void ash_rule_build(const AshRules *r, const void *item, AshSpan at) {
        const AshComponentConfig *c = item;
        if (c->build_network.value == ASH_YES)
                flag_with_reason(r, c->build_network, "network", c->network_reason, "network-reason", at);
        if (c->build_timeout.set && c->build_timeout.value <= 0)
                ash_fail(r->diags, -ASH_ERR_CONFIG, c->build_timeout.at, "a build needs a 'timeout' of at least one second");
        check_words(r, c->with, "build condition");
        check_words(r, c->without, "build condition");
        check_words(r, c->undefines, "macro");
        for (size_t i = 0; i < c->defines.n; i++) {
                const AshPair *p = &c->defines.items[i];
                if (!is_word(p->key.s)) {
                        ash_fail(r->diags, -ASH_ERR_CONFIG, p->key.at, "'%.*s' is no name of a macro", ASH_F(p->key.s));
                        ash_hint(r->diags, "expected one word, without '%%'");
                }
                if (has_open_line_break(p->value.s)) {
                        ash_fail(r->diags, -ASH_ERR_CONFIG, p->value.at, "the value of macro '%.*s' has a line break", ASH_F(p->key.s));
                        ash_hint(r->diags, "a macro is one line of the macro file, or lines that end in a backslash");
                }
        }
}

void ash_rule_check(const AshRules *r, const void *item, AshSpan at) {
        const AshComponentConfig *c = item;
        if (c->check_skip.value == ASH_YES)
                flag_with_reason(r, c->check_skip, "skip", c->check_skip_reason, "skip_reason", at);
}

void ash_rule_failure(const AshRules *r, const void *item, AshSpan at) {
        const AshComponentConfig *c = item;
        if (c->failure_expected.value == ASH_YES)
                flag_with_reason(r, c->failure_expected, "expected", c->failure_reason, "expected-reason", at);
}

void ash_rule_origin(const AshRules *r, const void *item, AshSpan at) {
        static const struct { const char *type, *key; size_t offset; } rows[] = {
                { "download", "uri", offsetof(AshSourceFile, origin_uri) },
                { "custom", "script", offsetof(AshSourceFile, origin_script) },
                { "apt-source", "upstream", offsetof(AshSourceFile, origin_upstream) },
        };
        const AshSourceFile *f = item;
        for (size_t i = 0; i < ASH_N(rows); i++) {
                AshText t = *(const AshText *) (const void *) ((const char *) item + rows[i].offset);
                if (is(f->origin_type, rows[i].type) && !filled(t)) {
                        ash_fail(r->diags, -ASH_ERR_CONFIG, at, "an origin of type '%s' needs '%s'", rows[i].type, rows[i].key);
                        ash_hint(r->diags, "add %s = \"...\"", rows[i].key);
                } else if (filled(f->origin_type) && !is(f->origin_type, rows[i].type) && filled(t)) {
                        ash_fail(r->diags, -ASH_ERR_CONFIG, t.at, "an origin of type '%.*s' has no use for '%s'", ASH_F(f->origin_type.s), rows[i].key);
                        ash_hint(r->diags, "remove it, or set type = \"%s\"", rows[i].type);
                }
        }
}

void ash_rule_source_file(const AshRules *r, const void *item, AshSpan at) {
        const AshSourceFile *f = item;
        flag_with_reason(r, f->replace_upstream, "replace-upstream", f->replace_reason, "replace-reason", at);
        if (filled(f->hash) != filled(f->hash_type)) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, at, "'hash' and 'hash-type' belong together: '%s' is missing", filled(f->hash) ? "hash-type" : "hash");
                ash_hint(r->diags, "add %s", filled(f->hash) ? "hash-type = \"SHA256\" or \"SHA512\"" : "hash = \"...\"");
                return;
        }
        if (!filled(f->hash)) {
                if (is(f->origin_type, "overlay")) {
                        ash_fail(r->diags, -ASH_ERR_CONFIG, at, "a source of origin 'overlay' needs the 'hash' that the changed archive has");
                        ash_hint(r->diags, "add hash and hash-type");
                }
                return;
        }
        size_t want = is(f->hash_type, "SHA512") ? 128 : 64, n = 0;
        while (n < f->hash.s.len && strchr("0123456789abcdefABCDEF", f->hash.s.ptr[n]))
                n++;
        if (n < f->hash.s.len) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, f->hash.at, "the digest '%.*s' is not hexadecimal", ASH_F(f->hash.s));
                ash_hint(r->diags, "sha256sum and sha512sum print it");
        } else if (f->hash.s.len != want) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, f->hash.at, "a %.*s digest has %zu hexadecimal digits, this one %zu", ASH_F(f->hash_type.s), want, f->hash.s.len);
                ash_hint(r->diags, f->hash.s.len == 64 || f->hash.s.len == 128 ? "is 'hash-type' right?" : "sha256sum and sha512sum print it");
        }
}

/* ---- repositories ---- */
void ash_rule_repo_ref(const AshRules *r, const void *item, AshSpan at) {
        const AshRepoRef *ref = item;
        if (filled(ref->repo) == filled(ref->set)) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, at, "exactly one of 'repo' and 'set' must be given");
                ash_hint(r->diags, "write { repo = \"NAME\" } or { set = \"NAME\" }");
        }
}

static void key_rule(const AshRules *r, AshFlag disable, AshText key, AshSpan at) {
        if (disable.value == ASH_YES || filled(key))
                return;
        ash_fail(r->diags, -ASH_ERR_CONFIG, at, "signatures are checked, but there is no 'gpg-key'");
        ash_hint(r->diags, "add gpg-key = \"PATH or URL\"");
}

static AshText first(const AshTexts *texts) { return texts->n ? texts->items[0] : (AshText){}; }

static void apt_rule(const AshRules *r, const AshRepo *repo, AshSpan at) {
        const struct { AshText t; const char *key; } none[] = { { repo->base_uri, "base-uri" }, { repo->metalink, "metalink" }, { repo->mirror_list, "mirror-list" }, { first(&repo->mirrors), "mirrors" } };
        if (!filled(repo->suite)) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, at, "a repository of type 'apt' needs 'suite'");
                ash_hint(r->diags, "add suite = \"NAME\", as the archive calls it");
        }
        for (size_t i = 0; i < ASH_N(none); i++)
                if (filled(none[i].t)) {
                        ash_fail(r->diags, -ASH_ERR_CONFIG, none[i].t.at, "a repository of type 'apt' has no '%s'", none[i].key);
                        ash_hint(r->diags, "the mirror comes from the machine's own apt configuration, or from --apt-mirror");
                }
}

/* Where it is: said in one of three ways. */
static void address_rule(const AshRules *r, const AshRepo *repo, AshSpan at) {
        const struct { AshText t; const char *key; } ways[] = { { repo->base_uri, "base-uri" }, { repo->metalink, "metalink" }, { repo->mirror_list, "mirror-list" } };
        const char *said = NULL;
        for (size_t i = 0; i < ASH_N(ways); i++) {
                if (said && filled(ways[i].t)) {
                        ash_fail(r->diags, -ASH_ERR_CONFIG, ways[i].t.at, "'%s' and '%s' exclude each other", said, ways[i].key);
                        ash_hint(r->diags, "remove one of the two");
                } else if (filled(ways[i].t))
                        said = ways[i].key;
        }
        if (!said) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, at, "a repository needs 'base-uri', 'metalink' or 'mirror-list'");
                ash_hint(r->diags, "add base-uri = \"https://...\", or type = \"apt\" with a suite");
        } else if (repo->mirrors.n && !filled(repo->base_uri)) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, repo->mirrors.items[0].at, "'mirrors' are beside 'base-uri', which is not there");
                ash_hint(r->diags, "make the first of them base-uri");
        }
}

void ash_rule_repo(const AshRules *r, const void *item, AshSpan at) {
        const AshRepo *repo = item;
        if (is(repo->type, "apt")) {
                apt_rule(r, repo, at);
                return;
        }
        bool own = is(repo->type, "components");
        if (own || is(repo->type, "host")) {
                const AshText stray[] = { repo->base_uri, repo->metalink, repo->mirror_list, first(&repo->mirrors), repo->suite };
                for (size_t i = 0; i < ASH_N(stray); i++)
                        if (filled(stray[i])) {
                                ash_fail(r->diags, -ASH_ERR_CONFIG, stray[i].at, "a repository of type '%.*s' has no address: %s", ASH_F(repo->type.s),
                                         own ? "its packages are what 'component build' made" : "its package is made of programs that come with Ashlar");
                                ash_hint(r->diags, "remove this");
                        }
                return;
        }
        address_rule(r, repo, at);
        key_rule(r, repo->disable_gpg_check, repo->gpg_key, at);
        AshSpan stray = filled(repo->suite) ? repo->suite.at : repo->components.n ? repo->components.items[0].at : ASH_NOWHERE;
        if (stray.source) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, stray, "a repository of type 'rpm-md' has no '%s'", filled(repo->suite) ? "suite" : "components");
                ash_hint(r->diags, "add type = \"apt\", or remove this");
        }
}

void ash_rule_repo_set(const AshRules *r, const void *item, AshSpan at) {
        const AshRepoSet *set = item;
        key_rule(r, set->disable_gpg_check, set->gpg_key, at);
}

void ash_rule_upstream(const AshRules *r, const void *item, AshSpan at) {
        const AshUpstream *u = item;
        bool single = filled(u->repo.base_uri) || filled(u->repo.metalink) || filled(u->repo.mirror_list) || filled(u->repo.suite);
        if (u->repos.n && single) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, u->repos.items[0].at, "an upstream either names repositories with 'repos' or is one itself, not both");
                ash_hint(r->diags, "move the repository to [resources.rpm-repos.NAME] and name it in 'repos'");
        } else if (!u->repos.n && !single && !is(u->repo.type, "apt") && !is(u->repo.type, "host") && !is(u->repo.type, "components")) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, at, "an upstream needs 'repos', 'base-uri', 'metalink', 'mirror-list' or, for type 'apt', 'suite'");
                ash_hint(r->diags, "for example repos = [\"NAME\"], a name in resources.rpm-repos");
        } else if (!u->repos.n)
                ash_rule_repo(r, &u->repo, at);
}

/* ---- images ---- */
static void root_rule(const AshRules *r, const char *what, const char *key, AshText name, AshNumber number) {
        if (!is(name, "root") || !number.set || number.value == 0)
                return;
        ash_fail(r->diags, -ASH_ERR_CONFIG, number.at, "the %s root has the number 0, not %lld", what, (long long) number.value);
        ash_hint(r->diags, "remove '%s'", key);
}

void ash_rule_image(const AshRules *r, const void *item, AshSpan at) {
        const AshImage *i = item;
        for (size_t k = 0; k < i->users.n; k++)
                root_rule(r, "user", "uid", i->users.items[k].name, i->users.items[k].uid);
        for (size_t k = 0; k < i->groups.n; k++)
                root_rule(r, "group", "gid", i->groups.items[k].name, i->groups.items[k].gid);
        if (filled(i->definition_type) && !filled(i->definition_path)) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, at, "a definition of type '%.*s' needs 'path'", ASH_F(i->definition_type.s));
                ash_hint(r->diags, "add path = \"...\" to the definition");
        }
        if (filled(i->definition_type) && filled(i->kind)) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, i->kind.at, "an image has either a foreign 'definition' or a 'kind' of its own, not both");
                ash_note(r->diags, i->definition_type.at, "the foreign definition is here");
                ash_hint(r->diags, "remove one of the two");
        }
        if (filled(i->kind) && !is(i->kind, "disk") && i->partitions.n) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, i->partitions.items[0].at, "only an image of kind 'disk' has partitions, this one is of kind '%.*s'", ASH_F(i->kind.s));
                ash_hint(r->diags, "remove them, or set kind = \"disk\"");
        }
        if (filled(i->kind) && !is(i->kind, "container") && (i->oci.entrypoint.n || i->oci.command.n)) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, i->oci.entrypoint.n ? i->oci.entrypoint.items[0].at : i->oci.command.items[0].at, "only an image of kind 'container' has an OCI configuration, this one is of kind '%.*s'",
                        ASH_F(i->kind.s));
                ash_hint(r->diags, "remove it, or set kind = \"container\"");
        }
}

void ash_rule_image_file(const AshRules *r, const void *item, AshSpan at) {
        const AshImageFile *f = item;
        bool key = f->signing_key.value == ASH_YES;
        if (ash_text_set(f->content) && filled(f->source)) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, f->source.at, "'content' and 'source' exclude each other");
                ash_hint(r->diags, "remove one of the two");
        } else if (key && (ash_text_set(f->content) || filled(f->source))) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, at, "'signing-key' excludes 'content' and 'source'");
        } else if (!key && !ash_text_set(f->content) && !filled(f->source)) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, at, "a file needs 'content' or 'source'");
                ash_hint(r->diags, "add content = \"...\", which may be empty, or source = \"PATH\"");
        }
}

/* ---- test suites ---- */
void ash_rule_pytest(const AshRules *r, const void *item, AshSpan at) {
        const AshTestSuite *t = item;
        if (filled(t->install) && !is(t->install, "none") && !filled(t->working_dir)) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, place(t->install, at), "install = \"%.*s\" needs 'working-dir'", ASH_F(t->install.s));
                ash_hint(r->diags, "add working-dir = \"PATH\"");
        }
}

void ash_rule_test_suite(const AshRules *r, const void *item, AshSpan at) {
        const AshTestSuite *t = item;
        if (!filled(t->type)) {
                if (t->has_pytest || t->has_lisa) {
                        ash_fail(r->diags, -ASH_ERR_CONFIG, at, "a test suite with a table 'pytest' or 'lisa' needs 'type'");
                        ash_hint(r->diags, "add type = \"%s\"", t->has_pytest ? "pytest" : "lisa");
                }
                return; /* the April 2026 schema has suites with a description only */
        }
        if (is(t->type, "pytest") && !t->has_pytest) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, t->type.at, "a test suite of type 'pytest' needs the table 'pytest'");
                ash_hint(r->diags, "add pytest = { test-paths = [\"...\"] }");
        }
        if (is(t->type, "pytest") ? t->has_lisa : t->has_pytest) {
                ash_fail(r->diags, -ASH_ERR_CONFIG, t->type.at, "a test suite of type '%.*s' cannot have the table '%s'", ASH_F(t->type.s), is(t->type, "pytest") ? "lisa" : "pytest");
                ash_hint(r->diags, "remove it, or change 'type'");
        }
}
