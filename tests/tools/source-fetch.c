/* Fetches what a "sources" file lists, for tests with servers. Usage: source-fetch --cache DIR --into DIR [--lookaside URI] [--package NAME] [--offline] [--stall MS]
 * [--retries N] [--script-network] [--disable-origins] [--base DIR] [--file NAME,KIND,HASH,ORIGIN,URI-OR-SCRIPT[,replace]]... SOURCES. Prints diagnostics;
 * exit status 0, 5 (verification), 75 (try again), or 1. */
#include <getopt.h>
#include <stdio.h>
#include "specsource.h"

typedef struct Command {
        AshSpecDistro distro;
        AshSpecOptions options;
        AshSlice package;
        const char *into, *base;
        AshSourceFile files[16];
        size_t n;
} Command;

static AshText text(AshSlice s) { return (AshText) { s, ASH_NOWHERE }; }

static void add_file(Command *c, const char *spec) {
        AshSlice rest = ash_slice_str(spec), part[6] = {};
        for (size_t i = 0; i < 6 && ash_slice_split(&rest, ',', &part[i]); i++)
                ;
        AshSourceFile *f = &c->files[c->n++];
        *f = (AshSourceFile) { .filename = text(part[0]), .hash_type = text(part[1]), .hash = text(part[2]), .origin_type = text(part[3]), .base_dir = c->base };
        *(ash_slice_eqs(part[3], "custom") ? &f->origin_script : &f->origin_uri) = text(part[4]);
        f->replace_upstream.value = part[5].len > 0 ? ASH_YES : ASH_UNSET;
}

static int run(const Command *c, const char *file, AshDiags *diags) {
        _bytes_ AshBytes b = {};
        int r = ash_file_read(AT_FDCWD, file, 0, &b);
        if (r < 0)
                return ash_fail_file(diags, r, file, "%s", ash_strerror(r));
        _sources_ AshSources s = {};
        r = ash_sources_parse(ash_bytes_slice(&b), file, &s, diags);
        if (r >= 0)
                r = ash_sources_merge(&s, &(AshSourceFiles) { (AshSourceFile *) c->files, c->n }, diags);
        if (r >= 0)
                r = ash_sources_fetch(&s, c->package, &c->distro, &c->options, diags);
        if (r < 0)
                return r;
        _close_ int dirfd = open(c->into, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return ash_sources_place(&s, dirfd, diags);
}

int main(int argc, char **argv) {
        Command c = { .options.allow_local = true, .package = ASH_S("pkg") };
        static const struct option long_options[] = {
                { "cache", 1, NULL, 'c' }, { "into", 1, NULL, 'i' }, { "lookaside", 1, NULL, 'l' }, { "package", 1, NULL, 'p' }, { "offline", 0, NULL, 'o' }, { "stall", 1, NULL, 's' },
                { "retries", 1, NULL, 'r' }, { "script-network", 0, NULL, 'n' }, { "disable-origins", 0, NULL, 'd' }, { "base", 1, NULL, 'b' }, { "file", 1, NULL, 'f' }, {},
        };
        for (int o; (o = getopt_long(argc, argv, "", long_options, NULL)) >= 0;)
                switch (o) {
                case 'c': c.options.cache_dir = optarg; break;
                case 'i': c.into = optarg; break;
                case 'l': c.distro.lookaside_uri = text(ash_slice_str(optarg)); break;
                case 'p': c.package = ash_slice_str(optarg); break;
                case 'o': c.options.offline = true; break;
                case 's': c.options.stall_timeout_ms = (unsigned) strtoul(optarg, NULL, 10); break;
                case 'r': c.options.retries = (unsigned) strtoul(optarg, NULL, 10); break;
                case 'n': c.options.script_network = true; break;
                case 'd': c.distro.disable_origins = true; break;
                case 'b': c.base = optarg; break;
                case 'f': add_file(&c, optarg); break;
                default: return 2;
                }
        if (optind + 1 != argc || !c.options.cache_dir || !c.into)
                return 2;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        int r = run(&c, argv[optind], diags);
        for (size_t i = 0; i < ash_diags_n(diags); i++) {
                _str_ AshStr out = {};
                ash_diag_format(ash_diags_at(diags, i), false, &out);
                fputs(out.ptr, stderr);
        }
        return r >= 0 ? 0 : r == -ASH_ERR_VERIFY ? 5 : r == -ASH_ERR_AGAIN ? 75 : 1;
}
