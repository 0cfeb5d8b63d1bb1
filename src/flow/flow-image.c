#include <stdio.h>
#include "disk.h"
#include "flow-image.h"
#include "flow-lock.h"
#include "handlers.h"
#include "json.h"
#include "scriptlets.h"

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

/* ---- composing ---- */
void ash_flow_tree_free(AshFlowTree *t) {
        if (!t)
                return;
        ash_tree_free(t->tree);
        for (size_t i = 0; t->packs && i < t->n_packages; i++)
                ash_pack_free(t->packs[i]);
        free(t->packs);
        ash_arena_free(t->arena);
        free(t);
}

static int open_packages(AshFlow *flow, const AshLock *lock, AshFlowTree *t) {
        size_t n = t->set->n_packages;
        _free_ AshId *ids = ash_calloc(n + 1, sizeof *ids);
        _free_ const AshLockPackage **wanted = ash_calloc(n + 1, sizeof *wanted);
        for (size_t i = 0; i < n; i++) {
                wanted[i] = ash_lock_package(lock, t->set->packages[i]);
                if (!wanted[i] || ash_id_parse(wanted[i]->sha256, &ids[i]) < 0)
                        return ash_fail(flow->diags, -ASH_ERR_CONFIG, ASH_NOWHERE, "the lock has no digest for %.*s", ASH_F(t->set->packages[i]));
        }
        int r = ash_flow_ensure_packages(flow, lock, wanted, n);
        if (r < 0)
                return r;
        t->packs = ash_calloc(n + 1, sizeof *t->packs);
        t->packages = ash_arena_new_items(t->arena, AshComposePackage, n + 1);
        t->n_packages = n;
        r = ash_store_expand_all(flow->store, ids, n, flow->threads, t->packs, flow->progress, flow->diags);
        if (r == -ENOENT)
                return ash_fail(flow->diags, r, ASH_NOWHERE, "a package of the lock is neither in the store nor at its upstream");
        for (size_t i = 0; r >= 0 && i < n; i++) {
                AshPackage nevra = {};
                t->packages[i] = (AshComposePackage){ .pack = t->packs[i], .nevra = t->set->packages[i] };
                ash_nevra_parse(t->set->packages[i], &nevra);
                if (!ash_slice_eq(ash_pack_nevra(t->packs[i]), t->set->packages[i]))
                        return ash_fail(flow->diags, -ASH_ERR_VERIFY, ASH_NOWHERE, "the lock's digest of %.*s is that of %.*s", ASH_F(t->set->packages[i]), ASH_F(ash_pack_nevra(t->packs[i])));
                for (size_t k = 0; k < t->set->n_user; k++)
                        t->packages[i].user |= ash_slice_eq(t->set->user[k], nevra.name);
        }
        return r;
}

/* The distribution's identity, with what follows from the version. */
static AshIdentity *identity_of(AshFlow *flow, AshArena *arena) {
        const AshDistroVersion *version = ash_config_default_distro_version(flow->config, NULL);
        if (!version)
                return NULL;
        AshIdentity *id = ash_arena_new_item(arena, AshIdentity);
        *id = version->identity;
        if (!ash_text_set(id->version_id))
                id->version_id = version->release_ver;
        return id;
}

/* Only where a file of the definition is the key: making one is not for images that have no use for it. */
static int signing_key_of(AshFlow *flow, const AshImage *image, AshArena *arena, AshSlice *ret) {
        for (size_t i = 0; i < image->files.n; i++)
                if (image->files.items[i].signing_key.value == ASH_YES)
                        return flow->signing_key(flow->context, arena, ret);
        return 0;
}

int ash_flow_compose(AshFlow *flow, const AshLock *lock, const AshImage *image, AshSlice arch, AshFlowTree **ret) {
        _cleanup_(ash_flow_tree_free_p) AshFlowTree *t = ash_calloc(1, sizeof *t);
        *t = (AshFlowTree){ .image = image, .arch = arch, .arena = ash_arena_new(), .set = ash_lock_set(lock, "image", image->name.s, arch) };
        if (!t->set) {
                int r = ash_fail(flow->diags, -ASH_ERR_CONFIG, image->name.at, "the image '%.*s' (%.*s) is not in the lock", ASH_F(image->name.s), ASH_F(arch));
                ash_hint(flow->diags, "'ashlar lock' brings the lock up to date");
                return r;
        }
        int r = ash_flow_lock_answers(flow, lock, "image", image->name.s);
        if (r >= 0)
                r = open_packages(flow, lock, t);
        if (r < 0)
                return r;
        AshComposeInput in = { .packages = t->packages, .n_packages = t->n_packages, .image = image, .identity = identity_of(flow, t->arena), .lock = lock, .store = flow->store, .arch = arch,
                               .handlers = ash_handlers, .scriptlets = ash_scriptlets_run, .scriptlets_context = (void *) ash_handlers, .time = (int64_t) lock->source_date_epoch };
        r = signing_key_of(flow, image, t->arena, &in.signing_key);
        if (r < 0)
                return r;
        ash_progress_begin(flow->progress, "composing", 0, ASH_UNIT_ITEMS);
        r = ash_compose(&in, &t->tree, flow->diags);
        ash_progress_end(flow->progress);
        if (r < 0) {
                ash_note(flow->diags, ASH_NOWHERE, "in the image '%.*s' for %.*s", ASH_F(image->name.s), ASH_F(arch));
                return r;
        }
        *ret = ASH_TAKE(t);
        return 0;
}

/* ---- a build ---- */
/* An output that is complete beside its place: a file, or a directory. */
typedef struct Pending {
        AshAtomic *atomic;
        char *part, *name;           /* of a directory */
        const char *path;            /* for messages */
} Pending;
typedef struct Build {
        AshFlow *flow;
        const AshFlowImageOptions *o;
        const AshLock *lock;
        const AshImage *image;
        AshFlowImageDone *done;
        AshArena *arena;
        AshImageFacts facts;
        ASH_ARRAY(AshFlowTree *) trees;
        ASH_ARRAY(AshDisk *) disks;  /* of kind "disk": by tree */
        AshStr old, record;          /* what the last build said of itself, and what this one will */
        ASH_ARRAY(Pending) pending;
        ASH_ARRAY(AshLockFile *) machines; /* locks on disks: no machine begins to write to one that is being replaced */
        char *dir, *record_path;
        _Alignas(8) int dirfd;
        char inputs[65];             /* digest of what the build follows from; empty: not known */
        bool fresh;                  /* everything is as the record says */
        bool untouched;              /* and was so before: nothing needed to be composed */
} Build;

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

static bool wants_arch(const Build *b, AshSlice arch) { return !b->o->arch || ash_slice_eqs(arch, b->o->arch); }

static void add_output(Build *b, const AshFlowFormat *format) {
        const char *name = b->facts.name, *packed = format->compressed ? ash_compression_suffix(b->facts.compression) : "";
        if (!format->per_arch) {
                ash_array_push(&b->done->outputs, ((AshFlowOutput){ .format = format, .path = ash_asprintf("%s/%s%s%s", name, name, format->suffix, packed) }));
                return;
        }
        AshSlice arch;
        for (size_t i = 0; (arch = ash_flow_image_arch(b->image, i)).len; i++)
                if (wants_arch(b, arch))
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
        for (size_t i = 1; arch.len && !wants_arch(b, arch); i++)
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
                if (!wants_arch(b, arch))
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

/* ---- the record of a build: a digest of all that the outputs follow from, and what they are ---- */
static void key_texts(AshStr *out, const char *what, const AshSlice *items, size_t n) {
        for (size_t i = 0; i < n; i++)
                ash_str_appendf(out, "%s %zu:%.*s\n", what, items[i].len, ASH_F(items[i]));
}
static void key_pairs(AshStr *out, const char *what, const struct AshFactPair *items, size_t n) {
        for (size_t i = 0; i < n; i++)
                ash_str_appendf(out, "%s %zu:%.*s %zu:%.*s\n", what, items[i].key.len, ASH_F(items[i].key), items[i].value.len, ASH_F(items[i].value));
}

/* The packages for one architecture by their digests: what a plan can say of a build without composing anything. */
static void packages_digest(const Build *b, AshSlice arch, char ret[static 65]) {
        _cleanup_(ash_digest_free_p) AshDigest *d = ash_digest_new(ASH_SHA256);
        const AshLockSet *set = ash_lock_set(b->lock, "image", b->image->name.s, arch);
        uint8_t sha256[32];
        for (size_t k = 0; set && k < set->n_packages; k++) {
                const AshLockPackage *p = ash_lock_package(b->lock, set->packages[k]);
                ash_digest_update(d, p ? p->sha256.ptr : "?", p ? p->sha256.len : 1);
        }
        ash_digest_update(d, &b->lock->source_date_epoch, sizeof b->lock->source_date_epoch);
        ash_digest_final(d, sha256);
        ash_hex(sha256, 32, ret);
}

static void make_key(Build *b, char ret[static 65]) {
        AshSlice arch;
        _str_ AshStr text = {};
        const AshImageFacts *f = &b->facts;
        ash_str_appendf(&text, "ashlar %s writers 2\n%s %lld %s\n", ASHLAR_VERSION, f->name, (long long) f->time, ash_compression_name(f->compression));
        key_texts(&text, "entrypoint", f->entrypoint, f->n_entrypoint);
        key_texts(&text, "command", f->command, f->n_command);
        key_texts(&text, "environment", f->environment, f->n_environment);
        key_texts(&text, "port", f->ports, f->n_ports);
        key_texts(&text, "volume", f->volumes, f->n_volumes);
        key_texts(&text, "tag", f->tags, f->n_tags);
        key_texts(&text, "other", (AshSlice[]){ f->user, f->working_directory, f->stop_signal }, 3);
        key_pairs(&text, "label", f->labels, f->n_labels);
        key_pairs(&text, "annotation", f->annotations, f->n_annotations);
        for (size_t i = 0; (arch = ash_flow_image_arch(b->image, i)).len; i++) {
                char packages[65];
                if (!wants_arch(b, arch))
                        continue;
                packages_digest(b, arch, packages);
                ash_str_appendf(&text, "packages %.*s %s\n", ASH_F(arch), packages);
        }
        ash_array_foreach(&b->done->outputs, o)
                ash_str_appendf(&text, "output %s\n", o->path);
        if (ash_slice_eqs(b->image->kind.s, "disk"))
                ash_disk_key(b->image, b->lock->seed, &text);
        ash_array_foreach(&b->trees, t) {
                ash_str_appendf(&text, "tree %.*s, layers", ASH_F((*t)->arch));
                for (size_t i = 0; (*t)->layers && i < (*t)->tree->origins.n; i++)
                        ash_str_appendf(&text, " %u", (*t)->layers[i]);
                ash_str_append_char(&text, '\n');
                ash_tree_dump((*t)->tree, &text);
        }
        ash_digest_hex_of(ASH_SHA256, ash_str_slice(&text), ret);
}

/* Is an output still what the record says? Its bytes are not read again: whoever changes them changes the size or the time, too. */
static bool is_there(Build *b, AshFlowOutput *o, const AshJsonValue *said) {
        _free_ char *path = ash_path_join(b->o->output, o->path), *probe = o->format->directory && !strcmp(o->format->name, "oci") ? ash_path_join(path, "index.json") : ash_strdup(path);
        struct stat st;
        int64_t size, mtime;
        AshSlice digest = ash_json_get_string(said, "sha256");
        if (!ash_json_get_int(said, "size", &size) || !ash_json_get_int(said, "mtime-ns", &mtime) || digest.len != (ash_disk_format(ash_slice_str(o->format->name)) ? 0 : 64) || stat(probe, &st) < 0)
                return false;
        if (mtime != st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec || (S_ISREG(st.st_mode) && !o->format->directory && st.st_size != size))
                return false;
        o->size = (uint64_t) size;
        memcpy(o->digest, digest.ptr, digest.len);
        return true;
}

/* Was the output made of the packages that the lock has now? One over all architectures: of those that this plan is for. */
static bool is_of_lock(const Build *b, const AshFlowOutput *o, const AshJsonValue *old) {
        const AshJsonValue *packages = ash_json_get(old, "packages");
        char digest[65], key[32];
        AshSlice arch;
        for (size_t i = 0; (arch = ash_flow_image_arch(b->image, i)).len; i++) {
                if (!wants_arch(b, arch) || (o->arch.len && !ash_slice_eq(o->arch, arch)))
                        continue;
                packages_digest(b, arch, digest);
                snprintf(key, sizeof key, "%.*s", ASH_F(arch));
                if (!ash_slice_eqs(ash_json_get_string(packages, key), digest))
                        return false;
        }
        return true;
}

/* Of a plan: what the last build left. */
static void look(Build *b) {
        _free_ char *path = ash_asprintf("%s/%s/build.json", b->o->output, b->facts.name);
        _bytes_ AshBytes bytes = {};
        AshJsonValue *old = NULL;
        bool there = ash_file_read(AT_FDCWD, path, 1 << 24, &bytes) >= 0;
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new(path, ash_bytes_slice(&bytes));
        if (!there || ash_json_parse(source, b->arena, &old, NULL) < 0)
                return;
        ash_array_foreach(&b->done->outputs, o) {
                const AshJsonValue *said = ash_json_get(ash_json_get(old, "outputs"), o->path);
                o->state = !said ? ASH_OUTPUT_ABSENT : !is_there(b, o, said) ? ASH_OUTPUT_CHANGED : is_of_lock(b, o, old) ? ASH_OUTPUT_THERE : ASH_OUTPUT_OLD;
        }
}

/* Does the record of the last build say "value" for "what", and are all its outputs still there? */
static bool is_recorded(Build *b, const char *what, const char *value) {
        _bytes_ AshBytes bytes = {};
        AshJsonValue *old = NULL;
        int64_t packages, entries;
        if (b->o->force || ash_file_read(AT_FDCWD, b->record_path, 1 << 24, &bytes) < 0)
                return false;
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new(b->record_path, ash_bytes_slice(&bytes));
        if (ash_json_parse(source, b->arena, &old, NULL) < 0 || !ash_slice_eqs(ash_json_get_string(old, what), value) || !ash_json_get_int(old, "package-count", &packages) || !ash_json_get_int(old, "entries", &entries))
                return false;
        const AshJsonValue *outputs = ash_json_get(old, "outputs");
        ash_array_foreach(&b->done->outputs, o)
                if (!is_there(b, o, ash_json_get(outputs, o->path)))
                        return false;
        b->done->packages = (size_t) packages;
        b->done->entries = (size_t) entries;
        return true;
}

/* Before anything is composed: is this what was built the last time? */
static int stage_inputs(Build *b) {
        _str_ AshStr text = {};
        b->record_path = ash_asprintf("%s/%s/build.json", b->o->output, b->facts.name);
        if (ash_flow_image_inputs(b->flow, b->image, b->o->lock_path, &text) < 0)
                return 0;
        ash_array_foreach(&b->done->outputs, o)
                ash_str_appendf(&text, "output %s\n", o->path);
        ash_str_appendf(&text, "arch %s\n", b->o->arch ?: ""); /* an index has one architecture or all of them, below the same path */
        ash_digest_hex_of(ASH_SHA256, ash_str_slice(&text), b->inputs);
        b->untouched = b->fresh = is_recorded(b, "inputs", b->inputs);
        return 0;
}

static int stage_compare(Build *b) {
        char key[65];
        if (b->untouched)
                return 0;
        make_key(b, key);
        ash_str_append_str(&b->record, key);
        b->fresh = is_recorded(b, "key", key);
        ash_array_foreach(&b->done->outputs, o)
                o->written = !b->fresh;
        return 0;
}

/* ---- writing ---- */
static const AshFlowTree *tree_for(const Build *b, AshSlice arch) {
        ash_array_foreach(&b->trees, t)
                if (ash_slice_eq((*t)->arch, arch))
                        return *t;
        return NULL;
}

static int failed(Build *b, int r, const char *path) { return ash_fail(b->flow->diags, r, ASH_NOWHERE, "cannot write %s: %s", path, ash_strerror(r)); }

static int write_layout(Build *b, int fd, const AshLayout *l, AshWritten *ret) {
        ash_progress_begin(b->flow->progress, "writing the archive", l->size, ASH_UNIT_BYTES);
        int r = ash_layout_write(l, fd, &(AshWriteOptions){ .compression = b->facts.compression, .threads = b->flow->threads, .store = b->flow->store, .progress = b->flow->progress }, ret, b->flow->diags);
        ash_progress_end(b->flow->progress);
        return r;
}

static const AshDisk *disk_for(const Build *b, const AshTree *t) {
        for (size_t i = 0; i < b->disks.n; i++)
                if (b->trees.items[i]->tree == t)
                        return b->disks.items[i];
        return NULL;
}

static void keep_file(Build *b, AshAtomic **atomic, const AshFlowOutput *o) { ash_array_push(&b->pending, ((Pending){ .atomic = ASH_TAKE(*atomic), .path = o->path })); }

/* A single file, whole or not at all. */
static int write_file(Build *b, AshFlowOutput *o, const char *name, const AshTree *t) {
        _cleanup_(ash_atomic_free_p) AshAtomic *atomic = NULL;
        _cleanup_(ash_layout_free_p) AshLayout *l = ash_layout_new();
        AshWritten written = {};
        int r = ash_atomic_open(b->dirfd, name, 0644, false, &atomic);
        if (r < 0)
                return failed(b, r, o->path);
        const AshDiskFormat *disk = ash_disk_format(ash_slice_str(o->format->name));
        if (disk) {
                r = ash_disk_write(disk_for(b, t), disk, ash_atomic_fd(atomic), b->flow->threads, b->flow->progress, &o->size, b->flow->diags);
                if (r >= 0)
                        keep_file(b, &atomic, o);
                return r;
        }
        if (!strcmp(o->format->name, "docker"))
                r = ash_docker_write(ash_atomic_fd(atomic), t, &b->facts, &written, b->flow->diags);
        else {
                r = !strcmp(o->format->name, "cpio") ? ash_layout_cpio(l, t, b->flow->diags) : ash_layout_tar(l, t, false, b->flow->diags);
                if (r >= 0)
                        r = write_layout(b, ash_atomic_fd(atomic), l, &written);
        }
        if (r < 0)
                return r;
        o->size = written.compressed_size;
        ash_hex(written.compressed_sha256, 32, o->digest);
        keep_file(b, &atomic, o);
        return 0;
}

static int write_oci(Build *b, AshFlowOutput *o, int dirfd) {
        _free_ AshOciImage *images = ash_calloc(b->trees.n + 1, sizeof *images);
        uint8_t digest[32];
        int r = 0;
        for (size_t i = 0; r >= 0 && i < b->trees.n; i++) {
                b->facts.arch = ash_arena_strndup(b->arena, b->trees.items[i]->arch.ptr, b->trees.items[i]->arch.len);
                b->facts.layers = b->trees.items[i]->layers;
                b->facts.n_layers = b->trees.items[i]->n_layers;
                r = ash_oci_add(dirfd, b->trees.items[i]->tree, &b->facts, &images[i], b->flow->diags);
                o->size += r >= 0 ? images[i].size : 0;
        }
        if (r >= 0)
                r = ash_oci_finish(dirfd, &b->facts, images, b->trees.n, b->flow->diags);
        if (r >= 0)
                r = ash_digest_file(ASH_SHA256, dirfd, "index.json", digest, NULL);
        if (r >= 0)
                ash_hex(digest, 32, o->digest);
        return r;
}

/* The sidecar says what the file system refuses: the whole tree as text. */
static int write_plain(Build *b, AshFlowOutput *o, int dirfd, const char *name, const AshTree *t) {
        _cleanup_(ash_atomic_free_p) AshAtomic *atomic = NULL;
        _free_ char *sidecar = ash_asprintf("%s.tree", name);
        _str_ AshStr dump = {};
        int r = ash_directory_write(dirfd, t, b->flow->diags);
        if (r < 0)
                return r;
        ash_tree_dump(t, &dump);
        ash_digest_hex_of(ASH_SHA256, ash_str_slice(&dump), o->digest);
        o->size = 0;
        for (size_t i = 0; i < t->nodes.n; i++)
                o->size += t->nodes.items[i].flags & ASH_NODE_REMOVED || t->nodes.items[i].hardlink != ASH_NO_NODE ? 0 : t->nodes.items[i].content.length;
        r = ash_atomic_open(b->dirfd, sidecar, 0644, false, &atomic);
        if (r >= 0)
                r = ash_write_all(ash_atomic_fd(atomic), dump.ptr, dump.len);
        if (r < 0)
                return failed(b, r, sidecar);
        keep_file(b, &atomic, o);
        return 0;
}

/* A directory is made beside its place; later it changes places with the old one. */
static int write_directory(Build *b, AshFlowOutput *o, const char *name, const AshTree *t) {
        char *part = ash_asprintf(".%s.part", name);
        ash_array_push(&b->pending, ((Pending){ .part = part, .name = ash_strdup(name), .path = o->path }));
        int r = ash_remove_all(b->dirfd, part); /* of a build that was killed */
        if (r >= 0 && mkdirat(b->dirfd, part, 0755) < 0)
                r = -errno;
        if (r < 0)
                return failed(b, r, part);
        _close_ int fd = openat(b->dirfd, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fchmod(fd, 0755) < 0)
                return failed(b, -errno, part);
        return t ? write_plain(b, o, fd, name, t) : write_oci(b, o, fd);
}

/* What killed builds left; nobody else is here, for the project's lock is ours. */
static void sweep(Build *b) {
        _dirlist_ AshDirList list = {};
        if (ash_dir_list(b->dirfd, ".", &list) < 0)
                return;
        ash_array_foreach(&list.entries, e) {
                AshSlice name = ash_slice_str(e->name);
                if (ash_slice_starts(name, ASH_S(".")) && (ash_slice_ends(name, ASH_S(".tmp")) || ash_slice_ends(name, ASH_S(".part"))))
                        (void) ash_remove_all(b->dirfd, e->name);
        }
}

/* Everything that can be wrong with a disk shows here, before anything of the last build is touched. */
static int stage_disks(Build *b) {
        int r = 0;
        if (b->fresh || !ash_slice_eqs(b->image->kind.s, "disk"))
                return 0;
        ash_progress_begin(b->flow->progress, "laying out the disk", 0, ASH_UNIT_ITEMS);
        for (size_t i = 0; r >= 0 && i < b->trees.n; i++) {
                const AshFlowTree *t = b->trees.items[i];
                AshDiskInput in = { .tree = t->tree, .image = b->image, .seed = b->lock->seed, .arch = t->arch, .time = (int64_t) b->lock->source_date_epoch };
                AshDisk *disk = NULL;
                r = ash_disk_new(&in, &disk, b->flow->diags);
                ash_array_push(&b->disks, disk);
        }
        ash_progress_end(b->flow->progress);
        return r;
}

/* A machine that runs on an overlay keeps the file that it opened; what one writes to the disk itself would be lost (src/machine, DISK.lock). */
static int lock_disk(Build *b, const AshFlowOutput *o) {
        _free_ char *name = ash_asprintf("%s.lock", strrchr(o->path, '/') + 1);
        AshLockFile *lock = NULL;
        if (!ash_disk_format(ash_slice_str(o->format->name)) || faccessat(b->dirfd, name, F_OK, 0) < 0)
                return 0;
        int r = ash_lock_acquire(b->dirfd, name, false, 0, &lock);
        if (r == -EAGAIN) {
                ash_fail(b->flow->diags, -EBUSY, ASH_NOWHERE, "%s is booted by another process that writes to it", o->path);
                ash_hint(b->flow->diags, "end that machine first");
                return -EBUSY;
        }
        if (lock)
                ash_array_push(&b->machines, lock);
        return r == -EACCES || r == -EROFS ? 0 : r < 0 ? failed(b, r, name) : 0;
}

static int stage_write(Build *b) {
        int r = 0;
        if (b->fresh)
                return 0;
        b->dir = ash_path_join(b->o->output, b->facts.name);
        r = ash_mkdir_all(AT_FDCWD, b->dir, 0755);
        if (r < 0)
                return failed(b, r, b->dir);
        b->dirfd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (b->dirfd < 0)
                return failed(b, -errno, b->dir);
        sweep(b);
        ash_array_foreach(&b->done->outputs, o) {
                r = lock_disk(b, o);
                if (r < 0)
                        return r;
        }
        ash_array_foreach(&b->done->outputs, o) {
                const AshFlowTree *t = o->arch.len ? tree_for(b, o->arch) : NULL;
                const char *name = strrchr(o->path, '/') + 1;
                b->facts.arch = ash_arena_strndup(b->arena, o->arch.ptr, o->arch.len);
                r = o->format->directory ? write_directory(b, o, name, t ? t->tree : NULL) : write_file(b, o, name, t->tree);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* All that can fail for want of room has been written: now the names change, one after the other. */
static int stage_publish(Build *b) {
        if (b->fresh)
                return 0;
        /* What the record says is void from here on. */
        if (unlinkat(b->dirfd, "build.json", 0) < 0 && errno != ENOENT)
                return failed(b, -errno, b->record_path);
        ash_array_foreach(&b->pending, p) {
                int r = p->atomic ? ash_atomic_commit(p->atomic) : ash_dir_replace(b->dirfd, p->part, p->name);
                if (r < 0)
                        return failed(b, r, p->path);
        }
        return 0;
}

static int stage_record(Build *b) {
        _str_ AshStr text = {};
        AshJson j = { .out = &text };
        AshSlice arch;
        if (b->untouched)
                return 0;
        ash_json_begin(&j, NULL, '{');
        ash_json_str(&j, "inputs", b->inputs);
        ash_json_text(&j, "key", ash_str_slice(&b->record));
        ash_json_begin(&j, "packages", '{');
        for (size_t i = 0; (arch = ash_flow_image_arch(b->image, i)).len; i++) {
                char packages[65];
                if (!wants_arch(b, arch))
                        continue;
                packages_digest(b, arch, packages);
                ash_json_key(&j, arch);
                ash_json_str(&j, NULL, packages);
        }
        ash_json_end(&j, '}');
        ash_json_uint(&j, "package-count", b->done->packages);
        ash_json_uint(&j, "entries", b->done->entries);
        ash_json_begin(&j, "outputs", '{');
        ash_array_foreach(&b->done->outputs, o) {
                _free_ char *path = ash_path_join(b->o->output, o->path), *probe = !strcmp(o->format->name, "oci") ? ash_path_join(path, "index.json") : ash_strdup(path);
                struct stat st;
                if (stat(probe, &st) < 0)
                        return failed(b, -errno, o->path);
                ash_json_begin(&j, o->path, '{');
                ash_json_str(&j, "sha256", o->digest);
                ash_json_uint(&j, "size", o->size);
                ash_json_int(&j, "mtime-ns", st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec);
                ash_json_end(&j, '}');
        }
        ash_json_end(&j, '}');
        ash_json_end(&j, '}');
        ash_str_append_char(&text, '\n');
        int r = ash_file_write_atomic(AT_FDCWD, b->record_path, ash_str_slice(&text), 0644, false);
        return r < 0 ? failed(b, r, b->record_path) : 0;
}

static const struct { const char *name; int (*run)(Build *b); bool writes; } stages[] = {
        { "facts", stage_facts, false },     { "outputs", stage_outputs, false }, { "inputs", stage_inputs, true },
        { "compose", stage_compose, true /* the store, at least: fetches and expands */ },
        { "compare", stage_compare, true }, { "disks", stage_disks, true },      { "write", stage_write, true }, { "publish", stage_publish, true },      { "record", stage_record, true },
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
                look(&b);
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
