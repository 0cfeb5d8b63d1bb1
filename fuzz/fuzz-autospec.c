/* A spec's preamble, its Release line and its rendering; a commit message. Input: a spec, then a NUL, then a message. */
#include "autospec-private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

static void check_message(AshSlice message) {
        _str_ AshStr items = {};
        (void) ash_message_magic(message);
        ash_message_items(message, &items);
        AshSlice rest = ash_str_slice(&items), line;
        while (ash_slice_next_line(&rest, &line))
                must(ash_slice_starts(line, ASH_S("-")) || ash_slice_starts(line, ASH_S("  ")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AshSlice in = ash_slice((const char *) data, ASH_MIN(size, (size_t) 1 << 18));
        ptrdiff_t nul = ash_slice_find_char(in, 0);
        AshSlice spec = ash_slice_sub(in, 0, nul < 0 ? in.len : (size_t) nul), message = ash_slice_from(in, nul < 0 ? in.len : (size_t) nul + 1);
        _spec_facts_ AshSpecFacts facts = {};
        ash_spec_facts(spec, NULL, &facts);
        check_message(message);
        AshAutospecEntry entry = { .text = ASH_S("* Tue Nov 14 2023 A <a@b> - 1-1\n- x") };
        AshAutospec a = { .number = 3, .complete = ASH_S("3"), .entries = { .items = &entry, .n = 1 } };
        _str_ AshStr once = {}, twice = {}, thrice = {}, bumped = {};
        ash_autospec_render(spec, &a, &once);
        must(!ash_autospec_uses_release(ash_str_slice(&once)) || !ash_autospec_uses_release(spec));
        must(!ash_autospec_uses_changelog(ash_str_slice(&once)));
        /* What stands behind %autochangelog goes; when that was a Release line, another one may come to count. Then it is done. */
        ash_autospec_render(ash_str_slice(&once), &a, &twice);
        ash_autospec_render(ash_str_slice(&twice), &a, &thrice);
        must(ash_slice_eq(ash_str_slice(&twice), ash_str_slice(&thrice)));
        if (ash_release_apply(spec, ASH_RELEASE_AUTO, 0, ASH_NOWHERE, &bumped, NULL) == 0)
                must(ash_slice_eq(spec, ash_str_slice(&bumped)));
        (void) ash_static_condition(spec);
        return 0;
}
