/* ashlar-initrd: makes an initrd for a kernel of the running system, or of one below a directory. The kernel-install plug-in beside it calls it. */
#include <getopt.h>
#include <stdio.h>
#include <sys/utsname.h>
#include "initrd.h"

typedef struct Options {
        const char *root, *kernel, *filesystem, *output;
        ASH_ARRAY(AshSlice) modules;
        bool list;
} Options;

static void print_help(void) {
        puts("Usage: ashlar-initrd [OPTION...] [KERNEL]\n"
             "Makes an initrd for the kernel of this version (the running one) from the files of this system.\n\n"
             "  -o, --output FILE       where to; standard output\n"
             "  -r, --root DIRECTORY    of the system below DIRECTORY instead of the running one\n"
             "  -f, --filesystem TYPE   of its root; that of the running system, else ext4\n"
             "  -m, --module NAME       a further kernel module; may be repeated\n"
             "  -l, --list              lists what would be in it\n"
             "  -h, --help, -V, --version");
}

static int parse(int argc, char **argv, Options *o) {
        static const struct option options[] = { { "output", required_argument, NULL, 'o' }, { "root", required_argument, NULL, 'r' }, { "filesystem", required_argument, NULL, 'f' },
                                                 { "module", required_argument, NULL, 'm' }, { "list", no_argument, NULL, 'l' }, { "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' }, {} };
        for (int c; (c = getopt_long(argc, argv, "o:r:f:m:lhV", options, NULL)) >= 0;)
                switch (c) {
                case 'o': o->output = optarg; break;
                case 'r': o->root = optarg; break;
                case 'f': o->filesystem = optarg; break;
                case 'm': ash_array_push(&o->modules, ash_slice_str(optarg)); break;
                case 'l': o->list = true; break;
                case 'h': print_help(); return 0;
                case 'V': puts("ashlar-initrd " ASHLAR_VERSION); return 0;
                default: return 2;
                }
        if (optind < argc)
                o->kernel = argv[optind++];
        if (optind < argc) {
                fprintf(stderr, "ashlar-initrd: one kernel only\n");
                return 2;
        }
        return -1;
}

/* The type of what is mounted at "/": mountinfo has "id parent dev root mountpoint options ... - type source options". */
static char *root_filesystem(void) {
        _bytes_ AshBytes text = {};
        if (ash_file_read(AT_FDCWD, "/proc/self/mountinfo", 0, &text) < 0)
                return NULL;
        char *found = NULL;
        for (AshSlice rest = ash_bytes_slice(&text), line; ash_slice_next_line(&rest, &line);) {
                AshSlice word = {}, at = line, type;
                for (int i = 0; i < 5; i++)
                        (void) ash_slice_next_word(&at, &word);
                ptrdiff_t dash = ash_slice_find(at, ASH_S(" - "));
                if (!ash_slice_eqs(word, "/") || dash < 0)
                        continue;
                at = ash_slice_from(at, (size_t) dash + 3);
                if (ash_slice_next_word(&at, &type)) {
                        free(found);
                        found = ash_slice_dup(type);
                }
        }
        return found;
}

static int print_node(void *context, const AshTree *t, AshNode n) {
        _str_ AshStr path = {};
        (void) context;
        const AshTreeNode *node = ash_tree_node(t, n);
        ash_tree_path(t, n, &path);
        printf("%8llu %.*s%s%.*s\n", (unsigned long long) node->content.length, ASH_F(ash_str_slice(&path)), node->link.len ? " -> " : "", ASH_F(node->link));
        return 0;
}

static int make(const Options *o, AshDiags *diags) {
        _cleanup_(ash_initrd_view_free_p) AshInitrdView *view = NULL;
        _cleanup_(ash_tree_free_p) AshTree *initrd = NULL;
        _free_ char *type = o->filesystem ? ash_strdup(o->filesystem) : !strcmp(o->root, "/") ? root_filesystem() : NULL;
        const char *epoch = getenv("SOURCE_DATE_EPOCH");
        uint64_t time = 1;
        if (epoch && ash_slice_to_u64(ash_slice_str(epoch), 10, &time) < 0)
                return ash_fail(diags, -ASH_ERR_USAGE, ASH_NOWHERE, "SOURCE_DATE_EPOCH is not a number");
        int r = ash_initrd_view_open(o->root, o->kernel, &view, diags);
        if (r < 0)
                return r;
        AshInitrdInput in = { .tree = ash_initrd_view_tree(view), .kernel = ash_slice_str(o->kernel), .root_filesystem = ash_slice_str(type ? type : "ext4"), .modules = o->modules.items,
                              .n_modules = o->modules.n, .time = (int64_t) time };
        r = ash_initrd_plan(&in, &initrd, diags);
        if (r < 0)
                return r;
        if (o->list)
                return ash_tree_walk(initrd, 0, print_node, NULL);
        _str_ AshStr bytes = {};
        r = ash_initrd_pack(initrd, 0, &bytes, diags);
        if (r < 0)
                return r;
        r = o->output ? ash_file_write_atomic(AT_FDCWD, o->output, ash_str_slice(&bytes), 0600, true) : ash_write_all(STDOUT_FILENO, bytes.ptr, bytes.len);
        return r < 0 ? ash_fail_file(diags, r, o->output ? o->output : "standard output", "cannot be written: %s", ash_strerror(r)) : 0;
}

int main(int argc, char **argv) {
        Options o = { .root = "/" };
        struct utsname running;
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        int status = parse(argc, argv, &o);
        if (status >= 0)
                return status;
        if (!o.kernel && uname(&running) == 0)
                o.kernel = running.release;
        int r = make(&o, diags);
        for (size_t i = 0; i < ash_diags_n(diags); i++) {
                _str_ AshStr text = {};
                ash_diag_format(ash_diags_at(diags, i), false, &text);
                fprintf(stderr, "%.*s\n", ASH_F(ash_str_slice(&text)));
        }
        ash_array_done(&o.modules);
        return r < 0 ? 1 : 0;
}
