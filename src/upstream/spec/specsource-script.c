/* Custom origins: a script makes the file, in a sandbox (bubblewrap) that sees the system's programs read-only, its inputs, and one place to write to. */
#include "specsource-private.h"

#define TOP "/azldev-gen"

typedef struct Args {
        ASH_ARRAY(char *) items;
} Args;

static void args_done(Args *a) {
        ash_array_foreach(&a->items, s)
                free(*s);
        ash_array_done(&a->items);
}

static void add(Args *a, const char *const *words) {
        for (; *words; words++)
                ash_array_push(&a->items, ash_strdup(*words));
}
#define ADD(a, ...) add(a, (const char *const[]){ __VA_ARGS__, NULL })

/* Programs and libraries as they are here. On a system without merged /usr the directories are bound, else the links are made again. */
static void add_system(Args *a) {
        static const char *const dirs[] = { "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32" };
        static const char *const etc[] = { "/etc/alternatives", "/etc/ld.so.cache", "/etc/passwd", "/etc/group" };
        ADD(a, "--ro-bind", "/usr", "/usr");
        for (size_t i = 0; i < ASH_N(dirs); i++) {
                char target[256];
                ssize_t n = readlink(dirs[i], target, sizeof(target) - 1);
                if (n > 0) {
                        target[n] = 0;
                        ADD(a, "--symlink", target, dirs[i]);
                } else if (access(dirs[i], F_OK) == 0)
                        ADD(a, "--ro-bind", dirs[i], dirs[i]);
        }
        for (size_t i = 0; i < ASH_N(etc); i++)
                ADD(a, "--ro-bind-try", etc[i], etc[i]);
}

static void add_network(Args *a) {
        static const char *const etc[] = { "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl", "/etc/pki", "/etc/ca-certificates" };
        ADD(a, "--share-net");
        for (size_t i = 0; i < ASH_N(etc); i++)
                ADD(a, "--ro-bind-try", etc[i], etc[i]);
}

static void add_sandbox(Args *a, const AshSpecOptions *options, const char *in, const char *out) {
        ADD(a, "bwrap", "--unshare-all", "--unshare-user", "--uid", "1000", "--gid", "1000", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "ashlar");
        add_system(a);
        ADD(a, "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/etc");
        if (options->script_network)
                add_network(a);
        ADD(a, "--ro-bind", in, TOP, "--bind", out, TOP "/output", "--chdir", TOP);
        ADD(a, "--clearenv", "--setenv", "PATH", "/usr/bin:/bin:/usr/sbin:/sbin", "--setenv", "HOME", "/tmp", "--setenv", "LC_ALL", "C.UTF-8", "--setenv", "TZ", "UTC",
            "--setenv", "SOURCE_DATE_EPOCH", "0", "--setenv", "OUTPUT", TOP "/output");
        ADD(a, "--", "/bin/sh", "-c", "if [ \"$(head -c 2 script)\" = '#!' ]; then exec ./script; else exec /bin/sh ./script; fi");
}

/* ---- what goes in ---- */
static int read_input(const AshSourceFile *f, AshText name, AshBytes *ret, AshDiags *diags) {
        if (!ash_path_is_confined(name.s))
                return ash_fail(diags, -EINVAL, name.at, "'%.*s' leads out of the directory of the file that names it", ASH_F(name.s));
        _close_ int dirfd = open(f->base_dir && *f->base_dir ? f->base_dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _free_ char *path = ash_slice_dup(name.s);
        _close_ int fd = dirfd < 0 ? -errno : ash_open_beneath(dirfd, path, O_RDONLY | O_CLOEXEC, 0);
        int r = fd < 0 ? fd : ash_file_read_fd(fd, (size_t) 1 << 30, ret);
        return r < 0 ? ash_fail(diags, r, name.at, "%s: %s", path, ash_strerror(r)) : 0;
}

static int copy_input(const AshSourceFile *f, AshText name, int in, const char *as, mode_t mode, AshDiags *diags) {
        _bytes_ AshBytes data = {};
        int r = read_input(f, name, &data, diags);
        if (r < 0)
                return r;
        _free_ char *dir = ash_slice_dup(ash_path_dir(ash_slice_str(as)));
        r = ash_mkdir_all(in, dir, 0755);
        if (r >= 0)
                r = ash_file_write_atomic(in, as, ash_bytes_slice(&data), mode, false);
        return r < 0 ? ash_fail(diags, r, name.at, "cannot copy %s for the sandbox: %s", as, ash_strerror(r)) : 0;
}

static int fill(const AshSourceFile *f, int in, AshDiags *diags) {
        int r = copy_input(f, f->origin_script, in, "script", 0755, diags);
        for (size_t i = 0; r >= 0 && i < f->inputs.n; i++) {
                _free_ char *as = ash_asprintf("inputs/%.*s", ASH_F(f->inputs.items[i].s));
                r = copy_input(f, f->inputs.items[i], in, as, 0644, diags);
        }
        if (r >= 0)
                r = ash_mkdir_all(in, "output", 0755);
        return r;
}

/* ---- how it went ---- */
static int judge(const AshSourceItem *item, const AshProcessResult *result, int timeout_ms, AshDiags *diags) {
        AshSpan at = item->config->origin_script.at;
        if (result->timed_out)
                return ash_fail(diags, -ASH_ERR_AGAIN, at, "the script of '%.*s' did not end within %d s", ASH_F(item->filename), timeout_ms / 1000);
        if (result->status == 0)
                return 0;
        AshSlice err = ash_slice_trim(ash_str_slice(&result->err)), rest = err, line, last = err;
        while (ash_slice_next_line(&rest, &line))
                last = line;
        if (ash_slice_starts(err, ASH_S("bwrap: "))) {
                ash_fail(diags, -EPERM, at, "the sandbox for the script of '%.*s' could not be made: %.*s", ASH_F(item->filename), ASH_F(last));
                ash_hint(diags, "bubblewrap needs user namespaces for ordinary users");
                return -EPERM;
        }
        if (result->status < 0)
                return ash_fail(diags, -EIO, at, "the script of '%.*s' was ended by signal %d", ASH_F(item->filename), result->signal);
        return ash_fail(diags, -EIO, at, "the script of '%.*s' failed with status %d%s%.*s", ASH_F(item->filename), result->status, last.len > 0 ? ": " : "", ASH_F(last));
}

static int take_output(const AshSourceItem *item, int out, const char *to, AshDiags *diags) {
        _free_ char *name = ash_slice_dup(item->filename);
        _close_ int fd = ash_open_beneath(out, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
        struct stat st;
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return ash_fail(diags, -ENOENT, item->config->origin_script.at, "the script of '%s' ended well, but left no regular file %s/output/%s", name, TOP, name);
        _close_ int dest = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        int r = dest < 0 ? -errno : ash_copy_fd(fd, dest, UINT64_MAX);
        return r < 0 ? ash_fail(diags, r, ASH_NOWHERE, "%s: %s", to, ash_strerror(r)) : 0;
}

int ash_spec_script_run(const AshSourceItem *item, const AshSpecOptions *options, const char *work_parent, const char *to, AshDiags *diags) {
        const AshSourceFile *f = item->config;
        _cleanup_(ash_tempdir_free_p) AshTempDir *in = NULL, *out = NULL;
        int r = ash_tempdir_new(work_parent, &in);
        if (r >= 0)
                r = ash_tempdir_new(work_parent, &out);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "cannot make a directory in %s: %s", work_parent, ash_strerror(r));
        r = fill(f, in->fd, diags);
        if (r < 0)
                return r;
        if (f->mock_packages.n > 0)
                ash_warn(diags, f->mock_packages.items[0].at, "mock-packages are not installed: the script of '%.*s' runs with this system's programs", ASH_F(item->filename));
        _cleanup_(args_done) Args args = {};
        add_sandbox(&args, options, in->path, out->path);
        ash_array_push(&args.items, NULL);
        int timeout = options->script_timeout_ms > 0 ? options->script_timeout_ms : 600000;
        AshProcess p = { .argv = (const char *const *) args.items.items, .timeout_ms = timeout, .output_limit = 1 << 20, .cwd = "/" };
        _process_result_ AshProcessResult result = {};
        r = ash_process_run(&p, &result);
        if (r == -ENOENT) {
                ash_fail(diags, r, f->origin_script.at, "the script of '%.*s' needs the program bwrap, which is not installed", ASH_F(item->filename));
                ash_hint(diags, "install the package bubblewrap");
                return r;
        }
        if (r < 0)
                return ash_fail(diags, r, f->origin_script.at, "the script of '%.*s': %s", ASH_F(item->filename), ash_strerror(r));
        r = judge(item, &result, timeout, diags);
        return r < 0 ? r : take_output(item, out->fd, to, diags);
}
