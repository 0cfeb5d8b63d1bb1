/* One component to packages. */
#include <ctype.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <time.h>
#include "build.h"
#include "flow-blame.h"
#include "flow-build.h"
#include "flow-built.h"
#include "json.h"
#include "specinfo.h"

#define CACHE "component-build"      /* key -> digest of the provenance record */
#define CACHE_REQUIRES "build-requires"
#define CACHE_KNOWN "build-known"    /* all that a build follows from, before anything is solved -> its key, and how many packages its root had */
#define ROUNDS 10                    /* of dynamic requirements */
enum { TIMEOUT = 7200 };
#define MEMORY (UINT64_C(8) << 30)
#define DISK (UINT64_C(20) << 30)
#define LOG (UINT64_C(64) << 20)

typedef ASH_ARRAY(AshRequest) Requests;

typedef struct Job {
        AshFlowBuilder *b;
        AshFlow *flow;
        const AshFlowBuildOptions *o;
        AshArena *arena;
        AshRendered *rendered;
        const AshComponentConfig *config;
        AshSlice component, arch;
        AshSource *spec;             /* the rendered spec, under the name that it has on disk */
        ASH_ARRAY(const char *) options; /* of rpmbuild */
        char inputs[ASH_FINGERPRINT_MAX + 24]; /* the fingerprint, and by how much the release was raised */
        char options_key[65];
        AshFlowRoot *base, *root;
        AshBuild *build;             /* made when something has to run */
        Requests requires;
        size_t n_static;             /* of them: what the spec says */
        bool dynamic;                /* it asks for more while it is built */
        int64_t epoch;               /* SOURCE_DATE_EPOCH */
        char key[65];
        AshBuilt *built;             /* ashlar.built */
        AshId known;                 /* key of CACHE_KNOWN */
        bool has_known;
        char *log_path;
        AshLockFile *turn;           /* one build of a component of a project at a time: they have one log */
        uint64_t began;
        AshFlowBuild *result;
} Job;

static void job_done(Job *j) {
        ash_build_free(j->build);
        ash_flow_root_free(j->root);
        ash_flow_root_free(j->base);
        ash_rendered_free(j->rendered);
        ash_source_free(j->spec);
        ash_array_done(&j->options);
        ash_array_done(&j->requires);
        ash_flow_build_free(j->result);
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

static void collect_options(Job *j) {
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

/* ---- places in the spec ---- */
static AshSpan line_span(const Job *j, uint32_t number) {
        AshSlice rest = j->spec->text, line;
        for (uint32_t n = 1; ash_slice_next_line(&rest, &line); n++)
                if (n == number)
                        return (AshSpan){ j->spec, (uint32_t) (line.ptr - j->spec->text.ptr), (uint32_t) ASH_MIN(line.len, (size_t) 1000) };
        return ASH_NOWHERE;
}

static bool is_word_char(char c) { return isalnum((unsigned char) c) || strchr("._+-:/()", c); }

/* The line that asks for a package; nowhere when a macro made it. */
static AshSpan required_at(const Job *j, AshSlice dep) {
        static const AshSlice tag = { "BuildRequires", 13 };
        AshSlice rest = j->spec->text, line, name;
        AshSlice text = dep;
        if (!ash_slice_next_word(&text, &name))
                return ASH_NOWHERE;
        while (ash_slice_next_line(&rest, &line)) {
                AshSlice trimmed = ash_slice_trim_left(line);
                if (trimmed.len < tag.len || !ash_slice_eq_nocase(ash_slice_sub(trimmed, 0, tag.len), tag))
                        continue;
                for (size_t at = tag.len; at + name.len <= trimmed.len; at++) {
                        bool begins = !is_word_char(trimmed.ptr[at - 1]) || trimmed.ptr[at - 1] == ':', ends = at + name.len == trimmed.len || !is_word_char(trimmed.ptr[at + name.len]);
                        if (begins && ends && !memcmp(trimmed.ptr + at, name.ptr, name.len))
                                return (AshSpan){ j->spec, (uint32_t) (trimmed.ptr + at - j->spec->text.ptr), (uint32_t) name.len };
                }
        }
        return ASH_NOWHERE;
}

/* rpmspec in the root whose rpmbuild refused the spec. */
typedef struct Parser {
        Job *j;
        AshSpecInfoRoot *root;
        ASH_ARRAY(const char *) options;
        ASH_ARRAY(AshSpecFileOf) files;
} Parser;

static bool parses(void *context, AshSlice spec) {
        Parser *p = context;
        _str_ AshStr out = {};
        ash_array_foreach(&p->files, f)
                if (!strcmp(f->name, p->j->rendered->spec))
                        f->data = spec;
        AshSpecInfoInput in = { .files = p->files.items, .n_files = p->files.n, .spec = p->j->rendered->spec, .component = p->j->component, .arch = p->j->arch, .options = p->options.items };
        return p->root && ash_specinfo_rpmspec(p->root, &in, &out, NULL) >= 0;
}

static void blame(Job *j, const AshFlowRoot *root, uint32_t line) {
        Parser p = { .j = j };
        ash_array_foreach(&j->options, o)
                if (*o && strcmp(*o, "--nocheck") != 0) /* rpmspec has no such option */
                        ash_array_push(&p.options, *o);
        ash_array_push(&p.options, NULL);
        ash_array_foreach(&j->rendered->files, f)
                ash_array_push(&p.files, ((AshSpecFileOf){ f->name, f->mode, f->data }));
        (void) ash_specinfo_root_new(ash_build_root_layers(root->root), &p.root, NULL);
        ash_flow_blame(j->flow, j->rendered, &j->o->render, line, parses, &p, j->flow->diags);
        ash_specinfo_root_free(p.root);
        ash_array_done(&p.options);
        ash_array_done(&p.files);
}

/* "Bad file: /builddir/build/SOURCES/x.tar.gz: No such file or directory" (rpm 4.18, build/parsePrep.c and build/spec.c): the name. */
static AshSlice missing_source(AshSlice text) {
        static const AshSlice dir = { "/SOURCES/", 9 };
        ptrdiff_t at = ash_slice_starts(text, ASH_S("Bad file: ")) || ash_slice_starts(text, ASH_S("Bad source: ")) ? ash_slice_find(text, dir) : -1;
        if (at < 0)
                return ASH_NOSLICE;
        AshSlice name = ash_slice_from(text, (size_t) at + dir.len);
        ptrdiff_t end = ash_slice_find(name, ASH_S(": "));
        return ash_slice_sub(name, 0, end < 0 ? name.len : (size_t) end);
}

static int source_missing(Job *j, AshSlice name) {
        int r = ash_fail_file(j->flow->diags, -ASH_ERR_SYNTAX, j->spec->name, "the spec of '%.*s' names '%.*s', which is neither beside it nor among its declared sources", ASH_F(j->component), ASH_F(name));
        ash_hint(j->flow->diags, "put it beside the spec; or declare where it comes from: a line in 'sources' with its digest, or [[components.%.*s.source-files]]", ASH_F(j->component));
        return r;
}

static int spec_failed(Job *j, const AshFlowRoot *root) {
        uint32_t line;
        AshSlice text;
        if (!ash_build_spec_error(j->build, &line, &text))
                return -ASH_ERR_SYNTAX;
        if (missing_source(text).ptr)
                return source_missing(j, missing_source(text));
        AshSpan at = line ? line_span(j, line) : ASH_NOWHERE;
        if (at.source)
                ash_fail(j->flow->diags, -ASH_ERR_SYNTAX, at, "rpm cannot parse the spec of '%.*s': %.*s", ASH_F(j->component), ASH_F(text));
        else
                ash_fail_file(j->flow->diags, -ASH_ERR_SYNTAX, j->spec->name, "rpm cannot parse the spec of '%.*s': %.*s", ASH_F(j->component), ASH_F(text));
        blame(j, root, line);
        ash_note(j->flow->diags, ASH_NOWHERE, "the whole log: %s", j->log_path);
        return -ASH_ERR_SYNTAX;
}

/* ---- the room ---- */
static char *log_path_of(const Job *j) {
        AshText dir = ash_config_project(j->flow->config)->info.log_dir;
        if (j->o->log_path)
                return ash_strdup(j->o->log_path);
        if (ash_text_set(dir))
                return ash_asprintf("%.*s/%.*s%s.log", ASH_F(dir.s), ASH_F(j->component), j->o->aside ? ".second" : "");
        return ash_asprintf("%s/logs/%.*s%s.log", j->o->output_dir, ASH_F(j->component), j->o->aside ? ".second" : "");
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
        int r = collect_files(j, &files, &n);
        if (r < 0)
                return r;
        _free_ char *dir = ash_slice_dup(ash_path_dir(ash_slice_str(j->log_path)));
        r = ash_mkdir_all(AT_FDCWD, dir, 0755);
        if (r < 0)
                return ash_fail_file(j->flow->diags, r, dir, "cannot make the directory of logs: %s", ash_strerror(r));
        int64_t timeout = j->config->build_timeout.set ? j->config->build_timeout.value : project->timeout.set ? project->timeout.value : TIMEOUT;
        AshBuildInput in = {
                .component = j->component, .arch = j->arch, .files = files, .n_files = n, .spec = j->rendered->spec, .options = j->options.items,
                .timeout_ms = (int) ASH_MIN(timeout, (int64_t) INT32_MAX / 1000) * 1000, .memory = bytes_of(j->config->build_memory, project->memory, MEMORY),
                .disk = bytes_of(j->config->build_disk, project->disk, DISK), .log_limit = bytes_of((AshText){}, project->log_limit, LOG), .log_path = j->log_path,
                .network = j->config->build_network.value == ASH_YES, .cpus = j->o->cpus, .clock_shift = j->o->clock_shift, .progress = j->flow->progress,
        };
        return ash_build_new(&in, &j->build, j->flow->diags);
}

static int run(Job *j, AshFlowRoot *root, AshBuildStep step) {
        int r = need_build(j);
        if (r >= 0)
                r = ash_build_run(j->build, root->root, step, j->epoch, j->flow->diags);
        return r == -ASH_ERR_SYNTAX ? spec_failed(j, root) : r;
}

/* A root that something is to run in. */
static int need_root(Job *j, AshFlowRoot **root, const AshRequest *more, size_t n) {
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

/* ---- what is required ---- */
/* "!name": must not be there. */
static void require(Job *j, AshSlice dep) {
        bool not = dep.len && dep.ptr[0] == '!';
        dep = ash_slice_from(dep, not);
        ash_array_foreach(&j->requires, r)
                if (ash_slice_eq(r->what, dep) && (r->job == ASH_REQUEST_EXCLUDE) == not)
                        return;
        ash_array_push(&j->requires, ((AshRequest){ .what = ash_arena_slice(j->arena, dep), .job = not ? ASH_REQUEST_EXCLUDE : ASH_REQUEST_INSTALL, .reason = ASH_REASON_USER, .at = required_at(j, dep) }));
}

static AshId requires_key(const Job *j, const char *root_key, const char *what) {
        _str_ AshStr text = {};
        ash_str_appendf(&text, "%s %d %s %s %s %s\n", what, ASH_BUILD_ENGINE, ASHLAR_VERSION, j->inputs, root_key, j->options_key);
        return ash_id_of(ash_str_slice(&text));
}

static bool recall_requires(Job *j, const AshId *key) {
        _bytes_ AshBytes bytes = {};
        AshSlice rest, line, word;
        if (ash_store_cache_get(j->flow->store, CACHE_REQUIRES, key, &bytes) < 0)
                return false;
        rest = ash_bytes_slice(&bytes);
        uint64_t epoch;
        if (!ash_slice_next_line(&rest, &line) || !ash_slice_next_word(&line, &word) || ash_slice_to_u64(word, 10, &epoch) < 0)
                return false;
        j->epoch = (int64_t) epoch;
        while (ash_slice_next_line(&rest, &line))
                require(j, line);
        return true;
}

static int read_requires(Job *j, const AshId *key) {
        AshSlice srpm, *deps;
        size_t n;
        int64_t epoch = -1;
        _str_ AshStr text = {};
        int r = ash_build_srpm(j->build, &srpm, j->flow->diags);
        if (r >= 0)
                r = ash_build_requires(srpm, j->rendered->spec, j->arena, &deps, &n, &epoch, j->flow->diags);
        if (r < 0)
                return r;
        if (j->epoch < 0)
                j->epoch = epoch >= 0 ? epoch : 0; /* no changelog: the beginning of time, which is the same for everybody */
        ash_str_appendf(&text, "%lld\n", (long long) j->epoch);
        for (size_t i = 0; i < n; i++) {
                require(j, deps[i]);
                ash_str_appendf(&text, "%.*s\n", ASH_F(deps[i]));
        }
        (void) ash_store_cache_put(j->flow->store, CACHE_REQUIRES, key, ash_str_slice(&text)); /* only a loss of time */
        return 0;
}

static int solve_root(Job *j, bool only_packages) {
        AshFlowRoot *root = NULL;
        int r = ash_flow_builder_root(j->b, j->config->build_stage, j->requires.items, j->requires.n, only_packages, &root);
        if (r < 0) {
                ash_note(j->flow->diags, j->rendered->component->name.at, "needed to build '%.*s' in the stage '%.*s'", ASH_F(j->component), ASH_F(j->config->build_stage.s.len ? j->config->build_stage.s : ASH_S("default")));
                return r;
        }
        ash_flow_root_free(j->root);
        j->root = root;
        return 0;
}

static int static_requires(Job *j) {
        int r = ash_flow_builder_root(j->b, j->config->build_stage, NULL, 0, true, &j->base);
        if (r < 0)
                return r;
        AshId key = requires_key(j, j->base->key, "static");
        j->epoch = -1;
        if (recall_requires(j, &key)) {
                j->n_static = j->requires.n;
                return solve_root(j, true);
        }
        r = need_root(j, &j->base, NULL, 0);
        if (r >= 0)
                r = run(j, j->base, ASH_BUILD_SRPM);
        if (r >= 0)
                r = read_requires(j, &key);
        j->n_static = j->requires.n;
        return r < 0 ? r : solve_root(j, true);
}

/* A section of its own, or of the build system that the spec names; macros within it are rpm's to expand. */
static bool asks_dynamically(const Job *j) {
        AshSlice rest = j->spec->text, line, tag = ASH_S("BuildSystem:");
        while (ash_slice_next_line(&rest, &line)) {
                line = ash_slice_trim_left(line);
                if (ash_slice_starts(line, ASH_S("%generate_buildrequires")) || ash_slice_eq_nocase(ash_slice_sub(line, 0, tag.len), tag))
                        return true;
        }
        return false;
}

/* Until what is required stays the same: each answer may bring what the next question needs. */
static int dynamic_requires(Job *j) {
        j->dynamic = asks_dynamically(j);
        if (!j->dynamic)
                return 0;
        for (int round = 0; round < ROUNDS; round++) {
                char before[65];
                memcpy(before, j->root->key, sizeof before);
                AshId key = requires_key(j, j->root->key, "dynamic");
                int r = 0;
                if (!recall_requires(j, &key)) {
                        r = need_root(j, &j->root, j->requires.items, j->requires.n);
                        if (r >= 0)
                                r = run(j, j->root, ASH_BUILD_REQUIRES);
                        if (r == 0)
                                return 0;
                        if (r > 0)
                                r = read_requires(j, &key);
                }
                if (r >= 0)
                        r = solve_root(j, true);
                if (r < 0 || !strcmp(before, j->root->key))
                        return r;
        }
        return ash_fail(j->flow->diags, -ELOOP, j->rendered->component->name.at, "'%.*s' requires something new each time it is asked: after %d rounds there is no end", ASH_F(j->component), ROUNDS);
}

/* ---- the record ---- */
static void make_key(Job *j) {
        _str_ AshStr text = {};
        ash_str_appendf(&text, "component build %d %s\n%s\n%s\n%.*s\n%s\n%lld\n", ASH_BUILD_ENGINE, ASHLAR_VERSION, j->inputs, j->root->key, ASH_F(j->arch), j->options_key, (long long) j->epoch);
        ash_digest_hex_of(ASH_SHA256, ash_str_slice(&text), j->key);
}

static void write_sources(AshJson *json, const Job *j) {
        ash_json_begin(json, "sources", '[');
        ash_array_foreach(&j->rendered->sources.items, s) {
                ash_json_begin(json, NULL, '{');
                ash_json_text(json, "name", s->filename);
                ash_json_str(json, "digest-kind", ash_digest_name(s->kind));
                ash_json_str(json, "digest", s->hex);
                ash_json_str(json, "from", ash_source_origin_name(s->origin));
                if (s->absent)
                        ash_json_bool(json, "absent", true);
                ash_json_end(json, '}');
        }
        ash_json_end(json, ']');
        ash_json_begin(json, "files", '[');
        ash_array_foreach(&j->rendered->files, f) {
                char hex[ASH_HEX_MAX];
                ash_digest_hex_of(ASH_SHA256, f->data, hex);
                ash_json_begin(json, NULL, '{');
                ash_json_str(json, "name", f->name);
                ash_json_str(json, "sha256", hex);
                ash_json_end(json, '}');
        }
        ash_json_end(json, ']');
}

static void write_root(AshJson *json, const Job *j) {
        ash_json_begin(json, "buildroot", '{');
        ash_json_str(json, "key", j->root->key);
        ash_json_text(json, "stage", j->config->build_stage.s.len ? j->config->build_stage.s : ASH_S("default"));
        ash_json_begin(json, "packages", '[');
        for (size_t i = 0; i < j->root->n_packages; i++) {
                ash_json_begin(json, NULL, '{');
                ash_json_text(json, "nevra", j->root->packages[i].nevra);
                ash_json_text(json, "sha256", j->root->packages[i].sha256);
                ash_json_text(json, "upstream", j->root->packages[i].upstream);
                ash_json_end(json, '}');
        }
        ash_json_end(json, ']');
        ash_json_end(json, '}');
}

static void write_record(Job *j, const AshBuildPackages *packages, const char *log, AshStr *out) {
        AshJson json = { .out = out };
        ash_json_begin(&json, NULL, '{');
        ash_json_int(&json, "format", 1);
        ash_json_text(&json, "component", j->component);
        ash_json_text(&json, "arch", j->arch);
        ash_json_str(&json, "key", j->key);
        ash_json_str(&json, "fingerprint", j->rendered->fingerprint->text);
        ash_json_text(&json, "upstream", j->rendered->fingerprint->origin);
        if (j->rendered->fingerprint->commit.len)
                ash_json_text(&json, "commit", j->rendered->fingerprint->commit);
        ash_json_str(&json, "engine", ASHLAR_VERSION);
        ash_json_int(&json, "source-date-epoch", j->epoch);
        ash_json_bool(&json, "network", j->config->build_network.value == ASH_YES);
        if (j->config->build_network.value == ASH_YES)
                ash_json_text(&json, "network-reason", j->config->network_reason.s);
        ash_json_begin(&json, "options", '[');
        ash_array_foreach(&j->options, w)
                if (*w)
                        ash_json_str(&json, NULL, *w);
        ash_json_end(&json, ']');
        write_sources(&json, j);
        write_root(&json, j);
        ash_json_begin(&json, "packages", '[');
        ash_array_foreach(&packages->items, p) {
                char hex[ASH_ID_HEX];
                ash_id_hex(&p->id, hex);
                ash_json_begin(&json, NULL, '{');
                ash_json_str(&json, "nevra", p->nevra);
                ash_json_str(&json, "file", p->file);
                ash_json_str(&json, "kind", ash_built_kind_name(p->kind));
                ash_json_str(&json, "sha256", hex);
                ash_json_uint(&json, "size", p->bytes.len);
                ash_json_end(&json, '}');
        }
        ash_json_end(&json, ']');
        ash_json_str(&json, "log", log);
        ash_json_begin(&json, "run", '{'); /* of this one build: nothing follows from it */
        ash_json_int(&json, "ended", (int64_t) time(NULL));
        ash_json_double(&json, "seconds", (double) ((ash_now_ns() - j->began) / 1000000) / 1000);
        ash_json_uint(&json, "processors", j->o->cpus ? j->o->cpus : ash_cpu_count());
        ash_json_end(&json, '}');
        ash_json_end(&json, '}');
        ash_str_append_char(out, '\n');
}

static AshSlice keep(Job *j, const char *text) { return ash_arena_slice(j->result->arena, ash_slice_str(text)); }

/* The component of ashlar.built out of a record; false when something that it names is not in the store any more. */
static bool read_record(Job *j, AshSlice text, const char *hex) {
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("record", text);
        AshJsonValue *record;
        AshId id;
        AshArena *a = j->result->arena;
        if (ash_json_parse(source, a, &record, NULL) < 0)
                return false;
        const AshJsonValue *packages = ash_json_get(record, "packages");
        AshSlice log = ash_json_get_string(record, "log");
        if (!packages || packages->type != ASH_JSON_ARRAY || ash_id_parse(log, &id) < 0 || !ash_store_has_blob(j->flow->store, &id))
                return false;
        AshBuiltComponent *c = &j->result->built;
        const char *fingerprint = strchr(j->rendered->fingerprint->text, ':');
        *c = (AshBuiltComponent){ .name = ash_arena_slice(a, j->component), .arch = ash_arena_slice(a, j->arch), .key = keep(j, j->key), .fingerprint = keep(j, fingerprint ? fingerprint + 1 : j->rendered->fingerprint->text), .log = log,
                                  .base = ash_arena_slice(a, j->rendered->base), .bumps = j->rendered->bumps, .provenance = keep(j, hex), .packages = ash_arena_new_items(a, AshBuiltPackage, packages->array.n + 1) };
        for (size_t i = 0; i < packages->array.n; i++) {
                const AshJsonValue *p = packages->array.items[i];
                int64_t size = 0;
                AshBuiltPackage *to = &c->packages[c->n_packages++];
                *to = (AshBuiltPackage){ .nevra = ash_json_get_string(p, "nevra"), .sha256 = ash_json_get_string(p, "sha256"), .kind = ash_built_kind(ash_json_get_string(p, "kind")) };
                if (!to->nevra.ptr || to->kind < 0 || !ash_json_get_int(p, "size", &size) || ash_id_parse(to->sha256, &id) < 0 || !ash_store_has_blob(j->flow->store, &id))
                        return false;
                to->size = (uint64_t) size;
        }
        char path[ASH_BLOB_PATH_MAX];
        (void) ash_id_parse(log, &id);
        ash_store_blob_path(&id, path);
        j->result->log_path = ash_arena_printf(a, "%s/%s", ash_store_path(j->flow->store), path);
        return c->n_packages > 0;
}

static bool recall(Job *j) {
        _bytes_ AshBytes hex = {}, record = {};
        AshId key, id;
        (void) ash_id_parse(ash_slice_str(j->key), &key);
        if (j->o->force || j->o->aside || ash_store_cache_get(j->flow->store, CACHE, &key, &hex) < 0 || ash_id_parse(ash_bytes_slice(&hex), &id) < 0)
                return false;
        if (ash_store_map_blob(j->flow->store, &id, true, &record, NULL) < 0)
                return false;
        char text[ASH_ID_HEX];
        ash_id_hex(&id, text);
        j->result->cached = read_record(j, ash_bytes_slice(&record), text);
        return j->result->cached;
}

/* ---- what was required, for plans ---- */
static int by_text(const void *a, const void *b) { return ash_slice_cmp(*(const AshSlice *) a, *(const AshSlice *) b); }

static void tell_requires(Job *j) {
        AshFlowBuild *b = j->result;
        AshArena *a = b->arena;
        b->requires = ash_arena_new_items(a, AshSlice, j->requires.n + 1);
        ash_array_foreach(&j->requires, r)
                b->requires[b->n_requires++] = ash_slice_str(ash_arena_printf(a, "%s%.*s", r->job == ASH_REQUEST_EXCLUDE ? "!" : "", ASH_F(r->what)));
        if (!j->dynamic)
                return;
        b->built.asked = ash_arena_new_items(a, AshSlice, j->requires.n + 1);
        for (size_t i = j->n_static; i < b->n_requires; i++)
                b->built.asked[b->built.n_asked++] = b->requires[i];
        if (b->built.n_asked)
                qsort(b->built.asked, b->built.n_asked, sizeof *b->built.asked, by_text);
}

/* ---- known at once ----
 * When nothing that the last build followed from has changed, nothing is opened and nothing solved: ashlar.built says what it gave. */
static bool tell_known(Job *j, const AshBuilt *built, AshId *ret) {
        AshId state;
        _str_ AshStr text = {};
        if (ash_flow_builder_state(j->b, j->config->build_stage, built, &state) < 0)
                return false;
        ash_str_appendf(&text, "%s %s %s ", CACHE_KNOWN, j->inputs, j->options_key);
        ash_str_append(&text, ash_slice((const char *) state.sha256, sizeof state.sha256));
        *ret = ash_id_of(ash_str_slice(&text));
        return true;
}

static bool is_in_store(AshFlow *flow, AshSlice hex) {
        AshId id;
        return ash_id_parse(hex, &id) >= 0 && ash_store_has_blob(flow->store, &id);
}

static bool is_whole(AshFlow *flow, const AshBuiltComponent *c) {
        bool whole = c->n_packages && is_in_store(flow, c->log) && is_in_store(flow, c->provenance);
        for (size_t i = 0; whole && i < c->n_packages; i++)
                whole = is_in_store(flow, c->packages[i].sha256);
        return whole;
}

/* Into the result, by way of a list of one. */
static void take_built(Job *j, const AshBuiltComponent *c) {
        char path[ASH_BLOB_PATH_MAX];
        AshId id;
        AshBuilt one = { .arena = j->result->arena };
        ash_built_set(&one, c);
        j->result->built = one.components.items[0];
        ash_array_done(&one.components);
        (void) ash_id_parse(c->log, &id);
        ash_store_blob_path(&id, path);
        j->result->log_path = ash_arena_printf(j->result->arena, "%s/%s", ash_store_path(j->flow->store), path);
}

static bool recall_known(Job *j) {
        _bytes_ AshBytes bytes = {};
        AshSlice rest, key, count;
        uint64_t n;
        const AshBuiltComponent *c = ash_built_find(j->built, j->component, j->arch);
        if (j->o->aside || j->o->only_requires)
                return false;
        j->has_known = tell_known(j, j->built, &j->known);
        if (!j->has_known || j->o->force || !c || ash_store_cache_get(j->flow->store, CACHE_KNOWN, &j->known, &bytes) < 0)
                return false;
        rest = ash_slice_trim(ash_bytes_slice(&bytes));
        if (!ash_slice_next_word(&rest, &key) || !ash_slice_next_word(&rest, &count) || ash_slice_to_u64(count, 10, &n) < 0 || !ash_slice_eq(key, c->key) || !is_whole(j->flow, c))
                return false;
        take_built(j, c);
        j->result->root_packages = (size_t) n;
        j->result->cached = true;
        return true;
}

/* Not when another build ended meanwhile: its packages may be in the root, or not. */
static void remember_known(Job *j) {
        _cleanup_(ash_built_free_p) AshBuilt *now = NULL;
        _free_ char *record = ash_flow_built_path(j->flow->config);
        _str_ AshStr text = {};
        AshId known;
        ash_str_appendf(&text, "%s %zu\n", j->key, j->root->n_packages);
        if (j->has_known && ash_built_read(record, &now, NULL) >= 0 && tell_known(j, now, &known) && ash_id_eq(&known, &j->known))
                (void) ash_store_cache_put(j->flow->store, CACHE_KNOWN, &j->known, ash_str_slice(&text)); /* only a loss of time */
}

/* ---- building ---- */
static int store_results(Job *j, const AshBuildPackages *packages) {
        AshStore *store = j->flow->store;
        AshDiags *diags = j->flow->diags;
        AshId log, record, key;
        char hex[ASH_ID_HEX];
        _str_ AshStr text = {};
        int r = 0;
        ash_array_foreach(&packages->items, p)
                if (r >= 0)
                        r = ash_store_put_blob(store, p->bytes, &p->id, NULL, diags);
        if (r >= 0)
                r = ash_store_put_blob(store, ash_build_log(j->build), NULL, &log, diags);
        if (r < 0)
                return r;
        ash_id_hex(&log, hex);
        write_record(j, packages, hex, &text);
        r = ash_store_put_blob(store, ash_str_slice(&text), NULL, &record, diags);
        if (r < 0)
                return r;
        ash_id_hex(&record, hex);
        (void) ash_id_parse(ash_slice_str(j->key), &key);
        if (!j->o->aside)
                (void) ash_store_cache_put(store, CACHE, &key, ash_slice_str(hex)); /* only a loss of time */
        if (!read_record(j, ash_str_slice(&text), hex))
                return ash_fail(diags, -EIO, ASH_NOWHERE, "the store does not keep what '%.*s' gave", ASH_F(j->component));
        j->result->log_path = ash_arena_strdup(j->result->arena, j->log_path);
        return 0;
}

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
        if (r < 0 && j->config && j->config->failure_expected.value == ASH_YES)
                ash_note(j->flow->diags, j->config->failure_expected.at, "it is expected to fail: %.*s", ASH_F(j->config->failure_reason.s));
        if (r < 0 && j->build && j->o->shell && j->o->before_shell)
                j->o->before_shell(j->o->context);
        if (r < 0 && j->build && j->o->shell)
                (void) ash_build_shell(j->build, j->flow->diags);
        return r;
}

static int build(Job *j) {
        AshBuildPackages packages = {};
        int r = need_root(j, &j->root, j->requires.items, j->requires.n);
        if (r >= 0)
                r = run(j, j->root, ASH_BUILD_PACKAGES);
        if (r >= 0)
                r = ash_build_packages(j->build, j->epoch, &packages, j->flow->diags);
        if (r >= 0)
                r = store_results(j, &packages);
        ash_build_packages_done(&packages);
        return r;
}

static int (*const stages[])(Job *j) = { static_requires, dynamic_requires };

static int end_with_requires(Job *j, int r, AshFlowBuild **ret) {
        j->dynamic = asks_dynamically(j);
        tell_requires(j);
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
                collect_options(&j);
        if (r >= 0 && recall_known(&j)) {
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
                make_key(&j);
        if (r >= 0 && !recall(&j))
                r = build(&j);
        r = finish(&j, r);
        if (r >= 0)
                tell_requires(&j);
        if (r >= 0)
                r = ash_flow_build_needs(flow, j.root, &j.result->built, j.result->arena);
        if (r < 0)
                return r;
        remember_known(&j);
        j.result->root_packages = j.root->n_packages;
        j.result->ns = ash_now_ns() - j.began;
        *ret = ASH_TAKE(j.result);
        return 0;
}

/* ---- twice ---- */
static const AshBuiltPackage *same_name(const AshBuiltComponent *c, AshSlice nevra) {
        for (size_t i = 0; i < c->n_packages; i++)
                if (ash_slice_eq(c->packages[i].nevra, nevra))
                        return &c->packages[i];
        return NULL;
}

static int map_package(AshFlow *flow, const AshBuiltPackage *p, AshBytes *ret) {
        AshId id;
        (void) ash_id_parse(p->sha256, &id);
        int r = ash_store_map_blob(flow->store, &id, true, ret, flow->diags);
        return r < 0 ? ash_fail(flow->diags, r, ASH_NOWHERE, "%.*s is not in the store any more", ASH_F(p->nevra)) : 0;
}

static int compare(AshFlow *flow, const AshBuiltComponent *first, const AshBuiltComponent *second, AshStr *out) {
        size_t n = 0;
        for (size_t i = 0; i < first->n_packages; i++) {
                _bytes_ AshBytes a = {}, b = {};
                const AshBuiltPackage *p = &first->packages[i], *q = same_name(second, p->nevra);
                _free_ char *name = ash_slice_dup(p->nevra);
                if (!q) {
                        ash_str_appendf(out, "%s: only in the first build\n", name);
                        n++;
                        continue;
                }
                if (ash_slice_eq(p->sha256, q->sha256))
                        continue;
                int r = map_package(flow, p, &a);
                if (r >= 0)
                        r = map_package(flow, q, &b);
                if (r < 0)
                        return r;
                n += ash_build_compare(ash_bytes_slice(&a), ash_bytes_slice(&b), name, out);
        }
        for (size_t i = 0; i < second->n_packages; i++)
                if (!same_name(first, second->packages[i].nevra)) {
                        ash_str_appendf(out, "%.*s: only in the second build\n", ASH_F(second->packages[i].nevra));
                        n++;
                }
        return n > 0;
}

int ash_flow_build_verify(AshFlowBuilder *b, AshSlice component, const AshFlowBuildOptions *o, AshFlowBuild **ret, AshStr *ret_differences) {
        _cleanup_(ash_flow_build_free_p) AshFlowBuild *first = NULL, *second = NULL;
        AshFlowBuildOptions again = *o;
        int r = ash_flow_build(b, component, o, &first);
        if (r < 0)
                return r;
        again.aside = true;
        again.cpus = 1;
        again.clock_shift = 400 * 86400;
        again.log_path = NULL;
        r = ash_flow_build(b, component, &again, &second);
        if (r < 0) {
                ash_note(ash_flow_builder_flow(b)->diags, ASH_NOWHERE, "in the second build, 400 days later and with one processor");
                return r;
        }
        r = compare(ash_flow_builder_flow(b), &first->built, &second->built, ret_differences);
        if (r >= 0)
                *ret = ASH_TAKE(first);
        return r;
}
