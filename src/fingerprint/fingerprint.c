#include "fingerprint.h"
#include "json.h"

static const char *const kinds[ASH_INPUT_MAX_] = {
        [ASH_INPUT_COMPONENT] = "component", [ASH_INPUT_SPEC] = "spec", [ASH_INPUT_FILE] = "file", [ASH_INPUT_SOURCE] = "source", [ASH_INPUT_HISTORY] = "history",
        [ASH_INPUT_SETTING] = "setting", [ASH_INPUT_WITH] = "with", [ASH_INPUT_WITHOUT] = "without", [ASH_INPUT_DEFINE] = "define", [ASH_INPUT_OVERLAY] = "overlay",
};
const char *ash_input_kind_name(AshInputKind kind) { return kind >= 0 && kind < ASH_INPUT_MAX_ ? kinds[kind] : NULL; }
AshInputKind ash_input_kind(AshSlice name) {
        for (int i = 0; i < ASH_INPUT_MAX_; i++)
                if (ash_slice_eqs(name, kinds[i]))
                        return i;
        return ASH_INPUT_INVALID_;
}

void ash_fingerprint_free(AshFingerprint *f) {
        if (!f)
                return;
        ash_array_done(&f->inputs);
        ash_arena_free(f->arena);
        free(f);
}

static void add(AshFingerprint *f, AshInputKind kind, AshSlice name, AshSlice value) {
        ash_array_push(&f->inputs, ((AshInput){ kind, ash_arena_slice(f->arena, name), ash_arena_slice(f->arena, value) }));
}

static void netstring(AshStr *out, AshSlice s) {
        ash_str_appendf(out, "%zu:", s.len);
        ash_str_append(out, s);
        ash_str_append_char(out, ',');
}

void ash_fingerprint_encode(const AshFingerprint *f, AshStr *out) {
        ash_str_appendf(out, "ashlar-fingerprint %d\n", ASH_FINGERPRINT_VERSION);
        for (size_t i = 0; i < f->inputs.n; i++) {
                const AshInput *in = &f->inputs.items[i];
                netstring(out, ash_slice_str(kinds[in->kind]));
                netstring(out, in->name);
                netstring(out, in->value);
        }
}

static int by_kind_and_name(const void *a, const void *b, void *items) {
        const AshInput *base = items, *x = &base[*(const size_t *) a], *y = &base[*(const size_t *) b];
        if (x->kind != y->kind)
                return (int) x->kind - (int) y->kind;
        int c = x->kind == ASH_INPUT_OVERLAY ? 0 : ash_slice_cmp(x->name, y->name);
        return c ? c : x < y ? -1 : 1;
}

/* Sorted, without repetitions (with = ["a", "a"] is with = ["a"]); overlays keep their order and their number. */
static void sort_inputs(AshFingerprint *f) {
        size_t n = f->inputs.n, kept = 0;
        _free_ size_t *order = ash_calloc(n + 1, sizeof *order);
        AshInput *sorted = ash_calloc(n + 1, sizeof *sorted);
        for (size_t i = 0; i < n; i++)
                order[i] = i;
        qsort_r(order, n, sizeof *order, by_kind_and_name, f->inputs.items);
        for (size_t i = 0; i < n; i++) {
                AshInput in = f->inputs.items[order[i]];
                if (kept && in.kind != ASH_INPUT_OVERLAY && in.kind == sorted[kept - 1].kind && ash_slice_eq(in.name, sorted[kept - 1].name))
                        kept--; /* the later one counts */
                sorted[kept++] = in;
        }
        free(f->inputs.items);
        f->inputs.items = sorted;
        f->inputs.n = kept;
        f->inputs.cap = n + 1;
}

static void digest(AshFingerprint *f) {
        _str_ AshStr bytes = {};
        char hex[ASH_HEX_MAX];
        ash_fingerprint_encode(f, &bytes);
        ash_digest_hex_of(ASH_SHA256, ash_str_slice(&bytes), hex);
        snprintf(f->text, sizeof f->text, "%d:%s", ASH_FINGERPRINT_VERSION, hex);
}

static void add_digest(AshFingerprint *f, AshInputKind kind, AshSlice name, const char *before, AshSlice data) {
        char hex[ASH_HEX_MAX];
        ash_digest_hex_of(ASH_SHA256, data, hex);
        _free_ char *value = ash_asprintf("%ssha256:%s", before, hex);
        add(f, kind, name, ash_slice_str(value));
}

/* ---- upstream ---- */
static void add_tree(AshFingerprint *f, const AshSpecTree *tree) {
        for (size_t i = 0; i < tree->files.n; i++) {
                const AshSpecFile *file = &tree->files.items[i];
                AshSlice path = ash_slice_str(file->path);
                if (i == tree->spec)
                        add_digest(f, ASH_INPUT_SPEC, path, "", file->data);
                else if (!ash_slice_eqs(path, "sources")) /* its entries count, not its layout */
                        add_digest(f, ASH_INPUT_FILE, path, S_ISLNK(file->mode) ? "link " : file->mode & 0100 ? "executable " : "", file->data);
        }
        f->origin = ash_arena_slice(f->arena, ash_slice_str(tree->origin ? tree->origin : ""));
        f->commit = ash_arena_slice(f->arena, ash_slice_str(tree->commit ? tree->commit : ""));
}

static void json_text(AshJson *j, const char *key, AshText text) {
        if (ash_text_set(text))
                ash_json_text(j, key, text.s);
}
static void json_texts(AshJson *j, const char *key, AshTexts texts) {
        if (texts.n == 0)
                return;
        ash_json_begin(j, key, '[');
        for (size_t i = 0; i < texts.n; i++)
                ash_json_text(j, NULL, texts.items[i].s);
        ash_json_end(j, ']');
}

static int digest_of_file(const char *path, AshSpan at, char ret[static ASH_HEX_MAX + 8], AshDiags *diags) {
        uint8_t bytes[ASH_DIGEST_SIZE_MAX];
        int r = ash_digest_file(ASH_SHA256, AT_FDCWD, path, bytes, NULL);
        if (r < 0)
                return ash_fail(diags, r, at, "%s: %s", path, ash_strerror(r));
        char hex[ASH_HEX_MAX];
        ash_hex(bytes, ash_digest_size(ASH_SHA256), hex);
        snprintf(ret, ASH_HEX_MAX + 8, "sha256:%s", hex);
        return 0;
}

/* A file whose digest is not known is what makes it: where it comes from, the script, its inputs. */
static int origin_value(const AshSourceFile *c, AshStr *out, AshDiags *diags) {
        AshJson j = { .out = out, .compact = true };
        ash_json_begin(&j, NULL, '{');
        json_text(&j, "origin", c->origin_type);
        json_text(&j, "uri", c->origin_uri);
        int r = 0;
        if (ash_text_set(c->origin_script) && c->origin_script.s.len) {
                char hex[ASH_HEX_MAX + 8];
                _free_ char *path = ash_path_join(c->base_dir ? c->base_dir : ".", c->origin_script.s.ptr);
                r = digest_of_file(path, c->origin_script.at, hex, diags);
                if (r >= 0)
                        ash_json_str(&j, "script", hex);
        }
        json_texts(&j, "mock-packages", c->mock_packages);
        json_texts(&j, "inputs", c->inputs);
        ash_json_end(&j, '}');
        return r;
}

static int add_sources(AshFingerprint *f, const AshSources *sources, AshDiags *diags) {
        for (size_t i = 0; sources && i < sources->items.n; i++) {
                const AshSourceItem *s = &sources->items.items[i];
                _str_ AshStr value = {};
                if (s->hex[0])
                        ash_str_appendf(&value, "%s:%s", ash_digest_name(s->kind), s->hex);
                else if (s->config) {
                        int r = origin_value(s->config, &value, diags);
                        if (r < 0)
                                return r;
                }
                add(f, ASH_INPUT_SOURCE, s->filename, ash_str_slice(&value));
        }
        return 0;
}

/* ---- build settings: those that reach the spec or the build; no reasons, hints or channels ---- */
static bool listed(AshTexts list, AshSlice name) {
        for (size_t i = 0; i < list.n; i++)
                if (ash_slice_eq(list.items[i].s, name))
                        return true;
        return false;
}

static void add_flag(AshFingerprint *f, const char *name, AshFlag flag) {
        if (flag.value == ASH_YES)
                add(f, ASH_INPUT_SETTING, ash_slice_str(name), ASH_S("yes"));
}

/* The header's lines that are more than comments: a comment builds nothing. */
static void add_header(AshFingerprint *f, const char *header) {
        _str_ AshStr kept = {};
        AshSlice rest = ash_slice_str(header), line;
        while (ash_slice_next_line(&rest, &line)) {
                AshSlice t = ash_slice_trim(line);
                if (t.len && t.ptr[0] != '#') {
                        ash_str_append(&kept, line);
                        ash_str_append_char(&kept, '\n');
                }
        }
        if (kept.len)
                add(f, ASH_INPUT_SETTING, ASH_S("spec-header"), ash_str_slice(&kept));
}

static void add_settings(AshFingerprint *f, const AshFingerprintOf *of) {
        const AshComponentConfig *c = of->config;
        for (size_t i = 0; i < c->with.n; i++)
                add(f, ASH_INPUT_WITH, c->with.items[i].s, ASH_S(""));
        for (size_t i = 0; i < c->without.n; i++)
                add(f, ASH_INPUT_WITHOUT, c->without.items[i].s, ASH_S(""));
        for (size_t i = 0; i < c->defines.n; i++)
                if (!listed(c->undefines, c->defines.items[i].key.s))
                        add(f, ASH_INPUT_DEFINE, c->defines.items[i].key.s, c->defines.items[i].value.s);
        AshSlice release = ash_text_set(c->release) && c->release.s.len ? c->release.s : ASH_S("auto");
        add(f, ASH_INPUT_SETTING, ASH_S("release"), release);
        add_flag(f, "check-skip", c->check_skip);
        add_flag(f, "emit-upstream-provenance", c->provenance);
        add_flag(f, "skip-file-filter", c->skip_file_filter);
        if (of->names && (c->with.n || c->without.n || c->defines.n)) {
                const AshOverlayNames *n = of->names;
                const char *const texts[] = { n->macro_file, n->macro_load, n->macro_tag }, *const keys[] = { "macro-file", "macro-load", "macro-tag" };
                for (size_t i = 0; i < ASH_N(texts); i++)
                        if (texts[i])
                                add(f, ASH_INPUT_SETTING, ash_slice_str(keys[i]), ash_slice_str(texts[i]));
        }
        if (of->names && of->names->spec_header)
                add_header(f, of->names->spec_header);
        if (c->overlays.n)
                add(f, ASH_INPUT_SETTING, ASH_S("overlay-semantics"), of->semantics == ASH_SEMANTICS_STRICT ? ASH_S("strict") : ASH_S("azldev"));
}

/* ---- overlays: what they do, not what is said about them ---- */
static int overlay_value(const AshOverlay *o, AshStr *out, AshDiags *diags) {
        AshJson j = { .out = out, .compact = true };
        int r = 0;
        ash_json_begin(&j, NULL, '{');
        ash_json_str(&j, "type", ash_overlay_type_name(o->type));
        json_text(&j, "archive", o->archive);
        json_text(&j, "file", o->file);
        json_text(&j, "section", o->section);
        json_text(&j, "package", o->package);
        json_text(&j, "tag", o->tag);
        json_text(&j, "value", o->value);
        json_text(&j, "regex", o->regex);
        json_text(&j, "replacement", o->replacement);
        json_texts(&j, "lines", o->lines);
        if (o->count)
                ash_json_uint(&j, "count", o->count);
        if (ash_text_set(o->source) && o->source.s.len) {
                char hex[ASH_HEX_MAX + 8];
                _free_ char *path = ash_path_join(o->base_dir ? o->base_dir : ".", o->source.s.ptr);
                r = digest_of_file(path, o->source.at, hex, diags);
                AshSlice name = ash_path_base(o->source.s); /* the name counts where "file" does not give one; where it lies does not */
                if (r >= 0 && !ash_text_set(o->file))
                        ash_json_text(&j, "file", name);
                if (r >= 0)
                        ash_json_str(&j, "content", hex);
        }
        ash_json_end(&j, '}');
        return r;
}

static int add_overlays(AshFingerprint *f, const AshOverlays *overlays, AshDiags *diags) {
        for (size_t i = 0; i < overlays->n; i++) {
                const AshOverlay *o = &overlays->items[i];
                _str_ AshStr value = {};
                int r = overlay_value(o, &value, diags);
                if (r < 0)
                        return r;
                add(f, ASH_INPUT_OVERLAY, ash_slice_str(ash_overlay_type_name(o->type)), ash_str_slice(&value));
        }
        return 0;
}

int ash_fingerprint_of(const AshFingerprintOf *of, AshFingerprint **ret, AshDiags *diags) {
        _cleanup_(ash_fingerprint_free_p) AshFingerprint *f = ash_calloc(1, sizeof *f);
        f->arena = ash_arena_new();
        f->component = ash_arena_slice(f->arena, of->component);
        add(f, ASH_INPUT_COMPONENT, ASH_S("name"), of->component);
        if (of->tree)
                add_tree(f, of->tree);
        int r = add_sources(f, of->sources, diags);
        if (r < 0)
                return r;
        if (of->release.len)
                add(f, ASH_INPUT_HISTORY, ASH_S("release"), of->release);
        if (of->changelog.len)
                add_digest(f, ASH_INPUT_HISTORY, ASH_S("changelog"), "", of->changelog);
        add_settings(f, of);
        r = add_overlays(f, &of->config->overlays, diags);
        if (r < 0)
                return r;
        sort_inputs(f);
        digest(f);
        *ret = ASH_TAKE(f);
        return 0;
}
