/* Decisions about scriptlets: scriptlet-tool digest KIND PROGRAM FLAGS (the body on standard input) prints digest, way, handlers and reason, TAB between them; with --form also the form that is digested.
 * scriptlet-tool handlers: names of handlers that the table of known bodies and templates speaks of and that do not exist. scriptlet-tool known: the table. */
#include <stdio.h>
#include "handlers.h"
#include "scriptlets-private.h"

static AshHookKind kind_of(const char *name) {
        for (AshHookKind k = 0; k < ASH_HOOK_KIND_MAX_; k++)
                if (!strcmp(name, ash_hook_kind_name(k)))
                        return k;
        return ASH_HOOK_KIND_INVALID_;
}

static int print_digest(char **argv, bool form) {
        _bytes_ AshBytes body = {};
        _str_ AshStr text = {};
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshSlice program = ash_slice_str(argv[1]);
        uint64_t flags = 0;
        char digest[65];
        AshHook h = { .kind = kind_of(argv[0]), .program = &program, .n_program = 1 };
        if (h.kind == ASH_HOOK_KIND_INVALID_ || ash_slice_to_u64(ash_slice_str(argv[2]), 10, &flags) < 0 || ash_file_read_fd(0, 1 << 20, &body) < 0)
                return 2;
        h.flags = (uint32_t) flags;
        h.body = ash_bytes_slice(&body);
        ash_hook_digest(&h, digest, &text);
        ash_hook_decide(&h, ash_handlers, arena);
        printf("%s\t%s\t%s\t%s\n", digest, ash_hook_way_name(h.way), h.handlers ? h.handlers : "", h.reason);
        if (form)
                fputs(text.ptr, stdout);
        return 0;
}

static void print_missing(const char *handlers, const char *reason) {
        AshSlice rest = ash_slice_str(handlers), name;
        while (handlers && ash_slice_split(&rest, ',', &name))
                if (!ash_handler_find(name))
                        printf("%.*s: %s\n", ASH_F(name), reason);
}

int main(int argc, char **argv) {
        if (argc >= 5 && !strcmp(argv[1], "digest"))
                return print_digest(argv + 2, argc > 5 && !strcmp(argv[5], "--form"));
        if (argc != 2)
                return 2;
        for (const AshKnownHook *k = ash_known_hooks; k->digest; k++)
                if (!strcmp(argv[1], "known"))
                        printf("%s\t%s\t%s\n", k->digest, k->handlers ? k->handlers : "", k->reason);
                else
                        print_missing(k->handlers, k->reason);
        for (size_t i = 0; !strcmp(argv[1], "handlers") && i < ash_hook_template_count(); i++)
                print_missing(ash_hook_template_handlers(i), "a template");
        return 0;
}
