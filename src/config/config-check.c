/* What must hold between the parts of the whole project: names that are referred to exist. */
#include "config-private.h"
#include "regex.h"

#define HINTS_MAX 100 /* looking for the nearest of 100,000 names is not done more often than this */

static AshRef ref_of(const char *key) {
        static const struct { const char *key; AshRef ref; } rows[] = {
                { "distros", ASH_REF_DISTRO }, { "components", ASH_REF_COMPONENT }, { "images", ASH_REF_IMAGE }, { "test-suites", ASH_REF_TEST_SUITE },
                { "package-groups", ASH_REF_PACKAGE_GROUP }, { "channels", ASH_REF_CHANNEL }, { "upstreams", ASH_REF_UPSTREAM },
                { "stages", ASH_REF_STAGE }, { "rpm-repo-sets", ASH_REF_REPO_SET }, { "rpm-repo-set-templates", ASH_REF_REPO_TEMPLATE },
        };
        for (size_t i = 0; i < ASH_N(rows); i++)
                if (strcmp(rows[i].key, key) == 0)
                        return rows[i].ref;
        return ASH_REF_NONE;
}

static void index_record(AshConfig *c, const AshRecord *r, const void *record) {
        for (const AshField *f = r->fields; f->key; f++) {
                AshRef ref = ref_of(f->key);
                if ((f->kind != ASH_FIELD_NAMED && f->kind != ASH_FIELD_BOXED) || !ref)
                        continue;
                const AshItems *items = ash_field_at(f, record);
                size_t size = ash_field_item_size(f);
                ash_map_reserve(&c->names[ref], items->n);
                for (size_t i = 0; i < items->n; i++)
                        ash_map_put(&c->names[ref], ash_field_item_name(f, record, i).s, items->items + i * size, NULL);
        }
}

static int by_name(const void *a, const void *b, void *context) {
        const AshComponent *items = context;
        return ash_slice_cmp(items[*(const uint32_t *) a].name.s, items[*(const uint32_t *) b].name.s);
}

void ash_config_index(AshConfig *c) {
        index_record(c, &ash_record_project, &c->project);
        index_record(c, ash_field_find(&ash_record_project, ASH_S("resources"))->record, &c->project.resources);
        index_record(c, ash_field_find(&ash_record_project, ASH_S("build"))->record, &c->project.build);
        for (size_t i = 0; i < c->repos.n; i++)
                ash_map_put(&c->names[ASH_REF_REPO], c->repos.items[i].name.s, &c->repos.items[i], NULL);
        size_t n = c->project.components.n;
        c->sorted = ash_malloc((n + 1) * sizeof *c->sorted);
        for (size_t i = 0; i < n; i++)
                c->sorted[i] = (uint32_t) i;
        qsort_r(c->sorted, n, sizeof *c->sorted, by_name, c->project.components.items);
}

void ash_config_unknown(const AshConfig *c, AshRef ref, AshSlice name, AshSpan at, AshDiags *diags) {
        ash_fail(diags, -ASH_ERR_CONFIG, at, "unknown %s '%.*s'", ash_ref_name(ref), ASH_F(name));
        if (diags && ash_diags_count(diags, ASH_ERROR) > HINTS_MAX)
                return;
        ASH_ARRAY(AshSlice) known = {};
        ash_map_foreach(&c->names[ref], e)
                ash_array_push(&known, e->key);
        ptrdiff_t near = ash_slice_nearest(name, known.items, known.n);
        if (near >= 0)
                ash_hint(diags, "did you mean '%.*s'?", ASH_F(known.items[near]));
        else if (known.n && known.n <= 12) {
                _str_ AshStr all = {};
                ash_array_foreach(&known, k)
                        ash_str_appendf(&all, "%s%.*s", all.len ? ", " : "", ASH_F(*k));
                ash_hint(diags, "known: %s", all.ptr);
        } else if (!known.n)
                ash_hint(diags, "the project declares no %s", ash_ref_name(ref));
        ash_array_done(&known);
}

typedef struct Check {
        AshConfig *config;
        AshDiags *diags;
} Check;

static void check_ref(const Check *k, AshRef ref, AshText t) {
        const AshConfig *c = k->config;
        if (!t.s.len || ash_map_find(&c->names[ref], t.s))
                return;
        /* azldev does not declare channels: only a project that declares some is held to it. */
        if (ref == ASH_REF_CHANNEL && (!c->names[ref].live || ash_slice_eqs(t.s, "none")))
                return;
        ash_config_unknown(c, ref, t.s, t.at, k->diags);
}

static const AshDistroVersion *version_of(const AshDistro *d, AshSlice name) {
        for (size_t i = 0; d && i < d->versions.n; i++)
                if (ash_slice_eq(d->versions.items[i].name.s, name))
                        return &d->versions.items[i];
        return NULL;
}

static void check_version(const Check *k, const AshDistro *d, AshText version, const char *what) {
        if (!d || !version.s.len || version_of(d, version.s))
                return;
        ash_fail(k->diags, -ASH_ERR_CONFIG, version.at, "%s '%.*s' is no version of distribution '%.*s'", what, ASH_F(version.s), ASH_F(d->name.s));
        AshSlice *names = ash_calloc(d->versions.n + 1, sizeof *names);
        for (size_t i = 0; i < d->versions.n; i++)
                names[i] = d->versions.items[i].name.s;
        ptrdiff_t near = ash_slice_nearest(version.s, names, d->versions.n);
        if (near >= 0)
                ash_hint(k->diags, "did you mean '%.*s'?", ASH_F(names[near]));
        else
                ash_hint(k->diags, "declare [distros.%.*s.versions.'%.*s']", ASH_F(d->name.s), ASH_F(version.s));
        free(names);
}

static void check_record(const Check *k, const AshRecord *r, const void *record);

static void check_items(const Check *k, const AshField *f, const void *record) {
        const AshItems *items = ash_field_at(f, record);
        for (size_t i = 0; i < items->n; i++) {
                const void *item = f->kind == ASH_FIELD_TABLES ? items->items + i * f->record->size : ash_field_item(f, record, i);
                if (item != &ash_component_config_empty)
                        check_record(k, f->record, item);
        }
}

static void check_record(const Check *k, const AshRecord *r, const void *record) {
        if (r == &ash_record_distro_ref) {
                const AshDistroRef *ref = record;
                check_version(k, ash_config_distro(k->config, ref->name.s), ref->version, "version");
        }
        for (const AshField *f = r->fields; f->key; f++) {
                if (f->kind == ASH_FIELD_TABLE)
                        check_record(k, f->record, ash_field_at(f, record));
                else if (f->record)
                        check_items(k, f, record);
                else if (f->ref && f->kind == ASH_FIELD_TEXT)
                        check_ref(k, f->ref, *(const AshText *) ash_field_at(f, record));
                else if (f->ref) {
                        const AshTexts *texts = ash_field_at(f, record);
                        for (size_t i = 0; i < texts->n; i++)
                                check_ref(k, f->ref, texts->items[i]);
                }
        }
}

static void check_distros(const Check *k) {
        AshDistros distros = k->config->project.distros;
        for (size_t i = 0; i < distros.n; i++)
                check_version(k, &distros.items[i], distros.items[i].default_version, "default-version");
}

static void check_upstreams(const Check *k) {
        const AshUpstreams *u = &k->config->project.upstreams;
        const AshUpstream *first = NULL;
        for (size_t i = 0; i < u->n; i++)
                if (u->items[i].is_default.value == ASH_YES && first) {
                        ash_fail(k->diags, -ASH_ERR_CONFIG, u->items[i].is_default.at, "a second default upstream");
                        ash_hint(k->diags, "keep one");
                        ash_note(k->diags, first->is_default.at, "the first is '%.*s'", ASH_F(first->repo.name.s));
                } else if (u->items[i].is_default.value == ASH_YES)
                        first = &u->items[i];
}

static void check_image_formats(const Check *k, const AshImage *image) {
        static const struct { const char *kind, *formats; } rows[] = {
                { "disk", " raw vhd vhd-dynamic vhdx qcow2 vmdk iso " }, { "container", " oci docker tar wsl directory " },
                { "archive", " tar cpio squashfs erofs wsl " }, { "directory", " directory " },
        };
        const AshField *field = ash_field_find(&ash_record_image, ASH_S("formats"));
        for (size_t i = 0; i < ASH_N(rows); i++)
                for (size_t f = 0; ash_slice_eqs(image->kind.s, rows[i].kind) && f < image->formats.n; f++) {
                        AshText format = image->formats.items[f];
                        _free_ char *word = ash_asprintf(" %.*s ", ASH_F(format.s));
                        bool known = false; /* else it is reported as no format at all */
                        for (size_t v = 0; field->values[v]; v++)
                                known |= ash_slice_eqs(format.s, field->values[v]);
                        if (!known || strstr(rows[i].formats, word))
                                continue;
                        ash_fail(k->diags, -ASH_ERR_CONFIG, format.at, "an image of kind '%s' cannot have the format '%.*s'", rows[i].kind, ASH_F(format.s));
                        ash_hint(k->diags, "possible: %.*s", (int) strlen(rows[i].formats) - 2, rows[i].formats + 1);
                }
}

/* distribution/reference: [a-z0-9]+((.|_|__|-+)[a-z0-9]+)*. The name is that of the repository in a registry and in docker's archive. */
static bool is_repository(AshSlice s) {
        size_t run = 0;
        for (size_t i = 0; i < s.len; i++) {
                bool word = (s.ptr[i] >= 'a' && s.ptr[i] <= 'z') || (s.ptr[i] >= '0' && s.ptr[i] <= '9');
                run = word ? 0 : run + 1;
                if (!word && (i == 0 || !strchr("._-", s.ptr[i]) || (run > 1 && (s.ptr[i] != s.ptr[i - 1] || s.ptr[i] == '.' || (s.ptr[i] == '_' && run > 2)))))
                        return false;
        }
        return s.len && !run;
}

static void check_container_name(const Check *k, const AshImage *image) {
        if (!ash_slice_eqs(image->kind.s, "container") || image->is_abstract.value == ASH_YES || is_repository(image->name.s))
                return;
        ash_fail(k->diags, -ASH_ERR_CONFIG, image->name.at, "'%.*s' cannot be the name of a container", ASH_F(image->name.s));
        ash_hint(k->diags, "expected lower-case letters and digits, with single '.', one or two '_', or '-' between them");
}

/* The images that inherit from each other in a circle are reported once, not once from each of them. */
static void check_images(const Check *k) {
        const AshImages *images = &k->config->project.images;
        _map_ AshMap in_circle = {};
        for (size_t i = 0; i < images->n; i++) {
                const AshImage *image = &images->items[i];
                _cleanup_(ash_diags_free_p) AshDiags *own = ash_diags_new();
                if (ash_config_image(k->config, image->name.s, &image, own) >= 0) {
                        check_image_formats(k, image);
                        check_container_name(k, image);
                        continue;
                }
                bool known = ash_map_find(&in_circle, image->name.s);
                for (size_t step = 0; image && step <= images->n && !ash_map_find(&in_circle, image->name.s); step++) {
                        ash_map_put(&in_circle, image->name.s, NULL, NULL);
                        const AshImage *next = NULL;
                        for (size_t p = 0; p < image->inherits.n && !next; p++)
                                next = ash_config_find_image(k->config, image->inherits.items[p].s);
                        known |= next && next != &images->items[i] && ash_map_find(&in_circle, next->name.s);
                        image = next;
                }
                if (!known)
                        ash_diags_merge(k->diags, own);
        }
}

/* Files that are named must be there, and expressions must compile: only asked for by "config check", because it costs a system call or a compilation each. */
static void check_exists(const Check *k, AshText path, const char *what) {
        if (!path.s.len || access(path.s.ptr, F_OK) == 0)
                return;
        ash_fail(k->diags, -ASH_ERR_CONFIG, path.at, "%s '%.*s' does not exist", what, ASH_F(path.s));
        ash_hint(k->diags, "paths are relative to the file that names them");
}

static bool outside(const AshConfig *c, const char *path) {
        _free_ char *project = ash_path_normalize(ash_slice_str(c->dir)), *plain = ash_path_normalize(ash_slice_str(path));
        _free_ char *below = (project[0] == '/') == (plain[0] == '/') ? ash_path_relative(ash_slice_str(project), ash_slice_str(plain)) : NULL;
        return !below || !ash_path_is_confined(ash_slice_str(below));
}

/* Rendering refuses what leaves the project too: there links count as well. */
static int overlay_source_exists(void *context, const AshOverlay *o, AshDiags *diags) {
        if (!o->source.s.len || !o->base_dir)
                return 0;
        _free_ char *path = ash_path_join(o->base_dir, o->source.s.ptr);
        if (o->source.s.ptr[0] == '/' || outside(context, path)) {
                ash_fail(diags, -ASH_ERR_CONFIG, o->source.at, "the overlay's source '%.*s' is outside of the project", ASH_F(o->source.s));
                ash_hint(diags, "keep it beside the file that declares the overlay, or elsewhere below the project's directory");
                return -ASH_ERR_CONFIG;
        }
        if (access(path, F_OK) == 0)
                return 0;
        ash_fail(diags, -ASH_ERR_CONFIG, o->source.at, "the overlay's source '%s' does not exist", path);
        ash_hint(diags, "paths are relative to the file that names them");
        return -ASH_ERR_CONFIG;
}

static int overlay_regex(void *context, const AshOverlay *o, AshDiags *diags) {
        const AshConfig *c = context;
        bool strict = c->semantics == ASH_SEMANTICS_STRICT;
        int r = o->regex.s.len ? ash_regex_check(o->regex.s, strict ? ASH_REGEX_PERL : ASH_REGEX_RE2, o->regex.at, diags) : 0;
        if (r < 0)
                ash_hint(diags, strict ? "the syntax is Perl's; a backslash takes a character's meaning away" :
                        "the syntax is RE2's, as in Go (Perl's with overlay-semantics = \"strict\"); a backslash takes a character's meaning away");
        return r;
}

/* Reads the overlay files of all components that have any. */
static void check_overlay_files(const Check *k) {
        AshConfig *c = k->config;
        for (size_t i = 0; i < c->project.components.n; i++) {
                const AshComponent *component = NULL;
                ash_config_component(c, c->project.components.items[i].name.s, &component, k->diags);
        }
}

static void check_files(const Check *k) {
        const AshProject *p = &k->config->project;
        check_overlay_files(k);
        for (size_t i = 0; i < p->components.n; i++)
                if (p->components.items[i].own != &ash_component_config_empty)
                        check_exists(k, p->components.items[i].own->spec.path, "the spec");
        for (size_t i = 0; i < p->images.n; i++) {
                check_exists(k, p->images.items[i].definition_path, "the definition");
                for (size_t f = 0; f < p->images.items[i].files.n; f++)
                        check_exists(k, p->images.items[i].files.items[f].source, "the source");
        }
        ash_config_each_overlay(k->config, overlay_source_exists, k->config, k->diags);
        ash_config_each_overlay(k->config, overlay_regex, k->config, k->diags);
}

void ash_config_check(AshConfig *c, AshDiags *diags) {
        Check k = { c, diags };
        check_record(&k, &ash_record_project, &c->project);
        check_distros(&k);
        check_upstreams(&k);
        check_images(&k);
        if (c->flags & ASH_CONFIG_LINT)
                check_files(&k);
}
