/* What a hook would do to a fresh image. Only what is known exactly is decided here; nobody reads shell. */
#include "compose-alternatives.h"
#include "io-digest.h"
#include "scriptlets-private.h"

enum { HANDLERS_MAX = 8 };

/* ---- names of handlers: "a,b" ---- */
static bool is_there(AshSlice name, const AshHandler *table) {
        for (const AshHandler *h = table; h && h->name; h++)
                if (ash_slice_eqs(name, h->name))
                        return true;
        return false;
}

static bool are_there(const char *names, const AshHandler *table) {
        AshSlice rest = ash_slice_str(names), name;
        while (ash_slice_split(&rest, ',', &name))
                if (!is_there(name, table))
                        return false;
        return true;
}

static void add_names(AshStr *out, const char *names) {
        AshSlice rest = ash_slice_str(names), name, have, each;
        while (names && ash_slice_split(&rest, ',', &name)) {
                bool found = false;
                for (have = ash_str_slice(out); out->len && !found && ash_slice_split(&have, ',', &each);)
                        found = ash_slice_eq(each, name);
                if (!found)
                        ash_str_appendf(out, "%s%.*s", out->len ? "," : "", ASH_F(name));
        }
}

/* ---- the form that is compared ---- */
typedef struct Form {
        AshStr text;                 /* the rest, with one line "\1" for each recognised block */
        AshStr handlers;             /* of the blocks */
        size_t blocks, lines;
        const char *reason;          /* of the last block */
} Form;
static void form_done(Form *f) {
        ash_str_done(&f->text);
        ash_str_done(&f->handlers);
}

/* A line of a Lua table of names: the list of filesystem's triggers, which is another one in each version. */
static bool is_table_line(AshSlice line) {
        line = ash_slice_trim(line);
        if (line.len < 12 || !ash_slice_starts(line, ASH_S("[\"")) || !ash_slice_ends(line, ASH_S("\"] = true,")))
                return false;
        for (size_t i = 2; i < line.len - 10; i++)
                if (line.ptr[i] <= ' ' || line.ptr[i] == '"' || line.ptr[i] == '\\')
                        return false;
        return true;
}

static bool is_shell(const AshHook *h) {
        static const char *const shells[] = { "/bin/sh", "/usr/bin/sh", "/bin/bash", "/usr/bin/bash" };
        for (size_t i = 0; i < ASH_N(shells); i++)
                if (h->n_program == 1 && ash_slice_eqs(h->program[0], shells[i]))
                        return true;
        return false;
}
static bool is_lua(const AshHook *h) { return h->n_program == 1 && ash_slice_eqs(h->program[0], "<lua>"); }

static void form_of(const AshHook *h, Form *f) {
        AshSlice rest = h->body, line;
        size_t blank = 0;
        bool in_table = false;
        ash_str_appendf(&f->text, "%s\n", ash_hook_kind_name(h->kind));
        for (uint32_t i = 0; i < h->n_program; i++)
                ash_str_appendf(&f->text, "%s%.*s", i ? " " : "", ASH_F(h->program[i]));
        ash_str_appendf(&f->text, "\n%u\n", h->flags);
        while (rest.ptr && rest.len) {
                const char *handlers, *reason;
                if (is_shell(h) && !h->flags && ash_hook_template(h->kind, &rest, &handlers, &reason)) {
                        add_names(&f->handlers, handlers);
                        f->blocks++;
                        f->reason = reason;
                        ash_str_append_str(&f->text, "\1\n");
                        blank = 0;
                        continue;
                }
                ash_slice_next_line(&rest, &line);
                line = ash_slice_trim_right(line);
                if (!line.len) {
                        blank++;
                        continue;
                }
                bool table = is_lua(h) && is_table_line(line);
                for (; f->lines && blank; blank--)
                        ash_str_append_char(&f->text, '\n');
                blank = 0;
                f->lines++;
                if (!table || !in_table)
                        ash_str_appendf(&f->text, "%.*s\n", table ? 1 : (int) line.len, table ? "\1" : line.ptr);
                in_table = table;
        }
}

void ash_hook_digest(const AshHook *h, char ret[static 65], AshStr *ret_form) {
        _cleanup_(form_done) Form f = {};
        form_of(h, &f);
        ash_digest_hex_of(ASH_SHA256, ash_str_slice(&f.text), ret);
        if (ret_form)
                ash_str_append(ret_form, ash_str_slice(&f.text));
}

/* ---- the decision ---- */
static void set(AshHook *h, AshHookWay way, const char *handlers, const char *reason) {
        h->way = way;
        h->handlers = handlers;
        h->reason = reason;
}

static const AshKnownHook *find_known(const char *digest) {
        for (const AshKnownHook *k = ash_known_hooks; k->digest; k++)
                if (!strcmp(k->digest, digest))
                        return k;
        return NULL;
}

/* The handler reads the same scriptlets of the headers, with the same function. */
static bool registers_alternatives(const AshHook *h) {
        _str_ AshStr lines = {};
        return (h->kind == ASH_HOOK_POST || h->kind == ASH_HOOK_POSTTRANS) && ash_alternatives_script(h->program, h->n_program, h->flags, h->body, &lines);
}

/* The whole first line, in a shell: what comes after it never runs in a root that is not booted. */
static bool ends_at_once(const AshHook *h) {
        AshSlice rest = h->body, line = {};
        return is_shell(h) && ash_slice_next_line(&rest, &line) && ash_slice_eqs(line, "[ -d /run/systemd/system ] || exit 0");
}

static void decide(AshHook *h, AshArena *arena) {
        _cleanup_(form_done) Form f = {};
        char digest[65];
        if (h->kind >= ASH_HOOK_REMOVAL)
                return set(h, ASH_WAY_NO_EFFECT, NULL, "never runs at an installation");
        if (!ash_slice_trim(h->body).len) {
                if (h->n_program == 1 && (ash_slice_eqs(h->program[0], "/sbin/ldconfig") || ash_slice_eqs(h->program[0], "/usr/sbin/ldconfig")))
                        return set(h, ASH_WAY_HANDLER, "ldcache", "ldconfig");
                if (is_shell(h) || is_lua(h))
                        return set(h, ASH_WAY_NO_EFFECT, NULL, "its body is empty");
        }
        if (ends_at_once(h))
                return set(h, ASH_WAY_NO_EFFECT, NULL, "its first line ends it where systemd does not run");
        if (registers_alternatives(h))
                return set(h, ASH_WAY_HANDLER, "alternatives", "registers alternatives with literal words, nothing else");
        form_of(h, &f);
        ash_digest_hex_of(ASH_SHA256, ash_str_slice(&f.text), digest);
        const AshKnownHook *known = find_known(digest);
        if (!known && (!f.blocks || f.lines))
                return set(h, ASH_WAY_SANDBOX, NULL, "its body is not known");
        if (known)
                add_names(&f.handlers, known->handlers);
        const char *names = f.handlers.len ? ash_arena_strndup(arena, f.handlers.ptr, f.handlers.len) : NULL;
        const char *reason = known ? known->reason : f.blocks > 1 ? "standard macros" : f.reason;
        set(h, names ? ASH_WAY_HANDLER : ASH_WAY_NO_EFFECT, names, reason);
}

void ash_hook_decide(AshHook *h, const AshHandler *handlers, AshArena *arena) {
        decide(h, arena);
        if (h->way == ASH_WAY_HANDLER && !are_there(h->handlers, handlers))
                set(h, ASH_WAY_SANDBOX, NULL, ash_arena_printf(arena, "there is no handler %s", h->handlers));
        h->executes = h->way == ASH_WAY_SANDBOX && !is_lua(h);
}
