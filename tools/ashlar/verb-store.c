/* store: care for the store. */
#include "cli.h"
#include "store.h"

static int run_path(AshCli *cli) {
        if (cli->json) {
                AshJson j = ash_cli_json(cli);
                ash_json_str(&j, NULL, ash_store_path(cli->store));
                ash_cli_print(cli, "\n");
        } else {
                ash_cli_printf(cli, "%s\n", ash_store_path(cli->store));
        }
        return 0;
}

static AshSlice number_cell(AshArena *arena, uint64_t n) { return ash_slice_str(ash_arena_printf(arena, "%llu", (unsigned long long) n)); }

static AshSlice bytes_cell(AshCli *cli, AshArena *arena, uint64_t n) {
        _str_ AshStr text = {};
        if (cli->json)
                return number_cell(arena, n);
        ash_text_bytes(&text, n);
        return ash_arena_slice(arena, ash_str_slice(&text));
}

static int run_du(AshCli *cli) {
        static const AshCliColumn columns[] = { { "WHAT" }, { "OBJECTS", .number = true }, { "BYTES", .number = true } };
        AshStoreUsage u = {};
        int r = ash_store_du(cli->store, &u, cli->diags);
        if (r < 0)
                return r;
        const struct { const char *what; uint64_t n, bytes; } rows[] = {
                { "blobs", u.blobs, u.blob_bytes }, { "packs", u.packs, u.pack_bytes }, { "derived", u.cached, u.cache_bytes }, { "buildroots", u.buildroots, u.buildroot_bytes }, { "upstreams' own", u.upstream, u.upstream_bytes },
                { "kept by lock files", u.roots, u.rooted_bytes }, { "all", u.blobs + u.packs + u.cached + u.buildroots + u.upstream, u.blob_bytes + u.pack_bytes + u.cache_bytes + u.buildroot_bytes + u.upstream_bytes },
        };
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        _cleanup_(ash_cli_list_free_p) AshCliList *list = ash_cli_list_new(cli, columns, ASH_N(columns));
        for (size_t i = 0; i < ASH_N(rows); i++)
                ash_cli_list_row(list, (AshSlice[]){ ash_slice_str(rows[i].what), number_cell(arena, rows[i].n), bytes_cell(cli, arena, rows[i].bytes) });
        ash_cli_list_print(list);
        return 0;
}

static void print_care(AshCli *cli, const AshStoreCare *care, const char *what, uint64_t n, uint64_t bytes) {
        _str_ AshStr text = {};
        if (cli->json) {
                AshJson j = ash_cli_json(cli);
                ash_json_begin(&j, NULL, '{');
                ash_json_uint(&j, "checked", care->checked);
                ash_json_uint(&j, what, n);
                ash_json_uint(&j, "bytes", bytes);
                ash_json_end(&j, '}');
                ash_cli_print(cli, "\n");
                return;
        }
        ash_text_bytes(&text, bytes);
        ash_cli_printf(cli, "%llu objects checked, %llu %s (%s)\n", (unsigned long long) care->checked, (unsigned long long) n, what, text.ptr);
}

static int run_verify(AshCli *cli) {
        AshStoreCare care = {};
        int r = ash_store_verify(cli->store, cli->progress, &care, cli->diags);
        if (r < 0)
                return r;
        print_care(cli, &care, "damaged", care.damaged, care.checked_bytes);
        return 0;
}

static int run_gc(AshCli *cli) {
        AshStoreCare care = {};
        bool dry = ash_cli_flag(cli, "dry-run");
        uint64_t days = ash_cli_number(cli, "days", 14);
        if (days > 100000)
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--days is at most 100000");
        AshStoreGc how = { .max_age_s = days * 86400, .buildroots = UINT64_MAX, .timeout_ms = ash_cli_flag(cli, "wait") ? -1 : 0, .dry_run = dry };
        const char *roots = ash_cli_option(cli, "buildroots");
        if (roots && ash_slice_to_bytes(ash_slice_str(roots), &how.buildroots) < 0)
                return ash_fail(cli->diags, -ASH_ERR_USAGE, ASH_NOWHERE, "--buildroots takes a size, as 20G: '%s'", roots);
        int r = ash_store_gc(cli->store, &how, &care, cli->diags);
        if (r < 0)
                return r == -EAGAIN ? -ASH_ERR_AGAIN : r;
        print_care(cli, &care, dry ? "removable" : "removed", care.removed, care.removed_bytes);
        return 0;
}

const AshCliVerb ash_verbs_store[] = {
        { "path", "print where the store is", .needs = ASH_NEEDS_STORE, .run = run_path },
        { "du", "show what the store holds", .doc = "Bytes are those that are allocated on the disk.", .needs = ASH_NEEDS_STORE, .run = run_du },
        { "verify", "check every byte in the store",
          .doc = "What is damaged is dropped with a warning; it is fetched or made again when it is needed the next time.", .needs = ASH_NEEDS_STORE, .run = run_verify },
        { "gc", "remove what is no longer needed",
          .doc = "Removes what no lock file names and nobody used lately. Lock files that are gone no longer count. Nothing is removed while another process uses the store: "
                 "exit status 75 then.",
          .options = ASH_OPTIONS({ "days", .value = "N", .kind = ASH_KIND_NUMBER, .doc = "keep what was used in the last N days (default: 14)" },
                                 { "buildroots", .value = "SIZE", .doc = "of buildroots keep at most this much (20G), those that were used last" },
                                 { "dry-run", .letter = 'n', .doc = "only count" }, { "wait", .doc = "wait until no other process uses the store" }),
          .needs = ASH_NEEDS_STORE, .run = run_gc },
        {},
};
