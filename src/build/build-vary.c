/* A build that has something otherwise than builds have it, to see what of that gets into packages. What is varied is what another machine, another day or another person's rebuild would have otherwise;
 * reproducible-builds.org, "Variations in the build environment", and reprotest(1) name the same. */
#include <stdio.h>
#include "build-private.h"

#define SECOND "second"
#define SECOND_ID 4711
#define SECOND_HOST "another.example.org"
#define SECOND_TOP "/builddir/" SECOND "/build-in-another-place" /* of another length: shorter names may hide in padding */

static const struct {
        const char *name, *words;
} rows[ASH_VARY_MAX_] = {
        [ASH_VARY_TIME] = { "time", "400 days later" },
        [ASH_VARY_PROCESSORS] = { "processors", "with one processor" },
        [ASH_VARY_PATH] = { "path", "in " SECOND_TOP },
        [ASH_VARY_HOST] = { "host", "on a host called " SECOND_HOST },
        [ASH_VARY_USER] = { "user", "as the user '" SECOND "'" },
        [ASH_VARY_UMASK] = { "umask", "with umask 077" },
        [ASH_VARY_TIMEZONE] = { "timezone", "14 hours east of Greenwich" },
};
const char *ash_build_vary_name(AshBuildVary what) { return rows[what].name; }

AshBuildVary ash_build_vary(AshSlice name) {
        for (int i = 0; i < ASH_VARY_MAX_; i++)
                if (ash_slice_eqs(name, rows[i].name))
                        return i;
        return ASH_VARY_INVALID_;
}

void ash_build_vary_tell(unsigned set, AshStr *out) {
        for (int i = 0, n = 0; i < ASH_VARY_MAX_; i++)
                if (set & 1u << i) {
                        ash_str_appendf(out, "%s%s", n == 0 ? "" : set >> (i + 1) ? ", " : " and ", rows[i].words);
                        n++;
                }
}

static bool varies(const AshBuild *b, AshBuildVary what) { return b->in.vary >> what & 1; }

const char *ash_build_vary_top(unsigned set) { return set & 1u << ASH_VARY_PATH ? SECOND_TOP : ASH_BUILD_TOP; }

uint32_t ash_build_vary_uid(const AshBuild *b) { return varies(b, ASH_VARY_USER) ? SECOND_ID : ASH_BUILD_UID; }

const char *const *ash_build_vary_env(AshBuild *b, int64_t epoch) {
        bool other = varies(b, ASH_VARY_USER);
        const char *all[] = {
                "PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin", "LANG=C.UTF-8", "SHELL=/bin/bash", other ? "HOME=/builddir/home-of-" SECOND : "HOME=/builddir", other ? "USER=" SECOND : "USER=mockbuild",
                other ? "LOGNAME=" SECOND : "LOGNAME=mockbuild", varies(b, ASH_VARY_TIMEZONE) ? "TZ=EAST-14" : "TZ=UTC0", epoch >= 0 ? ash_arena_printf(b->arena, "SOURCE_DATE_EPOCH=%lld", (long long) epoch) : NULL, NULL,
        };
        const char **env = ash_arena_new_items(b->arena, const char *, ASH_N(all));
        memcpy(env, all, sizeof all);
        return env;
}

void ash_build_vary_sandbox(const AshBuild *b, AshSandbox *s) {
        if (varies(b, ASH_VARY_TIME))
                s->clock_shift = 400 * 86400;
        if (varies(b, ASH_VARY_PROCESSORS))
                s->limits.cpus = 1;
        if (varies(b, ASH_VARY_HOST))
                s->host_name = SECOND_HOST;
        if (varies(b, ASH_VARY_USER))
                s->uid = s->gid = SECOND_ID;
}

/* rpm's scripts set the umask themselves; rpm, and the macros that it runs, have this one. */
const char *const *ash_build_vary_command(const AshBuild *b) {
        static const char *const none[] = { NULL }, *const masked[] = { "/bin/sh", "-c", "umask 077; exec \"$@\"", "sh", NULL };
        return varies(b, ASH_VARY_UMASK) ? masked : none;
}

/* ---- files that know the user and the host ---- */
static const struct {
        const char *path, *line, *other; /* the line that begins so becomes another one */
        AshBuildVary what;
} files[] = {
        { "etc/passwd", "mockbuild:", SECOND ":x:4711:4711:builds packages:/builddir/home-of-" SECOND ":/bin/bash", ASH_VARY_USER },
        { "etc/group", "mockbuild:", SECOND ":x:4711:", ASH_VARY_USER },
        { "etc/hosts", "127.0.0.1", "127.0.0.1 localhost " SECOND_HOST " another", ASH_VARY_HOST },
};

static void write_other(AshSlice text, size_t i, AshStr *out) {
        AshSlice line;
        while (text.len && ash_slice_next_line(&text, &line))
                if (ash_slice_starts(line, ash_slice_str(files[i].line)))
                        ash_str_appendf(out, "%s\n", files[i].other);
                else
                        ash_str_appendf(out, "%.*s\n", ASH_F(line));
}

typedef struct Texts {
        AshStr of[ASH_N(files)];     /* empty: stays as it is */
        bool home;
} Texts;

static void texts_done(Texts *t) {
        for (size_t i = 0; i < ASH_N(files); i++)
                ash_str_done(&t->of[i]);
}

static int place_texts(AshSandboxCall *c, void *data) {
        const Texts *t = data;
        if (t->home && ((mkdirat(c->base, "builddir/home-of-" SECOND, 0755) < 0 && errno != EEXIST) || fchownat(c->base, "builddir/home-of-" SECOND, SECOND_ID, SECOND_ID, AT_SYMLINK_NOFOLLOW) < 0))
                return -errno;
        if (mkdirat(c->base, "etc", 0755) < 0 && errno != EEXIST)
                return -errno;
        for (size_t i = 0; i < ASH_N(files); i++) {
                _close_ int fd = t->of[i].len ? openat(c->base, files[i].path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644) : -1;
                int r = !t->of[i].len ? 0 : fd < 0 ? -errno : ash_write_all(fd, t->of[i].ptr, t->of[i].len);
                if (r < 0)
                        return r;
        }
        return 0;
}

int ash_build_vary_files(AshBuild *b, const AshBuildRoot *root, AshDiags *diags) {
        Texts t __attribute__((__cleanup__(texts_done))) = { .home = varies(b, ASH_VARY_USER) };
        char problem[256];
        bool any = false;
        for (size_t i = 0; i < ASH_N(files); i++)
                for (const char *const *l = ash_build_root_layers(root); *l && varies(b, files[i].what) && !t.of[i].len; l++) {
                        _bytes_ AshBytes text = {};
                        _free_ char *path = ash_path_join(*l, files[i].path);
                        if (ash_file_read(AT_FDCWD, path, 1 << 20, &text) >= 0)
                                write_other(ash_bytes_slice(&text), i, &t.of[i]);
                        any |= t.of[i].len > 0;
                }
        int r = any ? ash_sandbox_room_call(b->room, place_texts, &t, NULL, problem) : 0;
        return r < 0 ? ash_fail(diags, r, ASH_NOWHERE, "cannot vary the user and the host: %s", ash_strerror(r)) : 0;
}
