/* OCI image layout (github.com/opencontainers/image-spec, 1.1: image-layout.md, manifest.md, config.md) and docker's archive (moby's image/spec v1.2). */
#include "image.h"
#include "json.h"

static const struct { const char *rpm, *go, *variant; } arches[] = {
        { "x86_64", "amd64", "" }, { "aarch64", "arm64", "v8" }, { "i686", "386", "" }, { "armv7hl", "arm", "v7" }, { "riscv64", "riscv64", "" }, { "ppc64le", "ppc64le", "" }, { "s390x", "s390x", "" },
};

static void platform_of(const char *arch, AshOciImage *ret) {
        snprintf(ret->arch, sizeof ret->arch, "%s", arch);
        for (size_t i = 0; i < ASH_N(arches); i++)
                if (!strcmp(arches[i].rpm, arch)) {
                        snprintf(ret->arch, sizeof ret->arch, "%s", arches[i].go);
                        snprintf(ret->variant, sizeof ret->variant, "%s", arches[i].variant);
                }
}

/* RFC 3339 in UTC. */
static void date_of(int64_t time, char ret[static 32]) {
        struct tm tm;
        time_t t = (time_t) time;
        gmtime_r(&t, &tm);
        strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void texts(AshJson *j, const char *key, const AshSlice *items, size_t n) {
        if (!n)
                return;
        ash_json_begin(j, key, '[');
        for (size_t i = 0; i < n; i++)
                ash_json_text(j, NULL, items[i]);
        ash_json_end(j, ']');
}

/* A set in Go's JSON: an object of empty objects. */
static void set(AshJson *j, const char *key, const AshSlice *items, size_t n) {
        if (!n)
                return;
        ash_json_begin(j, key, '{');
        for (size_t i = 0; i < n; i++) {
                ash_json_key(j, items[i]);
                ash_json_begin(j, NULL, '{');
                ash_json_end(j, '}');
        }
        ash_json_end(j, '}');
}

static void pairs(AshJson *j, const char *key, const struct AshFactPair *items, size_t n) {
        if (!n)
                return;
        ash_json_begin(j, key, '{');
        for (size_t i = 0; i < n; i++) {
                ash_json_key(j, items[i].key);
                ash_json_text(j, NULL, items[i].value);
        }
        ash_json_end(j, '}');
}

static void make_config(const AshImageFacts *f, const AshOciImage *image, const AshWritten *layers, size_t n_layers, AshStr *out) {
        char date[32], hex[65], digest[80];
        AshJson j = { .out = out, .compact = true };
        date_of(f->time, date);
        ash_json_begin(&j, NULL, '{');
        ash_json_str(&j, "created", date);
        ash_json_str(&j, "architecture", image->arch);
        if (image->variant[0])
                ash_json_str(&j, "variant", image->variant);
        ash_json_str(&j, "os", "linux");
        ash_json_begin(&j, "config", '{');
        if (f->user.len)
                ash_json_text(&j, "User", f->user);
        set(&j, "ExposedPorts", f->ports, f->n_ports);
        texts(&j, "Env", f->environment, f->n_environment);
        texts(&j, "Entrypoint", f->entrypoint, f->n_entrypoint);
        texts(&j, "Cmd", f->command, f->n_command);
        set(&j, "Volumes", f->volumes, f->n_volumes);
        if (f->working_directory.len)
                ash_json_text(&j, "WorkingDir", f->working_directory);
        pairs(&j, "Labels", f->labels, f->n_labels);
        if (f->stop_signal.len)
                ash_json_text(&j, "StopSignal", f->stop_signal);
        ash_json_end(&j, '}');
        ash_json_begin(&j, "rootfs", '{');
        ash_json_str(&j, "type", "layers");
        ash_json_begin(&j, "diff_ids", '[');
        for (size_t i = 0; i < n_layers; i++) {
                ash_hex(layers[i].sha256, 32, hex);
                snprintf(digest, sizeof digest, "sha256:%s", hex);
                ash_json_str(&j, NULL, digest);
        }
        ash_json_end(&j, ']');
        ash_json_end(&j, '}');
        ash_json_begin(&j, "history", '[');
        for (size_t i = 0; i < n_layers; i++) {
                ash_json_begin(&j, NULL, '{');
                ash_json_str(&j, "created", date);
                ash_json_str(&j, "created_by", "ashlar " ASHLAR_VERSION);
                ash_json_end(&j, '}');
        }
        ash_json_end(&j, ']');
        ash_json_end(&j, '}');
}

/* ---- blobs ---- */
#define BLOBS "blobs/sha256/"

static int failed(AshDiags *diags, int r, const char *what) { return ash_fail(diags, r, ASH_NOWHERE, "cannot write %s: %s", what, ash_strerror(r)); }

static int put_blob(int dirfd, AshSlice data, char ret_hex[static 65], AshDiags *diags) {
        char path[96];
        ash_digest_hex_of(ASH_SHA256, data, ret_hex);
        snprintf(path, sizeof path, BLOBS "%s", ret_hex);
        int r = ash_file_write_atomic(dirfd, path, data, 0644, false);
        return r < 0 ? failed(diags, r, path) : 0;
}

/* The layer gets its name when its digest is known. */
static int put_layer(int dirfd, const AshTree *t, const AshImageFacts *f, uint32_t layer, AshWritten *ret, AshDiags *diags) {
        _cleanup_(ash_layout_free_p) AshLayout *l = ash_layout_new();
        char hex[65], path[96];
        int r = f->layers ? ash_layout_tar_layer(l, t, f->layers, layer, layer + 1 == f->n_layers, f->time, diags) : ash_layout_tar(l, t, true, diags);
        if (r < 0)
                return r;
        _close_ int fd = openat(dirfd, "layer.part", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0)
                return failed(diags, -errno, "the layer");
        ash_progress_begin(f->progress, "writing the layer", l->size, ASH_UNIT_BYTES);
        r = ash_layout_write(l, fd, &(AshWriteOptions){ .compression = f->compression, .level = f->level, .digest = true, .threads = f->threads, .store = f->store, .progress = f->progress }, ret, diags);
        ash_progress_end(f->progress);
        if (r < 0)
                return r;
        ash_hex(ret->compressed_sha256, 32, hex);
        snprintf(path, sizeof path, BLOBS "%s", hex);
        if (fchmod(fd, 0644) < 0 || renameat(dirfd, "layer.part", dirfd, path) < 0)
                return failed(diags, -errno, "the layer");
        return 0;
}

static void descriptor(AshJson *j, const char *key, const char *type, const char *hex, uint64_t size) {
        char digest[80];
        snprintf(digest, sizeof digest, "sha256:%s", hex);
        ash_json_begin(j, key, '{');
        ash_json_str(j, "mediaType", type);
        ash_json_str(j, "digest", digest);
        ash_json_uint(j, "size", size);
}

#define OCI "application/vnd.oci.image."

static void make_manifest(const AshImageFacts *f, const char *config_hex, size_t config_size, const AshWritten *layers, size_t n_layers, AshStr *out) {
        const char *type = f->compression == ASH_COMP_ZSTD ? OCI "layer.v1.tar+zstd" : f->compression == ASH_COMP_GZIP ? OCI "layer.v1.tar+gzip" : OCI "layer.v1.tar";
        char hex[65];
        AshJson j = { .out = out, .compact = true };
        ash_json_begin(&j, NULL, '{');
        ash_json_int(&j, "schemaVersion", 2);
        ash_json_str(&j, "mediaType", OCI "manifest.v1+json");
        descriptor(&j, "config", OCI "config.v1+json", config_hex, config_size);
        ash_json_end(&j, '}');
        ash_json_begin(&j, "layers", '[');
        for (size_t i = 0; i < n_layers; i++) {
                ash_hex(layers[i].compressed_sha256, 32, hex);
                descriptor(&j, NULL, type, hex, layers[i].compressed_size);
                ash_json_end(&j, '}');
        }
        ash_json_end(&j, ']');
        pairs(&j, "annotations", f->annotations, f->n_annotations);
        ash_json_end(&j, '}');
}

int ash_oci_add(int dirfd, const AshTree *t, const AshImageFacts *f, AshOciImage *ret, AshDiags *diags) {
        _str_ AshStr config = {}, manifest = {};
        char config_hex[65];
        uint32_t n = f->layers ? f->n_layers : 1;
        _free_ AshWritten *layers = ash_calloc(n, sizeof *layers);
        *ret = (AshOciImage){};
        platform_of(f->arch, ret);
        int r = ash_mkdir_all(dirfd, "blobs/sha256", 0755);
        if (r >= 0 && (fchmodat(dirfd, "blobs", 0755, 0) < 0 || fchmodat(dirfd, "blobs/sha256", 0755, 0) < 0)) /* whatever the umask */
                r = -errno;
        if (r < 0)
                return failed(diags, r, "blobs/sha256");
        for (uint32_t i = 0; r >= 0 && i < n; i++) {
                r = put_layer(dirfd, t, f, i, &layers[i], diags);
                ret->size += layers[i].compressed_size;
        }
        if (r < 0)
                return r;
        make_config(f, ret, layers, n, &config);
        r = put_blob(dirfd, ash_str_slice(&config), config_hex, diags);
        if (r < 0)
                return r;
        make_manifest(f, config_hex, config.len, layers, n, &manifest);
        ret->manifest_size = manifest.len;
        return put_blob(dirfd, ash_str_slice(&manifest), ret->manifest_digest, diags);
}

static void index_over(const AshOciImage *images, size_t n, AshStr *out) {
        AshJson j = { .out = out, .compact = true };
        ash_json_begin(&j, NULL, '{');
        ash_json_int(&j, "schemaVersion", 2);
        ash_json_str(&j, "mediaType", OCI "index.v1+json");
        ash_json_begin(&j, "manifests", '[');
        for (size_t i = 0; i < n; i++) {
                descriptor(&j, NULL, OCI "manifest.v1+json", images[i].manifest_digest, images[i].manifest_size);
                ash_json_begin(&j, "platform", '{');
                ash_json_str(&j, "architecture", images[i].arch);
                ash_json_str(&j, "os", "linux");
                if (images[i].variant[0])
                        ash_json_str(&j, "variant", images[i].variant);
                ash_json_end(&j, '}');
                ash_json_end(&j, '}');
        }
        ash_json_end(&j, ']');
        ash_json_end(&j, '}');
}

int ash_oci_finish(int dirfd, const AshImageFacts *f, const AshOciImage *images, size_t n, AshDiags *diags) {
        _str_ AshStr inner = {}, index = {};
        char hex[65];
        const char *type = OCI "manifest.v1+json";
        uint64_t size = images[0].manifest_size;
        memcpy(hex, images[0].manifest_digest, sizeof hex);
        if (n > 1) {
                index_over(images, n, &inner);
                int r = put_blob(dirfd, ash_str_slice(&inner), hex, diags);
                if (r < 0)
                        return r;
                type = OCI "index.v1+json";
                size = inner.len;
        }
        AshJson j = { .out = &index, .compact = true };
        static const AshSlice latest = { "latest", 6 };
        ash_json_begin(&j, NULL, '{');
        ash_json_int(&j, "schemaVersion", 2);
        ash_json_str(&j, "mediaType", OCI "index.v1+json");
        ash_json_begin(&j, "manifests", '[');
        for (size_t i = 0; i < ASH_MAX(f->n_tags, (size_t) 1); i++) {
                descriptor(&j, NULL, type, hex, size);
                ash_json_begin(&j, "annotations", '{');
                ash_json_text(&j, "org.opencontainers.image.ref.name", f->n_tags ? f->tags[i] : latest);
                ash_json_end(&j, '}');
                ash_json_end(&j, '}');
        }
        ash_json_end(&j, ']');
        ash_json_end(&j, '}');
        int r = ash_file_write_atomic(dirfd, "oci-layout", ASH_S("{\"imageLayoutVersion\":\"1.0.0\"}"), 0644, false);
        if (r >= 0)
                r = ash_file_write_atomic(dirfd, "index.json", ash_str_slice(&index), 0644, false);
        return r < 0 ? failed(diags, r, "index.json") : 0;
}

/* ---- docker ---- */
static void add_file(AshLayout *l, const char *name, AshSlice content, int64_t time) {
        ash_layout_tar_file(l, name, content.len, time);
        ash_layout_copy(l, content);
        ash_layout_tar_pad(l, content.len);
}

int ash_docker_write(int fd, const AshTree *t, const AshImageFacts *f, AshWritten *ret, AshDiags *diags) {
        _cleanup_(ash_layout_free_p) AshLayout *layer = ash_layout_new(), *l = ash_layout_new();
        _str_ AshStr config = {}, manifest = {};
        AshOciImage image = {};
        AshWritten written = {};
        char hex[65], config_name[96], layer_name[96];
        int r = ash_layout_tar(layer, t, true, diags);
        if (r < 0)
                return r;
        ash_layout_digest(layer, written.sha256);
        platform_of(f->arch, &image);
        make_config(f, &image, &written, 1, &config);
        ash_digest_hex_of(ASH_SHA256, ash_str_slice(&config), hex);
        snprintf(config_name, sizeof config_name, "%s.json", hex);
        ash_hex(written.sha256, 32, hex);
        snprintf(layer_name, sizeof layer_name, "%s.tar", hex);
        AshJson j = { .out = &manifest, .compact = true };
        ash_json_begin(&j, NULL, '[');
        ash_json_begin(&j, NULL, '{');
        ash_json_str(&j, "Config", config_name);
        ash_json_begin(&j, "RepoTags", '[');
        for (size_t i = 0; i < ASH_MAX(f->n_tags, (size_t) 1); i++) {
                _free_ char *tag = f->n_tags ? ash_asprintf("%s:%.*s", f->name, ASH_F(f->tags[i])) : ash_asprintf("%s:latest", f->name);
                ash_json_str(&j, NULL, tag);
        }
        ash_json_end(&j, ']');
        ash_json_begin(&j, "Layers", '[');
        ash_json_str(&j, NULL, layer_name);
        ash_json_end(&j, ']');
        ash_json_end(&j, '}');
        ash_json_end(&j, ']');
        add_file(l, config_name, ash_str_slice(&config), f->time);
        ash_layout_tar_file(l, layer_name, layer->size, f->time);
        ash_layout_append(l, layer);
        ash_layout_tar_pad(l, layer->size);
        add_file(l, "manifest.json", ash_str_slice(&manifest), f->time);
        ash_layout_tar_end(l);
        ash_progress_begin(f->progress, "writing the archive", l->size, ASH_UNIT_BYTES);
        r = ash_layout_write(l, fd, &(AshWriteOptions){ .digest = true, .threads = f->threads, .progress = f->progress }, ret, diags);
        ash_progress_end(f->progress);
        return r;
}
