/* Runs a fuzz target without libFuzzer: over each sample, and over changes of it that are the same on every run.
 *   fuzz-NAME [--changes N] FILE-OR-FOLDER... */
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECONDS_PER_INPUT 20
#define CHANGED_MAX (64u << 10) /* larger samples only run as they are, and a few changes */

static unsigned n_changes = 200, n_samples, n_runs;

static uint64_t random_state;
static uint64_t next_random(void) { /* xorshift64 */
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        return random_state ^= random_state << 17;
}

/* In a block of exactly that size, so that the sanitizers see a step beyond the end. */
static void run(const uint8_t *data, size_t n) {
        uint8_t *copy = malloc(n ? n : 1);
        if (!copy)
                abort();
        memcpy(copy, data, n);
        alarm(SECONDS_PER_INPUT);
        LLVMFuzzerTestOneInput(copy, n);
        alarm(0);
        free(copy);
        n_runs++;
}

static size_t change(uint8_t *data, size_t n, size_t cap) {
        static const uint8_t telling[] = { 0, 1, 0x7f, 0x80, 0xff, '\n', '\r', '"', '\\', '[', '{', '*', '%', '/' };
        if (!n)
                return 0;
        size_t at = next_random() % n, len = 1 + next_random() % 16;
        if (len > n - at)
                len = n - at;
        switch (next_random() % 7) {
        case 0: data[at] ^= (uint8_t) (1u << next_random() % 8); return n;
        case 1: data[at] = telling[next_random() % sizeof telling]; return n;
        case 2: data[at] = (uint8_t) next_random(); return n;
        case 3: return at;
        case 4: memmove(data + at, data + at + len, n - at - len); return n - len;
        case 5:
                if (n + len > cap)
                        return n;
                memmove(data + at + len, data + at, n - at); /* doubles a piece */
                return n + len;
        default: {
                size_t from = next_random() % (n - len + 1);
                memmove(data + at, data + from, len);
                return n;
        }
        }
}

static void run_sample(const uint8_t *data, size_t n) {
        size_t cap = n + 256;
        uint8_t *changed = malloc(cap);
        if (!changed)
                abort();
        n_samples++;
        random_state = 0x9e3779b97f4a7c15u ^ n;
        run(data, n);
        for (unsigned i = 0; i < (n > CHANGED_MAX ? n_changes / 50 : n_changes); i++) {
                memcpy(changed, data, n);
                size_t m = n;
                for (uint64_t k = 1 + next_random() % 4; k > 0; k--)
                        m = change(changed, m, cap);
                run(changed, m);
        }
        free(changed);
}

static int run_file(const char *path) {
        FILE *f = fopen(path, "rb");
        if (!f || fseek(f, 0, SEEK_END) != 0) {
                perror(path);
                exit(1);
        }
        size_t n = (size_t) ftell(f);
        uint8_t *data = malloc(n ? n : 1);
        rewind(f);
        if (!data || fread(data, 1, n, f) != n) {
                perror(path);
                exit(1);
        }
        fclose(f);
        run_sample(data, n);
        free(data);
        return 0;
}

static int visit(const char *path, const struct stat *st, int kind, struct FTW *where) {
        (void) st;
        (void) where;
        return kind == FTW_F ? run_file(path) : 0;
}

int main(int argc, char **argv) {
        int i = 1;
        if (argc > 2 && strcmp(argv[1], "--changes") == 0) {
                n_changes = (unsigned) strtoul(argv[2], NULL, 10);
                i = 3;
        }
        for (; i < argc; i++)
                if (nftw(argv[i], visit, 16, FTW_PHYS) != 0) {
                        perror(argv[i]);
                        return 1;
                }
        printf("%u samples, %u runs\n", n_samples, n_runs);
        return n_samples ? 0 : 1;
}
