/* Places in the spec of a build, and what is said of one that rpm cannot parse. */
#include <ctype.h>
#include <fnmatch.h>
#include "flow-build-private.h"
#include "specinfo.h"

static bool is_word_char(char c) { return isalnum((unsigned char) c) || strchr("._+-:/()", c); }

/* The line that asks for a package; nowhere when a macro made it. */
AshSpan ash_flow_job_required_at(const Job *j, AshSlice dep) {
        static const AshSlice tag = { "BuildRequires", 13 };
        AshSlice rest = j->spec->text, line, name;
        AshSlice text = dep;
        if (!ash_slice_next_word(&text, &name))
                return ASH_NOWHERE;
        while (ash_slice_next_line(&rest, &line)) {
                AshSlice trimmed = ash_slice_trim_left(line);
                if (trimmed.len < tag.len || !ash_slice_eq_nocase(ash_slice_sub(trimmed, 0, tag.len), tag))
                        continue;
                for (size_t at = tag.len; at + name.len <= trimmed.len; at++) {
                        bool begins = !is_word_char(trimmed.ptr[at - 1]) || trimmed.ptr[at - 1] == ':', ends = at + name.len == trimmed.len || !is_word_char(trimmed.ptr[at + name.len]);
                        if (begins && ends && !memcmp(trimmed.ptr + at, name.ptr, name.len))
                                return (AshSpan){ j->spec, (uint32_t) (trimmed.ptr + at - j->spec->text.ptr), (uint32_t) name.len };
                }
        }
        return ASH_NOWHERE;
}

/* rpmspec in the root whose rpmbuild refused the spec. */
typedef struct Parser {
        Job *j;
        AshSpecInfoRoot *root;
        ASH_ARRAY(const char *) options;
        ASH_ARRAY(AshSpecFileOf) files;
} Parser;

static bool parses(void *context, AshSlice spec) {
        Parser *p = context;
        _str_ AshStr out = {};
        ash_array_foreach(&p->files, f)
                if (!strcmp(f->name, p->j->rendered->spec))
                        f->data = spec;
        AshSpecInfoInput in = { .files = p->files.items, .n_files = p->files.n, .spec = p->j->rendered->spec, .component = p->j->component, .arch = p->j->arch, .options = p->options.items };
        return p->root && ash_specinfo_rpmspec(p->root, &in, &out, NULL) >= 0;
}

/* As the job rendered it: with the release that it has now. */
static AshRenderOptions render_options(const Job *j) {
        AshRenderOptions options = j->o->render;
        options.built = j->built;
        return options;
}

AshFlowPlaces *ash_flow_job_places(const Job *j) {
        AshRenderOptions options = render_options(j);
        return ash_flow_places_new(j->flow, j->rendered, &options, j->spec);
}

static void tell_spec_error(Job *j, const AshFlowRoot *root, uint32_t line, AshSlice said) {
        Parser p = { .j = j };
        AshRenderOptions options = render_options(j);
        const char *text = ash_arena_printf(j->arena, "rpm cannot parse the spec of '%.*s': %.*s", ASH_F(j->component), ASH_F(said));
        ash_array_foreach(&j->options, o)
                if (*o && strcmp(*o, "--nocheck") != 0) /* rpmspec has no such option */
                        ash_array_push(&p.options, *o);
        ash_array_push(&p.options, NULL);
        ash_array_foreach(&j->rendered->files, f)
                ash_array_push(&p.files, ((AshSpecFileOf){ f->name, f->mode, f->data }));
        (void) ash_specinfo_root_new(ash_build_root_layers(root->root), &p.root, NULL);
        ash_flow_spec_error(j->flow, j->rendered, &options, j->spec, line, text, parses, &p, j->flow->diags);
        ash_specinfo_root_free(p.root);
        ash_array_done(&p.options);
        ash_array_done(&p.files);
}

/* "Bad file: /builddir/build/SOURCES/x.tar.gz: No such file or directory" (rpm 4.18, build/parsePrep.c and build/spec.c): the name. */
static AshSlice missing_source(AshSlice text) {
        static const AshSlice dir = { "/SOURCES/", 9 };
        ptrdiff_t at = ash_slice_starts(text, ASH_S("Bad file: ")) || ash_slice_starts(text, ASH_S("Bad source: ")) ? ash_slice_find(text, dir) : -1;
        if (at < 0)
                return ASH_NOSLICE;
        AshSlice name = ash_slice_from(text, (size_t) at + dir.len);
        ptrdiff_t end = ash_slice_find(name, ASH_S(": "));
        return ash_slice_sub(name, 0, end < 0 ? name.len : (size_t) end);
}

/* "%{name}-%{version}.tar.gz" -> "*-*.tar.gz": what a value can become. malloc'ed. */
static char *value_pattern(AshSlice value) {
        AshStr out = {};
        for (size_t i = 0; i < value.len; i++) {
                char c = value.ptr[i];
                if (c != '%') {
                        ash_str_appendf(&out, strchr("*?[\\", c) ? "\\%c" : "%c", c);
                        continue;
                }
                ash_str_append_char(&out, '*');
                ptrdiff_t end = i + 1 < value.len && value.ptr[i + 1] == '{' ? ash_slice_find_char(ash_slice_from(value, i), '}') : -1;
                for (i = end > 0 ? i + (size_t) end : i; end <= 0 && i + 1 < value.len && (isalnum((unsigned char) value.ptr[i + 1]) || value.ptr[i + 1] == '_'); i++)
                        ;
        }
        return ash_str_take(&out);
}

/* The only line of the rendered spec that can mean this file. */
static AshSpan source_line(AshSource *spec, AshSlice name) {
        AshSlice rest = spec->text, line;
        AshSpan found = ASH_NOWHERE;
        _free_ char *wanted = ash_slice_dup(name);
        while (ash_slice_next_line(&rest, &line)) {
                ptrdiff_t colon = ash_slice_find_char(line, ':');
                if (colon < 0 || (!ash_slice_starts(line, ASH_S("Source")) && !ash_slice_starts(line, ASH_S("Patch"))))
                        continue;
                AshSlice value = ash_slice_trim(ash_slice_from(line, (size_t) colon + 1));
                _free_ char *pattern = value_pattern(ash_path_base(value));
                if (!pattern || fnmatch(pattern, wanted, 0) != 0)
                        continue;
                if (found.source)
                        return ASH_NOWHERE;
                found = (AshSpan){ spec, (uint32_t) (value.ptr - spec->text.ptr), (uint32_t) value.len };
        }
        return found;
}

static int source_missing(Job *j, AshSlice name) {
        AshRenderOptions options = render_options(j);
        _cleanup_(ash_flow_places_free_p) AshFlowPlaces *places = ash_flow_places_new(j->flow, j->rendered, &options, j->spec);
        const AshOverlay *overlay = NULL;
        AshSpan at = ash_flow_places_find(places, source_line(j->spec, name), &overlay);
        const char *text = ash_arena_printf(j->arena, "the spec of '%.*s' names '%.*s', which is neither beside it nor among its declared sources", ASH_F(j->component), ASH_F(name));
        int r = at.source ? ash_fail(j->flow->diags, -ASH_ERR_SYNTAX, at, "%s", text) : ash_fail_file(j->flow->diags, -ASH_ERR_SYNTAX, j->spec->name, "%s", text);
        ash_hint(j->flow->diags, "put it beside the spec; or declare where it comes from: a line in 'sources' with its digest, or [[components.%.*s.source-files]]", ASH_F(j->component));
        return r;
}

int ash_flow_job_spec_failed(Job *j, const AshFlowRoot *root) {
        uint32_t line;
        AshSlice text;
        if (!ash_build_spec_error(j->build, &line, &text))
                return -ASH_ERR_SYNTAX;
        if (missing_source(text).ptr)
                return source_missing(j, missing_source(text));
        tell_spec_error(j, root, line, text);
        ash_note(j->flow->diags, ASH_NOWHERE, "the whole log: %s", j->log_path);
        return -ASH_ERR_SYNTAX;
}

/* ---- warnings ---- */
/* The spec's line that a warning is of: it begins with the number (which is taken off, it is the rendered spec's), or ends with words of that line. */
static AshSpan warned_at(const Job *j, AshSlice *said) {
        uint64_t number = 0;
        ptrdiff_t colon = ash_slice_find_char(*said, ':');
        if (ash_slice_starts(*said, ASH_S("line ")) && colon > 0 && ash_slice_to_u64(ash_slice_sub(*said, 5, (size_t) colon - 5), 10, &number) >= 0) {
                AshSlice rest = j->spec->text, line;
                *said = ash_slice_trim(ash_slice_from(*said, (size_t) colon + 1));
                for (uint64_t n = 1; ash_slice_next_line(&rest, &line); n++)
                        if (n == number)
                                return (AshSpan){ j->spec, (uint32_t) (line.ptr - j->spec->text.ptr), (uint32_t) line.len };
        }
        colon = ash_slice_rfind_char(*said, ':');
        AshSlice words = ash_slice_trim(ash_slice_from(*said, (size_t) (colon + 1)));
        ptrdiff_t at = words.len >= 8 ? ash_slice_find(j->spec->text, words) : -1; /* a quoted line of the changelog, of a tag */
        return at < 0 ? ASH_NOWHERE : (AshSpan){ j->spec, (uint32_t) at, (uint32_t) words.len };
}

void ash_flow_job_spec_warnings(const Job *j) {
        enum { MAX = 8 };
        AshSlice rest = ash_build_log(j->build), line, mark = ASH_S("warning: ");
        _cleanup_(ash_flow_places_free_p) AshFlowPlaces *places = NULL;
        size_t n = 0;
        if (j->rendered->upstream->kind != ASH_SPEC_LOCAL)
                return;
        while (n < MAX && ash_slice_next_line(&rest, &line)) {
                if (!ash_slice_starts(line, mark))
                        continue;
                AshSlice said = ash_slice_trim(ash_slice_from(line, mark.len));
                AshSpan at = warned_at(j, &said);
                if (!n++)
                        places = ash_flow_job_places(j);
                ash_warn(j->flow->diags, at.source ? ash_flow_places_find(places, at, NULL) : ASH_NOWHERE, "rpm, of the spec of '%.*s': %.*s", ASH_F(j->component), ASH_F(said));
        }
}

/* ---- what %prep could not use ---- */
static AshSlice file_of(const AshOverlay *o) { return o->file.s.len ? ash_path_base(o->file.s) : ash_path_base(o->source.s); }

void ash_flow_job_note_patch(const Job *j) {
        AshSlice name = ash_build_prep_source(j->build);
        const AshOverlay *overlays;
        size_t n = ash_render_overlays(j->rendered, &overlays);
        for (size_t i = 0; name.len && i < n; i++) {
                const AshOverlay *o = &overlays[i];
                if ((o->type != ASH_OVERLAY_PATCH_ADD && o->type != ASH_OVERLAY_FILE_ADD) || o->archive.s.len || !ash_slice_eq(file_of(o), name))
                        continue;
                ash_note(j->flow->diags, o->at, "this overlay brought %.*s, which %%prep used last: %s%s%.*s", ASH_F(name), ash_overlay_type_name(o->type), o->description.s.len ? ": " : "", ASH_F(o->description.s));
                if (o->type == ASH_OVERLAY_PATCH_ADD)
                        ash_hint(j->flow->diags, "a patch made by git or diff -r has a/ and b/ before its paths: '%%autosetup -p1' or '%%patch -P N -p1' takes them off; 'ashlar component prepare' lays out the sources to make the patch anew");
        }
}
