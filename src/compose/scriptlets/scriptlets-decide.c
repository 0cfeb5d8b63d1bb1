/* What a hook would do to a fresh image. Only what is known exactly is decided here; nobody reads shell. */
#include "io-digest.h"
#include "scriptlets-private.h"

static bool has_handlers(const char *names, const AshHandler *table) {
        AshSlice rest = ash_slice_str(names), name;
        while (ash_slice_split(&rest, ',', &name)) {
                const AshHandler *h = table;
                while (h && h->name && !ash_slice_eqs(name, h->name))
                        h++;
                if (!h || !h->name)
                        return false;
        }
        return true;
}

void ash_hook_text(const AshHook *h, AshStr *out) {
        AshSlice rest = h->body, line;
        size_t blank = 0, start;
        ash_str_appendf(out, "%s\n", ash_hook_kind_name(h->kind));
        for (uint32_t i = 0; i < h->n_program; i++)
                ash_str_appendf(out, "%s%.*s", i ? " " : "", ASH_F(h->program[i]));
        ash_str_appendf(out, "\n%u\n", h->flags);
        start = out->len;
        while (rest.ptr && ash_slice_next_line(&rest, &line)) {
                line = ash_slice_trim_right(line);
                if (!line.len) {
                        blank++;
                        continue;
                }
                for (; out->len > start && blank; blank--)
                        ash_str_append_char(out, '\n');
                blank = 0;
                ash_str_append(out, line);
                ash_str_append_char(out, '\n');
        }
}

static void set(AshHook *h, AshHookWay way, const char *handlers, const char *reason) {
        h->way = way;
        h->handlers = handlers;
        h->reason = reason;
}

static bool is_program(const AshHook *h, const char *a, const char *b) { return h->n_program == 1 && (ash_slice_eqs(h->program[0], a) || ash_slice_eqs(h->program[0], b)); }

static void decide(AshHook *h) {
        bool empty = !ash_slice_trim(h->body).len;
        if (h->kind >= ASH_HOOK_REMOVAL)
                set(h, ASH_WAY_NO_EFFECT, NULL, "never runs at an installation");
        else if (empty && is_program(h, "/sbin/ldconfig", "/usr/sbin/ldconfig"))
                set(h, ASH_WAY_HANDLER, "ldcache", "ldconfig");
        else if (empty && (is_program(h, "/bin/sh", "/usr/bin/sh") || is_program(h, "/bin/bash", "/usr/bin/bash") || is_program(h, "<lua>", "<lua>")))
                set(h, ASH_WAY_NO_EFFECT, NULL, "its body is empty");
        else
                set(h, ASH_WAY_SANDBOX, NULL, "its body is not known");
}

void ash_hook_decide(AshHook *h, const AshHandler *handlers) {
        decide(h);
        if (h->way == ASH_WAY_HANDLER && !has_handlers(h->handlers, handlers))
                set(h, ASH_WAY_SANDBOX, NULL, "its handler is not there");
        h->executes = h->way == ASH_WAY_SANDBOX && !is_program(h, "<lua>", "<lua>");
}
