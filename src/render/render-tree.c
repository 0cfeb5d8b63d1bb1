/* Rendered components on disk: OUTPUT/NAME/ and the record of its fingerprint, OUTPUT/.fingerprints/NAME.toml. */
#include <dirent.h>
#include "render-internal.h"

#define RECORDS ".fingerprints"

static const char *const statuses[ASH_RENDER_MAX_] = {
        [ASH_RENDER_SAME] = "same", [ASH_RENDER_ADDED] = "added", [ASH_RENDER_CHANGED] = "changed", [ASH_RENDER_STALE] = "stale", [ASH_RENDER_PRUNED] = "pruned",
        [ASH_RENDER_SKIPPED] = "skipped", [ASH_RENDER_FAILED] = "failed",
};
const char *ash_render_status_name(AshRenderStatus s) { return s >= 0 && s < ASH_RENDER_MAX_ ? statuses[s] : NULL; }

static void result_done(AshRenderResult *r) {
        free(r->component);
        ash_array_foreach(&r->changed, s)
                free(*s);
        ash_array_done(&r->changed);
}

void ash_render_results_done(AshRenderResults *results) {
        ash_array_foreach(&results->items, r)
                result_done(r);
        ash_array_done(&results->items);
}

/* ---- comparing with what is there ---- */
static bool same_link(int dirfd, const AshRenderFile *f) {
        char target[4096];
        ssize_t n = readlinkat(dirfd, f->name, target, sizeof target);
        return n >= 0 && ash_slice_eq(ash_slice(target, (size_t) n), f->data);
}

static bool same_file(int dirfd, const AshRenderFile *f) {
        struct stat st;
        if (fstatat(dirfd, f->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return false;
        if (S_ISLNK(f->mode))
                return S_ISLNK(st.st_mode) && same_link(dirfd, f);
        if (!S_ISREG(st.st_mode) || (st.st_mode & 0777) != (f->mode & 0777) || (uint64_t) st.st_size != f->data.len)
                return false;
        _bytes_ AshBytes bytes = {};
        return ash_file_read(dirfd, f->name, f->data.len + 1, &bytes) >= 0 && ash_slice_eq(ash_bytes_slice(&bytes), f->data);
}

static void changed(AshRenderResult *result, char sign, const char *name) { ash_array_push(&result->changed, ash_asprintf("%c%s", sign, name)); }

/* Files below dirfd/path that the component does not have. */
static int find_extra(int dirfd, const char *path, const char *prefix, const AshRendered *r, AshRenderResult *result) {
        _dirlist_ AshDirList list = {};
        int e = ash_dir_list(dirfd, path, &list);
        if (e < 0)
                return e;
        ash_array_foreach(&list.entries, d) {
                _free_ char *name = ash_asprintf("%s%s", prefix, d->name);
                if (d->type == DT_DIR) {
                        _free_ char *below = ash_asprintf("%s/", name);
                        e = find_extra(dirfd, name, below, r, result);
                        if (e < 0)
                                return e;
                } else if (!ash_rendered_find(r, name))
                        changed(result, '-', name);
        }
        return 0;
}

/* 1: the directory is there and differs, 0: it is the same, -ENOENT: there is none. */
static int compare(int out_fd, const AshRendered *r, AshRenderResult *result) {
        _close_ int dir = openat(out_fd, result->component, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (dir < 0)
                return -errno;
        for (size_t i = 0; i < r->files.n; i++) {
                const AshRenderFile *f = &r->files.items[i];
                if (!same_file(dir, f))
                        changed(result, faccessat(dir, f->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? '~' : '+', f->name);
        }
        int e = find_extra(dir, ".", "", r, result);
        return e < 0 ? e : result->changed.n > 0;
}

/* ---- writing ---- */
static int write_file(int dir, const AshRenderFile *f) {
        const char *slash = strrchr(f->name, '/');
        if (slash) {
                _free_ char *parent = ash_strndup(f->name, (size_t) (slash - f->name));
                int r = ash_mkdir_all(dir, parent, 0755);
                if (r < 0)
                        return r;
        }
        if (S_ISLNK(f->mode)) {
                _free_ char *target = ash_slice_dup(f->data);
                return symlinkat(target, dir, f->name) < 0 ? -errno : 0;
        }
        mode_t mode = f->mode & 0111 ? 0755 : 0644;
        _close_ int fd = openat(dir, f->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        int r = ash_write_all(fd, f->data.ptr, f->data.len);
        if (r < 0)
                return r;
        if (fchmod(fd, mode) < 0)
                return -errno;
        int last = ASH_TAKE_FD(fd);
        return close(last) < 0 ? -errno : 0; /* some file systems report a full disk only here */
}

static bool is_listed(const AshRenderResult *result, const char *name) {
        for (size_t i = 0; i < result->changed.n; i++)
                if (strcmp(result->changed.items[i] + 1, name) == 0)
                        return true;
        return false;
}

/* All files into a new directory; those that did not change become further links to the old ones, so that they keep their times. */
static int stage(int out_fd, const char *staging, const AshRendered *r, const AshRenderResult *result, bool had_one) {
        if (mkdirat(out_fd, staging, 0755) < 0)
                return -errno;
        _close_ int dir = openat(out_fd, staging, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0 || fchmod(dir, 0755) < 0)
                return -errno;
        for (size_t i = 0; i < r->files.n; i++) {
                const AshRenderFile *f = &r->files.items[i];
                _free_ char *old = ash_asprintf("%s/%s", result->component, f->name);
                if (had_one && !strchr(f->name, '/') && !is_listed(result, f->name) && linkat(out_fd, old, dir, f->name, 0) == 0)
                        continue;
                int e = write_file(dir, f);
                if (e < 0)
                        return e;
        }
        return 0;
}

static int swap_in(int out_fd, const AshRendered *r, const AshRenderResult *result, bool had_one) {
        _free_ char *staging = ash_asprintf(".%s.new-%d", result->component, (int) getpid());
        ash_remove_all(out_fd, staging); /* of a process that died with our number */
        int e = stage(out_fd, staging, r, result, had_one);
        if (e >= 0)
                e = had_one ? ash_dir_replace(out_fd, staging, result->component) : renameat(out_fd, staging, out_fd, result->component) < 0 ? -errno : 0;
        if (e < 0)
                ash_remove_all(out_fd, staging);
        return e;
}

static int write_record(int out_fd, const AshRendered *r, const char *component) {
        _str_ AshStr text = {};
        _free_ char *path = ash_asprintf(RECORDS "/%s.toml", component);
        ash_fingerprint_format(r->fingerprint, &text);
        return ash_file_update(out_fd, path, ash_str_slice(&text), 0644, false);
}

/* ---- one component ---- */
typedef struct Run {
        AshConfig *config;
        const AshRenderOptions *options;
        const char *out_dir;
        int out_fd; /* -1: there is no such directory yet (check only) */
        AshRenderResults *results;
        AshDiags **diags; /* one a component: so that they can be printed in order */
} Run;

static bool name_is_safe(const char *name) { return *name && *name != '.' && !strchr(name, '/') && ash_path_is_confined(ash_slice_str(name)); }

/* Is that file (or directory) the component's output directory, or in it? */
static bool is_within(const Run *run, const char *component, const char *path) {
        _free_ char *output = ash_path_join(run->out_dir, component), *target = realpath(output, NULL), *real = realpath(path, NULL);
        size_t n = target ? strlen(target) : 0;
        return target && real && strncmp(real, target, n) == 0 && (real[n] == '/' || !real[n]);
}

/* What is rendered replaces a directory as a whole: never one in which the project keeps files of its own. */
static int keeps_own_files(const Run *run, const AshRendered *r, const AshRenderResult *result, AshDiags *diags) {
        const AshSpecSource *spec = &r->component->merged->spec;
        const AshSource *declared = r->component->name.at.source;
        const char *own[] = { ash_config_dir(run->config), declared ? declared->name : "", ash_slice_eqs(spec->type.s, "local") && spec->path.s.len ? spec->path.s.ptr : "" };
        for (size_t i = 0; i < ASH_N(own); i++)
                if (*own[i] && is_within(run, result->component, own[i])) {
                        int e = ash_fail(diags, -EEXIST, spec->path.at, "%s/%s holds '%s' of the project: rendering would replace it", run->out_dir, result->component, own[i]);
                        ash_hint(diags, "choose another rendered-specs-dir, or --output DIR");
                        return e;
                }
        return 0;
}

static int put(Run *run, const AshRendered *r, AshRenderResult *result, AshDiags *diags) {
        int e = run->out_fd < 0 ? -ENOENT : compare(run->out_fd, r, result);
        if (e < 0 && e != -ENOENT)
                return ash_fail(diags, e, ASH_NOWHERE, "%s/%s: %s", run->out_dir, result->component, ash_strerror(e));
        bool had_one = e >= 0;
        result->status = e == 0 ? ASH_RENDER_SAME : had_one ? ASH_RENDER_CHANGED : ASH_RENDER_ADDED;
        if (run->options->check)
                return 0;
        int own = had_one && e != 0 ? keeps_own_files(run, r, result, diags) : 0;
        if (own < 0)
                return own;
        if (e != 0)
                e = swap_in(run->out_fd, r, result, had_one);
        if (e < 0)
                return ash_fail(diags, e, ASH_NOWHERE, "writing %s/%s: %s", run->out_dir, result->component, ash_strerror(e));
        e = write_record(run->out_fd, r, result->component);
        return e < 0 ? ash_fail(diags, e, ASH_NOWHERE, "writing %s/" RECORDS "/%s.toml: %s", run->out_dir, result->component, ash_strerror(e)) : 0;
}

static int render_one(void *context, size_t i) {
        Run *run = context;
        AshRenderResult *result = &run->results->items.items[i];
        _cleanup_(ash_rendered_free_p) AshRendered *r = NULL;
        AshDiags *diags = run->diags[i] = ash_diags_new();
        int e = 0;
        if (!name_is_safe(result->component))
                e = ash_fail(diags, -EINVAL, ASH_NOWHERE, "a component called '%s' cannot be a directory's name", result->component);
        if (e >= 0)
                e = ash_render(run->config, ash_slice_str(result->component), run->options, &r, diags);
        if (e == -ENOENT && run->options->only_available) {
                ash_diags_clear(diags);
                result->status = ASH_RENDER_SKIPPED;
                e = 0;
        } else if (e >= 0)
                e = put(run, r, result, diags);
        result->result = e;
        if (e < 0) {
                result->status = ASH_RENDER_FAILED;
                if (ash_diags_count(diags, ASH_ERROR) == 0)
                        ash_fail(diags, e, ASH_NOWHERE, "%s: %s", result->component, ash_strerror(e));
                ash_note(diags, ASH_NOWHERE, "while rendering component %s", result->component);
        }
        ash_progress_advance(run->options->progress, 1);
        return e;
}

/* ---- directories of components that are gone ---- */
static bool is_rendered_dir(int out_fd, const char *name) {
        _free_ char *record = ash_asprintf(RECORDS "/%s.toml", name), *spec = ash_asprintf("%s/%s.spec", name, name);
        return faccessat(out_fd, record, F_OK, 0) == 0 || faccessat(out_fd, spec, F_OK, 0) == 0;
}

static int find_stale(Run *run, AshDiags *diags) {
        _dirlist_ AshDirList list = {};
        int e = run->out_fd < 0 ? 0 : ash_dir_list(run->out_fd, ".", &list);
        if (e < 0)
                return ash_fail(diags, e, ASH_NOWHERE, "%s: %s", run->out_dir, ash_strerror(e));
        ash_array_foreach(&list.entries, d) {
                if (d->type != DT_DIR || d->name[0] == '.' || ash_config_find_component(run->config, ash_slice_str(d->name)) || !is_rendered_dir(run->out_fd, d->name))
                        continue;
                AshRenderResult *result = ash_array_add(&run->results->items);
                result->component = ash_strdup(d->name);
                result->status = ASH_RENDER_STALE;
                if (!run->options->prune || run->options->check)
                        continue;
                _free_ char *record = ash_asprintf(RECORDS "/%s.toml", d->name);
                e = ash_remove_all(run->out_fd, d->name);
                if (e >= 0)
                        e = ash_remove_all(run->out_fd, record);
                if (e < 0)
                        return ash_fail(diags, e, ASH_NOWHERE, "removing %s/%s: %s", run->out_dir, d->name, ash_strerror(e));
                result->status = ASH_RENDER_PRUNED;
        }
        return 0;
}

static int open_output(Run *run, AshDiags *diags) {
        int e = 0;
        if (!run->options->check) {
                _free_ char *records = ash_asprintf("%s/" RECORDS, run->out_dir);
                e = ash_mkdir_all(AT_FDCWD, records, 0755);
        }
        if (e >= 0) {
                run->out_fd = open(run->out_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                e = run->out_fd < 0 ? -errno : 0;
        }
        if (e == -ENOENT && run->options->check)
                return 0; /* nothing has been rendered yet */
        return e < 0 ? ash_fail(diags, e, ASH_NOWHERE, "%s: %s", run->out_dir, ash_strerror(e)) : 0;
}

static void list_components(Run *run, const AshSlice *names, size_t n) {
        size_t count = names ? n : ash_config_n_components(run->config);
        for (size_t i = 0; i < count; i++)
                ash_array_add(&run->results->items)->component = ash_slice_dup(names ? names[i] : ash_config_component_at(run->config, i)->name.s);
}

static int first_failure(const AshRenderResults *results) {
        for (size_t i = 0; i < results->items.n; i++)
                if (results->items.items[i].result < 0)
                        return results->items.items[i].result;
        return 0;
}

int ash_render_components(AshConfig *config, const AshSlice *names, size_t n, const AshRenderOptions *options, AshRenderResults *ret, AshDiags *diags) {
        _free_ char *out_dir = ash_render_output_dir(config, options);
        _render_results_ AshRenderResults results = {};
        _close_ int out_fd = -1;
        Run run = { .config = config, .options = options, .out_dir = out_dir, .out_fd = -1, .results = &results };
        int e = open_output(&run, diags);
        out_fd = run.out_fd;
        if (e < 0)
                return e;
        list_components(&run, names, n);
        size_t count = results.items.n;
        _free_ AshDiags **all = ash_calloc(count + 1, sizeof *all);
        run.diags = all;
        ash_progress_begin(options->progress, options->check ? "check" : "render", count, ASH_UNIT_ITEMS);
        ash_parallel_for(count, options->jobs, true, render_one, &run);
        ash_progress_end(options->progress);
        for (size_t i = 0; i < count; i++) {
                ash_diags_merge(diags, all[i]);
                ash_diags_free(all[i]);
        }
        e = names ? 0 : find_stale(&run, diags);
        int failure = first_failure(&results);
        *ret = results;
        results = (AshRenderResults){};
        return failure < 0 ? failure : e;
}

/* ---- all that a build needs ---- */
static bool may_replace(const char *dir, const char *spec) {
        _dirlist_ AshDirList list = {};
        _free_ char *path = ash_path_join(dir, spec);
        return ash_dir_list(AT_FDCWD, dir, &list) >= 0 && (list.entries.n == 0 || access(path, F_OK) == 0);
}

static int prepare_into(const AshRendered *r, const char *staging, AshDiags *diags) {
        if (mkdir(staging, 0755) < 0)
                return ash_fail(diags, -errno, ASH_NOWHERE, "%s: %s", staging, ash_strerror(-errno));
        _close_ int dir = open(staging, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int e = dir < 0 ? -errno : 0;
        for (size_t i = 0; i < r->files.n && e >= 0; i++)
                e = write_file(dir, &r->files.items[i]);
        if (e < 0)
                return ash_fail(diags, e, ASH_NOWHERE, "writing %s: %s", staging, ash_strerror(e));
        return ash_sources_place(&r->sources, dir, diags);
}

int ash_render_prepare(AshConfig *config, AshSlice name, const char *dir, const AshRenderOptions *options, AshDiags *diags) {
        _cleanup_(ash_rendered_free_p) AshRendered *r = NULL;
        AshRenderOptions all = *options;
        all.with_sources = true;
        int e = ash_render(config, name, &all, &r, diags);
        if (e < 0)
                return e;
        bool there = access(dir, F_OK) == 0;
        if (there && !may_replace(dir, r->spec))
                return ash_fail(diags, -ENOTEMPTY, ASH_NOWHERE, "%s is there and does not hold %s: it is not replaced", dir, r->spec);
        _free_ char *plain = ash_path_normalize(ash_slice_str(dir)), *staging = ash_asprintf("%s.new-%d", plain, (int) getpid()), *above = ash_slice_dup(ash_path_dir(ash_slice_str(plain)));
        e = *above ? ash_mkdir_all(AT_FDCWD, above, 0755) : 0;
        if (e < 0)
                return ash_fail_file(diags, e, above, "cannot make the directory that %s is to be in: %s", dir, ash_strerror(e));
        e = prepare_into(r, staging, diags);
        if (e >= 0) {
                e = there ? ash_dir_replace(AT_FDCWD, staging, plain) : rename(staging, plain) < 0 ? -errno : 0;
                if (e < 0)
                        ash_fail(diags, e, ASH_NOWHERE, "%s: %s", dir, ash_strerror(e));
        }
        if (e < 0)
                ash_remove_all(AT_FDCWD, staging);
        return e;
}
