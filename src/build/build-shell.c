/* A shell in a build that failed: where the section was that failed, with what rpm set for it. */
#include <stdio.h>
#include "build-private.h"

/* Read by bash before its first prompt. Of the section's script the leading assignments and exports are executed, up to the first command that does anything else: those are what rpm, the macros and the section itself
 * set. The shell's hook for debuggers sees each command before it is executed: 1 leaves it out, 2 ends the script. */
static const char set_up[] =
        "set +o history\n"
        "__ashlar_step() {\n"
        "  [[ ${BASH_SOURCE[1]} == \"${ASHLAR_SECTION##* }\" ]] || return 0\n"
        "  case $BASH_COMMAND in\n"
        "    export\\ *|unset\\ *|\\[\\ *|:) [[ $BASH_COMMAND == *'$('* ]] && return 2 || return 0 ;;\n"
        "    set\\ *|umask\\ *|cd\\ *|\"rm -rf \"*|\"/usr/bin/rm -rf \"*|mkdir\\ *|/usr/bin/mkdir\\ *) return 1 ;;\n"
        "  esac\n"
        "  [[ $BASH_COMMAND =~ ^[A-Za-z_][A-Za-z_0-9]*=(\\\"[^\\\"]*\\\"|\\'[^\\']*\\'|[^[:space:]\\\"\\'])*$ && $BASH_COMMAND != *'$('* ]] && return 0\n"
        "  return 2\n"
        "}\n"
        "__ashlar_environment() {\n"
        "  local script=${ASHLAR_SECTION##* }\n"
        "  [ -r \"$script\" ] || return 0\n"
        "  shopt -s extdebug\n"
        "  trap '__ashlar_step' DEBUG\n"
        "  . \"$script\" > /dev/null 2>&1\n"
        "}\n"
        "__ashlar_environment\n"
        "trap - DEBUG\n"
        "shopt -u extdebug\n"
        "unset -f __ashlar_step __ashlar_environment\n"
        "set +x +e -o history\n"
        "again() { (exec $ASHLAR_SECTION); }\n"
        "PS1='buildroot \\w\\$ '\n";

static const char told[] =
        "if [ -r \"${ASHLAR_SECTION##* }\" ]; then\n"
        "  echo \"This is where $ASHLAR_PHASE failed, with its environment. 'again' runs it once more: ${ASHLAR_SECTION##* }, which may be changed. 'exit' ends, and the build is gone.\" >&2\n"
        "else\n"
        "  unset -f again\n"
        "  echo \"This is the build as it is after $ASHLAR_PHASE failed, which is rpm's own work and no script. What was installed: $(ls -d \"$PWD\"/BUILD/*/BUILDROOT \"$PWD\"/BUILDROOT/* 2> /dev/null | head -n 1). 'exit' ends, and the build is gone.\" >&2\n"
        "fi\n";

/* "+ cd one-1.0", "+ cd 'a b'": the shell's trace of changes of directory, one after the other. The first ones are rpm's: into BUILD, and to where %setup unpacked. %prep itself goes there. */
static void follow(AshSlice section, bool all, AshStr *dir) {
        AshSlice line, mark = ASH_S("+ cd ");
        unsigned n = 0;
        while (ash_slice_next_line(&section, &line)) {
                if (!ash_slice_starts(line, mark) || (!all && n == 2))
                        continue;
                AshSlice to = ash_slice_trim(ash_slice_from(line, mark.len));
                if (to.len > 1 && to.ptr[0] == '\'' && to.ptr[to.len - 1] == '\'')
                        to = ash_slice_sub(to, 1, to.len - 2);
                if (ash_slice_starts(to, ASH_S("/")))
                        ash_str_clear(dir);
                else
                        ash_str_append_char(dir, '/');
                ash_str_append(dir, to);
                n++;
        }
}

typedef struct Place {
        const char *dir;
} Place;
static int check_dir(AshSandboxCall *c, void *data) {
        struct stat st;
        const Place *p = data;
        return fstatat(c->base, p->dir + 1, &st, 0) < 0 ? -errno : S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* NULL: it is not there any more, or was never made. */
static const char *section_dir(AshBuild *b) {
        _str_ AshStr dir = {};
        char problem[256];
        follow(ash_build_last_section(ash_str_slice(&b->tail)), !strcmp(b->phase, "%prep"), &dir);
        if (!dir.len || dir.ptr[0] != '/' || !ash_slice_starts(ash_str_slice(&dir), ash_slice_str(b->top)))
                return NULL;
        const char *path = ash_arena_strdup(b->arena, dir.ptr);
        return ash_sandbox_room_call(b->room, check_dir, &(Place){ path }, NULL, problem) < 0 ? NULL : path;
}

int ash_build_shell(AshBuild *b, AshDiags *diags) {
        static const char *const argv[] = { "/bin/bash", "--rcfile", ASH_SANDBOX_SCRIPT, "-i", NULL };
        _cleanup_(ash_sandbox_result_done) AshSandboxResult out = {};
        const char *const *usual = ash_build_vary_env(b, b->epoch);
        ASH_ARRAY(const char *) env = {};
        _str_ AshStr script = {};
        if (!b->layers.n)
                return 0;
        for (; *usual; usual++)
                ash_array_push(&env, *usual);
        ash_array_push(&env, "TERM=xterm");
        ash_array_push(&env, ash_arena_printf(b->arena, "ASHLAR_PHASE=%s", b->phase[0] ? b->phase : "rpmbuild"));
        ash_array_push(&env, ash_arena_printf(b->arena, "ASHLAR_SECTION=%s", b->script));
        ash_array_push(&env, NULL);
        ash_str_append_str(&script, set_up);
        if (b->script[0])
                ash_str_append_str(&script, told);
        const char *dir = section_dir(b);
        AshSandbox s = ash_build_sandbox(b);
        s.argv = argv;
        s.env = env.items;
        s.script = ash_str_slice(&script);
        s.shell = true;
        s.cwd = dir ? dir : b->top;
        int r = ash_sandbox_run(&s, &out, diags);
        ash_array_done(&env);
        return r;
}
