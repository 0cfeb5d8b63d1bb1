/* The exact reader: rpmspec of a buildroot, in the sandbox. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "specinfo-private.h"

#define TOP "/tmp/build"
enum { OUTPUT_MAX = 16 << 20, PROCESSES = 256 };
#define MEMORY (UINT64_C(2) << 30)

struct AshSpecInfoRoot {
        AshSandboxRoom *room;
        ASH_ARRAY(const char *) layers;
        AshArena *arena;
};

void ash_specinfo_root_free(AshSpecInfoRoot *root) {
        if (!root)
                return;
        ash_sandbox_room_free(root->room);
        ash_array_done(&root->layers);
        ash_arena_free(root->arena);
        free(root);
}

static int reach_layer(AshSpecInfoRoot *root, const char *path, AshDiags *diags) {
        _free_ char *reached = NULL;
        int r = ash_sandbox_room_layer(root->room, path, &reached);
        if (r < 0)
                return ash_fail(diags, r, ASH_NOWHERE, "cannot bring the buildroot %s into the sandbox: %s", path, ash_strerror(r));
        ash_array_push(&root->layers, ash_arena_strdup(root->arena, reached));
        return 0;
}

/* Looked for once, here: else each of thousands of specs would fail for itself. */
static int find_programs(const char *const *layers, AshDiags *diags) {
        static const char *const programs[] = { "sh", "rpmspec" }, *const dirs[] = { "usr/bin", "bin" };
        for (size_t i = 0; i < ASH_N(programs); i++) {
                bool found = false;
                for (size_t k = 0; layers[k] && !found; k++)
                        for (size_t d = 0; d < ASH_N(dirs) && !found; d++) {
                                struct stat st;
                                _free_ char *path = ash_asprintf("%s/%s/%s", layers[k], dirs[d], programs[i]);
                                found = lstat(path, &st) >= 0;
                        }
                if (!found)
                        return ash_fail(diags, -ENOENT, ASH_NOWHERE, "there is no '%s' in the buildroot", programs[i]);
        }
        return 0;
}

int ash_specinfo_root_new(const char *const *layers, AshSpecInfoRoot **ret, AshDiags *diags) {
        _cleanup_(ash_specinfo_root_free_p) AshSpecInfoRoot *root = ash_calloc(1, sizeof *root);
        root->arena = ash_arena_new();
        int r = find_programs(layers, diags);
        if (r >= 0)
                r = ash_sandbox_room_new(&(AshSandboxRoomOptions){}, &root->room, diags);
        for (; r >= 0 && *layers; layers++)
                r = reach_layer(root, *layers, diags);
        if (r < 0)
                return r;
        ash_array_push(&root->layers, NULL);
        *ret = ASH_TAKE(root);
        return 0;
}

/* ---- the files, where the sandbox can see them ---- */
static int write_file(const AshTempDir *dir, const AshSpecFileOf *f) {
        _free_ char *path = ash_path_join(dir->path, f->name);
        for (char *slash = strchr(path + strlen(dir->path) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = 0;
                if (mkdir(path, 0755) < 0 && errno != EEXIST)
                        return -errno;
                *slash = '/';
        }
        if (S_ISLNK(f->mode)) {
                _free_ char *target = ash_slice_dup(f->data);
                return symlink(target, path) < 0 ? -errno : 0;
        }
        _close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
        return fd < 0 ? -errno : ash_write_all(fd, f->data.ptr, f->data.len);
}

static int write_files(const AshSpecInfoInput *in, AshTempDir **ret, AshDiags *diags) {
        _cleanup_(ash_tempdir_free_p) AshTempDir *dir = NULL;
        int r = ash_tempdir_new(NULL, &dir);
        if (r >= 0 && chmod(dir->path, 0755) < 0) /* in the sandbox somebody else reads it */
                r = -errno;
        for (size_t i = 0; r >= 0 && i < in->n_files; i++)
                r = write_file(dir, &in->files[i]);
        if (r < 0)
                return ash_fail_file(diags, r, in->spec, "cannot write what rpmspec reads: %s", ash_strerror(r));
        *ret = ASH_TAKE(dir);
        return 0;
}

/* ---- what rpm says ---- */
static const char script[] =
        "s=" TOP "/SOURCES/$1; shift\n"
        "set -- --define '_topdir " TOP "' --define '_sourcedir " TOP "/SOURCES' --define '_specdir " TOP "/SOURCES' \"$@\" \"$s\"\n"
        "rpmspec -q --srpm --qf '[B %{REQUIRENEVRS}\\n]' \"$@\" || exit 3\n"
        "rpmspec -q --qf 'P %{NAME} %{EPOCHNUM} %{VERSION} %{RELEASE} %{ARCH}\\n[p %{PROVIDENEVRS}\\n][r %{REQUIRENEVRS}\\n]' \"$@\" 2>/dev/null || exit 3\n"
        "echo F\n"
        "rpmspec -P \"$@\" 2>/dev/null || :\n";

static AshSpan span_of_line(AshSource *source, uint32_t line) {
        AshSlice rest = source->text, text = ASH_S("");
        for (uint32_t i = 0; i < line; i++)
                if (!ash_slice_next_line(&rest, &text))
                        return (AshSpan){ source, (uint32_t) source->text.len, 0 };
        return (AshSpan){ source, (uint32_t) (text.ptr - source->text.ptr), (uint32_t) text.len };
}

static int refuse(const AshSpecInfoInput *in, AshSlice err, AshDiags *diags) {
        AshSlice text;
        uint32_t n;
        const char *label = in->label ? in->label : in->spec;
        if (!ash_spec_error(err, ash_slice_str(in->spec), &n, &text))
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, label, "rpmspec fails with the spec of '%.*s': %.*s", ASH_F(in->component), ASH_F(ash_slice_trim(ash_slice_sub(err, 0, 400))));
        const AshSpecFileOf *file = ash_specinfo_spec(in);
        if (!file || !n)
                return ash_fail_file(diags, -ASH_ERR_SYNTAX, label, "rpm cannot parse the spec of '%.*s': %.*s", ASH_F(in->component), ASH_F(text));
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new(label, file->data);
        return ash_fail(diags, -ASH_ERR_SYNTAX, span_of_line(source, n), "rpm cannot parse the spec of '%.*s': %.*s", ASH_F(in->component), ASH_F(text));
}

static bool is_debug(AshSlice line) {
        AshSlice name;
        line = ash_slice_from(line, 2);
        return ash_slice_next_word(&line, &name) && (ash_slice_ends(name, ASH_S("-debuginfo")) || ash_slice_ends(name, ASH_S("-debugsource")));
}

typedef struct Files {
        AshArena *arena;
        AshMap packages;             /* name -> AshStr of "f PATH" lines */
} Files;

static AshStr *lines_of(Files *f, const AshSpecView *view, const AshSpecSection *section) {
        _free_ char *name = ash_spec_full_package(view, section);
        bool fresh;
        AshMapEntry *e = ash_map_ensure(&f->packages, ash_arena_slice(f->arena, ash_slice_str(name)), &fresh);
        if (fresh)
                e->value = ash_arena_new_item(f->arena, AshStr);
        return e->value;
}

/* Paths that %files names, by package, of the spec as rpm expanded it. */
static void collect_files(Files *f, AshSlice text, AshDiags *diags) {
        _cleanup_(ash_spec_free_p) AshSpecDoc *doc = NULL;
        _specview_ AshSpecView view = {};
        if (ash_spec_parse("spec", text, &doc, diags) < 0)
                return;
        ash_spec_view(doc, &view);
        ash_array_foreach(&view.sections, section) {
                AshStr *out = section->type == ASH_SECTION_FILES ? lines_of(f, &view, section) : NULL;
                for (size_t i = section->begin; out && i < section->end; i++) {
                        AshSlice path = ash_specinfo_path(doc->lines.items[i].text);
                        if (path.len)
                                ash_str_appendf(out, "f %.*s\n", ASH_F(path));
                }
        }
}

static void files_done(Files *f) {
        ash_map_foreach(&f->packages, e)
                ash_str_done(e->value);
        ash_map_done(&f->packages);
        ash_arena_free(f->arena);
}

/* A section of its own, or that of the build system that the spec names. Old rpms leave its head out of what they expanded, so that the spec as it was written has to do, too; who only seems to ask is asked in vain. */
static bool asks_dynamically(AshSlice text) {
        AshSlice line, tag = ASH_S("BuildSystem:");
        while (ash_slice_next_line(&text, &line)) {
                line = ash_slice_trim_left(line);
                if (ash_slice_starts(line, ASH_S(ASH_SPECINFO_DYNAMIC)) || ash_slice_eq_nocase(ash_slice_sub(line, 0, tag.len), tag))
                        return true;
        }
        return false;
}

static void take_output(const AshSpecInfoInput *in, AshSlice text, AshStr *out, AshDiags *diags) {
        Files f __attribute__((__cleanup__(files_done))) = { .arena = ash_arena_new() };
        ptrdiff_t end = ash_slice_find(text, ASH_S("\nF\n"));
        AshSlice rest = end < 0 ? text : ash_slice_sub(text, 0, (size_t) end + 1), line, package;
        bool left_out = false;
        AshSlice expanded = end < 0 ? ASH_S("") : ash_slice_from(text, (size_t) end + 3);
        const AshSpecFileOf *own = ash_specinfo_spec(in);
        if (expanded.len)
                collect_files(&f, expanded, diags);
        if (asks_dynamically(expanded) || (own && asks_dynamically(own->data)))
                ash_str_append_str(out, "D -\n");
        while (ash_slice_next_line(&rest, &line)) {
                const AshStr *files = NULL;
                if (ash_slice_starts(line, ASH_S("P "))) {
                        AshSlice words = ash_slice_from(line, 2);
                        left_out = is_debug(line);
                        files = ash_slice_next_word(&words, &package) ? ash_map_get(&f.packages, package) : NULL;
                }
                if (left_out)
                        continue;
                ash_str_append(out, line);
                ash_str_append_char(out, '\n');
                if (files)
                        ash_str_append(out, ash_str_slice(files));
        }
}

static int too_much(const AshSpecInfoInput *in, AshSandboxOver over, AshDiags *diags) {
        static const char *const what[] = { [ASH_SANDBOX_OVER_MEMORY] = "takes more than 2 GiB of memory", [ASH_SANDBOX_OVER_PROCESSES] = "starts processes without end", [ASH_SANDBOX_OVER_MACHINE] = "takes memory that this machine does not have" };
        return ash_fail_file(diags, -ASH_ERR_LIMIT, in->label ? in->label : in->spec, "parsing the spec of '%.*s' %s: a macro of it runs a program that does that", ASH_F(in->component), what[over]);
}

int ash_specinfo_rpmspec(AshSpecInfoRoot *root, const AshSpecInfoInput *in, AshStr *out, AshDiags *diags) {
        _cleanup_(ash_sandbox_result_done) AshSandboxResult result = {};
        _cleanup_(ash_tempdir_free_p) AshTempDir *dir = NULL;
        ASH_ARRAY(const char *) argv = {};
        int r = write_files(in, &dir, diags);
        if (r < 0)
                return r;
        const char *const head[] = { "/bin/sh", "-c", script, "sh", in->spec, "--target", NULL };
        for (const char *const *a = head; *a; a++)
                ash_array_push(&argv, *a);
        _free_ char *arch = ash_slice_dup(in->arch);
        ash_array_push(&argv, arch);
        for (const char *const *o = in->options; o && *o; o++)
                ash_array_push(&argv, *o);
        ash_array_push(&argv, NULL);
        const AshSandboxBind bind = { dir->path, TOP "/SOURCES", false };
        static const char *const env[] = { "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/tmp", "LANG=C.UTF-8", "TZ=UTC0", NULL };
        AshSandbox s = { .room = root->room, .argv = argv.items, .env = env, .layers = root->layers.items, .fresh = true, .uid = 1000, .gid = 1000, .binds = &bind, .n_binds = 1,
                         .limits = { .wall_ms = in->timeout_ms ? in->timeout_ms : ASH_SPECINFO_MS, .output = OUTPUT_MAX, .disk = 64 << 20, .processes = PROCESSES, .total = MEMORY } };
        r = ash_sandbox_run(&s, &result, diags);
        ash_array_done(&argv);
        if (r < 0)
                return r;
        if (result.taken.over)
                return too_much(in, result.taken.over, diags);
        if (result.process.timed_out)
                return -ETIMEDOUT;
        if (result.process.status != 0)
                return refuse(in, ash_str_slice(&result.process.err), diags);
        take_output(in, ash_str_slice(&result.process.out), out, diags);
        return 0;
}
