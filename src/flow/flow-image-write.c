/* What an image becomes, written: each output whole or not at all. */
#include <stdio.h>
#include <unistd.h>
#include "flow-image-private.h"

static const AshFlowTree *tree_for(const Build *b, AshSlice arch) {
        ash_array_foreach(&b->trees, t)
                if (ash_slice_eq((*t)->arch, arch))
                        return *t;
        return NULL;
}

int ash_flow_image_failed(Build *b, int r, const char *path) { return ash_fail(b->flow->diags, r, ASH_NOWHERE, "cannot write %s: %s", path, ash_strerror(r)); }

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
                return ash_flow_image_failed(b, r, o->path);
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
                return ash_flow_image_failed(b, r, sidecar);
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
                return ash_flow_image_failed(b, r, part);
        _close_ int fd = openat(b->dirfd, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fchmod(fd, 0755) < 0)
                return ash_flow_image_failed(b, -errno, part);
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
int ash_flow_image_stage_disks(Build *b) {
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
        return r == -EACCES || r == -EROFS ? 0 : r < 0 ? ash_flow_image_failed(b, r, name) : 0;
}

int ash_flow_image_stage_write(Build *b) {
        int r = 0;
        if (b->fresh)
                return 0;
        b->dir = ash_path_join(b->o->output, b->facts.name);
        r = ash_mkdir_all(AT_FDCWD, b->dir, 0755);
        if (r < 0)
                return ash_flow_image_failed(b, r, b->dir);
        b->dirfd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (b->dirfd < 0)
                return ash_flow_image_failed(b, -errno, b->dir);
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
int ash_flow_image_stage_publish(Build *b) {
        if (b->fresh)
                return 0;
        /* What the record says is void from here on. */
        if (unlinkat(b->dirfd, "build.json", 0) < 0 && errno != ENOENT)
                return ash_flow_image_failed(b, -errno, b->record_path);
        ash_array_foreach(&b->pending, p) {
                int r = p->atomic ? ash_atomic_commit(p->atomic) : ash_dir_replace(b->dirfd, p->part, p->name);
                if (r < 0)
                        return ash_flow_image_failed(b, r, p->path);
        }
        return 0;
}
