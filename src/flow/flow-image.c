/* Images: found by their names, and built in stages. */
#include <unistd.h>
#include "flow-image-private.h"
#include "flow-lock.h"

static const AshFlowFormat formats[] = {
        { "oci", false, true, ".oci", false },   { "docker", true, false, ".docker.tar", false }, { "tar", true, false, ".tar", true },
        { "cpio", true, false, ".cpio", true },  { "directory", true, true, "", false },
        { "raw", true, false, ".raw", false },   { "vhd", true, false, ".vhd", false },           { "vhd-dynamic", true, false, ".dynamic.vhd", false },
        { "vhdx", true, false, ".vhdx", false }, { "qcow2", true, false, ".qcow2", false },       { "vmdk", true, false, ".vmdk", false },
};

/* ---- from names to what they mean ---- */
int ash_flow_read_lock(AshFlow *flow, const char *path, AshLock **ret) {
        int r = ash_lock_read(path, ret, flow->diags);
        if (r == -ENOENT) {
                r = ash_fail_file(flow->diags, r, path, "there is no lock yet");
                ash_hint(flow->diags, "'ashlar lock' makes it");
        }
        return r;
}

int ash_flow_find_image(AshFlow *flow, AshSlice name, const AshImage **ret) {
        const AshProject *project = ash_config_project(flow->config);
        const AshImage *image;
        if (!ash_config_find_image(flow->config, name)) {
                AshSlice *names = ash_calloc(project->images.n + 1, sizeof *names);
                for (size_t i = 0; i < project->images.n; i++)
                        names[i] = project->images.items[i].name.s;
                ptrdiff_t near = ash_slice_nearest(name, names, project->images.n);
                free(names);
                int r = ash_fail(flow->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "the project has no image '%.*s'", ASH_F(name));
                if (near >= 0)
                        ash_hint(flow->diags, "did you mean '%.*s'?", ASH_F(project->images.items[near].name.s));
                return r;
        }
        int r = ash_config_image(flow->config, name, &image, flow->diags);
        if (r < 0)
                return r;
        if (!ash_text_set(image->kind) || image->is_abstract.value == ASH_YES) {
                r = ash_fail(flow->diags, -ASH_ERR_CONFIG, image->name.at, "the image '%.*s' cannot be built: %s", ASH_F(name),
                             image->is_abstract.value == ASH_YES ? "it is abstract, for others to inherit from" : "it has no native definition (a kind)");
                return r;
        }
        *ret = image;
        return 0;
}

AshSlice ash_flow_image_arch(const AshImage *image, size_t i) {
        if (!image->architectures.n)
                return i == 0 ? ASH_S("x86_64") : ASH_S("");
        return i < image->architectures.n ? image->architectures.items[i].s : ASH_S("");
}

/* ---- a build ---- */
static void build_done(Build *b) {
        ash_array_foreach(&b->trees, t)
                ash_flow_tree_free(*t);
        ash_array_done(&b->trees);
        ash_array_foreach(&b->disks, d)
                ash_disk_free(*d);
        ash_array_done(&b->disks);
        ash_str_done(&b->old);
        ash_str_done(&b->record);
        ash_array_foreach(&b->pending, p) { /* of a build that failed; what was published has gone from here */
                ash_atomic_free(p->atomic);
                if (p->part)
                        (void) ash_remove_all(b->dirfd, p->part);
                free(p->part);
                free(p->name);
        }
        ash_array_done(&b->pending);
        ash_array_foreach(&b->machines, l)
                ash_lock_free(*l);
        ash_array_done(&b->machines);
        free(b->dir);
        free(b->record_path);
        if (b->dirfd >= 0)
                close(b->dirfd);
        ash_arena_free(b->arena);
}

static AshSlice *slices(AshArena *a, const AshTexts *texts, size_t *ret_n) {
        AshSlice *out = ash_arena_new_items(a, AshSlice, texts->n + 1);
        for (size_t i = 0; i < texts->n; i++)
                out[i] = texts->items[i].s;
        *ret_n = texts->n;
        return out;
}

static struct AshFactPair *fact_pairs(AshArena *a, const AshPairs *pairs, size_t *ret_n) {
        struct AshFactPair *out = ash_arena_new_items(a, struct AshFactPair, pairs->n + 1);
        for (size_t i = 0; i < pairs->n; i++)
                out[i] = (struct AshFactPair){ pairs->items[i].key.s, pairs->items[i].value.s };
        *ret_n = pairs->n;
        return out;
}

static int stage_facts(Build *b) {
        const AshImageOci *oci = &b->image->oci;
        AshImageFacts *f = &b->facts;
        *f = (AshImageFacts){ .name = ash_arena_strndup(b->arena, b->image->name.s.ptr, b->image->name.s.len), .time = (int64_t) b->lock->source_date_epoch, .threads = b->flow->threads, .store = b->flow->store,
                              .compression = ash_slice_eqs(oci->compression.s, "gzip") ? ASH_COMP_GZIP : ASH_COMP_ZSTD, .user = oci->user.s, .working_directory = oci->working_directory.s,
                              .stop_signal = oci->stop_signal.s, .progress = b->flow->progress };
        f->entrypoint = slices(b->arena, &oci->entrypoint, &f->n_entrypoint);
        f->command = slices(b->arena, &oci->command, &f->n_command);
        f->ports = slices(b->arena, &oci->exposed_ports, &f->n_ports);
        f->volumes = slices(b->arena, &oci->volumes, &f->n_volumes);
        f->tags = slices(b->arena, &oci->tags, &f->n_tags);
        f->labels = fact_pairs(b->arena, &oci->labels, &f->n_labels);
        f->annotations = fact_pairs(b->arena, &oci->annotations, &f->n_annotations);
        f->environment = ash_arena_new_items(b->arena, AshSlice, oci->environment.n + 1);
        for (size_t i = 0; i < oci->environment.n; i++)
                f->environment[f->n_environment++] = ash_slice_str(ash_arena_printf(b->arena, "%.*s=%.*s", ASH_F(oci->environment.items[i].key.s), ASH_F(oci->environment.items[i].value.s)));
        return 0;
}

static const AshFlowFormat *find_format(AshSlice name) {
        for (size_t i = 0; i < ASH_N(formats); i++)
                if (ash_slice_eqs(name, formats[i].name))
                        return &formats[i];
        return NULL;
}

bool ash_flow_image_wants_arch(const Build *b, AshSlice arch) { return !b->o->arch || ash_slice_eqs(arch, b->o->arch); }

static void add_output(Build *b, const AshFlowFormat *format) {
        const char *name = b->facts.name, *packed = format->compressed ? ash_compression_suffix(b->facts.compression) : "";
        if (!format->per_arch) {
                ash_array_push(&b->done->outputs, ((AshFlowOutput){ .format = format, .path = ash_asprintf("%s/%s%s%s", name, name, format->suffix, packed) }));
                return;
        }
        AshSlice arch;
        for (size_t i = 0; (arch = ash_flow_image_arch(b->image, i)).len; i++)
                if (ash_flow_image_wants_arch(b, arch))
                        ash_array_push(&b->done->outputs, ((AshFlowOutput){ .format = format, .arch = arch, .path = ash_asprintf("%s/%s-%.*s%s%s", name, name, ASH_F(arch), format->suffix, packed) }));
}

const char *ash_flow_image_standard_format(AshSlice kind) {
        static const struct { const char *kind, *format; } rows[] = { { "container", "oci" }, { "archive", "tar" }, { "disk", "raw" }, { "directory", "directory" } };
        for (size_t i = 0; i < ASH_N(rows); i++)
                if (ash_slice_eqs(kind, rows[i].kind))
                        return rows[i].format;
        return NULL;
}

static int stage_outputs(Build *b) {
        const AshImage *image = b->image;
        const char *standard = ash_flow_image_standard_format(image->kind.s);
        AshSlice arch = ash_flow_image_arch(image, 0);
        for (size_t i = 1; arch.len && !ash_flow_image_wants_arch(b, arch); i++)
                arch = ash_flow_image_arch(image, i);
        if (!arch.len) {
                _str_ AshStr all = {};
                for (size_t i = 0; (arch = ash_flow_image_arch(image, i)).len; i++)
                        ash_str_appendf(&all, "%s%.*s", i ? ", " : "", ASH_F(arch));
                int r = ash_fail(b->flow->diags, -ASH_ERR_USAGE, image->name.at, "the image '%s' is not for %s", b->facts.name, b->o->arch);
                ash_hint(b->flow->diags, "its 'arches' are %s", all.ptr);
                return r;
        }
        if (!image->formats.n && !standard)
                return ash_fail(b->flow->diags, -ASH_ERR_CONFIG, image->kind.at, "images of kind '%.*s' are not supported yet", ASH_F(image->kind.s));
        for (size_t i = 0; i < image->formats.n; i++)
                if (!find_format(image->formats.items[i].s)) {
                        int r = ash_fail(b->flow->diags, -ASH_ERR_CONFIG, image->formats.items[i].at, "the format '%.*s' is not supported yet", ASH_F(image->formats.items[i].s));
                        ash_hint(b->flow->diags, "what can be written: oci, docker, tar, cpio, directory; of a disk raw, vhd, vhd-dynamic, vhdx, qcow2, vmdk");
                        return r;
                }
        for (size_t i = 0; i < image->formats.n; i++)
                add_output(b, find_format(image->formats.items[i].s));
        if (!image->formats.n)
                add_output(b, find_format(ash_slice_str(standard)));
        return 0;
}

static int stage_compose(Build *b) {
        AshSlice arch;
        int r = 0;
        if (b->untouched)
                return 0;
        for (size_t i = 0; r >= 0 && (arch = ash_flow_image_arch(b->image, i)).len; i++) {
                AshFlowTree *t = NULL;
                if (!ash_flow_image_wants_arch(b, arch))
                        continue;
                r = ash_flow_compose(b->flow, b->lock, b->image, arch, &t);
                if (r < 0)
                        return r;
                ash_array_push(&b->trees, t);
                if (ash_slice_eqs(b->image->oci.layers.s, "origin"))
                        r = ash_flow_layers(b->flow, b->lock, t);
                b->done->packages += t->n_packages;
                b->done->entries += ash_tree_count(t->tree);
        }
        return r;
}

static const struct { const char *name; int (*run)(Build *b); bool writes; } stages[] = {
        { "facts", stage_facts, false },
        { "outputs", stage_outputs, false },
        { "inputs", ash_flow_image_stage_inputs, true },
        { "compose", stage_compose, true /* the store, at least: fetches and expands */ },
        { "compare", ash_flow_image_stage_compare, true },
        { "disks", ash_flow_image_stage_disks, true },
        { "write", ash_flow_image_stage_write, true },
        { "publish", ash_flow_image_stage_publish, true },
        { "record", ash_flow_image_stage_record, true },
};

static int build_one(AshFlow *flow, const AshFlowImageOptions *o, const AshLock *lock, AshSlice name, bool dry, AshFlowImageResult *ret) {
        Build b __attribute__((__cleanup__(build_done))) = { .flow = flow, .o = o, .lock = lock, .arena = ash_arena_new(), .dirfd = -1 };
        int r = ash_flow_find_image(flow, name, &b.image);
        if (r < 0)
                return r;
        b.done = ash_array_add(&ret->done);
        b.done->name = b.image->name.s;
        if (r >= 0 && !dry)
                r = ash_flow_lock_answers(flow, lock, "image", b.image->name.s);
        for (size_t i = 0; r >= 0 && i < ASH_N(stages) && !(dry && stages[i].writes); i++)
                r = stages[i].run(&b);
        if (r >= 0 && dry)
                ash_flow_image_look(&b);
        return r;
}

static int build_all(AshFlow *flow, const AshFlowImageOptions *o, bool dry, AshFlowImageResult *ret) {
        _cleanup_(ash_lock_free_all_p) AshLock *lock = NULL;
        const AshProject *project = ash_config_project(flow->config);
        const AshImage *named;
        int r = 0;
        for (size_t i = 0; r >= 0 && i < o->n_names; i++)
                r = ash_flow_find_image(flow, ash_slice_str(o->names[i]), &named); /* a wrong name is said first */
        if (r >= 0)
                r = ash_flow_read_lock(flow, o->lock_path, &lock);
        for (size_t i = 0; r >= 0 && i < o->n_names; i++)
                r = build_one(flow, o, lock, ash_slice_str(o->names[i]), dry, ret);
        for (size_t i = 0; r >= 0 && !o->n_names && i < project->images.n; i++) {
                const AshImage *image = NULL;
                r = ash_config_image(flow->config, project->images.items[i].name.s, &image, flow->diags);
                if (r >= 0 && ash_text_set(image->kind) && image->is_abstract.value != ASH_YES)
                        r = build_one(flow, o, lock, image->name.s, dry, ret);
        }
        return r;
}

int ash_flow_image_build(AshFlow *flow, const AshFlowImageOptions *o, AshFlowImageResult *ret) { return build_all(flow, o, false, ret); }
int ash_flow_image_plan(AshFlow *flow, const AshFlowImageOptions *o, AshFlowImageResult *ret) { return build_all(flow, o, true, ret); }

void ash_flow_image_result_done(AshFlowImageResult *r) {
        ash_array_foreach(&r->done, d) {
                ash_array_foreach(&d->outputs, o)
                        free(o->path);
                ash_array_done(&d->outputs);
        }
        ash_array_done(&r->done);
}
