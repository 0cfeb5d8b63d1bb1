/* image write: a dump back to bytes. */
#include "verb-image.h"
#include "io.h"

/* Endings of an output's name, and what they say of it; of two that fit the first counts. */
static const struct {
        const char *ending, *format, *compression;
} output_names[] = {
        { ".docker.tar", "docker", NULL }, { ".oci", "oci", NULL },
        { ".tar", "tar", "none" },      { ".tar.zst", "tar", "zstd" },   { ".tar.gz", "tar", "gzip" },   { ".tgz", "tar", "gzip" },
        { ".cpio", "cpio", "none" },    { ".cpio.zst", "cpio", "zstd" }, { ".cpio.gz", "cpio", "gzip" },
};

/* What the options leave open follows from the name of the output. */
static void output_kind(const AshCli *cli, const char *path, const char **ret_format, const char **ret_compression) {
        const char *format = ash_cli_option(cli, "format"), *compression = ash_cli_option(cli, "compression");
        for (size_t i = 0; i < ASH_N(output_names); i++)
                if (ash_slice_ends(ash_slice_str(path), ash_slice_str(output_names[i].ending))) {
                        format = format ?: output_names[i].format;
                        compression = compression ?: output_names[i].compression;
                        break;
                }
        *ret_format = format ?: "tar";
        *ret_compression = compression ?: "zstd";
}

static int write_stream(int fd, const AshLayout *l, const AshImageFacts *f, AshDiags *diags) {
        AshWritten written;
        return ash_layout_write(l, fd, &(AshWriteOptions){ .compression = f->compression, .threads = f->threads, .store = f->store, .progress = f->progress }, &written, diags);
}

static int write_tar(int fd, const AshTree *t, const AshImageFacts *f, AshDiags *diags) {
        _cleanup_(ash_layout_free_p) AshLayout *l = ash_layout_new();
        int r = ash_layout_tar(l, t, false, diags);
        return r < 0 ? r : write_stream(fd, l, f, diags);
}

static int write_cpio(int fd, const AshTree *t, const AshImageFacts *f, AshDiags *diags) {
        _cleanup_(ash_layout_free_p) AshLayout *l = ash_layout_new();
        int r = ash_layout_cpio(l, t, diags);
        return r < 0 ? r : write_stream(fd, l, f, diags);
}

static int write_docker(int fd, const AshTree *t, const AshImageFacts *f, AshDiags *diags) {
        AshWritten written;
        return ash_docker_write(fd, t, f, &written, diags);
}

static int write_oci(int fd, const AshTree *t, const AshImageFacts *f, AshDiags *diags) {
        AshOciImage image;
        int r = ash_oci_add(fd, t, f, &image, diags);
        return r < 0 ? r : ash_oci_finish(fd, f, &image, 1, diags);
}

static int write_plain(int fd, const AshTree *t, const AshImageFacts *f _unused_, AshDiags *diags) { return ash_directory_write(fd, t, diags); }

static const struct {
        const char *name;
        bool directory;
        int (*write)(int fd, const AshTree *t, const AshImageFacts *f, AshDiags *diags); /* fd: of the file, or of the directory */
} output_formats[] = {
        { "tar", false, write_tar }, { "cpio", false, write_cpio }, { "docker", false, write_docker }, { "oci", true, write_oci }, { "directory", true, write_plain },
};

static int cannot_write(AshCli *cli, int r, const char *path) { return ash_fail_file(cli->diags, r, path, "cannot write: %s", ash_strerror(r)); }

static int write_to_file(AshCli *cli, size_t format, const char *path, const AshTree *t, const AshImageFacts *f) {
        _cleanup_(ash_atomic_free_p) AshAtomic *atomic = NULL;
        int r = ash_atomic_open(AT_FDCWD, path, 0644, false, &atomic);
        if (r < 0)
                return cannot_write(cli, r, path);
        r = output_formats[format].write(ash_atomic_fd(atomic), t, f, cli->diags);
        if (r >= 0 && (r = ash_atomic_commit(atomic)) < 0)
                return cannot_write(cli, r, path);
        return r < 0 ? r : 0;
}

/* Beside its place and renamed, too. What is there already is not ours to replace. */
static int write_to_directory(AshCli *cli, size_t format, const char *path, const AshTree *t, const AshImageFacts *f) {
        AshSlice dir = ash_path_dir(ash_slice_str(path)), base = ash_path_base(ash_slice_str(path));
        _free_ char *part = ash_asprintf("%.*s/.%.*s.part", ASH_F(dir.len ? dir : ASH_S(".")), ASH_F(base));
        int r = ash_remove_all(AT_FDCWD, part);
        if (r >= 0 && mkdir(part, 0755) < 0)
                r = -errno;
        if (r < 0)
                return cannot_write(cli, r, path);
        _close_ int fd = open(part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = fd < 0 ? cannot_write(cli, -errno, path) : output_formats[format].write(fd, t, f, cli->diags);
        if (r >= 0 && renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
                r = cannot_write(cli, -errno, path);
        if (r < 0)
                (void) ash_remove_all(AT_FDCWD, part);
        return r < 0 ? r : 0;
}

/* A dump tells of no container's settings: there is the tree, its architecture as the option says it, and the time of the newest file. */
static AshImageFacts facts_of_dump(AshCli *cli, const char *name, const char *compression, const AshTree *t) {
        AshImageFacts f = { .name = name, .arch = ash_cli_option(cli, "arch") ?: "x86_64", .compression = ash_compression_from_name(ash_slice_str(compression)), .threads = cli->jobs,
                            .store = cli->store, .progress = cli->progress };
        for (size_t i = 0; i < t->nodes.n; i++)
                f.time = ASH_MAX(f.time, t->nodes.items[i].mtime);
        return f;
}

int ash_image_write(AshCli *cli) {
        _cleanup_(ash_image_tree_done) AshImageTree c = {};
        _cleanup_(ash_image_dump_done) AshImageDump opened = { .store = cli->store };
        const char *path = cli->args[1], *format, *compression;
        AshSlice base = ash_path_base(ash_slice_str(path));
        ptrdiff_t dot = ash_slice_find_char(base, '.');
        _free_ char *name = ash_slice_dup(dot > 0 ? ash_slice_sub(base, 0, (size_t) dot) : base);
        size_t i = 0;
        output_kind(cli, path, &format, &compression);
        while (i + 1 < ASH_N(output_formats) && strcmp(output_formats[i].name, format) != 0)
                i++;
        int r = ash_image_parse_dump(cli, cli->args[0], &opened, &c);
        if (r < 0)
                return r;
        AshImageFacts f = facts_of_dump(cli, name, compression, c.tree);
        return output_formats[i].directory ? write_to_directory(cli, i, path, c.tree, &f) : write_to_file(cli, i, path, c.tree, &f);
}
