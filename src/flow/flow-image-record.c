/* The record of a build. */
#include <stdio.h>
#include <sys/stat.h>
#include "flow-image-private.h"
#include "handlers.h"
#include "json.h"

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
                if (!ash_flow_image_wants_arch(b, arch))
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
                if (!ash_flow_image_wants_arch(b, arch) || (o->arch.len && !ash_slice_eq(o->arch, arch)))
                        continue;
                packages_digest(b, arch, digest);
                snprintf(key, sizeof key, "%.*s", ASH_F(arch));
                if (!ash_slice_eqs(ash_json_get_string(packages, key), digest))
                        return false;
        }
        return true;
}

/* Of a plan: what the last build left. */
void ash_flow_image_look(Build *b) {
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
int ash_flow_image_stage_inputs(Build *b) {
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

int ash_flow_image_stage_compare(Build *b) {
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

int ash_flow_image_stage_record(Build *b) {
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
                if (!ash_flow_image_wants_arch(b, arch))
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
                        return ash_flow_image_failed(b, -errno, o->path);
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
        return r < 0 ? ash_flow_image_failed(b, r, b->record_path) : 0;
}
