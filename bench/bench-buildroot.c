/* Makes a buildroot of a project's [build] and runs a program in it: bench-buildroot PROJECT STORE [REQUIRED...]. Prints packages and milliseconds: "141 95 40 6 35": solved and there, then a room over it,
 * then a program run in it; then its packages, one a line: NEVRA and SHA-256. */
#include <stdio.h>
#include "build.h"
#include "flow-build.h"

typedef struct Took {
        uint64_t root, room, run;
} Took;

static int use(const AshFlowRoot *root, Took *took, AshDiags *diags) {
        _cleanup_(ash_sandbox_room_free_p) AshSandboxRoom *room = NULL;
        _cleanup_(ash_sandbox_result_done) AshSandboxResult out = {};
        static const char *const argv[] = { "/usr/bin/gcc", "--version", NULL };
        const char *layers[8] = {};
        uint64_t began = ash_now_ns();
        int r = ash_sandbox_room_new(&(AshSandboxRoomOptions){}, &room, diags);
        for (size_t i = 0; r >= 0 && i + 1 < ASH_N(layers) && ash_build_root_layers(root->root)[i]; i++)
                r = ash_sandbox_room_layer(room, ash_build_root_layers(root->root)[i], (char **) &layers[i]);
        took->room = ash_now_ns() - began;
        began = ash_now_ns();
        if (r >= 0)
                r = ash_sandbox_run(&(AshSandbox){ .room = room, .layers = layers, .fresh = true, .uid = 1000, .gid = 1000, .argv = argv }, &out, diags);
        took->run = ash_now_ns() - began;
        for (size_t i = 0; i < ASH_N(layers); i++)
                free((char *) layers[i]);
        return r < 0 ? r : out.process.status ? -EIO : 0;
}

static int run(char **argv, AshDiags *diags) {
        _cleanup_(ash_config_free_p) AshConfig *config = NULL;
        _cleanup_(ash_store_free_p) AshStore *store = NULL;
        _cleanup_(ash_flow_builder_free_p) AshFlowBuilder *builder = NULL;
        _cleanup_(ash_flow_root_free_p) AshFlowRoot *root = NULL;
        _free_ char *lock = ash_path_join(argv[1], ASH_LOCK_NAME);
        AshRequest more[32];
        size_t n = 0;
        Took took = {};
        for (; argv[3 + n] && n < ASH_N(more); n++)
                more[n] = (AshRequest){ .what = ash_slice_str(argv[3 + n]), .job = ASH_REQUEST_INSTALL };
        int r = ash_config_load(argv[1], 0, &config, diags);
        if (r >= 0)
                r = ash_store_open(argv[2], &store, diags);
        AshFlow flow = { .config = config, .store = store, .diags = diags };
        uint64_t began = ash_now_ns();
        if (r >= 0)
                r = ash_flow_builder_new(&flow, lock, ASH_S("x86_64"), &builder);
        if (r >= 0)
                r = ash_flow_builder_root(builder, (AshText){}, more, n, false, &root);
        took.root = ash_now_ns() - began;
        if (r >= 0)
                r = use(root, &took, diags);
        for (size_t i = 0; r >= 0 && i <= root->n_packages; i++)
                if (i)
                        printf("%.*s %.*s\n", ASH_F(root->packages[i - 1].nevra), ASH_F(root->packages[i - 1].sha256));
                else
                        printf("%zu %llu %llu %llu\n", root->n_packages, (unsigned long long) took.root / 1000000, (unsigned long long) took.room / 1000000, (unsigned long long) took.run / 1000000);
        return r;
}

int main(int argc, char **argv) {
        _cleanup_(ash_diags_free_p) AshDiags *diags = ash_diags_new();
        int r = argc < 3 ? -EINVAL : run(argv, diags);
        for (size_t i = 0; i < ash_diags_n(diags); i++) {
                _str_ AshStr text = {};
                ash_diag_format(ash_diags_at(diags, i), false, &text);
                fputs(text.ptr, stderr);
        }
        return r < 0;
}
