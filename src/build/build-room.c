/* The room of a build: its files in, a shell, its directory out. */
#include <stdio.h>
#include <sys/xattr.h>
#include "build-private.h"

/* Time of sources: no build may follow from when one was fetched. 2 January 1980: gzip has no word for 1970, and zip none for anything earlier. */
#define OLD 315619200

#define ADDRESS_SPACE_USUAL (UINT64_C(8) << 30)
#define DISK_MIN (UINT64_C(64) << 20)
#define FILES_MAX 100000

/* ---- the disk is memory: no build may take so much that the machine suffers ---- */
/* A process that is stopped by its own limit says so itself, so that this is the same where somebody chose it; else it is no limit that anybody should meet. */
static void set_memory(AshBuild *b) {
        b->memory = b->in.memory ? b->in.memory : ash_memory_total() / 4 * 3;
        b->address_space = b->in.memory ? b->in.memory : ASH_MAX(b->memory, ADDRESS_SPACE_USUAL);
}

uint64_t ash_build_read_max(const AshBuild *b) { return ASH_MIN(b->disk, ash_memory_available() / 2); }

static uint64_t disk_of(uint64_t wanted) { return ASH_MAX(DISK_MIN, ASH_MIN(wanted, ash_memory_available() / 4 * 3)); }

/* ---- files in ---- */
typedef struct Placer {
        const AshBuildInput *in;
        const char *top;             /* below the room's root */
        uint32_t uid;                /* whose all of it is */
        AshSlice resolver;           /* resolv.conf; empty: none */
        int *fds;                    /* of files of the host: the room's root may not be able to reach them */
} Placer;

static int give(int dirfd, const char *name, uint32_t uid) { return fchownat(dirfd, name, uid, uid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0; }

static int make_dirs(int base, const char *path, uint32_t uid) {
        _free_ char *copy = ash_strdup(path);
        for (char *p = strchr(copy, '/'); p; p = strchr(p + 1, '/')) {
                *p = 0;
                if (mkdirat(base, copy, 0755) < 0) {
                        if (errno != EEXIST)
                                return -errno;
                } else {
                        int r = give(base, copy, uid);
                        if (r < 0)
                                return r;
                }
                *p = '/';
        }
        return 0;
}

static int place_file(int base, const Placer *p, const AshBuildFile *f, int from) {
        _free_ char *path = ash_asprintf("%s/%s/%s", p->top, f->spec ? "SPECS" : "SOURCES", f->name);
        int r = make_dirs(base, path, p->uid);
        if (r >= 0 && S_ISLNK(f->mode)) {
                _free_ char *target = ash_slice_dup(f->data);
                r = symlinkat(target, base, path) < 0 ? -errno : 0;
        } else if (r >= 0) {
                _close_ int fd = openat(base, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
                r = fd < 0 ? -errno : from >= 0 ? ash_copy_fd(from, fd, UINT64_MAX) : ash_write_all(fd, f->data.ptr, f->data.len);
                if (r >= 0 && fchmod(fd, f->mode & 0100 ? 0755 : 0644) < 0)
                        r = -errno;
                struct timespec old[2] = { { .tv_sec = OLD }, { .tv_sec = OLD } };
                if (r >= 0)
                        (void) futimens(fd, old);
        }
        return r < 0 ? r : give(base, path, p->uid);
}

/* How names are found, for a build that has the network: the host's way. */
static int place_resolver(int base, AshSlice text) {
        if (!text.len)
                return 0;
        if (mkdirat(base, "etc", 0755) < 0 && errno != EEXIST)
                return -errno;
        _close_ int fd = openat(base, "etc/resolv.conf", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        return fd < 0 ? -errno : ash_write_all(fd, text.ptr, text.len);
}

static int place_all(AshSandboxCall *c, void *data) {
        Placer *p = data;
        static const char *const dirs[] = { "", "SPECS/", "SOURCES/", "BUILD/", "BUILDROOT/", "RPMS/", "SRPMS/" };
        int r = place_resolver(c->base, p->resolver);
        for (size_t i = 0; r >= 0 && i < ASH_N(dirs); i++) {
                _free_ char *dir = ash_asprintf("%s/%s", p->top, dirs[i]);
                r = make_dirs(c->base, dir, p->uid);
        }
        if (r >= 0)
                r = make_dirs(c->base, ASH_BUILD_SCRIPTS "/", p->uid);
        for (size_t i = 0; r >= 0 && i < p->in->n_files; i++) {
                r = place_file(c->base, p, &p->in->files[i], p->fds[i]);
                if (r < 0)
                        snprintf(c->problem, sizeof c->problem, "%.200s: %s", p->in->files[i].name, ash_strerror(r));
        }
        return r;
}

static int place_files(AshBuild *b, AshDiags *diags) {
        char problem[256];
        _free_ int *fds = ash_calloc(b->in.n_files + 1, sizeof *fds);
        _bytes_ AshBytes resolver = {};
        if (b->in.network)
                (void) ash_file_read(AT_FDCWD, "/etc/resolv.conf", 1 << 20, &resolver);
        Placer p = { &b->in, b->top + 1, ash_build_vary_uid(b), ash_bytes_slice(&resolver), fds };
        int r = 0;
        for (size_t i = 0; i < b->in.n_files; i++)
                fds[i] = -1;
        for (size_t i = 0; r >= 0 && i < b->in.n_files; i++) {
                const AshBuildFile *f = &b->in.files[i];
                struct stat st;
                if (!ash_path_is_confined(ash_slice_str(f->name)))
                        r = ash_fail(diags, -EINVAL, ASH_NOWHERE, "a source is called '%s'", f->name);
                else if (f->path && (fds[i] = open(f->path, O_RDONLY | O_CLOEXEC)) < 0)
                        r = ash_fail_file(diags, -errno, f->path, "%s", ash_strerror(-errno));
                b->sources += f->data.len + (r >= 0 && f->path && fstat(fds[i], &st) == 0 ? (uint64_t) st.st_size : 0);
        }
        if (r >= 0) {
                r = ash_sandbox_room_call(b->room, place_all, &p, NULL, problem);
                if (r < 0) {
                        ash_fail(diags, r, ASH_NOWHERE, "cannot place the sources of '%.*s': %s", ASH_F(b->in.component), *problem ? problem : ash_strerror(r));
                        if (r == -ENOSPC)
                                ash_hint(diags, "the build has room for %llu MiB: build.disk", (unsigned long long) (b->disk >> 20));
                }
        }
        for (size_t i = 0; i < b->in.n_files; i++)
                ash_close_p(&fds[i]);
        return r;
}

int ash_build_new(const AshBuildInput *in, AshBuild **ret, AshDiags *diags) {
        _cleanup_(ash_build_free_p) AshBuild *b = ash_calloc(1, sizeof *b);
        *b = (AshBuild){ .in = *in, .top = ash_build_vary_top(in->vary), .arena = ash_arena_new(), .log_fd = -1, .disk = disk_of(in->disk), .end = ash_now_ns() + (uint64_t) in->timeout_ms * 1000000u };
        set_memory(b);
        if (in->n_files > FILES_MAX)
                return ash_fail(diags, -ASH_ERR_LIMIT, ASH_NOWHERE, "'%.*s' has more than %d sources", ASH_F(in->component), FILES_MAX);
        b->log_fd = open(in->log_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (b->log_fd < 0)
                return ash_fail_file(diags, -errno, in->log_path, "cannot write the log: %s", ash_strerror(-errno));
        int r = ash_sandbox_room_new(&(AshSandboxRoomOptions){ .size = b->disk }, &b->room, diags);
        if (r >= 0)
                r = place_files(b, diags);
        if (r < 0)
                return r;
        *ret = ASH_TAKE(b);
        return 0;
}

void ash_build_free(AshBuild *b) {
        if (!b)
                return;
        ash_bytes_done(&b->results[0]);
        ash_bytes_done(&b->results[1]);
        ash_bytes_done(&b->log_map);
        ash_str_done(&b->head);
        ash_str_done(&b->tail);
        ash_array_done(&b->layers);
        ash_close_p(&b->log_fd);
        ash_sandbox_room_free(b->room);
        ash_arena_free(b->arena);
        free(b);
}

/* ---- the directory out ---- */
static int take_out(int root, const AshSandboxChange *c) {
        _free_ char *path = ash_slice_dup(ash_slice_from(c->path, 1)), *link = ash_slice_dup(c->link);
        if (!ash_path_is_confined(ash_slice_str(path)))
                return c->path.len <= 1 ? 0 : -EINVAL;
        if (c->kind == 'D')
                return mkdirat(root, path, 0755) < 0 && errno != EEXIST ? -errno : 0;
        if (c->kind == 'L')
                return symlinkat(link, root, path) < 0 ? -errno : 0;
        if (c->kind == 'H')
                return linkat(root, link + 1, root, path, 0) < 0 ? -errno : 0;
        if (c->kind != 'F')
                return 0;
        int fd = ash_open_beneath(root, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
                return fd;
        int r = ash_write_all(fd, c->content.ptr, c->content.len);
        if (r >= 0 && fchmod(fd, (c->mode & 0755) | 0600) < 0)
                r = -errno;
        close(fd);
        return r;
}

#define KEPT ".ashlar-build" /* a directory with this file in it is ours to replace */

int ash_build_keep(AshBuild *b, const char *dir, AshDiags *diags) {
        _bytes_ AshBytes all = {};
        _free_ char *mark = ash_path_join(dir, KEPT);
        AshSandboxChange c;
        if (access(dir, F_OK) == 0 && access(mark, F_OK) < 0)
                return ash_fail_file(diags, -EEXIST, dir, "the build is not kept there: it is no directory of an earlier build");
        int r = ash_remove_all(AT_FDCWD, dir);
        if (r >= 0)
                r = ash_mkdir_all(AT_FDCWD, dir, 0755);
        if (r >= 0)
                r = ash_file_write_atomic(AT_FDCWD, mark, ASH_S("made by ashlar component build --keep\n"), 0644, false);
        _close_ int root = r < 0 ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (r >= 0)
                r = root < 0 ? -errno : ash_sandbox_room_read(b->room, b->top, ash_build_read_max(b), &all);
        AshSlice rest = ash_bytes_slice(&all);
        while (r >= 0) {
                int k = ash_sandbox_change_next(&rest, &c);
                if (k <= 0) {
                        r = k;
                        break;
                }
                r = take_out(root, &c);
        }
        return r < 0 ? ash_fail_file(diags, r, dir, "cannot keep the build: %s", ash_strerror(r)) : 0;
}
