/* CPU time of reading and parsing the TOML files that are named on standard input, one path a line: bench-toml ROUNDS. Prints milliseconds and the bytes that the documents take beside the text, one line a round. */
#include "io.h"
#include "toml.h"

static int parse_all(const AshPaths *paths, size_t *memory) {
        for (size_t i = 0; i < paths->paths.n; i++) {
                _bytes_ AshBytes bytes = {};
                if (ash_file_read(AT_FDCWD, paths->paths.items[i], 0, &bytes) < 0)
                        return -EIO;
                _cleanup_(ash_source_free_p) AshSource *source = ash_source_new(paths->paths.items[i], ash_bytes_slice(&bytes));
                _cleanup_(ash_toml_free_p) AshTomlDoc *doc = NULL;
                if (ash_toml_parse(source, ASH_TOML_1_1, &doc, NULL) < 0)
                        return -EINVAL;
                *memory += ash_toml_memory(doc);
        }
        return 0;
}

int main(int argc, char **argv) {
        uint64_t rounds = 0;
        if (argc != 2 || ash_slice_to_u64(ash_slice_str(argv[1]), 10, &rounds) < 0)
                return 2;
        _paths_ AshPaths paths = {};
        _bytes_ AshBytes list = {};
        if (ash_file_read_fd(STDIN_FILENO, 0, &list) < 0)
                return 1;
        AshSlice rest = ash_bytes_slice(&list), line;
        while (ash_slice_next_line(&rest, &line))
                ash_array_push(&paths.paths, ash_slice_dup(line));
        for (uint64_t i = 0; i < rounds; i++) {
                uint64_t before = ash_cpu_ns();
                size_t memory = 0;
                if (parse_all(&paths, &memory) < 0)
                        return 1;
                printf("%.3f %zu\n", (double) (ash_cpu_ns() - before) / 1e6, memory);
        }
        return 0;
}
