/* One component to packages. */
#include <stdio.h>
#include <unistd.h>
#include "flow-build-private.h"
#include "flow-built.h"
#include "flow-late.h"

enum { TIMEOUT = 7200 };
#define DISK (UINT64_C(20) << 30)
#define LOG (UINT64_C(64) << 20)

static void job_done(Job *j) {
        ash_build_free(j->build);
        ash_flow_root_free(j->root);
        ash_flow_root_free(j->base);
        ash_rendered_free(j->rendered);
        ash_source_free(j->spec);
        ash_array_done(&j->options);
        ash_array_done(&j->requires);
        ash_flow_build_free(j->result);
        ash_flow_built_state_done(&j->built_state);
        ash_built_free(j->built);
        free(j->log_path);
        ash_lock_free(j->turn);
        ash_arena_free(j->arena);
}

void ash_flow_build_free(AshFlowBuild *b) {
        if (!b)
                return;
        ash_arena_free(b->arena);
        free(b);
}

/* ---- what the component says ---- */
static uint64_t bytes_of(AshText own, AshText project, uint64_t otherwise) {
        uint64_t n;
        return ash_slice_to_bytes(own.s.len ? own.s : project.s, &n) < 0 ? otherwise : n;
}

static void add_options(Job *j, const char *option, const char *const *values) {
        for (; values && *values; values++) {
                ash_array_push(&j->options, option);
                ash_array_push(&j->options, *values);
        }
}

void ash_flow_job_collect_options(Job *j) {
        _str_ AshStr text = {};
        add_options(j, "--with", j->o->with);
        add_options(j, "--without", j->o->without);
        add_options(j, "--define", j->o->defines);
        if (j->o->no_check)
                ash_array_push(&j->options, "--nocheck");
        ash_array_foreach(&j->options, w)
                ash_str_appendf(&text, "%zu:%s,", strlen(*w), *w);
        if (j->config->build_network.value == ASH_YES) /* what came from there may be in the packages */
                ash_str_append(&text, ASH_S("network"));
        ash_digest_hex_of(ASH_SHA256, ash_str_slice(&text), j->options_key);
        ash_array_push(&j->options, NULL);
}

static int render(Job *j) {
        AshRenderOptions options = j->o->render;
        _free_ char *record = ash_flow_built_path(j->flow->config);
        options.with_sources = true;
        int r = ash_built_read(record, &j->built, j->flow->diags); /* how often it was changed, for its release */
        if (r < 0)
                return r;
        options.built = j->built;
        ash_flow_built_state_make(&j->built_state, j->built, j->arch);
        ash_progress_begin(j->flow->progress, "rendering and fetching sources", 0, ASH_UNIT_ITEMS);
        r = ash_render(j->flow->config, j->component, &options, &j->rendered, j->flow->diags);
        ash_progress_end(j->flow->progress);
        if (r < 0)
                return r;
        snprintf(j->inputs, sizeof j->inputs, "%s+%llu", j->rendered->fingerprint->text, (unsigned long long) j->rendered->bumps);
        j->config = j->rendered->component->merged;
        _free_ char *dir = ash_render_output_dir(j->flow->config, &options), *path = ash_asprintf("%s/%.*s/%s", dir, ASH_F(j->component), j->rendered->spec);
        j->spec = ash_source_new(path, ash_rendered_find(j->rendered, j->rendered->spec)->data);
        return 0;
}

/* ---- the room ---- */
static char *log_path_of(const Job *j) {
        AshText dir = ash_config_project(j->flow->config)->info.log_dir;
        const char *which = j->o->only_key ? ".why" : j->o->aside ? ".second" : j->o->force ? ".rebuild" : ""; /* the first build's log stays */
        if (j->o->log_path)
                return ash_strdup(j->o->log_path);
        if (ash_text_set(dir))
                return ash_asprintf("%.*s/%.*s%s.log", ASH_F(dir.s), ASH_F(j->component), which);
        return ash_asprintf("%s/logs/%.*s%s.log", j->o->output_dir, ASH_F(j->component), which);
}

/* What a build takes for a signature that could not be had is what Ashlar put there, and the record says so of each. */
static int refuse_note(const Job *j, AshSlice name, AshSlice bytes) {
        if (!ash_slice_starts(bytes, ASH_S(ASH_SOURCE_NOTE)))
                return 0;
        return ash_fail(j->flow->diags, -ASH_ERR_VERIFY, j->rendered->component->name.at, "'%.*s' of '%.*s' says that a signature could not be had: only Ashlar may, of one that it looked for", ASH_F(name), ASH_F(j->component));
}

static int refuse_notes(const Job *j) {
        int r = 0;
        ash_array_foreach(&j->rendered->files, f)
                if (r >= 0)
                        r = refuse_note(j, ash_slice_str(f->name), f->data);
        ash_array_foreach(&j->rendered->sources.items, s) {
                char head[sizeof ASH_SOURCE_NOTE];
                _close_ int fd = r < 0 || s->absent || !s->path ? -1 : open(s->path, O_RDONLY | O_CLOEXEC);
                ssize_t n = fd < 0 ? 0 : pread(fd, head, sizeof head, 0);
                if (n > 0)
                        r = refuse_note(j, s->filename, ash_slice(head, (size_t) n));
        }
        return r;
}

static int collect_files(Job *j, AshBuildFile **ret, size_t *ret_n) {
        AshRendered *r = j->rendered;
        *ret = ash_arena_new_items(j->arena, AshBuildFile, r->files.n + r->sources.items.n + 1);
        *ret_n = 0;
        ash_array_foreach(&r->files, f)
                (*ret)[(*ret_n)++] = (AshBuildFile){ .name = f->name, .spec = !strcmp(f->name, r->spec), .mode = f->mode, .data = f->data };
        ash_array_foreach(&r->sources.items, s) {
                if (!s->path)
                        return ash_fail(j->flow->diags, -ENOENT, s->at, "the source '%.*s' of '%.*s' is not at hand", ASH_F(s->filename), ASH_F(j->component));
                bool there = false;
                for (size_t i = 0; i < *ret_n; i++)
                        there |= ash_slice_eqs(s->filename, (*ret)[i].name);
                if (!there)
                        (*ret)[(*ret_n)++] = (AshBuildFile){ .name = ash_arena_strndup(j->arena, s->filename.ptr, s->filename.len), .mode = 0644, .path = s->path };
        }
        return 0;
}

static int need_build(Job *j) {
        const AshBuildConfig *project = &ash_config_project(j->flow->config)->build;
        AshBuildFile *files;
        size_t n;
        if (j->build)
                return 0;
        int r = refuse_notes(j);
        if (r >= 0)
                r = collect_files(j, &files, &n);
        if (r < 0)
                return r;
        _free_ char *dir = ash_slice_dup(ash_path_dir(ash_slice_str(j->log_path)));
        r = ash_mkdir_all(AT_FDCWD, dir, 0755);
        if (r < 0)
                return ash_fail_file(j->flow->diags, r, dir, "cannot make the directory of logs: %s", ash_strerror(r));
        int64_t timeout = j->config->build_timeout.set ? j->config->build_timeout.value : project->timeout.set ? project->timeout.value : TIMEOUT;
        AshBuildInput in = {
                .component = j->component, .arch = j->arch, .files = files, .n_files = n, .spec = j->rendered->spec, .options = j->options.items,
                .parse_ms = ash_flow_late_limit(j->flow, j->config), .timeout_ms = (int) ASH_MIN(timeout, (int64_t) INT32_MAX / 1000) * 1000, .memory = bytes_of(j->config->build_memory, project->memory, 0),
                .disk = bytes_of(j->config->build_disk, project->disk, DISK), .log_limit = bytes_of((AshText){}, project->log_limit, LOG), .log_path = j->log_path,
                .network = j->config->build_network.value == ASH_YES, .vary = j->o->vary, .progress = j->flow->progress,
        };
        return ash_build_new(&in, &j->build, j->flow->diags);
}

int ash_flow_job_run(Job *j, AshFlowRoot *root, AshBuildStep step) {
        int r = need_build(j);
        if (r >= 0)
                r = ash_build_run(j->build, root->root, step, j->epoch, j->flow->diags);
        if (j->build)
                j->result->memory = ash_build_most_memory(j->build);
        return r == -ASH_ERR_SYNTAX ? ash_flow_job_spec_failed(j, root) : r;
}

/* A root that something is to run in. */
int ash_flow_job_need_root(Job *j, AshFlowRoot **root, const AshRequest *more, size_t n) {
        AshFlowRoot *made = NULL;
        if ((*root)->root)
                return 0;
        int r = ash_flow_builder_root(j->b, j->config->build_stage, more, n, false, &made);
        if (r < 0)
                return r;
        ash_flow_root_free(*root);
        *root = made;
        return 0;
}

/* ---- building ---- */
static void keep_build(Job *j) {
        AshText work = ash_config_project(j->flow->config)->info.work_dir;
        char *dir = ash_text_set(work) ? ash_arena_printf(j->result->arena, "%.*s/%.*s", ASH_F(work.s), ASH_F(j->component)) : ash_arena_printf(j->result->arena, "%s/work/%.*s", j->o->output_dir, ASH_F(j->component));
        if (ash_build_keep(j->build, dir, j->flow->diags) >= 0) {
                j->result->kept = dir;
                ash_info(j->flow->diags, ASH_NOWHERE, "the build directory is in %s", dir);
        }
}

/* Whatever the end: what the person asked to see of it. */
static int finish(Job *j, int r) {
        if (j->build && j->o->keep && !j->o->aside)
                keep_build(j);
        if (r == -EIO && j->build && j->rendered)
                ash_flow_job_note_patch(j);
        if (r < 0 && j->config && j->config->failure_expected.value == ASH_YES)
                ash_note(j->flow->diags, j->config->failure_expected.at, "it is expected to fail: %.*s", ASH_F(j->config->failure_reason.s));
        if ((r == -EIO || r == -ETIMEDOUT || r == -ASH_ERR_LIMIT) && j->build && !j->o->shell && !j->o->aside)
                ash_note(j->flow->diags, ASH_NOWHERE, "'ashlar component build %.*s --shell' opens a shell where it failed; --keep copies the build directory out", ASH_F(j->component));
        if (r < 0 && j->build && j->o->shell && j->o->before_shell)
                j->o->before_shell(j->o->context);
        if (r < 0 && j->build && j->o->shell)
                (void) ash_build_shell(j->build, j->flow->diags);
        return r;
}

/* What is cached has its log where a build leaves it: another build may have written its own there, and whatever ran before this one was known has. */
static int lay_log(const Job *j) {
        _free_ char *dir = ash_slice_dup(ash_path_dir(ash_slice_str(j->log_path)));
        _bytes_ AshBytes kept = {}, laid = {};
        struct stat st;
        if (ash_file_map(AT_FDCWD, j->result->log_path, &kept) < 0)
                return 0;
        if (stat(j->log_path, &st) == 0 && S_ISREG(st.st_mode) && ash_file_map(AT_FDCWD, j->log_path, &laid) >= 0 && ash_slice_eq(ash_bytes_slice(&kept), ash_bytes_slice(&laid)))
                return 0;
        int r = ash_mkdir_all(AT_FDCWD, dir, 0755);
        _close_ int fd = r < 0 ? -1 : open(j->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644); /* as a build opens it: it may be a device */
        if (r >= 0)
                r = fd < 0 ? -errno : ash_write_all(fd, kept.ptr, kept.len);
        return r < 0 ? ash_fail_file(j->flow->diags, r, j->log_path, "'%.*s' is known, but its log cannot be written: %s", ASH_F(j->component), ash_strerror(r)) : 0;
}

static int build(Job *j) {
        AshBuildPackages packages = {};
        int r = ash_flow_job_need_root(j, &j->root, j->requires.items, j->requires.n);
        if (r >= 0)
                r = ash_flow_job_run(j, j->root, ASH_BUILD_PACKAGES);
        if (r >= 0)
                r = ash_build_packages(j->build, j->epoch, &packages, j->flow->diags);
        if (r >= 0)
                r = ash_flow_job_store_results(j, &packages);
        ash_build_packages_done(&packages);
        return r;
}

static int (*const stages[])(Job *j) = { ash_flow_job_static_requires, ash_flow_job_dynamic_requires };

static int end_with_requires(Job *j, int r, AshFlowBuild **ret) {
        j->dynamic = ash_flow_job_asks(j);
        ash_flow_job_tell_requires(j);
        j->result->built.name = ash_arena_slice(j->result->arena, j->component);
        j->result->built.arch = ash_arena_slice(j->result->arena, j->arch);
        j->result->unmet = r < 0;
        j->result->ns = ash_now_ns() - j->began;
        *ret = ASH_TAKE(j->result);
        return 0;
}

/* Who waited finds in the cache what the other made. */
static int take_turn(Job *j) {
        _str_ AshStr text = {};
        char hex[65];
        ash_str_appendf(&text, "%s\n%.*s\n%.*s\n", ash_config_dir(j->flow->config), ASH_F(j->component), ASH_F(j->arch));
        ash_digest_hex_of(ASH_SHA256, ash_str_slice(&text), hex);
        const char *place = ash_arena_printf(j->arena, "locks/build-%.32s", hex);
        int fd = ash_store_fd(j->flow->store), r = ash_mkdir_all(fd, "locks", 0755);
        if (r >= 0)
                r = ash_lock_acquire(fd, place, true, 0, &j->turn);
        if (r == -EAGAIN) {
                ash_progress_begin(j->flow->progress, ash_arena_printf(j->arena, "%.*s is built by another process: waiting", ASH_F(j->component)), 0, ASH_UNIT_ITEMS);
                r = ash_lock_acquire(fd, place, true, -1, &j->turn);
                ash_progress_end(j->flow->progress);
        }
        return r < 0 ? ash_fail_file(j->flow->diags, r, ash_store_path(j->flow->store), "cannot lock %s: %s", place, ash_strerror(r)) : 0;
}

int ash_flow_build(AshFlowBuilder *b, AshSlice component, const AshFlowBuildOptions *o, AshFlowBuild **ret) {
        AshFlow *flow = ash_flow_builder_flow(b);
        Job j __attribute__((__cleanup__(job_done))) = { .b = b, .flow = flow, .o = o, .arena = ash_arena_new(), .component = component, .arch = ash_flow_builder_arch(b), .began = ash_now_ns(),
                                                           .result = ash_calloc(1, sizeof(AshFlowBuild)) };
        ash_flow_builder_for(b, component);
        j.result->arena = ash_arena_new();
        j.log_path = log_path_of(&j);
        int r = render(&j);
        if (r >= 0)
                ash_flow_job_collect_options(&j);
        if (r >= 0 && ash_flow_job_recall_known(&j)) {
                ash_flow_job_tell_unverified(&j);
                r = lay_log(&j);
                if (r < 0)
                        return r;
                j.result->ns = ash_now_ns() - j.began;
                *ret = ASH_TAKE(j.result);
                return 0;
        }
        if (r >= 0)
                r = take_turn(&j);
        for (size_t i = 0; r >= 0 && i < ASH_N(stages); i++)
                r = stages[i](&j);
        if (o->only_requires && (r >= 0 || r == -ASH_ERR_UNSOLVABLE))
                return end_with_requires(&j, r, ret);
        if (r >= 0)
                ash_flow_job_make_key(&j);
        if (r >= 0 && o->only_key) {
                ash_flow_job_tell_key(&j);
                *ret = ASH_TAKE(j.result);
                return 0;
        }
        if (r >= 0 && !ash_flow_job_recall(&j))
                r = build(&j);
        r = finish(&j, r);
        if (r >= 0 && j.result->cached)
                r = lay_log(&j);
        if (r >= 0)
                ash_flow_job_tell_requires(&j);
        if (r >= 0)
                r = ash_flow_build_needs(flow, j.root, &j.result->built, j.result->arena);
        if (r < 0)
                return r;
        ash_flow_job_tell_unverified(&j);
        ash_flow_job_remember_known(&j);
        ash_flow_job_tell_reach(&j);
        j.result->root_packages = j.root->n_packages;
        j.result->ns = ash_now_ns() - j.began;
        *ret = ASH_TAKE(j.result);
        return 0;
}
